"""Bugs in the user's code, told from networks that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from rapid_moo.errors import InputError, MeasureError
from rapid_moo.measure.outcomes import CANNOT_RUN, Outcome

FIRST_RAISED, SAME_RAISED = 5, 10


class Guard:
    """Tells a bug in the user's code from networks that fail.

    It says stop when the first evaluations all raised, when many in a row raised the same, or when an objective was in
    none of the first results.

    Parameters
    ----------
    first : int
        So many evaluations that all raised, from the first one on, are a bug, and so many results that all lack an
        objective; 0 never stops.
    same : int
        So many in a row that raised the same, whenever, are a bug; 0 never stops.
    """

    def __init__(self, first: int = FIRST_RAISED, same: int = SAME_RAISED) -> None:
        if first < 0 or same < 0:
            raise InputError(f"guard: expected numbers that are not negative, got {first} and {same}")
        self.first, self.same = first, same
        self.row: list[tuple[Any, str]] = []
        self.succeeded = False
        self.without: dict[str, list[Any]] = {}

    def add(self, key: Any, outcome: Outcome) -> list[Any]:
        """Count an outcome; returns the keys of what was in vain if it is time to stop, else nothing.

        What it lacks are objectives that no result has had so far.
        """
        if not outcome.mark:
            self.succeeded = True
            self.row = []
            return self._in_none(key, outcome)
        self.row.append((key, outcome.mark))
        alike = 0
        for _, mark in reversed(self.row):
            if mark != outcome.mark:
                break
            alike += 1
        if outcome.mark == CANNOT_RUN and not self.succeeded and self.first:
            # No network can be to blame.
            return [key for key, _ in self.row]
        if not self.succeeded and self.first and len(self.row) >= self.first:
            return [key for key, _ in self.row]
        if self.same and alike >= self.same:
            return [key for key, _ in self.row[-alike:]]
        return []

    def _in_none(self, key: Any, outcome: Outcome) -> list[Any]:
        """The keys of the first results if there are enough that all lack an objective."""
        for name in outcome.lacking:
            keys = self.without.setdefault(name, [])
            if key not in keys:  # one of several repeats
                keys.append(key)
        enough = [name for name in outcome.lacking if self.first and len(self.without[name]) >= self.first]
        return list(dict.fromkeys(key for name in enough for key in self.without[name]))


@dataclass(frozen=True)
class Bug:
    """A bug in the user's code, as the last outcome shows it, and how many evaluations were in vain."""

    outcome: Outcome
    n: int

    def stop(self) -> NoReturn:
        """Raise what the user's code raised, or its traceback as text where the exception is in another process.

        Raises
        ------
        Exception
            The user's own, where it is at hand.
        MeasureError
            With his traceback or standard error otherwise, and where nothing was raised and an objective never came.
        """
        error = self.outcome.error
        if not self.outcome.mark:
            names = ", ".join(map(repr, self.outcome.lacking))
            raise MeasureError(
                f"measure: none of the first {self.n} results has {names}: {self._came()}; mend the measure or give"
                " another one; what was measured is kept, and these evaluations wait until then"
            )
        told = (
            f"measure: {self.n} evaluations in a row raised; they are not billed and wait until the mistake is mended"
        )
        if error is not None and not isinstance(error, MeasureError):
            error.add_note(told)
            raise error
        raise MeasureError(f"{told}:\n{self.outcome.trace.rstrip()}")

    def _came(self) -> str:
        """What the last result was, in the words of its reasons."""
        return next(
            (text for name, text in self.outcome.reasons.items() if name in self.outcome.lacking), "nothing came"
        )
