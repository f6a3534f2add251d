"""What every check is made of: a condition, and a message that shows what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid_moo.errors import ConformanceError


def require(condition: bool, message: str) -> None:
    """Raise a ConformanceError unless the condition holds."""
    if not condition:
        raise ConformanceError(message)


def require_rows(good: NDArray[np.bool_], message: str, before: NDArray[Any], after: NDArray[Any]) -> None:
    """Require something of every row; the message shows the first row that breaks it."""
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise ConformanceError(f"{message}: row {row}: {before[row].tolist()} and {after[row].tolist()}")


def unchanged(function: Callable[[Any], Any], values: NDArray[Any], what: str) -> Any:
    """The function's result; its input must come out as it went in."""
    kept = values.copy()
    result = function(values)
    # As lists, in which a NaN is equal to itself.
    require(values.tolist() == kept.tolist(), f"{what} changes its input")
    return result
