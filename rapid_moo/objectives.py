"""Objectives: name, direction and unit; raw values at the border, minimised values inside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import BoolArray, FloatArray, shown
from rapid_moo.errors import InputError

DIRECTIONS = ("min", "max")
LARGEST, MOST_REPEATS = 1e30, 10_000
AUTO = "auto"
MOST_OBJECTIVES = 6
"""Exact fronts and hypervolumes of more objectives take minutes where these take seconds."""


class _Unstated(float):
    """A cost that nobody stated: 1, so that costs count measurements."""


class _Once(int):
    """A number of measurements that nobody stated: 1."""


UNSTATED, ONCE = _Unstated(1.0), _Once(1)


@dataclass(frozen=True)
class Objective:
    """One objective of an architecture.

    Parameters
    ----------
    name : str
        What it is called in reports and output files.
    direction : {"min", "max"}
        Whether smaller or larger raw values are better. Never guessed.
    unit : str
        Unit of the raw values, for reports.
    column : str, optional
        Column of the raw values in a CSV file; ``name`` if not given.
    cost : float
        What one measurement costs, in a unit of one's own such as seconds; 1 unless it is stated. What a space computes
        costs nothing. Where a cost is stated, budgets and results speak of cost, see :mod:`rapid_moo.costs`.
    repeats : int or "auto"
        How often it is measured of each architecture; the mean counts, and each time is billed. With ``"auto"`` once,
        and RAPID measures again where that pays, see :mod:`rapid_moo.repeating`; what a table holds has one value and
        is never measured again.
    """

    name: str
    direction: str
    unit: str = ""
    column: str = ""
    cost: float = UNSTATED
    repeats: int | str = ONCE

    def __post_init__(self) -> None:
        for key in ("name", "unit", "column"):
            if not isinstance(getattr(self, key), str):
                raise InputError(f"objective: expected a text as {key}, got {shown(getattr(self, key))}")
        if not self.name:
            raise InputError("objective: expected a name, got an empty one")
        if self.direction not in DIRECTIONS:
            raise InputError(f"objective {self.name!r}: expected direction 'min' or 'max', got {self.direction!r}")
        if isinstance(self.cost, bool) or not isinstance(self.cost, int | float) or not 0 <= self.cost <= LARGEST:
            raise InputError(f"objective {self.name!r}: expected a cost of 0 to {LARGEST:g}, got {shown(self.cost)}")
        if 0 < self.cost < 1.0 / LARGEST:
            least = f"{1.0 / LARGEST:g}"
            raise InputError(f"objective {self.name!r}: expected a cost of {least} or more, or 0, got {self.cost!r}")
        number = isinstance(self.repeats, int) and not isinstance(self.repeats, bool)
        if self.repeats != AUTO and not (number and 0 < self.times <= MOST_REPEATS):
            raise InputError(
                f"objective {self.name!r}: expected repeats of 1 to {MOST_REPEATS}, or {AUTO!r},"
                f" got {shown(self.repeats)}"
            )
        if not self.column:
            object.__setattr__(self, "column", self.name)

    @property
    def sign(self) -> float:
        """Factor between raw and minimised values: 1 or -1."""
        return 1.0 if self.direction == "min" else -1.0

    @property
    def cost_stated(self) -> bool:
        """Whether somebody said what a measurement costs, be it 1."""
        return not isinstance(self.cost, _Unstated)

    @property
    def times(self) -> int:
        """How often it is measured of every architecture; 1 where RAPID chooses which are measured again."""
        return 1 if isinstance(self.repeats, str) else self.repeats

    @property
    def repeats_stated(self) -> bool:
        """Whether somebody said how often it is measured, be it once."""
        return not isinstance(self.repeats, _Once)

    @property
    def chosen_repeats(self) -> bool:
        """Whether RAPID chooses what is measured again."""
        return self.repeats == AUTO

    @property
    def label(self) -> str:
        """Name with unit, for axes and tables."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


def signs(objectives: Sequence[Objective]) -> FloatArray:
    """Signs of the objectives as an array of shape (n_objectives,)."""
    return np.array([objective.sign for objective in objectives], dtype=np.float64)


def to_minimised(raw: ArrayLike, objectives: Sequence[Objective]) -> FloatArray:
    """Raw values of shape (n, n_objectives) as values to be minimised."""
    return np.asarray(raw, dtype=np.float64) * signs(objectives)


def to_raw(minimised: ArrayLike, objectives: Sequence[Objective]) -> FloatArray:
    """Minimised values of shape (n, n_objectives) as raw values."""
    return np.asarray(minimised, dtype=np.float64) * signs(objectives)


_PART = re.compile(
    r"\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^,]*?))\s*:\s*(?P<direction>[^:,]*?)\s*(?:,|$)"
)


