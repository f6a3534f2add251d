"""Measuring again: which known architectures are worth another measurement in place of a new one.

A front of noisy values is partly luck. Where an objective says ``repeats="auto"``, a batch holds new architectures and
further measurements of known ones, whichever is worth more. Both are judged by one loss, in units of the front's range:

* how far the true front is from what is known: the mean square root of the distance from the points of possible fronts
  to the nearest known value, which is what a batch is chosen by (:mod:`rapid_moo.acquisition`);
* how far what is shown as the front is from the truth: the mean square root of the distance from each of its members'
  measured values to its possible true values.

A value that is wrong by a tenth thus counts as much as a gap of a tenth. A new architecture lowers the first, as far as
its own noise lets it; a repeat of a member lowers the second, and a repeat of an architecture that may belong to the
front lowers the first. The truth of a known architecture lies where its own measurements and a predictor that has not
seen them say, weighed by their precisions. Per cost the largest fall goes first, until the batch's price is spent.

How noisy measurements are, repeats and class mates tell (:mod:`rapid_moo.noise`). As long as they do not, up to half of
each batch measures members of the front again. Repeats never cost more than :data:`SHARE` of the bill.

A table has one value for each architecture: there, and on predictors, nothing is measured again.

What it is worth: ``benchmarks/results/repeats/report.md``. The front's values are truer, its noise-free hypervolume is
lower at an equal bill, so nothing is measured again unless an objective says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.acquisition import JOINT_POOL, N_DRAWS, draw_truths, probability_nondominated, promising, within_reach
from rapid_moo.batches import Batch
from rapid_moo.noise import Noise, noise_of
from rapid_moo.objectives import Objective, signs, to_minimised
from rapid_moo.pareto import front_indices, front_range
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.sources import MeasureSource
from rapid_moo.store import Store

SHARE = 0.3
LEARNT, EQUAL = 5, 2
"""Degrees of freedom from which on the noise counts as known: its standard deviation is then known to a third.

