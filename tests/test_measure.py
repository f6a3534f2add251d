"""Measures in every form, what they return, what they raise, and who calls them."""

from __future__ import annotations

import json
import pickle
import sys
import threading
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import LoopedElementwiseEvaluation
from pymoo.optimize import minimize
from pymoo.parallelization.starmap import StarmapParallelization

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective, PredictorSpec
from rapid_moo.errors import InputError, MeasureError, RapidMooError
from rapid_moo.measure import (
    Attempt,
    Command,
    Guard,
    Outcome,
    as_attempts,
    as_number,
    parse_output,
    read_result,
    shortened,
)

RIDGE = PredictorSpec("bayesian_ridge")
OBJECTIVES = (Objective("error", "min", "%"), Objective("latency", "min", "ms"), Objective("params", "min"))


def space():
    genes = [Gene("depth", (1, 2, 3, 4)), Gene("op", ("conv", "dw conv")), Gene("k", (3, 5), when="op == conv")]
    return GridSpace("net", genes, OBJECTIVES, {OBJECTIVES[2]: lambda a: 10 * a["depth"] * a.get("k", 1)})


def good(architecture):
    return {"error": 10.0 / architecture["depth"], "latency": float(architecture["depth"] * architecture.get("k", 1))}


def problem(measure=good, **options):
    return ArchitectureProblem(space(), measure=measure, **options)


class Tensor:
    """What PyTorch's numbers look like to those who do not know PyTorch."""

    def __init__(self, values):
        self.values = np.asarray(values)

    @property
    def ndim(self):
        return self.values.ndim

    def item(self):
        if self.values.size != 1:
            raise RuntimeError(f"a Tensor with {self.values.size} elements cannot be converted to Scalar")
        return self.values.item()

    def __repr__(self):
        return f"tensor({self.values.tolist()})"


