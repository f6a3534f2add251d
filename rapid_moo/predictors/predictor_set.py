"""A predictor for each objective (three of them: a triplet), from genotypes to raw objective values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, Seed, as_generator, one_blas_thread, write_text
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective, signs
from rapid_moo.predictors.predictor import Predictor, PredictorSpec
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

FILE = "predictors.json"
_CHUNK = 50_000


class PredictorSet:
    """Two to four predictors that turn genotypes into objectives.

    Parameters
    ----------
    space : SearchSpace
        Gives the features, and the exact values of computed objectives.
    objectives : sequence of Objective
        What is predicted.
    specs : sequence of PredictorSpec or None
        One per objective; None for one that the space computes.
    seed : int
        Seed of every predictor.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        specs: Sequence[PredictorSpec | None],
        seed: int = 0,
    ) -> None:
        if len(specs) != len(objectives):
            raise InputError(f"predictors: expected {len(objectives)} specs, one per objective, got {len(specs)}")
        computed = {objective.name for objective in space.computed}
        for objective, spec in zip(objectives, specs, strict=True):
            if spec is None and objective.name not in computed:
                raise InputError(f"predictors: {objective.name!r} is not computed by {space.name}: it needs a spec")
        self.space, self.objectives = space, tuple(objectives)
        self.specs: tuple[PredictorSpec | None, ...] = tuple(specs)
        self.seed = seed

    @property
    def families(self) -> tuple[str, ...]:
        """Family of each objective's predictor; "exact" for a computed one."""
        return tuple(spec.family if spec is not None else "exact" for spec in self.specs)

    @one_blas_thread
    def fit(self, table: ArchitectureTable, warm_start: bool = False) -> PredictorSet:
        """Fit every predictor on a table of the same objectives; returns self.

        With ``warm_start`` Gaussian processes start from where the last fit ended: cheap on a table that has grown.
        """
        if tuple(o.name for o in table.objectives) != tuple(o.name for o in self.objectives):
            raise InputError(
                f"predictors: expected a table of {[o.name for o in self.objectives]},"
                f" got {[o.name for o in table.objectives]}"
            )
        self._warm = warm_start and hasattr(self, "predictors_")
        if not self._warm:
            self.predictors_: list[Predictor | None] = [
                spec.make(self.seed) if spec is not None else None for spec in self.specs
            ]
        features = self._features(table.X)
        for k, (spec, predictor) in enumerate(zip(self.specs, self.predictors_, strict=True)):
            if spec is not None and predictor is not None:
                predictor.set_params(warm_start=warm_start).fit(features[spec.features], table.raw[:, k])
        self.sample_ = table
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Raw predictions of shape (n, n_objectives), and standard deviations if asked for; exact ones have 0."""
        if not hasattr(self, "predictors_"):
            raise InputError("predictors: expected fit() before predict()")
        genotypes = self.space.check(X)
        mean = np.empty((len(genotypes), len(self.objectives)))
        std = np.zeros_like(mean)
        for start in range(0, len(genotypes), _CHUNK):
            block = slice(start, start + _CHUNK)
            features = self._features(genotypes[block])
            for k, (spec, predictor) in enumerate(zip(self.specs, self.predictors_, strict=True)):
                if spec is None or predictor is None:
                    mean[block, k] = self.space.compute(genotypes[block], self.objectives[k].name)
                elif return_std:
                    mean[block, k], std[block, k] = predictor.predict(features[spec.features], return_std=True)
                else:
                    mean[block, k] = predictor.predict(features[spec.features])
        return (mean, std) if return_std else mean

    def sample_y(self, X: ArrayLike, n_samples: int = 1, seed: Seed = 0) -> FloatArray:
        """Draws of raw objectives from the predictive distribution, shape (n_samples, n, n_objectives)."""
        genotypes, rng = self.space.check(X), as_generator(seed)
        features = self._features(genotypes)
        draws = np.empty((n_samples, len(genotypes), len(self.objectives)))
        for k, (spec, predictor) in enumerate(zip(self.specs, self.predictors_, strict=True)):
            if spec is None or predictor is None:
                draws[:, :, k] = self.space.compute(genotypes, self.objectives[k].name)
            else:
                draws[:, :, k] = predictor.sample_y(features[spec.features], n_samples, rng).T
        return draws

    def predict_minimised(self, X: ArrayLike) -> FloatArray:
        """Predictions of shape (n, n_objectives) to be minimised."""
        return np.asarray(self.predict(X) * signs(self.objectives))

    def _features(self, X: ArrayLike) -> dict[str, FloatArray]:
        kinds = {spec.features for spec in self.specs if spec is not None}
        return {kind: self.space.features(X, kind) for kind in sorted(kinds)}

    # ------------------------------------------------------------ persistence
    def save(self, folder: Path | str) -> None:
        """Write ``predictors.json``: specs, seed and the sample they were fitted on.

        Nothing is pickled and no library's private state is stored: :meth:`load` fits again, which is deterministic
        and works across versions of the libraries. After a warm start the predictors are fitted anew first, so that
        the loaded ones predict the same.
        """
        if not hasattr(self, "sample_"):
            raise InputError("predictors: expected fit() before save()")
        if self._warm:
            self.fit(self.sample_)
        content = {
            "space": self.space.name,
            "seed": self.seed,
            "objectives": [
                {"name": o.name, "direction": o.direction, "unit": o.unit, "column": o.column} for o in self.objectives
            ],
            "specs": [spec.to_dict() if spec is not None else None for spec in self.specs],
            "X": self.sample_.X.tolist(),
            "raw": self.sample_.raw.tolist(),
        }
        write_text(Path(folder) / FILE, json.dumps(content) + "\n")

    @classmethod
    def load(cls, folder: Path | str, space: SearchSpace) -> PredictorSet:
        """Fit again what :meth:`save` wrote; predictions are the same.

        Raises
        ------
        DataNotFoundError
            If the folder holds none.
        InputError
            If the file cannot be understood or is of another space.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            raise DataNotFoundError(f"{path}: expected saved predictors, found nothing")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            objectives = tuple(Objective(**item) for item in content["objectives"])
            specs = [PredictorSpec.from_dict(item) if item is not None else None for item in content["specs"]]
            name, seed, X, raw = content["space"], int(content["seed"]), content["X"], content["raw"]
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: expected saved predictors, got: {error}") from error
        if name != space.name:
            raise InputError(f"{path}: expected predictors of {space.name!r}, got those of {name!r}")
        table = ArchitectureTable.build(space, objectives, X, raw, name=path.stem)
        return cls(space, objectives, specs, seed).fit(table)
