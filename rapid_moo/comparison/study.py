"""A comparison on one table: methods x seeds x budgets, resumable and parallel.

Every run is one JSON file in ``DIR/runs/DATASET``, written at once when the run ends; results are computed from these
files. A run is made again only if the file is missing, or belongs to other settings of the method or to a smaller
budget.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from rapid_moo._provenance import provenance
from rapid_moo._shown import Lines, Shown
from rapid_moo._util import LARGEST_SEED, check_jobs, shown, write_text
from rapid_moo.comparison.code import code_of
from rapid_moo.comparison.method import Method
from rapid_moo.comparison.methods._pymoo import check_algorithm
from rapid_moo.comparison.oracle import oracle_trajectory
from rapid_moo.comparison.registry import find_method
from rapid_moo.comparison.report import comparison_report, write_report
from rapid_moo.comparison.run import (
    RunRecord,
    by_cost,
    full_price,
    run_method,
    sorted_table,
    table_prices,
    total_cost,
)
from rapid_moo.comparison.tables import (
    CODE,
    COLUMNS,
    COST,
    KEYS,
    MADE,
    ORACLE_FILE,
    RESULT_COLUMNS,
    RESULT_FILES,
    RESULTS_FILE,
    TRAJECTORIES_FILE,
    TRAJECTORY_COLUMNS,
    merge_csv,
    read_results,
    replaced_trajectories,
    with_cost,
)
from rapid_moo.costs import EPSILON, affordable, cost_text
from rapid_moo.errors import InputError, RapidMooError
from rapid_moo.measure import is_users, user_trace
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.progress import Progress, ProgressCallback
from rapid_moo.report import Report
from rapid_moo.table import ArchitectureTable
from rapid_moo.trajectory import log_steps, trajectory
from rapid_moo.workers import ProcessWorkers, informed

logger = logging.getLogger(__name__)

SETTINGS_FILE = "comparison.json"
MOST_SEEDS = 100_000
WRITTEN = (".csv", ".json", ".md", ".html", ".png")


class RunError(RapidMooError, RuntimeError):
    """A method failed in some runs; the others are kept. Its notes are tracebacks of the user's own methods."""


@dataclass(frozen=True)
class Failure:
    """Why a run has no record: in one line, and where the user's own method raised also his traceback."""

    told: str
    trace: str = ""


@dataclass(frozen=True)
class Task:
    """One run to be made: a method to a budget with a seed, read off at some budgets."""

    method: type[Method]
    seed: int
    count: float
    budgets: tuple[float, ...]

    @property
    def file(self) -> str:
        """Name of its record below the dataset's folder."""
        tail = "" if self.method.anytime else f"-{self.count:g}"
        return f"{self.method.name}/seed{self.seed}{tail}.json"


