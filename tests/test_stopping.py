"""Trainings that report on their way and are stopped: the rule, the reports, and runs in this process."""

from __future__ import annotations

import pickle
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.optimize import minimize
from pymoo.parallelization.starmap import StarmapParallelization

import rapid_moo
from rapid_moo import RAPID, ArchitectureProblem, CostBudget, Gene, GridSpace, Objective, PredictorSpec
from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.learning import foreseen
from rapid_moo.measure import Attempt, Reports, measure_times, wants_reports
from rapid_moo.sources import CallAll
from rapid_moo.stopping import FEWEST, Extrapolation, allowed, extrapolated, optimistic, planned, rungs
from rapid_moo.view import SpaceView

STEPS = 20
GOALS = (Objective("accuracy", "max", "%", cost=1.0), Objective("latency", "min", "ms", cost=0.01))
SPECS = [PredictorSpec("bayesian_ridge"), PredictorSpec("bayesian_ridge")]
NAMES = ("error", "latency")


def space():
    return GridSpace("net", [Gene(f"g{k}", (0, 1, 2, 3, 4, 5)) for k in range(3)], GOALS)


def final(architecture):
    """Accuracy; that of the genes and a little that no gene tells."""
    a, b, c = architecture.values()
    return 60.0 + 4.0 * a + 2.0 * b - c + np.sin(7.0 * a + 3.0 * b + 11.0 * c)


def train(architecture, report):
    """A curve that comes nearer to its end by a rate of its own."""
    end, rate = final(architecture), 0.3 + 0.02 * architecture["g2"]
    for step in range(1, STEPS + 1):
        value = end - 30.0 * np.exp(-rate * step)
        if report(step, {"accuracy": value}, of=STEPS):
            return {}
    return {"accuracy": end}


def time_it(architecture):
    a, b, c = architecture.values()
    return {"latency": 1.0 + 3.0 * a + b + 2.0 * c}


def problem(measure=train, **options):
    return ArchitectureProblem(space(), measure={"accuracy": measure, "latency": time_it}, objectives=GOALS, **options)


def run(cost=60.0, seed=1, measure=train, elementwise_runner=None, **options):
    found = problem(measure, elementwise_runner=elementwise_runner)
    algorithm = RAPID(specs=SPECS, **options)
    return minimize(found, algorithm, CostBudget(cost), seed=seed, copy_algorithm=False), found


