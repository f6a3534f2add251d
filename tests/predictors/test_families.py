"""Families: their parameters, and that none of them grows beyond its means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rapid_moo.errors import InputError
from rapid_moo.predictors import FAMILIES, register_family, spec_from_dict
from rapid_moo.predictors.families import Quadratic
from rapid_moo.tuning.tuner import NOT_SEARCHED, _searched


def test_products_of_few_columns_only():
    rng = np.random.default_rng(0)
    assert Quadratic().fit_transform(rng.normal(size=(6, 5))).shape == (6, 5 + 15)
    # 250 one-hot columns would become 31,000, and the covariance of their weights 8 GB.
    wide = rng.normal(size=(6, 250))
    np.testing.assert_array_equal(Quadratic().fit_transform(wide), wide)


@pytest.mark.parametrize("name", FAMILIES)
def test_shortlists_are_of_known_parameters_and_can_be_made(name):
    family = FAMILIES[name]
    assert family.shortlist
    for params, _, _ in family.shortlist:
        assert set(params) <= family.hyperparameters
        family.check(params)
        assert hasattr(family.make(params, 0), "fit")


def test_a_shortlist_of_other_parameters_is_not_registered():
    family = replace(FAMILIES["sgd"], name="wrong", shortlist=(({"alpha": 1.0, "beta": 2.0}, "all", "none"),))
    with pytest.raises(InputError, match=r"'wrong': expected a shortlist of \['alpha', 'penalty'\], got \['beta'\]"):
        register_family(family)
    assert "wrong" not in FAMILIES


@pytest.mark.parametrize("name", FAMILIES)
def test_what_nevergrad_proposes_can_be_made(name):
    space = _searched(name)
    space.random_state = np.random.RandomState(0)
    assert not NOT_SEARCHED & set(space.value)
    X, y = np.random.default_rng(1).normal(size=(30, 3)), np.arange(30.0)
    for _ in range(3):
        params = space.sample().value
        FAMILIES[name].check(params)
        if "n_estimators" in FAMILIES[name].hyperparameters:
            params = {**params, "n_estimators": 5}
        assert np.isfinite(FAMILIES[name].make(params, 0).fit(X, y).predict(X)).all()


def test_unknown_parameter_is_one_error():
    with pytest.raises(InputError, match=r"sgd: expected hyper-parameters among .* got \['depth'\]"):
        FAMILIES["sgd"].check({"depth": 3})


@pytest.mark.parametrize(
    ("family", "params"),
    [
        ("random_forest", {"n_estimators": -5}),
        ("gradient_boosting", {"learning_rate": "fast"}),
        ("xgboost", {"n_estimators": -5}),
        ("xgboost", {"max_depth": -2}),
        ("sgd", {"alpha": -1.0}),
        ("kernel_ridge", {"alpha": -1.0}),
        ("gaussian_process", {"kernel": "cubic"}),
    ],
)
def test_a_value_that_cannot_be_is_an_error_when_read(family, params):
    content = {"family": family, "params": params, "features": "all", "transform": "none"}
    with pytest.raises(InputError, match=f"expected hyper-parameters of {family}, got .*: "):
        spec_from_dict(content)
