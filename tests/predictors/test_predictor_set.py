"""Predictor sets: exact objectives, persistence without pickle, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rapid_moo import ArchitectureTable, PredictorSet, PredictorSpec, get_problem, get_space
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.predictors import FAMILIES

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})


@pytest.fixture(scope="module")
def table():
    return get_problem("digits").table


@pytest.fixture(scope="module")
def fitted(table):
    specs = [PredictorSpec(transform="tail"), RIDGE, None]
    return PredictorSet(table.space, table.objectives, specs, seed=3).fit(table.sample(60, 0))


class TestPredict:
    def test_shapes_and_exact_objectives(self, fitted, table):
        mean, std = fitted.predict(table.X, return_std=True)
        assert mean.shape == std.shape == (len(table), 3)
        assert (mean == fitted.predict(table.X)).all()
        assert (mean[:, 2] == table.space.compute(table.X, "memory")).all()
        assert (std[:, 2] == 0).all()
        assert (std[:, :2] > 0).all()
        assert (fitted.predict_minimised(table.X) == mean * [-1.0, 1.0, 1.0]).all()

    def test_learns(self, fitted, table):
        mean = fitted.predict(table.X)
        for k in range(2):
            assert np.corrcoef(mean[:, k], table.raw[:, k])[0, 1] > 0.7

    def test_values_that_are_known_to_be_uncertain_teach_less(self, table):
        sample, more = table.sample(60, 0), table.sample(90, 1)
        wrong = np.arange(150) % 2 == 1
        noise = np.zeros((150, 3))
        noise[wrong, 0] = 8.0
        raw = np.vstack([sample.raw, more.raw])
        raw[:, 0] += noise[:, 0] * np.random.default_rng(0).normal(size=150)
        told = ArchitectureTable.build(table.space, table.objectives, sample.X, raw[:60])
        specs = [PredictorSpec(), PredictorSpec(), None]
        errors = []
        for known in (None, noise):
            found = PredictorSet(table.space, table.objectives, specs)
            found.fit(told, partial=(more.X, raw[60:]), noise=known)
            errors.append(np.abs(found.predict(table.X) - table.raw).mean(axis=0))
        assert errors[1][0] < 0.85 * errors[0][0]
        assert errors[1][1] == errors[0][1]

    def test_inputs_are_unchanged(self, table):
        sample = table.sample(40, 0)
        X = table.X[:50].copy()
        kept = sample.X.copy(), sample.raw.copy(), X.copy()
        PredictorSet(table.space, table.objectives, [RIDGE, RIDGE, None]).fit(sample).predict(X, return_std=True)
        assert all((a == b).all() for a, b in zip(kept, (sample.X, sample.raw, X), strict=True))

    @pytest.mark.parametrize("extra", [0, 1, -1])
    def test_two_to_four_objectives(self, extra, published):
        problem = get_problem(published("gpt_s_a100.csv"), energy=extra == 1)
        table = problem.table.sample(50, 0)
        if extra == -1:
            objectives = tuple(o for o in table.objectives if o.name != "memory")
            table = type(table).build(table.space, objectives, table.X, table.raw[:, :2])
        count = 3 + extra
        found = PredictorSet(table.space, table.objectives, [RIDGE] * count).fit(table).predict(table.X[:5])
        assert found.shape == (5, count)


class TestRefuse:
    def test_one_spec_per_objective(self, table):
        with pytest.raises(InputError, match="expected 3 specs, one per objective, got 2"):
            PredictorSet(table.space, table.objectives, [RIDGE, RIDGE])

    def test_what_is_not_computed_needs_a_spec(self, table):
        with pytest.raises(InputError, match="'latency'"):
            PredictorSet(table.space, table.objectives, [RIDGE, None, None])

    def test_predict_before_fit(self, table):
        with pytest.raises(InputError, match="fit"):
            PredictorSet(table.space, table.objectives, [RIDGE, RIDGE, None]).predict(table.X)

    def test_other_objectives(self, table):
        predictors = PredictorSet(table.space, table.objectives[:2], [RIDGE, RIDGE])
        with pytest.raises(InputError, match="memory"):
            predictors.fit(table)

    @pytest.mark.parametrize(
        "options",
        [{"family": "magic"}, {"params": {"magic": 1}}, {"features": "magic"}, {"transform": "magic"}],
    )
    def test_unknown_spec(self, options):
        with pytest.raises(InputError, match="magic"):
            PredictorSpec(**options)


class TestWarmStart:
    """From 100 rows on hyper-parameters are chosen anew once there are a fifth more, also by another process."""

    SPECS = (PredictorSpec(), None)

    def grown(self, table, sizes, resume=False):
        first = table.take(np.arange(160))
        some = ArchitectureTable.build(table.space, table.objectives[::2], first.X, first.raw[:, ::2], "some")
        found = PredictorSet(some.space, some.objectives, self.SPECS, seed=1)
        for n in sizes:
            if resume and hasattr(found, "predictors_"):
                state = json.loads(json.dumps(found.warm_state()))
                found = PredictorSet.warm(some.space, some.objectives, state)
            found.fit(some.take(np.arange(n)), warm_start=True)
        return found

    def theta(self, found):
        return found.warm_state()["fitted"][0][0]

    def test_hyper_parameters_are_kept_until_there_are_a_fifth_more_rows(self, table):
        first = self.theta(self.grown(table, (105,)))
        assert self.theta(self.grown(table, (105, 125))) == first
        assert self.theta(self.grown(table, (105, 126))) != first
        # Counted from when they were chosen, not from the last fit.
        assert self.theta(self.grown(table, (105, 115, 126))) != first

    def test_of_few_rows_they_are_chosen_anew_in_each_fit(self, table):
        assert self.theta(self.grown(table, (98, 99))) != self.theta(self.grown(table, (98,)))

    def test_those_of_folds_are_kept_from_48_rows_on(self, table):
        def starts(*sizes):
            return self.theta(self.grown(table, sizes))["starts"]

        assert starts(46, 47) != starts(46)
        assert starts(50, 51) == starts(50)
        assert starts(50, 60) != starts(50)
        assert self.theta(self.grown(table, (50, 51)))["theta"] != self.theta(self.grown(table, (50,)))["theta"]

    def test_what_is_kept_is_taught_by_all_rows(self, table):
        before, after = self.grown(table, (105,)), self.grown(table, (105, 125))
        assert not np.array_equal(before.predict(table.X), after.predict(table.X))

    def test_another_process_goes_on_alike(self, table):
        sizes = (50, 59, 99, 105, 111, 119, 130)
        alone, resumed = self.grown(table, sizes), self.grown(table, sizes, resume=True)
        assert alone.warm_state() == resumed.warm_state()
        for one, other in zip(alone.predict(table.X, True), resumed.predict(table.X, True), strict=True):
            assert one.tobytes() == other.tobytes()

    def test_a_state_of_before_rows_were_kept_chooses_anew(self, table):
        state = self.grown(table, (105,)).warm_state()
        del state["fitted"][0][0]["rows"]
        found = PredictorSet.warm(table.space, table.objectives[::2], state)
        some = table.take(np.arange(106))
        found.fit(
            ArchitectureTable.build(table.space, table.objectives[::2], some.X, some.raw[:, ::2], "some"),
            warm_start=True,
        )
        assert found.warm_state()["fitted"][0][0]["rows"] == 106


class TestPersistence:
    def test_same_predictions_after_loading(self, fitted, table, tmp_path):
        fitted.save(tmp_path)
        loaded = PredictorSet.load(tmp_path, get_space("digits"))
        for before, after in zip(
            fitted.predict(table.X, return_std=True), loaded.predict(table.X, return_std=True), strict=True
        ):
            assert before.tobytes() == after.tobytes()
        assert loaded.objectives == fitted.objectives
        assert loaded.specs == fitted.specs

    def test_same_predictions_after_a_warm_start(self, table, tmp_path):
        specs = [PredictorSpec(), PredictorSpec(transform="tail"), None]
        warm = PredictorSet(table.space, table.objectives, specs)
        warm.fit(table.take(np.arange(40)), warm_start=True).fit(table.take(np.arange(60)), warm_start=True)
        warm.save(tmp_path)
        loaded = PredictorSet.load(tmp_path, table.space)
        assert warm.predict(table.X).tobytes() == loaded.predict(table.X).tobytes()

    @pytest.mark.parametrize("family", FAMILIES)
    def test_every_family_is_saved_as_json(self, family, table, tmp_path):
        sample = table.sample(30, 1)
        specs = [PredictorSpec(family), PredictorSpec(family, transform="log"), None]
        predictors = PredictorSet(table.space, table.objectives, specs).fit(sample)
        predictors.save(tmp_path)
        for path in tmp_path.iterdir():
            json.loads(path.read_text())
        loaded = PredictorSet.load(tmp_path, table.space)
        assert loaded.predict(table.X[:200]).tobytes() == predictors.predict(table.X[:200]).tobytes()

    def test_another_space(self, fitted, tmp_path):
        fitted.save(tmp_path)
        with pytest.raises(InputError, match="expected predictors of 'nasbench201', got those of 'digits'"):
            PredictorSet.load(tmp_path, get_space("nasbench201"))

    def test_nothing_there(self, tmp_path):
        with pytest.raises(DataNotFoundError, match="found nothing"):
            PredictorSet.load(tmp_path, get_space("digits"))

    @pytest.mark.parametrize("damage", ["", "{", "[]", '{"space": "digits"}', "\x00"])
    def test_damaged_file(self, damage, fitted, tmp_path):
        fitted.save(tmp_path)
        (path,) = tmp_path.iterdir()
        path.write_text(damage)
        with pytest.raises(InputError, match=path.name):
            PredictorSet.load(tmp_path, get_space("digits"))

    def test_not_fitted(self, table, tmp_path):
        with pytest.raises(InputError, match="fit"):
            PredictorSet(table.space, table.objectives, [RIDGE, RIDGE, None]).save(tmp_path)
        assert list(tmp_path.iterdir()) == []
