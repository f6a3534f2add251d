"""The first sample: random architectures, and the extremes and space-filling ones between them.

Predictors that have seen the corners of a space interpolate; a random sample of many genes holds none of them (the sum
of 36 random layers hardly varies). But most of a front may lie where architectures are typical: of a design with every
other architecture at a corner, GPT tables get less than of a random one. So every third is designed.

Source of the space-filling part: T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance",
Theoretical Computer Science 38, 1985 (farthest point first).
"""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray, Seed, as_generator
from rapid_moo.errors import InputError
from rapid_moo.space import SearchSpace

SAMPLINGS = ("designed", "random")
POOL = 2_000
DESIGNED_EVERY = 3


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
        Two random ones and a designed one in turn; the extremes are the first two that are designed.
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
    extremes = [int(axis.argmin()), int(axis.argmax())]
    chosen: list[int] = []
    distance = np.full(len(some), np.inf)
    while len(chosen) < n:
        if len(chosen) % DESIGNED_EVERY < DESIGNED_EVERY - 1:
            row = int(rng.choice(np.flatnonzero(distance >= 0.0)))
        else:
            ends = [end for end in extremes if distance[end] >= 0.0]
            row = ends[0] if ends else int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, _squared_distance(Z, row))
        distance[row] = -1.0
    return some[chosen]


def _standardised(features: FloatArray) -> FloatArray:
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _squared_distance(Z: FloatArray, row: int) -> FloatArray:
    return np.asarray(((Z - Z[row]) ** 2).sum(axis=1))
