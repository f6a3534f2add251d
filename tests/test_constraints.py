"""ConstraintSet on objectives, computed values and genes, and functions of an architecture."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

from rapid_moo import (
    RAPID,
    ArchitectureProblem,
    Constraint,
    Gene,
    GridSpace,
    Objective,
    PredictorSpec,
    adrs,
    genotype_operators,
    get_problem,
)
from rapid_moo.constraints import ConstraintSet, FunctionConstraint, as_constraints
from rapid_moo.errors import InputError

RIDGE = PredictorSpec("bayesian_ridge")
OBJECTIVES = (Objective("error", "min"), Objective("latency @ edge (ms)", "min"), Objective("params", "min"))


def space(n_widths=2):
    genes = [
        Gene("depth", (1, 2, 3, 4)),
        Gene("op", ("conv", "mlp")),
        Gene("kernel", (3, 5, 7), when="op == conv"),
        *(Gene(f"width{k}", (8, 16, 32, 64)) for k in range(n_widths)),
    ]
    params = {OBJECTIVES[2]: lambda a: a["depth"] * a.get("kernel", 1) * a["width0"]}
    return GridSpace("net", genes, OBJECTIVES, params)


def measure(a):
    return {"error": 100.0 / (a["depth"] * a["width0"]), "latency @ edge (ms)": float(a["depth"] * a["width1"])}


class TestReading:
    @pytest.mark.parametrize(
        ("text", "name", "relation", "bound"),
        [
            ("latency <= 20", "latency", "<=", 20.0),
            ("latency<20", "latency", "<", 20.0),
            ("latency >= -1e-3", "latency", ">=", -0.001),
            ("  latency @ edge (ms)  >  .5 ", "latency @ edge (ms)", ">", 0.5),
            ("'a <= b' <= 3", "a <= b", "<=", 3.0),
            ('"a \\"b\\"" <= 3.', 'a "b"', "<=", 3.0),
            ("Größe <= 3", "Größe", "<=", 3.0),
            ("top-1 >= 70", "top-1", ">=", 70.0),
        ],
    )
    def test_texts(self, text, name, relation, bound):
        assert Constraint.parse(text) == Constraint(name, relation, bound)

    @pytest.mark.parametrize(
        "text", ["", "latency", "latency <=", "<= 3", "latency <= fast", "latency == 3", '"\\q" < 3']
    )
    def test_other_texts(self, text):
        with pytest.raises(InputError, match="constraint: expected"):
            Constraint.parse(text)

    @pytest.mark.parametrize(("relation", "bound"), [("==", 3.0), ("<=", np.nan), ("<=", np.inf)])
    def test_bounds_that_make_no_sense(self, relation, bound):
        with pytest.raises(InputError, match="constraint"):
            Constraint("latency", relation, bound)

    def test_one_alone_is_enough(self):
        bound = Constraint("a", "<=", 1.0)
        assert as_constraints("a <= 1") == as_constraints(bound) == as_constraints(["a <= 1"]) == (bound,)
        assert as_constraints(None) == as_constraints(()) == ()
        (function,) = as_constraints(len)
        assert (str(function), str(bound)) == ("len", "a <= 1")

    @pytest.mark.parametrize("item", [3, [3], [["a <= 1"]]])
    def test_something_else(self, item):
        with pytest.raises((InputError, TypeError)):
            as_constraints(item)

    def test_a_typo_is_refused_at_once(self):
        with pytest.raises(InputError, match=r"expected one of \['error', .*'params', 'depth', .*\], got 'latncy'"):
            ArchitectureProblem(space(), measure=measure, constraints="latncy <= 3")
        with pytest.raises(InputError, match="got 'op'"):
            ArchitectureProblem(space(), measure=measure, constraints="op <= 3")


class TestValues:
    @pytest.mark.parametrize(
        ("text", "values", "met"),
        [
            ("v <= 2", [1, 2, 3], [True, True, False]),
            ("v < 2", [1, 2, 3], [True, False, False]),
            ("v >= 2", [1, 2, 3], [False, True, True]),
            ("v > 2", [1, 2, 3], [False, False, True]),
        ],
    )
    def test_are_positive_where_violated(self, text, values, met):
        violation = Constraint.parse(text).violation(np.array(values, dtype=float))
        assert (violation <= 0).tolist() == met

    def test_of_genes_computed_values_and_functions(self):
        bounds = ConstraintSet(
            space(),
            ["error", "latency @ edge (ms)"],
            as_constraints(["depth <= 2", "kernel <= 3", "params <= 100", "error <= 5", lambda a: a["op"] == "conv"]),
        )
        X = [[0, 0, 0, 0, 0], [3, 1, 2, 0, 0], [1, 0, 1, 3, 0]]
        raw = np.array([[1.0, 2.0], [6.0, 2.0], [np.nan, 2.0]])
        found = bounds.violations(np.array(X), raw)
        assert (found <= 0).tolist() == [
            [True, True, True, True, True],
            # An inactive gene breaks no bound.
            [False, True, True, False, False],
            [True, False, False, False, True],
        ]
        assert found[2, 3] == np.inf
        assert bounds.allowed(np.array(X)).tolist() == [True, False, False]
        assert bounds.violations(np.empty((0, 5), dtype=int), np.empty((0, 2))).shape == (0, 5)

    @pytest.mark.parametrize(
        ("told", "met"), [(True, True), (False, False), (np.True_, True), (-1, True), (0, True), (0.5, False)]
    )
    def test_of_functions(self, told, met):
        found = FunctionConstraint(lambda a: told, "mine").violations(space(), np.zeros((1, 5), dtype=int))
        assert (found[0] <= 0) == met

    @pytest.mark.parametrize("told", [None, "yes", float("nan"), [1, 2]])
    def test_of_functions_that_say_something_else(self, told):
        with pytest.raises(InputError, match="constraint mine: expected True, False or a number, got"):
            FunctionConstraint(lambda a: told, "mine").violations(space(), np.zeros((1, 5), dtype=int))

    def test_of_functions_of_many_architectures_are_quick(self):
        large = GridSpace("s", [Gene(f"g{k}", tuple(range(10))) for k in range(5)])
        start = time.perf_counter()
        allowed = FunctionConstraint(lambda a: a["g0"] < 5, "mine").violations(large, large.enumerate()) <= 0
        assert time.perf_counter() - start < 10.0
        assert allowed.sum() == 50_000


def deep(architecture):
    return architecture["depth"] >= 2


KNOWN = ["params <= 64", "kernel <= 5", deep, lambda a: a["width0"] - a["width1"]]


def allowed(a):
    return (
        a["depth"] * a.get("kernel", 1) * a["width0"] <= 64
        and a.get("kernel", 3) <= 5
        and a["depth"] >= 2
        and a["width0"] <= a["width1"]
    )


class TestSearches:
    @pytest.mark.parametrize("sampling", ["designed", "random"])
    @pytest.mark.parametrize("n_widths", [2, 9])
    def test_known_bounds_hold_from_the_first_architecture_on(self, sampling, n_widths):
        problem = ArchitectureProblem(space(n_widths), measure=measure, constraints=KNOWN)
        minimize(problem, RAPID(n_initial=8, sampling=sampling, specs=[RIDGE, RIDGE, None]), ("n_eval", 14), seed=1)
        assert problem.n_evaluations == 14
        assert all(allowed(problem.space.to_dict(x)) for x in problem.store.X)

    def test_measured_bounds_hold_for_what_is_found(self):
        problem = ArchitectureProblem(space(), measure=measure, constraints="latency @ edge (ms) <= 40")
        result = minimize(problem, RAPID(n_initial=16, specs=[RIDGE, RIDGE, None]), ("n_eval", 40), seed=1)
        assert (result.F[:, 1] <= 40).all()
        assert (problem.store.raw[24:, 1] <= 40).mean() > 0.8

    def test_pymoos_algorithms_keep_to_them(self):
        problem = ArchitectureProblem(space(), measure=measure, constraints=[*KNOWN, "error <= 10"])
        algorithm = NSGA2(pop_size=10, **genotype_operators(problem))
        found = minimize(problem, algorithm, ("n_eval", 60), seed=1)
        assert all(allowed(problem.space.to_dict(x)) for x in found.X)
        assert (found.F[:, 0] <= 10).all()

    def test_bounds_on_the_variables_remain_pymoos(self):
        low, high = ArchitectureProblem(space(), measure=measure, constraints="depth <= 2").bounds()
        assert low.tolist() == [0] * 5
        assert high.tolist() == [3, 1, 2, 3, 3]

    @pytest.mark.parametrize("n_widths", [2, 9])
    def test_that_nothing_meets_are_one_error(self, n_widths, monkeypatch):
        monkeypatch.setattr("rapid_moo.view.DRAWS", 5)
        problem = ArchitectureProblem(space(n_widths), measure=measure, constraints="params <= 0")
        with pytest.raises(InputError, match=r"constraints: .*params <= 0"):
            minimize(problem, RAPID(), ("n_eval", 20), seed=1)
        assert problem.n_evaluations == 0

    def test_a_bare_string_on_a_table(self):
        problem = get_problem("digits", constraints="latency <= 4.5")
        result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 30), seed=1)
        assert (result.F[:, 1] <= 4.5).all()
        assert (problem.pareto_front()[:, 1] <= 4.5).all()
        assert adrs(result.F, reference=problem.pareto_front()) < 1.0

    def test_a_gene_of_a_tables_space(self):
        problem = get_problem("digits", constraints=["depth <= 1", "memory <= 5"])
        result = minimize(problem, RAPID(specs=[RIDGE, RIDGE, None]), ("n_eval", 30), seed=1)
        assert (problem.space.decode(problem.store.X)[:, 2] <= 1).all()
        assert (result.F[:, 2] <= 5).all()


def test_constraints_are_pickled_with_their_problem():
    problem = ArchitectureProblem(space(), lambda X: [[1, 2, 3]], constraints=["depth <= 2", deep])
    again = pickle.loads(pickle.dumps(problem.constraints))
    assert again == problem.constraints
