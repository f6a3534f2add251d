"""Objectives of the function alone: predictors see the canonical form, and tuning and early choice do too."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import ADRSTuner, ArchitectureTable, Gene, GridSpace, Objective, PredictorSet, PredictorSpec
from rapid_moo.predictors.predictor_set import features_of
from rapid_moo.problems import get_space
from rapid_moo.testing import ConformanceError, check_space
from rapid_moo.tuning import early_specs

GOALS = (Objective("accuracy", "max"), Objective("latency", "min"))


class Dead(GridSpace):
    """The last gene changes nothing that is computed, but takes time."""

    of_function = ("accuracy",)

    def _canonical(self, X):
        X = X.copy()
        X[:, -1] = 0
        return X


SPACE = Dead("dead", [Gene(f"g{k}", (0, 1, 2, 3)) for k in range(4)], GOALS)
X = SPACE.enumerate()
RAW = np.column_stack([80.0 + X[:, :3] @ (1.0, 2.0, -1.0), 1.0 + X @ (1.0, 1.0, 1.0, 2.0)])


def sample(n: int = 60) -> ArchitectureTable:
    rows = np.random.default_rng(0).permutation(len(X))[:n]
    noise = np.random.default_rng(1).normal(0.0, 0.5, n)
    return ArchitectureTable.build(SPACE, GOALS, X[rows], RAW[rows] + np.column_stack([noise, 0 * noise]))


def mates() -> tuple[np.ndarray, np.ndarray]:
    """Architectures that compute the same, row by row."""
    one = X[X[:, -1] == 0]
    other = one.copy()
    other[:, -1] = 3
    return one, other


@pytest.mark.parametrize("kind", ["engineered", "one_hot", "all"])
def test_predictors_cannot_tell_architectures_of_one_function_apart(kind):
    predictors = PredictorSet(SPACE, GOALS, [PredictorSpec(features=kind)] * 2).fit(sample())
    one, other = map(predictors.predict, mates())
    np.testing.assert_array_equal(one[:, 0], other[:, 0])
    assert (other[:, 1] > one[:, 1] + 1.0).all()


def test_what_is_chosen_sees_the_same():
    table = sample()
    for specs in (early_specs(table), ADRSTuner(budget=2).tune(table).best.specs):
        predictors = PredictorSet(SPACE, GOALS, specs).fit(table)
        one, other = map(predictors.predict, mates())
        np.testing.assert_allclose(one[:, 0], other[:, 0], rtol=1e-9)


def test_features_are_those_of_the_canonical_form_for_its_objectives_alone():
    whole, seen = SPACE.features(X, "one_hot"), SPACE.features(X, "one_hot", "accuracy")
    assert len(np.unique(whole, axis=0)) == len(X)
    assert len(np.unique(seen, axis=0)) == len(X) // 4
    np.testing.assert_array_equal(SPACE.features(X, "one_hot", "latency"), whole)
    accuracy, latency = features_of(SPACE, X, GOALS, ["one_hot"])
    np.testing.assert_array_equal(accuracy["one_hot"], seen)
    np.testing.assert_array_equal(latency["one_hot"], whole)


def test_a_name_that_no_objective_has_is_told():
    class Wrong(Dead):
        of_function = ("acuracy",)

    check_space(SPACE)
    with pytest.raises(ConformanceError, match=r"of_function: expected some of its objectives .*'acuracy'"):
        check_space(Wrong("dead", SPACE.genes, GOALS))


def test_accuracy_of_nasbench201_is_of_the_function():
    space = get_space("nasbench201")
    cells = space.sample(300, 0)
    np.testing.assert_array_equal(
        space.features(cells, "all", "accuracy"), space.features(space.canonical(cells), "all")
    )
    assert (space.features(cells, "all", "latency") != space.features(space.canonical(cells), "all")).any()
