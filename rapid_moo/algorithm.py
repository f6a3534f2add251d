"""RAPID as a pymoo Algorithm: sample, tune, search the predicted objectives, evaluate, and again.

``minimize(problem, RAPID(), ("n_eval", 300), seed=1)`` works on any problem with integer variables; on an
:class:`~rapid_moo.problem.ArchitectureProblem` the space's features, computed objectives and table members are used.
``RAPID(rounds=1)`` is the published one-shot method: a random sample, one tuned triplet, its whole predicted front.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.termination.max_eval import MaximumFunctionCallTermination
from pymoo.util.display.column import Column
from pymoo.util.display.output import Output

from rapid_moo._util import FloatArray, IntArray, unique_rows
from rapid_moo.acquisition import expected_adrs_batch
from rapid_moo.candidates import CandidateSearch, SpaceView
from rapid_moo.errors import InputError
from rapid_moo.indicators import ADRS
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_indices, is_nondominated
from rapid_moo.predictors import PredictorSet, PredictorSpec
from rapid_moo.tuning import ADRSTuner, TunerResult

logger = logging.getLogger(__name__)


class RAPIDOutput(Output):  # type: ignore[misc]  # pymoo ships no types
    """Columns of a verbose run: evaluations, front size, families, predicted and obtained quality."""

    def __init__(self) -> None:
        super().__init__()
        self.front = Column("n_nds", width=6)
        self.families = Column("predictors", width=32)
        self.expected = Column("tuner_adrs", width=10)
        self.obtained = Column("adrs", width=10)
        self.columns += [self.front, self.families, self.expected, self.obtained]
        self._indicator: ADRS | None = None

    def initialize(self, algorithm: RAPID) -> None:
        """Prepare the indicator where the problem knows a front."""
        front = algorithm.problem.pareto_front()
        self._indicator = ADRS(front) if front is not None and len(front) else None

    def update(self, algorithm: RAPID) -> None:
        """Fill the columns from the algorithm's state."""
        super().update(algorithm)
        self.front.set(len(algorithm.opt))
        tuned = algorithm.tuned
        self.families.set("/".join(tuned.families) if tuned is not None else None)
        self.expected.set(tuned.adrs if tuned is not None else None)
        self.obtained.set(float(self._indicator(algorithm.pop.get("F"))) if self._indicator else None)


class RAPID(Algorithm):  # type: ignore[misc]  # pymoo ships no types
    """Surrogate-based search with one tuned predictor per objective.

    Parameters
    ----------
    n_initial : int, optional
        Size of the first sample; a fifth of the evaluation budget by default.
    batch_size : int, optional
        Architectures evaluated per round; a twenty-fifth of the budget by default.
    rounds : int, optional
        Rounds after the first sample; until termination by default. 1 is the published one-shot method, whose only
        batch is the whole predicted front.
    tuner : ADRSTuner, optional
        Chooses the predictors; the default one otherwise.
    specs : sequence of PredictorSpec or None, optional
        Predictors to use as they are, without tuning: one per objective, None for a computed one.
    search : {"auto", "exhaustive", "nsga2", "nsga3"}
        How the predicted objectives are searched: all candidates where they can be listed ("auto"), or NSGA-II/III.
    candidates : {"auto", "members", "space"}
        Where proposals come from: a table's members, or the whole space. "auto" takes members on a table.
    retune : float
        Tune again when the number of evaluations has grown by this factor.
    **kwargs
        Passed to pymoo's ``Algorithm``.

    References
    ----------
    RAPID: hardware-aware neural architecture search with predictor triplets chosen by ADRS (McGill Edge Intelligence
    Lab). The iteration and the batch choice are this project's own; see the architecture page.
    """

    def __init__(
        self,
        n_initial: int | None = None,
        batch_size: int | None = None,
        rounds: int | None = None,
        tuner: ADRSTuner | None = None,
        specs: list[PredictorSpec | None] | None = None,
        search: str = "auto",
        candidates: str = "auto",
        retune: float = 2.0,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("output", RAPIDOutput())
        super().__init__(**kwargs)
        for name, value in (("n_initial", n_initial), ("batch_size", batch_size), ("rounds", rounds)):
            if value is not None and value < 1:
                raise InputError(f"{name}: expected a positive number, got {value}")
        self.n_initial, self.batch_size, self.rounds = n_initial, batch_size, rounds
        self.tuner, self.specs = tuner or ADRSTuner(), specs
        self.search, self.candidates, self.retune = search, candidates, retune
        self.tuned: TunerResult | None = None
        self.predictors: PredictorSet | None = None
        self.seconds: dict[str, float] = {"tune": 0.0, "fit": 0.0, "search": 0.0, "evaluate": 0.0}
        self._tuned_at = 0

    # -------------------------------------------------------------- pymoo hooks
    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        self.view = SpaceView(problem, self.candidates)
        self.finder = CandidateSearch(self.view, self.search)
        budget = self._budget()
        total = min(budget, self.view.n_members) if budget is not None else min(300, self.view.n_members)
        self._n_initial = min(self.n_initial or max(8, round(total / 5)), int(self.view.n_members))
        self._batch_size = self.batch_size or max(2, round(total / 25))

    def _initialize_infill(self) -> Population:
        return self._population(self.view.first_sample(self._limit(self._n_initial), self.random_state))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = infills

    def _infill(self) -> Population:
        known = self.view.genotypes(self.pop.get("X"))
        self._learn(known)
        one_shot = self.rounds == 1
        with self._timed("search"):
            proposals = self.finder.propose(self.predictors, known, self._best_known(), self.random_state)
            if len(proposals) == 0:
                return Population.empty()
            if one_shot:
                batch = self._predicted_front(proposals, known)
            else:
                batch = self._batch(proposals, known)
        return self._population(batch)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is None or len(infills) == 0:
            self.termination.terminate()
        else:
            self.pop = Population.merge(self.pop, infills)
        if self.rounds is not None and self.n_iter > self.rounds:
            self.termination.terminate()

    # ------------------------------------------------------------------- steps
    def _learn(self, known: IntArray) -> None:
        """Tune where it is time to, then fit the chosen predictors on everything known."""
        sample = self.view.sample_table(known, self.pop.get("F"))
        seed = int(self.random_state.integers(2**31))
        if self.specs is None and (self.tuned is None or len(sample) >= self.retune * self._tuned_at):
            with self._timed("tune"):
                self.tuned = self.tuner.with_seed(seed).tune(sample)
                self._tuned_at = len(sample)
        specs = self.specs if self.specs is not None else self.tuned.best.specs
        with self._timed("fit"):
            self.predictors = PredictorSet(sample.space, sample.objectives, specs, seed=seed).fit(sample)

    def _batch(self, proposals: IntArray, known: IntArray) -> IntArray:
        mean, std = self.view.predict(self.predictors, proposals)
        size = self._limit(self._batch_size)
        feasible = self.view.feasible_known(self.pop)
        chosen = expected_adrs_batch(mean, std, feasible, size, seed=self.random_state)
        return proposals[chosen]

    def _predicted_front(self, proposals: IntArray, known: IntArray) -> IntArray:
        """The published step: every architecture on the front of the predictions, known ones included."""
        everyone = np.vstack([proposals, known])
        mean, _ = self.view.predict(self.predictors, everyone)
        front = front_indices(mean)
        batch = everyone[front[front < len(proposals)]]
        return batch[: self._limit(len(batch))]
