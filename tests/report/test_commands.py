"""Every command leaves its report, and any folder can be shown again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rapid_moo import Gene, GridSpace, Objective, Study, get_problem
from rapid_moo.cli import main
from rapid_moo.objectives import to_minimised
from rapid_moo.report import PAGE_FILE, REPORT_FILE, Report, read_report, to_html, to_markdown
from rapid_moo.study.report import Renewal
from rapid_moo.tuning import load_triplet, pick_loss

SPACE = """
name = "own"

[genes.depth]
choices = [1, 2, 3, 4, 5, 6, 7, 8]

[genes.width]
choices = [8, 16, 32, 64]

[objectives.error]
direction = "min"

[objectives.latency]
direction = "min"
unit = "ms"
"""
MEASURE = """
def measure(a):
    if a["depth"] == 8 and a["width"] == 64:
        raise MemoryError("too <large>")
    return {"error": 10 / (a["depth"] * a["width"]) ** 0.5, "latency": a["depth"] * a["width"] * 0.1}
"""


def run(*arguments: Any) -> int:
    return main([str(argument) for argument in arguments])


def measure(architecture: dict[str, Any]) -> dict[str, float]:
    size = architecture["width"] * architecture["depth"]
    return {"error": 10.0 / size**0.5, "latency": size * 0.1}


def own_space() -> GridSpace:
    genes = [Gene("width", (8, 16, 32, 64)), Gene("depth", tuple(range(1, 9)))]
    return GridSpace("own", genes, (Objective("error", "min"), Objective("latency", "min", "ms")))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("searched") / "s"
    assert run("search", "digits", "--budget", 40, "--out", out, "--prefer", "1,0,0") == 0
    return out


def test_a_search_leaves_its_page(searched, capsys):
    report = read_report(searched)
    assert (searched / PAGE_FILE).stat().st_size < 5_000_000
    summary = json.loads((searched / "summary.json").read_text())
    billed = pd.read_csv(searched / "evaluations.csv")
    facts = report.architectures
    assert report.quality["adrs"] == pytest.approx(summary["adrs"])
    assert report.progress.adrs[-1] == pytest.approx(summary["adrs"])
    assert report.progress.hypervolume[-1] == pytest.approx(summary["hypervolume"])
    assert [line[0] for line in facts.raw] == pytest.approx(billed["accuracy"].tolist())
    assert sum(facts.on_front) == len(pd.read_csv(searched / "front.csv"))
    assert report.picks[1].weights == (1.0, 0.0, 0.0)
    assert facts.raw[report.picks[1].row][0] == max(line[0] for line in facts.raw)
    assert report.fingerprint == summary["data_fingerprint"]
    assert set(report.versions) >= {"python", "numpy", "rapid-moo"}
    assert report.choice.how in ("tuned", "early")
    assert len(facts.drawings) == len(facts)


def test_a_folder_needs_nothing_but_its_facts(searched, tmp_path, capsys):
    shutil.copy(searched / REPORT_FILE, tmp_path / REPORT_FILE)
    assert run("report", tmp_path) == 0
    assert (tmp_path / PAGE_FILE).read_bytes() == (searched / PAGE_FILE).read_bytes()
    capsys.readouterr()
    assert run("report", tmp_path, "--format", "text") == 0
    assert "Evaluations billed  40 of 3400" in capsys.readouterr().out
    assert run("report", tmp_path, "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("# Search of digits")


def test_an_audit_leaves_its_page(tmp_path):
    rows = range(60)
    frame = pd.DataFrame({"a": [k % 9 for k in rows], "b": [k // 9 for k in rows], "x": rows, "y": [1.0] * 60})
    frame.to_csv(tmp_path / "own.csv", index=False)
    assert run("audit", tmp_path / "own.csv", "--objectives", "x:min,y:min", "--out", tmp_path / "out") == 0
    assert read_report(tmp_path / "out").kind == "audit"
    text = (tmp_path / "out" / PAGE_FILE).read_text()
    assert "y (min): CONSTANT" in text
    assert len(text) < 100_000  # nothing is drawn, so nothing that draws is in it


def test_an_audit_adds_its_warnings_to_a_searchs_page(searched, tmp_path):
    shutil.copy(searched / REPORT_FILE, tmp_path)
    assert run("audit", "digits", "--out", tmp_path) == 0
    report = read_report(tmp_path)
    assert report.kind == "search"
    assert {o["name"]: o["verdict"] for o in report.audit["objectives"]}["memory"] == "exact"
    assert "memory (min): EXACT" in (tmp_path / PAGE_FILE).read_text()
    # And a search there keeps them.
    assert run("search", "digits", "--budget", 20, "--out", tmp_path) == 0
    assert read_report(tmp_path).audit == report.audit


def test_a_run_leaves_and_renews_its_page(tmp_path, capsys):
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "measure.py").write_text(MEASURE)
    out = tmp_path / "out"
    measure_at = f"{tmp_path / 'measure.py'}:measure"
    assert run("run", tmp_path / "space.toml", "--measure", measure_at, "--budget", 32, "--out", out) == 0
    assert PAGE_FILE in capsys.readouterr().out
    report = read_report(out)
    assert report.bill["evaluations"] == 32
    assert report.failures == {"MemoryError: too <large>": 1}
    assert report.progress.evaluations[-1] == 32
    assert report.predictors
    page = (out / PAGE_FILE).read_text()
    assert "too &lt;large&gt;" in page
    # In another process, and without the facts, the same comes from the store.
    (out / REPORT_FILE).write_text("{ damaged")
    assert run("report", out) == 0
    again = read_report(out)
    assert again.architectures.raw == report.architectures.raw
    assert again.progress == report.progress
    assert [p.members for p in again.predictors] == [p.members for p in report.predictors]


@pytest.mark.parametrize("tuned_from", [20, 48])
def test_a_report_is_the_same_whoever_makes_it_of_the_same_folder(tmp_path, monkeypatch, tuned_from):
    """At the end of the run, in a new process, and after a run with nothing left to do."""
    monkeypatch.setattr("rapid_moo.learning.FIRST_TUNING", tuned_from)
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "measure.py").write_text(MEASURE)
    out, measure_at = tmp_path / "out", f"{tmp_path / 'measure.py'}:measure"
    given = ["run", tmp_path / "space.toml", "--measure", measure_at, "--budget", 26, "--out", out, "--prefer", "3,1"]
    assert run(*given) == 0
    first = read_report(out)
    assert first.choice.how == ("tuned" if tuned_from == 20 else "early")
    assert (first.choice.compared > 0) == (first.choice.adrs is not None) == (tuned_from == 20)
    assert [pick.weights for pick in first.picks] == [None, (3.0, 1.0)]
    for again in (["report", out], ["run", out], ["report", out]):
        assert run(*again) == 0
        assert read_report(out).replace(created="") == first.replace(created="")
    (out / REPORT_FILE).unlink()
    assert run("report", out) == 0
    assert read_report(out).choice == first.choice


def test_what_is_known_of_noise_is_on_the_page(tmp_path):
    """And nothing of it where there is none."""
    rng = np.random.default_rng(0)

    def noisy(architecture):
        return {name: value * (1 + 0.1 * rng.standard_normal()) for name, value in measure(architecture).items()}

    study = Study(tmp_path / "noisy", own_space(), noisy)
    study.run(budget=24)
    for row in range(6):  # repeats, so that the noise is known
        study.tell(study.space.to_dict(study.store.X[row]), noisy(study.space.to_dict(study.store.X[row])))
    report, found = study.report(), study.expected()
    told = report.expected
    assert set(told.noise) == {o.name for o, n in zip(study.objectives, found.noises, strict=True) if n.std} != set()
    assert all("by 6 repeats" in text for text in told.noise.values())
    rows = [number - 1 for number in report.architectures.number]
    at = [found.rows.tolist().index(row) for row in rows]
    np.testing.assert_array_equal(told.mean, found.mean[at])
    assert told.on_front == np.isin(at, found.expected_front_rows).tolist()
    assert [at[told.again.index(place)] for place in range(1, max(told.again) + 1)] == found.again.tolist()
    page, text = to_html(report), to_markdown(report)
    for shown in (page, text):
        assert f"{len(found.again)} of " in shown
        assert "measure again" in shown
        assert "error expected" in shown
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).expected.again == told.again
    exact = Study(tmp_path / "exact", own_space(), measure)
    exact.run(budget=24)
    assert exact.report().expected is None
    assert "measure again" not in to_markdown(exact.report())


def test_a_study_whose_code_is_gone_shows_its_last_facts(tmp_path, caplog):
    study = Study(tmp_path / "s", own_space(), measure)
    study.run(budget=6)
    Renewal(study).renew(now=True)
    definition = json.loads((tmp_path / "s" / "study.json").read_text())
    definition["space"] = {**definition["space"], "kind": "reference", "reference": "nowhere.py:Space"}
    (tmp_path / "s" / "study.json").write_text(json.dumps(definition))
    assert run("report", tmp_path / "s") == 0
    assert "the last facts" in caplog.text


def test_a_page_is_renewed_in_a_small_share_of_the_time(tmp_path, monkeypatch):
    study = Study(tmp_path / "s", own_space(), measure)
    study.run(budget=6)
    clock = [0.0]
    monkeypatch.setattr("rapid_moo.study.report.time.monotonic", lambda: clock[0])
    written = []

    def write(report: Report, folder: Path) -> Path:
        clock[0] += 1.0
        written.append(clock[0])
        return folder / PAGE_FILE

    monkeypatch.setattr("rapid_moo.study.report.write_page", write)
    page = Renewal(study)
    for _ in range(2_000):
        clock[0] += 0.1
        page.renew()
    # The first after three seconds; each takes one, so fifty pass until the next.
    assert written[0] == pytest.approx(4.1, abs=0.2)
    assert 3 <= len(written) <= 5
    assert len(written) * 1.0 / clock[0] < 0.03


def test_a_page_that_cannot_be_written_stops_no_study(tmp_path, monkeypatch, caplog):
    study = Study(tmp_path / "s", own_space(), measure)
    study.run(budget=4)

    def full(*_: Any) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr("rapid_moo.study.report.write_page", full)
    page = Renewal(study)
    assert page.renew(now=True) is None
    assert page.renew(now=True) is None
    assert caplog.text.count("no space left") == 1


def test_a_running_study_can_be_shown(tmp_path):
    study = Study(tmp_path / "s", own_space(), measure)
    pages = []

    def look(status: Any) -> None:
        if status.begun == 20 and not pages:
            pages.append(study.report())

    study.run(budget=24, progress=look)
    [report] = pages
    assert report.running.startswith("process")
    assert report.bill["evaluations"] == 20
    assert len(report.architectures) == 20


def test_a_comparison_leaves_its_page(tmp_path, capsys):
    options = ("--methods", "random,nsga2", "--budgets", "20,40", "--seeds", 2, "--out", tmp_path)
    assert run("compare", "--dataset", "digits", *options) == 0
    report = read_report(tmp_path)
    results = pd.read_csv(tmp_path / "results.csv")
    for method in ("random", "nsga2"):
        [curve] = [c for c in report.comparison.curves if c["method"] == method]
        mine = results[(results["method"] == method) & (results["budget"] == 40)]
        assert curve["adrs"]["median"][-1] == pytest.approx(mine["adrs"].median())
        assert curve["evaluations"][-1] == 40
    assert (tmp_path / "report.md").read_text() == to_markdown(report)
    told = capsys.readouterr().out
    assert "At a budget of 40" in told
    for method, part in results[results["budget"] == 40].groupby("method"):
        # The first table; wins and losses follow.
        line = next(line for line in told[told.index("budget of 40") :].splitlines() if line.startswith(f"{method} "))
        assert line.split()[2].strip("*") == f"{part['adrs'].median():.4f}"
    (tmp_path / REPORT_FILE).unlink()
    assert run("report", tmp_path) == 0
    assert read_report(tmp_path).comparison == report.comparison


@pytest.mark.parametrize(("what", "told"), [("nowhere", "expected a folder"), ("file", "got a file")])
def test_no_folder_is_one_error(tmp_path, capsys, what, told):
    (tmp_path / "file").write_text("x")
    assert run("report", tmp_path / what) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_tuning_is_judged_on_a_further_share_and_its_page_says_so(tmp_path, capsys):
    options = ("--dir", tmp_path, "--train-ratio", 0.02, "--val-ratio", 0.03, "--budget", 2, "--seed", 3)
    assert run("tune", "digits", *options, "--families", "bayesian_ridge") == 0
    told = capsys.readouterr().out
    report = read_report(tmp_path)
    table = get_problem("digits").table
    rows = table.sample_rows(68 + 102, 3)
    train, unseen = table.take(rows[:68]), table.take(rows[68:])
    predicted = load_triplet(tmp_path).fit(train).predict(unseen.X)
    for k, known in enumerate(report.predictors):
        share = np.mean(np.abs(predicted[:, k] / unseen.raw[:, k] - 1.0) <= 0.05)
        assert known.metrics["within_5pct"] == pytest.approx(share)
        [line] = [line for line in told.splitlines() if line.startswith(f"{known.objective} ") and "[" in line]
        assert f"{share:.1%}" in line
    assert report.bill["unseen"] == 102
    assert report.quality["adrs_picks"] == pytest.approx(pick_loss(unseen.F, to_minimised(predicted, table.objectives)))
    picks = f"the ADRS of their first picks is {report.quality['adrs_picks']:.4f}."
    assert picks in told
    assert picks in to_markdown(report)
