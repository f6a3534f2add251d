"""Families of regressors: how to make one, and good configurations to begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import BayesianRidge, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from rapid_moo._util import FloatArray, numpy_state_kept, same_definition, shown
from rapid_moo.errors import InputError
from rapid_moo.predictors.gaussian_process import GaussianProcess
from rapid_moo.workers import share

if TYPE_CHECKING:
    import nevergrad as ng
    from xgboost import XGBRegressor

Params = Mapping[str, Any]
Configuration = tuple[Params, str, str]
LARGEST = 1e30


@dataclass(frozen=True)
class Family:
    """A family of regressors.

    Parameters
    ----------
    name : str
        Key in :data:`FAMILIES`.
    make : callable
        ``make(params, seed)`` returns an unfitted scikit-learn regressor; it runs on one thread. It is given a target
        of mean 0 and standard deviation 1.
    space : callable
        Returns a fresh Nevergrad parametrization of the hyper-parameters.
    shortlist : tuple of (params, features, transform)
        Good configurations to try first, best first.
    stages : callable, optional
        For an ensemble that grows with ``n_estimators``: ``stages(fitted, inputs, counts)`` returns the predictions of
        its first ``counts`` members, shape (n_counts, n), so that one fit gives all shorter versions.
    first : int
        How many of the shortlist are tried before any family's others.
    """

    name: str
    make: Callable[[Params, int], Any]
    space: Callable[[], ng.p.Dict]
    shortlist: tuple[Configuration, ...]
    stages: Callable[[Any, FloatArray, Sequence[int]], FloatArray] | None = None
    first: int = 1

    def check(self, params: Params) -> None:
        """Raise an InputError if a hyper-parameter is not one of the family's."""
        shortlisted = {key for known, _, _ in self.shortlist for key in known}
        # What is on the shortlist was checked when the family was registered: nobody has to load Nevergrad for that.
        unknown = sorted(set(params) - self.hyperparameters) if set(params) - shortlisted else []
        if unknown:
            raise InputError(
                f"{self.name}: expected hyper-parameters among {sorted(self.hyperparameters)}, got {unknown}"
            )

    def check_plausible(self, params: Params) -> None:
        """Raise an InputError if a number is not finite, or ten times beyond what the tuner would ever try.

        What is read from a file must not cost hours or all memory before it is found to be damaged.
        """
        import nevergrad as ng

        known = self.space()
        for name, value in params.items():
            numeric = isinstance(value, int | float) and not isinstance(value, bool)
            if not numeric or not isinstance(known[name], ng.p.Scalar):
                continue
            lower, upper = (float(bound[0]) if bound is not None else None for bound in known[name].bounds)
            low = -LARGEST if lower is None else (lower / 10 if lower > 0 else 10 * lower)
            high = LARGEST if upper is None else (upper * 10 if upper > 0 else upper / 10)
            if not low <= value <= high:
                raise InputError(f"{self.name}: expected {name} in {low:g}..{high:g}, got {shown(value)}")

    @cached_property
    def hyperparameters(self) -> frozenset[str]:
        """Names of the hyper-parameters."""
        with numpy_state_kept():
            return frozenset(self.space().value)


def _space_of(name: str) -> Callable[[], ng.p.Dict]:
    """The hyper-parameters of a family of ours, which wait for Nevergrad until somebody asks for them."""

    def space() -> ng.p.Dict:
        from rapid_moo.predictors import hyperparameters

        found: ng.p.Dict = getattr(hyperparameters, name)()
        return found

    return space


def _gradient_boosting(params: Params, seed: int) -> GradientBoostingRegressor:
    return GradientBoostingRegressor(**{"n_estimators": 200, **params}, random_state=seed)


def _random_forest(params: Params, seed: int) -> RandomForestRegressor:
    return RandomForestRegressor(**{"n_estimators": 100, **params}, n_jobs=1, random_state=seed)


def _xgboost(params: Params, seed: int) -> XGBRegressor:
    # XGBoost takes a negative number for none and predicts a constant; all else it refuses itself.
    if params.get("n_estimators", 1) < 1:
        raise InputError(f"xgboost: expected n_estimators of 1 at least, got {params['n_estimators']}")
    from xgboost import XGBRegressor

    defaults = {"n_estimators": 200, "learning_rate": 0.1, "max_depth": 4}
    return XGBRegressor(**{**defaults, **params}, n_jobs=1, tree_method="hist", random_state=seed, verbosity=0)


def _sgd(params: Params, seed: int) -> Any:
    defaults = {"loss": "huber", "epsilon": 1.0, "max_iter": 300, "eta0": 0.01, "learning_rate": "adaptive"}
    return make_pipeline(StandardScaler(), SGDRegressor(**{**defaults, **params}, random_state=seed))


def _gaussian_process(params: Params, seed: int) -> GaussianProcess:
    return GaussianProcess(**params, random_state=seed)


def _kernel_ridge(params: Params, _seed: int) -> Any:
    values = {"kernel": "rbf", "alpha": 0.05, "gamma": 0.02, **params}
    return make_pipeline(StandardScaler(), KernelRidge(**values))


