"""What a run of RAPID under pymoo's ``minimize`` comes back with: pymoo's result, and what a notebook asks of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from pymoo.core.result import Result

from rapid_moo._shown import Lines, Shown
from rapid_moo.bill import Bill
from rapid_moo.errors import InputError
from rapid_moo.frames import described_frame
from rapid_moo.indicators import adrs
from rapid_moo.pareto import front_points
from rapid_moo.problem import ArchitectureProblem


class RunResult(Shown, Result):  # type: ignore[misc]  # pymoo ships no types
    """pymoo's ``Result``, with frames and ADRS.

    Attributes
    ----------
    bill : Bill
        What the run asked for and learnt from.
    view : SpaceView
        The problem as a search space.
    """

    bill: Bill
    view: Any

    def to_frame(self, *, everything: bool = False) -> pd.DataFrame:
        """The front found: text of the architecture, its genes, and raw objectives, a row each.

        Parameters
        ----------
        everything : bool
            All that the run knows instead, in the order of evaluation; NaN where an objective is not known.
        """
        rows = self.bill.rows if everything else self._front()
        store = self.view.store
        return described_frame(store.space, store.objectives, store.X[rows], store.raw_of(rows))

    def _front(self) -> Any:
        if self.X is None:
            return np.empty(0, dtype=np.int64)
        several = [self.X] if isinstance(self.X, dict) else self.X
        return self.view.store.find(self.view.genotypes(several))

    def adrs(self) -> float:
        """ADRS of everything on the run's bill against the front that the problem knows; 0 is perfect.

        Raises
        ------
        InputError
            If the problem knows no front, or nothing succeeded.
        """
        problem = self.problem
        if isinstance(problem, ArchitectureProblem):
            return problem.adrs(self.bill)
        front = problem.pareto_front()
        if front is None or len(front) == 0:
            raise InputError(f"{type(problem).__name__}: expected a problem whose front is known")
        F = np.asarray(self.pop.get("F"), dtype=np.float64)
        return adrs(F[np.isfinite(F).all(axis=1)], reference=front_points(front))

    def _shown(self) -> tuple[str, Lines]:
        objectives = self.view.objectives
        lines: list[tuple[str, Any]] = [
            (
                "problem",
                self.problem.name() if isinstance(self.problem, ArchitectureProblem) else type(self.problem).__name__,
            ),
            ("evaluations", len(self.bill)),
            ("front", 0 if self.F is None else len(np.atleast_2d(self.F))),
        ]
        with suppress(InputError):
            lines.append(("ADRS", self.adrs()))
        raw = self.view.store.raw_of(self._front())
        for k, objective in enumerate(objectives):
            if len(raw):
                best = raw[:, k].min() if objective.direction == "min" else raw[:, k].max()
                lines.append((f"best {objective.label}", float(best)))
        return "Result of RAPID", lines
