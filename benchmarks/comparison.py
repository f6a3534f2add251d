"""All methods on all tables under one bill: the figures of benchmarks/comparison.md, docs/results.md and the README.

    RAPID_MOO_DATA=... python benchmarks/comparison.py run [--tables a,b] [--methods a,b] [--seeds N] [--work DIR]
                                                      [--anew]
    python benchmarks/comparison.py report

``run`` makes what is missing of the plan, can be stopped at any time, and adds the runs of the working folder to
``results/comparison``: one file of results, one of trajectories, one of the oracle's. What these hold is not made again
unless ``--anew`` is said. ``report`` writes ``report.md`` and the figures from these files, and the tables of
``docs/results.md`` and the README.
Overhead is measured while other work runs on the machine: compare methods by it, no more.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from _devices import device_table
from _report import of_frame, page, section, title

from rapid_moo import ArchitectureTable, open_table
from rapid_moo._util import write_text
from rapid_moo.comparison import Comparison
from rapid_moo.comparison.facts import comparison_facts, quality_facts
from rapid_moo.comparison.figures import write_figures
from rapid_moo.comparison.registry import get_method, method_names
from rapid_moo.comparison.statistics import at_budget, losses, ranks, tally
from rapid_moo.comparison.tables import (
    COLUMNS,
    KEYS,
    ORACLE_FILE,
    RESULTS_FILE,
    TRAJECTORIES_FILE,
    merge_csv,
    read_result_file,
    read_results,
    replaced_trajectories,
)
from rapid_moo.design import FIRST_SAMPLE
from rapid_moo.progress import Progress
from rapid_moo.report.blocks import Block, Items, strong, table
from rapid_moo.report.compared import comparison_blocks, quality_blocks

ROOT = Path(__file__).resolve().parent.parent
FILES = (RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE)
OUT = ROOT / "benchmarks" / "results" / "comparison"
FLOOR = OUT / "floor.csv"
README, PAGE = ROOT / "README.md", ROOT / "docs" / "results.md"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
TABLES = {
    "nasbench201": ("nasbench201", {}),
    "nasbench201_profiled": ("nasbench201", {"memory": "profiled"}),
    "nasbench_asr": ("nasbench_asr", {}),
    "flexibert": ("flexibert", {}),
    "hw_gpt_s_rtx3080": ("hw_gpt_s_rtx3080", {}),
    "hw_gpt_s_a100": ("hw_gpt_s_a100", {}),
    "hw_gpt_m_h100": ("hw_gpt_m_h100", {}),
    "hw_gpt_l_rtx3080": ("hw_gpt_l_rtx3080", {}),
    "digits": ("digits", {}),
    "hw_gpt_s_rtx3080_energy": ("hw_gpt_s_rtx3080", {"energy": True}),
    "nasbench201_samsung_a50": ("nasbench201:samsung_a50", {}),
    "nasbench201_silver_4114": ("nasbench201:silver_4114", {}),
    "nasbench201_titanxp_256": ("nasbench201:titanxp_256", {}),
}
# What the page of results and the README count: no table that nearly repeats another. A phone, a server and a GPU,
# on none of which a default was chosen (``_devices.REPORTING``), stand for the other devices of NAS-Bench-201.
NEAR_DUPLICATES = frozenset(("nasbench201_profiled", "hw_gpt_s_a100", "hw_gpt_s_rtx3080_energy"))
DEVICES = ("nasbench201_samsung_a50", "nasbench201_silver_4114", "nasbench201_titanxp_256")
BUDGETS = (0.02, 0.05, 0.1, 0.15)
# What the page of results shows: 2 % is the budget at which the slow methods have been run on every table. The README
# shows the first of them, and the best few methods beside those that everybody knows.
HEADLINES = (0.05, 0.02)
SHOWN, KNOWN = 6, ("nsga2", "random")
SEEDS = 10
# The budgets that users have, and who is shown there.
SMALL = (20, 30, 50, 75, 100, 150, 200, 300)
SMALL_METHODS = ("rapid", "nsga2", "sms-emoa", "local-search", "optuna-tpe", "random")
# The largest budget by table of methods whose own time is minutes for a run to 15 % there, or that repeat themselves as
# long. FlexiBERT, where a per cent is five evaluations, holds every method; 0: not run.
OTHERS = "other tables"
LIMITS = {
    "nevergrad-portfolio": {"hw_gpt_s_rtx3080_energy": 0.05},
    "optuna-tpe": {OTHERS: 0.02, "flexibert": 0.15},
    "linas": {OTHERS: 0.05, "flexibert": 0.15}
    | dict.fromkeys(("nasbench201", "nasbench201_profiled", "nasbench_asr", *DEVICES), 0.02),
    "rapid-oneshot": dict.fromkeys(DEVICES, 0.05),
    "qlognehvi": {OTHERS: 0, "digits": 0.02, "flexibert": 0.1},
    "optuna-gp": {OTHERS: 0, "flexibert": 0.05},
    "rapid-published": {OTHERS: 0, "digits": 0.05, "flexibert": 0.15},
}
# ADRS on these tables differs by two to three times between seeds. One-shot is billed a quarter of FlexiBERT at 15 %.
RAPID_SEEDS, MOST_SEEDS, BEYOND = {"flexibert": 25, "nasbench_asr": 25}, 25, 0.25


def table_of(name: str) -> ArchitectureTable:
    """A table of the study under its own name."""
    dataset, options = TABLES[name]
    table = device_table(dataset) if ":" in dataset else open_table(dataset, **options)
    return replace(table, name=name)


def planned(method: str, name: str) -> tuple[tuple[float, ...], int]:
    """Budgets and number of seeds of a method on a table; no budget where it is left out."""
    if method == "rapid":
        return (*BUDGETS, *((BEYOND,) if name == "flexibert" else ())), RAPID_SEEDS.get(name, SEEDS)
    limits = LIMITS.get(method, {})
    limit = limits.get(name, limits.get(OTHERS, max(BUDGETS)))
    return tuple(budget for budget in BUDGETS if budget <= limit), SEEDS


def missing_seeds(method: str, name: str, at_most: int, known: pd.DataFrame) -> list[int]:
    """Seeds of the plan whose results do not hold every planned budget yet."""
    budgets, seeds = planned(method, name)
    found = known[(known["method"] == method) & (known["dataset"] == name)].groupby("seed")["budget"].agg(set)
    return [seed for seed in range(min(seeds, at_most)) if not set(budgets) <= found.get(seed, set())]


def run(names: list[str], methods: list[str], at_most: int, work: Path, anew: bool) -> None:
    """Make the runs that are missing, all of the plan where made anew, then gather."""
    known = pd.DataFrame(columns=COLUMNS[RESULTS_FILE]) if anew else read_gathered(RESULTS_FILE)
    for name in names:
        table = table_of(name)
        for method in methods:
            seeds = missing_seeds(method, name, at_most, known)
            if not seeds:
                continue

            def show(at: Progress, name: str = name) -> None:
                record = at.latest
                print(f"{name} {at.done}/{at.total} {record.method} seed {record.seed}: ADRS {at.adrs:.5f}", flush=True)

            redo = [method] if anew else []
            Comparison(table, [method], planned(method, name)[0], seeds, work / name, redo=redo).run(progress=show)
    gather(work)


def gather(work: Path) -> None:
    """Add the results of the working folder to those gathered before, which they replace run by run."""
    folders = [work / name for name in TABLES if (work / name / RESULTS_FILE).is_file()]
    if not folders:
        return
    results, paths, oracle = (read_results(folders, file) for file in FILES)
    anytime = [name for name in set(paths["method"]) if get_method(name).anytime]
    merge_csv(OUT / packed(RESULTS_FILE), results, [results[KEYS]], digits=6)
    merge_csv(OUT / packed(TRAJECTORIES_FILE), paths, replaced_trajectories(paths, anytime), digits=5)
    merge_csv(OUT / packed(ORACLE_FILE), oracle, [oracle[["dataset"]]], digits=6)


def packed(name: str) -> str:
    """A result file's name in the repository: trajectories are compressed."""
    return f"{name}.gz" if name == TRAJECTORIES_FILE else name


