"""NSGA-II as pymoo implements it.

K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC 6(2), 2002.
"""

from __future__ import annotations

from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod
from rapid_moo.operators import genotype_operators


class NSGA2Method(EvolutionaryMethod):
    """NSGA-II with genotype operators."""

    name = "nsga2"
    pop_size = 20

    def _make(self) -> Algorithm:
        return NSGA2(pop_size=self._pop_size, **genotype_operators(self.problem))
