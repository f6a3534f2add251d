"""An exact Gaussian process for a few hundred rows of engineered features, fast enough to sit in a tuning loop.

scikit-learn's ``GaussianProcessRegressor`` builds an (n, n, d) tensor for the gradient of d length scales; here the
gradient takes two matrix products, which makes automatic relevance determination affordable for tens of features.

Source: C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006 (GPML), with a
prior on length scales that grows with the dimension (C. Hvarfner et al., "Vanilla Bayesian optimization performs great
in high dimensions", ICML 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from rapid_moo._util import BoolArray, FloatArray, IntArray, Seed, as_generator, squared_distances
from rapid_moo.errors import InputError

KERNELS = ("matern52", "rbf")
_JITTER = 1e-8
_BLOCK = 2**15
HALVES_FROM = 101
TRUST = -0.5
"""Logarithm of the standard deviation that what is known from elsewhere is expected to explain."""
_SQRT5 = float(np.sqrt(5.0))


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Gaussian process regression with one length scale per feature and a linear part.

    The covariance is ``a^2 k(|x - x'| / l) + b^2 x.x' + c^2 p.p' + s^2 [x = x']`` on standardised inputs and target;
    the columns p of ``n_prior`` are what is known of the target from elsewhere, linear and in units of their own.

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
    n_prior : int
        So many of the last columns are p.

    Attributes
    ----------
    length_scales_ : ndarray of shape (n_features,)
        In units of standardised features.
    theta_ : ndarray
        Logarithms of the hyper-parameters, for a warm start of another fit.
    amplitude_, slope_, noise_, trust_ : float
        Standard deviations a, b, s and c, in units of the target's standard deviation.
    rows_ : ndarray
        Rows that the posterior uses.
    unseen_ : ndarray of bool
        Those of ``rows_`` that the hyper-parameters were not chosen on.
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
        n_tune: int = 200,
        max_rows: int = 2500,
        max_iter: int = 40,
        random_state: int = 0,
        n_prior: int = 0,
    ) -> None:
        self.kernel = kernel
        self.ard = ard
        self.linear = linear
        self.n_tune = n_tune
        self.max_rows = max_rows
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_prior = n_prior

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        start: FloatArray | None = None,
        tune_rows: BoolArray | None = None,
        tune: bool = True,
        noise: FloatArray | None = None,
    ) -> GaussianProcess:
        """Fit to features of shape (n, n_features) and a target of shape (n,).

        Parameters
        ----------
        X, y : array-like
            Features and target.
        start : ndarray, optional
            ``theta_`` of a fit to the same features (of another transform of the target, say) to start L-BFGS from.
        tune_rows : ndarray of shape (n,), optional
            The rows that the hyper-parameters may be chosen on; all of them by default.
        tune : bool
            Whether hyper-parameters are chosen. If not, those of ``start`` are kept where they suit the features.
        noise : ndarray of shape (n,), optional
            Standard deviations of what some rows are known to be uncertain by beside the noise of all, in the target's
            unit (GPML, section 2.2, with a variance of its own for each row).
        """
        if self.kernel not in KERNELS:
            raise InputError(f"kernel: expected one of {', '.join(KERNELS)}, got {self.kernel!r}")
        inputs, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        return self._fit(inputs, target, start, tune_rows, tune, noise)

    def _fit(
        self,
        inputs: FloatArray,
        target: FloatArray,
        start: FloatArray | None,
        tune_rows: BoolArray | None,
        tune: bool,
        noise: FloatArray | None = None,
    ) -> GaussianProcess:
        """As :meth:`fit`, of arrays that have been looked at."""
        self._shift, spread = inputs.mean(axis=0), inputs.std(axis=0)
        # A constant column has no spread but for rounding: it must not be blown up to noise.
        flat = spread <= 1e-9 * (1.0 + np.abs(self._shift))
        known_from_elsewhere = np.arange(len(flat)) >= len(flat) - self.n_prior
        self._spread = np.where(flat | known_from_elsewhere, 1.0, spread)
        self._keep = np.logical_not(flat) | known_from_elsewhere
        self._y_mean, self._y_std = float(target.mean()), float(target.std()) or 1.0
        rng = np.random.default_rng(self.random_state)
        Z, z = self._standardised(inputs), (target - self._y_mean) / self._y_std
        rows = rng.permutation(len(Z))
        allowed = rows if tune_rows is None else rows[tune_rows[rows]]
        seen = allowed[: self.n_tune]
        extra = np.zeros(len(z)) if noise is None else (noise / self._y_std) ** 2
        self._tune(Z[seen], z[seen], start, tune, extra[seen])
        kept = np.sort(rows[: self.max_rows])
        self.rows_ = kept
        self.unseen_ = np.logical_not(np.isin(kept, seen))
        self._Z, self._z = Z[kept], z[kept]
        self._scaled = self._Z / self._scales
        covariance = self._prior(self._Z, self._scaled, self._Z, self._scaled)
        covariance[np.diag_indices_from(covariance)] += self.noise_**2 + _JITTER + extra[kept]
        self._factor = _safe_cholesky(covariance)
        self._alpha = cho_solve((self._factor, True), self._z, check_finite=False)
        self._weights = self._slopes * (self._alpha @ self._Z)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Posterior mean of shape (n,), and the standard deviation of a new measurement if asked for.

        GPML, eq. 2.25 and 2.26, with the noise added to the variance.
        """
        check_is_fitted(self)
        everyone = validate_data(self, X, dtype=np.float64, reset=False)
        mean, std = np.empty(len(everyone)), np.empty(len(everyone))
        weights = self.amplitude_**2 * self._alpha
        # Blocks that stay in the processor's cache: the kernel is a dozen passes over each of them.
        size = max(16, _BLOCK // len(self._z))
        for start in range(0, len(everyone), size):
            block = slice(start, start + size)
            inputs = self._standardised(everyone[block])
            cross = squared_distances(inputs / self._scales, self._scaled)
            _correlate(cross, self.kernel)
            mean[block] = cross @ weights
            mean[block] += inputs @ self._weights
            if return_std:
                cross *= self.amplitude_**2
                if self._slopes.any():
                    cross += (self._slopes * inputs) @ self._Z.T
                explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
                prior = self.amplitude_**2 + inputs**2 @ self._slopes
                left = prior - np.einsum("ij,ij->j", explained, explained)
                std[block] = np.sqrt(np.maximum(left, 0.0) + self.noise_**2 + _JITTER)
        mean = mean * self._y_std + self._y_mean
        return (mean, std * self._y_std) if return_std else mean

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Seed = 0) -> FloatArray:
        """Joint draws of new measurements, shape (n, n_samples): neighbours err together."""
        mean, errors = self.joint_errors(X, n_samples, random_state)
        return np.asarray(mean[:, None] + errors)

    def joint_errors(self, X: ArrayLike, n_samples: int = 1, random_state: Seed = 0) -> tuple[FloatArray, FloatArray]:
        """Posterior mean of shape (n,), and joint draws of how far new measurements are from it, shape (n, n_samples).

        GPML, eq. 2.22 to 2.24: a draw of the latent function, and independent noise on top. Memory and time grow with
        the square and the cube of n.
        """
        check_is_fitted(self)
        rng = as_generator(random_state)
        inputs = self._standardised(validate_data(self, X, dtype=np.float64, reset=False))
        scaled = inputs / self._scales
        cross = self._prior(inputs, scaled, self._Z, self._scaled)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        covariance = self._prior(inputs, scaled, inputs, scaled)
        covariance -= explained.T @ explained
        covariance[np.diag_indices_from(covariance)] += _JITTER
        errors = _safe_cholesky(covariance) @ rng.standard_normal((len(inputs), n_samples))
        errors += self.noise_ * rng.standard_normal(errors.shape)
        return (cross @ self._alpha) * self._y_std + self._y_mean, errors * self._y_std

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Prediction of each training row from all others, without a refit (GPML, eq. 5.12).

        Returns
        -------
        mean, std : ndarray of shape (n_rows,)
            In the order of ``rows_``, the training rows that the posterior uses. Hyper-parameters stay as fitted.
        """
        return self.leave_folds_out(np.arange(len(self.rows_)))

    def leave_folds_out(self, folds: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Prediction of each training row from the rows of all other folds, without a refit.

        The block form of GPML, eq. 5.12: with ``P`` the inverse covariance, the residuals of a fold ``I`` are
        ``inv(P_II) (P z)_I`` and their covariance is ``inv(P_II)``.

        Parameters
        ----------
        folds : array-like of shape (n_rows,)
            Fold of each of ``rows_``.

        Returns
        -------
        mean, std : ndarray of shape (n_rows,)
            In the order of ``rows_``. Hyper-parameters stay as fitted.
        """
        check_is_fitted(self)
        labels = np.asarray(folds)
        if labels.shape != (len(self._z),):
            raise InputError(f"folds: expected shape ({len(self._z)},), got {labels.shape}")
        return self._leave_out(labels, np.unique(labels))

    def _leave_out(self, labels: IntArray, left_out: IntArray) -> tuple[FloatArray, FloatArray]:
        """As :meth:`leave_folds_out`, of some folds alone; of other rows nothing is said that is of use."""
        inverse = _inverse(self._factor)
        if len(left_out) == len(labels):
            precision = np.diag(inverse)
            residual, variance = self._alpha / precision, 1.0 / precision
        else:
            residual, variance = np.zeros_like(self._z), np.zeros_like(self._z)
            for label in left_out:
                rows = np.flatnonzero(labels == label)
                covariance = np.linalg.inv(inverse[np.ix_(rows, rows)])
                residual[rows] = covariance @ self._alpha[rows]
                variance[rows] = np.diag(covariance)
        mean, std = self._z - residual, np.sqrt(np.maximum(variance, _JITTER))
        return mean * self._y_std + self._y_mean, std * self._y_std

    def cross_predict(
        self,
        X: ArrayLike,
        y: ArrayLike,
        folds: IntArray,
        starts: Sequence[FloatArray] = (),
        tune: bool = True,
        halves_from: int = HALVES_FROM,
        noise: FloatArray | None = None,
    ) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
        """Prediction of each row from the rows of all other folds, by hyper-parameters that have not seen it either.

        Tens of length scales fit the noise of a hundred rows: what :meth:`leave_folds_out` predicts after a fit to all
        of them looks better than it is (a Kendall tau of 0.3 for pure noise). Below ``halves_from`` rows each fold
        gets hyper-parameters of its own; of more rows half are enough, and each half of the folds shares those of the
        other.

        Parameters
        ----------
        X, y : array-like of shape (n, n_features) and (n,)
            Features and target, at most ``max_rows`` rows.
        folds : ndarray of shape (n,)
            Fold of each row, from 0.
        starts : sequence of ndarray
            ``thetas`` of an earlier call to start from.
        tune : bool
            Whether hyper-parameters are chosen; if not, those of ``starts`` are kept where there are as many as groups.
        halves_from : int
            Rows from which on folds share.
        noise : ndarray of shape (n,), optional
            As of :meth:`fit`; a row's own is in its ``std``.

        Returns
        -------
        mean, std : ndarray of shape (n,)
            Predictions.
        thetas : list of ndarray
            Hyper-parameters of each group of folds.
        """
        mean, std, thetas = np.empty(len(folds)), np.empty(len(folds)), []
        group = folds if len(folds) < halves_from else (2 * folds > folds.max()).astype(np.int64)
        process = clone(self)
        inputs, target = validate_data(process, X, y, dtype=np.float64, y_numeric=True)
        for label in np.unique(group):
            start = starts[label] if len(starts) == group.max() + 1 else None
            rows = group == label
            process._fit(inputs, target, start, ~rows, tune, noise)
            predicted = process._leave_out(folds, np.unique(folds[rows]))
            mean[rows], std[rows] = predicted[0][rows], predicted[1][rows]
            thetas.append(process.theta_)
        return mean, std, thetas

    # ---------------------------------------------------------------- internals
    def _standardised(self, inputs: FloatArray) -> FloatArray:
        if self._keep.all():
            return np.asarray((inputs - self._shift) / self._spread)
        return np.asarray((inputs[:, self._keep] - self._shift[self._keep]) / self._spread[self._keep])

    def _prior(self, A: FloatArray, scaled_a: FloatArray, B: FloatArray, scaled_b: FloatArray) -> FloatArray:
        """Prior covariance of the latent function between standardised inputs, shape (n_a, n_b)."""
        covariance = squared_distances(scaled_a, scaled_b)
        _correlate(covariance, self.kernel)
        covariance *= self.amplitude_**2
        if self._slopes.any():
            covariance += (self._slopes * A) @ B.T
        return covariance

    def _tune(self, Z: FloatArray, z: FloatArray, warm: FloatArray | None, tune: bool, extra: FloatArray) -> None:
        """Maximise the marginal likelihood times the prior, or keep what is given."""
        d = Z.shape[1] - self.n_prior
        n_scales = d if self.ard else min(d, 1)
        typical = 0.5 * np.log(max(d, 1))
        trusts = min(self.n_prior, 1)
        start = np.concatenate([np.full(n_scales, typical), [0.0, np.log(0.3), np.log(0.1)], [TRUST] * trusts])
        if warm is not None and warm.shape == start.shape:
            start = warm
        if (start is warm and not tune) or len(start) == 3 or len(Z) < 3 or np.ptp(z) == 0.0:
            best, self.n_iter_ = start, 1
        else:
            grams = [Z[:, :d] @ Z[:, :d].T, *[Z[:, d:] @ Z[:, d:].T] * trusts]
            center = np.concatenate([np.full(n_scales, typical + 0.7), [0.0, -2.5, -2.0], [TRUST] * trusts])
            width = np.concatenate([np.full(n_scales, 1.5), [1.5, 1.5, 2.0], [1.5] * trusts])
            found = minimize(
                self._objective,
                start,
                args=(Z, z, center, width, grams, extra),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-4.0, 9.0)] * n_scales + [(-5.0, 4.0), (-6.0, 1.5), (-7.0, 4.0)] + [(-7.0, 3.0)] * trusts,
                options={"maxiter": self.max_iter},
            )
            best, self.n_iter_ = found.x, max(1, int(found.nit))
        self.theta_ = np.asarray(best, dtype=np.float64)
        self._unpack(best, Z.shape[1])
        self.length_scales_ = np.full(len(self._keep), np.inf)
        self.length_scales_[self._keep] = self._scales

    def _unpack(self, theta: FloatArray, n_inputs: int) -> None:
        first, d = (len(theta) - 4, n_inputs - self.n_prior) if self.n_prior else (len(theta) - 3, n_inputs)
        scales = np.exp(theta[:first])
        own = scales if len(scales) == d else np.full(d, scales[0] if len(scales) else 1.0)
        self._scales = np.concatenate([own, np.full(self.n_prior, np.inf)])
        self.amplitude_, self.noise_ = float(np.exp(theta[first])), float(np.exp(theta[first + 1]))
        self.slope_ = float(np.exp(theta[first + 2])) if self.linear else 0.0
        self.trust_ = float(np.exp(theta[first + 3])) if self.n_prior else 0.0
        self._slopes = np.concatenate([np.full(d, self.slope_**2), np.full(self.n_prior, self.trust_**2)])

    def _objective(
        self,
        theta: FloatArray,
        Z: FloatArray,
        z: FloatArray,
        center: FloatArray,
        width: FloatArray,
        grams: list[FloatArray],
        extra: FloatArray,
    ) -> tuple[float, FloatArray]:
        """Negative log posterior of the hyper-parameters and its gradient (GPML, eq. 5.8 and 5.9).

        ``center`` and ``width`` are mean and standard deviation of the normal prior of each; ``extra`` are variances of
        single rows.
        """
        n, d = len(Z), Z.shape[1] - self.n_prior
        # Ten thousand times in a run: nothing is stored, and plain numbers are used where they do.
        first = len(theta) - len(grams) - 2
        amplitude, noise, slope, *trust = np.exp(2.0 * theta[first:]).tolist()
        if not self.linear:
            slope = 0.0
        scaled = Z[:, :d] / np.exp(theta[:first])
        shape = squared_distances(scaled, scaled)
        mixed = _correlate(shape, self.kernel, slope=True)
        covariance = amplitude * shape
        covariance += slope * grams[0]
        for variance, gram in zip(trust, grams[1:], strict=True):
            covariance += variance * gram
        covariance.flat[:: n + 1] += noise + _JITTER + extra
        # LAPACK itself: scipy's wrappers take as long as the work for a hundred rows.
        factor, failed = dpotrf(covariance, lower=1)
        if failed:
            return 1e10, np.zeros_like(theta)
        alpha, _ = dpotrs(factor, z, lower=1)
        value = -0.5 * z @ alpha - np.log(factor.diagonal()).sum()
        weight = alpha[:, None] * alpha
        weight -= _inverse(factor)
        # d k / d log l_j = -2 slope (x_j - x'_j)^2 / l_j^2: the double sum over pairs is two matrix products.
        mixed *= weight
        by_scale = mixed.sum(axis=1) @ scaled**2 - np.einsum("ij,ij->j", scaled, mixed @ scaled)
        by_scale *= -2.0 * amplitude
        gradient = np.empty_like(theta)
        gradient[:first] = by_scale if self.ard or not d else by_scale.sum()
        gradient[first] = amplitude * np.vdot(weight, shape)
        gradient[first + 1] = noise * weight.trace()
        for k, (variance, gram) in enumerate(zip((slope, *trust), grams, strict=True)):
            gradient[first + 2 + k] = variance * np.vdot(weight, gram)
        away = (theta - center) / width
        return float(0.5 * away @ away - value), away / width - gradient


