"""The hyper-parameters of the built-in families in Nevergrad's terms, a function for each family by its name."""

from __future__ import annotations

import nevergrad as ng


def _int(lower: int, upper: int, init: int) -> ng.p.Scalar:
    return ng.p.Log(init=float(init), lower=float(lower), upper=float(upper)).set_integer_casting()


def gaussian_process() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        kernel=ng.p.Choice(["matern52", "rbf"]),
        ard=ng.p.Choice([True, False]),
        linear=ng.p.Choice([True, False]),
    )


def xgboost() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        n_estimators=_int(50, 500, 200),
        learning_rate=ng.p.Log(init=0.1, lower=0.02, upper=0.4),
        max_depth=ng.p.Scalar(init=4, lower=2, upper=8).set_integer_casting(),
        min_child_weight=ng.p.Log(init=1.0, lower=0.5, upper=20.0),
        subsample=ng.p.Scalar(init=0.8, lower=0.5, upper=1.0),
        colsample_bytree=ng.p.Scalar(init=0.8, lower=0.3, upper=1.0),
        reg_lambda=ng.p.Log(init=1.0, lower=0.01, upper=30.0),
    )


def bayesian_ridge() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(quadratic=ng.p.Choice([False, True]))


def random_forest() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        n_estimators=_int(30, 300, 100),
        max_features=ng.p.Scalar(init=0.5, lower=0.1, upper=1.0),
        max_depth=ng.p.Scalar(init=16, lower=3, upper=32).set_integer_casting(),
        min_samples_leaf=_int(1, 15, 1),
    )


def gradient_boosting() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        n_estimators=_int(50, 400, 200),
        learning_rate=ng.p.Log(init=0.08, lower=0.02, upper=0.3),
        max_depth=ng.p.Scalar(init=3, lower=2, upper=6).set_integer_casting(),
        subsample=ng.p.Scalar(init=0.7, lower=0.4, upper=1.0),
        loss=ng.p.Choice(["squared_error", "huber", "quantile"]),
        max_features=ng.p.Scalar(init=0.5, lower=0.2, upper=1.0),
        min_samples_leaf=_int(1, 20, 3),
    )


def kernel_ridge() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        kernel=ng.p.Choice(["rbf", "laplacian"]),
        alpha=ng.p.Log(init=0.05, lower=1e-4, upper=10.0),
        gamma=ng.p.Log(init=0.02, lower=5e-4, upper=0.5),
    )


def sgd() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict(
        penalty=ng.p.Choice(["l2", "l1", "elasticnet"]),
        alpha=ng.p.Log(init=1e-3, lower=1e-6, upper=0.3),
    )


def mean() -> ng.p.Dict:
    """Hyper-parameters."""
    return ng.p.Dict()
