"""A study: the search of one's own space, with one's own measure, in a folder that survives whatever happens."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pymoo.core.termination import NoTermination

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, write_text
from rapid_moo.algorithm import RAPID
from rapid_moo.errors import InputError, StudyError
from rapid_moo.frames import own_name
from rapid_moo.measure import FIRST_RAISED, SAME_RAISED, Guard
from rapid_moo.objectives import LARGEST, Objective
from rapid_moo.preferences import knee_point, preferred_point
from rapid_moo.priors import Priors
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.report import Report
from rapid_moo.rows import BY_HAND
from rapid_moo.space import SearchSpace
from rapid_moo.study import folder as files
from rapid_moo.study.definition import Definition, MissingMeasure, read_definition
from rapid_moo.study.engine import STATE, Engine, ask
from rapid_moo.study.expected import Expected, expected_values
from rapid_moo.study.folder import Tables, held, holder
from rapid_moo.study.intake import Intake
from rapid_moo.study.journal import SQLiteStore, check_file
from rapid_moo.study.places import Places
from rapid_moo.study.references import Reference
from rapid_moo.study.report import study_report
from rapid_moo.study.status import Board, Status
from rapid_moo.view import SpaceView

logger = logging.getLogger(__name__)

StatusCallback = Callable[[Status], None]


@dataclass(frozen=True)
class Trial:
    """An architecture that was asked for.

    Attributes
    ----------
    number : int
        Its evaluation's number, from 1 up.
    architecture : dict
        Genes and choices; active genes only. ``trial["depth"]`` is short for ``trial.architecture["depth"]``.
    objectives : tuple of str
        What is to be measured of it: where costs are stated, cheap objectives may be asked for alone.
    """

    number: int
    architecture: Mapping[str, Any]
    objectives: tuple[str, ...] = ()

    def __getitem__(self, gene: str) -> Any:
        """The choice of an active gene."""
        return self.architecture[gene]


class Study(Shown):
    """A search that is kept in a folder and goes on after whatever ended it.

    Parameters
    ----------
    folder : Path or str
        Where everything is kept. A folder that holds a study is opened; space, measure and settings that are left out
        are those it was begun with.
    space : SearchSpace, optional
        What an architecture is.
    measure : callable, mapping, str or Command, optional
        A function from the dict of genes to the dict of raw objectives, a dict of such functions by objective, or a
        command line; see :mod:`rapid_moo.measure`. A study without one is asked and told.
    objectives : sequence of Objective, optional
        What is optimised; those of the space by default. A study may get further ones later.
    constraints : str, callable or sequence, optional
        Bounds, see :class:`~rapid_moo.ArchitectureProblem`.
    seed : int, optional
        Seed of every choice; 0 by default.
    workers : int, str or concurrent.futures.Executor
        How many evaluations run side by side: 1 in this very process, N in as many processes, ``"processes:N"``,
        ``"threads:N"``, or an executor of one's own, such as Dask's.
    places : mapping of str to int, optional
        Objectives whose function has that many places of its own: ``{"latency": 1}`` is one board for all.
    timeout : float, optional
        Seconds that one call of the measure may take; needs processes.
    first_raised, same_raised : int
        The run stops with the measure's own traceback when the first so many evaluations all raised, or so many in a
        row raised the same; it also stops when the first so many results all lack the same objective. 0 never.
    options : mapping, optional
        Of :class:`~rapid_moo.RAPID`, such as ``{"batch_size": 4}``.
    priors : sequence
        What other devices, data sets or studies know, see :class:`~rapid_moo.Prior`. The folder keeps it.

    Raises
    ------
    InputError
        If something does not fit, among other things what the folder holds.
    StudyError
        If the folder is damaged, foreign or newer; it is left as it is.

    Examples
    --------
    >>> import tempfile
    >>> from rapid_moo import Gene, GridSpace, Objective
    >>> space = GridSpace("toy", [Gene("depth", (1, 2, 3)), Gene("op", ("conv", "mlp"))])
    >>> goals = [Objective("error", "min"), Objective("latency", "min")]
    >>> def measure(architecture):
    ...     return {"error": 1 / architecture["depth"], "latency": float(architecture["depth"])}
    >>> study = Study(tempfile.mkdtemp(), space, measure, objectives=goals)
    >>> study.run(budget=4).done
    4
    """

    def __init__(
        self,
        folder: Path | str,
        space: SearchSpace | None = None,
        measure: Any = None,
        *,
        objectives: Sequence[Objective] | None = None,
        constraints: Any = None,
        seed: int | None = None,
        workers: int | str | Executor = 1,
        places: Mapping[str, int] | None = None,
        timeout: float | None = None,
        first_raised: int = FIRST_RAISED,
        same_raised: int = SAME_RAISED,
        options: Mapping[str, Any] | None = None,
        priors: Sequence[Any] = (),
        space_reference: Reference | None = None,
        command: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.workers, self.places, self.timeout = workers, dict(places or {}), timeout
        if timeout is not None and not timeout > 0:
            raise InputError(f"timeout: expected a positive number of seconds, got {timeout}")
        self._guard = Guard(first_raised, same_raised)
        self.definition = Definition.of(
            self.folder,
            space,
            measure,
            objectives=objectives,
            constraints=constraints,
            seed=seed,
            options=options,
            reference=space_reference,
            command=command,
        )
        self.space, self.objectives = self.definition.space, self.definition.objectives
        self.measure, self.constraints = self.definition.measure, self.definition.constraints
        self.seed = self.definition.seed
        if "priors" in self.definition.options:
            raise InputError("options: expected priors as an argument of the study, got them among its options")
        RAPID(**self.definition.options)
        self.priors = self._read_priors(priors)
        self.problem = self._problem(None)
        if self.definition.changed:
            self._try_functions()
        source: Any = self.problem.source
        self._room.check(source.attempts if self.measure is not None else None)
        self.store = self._store()
        self.problem = self._problem(self.store)
        self._intake = Intake(self.problem)
        self._board = Board(self.problem)
        self._tables = Tables(self.folder, self._board)
        self._algorithm: RAPID | None = None
        if priors:
            self._keep_priors()

    # ------------------------------------------------------------------ opening
    def _read_priors(self, given: Sequence[Any]) -> Priors:
        """What the folder keeps of priors, and what is given beside it."""
        path = self.folder / files.PRIORS
        found = Priors(self.space, self.objectives)
        if path.exists():
            try:
                found = Priors.from_dict(self.space, self.objectives, json.loads(path.read_text(encoding="utf-8")))
            except (InputError, OSError, ValueError) as error:
                raise StudyError(f"{path}: damaged: {error}") from error
        found.add(Priors(self.space, self.objectives, given))
        return found

    def _keep_priors(self) -> None:
        """Take over what holds, and keep the hints in the folder, so that it needs no other file."""
        if told := holder(self.folder):
            raise StudyError(f"{self.folder}: {told} is running this study: priors can be added when it has ended")
        self.priors.take_over(self.store)
        if self.priors.hints:
            write_text(self.folder / files.PRIORS, json.dumps(self.priors.to_dict()) + "\n")

    def _try_functions(self) -> None:
        """Call the user's functions of the genes once, so that a mistake in them shows before anything is measured."""
        x = self.space.sample(1, 0)
        for objective in self.space.computed:
            self.space.compute(x, objective.name)
        self.problem.allowed(x)
        # Of a space that can be listed, bounds that leave nothing are refused before a file is written.
        _ = SpaceView(self.problem).members

    def _store(self) -> SQLiteStore:
        """The folder's store; from here on something is written.

        The definition comes first: a process that is killed between leaves a study that can be gone on with.
        """
        path, new = self.folder / files.STORE, self.definition.new
        if not new and not path.exists() and (self.folder / files.EVALUATIONS).exists():
            raise StudyError(f"{self.folder}: damaged: found {files.EVALUATIONS} but no {files.STORE}")
        if path.exists():
            check_file(path)
        told = "" if new else holder(self.folder)
        stored = [] if new else [item["name"] for item in read_definition(self.folder)["objectives"]]
        if told and len(stored) != len(self.objectives):
            raise StudyError(f"{self.folder}: {told} is running this study: objectives can be added when it has ended")
        if not told:
            self.definition.write()
        return SQLiteStore(path, self.space, [objective.name for objective in self.objectives])

    def _problem(self, store: SQLiteStore | None) -> ArchitectureProblem:
        if store is not None:
            by_name = {objective.name: objective for objective in self.objectives}
            if set(store.objectives) != set(by_name):
                raise InputError(
                    f"{self.folder}: expected objectives {', '.join(store.objectives)}, got {', '.join(by_name)}"
                )
            self.objectives = tuple(by_name[name] for name in store.objectives)
        return ArchitectureProblem(
            self.space,
            objectives=self.objectives,
            measure=self.definition.complete_measure(self.objectives),
            constraints=self.constraints,
            store=store,
            guard=self._guard,
        )

    # ------------------------------------------------------------------ running
    def run(
        self,
        budget: float | None = None,
        *,
        confirm: bool = False,
        retry: bool = False,
        progress: StatusCallback | None = None,
        engine: type[Engine] = Engine,
    ) -> Status:
        """Evaluate until the budget is spent; goes on where an earlier run ended, however it ended.

        Parameters
        ----------
        budget : int or float, optional
            Evaluations in all, earlier ones included and imports not; where costs are stated, their cost in all. That
            of the earlier run by default.
        confirm : bool
            Measure again what is worth it of the front, each once, instead of new architectures: the most open question
            first, no further than the budget goes. See :meth:`price_of_confirming`.
        retry : bool
            Make the failed evaluations again; they are no longer billed until they are begun anew.
        progress : callable, optional
            Called with the :class:`Status` after every change.
        engine : type of Engine
            The loop, for simulations.

        Returns
        -------
        Status
            Where the study stands then.

        Raises
        ------
        StudyError
            If another process runs it.
        KeyboardInterrupt
            After Ctrl-C: what ran may end first; a second one gives it up.
        Exception
            The measure's own, if it has a bug, or a MeasureError if it forgets an objective; nothing is lost then.
        """
        source: Any = self.problem.source
        if isinstance(source.attempts[0].function, MissingMeasure):
            raise InputError(str(source.attempts[0].function))
        with held(self.folder):
            self._tables.clean()
            self.store.refresh()
            if retry:
                self.store.requeue(np.flatnonzero(self.store.failed & ~self.store.pending).tolist(), forget=True)
            again: dict[int, frozenset[str]] = self._worth_repeating(self.expected()) if confirm else {}
            if confirm and not again:
                return self.status()
            total = self._total(budget)
            self.definition.keep_budget(max(total, self.spent))
            pools, parts, owned = self._room.open(source.attempts, self.objectives, self.folder / files.LOGS)
            loop = engine(self.problem, self.algorithm, parts, pools, self._publisher(total, progress), self.timeout)
            self.store.hold_reserve()
            try:
                loop.run(total, again)
            finally:
                for executor in owned:
                    executor.shutdown(wait=False, cancel_futures=True)
                self._publish_expected()
        return self.status()

    @property
    def _room(self) -> Places:
        return Places(self.workers, self.places, self.timeout)

    def _repeat_cost(self, names: frozenset[str]) -> float:
        """What it costs to measure these objectives of an architecture again: one evaluation, or the cost."""
        if not self.problem.costs_stated:
            return 1
        source: Any = self.problem.source
        called = [set(attempt.names) for attempt in source.attempts if names & set(attempt.names)]
        columns = [self.store.objectives.index(name) for group in called for name in group]
        return float(self.problem.prices[columns].sum())

    @property
    def spent(self) -> float:
        """What was spent so far, as a budget counts it: evaluations, or their cost where costs are stated."""
        return self.problem.cost() if self.problem.costs_stated else self.store.n_evaluations

    def price_of_confirming(self, found: Expected | None = None) -> tuple[int, float]:
        """How many architectures ``run(confirm=True)`` would measure again, and what all of them cost.

        Parameters
        ----------
        found : Expected, optional
            What :meth:`expected` says, where that is known already.

        Returns
        -------
        count : int
            Architectures that are worth it.
        price : float
            Evaluations, or their cost where costs are stated: a budget of ``study.spent + price`` pays for all.
        """
        again = self._worth_repeating(self.expected() if found is None else found)
        return len(again), sum(self._repeat_cost(names) for names in again.values())

    def _worth_repeating(self, found: Expected) -> dict[int, frozenset[str]]:
        """Rows worth measuring again, and in what: all that is noisy, or where costs are stated what is in doubt."""
        names = [objective.name for objective in self.objectives]
        noisy = frozenset(name for name, noise in zip(names, found.noise, strict=True) if noise > 0)
        rows = found.rows[found.again].tolist()
        if not self.problem.costs_stated:
            return dict.fromkeys(rows, noisy)
        doubts = found.doubtful[found.again]
        return {
            row: frozenset(name for name, on in zip(names, line, strict=True) if on and name in noisy)
            for row, line in zip(rows, doubts, strict=True)
        }

    def _total(self, budget: float | None) -> float:
        total = budget if budget is not None else self.definition.budget
        if total is None:
            raise InputError("budget: expected the number of evaluations, got none")
        return checked_budget(total, self.problem.costs_stated)

    def _publisher(self, budget: float, progress: StatusCallback | None) -> Callable[[bool], None]:
        def publish(now: bool) -> None:
            self._tables.publish(now=now)
            if progress is not None:
                progress(self._board.status(budget, "this process"))

        return publish

    @property
    def algorithm(self) -> RAPID:
        """RAPID on this study's problem, as far as it has come."""
        if self._algorithm is None:
            algorithm = RAPID(**self.definition.options, priors=self.priors)
            algorithm.setup(self.problem, termination=NoTermination(), seed=self.seed)
            state = self.store.notes.get(STATE)
            if state is not None:
                algorithm.restore(state)
            self._algorithm = algorithm
        return self._algorithm

    # -------------------------------------------------------------- ask and tell
    def ask(self, n: int | None = None) -> Any:
        """Architectures to evaluate elsewhere, by hand or by a program; they count as under way until they are told.

        Parameters
        ----------
        n : int, optional
            How many; a list of trials comes back. Without it one :class:`Trial` does.

        Raises
        ------
        StudyError
            If the space has no further architecture.
        """
        wanted = 1 if n is None else n
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
            raise InputError(f"ask: expected a positive number, got {n!r}")
        self.store.refresh()
        while (left := wanted - len(self.store.waiting)) > 0:
            before = len(self.store), len(self.store.waiting)
            ask(self.algorithm, self.store, None if self._first_sample_missing() else left)
            if (len(self.store), len(self.store.waiting)) == before:
                break
        with self.store.transaction():
            # Another process may have taken some of them meanwhile: chosen and begun at once.
            rows = self.store.waiting[:wanted]
            for row in rows:
                self.store.start(int(row), BY_HAND)
        if not len(rows):
            raise StudyError(f"{self.folder}: every architecture of {self.space.name} is known or under way")
        self._tables.publish(now=True)
        trials = [
            Trial(int(row) + 1, self.space.to_dict(self.store.X[row]), self._intake.wanted(int(row)))
            for row in rows.tolist()
        ]
        return trials[0] if n is None else trials

    def _first_sample_missing(self) -> bool:
        store = self.store
        # What came known in part and cannot be measured is no part of it.
        begun = (store.tried & ~store.open & ~(store.failed & store.free)) | store.pending
        return int(begun.sum()) < self.algorithm.first_sample

    def tell(self, trial: Trial | Mapping[str, Any] | int, values: Mapping[str, Any], reason: str = "") -> None:
        """What was measured of an architecture, whole or in part; the rest may follow.

        Parameters
        ----------
        trial : Trial, dict or int
            What was asked for, its number, or any architecture.
        values : mapping of str to number
            Raw values. None, or a number that is not finite, is a failure of that objective.
        reason : str
            Why the objectives without a value failed; without a reason they may still be told.

        Raises
        ------
        InputError
            If the architecture, an objective or a value is not what it should be.
        """
        self._intake.tell(trial.number if isinstance(trial, Trial) else trial, values, reason)
        self._tables.publish(now=True)

    def import_known(self, path: Path | str) -> int:
        """Take over what was measured before, whole or in part, free of charge; returns how many rows were read.

        The file is a CSV file with a column for each gene and for objectives; what the study knows already stays.
        """
        found = files.read_measured(Path(path), self.store)
        self._intake.take_over(found)
        self._tables.publish(now=True)
        return len(found)

    def tell_file(self, path: Path | str) -> tuple[int, int]:
        """Tell what a CSV file holds, also with some cells still empty.

        A value that the study holds already says nothing new, since a file may be told again when more of its cells are
        filled in; another value of the same is a repeat, and both count with their mean.

        Returns
        -------
        read, new : int
            Rows that were read, and those of them that said something new.
        """
        found = files.read_measured(Path(path), self.store)
        told = self._intake.tell_rows(found)
        self._tables.publish(now=True)
        return len(found), told

    # ------------------------------------------------------------------ results
    def status(self) -> Status:
        """Where the study stands."""
        self._tables.take_in()
        return self._board.status(self.definition.budget, holder(self.folder))

    def to_frame(self) -> pd.DataFrame:
        """Every evaluation that was begun.

        Returns
        -------
        DataFrame
            Number, state, genes, raw objectives, seconds, reason, who, when, cost where costs are stated, and the
            architecture's text.
        """
        self.store.refresh()
        rows = np.array([row for row in range(len(self.store)) if self.store.state(row) != "asked"], dtype=np.int64)
        frame = self.store.to_frame(rows)
        if self.problem.costs_stated:
            frame[own_name("cost", [*frame.columns])] = self.store.paid_of(rows) @ self.problem.prices
        frame[own_name("architecture", [*frame.columns])] = [self.space.to_string(x) for x in self.store.X[rows]]
        return frame

    def front_frame(self, *, expected: bool = False) -> pd.DataFrame:
        """The front: genes and raw objectives, one row per architecture.

        Parameters
        ----------
        expected : bool
            The front of the expected values instead of the measured ones, with both, how sure the expected ones are,
            and whether the architecture is worth measuring again.
        """
        self._tables.take_in()
        if expected:
            found = self.expected()
            return found.to_frame(self.store, found.expected_front_rows)
        rows = self._board.front_rows
        frame = self.store.to_frame(rows)
        names = [*(gene.name for gene in self.space.genes), *self.store.objectives]
        frame = frame[[str(frame.columns[0]), *names]]
        return frame.sort_values(self.store.objectives[0], kind="stable", ignore_index=True)

    def best(self, weights: Sequence[float] | None = None) -> dict[str, Any]:
        """One architecture of the front: its genes and objectives; the knee, or what the weights prefer.

        Parameters
        ----------
        weights : sequence of float, optional
            One per objective, see :func:`~rapid_moo.preferred_point`.

        Raises
        ------
        StudyError
            If nothing feasible is known yet.
        """
        self._tables.take_in()
        rows = np.flatnonzero(self._board.feasible)
        if not len(rows):
            raise StudyError(f"{self.folder}: no architecture is known with every objective and within all bounds")
        F = self.problem.minimised(self.store.raw_of(rows))
        row = rows[knee_point(F) if weights is None else preferred_point(F, weights)]
        values = dict(zip(self.store.objectives, self.store.raw_of([row])[0].tolist(), strict=True))
        return {**self.space.to_dict(self.store.X[row]), **values}

    @property
    def feasible(self) -> BoolArray:
        """Which rows of the store have every objective and meet all bounds, shape (n_rows,)."""
        self._tables.take_in()
        return self._board.feasible

    def report(self, weights: Sequence[float] | None = None, command: str = "") -> Report:
        """The facts of the study, to be shown by :mod:`rapid_moo.report`.

        Parameters
        ----------
        weights : sequence of float, optional
            One per objective: also name the architecture of the front that they prefer.
        command : str
            What makes it again; by default the command line that began it, with all that later ones have stated.
        """
        return study_report(self, weights, command)

    def expected(self) -> Expected:
        """What to expect of everything that was measured completely, and what is worth measuring again."""
        self._tables.take_in()
        return expected_values(self.store, self.objectives, self._board.feasible)

    def _publish_expected(self) -> None:
        """``expected_front.csv``: both fronts, measured and expected values side by side."""
        if not self.store.complete.any():
            return
        found = self.expected()
        either = np.union1d(found.front_rows, found.expected_front_rows)
        text = found.to_frame(self.store, either).to_csv(index=False, lineterminator="\n")
        try:
            write_text(self.folder / files.EXPECTED, text)
        except OSError as error:
            logger.warning("%s: cannot be written: %s", self.folder / files.EXPECTED, error)

    # ------------------------------------------------------------------- copies
    def __getstate__(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "space": self.space,
            "measure": self.measure,
            "constraints": self.definition.written,
            "options": self.definition.options,
            "workers": self.workers if isinstance(self.workers, int | str) else 1,
            "places": self.places,
            "timeout": self.timeout,
            "guard": (self._guard.first, self._guard.same),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        first, same = state.pop("guard")
        self.__init__(**state, first_raised=first, same_raised=same)  # type: ignore[misc]  # opened anew

    def __deepcopy__(self, memo: dict[int, Any]) -> Study:
        # One folder is one memory.
        return self

    def _shown(self) -> tuple[str, Lines]:
        status = self.status()
        lines: list[tuple[str, Any]] = [
            ("evaluations", f"{status.begun}" + (f" of {status.budget:g}" if status.budget is not None else "")),
            ("front", f"{status.front_size} architectures"),
            *((f"best {name}", float(value)) for name, value in status.best.items()),
            ("failed", status.failed),
            ("folder", self.folder),
            ("state", f"run by {status.holder}" if status.holder else "not running"),
        ]
        return f"Study of {self.space.name}", lines

    def __repr__(self) -> str:
        status = self.status()
        goal = f" of {status.budget}" if status.budget is not None else ""
        told = f"{status.begun}{goal} evaluations, front of {status.front_size}"
        return f"<Study {str(self.folder)!r} of {self.space.name!r}: {told}>"


def checked_budget(budget: Any, by_cost: bool) -> float:
    """A budget of evaluations, or of cost where costs are stated.

    Raises
    ------
    InputError
        If it is no positive whole number, or no positive cost.
    """
    if by_cost:
        numeric = isinstance(budget, int | float | np.integer | np.floating) and not isinstance(budget, bool)
        if not numeric or not 0 < budget <= LARGEST:
            raise InputError(f"budget: expected a positive cost of at most {LARGEST:g}, got {budget!r}")
        return float(budget)
    whole = isinstance(budget, int | np.integer) or (isinstance(budget, float) and budget.is_integer())
    if isinstance(budget, bool) or not whole or not 1 <= budget < 2**63:
        raise InputError(f"budget: expected a positive number of evaluations, got {budget!r}")
    return int(budget)
