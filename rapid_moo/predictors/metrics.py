"""How good predictions of one objective are, in the terms that RAPID reports and more."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import kendalltau, pearsonr, spearmanr

from rapid_moo._util import FloatArray
from rapid_moo.errors import InputError

BANDS = (1, 5, 10)
COVERAGES = (50, 80, 95)
ROUNDING = float(np.finfo(np.float64).eps)


def prediction_metrics(true: ArrayLike, predicted: ArrayLike, std: ArrayLike | None = None) -> dict[str, float]:
    """Errors and correlations of raw predictions of shape (n,).

    Returns
    -------
    dict
        ``within_1pct``, ``within_5pct``, ``within_10pct`` (share of predictions whose error is at most that share of
        the true value), ``mse``, ``mape`` (share; true values that are zero to rounding are left out), ``r2``,
        ``kendall_tau``, ``spearman``, ``pearson`` (0 where a side is constant), and with ``std`` the share of true
        values inside the central 50, 80 and 95 % interval: ``coverage_50``, ``coverage_80``, ``coverage_95``.
    """
    truth, guess = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.shape != guess.shape or truth.ndim != 1 or len(truth) == 0:
        raise InputError(f"metrics: expected two equal shapes (n,) with n > 0, got {truth.shape} and {guess.shape}")
    error = np.abs(guess - truth)
    metrics = {f"within_{band}pct": float((error <= band / 100.0 * np.abs(truth)).mean()) for band in BANDS}
    metrics["mse"] = float((error**2).mean())
    nonzero = np.abs(truth) > ROUNDING * np.abs(truth).max()
    metrics["mape"] = float((error[nonzero] / np.abs(truth[nonzero])).mean()) if nonzero.any() else 0.0
    variance = float(truth.var())
    metrics["r2"] = 1.0 - metrics["mse"] / variance if variance > 0.0 else 0.0
    metrics |= _correlations(truth, guess)
    if std is not None:
        spread = np.asarray(std, dtype=np.float64)
        for share in COVERAGES:
            width = float(ndtri(0.5 + share / 200.0))
            metrics[f"coverage_{share}"] = float((error <= width * spread).mean())
    return metrics


def _correlations(truth: FloatArray, guess: FloatArray) -> dict[str, float]:
    if np.ptp(truth) == 0.0 or np.ptp(guess) == 0.0:
        return {"kendall_tau": 0.0, "spearman": 0.0, "pearson": 0.0}
    with warnings.catch_warnings():
        # Nearly constant input loses precision, which is no news to the reader of a correlation of about 0.
        warnings.simplefilter("ignore")
        found = {
            "kendall_tau": kendalltau(truth, guess).statistic,
            "spearman": spearmanr(truth, guess).statistic,
            "pearson": pearsonr(truth, guess).statistic,
        }
    return {name: float(np.nan_to_num(value)) for name, value in found.items()}
