"""What a triplet's predictions are worth: ADRS of what they would pick first, on many halves of the sample."""

from __future__ import annotations

from functools import cached_property

import moocore
import numpy as np
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import adrs
from rapid_moo.pareto import front_points, pareto_ranks

_crowding = get_crowding_function("cd")
FEWEST_PICKS = 3
PAIRS_OF_HALVES = 10


def pick_order(predicted: FloatArray) -> IntArray:
    """Rows in the order in which predictions would have them evaluated: by front, then by crowding distance."""
    ranks = pareto_ranks(predicted)
    crowding = np.zeros(len(predicted))
    order = np.argsort(ranks, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(ranks[order])) + 1):
        crowding[rows] = _crowding.do(predicted[rows])
    return np.lexsort((-crowding, ranks)).astype(np.int64)


def pick_loss(true: FloatArray, predicted: FloatArray) -> float:
    """ADRS of the rows that predictions pick first, at a fixed bill.

    RAPID scores the whole predicted front, however long it is; ADRS never rises with more points, so that favours
    triplets that predict long fronts. Here every triplet gets the same bill: the mean ADRS after as many, and after
    twice as many, picks as the true front has points.

    Parameters
    ----------
    true, predicted : ndarray of shape (n, n_objectives)
        Minimised values of the same rows.

    Returns
    -------
    float
        0 if the first picks are the true front.
    """
    front = front_points(true)
    order = pick_order(predicted)
    return float(np.mean([adrs(true[order[:bill]], reference=front) for bill in _bills(len(front), len(true))]))


def _bills(front_size: int, n: int) -> list[int]:
    return sorted({min(n, max(FEWEST_PICKS, factor * front_size)) for factor in (1, 2)})


class ResampledLoss:
    """:func:`pick_loss` on random halves of a sample, the same halves for every triplet.

    One sample's front is a few rows, and which they are is luck: the best of many losses on it is too good to be
    true. Half-samples say how much a difference between two triplets depends on the rows that happen to be there.
    They come in complementary pairs, so that what is chosen on one half can be judged on the other.

    Parameters
    ----------
    F : ndarray of shape (n, n_objectives)
        Minimised true values.
    seed : int
        Seed of the halves.
    pairs : int
        Pairs of halves; ``2 * pairs`` losses come out.

    Attributes
    ----------
    halves : list of ndarray
        Rows of each half; those of ``2 i`` and ``2 i + 1`` are complementary.

    References
    ----------
    P. J. McCarthy, "Pseudo-replication: half samples", Review of the International Statistical Institute 37, 1969: the
    spread of a statistic over half-samples estimates its standard error on the whole sample.
    """

    def __init__(self, F: FloatArray, seed: int, pairs: int = PAIRS_OF_HALVES) -> None:
        self.F = F
        rng = np.random.default_rng(seed)
        self.halves: list[IntArray] = []
        for _ in range(pairs):
            order = rng.permutation(len(F)).astype(np.int64)
            middle = len(order) // 2
            self.halves += [np.sort(order[:middle]), np.sort(order[middle:])]
        self._parts = [_Part(F[rows]) for rows in self.halves]

    def __len__(self) -> int:
        return len(self.halves)

    def losses(self, predicted: FloatArray, count: int | None = None) -> FloatArray:
        """Loss of minimised predictions of shape (n, n_objectives) on each (of the first ``count``) halves."""
        ranks = _dense_ranks(predicted)
        chosen = list(zip(self.halves, self._parts, strict=True))[:count]
        return np.array([part.loss(predicted[rows], ranks[rows]) for rows, part in chosen])

    def on_half(self, predicted: FloatArray, i: int) -> float:
        """Loss of minimised predictions of shape (n, n_objectives) on half ``i``."""
        rows = self.halves[i]
        return self._parts[i].loss(predicted[rows], _dense_ranks(predicted[rows]))

    def whole(self, predicted: FloatArray) -> float:
        """Loss on the whole sample; the value of :func:`pick_loss`."""
        return self._whole.loss(predicted, _dense_ranks(predicted))

    @cached_property
    def _whole(self) -> _Part:
        return _Part(self.F)


class _Part:
    """Some rows: the distance of each to their front is computed once for all triplets."""

    def __init__(self, F: FloatArray) -> None:
        front = front_points(F)
        span = np.ptp(front, axis=0)
        flat = span <= 0.0
        scale = np.where(flat, 1.0, span)
        self.distance = np.zeros((len(front), len(F)))
        for k in range(F.shape[1]):
            gap = np.abs(front[:, k, None] - F[None, :, k]) / scale[k]
            # Where the front has no range, equal values differ by 0 and all others by 1, as in adrs().
            np.maximum(self.distance, np.sign(gap) if flat[k] else gap, out=self.distance)
        self.bills = _bills(len(front), len(F))

    def loss(self, predicted: FloatArray, ranks: FloatArray) -> float:
        fronts = np.asarray(moocore.pareto_rank(ranks))
        sizes = np.cumsum(np.bincount(fronts))
        total = 0.0
        for bill in self.bills:
            last = int(np.searchsorted(sizes, bill))
            inside, border = np.flatnonzero(fronts < last), np.flatnonzero(fronts == last)
            left = bill - len(inside)
            if left < len(border):
                border = border[np.argsort(-_crowding.do(predicted[border]), kind="stable")[:left]]
            picked = np.concatenate([inside, border])
            total += float(self.distance[:, picked].min(axis=1).mean())
        return total / len(self.bills)


def _dense_ranks(predicted: FloatArray) -> FloatArray:
    """Ranks that stand for the values: dominance only compares."""
    return np.column_stack([np.unique(column, return_inverse=True)[1] for column in predicted.T]).astype(np.float64)