class TestRule:
    def test_a_point_is_allowed_as_long_as_nobody_who_is_as_good_elsewhere_is_better(self):
        front = np.array([[1.0, 9.0], [3.0, 5.0], [6.0, 2.0]])
        assert allowed(front, np.array([np.nan, 8.0]), 0) == 3.0
        assert allowed(front, np.array([np.nan, 9.0]), 0) == 1.0
        assert allowed(front, np.array([np.nan, 1.9]), 0) == np.inf
        assert allowed(front, np.array([4.0, np.nan]), 1) == 5.0
        assert allowed(front[:0], np.array([4.0, np.nan]), 1) == np.inf

    @given(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8),
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
        st.integers(0, 2),
    )
    def test_beyond_what_is_allowed_a_point_is_dominated_and_below_it_is_not(self, front, point, k):
        known, x = np.array(front, dtype=float), np.array(point, dtype=float)
        bound = allowed(known, x, k)
        for value in np.arange(-0.5, 6.0, 0.5):
            x[k] = value
            dominated = ((known <= x).all(axis=1) & (known[:, k] < value)).any()
            assert dominated == (value > bound)

    def test_optimistic_is_the_stated_quantile(self):
        assert optimistic(np.array([5.0]), np.array([2.0]), 0.975)[0] == pytest.approx(5.0 - 2.0 * 1.959964, abs=1e-5)

    def test_rungs_are_steps_of_enough_curves_and_far_apart(self):
        whole = tuple((s, 1.0) for s in range(1, 31))
        assert rungs([whole] * FEWEST) == [1, 2, 3, 4, 6, 8, 11, 14, 18, 23, 29]
        assert rungs([whole] * (FEWEST - 1)) == []
        odd = tuple((s, 1.0) for s in (7, 15, 30))
        assert rungs([odd] * FEWEST + [whole]) == [7, 15]

    def test_a_regression_is_least_squares_with_its_prediction_interval(self):
        rng = np.random.default_rng(3)
        features = rng.normal(size=(FEWEST, 2))
        target = features @ [2.0, -1.0] + 0.3 * rng.normal(size=FEWEST)
        fitted = Extrapolation.fit(np.array([0.4]), features, target)
        design = np.column_stack([np.ones(FEWEST), features])
        beta, squares = np.linalg.lstsq(design, target)[:2]
        at = np.array([1.0, 0.4, 0.7])
        error = np.sqrt(squares[0] / (FEWEST - 3))
        mean, std = fitted.predict(0.7)
        assert mean[0] == pytest.approx(at @ beta)
        assert std[0] == pytest.approx(error * np.sqrt(1.0 + at @ np.linalg.inv(design.T @ design) @ at))

    def test_each_regression_sees_the_nearest_half_only(self):
        values = np.arange(40.0)
        # Two straight lines: what is far away would bend the near one.
        target = np.where(values < 20, values, 100.0 - values)
        fitted = Extrapolation.fit(np.array([5.0, 35.0]), values[:, None], target)
        assert fitted.predict()[0] == pytest.approx([5.0, 65.0])
        assert fitted.error == pytest.approx([0.0, 0.0], abs=1e-9)

    @pytest.mark.parametrize("n", [FEWEST, 40])
    def test_a_limit_is_where_the_optimistic_end_meets_what_is_allowed(self, n):
        rng = np.random.default_rng(0)
        values = np.sort(rng.uniform(0.0, 10.0, n))
        curves = [((5, float(v)), (10, 0.0)) for v in values]
        ends = values + 0.1 * rng.normal(size=n)
        (limits,) = planned(curves, ends, np.zeros(n), np.array([6.0]), np.array([0.0]), 0.9)
        assert list(limits) == [5]
        # The optimistic end lies a little below the value.
        assert 6.0 < limits[5] < 6.5
        (surer,) = planned(curves, ends, np.zeros(n), np.array([6.0]), np.array([0.0]), 0.99)
        assert surer[5] > limits[5]

    def test_what_nothing_dominates_is_never_stopped(self):
        curves = [((5, float(v)), (10, 0.0)) for v in range(20)]
        ends = np.arange(20.0)
        assert planned(curves, ends, np.zeros(20), np.array([np.inf, 100.0]), np.zeros(2)) == [{}, {}]

    def test_values_that_say_nothing_stop_nobody(self):
        rng = np.random.default_rng(1)
        curves = [((5, float(v)), (10, 0.0)) for v in rng.normal(size=60)]
        ends = 10.0 * rng.normal(size=60)
        assert planned(curves, ends, np.zeros(60), np.array([8.0]), np.zeros(1)) == [{}]

    def test_what_is_expected_counts_beside_the_curve(self):
        rng = np.random.default_rng(2)
        ends = rng.uniform(0.0, 10.0, 60)
        curves = [((5, float(v)), (10, 0.0)) for v in ends + 0.4 * rng.normal(size=60)]
        expected = ends + 0.4 * rng.normal(size=60)
        worst = np.array([5.0, 5.0, 5.0])
        good, fair, bad = planned(curves, ends, expected, worst, np.array([4.0, 5.0, 6.0]))
        assert good[5] > fair[5] + 0.3 > bad[5] + 0.6

    @pytest.mark.parametrize(("noise", "stops"), [(0.4, True), (2.0, False)])
    def test_nothing_is_stopped_by_what_says_little_of_the_end(self, noise, stops):
        rng = np.random.default_rng(2)
        ends = rng.uniform(0.0, 10.0, 60)
        curves = [((5, float(v)), (10, 0.0)) for v in ends + noise * rng.normal(size=60)]
        (limits,) = planned(curves, ends, np.zeros(60), np.array([1.0]), np.array([0.0]))
        assert bool(limits) == stops

    def test_a_stopped_curve_ends_as_complete_ones_like_it(self):
        curves = [((5, float(v)), (10, v + 2.0)) for v in range(30)]
        ends = np.arange(30.0) + 2.0
        assert extrapolated(((5, 4.5),), curves, ends) == pytest.approx((6.5, 0.0), abs=1e-9)
        assert np.isnan(extrapolated(((6, 4.5),), curves, ends)).all()

    def test_a_stopped_curve_goes_on_as_fast_as_it_was(self):
        rng = np.random.default_rng(5)
        ends, speed = rng.uniform(0.0, 10.0, 40), rng.uniform(0.0, 3.0, 40)
        curves = [((4, e + 2.0 * s), (8, e + s), (16, e)) for e, s in zip(ends, speed, strict=True)]
        assert extrapolated(((4, 9.0), (8, 7.0)), curves, ends)[0] == pytest.approx(5.0)
        # Without the value before it only the mean speed is known.
        mean, std = extrapolated(((8, 7.0),), curves, ends)
        assert mean == pytest.approx(5.5, abs=1.0)
        # So uncertain is what a speed of 0 to 3 leaves open.
        assert std == pytest.approx(3.0 / np.sqrt(12.0), rel=0.25)
        curves = [((5, float(v)), (10, v + 2.0)) for v in range(30)]
        ends = np.arange(30.0) + 2.0
        assert np.isnan(extrapolated(((5, 4.5),), curves[: FEWEST - 1], ends[: FEWEST - 1])).all()

    def test_units_change_nothing(self):
        rng = np.random.default_rng(4)
        values, expected = rng.uniform(0.0, 10.0, 50), rng.uniform(0.0, 10.0, 50)
        ends = values + 0.3 * rng.normal(size=50)
        curves = [((5, float(v)), (10, 0.0)) for v in values]
        far = [((5, 1000.0 * float(v) - 7e4), (10, 0.0)) for v in values]
        (limits,) = planned(curves, ends, expected, np.array([6.0]), np.array([3.0]))
        scaled = (1000.0 * np.array(v) - 7e4 for v in (ends, expected, [6.0], [3.0]))
        (others,) = planned(far, *scaled)
        assert others[5] == pytest.approx(1000.0 * limits[5] - 7e4)


