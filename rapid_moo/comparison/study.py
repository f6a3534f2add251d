"""A comparison on one table: methods x seeds x budgets, resumable and parallel.

Every run is one JSON file in ``DIR/runs/DATASET``, written at once when the run ends; results are computed from these
files. A run is made again only if the file is missing, or belongs to other settings of the method or to a smaller
budget.
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed, parallel_config

from rapid_moo._util import write_text
from rapid_moo.comparison.method import Method
from rapid_moo.comparison.methods._pymoo import as_method
from rapid_moo.comparison.oracle import oracle_trajectory
from rapid_moo.comparison.registry import get_method
from rapid_moo.comparison.run import RunRecord, run_method, sorted_table
from rapid_moo.comparison.tables import (
    KEYS,
    ORACLE_FILE,
    RESULT_COLUMNS,
    RESULTS_FILE,
    TRAJECTORIES_FILE,
    TRAJECTORY_COLUMNS,
    merge_csv,
    read_results,
    replaced_trajectories,
)
from rapid_moo.trajectory import log_steps, trajectory
from rapid_moo.errors import InputError, RapidMooError
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

SETTINGS_FILE = "comparison.json"
PACKAGES = ("rapid-moo", "numpy", "pymoo", "moocore", "scikit-learn", "xgboost", "nevergrad")
Progress = Callable[[int, int, RunRecord, float], None]


class RunError(RapidMooError, RuntimeError):
    """A method failed in some runs; the others are kept."""


@dataclass(frozen=True)
class Task:
    """One run to be made: a method to a budget with a seed, read off at some budgets."""

    method: type[Method]
    seed: int
    count: int
    budgets: tuple[float, ...]

    @property
    def file(self) -> str:
        """Name of its record below the dataset's folder."""
        tail = "" if self.method.anytime else f"-{self.count}"
        return f"{self.method.name}/seed{self.seed}{tail}.json"


