"""Runs of a study: which seeds, and a file with a line of JSON for each run, so that a study goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def seeds_of(text: str) -> range:
    """First and last seed as ``0-4``, or a single one."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def read_runs(path: Path) -> list[dict[str, Any]]:
    """What has been run."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def keep_run(path: Path, line: Mapping[str, Any]) -> None:
    """Append a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
