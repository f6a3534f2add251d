"""Studies whose measure reports on its way: what is stopped, what is kept of it, and what a kill may cost."""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rapid_moo import Gene, GridSpace, Objective, PredictorSpec, Study
from rapid_moo.cli import main
from rapid_moo.errors import StudyError
from rapid_moo.stopping import FEWEST
from rapid_moo.study import SQLiteStore

FOLDER = Path(__file__).parent
GOALS = (Objective("accuracy", "max", "%", cost=1.0), Objective("latency", "min", "ms", cost=0.01))
SPECS = [PredictorSpec("bayesian_ridge"), PredictorSpec("bayesian_ridge")]
COST = 40.0


@pytest.fixture(scope="module")
def work():
    """Module whose functions workers can find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("work")


def space():
    return GridSpace("net", [Gene(f"g{k}", (0, 1, 2, 3, 4)) for k in range(3)])


def begin(folder, work, train=None, workers=1, **options):
    measure = {"accuracy": train or work.train, "latency": work.time_net}
    options = {"specs": SPECS, **options}
    return Study(folder, space(), measure, objectives=GOALS, workers=workers, options=options)


@pytest.fixture(scope="module")
def finished(work, tmp_path_factory):
    study = begin(tmp_path_factory.mktemp("study"), work)
    study.run(COST)
    return study


def kept(study):
    """All that the store knows but times."""
    store = study.store
    rows = range(len(store))
    return [
        (
            store.X[row].tolist(),
            store.state(row),
            repr(store.raw_of([row])[0].tolist()),
            store.paid_of([row])[0].tolist(),
            store.curve(row, "accuracy"),
            store.stops_of(row),
            store.reason(row),
        )
        for row in rows
        if store.state(row) != "asked"
    ]


def test_what_is_not_worth_its_end_is_stopped_billed_by_its_share_and_on_no_front(finished, work):
    store = finished.store
    assert store.stopped.sum() > 5
    assert not store.failed.any()
    for row in np.flatnonzero(store.stopped).tolist():
        epochs = len(store.curve(row, "accuracy"))
        assert store.curve(row, "accuracy")[-1][0] == epochs < 10
        assert store.paid[row, 0] == epochs / 10
        assert store.stops_of(row) is not None
    assert finished.problem.cost() == pytest.approx((store.paid * [1.0, 0.01]).sum())
    assert finished.problem.cost() <= COST
    status = finished.status()
    assert (status.stopped, status.failed) == (int(store.stopped.sum()), 0)
    assert f"{status.stopped} stopped early" in str(status)
    assert status.reasons == {}
    front = pd.read_csv(finished.folder / "front.csv")
    assert len(front) == status.front_size
    assert np.allclose(front["accuracy"], [work.net_accuracy(line) for line in front.to_dict("records")])
    whole = pd.read_csv(finished.folder / "evaluations.csv")
    stopped = whole[whole["state"] == "stopped"]
    assert stopped["accuracy"].isna().all()
    assert stopped["reason"].str.fullmatch(r"stopped at step \d of 10").all()
    # Whoever reads the table can add up the bill.
    assert whole["cost"].sum() == pytest.approx(finished.problem.cost())
    assert (stopped["cost"] < 1.0).all()
    np.testing.assert_allclose(finished.to_frame()["cost"], whole["cost"])
    assert not set(stopped["evaluation"]) & set(front["evaluation"])


def test_the_first_sample_runs_to_its_end(finished):
    trained = np.flatnonzero(finished.store.paid[:, 0] > 0)
    assert finished.store.complete[trained[:FEWEST]].all()
    assert all(finished.store.stops_of(row) is None for row in trained[:FEWEST].tolist())


def test_its_report_shows_them(finished):
    report = finished.report()
    assert report.bill["stopped"] == int(finished.store.stopped.sum())
    assert report.architectures.state.count("stopped") == report.bill["stopped"]
    assert report.failures == {}


def test_a_study_that_goes_on_is_the_same_as_one_without_a_break(finished, work, tmp_path):
    begin(tmp_path, work).run(25.0)
    begin(tmp_path, work).run(33.0)
    again = begin(tmp_path, work)
    again.run(COST)
    # At the end of a budget less is screened, so that the two may differ from there on; all before is the same.
    assert kept(again)[:20] == kept(finished)[:20]
    assert again.store.stopped.any()


def test_the_file_keeps_all_of_it(finished):
    other = SQLiteStore(finished.folder / "evaluations.sqlite", space(), ["accuracy", "latency"])
    for row in range(len(other)):
        assert other.curve(row, "accuracy") == finished.store.curve(row, "accuracy")
        assert other.stops_of(row) == finished.store.stops_of(row)
    assert np.array_equal(other.paid, finished.store.paid)
    assert np.array_equal(other.stopped, finished.store.stopped)
    other.close()


@pytest.mark.parametrize("workers", ["threads:1", "processes:1"])
def test_wherever_it_runs_the_same_is_stopped(finished, work, tmp_path, workers):
    study = begin(tmp_path, work, workers=workers)
    study.run(COST)
    assert kept(study) == kept(finished)


@pytest.mark.filterwarnings("ignore")
def test_on_a_cluster_the_same_is_stopped(finished, work, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:

        def train(genes, report):
            return work.train(genes, report)

        def find_work(folder=str(FOLDER)):
            sys.path.append(folder)

        client.register_worker_callbacks(find_work)
        study = begin(tmp_path, work, train=train, workers=client.get_executor(pure=False))
        study.run(COST)
    assert kept(study) == kept(finished)


def test_a_training_that_diverges_has_failed_and_the_study_goes_on(work, tmp_path):
    def train(genes, report):
        report(1, {"accuracy": float("nan") if genes["g0"] == 4 else 50.0}, of=10)
        return {"accuracy": work.net_accuracy(genes)}

    study = begin(tmp_path, work, train=train, workers="threads:1")
    study.run(20.0)
    store = study.store
    bad = store.X[:, 0] == 4
    assert bad.any()
    assert (store.failed == bad).all()
    assert {store.reason(row) for row in np.flatnonzero(bad)} == {"expected a finite number, got nan at step 1"}
    assert not store.stopped[bad].any()


def test_workers_stop_by_themselves(work, tmp_path):
    study = begin(tmp_path, work, workers=3)
    study.run(COST)
    assert study.store.stopped.any()
    assert all(study.store.curve(row, "accuracy") for row in np.flatnonzero(study.store.stopped).tolist())
    assert study.problem.cost() <= COST


def test_a_kill_within_a_training_costs_that_training_only(finished, work, tmp_path):
    seen = []

    class KilledError(BaseException):
        pass

    def killed(genes, report):
        seen.append(genes)
        if len(seen) == 25:
            report(1, {"accuracy": 1.0}, of=10)
            os._exit(9)
        return work.train(genes, report)

    child = os.fork()
    if not child:
        try:
            begin(tmp_path, work, killed).run(COST)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    study = begin(tmp_path, work)
    lost = np.flatnonzero(study.store.running)
    assert len(lost) == 1
    assert study.store.curve(int(lost[0]), "accuracy") == ()
    before = study.store.stops_of(int(lost[0]))
    study.run(COST)
    # It is made again, to the same limits, and all else is as if nothing had happened.
    assert study.store.stops_of(int(lost[0])) == before
    assert kept(study) == kept(finished)


def test_a_reference_to_a_file_reports_too(tmp_path, finished):
    from rapid_moo.study.references import Reference

    (tmp_path / "mine.py").write_text((FOLDER / "work.py").read_text())
    parts = {
        name: Reference.parse(f"{tmp_path / 'mine.py'}:{f}")
        for name, f in (("accuracy", "train"), ("latency", "time_net"))
    }
    study = Study(tmp_path / "s", space(), parts, objectives=GOALS, options={"specs": SPECS})
    study.run(COST)
    assert kept(study) == kept(finished)


def test_a_file_that_cannot_be_loaded_is_the_users_mistake_as_ever(tmp_path):
    from rapid_moo.study.references import Reference

    (tmp_path / "mine.py").write_text("import nothing_of_that_name\n")
    study = Study(tmp_path / "s", space(), Reference.parse(f"{tmp_path / 'mine.py'}:train"), objectives=GOALS)
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        study.run(COST)


def test_wrong_reports_stop_the_run_with_one_clear_error(work, tmp_path):
    def wrong(genes, report):
        report(1, {"loss": 1.0})

    study = begin(tmp_path, work, wrong)
    with pytest.raises(ValueError, match=r"report: expected values of some of accuracy, got \{'loss': 1.0\}"):
        study.run(COST)
    assert not study.store.failed.any()


def test_stopping_can_be_switched_off(work, tmp_path):
    study = begin(tmp_path, work, stopping=False)
    study.run(25.0)
    assert not study.store.stopped.any()
    assert len(study.store.curve(0, "accuracy")) == 10


def test_retry_leaves_what_was_stopped(finished, work, tmp_path):
    calls = []

    def flaky(genes, report):
        calls.append(genes)
        return {"accuracy": float("nan")} if len(calls) == 3 else work.train(genes, report)

    study = begin(tmp_path, work, flaky)
    study.run(36.0)
    stopped = study.store.stopped.copy()
    assert stopped.any()
    assert study.store.failed.sum() == 1
    study.run(38.0, retry=True)
    assert not study.store.failed.any()
    assert study.store.stopped[: len(stopped)][stopped].all()


def test_a_value_told_by_hand_counts_after_all(work, tmp_path):
    study = begin(tmp_path, work)
    study.run(36.0)
    row = int(np.flatnonzero(study.store.stopped)[0])
    genes = space().to_dict(study.store.X[row])
    study.tell(genes, {"accuracy": work.net_accuracy(genes)})
    assert study.store.state(row) == "done"
    assert not study.store.stopped[row]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("report", {"curves": {"accuracy": [[1, "high"]]}}),
        ("report", {"curves": {"accuracy": [[2, 1.0], [1, 2.0]]}}),
        ("report", {"curves": [1]}),
        ("report", {}),
        ("tell", {"values": {}, "reasons": {}, "seconds": 0.0, "who": "", "more": False, "stopped": {"accuracy": 2}}),
        ("requeue", {"stops": {"steps": 3}}),
    ],
)
def test_damaged_events_are_refused(work, tmp_path, kind, body):
    study = begin(tmp_path, work)
    study.run(3.0)
    study.store.close()
    connection = sqlite3.connect(tmp_path / "evaluations.sqlite")
    connection.execute("INSERT INTO events (kind, row, at, body) VALUES (?, 0, 1.0, ?)", (kind, json.dumps(body)))
    connection.commit()
    connection.close()
    with pytest.raises(StudyError, match="damaged: event"):
        begin(tmp_path, work)


def test_the_command_line_says_how_many(finished, capsys):
    assert main(["status", str(finished.folder)]) == 0
    assert f"{int(finished.store.stopped.sum())} stopped early" in capsys.readouterr().out
