"""Where a space fails: the probability that an evaluation succeeds, learnt from those that did and did not.

The labels (1 succeeded, 0 failed) are learnt by the package's Gaussian process, and the probability is that of its
predictive distribution lying above one half, as probit regression reads a latent function (C. E. Rasmussen,
C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, section 3.4; the likelihood is replaced by a normal
one, which keeps the fit in closed form).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.predictors import GaussianProcess
from rapid_moo.space import SearchSpace

MAX_ROWS = 400
HALF = 0.5


class SuccessModel:
    """Probability of success over a space.

    Parameters
    ----------
    space : SearchSpace
        Gives the features.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def fit(self, X: IntArray, succeeded: BoolArray) -> SuccessModel:
        """Learn from architectures and whether they succeeded; needs one of each kind. Returns self.

        Of many rows all failures and the latest successes are taken, at most 400.
        """
        rows = np.arange(len(X))
        if len(rows) > MAX_ROWS:
            failures, successes = rows[~succeeded][-MAX_ROWS // 2 :], rows[succeeded]
            rows = np.sort(np.concatenate([failures, successes[-(MAX_ROWS - len(failures)) :]]))
        self.process_ = GaussianProcess(ard=len(rows) >= 60)
        self.process_.fit(self.space.features(X[rows], "all"), succeeded[rows].astype(np.float64))
        return self

    def predict(self, X: IntArray) -> FloatArray:
        """Probability that each architecture's evaluation succeeds, shape (n,)."""
        mean, std = self.process_.predict(self.space.features(X, "all"), return_std=True)
        return np.asarray(norm.cdf((mean - HALF) / np.maximum(std, 1e-9)))
