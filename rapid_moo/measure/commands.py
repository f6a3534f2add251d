"""Command lines as measures.

A command gets an architecture as JSON on standard input, and the JSON object that it prints last is its result. A line
``{"report": 3, "of": 30, "error": 9.5}`` is a report, as ``report(3, {"error": 9.5}, of=30)`` of a function. A function
is told to stop by what that call returns; a command is ended.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapid_moo.errors import InputError, MeasureError
from rapid_moo.measure.outcomes import Architecture, shortened
from rapid_moo.measure.reports import Reports
from rapid_moo.workers import Child

UNSTARTED = 1_000
MOST = 2**24
"""Bytes at the end of the output that are kept of a command that prints very much."""
STEP, STEPS = "report", "of"
"""Words of a line that reports: the steps that are done, and the steps in all."""


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

    def __call__(self, architecture: Architecture, report: Reports | None = None) -> Any:
        """Run the command; its standard output without reports is read as one JSON object, or its last line is.

        Parameters
        ----------
        architecture : dict
            Goes to standard input.
        report : Reports, optional
            Gets the lines that report, as they come. When it says so, the process group of the command gets SIGTERM,
            and SIGKILL after a grace of two seconds; how it ends does not matter then.

        Raises
        ------
        CommandFailedError
            If the command cannot be run, or if it ends with an exit code other than 0 or by a signal.
        InputError
            If a report is wrong; the command is ended.
        """
        child = self._started(architecture)
        stopped, rest = False, bytearray()
        try:
            with child:
                for line in child.lines():
                    other, reports = read_line(line) if may_report(report, line) else (line, [])
                    rest += other
                    if len(rest) > 2 * MOST:
                        del rest[:-MOST]
                    for told in reports:
                        stopped = self._hand_over(told, report, stopped)
                    if stopped:
                        child.end()
                code = child.wait()
        finally:
            said = child.said.decode(errors="replace")
            self._keep(architecture, said)
        result = parse_output(rest.decode(errors="replace"))
        if stopped:
            return result if isinstance(result, dict) else {}
        if code != 0:
            last = said.strip().splitlines()[-1:] or ["nothing on standard error"]
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            raise CommandFailedError(f"{how}: {shortened(last[0], 200)}", code, said[-20_000:])
        return result

    def _started(self, architecture: Architecture) -> Child:
        try:
            return Child(self.words, self.folder, json.dumps(architecture).encode())
        except OSError as error:
            message = f"the command cannot be run: {error.strerror or error}: {error.filename or self.line}"
            raise CommandFailedError(message, UNSTARTED, message) from error

    @staticmethod
    def _hand_over(told: dict[str, Any], report: Reports | None, stopped: bool) -> bool:
        """Report what a line says; whether to stop. What is done while the command is being ended counts as well."""
        if report is None:
            return False
        values = {name: value for name, value in told.items() if name not in (STEP, STEPS)}
        try:
            return report(told[STEP], values, of=told.get(STEPS)) or stopped
        except InputError as error:
            if stopped:
                return True
            error.add_note(f"printed by the command: {shortened(json.dumps(told))}")
            raise

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


def may_report(report: Reports | None, line: bytes) -> bool:
    """Whether to look for reports in a line: none are sought where an objective is called by the same word."""
    return f'"{STEP}"'.encode() in line and (report is None or STEP not in (*report.names, *report.known))


def read_line(line: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """What of a line of output is no report, and the reports; a progress bar ends with a carriage return alone."""
    rest, reports = [], []
    for part in line.decode(errors="replace").splitlines(keepends=True):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and STEP in found:
            reports.append(found)
        else:
            rest.append(part)
    return "".join(rest).encode(), reports


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
