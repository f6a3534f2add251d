"""AGE-MOEA-II as pymoo implements it.

A. Panichella, "An improved Pareto front modeling algorithm for large-scale many-objective optimization", GECCO 2022.
"""

from __future__ import annotations

from importlib.util import find_spec

from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import EvolutionaryMethod
from rapid_moo.errors import MissingExtraError
from rapid_moo.operators import genotype_operators

if find_spec("numba") is None:
    raise MissingExtraError("age-moea2 needs numba, which pymoo does not bring along: pip install numba")


class AGEMOEA2Method(EvolutionaryMethod):
    """AGE-MOEA-II with genotype operators."""

    name = "age-moea2"
    pop_size = 20

    def _make(self) -> Algorithm:
        # pymoo imports numba with the module, and raises a bare Exception where it is missing.
        from pymoo.algorithms.moo.age2 import AGEMOEA2

        return AGEMOEA2(pop_size=self._pop_size, **genotype_operators(self.problem))
