"""Random search: members drawn without replacement."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.problem import ArchitectureProblem

BATCH = 64


class RandomSearch(Method):
    """Members of the table in random order: the baseline that everything must beat."""

    name = "random"

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._order = self.members[np.random.default_rng(seed).permutation(len(self.members))]
        self._next = 0

    def ask(self) -> IntArray:
        """The next members of the random order."""
        batch = self._order[self._next : self._next + BATCH]
        self._next += len(batch)
        return batch

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Learn nothing."""
