"""The tree-structured Parzen estimator for several objectives, as Optuna implements it.

Y. Ozaki et al., "Multiobjective tree-structured Parzen estimator", JAIR 73, 2022.
"""

from __future__ import annotations

from rapid_moo.comparison.methods._optuna import OptunaMethod


class OptunaTPE(OptunaMethod):
    """``TPESampler`` with Optuna's own settings."""

    name = "optuna-tpe"
    sampler = "TPESampler"
