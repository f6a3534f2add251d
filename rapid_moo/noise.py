"""How noisy measurements are, as the store's own repeats tell.

What was measured several times differs by noise alone, and so do architectures of one function
(:meth:`~rapid_moo.space.SearchSpace.canonical`) in the objectives that depend on the function alone: class mates are
repeats of each other. Both are pooled over all groups. Nothing else is taken for noise: what a predictor does not
foresee may be its own fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.store import Store


@dataclass(frozen=True)
class Noise:
    """The errors of single measurements of an objective.

    Attributes
    ----------
    std : float
        Standard deviation of one measurement: raw, or as a share of the value if ``relative``.
    freedom : int
        Degrees of freedom that it was pooled from; 0 where nothing was measured again and a predictor guesses.
    relative : bool
        Whether errors grow with the value, which they are taken to do where that makes the repeats likelier.
    """

    std: float
    freedom: int
    relative: bool = False

    @property
    def interval(self) -> tuple[float, float]:
        """Where ``std`` lies with a probability of 90 %, chi-squared in its freedom; anywhere without any."""
        if not self.freedom:
            return 0.0, float("inf")
        low, high = self.std * np.sqrt(self.freedom / chi2.ppf([0.95, 0.05], self.freedom))
        return float(low), float(high)

    def to_text(self, unit: str = "") -> str:
        """For people: what one measurement is uncertain by, and how sure that is."""
        scale, of = (100.0, " % of its value") if self.relative else (1.0, f" {unit}" if unit else "")
        middle, low, high = (f"{scale * value:.2g}" for value in (self.std, *self.interval))
        if not self.freedom:
            return f"not known yet, as nothing was measured again (a predictor guesses {middle}{of})"
        return f"{middle}{of} ({low} to {high}, by {self.freedom} repeat{'s' * (self.freedom > 1)})"

    def of(self, values: ArrayLike) -> FloatArray:
        """Standard deviation of one measurement of architectures with these raw values, same shape."""
        found = np.asarray(values, dtype=np.float64)
        return self.std * np.abs(found) if self.relative else np.full(found.shape, self.std)


def noise_of(store: Store, k: int) -> Noise | None:
    """The noise of an objective, pooled over repeats and class mates; None where nothing was measured twice.

    Parameters
    ----------
    store : Store
        The evaluations.
    k : int
        Column of the objective.
    """
    rows = np.flatnonzero(store.repeats[:, k] > 0)
    count = store.repeats[rows, k].astype(np.float64)
    mean, spread = store.raw_of(rows)[:, k], store.repeat_variance[rows, k]
    group = _groups(store, rows, store.objectives[k])
    n = np.bincount(group, count)
    middle = np.bincount(group, count * mean) / n
    squares = np.bincount(group, np.nan_to_num(spread) * (count - 1.0) + count * (mean - middle[group]) ** 2)
    several = n > 1
    freedom, squares, middle = n[several] - 1.0, squares[several], middle[several]
    total = float(freedom.sum())
    if not total:
        return None
    # A sum of squares of equal values is rounding.
    squares = np.where(squares > 1e-24 * n[several] * middle**2, squares, 0.0)
    if not (mean > 0.0).all():
        return Noise(float(np.sqrt(squares.sum() / total)), int(total))
    return pooled(np.asarray(squares, dtype=np.float64), freedom, middle)


def pooled(squares: FloatArray, freedom: ArrayLike, middle: FloatArray) -> Noise:
    """The noise of groups of repeats: absolute, or relative to their means where that is likelier.

    Parameters
    ----------
    squares : ndarray of shape (n,)
        Sum of squared deviations of each group.
    freedom : array-like of shape (n,)
        Degrees of freedom of each.
    middle : ndarray of shape (n,)
        Mean of each.
    """
    n = np.asarray(freedom, dtype=np.float64)
    total = float(n.sum())
    absolute = float(squares.sum() / total)
    if not absolute or not (middle > 0.0).all():
        return Noise(float(np.sqrt(absolute)), int(total))
    relative = float((squares / middle**2).sum() / total)
    # Of two normal laws with a parameter each, the likelier one: the sums of squares over their variance are equal.
    grows = (n * np.log(relative * middle**2)).sum() < total * np.log(absolute)
    return Noise(float(np.sqrt(relative if grows else absolute)), int(total), bool(grows))


def _groups(store: Store, rows: IntArray, name: str) -> IntArray:
    """Number of each row's group of repeats."""
    if name not in store.space.of_function:
        return np.arange(len(rows), dtype=np.int64)
    keys = store.space.keys(store.space.canonical(store.X[rows]))
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.int64)
