"""Where a study stands: facts for people and programs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rapid_moo.indicators import box_hypervolume
from rapid_moo.measure import shortened
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_indices
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.store import IMPORT, Store

BOX_ROWS = 16
RECENT = 20
SHOWN_REASONS = 5


@dataclass(frozen=True)
class Status:
    """Counts, reasons, best values and time to go.

    Attributes
    ----------
    budget : int or None
        Evaluations that the study is meant for in all.
    begun : int
        Evaluations that were begun, which is what the budget counts.
    done, partial, failed, running, waiting, imported : int
        Architectures with all objectives, with some, with none, under way, chosen and not begun, and known beforehand.
    reasons : dict
        Reasons of failures and how often each came, the most frequent first.
    best : dict
        Best raw value of each objective among the feasible ones.
    front : int
        Architectures on the measured front.
    hypervolume : float or None
        In units of the bounding box of the first 16 complete architectures; never falls.
    cost : float
        What was measured here, each value at its objective's cost.
    rate : float or None
        Evaluations an hour, of the last 20.
    eta : float or None
        Seconds until the budget is spent at that rate; None when nobody runs the study.
    holder : str
        Who runs it now; empty if nobody does.
    """

    budget: int | None
    begun: int
    done: int
    partial: int
    failed: int
    running: int
    waiting: int
    imported: int
    reasons: Mapping[str, int]
    best: Mapping[str, float]
    front: int
    hypervolume: float | None
    cost: float
    rate: float | None
    eta: float | None
    holder: str

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    def to_text(self) -> str:
        """For people."""
        goal = f" of {self.budget}" if self.budget is not None else ""
        counts = f"{self.done} done, {self.partial} partial, {self.failed} failed, {self.running} running"
        lines = [f"{self.begun}{goal} evaluations begun: {counts}, {self.waiting} waiting"]
        if self.imported:
            lines.append(f"{self.imported} known beforehand, free of charge")
        lines += [f"failed {n} times: {reason}" for reason, n in list(self.reasons.items())[:SHOWN_REASONS]]
        if self.best:
            lines.append("best: " + ", ".join(f"{name} {value:.6g}" for name, value in self.best.items()))
        if self.hypervolume is not None:
            box = f"hypervolume {self.hypervolume:.4f} (1 is the box of the first {BOX_ROWS})"
            lines.append(f"front: {self.front} architectures, {box}")
        if self.rate is not None:
            left = f", {duration(self.eta)} to go" if self.eta is not None else ""
            lines.append(f"{self.rate:.3g} evaluations an hour{left}")
        lines.append(f"run by {self.holder}" if self.holder else "not running")
        return "\n".join(lines)


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def status_of(problem: ArchitectureProblem, budget: int | None, holder: str = "") -> Status:
    """The status of a study's problem."""
    store = problem.store
    states = Counter(store.state(row) for row in range(len(store)))
    imported = sum(store.free[row] and store.who(row) == IMPORT for row in range(len(store)))
    reasons = Counter(shortened(store.reason(row), 160) for row in np.flatnonzero(store.failed).tolist())
    complete = np.flatnonzero(store.complete)
    raw = store.raw_of(complete)
    F = to_minimised(raw, problem.objectives)
    feasible = feasible_rows(problem)
    good = np.isin(complete, feasible)
    best = {}
    for k, objective in enumerate(problem.objectives):
        if good.any():
            best[objective.name] = float(F[good, k].min() * objective.sign)
    interval = _interval(store)
    left = None if budget is None else max(0, budget - store.n_evaluations) + int(store.running.sum())
    return Status(
        budget=budget,
        begun=store.n_evaluations,
        done=states["done"],
        partial=states["partial"],
        failed=states["failed"],
        running=states["running"],
        waiting=states["asked"],
        imported=int(imported),
        reasons=dict(reasons.most_common()),
        best=best,
        front=len(front_rows(problem)),
        hypervolume=_hypervolume(F, good),
        cost=_cost(problem),
        rate=3600.0 / interval if interval else None,
        eta=left * interval if interval and left is not None and holder else None,
        holder=holder,
    )


def feasible_rows(problem: ArchitectureProblem) -> np.ndarray:
    """Rows of the store with every objective that meet the constraints, shape (n,)."""
    store = problem.store
    rows = np.flatnonzero(store.complete)
    if problem.constraints and len(rows):
        rows = rows[(problem.violations(store.X[rows], store.raw_of(rows)) <= 0.0).all(axis=1)]
    return rows


def front_rows(problem: ArchitectureProblem) -> np.ndarray:
    """Rows of the store on the front of the measured values, shape (n,)."""
    rows = feasible_rows(problem)
    if not len(rows):
        return rows
    return rows[front_indices(to_minimised(problem.store.raw_of(rows), problem.objectives))]


def _hypervolume(F: np.ndarray, good: np.ndarray) -> float | None:
    if len(F) < 2 or not good.any():
        return None
    box = F[:BOX_ROWS]
    return float(box_hypervolume(F[good], box.min(axis=0), box.max(axis=0)))


def _cost(problem: ArchitectureProblem) -> float:
    store = problem.store
    computed = {objective.name for objective in problem.space.computed}
    prices = np.array([0.0 if o.name in computed else o.cost for o in problem.objectives])
    return float((store.repeats[~store.free] * prices).sum())


def _interval(store: Store) -> float | None:
    """Seconds from one finished evaluation to the next, of the last 20."""
    finished = np.flatnonzero(store.tried & ~store.pending & ~store.free)
    times = np.sort([store.when(row) for row in finished.tolist()])[-RECENT:]
    if len(times) < 2:
        return None
    span = max(times[-1], min(time.time(), times[-1] + 1.0)) - times[0]
    return float(span / (len(times) - 1)) or None
