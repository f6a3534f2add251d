"""U-NSGA-III as pymoo implements it, with the structured reference directions of Das and Dennis.

H. Seada, K. Deb, "A unified evolutionary optimization procedure for single, multiple, and many objectives", IEEE TEC
20(3), 2016.
"""

from __future__ import annotations

from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod, reference_directions
from rapid_moo.operators import genotype_operators


class UNSGA3Method(EvolutionaryMethod):
    """U-NSGA-III with genotype operators."""

    name = "u-nsga3"
    pop_size = 20

    def _make(self) -> Algorithm:
        size = self._pop_size
        directions = reference_directions(self.problem.n_obj, size)
        return UNSGA3(directions, pop_size=size, **genotype_operators(self.problem))