def plausible(values: ArrayLike) -> BoolArray:
    """Which values can have been measured: finite, and at most ``LARGEST`` in size; of the shape of ``values``.

    Penalties such as the largest float stand for failures, and no sum of their squares is finite.
    """
    return np.asarray(np.abs(np.asarray(values, dtype=np.float64)) <= LARGEST)


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Parse ``accuracy:max,latency:min,mem:min`` (column, direction).

    A name with a comma stands in quotes: ``"Top-1, val (%)":max,latency:min``.

    Raises
    ------
    InputError
        If a part has no direction, an unknown one, or a column comes twice.
    """
    found: list[Objective] = []
    at = 0
    while at < max(len(text), 1):
        match = _PART.match(text, at)
        column = match and (match["double"] or match["single"] or match["bare"])
        if match is None or not column:
            part = shown(text[at:].split(",")[0].strip())
            raise InputError(
                f"objectives: expected COLUMN:min or COLUMN:max, got {part} in {shown(text, 200)}; a COLUMN that has a"
                " comma or colon stands in quotes"
            )
        found.append(Objective(column, match["direction"].lower()))
        at = match.end()
    if len(found) < 2:
        raise InputError(f"objectives: expected at least two, got {shown(text, 200)}")
    return distinct(found)


def with_repeats(objectives: Sequence[Objective], text: str, computed: Collection[str] = ()) -> tuple[Objective, ...]:
    """The objectives, measured as often as ``accuracy:3,latency:auto`` says; the others as before.

    Parameters
    ----------
    objectives : sequence of Objective
        What is measured.
    text : str
        Names with numbers or ``auto``; a name with a comma or colon stands in quotes.
    computed : collection of str
        Objectives that the space computes, which are not measured.

    Raises
    ------
    InputError
        If a part cannot be read, or a name is unknown, computed or comes twice.
    """
    names = [objective.name for objective in objectives]
    stated: dict[str, int | str] = {}
    at = 0
    while at < max(len(text), 1):
        match = _PART.match(text, at)
        name, value = (match["double"] or match["single"] or match["bare"], match["direction"]) if match else ("", "")
        if not name or not (value == AUTO or re.fullmatch(r"\d{1,9}", value)):
            part = shown(text[at:].split(",")[0].strip())
            raise InputError(f"repeats: expected NAME:NUMBER or NAME:{AUTO}, got {part} in {shown(text, 200)}")
        if name not in names or name in computed or name in stated:
            what = "twice" if name in stated else "computed" if name in computed else "unknown"
            measured = ", ".join(n for n in names if n not in computed)
            raise InputError(f"repeats: expected some of {measured}, each once, got {shown(name)}: {what}")
        stated[name] = AUTO if value == AUTO else int(value)
        assert match is not None
        at = match.end()
    return tuple(replace(o, repeats=stated[o.name]) if o.name in stated else o for o in objectives)


def as_objectives(stated: str | Mapping[str, str] | Sequence[Objective]) -> tuple[Objective, ...]:
    """Objectives from text, from a dict of columns and directions, or as they are.

    Raises
    ------
    InputError
        As :func:`parse_objectives`, and for anything else.
    """
    if isinstance(stated, str):
        return parse_objectives(stated)
    if isinstance(stated, Mapping):
        wrong = [(name, to) for name, to in stated.items() if not isinstance(name, str) or to not in DIRECTIONS]
        if wrong:
            raise InputError(f"objectives: expected {{column: 'min' or 'max'}}, got {wrong[0][0]!r}: {wrong[0][1]!r}")
        if len(stated) < 2:
            raise InputError(f"objectives: expected at least two, got {dict(stated)!r}")
        return distinct(Objective(name, direction) for name, direction in stated.items())
    found = tuple(stated) if isinstance(stated, Iterable) else ()
    if not found or not all(isinstance(objective, Objective) for objective in found):
        raise InputError(f"objectives: expected 'COLUMN:min,COLUMN:max', a dict or Objectives, got {shown(stated)}")
    return distinct(found)


def distinct(objectives: Iterable[Objective]) -> tuple[Objective, ...]:
    """The objectives, if no two are the same column and they are few enough.

    Raises
    ------
    InputError
        If two have the same name, or there are more than :data:`MOST_OBJECTIVES`.
    """
    found = tuple(objectives)
    if len(found) > MOST_OBJECTIVES:
        raise InputError(f"objectives: expected at most {MOST_OBJECTIVES}, got {len(found)}")
    names = [objective.name for objective in found]
    if len(set(names)) != len(names):
        raise InputError(f"objectives: expected distinct columns, got {', '.join(names)}")
    return found
