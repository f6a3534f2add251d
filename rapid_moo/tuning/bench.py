"""The bench: fits every configuration of every objective once, out of fold, no longer than needed, and remembers it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestRegressor

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.pareto import pareto_ranks
from rapid_moo.predictors import FAMILIES, GaussianProcess, PredictorSpec, Spec, TargetTransform
from rapid_moo.predictors.predictor import assign_folds, made
from rapid_moo.predictors.predictor_set import features_of, joined
from rapid_moo.predictors.standardised import Standardised, fit_regressor
from rapid_moo.priors import Priors
from rapid_moo.space import FEATURE_SETS
from rapid_moo.table import ArchitectureTable
from rapid_moo.workers import informed

SCREEN_ROWS, SCREEN_ITERATIONS, SCREEN_HALVES = 120, 12, 40
LONGEST, PROBE, TREES = 64, 32, 60
STOP_AT = 1.0
ONE_FIT = ("gaussian_process", "random_forest", "mean")
Job = tuple[int, PredictorSpec]


@dataclass(frozen=True, eq=False)
class Trial:
    """One configuration of one objective, evaluated out of fold.

    Attributes
    ----------
    spec : PredictorSpec or Committee
        The configuration; a committee's trial is the mean of its members'.
    mean : ndarray of shape (n,)
        Out-of-fold predictions, minimised.
    error : float
        Share of wrongly ordered pairs, doubled (0 for the true order, 1 for a random one), each pair weighted by how
        near the front its rows are; see :class:`FrontOrder`.
    complete : bool
        False if the configuration was stopped because its first fold was hopeless; ``mean`` is then NaN elsewhere.
    seconds : float
        CPU time of the fits.
    """

    spec: Spec
    mean: FloatArray
    error: float
    complete: bool
    seconds: float


class FrontOrder:
    """Errors of order that count where it matters: near the front.

    Dominance only compares, so an order is what a predictor must get right, and a mistake between two architectures
    that nobody will pick costs nothing. The error is one minus a weighted Kendall tau: a pair (i, j) counts with
    ``w_i w_j``, ``w = 1 / (1 + rank)`` of non-dominated sorting.

    Parameters
    ----------
    F : ndarray of shape (n, n_objectives)
        Minimised true values.

    References
    ----------
    S. Vigna, "A weighted correlation index for rankings with ties", WWW 2015 (additive hyperbolic weights; here the
    product, by Pareto rank).
    """

    def __init__(self, F: FloatArray) -> None:
        self.F = F
        weight = 1.0 / (1.0 + pareto_ranks(F))
        pairs = np.outer(weight, weight)
        self._order = [np.sign(column[:, None] - column[None, :]) * pairs for column in F.T]

    def error(self, k: int, predicted: FloatArray, rows: IntArray | None = None) -> float:
        """Error of minimised predictions of objective ``k``, on some rows or all; 1 if nothing is ordered."""
        order = self._order[k]
        if rows is not None:
            order, predicted = order[np.ix_(rows, rows)], predicted[rows]
        # Pairs that are tied in truth have no order to get wrong.
        total = float(np.abs(order).sum())
        if total <= 0.0:
            return 1.0
        return 1.0 - float(np.vdot(np.sign(predicted[:, None] - predicted[None, :]), order)) / total


class Bench:
    """Remembers every configuration that was fitted on a sample.

    Parameters
    ----------
    sample : ArchitectureTable
        Measured architectures.
    seed : int
        Seed of folds and regressors.
    n_jobs : int
        Fits at the same time (joblib's current backend); results do not depend on it.
    priors : Priors, optional
        What configurations with a prior see of it.

    Attributes
    ----------
    tuned : list of int
        Objectives that are predicted; the others are computed exactly.
    trials : dict
        Trial by (objective, label of the configuration).
    n_fits : int
        Configurations fitted so far; shorter versions of an ensemble cost nothing and do not count.
    n_extra : int
        How many of them were beside the tuner's budget, since they see what is known from elsewhere.
    seconds : dict
        CPU time of all fits by family, those of stopped configurations included.
    """

    def __init__(self, sample: ArchitectureTable, seed: int = 0, n_jobs: int = 1, priors: Priors | None = None) -> None:
        self.sample, self.seed, self.n_jobs, self.priors = sample, seed, n_jobs, priors
        self.F, self.raw = sample.F, sample.raw
        self.folds = assign_folds(len(sample), seed)
        self.features = features_of(sample.space, sample.X, sample.objectives, FEATURE_SETS)
        self.order = FrontOrder(self.F)
        computed = {objective.name for objective in sample.space.computed}
        self.tuned = [k for k, o in enumerate(sample.objectives) if o.name not in computed]
        self.trials: dict[tuple[int, str], Trial] = {}
        self.n_fits = self.n_extra = 0
        self.seconds: dict[str, float] = {}
        self._stages: dict[tuple[int, str], list[str]] = {}
        self._goals: dict[tuple[int, str], tuple[TargetTransform, FloatArray]] = {}

    # ----------------------------------------------------------------- fitting
    def evaluate(self, wanted: Iterable[Job]) -> None:
        """Fit what has not been fitted yet: one fold first, the others unless it was hopeless."""
        jobs = self.new(wanted)
        if not jobs:
            return
        everything, one_fold = np.ones(len(self.folds), dtype=np.bool_), self.folds == 0
        first = self._run(
            [(k, self._probe(spec)) for k, spec in jobs],
            [everything if spec.family in ONE_FIT else one_fold for _, spec in jobs],
        )
        self.n_fits += len(jobs)
        limits = {k: self._hopeless_from(k, jobs, first) for k in {job[0] for job in jobs}}
        going_on = [
            i
            for i, ((k, _), done) in enumerate(zip(jobs, first, strict=True))
            if not done.complete and self._errors(k, done, one_fold).min() <= limits[k]
        ]
        # What the probe fitted whole is not fitted again; of an ensemble it fitted only the beginning.
        rows = [everything if self._probe(jobs[i][1]) != jobs[i][1] else ~one_fold for i in going_on]
        for i, done in zip(going_on, self._run([jobs[i] for i in going_on], rows), strict=True):
            if np.isnan(done.mean[0, one_fold]).any():
                done.mean[:, one_fold] = first[i].mean[:, one_fold]
            first[i] = _Fits(done.mean, True, done.seconds + first[i].seconds)
        for job, done in zip(jobs, first, strict=True):
            self._remember(job, done)

    def new(self, wanted: Iterable[Job]) -> list[Job]:
        """What would be fitted for some configurations: those that have not been, each once."""
        todo = {(k, spec.label): (k, spec) for k, spec in map(self._fitted_as, wanted)}
        return [job for key, job in todo.items() if key not in self._stages]

    def _probe(self, spec: PredictorSpec) -> PredictorSpec:
        """What is fitted to one fold at first: only the beginning of a long ensemble."""
        if FAMILIES[spec.family].stages is None:
            return spec
        return spec.replace(n_estimators=min(PROBE, int(spec.params["n_estimators"])))

    def _run(self, jobs: Sequence[Job], rows: Sequence[BoolArray]) -> list[_Fits]:
        tasks, fit = [], informed(_fit)
        for (k, spec), wanted in zip(jobs, rows, strict=True):
            transform, goal = self._goal(k, spec.transform)
            name = self.sample.objectives[k].name
            inputs = joined(spec, self.features[k], name, self.sample.X, self.priors)
            tasks.append(delayed(fit)(spec, inputs, goal, transform, self.folds, wanted, self._counts(spec), self.seed))
        if not tasks:
            return []
        # Threads would fight for the interpreter, and processes cost more than they save on a single worker.
        return list(Parallel(n_jobs=self.n_jobs)(tasks))

    def _fitted_as(self, job: Job) -> Job:
        """What is fitted for a configuration: the longest ensemble of its kind."""
        k, spec = job
        if FAMILIES[spec.family].stages is None or "n_estimators" in spec.params:
            return job
        return k, spec.replace(n_estimators=LONGEST)

    def _counts(self, spec: PredictorSpec) -> list[int]:
        """Lengths of an ensemble that are evaluated: the whole, its half, quarter and eighth."""
        if FAMILIES[spec.family].stages is None:
            return []
        longest = int(spec.params["n_estimators"])
        return sorted({max(1, longest // part) for part in (1, 2, 4, 8)})

    def _goal(self, k: int, kind: str) -> tuple[TargetTransform, FloatArray]:
        if (k, kind) not in self._goals:
            transform = TargetTransform(kind).fit(self.raw[:, k])
            self._goals[k, kind] = transform, transform.forward(self.raw[:, k])
        return self._goals[k, kind]

    def _hopeless_from(self, k: int, jobs: Sequence[Job], fits: Sequence[_Fits]) -> float:
        """The error on the first fold above which a configuration is hopeless: a standard error above the best one's.

        A Kendall tau of n rows has a standard error of about 0.65 (1 - tau^2) / sqrt(n).
        """
        one_fold = self.folds == 0
        rows = np.flatnonzero(one_fold)
        known = [t for (objective, _), t in self.trials.items() if objective == k and t.complete]
        errors = [self.order.error(k, trial.mean, rows) for trial in known]
        errors += [self._errors(k, done, one_fold).min() for job, done in zip(jobs, fits, strict=True) if job[0] == k]
        best = float(min(errors))
        tau = min(0.95, 1.0 - best)
        return best + STOP_AT * 0.65 * (1.0 - tau**2) / float(np.sqrt(len(rows)))

    def _errors(self, k: int, done: _Fits, rows: BoolArray) -> FloatArray:
        """Error of each version on some rows."""
        sign = self.sample.objectives[k].sign
        positions = None if rows.all() else np.flatnonzero(rows)
        return np.array([self.order.error(k, mean * sign, positions) for mean in done.mean])

    def _remember(self, job: Job, done: _Fits) -> None:
        k, spec = job
        self.seconds[spec.family] = self.seconds.get(spec.family, 0.0) + done.seconds
        sign = self.sample.objectives[k].sign
        versions = self._versions(spec if done.complete else self._probe(spec))
        errors = self._errors(k, done, np.logical_not(np.isnan(done.mean[0])))
        for version, mean, error in zip(versions, done.mean, errors, strict=True):
            self.trials[k, version.label] = Trial(version, mean * sign, float(error), done.complete, done.seconds)
        self._stages[k, spec.label] = [version.label for version in versions]

    def _versions(self, spec: PredictorSpec) -> list[PredictorSpec]:
        counts = self._counts(spec)
        return [spec.replace(n_estimators=count) for count in counts] if counts else [spec]

    # ---------------------------------------------------------------- reading
    def best_version(self, k: int, spec: PredictorSpec) -> Trial:
        """The best of the versions (lengths of an ensemble) that were fitted for a configuration."""
        _, fitted = self._fitted_as((k, spec))
        trials = [self.trials[k, label] for label in self._stages[k, fitted.label]]
        return min(trials, key=lambda trial: trial.error)

    def trial(self, k: int, spec: PredictorSpec) -> Trial:
        """The trial of a configuration."""
        return self.trials[k, spec.label]

    def predicted(self, trials: Sequence[Trial | None]) -> FloatArray:
        """Minimised out-of-fold predictions of a triplet, shape (n, n_objectives).

        None stands for a computed objective, which is exact; a stopped configuration predicts the mean.
        """
        columns = []
        for k, trial in enumerate(trials):
            if trial is None:
                columns.append(self.F[:, k])
            elif trial.complete:
                columns.append(trial.mean)
            else:
                columns.append(np.full(len(self.F), self.F[:, k].mean()))
        return np.column_stack(columns)

    def best(self, k: int, count: int | None = None) -> list[Trial]:
        """Complete trials of an objective, those of the smallest error first; one length of each ensemble."""
        found = []
        for (objective, _), labels in self._stages.items():
            trials = [self.trials[k, label] for label in labels] if objective == k else []
            if trials and trials[0].complete:
                found.append(min(trials, key=lambda trial: trial.error))
        return sorted(found, key=lambda t: (round(t.error, 12), t.spec.label))[:count]


@dataclass
class _Fits:
    """Raw out-of-fold predictions (n_versions, n), NaN where not predicted yet."""

    mean: FloatArray
    complete: bool
    seconds: float


def _fit(
    spec: PredictorSpec,
    inputs: FloatArray,
    goal: FloatArray,
    transform: TargetTransform,
    folds: IntArray,
    wanted: BoolArray,
    counts: Sequence[int],
    seed: int,
) -> _Fits:
    """Predict the wanted rows, each from the rows of all other folds."""
    start = time.process_time()
    family = FAMILIES[spec.family]
    regressor = made(family, spec.params, seed, spec.prior)
    if isinstance(regressor, GaussianProcess) and len(goal) <= regressor.max_rows:
        # Hyper-parameters from fewer rows and iterations than a final fit: enough to tell configurations apart.
        regressor.set_params(n_tune=SCREEN_ROWS, max_iter=SCREEN_ITERATIONS)
        mean = regressor.cross_predict(inputs, goal, folds, halves_from=SCREEN_HALVES)[0][None, :]
    elif isinstance(regressor, RandomForestRegressor):
        mean = _out_of_bag(regressor, inputs, goal)[None, :]
    else:
        mean = np.full((max(1, len(counts)), len(goal)), np.nan)
        for fold in np.unique(folds[wanted]):
            train, test = folds != fold, folds == fold
            fitted = fit_regressor(made(family, spec.params, seed, spec.prior), inputs[train], goal[train])
            mean[:, test] = _versions_predicted(family, fitted, inputs[test], counts)
    complete = not np.isnan(mean).any()
    return _Fits(transform.backward(mean), complete, time.process_time() - start)


def _out_of_bag(forest: RandomForestRegressor, inputs: FloatArray, goal: FloatArray) -> FloatArray:
    """Each row's mean over the trees that have not seen it: one fit instead of five, and trees enough to rank forests.

    Source: L. Breiman, "Random forests", Machine Learning 45, 2001.
    """
    with warnings.catch_warnings():
        # Of a few rows some may be in every tree's sample.
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")
        trees = min(TREES, forest.n_estimators)
        forest.set_params(oob_score=True, n_estimators=trees)
        found = Standardised(forest).fit(inputs, goal).out_of_bag()
    return np.where(np.isfinite(found), found, goal.mean())


def _versions_predicted(family: Any, fitted: Any, inputs: FloatArray, counts: Sequence[int]) -> FloatArray:
    if family.stages is None:
        return np.asarray(fitted.predict(inputs), dtype=np.float64)[None, :]
    return np.asarray(fitted.staged(family.stages, inputs, counts))
