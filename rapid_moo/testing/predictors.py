"""Conformance of predictors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import clone

from rapid_moo._util import FloatArray
from rapid_moo.errors import ConformanceError
from rapid_moo.testing._require import require, unchanged


def check_predictor(predictor: Any, *, seed: int = 0) -> None:
    """Check an unfitted predictor: a scikit-learn regressor with ``predict(X, return_std=True)``.

    A family of regressors of one's own is checked as ``Predictor("its_name")``. Run scikit-learn's
    ``check_estimator`` too: these checks ask what this package needs beyond it.

    Parameters
    ----------
    predictor : estimator
        What is checked; a clone of it is fitted, never itself.
    seed : int
        Seed of the made-up data.

    Raises
    ------
    ConformanceError
        At the first broken promise.
    """
    for name in ("fit", "predict", "get_params", "set_params"):
        require(hasattr(predictor, name), f"{type(predictor).__name__} has no {name}()")
    accepted = inspect.signature(predictor.predict).parameters
    require("return_std" in accepted, f"{type(predictor).__name__}.predict() takes no return_std")
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, 4, size=(60, 5)), np.ones(60)]).astype(np.float64)
    y = 10.0 + X @ np.array([3.0, -1.0, 0.5, 0.0, 1.0, 0.0]) + 0.1 * rng.normal(size=60)
    for check in PREDICTOR_CHECKS.values():
        check(predictor, X.copy(), y.copy())


def _check_fit(predictor: Any, X: FloatArray, y: FloatArray) -> None:
    model = clone(predictor)
    before = y.copy()
    returned = unchanged(lambda Z: model.fit(Z, y), X, "fit")
    require(bool((y == before).all()), "fit changes its target")
    require(returned is model, f"fit: expected the predictor itself, got {type(returned).__name__}")
    require(model.get_params().keys() == predictor.get_params().keys(), "fit changes the parameters")
    try:
        clone(predictor).predict(X)
    except Exception:
        return
    raise ConformanceError("predict before fit: expected an error, got predictions")


def _check_predictions(predictor: Any, X: FloatArray, y: FloatArray) -> None:
    model = clone(predictor).fit(X, y)
    mean = np.asarray(unchanged(model.predict, X, "predict"))
    require(mean.shape == y.shape, f"predict: expected shape {y.shape}, got {mean.shape}")
    require(bool(np.isfinite(mean).all()), "predict: expected finite values")
    both = model.predict(X, return_std=True)
    require(isinstance(both, tuple) and len(both) == 2, f"return_std: expected (mean, std), got {type(both).__name__}")
    same, std = np.asarray(both[0]), np.asarray(both[1])
    require(bool(np.allclose(same, mean, rtol=1e-9)), "return_std: the mean differs from predict(X)")
    require(std.shape == y.shape, f"return_std: expected shape {y.shape}, got {std.shape}")
    require(bool((np.isfinite(std) & (std >= 0)).all()), f"return_std: expected finite values >= 0, got {std.min()}")
    alone = np.concatenate([model.predict(x[None, :]) for x in X[:10]])
    require(bool(np.allclose(alone, mean[:10], rtol=1e-6)), "predict: a row's prediction depends on the other rows")


def _check_repeatable(predictor: Any, X: FloatArray, y: FloatArray) -> None:
    model = clone(predictor).fit(X, y)
    first = [np.asarray(part).tobytes() for part in model.predict(X, return_std=True)]
    again = [np.asarray(part).tobytes() for part in clone(predictor).fit(X, y).predict(X, return_std=True)]
    require(first == again, "the same data and parameters give other predictions in another fit")
    refitted = model.fit(X[::2], -y[::2]).predict(X)
    fresh = clone(predictor).fit(X[::2], -y[::2]).predict(X)
    require(np.asarray(refitted).tobytes() == np.asarray(fresh).tobytes(), "a second fit remembers the first one")


def _check_hard_data(predictor: Any, X: FloatArray, y: FloatArray) -> None:
    for what, inputs, target in (
        ("a constant target", X, np.full(len(y), 3.0)),
        ("five rows", X[:5], y[:5]),
        ("repeated rows", np.repeat(X[:10], 3, axis=0), np.repeat(y[:10], 3)),
    ):
        mean, std = clone(predictor).fit(inputs, target).predict(X, return_std=True)
        good = bool(np.isfinite(mean).all() and np.isfinite(std).all() and (np.asarray(std) >= 0).all())
        require(good, f"{what}: expected finite predictions and spreads >= 0")


PREDICTOR_CHECKS: Mapping[str, Callable[[Any, FloatArray, FloatArray], None]] = MappingProxyType(
    {
        "fit": _check_fit,
        "predictions": _check_predictions,
        "repeatable": _check_repeatable,
        "hard_data": _check_hard_data,
    }
)
"""Single checks of a predictor by name; each takes an unfitted predictor, features and a target."""