def _correlate(squared: FloatArray, name: str, slope: bool = False) -> Any:
    """Turn squared distances into correlations, in place; the derivative by the squared distance if asked for."""
    if name == "rbf":
        squared *= -0.5
        np.exp(squared, out=squared)
        return -0.5 * squared if slope else None
    r = np.sqrt(squared)
    r *= _SQRT5
    decay = np.exp(-r)
    np.multiply(r, 1.0 / 3.0, out=squared)
    squared += 1.0
    squared *= r
    squared += 1.0
    squared *= decay
    if not slope:
        return None
    r += 1.0
    r *= decay
    r *= -5.0 / 6.0
    return r


def _inverse(factor: FloatArray) -> FloatArray:
    """Inverse of a matrix from its lower Cholesky factor."""
    lower, info = dpotri(factor, lower=1)
    if info != 0:
        return np.asarray(cho_solve((factor, True), np.eye(len(factor)), check_finite=False))
    full = lower + lower.T
    full.flat[:: len(full) + 1] *= 0.5
    return np.asarray(full)


def _safe_cholesky(covariance: FloatArray) -> FloatArray:
    """Lower factor, with more jitter as long as rounding needs it."""
    jitter = _JITTER
    while True:
        try:
            return np.asarray(cholesky(covariance, lower=True, check_finite=False))
        except np.linalg.LinAlgError:
            covariance[np.diag_indices_from(covariance)] += jitter
            jitter *= 10.0
