"""The published procedure: one re-creation, which the comparison and the tuner's benchmark share."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import adrs
from rapid_moo.comparison.methods import published
from rapid_moo.comparison.methods.published import PublishedRAPID, choose, published_grid, vectors_of
from rapid_moo.comparison.run import run_method, sorted_table
from rapid_moo.objectives import signs
from rapid_moo.pareto import front_indices, front_points

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


def test_shared_fits_predict_what_separate_ones_do(sample):
    X, y = vectors_of(sample.space, sample.X), sample.raw[:, 1]
    grid = [r for r in published_grid() if r.trees <= 100 and r.params.get("loss") != "quantile"]
    separate, shared = (
        fit(grid, X[:30], y[:30], X[30:], 5) for fit in (published.fit_separately, published.fit_shared)
    )
    assert np.array(shared) == pytest.approx(np.array(separate), rel=1e-6)


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