def read_gathered(name: str) -> pd.DataFrame:
    """One of the result files of all tables, without rows where nothing was gathered yet."""
    path = OUT / packed(name)
    return read_result_file(path, name) if path.is_file() else pd.DataFrame(columns=COLUMNS[name])


def read_study() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Results at the study's budgets, trajectories and the oracle's, as gathered."""
    results, trajectories, oracle = map(read_gathered, FILES)
    return results[results["budget"].isin(BUDGETS)], trajectories, oracle


def report() -> None:
    """Write the report, the figures, the page of results and the README's section."""
    results, trajectories, oracle = read_study()
    head = "Command: `python benchmarks/comparison.py run && python benchmarks/comparison.py report`."
    seeds = results.groupby(["method", "dataset"])["seed"].nunique().groupby("method").agg(["size", "min", "max"])
    rows = [(m, t, a if a == b else f"{a} to {b}") for m, t, a, b in seeds.itertuples()]
    counts = table(["method", "tables", "seeds of a table"], rows, {1, 2})
    facts = comparison_facts(results, trajectories, oracle)
    write_text(OUT / "report.md", page(head, counts, *comparison_blocks(facts)))
    floor = pd.read_csv(FLOOR) if FLOOR.is_file() else None
    write_figures(OUT, results, trajectories, oracle, floor)
    write_text(OUT / "small_budgets.md", small_budgets(trajectories, floor))
    told, floors = (frame[~frame["dataset"].isin(NEAR_DUPLICATES)] for frame in (results, oracle))
    for path, parts in ((README, readme_parts(told)), (PAGE, page_parts(told, floors))):
        text = path.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        write_text(path, f"{before}{BEGIN}\n\n{page(*parts)}\n{END}{rest.partition(END)[2]}")


