"""Any multi-objective Nevergrad optimizer as a method."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import nevergrad as ng
import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace


class NevergradMethod(Method):
    """An optimizer of Nevergrad, one candidate at a time; a subclass says which.

    It is told the list of objectives and makes its own scalar of them (the hypervolume gained, as Nevergrad does for
    every optimizer that is not multi-objective by itself). Ordered genes are integers, the others choices.
    """

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._groups = _gene_groups(problem.space)
        parametrization = ng.p.Tuple(*[_parameter(problem.space, genes) for genes in self._groups])
        parametrization.random_state = np.random.RandomState(seed)  # what Nevergrad takes
        self._optimizer: Any = self._family()(parametrization=parametrization, budget=None)
        self._candidate: Any = None

    @abstractmethod
    def _family(self) -> Any:
        """What makes the optimizer from ``parametrization`` and ``budget``."""

    def ask(self) -> IntArray:
        """The next candidate."""
        self._candidate = self._optimizer.ask()
        x = np.zeros((1, self.problem.space.n_var), dtype=np.int64)
        for genes, codes in zip(self._groups, self._candidate.value, strict=True):
            x[0, genes] = codes
        return x

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Hand the objectives on."""
        with warnings.catch_warnings():
            # Until it has seen enough points to bound the hypervolume its loss is infinite, of which it warns.
            warnings.simplefilter("ignore", ng.errors.BadLossWarning)
            self._optimizer.tell(self._candidate, F[0].tolist())


def _gene_groups(space: SearchSpace) -> list[IntArray]:
    """Positions of genes that one parameter can hold: all ordered ones, and unordered ones of as many choices.

    One parameter for each gene would be the same search at ten times the overhead.
    """
    kinds: dict[int, list[int]] = {}
    for k, gene in enumerate(space.genes):
        if len(gene.choices) > 1:
            kinds.setdefault(0 if gene.ordered else len(gene.choices), []).append(k)
    return [np.array(genes, dtype=np.int64) for genes in kinds.values()]


def _parameter(space: SearchSpace, genes: IntArray) -> Any:
    last = space.xu[genes]
    if not space.genes[genes[0]].ordered:
        return ng.p.Choice(list(range(int(last[0]) + 1)), repetitions=len(genes))
    return ng.p.Array(init=last // 2, lower=np.zeros(len(genes)), upper=last).set_integer_casting()
