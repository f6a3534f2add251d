"""A small version of ``benchmarks/study_kills.py``: no kill of a controller loses, bills or runs anything twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "study_kills.py"


@pytest.mark.parametrize(("workers", "kills"), [(1, 5), (2, 4)])
def test_kills_of_the_controller_cost_what_was_running_and_nothing_else(workers, kills, tmp_path):
    command = [sys.executable, SCRIPT, "controller", "--kills", kills, "--evaluations", 30, "--workers", workers]
    command += ["--work", tmp_path / "work", "--out", tmp_path / "out", "--seed", 1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "out").glob("*.json")
    result = json.loads(path.read_text())
    assert result["faults"] == []
    assert (result["kills"], result["done"]) == (kills, 30)
    assert result["measured"] - 30 == result["again"] <= kills * workers
    assert workers > 1 or result["same as undisturbed"] == "yes"
