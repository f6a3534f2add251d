"""One-shot RAPID as published, re-created from its description: a grid of 67 regressors per objective, 125 triplets.

The sample's last fifth (three rows at least) is for validation. Every regressor of the grid is fitted on the rest, for
each objective the five with the smallest MAPE on the validation rows are kept, and their 125 triplets are ranked by the
ADRS between the validation rows' true front and the rows that the triplet predicts to be their front. The best triplet
is fitted on the whole sample, and every architecture that it predicts to be non-dominated is evaluated.

Two repairs, so that it is not beaten for its slips: directions are right (true and predicted values are minimised
alike), and where the validation rows' front is degenerate, so that its ADRS says nothing, triplets are ranked by MAPE.
Inputs are the published vectors as they are, and every fit keeps its library's defaults beside the grid, on one thread.

Source: RAPID (McGill Edge Intelligence Lab), ``adrs_tuner.py``: grid, five best by validation MAPE per objective,
ADRS of all 125 triplets on the validation rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import SGDRegressor
from xgboost import XGBRegressor

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.indicators import adrs
from rapid_moo.objectives import Objective, signs
from rapid_moo.pareto import front_indices, front_points
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace

SHORTLIST = 5
VALIDATION_SHARE = 0.2
FEWEST_VALIDATION = 3
HUGE = 1e30
_MAKERS: Mapping[str, tuple[Callable[..., BaseEstimator], Mapping[str, Any]]] = {
    "gradient_boosting": (GradientBoostingRegressor, {}),
    "random_forest": (RandomForestRegressor, {"n_jobs": 1}),
    "xgboost": (XGBRegressor, {"n_jobs": 1, "verbosity": 0}),
    "sgd": (SGDRegressor, {}),
}


@dataclass(frozen=True)
class Regressor:
    """One configuration of the grid."""

    family: str
    params: Mapping[str, Any]

    def fit(self, X: FloatArray, y: FloatArray, seed: int) -> Any:
        """A fitted estimator, or None where the fit overflows: unscaled vectors do that to gradient descent."""
        make, options = _MAKERS[self.family]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return make(**self.params, **options, random_state=seed).fit(X, y)
            except ValueError:
                return None

    @property
    def trees(self) -> int:
        """Length of an ensemble; 0 for a linear model."""
        return int(self.params.get("n_estimators", 0))


def published_grid() -> list[Regressor]:
    """The 67 configurations."""
    grid = [
        Regressor("gradient_boosting", {"loss": loss, "learning_rate": rate, "n_estimators": trees})
        for loss in ("squared_error", "huber", "quantile")
        for rate in (0.1, 0.001, 0.0001)
        for trees in (10, 100, 1000)
    ]
    for trees, depth in product((10, 100, 500, 1000), (None, 4, 32, 256)):
        grid += [Regressor(name, {"n_estimators": trees, "max_depth": depth}) for name in ("random_forest", "xgboost")]
    grid += [
        Regressor("sgd", {"loss": loss, "penalty": penalty})
        for loss in ("squared_error", "huber")
        for penalty in ("l2", "l1", "elasticnet", None)
    ]
    return grid


FitGrid = Callable[[Sequence[Regressor], FloatArray, FloatArray, FloatArray, int], list[FloatArray]]


def fit_separately(
    grid: Sequence[Regressor], X: FloatArray, y: FloatArray, unseen: FloatArray, seed: int
) -> list[FloatArray]:
    """Predictions of each configuration, shape (n_unseen,), from a fit of its own: what the published tuner costs."""
    return [_predictions(regressor, regressor.fit(X, y, seed), unseen) for regressor in grid]


def fit_shared(
    grid: Sequence[Regressor], X: FloatArray, y: FloatArray, unseen: FloatArray, seed: int
) -> list[FloatArray]:
    """The same predictions for less time: configurations that differ in the number of trees alone share one fit."""
    fits: dict[str, Any] = {}
    found: dict[int, FloatArray] = {}
    for i in sorted(range(len(grid)), key=lambda i: -grid[i].trees):
        rest = {key: value for key, value in grid[i].params.items() if key != "n_estimators"}
        alike = f"{grid[i].family} {sorted(rest.items())}"
        if alike not in fits:
            fits[alike] = grid[i].fit(X, y, seed)
        found[i] = _predictions(grid[i], fits[alike], unseen)
    return [found[i] for i in range(len(grid))]


def _predictions(regressor: Regressor, model: Any, X: FloatArray) -> FloatArray:
    """Finite predictions of the configuration, from a fit with at least as many trees."""
    if model is None:
        return np.full(len(X), HUGE)
    trees = regressor.trees
    if regressor.family == "gradient_boosting":
        found = next(p for k, p in enumerate(model.staged_predict(X), 1) if k == trees)
    elif regressor.family == "xgboost":
        found = model.predict(X, iteration_range=(0, trees))
    elif regressor.family == "random_forest":
        found = np.mean([tree.predict(X) for tree in model.estimators_[:trees]], axis=0)
    else:
        found = model.predict(X)
    return np.clip(np.nan_to_num(np.asarray(found, dtype=np.float64), nan=HUGE), -HUGE, HUGE)


def mape(truth: FloatArray, predicted: FloatArray) -> float:
    """Mean absolute percentage error as a fraction."""
    return float(np.mean(np.abs(predicted - truth) / np.maximum(np.abs(truth), 1e-12)))


@dataclass(frozen=True)
class Published:
    """What the published procedure chose on a sample.

    Attributes
    ----------
    regressors : tuple of Regressor
        The triplet: one configuration per objective.
    promised : float
        The validation ADRS by which it was chosen; NaN where that was degenerate.
    n_fits : int
        Configurations that were fitted.
    seed : int
        Seed of all fits.
    """

    regressors: tuple[Regressor, ...]
    promised: float
    n_fits: int
    seed: int

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the triplet."""
        return tuple(regressor.family for regressor in self.regressors)

    def predict(self, vectors: FloatArray, raw: FloatArray, unseen: FloatArray) -> FloatArray:
        """Raw predictions of shape (n_unseen, n_objectives) by the triplet fitted on all rows of the sample."""
        columns = [
            _predictions(regressor, regressor.fit(vectors, raw[:, k], self.seed), unseen)
            for k, regressor in enumerate(self.regressors)
        ]
        return np.column_stack(columns)


