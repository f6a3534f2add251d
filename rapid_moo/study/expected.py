"""What to expect of measured architectures: values shrunk towards what a predictor knows, since noise is not luck.

The front of single noisy values is a list of the lucky. A predictor that has not seen an architecture's own value says
where its truth lies and how surely; the value itself says the same with the measurement's noise. Both together, weighed
by their precisions, are the posterior of the truth (a normal prior from the leave-one-out prediction, a normal
likelihood from the mean of n measurements).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray, one_blas_thread
from rapid_moo.objectives import Objective, to_minimised
from rapid_moo.pareto import front_indices
from rapid_moo.predictors import GaussianProcess
from rapid_moo.store import Store
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import early_specs

FEWEST_ROWS = 8
FEWEST_REPEATS = 5
NEGLIGIBLE = 0.005
"""Noise below this share of an objective's range among the measured ones is none worth speaking of."""
UNSURE = 0.01
"""Of a front, what is less sure than this share of the front's range is worth measuring again."""
MOST_REPEATS = 5


@dataclass(frozen=True, eq=False)
class Expected:
    """Measured architectures with what is to be expected of them.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Rows of the store: those with every objective.
    measured : ndarray of shape (n, n_objectives)
        Means of the raw values.
    mean, std : ndarray of shape (n, n_objectives)
        Expected raw values and how sure they are.
    noise : ndarray of shape (n_objectives,)
        Standard deviation of a single measurement, raw; 0 where none was found.
    front, expected_front : ndarray
        Positions among ``rows`` of the front of the measured and of the expected values.
    again : ndarray
        Positions worth measuring again, the least sure first.
    """

    rows: IntArray
    measured: FloatArray
    mean: FloatArray
    std: FloatArray
    noise: FloatArray
    front: IntArray
    expected_front: IntArray
    again: IntArray


@one_blas_thread
def expected_values(
    store: Store, objectives: Sequence[Objective], feasible: BoolArray | None = None, seed: int = 0
) -> Expected:
    """Expected values of everything that was measured completely.

    Parameters
    ----------
    store : Store
        The evaluations.
    objectives : sequence of Objective
        Names and directions of its columns.
    feasible : ndarray of shape (n_rows,), optional
        Which rows of the store may be part of a front.
    seed : int
        Seed of the folds by which a predictor is chosen.
    """
    rows = np.flatnonzero(store.complete)
    measured = store.raw_of(rows)
    mean, std, noise = measured.copy(), np.zeros_like(measured), np.zeros(len(objectives))
    computed = {objective.name for objective in store.space.computed}
    if len(rows) >= FEWEST_ROWS:
        table = ArchitectureTable.build(store.space, objectives, store.X[rows], measured)
        specs = early_specs(table, seed)
        for k, objective in enumerate(objectives):
            if objective.name not in computed and np.ptp(measured[:, k]) > 0:
                process = GaussianProcess(**specs[k].params)
                found = _posterior(store, rows, k, process, store.space.features(store.X[rows], specs[k].features))
                mean[:, k], std[:, k], noise[k] = found
    allowed = np.arange(len(rows)) if feasible is None else np.flatnonzero(feasible[rows])
    front = _front(to_minimised(measured, objectives), allowed)
    expected_front = _front(to_minimised(mean, objectives), allowed)
    again = _again(store, rows, mean, std, np.union1d(front, expected_front), expected_front)
    return Expected(rows, measured, mean, std, noise, front, expected_front, again)


def _posterior(
    store: Store, rows: IntArray, k: int, process: GaussianProcess, features: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Posterior mean and spread of the truths of one objective, and the noise of one measurement."""
    y = store.raw_of(rows)[:, k]
    process.fit(features, y)
    seen = process.rows_
    loo_mean, loo_std = process.leave_one_out()
    fitted = process.noise_ * float(y.std())
    noise = _repeat_noise(store, rows, k)
    noise = fitted if noise is None else noise
    if noise < NEGLIGIBLE * float(np.ptp(y)):
        return y, np.zeros_like(y), 0.0
    n = store.repeats[rows, k].astype(np.float64)
    # What the process says of an architecture it has not seen holds the noise of one measurement.
    prior = np.full(len(y), np.inf)
    prior[seen] = np.maximum(loo_std**2 - fitted**2, 1e-4 * float(y.var()))
    centre = y.copy()
    centre[seen] = loo_mean
    weight = 1.0 / prior
    own = n / noise**2
    return (weight * centre + own * y) / (weight + own), np.sqrt(1.0 / (weight + own)), noise


def _repeat_noise(store: Store, rows: IntArray, k: int) -> float | None:
    """Pooled standard deviation between repeats; None where there are too few."""
    counts = store.repeats[rows, k] - 1
    variance = store.repeat_variance[rows, k]
    several = counts > 0
    if counts[several].sum() < FEWEST_REPEATS:
        return None
    return float(np.sqrt((counts[several] * variance[several]).sum() / counts[several].sum()))


def _front(F: FloatArray, allowed: IntArray) -> IntArray:
    return allowed[front_indices(F[allowed])] if len(allowed) else allowed


def _again(
    store: Store, rows: IntArray, mean: FloatArray, std: FloatArray, either: IntArray, expected_front: IntArray
) -> IntArray:
    """Which of the two fronts' architectures are worth another measurement, the least sure first."""
    if not len(either):
        return either
    span = np.ptp(mean[expected_front], axis=0)
    whole = np.ptp(mean, axis=0)
    scale = np.where(span > 0, span, np.where(whole > 0, whole, 1.0))
    doubt = (std[either] / scale).max(axis=1)
    often = store.repeats[rows[either]].max(axis=1) >= MOST_REPEATS
    open_ones = np.flatnonzero((doubt > UNSURE) & ~often)
    return either[open_ones[np.argsort(-doubt[open_ones], kind="stable")]]
