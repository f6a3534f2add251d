"""What may be evaluated next: any pymoo problem seen as a search space, and the search of its predicted objectives."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from pymoo.core.callback import Callback
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.optimize import minimize

from rapid_moo._util import BoolArray, FloatArray, IntArray, unique_rows
from rapid_moo.design import designed_sample
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective, signs, to_raw
from rapid_moo.operators import evolutionary
from rapid_moo.pareto import pareto_ranks
from rapid_moo.predictors import PredictorSet
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import Gene, GridSpace, SearchSpace
from rapid_moo.table import ArchitectureTable

SEARCHES = ("auto", "exhaustive", "nsga2", "nsga3")
CANDIDATES = ("auto", "members", "space")
LISTABLE = 200_000
POP_SIZE = 100
GENERATIONS = 60
POOL = 5_000
EQUAL = 1e-4
"""How far from 0 pymoo lets an equality constraint be."""


class SpaceView:
    """Any pymoo problem with integer variables, seen as a search space with objectives.

    Parameters
    ----------
    problem : pymoo Problem
        An :class:`ArchitectureProblem` brings its space, table and objectives. Of any other problem the integer
        bounds make the space; its objectives are anonymous and minimised.
    candidates : {"auto", "members", "space"}
        Where proposals come from: the members of the problem's table, or the whole space; "auto" takes the members
        where the problem is evaluated on a table.
    """

    def __init__(self, problem: Problem, candidates: str = "auto") -> None:
        if candidates not in CANDIDATES:
            raise InputError(f"candidates: expected one of {', '.join(CANDIDATES)}, got {candidates!r}")
        self.problem = problem
        self.native = isinstance(problem, ArchitectureProblem)
        self.space: SearchSpace = problem.space if self.native else _integer_space(problem)
        self.objectives: tuple[Objective, ...] = (
            problem.objectives if self.native else tuple(Objective(f"f{k + 1}", "min") for k in range(problem.n_obj))
        )
        self.constraints = tuple(problem.constraints) if self.native else ()
        on_table = self.native and isinstance(getattr(problem.source, "table", None), ArchitectureTable)
        if candidates == "members" and not on_table:
            raise InputError("candidates: 'members' needs a problem that is evaluated on a table")
        self.restricted = on_table and candidates != "space"

    @cached_property
    def members(self) -> IntArray | None:
        """All candidates where they can be listed, shape (n, n_var); None where the space is too large."""
        if self.restricted:
            return np.asarray(self.problem.source.table.X)
        return self.space.enumerate() if self.space.size <= LISTABLE and self.space.enumerable else None

    @property
    def n_members(self) -> int:
        """Number of candidates."""
        return len(self.members) if self.members is not None else self.space.size

    def genotypes(self, x: Any) -> IntArray:
        """Variables of the problem as repaired genotypes."""
        return self.candidates_at(x if self.native else np.asarray(x, dtype=np.float64) - np.ceil(self.problem.xl))

    def candidates_at(self, codes: Any) -> IntArray:
        """The candidates that codes of the space stand for: members of a table, or the genotypes themselves."""
        if self.native:
            return np.asarray(self.problem.genotypes(codes))
        return self.space.repair(np.clip(np.rint(codes), 0, self.space.xu))

    def variables(self, X: IntArray) -> IntArray:
        """Genotypes as variables of the problem."""
        return X if self.native else X + np.ceil(self.problem.xl).astype(np.int64)

    def first_sample(self, n: int, sampling: str, rng: np.random.Generator) -> IntArray:
        """Distinct candidates to begin with, shape (n, n_var): ``"designed"`` or ``"random"``."""
        pool = self.members
        if pool is None:
            pool = self.space.sample(max(n, POOL if sampling == "designed" else n), rng)
        if sampling == "designed":
            return designed_sample(self.space, pool, n, rng)
        return pool[rng.permutation(len(pool))[:n]]

    def sample_table(self, X: IntArray, F: FloatArray) -> ArchitectureTable:
        """What is known as a table; failed evaluations (infinite objectives) are left out."""
        done = np.isfinite(F).all(axis=1)
        if not done.any():
            raise InputError(f"{self.space.name}: expected at least one successful evaluation, all {len(F)} failed")
        raw = to_raw(F[done], self.objectives)
        return ArchitectureTable.build(self.space, self.objectives, X[done], raw, name="evaluated")

    def constraint_table(self, X: IntArray, population: Population) -> ArchitectureTable | None:
        """What is known of a foreign problem's constraints, feasible at 0 and below; None if it has none.

        An :class:`ArchitectureProblem` bounds what is computed or predicted anyway.
        """
        if self.native or not self.problem.has_constraints():
            return None
        inequalities = population.get("G").reshape(len(X), -1)
        equalities = np.abs(population.get("H").reshape(len(X), -1)) - EQUAL
        values = np.hstack([inequalities, equalities]).astype(np.float64)
        done = np.isfinite(values).all(axis=1)
        names = tuple(Objective(f"g{k + 1}", "min") for k in range(values.shape[1]))
        return ArchitectureTable.build(self.space, names, X[done], values[done], "constraints") if done.any() else None

    def predict(self, predictors: PredictorSet, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Minimised mean and standard deviation of shape (n, n_obj)."""
        mean, std = predictors.predict(X, return_std=True)
        return mean * signs(self.objectives), std

    def predict_mean(self, predictors: PredictorSet, X: IntArray) -> FloatArray:
        """Minimised predictions of shape (n, n_obj)."""
        return np.asarray(predictors.predict(X) * signs(self.objectives))

    def draw(self, predictors: PredictorSet, X: IntArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Possible minimised truths of shape (n_draws, n, n_obj)."""
        return np.asarray(predictors.sample_y(X, n_draws, rng) * signs(self.objectives))

    def new_only(self, X: IntArray, known: IntArray) -> IntArray:
        """The architectures of ``X`` that are not among the known ones, each once."""
        seen = set(self.space.keys(known))
        fresh = X[unique_rows(X)[0]]
        return fresh[np.array([key not in seen for key in self.space.keys(fresh)], dtype=np.bool_)]


def _integer_space(problem: Problem) -> GridSpace:
    if problem.xl is None or problem.xu is None:
        raise InputError("problem: expected bounds on every variable, got none")
    low, high = np.ceil(problem.xl).astype(int), np.floor(problem.xu).astype(int)
    integer = problem.vtype in (int, bool, np.integer, np.bool_)
    if not integer or (low > high).any():
        raise InputError(
            f"problem: expected integer variables (vtype=int) with xl <= xu, got vtype={problem.vtype},"
            f" xl={problem.xl}, xu={problem.xu}"
        )
    genes = [Gene(f"x{k + 1}", tuple(range(a, b + 1))) for k, (a, b) in enumerate(zip(low, high, strict=True))]
    return GridSpace(type(problem).__name__, genes)


class _Visited(Callback):  # type: ignore[misc]  # pymoo ships no types
    """Keeps the predictions that a search visited, so that the pool is more than its last population."""

    def __init__(self) -> None:
        super().__init__()
        self.X: list[IntArray] = []
        self.F: list[FloatArray] = []

    def notify(self, algorithm: Any) -> None:
        self.X.append(np.asarray(algorithm.pop.get("X"), dtype=np.int64))
        self.F.append(np.asarray(algorithm.pop.get("F")))


class _Predictions(ArchitectureProblem):
    """The predicted objectives, under bounds on them and under predicted constraints."""

    def __init__(self, view: SpaceView, predictors: PredictorSet, limits: PredictorSet | None) -> None:
        super().__init__(view.space, predictors, constraints=view.constraints)
        self._limits = limits
        if limits is not None:
            self.n_ieq_constr = len(limits.objectives)

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._evaluate(x, out, *args, **kwargs)
        if self._limits is not None:
            out["G"] = self._limits.predict(self.genotypes(x))


def search_predictions(
    view: SpaceView,
    predictors: PredictorSet,
    start: IntArray,
    name: str,
    seed: int,
    limits: PredictorSet | None = None,
    generations: int = GENERATIONS,
) -> IntArray:
    """Search predicted objectives with NSGA-II or NSGA-III over the space.

    Parameters
    ----------
    view : SpaceView
        The space; with a member-restricted view each genotype stands for its nearest member.
    predictors : PredictorSet
        Fitted predictors.
    start : ndarray of shape (n, n_var)
        Genotypes to start from, such as the best known; filled up at random.
    name : {"nsga2", "nsga3"}
        Which algorithm.
    seed : int
        Its seed.
    limits : PredictorSet, optional
        Fitted predictors of a foreign problem's constraints.
    generations : int
        Its length, with a population of 100.

    Returns
    -------
    ndarray of shape (n_pool, n_var)
        Distinct genotypes it visited, the best predicted fronts first, at most 5,000.
    """
    problem = _Predictions(view, predictors, limits)
    algorithm = evolutionary(name, problem, POP_SIZE)
    fill = view.space.sample(POP_SIZE, np.random.default_rng(seed))
    algorithm.initialization.sampling = np.vstack([start[: POP_SIZE // 2], fill])[:POP_SIZE]
    visited = _Visited()
    minimize(problem, algorithm, ("n_gen", generations), seed=seed, callback=visited)
    X, F = np.vstack(visited.X), np.vstack(visited.F)
    X = view.candidates_at(X)
    first, _ = unique_rows(X)
    order = np.argsort(pareto_ranks(F[first]), kind="stable")
    return X[first[order]][:POOL]


def predicted_violations(
    view: SpaceView, X: IntArray, mean: FloatArray, limits: PredictorSet | None = None
) -> FloatArray:
    """Predicted values of the problem's constraints, shape (n, n_constraints), feasible at 0 and below."""
    if limits is not None:
        return np.asarray(limits.predict(X))
    if view.constraints:
        return np.asarray(view.problem.violations(X, to_raw(mean, view.objectives)))
    return np.empty((len(X), 0))


def within_constraints(
    view: SpaceView, X: IntArray, mean: FloatArray, std: FloatArray, at_least: int, limits: PredictorSet | None = None
) -> BoolArray:
    """Candidates that probably meet the problem's constraints; the least violating ones if too few do.

    A bound on an objective is met if the prediction is no further than half a standard deviation beyond it, and so is
    a foreign problem's predicted constraint.
    """
    violation = predicted_violations(view, X, mean, limits)
    if violation.shape[1] == 0:
        return np.ones(len(X), dtype=np.bool_)
    if limits is not None:
        spread = limits.predict(X, return_std=True)[1]
    else:
        names = [objective.name for objective in view.objectives]
        spread = np.column_stack(
            [std[:, names.index(c.name)] if c.name in names else np.zeros(len(X)) for c in view.constraints]
        )
    worst = (violation - 0.5 * spread).max(axis=1)
    met: BoolArray = np.asarray(worst <= 0.0)
    if met.sum() < at_least:
        met[np.argsort(worst, kind="stable")[:at_least]] = True
    return np.asarray(met)
