"""Noise is not luck: what is expected of noisy values is nearer to the truth, and without noise it is the values."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import Gene, GridSpace, Objective
from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.indicators import hypervolume
from rapid_moo.noise import Noise
from rapid_moo.pareto import front_points
from rapid_moo.store import Store
from rapid_moo.study.expected import Expected, expected_values

GOALS = (Objective("acc", "max"), Objective("lat", "min"))
SPACE = GridSpace("widths", [Gene(f"w{k}", (16, 32, 64, 128)) for k in range(5)], GOALS)
X = SPACE.enumerate()
SIZE = np.array([16, 32, 64, 128])[X].sum(axis=1)
TRUTH = np.column_stack([90 - 1500 / (SIZE + 40) + 0.3 * X[:, 0] - 0.2 * X[:, 3], SIZE * (1 + 0.1 * X[:, 1])])
SPAN = np.ptp(TRUTH, axis=0)
SIGN = np.array([-1.0, 1.0])
ROWS = np.random.default_rng(0).permutation(len(X))[:90]


def measured(noise: float, seed: int = 0, repeats: int = 1, grows: float = 0.0) -> Store:
    store, rng = Store(SPACE, ["acc", "lat"]), np.random.default_rng(seed)
    store.ask(X[ROWS])
    for i, row in enumerate(ROWS):
        for _ in range(repeats):
            error = rng.standard_normal(2)
            acc = TRUTH[row, 0] + noise * SPAN[0] * error[0]
            store.tell(i, {"acc": acc, "lat": TRUTH[row, 1] * (1.0 + grows * error[1])})
    return store


def worth(positions: IntArray) -> float:
    """Noise-free hypervolume of what a front shows."""
    return hypervolume(TRUTH[ROWS[positions]] * SIGN, reference=front_points(TRUTH * SIGN))


def error(values: FloatArray, k: int) -> float:
    return float(np.sqrt(np.mean((values[:, k] - TRUTH[ROWS, k]) ** 2)) / SPAN[k])


def test_without_noise_nothing_changes() -> None:
    found = expected_values(measured(0.0), GOALS)
    assert (found.noise == 0.0).all()
    assert (found.mean == found.measured).all()
    assert (found.std == 0.0).all()
    assert found.expected_front_rows.tolist() == found.front_rows.tolist()
    assert len(found.again) == 0


def test_tiny_noise_is_none() -> None:
    found = expected_values(measured(0.0005), GOALS)
    assert (found.mean == found.measured).all()


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
def test_noise_is_found_and_expected_values_are_nearer_to_the_truth(noise: float) -> None:
    found = expected_values(measured(noise), GOALS)
    assert found.noise[0] / SPAN[0] == pytest.approx(noise, rel=0.5)
    assert found.noise[1] == 0.0
    assert error(found.mean, 0) < 0.8 * error(found.measured, 0)


def test_expected_front_is_worth_more_than_the_measured_one() -> None:
    gains = []
    for seed in range(4):
        found = expected_values(measured(0.1, seed), GOALS)
        gains.append(worth(found.expected_front_rows) - worth(found.front_rows))
    assert np.mean(gains) > 0.0
    assert min(gains) > -0.01


def test_spread_is_honest() -> None:
    found = expected_values(measured(0.05), GOALS)
    z = (found.mean[:, 0] - TRUTH[ROWS, 0]) / found.std[:, 0]
    assert 0.5 < np.sqrt(np.mean(z**2)) < 2.0


def test_errors_that_grow_with_the_value_are_seen_on_its_scale() -> None:
    found = expected_values(measured(0.0, grows=0.05), GOALS)
    assert found.noise[1] / np.median(found.measured[:, 1]) == pytest.approx(0.05, rel=0.5)
    assert found.noise[0] == 0.0
    assert error(found.mean, 1) < error(found.measured, 1)


def test_what_varies_over_magnitudes_is_expected_on_a_logarithmic_scale() -> None:
    """The doubt grows with the value, and nothing positive is expected to be negative."""
    truth, rng = np.exp(SIZE[ROWS] / 80.0), np.random.default_rng(0)
    store = Store(SPACE, ["acc", "lat"])
    lat = truth * np.exp(0.2 * rng.standard_normal(len(ROWS)))
    store.add(X[ROWS], np.column_stack([TRUTH[ROWS, 0], lat]), free=False)
    found = expected_values(store, GOALS)
    assert found.noise[1] / np.median(lat) == pytest.approx(0.2, rel=0.5)
    assert (found.mean[:, 1] > 0.0).all()
    assert np.abs(np.log(found.mean[:, 1] / truth)).mean() < 0.8 * np.abs(np.log(lat / truth)).mean()
    ratio = found.std[:, 1] / found.mean[:, 1]
    assert ratio.max() < 5.0 * ratio.min()


def test_repeats_say_what_the_noise_is_and_count() -> None:
    once, thrice = expected_values(measured(0.05), GOALS), expected_values(measured(0.05, repeats=3), GOALS)
    assert thrice.noise[0] / SPAN[0] == pytest.approx(0.05, rel=0.15)
    assert thrice.std[:, 0].mean() < once.std[:, 0].mean()


def test_repeats_that_agree_show_that_there_is_no_noise() -> None:
    """Whatever a predictor cannot explain: the values themselves do not vary."""
    store = measured(0.05)
    for row in range(6):
        acc, lat = store.raw_of([row])[0]
        store.tell(row, {"acc": acc, "lat": lat})
    found = expected_values(store, GOALS)
    assert found.noise[0] == 0.0
    assert (found.mean == found.measured).all()


def test_what_is_unsure_and_near_the_front_is_worth_measuring_again() -> None:
    found = expected_values(measured(0.1), GOALS)
    either = np.union1d(found.front_rows, found.expected_front_rows)
    assert len(found.again)
    assert np.isin(found.again, either).all()
    assert len(set(found.again.tolist())) == len(found.again)


def test_the_most_open_question_is_measured_first() -> None:
    for seed in range(3):
        found = expected_values(measured(0.05, seed), GOALS)
        either = np.union1d(found.front_rows, found.expected_front_rows)
        assert set(found.again.tolist()) <= set(either.tolist())
        sureness = np.abs(found.chance[found.again] - 0.5)
        assert len(sureness) > 5
        assert (np.diff(sureness) >= 0.0).all()


def test_how_sure_the_noise_is_follows_from_the_repeats() -> None:
    once, thrice = expected_values(measured(0.05), GOALS), expected_values(measured(0.05, repeats=3), GOALS)
    assert once.noises[0].freedom == 0
    assert once.noises[0].interval == (0.0, np.inf)
    assert once.noises[0].to_text("%").startswith("not known yet, as nothing was measured again (a predictor guesses ")
    assert thrice.noises[0].freedom == 2 * len(ROWS)
    low, high = thrice.noises[0].interval
    assert low < 0.05 * SPAN[0] < high < 1.25 * low
    grows = expected_values(measured(0.0, grows=0.05, repeats=3), GOALS).noises[1]
    assert grows.relative
    assert grows.std == pytest.approx(0.05, rel=0.15)
    assert " % of its value (" in grows.to_text("ms")
    assert grows.to_text().endswith(f"by {grows.freedom} repeats)")


def test_the_interval_of_noise_holds_it_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    intervals = [Noise(float(rng.standard_normal(7).std(ddof=1)), 6).interval for _ in range(2_000)]
    assert np.mean([low <= 1.0 <= high for low, high in intervals]) == pytest.approx(0.9, abs=0.02)


def test_what_was_measured_often_is_not_measured_again() -> None:
    store = measured(0.1)
    first = expected_values(store, GOALS)
    often = int(first.again[0])
    for _ in range(4):
        store.tell(often, {"acc": float(TRUTH[ROWS[often], 0]), "lat": float(TRUTH[ROWS[often], 1])})
    assert often not in expected_values(store, GOALS).again


def test_infeasible_rows_are_on_no_front() -> None:
    store = measured(0.05)
    feasible: BoolArray = np.ones(len(store), dtype=np.bool_)
    feasible[expected_values(store, GOALS).front_rows] = False
    found: Expected = expected_values(store, GOALS, feasible)
    assert feasible[found.rows[found.front_rows]].all()
    assert feasible[found.rows[found.expected_front_rows]].all()


@pytest.mark.parametrize("n", [0, 1, 7, 8])
def test_few_rows_are_taken_as_they_are(n: int) -> None:
    store = Store(SPACE, ["acc", "lat"])
    if n:
        store.add(X[ROWS[:n]], TRUTH[ROWS[:n]], free=False)
    found = expected_values(store, GOALS)
    assert len(found.rows) == n
    if n < 8:
        assert (found.mean == found.measured).all()
    assert np.isfinite(found.mean).all()


def test_as_a_frame_each_value_stands_beside_what_is_expected() -> None:
    store = measured(0.05, repeats=2)
    found = expected_values(store, GOALS)
    shown = np.union1d(found.front_rows, found.expected_front_rows)
    frame = found.to_frame(store, shown)
    assert frame["evaluation"].tolist() == (found.rows[shown] + 1).tolist()
    assert frame["w0"].tolist() == [str(SPACE.genes[0].choices[x[0]]) for x in store.X[found.rows[shown]]]
    np.testing.assert_array_equal(frame[["acc", "lat"]], found.measured[shown])
    np.testing.assert_array_equal(frame[["expected_acc", "expected_lat"]], found.mean[shown])
    np.testing.assert_array_equal(frame[["unsure_acc", "unsure_lat"]], found.std[shown])
    assert (frame["repeats_acc"] == 2).all()
    assert shown[frame["measured_front"]].tolist() == sorted(found.front_rows.tolist())
    assert shown[frame["expected_front"]].tolist() == sorted(found.expected_front_rows.tolist())
    assert shown[frame["measure_again"]].tolist() == sorted(found.again.tolist())
