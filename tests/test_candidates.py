"""Proposals in spaces that are not listed: what evolution finds of the predicted objectives."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from rapid_moo import (
    ArchitectureProblem,
    ArchitectureTable,
    Gene,
    GridSpace,
    Objective,
    PredictorSet,
    PredictorSpec,
    candidates,
)
from rapid_moo.candidates import evolve_predictions, predicted_violations, search_predictions, within_constraints
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


def test_predicted_limits_and_doubts_are_constraints_side_by_side(predictors):
    """What is predicted of a foreign problem's constraint, and how unlikely success is: one column each."""

    class Limits:
        objectives = GOALS[:1]

        def predict(self, told):
            return told[:, :1] - 2.0

    class Success:
        def predict(self, told):
            return np.where(told[:, 0] == 5, 0.25, 1.0)

    problem = ArchitectureProblem(SPACE, source=values)
    problem_of = partial(candidates._Predictions, SpaceView(problem, "space"), predictors)
    some = X[::7]
    limits, doubt = some[:, 0] - 2.0, candidates.LIKELY - np.where(some[:, 0] == 5, 0.25, 1.0)
    for given, expected in (
        ((Limits(), Success()), np.column_stack([limits, doubt])),
        ((Limits(), None), limits[:, None]),
        ((None, Success()), doubt[:, None]),
    ):
        predicted = problem_of(*given)
        assert predicted.n_ieq_constr == expected.shape[1]
        assert predicted.evaluate(some, return_values_of=["G"]) == pytest.approx(expected)


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


class Sums:
    """Stands for fitted predictors: the sum of the codes, to be raised, and of their weights, to be lowered."""

    objectives = GOALS

    def predict(self, codes, return_std=False):
        mean = np.column_stack([codes.sum(axis=1), codes @ np.arange(1.0, 7.0)]).astype(float)
        return (mean, np.ones_like(mean)) if return_std else mean


def test_children_are_crosses_of_two_parents(monkeypatch):
    """Without mutation: every gene of a child is of one parent or the other, and most children have both."""
    monkeypatch.setattr(candidates, "mutated", lambda space, codes, rng: codes)
    view = SpaceView(ArchitectureProblem(SPACE, values))
    monkeypatch.setattr(view, "sample", lambda n, rng: np.empty((0, 6), dtype=np.int64))
    ends = np.array([[0] * 6, [5] * 6])
    found = evolve_predictions(view, Sums(), ends, 0, generations=2, children=60)
    assert np.isin(found, [0, 5]).all()
    mixed = found[(found == 0).any(axis=1) & (found == 5).any(axis=1)]
    assert len(mixed) > 10
    assert 0.3 < (mixed == 5).mean() < 0.7


def test_what_evolution_visits_first_of_all_is_better_than_strangers():
    view = SpaceView(ArchitectureProblem(SPACE, values))
    rng = np.random.default_rng(0)
    strangers = Sums().predict(view.sample(400, rng)) * [-1.0, 1.0]
    found = evolve_predictions(view, Sums(), X[:0], 1, generations=12, children=40)
    reached = Sums().predict(found) * [-1.0, 1.0]
    # Both objectives as shares of their range.
    depth = [np.median((F[:, 0] + 30.0) / 30.0 + F[:, 1] / 105.0 - 1.0) for F in (reached[:100], strangers)]
    assert depth[0] < depth[1] - 0.15