class TestStops:
    def test_a_worse_value_at_a_stated_step_ends_it(self):
        stops = Stops(30, {"accuracy": ("max", {5: 80.0}), "error": ("min", {5: 2.0})})
        assert stops.ends(5, {"accuracy": 79.9})
        assert not stops.ends(5, {"accuracy": 80.0, "error": 2.0})
        assert stops.ends(5, {"accuracy": 90.0, "error": 2.1})
        assert not stops.ends(6, {"accuracy": 0.0})
        assert not stops.ends(5, {"loss": 1e9})

    def test_json_and_pickle_keep_them(self):
        stops = Stops(30, {"accuracy": ("max", {5: 80.5, 2: 1 / 3})})
        assert Stops.from_dict(stops.to_dict()) == stops == pickle.loads(pickle.dumps(stops))

    @pytest.mark.parametrize("wrong", [None, {}, {"steps": 3}, {"steps": 3, "limits": {"a": 1}}, [1], {"limits": {}}])
    def test_anything_else_is_refused(self, wrong):
        with pytest.raises(InputError, match="stops: expected limits"):
            Stops.from_dict(wrong)


class TestReports:
    def test_what_is_reported_is_kept(self):
        reports = Reports(NAMES)
        assert reports(1, {"error": np.float32(0.5)}) is False
        assert reports(np.int64(4), {"error": 0.25, "latency": 3}, of=10) is False
        assert reports.curves == {"error": [(1, 0.5), (4, 0.25)], "latency": [(4, 3.0)]}

    def test_one_number_is_enough_for_one_objective(self):
        reports = Reports(["error"], ["params"])
        reports(3, 0.5)
        reports(4, {"error": 0.4, "params": 7})
        assert reports.curves == {"error": [(3, 0.5), (4, 0.4)]}

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ((0, {"error": 1.0}), "expected a step above 2, got 0"),
            ((2, {"error": 1.0}), "expected a step above 2, got 2"),
            ((1, {"error": 1.0}), "expected a step above 2, got 1"),
            ((3.5, {"error": 1.0}), "expected a step above 2, got 3.5"),
            (("3", {"error": 1.0}), "expected a step above 2, got '3'"),
            ((None, {"error": 1.0}), "expected a step above 2, got None"),
            ((True, {"error": 1.0}), "expected a step above 2, got True"),
            ((float("nan"), {"error": 1.0}), "expected a step above 2, got nan"),
            ((9, {"error": 1.0}, 8), "expected as many steps in all as 9 or more, got 8"),
            ((3, {"loss": 1.0}), "expected values of some of error, latency, got {'loss': 1.0}"),
            ((3, {"error": 1.0, "loss": 1.0}), "expected values of some of error, latency"),
            ((3, {}), "expected values of some of error, latency, got {}"),
            ((3, 1.0), "expected values of some of error, latency, got 1.0"),
            ((3, {"error": "low"}), "error: expected a number, got 'low'"),
            ((3, {"error": 1.0, "latency": None}), "latency: expected a number, got None"),
        ],
    )
    def test_what_is_none_is_one_clear_error(self, arguments, told):
        reports = Reports(NAMES)
        reports(2, {"error": 1.0})
        with pytest.raises(InputError) as caught:
            reports(*arguments)
        assert str(caught.value).startswith(f"report: {told}")
        assert reports.curves == {"error": [(2, 1.0)]}

    def test_a_wrong_report_is_a_failure_that_says_so(self):
        outcome = Attempt(lambda a, report: report(1, {"loss": 1.0}), NAMES)({"g": 1})
        assert set(outcome.reasons) == set(NAMES)
        assert "report: expected values of some of error, latency, got {'loss': 1.0}" in outcome.reasons["error"]
        assert outcome.mark
        assert outcome.stopped == {}

    @pytest.mark.parametrize("values", [{"loss": 1.0}, {"error": "low", "latency": 1.0}])
    def test_what_is_shown_of_it_ends_in_the_users_code(self, values):
        outcome = Attempt(lambda a, report: report(1, values), NAMES)({"g": 1})
        assert f'File "{__file__}"' in outcome.trace
        assert str(Path(rapid_moo.__file__).parent) not in outcome.trace

    @pytest.mark.parametrize("how", ["while another was handled", "in a group"])
    def test_so_does_all_that_is_shown_behind_it(self, how):
        def fail(error):
            mine = KeyError("mine")
            raise ExceptionGroup("several", [error, mine]) if how == "in a group" else mine

        def measure(a, report):
            try:
                report(1, {"loss": 1.0})
            except InputError as error:
                fail(error)

        outcome = Attempt(measure, NAMES)({"g": 1})
        assert "mine" in outcome.trace
        assert "loss" in outcome.trace
        assert outcome.trace.count(f'File "{__file__}"') >= 2
        assert str(Path(rapid_moo.__file__).parent) not in outcome.trace


