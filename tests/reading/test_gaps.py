"""Rows that lack an objective: counted, left out, or known in part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, PredictorSpec, open_table
from rapid_moo.errors import InputError

GOALS = "a:max,b:min"


def gappy(n=60):
    rng = np.random.default_rng(0)
    X = np.array([(i, j, k) for i in range(4) for j in range(5) for k in range(3)])[rng.permutation(60)[:n]]
    frame = pd.DataFrame(X, columns=["i", "j", "k"])
    frame["a"] = (X @ [1.0, 2.0, 3.0]).astype(str)
    frame["b"] = (X @ [3.0, 1.0, 0.5] + 1.0).astype(str)
    frame.loc[[3, 7], "a"] = ["OOM", ""]
    frame.loc[[7, 11, 12], "b"] = ["-1", "-1", "timeout"]
    return frame


@pytest.fixture
def path(tmp_path):
    gappy().to_csv(tmp_path / "gaps.csv", index=False)
    return tmp_path / "gaps.csv"


def test_gaps_are_counted_and_the_way_on_is_told(path):
    with pytest.raises(InputError) as caught:
        open_table(path, objectives=GOALS, failure_codes="-1")
    message = str(caught.value)
    assert "row 4, column 'a': expected a finite number, got 'OOM'" in message
    assert "4 of 60 rows lack 'a' ('OOM' 1, empty 1), 'b' ('-1' 2, 'timeout' 1)" in message
    assert "--drop-missing" in message
    assert "--keep-partial" in message


def test_they_are_left_out_with_a_line_that_says_so(path, caplog):
    table = open_table(path, objectives=GOALS, failure_codes=-1, drop_missing=True)
    assert (len(table), table.partial) == (56, None)
    assert caplog.text.count("left out: 4 of 60 rows lack") == 1
    assert table.space.size == 60, "what failed is an architecture as well"


@pytest.mark.parametrize(("codes", "left"), [("-1", 56), ("b=-1", 56), ("a=-1", 57), ("-1.0", 56), (None, 57)])
def test_failure_codes(codes, left, path):
    table = open_table(path, objectives=GOALS, failure_codes=codes, drop_missing=True)
    assert len(table) == left


def test_nothing_is_left(tmp_path):
    frame = pd.DataFrame({"k": [1, 2], "a": ["", 1], "b": [1, ""]})
    with pytest.raises(InputError, match="got none; 2 of 2 rows"):
        open_table(frame, objectives=GOALS, drop_missing=True)


def test_what_is_known_in_part_is_learnt_from_and_not_billed(path):
    table = open_table(path, objectives=GOALS, failure_codes=-1, keep_partial=True)
    assert len(table) == 56
    X, raw = table.partial
    assert np.isnan(raw).tolist() == [[True, False], [False, True], [False, True]]
    problem = ArchitectureProblem(table.space, table)
    assert problem.n_evaluations == 0
    assert np.isnan(problem.store.raw[problem.store.find(X)]).sum() == 3
    result = minimize(problem, RAPID(specs=[PredictorSpec("bayesian_ridge")] * 2), ("n_eval", 30), seed=1)
    assert problem.n_evaluations == 30
    assert np.isfinite(result.F).all()
    assert (table.find(problem.store.X[~problem.store.free]) >= 0).all(), "only members are evaluated"
    fresh = problem.fresh()
    assert (len(fresh.store), fresh.n_evaluations) == (3, 0)


def test_a_repeat_of_what_is_whole_is_not_known_in_part():
    frame = pd.DataFrame({"k": [1, 2, 1, 3], "a": [1, 2, None, 4], "b": [1.0, 2, 3, None]})
    table = open_table(frame, objectives=GOALS, keep_partial=True)
    assert table.partial[1].tolist()[0][0] == 4.0
    assert len(table.partial[0]) == 1
