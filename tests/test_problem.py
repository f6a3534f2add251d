"""ArchitectureProblem: what is evaluated, remembered, billed and judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymoo.core.population import Population

from rapid_moo import (
    ArchitectureProblem,
    ArchitectureTable,
    BillingEvaluator,
    Gene,
    GridSpace,
    Objective,
    PredictorSet,
    PredictorSpec,
    adrs,
    get_problem,
)
from rapid_moo.bill import Bill
from rapid_moo.errors import InputError
from rapid_moo.evaluator import _variables
from rapid_moo.measure import Attempt, Outcome, together
from rapid_moo.pareto import front_points
from rapid_moo.sources import CallAll, TableSource
from rapid_moo.store import Store

GOALS = (Objective("acc", "max"), Objective("lat", "min"))
SPACE = GridSpace("grid", [Gene("a", (0, 1, 2, 3)), Gene("b", (0, 1, 2))], GOALS)
X = SPACE.enumerate()


def values(codes):
    codes = np.atleast_2d(codes)
    return np.column_stack([codes.sum(axis=1), codes[:, 0] * 2 + codes[:, 1]]).astype(float)


@pytest.fixture
def table():
    """Eight of twelve architectures, two of them of the same values."""
    raw = values(X)
    raw[2] = raw[3]
    rows = [0, 1, 2, 3, 5, 7, 9, 11]
    return ArchitectureTable.build(SPACE, GOALS, X[rows], raw[rows], name="eight")


class TestOpen:
    def test_a_table_is_a_problem_as_it_is(self, table):
        problem = get_problem(table, constraints="lat <= 6")
        assert problem.table is table
        assert problem.n_ieq_constr == 1

    @pytest.mark.parametrize(
        "beside", [{"objectives": "acc:max"}, {"space": SPACE}, {"energy": True}, {"genes": ["a"]}, {"device": "a100"}]
    )
    def test_nothing_is_stated_beside_a_table(self, table, beside):
        with pytest.raises(InputError, match=f"^{next(iter(beside))}: expected nothing beside"):
            get_problem(table, **beside)

    @pytest.mark.parametrize("told", [GridSpace, "digits", None])
    def test_what_is_no_space_is_refused(self, told):
        with pytest.raises(InputError, match="expected a SearchSpace"):
            ArchitectureProblem(told)

    def test_a_table_in_place_of_its_space_is_refused(self, table):
        with pytest.raises(InputError, match="get_problem opens tables"):
            ArchitectureProblem(table)


class TestEvaluation:
    def test_fractions_are_rounded_and_what_is_evaluated_is_written_back(self, table):
        problem = ArchitectureProblem(SPACE, table)
        out = problem.evaluate(np.array([[0.4, 0.6], [1.6, 1.7]]), return_as_dictionary=True)
        assert out["X"][0].tolist() == [0, 1]
        assert (table.find(out["X"]) >= 0).all()
        assert (out["F"] == table.F[table.find(out["X"])]).all()
        predicted = problem.with_source(Twice())
        assert "X" not in predicted.evaluate(np.array([[0.4, 0.6]]), return_as_dictionary=True)

    def test_a_row_that_lacks_a_value_is_infinite_in_all_objectives(self):
        problem = ArchitectureProblem(SPACE, lambda x: [1.0, 2.0])
        found = problem.minimised(np.array([[1.0, 2.0], [np.nan, 2.0], [1.0, np.nan]]))
        assert found.tolist() == [[-1.0, 2.0], [np.inf, np.inf], [np.inf, np.inf]]

    def test_predictions_are_neither_remembered_nor_billed(self, table):
        problem = ArchitectureProblem(SPACE, Twice(), table=table)
        F = problem.evaluate(X)
        assert (values(X) * [-2.0, 2.0] == F).all()
        assert (problem.n_evaluations, len(problem.store)) == (0, 0)

    def test_the_same_architecture_twice_in_a_population_is_measured_once(self):
        calls = []
        problem = ArchitectureProblem(SPACE, lambda x: calls.append(x) or [1.0, 2.0])
        F = problem.evaluate(np.vstack([X[:3], X[:2]]))
        assert (len(calls), problem.n_evaluations, F.shape) == (3, 3, (5, 2))
        problem.evaluate(X[:4])
        assert len(calls) == 4

    def test_parts_of_a_table_are_looked_up_apart_and_billed_once(self, table):
        goals = (Objective("acc", "max", cost=3.0), Objective("lat", "min", cost=1.0))
        stated = ArchitectureTable.build(SPACE, goals, table.X, table.raw)
        problem = ArchitectureProblem(SPACE, stated)
        raw = problem.evaluate_parts(table.X[:2], np.array([[True, False], [False, True]]))
        assert np.isnan(raw).tolist() == [[False, True], [True, False]]
        assert problem.cost() == 4.0
        assert problem.parts == ((0,), (1,))
        problem.evaluate(table.X[:2])
        assert problem.cost() == 8.0

    def test_a_table_stands_for_each_repeat(self, table):
        goals = (Objective("acc", "max", cost=2.0, repeats=3), Objective("lat", "min", cost=1.0))
        stated = ArchitectureTable.build(SPACE, goals, table.X, table.raw)
        problem = ArchitectureProblem(SPACE, stated)
        problem.evaluate(table.X[:1])
        assert problem.store.repeats_of(0).tolist() == [3, 1]
        assert problem.evaluation_prices.tolist() == [6.0, 1.0]
        assert problem.cost() == 7.0
        assert (problem.store.raw == table.raw[:1]).all()
        assert problem.n_evaluations == 1
        # The last one completes it: nothing is waited for.
        assert problem.store.state(0) == "done"
        assert not problem.store.pending.any()


class Twice:
    """Predictors of twice the truth."""

    objectives = GOALS
    space = SPACE

    def predict(self, codes):
        return 2.0 * values(codes)


class TestMeasures:
    def test_several_functions_are_one_call(self):
        def came(seconds, **found):
            return Outcome(found.get("values", {}), found.get("reasons", {}), seconds, *found.get("raised", ()))

        several = [
            came(1.0, values={"acc": 1.0}),
            came(2.0, reasons={"lat": "too slow"}, raised=("trace", "mark")),
            came(4.0, values={"size": 3.0}, raised=("other", "later")),
        ]
        found = together(several)
        assert found.values == {"acc": 1.0, "size": 3.0}
        assert found.reasons == {"lat": "too slow"}
        assert found.seconds == 7.0
        assert (found.trace, found.mark) == ("trace", "mark")
        assert together(several[:1]).mark == Outcome().mark

    def test_only_what_is_needed_is_called(self):
        called = []
        attempts = tuple(
            Attempt(lambda a, n=name: called.append(n) or {n: float(a["a"])}, [name]) for name in ("acc", "lat")
        )
        (found,) = CallAll(attempts)(({"a": 2, "b": 0}, [(1, 1)], None))
        assert called == ["lat"]
        assert found.values == {"lat": 2.0}

    def test_each_is_called_as_often_as_it_is_to_be(self):
        called = []
        attempts = tuple(
            Attempt(lambda a, n=name: called.append(n) or {n: float(len(called))}, [name]) for name in ("acc", "lat")
        )
        found = CallAll(attempts)(({"a": 2, "b": 0}, [(0, 1), (1, 3)], None))
        assert called == ["acc", "lat", "lat", "lat"]
        assert [outcome.values for outcome in found] == [{"acc": 1.0, "lat": 2.0}, {"lat": 3.0}, {"lat": 4.0}]

    def test_what_a_measure_needs_is_what_is_not_settled(self):
        measure = {"acc": lambda a: 1.0, "lat": lambda a: 2.0}
        problem = ArchitectureProblem(SPACE, measure=measure)
        source = problem.source
        assert source.needed([]) == (0, 1)
        assert source.needed(["acc"]) == (1,)
        assert source.needed(["acc", "lat"]) == ()
        assert problem.parts == ((0,), (1,))
        with pytest.raises(InputError, match="grid: a measure is evaluated through its problem"):
            source.values(X)
        both = ArchitectureProblem(SPACE, measure=lambda a: {"acc": 1.0, "lat": 2.0})
        assert both.parts == ((0, 1),)

    @pytest.mark.parametrize("runner", [None, lambda call, work: [call(item) for item in work]])
    def test_a_stated_number_of_repeats_is_measured_and_billed(self, runner):
        """Whoever calls: in a loop or by a runner, the mean counts."""
        values = iter(range(100))
        measure = {"acc": lambda a: 50.0 + a["a"], "lat": lambda a: float(next(values))}
        objectives = [Objective("acc", "max", cost=10.0), Objective("lat", "min", cost=1.0, repeats=3)]
        problem = ArchitectureProblem(SPACE, measure=measure, objectives=objectives, elementwise_runner=runner)
        problem.evaluate(X[:2])
        assert problem.store.repeats.tolist() == [[1, 3], [1, 3]]
        assert problem.store.raw[:, 1].tolist() == [1.0, 4.0]
        assert (problem.store.paid @ problem.prices).tolist() == [13.0, 13.0]
        assert problem.evaluation_prices.sum() == 13.0

    def test_a_repeat_that_fails_leaves_what_was_measured(self):
        values = iter([1.0, None, 3.0])
        objectives = [Objective("acc", "max"), Objective("lat", "min", repeats=3)]
        measure = {"acc": lambda a: 50.0, "lat": lambda a: next(values)}
        problem = ArchitectureProblem(SPACE, measure=measure, objectives=objectives)
        problem.evaluate(X[:1])
        assert problem.store.raw.tolist() == [[50.0, 2.0]]
        assert problem.store.repeats.tolist() == [[1, 2]]
        assert problem.store.paid.tolist() == [[1, 3]]

    def test_a_runner_that_loses_results_is_refused_and_nothing_waits(self):
        problem = ArchitectureProblem(SPACE, lambda x: [1.0, 2.0], elementwise_runner=lambda call, work: [])
        with pytest.raises(InputError, match="elementwise_runner: expected 3 results, got 0"):
            problem.evaluate(X[:3])
        assert not problem.store.pending.any()

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, RuntimeError])
    @pytest.mark.parametrize("in_a_loop", [True, False])
    def test_whatever_ends_a_call_is_raised_and_nothing_waits(self, in_a_loop, stop, monkeypatch):
        def ended(*args):
            raise stop("enough")

        if in_a_loop:
            monkeypatch.setattr(CallAll, "__call__", ended)
        runner = None if in_a_loop else ended
        problem = ArchitectureProblem(SPACE, lambda x: [1.0, 2.0], elementwise_runner=runner)
        with pytest.raises(stop, match="enough"):
            problem.evaluate(X[:3])
        assert not problem.store.pending.any()
        assert problem.n_evaluations == 0

    def test_what_is_computed_is_filled_in_where_it_is_unknown(self):
        problem = get_problem("digits", source=lambda x: [90.0, 1.0, 2.0])
        space = problem.space
        row = int(problem.store.ask(space.sample(1, 0))[0])
        assert problem.computed_values(row) == {"memory": float(space.compute(problem.store.X[[row]], "memory")[0])}
        problem.record(row, Outcome({"accuracy": 90.0, "latency": 1.0}, {}, 0.5))
        assert problem.computed_values(row) == {}
        assert problem.store.complete[row]
        assert get_problem("digits").parts == ((0,), (1,))
        assert ArchitectureProblem(SPACE, lambda x: [1.0, 2.0]).computed_values(0) == {}


class TestTruth:
    def test_the_set_belongs_to_the_front_and_ties_go_to_the_earlier_row(self, table):
        problem = ArchitectureProblem(SPACE, table)
        front, members = problem.pareto_front(), problem.pareto_set()
        assert (front == front_points(table.F)).all()
        rows = table.find(members)
        assert (table.F[rows] == front).all()
        for row in rows:
            assert row == np.flatnonzero((table.F[row] == table.F).all(axis=1))[0]

    def test_bounds_cut_the_front(self, table):
        problem = ArchitectureProblem(SPACE, table, constraints="lat <= 4")
        met = table.raw[:, 1] <= 4
        assert 0 < met.sum() < len(met)
        assert (problem.pareto_front() == front_points(table.F[met])).all()
        assert (problem.pareto_set()[:, 0] * 2 + problem.pareto_set()[:, 1] <= 4).all()

    def test_where_the_table_meets_no_bound_the_front_is_empty(self, table):
        problem = ArchitectureProblem(
            SPACE, measure=lambda a: {"acc": 1.0, "lat": 2.0}, table=table, constraints="lat < 0"
        )
        assert problem.reference_front().shape == (0, 2)
        assert problem.pareto_set().shape == (0, 2)

    def test_without_a_table_there_is_none(self):
        problem = ArchitectureProblem(SPACE, lambda x: [1.0, 2.0])
        assert (problem.front_kind, problem.reference_front(), problem.pareto_set()) == ("unknown", None, None)
        with pytest.raises(InputError, match="grid: expected a problem with a table, whose front judges"):
            problem.adrs()

    @pytest.mark.parametrize("constraints", [(), "lat <= 4"])
    def test_adrs_is_of_what_was_evaluated_succeeded_and_is_feasible(self, table, constraints):
        def measure(architecture):
            if architecture["a"] == 1:
                raise RuntimeError("out of memory")
            return dict(zip(("acc", "lat"), values([[architecture["a"], architecture["b"]]])[0], strict=True))

        problem = ArchitectureProblem(SPACE, measure=measure, table=table, constraints=constraints)
        problem.evaluate(X[2:9])
        done = problem.store.raw
        good = np.isfinite(done).all(axis=1) & ((done[:, 1] <= 4) | (constraints == ()))
        assert 0 < good.sum() < len(done)
        expected = adrs(done[good] * [-1.0, 1.0], reference=problem.reference_front())
        assert problem.adrs() == pytest.approx(expected)
        bill = Bill(problem.store)
        bill.add(np.flatnonzero(good)[:1])
        first = adrs(done[good][:1] * [-1.0, 1.0], reference=problem.reference_front())
        assert problem.adrs(bill) == pytest.approx(first)

    def test_what_the_table_knows_in_part_is_learnt_from_and_its_gaps_are_failures(self):
        raw = values(X[:6])
        raw[4, 0] = raw[5, 1] = np.nan
        whole = ArchitectureTable.build(SPACE, GOALS, X[:4], raw[:4])
        problem = ArchitectureProblem(SPACE, replace(whole, partial=(X[4:6], raw[4:6])))
        assert (len(problem.store), problem.n_evaluations) == (2, 0)
        assert problem.store.free.all()
        assert problem.store.failed.all()
        assert problem.store.raw == pytest.approx(raw[4:6], nan_ok=True)
        assert "missing in the table" in problem.store.reason(0)


class TestCopies:
    def test_fresh_has_an_empty_store_and_a_guard_of_its_own(self):
        problem = ArchitectureProblem(SPACE, measure=lambda a: {"acc": 1.0, "lat": 2.0})
        problem.evaluate(X[:3])
        other = problem.fresh()
        assert (len(problem.store), len(other.store)) == (3, 0)
        assert other.source.guard is not problem.source.guard
        guards = [(p.source.guard.first, p.source.guard.same) for p in (problem, other)]
        assert guards[0] == guards[1]
        other.evaluate(X[:2])
        assert (problem.n_evaluations, other.n_evaluations) == (3, 2)

    def test_another_source_keeps_table_bounds_and_name(self, table):
        problem = ArchitectureProblem(SPACE, table, constraints="lat <= 4", name="mine")
        other = problem.with_source(Twice())
        assert (other.name(), other.table, other.objectives) == ("mine", table, problem.objectives)
        assert [str(bound) for bound in other.constraints] == [str(bound) for bound in problem.constraints]
        assert problem.name() == "mine"
        assert ArchitectureProblem(SPACE, table).name() == "eight"
        assert ArchitectureProblem(SPACE, Twice()).name() == "grid"

    def test_a_store_of_something_else_is_refused(self, table):
        other = GridSpace("other", [Gene("a", (0, 1))], GOALS)
        with pytest.raises(InputError, match=r"store: expected objectives \['acc', 'lat'\], got \['lat', 'acc'\]"):
            ArchitectureProblem(SPACE, table, store=Store(SPACE, ["lat", "acc"]))
        with pytest.raises(InputError, match="store: expected one of the space 'grid', got one of 'other'"):
            ArchitectureProblem(SPACE, table, store=Store(other, ["acc", "lat"]))
        mine = Store(SPACE, ["acc", "lat"])
        assert ArchitectureProblem(SPACE, table, store=mine).store is mine

    def test_it_says_what_it_is(self, table):
        problem = ArchitectureProblem(SPACE, table, constraints="lat <= 4")
        problem.evaluate(table.X[:3])
        text = repr(problem)
        for part in ("Problem eight", "grid of 12 architectures", "a table", "evaluations 3", "lat <= 4"):
            assert part in text
        assert f"reference front {len(table.front)} points" in text
        assert "constraints" not in repr(ArchitectureProblem(SPACE, table))
        assert "a measure" in repr(ArchitectureProblem(SPACE, lambda x: [1.0, 2.0]))
        assert "front" not in repr(ArchitectureProblem(SPACE, lambda x: [1.0, 2.0]))
        assert "predictors" in repr(problem.with_source(Twice()))

    @pytest.mark.parametrize("source", [3, "table", [1.0]])
    def test_something_that_is_no_source_is_named(self, source):
        with pytest.raises(InputError, match=f"source: expected .*, got {type(source).__name__}"):
            ArchitectureProblem(SPACE, source)

    def test_a_measure_needs_objectives(self):
        bare = GridSpace("bare", [Gene("a", (0, 1))])
        with pytest.raises(InputError, match="bare: expected objectives for the measure's values, got none"):
            ArchitectureProblem(bare, lambda x: [1.0])
        assert ArchitectureProblem(bare, lambda x: [1.0], GOALS[1:]).evaluate(bare.enumerate()).tolist() == [[1.0]] * 2


class TestBilling:
    def test_repeats_are_free_for_as_many_generations_as_there_is_patience(self):
        problem = ArchitectureProblem(SPACE, lambda x: [1.0, 2.0])
        evaluator = BillingEvaluator(patience=2)
        bills = []
        for rows in ([0, 1, 2], [0, 1, 2], [2], [0, 1], [3, 0], [0], [0], [0, 1, 2]):
            evaluator.eval(problem, Population.new("X", X[rows]))
            bills.append(evaluator.n_eval)
        assert bills == [3, 3, 3, 5, 6, 6, 6, 9]
        assert BillingEvaluator().patience == 100

    def test_predictions_are_counted_as_well(self):
        problem = ArchitectureProblem(SPACE, Twice())
        evaluator = BillingEvaluator()
        for rows in ([0, 1, 2], [2, 3]):
            evaluator.eval(problem, Population.new("X", X[rows]))
        assert evaluator.n_eval == 4
        assert len(problem.store) == 0

    def test_another_problem_is_billed_anew(self):
        first, second = (ArchitectureProblem(SPACE, lambda x: [1.0, 2.0]) for _ in range(2))
        evaluator = BillingEvaluator()
        for problem in (first, second):
            evaluator.eval(problem, Population.new("X", X[:3]))
        assert evaluator.n_eval == 6
        assert evaluator.bill.store is second.store

    def test_equal_variables_read_the_same(self):
        assert _variables(np.array([1, 2]), int) == _variables(np.array([1.0, 2.0]), float)
        assert _variables(np.array([1.2, 1.8]), int) == _variables(np.array([1, 2]), int)
        assert _variables(np.array([1.2, 1.8]), float) != _variables(np.array([1, 2]), float)
        assert _variables(np.array([True]), bool) == _variables(np.array([1.0]), bool)
        assert _variables({"a": 1, "b": 2}, None) == _variables({"b": 2, "a": 1}, None)
        assert _variables({"a": 1, "b": 2}, None) != _variables({"a": 2, "b": 1}, None)
        assert _variables(np.array(["x", "y"]), None) != _variables(np.array(["y", "x"]), None)
        assert _variables(3, int) == _variables(np.array([3]), int)


def test_a_column_of_a_table_is_of_what_genotypes_stand_for(table):
    source = TableSource(table)
    column = np.arange(8.0)
    asked = X[[0, 4, 11]]
    members = source.resolve(asked)
    assert (table.find(members) >= 0).all()
    assert (members[[0, 2]] == asked[[0, 2]]).all()
    assert source.column(column, asked).tolist() == column[table.find(members)].tolist()
    assert (source.resolve(asked[::-1]) == members[::-1]).all()
    # The nearest one, by the weighted distance.
    assert (SPACE.distance(asked, members).diagonal() == SPACE.distance(asked, table.X).min(axis=1)).all()


def test_predictors_of_the_space_are_a_source():
    digits = get_problem("digits")
    predictors = PredictorSet(digits.space, digits.objectives, [PredictorSpec("bayesian_ridge")] * 2 + [None])
    predictors.fit(digits.table.sample(40, seed=0))
    problem = ArchitectureProblem(digits.space, predictors)
    codes = digits.table.X[:5]
    assert problem.evaluate(codes) == pytest.approx(predictors.predict(codes) * [-1.0, 1.0, 1.0])
    assert problem.objectives == digits.objectives
