"""Studies on the command line: ``init``, ``run``, ``ask``, ``tell``, ``status`` and ``export``."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from rapid_moo._util import as_count, atomic_path, one_line, write_text
from rapid_moo.cli.common import EXIT_FAILED, EXIT_INTERRUPTED, More, complain, writable
from rapid_moo.cli.preferring import weights_of
from rapid_moo.costs import affordable, cost_text, costs_stated, told_cost, with_costs
from rapid_moo.errors import InputError, MeasureError, MissingExtraError, RapidMooError, StudyError
from rapid_moo.frames import own_name
from rapid_moo.measure import FIRST_RAISED, SAME_RAISED, Command, is_users, user_trace
from rapid_moo.objectives import Objective, parse_objectives, with_repeats
from rapid_moo.priors import Prior
from rapid_moo.problems import get_space, space_names
from rapid_moo.reading.options import names_of
from rapid_moo.report import PAGE_FILE
from rapid_moo.report.blocks import Block, Heading, Pairs, Paragraph, table
from rapid_moo.report.rendering import text
from rapid_moo.space import Gene, SearchSpace
from rapid_moo.store import Store
from rapid_moo.study.definition import read_definition
from rapid_moo.study.folder import DEFINITION, EVALUATIONS, EXPECTED, FRONT, choice_text, holder, read_measured
from rapid_moo.study.forms import as_space, objective_from_dict, space_from_dict
from rapid_moo.study.places import MOST_PLACES
from rapid_moo.study.references import Reference, is_reference
from rapid_moo.study.report import Renewal
from rapid_moo.study.spacefile import MEASURE_TEMPLATE, TEMPLATE, read_space_file
from rapid_moo.study.status import Status, duration, rate_text
from rapid_moo.study.study import Study, checked_budget

LIVE = {"digits": "rapid_moo.problems.digits_live:measure_live"}
QUIET_SECONDS = 10.0
SHOWN = 20
STATED: dict[str, Any] = {
    **{name: [] for name in ("measure", "constraint", "known", "prior")},
    **dict.fromkeys(("objectives", "costs", "repeats", "seed", "places", "dask", "timeout")),
    "live": False,
    "workers": "1",
    "max_errors": f"{FIRST_RAISED},{SAME_RAISED}",
    "same": "",
}
"""Options of ``run`` that say what a study is and how it is made, and their values where nothing is stated."""
TRIED = 12
"""Evaluations of the first run of a template: of its pretended trainings few are enough to see how it works."""


def write_template(options: Namespace) -> int:
    """Write a commented space file and a measure beside it that works with it; an existing file is never replaced."""
    path: Path = options.file
    if path.suffix != ".toml":
        raise InputError(f"{path}: expected a file name that ends in .toml")
    if path.exists():
        raise InputError(f"{path}: expected a new file, found one; nothing was changed")
    writable(path.parent)
    measure = path.with_name("measure.py")
    out = Path("runs") / path.stem
    python = next((name for name in ("python", "python3") if shutil.which(name)), sys.executable)
    line = ["rapid-moo", "run", path, "--measure", shlex.join([python, str(measure)]), "--budget", TRIED, "--out", out]
    command = shlex.join(map(str, line))
    kept = measure.exists()
    if not kept:
        write_text(measure, MEASURE_TEMPLATE)
    write_text(path, TEMPLATE.format(name=path.stem, command=command))
    print(f"Written: {path}" if kept else f"Written: {path}, {measure}")
    if kept:
        print(f"{measure} is there already and was left as it is: it must give the objectives of {path}")
    print(f"Next: {command}")
    return 0


# ------------------------------------------------------------------------- run
def run_study(options: Namespace) -> int:
    """Begin a study or go on with one."""
    _worker_kind(options)  # refused before a cluster is asked
    with _client(options.dask) as executor:
        study = _study(options, executor)
        if isinstance(options.budget, More):
            options.budget = study.spent + options.budget.amount
        weights = _weights(options.prefer, study.objectives)
        if options.known and (told := holder(study.folder)):
            raise StudyError(f"{study.folder}: {told} is running this study")
        for name, told in study.priors.told().items() if options.prior else ():
            complain(f"prior: {name}: {told}")
        for path in options.known:
            complain(f"{path}: {study.import_known(path)} rows known beforehand")
        return _run(study, options, weights)


def _run(study: Study, options: Namespace, weights: list[float] | None) -> int:
    status = study.status()
    if options.confirm:
        _tell_price(study, options.budget)
    elif options.budget is not None and study.spent >= options.budget and not options.retry:
        told = f"a cost of {cost_text(study.spent)} is" if status.by_cost else f"{study.spent} evaluations are"
        complain(f"note: {told} spent already; for more give a larger --budget")
    go_on = f"{_run_again(study)}{' --confirm' if options.confirm else ''}"
    page = Renewal(study, weights)
    try:
        with _Shown(study, options.budget) as shown:

            def show(status: Status) -> None:
                shown.show(status)
                page.renew()

            refused = False
            try:
                study.run(options.budget, confirm=options.confirm, retry=options.retry, progress=show)
            except RapidMooError as error:
                refused = not isinstance(error, MeasureError)
                raise
            finally:
                if not refused:
                    page.renew(now=True)
    except KeyboardInterrupt:
        print(_report(study, weights))
        complain(f"\ninterrupted; go on with: {go_on}")
        return EXIT_INTERRUPTED
    except MeasureError as error:
        complain(f"{error}\nAfter mending it go on with: {go_on}", None)
        return EXIT_FAILED
    except RapidMooError:
        raise
    except Exception as error:  # the user's own function of the genes
        if not is_users(error):
            raise
        complain(f"{user_trace(error).rstrip()}\nAfter mending it go on with: {go_on}", None)
        return EXIT_FAILED
    if not options.confirm:
        _tell_why_budget_is_left(study, status)
    print(_report(study, weights))
    return 0


def _run_again(study: Study) -> str:
    """What goes on with a study."""
    return f"rapid-moo run {shlex.quote(str(study.folder))}"


def _confirm_all(study: Study, price: float) -> str:
    """The command that measures everything again that is worth it, with the budget that pays for it."""
    return f"{_run_again(study)} --confirm --budget {told_cost(study.spent + price):.12g}"


def _tell_price(study: Study, budget: float | None) -> None:
    """Say what is worth measuring again, what it costs, and what pays for it where the budget does not."""
    count, price = study.price_of_confirming()
    if not count:
        complain("note: nothing is worth measuring again")
        return
    total = budget if budget is not None else study.definition.budget
    left = max(0.0, (total or 0.0) - study.spent)
    by_cost = study.problem.costs_stated
    costs = f"at a cost of {cost_text(price)}" if by_cost else f"in {price:.0f} evaluations"
    goes = f"{cost_text(left)} of the budget is left" if by_cost else f"the budget has {left:.0f} left"
    more = "" if affordable(price, left) else f"; for all of them: {_confirm_all(study, price)}"
    complain(f"note: {count} architectures are worth measuring again, {costs}; {goes}{more}")


def _tell_why_budget_is_left(study: Study, before: Status) -> None:
    """Say why a run has ended, or begun nothing, before its budget was spent."""
    now = study.status()
    price = float(study.problem.evaluation_prices.sum()) if now.by_cost else 1.0
    left = (now.budget or 0.0) - (now.cost if now.by_cost else study.store.n_evaluations)
    if left > 0.0 and affordable(price, left):
        complain(
            f"note: nothing is left to evaluate: every architecture of {study.space.name} is known, has failed or"
            " breaks a bound"
        )
    elif now.by_cost and now.cost == before.cost and left > 0.0:
        complain(
            f"note: nothing was begun: to measure an architecture costs {cost_text(price)}, and {cost_text(left)} of"
            " the budget is left; for more give a larger --budget"
        )


def _study(options: Namespace, executor: Any) -> Study:
    """The study that the options mean; whatever is wrong with them is found before anything is written."""
    first, same = _max_errors(options.max_errors)
    target = Path(options.target)
    shared: dict[str, Any] = {
        "measure": _measure(options),
        "seed": options.seed,
        "workers": executor if executor is not None else _worker_kind(options),
        "places": _places(options.places),
        "timeout": options.timeout,
        "first_raised": first,
        "same_raised": same,
        "priors": [Prior.parse(text, names_of(options.same, "--same")) for text in options.prior],
        "command": _stated(options, target),
    }
    if options.same and not options.prior:
        raise InputError(f"--same: expected a --prior whose values hold, got {options.same!r} alone")
    constraints = options.constraint or None
    if target.is_dir():
        if options.out is not None and options.out.resolve() != target.resolve():
            raise InputError(f"--out: expected none beside the folder of a study, got {options.out}")
        stated: Sequence[Objective] | None = parse_objectives(options.objectives) if options.objectives else None
        known = [objective_from_dict(item) for item in read_definition(target)["objectives"]]
        computed = [item["name"] for item in read_definition(target)["space"].get("computed", [])]
        more = [o for o in stated or () if o.name not in {k.name for k in known}]
        if options.costs is not None or options.repeats is not None:
            stated = _with_measurements([*known, *more], options, computed)
        _weights(options.prefer, [*known, *more])
        _check_budget(options.budget, [*known, *(stated or ())], computed)
        if options.known:
            _check_known(options.known, space_from_dict(read_definition(target)["space"]), [*known, *more])
        return Study(target, constraints=constraints, objectives=stated, **shared)
    space, objectives, written, reference = _space(options.target)
    if options.objectives:
        objectives = parse_objectives(options.objectives)
    computed = [objective.name for objective in space.computed]
    objectives = _with_measurements(objectives, options, computed)
    out = writable(options.out or Path("runs") / _as_folder(space.name))
    held = read_definition(out)["objectives"] if (out / DEFINITION).exists() else []
    _check_budget(options.budget, [*objectives, *map(objective_from_dict, held)], computed)
    if kept := [item["name"] for item in held if item["name"] not in {o.name for o in objectives}]:
        complain(f"note: {options.target} does not list {', '.join(kept)} any more: the study in {out} keeps it")
    if options.budget is None and not (out / DEFINITION).exists():
        raise InputError("--budget: expected the number of evaluations of a new study, got none")
    if shared["measure"] is None and not (out / DEFINITION).exists():
        raise InputError(f"--measure: expected what measures an architecture of {space.name}, got none")
    _weights(options.prefer, objectives)
    _check_known(options.known, space, objectives)
    return Study(
        out,
        space,
        objectives=objectives,
        constraints=[*written, *(constraints or [])],
        space_reference=reference,
        **shared,
    )


def _as_folder(name: str) -> str:
    """A space's name as that of one folder below ``runs``, whatever is in it."""
    kept = re.sub(r"[^\w .,+@=()-]+", "-", name).strip(" .-")
    return kept or "study"


