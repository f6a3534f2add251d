"""The rows of a store: what its events add up to, an architecture each.

Per objective a row holds the measured values (repeats count with their mean), or the reason why there is none. Rows
change only by *events*, which a file writes down before they take effect:

* ``ask``: an architecture is to be evaluated, in some objectives or in all, or comes along as known (*free*: imports
  are not billed);
* ``start``: somebody works on it;
* ``report``: curves of some objectives, as a measurement reported them on its way;
* ``tell``: values and reasons of some objectives, and the share of the work where one was stopped;
* ``requeue``: the work was lost or in vain, so the architecture waits again and counts as not begun;
* ``drop``: it waits no longer, and what is known of it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rapid_moo._util import BoolArray, FloatArray, IntArray, row_keys
from rapid_moo.curves import Curve, Stops
from rapid_moo.errors import InputError
from rapid_moo.frames import gene_frame, own_name
from rapid_moo.space import SearchSpace

STATES = ("asked", "running", "done", "partial", "stopped", "failed")
IDLE, ASKED, RUNNING = 0, 1, 2
IMPORT, BY_HAND = "import", "hand"
_ARRAYS = (
    *("_X", "_total", "_squares", "_count", "_work", "_free", "_broken", "_seconds", "_when", "_begun"),
    *("_paid", "_lost", "_halted", "_wanted", "_again", "_told"),
)


@dataclass(frozen=True)
class Event:
    """One change of rows: what happened to a row, when, and the details in JSON's types."""

    kind: str
    row: int
    at: float
    body: Mapping[str, Any]


