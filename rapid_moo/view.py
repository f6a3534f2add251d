"""Any pymoo problem seen as a search space with a memory: what may be evaluated, and what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.variable import Binary, Choice, Integer

from rapid_moo._util import BoolArray, FloatArray, IntArray, shown, unique_rows
from rapid_moo.bill import Bill
from rapid_moo.constraints import Constraint
from rapid_moo.costs import CHEAP, EPSILON
from rapid_moo.curves import Curve
from rapid_moo.design import designed_sample
from rapid_moo.errors import InputError
from rapid_moo.objectives import LARGEST, Objective, plausible, signs, to_minimised, to_raw
from rapid_moo.predictors import PredictorSet
from rapid_moo.predictors.predictor_set import features_of
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.rows import IMPORT
from rapid_moo.space import Gene, GridSpace, SearchSpace
from rapid_moo.store import Store
from rapid_moo.table import ArchitectureTable

CANDIDATES = ("auto", "members", "space")
LISTABLE = 200_000
WIDEST = 10_000
"""Values of an integer variable beyond which a problem is not taken for one of finite choices."""
REMEMBERED = 20_000
"""The features of a list of at most so many candidates are remembered."""
POOL = 5_000
DRAWS = 200
LEAST_SHARE = 1e-6
"""Of a whole evaluation that any measurement counts as, even one that costs nothing."""
NO_VALUE = f"expected a finite number of at most {LARGEST:g} in size"
EQUAL = 1e-4
"""How far from 0 pymoo lets an equality constraint be."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What a run knows, in the order in which it came to know it.

    Attributes
    ----------
    X : ndarray of shape (n, n_var)
        Architectures of which something is known or tried.
    raw : ndarray of shape (n, n_objectives)
        Raw values, NaN where none.
    F : ndarray of shape (n, n_objectives)
        Values to be minimised; infinite in all objectives where one is missing.
    complete, failed : ndarray of shape (n,)
        Rows with every objective, and rows of which an objective failed.
    stopped : ndarray of shape (n,)
        Rows that lack an objective whose measurement was stopped, and of which none failed.
    feasible : ndarray of shape (n,)
        Complete rows that meet all constraints.
    limits : ndarray of shape (n, n_constraints)
        Values of a foreign problem's constraints, feasible at 0 and below; NaN where unknown.
    pending : ndarray of shape (n_pending, n_var)
        Architectures that were asked for and not told.
    screening : ndarray of shape (n_screening, n_var)
        Architectures of which some objectives were asked for and not told: they are candidates no longer and not yet.
    curves : sequence of n_objectives sequences of n Curve
        What the measurements of each objective reported on their way, raw; empty where nothing was.
    """

    X: IntArray
    raw: FloatArray
    F: FloatArray
    complete: BoolArray
    failed: BoolArray
    stopped: BoolArray
    feasible: BoolArray
    limits: FloatArray
    pending: IntArray
    screening: IntArray
    curves: Sequence[Sequence[Curve]]

    def __len__(self) -> int:
        return len(self.X)

    @property
    def done(self) -> FloatArray:
        """Objectives of the complete and feasible rows, minimised."""
        return self.F[self.feasible]

    @property
    def settled(self) -> IntArray:
        """Architectures that are not to be proposed: complete, failed, stopped or pending ones."""
        return np.vstack([self.X[~self.open], self.pending, self.screening])

    @property
    def open(self) -> BoolArray:
        """Rows that are known in part, and whose other objectives may be measured."""
        return ~(self.complete | self.failed | self.stopped)


class SpaceView:
    """Any pymoo problem with discrete variables, seen as a search space with objectives and a store.

    Parameters
    ----------
    problem : pymoo Problem
        An :class:`ArchitectureProblem` brings its space, table, objectives and store. Of any other problem the integer
        bounds, or its ``vars`` (Choice, Integer, Binary), make the space; its objectives are anonymous and minimised.
    candidates : {"auto", "members", "space"}
        Where proposals come from: the members of the problem's table, or the whole space; "auto" takes the members
        where the problem is evaluated on a table.
    """

    def __init__(self, problem: Problem, candidates: str = "auto") -> None:
        if candidates not in CANDIDATES:
            raise InputError(f"candidates: expected one of {', '.join(CANDIDATES)}, got {candidates!r}")
        self.problem = problem
        self.native = isinstance(problem, ArchitectureProblem)
        self.mixed = not self.native and getattr(problem, "vars", None) is not None
        self.space: SearchSpace = problem.space if self.native else _space_of(problem)
        self.objectives: tuple[Objective, ...] = (
            problem.objectives if self.native else tuple(Objective(f"f{k + 1}", "min") for k in range(problem.n_obj))
        )
        self.constraints = tuple(problem.constraints) if self.native else ()
        on_table = self.native and isinstance(getattr(problem.source, "table", None), ArchitectureTable)
        if candidates == "members" and not on_table:
            raise InputError("candidates: 'members' needs a problem that is evaluated on a table")
        self.restricted = on_table and candidates != "space"
        self.bounded = self.native and len(problem.constraint_set.known) > 0
        self.price = float(problem.evaluation_prices.sum()) if self.native and problem.costs_stated else 0.0
        """What it costs to measure everything of an architecture; 0 where no costs are stated."""
        self.store: Store = problem.store if self.native else Store(self.space, self._columns)
        self._features: dict[str, list[FloatArray]] = {}
        self._fresh = np.empty((0, self.space.n_var), dtype=np.int64), np.empty(0, dtype=np.int64)

    def __deepcopy__(self, memo: dict[int, Any]) -> SpaceView:
        # A view changes nothing; its problem and store are not an algorithm's to copy.
        return self

    # ---------------------------------------------------------------- candidates
    @cached_property
    def members(self) -> IntArray | None:
        """All candidates where they can be listed, shape (n, n_var); None where the space is too large.

        What breaks a bound that is known beforehand is no candidate.
        """
        if self.restricted:
            listed = np.asarray(self.problem.source.table.X)
        elif self.space.enumerable and self.space.size <= LISTABLE:
            listed = self.space.enumerate()
        else:
            return None
        kept = listed[self.allowed(listed)]
        if len(kept) == 0:
            raise InputError(f"constraints: no architecture of {self.space.name} meets {self._told()}")
        return kept

    @cached_property
    def _places(self) -> dict[bytes, int]:
        """Where each member is listed: listing their keys again takes longer than most of a round."""
        members = self.members
        assert members is not None
        return {key: i for i, key in enumerate(self.space.keys(members))}

    @property
    def n_members(self) -> int:
        """Number of candidates."""
        return len(self.members) if self.members is not None else self.space.size

    def allowed(self, X: IntArray) -> BoolArray:
        """Whether architectures meet the bounds that are known before anything is measured, shape (n,)."""
        return self.problem.allowed(X) if self.bounded else np.ones(len(X), dtype=np.bool_)

    def sample(self, n: int, rng: np.random.Generator) -> IntArray:
        """Distinct random candidates of a space that is too large to list, shape (n, n_var) where there are as many."""
        if not self.bounded:
            return self.space.sample(n, rng)
        found = np.empty((0, self.space.n_var), dtype=np.int64)
        for _ in range(DRAWS):
            drawn = self.space.sample(max(n, POOL), rng)
            found = np.vstack([found, drawn[self.allowed(drawn)]])
            found = found[unique_rows(found)[0]]
            if len(found) >= n:
                return found[:n]
        if len(found) == 0:
            tried = DRAWS * max(n, POOL)
            raise InputError(
                f"constraints: none of {tried:,} random architectures of {self.space.name} meets {self._told()}"
            )
        return found

    def _told(self) -> str:
        return ", ".join(str(constraint) for constraint in self.problem.constraint_set.known)

    def first_sample(
        self, n: int, sampling: str, rng: np.random.Generator, without: IntArray | None = None
    ) -> IntArray:
        """Distinct candidates to begin with, shape (n, n_var): ``"designed"`` or ``"random"``."""
        pool = self.members
        if pool is None:
            pool = self.sample(max(n, POOL if sampling == "designed" else n), rng)
        if without is not None and len(without):
            pool = self.new_only(pool, without)
        if sampling == "designed":
            return designed_sample(self.space, pool, n, rng)
        return pool[rng.permutation(len(pool))[:n]]

    def candidates_at(self, codes: Any) -> IntArray:
        """The candidates that codes of the space stand for: members of a table, or the genotypes themselves."""
        if self.native:
            return np.asarray(self.problem.genotypes(codes))
        return self.space.repair(np.rint(codes))

    def new_only(self, X: IntArray, known: IntArray) -> IntArray:
        """The architectures of ``X`` that are not among the known ones, each once."""
        if X is self.members:
            places = [self._places[key] for key in self.space.keys(known) if key in self._places]
            rows = np.delete(np.arange(len(X)), places)
            self._fresh = X[rows], rows
            return self._fresh[0]
        seen = set(self.space.keys(known))
        fresh = X[unique_rows(X)[0]]
        return fresh[np.array([key not in seen for key in self.space.keys(fresh)], dtype=np.bool_)]

    def missing(self, X: IntArray) -> BoolArray:
        """Which objectives of architectures are not settled, shape (n, n_objectives)."""
        rows, n_obj = self.store.find(X), len(self.objectives)
        found = np.ones((len(X), n_obj), dtype=np.bool_)
        for i in np.flatnonzero(rows >= 0):
            found[i] = ~self.store.settled_objectives(rows[i])[:n_obj]
        return found

    def shares(self, X: IntArray) -> FloatArray:
        """What is left to pay of architectures, as shares of a whole evaluation, above 0 and at most 1, shape (n,).

        1 where no costs are stated. What cheap objectives cost is no difference: an architecture that lacks a dear one
        is to be paid for as a whole.
        """
        if self.price <= 0.0:
            return np.ones(len(X))
        left = self.missing(X) @ self.problem.evaluation_prices / self.price
        return np.where(left >= (1.0 - CHEAP) * (1.0 - EPSILON), 1.0, np.maximum(left, LEAST_SHARE))

    @cached_property
    def bounds(self) -> tuple[tuple[int, Constraint], ...]:
        """Bounds on what is measured, each with the column of its objective."""
        if not self.native:
            return ()
        found = [(self.problem.constraint_set.column(c), c) for c in self.constraints]
        return tuple((k, c) for k, c in found if k is not None and isinstance(c, Constraint))

    def out_of_bounds(self, F: FloatArray) -> BoolArray:
        """Which minimised values of shape (..., n_objectives) are beyond a bound, of the same shape."""
        found: BoolArray = np.zeros(F.shape, dtype=np.bool_)
        for k, bound in self.bounds:
            found[..., k] |= bound.violation(F[..., k] * self.objectives[k].sign) > 0.0
        return found

    # ------------------------------------------------------------------- border
    def genotypes(self, x: Any) -> IntArray:
        """Variables of the problem as repaired genotypes.

        Raises
        ------
        InputError
            If they are none of the problem's.
        """
        if self.mixed:
            return np.array([self.space.from_dict(_plain(item, self.problem.vars)) for item in x], dtype=np.int64)
        return self.candidates_at(x if self.native else self._whole(x) - np.ceil(self.problem.xl))

    def _whole(self, x: Any, *, exact: bool = False) -> FloatArray:
        """Variables of a foreign problem of integers, rounded, shape (n, n_var); with ``exact`` they must be integers.

        Errors speak of the problem's values: its codes are ours alone.
        """
        genes = self.space.genes
        try:
            values = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"problem: expected rows of {len(genes)} integers, got {shown(x)}") from None
        if values.ndim != 2 or values.shape[1] != len(genes):
            raise InputError(f"problem: expected variables of shape (n, {len(genes)}), got {values.shape}")
        found = np.rint(values)
        right = (found >= np.ceil(self.problem.xl)) & (found <= np.floor(self.problem.xu))
        if exact:
            right &= found == values
        if not right.all():
            row, k = (int(i) for i in np.argwhere(~right)[0])
            wanted = f"an integer in {genes[k].choices[0]}..{genes[k].choices[-1]}"
            raise InputError(
                f"problem: row {row}, variable {genes[k].name!r}: expected {wanted}, got {values[row, k]:g}"
            )
        return found

    def variables(self, X: IntArray) -> Any:
        """Genotypes as variables of the problem."""
        if self.mixed:
            found = np.empty(len(X), dtype=object)
            for i, x in enumerate(X):
                found[i] = _typed(self.space.to_dict(x), self.problem.vars)
            return found
        if self.native:
            return X
        found = X + np.ceil(self.problem.xl).astype(np.int64)
        return found.astype(np.bool_) if self.problem.vtype in (bool, np.bool_) else found

    @property
    def _columns(self) -> list[str]:
        """Objectives and constraints of a foreign problem, as columns of its store."""
        problem = self.problem
        limits = [f"g{k + 1}" for k in range(problem.n_ieq_constr)] + [f"h{k + 1}" for k in range(problem.n_eq_constr)]
        return [*(objective.name for objective in self.objectives), *limits]

    def take_in(
        self, infills: Population, *, free: bool = False, screening: Mapping[bytes, BoolArray] | None = None
    ) -> IntArray:
        """Put told individuals into the store, where they are not yet; returns their rows, shape (n,).

        With ``free`` they were known beforehand and are not billed. ``screening`` says of which architectures only some
        objectives were asked for: the others have not failed where there is no value.
        """
        if not self.native and not self.mixed:
            # What was measured between two integers is the value of neither.
            self._whole(infills.get("X"), exact=True)
        X = self.genotypes(infills.get("X"))
        values = self._told_values(infills)
        rows = self.store.find(X)
        with self.store.transaction():
            for i, line in enumerate(values):
                # Asked for again at each, since the same architecture may come twice.
                rows[i] = self.store.find(X[i][None])[0]
                if rows[i] >= 0 and self.store.again_of(int(rows[i])).any():
                    self._tell_again(int(rows[i]), line)
                elif rows[i] < 0 or not self.store.settled(int(rows[i])):
                    asked = (screening or {}).get(self.space.keys(X[i][None])[0])
                    rows[i] = self._tell(X[i], line, free, asked)
        return rows

    def _told_values(self, infills: Population) -> FloatArray:
        """Raw objectives of told individuals, and a foreign problem's constraints, shape (n, n_columns)."""
        parts = [to_raw(_values_of(infills, "F", self.problem.n_obj), self.objectives)]
        if not self.native and self.problem.has_constraints():
            parts += [
                _values_of(infills, name, width)
                for name, width in (("G", self.problem.n_ieq_constr), ("H", self.problem.n_eq_constr))
                if width
            ]
        found = np.hstack(parts)
        return np.where(plausible(found), found, np.nan)

    def complete_told(self, infills: Population, rows: IntArray) -> None:
        """Give told individuals what the store knows of them: a failed one is infinite and feasible nowhere."""
        known = self.population(rows)
        told = np.asarray(infills.get("F"), dtype=np.float64).reshape(len(infills), -1)
        failed = ~plausible(told).all(axis=1, keepdims=True)
        infills.set("F", np.where(failed, np.inf, told))
        for name, width in (("G", self.problem.n_ieq_constr), ("H", self.problem.n_eq_constr)):
            if width:
                infills.set(name, known.get(name))

    def _tell(self, x: IntArray, line: FloatArray, free: bool, asked: BoolArray | None = None) -> int:
        row = int(self.store.ask(x[None], IMPORT if free else "", free=free)[0])
        if not free and self.store.is_free(row):
            # What was known in part and is measured after all is billed.
            self.store.start(row)
        open_ = ~self.store.settled_objectives(row)
        lines = list(zip(self.store.objectives, line.tolist(), open_, strict=True))
        known = {name: value for name, value, on in lines if on and np.isfinite(value)}
        wanted = [True] * len(lines) if asked is None else asked.tolist()
        missing = {
            name: NO_VALUE
            for (name, _, on), want in zip(lines, wanted, strict=True)
            if on and want and name not in known
        }
        self.store.tell(row, known, missing)
        return row

    def _tell_again(self, row: int, line: FloatArray) -> None:
        """Another measurement of what was asked for once more, where it was told and not evaluated here."""
        if not self.store.is_running(row):
            self.store.start(row)
        lines = zip(self.store.objectives, line.tolist(), self.store.again_of(row), strict=True)
        told = {name: value for name, value, on in lines if on}
        known = {name: value for name, value in told.items() if np.isfinite(value)}
        self.store.tell(row, known, {name: NO_VALUE for name in told if name not in known})

    def population(self, rows: IntArray) -> Population:
        """Rows of the store as evaluated individuals."""
        if len(rows) == 0:
            return Population.empty()
        X, raw = self.store.X[rows], self.store.raw_of(rows)
        found = Population.new("X", self.variables(X))
        found.set("F", self._minimised(raw[:, : len(self.objectives)]))
        if self.problem.has_constraints():
            if self.native:
                found.set("G", self.problem.violations(X, raw))
            else:
                limits = np.where(np.isnan(raw), np.inf, raw)[:, len(self.objectives) :]
                found.set("G", limits[:, : self.problem.n_ieq_constr])
                found.set("H", limits[:, self.problem.n_ieq_constr :])
        found.apply(lambda individual: individual.evaluated.update(["F", "G", "H"]))
        return found

    def _minimised(self, raw: FloatArray) -> FloatArray:
        unknown = np.isnan(raw).any(axis=1, keepdims=True)
        return np.where(unknown, np.inf, to_minimised(raw, self.objectives))

    # ---------------------------------------------------------------- knowledge
    def knowledge(self, bill: Bill, pending: IntArray, screening: IntArray | None = None) -> Knowledge:
        """What the rows of a bill teach, with what is under way, whole or in part."""
        n_obj = len(self.objectives)
        rows = bill.rows[self.store.tried[bill.rows]]
        X, raw = self.store.X[rows], self.store.raw_of(rows)
        complete, failed = self.store.complete[rows], self.store.failed[rows]
        limits = np.empty((len(rows), 0))
        feasible = complete.copy()
        if self.native and self.constraints:
            feasible &= (self.problem.violations(X, raw) <= 0.0).all(axis=1)
        elif not self.native and self.problem.has_constraints():
            limits = raw[:, n_obj:].copy()
            equalities = slice(self.problem.n_ieq_constr, None)
            limits[:, equalities] = np.abs(limits[:, equalities]) - EQUAL
            feasible &= (limits <= 0.0).all(axis=1)
        values = raw[:, :n_obj]
        part = screening if screening is not None else pending[:0]
        stopped = self.store.stopped[rows] & ~failed
        curves = [[self.store.curve(row, o.name) for row in rows.tolist()] for o in self.objectives]
        F = self._minimised(values)
        return Knowledge(X, values, F, complete, failed, stopped, feasible, limits, pending, part, curves)

    def sample_table(self, known: Knowledge, taught: FloatArray | None = None) -> ArchitectureTable:
        """The complete rows as a table, and stopped ones that are as good as complete.

        Parameters
        ----------
        known : Knowledge
            What is known.
        taught : ndarray of shape (n, n_objectives), optional
            Raw values with those to which stopped measurements were going; only what is known otherwise.

        Raises
        ------
        InputError
            If nothing is complete.
        """
        if not known.complete.any():
            n = len(known.complete)
            raise InputError(f"{self.space.name}: expected at least one successful evaluation, none of {n} succeeded")
        raw = known.raw if taught is None else taught
        done = whole(known, raw)
        return ArchitectureTable.build(self.space, self.objectives, known.X[done], raw[done], name="evaluated")

    def constraint_table(self, known: Knowledge) -> ArchitectureTable | None:
        """What is known of a foreign problem's constraints, feasible at 0 and below; None if it has none.

        An :class:`ArchitectureProblem` bounds what is computed or predicted anyway.
        """
        if known.limits.shape[1] == 0:
            return None
        done = np.isfinite(known.limits).all(axis=1)
        names = tuple(Objective(f"g{k + 1}", "min") for k in range(known.limits.shape[1]))
        if not done.any():
            return None
        return ArchitectureTable.build(self.space, names, known.X[done], known.limits[done], "constraints")

    # --------------------------------------------------------------- prediction
    def predict(self, predictors: PredictorSet, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Minimised mean and standard deviation of shape (n, n_obj)."""
        mean, std = predictors.predict(X, return_std=True)
        return mean * signs(self.objectives), std

    def predict_mean(self, predictors: PredictorSet, X: IntArray) -> FloatArray:
        """Minimised predictions of shape (n, n_obj)."""
        rows = self._listed_at(X)
        if rows is None:
            return np.asarray(predictors.predict(X) * signs(self.objectives))
        # Of most of the list the whole is predicted: its features are at hand, and making them takes half as long.
        assert self.members is not None
        found = predictors.predict(self.members, features=self._listed_features(predictors.kinds))
        return np.asarray(found[rows] * signs(self.objectives))

    def _listed_at(self, X: IntArray) -> IntArray | None:
        """Places of candidates in their list, where they are most of it and it is not too long to be remembered."""
        if self.members is None or not len(self.members) / 2 < len(X) or len(self.members) > REMEMBERED:
            return None
        if X is self._fresh[0]:
            return self._fresh[1]
        rows = np.array([self._places.get(key, -1) for key in self.space.keys(X)], dtype=np.int64)
        return None if (rows < 0).any() else rows

    def _listed_features(self, kinds: Iterable[str]) -> list[dict[str, FloatArray]]:
        for kind in kinds:
            if kind not in self._features:
                assert self.members is not None
                own = features_of(self.space, self.members, self.objectives, [kind])
                self._features[kind] = [seen[kind] for seen in own]
        return [{kind: self._features[kind][k] for kind in kinds} for k in range(len(self.objectives))]

    def draw(self, predictors: PredictorSet, X: IntArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Possible minimised truths of shape (n_draws, n, n_obj)."""
        return np.asarray(predictors.draw(X, n_draws, rng) * signs(self.objectives))


def whole(known: Knowledge, taught: FloatArray) -> BoolArray:
    """Rows with a value of every objective, measured or (of stopped ones) foreseen, shape (n,)."""
    return np.asarray(known.complete | (known.stopped & np.isfinite(taught).all(axis=1)))


# -------------------------------------------------------------------- foreign spaces
def _space_of(problem: Problem) -> GridSpace:
    """The space of a pymoo problem that is none of ours."""
    if getattr(problem, "vars", None) is not None:
        variables = problem.vars.items() if isinstance(problem.vars, dict) else enumerate(problem.vars)
        return GridSpace(type(problem).__name__, [_gene_of(str(name), variable) for name, variable in variables])
    if problem.xl is None or problem.xu is None:
        raise InputError("problem: expected bounds on every variable, got none")
    low, high = np.ceil(problem.xl).astype(int), np.floor(problem.xu).astype(int)
    if not _integral(problem.vtype) or (low > high).any():
        raise InputError(
            f"problem: expected integer variables (vtype=int) with xl <= xu, got vtype={problem.vtype},"
            f" xl={problem.xl}, xu={problem.xu}"
        )
    genes = [_range_gene(f"x{k + 1}", a, b) for k, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True))]
    return GridSpace(type(problem).__name__, genes)


