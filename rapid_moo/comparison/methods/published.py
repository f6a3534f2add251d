"""One-shot RAPID as published, with the directions of the objectives corrected.

The procedure of RAPID's two scripts: a fixed grid of 67 regressors per objective is fitted on a part of the sample,
the five with the smallest MAPE on the rest (the validation rows) are kept, their 125 triplets are ranked by the ADRS
between the validation rows' true front and the rows that the triplet predicts to be their front, the best triplet is
fitted on the whole sample, and every architecture that it predicts to be non-dominated is evaluated.

What the description leaves open: a fifth of the sample is validation rows; features are the published vectors; linear
models get standardised features, without which they diverge; ADRS ties go to the smaller MAPE. A boosted ensemble or
forest gives its shorter versions from one fit: the predictions are those of separate fits, for less time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.indicators import adrs
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_indices
from rapid_moo.problem import ArchitectureProblem

SHORTLIST = 5
_FOREST_TREES = (10, 100, 500, 1000)
_BOOSTING_TREES = (10, 100, 1000)
_DEPTHS = (None, 4, 32, 256)


@dataclass(frozen=True)
class Regressor:
    """One configuration of the grid."""

    family: str
    params: Mapping[str, Any]

    def make(self, seed: int) -> BaseEstimator:
        """The unfitted estimator."""
        if self.family == "gradient_boosting":
            return GradientBoostingRegressor(**self.params, random_state=seed)
        if self.family == "random_forest":
            return RandomForestRegressor(**self.params, random_state=seed)
        if self.family == "xgboost":
            return XGBRegressor(**self.params, random_state=seed, n_jobs=1, tree_method="exact")
        return make_pipeline(StandardScaler(), SGDRegressor(**self.params, random_state=seed))


def published_grid() -> list[Regressor]:
    """The 67 configurations."""
    grid = [
        Regressor("gradient_boosting", {"loss": loss, "learning_rate": rate, "n_estimators": trees})
        for loss in ("squared_error", "huber", "quantile")
        for rate in (0.1, 0.001, 0.0001)
        for trees in _BOOSTING_TREES
    ]
    grid += [
        Regressor(family, {"max_depth": depth, "n_estimators": trees})
        for family in ("random_forest", "xgboost")
        for depth in _DEPTHS
        for trees in _FOREST_TREES
    ]
    grid += [
        Regressor("sgd", {"loss": loss, "penalty": penalty})
        for loss in ("squared_error", "huber")
        for penalty in ("l2", "l1", "elasticnet", None)
    ]
    return grid


def fit_grid(
    grid: list[Regressor], X: FloatArray, y: FloatArray, unseen: FloatArray, seed: int
) -> list[tuple[Regressor, FloatArray]]:
    """Each configuration with its predictions of shape (n_unseen,), in the order of the grid.

    Configurations that differ in the number of trees alone share one fit.
    """
    found: dict[int, FloatArray] = {}
    for members in _families(grid):
        longest = max(members, key=lambda i: grid[i].params.get("n_estimators", 0))
        model = grid[longest].make(seed).fit(X, y)
        for i in members:
            found[i] = _predict(grid[i], model, unseen)
    return [(regressor, found[i]) for i, regressor in enumerate(grid)]


def _families(grid: list[Regressor]) -> Iterator[list[int]]:
    """Positions of the configurations that are alike but for the number of trees."""
    alike: dict[str, list[int]] = {}
    for i, regressor in enumerate(grid):
        rest = {key: value for key, value in regressor.params.items() if key != "n_estimators"}
        alike.setdefault(f"{regressor.family} {sorted(rest.items())}", []).append(i)
    yield from alike.values()


def _predict(regressor: Regressor, model: Any, X: FloatArray) -> FloatArray:
    """Predictions of the configuration, from a fit with at least as many trees."""
    trees = regressor.params.get("n_estimators")
    if regressor.family == "gradient_boosting":
        return np.asarray(next(p for k, p in enumerate(model.staged_predict(X), 1) if k == trees))
    if regressor.family == "xgboost":
        return np.asarray(model.predict(X, iteration_range=(0, trees)), dtype=np.float64)
    if regressor.family == "random_forest":
        return np.asarray(np.mean([tree.predict(X) for tree in model.estimators_[:trees]], axis=0))
    return np.asarray(model.predict(X))


def mape(truth: FloatArray, predicted: FloatArray) -> float:
    """Mean absolute percentage error as a fraction; a value of zero counts with the mean magnitude instead."""
    scale = np.where(truth == 0, np.abs(truth).mean() or 1.0, np.abs(truth))
    return float(np.mean(np.abs(predicted - truth) / scale))


def shortlist(
    fitted: list[tuple[Regressor, FloatArray]], truth: FloatArray, count: int = SHORTLIST
) -> list[tuple[Regressor, FloatArray, float]]:
    """The configurations of the smallest MAPE on the validation rows, with predictions and MAPE."""
    scored = [(regressor, predicted, mape(truth, predicted)) for regressor, predicted in fitted]
    return sorted(scored, key=lambda item: item[2])[:count]


def rank_triplets(
    shortlists: list[list[tuple[Regressor, FloatArray, float]]], raw: FloatArray, objectives: Any
) -> list[tuple[float, tuple[Regressor, ...]]]:
    """All combinations of one shortlisted configuration per objective, best ADRS on the validation rows first."""
    F = to_minimised(raw, objectives)
    front = F[front_indices(F)]
    scored = []
    for triplet in product(*shortlists):
        predicted = to_minimised(np.column_stack([item[1] for item in triplet]), objectives)
        loss = adrs(F[front_indices(predicted)], reference=front)
        scored.append((loss, sum(item[2] for item in triplet), tuple(item[0] for item in triplet)))
    return [(loss, regressors) for loss, _, regressors in sorted(scored, key=lambda item: item[:2])]


class PublishedRAPID(Method):
    """The published one-shot procedure; its verified front is billed on top of the sample."""

    name = "rapid-published"
    anytime = False
    overruns = True
    validation: ClassVar[float] = 0.2

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._order = np.random.default_rng(seed).permutation(len(self.members))
        self.triplet: tuple[Regressor, ...] | None = None
        self._told = 0

    def ask(self) -> IntArray:
        """The random sample, then the predicted front."""
        if self._told == 0:
            return self.members[self._order[: self.budget]]
        if self._told > 1:
            return self.members[:0]
        return self._predicted_front()

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Count the phases; values are in the store."""
        self._told += 1

    def _predicted_front(self) -> IntArray:
        store, space = self.problem.store, self.problem.space
        X, raw = space.decode(store.X).astype(np.float64), store.raw
        n_fit = len(X) - max(1, round(self.validation * len(X))) if len(X) > 1 else 1
        fit, held = slice(0, n_fit), slice(n_fit if len(X) > 1 else 0, None)
        seed, grid = int(self.seed) % 2**31, published_grid()
        lists = [
            shortlist(fit_grid(grid, X[fit], raw[fit, k], X[held], seed), raw[held, k]) for k in range(raw.shape[1])
        ]
        self.triplet = rank_triplets(lists, raw[held], self.problem.objectives)[0][1]
        everyone = space.decode(self.members).astype(np.float64)
        predicted = np.column_stack(
            [_final(regressor, X, raw[:, k], everyone, seed) for k, regressor in enumerate(self.triplet)]
        )
        return self.members[front_indices(to_minimised(predicted, self.problem.objectives))]


def _final(regressor: Regressor, X: FloatArray, y: FloatArray, everyone: FloatArray, seed: int) -> FloatArray:
    return _predict(regressor, regressor.make(seed).fit(X, y), everyone)
