"""What is told by hand or taken over from a file: computed values stay exact, and what means nothing is refused."""

from __future__ import annotations

import pytest

from rapid_moo import Gene, GridSpace, Objective, Study
from rapid_moo.errors import InputError

SIZE = Objective("size", "min")
SPACE = GridSpace(
    "toy", [Gene("depth", (1, 2, 3)), Gene("op", ("conv", "mlp"))], computed={SIZE: lambda a: 10.0 * a["depth"]}
)
GOALS = (Objective("error", "min"), SIZE)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "s", SPACE, objectives=GOALS)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "told.csv"
    path.write_text("depth,op,error,size\n2,conv,5.0,77\n3,mlp,,99\n")
    return path


def test_what_the_space_computes_is_exact_whatever_a_file_says(study, file):
    assert study.tell_file(file) == (2, 1)
    assert study.store.raw[0].tolist() == [5.0, 20.0]
    assert study.tell_file(file) == (2, 0)
    assert study.import_known(file) == 2
    row = int(study.store.find(SPACE.from_dict({"depth": 3, "op": "mlp"})[None])[0])
    assert study.store.raw[row, 1] == 30.0


def test_what_the_space_computes_is_exact_whatever_is_told(study):
    trial = study.ask()
    study.tell(trial, {"error": 1.0, "size": 3.0})
    assert study.store.raw[trial.number - 1].tolist() == [1.0, 10.0 * trial["depth"]]


def test_a_row_that_failed_has_its_size_all_the_same(study, tmp_path):
    path = tmp_path / "told.csv"
    path.write_text("depth,op,error,size,state,reason\n2,conv,,,failed,no memory\n")
    study.import_known(path)
    assert study.store.raw[0, 1] == 20.0
    assert study.store.failed_objectives[0].tolist() == [True, False]


def test_a_number_that_means_nothing_is_refused(study, tmp_path):
    path = tmp_path / "told.csv"
    path.write_text("depth,op,error\n2,conv,1e300\n")
    for take in (study.tell_file, study.import_known):
        with pytest.raises(InputError, match=r"line 2: column 'error': expected a number of at most 1e\+30 .* '1e300'"):
            take(path)
    assert len(study.store) == 0
