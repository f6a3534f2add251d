"""What a verbose run of RAPID prints: columns for pymoo's display."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.util.display.column import Column
from pymoo.util.display.output import Output

from rapid_moo._util import FloatArray
from rapid_moo.indicators import ADRS, box_hypervolume


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

    def initialize(self, algorithm: Any) -> None:
        """Prepare the indicator: ADRS where the problem knows a front, else hypervolume."""
        front = algorithm.problem.pareto_front()
        self._indicator = ADRS(front) if front is not None and len(front) else None
        if self._indicator is None:
            self.obtained.name = "hv"

    def update(self, algorithm: Any) -> None:
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
