from __future__ import annotations

import time

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.indicators.hv import HV
from pymoo.indicators.igd_plus import IGDPlus as PymooIGDPlus

from rapid_moo import (
    ADRS,
    IGDPlus,
    NormalisedHypervolume,
    adrs,
    front_points,
    hypervolume,
    igd_plus,
    indicators,
    is_nondominated,
    pareto_ranks,
)
from rapid_moo._util import squared_distances
from rapid_moo.errors import InputError
from rapid_moo.indicators import box_hypervolume, nearest_distances
from rapid_moo.pareto import front_range


def naive_mask(points):
    return [not any((q <= p).all() and (q < p).any() for q in points) for p in points]


def naive_adrs(reference, points):
    span = np.ptp(reference, axis=0)
    return np.mean([min(np.max(np.abs(a - r) / span) for a in points) for r in reference])


point_sets = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 4), min_size=m, max_size=m), min_size=1, max_size=25)
)


@settings(deadline=None)
@given(point_sets)
def test_front_and_ranks_equal_brute_force(rows):
    points = np.array(rows, dtype=float)
    mask = is_nondominated(points)
    assert mask.tolist() == naive_mask(points)
    ranks = pareto_ranks(points)
    assert ((ranks == 0) == mask).all()
    left, rank = np.arange(len(points)), 0
    while len(left):
        first = np.array(naive_mask(points[left]))
        assert (ranks[left[first]] == rank).all()
        left, rank = left[~first], rank + 1


@pytest.mark.parametrize("seed", range(5))
def test_adrs_equals_its_definition_and_the_tree_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    reference, points = front_points(rng.random((60, 3))), rng.random((400, 3))
    assert adrs(points, reference=reference) == pytest.approx(naive_adrs(reference, points), abs=1e-12)
    many = np.vstack([points, rng.random((200_000, 3)) + 2.0])
    assert adrs(many, reference=reference) == pytest.approx(naive_adrs(reference, points), abs=1e-12)


