"""What is evaluated: the first sample and the batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from rapid_moo import adrs, design, get_problem
from rapid_moo.acquisition import (
    N_DRAWS,
    Candidates,
    coverage_batch,
    draw_truths,
    expected_coverage,
    probability_nondominated,
    promising,
    with_failures,
    within_reach,
)
from rapid_moo.design import designed_sample
from rapid_moo.errors import InputError
from rapid_moo.pareto import front_range, is_nondominated
from rapid_moo.space import Gene, GridSpace


def test_the_first_sample_is_distinct_and_repeats():
    space = get_problem("digits").space
    pool = space.enumerate()
    first, again, other = (designed_sample(space, pool, 30, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert len(np.unique(first, axis=0)) == 30
    assert set(space.keys(first)) <= set(space.keys(pool))


def test_the_first_sample_covers_the_front_better_than_a_random_one():
    table = get_problem("digits").table
    designed = [table.F[table.find(designed_sample(table.space, table.X, 8, seed))] for seed in range(30)]
    random = [table.sample(8, seed).F for seed in range(100)]
    quality = [np.median([adrs(F, reference=table.front) for F in found]) for found in (designed, random)]
    assert quality[0] < 0.95 * quality[1]


def test_a_first_sample_of_one_is_one_and_of_none_is_refused():
    space = get_problem("digits").space
    assert designed_sample(space, space.enumerate(), 1, 0).shape == (1, space.n_var)
    with pytest.raises(InputError, match="at least one"):
        designed_sample(space, space.enumerate(), 0, 0)


def test_a_first_sample_of_look_alikes_is_distinct():
    class Blind(GridSpace):
        def _features(self, X):
            return np.zeros((len(X), 1))

        def _one_hot(self, X):
            return np.zeros((len(X), 1))

    space = Blind("blind", [Gene("x", tuple(range(20)))])
    found = designed_sample(space, space.enumerate(), 5, 0)
    assert len(np.unique(found)) == 5


def test_a_first_sample_needs_a_size_and_takes_all_of_a_small_pool():
    space = get_problem("digits").space
    pool = space.enumerate()[:4]
    assert {*space.keys(designed_sample(space, pool, 9, 0))} == {*space.keys(pool)}
    with pytest.raises(InputError, match="first sample: expected at least one architecture, got 0"):
        designed_sample(space, pool, 0)


class OnALine(GridSpace):
    """Three groups of five architectures, a hundred apart; the third of each group is in its middle."""

    def _features(self, X):
        return 100.0 * (X[:, :1] // 5) + X[:, :1] % 5

    _one_hot = _features


@pytest.mark.parametrize("seed", range(3))
def test_the_first_sample_is_the_middle_of_each_group(seed):
    space = OnALine("line", [Gene("x", tuple(range(15)))])
    assert sorted(designed_sample(space, space.enumerate(), 3, seed)[:, 0]) == [2, 7, 12]


def test_every_feature_counts_alike_in_the_first_sample():
    """One in thousands and one in thousandths: four corners are four groups."""

    class Corners(GridSpace):
        def _features(self, X):
            return np.column_stack([1e4 * (X[:, 0] // 3), 1e-4 * (X[:, 1] // 3), np.ones(len(X))]) + 1e-6 * X[:, :1]

        _one_hot = _features

    space = Corners("corners", [Gene("x", tuple(range(6))), Gene("y", tuple(range(6)))])
    for seed in range(3):
        found = designed_sample(space, space.enumerate(), 4, seed)
        assert {tuple(x) for x in found // 3} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_first_sample_weighs_two_thousand_of_a_large_pool():
    seen = []

    class Watched(GridSpace):
        def _features(self, X):
            seen.append(len(X))
            return X.astype(float)

        _one_hot = _features

    space = Watched("large", [Gene(f"x{k}", tuple(range(10))) for k in range(4)])
    assert len(designed_sample(space, space.enumerate(), 4, 0)) == 4
    assert max(seen) == 2_000


def test_the_first_sample_is_clustered_on_one_thread(monkeypatch):
    threads = []

    class Watched(KMeans):
        def fit(self, Z):
            threads.extend(info["num_threads"] for info in threadpool_info() if info["user_api"] == "openmp")
            return super().fit(Z)

    monkeypatch.setattr(design, "KMeans", Watched)
    space = get_problem("digits").space
    with threadpool_limits(2):
        designed_sample(space, space.enumerate(), 4, 0)
    assert set(threads) == {1}


def test_the_first_sample_takes_one_start_of_twenty_iterations(monkeypatch):
    """As benchmarks/rapid.md says: a sample that is spread is needed, not the best clustering."""
    made = []

    class Watched(KMeans):
        def fit(self, Z):
            made.append(self.get_params())
            return super().fit(Z)

    monkeypatch.setattr(design, "KMeans", Watched)
    space = get_problem("digits").space
    designed_sample(space, space.enumerate(), 7, 0)
    (settings,) = made
    assert (settings["n_clusters"], settings["n_init"], settings["max_iter"]) == (7, 1, 20)


def front_points(n, rng):
    points = rng.random((n, 3))
    return points[is_nondominated(points)]


def test_a_certain_batch_is_the_one_of_the_lowest_adrs():
    rng = np.random.default_rng(3)
    truth = front_points(40, rng)
    known = rng.random((5, 3)) + 1.0
    best = min(adrs(np.vstack([known, truth[[i]]]), reference=truth) for i in range(len(truth)))
    first = coverage_batch(truth[None], known, 1, exponent=1.0)
    assert adrs(np.vstack([known, truth[first]]), reference=truth) == pytest.approx(best, abs=1e-6)
    three = coverage_batch(truth[None], known, 3, exponent=1.0)
    best = min(adrs(truth[list(some)], reference=truth) for some in combinations(range(len(truth)), 3))
    assert adrs(truth[three], reference=truth) <= 1.5 * best


def left_over(draws, known, batch, exponent):
    """Mean over the draws of the powers of the distances that the front's points have left."""
    scale = front_range(np.vstack([known, draws.mean(axis=0)]))
    total = 0.0
    for truth in draws:
        points = np.vstack([truth, known])
        front = points[is_nondominated(points)]
        have = np.vstack([known, truth[batch]])
        nearest = (np.abs(front[:, None] - have[None]) / scale).max(axis=2).min(axis=1)
        # Known points of the front have nothing to gain, and are no part of the mean.
        new = ~(front[:, None] == known[None]).all(axis=2).any(axis=1)
        total += (nearest[new] ** exponent).mean()
    return total


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0])
def test_each_pick_is_the_one_that_covers_most(exponent):
    rng = np.random.default_rng(7)
    mean = rng.random((30, 3))
    draws = mean + 0.2 * rng.standard_normal((8, 30, 3))
    known = mean[:3] - 0.05
    batch = coverage_batch(draws, known, 4, exponent=exponent).tolist()
    for i, pick in enumerate(batch):
        rivals = [left_over(draws, known, [*batch[:i], c], exponent) for c in range(30)]
        assert rivals[pick] == pytest.approx(min(rivals), rel=1e-5)


