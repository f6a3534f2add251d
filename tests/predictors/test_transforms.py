"""Target transforms are monotone and come back to where they started."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_moo.errors import InputError
from rapid_moo.predictors.transforms import TRANSFORMS, TargetTransform

# Six significant digits, as measurements have: nearer values than that are the same.
values = st.integers(-999_999, 999_999).map(float)
targets = st.tuples(st.lists(values, min_size=1, max_size=40), st.sampled_from([1e-6, 1.0, 1e6])).map(
    lambda drawn: np.array(drawn[0]) * drawn[1]
)
kinds = st.sampled_from(TRANSFORMS)


@settings(deadline=None)
@given(kind=kinds, y=targets)
def test_round_trip_on_the_training_values(kind, y):
    transform = TargetTransform(kind).fit(y)
    np.testing.assert_allclose(transform.backward(transform.forward(y)), y, rtol=1e-9, atol=1e-9 * np.abs(y).max())


@settings(deadline=None)
@given(kind=kinds, y=targets, shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_round_trip_between_the_training_values(kind, y, shares):
    transform = TargetTransform(kind).fit(y)
    between = y.min() + np.array(shares) * np.ptp(y)
    back = transform.backward(transform.forward(between))
    np.testing.assert_allclose(back, between, rtol=1e-6, atol=1e-6 * max(np.abs(y).max(), 1e-300))


@settings(deadline=None)
@given(kind=kinds, y=targets)
def test_order_is_kept(kind, y):
    transform = TargetTransform(kind).fit(y)
    distinct = np.unique(y)
    forward = transform.forward(distinct)
    assert np.isfinite(forward).all()
    assert (np.diff(forward) > 0).all()
    assert (np.diff(transform.backward(np.sort(forward))) > 0).all()


@settings(deadline=None)
@given(kind=kinds, y=targets, t=st.lists(st.floats(-30.0, 30.0), min_size=2, max_size=20))
def test_any_prediction_has_a_value_in_order(kind, y, t):
    transform = TargetTransform(kind).fit(y)
    predicted = np.sort(np.array(t))
    back = transform.backward(predicted)
    assert np.isfinite(back).all()
    assert (np.diff(back) >= -1e-9 * np.abs(back).max()).all()
    slope = transform.slope(predicted, np.full(len(predicted), 0.1))
    assert np.isfinite(slope).all()
    assert (slope >= -1e-9).all()


@settings(deadline=None)
@given(kind=kinds, y=targets)
def test_input_is_unchanged(kind, y):
    kept = y.copy()
    transform = TargetTransform(kind).fit(y)
    transform.backward(transform.forward(y))
    assert (y == kept).all()


def test_slope_is_the_derivative():
    y = np.linspace(1.0, 50.0, 30)
    transform = TargetTransform("log").fit(y)
    t = np.array([0.5, 1.5, 3.0])
    step = 1e-5
    expected = (transform.backward(t + step) - transform.backward(t - step)) / (2.0 * step)
    np.testing.assert_allclose(transform.slope(t, np.full(3, 1e-4)), expected, rtol=1e-6)


def test_log_finds_the_origin_of_log_normal_values():
    y = np.exp(np.random.default_rng(1).normal(size=4000))
    for offset in (0.0, -300.0, 1e4):
        transform = TargetTransform("log").fit(y + offset)
        assert -transform.shift_ == pytest.approx(offset, abs=0.1)
        assert np.std(transform.forward(y + offset)) == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e4), (1.0, -1e4), (1e-6, -1e-3)])
def test_neither_unit_nor_offset_changes_the_goal(kind, scale, offset):
    y = np.random.default_rng(2).gamma(2.0, size=200)
    moved = scale * y + offset
    goal, again = (TargetTransform(kind).fit(values).forward(values) for values in (y, moved))
    goal, again = (values - np.median(values) for values in (goal, again))
    ratio = np.ptp(again) / np.ptp(goal)
    assert 0.4 < ratio < 2.1
    np.testing.assert_allclose(again, ratio * goal, atol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tail_tames_the_long_side_and_leaves_the_other(sign):
    y = sign * np.exp(np.random.default_rng(0).normal(size=400) * 2.0)
    transform = TargetTransform("tail").fit(y)
    t = transform.forward(y)
    assert np.ptp(t) < 0.05 * np.ptp(y) / transform.unit_
    # Beyond the best value seen it goes on as a straight line.
    beyond = np.median(y) - sign * np.array([1.0, 2.0, 3.0]) * 10.0
    steps = np.diff(transform.forward(beyond))
    np.testing.assert_allclose(steps, steps[0])


def test_log_of_a_value_far_below_the_sample_is_finite():
    transform = TargetTransform("log").fit(np.array([1.0, 10.0]))
    assert np.isfinite(transform.forward(np.array([-100.0, 0.0]))).all()


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_a_small_spread_is_that_of_transformed_values(kind):
    y = np.random.default_rng(3).gamma(2.0, size=100)
    transform = TargetTransform(kind).fit(y)
    std = np.full(100, 1e-4)
    draws = transform.forward(y + std * np.random.default_rng(4).normal(size=(4_000, 100)))
    np.testing.assert_allclose(transform.spread(y, std), draws.std(axis=0), rtol=0.1)
    assert not transform.spread(y, np.zeros(100)).any()


def test_unknown_kind_is_one_error():
    with pytest.raises(InputError, match="got 'magic'"):
        TargetTransform("magic").fit(np.arange(3.0))
