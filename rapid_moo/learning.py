"""What a run makes of what it knows: predictors of objectives and constraints, and where evaluations fail.

Which predictors, is chosen again whenever so much more is known that another choice may be right: by the tuner, and
before there are rows enough for it among a few Gaussian processes. They are fitted anew in each round.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray, Stopwatch, copied
from rapid_moo.design import FIRST_SAMPLE
from rapid_moo.predictors import PredictorSet, Spec, spec_from_dict
from rapid_moo.priors import Priors
from rapid_moo.report.facts import Choice
from rapid_moo.report.making import choice_facts
from rapid_moo.stopping import extrapolated
from rapid_moo.success import SuccessModel
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import FEWEST_ROWS, ADRSTuner, TunerResult, adapt, early_specs
from rapid_moo.view import Knowledge, SpaceView, whole

logger = logging.getLogger(__name__)

FIRST_TUNING = 48
"""Evaluations before which the tuner is not asked: fewer do not tell many configurations apart."""
EARLY_GROWTH = 1.4
TEACHING = 800
"""So many architectures that are known in part teach the predictors: more say little more, and cost their cube."""
MADE_ANEW = frozenset(("tuned", "predictors", "success", "limits", "_choice", "_chosen"))


class Learner:
    """The predictors of a run.

    Parameters
    ----------
    view : SpaceView
        The problem's space and objectives.
    tuner : ADRSTuner
        Chooses the predictors.
    specs : sequence of PredictorSpec, Committee or None, or None
        Predictors to use as they are, without tuning: one per objective, None for a computed one.
    retune : float
        Tune again when the number of evaluations has grown by this factor.
    priors : Priors or None
        What is known from elsewhere.
    n_initial : int
        Size of the first sample, by which the share of the space that fails is judged.
    stopwatch : Stopwatch
        Gets the seconds of the phases ``tune`` and ``fit``.
    once : bool
        Tune once, as soon as there are rows enough to tune on.

    Attributes
    ----------
    tuned : TunerResult or None
        The latest tuning.
    predictors : PredictorSet or None
        The predictors of the latest round.
    success : SuccessModel or None
        Where evaluations fail; None until one has.
    limits : PredictorSet or None
        Predictors of the constraints of a problem that is not an ``ArchitectureProblem``; feasible is at most 0.
    """

    def __init__(
        self,
        view: SpaceView,
        tuner: ADRSTuner,
        specs: Sequence[Spec | None] | None,
        retune: float,
        priors: Priors | None,
        n_initial: int,
        stopwatch: Stopwatch,
        once: bool = False,
    ) -> None:
        self.view, self.tuner, self.specs, self.retune = view, tuner, specs, retune
        self.priors, self.n_initial, self.once = priors, n_initial, once
        self.stopwatch = stopwatch
        self.tuned: TunerResult | None = None
        self.predictors: PredictorSet | None = None
        self.success: SuccessModel | None = None
        self.limits: PredictorSet | None = None
        self._choice: Choice | None = None
        self._chosen: Sequence[Spec | None] = ()
        self._chosen_at = self._tuned_at = self._limits_chosen_at = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Learner:
        # A run with its history keeps one of each.
        return copied(self, memo, MADE_ANEW)

    def learn(self, known: Knowledge, seed: int) -> None:
        """Choose predictors where it is time to, then fit them on everything known.

        Parameters
        ----------
        known : Knowledge
            At least one complete row.
        seed : int
            Seed of the choice.
        """
        taught, noise = foreseen(known)
        sample = self.view.sample_table(known, taught)
        if self.specs is None:
            with self.stopwatch("tune"):
                self._choose(sample, seed)
        specs = adapt(self.specs or self._chosen, sample)
        with self.stopwatch("fit"):
            if self.predictors is None or list(self.predictors.specs) != list(specs):
                self.predictors = PredictorSet(sample.space, sample.objectives, specs, seed=seed, priors=self.priors)
            else:
                self.predictors = self.predictors.successor()
            _fit(self.predictors, sample, known, taught, noise)
            self._learn_success(known)
            self._learn_constraints(known, seed)

    def _choose(self, sample: ArchitectureTable, seed: int) -> None:
        """Tune where it is time to; before the first tuning, choose among a few processes."""
        n = len(sample)
        if self._time_to_tune(n):
            self.tuned, self._choice = self.tuner.with_seed(seed).tune(sample, priors=self.priors), None
            self._chosen, self._chosen_at, self._tuned_at = self.tuned.specs, n, n
            logger.info("tuned on %d architectures: %s", n, "/".join(self.tuned.families))
        elif not self._tuned_at and n >= EARLY_GROWTH * self._chosen_at:
            self._chosen, self._chosen_at = early_specs(sample, seed, self.priors), n

    def _time_to_tune(self, n: int) -> bool:
        if not self._tuned_at:
            return n >= (FEWEST_ROWS if self.once else FIRST_TUNING)
        return not self.once and n >= self.retune * self._chosen_at

    def _learn_success(self, known: Knowledge) -> None:
        tried = known.complete | known.failed
        self.success = None
        if known.failed.any() and known.complete.any():
            model = SuccessModel(self.view.space, max(FIRST_SAMPLE, self.n_initial))
            self.success = model.fit(known.X[tried], known.complete[tried])

    def _learn_constraints(self, known: Knowledge, seed: int) -> None:
        """Predict a foreign problem's constraints by the likeliest of a few processes."""
        values = self.view.constraint_table(known)
        if values is None:
            return
        if self.limits is None or len(values) >= EARLY_GROWTH * self._limits_chosen_at:
            specs = adapt(early_specs(values, seed), values)
            self.limits = PredictorSet(values.space, values.objectives, specs, seed=seed)
            self._limits_chosen_at = len(values)
        else:
            self.limits = self.limits.successor()
        self.limits.fit(values, warm_start=True)

    @property
    def choice(self) -> Choice:
        """Why these predictors, also where an earlier process tuned them."""
        if self.specs is not None:
            return Choice("given")
        if self._choice is None:
            if self.tuned is None:
                return Choice("early")
            self._choice = choice_facts(self.tuned)
        return self._choice

    # -------------------------------------------------------------------- state
    def state(self) -> dict[str, Any]:
        """What a later process needs beside the store to go on as this one would, in JSON's types."""
        return {
            "chosen": [spec.to_dict() if spec is not None else None for spec in self._chosen],
            "chosen_at": self._chosen_at,
            "tuned_at": self._tuned_at,
            "choice": self.choice.to_dict(),
            "prior_columns": self._prior_columns(),
            "predictors": self.predictors.warm_state() if self.predictors is not None else None,
        }

    def _prior_columns(self) -> list[int]:
        """How many columns priors give each objective."""
        return [self.priors.count(o.name) if self.priors is not None else 0 for o in self.view.objectives]

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it cannot be understood.
        """
        if len(state["chosen"]) not in (0, len(self.view.objectives)):
            return  # Objectives were added meanwhile: predictors are chosen anew.
        columns = self._prior_columns()
        if state.get("prior_columns", columns) != columns:
            return  # So are they where priors were added: those that were chosen know nothing of them.
        self._chosen = [spec_from_dict(item) if item is not None else None for item in state["chosen"]]
        self._chosen_at, self._tuned_at = int(state["chosen_at"]), int(state["tuned_at"])
        if self._tuned_at and "choice" in state:
            self._choice = Choice.from_dict(state["choice"])
        if state["predictors"] is not None:
            self.predictors = PredictorSet.warm(self.view.space, self.view.objectives, state["predictors"], self.priors)


def refitted(view: SpaceView, known: Knowledge, state: Mapping[str, Any], priors: Priors | None) -> PredictorSet | None:
    """Predictors that a :meth:`Learner.state` tells of, fitted to everything known; None where it tells of none.

    Who asks does not matter: a process that chose them and one that reads the state get the same.

    Parameters
    ----------
    view : SpaceView
        The problem's space and objectives.
    known : Knowledge
        What they learn from.
    state : mapping
        Of a learner on the same problem.
    priors : Priors or None
        What is known from elsewhere.
    """
    saved = state.get("predictors")
    columns = [priors.count(o.name) if priors is not None else 0 for o in view.objectives]
    # Those that were chosen before an objective or priors were added: the next run chooses anew.
    if saved is None or len(saved["specs"]) != len(view.objectives) or state.get("prior_columns", columns) != columns:
        return None
    if known.complete.sum() < 2:
        return None
    taught, noise = foreseen(known)
    found = PredictorSet.warm(view.space, view.objectives, saved, priors)
    _fit(found, view.sample_table(known, taught), known, taught, noise)
    return found


def _fit(
    predictors: PredictorSet, sample: ArchitectureTable, known: Knowledge, taught: FloatArray, noise: FloatArray
) -> None:
    """Fit predictors to the sample, and to what is known in part."""
    done = whole(known, taught)
    some = _teaching(done)
    uncertain = np.vstack([noise[done], noise[some]])
    predictors.fit(sample, warm_start=True, partial=(known.X[some], taught[some]), noise=uncertain)


def foreseen(known: Knowledge) -> tuple[FloatArray, FloatArray]:
    """What the predictors learn from: raw values, those of stopped curves extrapolated, and how uncertain these are.

    A network whose training was stopped has not failed: what its curve says of the end is nearly as good as the end,
    and how good is known.

    Returns
    -------
    raw, noise : ndarray of shape (n, n_objectives)
        NaN where nothing is known; the noise is 0 of what was measured.
    """
    raw, noise = known.raw.copy(), np.zeros(known.raw.shape)
    for k, curves in enumerate(known.curves):
        complete = [i for i in np.flatnonzero(known.complete).tolist() if curves[i]]
        for i in np.flatnonzero(known.stopped & np.isnan(raw[:, k])).tolist():
            if curves[i]:
                found = extrapolated(curves[i], [curves[j] for j in complete], known.raw[complete, k])
                raw[i, k], noise[i, k] = found if np.isfinite(found[0]) else (np.nan, 0.0)
    return raw, noise


def _teaching(known_whole: BoolArray) -> IntArray:
    """Rows known in part that the predictors learn from: of very many a sample says as much."""
    rows = np.flatnonzero(~known_whole)
    if len(rows) <= TEACHING:
        return rows
    return np.sort(np.random.default_rng(len(rows)).permutation(rows)[:TEACHING])
