"""Neither unit nor offset matters: every family, committees, the tuner's choice, the acquisition, a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import nevergrad as ng
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from pymoo.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

from rapid_moo import RAPID, ADRSTuner, ArchitectureProblem, ArchitectureTable, PredictorSet, PredictorSpec
from rapid_moo._util import IntArray
from rapid_moo.acquisition import Candidates, draw_truths, expected_coverage, promising
from rapid_moo.objectives import Objective
from rapid_moo.predictors import (
    FAMILIES,
    Committee,
    Family,
    Predictor,
    families,
    out_of_fold,
    prediction_metrics,
    register_family,
)
from rapid_moo.predictors.transforms import TRANSFORMS
from rapid_moo.space import Gene, GridSpace
from rapid_moo.tuning import TunerResult, early_specs

MINE = "of_absolute_numbers"
GOALS = (Objective("accuracy", "max"), Objective("latency", "min"))
scales = st.floats(-9.0, 9.0).map(lambda power: 10.0**power)
offsets = st.sampled_from([0.0, 1.0, -30.0, 1e3, -1e4])
"""In units of the values' spread."""


class Absolute(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A ridge without intercept, of a fixed penalty, that takes targets below 0.01 for nothing."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Absolute:
        self.ridge_ = Ridge(alpha=3.0, fit_intercept=False).fit(X, np.where(np.abs(y) < 0.01, 0.0, y))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.ridge_.predict(X))


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    register_family(Family(MINE, lambda _params, _seed: Absolute(), lambda: ng.p.Dict(), (({}, "all", "none"),)))
    yield
    del families._REGISTRY[MINE]


def made() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.integers(0, 5, (60, 5)).astype(np.float64)
    return X, X @ [4.0, 3.0, -2.0, 1.0, 0.0] + 0.3 * X[:, 0] * X[:, 1] + rng.gamma(1.0, size=60)


def table(scale: float = 1.0, offset: float = 0.0, n: int = 50) -> ArchitectureTable:
    """The second objective in another unit."""
    space = GridSpace("units", [Gene(f"g{k}", tuple(range(5))) for k in range(5)])
    rng = np.random.default_rng(11)
    X = space.sample(n, rng)
    accuracy = np.tanh(X.sum(axis=1) / 10.0) + 0.02 * rng.normal(size=n)
    latency = 1.0 + (X**1.5) @ [1.0, 2.0, 3.0, 4.0, 5.0] + rng.normal(size=n)
    raw = np.column_stack([accuracy, scale * (latency + offset * latency.std())])
    return ArchitectureTable.build(space, GOALS, X, raw, name="units")


