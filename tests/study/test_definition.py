"""What defines a study: what is given anew, what the folder keeps, and what does not fit it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rapid_moo import Gene, GridSpace, Objective
from rapid_moo.errors import InputError, StudyError
from rapid_moo.measure import Command
from rapid_moo.problems import get_space
from rapid_moo.study.definition import Definition, MissingMeasure

SPACE = GridSpace("toy", [Gene("depth", (1, 2, 3)), Gene("op", ("conv", "mlp"))])
GOALS = (Objective("error", "min", "%"), Objective("latency", "min"))


def begun(folder, **given):
    definition = Definition.of(folder, SPACE, **{"objectives": GOALS} | given)
    definition.write()
    return definition


def test_nothing_is_written_before_it_is_asked_for(tmp_path):
    definition = Definition.of(tmp_path / "study", SPACE, objectives=GOALS)
    assert definition.new
    assert not (tmp_path / "study").exists()
    definition.write()
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["study.json"]


def test_what_is_left_out_is_what_it_was_begun_with(tmp_path):
    first = begun(tmp_path, measure="python m.py", constraints="latency <= 5", seed=7, options={"batch_size": 4})
    again = Definition.of(tmp_path)
    assert not again.new
    assert (again.space.genes, again.objectives, again.seed) == (SPACE.genes, GOALS, 7)
    assert (again.written, again.options) == (["latency <= 5"], {"batch_size": 4})
    # What the folder keeps of a command line is the line and where it runs.
    assert isinstance(again.measure, Command)
    assert (again.measure.line, again.measure.folder) == (first.measure.line, first.measure.folder)
    assert again.content == first.content


def test_a_cost_and_repeats_that_are_stated_anew_hold(tmp_path):
    begun(tmp_path)
    stated = [Objective("latency", "min", "ms", cost=3.0, repeats=2), Objective("memory", "min")]
    again = Definition.of(tmp_path, objectives=stated)
    assert [objective.name for objective in again.objectives] == ["error", "latency", "memory"]
    # The unit stays as it was written.
    assert (again.objectives[1].cost, again.objectives[1].repeats, again.objectives[1].unit) == (3.0, 2, "")
    again.write()
    assert Definition.of(tmp_path).objectives == again.objectives


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"seed": 1}, "holds a study with seed 0, got seed 1"),
        ({"objectives": [Objective("error", "max")]}, "'error' is to be minimised there, got 'max'"),
        ({"objectives": [Objective("error", "min", "s")]}, "'error' was measured in % there, got 's'"),
        ({"space": GridSpace("toy", [Gene("depth", (1, 2))])}, "gene 'depth' has choices"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_file_stays(tmp_path, given, told):
    begun(tmp_path)
    before = (tmp_path / "study.json").read_bytes()
    with pytest.raises(InputError, match=told):
        Definition.of(tmp_path, **given)
    assert (tmp_path / "study.json").read_bytes() == before


def test_what_is_given_anew_and_is_not_as_it_was_is_told_in_one_line(tmp_path, caplog):
    begun(tmp_path, measure="python m.py", constraints=["latency <= 2"])
    other = GridSpace("tower", SPACE.genes)
    goals = [Objective("error", "min", cost=3600.0), Objective("latency", "min", repeats=2), Objective("memory", "min")]
    given = {"measure": "python n.py", "constraints": ["latency <= 1", "depth <= 2"], "objectives": goals}
    Definition.of(tmp_path, other, **given).write()
    where = Path.cwd()
    (told,) = caplog.messages
    assert told == (
        f"{tmp_path}: changed: name from toy to tower; bounds from latency <= 2 to latency <= 1, depth <= 2;"
        f" measure from 'python m.py' in {where} to 'python n.py' in {where}; cost of error from 1.0 to 3600.0;"
        " repeats of latency from 1 to 2; memory is a new objective"
    )
    assert Definition.of(tmp_path).space.name == "tower"
    caplog.clear()
    again = Definition.of(tmp_path, other, **given)
    again.write()
    again.keep_budget(12)
    Definition.of(tmp_path).write()
    assert caplog.messages == []
    Definition.of(tmp_path, constraints=[]).write()
    assert caplog.messages == [f"{tmp_path}: changed: bounds from latency <= 1, depth <= 2 to none"]


def test_a_registered_space_of_another_name_is_another_space(tmp_path):
    Definition.of(tmp_path, get_space("digits")).write()
    with pytest.raises(InputError, match="holds a study of digits, got nets"):
        Definition.of(tmp_path, GridSpace("nets", get_space("digits").genes, get_space("digits").objectives))


def test_a_folder_with_evaluations_alone_is_left_alone(tmp_path):
    (tmp_path / "evaluations.csv").write_text("depth,op,error\n")
    with pytest.raises(StudyError, match=r"found evaluations.csv but no study.json"):
        Definition.of(tmp_path, SPACE, objectives=GOALS)


def test_the_budget_is_kept_and_the_rest_as_it_was(tmp_path):
    definition = begun(tmp_path)
    assert definition.budget is None
    before = json.loads((tmp_path / "study.json").read_text())
    definition.keep_budget(12)
    after = json.loads((tmp_path / "study.json").read_text())
    assert Definition.of(tmp_path).budget == 12
    assert after["settings"] == before["settings"] | {"budget": 12}
    assert {**after, "settings": {}} == {**before, "settings": {}}


def test_a_measure_that_is_not_found_says_so_when_it_is_called(tmp_path):
    begun(tmp_path, measure=lambda architecture: {"error": 1.0, "latency": 1.0})
    found = Definition.of(tmp_path)
    assert isinstance(found.measure, MissingMeasure)
    with pytest.raises(InputError, match="lives in the program that began the study: give it again"):
        found.complete_measure(GOALS)({"depth": 1})


def test_without_a_measure_each_objective_says_what_is_missing(tmp_path):
    several = begun(tmp_path).complete_measure(GOALS)
    assert list(several) == ["error", "latency"]
    with pytest.raises(InputError, match="has no measure: give one, or ask and tell"):
        several["latency"]({"depth": 1})
