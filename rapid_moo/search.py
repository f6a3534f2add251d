"""RAPID NAS on a table, iterating or one-shot: sample, tune, search the predictions, evaluate, report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, FloatArray, IntArray, atomic_path, write_text
from rapid_moo.algorithm import RAPID
from rapid_moo.candidates import SEARCHES
from rapid_moo.constraints import Constraint, as_constraints
from rapid_moo.costs import EPSILON, CostBudget, affordable, cost_text, prices, told_cost
from rapid_moo.design import FIRST_SAMPLE
from rapid_moo.errors import InputError
from rapid_moo.frames import described_frame, own_name
from rapid_moo.indicators import adrs, hypervolume, igd_plus
from rapid_moo.objectives import Objective, to_minimised
from rapid_moo.oneshot import OneShotRAPID
from rapid_moo.pareto import front_indices
from rapid_moo.predictors import PredictorSet, Spec, members_of, prediction_metrics
from rapid_moo.priors import Prior, Priors
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.progress import Progress, ProgressCallback
from rapid_moo.report import Report
from rapid_moo.report.making import (
    architecture_facts,
    bound_facts,
    choice_facts,
    environment,
    now,
    objective_facts,
    picks_of,
    predictor_facts,
    progress_facts,
    reference_facts,
    space_facts,
    within_bounds,
)
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import ADRSTuner, Triplet, TunerResult
from rapid_moo.view import CANDIDATES

FRONT_FILE, EVALUATIONS_FILE, SUMMARY_FILE = "front.csv", "evaluations.csv", "summary.json"
# Of the training rows, evaluated where the predicted front is shorter: a noisy predictor can make it a few points.
VERIFIED_SHARE = 0.15
# Batches in which as much as the predicted front is evaluated; what each shows is learnt before the next is chosen.
VERIFIED_PARTS = 4
FEWEST_ROWS = 3


@dataclass(frozen=True)
class SearchSettings:
    """Everything that decides a search, beside the table.

    Parameters
    ----------
    train_ratio : float
        Share of the table that is evaluated to train on. An iterating search trains on all that it evaluates, so this
        is its bill; one-shot verifies what it predicts on top.
    algorithm : {"auto", "exhaustive", "nsga2", "nsga3"}
        How the predicted objectives are searched.
    candidates : {"auto", "members", "space"}
        Whether proposals are members of the table or come from the whole space.
    budget : int, float or None
        At most so many unique evaluations, everything included, or below 1 a share of the table; by default what
        ``train_ratio`` gives, and for one-shot the table's size. Where costs are stated it is what they may cost.
    oneshot : bool
        The published way instead of RAPID's own schedule: one sample of representatives (:mod:`rapid_moo.design`), one
        tuning, and as many evaluations as the predicted front has points, made in four parts with a fit before each.
    seed : int
        Seed of everything.
    constraints : tuple of str
        Bounds such as ``"latency <= 20"``.
    priors, same : tuple of str
        What is known from elsewhere, and of which objectives the values hold as they are; see
        :meth:`rapid_moo.Prior.parse`.
    """

    train_ratio: float = 0.1
    algorithm: str = "auto"
    candidates: str = "auto"
    budget: int | float | None = None
    oneshot: bool = False
    seed: int = 0
    constraints: tuple[str, ...] = ()
    priors: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, known in (("algorithm", SEARCHES), ("candidates", CANDIDATES)):
            if getattr(self, name) not in known:
                raise InputError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.same and not self.priors:
            raise InputError(f"same: expected a prior whose values hold, got {', '.join(self.same)} alone")


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(Shown):
    """What a search found and what it cost; see :meth:`summary`."""

    dataset: str
    settings: SearchSettings
    table: ArchitectureTable
    X: IntArray
    raw: FloatArray
    budget: float
    cost: float | None
    n_train: int
    predictors: PredictorSet
    triplet: Triplet | None
    metrics: tuple[Mapping[str, float], ...]
    quality: Mapping[str, float]
    seconds: Mapping[str, float]
    front_rows: IntArray = field(repr=False)
    tuned: TunerResult | None = field(default=None, repr=False)
    feasible: BoolArray | None = field(default=None, repr=False)
    reference: FloatArray | None = field(default=None, repr=False)
    paid: FloatArray | None = field(default=None, repr=False)
    """What each evaluation cost, where costs are stated."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Objectives of the columns of ``raw``."""
        return self.table.objectives

    @property
    def front(self) -> FloatArray:
        """Minimised values of the evaluated architectures that no other dominates, shape (n, n_objectives)."""
        return to_minimised(self.raw[self.front_rows], self.objectives)

    def _shown(self) -> tuple[str, Lines]:
        return f"Search of {self.dataset}", [
            ("evaluations", f"{len(self.X)} of {len(self.table):,}"),
            ("front", f"{len(self.front_rows)} points"),
            ("ADRS", float(self.quality["adrs"])),
            ("hypervolume", float(self.quality["hypervolume"])),
            ("predictors", list(self.predictors.families)),
            ("seconds", float(sum(self.seconds.values()))),
        ]

    def to_frame(self, *, everything: bool = False) -> pd.DataFrame:
        """The front found: text of the architecture, its genes, and raw objectives, a row each.

        Parameters
        ----------
        everything : bool
            All that was evaluated instead, in order.
        """
        rows = np.arange(len(self.X)) if everything else self.front_rows
        names = [objective.name for objective in self.objectives]
        return described_frame(self.table.space, names, self.X[rows], self.raw[rows])

    @property
    def _costs(self) -> dict[str, float]:
        computed = [objective.name for objective in self.table.space.computed]
        return dict(zip([o.name for o in self.objectives], prices(self.objectives, computed).tolist(), strict=True))

    def summary(self) -> dict[str, Any]:
        """JSON form of everything but the architectures."""
        chosen = {}
        for objective, spec, metrics in zip(self.objectives, self.predictors.specs, self.metrics, strict=True):
            described = spec.to_dict() if spec is not None else {"family": "exact"}
            chosen[objective.name] = {**described, "direction": objective.direction, "unit": objective.unit, **metrics}
        return {
            "dataset": self.dataset,
            "space": self.table.space.name,
            "seed": self.settings.seed,
            "evaluations": len(self.X),
            "training_rows": self.n_train,
            "table_rows": len(self.table),
            "budget": self.budget,
            **({"cost": self.cost, "costs": self._costs} if self.cost is not None else {}),
            "train_ratio": self.settings.train_ratio,
            "algorithm": self.settings.algorithm,
            "candidates": self.settings.candidates,
            "oneshot": self.settings.oneshot,
            "constraints": list(self.settings.constraints),
            **(
                {"priors": list(self.settings.priors), "same": list(self.settings.same)} if self.settings.priors else {}
            ),
            "front_kind": self.table.front_kind,
            "front_size": len(self.front_rows),
            **self.quality,
            "tuner_adrs": self.triplet.adrs if self.triplet is not None else None,
            "seconds": round(sum(self.seconds.values()), 3),
            "seconds_by_phase": {name: round(value, 3) for name, value in self.seconds.items()},
            "triplet": chosen,
            "data_fingerprint": self.table.fingerprint,
        }

    def report(self, weights: Sequence[float] | None = None, command: str = "") -> Report:
        """The facts, to be shown by :mod:`rapid_moo.report`.

        Parameters
        ----------
        weights : sequence of float, optional
            One per objective: also name the architecture of the front that they prefer.
        command : str
            What made the result.
        """
        table, n = self.table, len(self.X)
        whole: BoolArray = np.asarray(np.isfinite(self.raw).all(axis=1))
        state = ["partial" if not on else "sample" if row < self.n_train else "chosen" for row, on in enumerate(whole)]
        by_cost = self.cost is not None
        facts, _ = architecture_facts(
            table.space, self.objectives, self.X, self.raw, state, feasible=self.feasible, predictors=self.predictors
        )
        reference = self.reference if self.reference is not None else table.front
        kept = whole if self.feasible is None else np.asarray(whole & self.feasible)
        F = np.where(kept[:, None], to_minimised(self.raw, self.objectives), np.inf)
        return Report(
            kind="search",
            name=self.dataset,
            created=now(),
            command=command,
            objectives=objective_facts(self.objectives),
            bounds=bound_facts(as_constraints(self.settings.constraints), self.objectives),
            space=space_facts(table.space),
            bill={
                "evaluations": n,
                **({"cost": self.cost, "cost_budget": self.budget} if by_cost else {"budget": int(self.budget)}),
                "rows": len(table),
                "partial": int((~whole).sum()),
                "sample": self.n_train,
                "chosen": n - self.n_train,
                "front_size": len(self.front_rows),
            },
            quality={**self.quality, "tuner_adrs": self.triplet.adrs if self.triplet is not None else None},
            seconds=dict(self.seconds),
            architectures=facts,
            reference=reference_facts(table.front_kind, reference, self.objectives),
            progress=progress_facts(F, reference, table.front_kind, self.paid),
            predictors=predictor_facts(self.predictors, members_of, self.metrics),
            choice=choice_facts(self.tuned, given=self.triplet is not None and self.tuned is None),
            picks=picks_of(facts, self.objectives, weights),
            settings=asdict(self.settings),
            versions=environment(),
            fingerprint=table.fingerprint,
        )

    def write(self, folder: Path | str) -> None:
        """Write ``front.csv``, ``evaluations.csv`` and ``summary.json`` into a folder."""
        path = Path(folder)
        write_evaluations(path, self.table, self.X, self.raw, self.n_train, self.paid)
        rows = self.front_rows
        frame = _described(self.table, self.X[rows], self.raw[rows])
        predicted = self.predictors.predict(self.X[rows])
        for k, objective in enumerate(self.objectives):
            frame[own_name(f"predicted_{objective.name}", [*frame.columns])] = predicted[:, k]
        _write_csv(frame.sort_values(self.objectives[0].name, kind="stable"), path / FRONT_FILE)
        write_text(path / SUMMARY_FILE, json.dumps(self.summary(), indent=2) + "\n")


