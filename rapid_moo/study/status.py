"""Where a study stands: facts for people and programs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray, counted
from rapid_moo.costs import EPSILON, cost_text
from rapid_moo.indicators import box_hypervolume
from rapid_moo.measure import shortened
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_indices
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.rows import BY_HAND, IMPORT
from rapid_moo.store import Store

BOX_ROWS = 16
RECENT = 20
SHOWN_REASONS = 5


@dataclass(frozen=True, repr=False)
class Status:
    """Counts, reasons, best values and time to go.

    Attributes
    ----------
    budget : int, float or None
        Evaluations that the study is meant for in all; where costs are stated, their cost.
    begun : int
        Evaluations that were begun, which is what the budget counts; where costs are stated, architectures.
    done, partial, stopped, failed, running, waiting, imported : int
        Architectures with all objectives, with some, stopped because they were not worth their end, with none, under
        way, chosen and not begun, and known beforehand, whole or in part.
    repeats : int
        Evaluations that measured an architecture again.
    reasons : dict
        Reasons of failures and how often each came, the most frequent first.
    best : dict
        Best raw value of each objective among the feasible ones.
    front_size : int
        Architectures on the measured front.
    hypervolume : float or None
        In units of the bounding box of the first 16 complete architectures; None before there are as many.
    cost : float
        What was measured here, failures included, each measurement at its objective's cost.
    by_cost : bool
        Whether costs are stated, so that the budget is one of cost.
    rate : float or None
        Evaluations an hour, of the last 20.
    eta : float or None
        Seconds until the budget is spent at that rate; None when nobody runs the study.
    holder : str
        Who runs it now; empty if nobody does.
    """

    budget: float | None
    begun: int
    done: int
    partial: int
    stopped: int
    failed: int
    running: int
    waiting: int
    repeats: int
    imported: int
    reasons: Mapping[str, int]
    best: Mapping[str, float]
    front_size: int
    hypervolume: float | None
    cost: float
    by_cost: bool
    rate: float | None
    eta: float | None
    holder: str

    def __repr__(self) -> str:
        return self.to_text()

    def to_dict(self) -> dict[str, Any]:
        """JSON form; ``by_cost`` only where it is so."""
        content = asdict(self)
        return content if self.by_cost else {key: value for key, value in content.items() if key != "by_cost"}

    def to_text(self) -> str:
        """For people."""
        goal = f" of {self.budget}" if self.budget is not None else ""
        # A row that lacks something for another reason may have failed in part.
        in_part = max(0, sum(self.reasons.values()) - self.failed)
        counts = [f"{self.done} done", f"{self.partial} partial"]
        counts += [f"{self.failed} failed{f' and {in_part} in part' if in_part else ''}"]
        counts += [f"{self.stopped} stopped early"] if self.stopped else []
        if self.running:
            left = "" if self.holder else " (by hand, or when it was stopped: these are made again)"
            counts.append(f"{self.running} running{left}")
        counts += [f"{self.repeats} repeats"] if self.repeats else []
        counts += [f"{self.waiting} chosen and not begun"] if self.waiting else []
        what = "architectures" if self.by_cost else "evaluations"
        lines = [f"{self.begun}{'' if self.by_cost else goal} {what} begun: {', '.join(counts)}"]
        if self.by_cost:
            goal = f" of {cost_text(self.budget)}" if self.budget is not None else ""
            lines.insert(0, f"cost {cost_text(self.cost)}{goal}")
        if self.imported:
            lines.append(f"{self.imported} known beforehand, whole or in part, free of charge")
        lines += [f"failed {n} times: {reason}" for reason, n in list(self.reasons.items())[:SHOWN_REASONS]]
        if self.best:
            lines.append("best of each alone: " + ", ".join(f"{name} {value:.6g}" for name, value in self.best.items()))
        if self.front_size:
            box = ""
            if self.hypervolume is not None:
                box = f", hypervolume {self.hypervolume:.4f} (1 is the box of the first {BOX_ROWS})"
            lines.append(f"front: {self.front_size} architectures{box}")
        elif self.begun or self.imported:
            why = "none that has every objective meets all bounds" if self.done else "none has every objective"
            lines.append(f"no front yet: of the architectures known, {why}")
        if self.rate is not None:
            lines.append(f"{rate_text(self.rate)}{f', {duration(self.eta)} to go' if self.eta is not None else ''}")
        lines.append(f"run by {self.holder}" if self.holder else "not running")
        return "\n".join(lines)


def rate_text(rate: float) -> str:
    """A rate for people."""
    return f"{rate:,.0f} evaluations an hour" if rate >= 10 else f"{rate:.2g} evaluations an hour"


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Board:
    """What is shown of a store, kept up to date row by row, so that showing it does not grow with what is known.

    Parameters
    ----------
    problem : ArchitectureProblem
        The store, and the objectives and bounds that say what is good.
    """

    def __init__(self, problem: ArchitectureProblem) -> None:
        self.problem = problem
        self._lost = problem.store.generation
        self._clear()

    def _clear(self) -> None:
        self._feasible: BoolArray = np.zeros(0, dtype=np.bool_)
        self._front_rows: IntArray = np.zeros(0, dtype=np.int64)
        self._states: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self._reasons: dict[int, str] = {}
        self._told: Counter[str] = Counter()
        self._imports: set[int] = set()
        computed = {objective.name for objective in self.problem.space.computed}
        self._measured = np.array([objective.name not in computed for objective in self.problem.objectives])

    def update(self) -> set[int]:
        """Take in what has changed of the store; returns the rows."""
        store = self.problem.store
        store.refresh()
        if store.generation != self._lost:
            self._clear()
            self._lost = store.generation
            store.changed.update(range(len(store)))
        changed = set(store.changed)
        store.changed.clear()
        for row in changed:
            state = store.state(row)
            self._counts[self._states.get(row, "")] -= 1
            self._counts[state] += 1
            self._states[row] = state
            self._told[self._reasons.pop(row, "")] -= 1
            if store.failed_objectives_of(row).any() and (reason := shortened(store.reason(row), 160)):
                self._reasons[row] = reason
                self._told[reason] += 1
            known = (store.known_before_of(row) & self._measured).any() and store.who(row) != BY_HAND
            known = known or (store.is_free(row) and store.who(row) == IMPORT)
            (self._imports.add if known else self._imports.discard)(row)
        if changed:
            self._rank(np.array(sorted(changed), dtype=np.int64))
        return changed

    def _rank(self, changed: IntArray) -> None:
        """Feasibility of changed rows, and the front with them."""
        store, problem = self.problem.store, self.problem
        feasible = np.zeros(len(store), dtype=np.bool_)
        feasible[: len(self._feasible)] = self._feasible
        raw = store.raw_of(changed)
        good: BoolArray = np.asarray(~np.isnan(raw).any(axis=1), dtype=np.bool_)
        if problem.constraints and good.any():
            good[good] = (problem.violations(store.X[changed[good]], raw[good]) <= 0.0).all(axis=1)
        touched = np.isin(changed, self._front_rows).any()
        feasible[changed] = good
        self._feasible = feasible
        # What was on the front and has changed may let others back.
        rows = np.flatnonzero(feasible) if touched else np.union1d(self._front_rows, changed[good])
        self._front_rows = rows[front_indices(self._minimised(rows))] if len(rows) else rows.astype(np.int64)

    def _minimised(self, rows: IntArray) -> FloatArray:
        return to_minimised(self.problem.store.raw_of(rows), self.problem.objectives)

    @property
    def front_rows(self) -> IntArray:
        """Rows of the front of the measured values, increasing, shape (n,)."""
        return self._front_rows

    @property
    def feasible(self) -> BoolArray:
        """Which rows have every objective and meet the constraints, shape (n_rows,)."""
        return self._feasible

    def status(self, budget: float | None, holder: str = "") -> Status:
        """The status of the study; :meth:`update` before."""
        store = self.problem.store
        F = self._minimised(self._front_rows)
        signs = [objective.sign for objective in self.problem.objectives]
        names = [objective.name for objective in self.problem.objectives]
        best = dict(zip(names, (F.min(axis=0) * signs).tolist(), strict=True)) if len(F) else {}
        interval = _interval(store)
        by_cost, cost = self.problem.costs_stated, self.problem.cost()
        return Status(
            budget=budget,
            begun=int((store.begun > 0).sum()) if by_cost else store.n_evaluations,
            done=self._counts["done"],
            partial=self._counts["partial"],
            stopped=self._counts["stopped"],
            failed=self._counts["failed"],
            running=self._counts["running"],
            waiting=self._counts["asked"],
            repeats=_repeats(store) if by_cost else max(0, store.n_evaluations - int((store.begun > 0).sum())),
            imported=len(self._imports),
            reasons=counted({reason: n for reason, n in self._told.items() if n > 0}),
            best=best,
            front_size=len(self._front_rows),
            hypervolume=self._hypervolume(F),
            cost=cost,
            by_cost=by_cost,
            rate=3600.0 / interval if interval else None,
            eta=self._left(budget, cost) * interval if interval and budget is not None and holder else None,
            holder=holder,
        )

    def _left(self, budget: float, cost: float) -> float:
        """Evaluations that the budget still has room for, with those that are running; of cost, ones of the mean."""
        store = self.problem.store
        running = int(store.running.sum())
        if not self.problem.costs_stated:
            return max(0, budget - store.n_evaluations) + running
        n = max(1, int((store.tried & ~store.free).sum()))
        return max(0.0, budget - cost) / max(cost / n, EPSILON)

    def _hypervolume(self, F: FloatArray) -> float | None:
        if self._counts["done"] < BOX_ROWS or not len(F):
            return None
        box = self._minimised(np.flatnonzero(self.problem.store.complete)[:BOX_ROWS])
        return float(box_hypervolume(F, box.min(axis=0), box.max(axis=0)))


def _repeats(store: Store) -> int:
    """Measurements beyond the first of an objective; an architecture that is measured in parts is no repeat."""
    return int(np.maximum(store.paid.max(axis=1, initial=0) - 1, 0).sum())


def _interval(store: Store) -> float | None:
    """Seconds from one finished evaluation to the next, of the last 20."""
    times = store.changed_at[store.tried & ~store.pending & ~store.free]
    if len(times) > RECENT:
        times = np.partition(times, -RECENT)[-RECENT:]
    if len(times) < 2:
        return None
    span = max(times.max(), min(time.time(), times.max() + 1.0)) - times.min()
    return float(span / (len(times) - 1)) or None
