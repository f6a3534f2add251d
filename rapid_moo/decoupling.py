"""Decoupled evaluation: which architectures are measured in part, and in what.

Where an objective costs little beside the others (a latency takes seconds, a training an hour), it can be measured of
architectures that will never be trained. What is known of an architecture conditions what is expected of it, so the
next trainings go where the measured values are good, and not merely the predicted ones.

The rule looks at costs and at what the predictors leave open, never at the table:

* The *cheap* objectives are those that together cost at most :data:`CHEAP` of a complete evaluation and can be measured
  without the others. Without any, evaluation is coupled: everything is measured of what is chosen.
* A cheap value is worth measuring where the predictor leaves it open, in units of the front's range, by more than the
  distance from the possible fronts to what is known. A precise predictor needs no measurement, and as long as the
  front is far from known a rough one will do.
* Architectures with such values are *screened* where that saves more than it costs, which the possible truths tell.
  Without screening the next evaluations would follow today's choice, and cover so much of the fronts. If cheap values
  were as in one of the truths, a choice made with them would cover as much with fewer evaluations: these are saved. The
  price is what is screened and not completed then, since nothing is measured twice. Of several numbers of architectures
  (those that cover most first) the one is taken by which most is left, none if nothing is.
* A cheap objective that is bounded is also worth measuring where it may be beyond its bound: in a possible truth, what
  is beyond covers nothing. Of a batch, what is more likely to be lost so than its cheap value is dear is never trained
  before that is known. Where no others may be within, the batch waits for its cheap values all the same, and what
  turns out to be beyond is not paid for.
* The batch itself is screened first: its dear objectives wait until the cheap ones are known, and it may be that others
  are chosen then. This costs nothing but a round, and of what was chosen for lucky guesses little is left.

What is screened is not chosen: it covers nothing, and is a candidate like any other, with part of its values known.
Where nothing is worth screening a run is the coupled one.

Before, a fixed share of the bill went to screening. That saved a third where cheap values could not be foreseen, and
cost up to a quarter of the budget where they could, although predictors left them open by more than the front was away:
one of many architectures that are nearly as good as each other may well be unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray, drawn_seed
from rapid_moo.acquisition import coverage_batch, coverage_gains, promising, put_away, unbounded, within_reach
from rapid_moo.batches import Batch
from rapid_moo.costs import CHEAP, affordable
from rapid_moo.indicators import nearest_distances
from rapid_moo.pareto import front_range, is_nondominated
from rapid_moo.problem import ArchitectureProblem

SHARE = 1.0
"""Screening never costs more than complete evaluations have: should the predictors be wrong, half of a bill is lost."""
HORIZON = 2.0
"""So many batches ahead is looked: a cheap value that is known stays known, but predictors do not stay as they are."""
POOL = 200
DRAWS, TRUTHS = 16, 4
"""Possible truths, and of how many of them the cheap values are supposed to be known."""
FRONT = 64
"""Points of each possible front that are looked at."""


@dataclass(frozen=True, eq=False)
class Decoupling:
    """Which objectives are cheap.

    Attributes
    ----------
    groups : tuple of ndarray of shape (n_objectives,)
        Objectives that are measured together and cost little, as masks.
    prices : ndarray of shape (n_objectives,)
        What it costs to measure each objective as often as it is to be.
    """

    groups: tuple[BoolArray, ...]
    prices: FloatArray

    @classmethod
    def of(cls, problem: ArchitectureProblem) -> Decoupling | None:
        """What is cheap of a problem; None where nothing is, or no cost is stated."""
        if not problem.costs_stated:
            return None
        masks = [np.isin(np.arange(problem.n_obj), part) for part in problem.parts]
        costs = [float(problem.evaluation_prices[mask].sum()) for mask in masks]
        cheap: list[BoolArray] = []
        left = CHEAP * sum(costs)
        for k in np.argsort(costs, kind="stable"):
            left -= costs[k]
            if left < 0.0:
                break
            cheap.append(masks[k])
        return cls(tuple(cheap), problem.evaluation_prices) if cheap and len(cheap) < len(masks) else None

    @property
    def cheap(self) -> BoolArray:
        """The cheap objectives, shape (n_objectives,)."""
        found: BoolArray = np.zeros(len(self.prices), dtype=np.bool_)
        for group in self.groups:
            found |= group
        return found

    def cost(self, wanted: BoolArray) -> FloatArray:
        """What it costs to measure parts of architectures, shape (n,)."""
        return np.asarray(wanted @ self.prices, dtype=np.float64)

    def worthwhile(
        self, open_: FloatArray, unknown: BoolArray, distance: float, doubtful: BoolArray | None = None
    ) -> BoolArray:
        """Which cheap objectives are worth measuring.

        Parameters
        ----------
        open_ : ndarray of shape (n, n_objectives)
            What the predictors leave open of each architecture, in units of the front's range.
        unknown : ndarray of shape (n, n_objectives)
            What was neither measured nor has failed.
        distance : float
            From the possible fronts to what is known, in the same units.
        doubtful : ndarray of shape (n, n_objectives), optional
            Which values may be beyond a bound.

        Returns
        -------
        ndarray of shape (n, n_objectives)
            What to measure; a function of the measure that gives several objectives gives them all.
        """
        found = np.zeros(unknown.shape, dtype=np.bool_)
        matters = open_ > distance if doubtful is None else (open_ > distance) | doubtful
        for group in self.groups:
            pays = (matters & unknown & group).any(axis=1)
            found[np.ix_(pays, group)] = unknown[np.ix_(pays, group)]
        return found


@dataclass(frozen=True, eq=False)
class Screening:
    """What is measured in part.

    Attributes
    ----------
    X : ndarray of shape (n, n_var)
        Genotypes.
    wanted : ndarray of shape (n, n_objectives)
        What to measure of each.
    waiting : ndarray of shape (n_waiting, n_var)
        Those of the batch among them: they are chosen again, or others are, when that is known.
    """

    X: IntArray
    wanted: BoolArray
    waiting: IntArray


def screened(
    batch: Batch,
    unknown: BoolArray,
    decoupling: Decoupling,
    cost: float,
    left: float,
    size: int | None,
    rng: np.random.Generator,
) -> Screening:
    """Architectures to measure in part, and in what.

    Parameters
    ----------
    batch : Batch
        The batch that was chosen, and from what.
    unknown : ndarray of shape (n, n_objectives)
        What was neither measured nor has failed of the candidates.
    decoupling : Decoupling
        Which objectives are cheap.
    cost : float
        What may be spent on it.
    left : float
        What is left of the whole budget, infinite where there is none.
    size : int, optional
        No more than so many.
    rng : numpy.random.Generator
        Source of randomness.
    """
    n_chosen, price = len(batch.chosen), float(decoupling.prices.sum())
    # Nothing is gained by a measurement after which what was chosen, or any other, cannot be completed any more.
    cost = min(cost, left - float((unknown[batch.chosen] @ decoupling.prices).sum()))
    nothing = Screening(batch.X[:0], unknown[:0], batch.X[:0])
    if cost <= 0.0 or not n_chosen or not (unknown & decoupling.cheap).any():
        return nothing
    if not affordable(price, left):
        return nothing
    others = np.setdiff1d(np.arange(len(batch.X)), batch.chosen)
    others = others[promising(batch.mean[others], batch.std[others], batch.known, POOL, seed=rng)]
    pool = np.concatenate([batch.chosen, others])
    draws = batch.draw(np.concatenate([pool, batch.pending]), DRAWS)
    draws = within_reach(draws, batch.known, batch.mean[pool])
    draws, under_way = draws[:, : len(pool)], draws[:, len(pool) :]
    scale = front_range(np.vstack([batch.known, batch.mean[pool]]))
    broken = batch.broken(draws)
    feasible, under_way = put_away(draws, broken), put_away(under_way, batch.broken(under_way))
    distance = _distance(feasible, batch.known, under_way, scale, rng)
    wanted = decoupling.worthwhile(batch.std[pool] / scale, unknown[pool], distance, np.asarray(broken.any(axis=0)))
    costs = decoupling.cost(wanted)
    if not wanted.any():
        return nothing
    if len(others) < 2:
        # None but these may meet the bounds, if they do.
        if not broken.any() or costs.sum() > cost:
            return nothing
        picked = np.flatnonzero(wanted[:n_chosen].any(axis=1))[:size]
        rows = pool[picked]
        return Screening(batch.X[rows], wanted[picked], batch.X[rows])
    settled = np.concatenate([feasible[:, :n_chosen], under_way], axis=1)
    beside = coverage_batch(feasible[:, n_chosen:], batch.known, len(others) - 1, pending=settled, seed=rng)
    order = np.concatenate([np.arange(n_chosen), n_chosen + beside])
    horizon = round(min(HORIZON * n_chosen, left / price, len(order)))
    seed = drawn_seed(rng)
    outlook = Outlook(draws, batch.known, under_way, order[:horizon], wanted, costs, price, seed, batch.broken)
    picked = outlook.best(order, n_chosen, cost)
    if not len(picked):
        # A training that turns out to be beyond a bound is lost, whatever else it was to save.
        risk = np.asarray(broken.any(axis=2))[:, :n_chosen].mean(axis=0) * price
        picked = np.flatnonzero(wanted[:n_chosen].any(axis=1) & (risk > costs[:n_chosen]))
        picked = picked[np.cumsum(costs[picked]) <= cost]
    picked = picked[: len(picked) if size is None else size]
    rows = pool[picked]
    return Screening(batch.X[rows], wanted[picked], batch.X[rows[picked < n_chosen]])


@dataclass(frozen=True, eq=False)
class Outlook:
    """What would be chosen next, and what better if cheap values were known.

    Attributes
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths of candidates. Errors of different objectives are independent of each other, so where the cheap
        ones are known to be those of one truth the others are as in any.
    known : ndarray of shape (n_known, n_objectives)
        Evaluated points.
    under_way : ndarray of shape (n_draws, n_pending, n_objectives)
        The same truths of what is being evaluated: what it covers need not be covered again.
    plan : ndarray of shape (horizon,)
        Which candidates would be evaluated without, in this order.
    wanted : ndarray of shape (n, n_objectives)
        What would be measured of each.
    costs : ndarray of shape (n,)
        And what that costs.
    price : float
        That of a complete evaluation.
    seed : int
        Which points of long fronts are looked at.
    broken : callable
        Which values are beyond a bound, see :class:`~rapid_moo.acquisition.Candidates`.
    """

    draws: FloatArray
    known: FloatArray
    under_way: FloatArray
    plan: IntArray
    wanted: BoolArray
    costs: FloatArray
    price: float
    seed: int
    broken: Callable[[FloatArray], BoolArray] = unbounded

    def best(self, order: IntArray, fewest: int, cost: float) -> IntArray:
        """Which candidates to screen, of the first ``fewest``, of twice as many and so on; none if none is worth it."""
        picked, most = order[:0], 0.0
        for n in _doubled(fewest, len(order)):
            some = order[:n]
            some = some[self.wanted[some].any(axis=1)]
            if self.costs[some].sum() > cost:
                break
            if len(some) == 0:
                continue
            saved = self.saved(some)
            if saved <= most:
                break
            picked, most = some, saved
        return picked

    def saved(self, some: IntArray) -> float:
        """What knowing the cheap values of some candidates is expected to save, less what it costs."""
        mask = np.zeros_like(self.wanted)
        mask[some] = self.wanted[some]
        found = []
        for truth in self.draws[:: DRAWS // TRUTHS]:
            told = np.where(mask, truth, self.draws)
            told = put_away(told, self.broken(told))
            order, gains, planned = coverage_gains(
                told, self.known, self.plan, max_front=FRONT, pending=self.under_way, seed=self.seed
            )
            needed = _needed(gains, planned[-1])
            dropped = np.setdiff1d(some, order[: math.ceil(needed)])
            saved = _needed(planned, planned[-1]) - needed
            found.append(saved * self.price - float(self.costs[dropped].sum()))
        return float(np.mean(found))


def _needed(gains: FloatArray, gain: float) -> float:
    """How many evaluations gain so much, in parts of one; all of them where they do not."""
    n = int(np.searchsorted(gains, gain))
    if n == len(gains):
        return float(n)
    before = float(gains[n - 1]) if n else 0.0
    return n + (gain - before) / (float(gains[n]) - before) if gains[n] > before else float(n)


def _doubled(first: int, last: int) -> Iterator[int]:
    """``first``, twice that and so on, and ``last``."""
    while first < last:
        yield first
        first *= 2
    yield last


def _distance(
    draws: FloatArray, known: FloatArray, under_way: FloatArray, scale: FloatArray, rng: np.random.Generator
) -> float:
    """Mean Chebyshev distance from the points of possible fronts that are not known to the nearest known point."""
    if not len(known):
        return np.inf
    found = []
    for truth, waiting in zip(draws, under_way, strict=True):
        settled = np.vstack([known, waiting])
        front = truth[is_nondominated(np.vstack([truth, settled]))[: len(truth)]]
        if len(front) > FRONT:
            front = front[rng.permutation(len(front))[:FRONT]]
        if len(front):
            found.append(float(nearest_distances(front / scale, settled / scale).mean()))
    return float(np.mean(found)) if found else 0.0
