"""Regularised evolution with several objectives: the youngest stay, the best of a tournament has a child.

E. Real et al., "Regularized evolution for image classifier architecture search", AAAI 2019; for several objectives the
tournament is won by front and crowding distance, as in Syne Tune's MO-REA (D. Salinas et al., AutoML 2022).
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import numpy as np
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.comparison.methods._genes import mutate_one
from rapid_moo.pareto import front_indices
from rapid_moo.problem import ArchitectureProblem


class MOREA(Method):
    """Multi-objective regularised evolution; a child differs from its parent in one gene."""

    name = "mo-rea"
    pop_size: ClassVar[int] = 40
    tournament: ClassVar[int] = 10

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._rng = np.random.default_rng(seed)
        self._members = problem.table.X if problem.table is not None else problem.space.enumerate()
        self._size = max(2, min(self.pop_size, len(self._members) // 2))
        self._population: deque[tuple[IntArray, FloatArray]] = deque(maxlen=self._size)
        self._crowding = get_crowding_function("cd")

    def ask(self) -> IntArray:
        """Random members first, then one child at a time."""
        if not self._population:
            return self._members[self._rng.permutation(len(self._members))[: self._size]]
        return mutate_one(self.problem.space, self._parent(), self._rng)[None, :]

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Let them in; the oldest leave."""
        self._population.extend(zip(self.problem.genotypes(X), F, strict=True))

    def _parent(self) -> IntArray:
        drawn = self._rng.permutation(len(self._population))[: self.tournament]
        F = np.array([self._population[i][1] for i in drawn])
        front = front_indices(F)
        best = front[int(np.argmax(self._crowding.do(F[front], n_remove=0)))]
        return self._population[drawn[best]][0]
