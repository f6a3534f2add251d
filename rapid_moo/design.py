"""The first sample: extremes and space-filling, half of it at random.

Predictors that have seen the corners of a space interpolate; a random sample of many genes holds none of them (the sum
of 36 random layers hardly varies). A design of corners alone would miss what is typical, where most of the front lies
on some spaces, so every other architecture is drawn at random.

Source of the space-filling half: T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance",
Theoretical Computer Science 38, 1985 (farthest point first).
"""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray, Seed, as_generator
from rapid_moo.errors import InputError
from rapid_moo.space import SearchSpace

SAMPLINGS = ("designed", "random")
POOL = 2_000


def designed_sample(space: SearchSpace, pool: IntArray, n: int, seed: Seed = None) -> IntArray:
    """Choose a first sample from a pool of distinct architectures.

    Parameters
    ----------
    space : SearchSpace
        Gives the features in which the sample spreads.
    pool : ndarray of shape (n_pool, n_var)
        Distinct repaired genotypes; at most 2,000 of them, drawn at random, are weighed.
    n : int
        Size of the sample; the whole pool if that is smaller.
    seed : int, numpy.random.Generator or None
        Source of randomness.

    Returns
    -------
    ndarray of shape (n, n_var)
        The extremes first; then space-filling and random ones in turn.
    """
    if n < 1:
        raise InputError(f"first sample: expected at least one architecture, got {n}")
    rng = as_generator(seed)
    some = pool[rng.permutation(len(pool))[: max(POOL, n)]]
    if n >= len(some):
        return some
    Z = _standardised(space.features(some))
    # Along the direction in which architectures differ most lie the smallest and the largest.
    axis = Z @ np.linalg.svd(Z, full_matrices=False)[2][0]
    chosen = list(dict.fromkeys([int(axis.argmin()), int(axis.argmax())]))[:n]
    distance = np.full(len(some), np.inf)
    for row in chosen:
        distance = np.minimum(distance, _squared_distance(Z, row))
    while len(chosen) < n:
        if len(chosen) % 2:
            row = int(rng.choice(np.setdiff1d(np.arange(len(some)), chosen)))
        else:
            distance[chosen] = -1.0
            row = int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, _squared_distance(Z, row))
    return some[chosen]


def _standardised(features: FloatArray) -> FloatArray:
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _squared_distance(Z: FloatArray, row: int) -> FloatArray:
    return np.asarray(((Z - Z[row]) ** 2).sum(axis=1))
