"""Stratified random search: every prefix of the sample is spread evenly over the size of the architectures.

Strata are taken along one axis that costs no evaluation: an objective that the space computes (parameters), else the
first principal component of its features. Positions follow the golden-ratio sequence with a random start, the additive
recurrence of lowest discrepancy (L. Kuipers, H. Niederreiter, "Uniform distribution of sequences", 1974), so that the
run need not know its budget.
"""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace

BATCH = 64
GOLDEN = (5**0.5 - 1) / 2


class StratifiedRandom(Method):
    """Random members, spread evenly along a free measure of size."""

    name = "stratified-random"

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        rng = np.random.default_rng(seed)
        # Members of equal size are in random order.
        shuffled = self.members[rng.permutation(len(self.members))]
        size = free_axis(problem.space, shuffled)
        self._by_size = shuffled[np.argsort(size, kind="stable")]
        self._order = _spread(len(self.members), float(rng.random()))
        self._next = 0

    def ask(self) -> IntArray:
        """The next members of the sequence."""
        rows = self._order[self._next : self._next + BATCH]
        self._next += len(rows)
        return self._by_size[rows]

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Learn nothing."""


def free_axis(space: SearchSpace, X: IntArray) -> FloatArray:
    """A measure of size that costs no evaluation, shape (n,)."""
    if space.computed:
        return space.compute(X, space.computed[0].name)
    features = space.features(X)
    centred = features - features.mean(axis=0)
    spread = centred.std(axis=0)
    scaled = centred[:, spread > 0] / spread[spread > 0]
    if scaled.shape[1] == 0:
        return np.zeros(len(X))
    axis = np.linalg.eigh(scaled.T @ scaled)[1][:, -1]
    # Rounded, so that equal architectures up to the last bit are ties on every machine.
    return np.asarray((scaled @ axis).round(9))


def _spread(n: int, start: float) -> IntArray:
    """All of 0..n-1, each once, in the order in which a golden-ratio sequence visits or comes next to them."""
    wanted = ((start + GOLDEN * np.arange(4 * n)) % 1.0 * n).astype(np.int64)
    first = np.unique(wanted, return_index=True)[1]
    order = wanted[np.sort(first)]
    left = np.setdiff1d(np.arange(n), order)
    return np.concatenate([order, left]).astype(np.int64)
