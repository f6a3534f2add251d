"""Iterated RAPID: this package's algorithm with its defaults."""

from __future__ import annotations

from pymoo.core.algorithm import Algorithm

from rapid_moo.algorithm import FIRST_SAMPLE, RAPID
from rapid_moo.comparison.methods._pymoo import AnytimePymooMethod


class IteratedRAPID(AnytimePymooMethod):
    """:class:`rapid_moo.RAPID`; its schedule does not depend on the budget, so one run serves them all."""

    name = "rapid"
    first_sample = FIRST_SAMPLE

    def _make(self) -> Algorithm:
        return RAPID(n_initial=self.first_sample)
