"""NSGA-III as pymoo implements it, with the structured reference directions of Das and Dennis.

K. Deb, H. Jain, "An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting
approach, part I", IEEE TEC 18(4), 2014.
"""

from __future__ import annotations

from typing import ClassVar

from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod, reference_directions
from rapid_moo.operators import genotype_operators


class NSGA3Method(EvolutionaryMethod):
    """NSGA-III with genotype operators."""

    name = "nsga3"
    pop_size = 20
    algorithm: ClassVar[type[Algorithm]] = NSGA3

    def _make(self) -> Algorithm:
        size = self._pop_size
        directions = reference_directions(self.problem.n_obj, size)
        return self.algorithm(directions, pop_size=size, **genotype_operators(self.problem))
