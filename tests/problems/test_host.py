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

from rapid_moo import (
    ArchitectureProblem,
    Objective,
    PredictorSet,
    PredictorSpec,
    adrs,
    get_problem,
    get_space,
    is_nondominated,
)
from rapid_moo.errors import InputError

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


class TestSourcesFitTheirProblem:
    def test_a_table_of_another_space_is_refused(self):
        table = get_problem("digits").table
        with pytest.raises(
            InputError, match="table: expected those of the space 'nasbench_asr', got those of 'digits'"
        ):
            ArchitectureProblem(get_space("nasbench_asr"), table)
        with pytest.raises(InputError, match="other genes"):
            ArchitectureProblem(get_space("nasbench_asr"), lambda x: [0.0, 0.0, 0.0], table=table)

    def test_objectives_other_than_the_tables_are_refused_rather_than_ignored(self):
        table = get_problem("digits").table
        first, second, third = table.objectives
        other = "min" if first.direction == "max" else "max"
        for stated in ((first, second), (second, first, third), (Objective(first.name, other), second, third)):
            with pytest.raises(
                InputError, match=rf"expected the objectives {stated[0].name}:.* got those of accuracy:max"
            ):
                ArchitectureProblem(table.space, table, stated)
        assert ArchitectureProblem(table.space, table, table.objectives).objectives == table.objectives

    def test_predictors_of_another_space_are_refused(self):
        table = get_problem("digits").table
        spec = PredictorSpec("bayesian_ridge")
        predictors = PredictorSet(table.space, table.objectives, [spec] * 3).fit(table.sample(40, seed=0))
        with pytest.raises(InputError, match="predictors: expected those of the space 'nasbench_asr'"):
            ArchitectureProblem(get_space("nasbench_asr"), predictors)
