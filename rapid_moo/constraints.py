"""Constraints: on objectives, on what the space computes, on genes, or any function of an architecture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rapid_moo._util import FloatArray, IntArray, shown
from rapid_moo.errors import InputError
from rapid_moo.space import SearchSpace

_BOUND = re.compile(
    r"\s*(?P<name>\"(?:[^\"\\]|\\.)*\"|'[^']*'|.+?)\s*(?P<relation><=|>=|<|>)\s*"
    r"(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)


RELATIONS = ("<=", ">=", "<", ">")


@dataclass(frozen=True)
class Constraint:
    """A bound on a raw objective, on a value that the space computes or on a gene, such as ``latency <= 20``.

    Parameters
    ----------
    name : str
        What is bounded.
    relation : {"<=", ">=", "<", ">"}
        On which side of the bound the allowed values are.
    bound : float
        The bound.
    """

    name: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Parse ``NAME <= NUMBER`` (or ``>=``, ``<``, ``>``); quotes around a name are optional."""
        match = _BOUND.fullmatch(text)
        if match is None:
            raise InputError(f"constraint: expected 'NAME <= NUMBER' (or >=, <, >), got {text!r}")
        name = match["name"]
        if name[:1] == name[-1:] and name[:1] in ("'", '"') and len(name) > 1:
            name = _unquoted(name)
        return cls(name, match["relation"], float(match["bound"]))

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise InputError(f"constraint: expected one of {', '.join(RELATIONS)}, got {self.relation!r}")
        if not np.isfinite(self.bound):
            raise InputError(f"constraint on {self.name!r}: expected a finite bound, got {self.bound}")

    def violation(self, values: FloatArray) -> FloatArray:
        """Positive where violated, as pymoo's inequality constraints are."""
        return values - self.edge if self.relation in ("<=", "<") else self.edge - values

    @property
    def edge(self) -> float:
        """The last allowed value: the bound itself, or its neighbour where it is excluded."""
        if self.relation in ("<", ">"):
            return float(np.nextafter(self.bound, -np.inf if self.relation == "<" else np.inf))
        return self.bound

    def __str__(self) -> str:
        return f"{self.name} {self.relation} {self.bound:g}"


def _unquoted(name: str) -> str:
    if name[0] == "'":
        return name[1:-1]
    try:
        return str(json.loads(name))
    except ValueError as error:
        raise InputError(f"constraint: expected a name in quotes, got {name}: {error}") from error


@dataclass(frozen=True)
class FunctionConstraint:
    """A bound on the architecture itself.

    Parameters
    ----------
    function : callable
        Takes the dict of active genes; returns True where the architecture is allowed and False where not, or a number
        that is at most 0 where it is allowed.
    name : str
        Name for reports.
    """

    function: Callable[[dict[str, Any]], Any]
    name: str

    def violations(self, space: SearchSpace, X: IntArray) -> FloatArray:
        """Positive where violated, shape (n,)."""
        architectures = space._dicts(space.repair(X))
        return np.array([self._violation(self.function(architecture)) for architecture in architectures])

    def _violation(self, told: Any) -> float:
        if isinstance(told, bool | np.bool_):
            return 0.0 if told else 1.0
        try:
            value = float(told)
        except (TypeError, ValueError):
            value = np.nan
        if np.isnan(value):
            raise InputError(f"constraint {self.name}: expected True, False or a number, got {told!r}")
        return value

    def __str__(self) -> str:
        return self.name


AnyConstraint: TypeAlias = Constraint | FunctionConstraint


def as_constraints(items: Any) -> tuple[AnyConstraint, ...]:
    """Constraints from texts, functions of the dict of genes, or constraints; one alone is enough."""
    if items is None:
        return ()
    several = [items] if isinstance(items, str | Constraint | FunctionConstraint) or callable(items) else list(items)
    return tuple(_as_constraint(item) for item in several)


def _as_constraint(item: Any) -> AnyConstraint:
    if isinstance(item, Constraint | FunctionConstraint):
        return item
    if isinstance(item, str):
        return Constraint.parse(item)
    if callable(item):
        return FunctionConstraint(item, getattr(item, "__name__", "constraint"))
    raise InputError(f"constraint: expected text like 'latency <= 20' or a function of the genes, got {item!r}")


