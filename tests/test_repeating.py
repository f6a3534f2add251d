"""Measuring again where it pays: the noise, the rule, the bill, and never a table twice."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pymoo.optimize import minimize

from rapid_moo import (
    RAPID,
    ArchitectureProblem,
    ArchitectureTable,
    BillingEvaluator,
    CostBudget,
    Gene,
    GridSpace,
    Objective,
    OneShotRAPID,
    PredictorSpec,
)
from rapid_moo.batches import Batch
from rapid_moo.cli import main
from rapid_moo.errors import InputError
from rapid_moo.noise import Noise, noise_of
from rapid_moo.objectives import with_repeats
from rapid_moo.repeating import SHARE, Measured, Repeating, learning, mixed_batch
from rapid_moo.store import Store
from rapid_moo.study.study import Study

GOALS = (Objective("error", "min", repeats="auto"), Objective("latency", "min", repeats="auto"))
SPECS = [PredictorSpec("bayesian_ridge"), PredictorSpec("bayesian_ridge")]


class Mates(GridSpace):
    """Architectures of one function differ in their last gene."""

    of_function = ("error",)

    def _canonical(self, X):
        found = X.copy()
        found[:, -1] = 0
        return found


def grid(n=6, kind=GridSpace):
    return kind("grid", [Gene(f"g{k}", tuple(range(n))) for k in range(3)])


def truth(x):
    a, b, c = x
    return np.array([30.0 - 2 * a - b - 0.5 * c, 10.0 + 2 * a + b + c])


class Bench:
    """Errors by architecture and number of the measurement; counts every call."""

    def __init__(self, noise=3.0, space=None, names=("error", "latency"), fails=()):
        self.noise, self.space, self.names, self.fails = noise, space or grid(), names, fails
        self.calls = Counter()

    def __call__(self, architecture):
        x = self.space.from_dict(architecture)
        self.calls[tuple(x)] += 1
        times = self.calls[tuple(x)]
        if times in self.fails:
            return dict.fromkeys(self.names, np.nan)
        rng = np.random.default_rng([times, *x])
        values = truth(x) + self.noise * rng.standard_normal(2)
        return {name: value for name, value in zip(("error", "latency"), values, strict=True) if name in self.names}


def problem_of(bench, goals=GOALS, measure=None):
    return ArchitectureProblem(bench.space, measure=measure or bench, objectives=goals)


def search(problem, budget=60, seed=1, **settings):
    settings = {"specs": SPECS} | settings
    return minimize(problem, RAPID(**settings), ("n_eval", budget), seed=seed)


class TestHowManyAreStated:
    def test_auto_measures_once_and_may_measure_again(self):
        assert (GOALS[0].times, GOALS[0].chosen_repeats) == (1, True)
        three = Objective("error", "min", repeats=3)
        assert (three.times, three.chosen_repeats) == (3, False)

    @pytest.mark.parametrize("wrong", ["often", "Auto", "", 0, -1, 1.5, True, None, 10_001])
    def test_anything_else_is_refused(self, wrong):
        with pytest.raises(
            InputError, match=r"objective 'error': expected repeats of 1 to 10000, or 'auto', got "
        ) as e:
            Objective("error", "min", repeats=wrong)
        assert str(e.value).endswith(repr(wrong))

    def test_in_a_text_by_name(self):
        goals = [Objective("error", "min", repeats=2), Objective("a:b", "min"), Objective("size", "min")]
        found = with_repeats(goals, "'a:b':auto", ["size"])
        assert [goal.repeats for goal in found] == [2, "auto", 1]
        assert [goal.repeats_stated for goal in found] == [True, True, False]
        found = with_repeats(goals, 'error:auto, "a:b" : 3')
        assert [goal.repeats for goal in found] == ["auto", 3, 1]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "expected NAME:NUMBER or NAME:auto, got ''"),
            ("error", "expected NAME:NUMBER or NAME:auto, got 'error'"),
            ("error:often", "expected NAME:NUMBER or NAME:auto, got 'error:often'"),
            ("error:1.5", "expected NAME:NUMBER or NAME:auto, got 'error:1.5'"),
            ("error:0", "objective 'error': expected repeats of 1 to 10000, or 'auto', got 0"),
            ("energy:2", "expected some of error, latency, each once, got 'energy': unknown"),
            ("error:2,error:3", "expected some of error, latency, each once, got 'error': twice"),
            ("size:auto", "expected some of error, latency, each once, got 'size': computed"),
        ],
    )
    def test_that_cannot_be_read(self, text, said):
        with pytest.raises(InputError) as caught:
            with_repeats([*GOALS, Objective("size", "min")], text, ["size"])
        assert said in str(caught.value)


class TestNoise:
    def test_is_pooled_over_repeats(self):
        store = Store(grid(), ("error", "latency"))
        store.ask([[0, 0, 0], [1, 0, 0], [2, 0, 0]])
        for row, values in enumerate([(-1.0, 3.0), (5.0, 5.0, 8.0), (9.0,)]):
            for value in values:
                store.tell(row, {"error": value}, more=True)
        found = noise_of(store, 0)
        assert (found.freedom, found.relative) == (3, False)
        assert found.std == pytest.approx(np.sqrt((8.0 + 6.0) / 3))
        assert noise_of(store, 1) is None

    def test_class_mates_are_repeats_of_what_depends_on_the_function(self):
        store = Store(grid(kind=Mates), ("error", "latency"))
        store.add([[0, 0, 0], [0, 0, 1], [1, 0, 0]], [[-4.0, 1.0], [-6.0, 2.0], [9.0, 3.0]])
        assert noise_of(store, 0) == Noise(pytest.approx(np.sqrt(2.0)), 1)
        assert noise_of(store, 1) is None
        store.tell(1, {"error": -8.0})
        # -4, -6 and -8 are three measurements of one function.
        assert noise_of(store, 0) == Noise(pytest.approx(2.0), 2)

    def test_may_grow_with_the_value(self):
        store = Store(grid(), ("error", "latency"))
        store.ask([[a, 0, 0] for a in range(6)])
        rng = np.random.default_rng(0)
        for row, value in enumerate([1.0, 3.0, 10.0, 30.0, 100.0, 300.0]):
            for _ in range(4):
                store.tell(row, {"error": value * (1 + 0.1 * rng.standard_normal()), "latency": rng.normal(value)})
        found = noise_of(store, 0)
        assert found.relative
        assert found.std == pytest.approx(0.1, rel=0.4)
        assert found.of([50.0, -2.0]) == pytest.approx([50.0 * found.std, 2.0 * found.std])
        # Values about 0 have no relative error.
        assert not noise_of(store, 1).relative

    def test_of_equal_repeats_is_none(self):
        store = Store(grid(), ("error", "latency"))
        store.ask([[0, 0, 0], [1, 0, 0]])
        for row in (0, 1, 0, 1, 0):
            store.tell(row, {"error": 0.1 + row}, more=True)
        assert noise_of(store, 0) == Noise(0.0, 3)


def measured(values, noise, count=1, foretold=None, spread=None, lacking=0):
    values = np.asarray(values, dtype=float)
    full = np.full(values.shape, 1.0)
    n = len(values)
    return Measured(
        np.arange(100, 100 + n),
        values,
        (count * full).astype(np.int64),
        values if foretold is None else np.asarray(foretold, dtype=float),
        full * (5.0 if spread is None else spread),
        full * noise,
        np.ones((n, 1), dtype=bool),
        np.array([lacking]),
    )


def batch_of(mean, std, known, chosen):
    mean, std = np.asarray(mean, dtype=float), np.full(np.shape(mean), std)

    def draw(rows, n):
        return mean[rows] + std[rows] * np.random.default_rng(3).standard_normal((n, len(rows), mean.shape[1]))

    X = np.arange(3 * len(mean)).reshape(-1, 3)
    return Batch(X, mean, std, np.asarray(known, dtype=float), np.asarray(chosen), draw)


BOTH = np.array([True, True])
WHOLE = Repeating((BOTH,), (1.0,), 1.0, np.zeros(2), np.ones(2, dtype=np.int64))
FRONT = [[0.0, 10.0], [5.0, 5.0], [10.0, 0.0], [9.0, 9.0]]


def rule(batch, some, repeating=WHOLE, left=np.inf, seed=0):
    return mixed_batch(batch, some, repeating, 0, left, np.random.default_rng(seed))


class TestTheTruth:
    def test_is_weighed_by_precisions(self):
        one = measured([[10.0, 10.0]] * 2, 3.0, foretold=[[6.0, 10.0]] * 2)
        mean, std = one.truth()
        # Prior variance 5^2 - 3^2 = 16, own 9: 16/25 of the way.
        assert mean[0] == pytest.approx([6.0 + 0.64 * 4.0, 10.0])
        assert std == pytest.approx(np.full((2, 2), np.sqrt(0.64 * 9.0)))

    def test_of_what_is_measured_without_noise_is_its_value(self):
        mean, std = measured([[10.0, 3.0], [4.0, 5.0]], 0.0, foretold=[[6.0, 1.0]] * 2).truth()
        assert mean.tolist() == [[10.0, 3.0], [4.0, 5.0]]
        assert not std.any()


class TestTheRule:
    def test_members_of_a_noisy_front_are_measured_again_where_nothing_new_is_to_be_gained(self):
        batch = batch_of([[20.0, 20.0], [21.0, 22.0]], 0.0, FRONT, [0, 1])
        kept, rows, wanted = rule(batch, measured(FRONT, 2.0))
        assert len(kept) == 0
        assert len(rows) == 2
        assert set(rows.tolist()) <= {100, 101, 102}
        assert wanted.all()

    def test_new_ones_are_measured_where_they_promise_more(self):
        batch = batch_of([[2.0, 2.0], [3.0, 1.0]], 0.1, FRONT, [0, 1])
        kept, rows, _ = rule(batch, measured(FRONT, 0.05, spread=0.5))
        assert kept.tolist() == [0, 1]
        assert len(rows) == 0

    def test_nothing_is_measured_again_without_noise(self):
        batch = batch_of([[20.0, 20.0]], 0.0, FRONT, [0])
        kept, rows, _ = rule(batch, measured(FRONT, 0.0))
        assert (kept.tolist(), len(rows)) == ([0], 0)

    def test_what_was_measured_often_gives_way_to_what_was_measured_once(self):
        some = measured(FRONT, 2.0)
        some.count[0] = some.count[2] = 20
        batch = batch_of([[20.0, 20.0]], 0.0, FRONT, [0])
        assert rule(batch, some)[1].tolist() == [101]

    def test_no_more_is_spent_than_is_left(self):
        batch = batch_of([[20.0, 20.0], [21.0, 22.0], [22.0, 21.0]], 0.0, FRONT, [0, 1, 2])
        for left, again in ((0.0, 0), (0.9, 0), (1.0, 1), (2.5, 2)):
            kept, rows, _ = rule(batch, measured(FRONT, 2.0), left=left)
            assert (len(kept), len(rows)) == (3 - again, again)

    def test_no_unit_changes_what_is_chosen(self):
        scale, shift = np.array([1000.0, 1e-3]), np.array([5.0, -7.0])
        promising = [[4.5, 5.4], [9.0, 1.4], [1.0, 9.0]]
        chosen = []
        for factor, offset in ((np.ones(2), np.zeros(2)), (scale, shift)):
            points = np.array(FRONT) * factor + offset
            some = replace(
                measured(points, 1.0), noise=np.full((4, 2), 1.6) * factor, spread=np.full((4, 2), 2) * factor
            )
            batch = batch_of(np.array(promising) * factor + offset, 1.0 * factor, points, [0, 1, 2])
            kept, rows, _ = rule(batch, some)
            chosen.append((kept.tolist(), rows.tolist()))
        assert chosen[0] == chosen[1]
        assert chosen[0][1]

    def test_what_is_cheap_beside_a_new_one_is_measured_again(self):
        batch = batch_of([[2.0, 4.0], [4.0, 3.0]], 1.0, FRONT, [0, 1])
        only = np.array([False, True])
        some = measured(FRONT, 1.0)
        some.noise[:, 0] = 0.0
        dear = Repeating((only,), (1.0,), 1.0, np.array([0.5, 0.5]), np.ones(2, dtype=np.int64))
        cheap = replace(dear, prices=(0.001,))
        counts = [len(rule(batch, some, repeating)[1]) for repeating in (dear, cheap)]
        assert counts[1] >= 3 > counts[0]
        assert not rule(batch, some, cheap)[2][:, 0].any()

    def test_members_are_measured_again_until_the_noise_is_known(self):
        batch = batch_of([[2.0, 2.0]] * 6, 1.0, FRONT, range(6))
        kept, rows, _ = rule(batch, measured(FRONT, 0.0, lacking=5))
        assert sorted(rows.tolist()) == [100, 101, 102]
        assert kept.tolist() == [0, 1, 2]
        assert rule(batch, measured(FRONT, 0.0, lacking=1))[1].tolist() in ([100], [101], [102])
        assert len(rule(batch, measured(FRONT, 0.0, lacking=5), left=0.5)[1]) == 0

    def test_learning_begins_with_what_was_measured_least_often(self):
        some = measured(FRONT, 0.0)
        some.count[1] = 3
        assert learning(some, 0, 2).tolist() == [0, 2]
        some.free[0] = False
        assert sorted(learning(some, 0, 5).tolist()) == [1, 2]


class TestRuns:
    def test_every_measurement_is_billed_and_counts(self):
        bench = Bench()
        problem = problem_of(bench)
        result = search(problem)
        store, algorithm = problem.store, result.algorithm
        assert store.repeats.max() > 1
        calls = sum(bench.calls.values())
        assert calls == 60 == store.n_evaluations == len(algorithm.bill) == algorithm.evaluator.n_eval
        assert store.repeats[:, 0].tolist() == [bench.calls[tuple(x)] for x in store.X]
        assert (store.repeats.max(axis=1) - 1).sum() <= SHARE * 60
        # What is shown are means of all measurements, each architecture once.
        assert len(result.pop) == len(store)
        order = store.find(problem.genotypes(result.pop.get("X")))
        assert result.pop.get("F") == pytest.approx(store.raw_of(order))
        shown = store.find(problem.genotypes(result.opt.get("X")))
        assert result.opt.get("F") == pytest.approx(store.raw_of(shown))

    def test_the_same_seed_does_the_same(self):
        stores = []
        for evaluator in (None, BillingEvaluator()):
            problem = problem_of(Bench())
            settings = {} if evaluator is None else {"evaluator": evaluator}
            found = minimize(problem, RAPID(specs=SPECS), ("n_eval", 40), seed=3, save_history=True, **settings)
            assert found.algorithm.evaluator.n_eval == problem.n_evaluations == 40
            stores.append(problem.store)
        assert (stores[0].X == stores[1].X).all()
        assert (stores[0].repeats == stores[1].repeats).all()
        assert (stores[0].raw == stores[1].raw).all()

    def test_a_bench_without_noise_is_found_out(self):
        bench = Bench(noise=0.0)
        problem = problem_of(bench)
        search(problem, 50)
        assert sum(bench.calls.values()) == 50
        assert len(problem.store) == 48

    def test_nothing_is_measured_again_while_nothing_meets_a_bound(self):
        # Five repeats have told the noise before the bound is stated.
        first = problem_of(Bench())
        search(first, 40)
        bench = Bench()
        problem = ArchitectureProblem(
            bench.space, measure=bench, objectives=GOALS, constraints="latency <= 0", store=first.store
        )
        result = search(problem, 20)
        assert len(result.algorithm.bill) == 20
        assert set(bench.calls.values()) == {1}

    def test_nothing_is_measured_again_unless_that_is_said(self):
        bench = Bench()
        search(problem_of(bench, [replace(goal, repeats=1) for goal in GOALS]), 40)
        assert set(bench.calls.values()) == {1}

    def test_the_published_method_measures_once(self):
        bench = Bench()
        problem = problem_of(bench)
        minimize(problem, OneShotRAPID(specs=SPECS, parts=3), ("n_eval", 40), seed=1)
        assert problem.store.repeats.max() == 1

    @pytest.mark.parametrize("stated", ["1", "auto"])
    def test_on_a_table_nothing_is_measured_twice(self, stated):
        space = grid()
        X = space.enumerate()
        goals = [replace(goal, repeats="auto" if stated == "auto" else 1) for goal in GOALS]
        noise = np.random.default_rng(0).normal(0, 3, (len(X), 2))
        table = ArchitectureTable.build(space, goals, X, np.array([truth(x) for x in X]) + noise, name="grid")
        problem = ArchitectureProblem(space, table)
        assert Repeating.of(problem) is None
        result = search(problem, 40)
        assert problem.store.repeats.max() == 1
        assert len(result.bill) == len(problem.store) == 40

    def test_a_repeat_that_fails_is_billed_keeps_the_value_and_is_not_asked_for_again(self):
        bench = Bench(fails=(2,))
        problem = problem_of(bench)
        search(problem, 40)
        assert sum(bench.calls.values()) == 40 == problem.store.n_evaluations
        assert bench.calls.most_common(1)[0][1] == 2
        twice = [tuple(x) for x in problem.store.X[problem.store.failed_again.any(axis=1)]]
        assert Counter(bench.calls.values())[2] == len(twice) > 0
        assert problem.store.complete.all()
        assert not problem.store.failed.any()

    @pytest.mark.parametrize("settings", [{}, {"evaluator": BillingEvaluator()}])
    def test_what_is_imported_may_be_measured_again_and_is_billed_then(self, settings):
        bench = Bench()
        problem = problem_of(bench)
        X = bench.space.sample(30, 0)
        problem.store.add(X, [truth(x) for x in X])
        result = minimize(problem, RAPID(specs=SPECS), ("n_eval", 20), seed=1, **settings)
        assert problem.store.repeats.max() > 1
        assert sum(bench.calls.values()) == 20 == len(result.bill) == problem.n_evaluations
        assert result.algorithm.evaluator.n_eval == 20


class TestCosts:
    def run(self, limit=30.0, seed=1, stated=(1, "auto")):
        goals = (
            Objective("error", "min", cost=1.0, repeats=stated[0]),
            Objective("latency", "min", cost=0.01, repeats=stated[1]),
        )
        benches = {goal.name: Bench(names=(goal.name,)) for goal in goals}
        problem = problem_of(benches["error"], goals, benches)
        minimize(problem, RAPID(specs=SPECS), CostBudget(limit), seed=seed)
        return problem, {name: sum(bench.calls.values()) for name, bench in benches.items()}

    def test_what_may_be_measured_again_is_and_nothing_else(self):
        problem, calls = self.run()
        assert problem.store.repeats[:, 0].max() == 1
        assert problem.store.repeats[:, 1].max() > 1
        assert problem.store.repeats.sum(axis=0).tolist() == [calls["error"], calls["latency"]]
        assert problem.cost() == pytest.approx(calls["error"] + 0.01 * calls["latency"])
        assert problem.cost() <= 30.0 + 1e-9

    def test_the_dear_one_is_measured_again_where_that_is_allowed(self):
        problem, calls = self.run(60.0, stated=("auto", "auto"))
        more = np.maximum(problem.store.repeats[:, 0] - 1, 0).sum()
        assert 0 < more <= SHARE * 60.0
        assert problem.cost() == pytest.approx(calls["error"] + 0.01 * calls["latency"])
        assert problem.cost() <= 60.0 + 1e-9


class TestAskAndTell:
    def ask_until_repeated(self, algorithm, bench):
        """Infills, their rows of the store, and which of them are known."""
        for _ in range(30):
            infills = algorithm.ask()
            rows = algorithm.view.store.find(infills.get("X"))
            if (rows >= 0).any():
                return infills, rows, rows >= 0
            infills.set("F", [list(bench(bench.space.to_dict(x)).values()) for x in infills.get("X")])
            algorithm.tell(infills)
        raise AssertionError("nothing was asked for again")

    def started(self):
        bench = Bench()
        problem = problem_of(bench)
        algorithm = RAPID(specs=SPECS)
        algorithm.setup(problem, termination=("n_eval", 80), seed=2)
        return bench, problem, algorithm

    def test_a_value_told_by_hand_is_a_repeat(self):
        bench, problem, algorithm = self.started()
        infills, rows, again = self.ask_until_repeated(algorithm, bench)
        before = len(algorithm.bill), problem.store.raw_of(rows[again])
        infills.set("F", [[7.0, 8.0]] * len(infills))
        algorithm.tell(infills)
        assert (problem.store.repeats_of(rows[again][0]) == 2).all()
        assert problem.store.raw_of(rows[again]) == pytest.approx((before[1] + [7.0, 8.0]) / 2)
        assert len(algorithm.bill) == before[0] + len(infills)
        assert infills.get("F")[again] == pytest.approx((before[1] + [7.0, 8.0]) / 2)
        assert len(algorithm.pop) == len(problem.store)

    def test_evaluating_what_is_asked_for_measures_it_again(self):
        bench, problem, algorithm = self.started()
        infills, rows, again = self.ask_until_repeated(algorithm, bench)
        calls = sum(bench.calls.values())
        algorithm.evaluator.eval(problem, infills)
        assert sum(bench.calls.values()) == calls + len(infills)
        algorithm.tell(infills)
        assert (problem.store.repeats_of(rows[again][0]) == 2).all()
        assert not problem.store.again.any()

    def test_a_repeat_that_is_told_as_failed_is_not_asked_for_again(self):
        bench, problem, algorithm = self.started()
        infills, rows, again = self.ask_until_repeated(algorithm, bench)
        value = problem.store.raw_of(rows[again])
        infills.set("F", np.where(again[:, None], np.nan, [9.0, 9.0]))
        algorithm.tell(infills)
        assert (problem.store.raw_of(rows[again]) == value).all()
        assert problem.store.failed_again[rows[again]].all()
        assert np.isfinite(algorithm.pop.get("F")).all()


class Counted:
    """As Bench, with the number of each measurement in a file, so that it survives whoever measures."""

    def __init__(self, path, dies_at=0, fails=()):
        self.path, self.dies_at, self.fails = path, dies_at, fails

    def __call__(self, architecture):
        told = self.path.read_text().splitlines() if self.path.exists() else []
        if self.dies_at and len(told) == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x = grid().from_dict(architecture).tolist()
        times = 1 + sum(line == json.dumps(x) for line in told)
        with self.path.open("a") as out:
            out.write(json.dumps(x) + "\n")
        if times in self.fails:
            raise RuntimeError("the board is away")
        values = truth(x) + 3.0 * np.random.default_rng([times, *x]).standard_normal(2)
        return dict(zip(("error", "latency"), values.tolist(), strict=True))


def calls_of(path):
    return Counter(path.read_text().splitlines())


def study_in(folder, measure, **settings):
    return Study(folder, grid(), measure, objectives=GOALS, options={"specs": SPECS}, **settings)


SPACE = """
[genes]
depth = [1, 2, 3, 4, 5, 6]
width = [1, 2, 3, 4, 5, 6]
kernel = [1, 2, 3]
[objectives]
error = { direction = "min" }
latency = { direction = "min" }
"""
BENCH = """
import random

