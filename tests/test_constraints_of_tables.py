"""Bounds on any column of numbers and any name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

from rapid_moo import RAPID, PredictorSpec, get_problem
from rapid_moo.cli import main
from rapid_moo.errors import InputError

GRID = np.array([(i, j) for i in range(6) for j in range(6)])
FRAME = pd.DataFrame(
    {
        "i": GRID[:, 0],
        "j": GRID[:, 1],
        "Top-1 Acc (%)": 70.0 + GRID[:, 0] + 0.1 * GRID[:, 1],
        "onnx latency/ms": 1.0 + GRID[:, 0] + GRID[:, 1] / 2,
        "peak mem": 10.0 * GRID[:, 1] + GRID[:, 0],
    }
)
GOALS = "Top-1 Acc (%):max,onnx latency/ms:min"
BOUNDS = {
    "Top-1 Acc (%) >= 72": lambda f: f["Top-1 Acc (%)"] >= 72,
    '"Top-1 Acc (%)" > 72': lambda f: f["Top-1 Acc (%)"] > 72,
    "onnx latency/ms < 3": lambda f: f["onnx latency/ms"] < 3,
    "peak mem <= 40": lambda f: f["peak mem"] <= 40,
    "'peak mem' < 40": lambda f: f["peak mem"] < 40,
    "j >= 2": lambda f: f["j"] >= 2,
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_from_python(bound):
    problem = get_problem(FRAME, objectives=GOALS, genes="i,j", constraints=bound)
    met = BOUNDS[bound](FRAME).to_numpy()
    G = problem.evaluate(problem.table.X, return_values_of=["G"])
    assert ((G <= 0).ravel() == met).all()
    best = FRAME[met]
    assert problem.pareto_front()[:, 0].min() == -best["Top-1 Acc (%)"].max()


@pytest.mark.parametrize("algorithm", [NSGA2(pop_size=10), RAPID(specs=[PredictorSpec("bayesian_ridge")] * 2)])
def test_results_meet_a_bound_on_a_further_column(algorithm):
    problem = get_problem(FRAME, objectives=GOALS, genes="i,j", constraints=["peak mem <= 12", "i >= 1"])
    result = minimize(problem, algorithm, ("n_eval", 20), seed=1)
    rows = problem.table.find(np.asarray(result.X, dtype=np.int64))
    assert (FRAME["peak mem"].to_numpy()[rows] <= 12).all()


def test_predictions_on_a_table_keep_to_a_bound_on_its_further_columns():
    class Predictors:
        def __init__(self, problem):
            self.space, self.objectives = problem.space, problem.objectives

        def predict(self, X):
            return np.ones((len(X), 2))

    problem = get_problem(FRAME, objectives=GOALS, genes="i,j", constraints="peak mem <= 40")
    predicted = problem.with_source(Predictors(problem))
    met = BOUNDS["peak mem <= 40"](FRAME).to_numpy()
    assert ((predicted.evaluate(problem.table.X, return_values_of=["G"]) <= 0).ravel() == met).all()


def test_what_is_not_known_does_not_meet_a_bound():
    frame = FRAME.assign(size=[None if k == 3 else float(k) for k in range(36)])
    problem = get_problem(frame, objectives=GOALS, genes="i,j", constraints="size <= 5")
    met = problem.evaluate(problem.table.X, return_values_of=["G"]).ravel() <= 0
    assert np.flatnonzero(met).tolist() == [0, 1, 2, 4, 5]
    assert np.flatnonzero(problem.allowed(problem.table.X)).tolist() == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("bound", ["Top-1 Acc (%) >= 72", '"peak mem" < 40'])
def test_bounds_from_the_shell(bound, tmp_path, capsys):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "out"
    options = ["--objectives", GOALS, "--genes", "i,j", "--constraint", bound, "--tuner-budget", "1"]
    assert main(["search", str(tmp_path / "t.csv"), *options, "--train-ratio", "0.3", "--out", str(out)]) == 0
    capsys.readouterr()
    front = pd.read_csv(out / "front.csv").merge(FRAME, on=["Top-1 Acc (%)", "onnx latency/ms"])
    assert len(front) > 0
    assert BOUNDS[bound.replace('"peak mem"', "'peak mem'")](front).all()


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("peak mem < 0", "peak mem is 0 to 55"),
        ("Top-1 Acc (%) > 99", r"Top-1 Acc \(%\) is 70 to 75.5"),
        ("onnx latency/ms <= 0.5", "onnx latency/ms is 1 to 8.5"),
        ("i >= 9", "i is 0 to 5"),
        (
            "latency <= 9",
            r"expected one of \['Top-1 Acc \(%\)', 'onnx latency/ms', 'i', 'j', 'peak mem'\], got 'latency'",
        ),
    ],
)
def test_a_bound_that_nothing_meets_tells_the_range(bound, said):
    with pytest.raises(InputError, match=said):
        get_problem(FRAME, objectives=GOALS, genes="i,j", constraints=bound)
