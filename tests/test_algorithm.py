"""RAPID as a pymoo Algorithm."""

from __future__ import annotations

import copy
import json
import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
from pymoo.core.evaluator import Evaluator
from pymoo.core.population import Population
from pymoo.core.problem import ElementwiseProblem, Problem
from pymoo.optimize import minimize
from pymoo.termination import get_termination
from pymoo.termination.max_eval import MaximumFunctionCallTermination
from threadpoolctl import threadpool_info, threadpool_limits

from rapid_moo import (
    RAPID,
    ADRSTuner,
    ArchitectureProblem,
    Gene,
    GridSpace,
    Objective,
    OneShotRAPID,
    PredictorSet,
    PredictorSpec,
    adrs,
    get_problem,
    learning,
)
from rapid_moo.algorithm import default_batch_size, default_tuner
from rapid_moo.costs import CostBudget, with_costs
from rapid_moo.display import RAPIDOutput
from rapid_moo.errors import InputError
from rapid_moo.indicators import box_hypervolume
from rapid_moo.pareto import front_points

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})
FAST = [RIDGE, RIDGE, None]


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
        minimize(problem, RAPID(tuner=ADRSTuner(2)), ("n_eval", 52), seed=3)
        runs.append(problem.store.X)
    assert len(runs[0]) == 52
    assert (runs[0] == runs[1]).all()


def test_rapid_beats_random_on_the_embedded_table():
    problem = get_problem("digits")
    front = problem.pareto_front()
    result = minimize(problem, RAPID(specs=[PredictorSpec(), RIDGE, None]), ("n_eval", 100), seed=0)
    rivals = [adrs(problem.table.sample(100, seed).F, reference=front) for seed in range(10)]
    assert adrs(result.pop.get("F"), reference=front) < min(rivals)


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
    quality = {parts: adrs(table.F[table.find(X)], reference=table.front) for parts, X in found.items()}
    assert quality[3] <= quality[1]


@pytest.mark.parametrize("budget", [60, 61, 63])
def test_parts_keep_to_the_budget(budget):
    problem = get_problem("digits")
    algorithm = OneShotRAPID(specs=FAST, n_initial=60, sampling="random", parts=3)
    algorithm.setup(problem, termination=("n_eval", budget), seed=0)
    asked = 0
    for _ in range(6):
        X = algorithm.propose()
        asked += len(X)
        problem.evaluate(X)
        algorithm.follow()
    assert asked == problem.n_evaluations == budget


def test_a_round_in_parts_is_tuned_once(monkeypatch):
    tuned = []
    tune = ADRSTuner.tune
    monkeypatch.setattr(ADRSTuner, "tune", lambda self, sample, **more: tuned.append(len(sample)) or tune(self, sample))
    tuner = ADRSTuner(budget=1, families=["bayesian_ridge"])
    algorithm = OneShotRAPID(parts=4, n_initial=20, batch_size=60, tuner=tuner)
    minimize(get_problem("digits"), algorithm, ("n_eval", 80), seed=0)
    assert tuned == [20]


def test_parts_are_of_one_size_the_first_ones_one_larger(monkeypatch):
    """Seven in three parts are three, two and two."""
    problem = get_problem("digits")
    algorithm = OneShotRAPID(specs=FAST, n_initial=60, sampling="random", parts=3)
    monkeypatch.setattr(algorithm, "_predicted_front", lambda proposals, known: proposals[:7])
    algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
    sizes = []
    for _ in range(4):
        X = algorithm.propose()
        sizes.append(len(X))
        problem.evaluate(X)
        algorithm.follow()
    assert sizes == [60, 3, 2, 2]


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
    assert "none of 12 evaluations succeeded" in caplog.text


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


def keys_of(problem, population):
    return set(problem.space.keys(problem.genotypes(population.get("X"))))


class TestPending:
    def test_architectures_are_never_proposed_again(self):
        problem = get_problem("digits")
        algorithm = RAPID(batch_size=4, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 60), seed=1)
        asked = [algorithm.ask()]
        algorithm.evaluator.eval(problem, asked[0])
        algorithm.tell(infills=asked[0])
        asked += [algorithm.ask() for _ in range(3)]
        # The second batch comes back in part, and before the first.
        algorithm.evaluator.eval(problem, asked[2][:2])
        algorithm.tell(infills=asked[2][:2])
        asked.append(algorithm.ask())
        everyone = [key for batch in asked for key in keys_of(problem, batch)]
        assert [len(batch) for batch in asked] == [12, 4, 4, 4, 4]
        assert len(set(everyone)) == len(everyone) == 28
        assert len(algorithm.pop) == 14
        assert len(algorithm.bill) == 14

    def test_architectures_count_for_the_budget(self):
        problem = get_problem("digits")
        algorithm = RAPID(batch_size=4, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 18), seed=1)
        first = algorithm.ask()
        algorithm.evaluator.eval(problem, first)
        algorithm.tell(infills=first)
        assert [len(algorithm.ask()) for _ in range(4)] == [4, 2, 0, 0]

    def test_the_first_sample_need_not_be_told_first(self):
        problem = get_problem("digits")
        algorithm = RAPID(n_initial=6, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 20), seed=1)
        first, second = algorithm.ask(), algorithm.ask()
        assert len(first) == len(second) == 6
        assert not keys_of(problem, first) & keys_of(problem, second)
        for batch in (second, first):
            algorithm.evaluator.eval(problem, batch)
            algorithm.tell(infills=batch)
        assert len(algorithm.pop) == 12
        assert len(algorithm.ask())

    def test_what_was_never_asked_for_may_be_told(self):
        problem = get_problem("digits")
        algorithm = RAPID(n_initial=4, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 20), seed=1)
        mine = Population.new("X", problem.table.sample(10, seed=2).X)
        algorithm.ask()
        algorithm.evaluator.eval(problem, mine)
        algorithm.tell(infills=mine)
        assert len(algorithm.pop) == 10
        assert not keys_of(problem, algorithm.ask()) & keys_of(problem, mine)

    @pytest.mark.parametrize("n", [1, 3])
    def test_a_table_is_used_up_one_by_one(self, n):
        table = get_problem("digits").table.sample(20, seed=0)
        problem = ArchitectureProblem(table.space, table)
        algorithm = RAPID(n_initial=5, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 100), seed=1)
        seen = []
        while len(X := algorithm.propose(n)):
            assert len(X) <= n
            seen += problem.space.keys(X)
            infills = Population.new("X", X)
            algorithm.evaluator.eval(problem, infills)
            algorithm.tell(infills=infills)
        assert len(seen) == len(set(seen)) == 20

    def test_history_is_kept(self):
        problem = get_problem("digits")
        result = minimize(problem, RAPID(batch_size=4, specs=FAST), ("n_eval", 24), seed=1, save_history=True)
        assert [len(entry.bill) for entry in result.history] == [12, 16, 20, 24]
        assert [len(entry.pop) for entry in result.history] == [12, 16, 20, 24]
        assert problem.n_evaluations == 24

    def test_history_shares_what_never_changes(self):
        """A copy of the predictors in each generation was 20 MB of it."""
        problem = get_problem("digits")
        algorithm = RAPID(batch_size=4, specs=FAST)
        result = minimize(problem, algorithm, ("n_eval", 28), seed=1, save_history=True)
        shared = result.history[-1]
        copied = copy.deepcopy(shared)
        assert all(getattr(copied, name) is getattr(shared, name) for name in ("predictors", "searched"))
        assert copied.bill is not shared.bill
        assert copied.random_state is not shared.random_state
        # Each generation's predictors are those of its own round, as they were then.
        assert [len(entry.predictors.sample_) for entry in result.history[1:]] == [12, 16, 20, 24]
        X = problem.table.X[:50]
        again = minimize(problem, RAPID(batch_size=4, specs=FAST), ("n_eval", 16), seed=1).algorithm
        assert (again.predictors.predict(X) == result.history[1].predictors.predict(X)).all()


