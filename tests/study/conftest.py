"""What the tests of studies share: a small space, goals, and the command line as a process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rapid_moo import Gene, GridSpace, Objective

GOALS = (Objective("error", "min"), Objective("latency", "min"))
SPACE_FILE = """
name = "toy"
[genes]
depth = [1, 2, 3, 4, 5, 6]
op = ["conv", "mlp"]
kernel = { choices = [3, 5], when = { op = "conv" } }
[objectives]
error = { direction = "min" }
latency = { direction = "min" }
"""


def toy() -> GridSpace:
    """18 architectures."""
    genes = [
        Gene("depth", (1, 2, 3, 4, 5, 6)),
        Gene("op", ("conv", "mlp")),
        Gene("kernel", (3, 5), when={"op": "conv"}),
    ]
    return GridSpace("toy", genes)


def good(architecture):
    """Both objectives, without noise."""
    depth, kernel = architecture["depth"], architecture.get("kernel", 1)
    return {"error": 10.0 / depth + 0.1 * kernel, "latency": float(depth * kernel)}


def contents(folder: Path) -> dict[str, str]:
    """A checksum of every file in a folder, but for SQLite's own beside an open store."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def start(*arguments, cwd: Path, **kwargs) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        [sys.executable, "-m", "rapid_moo", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **kwargs,
    )


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE_FILE)
    return path
