"""The published procedure: one re-creation, which the comparison and the tuner's benchmark share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rapid_moo import ArchitectureProblem, Gene, GridSpace, Objective, adrs
from rapid_moo.comparison.methods import published
from rapid_moo.comparison.methods.published import PublishedRAPID, choose, published_grid, vectors_of
from rapid_moo.comparison.run import run_method, sorted_table
from rapid_moo.objectives import signs
from rapid_moo.pareto import front_indices, front_points

MINIMISED = (Objective("a", "min"), Objective("b", "min"))
SMALL = [regressor for regressor in published_grid() if regressor.trees <= 10]


@pytest.fixture
def small_grid(monkeypatch):
    """The grid without its large ensembles, which take a minute: every family and every other parameter is there."""
    monkeypatch.setattr(published, "published_grid", lambda: SMALL)


@pytest.fixture
def sample(table):
    return table.sample(40, seed=3)


def test_the_grid_is_the_published_one():
    grid = published_grid()
    assert len(grid) == 67
    assert len({repr(regressor) for regressor in grid}) == 67
    counts = {family: sum(r.family == family for r in grid) for family in {r.family for r in grid}}
    assert counts == {"gradient_boosting": 27, "random_forest": 16, "xgboost": 16, "sgd": 8}
    assert all(r.trees == (0 if r.family == "sgd" else r.params["n_estimators"]) for r in grid)

    def settings(family, *names):
        return {tuple(r.params[name] for name in names) for r in grid if r.family == family}

    depths = set(itertools.product((10, 100, 500, 1000), (None, 4, 32, 256)))
    assert settings("random_forest", "n_estimators", "max_depth") == depths
    assert settings("xgboost", "n_estimators", "max_depth") == depths
    assert settings("gradient_boosting", "loss", "learning_rate", "n_estimators") == set(
        itertools.product(("squared_error", "huber", "quantile"), (0.1, 0.001, 0.0001), (10, 100, 1000))
    )
    assert settings("sgd", "loss", "penalty") == set(
        itertools.product(("squared_error", "huber"), ("l2", "l1", "elasticnet", None))
    )


def test_shared_fits_predict_what_separate_ones_do(sample):
    X, y = vectors_of(sample.space, sample.X), sample.raw[:, 1]
    grid = [r for r in published_grid() if r.trees <= 100 and r.params.get("loss") != "quantile"]
    separate, shared = (
        fit(grid, X[:30], y[:30], X[30:], 5) for fit in (published.fit_separately, published.fit_shared)
    )
    assert np.array(shared) == pytest.approx(np.array(separate), rel=1e-6)


@pytest.mark.parametrize("family", ["gradient_boosting", "random_forest", "xgboost", "sgd"])
def test_a_fit_of_its_own_predicts_what_its_library_says(family, sample):
    X, y = vectors_of(sample.space, sample.X) / 10.0, sample.raw[:, 1]
    regressor = next(r for r in SMALL if r.family == family)
    model = regressor.fit(X[:30], y[:30], 5)
    expected = np.asarray(model.predict(X[30:]), dtype=float)
    (found,) = published.fit_separately([regressor], X[:30], y[:30], X[30:], 5)
    assert found == pytest.approx(expected, rel=1e-6)
    assert model.get_params()["random_state"] == 5
    # As the published code has it, everything else is the library's default, and nothing runs on several threads.
    own = {"n_jobs": 1, "verbosity": 0, "random_state": 5, **regressor.params}
    fresh = type(model)().get_params()
    assert model.get_params() == {name: own.get(name, value) for name, value in fresh.items()}


@pytest.mark.parametrize("family", ["gradient_boosting", "random_forest", "xgboost"])
def test_a_shorter_ensemble_is_the_beginning_of_the_longer_one_it_shares_a_fit_with(family, sample, monkeypatch):
    X, y = vectors_of(sample.space, sample.X), sample.raw[:, 1]
    grid = [published.Regressor(family, {"n_estimators": trees}) for trees in (2, 7, 4)]
    expected = published.fit_separately(grid, X[:30], y[:30], X[30:], 5)
    fitted = []
    fit = published.Regressor.fit
    monkeypatch.setattr(published.Regressor, "fit", lambda self, *args: fitted.append(self.trees) or fit(self, *args))
    assert np.array(published.fit_shared(grid, X[:30], y[:30], X[30:], 5)) == pytest.approx(np.array(expected))
    assert fitted == [7]
    assert len(np.unique(expected, axis=0)) == 3


def test_the_triplet_is_the_best_by_its_own_definition(sample, small_grid):
    """A second, naive selection among the same predictions."""
    X, raw = vectors_of(sample.space, sample.X), sample.raw
    found = choose(X, raw, sample.objectives, 0)
    held, sign = 8, signs(sample.objectives)
    F = raw[-held:] * sign
    best = (np.inf, np.inf)
    shortlists = []
    for k in range(3):
        guesses = published.fit_separately(SMALL, X[:-held], raw[:-held, k], X[-held:], 0)
        errors = [float(np.mean(np.abs(g - raw[-held:, k]) / np.abs(raw[-held:, k]))) for g in guesses]
        shortlists.append([(errors[i], guesses[i] * sign[k]) for i in np.argsort(errors, kind="stable")[:5]])
    for a in shortlists[0]:
        for b in shortlists[1]:
            for c in shortlists[2]:
                picked = front_indices(np.column_stack([a[1], b[1], c[1]]))
                best = min(best, (adrs(F[picked], reference=front_points(F)), a[0] + b[0] + c[0]))
    assert found.promised == pytest.approx(best[0], abs=1e-12)
    assert found.n_fits == 3 * len(SMALL)


def test_a_degenerate_validation_front_is_ranked_by_error(sample, small_grid):
    raw = sample.raw.copy()
    raw[-8:] = raw[-1]
    found = choose(vectors_of(sample.space, sample.X), raw, sample.objectives, 0)
    assert np.isnan(found.promised)


def test_an_overflowing_fit_loses_rather_than_ends_the_run():
    X, y = np.full((10, 3), 1e200), np.arange(10.0)
    linear = next(r for r in published_grid() if r.family == "sgd")
    with np.errstate(all="ignore"):
        assert (published.fit_shared([linear], X, y, X[:2], 0)[0] == published.HUGE).all()


def test_the_method_evaluates_what_the_procedure_predicts(table, small_grid):
    ordered = sorted_table(table)
    record = run_method(ordered, PublishedRAPID, 40, 1)
    first, rest = list(record.rows[:40]), set(record.rows[40:])
    X, raw = vectors_of(ordered.space, ordered.X[first]), ordered.raw[first]
    chosen = choose(X, raw, ordered.objectives, 1)
    predicted = chosen.predict(X, raw, vectors_of(ordered.space, ordered.X)) * signs(ordered.objectives)
    assert rest == set(front_indices(predicted).tolist()) - set(first)
    assert record.ended == "finished"


@pytest.mark.parametrize(("seed", "expected"), [(0, 0), (123_456, 123_456), (2**31 - 1, 2**31 - 1), (2**31 + 5, 5)])
def test_fits_have_the_seed_of_the_run_as_far_as_libraries_take_it(seed, expected, small_table, monkeypatch):
    problem = ArchitectureProblem(small_table().space, small_table())
    seeds = []

    def chosen(vectors, raw, objectives, seed):
        seeds.append(seed)
        return published.Published((published.Regressor("sgd", {}),) * 3, 0.0, 0, seed)

    monkeypatch.setattr(published, "choose", chosen)
    method = PublishedRAPID(problem, 12, seed)
    for _ in range(2):
        X = method.ask()
        method.tell(X, problem.evaluate(X))
    assert seeds == [expected]
    assert len(method.ask()) == 0


def invented(errors, F_of):
    """Fits that predict the truth and an error: ``errors[k][i]`` for configuration i of objective k."""
    calls = []

    def fit(grid, X, y, unseen, seed):
        k = len(calls)
        calls.append((len(X), len(unseen), seed))
        return [F_of[len(X) :, k] + errors[k][i] for i in range(len(grid))]

    return fit, calls


@pytest.mark.parametrize(("n", "held"), [(40, 8), (50, 10), (12, 3), (10, 3), (3, 2)])
def test_the_last_fifth_is_held_back_three_rows_at_least(n, held):
    rng = np.random.default_rng(0)
    raw = rng.random((n, 2)) + 1.0
    fit, calls = invented(rng.normal(size=(2, 67, held)), raw)
    found = choose(np.zeros((n, 1)), raw, MINIMISED, 5, fit)
    assert calls == [(n - held, held, 5)] * 2
    assert (found.n_fits, found.seed) == (134, 5)


@pytest.mark.parametrize("seed", range(4))
def test_the_triplet_is_the_best_of_the_five_most_exact_of_each_objective(seed):
    """By a second, naive selection among predictions that are made up."""
    rng = np.random.default_rng(seed)
    objectives = (Objective("a", "max"), Objective("b", "min"))
    raw = rng.random((60, 2)) + 0.5
    errors = 0.4 * rng.normal(size=(2, 67, 12))
    fit, _ = invented(errors, raw)
    found = choose(np.zeros((60, 1)), raw, objectives, 0, fit)
    truth, sign = raw[48:], np.array([-1.0, 1.0])
    wrong = [[float(np.mean(np.abs(e) / truth[:, k])) for e in errors[k]] for k in range(2)]
    five = [np.argsort(wrong[k], kind="stable")[:5] for k in range(2)]
    ranked = []
    for i in five[0]:
        for j in five[1]:
            guess = (truth + np.column_stack([errors[0][i], errors[1][j]])) * sign
            loss = adrs((truth * sign)[front_indices(guess)], reference=front_points(truth * sign))
            ranked.append((loss, wrong[0][i] + wrong[1][j], i, j))
    loss, _, i, j = min(ranked)
    grid = published_grid()
    assert found.regressors == (grid[i], grid[j])
    assert found.promised == pytest.approx(loss)
    assert found.families == (grid[i].family, grid[j].family)
    # The choice is one: neither the worst nor the one of the smallest errors.
    assert len({item[0] for item in ranked}) > 3


def test_where_the_validation_front_is_one_point_errors_choose():
    raw = np.array([[1.0, 1.0]] * 8 + [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    errors = np.full((2, 67, 3), 1.0)
    errors[0][11], errors[1][40] = 0.01, 0.02
    fit, _ = invented(errors, raw)
    found = choose(np.zeros((11, 1)), raw, MINIMISED, 0, fit)
    grid = published_grid()
    assert found.regressors == (grid[11], grid[40])
    assert np.isnan(found.promised)


def test_a_front_whose_points_have_equal_values_is_not_degenerate():
    raw = np.array([[1.0, 1.0]] * 8 + [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    fit, _ = invented(np.zeros((2, 67, 3)), raw)
    assert choose(np.zeros((11, 1)), raw, MINIMISED, 0, fit).promised == 0.0


def test_the_percentage_error_is_relative_to_the_truth():
    assert published.mape(np.array([1.0, -4.0]), np.array([1.5, -3.0])) == pytest.approx((0.5 + 0.25) / 2)
    assert np.isfinite(published.mape(np.zeros(2), np.ones(2)))


def test_vectors_are_the_published_ones_where_choices_are_integers():
    integral = GridSpace("numbers", [Gene("a", (3, 5, 7)), Gene("b", (10, 20))])
    words = GridSpace("words", [Gene("a", ("x", "y", "z")), Gene("b", (10, 20))])
    X = np.array([[0, 1], [2, 0]])
    assert vectors_of(integral, X).tolist() == [[3.0, 20.0], [7.0, 10.0]]
    assert vectors_of(words, X).tolist() == [[0.0, 1.0], [2.0, 0.0]]
