"""Budgets of studies: what is refused writes nothing, what pays for nothing says so, and no number closes a folder."""

from __future__ import annotations

import importlib.util
import json
import shlex
from pathlib import Path

import pytest

from rapid_moo import Objective, Study
from rapid_moo.cli.main import main
from rapid_moo.errors import InputError
from rapid_moo.report import read_report

_spec = importlib.util.spec_from_file_location("_shared", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
contents, good, toy = _shared.contents, _shared.good, _shared.toy
PRICED = (Objective("error", "min", cost=1.0), Objective("latency", "min", cost=0.5))
CODE = """
def f(a):
    return {"error": 10.0 / a["depth"], "latency": float(a["depth"])}
"""


def written(folder):
    """A checksum of every file but the store, which SQLite tidies up whenever its last reader goes."""
    return {name: found for name, found in contents(folder).items() if name != "evaluations.sqlite"}


@pytest.fixture
def command(space_file, tmp_path):
    (tmp_path / "m.py").write_text(CODE)
    return ["run", str(space_file), "--measure", f"{tmp_path / 'm.py'}:f", "--out", str(tmp_path / "s")]


@pytest.mark.parametrize("budget", ["2.5", "0.5"])
def test_a_part_of_an_evaluation_is_refused_before_anything_is_written(budget, command, tmp_path, capsys):
    assert main([*command, "--budget", budget]) == 2
    assert f"budget: expected a positive number of evaluations, got {budget}" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_refused_budget_leaves_a_study_as_it_is(command, tmp_path, capsys):
    assert main([*command, "--budget", "3"]) == 0
    before = written(tmp_path / "s")
    for target in ([str(tmp_path / "s")], command[1:]):
        assert main(["run", *target, "--budget", "5.5", "--constraint", "latency <= 3"]) == 2
        assert "expected a positive number of evaluations, got 5.5" in capsys.readouterr().err
    assert written(tmp_path / "s") == before
    # Where costs are stated, now or earlier, it is an amount of cost.
    assert main(["run", str(tmp_path / "s"), "--budget", "5.5", "--costs", "error:1,latency:0.5"]) == 0
    assert main([*command, "--budget", "6.5"]) == 0
    assert json.loads((tmp_path / "s" / "study.json").read_text())["settings"]["budget"] == 6.5


def test_a_whole_number_of_evaluations_may_be_written_in_any_way(command, tmp_path):
    assert main([*command, "--budget", "3e0"]) == 0
    assert Study(tmp_path / "s").status().budget == 3


def test_more_than_was_spent_may_be_stated_in_evaluations(command, tmp_path):
    folder = tmp_path / "s"
    assert main([*command, "--budget", "+3"]) == 0
    assert main(["run", str(folder), "--budget", "+4"]) == 0
    assert (Study(folder).status().begun, Study(folder).status().budget) == (7, 7)
    assert main([*command, "--budget", "+2"]) == 0
    assert (Study(folder).status().begun, Study(folder).status().budget) == (9, 9)


def test_more_than_was_spent_may_be_stated_in_cost(command, tmp_path):
    folder = tmp_path / "s"
    assert main([*command, "--costs", "error:1,latency:0.5", "--budget", "5"]) == 0
    assert Study(folder).spent == 4.5
    assert main(["run", str(folder), "--budget", "+3.25"]) == 0
    assert (Study(folder).spent, Study(folder).status().budget) == (7.5, 7.75)
    # It is more than what was spent at the costs that hold now.
    assert main(["run", str(folder), "--costs", "error:2,latency:0.5", "--budget", "+2.5"]) == 0
    assert (Study(folder).spent, Study(folder).status().budget) == (15.0, 15.0)


@pytest.mark.parametrize("budget", ["+", "++3", "+-3", "+0", "+nan", "-3", "+1.5"])
def test_more_than_was_spent_must_be_a_budget(budget, command, tmp_path, capsys):
    assert main([*command, f"--budget={budget}"]) == 2
    assert "expected a positive" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_a_budget_that_pays_for_nothing_says_so(command, capsys):
    priced = [*command, "--costs", "error:1,latency:0.5"]
    assert main([*priced, "--budget", "1.4"]) == 0
    told = capsys.readouterr()
    assert "nothing was begun: to measure an architecture costs 1.5, and 1.4 of the budget is left" in told.err
    assert "cost 0 of 1.4" in told.out
    assert main([*priced, "--budget", "1.5"]) == 0
    assert "nothing was begun" not in capsys.readouterr().err
    assert main([*priced, "--budget", "2"]) == 0
    assert "costs 1.5, and 0.5 of the budget is left" in capsys.readouterr().err


@pytest.mark.parametrize("budget", [1e31, float("inf"), float("nan"), 0.0, -1.0, True])
def test_no_budget_of_cost_closes_the_folder(budget, tmp_path):
    study = Study(tmp_path / "s", toy(), good, objectives=PRICED)
    with pytest.raises(InputError, match="budget: expected a positive cost of at most"):
        study.run(budget)
    study.run(3.0)
    assert Study(tmp_path / "s", measure=good).run(1e20).done == 18


def test_costs_that_are_stated_later_and_are_large_do_not_close_the_folder(tmp_path):
    Study(tmp_path / "s", toy(), good, objectives=PRICED).run(3.0)
    dear = [Objective("error", "min", cost=1e30), Objective("latency", "min", cost=0.5)]
    Study(tmp_path / "s", measure=good, objectives=dear).run(100.0)
    again = Study(tmp_path / "s", measure=good)
    assert again.status().cost == again.status().budget == 2e30


def test_a_diverged_value_is_a_failure_and_not_the_end_of_the_study(tmp_path):
    def measure(architecture):
        found = good(architecture)
        return {**found, "error": 1e290} if architecture["op"] == "mlp" else found

    status = Study(tmp_path / "s", toy(), measure, objectives=PRICED).run(27.0)
    assert (status.done, status.failed + status.partial) == (12, 6)
    assert status.reasons == {"expected a number of at most 1e+30 in size, got 1e+290": 6}


@pytest.mark.parametrize("costs", [[], ["--costs", "error:1,latency:0.5"]])
def test_a_space_that_is_exhausted_says_so(costs, command, capsys):
    assert main([*command, *costs, "--budget", "40"]) == 0
    assert "note: nothing is left to evaluate: every architecture of toy is known" in capsys.readouterr().err
    assert main([*command, *costs, "--budget", "27" if costs else "18"]) == 0
    assert "nothing is left to evaluate" not in capsys.readouterr().err


def test_what_failed_in_part_is_counted_beside_what_failed(tmp_path):
    def error(architecture):
        if architecture["op"] == "mlp":
            raise MemoryError("too large")
        return good(architecture)["error"]

    parts = {"error": error, "latency": lambda a: good(a)["latency"]}
    status = Study(tmp_path / "s", toy(), parts, objectives=PRICED, first_raised=0, same_raised=0).run(27.0)
    assert (status.done, status.partial, status.failed) == (12, 6, 0)
    assert "18 architectures begun: 12 done, 6 partial, 0 failed and 6 in part" in status.to_text()
    assert "failed 6 times: MemoryError: too large" in status.to_text()
    none = Study(tmp_path / "n", toy(), good, objectives=PRICED).run(3.0)
    assert "2 done, 0 partial, 0 failed\n" in none.to_text()


def test_a_bound_and_a_name_that_are_not_as_they_were_are_told(command, space_file, tmp_path, caplog):
    assert main([*command, "--budget", "3", "--constraint", "latency <= 2"]) == 0
    assert main(["run", str(tmp_path / "s"), "--budget", "4"]) == 0
    assert caplog.messages == []
    assert main(["run", str(tmp_path / "s"), "--budget", "4", "--constraint", "latency <= 1"]) == 0
    assert caplog.messages == [f"{tmp_path / 's'}: changed: bounds from latency <= 2 to latency <= 1"]
    caplog.clear()
    space_file.write_text(space_file.read_text().replace('"toy"', '"tower"'))
    assert main([*command, "--budget", "4"]) == 0
    # The file states no bound, and holds.
    assert caplog.messages == [f"{tmp_path / 's'}: changed: name from toy to tower; bounds from latency <= 1 to none"]


def test_the_report_names_the_command_that_makes_the_same_again(command, space_file, tmp_path):
    folder, again = tmp_path / "s", tmp_path / "s-again"
    known = tmp_path / "known.csv"
    known.write_text("depth,op,kernel,error,latency\n1,mlp,,10,1\n")
    begin = [*command, "--seed", "3", "--constraint", "latency <= 5", "--costs", "error:1,latency:0.5"]
    assert main([*begin, "--known", str(known), "--budget", "6"]) == 0
    assert main(["run", str(folder), "--constraint", "latency <= 4", "--budget", "+6"]) == 0
    told = read_report(folder).command
    options = ["--costs", "error:1,latency:0.5", "--seed", "3", "--budget", "12", "--out", str(again)]
    bound = ["--constraint", "latency <= 4"]
    wanted = ["rapid-moo", "run", str(space_file), *bound, *command[2:4], "--known", str(known), *options]
    assert sorted(shlex.split(told)) == sorted(wanted)
    assert shlex.split(told)[:3] == wanted[:3]
    assert main(["report", str(folder)]) == 0
    assert read_report(folder).command == told
    assert main(shlex.split(told)[1:]) == 0
    made, first = (json.loads((where / "study.json").read_text()) for where in (again, folder))
    assert all(
        made[key] == first[key] for key in ("space", "objectives", "constraints", "measure", "settings", "command")
    )
    assert Study(again).spent == Study(folder).spent
    # A file that states no bound takes it away, from the command as well.
    assert main([*command, "--budget", "12"]) == 0
    assert "--constraint" not in read_report(folder).command


def test_a_study_that_was_begun_in_python_has_no_such_command(tmp_path, command):
    Study(tmp_path / "s", toy(), good, objectives=PRICED).run(3.0)
    assert main(["run", str(tmp_path / "s"), *command[2:4], "--budget", "4.5"]) == 0
    assert read_report(tmp_path / "s").command == ""


def test_a_command_line_that_is_damaged_is_refused(command, tmp_path, capsys):
    assert main([*command, "--budget", "3"]) == 0
    path = tmp_path / "s" / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "command": ["run"]}))
    assert main(["status", str(tmp_path / "s")]) == 2
    assert "expected the command that began it, got ['run']" in capsys.readouterr().err


def test_an_objective_that_is_listed_no_more_is_kept_and_told(command, space_file, capsys):
    assert main([*command, "--budget", "3"]) == 0
    text = space_file.read_text()
    space_file.write_text("".join(line for line in text.splitlines(True) if not line.startswith("latency")))
    assert main([*command, "--budget", "4"]) == 0
    told = capsys.readouterr()
    assert f"note: {space_file} does not list latency any more: the study in {command[-1]} keeps it" in told.err
    assert "latency" in told.out
