"""The report of whatever there is: a search's or pymoo's result, a problem, a study, a table, a folder."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from pymoo.core.problem import Problem

from rapid_moo._util import BoolArray, FloatArray, IntArray, counted
from rapid_moo.comparison.report import comparison_report
from rapid_moo.comparison.tables import RESULTS_FILE
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective, to_minimised
from rapid_moo.pareto import front_points
from rapid_moo.predictors import PredictorSet, PredictorSpec, members_of
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.report import Report, last_report, read_report
from rapid_moo.report.facts import BoundFacts, SpaceFacts
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
from rapid_moo.space import Gene, GridSpace, SearchSpace
from rapid_moo.store import Store
from rapid_moo.study import Study
from rapid_moo.study.folder import DEFINITION
from rapid_moo.study.report import kept_weights
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

FEWEST_ROWS = 8
MOST_ROWS = 500
"""So many rows are fitted where nobody has fitted predictors yet."""


def report_of(subject: Any, *, predict: bool = False) -> Report:
    """Facts of a subject, to be shown by :mod:`rapid_moo.report` and drawn by :mod:`rapid_moo.plot`.

    Parameters
    ----------
    subject : Report, SearchResult, pymoo Result, ArchitectureProblem, Study, ArchitectureTable or folder
        What to tell of; anything with a method ``report`` that gives a Report will do.
    predict : bool
        Fit Gaussian processes to what is known where the subject has no predictors.

    Raises
    ------
    InputError
        If it is none of these, or nothing was evaluated.
    """
    if isinstance(subject, str | Path):
        subject = report_of_folder(Path(subject))
    if isinstance(subject, Report):
        return subject
    if callable(getattr(subject, "report", None)):
        found = subject.report()
        if not isinstance(found, Report):
            raise InputError(f"report: expected a Report of {type(subject).__name__}, got {type(found).__name__}")
        return found if found.predictors or not predict else _of_study(subject, found)
    if isinstance(subject, ArchitectureTable):
        return _of_table(subject, predict)
    if isinstance(subject, ArchitectureProblem):
        return _of_store(subject.store, subject, _evaluated(subject.store), None, predict)
    if isinstance(getattr(subject, "problem", None), Problem) and hasattr(subject, "algorithm"):
        return _of_result(subject, predict)
    raise InputError(
        "report: expected the result of a search or of pymoo, a problem, a study, a table or a folder, got"
        f" {type(subject).__name__}"
    )


def report_of_folder(folder: Path) -> Report:
    """A study's from its store, a comparison's from its results, any other from the facts that its command left.

    Raises
    ------
    InputError
        If it is none of these, or damaged.
    """
    if (folder / RESULTS_FILE).is_file():
        known = last_report(folder)
        return comparison_report(folder, known.command if known is not None else "")
    if not (folder / DEFINITION).is_file():
        return read_report(folder)
    try:
        study = Study(folder)
    except InputError as error:
        # Its space lives in code that is not here: what was last known can be shown all the same.
        logger.warning("the last facts that were written, since %s", error)
        return read_report(folder)
    return study.report(kept_weights(folder))


def _evaluated(store: Store) -> IntArray:
    return np.flatnonzero(np.isfinite(store.raw).any(axis=1) | store.failed)


def _of_result(result: Any, predict: bool) -> Report:
    """Of pymoo's result: what its run asked for, where that can be told, else what is in its population."""
    problem, algorithm = result.problem, result.algorithm
    bill = getattr(algorithm, "bill", None) or getattr(getattr(algorithm, "evaluator", None), "bill", None)
    if bill is not None and bill.store.space.genes:
        view = getattr(algorithm, "view", None)
        known = problem if isinstance(problem, ArchitectureProblem) else view
        return _of_store(bill.store, known, bill.rows, algorithm, predict)
    if isinstance(problem, ArchitectureProblem):
        return _of_store(problem.store, problem, _evaluated(problem.store), algorithm, predict)
    return _of_population(result)


def _of_population(result: Any) -> Report:
    """Of a problem and an algorithm that know nothing of this package: objectives alone, minimised as in pymoo."""
    F = np.atleast_2d(np.asarray(result.pop.get("F"), dtype=np.float64))
    objectives = [Objective(f"f{k + 1}", "min") for k in range(F.shape[1])]
    feasible = np.asarray(result.pop.get("feas"), dtype=np.bool_).reshape(len(F))
    space = _Nothing()
    X = np.zeros((len(F), 0), dtype=np.int64)
    facts, _ = architecture_facts(space, objectives, X, F, ["chosen"] * len(F), feasible=feasible)
    front = result.problem.pareto_front()
    name = type(result.problem).__name__
    return Report(
        kind="run",
        name=name,
        created=now(),
        objectives=objective_facts(objectives),
        space=SpaceFacts(name, 0, ()),
        bill={"evaluations": int(result.algorithm.evaluator.n_eval), "front_size": int(sum(facts.on_front))},
        architectures=facts,
        reference=reference_facts("true", front_points(front), objectives) if front is not None else None,
        picks=picks_of(facts, objectives),
        versions=environment(),
    )


class _Nothing(GridSpace):
    """A space without genes, for problems whose variables are none."""

    def __init__(self) -> None:
        super().__init__("nothing", [Gene("none", (0, 1))])
        self.genes = ()