class TestSampling:
    def known(self, n=30):
        problem = get_problem("digits")
        X = problem.table.sample(n, seed=3).X
        return problem, X

    def test_evaluated_individuals_are_learnt_from_and_cost_nothing(self):
        elsewhere, X = self.known()
        pop = Evaluator().eval(elsewhere, Population.new("X", X))
        problem = get_problem("digits")
        algorithm = minimize(problem, RAPID(sampling=pop, specs=FAST), ("n_eval", 20), seed=1).algorithm
        assert len(algorithm.bill) == problem.n_evaluations == algorithm.evaluator.n_eval == 20
        assert len(algorithm.pop) == 50
        # 30 are more than a first sample, so the first proposals are already chosen by predictions.
        assert algorithm.predictors is not None
        assert algorithm.n_iter > 2

    @pytest.mark.parametrize("kind", [np.asarray, lambda X: X.tolist(), lambda X: Population.new("X", X)])
    def test_variables_are_evaluated_first(self, kind):
        problem, X = self.known()
        minimize(problem, RAPID(sampling=kind(X), specs=FAST), ("n_eval", 40), seed=1)
        assert (problem.store.X[:30] == X).all()
        assert problem.n_evaluations == 40

    def test_what_the_problem_knows_is_not_evaluated_again(self):
        problem, X = self.known()
        problem.evaluate(X[:10])
        algorithm = minimize(problem, RAPID(sampling=X[:15], specs=FAST), ("n_eval", 20), seed=1).algorithm
        assert len(algorithm.bill) == 20
        assert len(algorithm.pop) == 30
        assert problem.n_evaluations == 30

    def test_a_mix_of_evaluated_ones_and_others(self):
        problem, X = self.known(10)
        told, other = Population.new("X", X[:5]), Population.new("X", X[5:])
        pop = Population.merge(Evaluator().eval(get_problem("digits"), told), other)
        minimize(problem, RAPID(n_initial=4, sampling=pop, specs=FAST), ("n_eval", 8), seed=1)
        assert problem.n_evaluations == 8
        assert problem.store.free[problem.store.find(X[:5])].all()
        assert not problem.store.free[problem.store.find(X[5:])].any()

    def test_repeats_in_it_are_evaluated_once(self):
        problem, X = self.known(4)
        algorithm = RAPID(n_initial=4, sampling=np.vstack([X, X]), specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 8), seed=1)
        assert len(algorithm.ask()) == 4

    def test_a_large_one_is_asked_for_in_parts(self):
        problem, X = self.known()
        algorithm = RAPID(sampling=X, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 25), seed=1)
        parts = [algorithm.propose(10) for _ in range(4)]
        assert [len(part) for part in parts] == [10, 10, 5, 0]
        assert (np.vstack(parts) == X[:25]).all()

    def test_failed_individuals_teach_where_it_fails(self):
        problem, X = self.known(10)
        pop = Population.new("X", X, "F", np.where(np.arange(10)[:, None] < 3, np.inf, 1.0) * np.ones((1, 3)))
        pop.apply(lambda individual: individual.evaluated.add("F"))
        algorithm = minimize(problem, RAPID(sampling=pop, specs=FAST), ("n_eval", 10), seed=1).algorithm
        assert problem.store.failed.sum() == 3
        assert algorithm.success is not None
        assert np.isfinite(algorithm.opt.get("F")).all()

    @pytest.mark.parametrize("sampling", ["best", "lhs"])
    def test_an_unknown_name(self, sampling):
        with pytest.raises(InputError, match=f"sampling: expected one of designed, random, got '{sampling}'"):
            RAPID(sampling=sampling)

    @pytest.mark.parametrize("nothing", [np.empty((0, 7)), Population.empty()])
    def test_of_nothing_the_first_sample_is_as_ever(self, nothing):
        problem, _ = self.known()
        algorithm = RAPID(sampling=nothing, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 20), seed=1)
        assert len(algorithm.ask()) == 12

    def test_variables_of_another_problem(self):
        problem, _ = self.known()
        with pytest.raises(InputError, match=r"expected genotypes of shape \(n, 7\), got \(1, 3\)"):
            minimize(problem, RAPID(sampling=np.zeros((1, 3))), ("n_eval", 20), seed=1)


