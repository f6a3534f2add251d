"""What notebooks ask for: frames in and out, and what a cell ends with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pymoo.optimize import minimize
from pymoo.problems import get_problem as pymoo_problem

from rapid_moo import (
    RAPID,
    ADRSTuner,
    ArchitectureProblem,
    Comparison,
    Gene,
    GridSpace,
    Objective,
    PredictorSet,
    PredictorSpec,
    Study,
    get_problem,
    get_space,
)
from rapid_moo.errors import InputError
from rapid_moo.frames import described_frame
from rapid_moo.search import Search, SearchSettings

EVIL = "</td><script>alert(1)</script>"


@pytest.fixture(scope="module")
def result():
    return minimize(get_problem("digits"), RAPID(), ("n_eval", 20), seed=1)


def own_space() -> GridSpace:
    genes = [Gene(EVIL, ("a", "b")), Gene("depth", (1, 2, 3))]
    return GridSpace("own", genes, (Objective("x", "min"), Objective("y", "max", "s")))


def test_a_described_frame_keeps_every_column_apart():
    # A gene is called like our column, another like an objective, which stays.
    space = GridSpace(
        "s", [Gene("architecture", ("a", "b")), Gene("size", (1, 2)), Gene("k", (3, 5), when={"size": 2})]
    )
    X, raw = np.array([[1, 0, 0], [0, 1, 1]]), np.array([[7.0, np.nan], [8.0, 0.5]])
    frame = described_frame(space, ("size", "error"), X, raw)
    assert list(frame.columns) == ["architecture_", "architecture", "k", "size", "error"]
    assert frame["architecture_"].tolist() == [space.to_string(x) for x in X]
    assert frame["architecture"].tolist() == ["b", "a"]
    assert np.isnan(frame["k"][0])
    assert frame["k"][1] == 5
    np.testing.assert_array_equal(frame[["size", "error"]], raw)
    empty = described_frame(space, ("size", "error"), X[:0], raw[:0])
    assert (list(empty.columns), len(empty)) == (list(frame.columns), 0)


def test_a_result_as_a_frame_is_its_front(result):
    frame, problem = result.to_frame(), result.problem
    assert list(frame.columns) == [
        "architecture",
        *(g.name for g in problem.space.genes),
        "accuracy",
        "latency",
        "memory",
    ]
    np.testing.assert_allclose(frame[["accuracy", "latency", "memory"]], result.F * [-1, 1, 1])
    X = np.array([problem.space.from_string(text) for text in frame["architecture"]])
    np.testing.assert_array_equal(X, problem.genotypes(result.X))


def test_everything_of_a_run(result):
    everything = result.to_frame(everything=True)
    assert len(everything) == 20
    pd.testing.assert_frame_equal(everything, result.problem.to_frame())


def test_adrs_of_a_result_is_that_of_everything_billed(result):
    problem = result.problem
    assert result.adrs() == problem.adrs(result.bill) == problem.adrs()
    # Another run on the same problem has a bill of its own.
    other = minimize(problem, RAPID(n_initial=8), ("n_eval", 10), seed=5)
    assert len(other.to_frame(everything=True)) == 10
    assert other.adrs() > problem.adrs()


def test_results_of_foreign_problems():
    found = minimize(_Foreign(), RAPID(n_initial=4), ("n_eval", 8), seed=1)
    assert list(found.to_frame().columns)[-2:] == ["f1", "f2"]
    assert "Result of RAPID" in repr(found)
    with pytest.raises(InputError, match="expected a problem whose front is known"):
        found.adrs()


class _Foreign(type(pymoo_problem("zdt1"))):
    """Two integers, and no known front."""

    def __init__(self):
        super().__init__(n_var=2)
        self.xl, self.xu, self.vtype = np.zeros(2), np.full(2, 5.0), int

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = np.column_stack([x[:, 0], x[:, 1] - x[:, 0]])

    def _calc_pareto_front(self, *args, **kwargs):
        return None


def test_a_run_that_found_nothing_has_an_empty_frame():
    problem = ArchitectureProblem(own_space(), measure=lambda architecture: {"x": None, "y": None})
    found = minimize(problem, RAPID(n_initial=3), ("n_eval", 3), seed=1)
    assert found.X is None
    assert len(found.to_frame()) == 0
    assert len(found.to_frame(everything=True)) == 3


def test_a_frame_of_ones_own_is_a_problem_and_a_sample():
    frame = pd.DataFrame(
        {"op": ["a", "b"] * 6, "depth": [1, 2, 3] * 4, "err": np.arange(12.0), "lat": np.arange(12.0)[::-1]}
    )
    frame = frame.drop_duplicates(["op", "depth"])
    problem = get_problem(frame, objectives="err:min,lat:min")
    assert len(problem.table) == 6
    specs = [PredictorSpec("bayesian_ridge")] * 2
    one = PredictorSet(problem.space, problem.objectives, specs).fit(frame)
    two = PredictorSet(problem.space, problem.objectives, specs).fit(problem.table)
    np.testing.assert_array_equal(one.predict(problem.table.X), two.predict(problem.table.X))
    with pytest.raises(InputError, match="lat"):
        PredictorSet(problem.space, problem.objectives, specs).fit(frame.drop(columns="lat"))


def test_a_study_names_its_architectures(tmp_path):
    study = Study(tmp_path / "s", own_space(), lambda a: {"x": a["depth"], "y": 1.0})
    study.run(budget=4)
    frame = study.to_frame()
    space = study.space
    assert [space.to_dict(space.from_string(text)) for text in frame["architecture"]] == [
        {EVIL: op, "depth": depth} for op, depth in zip(frame[EVIL], frame["depth"], strict=True)
    ]
    assert "4 of 4 evaluations" in repr(study)
    assert "alert(1)" in study.space._repr_html_()
    assert "<script>" not in study.space._repr_html_()


def test_a_search_as_a_frame(tmp_path):
    found = Search(get_problem("digits").table, SearchSettings(budget=20)).run()
    assert len(found.to_frame(everything=True)) == 20
    raw = found.to_frame()[["accuracy", "latency", "memory"]].to_numpy()
    np.testing.assert_array_equal(raw, found.raw[found.front_rows])
    np.testing.assert_array_equal(found.front, raw * [-1.0, 1.0, 1.0])
    assert "evaluations 20 of 3,400" in repr(found)


def test_each_says_what_it_is(result, tmp_path):
    table = get_problem("digits").table
    tuned = ADRSTuner(2, seed=0, committee=False).tune(table.sample(60, 0))
    compared = Comparison(table, ["random"], [20], 2, tmp_path)
    known = {
        "Problem digits": (result.problem, "3,400 architectures"),
        "Space nasbench201": (get_space("nasbench201"), "15,625 architectures"),
        "Table digits": (table, "true front"),
        "RAPID": (result.algorithm, "evaluations"),
        "Result of RAPID": (result, "ADRS"),
        "Result of the tuner": (tuned, "ADRS"),
        "Comparison on digits": (compared, "0 of 2 made"),
    }
    for title, (one, told) in known.items():
        assert title in one._repr_html_()
        assert told in one._repr_html_()
        assert len(repr(one)) < 600
    assert repr(RAPID()) == "<RAPID: first sample 12>"
