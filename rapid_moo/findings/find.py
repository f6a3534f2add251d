"""All detectors in the order in which one explains away what the next would see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.findings.columns import dependent_objectives, duplicated_genes
from rapid_moo.findings.explained import FEWEST_ROWS, Explained, explain
from rapid_moo.findings.finding import Finding, rows_text
from rapid_moo.findings.order import alternation, blocks, mask, spikes
from rapid_moo.findings.repeats import lossy_coding
from rapid_moo.findings.units import mixed_units
from rapid_moo.findings.values import failure_codes, pile
from rapid_moo.genes import Gene
from rapid_moo.predictors import TargetTransform

LEAST_TAU, BELOW, FEW = 0.4, 0.15, 0.02


@dataclass(frozen=True, eq=False)
class Look:
    """One objective as the detectors see it.

    Attributes
    ----------
    name : str
        The objective.
    values : ndarray of shape (n,)
        Raw values.
    exact : bool
        Whether it is computed from the architecture: nothing of its rows can be odd.
    """

    name: str
    values: FloatArray
    exact: bool = False


def find_all(
    looks: Sequence[Look],
    genes: Sequence[Gene],
    codes: IntArray,
    features: FloatArray,
    architecture: IntArray,
    seed: int = 0,
) -> tuple[Finding, ...]:
    """Everything that the detectors find.

    Parameters
    ----------
    looks : sequence of Look
        The objectives.
    genes : sequence of Gene
        The columns of the codes.
    codes : ndarray of shape (n, n_genes)
        What the file says of each gene.
    features : ndarray of shape (n, n_features)
        What predictors see.
    architecture : ndarray of shape (n,)
        Number of each row's architecture; equal for repeats.
    seed : int
        Seed of folds, regressors and pairs.
    """
    found = duplicated_genes(genes, codes)
    kept: list[IntArray] = []
    measured = [look for look in looks if not look.exact]
    for look in measured:
        of_rows, rows = _of_rows(look, features, seed)
        found += of_rows
        kept.append(rows)
    found += dependent_objectives([look.name for look in measured], [look.values for look in measured], kept)
    held = np.arange(len(codes))
    for rows in kept:
        held = np.intersect1d(held, rows)
    found += lossy_coding(
        [look.name for look in measured], [look.values[held] for look in measured], architecture[held], seed
    )
    return tuple(found)


def _of_rows(look: Look, features: FloatArray, seed: int) -> tuple[list[Finding], IntArray]:
    """Findings about single objectives, and the rows that hold a measure."""
    n, values = len(look.values), look.values
    found = failure_codes(look.name, values)
    kept = ~mask(found, n)
    if kept.sum() < FEWEST_ROWS or np.ptp(values[kept]) == 0.0 or not features.shape[1]:
        return found, np.flatnonzero(kept)
    units = mixed_units(look.name, values, features, kept, seed)
    found += units
    kept &= ~mask(units, n)
    seen = explain(features, values, kept, seed)
    score = seen.score
    stretches = blocks(look.name, seen)
    found += stretches
    score = np.where(mask(stretches, n), np.nan, score)
    found += alternation(look.name, score, features, seed)
    single = spikes(look.name, values, score, seen)
    found += single
    found += few_dominate(look.name, values, seen, kept & ~pile(values), mask(single, n))
    return found, np.flatnonzero(kept & ~pile(values))


def few_dominate(name: str, values: FloatArray, seen: Explained, kept: BoolArray, spiked: BoolArray) -> list[Finding]:
    """Whether the order is learnt and yet R2 is far below tau squared, because of a few rows.

    For normal errors R2 is at least tau squared. It is below where single rows are far off (``spiked``), and comes back
    without them; or where it is low on any scale, and comes back once one row in fifty is left out. Skewed values alone
    are no such case.
    """
    rows = np.flatnonzero(kept & np.isfinite(seen.score))
    if len(rows) < FEWEST_ROWS:
        return []
    goal, guess, y = seen.goal[rows], seen.predicted[rows], values[rows]
    tau = float(kendalltau(goal, guess).statistic) if np.ptp(guess) > 0.0 and np.ptp(goal) > 0.0 else 0.0
    if not tau >= LEAST_TAU:
        return []
    few = spiked[rows]
    if few.any():
        r2, without = _r2_of_line(y, guess), _r2_of_line(y[~few], guess[~few])
    else:
        bent = TargetTransform("log").fit(y).forward(y)
        size = np.abs(goal - guess)
        few = size >= np.quantile(size, 1.0 - FEW)
        r2, without = max(_r2(goal, guess), _r2_of_line(bent, guess)), _r2(goal[~few], guess[~few])
    if r2 > tau**2 - BELOW or without < tau**2 - BELOW / 2.0:
        return []
    shown = tuple(rows[few].tolist())
    return [
        Finding(
            "few_dominate",
            name,
            f"R2 is {r2:.2f} though the order is learnt (Kendall tau {tau:.2f}, tau squared {tau**2:.2f});"
            f" without {rows_text(shown)} it is {without:.2f}",
            shown,
            {"r2": r2, "kendall_tau": tau, "r2_without": without},
        )
    ]


def _r2(truth: FloatArray, guess: FloatArray) -> float:
    variance = float(truth.var())
    return 1.0 - float(np.mean((truth - guess) ** 2)) / variance if variance > 0.0 else 1.0


def _r2_of_line(truth: FloatArray, guess: FloatArray) -> float:
    if np.ptp(truth) == 0.0 or np.ptp(guess) == 0.0:
        return 1.0
    return float(np.corrcoef(truth, guess)[0, 1]) ** 2
