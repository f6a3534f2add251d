"""The published tuner, re-created from its description: a grid of 67 regressors per objective, 125 triplets.

What RAPID's ``adrs_tuner.py`` does, with two repairs so that it is not beaten for its slips: directions are right (true
and predicted values are minimised alike), and where the validation rows have a degenerate front, so that its ADRS says
nothing, triplets are ranked by MAPE instead. Inputs are the published vectors as they are. Every fit keeps its
library's defaults beside the grid, on one thread.

Source: RAPID (McGill Edge Intelligence Lab), ``adrs_tuner.py``: grid, five best by validation MAPE per objective,
ADRS of all 125 triplets on the validation rows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import SGDRegressor
from xgboost import XGBRegressor

from rapid_moo._util import FloatArray
from rapid_moo.indicators import adrs
from rapid_moo.objectives import signs
from rapid_moo.pareto import front_indices, front_points
from rapid_moo.table import ArchitectureTable

SHORTLIST = 5
VALIDATION_SHARE = 0.2
HUGE = 1e30


def grid(seed: int) -> list[Any]:
    """The 67 unfitted regressors of the published grid."""
    found: list[Any] = [
        GradientBoostingRegressor(loss=loss, learning_rate=rate, n_estimators=trees, random_state=seed)
        for loss in ("squared_error", "huber", "quantile")
        for rate in (0.1, 0.001, 0.0001)
        for trees in (10, 100, 1000)
    ]
    for trees, depth in product((10, 100, 500, 1000), (None, 4, 32, 256)):
        found.append(RandomForestRegressor(n_estimators=trees, max_depth=depth, n_jobs=1, random_state=seed))
        found.append(XGBRegressor(n_estimators=trees, max_depth=depth, n_jobs=1, random_state=seed, verbosity=0))
    found += [
        SGDRegressor(loss=loss, penalty=penalty, random_state=seed)
        for loss in ("squared_error", "huber")
        for penalty in ("l2", "l1", "elasticnet", None)
    ]
    return found


@dataclass(frozen=True, eq=False)
class PublishedResult:
    """What the published procedure chose.

    Attributes
    ----------
    models : tuple
        Unfitted regressors, one per objective.
    promised : float
        The validation ADRS by which the triplet was chosen; NaN where that was degenerate.
    n_fits : int
        Regressors that were fitted.
    """

    models: tuple[Any, ...]
    promised: float
    n_fits: int

    @property
    def families(self) -> tuple[str, ...]:
        """Class names of the chosen regressors."""
        return tuple(type(model).__name__ for model in self.models)

    def predict(self, sample: ArchitectureTable, table: ArchitectureTable) -> FloatArray:
        """Minimised predictions of a table's rows by the triplet fitted on all rows of the sample."""
        inputs, vectors = vectors_of(sample), vectors_of(table)
        columns = [
            _predicted(_fitted(model, inputs, sample.raw[:, k]), vectors, len(table))
            for k, model in enumerate(self.models)
        ]
        return np.asarray(np.column_stack(columns) * signs(table.objectives))


def vectors_of(table: ArchitectureTable) -> FloatArray:
    """The published vectors as regressors' input, shape (n, length)."""
    return np.asarray(table.space.decode(table.X), dtype=np.float64)


def tune(sample: ArchitectureTable, seed: int) -> PublishedResult:
    """Choose a triplet on a sample, the last fifth of whose rows (three at least) is for validation."""
    n_validation = max(3, round(VALIDATION_SHARE * len(sample)))
    train, held = sample.take(np.arange(len(sample) - n_validation)), np.arange(len(sample))[-n_validation:]
    validation = sample.take(held)
    inputs, questions = vectors_of(train), vectors_of(validation)
    shortlist: list[list[tuple[float, Any, FloatArray]]] = []
    n_fits = 0
    for k, objective in enumerate(sample.objectives):
        scored = []
        for model in grid(seed):
            guess = _predicted(_fitted(model, inputs, train.raw[:, k]), questions, n_validation)
            scored.append((_mape(validation.raw[:, k], guess), model, guess * objective.sign))
            n_fits += 1
        scored.sort(key=lambda item: item[0])
        shortlist.append(scored[:SHORTLIST])
    front = front_points(validation.F)
    degenerate = bool((np.ptp(front, axis=0) <= 0.0).any())
    ranked = []
    for combination in product(*shortlist):
        chosen = front_indices(np.column_stack([guess for _, _, guess in combination]))
        loss = 0.0 if degenerate else adrs(validation.F[chosen], reference=front)
        ranked.append((loss, sum(mape for mape, _, _ in combination), tuple(model for _, model, _ in combination)))
    loss, _, models = min(ranked, key=lambda item: (item[0], item[1]))
    return PublishedResult(models, float("nan") if degenerate else loss, n_fits)


def _fitted(model: Any, inputs: FloatArray, target: FloatArray) -> Any:
    """A fitted copy, or None where the fit overflows: unscaled vectors do that to stochastic gradient descent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return clone(model).fit(inputs, target)
        except ValueError:
            return None


def _predicted(model: Any, inputs: FloatArray, n: int) -> FloatArray:
    if model is None:
        return np.full(n, HUGE)
    return np.clip(np.nan_to_num(np.asarray(model.predict(inputs), dtype=np.float64), nan=HUGE), -HUGE, HUGE)


def _mape(true: FloatArray, predicted: FloatArray) -> float:
    return float(np.mean(np.abs(predicted - true) / np.maximum(np.abs(true), 1e-12)))
