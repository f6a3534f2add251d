"""Quality along a run: lists of cost, two counts and ADRS, whenever an evaluation is complete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CostCurve = list[list[float]]


def adrs_at(path: CostCurve, cost: float) -> float:
    """ADRS when so much has been spent; NaN before anything is complete."""
    return min((adrs for spent, _, _, adrs in path if spent <= cost * (1 + 1e-9)), default=np.nan)


def median_cost_to(paths: Sequence[CostCurve], target: float) -> float:
    """The lowest cost at which the median of the ADRS over runs is at most a target; infinite if it never is."""
    costs = sorted({spent for path in paths for spent, _, _, _ in path})
    return next((c for c in costs if np.median([adrs_at(path, c) for path in paths]) <= target), np.inf)
