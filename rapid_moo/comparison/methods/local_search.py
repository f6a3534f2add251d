"""Pareto local search: evaluate the neighbours of non-dominated architectures until none is left, then restart.

L. Paquete, M. Chiarandini, T. Stützle, "Pareto local optimum sets in the biobjective traveling salesman problem: an
experimental study", 2004; as a NAS method: C. White, S. Nolen, Y. Savani, "Exploring the loss landscape in neural
architecture search", UAI 2021, whose random initialisation, of ten, is used here.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.comparison.methods._genes import neighbours
from rapid_moo.pareto import front_indices
from rapid_moo.problem import ArchitectureProblem


class LocalSearch(Method):
    """Pareto local search with restarts; neighbours differ in one gene."""

    name = "local-search"
    n_initial: ClassVar[int] = 10

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._rng = np.random.default_rng(seed)
        self._restarts = iter(self._rng.permutation(len(self.members)))
        self._X = np.empty((0, problem.n_var), dtype=np.int64)
        self._F = np.empty((0, problem.n_obj))
        self._explored: set[bytes] = set()

    def ask(self) -> IntArray:
        """The neighbours of a non-dominated architecture that has not been explored; else random members."""
        if len(self._X) == 0:
            return self._random(self.n_initial)
        open_rows = [i for i, x in enumerate(self._X) if x.tobytes() not in self._explored]
        if not open_rows:
            return self._random(1)
        x = self._X[self._rng.choice(open_rows)]
        self._explored.add(x.tobytes())
        return self._rng.permutation(neighbours(self.problem.space, x))

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Keep the archive of non-dominated architectures; a restart's member joins it in any case."""
        members = self.problem.genotypes(X)
        joined = np.vstack([self._X, members])
        values = np.vstack([self._F, F])
        _, first = np.unique(joined, axis=0, return_index=True)
        first = np.sort(first)
        kept = first[front_indices(values[first])]
        if len(X) == 1 and len(joined) - 1 not in kept:
            kept = np.append(kept, len(joined) - 1)
        self._X, self._F = joined[kept], values[kept]

    def _random(self, n: int) -> IntArray:
        rows = [row for _, row in zip(range(n), self._restarts, strict=False)]
        return self.members[rows]
