"""Few values of another device that agree with this one: taken for measurements, known to be a little uncertain.

A smooth column of what a source says is good near its architectures and knows nothing elsewhere. With hundreds of them
that makes no difference; of a small study it does: a column that is right where the study has looked is trusted where
it has not. Where a source measures the same (an accuracy, for another board) its values themselves are better learnt
from. A line ``y = a + b v`` takes them into the target's unit, and what is left between the two is noise of a known
size. As long as it is smaller than what the smooth column misses of the source's own rows, each left out in turn, the
values are further rows for the target's predictor. Where the two differ by more, the column and a process of its own
may learn why.

Sources
-------
A. Shilton, S. Gupta, S. Rana, S. Venkatesh, "Regret bounds for transfer learning in Bayesian optimisation", AISTATS
2017, the first of its two algorithms, for the values; there the size of the noise is given. K. L. Lange, R. J. A.
Little, J. M. G. Taylor, "Robust statistical modeling using the t distribution", JASA 84, 1989, for the line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.predictors.predictor_set import Pooled
from rapid_moo.priors.source import Source
from rapid_moo.space import SearchSpace

FEWEST_OWN = 5
"""Measurements of the target that a line can be laid through."""
NOISES = np.geomspace(0.001, 2.0, 24)
STEPS = 10
FREEDOM = 4.0
EVIDENCE = 10.0
"""A source that knows nothing contradicts nothing. By chance alone a line gains so much once in 600 times."""
TYPICAL, WIDE = 0.1, 1.5
"""Two devices are expected to differ by a tenth of the range, within a factor of 4.5: less takes evidence."""
FAR = 100.0
"""What is so many ranges of the target's measurements beyond them stands for a failure, or is a slip: one such value
among good ones would be all that a predictor sees."""


class Line(NamedTuple):
    """``y = offset + slope v``.

    Attributes
    ----------
    offset, slope : float
        In raw units.
    noise : float
        Standard deviation of what is left, in the unit of y.
    gain : float
        Twice the logarithm of how much likelier it is than no relation at all.
    """

    offset: float
    slope: float
    noise: float
    gain: float


def fitted_line(told: FloatArray, std: FloatArray, own: FloatArray) -> Line:
    """The likeliest line through measurements, and the noise beside it; few that are far off hardly move either.

    Parameters
    ----------
    told, std : ndarray of shape (n,)
        What the source says of the target's architectures, and how uncertain it is of that; 0 of what it has measured.
    own : ndarray of shape (n,)
        What the target measured.
    """
    unit, scale = float(own.std()) or 1.0, float(told.std()) or 1.0
    m, s, y = (told - told.mean()) / scale, std / scale, (own - own.mean()) / unit
    best, least, found = (0.0, 0.0, 1.0), np.inf, np.inf
    for noise in NOISES.tolist():
        slope, offset, variance, w = 1.0, 0.0, s**2 + noise**2, np.ones(len(y))
        for _ in range(STEPS):
            w = w / variance
            at = float(w @ m / w.sum())
            spread = float(w @ (m - at) ** 2)
            slope = float(w @ ((m - at) * y)) / spread if spread > 0.0 else 0.0
            offset = float(w @ (y - slope * m) / w.sum())
            # The variance of a prediction depends on the slope, and what is far off counts less.
            variance = (slope * s) ** 2 + noise**2
            w = (FREEDOM + 1.0) / (FREEDOM + (y - offset - slope * m) ** 2 / variance)
        surprise = _surprise(y - offset - slope * m, variance)
        expected = float(np.log(noise / TYPICAL) / WIDE) ** 2
        if surprise + expected < least:
            best, least, found = (offset, slope, noise), surprise + expected, surprise
    alone = min(_surprise(y - np.median(y), np.full(len(y), noise**2)) for noise in NOISES.tolist())
    offset, slope, noise = best
    steep = slope * unit / scale
    raw_offset = float(own.mean()) + offset * unit - steep * float(told.mean())
    return Line(raw_offset, steep, noise * unit, alone - found)


def _surprise(residual: FloatArray, variance: FloatArray) -> float:
    """Minus twice the log likelihood of Student's t, but for a constant."""
    far = residual**2 / variance
    return float((np.log(variance) + (FREEDOM + 1.0) * np.log1p(far / FREEDOM)).sum())


def pooled(space: SearchSpace, sources: list[Source], X: IntArray, y: FloatArray) -> Pooled | None:
    """What sources that agree with the target tell of architectures that it has not measured; None where none does.

    Parameters
    ----------
    space : SearchSpace
        The architectures' space.
    sources : list of Source
        Small ones.
    X, y : ndarray of shape (n, n_var) and (n,)
        The target's architectures, and their raw values.
    """
    if len(y) < FEWEST_OWN or not np.ptp(y) > 0.0:
        return None
    known, found = set(space.keys(X)), []
    for source in sources:
        logarithmic = source.logarithmic and bool((y > 0.0).all())
        own = np.log(y) if logarithmic else y
        told, std = source.posterior(X, logarithmic)
        line = fitted_line(told, std, own)
        fresh = np.array([key not in known for key in space.keys(source.X)], dtype=np.bool_)
        agrees = line.gain > EVIDENCE and line.noise <= abs(line.slope) * source.missed(logarithmic)
        if not agrees or not fresh.any():
            continue
        values = line.offset + line.slope * source.measured(logarithmic)[fresh]
        noise = np.full(len(values), line.noise)
        if logarithmic:
            with np.errstate(over="ignore"):  # too large to be a number is far
                values = np.exp(values)
                noise *= values
        near = (values >= y.min() - FAR * np.ptp(y)) & (values <= y.max() + FAR * np.ptp(y))
        if near.any():
            found.append(Pooled(source.X[fresh][near], values[near], noise[near]))
    if not found:
        return None
    return Pooled(*(np.concatenate([getattr(part, name) for part in found]) for name in ("X", "values", "std")))
