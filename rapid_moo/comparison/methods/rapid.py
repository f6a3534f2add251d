"""Iterated RAPID: this package's algorithm with its defaults."""

from __future__ import annotations

from pymoo.core.algorithm import Algorithm

from rapid_moo.algorithm import FIRST_SAMPLE, RAPID
from rapid_moo.comparison.methods._pymoo import PymooMethod


class IteratedRAPID(PymooMethod):
    """:class:`rapid_moo.RAPID`; one run serves every budget.

    A first sample of fixed size makes the run independent of its budget. By itself RAPID takes a smaller one for
    budgets below twice its size.
    """

    name = "rapid"
    first_sample = FIRST_SAMPLE

    def _make(self) -> Algorithm:
        return RAPID(n_initial=self.first_sample)
