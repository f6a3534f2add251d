"""Nevergrad's portfolio of discrete (1+1) evolution strategies.

J. Rapin, O. Teytaud, "Nevergrad: a gradient-free optimization platform", 2018; the mutation rate is drawn anew for each
child (D. Dang, P. K. Lehre, "Self-adaptation of mutation rates in non-elitist populations", PPSN 2016).
"""

from __future__ import annotations

from typing import Any

import nevergrad as ng

from rapid_moo.comparison.methods._nevergrad import NevergradMethod


class NevergradPortfolio(NevergradMethod):
    """``PortfolioDiscreteOnePlusOne`` with Nevergrad's own settings."""

    name = "nevergrad-portfolio"

    def _family(self) -> Any:
        return ng.optimizers.registry["PortfolioDiscreteOnePlusOne"]
