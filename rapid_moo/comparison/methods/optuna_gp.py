"""Gaussian processes with expected hypervolume improvement, as Optuna implements it.

S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS 2023.
"""

from __future__ import annotations

from typing import Any

from rapid_moo.comparison.methods._optuna import OptunaMethod
from rapid_moo.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401  # the sampler imports it at its first fit only
except ImportError as error:
    raise MissingExtraError("Optuna's Gaussian processes need torch: pip install 'rapid-moo[optuna-gp]'") from error


class OptunaGP(OptunaMethod):
    """``GPSampler`` with Optuna's own settings, told that objectives have no noise."""

    name = "optuna-gp"
    sampler = "GPSampler"

    def _options(self) -> dict[str, Any]:
        return {"deterministic_objective": True}
