"""ArchitectureProblem: a search space and where its objectives come from, as a pymoo Problem.

Three sources, and everything downstream is blind to which: a table (look-up), predictors, or the user's own
profiler. True evaluations (table, profiler) are kept in a ledger: an architecture is evaluated once per problem and
then remembered, whatever asks for it.

A genotype that the table does not hold stands for its nearest member (:meth:`SearchSpace.distance`, ties to the
earlier row). That one rule serves incomplete tables and tables that sample their space, and it is the same for
every optimizer: any pymoo algorithm can search a table's members through ordinary genotypes.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.errors import InputError
from rapid_moo.nearest import NearestMember
from rapid_moo.objectives import Objective, to_minimised
from rapid_moo.pareto import front_points
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

Profiler = Callable[[IntArray], ArrayLike]
FAILED = np.inf


class Source(Protocol):
    """Where raw objective values come from."""

    @property
    def true(self) -> bool:
        """Whether a call is a true evaluation, which is remembered and billed."""

    def resolve(self, X: IntArray) -> IntArray:
        """Repaired genotypes of the architectures that will really be evaluated."""

    def values(self, X: IntArray) -> FloatArray:
        """Raw objectives of resolved genotypes, shape (n, n_objectives); NaN marks a failed evaluation."""


@dataclass(frozen=True, eq=False)
class TableSource:
    """Look-up in a table; a genotype outside it stands for its nearest member."""

    table: ArchitectureTable
    true: bool = True
    _known: dict[bytes, int] = field(default_factory=dict, repr=False)

    def resolve(self, X: IntArray) -> IntArray:
        """Members of the table, see the module's rule."""
        rows = self.table.find(X)
        missing = np.flatnonzero(rows < 0)
        keys = [X[i].tobytes() for i in missing]
        new = {key: i for key, i in zip(keys, missing, strict=True) if key not in self._known}
        if new:
            nearest = self._members.rows(X[list(new.values())])
            self._known.update(zip(new, nearest.tolist(), strict=True))
        rows[missing] = [self._known[key] for key in keys]
        return self.table.X[rows]

    @cached_property
    def _members(self) -> NearestMember:
        return NearestMember(self.table.space, self.table.X)

    def values(self, X: IntArray) -> FloatArray:
        """Measured values of members."""
        return self.table.raw[self.table.find(X)]


@dataclass(frozen=True, eq=False)
class ProfilerSource:
    """The user's own training and measuring: called with new genotypes only, once per architecture.

    ``profiler(X)`` gets codes of shape (n, n_var) and returns raw values of shape (n, n_objectives). An architecture
    whose row holds NaN, or whose call raises, is recorded as failed.
    """

    space: SearchSpace
    profiler: Profiler
    n_objectives: int
    true: bool = True

    def resolve(self, X: IntArray) -> IntArray:
        """The genotypes themselves."""
        return X

    def values(self, X: IntArray) -> FloatArray:
        """Profiled values; one architecture per call, so that one failure spoils one row."""
        rows = []
        for x in X:
            try:
                measured = self.profiler(x[None, :].copy())
            except Exception as error:  # whatever the user's code raises
                logger.warning("%s: recorded as failed: %s", self.space.to_string(x), error)
                measured = np.full(self.n_objectives, np.nan)
            row = np.asarray(measured, dtype=np.float64).reshape(-1)
            if row.shape != (self.n_objectives,):
                raise InputError(f"profiler: expected {self.n_objectives} values, got {row.tolist()}")
            rows.append(row)
        return np.array(rows, dtype=np.float64).reshape(len(X), self.n_objectives)


@dataclass(frozen=True, eq=False)
class PredictedSource:
    """Objectives from fitted predictors: free of charge and not remembered."""

    predictors: Any
    true: bool = False

    def resolve(self, X: IntArray) -> IntArray:
        """The genotypes themselves."""
        return X

    def values(self, X: IntArray) -> FloatArray:
        """Predicted raw values."""
        return np.asarray(self.predictors.predict(X), dtype=np.float64)


