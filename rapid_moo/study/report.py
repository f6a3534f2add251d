"""The report of a study: facts from its store, and from the predictors that it has got by now."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.bill import Bill
from rapid_moo.costs import told_cost
from rapid_moo.errors import RapidMooError
from rapid_moo.learning import refitted
from rapid_moo.objectives import signs
from rapid_moo.predictors import PredictorSet, members_of
from rapid_moo.report import Report, last_report, write_page
from rapid_moo.report.facts import Choice, ExpectedFacts
from rapid_moo.report.making import (
    architecture_facts,
    bound_facts,
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
from rapid_moo.study.engine import STATE
from rapid_moo.view import SpaceView

logger = logging.getLogger(__name__)

MOST_WHILE_RUNNING = 500
"""Of more architectures a running study's page does not say what is expected: that takes their cube."""
EVERY, SHARE = 3.0, 50.0
"""A running study's page is renewed after so many seconds, and never takes more than one in so many of its time."""


def study_report(study: Any, weights: Sequence[float] | None = None, command: str = "") -> Report:
    """The facts of a :class:`~rapid_moo.Study`; see :meth:`rapid_moo.Study.report`."""
    status, store, objectives = study.status(), study.store, study.objectives
    rows: IntArray = np.array([row for row in range(len(store)) if store.state(row) != "asked"], dtype=np.int64)
    X, raw = store.X[rows], store.raw_of(rows)
    feasible = np.zeros(len(store), dtype=np.bool_)
    known = study.feasible
    feasible[: len(known)] = known
    allowed = within_bounds(study.problem.violations(X, raw))
    state = store.notes.get(STATE) or {}
    predictors = _predictors(study, state)
    chosen = Choice.from_dict(state["choice"]) if predictors is not None and "choice" in state else None
    facts, listed = architecture_facts(
        study.space,
        objectives,
        X,
        raw,
        ["known" if store.is_free(row) else store.state(row) for row in rows.tolist()],
        number=(rows + 1).tolist(),
        reason=[store.reason(row) if store.failed_objectives_of(row).any() else "" for row in rows.tolist()],
        feasible=allowed,
        predictors=predictors,
    )
    billed = ~store.free[rows]
    F = np.where(feasible[rows][:, None], raw * signs(objectives), np.inf)
    F = np.where(np.isnan(F).any(axis=1, keepdims=True), np.inf, F)
    order = np.flatnonzero(billed)
    if study.problem.costs_stated:
        # What was measured in part first, and later in full, counts when it was complete.
        order = np.searchsorted(rows, store.in_order_told(rows[order]))
    progress = progress_facts(F[order], None, "found", _prices(study, rows[order])) if billed.any() else None
    front = facts.front(objectives)
    return Report(
        kind="study",
        name=study.space.name,
        created=now(),
        command=command or _command(study),
        objectives=objective_facts(objectives),
        bounds=bound_facts(study.problem.constraints, objectives),
        space=space_facts(study.space),
        bill={
            "evaluations": status.begun,
            **(
                {"cost": status.cost, "cost_budget": status.budget}
                if study.problem.costs_stated
                else {"budget": status.budget}
            ),
            **{key: getattr(status, key) for key in ("failed", "partial", "stopped", "running", "repeats", "imported")},
            "front_size": status.front_size,
        },
        quality={"hypervolume_box": status.hypervolume},
        architectures=facts,
        expected=_expected(study, rows[listed], bool(status.holder)),
        reference=reference_facts("found", front, objectives) if len(front) else None,
        progress=progress,
        predictors=predictor_facts(predictors, members_of) if predictors is not None else (),
        choice=chosen,
        picks=picks_of(facts, objectives, weights),
        failures=dict(status.reasons),
        settings={
            "seed": study.seed,
            "budget": status.budget,
            "constraints": [str(item) for item in study.definition.content["constraints"]],
            "measure": study.definition.content.get("measure"),
            **_costs(study),
            **({"priors": study.priors.told()} if study.priors.hints else {}),
            "options": study.definition.content["settings"].get("options"),
            "begun": study.definition.content.get("created"),
        },
        versions=environment(),
        running=status.holder,
    )


