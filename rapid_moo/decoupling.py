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
* Of the architectures with such values those are *screened* that cover most of the possible fronts beside the batch
  that has just been chosen, as long as screening has not cost more than :data:`SHARE` of what complete evaluations did.

What is screened is not chosen: it covers nothing, and is a candidate like any other, with part of its values known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.acquisition import coverage_batch, promising, within_reach
from rapid_moo.batches import Batch
from rapid_moo.costs import CHEAP
from rapid_moo.indicators import nearest_distances
from rapid_moo.pareto import front_range, is_nondominated
from rapid_moo.problem import ArchitectureProblem

SHARE = 0.3
POOL, DRAWS = 600, 64
FRONT = 100
"""Points of each possible front of which the distance to what is known is taken."""


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

    def worthwhile(self, open_: FloatArray, unknown: BoolArray, distance: float) -> BoolArray:
        """Which cheap objectives are worth measuring.

        Parameters
        ----------
        open_ : ndarray of shape (n, n_objectives)
            What the predictors leave open of each architecture, in units of the front's range.
        unknown : ndarray of shape (n, n_objectives)
            What was neither measured nor has failed.
        distance : float
            From the possible fronts to what is known, in the same units.

        Returns
        -------
        ndarray of shape (n, n_objectives)
            What to measure; a function of the measure that gives several objectives gives them all.
        """
        found = np.zeros(unknown.shape, dtype=np.bool_)
        for group in self.groups:
            pays = ((open_ > distance) & unknown & group).any(axis=1)
            found[np.ix_(pays, group)] = unknown[np.ix_(pays, group)]
        return found


def screened(
    batch: Batch,
    unknown: BoolArray,
    decoupling: Decoupling,
    cost: float,
    size: int | None,
    rng: np.random.Generator,
) -> tuple[IntArray, BoolArray]:
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
        What may be spent.
    size : int, optional
        No more than so many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    X : ndarray of shape (n, n_var)
        Genotypes.
    wanted : ndarray of shape (n, n_objectives)
        What to measure of each.
    """
    nothing = batch.X[:0], unknown[:0]
    if cost <= 0.0 or not (unknown & decoupling.cheap).any():
        return nothing
    others = np.setdiff1d(np.arange(len(batch.X)), batch.chosen)
    pool = others[promising(batch.mean[others], batch.std[others], batch.known, POOL, seed=rng)]
    draws = batch.draw(np.concatenate([pool, batch.chosen]), DRAWS)
    draws = within_reach(draws, batch.known, batch.mean[pool])
    draws, waiting = draws[:, : len(pool)], draws[:, len(pool) :]
    scale = front_range(np.vstack([batch.known, batch.mean[pool]]))
    distance = _distance(draws, batch.known, scale, rng)
    wanted = decoupling.worthwhile(batch.std[pool] / scale, unknown[pool], distance)
    pays = np.flatnonzero(wanted.any(axis=1))
    if not len(pays):
        return nothing
    costs = decoupling.cost(wanted[pays])
    least = max(float(costs.min()), cost / len(pays))
    most = min(len(pays), int(cost / least), len(pays) if size is None else size)
    if most < 1:
        return nothing
    order = coverage_batch(draws[:, pays], batch.known, most, pending=waiting, seed=rng)
    kept = pays[order[np.cumsum(costs[order]) <= cost * (1.0 + 1e-9)]]
    return batch.X[pool[kept]], wanted[kept]


def _distance(draws: FloatArray, known: FloatArray, scale: FloatArray, rng: np.random.Generator) -> float:
    """Mean Chebyshev distance from the points of possible fronts that are not known to the nearest known point."""
    if not len(known):
        return np.inf
    found = []
    for truth in draws:
        front = truth[is_nondominated(np.vstack([truth, known]))[: len(truth)]]
        if len(front) > FRONT:
            front = front[rng.permutation(len(front))[:FRONT]]
        if len(front):
            found.append(float(nearest_distances(front / scale, known / scale).mean()))
    return float(np.mean(found)) if found else 0.0
