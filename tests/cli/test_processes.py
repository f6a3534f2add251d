"""The command line as a process: Ctrl-C keeps what was evaluated, and a seed decides every byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from rapid_moo import get_space

# Says when tuning begins: the sample is evaluated by then, and the tuner has enough left to do.
DRIVER = """
import signal, sys
from rapid_moo import cli, tuning
signal.signal(signal.SIGINT, signal.default_int_handler)
tune = tuning.ADRSTuner.tune
def told(self, *arguments, **options):
    print("tuning", flush=True)
    return tune(self, *arguments, **options)
tuning.ADRSTuner.tune = told
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process on Windows")
def test_interrupt_keeps_what_was_evaluated(tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        DRIVER,
        "search",
        "digits",
        "--oneshot",
        "--tuner-budget",
        "2000",
        "--out",
        str(out),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "tuning\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "340 evaluations are in" in errors
    assert "Traceback" not in errors
    assert sorted(path.name for path in out.iterdir()) == ["evaluations.csv"]
    billed = pd.read_csv(out / "evaluations.csv")
    assert billed["evaluation"].tolist() == list(range(1, 341))
    assert billed["architecture"].nunique() == 340
    memory = get_space("digits").compute([json.loads(x) for x in billed["genotype"]], "memory")
    assert billed["memory"].to_numpy() == pytest.approx(memory, rel=1e-6)


def search(out, *options, hash_seed="0"):
    command = [sys.executable, "-m", "rapid_moo", "search", "digits", "--train-ratio", "0.03", "--seed", "4"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run(
        [*command, "--tuner-budget", "4", *options, "--out", str(out)], env=environment, check=True, capture_output=True
    )
    summary = json.loads((out / "summary.json").read_text())
    timeless = {key: value for key, value in summary.items() if not key.startswith("seconds")}
    return (out / "evaluations.csv").read_bytes(), (out / "front.csv").read_bytes(), timeless


def test_a_seed_decides_every_byte_in_another_process_and_with_more_workers(tmp_path):
    first = search(tmp_path / "first")
    assert search(tmp_path / "workers", "--n-jobs", "2", hash_seed="123") == first
    assert search(tmp_path / "other", "--seed", "5")[0] != first[0]
