"""What the genes explain of an objective, row by row, without a few wild rows bending it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.predictors import GaussianProcess, PredictorSpec, TargetTransform, get_family
from rapid_moo.predictors.predictor import assign_folds
from rapid_moo.predictors.standardised import fit_regressor

FEWEST_ROWS = 20
GP_ROWS, TRAIN_ROWS = 400, 2_500
WILD, MILD, MOST_WILD, AGAIN = 3.0, 2.0, 0.15, 2
CLIP, SKEWED, ORIGINS = 3.0, 1.2, (0.1, 0.4, 1.5)
_TREES = PredictorSpec("xgboost", {"subsample": 0.8, "colsample_bytree": 0.8, "n_estimators": 80}, "all")


@dataclass(frozen=True, eq=False)
class Explained:
    """Residuals of rows that their predictor had not seen.

    Attributes
    ----------
    score : ndarray of shape (n,)
        Residuals in units of their robust spread (1.4826 times the median absolute deviation), about their median; NaN
        for rows that were left out.
    goal, predicted : ndarray of shape (n,)
        The values on the scale that was chosen, and their predictions.
    features : ndarray of shape (n, n_features)
        What the predictor saw.
    seed : int
        Its seed.
    """

    score: FloatArray
    goal: FloatArray
    predicted: FloatArray
    features: FloatArray
    seed: int

    def without(self, marked: BoolArray) -> FloatArray:
        """Scores of shape (n,) where nothing was learnt from the marked rows."""
        rows = np.flatnonzero(np.isfinite(self.score))
        goal = self.goal[rows]
        train = ~marked[rows] & (np.abs(self.score[rows]) <= MILD * WILD)
        score = np.full(len(self.score), np.nan)
        residuals = goal - cross_fitted(self.features[rows], _tame(goal), train, self.seed)
        score[rows] = _scores(residuals, ~marked[rows])
        return score


def explain(features: FloatArray, values: FloatArray, kept: BoolArray, seed: int) -> Explained:
    """Predict each of the kept rows from other rows.

    Values are taken as they are or, where they are skewed, by their logarithms (to the right) or the transform ``tail``
    (to the left), on the scale on which the genes explain most.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
        What a predictor sees.
    values : ndarray of shape (n,)
        Raw values.
    kept : ndarray of shape (n,)
        Rows that take part.
    seed : int
        Seed of folds and regressors.
    """
    rows = np.flatnonzero(kept)
    tried = [_explain(features[rows], goal, seed) for goal in _scales(values[rows])]
    chosen = _without_wild(min(tried, key=_unexplained))
    score, goal, predicted = (np.full(len(values), np.nan) for _ in range(3))
    score[rows], goal[rows], predicted[rows] = chosen.score, chosen.goal, chosen.predicted
    return Explained(score, goal, predicted, features, seed)


def _explain(features: FloatArray, goal: FloatArray, seed: int) -> Explained:
    predicted = cross_fitted(features, _tame(goal), np.ones(len(goal), dtype=np.bool_), seed)
    return Explained(_scores(goal - predicted), goal, predicted, features, seed)


def _without_wild(seen: Explained) -> Explained:
    """Once more without rows that are far off: what they bend is the prediction of their neighbours."""
    goal, predicted = seen.goal, seen.predicted
    for _ in range(AGAIN if len(goal) <= GP_ROWS else 1):
        size = np.abs(_scores(goal - predicted))
        wild = size > max(WILD, float(np.quantile(size, 1.0 - MOST_WILD)))
        if not wild.any():
            break
        predicted = cross_fitted(seen.features, _tame(goal), ~wild, seen.seed)
    return Explained(_scores(goal - predicted), goal, predicted, seen.features, seen.seed)


def _scales(y: FloatArray) -> list[FloatArray]:
    """The values as they are, and bent where they are skewed; of few rows, with several origins of the logarithm."""
    low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
    above, below = float(high - middle), float(middle - low)
    scales = [TargetTransform("none").fit(y).forward(y)]
    if below > SKEWED * above:
        scales.append(TargetTransform("tail").fit(y).forward(y))
    if above > SKEWED * below:
        scales.append(TargetTransform("log").fit(y).forward(y))
        unit = float(middle - y.min())
        if len(y) <= GP_ROWS and unit > 0.0:
            scales += [np.log((y - y.min()) / unit + gap) for gap in ORIGINS]
    return scales


def _unexplained(seen: Explained) -> float:
    """Nine in ten errors are smaller than that, in units of the goal's interquartile range."""
    residuals = seen.goal - seen.predicted
    low, high = np.quantile(seen.goal, [0.25, 0.75])
    return float(np.quantile(np.abs(residuals - np.median(residuals)), 0.9)) / max(float(high - low), 1e-300)


def shares_explained(features: FloatArray, mark: BoolArray, seed: int) -> float:
    """How much of the variance of a mark of rows (a block, every second row) the genes explain, out of fold."""
    target = mark.astype(np.float64)
    everyone = np.ones(len(mark), dtype=np.bool_)
    guess = _trees(features, target, everyone, seed)
    return float(1.0 - np.mean((target - guess) ** 2) / max(float(target.var()), 1e-12))


def _tame(goal: FloatArray) -> FloatArray:
    low, middle, high = np.quantile(goal, [0.25, 0.5, 0.75])
    width = CLIP * (high - low)
    return np.clip(goal, middle - width, middle + width) if width > 0.0 else goal


def _scores(residuals: FloatArray, usual: BoolArray | None = None) -> FloatArray:
    of = residuals if usual is None else residuals[usual]
    centred = residuals - np.median(of)
    size = np.abs(of - np.median(of))
    spread = 1.4826 * float(np.median(size))
    # Where more than half is exact, the mean deviation is left to measure by.
    return np.asarray(centred / max(spread, 0.05 * float(size.mean()), 1e-9 * float(np.abs(of).max()), 1e-300))


def cross_fitted(features: FloatArray, goal: FloatArray, train: BoolArray, seed: int) -> FloatArray:
    """Predictions of shape (n,) of a goal, each from other rows of ``train``: of few rows by a process, else trees."""
    few = len(goal) <= GP_ROWS and train.sum() >= 2
    return _process(features, goal, train, seed) if few else _trees(features, goal, train, seed)


def _process(features: FloatArray, goal: FloatArray, train: BoolArray, seed: int) -> FloatArray:
    process = GaussianProcess(ard=False, max_iter=15, random_state=seed).fit(features[train], goal[train])
    guess = np.empty(len(goal))
    guess[process.rows_ if train.all() else np.flatnonzero(train)] = process.leave_folds_out(
        assign_folds(int(train.sum()), seed)
    )[0]
    if not train.all():
        guess[~train] = process.predict(features[~train])
    return guess


def _trees(features: FloatArray, goal: FloatArray, train: BoolArray, seed: int) -> FloatArray:
    folds = assign_folds(len(goal), seed)
    if len(goal) > TRAIN_ROWS:
        folds = folds % 2
    elif len(goal) > GP_ROWS:
        folds = folds % 3
    rng, guess = np.random.default_rng(seed), np.empty(len(goal))
    for fold in np.unique(folds):
        seen: IntArray = rng.permutation(np.flatnonzero(train & (folds != fold)))[:TRAIN_ROWS]
        fitted = fit_regressor(
            get_family(_TREES.family).make(dict(_TREES.params), seed), features[np.sort(seen)], goal[np.sort(seen)]
        )
        guess[folds == fold] = fitted.predict(features[folds == fold])
    return guess
