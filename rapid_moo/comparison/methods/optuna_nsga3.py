"""NSGA-III as Optuna implements it.

K. Deb, H. Jain, "An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting
approach, part I", IEEE TEC 18(4), 2014.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rapid_moo.comparison.methods._optuna import OptunaMethod


class OptunaNSGA3(OptunaMethod):
    """``NSGAIIISampler`` with Optuna's own settings but for the size of the population."""

    name = "optuna-nsga3"
    sampler = "NSGAIIISampler"
    pop_size: ClassVar[int] = 20

    def _options(self) -> dict[str, Any]:
        return {"population_size": self.pop_size}
