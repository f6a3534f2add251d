"""Problems, the algorithm and the command line, on the embedded table."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.optimize import minimize

import rapid_moo.algorithm
from rapid_moo import RAPID, BillingEvaluator, PredictorSpec, adrs, data, get_problem
from rapid_moo.cli import main
from rapid_moo.errors import InputError
from rapid_moo.operators import evolutionary
from rapid_moo.problems.registry import open_table
from rapid_moo.tuning import pick_loss

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})


@pytest.mark.parametrize("algorithm", [NSGA2, SMSEMOA])
def test_unmodified_pymoo_algorithms_run_and_are_billed_once(algorithm):
    problem = get_problem("digits")
    result = minimize(problem, algorithm(pop_size=20), ("n_eval", 80), seed=1, evaluator=BillingEvaluator())
    assert result.F.shape[1] == 3
    assert result.algorithm.evaluator.n_eval == problem.n_evaluations
    assert len(np.unique(problem.store.X, axis=0)) == problem.n_evaluations


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_genotype_operators_never_repeat(name):
    problem = get_problem("digits")
    result = minimize(problem, evolutionary(name, problem, 20), ("n_eval", 100), seed=1)
    assert result.algorithm.evaluator.n_eval == problem.n_evaluations


def test_pick_loss_is_zero_for_the_truth_only():
    table = get_problem("digits").table.sample(200, 0)
    assert pick_loss(table.F, table.F) == 0.0
    assert pick_loss(table.F, -table.F) > 0.1


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_command_line_search_writes_what_it_says(tmp_path, capsys):
    outs = [tmp_path / "a", tmp_path / "b"]
    for out in outs:
        assert run("search", "digits", "--budget", 52, "--tuner-budget", 2, "--out", out) == 0
    summary = json.loads((outs[0] / "summary.json").read_text())
    billed = pd.read_csv(outs[0] / "evaluations.csv")
    problem = get_problem("digits")
    F = billed[["accuracy", "latency", "memory"]].to_numpy() * [-1, 1, 1]
    assert summary["adrs"] == pytest.approx(adrs(F, reference=problem.pareto_front()))
    assert summary["evaluations"] == len(billed) == billed["architecture"].nunique()
    assert (outs[0] / "front.png").stat().st_size > 10_000
    for name in ("front.csv", "evaluations.csv"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    assert "ADRS" in capsys.readouterr().out


def test_evaluations_say_what_each_cost_and_are_read_again(tmp_path, capsys):
    prices = {"accuracy": 1.0, "latency": 0.01}
    told = ("--costs", "accuracy:1,latency:0.01")
    assert run("search", "digits", *told, "--budget", 17, "--out", tmp_path / "first") == 0
    first = pd.read_csv(tmp_path / "first" / "evaluations.csv")
    partial = first[list(prices)].notna() @ pd.Series(prices)
    assert first["cost"].tolist() == pytest.approx(partial.tolist())
    # What is taken over costs nothing, in the file as in the report's curve.
    priors = ("--prior", tmp_path / "first", "--same", "accuracy", "--device", "batch64")
    assert run("search", "digits", *told, *priors, "--budget", 8.5, "--out", tmp_path / "second") == 0
    second = pd.read_csv(tmp_path / "second" / "evaluations.csv")
    summary = json.loads((tmp_path / "second" / "summary.json").read_text())
    assert second["cost"].sum() == pytest.approx(summary["cost"])
    assert (second["cost"] <= 0.01).any()
    # Where dear values are taken over, less than two whole evaluations buys many cheap ones.
    assert run("search", "digits", *told, *priors, "--budget", 1.0, "--out", tmp_path / "third") == 0
    third = json.loads((tmp_path / "third" / "summary.json").read_text())
    assert third["cost"] <= 1.0
    assert third["evaluations"] > 10
    assert run("search", "digits", *told, *priors[:2], *priors[4:], "--budget", 1.5, "--out", tmp_path / "no") == 2
    facts = json.loads((tmp_path / "second" / "report.json").read_text())
    assert facts["progress"]["cost"][-1] <= summary["cost"] * (1 + 1e-9)
    goals = {"accuracy": "max", "latency": "min"}
    read = open_table(tmp_path / "first" / "evaluations.csv", objectives=goals, keep_partial=True)
    assert [objective.name for objective in read.objectives] == ["accuracy", "latency"]
    assert "cost" not in [gene.name for gene in read.space.genes]
    assert len(read) == first[list(prices)].notna().all(axis=1).sum()
    capsys.readouterr()


@pytest.mark.parametrize("complete", [True, False])
def test_the_search_error_is_what_the_search_of_the_predictions_missed(complete, tmp_path, monkeypatch):
    members = get_problem("digits").space.enumerate()
    visited = members if complete else members[:50]
    monkeypatch.setattr(rapid_moo.algorithm, "search_predictions", lambda *_, **__: visited)
    options = ("--train-ratio", 0.02, "--tuner-budget", 1, "--algorithm", "nsga2", "--out", tmp_path)
    assert run("search", "digits", *options) == 0
    missed = json.loads((tmp_path / "summary.json").read_text())["adrs_search"]
    assert (missed < 1e-9) == complete


def test_command_line_mix_and_match(tmp_path, capsys):
    folder = tmp_path / "tuned"
    assert run("tune", "--dataset", "digits", "--dir", folder, "--train-ratio", 0.03, "--budget", 3) == 0
    assert {"adrs", "front", "accuracy_model", "mse", "mape"} <= set(pd.read_csv(folder / "adrs.csv").columns)
    table = tmp_path / "mine.csv"
    rows = [f'"[{a}, {b}]",{a + b},{(a - 3) ** 2 + b},{a * b}' for a in range(8) for b in range(8)]
    table.write_text("\n".join(["vector,quality,cost,size", *rows]))
    goal = "quality:max,cost:min,size:min"
    out = tmp_path / "found"
    assert run("search", "--dataset", table, "--objectives", goal, "--tuner", folder, "--out", out) == 0
    capsys.readouterr()


BROKEN = {
    "no such file": (None, "found neither"),
    "no vector": ("a,b\n1,2\n", "column 'vector'"),
    "ragged": ('vector,accuracy,latency\n"[1, 2]",1,2\n"[1]",1,2\n', "row 2"),
    "unparsable": ('vector,accuracy,latency\n"[1, x]",1,2\n', "integers in brackets"),
    "nan": ('vector,accuracy,latency\n"[1, 2]",nan,2\n', "finite number"),
    "wrong column": ('vector,accuracy\n"[1, 2]",1\n', "column 'latency'"),
    "empty": ("vector,accuracy,latency\n", "at least one row"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_tables_are_one_error(case, tmp_path, capsys):
    content, expected = BROKEN[case]
    path = tmp_path / "broken.csv"
    if content is not None:
        path.write_text(content)
    out = tmp_path / "out"
    assert run("search", "--dataset", path, "--objectives", "accuracy:max,latency:min", "--out", out) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--train-ratio", "1.5"], "(0, 1)"),
        (["--budget", "99999"], "3400"),
        (["--budget", "10", "--oneshot"], "training rows"),
        (["--objectives", "accuracy:up,latency:min"], "'up'"),
        (["--objectives", "accuracy,latency:min"], "COLUMN:min"),
        (["--constraint", "latency < 3"], "constraint"),
        (["--constraint", "latency <= 0"], "meets"),
        (["--families", "magic"], "magic"),
        (["--tuner", "nowhere"], "triplet.json"),
        (["--memory", "flops"], "flops"),
        (["--algorithm", "magic"], "magic"),
    ],
)
def test_bad_options_are_one_error(options, expected, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("search", "digits", "--out", out, *options) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert not out.exists()


def test_unknown_search_is_refused():
    with pytest.raises(InputError, match="magic"):
        RAPID(search="magic")


@pytest.mark.parametrize("options", [["--train-ratio", "0.001"], ["--oneshot", "--train-ratio", "0.001"], []])
def test_few_evaluations_are_enough(options, tmp_path, capsys):
    assert run("search", "digits", *options, "--budget", 20, "--out", tmp_path) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["evaluations"] <= 20
    assert ("tuner's estimate  none" in capsys.readouterr().out) == (summary["tuner_adrs"] is None)


def test_the_next_command_of_tune_works(tmp_path, capsys):
    csv = tmp_path / "my own.csv"
    lines = data.locate("digits").read_text().splitlines(keepends=True)
    csv.write_text("".join(lines[:60]))
    goals = "accuracy:max,latency:min"
    assert run("tune", "--dataset", csv, "--objectives", goals, "--dir", tmp_path / "tuned", "--budget", 1) == 0
    command = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: rapid-moo "))
    assert run(*shlex.split(command.removeprefix("Next: rapid-moo ")), "--out", tmp_path / "found") == 0