class TestNumbers:
    @pytest.mark.parametrize(
        "value",
        [3, 3.0, np.float32(3), np.float64(3), np.int8(3), np.array(3), np.array(3.0), Tensor(3.0), Tensor(3)],
        ids=repr,
    )
    def test_are_read(self, value):
        assert as_number(value) == 3.0
        assert type(as_number(value)) is float

    @pytest.mark.parametrize(
        "value",
        [
            *(None, "3", b"3", True, np.True_, [3.0], (3.0,), {"a": 3}, 3j, np.array([3.0]), np.array([1.0, 2.0])),
            *(Tensor([1.0, 2.0]), Tensor(True), object(), lambda: 3, np.nan, np.inf, -np.inf, 10**400, Tensor(np.nan)),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_are_nothing_else(self, value):
        with pytest.raises(ValueError, match=r"expected a (finite )?number, got"):
            as_number(value)


class TestResults:
    def test_of_one_objective_may_be_the_number_itself(self):
        assert read_result(3, ["error"]) == ({"error": 3.0}, {})
        assert read_result({"error": 3}, ["error"]) == ({"error": 3.0}, {})

    @pytest.mark.parametrize("result", [None, 3.0, [1.0, 2.0], "error=1", (1.0, 2.0)], ids=repr)
    def test_are_dicts(self, result):
        values, reasons = read_result(result, ["error", "latency"])
        assert values == {}
        assert set(reasons) == {"error", "latency"}
        assert reasons["error"] == f"expected a dict with error, latency, got {result!r}"

    def test_keep_what_is_good(self):
        values, reasons = read_result({"error": 1.5, "latency": None}, ["error", "latency"])
        assert values == {"error": 1.5}
        assert reasons == {"latency": "expected a number, got None"}
        values, reasons = read_result({"latncy": 1.0, "error": float("nan")}, ["error", "latency"])
        assert values == {}
        assert reasons["latency"] == "no value named 'latency' (got latncy, error)"
        assert reasons["error"] == "expected a finite number, got nan"

    def test_may_hold_more(self):
        assert read_result({"error": 1.0, "params": 3}, ["error"], ["params"]) == ({"error": 1.0}, {})
        assert read_result({"error": 1.0, "loss": 3}, ["error"]) == ({"error": 1.0}, {"": "unexpected loss left out"})

    @given(st.recursive(st.none() | st.floats() | st.text() | st.booleans() | st.binary(), st.lists))
    def test_never_raise(self, result):
        values, reasons = read_result({"error": result, "latency": 1}, ["error", "latency"])
        assert values["latency"] == 1.0
        assert ("error" in values) != ("error" in reasons)

    def test_that_raise_when_they_are_looked_at(self):
        class Strange:
            ndim = 0

            def item(self):
                raise RuntimeError("on another device")

        assert read_result({"error": Strange()}, ["error"]) == ({}, {"error": "on another device"})


def test_long_reasons_are_cut_in_the_middle_and_printable():
    text = shortened("a" * 1000 + "\x1b[31m\n" + "b" * 1000, 100)
    assert len(text) <= 103
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert text.isprintable()


class TestForms:
    def test_a_function_gets_the_dict_of_active_genes(self):
        seen = []
        p = problem(lambda a: seen.append(a) or good(a))
        p.evaluate([[1, 1, 0], [0, 0, 1]])
        assert seen == [{"depth": 2, "op": "dw conv"}, {"depth": 1, "op": "conv", "k": 5}]
        assert p.store.raw.tolist() == [[5.0, 2.0, 20.0], [10.0, 5.0, 50.0]]

    def test_a_function_that_changes_its_dict_changes_nothing(self):
        p = problem({"error": lambda a: a.pop("depth"), "latency": lambda a: a["depth"]})
        p.evaluate([[3, 1, 0]])
        assert p.store.raw.tolist() == [[4.0, 4.0, 40.0]]

    def test_functions_by_objective(self):
        p = problem({"error": lambda a: 1, "latency": lambda a: {"latency": Tensor(2.0)}})
        assert p.evaluate([[0, 0, 0]]).tolist() == [[1.0, 2.0, 30.0]]
        p = problem({"error, latency": good})
        assert p.evaluate([[0, 0, 0]]).tolist() == [[10.0, 3.0, 30.0]]
        p = problem({("error", "latency"): good, "params": lambda a: 1 / 0})
        assert p.evaluate([[0, 0, 0]]).tolist() == [[10.0, 3.0, 30.0]]

    def test_an_objective_with_a_comma_in_its_name(self):
        (attempt,) = as_attempts({"latency, p99": lambda a: 3}, ["latency, p99"])
        assert attempt.names == ("latency, p99",)

    def test_what_the_space_computes_is_filled_in_and_never_asked_for(self):
        p = problem(lambda a: {**good(a), "params": 1e9})
        p.evaluate([[1, 0, 0]])
        assert p.store.raw.tolist() == [[5.0, 6.0, 60.0]]
        assert p.store.reason(0) == ""
        old = ArchitectureProblem(space(), lambda X: [[1.0, 2.0, 1e9]])
        old.evaluate([[1, 0, 0]])
        assert old.store.raw.tolist() == [[1.0, 2.0, 60.0]]

    def test_codes_to_a_row_as_ever(self):
        shapes = []
        p = ArchitectureProblem(space(), lambda X: shapes.append(X.shape) or [[1.0, float("nan"), 3.0]])
        p.evaluate([[1, 0, 0]])
        assert shapes == [(1, 3)]
        assert np.array_equal(p.store.raw, [[1.0, np.nan, 60.0]], equal_nan=True)

    @pytest.mark.parametrize(
        ("measure", "message"),
        [
            ({"error": good}, "expected a function for each of error, latency, got error"),
            ({"error": good, "latency": good, "energy": good}, "got error, latency, energy"),
            ({"error": good, "error,latency": good}, "got error, error, latency"),
            ({"error": good, "latency": 3}, "expected a function or a command line, got 3"),
            ({}, "expected a function for each of error, latency"),
            (3, "expected a function or a command line, got 3"),
            ("", "expected a command line, got an empty one"),
            ("python 'half", "expected a command line"),
        ],
    )
    def test_something_else(self, measure, message):
        with pytest.raises(InputError, match=message):
            problem(measure)

    def test_a_source_and_a_measure_or_neither(self):
        for options in ({"source": lambda X: [[1, 2, 3]], "measure": good}, {}):
            with pytest.raises(InputError, match="expected either a source or a measure"):
                ArchitectureProblem(space(), **options)


def script(tmp_path, body):
    path = tmp_path / "measure.py"
    path.write_text(f"import json, sys\na = json.load(sys.stdin)\n{body}\n", encoding="utf-8")
    return f'"{sys.executable}" "{path}"'


class TestCommands:
    def test_get_json_and_print_json(self, tmp_path):
        line = script(tmp_path, "print('epoch 1')\nprint(json.dumps({'error': 1 / a['depth'], 'latency': len(a)}))")
        p = problem(line)
        p.evaluate([[1, 1, 0], [3, 0, 0]])
        assert p.store.raw.tolist() == [[0.5, 2.0, 20.0], [0.25, 3.0, 120.0]]

    def test_say_why_they_failed(self, tmp_path):
        body = "if a['depth'] > 1: raise RuntimeError('out of memory')"
        body += "\nprint(json.dumps({'error': 1, 'latency': float('nan')}))"
        p = problem(script(tmp_path, body), guard=Guard(0, 0))
        p.evaluate([[0, 1, 0], [1, 1, 0]])
        assert p.store.reason(0) == "expected a finite number, got nan"
        assert "exit code 1: RuntimeError: out of memory" in p.store.reason(1)
        assert p.store.raw[0, 0] == 1.0

    def test_that_print_something_else(self, tmp_path):
        p = problem(script(tmp_path, "print('done')"))
        p.evaluate([[0, 1, 0]])
        assert "done (no JSON object on standard output)" in p.store.reason(0)

    def test_that_do_not_read(self):
        p = problem(f'{sys.executable} -c "print(\'{{\\"error\\": 1, \\"latency\\": 2}}\')"')
        assert p.evaluate([[0, 1, 0]]).tolist() == [[1.0, 2.0, 10.0]]

    def test_that_do_not_exist_stop_the_run(self):
        p = problem("no_such_command_anywhere --fast")
        with pytest.raises(MeasureError, match="cannot be run: No such file or directory"):
            p.evaluate(space().sample(10, 0))

    def test_keep_standard_error(self, tmp_path):
        line = script(tmp_path, "print('warning', file=sys.stderr)\nprint('{\"error\": 1}')")
        Command(line, log=str(tmp_path / "log"))({"depth": 1})
        assert (tmp_path / "log" / "stderr.log").read_text() == '--- {"depth": 1}\nwarning\n'

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('{"a": 1}', {"a": 1}),
            ('{\n "a": 1\n}\n', {"a": 1}),
            ('log\n{"a": 1}\n', {"a": 1}),
            ('{"a": 1}\nbye {\n', {"a": 1}),
            ('{"a": 1}\n{"a": 2}', {"a": 2}),
        ],
    )
    def test_output_is_one_object_or_its_last_line(self, text, found):
        assert parse_output(text) == found

    @pytest.mark.parametrize("text", ["", "3", "[1, 2]", "none", "[" * 100_000])
    def test_output_without_an_object(self, text):
        assert "no JSON object" in repr(parse_output(text))


