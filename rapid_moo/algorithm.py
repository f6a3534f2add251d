"""RAPID as a pymoo Algorithm: sample, tune, search the predicted objectives, evaluate, and again.

``minimize(problem, RAPID(), ("n_eval", 300), seed=1)`` works on any problem with integer variables; on an
:class:`~rapid_moo.problem.ArchitectureProblem` the space's features, computed objectives and table members are used.
``RAPID(rounds=1)`` is the published one-shot method: a random sample, one tuned triplet, its whole predicted front.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.util.display.column import Column
from pymoo.util.display.output import Output

from rapid_moo._util import IntArray
from rapid_moo.acquisition import expected_adrs_batch, promising
from rapid_moo.candidates import SEARCHES, SpaceView, search_predictions, within_constraints
from rapid_moo.errors import InputError
from rapid_moo.indicators import ADRS
from rapid_moo.pareto import front_indices, pareto_ranks
from rapid_moo.predictors import PredictorSet, PredictorSpec
from rapid_moo.tuning import ADRSTuner, adapt

logger = logging.getLogger(__name__)

DEFAULT_BUDGET = 300
SPREAD_POOL = 3_000
JOINT_POOL = 1_000
N_DRAWS = 32


class RAPIDOutput(Output):  # type: ignore[misc]  # pymoo ships no types
    """Columns of a verbose run: evaluations, front size, families, the tuner's and the obtained ADRS."""

    def __init__(self) -> None:
        super().__init__()
        self.front = Column("n_nds", width=6)
        self.families = Column("predictors", width=40)
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
        self.obtained.set(float(self._indicator(algorithm.pop.get("F"))) if self._indicator is not None else None)


