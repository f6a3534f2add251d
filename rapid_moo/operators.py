"""Operators made for genotypes: sampling, crossover, mutation, repair and duplicate elimination.

pymoo's own operators work on every problem; these waste fewer evaluations. They never propose an inactive variant of a
known architecture, change at least one active gene, and compare with everything that was ever evaluated.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.algorithm import Algorithm
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.individual import Individual
from pymoo.core.mutation import Mutation
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling
from pymoo.util.ref_dirs import get_reference_directions

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.errors import InputError
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.space import SearchSpace


class ArchitectureSampling(Sampling):  # type: ignore[misc]  # pymoo ships no types
    """Distinct random architectures of the problem's table, or of its space where it has none."""

    def _do(
        self,
        problem: ArchitectureProblem,
        n_samples: int,
        *args: Any,
        random_state: Any = None,
        **kwargs: Any,
    ) -> IntArray:
        if problem.table is not None and problem.source.true:
            return problem.table.take(random_state.permutation(len(problem.table))[:n_samples]).X
        if not problem.constraint_set.known:
            return problem.space.sample(n_samples, random_state)
        # What breaks a bound that is known beforehand is evaluated only where nothing else is found.
        drawn = problem.space.sample(max(20 * n_samples, 1_000), random_state)
        allowed = problem.allowed(drawn)
        return np.vstack([drawn[allowed], drawn[~allowed]])[:n_samples]


class UniformGeneCrossover(Crossover):  # type: ignore[misc]  # pymoo ships no types
    """Uniform crossover: each gene comes from either parent with the same probability."""

    def __init__(self, prob: float = 0.9, **kwargs: Any) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=prob, **kwargs)

    def _do(self, _problem: Any, X: IntArray, *args: Any, random_state: Any = None, **kwargs: Any) -> IntArray:
        swap = random_state.random(X.shape[1:]) < 0.5
        return np.where(swap[None, :, :], X[::-1], X)


class ActiveGeneMutation(Mutation):  # type: ignore[misc]  # pymoo ships no types
    """Give each active gene another value with probability 1 / (active genes), at least one gene per genotype.

    An ordered gene with more than three choices moves to a neighbouring choice half of the time.
    """

    def _do(
        self, problem: ArchitectureProblem, X: IntArray, *args: Any, random_state: Any = None, **kwargs: Any
    ) -> IntArray:
        return mutated(problem.space, X, random_state)


def mutated(space: SearchSpace, X: IntArray, rng: Any) -> IntArray:
    """Genotypes with some active genes changed, see :class:`ActiveGeneMutation`; shape (n, n_var)."""
    codes = space.repair(X)
    choices = space.n_choices
    changeable = space.is_active(codes) & (choices > 1)
    rate = 1.0 / np.maximum(changeable.sum(axis=1, keepdims=True), 1)
    draw = np.where(changeable, rng.random(codes.shape), np.inf)
    change = (draw < rate) | (draw == draw.min(axis=1, keepdims=True))
    change &= changeable
    shift = 1 + (rng.random(codes.shape) * np.maximum(choices - 1, 1)).astype(np.int64)
    other = (codes + shift) % choices
    step = np.where(rng.random(codes.shape) < 0.5, -1, 1)
    step = np.where((codes + step < 0) | (codes + step >= choices), -step, step)
    ordered = np.array([gene.ordered and len(gene.choices) > 3 for gene in space.genes])
    near = ordered & (rng.random(codes.shape) < 0.5)
    return space.repair(np.where(change, np.where(near, codes + step, other), codes))


class ArchitectureRepair(Repair):  # type: ignore[misc]  # pymoo ships no types
    """Round to codes and put inactive genes in their fixed form."""

    def _do(self, problem: ArchitectureProblem, X: Any, **kwargs: Any) -> IntArray:
        # Operators for real variables may leave the bounds; what they meant is the nearest code.
        codes = np.clip(np.rint(np.asarray(X, dtype=np.float64)), problem.xl, problem.xu)
        return problem.space.repair(codes)


