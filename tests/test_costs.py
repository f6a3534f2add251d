"""Costs: stated or not, parsed, billed once, and budgets of cost."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, ArchitectureTable, Gene, GridSpace, Objective, PredictorSpec
from rapid_moo.cli import main
from rapid_moo.comparison import Comparison, run_method
from rapid_moo.comparison.methods.random_search import RandomSearch
from rapid_moo.comparison.run import sorted_table
from rapid_moo.costs import CostBudget, costs_stated, parse_costs, prices, with_costs
from rapid_moo.errors import InputError
from rapid_moo.evaluator import BillingEvaluator
from rapid_moo.operators import genotype_operators
from rapid_moo.study.forms import objective_from_dict, objective_to_dict
from rapid_moo.study.spacefile import read_space_file
from rapid_moo.study.study import Study

GOALS = (Objective("error", "min"), Objective("latency", "min", column="lat"))
RIDGE = PredictorSpec("bayesian_ridge")


def make_table(costs=None, n=6):
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(n))) for k in range(3)])
    X = space.enumerate()
    a, b, c = X.T
    noise = np.random.default_rng(0).random((len(X), 2))
    raw = np.column_stack([30 - a * 1.5 - b + (c - 2) ** 2, 1.0 + b + a * a + c]) + noise
    goals = with_costs(GOALS, costs) if costs else GOALS
    return ArchitectureTable.build(space, goals, X, raw, name="grid")


class TestStated:
    def test_costs_are_stated_only_where_somebody_did(self):
        assert not costs_stated(GOALS, ())
        assert GOALS[0].cost == 1.0
        assert costs_stated(with_costs(GOALS, "error:1"), ())
        assert costs_stated((Objective("a", "min", cost=1),), ())
        assert not costs_stated((Objective("a", "min", cost=0.0),), ("a",))

    def test_prices_take_computed_ones_for_nothing(self):
        goals = with_costs(GOALS, {"error": 3600, "lat": 10})
        assert prices(goals, ()).tolist() == [3600.0, 10.0]
        assert prices(goals, ("latency",)).tolist() == [3600.0, 0.0]
        assert prices(GOALS, ()).tolist() == [1.0, 1.0]

    @pytest.mark.parametrize("cost", [1e-320, 9e-31])
    def test_a_cost_next_to_nothing_is_refused(self, cost):
        with pytest.raises(InputError, match=f"expected a cost of 1e-30 or more, or 0, got {cost}"):
            Objective("error", "min", cost=cost)

    def test_parsing_takes_quoted_names(self):
        assert parse_costs('"Top-1, val":1, lat : 0.01') == {"Top-1, val": 1.0, "lat": 0.01}

    @pytest.mark.parametrize(
        "text", ["", "error", "error:", "error:-1", "error:nan", "error:inf", "error:1,error:2", ":1"]
    )
    def test_nonsense_is_refused(self, text):
        with pytest.raises(InputError, match="costs: expected"):
            parse_costs(text)

    def test_an_unknown_name_a_computed_one_and_all_for_nothing_are_refused(self):
        with pytest.raises(InputError, match="expected some of error, latency, got 'energy'"):
            with_costs(GOALS, "energy:1")
        with pytest.raises(InputError, match="'latency' is computed and costs nothing, got 2"):
            with_costs(GOALS, "latency:2", ("latency",))
        with pytest.raises(InputError, match="expected a measurement that costs something"):
            with_costs(GOALS, "error:0,latency:0")

    def test_survive_a_definition_and_its_older_form(self):
        for objective in (*GOALS, *with_costs(GOALS, "error:1,latency:0.5")):
            again = objective_from_dict(json.loads(json.dumps(objective_to_dict(objective))))
            assert (again, again.cost_stated) == (objective, objective.cost_stated)
        assert "cost_stated" not in objective_to_dict(GOALS[0])

    def test_are_read_from_a_space_file(self, tmp_path):
        file = tmp_path / "s.toml"
        file.write_text(
            '[genes]\na = [1, 2]\n[objectives]\nerror = { direction = "min", cost = 3600 }\n'
            'latency = { direction = "min" }\n'
        )
        error, latency = read_space_file(file).objectives
        assert (error.cost, error.cost_stated, latency.cost_stated) == (3600, True, False)


class TestBill:
    def test_nothing_is_measured_twice_and_a_completed_architecture_is_paid_in_full(self):
        table = make_table("error:1,latency:0.01")
        problem = ArchitectureProblem(table.space, table)
        X = table.X[:5]
        only_latency = np.tile([False, True], (5, 1))
        raw = problem.evaluate_parts(X, only_latency)
        assert np.isnan(raw[:, 0]).all()
        assert (raw[:, 1] == table.raw[:5, 1]).all()
        assert problem.cost() == pytest.approx(0.05)
        problem.evaluate_parts(X, only_latency)
        assert problem.cost() == pytest.approx(0.05)
        assert (problem.evaluate_raw(X[:2]) == table.raw[:2]).all()
        assert problem.cost() == pytest.approx(2.05)
        assert problem.store.repeats.max() == 1
        assert problem.n_evaluations == 5

    def test_failures_are_paid_and_imports_are_not(self):
        space = make_table().space

        def measure(architecture):
            return {"error": float("nan") if architecture["g0"] == 0 else 1.0, "latency": 2.0}

        problem = ArchitectureProblem(space, objectives=with_costs(GOALS, "error:10,latency:1"), measure=measure)
        problem.store.add([[5, 5, 5]], [[1.0, 1.0]])
        assert problem.cost() == 0.0
        problem.evaluate_raw(space.repair([[0, 0, 0], [1, 0, 0], [5, 5, 5]]))
        assert problem.cost() == 22.0

    def test_of_a_function_for_each_objective_only_the_wanted_one_is_called(self):
        calls = []
        measure = {
            "error": lambda a: calls.append("error") or {"error": 1.0},
            "latency": lambda a: calls.append("latency") or {"latency": 2.0},
        }
        space = make_table().space
        problem = ArchitectureProblem(space, objectives=with_costs(GOALS, "error:10,latency:1"), measure=measure)
        x = space.repair([[1, 1, 1]])
        problem.evaluate_parts(x, np.array([[False, True]]))
        assert (calls, problem.cost()) == (["latency"], 1.0)
        assert problem.evaluate_raw(x).tolist() == [[1.0, 2.0]]
        assert (calls, problem.cost()) == (["latency", "error"], 11.0)


class TestBudgets:
    def test_a_budget_beyond_any_number_of_evaluations_is_one(self):
        problem = ArchitectureProblem(
            make_table("error:1e-30,lat:1e-30", n=2).space, make_table("error:1e-30,lat:1e-30", n=2)
        )
        minimize(problem, RAPID(specs=[RIDGE, RIDGE]), CostBudget(1e300), seed=0)
        assert problem.n_evaluations == 8

    @pytest.mark.parametrize("algorithm", ["rapid", "nsga2"])
    def test_minimize_ends_by_cost(self, algorithm):
        table = make_table("error:2,latency:0.5")
        problem = ArchitectureProblem(table.space, table)
        made = RAPID(specs=[RIDGE, RIDGE]) if algorithm == "rapid" else NSGA2(10, **genotype_operators(problem))
        minimize(problem, made, CostBudget(61), seed=1, evaluator=BillingEvaluator())
        assert problem.cost() >= 58.0
        assert problem.cost() <= (61 if algorithm == "rapid" else 61 + 10 * 2.5)

    def test_a_record_says_what_was_spent(self):
        record = run_method(sorted_table(make_table("error:2,latency:0.5")), RandomSearch, 61.0, 0)
        assert record.spent[-1] == 60.0
        assert len(record.complete[0]) == 24
        assert record.prices == (2.0, 0.5)
        assert type(record).from_dict(json.loads(json.dumps(record.to_dict()))) == record

    def test_without_costs_records_and_results_are_as_ever(self, tmp_path):
        record = run_method(sorted_table(make_table()), RandomSearch, 20, 0)
        assert not {"prices", "measured"} & set(record.to_dict())
        Comparison(make_table(), ["random"], [20], 1, tmp_path).run()
        assert "cost" not in (tmp_path / "results.csv").read_text().splitlines()[0]
        assert "costs" not in json.loads((tmp_path / "comparison.json").read_text())

    def test_rivals_pay_for_everything_and_results_have_a_cost(self, tmp_path):
        table = make_table("error:2,latency:0.5")
        results = Comparison(table, ["random", "nsga2"], [0.1, 61], 2, tmp_path).run()
        written = pd.read_csv(tmp_path / "results.csv")
        assert list(written.columns)[3:6] == ["evaluations", "cost", "budget"]
        assert (results["cost"] == 2.5 * results["evaluations"]).all()
        assert set(results.loc[results["budget"] == 61, "cost"]) == {60.0}
        assert set(results.loc[results["budget"] == 0.1, "evaluations"]) == {table.count(0.1)}
        with pytest.raises(InputError, match=r"expected results of grid with costs unstated.*choose another folder"):
            Comparison(make_table(), ["random"], [20], 1, tmp_path).run()

    def test_a_budget_that_pays_for_nothing_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="pays for two architectures, at least 5, and for the whole table at most"):
            Comparison(make_table("error:2,latency:0.5"), ["random"], [3], 1, tmp_path)

    def test_a_study_ends_by_cost_and_says_so(self, tmp_path):
        space = make_table().space
        goals = with_costs(GOALS, "error:3,latency:0.25")
        study = Study(tmp_path / "s", space, lambda a: {"error": a["g0"], "latency": a["g1"]}, objectives=goals)
        status = study.run(20.0)
        assert (status.done, status.cost, status.budget) == (6, 19.5, 20.0)
        assert "cost 19.5 of 20\n6 architectures begun" in status.to_text()
        again = Study(tmp_path / "s", measure=lambda a: {"error": a["g0"], "latency": a["g1"]})
        assert again.run(26.5).cost == 26.0

    def test_the_command_line_takes_costs(self, tmp_path, capsys):
        make_table().to_frame().to_csv(tmp_path / "grid.csv", index=False)
        shared = ["--dataset", str(tmp_path / "grid.csv"), "--objectives", "error:min,latency:min"]
        shared += ["--ignore", "architecture", "--costs", "error:2,latency:0.5"]
        out = str(tmp_path / "out")
        assert main(["compare", *shared, "--methods", "random", "--budgets", "61", "--seeds", "1", "--out", out]) == 0
        assert pd.read_csv(tmp_path / "out" / "results.csv")["cost"].tolist() == [60.0]
        assert "within a cost of n" in (tmp_path / "out" / "report.md").read_text()
        assert main(["search", *shared, "--budget", "61", "--tuner-budget", "1", "--out", str(tmp_path / "one")]) == 0
        summary = json.loads((tmp_path / "one" / "summary.json").read_text())
        assert 55.0 <= summary["cost"] <= 61.0
        assert "Cost billed" in capsys.readouterr().out
        assert main(["compare", *shared[:-1], "speed:1", "--methods", "random", "--out", out]) == 2
        assert "expected some of error, latency, got 'speed'" in capsys.readouterr().err
