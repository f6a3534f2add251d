"""A predictor for each objective (three of them: a triplet), from genotypes to raw objective values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, IntArray, Seed, as_generator, one_blas_thread, write_text
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective, signs
from rapid_moo.predictors.committee import Spec, members_of, spec_from_dict
from rapid_moo.predictors.predictor import Predictor, PredictorSpec
from rapid_moo.predictors.spread import TINY, conformal_scale
from rapid_moo.reading import build_table, read_table
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

FILE = "predictors.json"
_CHUNK = 50_000


@dataclass(frozen=True, eq=False)
class Pooled:
    """What is known from elsewhere of an objective of architectures that were not measured.

    Attributes
    ----------
    X : ndarray of shape (n, n_var)
        Genotypes.
    values : ndarray of shape (n,)
        Raw, in the unit of the objective.
    std : ndarray of shape (n,)
        How uncertain each is beside the noise of a measurement, in the same unit.
    """

    X: IntArray
    values: FloatArray
    std: FloatArray


class Elsewhere(Protocol):
    """What is known of an objective from elsewhere."""

    def __call__(self, name: str, X: ArrayLike, logarithmic: bool = False) -> FloatArray:
        """As columns of shape (n, n_columns)."""

    def pooled(self, name: str, X: IntArray, y: FloatArray) -> Pooled | None:
        """As values beside measured ones of shape (n,); None where there are none."""


def families_of(specs: Sequence[Spec | None]) -> tuple[str, ...]:
    """Family of each objective's predictor; "exact" for a computed one."""
    return tuple(spec.family if spec is not None else "exact" for spec in specs)


def features_of(
    space: SearchSpace, X: ArrayLike, objectives: Sequence[Objective], kinds: Iterable[str]
) -> list[dict[str, FloatArray]]:
    """Features of each kind that the predictors of each objective see; objectives that see the same share them."""
    by_function = [objective.name in space.of_function for objective in objectives]
    seen = {
        flag: {kind: space.features(X, kind, objectives[by_function.index(flag)].name) for kind in sorted(set(kinds))}
        for flag in set(by_function)
    }
    return [seen[flag] for flag in by_function]


def joined(
    spec: PredictorSpec, features: Mapping[str, FloatArray], name: str, X: ArrayLike, priors: Elsewhere | None
) -> FloatArray:
    """What a predictor sees: features of its kind, and behind them the columns that are known from elsewhere."""
    if not spec.prior or priors is None:
        return features[spec.features]
    return np.hstack([features[spec.features], priors(name, X, spec.transform == "log")])


@dataclass(frozen=True, eq=False)
class _Member:
    """A predictor, the inputs that it sees, and how much it counts."""

    predictor: Predictor
    features: str
    share: float