class Comparison:
    """Methods under the same bill on one table.

    Parameters
    ----------
    table : ArchitectureTable
        What is searched, and whose front judges.
    methods : sequence of str, type of Method, or pymoo algorithms
        Names (see :func:`rapid_moo.comparison.method_names`), classes, or any pymoo algorithm: a class, an instance, or
        a function of the problem that makes one.
    budgets : sequence of float or int
        Shares of the table in (0, 1), or numbers of unique evaluations above 1.
    seeds : int or sequence of int
        A number of seeds (0, 1, ...), or the seeds.
    out : Path
        Folder of the records and results.
    n_jobs : int
        Runs at the same time (joblib); the results do not depend on it.
    client : distributed.Client, optional
        A Dask client that makes the runs instead.
    redo : sequence of str
        Methods whose records are ignored.
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
        redo: Sequence[str] = (),
    ) -> None:
        self.table = sorted_table(table)
        self.methods = _distinct([get_method(m) if isinstance(m, str) else as_method(m) for m in methods])
        self.budgets = tuple(sorted({_budget(b, len(table)) for b in budgets}))
        self.seeds = _seeds(seeds)
        self.out, self.n_jobs, self.client, self.redo = Path(out), n_jobs, client, frozenset(redo)
        if not self.budgets:
            raise InputError("budgets: expected at least one, got none")
        if n_jobs == 0:
            raise InputError("n_jobs: expected a positive number, or -1 for all processors, got 0")
        unknown = self.redo - {method.name for method in self.methods}
        if unknown:
            raise InputError(f"redo: expected some of the compared methods, got {', '.join(sorted(unknown))}")

    # ----------------------------------------------------------------- running
    def run(self, progress: Progress | None = None) -> pd.DataFrame:
        """Make the runs that are missing, write the results and return them.

        Whatever ends it early (Ctrl-C, a failing method), complete runs are kept and in the results.

        Raises
        ------
        RunError
            If a method failed in some run.
        """
        self._claim()
        tasks = self.tasks()
        done = {task.file: record for task in tasks if (record := self._recorded(task)) is not None}
        missing = [task for task in tasks if task.file not in done]
        failures = []
        try:
            for task, record, failure in self._records(missing):
                if record is None:
                    failures.append(f"{task.method.name}, seed {task.seed}: {failure}")
                    logger.warning("run failed: %s", failures[-1])
                    continue
                write_text(self._path(task), json.dumps(record.to_dict()) + "\n")
                done[task.file] = record
                if progress is not None:
                    progress(len(done), len(tasks), record, self._final_adrs(record))
        finally:
            results = self._write([(task, done[task.file]) for task in tasks if task.file in done])
        if failures:
            raise RunError(f"{len(failures)} of {len(tasks)} runs failed (the others are kept): {failures[0]}")
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

    def count(self, budget: float) -> int:
        """Unique evaluations of a budget."""
        return self.table.count(budget) if budget < 1 else int(budget)

    def _path(self, task: Task) -> Path:
        return self.out / "runs" / self.table.name / task.file

    def _claim(self) -> None:
        """Refuse a folder that holds another table's runs; write the settings."""
        path = self.out / SETTINGS_FILE
        if path.is_file():
            try:
                known = json.loads(path.read_text(encoding="utf-8"))
                known = {key: dict(known[key]) for key in ("fingerprints", "methods")}
            except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
                raise InputError(f"{path}: expected the settings of a comparison, got: {error!r}") from error
        else:
            known = {"fingerprints": {}, "methods": {}}
        mine, fingerprints = self.table.fingerprint, known["fingerprints"]
        if fingerprints.get(self.table.name, mine) != mine:
            raise InputError(
                f"{self.out}: expected results of {self.table.name} {mine}, found those of a table of the same name"
                f" and other content, {fingerprints[self.table.name]}; choose another folder"
            )
        plan = {"budgets": list(self.budgets), "seeds": list(self.seeds)}
        methods = {method.name: {**plan, **method.settings()} for method in self.methods}
        settings = {
            "fingerprints": {**fingerprints, self.table.name: mine},
            "dataset": self.table.name,
            "rows": len(self.table),
            "front_kind": self.table.front_kind,
            "front_size": len(self.table.front),
            "objectives": [f"{o.name}:{o.direction}" for o in self.table.objectives],
            "methods": {**known["methods"], **methods},
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {name: version(name) for name in PACKAGES},
        }
        write_text(path, json.dumps(settings, indent=2) + "\n")

    def _recorded(self, task: Task) -> RunRecord | None:
        """The record of a task where a valid one exists."""
        path = self._path(task)
        if task.method.name in self.redo or not path.is_file():
            return None
        try:
            record = RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            logger.warning("%s is not a record, the run is made again: %s", path, error)
            return None
        same = record.fingerprint == self.table.fingerprint and dict(record.settings) == task.method.settings()
        enough = record.budget == task.count or (
            task.method.anytime and (record.budget > task.count or record.ended != "budget")
        )
        return record if same and enough else None

    def _records(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, RunRecord | None, str]]:
        calls = [delayed(_attempt)(self.table, task) for task in tasks]
        if self.client is not None:
            with parallel_config(backend="dask", client=self.client):
                yield from Parallel(return_as="generator_unordered")(calls)
        else:
            yield from Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")(calls)

    def _final_adrs(self, record: RunRecord) -> float:
        F = self.table.F[list(record.rows)]
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
        results, paths = frames[0].reindex(columns=RESULT_COLUMNS), frames[1].reindex(columns=TRAJECTORY_COLUMNS)
        redone = pd.DataFrame({"dataset": self.table.name, "method": sorted(self.redo)}, dtype=str)
        merge_csv(self.out / RESULTS_FILE, results, [results[KEYS], redone])
        replaced = replaced_trajectories(paths, [m.name for m in self.methods if m.anytime])
        merge_csv(self.out / TRAJECTORIES_FILE, paths, [*replaced, redone])
        oracle = oracle_trajectory(self.table)
        merge_csv(self.out / ORACLE_FILE, oracle, [oracle[["dataset"]]])
        return results.reset_index(drop=True)

    def _drawn(self) -> set[tuple[str, int]]:
        """Method and seed of the trajectories of this table that the folder holds."""
        if not (self.out / TRAJECTORIES_FILE).is_file():
            return set()
        known = read_results([self.out], TRAJECTORIES_FILE)
        mine = known.loc[known["dataset"] == self.table.name, ["method", "seed"]]
        return set(mine.itertuples(index=False, name=None))

    def _read_off(self, task: Task, record: RunRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Results at the task's budgets, and the whole trajectory, which may be of a larger budget."""
        last = len(record.rows)
        ends = {b: min(self.count(b), last) if task.method.anytime else last for b in task.budgets}
        F = self.table.F[list(record.rows)]
        frame = trajectory(self.table.front, F, log_steps(last, ends.values()))
        batch = pd.Series(record.asked).searchsorted(frame["evaluations"])
        frame["seconds"] = [record.seconds[i] for i in batch]
        frame["cpu_seconds"] = [record.cpu_seconds[i] for i in batch]
        frame = frame.assign(dataset=self.table.name, method=task.method.name, seed=task.seed)
        chosen = frame.set_index("evaluations").loc[list(ends.values())].reset_index().assign(budget=list(ends))
        meant = max(task.budgets) if record.budget == task.count else record.budget
        return chosen[RESULT_COLUMNS], frame.assign(budget=meant)[TRAJECTORY_COLUMNS]


def _attempt(table: ArchitectureTable, task: Task) -> tuple[Task, RunRecord | None, str]:
    """A run, or what went wrong: one failing run must not end the others."""
    try:
        return task, run_method(table, task.method, task.count, task.seed), ""
    except Exception as error:  # whatever a method raises
        logger.debug("run failed", exc_info=True)
        return task, None, f"{type(error).__name__}: {error}"


def _distinct(methods: Sequence[type[Method]]) -> tuple[type[Method], ...]:
    names = [method.name for method in methods]
    if not names or len(set(names)) != len(names):
        raise InputError(f"methods: expected distinct methods, at least one, got {', '.join(names) or 'none'}")
    return tuple(methods)


def _budget(value: float, n_rows: int) -> float:
    if 0.0 < value < 1.0:
        return float(value)
    if not 1 < value <= n_rows or value != int(value):
        raise InputError(f"budget: expected a share in (0, 1) or a number of evaluations in 2..{n_rows}, got {value}")
    return int(value)


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if not chosen or min(chosen) < 0:
        raise InputError(f"seeds: expected a positive number of seeds, or seeds from 0 up, got {seeds}")
    return chosen
