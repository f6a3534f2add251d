"""Worker processes for trainings and measurements that last minutes to hours.

A ``ProcessPoolExecutor`` breaks as a whole once a process dies, and cannot end work that takes too long. Here each
death and each time-out costs the work that it hit and nothing else.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from multiprocessing import process
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from rapid_moo.errors import InputError, WorkerDiedError, WorkTimeoutError
from rapid_moo.workers._messages import label_of, pack, unpack
from rapid_moo.workers._process import GRACE, WorkerProcess, end_sessions

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

MOST_DEATHS = 3
"""Processes of one worker that may die in a row before their work has begun."""

_GUARD = 'A worker imports the main script again: keep what the script runs under `if __name__ == "__main__":`.'


class ProcessWorkers(Executor):
    """Run work in ``n`` local processes, each of which may be killed without harm to the others.

    A process starts when work comes and no other is idle, as a new interpreter (never by fork), and leads a session of
    its own: what it starts ends with it, and Ctrl-C does not reach it. It ends with its parent, even one that is
    killed. Needs a POSIX system. Leave by ``shutdown`` or ``with``; at the interpreter's exit workers end at once.

    Parameters
    ----------
    n : int
        Number of workers.
    log_folder : Path, optional
        Folder of ``<name>-1.log`` to ``<name>-n.log``, which get the workers' standard output and error (appended).
        By default output is dropped, and errors go to the standard error of this process.
    name : str
        What workers are called in messages and log files.
    initial_path : sequence of str
        Folders that workers add at the end of ``sys.path``, which is otherwise that of this process.
    main : bool
        Whether workers import the main script, as functions that it defines need. A script that is imported must keep
        what it runs under ``if __name__ == "__main__":``.

    Raises
    ------
    InputError
        If ``n`` is not positive, or if a worker makes the object while it imports the main script.
    """

    def __init__(
        self,
        n: int,
        *,
        log_folder: Path | None = None,
        name: str = "worker",
        initial_path: Sequence[str] = (),
        main: bool = True,
    ) -> None:
        if os.name != "posix":
            raise InputError(f"worker processes need a POSIX system, this one is {os.name!r}; use threads")
        if n < 1:
            raise InputError(f"n: expected at least one worker, got {n}")
        if vars(process.current_process()).get("_inheriting"):
            raise InputError(f"workers cannot start workers while they import the main script. {_GUARD}")
        self._n, self._name, self._path, self._main = n, name, list(initial_path), main
        self._logs = None if log_folder is None else Path(log_folder).absolute()
        self._changed = threading.Condition()
        self._queue: deque[_Work] = deque()
        self._feeders: list[_Feeder] = []
        self._idle = 0
        self._closed = self._terminated = False
        self._owner = os.getpid()
        _pools.add(self)

    @property
    def running(self) -> int:
        """Number of works that are in the hands of a worker now."""
        return sum(feeder.busy for feeder in tuple(self._feeders))

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue ``fn(*args, **kwargs)``; see :meth:`submit_timed`, here without a bound."""
        return self.submit_timed(None, fn, *args, **kwargs)

    def submit_timed(
        self, timeout: float | None, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Queue ``fn(*args, **kwargs)`` with a bound on its time.

        Parameters
        ----------
        timeout : float or None
            Seconds from the moment that the function is called in the worker; then everything in the worker's session
            gets SIGTERM, and SIGKILL after a grace of two seconds. None: no bound.
        fn : callable
            A function that a module holds at its top level.
        *args, **kwargs
            Its arguments; they are pickled at once.

        Returns
        -------
        Future
            Holds the result or what ``fn`` raised, with the worker's traceback as its cause; ``WorkTimeoutError`` after
            the bound; ``WorkerDiedError`` if the process died or could not start; ``InputError`` if the worker cannot
            load ``fn`` or send its result. Work that has not begun can be cancelled.

        Raises
        ------
        InputError
            If the work cannot be pickled, or a new process could not find it; if ``timeout`` is not positive.
        RuntimeError
            After shutdown.
        """
        if timeout is not None and not timeout > 0:
            raise InputError(f"timeout: expected positive seconds or None, got {timeout!r}")
        work = _Work(pack(fn, args, kwargs), label_of(fn), timeout)
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._idle <= len(self._queue) and len(self._feeders) < self._n:
                self._add_feeder()
            self._queue.append(work)
            self._changed.notify()
        return work.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; workers leave when the queue is empty.

        Parameters
        ----------
        wait : bool
            Whether to return only when all work is done and all workers have left.
        cancel_futures : bool
            Whether to cancel work that has not begun.
        """
        self._close(cancel_futures)
        if wait:
            self._join(None)

    def terminate(self) -> None:
        """End now: queued work is cancelled, running work gets ``WorkerDiedError``, their sessions are ended."""
        with self._changed:
            # From here on no process starts, so that none is missed below.
            self._terminated = True
            processes = [feeder.process for feeder in self._feeders if feeder.process is not None]
        self._close(cancel=True)
        end_sessions([each.popen for each in processes])
        self._join(GRACE)

    def _close(self, cancel: bool) -> None:
        with self._changed:
            self._closed = True
            cancelled = list(self._queue) if cancel else []
            if cancel:
                self._queue.clear()
            self._changed.notify_all()
        for work in cancelled:
            work.future.cancel()
            work.future.set_running_or_notify_cancel()  # else those who wait for it would wait for ever

    def _join(self, timeout: float | None) -> None:
        for feeder in tuple(self._feeders):
            if feeder is not threading.current_thread():  # a callback of a future may call shutdown
                feeder.join(timeout)

    def _add_feeder(self) -> None:
        name = f"{self._name}-{len(self._feeders) + 1}"
        feeder = _Feeder(self, name)
        feeder.start()
        self._feeders.append(feeder)

    def _take(self) -> _Work | None:
        """Wait for the next work; None once there is none to come."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._idle -= 1
            return self._queue.popleft() if self._queue else None

    def _start(self, feeder: _Feeder) -> WorkerProcess:
        with self._changed:
            if self._terminated:
                raise WorkerDiedError(f"{feeder.name} was ended by terminate()")
            feeder.process = WorkerProcess(feeder.name, self._logs, self._path, main=self._main)
            return feeder.process


_pools: weakref.WeakSet[ProcessWorkers] = weakref.WeakSet()


@atexit.register
def _terminate_pools() -> None:
    for pool in list(_pools):
        if pool._owner == os.getpid():  # a forked child must leave its parent's workers alone
            pool.terminate()


@dataclass(eq=False)
class _Work:
    payload: bytes
    label: str
    timeout: float | None
    future: Future[Any] = field(default_factory=Future)


class _Feeder(threading.Thread):
    """Carries work to one worker and its outcome back, and replaces the process when it dies."""

    def __init__(self, pool: ProcessWorkers, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.process: WorkerProcess | None = None
        self.busy = False
        self._pool = pool
        self._deaths = 0
        self._how = ""

    def run(self) -> None:
        while work := self._pool._take():
            if work.future.set_running_or_notify_cancel():
                self._settle(work)
            del work  # an idle worker must not hold the last result
        self._end(farewell=True)

    def _settle(self, work: _Work) -> None:
        self.busy = True
        try:
            value = self._outcome(work)
        except BaseException as error:  # whatever it is, somebody waits for this future
            self.busy = False
            work.future.set_exception(error.with_traceback(None))  # frames of this module would only hide the user's
        else:
            self.busy = False
            work.future.set_result(value)

    def _outcome(self, work: _Work) -> Any:
        worker = self._begin(work)
        try:
            reply = worker.receive(work.timeout)
        except TimeoutError:
            self._end()
            raise WorkTimeoutError(f"{work.label} was ended in {self.name}: it took over {work.timeout:g} s") from None
        except (EOFError, OSError):
            died = WorkerDiedError(f"{work.label} was lost: {self._post_mortem(worker)}")
            died.how = self._how
            raise died from None
        return unpack(reply, work.label)

    def _begin(self, work: _Work) -> WorkerProcess:
        """Hand work to a process that lives to begin it."""
        while True:
            worker = self._living()
            try:
                worker.send(work.payload)
                worker.receive(None)
            except (EOFError, OSError):
                self._count_death(worker, work)
            else:
                self._deaths = 0
                return worker

    def _living(self) -> WorkerProcess:
        if self.process is not None and self.process.popen.poll() is not None:
            logger.warning("%s", self._post_mortem(self.process))
        return self.process or self._pool._start(self)

    def _count_death(self, worker: WorkerProcess, work: _Work) -> None:
        self._deaths += 1
        tail = worker.last_errors()
        how = self._post_mortem(worker)
        if self._deaths >= MOST_DEATHS or self._pool._terminated:
            told = f"\nIts standard error ended with:\n{tail}" if tail else ""
            raise WorkerDiedError(
                f"{work.label} could not begin: {how}; processes of this worker that died in a row before their work "
                f"had begun: {self._deaths}. {_GUARD}{told}"
            )
        logger.warning("%s before its work had begun; trying again", how)

    def _post_mortem(self, worker: WorkerProcess) -> str:
        """Say how a process died, and clear up what it left."""
        cause = self._how = worker.cause_of_death()
        self._end()
        if self._pool._terminated:
            return f"{self.name} was ended by terminate()"
        return f"{self.name} {cause}" + (f" (see {worker.log})" if worker.log else "")

    def _end(self, farewell: bool = False) -> None:
        if self.process is not None:
            if farewell:
                self.process.dismiss()
            self.process.end()
        self.process = None
