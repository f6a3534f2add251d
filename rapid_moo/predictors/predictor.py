"""One predictor of one objective: a family's regressor, a target transform, and a spread that varies over the space."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from rapid_moo._util import FloatArray, Seed, as_generator
from rapid_moo.errors import InputError
from rapid_moo.predictors.families import get_family
from rapid_moo.predictors.gaussian_process import GaussianProcess
from rapid_moo.predictors.transforms import TRANSFORMS, TargetTransform
from rapid_moo.space import FEATURE_SETS

N_FOLDS = 5
_CHUNK = 16_384


@dataclass(frozen=True)
class PredictorSpec:
    """Which predictor: everything needed to make it again, in JSON's types.

    Parameters
    ----------
    family : str
        One of :data:`~rapid_moo.predictors.FAMILIES`.
    params : dict
        Hyper-parameters that differ from the family's defaults.
    features : {"engineered", "one_hot", "all"}
        Which features of the space it sees.
    transform : {"none", "log", "normal_scores"}
        Transform of its target.
    """

    family: str = "gaussian_process"
    params: Mapping[str, Any] = field(default_factory=dict)
    features: str = "engineered"
    transform: str = "none"

    def __post_init__(self) -> None:
        get_family(self.family).check(self.params)
        if self.features not in FEATURE_SETS:
            raise InputError(f"features: expected one of {', '.join(FEATURE_SETS)}, got {self.features!r}")
        if self.transform not in TRANSFORMS:
            raise InputError(f"transform: expected one of {', '.join(TRANSFORMS)}, got {self.transform!r}")

    @property
    def label(self) -> str:
        """One line that identifies the configuration."""
        params = json.dumps(dict(self.params), sort_keys=True)
        return f"{self.family} {params} on {self.features}, {self.transform}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "family": self.family,
            "params": dict(self.params),
            "features": self.features,
            "transform": self.transform,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PredictorSpec:
        """From the JSON form; unknown keys are errors."""
        expected = {"family", "params", "features", "transform"}
        if set(content) != expected:
            raise InputError(f"predictor: expected keys {sorted(expected)}, got {sorted(content)}")
        return cls(content["family"], dict(content["params"]), content["features"], content["transform"])

    def make(self, seed: int = 0) -> Predictor:
        """The unfitted predictor."""
        return Predictor(self.family, dict(self.params), self.transform, random_state=seed)


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn regressor with a target transform and a predictive spread.

    Parameters
    ----------
    family : str
        Family of regressors.
    params : dict or None
        Hyper-parameters that differ from the family's defaults.
    target_transform : {"none", "log", "normal_scores"}
        Transform of the target.
    spread : bool
        Whether ``predict(X, return_std=True)`` will be asked for; costs an out-of-fold pass for families that have no
        spread of their own.
    random_state : int
        Seed of the regressor and of the folds.
    warm_start : bool
        Fit a Gaussian process again from where the last fit ended; other families start anew.

    Notes
    -----
    The spread of a Gaussian process is its own, scaled so that its leave-one-out residuals have unit variance. Any
    other family gets the root mean squared out-of-fold residual of the nearest training rows, drawn halfway towards
    the overall one, on the same scale.
    """

    def __init__(
        self,
        family: str = "gaussian_process",
        params: dict[str, Any] | None = None,
        target_transform: str = "none",
        spread: bool = True,
        random_state: int = 0,
        warm_start: bool = False,
    ) -> None:
        self.warm_start = warm_start
        self.family = family
        self.params = params
        self.target_transform = target_transform
        self.spread = spread
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Predictor:
        """Fit to features of shape (n, n_features) and raw values of shape (n,)."""
        family = get_family(self.family)
        params = dict(self.params or {})
        family.check(params)
        inputs, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.transform_ = TargetTransform(self.target_transform).fit(target)
        goal = self.transform_.forward(target)
        last: Any = getattr(self, "regressor_", None)
        warm = self.warm_start and isinstance(last, GaussianProcess)
        regressor = last.set_params(warm_start=True) if warm else family.make(params, self.random_state)
        self.regressor_: Any = _fitted(regressor, inputs, goal)
        self.scale_ = 1.0
        if self.spread and isinstance(self.regressor_, GaussianProcess):
            mean, std = self.regressor_.leave_one_out()
            self.scale_ = _unit_scale((goal[self.regressor_.rows_] - mean) / np.maximum(std, 1e-12))
        elif self.spread:
            residuals = goal - _cross_predict(family, params, inputs, goal, self.random_state)
            self._fit_spread(inputs, residuals)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Raw predictions of shape (n,), and their standard deviations if asked for."""
        check_is_fitted(self)
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        if not return_std:
            return self.transform_.backward(np.asarray(self.regressor_.predict(inputs), dtype=np.float64))
        if not self.spread:
            raise InputError("predict: expected a predictor with spread=True for return_std, got spread=False")
        if isinstance(self.regressor_, GaussianProcess):
            mean, std = self.regressor_.predict(inputs, return_std=True)
        else:
            mean, std = np.asarray(self.regressor_.predict(inputs), dtype=np.float64), self._local_spread(inputs)
        std = std * self.scale_
        return self.transform_.backward(mean), std * np.abs(self.transform_.slope(mean, std))

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Seed = 0) -> FloatArray:
        """Draws from the predictive distribution, raw, shape (n, n_samples).

        A Gaussian process draws all rows jointly; the errors of any other family are drawn independently.
        """
        check_is_fitted(self)
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        rng = as_generator(random_state)
        mean = np.asarray(self.regressor_.predict(inputs), dtype=np.float64)[:, None]
        if isinstance(self.regressor_, GaussianProcess):
            errors = self.regressor_.sample_y(inputs, n_samples, rng) - mean
        else:
            errors = self._local_spread(inputs)[:, None] * rng.standard_normal((len(inputs), n_samples))
        return self.transform_.backward(mean + self.scale_ * errors)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The mean is the fallback for what cannot be learned: a poor score is its job.
        tags.regressor_tags.poor_score = self.family == "mean"
        return tags

    # ---------------------------------------------------------------- spread
    def _fit_spread(self, inputs: FloatArray, residuals: FloatArray) -> None:
        self._center, self._width = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
        self._squared = residuals**2
        count = int(np.clip(np.sqrt(len(inputs)), 1, 30))
        self._neighbours = NearestNeighbors(n_neighbors=count).fit((inputs - self._center) / self._width)
        self.scale_ = _unit_scale(residuals / np.maximum(self._local_spread(inputs), 1e-12))

    def _local_spread(self, inputs: FloatArray) -> FloatArray:
        overall = self._squared.mean()
        spread = np.empty(len(inputs))
        for start in range(0, len(inputs), _CHUNK):
            block = (inputs[start : start + _CHUNK] - self._center) / self._width
            near = self._neighbours.kneighbors(block, return_distance=False)
            spread[start : start + _CHUNK] = np.sqrt(0.5 * (self._squared[near].mean(axis=1) + overall))
        return spread


def out_of_fold(
    spec: PredictorSpec, features: FloatArray, y: FloatArray, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Predictions of every row by a predictor that has not seen it.

    A Gaussian process needs one fit (closed-form leave-one-out); any other family five folds, leave-one-out below
    ten rows.

    Parameters
    ----------
    spec : PredictorSpec
        Which predictor.
    features : ndarray of shape (n, n_features)
        Features of the set that the spec names.
    y : ndarray of shape (n,)
        Raw values.
    seed : int
        Seed of folds and regressors.

    Returns
    -------
    mean, std : ndarray of shape (n,)
        Raw predictions and their spread; for folds the spread is the overall one.
    """
    family = get_family(spec.family)
    transform = TargetTransform(spec.transform).fit(y)
    goal = transform.forward(y)
    regressor = family.make(dict(spec.params), seed)
    if isinstance(regressor, GaussianProcess) and len(y) <= regressor.max_rows:
        mean, std = regressor.fit(features, goal).leave_one_out()
    else:
        mean = _cross_predict(family, dict(spec.params), features, goal, seed)
        std = np.full(len(y), max(float(np.sqrt(np.mean((goal - mean) ** 2))), 1e-12))
    return transform.backward(mean), std * np.abs(transform.slope(mean, std))


def _cross_predict(family: Any, params: dict[str, Any], inputs: FloatArray, goal: FloatArray, seed: int) -> FloatArray:
    n = len(inputs)
    if n < 3:
        return np.full(n, goal.mean())
    folds = KFold(n if n < 10 else N_FOLDS, shuffle=True, random_state=seed)
    predicted = np.empty(n)
    for train, test in folds.split(inputs):
        regressor = _fitted(family.make(params, seed), inputs[train], goal[train])
        predicted[test] = regressor.predict(inputs[test])
    return predicted


def _fitted(regressor: Any, inputs: FloatArray, goal: FloatArray) -> Any:
    with warnings.catch_warnings():
        # A linear model that has not converged is judged by its out-of-fold predictions like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return regressor.fit(inputs, goal)


def _unit_scale(standardised: FloatArray) -> float:
    """Factor that gives standardised residuals unit variance, kept within reason."""
    return float(np.clip(np.sqrt(np.mean(standardised**2)), 0.3, 5.0))