Of equal repeats fewer are enough."""
MOST_DRAWN = 150
"""Points of each possible front that are to be covered, and known architectures that may be measured again."""


@dataclass(frozen=True, eq=False)
class Repeating:
    """What may be measured again of a problem, and at which price.

    Attributes
    ----------
    groups : tuple of ndarray of shape (n_objectives,)
        Objectives that are measured together and may be measured again, as masks. Where no costs are stated, an
        evaluation is the unit, and they are one group.
    prices : tuple of float
        What measuring each group once more costs.
    full : float
        What a new architecture costs.
    single : ndarray of shape (n_objectives,)
        What one measurement of each objective costs; 0 where no costs are stated.
    times : ndarray of shape (n_objectives,)
        How often each is measured of every architecture.
    """

    groups: tuple[BoolArray, ...]
    prices: tuple[float, ...]
    full: float
    single: FloatArray
    times: IntArray

    @classmethod
    def of(cls, problem: ArchitectureProblem) -> Repeating | None:
        """What may be measured again of a problem; None where nothing is."""
        if not isinstance(problem.source, MeasureSource):
            return None
        chosen = {k for k, objective in enumerate(problem.objectives) if objective.chosen_repeats}
        groups = [np.isin(np.arange(problem.n_obj), part) for part in problem.parts if chosen & set(part)]
        if not groups:
            return None
        times = np.array([objective.times for objective in problem.objectives], dtype=np.int64)
        if not problem.costs_stated:
            return cls((np.logical_or.reduce(groups),), (1.0,), 1.0, np.zeros(problem.n_obj), times)
        prices = tuple(float(problem.prices[group].sum()) for group in groups)
        return cls(tuple(groups), prices, float(problem.evaluation_prices.sum()), problem.prices, times)

    def cost(self, wanted: BoolArray) -> float:
        """What it costs to measure objectives of one architecture again, shape (n_objectives,)."""
        return sum(price for group, price in zip(self.groups, self.prices, strict=True) if wanted[group].any())

    def replaced(self, pairs: Sequence[tuple[int, int]]) -> int:
        """How many new architectures give way to what is measured again: pairs of anything and a group."""
        cost = sum(self.prices[g] for _, g in pairs)
        return int(np.ceil(cost / self.full * (1.0 - 1e-9))) if cost else 0

    def left(self, store: Store, rows: IntArray, n_new: int, under_way: float) -> float:
        """What may still be spent on measuring again.

        Parameters
        ----------
        store : Store
            The evaluations.
        rows : ndarray of shape (n,)
            Rows of which something was measured.
        n_new : int
            Architectures of the next batch, whose price counts as spent.
        under_way : float
            What the repeats that were asked for and not told cost.
        """
        paid = store.paid_of(rows)
        more = np.maximum(paid - self.times, 0)
        again = sum(p * more[:, g].max(axis=1, initial=0).sum() for g, p in zip(self.groups, self.prices, strict=True))
        # Where an evaluation is the unit, one is whatever was measured of an architecture.
        spent = (paid @ self.single).sum() if self.single.any() else (paid.max(axis=1, initial=0) > 0).sum() + again
        return float(SHARE * (spent + under_way + n_new * self.full) - again - under_way)


@dataclass(frozen=True, eq=False)
class Measured:
    """Architectures that may be measured again: complete and feasible ones; values are minimised.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Rows of the store.
    values : ndarray of shape (n, n_objectives)
        Means of what was measured.
    count : ndarray of shape (n, n_objectives)
        How often.
    foretold, spread : ndarray of shape (n, n_objectives)
        What predictors that have not seen them say, and the spread of a measurement about it.
    noise : ndarray of shape (n, n_objectives)
        Standard deviation of one measurement; 0 where there is none.
    free : ndarray of shape (n, n_groups)
        Which groups may be measured again now: not under way, and no other measurement failed.
    lacking : ndarray of shape (n_groups,)
        Degrees of freedom that the noise of each group lacks to be known; 0 where it is.
    """

    rows: IntArray
    values: FloatArray
    count: IntArray
    foretold: FloatArray
    spread: FloatArray
    noise: FloatArray
    free: BoolArray
    lacking: IntArray

    @classmethod
    def of(
        cls,
        store: Store,
        rows: IntArray,
        objectives: Sequence[Objective],
        repeating: Repeating,
        foretold: tuple[FloatArray, FloatArray],
        idle: BoolArray,
    ) -> Measured:
        """Rows of a store with the noise that it tells of.

        Parameters
        ----------
        store : Store
            The evaluations.
        rows : ndarray of shape (n,)
            Complete and feasible ones.
        objectives : sequence of Objective
            Names and directions.
        repeating : Repeating
            What may be measured again.
        foretold : tuple of ndarray of shape (n, n_objectives)
            Raw means and spreads of predictors that have not seen the rows.
        idle : ndarray of shape (n,)
            Which rows nobody works on.
        """
        raw, n_obj = store.raw_of(rows)[:, : len(objectives)], len(objectives)
        every = np.logical_or.reduce(repeating.groups)
        noise = [noise_of(store, k) if every[k] else None for k in range(n_obj)]
        single = np.zeros_like(raw)
        for k, found in enumerate(noise):
            if found is not None:
                single[:, k] = found.of(raw[:, k])
        failed = store.failed_again[rows][:, :n_obj]
        free = np.column_stack([idle & ~failed[:, group].any(axis=1) for group in repeating.groups])
        lacks = np.array([_lacking(found) if on else 0 for found, on in zip(noise, every, strict=True)])
        lacking = np.array([lacks[group].max() for group in repeating.groups], dtype=np.int64)
        mean, std = foretold
        values, sign = to_minimised(raw, objectives), signs(objectives)
        return cls(rows, values, store.repeats[rows][:, :n_obj], mean * sign, std, single, free, lacking)

    def truth(self) -> tuple[FloatArray, FloatArray]:
        """Expected true values and their spread: measurements and foretold values, weighed by their precisions."""
        noisy = self.noise > 0.0
        own = np.where(noisy, self.noise**2 / np.maximum(self.count, 1), 0.0)
        # A predictor is never surer of a truth than a hundredth of how much the values vary.
        least = 1e-4 * self.values.var(axis=0)
        prior = np.maximum(self.spread**2 - self.noise**2, least)
        share = np.divide(prior, prior + own, out=np.ones_like(prior), where=noisy)
        return self.foretold + share * (self.values - self.foretold), np.sqrt(share * own)


def _lacking(noise: Noise | None) -> int:
    """Degrees of freedom that an objective's noise lacks; two equal pairs tell that nothing is random."""
    if noise is None:
        return LEARNT
    return max(0, (LEARNT if noise.std else EQUAL) - noise.freedom)


def mixed_batch(
    batch: Batch, measured: Measured, repeating: Repeating, pending: int, left: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray, BoolArray]:
    """Which of a batch's new architectures to keep, and what to measure again in place of the others.

    Parameters
    ----------
    batch : Batch
        The batch that was chosen, and from what.
    measured : Measured
        What may be measured again.
    repeating : Repeating
        In what, and at which price.
    pending : int
        How many further architectures the batch's ``draw`` knows, which are being evaluated.
    left : float
        What may be spent on measuring again.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    kept : ndarray of shape (n_kept,)
        Positions of the candidates that stay in the batch, in its order.
    rows : ndarray of shape (n_again,)
        Rows of the store.
    wanted : ndarray of shape (n_again, n_objectives)
        What to measure again of each.
    """
    kept = batch.chosen
    if measured.lacking.any():
        pairs = _learning(measured, repeating, len(kept), left)
        kept = kept[: len(kept) - repeating.replaced(pairs)]
    else:
        kept, pairs = measured_again(batch, measured, repeating, pending, left, rng)
    wanted: dict[int, BoolArray] = {}
    for i, g in pairs:
        wanted[i] = wanted.get(i, np.zeros(len(repeating.times), dtype=np.bool_)) | repeating.groups[g]
    masks = np.array(list(wanted.values()), dtype=np.bool_).reshape(len(wanted), len(repeating.times))
    return kept, measured.rows[np.array(list(wanted), dtype=np.int64)], masks


