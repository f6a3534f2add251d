"""LINAS: train predictors, search them with a genetic algorithm, evaluate its last population, again.

D. Cummings et al., "A hardware-aware framework for accelerating neural architecture search across modalities" (DyNAS-T,
Intel Labs), 2022. As its authors do it: populations of 50; each objective predicted by ridge regression or a support
vector machine, whichever has the smaller cross-validated MAPE; NSGA-II for two objectives and U-NSGA-III for more.

Ours are a coarser grid (seven values for each regressor instead of a hundred: penalties of the ridge from 0.1 to 100 by
1, 3, 10, and C from 1 to 100 by 1, 2, 5, 10) with five folds, one-hot features, standardised targets for both
regressors, and an inner search of 5,000 predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.optimize import minimize
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from rapid_moo._util import FloatArray, IntArray, drawn_seed
from rapid_moo.comparison.method import Method
from rapid_moo.comparison.methods._pymoo import reference_directions
from rapid_moo.objectives import Objective
from rapid_moo.operators import evolutionary, genotype_operators
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace

_FOLDS = 5
_GRID = (
    (Ridge(), {"regressor__alpha": [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]}),
    (SVR(kernel="rbf", gamma="auto", epsilon=0.0), {"regressor__C": [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]}),
)


class LINAS(Method):
    """Iterated predictors with the last population of a genetic algorithm as the batch."""

    name = "linas"
    population: ClassVar[int] = 50
    generations: ClassVar[int] = 100

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._rng = np.random.default_rng(seed)
        self._predictors: _Predictors | None = None

    def ask(self) -> IntArray:
        """Random members, then what the search of the predictions ends with."""
        if self.problem.n_evaluations == 0:
            return self.members[self._rng.permutation(len(self.members))[: self.population]]
        # A population that was known already has taught nothing.
        if self._predictors is None or self._predictors.n_rows < self.problem.n_evaluations:
            self._predictors = _Predictors(self.problem)
        return self._searched(self._predictors)

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Learn when asked next; values are in the store."""

    def _searched(self, predictors: _Predictors) -> IntArray:
        """The last population of a genetic algorithm on the predicted objectives, shape (n, n_var)."""
        problem = ArchitectureProblem(self.problem.space, predictors)
        seed = drawn_seed(self._rng)
        if problem.n_obj == 2:
            algorithm = evolutionary("nsga2", problem, self.population)
        else:
            directions = reference_directions(problem.n_obj, self.population)
            algorithm = UNSGA3(directions, pop_size=self.population, **genotype_operators(problem))
        result = minimize(problem, algorithm, ("n_gen", self.generations), seed=seed)
        return np.asarray(result.pop.get("X"), dtype=np.int64)


class _Predictors:
    """One regressor per objective on everything that was evaluated."""

    def __init__(self, problem: ArchitectureProblem) -> None:
        self.space: SearchSpace = problem.space
        self.objectives: Sequence[Objective] = problem.objectives
        self.n_rows = problem.n_evaluations
        inputs = self.space.features(problem.store.X, "one_hot")
        self._models = [_best_regressor(inputs, y) for y in problem.store.raw.T]

    def predict(self, X: IntArray) -> FloatArray:
        """Raw objectives, shape (n, n_objectives)."""
        inputs = self.space.features(X, "one_hot")
        return np.column_stack([model.predict(inputs) for model in self._models])


def _best_regressor(inputs: FloatArray, y: FloatArray) -> BaseEstimator:
    searches = [
        GridSearchCV(
            TransformedTargetRegressor(regressor, transformer=StandardScaler()),
            grid,
            scoring="neg_mean_absolute_percentage_error",
            cv=min(_FOLDS, len(y)),
        ).fit(inputs, y)
        for regressor, grid in _GRID
    ]
    return max(searches, key=lambda search: search.best_score_).best_estimator_
