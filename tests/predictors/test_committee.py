"""Committees: means of several predictors, in sets, in files, and from the tuner."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import ndtri

from rapid_moo import ADRSTuner, PredictorSet, PredictorSpec, get_problem
from rapid_moo.errors import InputError
from rapid_moo.predictors import Committee, committee_of, members_of, spec_from_dict
from rapid_moo.predictors.spread import LEVELS
from rapid_moo.report import to_text
from rapid_moo.search import Search, SearchSettings
from rapid_moo.tuning import TRIPLET_FILE, load_triplet

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})
FOREST = PredictorSpec("random_forest", {"n_estimators": 20}, "one_hot", "none")
PROCESS = PredictorSpec("gaussian_process", {}, "all")
MIXED = Committee((PROCESS, FOREST), (0.75, 0.25))


@pytest.fixture(scope="module")
def table():
    return get_problem("digits").table


@pytest.fixture(scope="module")
def sample(table):
    return table.sample(80, 0)


@pytest.fixture(scope="module")
def result(sample):
    return ADRSTuner(8, seed=0).tune(sample)


def fitted(sample, spec):
    return PredictorSet(sample.space, sample.objectives, [spec, RIDGE, None], seed=1).fit(sample)


class TestCommittee:
    def test_counts_repeated_predictors(self):
        found = committee_of([RIDGE, FOREST, RIDGE, RIDGE])
        assert found == Committee((RIDGE, FOREST), (0.75, 0.25))
        assert found.family == "bayesian_ridge+random_forest"
        assert committee_of([FOREST, RIDGE, RIDGE]).family == "bayesian_ridge+random_forest"
        assert members_of(found) == ((RIDGE, 0.75), (FOREST, 0.25))

    def test_one_predictor_is_no_committee(self):
        assert committee_of([RIDGE, PredictorSpec("bayesian_ridge", {"quadratic": True})]) == RIDGE
        assert members_of(RIDGE) == ((RIDGE, 1.0),)

    @pytest.mark.parametrize("spec", [MIXED, RIDGE])
    def test_json(self, spec):
        assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec

    @pytest.mark.parametrize(
        ("members", "shares"),
        [((RIDGE,), (1.0,)), ((RIDGE, RIDGE), (0.5, 0.5)), ((RIDGE, FOREST), (0.5,)), ((RIDGE, FOREST), (1.5, -0.5))],
    )
    def test_refuses(self, members, shares):
        with pytest.raises(InputError, match="committee: expected"):
            Committee(members, shares)

    def test_refuses_unknown_keys(self):
        with pytest.raises(InputError, match="expected keys"):
            spec_from_dict({**MIXED.to_dict(), "median": True})
        with pytest.raises(InputError, match="expected keys"):
            spec_from_dict({"family": "x", "members": [{**RIDGE.to_dict(), "share": 1.0, "weight": 2.0}]})


class TestPredictions:
    def test_are_the_weighted_mean(self, sample, table):
        means, stds = zip(
            *(fitted(sample, spec).predict(table.X, return_std=True) for spec in (PROCESS, FOREST, MIXED)), strict=True
        )
        assert means[2][:, 0] == pytest.approx(0.75 * means[0][:, 0] + 0.25 * means[1][:, 0])
        assert (means[2][:, 1:] == means[0][:, 1:]).all()
        root = np.sqrt(0.75 * stds[0][:, 0] ** 2 + 0.25 * stds[1][:, 0] ** 2)
        scale = stds[2][:, 0] / root
        assert scale == pytest.approx(scale[0])
        assert 0.3 < scale[0] < 1.3

    def test_intervals_hold_what_they_say(self, table):
        # Near and far guesses: the spread of their mean is neither's, nor the root of the mean of their variances.
        half = Committee((RIDGE, PredictorSpec("mean")), (0.5, 0.5))
        held = np.empty((5, 2, len(LEVELS)))
        for seed in range(5):
            sample = table.sample(80, seed)
            for i, spec in enumerate((half, MIXED)):
                mean, std = fitted(sample, spec).predict(table.X, return_std=True)
                away = np.abs(table.raw - mean)[:, 0] / std[:, 0]
                held[seed, i] = [(away <= ndtri(0.5 + level / 2.0)).mean() for level in LEVELS]
        assert np.abs(held.mean(axis=0) - LEVELS).max() < 0.08

    def test_draws_have_that_mean_and_spread(self, sample, table):
        predictors = fitted(sample, MIXED)
        mean, std = predictors.predict(table.X[:30], return_std=True)
        draws = predictors.draw(table.X[:30], 4000, seed=0)[:, :, 0]
        assert np.abs(draws.mean(axis=0) - mean[:, 0]).max() < 0.1 * std[:, 0].max()
        assert draws.std(axis=0) == pytest.approx(std[:, 0], rel=0.15)

    def test_are_the_same_after_saving(self, sample, table, tmp_path):
        predictors = fitted(sample, MIXED)
        predictors.save(tmp_path)
        loaded = PredictorSet.load(tmp_path, table.space)
        assert loaded.specs == predictors.specs
        assert (loaded.predict(table.X[:50]) == predictors.predict(table.X[:50])).all()


class TestTuner:
    def test_averages_what_it_cannot_tell_apart(self, result):
        alone = result.ranking.iloc[1:]
        for k in range(2):
            labels = [t.specs[k].label for t, tied in zip(result.triplets[1:], alone["tied"], strict=True) if tied]
            assert {m.label: share for m, share in members_of(result.best.specs[k])} == pytest.approx(
                {label: labels.count(label) / len(labels) for label in labels}
            )
        assert result.best.specs[2] is None

    def test_alone_is_the_first_of_the_others(self, result, sample):
        soundest = ADRSTuner(8, seed=0, committee=False).tune(sample)
        assert soundest.best.specs == result.triplets[1].specs
        assert len(soundest.triplets) == len(result.triplets) - 1

    def test_is_kept_in_files(self, result, tmp_path):
        result.save(tmp_path)
        assert load_triplet(tmp_path).specs == result.best.specs
        content = json.loads((tmp_path / TRIPLET_FILE).read_text())
        content["specs"][0]["members"] = content["specs"][0]["members"][:1]
        (tmp_path / TRIPLET_FILE).write_text(json.dumps(content))
        with pytest.raises(InputError, match="expected two or more different predictors"):
            load_triplet(tmp_path)

    def test_a_search_names_the_members(self, table):
        result = Search(table, SearchSettings(train_ratio=0.02, oneshot=True)).run()
        text = to_text(result.report())
        for objective, spec in zip(result.objectives, result.predictors.specs, strict=True):
            if isinstance(spec, Committee):
                assert f"{objective.name}: mean of {len(spec.members)} predictors" in text
                assert spec.family in text
        assert any(isinstance(spec, Committee) for spec in result.predictors.specs)
