"""Searches under a bound on latency: how soon something feasible is trained, and the quality of the feasible front.

    RAPID_MOO_DATA=... python benchmarks/bounds.py run [--tables a,b] [--shares 0.02,0.1] [--seeds 0-9] [--label now]
    python benchmarks/bounds.py report

The bound is met by a share of the table. A training costs 1, each other measured objective a hundredth. ``run`` appends
to ``results/bounds/runs.jsonl`` what is not there yet; ``--label before`` names runs of an older checkout, to which
this file and ``_runs.py`` are copied. ``report`` writes ``report.md``.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, section, setting, title
from _runs import keep_run, read_runs, seeds_of
from costs import costly

from rapid_moo import RAPID
from rapid_moo._provenance import provenance
from rapid_moo._util import write_text
from rapid_moo.costs import CostBudget
from rapid_moo.indicators import adrs
from rapid_moo.problem import ArchitectureProblem

OUT = Path(__file__).parent / "results" / "bounds"
RUNS = OUT / "runs.jsonl"
TABLES = "hw_gpt_m_h100,nasbench201,nasbench_asr"
RATIO, BUDGET = 0.01, 60.0
MARKS = (20, 30, 45, 60)
WAYS = ("coupled", "decoupled")
KEY = ("table", "share", "way", "seed", "label")


def run(name: str, share: float, way: str, seed: int) -> dict[str, Any]:
    """One run: what it cost until something feasible was complete, and ADRS to the feasible front at each mark."""
    logging.disable(logging.WARNING)
    start, table = time.process_time(), costly(name, RATIO)
    column = [objective.name for objective in table.objectives].index("latency")
    bound = float(np.quantile(table.raw[:, column], share))
    problem = ArchitectureProblem(table.space, table, constraints=f"latency <= {bound!r}")
    algorithm = RAPID(decoupled=way == "decoupled")
    algorithm.setup(problem, termination=CostBudget(BUDGET), seed=seed)
    while algorithm.has_next():
        algorithm.next()
    store = problem.store
    rows = np.flatnonzero(store.paid_of(np.arange(len(store))).sum(axis=1) > 0)
    rows = rows[np.argsort(store.changed_at[rows], kind="stable")]
    spent = np.cumsum(store.paid_of(rows) @ problem.prices)
    trained = store.paid_of(rows)[:, 0] > 0
    met = trained & store.complete[rows] & (problem.violations(store.X[rows], store.raw[rows]) <= 0.0).all(axis=1)
    F, reference = problem.minimised(store.raw[rows]), problem.pareto_front()
    found = {}
    for mark in MARKS:
        now = met & (spent <= mark + 1e-9)
        found[str(mark)] = round(adrs(F[now], reference=reference), 6) if now.any() else None
    return {
        "trained": int(trained.sum()),
        "feasible": int(met.sum()),
        "first": float(spent[met][0]) if met.any() else None,
        "adrs": found,
        "seconds": round(time.process_time() - start, 1),
        **provenance(),
    }


def lines(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Medians over seeds; where more than half of the runs have nothing feasible a cell is empty."""
    found = []
    for (name, share, way, label), group in pd.DataFrame(runs).groupby(["table", "share", "way", "label"], sort=False):
        at = pd.DataFrame([*group.adrs]).fillna(np.inf).median()
        found.append(
            {
                "table": name,
                "share": f"{share:g}",
                "way": way,
                "code": label,
                "seeds": len(group),
                "cost to the first": f"{group['first'].fillna(np.inf).median():.1f}",
                "feasible trainings": f"{group.feasible.sum() / group.trained.sum():.0%}",
                **{f"ADRS at {mark}": f"{at[str(mark)]:.4f}" if np.isfinite(at[str(mark)]) else "" for mark in MARKS},
            }
        )
    return pd.DataFrame(found).sort_values(["table", "share", "way", "code"], kind="stable")


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = read_runs(RUNS)
    frame = lines(runs)
    command = "python benchmarks/bounds.py run; python benchmarks/bounds.py report"
    parts = [
        title("Searches under a bound on latency"),
        setting(command, "as stated in each line", pd.DataFrame(runs)),
        f"The bound is met by a share of the table. A training costs 1, each other measured objective {RATIO:g};"
        f" everything is billed, {BUDGET:g} in all. ADRS is to the front of the feasible architectures, of those that"
        " were measured completely. Medians over seeds; *code* says which: as it is, or before bounds were looked at in"
        " possible truths.",
    ]
    for name, group in frame.groupby("table", sort=False):
        parts += [section(str(name)), of_frame(group.drop(columns="table"))]
    write_text(OUT / "report.md", page(*parts))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default=TABLES)
    parser.add_argument("--shares", default="0.02,0.1,0.3")
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--label", default="now", help="what to call the code that runs")
    options = parser.parse_args()
    if options.action == "report":
        write_report()
        return
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(options.seeds):
        for name in options.tables.split(","):
            for share in [float(part) for part in options.shares.split(",")]:
                for way in WAYS:
                    key = (name, share, way, seed, options.label)
                    if key in {tuple(line[part] for part in KEY) for line in read_runs(RUNS)}:
                        continue
                    line = dict(zip(KEY, key, strict=True)) | run(name, share, way, seed)
                    keep_run(RUNS, line)
                    print(*key, line["first"], line["adrs"], f"{line['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
