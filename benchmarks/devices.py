"""RAPID and its rivals on every device: whether the lead holds where no default was chosen.

    RAPID_MOO_DATA=... python benchmarks/devices.py run [--tables choosing|reporting|gpt|a,b] [--methods a,b]
                                                  [--seeds N] [--budgets 0.02,0.05] [--work DIR] [--anew]
    python benchmarks/devices.py report

``run`` makes what is missing, can be stopped at any time, and adds its runs to ``results/devices``; ``report`` writes
``report.md`` there. A table is a published one with another device's latency, see ``_devices.py``: defaults may be
chosen on the half ``choosing`` of the devices of NAS-Bench-201, and are reported on the half ``reporting``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from _devices import CHOOSING, GPT, REPORTING, device_table
from _report import of_frame, page, section, setting, title

from rapid_moo._util import write_text
from rapid_moo.comparison import Comparison
from rapid_moo.comparison.statistics import at_budget
from rapid_moo.comparison.tables import KEYS, RESULTS_FILE, merge_csv, read_result_file, read_results
from rapid_moo.progress import Progress
from rapid_moo.report.blocks import strong

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "benchmarks" / "results" / "devices"
METHODS = ("rapid", "nsga2", "sms-emoa", "local-search", "random")
BUDGETS = (0.02, 0.05, 0.1, 0.15)
SEEDS = 5
GROUPS = {
    "choosing": [f"nasbench201:{device}" for device in CHOOSING],
    "reporting": [f"nasbench201:{device}" for device in REPORTING],
    "gpt": GPT,
}


def tables_of(told: str) -> list[str]:
    """Names of the tables of a group, or those that were told."""
    return GROUPS[told] if told in GROUPS else told.split(",")


def group_of(table: str) -> str:
    """The group of devices that a table belongs to, or its benchmark."""
    return next((group for group, names in GROUPS.items() if table in names), table.partition(":")[0])


def run(names: list[str], methods: list[str], budgets: list[float], seeds: int, work: Path, anew: bool) -> None:
    """Make the runs that are missing, all of them where made anew, then gather."""
    path = OUT / RESULTS_FILE
    known = read_result_file(path, RESULTS_FILE) if path.is_file() and not anew else pd.DataFrame(columns=KEYS)
    for name in names:
        table = None
        for method in methods:
            found = known[(known["method"] == method) & (known["dataset"] == name)].groupby("seed")["budget"].agg(set)
            missing = [seed for seed in range(seeds) if not set(budgets) <= found.get(seed, set())]
            if not missing:
                continue
            table = table or device_table(name)

            def show(at: Progress, name: str = name) -> None:
                record = at.latest
                print(f"{name} {at.done}/{at.total} {record.method} seed {record.seed}: ADRS {at.adrs:.5f}", flush=True)

            redo = [method] if anew else []
            Comparison(table, [method], budgets, missing, work / name, redo=redo).run(progress=show)
            results = read_results([work / name], RESULTS_FILE)
            merge_csv(path, results, [results[KEYS]], digits=6)


def report() -> None:
    """Median ADRS by table and budget, who leads, and the ratio to NSGA-II over each half of the devices."""
    results = read_result_file(OUT / RESULTS_FILE, RESULTS_FILE)
    results = results.assign(group=results["dataset"].map(group_of))
    seeds = results.groupby(["dataset", "method"])["seed"].nunique()
    parts = [
        title("RAPID and its rivals on every device"),
        setting(
            "python benchmarks/devices.py run && python benchmarks/devices.py report",
            f"{seeds.min()} to {seeds.max()} of each method on a table",
            results.drop_duplicates(["dataset", "method", "seed"]),
        ),
        "Medians of ADRS over seeds, every unique evaluation billed. Defaults may be chosen on the group *choosing*,"
        " and are reported on the others.",
        section("ADRS, as a ratio to NSGA-II's"),
        "Geometric means over the tables of a group; *led* counts the tables on which RAPID has the lowest median.",
        of_frame(ratios(results)),
    ]
    for budget in sorted(set(results["budget"])):
        table = medians(results, budget)
        parts += [section(f"ADRS at {100 * budget:g} %"), of_frame(told(table))]
    write_text(OUT / "report.md", page(*parts))


def medians(results: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Median ADRS by table and method at a budget."""
    part = at_budget(results, budget)
    return part.pivot_table(index="dataset", columns="method", values="adrs", aggfunc="median")


def ratios(results: pd.DataFrame) -> pd.DataFrame:
    """A row for each group and budget."""
    rows = []
    for group, part in results.groupby("group"):
        for budget in sorted(set(part["budget"])):
            table = medians(part, budget).dropna()
            if not {"rapid", "nsga2"} <= set(table):
                continue
            logs = np.log(table.clip(lower=1e-6)).sub(np.log(table["nsga2"].clip(lower=1e-6)), axis=0)
            rivals = table.drop(columns="rapid").min(axis=1)
            led = f"{(table['rapid'] < rivals).sum()} of {len(table)}"
            mean = {method: f"{value:.2f}" for method, value in np.exp(logs.mean()).items()}
            rows.append({"group": group, "budget": f"{100 * budget:g} %", "led": led, **mean})
    return pd.DataFrame(rows).fillna("")


def told(table: pd.DataFrame) -> pd.DataFrame:
    """Medians as text, the lowest of each row in bold."""
    best = table.min(axis=1)
    shown = {
        method: ["" if np.isnan(v) else strong(f"{v:.4f}", v == b) for v, b in zip(column, best, strict=True)]
        for method, column in table.items()
    }
    return pd.DataFrame({"table": table.index, **shown})


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default="reporting")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--anew", action="store_true", help="make runs again whose results are gathered")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "devices")
    options = parser.parse_args()
    if options.action == "run":
        budgets = [float(budget) for budget in options.budgets.split(",")]
        names, methods = tables_of(options.tables), options.methods.split(",")
        run(names, methods, budgets, options.seeds, options.work, options.anew)
    report()


if __name__ == "__main__":
    main()