class Rows:
    """What is known of architectures, by row and objective; the same events make the same rows.

    Parameters
    ----------
    space : SearchSpace
        Says which genotypes are the same architecture.
    objectives : sequence of str
        Names of the objectives, the columns of ``raw``.

    Attributes
    ----------
    changed : set of int
        Rows that have changed; whoever shows them takes them out.
    generation : int
        How often the rows were begun anew, after which nothing that was shown of them holds.
    """

    def __init__(self, space: SearchSpace, objectives: Sequence[str]) -> None:
        self.space = space
        self.generation = -1
        self._clear(objectives)

    def _clear(self, objectives: Sequence[str]) -> None:
        """Begin anew without any row."""
        if isinstance(objectives, str) or len(set(objectives)) != len(objectives) or not len(objectives):
            raise InputError(f"store: expected distinct objectives, at least one, got {objectives!r}")
        self.objectives: tuple[str, ...] = tuple(objectives)
        self._rows: dict[bytes, int] = {}
        self._n = 0
        self._X = np.empty((16, self.space.n_var), dtype=np.int64)
        self._total, self._squares, self._count = (np.zeros((16, len(objectives))) for _ in range(3))
        self._work = np.zeros(16, dtype=np.int8)
        self._free = np.zeros(16, dtype=np.bool_)
        self._broken = np.zeros((16, len(objectives)), dtype=np.bool_)
        self._paid, self._lost, self._halted = (np.zeros((16, len(objectives))) for _ in range(3))
        self._wanted = np.ones((16, len(objectives)), dtype=np.bool_)
        self._again = np.zeros((16, len(objectives)), dtype=np.bool_)
        self._seconds, self._when = np.zeros(16), np.zeros(16)
        self._begun, self._told = np.zeros(16, dtype=np.int64), np.zeros(16, dtype=np.int64)
        self._n_told = 0
        self.changed: set[int] = set()
        self.generation += 1
        self._who: list[str] = []
        self._reasons: list[dict[str, str]] = []
        self._curves: list[dict[str, Curve]] = []
        self._stops: list[Stops | None] = []

    # ------------------------------------------------------------------ reading
    def __len__(self) -> int:
        return self._n

    @property
    def X(self) -> IntArray:
        """Repaired genotypes in the order asked for, shape (n, n_var)."""
        return self._X[: self._n]

    @property
    def raw(self) -> FloatArray:
        """Mean raw values, shape (n, n_objectives); NaN where nothing was measured."""
        count = self._count[: self._n]
        return np.where(count > 0, self._total[: self._n] / np.maximum(count, 1.0), np.nan)

    def raw_of(self, rows: ArrayLike) -> FloatArray:
        """Mean raw values of some rows, shape (n_rows, n_objectives)."""
        index = np.asarray(rows, dtype=np.int64)
        count = self._count[index]
        return np.where(count > 0, self._total[index] / np.maximum(count, 1.0), np.nan)

    @property
    def repeats(self) -> IntArray:
        """How often each objective was measured, shape (n, n_objectives)."""
        return self._count[: self._n].astype(np.int64)

    @property
    def repeat_variance(self) -> FloatArray:
        """Variance between the repeats of each row and objective; NaN below two."""
        count = self._count[: self._n]
        spread = self._squares[: self._n] - self._total[: self._n] ** 2 / np.maximum(count, 1.0)
        return np.where(count > 1, np.maximum(spread, 0.0) / np.maximum(count - 1.0, 1.0), np.nan)

    @property
    def failed_objectives(self) -> BoolArray:
        """Where an objective was tried and has no value, shape (n, n_objectives)."""
        return np.asarray(self._broken[: self._n] & (self._count[: self._n] == 0))

    @property
    def stopped_objectives(self) -> BoolArray:
        """Where the measurement of an objective was stopped and it has no value, shape (n, n_objectives)."""
        return np.asarray((self._halted[: self._n] > 0) & (self._count[: self._n] == 0))

    @property
    def stopped(self) -> BoolArray:
        """Rows of which an objective was stopped and has no value, shape (n,)."""
        return np.asarray(self.stopped_objectives.any(axis=1))

    @property
    def open(self) -> BoolArray:
        """Rows that are known in part, and whose other objectives may be measured, shape (n,)."""
        return np.asarray(self.tried & ~(self.complete | self.failed | self.stopped))

    def curve(self, row: int, objective: str) -> Curve:
        """Steps and raw values that the last measurement of an objective reported on its way; empty if it did not."""
        return self._curves[row].get(objective, ())

    def stops_of(self, row: int) -> Stops | None:
        """When the measurement of a row is to be stopped; None for never."""
        return self._stops[row]

    @property
    def paid(self) -> FloatArray:
        """How often each objective was measured here, failures included and imports not, shape (n, n_objectives).

        A measurement that was stopped counts by the share of the work that was done.
        """
        return self.paid_of(np.arange(self._n))

    def paid_of(self, rows: ArrayLike) -> FloatArray:
        """As :attr:`paid`, of some rows."""
        index = np.asarray(rows, dtype=np.int64)
        return np.asarray(self._paid[index] + self._lost[index] + self._halted[index], dtype=np.float64)

    def in_order_told(self, rows: ArrayLike) -> IntArray:
        """Some rows in the order in which the last value of each was told, shape (n,); untold ones first."""
        index = np.asarray(rows, dtype=np.int64)
        return index[np.argsort(self._told[index], kind="stable")]

    def asked_of(self, row: int) -> BoolArray:
        """Which objectives of a row were asked for last, shape (n_objectives,); all of them where nobody said which."""
        return np.asarray(self._wanted[row].copy(), dtype=np.bool_)

    def wanted_of(self, row: int) -> BoolArray:
        """Which objectives of a row were asked for last and are not settled, shape (n_objectives,).

        Those that were asked for once more have not come either.
        """
        return np.asarray((self._wanted[row] & ~self.settled_objectives(row)) | self._again[row])

    @property
    def again(self) -> BoolArray:
        """Which objectives of each row were asked for once more and not told since, shape (n, n_objectives)."""
        return self._again[: self._n].copy()

    def again_of(self, row: int) -> BoolArray:
        """As :attr:`again`, of one row."""
        return np.asarray(self._again[row].copy(), dtype=np.bool_)

    @property
    def failed_again(self) -> BoolArray:
        """Where an objective has a value and another measurement of it failed, shape (n, n_objectives)."""
        return np.asarray(self._broken[: self._n] & (self._count[: self._n] > 0))

    @property
    def complete(self) -> BoolArray:
        """Rows with a value of every objective, shape (n,)."""
        return np.asarray((self._count[: self._n] > 0).all(axis=1))

    @property
    def failed(self) -> BoolArray:
        """Rows of which an objective failed, shape (n,)."""
        return np.asarray(self.failed_objectives.any(axis=1))

    @property
    def pending(self) -> BoolArray:
        """Rows that wait or are being worked on, shape (n,)."""
        return np.asarray(self._work[: self._n] != IDLE)

    @property
    def running(self) -> BoolArray:
        """Rows that are being worked on, shape (n,)."""
        return np.asarray(self._work[: self._n] == RUNNING)

    @property
    def free(self) -> BoolArray:
        """Rows that were known beforehand and are not billed, shape (n,)."""
        return self._free[: self._n].copy()

    @property
    def tried(self) -> BoolArray:
        """Rows of which an objective was measured, has failed or was stopped, shape (n,)."""
        return np.asarray(self._settled(slice(self._n)).any(axis=1))

    def _settled(self, rows: Any) -> BoolArray:
        """Where an objective has a value, has failed or was stopped."""
        return np.asarray((self._count[rows] > 0) | self._broken[rows] | (self._halted[rows] > 0))

    @property
    def waiting(self) -> IntArray:
        """Rows that were asked for and not begun, in order."""
        return np.flatnonzero(self._work[: self._n] == ASKED)

    @property
    def begun(self) -> IntArray:
        """How often an evaluation of each row was begun here, shape (n,)."""
        return self._begun[: self._n].copy()

    @property
    def n_evaluations(self) -> int:
        """Evaluations that were begun here, which is what a budget counts; imports are none."""
        return int(self._begun[: self._n].sum())

    def who(self, row: int) -> str:
        """Who asked for a row, works on it or measured it."""
        return self._who[row]

    def state(self, row: int) -> str:
        """One of :data:`STATES`: a row with some values is ``partial``, one that only failed is ``failed``.

        One that lacks a value because its measurement was stopped, and for no other reason, is ``stopped``.
        """
        known = self._count[row] > 0
        if self._work[row] == ASKED and not self._again[row].any():
            return "asked"
        if self._work[row] == RUNNING and not (known.any() and self._who[row] == BY_HAND):
            return "running"
        if known.all():
            return "done"
        if (self._halted[row] > 0)[~known].all():
            return "stopped"
        computed = [objective.name for objective in self.space.computed]
        measured = [on for name, on in zip(self.objectives, known, strict=True) if name not in computed]
        return "partial" if any(measured) or not self._broken[row].any() else "failed"

    def settled_objectives(self, row: int) -> BoolArray:
        """Which objectives of a row have a value, have failed or were stopped, shape (n_objectives,)."""
        return self._settled(row)

    def settled(self, row: int) -> bool:
        """Whether every objective of a row has a value, has failed or was stopped."""
        return bool(self.settled_objectives(row).all())

    def repeats_of(self, row: int) -> IntArray:
        """How often each objective of one row was measured, shape (n_objectives,)."""
        return np.asarray(self._count[row], dtype=np.int64)

    def failed_objectives_of(self, row: int) -> BoolArray:
        """Where an objective of one row was tried and has no value, shape (n_objectives,)."""
        return np.asarray(self._broken[row] & (self._count[row] == 0))

    def stopped_objectives_of(self, row: int) -> BoolArray:
        """Where the measurement of an objective of one row was stopped and it has no value, shape (n_objectives,)."""
        return np.asarray((self._halted[row] > 0) & (self._count[row] == 0))

    def known_before_of(self, row: int) -> BoolArray:
        """Which objectives of one row have a value that was not measured here, shape (n_objectives,)."""
        return np.asarray(self._count[row] > self._paid[row])

    def is_free(self, row: int) -> bool:
        """Whether one row was known beforehand and is not billed."""
        return bool(self._free[row])

    def is_running(self, row: int) -> bool:
        """Whether one row is being worked on."""
        return bool(self._work[row] == RUNNING)

    def is_waiting(self, row: int) -> bool:
        """Whether one row was asked for and not begun."""
        return bool(self._work[row] == ASKED)

    @property
    def changed_at(self) -> FloatArray:
        """Time of the last change of each row, in seconds since 1970, shape (n,)."""
        return self._when[: self._n].copy()

    def seconds(self, row: int) -> float:
        """Seconds of work on a row."""
        return float(self._seconds[row])

    def when(self, row: int) -> float:
        """Time of the last change of a row, in seconds since 1970."""
        return float(self._when[row])

    def reason(self, row: int) -> str:
        """Why objectives of a row have no value; empty where all is well."""
        reasons = self._reasons[row]
        texts = list(dict.fromkeys(reasons.values()))
        if len(texts) <= 1:
            return texts[0] if texts else ""
        return "; ".join(f"{name}: {text}" if name else text for name, text in reasons.items())

    def find(self, X: ArrayLike) -> IntArray:
        """Row of each genotype's architecture, -1 for one that nobody asked for; shape (n,)."""
        return np.array([self._rows.get(key, -1) for key in self.space.keys(X)], dtype=np.int64)

    def known(self, X: ArrayLike) -> BoolArray:
        """Whether every objective of each architecture is settled and none is to come once more, shape (n,)."""
        rows = self.find(X)
        return np.asarray((rows >= 0) & (self._settled(rows) & ~self._again[rows]).all(axis=1))

    def to_frame(self, rows: IntArray | None = None) -> pd.DataFrame:
        """A row per architecture: evaluation, state, genes, raw objectives, seconds, reason, who and when.

        A column of ours whose name a gene or objective has gets underscores behind its name.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), optional
            Some rows, in this order; all of them by default.
        """
        index = np.arange(self._n) if rows is None else np.asarray(rows, dtype=np.int64)
        taken = [*(gene.name for gene in self.space.genes), *self.objectives]
        genes = gene_frame(self.space, self.X[index])
        frame = pd.DataFrame({own_name("evaluation", taken): index + 1})
        frame[own_name("state", taken)] = [self.state(row) for row in index]
        values = pd.DataFrame(self.raw_of(index), columns=[*self.objectives])
        frame = pd.concat([frame, genes, values], axis=1)
        frame[own_name("seconds", taken)] = self._seconds[index].round(3)
        frame[own_name("reason", taken)] = [self.reason(row) for row in index]
        frame[own_name("who", taken)] = [self._who[row] for row in index]
        stamps = pd.to_datetime(self._when[index], unit="s", utc=True).strftime("%Y-%m-%dT%H:%M:%SZ")
        frame[own_name("when", taken)] = list(stamps)
        return frame

    # ------------------------------------------------------------------- events
    def apply(self, event: Event) -> None:
        """Let an event take effect; a store checks it and writes it down before."""
        getattr(self, f"_on_{event.kind}")(event)
        self._when[event.row] = event.at
        self.changed.add(event.row)

    def _on_ask(self, event: Event) -> None:
        row = event.row
        if row != self._n:
            raise InputError(f"store: expected row {self._n} next, got {row}")
        self._reserve(row + 1)
        x = np.asarray(event.body["x"], dtype=np.int64)
        self._X[row] = x
        # Repaired already: what was asked for is stored so.
        self._rows[row_keys(x[None])[0].tobytes()] = row
        self._free[row] = event.body["free"]
        self._work[row] = IDLE if event.body["free"] else ASKED
        self._want(row, event.body)
        self._who.append(event.body["who"])
        self._reasons.append({})
        self._curves.append({})
        self._stops.append(None)
        self._plan(row, event.body)
        self._n += 1

    def _want(self, row: int, body: Mapping[str, Any]) -> None:
        """Note which objectives were asked for; all of them where that is not said."""
        stated = body.get("objectives")
        self._wanted[row] = True if stated is None else [name in stated for name in self.objectives]

    def _plan(self, row: int, body: Mapping[str, Any]) -> None:
        """Note when what is asked for is to be stopped."""
        stops = body.get("stops")
        self._stops[row] = None if stops is None else Stops.from_dict(stops)

    def _on_report(self, event: Event) -> None:
        read = {name: tuple((int(s), float(v)) for s, v in curve) for name, curve in event.body["curves"].items()}
        self._curves[event.row] |= read

    def _on_start(self, event: Event) -> None:
        self._work[event.row] = RUNNING
        self._begun[event.row] += 1
        # A partly known import that is worked on is billed like any other.
        self._free[event.row] = False
        self._who[event.row] = event.body["who"] or self._who[event.row]

    def _on_tell(self, event: Event) -> None:
        row, body = event.row, event.body
        billed = not (self._free[row] or body.get("free", False))
        if body["values"] or body["reasons"]:
            self._n_told += 1
            self._told[row] = self._n_told
        reasons = self._reasons[row]
        for name, value in body["values"].items():
            k = self.objectives.index(name)
            self._total[row, k] += value
            self._squares[row, k] += value * value
            self._count[row, k] += 1
            self._paid[row, k] += billed
            self._again[row, k] = False
            reasons.pop(name, None)
        stopped = body.get("stopped") or {}
        for name, share in stopped.items():
            self._halted[row, self.objectives.index(name)] += share
        for name, text in body["reasons"].items():
            if name and name not in stopped:
                self._broken[row, self.objectives.index(name)] = True
                self._lost[row, self.objectives.index(name)] += billed
            if not name or self._count[row, self.objectives.index(name)] == 0:
                reasons[name] = text
        if billed and not self._begun[row]:
            self._begun[row] = 1
        self._seconds[row] += body["seconds"]
        self._who[row] = body["who"] or self._who[row]
        if not body["more"]:
            self._work[row] = IDLE
            self._again[row] = False

    def _on_requeue(self, event: Event) -> None:
        row, forget = event.row, event.body.get("forget", False)
        if self._work[row] == RUNNING or forget:
            self._begun[row] = max(0, self._begun[row] - 1)
        self._work[row] = ASKED
        if "who" in event.body:  # asked for anew, and not merely put back
            self._want(row, event.body)
            self._plan(row, event.body)
        if event.body.get("again", False) or (forget and (self._count[row] > 0).all()):
            # Only what was measured is measured again; the rest is wanted as ever.
            computed = {objective.name for objective in self.space.computed}
            measured = np.array([name not in computed for name in self.objectives], dtype=np.bool_)
            self._again[row] = self._wanted[row] & (self._count[row] > 0) & measured
        if forget:
            self._broken[row] = False
            self._lost[row] = 0.0
            stopped = [name for name, share in zip(self.objectives, self._halted[row], strict=True) if share > 0]
            self._reasons[row] = {name: text for name, text in self._reasons[row].items() if name in stopped}

    def _on_drop(self, event: Event) -> None:
        if self._work[event.row] == RUNNING:
            self._begun[event.row] = max(0, self._begun[event.row] - 1)
        self._work[event.row] = IDLE
        self._again[event.row] = False

    def add_objectives(self, names: Sequence[str]) -> None:
        """Further objectives, of which nothing is known yet."""
        new = [name for name in names if name not in self.objectives]
        self.objectives = (*self.objectives, *new)
        for name in ("_total", "_squares", "_count", "_broken", "_paid", "_lost", "_halted", "_wanted", "_again"):
            array = getattr(self, name)
            more = np.full((len(array), len(new)), name == "_wanted", dtype=array.dtype)
            setattr(self, name, np.hstack([array, more]))

    def _reserve(self, n: int) -> None:
        if n <= len(self._X):
            return
        for name in _ARRAYS:
            array = getattr(self, name)
            grown = np.full((2 * len(array), *array.shape[1:]), name == "_wanted", dtype=array.dtype)
            grown[: len(array)] = array
            setattr(self, name, grown)

    def __repr__(self) -> str:
        states = pd.Series([self.state(row) for row in range(self._n)], dtype=str).value_counts()
        told = ", ".join(f"{n} {state}" for state, n in states.items()) or "empty"
        return f"<{type(self).__name__} of {self.space.name!r}: {told}>"
