"""Draws of predictors that are no Gaussian process: their errors follow no normal law."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo.predictors import Predictor


@pytest.fixture
def drift():
    rng = np.random.default_rng(0)
    y = rng.uniform(0.0, 1.0, 400)
    y[rng.permutation(400)[:20]] = -20.0
    return rng.normal(size=(400, 3)), y


def test_an_unlearnable_objective_is_drawn_as_it_was_measured(drift):
    X, y = drift
    draws = Predictor("mean").fit(X, y).sample_y(X[:50], 400, 0)
    assert draws.shape == (50, 400)
    assert (draws < -10.0).mean() == pytest.approx(0.05, abs=0.015)
    middle = draws[draws > -10.0]
    assert np.quantile(middle, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.25)


def test_draws_of_trees_have_the_predicted_mean_and_spread():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + 0.3 * rng.normal(size=200)
    predictor = Predictor("xgboost", {"n_estimators": 40}).fit(X, y)
    mean, std = predictor.predict(X[:40], return_std=True)
    draws = predictor.sample_y(X[:40], 3000, 0)
    assert draws.mean(axis=1) == pytest.approx(mean, abs=0.2 * std.max())
    assert draws.std(axis=1) == pytest.approx(std, rel=0.25)


def test_draws_repeat(drift):
    X, y = drift
    predictor = Predictor("bayesian_ridge").fit(X, y)
    assert (predictor.sample_y(X, 5, 3) == predictor.sample_y(X, 5, 3)).all()
