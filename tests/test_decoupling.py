"""Decoupled evaluation: cheap objectives first, never one twice, and only complete architectures on a front."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pymoo.optimize import minimize

from rapid_moo import (
    RAPID,
    ArchitectureProblem,
    ArchitectureTable,
    CostBudget,
    Gene,
    GridSpace,
    Objective,
    PredictorSpec,
)
from rapid_moo.acquisition import coverage_batch, coverage_gains, unbounded
from rapid_moo.batches import Batch
from rapid_moo.cli import main
from rapid_moo.comparison import run_method
from rapid_moo.comparison.methods.rapid import IteratedRAPID
from rapid_moo.comparison.run import sorted_table
from rapid_moo.costs import affordable, with_costs
from rapid_moo.curves import Stops
from rapid_moo.decoupling import Decoupling, Outlook, _needed, screened
from rapid_moo.learning import _teaching
from rapid_moo.pareto import front_range, is_nondominated
from rapid_moo.study.study import Study

GOALS = (Objective("error", "min"), Objective("latency", "min"))
SPECS = [PredictorSpec("bayesian_ridge"), PredictorSpec("bayesian_ridge")]
CHEAP = "error:1,latency:0.01"


class Quick(IteratedRAPID):
    name = "quick"

    def _make(self):
        return RAPID(specs=SPECS, decoupled=self._decoupled)


class Coupled(Quick):
    name = "coupled"
    _decoupled = False


def make_table(costs=CHEAP, noise=3.0, n=7):
    """Errors that follow from the genes, latencies that do not quite: lucky ones are found by measuring alone."""
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(n))) for k in range(3)])
    X = space.enumerate()
    a, b, c = X.T
    rng = np.random.default_rng(0)
    raw = np.column_stack([30.0 - 2 * a - b - 0.5 * c, 10.0 + 2 * a + b + c + noise * rng.standard_normal(len(X))])
    return ArchitectureTable.build(space, with_costs(GOALS, costs), X, raw, name="grid")


def measures(table, calls):
    raw = dict(zip(table.space.keys(table.X), table.raw, strict=True))

    def part(k):
        def measure(architecture):
            key = table.space.keys(table.space.from_dict(architecture)[None])[0]
            calls[GOALS[k].name, key] += 1
            return {GOALS[k].name: raw[key][k]}

        return measure

    return {"error": part(0), "latency": part(1)}


class TestWhatIsCheap:
    @pytest.mark.parametrize(
        ("costs", "cheap"),
        [
            ("error:1,latency:0.01", [False, True]),
            ("error:10,latency:3600", [True, False]),
            ("error:1,latency:1", None),
            ("error:1,latency:0.3", None),
            ("error:1,latency:0.2", [False, True]),
        ],
    )
    def test_follows_from_costs_alone(self, costs, cheap):
        table = make_table(costs)
        found = Decoupling.of(ArchitectureProblem(table.space, table))
        assert (None if found is None else found.cheap.tolist()) == cheap

    def test_is_nothing_where_no_cost_is_stated(self):
        table = replace(make_table(), objectives=GOALS)
        assert Decoupling.of(ArchitectureProblem(table.space, table)) is None

    def test_of_one_function_nothing_can_be_measured_alone(self):
        goals = with_costs((*GOALS, Objective("energy", "min")), "error:1,latency:0.01,energy:0.01")
        space = make_table().space
        one = ArchitectureProblem(space, objectives=goals, measure=lambda a: {})
        assert Decoupling.of(one) is None
        several = {"error": lambda a: {}, "latency,energy": lambda a: {}}
        found = Decoupling.of(ArchitectureProblem(space, objectives=goals, measure=several))
        assert [group.tolist() for group in found.groups] == [[False, True, True]]

    def test_what_is_known_well_is_not_worth_measuring(self):
        table = make_table()
        found = Decoupling.of(ArchitectureProblem(table.space, table))
        unknown = np.array([[True, True], [True, True], [True, False]])
        wanted = found.worthwhile(np.array([[9.0, 0.2], [0.0, 0.04], [9.0, 9.0]]), unknown, 0.1)
        assert wanted.tolist() == [[False, True], [False, False], [False, False]]


class TestOutlook:
    """Twelve candidates of which six may be best in the dear objective; the cheap one tells which of them are good."""

    @staticmethod
    def outlook(spread, cheap_price, plan=(0, 1, 2, 3), under_way=()):
        rng = np.random.default_rng(0)
        dear = np.r_[np.full(6, 1.0), np.full(6, 5.0)]
        cheap = np.full(12, 5.0) + spread * rng.standard_normal((16, 12))
        draws = np.stack([np.broadcast_to(dear, (16, 12)), cheap], axis=2)
        wanted = np.tile([False, True], (12, 1))
        known = np.array([[2.0, 9.0], [4.0, 1.0]])
        waiting = np.tile(np.reshape(under_way, (-1, 2)), (16, 1, 1))
        return Outlook(draws, known, waiting, np.array(plan), wanted, np.full(12, cheap_price), 1.0 + cheap_price, 0)

    def test_evaluations_are_saved_where_cheap_values_tell_who_is_good(self):
        # The best of six is completed alone, where a plan of four goes on until it has come upon it, if it does.
        known = self.outlook(1.0, 0.01).saved(np.arange(6))
        assert 1.0 < known < 4.0
        # Without a price it would be the same; what is dropped is paid.
        free = self.outlook(1.0, 0.0).saved(np.arange(6)) * 1.01
        assert free - 6 * 0.01 < known < free

    def test_nothing_is_saved_where_something_better_is_under_way(self):
        assert self.outlook(1.0, 0.01, under_way=[[0.0, 0.0]]).saved(np.arange(6)) <= 0.0
        assert self.outlook(1.0, 0.01, under_way=[[9.0, 9.0]]).saved(np.arange(6)) > 1.0

    def test_nothing_is_saved_where_they_are_foreseen_and_what_is_dropped_is_paid(self):
        # All six are equally good: one of them covers everything, and the five others are dropped.
        assert self.outlook(0.0, 0.2).saved(np.arange(6)) == pytest.approx(-5 * 0.2)
        assert self.outlook(0.0, 0.2, plan=[0]).saved(np.arange(6)) == pytest.approx(-5 * 0.2)
        assert self.outlook(0.0, 0.2, plan=[0]).saved(np.array([0])) == pytest.approx(0.0)

    @pytest.mark.parametrize(
        ("price", "cost", "expected"), [(0.01, 9.0, 8), (0.01, 0.05, 4), (0.01, 0.03, 2), (0.01, 0.015, 0)]
    )
    def test_as_many_as_pay_and_can_be_paid(self, price, cost, expected):
        picked = self.outlook(1.0, price).best(np.arange(12), 2, cost)
        assert len(picked) == expected
        assert picked.tolist() == list(range(expected))

    def test_none_where_none_pays(self):
        assert self.outlook(0.0, 0.2, plan=[0]).best(np.arange(12), 2, 9.0).tolist() == []

    def test_what_is_known_already_is_not_picked(self):
        outlook = self.outlook(1.0, 0.01)
        outlook.wanted[[1, 3]] = False
        assert not {1, 3} & set(outlook.best(np.arange(12), 4, 9.0).tolist())


@pytest.mark.parametrize(
    ("gains", "gain", "expected"),
    [([2, 3], 2.5, 1.5), ([2, 3], 1, 0.5), ([2, 2, 2], 2, 1), ([2, 3], 4, 2), ([0, 0], 0, 0), ([1, 1, 2], 1.5, 2.5)],
)
def test_evaluations_that_are_needed(gains, gain, expected):
    assert _needed(np.array(gains, dtype=float), gain) == expected


def test_gains_are_what_the_mean_root_distance_falls_by():
    rng = np.random.default_rng(4)
    draws, known = rng.random((5, 7, 2)), np.array([[0.9, 0.1], [0.1, 0.9]])
    order, gains, planned = coverage_gains(draws, known, np.array([6, 0, 3]), seed=0)
    scale = front_range(np.vstack([known, draws.mean(axis=0)]))
    for chosen, found in ((order, gains), (np.array([6, 0, 3]), planned)):
        left = np.zeros(4)
        for truth in draws:
            everyone = np.vstack([truth, known])
            # What is known already is covered and counts for nothing.
            goals = truth[is_nondominated(everyone)[:7]]
            for n in range(4):
                done = np.vstack([known, truth[chosen[:n]]])
                apart = (np.abs(goals[:, None] - done[None]) / scale).max(axis=2).min(axis=1)
                left[n] += np.sqrt(apart).mean() / len(draws)
        assert found == pytest.approx(left[0] - left[1:], abs=1e-5)
    assert gains[-1] >= planned[-1]
    assert order.tolist() == coverage_batch(draws, known, 3, seed=0).tolist()
    waiting = rng.random((5, 2, 2)) - 0.5
    order, gains, planned = coverage_gains(draws, known, np.array([6, 0, 3]), pending=waiting, seed=0)
    assert order.tolist() == coverage_batch(draws, known, 3, pending=waiting, seed=0).tolist()
    assert planned[-1] < left[0] - left[-1]


class TestWhatMayBeSpent:
    """As much as complete evaluations cost, less what parts have cost; what is under way counts as spent."""

    @pytest.fixture
    def begun(self):
        """Some are complete; a batch and what is screened beside it are under way."""
        table = make_table()
        problem = ArchitectureProblem(table.space, table)
        algorithm = RAPID(specs=SPECS)
        algorithm.setup(problem, termination=CostBudget(60), seed=1)
        for _ in range(3):
            algorithm.next()
        wanted = algorithm.ask().get("wanted")
        known = algorithm.view.knowledge(algorithm.bill, algorithm._under_way.X, algorithm.view.members[:0])
        # What is chosen gets an error, what is screened a latency alone.
        counts = known.complete.sum(), known.open.sum(), wanted[:, 0].sum(), (~wanted[:, 0]).sum()
        assert min(counts) > 0
        return algorithm, known, counts

    @pytest.mark.parametrize("n_chosen", [0, 3])
    def test_is_a_share_of_what_complete_evaluations_cost(self, n_chosen, begun):
        algorithm, known, (whole, parts, chosen, screening) = begun
        expected = 1.01 * (whole + chosen + n_chosen) - 0.01 * (parts + screening)
        assert algorithm._spending.for_screening(algorithm._decoupling, known, n_chosen) == pytest.approx(expected)

    def test_what_is_chosen_can_be_completed_afterwards(self):
        """Where the budget does not pay for the batch and its latencies beforehand, the batch is measured at once."""
        table = make_table()
        asked = {}
        for spare in (0.0, 0.015, 0.035, 0.7):
            problem = ArchitectureProblem(table.space, table)
            algorithm = RAPID(specs=SPECS, n_initial=16)
            algorithm.setup(problem, termination=CostBudget(1.01 * 18 + spare), seed=1)
            algorithm.next()
            wanted = algorithm.ask().get("wanted")
            asked[spare] = int(wanted[:, 0].sum()), int(wanted[:, 1].sum())
        assert asked[0.0] == asked[0.015] == (2, 2)
        assert asked[0.035] in {(0, 2), (0, 3)}
        assert asked[0.7][0] == 0

    def test_the_batch_waits_for_its_cheap_values_and_is_chosen_again(self, monkeypatch):
        batches = []

        def stops(view, predictors, batch, known):
            batches.append(set(view.space.keys(batch.picked)))
            return dict.fromkeys(batches[-1], Stops(3, {}))

        monkeypatch.setattr("rapid_moo.algorithm.batch_stops", stops)
        table = make_table()
        algorithm = RAPID(specs=SPECS, n_initial=16)
        algorithm.setup(ArchitectureProblem(table.space, table), termination=CostBudget(60), seed=1)
        algorithm.next()
        trained: set[bytes] = set()
        for _ in range(4):
            infills = algorithm.ask()
            X, wanted = infills.get("X").astype(int), infills.get("wanted")
            whole, part = (set(table.space.keys(X[on])) for on in (wanted[:, 0], ~wanted[:, 0]))
            assert whole <= batches[-1] <= whole | part
            # What waits is not trained, and has no limits at which a training would be stopped.
            assert set(algorithm.stops) == whole
            trained |= whole
            infills.set("F", np.where(wanted, table.F[table.find(X)], np.nan))
            algorithm.tell(infills=infills)
        assert trained


def test_what_is_known_in_part_is_proposed_wherever_a_search_went(monkeypatch):
    """In a space that is not listed nothing else would complete it."""
    space = GridSpace("large", [Gene(f"g{k}", tuple(range(10))) for k in range(7)], with_costs(GOALS, CHEAP))
    problem = ArchitectureProblem(
        space, measure={"error": lambda a: float(a["g0"]), "latency": lambda a: float(a["g1"])}
    )
    X = space.sample(40, 0)
    problem.store.add(X[:20], X[:20, :2].astype(float), free=False)
    problem.store.add(X[20:25], np.column_stack([np.full(5, np.nan), X[20:25, 1]]), free=False)
    algorithm = RAPID(specs=SPECS)
    algorithm.setup(problem, termination=CostBudget(1000), seed=1)
    algorithm.follow()
    proposed = []
    monkeypatch.setattr("rapid_moo.algorithm.evolve_predictions", lambda *args, **more: X[15:40])
    monkeypatch.setattr(algorithm, "_select", lambda proposals, known, size: proposed.append(proposals) or X[:0])
    algorithm.propose()
    assert sorted(space.keys(proposed[0])) == sorted(space.keys(X[20:40]))
    monkeypatch.setattr("rapid_moo.algorithm.evolve_predictions", lambda *args, **more: X[30:40])
    algorithm.propose()
    assert sorted(space.keys(proposed[1])) == sorted(space.keys(np.vstack([X[30:40], X[20:25]])))


class TestScreened:
    """Twenty uncertain candidates, of the first of which all but the cheap value is known."""

    def found(self, left=5.0, under_way=()):
        rng = np.random.default_rng(0)
        mean, known = 0.6 * rng.random((20, 2)), 0.3 * rng.random((30, 2))
        waiting = np.reshape(under_way, (-1, 2))
        truths = np.concatenate(
            [mean + 0.5 * rng.normal(size=(64, 20, 2)), np.tile(waiting, (64, 1, 1))], axis=1, dtype=float
        )
        batch = Batch(
            np.arange(20)[:, None],
            mean,
            np.full((20, 2), 0.5),
            known,
            np.array([0]),
            lambda rows, n: truths[:n, rows],
            np.arange(20, 20 + len(waiting)),
        )
        unknown = np.ones((20, 2), dtype=bool)
        unknown[0, 0] = False
        cheap = Decoupling((np.array([False, True]),), np.array([1.0, 0.01]))
        return screened(batch, unknown, cheap, 1.0, left, None, rng).X

    @pytest.mark.parametrize(("left", "some"), [(0.3, False), (0.99, False), (1.02, True), (5.0, True)])
    def test_nothing_that_cannot_be_completed(self, left, some):
        """The rest of a budget may complete what is nearly known: nothing else is begun then."""
        assert (len(self.found(left)) > 0) == some

    def test_nothing_where_what_is_under_way_is_better_than_all(self):
        assert len(self.found(under_way=[[9.0, 9.0]])) > 0
        assert len(self.found(under_way=[[-9.0, -9.0]])) == 0


@pytest.mark.parametrize(("n_open", "n_teaching"), [(799, 799), (800, 800), (801, 800), (1500, 800)])
def test_of_very_many_known_in_part_800_teach(n_open, n_teaching):
    complete = np.arange(n_open + 40) < 40
    complete = np.random.default_rng(0).permutation(complete)
    rows = _teaching(complete)
    assert len(set(rows.tolist())) == n_teaching
    assert not complete[rows].any()
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == _teaching(complete).tolist()


class TestBounds:
    """Cheap latencies that cannot be foreseen, of which one in ten is short enough."""

    def run(self, decoupled, seed=0, bound=12.0):
        table = make_table(noise=0.0)
        lottery = np.random.default_rng(1).uniform(10.0, 30.0, len(table))
        table = ArchitectureTable.build(
            table.space, table.objectives, table.X, np.column_stack([table.raw[:, 0], lottery]), name="lottery"
        )
        problem = ArchitectureProblem(table.space, table, constraints=f"latency <= {bound}")
        algorithm = RAPID(specs=SPECS, decoupled=decoupled)
        minimize(problem, algorithm, CostBudget(30.0), seed=seed)
        trained = np.isfinite(problem.store.raw[:, 0])
        met = problem.store.raw[:, 1] <= bound
        return problem.store, trained, met

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_what_is_out_of_bounds_is_not_trained_where_that_can_be_known_for_little(self, seed):
        # Where nothing feasible was known nothing was screened, and what was expected to be feasible was trained.
        store, trained, met = self.run(True, seed)
        later = np.arange(len(store)) >= 12
        assert (trained & later).sum() >= 8
        # With little left of the budget nothing is screened any more.
        assert met[np.flatnonzero(trained & later)[:8]].all()
        assert met[trained & later].mean() > 0.75
        _, coupled, met = self.run(False, seed)
        assert met[coupled].mean() < 0.4

    def test_where_nothing_may_be_within_the_bound_the_batch_waits_for_its_cheap_values(self):
        batch = Batch(
            np.arange(4)[:, None],
            np.zeros((4, 2)),
            np.ones((4, 2)),
            np.empty((0, 2)),
            np.arange(3),
            lambda rows, n: np.random.default_rng(0).normal(size=(n, len(rows), 2)),
            broken=lambda values: values > np.array([np.inf, -0.5]),
        )
        cheap = Decoupling((np.array([False, True]),), np.array([1.0, 0.01]))
        unknown = np.ones((4, 2), dtype=bool)
        found = screened(batch, unknown, cheap, 1.0, 9.0, None, np.random.default_rng(0))
        assert found.waiting.ravel().tolist() == [0, 1, 2]
        assert found.wanted.tolist() == [[False, True]] * 3
        free = replace(batch, broken=unbounded)
        assert len(screened(free, unknown, cheap, 1.0, 9.0, None, np.random.default_rng(0)).X) == 0


class TestOnTables:
    def test_cheap_objectives_are_measured_widely_and_the_same_cost_finds_more(self):
        table = sorted_table(make_table())
        gains = []
        for seed in range(2):
            whole, parts = (run_method(table, method, 40.0, seed) for method in (Coupled, Quick))
            assert len(set(whole.rows)) == len(whole.complete[0])
            assert len(set(parts.rows)) > 2 * len(parts.complete[0])
            assert affordable(parts.spent[-1], 40.0)
            assert type(parts).from_dict(parts.to_dict()) == parts  # nothing is measured twice
            gains.append(np.subtract(*(quality(table, record) for record in (whole, parts))))
        assert np.mean(gains) > 0.01

    def test_what_predictors_know_is_not_measured(self):
        table = sorted_table(make_table(noise=0.0))
        record = run_method(table, Quick, 30.0, 0)
        assert len(set(record.rows)) < 1.5 * len(record.complete[0])

    def test_where_nothing_is_worth_screening_it_is_the_coupled_run(self):
        table = sorted_table(make_table("error:1,latency:0.2", noise=0.1))
        first, second = (run_method(table, method, 45.0, 0) for method in (Quick, Coupled))
        assert (first.rows, first.measured) == (second.rows, second.measured)

    def test_with_equal_costs_it_is_the_coupled_run(self):
        table = sorted_table(make_table("error:1,latency:1"))
        first, second = (run_method(table, method, 50.0, 0) for method in (Quick, Coupled))
        assert (first.rows, first.measured) == (second.rows, second.measured)

    def test_the_same_seed_is_the_same_run(self):
        table = sorted_table(make_table())
        first, second = (run_method(table, Quick, 25.0, 5) for _ in range(2))
        assert (first.rows, first.measured) == (second.rows, second.measured)


def quality(table, record):
    from rapid_moo import adrs

    return adrs(table.F[record.complete[0]], reference=table.front)


class TestMinimize:
    def test_only_complete_architectures_are_in_a_result(self):
        table = make_table()
        problem = ArchitectureProblem(table.space, table)
        result = minimize(problem, RAPID(specs=SPECS), CostBudget(30), seed=1)
        store = problem.store
        assert 25 < problem.cost() <= 30
        assert (~store.complete).sum() > 20
        assert len(result.pop) == store.complete.sum()
        assert np.isfinite(result.pop.get("F")).all()
        assert store.repeats.max() == 1
        assert not store.pending.any()

    def test_a_budget_of_evaluations_is_spent_on_complete_ones(self):
        table = make_table()
        problem = ArchitectureProblem(table.space, table)
        minimize(problem, RAPID(specs=SPECS), ("n_eval", 24), seed=1)
        assert problem.store.complete.sum() == len(problem.store) == 24

    def test_functions_of_a_measure_are_called_as_needed(self):
        table, calls = make_table(), Counter()
        problem = ArchitectureProblem(table.space, objectives=table.objectives, measure=measures(table, calls))
        minimize(problem, RAPID(specs=SPECS), CostBudget(25), seed=1)
        names = Counter(name for name, _ in calls)
        assert max(calls.values()) == 1
        assert names["latency"] > 1.5 * names["error"]

    def test_asked_and_told_in_part(self):
        table = make_table()
        problem = ArchitectureProblem(table.space, table)
        algorithm = RAPID(specs=SPECS)
        algorithm.setup(problem, termination=CostBudget(28), seed=1)
        asked: Counter[tuple[bytes, int]] = Counter()
        failed = None
        while algorithm.has_next():
            infills = algorithm.ask()
            if not len(infills):
                algorithm.tell(infills=infills)
                break
            X, wanted = infills.get("X").astype(int), infills.get("wanted")
            asked.update(
                (key, k) for key, on in zip(table.space.keys(X), wanted, strict=True) for k in np.flatnonzero(on)
            )
            F = np.where(wanted, table.F[table.find(X)], np.nan)
            part = np.flatnonzero(~wanted.all(axis=1) & wanted[:, 1])
            if failed is None and len(part):
                failed = X[part[0]]
                F[part[0], 1] = np.nan
            infills.set("F", F)
            algorithm.tell(infills=infills)
        assert max(asked.values()) == 1
        row = int(problem.store.find(failed[None])[0])
        assert problem.store.state(row) == "failed"
        assert asked[table.space.keys(failed[None])[0], 0] == 0
        assert np.isfinite(algorithm.opt.get("F")).all()
        # What was not asked for has not failed.
        assert problem.store.failed.sum() == 1
        assert (~problem.store.complete).sum() > 50


class TestStudies:
    def test_each_function_is_called_where_it_pays_and_none_twice(self, tmp_path):
        table, calls = make_table(), Counter()
        options = {"search": "auto", "n_initial": 16}
        study = Study(
            tmp_path / "s", table.space, measures(table, calls), objectives=table.objectives, options=options, seed=3
        )
        study.run(20.0)
        status = study.run(24.0)
        names = Counter(name for name, _ in calls)
        assert max(calls.values()) == 1
        assert names["latency"] > 2 * names["error"]
        assert status.partial > 20
        assert status.repeats == 0
        assert status.cost == pytest.approx(names["error"] + 0.01 * names["latency"])
        assert status.cost <= 24.0

    def test_a_measure_that_is_one_function_gives_all(self, tmp_path):
        table = make_table()
        study = Study(
            tmp_path / "s", table.space, lambda a: {"error": a["g0"], "latency": a["g1"]}, objectives=table.objectives
        )
        assert study.run(22.0).partial == 0

    def test_failures_of_one_objective_leave_the_others(self, tmp_path):
        table, calls = make_table(), Counter()
        parts = measures(table, calls)
        broken = {**parts, "latency": lambda a: {} if a["g2"] == 3 else parts["latency"](a)}
        study = Study(tmp_path / "s", table.space, broken, objectives=table.objectives, seed=1)
        study.run(24.0)
        failed = np.flatnonzero(study.store.failed)
        assert len(failed)
        assert study.status().done > 15
        # Where its latency fails first, nothing else is measured of an architecture.
        assert np.isnan(study.store.raw[failed, 0]).any()

    def test_asked_rows_name_the_objectives(self, tmp_path, capsys):
        table = make_table()
        study = Study(tmp_path / "s", table.space, None, objectives=table.objectives, seed=3)
        for _ in range(8):
            for trial in study.ask(8):
                raw = table.raw[table.find(study.space.from_dict(trial.architecture)[None])[0]]
                known = dict(zip(("error", "latency"), raw.tolist(), strict=True))
                study.tell(trial, {name: known[name] for name in trial.objectives})
        status = study.status()
        assert status.partial > 10
        assert status.running == status.waiting == 0
        assert main(["ask", str(tmp_path / "s"), "-n", "8"]) == 0
        lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        asked = {line["measure"] for line in lines}
        assert asked <= {"latency", "error", "error latency"}
        assert "latency" in asked
        assert all(line["latency"] for line in lines if line["measure"] == "error")
