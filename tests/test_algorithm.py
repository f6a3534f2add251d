"""RAPID as a pymoo Algorithm."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.core.problem import Problem
from pymoo.optimize import minimize

from rapid_moo import RAPID, ADRSTuner, ArchitectureProblem, OneShotRAPID, PredictorSpec, adrs, get_problem
from rapid_moo.errors import InputError

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})


def test_failed_evaluations_are_billed_and_never_selected():
    space = get_problem("digits").space

    def profiler(X):
        row = space.compute(X, "memory")
        return [np.nan, np.nan, np.nan] if X[0, 0] == 0 else [90.0 - row[0], row[0], row[0]]

    problem = ArchitectureProblem(space, profiler)
    result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 30), seed=0)
    assert problem.n_evaluations == 30
    assert np.isnan(problem.store.raw).any()
    assert np.isfinite(result.F).all()


def test_what_raises_or_is_interrupted_loses_nothing():
    space = get_problem("digits").space
    failing, stopping = space.sample(6, 0)[[2, 4]]

    def profiler(X):
        if (X[0] == failing).all():
            raise RuntimeError("out of memory")
        if (X[0] == stopping).all():
            raise KeyboardInterrupt
        return [1.0, 2.0, 3.0]

    problem = ArchitectureProblem(space, profiler)
    with pytest.raises(KeyboardInterrupt):
        problem.evaluate(space.sample(6, 0))
    assert problem.n_evaluations == 4
    assert np.isnan(problem.store.raw).any(axis=1).tolist() == [False, False, True, False, True]
    assert problem.store.failed.tolist() == [False, False, True, False, False]
    assert problem.store.reason(2) == "RuntimeError: out of memory"


def test_budget_is_exact_and_repeats_in_another_run():
    runs = []
    for _ in range(2):
        problem = get_problem("digits")
        minimize(problem, RAPID(tuner=ADRSTuner(4)), ("n_eval", 60), seed=3)
        runs.append(problem.store.X)
    assert len(runs[0]) == 60
    assert (runs[0] == runs[1]).all()


def test_rapid_beats_random_on_the_embedded_table():
    problem = get_problem("digits")
    front = problem.pareto_front()
    result = minimize(problem, RAPID(specs=[PredictorSpec(), RIDGE, None]), ("n_eval", 100), seed=0)
    rivals = [adrs(front, problem.table.sample(100, seed).F) for seed in range(10)]
    assert adrs(front, result.pop.get("F")) < min(rivals)


def test_one_round_evaluates_the_predicted_front_and_at_least_a_batch():
    bills = []
    for batch_size in (None, 2, 300):
        problem = get_problem("digits")
        options = {"n_initial": 60, "sampling": "random", "batch_size": batch_size}
        minimize(problem, OneShotRAPID(specs=[RIDGE, RIDGE, None], **options), seed=0)
        bills.append(problem.store.X)
    front, same, more = bills
    assert 60 < len(front) < 360
    assert (front == same).all()
    assert len(more) == 360
    assert (more[: len(front)] == front).all()
    assert len(np.unique(more, axis=0)) == 360


def test_a_round_in_parts_costs_as_much_and_finds_no_less():
    table = get_problem("digits").table
    found = {}
    for parts in (1, 3):
        problem = get_problem("digits")
        options = {"n_initial": 60, "sampling": "random", "parts": parts}
        result = minimize(problem, OneShotRAPID(specs=[RIDGE, RIDGE, None], **options), seed=0)
        assert result.algorithm.n_iter == 2 + parts
        found[parts] = problem.store.X
    assert len(found[1]) == len(found[3]) > 63
    assert (found[1][:60] == found[3][:60]).all()
    quality = {parts: adrs(table.front, table.F[table.find(X)]) for parts, X in found.items()}
    assert quality[3] <= quality[1]


def test_a_round_in_parts_is_tuned_once(monkeypatch):
    tuned = []
    tune = ADRSTuner.tune
    monkeypatch.setattr(ADRSTuner, "tune", lambda self, sample: tuned.append(len(sample)) or tune(self, sample))
    tuner = ADRSTuner(budget=1, families=["bayesian_ridge"])
    algorithm = OneShotRAPID(parts=4, n_initial=20, batch_size=60, tuner=tuner)
    minimize(get_problem("digits"), algorithm, ("n_eval", 80), seed=0)
    assert tuned == [20]


def test_parts_are_positive():
    with pytest.raises(InputError, match="parts: expected a positive number, got 0"):
        OneShotRAPID(parts=0)


def test_ask_and_tell_keeps_to_the_budget():
    problem = get_problem("digits")
    algorithm = RAPID(specs=[RIDGE, RIDGE, None])
    algorithm.setup(problem, termination=("n_eval", 40), seed=0)
    asked = 0
    for _ in range(100):
        infills = algorithm.ask()
        if len(infills) == 0:
            break
        infills.set("F", problem.evaluate(np.asarray(infills.get("X"))))
        asked += len(infills)
        algorithm.tell(infills)
    assert asked == 40


def test_constraints_hold_for_what_is_found():
    problem = get_problem("digits", constraints=["latency <= 4"])
    result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 60), seed=0)
    assert (result.F[:, 1] <= 4).all()
    assert (problem.pareto_front()[:, 1] <= 4).all()


class Foreign(Problem):
    """A problem that knows nothing of this package; of six variables too large to list."""

    def __init__(self, low=-2, limit=None, n_var=6):
        super().__init__(n_var=n_var, n_obj=2, n_ieq_constr=int(limit is not None), xl=low, xu=low + 7, vtype=int)
        self.low, self.limit = low, limit

    def _evaluate(self, x, out, *args, **kwargs):
        codes = x - self.low
        out["F"] = np.column_stack([((codes - 2) ** 2).sum(axis=1), ((codes - 4) ** 2).sum(axis=1)])
        if self.limit is not None:
            out["G"] = self.limit - out["F"][:, :1]


def test_foreign_integer_problem():
    runs = [
        minimize(Foreign(at), RAPID(30, 20, specs=[RIDGE] * 2), ("n_eval", 50), seed=0).pop.get("X") - at
        for at in (0, -2, 10)
    ]
    assert len(np.unique(runs[1], axis=0)) == 50
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])
    assert np.abs(runs[1][30:] - 3).mean() < np.abs(runs[1][:30] - 3).mean() - 0.5


@pytest.mark.parametrize(("n_var", "limit"), [(5, 50), (6, 30)])
def test_a_foreign_problems_constraints_are_learned(n_var, limit):
    found = minimize(Foreign(limit=limit, n_var=n_var), RAPID(40, 20, specs=[RIDGE] * 2), ("n_eval", 80), seed=0)
    feasible = found.pop.get("F")[:, 0] >= limit
    assert feasible[60:].mean() > 0.9
    assert (found.F[:, 0] >= limit).all()


def test_a_first_sample_that_fails_is_followed_by_another(caplog):
    calls = []

    def profiler(X):
        calls.append(X)
        return [float(X.sum()), 1.0 + X[0, 0], 2.0] if len(calls) > 20 else [np.nan] * 3

    problem = get_problem("digits", source=profiler)
    result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 40), seed=0)
    assert problem.n_evaluations == 40
    assert np.isfinite(result.F).all()
    assert "none of 16 evaluations succeeded" in caplog.text


def test_a_batch_says_how_far_it_came_out_from_where_it_was_predicted():
    algorithm = minimize(get_problem("digits"), RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 40), seed=0).algorithm
    assert 0.0 < algorithm.batch_error < 10.0


def test_a_space_that_is_used_up_ends_the_search():
    problem = Small()
    result = minimize(problem, RAPID(n_initial=3, batch_size=4, specs=[RIDGE, RIDGE]), ("n_eval", 50), seed=0)
    assert len(result.pop) == 12


class Small(Problem):
    def __init__(self):
        super().__init__(n_var=2, n_obj=2, xl=0, xu=np.array([2, 3]), vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = np.column_stack([x[:, 0] - x[:, 1], x[:, 1] + 2 * x[:, 0]])
