"""RAPID as a pymoo Algorithm: sample, tune, search the predicted objectives, evaluate, and again.

``minimize(problem, RAPID(), ("n_eval", 300), seed=1)`` works on any problem with integer variables; on an
:class:`~rapid_moo.problem.ArchitectureProblem` the space's features, computed objectives and table members are used.
``RAPID(rounds=1, sampling="random")`` is the published one-shot method: a random sample, one tuned triplet, its whole
predicted front.
"""

from __future__ import annotations

import logging
import math
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

from rapid_moo._util import FloatArray, IntArray, one_blas_thread
from rapid_moo.acquisition import Acquisition, Candidates, expected_coverage
from rapid_moo.candidates import SEARCHES, SpaceView, predicted_violations, search_predictions, within_constraints
from rapid_moo.design import SAMPLINGS
from rapid_moo.errors import InputError
from rapid_moo.indicators import ADRS, box_hypervolume
from rapid_moo.pareto import front_indices, pareto_ranks
from rapid_moo.predictors import PredictorSet, Spec
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import FEWEST_ROWS, ADRSTuner, adapt, early_specs

logger = logging.getLogger(__name__)

FIRST_SAMPLE, FIRST_TUNING = 16, 48
EARLY_GROWTH = 1.4
SPREAD_POOL = 3_000


def default_batch_size(n: int) -> int:
    """Architectures per round when ``n`` have been evaluated: 2 up to 30, a tenth of them from 100 on."""
    return max(2, round(min(math.pow(n, 1.3) / 40.0, n / 10.0)))


def default_tuner(rounds: int | None) -> ADRSTuner:
    """The tuner that a run starts from: thorough where it chooses once, quick where it chooses again and again.

    An iterating search looks for architectures better than all it has seen. A Gaussian process reaches beyond its
    data and draws neighbours jointly; trees do neither, so they must be better by more than a standard error.
    """
    if rounds == 1:
        return ADRSTuner()
    return ADRSTuner(budget=8, max_rows=250, committee=False, prefer=("gaussian_process",))


class RAPIDOutput(Output):  # type: ignore[misc]  # pymoo ships no types
    """Columns of a verbose run.

    ``predictors``: family of each objective's predictor. ``tuner_adrs``: what the tuner expects of them. ``pred_err``:
    how far the last batch came out from where it was predicted (mean Chebyshev distance in units of the evaluated
    front's range, as ADRS is). ``adrs``: against the problem's known front. ``hv``: hypervolume in units of the first
    sample's bounding box, for problems without one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.front = Column("n_nds", width=6)
        self.families = Column("predictors", width=40)
        self.expected = Column("tuner_adrs", width=10)
        self.error = Column("pred_err", width=10)
        self.obtained = Column("adrs", width=10)
        self.columns += [self.front, self.families, self.expected, self.error, self.obtained]
        self._indicator: ADRS | None = None
        self._box: FloatArray | None = None

    def initialize(self, algorithm: RAPID) -> None:
        """Prepare the indicator: ADRS where the problem knows a front, else hypervolume."""
        front = algorithm.problem.pareto_front()
        self._indicator = ADRS(front) if front is not None and len(front) else None
        if self._indicator is None:
            self.obtained.name = "hv"

    def update(self, algorithm: RAPID) -> None:
        """Fill the columns from the algorithm's state."""
        super().update(algorithm)
        self.front.set(len(algorithm.opt))
        tuned, predictors = algorithm.tuned, algorithm.predictors
        self.families.set("/".join(predictors.families) if predictors is not None else None)
        self.expected.set(tuned.adrs if tuned is not None else None)
        self.error.set(algorithm.batch_error)
        self.obtained.set(self._quality(algorithm.pop.get("F")))

    def _quality(self, F: FloatArray) -> float | None:
        if self._indicator is not None:
            return float(self._indicator(F))
        finite = F[np.isfinite(F).all(axis=1)]
        if self._box is None and len(finite):
            self._box = np.array([finite.min(axis=0), finite.max(axis=0)])
        return box_hypervolume(finite, *self._box) if self._box is not None else None


