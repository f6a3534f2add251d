"""The one memory of evaluations, and the bills that runs have of it."""

from __future__ import annotations

import copy
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.population import Population
from pymoo.core.problem import ElementwiseProblem
from pymoo.core.variable import Choice, Integer
from pymoo.optimize import minimize

from rapid_moo import (
    RAPID,
    ArchitectureProblem,
    BillingEvaluator,
    Gene,
    GridSpace,
    Objective,
    PredictorSpec,
    Store,
    genotype_operators,
    get_problem,
)
from rapid_moo.errors import InputError
from rapid_moo.frames import own_name
from rapid_moo.rows import STATES
from rapid_moo.study import SQLiteStore

RIDGE = PredictorSpec("bayesian_ridge")
OBJECTIVES = (Objective("error", "min"), Objective("latency", "min"))


def toy(n_genes=3):
    return GridSpace("toy", [Gene(f"g{k}", (0, 1, 2, 3)) for k in range(n_genes)], OBJECTIVES)


def measure(architecture):
    values = list(architecture.values())
    return {"error": sum((v - 1) ** 2 for v in values), "latency": sum((v - 3) ** 2 for v in values)}


# What may happen to a store: something, to one of twelve architectures, with some objectives.
STEPS = st.tuples(
    st.sampled_from(["ask", "again", "import", "start", "tell", "more", "fail", "requeue", "forget", "drop"]),
    st.integers(0, 11),
    st.sets(st.sampled_from(["error", "latency"])),
)


