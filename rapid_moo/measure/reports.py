"""What a measure reports on its way, and whether it is to stop."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.measure.outcomes import Outcome, as_float, as_number, read_result, shortened


class Reports:
    """What a measure reports on its way: called with a step and values, it says whether to stop.

    Parameters
    ----------
    names : sequence of str
        Objectives that the measure gives.
    known : sequence of str
        Further names that may come along, and are left out.
    stops : Stops, optional
        When to stop; never without it.
    """

    def __init__(self, names: Sequence[str], known: Sequence[str] = (), stops: Stops | None = None) -> None:
        self.names, self.known, self.stops = tuple(names), tuple(known), stops
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self.diverged: dict[str, str] = {}
        self.step, self.of = 0, stops.steps if stops is not None else 0
        self.stopped = False

    def __call__(self, step: Any, values: Any, of: Any = None) -> bool:
        """Report values of objectives after a step; True says that the measure is to stop.

        Parameters
        ----------
        step : int
            Steps done, 1 or more, and more each time: the same ones for every architecture, such as epochs.
        values : mapping of str to number
            Raw values of objectives as they would be if this were the end; one number is enough for one objective. One
            that is not finite any more says that the training has diverged: the objective has failed then.
        of : int, optional
            Steps in all, which says what share of the work a stopped measurement has cost; that of the longest complete
            measurement otherwise.

        Raises
        ------
        InputError
            If a step does not increase, a name is no objective of this measure, or a value is no number.
        """
        number, total = _whole(step), None if of is None else _whole(of)
        if number <= self.step:
            raise InputError(f"report: expected a step above {self.step}, got {shortened(repr(step), 80)}")
        if total is not None and total < number:
            raise InputError(f"report: expected as many steps in all as {number} or more, got {shortened(of, 80)}")
        if len(self.names) == 1 and not isinstance(values, Mapping):
            values = {self.names[0]: values}
        wrong = not isinstance(values, Mapping) or any(name not in (*self.names, *self.known) for name in values)
        if wrong or not any(name in values for name in self.names):
            got = shortened(repr(values), 80)
            raise InputError(f"report: expected values of some of {', '.join(self.names)}, got {got}")
        read = {name: self._number(name, values[name]) for name in self.names if name in values}
        finite = {name: value for name, value in read.items() if math.isfinite(value)}
        self.step, self.of = number, total or self.of
        for name, value in finite.items():
            self.curves.setdefault(name, []).append((number, value))
        for name in read.keys() - finite.keys():
            self.diverged.setdefault(name, f"expected a finite number, got {read[name]} at step {number}")
        self.stopped |= self.stops is not None and self.stops.ends(number, finite)
        return self.stopped or bool(self.diverged)

    @staticmethod
    def _number(name: str, value: Any) -> float:
        try:
            return as_float(value)
        except ValueError as error:
            raise InputError(f"report: {name}: {error}") from error

    def add_to(self, outcome: Outcome, result: Any = None) -> Outcome:
        """An outcome with what was reported; if the measure was stopped, as that says.

        What was reported is not final then, whatever was returned, and what is missing is no failure.
        """
        outcome.curves = {name: tuple(curve) for name, curve in self.curves.items()}
        if outcome.error is not None or outcome.trace:
            return outcome
        if self.diverged:
            # Whatever was returned: a measure that is told to stop may return anything.
            outcome.values = {name: value for name, value in outcome.values.items() if name not in self.diverged}
            outcome.reasons |= self.diverged
            outcome.lacking = ()
            return outcome
        if not self.stopped:
            return outcome
        values, _ = read_result(result, self.names, self.known) if isinstance(result, Mapping) else ({}, {})
        outcome.values = {name: value for name, value in values.items() if name not in self.curves}
        share = min(1.0, self.step / max(self.of, self.step))
        outcome.stopped = {name: share for name in self.names if name not in outcome.values}
        told = f"stopped at step {self.step} of {max(self.of, self.step)}"
        outcome.reasons = dict.fromkeys(outcome.stopped, told)
        outcome.lacking = ()
        return outcome


def _whole(value: Any) -> int:
    """A number of steps; 0 for what is none."""
    try:
        number = as_number(value)
    except Exception:  # whatever a strange object raises
        return 0
    return int(number) if number.is_integer() else 0


def wants_reports(function: Any) -> bool:
    """Whether a measure has a parameter named ``report``."""
    try:
        return "report" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
