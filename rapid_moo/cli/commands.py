"""What each command does; errors are raised, :mod:`rapid_moo.cli.main` reports them."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rapid_moo import data
from rapid_moo._util import check_ratio, write_text
from rapid_moo.algorithm import default_tuner
from rapid_moo.audit import audit as audit_table
from rapid_moo.cli.common import command_line, complain, writable
from rapid_moo.cli.dataset import dataset_name, dataset_words, read_costly, read_dataset, reading_of
from rapid_moo.cli.preferring import weights_of
from rapid_moo.errors import InputError, MissingExtraError
from rapid_moo.objectives import to_minimised
from rapid_moo.plot import write_front_figure
from rapid_moo.predictors import prediction_metrics
from rapid_moo.problems import space_names
from rapid_moo.problems.registry import audited_objectives, open_raw
from rapid_moo.progress import Progress
from rapid_moo.reading.options import names_of
from rapid_moo.report import PAGE_FILE, REPORT_FILE, Report, last_report, to_text, write_page
from rapid_moo.report.blocks import table
from rapid_moo.report.rendering import section_text, text
from rapid_moo.search import EVALUATIONS_FILE, Search, SearchSettings, write_evaluations
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import RANKING_FILE, TRIPLET_FILE, ADRSTuner, Triplet, load_triplet, pick_loss

PICTURE_FILE, AUDIT_FILE = "front.png", "audit.json"
MOST_RETRIES = 100


def problems(_options: Namespace) -> int:
    """List search spaces and tables."""
    print("Search spaces: " + ", ".join(space_names()))
    return data_list(_options)


def data_list(_options: Namespace) -> int:
    """List published tables."""
    rows = []
    for entry in data.manifest().values():
        path = data.find(entry)
        where = str(path.parent) if path is not None else "-"
        if entry.embedded:
            where = "embedded"
        rows.append((entry.name, entry.file, where, entry.licence))
    print(text([table(("table", "file", "at", "licence"), rows)]))
    return 0


def data_fetch(options: Namespace) -> int:
    """Download tables."""
    if options.url and len(options.names) > 1:
        raise InputError(f"--url: expected one NAME with it, got {len(options.names)}")
    if not 0 <= options.retries <= MOST_RETRIES:
        raise InputError(f"--retries: expected 0 to {MOST_RETRIES}, got {options.retries}")
    for name in options.names:
        with _progress() as bar:
            task = bar.add_task(f"fetch {name}", total=None)
            path = data.fetch(
                name,
                url=options.url,
                timeout=options.timeout,
                retries=options.retries,
                progress=lambda at, bar=bar, task=task: bar.update(task, completed=at.done, total=at.total),  # type: ignore[misc]
            )
        print(f"{name}: {path}")
    return 0


def data_import(options: Namespace) -> int:
    """Import tables at hand."""
    report = data.import_folder(options.folder)
    for item in report:
        print(f"{item.state:9} {item.path.name}: {item.detail}")
    if not any(item.state == "imported" for item in report):
        raise InputError(f"{options.folder}: expected at least one published table, imported none")
    return 2 if any(item.state == "refused" for item in report) else 0


def data_verify(options: Namespace) -> int:
    """Compare tables with the manifest."""
    checks = data.verify(options.names or None)
    shown = [check for check in checks if options.names or check.state != "missing"]
    for check in shown:
        print(f"{check.state:12} {check.name}: {check.detail}")
    if not options.names:
        print(f"{len(checks) - len(shown)} further tables of the manifest are not at hand")
    return 2 if any(check.state in ("differs", "broken", "missing") for check in shown) else 0


def audit(options: Namespace) -> int:
    """Audit a table."""
    if options.out is not None:
        writable(options.out)
    raw, space, name = open_raw(
        dataset_name(options), options.space, objectives=options.objectives, reading=reading_of(options)
    )
    objectives = audited_objectives(raw, space, options.objectives, options.memory, options.energy)
    computed = {objective.name for objective in space.computed} if space is not None else set()
    measured = [objective for objective in objectives if objective.name not in computed]
    report = audit_table(raw.settled(measured), space, objectives, name, seed=options.seed)
    print(report.to_text())
    if options.out is not None:
        write_text(options.out / AUDIT_FILE, json.dumps(report.to_dict(), indent=2) + "\n")
        known = last_report(options.out)
        if known is not None and known.kind == "search" and known.name == report.name:
            # A search of the same table lies there: its page gets the warnings.
            page = write_page(known.replace(audit=report.to_facts()), options.out)
        else:
            page = write_page(report.report(command_line()), options.out)
        print(f"\nWritten: {options.out / AUDIT_FILE}, {page}")
    return 0


def tune(options: Namespace) -> int:
    """Tune predictors on a sample of a table."""
    writable(options.dir)
    table = read_dataset(options)
    train_ratio = check_ratio(options.train_ratio, "--train-ratio")
    val_ratio = check_ratio(options.val_ratio, "--val-ratio") if options.val_ratio is not None else 0.0
    n_train = table.count(train_ratio)
    n_val = table.count(val_ratio) if val_ratio else 0
    if n_train + n_val > len(table):
        raise InputError(
            f"--train-ratio {train_ratio} and --val-ratio {val_ratio}: expected at most the table's {len(table)}"
            f" architectures, got {n_train} + {n_val}"
        )
    rows = table.sample_rows(n_train + n_val, options.seed)
    train = table.take(rows[:n_train])
    tuner = _tuner(options)
    with _progress() as bar:
        task = bar.add_task("tune", total=tuner.budget)

        def show(at: Progress) -> None:
            bar.update(task, completed=at.done, total=at.total, description=f"tune, best ADRS {at.adrs:.4f}")

        result = tuner.tune(train, progress=show)
    result.save(options.dir)
    report = result.report(command_line()).replace(name=table.name)
    if n_val:
        report = _judged(report, result.best, train, table.take(rows[n_train:]))
    print(f"{table.name}: tuned on {n_train} of {len(table):,} architectures in {result.seconds:.1f} s\n")
    print(section_text(report, "predictors", "why"))
    page = write_page(report, options.dir)
    print(f"\nWritten: {options.dir / RANKING_FILE}, {options.dir / TRIPLET_FILE}, {page}")
    print(f"Next: {_next_command(options)}")
    return 0


def _next_command(options: Namespace) -> str:
    """The search that uses the triplet, on the same table and objectives."""
    return shlex.join(["rapid-moo", "search", *dataset_words(options), "--tuner", str(options.dir)])


def _judged(report: Report, triplet: Triplet, train: ArchitectureTable, unseen: ArchitectureTable) -> Report:
    """The report with what the triplet is worth on rows that it was not tuned on."""
    predicted = triplet.fit(train).predict(unseen.X)
    picks = pick_loss(unseen.F, to_minimised(predicted, unseen.objectives))
    judged = tuple(
        replace(known, metrics=prediction_metrics(unseen.raw[:, k], predicted[:, k]))
        for k, known in enumerate(report.predictors)
    )
    return report.replace(predictors=judged, bill={"unseen": len(unseen)}, quality={"adrs_picks": picks})


def search(options: Namespace) -> int:
    """Search a table."""
    table = read_costly(options)
    settings = SearchSettings(
        train_ratio=check_ratio(options.train_ratio, "--train-ratio"),
        algorithm=options.algorithm,
        candidates=options.candidates,
        budget=options.budget,
        oneshot=options.oneshot,
        seed=options.seed,
        constraints=tuple(options.constraint),
        priors=tuple(options.prior),
        same=names_of(options.same, "--same"),
    )
    weights = weights_of(options.prefer, [objective.name for objective in table.objectives])
    out = writable(options.out or Path("runs") / f"{table.name}-{options.seed}")
    triplet = load_triplet(options.tuner) if options.tuner is not None else None
    run = Search(
        table, settings, tuner=_tuner(options, ADRSTuner if options.oneshot else default_tuner), triplet=triplet
    )
    if triplet is not None and len(triplet.specs) != len(table.objectives):
        complain(
            f"note: the triplet has {len(triplet.specs)} predictors for {len(table.objectives)} objectives:"
            " matched by position, a missing one is a default Gaussian process"
        )
    with _interruptible(run, out), _progress() as bar:
        task = bar.add_task("search", total=run.budget)
        unit = "of cost" if run.problem.costs_stated else "evaluations"

        def show(at: Progress) -> None:
            bar.update(task, completed=at.done, description=f"{at.done:.6g} {unit}, ADRS {at.adrs:.4f}")

        result = run.run(progress=show)
    result.write(out)
    report = result.report(weights, command_line())
    print(to_text(report))
    if (known := last_report(out)) is not None and known.name == report.name:
        report = report.replace(audit=known.audit)
    write_page(report, out)
    written = ["front.csv", EVALUATIONS_FILE, "summary.json", REPORT_FILE, PAGE_FILE]
    try:
        write_front_figure(result, out / PICTURE_FILE)
        written.append(PICTURE_FILE)
    except MissingExtraError as error:
        complain(f"note: no picture: {error}")
    print(f"\nWritten to {out}: {', '.join(written)}")
    return 0


@contextmanager
def _interruptible(run: Search, out: Path) -> Iterator[None]:
    """After Ctrl-C what was evaluated is written before the interruption goes on."""
    try:
        yield
    except KeyboardInterrupt:
        X, raw = run.evaluated
        write_evaluations(out, run.table, X, raw, run.n_train, run.paid)
        complain(f"\n{len(X)} evaluations are in {out / EVALUATIONS_FILE}")
        raise


def _tuner(options: Namespace, default: Callable[..., ADRSTuner] = ADRSTuner) -> ADRSTuner:
    """A tuner with what was stated, and the default's settings otherwise."""
    stated: dict[str, Any] = {"seed": options.seed, "n_jobs": options.n_jobs}
    if options.tuner_budget is not None:
        stated["budget"] = options.tuner_budget
    if options.families is not None:
        stated["families"] = [name.strip() for name in options.families.split(",")]
    return default(**stated)


def _progress() -> Bar:
    """A progress bar on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