def _command(study: Any) -> str:
    """The command line that makes the study again, in a new folder; empty where none began it."""
    given = dict(study.definition.content.get("command", {}))
    target, budget = given.pop("target", ""), study.definition.budget
    if not target or budget is None:
        return ""
    words = ["rapid-moo", "run", target]
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        for item in value if isinstance(value, list) else [value]:
            words += [option] if item is True else [option, str(item)]
    return shlex.join([*words, "--budget", f"{told_cost(budget):.12g}", "--out", f"{study.folder}-again"])


def _expected(study: Any, rows: IntArray, running: bool) -> ExpectedFacts | None:
    """What is expected of rows of the store; None where no noise was found, or it would hold up a run for long."""
    if running and study.store.complete.sum() > MOST_WHILE_RUNNING:
        return None
    found = study.expected()
    noisy = {o.name: n.to_text(o.unit) for o, n in zip(study.objectives, found.noises, strict=True) if n.std}
    if not noisy:
        return None
    places = {row: i for i, row in enumerate(found.rows.tolist())}
    at = [places.get(row) for row in rows.tolist()]
    front = set(found.expected_front_rows.tolist())
    ranks = {position: i for i, position in enumerate(found.again.tolist(), start=1)}
    nothing: list[float | None] = [None] * len(study.objectives)
    return ExpectedFacts(
        noise=noisy,
        mean=[nothing if i is None else found.mean[i].tolist() for i in at],
        std=[nothing if i is None else found.std[i].tolist() for i in at],
        chance=[None if i is None else float(found.chance[i]) for i in at],
        on_front=[i in front for i in at],
        again=[0 if i is None else ranks.get(i, 0) for i in at],
    )


def _costs(study: Any) -> dict[str, Any]:
    """What one measurement of each objective costs, where that is stated."""
    if not study.problem.costs_stated:
        return {}
    return {"costs": dict(zip(study.store.objectives, study.problem.prices.tolist(), strict=True))}


def _prices(study: Any, rows: IntArray) -> FloatArray | None:
    """What each evaluation cost, where costs are stated."""
    if not study.problem.costs_stated:
        return None
    return np.asarray((study.store.paid[rows] * study.problem.prices).sum(axis=1), dtype=np.float64)


def _predictors(study: Any, state: Mapping[str, Any]) -> PredictorSet | None:
    """The predictors that the folder tells of, fitted to all that it holds: the same whoever asks, and when."""
    bill = Bill(study.store)
    bill.add(np.flatnonzero(study.store.tried))
    view = SpaceView(study.problem)
    return refitted(view, view.knowledge(bill, study.store.X[:0]), state, study.priors)


def kept_weights(folder: Path) -> tuple[float, ...] | None:
    """The weights of the network that the last report of a folder names; None where it names none."""
    known = last_report(folder)
    return next((pick.weights for pick in known.picks if pick.weights is not None), None) if known else None


class Renewal:
    """Keeps the page of a running study new, in a small share of its time; it never stops a study.

    Parameters
    ----------
    study : Study
        Whose folder the page is in.
    weights : sequence of float, optional
        Of the network to name; those of the last report by default.
    command : str
        What makes it again, see :meth:`rapid_moo.Study.report`.
    """

    def __init__(self, study: Any, weights: Sequence[float] | None = None, command: str = "") -> None:
        self.study, self.command = study, command
        self.weights = kept_weights(study.folder) if weights is None else weights
        self._last, self._took = time.monotonic(), 0.0
        self._failed = False

    def renew(self, *, now: bool = False) -> Path | None:
        """Write the page if it is time to, or in any case; returns its path if it was written."""
        start = time.monotonic()
        if not now and start - self._last < max(EVERY, SHARE * self._took):
            return None
        path = None
        try:
            path = write_page(study_report(self.study, self.weights, self.command), self.study.folder)
            self._failed = False
        except (OSError, RapidMooError, ArithmeticError, ValueError) as error:
            if not self._failed:
                logger.warning("%s: no report.html: %s: %s", self.study.folder, type(error).__name__, error)
            self._failed = True
        self._last = time.monotonic()
        self._took = self._last - start
        return path
