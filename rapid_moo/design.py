"""The first sample: representatives of the whole space, each of a region of similar architectures.

ADRS asks that every part of a front has a known architecture close by, and where the front is nobody knows yet. So the
space, as its features show it, is cut into as many regions as there will be architectures, and each region sends the
one in its middle. Corners (smallest, largest, farthest points) show a predictor more of the range, but most of a front
lies where architectures are typical: the sum of 36 random layers hardly varies.

Source: S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982 (k-means).
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from rapid_moo._util import FloatArray, IntArray, Seed, as_generator, drawn_seed, squared_distances
from rapid_moo.errors import InputError
from rapid_moo.space import SearchSpace

SAMPLINGS = ("designed", "random")
FIRST_SAMPLE = 12
"""Size of a run's first sample unless told: with fewer rows batches are chosen too boldly for what comes after."""
POOL = 2_000


def designed_sample(space: SearchSpace, pool: IntArray, n: int, seed: Seed = None) -> IntArray:
    """Choose a first sample from a pool of distinct architectures.

    Parameters
    ----------
    space : SearchSpace
        Gives the features in which the sample spreads.
    pool : ndarray of shape (n_pool, n_var)
        Distinct repaired genotypes; at most 2,000 of them (more if ``n`` is larger), drawn at random, are weighed.
    n : int
        Size of the sample; the whole pool if that is smaller.
    seed : int, numpy.random.Generator or None
        Source of randomness.

    Returns
    -------
    ndarray of shape (n, n_var)
        The architecture nearest to each centre of ``n`` clusters.
    """
    if n < 1:
        raise InputError(f"first sample: expected at least one architecture, got {n}")
    rng = as_generator(seed)
    some = pool[rng.permutation(len(pool))[: max(POOL, n)]]
    if n >= len(some):
        return some
    Z = _standardised(space.features(some))
    distance = squared_distances(_centres(Z, n, drawn_seed(rng)), Z)
    chosen: list[int] = []
    for row in distance:
        row[chosen] = np.inf
        chosen.append(int(row.argmin()))
    return some[chosen]


def _standardised(features: FloatArray) -> FloatArray:
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _centres(Z: FloatArray, n: int, seed: int) -> FloatArray:
    """Centres of n clusters; on one thread, since sums of several depend on which is first."""
    with threadpool_limits(1), warnings.catch_warnings():
        # Fewer distinct rows than clusters: some centres are the same, and their architectures look alike.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(KMeans(n, n_init=1, max_iter=20, random_state=seed).fit(Z).cluster_centers_)