def priced_draws():
    rng = np.random.default_rng(11)
    mean = front_points(60, rng)[:20]
    return mean + 0.05 * rng.standard_normal((8, len(mean), 3)), rng.random((5, 3)) + 0.7


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_each_pick_covers_most_for_its_price(exponent):
    draws, known = priced_draws()
    prices = np.where(np.arange(draws.shape[1]) % 3 == 0, 0.25, 1.0)
    batch = coverage_batch(draws, known, 3, exponent=exponent, prices=prices).tolist()
    assert len(batch) > 3
    for i, pick in enumerate(batch):
        before = left_over(draws, known, batch[:i], exponent)
        others = np.setdiff1d(np.arange(len(prices)), batch[:i])
        gains = [(before - left_over(draws, known, [*batch[:i], c], exponent)) / prices[c] for c in others]
        assert gains[others.tolist().index(pick)] == pytest.approx(max(gains), rel=1e-4)
    left = 3.0 - prices[batch].sum()
    assert 0.0 <= left < 1.0


def test_a_batch_costs_no_more_than_its_size_and_equal_prices_change_nothing():
    draws, known = priced_draws()
    n = draws.shape[1]
    plain = coverage_batch(draws, known, 4, seed=0).tolist()
    assert coverage_batch(draws, known, 4, prices=np.ones(n), seed=0).tolist() == plain
    assert coverage_batch(draws, known, 2, prices=np.full(n, 0.5), seed=0).tolist() == plain
    assert coverage_batch(draws, known, 1, prices=np.full(n, 0.1), seed=0).tolist()[:4] == plain
    # A sum of tenths is no reason to leave one out.
    assert len(coverage_batch(draws, known, 1, prices=np.full(n, 0.1), seed=0)) == 10
    assert coverage_batch(draws, known, 1, prices=np.full(n, 1.0 / n), seed=0).tolist() == list(range(n))