def _integral(vtype: Any) -> bool:
    return isinstance(vtype, type) and issubclass(vtype, int | np.integer | np.bool_)


def _range_gene(name: str, low: int, high: int) -> Gene:
    if high - low >= WIDEST:
        raise InputError(
            f"problem: variable {name!r}: expected at most {WIDEST:,} values, got {low}..{high}: RAPID searches finite"
            " spaces; give a few values of it as a Choice"
        )
    return Gene(name, tuple(range(low, high + 1)))


def _values_of(infills: Population, name: str, width: int) -> FloatArray:
    """Told values of shape (n, width).

    Raises
    ------
    InputError
        If they were not told.
    """
    found = infills.get(name)
    try:
        rows = [np.asarray(item, dtype=np.float64).reshape(width) for item in found]
        return np.array(rows, dtype=np.float64).reshape(len(infills), width)
    except (TypeError, ValueError):
        raise InputError(f"told individuals: expected {width} values of {name} each, got {found[:1]!r}") from None


def _gene_of(name: str, variable: Any) -> Gene:
    if isinstance(variable, Choice):
        options = _options(variable)
        return Gene(name, tuple(range(len(options))), tuple(_labels(options)), ordered=False)
    if isinstance(variable, Binary):
        return Gene(name, (False, True))
    if isinstance(variable, Integer) and None not in variable.bounds:
        return _range_gene(name, int(variable.bounds[0]), int(variable.bounds[1]))
    raise InputError(
        f"problem: variable {name!r}: expected Choice, Integer with bounds or Binary, got {type(variable).__name__}:"
        " RAPID searches finite spaces; give a few values of it as a Choice"
    )


