"""Rows in another unit: milliseconds among seconds, fractions among percentages."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray
from rapid_moo.findings.explained import Explained, cross_fitted, explain
from rapid_moo.findings.finding import Finding, rows_text

FACTORS = (60.0, 100.0, 1000.0, 1024.0, 3600.0, 1e6, 1024.0**2, 1e9)
FEWEST_ROWS, FEWEST_MARKED, SHARE = 30, 3, 0.01
GAP = float(np.log(5.0))


def mixed_units(name: str, values: FloatArray, features: FloatArray, kept: BoolArray, seed: int) -> list[Finding]:
    """Rows whose values are a factor between units away from what their architectures suggest.

    Parameters
    ----------
    name : str
        The objective.
    values : ndarray of shape (n,)
        Raw values; a table with values of both signs, or with zeros, has no such factor.
    features : ndarray of shape (n, n_features)
        What a predictor sees.
    kept : ndarray of shape (n,)
        Rows that take part.
    seed : int
        Seed of the predictor.
    """
    rows = np.flatnonzero(kept)
    if len(rows) < FEWEST_ROWS or not ((values[rows] > 0.0).all() or (values[rows] < 0.0).all()):
        return []
    logs = np.zeros(len(values))
    logs[rows] = np.log(np.abs(values[rows]))
    for stage in (0, 1):
        spread = logs[rows] if stage == 0 else _residual(features, logs, kept, seed)[rows]
        group = _group(spread)
        if group is None:
            continue
        marked = np.zeros(len(values), dtype=np.bool_)
        marked[rows[group]] = True
        found = _confirmed(name, values, logs, features, kept, marked, seed)
        if found is not None:
            return [found]
    return []


def _residual(features: FloatArray, logs: FloatArray, kept: BoolArray, seed: int) -> FloatArray:
    seen: Explained = explain(features, logs, kept, seed)
    return np.asarray(seen.goal - seen.predicted) if np.ptp(logs[kept]) > GAP else np.zeros(len(logs))


def _group(spread: FloatArray) -> BoolArray | None:
    """The smaller side of the widest gap, where both have rows enough; None without a gap."""
    order = np.sort(spread)
    fewest = max(FEWEST_MARKED, int(SHARE * len(order)))
    gaps = np.diff(order)[fewest - 1 : len(order) - fewest]
    if not len(gaps) or gaps.max() < GAP:
        return None
    at = int(np.argmax(gaps)) + fewest - 1
    upper = spread > 0.5 * (order[at] + order[at + 1])
    return np.asarray(upper if upper.sum() <= len(spread) / 2 else ~upper)


def _confirmed(
    name: str,
    values: FloatArray,
    logs: FloatArray,
    features: FloatArray,
    kept: BoolArray,
    marked: BoolArray,
    seed: int,
) -> Finding | None:
    """Whether the marked rows, times one factor, are what the others suggest."""
    if len(np.unique(values[marked])) < max(FEWEST_MARKED, 0.5 * marked.sum()):
        return None
    distance = _distances(features, logs, kept & ~marked, marked, seed)
    if distance is None:
        return None
    centre, spread, usual = distance
    tolerance = 0.03 + 3.0 * max(spread, usual) / np.sqrt(marked.sum())
    near = min(FACTORS, key=lambda factor: abs(abs(centre) - np.log(factor)))
    if tolerance > 0.5 or abs(abs(centre) - np.log(near)) > tolerance or spread > 2.5 * usual + 0.1:
        return None
    shown = tuple(np.flatnonzero(marked).tolist())
    return Finding(
        "mixed_units",
        name,
        f"{len(shown):,} rows are about {near:,.6g} times {'larger' if centre > 0 else 'smaller'} than their"
        f" architectures suggest: {rows_text(shown)}",
        shown,
        {"factor": float(near), "seen": float(np.exp(abs(centre))), "rows": float(len(shown))},
    )


def _distances(
    features: FloatArray, logs: FloatArray, train: BoolArray, marked: BoolArray, seed: int
) -> tuple[float, float, float] | None:
    """How far the marked rows lie from predictions of the others: median, its spread, and the others' own spread."""
    if train.sum() < FEWEST_MARKED + 2:
        return None
    aside = logs.copy()
    # Marked rows take part as wild ones would: predicted from the others alone.
    aside[marked] = np.median(logs[train])
    both = train | marked
    guess = _from_others(features, aside, train, both, seed)
    distance, own = logs[marked] - guess[marked], logs[train] - guess[train]
    return float(np.median(distance)), _spread(distance), _spread(own)


def _from_others(features: FloatArray, logs: FloatArray, train: BoolArray, both: BoolArray, seed: int) -> FloatArray:
    rows = np.flatnonzero(both)
    guess = np.full(len(logs), np.nan)
    guess[rows] = cross_fitted(features[rows], logs[rows], train[rows], seed)
    return guess


def _spread(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
