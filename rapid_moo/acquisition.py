"""Which architectures to evaluate next: the batch that is expected to cover most of the true front.

The predictive distribution is sampled: each draw is one possible truth, with its own front. A candidate is worth what
it would cover of those fronts beyond what is already known and already chosen, so a batch spreads over the front by
itself: a second candidate beside the first covers nothing new.

How well a point of a front is covered is measured by a power of its distance to the nearest known point (Chebyshev, in
units of each objective's range). With an exponent of 1 the batch lowers the expected ADRS most; near 0 it holds as many
points of the front as it can, which is all that is left to gain once the front is nearly known. But ADRS falls at last
by finding the front's very points, and a greedy step that counts on large distances spends itself on candidates that
could be far better than all and seldom are. The square root between both is the default.

For the same reason no draw is taken at its word that is far better in an objective than all that is known or expected.
A normal law knows no bounds, least of all back from a logarithm: on NAS-Bench-ASR memory was drawn up to 67 times the
range seen so far below its smallest value, and of a batch four in ten were expected to be non-dominated where one in
ten was. How far is too far follows the rule of three: if none of n observations lies beyond a value, at most 3/n of the
population does (with 95 % confidence), so what is beyond the best of n is kept to 3/n of the range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rapid_moo._util import BoolArray, FloatArray, IntArray, Seed, as_generator
from rapid_moo.costs import EPSILON
from rapid_moo.pareto import front_indices, front_range, is_nondominated

Float32Array = NDArray[np.float32]
JOINT_POOL = 300
N_DRAWS = 64
EXPONENT = 0.5
RULE_OF_THREE = 3.0
FAR = 10.0
"""How far what failed is from all else, and fronts are from nothing known, in units of an objective's range."""


