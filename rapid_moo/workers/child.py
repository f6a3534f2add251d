"""One program at work: what it prints, line by line, and its end with all that it started."""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

from rapid_moo.workers._process import GRACE, has_living, signal_group

_CHUNK = 2**16
_LOOK = 0.02  # seconds between looks at a group that is to end


class Child:
    """A program in a process group of its own, which can be ended without harm to whoever started it.

    Use it by ``with``: left by an exception it is ended. It ends with the interpreter, and as all of its session with
    the worker process that it was started in.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.
    folder : str
        Where it runs; the current folder if empty.
    given : bytes
        What it gets on standard input.

    Attributes
    ----------
    said : bytearray
        What it wrote to standard error until now; read along with the lines.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(self, words: Sequence[str], folder: str, given: bytes) -> None:
        self.popen = subprocess.Popen(  # the user's own command
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder or None,
            process_group=0,
        )
        self.said = bytearray()
        self._given = memoryview(given)
        self._late: float | None = None
        self._killed = False
        self._owner = os.getpid()
        _children.add(self)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                self.end()
                self.wait()
        finally:
            _children.discard(self)
            for stream in self._streams():
                with suppress(OSError):  # what was not read by a program that is gone
                    stream.close()

    def lines(self) -> Iterator[bytes]:
        """Lines of standard output as they come, until it and standard error are closed by all who hold them.

        Of a program that is told to end, what comes until it is gone.
        """
        begun: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            stdin, stdout, stderr = self._streams()
            os.set_blocking(stdin.fileno(), False)
            selector.register(stdin, selectors.EVENT_WRITE)
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while not (stdout.closed and stderr.closed):
                ready = [key.fileobj for key, _ in selector.select(None if self._late is None else _LOOK)]
                over = self._late is not None and self._is_over(silent=not ready)
                if over and ready:
                    break
                if over:
                    # It may have written something between the look and its end: that is still in the pipes.
                    ready = [key.fileobj for key, _ in selector.select(0)]
                for stream in ready:
                    if stream is stdin:
                        self._give(selector)
                        continue
                    told: IO[bytes] = stdout if stream is stdout else stderr
                    chunk = os.read(told.fileno(), _CHUNK)
                    if not chunk:
                        selector.unregister(told)
                        told.close()
                    elif told is stderr:
                        self.said += chunk
                    elif b"\n" in chunk:
                        *whole, rest = (b"".join(begun) + chunk).split(b"\n")
                        begun = [rest]
                        yield from (line + b"\n" for line in whole)
                    else:
                        begun.append(chunk)
                if over:
                    break
        if last := b"".join(begun):
            yield last

    def end(self) -> None:
        """Tell the whole group to end: SIGTERM now, and SIGKILL to what is left after a grace of two seconds."""
        if self._late is None:
            self._late = time.monotonic() + GRACE
            self.popen.poll()
            signal_group(self.popen.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Exit code, as of :class:`subprocess.Popen`; of one that is told to end once its group is gone."""
        while self._late is not None and not self._is_over(silent=True):
            time.sleep(_LOOK)
        if self._late is not None:
            with suppress(subprocess.TimeoutExpired):  # the kernel may hold it in a call to a device
                return self.popen.wait(GRACE)
            return -signal.SIGKILL
        return self.popen.wait()

    def _streams(self) -> list[IO[bytes]]:
        return [stream for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr) if stream is not None]

    def _give(self, selector: selectors.BaseSelector) -> None:
        """Write what fits into the pipe; a program need not read it."""
        stdin = self._streams()[0]
        try:
            self._given = self._given[os.write(stdin.fileno(), self._given) :]
        except BrokenPipeError:
            self._given = self._given[:0]
        if not self._given:
            selector.unregister(stdin)
            stdin.close()

    def _is_over(self, *, silent: bool) -> bool:
        """Whether nothing more is waited for of a group that is to end; kills what is late.

        What left the group may hold the pipes for ever, silent or not. After SIGKILL only who is dead and not waited
        for by its parent can be left in the group.
        """
        late = self._late is not None and time.monotonic() >= self._late
        if late and not self._killed:
            self._killed, late = True, False
            self._late = time.monotonic() + GRACE
            signal_group(self.popen.pid, signal.SIGKILL)
        ended = self.popen.poll() is not None
        return late or (silent and ended and (self._killed or not has_living(self.popen.pid)))


_children: set[Child] = set()


@atexit.register
def _end_children() -> None:
    """Threads that end with the interpreter leave their programs behind."""
    mine = [child for child in list(_children) if child._owner == os.getpid()]  # a forked child must leave them alone
    for child in mine:
        child.end()
    for child in mine:
        child.wait()
