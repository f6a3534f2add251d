"""``rapid-moo init`` writes what works as it is, and replaces nothing."""

from __future__ import annotations

import shlex

import pytest

from rapid_moo import Study
from rapid_moo.cli import main


@pytest.mark.parametrize("file", ["board.toml", "my nets/board.toml"])
def test_what_is_written_runs_by_the_command_that_is_printed(file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", file]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Written: {file}, {file.replace('board.toml', 'measure.py')}\n")
    command = shlex.split(told.partition("Next: ")[2])
    assert command[0] == "rapid-moo"
    assert f"# {shlex.join(command)}\n" in (tmp_path / file).read_text()
    assert main(command[1:]) == 0
    status = Study(tmp_path / "runs" / "board").status()
    assert (status.begun, status.done) == (status.budget, status.budget)
    assert status.front_size > 1


def test_a_measure_that_is_there_stays_and_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "measure.py").write_text("mine")
    assert main(["init", "board.toml"]) == 0
    assert (tmp_path / "measure.py").read_text() == "mine"
    told = capsys.readouterr().out
    assert told.startswith("Written: board.toml\nmeasure.py is there already and was left as it is")


def test_a_space_that_is_there_is_refused_and_nothing_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.toml").write_text("mine")
    assert main(["init", "board.toml"]) == 2
    assert "board.toml: expected a new file, found one" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["board.toml"]
