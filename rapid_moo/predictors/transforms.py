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
        ``log`` is the logarithm of the distance to a point a tenth of the range below the smallest value, or of the
        value itself if all are positive and span more than a factor of two. ``tail`` is linear on that side of the
        median whose deviations are smaller and logarithmic on the other, in units of half the former.

    Notes
    -----
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
        if self.kind == "log" and not self.identity_:
            positive = low > 0.0 and high > 2.0 * low
            self.shift_ = 0.0 if positive else 0.1 * (high - low) - low
            self.floor_ = 0.25 * (low + self.shift_)
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
            return np.asarray(y, dtype=np.float64)
        if self.kind == "log":
            return np.log(np.maximum(y + self.shift_, self.floor_))
        outward = self.side_ * (y - self.middle_) / self.unit_
        return np.asarray(self.side_ * np.where(outward > 0.0, np.log1p(np.maximum(outward, 0.0)), outward))

    def backward(self, t: FloatArray) -> FloatArray:
        """Values of a transformed target."""
        if self.identity_:
            return np.asarray(t, dtype=np.float64)
        if self.kind == "log":
            return np.asarray(np.exp(np.clip(t, -50.0, 50.0)) - self.shift_)
        outward = self.side_ * t
        outward = np.where(outward > 0.0, np.expm1(np.clip(outward, 0.0, 50.0)), outward)
        return np.asarray(self.middle_ + self.side_ * self.unit_ * outward)

    def slope(self, t: FloatArray, std: FloatArray) -> FloatArray:
        """How much a value changes per unit of the transformed target, over one standard deviation each way."""
        if self.identity_:
            return np.ones_like(t)
        width = np.maximum(std, 1e-9)
        return np.asarray((self.backward(t + width) - self.backward(t - width)) / (2.0 * width))
