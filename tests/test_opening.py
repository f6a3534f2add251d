"""The first sample where others tell of every objective: few architectures, chosen by what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rapid_moo import RAPID, ArchitectureProblem, Gene, GridSpace, Objective, OneShotRAPID, Prior, Study
from rapid_moo.costs import CostBudget, with_costs
from rapid_moo.opening import INFORMED_SAMPLE, told_of_all
from rapid_moo.pareto import front_indices
from rapid_moo.priors import Priors
from rapid_moo.table import ArchitectureTable
from rapid_moo.view import SpaceView

SPACE = GridSpace("toy", [Gene(f"g{k}", (0, 1, 2, 3)) for k in range(5)])
OBJECTIVES = (Objective("error", "min"), Objective("latency", "min", "ms"))
EVERYONE = SPACE.enumerate()


def table(device: int, rows: np.ndarray | None = None) -> ArchitectureTable:
    """Two devices agree in the error, and in latency but for a factor and what one gene costs."""
    X = EVERYONE if rows is None else EVERYONE[rows]
    error = 30.0 - 3.0 * X[:, 0] - 2.0 * X[:, 1] - X[:, 2] + 0.5 * X[:, 3]
    latency = (1.0 + device) * (2.0 + 2.0 * X[:, 0] + X[:, 1] + X[:, 2] + (0.5 + 0.5 * device) * X[:, 4])
    return ArchitectureTable.build(SPACE, OBJECTIVES, X, np.column_stack([error, latency]), f"device{device}")


def some(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(len(EVERYONE))[:n]


def only(told: ArchitectureTable, name: str) -> ArchitectureTable:
    """What tells of one objective alone."""
    k = [objective.name for objective in told.objectives].index(name)
    return ArchitectureTable.build(SPACE, (told.objectives[k],), told.X, told.raw[:, [k]], f"{name} of {told.name}")


def started(priors, problem=None, termination=("n_eval", 100), **options):
    algorithm = RAPID(priors=priors, **options)
    problem = problem or ArchitectureProblem(SPACE, table(1))
    algorithm.setup(problem, termination=termination, seed=0)
    return algorithm


class TestWhenItIsSmall:
    @pytest.mark.parametrize(
        ("priors", "size"),
        [
            ([], 12),
            ([Prior(table(0, some(60)))], 5),
            ([Prior(table(0, some(60)), same="error")], 5),
            # One objective of which nobody tells: its values are still to be learnt.
            ([Prior(only(table(0, some(60)), "latency"))], 12),
            ([Prior(only(table(0, some(60)), "error"), same="error")], 12),
            ([Prior(only(table(0, some(60)), "error")), Prior(only(table(0, some(60, 1)), "latency"))], 5),
            # Too few to learn from.
            ([Prior(only(table(0, some(4)), "error"), same="error"), Prior(only(table(0, some(60)), "latency"))], 12),
        ],
    )
    def test_where_every_objective_is_told_of(self, priors, size):
        algorithm = started(priors)
        assert algorithm.first_sample == size
        assert len(algorithm.propose()) == size

    @pytest.mark.parametrize("options", [{"n_initial": 9}, {"sampling": "random"}])
    def test_what_was_asked_for_stays(self, options):
        algorithm = started([Prior(table(0, some(60, 5)))], **options)
        X = algorithm.propose()
        assert len(X) == algorithm.first_sample == options.get("n_initial", 12)
        elsewhere = set(SPACE.keys(EVERYONE[some(60, 5)]))
        assert not all(key in elsewhere for key in SPACE.keys(X))

    def test_the_published_method_keeps_its_sample(self):
        algorithm = OneShotRAPID(n_initial=40, priors=[Prior(table(0, some(60)))])
        algorithm.setup(ArchitectureProblem(SPACE, table(1)), termination=("n_eval", 100), seed=0)
        assert len(algorithm.propose()) == algorithm.first_sample == 40

    def test_whole_architectures_of_this_device_tell_nothing_of_others(self):
        problem = ArchitectureProblem(SPACE, table(1))
        problem.store.add(table(1).X[:8], table(1).raw[:8])
        assert not told_of_all(SpaceView(problem), None)
        assert started([], problem).first_sample == 12
        assert len(started([], problem).propose()) == 4

    @pytest.mark.parametrize(("budget", "size"), [(100, 12), (13, 12), (12, 11), (3, 2), (2, 2), (1, 1)])
    def test_something_of_a_budget_is_left_to_be_chosen(self, budget, size):
        assert len(started([], termination=("n_eval", budget)).propose()) == size

    @pytest.mark.parametrize(("cost", "size"), [(1000.0, 12), (15.0, 5), (4.0, 1)])
    def test_of_a_budget_of_cost_as_well(self, cost, size):
        priced = replace(table(1), objectives=with_costs(OBJECTIVES, "error:2,latency:0.5"))
        algorithm = started([], ArchitectureProblem(SPACE, priced), CostBudget(cost), decoupled=False)
        assert len(algorithm.propose()) == size

    @pytest.mark.parametrize(("same", "size"), [("error", 5), ((), 2)])
    def test_but_what_was_taken_over_costs_little(self, same, size):
        """A budget of one and a half trainings pays for five latencies; five trainings it does not pay for."""
        priced = replace(table(1), objectives=with_costs(OBJECTIVES, "error:1,latency:0.01"))
        problem = ArchitectureProblem(SPACE, priced)
        algorithm = started([Prior(table(0, some(60)), same=same)], problem, CostBudget(1.5))
        assert algorithm.first_sample == size
        assert len(algorithm.propose()) == (5 if same else 1)


class TestWhoIsInIt:
    @pytest.mark.parametrize("same", [(), ("error",)])
    def test_are_architectures_that_are_known_elsewhere(self, same):
        rows = some(60)
        X = started([Prior(table(0, rows), same=same)]).propose()
        assert len({*SPACE.keys(X)}) == INFORMED_SAMPLE
        assert set(SPACE.keys(X)) <= set(SPACE.keys(EVERYONE[rows]))

    def test_most_are_on_the_front_of_what_is_known_elsewhere(self):
        rows = some(200)
        told = table(0, rows)
        front = set(SPACE.keys(told.X[front_indices(told.F)]))
        assert len(front) < 40
        for seed in range(5):
            algorithm = RAPID(priors=[Prior(told)])
            algorithm.setup(ArchitectureProblem(SPACE, table(1)), termination=("n_eval", 100), seed=seed)
            assert sum(key in front for key in SPACE.keys(algorithm.propose())) >= 3

    def test_directions_count(self):
        goals = (Objective("error", "max"), Objective("latency", "max", "ms"))
        rows = some(200)
        told = ArchitectureTable.build(SPACE, goals, EVERYONE[rows], table(0, rows).raw, "turned")
        problem = ArchitectureProblem(SPACE, ArchitectureTable.build(SPACE, goals, EVERYONE, table(1).raw, "turned"))
        front = set(SPACE.keys(told.X[front_indices(told.F)]))
        assert sum(key in front for key in SPACE.keys(started([Prior(told)], problem).propose())) >= 3

    def test_several_sources_of_any_unit_have_a_say(self):
        rows, other = some(100), some(100, 1)
        far = table(0, other)
        far = ArchitectureTable.build(SPACE, OBJECTIVES, far.X, far.raw * [1.0, 1e9], "nanoseconds")
        X = started([Prior(table(0, rows)), Prior(far)]).propose()
        assert set(SPACE.keys(X)) <= set(SPACE.keys(EVERYONE[np.concatenate([rows, other])]))

    def test_an_objective_that_does_not_vary_there_is_no_reason(self):
        flat = table(0, some(60))
        flat = ArchitectureTable.build(SPACE, OBJECTIVES, flat.X, flat.raw * [1.0, 0.0] + [0.0, 3.0], "flat")
        assert len(started([Prior(flat)]).propose()) == INFORMED_SAMPLE

    def test_what_cannot_be_evaluated_is_left_out(self):
        """Of a table its members alone, within bounds on genes, and nothing that is known."""
        rows = some(60)
        half = table(1, np.flatnonzero(EVERYONE[:, 0] < 2))
        problem = ArchitectureProblem(SPACE, half, constraints="g1 <= 1")
        for _ in range(2):
            X = started([Prior(table(0, rows))], problem).propose()
            assert (X[:, 0] < 2).all()
            assert (X[:, 1] < 2).all()
            problem.store.add(X, half.raw[half.find(X)])

    def test_bounds_on_what_was_taken_over_count(self):
        rows = some(300)
        problem = ArchitectureProblem(SPACE, table(1), constraints="error <= 20")
        told = table(0, rows)
        X = started([Prior(told, same="error")], problem).propose()
        assert (table(0).raw[table(0).find(X[:3]), 0] <= 20.0).all()

    def test_where_too_few_are_known_elsewhere_the_space_is_represented(self):
        """Five are told of, one of which is no member: four of them, and then one of all."""
        rows = some(5)
        rest = np.setdiff1d(np.arange(len(EVERYONE)), rows[:1])
        algorithm = started([Prior(table(0, rows))], ArchitectureProblem(SPACE, table(1, rest)))
        first = algorithm.propose()
        assert set(SPACE.keys(first)) == set(SPACE.keys(EVERYONE[rows[1:]]))
        assert len(algorithm.propose()) == 1

    def test_what_is_under_way_counts_as_chosen(self):
        """Asked for one by one, a second architecture is not the first one's neighbour."""
        told = Prior(table(0, some(300)))
        together = [SPACE.keys(started([told]).propose())]
        algorithm = started([told])
        X = np.vstack([algorithm.propose(1) for _ in range(INFORMED_SAMPLE)])
        assert len({*SPACE.keys(X)}) == INFORMED_SAMPLE == len(together[0])
        raw = table(0).raw[table(0).find(X)]
        assert np.ptp(raw, axis=0)[1] > 0.5 * np.ptp(table(0).raw[:, 1][front_indices(table(0).F)])

    def test_is_the_same_again(self):
        priors = [Prior(table(0, some(100)), same="error"), Prior(table(2, some(100, 1)))]
        assert (started(priors).propose() == started(priors).propose()).all()