def _stated(options: Namespace, target: Path) -> dict[str, Any]:
    """What the command line says of a study, for the one that makes it again: what is not stated is left out."""
    given = {name: value for name, none in STATED.items() if (value := getattr(options, name)) != none}
    plain = {name: list(map(str, value)) if isinstance(value, list) else value for name, value in given.items()}
    # Bounds that neither the space's file nor the command states hold no more.
    return plain if target.is_dir() else {"constraint": [], **plain, "target": options.target}


def _with_measurements(
    objectives: Sequence[Objective], options: Namespace, computed: Sequence[str]
) -> Sequence[Objective]:
    """The objectives with what the options say of their measurements: costs and repeats."""
    if options.costs is not None:
        objectives = with_costs(objectives, options.costs, computed)
    return with_repeats(objectives, options.repeats, computed) if options.repeats is not None else objectives


def _check_known(files: Sequence[Path], space: SearchSpace, objectives: Sequence[Objective]) -> None:
    """Refuse files of what was measured before anything is written."""
    for file in files:
        read_measured(file, Store(space, [objective.name for objective in objectives]))


def _check_budget(budget: float | More | None, objectives: Sequence[Objective], computed: Sequence[str]) -> None:
    """Refuse a budget before anything is written."""
    if budget is not None:
        checked_budget(budget.amount if isinstance(budget, More) else budget, costs_stated(objectives, computed))