class TestFailures:
    def test_cost_one_evaluation_and_have_a_reason(self):
        def measure(a):
            if a["depth"] == 2:
                raise ValueError("loss is NaN")
            return {"error": None, "latency": 2.0} if a["depth"] == 3 else good(a)

        p = problem(measure)
        F = p.evaluate([[0, 1, 0], [1, 1, 0], [2, 1, 0]])
        assert np.isinf(F[1:]).all()
        assert p.n_evaluations == 3
        assert [p.store.reason(row) for row in range(3)] == [
            "",
            "ValueError: loss is NaN",
            "expected a number, got None",
        ]
        assert p.store.raw[2, 1] == 2.0
        assert [p.store.state(row) for row in range(3)] == ["done", "failed", "partial"]

    def test_of_one_function_leave_the_others(self):
        def board(a):
            raise OSError("board is away")

        p = problem({"error": lambda a: 7.0, "latency": board}, guard=Guard(0, 0))
        p.evaluate(space().sample(6, 0))
        assert (p.store.raw[:, 0] == 7.0).all()
        assert p.store.failed.all()
        assert "OSError: board is away" in p.store.reason(0)

    def test_in_part_are_learnt_from(self):
        def measure(a):
            return {"error": 10.0 / a["depth"], "latency": None if a["op"] == "conv" else 1.0 * a["depth"]}

        p = problem(measure)
        result = minimize(p, RAPID(n_initial=4, specs=[RIDGE, RIDGE, None]), ("n_eval", 10), seed=1)
        assert p.n_evaluations == 10
        assert result.algorithm.success is not None
        assert np.isfinite(result.F).all()
        assert (p.store.repeats[:, 0] == 1).all()

    def test_known_objectives_are_not_measured_again(self):
        calls = []

        def counted(name):
            return lambda a: calls.append(name) or float(a["depth"])

        p = problem({"error": counted("error"), "latency": counted("latency")})
        p.store.add([[1, 1, 0]], [[5.0, np.nan, np.nan]])
        assert p.evaluate([[1, 1, 0]]).tolist() == [[5.0, 2.0, 20.0]]
        assert calls == ["latency"]
        assert p.n_evaluations == 1
        run = StarmapParallelization(lambda f, X: [f(*x) for x in X])
        q = problem({"error": counted("error"), "latency": counted("latency")}, elementwise_runner=run)
        q.store.add([[1, 1, 0]], [[np.nan, 5.0, np.nan]])
        assert q.evaluate([[1, 1, 0]]).tolist() == [[2.0, 5.0, 20.0]]
        assert calls == ["latency", "error"]