def _learning(measured: Measured, repeating: Repeating, n_new: int, left: float) -> list[tuple[int, int]]:
    """What is measured again for the noise's sake, at most at half of a batch's price."""
    pairs: list[tuple[int, int]] = []
    half = repeating.full * max(1, n_new // 2)
    for g, price in enumerate(repeating.prices):
        most = int(measured.lacking[g])
        if price > 0.0:
            most = int(min(most, min(left, half) / price * (1.0 + 1e-9)))
        found = learning(measured, g, most)
        left, half = left - price * len(found), half - price * len(found)
        pairs += [(int(i), g) for i in found]
    return pairs


def learning(measured: Measured, group: int, most: int) -> IntArray:
    """Positions to measure again for the noise's sake: of the front, those measured least often, evenly along it.

    Parameters
    ----------
    measured : Measured
        What may be measured again.
    group : int
        Which group of objectives.
    most : int
        How many.
    """
    front = front_indices(measured.values)
    front = front[measured.free[front, group]]
    if most < 1 or not len(front):
        return np.asarray(front[:0], dtype=np.int64)
    most = min(most, len(front))
    often = measured.count[front].max(axis=1)
    order = front[np.lexsort((measured.values[front, 0], often))]
    fewest = order[: max(most, int((often == often.min()).sum()))]
    spread = np.unique(np.linspace(0, len(fewest) - 1, most).round().astype(np.int64))
    return np.asarray(fewest[spread], dtype=np.int64)


def measured_again(
    batch: Batch, measured: Measured, repeating: Repeating, pending: int, left: float, rng: np.random.Generator
) -> tuple[IntArray, list[tuple[int, int]]]:
    """As :func:`mixed_batch`, where the noise is known.

    Returns
    -------
    kept : ndarray of shape (n_kept,)
        Positions of the candidates that stay in the batch, in its order.
    again : list of (int, int)
        Positions of ``measured`` and of the groups.
    """
    mean, std = measured.truth()
    front = front_indices(measured.values)
    scale = front_range(measured.values, front)
    truths = draw_truths(mean, std, N_DRAWS, rng)
    chance = probability_nondominated(truths, np.empty((0, mean.shape[1])))
    chance[front] += 1.0
    able = np.flatnonzero((chance > 0.0) & measured.free.any(axis=1) & (measured.noise > 0.0).any(axis=1))
    able = able[np.argsort(-chance[able], kind="stable")[:MOST_DRAWN]]
    pairs = [(i, g) for i in able.tolist() for g in np.flatnonzero(measured.free[i]).tolist()]
    pairs = [(i, g) for i, g in pairs if measured.noise[i, repeating.groups[g]].any()]
    if not pairs or left <= 0.0:
        return batch.chosen, []

    later = _remeasured(measured, truths, pairs, repeating, rng)
    at = np.array([i for i, _ in pairs])
    # How far what is shown is from the truth, now and after another measurement.
    member = np.isin(at, front)
    now, then = _root(measured.values[at] - truths[:, at], scale), _root(later - truths[:, at], scale)
    truthful = np.where(member, (now - then).mean(axis=0) / len(front), 0.0)

    targets, shown, new = _possible(batch, measured, truths, measured.values[front], pending, rng)
    values = np.concatenate([new, later], axis=1)
    extra = np.concatenate([np.zeros(new.shape[1]), truthful])
    prices = np.array([repeating.full] * len(batch.chosen) + [repeating.prices[g] for _, g in pairs])
    picked = _greedy(targets, shown, values, scale, extra, prices, len(batch.chosen), left)
    n = len(batch.chosen)
    return batch.chosen[sorted(c for c in picked if c < n)], [pairs[c - n] for c in picked if c >= n]


def _remeasured(
    measured: Measured,
    truths: FloatArray,
    pairs: list[tuple[int, int]],
    repeating: Repeating,
    rng: np.random.Generator,
) -> FloatArray:
    """What the mean may be after another measurement, shape (n_draws, n_pairs, n_objectives)."""
    at = np.array([i for i, _ in pairs])
    renewed = np.array([repeating.groups[g] for _, g in pairs])
    n = measured.count[at]
    single = truths[:, at] + measured.noise[at] * rng.standard_normal((len(truths), *renewed.shape))
    return np.asarray(np.where(renewed, (n * measured.values[at] + single) / (n + 1.0), measured.values[at]))


def _possible(
    batch: Batch, measured: Measured, truths: FloatArray, known: FloatArray, pending: int, rng: np.random.Generator
) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
    """Possible fronts, what is shown then, and what the batch's architectures are measured at.

    Returns
    -------
    targets, shown : list of ndarray of shape (n, n_objectives)
        Of each draw the points of the true front, and the values that are or will be known without the batch.
    new : ndarray of shape (n_draws, n_chosen, n_objectives)
        What is measured of the batch.
    """
    n = len(batch.X)
    pool = np.union1d(promising(batch.mean, batch.std, batch.known, JOINT_POOL, seed=rng), batch.chosen)
    draws = batch.draw(np.concatenate([pool, np.arange(n, n + pending)]), N_DRAWS)
    draws[:, : len(pool)] = within_reach(draws[:, : len(pool)], batch.known, batch.mean[pool])
    seen, waiting = draws[:, : len(pool)], draws[:, len(pool) :]
    # A draw is of a measurement; the truth is nearer to what is expected, and measured with an error of its own.
    noise = np.median(measured.noise, axis=0)
    std = batch.std[pool]
    share = np.sqrt(np.divide(np.maximum(std**2 - noise**2, 0.0), std**2, out=np.ones_like(std), where=std > 0.0))
    share = np.where(noise > 0.0, share, 1.0)
    truth = batch.mean[pool] + share * (seen - batch.mean[pool])
    at = np.searchsorted(pool, batch.chosen)
    new = truth[:, at] + noise * rng.standard_normal((len(draws), len(at), draws.shape[2]))
    targets, shown = [], []
    for i in range(len(draws)):
        points = np.vstack([truth[i], truths[i]])
        found = front_indices(points)
        if len(found) > MOST_DRAWN:
            found = rng.choice(found, MOST_DRAWN, replace=False)
        targets.append(points[found])
        shown.append(np.vstack([known, waiting[i]]))
    return targets, shown, np.asarray(new)


def _root(apart: FloatArray, scale: FloatArray) -> FloatArray:
    """Square root of the Chebyshev distance in units of the front's range."""
    return np.asarray(np.sqrt((np.abs(apart) / scale).max(axis=-1)))


def _greedy(
    targets: list[FloatArray],
    shown: list[FloatArray],
    values: FloatArray,
    scale: FloatArray,
    extra: FloatArray,
    prices: FloatArray,
    n_new: int,
    left: float,
) -> list[int]:
    """Candidates of the largest gain per price, one after the other, until the price of ``n_new`` new ones is spent.

    Parameters
    ----------
    targets, shown : list of ndarray of shape (n, n_objectives)
        Points to cover in each draw, and what covers them already.
    values : ndarray of shape (n_draws, n_candidates, n_objectives)
        What each candidate covers; the first ``n_new`` are new architectures.
    scale : ndarray of shape (n_objectives,)
        Unit of each objective.
    extra : ndarray of shape (n_candidates,)
        What each gains besides.
    prices : ndarray of shape (n_candidates,)
        What each costs.
    n_new : int
        Number of new architectures; they are equally dear.
    left : float
        What the others may cost in all.
    """
    n_draws, n_candidates = values.shape[:2]
    width = max(len(points) for points in targets)
    apart = np.zeros((n_candidates, n_draws, width), dtype=np.float32)
    open_ = np.zeros((n_draws, width), dtype=np.float32)
    weights = np.zeros((n_draws, 1), dtype=np.float32)
    for i, points in enumerate(targets):
        n = len(points)
        apart[:, i, :n] = _root(values[i][:, None] - points, scale)
        open_[i, :n] = _root(shown[i][:, None] - points, scale).min(axis=0)
        weights[i] = 1.0 / (n * n_draws)
    budget = float(prices[:n_new].sum())
    picked: list[int] = []
    possible = np.ones(n_candidates, dtype=np.bool_)
    while True:
        possible &= prices <= budget * (1.0 + 1e-9)
        possible[n_new:] &= prices[n_new:] <= left * (1.0 + 1e-9)
        among = np.flatnonzero(possible)
        if not len(among):
            return picked
        gain = (np.maximum(open_ - apart[among], 0.0) * weights).sum(axis=(1, 2)) + extra[among]
        # What gains nothing is not measured again; a new architecture always teaches.
        rate = np.where((among >= n_new) & (gain <= 0.0), -np.inf, gain / np.maximum(prices[among], 1e-300))
        best = int(among[np.argmax(rate)])
        if not np.isfinite(rate.max()):
            return picked
        picked.append(best)
        possible[best] = False
        budget -= prices[best]
        left -= prices[best] if best >= n_new else 0.0
        np.minimum(open_, apart[best], out=open_)
