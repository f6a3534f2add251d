"""Proposals in spaces that are not listed: what evolution finds of the predicted objectives."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import ArchitectureProblem, ArchitectureTable, Gene, GridSpace, Objective, PredictorSet, PredictorSpec
from rapid_moo.candidates import evolve_predictions
from rapid_moo.pareto import front_indices, pareto_ranks
from rapid_moo.view import SpaceView

GOALS = (Objective("acc", "max"), Objective("lat", "min"))
SPACE = GridSpace("grid", [Gene(f"g{k}", tuple(range(6))) for k in range(6)], GOALS)
X = SPACE.enumerate()


def values(codes):
    codes = np.atleast_2d(codes)
    return np.column_stack([np.sqrt(codes).sum(axis=1) - 0.1 * codes[:, 0] * codes[:, 1], codes @ np.arange(1.0, 7.0)])


@pytest.fixture(scope="module")
def predictors():
    rows = np.random.default_rng(0).permutation(len(X))[:60]
    sample = ArchitectureTable.build(SPACE, GOALS, X[rows], values(X[rows]))
    spec = PredictorSpec("gaussian_process", {"ard": False})
    return PredictorSet(SPACE, GOALS, [spec] * 2).fit(sample)


def test_evolution_finds_nearly_all_of_the_predicted_front(predictors):
    view = SpaceView(ArchitectureProblem(SPACE, values))
    found = evolve_predictions(view, predictors, X[:0], 0)
    assert len(set(SPACE.keys(found))) == len(found) <= 5_000
    exact = predictors.predict_minimised(X)
    front = exact[front_indices(exact)]
    reached = predictors.predict_minimised(found)
    span = np.ptp(front, axis=0)
    distance = (np.abs(front[:, None] - reached[None]) / span).max(axis=2).min(axis=1)
    assert distance.mean() < 0.003
    # The best fronts come first, whatever the pool is cut to.
    assert (np.diff(pareto_ranks(reached)) >= 0).all()


def test_evolution_keeps_to_bounds_that_are_known_beforehand_and_puts_violations_last(predictors):
    view = SpaceView(ArchitectureProblem(SPACE, values, constraints=["g0 <= 2", "lat <= 40"]))
    found = evolve_predictions(view, predictors, X[:0], 1)
    assert (found[:, 0] <= 2).all()
    violates = predictors.predict(found)[:, 1] > 40.0
    assert violates.any()
    assert (np.diff(violates.astype(int)) >= 0).all()


def test_evolution_goes_on_from_where_it_is_told_and_repeats_itself(predictors):
    view = SpaceView(ArchitectureProblem(SPACE, values))
    exact = predictors.predict_minimised(X)
    best = X[front_indices(exact)]
    once, again = (evolve_predictions(view, predictors, best, 2, generations=2) for _ in range(2))
    assert (once == again).all()
    assert set(SPACE.keys(best)) <= set(SPACE.keys(once))
