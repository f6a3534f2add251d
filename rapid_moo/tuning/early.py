"""Which predictors serve before there are rows enough to tune on: a choice among a few Gaussian processes.

A few dozen rows do not tell many configurations apart, and the luckiest of many is not the best. These four differ in
what matters most then: which features are seen, and whether each gets a length scale of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.predictors import GaussianProcess, PredictorSpec
from rapid_moo.predictors.predictor import assign_folds
from rapid_moo.table import ArchitectureTable

CANDIDATES = tuple(
    PredictorSpec("gaussian_process", {"ard": ard}, features)
    for features in ("engineered", "all")
    for ard in (True, False)
)
FEWEST, ITERATIONS = 4, 25


def early_specs(sample: ArchitectureTable, seed: int = 0) -> list[PredictorSpec]:
    """For each objective the process under which unseen rows of the sample are likeliest.

    Parameters
    ----------
    sample : ArchitectureTable
        Measured architectures, a few dozen; of fewer than four the first candidate is taken.
    seed : int
        Seed of the folds.

    Returns
    -------
    list of PredictorSpec
        One per objective, computed ones included (see :func:`~rapid_moo.tuning.adapt`).
    """
    if len(sample) < FEWEST:
        return [CANDIDATES[0]] * len(sample.objectives)
    folds = assign_folds(len(sample), seed)
    features = {kind: sample.space.features(sample.X, kind) for kind in {spec.features for spec in CANDIDATES}}
    computed = {objective.name for objective in sample.space.computed}
    return [
        CANDIDATES[0] if objective.name in computed else _likeliest(CANDIDATES, features, y, folds)
        for objective, y in zip(sample.objectives, sample.raw.T, strict=True)
    ]


def _likeliest(
    specs: Sequence[PredictorSpec], features: dict[str, FloatArray], y: FloatArray, folds: IntArray
) -> PredictorSpec:
    def surprise(spec: PredictorSpec) -> float:
        process = GaussianProcess(**spec.params, max_iter=ITERATIONS)
        mean, std, _ = process.cross_predict(features[spec.features], y, folds)
        return float(np.mean(0.5 * ((y - mean) / std) ** 2 + np.log(std)))

    return min(specs, key=surprise)