def happen(store, step, value):
    kind, k, names = step
    x = np.array([[k % 4, k // 4, 0]])
    if kind == "ask":
        store.ask(x, "run")
    if kind == "again":
        store.ask(x, "run", objectives=names, again=True)
    if kind == "import":
        store.add(x, [[value if name in names else np.nan for name in store.objectives]])
    row = int(store.find(x)[0])
    if row < 0:
        return
    if kind == "start":
        store.start(row, "worker")
    if kind in ("tell", "more"):
        store.tell(row, dict.fromkeys(names, value), seconds=1.0, more=kind == "more")
    if kind == "fail":
        store.tell(row, {}, dict.fromkeys(names, "no"))
    if kind in ("requeue", "forget"):
        store.requeue([row], forget=kind == "forget")
    if kind == "drop":
        store.drop([row])


class TestAnyHistory:
    @given(st.lists(STEPS, max_size=40))
    def test_keeps_the_promises_of_a_store(self, steps):
        store = Store(toy(), ("error", "latency"))
        values, begun = {}, 0
        for i, step in enumerate(steps):
            happen(store, step, float(i))
            begun = max(begun, store.n_evaluations)
            kind, k, names = step
            if kind in ("tell", "more", "import") and store.find([[k % 4, k // 4, 0]])[0] >= 0:
                for name in names:
                    values.setdefault((k, name), []).append(float(i))
        assert begun <= len(steps)
        assert (store.pending == (store.running | np.isin(np.arange(len(store)), store.waiting))).all()
        assert not (store.complete & store.failed).any()
        assert all(store.state(row) in STATES for row in range(len(store)))
        assert len(set(store.space.keys(store.X))) == len(store)
        for (k, name), told in values.items():
            row, column = int(store.find([[k % 4, k // 4, 0]])[0]), store.objectives.index(name)
            assert store.raw[row, column] == pytest.approx(np.mean(told))
            assert store.repeats[row, column] == len(told)
        assert np.isfinite(store.raw).sum() == len(values)
        assert len(store.to_frame()) == len(store)

    @given(st.lists(STEPS, max_size=25))
    @settings(max_examples=15, deadline=None)
    def test_is_the_same_in_memory_and_in_a_file_that_is_opened_again(self, tmp_path_factory, steps):
        path = tmp_path_factory.mktemp("store") / "evaluations.sqlite"
        memory, file = Store(toy(), ("error", "latency")), SQLiteStore(path, toy(), ("error", "latency"))
        for i, step in enumerate(steps):
            happen(memory, step, float(i))
            happen(file, step, float(i))
        file.close()
        again = SQLiteStore(path, toy(), ("error", "latency"))
        for store in (file, again):
            frames = [one.to_frame().drop(columns="when") for one in (memory, store)]
            assert frames[0].equals(frames[1])
            assert store.n_evaluations == memory.n_evaluations
            assert (store.waiting == memory.waiting).all()
            assert (store.free == memory.free).all()
        again.close()


class TestStore:
    @pytest.mark.parametrize("objectives", [(), ("a", "a"), "error"])
    def test_objectives_are_distinct_names(self, objectives):
        with pytest.raises(InputError, match="expected distinct objectives, at least one"):
            Store(toy(), objectives)

    def test_of_thousands_is_quick(self):
        space = toy(8)
        X = space.sample(5_000, 0)
        store = Store(space, ("error", "latency"))
        start = time.perf_counter()
        store.add(X, np.ones((5_000, 2)))
        for x in X[:1000]:
            store.find(x[None])
        for row in range(1000):
            store.tell(row, {"error": 1.0})
        store.to_frame()
        repr(store)
        assert time.perf_counter() - start < 10.0

    def test_further_objectives(self):
        store = Store(toy(), ("error",))
        store.add([[0, 0, 0]], [[1.0]])
        store.add_objectives(["error", "latency", "energy"])
        assert store.objectives == ("error", "latency", "energy")
        assert np.isnan(store.raw[0]).tolist() == [False, True, True]
        assert not store.complete[0]
        store.tell(0, {"latency": 2.0, "energy": 3.0})
        assert store.raw.tolist() == [[1.0, 2.0, 3.0]]

    def test_says_what_it_holds(self):
        store = Store(toy(), ("error",))
        assert repr(store) == "<Store of 'toy': empty>"
        store.add([[0, 0, 0], [1, 0, 0]], [[1.0], [2.0]])
        store.ask([[2, 0, 0]])
        assert repr(store) == "<Store of 'toy': 2 done, 1 asked>"

    def test_reasons_that_are_the_same_are_told_once(self):
        store = Store(toy(), ("error", "latency"))
        store.ask([[0, 0, 0], [1, 0, 0]])
        store.tell(0, {}, {"error": "out of memory", "latency": "out of memory"})
        store.tell(1, {}, {"error": "diverged", "latency": "board is away"})
        assert [store.reason(0), store.reason(1)] == ["out of memory", "error: diverged; latency: board is away"]

    def test_columns_of_its_own_give_way_to_genes_and_objectives(self):
        space = GridSpace("s", [Gene("state", (1, 2)), Gene("who", (3, 4))])
        store = Store(space, ("seconds", "reason"))
        store.add([[0, 1]], [[1.0, 2.0]])
        frame = store.to_frame()
        assert len(set(frame.columns)) == len(frame.columns)
        assert frame[["state", "who", "seconds", "reason"]].values.tolist() == [[1, 4, 1.0, 2.0]]
        assert frame["state_"].tolist() == ["done"]
        assert own_name("a", ["a", "a_"]) == "a__"

    def test_a_frame_keeps_choices_as_they_are(self):
        space = GridSpace("s", [Gene("n", (1, 2)), Gene("x", (0.5, 1)), Gene("t", ("a", None, True))])
        store = Store(space, ("error",))
        store.ask([[0, 1, 0], [1, 0, 1], [1, 0, 2]])
        frame = store.to_frame()
        assert frame["n"].tolist() == [1, 2, 2]
        assert frame["t"].tolist() == ["a", None, True]
        assert frame["x"].tolist() == [1, 0.5, 0.5]


class TestProblemsWithAStore:
    def test_of_another_space_is_refused(self):
        with pytest.raises(InputError, match="store: expected one of the space 'toy'"):
            ArchitectureProblem(toy(), measure=measure, store=Store(toy(4), ("error", "latency")))

    def test_of_other_objectives_is_refused(self):
        with pytest.raises(InputError, match=r"store: expected objectives \['error', 'latency'\], got \['error'\]"):
            ArchitectureProblem(toy(), measure=measure, store=Store(toy(), ("error",)))

    def test_nothing_is_measured_twice(self):
        calls = []
        problem = ArchitectureProblem(toy(), measure=lambda a: calls.append(a) or measure(a))
        X = toy().sample(10, 0)
        first = problem.evaluate(np.vstack([X, X[:3]]))
        assert (problem.evaluate(X) == first[:10]).all()
        assert len(calls) == problem.n_evaluations == 10

    @pytest.mark.parametrize("how", [copy.deepcopy, lambda problem: pickle.loads(pickle.dumps(problem))])
    def test_copies_have_memories_of_their_own(self, how):
        problem = ArchitectureProblem(toy(), measure=measure, constraints=["error <= 9"])
        X = toy().sample(10, 0)
        F = problem.evaluate(X[:5], return_values_of=["F"])
        other = how(problem)
        assert other.n_evaluations == 5
        assert (other.evaluate(X, return_values_of=["F"])[:5] == F).all()
        assert (problem.n_evaluations, other.n_evaluations) == (5, 10)

    def test_a_lambda_is_copied_and_refused_by_pickle_with_a_reason(self):
        problem = ArchitectureProblem(toy(), measure=lambda a: measure(a))
        assert copy.deepcopy(problem).evaluate([[0, 0, 0]]).tolist() == [[3.0, 27.0]]
        with pytest.raises(InputError, match=r"measure '.*<lambda>': it cannot be sent .*; define it at the top level"):
            pickle.dumps(problem)

    def test_a_file_serves_a_problem_as_memory_does(self, tmp_path):
        runs = []
        for k in range(2):
            file = SQLiteStore(tmp_path / f"{k}.sqlite", toy(4), ("error", "latency"))
            for store in (None, file):
                problem = ArchitectureProblem(toy(4), measure=measure, store=store)
                minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=1, save_history=k == 1)
                runs.append(problem.store.X)
            file.close()
        assert all((run == runs[0]).all() for run in runs)
        assert len(runs[0]) == 30


RIVALS = {
    "plain": lambda problem: (NSGA2(pop_size=10), {}),
    "billed": lambda problem: (NSGA2(pop_size=10), {"evaluator": BillingEvaluator()}),
    "operators": lambda problem: (NSGA2(pop_size=10, **genotype_operators(problem)), {}),
    "both": lambda problem: (
        NSGA2(pop_size=10, **genotype_operators(problem)),
        {"evaluator": BillingEvaluator()},
    ),
    "rapid": lambda problem: (RAPID(specs=[RIDGE] * problem.n_obj), {}),
}


class TestTwoRunsOnOneProblem:
    """A run is neither helped nor hindered by another one on the same problem object."""

    @pytest.mark.parametrize("rival", RIVALS)
    @pytest.mark.parametrize("first", ["rapid", "both"])
    def test_the_second_is_the_very_run_of_it_alone(self, first, rival):
        def run(problem, name, seed):
            algorithm, options = RIVALS[name](problem)
            return minimize(problem, algorithm, ("n_eval", 60), seed=seed, **options)

        shared = ArchitectureProblem(toy(4), measure=measure)
        run(shared, first, 7)
        after, alone = run(shared, rival, 1), run(ArchitectureProblem(toy(4), measure=measure), rival, 1)
        assert np.array_equal(after.pop.get("X"), alone.pop.get("X"))
        assert np.array_equal(after.pop.get("F"), alone.pop.get("F"))
        assert after.algorithm.evaluator.n_eval == alone.algorithm.evaluator.n_eval
        assert after.algorithm.n_iter == alone.algorithm.n_iter

    def test_the_second_bill_is_its_own(self):
        problem = get_problem("digits")
        bills = []
        for seed in (1, 2):
            evaluator = BillingEvaluator()
            algorithm = NSGA2(pop_size=10, **genotype_operators(problem))
            minimize(problem, algorithm, ("n_eval", 50), seed=seed, evaluator=evaluator)
            bills.append(evaluator.bill)
            assert 50 <= len(evaluator.bill) == evaluator.n_eval < 60
        together = set(bills[0].rows.tolist()) | set(bills[1].rows.tolist())
        assert problem.n_evaluations == len(together)

    def test_imports_teach_both_and_cost_neither(self):
        problem = ArchitectureProblem(toy(4), measure=measure)
        X = toy(4).sample(20, 3)
        problem.store.add(X, [list(measure(problem.space.to_dict(x)).values()) for x in X])
        for seed in (1, 2):
            algorithm = minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 10), seed=seed).algorithm
            assert len(algorithm.bill) == 10
            assert len(algorithm.pop) == 30
        assert problem.n_evaluations <= 20


class Mixed(ElementwiseProblem):
    def __init__(self):
        super().__init__(vars={"op": Choice(options=["a", "b"]), "depth": Integer(bounds=(1, 4))}, n_obj=2)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = [x["depth"], -x["depth"] * (1 + (x["op"] == "a"))]


class Plain(ElementwiseProblem):
    def __init__(self):
        super().__init__(n_var=2, n_obj=2, xl=0, xu=3, vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = [x.sum(), -x[0]]


class TestBillingOfForeignProblems:
    def test_equal_variables_are_billed_once(self):
        evaluator = BillingEvaluator()
        pop = Population.new("X", np.array([[0, 1], [2, 3], [0, 1]]))
        evaluator.eval(Plain(), pop)
        evaluator.eval(Plain(), Population.new("X", np.array([[0.0, 1.0], [1.0, 1.0]])))
        assert evaluator.n_eval == 3

    def test_mixed_variables(self):
        evaluator = BillingEvaluator()
        items = np.array([{"op": "a", "depth": 1}, {"depth": 1, "op": "a"}, {"op": "b", "depth": 1}], dtype=object)
        evaluator.eval(Mixed(), Population.new("X", items))
        assert evaluator.n_eval == 2

    @pytest.mark.parametrize("problem", [Plain(), get_problem("digits")], ids=["foreign", "ours"])
    def test_one_individual_and_none(self, problem):
        evaluator = BillingEvaluator()
        pop = Population.new("X", np.zeros((1, problem.n_var), dtype=int))
        assert evaluator.eval(problem, pop[0]) is pop[0]
        assert evaluator.n_eval == 1
        evaluator.eval(problem, pop)
        evaluator.eval(problem, Population.empty())
        assert evaluator.n_eval == 1

    def test_a_run_ends(self):
        evaluator = BillingEvaluator(patience=3)
        result = minimize(Plain(), NSGA2(pop_size=8), ("n_eval", 40), seed=1, evaluator=evaluator)
        assert evaluator.n_eval >= 40
        assert result.F is not None

    def test_evaluated_individuals_are_not_evaluated_again(self):
        pop = Population.new("X", np.array([[0, 1], [2, 3]]))
        Evaluator().eval(Plain(), pop)
        pop[0].F = np.array([-5.0, -5.0])
        BillingEvaluator().eval(Plain(), pop)
        assert pop[0].F.tolist() == [-5.0, -5.0]
