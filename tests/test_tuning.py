"""The ADRS tuner: nothing is fitted twice, the loss is what it says, and the choice is sound."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm
from threadpoolctl import threadpool_info, threadpool_limits

from rapid_moo import ArchitectureTable, open_table
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.indicators import adrs
from rapid_moo.objectives import Objective
from rapid_moo.pareto import front_points, is_nondominated, pareto_ranks
from rapid_moo.predictors import FAMILIES, GaussianProcess, PredictorSpec, members_of
from rapid_moo.predictors.predictor import assign_folds
from rapid_moo.predictors.transforms import TRANSFORMS
from rapid_moo.problems.hw_gpt import HWGPT
from rapid_moo.space import FEATURE_SETS, Gene, GridSpace
from rapid_moo.tuning import (
    ADRSTuner,
    Bench,
    ResampledLoss,
    adapt,
    early_specs,
    load_triplet,
    pick_loss,
    pick_order,
    selection,
)
from rapid_moo.tuning import bench as bench_module
from rapid_moo.tuning.bench import FrontOrder, Trial
from rapid_moo.tuning.early import CANDIDATES
from rapid_moo.tuning.loss import _bills
from rapid_moo.tuning.selection import (
    Judged,
    _soundest_on,
    _tied_on,
    committee,
    judge,
    learnable,
    promise,
    ranking_frame,
)
from rapid_moo.tuning.tuner import _drawn, _parametrization, _screening

GP = PredictorSpec()
FOREST = PredictorSpec("random_forest", {"max_features": 0.5})
RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})
TREES = PredictorSpec("xgboost", {"subsample": 0.8}, "all")
OBJECTIVES = (Objective("accuracy", "max"), Objective("latency", "min"), Objective("memory", "min"))
clouds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def grid_table(n: int = 120, seed: int = 0, noise: float = 0.0) -> ArchitectureTable:
    """A smooth problem over six genes; the third objective is noise if ``noise`` is 1."""
    space = GridSpace("smooth", [Gene(f"g{k}", tuple(range(5))) for k in range(6)])
    rng = np.random.default_rng(seed)
    X = space.sample(n, rng)
    accuracy = np.tanh(X.sum(axis=1) / 10.0) + 0.02 * X[:, 0] * X[:, 1]
    latency = 1.0 + (X**1.5).sum(axis=1)
    memory = (1.0 - noise) * (X[:, 0] * X[:, 1] + X[:, 2]) + noise * rng.normal(size=len(X))
    return ArchitectureTable.build(space, OBJECTIVES, X, np.column_stack([accuracy, latency, memory]), name="smooth")


@pytest.fixture(scope="module")
def sample():
    return grid_table()


class TestLoss:
    @settings(deadline=None, max_examples=40)
    @given(rng=clouds, n=st.integers(4, 30), n_objectives=st.integers(2, 4), tied=st.booleans())
    def test_whole_is_pick_loss_and_the_truth_loses_nothing(self, rng, n, n_objectives, tied):
        F = rng.integers(0, 4, (n, n_objectives)).astype(float) if tied else rng.normal(size=(n, n_objectives))
        predicted = F + rng.normal(size=F.shape)
        loss = ResampledLoss(F, 0)
        assert loss.whole(predicted) == pytest.approx(pick_loss(F, predicted), abs=1e-9)
        assert pick_loss(F, F) == pytest.approx(0.0, abs=1e-12) or tied
        assert np.isfinite(loss.losses(predicted)).all()

    @settings(deadline=None, max_examples=30)
    @given(rng=clouds, factor=st.floats(0.01, 100.0), shift=st.floats(-5.0, 5.0))
    def test_only_the_order_and_gaps_of_predictions_count(self, rng, factor, shift):
        F = rng.normal(size=(25, 3))
        predicted = F + 0.5 * rng.normal(size=F.shape)
        assert pick_loss(F, predicted * factor + shift) == pytest.approx(pick_loss(F, predicted), abs=1e-9)

    def test_pick_loss_is_the_mean_adrs_of_two_bills(self, sample):
        predicted = sample.F + np.random.default_rng(0).normal(size=sample.F.shape)
        front, order = front_points(sample.F), pick_order(predicted)
        bills = [max(3, len(front)), min(len(sample), 2 * len(front))]
        expected = np.mean([adrs(sample.F[order[:bill]], reference=front) for bill in bills])
        assert pick_loss(sample.F, predicted) == pytest.approx(expected)

    def test_halves_are_complementary(self, sample):
        halves = ResampledLoss(sample.F, 3).halves
        for first, second in zip(halves[::2], halves[1::2], strict=True):
            assert sorted([*first, *second]) == list(range(len(sample)))

    def test_order_of_picks_starts_with_the_predicted_front(self, sample):
        order = pick_order(sample.F)
        assert sorted(order) == list(range(len(sample)))
        first = is_nondominated(sample.F)
        assert set(order[: first.sum()]) == set(np.flatnonzero(first))


class TestPicks:
    def test_order_is_by_front_then_by_the_widest_gap(self):
        front = np.array([[0.0, 10.0], [1.0, 9.0], [5.0, 4.0], [10.0, 0.0]])
        order = pick_order(np.vstack([front + 20.0, front])).tolist()
        assert set(order[:2]) == {4, 7}
        assert order[2:4] == [6, 5]
        assert set(order[4:6]) == {0, 3}

    @pytest.mark.parametrize(
        ("front", "n", "expected"), [(5, 100, [5, 10]), (1, 100, [3]), (2, 100, [3, 4]), (9, 10, [9, 10])]
    )
    def test_bills_are_the_front_s_size_and_its_double(self, front, n, expected):
        F = np.vstack([np.column_stack([np.arange(front), -np.arange(front)]), np.full((n - front, 2), 1e3)])
        predicted = np.random.default_rng(0).random((n, 2))
        order = pick_order(predicted)
        by_hand = np.mean([adrs(F[order[:bill]], reference=F[:front]) for bill in expected])
        assert pick_loss(F, predicted) == pytest.approx(by_hand)
        assert ResampledLoss(F, 0).whole(predicted) == pytest.approx(by_hand)
        assert _bills(front, n) == expected

    def test_halves_are_ten_pairs_and_their_losses_those_of_their_rows(self, sample):
        loss = ResampledLoss(sample.F, 1)
        predicted = sample.F + np.random.default_rng(0).normal(size=sample.F.shape)
        assert len(loss) == len(loss.losses(predicted)) == 20
        assert {len(half) for half in loss.halves} == {len(sample) // 2}
        for i in (0, 1, 7):
            expected = pick_loss(sample.F[loss.halves[i]], predicted[loss.halves[i]])
            assert loss.losses(predicted)[i] == pytest.approx(expected)
            assert loss.on_half(predicted, i) == pytest.approx(expected)
        assert loss.losses(predicted, 3).tolist() == loss.losses(predicted)[:3].tolist()
        assert len({half.tobytes() for half in loss.halves}) == 20

    def test_one_objective(self):
        F = np.arange(12.0)[:, None]
        assert ResampledLoss(F, 0).whole(F) == pick_loss(F, F) == 0.0
        assert ResampledLoss(F, 0).whole(-F) == pick_loss(F, -F) == 1.0


class TestFrontOrder:
    def test_is_a_kendall_tau_weighted_by_ranks(self):
        rng = np.random.default_rng(0)
        F, predicted = rng.integers(0, 5, (14, 2)).astype(float), rng.integers(0, 5, 14).astype(float)
        ranks = pareto_ranks(F)
        right = total = 0.0
        for i in range(14):
            for j in range(14):
                weight = 1.0 / (1.0 + ranks[i]) / (1.0 + ranks[j])
                total += weight * (F[i, 1] != F[j, 1])
                right += weight * np.sign(F[i, 1] - F[j, 1]) * np.sign(predicted[i] - predicted[j])
        assert FrontOrder(F).error(1, predicted) == pytest.approx(1.0 - right / total)

    def test_on_some_rows_is_of_those_pairs_alone(self):
        F = np.column_stack([np.arange(6.0), -np.arange(6.0)])
        predicted = np.array([0.0, 1.0, 2.0, 9.0, 8.0, 7.0])
        order = FrontOrder(F)
        assert order.error(0, predicted, np.array([0, 1, 2])) == pytest.approx(0.0)
        assert order.error(0, predicted, np.array([3, 4, 5])) == pytest.approx(2.0)
        assert order.error(0, predicted, np.array([2])) == 1.0

    def test_two_rows_are_enough(self):
        order = FrontOrder(np.array([[0.0, 0.0], [1.0, 1.0]]))
        assert [order.error(0, np.array(guess)) for guess in ([3.0, 4.0], [4.0, 3.0])] == [0.0, 2.0]

    def test_truth_reversal_and_constant(self, sample):
        order = FrontOrder(sample.F)
        for k in range(3):
            assert order.error(k, sample.F[:, k]) == pytest.approx(0.0)
            assert order.error(k, -sample.F[:, k]) == pytest.approx(2.0)
            assert order.error(k, np.zeros(len(sample))) == pytest.approx(1.0)

    def test_mistakes_near_the_front_count_more(self):
        F = np.column_stack([np.arange(20.0), np.arange(20.0)])
        order = FrontOrder(F)
        near, far = F[:, 0].copy(), F[:, 0].copy()
        near[[0, 1]], far[[18, 19]] = near[[1, 0]], far[[19, 18]]
        assert order.error(0, near) > 10 * order.error(0, far)


class Invented:
    """A bench whose trials are made up: what the selection sees of one."""

    def __init__(self, F, columns):
        self.F, self.order = F, FrontOrder(F)
        self.trials = [
            [
                Trial(PredictorSpec(family, {"max_depth": i}), mean, self.order.error(k, mean), True, 0.0)
                for i, (family, mean) in enumerate(column)
            ]
            for k, column in enumerate(columns)
        ]

    predicted = Bench.predicted


def behind_a_curve(rng, n):
    """Points whose front always spans about as much."""
    x = rng.random(n)
    return np.column_stack([x, (1.0 - x) ** 2 + 0.5 * rng.random(n)])


def invented(seed=0, n=60, spread=(0.1, 0.3, 0.6)):
    rng = np.random.default_rng(seed)
    F = behind_a_curve(rng, n)
    names = ("xgboost", "random_forest", "gradient_boosting")
    columns = [
        [(name, F[:, k] + s * rng.normal(size=n)) for name, s in zip(names, spread, strict=True)] for k in range(2)
    ]
    return Invented(F, columns)


class TestSelection:
    def test_every_combination_is_judged_and_the_tied_come_first_by_their_errors(self):
        bench = invented(spread=(0.02, 0.3, 1.5))
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, bench.trials)
        assert len({t.trials for t in judged}) == len(judged) == 9
        flags = [t.tied for t in judged]
        assert flags == sorted(flags, reverse=True)
        assert 1 <= sum(flags) < 9
        tied, others = judged[: sum(flags)], judged[sum(flags) :]
        assert [t.error for t in tied] == sorted(t.error for t in tied)
        assert [t.losses.mean() for t in others] == sorted(t.losses.mean() for t in others)

    def test_a_tie_is_a_mean_difference_of_no_more_than_its_standard_error(self):
        bench = invented(1, spread=(0.02, 0.3, 1.5))
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, bench.trials)
        losses = {t.trials: loss.losses(bench.predicted(t.trials)) for t in judged}
        best = min(losses.values(), key=np.mean)
        for t in judged:
            difference = losses[t.trials] - best
            assert t.losses == pytest.approx(losses[t.trials])
            assert t.se == pytest.approx(difference.std())
            assert t.tied == (difference.mean() <= difference.std())
            assert t.adrs == pytest.approx(pick_loss(bench.F, bench.predicted(t.trials)))
            unit = [min(trial.error for trial in column) for column in bench.trials]
            assert t.error == pytest.approx(sum(trial.error / u for trial, u in zip(t.trials, unit, strict=True)))

    def test_the_preferred_are_first_of_the_tied_and_no_others_are(self):
        bench = invented(2, spread=(0.2, 0.2, 0.2))
        loss = ResampledLoss(bench.F, 0)
        prefer = ("gradient_boosting",)
        judged = judge(bench, loss, bench.trials, prefer)
        tied = [t for t in judged if t.tied]
        others = [sum(trial.spec.family not in prefer for trial in t.trials) for t in tied]
        assert others == sorted(others)
        assert len(set(others)) > 1

    def test_a_committee_is_the_mean_of_the_tied(self):
        bench = invented(3, spread=(0.2, 0.2, 0.6))
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, bench.trials)
        tied = [t for t in judged if t.tied]
        assert len(tied) > 1
        found = committee(bench, loss, judged)
        for k in range(2):
            mean = np.mean([t.trials[k].mean for t in tied], axis=0)
            assert found.trials[k].mean == pytest.approx(mean)
            assert found.trials[k].error == pytest.approx(bench.order.error(k, mean))
            shares = {member.label: share for member, share in members_of(found.trials[k].spec)}
            labels = [t.trials[k].spec.label for t in tied]
            assert shares == pytest.approx({label: labels.count(label) / len(tied) for label in set(labels)})
        predicted = bench.predicted(found.trials)
        assert predicted == pytest.approx(np.column_stack([trial.mean for trial in found.trials]))
        assert found.adrs == pytest.approx(pick_loss(bench.F, predicted))
        best = min((t.losses for t in judged), key=np.mean)
        assert found.se == pytest.approx((loss.losses(predicted) - best).std())
        assert found.tied == ((loss.losses(predicted) - best).mean() <= found.se)
        # Nothing was fitted for it.
        assert [(trial.complete, trial.seconds) for trial in found.trials] == [(True, 0.0)] * 2
        floors = [min(t.trials[k].error for t in judged) for k in range(2)]
        assert found.error == pytest.approx(sum(t.error / f for t, f in zip(found.trials, floors, strict=True)))

    def test_an_exact_predictor_is_a_unit_of_a_thousandth(self):
        """Others are compared with it all the same."""
        bench = invented(5, spread=(0.0, 0.2, 0.4))
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, bench.trials)
        for t in judged:
            assert t.error == pytest.approx(sum(trial.error for trial in t.trials) / 1e-3)
        assert judged[0].error == pytest.approx(0.0, abs=1e-9)
        found = committee(bench, loss, [replace(t, tied=True) for t in judged])
        assert found.error == pytest.approx(sum(trial.error for trial in found.trials) / 1e-3)
        assert found.error > 10.0

    def test_of_preferred_families_the_committee_has_no_others_where_one_such_is_tied(self):
        bench = invented(2, spread=(0.2, 0.2, 0.2))
        loss = ResampledLoss(bench.F, 0)
        prefer = ("gradient_boosting",)
        judged = judge(bench, loss, bench.trials, prefer)
        fewest = min(sum(trial.spec.family not in prefer for trial in t.trials) for t in judged if t.tied)
        found = committee(bench, loss, judged, prefer)
        strangers = [any(member.family not in prefer for member, _ in members_of(trial.spec)) for trial in found.trials]
        assert sum(strangers) <= 2 * fewest
        assert fewest < 2

    def test_an_objective_that_is_computed_stays_so(self):
        bench = invented()
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, [bench.trials[0], [None]])
        assert len(judged) == 3
        found = committee(bench, loss, judged)
        assert found.trials[1] is None
        assert found.specs[1] is None
        assert (bench.predicted(found.trials)[:, 1] == bench.F[:, 1]).all()

    def test_a_promise_is_what_was_seen_and_what_being_chosen_is_worth(self):
        """Of equally good triplets the luckiest promises too much by itself: fresh rows say what it is worth."""
        promised, luck, fresh = [], [], []
        for seed in range(8):
            bench = invented(seed, n=50, spread=(0.3, 0.3, 0.3))
            loss = ResampledLoss(bench.F, seed)
            judged = judge(bench, loss, bench.trials)
            expected, (low, high) = promise(bench, loss, judged, judged[0])
            assert judged[0].adrs <= expected
            assert high - expected == pytest.approx(1.645 * np.sqrt(2.0) * judged[0].losses.std())
            assert low == pytest.approx(max(0.0, expected - (high - expected)))
            promised.append(expected)
            luck.append(min(t.adrs for t in judged))
            rng = np.random.default_rng(1000 + seed)
            for _ in range(20):
                F = behind_a_curve(rng, 50)
                fresh.append(pick_loss(F, F + 0.3 * rng.normal(size=F.shape)))
        assert np.mean(luck) < 0.8 * np.mean(fresh)
        assert 0.9 * np.mean(fresh) < np.mean(promised) < 1.4 * np.mean(fresh)

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_promise_adds_the_mean_difference_between_halves_by_the_root_of_two(self, alone):
        """By a second, naive application of the rule to each half."""
        bench = invented(6, n=40, spread=(0.3, 0.3, 0.3))
        loss = ResampledLoss(bench.F, 6)
        judged = judge(bench, loss, bench.trials)
        chosen = judged[0] if alone else committee(bench, loss, judged)
        differences = []
        for pair in range(10):
            for here, there in ((2 * pair, 2 * pair + 1), (2 * pair + 1, 2 * pair)):
                lowest = min(judged, key=lambda t, i=here: t.losses[i])
                tied = [t for t in judged if t.losses[here] - lowest.losses[here] <= (t.losses - lowest.losses).std()]
                if alone:
                    sums = [
                        sum(bench.order.error(k, trial.mean, loss.halves[here]) for k, trial in enumerate(t.trials))
                        for t in tied
                    ]
                    tied = [tied[int(np.argmin(sums))]]
                mean = np.mean([bench.predicted(t.trials) for t in tied], axis=0)
                seen, unseen = (
                    pick_loss(bench.F[rows], mean[rows]) for rows in (loss.halves[here], loss.halves[there])
                )
                differences.append(unseen - seen)
        assert np.mean(differences) > 0.0
        expected, _ = promise(bench, loss, judged, chosen)
        assert expected == pytest.approx(chosen.adrs + np.mean(differences) / np.sqrt(2.0))

    @pytest.mark.parametrize(("n", "tau", "expected"), [(200, 0.02, False), (200, 0.5, True), (10, 0.0, True)])
    def test_an_objective_is_given_up_only_where_something_is_proven(self, n, tau, expected):
        rng = np.random.default_rng(0)
        F = rng.random((n, 2))
        mean = F[:, 0] if tau == 0.5 else rng.random(n)
        trial = Trial(PredictorSpec("xgboost"), mean, 1.0, True, 0.0)
        bench = SimpleNamespace(sample=range(n), F=F, best=lambda k, count: [trial])
        assert learnable(bench, 0) is expected

    @pytest.mark.parametrize(
        ("n", "tau", "expected"),
        [
            *((200, 0.12, False), (200, 0.1425, False), (200, 0.1428, True), (200, 0.16, True)),
            *((50, 0.08, False), (50, 0.1047, False), (50, 0.1050, True), (50, 0.13, True)),
        ],
    )
    def test_chance_is_three_standard_deviations_and_a_tau_of_three_tenths_must_be_two_away(
        self, n, tau, expected, monkeypatch
    ):
        """Of 200 rows tau has a standard deviation of 0.04755 by chance, of 50 one of 0.09759 (Kendall, 1938)."""
        monkeypatch.setattr(selection, "prediction_metrics", lambda truth, mean: {"kendall_tau": tau})
        trial = Trial(PredictorSpec("xgboost"), np.zeros(n), 1.0, True, 0.0)
        bench = SimpleNamespace(sample=range(n), F=np.zeros((n, 1)), best=lambda k, count: [trial])
        assert learnable(bench, 0) is expected

    @pytest.mark.parametrize("n", [10, 200])
    def test_an_objective_of_which_nothing_is_complete_is_not_learnable(self, n):
        bench = SimpleNamespace(sample=range(n), F=np.zeros((n, 1)), best=lambda k, count: [])
        assert learnable(bench, 0) is False

    @pytest.mark.parametrize(("place", "expected"), [(0, True), (2, True), (3, False)])
    def test_an_objective_is_judged_by_the_three_configurations_of_the_smallest_error(self, place, expected):
        """The luckiest of many is not asked: of two hundred rows in no order one configuration knows all."""
        rng = np.random.default_rng(0)
        F = rng.random((200, 1))
        trials = [Trial(PredictorSpec("xgboost"), rng.random(200), 1.0, True, 0.0) for _ in range(5)]
        trials[place] = replace(trials[place], mean=F[:, 0])
        bench = SimpleNamespace(sample=range(200), F=F, best=lambda k, count: trials[:count])
        assert learnable(bench, 0) is expected

    def test_on_a_half_the_soundest_of_the_tied_is_the_one_of_the_smallest_errors_there(self):
        """On each half of the rows another configuration knows the order, and the third is fair everywhere."""
        F = np.column_stack([np.arange(20.0), -np.arange(20.0)])
        first, last = np.arange(10), np.arange(10, 20)
        guesses = [np.where(np.isin(np.arange(20), rows), F[:, 0], -F[:, 0]) for rows in (first, last)]
        bench = Invented(
            F, [[("xgboost", guesses[0]), ("random_forest", guesses[1]), ("gradient_boosting", np.zeros(20))]]
        )
        judged = [Judged((trial, None), 0.1, 0.1, np.zeros(2), 0.0, True) for trial in bench.trials[0]]
        assert _soundest_on(bench, judged, [0, 1, 2], first) == 0
        assert _soundest_on(bench, judged, [0, 1, 2], last) == 1
        assert _soundest_on(bench, judged, [0, 2], last) == 2

    def test_all_triplets_get_six_halves_and_all_of_them_those_that_are_promising_or_sound(self):
        """Of 64 triplets the 25 of the lowest loss on six halves, and the one of the smallest errors of order."""
        bench = invented(4, spread=(0.3,) * 3)
        rng = np.random.default_rng(4)
        more = [
            Trial(PredictorSpec("sgd", {"alpha": 0.1 * i}), bench.F[:, k] + 0.3 * rng.normal(size=60), 0.5, True, 0.0)
            for k in range(2)
            for i in range(5)
        ]
        choices = [[*bench.trials[0], *more[:5]], [*bench.trials[1], *more[5:]]]
        loss = ResampledLoss(bench.F, 0)
        asked = []
        losses = loss.losses
        loss.losses = lambda predicted, count=None: asked.append(count) or losses(predicted, count)
        judged = judge(bench, loss, choices)
        assert asked[:64] == [6] * 64
        assert asked[64:] == [None] * len(judged)
        first = {trials: losses(bench.predicted(trials), 6).mean() for trials in itertools.product(*choices)}
        promising = set(sorted(first, key=first.get)[:25])
        unit = [min(trial.error for trial in column) for column in choices]
        soundest = min(first, key=lambda trials: sum(t.error / u for t, u in zip(trials, unit, strict=True)))
        assert {t.trials for t in judged} == promising | {soundest}


class TestBench:
    def test_a_computed_objective_is_exact_and_a_stopped_configuration_predicts_the_mean(self):
        bench = invented()
        stopped = Trial(GP, np.full(60, np.nan), 1.0, False, 0.0)
        predicted = Bench.predicted(bench, [None, stopped])
        assert (predicted[:, 0] == bench.F[:, 0]).all()
        assert predicted[:, 1] == pytest.approx(np.full(60, bench.F[:, 1].mean()))

    def test_the_best_are_complete_in_order_of_their_errors_and_one_length_of_each_ensemble(self, sample):
        bench = Bench(sample)
        bench.evaluate([(1, GP), (1, RIDGE), (1, FOREST), (1, TREES)])
        found = bench.best(1)
        assert [t.error for t in found] == sorted(t.error for t in found)
        assert len({t.spec.family for t in found}) == len(found)
        assert all(t.complete for t in found)
        assert [t.spec for t in bench.best(1, 2)] == [t.spec for t in found[:2]]
        assert bench.best(0) == []
        for t in found:
            assert t.error == pytest.approx(bench.order.error(1, t.mean))
        assert bench.best_version(1, TREES).error == min(
            t.error for (k, _), t in bench.trials.items() if k == 1 and t.spec.family == "xgboost"
        )

    def test_nothing_is_fitted_twice(self, sample, monkeypatch):
        bench = Bench(sample)
        bench.evaluate([(0, GP), (0, TREES), (0, GP)])
        assert bench.n_fits == 2
        monkeypatch.setattr(bench_module, "_fit", None)
        bench.evaluate([(0, TREES), (0, GP)])
        assert bench.n_fits == 2
        assert bench.seconds.keys() == {GP.family, TREES.family}
        assert min(bench.seconds.values()) > 0.0

    def test_seconds_are_the_processors_and_add_up_by_family(self, monkeypatch):
        clock = iter([100.0, 250.0, 7.0, 7.5])
        monkeypatch.setattr(bench_module, "time", SimpleNamespace(process_time=clock.__next__))
        bench = Bench(grid_table(30))
        bench.evaluate([(0, GP), (1, GP)])
        assert [bench.trial(k, GP).seconds for k in (0, 1)] == [150.0, 0.5]
        assert bench.seconds == {GP.family: 150.5}

    def test_seconds_of_a_first_fold_count_as_well(self, monkeypatch):
        clock = iter([100.0, 102.0, 200.0, 203.5])
        monkeypatch.setattr(bench_module, "time", SimpleNamespace(process_time=clock.__next__))
        bench = Bench(grid_table(30))
        bench.evaluate([(1, RIDGE)])
        assert bench.trial(1, RIDGE).seconds == bench.seconds[RIDGE.family] == 5.5

    def test_one_fit_of_an_ensemble_gives_its_shorter_versions(self, sample):
        longest = TREES.replace(n_estimators=80)
        bench = Bench(sample)
        bench.evaluate([(1, longest)])
        assert bench.n_fits == 1
        for count in (80, 40, 20, 10):
            short = TREES.replace(n_estimators=count)
            alone = Bench(sample)
            alone.evaluate([(1, short)])
            np.testing.assert_allclose(bench.trial(1, short).mean, alone.trial(1, short).mean, rtol=1e-5)

    def test_hopeless_configurations_stop_after_one_fold(self, sample):
        bench = Bench(sample)
        bad = PredictorSpec("xgboost", {"max_depth": 2, "n_estimators": 2, "colsample_bytree": 0.3}, "one_hot")
        bench.evaluate([(1, GP), (1, bad)])
        assert bench.trial(1, GP).complete
        assert not bench.best_version(1, bad).complete
        assert bad.family not in {trial.spec.family for trial in bench.best(1)}

    def test_hopeless_is_a_standard_error_above_the_best_of_all_that_are_known(self, sample):
        """The standard error of a Kendall tau of as many rows as the first fold has."""
        bench, rng = Bench(sample), np.random.default_rng(0)
        rows = np.flatnonzero(bench.folds == 0)
        guesses = [sample.raw[:, 1] + scale * rng.normal(size=len(sample)) for scale in (5.0, 20.0)]
        fits = [bench_module._Fits(guess[None, :], True, 0.0) for guess in guesses]
        errors = [bench.order.error(1, guess, rows) for guess in guesses]
        assert 0.05 < errors[0] < errors[1]

        def limit(error):
            return error + 0.65 * (1.0 - (1.0 - error) ** 2) / np.sqrt(len(rows))

        jobs = [(1, RIDGE), (1, FOREST)]
        assert bench._hopeless_from(1, jobs, fits) == pytest.approx(limit(errors[0]))
        assert bench._hopeless_from(1, jobs[1:], fits[1:]) == pytest.approx(limit(errors[1]))
        # One that is exact does not make all others hopeless: it counts as one of a tau of 0.95.
        exact = bench_module._Fits(sample.raw[None, :, 1], True, 0.0)
        leeway = 0.65 * (1.0 - 0.95**2) / np.sqrt(len(rows))
        assert bench._hopeless_from(1, jobs, [exact, fits[1]]) == pytest.approx(leeway)
        # What is known of another objective says nothing.
        bench._remember((2, RIDGE), exact)
        assert bench._hopeless_from(1, jobs, fits) == pytest.approx(limit(errors[0]))
        bench._remember(jobs[0], fits[0])
        assert bench._hopeless_from(1, jobs[1:], fits[1:]) == pytest.approx(limit(errors[0]))

    def test_of_equal_errors_the_first_label_is_the_best(self):
        """Up to rounding: what differs in the last bits on another machine is a tie."""
        bench = Bench(grid_table(30))
        specs = [RIDGE, PredictorSpec("bayesian_ridge"), PredictorSpec("kernel_ridge")]
        for spec in specs:
            bench.evaluate([(1, spec)])
        labels = sorted(spec.label for spec in specs)
        errors = {labels[0]: 0.25 + 3e-13, labels[1]: 0.25, labels[2]: 0.25 - 3e-13}
        for key, trial in bench.trials.items():
            bench.trials[key] = replace(trial, error=errors[trial.spec.label], complete=True)
        assert [trial.spec.label for trial in bench.best(1)] == labels
        for key, trial in bench.trials.items():
            bench.trials[key] = replace(trial, error=0.25 - 3e-12 * labels.index(trial.spec.label))
        assert [trial.spec.label for trial in bench.best(1)] == labels[::-1]

    @pytest.mark.parametrize(("n", "factorised"), [(40, 1), (41, 0)])
    def test_a_process_predicts_all_folds_at_once_while_it_takes_all_rows(self, n, factorised, monkeypatch):
        made, cross_predict, seen = bench_module.made, GaussianProcess.cross_predict, []
        monkeypatch.setattr(bench_module, "made", lambda *args: made(*args).set_params(max_rows=40))
        monkeypatch.setattr(
            GaussianProcess,
            "cross_predict",
            lambda self, *args, **options: seen.append((self, options)) or cross_predict(self, *args, **options),
        )
        bench = Bench(grid_table(n))
        bench.evaluate([(1, GP)])
        assert len(seen) == factorised
        # By hyper-parameters from fewer rows and iterations than a final fit has, and shared by more folds.
        assert {(process.n_tune, process.max_iter) for process, _ in seen} <= {(120, 12)}
        assert all(options == {"halves_from": 40} for _, options in seen)
        assert bench.trial(1, GP).complete

    @pytest.mark.parametrize("spec", [RIDGE, FOREST])
    def test_out_of_fold_predictions_have_not_seen_their_row(self, spec):
        table = grid_table(60)
        raw = table.raw.copy()
        raw[7, 1] += 1e3
        spoiled = ArchitectureTable.build(table.space, table.objectives, table.X, raw)
        clean, dirty = Bench(table), Bench(spoiled)
        for bench in (clean, dirty):
            bench.evaluate([(1, spec)])
        assert not np.allclose(clean.trial(1, spec).mean, dirty.trial(1, spec).mean)
        # A forest's row is predicted by the trees without it, all others by the other folds.
        unseen = np.arange(60) == 7 if spec is FOREST else clean.folds == clean.folds[7]
        same = clean.trial(1, spec).mean[unseen], dirty.trial(1, spec).mean[unseen]
        np.testing.assert_allclose(*same, rtol=1e-6)


class TestTuner:
    def test_any_number_of_workers_gives_the_same_result(self, sample):
        one = ADRSTuner(6, seed=2).tune(sample)
        two = ADRSTuner(6, seed=2, n_jobs=2).tune(sample)
        assert one.ranking.to_csv() == two.ranking.to_csv()
        assert one.best.specs == two.best.specs
        assert (one.adrs, one.interval) == (two.adrs, two.interval)

    def test_budget_is_of_configurations_per_objective(self, sample):
        result = ADRSTuner(9, seed=0).tune(sample)
        assert result.n_fits <= 9 * 3
        assert len(result.trace) > 1
        assert (np.diff(result.trace) <= 0).all()
        assert result.interval[0] <= result.adrs <= result.interval[1]
        assert sum(result.fit_seconds.values()) > 0.0

    def test_noise_is_recognised_and_its_mean_predicted(self, caplog):
        result = ADRSTuner(6, seed=0).tune(grid_table(noise=1.0))
        assert result.unlearnable == ("memory",)
        assert result.best.specs[2].family == "mean"
        assert "memory" in caplog.text
        mean, std = result.best.fit(grid_table(noise=1.0)).predict(grid_table(40, seed=5).X, return_std=True)
        assert np.ptp(mean[:, 2]) == 0.0
        assert 0.7 < std[:, 2].mean() < 1.4

    def test_a_committee_is_ranked_before_the_triplets_it_is_made_of(self):
        settings = {"families": ["bayesian_ridge"], "shortlist": 2, "seed": 0}
        table = grid_table(40)
        one, several = (ADRSTuner(6, committee=mixed, **settings).tune(table) for mixed in (False, True))
        pd.testing.assert_frame_equal(several.ranking.iloc[1:].reset_index(drop=True), one.ranking)
        tied = one.ranking[one.ranking["tied"]]
        assert len(tied) > 1
        for k, o in enumerate(OBJECTIVES):
            configurations = tied[[f"{o.name}_{part}" for part in ("hyperparams", "features", "transform")]]
            assert len(members_of(several.best.specs[k])) == len(configurations.drop_duplicates())
            assert len(members_of(one.best.specs[k])) == 1
            stated = [json.loads(result.ranking[f"{o.name}_hyperparams"][0]) for result in (several, one)]
            members = [dict(member.params) for member, _ in members_of(several.best.specs[k])]
            assert stated[0] == (members if len(members) > 1 else members[0])
            assert stated[1] == dict(one.best.specs[k].params)
        assert len(several.triplets) == len(one.triplets) + 1

    def test_linear_algebra_runs_on_one_thread(self, sample, monkeypatch):
        """Of a few hundred rows several cost more than they save."""
        threads = []

        def watched(self, *args):
            threads.extend(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")

        monkeypatch.setattr(ADRSTuner, "_refine", watched)
        with threadpool_limits(2, user_api="blas"):
            ADRSTuner(1, families=["bayesian_ridge"], seed=0).tune(sample.sample(12, 0))
        assert set(threads) == {1}

    def test_computed_objectives_are_not_tuned(self):
        result = ADRSTuner(4, seed=0).tune(open_table("digits").sample(60, 0))
        assert result.best.specs[2] is None
        assert (result.ranking["memory_model"] == "exact").all()

    def test_a_preferred_family_is_taken_unless_it_is_worse(self, sample):
        free, bound = (ADRSTuner(8, seed=0, prefer=prefer).tune(sample) for prefer in ((), ("bayesian_ridge",)))
        tied = bound.ranking[bound.ranking["tied"]]
        liked = sum((tied[f"{o.name}_model"] == "bayesian_ridge").astype(int) for o in OBJECTIVES)
        assert liked.iloc[0] == liked.max()
        assert free.settings["prefer"] == []

    def test_the_promise_prefers_as_the_choice_does(self):
        def judged(family, losses):
            trials = (SimpleNamespace(spec=PredictorSpec(family)), None)
            return Judged(trials, 0.1, 0.1, np.array(losses), 0.0, True)

        lots = [judged("sgd", [0.10, 0.30]), judged("kernel_ridge", [0.11, 0.20]), judged("sgd", [0.19, 0.09])]
        assert _tied_on(lots, 0, ()) == [0, 1, 2]
        assert _tied_on(lots, 0, ("kernel_ridge",)) == [1]
        assert _tied_on(lots, 0, ("sgd",)) == [0, 2]
        assert _tied_on(lots, 0, ("xgboost",)) == [0, 1, 2]

    @pytest.mark.parametrize("shortlist", [1, 2])
    def test_all_triplets_of_the_shortlists_are_ranked(self, sample, shortlist):
        tuner = ADRSTuner(4, families=["bayesian_ridge"], shortlist=shortlist, committee=False, seed=0)
        ranking = tuner.tune(sample.sample(40, 0)).ranking
        parts = ("hyperparams", "features", "transform")
        counts = [len(ranking[[f"{o.name}_{part}" for part in parts]].drop_duplicates()) for o in OBJECTIVES]
        # Of some objectives fewer configurations are worth a second fold.
        assert max(counts) == shortlist
        assert len(ranking) == np.prod(counts)

    @pytest.mark.parametrize("n", [4, 5, 10, 25])
    def test_tiny_samples(self, n):
        result = ADRSTuner(4, seed=0).tune(grid_table(n))
        assert np.isfinite([result.adrs, *result.interval]).all()
        assert np.isfinite(result.best.fit(grid_table(n)).predict(grid_table(30, seed=1).X)).all()

    @pytest.mark.parametrize("constant", [(0,), (0, 1), (0, 1, 2)])
    def test_degenerate_objectives(self, constant):
        table = grid_table(30)
        raw = table.raw.copy()
        raw[:, list(constant)] = 3.0
        flat = ArchitectureTable.build(table.space, table.objectives, table.X, raw)
        result = ADRSTuner(3, seed=0).tune(flat)
        assert np.isfinite(result.adrs)
        assert np.isfinite(result.best.fit(flat).predict(table.X)).all()

    def test_saved_and_read_again(self, sample, tmp_path):
        result = ADRSTuner(4, seed=0).tune(sample)
        result.save(tmp_path)
        read = load_triplet(tmp_path)
        assert (read.specs, read.adrs, read.interval) == (result.best.specs, result.best.adrs, result.best.interval)
        settings_ = json.loads((tmp_path / "triplet.json").read_text())["settings"]
        assert settings_["budget"] == 4
        ranking = pd.read_csv(tmp_path / "adrs.csv")
        assert ranking.columns.tolist() == result.ranking.columns.tolist()
        assert ranking["adrs"].to_numpy() == pytest.approx(result.ranking["adrs"].to_numpy())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"budget": 0}, "expected 1 to 10000, got 0"),
            ({"budget": 10_001}, "tuner budget: expected 1 to 10000, got 10001"),
            ({"shortlist": 10_001}, "shortlist: expected 1 to 10000, got 10001"),
            ({"n_jobs": 0}, "n_jobs"),
            ({"shortlist": 0}, "expected 1 to 10000, got 0"),
            ({"families": ["oracle"]}, "oracle"),
            ({"prefer": ["oracle"]}, "oracle"),
            ({"optimizer": "Luck"}, "Luck"),
            ({"max_rows": 3}, "at least 4"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(InputError, match=message):
            ADRSTuner(**options)

    def test_options_at_the_edge_are_taken(self):
        tuner = ADRSTuner(10_000, shortlist=10_000, max_rows=4)
        assert (tuner.budget, tuner.shortlist, tuner.max_rows) == (10_000, 10_000, 4)
        assert ADRSTuner(1, shortlist=1).with_seed(7).seed == 7
        assert ADRSTuner(1).families == tuple(FAMILIES)

    def test_the_ranking_says_how_good_each_predictor_of_each_triplet_is(self, sample):
        table = sample.sample(40, 0)
        bench = Bench(table)
        # One after the other, so that none is stopped for being worse.
        for job in ((0, RIDGE), (1, RIDGE), (1, GP)):
            bench.evaluate([job])
        loss = ResampledLoss(bench.F, 0)
        judged = judge(bench, loss, [[bench.trial(0, RIDGE)], [bench.trial(1, RIDGE), bench.trial(1, GP)], [None]])
        frame = ranking_frame(bench, judged)
        assert len(frame) == 2
        for (_, row), triplet in zip(frame.iterrows(), judged, strict=True):
            assert (row["adrs"], row["tied"], row["order_error"]) == (triplet.adrs, triplet.tied, triplet.error)
            assert row["adrs_se"] == pytest.approx(triplet.losses.std())
            assert row["front"] == is_nondominated(bench.predicted(triplet.trials)).sum()
            assert [row[f"{o.name}_model"] for o in OBJECTIVES] == [
                "bayesian_ridge",
                triplet.trials[1].spec.family,
                "exact",
            ]
            raw = bench.predicted(triplet.trials) * [-1.0, 1.0, 1.0]
            for k, o in enumerate(OBJECTIVES):
                assert row[f"{o.name}_kendall"] == pytest.approx(kendalltau(table.raw[:, k], raw[:, k])[0])
                error = float(((table.raw[:, k] - raw[:, k]) ** 2).mean())
                assert json.loads(row["mse"])[k] == pytest.approx(error, rel=1e-4, abs=1e-12)
            assert json.loads(row["accuracy_hyperparams"]) == {"quadratic": True}
            assert (row["accuracy_features"], row["accuracy_transform"]) == (RIDGE.features, RIDGE.transform)
            assert (row["memory_features"], row["memory_hyperparams"]) == ("", "{}")

    def test_too_small_a_sample(self):
        with pytest.raises(InputError, match="at least 4 architectures"):
            ADRSTuner().tune(grid_table(3))


def test_what_the_choice_is_worth_is_said_when_asked(sample, monkeypatch):
    """A run that tunes again and again takes the predictors and asks for nothing else."""
    asked = []
    monkeypatch.setattr(selection, "promise", lambda *given: (asked.append("promise"), promise(*given))[1])
    monkeypatch.setattr(selection, "ranking_frame", lambda *given: (asked.append("ranking"), ranking_frame(*given))[1])
    found = ADRSTuner(3, families=("bayesian_ridge", "gaussian_process"), seed=0).tune(sample.sample(40, 0))
    assert len(found.specs) == len(found.families) == len(OBJECTIVES)
    assert asked == []
    low, high = found.interval
    assert low <= found.adrs == found.best.adrs == found.triplets[0].adrs <= high
    assert found.best.specs == found.specs
    assert asked == ["promise"]
    assert len(found.ranking) == len(found.triplets)
    assert asked == ["promise", "ranking"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """What a tuner wrote."""
    folder = tmp_path_factory.mktemp("triplet")
    ADRSTuner(1, families=["bayesian_ridge"], committee=False, seed=0).tune(grid_table(20)).save(folder)
    return json.loads((folder / "triplet.json").read_text())


class TestTriplets:
    def triplet(self, folder, saved, changes):
        (folder / "triplet.json").write_text(json.dumps({**saved, **changes}))
        return folder

    @pytest.mark.parametrize(
        "changes",
        [
            {"adrs": -0.1},
            {"adrs": 1e31},
            {"adrs": "x"},
            {"interval": [0.2, 0.1]},
            {"interval": [-0.1, 0.1]},
            {"interval": [0.1, 1e31]},
            {"interval": [0.1]},
            {"seed": -1},
            {"seed": 2**63},
            {"seed": True},
            {"seed": 1.5},
            {"specs": []},
            {"specs": [None] * 1000},
            {"specs": [3, None, None]},
            {"objectives": [{"name": "a"}] * 3},
        ],
    )
    def test_that_cannot_be_are_refused_with_their_file(self, changes, saved, tmp_path):
        folder = self.triplet(tmp_path, saved, changes)
        with pytest.raises(InputError, match=r"triplet.json: expected a triplet that 'rapid-moo tune' wrote, got: "):
            load_triplet(folder)

    @pytest.mark.parametrize(
        "changes",
        [{"adrs": 0.0}, {"interval": [0.0, 0.0]}, {"interval": None}, {"seed": 0}, {"seed": 2**63 - 1}, {"adrs": 1e30}],
    )
    def test_at_the_edge_are_read(self, changes, saved, tmp_path):
        found = load_triplet(self.triplet(tmp_path, saved, changes))
        ((name, value),) = changes.items()
        assert getattr(found, name) == (tuple(value) if isinstance(value, list) else value)

    def test_nothing_there_says_how_to_make_one(self, tmp_path):
        with pytest.raises(DataNotFoundError, match=f"rapid-moo tune --dir {tmp_path}"):
            load_triplet(tmp_path)

    def test_are_adapted_by_position(self):
        table = grid_table(10)
        default = PredictorSpec("gaussian_process", {}, "engineered", "none")
        assert adapt([RIDGE], table) == [RIDGE, default, default]
        assert adapt([None, RIDGE, None, FOREST], table) == [default, RIDGE, default]
        digits = open_table("digits").sample(10, 0)
        assert adapt([RIDGE, None, FOREST], digits) == [RIDGE, default, None]

    def test_a_report_has_the_facts(self, sample):
        result = ADRSTuner(2, families=["bayesian_ridge"], seed=0).tune(sample.sample(30, 0))
        found = result.report("a command")
        assert (found.kind, found.command) == ("tuning", "a command")
        assert [p.objective for p in found.predictors] == ["accuracy", "latency", "memory"]
        assert [p.family for p in found.predictors] == list(result.families)
        assert sum(member["share"] for member in found.predictors[0].members) == pytest.approx(1.0)
        text = repr(result)
        assert f"{result.adrs:.4f}" in text
        assert "unlearnable" not in text
        assert "unlearnable" in repr(replace(result, unlearnable=("memory",)))


class TestChoices:
    def test_two_of_a_preferred_family_are_candidates_wherever_they_stand(self):
        def trial(family, place):
            return Trial(PredictorSpec(family), np.zeros(3), float(place), True, 0.0)

        names = ("xgboost", "sgd", "kernel_ridge", "kernel_ridge", "kernel_ridge", "bayesian_ridge")
        trials = [trial(family, place) for place, family in enumerate(names)]
        bench = SimpleNamespace(
            sample=SimpleNamespace(objectives=OBJECTIVES),
            tuned=[0, 1],
            best=lambda k, count=None: trials[:count],
            trial=lambda k, spec: spec,
        )

        def places(prefer, shortlist):
            tuner = ADRSTuner(prefer=prefer, shortlist=shortlist)
            liked, mean, computed = tuner._choices(bench, [1])
            assert (mean, computed) == ([PredictorSpec("mean")], [None])
            return [item.error for item in liked]

        assert places((), 2) == [0, 1]
        assert places(("kernel_ridge",), 2) == [0, 1, 2, 3]
        assert places(("kernel_ridge",), 3) == [0, 1, 2, 3]
        assert places(("kernel_ridge", "bayesian_ridge"), 4) == [0, 1, 2, 3]
        assert places(("xgboost",), 2) == [0, 1]


class TestSteps:
    def test_progress_counts_configurations_up_to_the_budget(self, sample):
        seen = []
        result = ADRSTuner(6, families=["bayesian_ridge", "sgd"], seed=0).tune(sample.sample(40, 0), seen.append)
        assert len(seen) == len(result.trace)
        done = [item.done for item in seen]
        assert done == sorted(done)
        assert 1 <= done[0] <= done[-1] <= 6
        assert {item.total for item in seen} == {6}
        assert all(isinstance(number, int) for number in done)
        assert [item.adrs for item in seen] == list(result.trace) == sorted(result.trace, reverse=True)
        assert result.n_fits <= 18

    def test_progress_of_the_search_is_what_was_fitted_of_each_objective(self, sample, monkeypatch):
        told, refine = [], ADRSTuner._refine

        def watched(self, bench, loss, tell):
            refine(self, bench, loss, lambda best, done: told.append((done, bench.n_fits)) or tell(best, done))

        monkeypatch.setattr(ADRSTuner, "_refine", watched)
        ADRSTuner(6, families=["bayesian_ridge", "sgd"], committee=False, seed=0).tune(sample.sample(40, 0))
        assert [done for done, _ in told] == [min(6, n_fits // 3) for _, n_fits in told]
        assert told[0][0] < 6

    @pytest.mark.parametrize(("budget", "expected"), [(1, 1), (4, 3), (8, 6)])
    def test_three_quarters_of_the_budget_screen_shortlists(self, budget, expected, sample, monkeypatch):
        asked = []
        monkeypatch.setattr(ADRSTuner, "_refine", lambda self, bench, loss, tell: asked.append(bench.n_fits))
        ADRSTuner(budget, committee=False, seed=0).tune(sample.sample(12, 0))
        assert asked == [3 * expected]

    def test_nevergrad_goes_on_where_the_shortlists_end_as_far_as_the_budget_goes(self, sample):
        few = len(FAMILIES["bayesian_ridge"].shortlist)
        tuner = ADRSTuner(few + 4, families=["bayesian_ridge"], committee=False, seed=0)
        result = tuner.tune(sample.sample(40, 0))
        screened = min(few, round(0.75 * (few + 4)))
        assert 3 * screened + 6 <= result.n_fits <= 3 * (few + 4)
        nothing_left = ADRSTuner(1, families=["bayesian_ridge"], committee=False, seed=0).tune(sample.sample(40, 0))
        assert nothing_left.n_fits == 3

    def test_the_two_families_that_did_best_are_searched_on(self, sample):
        bench = Bench(sample.sample(60, 0))
        bench.evaluate([(1, spec) for spec in (RIDGE, FOREST, GP, TREES)])
        two = list(dict.fromkeys(trial.spec.family for trial in bench.best(1)))[:2]
        found = _parametrization(bench, 1)
        models = [dict(choice.value) for choice in found["model"].choices]
        assert [model["family"] for model in models] == two
        for model in models:
            assert model["params"].keys() == FAMILIES[model["family"]].hyperparameters - {"n_estimators", "loss"}
        assert found["features"].choices.value == FEATURE_SETS
        assert found["transform"].choices.value == tuple(TRANSFORMS)

    def test_each_familys_first_is_screened_before_any_others(self):
        names = ("xgboost", "gaussian_process", "random_forest")
        order = _screening(names)
        heads = sum(FAMILIES[name].first for name in names)
        assert sorted(spec.family for spec in order[:heads]) == sorted(
            name for name in names for _ in range(FAMILIES[name].first)
        )
        assert len(order) == sum(len(FAMILIES[name].shortlist) for name in names)
        for name in names:
            mine = [(dict(s.params), s.features, s.transform) for s in order if s.family == name]
            assert mine == [(dict(params), features, kind) for params, features, kind in FAMILIES[name].shortlist]
        # Then they take turns.
        rest = [spec.family for spec in order[heads:]]
        assert len(set(rest[:2])) == 2

    def test_no_more_rows_than_stated_are_tuned_on(self, sample):
        settings = {"families": ["bayesian_ridge"], "committee": False, "seed": 0}
        assert ADRSTuner(1, max_rows=30, **settings).tune(sample).settings["rows"] == 30
        assert ADRSTuner(1, max_rows=120, **settings).tune(sample).settings["rows"] == 120

    def test_the_likeliest_of_the_early_processes_serves(self, sample):
        table = sample.sample(30, 1)
        folds = assign_folds(30, 3)
        chosen = early_specs(table, 3)
        for k in range(3):
            surprise = {}
            for spec in CANDIDATES:
                process = GaussianProcess(**spec.params, max_iter=25)
                inputs, y = table.space.features(table.X, spec.features), table.raw[:, k]
                mean, std, _ = process.cross_predict(inputs, y, folds)
                surprise[spec.label] = -norm.logpdf(y, mean, std).mean()
            assert surprise[chosen[k].label] == pytest.approx(min(surprise.values()))
        # Engineered or all features, a length scale each or one for all.
        assert {(spec.family, spec.features, *spec.params.items()) for spec in CANDIDATES} == {
            ("gaussian_process", features, ("ard", ard)) for features in ("engineered", "all") for ard in (True, False)
        }

    @pytest.mark.parametrize(("n", "long"), [(80, [10, 20, 40, 80]), (3, [1, 3]), (1, [1]), (64, [8, 16, 32, 64])])
    def test_an_ensemble_is_tried_whole_half_quarter_and_eighth(self, n, long, sample):
        bench = Bench(sample.sample(12, 0))
        bench.evaluate([(1, TREES.replace(n_estimators=n))])
        assert sorted({t.spec.params["n_estimators"] for t in bench.trials.values()}) in (long, [1])
        assert bench.n_fits == 1

    def test_without_a_length_an_ensemble_has_64(self, sample):
        bench = Bench(sample.sample(40, 0))
        bench.evaluate([(1, TREES)])
        counts = {t.spec.params["n_estimators"] for t in bench.trials.values()}
        assert counts == {8, 16, 32, 64}
        assert bench.new([(1, TREES), (1, TREES.replace(n_estimators=64)), (0, TREES)]) == [
            (0, TREES.replace(n_estimators=64))
        ]


def test_a_generator_seeds_each_tuning(sample):
    rows = sample.sample(40, 0)
    settings = {"budget": 20, "families": ("random_forest", "bayesian_ridge"), "committee": False}
    first, second = (ADRSTuner(seed=np.random.default_rng(3), **settings).tune(rows) for _ in range(2))
    assert first.n_fits == second.n_fits > 12
    assert first.best.specs == second.best.specs
    assert first.settings["seed"] == second.settings["seed"]
    json.dumps(first.settings)
    tuner = ADRSTuner(1, seed=np.random.default_rng(3))
    assert tuner.tune(rows).settings["seed"] != tuner.tune(rows).settings["seed"]
    assert ADRSTuner(1, seed=2**62).tune(rows).settings["seed"] < 2**32
    assert ADRSTuner(1, seed=7).tune(rows).settings["seed"] == 7
    with pytest.raises(InputError, match="got 'x'"):
        ADRSTuner(seed="x")


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), 2**32 - 1])
def test_a_seed_of_32_bits_is_taken_as_it_is(seed):
    assert _drawn(seed) == seed


@pytest.mark.parametrize("seed", [2**32, None, np.random.default_rng(0)])
def test_another_seed_gives_one_of_32_bits(seed):
    assert 0 <= _drawn(seed) < 2**32


def test_seeds_are_drawn_from_all_of_32_bits():
    found = [_drawn(seed) for seed in range(2**32, 2**32 + 50)]
    assert len(set(found)) == 50
    assert max(found) > 2**31


def test_tuning_leaves_numpy_s_global_state_alone(sample):
    state = np.random.get_state()  # noqa: NPY002
    found = [ADRSTuner(12, families=("random_forest",)).tune(sample.sample(40, 0)) for _ in range(2)]
    after = np.random.get_state()  # noqa: NPY002
    assert found[0].n_fits > 24
    assert (state[1] == after[1]).all()
    assert state[2:] == after[2:]
    assert found[0].best.specs == found[1].best.specs


def test_before_tuning_the_process_of_the_features_that_matter_serves():
    space = HWGPT("l")
    X = space.sample(30, np.random.default_rng(0))
    features = space.features(X, "engineered")
    summed = ((features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)).sum(axis=1)
    table = ArchitectureTable.build(space, OBJECTIVES, X, np.column_stack([summed, np.ones(30), -summed]))
    chosen = early_specs(table)
    assert [spec.family for spec in chosen] == ["gaussian_process"] * 3
    assert (chosen[0].features, chosen[2].features) == ("engineered", "engineered")
    assert chosen == early_specs(table)


@pytest.mark.parametrize(("n", "tried"), [(3, 0), (4, 12)])
def test_of_fewer_than_four_rows_the_first_process_is_taken(n, tried, monkeypatch):
    """All features that somebody engineered, and a length scale for each."""
    seen, cross_predict = [], GaussianProcess.cross_predict
    monkeypatch.setattr(
        GaussianProcess, "cross_predict", lambda self, *args: seen.append(self.max_iter) or cross_predict(self, *args)
    )
    chosen = early_specs(grid_table(n))
    assert seen == [12] * tried
    assert early_specs(open_table("digits").sample(6, 0))[2] == CANDIDATES[0]
    if not tried:
        assert chosen == [PredictorSpec("gaussian_process", {"ard": True}, "engineered")] * 3
