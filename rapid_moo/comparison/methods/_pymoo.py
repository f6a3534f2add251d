"""Any pymoo algorithm as a method."""

from __future__ import annotations

import copy
import re
from abc import abstractmethod
from functools import partial
from math import comb
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.individual import Individual
from pymoo.core.population import Population
from pymoo.util.ref_dirs import get_reference_directions

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.errors import InputError
from rapid_moo.measure import shortened
from rapid_moo.operators import genotype_operators
from rapid_moo.problem import ArchitectureProblem


class PymooMethod(Method):
    """A pymoo algorithm by its ask and tell; a subclass makes the algorithm."""

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._algorithm = self._make()
        self._algorithm.setup(problem, termination=self._termination(), seed=seed)
        self._asked: Any = None

    @abstractmethod
    def _make(self) -> Algorithm:
        """The algorithm, fresh."""

    def _limit(self) -> int:
        """Evaluations at which the algorithm ends by itself."""
        return self.budget

    def _termination(self) -> Any:
        """When the algorithm ends by itself."""
        return ("n_eval", self._limit())

    def ask(self) -> IntArray:
        """What the algorithm evaluates next; nothing once it has terminated."""
        if self._algorithm.is_initialized and not self._algorithm.has_next():
            return np.empty((0, self.problem.n_var), dtype=np.int64)
        self._asked = self._algorithm.ask()
        if self._asked is None or len(asked := self._individuals()) == 0:
            return np.empty((0, self.problem.n_var), dtype=np.int64)
        return np.atleast_2d(np.rint(asked.get("X").astype(np.float64)).astype(np.int64))

    def _individuals(self) -> Population:
        """What was asked; some of pymoo's algorithms, MOEA/D for one, ask for a single individual at a time."""
        return Population.create(self._asked) if isinstance(self._asked, Individual) else self._asked

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Hand the objectives on, and the bill: termination counts unique evaluations."""
        self._individuals().set("F", F)
        self._algorithm.evaluator.n_eval = self.problem.n_evaluations
        self._algorithm.tell(infills=self._asked)


class AnytimePymooMethod(PymooMethod):
    """One whose algorithm does not know the budget: the same run for every budget."""

    def _limit(self) -> int:
        return self.problem.n_evaluations + len(self.members) + 1


class EvolutionaryMethod(AnytimePymooMethod):
    """One of pymoo's evolutionary algorithms with genotype operators."""

    pop_size: ClassVar[int]

    @property
    def _pop_size(self) -> int:
        """The population size, smaller where the table is."""
        return max(4, min(self.pop_size, len(self.members) // 2))


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def as_method(algorithm: Any) -> type[Method]:
    """A method from any pymoo algorithm: a class, an instance, or a function of the problem that makes one.

    A class that takes them gets genotype operators; an instance runs as it is, copied for each run. What makes no
    algorithm shows when it is asked for one, see :func:`check_algorithm`.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if isinstance(algorithm, type) and issubclass(algorithm, Method):
        return algorithm
    if isinstance(algorithm, type) and issubclass(algorithm, Algorithm):
        make, name = partial(_with_operators, algorithm), algorithm.__name__
    elif isinstance(algorithm, Algorithm):
        make, name = partial(_copied, algorithm), type(algorithm).__name__
    elif callable(algorithm) and not isinstance(algorithm, type):
        make, name = algorithm, getattr(algorithm, "__name__", "algorithm").strip("<>")
    else:
        raise InputError(f"method: expected a Method or a pymoo algorithm, got {algorithm!r}")
    told = name if isinstance(algorithm, Algorithm) else _ADDRESS.sub("", repr(algorithm))
    settings = {"algorithm": shortened(told, 120), "_origin": algorithm}

    def _make(self: PymooMethod) -> Algorithm:
        made = make(self.problem)
        if not isinstance(made, Algorithm):
            raise InputError(f"method {name!r}: expected a pymoo algorithm, got {type(made).__name__}")
        return made

    return type(f"{name}Method", (AnytimePymooMethod,), {"name": name, "_make": _make, **settings})


def check_algorithm(method: type[Method], problem: ArchitectureProblem) -> None:
    """Refuse a method of :func:`as_method` that makes no algorithm for a problem, before anything is run."""
    if method._origin is None or not issubclass(method, PymooMethod):
        return
    try:
        method._make(cast("PymooMethod", SimpleNamespace(problem=problem)))
    except InputError:
        raise
    except Exception as error:  # whatever a function raises that makes none
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"method {method.name!r}: expected a pymoo algorithm, got {told}") from error


def _with_operators(algorithm: type[Algorithm], problem: ArchitectureProblem) -> Algorithm:
    """The algorithm with genotype operators, as far as its constructor takes them."""
    operators = genotype_operators(problem)
    for given in (operators, {k: v for k, v in operators.items() if k != "eliminate_duplicates"}, {}):
        try:
            return algorithm(**given)
        except TypeError as error:
            last = error
    raise InputError(f"method {algorithm.__name__!r}: expected a class that can be made without arguments: {last}")


def _copied(algorithm: Algorithm, _problem: ArchitectureProblem) -> Algorithm:
    return copy.deepcopy(algorithm)


def reference_directions(n_objectives: int, at_most: int) -> FloatArray:
    """Das and Dennis' directions with as many partitions as give no more than ``at_most`` of them."""
    partitions = 1
    while comb(partitions + n_objectives, n_objectives - 1) <= at_most:
        partitions += 1
    return np.asarray(get_reference_directions("das-dennis", n_objectives, n_partitions=partitions))
