"""Workers of a comparison: they know what was registered, end with their parent, and Ctrl-C is one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a POSIX system")

SLOW = """
import os, time
from pathlib import Path
from rapid_moo.comparison.methods.random_search import RandomSearch

class Slow(RandomSearch):
    name = "slow"

    def ask(self):
        Path(os.environ["PIDS"], str(os.getpid())).touch()
        time.sleep(120)
        return super().ask()
"""
# Without a guard, on purpose: what a script defines must reach its workers without their running it again.
SCRIPT = """
import sys
import nevergrad as ng
from sklearn.linear_model import Ridge
from rapid_moo import RAPID, get_problem
from rapid_moo.comparison import Comparison
from rapid_moo.comparison.methods.random_search import RandomSearch
from rapid_moo.comparison.methods.rapid import IteratedRAPID
from rapid_moo.comparison.registry import register_method
from rapid_moo.predictors import Family, PredictorSpec, register_family
from rapid_moo.tuning import ADRSTuner

def make(params, seed):
    return Ridge(**params)

register_family(Family("mine", make, lambda: ng.p.Dict(alpha=ng.p.Log(init=1.0, lower=0.1, upper=10.0)),
                       (({}, "engineered", "none"),)))

@register_method
class Own(RandomSearch):
    name = "own"

class WithFamily(IteratedRAPID):
    name = "with-family"

    def _make(self):
        return RAPID(specs=[PredictorSpec("mine")] * 3)

table = get_problem("digits").table.sample(100, seed=0)
for n_jobs in (1, 2):
    Comparison(table, ["own", WithFamily], [20], 2, f"out{n_jobs}", n_jobs=n_jobs).run()
    tuned = ADRSTuner(2, seed=0, n_jobs=n_jobs, families=["mine", "mean"]).tune(table.sample(30, seed=0))
    print(tuned.families, tuned.adrs)
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def slow_comparison(tmp_path):
    """A process that compares with two workers, both at work; and how to find the workers."""
    (tmp_path / "slow_method.py").write_text(SLOW)
    pids = tmp_path / "pids"
    pids.mkdir()
    words = ["compare", "--dataset", "digits", "--methods", "slow_method:Slow", "--budgets", "20", "--seeds", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rapid_moo", *words, "--n-jobs", "2", "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PIDS": str(pids)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: len(list(pids.iterdir())) == 2 or process.poll() is not None, 60)
        yield process, [int(path.name) for path in pids.iterdir()]
    finally:
        process.kill()
        process.communicate()


def test_workers_end_with_a_parent_that_is_killed(slow_comparison):
    process, pids = slow_comparison
    assert len(pids) == 2
    process.kill()
    wait_for(lambda: all(map(gone, pids)), 10)


def test_ctrl_c_with_workers_is_one_line(slow_comparison):
    process, pids = slow_comparison
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the foreground
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "interrupted\n"
    wait_for(lambda: all(map(gone, pids)), 10)


def test_workers_know_what_was_registered(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    alone, with_workers = done.stdout.splitlines()
    assert "mine" in alone
    assert alone == with_workers
    found = [pd.read_csv(tmp_path / f"out{n}" / "results.csv").drop(columns="seconds") for n in (1, 2)]
    pd.testing.assert_frame_equal(*found)
    assert sorted(set(found[0]["method"])) == ["own", "with-family"]
