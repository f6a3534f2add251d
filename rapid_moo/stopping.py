"""When a training is ended early: what its first steps say of its end, and whether the end is worth waiting for.

A measure may report what an objective is after some of its steps. The reports of a measurement are its *curve*. From
complete curves a local linear regression learns what a value at a step says of the final one, together with what the
predictors expected of the architecture. An architecture's training ends at a step if even the optimistic final value,
with the optimistic values of the other objectives, is dominated by what is known.

All this is decided before the training begins, as the worst value that goes on at each of some steps
(:class:`~rapid_moo.curves.Stops`). So nothing need be asked of a worker, and nothing depends on what happens meanwhile.

The rule was made for this package. Its parts are known: steps in geometric progression as of successive halving
(K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016),
and the extrapolation of learning curves by regression from curves that are complete (B. Baker et al., "Accelerating
neural architecture search using performance prediction", ICLR Workshop 2018).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from rapid_moo._util import FloatArray
from rapid_moo.curves import Curve

FEWEST = 12
"""So many complete curves are needed before any training is stopped, and of the nearest ones at least so many count."""
RATIO = 1.25
"""Steps at which a training may be stopped grow at least by this factor: each is one more chance to be wrong."""
CONFIDENCE = 0.9
"""How sure the rule must be that a value is not better than stated."""
EXPLAINED = 0.5
"""Values at a step must explain this share of how near curves end: what is stopped before says nothing of its end."""
GRID = 33


def rungs(curves: Sequence[Curve]) -> list[int]:
    """Steps at which trainings may be stopped: reported by enough complete curves before their end, far enough apart.

    Parameters
    ----------
    curves : sequence of Curve
        Those of complete measurements.
    """
    counts = Counter(step for curve in curves for step, _ in curve[:-1])
    found: list[int] = []
    for step in sorted((step for step, n in counts.items() if n >= FEWEST), reverse=True):
        if not found or step * RATIO <= found[-1]:
            found.append(step)
    return found[::-1]


def optimistic(mean: FloatArray, std: FloatArray, confidence: float = CONFIDENCE) -> FloatArray:
    """Minimised values, shape as given, that normal ones are better than with probability 1 - confidence only."""
    return np.asarray(mean - ndtri(confidence) * std)


def allowed(front: FloatArray, others: FloatArray, k: int) -> float:
    """The worst value of an objective with which a point is not dominated; infinite where any will do.

    Parameters
    ----------
    front : ndarray of shape (n, n_objectives)
        Known points, minimised.
    others : ndarray of shape (n_objectives,)
        The point; its value of objective ``k`` does not matter.
    k : int
        The objective.
    """
    rest = np.arange(front.shape[1]) != k
    beats = (front[:, rest] <= others[rest]).all(axis=1)
    return float(front[beats, k].min()) if beats.any() else np.inf


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """Local linear regressions from values at a step to final ones, each of the half of the curves nearest to a value.

    Attributes
    ----------
    grid : ndarray of shape (n,)
        Values at the step, minimised and increasing.
    center : ndarray of shape (n, n_features)
        Mean of what each regression saw.
    coefficients : ndarray of shape (n, n_features + 1)
        Mean final value, and slopes.
    precision : ndarray of shape (n, n_features, n_features)
        Inverse of the centered products.
    error : ndarray of shape (n,)
        Standard deviation of the residuals.
    explained : ndarray of shape (n,)
        Share of the variance of the final values that each regression saw, adjusted for what it fits.
    freedom, seen : int
        Degrees of freedom, and how many curves each regression saw.
    """

    grid: FloatArray
    center: FloatArray
    coefficients: FloatArray
    precision: FloatArray
    error: FloatArray
    explained: FloatArray
    freedom: int
    seen: int

    @classmethod
    def fit(cls, grid: FloatArray, features: FloatArray, final: FloatArray) -> Extrapolation:
        """Fit one regression for each value of the grid.

        Parameters
        ----------
        grid : ndarray of shape (n,)
            Values at the step.
        features : ndarray of shape (n_curves, n_features)
            Values at the step first, then what else says something of the final ones.
        final : ndarray of shape (n_curves,)
            Final values.
        """
        size, n_features = max(FEWEST, len(final) // 2), features.shape[1]
        nearest = np.argsort(np.abs(features[None, :, 0] - grid[:, None]), axis=1, kind="stable")[:, :size]
        seen = nearest.shape[1]
        near, target = features[nearest], final[nearest]
        center, mean = near.mean(axis=1), target.mean(axis=1)
        Z, y = near - center[:, None], target - mean[:, None]
        precision = np.linalg.pinv(np.einsum("gij,gik->gjk", Z, Z), rcond=1e-10, hermitian=True)
        slopes = np.einsum("gjk,gik,gi->gj", precision, Z, y)
        residuals = y - np.einsum("gij,gj->gi", Z, slopes)
        freedom = max(1, seen - n_features - 1)
        error = np.sqrt((residuals**2).sum(axis=1) / freedom)
        variance = (y**2).sum(axis=1) / (seen - 1)
        explained = 1.0 - np.divide(error**2, variance, out=np.zeros_like(variance), where=variance > 0.0)
        return cls(grid, center, np.column_stack([mean, slopes]), precision, error, explained, freedom, seen)

    def predict(self, *beside: float) -> tuple[FloatArray, FloatArray]:
        """Expected final values along the grid, and the standard deviation of a new one, both of shape (n,).

        Parameters
        ----------
        *beside : float
            The further features.
        """
        at = np.column_stack([self.grid, *(np.full(len(self.grid), value) for value in beside)]) - self.center
        mean = self.coefficients[:, 0] + (self.coefficients[:, 1:] * at).sum(axis=1)
        leverage = 1.0 / self.seen + np.einsum("gj,gjk,gk->g", at, self.precision, at)
        return mean, self.error * np.sqrt(1.0 + leverage)

    def limit(self, worst: float, *beside: float, confidence: float = CONFIDENCE) -> float | None:
        """The value at the step beyond which even the optimistic final one is worse than stated; None without any."""
        mean, std = self.predict(*beside)
        best = mean - stdtrit(self.freedom, confidence) * std
        goes_on = np.flatnonzero(best <= worst)
        if not len(goes_on):
            return float(self.grid[0])
        last = int(goes_on[-1])
        if last == len(self.grid) - 1:
            return None
        share = (worst - best[last]) / (best[last + 1] - best[last])
        return float(self.grid[last] + share * (self.grid[last + 1] - self.grid[last]))


def at_step(curves: Sequence[Curve], step: int) -> FloatArray:
    """Raw values of curves at a step, shape (n,); NaN where none was reported."""
    return np.array([dict(curve).get(step, np.nan) for curve in curves], dtype=np.float64)


def planned(
    curves: Sequence[Curve],
    final: FloatArray,
    expected: FloatArray,
    worst: FloatArray,
    foreseen: FloatArray,
    confidence: float = CONFIDENCE,
) -> list[dict[int, float]]:
    """Limits of one objective for several architectures, by step; all values are minimised.

    Parameters
    ----------
    curves : sequence of Curve
        Complete ones, minimised.
    final, expected : ndarray of shape (n_curves,)
        Their final values, and what predictors that had not seen them expected.
    worst : ndarray of shape (n,)
        Final values of the architectures beyond which they are dominated, see :func:`allowed`.
    foreseen : ndarray of shape (n,)
        What the predictors expect of them.
    confidence : float
        How sure one must be that they are.
    """
    found: list[dict[int, float]] = [{} for _ in worst]
    for step in rungs(curves):
        values = at_step(curves, step)
        there = np.isfinite(values)
        grid = np.unique(np.quantile(values[there], np.linspace(0.0, 1.0, GRID)))
        alone = Extrapolation.fit(grid, values[there, None], final[there])
        if np.median(alone.explained) < EXPLAINED:
            continue
        features = np.column_stack([values[there], expected[there]])
        extrapolation = Extrapolation.fit(grid, features, final[there])
        for limits, bound, guess in zip(found, worst.tolist(), foreseen.tolist(), strict=True):
            if np.isfinite(bound):
                limit = extrapolation.limit(bound, guess, confidence=confidence)
                if limit is not None:
                    limits[step] = limit
    return found


def extrapolated(curve: Curve, curves: Sequence[Curve], final: FloatArray) -> tuple[float, float]:
    """The final value that a stopped curve would have had, as complete ones tell, and its spread; NaN where too few do.

    Its last value says most, and one before it how fast it was moving.

    Parameters
    ----------
    curve : Curve
        The stopped one.
    curves : sequence of Curve
        Complete ones.
    final : ndarray of shape (n_curves,)
        Their final values, in the same unit.

    Returns
    -------
    mean, std : float
    """
    step, value = curve[-1]
    before = [point for point in curve if point[0] * RATIO <= step][-1:]
    features = np.column_stack([at_step(curves, s) for s, _ in ((step, value), *before)])
    there = np.isfinite(features).all(axis=1)
    if there.sum() < FEWEST:
        return np.nan, np.nan
    fitted = Extrapolation.fit(np.array([value]), features[there], final[there])
    mean, std = fitted.predict(*(v for _, v in before))
    return float(mean[0]), float(std[0])
