"""``rapid-moo compare``: methods under the same bill on one table."""

from __future__ import annotations

import argparse
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

from rapid_moo._util import one_line, write_text
from rapid_moo.cli.common import complain, jobs, writable
from rapid_moo.cli.dataset import add_dataset, read_dataset
from rapid_moo.comparison import Comparison, Method, RunRecord, get_method
from rapid_moo.comparison.figures import write_figures
from rapid_moo.comparison.markdown import comparison_markdown
from rapid_moo.comparison.registry import available_methods, method_names
from rapid_moo.comparison.tables import RESULT_FILES, read_results
from rapid_moo.errors import InputError, MissingExtraError
from rapid_moo.progress import Progress
from rapid_moo.table import ArchitectureTable

REPORT_FILE = "report.md"
EXAMPLES = """
examples:
  rapid-moo compare --dataset digits --methods rapid,nsga2,random --budgets 0.02,0.05,0.15 --seeds 5 --out runs/digits
  rapid-moo compare --dataset asr_data.csv --methods all --seeds 10 --n-jobs 2 --out runs/asr
  rapid-moo compare --dataset digits --methods random,mypackage.search:Mine --budgets 50,100 --out runs/mine

A budget is a share of the table in (0, 1) or a number of unique evaluations. A repeated architecture is not billed.
One-shot methods train on the budget and bill the front that they verify on top: see the column 'evaluations'.
Interrupt it at any time: the same command goes on where it was. DIR gets results.csv (one row per dataset, method,
seed and budget), trajectories.csv (the same at fine steps), oracle.csv (the floor), report.md, figures, and one record
per run.
"""


def add_parser(commands_of: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser: argparse.ArgumentParser = commands_of.add_parser(
        "compare",
        help="compare methods under the same bill of evaluations",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_dataset(parser)
    parser.add_argument(
        "--methods", required=True, metavar="A,B|all", help=f"some of {', '.join(method_names())}; or module:Class"
    )
    parser.add_argument("--budgets", default="0.02,0.05,0.15", metavar="B,...", help="(default 0.02,0.05,0.15)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="seeds 0 to N-1 (default 10)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where records and results go")
    parser.add_argument("--n-jobs", type=jobs, default=1, metavar="N", help="runs at the same time (default 1)")
    parser.add_argument("--redo", default="", metavar="A,B", help="make the runs of these methods again")
    parser.add_argument("--dask", metavar="ADDRESS", help="make the runs on the Dask scheduler at this address")
    parser.set_defaults(run=compare)


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
        )
        with _Bar(study) as bar:
            results = study.run(progress=bar.show)
    print(summary_text(table, results))
    written = [*RESULT_FILES, *_report(options.out)]
    print(f"\nWritten to {options.out}: {', '.join(written)}, comparison.json, runs/")
    return 0


def _report(out: Path) -> list[str]:
    """Write the report and, where they can be drawn, the figures of everything that a folder holds."""
    results, trajectories, oracle = (read_results([out], name) for name in RESULT_FILES)
    write_text(out / REPORT_FILE, comparison_markdown(results, trajectories, oracle))
    try:
        return [REPORT_FILE, *write_figures(out, results, trajectories, oracle)]
    except MissingExtraError as error:
        complain(f"note: no figures: {error}")
        return [REPORT_FILE]


def summary_text(table: ArchitectureTable, results: pd.DataFrame) -> str:
    """Median quality by method and budget, best first at the largest budget."""
    grouped = results.groupby(["budget", "method"], sort=False)
    median = grouped[["evaluations", "adrs", "hypervolume", "igd_plus", "front_size", "seconds"]].median()
    parts = [
        f"{table.name}: {len(table):,} architectures, {table.front_kind} front of {len(table.front)} points."
        f" Medians over {results['seed'].nunique()} seeds:"
    ]
    for budget, part in median.groupby(level="budget"):
        shown = part.droplevel("budget").sort_values("adrs", kind="stable").reset_index()
        text = shown.to_string(index=False, float_format=lambda value: f"{value:.5g}")
        parts.append(f"\nbudget {budget:g}\n{text}")
    return "\n".join(parts)


class _Bar:
    """Progress of a comparison on standard error: runs, rate, remaining time and the best result so far."""

    def __init__(self, study: Comparison) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Bar(*columns, *times, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("compare", total=len(study.tasks()))
        self._start, self._evaluations = time.perf_counter(), 0
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
        self._best = min(self._best, (adrs, record.method))
        rate = self._evaluations / max(time.perf_counter() - self._start, 1e-9)
        self._progress.update(
            self._task,
            completed=at.done,
            total=at.total,
            description=f"{_name(record.method)} seed {record.seed}: ADRS {adrs:.4f}, best {self._best[0]:.4f}"
            f" ({_name(self._best[1])}), {rate:.0f} evaluations/s",
        )


def _name(method: str) -> str:
    """A method's name in a bar."""
    return escape(one_line(method, 60))


def _table(options: Namespace) -> ArchitectureTable:
    """The table, its name telling other objectives than the default ones apart."""
    table = read_dataset(options)
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
