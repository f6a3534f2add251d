"""The choice of a batch: who may be in it, and what is known of them in part."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rapid_moo import ArchitectureProblem, Gene, GridSpace, Objective
from rapid_moo.batches import Chooser, known_parts
from rapid_moo.view import Knowledge, SpaceView

GOALS = (Objective("acc", "max"), Objective("lat", "min"))
SPACE = GridSpace("grid", [Gene("a", tuple(range(10))), Gene("b", tuple(range(10)))], GOALS)
X = SPACE.enumerate()


class Success:
    """Each first gene has a probability of its own."""

    def __init__(self, probability, rate=0.75):
        self.probability, self.rate_ = np.asarray(probability, dtype=float), rate

    def predict(self, codes):
        return self.probability[codes[:, 0]]


class Predictors:
    """The sum, to be raised, and the first gene, to be lowered; draws are a tenth apart."""

    kinds = frozenset()

    def predict(self, codes, return_std=False, features=None):
        mean = np.column_stack([codes.sum(axis=1), codes[:, 0]]).astype(float)
        return (mean, np.full_like(mean, 0.5)) if return_std else mean

    def draw(self, codes, n, rng):
        return self.predict(codes)[None] + 0.1 * np.arange(n)[:, None, None]


def knowledge(n_good, n_bad, pending=(), parts=()):
    """The first architectures succeeded, the next failed, and some are known in part, as (row, raw values)."""
    rows = [*range(n_good + n_bad), *(row for row, _ in parts)]
    raw = np.array([[1.0, 1.0]] * n_good + [[np.nan, np.nan]] * n_bad + [line for _, line in parts]).reshape(-1, 2)
    place = np.arange(len(rows))
    complete, failed = place < n_good, (place >= n_good) & (place < n_good + n_bad)
    F = np.where(complete[:, None], raw * [-1.0, 1.0], np.inf)
    nothing = np.empty((len(rows), 0))
    none, curves = np.zeros(len(rows), dtype=bool), [[()] * len(rows)] * 2
    return Knowledge(X[rows], raw, F, complete, failed, none, complete, nothing, X[list(pending)], X[:0], curves)


def chooser(success=None, acquisition=None):
    learner = SimpleNamespace(predictors=Predictors(), success=success, limits=None)
    view = SpaceView(ArchitectureProblem(SPACE, lambda x: [1.0, 1.0]))
    return Chooser(view, learner, acquisition, np.random.default_rng(0))


class TestRisk:
    """A quarter fails; of 40 tried with the batch ten would have failed by chance."""

    @pytest.fixture
    def quarter(self, monkeypatch):
        monkeypatch.setattr(Chooser, "failing_share", lambda self: 0.25)

    @pytest.mark.parametrize(
        ("failures", "expected"),
        [
            (9, 0.25),  # one is left for four
            (8, 0.5),  # two are
            (2, 0.5),  # never more than one half
            (10, 0.2),  # none is: twice the risk of the safest tenth
            (12, 0.1 * (2.0 - 2.0 / np.sqrt(0.25 * 0.75 * 40))),  # two too many, in standard deviations of their number
            (30, 0.1 * 1.2),  # at the most careful
        ],
    )
    def test_is_what_is_left_of_what_chance_would_have_lost(self, failures, expected, quarter):
        found = chooser(Success(np.ones(10))).risk(np.full(50, 0.9), 4, knowledge(36 - failures, failures))
        assert found == pytest.approx(expected)

    def test_of_what_is_under_way_as_much_counts_as_will_probably_fail(self, quarter):
        # Four of a probability of one half: two of them will fail.
        success = Success([0.5] * 10)
        found = chooser(success).risk(np.full(50, 0.9), 4, knowledge(25, 7, pending=range(90, 94)))
        assert found == pytest.approx((0.25 * 40 - 7 - 2) / 4)

    def test_is_two_in_a_hundred_at_least(self, quarter):
        assert chooser(Success(np.ones(10))).risk(np.ones(50), 4, knowledge(6, 30)) == 0.02

    def test_is_judged_by_the_safest_tenth(self, quarter):
        probability = np.concatenate([np.full(20, 0.95), np.full(80, 0.2)])
        found = chooser(Success(np.ones(10))).risk(probability, 4, knowledge(26, 10))
        assert found == pytest.approx(2.0 * 0.05)


class TestLikely:
    def test_what_is_too_likely_to_fail_is_left_out(self, monkeypatch):
        monkeypatch.setattr(Chooser, "risk", lambda self, probability, size, known: 0.3)
        found = chooser(Success([0.9, 0.7, 0.69, *[0.0] * 7])).likely(X, 5, knowledge(1, 1))
        assert set(found[:, 0]) == {0, 1}
        assert len(found) == 20

    def test_where_too_few_are_left_the_likeliest_fill_up(self, monkeypatch):
        monkeypatch.setattr(Chooser, "risk", lambda self, probability, size, known: 0.02)
        success = Success([0.1, 0.5, 0.3, 0.4, *[0.0] * 6])
        assert set(chooser(success).likely(X, 15, knowledge(1, 1))[:, 0]) == {1, 3}
        assert len(chooser(success).likely(X, 15, knowledge(1, 1))) == 15

    def test_nobody_is_left_out_where_nothing_has_failed(self):
        assert chooser().likely(X, 5, knowledge(3, 0)) is X


def test_the_failing_share_is_half_the_first_samples_and_half_the_models():
    assert chooser(Success([0.0] * 4 + [1.0] * 6, rate=0.8)).failing_share() == pytest.approx(0.5 * (0.2 + 0.4))


class TestKnownParts:
    known = knowledge(2, 1, parts=[(50, [7.0, np.nan]), (60, [np.nan, 3.0])])

    def test_are_found_wherever_they_are_with_minimised_values(self):
        view = chooser().view
        found = dict(known_parts(view, X[[10, 60, 0, 50]], self.known))
        assert found.keys() == {1, 3}
        assert np.array_equal(found[1], [np.nan, 3.0], equal_nan=True)
        assert np.array_equal(found[3], [-7.0, np.nan], equal_nan=True)
        assert list(known_parts(view, X, knowledge(2, 1))) == []

    def test_are_certain_in_what_is_chosen_from(self):
        seen = []

        def acquisition(candidates, size, rng):
            seen.append(candidates)
            return np.array([1, 0])

        rows = [10, 60, 50]
        batch = chooser(acquisition=acquisition).choose(X[rows], 2, self.known)
        (candidates,) = seen
        plain = Predictors().predict(X[rows]) * [-1.0, 1.0]
        expected, spread = plain.copy(), np.full((3, 2), 0.5)
        expected[1, 1], expected[2, 0] = 3.0, -7.0
        spread[1, 1] = spread[2, 0] = 0.0
        assert candidates.mean.tolist() == batch.mean.tolist() == expected.tolist()
        assert candidates.std.tolist() == spread.tolist()
        draws = candidates.draw(np.arange(3), 4)
        assert (draws[:, 1, 1] == 3.0).all()
        assert (draws[:, 2, 0] == -7.0).all()
        assert len(np.unique(draws[:, 0, 0])) == 4
        assert candidates.known.tolist() == [[-1.0, 1.0]] * 2
        assert batch.picked.tolist() == X[[60, 10]].tolist()

    def test_what_is_under_way_can_be_drawn_beside_the_candidates(self):
        seen = []

        def acquisition(candidates, size, rng):
            seen.append(candidates)
            return np.arange(size)

        chooser(Success(np.ones(10)), acquisition).choose(X[20:30], 3, knowledge(2, 1, pending=[90, 91]))
        (candidates,) = seen
        assert candidates.pending.tolist() == [10, 11]
        assert candidates.draw(candidates.pending, 1)[0].tolist() == (Predictors().predict(X[90:92]) * [-1, 1]).tolist()
        assert candidates.success.tolist() == [1.0] * 10


def test_of_very_many_proposals_those_of_the_best_expected_fronts_are_weighed(monkeypatch):
    monkeypatch.setattr("rapid_moo.batches.SPREAD_POOL", 10)
    seen = []

    def acquisition(candidates, size, rng):
        seen.append(candidates.mean)
        return np.arange(size)

    batch = chooser(acquisition=acquisition).choose(X, 3, knowledge(2, 0))
    # The front: of each first gene the largest second one.
    assert batch.X.tolist() == X[X[:, 1] == 9].tolist()
    assert len(seen[0]) == 10


def test_of_very_many_proposals_those_that_are_known_to_be_good_in_part_are_weighed(monkeypatch):
    """Whatever is predicted of them: what was measured counts."""
    monkeypatch.setattr("rapid_moo.batches.SPREAD_POOL", 10)
    known = knowledge(0, 0, parts=[(30, [99.0, np.nan]), (40, [np.nan, -99.0])])
    batch = chooser(acquisition=lambda candidates, size, rng: np.arange(size)).choose(X, 3, known)
    assert {(3, 0), (4, 0)} <= {tuple(x) for x in batch.X.tolist()}
    plain = chooser(acquisition=lambda candidates, size, rng: np.arange(size)).choose(X, 3, knowledge(0, 0))
    assert not {(3, 0), (4, 0)} & {tuple(x) for x in plain.X.tolist()}


def test_of_very_many_proposals_those_that_will_hardly_meet_a_bound_come_last(monkeypatch):
    monkeypatch.setattr("rapid_moo.batches.SPREAD_POOL", 10)

    def beyond(view, codes, mean, limits):
        return np.where(codes[:, 1:] == 9, 0.1, -0.5)

    monkeypatch.setattr("rapid_moo.batches.predicted_violations", beyond)
    batch = chooser(acquisition=lambda candidates, size, rng: np.arange(size)).choose(X, 3, knowledge(2, 0))
    assert batch.X.tolist() == X[X[:, 1] == 8].tolist()


@pytest.mark.parametrize(("n_genes", "n_members"), [(2, 100), (4, 2_000)])
def test_how_much_of_the_space_fails_is_seen_on_two_thousand_of_it_once(n_genes, n_members):
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(10))) for k in range(n_genes)], GOALS)
    asked = []

    class Watched(Success):
        def predict(self, codes):
            asked.append(codes)
            return super().predict(codes)

    learner = SimpleNamespace(predictors=Predictors(), success=Watched(np.ones(10)), limits=None)
    view = SpaceView(ArchitectureProblem(space, lambda x: [1.0, 1.0]))
    for _ in range(2):
        Chooser(view, learner, None, np.random.default_rng(3)).failing_share()
    assert [len(np.unique(codes, axis=0)) for codes in asked] == [n_members] * 2
    # Whatever the seed of the run, the same ones: a share does not change by being asked for again.
    assert np.array_equal(*asked)