class TestConstraints:
    def view(self, *constraints):
        return SpaceView(ArchitectureProblem(SPACE, values, constraints=list(constraints)))

    def test_a_bound_is_met_up_to_half_a_standard_deviation(self):
        view = self.view("lat <= 40")
        mean = np.column_stack([np.zeros(5), [39.0, 40.0, 40.9, 41.1, 60.0]])
        std = np.column_stack([np.full(5, 100.0), np.full(5, 2.0)])
        assert within_constraints(view, X[:5], mean, std, 1).tolist() == [True, True, True, False, False]

    def test_the_least_violating_fill_up_where_too_few_meet_it(self):
        view = self.view("lat <= 40")
        mean = np.column_stack([np.zeros(5), [60.0, 50.0, 45.0, 30.0, 70.0]])
        std = np.zeros((5, 2))
        for n, expected in ((1, [3]), (2, [2, 3]), (3, [1, 2, 3])):
            assert np.flatnonzero(within_constraints(view, X[:5], mean, std, n)).tolist() == expected

    def test_what_follows_from_the_genes_has_no_spread(self):
        view = self.view("g0 <= 2", "lat <= 40")
        mean, std = np.column_stack([np.zeros(2), [30.0, 30.0]]), np.full((2, 2), 1e6)
        codes = np.array([[2, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]])
        assert within_constraints(view, codes, mean, std, 1).tolist() == [True, False]

    def test_the_worst_of_several_counts(self):
        view = self.view("acc >= 5", "lat <= 40")
        mean = np.array([[-6.0, 30.0], [-4.0, 30.0], [-6.0, 50.0], [-4.0, 50.0]])
        assert within_constraints(view, X[:4], mean, np.zeros((4, 2)), 1).tolist() == [True, False, False, False]
        found = predicted_violations(view, X[:4], mean)
        assert (np.sign(found) == [[-1, -1], [1, -1], [-1, 1], [1, 1]]).all()

    def test_without_any_everything_is_within(self):
        view = self.view()
        assert within_constraints(view, X[:3], np.zeros((3, 2)), np.zeros((3, 2)), 1).all()
        assert predicted_violations(view, X[:3], np.zeros((3, 2))).shape == (3, 0)

    def test_predicted_limits_of_a_foreign_problem_are_feasible_at_zero(self):
        class Limits:
            objectives = GOALS[:1]

            def predict(self, codes, return_std=False):
                mean = codes[:, :1] - 2.0
                return (mean, np.full_like(mean, 2.0)) if return_std else mean

        view = self.view()
        codes = X[X[:, 1:].sum(axis=1) == 0]
        assert predicted_violations(view, codes, np.zeros((6, 2)), Limits()).ravel().tolist() == [-2, -1, 0, 1, 2, 3]
        met = within_constraints(view, codes, np.zeros((6, 2)), np.zeros((6, 2)), 1, Limits())
        assert met.tolist() == [True] * 4 + [False] * 2
        found = evolve_predictions(view, Sums(), X[:0], 0, Limits(), generations=3)
        violates = found[:, 0] > 2
        assert violates.any()
        assert (np.diff(violates.astype(int)) >= 0).all()

    def test_by_how_much_a_bound_is_met_does_not_matter(self):
        class Met:
            objectives = GOALS[:1]

            def predict(self, codes):
                return codes[:, :1] - 10.0

        view = self.view()
        bound, free = (evolve_predictions(view, Sums(), X[:0], 0, limits, generations=4) for limits in (Met(), None))
        assert np.array_equal(bound, free)


class Doubtful:
    """Stands for a model of success: the first gene decides."""

    def predict(self, codes):
        return 1.0 - codes[:, 0] / 5.0


@pytest.mark.parametrize("search", ["evolution", "nsga2"])
def test_what_probably_fails_comes_last(search):
    view = SpaceView(ArchitectureProblem(SPACE, values))
    if search == "evolution":
        found = evolve_predictions(view, Sums(), X[:0], 0, success=Doubtful(), generations=5)
    else:
        found = search_predictions(view, Sums(), X[:0], search, 0, generations=5, success=Doubtful())
    assert len(set(SPACE.keys(found))) == len(found) > 100
    likely = found[:, 0] <= 2
    if search == "evolution":
        assert (np.diff(likely.astype(int)) <= 0).all()
        assert 0 < likely.sum() < len(found)
    else:
        # A population that keeps to it: strangers succeed half of the time.
        assert likely.mean() > 0.6


def test_a_search_starts_from_the_best_known_and_its_pool_is_sorted_by_fronts():
    view = SpaceView(ArchitectureProblem(SPACE, values))
    best = np.array([[5, 5, 5, 0, 0, 0], [5, 0, 0, 0, 0, 0]])
    found, again, other = (search_predictions(view, Sums(), best, "nsga2", k, generations=2) for k in (3, 3, 4))
    assert set(SPACE.keys(best)) <= set(SPACE.keys(found))
    assert 100 <= len(found) <= 200
    assert (np.diff(pareto_ranks(Sums().predict(found) * [-1.0, 1.0])) >= 0).all()
    assert np.array_equal(found, again)
    assert not np.array_equal(found, other)


def test_half_of_a_search_s_beginning_are_strangers_however_much_is_known():
    view = SpaceView(ArchitectureProblem(SPACE, values))
    best = SPACE.sample(100, np.random.default_rng(0))
    found = search_predictions(view, Sums(), best, "nsga2", 5, generations=1)
    assert 50 <= len(set(SPACE.keys(found)) & set(SPACE.keys(best))) <= 52
    assert 98 <= len(found) <= 100


def test_a_search_on_a_table_proposes_members_of_the_first_fronts_first():
    rows = np.random.default_rng(1).permutation(len(X))[:300]
    table = ArchitectureTable.build(SPACE, GOALS, X[rows], values(X[rows]))
    view = SpaceView(ArchitectureProblem(SPACE, table))
    found = search_predictions(view, Sums(), X[:0], "nsga2", 0, generations=3)
    assert (table.find(found) >= 0).all()
    assert len(set(SPACE.keys(found))) == len(found)
    assert (np.diff(pareto_ranks(Sums().predict(found) * [-1.0, 1.0])) >= 0).all()
