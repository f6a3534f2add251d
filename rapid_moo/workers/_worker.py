"""What runs inside a worker process of :class:`rapid_moo.workers.ProcessWorkers`.

The process runs this file as a script, and the file needs the standard library alone: importing ``rapid_moo`` takes two
seconds, which a worker whose work does without it should not spend.

Messages are bytes. The first one from the parent is what ``multiprocessing.spawn`` wants to know; each later one is a
pickled ``(fn, args, kwargs)``, and an empty one says to leave. The worker answers work with ``BEGUN``, and then with a
pickled tuple: ``("result", value)``, ``("error", pickled exception or None, summary, traceback)``,
``("unsendable", summary)`` or ``("unloadable", summary)``.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing import process, spawn
from multiprocessing.connection import Connection
from typing import Any

BEGUN = b"begun"
_POLL_MILLISECONDS = 500


def main() -> None:
    """Serve one parent until it says to leave; end with it if it ends before."""
    descriptor, errors, parent = (int(argument) for argument in sys.argv[1:4])
    faulthandler.enable()
    pipe: Connection[bytes, bytes] = Connection(descriptor)
    os.set_inheritable(descriptor, False)
    # A forked child of the work must not hold the pipe open: the parent could not see the worker die.
    os.register_at_fork(after_in_child=pipe.close)
    threading.Thread(target=_watch, args=(descriptor, parent), daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        _prepare(pickle.loads(pipe.recv_bytes()))
        _serve(pipe, errors)
    except EOFError:
        _end_session()


def _watch(descriptor: int, parent: int) -> None:
    """End the whole session once the parent is gone; no event asked for means: tell of hang-ups alone."""
    poller = select.poll()
    poller.register(descriptor, 0)
    while os.getppid() == parent and not poller.poll(_POLL_MILLISECONDS):
        pass
    _end_session()


def _end_session() -> None:
    kill_session(os.getsid(0))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def kill_session(session: int) -> None:
    """Send SIGKILL to every process group of a session but one's own."""
    killed = {os.getpgrp()}
    while groups := session_groups(session) - killed:
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        killed |= groups


def session_groups(session: int) -> set[int]:
    """Process groups of a session that have a member; that of its leader in any case."""
    found = {session}
    for number in process_numbers():
        with suppress(OSError):  # it has ended meanwhile
            if os.getsid(number) == session:
                found.add(os.getpgid(number))
    return found


def process_numbers() -> list[int]:
    """Numbers of all processes: no call of the system asks for those of a session. Empty where nobody tells."""
    with suppress(OSError):
        if numbers := [int(name) for name in os.listdir("/proc") if name.isdigit()]:
            return numbers
    with suppress(OSError):
        told = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, check=False)
        return [int(word) for word in told.stdout.split()]
    return []


def _prepare(data: dict[str, Any]) -> None:
    """Take over the parent's path, arguments, folder and main module."""
    # multiprocessing's own mark: whatever starts processes while the main module is imported is refused by it.
    vars(process.current_process())["_inheriting"] = True
    spawn.prepare(data)
    del vars(process.current_process())["_inheriting"]


def _serve(pipe: Connection[bytes, bytes], errors: int) -> None:
    """Work off what comes, until an empty message says to leave."""
    while payload := pipe.recv_bytes():
        try:
            work = pickle.loads(payload)
        except BaseException as error:  # an import may raise anything, SystemExit too
            work, reply = None, pickle.dumps(("unloadable", _summary(error)))
        errors = _show_errors(errors)
        pipe.send_bytes(BEGUN)
        pipe.send_bytes(reply if work is None else _answer(*work))


def _show_errors(errors: int) -> int:
    """Point standard error at the descriptor ``errors``, and say there what was kept until now; -1: it is in place."""
    if errors >= 0:
        sys.stderr.flush()
        kept = os.pread(2, os.fstat(2).st_size, 0)
        os.dup2(errors, 2)
        os.close(errors)
        with suppress(OSError):  # nobody reads it any more
            os.write(2, kept)
    return -1


def _answer(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    try:
        value = fn(*args, **kwargs)
    except BaseException as error:  # SystemExit of a script is an outcome of the work, not the end of the worker
        return pickle.dumps(("error", _pickled(error), _summary(error), _traceback(error)))
    try:
        return pickle.dumps(("result", value), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(("unsendable", _summary(error)))


def _pickled(error: BaseException) -> bytes | None:
    """Bytes that really give an exception again; None if there are none, or if it would end whoever raises it."""
    if not isinstance(error, Exception):
        return None
    try:
        dumped = pickle.dumps(error)
        return dumped if isinstance(pickle.loads(dumped), Exception) else None
    except Exception:  # an exception's own code may raise anything here
        return None


def _summary(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _traceback(error: BaseException) -> str:
    """Text from the frame of the work on; that of this module says nothing to its owner."""
    begin = error.__traceback__.tb_next if error.__traceback__ else None
    return "".join(traceback.format_exception(type(error), error, begin))


if __name__ == "__main__":
    main()