def halving(architecture, report):
    """Ten steps, and what is left of the error."""
    for step in range(1, 11):
        if report(step, {"error": 8.0 / step}, of=10):
            return architecture.get("returns", {})
    return {"error": 0.5, "latency": 2.0}


STOPS = Stops(10, {"error": ("min", {2: 5.0, 4: 1.0})})


class TestAttempts:
    def test_who_has_no_parameter_of_that_name_is_called_as_ever(self):
        assert wants_reports(halving)
        assert not wants_reports(lambda architecture: 1.0)
        assert not wants_reports(dict)
        outcome = Attempt(lambda architecture: {"error": 1.0, "latency": 2.0}, NAMES)({}, STOPS)
        assert outcome.values == {"error": 1.0, "latency": 2.0}
        assert outcome.curves == {}

    def test_objects_and_keyword_only_parameters_get_it(self):
        class Trainer:
            def __call__(self, architecture, *, report=None):
                report(1, {"error": 3.0})
                return {"error": 1.0, "latency": 2.0}

        assert Attempt(Trainer(), NAMES)({}).curves == {"error": ((1, 3.0),)}

    def test_without_stops_everything_runs_to_its_end(self):
        outcome = Attempt(halving, NAMES)({})
        assert outcome.values == {"error": 0.5, "latency": 2.0}
        assert len(outcome.curves["error"]) == 10
        assert outcome.stopped == outcome.reasons == {}

    def test_a_stopped_one_has_a_curve_a_remark_and_a_share(self):
        outcome = Attempt(halving, NAMES)({}, STOPS)
        assert outcome.values == {}
        assert outcome.curves == {"error": ((1, 8.0), (2, 4.0), (3, 8.0 / 3), (4, 2.0))}
        assert outcome.stopped == {"error": 0.4, "latency": 0.4}
        assert outcome.reasons == dict.fromkeys(NAMES, "stopped at step 4 of 10")
        assert outcome.mark == ""

    @pytest.mark.parametrize("returns", [None, 3.0, "done", {"error": 2.0, "latency": 7.0}, {"latency": 7.0, "x": 1}])
    def test_what_was_reported_is_never_final_whatever_is_returned(self, returns):
        outcome = Attempt(halving, NAMES)({"returns": returns}, STOPS)
        assert outcome.values == ({"latency": 7.0} if isinstance(returns, dict) else {})
        assert "error" in outcome.stopped
        assert ("latency" in outcome.stopped) == (not isinstance(returns, dict))

    def test_who_does_not_listen_has_no_value_and_pays_for_all(self):
        def deaf(architecture, report):
            for step in range(1, 11):
                report(step, {"error": 8.0 / step}, of=10)
            return {"error": 0.5, "latency": 2.0}

        outcome = Attempt(deaf, NAMES)({}, STOPS)
        assert outcome.values == {"latency": 2.0}
        assert outcome.stopped == {"error": 1.0}

    def test_without_the_number_of_steps_those_of_complete_ones_count(self):
        def silent(architecture, report):
            return {} if report(4, {"error": 2.0}) else {"error": 1.0, "latency": 1.0}

        outcome = Attempt(silent, NAMES)({}, replace(STOPS, steps=16))
        assert outcome.stopped == {"error": 0.25, "latency": 0.25}
        assert outcome.reasons["error"] == "stopped at step 4 of 16"

    def test_who_raises_after_all_has_failed(self):
        def broken(architecture, report):
            report(4, {"error": 2.0}, of=10)
            raise ValueError("no such layer")

        outcome = Attempt(broken, NAMES)({}, STOPS)
        assert outcome.stopped == {}
        assert outcome.reasons == dict.fromkeys(NAMES, "ValueError: no such layer")
        assert outcome.curves == {"error": ((4, 2.0),)}

    @pytest.mark.parametrize(
        ("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.float32("inf"), "-inf"), (10**400, "inf")]
    )
    def test_a_training_that_diverges_is_told_to_stop_and_has_failed(self, value, shown):
        told = []

        def measure(genes, report):
            told.extend([report(1, {"error": 3.0}, of=9), report(2, {"error": value}, of=9)])
            return {"error": 3.0, "latency": 1.0}

        outcome = Attempt(measure, NAMES)({}, STOPS)
        assert told == [False, True]
        assert outcome.values == {"latency": 1.0}
        assert outcome.reasons == {"error": f"expected a finite number, got {shown} at step 2"}
        assert outcome.curves == {"error": ((1, 3.0),)}
        assert (outcome.stopped, outcome.mark) == ({}, "")

    def test_of_several_functions_each_is_stopped_for_itself(self):
        call = CallAll((Attempt(halving, ["error"]), Attempt(lambda a: 5.0, ["latency"])))
        (outcome,) = call(({}, [(0, 1), (1, 1)], STOPS))
        assert outcome.values == {"latency": 5.0}
        assert outcome.stopped == {"error": 0.4}
        assert list(outcome.curves) == ["error"]

    def test_a_repeat_is_not_stopped_and_what_was_stopped_is_not_repeated(self):
        assert len(measure_times(Attempt(halving, NAMES), {}, 3, STOPS)) == 1
        late = Stops(10, {"error": ("min", {2: 4.0})})
        outcomes = measure_times(Attempt(halving, NAMES), {}, 3, late)
        assert [outcome.values["error"] for outcome in outcomes] == [0.5, 0.5, 0.5]


class TestRuns:
    def test_some_are_stopped_and_billed_by_what_was_done(self):
        done = []

        def counting(architecture, report):
            def counted(step, values, of):
                done[-1] += 1
                return report(step, values, of=of)

            done.append(0)
            return train(architecture, counted)

        result, found = run(measure=counting)
        store = found.store
        assert store.stopped.sum() > 10
        assert (store.stopped | store.complete | ~np.isfinite(store.raw[:, 0])).all()
        assert store.paid[:, 0].sum() == pytest.approx(sum(done) / STEPS)
        assert found.cost() == pytest.approx(sum(done) / STEPS + 0.01 * store.paid[:, 1].sum())
        assert found.cost(result.algorithm.bill) <= 60.0 + 1e-9
        # Each architecture was trained once at most.
        assert len(done) == int((store.paid[:, 0] > 0).sum())

    def test_what_was_stopped_is_on_no_front_and_no_failure(self):
        result, found = run()
        store = found.store
        assert store.stopped.any()
        assert not store.failed.any()
        assert result.algorithm.success is None
        stopped = set(space().keys(store.X[store.stopped]))
        assert not stopped & set(space().keys(result.opt.get("X").astype(int)))
        assert np.isfinite(result.F).all()
        for row in np.flatnonzero(store.stopped).tolist():
            curve = store.curve(row, "accuracy")
            assert store.reason(row) == f"stopped at step {curve[-1][0]} of {STEPS}"
            assert store.state(row) == "stopped"
            assert store.paid[row, 0] == curve[-1][0] / STEPS

    @pytest.mark.parametrize(
        ("options", "expected"), [({}, FEWEST), ({"n_initial": 20}, 20), ({"stopping": False}, FEWEST)]
    )
    def test_the_first_sample_runs_to_its_end(self, options, expected):
        result, found = run(cost=30.0, **options)
        trained = np.flatnonzero(found.store.paid[:, 0] > 0)
        assert result.algorithm.first_sample == expected
        assert found.store.complete[np.sort(trained)[:expected]].all()

    def test_nothing_is_proposed_twice(self):
        calls = []
        run(measure=lambda architecture, report: calls.append(str(architecture)) or train(architecture, report))
        assert len(calls) == len(set(calls))

    def test_stopping_can_be_switched_off(self):
        _, found = run(cost=30.0, stopping=False)
        assert not found.store.stopped.any()
        assert len(found.store.curve(0, "accuracy")) == STEPS

    def test_a_measure_that_does_not_report_runs_as_without_stopping(self):
        def plain(architecture):
            return {"accuracy": final(architecture)}

        _, mute = run(cost=30.0, measure=plain)
        _, off = run(cost=30.0, stopping=False)
        assert np.array_equal(mute.store.X, off.store.X)
        assert mute.store.curve(0, "accuracy") == ()

    def test_the_same_seed_gives_the_same_with_any_number_of_workers(self):
        _, alone = run(cost=40.0)
        with ThreadPool(3) as pool:
            _, several = run(cost=40.0, elementwise_runner=StarmapParallelization(pool.starmap))
        assert alone.store.stopped.any()
        for name in ("X", "raw", "paid", "stopped"):
            assert np.array_equal(getattr(alone.store, name), getattr(several.store, name), equal_nan=True), name
        curves = [[s.store.curve(row, "accuracy") for row in range(len(s.store))] for s in (alone, several)]
        assert curves[0] == curves[1]

    def test_in_a_budget_of_evaluations_a_stopped_one_counts_as_one(self):
        plain = tuple(Objective(o.name, o.direction, o.unit) for o in GOALS)
        found = ArchitectureProblem(space(), measure={"accuracy": train, "latency": time_it}, objectives=plain)
        result = minimize(found, RAPID(specs=SPECS), ("n_eval", 50), seed=1)
        assert found.n_evaluations == len(result.algorithm.bill) == 50
        assert found.store.stopped.any()
        assert (found.store.complete | found.store.stopped).all()

    def test_as_good_for_less(self):
        table_of_all = space().enumerate()
        raw = np.array([[final(a), time_it(a)["latency"]] for a in map(space().to_dict, table_of_all)])
        from rapid_moo import ArchitectureTable

        table = ArchitectureTable.build(space(), GOALS, table_of_all, raw, name="net")
        _, whole = run(cost=60.0, stopping=False)
        _, stopped = run(cost=40.0)
        quality = []
        for found in (whole, stopped):
            found.table = table
            quality.append(found.adrs())
        assert quality[1] <= quality[0] + 1e-3

    def test_predictors_learn_from_where_a_stopped_curve_was_going(self):
        result, found = run()
        view = SpaceView(found)
        known = view.knowledge(result.algorithm.bill, found.store.X[:0])
        assert known.stopped.any()
        assert not known.open[known.stopped].any()
        taught, noise = foreseen(known)
        truth = np.array([final(space().to_dict(x)) for x in known.X[known.stopped]])
        assert np.isfinite(taught).all()
        assert np.abs(taught[known.stopped, 0] - truth).max() < 2.0
        # How uncertain that is, is known; what was measured is not uncertain.
        assert (noise[known.stopped, 0] > 0.0).all()
        assert not noise[~known.stopped].any()
        assert not noise[:, 1].any()
        assert np.isnan(known.raw[known.stopped, 0]).all()
        assert np.array_equal(taught[known.complete], known.raw[known.complete])

    def test_diverged_trainings_fail_and_the_others_are_stopped(self):
        def diverging(architecture, report):
            if architecture["g0"] == 5 and architecture["g1"] == 5:
                return {"accuracy": float("nan")}
            return train(architecture, report)

        _, found = run(measure=diverging)
        failed, stopped = found.store.failed, found.store.stopped
        assert failed.any()
        assert stopped.any()
        assert (found.store.X[failed][:, :2] == 5).all()
        assert not (failed & stopped).any()
