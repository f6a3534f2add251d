"""Iterated RAPID: this package's algorithm with its defaults."""

from __future__ import annotations

from pymoo.core.algorithm import Algorithm

from rapid_moo.algorithm import RAPID
from rapid_moo.comparison.methods._pymoo import PymooMethod


class IteratedRAPID(PymooMethod):
    """:class:`rapid_moo.RAPID`; its schedule depends on the budget, so every budget is a run of its own."""

    name = "rapid"
    anytime = False

    def _make(self) -> Algorithm:
        return RAPID()