class Quadratic(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Squares and products of the columns beside them, where there are at most ``limit`` columns.

    Their number grows with the square of the columns, and what a Bayesian regression costs with its square again.
    """

    def __init__(self, limit: int = 40) -> None:
        self.limit = limit

    def fit(self, X: FloatArray, y: FloatArray | None = None) -> Quadratic:
        """Learn the number of columns."""
        degree = 2 if X.shape[1] <= self.limit else 1
        self.expansion_ = PolynomialFeatures(degree, include_bias=False).fit(X)
        return self

    def transform(self, X: FloatArray) -> FloatArray:
        """The columns and, where there are few, their squares and products."""
        return np.asarray(self.expansion_.transform(X))


def _bayesian_ridge(params: Params, _seed: int) -> Any:
    if params.get("quadratic", False):
        return make_pipeline(StandardScaler(), Quadratic(), StandardScaler(), BayesianRidge())
    return make_pipeline(StandardScaler(), BayesianRidge())


def _mean(_params: Params, _seed: int) -> DummyRegressor:
    return DummyRegressor()


def _boosted_stages(fitted: GradientBoostingRegressor, inputs: FloatArray, counts: Sequence[int]) -> FloatArray:
    staged = list(fitted.staged_predict(inputs))
    return np.stack([staged[count - 1] for count in counts])


def _xgboost_stages(fitted: XGBRegressor, inputs: FloatArray, counts: Sequence[int]) -> FloatArray:
    return np.stack([fitted.predict(inputs, iteration_range=(0, count)) for count in counts])


def _families() -> dict[str, Family]:
    families = (
        Family(
            "gaussian_process",
            _gaussian_process,
            _space_of("gaussian_process"),
            (
                ({}, "engineered", "none"),
                ({}, "engineered", "tail"),
                ({}, "all", "none"),
                ({}, "all", "tail"),
                ({}, "engineered", "log"),
                ({"ard": False}, "all", "tail"),
            ),
            first=4,
        ),
        Family(
            "xgboost",
            _xgboost,
            _space_of("xgboost"),
            (
                ({"subsample": 0.8, "colsample_bytree": 0.8}, "all", "none"),
                ({"subsample": 0.8, "colsample_bytree": 0.8}, "all", "tail"),
            ),
            _xgboost_stages,
        ),
        Family(
            "bayesian_ridge",
            _bayesian_ridge,
            _space_of("bayesian_ridge"),
            (({"quadratic": True}, "engineered", "none"), ({"quadratic": True}, "engineered", "tail")),
        ),
        Family(
            "random_forest",
            _random_forest,
            _space_of("random_forest"),
            (({"max_features": 0.5}, "engineered", "none"),),
        ),
        Family(
            "gradient_boosting",
            _gradient_boosting,
            _space_of("gradient_boosting"),
            (({"subsample": 0.6, "max_features": 0.5, "min_samples_leaf": 3}, "engineered", "none"),),
            _boosted_stages,
        ),
        Family(
            "kernel_ridge",
            _kernel_ridge,
            _space_of("kernel_ridge"),
            (({}, "engineered", "tail"),),
        ),
        Family(
            "sgd",
            _sgd,
            _space_of("sgd"),
            (({"alpha": 1e-3}, "all", "none"),),
        ),
        Family("mean", _mean, _space_of("mean"), (({}, "engineered", "none"),)),
    )
    return {family.name: family for family in families}


_REGISTRY = _families()
_BUILT_IN = frozenset(_REGISTRY)

FAMILIES: Mapping[str, Family] = MappingProxyType(_REGISTRY)
"""All registered families by name."""


def register_family(family: Family) -> Family:
    """Make a family known to the tuner by its ``name``, here and in its workers, and return it.

    Raises
    ------
    InputError
        If the name is taken by another definition (the same one again, a notebook's cell, replaces the first), or the
        shortlist has hyper-parameters that the space has not.
    """
    taken = _REGISTRY.get(family.name)
    if taken is not None and (family.name in _BUILT_IN or not same_definition(taken.make, family.make)):
        raise InputError(f"family {family.name!r}: expected a new name, got one that is registered")
    unknown = sorted({key for params, _, _ in family.shortlist for key in params} - family.hyperparameters)
    if unknown:
        raise InputError(
            f"family {family.name!r}: expected a shortlist of {sorted(family.hyperparameters)}, got {unknown}"
        )
    _REGISTRY[family.name] = family
    share(adopt_family, family)
    return family


def adopt_family(family: Family) -> None:
    """Make a family known that another process has registered."""
    if family.name not in _BUILT_IN:
        _REGISTRY[family.name] = family


def get_family(name: str) -> Family:
    """A family by name.

    Raises
    ------
    InputError
        If there is none; the message lists the known ones.
    """
    if name not in _REGISTRY:
        raise InputError(f"family: expected one of {', '.join(_REGISTRY)}, got {name!r}")
    return _REGISTRY[name]
