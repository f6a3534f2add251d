"""An exact Gaussian process for a few hundred rows of engineered features, fast enough to sit in a tuning loop.

scikit-learn's ``GaussianProcessRegressor`` builds an (n, n, d) tensor for the gradient of d length scales; here the
gradient takes two matrix products, which makes automatic relevance determination affordable for tens of features.

Source: C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006 (GPML), with a
prior on length scales that grows with the dimension (C. Hvarfner et al., "Vanilla Bayesian optimization performs great
in high dimensions", ICML 2024).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from rapid_moo._util import FloatArray, Seed, as_generator
from rapid_moo.errors import InputError

KERNELS = ("matern52", "rbf")
_JITTER = 1e-8
WARM_ITERATIONS = 6
# Elements of one block: small enough for the cache, large enough for the triangular solves.
_CACHE_CHUNK = 100_000
_STD_CHUNK = 400_000
_SQRT5 = np.sqrt(5.0)


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Gaussian process regression with one length scale per feature and a linear part.

    The covariance is ``a^2 k(|x - x'| / l) + b^2 x.x' + s^2 [x = x']`` on standardised inputs and target.

    Parameters
    ----------
    kernel : {"matern52", "rbf"}
        Shape of the stationary part (GPML, eq. 4.17 and 4.9).
    ard : bool
        One length scale per feature rather than one for all.
    linear : bool
        Whether the linear part is there.
    n_tune : int
        Hyper-parameters maximise the marginal likelihood of at most so many rows.
    max_rows : int
        The posterior uses at most so many rows, drawn at random.
    max_iter : int
        Iterations of L-BFGS.
    random_state : int
        Seed of the two draws of rows.
    warm_start : bool
        Start from the hyper-parameters of the last fit and improve them for at most ``WARM_ITERATIONS``.

    Attributes
    ----------
    length_scales_ : ndarray of shape (n_features,)
        In units of standardised features.
    amplitude_, slope_, noise_ : float
        Standard deviations a, b and s, in units of the target's standard deviation.
    n_iter_ : int
        Iterations of L-BFGS that were needed.
    n_features_in_ : int
        Number of features.
    """

    def __init__(
        self,
        kernel: str = "matern52",
        ard: bool = True,
        linear: bool = True,
        n_tune: int = 300,
        max_rows: int = 2500,
        max_iter: int = 60,
        random_state: int = 0,
        warm_start: bool = False,
    ) -> None:
        self.warm_start = warm_start
        self.kernel = kernel
        self.ard = ard
        self.linear = linear
        self.n_tune = n_tune
        self.max_rows = max_rows
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> GaussianProcess:
        """Fit to features of shape (n, n_features) and a target of shape (n,)."""
        if self.kernel not in KERNELS:
            raise InputError(f"kernel: expected one of {', '.join(KERNELS)}, got {self.kernel!r}")
        inputs, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._shift, spread = inputs.mean(axis=0), inputs.std(axis=0)
        # A constant column has no spread but for rounding: it must not be blown up to noise.
        flat = spread <= 1e-9 * (1.0 + np.abs(self._shift))
        self._spread = np.where(flat, 1.0, spread)
        self._keep = np.logical_not(flat)
        self._y_mean, self._y_std = float(target.mean()), float(target.std()) or 1.0
        rng = np.random.default_rng(self.random_state)
        Z, z = self._standardised(inputs), (target - self._y_mean) / self._y_std
        rows = rng.permutation(len(Z))
        self._tune(Z[rows[: self.n_tune]], z[rows[: self.n_tune]])
        kept = np.sort(rows[: self.max_rows])
        self.rows_ = kept
        self._Z, self._z = Z[kept], z[kept]
        covariance = self._covariance(self._Z, self._Z)
        covariance[np.diag_indices_from(covariance)] += self.noise_**2 + _JITTER
        self._factor = _safe_cholesky(covariance)
        self._alpha = cho_solve((self._factor, True), self._z)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Posterior mean of shape (n,), and the standard deviation of a new measurement if asked for.

        GPML, eq. 2.25 and 2.26, with the noise added to the variance.
        """
        check_is_fitted(self)
        inputs = self._standardised(validate_data(self, X, dtype=np.float64, reset=False))
        mean, std = np.empty(len(inputs)), np.empty(len(inputs))
        step = max(64, (_STD_CHUNK if return_std else _CACHE_CHUNK) // max(len(self._Z), 1))
        for start in range(0, len(inputs), step):
            block = slice(start, start + step)
            cross = self._covariance(inputs[block], self._Z)
            mean[block] = cross @ self._alpha
            if return_std:
                explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
                prior = self.amplitude_**2 + self.slope_**2 * (inputs[block] ** 2).sum(axis=1) + self.noise_**2
                std[block] = np.sqrt(np.maximum(prior - (explained**2).sum(axis=0), _JITTER))
        mean = mean * self._y_std + self._y_mean
        return (mean, std * self._y_std) if return_std else mean

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Seed = 0) -> FloatArray:
        """Joint draws of new measurements, shape (n, n_samples): neighbours err together.

        GPML, eq. 2.22 to 2.24: a draw of the latent function, and independent noise on top. Memory and time grow with
        the square and the cube of n.
        """
        check_is_fitted(self)
        rng = as_generator(random_state)
        inputs = self._standardised(validate_data(self, X, dtype=np.float64, reset=False))
        cross = self._covariance(inputs, self._Z)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        covariance = self._covariance(inputs, inputs) - explained.T @ explained
        covariance[np.diag_indices_from(covariance)] += _JITTER
        latent = _safe_cholesky(covariance) @ rng.standard_normal((len(inputs), n_samples))
        noise = self.noise_ * rng.standard_normal(latent.shape)
        return np.asarray(((cross @ self._alpha)[:, None] + latent + noise) * self._y_std + self._y_mean)

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Prediction of each training row from all others, without a refit (GPML, eq. 5.12).

        Returns
        -------
        mean, std : ndarray of shape (n_rows,)
            In the order of ``rows_``, the training rows that the posterior uses. Hyper-parameters stay as fitted.
        """
        check_is_fitted(self)
        inverse = cho_solve((self._factor, True), np.eye(len(self._z)))
        precision = np.diag(inverse)
        mean = self._z - self._alpha / precision
        return mean * self._y_std + self._y_mean, np.sqrt(1.0 / precision) * self._y_std

    # ---------------------------------------------------------------- internals
    def _standardised(self, inputs: FloatArray) -> FloatArray:
        return np.asarray(((inputs - self._shift) / self._spread)[:, self._keep])

    def _covariance(self, A: FloatArray, B: FloatArray) -> FloatArray:
        squared = _squared_distances(A / self._scales, B / self._scales)
        covariance = _correlation(squared, self.kernel)
        covariance *= self.amplitude_**2
        if self.slope_ > 0.0:
            covariance += (self.slope_**2 * A) @ B.T
        return covariance

    def _tune(self, Z: FloatArray, z: FloatArray) -> None:
        """Maximise the marginal likelihood times the prior."""
        d = Z.shape[1]
        n_scales = d if self.ard else min(d, 1)
        typical = 0.5 * np.log(max(d, 1))
        last: FloatArray | None = getattr(self, "_theta", None) if self.warm_start else None
        warm = last is not None
        scales = np.full(n_scales, typical) if last is None else self._last_scales(last, typical)
        tail = np.array([0.0, np.log(0.3), np.log(0.1)]) if last is None else last[-3:]
        start = np.concatenate([scales, tail])
        if d == 0 or len(Z) < 3 or np.ptp(z) == 0.0:
            best, self.n_iter_ = start, 1
        else:
            found = minimize(
                self._objective,
                start,
                args=(Z, z, typical),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-4.0, 9.0)] * n_scales + [(-5.0, 4.0), (-6.0, 1.5), (-7.0, 4.0)],
                options={"maxiter": WARM_ITERATIONS if warm else self.max_iter},
            )
            best, self.n_iter_ = found.x, max(1, int(found.nit))
        self._unpack(best, d)
        self._theta: FloatArray = best
        self.length_scales_ = np.full(len(self._keep), np.inf)
        self.length_scales_[self._keep] = self._scales

    def _last_scales(self, theta: FloatArray, typical: float) -> FloatArray:
        """Logarithms of the last fit's length scales; the typical one for a feature that was constant then."""
        if not self.ard:
            return theta[:-3]
        known = np.isfinite(self.length_scales_[self._keep])
        return np.where(known, np.log(np.where(known, self.length_scales_[self._keep], 1.0)), typical)

    def _unpack(self, theta: FloatArray, d: int) -> None:
        scales = np.exp(theta[:-3])
        self._scales = scales if len(scales) == d else np.full(d, scales[0] if len(scales) else 1.0)
        self.amplitude_, self.noise_ = float(np.exp(theta[-3])), float(np.exp(theta[-2]))
        self.slope_ = float(np.exp(theta[-1])) if self.linear else 0.0

    def _objective(self, theta: FloatArray, Z: FloatArray, z: FloatArray, typical: float) -> tuple[float, FloatArray]:
        """Negative log posterior of the hyper-parameters and its gradient (GPML, eq. 5.8 and 5.9)."""
        n, d = Z.shape
        self._unpack(theta, d)
        scaled = Z / self._scales
        shape, slope = _kernel(_squared_distances(scaled, scaled), self.kernel)
        stationary = self.amplitude_**2 * shape
        straight = self.slope_**2 * (Z @ Z.T)
        covariance = stationary + straight
        covariance[np.diag_indices(n)] += self.noise_**2 + _JITTER
        try:
            factor = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        alpha = cho_solve((factor, True), z, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
        weight = np.outer(alpha, alpha) - inverse
        value = -0.5 * z @ alpha - np.log(np.diag(factor)).sum()
        # d k / d log l_j = -2 slope (x_j - x'_j)^2 / l_j^2: the double sum over pairs is two matrix products.
        mixed = weight * (-(self.amplitude_**2) * slope)
        by_scale = 2.0 * (
            (scaled**2 * mixed.sum(axis=1)[:, None]).sum(axis=0) - (scaled * (mixed @ scaled)).sum(axis=0)
        )
        if not self.ard:
            by_scale = by_scale.sum(keepdims=True)
        gradient = np.concatenate(
            [
                by_scale,
                [
                    (weight * stationary).sum(),
                    self.noise_**2 * np.trace(weight),
                    (weight * straight).sum(),
                ],
            ]
        )
        center = np.concatenate([np.full(len(theta) - 3, typical + 0.7), [0.0, -2.5, -2.0]])
        width = np.concatenate([np.full(len(theta) - 3, 1.5), [1.5, 1.5, 2.0]])
        away = (theta - center) / width
        return float(0.5 * away @ away - value), away / width - gradient


def _kernel(squared: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Correlation and its derivative by the squared distance."""
    if name == "rbf":
        value = np.exp(-0.5 * squared)
        return np.asarray(value), np.asarray(-0.5 * value)
    r = _SQRT5 * np.sqrt(squared)
    decay = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * decay, -(5.0 / 6.0) * (1.0 + r) * decay


def _correlation(squared: FloatArray, name: str) -> FloatArray:
    """The correlation alone, computed in place: prediction is bound by memory traffic."""
    if name == "rbf":
        squared *= -0.5
        return np.asarray(np.exp(squared, out=squared))
    squared *= 5.0
    r = np.sqrt(squared, out=squared)
    shape = r / 3.0
    shape += 1.0
    shape *= r
    shape += 1.0
    np.negative(r, out=r)
    shape *= np.exp(r, out=r)
    return np.asarray(shape)


def _squared_distances(A: FloatArray, B: FloatArray) -> FloatArray:
    squared = A @ (-2.0 * B.T)
    squared += (A**2).sum(axis=1)[:, None]
    squared += (B**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squared, 0.0, out=squared))


def _safe_cholesky(covariance: FloatArray) -> FloatArray:
    """Lower factor, with more jitter as long as rounding needs it."""
    jitter = _JITTER
    while True:
        try:
            return np.asarray(cholesky(covariance, lower=True, check_finite=False))
        except np.linalg.LinAlgError:
            covariance[np.diag_indices_from(covariance)] += jitter
            jitter *= 10.0