class RAPID(Algorithm):  # type: ignore[misc]  # pymoo ships no types
    """Surrogate-based search with one tuned predictor per objective.

    Parameters
    ----------
    n_initial : int, optional
        Size of the first sample; a fifth of the evaluation budget by default, 60 at most.
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
        How the predicted objectives are searched: all candidates where they can be listed ("auto", else NSGA-II or,
        from four objectives, NSGA-III), or NSGA-II/III in any case.
    candidates : {"auto", "members", "space"}
        Where proposals come from: a table's members, or the whole space. "auto" takes the members on a table.
    retune : float
        Tune again when the number of evaluations has grown by this factor.
    **kwargs
        Passed to pymoo's ``Algorithm``.

    Attributes
    ----------
    tuned : TunerResult or None
        The latest tuning.
    predictors : PredictorSet or None
        The predictors of the latest round.
    seconds : dict
        Seconds by phase: tune, fit, search.

    References
    ----------
    RAPID, hardware-aware neural architecture search with predictor triplets chosen by ADRS (McGill Edge Intelligence
    Lab). Iteration and batch choice are this project's own, see :mod:`rapid_moo.acquisition`.
    """

    def __init__(
        self,
        n_initial: int | None = None,
        batch_size: int | None = None,
        rounds: int | None = None,
        tuner: ADRSTuner | None = None,
        specs: Sequence[PredictorSpec | None] | None = None,
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
        if search not in SEARCHES:
            raise InputError(f"search: expected one of {', '.join(SEARCHES)}, got {search!r}")
        self.n_initial, self.batch_size, self.rounds = n_initial, batch_size, rounds
        self.tuner, self.specs = tuner or ADRSTuner(), specs
        self.search, self.candidates, self.retune = search, candidates, retune
        self.tuned: Any = None
        self.predictors: Any = None
        self.seconds: dict[str, float] = {"tune": 0.0, "fit": 0.0, "search": 0.0}
        self._tuned_at = 0

    # -------------------------------------------------------------- pymoo hooks
    pop: Any

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        self.view = SpaceView(problem, self.candidates)
        budget = getattr(self.termination, "n_max_evals", None)
        known = budget is not None and np.isfinite(budget)
        self._budget = min(int(budget), self.view.n_members) if budget is not None and known else None
        total = self._budget if self._budget is not None else min(DEFAULT_BUDGET, self.view.n_members)
        self._n_initial = int(min(self.n_initial or max(8, min(round(total / 5), 60)), self.view.n_members))
        self._batch_size = self.batch_size or max(2, round(total / 25))

    def _initialize_infill(self) -> Population:
        return self._population(self.view.first_sample(self._affordable(self._n_initial), self.random_state))

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = infills

    def _infill(self) -> Population:
        known = self.view.genotypes(self.pop.get("X"))
        self._learn(known)
        with self._timed("search"):
            proposals = self.view.new_only(self._proposals(known), known)
            if len(proposals) == 0:
                batch = proposals
            elif self.rounds == 1:
                batch = self._predicted_front(proposals, known)
            else:
                batch = self._batch(proposals)
        return self._population(batch)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None and len(infills):
            self.pop = Population.merge(self.pop, infills)
        else:
            self.termination.terminate()
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
                logger.info("tuned on %d architectures: %s", len(sample), "/".join(self.tuned.families))
        specs = adapt(self.specs if self.specs is not None else self.tuned.best.specs, sample)
        with self._timed("fit"):
            if self.predictors is None or list(self.predictors.specs) != list(specs):
                self.predictors = PredictorSet(sample.space, sample.objectives, specs, seed=seed)
            self.predictors.fit(sample, warm_start=True)

    def _proposals(self, known: IntArray) -> IntArray:
        """Candidates: all of them where they can be listed, else what NSGA-II/III visits on the predictions."""
        members = self.view.members if self.search in ("auto", "exhaustive") else None
        if members is not None:
            return members
        if self.search == "exhaustive":
            raise InputError(f"search: {self.view.space.size:.3g} architectures are too many for 'exhaustive'")
        name = self.search if self.search != "auto" else ("nsga2" if len(self.view.objectives) < 4 else "nsga3")
        best = known[front_indices(np.nan_to_num(self.pop.get("F"), posinf=1e300))]
        seed = int(self.random_state.integers(2**31))
        return search_predictions(self.view, self.predictors, best, name, seed)

    def _batch(self, proposals: IntArray) -> IntArray:
        """The batch of the largest expected gain among the proposals of the best expected values."""
        size = self._affordable(self._batch_size)
        mean = self.view.predict_mean(self.predictors, proposals)
        if len(proposals) > SPREAD_POOL:
            order = np.argsort(pareto_ranks(mean), kind="stable")[:SPREAD_POOL]
            proposals = proposals[np.sort(order)]
        mean, std = self.view.predict(self.predictors, proposals)
        met = within_constraints(self.view, proposals, mean, std, size)
        proposals, mean, std = proposals[met], mean[met], std[met]
        done = np.isfinite(self.pop.get("F")).all(axis=1) & self.pop.get("feas")
        evaluated = self.pop.get("F")[done]
        pool = proposals[promising(mean, std, evaluated, max(JOINT_POOL, 2 * size), seed=self.random_state)]
        draws = self.view.draw(self.predictors, pool, N_DRAWS, self.random_state)
        return pool[expected_adrs_batch(draws, evaluated, size, seed=self.random_state)]

    def _predicted_front(self, proposals: IntArray, known: IntArray) -> IntArray:
        """The published step: every new architecture on the front of the predictions, known ones included."""
        everyone = np.vstack([proposals, known])
        mean, std = self.view.predict(self.predictors, everyone)
        met = np.flatnonzero(within_constraints(self.view, everyone, mean, std, 1))
        front = met[front_indices(mean[met])]
        batch = everyone[front[front < len(proposals)]]
        return batch[: self._affordable(len(batch))]

    # ---------------------------------------------------------------- plumbing
    def _affordable(self, size: int) -> int:
        """At most what the budget leaves, so that it is never exceeded."""
        # Counted here and not by the evaluator, which ask-and-tell does without.
        done = len(self.pop) if self.pop is not None else 0
        left = self._budget - done if self._budget is not None else size
        return max(0, min(size, left))

    def _population(self, X: IntArray) -> Population:
        return Population.new("X", self.view.variables(X)) if len(X) else Population.empty()

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - start
