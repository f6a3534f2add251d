"""Studies whose measure is a command that reports: what is stopped, wherever it runs, and what ends it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rapid_moo import Gene, GridSpace, Objective, PredictorSpec, Study
from rapid_moo.cli import main
from rapid_moo.curves import Stops
from rapid_moo.stopping import FEWEST

_spec = importlib.util.spec_from_file_location("_shared", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
start = _shared.start

GOALS = (Objective("accuracy", "max", "%", cost=1.0), Objective("latency", "min", "ms", cost=0.01))
COST = 36.0
SPECS = [PredictorSpec("bayesian_ridge"), PredictorSpec("bayesian_ridge")]
SPACE = """
name = "net"
[genes]
g0 = [0, 1, 2, 3, 4]
g1 = [0, 1, 2, 3, 4]
g2 = [0, 1, 2, 3, 4]
[objectives]
accuracy = { direction = "max", unit = "%", cost = 1.0 }
latency = { direction = "min", unit = "ms", cost = 0.01 }
"""
TRAIN = """
import json, os, subprocess, sys, time
sys.path.insert(0, FOLDER)
from work import net_accuracy
genes = json.load(sys.stdin)
child = subprocess.Popen(["sleep", "60"])
with open("pids", "a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
end = net_accuracy(genes)
for epoch in range(1, 11):
    print(json.dumps({"report": epoch, "of": 10, "accuracy": end - 30.0 * 0.6**epoch}), flush=True)
    time.sleep(PACE)
child.kill()
child.wait()
print(json.dumps({"accuracy": end}))
"""
BENCH = """
import json, sys
sys.path.insert(0, FOLDER)
from work import time_net
print(json.dumps(time_net(json.load(sys.stdin))))
"""


def space():
    return GridSpace("net", [Gene(f"g{k}", (0, 1, 2, 3, 4)) for k in range(3)])


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Commands by objective, with scripts in the current folder; a training takes ten times as long as it says."""
    monkeypatch.chdir(tmp_path)

    def make(pace=0.02, train=TRAIN):
        for name, body in (("train", train), ("bench", BENCH)):
            content = body.replace("FOLDER", repr(str(Path(__file__).parent))).replace("PACE", str(pace))
            (tmp_path / f"{name}.py").write_text(content)
        python = shlex.quote(sys.executable)
        return {"accuracy": f"{python} -I train.py", "latency": f"{python} -I bench.py"}

    return make


def is_gone(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return value


def pids(folder):
    path = folder / "pids"
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def check(study, lowest):
    """What is stopped has a curve, is billed by its share, is in no front, and has not failed."""
    store = study.store
    assert not store.failed.any()
    assert store.stopped.sum() >= lowest
    for row in np.flatnonzero(store.stopped).tolist():
        last = store.curve(row, "accuracy")[-1][0]
        assert 1 <= last <= 10
        assert store.reason(row) == f"stopped at step {last} of 10"
        assert store.paid[row, 0] == last / 10
    trained = np.flatnonzero(store.complete)
    assert all(len(store.curve(row, "accuracy")) == 10 for row in trained.tolist())
    assert (store.paid[trained, 0] == 1.0).all()
    assert study.problem.cost() == pytest.approx((store.paid * [1.0, 0.01]).sum())


def test_from_the_command_line_on_a_space_in_toml(parts, tmp_path, capsys):
    (tmp_path / "space.toml").write_text(SPACE)
    measures = [word for name, line in parts().items() for word in ("--measure", f"{name}={line}")]
    assert main(["run", "space.toml", *measures, "--workers", "2", "--out", "s", "--budget", "10"]) == 0
    # The command line would tune regressors, which takes long; these are fitted at once.
    study = Study(tmp_path / "s", options={"specs": SPECS}, workers=2)
    study.run(COST)
    check(study, 5)
    study.store.close()
    # The first sample runs to its end; since trainings report it is the smaller one, and limits come before 16.
    trained = np.flatnonzero(study.store.paid[:, 0] > 0)
    assert study.store.complete[trained[:FEWEST]].all()
    assert any(study.store.stops_of(row) is not None for row in trained[FEWEST:16].tolist())
    capsys.readouterr()
    assert main(["status", "s"]) == 0
    assert f"{int(study.store.stopped.sum())} stopped early" in capsys.readouterr().out
    frame = pd.read_csv(tmp_path / "s" / "evaluations.csv")
    stopped = frame[frame["state"] == "stopped"]
    assert stopped["reason"].str.fullmatch(r"stopped at step \d+ of 10").all()
    assert not set(stopped["evaluation"]) & set(pd.read_csv(tmp_path / "s" / "front.csv")["evaluation"])
    assert all(map(is_gone, pids(tmp_path)))


STOPS = Stops(10, {"accuracy": ("max", {3: 1000.0})})
"""Nobody gets beyond the third step."""
TWO = ["g0 <= 1", "g1 <= 0", "g2 <= 0"]


def begin_two(folder, measure, workers):
    """A study of two architectures, which are both to be stopped."""
    study = Study(folder, space(), measure, objectives=GOALS, constraints=TWO, workers=workers)
    study.store.ask([[0, 0, 0], [1, 0, 0]], "me", stops=STOPS)
    return study


def check_two(study, folder):
    assert study.store.stopped.tolist() == [True, True]
    assert [len(study.store.curve(row, "accuracy")) for row in range(2)] == [3, 3]
    assert study.store.paid.tolist() == [[0.3, 1.0], [0.3, 1.0]]
    assert np.isfinite(study.store.raw[:, 1]).all()
    assert len(pids(folder)) == 4
    assert all(map(is_gone, pids(folder)))


@pytest.mark.parametrize("workers", [1, "threads:2", "processes:2"])
def test_wherever_it_runs_it_is_stopped(workers, parts, tmp_path):
    study = begin_two(tmp_path / "s", parts(pace=1.0), workers)
    study.run(3.0)
    check_two(study, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_on_a_cluster_it_is_stopped(parts, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        study = begin_two(tmp_path / "s", parts(pace=1.0), client.get_executor(pure=False))
        study.run(3.0)
    check_two(study, tmp_path)


def test_a_worker_that_is_killed_takes_its_command_along(parts, tmp_path):
    """The command has a group of its own, which nobody would end with that of its worker."""
    train = TRAIN.replace("end = net_accuracy(genes)", "end = net_accuracy(genes)\nos.kill(os.getppid(), 9)")
    study = Study(tmp_path / "s", space(), parts(5.0, train), objectives=GOALS, constraints=TWO, workers=1)
    study.run(1.01)
    assert study.store.state(0) == "partial"
    assert "its worker was killed by signal 9 (out of memory?), 2 times" in study.store.reason(0)
    assert len(pids(tmp_path)) == 4
    assert all(map(is_gone, pids(tmp_path)))


def test_a_timeout_ends_a_command_that_reports_and_all_that_it_started(parts, tmp_path):
    study = Study(tmp_path / "s", space(), parts(5.0), objectives=GOALS, constraints=TWO, workers=1, timeout=2.0)
    study.run(1.01)
    assert study.store.reason(0) == "timed out after 2 s"
    assert study.store.curve(0, "accuracy") == ()
    assert len(pids(tmp_path)) == 2
    assert all(map(is_gone, pids(tmp_path)))


def test_a_kill_of_the_controller_ends_the_command_and_the_study_goes_on(parts, tmp_path):
    (tmp_path / "space.toml").write_text(SPACE)
    measures = [word for name, line in parts(0.05).items() for word in ("--measure", f"{name}={line}")]
    controller = start("run", "space.toml", *measures, "--out", "s", "--budget", "5.05", cwd=tmp_path)
    wait_for(lambda: len(pids(tmp_path)) == 6)
    controller.send_signal(signal.SIGKILL)
    controller.communicate()
    wait_for(lambda: all(map(is_gone, pids(tmp_path))))
    study = Study(tmp_path / "s")
    (lost,) = np.flatnonzero(study.store.running).tolist()
    before = study.store.X.tolist()
    assert study.store.curve(lost, "accuracy") == ()
    assert study.store.complete.sum() == 2
    study.store.close()
    assert main(["run", "s"]) == 0
    study = Study(tmp_path / "s")
    assert study.store.complete.sum() == 5
    assert study.store.X[: len(before)].tolist() == before
    assert len(study.store.curve(lost, "accuracy")) == 10
    # What was cut is made again, and nothing else.
    assert len(pids(tmp_path)) == 2 * 6


def test_ctrl_c_twice_ends_commands_in_threads(parts, tmp_path):
    script = tmp_path / "controller.py"
    lines = [
        "from rapid_moo import GridSpace, Gene, Objective, Study",
        "space = GridSpace('net', [Gene(f'g{k}', (0, 1, 2, 3, 4)) for k in range(3)])",
        "goals = [Objective('accuracy', 'max'), Objective('latency', 'min')]",
        f"Study('s', space, {parts(5.0)!r}, objectives=goals, workers='threads:2').run(4)",
    ]
    script.write_text("\n".join(lines))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, env=environment, stderr=-1) as controller:
        wait_for(lambda: len(pids(tmp_path)) == 4)
        controller.send_signal(signal.SIGINT)
        time.sleep(0.5)
        # The first one lets what runs come to its end.
        assert not any(map(is_gone, pids(tmp_path)))
        controller.send_signal(signal.SIGINT)
        controller.communicate(timeout=90)
    assert all(map(is_gone, pids(tmp_path)))


def test_a_wrong_report_stops_the_run_and_says_which(parts, tmp_path, capsys):
    (tmp_path / "space.toml").write_text(SPACE)
    measures = parts(5.0, TRAIN.replace('"accuracy": end -', '"acuracy": end -'))
    told = [word for name, line in measures.items() for word in ("--measure", f"{name}={line}")]
    assert main(["run", "space.toml", *told, "--out", "s", "--budget", "12.12"]) == 1
    error = capsys.readouterr().err
    assert "report: expected values of some of accuracy, got {'acuracy': " in error
    assert 'printed by the command: {"report": 1, "of": 10, "acuracy": ' in error
    assert all(map(is_gone, pids(tmp_path)))
    store = Study(tmp_path / "s").store
    assert (store.paid[:, 0].sum(), store.failed.sum()) == (0.0, 0)
    store.close()
    parts(0.01)
    assert main(["run", "s", "--budget", "3.1"]) == 0
    assert Study(tmp_path / "s").store.complete.sum() == 3