@dataclass(frozen=True)
class Constraint:
    """A bound on a raw objective or computed value, such as ``latency <= 20``."""

    name: str
    relation: str
    bound: float

    _PATTERN = re.compile(r"\s*(\w+)\s*(<=|>=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Parse ``NAME <= NUMBER`` or ``NAME >= NUMBER``."""
        match = cls._PATTERN.fullmatch(text)
        if match is None:
            raise InputError(f"constraint: expected 'NAME <= NUMBER' or 'NAME >= NUMBER', got {text!r}")
        return cls(match[1], match[2], float(match[3]))

    def violation(self, values: FloatArray) -> FloatArray:
        """Positive where violated, as pymoo's inequality constraints are."""
        return values - self.bound if self.relation == "<=" else self.bound - values


class Ledger:
    """True evaluations of a problem in order: each architecture once.

    Attributes
    ----------
    X : ndarray of shape (n, n_var)
        Repaired genotypes.
    raw : ndarray of shape (n, n_objectives)
        Raw values; NaN in every objective marks a failed evaluation.
    """

    def __init__(self, n_var: int, n_objectives: int) -> None:
        self.X: IntArray = np.empty((0, n_var), dtype=np.int64)
        self.raw: FloatArray = np.empty((0, n_objectives), dtype=np.float64)
        self._rows: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, keys: Sequence[bytes]) -> IntArray:
        """Row of each key, -1 for a new one."""
        return np.array([self._rows.get(key, -1) for key in keys], dtype=np.int64)

    def add(self, keys: Sequence[bytes], X: IntArray, raw: FloatArray) -> None:
        """Append new architectures; a row with any NaN becomes a failed one."""
        for key in keys:
            self._rows[key] = len(self._rows)
        failed = np.logical_not(np.isfinite(raw).all(axis=1, keepdims=True))
        self.X = np.vstack([self.X, X])
        self.raw = np.vstack([self.raw, np.where(failed, np.nan, raw)])


