"""Iterated RAPID: this package's algorithm with its defaults."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pymoo.core.algorithm import Algorithm

from rapid_moo._util import BoolArray
from rapid_moo.algorithm import RAPID
from rapid_moo.comparison.methods._pymoo import AnytimePymooMethod
from rapid_moo.costs import CostBudget
from rapid_moo.design import FIRST_SAMPLE


class IteratedRAPID(AnytimePymooMethod):
    """:class:`rapid_moo.RAPID`; its schedule does not depend on the budget, so one run serves them all."""

    name = "rapid"
    first_sample = FIRST_SAMPLE
    # Private, so that records of runs without costs stay those of this method.
    _decoupled: ClassVar[bool] = True

    def _make(self) -> Algorithm:
        return RAPID(n_initial=self.first_sample, decoupled=self._decoupled)

    def _termination(self) -> Any:
        return CostBudget(math.inf) if self.problem.costs_stated else super()._termination()

    @property
    def wanted(self) -> BoolArray | None:
        """What RAPID wants to be measured."""
        algorithm: Any = self._algorithm
        return algorithm.wanted if self.problem.costs_stated else None
