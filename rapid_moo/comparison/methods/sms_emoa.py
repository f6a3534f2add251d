"""SMS-EMOA as pymoo implements it, with one child at a time as its authors describe it.

N. Beume et al., "SMS-EMOA: multiobjective selection based on dominated hypervolume", EJOR 181(3), 2007.
"""

from __future__ import annotations

from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod
from rapid_moo.operators import genotype_operators


class SMSEMOAMethod(EvolutionaryMethod):
    """SMS-EMOA with genotype operators."""

    name = "sms-emoa"
    pop_size = 20

    def _make(self) -> Algorithm:
        algorithm = SMSEMOA(pop_size=self._pop_size, n_offsprings=1, **genotype_operators(self.problem))
        # As many attempts at one new child as pymoo makes at a whole generation; it ends when they are spent.
        algorithm.mating.n_max_iterations *= self._pop_size
        return algorithm
