"""What repeats show: genes that leave out something that matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.findings.finding import Finding
from rapid_moo.predictors import TargetTransform

FEWEST_PAIRS = 12
EXACT, DIFFERENT, STEPS = 0.15, 0.05, 10.0
UNLIKELY = 4.5
TOGETHER, PART = 0.6, 0.2


def lossy_coding(
    names: Sequence[str], values: Sequence[FloatArray], architecture: IntArray, seed: int
) -> list[Finding]:
    """Objectives whose repeats differ in a way that no noise does.

    Pairs of repeats are compared. The difference of two equally distributed unimodal errors is unimodal about 0 (Hodges
    and Lehmann), and so is any mixture of such differences, however much the noise varies. Three things are therefore
    no noise: some pairs agree exactly while others differ much; differences cluster away from 0; and the differences of
    two objectives go together (unless both come from one disturbed measurement).

    Parameters
    ----------
    names : sequence of str
        The objectives.
    values : sequence of ndarray of shape (n,)
        Their raw values.
    architecture : ndarray of shape (n,)
        Number of each row's architecture.
    seed : int
        Seed of the pairing.

    Source: J. L. Hodges, E. L. Lehmann, "Matching in paired comparisons", Annals of Mathematical Statistics 25, 1954.
    """
    first, second = _pairs(architecture, seed)
    if len(first) < FEWEST_PAIRS:
        return []
    found = []
    for name, each in zip(names, values, strict=True):
        difference = each[first] - each[second]
        why = _no_noise(each, difference)
        if why is None:
            logs = TargetTransform("log").fit(each).forward(each)
            why = _no_noise(logs, logs[first] - logs[second])
        if why is not None:
            found.append(
                Finding(
                    "lossy_coding",
                    name,
                    f"of {len(first):,} pairs of equal architectures, {why}",
                    (),
                    {"pairs": float(len(first)), "spread": _part(each, difference)},
                )
            )
    return found or _together(names, values, first, second)


def _together(names: Sequence[str], values: Sequence[FloatArray], first: IntArray, second: IntArray) -> list[Finding]:
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            a, b = (values[k][first] - values[k][second] for k in (i, j))
            parts = _part(values[i], a), _part(values[j], b)
            if min(parts) < PART:
                continue
            rank = float(spearmanr(a, b).statistic)
            if abs(rank) > TOGETHER and abs(rank) * np.sqrt(len(first) - 1.0) > UNLIKELY:
                return [
                    Finding(
                        "lossy_coding",
                        f"{names[i]} and {names[j]}",
                        f"of {len(first):,} pairs of equal architectures, those that differ in one differ in the other"
                        f" (rank correlation {rank:+.2f})",
                        (),
                        {"pairs": float(len(first)), "correlation": rank, "spread": min(parts)},
                    )
                ]
    return []


def _part(values: FloatArray, difference: FloatArray) -> float:
    """Spread within repeats as a share of the whole."""
    return float(np.sqrt(0.5 * np.mean(difference**2))) / max(float(values.std()), 1e-300)


def _pairs(architecture: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Disjoint pairs of rows of one architecture."""
    rows = np.random.default_rng(seed).permutation(len(architecture))
    rows = rows[np.argsort(architecture[rows], kind="stable")]
    label = architecture[rows]
    start = np.flatnonzero(np.concatenate([[True], label[1:] != label[:-1]]))
    place = np.arange(len(rows)) - np.repeat(start, np.diff(np.append(start, len(rows))))
    first = np.flatnonzero((place % 2 == 0) & (np.append(label[1:], -1) == label))
    return rows[first], rows[first + 1]


def _no_noise(values: FloatArray, difference: FloatArray) -> str | None:
    size = np.abs(difference)
    low, high = np.quantile(values, [0.25, 0.75])
    distinct = np.unique(values)
    if len(distinct) < 3 or high <= low:
        return None
    step = float(np.quantile(np.diff(distinct), 0.25))
    exact = size <= 1e-9 * float(np.ptp(values))
    different = size > max(DIFFERENT * float(high - low), STEPS * step if exact.any() else 0.0)
    by_chance = float(np.mean(np.random.default_rng(0).permutation(values) == values))
    least = max(4.0, EXACT * len(size))
    if exact.sum() >= least and different.sum() >= least and by_chance < 0.5 * exact.mean():
        return f"{int(exact.sum()):,} agree exactly and {int(different.sum()):,} differ much"
    top = float(np.quantile(size, 0.95))
    if top <= STEPS * step:
        return None
    for parts in (3, 4, 6, 8, 12, 16, 24):
        counts = np.histogram(size, parts, (0.0, top))[0].astype(np.float64)
        least_before = np.minimum.accumulate(counts)[:-1]
        strength = (counts[1:] - least_before) / np.sqrt(np.maximum(counts[1:] + least_before, 1.0))
        if float(strength.max()) > UNLIKELY:
            at = int(np.argmax(strength)) + 1
            return f"more differ by about {(at + 0.5) * top / parts:.3g} than by less, as if something else had changed"
    return None
