"""One run of one method under the bill that is the same for all.

The bill counts unique architectures; where costs are stated it counts what was measured of them, each objective at its
cost and none twice. A genotype stands for an architecture of the table by the rule of
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
from rapid_moo._util import BoolArray, FloatArray, IntArray, shown, unique_rows
from rapid_moo.bill import Bill
from rapid_moo.comparison.method import Method
from rapid_moo.costs import EPSILON, affordable, costs_stated, prices
from rapid_moo.errors import InputError
from rapid_moo.objectives import to_minimised
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.table import ArchitectureTable

PATIENCE = 200
_LISTS = ("rows", "asked", "seconds", "cpu_seconds", "prices", "measured")
_KINDS = (
    (("dataset", "fingerprint", "method", "ended", "code"), str),
    (("seed", "proposals", "rows", "asked", "measured"), int),
    (("budget", "seconds", "cpu_seconds", "prices"), int | float),
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
    budget : int or float
        Unique evaluations that the run was meant for; where costs are stated, the cost.
    ended : {"budget", "finished", "stalled"}
        Why it ended.
    proposals : int
        Genotypes asked for, repeats included.
    rows : tuple of int
        Rows of the sorted table, in the order of their evaluation; a row that was measured in parts comes again.
    asked : tuple of int
        Evaluations billed after each batch: how many of ``rows``.
    seconds, cpu_seconds : tuple of float
        Cumulative time in the optimizer (set-up, ask and tell) until each batch was proposed: wall and CPU.
    made : dict
        Commit, versions and machine of the run, see :func:`rapid_moo._provenance.provenance`; empty where the run was
        recorded before these were kept.
    prices : tuple of float
        What each objective costs; empty where no costs are stated.
    code : str
        Hash of the method's code, see :func:`rapid_moo.comparison.code.code_of`; empty for a built-in method, and where
        the run was recorded before it was kept.
    measured : tuple of int
        What was measured of each of ``rows``: the k-th bit stands for the k-th objective. Empty where no costs are
        stated, since everything is measured then.
    """

    dataset: str
    fingerprint: str
    method: str
    settings: Mapping[str, Any]
    seed: int
    budget: float
    ended: str
    proposals: int
    rows: tuple[int, ...]
    asked: tuple[int, ...]
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    made: Mapping[str, str] = field(default_factory=dict)
    prices: tuple[float, ...] = ()
    measured: tuple[int, ...] = ()
    code: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON form; what concerns costs only where they are stated, the code only where there is a hash of it."""
        left_out = {*(() if self.prices else ("prices", "measured")), *(() if self.code else ("code",))}
        return {key: value for key, value in asdict(self).items() if key not in left_out}

    @property
    def complete(self) -> tuple[IntArray, IntArray, FloatArray]:
        """What was measured completely, and what had been spent when it was.

        Returns
        -------
        rows : ndarray of shape (n,)
            Rows of the table in the order in which they became complete.
        steps : ndarray of shape (n,)
            After how many entries of ``rows``.
        costs : ndarray of shape (n,)
            What had been spent: evaluations, or the cost where costs are stated.
        """
        if not self.prices:
            rows = np.array(self.rows, dtype=np.int64)
            steps = np.arange(1, len(rows) + 1)
            return rows, steps, steps.astype(np.float64)
        whole = sum(1 << k for k in range(len(self.prices)))
        spent, have = self.spent, dict.fromkeys(self.rows, 0)
        found = []
        for i, (row, part) in enumerate(zip(self.rows, self.measured, strict=True)):
            have[row] |= part
            if have[row] == whole:
                found.append(i)
        index = np.array(found, dtype=np.int64)
        return np.array(self.rows, dtype=np.int64)[index], index + 1, spent[index]

    @property
    def spent(self) -> FloatArray:
        """What had been spent after each of ``rows``, shape (n_rows,): evaluations, or the cost."""
        if not self.prices:
            return np.arange(1.0, len(self.rows) + 1.0)
        parts = np.array(self.measured, dtype=np.int64)[:, None] >> np.arange(len(self.prices)) & 1
        return np.asarray(np.cumsum(parts @ np.array(self.prices)), dtype=np.float64)

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
        if list(record.asked) != sorted(record.asked):
            raise InputError("expected a record of batches one after the other")
        if min(record.rows) < 0 or not record._measured_once():
            raise InputError("expected a record in which nothing is measured twice")
        if not all(math.isfinite(value) for value in (*record.seconds, *record.cpu_seconds)):
            raise InputError("expected a record with finite seconds")
        return record

    def _measured_once(self) -> bool:
        """Whether each row comes once, or where costs are stated each objective of it."""
        if not self.prices:
            return not self.measured and len(set(self.rows)) == len(self.rows)
        have = dict.fromkeys(self.rows, 0)
        if len(self.measured) != len(self.rows) or not all(math.isfinite(p) and p >= 0 for p in self.prices):
            return False
        for row, part in zip(self.rows, self.measured, strict=True):
            # What is computed comes along with whatever is measured first.
            if not 0 < part < 1 << len(self.prices) or have[row] & part & self._billed:
                return False
            have[row] |= part
        return True

    @property
    def _billed(self) -> int:
        """The objectives that cost something, as bits."""
        return sum(1 << k for k, price in enumerate(self.prices) if price > 0)


class LimitedBill(Bill):
    """Evaluations of a run on a table: serves objectives, bills what is new, stops at the limit.

    Parameters
    ----------
    problem : ArchitectureProblem
        A problem on a table; its store is filled.
    limit : float
        Unique evaluations at most; where costs are stated, the cost.
    """

    def __init__(self, problem: ArchitectureProblem, limit: float) -> None:
        if problem.table is None:
            raise InputError(f"{problem.name()}: expected a problem on a table")
        super().__init__(problem.store)
        self.problem, self.table = problem, problem.table
        # Without stated costs an architecture costs 1, whatever is measured of it.
        self.by_cost = problem.costs_stated
        self.limit = min(limit, total_cost(self.table) if self.by_cost else len(self.table))
        self.proposals = 0
        self.spent = 0.0
        self.measured: list[tuple[int, int]] = []
        self._idle = [0, 0]
        self._refused = False
        self._computed = np.isin([o.name for o in problem.objectives], [o.name for o in problem.space.computed])

    @property
    def full(self) -> bool:
        """Whether nothing more can be billed."""
        return self._refused or affordable(self.limit, self.spent)

    @property
    def stalled(self) -> bool:
        """Whether the method has long proposed nothing new."""
        return self._idle[0] >= PATIENCE and self._idle[1] >= 10 * PATIENCE

    @property
    def table_rows(self) -> tuple[int, ...]:
        """Rows of the table in the order of the bill; a row that was measured in parts comes again."""
        rows = [row for row, _ in self.measured]
        return tuple(self.table.find(self.store.X[rows]).tolist()) if rows else ()

    def serve(self, X: IntArray, wanted: BoolArray | None = None) -> FloatArray:
        """Minimised objectives of genotypes; what was not wanted or the limit does not pay for is NaN.

        Parameters
        ----------
        X : ndarray of shape (n, n_var)
            Genotypes.
        wanted : ndarray of shape (n, n_objectives), optional
            What to measure of each, where costs are stated; everything by default.
        """
        members = self.problem.genotypes(X)
        if wanted is None or not self.by_cost:
            wanted = np.ones((len(X), self.problem.n_obj), dtype=np.bool_)
        new = self._pay(members, wanted)
        self.proposals += len(X)
        self._idle = [0, 0] if new else [self._idle[0] + 1, self._idle[1] + len(X)]
        rows = self.store.find(members)
        raw = np.full((len(X), self.problem.n_obj), np.nan)
        raw[rows >= 0] = self.store.raw_of(rows[rows >= 0])
        return to_minimised(raw, self.problem.objectives)

    def _pay(self, members: IntArray, wanted: BoolArray) -> bool:
        """Measure what is new, in order, while the limit pays for it; whether anything was new."""
        first, inverse = unique_rows(members)
        parts = np.zeros((len(first), self.problem.n_obj), dtype=np.bool_)
        np.logical_or.at(parts, inverse, wanted)
        rows = self.store.find(members[first])
        for i in np.flatnonzero(rows >= 0):
            parts[i] &= ~self.store.settled_objectives(rows[i])
        new = np.flatnonzero(parts.any(axis=1))
        costs = parts[new] @ self.problem.evaluation_prices if self.by_cost else np.ones(len(new))
        paid = []
        for i, cost in zip(new, costs.tolist(), strict=True):
            if not affordable(cost, self.limit - self.spent):
                self._refused = True
                break
            self.spent += cost
            paid.append(i)
        if paid:
            self.problem.evaluate_parts(members[first[paid]], parts[paid])
            found = self.store.find(members[first[paid]])
            self.add(found)
            bits = 1 << np.arange(self.problem.n_obj)
            done = (parts[paid] | self._computed) @ bits
            self.measured += zip(found.tolist(), done.tolist(), strict=True)
        return len(new) > 0


def total_cost(table: ArchitectureTable) -> float:
    """What it costs to measure everything of a table."""
    return len(table) * full_price(table)


def full_price(table: ArchitectureTable) -> float:
    """What it costs to measure everything of one architecture of a table."""
    return float(table_prices(table).sum())


def table_prices(table: ArchitectureTable) -> FloatArray:
    """What it costs to measure each objective of an architecture, repeats included, shape (n_objectives,)."""
    single = prices(table.objectives, [objective.name for objective in table.space.computed])
    return np.asarray(single * np.array([objective.times for objective in table.objectives]))


def by_cost(table: ArchitectureTable) -> bool:
    """Whether costs are stated for a table."""
    return costs_stated(table.objectives, [objective.name for objective in table.space.computed])


def _genotypes(asked: Any, n_var: int) -> IntArray:
    """What a method asks for; of no rows where it has nothing more to ask for."""
    X = np.asarray(asked)
    if X.shape == (0,):
        return np.empty((0, n_var), dtype=np.int64)
    if X.ndim != 2 or X.shape[1] != n_var or X.dtype.kind not in "biuf":
        raise InputError(f"ask: expected genotypes of shape (n, {n_var}), got {shown(asked)}")
    return X


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


def whole_evaluations(table: ArchitectureTable, budget: float) -> int:
    """How many architectures a budget pays for if everything is measured of each, 2 at least."""
    if not by_cost(table):
        return int(budget)
    return max(2, int(min(budget, total_cost(table)) / full_price(table) + EPSILON))


def run_method(table: ArchitectureTable, method: type[Method], budget: float, seed: int) -> RunRecord:
    """Run a method on a table.

    Parameters
    ----------
    table : ArchitectureTable
        In the order of :func:`sorted_table`.
    method : type of Method
        What to run.
    budget : int or float
        Unique evaluations, or the cost where costs are stated; a method that ``overruns`` may bill more, the whole
        table at most.
    seed : int
        Its seed.
    """
    problem = ArchitectureProblem(table.space, table)
    costly = problem.costs_stated
    bill = LimitedBill(problem, np.inf if method.overruns else budget)
    watch = _Stopwatch()
    asked, seconds, cpu_seconds = [], [], []
    with watch:
        optimizer = method(problem, whole_evaluations(table, budget), seed)
    ended = "budget"
    while not bill.full:
        with watch:
            X = _genotypes(optimizer.ask(), problem.n_var)
            wanted = optimizer.wanted
        if len(X) == 0:
            ended = "finished"
            break
        F = bill.serve(X, wanted)
        asked.append(len(bill.measured))
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
        prices=tuple(problem.evaluation_prices.tolist()) if costly else (),
        measured=tuple(part for _, part in bill.measured) if costly else (),
    )
