"""NSGA-III as Optuna implements it.

K. Deb, H. Jain, "An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting
approach, part I", IEEE TEC 18(4), 2014.
"""

from __future__ import annotations

from rapid_moo.comparison.methods._optuna import OptunaMethod


class OptunaNSGA3(OptunaMethod):
    """``NSGAIIISampler`` with Optuna's own settings (a population of 50)."""

    name = "optuna-nsga3"
    sampler = "NSGAIIISampler"