def test_a_batch_spreads_and_repeats():
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 200)
    mean = np.column_stack([x, 1.0 - x])
    std = np.full_like(mean, 0.01)
    known = np.array([[2.0, 2.0]])
    candidates = Candidates(
        mean, std, known, lambda rows, n: draw_truths(mean[rows], std[rows], n, np.random.default_rng(1))
    )
    batch = expected_coverage(candidates, 8, rng)
    again = expected_coverage(candidates, 8, np.random.default_rng(0))
    assert (batch == again).all()
    assert len(set(batch)) == 8
    assert np.diff(np.sort(x[batch])).max() < 0.3


def test_a_batch_is_not_spent_on_what_is_seldom_and_beyond_all_that_is_known():
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 10)
    mean = np.vstack([np.column_stack([x, 1.0 - x]), np.full((10, 2), 3.0)])
    known = np.array([[0.0, 1.6], [0.8, 0.8], [1.6, 0.0]])

    def draw(rows, n_draws):
        draws = np.repeat(mean[rows][None], n_draws, axis=0)
        for i, row in enumerate(rows):
            if row >= 10:
                draws[2 * (row - 10) : 2 * (row - 10) + 2, i] = -50.0
        return draws

    assert (expected_coverage(Candidates(mean, 0.0 * mean, known, draw), 3, rng) < 10).all()
    assert (coverage_batch(draw(np.arange(20), N_DRAWS), known, 3) >= 10).any()


def test_a_batch_counts_on_nothing_that_breaks_a_bound():
    rng = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 10)
    mean, known = np.column_stack([x, 1.0 - x]), np.array([[1.1, 1.1]])

    def draw(rows, n_draws):
        return np.repeat(mean[rows][None], n_draws, axis=0)

    free = Candidates(mean, 0.0 * mean, known, draw)
    bounded = replace(free, broken=lambda values: values > np.array([0.5, np.inf]))
    assert (x[expected_coverage(free, 4, rng)] > 0.5).any()
    assert (x[expected_coverage(bounded, 4, rng)] <= 0.5).all()


def test_draws_reach_three_nths_of_the_range_beyond_the_best_value():
    known, mean = np.array([[0.0, 15.0]] * 30), np.array([[0.5, 10.0], [1.0, 30.0]])
    draws = np.array([[[-0.05, 9.0], [-3.0, 7.9]], [[5.0, 1e9], [-0.1, 8.0]]])
    assert within_reach(draws, known, mean).tolist() == [[[-0.05, 9.0], [-0.1, 8.0]], [[5.0, 1e9], [-0.1, 8.0]]]
    assert within_reach(draws, known[:3], mean)[0, 1].tolist() == [-1.0, 7.9]
    assert within_reach(draws, known[:0], mean)[0, 1].tolist() == [-1.0, 7.9]


def test_a_batch_of_all_candidates_is_all_of_them():
    draws = np.random.default_rng(0).random((4, 6, 2))
    assert coverage_batch(draws, draws[0][:0], 6).tolist() == list(range(6))


def test_draws_come_in_opposite_pairs_of_the_stated_spread():
    mean, std = np.array([[1.0, -2.0]] * 500), np.array([[0.5, 3.0]] * 500)
    draws = draw_truths(mean, std, 40, np.random.default_rng(0))
    assert draws.shape == (40, 500, 2)
    assert draws[:20] + draws[20:] == pytest.approx(2.0 * np.broadcast_to(mean, (20, 500, 2)))
    assert draws.std(axis=(0, 1)) == pytest.approx([0.5, 3.0], rel=0.05)