class ArchitectureDuplicates(DuplicateElimination):  # type: ignore[misc]  # pymoo ships no types
    """Drop what this run has evaluated before, in any generation, and repeats within a generation.

    What another run on the same problem has evaluated is no duplicate.

    Parameters
    ----------
    problem : ArchitectureProblem
        Says which genotypes are the same architecture; on a table, those that stand for the same member are.
    """

    def __init__(self, problem: ArchitectureProblem) -> None:
        super().__init__()
        self.problem = problem
        self._evaluated: set[bytes] = set()
        self._passed: dict[bytes, Individual] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> ArchitectureDuplicates:
        # pymoo's minimize copies the algorithm but not the problem, which is too large for it.
        other = ArchitectureDuplicates(self.problem)
        other._evaluated = set(self._evaluated)
        other._passed = copy.deepcopy(self._passed, memo)
        return other

    def do(self, pop: Any, *args: Any, return_indices: bool = False, to_itself: bool = True) -> Any:
        """Drop duplicates; parameters and results as in pymoo."""
        X = self._members(pop)
        keys = self.problem.space.keys(X) if len(X) else []
        others = {key for other in args for key in self._keys(other)}
        self._look_back()
        kept: list[int] = []
        here: set[bytes] = set()
        for i, key in enumerate(keys):
            if key in others or (to_itself and key in here) or key in self._evaluated:
                continue
            here.add(key)
            kept.append(i)
        self._passed |= {keys[i]: pop[i] for i in kept}
        if not return_indices:
            return pop[kept]
        return pop[kept], kept, [i for i in range(len(pop)) if i not in set(kept)]

    def _look_back(self) -> None:
        """What passed and was evaluated is a duplicate from now on; a generation that was full drops the others."""
        done = {key for key, one in self._passed.items() if "F" in one.evaluated or (one.F is not None and len(one.F))}
        self._evaluated |= done
        for key in done:
            del self._passed[key]

    def _members(self, pop: Any) -> IntArray:
        if len(pop) == 0:
            return np.empty((0, self.problem.n_var), dtype=np.int64)
        return self.problem.genotypes(np.atleast_2d(pop.get("X")))

    def _keys(self, pop: Any) -> list[bytes]:
        return self.problem.space.keys(self._members(pop)) if len(pop) else []


def genotype_operators(problem: ArchitectureProblem, *, duplicates: bool = True) -> dict[str, Any]:
    """Fresh operators for any of pymoo's genetic algorithms: ``NSGA2(pop_size=40, **genotype_operators(problem))``.

    Parameters
    ----------
    problem : ArchitectureProblem
        What will be searched.
    duplicates : bool
        Whether duplicate elimination comes along; False for an algorithm with a rule of its own, such as MOEAD.
    """
    operators: dict[str, Any] = {
        "sampling": ArchitectureSampling(),
        "crossover": UniformGeneCrossover(),
        "mutation": ActiveGeneMutation(),
        "repair": ArchitectureRepair(),
    }
    return {**operators, "eliminate_duplicates": ArchitectureDuplicates(problem)} if duplicates else operators


def evolutionary(name: str, problem: ArchitectureProblem, pop_size: int) -> Algorithm:
    """NSGA-II or NSGA-III with genotype operators.

    Parameters
    ----------
    name : {"nsga2", "nsga3"}
        Which algorithm.
    problem : ArchitectureProblem
        What it will search.
    pop_size : int
        Population size; NSGA-III takes as many evenly spread reference directions (Riesz s-energy).
    """
    if name == "nsga2":
        return NSGA2(pop_size=pop_size, **genotype_operators(problem))
    if name == "nsga3":
        return NSGA3(_directions(problem.n_obj, pop_size), pop_size=pop_size, **genotype_operators(problem))
    raise InputError(f"algorithm: expected 'nsga2' or 'nsga3', got {name!r}")


@cache
def _directions(n_objectives: int, n_points: int) -> FloatArray:
    """Evenly spread reference directions; 100 of them in four objectives take seconds."""
    return np.asarray(get_reference_directions("energy", n_objectives, n_points, seed=1))
