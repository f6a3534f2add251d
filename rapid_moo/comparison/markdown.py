"""A comparison as a Markdown section: ranks first, then losses, evaluations to a target, and overhead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from rapid_moo._shown import markdown_table
from rapid_moo.comparison.statistics import (
    LEVEL,
    at_budget,
    losses,
    median_evaluations,
    overheads,
    ranks_where_possible,
    speedups,
    tally,
)
from rapid_moo.comparison.tables import COST, MADE, bill_column
from rapid_moo.costs import cost_text
from rapid_moo.table import share_count

TARGETS = (0.05, 0.02, 0.01, 0.005)
QUALITIES = {"adrs": "ADRS", "hypervolume": "hypervolume"}


def comparison_markdown(
    results: pd.DataFrame,
    trajectories: pd.DataFrame,
    oracle: pd.DataFrame,
    method: str = "rapid",
    targets: Sequence[float] = TARGETS,
) -> str:
    """The whole report.

    Parameters
    ----------
    results, trajectories, oracle : DataFrame
        As in the result files, of one or several datasets.
    method : str
        The method whose wins and losses are told.
    targets : sequence of float
        ADRS to reach.
    """
    budgets = sorted(set(results["budget"]))
    parts = [_setting(results), *(quality_table(results, oracle, budget) for budget in budgets)]
    if method in set(results["method"]):
        parts.append(wins_and_losses(results, method, budgets))
    medians = median_evaluations(trajectories, targets)
    parts.append(evaluations_table(medians, oracle, targets, method))
    if method in set(results["method"]):
        parts.append(speedup_table(medians, method, bill_column(results)))
    parts += [overhead_table(results), made_table(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _setting(results: pd.DataFrame) -> str:
    counted = "unique evaluations"
    if bill_column(results) == COST:
        counted = "the cost of what was measured, each objective of an architecture at its price and none twice"
    methods, tables, seeds = (
        f"{n} {name}{'' if n == 1 else 's'}"
        for name, n in (
            ("method", results["method"].nunique()),
            ("table", results["dataset"].nunique()),
            ("seed", results["seed"].nunique()),
        )
    )
    return (
        f"{methods}, {tables}, up to {seeds}. Every number counts {counted}; one-shot methods bill the"
        " front that they verify on top of the budget."
    )


def quality_table(results: pd.DataFrame, oracle: pd.DataFrame, budget: float) -> str:
    """Average rank and median ADRS of each method on each dataset at one budget, best rank first."""
    part = at_budget(results, budget)
    medians = part.pivot_table(index="method", columns="dataset", values="adrs", aggfunc="median")
    whole = medians.notna().all(axis=1)
    order = medians.rank().mean(axis=1).where(whole)
    note = "" if whole.all() else " Methods that did not run on every table are not ranked."
    found = ranks_where_possible(results, budget)
    if found is not None:
        order.update(found.mean)
        if np.isfinite(found.p):
            note += (
                f" Friedman p = {found.p:.2g}. Two methods whose ranks differ by less than the critical difference of"
                f" {found.critical_difference:.1f} cannot be told apart by these tables (Nemenyi's test at 5 %)."
            )
    medians = medians.loc[order.sort_values(kind="stable").index]
    rank = {name: f"{value:.1f}" if np.isfinite(value) else "" for name, value in order.items()}
    best = medians.min()
    spent = bill_column(part)
    bills = part.pivot_table(index="method", columns="dataset", values=spent, aggfunc="median")
    rows = oracle.groupby("dataset")["rows"].first()
    # The floor measures everything of each architecture: it knows what one of them costs.
    price = oracle.groupby("dataset")[spent].first() / oracle.groupby("dataset")["evaluations"].first()
    counts = [share_count(budget, rows[name]) * price[name] if budget < 1 else budget for name in bills.columns]
    bill = bills.div(counts).median(axis=1).to_dict()
    lines = [
        f"### ADRS at a budget of {_budget(budget)}",
        "",
        f"Medians over seeds, lower is better, the best of a table in bold; bill: {spent} over the budget.{note}",
        "",
    ]
    rows_of = []
    for name, row in medians.iterrows():
        pairs = zip(row, best, strict=True)
        cells = [_bold(f"{value:.4f}", value == least) if np.isfinite(value) else "" for value, least in pairs]
        rows_of.append([str(name), rank[name], f"{bill[name]:.2f}", *cells])
    return "\n".join([*lines, _table(["method", "rank", "bill", *medians.columns], rows_of)])


def wins_and_losses(results: pd.DataFrame, method: str, budgets: Sequence[float]) -> str:
    """The method's record against each rival, and every case in which a rival's median is better."""
    records = {quality: tally(results, method, budgets, quality) for quality in QUALITIES}
    lines = [
        f"### {method} against each rival",
        "",
        "Comparisons on a table at a budget, won and lost by the median over seeds; in brackets those that differ"
        f" significantly (Wilcoxon rank-sum, Holm within table and budget, {LEVEL:.0%}). A rival that is billed beyond"
        " the budget is compared at the budget it was given. Methods that begin at random begin with the same"
        " architectures for a seed: at a budget of a first population they are one sample, compared several times.",
        "",
    ]
    counts = next(iter(records.values()))["comparisons"]
    rows = []
    for rival in counts.index:
        each = [record.loc[rival] for record in records.values()]
        cells = [f"{one[end]} ({one[f'{end}_clearly']})" for one in each for end in ("won", "lost")]
        rows.append([rival, counts[rival], *cells])
    columns = ["rival", "comparisons", *[f"{label} {end}" for label in QUALITIES.values() for end in ("won", "lost")]]
    parts = [
        "\n".join([*lines, _table(columns, rows)]),
        *(_losses(results, method, budgets, quality) for quality in QUALITIES),
    ]
    return "\n\n".join(part for part in parts if part)


def _losses(results: pd.DataFrame, method: str, budgets: Sequence[float], quality: str) -> str:
    frame = losses(results, method, budgets, quality)
    if not len(frame):
        return ""
    label = QUALITIES[quality]
    rows = []
    for record in frame.to_dict("records"):
        p = _bold(f"{record['p_holm']:.2g}", record["p_holm"] < LEVEL)
        values = [f"{record[method]:.4f}", f"{record['rival_value']:.4f}"]
        rows.append([record["dataset"], _budget(record["budget"]), record["rival"], *values, p])
    columns = ["table", "budget", "rival", f"{method}'s {label}", f"rival's {label}", "p (Holm)"]
    table = markdown_table(columns, rows, {1, 3, 4, 5})
    return f"### Where {method} loses by {label}\n\n{table}"


def evaluations_table(medians: pd.DataFrame, oracle: pd.DataFrame, targets: Sequence[float], method: str) -> str:
    """Median evaluations to each ADRS, by dataset and method; ``>n`` where half of the runs did not get there."""
    spent = bill_column(oracle)
    within = "within a cost of n" if spent == COST else "within n evaluations"
    lines = [f"### {spent.capitalize()} to reach an ADRS", ""]
    lines.append(f"Median over seeds; `>n`: at least half of the runs did not get there {within}.")
    for target in targets:
        part = medians[medians["target"] == target]
        cells = part.assign(
            text=[_count(e, b, spent) for e, b in zip(part["evaluations"], part["at_least"], strict=True)]
        )
        wide = cells.pivot_table(index="method", columns="dataset", values="text", aggfunc="first").fillna("")
        order = part.groupby("method")["at_least"].mean().sort_values(kind="stable").index
        floor = [_first(oracle[oracle["dataset"] == dataset], target) for dataset in wide.columns]
        found = [[_bold(str(name), name == method), *wide.loc[name]] for name in order]
        table = _table(["method", *wide.columns], [["*oracle*", *floor], *found])
        lines += ["", f"ADRS {target:g}:", "", table]
    return "\n".join(lines)


def _first(oracle: pd.DataFrame, target: float) -> str:
    spent = bill_column(oracle)
    hits = oracle.loc[oracle["adrs"] <= target, spent]
    return _count(float(hits.min()), 0.0, spent) if len(hits) else ""


def speedup_table(medians: pd.DataFrame, method: str, spent: str = "evaluations") -> str:
    """Geometric mean over tables and targets of how many times fewer evaluations (or cost) the method needs."""
    found = speedups(medians, method)
    if len(found) == 0:
        return ""
    lines = [f"### How many times {'less cost' if spent == COST else 'fewer evaluations'} {method} needs", ""]
    lines.append(
        "Geometric mean over tables, by ADRS target; below 1 the rival is faster. Who does not get there counts with"
        f" the {spent} spent: `≥` where that holds for the rival on some table, `≤` where it holds for the method,"
        " `~` for both. Tables on which neither gets there are left out, and those on which the one that does not was"
        " stopped before the other got there."
    )
    found["log"] = np.log(found["speedup"])
    wide = found.pivot_table(index="rival", columns="target", values="log")
    wide = wide[sorted(wide.columns, reverse=True)].sort_values(min(wide.columns), kind="stable")
    signs = found.groupby(["rival", "target"])["bound"].agg(lambda bounds: _sign(set(bounds))).to_dict()
    rows = [
        [str(name), *(f"{signs[name, t]}{np.exp(v):.1f}" if np.isfinite(v) else "" for t, v in row.items())]
        for name, row in wide.iterrows()
    ]
    return "\n".join([*lines, "", _table(["rival", *[f"ADRS {t:g}" for t in wide.columns]], rows)])


def _sign(bounds: set[str]) -> str:
    if {">=", "<="} <= bounds:
        return "~ "
    return "≥ " if ">=" in bounds else ("≤ " if "<=" in bounds else "")


def overhead_table(results: pd.DataFrame) -> str:
    """The optimizer's own wall time per evaluation, by method and dataset."""
    found = overheads(results)
    most = found.groupby("dataset")["budget"].transform("max")
    short = found["budget"].where(found["budget"] < most)
    found["text"] = [
        f"{1e3 * seconds:.3g}" + (f" ({_budget(budget)})" if np.isfinite(budget) else "")
        for seconds, budget in zip(found["seconds"], short, strict=True)
    ]
    wide = found.pivot_table(index="method", columns="dataset", values="text", aggfunc="first").fillna("")
    order = found.groupby("method")["seconds"].median().sort_values(kind="stable").index
    lines = [
        "### Overhead of the optimizers",
        "",
        "Median wall milliseconds per evaluation that the method itself takes, evaluations excluded, in runs to the"
        " table's largest budget or to the one in brackets. With most methods it grows with the length of the run.",
        "",
        _table(["method", *wide.columns], [[str(name), *wide.loc[name]] for name in order]),
    ]
    return "\n".join(lines)


def made_table(results: pd.DataFrame) -> str:
    """What the runs were made with, as they say it themselves; the machine that reports is not told."""
    runs = results.drop_duplicates(["dataset", "method", "seed", *MADE])
    rows = []
    for made, group in runs.groupby(MADE):
        methods = ", ".join(sorted(set(group["method"])))
        rows.append([len(group), methods, *(text or "not recorded" for text in made)])
    table = markdown_table(["runs", "methods", "commit", "versions", "machine"], rows, {0})
    return f"### What the runs were made with\n\n{table}"


def _table(columns: Sequence[object], rows: Iterable[Iterable[object]]) -> str:
    """A table with names first and numbers behind."""
    return markdown_table(columns, rows, range(1, len(columns)))


def _bold(text: str, condition: object) -> str:
    return f"**{text}**" if condition else text


def _budget(budget: float) -> str:
    return f"{budget:g}" if budget > 1 else f"{100 * budget:g} %"


def _count(evaluations: float, bound: float, spent: str = "evaluations") -> str:
    text = cost_text if spent == COST else "{:.0f}".format
    return text(evaluations) if np.isfinite(evaluations) else f">{text(bound)}"
