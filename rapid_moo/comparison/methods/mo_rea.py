"""Regularised evolution with several objectives: the youngest stay, the best of a tournament has a child.

E. Real et al., "Regularized evolution for image classifier architecture search", AAAI 2019; for several objectives the
tournament is won by front, then crowding distance, as NSGA-II orders (Syne Tune's MO-REA takes an epsilon net instead).

Half of the population is in a tournament. A child is its parent with one gene changed. Where that architecture is known
(on a table that samples its space most one-gene neighbours stand for the parent itself), it is changed further until it
is new, twice 16 times at most.
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

WALK = 16


class MOREA(Method):
    """Multi-objective regularised evolution; a child is the nearest new architecture on a random walk of mutations."""

    name = "mo-rea"
    pop_size: ClassVar[int] = 20
    tournament: ClassVar[int] = 10

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._rng = np.random.default_rng(seed)
        self._size = max(2, min(self.pop_size, len(self.members) // 2))
        self._population: deque[tuple[IntArray, FloatArray]] = deque(maxlen=self._size)
        self._crowding = get_crowding_function("cd")

    def ask(self) -> IntArray:
        """Random members first, then one child at a time."""
        if not self._population:
            return self.members[self._rng.permutation(len(self.members))[: self._size]]
        return self._child(self._parent())[None, :]

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Let them in; the oldest leave."""
        self._population.extend(zip(self.problem.genotypes(X), F, strict=True))

    def _child(self, parent: IntArray) -> IntArray:
        """The first new architecture on a walk of one-gene mutations; a random member if the walk finds none."""
        space, store = self.problem.space, self.problem.store
        x = parent
        for length in (1, *[WALK] * 2):
            walk = []
            for _ in range(length):
                x = mutate_one(space, x, self._rng)
                walk.append(x)
            for step in walk:
                if store.find(self.problem.genotypes(step[None, :]))[0] < 0:
                    return step
        return np.asarray(self.members[self._rng.integers(len(self.members))])

    def _parent(self) -> IntArray:
        drawn = self._rng.permutation(len(self._population))[: self.tournament]
        F = np.array([self._population[i][1] for i in drawn])
        front = front_indices(F)
        best = front[int(np.argmax(self._crowding.do(F[front])))]
        return self._population[drawn[best]][0]
