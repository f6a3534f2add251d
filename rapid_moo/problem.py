"""ArchitectureProblem: a search space and where its objectives come from, as a pymoo Problem.

Everything downstream is blind to which of the :mod:`~rapid_moo.sources` it is. True evaluations (table, measure) are
kept in the problem's store: an architecture is evaluated once per problem and then remembered, whatever asks for it.
What a run asked for is its :class:`~rapid_moo.Bill`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pymoo.core.problem import LoopedElementwiseEvaluation, Problem

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, FloatArray, IntArray, shown, unique_rows
from rapid_moo.bill import Bill
from rapid_moo.constraints import AnyConstraint, ConstraintSet, as_constraints
from rapid_moo.costs import check_prices, costs_stated, prices
from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.frames import described_frame
from rapid_moo.genes import check_genes
from rapid_moo.indicators import adrs
from rapid_moo.measure import Bug, Guard, Outcome
from rapid_moo.objectives import Objective, plausible, to_minimised
from rapid_moo.pareto import front_points
from rapid_moo.rows import BY_HAND
from rapid_moo.sources import CallAll, MeasureSource, PredictedSource, Profiler, TableSource, as_source, check_fits
from rapid_moo.space import SearchSpace
from rapid_moo.store import Store
from rapid_moo.table import ArchitectureTable

FAILED = np.inf


class ArchitectureProblem(Shown, Problem):  # type: ignore[misc]  # pymoo ships no types
    """A multi-objective problem over the genotypes of a search space.

    Parameters
    ----------
    space : SearchSpace
        What an architecture is.
    source : ArchitectureTable, callable or fitted PredictorSet, optional
        Where objectives come from. A callable gets codes of shape (1, n_var) and returns a row of raw objectives.
    objectives : sequence of Objective, optional
        Names, directions and units; those of the table, predictors or space by default. A table or predictors must be
        of this space and of these objectives.
    measure : callable, mapping or str, optional
        The source instead: a function of the dict of genes that returns a dict of raw objectives, a dict of such
        functions by objective, or a command line; see :mod:`rapid_moo.measure`. What the space computes is filled in.
    table : ArchitectureTable, optional
        Judges the search when the source is not itself a table.
    constraints : str, callable, Constraint, or a sequence of them
        Bounds like ``"latency <= 20"`` on raw objectives, on values that the space computes, on genes or on further
        columns of the table, and functions of the dict of genes. What follows from the architecture holds from the
        first one on, and so do further columns.
    name : str, optional
        Name for reports.
    store : Store, optional
        The memory of true evaluations; a new one by default. What it holds as free (imports) is learnt from.
    guard : Guard, optional
        When the run stops because the user's code has a bug.
    elementwise_runner : callable, optional
        pymoo's runner for the calls of one's own function, such as its ``StarmapParallelization``.

    Notes
    -----
    Variables are integers ``0 .. k-1``; algorithms for real variables may pass fractions, which are rounded.
    A failed evaluation is billed and gets infinite objectives, so nothing ever selects it.
    """

    def __init__(
        self,
        space: SearchSpace,
        source: ArchitectureTable | Profiler | Any = None,
        objectives: Sequence[Objective] | None = None,
        *,
        measure: Any = None,
        table: ArchitectureTable | None = None,
        constraints: str | AnyConstraint | Callable[..., Any] | Sequence[Any] = (),
        name: str | None = None,
        store: Store | None = None,
        guard: Guard | None = None,
        elementwise_runner: Any = None,
    ) -> None:
        if not isinstance(space, SearchSpace):
            raise InputError(
                f"space: expected a SearchSpace (an instance), got {shown(space)}; get_problem opens tables, files and"
                " published spaces"
            )
        check_genes(space.name, space.genes, space.inactive)
        self.space = space
        self.source, self.objectives = as_source(space, source, measure, objectives, guard)
        if table is not None:
            check_fits("table", space, self.objectives, table)
        self.table = source if isinstance(source, ArchitectureTable) else table
        names = [objective.name for objective in self.objectives]
        self.constraint_set = ConstraintSet(space, names, as_constraints(constraints), self._further())
        if isinstance(self.source, TableSource):
            whole = self.source.table
            self.constraint_set.require_met(whole.X, whole.raw, whole.name)
        self._computed = [(k, n) for k, n in enumerate(names) if n in {o.name for o in space.computed}]
        check_prices(self.objectives, [name for _, name in self._computed])
        super().__init__(
            n_var=space.n_var,
            n_obj=len(self.objectives),
            n_ieq_constr=len(self.constraint_set),
            xl=space.xl,
            xu=space.xu,
            vtype=int,
            elementwise_runner=elementwise_runner or LoopedElementwiseEvaluation(),
            # Or pymoo keeps back when measurements are to be stopped.
            requires_kwargs=True,
        )
        self._name = name or (self.table.name if self.table is not None else space.name)
        if store is not None and list(store.objectives) != names:
            raise InputError(f"store: expected objectives {names}, got {list(store.objectives)}")
        if store is not None and tuple(store.space.genes) != tuple(space.genes):
            raise InputError(f"store: expected one of the space {space.name!r}, got one of {store.space.name!r}")
        self.store = store if store is not None else self._new_store()

    def _new_store(self) -> Store:
        """An empty store, with what the table knows in part as free imports whose other objectives failed."""
        store = Store(self.space, [objective.name for objective in self.objectives])
        if self.table is not None and self.table.partial is not None and isinstance(self.source, TableSource):
            X, raw = self.table.partial
            with store.transaction():
                for row, line in zip(store.add(X, raw, "table").tolist(), raw, strict=True):
                    missing = [n for n, value in zip(store.objectives, line, strict=True) if np.isnan(value)]
                    store.tell(row, {}, dict.fromkeys(missing, "missing in the table"), who="table")
        return store

    def _further(self) -> dict[str, Callable[[IntArray], FloatArray]]:
        """Further columns of the table that is searched, itself or by its predictions, as functions of genotypes."""
        if self.table is None or not isinstance(self.source, TableSource | PredictedSource):
            return {}
        members = self.source if isinstance(self.source, TableSource) else TableSource(self.table)
        return {name: partial(members.column, column) for name, column in self.table.further.items()}

    @property
    def constraints(self) -> tuple[AnyConstraint, ...]:
        """The bounds of the problem."""
        return self.constraint_set.all

    def name(self) -> str:
        """Name for reports."""
        return self._name

    # -------------------------------------------------------------- evaluation
    def _evaluate(self, x: ArrayLike, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        X = self.genotypes(x)
        raw = self.evaluate_raw(X, kwargs.get("stops"))
        out["F"] = self.minimised(raw)
        if self.constraints:
            out["G"] = self.violations(X, raw)

    def evaluate(self, X: Any, *args: Any, return_as_dictionary: bool = False, **kwargs: Any) -> Any:
        """Evaluate as pymoo does, and write back what was evaluated, as a repair does: X and F belong together.

        A genotype that a table does not hold becomes its nearest member, an inactive gene its fixed form.
        """
        out = super().evaluate(X, *args, return_as_dictionary=return_as_dictionary, **kwargs)
        if return_as_dictionary and self.source.true:
            out["X"] = self.genotypes(X)
        return out

    def minimised(self, raw: FloatArray) -> FloatArray:
        """Raw values to be minimised; a row that lacks a value is infinite in all objectives."""
        unknown = np.isnan(raw).any(axis=1, keepdims=True)
        return np.where(unknown, FAILED, to_minimised(raw, self.objectives))

    def genotypes(self, x: ArrayLike) -> IntArray:
        """Variables as pymoo passes them to the repaired genotypes that are really evaluated.

        Raises
        ------
        InputError
            If a code is out of range.
        """
        codes = np.rint(np.atleast_2d(np.asarray(x, dtype=np.float64)))
        return self.source.resolve(self.space.repair(codes))

    def evaluate_raw(self, X: IntArray, stops: Mapping[bytes, Stops] | None = None) -> FloatArray:
        """Raw objectives of shape (n, n_obj), NaN where one failed or was stopped; what is known comes from the store.

        What the store says is to be measured once more is no longer known.

        Parameters
        ----------
        X : ndarray of shape (n, n_var)
            Genotypes, see :meth:`genotypes`.
        stops : mapping of bytes to Stops, optional
            When to stop the measurement of architectures, by their keys (:meth:`SearchSpace.keys`).
        """
        if not self.source.true:
            return self.source.values(X)
        known = self.store.known(X)
        if not known.all():
            new = [i for i in unique_rows(X)[0] if not known[i]]
            if isinstance(self.source, MeasureSource):
                self._measure(X[new], stops=stops)
            else:
                self._look_up(X[new], np.ones((len(new), self.n_obj), dtype=np.bool_))
        return self.store.raw_of(self.store.find(X))

    def evaluate_parts(self, X: IntArray, wanted: BoolArray) -> FloatArray:
        """Measure some objectives of architectures, as far as they are not settled.

        A function of the measure that gives several objectives gives them all.

        Parameters
        ----------
        X : ndarray of shape (n, n_var)
            Distinct genotypes, see :meth:`genotypes`.
        wanted : ndarray of shape (n, n_obj)
            What to measure of each.

        Returns
        -------
        ndarray of shape (n, n_obj)
            All raw values that are known then; NaN elsewhere.
        """
        if isinstance(self.source, MeasureSource):
            for x, part in zip(X, wanted, strict=True):
                names = [name for name, on in zip(self.store.objectives, part, strict=True) if on]
                self._measure(x[None], names)
        else:
            self._look_up(X, wanted)
        return self.store.raw_of(self.store.find(X))

    def _look_up(self, X: IntArray, wanted: BoolArray) -> None:
        """Put values of a table into the store, none of them twice."""
        store, names = self.store, self.store.objectives
        wanted = wanted | np.isin(np.arange(self.n_obj), [k for k, _ in self._computed])
        with store.transaction():
            for row, line, part in zip(store.ask(X, "table").tolist(), self.source.values(X), wanted, strict=True):
                if store.is_free(row):
                    # What was known in part and is measured after all is billed.
                    store.start(row, "table")
                new = np.flatnonzero(part & plausible(line) & ~store.settled_objectives(row)).tolist()
                # A table holds the mean of all repeats: it stands for each of them.
                for i in range(max([self.objectives[k].times for k in new], default=1), 0, -1):
                    values = {names[k]: float(line[k]) for k in new if self.objectives[k].times >= i}
                    store.tell(row, values, who="table", more=i > 1)

    def _measure(
        self, X: IntArray, names: Sequence[str] | None = None, stops: Mapping[bytes, Stops] | None = None
    ) -> None:
        """Call the measure on new architectures, for some objectives or for all.

        What was measured before an interruption is kept.
        """
        planned = [(stops or {}).get(key) for key in self.space.keys(X)]
        source: Any = self.source
        call = CallAll(source.attempts)
        if type(self.elementwise_runner) is LoopedElementwiseEvaluation:
            for x, plan in zip(X, planned, strict=True):
                row = int(self.store.ask(x[None], objectives=names, stops=plan)[0])
                self.store.start(row)
                try:
                    came = call(self._work(row))
                except BaseException:
                    self.store.drop([row])
                    raise
                if (bug := self._record_all(row, came)) is not None:
                    bug.stop()
            return
        with self.store.transaction():
            asked = zip(X, planned, strict=True)
            rows = [int(self.store.ask(x[None], objectives=names, stops=plan)[0]) for x, plan in asked]
            for row in rows:
                if self.store.again_of(row).any():
                    self.store.start(row)
        try:
            outcomes = list(self.elementwise_runner(call, [self._work(row) for row in rows]))
        except BaseException:
            self.store.drop(rows)
            raise
        if len(outcomes) != len(rows):
            self.store.drop(rows)
            raise InputError(f"elementwise_runner: expected {len(rows)} results, got {len(outcomes)}")
        bugs = [self._record_all(row, came) for row, came in zip(rows, outcomes, strict=True)]
        if (found := next((bug for bug in bugs if bug is not None), None)) is not None:
            found.stop()

    def _record_all(self, row: int, outcomes: Sequence[Outcome]) -> Bug | None:
        """Record what came of all calls for a row."""
        for i, outcome in enumerate(outcomes, start=1):
            if (bug := self.record(row, outcome, more=i < len(outcomes))) is not None:
                return bug
        return None

    def _work(self, row: int) -> tuple[dict[str, Any], list[tuple[int, int]], Stops | None]:
        """An architecture, the functions whose values are wanted and how often, and when to stop them."""
        source: Any = self.source
        names = [objective.name for objective in self.objectives]
        settled = [name for name, on in zip(names, self.store.wanted_of(row), strict=True) if not on]
        # Where nothing is left, the whole is asked for again.
        needed = source.needed(settled) or tuple(range(len(source.attempts)))
        repeats = {objective.name: objective.times for objective in self.objectives}
        again = self.store.again_of(row).any()
        times = [1 if again else max(repeats[name] for name in source.attempts[k].names) for k in needed]
        return self.space.to_dict(self.store.X[row]), list(zip(needed, times, strict=True)), self.store.stops_of(row)

    def record(
        self, row: int, outcome: Outcome, *, who: str = "", more: bool = False, guard: Guard | None = None
    ) -> Bug | None:
        """Put what came of measuring a row of the store into it, with what the space computes.

        Where several functions measure, each has a ``guard`` of its own: that of the measure by default.

        Returns
        -------
        Bug or None
            If the outcome shows that the user's code has a bug: what it concerns is not billed then and waits again.
        """
        with self.store.transaction():
            if outcome.curves:
                self.store.report(row, outcome.curves)
            self.store.tell(
                row,
                {**outcome.values, **self.computed_values(row)},
                outcome.reasons,
                stopped=outcome.stopped,
                seconds=outcome.seconds,
                who=who,
                more=more,
            )
        if guard is None:
            guard = self.source.guard if isinstance(self.source, MeasureSource) else Guard(0, 0)
        outcome = replace(outcome, lacking=tuple(name for name in outcome.lacking if not self._has_come(name)))
        in_vain = guard.add(row, outcome)
        if not in_vain:
            return None
        self.store.requeue(in_vain, forget=True)
        return Bug(outcome, len(in_vain))

    def _has_come(self, name: str) -> bool:
        """Whether an objective was ever measured here or told by hand, so that its absence is no mistake."""
        rows = np.flatnonzero(self.store.repeats[:, self.store.objectives.index(name)]).tolist()
        return any(not self.store.is_free(row) or self.store.who(row) == BY_HAND for row in rows)

    def computed_values(self, row: int) -> dict[str, float]:
        """What the space computes of a row of the store and the store does not hold yet."""
        if not self._computed:
            return {}
        repeats = self.store.repeats_of(row)
        missing = [(k, name) for k, name in self._computed if not repeats[k]]
        return {name: float(self.space.compute(self.store.X[row], name)[0]) for _, name in missing}

    def violations(self, X: IntArray, raw: FloatArray) -> FloatArray:
        """Constraint values of shape (n, n_constraints), positive where violated, infinite where failed."""
        return self.constraint_set.violations(X, raw)

    def allowed(self, X: IntArray) -> BoolArray:
        """Whether architectures meet the bounds that are known before anything is measured, shape (n,)."""
        return np.asarray(self.constraint_set.allowed(X), dtype=np.bool_)

    @cached_property
    def prices(self) -> FloatArray:
        """What one measurement of each objective costs, shape (n_obj,); see :mod:`rapid_moo.costs`."""
        return prices(self.objectives, [name for _, name in self._computed])

    @cached_property
    def evaluation_prices(self) -> FloatArray:
        """What it costs to measure each objective of an architecture as often as it is to be, shape (n_obj,)."""
        return np.asarray(self.prices * np.array([objective.times for objective in self.objectives]), dtype=np.float64)

    @property
    def costs_stated(self) -> bool:
        """Whether somebody said what measuring an objective costs, so that budgets are amounts of cost."""
        return costs_stated(self.objectives, [name for _, name in self._computed])

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Which objectives can be measured without the others: positions of each group, computed ones left out.

        Of a table each objective; of a measure what each of its functions gives.
        """
        computed = {k for k, _ in self._computed}
        if not isinstance(self.source, MeasureSource):
            return tuple((k,) for k in range(self.n_obj) if k not in computed)
        names = [objective.name for objective in self.objectives]
        groups = [tuple(names.index(name) for name in attempt.names) for attempt in self.source.attempts]
        return tuple(group for group in groups if set(group) - computed)

    def cost(self, bill: Bill | None = None) -> float:
        """What was measured here (or is on a run's bill) has cost; imports are free, failures and repeats are not.

        A measurement that was stopped costs the share of the work that was done.
        """
        if bill is not None and bill.store is self.store:
            return bill.cost(self.prices)
        return float((self.store.paid * self.prices).sum())

    def to_frame(self) -> pd.DataFrame:
        """Everything that is known: the architecture's text, its genes, and raw objectives, NaN where unknown."""
        store, rows = self.store, np.flatnonzero(self.store.tried)
        return described_frame(store.space, store.objectives, store.X[rows], store.raw_of(rows))

    def _shown(self) -> tuple[str, Lines]:
        lines: list[tuple[str, Any]] = [
            ("space", f"{self.space.name} of {int(self.space.size):,} architectures"),
            ("objectives", ", ".join(f"{o.label} {o.direction}" for o in self.objectives)),
            ("evaluated from", self.source.kind),
            ("evaluations", self.n_evaluations),
        ]
        if self.constraints:
            lines.append(("constraints", "; ".join(str(bound) for bound in self.constraints)))
        if self.table is not None:
            lines.append((f"{self.table.front_kind} front", f"{len(self.table.front)} points"))
        return f"Problem {self._name}", lines

    @property
    def n_evaluations(self) -> int:
        """Unique true evaluations so far, whoever asked for them; imports left out."""
        return self.store.n_evaluations

    def fresh(self) -> ArchitectureProblem:
        """The same problem with an empty store."""
        other = copy.copy(self)
        if isinstance(self.source, MeasureSource):
            other.source = replace(self.source, guard=Guard(self.source.guard.first, self.source.guard.same))
        other.store = other._new_store()
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
        return front_points(self.table.F[self._feasible_rows()])

    def adrs(self, bill: Bill | None = None) -> float:
        """ADRS of everything that was evaluated (or is on a run's bill) against the table's front; 0 is perfect.

        Raises
        ------
        InputError
            If the problem knows no front, or nothing was evaluated.
        """
        reference = self.reference_front()
        if reference is None:
            raise InputError(f"{self.name()}: expected a problem with a table, whose front judges")
        rows = np.arange(len(self.store)) if bill is None else bill.rows
        X, raw = self.store.X[rows], self.store.raw_of(rows)
        good = np.isfinite(raw).all(axis=1)
        if self.constraints:
            good &= (self.violations(X, raw) <= 0.0).all(axis=1)
        return adrs(to_minimised(raw[good], self.objectives), reference=reference)

    def _feasible_rows(self) -> IntArray:
        table = self.table
        assert table is not None
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
