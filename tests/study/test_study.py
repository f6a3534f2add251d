"""A study goes on after any end, takes in what others measure, and leaves alone what is not its own."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import pickle
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective, Study
from rapid_moo.cli import main
from rapid_moo.errors import InputError, StudyError
from rapid_moo.measure import Attempt
from rapid_moo.study import journal
from rapid_moo.study.folder import choice_from_text, choice_text

_spec = importlib.util.spec_from_file_location("_shared", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
GOALS, contents, good, toy, start = _shared.GOALS, _shared.contents, _shared.good, _shared.toy, _shared.start
TIMES = ["seconds", "when"]


def begin(folder, measure=good, **kwargs):
    return Study(folder, toy(), measure, objectives=GOALS, **kwargs)


def table(folder):
    return pd.read_csv(folder / "evaluations.csv", keep_default_na=False)


# ------------------------------------------------------------------- going on
def test_a_study_that_goes_on_is_the_same_as_one_without_a_break(tmp_path):
    calls = []
    for budget in (3, 9, 16):
        begin(tmp_path / "a", lambda a: calls.append(a) or good(a)).run(budget)
    begin(tmp_path / "b").run(3)
    for budget in (9, 16):
        Study(tmp_path / "b", measure=good).run(budget)
    assert len(calls) == 16
    assert (tmp_path / "a" / "front.csv").read_bytes() == (tmp_path / "b" / "front.csv").read_bytes()
    assert table(tmp_path / "a").drop(columns=TIMES).equals(table(tmp_path / "b").drop(columns=TIMES))


def test_more_budget_than_the_space_has_ends_with_all_of_it(tmp_path):
    status = begin(tmp_path).run(100)
    assert (status.begun, status.done) == (18, 18)
    assert begin(tmp_path).run().begun == 18


def test_less_budget_than_begun_runs_nothing(tmp_path):
    begin(tmp_path).run(5)
    study = begin(tmp_path, lambda a: pytest.fail("called"))
    assert study.run(3).begun == 5


def test_tables_are_up_to_date_at_every_evaluation(tmp_path):
    seen = []

    def watching(architecture):
        seen.append(table(tmp_path)["state"].tolist() if seen else [])
        return good(architecture)

    begin(tmp_path, watching).run(8)
    assert seen[1:] == [["done"] * k + ["running"] for k in range(1, 8)]
    assert list(table(tmp_path).columns) == [
        *("evaluation", "state", "depth", "op", "kernel", "error", "latency", "seconds", "reason", "who", "when")
    ]


def test_an_open_study_sees_what_another_one_did(tmp_path):
    first, second = begin(tmp_path), begin(tmp_path)
    first.run(5)
    assert second.status().done == 5
    trial = second.ask()
    assert first.status().running == 1
    first.tell(trial.number, {"error": 1.0, "latency": 1.0})
    assert second.status().done == 6
    assert len(second.front_frame()) == len(first.front_frame())


# -------------------------------------------------------------------- imports
def test_imports_are_free_whole_or_in_part(tmp_path):
    known = tmp_path / "known.csv"
    known.write_text("op,depth,kernel,error,latency\nmlp,6,,1.0,6\nconv,2,3,5.3,\nmlp,1,,,\n")
    calls = []
    study = begin(
        tmp_path / "s",
        {
            "error": lambda a: calls.append("e") or good(a)["error"],
            "latency": lambda a: calls.append("l") or good(a)["latency"],
        },
    )
    assert study.import_known(known) == 3
    status = study.status()
    assert (status.begun, status.imported, status.done) == (0, 3, 1)
    assert study.run(100).begun == 17
    assert (calls.count("e"), calls.count("l")) == (16, 17)
    frame = study.to_frame().set_index(["depth", "op"])
    assert frame.loc[(6, "mlp"), "error"].item() == 1.0
    assert study.import_known(known) == 3
    assert study.status().done == 18


def test_known_on_the_command_line(space_file, tmp_path, capsys):
    known = tmp_path / "known.csv"
    known.write_text("depth,op,kernel,error\n6,mlp,,1.0\n5,conv,5,2.0\n")
    code = tmp_path / "m.py"
    code.write_text("def f(a):\n    return {'error': 10.0 / a['depth'], 'latency': float(a['depth'])}\n")
    folder = tmp_path / "s"
    arguments = ["--measure", f"{code}:f", "--budget", "4", "--out", str(folder), "--known", str(known)]
    assert main(["run", str(space_file), *arguments]) == 0
    assert "2 rows known beforehand" in capsys.readouterr().err
    assert Study(folder).status().begun == 4


# --------------------------------------------------------------- ask and tell
def test_asked_by_hand_told_in_part_and_told_again(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "s"
    Study(folder, toy(), objectives=GOALS)
    assert main(["ask", str(folder), "-n", "4"]) == 0
    asked = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert len(asked) == 4
    assert Study(folder).status().running == 4
    asked["error"] = [1.0, 2.0, np.nan, np.nan]
    asked.to_csv(tmp_path / "a.csv", index=False)
    assert main(["tell", str(folder), str(tmp_path / "a.csv")]) == 0
    status = Study(folder).status()
    assert (status.begun, status.partial, status.running) == (4, 2, 2)
    asked["error"] = [1.0, 2.0, 3.0, 4.0]
    asked["latency"] = [5.0, 6.0, 7.0, np.nan]
    asked.to_csv(tmp_path / "b.csv", index=False)
    for _ in range(2):
        assert main(["tell", str(folder), str(tmp_path / "b.csv")]) == 0
    study = Study(folder)
    assert (study.status().begun, study.status().done, study.status().partial) == (4, 3, 1)
    assert study.store.repeats.max() == 1
    study.tell(asked["evaluation"][3], {"latency": None}, reason="the board burnt")
    assert study.status().partial == 1
    assert "the board burnt" in study.to_frame()["reason"].iloc[-1] or "None" in study.to_frame()["reason"].iloc[-1]
    with pytest.raises(InputError, match="has no measure"):
        study.run(9)


def test_ask_gives_each_architecture_once_and_then_says_so(tmp_path):
    study = Study(tmp_path, toy(), objectives=GOALS)
    trials = study.ask(18)
    assert len({json.dumps(dict(t.architecture), sort_keys=True) for t in trials}) == 18
    with pytest.raises(StudyError, match="known or under way"):
        study.ask()
    for trial in trials:
        study.tell(trial, good(trial.architecture))
    assert study.status().done == 18


def test_two_that_ask_at_once_get_different_ones(tmp_path):
    studies = [Study(tmp_path, toy(), objectives=GOALS) for _ in range(3)]
    found: list[int] = []
    threads = [threading.Thread(target=lambda s=s: found.extend(s.ask().number for _ in range(5))) for s in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 16))
    assert studies[0].status().begun == 15


def test_what_was_asked_by_hand_is_left_to_its_owner(tmp_path):
    study = begin(tmp_path)
    trial = study.ask()
    assert study.run(6).running == 1
    study.tell(trial, good(trial.architecture))
    assert (study.status().begun, study.status().done) == (6, 6)


@pytest.mark.parametrize("values", [{"speed": 1.0}, {"error": "7"}], ids=["name", "text"])
def test_a_wrong_tell_is_refused(tmp_path, values):
    study = Study(tmp_path, toy(), objectives=GOALS)
    trial = study.ask()
    with pytest.raises(InputError, match="tell"):
        study.tell(trial, values)
    with pytest.raises(InputError, match="1\\.\\."):
        study.tell(99, {"error": 1.0})
    assert study.status().running == 1


# --------------------------------------------------------------- two processes
SLOW = """
import time
def f(a):
    time.sleep(0.3)
    return {"error": 10.0 / a["depth"], "latency": float(a["depth"])}