class _Ensemble:
    """The predictors of one objective: one, or a committee whose spread is scaled by what its members' mean missed."""

    def __init__(self, spec: Spec, seed: int) -> None:
        self.X: IntArray = np.empty((0, 0), dtype=np.int64)
        self.members = [_Member(m.make(seed), m.inputs, share) for m, share in members_of(spec)]

    def fit(
        self,
        features: Mapping[str, FloatArray],
        y: FloatArray,
        warm_start: bool,
        noise: FloatArray | None = None,
        told: tuple[Mapping[str, FloatArray], FloatArray, FloatArray] | None = None,
    ) -> None:
        """Fit its members; ``told`` are features, values and standard deviations that are known from elsewhere."""
        for member in self.members:
            predictor = member.predictor.set_params(warm_start=warm_start)
            own = features[member.features]
            if told is None:
                predictor.fit(own, y, noise)
            else:
                predictor.fit(own, y, noise, (told[0][member.features], *told[1:]))
        self._y = y
        self.scale = self._calibrated(y) if len(self.members) > 1 else 1.0

    def warm_state(self) -> list[Any]:
        """Of each member, see :meth:`Predictor.warm_state`."""
        return [member.predictor.warm_state() for member in self.members]

    def set_warm_state(self, state: Sequence[Any]) -> None:
        """Inverse of :meth:`warm_state`."""
        for member, fitted in zip(self.members, state, strict=True):
            member.predictor.set_warm_state(fitted)

    def _calibrated(self, y: FloatArray) -> float:
        """Conformal scale of the committee, from the rows that none of its members had seen."""
        rows, mean, std = self._held_out()
        least = TINY * (float(np.ptp(y)) or 1.0)
        return conformal_scale((y[rows] - mean) / np.maximum(std, least)) if len(rows) else 1.0

    def _held_out(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Training rows that no member had seen, what is said of them, and its spread before it is scaled."""
        held_out = [m.predictor.held_out_ for m in self.members]
        rows = reduce(np.intersect1d, [h.rows for h in held_out])
        rows = rows[rows < len(self._y)]  # behind them is what is known from elsewhere
        # Rows need not be sorted in a member.
        places = [np.argsort(h.rows)[np.searchsorted(np.sort(h.rows), rows)] for h in held_out]
        mean, std = self._combined([(h.mean[at], h.std[at]) for h, at in zip(held_out, places, strict=True)])
        return rows, mean, std

    def held_out(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Measured values of training rows, predictions by members that had not seen them, and their spread."""
        rows, mean, std = self.held_out_rows()
        return self._y[rows], mean, std

    def held_out_rows(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Training rows that no member had seen, with predictions and spread."""
        rows, mean, std = self._held_out()
        return rows, mean, std * self.scale

    def mean(self, features: Mapping[str, FloatArray]) -> FloatArray:
        """Weighted mean of the predictions, shape (n,)."""
        if len(self.members) == 1:
            return np.asarray(self.members[0].predictor.predict(features[self.members[0].features]))
        return np.asarray(sum(m.share * m.predictor.predict(features[m.features]) for m in self.members))

    def mean_and_std(self, features: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Weighted mean of the predictions, and its spread."""
        found = [m.predictor.predict(features[m.features], return_std=True) for m in self.members]
        if len(self.members) == 1:
            return np.asarray(found[0][0]), np.asarray(found[0][1])
        mean, std = self._combined(found)
        return mean, self.scale * std

    def _combined(self, found: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        mean = sum(m.share * mean for m, (mean, _) in zip(self.members, found, strict=True))
        variance = sum(m.share * std**2 for m, (_, std) in zip(self.members, found, strict=True))
        return np.asarray(mean), np.sqrt(np.asarray(variance))

    def draws(self, features: Mapping[str, FloatArray], n_samples: int, rng: np.random.Generator) -> FloatArray:
        """Draws of shape (n_samples, n)."""
        if len(self.members) == 1:
            return self.members[0].predictor.sample_y(features[self.members[0].features], n_samples, rng).T
        chosen = rng.choice(len(self.members), n_samples, p=[m.share for m in self.members])
        mean = self.mean(features)
        draws = np.empty((n_samples, len(mean)))
        for i, member in enumerate(self.members):
            rows = np.flatnonzero(chosen == i)
            if len(rows):
                inputs = features[member.features]
                errors = member.predictor.sample_y(inputs, len(rows), rng).T - member.predictor.predict(inputs)
                draws[rows] = mean + self.scale * errors
        return draws


class PredictorSet:
    """Two to four predictors that turn genotypes into objectives.

    Parameters
    ----------
    space : SearchSpace
        Gives the features, and the exact values of computed objectives.
    objectives : sequence of Objective
        What is predicted.
    specs : sequence of PredictorSpec, Committee or None
        One per objective; None for one that the space computes.
    seed : int
        Seed of every predictor.
    priors : Priors, optional
        Gives the columns of specs with a prior, and those without uncertain values to learn from; see
        :class:`rapid_moo.priors.Priors`.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        specs: Sequence[Spec | None],
        seed: int = 0,
        priors: Elsewhere | None = None,
    ) -> None:
        if len(specs) != len(objectives):
            raise InputError(f"predictors: expected {len(objectives)} specs, one per objective, got {len(specs)}")
        computed = {objective.name for objective in space.computed}
        for objective, spec in zip(objectives, specs, strict=True):
            if spec is None and objective.name not in computed:
                raise InputError(f"predictors: {objective.name!r} is not computed by {space.name}: it needs a spec")
        self.space, self.objectives = space, tuple(objectives)
        self.specs: tuple[Spec | None, ...] = tuple(specs)
        self.seed = seed
        self.priors = priors
        if priors is None and any(member.prior for spec in specs if spec is not None for member, _ in members_of(spec)):
            raise InputError("predictors: expected the priors that a spec is to see, got none")

    @property
    def families(self) -> tuple[str, ...]:
        """Family of each objective's predictor; "exact" for a computed one."""
        return families_of(self.specs)

    @one_blas_thread
    def fit(
        self,
        table: ArchitectureTable | pd.DataFrame,
        warm_start: bool = False,
        partial: tuple[IntArray, FloatArray] | None = None,
        noise: FloatArray | None = None,
    ) -> PredictorSet:
        """Fit every predictor on a table of the same objectives; returns self.

        Parameters
        ----------
        table : ArchitectureTable or DataFrame
            Architectures of which every objective is known; a data frame has a column for each gene and objective, as
            :meth:`ArchitectureTable.to_frame` gives it.
        warm_start : bool
            Whether Gaussian processes start from where the last fit ended: cheap on a table that has grown.
        partial : tuple of ndarray, optional
            Further genotypes of shape (n, n_var) and raw values of shape (n, n_objectives), NaN where unknown: each
            predictor learns from what is known of its objective.
        noise : ndarray of shape (n, n_objectives), optional
            Standard deviations of what the values of the table, and then of ``partial``, are known to be uncertain by;
            0 where they were measured.
        """
        if isinstance(table, pd.DataFrame):
            read = read_table(table, None, self.space, [objective.column for objective in self.objectives])
            table = build_table(read, self.space, self.objectives)
        if tuple(o.name for o in table.objectives) != tuple(o.name for o in self.objectives):
            raise InputError(
                f"predictors: expected a table of {[o.name for o in self.objectives]},"
                f" got {[o.name for o in table.objectives]}"
            )
        self._warm = warm_start and hasattr(self, "predictors_")
        if not self._warm:
            self.predictors_ = [None if spec is None else _Ensemble(spec, self.seed) for spec in self.specs]
        more = partial if partial is not None and np.isfinite(partial[1]).any() else None
        everyone = table.X if more is None else np.vstack([table.X, more[0]])
        inputs = self._inputs(everyone)
        raw = table.raw if more is None else np.vstack([table.raw, more[1]])
        self.told_ = [0] * len(self.objectives)
        for k, (y, ensemble, features) in enumerate(zip(raw.T, self.predictors_, inputs, strict=True)):
            if ensemble is not None:
                known = np.isfinite(y)
                own = noise[: len(y), k][known] if noise is not None and noise[: len(y), k].any() else None
                seen = features if known.all() else {kind: values[known] for kind, values in features.items()}
                told = self._told(k, ensemble, everyone[known], y[known])
                ensemble.fit(seen, y[known], warm_start, own, told)
                self.told_[k] = 0 if told is None else len(told[1])
                ensemble.X = everyone[known]
        self.sample_, self._partial = table, more
        return self

    def _told(
        self, k: int, ensemble: _Ensemble, X: IntArray, y: FloatArray
    ) -> tuple[dict[str, FloatArray], FloatArray, FloatArray] | None:
        """Features, values and standard deviations that priors tell of an objective beside its measurements."""
        predictors = [member.predictor for member in ensemble.members]
        if self.priors is None or any(p.n_prior for p in predictors) or not any(p.weighs_rows for p in predictors):
            return None
        told = self.priors.pooled(self.objectives[k].name, X, y)
        return None if told is None else (self._inputs(told.X)[k], told.values, told.std)

    def held_out(self) -> list[tuple[FloatArray, FloatArray, FloatArray] | None]:
        """How honest the spreads are, by objective: None for one that is computed.

        Each is a tuple of raw measured values of training rows, what predictors that had not seen them say, and the
        standard deviation that they state; all of shape (n,).
        """
        return [None if ensemble is None else ensemble.held_out() for ensemble in self.predictors_]

    def warm_state(self) -> dict[str, Any]:
        """What a warm start of another process needs, in JSON's types; see :meth:`warm`."""
        fitted = [None if ensemble is None else ensemble.warm_state() for ensemble in self.predictors_]
        specs = [spec.to_dict() if spec is not None else None for spec in self.specs]
        return {"specs": specs, "seed": self.seed, "fitted": fitted}

    @classmethod
    def warm(
        cls,
        space: SearchSpace,
        objectives: Sequence[Objective],
        state: Mapping[str, Any],
        priors: Elsewhere | None = None,
    ) -> PredictorSet:
        """Predictors whose next fit with ``warm_start`` goes on from a :meth:`warm_state`; not fitted yet."""
        specs = [spec_from_dict(item) if item is not None else None for item in state["specs"]]
        found = cls(space, objectives, specs, int(state["seed"]), priors)
        found.predictors_ = [None if spec is None else _Ensemble(spec, found.seed) for spec in found.specs]
        for ensemble, fitted in zip(found.predictors_, state["fitted"], strict=True):
            if ensemble is not None:
                ensemble.set_warm_state(fitted)
        return found

    def successor(self) -> PredictorSet:
        """Predictors whose next fit with ``warm_start`` goes on from these, which stay as they are; not fitted yet."""
        other = PredictorSet(self.space, self.objectives, self.specs, self.seed, self.priors)
        other.predictors_ = [None if spec is None else _Ensemble(spec, self.seed) for spec in self.specs]
        for mine, its in zip(self.predictors_, other.predictors_, strict=True):
            if mine is not None and its is not None:
                its.set_warm_state(mine.warm_state())
        return other

    @property
    def kinds(self) -> frozenset[str]:
        """The sets of features that the predictors see."""
        members = [member for spec in self.specs if spec is not None for member, _ in members_of(spec)]
        return frozenset(member.features for member in members)

    def predict(
        self, X: ArrayLike, return_std: bool = False, features: Sequence[Mapping[str, FloatArray]] | None = None
    ) -> Any:
        """Raw predictions of shape (n, n_objectives), and standard deviations if asked for; exact ones have 0.

        Parameters
        ----------
        X : array-like of shape (n, n_var)
            Genotypes.
        return_std : bool
            Whether to give standard deviations as well.
        features : sequence of mapping of str to ndarray, optional
            Where they are at hand, the genotypes' features for each objective and of each of :attr:`kinds`.
        """
        if not hasattr(self, "predictors_"):
            raise InputError("predictors: expected fit() before predict()")
        genotypes = self.space.check(X)
        mean = np.empty((len(genotypes), len(self.objectives)))
        std = np.zeros_like(mean)
        for start in range(0, len(genotypes), _CHUNK):
            block = slice(start, start + _CHUNK)
            known = None if features is None else [{kind: own[kind][block] for kind in own} for own in features]
            inputs = self._inputs(genotypes[block], known)
            for k, ensemble in enumerate(self.predictors_):
                if ensemble is None:
                    mean[block, k] = self.space.compute(genotypes[block], self.objectives[k].name)
                elif return_std:
                    mean[block, k], std[block, k] = ensemble.mean_and_std(inputs[k])
                else:
                    mean[block, k] = ensemble.mean(inputs[k])
        return (mean, std) if return_std else mean

    def predict_unseen(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """As :meth:`predict`, but of a training row what is said by predictors that had not seen it.

        Returns
        -------
        mean, std : ndarray of shape (n, n_objectives)
        """
        genotypes = self.space.repair(X)
        mean, std = self.predict(genotypes, return_std=True)
        keys = self.space.keys(genotypes)
        for k, ensemble in enumerate(self.predictors_):
            if ensemble is not None:
                rows, held_mean, held_std = ensemble.held_out_rows()
                position = {key: i for i, key in enumerate(self.space.keys(ensemble.X[rows]))}
                for i, key in enumerate(keys):
                    if (at := position.get(key)) is not None:
                        mean[i, k], std[i, k] = held_mean[at], held_std[at]
        return mean, std

    def draw(self, X: ArrayLike, n_draws: int = 1, seed: Seed = 0) -> FloatArray:
        """Possible raw objectives from the predictive distribution, shape (n_draws, n, n_objectives).

        A committee's draws are its mean and errors that one of its members, drawn by its share, could have made.
        """
        genotypes, rng = self.space.check(X), as_generator(seed)
        inputs = self._inputs(genotypes)
        draws = np.empty((n_draws, len(genotypes), len(self.objectives)))
        for k, ensemble in enumerate(self.predictors_):
            if ensemble is not None:
                draws[:, :, k] = ensemble.draws(inputs[k], n_draws, rng)
            else:
                draws[:, :, k] = self.space.compute(genotypes, self.objectives[k].name)
        return draws

    def predict_minimised(self, X: ArrayLike) -> FloatArray:
        """Predictions of shape (n, n_objectives) to be minimised."""
        return np.asarray(self.predict(X) * signs(self.objectives))

    def _inputs(
        self, X: ArrayLike, features: Sequence[Mapping[str, FloatArray]] | None = None
    ) -> list[dict[str, FloatArray]]:
        """What the predictors of each objective see, by the names of their inputs."""
        if features is None:
            features = features_of(self.space, X, self.objectives, self.kinds)
        return [
            {m.inputs: joined(m, own, objective.name, X, self.priors) for m, _ in (members_of(spec) if spec else [])}
            for objective, own, spec in zip(self.objectives, features, self.specs, strict=True)
        ]

    # ------------------------------------------------------------ persistence
    def save(self, folder: Path | str) -> None:
        """Write ``predictors.json``: specs, seed and the sample they were fitted on.

        Nothing is pickled and no library's private state is stored: :meth:`load` fits again, which is deterministic
        and works across versions of the libraries. After a warm start the predictors are fitted anew first, so that
        the loaded ones predict the same.
        """
        if not hasattr(self, "sample_"):
            raise InputError("predictors: expected fit() before save()")
        if self.priors is not None:
            raise InputError("predictors: expected predictors without priors, which a file does not hold")
        if self._warm or self._partial is not None:
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
            specs = [spec_from_dict(item) if item is not None else None for item in content["specs"]]
            name, seed, X, raw = content["space"], int(content["seed"]), content["X"], content["raw"]
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: expected saved predictors, got: {error}") from error
        if name != space.name:
            raise InputError(f"{path}: expected predictors of {space.name!r}, got those of {name!r}")
        table = ArchitectureTable.build(space, objectives, X, raw, name=path.stem)
        return cls(space, objectives, specs, seed).fit(table)