class TestManyWorkers:
    """Who has more places than the first sample has architectures does not learn from one or two of them."""

    def tell(self, algorithm, X):
        for row, x in zip(algorithm.view.store.find(X).tolist(), X, strict=True):
            values = table(1).raw[table(1).find(x[None])[0]]
            algorithm.view.store.tell(row, dict(zip(("error", "latency"), values.tolist(), strict=True)))

    @pytest.mark.parametrize("told", [True, False])
    def test_get_more_of_the_sample_until_five_are_known(self, told, caplog):
        rows = some(60)
        algorithm = started([Prior(table(0, rows), same="error")] if told else [])
        store = algorithm.view.store
        X = algorithm.propose()
        store.ask(X)
        elsewhere = set(SPACE.keys(EVERYONE[rows]))
        for n in (0, 1, 4):
            self.tell(algorithm, X[store.pending[store.find(X)]][: n - int(store.complete.sum())] if n else X[:0])
            algorithm.follow()
            more = algorithm.propose(2) if not n else algorithm.propose()
            store.ask(more)
            assert len(more) == (1 if n else 2)
            assert algorithm.predictors is None
            assert all(key in elsewhere for key in SPACE.keys(more)) == told
        self.tell(algorithm, X[store.pending[store.find(X)]][:1])
        algorithm.follow()
        assert len(algorithm.propose())
        assert algorithm.predictors is not None
        # Nothing has failed, and what others know is no evaluation.
        assert "succeeded" not in caplog.text

    def test_within_the_budget(self):
        algorithm = started([Prior(table(0, some(60)))], termination=("n_eval", 6))
        store = algorithm.view.store
        X = algorithm.propose()
        store.ask(X)
        self.tell(algorithm, X[:1])
        algorithm.follow()
        assert [len(algorithm.propose()) for _ in range(3)] == [1, 0, 0]


