"""Where a study's measure runs: workers here, an executor of the user's own, and boards with places of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapid_moo._util import as_count
from rapid_moo.errors import InputError
from rapid_moo.measure import Attempt, Command, Packed
from rapid_moo.objectives import Objective
from rapid_moo.study.engine import Part, Pool
from rapid_moo.workers import DaemonThreads, ProcessWorkers, SerialExecutor

MOST_PLACES = 10_000


@dataclass(frozen=True)
class Places:
    """How many evaluations may run at the same time, and where.

    Parameters
    ----------
    workers : int, str or Executor
        ``N`` processes (one: this process where that is safe), ``"threads:N"``, ``"processes:N"``, or an executor
        of the user's own, a Dask client's too.
    reserved : mapping of str to int
        Places of the objectives that have their own: one board, four trainers.
    timeout : float, optional
        Seconds that an evaluation may take.
    """

    workers: int | str | Any
    reserved: Mapping[str, int]
    timeout: float | None

    def check(self, attempts: Sequence[Attempt] | None) -> None:
        """Refuse what does not fit, before anything is written.

        Parameters
        ----------
        attempts : sequence of Attempt, optional
            The functions of the measure; None where none was given yet.
        """
        names = [name for attempt in attempts or () for name in attempt.names]
        for name, n in self.reserved.items():
            unknown = attempts is not None and name not in names
            if unknown or isinstance(n, bool) or not isinstance(n, int) or not 0 < n <= MOST_PLACES:
                raise InputError(f"places: expected numbers of places for some of {', '.join(names)}, got {name}={n}")
        if self.foreign:
            if self.timeout is not None and not hasattr(self.workers, "submit_timed"):
                raise InputError(f"timeout: expected worker processes of a study's own with it, got {self.workers!r}")
        elif _kind_and_number(self.workers)[0] == "threads" and self.timeout is not None:
            raise InputError("timeout: expected worker processes with it, since threads cannot be ended")

    @property
    def foreign(self) -> bool:
        """Whether work runs in an executor of the user's own."""
        return isinstance(self.workers, Executor) or hasattr(self.workers, "submit")

    def open(
        self, attempts: Sequence[Attempt], objectives: Sequence[Objective], logs: Path
    ) -> tuple[list[Pool], list[Part], list[Executor]]:
        """Pools of places, the parts of the measure and where each runs, and the executors that are ours to end.

        Parameters
        ----------
        attempts : sequence of Attempt
            The functions of the measure.
        objectives : sequence of Objective
            Say how often each is measured.
        logs : Path
            Folder of what worker processes print.
        """
        repeats = {objective.name: objective.times for objective in objectives}
        pools: list[Pool] = []
        parts: list[Part] = []
        owned: list[Executor] = []
        shared = -1
        # In this very process a command would get its Ctrl-C and outlive it, and a board would hold up the rest.
        apart = any(set(attempt.names) & set(self.reserved) for attempt in attempts)
        apart |= self.timeout is not None or any(isinstance(attempt.function, Command) for attempt in attempts)
        for attempt in attempts:
            stated = [self.reserved[name] for name in attempt.names if name in self.reserved]
            if stated or shared < 0:
                executor, n = self._executor(min(stated) if stated else None, logs, len(pools), apart)
                pools.append(Pool(executor, n, None if stated else _dask_threads(executor)))
                owned += [] if self.foreign else [executor]
            if not stated and shared < 0:
                shared = len(pools) - 1
            pool = len(pools) - 1 if stated else shared
            packed = Packed.of(attempt) if _dask_threads(pools[pool].executor) is not None else attempt
            parts.append(Part(packed, max(repeats[name] for name in attempt.names), pool))
        return pools, parts, owned

    def _executor(self, places: int | None, logs: Path, number: int, apart: bool) -> tuple[Executor, int]:
        """An executor, and its number of places."""
        if self.foreign:
            executor: Any = self.workers
            count = _dask_threads(executor)
            n = places or getattr(executor, "_max_workers", None) or (count() if count is not None else 0) or 1
            return executor, int(n)
        kind, n = _kind_and_number(self.workers)
        n = places or n
        if kind == "here" and not apart:
            return SerialExecutor(), 1
        if kind == "threads":
            return DaemonThreads(n), n
        return ProcessWorkers(n, log_folder=logs, name=f"worker{number or ''}"), n


def _kind_and_number(text: int | str | Any) -> tuple[str, int]:
    """Kind and number of workers: ``here``, ``processes`` or ``threads``."""
    kind, _, number = text.partition(":") if isinstance(text, str) else ("", "", str(text))
    if isinstance(text, str) and not number:
        kind, number = "", kind
    good = 0 < as_count(number) <= MOST_PLACES and kind in ("", "threads", "processes")
    if isinstance(text, bool) or not good:
        raise InputError(f"workers: expected N, 'threads:N' or 'processes:N' with N in 1..{MOST_PLACES}, got {text!r}")
    n = int(number)
    return (kind or ("here" if n == 1 else "processes")), n


def _dask_threads(executor: Any) -> Callable[[], int] | None:
    """What counts the threads of a Dask client's workers, where the executor is such a client's."""
    client = getattr(executor, "_client", None)
    if client is None or not hasattr(client, "nthreads"):
        return None
    return lambda: sum(client.nthreads().values())
