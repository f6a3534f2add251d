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
        self._raw = raw
        self.logarithmic = bool((raw > 0.0).all())
        target = np.log(raw) if self.logarithmic else raw
        self._mean, self._std = float(target.mean()), float(target.std()) or 1.0
        self._raw_mean, self._raw_std = float(raw.mean()), float(raw.std()) or 1.0
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

    def predict(self, X: ArrayLike, logarithmic: bool = True) -> FloatArray:
        """Smooth values of shape (n,): zero mean and unit variance over the source's own rows.

        Positive values in logarithms, or as they are where these are not wanted.
        """
        genotypes = self.space.repair(X)
        # A search asks for the same architectures in every round.
        keys = self.space.keys(genotypes)
        if len(self._memory) > REMEMBERED:
            self._memory = {}
        new = np.array([i for i, key in enumerate(keys) if key not in self._memory], dtype=np.int64)
        if len(new):
            found = self._process.predict(self.space.features(genotypes[new], self.features))
            self._memory.update(zip([keys[i] for i in new], found.tolist(), strict=True))
        values = np.array([self._memory[key] for key in keys], dtype=np.float64)
        if self.logarithmic and not logarithmic:
            return np.asarray((np.exp(values) - self._raw_mean) / self._raw_std)
        return np.asarray((values - self._mean) / self._std)

    def measured(self, logarithmic: bool = True) -> FloatArray:
        """Its own values, shape (n,): positive ones in logarithms, or as they are where these are not wanted."""
        return np.log(self._raw) if self.logarithmic and logarithmic else self._raw

    def missed(self, logarithmic: bool = True) -> float:
        """Root mean squared error of its rows, each left out in turn, in the unit of :meth:`measured`."""
        missed = float(np.sqrt(self.error)) * self._std
        return missed if logarithmic or not self.logarithmic else missed * self._raw_mean

    def posterior(self, X: ArrayLike, logarithmic: bool = True) -> tuple[FloatArray, FloatArray]:
        """What it says of architectures, in the unit of :meth:`measured`, and how uncertain it is of that.

        Returns
        -------
        mean, std : ndarray of shape (n,)
            What it has measured is sure.
        """
        genotypes = self.space.repair(X)
        mean, std = self._process.predict(self.space.features(genotypes, self.features), return_std=True)
        if self.logarithmic and not logarithmic:
            mean = np.exp(mean)
            std = std * mean
        place = {key: i for i, key in enumerate(self.space.keys(self.X))}
        values = self.measured(logarithmic)
        for i, key in enumerate(self.space.keys(genotypes)):
            if (at := place.get(key)) is not None:
                mean[i], std[i] = values[at], 0.0
        return mean, std