def test_adrs_never_rises_with_points_and_is_zero_for_the_front():
    rng = np.random.default_rng(0)
    cloud = rng.random((200, 3))
    front = front_points(cloud)
    values = [adrs(cloud[:n], reference=front) for n in (5, 50, 200)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0.0


def test_degenerate_ranges_are_finite():
    assert adrs([[1.0, 2.0]], reference=[[1.0, 2.0]]) == 0.0
    assert adrs([[1.0, 3.0]], reference=[[1.0, 2.0]]) == 1.0
    assert hypervolume([[1.0, 2.0]], reference=[[1.0, 2.0]]) == pytest.approx(1.0)
    assert adrs(np.empty((0, 2)), reference=[[1.0, 2.0]]) == np.inf
    assert ADRS([[1.0, 2.0]])(np.empty((0, 2))) == np.inf


def test_hypervolume_and_igd_plus_equal_moocore_on_normalised_points():
    rng = np.random.default_rng(1)
    reference = front_points(rng.random((50, 3)) * [1.0, 10.0, 100.0])
    points = rng.random((80, 3)) * [1.0, 10.0, 100.0]
    low, span = reference.min(axis=0), np.ptp(reference, axis=0)
    expected = moocore.hypervolume((points - low) / span, ref=[1.1] * 3)
    expected /= moocore.hypervolume((reference - low) / span, ref=[1.1] * 3)
    assert hypervolume(points, reference=reference) == pytest.approx(expected)
    assert igd_plus(points, reference=reference) == pytest.approx(
        moocore.igd_plus((points - low) / span, ref=(reference - low) / span)
    )


@pytest.mark.parametrize("bad", [[], [[1.0, np.nan]], [[np.inf, 1.0]]])
def test_bad_reference_is_one_error(bad):
    with pytest.raises(InputError):
        adrs([[1.0, 2.0]], reference=bad)


@pytest.mark.parametrize("indicator", [adrs, igd_plus, hypervolume])
def test_the_reference_is_named_so_that_swapped_sets_do_not_pass(indicator):
    with pytest.raises(TypeError, match="positional"):
        indicator([[1.0, 2.0]], [[1.0, 2.0]])


def naive_hypervolume(points, corner):
    """Area or volume by counting the cells of the grid that the coordinates span."""
    points = [p for p in points if (p < corner).all()]
    edges = [np.unique([*(p[k] for p in points), corner[k]]) for k in range(len(corner))]
    total = 0.0
    for cell in np.ndindex(*(len(e) - 1 for e in edges)):
        low = np.array([edges[k][i] for k, i in enumerate(cell)])
        if any((p <= low).all() for p in points):
            total += np.prod([edges[k][i + 1] - edges[k][i] for k, i in enumerate(cell)])
    return total


objective_sets = st.integers(1, 4).flatmap(
    lambda m: st.tuples(
        *[st.lists(st.lists(st.integers(0, 4), min_size=m, max_size=m), min_size=1, max_size=8) for _ in range(2)]
    )
)


def normalised(reference, points):
    low, span = reference.min(axis=0), np.ptp(reference, axis=0)
    flat = span == 0
    scale = np.where(flat, 1.0, span)
    shifted = (points - low) / scale
    return np.where(flat, np.sign(shifted), shifted)


@settings(deadline=None, max_examples=60)
@given(objective_sets)
def test_indicators_equal_brute_force_on_any_input(sets):
    reference, points = front_points(np.array(sets[0], dtype=float)), np.array(sets[1], dtype=float)
    target, found = normalised(reference, reference), normalised(reference, points)
    distances = [min(np.abs(a - r).max() for a in found) for r in target]
    assert adrs(points, reference=reference) == pytest.approx(np.mean(distances), abs=1e-12)
    worse = [min(np.sqrt((np.maximum(a - r, 0) ** 2).sum()) for a in found) for r in target]
    assert igd_plus(points, reference=reference) == pytest.approx(np.mean(worse), abs=1e-12)
    corner = np.full(reference.shape[1], 1.1)
    expected = naive_hypervolume(found, corner) / naive_hypervolume(target, corner)
    assert hypervolume(points, reference=reference) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(objective_sets, st.lists(st.sampled_from([1e-6, 3.0, 1e6]), min_size=4, max_size=4))
def test_units_change_nothing(sets, scales):
    reference, points = front_points(np.array(sets[0], dtype=float)), np.array(sets[1], dtype=float)
    factor, shift = np.array(scales)[: reference.shape[1]], 7.0
    for indicator in (adrs, igd_plus, hypervolume):
        scaled = indicator(points * factor + shift, reference=reference * factor + shift)
        assert scaled == pytest.approx(indicator(points, reference=reference), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("n_objectives", [2, 3, 4])
def test_indicators_equal_pymoo(n_objectives):
    rng = np.random.default_rng(n_objectives)
    reference, points = front_points(rng.random((40, n_objectives))), rng.random((60, n_objectives))
    target, found = normalised(reference, reference), normalised(reference, points)
    assert igd_plus(points, reference=reference) == pytest.approx(PymooIGDPlus(target)(found))
    corner = np.full(n_objectives, 1.1)
    expected = HV(ref_point=corner)(found) / HV(ref_point=corner)(target)
    assert hypervolume(points, reference=reference) == pytest.approx(expected)
    for indicator, function in ((ADRS, adrs), (IGDPlus, igd_plus), (NormalisedHypervolume, hypervolume)):
        assert indicator(reference)(points) == function(points, reference=reference)


def test_inputs_may_be_read_only():
    points = np.random.default_rng(0).random((50, 3))
    points.setflags(write=False)
    front = front_points(points)
    front.setflags(write=False)
    for indicator in (adrs, igd_plus, hypervolume):
        assert np.isfinite(indicator(points, reference=front))
    assert pareto_ranks(points).min() == 0


@pytest.mark.parametrize("kind", ["cube", "shell", "ties"])
def test_a_million_points_in_seconds(kind):
    rng = np.random.default_rng(0)
    points = rng.random((1_000_000, 3))
    if kind == "shell":
        # Every one of these is non-dominated but for a few: the hardest case.
        points = 1.0 + points / 1e6 - np.abs(rng.normal(size=points.shape))
        points[:, 2] = -points[:, 0] - points[:, 1] + 1e-3 * rng.random(len(points))
    if kind == "ties":
        points = np.floor(points * 20)
        points[:, 2] += 40 - points[:, :2].sum(axis=1)
    start = time.perf_counter()
    front = front_points(points)
    approximation = points[::2]
    value = adrs(approximation, reference=front)
    assert time.perf_counter() - start < 60.0
    assert 0.0 <= value < 0.2
    # Against the definition, on a part: nothing dominates a front point, something dominates or equals any other.
    for point in front[rng.integers(0, len(front), 5)]:
        assert not ((points <= point).all(axis=1) & (points < point).any(axis=1)).any()
    for point in points[rng.integers(0, len(points), 5)]:
        assert (front <= point).all(axis=1).any()
    some = front[np.unique([*front.argmin(axis=0), *front.argmax(axis=0), *rng.integers(0, len(front), 5)])]
    nearest = [(np.abs(approximation - point) / np.ptp(front, axis=0)).max(axis=1).min() for point in some]
    assert adrs(approximation, reference=some) == pytest.approx(np.mean(nearest), abs=1e-12)
    assert adrs(points, reference=front) == 0.0


def test_the_range_of_a_front_is_that_of_all_where_it_has_none_and_never_zero():
    points = np.array([[0.0, 5.0, 7.0], [1.0, 5.0, 7.0], [0.5, 9.0, 7.0]])
    assert front_range(points).tolist() == [1.0, 4.0, 1.0]
    assert front_range(points, np.array([1, 2])).tolist() == [0.5, 4.0, 1.0]
    assert front_range(points, np.array([], dtype=np.int64)).tolist() == [1.0, 4.0, 1.0]


def test_squared_distances_equal_their_definition_and_are_never_below_zero():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(20, 5)), rng.normal(size=(30, 5))
    np.testing.assert_allclose(squared_distances(A, B), ((A[:, None] - B[None]) ** 2).sum(axis=2), rtol=1e-12)
    assert (squared_distances(100.0 + A, 100.0 + A) >= 0.0).all()


def test_the_nearest_distance_ignores_what_failed():
    reference = np.array([[0.0, 1.0], [1.0, 0.0]])
    points = np.array([[0.25, 1.0], [np.inf, 0.0], [1.0, 0.5]])
    assert nearest_distances(reference, points).tolist() == [0.25, 0.5]
    assert np.isinf(nearest_distances(reference, points[1:2])).all()


class TestBoxHypervolume:
    def test_is_the_share_of_the_box_that_is_dominated(self):
        low, high = [1.0, 10.0], [3.0, 50.0]
        assert box_hypervolume([[1.0, 10.0]], low, high) == pytest.approx(1.0)
        assert box_hypervolume([[2.0, 30.0]], low, high) == pytest.approx(0.25)
        assert box_hypervolume([[2.0, 10.0], [1.0, 30.0]], low, high) == pytest.approx(0.75)

    def test_exceeds_one_beyond_the_lower_corner_and_is_nothing_beyond_the_upper(self):
        assert box_hypervolume([[-1.0, 10.0]], [1.0, 10.0], [3.0, 50.0]) == pytest.approx(2.0)
        assert box_hypervolume([[3.0, 10.0], [1.0, 60.0]], [1.0, 10.0], [3.0, 50.0]) == 0.0

    def test_of_a_box_without_width_takes_one_as_its_unit(self):
        assert box_hypervolume([[1.0, 0.5]], [1.0, 0.0], [1.0, 1.0]) == pytest.approx(0.5)
        assert box_hypervolume([[-1.0, 0.5]], [1.0, 0.0], [1.0, 1.0]) == pytest.approx(1.5)


def test_ranks_of_nothing_and_of_one_objective():
    assert pareto_ranks(np.empty((0, 2))).tolist() == []
    assert is_nondominated(np.empty((0, 2))).tolist() == []
    assert front_points(np.empty((0, 2))).shape == (0, 2)
    assert pareto_ranks([[3.0], [1.0], [3.0], [2.0]]).tolist() == [2, 0, 2, 1]
    assert pareto_ranks([[np.inf, 1.0], [0.0, np.inf], [np.inf, np.inf]]).tolist() == [0, 0, 1]


def test_what_has_no_finite_value_covers_nothing():
    assert adrs([[np.inf, 0.0], [0.0, np.inf]], reference=[[0.0, 1.0], [1.0, 0.0]]) == np.inf
    assert adrs([[np.inf, 0.0], [0.0, 1.0]], reference=[[0.0, 1.0], [1.0, 0.0]]) == 0.5


def test_nothing_is_worth_nothing():
    for indicator, worst in ((adrs, np.inf), (igd_plus, np.inf), (hypervolume, 0.0)):
        assert indicator([], reference=[[0.0, 1.0], [1.0, 0.0]]) == worst
    for kind, worst in ((ADRS, np.inf), (IGDPlus, np.inf), (NormalisedHypervolume, 0.0)):
        assert kind([[0.0, 1.0], [1.0, 0.0]])(np.empty((0, 2))) == worst


def test_the_margin_of_the_hypervolume_is_a_tenth():
    # The corner is at 1.1: of two ends that are covered half, areas are known.
    reference = [[0.0, 1.0], [1.0, 0.0]]
    whole = 1.1 * 0.1 + 0.1 * 1.1 - 0.1 * 0.1
    assert hypervolume([[0.5, 0.5]], reference=reference) == pytest.approx(0.6 * 0.6 / whole)


def test_other_numbers_of_objectives_are_refused():
    with pytest.raises(InputError, match="points: expected 2 objectives like the reference, got 3"):
        adrs([[1.0, 2.0, 3.0]], reference=[[1.0, 2.0]])


@pytest.mark.parametrize(("n", "trees"), [(500, 0), (501, 1)])
def test_distances_of_more_than_200_000_pairs_are_not_all_held_in_memory(n, trees, monkeypatch):
    made, tree = [], indicators.cKDTree
    monkeypatch.setattr(indicators, "cKDTree", lambda points: made.append(len(points)) or tree(points))
    rng = np.random.default_rng(0)
    reference, points = rng.random((400, 2)), rng.random((n, 2))
    found = nearest_distances(reference, points)
    assert len(made) == trees
    for row in (0, 399):
        assert found[row] == pytest.approx(np.abs(points - reference[row]).max(axis=1).min())


def test_a_range_of_less_than_one_is_a_range():
    """In whatever unit: no range but that of zero is replaced."""
    assert adrs([[0.0, 0.25]], reference=[[0.0, 0.5], [0.5, 0.0]]) == pytest.approx((0.5 + 1.0) / 2)
    assert box_hypervolume([[0.25, 0.25]], [0.0, 0.0], [0.5, 0.5]) == pytest.approx(0.25)
