"""Exact fronts and ranks of points to be minimised; moocore does the sorting.

Rule for ties: a point is dominated if another is no worse in every objective and better in one. Points that are
equal in every objective do not dominate each other, so a front keeps all of them; :func:`front_points` then drops
the repeats.
"""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import BoolArray, FloatArray, IntArray, as_points


def is_nondominated(points: ArrayLike, /) -> BoolArray:
    """Mask of shape (n,) of the points that no other point dominates; equal points all stay.

    Examples
    --------
    >>> is_nondominated([[1, 2], [2, 1], [2, 2], [1, 2]]).tolist()
    [True, True, False, True]
    """
    return np.asarray(moocore.is_nondominated(as_points(points), keep_weakly=True), dtype=np.bool_)


def front_indices(points: ArrayLike, /) -> IntArray:
    """Positions of the non-dominated points, increasing; equal points all stay."""
    return np.flatnonzero(is_nondominated(points)).astype(np.int64)


def front_points(points: ArrayLike, /) -> FloatArray:
    """Distinct non-dominated points of shape (m, n_objectives), in lexicographic order."""
    array = as_points(points)
    return np.unique(array[is_nondominated(array)], axis=0)


def front_range(points: FloatArray, rows: IntArray | None = None, /) -> FloatArray:
    """Range of each objective over a front, shape (n_objectives,); never zero.

    Where the front has none, that of all points; where those have none either, 1.

    Parameters
    ----------
    points : ndarray of shape (n, n_objectives)
        All points.
    rows : ndarray, optional
        Which of them are the front; by default those that no other dominates, all being minimised.
    """
    front = points[front_indices(points) if rows is None else rows]
    span = np.ptp(front, axis=0) if len(front) else np.zeros(points.shape[1])
    whole = np.ptp(points, axis=0)
    return np.asarray(np.where(span > 0.0, span, np.where(whole > 0.0, whole, 1.0)))


def pareto_ranks(points: ArrayLike, /) -> IntArray:
    """Index of the front each point belongs to, 0 for the non-dominated; equal points share a rank."""
    # Dominance only compares, so dense ranks stand for the values: infinities need no care.
    ranks = np.column_stack([np.unique(column, return_inverse=True)[1] for column in as_points(points).T])
    return np.asarray(moocore.pareto_rank(ranks.astype(np.float64)), dtype=np.int64)
