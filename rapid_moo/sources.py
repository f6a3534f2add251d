"""Where raw objectives come from: a table (look-up), the user's own measure, or predictors.

A genotype that a table does not hold stands for its nearest member (:meth:`SearchSpace.distance`, ties to the earlier
row). That one rule serves incomplete tables and tables that sample their space, and it is the same for every optimizer:
any pymoo algorithm can search a table's members through ordinary genotypes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.measure import Attempt, Coded, Guard, Outcome, as_attempts, measure_times, together
from rapid_moo.nearest import NearestMember
from rapid_moo.objectives import Objective
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

Profiler = Callable[[IntArray], ArrayLike]


class Source(Protocol):
    """Where raw objective values come from; ``kind`` says it for people."""

    kind: ClassVar[str]

    @property
    def true(self) -> bool:
        """Whether a call is a true evaluation, which is remembered and billed."""

    def resolve(self, X: IntArray) -> IntArray:
        """Repaired genotypes of the architectures that will really be evaluated."""

    def values(self, X: IntArray) -> FloatArray:
        """Raw objectives of resolved genotypes, shape (n, n_objectives); NaN marks a failed evaluation."""


@dataclass(frozen=True, eq=False)
class TableSource:
    """Look-up in a table; a genotype outside it stands for its nearest member."""

    kind: ClassVar[str] = "a table"

    table: ArchitectureTable
    true: bool = True
    _known: dict[bytes, int] = field(default_factory=dict, repr=False)

    def resolve(self, X: IntArray) -> IntArray:
        """Members of the table, see the module's rule."""
        rows = self.table.find(X)
        missing = np.flatnonzero(rows < 0)
        keys = [X[i].tobytes() for i in missing]
        new = {key: i for key, i in zip(keys, missing, strict=True) if key not in self._known}
        if new:
            nearest = self._members.rows(X[list(new.values())])
            self._known.update(zip(new, nearest.tolist(), strict=True))
        rows[missing] = [self._known[key] for key in keys]
        return self.table.X[rows]

    @cached_property
    def _members(self) -> NearestMember:
        return NearestMember(self.table.space, self.table.X)

    def column(self, column: FloatArray, X: IntArray) -> FloatArray:
        """Values of a further column of the table, of what genotypes stand for."""
        return column[self.table.find(self.resolve(X))]

    def values(self, X: IntArray) -> FloatArray:
        """Measured values of members."""
        return self.table.raw[self.table.find(X)]


@dataclass(frozen=True, eq=False)
class MeasureSource:
    """The user's own training and measuring: called with new architectures only, once for each.

    An exception, a missing value or a wrong one is a failure of the objectives concerned, with its reason in the store.
    A bug in the user's code is not: see :class:`~rapid_moo.measure.Guard`.
    """

    kind: ClassVar[str] = "a measure"

    space: SearchSpace
    attempts: tuple[Attempt, ...]
    guard: Guard = field(default_factory=Guard)
    true: bool = True

    def resolve(self, X: IntArray) -> IntArray:
        """The genotypes themselves."""
        return X

    def values(self, X: IntArray) -> FloatArray:
        """Not a look-up: measures are called one by one, see :meth:`ArchitectureProblem.evaluate_raw`."""
        raise InputError(f"{self.space.name}: a measure is evaluated through its problem, not looked up")

    def needed(self, settled: Collection[str]) -> tuple[int, ...]:
        """Which of the functions give an objective that is not settled yet."""
        return tuple(k for k, attempt in enumerate(self.attempts) if not set(attempt.names) <= set(settled))


@dataclass(frozen=True)
class CallAll:
    """Several functions of one architecture as one call; can be sent to another process where they can."""

    attempts: tuple[Attempt, ...]

    def __call__(self, work: tuple[dict[str, Any], Sequence[tuple[int, int]], Stops | None]) -> list[Outcome]:
        """Outcomes of those functions that an architecture needs, those of their first calls as one, and so on.

        ``work`` is the architecture, positions of functions with how often each is called, and when to stop them.
        """
        architecture, needed, stops = work
        parts = [measure_times(self.attempts[k], architecture, times, stops) for k, times in needed]
        return [together([part[i] for part in parts if len(part) > i]) for i in range(max(map(len, parts)))]


@dataclass(frozen=True, eq=False)
class PredictedSource:
    """Objectives from fitted predictors: free of charge and not remembered."""

    kind: ClassVar[str] = "predictors"

    predictors: Any
    true: bool = False

    def resolve(self, X: IntArray) -> IntArray:
        """The genotypes themselves."""
        return X

    def values(self, X: IntArray) -> FloatArray:
        """Predicted raw values."""
        return np.asarray(self.predictors.predict(X), dtype=np.float64)


def as_source(
    space: SearchSpace, source: Any, measure: Any, objectives: Sequence[Objective] | None, guard: Guard | None
) -> tuple[Source, tuple[Objective, ...]]:
    """What a user gave as a source of objectives, with the objectives that it gives.

    Raises
    ------
    InputError
        If it is none, not exactly one, or of another space or other objectives than are stated.
    """
    if (source is None) == (measure is None):
        raise InputError(f"{space.name}: expected either a source or a measure")
    if isinstance(source, ArchitectureTable):
        check_fits("table", space, objectives, source)
        return TableSource(source), source.objectives
    if hasattr(source, "predict") and hasattr(source, "objectives"):
        check_fits("predictors", space, objectives, source)
        return PredictedSource(source), tuple(source.objectives)
    chosen = tuple(objectives or space.objectives)
    if measure is not None or callable(source):
        if len(chosen) < 1:
            raise InputError(f"{space.name}: expected objectives for the measure's values, got none")
        return MeasureSource(space, _attempts(space, source, measure, chosen), guard or Guard()), chosen
    raise InputError(
        f"source: expected an ArchitectureTable, a profiler function or fitted predictors, got {type(source).__name__}"
    )


def check_fits(what: str, space: SearchSpace, objectives: Sequence[Objective] | None, source: Any) -> None:
    """Refuse a table or predictors of another space, or of other objectives than are stated."""
    theirs = getattr(source, "space", space)
    if tuple(theirs.genes) != tuple(space.genes):
        raise InputError(
            f"{what}: expected those of the space {space.name!r}, got those of {theirs.name!r}: other genes"
        )
    stated, known = ([(o.name, o.direction) for o in several] for several in (objectives or (), source.objectives))
    if stated and stated != known:
        told, has = (", ".join(f"{name}:{direction}" for name, direction in several) for several in (stated, known))
        raise InputError(f"{what}: expected the objectives {told}, got those of {has}")


def _attempts(space: SearchSpace, profiler: Any, measure: Any, objectives: Sequence[Objective]) -> tuple[Attempt, ...]:
    names = [objective.name for objective in objectives]
    if measure is None:
        return (Attempt(Coded(profiler, space, names), names),)
    computed = [objective.name for objective in space.computed]
    return as_attempts(measure, [name for name in names if name not in computed], computed)