def choose(
    vectors: FloatArray, raw: FloatArray, objectives: Sequence[Objective], seed: int, fit: FitGrid = fit_shared
) -> Published:
    """Choose a triplet on a sample.

    Parameters
    ----------
    vectors : ndarray of shape (n, length)
        The sample's published vectors, see :func:`vectors_of`; two rows at least.
    raw : ndarray of shape (n, n_objectives)
        Its raw values.
    objectives : sequence of Objective
        What they are.
    seed : int
        Seed of all fits.
    fit : callable
        How the grid is fitted: :func:`fit_shared` or :func:`fit_separately`, whose predictions are the same.
    """
    n_fit = max(1, len(vectors) - max(FEWEST_VALIDATION, round(VALIDATION_SHARE * len(vectors))))
    grid, sign = published_grid(), signs(objectives)
    lists: list[list[tuple[float, Regressor, FloatArray]]] = []
    for k in range(raw.shape[1]):
        guesses = fit(grid, vectors[:n_fit], raw[:n_fit, k], vectors[n_fit:], seed)
        scored = [
            (mape(raw[n_fit:, k], guess), regressor, guess * sign[k])
            for regressor, guess in zip(grid, guesses, strict=True)
        ]
        lists.append(sorted(scored, key=lambda item: item[0])[:SHORTLIST])
    F = raw[n_fit:] * sign
    front = front_points(F)
    degenerate = bool((np.ptp(front, axis=0) <= 0.0).any())
    ranked = []
    for triplet in product(*lists):
        picked = front_indices(np.column_stack([guess for _, _, guess in triplet]))
        loss = 0.0 if degenerate else adrs(F[picked], reference=front)
        ranked.append((loss, sum(error for error, _, _ in triplet), tuple(regressor for _, regressor, _ in triplet)))
    loss, _, best = min(ranked, key=lambda item: item[:2])
    return Published(best, float("nan") if degenerate else loss, len(grid) * raw.shape[1], seed)


def vectors_of(space: SearchSpace, X: IntArray) -> FloatArray:
    """What the regressors see, shape (n, length): published vectors, or codes where choices are no integers."""
    return np.asarray(space.decode(X) if space.integral else space.repair(X), dtype=np.float64)


class PublishedRAPID(Method):
    """The published one-shot procedure; its verified front is billed on top of the sample."""

    name = "rapid-published"
    anytime = False
    overruns = True
    validation: ClassVar[float] = VALIDATION_SHARE
    inputs: ClassVar[str] = "vectors as they are"

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._order = np.random.default_rng(seed).permutation(len(self.members))
        self.chosen: Published | None = None
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
        store, space, objectives = self.problem.store, self.problem.space, self.problem.objectives
        vectors, raw = vectors_of(space, store.X), store.raw
        self.chosen = choose(vectors, raw, objectives, int(self.seed) % 2**31)
        predicted = self.chosen.predict(vectors, raw, vectors_of(space, self.members))
        return self.members[front_indices(predicted * signs(objectives))]
