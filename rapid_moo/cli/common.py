"""What the commands share: exit codes, arguments, output folders, and the one way to the terminal."""

from __future__ import annotations

import argparse
import logging
import math
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rapid_moo._util import LARGEST_SEED, check_jobs, cut, plain
from rapid_moo.errors import InputError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
LONGEST = 500
"""Characters of a message at most."""
MOST = 2**31 - 1
MOST_SECONDS = 1e7


# ------------------------------------------------------------------- terminal
def printable(text: str, length: int | None = LONGEST) -> str:
    """Text for a terminal: control characters but line ends escaped, cut in the middle where it is long."""
    lines = "\n".join(map(plain, text.split("\n")))
    return lines if length is None else cut(lines, length)


def complain(message: str, length: int | None = LONGEST) -> None:
    """Print a message on standard error; a traceback of the user's own code has no ``length``."""
    print(printable(message, length), file=sys.stderr)


class Notes(logging.Formatter):
    """Log records as messages."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        return printable(super().format(record))


class PlainOutput:
    """Standard output that passes no control characters of a file or server, nor what its encoding does not have.

    Parameters
    ----------
    stream : TextIO
        Where everything goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; line ends and tabs stay."""
        shown = "".join(part if part in "\n\t" else plain(part) for part in re.split(r"([\n\t])", text))
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


# ------------------------------------------------------------------ arguments
def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse what is no text: it could be neither found, written nor shown.

    Raises
    ------
    InputError
        If an argument has a NUL or bytes that are no UTF-8.
    """
    for argument in arguments:
        if "\0" in argument or any("\ud800" <= character <= "\udfff" for character in argument):
            raise InputError(f"argument {argument!r}: expected UTF-8 text without NUL")


def positive(text: str) -> int:
    """A positive integer below 2^31."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:19]) <= MOST:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text[:40]!r}")
    return int(text)


def whole(text: str) -> int:
    """An integer in plain digits; whether it fits is for the command to say."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected an integer, got {text[:40]!r}")
    return int(text)


def seed(text: str) -> int:
    """A seed."""
    if not text.isascii() or not text.isdigit() or int(text[:20]) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"expected an integer in 0..2^63 - 1, got {text[:40]!r}")
    return int(text)


def jobs(text: str) -> int:
    """A number of workers, or -1 for one per processor."""
    try:
        return check_jobs(int(text[:12]), "workers")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a number of workers up to 1024, or -1 for all processors, got {text[:40]!r}"
        ) from None


def number(text: str, most: float, expected: str) -> float:
    """A number above 0 and up to ``most``; ``expected`` says so where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text[:40]!r}")
    return value


@dataclass(frozen=True)
class More:
    """A budget that is stated as so much more than what was spent: evaluations, or cost."""

    amount: float


def seconds(text: str) -> float:
    """A positive number of seconds."""
    return number(text, MOST_SECONDS, f"positive seconds up to {MOST_SECONDS:g}")


def writable(folder: Path) -> Path:
    """Refuse an output folder before the work rather than after it."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"{folder}: expected a folder to write to, but {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: expected a folder to write to, but {existing} cannot be written")
    return folder


def command_line() -> str:
    """The command that was given, to be given again."""
    return shlex.join([Path(sys.argv[0]).name.replace("__main__.py", "rapid-moo"), *sys.argv[1:]])
