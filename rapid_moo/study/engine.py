"""The loop that hands out measurements and takes in their results as they come.

Each function of a measure (a *part*) has places where it runs: workers that the parts share, or places of its own.
An evaluation begins when a place is free and nothing waits for the places that it needs. The next architecture is
chosen when one is wanted and none waits, with everything that is under way counted as chosen. What is asked for is on
disk before it is handed out, and a result before anything depends on it.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rapid_moo.algorithm import RAPID
from rapid_moo.costs import EPSILON, affordable
from rapid_moo.errors import InputError, StudyError, WorkTimeoutError
from rapid_moo.measure import FIRST_RAISED, Attempt, Guard, Outcome, Packed, measure_times, shortened, together
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.rows import BY_HAND
from rapid_moo.sources import MeasureSource
from rapid_moo.store import Store

logger = logging.getLogger(__name__)

STATE = "rapid"
POLL = 1.0
"""Seconds after which a waiting loop looks at what others have told."""
DEATHS = 2
"""So many times a worker may be lost with an evaluation before that counts as failed."""


@dataclass(frozen=True)
class Part:
    """One function of a measure: what it measures, how often, and in which pool of places it runs."""

    attempt: Attempt | Packed
    repeats: int
    pool: int

    @property
    def label(self) -> str:
        """Its objectives, for messages."""
        return ", ".join(self.attempt.names)


@dataclass
class Call:
    """A part's work on one row of the store."""

    row: int
    part: int
    times: int
    lost: int = 0
    began: float = 0.0


