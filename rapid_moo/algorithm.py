"""RAPID as a pymoo Algorithm: sample, tune, search the predicted objectives, evaluate, and again.

``minimize(problem, RAPID(), ("n_eval", 300), seed=1)`` works on any problem with integer variables; on an
:class:`~rapid_moo.problem.ArchitectureProblem` the space's features, computed objectives and table members are used.
:class:`OneShotRAPID` is the published method: a sample, one tuned triplet, its whole predicted front.

What a run learns from is its bill on the problem's store: what was known beforehand (imports, evaluated individuals
given as ``sampling``), and what it asked for itself. What was asked for and not yet told counts as chosen, so that any
number of evaluations may be under way.
"""

from __future__ import annotations

import copy
import inspect
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.termination.default import DefaultTermination
from pymoo.util.display.column import Column
from pymoo.util.display.output import Output
from pymoo.util.optimum import filter_optimum

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, FloatArray, IntArray, one_blas_thread
from rapid_moo.acquisition import Acquisition, Candidates, expected_coverage
from rapid_moo.candidates import (
    LIKELY,
    SEARCHES,
    evolve_predictions,
    predicted_violations,
    search_predictions,
    within_constraints,
)
from rapid_moo.costs import EPSILON, CostBudget
from rapid_moo.decoupling import SHARE, Decoupling, Scene, screened
from rapid_moo.design import SAMPLINGS, designed_sample
from rapid_moo.errors import InputError
from rapid_moo.indicators import ADRS, box_hypervolume
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_indices, pareto_ranks
from rapid_moo.predictors import PredictorSet, Spec, spec_from_dict
from rapid_moo.priors import Prior, Priors
from rapid_moo.result import RunResult
from rapid_moo.store import Bill
from rapid_moo.success import SuccessModel
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import FEWEST_ROWS, ADRSTuner, adapt, early_specs
from rapid_moo.view import CANDIDATES, Knowledge, SpaceView

logger = logging.getLogger(__name__)

FIRST_SAMPLE, FIRST_TUNING = 16, 48
EARLY_GROWTH = 1.4
ITERATING_BUDGET = 8
"""Configurations per objective that a round's tuning may fit."""
SPREAD_POOL = 3_000
TEACHING = 800
"""So many architectures that are known in part teach the predictors where cheap objectives are measured widely."""
LEAST_RISK = 0.02
N_SPACE = 2_000
"""So many random architectures show how much of the space fails."""
MADE_ANEW = frozenset(("predictors", "tuned", "success", "limits", "searched", "_everywhere", "_chosen"))
SAFEST = 0.1
CAREFUL, MOST_CAREFUL = 2.0, 1.2
"""Times the risk of the safest tenth that may be taken: where failures cannot be foreseen, nobody is shut out."""


def default_batch_size(n: int) -> int:
    """Architectures per round when ``n`` have been evaluated: 2 up to 30, a tenth of them from 100 on."""
    return max(2, round(min(math.pow(n, 1.3) / 40.0, n / 10.0)))


def default_tuner(**settings: Any) -> ADRSTuner:
    """The tuner of an iterating run, quick because it chooses again and again; ``settings`` replace some of its own.

    An iterating search looks for architectures better than all it has seen. A Gaussian process reaches beyond its
    data and draws neighbours jointly; trees do neither, so they must be better by more than a standard error.
    """
    own: dict[str, Any] = {
        "budget": ITERATING_BUDGET,
        "max_rows": 250,
        "committee": False,
        "prefer": ("gaussian_process",),
    }
    return ADRSTuner(**own | settings)


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


