"""U-NSGA-III as pymoo implements it, with the structured reference directions of Das and Dennis.

H. Seada, K. Deb, "A unified evolutionary optimization procedure for single, multiple, and many objectives", IEEE TEC
20(3), 2016.
"""

from __future__ import annotations

from pymoo.algorithms.moo.unsga3 import UNSGA3

from rapid_moo.comparison.methods.nsga3 import NSGA3Method


class UNSGA3Method(NSGA3Method):
    """U-NSGA-III with genotype operators."""

    name = "u-nsga3"
    algorithm = UNSGA3