"""


@pytest.fixture
def running(space_file, tmp_path):
    """A run in a process of its own, after its first evaluations."""
    code = tmp_path / "m.py"
    code.write_text(SLOW)
    folder = tmp_path / "s"
    process = start("run", space_file, "--measure", f"{code}:f", "--budget", "18", "--out", folder, cwd=tmp_path)
    wait_for(folder, 2)
    yield process, folder
    process.kill()
    process.communicate()


def wait_for(folder, n):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (folder / "evaluations.csv").exists() and (table(folder)["state"] == "done").sum() >= n:
            return
        time.sleep(0.02)
    raise AssertionError("nothing happens")


def test_others_look_ask_and_tell_while_a_run_holds_the_folder(running, capsys, tmp_path):
    process, folder = running
    assert main(["status", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"process {process.pid}" in told["holder"]
    assert told["budget"] == 18
    with pytest.raises(StudyError, match=f"process {process.pid} on .* is running this study"):
        Study(folder, measure=good).run(18)
    assert "m.py" in (folder / "study.json").read_text()
    with pytest.raises(StudyError, match="objectives can be added when it has ended"):
        Study(folder, objectives=[*GOALS, Objective("energy", "min")])
    assert main(["ask", str(folder)]) == 0
    (tmp_path / "t.csv").write_text(capsys.readouterr().out.strip() + "")
    asked = pd.read_csv(tmp_path / "t.csv").assign(error=1.5, latency=2.5)
    asked.to_csv(tmp_path / "t.csv", index=False)
    assert main(["tell", str(folder), str(tmp_path / "t.csv")]) == 0
    capsys.readouterr()
    assert main(["run", str(folder)]) == 2
    assert "is running this study" in capsys.readouterr().err
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    status = Study(folder).status()
    assert (status.begun, status.done, status.holder) == (18, 18, "")
    hand = table(folder).set_index("evaluation").loc[asked["evaluation"][0]]
    assert (hand["who"], hand["error"]) == ("hand", 1.5)
    assert len(table(folder)) == 18


def test_ctrl_c_once_lets_what_runs_end(running):
    process, folder = running
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Front (measured)" in out
    assert f"go on with: rapid-moo run {folder}" in err
    assert "Traceback" not in err
    assert set(table(folder)["state"]) == {"done"}
    assert Study(folder).status().begun < 18
    assert main(["run", str(folder)]) == 0
    assert Study(folder).status().done == 18


@pytest.mark.parametrize("workers", [(), ("--workers", "threads:2")])
def test_ctrl_c_twice_ends_at_once_and_asks_again(space_file, tmp_path, workers):
    code = tmp_path / "m.py"
    code.write_text(SLOW.replace("time.sleep(0.3)", "time.sleep(0.05 if a['depth'] != 6 else 60)"))
    folder = tmp_path / "s"
    command = ["run", space_file, "--measure", f"{code}:f", "--budget", "18", "--out", folder, *workers]
    process = start(*command, cwd=tmp_path)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (folder / "evaluations.csv").exists():
                rows = table(folder)
                if len(rows[(rows["state"] == "running") & (rows["depth"] == 6)]):
                    break
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 15
        assert process.returncode == 130, err
        assert "Traceback" not in err
    finally:
        process.kill()
    status = Study(folder).status()
    assert status.running == 0
    assert status.waiting >= 1
    assert status.begun == status.done


# --------------------------------------------------- objectives, repeats, places
def test_an_objective_that_is_added_later_is_measured_of_what_is_known(tmp_path):
    begin(tmp_path).run(6)
    calls = []

    def more(architecture):
        calls.append(architecture)
        return {**good(architecture), "energy": 1.0 + architecture["depth"]}

    goals = [*GOALS, Objective("energy", "min")]
    study = Study(tmp_path, measure=more, objectives=goals)
    assert study.status().partial == 6
    status = study.run(12)
    assert status.done == 6
    assert len(calls) == 6
    assert Study(tmp_path, measure=more).run(18).done == 12


def test_repeats_are_means_and_one_evaluation(tmp_path):
    values = iter(range(100))
    goals = [Objective("error", "min"), Objective("latency", "min", repeats=3)]
    parts = {"error": lambda a: 1.0, "latency": lambda a: float(next(values))}
    study = Study(tmp_path, toy(), parts, objectives=goals)
    assert study.run(4).begun == 4
    assert study.to_frame()["latency"].tolist() == [1.0, 4.0, 7.0, 10.0]
    assert study.store.repeats.tolist() == [[1, 3]] * 4


def test_a_board_is_never_used_by_two_at_once(tmp_path):
    spans: dict[str, list[tuple[float, float]]] = {"error": [], "latency": []}

    def part(name, seconds):
        def measure(architecture):
            began = time.monotonic()
            time.sleep(seconds)
            spans[name].append((began, time.monotonic()))
            return good(architecture)[name]

        return measure

    parts = {"error": part("error", 0.1), "latency": part("latency", 0.02)}
    study = Study(tmp_path, toy(), parts, objectives=GOALS, workers="threads:4", places={"latency": 1})
    assert study.run(12).done == 12
    board = sorted(spans["latency"])
    assert all(a[1] <= b[0] for a, b in pairwise(board))
    train = sorted(spans["error"])
    assert max(sum(a[0] <= b[0] < a[1] for a in train) for b in train) > 1


@pytest.mark.parametrize("workers", ["threads:3", "own"])
def test_threads_and_an_executor_of_ones_own(tmp_path, workers):
    with ThreadPoolExecutor(3) as pool:
        study = begin(tmp_path, lambda a: time.sleep(0.02) or good(a), workers=pool if workers == "own" else workers)
        assert study.run(12).done == 12
        if workers == "own":
            assert pool.submit(int, "3").result() == 3


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster(tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        study = begin(tmp_path, lambda a: {**good(a)}, workers=client.get_executor(pure=False))
        assert study.run(10).done == 10
        lock = threading.Lock()
        broken = begin(tmp_path, lambda a: lock, workers=client.get_executor(pure=False))
        with pytest.raises(InputError, match="cannot be sent to another process"):
            broken.run(12)
        assert broken.status().begun == 10


# --------------------------------------------------------------------- folders
def _text(name, text):
    return lambda folder: (folder / name).write_text(text)


def _edit(**changes):
    def edit(folder):
        path = folder / "study.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def _sql(statement):
    def edit(folder):
        connection = sqlite3.connect(folder / "evaluations.sqlite")
        connection.execute(statement)
        connection.commit()
        connection.close()

    return edit


def _torn(folder):
    path = folder / "evaluations.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(8192) + data[12288:])


WRONG = {
    "no json": (_text("study.json", "{"), "damaged"),
    "another program": (_text("study.json", '{"a": 1}'), "another program"),
    "newer": (_edit(format=99), "newer"),
    "incomplete": (_edit(settings=None), "settings"),
    "no database": (_text("evaluations.sqlite", "hello " * 1000), "damaged or foreign"),
    "empty database": (_text("evaluations.sqlite", ""), "another program"),
    "foreign database": (_sql("PRAGMA application_id = 7"), "another program"),
    "newer database": (_sql("PRAGMA user_version = 99"), "newer"),
    "torn database": (_torn, "damaged"),
    "lost database": (lambda folder: (folder / "evaluations.sqlite").unlink(), "no evaluations.sqlite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_folder_that_is_wrong_is_refused_and_left_alone(case, tmp_path, capsys):
    study = begin(tmp_path)
    study.run(5)
    study.store.close()
    for path in tmp_path.glob("*-wal"):
        path.unlink()
    break_it, told = WRONG[case]
    break_it(tmp_path)
    before = contents(tmp_path), sorted(path.name for path in tmp_path.iterdir())
    for arguments in (["status"], ["ask"], ["run"], ["export"]):
        assert main([arguments[0], str(tmp_path)]) == 2
        line = capsys.readouterr().err
        assert told in line
        assert line.count("\n") == 1
    with pytest.raises(StudyError, match=told):
        Study(tmp_path, toy(), good, objectives=GOALS)
    after = contents(tmp_path), sorted(path.name for path in tmp_path.iterdir())
    assert after == before


def test_a_folder_of_something_else_is_no_study(tmp_path):
    (tmp_path / "evaluations.csv").write_text("mine\n")
    with pytest.raises(StudyError, match=r"found evaluations.csv but no study.json"):
        begin(tmp_path)
    assert contents(tmp_path).keys() == {"evaluations.csv"}


@pytest.mark.parametrize(
    "changed",
    [
        {"space": GridSpace("toy", [Gene("depth", (1, 2))])},
        {"seed": 4},
        {"objectives": [Objective("error", "max"), GOALS[1]]},
        {"constraints": "power <= 3"},
        {"options": {"n_initial": 0}},
    ],
    ids=["space", "seed", "direction", "constraint", "options"],
)
def test_what_does_not_fit_a_study_is_refused(tmp_path, changed):
    study = begin(tmp_path)
    study.run(3)
    study.store.close()
    before = contents(tmp_path)
    with pytest.raises(InputError):
        Study(tmp_path, **{"space": toy(), "measure": good, "objectives": GOALS, **changed})
    assert contents(tmp_path) == before


def test_an_older_store_is_migrated_after_a_copy(tmp_path, monkeypatch):
    study = begin(tmp_path)
    study.run(5)
    study.store.close()

    def rename(connection):
        connection.execute("UPDATE meta SET body = body")
        connection.execute("CREATE TABLE extra (id INTEGER)")

    before = (tmp_path / "evaluations.sqlite").read_bytes()
    version = journal.VERSION
    monkeypatch.setattr(journal, "VERSION", version + 1)
    monkeypatch.setattr(journal, "MIGRATIONS", MappingProxyType({**journal.MIGRATIONS, version: rename}))
    journal.check_versions()
    again = Study(tmp_path, measure=good)
    assert again.run(8).done == 8
    copied = tmp_path / f"evaluations.sqlite.version-{version}"
    connection = sqlite3.connect(copied)
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert connection.execute("SELECT count(*) FROM events").fetchone()[0] > 10
    connection.close()
    assert len(before) == copied.stat().st_size
    monkeypatch.setattr(journal, "MIGRATIONS", MappingProxyType({}))
    with pytest.raises(InputError, match=rf"\[1, {version}\]"):
        journal.check_versions()


def test_a_store_from_before_reports_is_opened(tmp_path):
    study = begin(tmp_path)
    study.run(5)
    study.store._connection.execute("PRAGMA user_version = 1")
    study.store.close()
    again = Study(tmp_path, measure=good)
    assert again.run(8).done == 8
    assert again.store.curve(0, "error") == ()
    assert (tmp_path / "evaluations.sqlite.version-1").is_file()


def test_a_migration_that_fails_leaves_the_older_store(tmp_path, monkeypatch):
    study = begin(tmp_path)
    study.run(5)
    study.store.close()

    def fail(connection):
        connection.execute("DELETE FROM events")
        raise sqlite3.OperationalError("no such table: nothing")

    version = journal.VERSION
    monkeypatch.setattr(journal, "VERSION", version + 1)
    monkeypatch.setattr(journal, "MIGRATIONS", MappingProxyType({version: fail}))
    with pytest.raises(StudyError, match="nothing"):
        Study(tmp_path)
    monkeypatch.setattr(journal, "VERSION", version)
    assert Study(tmp_path).status().done == 5


# ---------------------------------------------------------------------- copies
def test_copies_and_pickles_go_on_with_the_same_folder(tmp_path):
    study = Study(
        tmp_path,
        toy(),
        Attempt,
        objectives=GOALS,
        constraints="depth <= 4",
        timeout=3.0,
        workers=2,
        options={"batch_size": 2},
    )
    for other in (pickle.loads(pickle.dumps(study)), copy.copy(study), copy.deepcopy(study)):
        assert other.status() == study.status()
        assert (other.timeout, other.workers, other.definition.options) == (3.0, 2, {"batch_size": 2})
        assert [str(c) for c in other.constraints] == ["depth <= 4"]
    before = (tmp_path / "study.json").read_bytes()
    pickle.loads(pickle.dumps(study)).ask(3)
    assert study.status().running == 3
    assert (tmp_path / "study.json").read_bytes() == before
    problem = pickle.loads(pickle.dumps(study.problem))
    assert isinstance(problem, ArchitectureProblem)
    algorithm = copy.deepcopy(study.algorithm)
    assert isinstance(algorithm, RAPID)
    assert algorithm.problem.store is study.store or len(algorithm.problem.store) == len(study.store)


def test_a_measure_without_a_name_says_so_when_it_is_pickled(tmp_path):
    study = begin(tmp_path, lambda a: good(a))
    with pytest.raises(InputError, match="cannot be sent to another process"):
        pickle.dumps(study.problem)
    assert copy.deepcopy(study.problem).store is study.store


# ---------------------------------------------------------------------- bounds
def test_bounds_known_beforehand_are_never_broken(tmp_path):
    seen = []
    study = begin(
        tmp_path,
        lambda a: seen.append(a) or good(a),
        constraints=["depth <= 4", lambda a: a["op"] == "mlp", "latency <= 3"],
    )
    status = study.run(18)
    assert {(a["depth"], a["op"]) for a in seen} == {(d, "mlp") for d in (1, 2, 3, 4)}
    assert status.begun == 4
    assert study.front_frame()["latency"].max() <= 3.0
    assert study.best()["latency"] <= 3.0


# --------------------------------------------------------------------- exports
ODD = (
    None,
    "None",
    True,
    "True",
    "false",
    " padded ",
    "a,b",
    'say "x"',
    "ünï→",
    "",
    "two\nlines",
    "cr\rlf",
    '"None"',
    7,
    2.5,
    "7.50",
)


def odd_space():
    return GridSpace("odd", [Gene("x", ODD), Gene("y", (0, 0.5, "0", "zero")), Gene("z", (1, 2), when={"y": "zero"})])


def test_texts_of_odd_choices_are_understood_again():
    for gene in odd_space().genes:
        texts = [choice_text(gene, choice) for choice in gene.choices]
        assert len(set(texts)) == len(texts)
        for choice, text in zip(gene.choices, texts, strict=True):
            found = choice_from_text(gene, text)
            assert (found, type(found)) == (choice, type(choice))


def test_texts_of_twenty_thousand_choices_take_no_time():
    gene = Gene("x", (*range(20_000), "7"))
    start = time.perf_counter()
    texts = [choice_text(gene, choice) for choice in gene.choices]
    assert time.perf_counter() - start < 5.0
    assert texts[6:9] == ["6", "7", "8"]
    assert texts[-1] == '"7"'


def test_choices_that_are_equal_are_refused():
    for pair in ((True, 1), (False, 0), (1, 1.0), ("a", "a"), (None, None)):
        with pytest.raises(InputError, match="distinct"):
            Gene("x", pair)


@pytest.mark.parametrize("which", ["evaluations.csv", "front.csv", "export", "export front", "frame"])
def test_tables_come_back_as_they_were(which, tmp_path, capsys):
    space = odd_space()

    def measure(architecture):
        return {"error": float(ODD.index(architecture["x"])) / 3, "latency": 1.0 / (1 + ODD.index(architecture["x"]))}

    study = Study(tmp_path / "a", space, lambda a: measure(a), objectives=GOALS)
    study.run(60)
    path = tmp_path / "told.csv"
    if which == "frame":
        assert main(["export", str(tmp_path / "a"), "--out", str(path)]) == 0
    elif which.startswith("export"):
        more = ["--front"] if "front" in which else []
        assert main(["export", str(tmp_path / "a"), "--out", str(path), *more]) == 0
    else:
        path.write_bytes((tmp_path / "a" / which).read_bytes())
    other = Study(tmp_path / "b", space, objectives=GOALS)
    n = other.import_known(path)
    assert n == (60 if "front" not in which else len(study.front_frame()))
    rows = study.store.find(other.store.X)
    assert (rows >= 0).all()
    np.testing.assert_array_equal(other.store.raw, study.store.raw[rows])
    capsys.readouterr()


def test_a_table_has_a_cost_where_costs_are_stated_alone(tmp_path):
    begin(tmp_path / "plain").run(3)
    assert "cost" not in table(tmp_path / "plain")
    goals = [replace(GOALS[0], cost=3.0), replace(GOALS[1], cost=0.25)]
    Study(tmp_path / "s", toy(), good, objectives=goals).run(10)
    found = table(tmp_path / "s")
    assert found["cost"].tolist() == [3.25] * len(found)
    assert found.columns[-1] == "cost"
    assert main(["export", str(tmp_path / "s"), "--out", str(tmp_path / "out.csv")]) == 0
    assert pd.read_csv(tmp_path / "out.csv")["cost"].tolist() == [3.25] * len(found)


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_exports_for_programs(kind, tmp_path, capsysbinary):
    begin(tmp_path / "s").run(12)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    assert main(["export", str(tmp_path / "s"), "--format", kind]) == 0
    out = io.BytesIO(capsysbinary.readouterr().out)
    frame = pd.DataFrame(json.loads(out.read())) if kind == "json" else pd.read_parquet(out)
    mine = Study(tmp_path / "s").to_frame()
    np.testing.assert_array_equal(frame["error"], mine["error"])
    assert frame["depth"].tolist() == mine["depth"].tolist()
    assert frame["kernel"].isna().tolist() == mine["kernel"].isna().tolist()
