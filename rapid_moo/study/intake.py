"""What was measured elsewhere, put into the store of a study: by hand, from files, whole or in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from rapid_moo._util import IntArray, shown
from rapid_moo.errors import InputError
from rapid_moo.measure import as_number, shortened
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.rows import BY_HAND, IMPORT

Told = tuple[int, IntArray, Mapping[str, float], Mapping[str, str]]
"""A line of a file, the genotype that it tells of, and values and reasons of failures by objective."""


class Intake:
    """Takes in values that no engine has measured, and fills in what the space computes.

    Parameters
    ----------
    problem : ArchitectureProblem
        Whose store they go to.
    """

    def __init__(self, problem: ArchitectureProblem) -> None:
        self.problem, self.store = problem, problem.store

    def wanted(self, row: int) -> tuple[str, ...]:
        """Objectives that are to be measured of a row."""
        computed = {objective.name for objective in self.problem.space.computed}
        wanted = zip(self.store.objectives, self.store.wanted_of(row), strict=True)
        return tuple(name for name, on in wanted if on and name not in computed)

    def _sought(self, which: Mapping[str, Any] | int) -> IntArray:
        """The genotype of an architecture, or of an evaluation's number."""
        self.store.refresh()
        if isinstance(which, Mapping):
            return self.problem.space.from_dict(which)
        if isinstance(which, bool) or not isinstance(which, Integral) or not 1 <= which <= len(self.store):
            raise InputError(f"tell: expected an evaluation's number in 1..{len(self.store)}, got {which!r}")
        return self.store.X[int(which) - 1]

    def _row(self, x: IntArray, who: str) -> int:
        row = int(self.store.find(x[None])[0])
        return row if row >= 0 else int(self.store.ask(x[None], who, free=True)[0])

    def tell(self, which: Mapping[str, Any] | int, values: Mapping[str, Any], reason: str = "") -> None:
        """What was measured of an architecture; the rest may follow. Where nothing is said nothing happens.

        Parameters
        ----------
        which : dict or int
            An architecture, or an evaluation's number.
        values : mapping of str to number
            Raw values. None, or a number that is not finite, is a failure of that objective.
        reason : str
            Why the objectives without a value failed; without a reason they may still be told.

        Raises
        ------
        InputError
            If it is neither, or an objective or a value is not what it should be; nothing is told then.
        """
        known, failures = self._read(values)
        x = self._sought(which)
        if not (known or failures or reason):
            return
        row = self._row(x, BY_HAND)
        if reason:
            asked = self.wanted(row) or self.store.objectives
            failures |= {name: shortened(reason) for name in asked if name not in known}
        self._put(row, known, failures)

    def _read(self, values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
        if not isinstance(values, Mapping):
            raise InputError(f"tell: expected values by objective, got {shown(values)}")
        names = self.store.objectives
        computed = {objective.name for objective in self.problem.space.computed}
        known: dict[str, float] = {}
        failures: dict[str, str] = {}
        for name, value in values.items():
            if name not in names:
                raise InputError(f"tell: expected objectives {', '.join(names)}, got {name!r}")
            if name in computed:
                continue  # the space knows it exactly, whatever is told
            try:
                known[name] = as_number(value)
            except ValueError as error:
                if isinstance(value, str | bytes):
                    raise InputError(f"tell: {name}: {error}") from error
                failures[name] = shortened(error)
        return known, failures

    def _put(self, row: int, known: Mapping[str, float], failures: Mapping[str, str]) -> None:
        with self.store.transaction():
            if known:
                self.store.tell(row, known, who=BY_HAND, more=True)
            self.store.tell(row, self.problem.computed_values(row), failures, more=True)
            if self.store.pending[row] and not self.store.wanted_of(row).any():
                self.store.tell(row, {})

    def tell_rows(self, told: Sequence[Told]) -> int:
        """Tell what a file holds of architectures; returns how many of its rows said something new.

        A value that the store holds already says nothing new, since a file may be told again when more of its cells are
        filled in; another value of the same is a repeat.
        """
        new_rows = 0
        with self.store.transaction():
            for _, x, values, reasons in told:
                row = self._row(x, BY_HAND)
                known = dict(zip(self.store.objectives, self.store.raw_of([row])[0].tolist(), strict=True))
                # What was asked for once more may come out as before.
                asked = dict(zip(self.store.objectives, self.store.again_of(row), strict=True))
                new = {name: value for name, value in values.items() if value != known[name] or asked[name]}
                failures = {name: text for name, text in reasons.items() if np.isnan(known[name])}
                if new or failures:
                    self._put(row, new, failures)
                    new_rows += 1
        return new_rows

    def take_over(self, told: Sequence[Told]) -> None:
        """Take over what was known beforehand, free of charge; what the store holds already stays."""
        with self.store.transaction():
            for _, x, values, reasons in told:
                row = self._row(x, IMPORT)
                repeats = dict(zip(self.store.objectives, self.store.repeats_of(row).tolist(), strict=True))
                new = {name: value for name, value in values.items() if not repeats[name]}
                who = IMPORT if self.store.is_free(row) else ""
                if new or reasons:
                    # A row that is billed for something else is not billed for what was known beforehand.
                    self.store.tell(row, new, reasons, who=who, more=bool(self.store.pending[row]), free=True)
                computed = self.problem.computed_values(row)
                if computed:
                    self.store.tell(row, computed, more=bool(self.store.pending[row]), free=True)
                if self.store.is_waiting(row) and not self.store.wanted_of(row).any():
                    self.store.drop([row])  # nothing is left to measure of it
