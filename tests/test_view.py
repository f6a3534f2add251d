"""pymoo problems that know nothing of this package, searched as they are."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pymoo.core.evaluator import Evaluator
from pymoo.core.mixed import MixedVariableGA, MixedVariableSampling
from pymoo.core.population import Population
from pymoo.core.problem import ElementwiseProblem, Problem
from pymoo.core.variable import Binary, Choice, Integer, Real
from pymoo.operators.sampling.rnd import BinaryRandomSampling, IntegerRandomSampling
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
from pymoo.optimize import minimize

from rapid_moo import RAPID, PredictorSet, PredictorSpec, get_problem
from rapid_moo.errors import InputError
from rapid_moo.view import SpaceView

RIDGE = PredictorSpec("bayesian_ridge")


class Kernel:
    """An option that is no plain value, has no hash and no equality of its own."""

    __hash__ = None

    def __init__(self, size):
        self.size = size


VARIABLES = {
    "op": Choice(options=["conv", "mlp", "dw conv"]),
    "depth": Integer(bounds=(1, 6)),
    "bias": Binary(),
    "kernel": Choice(options=[Kernel(3), Kernel(5), (1, 2), None, np.array([1, 2])]),
}


class Mixed(ElementwiseProblem):
    def __init__(self, variables=None, **options):
        super().__init__(vars=variables or VARIABLES, n_obj=2, **options)
        self.seen = []

    def _evaluate(self, x, out, *args, **kwargs):
        self.seen.append(x)
        cost = {"conv": 3, "mlp": 2, "dw conv": 1}[x["op"]]
        out["F"] = [12.0 / x["depth"] + 2 * (not x["bias"]) + 3 - cost, x["depth"] * cost + x["bias"]]
        if self.n_ieq_constr:
            out["G"] = [x["depth"] - 4]


class TestMixedVariables:
    def test_are_searched(self):
        problem = Mixed()
        result = minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 40), seed=1)
        assert len(problem.seen) == len(result.pop) == 40
        assert all(set(x) == set(VARIABLES) for x in result.X)
        assert {type(x["bias"]) for x in problem.seen} == {bool}
        assert {type(x["depth"]) for x in problem.seen} == {int}
        assert all(any(x["kernel"] is option for option in VARIABLES["kernel"].options) for x in problem.seen)
        texts = [(x["op"], x["depth"], x["bias"], id(x["kernel"])) for x in problem.seen]
        assert len(set(texts)) == 40
        assert 1 <= len(result.F) == len(result.X)

    def test_repeat_with_the_same_seed(self):
        runs = [minimize(Mixed(), RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=3).pop.get("F") for _ in range(2)]
        assert (runs[0] == runs[1]).all()

    def test_with_constraints(self):
        result = minimize(Mixed(n_ieq_constr=1), RAPID(specs=[RIDGE] * 2), ("n_eval", 40), seed=1)
        assert all(x["depth"] <= 4 for x in result.X)

    def test_are_shared_with_pymoos_own_algorithm(self):
        variables = {name: VARIABLES[name] for name in ("op", "depth", "bias")}
        mixed = minimize(
            Mixed(variables), MixedVariableGA(pop_size=10, survival=RankAndCrowding()), ("n_eval", 30), seed=1
        )
        algorithm = RAPID(specs=[RIDGE] * 2, sampling=mixed.pop)
        result = minimize(Mixed(variables), algorithm, ("n_eval", 10), seed=1)
        assert len(result.pop) >= 20

    def test_a_first_sample_of_ones_own(self):
        items = [{"op": "mlp", "depth": d, "bias": np.True_, "kernel": VARIABLES["kernel"].options[2]} for d in (1, 2)]
        problem = Mixed()
        minimize(problem, RAPID(n_initial=4, specs=[RIDGE] * 2, sampling=items), ("n_eval", 8), seed=1)
        assert [(x["op"], x["depth"], x["bias"]) for x in problem.seen[:2]] == [("mlp", 1, True), ("mlp", 2, True)]
        assert problem.seen[0]["kernel"] == (1, 2)

    def test_by_a_sampling_of_pymoos(self):
        variables = {name: VARIABLES[name] for name in ("op", "depth", "bias")}
        algorithm = RAPID(n_initial=6, specs=[RIDGE] * 2, sampling=MixedVariableSampling())
        assert len(minimize(Mixed(variables), algorithm, ("n_eval", 10), seed=1).pop) == 10

    @pytest.mark.parametrize("value", ["pool", None, 3])
    def test_an_option_that_is_none_is_refused(self, value):
        items = [{"op": value, "depth": 1, "bias": True, "kernel": None}]
        with pytest.raises(InputError, match=f"variable 'op': expected one of .*, got {value!r}"):
            minimize(Mixed(), RAPID(sampling=items), ("n_eval", 8), seed=1)

    def test_a_value_out_of_bounds_is_refused(self):
        items = [{"op": "mlp", "depth": 7, "bias": True, "kernel": None}]
        with pytest.raises(InputError, match=r"gene 'depth': expected one of \[1, 2, 3, 4, 5, 6\], got 7"):
            minimize(Mixed(), RAPID(sampling=items), ("n_eval", 8), seed=1)

    @pytest.mark.parametrize("variable", [Real(bounds=(0, 1)), Integer()])
    def test_what_is_not_finite_is_one_clear_error(self, variable):
        with pytest.raises(InputError, match=r"variable 'lr': expected Choice, Integer with bounds or Binary, got"):
            minimize(Mixed({**VARIABLES, "lr": variable}), RAPID(), ("n_eval", 8), seed=1)

    def test_too_many_integers_are_one_clear_error(self):
        with pytest.raises(InputError, match=r"variable 'width': expected at most 10,000 values, got 0..1000000000"):
            SpaceView(Mixed({"width": Integer(bounds=(0, 10**9))}))

    def test_a_thousand_integers_are_searched(self):
        class Wide(ElementwiseProblem):
            def __init__(self):
                super().__init__(vars={"width": Integer(bounds=(1, 1000)), "on": Binary()}, n_obj=2)

            def _evaluate(self, x, out, *args, **kwargs):
                out["F"] = [(x["width"] - 500) ** 2 + x["on"], (x["width"] - 600) ** 2]

        result = minimize(Wide(), RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=1)
        assert len(result.pop) == 30

    def test_a_list_of_variables(self):
        # pymoo itself wants the bounds beside a list; names are then positions.
        variables = [Choice(options=["a", "b"]), Integer(bounds=(2, 4)), Binary()]

        class Listed(ElementwiseProblem):
            def __init__(self):
                super().__init__(vars=variables, xl=np.zeros(3), xu=np.ones(3), n_obj=2)

            def _evaluate(self, x, out, *args, **kwargs):
                out["F"] = [x[1] + (x[0] == "a"), -x[1] + x[2]]

        view = SpaceView(Listed())
        assert view.space.to_dict(view.genotypes([{0: "b", 1: 3, 2: True}])) == {"0": 1, "1": 3, "2": True}
        assert len(minimize(Listed(), RAPID(specs=[RIDGE] * 2, n_initial=4), ("n_eval", 8), seed=1).pop) == 8

    def test_options_that_read_the_same_are_told_apart(self):
        view = SpaceView(Mixed({"op": Choice(options=["1", 1, "a", "a#0", 1.5])}))
        assert view.space.size == 5
        X = view.space.enumerate()
        assert [x["op"] for x in view.variables(X)] == ["1", 1, "a", "a#0", 1.5]
        assert (view.genotypes(view.variables(X)) == X).all()


class Integers(Problem):
    """Two objectives over integers or booleans; fails, breaks or does not, as told."""

    def __init__(self, low=0, high=5, n_var=4, vtype=int, fail=None, **options):
        super().__init__(n_var=n_var, n_obj=2, xl=low, xu=high, vtype=vtype, **options)
        self.fail, self.types = fail, set()

    def _evaluate(self, x, out, *args, **kwargs):
        self.types.add(x.dtype.kind)
        ones = np.asarray(x, dtype=float)
        F = np.column_stack([ones.sum(axis=1), ((self.xu - ones) ** 2).sum(axis=1)])
        if self.fail is not None:
            F[self.fail(x)] = np.nan
        out["F"] = F
        if self.n_ieq_constr:
            out["G"] = np.where(ones[:, :1] == 1, np.nan, ones[:, :1] - 3)
        if self.n_eq_constr:
            out["H"] = np.where(ones[:, 1:2] == 2, np.nan, (ones[:, 1:2] % 2) * 1e-3)


class TestIntegerBounds:
    @pytest.mark.parametrize("vtype", [int, np.int64, np.int32, bool, np.bool_])
    def test_are_searched_as_they_are(self, vtype):
        problem = Integers(0, 1, 6, vtype)
        result = minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 25), seed=1)
        assert len(result.pop) == 25
        assert problem.types == ({"b"} if vtype in (bool, np.bool_) else {"i"})

    def test_that_are_fractions_hold_the_integers_between(self):
        view = SpaceView(Integers(np.array([-1.5, 0.2]), np.array([1.5, 2.0]), 2))
        assert view.variables(view.space.enumerate()).min(axis=0).tolist() == [-1, 1]
        assert view.variables(view.space.enumerate()).max(axis=0).tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"vtype": float}, r"expected integer variables \(vtype=int\) with xl <= xu, got vtype=<class 'float'>"),
            ({"vtype": None}, "expected integer variables"),
            ({"low": 0.2, "high": 0.8}, "with xl <= xu"),
            ({"low": 0, "high": 10**7}, "expected at most 10,000 values, got 0..10000000"),
            ({"low": None}, "expected bounds on every variable, got none"),
        ],
    )
    def test_anything_else_is_one_clear_error(self, options, message):
        with pytest.raises(InputError, match=message):
            minimize(Integers(**options), RAPID(), ("n_eval", 8), seed=1)

    @pytest.mark.parametrize("x", [[[0, 0, 0, 6]], [[-1, 0, 0, 0]], [[np.nan, 0, 0, 0]]])
    def test_a_first_sample_out_of_them_is_refused(self, x):
        with pytest.raises(InputError, match="expected"):
            minimize(Integers(), RAPID(sampling=np.array(x)), ("n_eval", 8), seed=1)

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            ([[-3, 0, 0, 9]], r"row 0, variable 'x4': expected an integer in -3\.\.4, got 9"),
            ([[0, 0, 0, 0], [0, 0.5, 0, 0]], r"row 1, variable 'x2': expected an integer in -3\.\.4, got 0\.5"),
            ([[0, 0, 0]], r"expected variables of shape \(n, 4\), got \(1, 3\)"),
            ([["a", "b", "c", "d"]], "expected rows of 4 integers, got array"),
        ],
    )
    def test_values_of_none_of_them_are_not_told(self, x, message):
        algorithm = RAPID().setup(Integers(-3, 4), termination=("n_eval", 20), seed=1)
        with pytest.raises(InputError, match=message):
            algorithm.tell(infills=Population.new(X=np.array(x), F=np.ones((len(x), 2))))
        assert len(algorithm.view.store) == 0

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ({"depth": 2.5, "bias": True}, "variable 'depth': expected an integer, got 2.5"),
            ({"depth": "a", "bias": True}, "variable 'depth': expected an integer, got 'a'"),
            ({"depth": 2, "bias": "no"}, "variable 'bias': expected true or false, got 'no'"),
            ({"depth": 2}, "variable 'bias': expected a value of it, got {'depth': 2}"),
        ],
    )
    def test_nor_are_mixed_variables(self, item, message):
        problem = Mixed({name: VARIABLES[name] for name in ("depth", "bias")})
        with pytest.raises(InputError, match=message):
            minimize(problem, RAPID(sampling=[item]), ("n_eval", 8), seed=1)

    @pytest.mark.parametrize(
        ("sampling", "problem"),
        [(IntegerRandomSampling(), Integers()), (BinaryRandomSampling(), Integers(0, 1, 8, bool))],
        ids=["integers", "booleans"],
    )
    def test_with_a_sampling_of_pymoos(self, sampling, problem):
        result = minimize(problem, RAPID(specs=[RIDGE] * 2, sampling=sampling), ("n_eval", 20), seed=1)
        assert len(result.pop) == 20


class TestFailures:
    @pytest.mark.parametrize("penalty", [1e31, 1e200, -1e300, np.finfo(float).max, -np.inf])
    def test_are_penalties_as_well(self, penalty):
        def run(value):
            class Penal(Integers):
                def _evaluate(self, x, out, *args, **kwargs):
                    super()._evaluate(x, out)
                    out["F"][x[:, 0] > 2, 1] = value

            return minimize(Penal(), RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=1)

        result, wanted = run(penalty), run(np.nan)
        np.testing.assert_array_equal(result.X, wanted.X)
        np.testing.assert_array_equal(result.pop.get("F"), wanted.pop.get("F"))
        assert np.isinf(result.pop.get("F")).any()

    def test_of_a_constraint_may_be_penalties_as_well(self):
        class Penal(Integers):
            def _evaluate(self, x, out, *args, **kwargs):
                super()._evaluate(x, out)
                out["G"] = np.where(x[:, :1] > 2, 1e300, -1.0)

        result = minimize(Penal(n_ieq_constr=1), RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=1)
        assert (result.X[:, 0] <= 2).all()
        assert len(result.pop) == 30

    def test_never_enter_a_result(self):
        problem = Integers(fail=lambda x: x[:, 0] > 2)
        result = minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 50), seed=1)
        assert np.isfinite(result.F).all()
        assert (result.X[:, 0] <= 2).all()
        assert not np.isnan(result.pop.get("F")).any()
        failed = ~np.isfinite(result.pop.get("F")).all(axis=1)
        assert failed.any()
        # Where it fails is learnt: half of the space does.
        assert failed[16:].mean() < 0.3

    def test_everywhere_give_no_result_and_no_error(self):
        result = minimize(Integers(fail=lambda x: x[:, 0] >= 0), RAPID(), ("n_eval", 40), seed=1)
        assert (result.F, result.X) == (None, None)
        assert len(result.pop) == 40

    def test_everywhere_end_a_run_that_has_no_termination_of_its_own(self):
        small = Integers(0, 1, 4, fail=lambda x: x[:, 0] >= 0)
        result = minimize(small, RAPID(n_initial=4), seed=1)
        assert len(result.pop) == 16

    def test_at_first_do_not_end_it(self):
        left = [6]

        class Late(Integers):
            def _evaluate(self, x, out, *args, **kwargs):
                super()._evaluate(x, out)
                left[0] -= len(x)
                if left[0] >= 0:
                    out["F"][:] = np.nan

        result = minimize(Late(0, 1, 5), RAPID(n_initial=4, specs=[RIDGE] * 2), seed=1)
        assert len(result.pop) == 32
        assert np.isfinite(result.F).all()

    def test_of_a_constraint_are_feasible_nowhere(self):
        problem = Integers(n_ieq_constr=1, n_eq_constr=1)
        result = minimize(problem, RAPID(specs=[RIDGE] * 2), ("n_eval", 50), seed=1)
        assert not np.isnan(result.pop.get("G")).any()
        assert not np.isnan(result.pop.get("H")).any()
        x = result.X
        assert (x[:, 0] <= 3).all()
        assert (x[:, 0] != 1).all()
        assert (x[:, 1] % 2 == 0).all()
        assert (x[:, 1] != 2).all()

    def test_of_a_constraint_everywhere_give_no_result(self):
        class Nowhere(Integers):
            def _evaluate(self, x, out, *args, **kwargs):
                super()._evaluate(x, out)
                out["G"] = np.full((len(x), 1), np.nan)

        result = minimize(Nowhere(n_ieq_constr=1), RAPID(specs=[RIDGE] * 2), ("n_eval", 30), seed=1)
        assert result.F is None
        assert len(result.pop) == 30


class TestAskAndTell:
    def test_constraints_are_told_with_the_objectives(self):
        problem = Integers(n_ieq_constr=1)
        algorithm = RAPID(specs=[RIDGE] * 2)
        algorithm.setup(problem, termination=("n_eval", 40), seed=1)
        infills = algorithm.ask()
        infills.set("F", np.ones((len(infills), 2)))
        with pytest.raises(InputError, match="told individuals: expected 1 values of G each"):
            algorithm.tell(infills)

    def test_what_was_told_is_told_once(self):
        problem = Integers()
        algorithm = RAPID(n_initial=4, specs=[RIDGE] * 2)
        algorithm.setup(problem, termination=("n_eval", 40), seed=1)
        infills = algorithm.ask()
        Evaluator().eval(problem, infills)
        algorithm.tell(infills)
        twice = Population.merge(infills[:2], copy.deepcopy(infills[:1]))
        algorithm.tell(twice)
        assert len(algorithm.bill) == 4
        assert (algorithm.view.store.repeats == 1).all()

    def test_stand_in_the_population_once(self):
        algorithm = RAPID(n_initial=4, specs=[RIDGE] * 2).setup(Integers(), termination=("n_eval", 12), seed=1)
        while algorithm.has_next():
            infills = algorithm.evaluator.eval(algorithm.problem, algorithm.ask())
            algorithm.tell(Population.merge(infills, copy.deepcopy(infills)))
            other = copy.deepcopy(infills[:1])
            other[0].F = np.array([-9.0, -9.0])
            algorithm.tell(other)
        result = algorithm.result()
        assert len(algorithm.pop) == len(np.unique(algorithm.pop.get("X"), axis=0)) == 12
        assert len(np.unique(result.X, axis=0)) == len(result.X)
        assert (result.F >= 0).all()


@pytest.fixture(scope="module")
def digits():
    problem = get_problem("digits")
    sample = problem.source.table.sample(40, 0)
    specs = [PredictorSpec(), PredictorSpec(features="all"), None]
    return SpaceView(problem), PredictorSet(problem.space, problem.objectives, specs).fit(sample), sample


class TestPredictionsOfListedCandidates:
    """Of most of a list the whole is predicted with features that are remembered: the values are the same."""

    def test_are_those_of_the_candidates_themselves(self, digits):
        view, predictors, sample = digits
        fresh = view.new_only(view.members, sample.X)
        wanted = predictors.predict(fresh) * [-1.0, 1.0, 1.0]
        for rows in (np.arange(len(fresh)), np.arange(len(fresh))[::-1], np.arange(0, len(fresh), 3)):
            np.testing.assert_allclose(view.predict_mean(predictors, fresh[rows]), wanted[rows], rtol=1e-9)
        np.testing.assert_allclose(view.predict_mean(predictors, fresh), wanted, rtol=1e-9)

    def test_make_features_once(self, digits, monkeypatch):
        view, predictors, sample = digits
        view.predict_mean(predictors, view.members)
        monkeypatch.setattr(type(view.space), "features", None)
        assert len(view.predict_mean(predictors, view.new_only(view.members, sample.X))) == len(view.members) - 40

    def test_of_strangers_are_made_as_ever(self, digits):
        view, predictors, _ = digits
        monkey = SpaceView(view.problem)
        monkey.members = view.members[:100]
        strangers = view.members[100:180]
        np.testing.assert_allclose(
            monkey.predict_mean(predictors, strangers), predictors.predict(strangers) * [-1.0, 1.0, 1.0], rtol=1e-9
        )
