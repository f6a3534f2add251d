"""A source: one objective as another device, data set or study knows it, made smooth over the whole space."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, IntArray, one_blas_thread
from rapid_moo.errors import InputError
from rapid_moo.predictors.gaussian_process import GaussianProcess
from rapid_moo.space import SearchSpace

FEWEST, MOST = 5, 2_500
REMEMBERED = 500_000
KINDS = ("engineered", "all")


class Source:
    """A Gaussian process of one source's values, in units of its own standard deviation.

    Positive values are taken by their logarithm: devices differ by factors, and a sum of factors is what a network of
    blocks costs. Of the space's own features and all of them, it sees those by which the values can be predicted better
    when each is left out in turn.

    Parameters
    ----------
    space : SearchSpace
        The architectures' space.
    X : array-like of shape (n, n_var)
        Genotypes, at least 5.
    values : array-like of shape (n,)
        Finite values of the objective, raw or minimised.
    name : str
        Name for messages and reports.
    seed : int
        Seed of the rows that hyper-parameters are chosen on.

    Attributes
    ----------
    features : {"engineered", "all"}
        What it sees.
    error : float
        Mean squared error of its rows, each left out in turn, as a share of their variance: 1 knows nothing.
    length_scales : ndarray of shape (n_features,)
        Of the space's own features, in units of their standard deviations over the rows.
    X : ndarray of shape (n, n_var)
        Its architectures.
    """

    @one_blas_thread
    def __init__(self, space: SearchSpace, X: ArrayLike, values: ArrayLike, name: str = "prior", seed: int = 0) -> None:
        self.space, self.name = space, name
        self.X: IntArray = space.repair(X)
        raw = np.asarray(values, dtype=np.float64)
        if raw.shape != (len(self.X),) or not np.isfinite(raw).all():
            raise InputError(f"{name}: expected {len(self.X)} finite values, got shape {raw.shape}, or not finite")
        if not FEWEST <= len(raw) <= MOST:
            raise InputError(f"{name}: expected {FEWEST} to {MOST:,} architectures, got {len(raw):,}")
        self.logarithmic = bool((raw > 0.0).all())
        target = np.log(raw) if self.logarithmic else raw
        self._mean, self._std = float(target.mean()), float(target.std()) or 1.0
        found: dict[str, tuple[float, float, GaussianProcess]] = {}
        for kind in KINDS:
            process = GaussianProcess(random_state=seed).fit(space.features(self.X, kind), target)
            mean, std = process.leave_one_out()
            residual = target[process.rows_] - mean
            density = float(np.mean(-0.5 * (residual / std) ** 2 - np.log(std)))
            found[kind] = density, float(np.mean(residual**2)) / self._std**2, process
        self.features = max(KINDS, key=lambda kind: found[kind][0])
        _, self.error, self._process = found[self.features]
        self.length_scales = found["engineered"][2].length_scales_
        self._memory: dict[bytes, float] = {}

    def predict(self, X: ArrayLike) -> FloatArray:
        """Smooth values of shape (n,): zero mean and unit variance over the source's own rows."""
        genotypes = self.space.repair(X)
        # A search asks for the same architectures in every round.
        keys = self.space.keys(genotypes)
        new = np.array([i for i, key in enumerate(keys) if key not in self._memory], dtype=np.int64)
        if len(new):
            mean = self._process.predict(self.space.features(genotypes[new], self.features))
            if len(self._memory) + len(new) > REMEMBERED:
                self._memory = {}
                return self.predict(genotypes) if len(new) < len(keys) else self._units(mean)
            self._memory.update(zip([keys[i] for i in new], self._units(mean).tolist(), strict=True))
        return np.array([self._memory[key] for key in keys], dtype=np.float64)

    def _units(self, values: FloatArray) -> FloatArray:
        return np.asarray((values - self._mean) / self._std)
