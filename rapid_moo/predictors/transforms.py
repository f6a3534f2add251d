"""Monotone transforms of a target: dominance does not change under them, but the fit does."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray
from rapid_moo.errors import InputError

TRANSFORMS = ("none", "log", "tail")


class TargetTransform:
    """Monotone transform of a target and back.

    Parameters
    ----------
    kind : {"none", "log", "tail"}
        ``none`` only divides by a power of two, which rounds nothing. ``log`` is the logarithm of the distance to an
        origin below the smallest value: where values are skewed to the right, that from which the 5 % and the 95 %
        quantile are as many times below and above the median (for a log-normal sample about 0), else a tenth of the
        range. ``tail`` is linear on that side of the median whose deviations are smaller and logarithmic on the other,
        in units of half the former.

    Notes
    -----
    No unit and no offset of the target changes what a transform gives, but for rounding (and the power of two).

    ``tail`` does what normal scores do for the long tail of an accuracy and leaves the other side as it is. Normal
    scores bend both ends, so that no prediction gets beyond the best value seen, and an iterating search stops short of
    the ends of the front. They are not offered; ``benchmarks/tuner.md`` has the figures.
    """

    def __init__(self, kind: str = "none") -> None:
        self.kind = kind

    def fit(self, y: FloatArray) -> TargetTransform:
        """Learn the transform from a target of shape (n,)."""
        if self.kind not in TRANSFORMS:
            raise InputError(f"transform: expected one of {', '.join(TRANSFORMS)}, got {self.kind!r}")
        low, high = float(y.min()), float(y.max())
        self.identity_ = self.kind == "none" or high == low
        self.unit_ = 1.0
        if self.identity_ and high > low:
            # The absolute tolerances of predictors are meant for goals of about 1.
            self.unit_ = float(np.ldexp(1.0, int(np.frexp(0.5 * high - 0.5 * low)[1])))
        if self.kind == "log" and not self.identity_:
            origin = _origin(y)
            self.shift_, self.floor_ = -origin, 0.25 * (low - origin)
            self.unit_ = float(np.median(y)) - origin
        if self.kind == "tail" and not self.identity_:
            self.middle_ = float(np.median(y))
            below = float(np.sqrt(np.mean(np.minimum(y - self.middle_, 0.0) ** 2)))
            above = float(np.sqrt(np.mean(np.maximum(y - self.middle_, 0.0) ** 2)))
            self.side_ = 1.0 if above >= below else -1.0
            self.unit_ = max(0.5 * min(above, below), 1e-3 * (high - low))
        return self

    def forward(self, y: FloatArray) -> FloatArray:
        """Transformed target."""
        if self.identity_:
            return np.asarray(y, dtype=np.float64) / self.unit_
        if self.kind == "log":
            return np.log(np.maximum(y + self.shift_, self.floor_) / self.unit_)
        outward = self.side_ * (y - self.middle_) / self.unit_
        return np.asarray(self.side_ * np.where(outward > 0.0, np.log1p(np.maximum(outward, 0.0)), outward))

    def backward(self, t: FloatArray) -> FloatArray:
        """Values of a transformed target."""
        if self.identity_:
            return np.asarray(t, dtype=np.float64) * self.unit_
        if self.kind == "log":
            return np.asarray(self.unit_ * np.exp(np.clip(t, -50.0, 50.0)) - self.shift_)
        outward = self.side_ * t
        outward = np.where(outward > 0.0, np.expm1(np.clip(outward, 0.0, 50.0)), outward)
        return np.asarray(self.middle_ + self.side_ * self.unit_ * outward)

    def spread(self, y: FloatArray, std: FloatArray) -> FloatArray:
        """Standard deviations of values, in units of the transformed target: over one of them each way."""
        return np.abs(self.forward(y + std) - self.forward(y - std)) / 2.0

    def slope(self, t: FloatArray, std: FloatArray) -> FloatArray:
        """How much a value changes per unit of the transformed target, over one standard deviation each way."""
        if self.identity_:
            return np.full_like(t, self.unit_)
        width = np.maximum(std, 1e-9)
        return np.asarray((self.backward(t + width) - self.backward(t - width)) / (2.0 * width))


def _origin(y: FloatArray) -> float:
    """The origin of the logarithm of values that are not all equal, below their smallest; see ``log``.

    Source: J. Aitchison, J. A. C. Brown, "The Lognormal Distribution", 1957, section 6.24 (three quantiles).
    """
    low, high = float(y.min()), float(y.max())
    few, middle, many = np.quantile(y, [0.05, 0.5, 0.95])
    below, above = float(middle - few), float(many - middle)
    if not above > below > 0.0:
        return low - 0.1 * (high - low)
    # (u - below) (u + above) = u^2 for the distance u between origin and median.
    distance = below * above / (above - below)
    nearest = max(0.05 * (middle - low), 1e-3 * (high - low))
    return low - float(np.clip(distance - (middle - low), nearest, high - low))
