"""Command lines as measures."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapid_moo.errors import InputError, MeasureError
from rapid_moo.measure.outcomes import Architecture, shortened

UNSTARTED = 1_000


@dataclass(frozen=True)
class Command:
    """A command line as a measure: the architecture as JSON on standard input, objectives as JSON on standard output.

    Parameters
    ----------
    line : str
        The command as a shell would split it; no shell runs it.
    folder : str
        Where it runs; the current folder if empty.
    log : str
        Folder in which each call's standard error is kept; nowhere if empty.
    """

    line: str
    folder: str = ""
    log: str = ""

    def __post_init__(self) -> None:
        if not self.words:
            raise InputError("measure: expected a command line, got an empty one")

    @property
    def words(self) -> list[str]:
        """The command's words."""
        try:
            return shlex.split(self.line)
        except ValueError as error:
            raise InputError(f"measure {self.line!r}: expected a command line: {error}") from error

    def __call__(self, architecture: Architecture) -> Any:
        """Run the command; its standard output is read as one JSON object, or its last line is."""
        try:
            done = subprocess.run(  # the user's own command
                self.words,
                input=json.dumps(architecture).encode(),
                capture_output=True,
                cwd=self.folder or None,
                check=False,
            )
        except OSError as error:
            message = f"the command cannot be run: {error.strerror or error}: {error.filename or self.line}"
            raise CommandFailedError(message, UNSTARTED, message) from error
        said = done.stderr.decode(errors="replace")
        self._keep(architecture, said)
        if done.returncode != 0:
            last = said.strip().splitlines()[-1:] or ["nothing on standard error"]
            how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
            raise CommandFailedError(f"{how}: {shortened(last[0], 200)}", done.returncode, said[-20_000:])
        return parse_output(done.stdout.decode(errors="replace"))

    def _keep(self, architecture: Architecture, said: str) -> None:
        if self.log and said.strip():
            path = Path(self.log)
            path.mkdir(parents=True, exist_ok=True)
            with (path / "stderr.log").open("a", encoding="utf-8") as out:
                out.write(f"--- {json.dumps(architecture)}\n{said.rstrip()}\n")


class CommandFailedError(MeasureError):
    """A command ended with an exit code other than 0, or was killed."""

    def __init__(self, message: str, code: int, tail: str) -> None:
        super().__init__(message)
        self.code, self.tail = code, tail

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.code, self.tail)


def parse_output(text: str) -> Any:
    """The JSON object that a command printed: its whole output, or the last line that is one."""
    for part in (text, *reversed(text.strip().splitlines()[-50:])):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return _Garbage(shortened(text, 120) or "nothing")


class _Garbage:
    """Output that is no JSON object; shows itself in the reason."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"{self.text} (no JSON object on standard output)"
