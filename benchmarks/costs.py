"""What is saved where some objectives cost less than others: decoupled RAPID against coupled, by cost ratio.

    RAPID_MOO_DATA=... python benchmarks/costs.py run [--tables a,b] [--ratios 0.01,0.1] [--seeds 0-4]
    python benchmarks/costs.py report

``run`` appends to ``results/costs/runs.jsonl`` what is not there yet. The first objective of a table costs 1 (a
training), each other one that is measured costs the ratio. A coupled run does not depend on the ratio, so one serves
them all. ``report`` writes ``report.md``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _paths import adrs_at, median_cost_to
from _report import of_frame, page, section, setting, title
from _runs import keep_run, read_runs, seeds_of
from comparison import table_of

from rapid_moo import ArchitectureTable
from rapid_moo._provenance import provenance
from rapid_moo._util import write_text
from rapid_moo.comparison.methods.rapid import IteratedRAPID
from rapid_moo.comparison.run import RunRecord, full_price, run_method, sorted_table
from rapid_moo.costs import with_costs
from rapid_moo.report.blocks import Block, Heading
from rapid_moo.trajectory import trajectory

OUT = Path(__file__).parent / "results" / "costs"
RUNS = OUT / "runs.jsonl"
BUDGETS = {"nasbench201": 120, "nasbench_asr": 200, "hw_gpt_m_h100": 120, "hw_gpt_l_rtx3080": 120}
"""Trainings' worth of cost by table."""
RATIOS = (1.0, 0.1, 0.01, 0.001)
ALIKE = 1.0
"""At this ratio nothing is cheap: the decoupled run is the coupled one, which the tests check."""


class CoupledRAPID(IteratedRAPID):
    """RAPID that measures everything of what it chooses."""

    name = "rapid-coupled"
    _decoupled = False


def costly(name: str, ratio: float) -> ArchitectureTable:
    """A table whose objectives cost 1, and the ratio."""
    table = table_of(name)
    computed = [objective.name for objective in table.space.computed]
    measured = [o.name for o in table.objectives if o.name not in computed]
    costs = {measured[0]: 1.0} | dict.fromkeys(measured[1:], ratio)
    return sorted_table(replace(table, objectives=with_costs(table.objectives, costs, computed)))


def run(name: str, way: str, ratio: float, seed: int) -> dict[str, Any]:
    """One run, as its curve: what was complete, what was begun and the ADRS at each cost."""
    logging.disable(logging.WARNING)
    table = costly(name, ratio)
    method = CoupledRAPID if way == "coupled" else IteratedRAPID
    # A coupled run is read at other ratios too: as many evaluations as trainings.
    budget = BUDGETS[name] * (full_price(table) if way == "coupled" else 1.0)
    record = run_method(table, method, budget, seed)
    return {
        "table": name,
        "way": way,
        "ratio": None if way == "coupled" else ratio,
        "seed": seed,
        "curve": curve(table, record),
        "seconds": round(record.seconds[-1], 1),
        **provenance(),
    }


def curve(table: ArchitectureTable, record: RunRecord) -> list[list[float]]:
    """Cost, complete and begun architectures, and ADRS, whenever one becomes complete."""
    rows, steps, costs = record.complete
    path = trajectory(table.front, table.F[rows], range(1, len(rows) + 1))["adrs"]
    begun = [len(set(record.rows[:step])) for step in steps]
    return [
        [round(cost, 6), i + 1, n, round(adrs, 6)]
        for i, (cost, n, adrs) in enumerate(zip(costs.tolist(), begun, path, strict=True))
    ]


def measured_objectives(name: str) -> int:
    """Objectives of a table beside the first that are measured."""
    table = table_of(name)
    computed = {objective.name for objective in table.space.computed}
    return sum(o.name not in computed for o in table.objectives) - 1


def at_ratio(line: dict[str, Any], ratio: float, n_cheap: int) -> list[list[float]]:
    """A run's curve at a ratio: of a coupled one, which depends on none, the costs follow from the evaluations."""
    if line["ratio"] is not None:
        return list(line["curve"])
    return [[n * (1.0 + n_cheap * ratio), n, begun, adrs] for _, n, begun, adrs in line["curve"]]


def ratio_at(pairs: list[tuple[list[list[float]], list[list[float]]]], cost: float) -> str:
    """ADRS of the second run of each pair by the first one's: geometric mean, and its standard error."""
    logs = [np.log(adrs_at(b, cost) / adrs_at(a, cost)) for a, b in pairs]
    return f"{np.exp(np.mean(logs)):.2f} ({np.std(logs, ddof=1) / np.sqrt(len(logs)):.2f})" if len(logs) > 1 else ""


