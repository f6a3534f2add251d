"""What each method's own rule says, on tables small enough to check it by hand."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.unsga3 import UNSGA3
from sklearn.model_selection import GridSearchCV

from rapid_moo import ArchitectureProblem, ArchitectureTable, Gene, GridSpace, Objective
from rapid_moo.comparison import get_method
from rapid_moo.comparison.methods import linas, mo_rea, stratified_random
from rapid_moo.comparison.methods._genes import mutate_one, neighbours
from rapid_moo.comparison.methods._nevergrad import NevergradMethod
from rapid_moo.comparison.methods._pymoo import PymooMethod, as_method, reference_directions
from rapid_moo.comparison.methods.linas import _best_regressor
from rapid_moo.comparison.methods.stratified_random import free_axis
from rapid_moo.comparison.registry import available_methods
from rapid_moo.errors import InputError
from rapid_moo.operators import evolutionary, genotype_operators
from rapid_moo.pareto import is_nondominated

GOALS = (Objective("a", "min"), Objective("b", "min"))
CHAIN = GridSpace(
    "chain",
    [
        Gene("depth", (1, 2, 3)),
        Gene("op", ("x", "y", "z"), when={"depth": (2, 3)}),
        Gene("width", (8, 16, 32, 64)),
        Gene("tail", (1, 2), when={"depth": (3,)}),
        Gene("fixed", (7,)),
    ],
    GOALS,
)


def problem_of(space, seed=0):
    X = space.enumerate()
    raw = np.random.default_rng(seed).random((len(X), len(space.objectives)))
    return ArchitectureProblem(space, ArchitectureTable.build(space, space.objectives, X, raw))


def differing(space, x, y):
    """How many genes that are active in both differ."""
    on = space.is_active(np.array([x, y]))
    return int(((x != y) & on.all(axis=0)).sum())


class TestGenes:
    @pytest.mark.parametrize("row", range(0, 40, 5))
    def test_neighbours_are_all_that_differ_in_one_active_gene(self, row):
        everyone = CHAIN.enumerate()
        x = everyone[row]
        found = neighbours(CHAIN, x)
        active = CHAIN.is_active(x[None])[0]
        by_hand = set()
        for k in np.flatnonzero(active):
            for code in range(len(CHAIN.genes[k].choices)):
                changed = x.copy()
                changed[k] = code
                by_hand.add(CHAIN.repair(changed[None])[0].tobytes())
        by_hand.discard(x.tobytes())
        assert {y.tobytes() for y in found} == by_hand
        assert len(found) == len(by_hand)
        assert {y.tobytes() for y in found} <= {y.tobytes() for y in everyone}

    def test_a_space_of_one_architecture_has_no_neighbours(self):
        one = GridSpace("one", [Gene("only", (1,))], GOALS)
        assert neighbours(one, np.array([0])).shape == (0, 1)
        assert mutate_one(one, np.array([0]), np.random.default_rng(0)).tolist() == [0]

    def test_a_mutant_is_any_neighbour_and_nothing_else(self):
        rng = np.random.default_rng(0)
        for x in CHAIN.enumerate()[::7]:
            mutants = {mutate_one(CHAIN, x, rng).tobytes() for _ in range(300)}
            assert mutants == {y.tobytes() for y in neighbours(CHAIN, x)}

    def test_a_mutation_leaves_its_parent_alone(self):
        x = CHAIN.enumerate()[20]
        before = x.copy()
        mutate_one(CHAIN, x, np.random.default_rng(0))
        neighbours(CHAIN, x)
        assert (x == before).all()


class TestStratified:
    def of(self, seed, n=400):
        space = GridSpace("line", [Gene("width", tuple(range(400)))], GOALS)
        problem = problem_of(space)
        method = get_method("stratified-random")(problem, n, seed)
        asked = []
        while len(batch := method.ask()):
            asked.append(batch)
            method.tell(batch, np.zeros((len(batch), 2)))
        return space, np.vstack(asked)

    @pytest.mark.parametrize("seed", range(4))
    def test_every_beginning_is_spread_evenly_over_the_sizes(self, seed):
        space, X = self.of(seed)
        size = free_axis(space, X)
        ranks = np.searchsorted(np.sort(size), size, side="left") / len(size)
        for n in (8, 13, 34, 89, 377):
            counts = np.histogram(ranks[:n], bins=[0.0, 0.25, 0.5, 0.75, 1.0])[0]
            # In a random sample of 89 the quarters differ by eight or so.
            assert np.abs(counts - n / 4).max() <= 2.0, (n, counts)

    def test_it_is_every_member_once_in_another_order_for_another_seed(self):
        runs = [self.of(seed)[1] for seed in (0, 1)]
        for X in runs:
            assert len(np.unique(X, axis=0)) == len(X) == 400
        assert (runs[0] != runs[1]).any()

    def test_batches_are_of_64(self):
        method = get_method("stratified-random")(problem_of(CHAIN), 40, 0)
        assert len(method.ask()) == 40
        space = GridSpace("line", [Gene("width", tuple(range(100)))], GOALS)
        method = get_method("stratified-random")(problem_of(space), 100, 0)
        assert [len(method.ask()) for _ in range(3)] == [64, 36, 0]

    def test_the_axis_is_the_first_principal_component_of_the_features(self):
        space = GridSpace("line", [Gene("w", tuple(range(6))), Gene("d", tuple(range(4))), Gene("one", (3,))], GOALS)
        X = space.sample(15, 0)
        features = space.features(X)
        spread = features.std(axis=0)
        Z = (features - features.mean(axis=0))[:, spread > 0] / spread[spread > 0]
        expected = Z @ np.linalg.svd(Z, full_matrices=False)[2][0]
        found = free_axis(space, X)
        assert abs(np.corrcoef(found, expected)[0, 1]) == pytest.approx(1.0)

    def test_the_axis_is_what_the_space_computes_where_it_does(self, table):
        assert (free_axis(table.space, table.X) == table.space.compute(table.X, table.space.computed[0].name)).all()

    def test_what_differs_by_rounding_is_of_the_same_size(self):
        """Nine digits, on every machine."""
        space = GridSpace("line", [Gene("w", tuple(range(6))), Gene("d", tuple(range(4)))], GOALS)
        found = free_axis(space, space.enumerate())
        assert (found == found.round(9)).all()
        assert (found != found.round(8)).any()

    def test_positions_follow_the_golden_ratio(self):
        """The one number whose multiples are spread most evenly: its square and itself are one."""
        assert pytest.approx(1.0) == stratified_random.GOLDEN**2 + stratified_random.GOLDEN
        assert 0.0 < stratified_random.GOLDEN < 1.0

    @pytest.mark.parametrize("n", [1, 2, 50, 377])
    def test_of_any_number_all_positions_come_once_and_nearly_all_in_the_sequence(self, n):
        order = stratified_random._spread(n, 0.3)
        assert sorted(order) == list(range(n))
        # Four times as many steps as positions leave none out: what is left over would come in order of size.
        steps = ((0.3 + (5**0.5 - 1) / 2 * np.arange(4 * n)) % 1.0 * n).astype(int).tolist()
        assert order.tolist() == list(dict.fromkeys(steps))

    def test_without_a_feature_that_varies_every_size_is_the_same(self):
        space = GridSpace("one", [Gene("only", (1,))], GOALS)
        assert free_axis(space, np.zeros((3, 1), dtype=np.int64)).tolist() == [0.0, 0.0, 0.0]


class TestLocalSearch:
    def test_asks_for_all_neighbours_of_a_non_dominated_architecture_and_restarts_when_none_is_left(self):
        problem = problem_of(CHAIN)
        method = get_method("local-search")(problem, 40, 1)
        known, values, explored, restarts = [], [], set(), 0
        first = method.ask()
        assert len(np.unique(first, axis=0)) == 10
        method.tell(first, problem.evaluate(first))
        known, values = [x.tobytes() for x in first], list(problem.evaluate(first))
        for _ in range(25):
            asked = method.ask()
            F = np.array(values)
            front = {key for key, on in zip(known, is_nondominated(F), strict=True) if on}
            if len(asked) == 1:
                # A restart: nothing on the front was unexplored (what restarts brought may be off it).
                restarts += 1
                assert front <= explored
            else:
                origins = {
                    key
                    for key in set(known) - explored
                    if {y.tobytes() for y in neighbours(CHAIN, np.frombuffer(key, dtype=np.int64))}
                    == {y.tobytes() for y in asked}
                }
                assert len(origins) == 1
                explored |= origins
            method.tell(asked, problem.evaluate(asked))
            new = [i for i, x in enumerate(asked) if x.tobytes() not in known]
            known += [asked[i].tobytes() for i in new]
            values += list(problem.evaluate(asked[new])) if new else []
        assert restarts
        assert explored

    def test_the_member_of_a_restart_joins_an_archive_of_any_size(self):
        method = get_method("local-search")(problem_of(CHAIN), 40, 0)
        first = method.ask()
        # Of ten, all are on the front: none gives way.
        method.tell(first, np.column_stack([np.arange(10.0), -np.arange(10.0)]))
        known = {x.tobytes() for x in first}
        restart = next(x for x in method.members if x.tobytes() not in known)
        method.tell(restart[None], np.full((1, 2), 99.0))
        assert restart.tobytes() in {x.tobytes() for x in method._X}

    def test_after_a_restart_the_neighbours_of_its_member_are_next_however_bad_it_is(self):
        method = get_method("local-search")(problem_of(CHAIN), 40, 0)
        first = method.ask()
        method.tell(first, np.arange(20.0).reshape(10, 2))
        best = first[:1]
        asked = method.ask()
        assert {x.tobytes() for x in asked} == {y.tobytes() for y in neighbours(CHAIN, best[0])}
        # Nothing of it is better, so the front is explored: a restart.
        method.tell(asked, np.full((len(asked), 2), 50.0))
        restart = method.ask()
        assert len(restart) == 1
        method.tell(restart, np.full((1, 2), 99.0))
        assert {x.tobytes() for x in method.ask()} == {y.tobytes() for y in neighbours(CHAIN, restart[0])}


class TestEvolution:
    def test_a_child_is_one_gene_from_the_best_of_its_tournament(self):
        space = GridSpace("grid", [Gene(f"g{k}", tuple(range(5))) for k in range(5)], GOALS)
        problem = problem_of(space)
        method = get_method("mo-rea")(problem, 200, 0)
        first = method.ask()
        assert len(np.unique(first, axis=0)) == 20
        # One dominates all: whenever it is in a tournament it wins, and half of the population is.
        F = np.ones((20, 2))
        F[7] = 0.0
        method.tell(first, F)
        problem.evaluate(first)
        children = np.vstack([method.ask() for _ in range(60)])
        steps = np.array([[differing(space, child, x) for x in first] for child in children])
        assert (steps.min(axis=1) == 1).all()
        assert 0.3 < (steps[:, 7] == 1).mean() < 0.8

    def test_the_oldest_leave(self):
        problem = problem_of(CHAIN)
        method = get_method("mo-rea")(problem, 40, 0)
        first = method.ask()
        assert len(first) == 20
        method.tell(first, np.zeros((20, 2)))
        younger = CHAIN.enumerate()[:20]
        method.tell(younger, np.ones((20, 2)))
        # Everything is known and all that are left are the younger: a child comes of one of them.
        problem.evaluate(first)
        children = np.vstack([method.ask() for _ in range(20)])
        near = {y.tobytes() for x in younger for y in neighbours(CHAIN, x)}
        assert np.mean([child.tobytes() in near for child in children]) > 0.5

    def test_half_of_the_population_is_in_a_tournament(self):
        method = get_method("mo-rea")
        assert 2 * method.tournament == method.pop_size == 20

    @pytest.mark.parametrize(("n", "expected"), [(3, 2), (5, 2), (12, 6), (100, 20)])
    def test_a_population_is_half_of_a_small_table_and_at_least_two(self, n, expected):
        problem = problem_of(GridSpace("line", [Gene("w", tuple(range(n)))], GOALS))
        assert len(get_method("mo-rea")(problem, n, 0).ask()) == expected

    def test_a_walk_to_what_is_new_has_33_steps_at_most(self, monkeypatch):
        """One change of a gene, and where the child is known twice sixteen more."""
        problem = problem_of(CHAIN)
        method = get_method("mo-rea")(problem, 40, 0)
        first = method.ask()
        method.tell(first, problem.evaluate(first))
        steps = []
        monkeypatch.setattr(mo_rea, "mutate_one", lambda space, x, rng: steps.append(x) or mutate_one(space, x, rng))
        problem.evaluate(CHAIN.enumerate())
        method.ask()
        assert len(steps) == 1 + 16 + 16
        # Each step goes on from the one before.
        assert all(differing(CHAIN, a, b) <= 1 for a, b in itertools.pairwise(steps))

    def test_where_all_is_known_a_random_member_comes(self):
        problem = problem_of(CHAIN)
        method = get_method("mo-rea")(problem, 40, 0)
        first = method.ask()
        method.tell(first, problem.evaluate(first))
        everyone = CHAIN.enumerate()
        problem.evaluate(everyone)
        found = {method.ask()[0].tobytes() for _ in range(60)}
        assert len(found) > 20
        assert found <= {x.tobytes() for x in everyone}


@pytest.mark.parametrize(("n_objectives", "at_most"), [(2, 40), (3, 40), (3, 50), (4, 40), (3, 3)])
def test_reference_directions_are_as_many_as_fit(n_objectives, at_most):
    directions = reference_directions(n_objectives, at_most)
    assert len(directions) <= at_most
    assert directions.sum(axis=1) == pytest.approx(1.0)
    # One partition more would be too many.
    partitions = round(1 / np.unique(directions[:, 0])[1])
    more = np.prod([partitions + 1 + i for i in range(1, n_objectives)]) / np.prod(range(1, n_objectives))
    assert more > at_most


@pytest.mark.parametrize("base", [PymooMethod, NevergradMethod])
def test_a_method_without_an_algorithm_cannot_be_made(base):
    with pytest.raises(TypeError, match="abstract"):
        type("Bare", (base,), {"name": "bare"})(problem_of(CHAIN), 10, 0)


def test_random_search_takes_the_members_in_batches_until_none_is_left():
    method = get_method("random")(problem_of(GridSpace("line", [Gene("w", tuple(range(100)))], GOALS)), 100, 0)
    batches = [method.ask() for _ in range(3)]
    assert [len(batch) for batch in batches] == [64, 36, 0]
    assert sorted(np.vstack(batches)[:, 0]) == list(range(100))
    assert np.vstack(batches)[:, 0].tolist() != list(range(100))


@pytest.mark.parametrize("name", ["nevergrad-de", "optuna-tpe", "mo-rea", "sms-emoa"])
def test_methods_of_one_candidate_ask_for_one(name):
    """Beyond a first sample; codes are those of the genes."""
    problem = problem_of(CHAIN)
    method = get_method(name)(problem, 40, 0)
    for _ in range(4):
        X = method.ask()
        assert X.shape[1] == 5
        assert X.dtype == np.int64
        assert ((X >= 0) & (CHAIN.n_choices > X)).all()
        method.tell(X, problem.evaluate(X))
    assert len(X) == 1


@pytest.mark.parametrize("name", ["nevergrad-de", "nevergrad-portfolio"])
def test_nevergrad_steps_between_neighbours_of_ordered_genes_alone(name):
    method = get_method(name)(problem_of(CHAIN), 40, 0)
    kinds = {}
    for genes, parameter in zip(method._groups, method._optimizer.parametrization, strict=True):
        kinds |= {CHAIN.genes[k].name: type(parameter).__name__ for k in genes}
    assert kinds == {**dict.fromkeys(("depth", "width", "tail"), "TransitionChoice"), "op": "Choice"}


@pytest.mark.parametrize("name", ["optuna-tpe", "optuna-nsga3"])
def test_optuna_sees_ordered_genes_as_integers_and_the_others_as_categories(name):
    found = list(get_method(name)(problem_of(CHAIN), 40, 0)._distributions.values())
    assert [type(item).__name__.removesuffix("Distribution") for item in found] == [
        "Int" if gene.ordered else "Categorical" for gene in CHAIN.genes
    ]
    assert [len(item.choices) for item in found if hasattr(item, "choices")] == [3]
    assert [(item.low, item.high) for item in found if hasattr(item, "low")] == [(0, 2), (0, 3), (0, 1), (0, 0)]


@pytest.mark.parametrize(("name", "first", "n"), [("nevergrad-de", 40, 120), ("optuna-tpe", 10, 30)])
def test_methods_learn_from_what_they_are_told(name, first, n):
    """The same seed, told other values, asks for others in the end."""
    asked = []
    for sign in (1.0, -1.0):
        method = get_method(name)(problem_of(CHAIN), 40, 0)
        rows = []
        for _ in range(n):
            X = method.ask()
            rows.append(X)
            method.tell(X, np.array([[float(X[0, 2]), float(X[0, 0])]]) * sign)
        asked.append(np.vstack(rows))
    # Where small widths are good they are asked for, and the other way round.
    assert asked[0][first:, 2].mean() < asked[1][first:, 2].mean()


def test_population_sizes_are_half_of_a_small_table_and_at_least_four():
    for size, expected in ((6, 4), (12, 6), (100, 20)):
        problem = problem_of(GridSpace("line", [Gene("w", tuple(range(size)))], GOALS))
        assert len(get_method("nsga3")(problem, size, 0).ask()) <= max(expected, 4)
        assert get_method("u-nsga3")(problem, size, 0)._pop_size == expected


def test_population_sizes_are_those_that_were_best_where_they_were_sought():
    notes = Path(__file__).parents[2] / "benchmarks" / "notes" / "comparison.md"
    rows = re.findall(r"^\| ([a-z0-9-]+) \|.* (\d+) \|$", notes.read_text().partition("## Population sizes")[2], re.M)
    assert len(rows) == 8
    assert {name: get_method(name).pop_size for name, _ in rows} == {name: int(best) for name, best in rows}


def test_linas_searches_5000_predictions_and_seven_values_for_each_regressor():
    method = get_method("linas")
    assert (method.population, method.population * method.generations) == (50, 5000)
    assert [len(values) for _, grid in linas._GRID for values in grid.values()] == [7, 7]


def test_the_grid_of_linas_is_the_one_that_it_states():
    """Penalties from 0.1 to 100 by 1, 3, 10, and C from 1 to 100 by 1, 2, 5, 10; a tube of no width."""
    (ridge, penalties), (machine, costs) = linas._GRID
    assert penalties == {"regressor__alpha": pytest.approx([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])}
    assert costs == {"regressor__C": pytest.approx([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0])}
    assert type(ridge).__name__ == "Ridge"
    assert (machine.kernel, machine.gamma, machine.epsilon) == ("rbf", "auto", 0.0)
    assert "from 0.1 to 100 by\n1, 3, 10, and C from 1 to 100 by 1, 2, 5, 10) with five folds" in linas.__doc__


@pytest.mark.parametrize(("n", "folds"), [(3, 3), (5, 5), (40, 5)])
def test_linas_judges_regressors_by_the_percentage_error_of_five_folds(n, folds, monkeypatch):
    made = []

    class Watched(GridSearchCV):
        def fit(self, X, y):
            made.append((self.cv, self.scoring))
            return super().fit(X, y)

    monkeypatch.setattr(linas, "GridSearchCV", Watched)
    rng = np.random.default_rng(0)
    _best_regressor(rng.normal(size=(n, 2)), 10.0 + rng.normal(size=n))
    assert made == [(folds, "neg_mean_absolute_percentage_error")] * 2


def test_linas_learns_anew_when_more_is_known(monkeypatch):
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(4))) for k in range(4)], GOALS)
    problem = problem_of(space)
    method = get_method("linas")(problem, 200, 0)
    monkeypatch.setattr(type(method), "generations", 1)
    taught, predictors = [], linas._Predictors
    monkeypatch.setattr(linas, "_Predictors", lambda told: taught.append(told.n_evaluations) or predictors(told))
    problem.evaluate(method.ask())
    populations = [method.ask(), method.ask()]
    assert taught == [50]
    assert {len(X) for X in populations} == {50}
    # The search begins elsewhere each time.
    assert (populations[0] != populations[1]).any()
    problem.evaluate(populations[0])
    method.ask()
    assert len(taught) == 2
    assert taught[1] == problem.n_evaluations > 50


def test_sms_emoa_makes_one_child_at_a_time_in_two_thousand_attempts():
    """As many as pymoo makes at a whole generation of twenty, see the notes of the comparison."""
    algorithm = get_method("sms-emoa")(
        problem_of(GridSpace("w", [Gene("w", tuple(range(100)))], GOALS)), 60, 0
    )._algorithm
    assert (algorithm.pop_size, algorithm.n_offsprings) == (20, 1)
    assert algorithm.mating.n_max_iterations == 2_000
    notes = (Path(__file__).parents[2] / "benchmarks" / "notes" / "comparison.md").read_text()
    assert "after 2,000 attempts" in notes


def test_linas_takes_the_regressor_of_the_smaller_error():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 4))
    linear = _best_regressor(inputs, 10.0 + inputs @ [1.0, 2.0, 3.0, 0.0])
    curved = _best_regressor(inputs, 10.0 + 3.0 * np.cos(2.0 * inputs[:, 0]))
    assert [type(model.regressor_).__name__ for model in (linear, curved)] == ["Ridge", "SVR"]


@pytest.mark.parametrize(("n_objectives", "expected"), [(2, "nsga2"), (3, "u-nsga3")])
def test_linas_searches_two_objectives_with_nsga2_and_more_with_u_nsga3(n_objectives, expected, monkeypatch):
    goals = tuple(Objective(f"f{k}", "min") for k in range(n_objectives))
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(4))) for k in range(4)], goals)
    problem = problem_of(space)
    seen = []
    monkeypatch.setattr(linas, "evolutionary", lambda name, *rest: seen.append(name) or evolutionary(name, *rest))
    monkeypatch.setattr(linas, "UNSGA3", lambda *args, **more: seen.append("u-nsga3") or UNSGA3(*args, **more))
    method = get_method("linas")(problem, 200, 0)
    monkeypatch.setattr(type(method), "generations", 2)
    first = method.ask()
    assert len(np.unique(first, axis=0)) == 50
    problem.evaluate(first)
    assert method.ask().shape[1] == 4
    assert seen == [expected]


def test_one_shot_trains_on_a_random_sample_of_the_budget(table):
    method = get_method("rapid-oneshot")(ArchitectureProblem(table.space, table), 60, 0)
    assert (method.anytime, method.overruns) == (False, True)
    assert (method._algorithm.n_initial, method._algorithm.sampling) == (60, "random")
    assert len(method.ask()) == 60


def test_what_bills_a_front_on_top_of_its_budget_is_not_anytime():
    known, _ = available_methods()
    assert {method.name for method in known if not method.anytime} == {"rapid-oneshot", "rapid-published"}
    assert {method.name for method in known if method.overruns} == {"rapid-oneshot", "rapid-published"}


def test_anytime_methods_end_with_the_table_and_not_before():
    problem = problem_of(CHAIN)
    method = get_method("nsga2")(problem, 10, 0)
    for _ in range(200):
        X = method.ask()
        if len(X) == 0 or problem.n_evaluations == 40:
            break
        method.tell(X, problem.evaluate(X))
    assert problem.n_evaluations > 30


def test_an_algorithm_that_has_ended_asks_for_nothing():
    method = get_method("nsga2")(problem_of(CHAIN), 10, 0)
    first = method.ask()
    assert len(first) > 0
    method.tell(first, method.problem.evaluate(first))
    method._algorithm.evaluator.n_eval = 10**6
    method._algorithm.termination.update(method._algorithm)
    assert method.ask().shape == (0, 5)


def test_rapid_wants_parts_where_costs_are_stated_and_everything_elsewhere():
    X = CHAIN.enumerate()
    raw = np.random.default_rng(0).random((len(X), 2))
    wanted = {}
    for stated in (False, True):
        goals = (Objective("a", "min", cost=10.0), Objective("b", "min", cost=1.0)) if stated else GOALS
        space = GridSpace("chain", CHAIN.genes, goals)
        method = get_method("rapid")(ArchitectureProblem(space, ArchitectureTable.build(space, goals, X, raw)), 40, 0)
        asked = method.ask()
        wanted[stated] = method.wanted
        assert len(asked) == 12
        # Only where the budget is one of cost does it measure in part.
        assert method._algorithm.decoupled
        assert (method._algorithm._decoupling is not None) == stated
    assert wanted[False] is None
    assert wanted[True].shape == (12, 2)


class TestOwnAlgorithms:
    def test_what_is_none_is_named(self):
        with pytest.raises(InputError, match="method: expected a Method or a pymoo algorithm, got 3"):
            as_method(3)
        with pytest.raises(InputError, match="method: expected a Method or a pymoo algorithm, got <class 'dict'>"):
            as_method(dict)

        def wrong(problem):
            return 3

        with pytest.raises(InputError, match="method 'wrong': expected a pymoo algorithm, got int"):
            as_method(wrong)(problem_of(CHAIN), 10, 0)

    def test_a_function_of_the_problem_makes_the_algorithm(self):
        seen = []

        def mine(problem):
            seen.append(problem)
            return NSGA2(pop_size=6, **genotype_operators(problem))

        kind, problem = as_method(mine), problem_of(CHAIN)
        method = kind(problem, 20, 0)
        assert kind.name == "mine"
        assert len(method.ask()) == 6
        assert seen == [problem]

    def test_a_long_description_is_cut(self):
        class Maker:
            def __call__(self, problem):
                return NSGA2(pop_size=6)

            def __repr__(self):
                return 200 * "a" + 200 * "z"

        assert as_method(Maker()).algorithm == 60 * "a" + " … " + 60 * "z"

    def test_a_method_stays_as_it_is(self):
        method = get_method("random")
        assert as_method(method) is method

    def test_a_class_that_cannot_be_made_is_named(self):
        class Picky(NSGA2):
            def __init__(self, *, needed):
                super().__init__()

        with pytest.raises(InputError, match="method 'Picky': expected a class that can be made without arguments"):
            as_method(Picky)(problem_of(CHAIN), 10, 0)

    def test_a_class_gets_genotype_operators_as_far_as_it_takes_them(self):
        made = as_method(NSGA2)(problem_of(CHAIN), 10, 0)._algorithm
        ours = genotype_operators(problem_of(CHAIN))
        assert type(made.mating.crossover) is type(ours["crossover"])

        class Bare(NSGA2):
            def __init__(self):
                super().__init__(pop_size=7)

        assert as_method(Bare)(problem_of(CHAIN), 10, 0)._algorithm.pop_size == 7

    def test_an_instance_is_copied_for_each_run(self):
        mine = NSGA2(pop_size=8)
        runs = [as_method(mine)(problem_of(CHAIN), 10, seed)._algorithm for seed in (0, 1)]
        assert runs[0] is not mine
        assert runs[0] is not runs[1]
        assert not mine.is_initialized
        assert as_method(mine).name == "NSGA2"