class TestMoreBudget:
    @pytest.mark.parametrize("more", [60, 31])
    def test_a_finished_run_goes_on(self, more):
        problem = get_problem("digits")
        done = minimize(problem, RAPID(specs=FAST), ("n_eval", 30), seed=1).algorithm
        done.termination = MaximumFunctionCallTermination(more)
        result = minimize(problem, done, copy_algorithm=False)
        assert problem.n_evaluations == len(result.pop) == more
        # As if it had been given the larger budget at once, but for a batch that the smaller one cut off.
        at_once = get_problem("digits")
        minimize(at_once, RAPID(specs=FAST), ("n_eval", more), seed=1)
        assert (at_once.store.X[:30] == problem.store.X[:30]).all()

    def test_of_a_copy_and_of_a_pickled_one(self):
        problem = get_problem("digits")
        done = minimize(problem, RAPID(specs=FAST), ("n_eval", 30), seed=1).algorithm
        runs = []
        for other in (copy.deepcopy(done), pickle.loads(pickle.dumps(done)), done):
            other.termination = MaximumFunctionCallTermination(40)
            result = minimize(other.problem, other, copy_algorithm=False)
            assert len(result.pop) == len(other.bill) == 40
            runs.append(result.pop.get("X"))
        assert (runs[0] == runs[1]).all()
        assert (runs[0] == runs[2]).all()

    def test_in_generations(self):
        problem = get_problem("digits")
        done = minimize(problem, RAPID(batch_size=3, specs=FAST), ("n_gen", 3), seed=1).algorithm
        done.termination = get_termination("n_gen", 5)
        assert len(minimize(problem, done, copy_algorithm=False).pop) == 12 + 4 * 3

    def test_of_a_foreign_problem(self):
        done = minimize(Foreign(n_var=4), RAPID(specs=[RIDGE] * 2), ("n_eval", 20), seed=1).algorithm
        done.termination = MaximumFunctionCallTermination(26)
        result = minimize(done.problem, done, copy_algorithm=False)
        assert len(np.unique(result.pop.get("X"), axis=0)) == 26


class TestState:
    def test_a_run_that_is_set_up_again_goes_on_as_it_would_have(self):
        runs = []
        known = get_problem("digits").table.sample(44, seed=0)
        for stops in ((), (46, 51)):
            problem = get_problem("digits")
            problem.store.add(known.X, known.raw)
            algorithm = RAPID(specs=None, tuner=ADRSTuner(2, families=["bayesian_ridge"]))
            algorithm.setup(problem, termination=("n_eval", 1000), seed=5)
            while len(problem.store) < 54:
                if len(problem.store) in stops:
                    state = json.loads(json.dumps(algorithm.state()))
                    algorithm = RAPID(specs=None, tuner=ADRSTuner(2, families=["bayesian_ridge"]))
                    algorithm.setup(problem, termination=("n_eval", 1000), seed=99)
                    algorithm.follow()
                    algorithm.restore(state)
                for x in algorithm.propose(1):
                    problem.evaluate(x)
                algorithm.follow()
            runs.append(problem.store.X)
        assert (runs[0] == runs[1]).all()

    @pytest.mark.parametrize("state", [{}, {"random": 3}, {"random": {}, "chosen": [3]}])
    def test_something_else_is_one_error(self, state):
        algorithm = RAPID()
        algorithm.setup(get_problem("digits"), termination=("n_eval", 20), seed=1)
        with pytest.raises(InputError, match="state: expected that of a run of RAPID, got"):
            algorithm.restore(state)

    def test_what_is_pending_in_the_store_is_not_proposed(self):
        problem = get_problem("digits")
        table = problem.table.sample(12, seed=0)
        problem = ArchitectureProblem(table.space, table)
        problem.store.ask(table.X[:5])
        algorithm = RAPID(n_initial=12, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 100), seed=1)
        algorithm.follow()
        assert set(problem.space.keys(algorithm.propose())) == set(problem.space.keys(table.X[5:]))


class TestSettings:
    @pytest.mark.parametrize("cls", [RAPID, OneShotRAPID])
    def test_unknown_ones_are_refused(self, cls):
        with pytest.raises(
            InputError, match=f"{cls.__name__}: unknown batchsize, n_init; expected some of .*batch_size"
        ):
            cls(batchsize=8, n_init=30)

    def test_cheap_objectives_may_come_first_unless_told_otherwise(self):
        assert RAPID().decoupled
        assert not RAPID(decoupled=False).decoupled
        assert not OneShotRAPID().decoupled

    @pytest.mark.parametrize("n", [1, 2, 4])
    def test_specs_are_one_per_objective(self, n):
        algorithm = RAPID(specs=[RIDGE] * n)
        with pytest.raises(InputError, match=f"specs: expected 3, one per objective, got {n}"):
            algorithm.setup(get_problem("digits"), termination=("n_eval", 20), seed=1)

    def test_one_of_each_is_enough(self):
        algorithm = RAPID(n_initial=1, batch_size=1, rounds=1, retune=1.01, specs=FAST)
        assert minimize(get_problem("digits"), algorithm, ("n_eval", 9), seed=1).algorithm.n_iter == 3

    def test_before_it_is_set_up_nothing_is_learnt(self):
        algorithm = RAPID()
        assert (algorithm.tuned, algorithm.predictors, algorithm.success, algorithm.limits) == (None,) * 4

    def test_those_of_pymoo_are_taken(self):
        seen = []
        algorithm = RAPID(specs=FAST, seed=3, verbose=False, callback=lambda a: seen.append(a.n_iter))
        minimize(get_problem("digits"), algorithm, ("n_eval", 16))
        assert seen == [1, 2, 3]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_initial": 0}, "n_initial: expected a positive number, got 0"),
            ({"batch_size": 0}, "batch_size: expected a positive number"),
            ({"rounds": -1}, "rounds: expected a positive number, got -1"),
            ({"search": "grid"}, "search: expected one of .*, got 'grid'"),
            ({"retune": 1.0}, "retune: expected a factor above 1, got 1.0"),
            ({"candidates": "all"}, "candidates: expected one of auto, members, space, got 'all'"),
        ],
    )
    def test_wrong_values_are_refused(self, options, message):
        with pytest.raises(InputError, match=message):
            RAPID(**options)


class TestImports:
    def test_are_learnt_from_and_cost_nothing(self):
        table = get_problem("digits").table
        problem = get_problem("digits")
        sample = table.sample(60, seed=0)
        problem.store.add(sample.X, sample.raw)
        result = minimize(problem, RAPID(specs=FAST), ("n_eval", 20), seed=1)
        assert len(result.pop) == 80
        assert problem.n_evaluations == len(result.algorithm.bill) == 20
        assert result.algorithm.n_iter > 3
        assert adrs(result.pop.get("F"), reference=table.front) < adrs(sample.F, reference=table.front)

    def test_in_part_are_completed_first(self):
        space = get_problem("digits").space
        calls = []

        def accuracy(a):
            calls.append("accuracy")
            return 90.0 - a["depth"]

        def latency(a):
            calls.append("latency")
            return 1.0 + a["depth"]

        measure = {"accuracy": accuracy, "latency": latency}
        problem = ArchitectureProblem(space, measure=measure)
        X = space.sample(10, 0)
        problem.store.add(X, np.column_stack([np.full(10, 80.0), np.full(10, np.nan), space.compute(X, "memory")]))
        minimize(problem, RAPID(n_initial=6, specs=FAST), ("n_eval", 6), seed=1)
        assert calls == ["latency"] * 6
        assert len(problem.store) == 10

    @pytest.mark.parametrize("n_initial", [9, 10])
    def test_in_part_are_completed_rather_than_strangers_begun(self, n_initial):
        calls = []
        measure = {
            "accuracy": lambda a: calls.append("accuracy") or 90.0 - a["depth"],
            "latency": lambda a: calls.append("latency") or 1.0 + a["depth"],
        }
        space = get_problem("digits").space
        problem = ArchitectureProblem(space, measure=measure)
        X = space.sample(10, 0)
        problem.store.add(X, np.column_stack([np.full(10, 80.0), np.full(10, np.nan), space.compute(X, "memory")]))
        minimize(problem, RAPID(n_initial=n_initial, specs=FAST), ("n_eval", n_initial), seed=1)
        assert calls == ["latency"] * n_initial

    def test_of_everything_leave_nothing_to_do(self):
        table = get_problem("digits").table.sample(20, seed=0)
        problem = ArchitectureProblem(table.space, table)
        problem.store.add(table.X, table.raw)
        result = minimize(problem, RAPID(specs=FAST), ("n_eval", 20), seed=1)
        assert problem.n_evaluations == 0
        assert len(result.F) == len(table.front)