def write_evaluations(
    folder: Path,
    table: ArchitectureTable,
    X: IntArray,
    raw: FloatArray,
    n_train: int,
    paid: FloatArray | None = None,
) -> None:
    """Write every billed architecture in order; ``phase`` tells the sample from what was chosen.

    ``cost`` says what was spent on each, where costs are stated: what was taken over cost nothing. A column of ours has
    underscores behind its name where an objective is called like it.
    """
    frame = _described(table, X, raw)
    frame.insert(0, own_name("evaluation", [*frame.columns]), np.arange(1, len(X) + 1))
    phase = np.where(np.arange(len(X)) < n_train, "sample", "chosen")
    frame.insert(1, own_name("phase", [*frame.columns]), phase)
    if paid is not None:
        frame.insert(2, own_name("cost", [*frame.columns]), [told_cost(cost) for cost in paid.tolist()])
    _write_csv(frame, folder / EVALUATIONS_FILE)


def _described(table: ArchitectureTable, X: IntArray, raw: FloatArray) -> pd.DataFrame:
    space = table.space
    names = [objective.name for objective in table.objectives]
    frame = pd.DataFrame(
        {
            own_name("architecture", names): [space.to_string(x) for x in X],
            own_name("genotype", names): [str(x.tolist()) for x in X],
            own_name("vector", names): [_vector_text(vector) for vector in space.decode(X)] if len(X) else [],
        }
    )
    for k, objective in enumerate(table.objectives):
        frame[objective.name] = raw[:, k]
    return frame