class Comparison(Shown):
    """Methods under the same bill on one table.

    Parameters
    ----------
    table : ArchitectureTable
        What is searched, and whose front judges.
    methods : sequence of str, type of Method, or pymoo algorithms
        Names (see :func:`rapid_moo.comparison.method_names`), addresses ``package.module:Name``, classes, or any pymoo
        algorithm: a class, an instance, or a function of the problem that makes one.
    budgets : sequence of float or int
        Shares of the table in (0, 1), or numbers of unique evaluations above 1. Where an objective's cost is stated,
        shares of what the whole table costs, or amounts of cost above 1.
    seeds : int or sequence of int
        A number of seeds (0, 1, ...), or the seeds.
    out : Path
        Folder of the records and results.
    n_jobs : int
        Runs at the same time, in processes that end with this one (on POSIX systems); -1 for one per processor. The
        results do not depend on it.
    client : distributed.Client, optional
        A Dask client that makes the runs instead.
    redo : sequence of str, type of Method, or pymoo algorithms
        Methods whose records are ignored. Records of a method whose code has changed are ignored in any case, see
        :mod:`rapid_moo.comparison.code`.
    reference : str, type of Method, or pymoo algorithm, optional
        The method whose wins and losses against each rival the report tells. By default the one that was told before in
        this folder; else RAPID where it is there, else the first method of the user's own, else the first.
    """

    def __init__(
        self,
        table: ArchitectureTable,
        methods: Sequence[Any],
        budgets: Sequence[float],
        seeds: int | Sequence[int],
        out: Path | str,
        *,
        n_jobs: int = 1,
        client: Any = None,
        redo: Sequence[Any] = (),
        reference: Any = None,
    ) -> None:
        self.table = sorted_table(table)
        self.methods = _distinct([find_method(method) for method in methods])
        problem = ArchitectureProblem(self.table.space, self.table)
        for method in self.methods:
            check_algorithm(method, problem)
        self.budgets = tuple(sorted({_budget(b, table) for b in budgets}))
        self.seeds = _seeds(seeds)
        self.out, self.n_jobs, self.client = Path(out), check_jobs(n_jobs), client
        if not self.budgets:
            raise InputError("budgets: expected at least one, got none")
        self.redo = frozenset(self._named("redo", method) for method in redo)
        self.reference = None if reference is None else self._named("reference", reference)
        self._changed: Counter[str] = Counter()
        self._codes = {method.name: code_of(method) for method in self.methods}

    def _named(self, what: str, method: Any) -> str:
        """The name of one of the compared methods, which is told in any form that they are told in."""
        names = [known.name for known in self.methods]
        if method in names:
            return str(method)
        if not isinstance(method, str) or ":" in method:
            found = find_method(method).name
            if found in names:
                return found
        raise InputError(f"{what}: expected one of the compared methods {', '.join(names)}, got {shown(method)}")

    def _shown(self) -> tuple[str, Lines]:
        tasks = self.tasks()
        done = sum(self._path(task).is_file() for task in tasks)
        return f"Comparison on {self.table.name}", [
            ("methods", [method.name for method in self.methods]),
            ("budgets", [f"{budget:g}" for budget in self.budgets]),
            ("seeds", len(self.seeds)),
            ("runs", f"{done} of {len(tasks)} made"),
            ("folder", self.out),
        ]

    def report(self, command: str = "") -> Report:
        """The facts of everything that the folder holds, to be shown by :mod:`rapid_moo.report`."""
        return comparison_report(self.out, command)

    # ----------------------------------------------------------------- running
    def run(self, progress: ProgressCallback | None = None, command: str = "") -> pd.DataFrame:
        """Make the runs that are missing, write the results and their report, and return the results.

        Whatever ends it early (Ctrl-C, a failing method), complete runs are kept and in the results. ``report.html``
        and ``report.md`` tell of everything that the folder holds, as ``rapid-moo report`` and :meth:`report` do.

        Parameters
        ----------
        progress : callable, optional
            Takes a :class:`~rapid_moo.progress.Progress` after each run.
        command : str
            What made the comparison, for the report.

        Returns
        -------
        DataFrame
            A row for each method, seed and budget, columns as in ``results.csv``.

        Raises
        ------
        RunError
            If a method failed in some run.
        """
        settings = self._settings()
        self._check_results()
        write_text(self.out / SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")
        tasks = self.tasks()
        done = {task.file: record for task in tasks if (record := self._recorded(task)) is not None}
        self._tell_changes()
        missing = [task for task in tasks if task.file not in done]
        failures: list[str] = []
        traces: dict[str, str] = {}
        try:
            for task, made in self._records(missing):
                if isinstance(made, Failure):
                    failures.append(f"{task.method.name}, seed {task.seed}: {made.told}")
                    logger.warning("run failed: %s", failures[-1])
                    if made.trace:
                        traces.setdefault(task.method.name, made.trace)
                    continue
                made = replace(made, code=self._codes[task.method.name])
                write_text(self._path(task), json.dumps(made.to_dict()) + "\n")
                done[task.file] = made
                if progress is not None:
                    progress(Progress(len(done), len(tasks), self._final_adrs(made), made))
        finally:
            results = self._write([(task, done[task.file]) for task in tasks if task.file in done])
        if len(results):
            write_report(self.out, command)
        if failures:
            error = RunError(f"{len(failures)} of {len(tasks)} runs failed (the others are kept): {failures[0]}")
            for trace in traces.values():
                error.add_note(trace)
            raise error
        return results

    def tasks(self) -> list[Task]:
        """All runs: one per method and seed, and per budget where the schedule depends on it.

        Seeds are the outer loop, so that an interrupted comparison is a balanced one.
        """
        counts = {budget: self.count(budget) for budget in self.budgets}
        found = []
        for seed in self.seeds:
            for method in self.methods:
                if method.anytime:
                    found.append(Task(method, seed, max(counts.values()), self.budgets))
                    continue
                for count in sorted(set(counts.values())):
                    alike = tuple(budget for budget in self.budgets if counts[budget] == count)
                    found.append(Task(method, seed, count, alike))
        return found

    def count(self, budget: float) -> float:
        """Unique evaluations of a budget, or its cost where costs are stated."""
        if budget >= 1:
            return budget
        return self.table.count(budget) * full_price(self.table) if by_cost(self.table) else self.table.count(budget)

    def _path(self, task: Task) -> Path:
        return self.out / "runs" / self.table.name / task.file

    def _settings(self) -> dict[str, Any]:
        """The settings of this comparison and of earlier ones in its folder; another table's folder is refused."""
        known = self._known_settings()
        mine, fingerprints = self.table.fingerprint, known["fingerprints"]
        if fingerprints.get(self.table.name, mine) != mine:
            raise InputError(
                f"{self.out}: expected results of {self.table.name} {mine}, found those of a table of the same name"
                f" and other content, {fingerprints[self.table.name]}; choose another folder"
            )
        if fingerprints and known["costs"].get(self.table.name, {}) != self._costs and self.table.name in fingerprints:
            raise InputError(
                f"{self.out}: expected results of {self.table.name} with costs {self._costs or 'unstated'}, found those"
                f" with {known['costs'].get(self.table.name) or 'unstated'} ones; choose another folder"
            )
        plan = {"budgets": list(self.budgets), "seeds": list(self.seeds)}
        methods = {method.name: {**plan, **method.settings()} for method in self.methods}
        return {
            "fingerprints": {**fingerprints, self.table.name: mine},
            "dataset": self.table.name,
            "rows": len(self.table),
            "front_kind": self.table.front_kind,
            "front_size": len(self.table.front),
            "objectives": [f"{o.name}:{o.direction}" for o in self.table.objectives],
            **({"costs": {**known["costs"], self.table.name: self._costs}} if self._costs or known["costs"] else {}),
            "methods": {**known["methods"], **methods},
            **({"reference": reference} if (reference := self.reference or known["reference"]) else {}),
            "made": provenance(),
        }

    def _known_settings(self) -> dict[str, Any]:
        path, keys = self.out / SETTINGS_FILE, ("fingerprints", "methods")
        if not path.is_file():
            return {**{key: {} for key in (*keys, "costs")}, "reference": None}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected the settings of a comparison, got: {error}") from error
        if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in keys):
            raise InputError(f"{path}: expected the settings of a comparison, got {shown(content)}")
        costs, reference = content.get("costs", {}), content.get("reference")
        return {
            **{key: content[key] for key in keys},
            "costs": costs if isinstance(costs, dict) else {},
            "reference": reference if isinstance(reference, str) else None,
        }

    @property
    def _costs(self) -> dict[str, float]:
        """What each objective costs, where costs are stated."""
        if not by_cost(self.table):
            return {}
        values = table_prices(self.table).tolist()
        return {o.name: value for o, value in zip(self.table.objectives, values, strict=True)}

    def _check_results(self) -> None:
        """Refuse a folder whose results could not be joined or written, before a run is made."""
        written = [*self.out.glob("*.*"), *map(self._path, self.tasks())]
        for path in written:
            if path.suffix in WRITTEN and path.is_dir():
                raise InputError(f"{path}: expected a file of a comparison, found a folder")
        held = {name: read_results([self.out], name) for name in RESULT_FILES if (self.out / name).is_file()}
        datasets = {name: set(frame["dataset"]) for name, frame in held.items()}
        lacking = datasets.get(RESULTS_FILE, set()) - datasets.get(ORACLE_FILE, set()) - {self.table.name}
        if lacking:
            raise InputError(
                f"{self.out / ORACLE_FILE}: expected the oracle of every dataset in {RESULTS_FILE}, found none of"
                f" {shown(min(lacking))}"
            )

    def _recorded(self, task: Task) -> RunRecord | None:
        """The record of a task where a valid one exists."""
        path = self._path(task)
        if task.method.name in self.redo or not path.is_file():
            return None
        try:
            record = RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s is not a record, the run is made again: %s", path, error)
            return None
        same = record.fingerprint == self.table.fingerprint and dict(record.settings) == task.method.settings()
        same &= record.prices == tuple(self._costs.values())
        same &= (record.method, record.seed) == (task.method.name, task.seed) and max(record.rows) < len(self.table)
        enough = record.budget == task.count or (
            task.method.anytime and (record.budget > task.count or record.ended != "budget")
        )
        if same and enough and record.code != self._codes[task.method.name]:
            self._changed[task.method.name] += 1
            return None
        return record if same and enough else None

    def _tell_changes(self) -> None:
        """Say which records are of other code, so that nobody wonders why they are made again."""
        for name, n in self._changed.items():
            logger.warning(
                "%s: %d record%s of other code than it has now, made again as with --redo %s",
                *(name, n, " is" if n == 1 else "s are", name),
            )
        self._changed.clear()

    def _records(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, RunRecord | Failure]]:
        """Outcomes of tasks as they come."""
        n_jobs = self.n_jobs if self.n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + self.n_jobs)
        n_jobs = min(n_jobs, len(tasks))
        if self.client is not None:
            threads = sum(self.client.nthreads().values())
            yield from self._in_processes(tasks, self.client.get_executor(pure=False), max(1, threads))
        elif n_jobs <= 1:
            for task in tasks:
                yield task, _attempt(self.table, task)
        else:
            # What is sent holds what a main script defines: workers need not run the script again.
            with ProcessWorkers(n_jobs, name="compare", main=False) as workers:
                try:
                    yield from self._in_processes(tasks, workers, n_jobs)
                except BaseException:
                    workers.terminate()
                    raise

    def _in_processes(
        self, tasks: Sequence[Task], executor: Executor, n_workers: int
    ) -> Iterator[tuple[Task, RunRecord | Failure]]:
        """Outcomes of an executor's work; no more is sent than its workers will soon begin."""
        attempt, waiting = informed(_attempt), list(tasks[::-1])
        pending: dict[Future[RunRecord | Failure], Task] = {}
        try:
            while waiting or pending:
                while waiting and len(pending) < 2 * n_workers:
                    task = waiting.pop()
                    pending[executor.submit(_unpacked, cloudpickle.dumps((attempt, self.table, task)))] = task
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    try:
                        made = future.result()
                    except RapidMooError as error:  # the worker was killed, or could not load the method
                        made = Failure(f"{type(error).__name__}: {error}")
                    yield pending.pop(future), made
        finally:
            for future in pending:
                future.cancel()

    def _final_adrs(self, record: RunRecord) -> float:
        F = self.table.F[record.complete[0]]
        return float(trajectory(self.table.front, F, [len(F)])["adrs"].iloc[0])

    # ----------------------------------------------------------------- results
    def _write(self, made: Sequence[tuple[Task, RunRecord]]) -> pd.DataFrame:
        """Write the result files; rows of other methods, seeds and budgets that they hold already stay."""
        drawn, parts = self._drawn(), []
        for task, record in made:
            result, path = self._read_off(task, record)
            # A run longer than this comparison asks for keeps the trajectory that it has.
            keep = record.budget > task.count and (task.method.name, task.seed) in drawn
            parts.append((result, path.iloc[:0] if keep else path))
        frames = [pd.concat(frames) for frames in zip(*parts, strict=True)] if parts else [pd.DataFrame()] * 2
        results, paths = (
            frames[0].reindex(columns=self._columns(RESULT_COLUMNS)),
            frames[1].reindex(columns=self._columns(TRAJECTORY_COLUMNS)),
        )
        redone = pd.DataFrame({"dataset": self.table.name, "method": sorted(self.redo)}, dtype=str)
        stale = self._stale()
        merge_csv(self.out / RESULTS_FILE, results, [results[KEYS], redone, stale])
        replaced = replaced_trajectories(paths, [m.name for m in self.methods if m.anytime])
        merge_csv(self.out / TRAJECTORIES_FILE, paths, [*replaced, redone, stale])
        oracle = oracle_trajectory(self.table)
        if by_cost(self.table):
            oracle[COST] = oracle["evaluations"] * full_price(self.table)
            oracle = oracle[with_cost(COLUMNS[ORACLE_FILE])]
        merge_csv(self.out / ORACLE_FILE, oracle, [oracle[["dataset"]]])
        return results.reset_index(drop=True)

    def _stale(self) -> pd.DataFrame:
        """Runs in the results that are of other code of the compared methods; never beside those of today's."""
        columns = ["dataset", "method", "seed"]
        if not (self.out / RESULTS_FILE).is_file():
            return pd.DataFrame(columns=columns)
        known = read_results([self.out])
        mine = known[(known["dataset"] == self.table.name) & known["method"].isin(list(self._codes))]
        return mine.loc[mine[CODE] != mine["method"].map(self._codes), columns].drop_duplicates()

    def _drawn(self) -> set[tuple[str, int]]:
        """Method and seed of the trajectories of this table that the folder holds."""
        if not (self.out / TRAJECTORIES_FILE).is_file():
            return set()
        known = read_results([self.out], TRAJECTORIES_FILE)
        mine = known.loc[known["dataset"] == self.table.name, ["method", "seed"]]
        return set(mine.itertuples(index=False, name=None))

    def _read_off(self, task: Task, record: RunRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Results at the task's budgets, and the whole trajectory, which may be of a larger budget."""
        rows, steps, costs = record.complete
        if not len(rows):
            raise RunError(f"{task.method.name}, seed {task.seed}: no architecture was measured completely")
        last, spent = len(rows), record.spent
        ends = {b: self._end(record, b) if task.method.anytime else last for b in task.budgets}
        frame = trajectory(self.table.front, self.table.F[rows], log_steps(last, ends.values()))
        index = frame["evaluations"].to_numpy() - 1
        batch = pd.Series(record.asked).searchsorted(steps[index])
        frame["seconds"] = [record.seconds[i] for i in batch]
        frame["cpu_seconds"] = [record.cpu_seconds[i] for i in batch]
        frame[COST] = costs[index]
        made = {name: str(record.made.get(name, "")) for name in MADE}
        frame = frame.assign(dataset=self.table.name, method=task.method.name, seed=task.seed, **made, code=record.code)
        chosen = frame.set_index("evaluations").loc[list(ends.values())].reset_index().assign(budget=list(ends))
        # What was spent within a budget may be more than at the last architecture that it completed.
        within = {b: spent[spent <= self.count(b) * (1.0 + EPSILON)][-1:] for b in task.budgets}
        chosen[COST] = [
            float(within[b][0]) if task.method.anytime and len(within[b]) else float(spent[-1]) for b in ends
        ]
        meant = max(task.budgets) if record.budget == task.count else record.budget
        return chosen[self._columns(RESULT_COLUMNS)], frame.assign(budget=meant)[self._columns(TRAJECTORY_COLUMNS)]

    def _end(self, record: RunRecord, budget: float) -> int:
        """How many architectures were complete within a budget; one at least."""
        costs = record.complete[2]
        return max(1, int(np.searchsorted(costs, self.count(budget) * (1.0 + EPSILON), side="right")))

    def _columns(self, columns: list[str]) -> list[str]:
        return with_cost(columns) if by_cost(self.table) else columns


def _attempt(table: ArchitectureTable, task: Task) -> RunRecord | Failure:
    """A run, or what went wrong: one failing run must not end the others."""
    try:
        record = run_method(table, task.method, task.count, task.seed)
    except (Exception, SystemExit) as error:  # whatever a method raises
        logger.debug("run failed", exc_info=True)
        told = f"{type(error).__name__}: {error}"
        return Failure(told, user_trace(error).rstrip() if is_users(error) else "")
    return record if len(record.complete[0]) else Failure("no architecture was measured completely")


def _unpacked(content: bytes) -> RunRecord | Failure:
    """A run in a worker."""
    attempt, table, task = cloudpickle.loads(content)
    made: RunRecord | Failure = attempt(table, task)
    return made


def _distinct(methods: Sequence[type[Method]]) -> tuple[type[Method], ...]:
    names = [method.name for method in methods]
    if not names or len(set(names)) != len(names):
        raise InputError(f"methods: expected distinct methods, at least one, got {', '.join(names) or 'none'}")
    return tuple(methods)


def _budget(value: float, table: ArchitectureTable) -> float:
    if 0.0 < value < 1.0:
        return float(value)
    if by_cost(table):
        least, most = 2.0 * full_price(table), total_cost(table)
        if not (value > 1 and affordable(least, value) and affordable(value, most)):
            raise InputError(
                f"budget: expected a share in (0, 1) or a cost above 1 that pays for two architectures, at least"
                f" {cost_text(least)}, and for the whole table at most, {cost_text(most)}, got {value:g}"
            )
        return int(value) if float(value).is_integer() else float(value)
    if not 1 < value <= len(table) or value != int(value):
        raise InputError(
            f"budget: expected a share in (0, 1) or a number of evaluations in 2..{len(table)}, got {value}"
        )
    return int(value)


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(seeds, int) and not 0 < seeds <= MOST_SEEDS:
        raise InputError(f"seeds: expected a number of seeds in 1..{MOST_SEEDS}, got {shown(seeds, 40)}")
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(int(seed) for seed in seeds))
    if not chosen or min(chosen) < 0 or max(chosen) > LARGEST_SEED:
        raise InputError(f"seeds: expected seeds in 0..2^63 - 1, at least one, got {shown(seeds)}")
    return chosen
