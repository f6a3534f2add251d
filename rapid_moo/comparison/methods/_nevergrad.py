"""Any multi-objective Nevergrad optimizer as a method."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import nevergrad as ng
import numpy as np

from rapid_moo._util import FloatArray, IntArray, numpy_state_kept
from rapid_moo.comparison.method import Method
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace


class NevergradMethod(Method):
    """An optimizer of Nevergrad, one candidate at a time; a subclass says which.

    It is told the list of objectives and makes its own scalar of them (the hypervolume gained, as Nevergrad does for
    every optimizer that is not multi-objective by itself). Ordered genes are choices with transitions, the others plain
    choices.
    """

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._groups = _gene_groups(problem.space)
        with numpy_state_kept():
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
            # Until it has seen enough points to bound the hypervolume its loss is infinite, of which it warns, and so
            # does numpy where it averages.
            warnings.simplefilter("ignore", ng.errors.BadLossWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            self._optimizer.tell(self._candidate, F[0].tolist())


def _gene_groups(space: SearchSpace) -> list[IntArray]:
    """Positions of genes that one parameter can hold: those of as many choices, ordered or not.

    One parameter for each gene would be the same search at ten times the overhead.
    """
    kinds: dict[tuple[bool, int], list[int]] = {}
    for k, gene in enumerate(space.genes):
        if len(gene.choices) > 1:
            kinds.setdefault((bool(gene.ordered), len(gene.choices)), []).append(k)
    return [np.array(genes, dtype=np.int64) for genes in kinds.values()]


def _parameter(space: SearchSpace, genes: IntArray) -> Any:
    """What Nevergrad advises for ranges below ten: of integers cast from reals it hardly proposes the last."""
    gene = space.genes[genes[0]]
    kind = ng.p.TransitionChoice if gene.ordered else ng.p.Choice
    return kind(range(len(gene.choices)), repetitions=len(genes))
