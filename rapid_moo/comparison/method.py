"""The interface of a method: ask a batch, tell the objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rapid_moo._util import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from rapid_moo.problem import ArchitectureProblem


class Method(ABC):
    """One optimizer in one run.

    A subclass states its ``name`` and implements :meth:`ask` and :meth:`tell`. What it may look at is the problem's
    space, objectives (names and directions), store and members (``problem.table.X``), never the table's values.

    Parameters
    ----------
    problem : ArchitectureProblem
        What is searched; its store holds what has been evaluated so far.
    budget : int
        Unique evaluations that the run is meant for; where costs are stated, as many complete ones as it pays for.
    seed : int
        Seed of everything random.

    Attributes
    ----------
    name : str
        Name in the command line and in results.
    anytime : bool
        Whether the run is the same for every budget, so that one run to the largest serves all. A method whose
        schedule depends on the budget is run once for each.
    overruns : bool
        Whether evaluations beyond the budget are made and billed on top, as one-shot methods verify their front.
    """

    name: ClassVar[str] = ""
    anytime: ClassVar[bool] = True
    overruns: ClassVar[bool] = False
    # The pymoo algorithm, or what makes it, that the method was made of.
    _origin: ClassVar[Any] = None

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        self.problem, self.budget, self.seed = problem, budget, seed

    @cached_property
    def members(self) -> IntArray:
        """What can be evaluated, shape (n, n_var): the members of the problem's table, or of its whole space."""
        return self.problem.table.X if self.problem.table is not None else self.problem.space.enumerate()

    @property
    def wanted(self) -> BoolArray | None:
        """Which objectives to measure of each genotype just asked for, shape (n, n_objectives); None for all of them.

        The bill counts what is measured, where costs are stated. What is not measured is NaN in :meth:`tell`.
        """
        return None

    @abstractmethod
    def ask(self) -> IntArray:
        """Genotypes to evaluate next, shape (n, n_var); none to end the run."""

    @abstractmethod
    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Take the minimised objectives, shape (n, n_objectives), of the genotypes just asked for."""

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """Public constants of the class, as recorded with each run."""
        known = {key: getattr(cls, key) for key in dir(cls) if not key.startswith("_")}
        return {key: value for key, value in known.items() if isinstance(value, bool | int | float | str)}
