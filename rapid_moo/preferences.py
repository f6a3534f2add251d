"""One architecture from a front: the knee, or the point that given weights prefer. All points are minimised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, as_points
from rapid_moo.errors import InputError
from rapid_moo.pareto import front_indices


def knee_point(points: ArrayLike, /) -> int:
    """Row of the knee of the points' front: where giving up a little of one objective no longer buys much.

    It is the point of the normalised front farthest below the plane of equal sums, as in I. Das, "On characterizing
    the 'knee' of the Pareto curve based on normal-boundary intersection", Structural Optimization 18, 1999.

    Parameters
    ----------
    points : array-like of shape (n, n_objectives)
        Minimised values; dominated points may be included.
    """
    front, normal = _normalised_front(points)
    return int(front[normal.sum(axis=1).argmin()])


def preferred_point(points: ArrayLike, /, weights: Sequence[float]) -> int:
    """Row of the point that compromises best between weighted objectives.

    It has the smallest weighted Chebyshev distance to the ideal point, ties to the smallest weighted sum (M. Zeleny,
    "Compromise programming", 1973); each objective is measured in units of the front's range.

    Parameters
    ----------
    points : array-like of shape (n, n_objectives)
        Minimised values; dominated points may be included.
    weights : sequence of float
        One per objective, none negative, not all zero: how much its range matters.

    Raises
    ------
    InputError
        If the weights do not fit, or there is no point.
    """
    front, normal = _normalised_front(points)
    scale = np.asarray(weights, dtype=np.float64)
    if scale.shape != (normal.shape[1],) or not (np.isfinite(scale) & (scale >= 0.0)).all() or not scale.any():
        raise InputError(f"weights: expected {normal.shape[1]} numbers >= 0, not all 0, got {list(weights)}")
    away = normal * scale
    return int(front[np.lexsort((away.sum(axis=1), away.max(axis=1)))[0]])


def _normalised_front(points: ArrayLike) -> tuple[np.ndarray, FloatArray]:
    array = as_points(points)
    if len(array) == 0:
        raise InputError("points: expected at least one, got none")
    rows = front_indices(array)
    front = array[rows]
    span = np.ptp(front, axis=0)
    return rows, (front - front.min(axis=0)) / np.where(span > 0.0, span, 1.0)