def test_the_unit_is_the_range_of_the_front_else_of_all_else_one():
    known = np.array([[0.0, 4.0, 1.0], [2.0, 0.0, 1.0]])
    behind = np.array([[9.0, 9.0, 9.0]])
    assert front_range(np.vstack([known, behind])).tolist() == [2.0, 4.0, 8.0]
    assert front_range(np.vstack([known, known])).tolist() == [2.0, 4.0, 1.0]
    assert front_range(known).tolist() == [2.0, 4.0, 1.0]
    # However small the unit is in which all are stated.
    assert front_range(1e-6 * np.vstack([known, behind])) == pytest.approx([2e-6, 4e-6, 8e-6])


def test_the_share_of_draws_on_the_front_is_counted():
    draws = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 2.0]], [[5.0, 5.0], [0.0, 0.0]], [[0.4, 0.4]] * 2])
    known = np.array([[0.5, 0.5]])
    assert probability_nondominated(draws, known).tolist() == [0.75, 0.75]
    assert probability_nondominated(draws, known[:0]).tolist() == [0.75, 0.75]


def test_the_promising_are_likely_on_the_front_and_then_the_deeper():
    rng = np.random.default_rng(0)
    mean = rng.random((200, 2))
    mean[:20] = np.column_stack([np.linspace(-1.0, 0.0, 20), np.linspace(0.0, -1.0, 20)])
    std = np.full_like(mean, 1e-3)
    none = np.empty((0, 2))
    assert promising(mean, std, none, 20, seed=0).tolist() == list(range(20))
    # Of those that are never on the front the nearest to it come first, in units of each objective.
    scaled = mean * [1e6, 1.0]
    depth = ((mean - mean.min(axis=0)) / mean.std(axis=0)).sum(axis=1)
    next_ten = 20 + np.argsort(depth[20:])[:10]
    assert promising(scaled, std * [1e6, 1.0], none, 30, seed=0).tolist() == sorted([*range(20), *next_ten])
    assert promising(mean, std, none, 200, seed=0).tolist() == list(range(200))
    # What is known to be dominated is not promising.
    known = np.array([[-0.6, -2.0]])
    kept = set(promising(mean, std, known, 8, seed=0).tolist())
    assert kept == set(np.flatnonzero(mean[:, 0] < -0.6).tolist())


def test_the_wide_are_promising_where_the_sure_are_dominated():
    mean = np.vstack([np.full((50, 2), 1.0), np.full((50, 2), 1.2)])
    std = np.vstack([np.full((50, 2), 1e-6), np.full((50, 2), 2.0)])
    kept = promising(mean, std, np.array([[0.9, 0.9]]), 25, n_draws=400, seed=0)
    assert (kept >= 50).all()


def test_an_objective_in_which_all_are_alike_leaves_the_choice_to_the_others():
    mean = np.column_stack([np.arange(50.0), np.full(50, 7.0)])
    assert promising(mean, np.zeros_like(mean), np.empty((0, 2)), 10, seed=0).tolist() == list(range(10))


def test_what_will_probably_fail_is_not_counted_on():
    x = np.linspace(0.0, 1.0, 10)
    mean = np.vstack([np.column_stack([x, 1.0 - x]), np.column_stack([x, 1.0 - x]) - 0.3])
    known = np.array([[2.0, 2.0]])
    success = np.where(np.arange(20) < 10, 1.0, 0.0)

    def draw(rows, n):
        return np.repeat(mean[rows][None], n, axis=0)

    sure = Candidates(mean, 0.0 * mean, known, draw)
    doubtful = Candidates(mean, 0.0 * mean, known, draw, success=success)
    assert (expected_coverage(sure, 3, np.random.default_rng(0)) >= 10).all()
    assert (expected_coverage(doubtful, 3, np.random.default_rng(0)) < 10).all()


def test_a_failure_is_worse_than_everything_in_every_objective():
    draws = np.random.default_rng(0).normal(size=(50, 4, 2)) * [1.0, 1e3]
    found = with_failures(draws, np.zeros(4), np.random.default_rng(0))
    assert (found > draws.max(axis=(0, 1))).all()
    assert (found == found[0, 0]).all()
    # Ten ranges behind the worst, in whatever unit.
    small = 1e-3 * draws
    worst = small.max(axis=(0, 1)) + 10.0 * np.ptp(small, axis=(0, 1))
    assert with_failures(small, np.zeros(4), np.random.default_rng(0))[0, 0] == pytest.approx(worst)
    assert (with_failures(draws, np.ones(4), np.random.default_rng(0)) == draws).all()


