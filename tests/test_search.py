"""Problems, the algorithm and the command line, on the embedded table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.age2 import AGEMOEA2
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.core.problem import Problem
from pymoo.optimize import minimize

from rapid_moo import RAPID, ADRSTuner, ArchitectureProblem, BillingEvaluator, PredictorSpec, adrs, get_problem
from rapid_moo.cli import main
from rapid_moo.errors import InputError
from rapid_moo.operators import evolutionary
from rapid_moo.tuning import pick_loss

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})


@pytest.mark.parametrize("algorithm", [NSGA2, AGEMOEA2, SMSEMOA])
def test_unmodified_pymoo_algorithms_run_and_are_billed_once(algorithm):
    problem = get_problem("digits")
    result = minimize(problem, algorithm(pop_size=20), ("n_eval", 80), seed=1, evaluator=BillingEvaluator())
    assert result.F.shape[1] == 3
    assert result.algorithm.evaluator.n_eval == problem.n_evaluations
    assert len(np.unique(problem.ledger.X, axis=0)) == problem.n_evaluations


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_genotype_operators_never_repeat(name):
    problem = get_problem("digits")
    result = minimize(problem, evolutionary(name, problem, 20), ("n_eval", 100), seed=1)
    assert result.algorithm.evaluator.n_eval == problem.n_evaluations


def test_failed_evaluations_are_billed_and_never_selected():
    space = get_problem("digits").space

    def profiler(X):
        row = space.compute(X, "memory")
        return [np.nan, np.nan, np.nan] if X[0, 0] == 0 else [90.0 - row[0], row[0], row[0]]

    problem = ArchitectureProblem(space, profiler)
    result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 30), seed=0)
    assert problem.n_evaluations == 30
    assert np.isnan(problem.ledger.raw).any()
    assert np.isfinite(result.F).all()


def test_budget_is_exact_and_repeats_in_another_run():
    runs = []
    for _ in range(2):
        problem = get_problem("digits")
        minimize(problem, RAPID(tuner=ADRSTuner(4)), ("n_eval", 60), seed=3)
        runs.append(problem.ledger.X)
    assert len(runs[0]) == 60
    assert (runs[0] == runs[1]).all()


def test_rapid_beats_random_on_the_embedded_table():
    problem = get_problem("digits")
    front = problem.pareto_front()
    result = minimize(problem, RAPID(specs=[PredictorSpec(), RIDGE, None]), ("n_eval", 100), seed=0)
    rivals = [adrs(front, problem.table.sample(100, seed).F) for seed in range(10)]
    assert adrs(front, result.pop.get("F")) < min(rivals)


def test_one_round_evaluates_the_predicted_front_and_at_least_a_batch():
    bills = []
    for batch_size in (None, 2, 300):
        problem = get_problem("digits")
        options = {"n_initial": 60, "sampling": "random", "batch_size": batch_size}
        minimize(problem, RAPID(rounds=1, specs=[RIDGE, RIDGE, None], **options), seed=0)
        bills.append(problem.ledger.X)
    front, same, more = bills
    assert 60 < len(front) < 360
    assert (front == same).all()
    assert len(more) == 360
    assert (more[: len(front)] == front).all()
    assert len(np.unique(more, axis=0)) == 360


def test_a_round_in_parts_costs_as_much_and_finds_no_less():
    table = get_problem("digits").table
    found = {}
    for parts in (1, 3):
        problem = get_problem("digits")
        options = {"n_initial": 60, "sampling": "random", "parts": parts}
        result = minimize(problem, RAPID(rounds=1, specs=[RIDGE, RIDGE, None], **options), seed=0)
        assert result.algorithm.n_iter == 2 + parts
        found[parts] = problem.ledger.X
    assert len(found[1]) == len(found[3]) > 63
    assert (found[1][:60] == found[3][:60]).all()
    quality = {parts: adrs(table.front, table.F[table.find(X)]) for parts, X in found.items()}
    assert quality[3] <= quality[1]


def test_a_round_in_parts_is_tuned_once(monkeypatch):
    tuned = []
    tune = ADRSTuner.tune
    monkeypatch.setattr(ADRSTuner, "tune", lambda self, sample: tuned.append(len(sample)) or tune(self, sample))
    tuner = ADRSTuner(budget=1, families=["bayesian_ridge"])
    algorithm = RAPID(rounds=1, parts=4, n_initial=20, batch_size=60, tuner=tuner)
    minimize(get_problem("digits"), algorithm, ("n_eval", 80), seed=0)
    assert tuned == [20]


def test_parts_are_of_one_round():
    with pytest.raises(InputError, match="parts: expected 1 unless rounds is 1, got 3 with rounds=None"):
        RAPID(parts=3)


def test_ask_and_tell_keeps_to_the_budget():
    problem = get_problem("digits")
    algorithm = RAPID(specs=[RIDGE, RIDGE, None])
    algorithm.setup(problem, termination=("n_eval", 40), seed=0)
    asked = 0
    for _ in range(100):
        infills = algorithm.ask()
        if len(infills) == 0:
            break
        infills.set("F", problem.evaluate(np.asarray(infills.get("X"))))
        asked += len(infills)
        algorithm.tell(infills)
    assert asked == 40


def test_constraints_hold_for_what_is_found():
    problem = get_problem("digits", constraints=["latency <= 4"])
    result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 60), seed=0)
    assert (result.F[:, 1] <= 4).all()
    assert (problem.pareto_front()[:, 1] <= 4).all()


class Foreign(Problem):
    def __init__(self):
        super().__init__(n_var=6, n_obj=2, xl=-2, xu=5, vtype=int)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = np.column_stack([(x**2).sum(axis=1), ((x - 2) ** 2).sum(axis=1)])


def test_foreign_integer_problem():
    result = minimize(Foreign(), RAPID(specs=[RIDGE, RIDGE]), ("n_eval", 50), seed=0)
    assert len(np.unique(result.pop.get("X"), axis=0)) == 50


def test_pick_loss_is_zero_for_the_truth_only():
    table = get_problem("digits").table.sample(200, 0)
    assert pick_loss(table.F, table.F) == 0.0
    assert pick_loss(table.F, -table.F) > 0.1


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_command_line_search_writes_what_it_says(tmp_path, capsys):
    outs = [tmp_path / "a", tmp_path / "b"]
    for out in outs:
        assert run("search", "digits", "--train-ratio", 0.03, "--tuner-budget", 3, "--out", out) == 0
    summary = json.loads((outs[0] / "summary.json").read_text())
    billed = pd.read_csv(outs[0] / "evaluations.csv")
    problem = get_problem("digits")
    F = billed[["accuracy", "latency", "memory"]].to_numpy() * [-1, 1, 1]
    assert summary["adrs"] == pytest.approx(adrs(problem.pareto_front(), F))
    assert summary["evaluations"] == len(billed) == billed["architecture"].nunique()
    assert (outs[0] / "front.png").stat().st_size > 10_000
    for name in ("front.csv", "evaluations.csv"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    assert "ADRS" in capsys.readouterr().out


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
        (["--budget", "10"], "training rows"),
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