def small_budgets(trajectories: pd.DataFrame, floor: pd.DataFrame | None) -> str:
    """ADRS and hypervolume at the budgets that users have, with the floor of noise; the best method in bold."""
    paths = trajectories[trajectories["method"].isin(SMALL_METHODS)]
    parts: list[str | Block] = [
        title("Small budgets"),
        "Medians over seeds, every unique evaluation billed, the best method of a line in bold; *floor*: RAPID with"
        " predictors that saw the whole table (`benchmarks/floor.py`). An empty cell: not run so far.",
    ]
    lead: dict[str, list[bool]] = {"adrs": [], "hypervolume": []}
    for name in sorted(set(paths["dataset"])):
        for quality, sign in (("adrs", 1.0), ("hypervolume", -1.0)):
            found = _at_counts(paths[paths["dataset"] == name], quality).dropna(how="all")
            known = found.dropna(axis=1, how="all")
            rivals = known.drop(columns="rapid").mul(sign).min(axis=1)
            lead[quality] += (known["rapid"].mul(sign) <= rivals).tolist()
            best = known.mul(sign).min(axis=1).mul(sign)
            rows = {
                method: ["" if np.isnan(v) else strong(f"{v:.4f}", v == b) for v, b in zip(column, best, strict=True)]
                for method, column in known.items()
            }
            if floor is not None and (floor["dataset"] == name).any():
                own = floor[floor["dataset"] == name].set_index("evaluations")[quality]
                rows["floor"] = [f"{own[own.index <= n].iloc[-1]:.4f}" for n in known.index]
            label = "ADRS" if quality == "adrs" else "hypervolume"
            parts += [section(f"{name}, {label}"), of_frame(pd.DataFrame({"evaluations": known.index, **rows}))]
    told = [f"by {'ADRS' if q == 'adrs' else q} in {sum(flags)} of {len(flags)} lines" for q, flags in lead.items()]
    parts.insert(2, f"RAPID is no worse than any of these {' and '.join(told)}.")
    return page(*parts)


def _at_counts(paths: pd.DataFrame, quality: str) -> pd.DataFrame:
    """Medians over seeds after so many evaluations, by method; NaN beyond a method's largest budget."""
    found = {}
    for method in SMALL_METHODS:
        mine = paths[paths["method"] == method]
        values = []
        for n in SMALL:
            runs = mine[mine["evaluations"] <= n]
            reached = mine.groupby("seed")["evaluations"].max()
            last = runs.sort_values("evaluations").groupby("seed")[quality].last()
            values.append(float(last.median()) if len(last) and (reached >= 0.98 * n).mean() > 0.5 else np.nan)
        found[method] = values
    return pd.DataFrame(found, index=pd.Index(SMALL, name="evaluations"))


