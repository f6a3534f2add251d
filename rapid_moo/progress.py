"""What long work says of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far something is.

    Attributes
    ----------
    done : int or float
        Units done: evaluations of a search (or their cost, where costs are stated), configurations of a tuner, runs of
        a comparison, bytes of a download.
    total : int, float or None
        Units in all, None where that is unknown.
    adrs : float or None
        Quality so far: of what was evaluated, of the tuner's best triplet, of the run that has just ended.
    latest : object
        What has just been done, where that has a form: a comparison's ``RunRecord``.
    """

    done: float
    total: float | None
    adrs: float | None = None
    latest: Any = None


ProgressCallback: TypeAlias = Callable[[Progress], None]
"""``progress=`` of everything that takes long; a study's gets its ``Status``, which says more."""
