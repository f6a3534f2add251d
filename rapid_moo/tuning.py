"""The ADRS tuner: Nevergrad outside, ADRS of out-of-fold predictions inside.

For each objective a configuration is a family, its hyper-parameters, a feature set and a target transform. Every
configuration is fitted once per objective (out of fold, or in closed form for a Gaussian process) and remembered; only
triplets multiply, and a triplet costs no fit. The loss of a triplet is the ADRS, at a fixed bill, between the sample's
true front and the architectures that its predictions would pick first (see :func:`pick_loss`).
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import nevergrad as ng
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function

from rapid_moo._util import FloatArray, IntArray, atomic_path, write_text
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.indicators import adrs
from rapid_moo.objectives import Objective
from rapid_moo.pareto import front_points, is_nondominated, pareto_ranks
from rapid_moo.predictors import FAMILIES, PredictorSet, PredictorSpec, out_of_fold, prediction_metrics
from rapid_moo.space import FEATURE_SETS
from rapid_moo.table import ArchitectureTable

OPTIMIZER = "TwoPointsDE"
TRIPLET_FILE = "triplet.json"
RANKING_FILE = "adrs.csv"
Progress = Callable[[int, int, float], None]


def pick_order(predicted: FloatArray) -> IntArray:
    """Rows in the order in which predictions would have them evaluated: by front, then by crowding distance."""
    ranks = pareto_ranks(predicted)
    crowding = np.zeros(len(predicted))
    distance = get_crowding_function("cd")
    for rank in range(int(ranks.max()) + 1):
        rows = np.flatnonzero(ranks == rank)
        crowding[rows] = distance.do(predicted[rows], n_remove=0)
    return np.lexsort((-crowding, ranks)).astype(np.int64)


def pick_loss(true: FloatArray, predicted: FloatArray) -> float:
    """ADRS of the rows that predictions pick first, at a fixed bill.

    RAPID scores the whole predicted front, however long it is; ADRS never rises with more points, so that favours
    triplets that predict long fronts. Here every triplet gets the same bill: the mean ADRS after as many, and after
    twice as many, picks as the true front has points.

    Parameters
    ----------
    true, predicted : ndarray of shape (n, n_objectives)
        Minimised values of the same rows.

    Returns
    -------
    float
        0 if the first picks are the true front.
    """
    front = front_points(true)
    order = pick_order(predicted)
    bills = {min(len(true), max(3, factor * len(front))) for factor in (1, 2)}
    return float(np.mean([adrs(front, true[order[:bill]]) for bill in sorted(bills)]))


@dataclass(frozen=True, eq=False)
class Trial:
    """One configuration of one objective, evaluated out of fold.

    Attributes
    ----------
    spec : PredictorSpec
        The configuration.
    mean : ndarray of shape (n,)
        Out-of-fold predictions, minimised.
    error : float
        One minus Kendall's tau: dominance only compares, so an order is what a predictor must get right.
    seconds : float
        CPU time of the fits.
    """

    spec: PredictorSpec
    mean: FloatArray
    error: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Triplet:
    """Chosen predictors, one per objective; None for an objective that the space computes.

    ``fit(sample)`` gives predictors for any table of a space with as many objectives: that is mix and match.
    """

    specs: tuple[PredictorSpec | None, ...]
    objectives: tuple[Objective, ...]
    adrs: float
    seed: int

    def fit(self, sample: ArchitectureTable) -> PredictorSet:
        """Predictors fitted on a sample, of the tuned table or of another one."""
        return PredictorSet(sample.space, sample.objectives, adapt(self.specs, sample), seed=self.seed).fit(sample)

    @property
    def families(self) -> tuple[str, ...]:
        """Family of each objective's predictor; "exact" for a computed one."""
        return tuple(spec.family if spec is not None else "exact" for spec in self.specs)


def adapt(specs: Sequence[PredictorSpec | None], sample: ArchitectureTable) -> list[PredictorSpec | None]:
    """The specs for another table's objectives, by position.

    An objective that the table's space computes needs no predictor; one that it does not, but for which the triplet
    has none, gets a default Gaussian process.
    """
    computed = {objective.name for objective in sample.space.computed}
    padded = [*specs, *[None] * len(sample.objectives)]
    return [
        None if objective.name in computed else (spec or DEFAULT_SPEC)
        for objective, spec in zip(sample.objectives, padded, strict=False)
    ]


