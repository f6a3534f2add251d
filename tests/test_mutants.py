"""Mutants of the front: what they are, how large a share they get, and that a run with them holds its promises."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective, PredictorSpec
from rapid_moo.mutants import FEWEST, LEAST, MOST, MutantShare, front_mutants, on_front
from rapid_moo.view import SpaceView

GOALS = (Objective("error", "min"), Objective("latency", "min"))
SPACE = GridSpace("grid", [Gene(f"g{k}", (0, 1, 2, 3), ordered=k % 2 == 0) for k in range(5)], GOALS)
PROCESS = PredictorSpec("gaussian_process", {"ard": False}, "one_hot")


def values(X: np.ndarray) -> np.ndarray:
    return np.column_stack([(3 - X).sum(axis=1) + 0.3 * (X[:, 0] == X[:, 1]), 1.0 + X @ (1.0, 2.0, 1.0, 3.0, 1.0)])


def measured(n: int, seed: int = 0) -> tuple[RAPID, ArchitectureProblem]:
    """A run that was made to some evaluation."""
    problem = ArchitectureProblem(SPACE, values)
    run = minimize(problem, RAPID(specs=[PROCESS] * 2), ("n_eval", n), seed=seed)
    return run.algorithm, problem


def knowledge(algorithm: RAPID):
    return algorithm.view.knowledge(algorithm.bill, np.empty((0, SPACE.n_var), dtype=np.int64))


class TestShare:
    def test_begins_small_and_follows_what_each_way_earns(self):
        share = MutantShare()
        assert LEAST < share.share < MOST
        rises, falls = MutantShare(), MutantShare()
        for k in range(10):
            own, mutants = [f"o{k}{i}".encode() for i in range(8)], [f"m{k}{i}".encode() for i in range(8)]
            for kept, good in ((rises, mutants), (falls, own)):
                kept.chosen(own, mutants=False)
                kept.chosen(mutants, mutants=True)
                kept.earn(own + mutants, np.isin(own + mutants, good))
        assert rises.share == MOST
        assert falls.share < 0.5 * share.share

    def test_is_what_is_drawn_in_the_mean(self):
        share, rng = MutantShare(), np.random.default_rng(0)
        counts = np.array([share.count(3, FEWEST, rng) for _ in range(4_000)])
        assert counts.mean() == pytest.approx(3 * share.share, abs=0.03)
        assert set(counts) <= {int(3 * share.share), int(3 * share.share) + 1}

    def test_of_a_small_bill_is_nothing(self):
        assert MutantShare().count(1_000, FEWEST - 1, np.random.default_rng(0)) == 0

    def test_credits_each_architecture_once_and_strangers_never(self):
        share = MutantShare()
        share.chosen([b"a", b"b"], mutants=True)
        share.earn([b"a", b"stranger"], np.array([True, True]))
        assert share.trials.tolist() == [0.0, 1.0]
        share.earn([b"a", b"stranger"], np.array([True, True]))
        assert share.trials.tolist() == [0.0, 1.0]
        share.earn([b"a", b"b"], np.array([True, False]))
        assert share.trials[1] > 1.0
        assert share.hits[1] < 1.0 < share.trials[1]

    def test_survives_a_process(self):
        share = MutantShare()
        share.chosen([b"\x00\xff", b"b"], mutants=True)
        share.chosen([b"c"], mutants=False)
        share.earn([b"b", b"c"], np.array([True, False]))
        other = MutantShare()
        other.restore(json.loads(json.dumps(share.state())))
        for one in (share, other):
            one.earn([b"\x00\xff"], np.array([True]))
        assert other.state() == share.state()
        assert other.share == share.share


class TestMutants:
    def test_are_new_and_stem_from_the_front(self):
        algorithm, _ = measured(60)
        known = knowledge(algorithm)
        taken = SPACE.sample(200, 1)
        found = front_mutants(algorithm.view, known, 40, taken, np.random.default_rng(0))
        keys = SPACE.keys(found)
        assert 0 < len(found) <= 40
        assert len(set(keys)) == len(keys)
        assert not set(keys) & (set(SPACE.keys(known.X)) | set(SPACE.keys(taken)))
        front = known.X[on_front(known)]
        apart = (found[:, None, :] != front[None, :, :]).sum(axis=2).min(axis=1)
        assert np.median(apart) == 1

    def test_the_front_is_of_what_succeeded_and_is_feasible(self):
        problem = ArchitectureProblem(SPACE, values, constraints=["latency >= 8"])
        X = SPACE.enumerate()[::7]
        for x, (error, latency) in zip(X, values(X), strict=True):
            row = int(problem.store.ask(x[None])[0])
            told = {"error": error, "latency": latency} if x[0] else {"error": error}
            problem.store.tell(row, told, {} if x[0] else {"latency": "broken"})
        algorithm = RAPID()
        algorithm.setup(problem, termination=("n_eval", 900), seed=0)
        algorithm.follow()
        known = knowledge(algorithm)
        front = on_front(known)
        assert front.any()
        assert (known.X[front][:, 0] > 0).all()
        assert (known.raw[front][:, 1] >= 8).all()

    def test_of_nothing_known_are_none(self):
        view = SpaceView(ArchitectureProblem(SPACE, values))
        algorithm = RAPID()
        algorithm.setup(view.problem, termination=("n_eval", 9), seed=0)
        none = np.empty((0, SPACE.n_var), dtype=np.int64)
        assert len(front_mutants(view, knowledge(algorithm), 5, none, np.random.default_rng(0))) == 0

    def test_keep_bounds_that_are_known(self):
        problem = ArchitectureProblem(SPACE, values, constraints=[lambda a: a["g0"] <= 1])
        run = minimize(problem, RAPID(specs=[PROCESS] * 2), ("n_eval", 90), seed=0)
        assert (problem.store.X[run.algorithm.bill.rows][:, 0] <= 1).all()


class TestRuns:
    def test_spend_the_budget_to_the_last_architecture_of_the_space(self):
        small = GridSpace("small", [Gene(f"g{k}", (0, 1, 2)) for k in range(4)], GOALS)
        problem = ArchitectureProblem(small, lambda X: np.column_stack([-X.sum(axis=1) + 9.0, X @ (1.0, 2, 3, 4)]))
        minimize(problem, RAPID(specs=[PROCESS] * 2), ("n_eval", 500), seed=0)
        assert problem.n_evaluations == 81

    def test_one_at_a_time_are_mutants_now_and_then(self):
        problem = ArchitectureProblem(SPACE, values)
        algorithm = RAPID(specs=[PROCESS] * 2)
        algorithm.setup(problem, termination=("n_eval", 400), seed=0)
        drawn = []
        for _ in range(70):
            X = algorithm.propose(1)
            assert len(X) == 1
            (key,) = SPACE.keys(X)
            drawn.append(algorithm._share._under_way.get(key, 0))
            row = int(problem.store.ask(X)[0])
            problem.store.tell(row, dict(zip(("error", "latency"), values(X)[0].tolist(), strict=True)))
            algorithm.follow()
        assert not any(drawn[:FEWEST])
        assert 0 < sum(drawn[FEWEST:]) < len(drawn[FEWEST:])

    def test_without_them_are_the_predictors_own(self):
        problem = ArchitectureProblem(SPACE, values)
        run = minimize(problem, RAPID(specs=[PROCESS] * 2, mutants=False), ("n_eval", 80), seed=0)
        assert run.algorithm._share.trials.tolist() == [0.0, 0.0]
