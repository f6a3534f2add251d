"""What the result files of a comparison say, as facts for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo.comparison.registry import default_reference
from rapid_moo.comparison.statistics import (
    LEVEL,
    at_budget,
    losses,
    median_evaluations,
    overheads,
    ranks_where_possible,
    seeds_needed,
    smallest_p,
    speedups,
    tally,
)
from rapid_moo.comparison.tables import CODE, MADE, bill_column
from rapid_moo.report.facts import MEDIANS, ComparisonFacts
from rapid_moo.table import share_count

TARGETS = (0.05, 0.02, 0.01, 0.005)
JUDGED = ("adrs", "hypervolume")


def comparison_facts(
    results: pd.DataFrame,
    trajectories: pd.DataFrame,
    oracle: pd.DataFrame,
    method: str | None = None,
    targets: Sequence[float] = TARGETS,
) -> ComparisonFacts:
    """All but the curves.

    Parameters
    ----------
    results, trajectories, oracle : DataFrame
        As in the result files, of one or several datasets.
    method : str, optional
        The method whose wins and losses are told, see :func:`rapid_moo.comparison.registry.default_reference`.
    targets : sequence of float
        ADRS to reach.
    """
    budgets = sorted(set(results["budget"]))
    names = sorted(set(results["method"]))
    method = default_reference(names) if method is None and names else method
    there = method in names and len(names) > 1
    medians = median_evaluations(trajectories, targets)
    return ComparisonFacts(
        tables=tuple(sorted(set(results["dataset"]))),
        methods=tuple(names),
        seeds=int(results["seed"].nunique()),
        spent=bill_column(results),
        quality=tuple(quality_facts(results, oracle, budget) for budget in budgets),
        record=record_facts(results, method, budgets) if method is not None and there else None,
        targets=tuple(_target(medians, oracle, target) for target in targets),
        speedups=_speedups(medians, method) if method is not None and there else None,
        overheads=tuple(_overheads(results)),
        made=tuple(_made(results)),
    )


def quality_facts(results: pd.DataFrame, oracle: pd.DataFrame, budget: float) -> dict[str, Any]:
    """Ranks, bills and medians of each method on each dataset at one budget, best rank first.

    Methods that did not run on every dataset have no rank and come last.
    """
    part = at_budget(results, budget)
    spent = bill_column(part)
    names = list(dict.fromkeys([*MEDIANS, spent]))
    medians = {name: _by_dataset(part, name) for name in names}
    quality = medians["adrs"]
    order = quality.rank().mean(axis=1).where(quality.notna().all(axis=1))
    found = ranks_where_possible(results, budget)
    if found is not None:
        order.update(found.mean)
    rows = oracle.groupby("dataset")["rows"].first()
    # The floor measures everything of each architecture: it knows what one of them costs.
    price = oracle.groupby("dataset")[spent].first() / oracle.groupby("dataset")["evaluations"].first()
    counts = [share_count(budget, rows[name]) * price[name] if budget < 1 else budget for name in quality.columns]
    bill = medians[spent].div(counts).median(axis=1)
    return {
        "budget": float(budget),
        "tables": [str(name) for name in quality.columns],
        "friedman_p": _known(found.p) if found is not None else None,
        "critical_difference": found.critical_difference if found is not None else None,
        "methods": [
            {
                "method": str(method),
                "rank": _known(order[method]),
                "bill": float(bill[method]),
                **{name: [_known(value) for value in medians[name].loc[method]] for name in names},
            }
            for method in order.sort_values(kind="stable").index
        ],
    }


def _by_dataset(part: pd.DataFrame, name: str) -> pd.DataFrame:
    return part.pivot_table(index="method", columns="dataset", values=name, aggfunc="median")


def record_facts(results: pd.DataFrame, method: str, budgets: Sequence[float]) -> dict[str, Any]:
    """The method's record against each rival, and every case in which a rival's median is better.

    ``too_few`` says where the runs are too few for any difference to be significant: ``cases`` of ``all`` tables and
    budgets, ``seeds`` and ``methods`` there, the smallest ``p`` after the correction, and how many seeds are
    ``needed``; None where it is nowhere so.
    """
    records = {quality: tally(results, method, budgets, quality) for quality in JUDGED}
    counts = records[JUDGED[0]]["comparisons"]
    ends = ("won", "won_clearly", "lost", "lost_clearly")
    rivals = [
        {
            "rival": str(rival),
            "comparisons": int(counts[rival]),
            **{quality: {end: int(record.loc[rival, end]) for end in ends} for quality, record in records.items()},
        }
        for rival in counts.index
    ]
    lost = {}
    for quality in JUDGED:
        names = {"dataset": "table", method: "own", "rival_value": "other", "p_holm": "p"}
        lost[quality] = losses(results, method, budgets, quality).rename(columns=names).to_dict("records")
    few = _too_few(results, method, budgets)
    return {"method": method, "level": LEVEL, "rivals": rivals, "losses": lost, "too_few": few}


def _too_few(results: pd.DataFrame, method: str, budgets: Sequence[float]) -> dict[str, Any] | None:
    found, cases = [], 0
    for budget in budgets:
        for _, part in at_budget(results, budget).groupby("dataset"):
            runs = part.groupby("method").size().to_dict()
            own = runs.pop(method, 0)
            if not own or not runs:
                continue
            cases += 1
            tests = comb(len(runs) + 1, 2)
            p = min(1.0, tests * min(smallest_p(own, n) for n in runs.values()))
            if p >= LEVEL:
                seeds = max(own, *runs.values())
                found.append({"needed": seeds_needed(tests), "seeds": seeds, "methods": len(runs) + 1, "p": p})
    if not found:
        return None
    return {"cases": len(found), "all": cases, **max(found, key=lambda case: (case["needed"], -case["seeds"]))}


def _target(medians: pd.DataFrame, oracle: pd.DataFrame, target: float) -> dict[str, Any]:
    """Median evaluations, or cost, to an ADRS, by method and dataset."""
    part = medians[medians["target"] == target]
    tables = sorted(set(part["dataset"]))
    spent = bill_column(oracle)
    reached = oracle[oracle["adrs"] <= target].groupby("dataset")[spent].min()
    order = part.groupby("method")["at_least"].mean().sort_values(kind="stable").index
    by_pair = part.set_index(["method", "dataset"])
    return {
        "target": float(target),
        "tables": tables,
        "oracle": [_known(reached.get(name)) for name in tables],
        "methods": [
            {
                "method": str(method),
                **{
                    key: [_known(by_pair[column].get((method, name))) for name in tables]
                    for key, column in (("spent", "evaluations"), ("at_least", "at_least"))
                },
            }
            for method in order
        ],
    }


def _speedups(medians: pd.DataFrame, method: str) -> dict[str, Any] | None:
    """Geometric mean over tables of how many times less the method needs, with what the single ratios bound."""
    # Somebody may have taken its trajectories away.
    if method not in set(medians["method"]):
        return None
    found = speedups(medians, method)
    if len(found) == 0:
        return None
    found["log"] = np.log(found["speedup"])
    wide = found.pivot_table(index="rival", columns="target", values="log")
    wide = wide[sorted(wide.columns, reverse=True)].sort_values(min(wide.columns), kind="stable")
    bounds = found.groupby(["rival", "target"])["bound"].agg(lambda several: _bound(set(several))).to_dict()
    return {
        "targets": [float(target) for target in wide.columns],
        "rivals": [
            {
                "rival": str(rival),
                "times": [_known(np.exp(value)) for value in row],
                "bounds": [bounds.get((rival, target), "=") for target in wide.columns],
            }
            for rival, row in wide.iterrows()
        ],
    }


def _bound(bounds: set[str]) -> str:
    if {">=", "<="} <= bounds:
        return "~"
    return next((sign for sign in (">=", "<=") if sign in bounds), "=")


def _overheads(results: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Seconds for an evaluation by method and dataset, quickest first; the budget where it is not the largest."""
    found = overheads(results)
    most = found.groupby("dataset")["budget"].transform("max")
    found["short"] = found["budget"].where(found["budget"] < most)
    tables = sorted(set(found["dataset"]))
    by_pair = found.set_index(["method", "dataset"])
    order = found.groupby("method")["seconds"].median().sort_values(kind="stable").index
    return [
        {
            "method": str(method),
            **{
                key: [_known(by_pair[column].get((method, name))) for name in tables]
                for key, column in (("seconds", "seconds"), ("budgets", "short"))
            },
        }
        for method in order
    ]


def _made(results: pd.DataFrame) -> list[Mapping[str, Any]]:
    """What the runs were made with, as they say it themselves; the machine that reports is not told."""
    names = [*MADE, CODE]
    runs = results.drop_duplicates(["dataset", "method", "seed", *names])
    return [
        {"runs": len(group), "methods": sorted(set(group["method"])), **dict(zip(names, made, strict=True))}
        for made, group in runs.groupby(names)
    ]


def _known(value: Any) -> float | None:
    """A number; None where there is none, or it is not finite."""
    return float(value) if value is not None and np.isfinite(value) else None
