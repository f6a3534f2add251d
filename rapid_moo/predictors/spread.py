"""Predictive spread from out-of-fold residuals: local, and scaled so that intervals cover what they say.

A predictor is never as good near the front as it is on average: the best architectures are few and extreme. So a
spread is built in three steps. A *base* that varies over the space: a Gaussian process' own standard deviation, or a
kernel average of squared out-of-fold residuals. A *local factor* by predicted value, so that architectures that are
predicted to be good get the errors of those that were predicted to be good. A *conformal scale*: the factor by which
quantiles of the standardised out-of-fold residuals miss those of a normal distribution.

Sources
-------
J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman, "Distribution-free predictive inference for regression",
JASA 113, 2018 (locally weighted conformal inference); V. Vovk, "Cross-conformal predictors", Annals of Mathematics and
AI 74, 2015 (out-of-fold residuals instead of a held-out set).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from rapid_moo._util import FloatArray, squared_distances

LEVELS = (0.5, 0.8, 0.95)
TINY = 1e-12
_BANDWIDTH, _PRIOR_ROWS, _GRID = 0.12, 20.0, 15
_LOWEST, _HIGHEST = 0.2, 8.0
_BLOCK = 2**18


def conformal_scale(standardised: FloatArray) -> float:
    """Factor by which standardised residuals of shape (n,) are wider than a standard normal, within 0.2 to 8.

    The geometric mean over the central 50, 80 and 95 % of the ratio between the residuals' conformal quantile
    (the ``ceil((n + 1) level)``-th smallest absolute residual) and the normal one.
    """
    size = np.sort(np.abs(standardised))
    n = len(size)
    ratios = []
    for level in LEVELS:
        position = min(n, int(np.ceil((n + 1) * level))) - 1
        ratios.append(max(size[position], TINY) / ndtri(0.5 + level / 2.0))
    return float(np.clip(np.exp(np.mean(np.log(ratios))), _LOWEST, _HIGHEST))


class LocalFactor:
    """Factor on the spread by predicted value, from standardised residuals.

    Parameters
    ----------
    predicted : ndarray of shape (n,)
        Out-of-fold predictions.
    standardised : ndarray of shape (n,)
        Their residuals in units of the base spread.
    """

    def __init__(self, predicted: FloatArray, standardised: FloatArray) -> None:
        overall = conformal_scale(standardised)
        # Winsorised: one wild measurement must not set the spread of its neighbourhood.
        squared = np.minimum(standardised**2, (3.0 * overall) ** 2)
        position = (np.argsort(np.argsort(predicted, kind="stable"), kind="stable") + 0.5) / len(predicted)
        grid = np.linspace(0.0, 1.0, _GRID)
        weight = np.exp(-0.5 * ((grid[:, None] - position[None, :]) / _BANDWIDTH) ** 2)
        typical = float(squared.mean())
        local = (weight @ squared + _PRIOR_ROWS * typical) / (weight.sum(axis=1) + _PRIOR_ROWS)
        self._values = np.quantile(predicted, grid)
        self._factors = np.sqrt(np.maximum(local, TINY))
        self._factors *= conformal_scale(standardised / self(predicted))

    def __call__(self, predicted: FloatArray) -> FloatArray:
        """Factors of shape (n,)."""
        return np.asarray(np.interp(predicted, self._values, self._factors))


class ResidualSpread:
    """Kernel average of squared out-of-fold residuals over the features, drawn halfway towards the overall mean.

    Parameters
    ----------
    inputs : ndarray of shape (n, n_features)
        Features of the training rows.
    residuals : ndarray of shape (n,)
        Their out-of-fold residuals.
    """

    def __init__(self, inputs: FloatArray, residuals: FloatArray) -> None:
        self._center, self._width = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
        self._inputs = (inputs - self._center) / self._width
        self._squared, self._overall = residuals**2, float(np.mean(residuals**2))
        squared = squared_distances(self._inputs, self._inputs)
        near = int(np.clip(np.sqrt(len(inputs)), 1, len(inputs) - 1)) if len(inputs) > 1 else 0
        self._bandwidth = max(float(np.median(np.partition(squared, near, axis=1)[:, near])), TINY)
        # A row's own residual says nothing about a new row: the calibration must not see it.
        np.fill_diagonal(squared, np.inf)
        self.own = self._spread(squared)

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Spread of shape (n,) at features of shape (n, n_features)."""
        spread = np.empty(len(inputs))
        size = max(16, _BLOCK // len(self._inputs))
        for start in range(0, len(inputs), size):
            block = (inputs[start : start + size] - self._center) / self._width
            spread[start : start + size] = self._spread(squared_distances(block, self._inputs))
        return spread

    def _spread(self, squared: FloatArray) -> FloatArray:
        squared *= -1.0 / self._bandwidth
        weight = np.exp(squared, out=squared)
        local = (weight @ self._squared + 1e-3 * self._overall) / (weight.sum(axis=1) + 1e-3)
        return np.asarray(np.sqrt(np.maximum(0.5 * (local + self._overall), TINY**2)))