def _labels(options: Sequence[Any]) -> list[str]:
    """Readable and distinct, whatever the options are: they need not even be hashable."""
    texts = [str(option) for option in options]
    return texts if len(set(texts)) == len(texts) else [f"{text}#{i}" for i, text in enumerate(texts)]


def _options(variable: Choice) -> list[Any]:
    return list(variable.options if variable.options is not None else variable.all)


def _option_code(value: Any, options: Sequence[Any], name: Any) -> int:
    """Position of an option, which may be any object: the same one, or one that is equal."""
    for i, option in enumerate(options):
        if option is value:
            return i
    for i, option in enumerate(options):
        if type(option) is type(value) and _equal(option, value):
            return i
    for i, option in enumerate(options):
        if _equal(option, value):
            return i
    raise InputError(f"problem: variable {name!r}: expected one of {list(options)}, got {value!r}")


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(np.all(a == b))
    except Exception:  # whatever a strange object raises
        return False


def _items(variables: Any) -> list[tuple[Any, Any]]:
    return list(variables.items() if isinstance(variables, dict) else enumerate(variables))


def _plain(individual: Any, variables: Any) -> dict[str, Any]:
    """An individual's variables as choices of the space: an option's position in place of the option."""
    found = {}
    for name, variable in _items(variables):
        try:
            value = individual[name]
        except (LookupError, TypeError):
            raise InputError(f"problem: variable {name!r}: expected a value of it, got {shown(individual)}") from None
        if isinstance(variable, Choice):
            value = _option_code(value, _options(variable), name)
        elif not _is_whole(value):
            wanted = "true or false" if isinstance(variable, Binary) else "an integer"
            raise InputError(f"problem: variable {name!r}: expected {wanted}, got {shown(value)}")
        found[str(name)] = bool(value) if isinstance(variable, Binary) else int(value)
    return found


def _is_whole(value: Any) -> bool:
    try:
        return bool(float(value) == np.rint(float(value)) and np.isfinite(float(value)))
    except (TypeError, ValueError, OverflowError):
        return False


def _typed(architecture: dict[str, Any], variables: Any) -> dict[Any, Any]:
    """A genotype's dict as the problem knows it, with the options themselves."""
    found = {}
    for name, variable in _items(variables):
        value = architecture[str(name)]
        if isinstance(variable, Choice):
            value = _options(variable)[value]
        found[name] = value
    return found
