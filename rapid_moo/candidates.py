"""The search of predicted objectives: which of a space's architectures are worth a closer look."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.core.callback import Callback
from pymoo.optimize import minimize

from rapid_moo._util import BoolArray, FloatArray, IntArray, unique_rows
from rapid_moo.objectives import to_raw
from rapid_moo.operators import evolutionary, mutated
from rapid_moo.pareto import pareto_ranks
from rapid_moo.predictors import PredictorSet
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.success import SuccessModel
from rapid_moo.tuning.loss import pick_order
from rapid_moo.view import POOL, SpaceView

SEARCHES = ("auto", "exhaustive", "nsga2", "nsga3")
POP_SIZE = 100
GENERATIONS = 60
CROSSED = 0.9
"""Share of the children that have two parents."""
LIKELY = 0.5
"""Probability of success below which an architecture is not proposed while others are left."""
SLACK = 0.5
"""Standard deviations by which what is proposed may be expected to break a constraint."""


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
    """The predicted objectives, under bounds on them, predicted constraints and where evaluations probably succeed."""

    def __init__(
        self, view: SpaceView, predictors: PredictorSet, limits: PredictorSet | None, success: SuccessModel | None
    ) -> None:
        super().__init__(view.space, predictors, constraints=view.constraints)
        self._limits, self._success = limits, success
        if limits is not None:
            self.n_ieq_constr = len(limits.objectives)
        if success is not None:
            self.n_ieq_constr += 1

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._evaluate(x, out, *args, **kwargs)
        if self._limits is not None:
            out["G"] = self._limits.predict(self.genotypes(x))
        if self._success is not None:
            doubt = LIKELY - self._success.predict(self.genotypes(x))
            out["G"] = np.column_stack([out["G"], doubt]) if self.n_ieq_constr > 1 else doubt[:, None]


def search_predictions(
    view: SpaceView,
    predictors: PredictorSet,
    start: IntArray,
    name: str,
    seed: int,
    limits: PredictorSet | None = None,
    generations: int = GENERATIONS,
    success: SuccessModel | None = None,
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
    success : SuccessModel, optional
        Where evaluations fail: the search keeps to where they probably succeed.

    Returns
    -------
    ndarray of shape (n_pool, n_var)
        Distinct genotypes it visited, the best predicted fronts first, at most 5,000.
    """
    problem = _Predictions(view, predictors, limits, success)
    algorithm = evolutionary(name, problem, POP_SIZE)
    fill = view.sample(POP_SIZE, np.random.default_rng(seed))
    algorithm.initialization.sampling = np.vstack([start[: POP_SIZE // 2], fill])[:POP_SIZE]
    visited = _Visited()
    minimize(problem, algorithm, ("n_gen", generations), seed=seed, callback=visited)
    X, F = np.vstack(visited.X), np.vstack(visited.F)
    members = view.candidates_at(X)
    first, _ = unique_rows(members)
    moved = (members[first] != X[first]).any(axis=1)
    values = F[first]
    if moved.any():
        # What stands for its nearest member is worth what is predicted of that member.
        values[moved] = view.predict_mean(predictors, members[first[moved]])
    order = np.argsort(pareto_ranks(values), kind="stable")
    found = members[first[order]]
    return found[view.allowed(found)][:POOL]


def evolve_predictions(
    view: SpaceView,
    predictors: PredictorSet,
    start: IntArray,
    seed: int,
    limits: PredictorSet | None = None,
    success: SuccessModel | None = None,
    generations: int = GENERATIONS,
    children: int = POP_SIZE,
) -> IntArray:
    """Search predicted objectives by evolution of arrays: what NSGA-II does, without an object for each genotype.

    A generation is mutants of uniform crosses of the best by front and crowding distance, and no genotype is predicted
    twice. pymoo's NSGA-II spends nine tenths of such a search on its objects.

    Parameters
    ----------
    view, predictors, start, seed, limits, success
        As in :func:`search_predictions`.
    generations, children : int
        Length, and genotypes of each generation.

    Returns
    -------
    ndarray of shape (n_pool, n_var)
        Distinct genotypes it visited, the best predicted fronts first, at most 5,000.

    References
    ----------
    K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC 6(2), 2002.
    """
    rng = np.random.default_rng(seed)
    fresh = view.candidates_at(np.vstack([start, view.sample(children, rng)]))
    seen: set[bytes] = set()
    X, F = np.empty((0, view.space.n_var), dtype=np.int64), np.empty((0, len(view.objectives)))
    violation = np.array([])
    parents = np.array([], dtype=np.int64)
    for generation in range(generations):
        if generation:
            # Of two the better is a parent.
            first, second = X[parents[rng.integers(0, len(parents), (2, 2, children)).min(axis=0)]]
            swap = (rng.random(first.shape) < 0.5) & (rng.random((children, 1)) < CROSSED)
            crossed = np.where(swap, second, first)
            fresh = view.candidates_at(mutated(view.space, crossed, rng))
        fresh = fresh[view.allowed(fresh)]
        keys = view.space.keys(fresh)
        new = [i for key, i in {key: i for i, key in enumerate(keys)}.items() if key not in seen]
        seen.update(keys)
        fresh = fresh[new]
        if len(fresh):
            mean = view.predict_mean(predictors, fresh)
            worst = predicted_violations(view, fresh, mean, limits).max(axis=1, initial=0.0)
            if success is not None:
                worst = np.maximum(worst, np.maximum(LIKELY - success.predict(fresh), 0.0))
            X, F, violation = np.vstack([X, fresh]), np.vstack([F, mean]), np.append(violation, worst)
        if not len(X):
            return X
        # The last generation's children compete with the parents of the former.
        pool = np.union1d(parents, np.arange(len(X) - len(fresh), len(X)))
        order = pick_order(F[pool])
        order = order[np.argsort(violation[pool[order]], kind="stable")]
        parents = pool[order[:children]]
    order = np.lexsort((pareto_ranks(F), violation > 0.0))
    return X[order[:POOL]]


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
    view: SpaceView,
    X: IntArray,
    mean: FloatArray,
    std: FloatArray,
    at_least: int,
    limits: PredictorSet | None = None,
    slack: float = SLACK,
) -> BoolArray:
    """Candidates that probably meet the problem's constraints; the least violating ones if too few do.

    A bound on an objective is met if the prediction is no further than ``slack`` standard deviations beyond it, and so
    is a foreign problem's predicted constraint. What is known to violate one comes last.
    """
    violation = predicted_violations(view, X, mean, limits)
    if violation.shape[1] == 0:
        return np.ones(len(X), dtype=np.bool_)
    if limits is not None:
        spread = limits.predict(X, return_std=True)[1]
    else:
        columns = [view.problem.constraint_set.column(constraint) for constraint in view.constraints]
        spread = np.column_stack([std[:, k] if k is not None else np.zeros(len(X)) for k in columns])
    worst = (violation - slack * spread).max(axis=1)
    met: BoolArray = np.asarray(worst <= 0.0)
    if met.sum() < at_least:
        hopeless = ((violation > 0.0) & (spread == 0.0)).any(axis=1)
        met[np.lexsort((worst, hopeless))[:at_least]] = True
    return np.asarray(met)