def _space(target: str) -> tuple[SearchSpace, Sequence[Objective], Sequence[str], Reference | None]:
    """Space, objectives, constraints and where its code is, of a file, a reference or a name."""
    if target.endswith(".toml"):
        found = read_space_file(target)
        return found.space, found.objectives, found.constraints, None
    if is_reference(target) or ".py:" in target:
        reference = Reference.parse(target)
        space = as_space(reference.load(), target)
        return space, space.objectives, (), reference
    if target in space_names():
        space = get_space(target)
        return space, space.objectives, (), None
    raise InputError(
        f"{target!r}: expected a space (FILE.toml, FILE.py:CLASS or one of {', '.join(space_names())})"
        " or the folder of a study; found neither"
    )


def _measure(options: Namespace) -> Any:
    if options.live:
        if options.measure:
            raise InputError("--live: expected no --measure beside it")
        if options.target not in LIVE:
            raise InputError(f"--live: expected one of {', '.join(LIVE)}, got {options.target!r}")
        return Reference.parse(LIVE[options.target])
    if not options.measure:
        return None
    parts = [_measure_part(text, options) for text in options.measure]
    if len(parts) == 1 and parts[0][0] is None:
        return parts[0][1]
    if any(names is None for names, _ in parts):
        raise InputError("--measure: expected OBJECTIVE=MEASURE where there are several")
    return dict(parts)


