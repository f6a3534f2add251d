"""Which predictors serve before there are rows enough to tune on: a choice among a few Gaussian processes.

A few dozen rows do not tell many configurations apart, and the luckiest of many is not the best. These four differ in
what matters most then: which features are seen, and whether each gets a length scale of its own.
"""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.predictors import GaussianProcess, PredictorSpec
from rapid_moo.predictors.predictor import assign_folds
from rapid_moo.predictors.predictor_set import features_of, joined
from rapid_moo.priors import Priors
from rapid_moo.table import ArchitectureTable

CANDIDATES = tuple(
    PredictorSpec("gaussian_process", {"ard": ard}, features)
    for features in ("engineered", "all")
    for ard in (True, False)
)
FEWEST, ITERATIONS = 4, 12


def early_specs(sample: ArchitectureTable, seed: int = 0, priors: Priors | None = None) -> list[PredictorSpec]:
    """For each objective the process under which unseen rows of the sample are likeliest.

    Parameters
    ----------
    sample : ArchitectureTable
        Measured architectures, a few dozen; of fewer than four the first candidate is taken.
    seed : int
        Seed of the folds.
    priors : Priors, optional
        What is known from elsewhere: for an objective of which it tells something the candidates are tried with it
        and without, and of too few rows the first one has it.

    Returns
    -------
    list of PredictorSpec
        One per objective; of computed ones, which need none (see :func:`~rapid_moo.tuning.adapt`), the first one.
    """
    n_columns = [
        priors.columns_beside(objective.name, sample.X, y) if priors is not None else 0
        for objective, y in zip(sample.objectives, sample.raw.T, strict=True)
    ]
    if len(sample) < FEWEST:
        return [CANDIDATES[0].with_prior(n) for n in n_columns]
    folds = assign_folds(len(sample), seed)
    features = features_of(sample.space, sample.X, sample.objectives, [spec.features for spec in CANDIDATES])
    computed = {objective.name for objective in sample.space.computed}
    return [
        CANDIDATES[0] if objective.name in computed else _likeliest(sample, objective.name, n, seen, y, folds, priors)
        for objective, n, seen, y in zip(sample.objectives, n_columns, features, sample.raw.T, strict=True)
    ]


def _likeliest(
    sample: ArchitectureTable,
    name: str,
    n_columns: int,
    features: dict[str, FloatArray],
    y: FloatArray,
    folds: IntArray,
    priors: Priors | None,
) -> PredictorSpec:
    def surprise(spec: PredictorSpec) -> float:
        process = GaussianProcess(**spec.params, max_iter=ITERATIONS, n_prior=spec.prior)
        mean, std, _ = process.cross_predict(joined(spec, features, name, sample.X, priors), y, folds)
        return float(np.mean(0.5 * ((y - mean) / std) ** 2 + np.log(std)))

    informed = [spec.with_prior(n_columns) for spec in CANDIDATES] if n_columns else []
    return min([*informed, *CANDIDATES], key=surprise)
