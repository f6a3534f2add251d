"""Quality over evaluations: ADRS, hypervolume, IGD+ and front size of everything billed so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import hypervolume, normalised
from rapid_moo.pareto import front_indices

STEPS_PER_DECADE = 24
QUALITIES = ("adrs", "hypervolume", "igd_plus", "front_size")


def log_steps(last: int, extra: Iterable[int] = ()) -> list[int]:
    """Evaluation counts at which a trajectory is recorded: log-spaced, the last, and further ones up to it."""
    count = max(2, int(STEPS_PER_DECADE * np.log10(max(last, 2))) + 1)
    spaced = np.unique(np.round(np.geomspace(1, max(last, 1), count)).astype(int)).tolist()
    return sorted({*spaced, *(step for step in extra if 1 <= step <= last), last} - {0})


def trajectory(reference: FloatArray, F: FloatArray, steps: Sequence[int]) -> pd.DataFrame:
    """Quality of the first n points, for each n of ``steps``.

    Distances to the reference front are carried on from step to step, so the whole trajectory costs about as much as
    its last value.

    Parameters
    ----------
    reference : ndarray of shape (n_reference, n_objectives)
        The front that judges, minimised.
    F : ndarray of shape (n, n_objectives)
        Minimised objectives in the order of evaluation.
    steps : sequence of int
        Increasing numbers of evaluations, from 1 to n.

    Returns
    -------
    pandas.DataFrame
        Columns ``evaluations``, ``adrs``, ``hypervolume``, ``igd_plus``, ``front_size``.
    """
    target, points = normalised(F, reference=reference)
    chebyshev = np.full(len(target), np.inf)
    worse = np.full(len(target), np.inf)
    front: IntArray = np.empty(0, dtype=np.int64)
    done, lines = 0, []
    for step in steps:
        gaps = points[done:step, None, :] - target[None, :, :]
        chebyshev = np.minimum(chebyshev, np.abs(gaps).max(axis=2).min(axis=0, initial=np.inf))
        positive = np.maximum(gaps, 0.0)
        worse = np.minimum(worse, np.sqrt((positive**2).sum(axis=2)).min(axis=0, initial=np.inf))
        pool = np.concatenate([front, np.arange(done, step)])
        front = pool[front_indices(F[pool])]
        distinct = np.unique(F[front], axis=0)
        lines.append((step, chebyshev.mean(), hypervolume(distinct, reference=reference), worse.mean(), len(distinct)))
        done = step
    return pd.DataFrame(lines, columns=["evaluations", *QUALITIES])