@dataclass
class Pool:
    """Places where parts run: an executor, how many works it takes at once, and what waits for it.

    The places of a cluster come and go: ``count`` says how many there are.
    """

    executor: Executor
    places: int
    count: Callable[[], int] | None = None
    deserted: bool = False
    waiting: deque[Call] = field(default_factory=deque)
    running: dict[Future[list[Outcome]], Call] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Places that nothing runs in."""
        return max(0, self.places - len(self.running))


class Engine:
    """Runs evaluations of a study.

    Parameters
    ----------
    problem : ArchitectureProblem
        The space, its measure and the study's store.
    algorithm : RAPID
        Set up with the problem; chooses what is evaluated.
    parts : sequence of Part
        The functions of the measure.
    pools : sequence of Pool
        Where they run.
    publish : callable
        Called after every change that people may want to see; ``publish(now)``.
    timeout : float, optional
        Seconds that one call of a part may take.
    """

    def __init__(
        self,
        problem: ArchitectureProblem,
        algorithm: RAPID,
        parts: Sequence[Part],
        pools: Sequence[Pool],
        publish: Callable[[bool], None],
        timeout: float | None = None,
    ) -> None:
        self.problem, self.algorithm, self.parts, self.pools = problem, algorithm, list(parts), list(pools)
        self.store: Store = problem.store
        self.publish, self.timeout = publish, timeout
        self.budget = 0.0
        self.stopping = False
        self._guards: list[Guard] = []
        self._stale = False
        self._open: dict[int, int] = {}
        self._again: deque[int] = deque()
        self._noisy: dict[int, set[str]] = {}
        self._exhausted = False
        self._barren: list[str] | None = None if problem.store.complete.any() else []

    # -------------------------------------------------------------------- loop
    def run(self, budget: float, again: Mapping[int, Collection[str]] | None = None) -> None:
        """Evaluate until so many evaluations were begun in all, and all of them have ended.

        Parameters
        ----------
        budget : int or float
            Evaluations, those of earlier runs included; where costs are stated, their cost.
        again : mapping of int to collection of str, optional
            Rows to measure once more instead of new architectures, in these objectives; in all of them if empty.
        """
        self.budget = budget
        self._again, self._noisy = deque(again or ()), {row: set(names) for row, names in (again or {}).items()}
        only_again = bool(again)
        lost = [row for row in np.flatnonzero(self.store.running).tolist() if self.store.who(row) != BY_HAND]
        self.store.requeue(lost)
        self._guards = [self._guard(part) for part in self.parts]
        self.publish(True)
        try:
            with interrupts(self._stop):
                while True:
                    self._start_all(only_again)
                    if not any(pool.running for pool in self.pools):
                        break
                    done = self.wait([future for pool in self.pools for future in pool.running])
                    if not done:
                        self._rest()
                    self._collect(done)
        finally:
            self.abandon()
            self.publish(True)
        if self.stopping:
            raise KeyboardInterrupt

    def wait(self, futures: Sequence[Future[list[Outcome]]]) -> set[Future[list[Outcome]]]:
        """Wait until something has ended, or for a second."""
        return wait(futures, timeout=POLL, return_when=FIRST_COMPLETED).done

    def _guard(self, part: Part) -> Guard:
        """A part's own, since another part's success says nothing of it; what it measured before speaks for it."""
        source = self.problem.source
        guard = Guard(source.guard.first, source.guard.same) if isinstance(source, MeasureSource) else Guard(0, 0)
        columns = [self.store.objectives.index(name) for name in part.attempt.names]
        guard.succeeded = bool((self.store.repeats[~self.store.free][:, columns] > 0).any())
        return guard

    def _rest(self) -> None:
        """Nothing ended for a while: time to show what was not shown yet, and to count places."""
        if self._stale:
            self.publish(True)
            self._stale = False
        for pool in self.pools:
            if pool.count is not None:
                n = pool.count()
                if not n and not pool.deserted:
                    logger.warning("the cluster has no workers: waiting for some")
                pool.places, pool.deserted = max(1, n), not n

    def _stop(self) -> None:
        """Begin nothing more; what runs may end."""
        self.stopping = True
        running = sum(len(pool.running) for pool in self.pools)
        logger.warning(
            "stopping: waiting for %d running; Ctrl-C again gives them up, they are asked again then", running
        )

    def abandon(self) -> None:
        """Give up what runs: it is asked again next time."""
        for pool in self.pools:
            for future in pool.running:
                future.cancel()
            pool.running.clear()
            pool.waiting.clear()
            if hasattr(pool.executor, "terminate"):
                pool.executor.terminate()
        open_rows = [row for row in self._open if self.store.is_running(row)]
        self._open.clear()
        if open_rows:
            self.store.requeue(open_rows)

    # ---------------------------------------------------------------- starting
    def _start_all(self, only_again: bool) -> None:
        self.store.refresh()
        while not self.stopping:
            self._submit_waiting()
            if not self._wants_more() or self._left() <= 0:
                return
            row = self._again.popleft() if self._again else None if only_again else self._next_row()
            if row is None:
                return
            if not self.problem.costs_stated or affordable(self._cost(row), self._left()):
                self._begin(row, again=only_again)
            elif not only_again:
                return  # of what is measured again the next may be cheaper

    def _left(self) -> float:
        """What is left of the budget, what is under way counted as spent: evaluations, or cost where it is stated."""
        if not self.problem.costs_stated:
            return self.budget - self.store.n_evaluations
        calls = [call for pool in self.pools for call in (*pool.waiting, *pool.running.values())]
        left = self.budget - self.problem.cost() - sum(self._price(call) for call in calls)
        return left if left > EPSILON * self.budget else 0.0

    def _price(self, call: Call) -> float:
        """What a call costs."""
        columns = [self.store.objectives.index(name) for name in self.parts[call.part].attempt.names]
        return call.times * float(self.problem.prices[columns].sum())

    def _cost(self, row: int) -> float:
        """What it costs to measure what is wanted of a row."""
        calls = [self._call(row, k) for k in range(len(self.parts))]
        return sum(self._price(call) for call in calls if call is not None)

    def _wants_more(self) -> bool:
        """Whether a place is free that nothing waits for, and nothing waits anywhere."""
        return any(pool.free for pool in self.pools) and not any(pool.waiting for pool in self.pools)

    def _next_row(self) -> int | None:
        """The next architecture to begin: what waits, else what the algorithm proposes.

        Of what waits the first is taken whose places are all free, else the first.
        """
        waiting = self.store.waiting
        if not len(waiting) and not self._exhausted:
            if self.problem.costs_stated:
                ask(self.algorithm, self.store, cost=self._left())
            else:
                ask(self.algorithm, self.store, limit=int(self._left()))
            waiting = self.store.waiting
            self._exhausted = not len(waiting)
        if len(waiting) > 1 and len(self.pools) > 1:
            return next((row for row in waiting.tolist() if self._has_places(row)), int(waiting[0]))
        return int(waiting[0]) if len(waiting) else None

    def _has_places(self, row: int) -> bool:
        """Whether all places that a row needs are free."""
        calls = [self._call(row, k) for k in range(len(self.parts))]
        needed = {self.parts[call.part].pool for call in calls if call is not None}
        return all(self.pools[pool].free for pool in needed)

    def _begin(self, row: int, again: bool) -> None:
        """Begin an evaluation: every part that lacks something of it is called."""
        with self.store.transaction():
            if not again and not self.store.is_waiting(row):
                return  # somebody else took it meanwhile
            calls = [call for k in range(len(self.parts)) if (call := self._call(row, k)) is not None]
            self.store.start(row, "here")
            if not calls:
                self.store.tell(row, self.problem.computed_values(row))
        self._open[row] = len(calls)
        for call in calls:
            self.pools[self.parts[call.part].pool].waiting.append(call)
        self._stale = True
        self.publish(False)

    def _call(self, row: int, k: int) -> Call | None:
        part = self.parts[k]
        columns = [self.store.objectives.index(name) for name in part.attempt.names]
        repeats = self.store.repeats_of(row)
        times = part.repeats - int(repeats[columns].min())
        if self.store.stopped_objectives_of(row)[columns].any():
            return None
        again = self.store.again_of(row)
        if again.any():
            return Call(row, k, 1) if again[columns].any() else None
        if not repeats.all() and not self.store.asked_of(row)[columns].any():
            return None
        if repeats.all():
            noisy = self._noisy.get(row)
            times = 1 if not noisy or noisy & set(part.attempt.names) else 0
        return Call(row, k, times) if times > 0 else None

    def _submit_waiting(self) -> None:
        for pool in self.pools:
            while pool.waiting and pool.free and not self.stopping:
                call = pool.waiting.popleft()
                try:
                    self._submit(pool, call)
                except BaseException:
                    pool.waiting.appendleft(call)
                    raise

    def _submit(self, pool: Pool, call: Call) -> None:
        part = self.parts[call.part]
        call.began = time.monotonic()
        architecture = self.problem.space.to_dict(self.store.X[call.row])
        stops = self.store.stops_of(call.row)
        timed = getattr(pool.executor, "submit_timed", None)
        try:
            if timed is not None:
                limit = self.timeout * call.times if self.timeout is not None else None
                future = timed(limit, measure_times, part.attempt, architecture, call.times, stops)
            else:
                future = pool.executor.submit(measure_times, part.attempt, architecture, call.times, stops)
        except RuntimeError as error:
            if isinstance(error, StudyError):
                raise
            raise StudyError(
                f"the executor takes no more work: {error}; nothing is lost, run the study again with a fresh one"
            ) from error
        pool.running[future] = call

    # -------------------------------------------------------------- collecting
    def _collect(self, done: Iterable[Future[list[Outcome]]]) -> None:
        for pool in self.pools:
            for future in [future for future in pool.running if future in done]:
                call = pool.running.pop(future)
                self._take(pool, call, future)

    def _take(self, pool: Pool, call: Call, future: Future[list[Outcome]]) -> None:
        part = self.parts[call.part]
        try:
            outcomes = future.result(timeout=0)
        except WorkTimeoutError:
            told = f"timed out after {self.timeout:g} s"
            outcomes = [Outcome(reasons=dict.fromkeys(part.attempt.names, told))]
            outcomes[0].seconds = time.monotonic() - call.began
        except (InputError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a worker was lost, a scheduler gave up, a future was cancelled
            call.lost += 1
            how = getattr(error, "how", "") or f"was lost ({type(error).__name__}: {error})".replace(": )", ")")
            told = f"its worker {shortened(how, 200)}"
            if call.lost < DEATHS and not self.stopping:
                logger.warning("evaluation %d: %s: asked again", call.row + 1, told)
                pool.waiting.append(call)
                return
            outcomes = [Outcome(reasons=dict.fromkeys(part.attempt.names, f"{told}, {call.lost} times"))]
            if call.lost < DEATHS:
                self._open.pop(call.row, None)
                self.store.requeue([call.row])
                return
        self._record(call, outcomes)

    def _record(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        row = call.row
        self._open[row] -= 1
        more = self._open[row] > 0
        with self.store.transaction():
            for outcome in outcomes:
                if outcome.values:
                    self.store.tell(row, outcome.values, more=True)
            # What was asked for once more and has not come has failed.
            open_ = np.isnan(self.store.raw_of([row])[0]) | self.store.again_of(row)
            summary = replace(together(outcomes), values={})
            # A repeat that failed beside one that did not is no failure of the objective.
            summary.reasons = {
                name: text
                for name, text in summary.reasons.items()
                if not name or open_[self.store.objectives.index(name)]
            }
            in_vain = self.problem.record(row, summary, more=more, guard=self._guards[call.part])
        if not more:
            del self._open[row]
        self._stale = True
        self.publish(False)
        if in_vain is not None:
            in_vain.stop()
        self._warn_if_barren(row)

    def _warn_if_barren(self, row: int) -> None:
        """Say so when the first evaluations all failed alike without raising: that is seldom the networks' fault."""
        if self._barren is None or self.store.pending[row]:
            return
        reason = self.store.reason(row)
        if self.store.complete[row] or not reason or (self._barren and reason != self._barren[0]):
            self._barren = None
            return
        self._barren.append(reason)
        if len(self._barren) == FIRST_RAISED:
            logger.warning(
                "the first %d evaluations all failed alike: %s; if that is a mistake in the measure, stop (Ctrl-C),"
                " mend it and make them again with --retry",
                FIRST_RAISED,
                reason,
            )
            self._barren = None


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C into a call, so that nothing is cut in two; the second one interrupts as ever.

    Elsewhere than in the main thread, where no signal arrives, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ask(
    algorithm: RAPID,
    store: Store,
    size: int | None = None,
    limit: int | None = None,
    cost: float | None = None,
) -> None:
    """Let the algorithm propose, and put its proposals and its state into the store, both or neither."""
    store.refresh()
    state = store.notes.get(STATE)
    if state is not None and algorithm.predictors is None:
        algorithm.restore(state)
    algorithm.follow()
    X = algorithm.propose(size, limit, cost)
    wanted = algorithm.wanted
    with store.transaction():
        for x, part in zip(X, wanted if wanted is not None else [None] * len(X), strict=True):
            row = int(store.find(x[None])[0])
            if part is not None and row >= 0 and store.settled(row):
                again = [name for name, on in zip(store.objectives, part, strict=True) if on]
                store.ask(x[None], "rapid", objectives=again, again=True)
                continue
            open_ = part is not None and (~part & (True if row < 0 else ~store.settled_objectives(row))).any()
            names = [name for name, on in zip(store.objectives, part, strict=True) if on] if open_ else None
            key = store.space.keys(x[None])[0]
            store.ask(x[None], "rapid", objectives=names, stops=algorithm.stops.get(key))
        store.note(STATE, algorithm.state())
