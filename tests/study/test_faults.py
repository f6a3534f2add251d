"""Whatever a measure does is recorded with a reason that helps, and is never fatal; bad input writes nothing."""

from __future__ import annotations

import importlib.util
import os
import resource
import shlex
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from rapid_moo import Study
from rapid_moo.cli import main
from rapid_moo.errors import MeasureError, StudyError
from rapid_moo.measure import Command
from rapid_moo.study import journal, read_space_file
from rapid_moo.study.places import Places

_spec = importlib.util.spec_from_file_location("_shared", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
GOALS, contents, good, toy = _shared.GOALS, _shared.contents, _shared.good, _shared.toy


class Hostile(dict):
    """A mapping whose values cannot be read."""

    def __getitem__(self, key):
        raise RuntimeError("hostile")


class Unprintable(Exception):  # noqa: N818 - its name is part of the reason that is looked for
    def __str__(self):
        raise RuntimeError("cannot even say what is wrong")


def raising(error):
    def measure(architecture):
        raise error

    return measure


BOTH = ("error", "latency")
KINDS = {
    "none": (lambda a: None, BOTH, "expected a dict with error, latency, got None"),
    "text": (lambda a: "fine", BOTH, "got 'fine'"),
    "number": (lambda a: 3.0, BOTH, "got 3.0"),
    "list": (lambda a: [1.0, 2.0], BOTH, "got [1.0, 2.0]"),
    "empty": (lambda a: {}, BOTH, "no value named 'error' (got nothing)"),
    "missing": (lambda a: {"error": 1.0}, ("latency",), "no value named 'latency' (got error)"),
    "misspelt": (lambda a: {"error": 1.0, "latncy": 2.0}, ("latency",), "latncy"),
    "nan": (lambda a: {"error": float("nan"), "latency": 1.0}, ("error",), "expected a finite number, got nan"),
    "infinite": (lambda a: {"error": 1.0, "latency": float("inf")}, ("latency",), "inf"),
    "numpy nan": (lambda a: {"error": np.float32("nan"), "latency": 1.0}, ("error",), "nan"),
    "none inside": (lambda a: {"error": None, "latency": 1.0}, ("error",), "expected a number, got None"),
    "text inside": (lambda a: {"error": "7.5", "latency": 1.0}, ("error",), "expected a number, got '7.5'"),
    "bool": (lambda a: {"error": True, "latency": 1.0}, ("error",), "got True"),
    "array": (lambda a: {"error": np.ones(2), "latency": 1.0}, ("error",), "array"),
    "complex": (lambda a: {"error": 1j, "latency": 1.0}, ("error",), "1j"),
    "decimal": (lambda a: {"error": Decimal("1.5"), "latency": 1.0}, ("error",), "Decimal"),
    "huge": (lambda a: {"error": 10**400, "latency": 1.0}, ("error",), "finite"),
    "nested": (lambda a: {"error": {"value": 1.0}, "latency": 1.0}, ("error",), "value"),
    "hostile": (lambda a: Hostile(error=1.0, latency=1.0), BOTH, "hostile"),
    "raises": (raising(ValueError("no such layer")), BOTH, "ValueError: no such layer"),
    "exits": (raising(SystemExit(3)), BOTH, "SystemExit: 3"),
    "stops": (raising(StopIteration()), BOTH, "StopIteration"),
    "memory": (raising(MemoryError()), BOTH, "MemoryError"),
    "unprintable": (raising(Unprintable()), BOTH, "Unprintable"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_result_fails_the_objectives_concerned(kind, tmp_path):
    """A quarter of the networks are wrong; what else was measured of them is kept."""
    wrong, lacking, reason = KINDS[kind]
    study = Study(tmp_path / "s", toy(), lambda a: wrong(a) if a["depth"] == 3 else good(a), objectives=GOALS)
    status = study.run(18)
    bad = 3
    partial = len(lacking) == 1
    assert (status.begun, status.done) == (18, 15)
    assert (status.partial, status.failed) == ((bad, 0) if partial else (0, bad))
    frame = study.to_frame()
    row = frame[frame["depth"] == 3].iloc[0]
    assert reason in row["reason"]
    assert "\n" not in row["reason"]
    for name in BOTH:
        assert np.isnan(row[name]) == (name in lacking)
    assert set(study.front_frame()["depth"]) == {1, 2, 4, 5, 6}


def test_surplus_names_are_told_and_harm_nothing(tmp_path):
    study = Study(tmp_path, toy(), lambda a: {**good(a), "note": "x"}, objectives=GOALS)
    assert study.run(3).done == 3
    assert list(study.to_frame()["reason"]) == ["unexpected note left out"] * 3


def test_a_typo_stops_with_its_own_traceback_and_costs_nothing(tmp_path):
    calls = []

    def broken(architecture):
        calls.append(architecture)
        return {"error": architecture["dpeth"], "latency": 1.0}

    study = Study(tmp_path / "s", toy(), broken, objectives=GOALS)
    with pytest.raises(KeyError, match="dpeth") as raised:
        study.run(12)
    assert raised.traceback[-1].name == "broken"
    assert len(calls) == 5
    assert "not billed" in raised.value.__notes__[0]
    status = study.status()
    assert (status.begun, status.failed, status.waiting > 0) == (0, 0, True)
    mended = Study(tmp_path / "s", measure=good)
    assert mended.run(12).done == 12


def test_a_bug_that_comes_late_stops_too_and_loses_nothing(tmp_path):
    calls = []

    def fragile(architecture):
        calls.append(architecture)
        if len(calls) > 6:
            raise OSError("the board is off")
        return good(architecture)

    study = Study(tmp_path, toy(), fragile, objectives=GOALS, same_raised=4)
    with pytest.raises(OSError, match="the board is off"):
        study.run(18)
    status = study.status()
    assert (status.begun, status.done, status.failed) == (6, 6, 0)
    assert len(calls) == 10
    calls.clear()
    assert study.run(12).begun == 12


def test_failures_after_a_pause_are_no_bug(tmp_path):
    """What succeeded before the study was gone on with speaks for the measure."""
    Study(tmp_path, toy(), good, objectives=GOALS).run(3)

    def unlucky(architecture):
        raise ValueError(f"no memory for {architecture}")

    again = Study(tmp_path, measure=unlucky, same_raised=0)
    assert again.run(9).failed == 6


def test_a_bug_in_one_of_several_functions_is_found(tmp_path):
    def latency(architecture):
        raise NameError("latency_of")

    parts = {"error": lambda a: good(a)["error"], "latency": latency}
    study = Study(tmp_path, toy(), parts, objectives=GOALS)
    with pytest.raises(NameError):
        study.run(12)
    assert study.status().begun == 0
    mended = Study(tmp_path, measure={"error": raising(ValueError("again")), "latency": lambda a: good(a)["latency"]})
    assert mended.run(5).done == 5


def test_an_objective_that_the_measure_forgets_stops_the_run(tmp_path):
    calls = []

    def forgetful(architecture):
        calls.append(architecture)
        return {"error": 10.0 / architecture["depth"]}

    study = Study(tmp_path, toy(), forgetful, objectives=GOALS)
    told = r"none of the first 5 results has 'latency': no value named 'latency' \(got error\); mend the measure"
    with pytest.raises(MeasureError, match=told):
        study.run(18)
    status = study.status()
    assert (len(calls), status.begun, status.failed, status.reasons) == (5, 0, 0, {})
    # What was measured is kept; after mending everything is measured that the budget pays for.
    assert np.isfinite(study.store.raw[:, 0]).sum() == 5
    mended = Study(tmp_path, measure=good)
    assert (mended.run(18).begun, mended.status().done) == (18, 18)


FORGETFUL = {
    "nothing": (lambda a: None, "none of the first 5 results has 'error', 'latency': expected a dict .* got None"),
    "a number": (lambda a: 3.0, "got 3.0"),
    "another name": (lambda a: {"error": 1.0, "latncy": 2.0}, "'latency' .got error, latncy"),
    "two functions": ({"error": lambda a: 1.0, "latency": lambda a: {"latncy": 2.0}}, "has 'latency': .*got latncy"),
    "no number": ({"error": lambda a: 1.0, "latency": lambda a: None}, "has 'latency': expected a number, got None"),
}


@pytest.mark.parametrize("kind", FORGETFUL)
def test_whatever_comes_instead_of_an_objective_is_told(kind, tmp_path):
    measure, told = FORGETFUL[kind]
    with pytest.raises(MeasureError, match=told):
        Study(tmp_path, toy(), measure, objectives=GOALS).run(18)


NOT_FORGOTTEN = {
    "nan": lambda a: {"error": 1.0, "latency": float("nan")},
    "none": lambda a: {"error": 1.0, "latency": None},
    "nan, one function": {"error": lambda a: 1.0, "latency": lambda a: float("nan")},
}


@pytest.mark.parametrize("kind", NOT_FORGOTTEN)
def test_a_value_that_fails_is_not_forgotten(kind, tmp_path):
    assert Study(tmp_path, toy(), NOT_FORGOTTEN[kind], objectives=GOALS).run(12).begun == 12


def test_an_objective_that_came_once_fails_where_it_is_missing(tmp_path):
    calls = []

    def forgetful(architecture):
        calls.append(architecture)
        return {"error": 1.0} if len(calls) != 5 else good(architecture)

    status = Study(tmp_path, toy(), forgetful, objectives=GOALS).run(18)
    assert (status.begun, status.done, status.partial) == (18, 1, 17)
    assert status.reasons == {"no value named 'latency' (got error)": 17}


def test_an_objective_that_is_told_by_hand_may_be_left_out_by_the_measure(tmp_path):
    study = Study(tmp_path, toy(), lambda a: {"error": 10.0 / a["depth"]}, objectives=GOALS, first_raised=0)
    assert study.run(6).partial == 6
    study.tell(1, {"latency": 3.0})
    again = Study(tmp_path, measure=lambda a: {"error": 10.0 / a["depth"]})
    assert (again.run(18).begun, again.status().partial, again.status().done) == (18, 17, 1)


def test_values_known_beforehand_do_not_excuse_a_measure_that_forgets_them(tmp_path):
    known = tmp_path / "known.csv"
    known.write_text("depth,op,kernel,error,latency\n1,mlp,,10.1,1\n2,mlp,,5.1,2\n")
    study = Study(tmp_path / "s", toy(), lambda a: {"error": 10.0 / a["depth"]}, objectives=GOALS)
    study.import_known(known)
    with pytest.raises(MeasureError, match="has 'latency'"):
        study.run(18)


def test_an_objective_that_is_added_and_forgotten_stops_the_run(tmp_path):
    Study(tmp_path, toy(), lambda a: {"error": 10.0 / a["depth"]}, objectives=GOALS[:1]).run(7)
    study = Study(tmp_path, measure=lambda a: {"error": 10.0 / a["depth"]}, objectives=GOALS)
    with pytest.raises(MeasureError, match="none of the first 5 results has 'latency'"):
        study.run(18)


def test_what_was_stopped_or_raised_is_not_forgotten(tmp_path):
    """Neither counts for the five: what raised says nothing of what is returned."""
    calls = []

    def measure(architecture):
        calls.append(architecture)
        if len(calls) % 2:
            raise MemoryError(f"call {len(calls)}")
        return {"error": 1.0}

    study = Study(tmp_path, toy(), measure, objectives=GOALS)
    with pytest.raises(MeasureError, match="none of the first 5 results"):
        study.run(18)
    assert len(calls) == 10
    assert study.status().failed == 5


def test_an_interrupt_of_the_measure_ends_the_run_and_asks_again(tmp_path):
    study = Study(tmp_path, toy(), raising(KeyboardInterrupt()), objectives=GOALS)
    with pytest.raises(KeyboardInterrupt):
        study.run(5)
    assert (study.status().begun, study.status().running) == (0, 0)


# ------------------------------------------------------------------------- disk
@pytest.fixture
def tiny(tmp_path):
    """A file system of 2 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_measure_that_fills_the_disk_is_recorded(tiny):
    """It takes all that is left, and keeps it; what it gets is on disk all the same."""

    def greedy(architecture):
        if architecture["depth"] == 2:
            with (tiny / f"model-{time.time_ns()}").open("wb", buffering=0) as file:
                for _ in range(1000):
                    file.write(bytes(4096))
        return good(architecture)

    study = Study(tiny / "s", toy(), greedy, objectives=GOALS)
    status = study.run(18)
    assert (status.begun, status.failed) == (18, 3)
    assert list(status.reasons) == ["OSError: [Errno 28] No space left on device"]
    for path in tiny.glob("model-*"):
        path.unlink()
    assert Study(tiny / "s").status().done == 15
    assert Study(tiny / "s", measure=good).run(18).begun == 18
    assert len((tiny / "s" / "evaluations.csv").read_text().splitlines()) == 19


def test_a_disk_that_stays_full_ends_the_run_and_loses_nothing(tiny, monkeypatch):
    monkeypatch.setattr(journal, "DISK_PAUSE", 0.0)
    monkeypatch.setattr(journal, "RESERVE", 0)
    done = []

    def greedy(architecture):
        if len(done) == 6:
            with (tiny / "filler").open("ab", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(512))
                except OSError:
                    pass
        done.append(architecture)
        return good(architecture)

    study = Study(tiny / "s", toy(), greedy, objectives=GOALS)
    with pytest.raises(StudyError, match=r"cannot be written: .* full"):
        study.run(18)
    (tiny / "filler").unlink()
    again = Study(tiny / "s", measure=good)
    kept = again.status()
    assert kept.done >= 6
    assert again.run(18).done == 18


def test_a_file_size_limit_is_a_failure_of_the_network(tmp_path):
    def bounded(architecture):
        if architecture["depth"] == 2:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            try:
                (tmp_path / "model").write_bytes(bytes(5000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return good(architecture)

    study = Study(tmp_path / "s", toy(), bounded, objectives=GOALS)
    assert study.run(18).failed == 3
    assert "File too large" in next(iter(study.status().reasons))


def test_a_full_disk_is_waited_for(tmp_path, monkeypatch):
    """SQLite gives the transaction up; the same changes are written once there is room."""
    monkeypatch.setattr(journal, "DISK_PAUSE", 0.0)
    study = Study(tmp_path, toy(), good, objectives=GOALS)

    class Full:
        """A connection on a disk that is full for a while."""

        def __init__(self, connection):
            self.connection, self.failures = connection, 3

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, sql, *rest):
            if sql == "COMMIT" and self.failures:
                self.failures -= 1
                self.connection.execute("ROLLBACK")
                raise sqlite3.OperationalError("database or disk is full")
            return self.connection.execute(sql, *rest)

    study.store._connection = Full(study.store._connection)
    assert study.run(6).done == 6
    assert Study(tmp_path).status().done == 6


# ---------------------------------------------------------------- command lines
SCRIPT = """
import json, os, subprocess, sys, time
a = json.loads(sys.stdin.read())
kind = sys.argv[1]
good = {"error": 10.0 / a["depth"], "latency": float(a["depth"])}
if a["depth"] != 3 and not kind.startswith("always"):
    print(json.dumps(good)); sys.exit()
if kind == "exit": sys.stderr.write("cuda is out of memory\\n"); sys.exit(7)
if kind == "killed": os.kill(os.getpid(), 9)
if kind == "garbage": sys.stdout.buffer.write(bytes(range(256)) * 50)
if kind == "nothing": sys.exit()
if kind == "nan": print(json.dumps({"error": float("nan"), "latency": 1.0}))
if kind == "list": print("[1, 2]")
if kind == "missing": print(json.dumps({"error": 1.0}))
if kind == "chatty": print("epoch 1"); print(json.dumps(good)); print("bye")
if kind == "hang":
    child = subprocess.Popen(["sleep", "60"])
    open(sys.argv[2], "a").write(f"{child.pid}\\n")
    child.wait()
if kind == "always-raise": raise NameError("lerning_rate")
"""
COMMANDS = {
    "exit": (BOTH, "exit code 7: cuda is out of memory"),
    "killed": (BOTH, "killed by signal 9"),
    "garbage": (BOTH, "no JSON object on standard output"),
    "nothing": (BOTH, "got nothing"),
    "nan": (("error",), "finite number"),
    "list": (BOTH, "[1, 2]"),
    "missing": (("latency",), "no value named 'latency'"),
}


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "measure.py"
    path.write_text(SCRIPT)
    return lambda *arguments: shlex.join([sys.executable, str(path), *map(str, arguments)])


def run(space_file, command, *more):
    folder = space_file.parent / "s"
    return main(["run", str(space_file), "--measure", command, "--budget", "18", "--out", str(folder), *more]), folder


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_that_fails_is_recorded(kind, space_file, script):
    lacking, reason = COMMANDS[kind]
    code, folder = run(space_file, script(kind), "--workers", "2")
    assert code == 0
    study = Study(folder)
    status = study.status()
    assert (status.begun, status.done, status.partial + status.failed) == (18, 15, 3)
    frame = study.to_frame()
    row = frame[frame["depth"] == 3].iloc[0]
    assert reason in row["reason"]
    assert [name for name in BOTH if np.isnan(row[name])] == list(lacking)


def test_what_a_command_prints_beside_its_result_harms_nothing(space_file, script):
    _, folder = run(space_file, script("chatty"))
    assert Study(folder).status().done == 18


def test_a_command_that_hangs_ends_with_all_that_it_started(space_file, script, tmp_path):
    pids = tmp_path / "pids"
    code, folder = run(space_file, script("hang", pids), "--timeout", "2")
    assert code == 0
    assert Study(folder).status().failed == 3
    assert "timed out after 2 s" in next(iter(Study(folder).status().reasons))
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 3
    for pid in found:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_command_with_a_bug_stops_the_run_and_shows_its_standard_error(space_file, script, capsys):
    code, folder = run(space_file, script("always-raise"))
    assert code == 1
    told = capsys.readouterr().err
    assert 'raise NameError("lerning_rate")' in told
    assert f"After mending it go on with: rapid-moo run {folder}" in told
    assert Study(folder).status().begun == 0
    assert main(["run", str(folder), "--measure", script("chatty")]) == 0
    assert Study(folder).status().done == 18
    assert "lerning_rate" in (folder / "logs" / "stderr.log").read_text()


FORGETS = """
import json, sys
genes = json.load(sys.stdin)
print(json.dumps({"error": 10.0 / genes["depth"]}))
"""


def test_a_command_that_forgets_an_objective_stops_the_run(space_file, tmp_path, capsys):
    (tmp_path / "m.py").write_text(FORGETS)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / 'm.py'))}"
    run = [
        "run",
        str(space_file),
        "--measure",
        command,
        "--budget",
        "18",
        "--workers",
        "2",
        "--out",
        str(tmp_path / "s"),
    ]
    assert main(run) == 1
    told = capsys.readouterr().err
    assert "measure: none of the first 5 results has 'latency': no value named 'latency' (got error)" in told
    assert f"After mending it go on with: rapid-moo run {tmp_path / 's'}" in told
    assert Study(tmp_path / "s").status().begun == 0
    # Stated to be meant so, it goes on.
    assert main([*run, "--max-errors", "0"]) == 0
    assert Study(tmp_path / "s").status().partial == 18


def test_a_command_that_goes_missing_stops_the_run_at_the_first_evaluation(space_file, tmp_path, capsys):
    script = tmp_path / "measure.sh"
    script.write_text('#!/bin/sh\necho \'{"error": 1, "latency": 2}\'\n')
    script.chmod(0o755)
    out = tmp_path / "gone"
    begun = ["run", str(space_file), "--measure", str(script), "--budget", "2", "--out", str(out)]
    assert main(begun) == 0
    script.unlink()
    fresh = Study(tmp_path / "fresh", read_space_file(space_file).space, Command(str(script)))
    with pytest.raises(MeasureError, match="cannot be run"):
        fresh.run(4)
    assert fresh.status().begun == 0


def test_a_command_that_is_not_there_is_refused(space_file, capsys):
    code, folder = run(space_file, "no-such-command --fast")
    assert code == 2
    assert "found none named 'no-such-command'" in capsys.readouterr().err
    assert not folder.exists()


# ----------------------------------------------------------------------- python
CODE = """
import os, sys, time
def kill(a):
    if a["depth"] == 3:
        os.kill(os.getpid(), 9)
    return {"error": 10.0 / a["depth"], "latency": float(a["depth"])}
def leave(a):
    if a["depth"] == 3:
        sys.exit("no licence")
    return {"error": 10.0 / a["depth"], "latency": float(a["depth"])}
def typo(a):
    return {"error": 10.0 / a["dpeth"], "latency": float(a["depth"])}
NUMBER = 3
"""


@pytest.fixture
def code_file(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    return path


def test_a_worker_that_is_killed_costs_its_own_evaluation(space_file, code_file):
    code, folder = run(space_file, f"{code_file}:kill", "--workers", "2")
    assert code == 0
    status = Study(folder).status()
    assert (status.done, status.failed) == (15, 3)
    assert all("killed by signal 9 (out of memory?)" in reason for reason in status.reasons)


def test_a_function_that_exits_is_recorded(space_file, code_file):
    code, folder = run(space_file, f"{code_file}:leave")
    assert code == 0
    assert Study(folder).status().reasons == {"SystemExit: no licence": 3}


def test_a_typo_in_a_workers_function_is_shown_and_goes_on_after_mending(space_file, code_file, capsys):
    code, folder = run(space_file, f"{code_file}:typo", "--workers", "2")
    assert code == 1
    told = capsys.readouterr().err
    assert 'return {"error": 10.0 / a["dpeth"]' in told
    assert "KeyError: 'dpeth'" in told
    assert Study(folder).status().begun == 0
    code_file.write_text(CODE.replace("dpeth", "depth"))
    assert main(["run", str(folder), "--workers", "2"]) == 0
    assert Study(folder).status().done == 18


def test_a_function_without_a_name_gives_one_clear_error(tmp_path):
    study = Study(tmp_path, toy(), lambda a: good(a), objectives=GOALS, workers=2)
    with pytest.raises(ValueError, match="define it at the top level of a module, or use threads"):
        study.run(4)
    assert study.status().begun == 0


def test_the_error_of_a_worker_says_what_the_measure_said(tmp_path, code_file):
    from rapid_moo.study.references import Reference

    measure = Reference.parse(f"{code_file}:typo")
    study = Study(tmp_path / "s", toy(), measure, objectives=GOALS, workers=2)
    with pytest.raises(MeasureError, match="KeyError: 'dpeth'"):
        study.run(6)


# -------------------------------------------------------------------- bad input
def refused(capsys, *arguments):
    """The one line of a command that is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


NEW = {
    "no space": (["nothing.toml"], "nothing.toml"),
    "no such space": (["nowhere"], "found neither"),
    "no measure": (["{toml}", "--budget", "5"], "--measure"),
    "no budget": (["{toml}", "--measure", "true"], "--budget"),
    "budget 0": (["{toml}", "--measure", "true", "--budget", "0"], "positive"),
    "budget text": (["{toml}", "--measure", "true", "--budget", "ten"], "positive"),
    "workers": (["{toml}", "--measure", "true", "--budget", "5", "--workers", "many"], "many"),
    "no workers": (["{toml}", "--measure", "true", "--budget", "5", "--workers", "0"], "0"),
    "timeout 0": (["{toml}", "--measure", "true", "--budget", "5", "--timeout", "0"], "timeout"),
    "timeout nan": (["{toml}", "--measure", "true", "--budget", "5", "--timeout", "nan"], "timeout"),
    "timeout of threads": (
        ["{toml}", "--measure", "true", "--budget", "5", "--timeout", "3", "--workers", "threads:2"],
        "threads cannot be ended",
    ),
    "places": (["{toml}", "--measure", "true", "--budget", "5", "--places", "power=1"], "power"),
    "places 0": (["{toml}", "--measure", "true", "--budget", "5", "--places", "latency=0"], "latency=0"),
    "quotes": (["{toml}", "--measure", "python 'm", "--budget", "5"], "command line"),
    "empty": (["{toml}", "--measure", " ", "--budget", "5"], "command line"),
    "no function": (["{toml}", "--measure", "{py}:nothing", "--budget", "5"], "nothing"),
    "no callable": (["{toml}", "--measure", "{py}:NUMBER", "--budget", "5"], "function"),
    "no file": (["{toml}", "--measure", "none.py:f", "--budget", "5"], "none.py"),
    "half covered": (["{toml}", "--measure", "error=true", "--budget", "5"], "latency"),
    "covered twice": (
        ["{toml}", "--measure", "error=true", "--measure", "error,latency=true", "--budget", "5"],
        "error",
    ),
    "unnamed parts": (
        ["{toml}", "--measure", "true", "--measure", "latency=true", "--budget", "5"],
        "OBJECTIVE=MEASURE",
    ),
    "constraint": (["{toml}", "--measure", "true", "--budget", "5", "--constraint", "latency ~ 3"], "latency ~ 3"),
    "unknown bound": (["{toml}", "--measure", "true", "--budget", "5", "--constraint", "power <= 3"], "power"),
    "objectives": (["{toml}", "--measure", "true", "--budget", "5", "--objectives", "error"], "error"),
    "weights": (["{toml}", "--measure", "true", "--budget", "5", "--prefer", "1"], "--prefer"),
    "known": (["{toml}", "--measure", "true", "--budget", "5", "--known", "none.csv"], "none.csv"),
    "bad known": (["{toml}", "--measure", "true", "--budget", "5", "--known", "{bad}"], "line 2"),
    "errors": (["{toml}", "--measure", "true", "--budget", "5", "--max-errors", "x"], "--max-errors"),
    "seed": (["{toml}", "--measure", "true", "--budget", "5", "--seed", "-1"], "seed"),
    "live": (["{toml}", "--live", "--budget", "5"], "--live"),
    "no scheduler": (["{toml}", "--measure", "true", "--budget", "5", "--dask", "nonsense"], "--dask"),
    "dask and workers": (
        ["{toml}", "--measure", "true", "--budget", "5", "--dask", "tcp://127.0.0.1:1", "--workers", "2"],
        "--dask",
    ),
}


@pytest.mark.parametrize("case", NEW)
def test_a_run_that_cannot_begin_writes_nothing(case, space_file, code_file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_text("depth,op,kernel,error\n9,mlp,,1.0\n")
    arguments, told = NEW[case]
    names = {"{toml}": str(space_file), "{py}": str(code_file), "{bad}": str(bad)}
    filled = []
    for argument in arguments:
        for key, value in names.items():
            argument = argument.replace(key, value)
        filled.append(argument)
    before = contents(tmp_path)
    assert told in refused(capsys, "run", *filled, "--out", tmp_path / "new")
    after = {name: told for name, told in contents(tmp_path).items() if "__pycache__" not in name}
    assert after == before
    assert not (tmp_path / "new").exists()


@pytest.fixture
def begun(tmp_path):
    study = Study(tmp_path / "s", toy(), lambda a: good(a), objectives=GOALS)
    study.run(4)
    study.store.close()
    return tmp_path / "s"


OLD = {
    "seed": (["run", "{s}", "--seed", "5"], "seed"),
    "out": (["run", "{s}", "--out", "elsewhere"], "--out"),
    "weights": (["run", "{s}", "--measure", "true", "--prefer", "1,x"], "--prefer"),
    "direction": (["run", "{s}", "--objectives", "error:max,latency:min"], "error"),
    "lost measure": (["run", "{s}"], "measure"),
    "folder": (["run", "{tmp}"], "folder of a study"),
    "ask nowhere": (["ask", "{tmp}/none"], "none"),
    "ask none": (["ask", "{s}", "-n", "0"], "positive"),
    "tell nowhere": (["tell", "{tmp}/none", "{bad}"], "none"),
    "tell nothing": (["tell", "{s}", "{tmp}/none.csv"], "none.csv"),
    "tell a folder": (["tell", "{s}", "{tmp}"], "folder"),
    "tell nonsense": (["tell", "{s}", "{bad}"], "line 2"),
    "tell bytes": (["tell", "{s}", "{bytes}"], "CSV"),
    "tell text": (["tell", "{s}", "{text}"], "'fast'"),
    "status nowhere": (["status", "{tmp}/none"], "none"),
    "export nowhere": (["export", "{tmp}/none"], "none"),
    "export format": (["export", "{s}", "--format", "xls"], "xls"),
    "export to a folder": (["export", "{s}", "--out", "{tmp}"], "{tmp}"),
    "init suffix": (["init", "{tmp}/space.txt"], ".toml"),
    "init twice": (["init", "{toml}"], "nothing was changed"),
}


@pytest.mark.parametrize("case", OLD)
def test_a_command_that_is_refused_leaves_a_study_as_it_is(case, begun, space_file, tmp_path, capsys):
    files = {"bad": b"depth,op,kernel,error\n9,mlp,,1.0\n", "bytes": bytes(range(256))}
    files["text"] = b"depth,op,kernel,error\n1,mlp,,fast\n"
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    names = {f"{{{name}}}": str(tmp_path / f"{name}.csv") for name in files}
    names |= {"{s}": str(begun), "{tmp}": str(tmp_path), "{toml}": str(space_file)}
    arguments, told = OLD[case]
    filled = []
    for argument in [*arguments, told]:
        for key, value in names.items():
            argument = argument.replace(key, value)
        filled.append(argument)
    before = contents(tmp_path)
    assert filled[-1] in refused(capsys, *filled[:-1])
    assert contents(tmp_path) == before


def test_a_timeout_needs_workers_that_can_be_ended(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="timeout"):
        Study(tmp_path / "s", toy(), good, objectives=GOALS, workers=pool, timeout=3.0)
    assert not (tmp_path / "s").exists()


def test_commands_run_in_workers_where_ctrl_c_does_not_reach_them(space_file, script, tmp_path):
    """Commands of a study in Python run in workers too: their group is not the terminal's."""
    attempts = Study(tmp_path / "s", toy(), script("chatty"), objectives=GOALS).problem.source.attempts
    pools, _, owned = Places(1, {}, None).open(attempts, GOALS, tmp_path / "logs")
    for executor in owned:
        executor.shutdown()
    assert type(pools[0].executor).__name__ == "ProcessWorkers"
