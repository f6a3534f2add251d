"""The front of a new device, with what another device knows: quality by cost.

    python benchmarks/transfer_front.py run --table gpt_s_a100.csv --devices gpt_s_devices.csv [--ways none,prior]
    python benchmarks/transfer_front.py report
    python benchmarks/transfer_front.py misleading [--table nasbench201_data_final.csv --devices nb201_devices.csv]

``--table`` holds all objectives of one device, ``--devices`` columns ``latency_X`` of several on the same
architectures. Each device is the target in turn and the next one the source; the first objective (accuracy,
perplexity) is that of the table for all. The source was searched beforehand, at ``--share`` of the table or for
``--budget`` architectures. Ways:

* ``none``: RAPID without a prior;
* ``prior``: with all that was evaluated on the source, its first objective taken over;
* ``small``: with the first 100 evaluations on the source, nothing taken over (``--budget 100`` searches no longer);
* ``taken``: with the same 100, its first objective taken over;
* ``shuffled``, ``reversed``: with all of it, nothing taken over, and latencies that mislead.

With ``--costs`` (``1,0.01``: the first objective's and each other's) budgets and marks are costs in units of one
architecture, else evaluations. Runs are appended to ``runs.jsonl``; what is there already is not run again.

``misleading`` asks what a prior costs that is wrong. Its prior tells latencies and nothing else, of ``--rows`` random
architectures of the source: as measured, shuffled, or reversed. Without ``--table`` the second device of ``digits`` is
the target and the first one the source. Runs go to ``misleading.jsonl``, and ``misleading.md`` is written from them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, section, setting, title
from _runs import seeds_of
from transfer import read_devices

from rapid_moo import RAPID
from rapid_moo._provenance import provenance
from rapid_moo._util import IntArray
from rapid_moo.costs import CostBudget
from rapid_moo.errors import InputError, RapidMooError
from rapid_moo.indicators import adrs
from rapid_moo.objectives import UNSTATED
from rapid_moo.priors import Prior
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.problems.registry import open_table
from rapid_moo.table import ArchitectureTable

OUT = Path(__file__).parent / "results" / "transfer"
WAYS = ("none", "prior", "small", "taken", "shuffled", "reversed")
TAKING_OVER = ("prior", "taken")
SHARES = (1 / 12, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0)
"""Of the budget, at which quality is noted."""
EARLY = (20, 40, 60, 100)
SOON = 40
LATENCIES = ("none", "true", "shuffled", "reversed")
LEVELS = (1 / 2, 3 / 4, 1.0)
"""Shares of the budget: the ADRS that RAPID without a prior has there is to be reached."""
FIRST_MARK = 10
SMALL, SEARCHED = 100, 1000
MISLED = 100
"""Evaluations of the target with a prior that misleads."""


def device_tables(table: Path, devices: Path, costs: str) -> dict[str, ArchitectureTable]:
    """The table of each device, of the architectures that both files hold."""
    whole = open_table(table)
    names = [objective.name for objective in whole.objectives]
    if "latency" not in names:
        raise InputError(f"{table}: expected an objective latency, got {names}")
    objectives = whole.objectives
    if costs:
        first, _, others = costs.partition(",")
        computed = {objective.name for objective in whole.space.computed}
        objectives = tuple(
            o if o.name in computed else replace(o, cost=float(others or first) if k else float(first))
            for k, o in enumerate(objectives)
        )
    found = {}
    for device in read_devices([devices], "latency", whole.space.name)[1][0]:
        rows = whole.find(device.X)
        raw = whole.raw[rows[rows >= 0]].copy()
        raw[:, names.index("latency")] = device.values[rows >= 0]
        X = whole.X[rows[rows >= 0]]
        found[device.name] = ArchitectureTable.build(whole.space, objectives, X, raw, device.name)
    return found


def search(table: ArchitectureTable, budget: int, seed: int, priors: list[Prior]) -> ArchitectureProblem:
    """RAPID on a table within a budget of so many architectures, or what these cost."""
    problem = ArchitectureProblem(table.space, table)
    algorithm = RAPID(priors=priors)
    termination: Any = CostBudget(budget * problem.prices.sum()) if problem.costs_stated else ("n_eval", budget)
    algorithm.setup(problem, termination=termination, seed=seed)
    while algorithm.has_next():
        algorithm.next()
    return problem


def curve(problem: ArchitectureProblem, table: ArchitectureTable, marks: list[int]) -> dict[str, float]:
    """ADRS of what was completely known when so much had been spent."""
    store = problem.store
    touched = store.paid_of(np.arange(len(store))).sum(axis=1) > 0
    rows = np.flatnonzero(touched)[np.argsort(store.changed_at[touched], kind="stable")]
    unit = problem.prices if problem.costs_stated else np.full(len(problem.objectives), 1.0)
    # Without costs an architecture counts as one, whatever of it was known.
    spent = np.cumsum(store.paid_of(rows) @ unit / unit.sum() if problem.costs_stated else np.ones(len(rows)))
    F, whole = problem.minimised(store.raw[rows]), store.complete[rows]
    found = {}
    for mark in marks:
        now = (spent <= mark + 1e-9) & whole
        if now.any() and mark <= spent[-1] + 1.0:
            found[str(mark)] = adrs(F[now], reference=table.front)
    return found


def misled(table: ArchitectureTable, way: str, seed: int) -> ArchitectureTable:
    """The table with latencies that say nothing, or the opposite."""
    raw = table.raw.copy()
    k = [objective.name for objective in table.objectives].index("latency")
    if way == "shuffled":
        raw[:, k] = np.random.default_rng(seed).permutation(raw[:, k])
    else:
        raw[:, k] = raw[:, k].max() + raw[:, k].min() - raw[:, k]
    return ArchitectureTable.build(table.space, table.objectives, table.X, raw, table.name)


def searched_rows(table: ArchitectureTable, budget: int, seed: int) -> IntArray:
    """What a search on the source's table evaluates, in order; evaluations only, whatever they cost."""
    free = tuple(replace(objective, cost=UNSTATED) for objective in table.objectives)
    plain = ArchitectureTable.build(table.space, free, table.X, table.raw, table.name)
    return plain.find(search(plain, budget, seed, []).store.X)