def _of_store(store: Store, known: Any, rows: IntArray, algorithm: Any, predict: bool) -> Report:
    """Of rows of a store; ``known`` is the problem, or RAPID's view of a foreign one."""
    objectives: tuple[Objective, ...] = tuple(known.objectives)
    X, raw = store.X[rows], store.raw_of(rows)
    if not len(rows):
        raise InputError("report: expected something evaluated, found nothing")
    problem = known if isinstance(known, ArchitectureProblem) else known.problem
    whole: BoolArray = np.asarray(np.isfinite(raw).all(axis=1), dtype=np.bool_)
    feasible: BoolArray = np.ones(len(rows), dtype=np.bool_)
    reference, kind, fingerprint = None, "found", ""
    bounds: tuple[BoundFacts, ...] = ()
    if isinstance(problem, ArchitectureProblem):
        feasible, bounds = within_bounds(problem.violations(X, raw)), bound_facts(problem.constraints, objectives)
        reference = problem.reference_front()
        if problem.table is not None:
            kind, fingerprint = problem.front_kind, problem.table.fingerprint
    elif (front := problem.pareto_front()) is not None and len(front):
        reference, kind = front_points(front), "true"
    predictors = getattr(algorithm, "predictors", None)
    if not hasattr(predictors, "sample_"):
        predictors = _fitted(store.space, objectives, X[whole], raw[whole]) if predict else None
    states = ["known" if store.is_free(int(row)) else _state(store, int(row)) for row in rows]
    facts, _ = architecture_facts(
        store.space,
        objectives,
        X,
        raw,
        states,
        number=(rows + 1).tolist(),
        reason=[store.reason(int(row)) if store.failed_objectives_of(int(row)).any() else "" for row in rows],
        feasible=feasible,
        predictors=predictors,
    )
    F = np.where((whole & feasible)[:, None], to_minimised(raw, objectives), np.inf)
    billed = ~store.free[rows]
    reasons = [reason for reason in facts.reason if reason]
    front = facts.front(objectives)
    judge = reference if reference is not None else front_points(front) if len(front) else None
    return Report(
        kind="run",
        name=problem.name() if isinstance(problem, ArchitectureProblem) else type(problem).__name__,
        created=now(),
        objectives=objective_facts(objectives),
        bounds=bounds,
        space=space_facts(store.space),
        bill={
            "evaluations": int(billed.sum()),
            "imported": int((~billed).sum()),
            "failed": states.count("failed"),
            "front_size": int(sum(facts.on_front)),
        },
        quality={},
        architectures=facts,
        reference=reference_facts(kind, judge, objectives) if judge is not None and len(judge) else None,
        progress=progress_facts(F[billed], reference, kind) if billed.any() else None,
        predictors=predictor_facts(predictors, members_of) if predictors is not None else (),
        choice=choice_facts(getattr(algorithm, "tuned", None)) if algorithm is not None and predictors else None,
        picks=picks_of(facts, objectives),
        failures=counted(Counter(reasons)),
        versions=environment(),
        fingerprint=fingerprint,
    )


def _state(store: Store, row: int) -> str:
    state = store.state(row)
    return "chosen" if state == "done" else state


def _of_table(table: ArchitectureTable, predict: bool) -> Report:
    predictors = _fitted(table.space, table.objectives, table.X, table.raw) if predict else None
    facts, _ = architecture_facts(
        table.space, table.objectives, table.X, table.raw, ["known"] * len(table), predictors=predictors
    )
    return Report(
        kind="table",
        name=table.name,
        created=now(),
        objectives=objective_facts(table.objectives),
        space=space_facts(table.space),
        bill={"rows": len(table), "front_size": len(table.front_rows)},
        architectures=facts,
        reference=reference_facts(table.front_kind, table.front, table.objectives),
        predictors=predictor_facts(predictors, members_of) if predictors is not None else (),
        picks=picks_of(facts, table.objectives),
        versions=environment(),
        fingerprint=table.fingerprint,
    )


def _of_study(study: Any, found: Report) -> Report:
    """A study's report with predictors fitted to what it knows, where it has none yet."""
    store = getattr(study, "store", None)
    if not isinstance(store, Store):
        return found
    rows = np.flatnonzero(store.complete)
    X = store.X[rows]
    predictors = _fitted(store.space, study.objectives, X, store.raw_of(rows))
    return found.replace(predictors=predictor_facts(predictors, members_of))


def _fitted(space: SearchSpace, objectives: Any, X: IntArray, raw: FloatArray) -> PredictorSet:
    """A Gaussian process for each objective that the space does not compute."""
    if len(X) < FEWEST_ROWS:
        raise InputError(f"predictors: expected at least {FEWEST_ROWS} complete architectures, got {len(X)}")
    rows = np.random.default_rng(0).permutation(len(X))[:MOST_ROWS]
    computed = {objective.name for objective in space.computed}
    specs = [None if objective.name in computed else PredictorSpec() for objective in objectives]
    sample = ArchitectureTable.build(space, tuple(objectives), X[np.sort(rows)], raw[np.sort(rows)], space.name)
    return PredictorSet(space, tuple(objectives), specs).fit(sample)
