"""Quality of an approximation of a front: ADRS, normalised hypervolume and IGD+. All points are minimised.

Every indicator measures each objective in units of the reference front's range. Where that range is zero, the unit
is the whole scale: equal values differ by 0 and all others by 1, so no result is NaN and rescaling changes nothing.

Sources
-------
ADRS: G. Palermo, C. Silvano, V. Zaccaria, "ReSPIR: a response surface-based Pareto iterative refinement for
application-specific design space exploration", IEEE TCAD 28(12), 2009, with the absolute difference that RAPID uses.
Hypervolume: E. Zitzler, L. Thiele, "Multiobjective optimization using evolutionary algorithms", PPSN V, 1998.
IGD+: H. Ishibuchi et al., "Modified distance calculation in generational distance and inverted generational
distance", EMO 2015.
"""

from __future__ import annotations

from typing import Any

import moocore
import numpy as np
from numpy.typing import ArrayLike
from pymoo.core.indicator import Indicator
from scipy.spatial import cKDTree

from rapid_moo._util import FloatArray, as_points
from rapid_moo.errors import InputError
from rapid_moo.pareto import front_points

HYPERVOLUME_MARGIN = 0.1
_DENSE = 200_000


def adrs(points: ArrayLike, /, *, reference: ArrayLike) -> float:
    """Average distance from reference set: 0 is perfect, lower is better.

    The mean over the reference points r of the smallest, over the points a, of ``max_k |a_k - r_k| / range_k``. It
    never rises when points are added, so it means something only beside the number of evaluations that they cost.

    Parameters
    ----------
    points : array-like of shape (n, n_objectives)
        What was found, minimised; dominated points may be included.
    reference : array-like of shape (n_reference, n_objectives)
        Reference set, minimised; by name only, since the two must not be swapped. Its dominated points are not removed:
        pass a front.

    Returns
    -------
    float
        Infinity where there are no points.

    Raises
    ------
    InputError
        If the reference is empty, the numbers of objectives differ, or a value is NaN.

    Examples
    --------
    >>> adrs([[0.0, 10.0], [0.5, 0.0]], reference=[[0.0, 10.0], [1.0, 0.0]])
    0.25
    """
    return float(nearest_distances(*normalised(points, reference=reference)).mean())


def igd_plus(points: ArrayLike, /, *, reference: ArrayLike) -> float:
    """IGD+ of normalised objectives: mean Euclidean distance by which the approximation is worse.

    Parameters and errors as in :func:`adrs`; infinity where there are no points.
    """
    normal_reference, normal = normalised(points, reference=reference)
    if len(normal) == 0:
        return float("inf")
    return float(moocore.igd_plus(front_points(normal), ref=normal_reference))


def hypervolume(points: ArrayLike, /, *, reference: ArrayLike) -> float:
    """Hypervolume as a share of the reference front's: 1 for the front itself, higher is better.

    Objectives are normalised so that the reference front spans [0, 1]; the reference point is 1.1 in each.
    Parameters and errors as in :func:`adrs`; 0 where there are no points.
    """
    normal_reference, normal = normalised(points, reference=reference)
    if len(normal) == 0:
        return 0.0
    corner = np.full(normal.shape[1], 1.0 + HYPERVOLUME_MARGIN)
    return float(_volume(front_points(normal), corner) / _volume(normal_reference, corner))


def box_hypervolume(points: ArrayLike, low: ArrayLike, high: ArrayLike, /) -> float:
    """Hypervolume in units of a box, with its upper corner as the reference point; for runs without a known front.

    It never falls when points are added, and exceeds 1 where points are better than the box's lower corner.
    """
    lower = np.asarray(low, dtype=np.float64)
    span = np.asarray(high, dtype=np.float64) - lower
    normal = (as_points(points) - lower) / np.where(span > 0.0, span, 1.0)
    return _volume(normal, np.ones(len(lower)))


def _volume(points: FloatArray, corner: FloatArray) -> float:
    inside = points[(points < corner).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=corner)) if len(inside) else 0.0


def normalised(points: ArrayLike, /, *, reference: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The reference and the points, in units of the reference's range (see the module's rule).

    Parameters and errors as in :func:`adrs`.
    """
    target = as_points(reference, "reference front")
    if len(target) == 0:
        raise InputError("reference front: expected at least one point, got none")
    if not np.isfinite(target).all():
        raise InputError("reference front: expected finite values, got an infinite one")
    found = np.asarray(points, dtype=np.float64)
    if found.size == 0:
        return target, np.empty((0, target.shape[1]))
    found = as_points(found, "points")
    if found.shape[1] != target.shape[1]:
        raise InputError(f"points: expected {target.shape[1]} objectives like the reference, got {found.shape[1]}")
    low = target.min(axis=0)
    span = target.max(axis=0) - low
    flat = span <= 0.0
    scale = np.where(flat, 1.0, span)
    target, found = (target - low) / scale, (found - low) / scale
    return np.where(flat, 0.0, target), np.where(flat, np.sign(found), found)


def nearest_distances(reference: FloatArray, points: FloatArray) -> FloatArray:
    """Chebyshev distance of each reference point to its nearest finite point, shape (n_reference,), or infinity."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) == 0:
        return np.full(len(reference), np.inf)
    if len(reference) * len(points) <= _DENSE:
        return np.asarray(np.abs(reference[:, None, :] - points[None, :, :]).max(axis=2).min(axis=1))
    distances, _ = cKDTree(points).query(reference, p=np.inf)
    return np.asarray(distances, dtype=np.float64)


class _ReferenceIndicator(Indicator):  # type: ignore[misc]  # pymoo ships no types
    """A pymoo indicator against a fixed reference front of shape (n, n_objectives), minimised."""

    if_empty = float("inf")

    def __init__(self, reference: ArrayLike) -> None:
        super().__init__()
        self.default_if_empty = self.if_empty
        self.reference, _ = normalised([], reference=reference)


class ADRS(_ReferenceIndicator):
    """:func:`adrs` as a pymoo ``Indicator``: ``ADRS(problem.pareto_front())(result.F)``."""

    def _do(self, F: FloatArray, *args: Any, **kwargs: Any) -> float:
        return adrs(F, reference=self.reference)


class IGDPlus(_ReferenceIndicator):
    """:func:`igd_plus` as a pymoo ``Indicator``."""

    def _do(self, F: FloatArray, *args: Any, **kwargs: Any) -> float:
        return igd_plus(F, reference=self.reference)


class NormalisedHypervolume(_ReferenceIndicator):
    """:func:`hypervolume` as a pymoo ``Indicator``; the reference front itself scores 1."""

    if_empty = 0.0

    def _do(self, F: FloatArray, *args: Any, **kwargs: Any) -> float:
        return hypervolume(F, reference=self.reference)