def run(args: argparse.Namespace) -> None:
    """All targets, ways and seeds that are not there yet."""
    tables = device_tables(args.table, args.devices, args.costs)
    names = list(tables)
    done = set()
    if args.out.exists():
        done = {_key(json.loads(line)) for line in args.out.read_text(encoding="utf-8").splitlines()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for target in args.targets or names:
            if target not in tables:
                raise InputError(f"--targets: expected some of {names}, got {target!r}")
            table, source = tables[target], names[(names.index(target) + 1) % len(names)]
            budget = args.budget or round(args.share * len(table))
            marks = sorted({*(round(share * budget) for share in SHARES), *(m for m in EARLY if m < budget)})
            before = None
            for way in args.ways.split(","):
                item: dict[str, Any] = {"table": args.devices.stem, "target": target, "source": source, "way": way}
                item |= {"seed": seed, "costs": args.costs, "budget": budget}
                if _key(item) in done:
                    continue
                start, priors = time.process_time(), []
                if way != "none":
                    if before is None:
                        before = searched_rows(tables[source], budget, SEARCHED + seed)
                    rows = before[:SMALL] if way in ("small", "taken") else before
                    told = tables[source].take(rows)
                    if way in ("shuffled", "reversed"):
                        told = misled(told, way, seed)
                    priors = [Prior(told, same=(table.objectives[0].name,) if way in TAKING_OVER else ())]
                limit = round(budget / 3) if args.third and way != "none" else budget
                item["adrs"] = curve(search(table, limit, seed, priors), table, marks)
                item["seconds"] = round(time.process_time() - start, 1)
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(item | {"date": time.strftime("%Y-%m-%d")} | provenance()) + "\n")
                print(target, source, way, seed, item["adrs"], flush=True)


def _key(item: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(item[name] for name in ("table", "target", "way", "seed", "costs", "budget"))


def latency_prior(table: ArchitectureTable, way: str, rows: int, seed: int) -> list[Prior]:
    """Latencies of random architectures and nothing else: true, shuffled or reversed; none at all for ``none``."""
    if way == "none":
        return []
    some = table.sample(min(rows, len(table)), seed=seed)
    told = some if way == "true" else misled(some, way, seed)
    k = [objective.name for objective in told.objectives].index("latency")
    vectors = [str(vector) for vector in table.space.decode(told.X).tolist()]
    return [Prior(pd.DataFrame({"vector": vectors, "latency": told.raw[:, k]}))]


def mislead(args: argparse.Namespace) -> None:
    """All targets, ways and seeds of the study of misleading priors that are not there yet."""
    budget = MISLED if args.budget is None else args.budget
    if budget < 2 * FIRST_MARK:
        raise InputError(f"--budget: expected at least {2 * FIRST_MARK} evaluations, got {budget}")
    if args.table is None:
        tables = {name: open_table(name) for name in ("digits_batch64", "digits")}
        targets = args.targets or ["digits_batch64"]
    else:
        tables = device_tables(args.table, args.devices, "")
        targets = args.targets or list(tables)
    names, out = list(tables), args.out.parent / "misleading.jsonl"
    done = set()
    if out.exists():
        done = {_told(json.loads(line)) for line in out.read_text(encoding="utf-8").splitlines()}
    out.parent.mkdir(parents=True, exist_ok=True)
    marks = list(range(FIRST_MARK, budget + 1))
    for seed in args.seeds:
        for target in targets:
            if target not in tables:
                raise InputError(f"--targets: expected some of {names}, got {target!r}")
            table, source = tables[target], names[(names.index(target) + 1) % len(names)]
            for way in LATENCIES:
                item: dict[str, Any] = {"table": table.space.name, "target": target, "source": source, "way": way}
                item |= {"seed": seed, "rows": args.rows, "budget": budget}
                if _told(item) in done:
                    continue
                start = time.process_time()
                priors = latency_prior(tables[source], way, args.rows, SEARCHED + seed)
                found = curve(search(table, budget, seed, priors), table, marks)
                item["adrs"] = [round(found[str(mark)], 6) for mark in marks]
                item["seconds"] = round(time.process_time() - start, 1)
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(item | {"date": time.strftime("%Y-%m-%d")} | provenance()) + "\n")
                print(target, source, way, seed, item["adrs"][-1], flush=True)
    write_misleading(out)