def typo(architecture):
    return {"error": modle(architecture), "latency": 1.0}  # noqa: F821  # the mistake that is looked for


class TestGuard:
    @pytest.mark.parametrize("algorithm", [RAPID(specs=[RIDGE, RIDGE, None]), NSGA2(pop_size=12)])
    def test_a_typo_stops_with_the_users_own_traceback(self, algorithm):
        p = problem(typo)
        with pytest.raises(NameError, match="modle") as caught:
            minimize(p, algorithm, ("n_eval", 20), seed=1)
        told = "".join(traceback.format_exception(caught.value))
        assert "in typo" in told
        assert "5 evaluations in a row raised; they are not billed" in told
        assert p.n_evaluations == 0
        assert not p.store.failed.any()

    def test_mended_code_goes_on(self):
        broken = [True]
        p = problem(lambda a: typo(a) if broken else good(a))
        with pytest.raises(NameError):
            minimize(p, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 10), seed=1)
        broken.clear()
        result = minimize(p, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 10), seed=1)
        assert p.n_evaluations == 10
        assert np.isfinite(result.pop.get("F")).all()

    def test_many_in_a_row_that_raise_the_same_stop_a_run_that_began_well(self):
        left = [8]

        def measure(a):
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError(f"disk is full after {-left[0]}")
            return good(a)

        p = problem(measure, guard=Guard(same=3))
        with pytest.raises(RuntimeError, match="disk is full after 3"):
            p.evaluate(space().enumerate())
        assert p.n_evaluations == 8
        assert p.store.complete.sum() == 8
        assert p.store.waiting.tolist() == [8, 9, 10]

    def test_failures_that_are_no_bug_do_not_stop(self):
        def measure(a):
            if a["depth"] > 1:
                raise MemoryError(f"{a['depth']} layers")
            return good(a)

        p = problem(measure)
        p.evaluate(space().enumerate())
        assert p.store.failed.sum() == 9
        p = problem(lambda a: {"error": None, "latency": None})
        p.evaluate(space().enumerate())
        assert p.store.failed.sum() == 12

    def test_different_mistakes_in_a_row_are_counted_apart(self):
        guard = Guard(first=0, same=3)
        marks = ["a", "a", "b", "a", "a"]
        assert all(guard.add(i, Outcome(mark=mark)) == [] for i, mark in enumerate(marks))
        assert guard.add(5, Outcome(mark="a")) == [3, 4, 5]

    @pytest.mark.parametrize("numbers", [(-1, 3), (3, -1)])
    def test_numbers(self, numbers):
        with pytest.raises(InputError, match="guard: expected numbers that are not negative"):
            Guard(*numbers)

    def test_a_fresh_problem_begins_anew(self):
        p = problem(typo)
        with pytest.raises(NameError):
            p.evaluate(space().sample(5, 0))
        q = p.fresh()
        q.evaluate(space().sample(4, 0))
        assert q.store.failed.all()

    def test_with_a_runner_nothing_else_is_lost(self):
        def measure(a):
            if a["op"] == "conv":
                return typo(a)
            return good(a)

        X = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0], [2, 1, 0]])
        with ThreadPool(2) as pool:
            p = problem(measure, elementwise_runner=StarmapParallelization(pool.starmap), guard=Guard(2, 3))
            with pytest.raises(NameError, match="modle"):
                p.evaluate(X)
        assert p.store.complete.tolist() == [True, True, False, False, False, True]
        assert p.n_evaluations == 3


