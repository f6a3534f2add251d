"""Unmodified pymoo algorithms on every built-in problem, with two, three and four objectives."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.algorithms.moo.age2 import AGEMOEA2
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions

from rapid_moo import adrs, get_problem, is_nondominated

ALGORITHMS = {
    "NSGA-II": lambda n_obj: NSGA2(pop_size=16),
    "NSGA-III": lambda n_obj: NSGA3(get_reference_directions("energy", n_obj, 16, seed=1), pop_size=16),
    "AGE-MOEA-II": lambda n_obj: AGEMOEA2(pop_size=16),
    "SMS-EMOA": lambda n_obj: SMSEMOA(pop_size=16),
}
PROBLEMS = {
    "digits": (None, {}, 3),
    "nasbench201": ("nasbench201_data_final.csv", {}, 3),
    "nasbench201, profiled memory": ("nasbench201_data_final.csv", {"memory": "profiled"}, 3),
    "nasbench201, all four": (
        "nasbench201_data_final.csv",
        {"objectives": "accuracy:max,latency:min,params:min,flops:min"},
        4,
    ),
    "nasbench_asr": ("asr_data.csv", {}, 3),
    "flexibert": ("flexibert_data.csv", {}, 3),
    "hw_gpt_s": ("gpt_s_a100.csv", {}, 3),
    "hw_gpt_m": ("gpt_m_h100.csv", {}, 3),
    "hw_gpt_l": ("gpt_l_rtx3080.csv", {}, 3),
    "hw_gpt_l, energy": ("gpt_l_rtx3080.csv", {"energy": True}, 4),
    "hw_gpt_l, two objectives": ("gpt_l_rtx3080.csv", {"objectives": "accuracy:min,latency:min"}, 2),
}


def load(name, published):
    file, options, n_objectives = PROBLEMS[name]
    problem = get_problem("digits") if file is None else get_problem(published(file), **options)
    assert problem.n_obj == n_objectives
    return problem


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_runs_unmodified(name, algorithm, published):
    problem = load(name, published)
    result = minimize(problem, ALGORITHMS[algorithm](problem.n_obj), ("n_eval", 64), seed=1)
    assert result.F.ndim == 2
    assert result.F.shape[1] == problem.n_obj
    assert np.isfinite(result.F).all()
    assert is_nondominated(result.F).all()
    # Every value that was found is a member's, none was looked up twice, and all of them lie on or behind the front.
    assert (problem.table.find(problem.store.X) >= 0).all()
    assert len(np.unique(problem.store.X, axis=0)) == problem.n_evaluations <= 64
    front = problem.pareto_front()
    for point in result.F:
        assert not ((point <= front).all(axis=1) & (point < front).any(axis=1)).any()
    assert 0.0 <= adrs(result.F, reference=front) < 1.0


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [
        ("digits", "true", 20),
        ("nasbench201", "true", 91),
        ("nasbench201, profiled memory", "true", 109),
        ("nasbench_asr", "true", 27),
        ("flexibert", "reference", 35),
    ],
)
def test_fronts_are_named_for_what_they_are(name, kind, size, published):
    problem = load(name, published)
    assert problem.front_kind == kind
    assert len(problem.table.front_rows) == size


@pytest.mark.parametrize(
    ("name", "size"), [("gpt_s_a100", 455), ("gpt_s_rtx3080", 384), ("gpt_m_h100", 224), ("gpt_l_rtx3080", 180)]
)
def test_reference_fronts_of_samples(name, size, published):
    problem = get_problem(published(f"{name}.csv"))
    assert problem.front_kind == "reference"
    assert len(problem.table.front_rows) == size
