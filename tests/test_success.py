"""Where evaluations fail is learnt: what cannot work is left alone, and what cannot be foreseen costs nothing."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective
from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.acquisition import with_failures
from rapid_moo.candidates import search_predictions
from rapid_moo.predictors import PredictorSet, PredictorSpec
from rapid_moo.success import SuccessModel, _regression
from rapid_moo.table import ArchitectureTable
from rapid_moo.view import SpaceView

WIDTHS = np.array([16, 32, 64, 128])
GOALS = (Objective("acc", "max"), Objective("lat", "min"))
SPACE = GridSpace("widths", [Gene(f"w{k}", tuple(WIDTHS.tolist())) for k in range(6)], GOALS)
X = SPACE.enumerate()
SIZE = WIDTHS[X].sum(axis=1).astype(float)
PROCESS = PredictorSpec("gaussian_process", {"ard": False}, "all")


def values(x: IntArray) -> FloatArray:
    s = WIDTHS[x].sum(axis=1)
    return np.column_stack([90 - 2000 / (s + 40) + 0.3 * x[:, 0] - 0.2 * x[:, 3], s * (1 + 0.1 * x[:, 1])])


def largest(share: float) -> BoolArray:
    return np.asarray(np.quantile(SIZE, 1.0 - share) < SIZE)


def combined() -> BoolArray:
    """A large first layer does not go with a large last one."""
    return np.asarray((X[:, 0] >= 2) & (X[:, 5] >= 2))


def surprise(model: SuccessModel, rows: IntArray, failed: BoolArray) -> float:
    probability = np.clip(model.predict(X[rows]), 1e-3, 1 - 1e-3)
    return float(-np.log(np.where(failed[rows], 1 - probability, probability)).mean())


def fitted(failed: BoolArray, n: int, seed: int = 0) -> tuple[SuccessModel, IntArray]:
    rows = np.random.default_rng(seed).permutation(len(X))
    return SuccessModel(SPACE).fit(X[rows[:n]], ~failed[rows[:n]]), rows[n : n + 1000]


@pytest.mark.parametrize("failed", [largest(0.1), largest(0.25), largest(0.5), combined()])
def test_failures_that_follow_from_the_genes_are_foreseen(failed: BoolArray) -> None:
    model, rest = fitted(failed, 60)
    share = failed.mean()
    base = float(-(share * np.log(share) + (1 - share) * np.log(1 - share)))
    assert surprise(model, rest, failed) < 0.75 * base
    trusted = rest[model.predict(X[rest]) > 0.9]
    assert len(trusted) > 100
    assert failed[trusted].mean() < 0.4 * share


def test_failures_at_random_teach_nothing_but_their_rate() -> None:
    failed = np.random.default_rng(5).random(len(X)) < 0.1
    model, rest = fitted(failed, 100)
    base = float(-(0.1 * np.log(0.1) + 0.9 * np.log(0.9)))
    assert surprise(model, rest, failed) < 1.15 * base
    assert model.predict(X[rest]).min() > 0.5


def test_weights_are_a_distribution_and_one_failure_is_enough() -> None:
    labels = np.ones(16, dtype=np.bool_)
    labels[3] = False
    model = SuccessModel(SPACE).fit(X[:: len(X) // 16][:16], labels)
    assert sum(model.weights_.values()) == pytest.approx(1.0)
    probability = model.predict(X)
    assert ((probability > 0.0) & (probability < 1.0)).all()
    assert model.rate_ == pytest.approx(15.5 / 17)


def test_rate_is_that_of_the_first_rows() -> None:
    """A search that lingers where evaluations fail does not make the space look worse than it is."""
    failed = largest(0.25)
    first, late = np.flatnonzero(~failed)[:16], np.flatnonzero(failed)[:40]
    rows = np.concatenate([first, late])
    assert SuccessModel(SPACE, 16).fit(X[rows], ~failed[rows]).rate_ == pytest.approx(16.5 / 17)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_regression_is_scikit_learns(strength: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(1).permutation(len(X))[:80]
    features = SPACE.features(X[rows], "all")
    Z = (features - features.mean(axis=0)) / features.std(axis=0)
    labels = ~largest(0.25)[rows]
    theirs = LogisticRegression(C=strength, max_iter=10_000, tol=1e-10).fit(Z, labels).predict_proba(Z)[:, 1]
    assert _regression(Z, labels, strength)(Z) == pytest.approx(theirs, abs=1e-4)


def test_drawn_failures_are_as_frequent_as_expected_and_cover_nothing() -> None:
    draws = np.random.default_rng(0).random((2000, 3, 2))
    found = with_failures(draws, np.array([1.0, 0.5, 0.0]), np.random.default_rng(1))
    lost = (found > draws.max()).all(axis=2).mean(axis=0)
    assert lost[0] == 0.0
    assert lost[1] == pytest.approx(0.5, abs=0.05)
    assert lost[2] == 1.0


@pytest.mark.parametrize("one", [False, True])
def test_a_search_loses_no_more_than_random_search(one: bool) -> None:
    """The largest quarter fails, wholly or in one objective."""
    failed, lost = dict(zip(SPACE.keys(X), largest(0.25), strict=True)), []

    def measure(x: IntArray) -> FloatArray:
        found = values(x)
        if failed[SPACE.keys(x)[0]]:
            lost.append(x)
            found[:, 0 if one else slice(None)] = np.nan
        return found

    problem = ArchitectureProblem(SPACE, measure)
    minimize(problem, RAPID(batch_size=12, specs=[PROCESS] * 2), ("n_eval", 76), seed=0)
    assert problem.n_evaluations == 76
    assert len(lost) <= 0.25 * 76


def test_where_failures_cannot_be_foreseen_nothing_is_shut_out() -> None:
    algorithm = RAPID(n_initial=32, specs=[PROCESS] * 2)
    failed = dict(zip(SPACE.keys(X), np.random.default_rng(2).random(len(X)) < 0.25, strict=True))
    problem = ArchitectureProblem(SPACE, lambda x: values(x) * (np.nan if failed[SPACE.keys(x)[0]] else 1.0))
    algorithm.setup(problem, termination=("n_eval", 60), seed=0)
    infills = algorithm.ask()
    algorithm.evaluator.eval(problem, infills)
    algorithm.tell(infills=infills)
    algorithm.ask()
    known = algorithm.view.knowledge(algorithm.bill, X[:0])
    assert algorithm.success is not None
    assert len(algorithm.chooser.likely(X, 2, known)) > 0.8 * len(X)


def test_overdrawn_search_is_more_careful() -> None:
    """Having lost more than random search would have, it risks less than one that lost nothing since."""
    failed = largest(0.5)
    rng = np.random.default_rng(0)
    first = rng.permutation(len(X))[:16]
    lucky, unlucky = np.flatnonzero(~failed), np.flatnonzero(failed)
    risks = []
    for more in (lucky, unlucky):
        algorithm = RAPID(specs=[PROCESS] * 2)
        problem = ArchitectureProblem(SPACE, values)
        rows = np.concatenate([first, rng.choice(more, 30, replace=False)])
        raw = values(X[rows])
        raw[failed[rows]] = np.nan
        algorithm.setup(problem, termination=("n_eval", 200), seed=0)
        for row in rows:
            told = {} if failed[row] else dict(zip(("acc", "lat"), values(X[[row]])[0].tolist(), strict=True))
            reasons = {"acc": "too large", "lat": "too large"} if failed[row] else {}
            problem.store.tell(int(problem.store.ask(X[[row]])[0]), told, reasons)
        algorithm.follow()
        algorithm.propose(2)
        known = algorithm.view.knowledge(algorithm.bill, X[:0])
        assert algorithm.success is not None
        risks.append(algorithm.chooser.risk(algorithm.success.predict(X), 2, known))
    assert risks[1] < risks[0]


def test_search_of_predictions_keeps_to_what_probably_succeeds() -> None:
    failed = largest(0.25)
    model, _ = fitted(failed, 100)
    view = SpaceView(ArchitectureProblem(SPACE, values))
    rows = np.random.default_rng(3).permutation(len(X))[:60]
    sample = ArchitectureTable.build(SPACE, GOALS, X[rows], values(X[rows]))
    predictors = PredictorSet(SPACE, GOALS, [PROCESS] * 2).fit(sample)
    blind = search_predictions(view, predictors, X[:0], "nsga2", 0, generations=15)
    seeing = search_predictions(view, predictors, X[:0], "nsga2", 0, generations=15, success=model)
    fails = dict(zip(SPACE.keys(X), failed, strict=True))
    lost = [float(np.mean([fails[key] for key in SPACE.keys(found)])) for found in (blind, seeing)]
    assert lost[1] < 0.7 * lost[0]


def test_a_lucky_first_sample_does_not_make_the_search_timid_for_ever() -> None:
    """None of the first sample failed; what the model has learnt since says that a quarter of the space does."""
    failed = largest(0.25)
    algorithm = RAPID(specs=[PROCESS] * 2)
    problem = ArchitectureProblem(SPACE, values)
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.choice(np.flatnonzero(~failed), 16), rng.permutation(len(X))[:60]])
    for row in dict.fromkeys(rows.tolist()):
        told = {} if failed[row] else dict(zip(("acc", "lat"), values(X[[row]])[0].tolist(), strict=True))
        reasons = {"acc": "too large", "lat": "too large"} if failed[row] else {}
        problem.store.tell(int(problem.store.ask(X[[row]])[0]), told, reasons)
    algorithm.setup(problem, termination=("n_eval", 200), seed=0)
    algorithm.follow()
    algorithm.propose(2)
    assert algorithm.success is not None
    assert algorithm.success.rate_ > 0.95
    assert 0.1 < algorithm.chooser.failing_share() < 0.25
