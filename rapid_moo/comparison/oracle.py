"""The floor of a comparison: front points chosen greedily with the truth in hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import normalised
from rapid_moo.table import ArchitectureTable
from rapid_moo.trajectory import log_steps, trajectory


def oracle_order(front: FloatArray, /) -> IntArray:
    """Points of a front in the order in which each lowers the ADRS most; ties to the earlier point.

    Greedy, so not always the best set of a size, but no method without the truth is expected to beat it.

    Parameters
    ----------
    front : ndarray of shape (n, n_objectives)
        Distinct non-dominated points, minimised.

    Returns
    -------
    ndarray of shape (n,)
        Positions.
    """
    points, _ = normalised(front, reference=front)
    distance = np.abs(points[:, None, :] - points[None, :, :]).max(axis=2)
    nearest = np.full(len(points), np.inf)
    left = np.ones(len(points), dtype=np.bool_)
    order = []
    for _ in range(len(points)):
        after = np.minimum(distance, nearest[None, :]).sum(axis=1)
        after[~left] = np.inf
        best = int(after.argmin())
        order.append(best)
        left[best] = False
        nearest = np.minimum(nearest, distance[best])
    return np.array(order, dtype=np.int64)


def oracle_trajectory(table: ArchitectureTable) -> pd.DataFrame:
    """Quality of the oracle over its evaluations, with the table's name and rows; columns as in :func:`trajectory`."""
    chosen = table.front[oracle_order(table.front)]
    frame = trajectory(table.front, chosen, log_steps(len(chosen), range(1, len(chosen))))
    frame.insert(0, "dataset", table.name)
    frame.insert(1, "rows", len(table))
    return frame