def _measure_part(text: str, options: Namespace) -> tuple[str | None, Any]:
    """Objectives, if stated, and a reference or command line."""
    names, separator, rest = text.partition("=")
    stated = bool(separator) and bool(names) and not any(c.isspace() or c in "/\\.:'\"-" for c in names) and bool(rest)
    told = rest if stated else text
    measure: Any = told
    if is_reference(told.strip()) or (".py:" in told and " " not in told.strip()):
        measure = Reference.parse(told.strip())
        if not callable(measure.load()):
            raise InputError(f"--measure {told!r}: expected a function, got {type(measure.load()).__name__}")
    elif not options.dask:
        _check_command(told)
    return (names if stated else None), measure


def _check_command(line: str) -> None:
    """Refuse a command that cannot be started, before a study is begun with it."""
    word = Command(line).words[0]
    if shutil.which(word) is None:
        hint = f"; did you mean 'python {word}' or '{word}:FUNCTION'?" if word.endswith(".py") else ""
        raise InputError(f"--measure {line!r}: expected a command, found none named {word!r}{hint}")


def _worker_kind(options: Namespace) -> int | str:
    """What the command line runs never shares its process with the controller."""
    text = options.workers.strip()
    if options.dask and text != "1":
        raise InputError(f"--dask: expected no --workers beside it, got {text!r}")
    return f"processes:{text}" if as_count(text) >= 0 else text


def _places(text: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(",") if text else []:
        name, _, number = part.rpartition("=")
        if not name or not 0 < as_count(number) <= MOST_PLACES:
            raise InputError(f"--places: expected OBJECTIVE=N with N in 1..{MOST_PLACES}, got {part!r}")
        found[name.strip()] = int(number)
    return found


def _max_errors(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) > 2 or not all(as_count(part.strip()) >= 0 for part in parts):
        raise InputError(f"--max-errors: expected FIRST,SAME, got {text!r}")
    return int(parts[0]), int(parts[-1])


def _weights(text: str | None, objectives: Sequence[Objective]) -> list[float] | None:
    return weights_of(text, [objective.name for objective in objectives])


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    """Dask's executor, or None."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("--dask needs distributed: pip install 'rapid-moo[dask]'") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--dask {address}: expected a running scheduler: {error}") from error
    with client:
        yield client.get_executor(pure=False)


class _Shown:
    """Progress on standard error: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self, study: Study, budget: float | None) -> None:
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
        )
        self.interactive = console.is_terminal
        self.study, self.budget = study, budget
        self._last = time.monotonic()

    def __enter__(self) -> _Shown:
        if self.interactive:
            self.bar.start()
            self.task = self.bar.add_task(escape(one_line(self.study.space.name, 60)), total=self.budget)
        return self

    def __exit__(self, *_: object) -> None:
        if self.interactive:
            self.bar.stop()

    def show(self, status: Status) -> None:
        """Show where the study stands."""
        told = f"{status.running} running, {status.failed} failed"
        if status.hypervolume is not None:
            told += f", hypervolume {status.hypervolume:.4f}"
        if status.rate is not None:
            told += f", {rate_text(status.rate)}"
        if status.eta is not None:
            told += f", {duration(status.eta)} to go"
        if self.interactive:
            spent = status.cost if status.by_cost else status.begun - status.running
            self.bar.update(self.task, completed=spent, total=status.budget, description=told)
        elif time.monotonic() - self._last >= QUIET_SECONDS:
            self._last = time.monotonic()
            done = f"{status.begun - status.running} of {status.budget} evaluations"
            if status.by_cost:
                done = f"cost {cost_text(status.cost)} of {cost_text(status.budget or 0.0)}"
            complain(f"{done}, {told}")


