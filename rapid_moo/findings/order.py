"""What the order of the rows shows in the residuals: warm-up, blocks, alternation; and single spikes."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.findings.explained import Explained, shares_explained
from rapid_moo.findings.finding import Finding, rows_text

FEWEST_ROWS, SHORTEST, LONGEST = 30, 5, 0.34
TAME = 4.0
CHANCE, PROMISING = 1e-4, 0.6
SHIFT = 1.0
BY_GENES = 0.25
BEGINNING, FIRST, FEW = 0.02, 0.125, 400
DRIFTING = 0.3
SPIKE, SPIKES, SPIKE_GAP, CLUSTER, LEAST = 10.0, 0.03, 1.8, 0.05, 0.5
LONG_TAIL, LONG_GAP = 5.5, 3.0
ALTERNATES, CHANCES, NEIGHBOURS = 0.25, 5.0, 0.3


def blocks(name: str, seen: Explained) -> list[Finding]:
    """Stretches of rows whose residuals are shifted together; one at the beginning is a warm-up.

    The most shifted stretch is looked at again with predictions that have learnt nothing from it. A stretch that the
    genes tell apart (a file sorted by a gene) is no evidence, nor one of a drift, in which all rows are like their
    neighbours.

    Parameters
    ----------
    name : str
        The objective.
    seen : Explained
        Its residuals.
    """
    rows = np.flatnonzero(np.isfinite(seen.score))
    found: list[Finding] = []
    if len(rows) < FEWEST_ROWS:
        return found
    gone = np.zeros(len(rows), dtype=np.bool_)
    score = seen.score[rows]
    for _ in range(3):
        places = np.flatnonzero(~gone)
        start, stop, strength = _stretch(np.clip(score[places], -TAME, TAME))
        if strength < PROMISING * _limit(len(places)):
            if found or len(places) > FEW:
                break
            # Of few rows a warm-up bends all predictions: look at the beginning in any case.
            start, stop = 0, max(SHORTEST, round(FIRST * len(places)))
        inside = np.zeros(len(seen.score), dtype=np.bool_)
        inside[rows[places[start:stop]]] = True
        aside = inside.copy()
        aside[rows[gone]] = True
        score = seen.without(aside)[rows]
        start, stop, strength = _stretch(np.clip(score[places], -TAME, TAME))
        shift = _shift(score[places], start, stop)
        if strength < _limit(len(places)) or abs(shift) < SHIFT:
            break
        inside[:] = False
        inside[rows[places[start:stop]]] = True
        if shares_explained(seen.features[rows], inside[rows], seen.seed) > BY_GENES:
            break
        first = bool(start <= max(2.0, BEGINNING * len(places)) and not gone[: places[start]].any())
        block = places[(0 if first else start) : stop]
        gone[block] = True
        shown = tuple(rows[block].tolist())
        found.append(
            Finding(
                "warm_up" if first else "outlier_block",
                name,
                f"{rows_text(shown)} are {'above' if shift > 0 else 'below'} what their architectures suggest, by"
                f" {abs(shift):.1f} times the usual error (median)",
                shown,
                {"rows": float(len(shown)), "shift": shift, "strength": strength},
            )
        )
        if (~gone).sum() < FEWEST_ROWS:
            break
    # Where what is left is like its neighbours too, the level wanders: there are no blocks.
    if found and _lag(np.clip(score[~gone], -TAME, TAME), 1) > DRIFTING:
        return []
    return found


def spikes(name: str, values: FloatArray, score: FloatArray, seen: Explained) -> list[Finding]:
    """Rows whose residuals are ten times the usual ones, far beyond all others and at least half a standard deviation.

    The last is for values without noise: what a predictor misses of those is its own doing. It holds of raw values too
    where a bent scale is steep: near its origin a logarithm makes much of little.
    A group of nearly equal values is a pile (networks that learnt nothing), no spikes.

    In a long tail the largest residual alone may be far beyond the next, but the logarithm of the gap below the k-th
    largest has a mean that falls as 1/k (A. Rényi, "On the theory of order statistics", Acta Math. Acad. Sci. Hung. 4,
    1953): that several lie beyond a wide gap is no tail's doing.
    """
    rows = np.flatnonzero(np.isfinite(score))
    if len(rows) < FEWEST_ROWS:
        return []
    size = np.abs(score[rows])
    size = np.where(_slight(values[rows], seen.goal[rows], seen.predicted[rows]), np.minimum(size, SPIKE), size)
    order = np.argsort(-size, kind="stable")
    top = size[order]
    most = max(1, int(SPIKES * len(rows)))
    ratio = top[:most] / np.maximum(top[1 : most + 1], 1.0)
    # Where the others' errors have a long tail of their own, more is asked, the less the more rows lie beyond the gap.
    beyond = np.arange(1, most + 1)
    asked = np.where(top[1 : most + 1] > LONG_TAIL, LONG_GAP ** np.minimum(1.0, 2.0 / beyond), SPIKE_GAP)
    far = np.flatnonzero((ratio > np.maximum(asked, SPIKE_GAP)) & (top[:most] > SPIKE))
    if not len(far):
        return []
    wild = np.sort(rows[order[: int(far[-1]) + 1]])
    rest = np.setdiff1d(rows, wild)
    apart = abs(float(np.median(values[wild]) - np.median(values[rest])))
    if len(wild) >= 3 and float(np.ptp(values[wild])) < CLUSTER * apart:
        return []
    shown = tuple(wild.tolist())
    at = int(rows[order[0]])
    return [
        Finding(
            "spikes",
            name,
            f"{rows_text(shown)}: the largest, {values[at]:.6g} in row {at + 1}, is {top[0]:.0f} times the usual error"
            f" away from what its architecture suggests; no other row more than {top[len(wild)]:.1f} times",
            shown,
            {"rows": float(len(wild)), "largest": float(top[0]), "others": float(top[len(wild)])},
        )
    ]


def _slight(values: FloatArray, goal: FloatArray, predicted: FloatArray) -> BoolArray:
    """Rows that are missed by less than half a standard deviation."""
    missed = goal - predicted
    order = np.argsort(values, kind="stable")
    at, to = values[order], goal[order]
    middle = len(order) // 2
    below, above = at[middle] - at[0], at[-1] - at[middle]
    # The scale is steep below its median, or above.
    bend = float(np.sign((to[-1] - to[middle]) * below - (to[middle] - to[0]) * above))
    raw = values - np.interp(predicted, to, at)
    steep = (bend * missed > 0.0) & (np.abs(raw) < LEAST * float(values.std()))
    return np.asarray((np.abs(missed) < LEAST * float(goal.std())) | steep)


def alternation(name: str, score: FloatArray, features: FloatArray, seed: int) -> list[Finding]:
    """Residuals that change sides from row to row, where neither genes nor their order explain it."""
    rows = np.flatnonzero(np.isfinite(score))
    if len(rows) < FEWEST_ROWS or not len(features[0]):
        return []
    tame = np.clip(score[rows], -TAME, TAME)
    tame = (tame - tame.mean()) / max(float(tame.std()), 1e-12)
    lag = _lag(np.where(np.isfinite(score), np.clip(score, -TAME, TAME), 0.0), 1)
    odd = rows % 2 == 1
    by_turns = float(tame[odd].mean() - tame[~odd].mean()) / 2.0 if odd.any() and (~odd).any() else 0.0
    steady = abs(by_turns) > ALTERNATES and abs(by_turns) * np.sqrt(len(rows)) > CHANCES
    if steady and shares_explained(features[rows], odd, seed) > BY_GENES:
        return []
    sides = lag < -ALTERNATES and -lag * np.sqrt(len(rows)) > CHANCES
    if not steady and (not sides or _ordered(features)):
        return []
    return [
        Finding(
            "alternation",
            name,
            f"residuals change sides from row to row (autocorrelation {lag:+.2f}"
            + (f"; every second row differs by {2.0 * abs(by_turns):.1f} standard deviations)" if steady else ")"),
            (),
            {"autocorrelation": lag, "by_turns": by_turns},
        )
    ]


def _stretch(score: FloatArray) -> tuple[int, int, float]:
    """The most shifted stretch: its first row, the one after its last, and its shift in standard errors."""
    n = len(score)
    total = np.concatenate([[0.0], np.cumsum((score - score.mean()) / max(float(score.std()), 1e-12))])
    best = (0, SHORTEST, 0.0)
    for length in _lengths(n):
        sums = np.abs(total[length:] - total[:-length]) / np.sqrt(length * (1.0 - length / n))
        at = int(np.argmax(sums))
        if sums[at] > best[2]:
            best = at, at + int(length), float(sums[at])
    return best


def _limit(n: int) -> float:
    """What the most shifted stretch of independent rows does not exceed."""
    return float(norm.isf(CHANCE / (4.0 * n)))


def _shift(score: FloatArray, start: int, stop: int) -> float:
    outside = np.concatenate([score[:start], score[stop:]])
    spread = max(1.0, float(np.clip(outside, -TAME, TAME).std()))
    return float(np.median(score[start:stop]) - np.median(outside)) / spread


def _lengths(n: int) -> IntArray:
    longest = max(SHORTEST + 1, int(LONGEST * n))
    return np.unique(np.geomspace(SHORTEST, longest, 40).astype(np.int64))


def _lag(score: FloatArray, lag: int) -> float:
    a, b = score[:-lag], score[lag:]
    if len(a) < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _ordered(features: FloatArray) -> bool:
    """Whether some gene of a row tells of the next row's."""
    return any(abs(_lag(column, lag)) > NEIGHBOURS for column in features.T for lag in (1, 2))


def mask(findings: list[Finding], n: int) -> BoolArray:
    """Rows that findings name, shape (n,)."""
    marked = np.zeros(n, dtype=np.bool_)
    for finding in findings:
        marked[list(finding.rows)] = True
    return marked
