"""``rapid-moo compare``: methods under the same bill on one table."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rapid_moo._util import one_line
from rapid_moo.cli.common import EXIT_FAILED, command_line, complain, writable
from rapid_moo.cli.dataset import read_costly
from rapid_moo.comparison import Comparison, Method, RunRecord, get_method
from rapid_moo.comparison.facts import quality_facts, record_facts
from rapid_moo.comparison.figures import write_figures
from rapid_moo.comparison.registry import available_methods
from rapid_moo.comparison.report import MARKDOWN_FILE
from rapid_moo.comparison.study import RunError
from rapid_moo.comparison.tables import ORACLE_FILE, RESULT_FILES, bill_column, read_results
from rapid_moo.errors import InputError, MissingExtraError
from rapid_moo.progress import Progress
from rapid_moo.report import PAGE_FILE, read_report
from rapid_moo.report.compared import summary_blocks
from rapid_moo.report.rendering import text
from rapid_moo.study.status import duration
from rapid_moo.table import ArchitectureTable

QUIET_SECONDS = 10.0
"""Between two lines of progress where standard error is no terminal."""


def compare(options: Namespace) -> int:
    """Compare methods on a table."""
    # A user's module may lie in the working directory, as with python -m; workers are given the path too.
    sys.path.append(os.getcwd())
    table, methods, budgets = _table(options), _methods(options.methods), _budgets(options.budgets)
    writable(options.out / "runs" / table.name)
    with _client(options.dask) as client:
        study = Comparison(
            table,
            methods,
            budgets,
            options.seeds,
            options.out,
            n_jobs=options.n_jobs,
            client=client,
            redo=_names(options.redo),
            reference=options.reference,
        )
        try:
            with _Bar(study) as bar:
                results = study.run(progress=bar.show, command=command_line())
        except RunError as error:
            if not (traces := getattr(error, "__notes__", [])):
                raise
            for trace in traces:
                complain(trace, None)
            complain(f"error: {error}")
            return EXIT_FAILED
    told = read_report(options.out).comparison
    record = told.record if told is not None else None
    reference = record["method"] if record is not None else None
    print(summary_text(table, results, read_results([options.out], ORACLE_FILE), reference))
    written = [*RESULT_FILES, MARKDOWN_FILE, PAGE_FILE, *_figures(options.out)]
    print(f"\nWritten to {options.out}: {', '.join(written)}, comparison.json, runs/")
    return 0


def _figures(out: Path) -> list[str]:
    """Write the figures of everything that a folder holds, where they can be drawn."""
    results, trajectories, oracle = (read_results([out], name) for name in RESULT_FILES)
    try:
        return write_figures(out, results, trajectories, oracle)
    except MissingExtraError as error:
        complain(f"note: no figures: {error}")
        return []


def summary_text(
    table: ArchitectureTable, results: pd.DataFrame, oracle: pd.DataFrame, reference: str | None = None
) -> str:
    """Median quality by method and budget, best first, and what the reference won and lost."""
    seeds = results["seed"].nunique()
    told = (
        f"{table.name}: {len(table):,} architectures, {table.front_kind} front of {len(table.front)} points."
        f" Medians over {seeds} seed{'' if seeds == 1 else 's'}."
    )
    budgets, methods = sorted(set(results["budget"])), set(results["method"])
    qualities = [quality_facts(results, oracle, budget) for budget in budgets]
    judged = reference is not None and reference in methods and len(methods) > 1
    record = record_facts(results, reference, budgets) if reference is not None and judged else None
    return text(summary_blocks(told, qualities, bill_column(results), record))


class _Bar:
    """Progress of a comparison on standard error: a bar in a terminal, a line now and then elsewhere.

    It tells runs, rate, remaining time and the best result so far.
    """

    def __init__(self, study: Comparison) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        self.interactive = console.is_terminal
        self._progress = Bar(*columns, *times, console=console, disable=not self.interactive)
        self._task = self._progress.add_task("compare", total=len(study.tasks()))
        self._start, self._evaluations, self._runs = time.perf_counter(), 0, 0
        self._last = self._start
        self._best = (float("inf"), "")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, at: Progress) -> None:
        """Take one more run into account."""
        record, adrs = cast("RunRecord", at.latest), at.adrs if at.adrs is not None else float("inf")
        self._evaluations += len(record.rows)
        self._runs += 1
        self._best = min(self._best, (adrs, record.method))
        now = time.perf_counter()
        gone = max(now - self._start, 1e-9)
        told = (
            f"{one_line(record.method, 60)} seed {record.seed}: ADRS {adrs:.4f}, best {self._best[0]:.4f}"
            f" ({one_line(self._best[1], 60)}), {self._evaluations / gone:.0f} evaluations/s"
        )
        if self.interactive:
            self._progress.update(self._task, completed=at.done, total=at.total, description=escape(told))
        elif now - self._last >= QUIET_SECONDS:
            self._last = now
            left = (at.total or at.done) - at.done
            complain(f"{at.done:g} of {at.total:g} runs, {told}, {duration(gone / self._runs * left)} to go")


def _table(options: Namespace) -> ArchitectureTable:
    """The table, its name telling other objectives than the default ones apart."""
    table = read_costly(options)
    tail = [options.memory] if options.memory and options.memory != table.space.default_memory else []
    return replace(table, name="-".join([table.name, *tail, *(["energy"] if options.energy else [])]))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _methods(text: str) -> Sequence[type[Method]]:
    if text.strip() != "all":
        return [get_method(name) for name in _names(text)]
    found, missing = available_methods()
    for reason in missing:
        complain(f"note: left out: {reason}")
    return found


def _budgets(text: str) -> list[float]:
    try:
        return [float(part) for part in _names(text)]
    except ValueError as error:
        raise InputError(f"--budgets: expected numbers such as 0.02,0.05,0.15 or 50,100, got {text!r}") from error


def _client(address: str | None) -> AbstractContextManager[Any]:
    if address is None:
        return nullcontext()
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("--dask needs Dask: pip install 'rapid-moo[dask]'") from error
    try:
        return cast("AbstractContextManager[Any]", Client(address))
    except (OSError, ValueError) as error:
        raise InputError(f"--dask: expected the address of a running scheduler, got {address!r}: {error}") from error