class RAPID(Algorithm):  # type: ignore[misc]  # pymoo ships no types
    """Surrogate-based search with one tuned predictor per objective.

    Parameters
    ----------
    n_initial : int
        Size of the first sample; fewer rows than the 16 of the default are too few to choose by.
    batch_size : int, optional
        Architectures evaluated per round; :func:`default_batch_size` otherwise, a schedule that does not depend on the
        budget. With ``rounds=1`` the predicted front is evaluated whole, and at least so many.
    rounds : int, optional
        Rounds after the first sample; until termination by default. 1 is the published one-shot method, whose only
        batch is the whole predicted front.
    parts : int
        With ``rounds=1``, batches in which as many architectures as that front has are evaluated. With two or more each
        batch has the largest expected gain, and the predictors, tuned once, are fitted again before it.
    tuner : ADRSTuner, optional
        Chooses the predictors; :func:`default_tuner` otherwise.
    specs : sequence of PredictorSpec, Committee or None, optional
        Predictors to use as they are, without tuning: one per objective, None for a computed one.
    search : {"auto", "exhaustive", "nsga2", "nsga3"}
        How the predicted objectives are searched: all candidates where they can be listed ("auto", else NSGA-II or,
        from four objectives, NSGA-III), or NSGA-II/III in any case.
    candidates : {"auto", "members", "space"}
        Where proposals come from: a table's members, or the whole space. "auto" takes the members on a table.
    retune : float
        Tune again when the number of evaluations has grown by this factor; ``numpy.inf`` tunes once. The first tuning
        is at 48 evaluations: fewer do not tell many configurations apart, and until then one of four Gaussian processes
        serves (:func:`~rapid_moo.tuning.early_specs`).
    sampling : {"designed", "random"}
        The first sample: representatives of the space (see :mod:`rapid_moo.design`), or random as published.
    acquisition : callable
        Chooses a batch, see :data:`rapid_moo.acquisition.Acquisition`; by default the one that is expected to cover
        most of the front.
    **kwargs
        Passed to pymoo's ``Algorithm``.

    Attributes
    ----------
    tuned : TunerResult or None
        The latest tuning.
    predictors : PredictorSet or None
        The predictors of the latest round.
    limits : PredictorSet or None
        Predictors of the constraints of a problem that is not an ``ArchitectureProblem``; feasible is at most 0.
    seconds : dict
        Seconds by phase: tune, fit, search. Their sum is the overhead, all else is the evaluation of architectures.
    searched : ndarray of shape (n, n_var) or None
        Genotypes among which the latest batch was chosen, the known ones included.
    batch_error : float or None
        Mean Chebyshev distance between predicted and obtained objectives of the last batch, in units of the evaluated
        front's range.

    References
    ----------
    RAPID, hardware-aware neural architecture search with predictor triplets chosen by ADRS (McGill Edge Intelligence
    Lab). Iteration and batch choice are this project's own, see :mod:`rapid_moo.acquisition`.
    """

    def __init__(
        self,
        n_initial: int = FIRST_SAMPLE,
        batch_size: int | None = None,
        rounds: int | None = None,
        parts: int = 1,
        tuner: ADRSTuner | None = None,
        specs: Sequence[Spec | None] | None = None,
        search: str = "auto",
        candidates: str = "auto",
        retune: float = 2.0,
        sampling: str = "designed",
        acquisition: Acquisition = expected_coverage,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("output", RAPIDOutput())
        super().__init__(**kwargs)
        for name, value in (
            ("n_initial", n_initial),
            ("batch_size", batch_size),
            ("rounds", rounds),
            ("parts", parts),
        ):
            if value is not None and value < 1:
                raise InputError(f"{name}: expected a positive number, got {value}")
        if parts > 1 and rounds != 1:
            raise InputError(f"parts: expected 1 unless rounds is 1, got {parts} with rounds={rounds}")
        if search not in SEARCHES:
            raise InputError(f"search: expected one of {', '.join(SEARCHES)}, got {search!r}")
        if sampling not in SAMPLINGS:
            raise InputError(f"sampling: expected one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        if not retune > 1.0:
            raise InputError(f"retune: expected a factor above 1, got {retune}")
        self.n_initial, self.batch_size, self.rounds = n_initial, batch_size, rounds
        self.parts, self.sampling, self.acquisition = parts, sampling, acquisition
        self.tuner, self.specs = tuner or default_tuner(rounds), specs
        self.search, self.candidates, self.retune = search, candidates, retune
        self.tuned: Any = None
        self.predictors: Any = None
        self.limits: PredictorSet | None = None
        self.seconds: dict[str, float] = {"tune": 0.0, "fit": 0.0, "search": 0.0}
        self.searched: IntArray | None = None
        self.batch_error: float | None = None
        self._chosen: Sequence[Spec | None] = ()
        self._chosen_at = self._limits_chosen_at = 0
        self._expected: FloatArray | None = None
        self._front_size: int | None = None

    # -------------------------------------------------------------- pymoo hooks
    pop: Any

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        self.view = SpaceView(problem, self.candidates)
        budget = getattr(self.termination, "n_max_evals", None)
        known = budget is not None and np.isfinite(budget)
        self._budget = min(int(budget), self.view.n_members) if budget is not None and known else None
        self._n_initial = min(self.n_initial, self.view.n_members)

    def _initialize_infill(self) -> Population:
        return self._population(self._first_sample())

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        self.pop = infills

    @one_blas_thread
    def _infill(self) -> Population:
        known = self.view.genotypes(self.pop.get("X"))
        if not np.isfinite(self.pop.get("F")).all(axis=1).any():
            return self._population(self._another_sample(known))
        self._learn(known)
        with self._timed("search"):
            self.searched = np.vstack([self._proposals(known), known])
            proposals = self.view.new_only(self.searched, known)
            if len(proposals) == 0:
                batch = proposals
            elif self.rounds == 1:
                batch = self._front_part(proposals, known)
            else:
                size = self._affordable(self.batch_size or default_batch_size(len(known)))
                batch = self._batch(proposals, size)
        return self._population(batch)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None and len(infills):
            self.batch_error = self._surprise(infills.get("F"))
            self.pop = Population.merge(self.pop, infills)
        else:
            self.termination.terminate()
        if self.rounds is not None and self.n_iter > self.rounds + self.parts - 1:
            self.termination.terminate()

    # ------------------------------------------------------------------- steps
    def _first_sample(self) -> IntArray:
        return self.view.first_sample(self._affordable(self._n_initial), self.sampling, self.random_state)

    def _another_sample(self, known: IntArray) -> IntArray:
        """More of the space at random, where all that was evaluated failed."""
        logger.warning("all %d evaluations failed: another sample", len(known))
        size = self._affordable(self.batch_size or self._n_initial)
        pool = self.view.first_sample(min(size + len(known), self.view.n_members), "random", self.random_state)
        return self.view.new_only(pool, known)[:size]

    def _learn(self, known: IntArray) -> None:
        """Choose predictors where it is time to, then fit them on everything known."""
        sample = self.view.sample_table(known, self.pop.get("F"))
        seed = int(self.random_state.integers(2**31))
        if self.specs is None:
            with self._timed("tune"):
                self._choose(sample, seed)
        specs = adapt(self.specs or self._chosen, sample)
        with self._timed("fit"):
            if self.predictors is None or list(self.predictors.specs) != list(specs):
                self.predictors = PredictorSet(sample.space, sample.objectives, specs, seed=seed)
            self.predictors.fit(sample, warm_start=True)
            self._learn_constraints(known, seed)

    def _learn_constraints(self, known: IntArray, seed: int) -> None:
        """Predict a foreign problem's constraints by the likeliest of a few processes."""
        values = self.view.constraint_table(known, self.pop)
        if values is None:
            return
        if self.limits is None or len(values) >= EARLY_GROWTH * self._limits_chosen_at:
            specs = adapt(early_specs(values, seed), values)
            self.limits = PredictorSet(values.space, values.objectives, specs, seed=seed)
            self._limits_chosen_at = len(values)
        self.limits.fit(values, warm_start=True)

    def _choose(self, sample: ArchitectureTable, seed: int) -> None:
        """Tune where it is time to; before the first tuning, choose among a few processes."""
        n = len(sample)
        if self._time_to_tune(n):
            self.tuned = self.tuner.with_seed(seed).tune(sample)
            self._chosen, self._chosen_at = self.tuned.best.specs, n
            logger.info("tuned on %d architectures: %s", n, "/".join(self.tuned.families))
        elif self.tuned is None and n >= EARLY_GROWTH * self._chosen_at:
            self._chosen, self._chosen_at = early_specs(sample, seed), n

    def _time_to_tune(self, n: int) -> bool:
        if self.rounds == 1:
            return self.tuned is None and n >= FEWEST_ROWS
        if self.tuned is None:
            return n >= FIRST_TUNING
        return n >= self.retune * self._chosen_at

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
        return search_predictions(self.view, self.predictors, best, name, seed, self.limits)

    def _batch(self, proposals: IntArray, size: int) -> IntArray:
        """The batch of the largest expected gain among the proposals of the best expected values."""
        mean = self.view.predict_mean(self.predictors, proposals)
        if len(proposals) > SPREAD_POOL:
            violated = predicted_violations(self.view, proposals, mean, self.limits).max(axis=1, initial=0.0) > 0.0
            order = np.lexsort((pareto_ranks(mean), violated))[:SPREAD_POOL]
            proposals = proposals[np.sort(order)]
        mean, std = self.view.predict(self.predictors, proposals)
        met = within_constraints(self.view, proposals, mean, std, size, self.limits)
        proposals, mean, std = proposals[met], mean[met], std[met]
        done = np.isfinite(self.pop.get("F")).all(axis=1) & self.pop.get("feas")
        candidates = Candidates(mean, std, self.pop.get("F")[done], lambda rows, n: self._draw(proposals[rows], n))
        rows = self.acquisition(candidates, size, self.random_state)
        self._expected = mean[rows]
        return proposals[rows]

    def _draw(self, X: IntArray, n_draws: int) -> FloatArray:
        return self.view.draw(self.predictors, X, n_draws, self.random_state)

    def _surprise(self, obtained: FloatArray) -> float | None:
        """See ``batch_error``."""
        expected, self._expected = self._expected, None
        known = self.pop.get("F")
        known = known[np.isfinite(known).all(axis=1)]
        if expected is None or len(expected) != len(obtained) or not len(known):
            return None
        done = np.isfinite(obtained).all(axis=1)
        if not done.any():
            return None
        span = np.ptp(known[front_indices(known)], axis=0)
        span = np.where(span > 0.0, span, 1.0)
        return float((np.abs(expected - obtained)[done] / span).max(axis=1).mean())

    def _front_part(self, proposals: IntArray, known: IntArray) -> IntArray:
        """What is evaluated of the predicted front in this part; the first prediction says how much in all."""
        if self._front_size is None:
            batch = self._predicted_front(proposals, known)
            self._front_size = len(batch)
            if self.parts == 1:
                return batch
        left = self._n_initial + self._front_size - len(known)
        parts_left = self.parts - (self.n_iter - 2)  # pymoo's counter is 2 in the first
        size = self._affordable(math.ceil(left / parts_left))
        return self._batch(proposals, size) if size else proposals[:0]

    def _predicted_front(self, proposals: IntArray, known: IntArray) -> IntArray:
        """The published step: every new architecture on the front of the predictions, known ones included.

        With a ``batch_size``, as many more as it takes, of the largest expected gain.
        """
        everyone = np.vstack([proposals, known])
        mean, std = self.view.predict(self.predictors, everyone)
        met = np.flatnonzero(within_constraints(self.view, everyone, mean, std, 1, self.limits))
        front = met[front_indices(mean[met])]
        picked = front[front < len(proposals)]
        batch = everyone[picked]
        more = (self.batch_size or 0) - len(batch)
        left = np.delete(proposals, picked, axis=0)
        if more > 0 and len(left):
            batch = np.vstack([batch, self._batch(left, more)])
        self._expected = None
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
