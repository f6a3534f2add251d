"""Where pymoo and this package meet: what its algorithms return, and what is asked of ours."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from pymoo.algorithms.moo.moead import MOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.optimize import minimize
from pymoo.util.ref_dirs import get_reference_directions

from rapid_moo import RAPID, ArchitectureProblem, PredictorSpec, genotype_operators, get_problem
from rapid_moo.comparison import Comparison
from rapid_moo.comparison.registry import available_methods, get_method
from rapid_moo.errors import InputError, MissingExtraError

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})


@pytest.fixture(scope="module")
def sampled():
    """A table that holds a tenth of its space: most genotypes stand for a member."""
    return get_problem("digits").table.sample(340, seed=0)


def moead(problem):
    """MOEA/D with genotype operators; it has no use for our duplicate elimination."""
    operators = {k: v for k, v in genotype_operators(problem).items() if k != "eliminate_duplicates"}
    return MOEAD(get_reference_directions("das-dennis", 3, n_partitions=5), **operators)


ALGORITHMS = {
    "NSGA-II": lambda problem: NSGA2(pop_size=20, **genotype_operators(problem)),
    "NSGA-II, pymoo's own operators": lambda problem: NSGA2(pop_size=20),
    "NSGA-III": lambda problem: NSGA3(get_reference_directions("das-dennis", 3, n_partitions=5), pop_size=24),
    "SMS-EMOA": lambda problem: SMSEMOA(pop_size=20, **genotype_operators(problem)),
    "MOEA/D": moead,
    "RAPID": lambda problem: RAPID(specs=[RIDGE] * 3),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_x_belongs_to_f_on_a_sampled_table(name, sampled):
    problem = ArchitectureProblem(sampled.space, sampled)
    result = minimize(problem, ALGORITHMS[name](problem), ("n_eval", 80), seed=1)
    for X, F in ((result.X, result.F), (result.pop.get("X"), result.pop.get("F"))):
        rows = sampled.find(np.rint(np.asarray(X, dtype=np.float64)))
        assert (rows >= 0).all()
        assert (sampled.F[rows] == F).all()


def factory(problem):
    return NSGA2(pop_size=8, **genotype_operators(problem))


def test_a_class_an_instance_and_a_factory_of_pymoo_are_compared(sampled, tmp_path):
    methods = [SMSEMOA, NSGA2(pop_size=8), factory]
    results = Comparison(sampled, methods, [30], 1, tmp_path).run()
    assert results["method"].tolist() == ["SMSEMOA", "NSGA2", "factory"]
    assert (results["evaluations"] == 30).all()


def test_asking_again_without_telling_proposes_others():
    problem = get_problem("digits")
    algorithm = RAPID(batch_size=4, specs=[RIDGE] * 3)
    algorithm.setup(problem, termination=("n_eval", 100), seed=1)
    first = algorithm.ask()
    algorithm.evaluator.eval(problem, first)
    algorithm.tell(infills=first)
    asked = [set(problem.space.keys(problem.genotypes(algorithm.ask().get("X")))) for _ in range(3)]
    assert len(set.union(*asked)) == sum(map(len, asked)) == 12


def test_constraints_as_one_string_and_one_that_nothing_meets():
    (bound,) = get_problem("digits", constraints="latency <= 4.5").constraints
    assert (bound.name, bound.relation, bound.bound) == ("latency", "<=", 4.5)
    with pytest.raises(InputError, match=r"latency <= -5: no architecture of digits meets it; latency is 3\.\d+ to 10"):
        get_problem("digits", constraints="latency <= -5")
    with pytest.raises(InputError, match="latncy"):
        get_problem("digits", constraints="latncy <= 5")


def test_without_numba_the_method_that_needs_it_is_left_out_and_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [
        name
        for name in sys.modules
        if name.startswith(("pymoo.algorithms.moo.age", "rapid_moo.comparison.methods.age"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match="numba"):
        get_method("age-moea2")
    found, missing = available_methods()
    assert "age-moea2" not in [method.name for method in found]
    assert any("age-moea2" in reason and "numba" in reason for reason in missing)
