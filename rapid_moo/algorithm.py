"""RAPID as a pymoo Algorithm: sample, tune, search the predicted objectives, evaluate, and again.

``minimize(problem, RAPID(), ("n_eval", 300), seed=1)`` works on any problem with integer variables; on an
:class:`~rapid_moo.problem.ArchitectureProblem` the space's features, computed objectives and table members are used.
:class:`OneShotRAPID` is the published method: a sample, one tuned triplet, its whole predicted front.

What a run learns from is its bill on the problem's store: what was known beforehand (imports, evaluated individuals
given as ``sampling``), and what it asked for itself. What was asked for and not yet told counts as chosen, so that any
number of evaluations may be under way.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.termination.default import DefaultTermination
from pymoo.util.optimum import filter_optimum

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, FloatArray, IntArray, Stopwatch, copied, drawn_seed, one_blas_thread
from rapid_moo.acquisition import Acquisition, expected_coverage
from rapid_moo.batches import Batch, Chooser, batch_stops
from rapid_moo.bill import Bill
from rapid_moo.candidates import SEARCHES, evolve_predictions, search_predictions
from rapid_moo.curves import Stops
from rapid_moo.decoupling import Decoupling, Screening, screened
from rapid_moo.design import FIRST_SAMPLE, SAMPLINGS, designed_sample
from rapid_moo.display import RAPIDOutput
from rapid_moo.errors import InputError
from rapid_moo.learning import Learner
from rapid_moo.objectives import plausible, to_minimised
from rapid_moo.opening import INFORMED_SAMPLE, informed_sample, told_of_all
from rapid_moo.pareto import front_indices, front_range
from rapid_moo.predictors import PredictorSet, Spec
from rapid_moo.priors import Prior, Priors
from rapid_moo.priors.pooling import FEWEST_OWN
from rapid_moo.repeating import Measured, Repeating, mixed_batch
from rapid_moo.result import RunResult
from rapid_moo.spending import Spending, UnderWay
from rapid_moo.success import SuccessModel
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import ADRSTuner, TunerResult
from rapid_moo.view import CANDIDATES, Knowledge, SpaceView

logger = logging.getLogger(__name__)

ITERATING_BUDGET = 8
"""Configurations per objective that a round's tuning may fit."""


def default_batch_size(n: float) -> int:
    """Architectures per round when ``n`` have been evaluated: 2 up to 30, a tenth of them from 100 on."""
    return max(2, round(min(math.pow(n, 1.3) / 40.0, n / 10.0)))


def default_tuner(**settings: Any) -> ADRSTuner:
    """The tuner of an iterating run, quick because it chooses again and again; ``settings`` replace some of its own.

    An iterating search looks for architectures better than all it has seen. A Gaussian process reaches beyond its
    data and draws neighbours jointly; trees do neither, so they must be better by more than a standard error. Of its
    few configurations Nevergrad proposes two: the optimizer is one that needs no further libraries.
    """
    own: dict[str, Any] = {
        "budget": ITERATING_BUDGET,
        "max_rows": 250,
        "shortlist": 5,
        "optimizer": "DiscreteOnePlusOne",
        "committee": False,
        "prefer": ("gaussian_process",),
    }
    return ADRSTuner(**own | settings)