def _report(study: Study, weights: Sequence[float] | None) -> str:
    """What a run ends with: counts, the front, what noise says of it, and where everything is."""
    status = study.status()
    blocks: list[Block] = [Paragraph(line) for line in status.to_text().splitlines()]
    if status.front_size:
        blocks += [Heading(f"Front (measured), {status.front_size} architectures"), *_front(study), *_noise(study)]
        blocks += _chosen(study, weights)
    written = [name for name in (EVALUATIONS, FRONT, EXPECTED, PAGE_FILE) if (study.folder / name).exists()]
    return f"{text(blocks)}\n\nEverything is in {study.folder}: {', '.join(written)}"


def _chosen(study: Study, weights: Sequence[float] | None) -> Iterator[Block]:
    """One network of the front: what the weights prefer, else the knee."""
    told = "Knee of the front" if weights is None else f"Preferred with weights {','.join(f'{w:g}' for w in weights)}"
    yield Heading(told)
    genes = {gene.name: gene for gene in study.space.genes}
    values = study.best(weights).items()
    shown = [(key, _label(genes[key], value) if key in genes else _short(value)) for key, value in values]
    yield Pairs(tuple((key, str(value)) for key, value in shown))


def _noise(study: Study) -> Iterator[Block]:
    found = study.expected()
    noisy = [f"{o.name} {n.to_text(o.unit)}" for o, n in zip(study.objectives, found.noises, strict=True) if n.std]
    if noisy:
        count, price = study.price_of_confirming(found)
        both = len(set(found.front_rows.tolist()) & set(found.expected_front_rows.tolist()))
        yield Paragraph(
            f"How uncertain one measurement is: {'; '.join(noisy)}. Of the {len(found.front_rows)} architectures"
            f" above {both} are on the expected front of {len(found.expected_front_rows)} ({EXPECTED}),"
            f" and {count} are worth measuring again{f': {_confirm_all(study, price)}' if count else ''}"
        )


def _front(study: Study) -> Iterator[Block]:
    frame = study.front_frame()
    for gene in study.space.genes:
        frame[gene.name] = [_label(gene, choice) for choice in frame[gene.name]]
    labels = {objective.name: objective.label for objective in study.objectives}
    values = frame.head(SHOWN).itertuples(index=False)
    rows = [["" if _is_nan(value) else _short(value) for value in row] for row in values]
    right = (k for k, name in enumerate(frame.columns) if name not in {gene.name for gene in study.space.genes})
    yield table((labels.get(name, name) for name in frame.columns), rows, right)
    if len(frame) > SHOWN:
        yield Paragraph(f"… and {len(frame) - SHOWN} more in front.csv")


def _label(gene: Gene, choice: Any) -> Any:
    """How a choice is called; empty for an inactive gene."""
    if _is_nan(choice):
        return ""
    return next((label for known, label in zip(gene.choices, gene.labels, strict=True) if known == choice), choice)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# ------------------------------------------------------------ ask, tell, status
