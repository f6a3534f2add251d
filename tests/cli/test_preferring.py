"""``--prefer`` names a network of a front, in every command that shows one."""

from __future__ import annotations

import json

import pytest

from rapid_moo import Gene, GridSpace, Objective, Study
from rapid_moo.cli import main
from rapid_moo.cli.preferring import weights_of
from rapid_moo.errors import InputError
from rapid_moo.report import read_report

GOALS = (Objective("error", "min"), Objective("speed", "max"))


def measure(architecture):
    return {"error": 16.0 / architecture["depth"], "speed": 1.0 / architecture["depth"]}


@pytest.fixture
def folder(tmp_path):
    """Eight networks, all on the front: the deepest has the least error, the shallowest the most speed."""
    space = GridSpace("toy", [Gene("depth", (1, 2, 3, 4, 5, 6, 7, 8))])
    Study(tmp_path / "s", space, measure, objectives=GOALS).run(8)
    return tmp_path / "s"


@pytest.mark.parametrize(("weights", "depth"), [("1,0", 8), ("0,1", 1)])
def test_status_and_report_name_what_the_weights_prefer(weights, depth, folder, capsys):
    assert main(["status", str(folder), "--prefer", weights]) == 0
    told = capsys.readouterr().out
    assert f"Preferred with weights {weights}" in told
    assert told.split("Preferred with weights")[1].split()[1:3] == ["depth", str(depth)]
    assert main(["status", str(folder), "--prefer", weights, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["preferred"] == {"depth": depth, **measure({"depth": depth})}
    assert main(["report", str(folder), "--prefer", weights]) == 0
    written = read_report(folder)
    pick = written.picks[-1]
    assert pick.weights == tuple(float(weight) for weight in weights.split(","))
    assert written.architectures.raw[pick.row] == pytest.approx(tuple(measure({"depth": depth}).values()))
    assert main(["report", str(folder), "--prefer", weights, "--format", "text"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if f"Preferred by {weights}" in line]
    assert f"depth={depth}" in line


def test_without_weights_status_names_none(folder, capsys):
    assert main(["status", str(folder)]) == 0
    assert "Preferred" not in capsys.readouterr().out
    assert main(["status", str(folder), "--json"]) == 0
    assert "preferred" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["status", "report"])
@pytest.mark.parametrize("weights", ["1", "1,2,3", "0,0", "-1,1", "nan,1", "a,b", ""])
def test_weights_that_do_not_fit_are_refused(command, weights, folder, capsys):
    assert main([command, str(folder), f"--prefer={weights}"]) == 2
    told = capsys.readouterr()
    assert f"--prefer: expected a weight >= 0 for each of error,speed, not all 0, got {weights!r}" in told.err
    assert told.out == ""


def test_where_there_is_no_front_none_is_named(tmp_path, capsys):
    space = GridSpace("toy", [Gene("depth", (1, 2))])
    Study(tmp_path, space, objectives=GOALS).tell({"depth": 1}, {"error": 1.0})
    assert main(["status", str(tmp_path), "--prefer", "1,1"]) == 0
    assert "Preferred" not in capsys.readouterr().out
    assert main(["status", str(tmp_path), "--prefer", "1,1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["preferred"] is None
    assert main(["report", str(tmp_path), "--prefer", "1,1"]) == 2
    assert f"--prefer: expected a folder with a front, found none in {tmp_path}" in capsys.readouterr().err


def test_a_search_that_has_ended_can_be_asked_too(tmp_path):
    assert main(["search", "digits", "--budget", "20", "--out", str(tmp_path)]) == 0
    assert main(["report", str(tmp_path), "--prefer", "1,0,0"]) == 0
    found = read_report(tmp_path)
    best = max(found.architectures.raw[row][0] for row, on in enumerate(found.architectures.on_front) if on)
    assert found.picks[-1].weights == (1.0, 0.0, 0.0)
    assert found.architectures.raw[found.picks[-1].row][0] == best


def test_no_text_is_no_weights():
    assert weights_of(None, ["error"]) is None
    assert weights_of("1, 2e0", ["error", "speed"]) == [1.0, 2.0]
    with pytest.raises(InputError, match="for each of error, not all 0, got '1,2'"):
        weights_of("1,2", ["error"])