DEFAULT_SPEC = PredictorSpec("gaussian_process", {}, "engineered", "none")


@dataclass(frozen=True, eq=False)
class TunerResult:
    """What the tuner found.

    Attributes
    ----------
    ranking : pandas.DataFrame
        Triplets, best first: RAPID's columns (``adrs``, ``front``, ``<objective>_model``,
        ``<objective>_hyperparams``, ``mse``, ``mape``) and features, transform and Kendall tau of each objective.
    triplets : tuple of Triplet
        The same triplets.
    n_fits : int
        Configurations that were fitted.
    trace : tuple of float
        Best loss after each trial.
    seconds : float
        Wall time.
    settings : dict
        Everything needed to repeat the run.
    """

    ranking: pd.DataFrame
    triplets: tuple[Triplet, ...]
    n_fits: int
    trace: tuple[float, ...]
    seconds: float
    settings: dict[str, Any]

    @property
    def best(self) -> Triplet:
        """The triplet of the lowest loss."""
        return self.triplets[0]

    @property
    def adrs(self) -> float:
        """Out-of-fold ADRS of the best triplet."""
        return self.best.adrs

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the best triplet."""
        return self.best.families

    def save(self, folder: Path | str) -> None:
        """Write ``adrs.csv`` (the ranking) and ``triplet.json`` (the best triplet) into a folder."""
        path = Path(folder)
        with atomic_path(path / RANKING_FILE) as temporary:
            self.ranking.to_csv(temporary, index=False, float_format="%.10g")
        best = {
            "specs": [spec.to_dict() if spec is not None else None for spec in self.best.specs],
            "objectives": [
                {"name": o.name, "direction": o.direction, "unit": o.unit, "column": o.column}
                for o in self.best.objectives
            ],
            "adrs": self.best.adrs,
            "seed": self.best.seed,
            "settings": self.settings,
        }
        write_text(path / TRIPLET_FILE, json.dumps(best, indent=2) + "\n")


def load_triplet(folder: Path | str) -> Triplet:
    """Read the triplet that :meth:`TunerResult.save` wrote.

    Raises
    ------
    DataNotFoundError
        If the folder holds none.
    InputError
        If the file cannot be understood.
    """
    path = Path(folder) / TRIPLET_FILE
    if not path.is_file():
        raise DataNotFoundError(f"{path}: expected the result of 'rapid-moo tune --dir {folder}', found nothing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        specs = tuple(PredictorSpec.from_dict(item) if item is not None else None for item in content["specs"])
        objectives = tuple(Objective(**item) for item in content["objectives"])
        return Triplet(specs, objectives, float(content["adrs"]), int(content["seed"]))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a triplet that 'rapid-moo tune' wrote, got: {error}") from error


@dataclass
class _Bench:
    """Remembers every configuration that was fitted on a sample."""

    sample: ArchitectureTable
    seed: int
    n_jobs: int
    trials: dict[tuple[int, str], Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.F = self.sample.F
        self.features = {kind: self.sample.space.features(self.sample.X, kind) for kind in FEATURE_SETS}
        computed = {objective.name for objective in self.sample.space.computed}
        self.tuned = [k for k, o in enumerate(self.sample.objectives) if o.name not in computed]

    def evaluate(self, wanted: Iterable[tuple[int, PredictorSpec]]) -> None:
        """Fit what has not been fitted yet."""
        todo = {(k, spec.label): spec for k, spec in wanted if (k, spec.label) not in self.trials}
        raw = self.sample.raw
        done = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit)(spec, self.features[spec.features], raw[:, k], self.seed) for (k, _), spec in todo.items()
        )
        for (key, spec), (mean, seconds) in zip(todo.items(), done, strict=True):
            truth = raw[:, key[0]]
            error = 1.0 - prediction_metrics(truth, mean)["kendall_tau"]
            sign = self.sample.objectives[key[0]].sign
            self.trials[key] = Trial(spec, mean * sign, error, seconds)

    def trial(self, k: int, spec: PredictorSpec) -> Trial:
        return self.trials[k, spec.label]

    def predicted(self, specs: Sequence[PredictorSpec | None]) -> FloatArray:
        """Minimised out-of-fold predictions of a triplet; computed objectives are exact."""
        columns = [self.F[:, k] if spec is None else self.trial(k, spec).mean for k, spec in enumerate(specs)]
        return np.column_stack(columns)

    def best(self, k: int, count: int) -> list[PredictorSpec]:
        """Configurations of an objective with the smallest error."""
        trials = [trial for (objective, _), trial in self.trials.items() if objective == k]
        return [trial.spec for trial in sorted(trials, key=lambda t: (t.error, t.spec.label))[:count]]


def _fit(spec: PredictorSpec, features: FloatArray, y: FloatArray, seed: int) -> tuple[FloatArray, float]:
    start = time.process_time()
    mean, _ = out_of_fold(spec, features, y, seed)
    return np.asarray(mean), time.process_time() - start


class ADRSTuner:
    """Choose one predictor per objective by ADRS.

    Parameters
    ----------
    budget : int
        Configurations to fit per objective, the families' default ones included.
    families : sequence of str, optional
        Families to consider; all registered ones by default.
    shortlist : int
        Configurations per objective of which all triplets are ranked in the end.
    max_rows : int
        Tune on at most so many rows of the sample, drawn at random: which configuration is best is seen on a few
        hundred rows, and every fit gets cheaper.
    optimizer : str
        Name of a Nevergrad optimizer.
    seed : int
        Seed of folds, rows and optimizer.
    n_jobs : int
        Fits at the same time (joblib); the result does not depend on it.

    Examples
    --------
    ``ADRSTuner(budget=30, seed=0).tune(sample).best.fit(sample)`` gives a fitted
    :class:`~rapid_moo.predictors.PredictorSet`.
    """

    def __init__(
        self,
        budget: int = 16,
        *,
        families: Sequence[str] | None = None,
        shortlist: int = 5,
        max_rows: int = 400,
        optimizer: str = OPTIMIZER,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        if budget < 1:
            raise InputError(f"tuner budget: expected at least one trial, got {budget}")
        unknown = sorted(set(families or ()) - set(FAMILIES))
        if unknown:
            raise InputError(f"families: expected some of {', '.join(FAMILIES)}, got {', '.join(unknown)}")
        if optimizer not in ng.optimizers.registry:
            raise InputError(f"optimizer: expected a Nevergrad optimizer, got {optimizer!r}")
        self.budget, self.shortlist, self.max_rows = budget, shortlist, max_rows
        self.families = tuple(families or FAMILIES)
        self.optimizer, self.seed, self.n_jobs = optimizer, seed, n_jobs

    def with_seed(self, seed: int) -> ADRSTuner:
        """The same tuner with another seed."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def tune(self, sample: ArchitectureTable, progress: Progress | None = None) -> TunerResult:
        """Tune on a sample.

        Parameters
        ----------
        sample : ArchitectureTable
            Measured architectures, four at least.
        progress : callable, optional
            Called with trials done, trials in all, and the best loss so far.
        """
        if len(sample) < 4:
            raise InputError(f"sample: expected at least 4 architectures to tune on, got {len(sample)}")
        start = time.perf_counter()
        rows = sample if len(sample) <= self.max_rows else sample.sample(self.max_rows, self.seed)
        bench = _Bench(rows, self.seed, self.n_jobs)
        trace: list[float] = []
        if bench.tuned:
            self._screen(bench, trace, progress)
            self._refine(bench, trace, progress)
        triplets = self._rank(bench)
        return TunerResult(
            ranking=_ranking(bench, triplets),
            triplets=tuple(triplets),
            n_fits=len(bench.trials),
            trace=tuple(trace),
            seconds=time.perf_counter() - start,
            settings={
                "budget": self.budget,
                "families": list(self.families),
                "shortlist": self.shortlist,
                "max_rows": self.max_rows,
                "optimizer": self.optimizer,
                "seed": self.seed,
                "rows": len(rows),
                "sample": sample.name,
                "fingerprint": sample.fingerprint,
            },
        )

    # ------------------------------------------------------------------- steps
    def _screen(self, bench: _Bench, trace: list[float], progress: Progress | None) -> None:
        """Fit each family's shortlist on every objective, as far as the budget goes."""
        specs = [
            PredictorSpec(name, dict(params), features, transform)
            for params_rank in range(4)
            for name in self.families
            for params, features, transform in FAMILIES[name].shortlist[params_rank : params_rank + 1]
        ]
        for spec in specs[: max(1, self.budget * 2 // 3)]:
            bench.evaluate((k, spec) for k in bench.tuned)
            self._tell_progress(bench, trace, progress)

    def _refine(self, bench: _Bench, trace: list[float], progress: Progress | None) -> None:
        """Nevergrad over the joint configuration of all objectives, ADRS as the loss."""
        left = self.budget - len(trace)
        if left <= 0:
            return
        space = ng.p.Tuple(*(self._parametrization(bench, k) for k in bench.tuned))
        space.random_state = np.random.RandomState(self.seed)
        optimizer = ng.optimizers.registry[self.optimizer](parametrization=space, budget=left)
        for _ in range(left):
            candidate = optimizer.ask()
            specs: list[PredictorSpec | None] = [None] * len(bench.sample.objectives)
            for k, value in zip(bench.tuned, candidate.value, strict=True):
                specs[k] = _spec_of(value)
            bench.evaluate((k, spec) for k, spec in enumerate(specs) if spec is not None)
            optimizer.tell(candidate, pick_loss(bench.F, bench.predicted(specs)))
            self._tell_progress(bench, trace, progress)

    def _parametrization(self, bench: _Bench, k: int) -> ng.p.Parameter:
        """Configurations of the families that did best on an objective."""
        names = list(dict.fromkeys(spec.family for spec in bench.best(k, len(bench.trials))))[:3]
        return ng.p.Dict(
            model=ng.p.Choice([ng.p.Dict(family=name, params=FAMILIES[name].space()) for name in names]),
            features=ng.p.Choice(list(FEATURE_SETS)),
            transform=ng.p.Choice(["none", "log", "normal_scores"]),
        )

    def _tell_progress(self, bench: _Bench, trace: list[float], progress: Progress | None) -> None:
        specs = [bench.best(k, 1)[0] if k in bench.tuned else None for k in range(len(bench.sample.objectives))]
        loss = pick_loss(bench.F, bench.predicted(specs))
        trace.append(min(loss, trace[-1]) if trace else loss)
        if progress is not None:
            progress(len(trace), self.budget, trace[-1])

    def _rank(self, bench: _Bench) -> list[Triplet]:
        """All triplets of the shortlisted configurations, best first."""
        n_objectives = len(bench.sample.objectives)
        choices: list[list[PredictorSpec | None]] = [
            list(bench.best(k, self.shortlist)) if k in bench.tuned else [None] for k in range(n_objectives)
        ]
        found = []
        for combination in product(*choices):
            loss = pick_loss(bench.F, bench.predicted(combination))
            error = sum(bench.trial(k, spec).error for k, spec in enumerate(combination) if spec is not None)
            found.append((loss, error, combination))
        found.sort(key=lambda item: (item[0], item[1]))
        return [Triplet(tuple(specs), bench.sample.objectives, loss, self.seed) for loss, _, specs in found]


def _spec_of(value: dict[str, Any]) -> PredictorSpec:
    model = value["model"]
    return PredictorSpec(model["family"], dict(model["params"]), value["features"], value["transform"])


def _ranking(bench: _Bench, triplets: Sequence[Triplet]) -> pd.DataFrame:
    """RAPID's table of triplets and more."""
    objectives = bench.sample.objectives
    metrics: dict[tuple[int, str], dict[str, float]] = {}
    rows = []
    for triplet in triplets:
        predicted = bench.predicted(triplet.specs)
        row: dict[str, Any] = {"adrs": triplet.adrs, "front": int(is_nondominated(predicted).sum())}
        mse, mape = [], []
        for k, (objective, spec) in enumerate(zip(objectives, triplet.specs, strict=True)):
            label = spec.label if spec is not None else "exact"
            if (k, label) not in metrics:
                metrics[k, label] = prediction_metrics(bench.F[:, k] * objective.sign, predicted[:, k] * objective.sign)
            found = metrics[k, label]
            row[f"{objective.name}_model"] = spec.family if spec is not None else "exact"
            row[f"{objective.name}_hyperparams"] = json.dumps(spec.params if spec is not None else {})
            row[f"{objective.name}_features"] = spec.features if spec is not None else ""
            row[f"{objective.name}_transform"] = spec.transform if spec is not None else ""
            row[f"{objective.name}_kendall"] = found["kendall_tau"]
            mse.append(found["mse"])
            mape.append(found["mape"])
        row["mse"] = json.dumps([float(f"{value:.6g}") for value in mse])
        row["mape"] = json.dumps([float(f"{value:.6g}") for value in mape])
        rows.append(row)
    return pd.DataFrame(rows)
