"""Regressors that see a target of mean 0 and spread 1, so that no unit and no offset changes what they learn.

Most regressors carry absolute numbers: a penalty, a tolerance below which nothing is split, a prior of width 1, no
intercept. A Gaussian process standardises its target itself and is left alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rapid_moo._util import FloatArray, interrupts_held
from rapid_moo.predictors.gaussian_process import GaussianProcess

_STEPS = 2.0**30


class Standardised:
    """A scikit-learn regressor of a standardised target.

    Parameters
    ----------
    regressor : estimator
        An unfitted regressor.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, inputs: FloatArray, goal: FloatArray) -> Standardised:
        """Fit to features of shape (n, n_features) and a target of shape (n,); returns self."""
        spread = 0.0 if np.ptp(goal) == 0.0 else float(goal.std())
        self._center, self._scale = (float(goal.mean()), spread) if spread > 0.0 else (float(goal[0]), 1.0)
        # Trees split where equal gains differ in the last bit: another unit must not decide by its rounding.
        target = np.rint((goal - self._center) / self._scale * _STEPS) / _STEPS
        with warnings.catch_warnings():
            # A linear model that has not converged is judged by its predictions like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            with interrupts_held():
                self.regressor.fit(inputs, target)
        return self

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Predictions of shape (n,) in the target's own unit."""
        return self._back(self.regressor.predict(inputs))

    def staged(self, stages: Callable[..., FloatArray], inputs: FloatArray, counts: Sequence[int]) -> FloatArray:
        """Predictions of an ensemble's first members, shape (n_counts, n); see ``Family.stages``."""
        return self._back(stages(self.regressor, inputs, counts))

    def out_of_bag(self) -> FloatArray:
        """A forest's out-of-bag predictions of the training rows, shape (n,)."""
        return self._back(self.regressor.oob_prediction_)

    def _back(self, values: Any) -> FloatArray:
        return np.asarray(values, dtype=np.float64) * self._scale + self._center


def fit_regressor(regressor: Any, inputs: FloatArray, goal: FloatArray, noise: FloatArray | None = None) -> Any:
    """The regressor, fitted to a standardised target; the one place where families meet their data."""
    if isinstance(regressor, GaussianProcess):
        return regressor.fit(inputs, goal, noise=noise)
    return Standardised(regressor).fit(inputs, goal)
