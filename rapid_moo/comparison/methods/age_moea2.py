"""AGE-MOEA-II as pymoo implements it.

A. Panichella, "An improved Pareto front modeling algorithm for large-scale many-objective optimization", GECCO 2022.
"""

from __future__ import annotations

from pymoo.algorithms.moo.age2 import AGEMOEA2
from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod
from rapid_moo.operators import genotype_operators


class AGEMOEA2Method(EvolutionaryMethod):
    """AGE-MOEA-II with genotype operators."""

    name = "age-moea2"
    pop_size = 20

    def _make(self) -> Algorithm:
        return AGEMOEA2(pop_size=self._pop_size, **genotype_operators(self.problem))