def ask_study(options: Namespace) -> int:
    """Print architectures to evaluate, with empty columns for what is to be measured."""
    study = Study(options.folder)
    trials = study.ask(options.n)
    genes, names = study.space.genes, [objective.name for objective in study.objectives]
    out = csv.writer(sys.stdout, lineterminator="\n")
    taken = [*(gene.name for gene in genes), *names]
    computed = {objective.name for objective in study.space.computed}
    # Where not everything is to be measured, a column says what is; what is known and not asked for is filled in.
    parts = any(set(trial.objectives) | computed != set(names) for trial in trials)
    out.writerow([own_name("evaluation", taken), *taken, *([own_name("measure", taken)] if parts else [])])
    for trial in trials:
        x = study.space.from_dict(trial.architecture)[None]
        known = dict(zip(names, study.store.raw_of([trial.number - 1])[0].tolist(), strict=True))
        known |= {name: float(study.space.compute(x, name)[0]) for name in computed}
        cells = [choice_text(g, trial[g.name]) if g.name in trial.architecture else "" for g in genes]
        values = ["" if name in trial.objectives or _is_nan(known[name]) else known[name] for name in names]
        out.writerow([trial.number, *cells, *values, *([" ".join(trial.objectives)] if parts else [])])
    if len(trials) < options.n:
        complain(f"note: only {len(trials)} architectures are left")
    return 0


def tell_study(options: Namespace) -> int:
    """Tell what a CSV file holds."""
    study = Study(options.folder)
    rows, new = study.tell_file(options.file)
    print(f"{rows} rows read, {new} of them said something new\n{study.status().to_text()}")
    return 0


def show_status(options: Namespace) -> int:
    """Print where a study stands, and the network of its front that the weights prefer."""
    study = Study(options.folder)
    weights = _weights(options.prefer, study.objectives)
    status = study.status()
    preferred = weights is not None and status.front_size > 0
    if options.json:
        chosen = {} if weights is None else {"preferred": study.best(weights) if preferred else None}
        print(json.dumps({"folder": str(study.folder), **status.to_dict(), **chosen}, indent=2))
    else:
        print(status.to_text() + (f"\n\n{text(list(_chosen(study, weights)))}" if preferred else ""))
    return 0


def export_study(options: Namespace) -> int:
    """Print or write evaluations or front."""
    study = Study(options.folder)
    # The text says what the genes say: a file has the columns of evaluations.csv.
    frame = study.front_frame() if options.front else study.to_frame().iloc[:, :-1]
    genes = study.space.genes
    if options.format == "parquet" and options.out is None and sys.stdout.isatty():
        raise InputError("--format parquet: expected --out FILE or a pipe, got a terminal")
    if options.out is not None:
        if options.out.is_dir():
            raise InputError(f"--out: expected a file, got the folder {options.out}")
        writable(options.out.parent)
        with atomic_path(options.out) as temporary, temporary.open("wb") as file:
            file.write(_encoded(frame, options.format, genes))
        print(f"Written: {options.out} ({len(frame)} rows)")
    else:
        sys.stdout.buffer.write(_encoded(frame, options.format, genes))
        sys.stdout.buffer.flush()
    return 0


def _encoded(frame: pd.DataFrame, kind: str, genes: Sequence[Gene]) -> bytes:
    """The frame in a file format; an inactive gene is empty, or in JSON left out."""
    if kind == "json":
        names = {gene.name for gene in genes}
        records = [
            {
                key: None if _is_nan(value) else value
                for key, value in line.items()
                if key not in names or not _is_nan(value)
            }
            for line in frame.astype(object).to_dict(orient="records")
        ]
        return (json.dumps(records, indent=2, default=lambda value: value.item()) + "\n").encode()
    for gene in genes:
        # One type a column, and None told from an inactive gene: what is no column of numbers is text.
        if gene.numeric and kind == "parquet":
            frame[gene.name] = pd.to_numeric(frame[gene.name])
        elif frame[gene.name].dtype == object or kind == "csv":
            frame[gene.name] = [None if _is_nan(v) else choice_text(gene, v) for v in frame[gene.name]]
    if kind == "csv":
        return frame.to_csv(index=False, lineterminator="\n").encode()
    try:
        return bytes(frame.to_parquet(index=False))
    except ImportError as error:
        raise MissingExtraError("--format parquet needs pyarrow: pip install 'rapid-moo[parquet]'") from error
