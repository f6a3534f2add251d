"""Curves: what a measurement reports on its way, and the values at which it is stopped.

What is decided by them is in :mod:`rapid_moo.stopping`; this is what measures, workers and stores need to know.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rapid_moo.errors import InputError

Curve: TypeAlias = tuple[tuple[int, float], ...]
"""Steps and raw values, in the order reported."""


@dataclass(frozen=True)
class Stops:
    """Values that a measurement must keep to, by objective and step; it is stopped where one is worse.

    Attributes
    ----------
    steps : int
        Steps of a complete measurement as far as is known, for reports that do not say it.
    limits : mapping of str to (str, mapping of int to float)
        By objective its direction, ``"min"`` or ``"max"``, and the worst raw value by step that goes on.
    """

    steps: int
    limits: Mapping[str, tuple[str, Mapping[int, float]]]

    def ends(self, step: int, values: Mapping[str, float]) -> bool:
        """Whether a measurement with such raw values at a step is to end."""
        for name, value in values.items():
            direction, at = self.limits.get(name, ("min", {}))
            limit = at.get(step)
            if limit is not None and (value > limit if direction == "min" else value < limit):
                return True
        return False

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        limits = {name: [direction, sorted(at.items())] for name, (direction, at) in self.limits.items()}
        return {"steps": self.steps, "limits": limits}

    @classmethod
    def from_dict(cls, content: Any) -> Stops:
        """From the JSON form.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            limits = {
                str(name): (str(direction), {int(step): float(value) for step, value in at})
                for name, (direction, at) in content["limits"].items()
            }
            return cls(int(content["steps"]), limits)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"stops: expected limits by objective and step, got {content!r}") from error


def is_share(value: Any) -> bool:
    """Whether something is a share of work: above 0, at most 1."""
    return not isinstance(value, bool) and isinstance(value, int | float) and 0.0 < value <= 1.0


def is_curve(value: Any) -> bool:
    """Whether something is a curve: pairs of increasing steps and finite numbers."""
    try:
        steps, values = [step for step, _ in value], [number for _, number in value]
    except (TypeError, ValueError):
        return False
    plain = all(isinstance(step, int) and not isinstance(step, bool) for step in steps)
    increasing = plain and all(a < b for a, b in zip([0, *steps], steps, strict=False))
    return increasing and all(_is_finite(number) for number in values)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