@pytest.mark.parametrize("value", [-7.0, 0.0, 0.25, 7.0])
def test_a_failure_is_worse_even_where_all_are_alike(value):
    found = with_failures(np.full((3, 2, 1), value), np.zeros(2), np.random.default_rng(0))
    assert (found > value).all()


def test_a_batch_of_what_is_known_to_be_dominated_is_a_batch_all_the_same():
    """In one of the draws nothing is left to gain, in the other one point is."""
    draws = np.full((2, 4, 2), 3.0)
    draws[1, 2] = -1.0
    assert coverage_batch(draws, np.zeros((1, 2)), 3).tolist()[0] == 2
    assert sorted(coverage_batch(draws[:1], np.zeros((1, 2)), 3).tolist()) == [0, 1, 2]


def test_every_draw_counts_alike_however_long_its_front_is():
    """Three draws of three points each against one of a hundred."""
    near, far = np.linspace(0.0, 0.2, 100), np.linspace(0.8, 1.0, 3)
    behind = np.full((103, 2), 2.0)
    draws = np.repeat(behind[None], 4, axis=0)
    draws[0, :100] = np.column_stack([near, 1.0 - near])
    draws[1:, 100:] = np.column_stack([far, 1.0 - far])
    assert coverage_batch(draws, np.array([[1.2, 1.2]]), 1, exponent=1.0)[0] >= 100


def test_where_all_are_kept_nothing_is_drawn():
    """The same seed goes on as if nobody had asked."""
    mean = np.column_stack([np.arange(20.0), -np.arange(20.0)])
    for n in (19, 20):
        rng = np.random.default_rng(0)
        assert promising(mean[:n], np.ones((n, 2)), mean[:0], 20, seed=rng).tolist() == list(range(n))
        assert rng.random() == np.random.default_rng(0).random()
    rng = np.random.default_rng(0)
    coverage_batch(np.repeat(mean[None], 2, axis=0), np.array([[30.0, 30.0]]), 3, max_front=20, seed=rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_fronts_longer_than_the_limit_are_covered_all_the_same():
    x = np.linspace(0.0, 1.0, 300)
    draws = np.repeat(np.column_stack([x, 1.0 - x])[None], 8, axis=0)
    batch = coverage_batch(draws, np.array([[1.5, 1.5]]), 5, max_front=20, seed=0)
    assert np.diff(np.sort(x[batch])).max() < 0.4
    assert len(set(batch.tolist())) == 5


def test_what_is_known_of_a_front_is_no_goal():
    """Half of each front is known: only the other half is worth anything, and of a front that is known nothing is."""
    x = np.linspace(0.0, 1.0, 40)
    front = np.column_stack([x, 1.0 - x])
    draws = np.repeat(front[None], 4, axis=0)
    assert x[coverage_batch(draws, front[:20], 4, seed=0)].min() > 0.5
    nothing_left = coverage_batch(draws, front, 4, seed=0)
    assert len(set(nothing_left.tolist())) == 4


def test_nothing_known_is_no_hindrance():
    x = np.linspace(0.0, 1.0, 30)
    draws = np.repeat(np.column_stack([x, 1.0 - x])[None], 4, axis=0)
    # The one in the middle is nearest to all.
    assert abs(x[coverage_batch(draws, np.empty((0, 2)), 1, exponent=1.0)[0]] - 0.5) < 0.05


@pytest.mark.parametrize(("size", "weighed"), [(5, 60), (30, 60), (35, 70), (60, 90)])
def test_a_batch_is_drawn_from_a_pool_of_twice_as_many_at_least(size, weighed, monkeypatch):
    monkeypatch.setattr("rapid_moo.acquisition.JOINT_POOL", 60)
    mean = np.random.default_rng(0).random((90, 2))
    drawn = []

    def draw(rows, n):
        drawn.append(len(rows))
        return mean[rows][None] + np.zeros((2, 1, 1))

    rows = expected_coverage(Candidates(mean, np.ones_like(mean), mean[:1], draw), size, np.random.default_rng(0))
    assert drawn == [weighed]
    assert len(set(rows.tolist())) == size
