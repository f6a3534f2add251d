"""One predictor of one objective: a family's regressor, a target transform, and a spread that varies over the space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from rapid_moo._util import FloatArray, IntArray, Seed, as_generator, shown
from rapid_moo.errors import InputError
from rapid_moo.predictors.families import Family, get_family
from rapid_moo.predictors.gaussian_process import GaussianProcess
from rapid_moo.predictors.spread import TINY, LocalFactor, ResidualSpread
from rapid_moo.predictors.standardised import fit_regressor
from rapid_moo.predictors.transforms import TRANSFORMS, TargetTransform
from rapid_moo.space import FEATURE_SETS

N_FOLDS = 5
WARM_ITERATIONS = 6
FEWEST, FEW, REFRESH = 48, 100, 1.2
"""With ``warm_start`` hyper-parameters are chosen anew in each fit to few rows, and then whenever there are so many
times the rows of the last time; those of the folds, which say how large errors are, from 48 rows on."""
ENOUGH_UNSEEN = 100
MOST_COLUMNS = 1_000


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
    transform : {"none", "log", "tail"}
        Transform of its target.
    prior : int
        Columns behind the features that say what is known of the objective from elsewhere, see
        :mod:`rapid_moo.priors`; 0 where it does without.
    """

    family: str = "gaussian_process"
    params: Mapping[str, Any] = field(default_factory=dict)
    features: str = "engineered"
    transform: str = "none"
    prior: int = 0

    def __post_init__(self) -> None:
        get_family(self.family).check(self.params)
        if self.features not in FEATURE_SETS:
            raise InputError(f"features: expected one of {', '.join(FEATURE_SETS)}, got {self.features!r}")
        if self.transform not in TRANSFORMS:
            raise InputError(f"transform: expected one of {', '.join(TRANSFORMS)}, got {self.transform!r}")

    def replace(self, **params: Any) -> PredictorSpec:
        """The same configuration with some hyper-parameters changed."""
        return PredictorSpec(self.family, {**self.params, **params}, self.features, self.transform, self.prior)

    def with_prior(self, n_columns: int) -> PredictorSpec:
        """The same configuration, which sees so many columns of what is known from elsewhere."""
        return PredictorSpec(self.family, self.params, self.features, self.transform, n_columns)

    @property
    def inputs(self) -> str:
        """Which inputs it sees: its features, and what is known from elsewhere."""
        return f"{self.features}+{'log ' * (self.transform == 'log')}prior" if self.prior else self.features

    @property
    def label(self) -> str:
        """One line that identifies the configuration."""
        params = json.dumps(dict(self.params), sort_keys=True)
        return f"{self.family} {params} on {self.inputs}, {self.transform}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "family": self.family,
            "params": dict(self.params),
            "features": self.features,
            "transform": self.transform,
            **({"prior": self.prior} if self.prior else {}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PredictorSpec:
        """From the JSON form; unknown keys, and values that are absurd or that the regressor refuses, are errors."""
        expected = {"family", "params", "features", "transform"}
        if set(content) - {"prior"} != expected:
            raise InputError(f"predictor: expected keys {sorted(expected)}, got {sorted(content)}")
        prior = content.get("prior", 0)
        if isinstance(prior, bool) or not isinstance(prior, int) or not 0 <= prior <= MOST_COLUMNS:
            raise InputError(f"predictor: expected a prior of 0 to {MOST_COLUMNS} columns, got {shown(prior)}")
        spec = cls(content["family"], dict(content["params"]), content["features"], content["transform"], prior)
        try:
            get_family(spec.family).check_plausible(spec.params)
            regressor = get_family(spec.family).make(spec.params, 0)
            fit_regressor(regressor, np.vander(np.arange(8.0), 3), np.arange(8.0))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"predictor: expected hyper-parameters of {spec.family}, got {shown(dict(spec.params), 200)}: {error}"
            ) from error
        return spec

    def make(self, seed: int = 0) -> Predictor:
        """The unfitted predictor."""
        return Predictor(self.family, dict(self.params), self.transform, random_state=seed, n_prior=self.prior)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a predictor says of training rows that it had not seen: row numbers, raw predictions, their spread."""

    rows: IntArray
    mean: FloatArray
    std: FloatArray


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn regressor with a target transform and a predictive spread.

    Parameters
    ----------
    family : str
        Family of regressors.
    params : dict or None
        Hyper-parameters that differ from the family's defaults.
    target_transform : {"none", "log", "tail"}
        Transform of the target.
    spread : bool
        Whether ``predict(X, return_std=True)`` will be asked for; costs an out-of-fold pass for families that have no
        spread of their own.
    random_state : int
        Seed of the regressor and of the folds.
    warm_start : bool
        Fit a Gaussian process again from the hyper-parameters of the last fit, in few iterations; from 100 rows on keep
        them until there are a fifth more. Other families start anew.
    n_prior : int
        So many of the last columns say what is known of the target from elsewhere: a Gaussian process takes them as
        linear, any other family like all others.

    Notes
    -----
    Neither the unit nor the offset of the target matters: every regressor sees a standardised one.

    The spread of a Gaussian process is its own; any other family gets a kernel average of its out-of-fold residuals.
    Both are corrected by what the out-of-fold residuals say, see :mod:`rapid_moo.predictors.spread`.
    """

    _tuned_rows: int = 0
    """Rows of the fit in which hyper-parameters were last chosen anew, those of the folds too."""

    def __init__(
        self,
        family: str = "gaussian_process",
        params: dict[str, Any] | None = None,
        target_transform: str = "none",
        spread: bool = True,
        random_state: int = 0,
        warm_start: bool = False,
        n_prior: int = 0,
    ) -> None:
        self.family = family
        self.params = params
        self.target_transform = target_transform
        self.spread = spread
        self.random_state = random_state
        self.warm_start = warm_start
        self.n_prior = n_prior

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        noise: FloatArray | None = None,
        told: tuple[FloatArray, FloatArray, FloatArray] | None = None,
    ) -> Predictor:
        """Fit to features of shape (n, n_features) and raw values of shape (n,).

        Parameters
        ----------
        X, y : array-like
            Features and raw values.
        noise : ndarray of shape (n,), optional
            Standard deviations of what single values are known to be uncertain by, raw. A Gaussian process gives such
            rows the less weight, other families take all alike.
        told : tuple of ndarray, optional
            Features, values and standard deviations of what is known from elsewhere. A Gaussian process learns from it
            as from further rows; other families leave it out.
        """
        family = get_family(self.family)
        params = dict(self.params or {})
        family.check(params)
        inputs, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.transform_ = TargetTransform(self.target_transform).fit(target)
        n_own = len(target)
        if told is not None and self.weighs_rows:
            noise = np.concatenate([np.zeros(n_own) if noise is None else noise, told[2]])
            inputs, target = np.vstack([inputs, told[0]]), np.concatenate([target, told[1]])
        goal = self.transform_.forward(target)
        own = None if noise is None else self.transform_.spread(target, noise)
        last: Any = getattr(self, "regressor_", None)
        if self.warm_start and isinstance(last, GaussianProcess):
            anew = len(goal) < FEWEST or len(goal) >= REFRESH * self._tuned_rows
            last = last.set_params(max_iter=WARM_ITERATIONS)
            self.regressor_: Any = last.fit(inputs, goal, start=last.theta_, tune=anew or len(goal) < FEW, noise=own)
        else:
            anew = True
            self.regressor_ = fit_regressor(made(family, params, self.random_state, self.n_prior), inputs, goal, own)
        if anew:
            self._tuned_rows = len(goal)
        if self.spread:
            self._fit_spread(inputs, goal, anew, own, n_own)
        return self

    @property
    def weighs_rows(self) -> bool:
        """Whether its family knows that some rows are surer than others."""
        return self.family == "gaussian_process"

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
            mean, std = np.asarray(self.regressor_.predict(inputs), dtype=np.float64), self.base_(inputs)
        std = std * self.factor_(mean)
        return self.transform_.backward(mean), std * np.abs(self.transform_.slope(mean, std))

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Seed = 0) -> FloatArray:
        """Draws from the predictive distribution, raw, shape (n, n_samples).

        A Gaussian process draws all rows jointly. Any other family's errors are drawn independently from its own
        out-of-fold ones, each in units of its spread: a measurement that is drift has tails that no normal law has.
        """
        check_is_fitted(self)
        if not self.spread:
            raise InputError("sample_y: expected a predictor with spread=True, got spread=False")
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        rng = as_generator(random_state)
        if isinstance(self.regressor_, GaussianProcess):
            mean, errors = self.regressor_.joint_errors(inputs, n_samples, rng)
        else:
            mean = np.asarray(self.regressor_.predict(inputs), dtype=np.float64)
            errors = self.base_(inputs)[:, None] * rng.choice(self.errors_, (len(inputs), n_samples))
        return self.transform_.backward(mean[:, None] + self.factor_(mean)[:, None] * errors)

    def warm_state(self) -> dict[str, Any] | None:
        """What the next fit with ``warm_start`` starts from, in JSON's types; None where it starts anew."""
        if not isinstance(getattr(self, "regressor_", None), GaussianProcess):
            return None
        starts = [start.tolist() for start in getattr(self, "_cross_starts", ())]
        return {"theta": self.regressor_.theta_.tolist(), "starts": starts, "rows": self._tuned_rows}

    def set_warm_state(self, state: Mapping[str, Any] | None) -> None:
        """Make the next fit with ``warm_start`` go on from a :meth:`warm_state`."""
        if state is None:
            return
        process = made(get_family(self.family), dict(self.params or {}), self.random_state, self.n_prior)
        process.theta_ = np.array(state["theta"], dtype=np.float64)
        self.regressor_ = process
        self._tuned_rows = int(state.get("rows", 0))
        self._cross_starts = [np.array(start, dtype=np.float64) for start in state["starts"]]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The mean is the fallback for what cannot be learned: a poor score is its job.
        tags.regressor_tags.poor_score = self.family == "mean"
        return tags

    def _fit_spread(
        self, inputs: FloatArray, goal: FloatArray, tune: bool, noise: FloatArray | None, n_own: int
    ) -> None:
        if isinstance(self.regressor_, GaussianProcess):
            rows, mean, base = self._honest(self.regressor_, inputs, goal, tune, noise, n_own)
        else:
            family, params = get_family(self.family), dict(self.params or {})
            rows = np.arange(len(goal))
            mean = _cross_predict(family, params, inputs, goal, self.random_state)
            self.base_ = ResidualSpread(inputs, goal - mean)
            base = self.base_.own
        standardised = (goal[rows] - mean) / np.maximum(base, TINY)
        self.factor_ = LocalFactor(mean, standardised)
        factor = self.factor_(mean)
        self.errors_ = standardised / factor
        std = base * factor
        self.held_out_ = HeldOut(rows, self.transform_.backward(mean), std * np.abs(self.transform_.slope(mean, std)))

    def _honest(
        self,
        process: GaussianProcess,
        inputs: FloatArray,
        goal: FloatArray,
        tune: bool,
        noise: FloatArray | None,
        n_own: int,
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Rows that neither the prediction nor its hyper-parameters have seen, and what is predicted there.

        The first ``n_own`` rows were measured: what is known from elsewhere does not say how good the prediction is.
        """
        unseen = process.unseen_
        if unseen[process.rows_ < n_own].sum() >= ENOUGH_UNSEEN or len(process.rows_) < len(goal) or len(goal) < 4:
            rows = unseen if unseen.any() else np.ones(len(unseen), dtype=np.bool_)
            mean, std = process.leave_folds_out(assign_folds(len(unseen), self.random_state))
            return process.rows_[rows], mean[rows], std[rows]
        starts = getattr(self, "_cross_starts", ()) if self.warm_start else ()
        mean, std, self._cross_starts = process.cross_predict(
            inputs, goal, assign_folds(len(goal), self.random_state), starts, tune, noise=noise
        )
        return np.arange(len(goal)), mean, std


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
    regressor = made(family, spec.params, seed, spec.prior)
    if isinstance(regressor, GaussianProcess) and len(y) <= regressor.max_rows:
        mean, std = regressor.fit(features, goal).leave_one_out()
    else:
        mean = _cross_predict(family, dict(spec.params), features, goal, seed)
        std = np.full(len(y), max(float(np.sqrt(np.mean((goal - mean) ** 2))), 1e-12))
    return transform.backward(mean), std * np.abs(transform.slope(mean, std))


def made(family: Family, params: Mapping[str, Any], seed: int, n_prior: int = 0) -> Any:
    """An unfitted regressor, which knows how many of its last columns come from elsewhere where it can."""
    regressor = family.make(dict(params), seed)
    return regressor.set_params(n_prior=n_prior) if n_prior and isinstance(regressor, GaussianProcess) else regressor


def assign_folds(n: int, seed: int) -> IntArray:
    """Fold of each of n rows, shape (n,): five random folds, each row its own below ten rows."""
    count = n if n < 2 * N_FOLDS else N_FOLDS
    return np.asarray(np.random.default_rng(seed).permutation(np.arange(n) % count), dtype=np.int64)


def _cross_predict(family: Any, params: dict[str, Any], inputs: FloatArray, goal: FloatArray, seed: int) -> FloatArray:
    n = len(inputs)
    if n < 3:
        return np.full(n, goal.mean())
    folds = assign_folds(n, seed)
    predicted = np.empty(n)
    for fold in range(int(folds.max()) + 1):
        train, test = folds != fold, folds == fold
        predicted[test] = fit_regressor(family.make(params, seed), inputs[train], goal[train]).predict(inputs[test])
    return predicted
