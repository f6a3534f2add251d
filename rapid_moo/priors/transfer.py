"""From a handful of measurements to all architectures, by what several sources know of the same objective.

The target is a combination of the sources and a small deviation of its own::

    f(x) = c + b m(x) + sum_s w_s (g_s(x) - m(x)) + h(x) + noise,    m = mean of g_s over the S sources

with normal priors: b has a standard deviation of 1, each w_s one of t / sqrt(S), h is a Gaussian process of standard
deviation r over the space's features, and the noise has s. All are in units of the target's standard deviation, which
is itself unknown (an inverse gamma prior). Each choice of (t, r, s) is a Gaussian process with a kernel of known form.
Ten measurements do not choose among them, so that the prediction is their mean, weighted by the marginal likelihood:
where the sources disagree with the target, what they say fades by itself.

Source: C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006, section 2.7
(explicit basis functions) and 5.2 (marginal likelihood); the mean over a grid is plain Bayesian model averaging.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, cholesky

from rapid_moo._util import FloatArray, one_blas_thread, squared_distances
from rapid_moo.errors import InputError
from rapid_moo.priors.source import Source

FREEDOM = (0.25, 0.5, 1.0, 2.0)
"""Standard deviations t of the sources' weights."""
OWN = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations r of the deviation that no source knows."""
NOISE = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Standard deviations s of the noise."""
SHAPE = 2.0
"""Of the inverse gamma prior of the variance: as much as two measurements would tell."""
FEWEST_MEASURED = 3


class Transfer:
    """A target's objective, predicted from sources and few measurements of its own.

    Parameters
    ----------
    sources : sequence of Source
        Sources of one space, one at least.

    Attributes
    ----------
    weights_ : ndarray of shape (n_settings,)
        Posterior shares of the settings (t, r, s).
    settings_ : ndarray of shape (n_settings, 3)
        The settings.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        if not sources:
            raise InputError("transfer: expected at least one source, got none")
        if len({id(source.space) for source in sources}) > 1 and len({source.space.genes for source in sources}) > 1:
            raise InputError("transfer: expected sources of one space, got several")
        self.sources = tuple(sources)
        self.space = sources[0].space

    @one_blas_thread
    def fit(self, X: ArrayLike, values: ArrayLike) -> Transfer:
        """Learn from genotypes of shape (n, n_var) and finite values of shape (n,); returns self."""
        raw = np.asarray(values, dtype=np.float64)
        if raw.ndim != 1 or len(raw) < FEWEST_MEASURED or not np.isfinite(raw).all():
            raise InputError(
                f"transfer: expected at least {FEWEST_MEASURED} finite measurements, got {raw.tolist()[:10]}"
            )
        self.logarithmic = bool((raw > 0.0).all())
        target = np.log(raw) if self.logarithmic else raw
        self._mean, self._std = float(target.mean()), float(target.std()) or 1.0
        y = (target - self._mean) / self._std
        own = self.space.features(X)
        # The sources' rows tell what a feature's usual range is: ten measurements do not.
        many = self.space.features(np.vstack([source.X for source in self.sources]))
        self._shift, spread = many.mean(axis=0), many.std(axis=0)
        scales = np.exp(np.median([np.log(source.length_scales) for source in self.sources], axis=0))
        self._scales = np.where(spread > 0.0, spread, 1.0) * scales
        self._kept = np.isfinite(self._scales)
        self._parts = self._basis(self.space.repair(X)), self._scaled(own)
        common, apart, near = self._kernels(*self._parts)
        settings = list(itertools.product(FREEDOM if len(self.sources) > 1 else (0.0,), OWN, NOISE))
        evidence, solved = np.empty(len(settings)), np.empty((len(settings), len(y)))
        for i, (freedom, deviation, noise) in enumerate(settings):
            covariance = 1.0 + common + freedom**2 * apart + deviation**2 * near
            covariance[np.diag_indices_from(covariance)] += noise**2
            factor = cholesky(covariance, lower=True, check_finite=False)
            solved[i] = cho_solve((factor, True), y, check_finite=False)
            misfit = float(y @ solved[i])
            evidence[i] = -np.log(np.diag(factor)).sum() - 0.5 * (len(y) + SHAPE) * np.log1p(misfit / SHAPE)
        weights = np.exp(evidence - evidence.max())
        self.weights_, self.settings_ = weights / weights.sum(), np.array(settings)
        shares = self.weights_[:, None] * solved
        # The kernel is a sum, so the mean over all settings is one pass over each of its parts.
        self._alpha = [
            shares.sum(axis=0),
            (self.settings_[:, :1] ** 2 * shares).sum(axis=0),
            (self.settings_[:, 1:2] ** 2 * shares).sum(axis=0),
        ]
        return self

    @one_blas_thread
    def predict(self, X: ArrayLike) -> FloatArray:
        """Values of shape (n,), in the units of those that it learnt from."""
        if not hasattr(self, "_alpha"):
            raise InputError("transfer: expected fit() before predict()")
        genotypes = self.space.repair(X)
        found = np.empty(len(genotypes))
        for start in range(0, len(genotypes), 10_000):
            block = genotypes[start : start + 10_000]
            common, apart, near = self._kernels(self._basis(block), self._scaled(self.space.features(block)))
            whole, freedom, deviation = self._alpha
            found[start : start + len(block)] = whole.sum() + common @ whole + apart @ freedom + near @ deviation
        found = found * self._std + self._mean
        return np.exp(found) if self.logarithmic else found

    # ---------------------------------------------------------------- internals
    def _basis(self, X: ArrayLike) -> FloatArray:
        return np.column_stack([source.predict(X) for source in self.sources])

    def _scaled(self, features: FloatArray) -> FloatArray:
        return np.asarray(((features - self._shift) / self._scales)[:, self._kept])

    def _kernels(self, basis: FloatArray, scaled: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Covariances with the measured architectures: by the sources' mean, by what sets them apart, by features."""
        measured, near = self._parts
        mean, mean_m = basis.mean(axis=1), measured.mean(axis=1)
        apart = (basis - mean[:, None]) @ (measured - mean_m[:, None]).T / basis.shape[1]
        r = np.sqrt(5.0 * squared_distances(scaled, near))
        return np.outer(mean, mean_m), apart, (1.0 + r + r**2 / 3.0) * np.exp(-r)
