"""Monotone transforms of a target: dominance does not change under them, but the fit does."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from rapid_moo._util import FloatArray
from rapid_moo.errors import InputError

TRANSFORMS = ("none", "log", "normal_scores")


class TargetTransform:
    """Monotone transform of a target and back.

    Parameters
    ----------
    kind : {"none", "log", "normal_scores"}
        ``log`` is the logarithm of the distance to a point a tenth of the range below the smallest value, or of the
        value itself if all are positive and span more than a factor of two. ``normal_scores`` maps ranks to normal
        quantiles, linear between the training values and beyond them (with the mean slope of the outer fifth).
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
        if self.kind == "normal_scores" and not self.identity_:
            values, counts = np.unique(y, return_counts=True)
            position = (np.cumsum(counts) - 0.5 * counts) / len(y)
            scores = ndtri(position)
            self.values_, self.scores_ = _extended(values, scores)
        return self

    def forward(self, y: FloatArray) -> FloatArray:
        """Transformed target."""
        if self.identity_:
            return np.asarray(y, dtype=np.float64)
        if self.kind == "log":
            return np.log(np.maximum(y + self.shift_, self.floor_))
        return np.interp(y, self.values_, self.scores_)

    def backward(self, t: FloatArray) -> FloatArray:
        """Values of a transformed target."""
        if self.identity_:
            return np.asarray(t, dtype=np.float64)
        if self.kind == "log":
            return np.asarray(np.exp(np.clip(t, -50.0, 50.0)) - self.shift_)
        return np.interp(t, self.scores_, self.values_)

    def slope(self, t: FloatArray, std: FloatArray) -> FloatArray:
        """How much a value changes per unit of the transformed target, over one standard deviation each way."""
        if self.identity_:
            return np.ones_like(t)
        width = np.maximum(std, 1e-9)
        return np.asarray((self.backward(t + width) - self.backward(t - width)) / (2.0 * width))


def _extended(values: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Add a far point on either side, on a line with the mean slope of the outer fifth of the values."""
    reach = max(1, len(values) // 5)
    below = (values[reach] - values[0]) / max(scores[reach] - scores[0], 1e-9)
    above = (values[-1] - values[-1 - reach]) / max(scores[-1] - scores[-1 - reach], 1e-9)
    far = 3.0
    return (
        np.concatenate([[values[0] - far * below], values, [values[-1] + far * above]]),
        np.concatenate([[scores[0] - far], scores, [scores[-1] + far]]),
    )