class RAPID(Shown, Algorithm):  # type: ignore[misc]  # pymoo ships no types
    """Surrogate-based search with one tuned predictor per objective.

    Parameters
    ----------
    n_initial : int, optional
        Size of the first sample. By default 12, or 5 where priors tell of every objective (see
        :mod:`rapid_moo.opening`), and one less than the budget at most. What is known beforehand counts towards it.
    batch_size : int, optional
        Architectures evaluated per round; :func:`default_batch_size` otherwise, a schedule that does not depend on the
        budget.
    rounds : int, optional
        Rounds after the first sample; until termination by default.
    tuner : ADRSTuner, optional
        Chooses the predictors; :func:`default_tuner` otherwise.
    specs : sequence of PredictorSpec, Committee or None, optional
        Predictors to use as they are, without tuning: one per objective, None for a computed one.
    search : {"auto", "exhaustive", "nsga2", "nsga3"}
        How the predicted objectives are searched: all candidates where they can be listed ("auto", else by
        :func:`~rapid_moo.candidates.evolve_predictions`), or NSGA-II/III in any case.
    candidates : {"auto", "members", "space"}
        Where proposals come from: a table's members, or the whole space. "auto" takes the members on a table.
    retune : float
        Tune again when the number of evaluations has grown by this factor; ``numpy.inf`` tunes once. The first tuning
        is at 48 evaluations: fewer do not tell many configurations apart, and until then one of four Gaussian processes
        serves (:func:`~rapid_moo.tuning.early_specs`).
    sampling : {"designed", "random"}, Population or array-like of shape (n, n_var)
        The first sample: representatives of the space (see :mod:`rapid_moo.design`) or, where priors tell of every
        objective, of what is known elsewhere; random ones; or as pymoo has it individuals (evaluated ones are learnt
        from and cost nothing) or variables of one's own.
    decoupled : bool
        Whether cheap objectives may be measured first where costs are stated and the budget is one of cost, see
        :mod:`rapid_moo.decoupling`. Then an architecture is also chosen by what is left to pay of it: one whose dear
        values were taken over costs little.
        With ``ask`` and ``tell`` an individual's ``wanted`` says which objectives are asked for; what is not measured
        is told as NaN.
        Where an objective says ``repeats="auto"``, so does that of what is to be measured once more, see
        :mod:`rapid_moo.repeating`: its new value is told, or it is evaluated as any other.
    stopping : bool
        Whether measurements that report on their way may be stopped, see :mod:`rapid_moo.stopping`.
    acquisition : callable
        Chooses a batch, see :data:`rapid_moo.acquisition.Acquisition`; by default the one that is expected to cover
        most of the front.
    priors : sequence
        What other devices, data sets or studies know, each a :class:`~rapid_moo.Prior` or what one can be made of: a
        table's file, the folder of a study, a frame, a table. See :mod:`rapid_moo.priors`.
    **kwargs
        Of pymoo's ``Algorithm``: ``output``, ``callback``, ``termination`` and so on.

    Attributes
    ----------
    bill : Bill
        Rows of the problem's store that this run learns from, and how many of them are billed.
    tuned : TunerResult or None
        The latest tuning.
    predictors : PredictorSet or None
        The predictors of the latest round.
    success : SuccessModel or None
        Where evaluations fail; None until one has.
    priors : Priors or None
        What was understood of the priors.
    limits : PredictorSet or None
        Predictors of the constraints of a problem that is not an ``ArchitectureProblem``; feasible is at most 0.
    seconds : dict
        Seconds by phase: tune, fit, search. Their sum is the overhead, all else is the evaluation of architectures.
    searched : ndarray of shape (n, n_var) or None
        Genotypes among which the latest batch was chosen, the known ones included.
    wanted : ndarray of shape (n, n_objectives) or None
        Which objectives to measure of each architecture of the latest proposal; of one that is known, once more.
    stops : dict of bytes to Stops
        When to stop the measurement of architectures of the latest proposal, by key.
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
        n_initial: int | None = None,
        batch_size: int | None = None,
        rounds: int | None = None,
        tuner: ADRSTuner | None = None,
        specs: Sequence[Spec | None] | None = None,
        search: str = "auto",
        candidates: str = "auto",
        retune: float = 2.0,
        sampling: Any = "designed",
        acquisition: Acquisition = expected_coverage,
        priors: Sequence[Any] | Priors = (),
        decoupled: bool = True,
        stopping: bool = True,
        **kwargs: Any,
    ) -> None:
        unknown = set(kwargs) - set(inspect.signature(Algorithm.__init__).parameters)
        if unknown:
            known = sorted(set(inspect.signature(RAPID.__init__).parameters) - {"self", "kwargs"})
            raise InputError(
                f"{type(self).__name__}: unknown {', '.join(sorted(unknown))}; expected some of {', '.join(known)}"
            )
        kwargs.setdefault("output", RAPIDOutput())
        super().__init__(**kwargs)
        for name, value in (("n_initial", n_initial), ("batch_size", batch_size), ("rounds", rounds)):
            if value is not None and value < 1:
                raise InputError(f"{name}: expected a positive number, got {value}")
        if search not in SEARCHES:
            raise InputError(f"search: expected one of {', '.join(SEARCHES)}, got {search!r}")
        if candidates not in CANDIDATES:
            raise InputError(f"candidates: expected one of {', '.join(CANDIDATES)}, got {candidates!r}")
        if isinstance(sampling, str) and sampling not in SAMPLINGS:
            raise InputError(f"sampling: expected one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        if not retune > 1.0:
            raise InputError(f"retune: expected a factor above 1, got {retune}")
        self.n_initial, self.batch_size, self.rounds = n_initial, batch_size, rounds
        self.sampling, self.acquisition = sampling, acquisition
        self.tuner, self.specs = tuner or default_tuner(), specs
        self.search, self.candidates, self.retune = search, candidates, retune
        self.decoupled, self.stopping = decoupled, stopping
        self.wanted: BoolArray | None = None
        self.stops: dict[bytes, Stops] = {}
        single = isinstance(priors, str | Path | Prior | ArchitectureTable | pd.DataFrame)
        self.told_beforehand: Any = [priors] if single else priors
        self.priors: Priors | None = None
        self.searched: IntArray | None = None
        self.batch_error: float | None = None
        self.learner: Learner | None = None
        self._stopwatch = Stopwatch("tune", "fit", "search")
        self._rounds = 0
        self._priced = False
        self._decoupling: Decoupling | None = None
        self._repeating: Repeating | None = None
        self._informed = False
        self._latest: Batch | None = None
        self._expected: dict[bytes, FloatArray] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> RAPID:
        return copied(self, memo, ("searched",))

    @property
    def tuned(self) -> TunerResult | None:
        """The latest tuning."""
        return self.learner.tuned if self.learner is not None else None

    @property
    def predictors(self) -> PredictorSet | None:
        """The predictors of the latest round."""
        return self.learner.predictors if self.learner is not None else None

    @property
    def success(self) -> SuccessModel | None:
        """Where evaluations fail; None until one has."""
        return self.learner.success if self.learner is not None else None

    @property
    def limits(self) -> PredictorSet | None:
        """Predictors of a foreign problem's constraints."""
        return self.learner.limits if self.learner is not None else None

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase: tune, fit, search."""
        return self._stopwatch.seconds

    # -------------------------------------------------------------- pymoo hooks
    pop: Any

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        self.view = SpaceView(problem, self.candidates)
        if self.told_beforehand:
            told = self.told_beforehand
            ready = isinstance(told, Priors)
            self.priors = told if ready else Priors(self.view.space, self.view.objectives, told)
            self.priors.take_over(self.view.store, self.view.members if self.view.restricted else None)
        self.bill = Bill(self.view.store)
        self.bill.take_free()
        by_evaluations = np.isfinite(getattr(self.termination, "n_max_evals", None) or np.inf)
        self._priced = self.decoupled and self.view.native and problem.costs_stated and not by_evaluations
        if self._priced:
            self._decoupling = Decoupling.of(problem)
        self._repeating = Repeating.of(problem) if self.view.native else None
        if self.specs is not None and len(self.specs) != len(self.view.objectives):
            raise InputError(f"specs: expected {len(self.view.objectives)}, one per objective, got {len(self.specs)}")
        self._under_way = UnderWay(self.view.space.n_var)
        self._spending = self._may_spend()
        default = self.n_initial is None and isinstance(self.sampling, str) and self.sampling == "designed"
        self._informed = default and told_of_all(self.view, self.priors)
        self.learner = self._make_learner()
        self.chooser = Chooser(self.view, self.learner, self.acquisition, self.random_state, self._priced)
        self._given = self._read_sampling()

    @property
    def first_sample(self) -> int:
        """Size of the first sample; by default it leaves something of the budget to be chosen."""
        if self.n_initial is not None:
            return min(self.n_initial, self.view.n_members)
        size = INFORMED_SAMPLE if self._informed else FIRST_SAMPLE
        # What is known in part costs little to complete.
        cheap = self._priced and self.view.store.open.sum() >= size
        most = math.inf if cheap else max(2.0, self._spending.most - 1.0)
        return int(min(size, most, self.view.n_members))

    def _make_learner(self, **settings: Any) -> Learner:
        return Learner(
            self.view,
            self.tuner,
            self.specs,
            self.retune,
            self.priors,
            self.first_sample,
            self._stopwatch,
            **settings,
        )

    def _read_sampling(self) -> IntArray:
        """What ``sampling`` asks to be evaluated; what it brings evaluated is put on the bill, free of charge."""
        if isinstance(self.sampling, str):
            return np.empty((0, self.view.space.n_var), dtype=np.int64)
        told = self._given_population()
        if len(told) == 0:
            return np.empty((0, self.view.space.n_var), dtype=np.int64)
        done = np.array(["F" in individual.evaluated for individual in told], dtype=np.bool_)
        if done.any():
            self.bill.add(self.view.take_in(told[done], free=True), free=True)
        X = self.view.genotypes(told.get("X"))
        settled = self.view.store.known(X)
        self.bill.add(self.view.store.find(X)[settled], free=True)
        return self.view.new_only(X, X[settled])

    def _given_population(self) -> Population:
        """``sampling`` in any of the forms that pymoo knows."""
        given = self.sampling
        if isinstance(given, Sampling):
            given = given(self.problem, self.first_sample, random_state=self.random_state)
        if isinstance(given, Population):
            return given
        values = np.asarray(given)
        return Population.new("X", values if values.dtype == object else np.atleast_2d(values))

    def next(self) -> None:
        """One iteration, as pymoo makes it; what is wanted in part is evaluated in part."""
        infills = self.infill()
        if infills is not None:
            self._evaluate_parts(infills)
            # Another problem need not know the word.
            planned = {"stops": self.stops} if self.stops else {}
            self.evaluator.eval(self.problem, infills, algorithm=self, **planned)
            self.advance(infills=infills)
        else:
            self.advance()

    def _evaluate_parts(self, infills: Population) -> None:
        """Measure what is screened, so that the evaluator finds it done."""
        if not self._under_way.parts or not len(infills):
            return
        part = infills[~infills.get("wanted").all(axis=1)]
        part = part[[key in self._under_way.parts for key in self.view.space.keys(self.view.genotypes(part.get("X")))]]
        if len(part):
            raw = self.problem.evaluate_parts(self.view.genotypes(part.get("X")), part.get("wanted"))
            part.set("F", to_minimised(raw, self.view.objectives))
            part.apply(lambda individual: individual.evaluated.update(["F", "G", "H"]))

    def _initialize_infill(self) -> Population:
        return self._infill()

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        before = self.bill.rows
        # pymoo has put what is told now in its place.
        self.pop = self.view.population(before)
        self.pop = Population.merge(self.pop, self._told(infills))

    def _infill(self) -> Population:
        X = self.propose()
        for x, mask in self._under_way.again.values():
            # Whoever evaluates it finds that it is not known any more.
            names = [name for name, on in zip(self.view.store.objectives, mask, strict=True) if on]
            self.view.store.ask(x[None], objectives=names, again=True)
        return self._population(X)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None and len(infills):
            self.batch_error = self._surprise(infills)
            self.pop = Population.merge(self.pop, self._told(infills))
        elif not self._under_way:
            self.termination.terminate()
        if self.rounds is not None and self._rounds >= self.rounds and not self._under_way:
            self.termination.terminate()

    def result(self) -> RunResult:
        """Pymoo's result, with frames and ADRS, see :class:`~rapid_moo.result.RunResult`."""
        found: Any = super().result()
        found.__class__ = RunResult
        found.bill, found.view = self.bill, self.view
        return cast(RunResult, found)

    def _shown(self) -> tuple[str, Lines]:
        lines: list[tuple[str, Any]] = [("first sample", self.n_initial or FIRST_SAMPLE)]
        if self.is_initialized:
            lines = [
                ("problem", self.problem.name() if self.view.native else type(self.problem).__name__),
                ("evaluations", len(self.bill)),
                ("front", len(self.opt) if self.opt is not None else 0),
            ]
        if self.predictors is not None:
            lines.append(("predictors", list(self.predictors.families)))
        if self.tuned is not None:
            lines.append(("tuner's ADRS", float(self.tuned.adrs)))
        return type(self).__name__, lines

    def _told(self, infills: Population | None) -> Population:
        """Told individuals, now in the store and on the bill; a failed one is infinite, one known in part left out."""
        if infills is None or len(infills) == 0:
            return Population.empty()
        store, before = self.view.store, set(self.bill.rows.tolist())
        rows = self.view.take_in(infills, screening={key: mask for key, (_, mask) in self._under_way.parts.items()})
        keys = self.view.space.keys(store.X[rows])
        again = np.array([key in self._under_way.again for key in keys], dtype=np.bool_)
        self.bill.repeat(np.unique(rows[again]))
        self.bill.add(rows)
        self._under_way.drop(keys)
        self.view.complete_told(infills, rows)
        if again.any():
            self._renew(infills[again], rows[again])
        whole = np.array([store.settled(row) for row in rows.tolist()], dtype=np.bool_) & ~again
        if len(np.unique(rows)) < len(rows) or not before.isdisjoint(rows.tolist()):
            whole &= self._first_told(rows)
        return infills if whole.all() else infills[whole]

    def _first_told(self, rows: IntArray) -> BoolArray:
        """Which told rows of the store are not in the population yet, each once: a front has no architecture twice."""
        known = self.pop if self.pop is not None else Population.empty()
        seen = set(self.view.store.find(self.view.genotypes(known.get("X"))).tolist()) if len(known) else set()
        found = np.isin(rows, list(seen), invert=True)
        return found & np.isin(np.arange(len(rows)), np.unique(rows, return_index=True)[1])

    def _renew(self, told: Population, rows: IntArray) -> None:
        """Give individuals of what was measured again the means of all that was measured."""
        known = dict(zip(rows.tolist(), self.view.population(rows), strict=True))
        everyone = Population.merge(told, self.pop if self.pop is not None else Population.empty())
        places = self.view.store.find(self.view.genotypes(everyone.get("X")))
        for individual, row in zip(everyone, places.tolist(), strict=True):
            if (found := known.get(row)) is not None:
                individual.F, individual.G = found.F, found.G

    def _succeeded(self) -> Population:
        """The population without what failed."""
        return self.pop[np.isfinite(self.pop.get("F")).all(axis=1)] if len(self.pop) else self.pop

    def _set_optimum(self) -> None:
        """The front of what succeeded: a failed evaluation is never part of a result."""
        done = self._succeeded()
        self.opt = filter_optimum(done, least_infeasible=True) if len(done) else Population.empty()

    def _post_advance(self) -> None:
        termination = self.termination
        if not isinstance(termination, DefaultTermination) or len(self._succeeded()):
            super()._post_advance()
            return
        # pymoo's default asks how the front moves, and there is none yet: its limits alone count.
        criteria, termination.criteria = termination.criteria, [termination.max_gen, termination.max_evals]
        try:
            super()._post_advance()
        finally:
            termination.criteria = criteria

    # ------------------------------------------------------------------- asking
    def follow(self) -> None:
        """Learn from everything that the store holds, whoever measured it; what is pending there counts as chosen."""
        store = self.view.store
        self.bill = Bill(store)
        self.bill.add(np.flatnonzero(store.tried))
        self._under_way = UnderWay.of(store)

    @one_blas_thread
    def propose(self, size: int | None = None, limit: int | None = None, cost: float | None = None) -> IntArray:
        """What to evaluate next: distinct architectures that are neither known nor pending, which they are then.

        Parameters
        ----------
        size : int, optional
            How many; by default the rest of the first sample, then what the schedule gives.
        limit : int, optional
            No more than so many, whatever the schedule gives.
        cost : float, optional
            No more than so much may be spent on them, where costs are stated.

        Returns
        -------
        ndarray of shape (n, n_var)
            Repaired genotypes; fewer, or none, where the space or the budget ends.
        """
        known = self.view.knowledge(self.bill, self._under_way.X, self._under_way.begun)
        self._spending, self.stops = self._may_spend(limit, cost), {}
        X = self._next(known, size)
        X, again, repeated = self._repeat(X, known)
        most = min((n for n in (size, limit) if n is not None), default=None)
        screening = self._screen(X, known, most)
        parts, masks = screening.X, screening.wanted
        X = self.view.new_only(X, screening.waiting)
        self._latest = None
        if most is not None:
            X = X[: max(0, most - len(parts) - len(again))]
        for key, x in zip(self.view.space.keys(X), X, strict=True):
            self._under_way.whole[key] = x
        for key, x, mask in zip(self.view.space.keys(parts), parts, masks, strict=True):
            self._under_way.parts[key] = x, mask
        for key, x, mask in zip(self.view.space.keys(again), again, repeated, strict=True):
            self._under_way.again[key] = x, mask
        self.wanted = np.vstack([self.view.missing(X), masks, repeated])
        return np.vstack([X, parts, again])

    def _may_spend(self, limit: int | None = None, cost: float | None = None) -> Spending:
        termination, priced, repeating = self.termination, self._priced, self._repeating
        return Spending(self.view, self.bill, self._under_way, termination, priced, repeating, limit, cost)

    def _repeat(self, X: IntArray, known: Knowledge) -> tuple[IntArray, IntArray, BoolArray]:
        """What stays of a batch, and what is measured again in place of the rest, see :mod:`rapid_moo.repeating`."""
        nothing = X, X[:0], np.empty((0, len(self.view.objectives)), dtype=np.bool_)
        repeating, batch = self._repeating, self._latest
        if repeating is None or batch is None or not len(X) or not known.feasible.any():
            return nothing
        store = self.view.store
        tried = self.bill.rows[store.tried[self.bill.rows]]
        left = repeating.left(store, tried, len(batch.chosen), self._spending.again_cost())
        with self._stopwatch("search"):
            measured = self._measured(repeating, known)
            kept, rows, masks = mixed_batch(batch, measured, repeating, len(known.pending), left, self.random_state)
        if not len(rows):
            return nothing
        self._latest = replace(batch, chosen=kept)
        return batch.X[kept], store.X[rows], masks

    def _measured(self, repeating: Repeating, known: Knowledge) -> Measured:
        """What may be measured again, with what predictors that have not seen it say."""
        assert self.predictors is not None
        store = self.view.store
        X = known.X[known.feasible]
        rows = store.find(X)
        asked = [key in self._under_way.again for key in self.view.space.keys(X)]
        busy = np.isin(rows, np.flatnonzero(store.pending)) | np.array(asked, dtype=np.bool_)
        return Measured.of(store, rows, self.view.objectives, repeating, self.predictors.predict_unseen(X), ~busy)

    def _screen(self, X: IntArray, known: Knowledge, size: int | None) -> Screening:
        """What is measured in part before and beside a batch, see :mod:`rapid_moo.decoupling`."""
        nothing = Screening(X[:0], np.empty((0, len(self.view.objectives)), dtype=np.bool_), X[:0])
        if self._decoupling is None or self._latest is None:
            return nothing
        cost = self._spending.for_screening(self._decoupling, known, self._spending.whole(X))
        left = self._spending.cost_left()
        before = self.random_state.bit_generator.state
        with self._stopwatch("search"):
            unknown = self.view.missing(self._latest.X)
            whole = np.inf if left is None else left
            found = screened(self._latest, unknown, self._decoupling, cost, whole, size, self.random_state)
        if not len(found.X):
            # As if nobody had asked: a run in which nothing is worth screening is the coupled one.
            self.random_state.bit_generator.state = before
        for key in self.view.space.keys(found.waiting):
            self.stops.pop(key, None)
        return found

    def _next(self, known: Knowledge, size: int | None) -> IntArray:
        first = self._first_sample(known, size)
        if len(first):
            return first[: size if size is not None else len(first)]
        if not known.complete.any():
            return self._another_sample(known, size or self.batch_size or self.first_sample)
        if len(known.pending) and known.complete.sum() < FEWEST_OWN:
            return self._another_sample(known, size or 1)
        self._rounds += 1
        assert self.learner is not None
        self.learner.learn(known, drawn_seed(self.random_state))
        with self._stopwatch("search"):
            found = self._proposals(known)
            self.searched = np.vstack([found, known.X[known.complete]])
            proposals = self.view.new_only(found, known.settled)
            if known.open.any():
                proposals = self.view.new_only(np.vstack([proposals, known.X[known.open]]), known.settled)
            if len(proposals) == 0:
                return proposals
            return self._select(proposals, known, size)

    def _first_sample(self, known: Knowledge, wanted: int | None) -> IntArray:
        """What is missing of the first sample: what ``sampling`` gives, or representatives."""
        if len(self._given):
            n = self._spending.affordable(min(len(self._given), wanted or len(self._given)))
            given, self._given = self._given[:n], self._given[n:]
            return given
        begun_or_done = self._n_usable(known) - int(known.open.sum()) + len(known.pending)
        missing, begun = self.first_sample - begun_or_done, known.X[known.open]
        if self._priced and 1 <= missing <= len(begun) and self._spending.limit is None:
            X = self._of_begun(known, missing)
            return X[np.cumsum(self.view.shares(X)) <= self._spending.whole_left()]
        size = self._spending.affordable(missing)
        if size < 1:
            return known.pending[:0]
        if len(begun) >= size:
            # Known in part: the rest of them is worth more than strangers.
            return self._of_begun(known, size)
        if self._informed and len(found := self._recommended(known, size)):
            return found
        sampling = self.sampling if isinstance(self.sampling, str) else "designed"
        return self.view.first_sample(size, sampling, self.random_state, known.settled)

    def _n_usable(self, known: Knowledge) -> int:
        """How many architectures are known, without those that came known in part and cannot be measured."""
        store = self.view.store
        rows = self.bill.rows[store.tried[self.bill.rows]]
        return len(known) - int((store.free[rows] & known.failed).sum())

    def _of_begun(self, known: Knowledge, n: int) -> IntArray:
        """A part of the first sample: of what is known in part."""
        if self._informed:
            return self._recommended(known, n)
        return designed_sample(self.view.space, known.X[known.open], n, self.random_state)

    def _another_sample(self, known: Knowledge, size: int) -> IntArray:
        """More of the space: where all that was evaluated failed, or places are free while hardly anything is known."""
        failed, size = int(known.failed.sum()), self._spending.affordable(size)
        if failed and not known.complete.any():
            logger.warning("none of %d evaluations succeeded: another sample", failed)
        elif self._informed and size and len(found := self._recommended(known, size)):
            return found
        settled = known.settled
        n = min(size + len(settled), self.view.n_members)
        return self.view.first_sample(n, "random", self.random_state, settled)[:size]

    def _recommended(self, known: Knowledge, n: int) -> IntArray:
        """What priors recommend to begin with."""
        return informed_sample(self.view, self.priors, known, n, self.random_state)

    def _select(self, proposals: IntArray, known: Knowledge, size: int | None) -> IntArray:
        """Which of the proposals are evaluated."""
        wanted = size or self.batch_size or self._wanted(known)
        affordable, unit = self._spending.affordable(wanted), 1.0
        if not affordable and self._priced and self._spending.limit != 0:
            # What no whole evaluation is left for may complete what is nearly known.
            affordable, unit = 1, self._spending.whole_left()
            proposals = proposals[self.view.shares(proposals) <= unit]
        if not affordable or not len(proposals):
            return proposals[:0]
        batch = self._batch(proposals, affordable, known, unit)
        # A batch of those that little is left to pay of holds more than it costs.
        most = min((n for n in (size, self._spending.limit) if n is not None), default=len(batch))
        return batch[:most]

    def _wanted(self, known: Knowledge) -> int:
        """How many the schedule gives; less what is under way, by which the choice is the staler."""
        n = default_batch_size(self._spending.paid_for(known)) - self._spending.whole(known.pending)
        return max(1, round(n))

    def _proposals(self, known: Knowledge) -> IntArray:
        """Candidates: all of them where they can be listed, else what evolution visits on the predictions."""
        members = self.view.members if self.search in ("auto", "exhaustive") else None
        if members is not None:
            return members
        if self.search == "exhaustive":
            raise InputError(f"search: {self.view.space.size:.3g} architectures are too many for 'exhaustive'")
        assert self.predictors is not None
        best = known.X[front_indices(known.F)]
        seed = drawn_seed(self.random_state)
        if self.search == "auto":
            return evolve_predictions(self.view, self.predictors, best, seed, self.limits, self.success)
        return search_predictions(
            self.view, self.predictors, best, self.search, seed, self.limits, success=self.success
        )

    def _batch(self, proposals: IntArray, size: int, known: Knowledge, unit: float = 1.0) -> IntArray:
        """What is chosen of the proposals, which is remembered with what is expected of it."""
        self._latest = batch = self.chooser.choose(proposals, size, known, unit)
        self._expected |= dict(zip(self.view.space.keys(batch.picked), batch.mean[batch.chosen], strict=True))
        if self.stopping and self.view.native:
            assert self.predictors is not None
            self.stops |= batch_stops(self.view, self.predictors, batch, known)
        return batch.picked

    def _surprise(self, infills: Population) -> float | None:
        """See ``batch_error``."""
        obtained = np.asarray(infills.get("F"), dtype=np.float64).reshape(len(infills), -1)
        keys = self.view.space.keys(self.view.genotypes(infills.get("X")))
        expected = [self._expected.pop(key, None) for key in keys]
        done = plausible(obtained).all(axis=1) & np.array([item is not None for item in expected], dtype=np.bool_)
        known = self._succeeded()
        if not len(known) or not done.any():
            return None
        span = front_range(known.get("F"))
        mean = np.array([item for item, on in zip(expected, done, strict=True) if on])
        return float((np.abs(mean - obtained[done]) / span).max(axis=1).mean())

    # -------------------------------------------------------------------- state
    def state(self) -> dict[str, Any]:
        """What a later process needs beside the store to go on as this one would, in JSON's types."""
        assert self.learner is not None
        return {
            "random": self.random_state.bit_generator.state,
            "rounds": self._rounds,
            **self.learner.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`; the algorithm is set up with the same problem and settings.

        Raises
        ------
        InputError
            If it cannot be understood.
        """
        assert self.learner is not None
        try:
            self.random_state.bit_generator.state = state["random"]
            self._rounds = int(state["rounds"])
            self.learner.restore(state)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"state: expected that of a run of {type(self).__name__}, got: {error!r}") from error

    # ---------------------------------------------------------------- plumbing
    def _population(self, X: IntArray) -> Population:
        if not len(X):
            return Population.empty()
        found = Population.new("X", self.view.variables(X))
        if self._decoupling is not None or self._repeating is not None:
            found.set("wanted", self.wanted)
        return found
