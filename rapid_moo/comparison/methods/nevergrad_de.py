"""Nevergrad's differential evolution for several objectives.

J. Rapin, O. Teytaud, "Nevergrad: a gradient-free optimization platform", 2018. Its DE keeps a population of 30 and
takes parents from the Pareto front once there are several objectives.
"""

from __future__ import annotations

from rapid_moo.comparison.methods._nevergrad import NevergradMethod


class NevergradDE(NevergradMethod):
    """``DE`` with Nevergrad's own settings."""

    name = "nevergrad-de"
    optimizer = "DE"