def test_what_was_given_in_part_and_cannot_be_measured_is_no_part_of_the_sample() -> None:
    whole = table(1)
    raw = whole.raw.copy()
    raw[:30, 1] = np.nan
    gaps = ArchitectureTable.build(SPACE, OBJECTIVES, whole.X[30:], whole.raw[30:], "gaps")
    gaps = replace(gaps, partial=(whole.X[:30], raw[:30]))
    assert len(started([], ArchitectureProblem(SPACE, gaps)).propose()) == 12


def test_a_study_begins_with_it_at_once(tmp_path: Path) -> None:
    def measure(architecture):
        row = table(1).find(SPACE.from_dict(architecture)[None])[0]
        return dict(zip(("error", "latency"), table(1).raw[row].tolist(), strict=True))

    told = table(0, some(60))
    study = Study(tmp_path / "s", SPACE, measure, objectives=OBJECTIVES, priors=[Prior(told, same="error")])
    study.run(budget=5)
    measured = study.store.X[study.store.complete]
    assert set(SPACE.keys(measured)) <= set(SPACE.keys(told.X))
    again = Study(tmp_path / "s", measure=measure)
    assert again.algorithm.first_sample == 5
    by_hand = Study(tmp_path / "t", SPACE, None, objectives=OBJECTIVES, priors=[Prior(told, same="error")])
    trials = [by_hand.ask() for _ in range(5)]
    assert [trial.architecture for trial in trials] == [SPACE.to_dict(x) for x in measured]


def test_hints_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first sample asks the very sources that the predictors ask."""
    priors = Priors(SPACE, OBJECTIVES, [Prior(table(0, some(60)))])
    sources = priors.sources("latency")
    started(priors).propose()
    assert priors.sources("latency") is sources