def _told(item: dict[str, Any]) -> tuple[Any, ...]:
    # Without a prior it does not matter how many rows one would have.
    rows = 0 if item["way"] == "none" else item["rows"]
    return rows, *(item[name] for name in ("target", "source", "way", "seed", "budget"))


def reached(adrs_by_mark: list[float], level: float, budget: int) -> int:
    """Evaluations until ADRS is at most a level; one more than the budget if it never is."""
    values = np.asarray(adrs_by_mark)
    return FIRST_MARK + int(np.argmax(values <= level)) if (values <= level).any() else budget + 1


def write_misleading(out: Path) -> None:
    """``misleading.md`` beside the runs."""
    runs = pd.read_json(out, lines=True)
    rows = []
    without, told = runs[runs.way == "none"], runs[runs.way != "none"]
    for (target, source, budget, n), group in told.groupby(["target", "source", "budget", "rows"], sort=False):
        same = (without.target == target) & (without.source == source) & (without.budget == budget)
        group = pd.concat([without[same & without.seed.isin(group.seed)], group])
        plain = np.array(group[group.way == "none"].adrs.tolist())
        for share in LEVELS:
            at = round(share * budget)
            level = float(np.median(plain[:, at - FIRST_MARK]))
            needed = {
                way: np.array([reached(values, level, budget) for values in group[group.way == way].adrs])
                for way in LATENCIES
            }
            line: dict[str, Any] = {"target": target, "source": source, "rows": n, "ADRS": f"{level:.4f}"}
            line["seeds"] = len(plain)
            for way, several in needed.items():
                missed = int((several > budget).sum())
                line[way] = f"{np.mean(several):.0f}" + (f" ({missed} not reached)" if missed else "")
            for way in LATENCIES[1:]:
                line[f"{way} / none"] = f"{needed[way].mean() / needed['none'].mean():.2f}"
            rows.append(line)
    command = "python benchmarks/transfer_front.py misleading"
    text = [
        title("A prior that misleads"),
        setting(command, f"{runs.seed.min()} to {runs.seed.max()}", runs),
        "Mean evaluations until ADRS is as low as the median of RAPID without a prior at a half, three quarters and all"
        " of the budget. The prior tells latencies alone, of so many random architectures of the source (*rows*):"
        " as measured (`true`), shuffled or reversed. What is not reached counts as one evaluation beyond the budget.",
        of_frame(pd.DataFrame(rows)),
    ]
    (out.parent / "misleading.md").write_text(page(*text), encoding="utf-8")


def write_report(out: Path) -> None:
    """``front.md`` beside the runs."""
    runs = pd.read_json(out, lines=True, dtype={"costs": str})
    parts: list[Any] = [
        title("The front of a new device"),
        setting("python benchmarks/transfer_front.py run", f"{runs.seed.min()} to {runs.seed.max()}", runs),
        f"Runs made from {runs.date.min():%Y-%m-%d} to {runs.date.max():%Y-%m-%d}. `none` is RAPID without a prior. A"
        " *pair* is two runs with the same target and seed, of which only one has the prior; of a target with several"
        " seeds the mean ADRS is compared, and of all pairs the mean is shown, with the median behind it.",
    ]
    stated, counted = runs[runs.costs != ""], runs[runs.costs == ""]
    if groups := _groups(stated):
        lines = [_line(both, *_third(both)) | _early(both) for both in groups]
        parts += [
            section("A third of the cost with a prior, all of it without"),
            "Budgets in units of what a whole architecture costs.",
            of_frame(pd.DataFrame(lines).fillna("")),
            of_frame(pd.concat([_by_target(both) for both in groups], ignore_index=True)),
        ]
    if groups := _groups(counted):
        lines = [
            {"after": at} | _line(both, at, at)
            for both in groups
            for at in (*[n for n in EARLY if n < both.budget.iloc[0]], int(both.budget.iloc[0]))
        ]
        parts += [
            section("As many evaluations with a prior and without"),
            "Nothing is taken over: all that the prior tells is a hint.",
            of_frame(pd.DataFrame(lines)),
        ]
    (out.parent / "front.md").write_text(page(*parts), encoding="utf-8")