def tables(runs: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ADRS at shares of the budget, and the cost of the coupled runs' quality; medians over seeds of both."""
    qualities, savings = [], []
    for name, budget in BUDGETS.items():
        mine = [line for line in runs if line["table"] == name]
        coupled = {line["seed"]: line for line in mine if line["way"] == "coupled"}
        if not coupled:
            continue
        n_cheap = measured_objectives(name)
        for ratio in RATIOS:
            parts = {line["seed"]: line for line in mine if line["ratio"] == ratio}
            seeds = sorted(set(parts) & set(coupled)) if ratio != ALIKE else sorted(coupled)
            if not seeds:
                continue
            whole = [at_ratio(coupled[seed], ratio, n_cheap) for seed in seeds]
            paths = whole if ratio == ALIKE else [at_ratio(parts[seed], ratio, n_cheap) for seed in seeds]
            line: dict[str, Any] = {"table": name, "ratio": f"{ratio:g}", "seeds": len(seeds)}
            quality, saved = dict(line), dict(line)
            for share in (0.25, 0.5, 0.75, 1.0):
                cost = share * budget
                pair = [float(np.median([adrs_at(p, cost) for p in each])) for each in (whole, paths)]
                quality[f"cost {cost:g}: coupled"], quality[f"cost {cost:g}: decoupled"] = (f"{v:.4f}" for v in pair)
                quality[f"cost {cost:g}: ratio"] = ratio_at(list(zip(whole, paths, strict=True)), cost)
                # The quality that the coupled runs have there: what does the decoupled run pay for it?
                own, needed = median_cost_to(whole, pair[0]), median_cost_to(paths, pair[0])
                told = f"{needed:.0f} of {own:.0f} ({1 - needed / own:+.0%})" if np.isfinite(needed) else "not reached"
                saved[f"coupled's ADRS at {cost:g}"] = f"{pair[0]:.4f}"
                saved[f"its cost at {cost:g}"] = told
            last = [path[-1] for path in paths]
            saved["complete, begun at the end"] = (
                f"{np.median([p[1] for p in last]):.0f}, {np.median([p[2] for p in last]):.0f}"
            )
            qualities.append(quality)
            savings.append(saved)
    return pd.DataFrame(qualities), pd.DataFrame(savings)


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = read_runs(RUNS)
    quality, saved = tables(runs)
    command = "python benchmarks/costs.py run; python benchmarks/costs.py report"
    parts: list[str | Block] = [
        title("What is saved where some objectives cost less"),
        setting(command, "as stated in each line", pd.DataFrame(runs)),
        "The first objective of a table costs 1 (a training), each other measured one the ratio; parameters of"
        " NAS-Bench-201 are computed and cost nothing. Everything is billed, and only completely measured architectures"
        " count. At a ratio of 1 nothing is cheap and the decoupled run is the coupled one.",
        section("ADRS at equal cost"),
        "Medians over seeds. *ratio*: decoupled by coupled runs' of the same seed, geometric mean and its standard"
        " error.",
        *by_table(quality),
        section("What the quality of coupled runs costs"),
        "Lowest cost at which the median over seeds is the coupled runs' median ADRS: of decoupled runs, of coupled"
        " ones, and how much is saved.",
        *by_table(saved),
    ]
    write_text(OUT / "report.md", page(*parts))


def by_table(frame: pd.DataFrame) -> Iterator[Block]:
    """A heading and the rows of each table."""
    for name, group in frame.groupby("table", sort=False):
        yield Heading(str(name))
        yield of_frame(group.drop(columns="table").dropna(axis=1, how="all"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default=",".join(BUDGETS))
    parser.add_argument("--ratios", default="0.01,0.1,0.001")
    parser.add_argument("--seeds", default="0-4")
    options = parser.parse_args()
    if options.action == "report":
        write_report()
        return
    OUT.mkdir(parents=True, exist_ok=True)
    for ratio in [float(part) for part in options.ratios.split(",")]:
        for seed in seeds_of(options.seeds):
            for name in options.tables.split(","):
                for way in ("coupled", "decoupled"):
                    key = (name, way, None if way == "coupled" else ratio, seed)
                    if key not in {(r["table"], r["way"], r["ratio"], r["seed"]) for r in read_runs(RUNS)}:
                        line = run(name, way, ratio, seed)
                        keep_run(RUNS, line)
                        print(*key, line["curve"][-1], f"{line['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