@pytest.mark.parametrize("family", [*FAMILIES, MINE])
@settings(deadline=None, max_examples=8, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(transform=st.sampled_from(TRANSFORMS), scale=scales, offset=offsets)
@example("none", 1e-9, 0.0)
@example("tail", 1e9, 0.0)
@example("log", 1e-9, 1e4)
def test_a_family_predicts_the_same_in_any_unit(family: str, transform: str, scale: float, offset: float) -> None:
    X, y = made()
    unit, params = float(y.std()), ({"n_estimators": 6} if "n_estimators" in FAMILIES[family].hyperparameters else {})
    there = scale * (y + offset * unit)
    tolerance = 1e-3 * unit
    ours, theirs = (out_of_fold(PredictorSpec(family, params, "all", transform), X, t, 0) for t in (y, there))
    np.testing.assert_allclose(theirs[0] / scale - offset * unit, ours[0], atol=tolerance)
    np.testing.assert_allclose(theirs[1] / scale, ours[1], rtol=0.02, atol=tolerance)
    ours, theirs = (Predictor(family, params, transform).fit(X, t).predict(X, return_std=True) for t in (y, there))
    np.testing.assert_allclose(theirs[0] / scale - offset * unit, ours[0], atol=tolerance)
    np.testing.assert_allclose(theirs[1] / scale, ours[1], rtol=0.02, atol=tolerance)


@pytest.mark.parametrize("family", [*FAMILIES, MINE])
def test_an_offset_of_a_million_spreads_costs_nothing(family: str) -> None:
    X, y = made()
    there = 1e-9 * (y - 1e6 * y.std())
    ours, theirs = (prediction_metrics(t, out_of_fold(PredictorSpec(family), X, t)[0]) for t in (y, there))
    assert theirs["r2"] == pytest.approx(ours["r2"], abs=0.02)
    assert family == "mean" or theirs["r2"] > 0.6


@settings(deadline=None, max_examples=4, derandomize=True, phases=[Phase.generate])
@given(scale=scales, offset=offsets)
def test_a_committee_predicts_the_same_in_any_unit(scale: float, offset: float) -> None:
    members = (PredictorSpec("kernel_ridge", {}, "all", "tail"), PredictorSpec("sgd"), PredictorSpec(MINE))
    specs = [Committee(members, (0.5, 0.25, 0.25))] * 2
    here, there = table(), table(scale, offset)
    unit = float(np.std(here.raw[:, 1]))
    X = here.space.sample(50, np.random.default_rng(1))
    (mean, std), (other, spread) = (PredictorSet(t.space, GOALS, specs).fit(t).predict(X, True) for t in (here, there))
    np.testing.assert_array_equal(other[:, 0], mean[:, 0])
    np.testing.assert_allclose(other[:, 1] / scale - offset * unit, mean[:, 1], atol=1e-3 * unit)
    np.testing.assert_allclose(spread[:, 1] / scale, std[:, 1], rtol=0.02)


@cache
def chosen(committee: bool) -> TunerResult:
    return ADRSTuner(10, committee=committee).tune(table())


@pytest.mark.parametrize(("scale", "offset", "committee"), [(1e-9, 0.0, False), (1e9, 1.0, True), (3.3, 1e3, False)])
def test_the_choice_of_predictors_does_not_depend_on_units(scale: float, offset: float, committee: bool) -> None:
    there = table(scale, offset)
    assert early_specs(there) == early_specs(table())
    ours, theirs = chosen(committee), ADRSTuner(10, committee=committee).tune(there)
    assert theirs.best.specs == ours.best.specs
    assert theirs.adrs == pytest.approx(ours.adrs, abs=1e-6)
    assert list(theirs.ranking["latency_hyperparams"]) == list(ours.ranking["latency_hyperparams"])


def batch(scale: float, offset: float, fails: bool) -> tuple[IntArray, IntArray]:
    """What is promising and what is chosen of candidates whose second objective is in another unit."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(260, 2)) + rng.gamma(1.0, size=(260, 1))
    std = np.abs(rng.normal(size=(200, 2))) * [0.1, 0.3]
    units, origin = np.array([1.0, scale]), np.array([0.0, offset])
    mean, known = points[:200], points[200:]
    there = Candidates(
        (mean + origin) * units,
        std * units,
        (known + origin) * units,
        lambda rows, n: (draw_truths(mean[rows], std[rows], n, np.random.default_rng(1)) + origin) * units,
        pending=np.array([5, 6]),
        success=np.linspace(0.2, 1.0, 200) if fails else None,
    )
    few = promising(there.mean, there.std, there.known, 40, seed=2)
    return few, expected_coverage(there, 8, np.random.default_rng(4))


@pytest.mark.parametrize("fails", [False, True])
@settings(deadline=None, max_examples=10, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(scale=scales, offset=offsets)
@example(1e-9, 0.0)
@example(1e9, 0.0)
@example(1e-9, -1e6)
@example(1e9, 1e6)
def test_a_batch_does_not_depend_on_units(fails: bool, scale: float, offset: float) -> None:
    for ours, theirs in zip(batch(1.0, 0.0, fails), batch(scale, offset, fails), strict=True):
        np.testing.assert_array_equal(theirs, ours)


def asked(scale: float = 1.0, offset: float = 0.0) -> IntArray:
    """Architectures of a run, in the order in which they were evaluated."""
    there = table(scale, offset, 200)
    result = minimize(ArchitectureProblem(there.space, there), RAPID(), ("n_eval", 30), seed=1)
    return np.asarray(result.bill.store.X[result.bill.rows])


@cache
def asked_here() -> IntArray:
    return asked()


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e3), (3.3e-4, -1e4)])
def test_a_run_evaluates_the_same_architectures_in_any_unit(scale: float, offset: float) -> None:
    np.testing.assert_array_equal(asked(scale, offset), asked_here())


def test_the_relative_error_leaves_out_what_is_zero_to_rounding() -> None:
    guess, near = np.array([1.0, 1.1, 2.0]), np.array([1e-310, 1.0, 2.0])
    assert prediction_metrics(near, guess)["mape"] == pytest.approx(0.05)
    assert prediction_metrics(1e-9 * near, 1e-9 * guess)["mape"] == pytest.approx(0.05)
    assert prediction_metrics(np.zeros(3), guess)["mape"] == 0.0
