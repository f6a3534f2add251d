"""One run of one method under the bill that is the same for all.

The bill counts unique architectures. A genotype stands for an architecture of the table by the rule of
:mod:`rapid_moo.problem` (itself, or its nearest member), so a repeat, an inactive variant or a second genotype of the
same member is served from memory and costs nothing. A run ends when the bill is full, when the method asks for
nothing more, or when it has stalled: at least :data:`PATIENCE` batches and ten times as many genotypes in a row that
were all known.

Methods see the table's members in lexicographic order of their genotypes: the order of the rows in a file, which can
carry information such as drift, does not reach them and cannot change a result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray, shown, unique_rows
from rapid_moo.comparison.method import Method
from rapid_moo.errors import InputError
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.store import Bill
from rapid_moo.table import ArchitectureTable

PATIENCE = 200
_LISTS = ("rows", "asked", "seconds", "cpu_seconds")
_KINDS = (
    (("dataset", "fingerprint", "method", "ended"), str),
    (("seed", "budget", "proposals", "rows", "asked"), int),
    (("seconds", "cpu_seconds"), int | float),
    (("settings", "made"), dict),
)


@dataclass(frozen=True)
class RunRecord:
    """What a run evaluated, in order, and what the optimizer itself cost.

    Attributes
    ----------
    dataset, fingerprint : str
        Name and hash of the (sorted) table.
    method : str
        Name of the method.
    settings : dict
        Its public constants.
    seed : int
        Seed of the run.
    budget : int
        Unique evaluations that the run was meant for.
    ended : {"budget", "finished", "stalled"}
        Why it ended.
    proposals : int
        Genotypes asked for, repeats included.
    rows : tuple of int
        Rows of the sorted table, in the order of their evaluation.
    asked : tuple of int
        Evaluations billed after each batch.
    seconds, cpu_seconds : tuple of float
        Cumulative time in the optimizer (set-up, ask and tell) until each batch was proposed: wall and CPU.
    made : dict
        Commit, versions and machine of the run, see :func:`rapid_moo._provenance.provenance`; empty where the run was
        recorded before these were kept.
    """

    dataset: str
    fingerprint: str
    method: str
    settings: Mapping[str, Any]
    seed: int
    budget: int
    ended: str
    proposals: int
    rows: tuple[int, ...]
    asked: tuple[int, ...]
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    made: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunRecord:
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        InputError
            If it is no record of a run.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"expected the record of a run, got {shown(content)}")
        try:
            values: dict[str, Any] = {key: tuple(v) if key in _LISTS else v for key, v in content.items()}
            record = cls(**values)
        except TypeError as error:
            raise InputError(f"expected the record of a run: {error}") from error
        for names, kind in _KINDS:
            for name in names:
                value = getattr(record, name)
                parts = value if name in _LISTS else [value]
                if not all(isinstance(part, kind) and not isinstance(part, bool) for part in parts):
                    raise InputError(f"expected the record of a run, got {name} {shown(value)}")
        n, batches = len(record.rows), len(record.asked)
        if not (n and batches == len(record.seconds) == len(record.cpu_seconds) and record.asked[-1] == n):
            raise InputError(f"expected a record whose lists belong together, got {n} rows in {batches} batches")
        if min(record.rows) < 0 or len(set(record.rows)) < n or list(record.asked) != sorted(record.asked):
            raise InputError("expected a record of distinct rows in batches one after the other")
        if not all(math.isfinite(value) for value in (*record.seconds, *record.cpu_seconds)):
            raise InputError("expected a record with finite seconds")
        return record


class LimitedBill(Bill):
    """Evaluations of a run on a table: serves objectives, bills what is new, stops at the limit.

    Parameters
    ----------
    problem : ArchitectureProblem
        A problem on a table; its store is filled.
    limit : int
        Unique evaluations at most.
    """

    def __init__(self, problem: ArchitectureProblem, limit: int) -> None:
        if problem.table is None:
            raise InputError(f"{problem.name()}: expected a problem on a table")
        super().__init__(problem.store)
        self.problem, self.table = problem, problem.table
        self.limit = min(limit, len(self.table))
        self.proposals = 0
        self._idle = [0, 0]

    @property
    def full(self) -> bool:
        """Whether nothing more can be billed."""
        return len(self) >= self.limit

    @property
    def stalled(self) -> bool:
        """Whether the method has long proposed nothing new."""
        return self._idle[0] >= PATIENCE and self._idle[1] >= 10 * PATIENCE

    @property
    def table_rows(self) -> tuple[int, ...]:
        """Rows of the table in the order of the bill."""
        return tuple(self.table.find(self.store.X[self.rows]).tolist())

    def serve(self, X: IntArray) -> FloatArray:
        """Minimised objectives of genotypes; what the limit does not pay for is not evaluated and is NaN."""
        members = self.problem.genotypes(X)
        unknown = np.flatnonzero(self.store.find(members) < 0)
        new = unknown[unique_rows(members[unknown])[0]]
        paid = members[new[: self.limit - len(self)]]
        self.proposals += len(X)
        self._idle = [0, 0] if len(new) else [self._idle[0] + 1, self._idle[1] + len(X)]
        if len(paid):
            self.problem.evaluate_raw(paid)
            self.add(self.store.find(paid))
        rows = self.store.find(members)
        F = np.full((len(X), self.problem.n_obj), np.nan)
        F[rows >= 0] = self.problem.minimised(self.store.raw_of(rows[rows >= 0]))
        return F


class _Stopwatch:
    """Cumulative wall and CPU time of the optimizer alone."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._start[0]
        self.cpu += time.process_time() - self._start[1]


def sorted_table(table: ArchitectureTable) -> ArchitectureTable:
    """The table in lexicographic order of its genotypes."""
    return table.take(np.lexsort(table.X.T[::-1]))


def run_method(table: ArchitectureTable, method: type[Method], budget: int, seed: int) -> RunRecord:
    """Run a method on a table.

    Parameters
    ----------
    table : ArchitectureTable
        In the order of :func:`sorted_table`.
    method : type of Method
        What to run.
    budget : int
        Unique evaluations; a method that ``overruns`` may bill more, as many as the table has at most.
    seed : int
        Its seed.
    """
    problem = ArchitectureProblem(table.space, table)
    bill = LimitedBill(problem, len(table) if method.overruns else budget)
    watch = _Stopwatch()
    asked, seconds, cpu_seconds = [], [], []
    with watch:
        optimizer = method(problem, budget, seed)
    ended = "budget"
    while not bill.full:
        with watch:
            X = np.asarray(optimizer.ask())
        if len(X) == 0:
            ended = "finished"
            break
        F = bill.serve(X)
        asked.append(len(bill))
        seconds.append(round(watch.wall, 5))
        cpu_seconds.append(round(watch.cpu, 5))
        if bill.stalled:
            ended = "stalled"
            break
        if not bill.full:
            with watch:
                optimizer.tell(X, F)
    return RunRecord(
        dataset=table.name,
        fingerprint=table.fingerprint,
        method=method.name,
        settings=method.settings(),
        seed=seed,
        budget=budget,
        ended=ended,
        proposals=bill.proposals,
        rows=bill.table_rows,
        asked=tuple(asked),
        seconds=tuple(seconds),
        cpu_seconds=tuple(cpu_seconds),
        made=provenance(),
    )