def _groups(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Pairs of runs with a prior and without, by table, costs, budget and way."""
    keys = ["table", "costs", "budget"]
    plain = runs[runs.way == "none"]
    both = runs[runs.way != "none"].merge(plain, on=[*keys, "target", "source", "seed"], suffixes=("", "_none"))
    return [group for _, group in both.groupby([*keys, "way"], sort=False)]


def _third(both: pd.DataFrame) -> tuple[int, int]:
    """A third of the budget, and all of it."""
    budget = int(both.budget.iloc[0])
    return round(budget / 3), budget


def _values(both: pd.DataFrame, at: int, at_none: int) -> pd.DataFrame:
    """ADRS of each pair when so much was spent with a prior, and so much without."""
    return pd.DataFrame(
        {
            "target": both.target,
            "prior": [item[str(at)] for item in both.adrs],
            "none": [item[str(at_none)] for item in both.adrs_none],
        }
    )


def _line(both: pd.DataFrame, at: int, at_none: int) -> dict[str, Any]:
    """One row of a table: all pairs of a table and way."""
    values = _values(both, at, at_none)
    by_target = values.groupby("target").mean()
    return {
        "table": both.table.iloc[0],
        "costs": both.costs.iloc[0] or "evaluations",
        "way": both.way.iloc[0],
        "targets": len(by_target),
        "pairs": len(values),
        "budget": int(both.budget.iloc[0]),
        "with the prior": f"{values.prior.mean():.4f} ({values.prior.median():.4f})",
        "without": f"{values.none.mean():.4f} ({values.none.median():.4f})",
        "no worse on targets": f"{int((by_target.prior <= by_target.none).sum())} of {len(by_target)}",
        "no worse in pairs": f"{int((values.prior <= values.none).sum())} of {len(values)}",
    }


def _early(both: pd.DataFrame) -> dict[str, str]:
    """Mean ADRS with a prior and without when little was spent."""
    if not all(str(SOON) in item for item in (*both.adrs, *both.adrs_none)):
        return {}
    values = _values(both, SOON, SOON)
    return {f"at {SOON}, with and without": f"{values.prior.mean():.4f}, {values.none.mean():.4f}"}


def _by_target(both: pd.DataFrame) -> pd.DataFrame:
    """Each target's mean ADRS at a third with a prior and at all without."""
    values = (
        _values(both, *_third(both))
        .groupby("target", sort=False)
        .agg(pairs=("prior", "size"), prior=("prior", "mean"), none=("none", "mean"))
    )
    return pd.DataFrame(
        {
            "table": both.table.iloc[0],
            "way": both.way.iloc[0],
            "target": values.index,
            "pairs": values.pairs.to_numpy(),
            "with the prior": [f"{value:.5f}" for value in values.prior],
            "without": [f"{value:.5f}" for value in values.none],
            "ratio": [f"{a / b:.2f}" if b > 0 else "" for a, b in zip(values.prior, values.none, strict=True)],
        }
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report", "misleading"))
    parser.add_argument("--table", type=Path)
    parser.add_argument("--devices", type=Path)
    parser.add_argument("--targets", nargs="*", default=[], help="target devices; all of them by default")
    parser.add_argument("--ways", default="none,prior", help=f"some of {', '.join(WAYS)}")
    parser.add_argument("--costs", default="", help="of the first objective and of each other, such as 1,0.01")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--third", action="store_true", help="end runs with a prior at a third of the budget")
    parser.add_argument("--seeds", type=seeds_of, default=range(1), help="first and last, such as 0-4")
    parser.add_argument("--rows", type=int, default=400, help="misleading: architectures of the source (default 400)")
    parser.add_argument("--budget", type=int, help="of both searches, in architectures (misleading: default 100)")
    parser.add_argument("--out", type=Path, default=OUT / "runs.jsonl")
    args = parser.parse_args()
    try:
        if args.command == "report":
            write_report(args.out)
            return
        if args.command == "misleading":
            if (args.table is None) != (args.devices is None):
                raise InputError("misleading: expected --table and --devices together")
            mislead(args)
            return
        if args.table is None or args.devices is None:
            raise InputError("run: expected --table and --devices")
        if wrong := [way for way in args.ways.split(",") if way not in WAYS]:
            raise InputError(f"--ways: expected some of {', '.join(WAYS)}, got {wrong[0]!r}")
        run(args)
    except RapidMooError as error:
        print(f"transfer_front.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