def unbounded(values: FloatArray) -> BoolArray:
    """No value is beyond a bound."""
    return np.zeros(values.shape, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a batch is chosen from; all values are minimised.

    Attributes
    ----------
    mean, std : ndarray of shape (n, n_objectives)
        Predictive distribution of the candidates, none of which has been evaluated.
    known : ndarray of shape (n_known, n_objectives)
        Evaluated (and feasible) points; may be empty.
    draw : callable
        ``draw(rows, n_draws)`` gives possible truths of shape (n_draws, len(rows), n_objectives) of some candidates,
        drawn jointly where the predictors can.
    pending : ndarray of shape (n_pending,)
        Further rows that ``draw`` knows, of architectures that are being evaluated: they count as chosen.
    success : ndarray of shape (n,) or None
        Probability that each candidate's evaluation succeeds; None where nothing has failed.
    prices : ndarray of shape (n,) or None
        What is left to pay of each candidate, as a share of a whole evaluation; None where that is all of it for all.
    broken : callable
        ``broken(values)`` says which of minimised values of shape (..., n_objectives) are beyond a bound, of the same
        shape.
    """

    mean: FloatArray
    std: FloatArray
    known: FloatArray
    draw: Callable[[IntArray, int], FloatArray]
    pending: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    success: FloatArray | None = None
    prices: FloatArray | None = None
    broken: Callable[[FloatArray], BoolArray] = unbounded


Acquisition: TypeAlias = Callable[[Candidates, int, np.random.Generator], IntArray]
"""``acquisition(candidates, size, rng)`` gives the positions of the batch, shape (size,).

Where candidates have prices a batch may hold more, as long as together they cost no more than ``size``.
"""


def expected_coverage(candidates: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """The default acquisition: the batch that is expected to cover most of the front.

    It values a batch by what would be known after it, so the last batch of a budget is spent on what pays at once;
    before, uncertainty alone makes it explore.
    """
    c = candidates
    pool = promising(c.mean, c.std, c.known, max(JOINT_POOL, 2 * size), seed=rng)
    draws = c.draw(np.concatenate([pool, c.pending]), N_DRAWS)
    draws = within_reach(draws, c.known, c.mean[pool])
    draws = put_away(draws, c.broken(draws))
    draws, waiting = draws[:, : len(pool)], draws[:, len(pool) :]
    if c.success is not None:
        draws = with_failures(draws, c.success[pool], rng)
    prices = None if c.prices is None else c.prices[pool]
    return pool[coverage_batch(draws, c.known, size, prices=prices, pending=waiting, seed=rng)]


def with_failures(draws: FloatArray, success: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draws in which candidates fail as often as they are expected to: a failed one covers nothing.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths, minimised.
    success : ndarray of shape (n,)
        Probability of success.
    rng : numpy.random.Generator
        Source of randomness.
    """
    return put_away(draws, (rng.random(draws.shape[:2]) >= success)[:, :, None])


def put_away(draws: FloatArray, out: BoolArray) -> FloatArray:
    """Draws in which some candidates are so far off that they cover nothing.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths, minimised.
    out : ndarray of shape (n_draws, n, 1) or (n_draws, n, n_objectives)
        Which of them have failed, or have an objective that is out of bounds.
    """
    out = np.asarray(out.any(axis=2))
    if not out.any():
        return draws
    top, span = draws.max(axis=(0, 1)), np.ptp(draws, axis=(0, 1))
    # Where no objective tells candidates apart, failures do: how far off, in no unit, does not matter.
    worst = top + np.where(span > 0.0, FAR * span, np.maximum(np.abs(top), 1.0))
    return np.asarray(np.where(out[:, :, None], worst, draws))


def draw_truths(mean: FloatArray, std: FloatArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Possible truths of shape (n_draws, n, n_objectives), antithetic pairs of independent normal errors."""
    half = rng.standard_normal((n_draws // 2, *mean.shape))
    noise = np.concatenate([half, -half])
    return np.asarray(mean + noise * std)


def within_reach(draws: FloatArray, known: FloatArray, mean: FloatArray) -> FloatArray:
    """Draws that are better than the best known or expected value of an objective by 3/n of the range at most.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths, minimised.
    known, mean : ndarray of shape (n_known, n_objectives) and (n, n_objectives)
        Evaluated points, n_known of them, and the candidates' expected values, minimised; the range of each objective
        is that over both.

    Source: J. A. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983, for the rule.
    """
    points = np.vstack([known, mean])
    reach = RULE_OF_THREE / max(1, len(known))
    return np.asarray(np.maximum(draws, points.min(axis=0) - reach * np.ptp(points, axis=0)))


def probability_nondominated(draws: FloatArray, known: FloatArray) -> FloatArray:
    """Share of the draws in which each candidate is on the front of candidates and known points, shape (n,)."""
    counts = np.zeros(draws.shape[1])
    for truth in draws:
        counts += is_nondominated(np.vstack([truth, known]))[: len(truth)]
    return counts / len(draws)


def promising(
    mean: FloatArray, std: FloatArray, known: FloatArray, limit: int, *, n_draws: int = 16, seed: Seed = None
) -> IntArray:
    """The candidates most likely to be non-dominated, at most ``limit``; positions, increasing.

    Parameters
    ----------
    mean, std : ndarray of shape (n, n_objectives)
        Predictive distribution of the candidates, minimised.
    known : ndarray of shape (n_known, n_objectives)
        Evaluated points, minimised; may be empty.
    limit : int
        How many to keep.
    n_draws : int
        Number of possible truths, with independent errors.
    seed : int, numpy.random.Generator or None
        Source of randomness.
    """
    if len(mean) <= limit:
        return np.arange(len(mean), dtype=np.int64)
    elite = known[is_nondominated(known)]
    likelihood = probability_nondominated(draw_truths(mean, std, n_draws, as_generator(seed)), elite)
    spread = mean.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    depth = ((mean - mean.min(axis=0)) / spread).sum(axis=1)
    return np.sort(np.lexsort((depth, -likelihood))[:limit]).astype(np.int64)


def coverage_batch(
    draws: FloatArray,
    known: FloatArray,
    size: int,
    *,
    exponent: float = EXPONENT,
    max_front: int = 150,
    prices: FloatArray | None = None,
    pending: FloatArray | None = None,
    seed: Seed = None,
) -> IntArray:
    """Choose a batch that greedily covers the drawn fronts.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths of the candidates, minimised, drawn jointly where the predictors can.
    known : ndarray of shape (n_known, n_objectives)
        Evaluated points, minimised; may be empty.
    size : int
        Number of candidates to choose; all of them if there are fewer.
    exponent : float
        Power of the distance of a front's point to the nearest evaluated one that is to fall; above 0. With 1 the sum
        is the expected ADRS.
    max_front : int
        Points kept of each drawn front.
    prices : ndarray of shape (n,), optional
        What each candidate costs, above 0: those are chosen that cover most for their price, as long as together they
        cost no more than ``size``. By default each costs 1.
    pending : ndarray of shape (n_draws, n_pending, n_objectives), optional
        The same draws of architectures that are being evaluated; in each draw they are as good as known: what they
        dominate is no goal, and what they cover is covered.
    seed : int, numpy.random.Generator or None
        Source of randomness.

    Returns
    -------
    ndarray of shape (size,)
        Positions of the chosen candidates, in the order chosen.
    """
    if size >= (draws.shape[1] if prices is None else prices.sum()):
        return np.arange(draws.shape[1], dtype=np.int64)
    scale = front_range(np.vstack([known, draws.mean(axis=0)]))
    beside = pending if pending is not None else draws[:, :0]
    targets, values, covered = _targets(draws, known, beside, scale, max_front, as_generator(seed))
    return _greedy(targets, values, covered, size, exponent, prices)


def coverage_gains(
    draws: FloatArray,
    known: FloatArray,
    plan: IntArray,
    *,
    max_front: int = 150,
    pending: FloatArray | None = None,
    seed: Seed = None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """What the greedy batch covers of the drawn fronts, and what a plan of the same size covers of them.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n, n_objectives)
        Possible truths of the candidates, minimised.
    known : ndarray of shape (n_known, n_objectives)
        Evaluated points, minimised; may be empty.
    plan : ndarray of shape (size,)
        Positions of candidates, in the order in which they are evaluated.
    max_front : int
        Points kept of each drawn front.
    pending : ndarray of shape (n_draws, n_pending, n_objectives), optional
        The same draws of architectures that are being evaluated, as in :func:`coverage_batch`.
    seed : int, numpy.random.Generator or None
        Source of randomness.

    Returns
    -------
    order : ndarray of shape (size,)
        The batch that :func:`coverage_batch` chooses by these draws.
    gains, planned : ndarray of shape (size,)
        By how much the mean root distance from the fronts' points falls, in all, with each one of the batch and of the
        plan.
    """
    scale = front_range(np.vstack([known, draws.mean(axis=0)]))
    beside = pending if pending is not None else draws[:, :0]
    targets, values, covered = _targets(draws, known, beside, scale, max_front, as_generator(seed))
    order = _greedy(targets, values, covered, min(len(plan), draws.shape[1]), EXPONENT, None)
    return order, _gains(targets, values, covered, order), _gains(targets, values, covered, plan)


def _gains(targets: Float32Array, values: Float32Array, covered: Float32Array, order: IntArray) -> FloatArray:
    """How much of the mean root distance falls with the first, the first two, ... of an order."""
    left = _raised(covered.copy(), EXPONENT)
    counts = np.maximum((covered > 0).sum(axis=1), 1)
    found = np.zeros(len(order))
    for i in range(len(left)):
        distance = _raised(_chebyshev(values[i, order], targets[i]), EXPONENT)
        nearest = np.minimum.accumulate(np.minimum(distance, left[i]), axis=0)
        found += (left[i] - nearest).sum(axis=1) / counts[i]
    return found / len(left)


def _targets(
    draws: FloatArray,
    known: FloatArray,
    pending: FloatArray,
    scale: FloatArray,
    limit: int,
    rng: np.random.Generator,
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Fronts to cover.

    Returns
    -------
    targets : ndarray of shape (n_draws, n_targets, n_objectives)
        What is not known of the front of each draw, padded to the length of the longest, at most ``limit``.
    values : ndarray of shape (n_draws, n_pool, n_objectives)
        The draws themselves, scaled.
    covered : ndarray of shape (n_draws, n_targets)
        Distance of each target to the nearest known or pending point; 0 for padding, which then gains nothing.
    """
    # Single precision has seven digits: none of them for where the origin is.
    origin = draws.min(axis=(0, 1))
    values, settled, beside = (((v - origin) / scale).astype(np.float32) for v in (draws, known, pending))
    best = settled[is_nondominated(known)]
    fronts, distances = [], []
    for own, waiting in zip(values, beside, strict=True):
        base, points = np.vstack([settled, waiting]), np.vstack([own, best, waiting])
        rows = front_indices(points)
        front = points[rows if len(rows) <= limit else rng.choice(rows, limit, replace=False)]
        distance = _chebyshev(front, base).min(axis=1) if len(base) else np.full(len(front), FAR, dtype=np.float32)
        # What is known of a front leaves nothing to gain.
        fronts.append(front[distance > 0.0])
        distances.append(distance[distance > 0.0])
    longest = max(map(len, fronts))
    targets = np.zeros((len(draws), longest, draws.shape[2]), dtype=np.float32)
    covered = np.zeros((len(draws), longest), dtype=np.float32)
    for i, (front, distance) in enumerate(zip(fronts, distances, strict=True)):
        targets[i, : len(front)], covered[i, : len(front)] = front, distance
    return targets, values, covered


def _greedy(
    targets: Float32Array,
    values: Float32Array,
    covered: Float32Array,
    size: int,
    exponent: float,
    prices: FloatArray | None,
) -> IntArray:
    """Greedy maximum coverage, lazily updated: gains only fall, so stale ones are upper bounds.

    Where candidates have prices, the gain for the price decides (S. Khuller et al., "The budgeted maximum coverage
    problem", Information Processing Letters 70, 1999), and the batch ends with the first one that is too dear.
    """
    cost = np.ones(len(values[0])) if prices is None else prices
    n_draws, n_targets = covered.shape
    n_pool = values.shape[1]
    counts = np.maximum((covered > 0).sum(axis=1), 1).astype(np.float32)
    distance = np.empty((n_pool, n_draws, n_targets), dtype=np.float32)
    for i in range(n_draws):
        distance[:, i] = _raised(_chebyshev(values[i], targets[i]), exponent)
    weights = np.repeat(np.reciprocal(counts)[:, None], n_targets, axis=1)
    left = _raised(covered.copy(), exponent)

    def gain(candidate: int) -> float:
        return float((np.maximum(left - distance[candidate], 0.0) * weights).sum()) / float(cost[candidate])

    bounds = np.array([gain(c) for c in range(n_pool)])
    taken: BoolArray = np.zeros(n_pool, dtype=np.bool_)
    chosen: list[int] = []
    spent = 0.0
    while len(chosen) < n_pool and spent < size - EPSILON:
        best = _lazy_best(bounds, taken, gain)
        spent += float(cost[best])
        if spent > size + EPSILON:
            break
        chosen.append(best)
        taken[best] = True
        np.minimum(left, distance[best], out=left)
    return np.array(chosen, dtype=np.int64)


def _chebyshev(A: Float32Array, B: Float32Array) -> Float32Array:
    """Chebyshev distances, shape (n_a, n_b); one objective after the other, since the last axis is short."""
    found = np.abs(A[:, None, 0] - B[None, :, 0])
    apart = np.empty_like(found)
    for k in range(1, A.shape[1]):
        np.subtract(A[:, None, k], B[None, :, k], out=apart)
        np.maximum(found, np.abs(apart, out=apart), out=found)
    return np.asarray(found)


def _raised(distance: Float32Array, exponent: float) -> Float32Array:
    """Distances to a power, in place; a root takes a tenth of the time of any other power."""
    return np.asarray(
        np.sqrt(distance, out=distance) if exponent == 0.5 else np.power(distance, exponent, out=distance)
    )


def _lazy_best(bounds: FloatArray, taken: BoolArray, gain: Callable[[int], float]) -> int:
    """Candidate of the largest gain, refreshing as few stale bounds as needed."""
    open_bounds = np.where(taken, -np.inf, bounds)
    best_gain = -np.inf
    for candidate in np.argsort(-open_bounds, kind="stable"):
        if open_bounds[candidate] <= best_gain:
            break
        bounds[candidate] = gain(int(candidate))
        if bounds[candidate] > best_gain:
            best, best_gain = int(candidate), float(bounds[candidate])
    return best
