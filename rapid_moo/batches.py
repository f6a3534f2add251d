"""The choice of a batch among proposals: who may be in it, what is expected of them, and which are worth most.

Without what is too likely to fail or to break a bound, the proposals of the best expected values are given to the
acquisition, with draws from the predictors' joint distribution. What is measured of an architecture in part is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray, copied
from rapid_moo.acquisition import Acquisition, Candidates, unbounded
from rapid_moo.candidates import LIKELY, SLACK, predicted_violations, within_constraints
from rapid_moo.curves import Stops
from rapid_moo.learning import Learner
from rapid_moo.objectives import signs, to_minimised
from rapid_moo.pareto import pareto_ranks
from rapid_moo.predictors import PredictorSet
from rapid_moo.stopping import FEWEST, allowed, optimistic, planned
from rapid_moo.view import Knowledge, SpaceView

SPREAD_POOL = 1_500
WIDE_SLACK = 1.5
"""As ``SLACK``, of bounds on objectives: how likely they are broken the possible truths tell."""
LEAST_RISK = 0.02
N_SPACE = 2_000
"""So many random architectures show how much of the space fails."""
SAFEST = 0.1
CAREFUL, MOST_CAREFUL = 2.0, 1.2
"""Times the risk of the safest tenth that may be taken: where failures cannot be foreseen, nobody is shut out."""


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch, and what it was chosen from.

    Attributes
    ----------
    X : ndarray of shape (n, n_var)
        Candidates.
    mean, std : ndarray of shape (n, n_objectives)
        What is expected of them, minimised, with what is known of them.
    known : ndarray of shape (n_known, n_objectives)
        Completely measured (and feasible) points, minimised.
    chosen : ndarray of shape (n_chosen,)
        Positions of the batch.
    draw : callable
        ``draw(rows, n)`` gives possible truths of shape (n, n_rows, n_objectives).
    pending : ndarray of shape (n_pending,)
        Further rows that ``draw`` knows, of architectures that are being evaluated.
    broken : callable
        Which values are beyond a bound, see :class:`~rapid_moo.acquisition.Candidates`.
    """

    X: IntArray
    mean: FloatArray
    std: FloatArray
    known: FloatArray
    chosen: IntArray
    draw: Callable[[IntArray, int], FloatArray]
    pending: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    broken: Callable[[FloatArray], BoolArray] = unbounded

    @property
    def picked(self) -> IntArray:
        """The batch's genotypes, shape (n_chosen, n_var)."""
        return self.X[self.chosen]


