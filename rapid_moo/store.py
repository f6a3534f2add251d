"""The store: the one memory of what was evaluated, what is being evaluated and what failed.

One row per architecture that was ever asked for (:class:`~rapid_moo.rows.Rows`). A store lives in memory
(:class:`Store`) or in one SQLite file (:class:`~rapid_moo.study.journal.SQLiteStore`); both keep the same promises,
which :func:`rapid_moo.testing.check_store` checks.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import IntArray
from rapid_moo.curves import Curve, Stops, is_curve, is_share
from rapid_moo.errors import InputError
from rapid_moo.rows import IMPORT, Event, Rows


class Store(Rows):
    """Evaluations in memory: rows, and whoever asks for, works on and measures architectures.

    Whatever changes is checked before, and then happens as events.

    Parameters
    ----------
    space : SearchSpace
        Says which genotypes are the same architecture.
    objectives : sequence of str
        Names of the objectives, the columns of ``raw``.

    Attributes
    ----------
    notes : dict
        What is remembered beside the rows, see :meth:`note`.
    """

    def _clear(self, objectives: Sequence[str]) -> None:
        super()._clear(objectives)
        self.notes: dict[str, Any] = {}

    def ask(
        self,
        X: ArrayLike,
        who: str = "",
        *,
        free: bool = False,
        objectives: Sequence[str] | None = None,
        stops: Stops | None = None,
        again: bool = False,
    ) -> IntArray:
        """Put architectures on the list, each once; a known one keeps its row. Returns their rows, shape (n,).

        With ``objectives`` only these are asked for, where they are not settled; with ``again`` once more where they
        are known; with ``stops`` their measurement is stopped where these say so. What waits or is being worked on is
        not asked for again.
        """
        repaired = self.space.repair(X)
        if objectives is not None and (wrong := [name for name in objectives if name not in self.objectives]):
            raise InputError(f"store: expected objectives {list(self.objectives)}, got {wrong[0]!r}")
        with self.transaction():
            self._ask(repaired, who, free, objectives, stops, again)
        return self.find(repaired)

    def _ask(
        self,
        repaired: IntArray,
        who: str,
        free: bool,
        objectives: Sequence[str] | None = None,
        stops: Stops | None = None,
        again: bool = False,
    ) -> None:
        part: dict[str, Any] = {} if objectives is None else {"objectives": list(objectives)}
        part |= {} if stops is None else {"stops": stops.to_dict()}
        repeat = {"again": True} if again else {}
        columns = slice(None) if objectives is None else [self.objectives.index(name) for name in objectives]
        rows = self.find(repaired)
        now = time.time()
        first = {key: i for i, key in reversed(list(enumerate(self.space.keys(repaired)))) if rows[i] < 0}
        new = sorted(first.values())
        events = [
            Event("ask", len(self) + j, now, {"x": repaired[i].tolist(), "who": who, "free": free, **part})
            for j, i in enumerate(new)
        ]
        waits = [
            Event("requeue", int(row), now, {"who": who, **part, **repeat})
            for row in dict.fromkeys(rows[rows >= 0].tolist())
            if not (free or self.is_waiting(row) or self.is_running(row))
            and (again or not self.settled_objectives(row)[columns].all())
        ]
        self._record([*events, *waits])

    def start(self, row: int, who: str = "") -> None:
        """Somebody begins to work on a row."""
        with self.transaction():
            self._record([Event("start", self._known_row(row), time.time(), {"who": who})])

    def _known_row(self, row: int) -> int:
        if not 0 <= row < len(self):
            raise InputError(f"store: expected a row of 0..{len(self) - 1}, got {row}")
        return int(row)

    def report(self, row: int, curves: Mapping[str, Curve]) -> None:
        """Curves that a measurement of a row reported on its way, by objective; they replace those of an earlier one.

        Parameters
        ----------
        row : int
            Row of the architecture.
        curves : mapping of str to Curve
            Steps, increasing, and finite raw values.
        """
        if wrong := [name for name in curves if name not in self.objectives]:
            raise InputError(f"store: expected objectives {list(self.objectives)}, got {wrong[0]!r}")
        for name, curve in curves.items():
            if not is_curve(curve):
                raise InputError(f"store: {name}: expected increasing steps and finite values, got {curve!r}")
        body = {"curves": {name: [[int(s), float(v)] for s, v in curve] for name, curve in curves.items()}}
        with self.transaction():
            self._record([Event("report", self._known_row(row), time.time(), body)])

    def tell(
        self,
        row: int,
        values: Mapping[str, float],
        reasons: Mapping[str, str] | None = None,
        *,
        stopped: Mapping[str, float] | None = None,
        seconds: float = 0.0,
        who: str = "",
        more: bool = False,
        free: bool = False,
    ) -> None:
        """Values of some objectives, and why others have none; a further value of an objective is a repeat.

        Parameters
        ----------
        row : int
            Row of the architecture.
        values : mapping of str to float
            Finite raw values.
        reasons : mapping of str to str, optional
            Reasons of the objectives that failed; the empty name is a remark that concerns none.
        stopped : mapping of str to float, optional
            Objectives that were stopped, with the share of the work that was done: above 0, at most 1. They have not
            failed, and their reasons are remarks.
        seconds : float
            What it took.
        who : str
            Who measured.
        more : bool
            Whether further results of this work are to come, so that the row stays as it is.
        free : bool
            Whether this was known beforehand and costs nothing, also where the row itself is billed for something else.
        """
        halted = dict(stopped or {})
        wrong = [n for n in (*values, *(reasons or {}), *halted) if n and n not in self.objectives]
        if bad := [f"{name} = {share!r}" for name, share in halted.items() if not is_share(share)]:
            raise InputError(f"store: expected shares above 0 and at most 1, got {', '.join(bad)}")
        if wrong:
            raise InputError(f"store: expected objectives {list(self.objectives)}, got {wrong[0]!r}")
        if bad := [f"{name} = {value!r}" for name, value in values.items() if not _is_finite(value)]:
            raise InputError(f"store: expected finite values, got {', '.join(bad)}")
        body = {
            "values": {name: float(value) for name, value in values.items()},
            "reasons": dict(reasons or {}),
            "seconds": float(seconds),
            "who": who,
            "more": more,
            **({"stopped": {name: float(share) for name, share in halted.items()}} if halted else {}),
            **({"free": True} if free else {}),
        }
        with self.transaction():
            self._record([Event("tell", self._known_row(row), time.time(), body)])

    def requeue(self, rows: Sequence[int], *, forget: bool = False) -> None:
        """Rows whose work was lost wait again; with ``forget`` their failures were in vain and are forgotten."""
        now = time.time()
        with self.transaction():
            self._record([Event("requeue", self._known_row(row), now, {"forget": forget}) for row in rows])

    def drop(self, rows: Sequence[int]) -> None:
        """Rows that wait do so no longer; what is known of them stays."""
        now = time.time()
        with self.transaction():
            self._record([Event("drop", self._known_row(row), now, {}) for row in rows])

    def add(
        self, X: ArrayLike, raw: ArrayLike, who: str = IMPORT, *, free: bool = True, seconds: float = 0.0
    ) -> IntArray:
        """Take over architectures with their raw values of shape (n, n_objectives), NaN where unknown.

        Returns
        -------
        ndarray of shape (n,)
            Their rows.
        """
        values = np.asarray(raw, dtype=np.float64)
        repaired = self.space.repair(X)
        if values.shape != (len(repaired), len(self.objectives)):
            wanted = (len(repaired), len(self.objectives))
            raise InputError(f"store: expected values of shape {wanted}, got {values.shape}")
        with self.transaction():
            self._ask(repaired, who, free)
            rows = self.find(repaired)
            for row, line in zip(rows, values, strict=True):
                known = {n: float(v) for n, v in zip(self.objectives, line, strict=True) if np.isfinite(v)}
                if known:
                    self.tell(row, known, seconds=seconds, who=who, free=free)
            self.drop([int(row) for row in np.unique(rows) if self.is_waiting(int(row))])
        return rows

    def note(self, key: str, content: Any) -> None:
        """Remember something in JSON's types beside the evaluations, such as an algorithm's state."""
        with self.transaction():
            self.notes[key] = json.loads(json.dumps(content))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block belong together: in a file they happen all or not at all."""
        yield

    def refresh(self) -> bool:
        """Take in what others have changed meanwhile; whether there was anything. Memory has no others."""
        return False

    def _record(self, events: Sequence[Event]) -> None:
        for event in events:
            self.apply(event)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False
