"""Conformance of problems."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.optimize import minimize

from rapid_moo._util import IntArray, unique_rows
from rapid_moo.curves import Stops
from rapid_moo.evaluator import BillingEvaluator
from rapid_moo.measure import Attempt, Outcome
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import is_nondominated
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.sources import MeasureSource
from rapid_moo.table import ArchitectureTable
from rapid_moo.testing._require import require, require_rows, unchanged

logger = logging.getLogger(__name__)


def check_problem(problem: ArchitectureProblem, *, n: int = 20, seed: int = 0, measure: bool = False) -> str:
    """Check a problem, from an empty store of its own; the user's measure is not called unless that is asked for.

    A table or predictors are asked about ``3 n`` times, which costs nothing. Where a measure of the user's own gives
    the objectives, made-up values stand in for it: no network is trained. ``measure=True`` calls it, at most
    :func:`most_calls` times. Functions of the genes (what the space computes, constraints) are always called.

    Parameters
    ----------
    problem : ArchitectureProblem
        What is checked; its store is left as it is.
    n : int
        Number of genotypes per check.
    seed : int
        Source of randomness.
    measure : bool
        Whether the user's own measure is called.

    Returns
    -------
    str
        What was called, in one sentence.

    Raises
    ------
    ConformanceError
        At the first broken promise.
    """
    require(isinstance(problem, Problem), f"expected a pymoo Problem, got {type(problem).__name__}")
    require(isinstance(problem, ArchitectureProblem), f"expected an ArchitectureProblem, got {type(problem).__name__}")
    said = _calls(problem, n, measure)
    logger.info("%s", said)
    before = problem.n_evaluations
    rng = np.random.default_rng(seed)
    X = rng.integers(0, problem.space.n_choices, size=(n, problem.n_var)).astype(np.int64)
    for check in PROBLEM_CHECKS.values():
        check(problem.fresh() if measure else _without_measure(problem.fresh()), X.copy())
    require(problem.n_evaluations == before, "fresh() shares its store with the problem it came from")
    return said


def most_calls(n: int = 20) -> int:
    """How often :func:`check_problem` calls each function of the user's measure at most, where it is to call it."""
    return 3 * n + max(4, n // 4)


def _calls(problem: ArchitectureProblem, n: int, measure: bool) -> str:
    if not isinstance(problem.source, MeasureSource):
        return f"{problem.name()}: objectives come from {type(problem.source).__name__}; no measure is called"
    if measure:
        return f"{problem.name()}: the measure is called at most {most_calls(n)} times"
    return (
        f"{problem.name()}: made-up values stand in for the measure, which is not called; measure=True calls it at most"
        f" {most_calls(n)} times"
    )


def _without_measure(problem: ArchitectureProblem) -> ArchitectureProblem:
    """The problem with made-up values in place of those of the user's measure."""
    if isinstance(problem.source, MeasureSource):
        stand_ins = tuple(_StandIn(attempt.names) for attempt in problem.source.attempts)
        problem.source = replace(problem.source, attempts=stand_ins)
    return problem


class _StandIn(Attempt):
    """Values that follow from the genes alone, without the user's code."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(dict, names)

    def __call__(self, architecture: Mapping[str, Any], stops: Stops | None = None) -> Outcome:
        """Made-up values in [0, 1)."""
        return Outcome({name: zlib.crc32(f"{name} {architecture}".encode()) / 2**32 for name in self.names}, {}, 0.0)


def _check_bounds(problem: ArchitectureProblem, _X: IntArray) -> None:
    space = problem.space
    require(problem.n_var == space.n_var, f"problem: expected n_var {space.n_var}, got {problem.n_var}")
    require(
        bool((problem.xl == space.xl).all() and (problem.xu == space.xu).all()), "problem: bounds are not the space's"
    )
    names = [objective.name for objective in problem.objectives]
    require(
        len(set(names)) == len(names) == problem.n_obj,
        f"problem: expected {problem.n_obj} distinct objectives, got {names}",
    )


def _check_evaluation(problem: ArchitectureProblem, X: IntArray) -> None:
    F = unchanged(lambda Z: problem.evaluate(Z, return_values_of=["F"]), X, "problem: evaluate")
    require(F.shape == (len(X), problem.n_obj), f"problem: F: expected shape {(len(X), problem.n_obj)}, got {F.shape}")
    require_rows(~np.isnan(F).any(axis=1), "problem: F holds NaN; a failed evaluation is infinite", X, F)
    require_rows(~np.isneginf(F).any(axis=1), "problem: F holds -inf", X, F)
    raw = problem.evaluate_raw(problem.genotypes(X))
    good = np.isfinite(raw).all(axis=1)
    require_rows(
        ~good | (to_minimised(raw, problem.objectives) == F).all(axis=1),
        "problem: F is not the minimised raw value",
        raw,
        F,
    )
    single = problem.evaluate(X[0], return_values_of=["F"])
    require(bool(np.array_equal(np.ravel(single), F[0])), f"problem: one row alone: expected {F[0]}, got {single}")
    if problem.n_ieq_constr:
        G = problem.evaluate(X, return_values_of=["G"])
        require(G.shape == (len(X), problem.n_ieq_constr), f"problem: G: got shape {G.shape}")
        require_rows(~np.isnan(G).any(axis=1), "problem: G holds NaN", X, G)


def _check_billing(problem: ArchitectureProblem, X: IntArray) -> None:
    first = problem.evaluate(X, return_values_of=["F"])
    billed = problem.n_evaluations
    members = unique_rows(problem.genotypes(X))[0]
    expected = len(members) if problem.source.true else 0
    require(billed == expected, f"problem: expected {expected} evaluations billed, got {billed}")
    active = problem.space.is_active(X)
    variants = {
        "the same genotypes": X,
        "their repaired form": problem.space.repair(X),
        "other values of inactive genes": np.where(active, X, (X + 1) % problem.space.n_choices),
        "fractions that round to them": X + 0.25,
    }
    for what, variant in variants.items():
        again = problem.evaluate(variant, return_values_of=["F"])
        require_rows((again == first).all(axis=1), f"problem: {what} give other values", first, again)
        require(
            problem.n_evaluations == billed, f"problem: {what} are billed again ({billed} -> {problem.n_evaluations})"
        )


def _check_front(problem: ArchitectureProblem, X: IntArray) -> None:
    front = problem.pareto_front()
    if front is None:
        return
    require(front.ndim == 2 and front.shape[1] == problem.n_obj, f"pareto_front: got shape {front.shape}")
    require_rows(np.isfinite(front).all(axis=1), "pareto_front is not finite", front, front)
    require_rows(is_nondominated(front), "pareto_front holds a dominated point", front, front)
    require(len(np.unique(front, axis=0)) == len(front), "pareto_front repeats a point")
    if not isinstance(getattr(problem.source, "table", None), ArchitectureTable):
        return
    found = problem.evaluate(np.asarray(problem.pareto_set()), return_values_of=["F"])
    require_rows((found == front).all(axis=1), "pareto_set does not evaluate to pareto_front", front, found)
    out = problem.evaluate(X, return_values_of=["F", "G"], return_as_dictionary=True)
    feasible = (out["G"] <= 0).all(axis=1) if problem.n_ieq_constr else np.ones(len(X), dtype=np.bool_)
    kept = is_nondominated(np.vstack([front, out["F"][feasible]]))[: len(front)]
    require_rows(kept, "pareto_front is dominated by an architecture of the table", front, front)


def _check_host(problem: ArchitectureProblem, X: IntArray) -> None:
    evaluator = BillingEvaluator(patience=5)
    pop = max(4, len(X) // 4)
    # Failed evaluations are infinite, and pymoo's crowding distance subtracts them from each other.
    with np.errstate(invalid="ignore"):
        result = minimize(problem, NSGA2(pop_size=pop), ("n_eval", len(X)), seed=1, evaluator=evaluator)
    F = np.asarray(result.pop.get("F"))
    require(
        F.shape == (pop, problem.n_obj), f"pymoo's NSGA-II: expected F of shape {(pop, problem.n_obj)}, got {F.shape}"
    )
    distinct = len(unique_rows(problem.store.X)[0])
    require(distinct == problem.n_evaluations, f"problem: {problem.n_evaluations} billed, {distinct} distinct")


PROBLEM_CHECKS: Mapping[str, Callable[[ArchitectureProblem, IntArray], None]] = MappingProxyType(
    {
        "bounds": _check_bounds,
        "evaluation": _check_evaluation,
        "billing": _check_billing,
        "front": _check_front,
        "host": _check_host,
    }
)
"""Single checks of a problem by name; each takes a problem with an empty store and genotypes."""