class Chooser:
    """Chooses batches by what a learner knows.

    Parameters
    ----------
    view : SpaceView
        The problem's space and objectives.
    learner : Learner
        Its predictors say what is expected.
    acquisition : callable
        Chooses among candidates, see :data:`rapid_moo.acquisition.Acquisition`.
    rng : numpy.random.Generator
        Source of randomness.
    priced : bool
        Whether it matters what is left to pay of an architecture: where the budget is one of cost.
    """

    def __init__(
        self,
        view: SpaceView,
        learner: Learner,
        acquisition: Acquisition,
        rng: np.random.Generator,
        priced: bool = False,
    ) -> None:
        self.view, self.learner, self.acquisition, self.rng, self.priced = view, learner, acquisition, rng, priced
        self._everywhere: IntArray | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Chooser:
        return copied(self, memo, ("_everywhere",))

    def choose(self, proposals: IntArray, size: int, known: Knowledge, unit: float = 1.0) -> Batch:
        """The batch of the largest expected gain among the proposals of the best expected values.

        Parameters
        ----------
        proposals : ndarray of shape (n, n_var)
            Architectures of which not everything is known.
        size : int
            How many to choose, or what so many cost.
        known : Knowledge
            What is known; what is pending counts as chosen.
        unit : float
            What one of them may cost, as a share of a whole evaluation.
        """
        assert self.learner.predictors is not None
        proposals = self.likely(proposals, size, known)
        if len(proposals) > SPREAD_POOL:
            mean = self.view.predict_mean(self.learner.predictors, proposals)
            for i, values in known_parts(self.view, proposals, known):
                mean[i, np.isfinite(values)] = values[np.isfinite(values)]
            violations = predicted_violations(self.view, proposals, mean, self.learner.limits)
            order = np.lexsort((pareto_ranks(mean), (violations > 0.0).any(axis=1)))[:SPREAD_POOL]
            proposals = proposals[np.sort(order)]
        mean, std = self._predicted(proposals, known)
        limits = self.learner.limits
        slack = WIDE_SLACK if limits is None else SLACK
        met = within_constraints(self.view, proposals, mean, std, size, limits, slack)
        proposals, mean, std = proposals[met], mean[met], std[met]
        everyone = np.vstack([proposals, known.pending])
        success = self.learner.success
        candidates = Candidates(
            mean,
            std,
            known.done,
            lambda rows, n: self._draw(everyone[rows], n, known),
            pending=np.arange(len(proposals), len(everyone)),
            success=success.predict(proposals) if success is not None else None,
            prices=self._prices(proposals, unit),
            broken=self.view.out_of_bounds,
        )
        rows = self.acquisition(candidates, size, self.rng)
        return Batch(proposals, mean, std, known.done, rows, candidates.draw, candidates.pending, candidates.broken)

    def _prices(self, X: IntArray, unit: float) -> FloatArray | None:
        """What is left to pay of architectures, in units; None where that is the price of a whole one for all."""
        shares = self.view.shares(X) if self.priced else np.ones(len(X))
        return shares / unit if (shares < 1.0).any() else None

    def likely(self, proposals: IntArray, size: int, known: Knowledge) -> IntArray:
        """Without what is too likely to fail, while enough else is left."""
        if self.learner.success is None:
            return proposals
        probability = self.learner.success.predict(proposals)
        kept = probability >= 1.0 - self.risk(probability, size, known)
        if kept.sum() < size:
            kept[np.argsort(-probability, kind="stable")[:size]] = True
        return proposals[kept]

    def risk(self, probability: FloatArray, size: int, known: Knowledge) -> float:
        """How likely a proposal may be to fail.

        A front often ends where evaluations begin to fail, so some failures are the price of its end. They may be as
        many as random search would have had by then, and no more: what is left of those is what a batch may risk.
        """
        assert self.learner.success is not None
        share, waiting = self.failing_share(), known.pending
        n_tried = int((known.complete | known.failed).sum()) + len(waiting)
        failures = float(known.failed.sum())
        if len(waiting):
            failures += float((1.0 - self.learner.success.predict(waiting)).sum())
        left = share * (n_tried + size) - failures
        overdrawn = max(0.0, -left) / math.sqrt(share * (1.0 - share) * (n_tried + size))
        safe = float(np.quantile(1.0 - probability, SAFEST))
        least = max(LEAST_RISK, safe * max(CAREFUL - overdrawn, MOST_CAREFUL))
        return max(least, min(left / size, 1.0 - LIKELY))

    def failing_share(self) -> float:
        """How much of the space fails: what the first sample says and what the model says, half and half.

        The sample is small, and what the model was taught by is where the search lingers.
        """
        success = self.learner.success
        assert success is not None
        if self._everywhere is None:
            rng, members = np.random.default_rng(0), self.view.members
            self._everywhere = (
                self.view.sample(N_SPACE, rng) if members is None else members[rng.permutation(len(members))[:N_SPACE]]
            )
        foretold = float(success.predict(self._everywhere).mean())
        return 1.0 - 0.5 * (success.rate_ + foretold)

    def _predicted(self, X: IntArray, known: Knowledge) -> tuple[FloatArray, FloatArray]:
        """Minimised mean and spread; what is measured of an architecture in part is known exactly."""
        assert self.learner.predictors is not None
        mean, std = self.view.predict(self.learner.predictors, X)
        for i, values in known_parts(self.view, X, known):
            sure = np.isfinite(values)
            mean[i, sure], std[i, sure] = values[sure], 0.0
        return mean, std

    def _draw(self, X: IntArray, n_draws: int, known: Knowledge) -> FloatArray:
        assert self.learner.predictors is not None
        draws = self.view.draw(self.learner.predictors, X, n_draws, self.rng)
        for i, values in known_parts(self.view, X, known):
            sure = np.isfinite(values)
            draws[:, i, sure] = values[sure]
        return draws


def batch_stops(view: SpaceView, predictors: PredictorSet, batch: Batch, known: Knowledge) -> dict[bytes, Stops]:
    """When to stop the measurements of a batch's architectures, by key; see :mod:`rapid_moo.stopping`.

    Parameters
    ----------
    view : SpaceView
        The problem's space and objectives.
    predictors : PredictorSet
        Say what was expected of those that have curves.
    batch : Batch
        What was chosen, and what is expected of it.
    known : Knowledge
        The front, and complete curves.
    """
    mean, std = batch.mean[batch.chosen], batch.std[batch.chosen]
    best = optimistic(mean, std)
    limits: list[dict[str, tuple[str, dict[int, float]]]] = [{} for _ in mean]
    steps, expected = 0, None
    for k, objective in enumerate(view.objectives):
        rows = [i for i in np.flatnonzero(known.complete).tolist() if known.curves[k][i]]
        if len(rows) < FEWEST:
            continue
        curves = [tuple((s, objective.sign * v) for s, v in known.curves[k][i]) for i in rows]
        steps = max(steps, *(curve[-1][0] for curve in curves))
        if expected is None:
            everyone = np.flatnonzero(known.complete)
            unseen = predictors.predict_unseen(known.X[everyone])[0] * signs(view.objectives)
            expected = np.full(known.F.shape, np.nan)
            expected[everyone] = unseen
        worst = np.array([allowed(known.done, line, k) for line in best])
        for own, at in zip(
            limits, planned(curves, known.F[rows, k], expected[rows, k], worst, mean[:, k]), strict=True
        ):
            if at:
                own[objective.name] = objective.direction, {s: objective.sign * v for s, v in at.items()}
    keys = view.space.keys(batch.picked)
    return {key: Stops(steps, own) for key, own in zip(keys, limits, strict=True) if own}


def known_parts(view: SpaceView, X: IntArray, known: Knowledge) -> Iterator[tuple[int, FloatArray]]:
    """Positions in X of what is known in part, with its minimised values."""
    rows = np.flatnonzero(known.open)
    if not len(rows):
        return
    minimised = to_minimised(known.raw[rows], view.objectives)
    parts = dict(zip(view.space.keys(known.X[rows]), minimised, strict=True))
    for i, key in enumerate(view.space.keys(X)):
        if key in parts:
            yield i, parts[key]
