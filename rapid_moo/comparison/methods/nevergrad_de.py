"""Nevergrad's differential evolution for several objectives.

J. Rapin, O. Teytaud, "Nevergrad: a gradient-free optimization platform", 2018. Its DE takes parents from the Pareto
front once there are several objectives.
"""

from __future__ import annotations

from typing import Any, ClassVar

import nevergrad as ng

from rapid_moo.comparison.methods._nevergrad import NevergradMethod


class NevergradDE(NevergradMethod):
    """``DE`` with Nevergrad's own settings but for the size of the population."""

    name = "nevergrad-de"
    pop_size: ClassVar[int] = 30

    def _family(self) -> Any:
        return ng.optimizers.DifferentialEvolution(popsize=self.pop_size)
