"""Any pymoo algorithm as a method."""

from __future__ import annotations

from abc import abstractmethod
from math import comb
from typing import Any, ClassVar

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.util.ref_dirs import get_reference_directions

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.problem import ArchitectureProblem


class PymooMethod(Method):
    """A pymoo algorithm by its ask and tell; a subclass makes the algorithm."""

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._algorithm = self._make()
        self._algorithm.setup(problem, termination=("n_eval", self._limit()), seed=seed)
        self._asked: Any = None

    @abstractmethod
    def _make(self) -> Algorithm:
        """The algorithm, fresh."""

    def _limit(self) -> int:
        """Evaluations at which the algorithm ends by itself."""
        return self.budget

    def ask(self) -> IntArray:
        """What the algorithm evaluates next; nothing once it has terminated."""
        if self._algorithm.is_initialized and not self._algorithm.has_next():
            return np.empty((0, self.problem.n_var), dtype=np.int64)
        self._asked = self._algorithm.ask()
        if self._asked is None or len(self._asked) == 0:
            return np.empty((0, self.problem.n_var), dtype=np.int64)
        return np.atleast_2d(np.asarray(self._asked.get("X"), dtype=np.int64))

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Hand the objectives on, and the bill: termination counts unique evaluations."""
        self._asked.set("F", F)
        self._algorithm.evaluator.n_eval = self.problem.n_evaluations
        self._algorithm.tell(infills=self._asked)


class AnytimePymooMethod(PymooMethod):
    """One whose algorithm does not know the budget: the same run for every budget."""

    def _limit(self) -> int:
        return self.problem.n_evaluations + len(self.members) + 1


class EvolutionaryMethod(AnytimePymooMethod):
    """One of pymoo's evolutionary algorithms with genotype operators."""

    pop_size: ClassVar[int] = 40

    @property
    def _pop_size(self) -> int:
        """The population size, smaller where the table is."""
        return max(4, min(self.pop_size, len(self.members) // 2))


def reference_directions(n_objectives: int, at_most: int) -> FloatArray:
    """Das and Dennis' directions with as many partitions as give no more than ``at_most`` of them."""
    partitions = 1
    while comb(partitions + n_objectives, n_objectives - 1) <= at_most:
        partitions += 1
    return np.asarray(get_reference_directions("das-dennis", n_objectives, n_partitions=partitions))