@pytest.fixture(scope="module")
def hundred():
    """A table of a hundred architectures, on which a round is quick."""
    return get_problem("digits").table.sample(100, seed=0)


def told(algorithm, table, n):
    """The algorithm after a proposal at which the first ``n`` rows of a table are known."""
    store = algorithm.problem.store
    new = np.arange(len(store), n)
    store.add(table.X[new], table.raw[new], free=False)
    algorithm.follow()
    return algorithm.propose()


class TestSchedule:
    @pytest.mark.parametrize(
        ("n", "size"), [(1, 2), (16, 2), (30, 2), (50, 4), (80, 7), (100, 10), (200, 20), (300, 30), (1000, 100)]
    )
    def test_of_batches_is_two_at_first_and_a_tenth_from_a_hundred_on(self, n, size):
        assert default_batch_size(n) == size

    def test_of_batches_never_falls_and_never_passes_a_tenth(self):
        sizes = [default_batch_size(n) for n in range(1, 400)]
        assert sizes == sorted(sizes)
        assert all(size <= max(2.0, n / 10 + 0.5) for n, size in enumerate(sizes, 1))

    def test_is_that_of_a_run(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        assert [len(told(algorithm, hundred, n)) for n in (16, 50, 80)] == [2, 4, 7]

    def test_of_early_choices_is_at_every_growth_by_four_tenths(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID()
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        chosen_at = []
        for n in (12, 16, 17, 23, 24):
            told(algorithm, hundred, n)
            chosen_at.append(algorithm.state()["chosen_at"])
        assert chosen_at == [12, 12, 17, 17, 24]
        assert {spec.family for spec in algorithm.predictors.specs[:2]} == {"gaussian_process"}
        assert algorithm.tuned is None

    @pytest.mark.parametrize(("retune", "expected"), [(2.0, [48, 96]), (np.inf, [48])])
    def test_of_tunings_is_at_48_and_at_every_growth_by_the_factor(self, retune, expected, hundred, monkeypatch):
        tuned_at, tune = [], ADRSTuner.tune
        monkeypatch.setattr(
            ADRSTuner, "tune", lambda self, sample, **more: tuned_at.append(len(sample)) or tune(self, sample, **more)
        )
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(retune=retune, tuner=ADRSTuner(1, families=["bayesian_ridge"], committee=False))
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        # As if the early choice had just been made: another would only take time.
        algorithm.restore({**algorithm.state(), "chosen": [None] * 3, "chosen_at": 40})
        for n in (47, 48, 95, 96):
            told(algorithm, hundred, n)
        assert tuned_at == expected

    def test_of_one_tuning_is_as_soon_as_there_are_rows_enough_to_tune_on(self, hundred):
        """Four, and of fewer an early choice serves."""
        tuner = ADRSTuner(1, families=["bayesian_ridge"], committee=False)
        tuned = {}
        for n in (3, 4):
            algorithm = OneShotRAPID(n_initial=n, tuner=tuner)
            algorithm.setup(ArchitectureProblem(hundred.space, hundred), termination=("n_eval", 1000), seed=0)
            told(algorithm, hundred, n)
            tuned[n] = algorithm.tuned is not None
        assert tuned == {3: False, 4: True}

    def test_of_fits_goes_on_from_the_round_before_while_the_configurations_stay(self, hundred, monkeypatch):
        made, successor = [], PredictorSet.successor
        monkeypatch.setattr(PredictorSet, "successor", lambda self: made.append(self) or successor(self))
        algorithm = RAPID(specs=FAST)
        algorithm.setup(ArchitectureProblem(hundred.space, hundred), termination=("n_eval", 1000), seed=0)
        for n, expected in ((20, 0), (24, 1), (28, 2)):
            told(algorithm, hundred, n)
            assert len(made) == expected
        algorithm.learner.specs = [PredictorSpec("bayesian_ridge"), RIDGE, None]
        told(algorithm, hundred, 32)
        assert len(made) == 2
        assert algorithm.predictors.specs[0] == PredictorSpec("bayesian_ridge")
        assert algorithm.success is None

    @pytest.mark.parametrize("foreign", [True, False])
    def test_of_fits_goes_on_from_the_hyper_parameters_of_the_round_before(self, foreign, hundred, monkeypatch):
        warm, fit = [], PredictorSet.fit
        monkeypatch.setattr(
            PredictorSet, "fit", lambda self, *args, **more: warm.append(more["warm_start"]) or fit(self, *args, **more)
        )
        problem = Foreign(limit=20, n_var=4) if foreign else ArchitectureProblem(hundred.space, hundred)
        minimize(problem, RAPID(specs=FAST[: problem.n_obj], batch_size=2), ("n_eval", 16), seed=0)
        # Of a foreign problem those of its objectives and those of its constraints.
        assert warm == [True] * (4 if foreign else 2)

    def test_of_specs_that_were_given_is_no_tuning_at_all(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        told(algorithm, hundred, 60)
        assert algorithm.tuned is None
        assert algorithm.predictors.specs[:2] == tuple(FAST[:2])


class TestDefaultTuner:
    def test_is_quick_and_prefers_what_reaches_beyond_its_data(self):
        tuner = RAPID().tuner
        assert (tuner.budget, tuner.committee, tuner.prefer) == (8, False, ("gaussian_process",))
        assert tuner.max_rows == 250
        assert OneShotRAPID().tuner.budget > tuner.budget
        assert OneShotRAPID().tuner.committee

    def test_takes_settings_instead_of_its_own(self):
        tuner = default_tuner(budget=3, n_jobs=2)
        assert (tuner.budget, tuner.n_jobs, tuner.prefer) == (3, 2, ("gaussian_process",))


class TestRounds:
    @pytest.mark.parametrize("rounds", [1, 3])
    def test_end_the_run(self, rounds, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        result = minimize(problem, RAPID(rounds=rounds, batch_size=4, specs=FAST), ("n_eval", 90), seed=1)
        assert problem.n_evaluations == 12 + 4 * rounds
        assert result.algorithm.n_iter == 2 + rounds

    def test_that_are_under_way_are_waited_for(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(rounds=1, batch_size=4, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 90), seed=1)
        first = algorithm.ask()
        algorithm.evaluator.eval(problem, first)
        algorithm.tell(infills=first)
        batch = algorithm.ask()
        algorithm.evaluator.eval(problem, batch)
        algorithm.tell(infills=batch[:3])
        assert algorithm.has_next()
        algorithm.tell(infills=batch[3:])
        assert not algorithm.has_next()

    def test_more_rounds_than_stated_end_it_too(self, hundred):
        """Whoever asks twice before he tells has begun one round more."""
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(rounds=1, batch_size=4, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 90), seed=1)
        first = algorithm.ask()
        algorithm.evaluator.eval(problem, first)
        algorithm.tell(infills=first)
        batches = [algorithm.ask(), algorithm.ask()]
        for batch in batches:
            assert algorithm.has_next()
            algorithm.evaluator.eval(problem, batch)
            algorithm.tell(infills=batch)
        assert not algorithm.has_next()

    def test_a_larger_first_sample_than_there_are_candidates_is_all_of_them(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        result = minimize(problem, RAPID(n_initial=500, specs=FAST), ("n_eval", 500), seed=1)
        assert problem.n_evaluations == 100
        assert len(result.F) == len(hundred.front)


class TestProposals:
    def started(self, table, **options):
        problem = ArchitectureProblem(table.space, table)
        algorithm = RAPID(specs=FAST, **options)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        return algorithm

    def test_sizes_and_limits_are_kept(self, hundred):
        algorithm = self.started(hundred)
        assert len(algorithm.propose(limit=5)) == 5
        assert len(algorithm.propose(size=3)) == 3
        assert len(algorithm.propose()) == 4
        told(algorithm, hundred, 50)
        assert [len(algorithm.propose(size=n, limit=m)) for n, m in ((6, 4), (2, 9), (3, None))] == [4, 2, 3]
        assert len(algorithm.propose(limit=0)) == 0

    @pytest.mark.parametrize(
        ("batch_size", "size", "expected"), [(None, None, 6), (3, None, 3), (3, 5, 5), (None, 2, 2)]
    )
    def test_after_failures_alone_a_sample_of_the_wanted_size_follows(self, batch_size, size, expected, hundred):
        algorithm = self.started(hundred, n_initial=6, batch_size=batch_size)
        store = algorithm.problem.store
        rows = store.ask(algorithm.propose())
        for row in rows:
            store.tell(int(row), {}, dict.fromkeys(store.objectives, "out of memory"))
        algorithm.follow()
        X = algorithm.propose(size)
        assert len(X) == expected
        assert not set(hundred.space.keys(X)) & set(hundred.space.keys(store.X[rows]))
        assert algorithm.predictors is None

    def test_another_sample_of_a_large_space_draws_no_more_than_it_may_need(self, monkeypatch):
        """As many as are wanted and as have failed, since each of those may come again."""
        large = GridSpace("large", [Gene(f"g{k}", tuple(range(10))) for k in range(7)])
        goals = (Objective("a", "min"), Objective("b", "min"))
        problem = ArchitectureProblem(large, lambda x: [np.nan, np.nan], goals)
        algorithm = RAPID(n_initial=6, specs=[RIDGE] * 2)
        algorithm.setup(problem, termination=("n_eval", 100), seed=0)
        problem.evaluate(algorithm.propose())
        algorithm.follow()
        drawn, sample = [], algorithm.view.sample
        monkeypatch.setattr(algorithm.view, "sample", lambda n, rng: drawn.append(n) or sample(n, rng))
        assert len(algorithm.propose(4)) == 4
        assert drawn == [10]

    def test_of_a_first_sample_of_ones_own_as_many_are_asked_for_as_wanted(self, hundred):
        algorithm = self.started(hundred, sampling=hundred.X[:9])
        assert [len(algorithm.propose(n)) for n in (2, 3)] == [2, 3]
        assert (algorithm.propose() == hundred.X[5:9]).all()

    def test_linear_algebra_runs_on_one_thread(self, hundred):
        """Of a few hundred rows several cost more than they save."""
        threads = []

        def acquisition(candidates, size, rng):
            threads.extend(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")
            return np.arange(size)

        algorithm = self.started(hundred, acquisition=acquisition)
        with threadpool_limits(2, user_api="blas"):
            told(algorithm, hundred, 20)
        assert set(threads) == {1}

    @pytest.mark.parametrize(("n", "missing"), [(6, 6), (11, 1)])
    def test_a_first_sample_is_completed_to_the_last(self, n, missing, hundred):
        algorithm = self.started(hundred)
        assert len(told(algorithm, hundred, n)) == missing
        assert algorithm.predictors is None

    def test_what_was_searched_holds_what_is_known_and_what_was_chosen(self, hundred):
        algorithm = self.started(hundred)
        X = told(algorithm, hundred, 40)
        keys = set(hundred.space.keys(algorithm.searched))
        assert set(hundred.space.keys(X)) <= keys
        assert set(hundred.space.keys(hundred.X[:40])) <= keys

    def test_budgets_of_evaluations_count_what_is_told_and_what_is_under_way(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 24), seed=0)
        told(algorithm, hundred, 16)
        assert len(algorithm._under_way.whole) == 2
        assert [algorithm._spending.affordable(n) for n in (0, 1, 6, 7, 100)] == [0, 1, 6, 6, 6]
        algorithm.propose(limit=3)
        assert algorithm._spending.affordable(100) == 3
        algorithm.propose(limit=0)
        assert algorithm._spending.affordable(100) == 0
        # Whoever lowers it below what was spent gets nothing more.
        algorithm.termination = MaximumFunctionCallTermination(10)
        assert len(algorithm.propose()) == algorithm._spending.affordable(100) == 0

    @pytest.mark.parametrize(("cost", "expected"), [(7.6, 3), (7.5, 3), (7.5 * (1 - 1e-12), 3), (7.4, 2), (0.0, 0)])
    def test_budgets_of_cost_pay_for_whole_architectures_rounding_aside(self, cost, expected, hundred):
        goals = with_costs(hundred.objectives, "accuracy:2,latency:0.5")
        table = replace(hundred, objectives=goals)
        algorithm = self.started(table)
        assert len(algorithm.propose(cost=cost)) == expected
        algorithm = RAPID(n_initial=16, specs=FAST)
        algorithm.setup(ArchitectureProblem(table.space, table), termination=CostBudget(cost + 10.0), seed=0)
        algorithm.propose(4)
        assert algorithm._spending.cost_left() == pytest.approx(cost)
        assert len(algorithm.propose()) == expected
        # The smaller one of two limits counts.
        algorithm = RAPID(n_initial=16, specs=FAST)
        algorithm.setup(ArchitectureProblem(table.space, table), termination=CostBudget(12.5), seed=0)
        assert len(algorithm.propose(cost=cost)) == expected

    def test_all_objectives_are_wanted_where_nothing_is_known(self, hundred):
        algorithm = self.started(hundred)
        X = algorithm.propose()
        assert algorithm.wanted.shape == (len(X), 3)
        assert algorithm.wanted.all()

    def test_an_exhaustive_search_proposes_new_members(self, hundred):
        algorithm = self.started(hundred, search="exhaustive", batch_size=6)
        X = told(algorithm, hundred, 40)
        assert len(X) == 6
        assert (hundred.find(X) >= 40).all()

    def test_a_space_that_cannot_be_listed_is_not_searched_exhaustively(self):
        large = GridSpace("large", [Gene(f"g{k}", tuple(range(10))) for k in range(7)])
        goals = (Objective("a", "min"), Objective("b", "min"))
        problem = ArchitectureProblem(large, lambda X: [float(X.sum()), float(-X[0, 0])], goals)
        with pytest.raises(InputError, match=r"search: 1e\+07 architectures are too many for 'exhaustive'"):
            minimize(problem, RAPID(search="exhaustive", specs=[RIDGE] * 2), ("n_eval", 20), seed=1)

    def test_the_whole_space_may_be_searched_for_a_table(self, hundred):
        algorithm = self.started(hundred, candidates="space")
        assert len(algorithm.propose()) == 12
        assert algorithm.view.n_members == hundred.space.size


class TestConstraintsOfForeignProblems:
    def test_their_predictors_are_chosen_anew_at_every_growth_by_four_tenths(self, monkeypatch):
        chosen_at, early_specs = [], learning.early_specs

        def watched(values, *rest):
            chosen_at.append(len(values))
            return early_specs(values, *rest)

        monkeypatch.setattr(learning, "early_specs", watched)
        algorithm = RAPID(n_initial=20, batch_size=4, specs=[RIDGE] * 2)
        algorithm.setup(Foreign(limit=20, n_var=4), termination=("n_eval", 40), seed=0)
        limits = []
        while algorithm.has_next():
            algorithm.next()
            limits.append(algorithm.limits)
        # At 20 evaluations, at 28, and not before 40 (1.4 times 28 are 39.2).
        assert chosen_at == [20, 28]
        assert limits[0] is None
        assert len({id(found) for found in limits[1:]}) == 5
        assert [len(found.sample_) for found in limits[1:]] == [20, 24, 28, 32, 36]


class TestBatchError:
    def test_is_the_mean_distance_from_what_was_predicted_in_ranges_of_the_front(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(batch_size=5, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        infills = algorithm.ask()
        algorithm.evaluator.eval(problem, infills)
        algorithm.tell(infills=infills)
        assert algorithm.batch_error is None
        known = algorithm.pop.get("F")
        infills = algorithm.ask()
        predicted = algorithm.predictors.predict_minimised(problem.genotypes(infills.get("X")))
        algorithm.evaluator.eval(problem, infills)
        algorithm.tell(infills=infills)
        span = np.ptp(front_points(known), axis=0)
        expected = (np.abs(predicted - infills.get("F")) / span).max(axis=1).mean()
        assert algorithm.batch_error == pytest.approx(expected)

    @pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
    def test_of_a_front_of_one_point_is_in_ranges_of_all_that_is_known(self, unit):
        """In no unit is it larger than in another."""
        goals = (Objective("a", "min"), Objective("b", "min"))
        space = GridSpace("line", [Gene("w", tuple(range(40)))], goals)
        problem = ArchitectureProblem(space, lambda x: [unit * float(x[0, 0]), unit * float(x[0, 0])])
        algorithm = RAPID(n_initial=6, batch_size=3, specs=[RIDGE] * 2)
        algorithm.setup(problem, termination=("n_eval", 100), seed=0)
        for _ in range(2):
            infills = algorithm.ask()
            known = algorithm.pop.get("F") if algorithm.pop is not None and len(algorithm.pop) else None
            if known is not None:
                expected = algorithm.predictors.predict_minimised(problem.genotypes(infills.get("X")))
            algorithm.evaluator.eval(problem, infills)
            algorithm.tell(infills=infills)
        error = (np.abs(expected - infills.get("F")) / np.ptp(known, axis=0)).max(axis=1).mean()
        assert algorithm.batch_error == pytest.approx(error)

    def test_of_failures_alone_is_none(self):
        fails = [False]
        problem = get_problem(
            "digits", source=lambda x: [np.nan] * 3 if fails[0] else [90.0 + x.sum(), 1.0 + x[0, 0], 2.0]
        )
        algorithm = RAPID(n_initial=6, batch_size=3, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 100), seed=0)
        errors = []
        for _ in range(3):
            infills = algorithm.ask()
            algorithm.evaluator.eval(problem, infills)
            algorithm.tell(infills=infills)
            errors.append(algorithm.batch_error)
            fails[0] = len(errors) == 2
        assert errors[0] is None
        assert errors[1] > 0.0
        assert errors[2] is None


class TestOutput:
    def run(self, problem, **options):
        algorithm = RAPID(batch_size=4, specs=FAST[: problem.n_obj], **options)
        algorithm.setup(problem, termination=("n_eval", 24), seed=1, verbose=False)
        output = RAPIDOutput()
        values = []
        while algorithm.has_next():
            algorithm.next()
            output(algorithm)
            values.append({column.name: column.value for column in output.columns})
        return algorithm, values

    def test_says_front_predictors_and_adrs(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm, values = self.run(problem)
        assert values[0]["predictors"] is None
        assert values[-1]["predictors"] == "bayesian_ridge/bayesian_ridge/exact"
        assert values[-1]["n_nds"] == len(algorithm.opt)
        assert values[-1]["adrs"] == pytest.approx(adrs(algorithm.pop.get("F"), reference=hundred.front))
        assert values[-1]["pred_err"] == algorithm.batch_error
        assert values[-1]["tuner_adrs"] is None

    def test_without_a_front_it_is_the_hypervolume_in_the_first_samples_box(self):
        algorithm, values = self.run(Foreign(n_var=4))
        first = algorithm.pop.get("F")[:12]
        assert values[0]["hv"] == pytest.approx(box_hypervolume(first, first.min(axis=0), first.max(axis=0)))
        whole = box_hypervolume(algorithm.pop.get("F"), first.min(axis=0), first.max(axis=0))
        assert values[-1]["hv"] == pytest.approx(whole)
        assert "adrs" not in values[-1]

    def test_is_a_line_in_columns(self):
        """What a verbose run prints: two processes and an exact objective are named in full, numbers are of ten."""
        output = RAPIDOutput()
        predictors = "gaussian_process/gaussian_process/exact"
        values = {"n_gen": 3, "n_eval": 120, "n_nds": 17, "predictors": predictors, "tuner_adrs": 0.01234567891}
        for column in output.columns:
            column.set(values.get(column.name))
        header, line = output.header(), output.text()
        assert line == "     3 |      120 |     17 |  " + predictors + " |  0.0123457 |          - |          -"
        assert [name.strip() for name in header.split("|")] == [column.name for column in output.columns]
        assert [place for place, c in enumerate(header) if c == "|"] == [k for k, c in enumerate(line) if c == "|"]


class TestRisk:
    """Failures may be as many as random search would have had by then."""

    def fitted(self, n_good, n_bad, n_pending=0):
        space = GridSpace("grid", [Gene(f"g{k}", tuple(range(6))) for k in range(4)])
        goals = (Objective("a", "min"), Objective("b", "min"))
        problem = ArchitectureProblem(space, lambda x: [1.0, 1.0], goals)
        X = space.enumerate()
        bad = X[:, 0] == 5
        rng = np.random.default_rng(0)
        good, poor = rng.permutation(X[~bad])[:n_good], rng.permutation(X[bad])[:n_bad]
        for x in good:
            problem.store.tell(int(problem.store.ask(x[None])[0]), {"a": float(x.sum()), "b": float(-x[1])}, {})
        for x in poor:
            problem.store.tell(int(problem.store.ask(x[None])[0]), {}, {"a": "out of memory", "b": "out of memory"})
        if n_pending:
            problem.store.ask(rng.permutation(X[bad])[-n_pending:])
        algorithm = RAPID(specs=[RIDGE] * 2)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        algorithm.follow()
        return algorithm

    def shares(self, algorithm, size=4):
        """Share of the batch that is where everything fails."""
        X = algorithm.propose(size)
        return float((X[:, 0] == 5).mean())

    def test_what_fails_is_left_alone_once_as_many_failed_as_would_have_by_chance(self):
        algorithm = self.fitted(40, 12)
        assert algorithm.success is None
        assert self.shares(algorithm) == 0.0
        assert algorithm.success is not None
        probability = algorithm.success.predict(algorithm.view.members)
        known = algorithm.view.knowledge(algorithm.bill, algorithm.view.members[:0])
        risk = algorithm.chooser.risk(probability, 4, known)
        assert 0.02 <= risk < 0.5

    def test_is_the_smaller_the_more_has_failed_and_the_more_is_under_way(self):
        risks = []
        for n_bad, n_pending in ((2, 0), (8, 0), (30, 0)):
            algorithm = self.fitted(40, n_bad, n_pending)
            algorithm.propose(4)
            probability = np.linspace(0.0, 1.0, 101)
            known = algorithm.view.knowledge(algorithm.bill, algorithm.view.members[:0])
            risks.append(algorithm.chooser.risk(probability, 4, known))
        assert risks == sorted(risks, reverse=True)
        assert all(0.02 <= risk <= 0.5 for risk in risks)
        assert risks[0] > risks[-1]

    def test_never_shuts_everybody_out(self):
        algorithm = self.fitted(10, 30)
        X = algorithm.propose(5)
        assert len(X) == 5

    def test_failing_share_is_half_what_the_sample_and_half_what_the_model_says(self):
        algorithm = self.fitted(40, 12)
        algorithm.propose(4)
        foretold = algorithm.success.predict(algorithm.view.members).mean()
        expected = 1.0 - 0.5 * (algorithm.success.rate_ + foretold)
        assert algorithm.chooser.failing_share() == pytest.approx(expected, abs=0.02)


class TestWhatItKeeps:
    def test_other_objectives_choose_predictors_anew_and_keep_the_rest(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(specs=FAST, batch_size=4)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        told(algorithm, hundred, 20)
        state = json.loads(json.dumps(algorithm.state()))
        assert (state["rounds"], state["chosen_at"], state["tuned_at"]) == (1, 0, 0)
        other = RAPID(specs=FAST, batch_size=4)
        other.setup(ArchitectureProblem(hundred.space, hundred), termination=("n_eval", 1000), seed=9)
        other.restore({**state, "chosen": [RIDGE.to_dict()] * 2, "chosen_at": 20, "tuned_at": 20})
        assert other.predictors is None
        assert other.state()["rounds"] == 1
        assert (other.state()["chosen_at"], other.state()["tuned_at"]) == (0, 0)
        assert other.random_state.random() == algorithm.random_state.random()
        other.restore(state)
        assert other.predictors is not None
        assert other.state()["predictors"] == state["predictors"]

    def test_seconds_are_those_of_its_phases(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(tuner=ADRSTuner(1, families=["bayesian_ridge"], committee=False))
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        start = time.perf_counter()
        told(algorithm, hundred, 50)
        assert set(algorithm.seconds) == {"tune", "fit", "search"}
        assert all(value > 0.0 for value in algorithm.seconds.values())
        assert sum(algorithm.seconds.values()) <= time.perf_counter() - start

    def test_it_says_what_it_is(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = RAPID(specs=FAST)
        assert "first sample 12" in repr(algorithm)
        assert "predictors" not in repr(algorithm)
        algorithm = minimize(problem, algorithm, ("n_eval", 20), seed=0).algorithm
        assert "evaluations 20" in repr(algorithm)
        assert f"front {len(algorithm.opt)}" in repr(algorithm)
        assert "bayesian_ridge" in repr(algorithm)
        assert f"problem {problem.name()}" in repr(algorithm)
        assert "tuner's ADRS" not in repr(algorithm)

    def test_it_says_what_the_tuner_promised_and_that_nothing_is_found_yet(self, hundred):
        algorithm = RAPID(tuner=ADRSTuner(1, families=["bayesian_ridge"], committee=False))
        algorithm.setup(ArchitectureProblem(hundred.space, hundred), termination=("n_eval", 1000), seed=0)
        algorithm.ask()
        assert "first sample 12" in repr(algorithm)
        told(algorithm, hundred, 50)
        promised = " ".join(repr(algorithm).split()).partition("tuner's ADRS ")[2].split()[0]
        assert float(promised.rstrip(",>")) == pytest.approx(algorithm.tuned.adrs, rel=1e-3)


class TestSmallThings:
    def test_a_run_without_a_success_can_be_watched(self, capsys):
        problem = get_problem("digits", source=lambda X: [np.nan] * 3)
        result = minimize(problem, RAPID(n_initial=4), ("n_eval", 10), seed=1, verbose=True)
        assert result.F is None
        assert "n_nds" in capsys.readouterr().out

    @pytest.mark.parametrize("limit", [None, 300])
    def test_pymoos_own_termination_waits_for_a_success(self, limit):
        """How a front moves cannot be asked before there is one."""
        fails = [True]
        problem = get_problem(
            "digits", source=lambda x: [np.nan] * 3 if fails[0] else [90.0 + x.sum(), 1.0 + x[0, 0], 2.0]
        )
        algorithm = RAPID(n_initial=4, batch_size=3, specs=FAST)
        algorithm.setup(problem, seed=0)
        criteria = algorithm.termination.criteria
        if limit:
            algorithm.termination.max_evals.n_max_evals = 8
        for n in (4, 7, 10):
            algorithm.next()
            assert problem.n_evaluations == n
            assert algorithm.termination.criteria is criteria
            # But its limits count.
            assert algorithm.has_next() is not (bool(limit) and n >= 8)
        fails[0] = False
        if not limit:
            algorithm.next()
            assert len(algorithm.opt) > 0

    def test_where_nothing_is_feasible_the_least_violating_is_the_optimum(self):
        algorithm = RAPID(n_initial=8, batch_size=2, specs=[RIDGE] * 2)
        algorithm.setup(Foreign(limit=1000, n_var=4), termination=("n_eval", 8), seed=0)
        algorithm.next()
        assert len(algorithm.opt) == 1
        assert algorithm.opt[0].CV[0] == min(individual.CV[0] for individual in algorithm.pop) > 0.0

    @pytest.mark.parametrize(("n_initial", "expected"), [(4, 12), (40, 40)])
    def test_a_first_sample_of_twelve_at_least_says_how_much_fails(self, n_initial, expected, hundred):
        problem = ArchitectureProblem(hundred.space, lambda x: [1.0, 1.0, 1.0], hundred.objectives)
        algorithm = RAPID(n_initial=n_initial, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        rows = problem.store.ask(hundred.X[:45])
        for row in rows.tolist():
            values = dict(zip(problem.store.objectives, hundred.raw[row], strict=True))
            told_of_it = {} if row % 9 == 0 else values
            problem.store.tell(row, told_of_it, dict.fromkeys(values.keys() - told_of_it.keys(), "out of memory"))
        algorithm.follow()
        algorithm.propose(1)
        assert algorithm.success.n_first == expected

    def test_one_objective(self):
        class One(ElementwiseProblem):
            def __init__(self):
                super().__init__(n_var=2, n_obj=1, xl=0, xu=3, vtype=int)

            def _evaluate(self, x, out, *args, **kwargs):
                out["F"] = float(x.sum()) if x[0] else np.nan

        result = minimize(One(), RAPID(n_initial=4, specs=[RIDGE]), ("n_eval", 12), seed=1)
        assert (result.X.tolist(), result.F.tolist()) == ([1, 0], [1.0])

    def test_one_architecture(self):
        space = GridSpace("one", [Gene("op", ("only",))])
        objectives = [Objective("x", "min"), Objective("y", "max")]
        problem = ArchitectureProblem(space, measure=lambda a: {"x": 1, "y": 2}, objectives=objectives)
        result = minimize(problem, RAPID(), ("n_eval", 10), seed=1)
        assert (result.X.tolist(), result.F.tolist()) == ([[0]], [[1.0, -2.0]])

    def test_one_shot_with_more_than_the_table_holds(self, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        minimize(problem, OneShotRAPID(n_initial=40, batch_size=500, specs=FAST), seed=1)
        assert problem.n_evaluations == 100

    @pytest.mark.parametrize(("probability", "asked"), [(0.5, True), (0.499, False)])
    def test_one_shot_leaves_out_what_fails_more_often_than_not(self, probability, asked, hundred):
        problem = ArchitectureProblem(hundred.space, hundred)
        algorithm = OneShotRAPID(n_initial=40, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        problem.store.add(hundred.X[:40], hundred.raw[:40], free=False)
        algorithm.follow()

        class Success:
            def predict(self, X):
                return np.full(len(X), probability)

        algorithm.learner._learn_success = lambda known: setattr(algorithm.learner, "success", Success())
        assert (len(algorithm.propose()) > 0) is asked

    def test_one_shot_evaluates_the_one_that_is_nearest_to_a_bound_where_none_is_within(self, hundred):
        """By predictions that miss the bound everywhere: one architecture is tried all the same."""
        problem = ArchitectureProblem(hundred.space, hundred, constraints="latency <= 100")

        class Far:
            specs, families = tuple(FAST), ("far",) * 3

            def predict(self, X, return_std=False):
                row = hundred.find(X)
                mean = np.column_stack([90.0 + row, 200.0 + row, np.full(len(X), 9.0)])
                return (mean, np.zeros_like(mean)) if return_std else mean

            predict_minimised = predict

        algorithm = OneShotRAPID(n_initial=40, specs=FAST)
        algorithm.setup(problem, termination=("n_eval", 1000), seed=0)
        # The nearest two are not among those that are known; the second is no worse but for the bound.
        problem.store.add(hundred.X[2:42], hundred.raw[2:42], free=False)
        algorithm.follow()
        algorithm.learner.learn = lambda known, seed: setattr(algorithm.learner, "predictors", Far())
        assert algorithm.propose().tolist() == hundred.X[:1].tolist()

    def test_one_shot_with_a_sample_of_ones_own(self):
        problem = get_problem("digits")
        X = problem.table.sample(20, seed=0).X
        result = minimize(problem, OneShotRAPID(specs=FAST, sampling=X), ("n_eval", 500), seed=1)
        assert (problem.store.X[:20] == X).all()
        assert len(result.pop) > 22
        assert result.algorithm.n_iter == 3
