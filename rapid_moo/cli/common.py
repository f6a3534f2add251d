"""What the commands share: exit codes, and the check of an output folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from rapid_moo.errors import InputError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


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