def killed(architecture):
    raise KeyError(architecture["depth"])


class TestRunners:
    def test_threads_of_pymoo(self):
        together = threading.Barrier(4, timeout=30)

        def measure(a):
            together.wait()
            return good(a)

        with ThreadPool(4) as pool:
            p = problem(measure, elementwise_runner=StarmapParallelization(pool.starmap))
            F = p.evaluate(space().enumerate()[:8])
        assert (problem().evaluate(space().enumerate()[:8]) == F).all()
        assert p.n_evaluations == 8

    def test_processes(self):
        with get_context("spawn").Pool(1) as pool:
            run = StarmapParallelization(pool.starmap)
            p = problem(good, elementwise_runner=run)
            assert (p.evaluate(space().enumerate()) == problem().evaluate(space().enumerate())).all()
            q = problem(killed, elementwise_runner=run)
            with pytest.raises(MeasureError, match=r"(?s)5 evaluations.*in killed.*KeyError: 2"):
                q.evaluate(space().enumerate()[:5])

    def test_a_run_is_the_same_with_and_without(self):
        runs = []
        for run in (LoopedElementwiseEvaluation(), StarmapParallelization(lambda f, X: [f(*x) for x in X])):
            p = problem(elementwise_runner=run)
            minimize(p, RAPID(n_initial=4, specs=[RIDGE, RIDGE, None]), ("n_eval", 10), seed=1, save_history=True)
            runs.append(p.store.X)
        assert (runs[0] == runs[1]).all()

    def test_set_afterwards_as_pymoo_allows(self):
        p, seen = problem(), []
        p.elementwise_runner = lambda f, X: [seen.append(x) or f(x) for x in X]
        p.evaluate([[0, 1, 0], [0, 1, 0], [1, 1, 0]])
        assert len(seen) == 2

    def test_that_breaks_loses_nothing_that_was_known(self):
        p = problem()
        p.evaluate([[0, 1, 0]])

        def run(f, X):
            raise ConnectionError("the cluster is away")

        p.elementwise_runner = run
        with pytest.raises(ConnectionError, match="the cluster is away"):
            p.evaluate([[0, 1, 0], [1, 1, 0]])
        assert (p.n_evaluations, p.store.pending.any()) == (1, False)
        p.elementwise_runner = lambda f, X: []
        with pytest.raises(InputError, match="elementwise_runner: expected 1 results, got 0"):
            p.evaluate([[1, 1, 0]])


class TestAttempts:
    def test_can_be_sent_where_their_function_can(self):
        attempt = pickle.loads(pickle.dumps(Attempt(good, ("error", "latency"))))
        assert attempt({"depth": 2}).values == {"error": 5.0, "latency": 2.0}
        with pytest.raises(InputError, match="define it at the top level of a module, or use threads"):
            pickle.dumps(Attempt(lambda a: 1, ("error",)))

    def test_outcomes_travel_without_the_exception(self):
        outcome = pickle.loads(pickle.dumps(Attempt(killed, ("error",))({"depth": 3})))
        assert outcome.error is None
        assert outcome.reasons == {"error": "KeyError: 3"}
        assert "in killed" in outcome.trace
        assert "attempts.py" not in outcome.trace
        assert outcome.mark.startswith("KeyError at ")

    def test_in_a_pool_of_processes(self):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(Attempt(good, ("error", "latency")), {"depth": 2}).result().values["error"] == 5.0

    def test_errors_of_commands_survive_pickling(self):
        outcome = Attempt(Command(f"{sys.executable} -c 'raise SystemExit(3)'"), ("error",))({})
        again = pickle.loads(pickle.dumps(outcome.error))
        assert (again.code, str(again)) == (3, str(outcome.error))
        assert isinstance(again, RapidMooError)
        assert json.dumps(outcome.reasons)