def _vector_text(vector: NDArray[Any]) -> str:
    """A vector as its file shows it: integers in brackets, or JSON with null for an inactive gene."""
    values = vector.tolist()
    if vector.dtype.kind != "O":
        return str(values)
    return json.dumps([None if value != value else value for value in values], ensure_ascii=False)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)


class Search:
    """A search on a table that can be interrupted: what was evaluated is in ``problem.store``.

    Parameters
    ----------
    table : ArchitectureTable
        What is searched, and what judges the result.
    settings : SearchSettings
        How.
    tuner : ADRSTuner, optional
        Chooses the predictors; by default the algorithm's own tuner.
    triplet : Triplet, optional
        Predictors to use instead, tuned on this or another table.
    """

    def __init__(
        self,
        table: ArchitectureTable,
        settings: SearchSettings,
        tuner: ADRSTuner | None = None,
        triplet: Triplet | None = None,
    ) -> None:
        if len(table) < FEWEST_ROWS:
            raise InputError(
                f"{table.name}: expected a table of at least {FEWEST_ROWS} architectures, two to train on and one to"
                f" find, got {len(table)}"
            )
        self.table, self.settings, self.triplet = table, settings, triplet
        constraints: Sequence[Constraint | str] = settings.constraints
        self.problem = ArchitectureProblem(table.space, table, constraints=constraints)
        self._price = float(self.problem.evaluation_prices.sum()) if self.problem.costs_stated else 1.0
        sampled = table.count(float(settings.train_ratio))
        self.budget = self._budget(sampled)
        whole = int(min(len(table), self.budget / self._price * (1.0 + EPSILON)))
        self.n_train = sampled if settings.oneshot else max(2, min(FIRST_SAMPLE, whole - 1))
        # What was taken over is trained on as well, and what is left to pay of it may be little.
        if self.n_train > whole and not (settings.same and self.problem.costs_stated):
            share = f" of train ratio {settings.train_ratio}" if settings.oneshot else ""
            raise InputError(f"budget: expected more than {self._rows_to_train}{share}, got {self.budget:g}")
        self.tuner = tuner
        told = [Prior.parse(text, settings.same) for text in settings.priors]
        # Read at once: what is wrong with a prior is found before anything is searched.
        self._priors: Any = Priors(table.space, table.objectives, told) if told else ()
        self.seconds = {"sample": 0.0, "tune": 0.0, "fit": 0.0, "search": 0.0, "report": 0.0}

    def _budget(self, sampled: int) -> float:
        stated, n = self.settings.budget, len(self.table)
        if stated is None:
            return (n if self.settings.oneshot else max(sampled, FEWEST_ROWS)) * self._rate
        if self.problem.costs_stated:
            cost = self.table.count(float(stated)) * self._price if 0.0 < stated < 1.0 else float(stated)
            enough = affordable(self._price, cost) or bool(self.settings.same)
            if not (enough and affordable(cost, n * self._price)):
                told = f"{cost_text(self._price)} (one architecture) to {cost_text(n * self._price)} (the table)"
                raise InputError(f"budget: expected a cost of {told}, or a share, got {stated}")
            return cost
        count = self.table.count(float(stated)) if 0.0 < stated < 1.0 else stated
        if not 1 <= count <= n or count != int(count):
            raise InputError(f"budget: expected 1 to {n} evaluations (the table's size) or a share, got {stated}")
        return int(count)

    @property
    def _rows_to_train(self) -> str:
        """What predictors are to learn from first, and what it costs, for messages."""
        price = f"the cost of {cost_text(self.n_train * self._price)} of " if self.problem.costs_stated else ""
        return f"{price}the {self.n_train} training rows"

    @property
    def _rate(self) -> float:
        """What an architecture counts as: its cost, or 1 where no costs are stated."""
        return self._price if self.problem.costs_stated else 1

    @property
    def evaluated(self) -> tuple[IntArray, FloatArray]:
        """Genotypes and raw values in the order of evaluation; what the table knows in part is not among them.

        Where costs are stated an architecture may have been measured in part, NaN where it was not, or later in full:
        its last value counts for the order.
        """
        store, rows = self.problem.store, self._rows
        return store.X[rows], store.raw_of(rows)

    @property
    def paid(self) -> FloatArray | None:
        """What each of :attr:`evaluated` cost; None where no costs are stated."""
        problem = self.problem
        return problem.store.paid_of(self._rows) @ problem.prices if problem.costs_stated else None

    @property
    def _rows(self) -> IntArray:
        """Rows of the store that were paid for, in the order of evaluation."""
        store = self.problem.store
        rows = np.flatnonzero(~store.free)
        return store.in_order_told(rows) if self.problem.costs_stated else rows

    def run(self, progress: ProgressCallback | None = None) -> SearchResult:
        """Run all phases; ``progress`` is called after each batch."""
        start = time.perf_counter()
        reference = self.problem.reference_front()
        if reference is None or len(reference) == 0:
            raise InputError(f"constraints: no architecture of {self.table.name} meets {self.settings.constraints}")
        algorithm = self._algorithm()
        by_cost = self.problem.costs_stated
        termination: Any = CostBudget(self.budget) if by_cost else ("n_eval", self.budget)
        algorithm.setup(self.problem, termination=termination, seed=self.settings.seed)
        self.n_train = algorithm.first_sample
        while algorithm.has_next():
            algorithm.next()
            if progress is not None:
                found = to_minimised(self.evaluated[1], self.table.objectives)
                quality = adrs(found[np.isfinite(found).all(axis=1)], reference=reference)
                done = self.problem.cost() if by_cost else self.problem.n_evaluations
                progress(Progress(done, self.budget, quality))
        predictors = algorithm.predictors
        if predictors is None or algorithm.searched is None:
            raise InputError(
                f"budget: expected more than {self._rows_to_train}, so that a front can be verified, got"
                f" {self.budget:g}"
            )
        triplet = self.triplet or (algorithm.tuned.best if algorithm.tuned is not None else None)
        self.seconds |= algorithm.seconds
        self.seconds["sample"] = time.perf_counter() - start - sum(algorithm.seconds.values())
        return self._report(predictors, triplet, algorithm.tuned, reference, algorithm.searched)

    def _specs(self) -> list[Spec | None] | None:
        """The triplet's predictors by position; of a table with more objectives the others get a default."""
        if self.triplet is None:
            return None
        n = len(self.table.objectives)
        return [*self.triplet.specs, *[None] * n][:n]

    def _algorithm(self) -> RAPID:
        """RAPID as the settings want it: iterating, or one-shot."""
        settings = self.settings
        common: dict[str, Any] = {
            "tuner": self.tuner,
            "specs": self._specs(),
            "search": settings.algorithm,
            "candidates": settings.candidates,
            "priors": self._priors,
        }
        if not settings.oneshot:
            return RAPID(**common)
        verified = max(1, round(VERIFIED_SHARE * self.n_train))
        return OneShotRAPID(self.n_train, parts=VERIFIED_PARTS, batch_size=verified, **common)

    def _report(
        self,
        predictors: PredictorSet,
        triplet: Triplet | None,
        tuned: TunerResult | None,
        reference: FloatArray,
        searched: IntArray,
    ) -> SearchResult:
        start = time.perf_counter()
        table = self.table
        X, raw = self.evaluated
        predicted, std = predictors.predict(table.X, return_std=True)
        unseen = np.ones(len(table), dtype=np.bool_)
        unseen[table.find(predictors.sample_.X)] = False
        rows = np.flatnonzero(unseen) if unseen.sum() >= 2 else np.arange(len(table))
        metrics = tuple(
            prediction_metrics(table.raw[rows, k], predicted[rows, k], None if spec is None else std[rows, k])
            for k, spec in enumerate(predictors.specs)
        )
        feasible: Any = np.ones(len(X), dtype=np.bool_)
        if self.problem.constraints:
            feasible = within_bounds(self.problem.violations(X, raw))
        kept = np.flatnonzero(feasible & np.isfinite(raw).all(axis=1))
        F = to_minimised(raw, table.objectives)
        front_rows = kept[front_indices(F[kept])] if len(kept) else kept
        minimised = to_minimised(predicted, table.objectives)
        exact = front_indices(minimised)
        quality = {
            "adrs": adrs(F[kept], reference=reference),
            "adrs_predictor": adrs(table.F[exact], reference=reference),
            "adrs_search": adrs(predictors.predict_minimised(searched), reference=minimised[exact]),
            "hypervolume": hypervolume(F[kept], reference=reference),
            "igd_plus": igd_plus(F[kept], reference=reference),
        }
        self.seconds["report"] = time.perf_counter() - start
        return SearchResult(
            dataset=table.name,
            settings=self.settings,
            table=table,
            X=X,
            raw=raw,
            budget=self.budget,
            cost=self.problem.cost() if self.problem.costs_stated else None,
            n_train=min(self.n_train, len(X)),
            predictors=predictors,
            triplet=triplet,
            metrics=metrics,
            quality=quality,
            seconds=dict(self.seconds),
            front_rows=front_rows,
            tuned=tuned,
            feasible=feasible if self.problem.constraints else None,
            reference=reference,
            paid=self.paid,
        )
