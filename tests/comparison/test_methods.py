"""The methods that come with the package: the budget, the same run for a seed, and their extras."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from rapid_moo import adrs
from rapid_moo.comparison import get_method, run_method
from rapid_moo.comparison.registry import available_methods
from rapid_moo.comparison.run import sorted_table
from rapid_moo.errors import MissingExtraError
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.trajectory import trajectory

LIGHT = ["random", "stratified-random", "local-search", "mo-rea", "nsga2", "nsga3", "age-moea2", "sms-emoa", "u-nsga3"]
# Each evaluation costs these tens of milliseconds or more: a few dozen are enough here, just past their first sample.
HEAVY = {"nevergrad-de": 60, "nevergrad-portfolio": 40, "optuna-tpe": 24, "optuna-nsga3": 90, "linas": 60}
HEAVIEST = {"optuna-gp": "torch", "qlognehvi": "botorch"}
# In pymoo these compare normalised values with absolute constants: their own path may depend on the units.
UNIT_AWARE = ["age-moea2", "nsga3", "u-nsga3"]


@pytest.mark.parametrize("name", LIGHT)
def test_methods_keep_to_the_budget_and_never_pay_twice(name, table):
    record = run_method(sorted_table(table), get_method(name), 90, 3)
    assert len(record.rows) == len(set(record.rows)) == 90
    assert record.rows == run_method(sorted_table(table), get_method(name), 90, 3).rows
    assert record.rows != run_method(sorted_table(table), get_method(name), 90, 4).rows


@pytest.mark.parametrize("name", LIGHT)
def test_anytime_methods_do_not_know_the_budget(name, table):
    short = run_method(sorted_table(table), get_method(name), 60, 0)
    long = run_method(sorted_table(table), get_method(name), 120, 0)
    assert long.rows[:60] == short.rows


@pytest.mark.parametrize(("name", "budget"), HEAVY.items())
def test_heavy_methods_keep_to_the_budget_and_repeat_themselves_for_a_seed(name, budget, small_table):
    small = sorted_table(small_table())
    record, again = (run_method(small, get_method(name), budget, 3) for _ in range(2))
    assert len(record.rows) == len(set(record.rows)) == budget
    assert record.rows == again.rows
    shorter = run_method(small, get_method(name), budget // 2, 3)
    assert shorter.rows == record.rows[: budget // 2]
    assert run_method(small, get_method(name), budget // 2, 4).rows != shorter.rows


def test_rapid_does_not_know_the_budget_within_its_first_sample_either(table):
    short, long = (run_method(sorted_table(table), get_method("rapid"), budget, 0) for budget in (10, 16))
    assert long.rows[:10] == short.rows


@pytest.mark.parametrize("name", ["nevergrad-de", "nevergrad-portfolio"])
def test_nevergrad_proposes_every_choice_of_every_gene(name, table):
    method = get_method(name)(ArchitectureProblem(table.space, table), 200, 0)
    rng = np.random.default_rng(0)
    asked = []
    for _ in range(200):
        asked.append(method.ask())
        method.tell(asked[-1], rng.random((1, len(table.objectives))))
    for k, gene in enumerate(table.space.genes):
        share = np.bincount(np.concatenate(asked)[:, k], minlength=len(gene.choices)) / 200
        assert share.min() > 0.2 / len(gene.choices), (gene.name, share)


def test_linas_beats_random_by_what_it_predicts(small_table):
    small = sorted_table(small_table())

    def quality(method, seed):
        record = run_method(small, get_method(method), 90, seed)
        return adrs(small.F[list(record.rows)], reference=small.front)

    assert quality("linas", 0) < np.mean([quality("random", seed) for seed in range(10)])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of its own parts
@pytest.mark.parametrize("name", HEAVIEST)
def test_methods_of_the_heaviest_extras(name, small_table):
    pytest.importorskip(HEAVIEST[name], reason=f"the extra of {name} is not installed")
    small = sorted_table(small_table())
    record = run_method(small, get_method(name), 20, 0)
    assert len(set(record.rows)) == len(record.rows) == 20
    assert record.rows == run_method(small, get_method(name), 20, 0).rows


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, where it is installed
@pytest.mark.parametrize(("name", "module"), [("optuna-tpe", "optuna"), ("optuna-gp", "torch"), ("qlognehvi", "torch")])
def test_a_missing_extra_is_named(name, module, monkeypatch):
    package = "rapid_moo.comparison.methods"
    for loaded in list(sys.modules):
        if loaded.startswith((f"{package}._optuna", f"{package}.optuna", f"{package}.qlognehvi")):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rapid-moo\["):
        get_method(name)
    found, missing = available_methods()
    assert name not in {method.name for method in found}
    assert any(reason.startswith(name) for reason in missing)


@pytest.mark.parametrize("name", LIGHT)
def test_methods_exhaust_a_small_table(name, small_table):
    small = sorted_table(small_table())
    record = run_method(small, get_method(name), len(small), 0)
    assert len(set(record.rows)) == len(record.rows) >= len(small) // 2


@pytest.mark.parametrize("name", LIGHT)
def test_order_of_rows_and_units_change_nothing(name, small_table):
    order = np.random.default_rng(5).permutation(216)
    scale = (0.5, 1024.0, 8.0) if name not in UNIT_AWARE else (1.0, 1.0, 1.0)
    tables = [sorted_table(t) for t in (small_table(), small_table(order), small_table(scale=scale))]
    records = [run_method(t, get_method(name), 80, 1) for t in tables]
    assert records[0].rows == records[1].rows == records[2].rows
    paths = [trajectory(t.front, t.F[list(r.rows)], [10, 80]) for t, r in zip(tables, records, strict=True)]
    pd.testing.assert_frame_equal(paths[0], paths[1], check_exact=True)
    pd.testing.assert_frame_equal(paths[0], paths[2], check_exact=False, rtol=1e-12)
