"""Where a space fails: the probability that an evaluation succeeds, learnt from those that did and did not.

Nobody knows beforehand how a space fails. The largest networks may not fit, which a logistic regression sees at once;
an operation may fail together with a depth, or in pockets, which a Gaussian process on the labels sees; or a machine
fails at random, where only the base rate is true. So the models are averaged, each weighed by the likelihood of labels
that it has not seen: Akaike-like weights from cross-validation, which go over to the base rate where there is nothing
to learn.

A process's probability is that of its predictive distribution lying above one half, as probit regression reads a latent
function (C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, section 3.4; the
likelihood is replaced by a normal one, which keeps the fit in closed form). The weights are those of pseudo-BMA
(Y. Yao et al., "Using stacking to average Bayesian predictive distributions", Bayesian Analysis 13, 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.predictors import GaussianProcess
from rapid_moo.space import SearchSpace

MAX_ROWS = 400
HALF = 0.5
STRENGTHS = (0.1, 1.0, 10.0)
"""Inverse strengths of the penalty of the logistic regressions."""
FOLDS, NEWTON = 5, 25
SURE = 0.005
"""No label is taken to be surer than that when models are weighed: one surprise must not settle it."""

NEGLIGIBLE = 1e-3
HANDICAP = 2.0
"""By so much a process, whose three hyper-parameters have seen all rows, must be likelier: Akaike's excess."""

Read: TypeAlias = Callable[[FloatArray], FloatArray]
KINDS = ("engineered", "all")


class SuccessModel:
    """Probability of success over a space.

    Parameters
    ----------
    space : SearchSpace
        Gives the features.
    n_first : int
        So many rows, the first ones, are taken to represent the space: what fails of them, fails of the space.

    Attributes
    ----------
    rate_ : float
        Share of the first rows that succeeded, a little nearer to one half: what random search would find. Later rows
        say less about it, since a search may linger where evaluations fail.
    weights_ : dict of str to float
        Weight of each model; they sum to 1.
    """

    def __init__(self, space: SearchSpace, n_first: int = 16) -> None:
        self.space, self.n_first = space, n_first

    def fit(self, X: IntArray, succeeded: BoolArray) -> SuccessModel:
        """Learn from architectures and whether they succeeded; needs one of each kind. Returns self.

        Of many rows the latest failures and the latest successes are taken, at most 400.
        """
        rows = np.arange(len(X))
        if len(rows) > MAX_ROWS:
            failures, successes = rows[~succeeded][-MAX_ROWS // 2 :], rows[succeeded]
            rows = np.sort(np.concatenate([failures, successes[-(MAX_ROWS - len(failures)) :]]))
        X, labels = X[rows], succeeded[rows]
        features = {kind: self.space.features(X, kind) for kind in KINDS}
        first = succeeded[: self.n_first]
        rate = self.rate_ = (float(first.sum()) + HALF) / (len(first) + 1.0)
        self._models: dict[str, tuple[str, Read]] = {"rate": ("all", lambda query: np.full(len(query), rate))}
        unseen = {"rate": np.full(len(labels), rate)}
        for kind in KINDS:
            name = f"process {kind}"
            read, unseen[name] = _process(features[kind], labels)
            self._models[name] = kind, read
        for strength in STRENGTHS:
            name = f"logistic {strength:g}"
            read, unseen[name] = _logistic(features["all"], labels, strength)
            self._models[name] = "all", read
        surprise = {
            name: _surprise(labels, probability) + HANDICAP * name.startswith("process")
            for name, probability in unseen.items()
        }
        least = min(surprise.values())
        raw = {name: float(np.exp(least - value)) for name, value in surprise.items()}
        # What hardly counts is not worth its time.
        raw = {name: weight for name, weight in raw.items() if weight >= NEGLIGIBLE}
        self.weights_ = {name: weight / sum(raw.values()) for name, weight in raw.items()}
        return self

    def predict(self, X: IntArray) -> FloatArray:
        """Probability that each architecture's evaluation succeeds, shape (n,)."""
        features = {kind: self.space.features(X, kind) for kind in {self._models[name][0] for name in self.weights_}}
        found = np.zeros(len(X))
        for name, weight in self.weights_.items():
            kind, read = self._models[name]
            found += weight * read(features[kind])
        return found


def _process(features: FloatArray, labels: BoolArray) -> tuple[Read, FloatArray]:
    """A process with one length scale, and its probabilities of rows that it has not seen.

    A length scale per feature fits the noise of a hundred labels: it is surer than it may be.
    """
    process = GaussianProcess(ard=False).fit(features, labels.astype(np.float64))
    return lambda query: _probit(*process.predict(query, return_std=True)), _probit(*process.leave_one_out())


def _logistic(features: FloatArray, labels: BoolArray, strength: float) -> tuple[Read, FloatArray]:
    """A logistic regression, and its probabilities of rows that it has not seen."""
    shift, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-9 * (1.0 + np.abs(shift)), spread, 1.0)
    Z = (features - shift) / spread
    unseen, fold = np.empty(len(labels)), _folds(labels)
    for k in np.unique(fold):
        others = fold != k
        unseen[~others] = _regression(Z[others], labels[others], strength)(Z[~others])
    model = _regression(Z, labels, strength)
    return lambda query: model((query - shift) / spread), unseen


def _regression(Z: FloatArray, labels: BoolArray, strength: float) -> Read:
    """Logistic regression with a ridge penalty, by Newton's method with halved steps.

    scikit-learn's takes ten times as long for a hundred rows, and every round of a search makes eighteen of them.
    """
    if labels.all() or not labels.any():
        rate = (float(labels.sum()) + HALF) / (len(labels) + 1.0)
        return lambda query: np.full(len(query), rate)
    design = np.column_stack([np.ones(len(Z)), Z])
    signed = np.where(labels, 1.0, -1.0)
    ridge = np.full(design.shape[1], 1.0 / strength)
    ridge[0] = 1e-6

    def loss(beta: FloatArray) -> float:
        return float(np.logaddexp(0.0, -signed * (design @ beta)).sum() + 0.5 * (ridge * beta) @ beta)

    beta = np.zeros(design.shape[1])
    value = loss(beta)
    for _ in range(NEWTON):
        chance = expit(design @ beta)
        slope = design.T @ (chance - labels) + ridge * beta
        curvature = (design.T * (chance * (1.0 - chance))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        while (new := loss(beta - step)) > value and np.abs(step).max() > 1e-6:
            step /= 2.0
        beta, gained, value = beta - step, value - new, new
        if gained < 1e-6:
            break
    return lambda query: np.asarray(expit(query @ beta[1:] + beta[0]))


def _folds(labels: BoolArray) -> IntArray:
    """Fold of each row; failures and successes are dealt out one by one, so each fold has its share."""
    fold = np.empty(len(labels), dtype=np.int64)
    for kind in (True, False):
        rows = np.flatnonzero(labels == kind)
        fold[rows] = (np.arange(len(rows)) + kind) % FOLDS
    return fold


def _probit(mean: FloatArray, std: FloatArray) -> FloatArray:
    return np.asarray(norm.cdf((mean - HALF) / np.maximum(std, 1e-9)))


def _surprise(labels: BoolArray, probability: FloatArray) -> float:
    """Negative log-likelihood of the labels."""
    sure = np.clip(probability, SURE, 1.0 - SURE)
    return float(-np.log(np.where(labels, sure, 1.0 - sure)).sum())