def readme_parts(results: pd.DataFrame) -> list[str | Block]:
    """RAPID against the best few methods and those that everybody knows, and what is significant of it."""
    budget = HEADLINES[0]
    part = at_budget(results, budget)
    medians = part.pivot_table(index="method", columns="dataset", values="adrs", aggfunc="median")
    spent = part.pivot_table(index="method", columns="dataset", values="evaluations", aggfunc="median")
    found, record = ranks(results, budget), tally(results, "rapid", [budget])
    times = np.exp(np.log(medians.div(medians.loc["rapid"])).mean(axis=1))
    bills = spent.div(spent.loc["rapid"]).median(axis=1)
    names = [name for name in found.mean.index if name in found.mean.index[:SHOWN] or name in KNOWN]
    mean = f"mean rank of {len(found.mean)}"
    columns = ["method", mean, "bill", "ADRS, times RAPID's", "RAPID better on", "worse on"]
    rows = []
    for name in names:
        won, lost = (_clear(record, name, kind) for kind in ("won", "lost"))
        rows.append((name, f"{found.mean[name]:.1f}", f"{bills[name]:.2f}", f"{times[name]:.2f}", won, lost))
    at_par = record.loc[[name for name in found.mean.index if name != "rapid" and bills[name] < 1.01]]
    told = (
        f"Medians over ten seeds or more at {100 * budget:g} % of each of {medians.shape[1]} tables, every unique"
        " evaluation billed; in brackets, on how many tables that is significant (Wilcoxon's rank-sum test, Holm's"
        f" correction). Of {at_par['comparisons'].sum()} comparisons with {len(at_par)} methods at an equal bill RAPID"
        f" wins {at_par['won'].sum()}, {at_par['won_clearly'].sum()} of them significantly, and loses"
        f" {at_par['lost'].sum()}. Two methods whose mean ranks differ by less than {found.critical_difference:.1f}"
        " (Nemenyi's critical difference at 5 %) cannot be told apart by these tables."
    )
    return [told, table(columns, rows, range(1, len(columns)))]


def _clear(record: pd.DataFrame, rival: str, kind: str) -> str:
    """Tables won or lost against a rival, and on how many of them clearly."""
    return f"{record.loc[rival, kind]} ({record.loc[rival, f'{kind}_clearly']})" if rival in record.index else ""


def page_parts(results: pd.DataFrame, oracle: pd.DataFrame) -> list[str | Block]:
    """Ranks and ADRS, then every case in which a rival wins, with the bill that it had."""
    budgets = sorted(set(results["budget"]))
    lost, beaten = (losses(results, "rapid", budgets, quality) for quality in ("adrs", "hypervolume"))
    bills = results.groupby(["dataset", "budget", "method"])["evaluations"].median()
    lines = []
    for rival, part in lost.groupby("rival"):
        places = []
        for dataset, budget in zip(part["dataset"], part["budget"], strict=True):
            times = bills[dataset, budget, rival] / bills[dataset, budget, "rapid"]
            reason = f" ({times:.1f} times the bill)" if times > 1.01 else ""
            if not reason and bills[dataset, budget, "rapid"] <= FIRST_SAMPLE:
                reason = f" ({bills[dataset, budget, 'rapid']:.0f} evaluations: RAPID is still in its first sample)"
            places.append(f"{dataset} at {100 * budget:g} %{reason}")
        lines.append(f"{rival}: {', '.join(places)}")
    pairs = results.groupby(["dataset", "budget"])["method"].nunique().sub(1).sum()
    told = (
        f"At budgets of 2 to 15 % a rival's median ADRS is better than RAPID's in {len(lost)} of {pairs} comparisons"
        f"{':' if len(lost) else '.'}"
    )
    reasons = (
        "One-shot methods evaluate what they predict on top of their budget; at an equal bill they are compared in"
        f" [the page of the algorithm](../benchmarks/rapid.md). By hypervolume {len(beaten)} comparisons are lost; the"
        " report lists them, and counts which differences are significant."
    )
    tables = [block for budget in HEADLINES for block in quality_blocks(quality_facts(results, oracle, budget))]
    return [*tables, told, *([Items(tuple(lines))] if lines else []), reasons]


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--methods", default=",".join(method_names()))
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS, help="at most so many")
    parser.add_argument("--anew", action="store_true", help="make runs again whose results are gathered")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "comparison")
    options = parser.parse_args()
    if options.action == "run":
        run(options.tables.split(","), options.methods.split(","), options.seeds, options.work, options.anew)
    else:
        report()


if __name__ == "__main__":
    main()