class ConstraintSet:
    """The constraints of a problem, each with where its value comes from.

    Parameters
    ----------
    space : SearchSpace
        Knows the genes and what is computed.
    objectives : sequence of str
        Names of the objectives, the columns of raw values.
    constraints : sequence of Constraint or FunctionConstraint
        The bounds.
    further : mapping of str to callable, optional
        What else is known of an architecture beforehand, such as further columns of a table: functions of genotypes of
        shape (n, n_var) that return values of shape (n,).

    Raises
    ------
    InputError
        If a name is none of these, nor computed, nor a gene of numbers.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str],
        constraints: Sequence[AnyConstraint],
        further: Mapping[str, Callable[[IntArray], FloatArray]] | None = None,
    ) -> None:
        self.space, self.objectives, self.all = space, tuple(objectives), tuple(constraints)
        self._further = dict(further or {})
        self._computed = {objective.name for objective in space.computed}
        self._genes = {gene.name: k for k, gene in enumerate(space.genes) if gene.numeric}
        names = list(dict.fromkeys([*self.objectives, *self._computed, *self._genes, *self._further]))
        for constraint in self.all:
            if isinstance(constraint, Constraint) and constraint.name not in names:
                raise InputError(f"constraint: expected one of {shown(names, 300)}, got {shown(constraint.name)}")
        self.known = tuple(c for c in self.all if self._is_known(c))

    def __len__(self) -> int:
        return len(self.all)

    def _is_known(self, constraint: AnyConstraint) -> bool:
        """Whether it is decided by the architecture alone, before anything is measured."""
        if isinstance(constraint, FunctionConstraint) or constraint.name in self._computed:
            return True
        return constraint.name not in self.objectives

    def column(self, constraint: AnyConstraint) -> int | None:
        """Column of the measured objective that is bounded; None for a bound that is known beforehand."""
        return None if constraint in self.known else self.objectives.index(constraint.name)

    def known_violations(self, X: IntArray) -> FloatArray:
        """Values of the constraints that are known before anything is measured, shape (n, n_known)."""
        columns = [self._violation_of_known(constraint, X) for constraint in self.known]
        return np.column_stack(columns) if columns else np.empty((len(X), 0))

    def _violation_of_known(self, constraint: AnyConstraint, X: IntArray) -> FloatArray:
        if isinstance(constraint, FunctionConstraint):
            return constraint.violations(self.space, X)
        if constraint.name in self._computed:
            return constraint.violation(self.space.compute(X, constraint.name))
        if constraint.name not in self._genes:
            return constraint.violation(self._further[constraint.name](X))
        k = self._genes[constraint.name]
        values = np.array([float(choice) for choice in self.space.genes[k].choices])[X[:, k]]
        return np.where(self.space.is_active(X)[:, k], constraint.violation(values), 0.0)

    def require_met(self, X: IntArray, raw: FloatArray, name: str) -> None:
        """Refuse a bound that none of the architectures of a table meets.

        Parameters
        ----------
        X : ndarray of shape (n, n_var)
            All architectures.
        raw : ndarray of shape (n, n_objectives)
            Their raw values.
        name : str
            Of the table, for the message.

        Raises
        ------
        InputError
            The message tells the range of what is bounded.
        """
        for constraint, violation in zip(self.all, self.violations(X, raw).T, strict=True):
            if len(X) == 0 or (violation <= 0.0).any():
                continue
            told = f"constraint {constraint}: no architecture of {name} meets it"
            if isinstance(constraint, Constraint):
                distance = violation if constraint.relation in ("<=", "<") else -violation
                values = distance[np.isfinite(distance)] + constraint.edge
                told += f"; {constraint.name} is {values.min():.6g} to {values.max():.6g}" if len(values) else ""
            raise InputError(told)

    def violations(self, X: IntArray, raw: FloatArray) -> FloatArray:
        """Values of all constraints of shape (n, n_constraints): positive where violated, infinite where unknown."""
        if not self.all:
            return np.empty((len(X), 0))
        columns = []
        for constraint in self.all:
            k = self.column(constraint)
            if k is None or not isinstance(constraint, Constraint):
                columns.append(self._violation_of_known(constraint, X))
            else:
                columns.append(constraint.violation(raw[:, k]))
        found = np.column_stack(columns)
        return np.where(np.isnan(found), np.inf, found)

    def allowed(self, X: IntArray) -> FloatArray:
        """Whether architectures meet what is known beforehand, boolean of shape (n,)."""
        return np.asarray((self.known_violations(X) <= 0.0).all(axis=1))
