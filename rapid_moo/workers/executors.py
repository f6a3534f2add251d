"""Executors for work that needs no process of its own here: in this thread, or on a cluster."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from rapid_moo.errors import WorkerDiedError

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

MOST_SILENCES = 100
"""Questions in a row that a job of a cluster may leave without an answer, before it is taken for lost."""


class SerialExecutor(Executor):
    """Run work at once, in the thread that submits it; for tests, debuggers and measures that bear no company."""

    def __init__(self) -> None:
        self._closed = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run ``fn(*args, **kwargs)`` and return its finished future; Ctrl-C passes through."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()
        try:
            value = fn(*args, **kwargs)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(value)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work."""
        self._closed = True


class DaemonThreads(Executor):
    """Run each piece of work in a daemon thread of its own, so many at a time.

    A thread cannot be stopped. ``concurrent.futures`` waits for its threads before the process ends, however long they
    take; what runs here and is given up ends with the process.

    Parameters
    ----------
    max_workers : int
        Further work waits for a thread to end.
    """

    def __init__(self, max_workers: int) -> None:
        self._max_workers = max_workers
        self._places = threading.Semaphore(max_workers)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Begin ``fn(*args, **kwargs)`` as soon as a place is free, and return its future."""
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[R] = Future()

        def work() -> None:
            with self._places:
                if not future.set_running_or_notify_cancel():
                    return
                try:
                    value = fn(*args, **kwargs)
                except BaseException as error:  # whatever it is, it is whoever waits who has to know
                    future.set_exception(error)
                else:
                    future.set_result(value)

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=work, name="measure", daemon=True))
        self._threads[-1].start()
        return future

    def terminate(self) -> None:
        """Wait for nothing any more."""
        self._threads.clear()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; optionally wait for what runs."""
        self._closed = True
        for thread in self._threads if wait else ():
            thread.join()


class SubmititJob(Protocol):
    """What is needed of ``submitit.Job``."""

    def done(self) -> bool:
        """Whether the job has ended."""

    def exception(self) -> BaseException | None:
        """Return the exception of a job that has ended, if there is one."""

    def result(self) -> Any:
        """Result of a job that has ended."""

    def cancel(self) -> None:
        """Take the job from the cluster."""


class Submitit(Protocol):
    """What is needed of ``submitit.Executor``."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> SubmititJob:
        """Send a job to the cluster."""


class SubmititExecutor(Executor):
    """Turn the jobs of a ``submitit`` executor into futures; one daemon thread asks for them.

    Cancelling a future cancels its job, even one that runs. Jobs outlive this process.

    Parameters
    ----------
    executor : submitit.Executor
        Any of them, with its parameters set.
    interval : float
        Seconds between two rounds of questions.
    """

    def __init__(self, executor: Submitit, *, interval: float = 1.0) -> None:
        self._executor, self._interval = executor, interval
        self._changed = threading.Condition()
        self._jobs: dict[Future[Any], _Job] = {}
        self._poller: threading.Thread | None = None
        self._closed = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Send ``fn(*args, **kwargs)`` to the cluster; a job that was lost there gives ``WorkerDiedError``."""
        future: Future[R] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._jobs[future] = _Job(self._executor.submit(fn, *args, **kwargs))
            if self._poller is None:
                self._poller = threading.Thread(target=self._poll, name="submitit", daemon=True)
                self._poller.start()
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; optionally cancel all jobs, optionally wait for them."""
        with self._changed:
            self._closed = True
            futures = list(self._jobs) if cancel_futures else []
            self._changed.notify()
        for future in futures:
            future.cancel()
        if wait and self._poller is not None and self._poller is not threading.current_thread():
            self._poller.join()

    def _poll(self) -> None:
        while jobs := self._unsettled():
            for future, job in jobs:
                if future.cancelled() or job.has_ended():
                    _settle(future, job.job)
                    with self._changed:
                        del self._jobs[future]
            time.sleep(self._interval)

    def _unsettled(self) -> list[tuple[Future[Any], _Job]]:
        """Wait for jobs; none once there are none to come."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            return list(self._jobs.items())


@dataclass
class _Job:
    """A job, and how often in a row it did not say whether it has ended."""

    job: SubmititJob
    silent: int = 0

    def has_ended(self) -> bool:
        """Ask; a file system or scheduler that is away for a while must not cost hours of work, nor wait for ever."""
        try:
            ended = self.job.done()
        except Exception:  # of a scheduler's own kind
            logger.warning("%r does not say whether it has ended", self.job, exc_info=True)
            self.silent += 1
            return self.silent >= MOST_SILENCES
        self.silent = 0
        return ended


def _settle(future: Future[Any], job: SubmititJob) -> None:
    """Give a future the outcome of a job that has ended, or cancel the job of a cancelled future."""
    if not future.set_running_or_notify_cancel():
        with suppress(Exception):  # it may have ended meanwhile, which schedulers take for an error
            job.cancel()
        return
    try:
        error = job.exception()
        value = job.result() if error is None else None
    except Exception as raised:  # it cannot even say how it ended
        future.set_exception(WorkerDiedError(f"{job!r} was lost: {raised!r}"))
        return
    if error is None:
        future.set_result(value)
    elif type(error).__name__ == "UncompletedJobError":  # submitit's word for a job that left no outcome
        future.set_exception(WorkerDiedError(f"{job!r} was lost: {error}"))
    else:
        future.set_exception(error)
