"""One worker process as its parent sees it: how it starts, talks, dies and is ended with all that it started."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing import Pipe, spawn
from pathlib import Path
from typing import IO, Any

from rapid_moo.workers._worker import kill_session, process_numbers, session_groups

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

FAREWELL = 5.0
"""Seconds that an idle worker may take to leave at shutdown."""

_LOOK = 0.25  # seconds between looks at a process that is silent: children it forked may hold its pipe open
_TAIL = 4000  # bytes of standard error in a message
_PROC = Path("/proc/self")
_SCRIPT = Path(__file__).with_name("_worker.py")


class WorkerProcess:
    """One process, its pipe, and what it wrote to standard error."""

    def __init__(self, name: str, logs: Path | None, path: Sequence[str], *, main: bool = True) -> None:
        preparation = pickle.dumps(_preparation(name, path, main))
        self.log = None if logs is None else logs / f"{name}.log"
        # Without a log, standard error is kept until work begins: a failing start is explained by it.
        self._kept = _opened(self.log)
        self._mark = self._kept.seek(0, os.SEEK_END)
        self._pipe, theirs = Pipe()
        errors = -1 if self.log else _copy_of_standard_error()
        try:
            # The interpreter's own options (-O, -X, -W) are those that multiprocessing hands on.
            self.popen = subprocess.Popen(
                [*spawn.get_command_line()[:-3], "-P", _SCRIPT, *map(str, (theirs.fileno(), errors, os.getpid()))],
                stdin=subprocess.DEVNULL,
                stdout=self._kept if self.log else subprocess.DEVNULL,
                stderr=self._kept,
                pass_fds=[theirs.fileno()] if self.log else [theirs.fileno(), errors],
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            theirs.close()
            if errors >= 0:
                os.close(errors)
        with suppress(OSError):  # it died already, which whoever uses it next finds out
            self._pipe.send_bytes(preparation)

    def send(self, payload: bytes) -> None:
        """Send one message; OSError if nobody is there."""
        self._pipe.send_bytes(payload)

    def receive(self, timeout: float | None) -> bytes:
        """Next message; EOFError or OSError if the process has died, TimeoutError after so many seconds."""
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._pipe.poll(max(0.0, min(_LOOK, end - time.monotonic()))):
            if self.popen.poll() is not None and not self._pipe.poll(0):
                raise EOFError
            if time.monotonic() >= end:
                raise TimeoutError
        return self._pipe.recv_bytes()

    def last_errors(self) -> str:
        """End of what was written to standard error, as far as it is kept."""
        size = os.fstat(self._kept.fileno()).st_size
        tail = os.pread(self._kept.fileno(), _TAIL, max(self._mark, size - _TAIL))
        return tail.decode(errors="replace").strip()

    def cause_of_death(self) -> str:
        """Say by which signal or with which code the process ended."""
        try:
            code = self.popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if code >= 0:
            return f"exited with code {code}"
        hint = "out of memory?" if -code == signal.SIGKILL else signal.strsignal(-code)
        return f"was killed by signal {-code} ({hint})"

    def dismiss(self) -> None:
        """Let an idle process leave as Python does, with what it wants to do at its exit."""
        with suppress(OSError):
            self.send(b"")
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(FAREWELL)

    def end(self) -> None:
        """End the process, if it lives, and everything that it started."""
        end_sessions([self.popen])
        self._close()

    def _close(self) -> None:
        self._pipe.close()
        self._kept.close()


def _opened(log: Path | None) -> IO[bytes]:
    if log is None:
        return tempfile.TemporaryFile()
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("a+b")


def _copy_of_standard_error() -> int:
    try:
        return os.dup(2)
    except OSError:  # closed, as in a daemon
        return os.open(os.devnull, os.O_WRONLY)


def end_sessions(leaders: Iterable[subprocess.Popen[bytes]]) -> None:
    """End all that is in the sessions that the leaders lead: SIGTERM, a grace, SIGKILL."""
    alive = [leader for leader in leaders if _signal_session(leader, signal.SIGTERM)]
    end = time.monotonic() + GRACE
    while (alive := [leader for leader in alive if _signal_session(leader, 0)]) and time.monotonic() < end:
        time.sleep(0.02)
    for leader in alive:
        kill_session(leader.pid)
        with suppress(subprocess.TimeoutExpired):  # the kernel may hold it in a call to a device
            leader.wait(GRACE)


def _signal_session(leader: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to every process group of a session and say whether anybody got it; 0 only asks."""
    leader.poll()  # a dead leader that nobody has waited for would count as a member
    reached = [signal_group(group, number) for group in session_groups(leader.pid)]
    return any(reached)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group and say whether anybody got it; 0 only asks."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def has_living(group: int) -> bool:
    """Whether anybody in a process group lives; where that can be seen, who is dead and not waited for does not."""
    if not signal_group(group, 0):
        return False
    members = [number for number in process_numbers() if _is_in(number, group)]
    return not members or not all(map(_is_dead, members))


def _is_in(number: int, group: int) -> bool:
    try:
        return os.getpgid(number) == group
    except OSError:
        return False


def _is_dead(number: int) -> bool:
    try:
        return (_PROC.parent / str(number) / "stat").read_bytes().rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return _PROC.is_dir()


def _preparation(name: str, path: Sequence[str], main: bool) -> dict[str, Any]:
    """What a new process has to know of this one, for ``multiprocessing.spawn.prepare``."""
    data = spawn.get_preparation_data(name)
    data["authkey"] = bytes(data["authkey"])  # its own class refuses to be pickled
    data["sys_path"] = [*data["sys_path"], *(folder for folder in path if folder not in data["sys_path"])]
    if not (main and main_can_be_imported()):
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data


def main_can_be_imported() -> bool:
    """Whether a new process finds the main module: not that of a notebook, of ``python -c`` or of ``python -m pkg``.

    Nor is it sought where it is the command ``rapid-moo``, which holds nothing of the user's and takes seconds.
    """
    main = sys.modules["__main__"]
    if getattr(getattr(main, "main", None), "__module__", "").startswith("rapid_moo.cli"):
        return False
    name = getattr(main.__spec__, "name", None)
    if name is not None:
        return name != "__main__" and not name.endswith(".__main__")
    return os.path.isfile(getattr(main, "__file__", None) or "")