def bench(genes):
    latency = 9.0 + genes["depth"] * genes["kernel"] + random.gauss(0, 3)
    return {"error": 30.0 - 2 * genes["depth"] - genes["width"], "latency": latency}
"""


class TestStudies:
    def test_bill_and_board_speak_of_repeats(self, tmp_path):
        study = study_in(tmp_path / "s", Counted(tmp_path / "calls"))
        status = study.run(40)
        calls = calls_of(tmp_path / "calls")
        assert sum(calls.values()) == 40 == study.store.n_evaluations
        assert status.repeats == (study.store.repeats[:, 0] - 1).sum() > 0
        assert status.begun == 40
        assert status.waiting == 0
        assert {
            json.dumps(x.tolist()): n for x, n in zip(study.store.X, study.store.repeats[:, 0], strict=True)
        } == calls

    def test_a_kill_changes_nothing(self, tmp_path):
        whole = study_in(tmp_path / "whole", Counted(tmp_path / "calls"), seed=4)
        whole.run(44)
        told = [json.dumps(x) for x in whole.store.X.tolist()]
        lines = (tmp_path / "calls").read_text().splitlines()
        repeats = [i for i, line in enumerate(lines) if line in lines[:i]]
        assert len(repeats) >= 3
        for i in (repeats[0], repeats[1] + 1, repeats[-1]):
            folder, log = tmp_path / f"s{i}", tmp_path / f"calls{i}"
            child = os.fork()
            if not child:
                study_in(folder, Counted(log, dies_at=i), seed=4).run(44)
                os._exit(0)
            assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
            again = study_in(folder, Counted(log), seed=4)
            again.run(44)
            assert [json.dumps(x) for x in again.store.X.tolist()] == told
            assert (again.store.repeats == whole.store.repeats).all()
            assert (again.store.raw == whole.store.raw).all()
            assert log.read_text().splitlines() == lines
            assert again.store.n_evaluations == 44

    def test_any_number_of_workers_bills_what_is_called(self, tmp_path):
        study = study_in(tmp_path / "s", Counted(tmp_path / "calls"), workers=3)
        study.run(40)
        calls = calls_of(tmp_path / "calls")
        assert sum(calls.values()) == 40 == study.store.n_evaluations
        assert max(calls.values()) > 1
        assert not study.store.pending.any()

    def test_a_repeat_that_raises_is_billed_and_leaves_the_value(self, tmp_path):
        study = study_in(tmp_path / "s", Counted(tmp_path / "calls", fails=(2,)))
        study.run(40)
        calls = calls_of(tmp_path / "calls")
        assert sum(calls.values()) == 40 == study.store.n_evaluations
        assert max(calls.values()) == 2
        assert study.store.complete.all()
        assert (study.store.paid.sum(axis=0) == 40).all()
        assert study.status().failed == 0

    def test_may_be_asked_for_when_a_study_has_begun(self, tmp_path, capsys):
        (tmp_path / "space.toml").write_text(SPACE)
        (tmp_path / "bench.py").write_text(BENCH)
        folder = tmp_path / "s"
        run = ["run", "--measure", f"{tmp_path / 'bench.py'}:bench"]
        assert main([*run, str(tmp_path / "space.toml"), "--budget", "20", "--out", str(folder)]) == 0
        assert Study(folder).store.repeats.max() == 1
        assert main([*run, str(folder), "--budget", "30", "--repeats", "latency:auto"]) == 0
        study = Study(folder)
        assert [objective.repeats for objective in study.objectives] == [1, "auto"]
        assert study.store.repeats.max() > 1
        assert study.store.n_evaluations == 30
        assert "repeats" in capsys.readouterr().out
        assert main([*run, str(folder), "--budget", "31", "--repeats", "latency:seldom"]) == 2
        assert "repeats: expected NAME:NUMBER or NAME:auto, got 'latency:seldom'" in capsys.readouterr().err
        assert Study(folder).store.n_evaluations == 30

    def test_by_hand_a_trial_says_what_is_wanted_once_more(self, tmp_path):
        study = study_in(tmp_path / "s", None)
        bench = Bench()
        for _ in range(60):
            trial = study.ask()
            row = trial.number - 1
            if study.store.tried[row]:  # known, and asked for once more
                break
            study.tell(trial, bench(trial.architecture))
        assert trial.objectives == ("error", "latency")
        before = study.store.raw_of([row])[0]
        study.tell(trial, {"error": 5.0, "latency": 6.0})
        assert study.store.raw_of([row])[0] == pytest.approx(np.mean([before, [5.0, 6.0]], axis=0))
        assert not study.store.pending[row]
        assert study.store.begun[row] == 2

    def test_by_hand_the_same_value_again_is_an_answer(self, tmp_path, capsys):
        study = study_in(tmp_path / "s", None)
        X = study.space.sample(20, 0)
        for x in X:
            study.tell(study.space.to_dict(x), dict(zip(("error", "latency"), truth(x).tolist(), strict=True)))
        study.store.ask(X[:1], objectives=["latency"], again=True)
        assert main(["ask", str(tmp_path / "s"), "-n", "1"]) == 0
        told = capsys.readouterr().out
        head, line = (text.split(",") for text in told.splitlines())
        asked = dict(zip(head, line, strict=True))
        assert (asked["measure"], asked["latency"]) == ("latency", "")
        assert float(asked["error"]) == truth(X[0])[0]
        asked["latency"] = str(truth(X[0])[1])
        (tmp_path / "told.csv").write_text(f"{','.join(asked)}\n{','.join(asked.values())}\n")
        assert main(["tell", str(tmp_path / "s"), str(tmp_path / "told.csv")]) == 0
        after = Study(tmp_path / "s")
        assert after.store.repeats_of(0).tolist() == [1, 2]
        assert not after.store.pending.any()