class RAPID(Shown, Algorithm):  # type: ignore[misc]  # pymoo ships no types
    """Surrogate-based search with one tuned predictor per objective.

    Parameters
    ----------
    n_initial : int
        Size of the first sample; fewer rows than the 16 of the default are too few to choose by. What is known
        beforehand counts towards it.
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
        The first sample: representatives of the space (see :mod:`rapid_moo.design`), random ones, or as pymoo has it
        individuals (evaluated ones are learnt from and cost nothing) or variables of one's own.
    decoupled : bool
        Whether cheap objectives may be measured first where costs are stated and the budget is one of cost, see
        :mod:`rapid_moo.decoupling`. With ``ask`` and ``tell`` an individual's ``wanted`` says which objectives are
        asked for; what is not measured is told as NaN.
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
        Which objectives to measure of each architecture of the latest proposal.
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
        tuner: ADRSTuner | None = None,
        specs: Sequence[Spec | None] | None = None,
        search: str = "auto",
        candidates: str = "auto",
        retune: float = 2.0,
        sampling: Any = "designed",
        acquisition: Acquisition = expected_coverage,
        priors: Sequence[Any] | Priors = (),
        decoupled: bool = True,
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
        self.decoupled = decoupled
        self.wanted: BoolArray | None = None
        single = isinstance(priors, str | Path | Prior | ArchitectureTable | pd.DataFrame)
        self.told_beforehand: Any = [priors] if single else priors
        self.priors: Priors | None = None
        self.tuned: Any = None
        self.predictors: Any = None
        self.success: SuccessModel | None = None
        self.limits: PredictorSet | None = None
        self.seconds: dict[str, float] = {"tune": 0.0, "fit": 0.0, "search": 0.0}
        self.searched: IntArray | None = None
        self.batch_error: float | None = None
        self._chosen: Sequence[Spec | None] = ()
        self._chosen_at = self._tuned_at = self._limits_chosen_at = 0
        self._rounds = 0
        self._limit: int | None = None
        self._cost_limit: float | None = None
        self._everywhere: IntArray | None = None
        self._pending: dict[bytes, IntArray] = {}
        self._screening: dict[bytes, tuple[IntArray, BoolArray]] = {}
        self._decoupling: Decoupling | None = None
        self._scene: Scene | None = None
        self._expected: dict[bytes, FloatArray] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> RAPID:
        # Each round makes these anew, and nothing changes them: a run with its history keeps one of each.
        other = object.__new__(type(self))
        memo[id(self)] = other
        for name, value in vars(self).items():
            setattr(other, name, value if name in MADE_ANEW else copy.deepcopy(value, memo))
        return other

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
        self._n_initial = min(self.n_initial, self.view.n_members)
        by_evaluations = np.isfinite(getattr(self.termination, "n_max_evals", None) or np.inf)
        if self.decoupled and self.view.native and not by_evaluations:
            self._decoupling = Decoupling.of(problem)
        if self.specs is not None and len(self.specs) != len(self.view.objectives):
            raise InputError(f"specs: expected {len(self.view.objectives)}, one per objective, got {len(self.specs)}")
        self._given = self._read_sampling()

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
            given = given(self.problem, self.n_initial, random_state=self.random_state)
        if isinstance(given, Population):
            return given
        values = np.asarray(given)
        return Population.new("X", values if values.dtype == object else np.atleast_2d(values))

    def next(self) -> None:
        """One iteration, as pymoo makes it; what is wanted in part is evaluated in part."""
        infills = self.infill()
        if infills is not None:
            self._evaluate_parts(infills)
            self.evaluator.eval(self.problem, infills, algorithm=self)
            self.advance(infills=infills)
        else:
            self.advance()

    def _evaluate_parts(self, infills: Population) -> None:
        """Measure what is screened, so that the evaluator finds it done."""
        if not self._screening or not len(infills):
            return
        part = infills[~infills.get("wanted").all(axis=1)]
        part = part[[key in self._screening for key in self.view.space.keys(self.view.genotypes(part.get("X")))]]
        if len(part):
            raw = self.problem.evaluate_parts(self.view.genotypes(part.get("X")), part.get("wanted"))
            part.set("F", to_minimised(raw, self.view.objectives))
            part.apply(lambda individual: individual.evaluated.update(["F", "G", "H"]))

    def _initialize_infill(self) -> Population:
        return self._population(self.propose())

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        before = self.bill.rows
        self.pop = Population.merge(self.view.population(before), self._told(infills))

    def _infill(self) -> Population:
        return self._population(self.propose())

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> None:
        if infills is not None and len(infills):
            self.batch_error = self._surprise(infills)
            self.pop = Population.merge(self.pop, self._told(infills))
        elif not self._under_way:
            self.termination.terminate()
        if self.rounds is not None and self._rounds >= self._last_round and not self._under_way:
            self.termination.terminate()

    def result(self) -> RunResult:
        """Pymoo's result, with frames and ADRS, see :class:`~rapid_moo.result.RunResult`."""
        found: Any = super().result()
        found.__class__ = RunResult
        found.bill, found.view = self.bill, self.view
        return cast(RunResult, found)

    def _shown(self) -> tuple[str, Lines]:
        lines: list[tuple[str, Any]] = [("first sample", self.n_initial)]
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

    @property
    def _last_round(self) -> int:
        return self.rounds if self.rounds is not None else 0

    @property
    def _under_way(self) -> bool:
        return bool(self._pending or self._screening)

    def _told(self, infills: Population | None) -> Population:
        """Told individuals, now in the store and on the bill; a failed one is infinite, one known in part left out."""
        if infills is None or len(infills) == 0:
            return Population.empty()
        store = self.view.store
        rows = self.view.take_in(infills, screening={key: mask for key, (_, mask) in self._screening.items()})
        self.bill.add(rows)
        for key in self.view.space.keys(store.X[rows]):
            self._pending.pop(key, None)
            self._screening.pop(key, None)
        self.view.complete_told(infills, rows)
        whole = np.array([store.settled(row) for row in rows.tolist()], dtype=np.bool_)
        return infills if whole.all() else infills[whole]

    def _set_optimum(self) -> None:
        """The front of what succeeded: a failed evaluation is never part of a result."""
        done = self.pop[np.isfinite(self.pop.get("F")).all(axis=1)] if len(self.pop) else self.pop
        self.opt = filter_optimum(done, least_infeasible=True) if len(done) else Population.empty()

    def _post_advance(self) -> None:
        termination = self.termination
        if not isinstance(termination, DefaultTermination) or np.isfinite(self.pop.get("F")).all(axis=1).any():
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
        rows = np.flatnonzero(store.pending)
        self._pending, self._screening = {}, {}
        for row, key in zip(rows.tolist(), store.space.keys(store.X[rows]), strict=True):
            wanted = store.wanted_of(row)
            if (wanted | store.settled_objectives(row)).all():
                self._pending[key] = store.X[row]
            else:
                self._screening[key] = store.X[row], wanted

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
        under_way = [x for x, _ in self._screening.values()]
        screening = np.array(under_way, dtype=np.int64).reshape(len(under_way), self.view.space.n_var)
        known = self.view.knowledge(self.bill, self._waiting(), screening)
        self._limit, self._cost_limit, self._scene = limit, cost, None
        X = self._next(known, size)
        parts, masks = self._screen(X, known, size)
        if size is not None:
            X = X[: size - len(parts)]
        for key, x in zip(self.view.space.keys(X), X, strict=True):
            self._pending[key] = x
        for key, x, mask in zip(self.view.space.keys(parts), parts, masks, strict=True):
            self._screening[key] = x, mask
        self.wanted = np.vstack([self._missing(X), masks])
        return np.vstack([X, parts])

    def _missing(self, X: IntArray) -> BoolArray:
        """Which objectives of architectures that are to be known completely are neither known nor failed."""
        rows = self.view.store.find(X)
        n_obj = len(self.view.objectives)
        found = np.ones((len(X), n_obj), dtype=np.bool_)
        for i in np.flatnonzero(rows >= 0):
            found[i] = ~self.view.store.settled_objectives(rows[i])[:n_obj]
        return found

    def _screen(self, X: IntArray, known: Knowledge, size: int | None) -> tuple[IntArray, BoolArray]:
        """What is measured in part beside a batch, see :mod:`rapid_moo.decoupling`."""
        nothing = X[:0], np.empty((0, len(self.view.objectives)), dtype=np.bool_)
        if self._decoupling is None or self._scene is None:
            return nothing
        cost = self._screening_cost(known, len(X))
        with self._timed("search"):
            return screened(self._scene, self._decoupling, cost, size, self.random_state)

    def _screening_cost(self, known: Knowledge, n_chosen: int) -> float:
        """What may be spent on measuring in part: a share of what complete evaluations cost, less what was spent."""
        assert self._decoupling is not None
        store, price = self.view.store, self.view.price
        rows = self.bill.rows[store.tried[self.bill.rows]]
        costs = store.paid_of(rows) @ self.problem.prices
        whole = float(costs[~known.open].sum()) + (len(known.pending) + n_chosen) * price
        under_way = sum(float(self._decoupling.prices[mask].sum()) for _, mask in self._screening.values())
        cost = SHARE * whole - float(costs[known.open].sum()) - under_way
        left = self._cost_left()
        # Nothing is gained by a measurement after which nothing can be completed any more.
        return cost if left is None else min(cost, left - (n_chosen + 1) * price)

    def _next(self, known: Knowledge, size: int | None) -> IntArray:
        first = self._first_sample(known, size)
        if len(first):
            return first[: size if size is not None else len(first)]
        if not known.complete.any():
            return self._another_sample(known, size)
        self._rounds += 1
        self._learn(known)
        with self._timed("search"):
            found = self._proposals(known)
            self.searched = np.vstack([found, known.X[known.complete]])
            proposals = self.view.new_only(found, known.settled)
            if known.open.any():
                proposals = self.view.new_only(np.vstack([proposals, known.X[known.open]]), known.settled)
            if len(proposals) == 0:
                return proposals
            return self._select(proposals, known, size)

    def _waiting(self) -> IntArray:
        waiting = [*self._pending.values()]
        return np.array(waiting, dtype=np.int64).reshape(len(waiting), self.view.space.n_var)

    def _first_sample(self, known: Knowledge, wanted: int | None) -> IntArray:
        """What is missing of the first sample: what ``sampling`` gives, or representatives."""
        if len(self._given):
            n = self._affordable(min(len(self._given), wanted or len(self._given)))
            given, self._given = self._given[:n], self._given[n:]
            return given
        missing = self._n_initial - len(known) + int(known.open.sum()) - len(known.pending)
        size = self._affordable(missing)
        if size < 1:
            return known.pending[:0]
        sampling = self.sampling if isinstance(self.sampling, str) else "designed"
        begun = known.X[known.open]
        if len(begun) >= size:
            # Known in part: the rest of them is worth more than strangers.
            return designed_sample(self.view.space, begun, size, self.random_state)
        return self.view.first_sample(size, sampling, self.random_state, known.settled)

    def _another_sample(self, known: Knowledge, size: int | None) -> IntArray:
        """More of the space at random, where all that was evaluated failed."""
        if len(known):
            logger.warning("none of %d evaluations succeeded: another sample", len(known))
        size = self._affordable(size or self.batch_size or self._n_initial)
        settled = known.settled
        pool = self.view.first_sample(
            min(size + len(settled), self.view.n_members), "random", self.random_state, settled
        )
        return pool[:size]

    def _select(self, proposals: IntArray, known: Knowledge, size: int | None) -> IntArray:
        """Which of the proposals are evaluated."""
        wanted = size or self.batch_size or self._wanted(known)
        affordable = self._affordable(wanted)
        return self._batch(proposals, affordable, known) if affordable else proposals[:0]

    def _wanted(self, known: Knowledge) -> int:
        """How many the schedule gives; less what is under way, by which the choice is the staler."""
        return max(1, default_batch_size(len(known) - int(known.open.sum())) - len(known.pending))

    # ----------------------------------------------------------------- learning
    def _learn(self, known: Knowledge) -> None:
        """Choose predictors where it is time to, then fit them on everything known."""
        sample = self.view.sample_table(known)
        seed = int(self.random_state.integers(2**31))
        if self.specs is None:
            with self._timed("tune"):
                self._choose(sample, seed)
        specs = adapt(self.specs or self._chosen, sample)
        with self._timed("fit"):
            if self.predictors is None or list(self.predictors.specs) != list(specs):
                self.predictors = PredictorSet(sample.space, sample.objectives, specs, seed=seed, priors=self.priors)
            else:
                self.predictors = self.predictors.successor()
            some = self._teaching(known)
            self.predictors.fit(sample, warm_start=True, partial=(known.X[some], known.raw[some]))
            self._learn_success(known)
            self._learn_constraints(known, seed)

    def _teaching(self, known: Knowledge) -> IntArray:
        """Rows known in part that the predictors learn from: of very many a sample says as much."""
        rows = np.flatnonzero(~known.complete)
        if self._decoupling is None or len(rows) <= TEACHING:
            return rows
        return np.sort(np.random.default_rng(len(rows)).permutation(rows)[:TEACHING])

    def _learn_success(self, known: Knowledge) -> None:
        tried = known.complete | known.failed
        self.success = None
        if known.failed.any() and known.complete.any():
            model = SuccessModel(self.view.space, max(FIRST_SAMPLE, self._n_initial))
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

    def _choose(self, sample: ArchitectureTable, seed: int) -> None:
        """Tune where it is time to; before the first tuning, choose among a few processes."""
        n = len(sample)
        if self._time_to_tune(n):
            self.tuned = self.tuner.with_seed(seed).tune(sample, priors=self.priors)
            self._chosen, self._chosen_at, self._tuned_at = self.tuned.best.specs, n, n
            logger.info("tuned on %d architectures: %s", n, "/".join(self.tuned.families))
        elif not self._tuned_at and n >= EARLY_GROWTH * self._chosen_at:
            self._chosen, self._chosen_at = early_specs(sample, seed, self.priors), n

    def _time_to_tune(self, n: int) -> bool:
        if not self._tuned_at:
            return n >= FIRST_TUNING
        return n >= self.retune * self._chosen_at

    def _proposals(self, known: Knowledge) -> IntArray:
        """Candidates: all of them where they can be listed, else what evolution visits on the predictions."""
        members = self.view.members if self.search in ("auto", "exhaustive") else None
        if members is not None:
            return members
        if self.search == "exhaustive":
            raise InputError(f"search: {self.view.space.size:.3g} architectures are too many for 'exhaustive'")
        best = known.X[front_indices(np.nan_to_num(known.F, posinf=1e300))]
        seed = int(self.random_state.integers(2**31))
        if self.search == "auto":
            return evolve_predictions(self.view, self.predictors, best, seed, self.limits, self.success)
        return search_predictions(
            self.view, self.predictors, best, self.search, seed, self.limits, success=self.success
        )

    def _batch(self, proposals: IntArray, size: int, known: Knowledge) -> IntArray:
        """The batch of the largest expected gain among the proposals of the best expected values."""
        proposals = self._likely(proposals, size, known)
        mean = self.view.predict_mean(self.predictors, proposals)
        for i, values in self._known_parts(proposals, known):
            mean[i, np.isfinite(values)] = values[np.isfinite(values)]
        if len(proposals) > SPREAD_POOL:
            violated = predicted_violations(self.view, proposals, mean, self.limits).max(axis=1, initial=0.0) > 0.0
            order = np.lexsort((pareto_ranks(mean), violated))[:SPREAD_POOL]
            proposals = proposals[np.sort(order)]
        mean, std = self._predicted(proposals, known)
        met = within_constraints(self.view, proposals, mean, std, size, self.limits)
        proposals, mean, std = proposals[met], mean[met], std[met]
        n_waiting = len(known.pending)
        everyone = np.vstack([proposals, known.pending])
        candidates = Candidates(
            mean,
            std,
            known.done,
            lambda rows, n: self._draw(everyone[rows], n, known),
            pending=np.arange(len(proposals), len(proposals) + n_waiting),
            success=self.success.predict(proposals) if self.success is not None else None,
        )
        rows = self.acquisition(candidates, size, self.random_state)
        if self._decoupling is not None:
            draw = candidates.draw
            unknown = self._missing(proposals)
            self._scene = Scene(proposals, mean, std, unknown, known.done, rows, draw)
        keys = self.view.space.keys(proposals[rows])
        self._expected |= dict(zip(keys, mean[rows], strict=True))
        return proposals[rows]

    def _likely(self, proposals: IntArray, size: int, known: Knowledge) -> IntArray:
        """Without what is too likely to fail, while enough else is left."""
        if self.success is None:
            return proposals
        probability = self.success.predict(proposals)
        kept = probability >= 1.0 - self._risk(probability, size, known)
        if kept.sum() < size:
            kept[np.argsort(-probability, kind="stable")[:size]] = True
        return proposals[kept]

    def _risk(self, probability: FloatArray, size: int, known: Knowledge) -> float:
        """How likely a proposal may be to fail.

        A front often ends where evaluations begin to fail, so some failures are the price of its end. They may be as
        many as random search would have had by then, and no more: what is left of those is what a batch may risk.
        """
        assert self.success is not None
        share, waiting = self._failing_share(), known.pending
        n_tried = int((known.complete | known.failed).sum()) + len(waiting)
        failures = float(known.failed.sum())
        if len(waiting):
            failures += float((1.0 - self.success.predict(waiting)).sum())
        left = share * (n_tried + size) - failures
        overdrawn = max(0.0, -left) / math.sqrt(share * (1.0 - share) * (n_tried + size))
        safe = float(np.quantile(1.0 - probability, SAFEST))
        least = max(LEAST_RISK, safe * max(CAREFUL - overdrawn, MOST_CAREFUL))
        return max(least, min(left / size, 1.0 - LIKELY))

    def _failing_share(self) -> float:
        """How much of the space fails: what the first sample says and what the model says, half and half.

        The sample is small, and what the model was taught by is where the search lingers.
        """
        assert self.success is not None
        if self._everywhere is None:
            rng, members = np.random.default_rng(0), self.view.members
            self._everywhere = (
                self.view.sample(N_SPACE, rng) if members is None else members[rng.permutation(len(members))[:N_SPACE]]
            )
        foretold = float(self.success.predict(self._everywhere).mean())
        return 1.0 - 0.5 * (self.success.rate_ + foretold)

    def _predicted(self, X: IntArray, known: Knowledge) -> tuple[FloatArray, FloatArray]:
        """Minimised mean and spread; what is measured of an architecture in part is known exactly."""
        mean, std = self.view.predict(self.predictors, X)
        for i, values in self._known_parts(X, known):
            sure = np.isfinite(values)
            mean[i, sure], std[i, sure] = values[sure], 0.0
        return mean, std

    def _draw(self, X: IntArray, n_draws: int, known: Knowledge) -> FloatArray:
        draws = self.view.draw(self.predictors, X, n_draws, self.random_state)
        for i, values in self._known_parts(X, known):
            sure = np.isfinite(values)
            draws[:, i, sure] = values[sure]
        return draws

    def _known_parts(self, X: IntArray, known: Knowledge) -> Iterator[tuple[int, FloatArray]]:
        """Positions in X of what is known in part, with its minimised values."""
        rows = np.flatnonzero(known.open)
        if not len(rows):
            return
        minimised = to_minimised(known.raw[rows], self.view.objectives)
        parts = dict(zip(self.view.space.keys(known.X[rows]), minimised, strict=True))
        for i, key in enumerate(self.view.space.keys(X)):
            if key in parts:
                yield i, parts[key]

    def _surprise(self, infills: Population) -> float | None:
        """See ``batch_error``."""
        obtained = np.asarray(infills.get("F"), dtype=np.float64).reshape(len(infills), -1)
        keys = self.view.space.keys(self.view.genotypes(infills.get("X")))
        expected = [self._expected.pop(key, None) for key in keys]
        known = self.pop.get("F") if len(self.pop) else np.empty((0, obtained.shape[1]))
        known = known[np.isfinite(known).all(axis=1)]
        done = np.isfinite(obtained).all(axis=1) & np.array([item is not None for item in expected], dtype=np.bool_)
        if not len(known) or not done.any():
            return None
        span = np.ptp(known[front_indices(known)], axis=0)
        span = np.where(span > 0.0, span, 1.0)
        mean = np.array([item for item, on in zip(expected, done, strict=True) if on])
        return float((np.abs(mean - obtained[done]) / span).max(axis=1).mean())

    # -------------------------------------------------------------------- state
    def state(self) -> dict[str, Any]:
        """What a later process needs beside the store to go on as this one would, in JSON's types."""
        return {
            "random": self.random_state.bit_generator.state,
            "chosen": [spec.to_dict() if spec is not None else None for spec in self._chosen],
            "chosen_at": self._chosen_at,
            "tuned_at": self._tuned_at,
            "rounds": self._rounds,
            "predictors": self.predictors.warm_state() if self.predictors is not None else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`; the algorithm is set up with the same problem and settings.

        Raises
        ------
        InputError
            If it cannot be understood.
        """
        try:
            self.random_state.bit_generator.state = state["random"]
            if len(state["chosen"]) not in (0, len(self.view.objectives)):
                # Objectives were added meanwhile: predictors are chosen anew.
                self._rounds = int(state["rounds"])
                return
            self._chosen = [spec_from_dict(item) if item is not None else None for item in state["chosen"]]
            self._chosen_at, self._tuned_at = int(state["chosen_at"]), int(state["tuned_at"])
            self._rounds = int(state["rounds"])
            if state["predictors"] is not None:
                self.predictors = PredictorSet.warm(
                    self.view.space, self.view.objectives, state["predictors"], self.priors
                )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"state: expected that of a run of {type(self).__name__}, got: {error!r}") from error

    # ---------------------------------------------------------------- plumbing
    def _affordable(self, size: int) -> int:
        """At most what the budget leaves, so that it is never exceeded."""
        # Counted here and not by the evaluator, which ask-and-tell does without.
        budget = getattr(self.termination, "n_max_evals", None)
        left = size if self._limit is None else min(size, self._limit)
        if budget is not None and np.isfinite(budget):
            left = min(left, int(budget) - len(self.bill) - len(self._pending))
        if (cost := self._cost_left()) is not None and np.isfinite(cost) and self.view.price > 0.0:
            left = min(left, int(cost / self.view.price * (1.0 + EPSILON)))
        return max(0, left)

    def _cost_left(self) -> float | None:
        """What may still be spent, what is under way counted as spent; None where no budget is one of cost."""
        found = [] if self._cost_limit is None else [self._cost_limit]
        if isinstance(self.termination, CostBudget):
            under_way = len(self._pending) * self.view.price
            under_way += sum(float(self.problem.evaluation_prices[mask].sum()) for _, mask in self._screening.values())
            found.append(self.termination.limit - self.problem.cost(self.bill) - under_way)
        return min(found) if found else None

    def _population(self, X: IntArray) -> Population:
        if not len(X):
            return Population.empty()
        found = Population.new("X", self.view.variables(X))
        if self._decoupling is not None:
            found.set("wanted", self.wanted)
        return found

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - start


class OneShotRAPID(RAPID):
    """The published method: a sample, one tuning, and the evaluation of the predicted front.

    Parameters
    ----------
    n_initial : int
        Size of the sample.
    parts : int
        Batches in which as many architectures as the predicted front has are evaluated. With two or more each batch has
        the largest expected gain, and the predictors, tuned once, are fitted again before it.
    batch_size : int, optional
        At least so many architectures beside the sample.
    tuner : ADRSTuner, optional
        Chooses the predictors; the thorough default tuner otherwise.
    **kwargs
        As in :class:`RAPID`.
    """

    def __init__(
        self,
        n_initial: int = FIRST_SAMPLE,
        parts: int = 1,
        batch_size: int | None = None,
        tuner: ADRSTuner | None = None,
        **kwargs: Any,
    ) -> None:
        if parts < 1:
            raise InputError(f"parts: expected a positive number, got {parts}")
        super().__init__(n_initial, batch_size, rounds=parts, tuner=tuner or ADRSTuner(), **kwargs)
        self.decoupled = False
        self.parts = parts
        self._front_size: int | None = None

    def _time_to_tune(self, n: int) -> bool:
        return not self._tuned_at and n >= FEWEST_ROWS

    def _select(self, proposals: IntArray, known: Knowledge, size: int | None) -> IntArray:
        """What is evaluated of the predicted front in this part; the first prediction says how much in all."""
        if self._front_size is None:
            batch = self._predicted_front(proposals, known)
            self._front_size = len(batch)
            if self.parts == 1:
                return batch
        left = self._n_initial + self._front_size - len(known)
        parts_left = self.parts - (self._rounds - 1)
        part = self._affordable(math.ceil(left / max(parts_left, 1)))
        return self._batch(proposals, part, known) if part else proposals[:0]

    def _predicted_front(self, proposals: IntArray, known: Knowledge) -> IntArray:
        """The published step: every new architecture on the front of the predictions, known ones included.

        With a ``batch_size``, as many more as it takes, of the largest expected gain.
        """
        if self.success is not None:
            proposals = proposals[self.success.predict(proposals) >= LIKELY]
        everyone = np.vstack([proposals, known.X[~known.failed]])
        mean, std = self.view.predict(self.predictors, everyone)
        met = np.flatnonzero(within_constraints(self.view, everyone, mean, std, 1, self.limits))
        front = met[front_indices(mean[met])]
        picked = front[front < len(proposals)]
        batch = everyone[picked]
        more = (self.batch_size or 0) - len(batch)
        left = np.delete(proposals, picked, axis=0)
        if more > 0 and len(left):
            batch = np.vstack([batch, self._batch(left, more, known)])
        self._expected.clear()
        return batch[: self._affordable(len(batch))]
