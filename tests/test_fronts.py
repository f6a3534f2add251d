from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_moo import ADRS, adrs, front_points, hypervolume, igd_plus, is_nondominated, pareto_ranks
from rapid_moo.errors import InputError


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
    assert adrs(reference, points) == pytest.approx(naive_adrs(reference, points), abs=1e-12)
    many = np.vstack([points, rng.random((200_000, 3)) + 2.0])
    assert adrs(reference, many) == pytest.approx(naive_adrs(reference, points), abs=1e-12)


def test_adrs_never_rises_with_points_and_is_zero_for_the_front():
    rng = np.random.default_rng(0)
    cloud = rng.random((200, 3))
    front = front_points(cloud)
    values = [adrs(front, cloud[:n]) for n in (5, 50, 200)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0.0


def test_degenerate_ranges_are_finite():
    assert adrs([[1.0, 2.0]], [[1.0, 2.0]]) == 0.0
    assert adrs([[1.0, 2.0]], [[1.0, 3.0]]) == 1.0
    assert hypervolume([[1.0, 2.0]], [[1.0, 2.0]]) == pytest.approx(1.0)
    assert adrs([[1.0, 2.0]], np.empty((0, 2))) == np.inf
    assert ADRS([[1.0, 2.0]])(np.empty((0, 2))) == np.inf


def test_hypervolume_and_igd_plus_equal_moocore_on_normalised_points():
    rng = np.random.default_rng(1)
    reference = front_points(rng.random((50, 3)) * [1.0, 10.0, 100.0])
    points = rng.random((80, 3)) * [1.0, 10.0, 100.0]
    low, span = reference.min(axis=0), np.ptp(reference, axis=0)
    expected = moocore.hypervolume((points - low) / span, ref=[1.1] * 3)
    expected /= moocore.hypervolume((reference - low) / span, ref=[1.1] * 3)
    assert hypervolume(reference, points) == pytest.approx(expected)
    assert igd_plus(reference, points) == pytest.approx(
        moocore.igd_plus((points - low) / span, ref=(reference - low) / span)
    )


@pytest.mark.parametrize("bad", [[], [[1.0, np.nan]], [[np.inf, 1.0]]])
def test_bad_reference_is_one_error(bad):
    with pytest.raises(InputError):
        adrs(bad, [[1.0, 2.0]])
