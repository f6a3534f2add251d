"""The published method as a pymoo Algorithm: one sample, one tuning, the evaluation of the predicted front."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pymoo.core.problem import Problem

from rapid_moo._util import IntArray
from rapid_moo.algorithm import RAPID
from rapid_moo.candidates import LIKELY, within_constraints
from rapid_moo.design import FIRST_SAMPLE
from rapid_moo.errors import InputError
from rapid_moo.learning import Learner
from rapid_moo.pareto import front_indices
from rapid_moo.tuning import ADRSTuner
from rapid_moo.view import Knowledge


class OneShotRAPID(RAPID):
    """The published method: a sample, one tuning, and the evaluation of the predicted front.

    Parameters
    ----------
    n_initial : int
        Size of the sample.
    parts : int
        Batches in which as many architectures as the predicted front has are evaluated. With two or more each batch has
        the largest expected gain, and the predictors, tuned once, are fitted again before it.
    batch_size : int, optional
        At least so many architectures beside the sample.
    tuner : ADRSTuner, optional
        Chooses the predictors; the thorough default tuner otherwise.
    **kwargs
        As in :class:`RAPID`.
    """

    def __init__(
        self,
        n_initial: int = FIRST_SAMPLE,
        parts: int = 1,
        batch_size: int | None = None,
        tuner: ADRSTuner | None = None,
        **kwargs: Any,
    ) -> None:
        if parts < 1:
            raise InputError(f"parts: expected a positive number, got {parts}")
        super().__init__(n_initial, batch_size, rounds=parts, tuner=tuner or ADRSTuner(), **kwargs)
        self.decoupled = False
        self.parts = parts
        self._front_size: int | None = None

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        super()._setup(problem, **kwargs)
        self._repeating = None  # the published method measures each architecture once

    def _make_learner(self, **settings: Any) -> Learner:
        return super()._make_learner(once=True, **settings)

    def _select(self, proposals: IntArray, known: Knowledge, size: int | None) -> IntArray:
        """What is evaluated of the predicted front in this part; the first prediction says how much in all."""
        if self._front_size is None:
            batch = self._predicted_front(proposals, known)
            self._front_size = len(batch)
            if self.parts == 1:
                return batch
        left = self.first_sample + self._front_size - self._n_usable(known)
        parts_left = self.parts - (self._rounds - 1)
        part = self._spending.affordable(math.ceil(left / max(parts_left, 1)))
        return self._batch(proposals, part, known) if part else proposals[:0]

    def _predicted_front(self, proposals: IntArray, known: Knowledge) -> IntArray:
        """The published step: every new architecture on the front of the predictions, known ones included.

        With a ``batch_size``, as many more as it takes, of the largest expected gain.
        """
        if self.success is not None:
            proposals = proposals[self.success.predict(proposals) >= LIKELY]
        everyone = np.vstack([proposals, known.X[~known.failed]])
        assert self.predictors is not None
        mean, std = self.view.predict(self.predictors, everyone)
        met = np.flatnonzero(within_constraints(self.view, everyone, mean, std, 1, self.limits))
        front = met[front_indices(mean[met])]
        picked = front[front < len(proposals)]
        batch = everyone[picked]
        left = np.delete(proposals, picked, axis=0)
        if self.batch_size is not None and len(batch) < self.batch_size and len(left):
            batch = np.vstack([batch, self._batch(left, self.batch_size - len(batch), known)])
        self._expected.clear()
        return batch[: self._spending.affordable(len(batch))]
