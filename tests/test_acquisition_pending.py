"""What is under way counts as chosen: it is not asked for again, and what it will cover is covered."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.acquisition import Candidates, coverage_batch, expected_coverage
from rapid_moo.algorithm import default_batch_size
from rapid_moo.predictors import PredictorSpec

GOALS = (Objective("a", "min"), Objective("b", "min"))
SPACE = GridSpace("grid", [Gene(f"x{k}", (0, 1, 2, 3, 4)) for k in range(4)], GOALS)
PROCESS = PredictorSpec("gaussian_process", {"ard": False}, "all")
FRONT = np.column_stack([np.linspace(0.0, 1.0, 11), np.linspace(1.0, 0.0, 11)])
KNOWN = np.array([[0.0, 1.0], [1.0, 0.0]])


def values(x: IntArray) -> FloatArray:
    return np.column_stack([x.sum(axis=1) + 0.3 * x[:, 0], (4 - x).sum(axis=1) + 0.2 * (x[:, 1] - 2) ** 2]).astype(
        float
    )


def test_what_is_covered_by_pending_is_not_chosen() -> None:
    draws = np.repeat(FRONT[None], 8, axis=0)
    alone = coverage_batch(draws, KNOWN, 1, seed=0)
    beside = coverage_batch(draws, KNOWN, 1, pending=draws[:, alone], seed=0)
    assert abs(int(alone[0]) - int(beside[0])) >= 2


def test_no_pending_is_as_none() -> None:
    draws = FRONT + 0.05 * np.random.default_rng(0).standard_normal((16, 11, 2))
    without = coverage_batch(draws, KNOWN, 4, seed=1)
    assert coverage_batch(draws, KNOWN, 4, pending=draws[:, :0], seed=1).tolist() == without.tolist()


def test_pending_that_fails_to_cover_leaves_the_choice_alone() -> None:
    draws = np.repeat(FRONT[None], 8, axis=0)
    far = np.full((8, 1, 2), 50.0)
    assert (
        coverage_batch(draws, KNOWN, 3, pending=far, seed=0).tolist()
        == coverage_batch(draws, KNOWN, 3, seed=0).tolist()
    )


def test_pending_is_drawn_jointly_with_the_candidates() -> None:
    """One call gives both, so that neighbours err together."""
    asked: list[IntArray] = []

    def draw(rows: IntArray, n: int) -> FloatArray:
        asked.append(rows)
        everyone = np.vstack([FRONT, [[0.5, 0.5]]])
        return np.repeat(everyone[rows][None], n, axis=0)

    candidates = Candidates(FRONT, np.full_like(FRONT, 0.1), KNOWN, draw, pending=np.array([11]))
    chosen = expected_coverage(candidates, 1, np.random.default_rng(0))
    assert len(asked) == 1
    assert asked[0].tolist() == [*range(11), 11]
    assert abs(int(chosen[0]) - 5) >= 2


@pytest.mark.parametrize("size", [1, 4, None])
def test_questions_without_answers_never_repeat_themselves(size: int | None) -> None:
    problem = ArchitectureProblem(SPACE, values)
    algorithm = RAPID(specs=[PROCESS] * 2)
    algorithm.setup(problem, termination=("n_eval", 200), seed=0)
    first = algorithm.propose()
    problem.store.add(first, values(first), free=False)
    problem.store.ask(X := algorithm.propose(size))
    seen = list(SPACE.keys(first)) + list(SPACE.keys(X))
    for _ in range(4):
        algorithm.follow()
        X = algorithm.propose(size)
        problem.store.ask(X)
        seen += list(SPACE.keys(X))
    assert len(seen) == len(set(seen))


def test_answers_to_half_a_batch_do_not_bring_the_other_half_again() -> None:
    problem = ArchitectureProblem(SPACE, values)
    algorithm = RAPID(batch_size=4, specs=[PROCESS] * 2)
    algorithm.setup(problem, termination=("n_eval", 100), seed=1)
    for _ in range(2):
        infills = algorithm.ask()
        algorithm.evaluator.eval(problem, infills)
        algorithm.tell(infills=infills)
    batch = algorithm.ask()
    algorithm.evaluator.eval(problem, batch[:2])
    algorithm.tell(infills=batch[:2])
    waiting = set(SPACE.keys(problem.genotypes(batch[2:].get("X"))))
    assert not waiting & set(SPACE.keys(problem.genotypes(algorithm.ask().get("X"))))


def test_budget_counts_what_is_under_way() -> None:
    problem = ArchitectureProblem(SPACE, values)
    algorithm = RAPID(specs=[PROCESS] * 2)
    algorithm.setup(problem, termination=("n_eval", 20), seed=0)
    first = algorithm.propose()
    problem.store.add(first, values(first), free=False)
    algorithm.follow()
    asked = sum(len(algorithm.propose(3)) for _ in range(4))
    assert len(first) + asked == 20


def test_what_pending_will_dominate_is_no_goal() -> None:
    """Candidates that are on the front only as long as nobody counts what is under way."""
    behind = np.array([[0.45, 0.55], [0.5, 0.5], [0.55, 0.45]])
    ahead = np.array([[0.0, -0.5]])
    draws = np.repeat(np.vstack([behind, ahead])[None], 8, axis=0)
    pending = np.full((8, 1, 2), 0.2)
    known = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert coverage_batch(draws, known, 1, pending=pending, seed=0).tolist() == [3]


def test_a_batch_is_the_smaller_the_more_is_under_way() -> None:
    """Each choice is made in ignorance of what is under way, so further ones wait until something has come in."""
    problem = ArchitectureProblem(SPACE, values)
    algorithm = RAPID(specs=[PROCESS] * 2)
    algorithm.setup(problem, termination=("n_eval", 400), seed=0)
    known = SPACE.sample(80, 0)
    problem.store.add(known, values(known), free=False)
    algorithm.follow()
    sizes = []
    for _ in range(3):
        problem.store.ask(X := algorithm.propose())
        sizes.append(len(X))
        algorithm.follow()
    assert sizes == [default_batch_size(80), 1, 1]
    problem.store.drop(problem.store.waiting[: len(problem.store.waiting) // 2].tolist())
    algorithm.follow()
    assert len(algorithm.propose()) == default_batch_size(80) - int(problem.store.pending.sum())