class ArchitectureProblem(Problem):  # type: ignore[misc]  # pymoo ships no types
    """A multi-objective problem over the genotypes of a search space.

    Parameters
    ----------
    space : SearchSpace
        What an architecture is.
    source : ArchitectureTable, callable or fitted PredictorSet
        Where objectives come from. A callable is a profiler, see :class:`ProfilerSource`.
    objectives : sequence of Objective, optional
        Names, directions and units; those of the table, predictors or space by default.
    table : ArchitectureTable, optional
        Judges the search when the source is not itself a table.
    constraints : sequence of str or Constraint
        Bounds like ``"latency <= 20"`` on raw objectives or on values that the space computes.
    name : str, optional
        Name for reports.

    Notes
    -----
    Variables are integers ``0 .. k-1``; algorithms for real variables may pass fractions, which are rounded.
    A failed evaluation (NaN from the profiler) is billed and gets infinite objectives, so nothing ever selects it.
    """

    def __init__(
        self,
        space: SearchSpace,
        source: ArchitectureTable | Profiler | Any,
        objectives: Sequence[Objective] | None = None,
        *,
        table: ArchitectureTable | None = None,
        constraints: Sequence[str | Constraint] = (),
        name: str | None = None,
    ) -> None:
        self.space = space
        self.source, self.objectives = _as_source(space, source, objectives)
        self.table = source if isinstance(source, ArchitectureTable) else table
        self.constraints = tuple(Constraint.parse(item) if isinstance(item, str) else item for item in constraints)
        names = [o.name for o in self.objectives] + [o.name for o in space.computed]
        for constraint in self.constraints:
            if constraint.name not in names:
                raise InputError(f"constraint: expected one of {names}, got {constraint.name!r}")
        super().__init__(
            n_var=space.n_var,
            n_obj=len(self.objectives),
            n_ieq_constr=len(self.constraints),
            xl=space.xl,
            xu=space.xu,
            vtype=int,
        )
        self._name = name or (self.table.name if self.table is not None else space.name)
        self.ledger = Ledger(space.n_var, len(self.objectives))

    def name(self) -> str:
        """Name for reports."""
        return self._name

    # -------------------------------------------------------------- evaluation
    def _evaluate(self, x: ArrayLike, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        X = self.genotypes(x)
        raw = self.evaluate_raw(X)
        out["F"] = np.where(np.isnan(raw), FAILED, to_minimised(raw, self.objectives))
        if self.constraints:
            out["G"] = self.violations(X, raw)

    def genotypes(self, x: ArrayLike) -> IntArray:
        """Variables as pymoo passes them to the repaired genotypes that are really evaluated."""
        codes = np.clip(np.rint(np.atleast_2d(np.asarray(x, dtype=np.float64))), self.xl, self.xu)
        return self.source.resolve(self.space.repair(codes))

    def evaluate_raw(self, X: IntArray) -> FloatArray:
        """Raw objectives of shape (n, n_obj); a known architecture is read from the ledger."""
        if not self.source.true:
            return self.source.values(X)
        keys = self.space.keys(X)
        new = {key: i for i, key in reversed(list(enumerate(keys))) if self.ledger.rows([key])[0] < 0}
        if new:
            rows = sorted(new.values())
            # What was profiled before an interruption is kept.
            step = 1 if isinstance(self.source, ProfilerSource) else len(rows)
            for some in (rows[start : start + step] for start in range(0, len(rows), step)):
                self.ledger.add([keys[i] for i in some], X[some], self.source.values(X[some]))
        return self.ledger.raw[self.ledger.rows(keys)]

    def violations(self, X: IntArray, raw: FloatArray) -> FloatArray:
        """Constraint values of shape (n, n_constraints), positive where violated, infinite where failed."""
        names = [objective.name for objective in self.objectives]
        columns = [
            constraint.violation(
                raw[:, names.index(constraint.name)]
                if constraint.name in names
                else self.space.compute(X, constraint.name)
            )
            for constraint in self.constraints
        ]
        return np.where(np.isnan(columns), FAILED, columns).T

    @property
    def n_evaluations(self) -> int:
        """Unique true evaluations so far."""
        return len(self.ledger)

    def fresh(self) -> ArchitectureProblem:
        """The same problem with an empty ledger."""
        other = copy.copy(self)
        other.ledger = Ledger(self.space.n_var, len(self.objectives))
        return other

    def with_source(self, source: Any) -> ArchitectureProblem:
        """The same space and objectives, evaluated by another source, such as a fitted predictor set."""
        return ArchitectureProblem(
            self.space,
            source,
            self.objectives,
            table=self.table,
            constraints=self.constraints,
            name=self._name,
        )

    # ------------------------------------------------------------------ truth
    @property
    def front_kind(self) -> str:
        """``"true"``, ``"reference"`` (the table samples its space), or ``"unknown"`` (no table)."""
        return self.table.front_kind if self.table is not None else "unknown"

    def reference_front(self) -> FloatArray | None:
        """The (feasible) front of the table, minimised and distinct; None without a table."""
        if self.table is None:
            return None
        rows = self._feasible_rows()
        return front_points(self.table.F[rows]) if len(rows) else np.empty((0, self.n_obj))

    def _feasible_rows(self) -> IntArray:
        table = self.table
        if table is None:
            return np.empty(0, dtype=np.int64)
        if not self.constraints:
            return np.arange(len(table), dtype=np.int64)
        met = (self.violations(table.X, table.raw) <= 0.0).all(axis=1)
        return np.flatnonzero(met).astype(np.int64)

    def _calc_pareto_front(self, *args: Any, **kwargs: Any) -> FloatArray | None:
        return self.reference_front()

    def _calc_pareto_set(self, *args: Any, **kwargs: Any) -> IntArray | None:
        if self.table is None:
            return None
        rows = self._feasible_rows()
        front = front_points(self.table.F[rows])
        position = {tuple(point): i for i, point in reversed(list(enumerate(self.table.F)))}
        return self.table.X[[position[tuple(point)] for point in front]]


def _as_source(
    space: SearchSpace, source: Any, objectives: Sequence[Objective] | None
) -> tuple[Source, tuple[Objective, ...]]:
    if isinstance(source, ArchitectureTable):
        return TableSource(source), source.objectives
    if hasattr(source, "predict") and hasattr(source, "objectives"):
        return PredictedSource(source), tuple(source.objectives)
    if callable(source):
        chosen = tuple(objectives or space.objectives)
        if len(chosen) < 1:
            raise InputError(f"{space.name}: expected objectives for the profiler's values, got none")
        return ProfilerSource(space, source, len(chosen)), chosen
    raise InputError(
        f"source: expected an ArchitectureTable, a profiler function or fitted predictors, got {type(source).__name__}"
    )


class BillingEvaluator(Evaluator):  # type: ignore[misc]  # pymoo ships no types
    """Evaluator whose ``n_eval`` counts unique architectures, so that ``("n_eval", N)`` is an honest budget.

    A repeated architecture is served from memory and not billed. An algorithm that proposes nothing new for
    ``patience`` generations in a row is billed for its repeats from then on, so that every run ends.

    Parameters
    ----------
    patience : int
        Consecutive generations without a new architecture that stay free.
    """

    def __init__(self, patience: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patience = patience
        self.keys: dict[bytes, int] = {}
        self.stalled = 0

    def eval(self, problem: Any, pop: Any, **kwargs: Any) -> Any:
        """Evaluate a population and bill what is new; parameters as in pymoo."""
        kwargs.pop("count_evals", None)
        evaluated = super().eval(problem, pop, count_evals=False, **kwargs)
        before = len(self.keys)
        for key in problem.space.keys(problem.genotypes(np.atleast_2d(pop.get("X")))):
            self.keys.setdefault(key, len(self.keys))
        new = len(self.keys) - before
        self.stalled = 0 if new else self.stalled + 1
        self.n_eval += new if self.stalled <= self.patience else len(pop)
        return evaluated
