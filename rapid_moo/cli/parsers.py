"""The parsers of ``compare`` and of studies' commands, and commands that are imported when they run.

Nothing here or in what it imports is heavy: help and a mistyped option take no second.
"""

from __future__ import annotations

import argparse
import importlib
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapid_moo.cli.common import More, jobs, number, positive, seconds, seed, whole
from rapid_moo.cli.dataset import add_costs, add_dataset, add_priors
from rapid_moo.comparison.registry import method_names
from rapid_moo.measure import FIRST_RAISED, SAME_RAISED

EXPORTS = ("csv", "parquet", "json")
_COMPARE_EXAMPLES = """
examples:
  rapid-moo compare --dataset digits --methods rapid,nsga2,random --budgets 0.02,0.05,0.15 --seeds 5 --out runs/digits
  rapid-moo compare --dataset asr_data.csv --methods all --seeds 10 --n-jobs 2 --out runs/asr
  rapid-moo compare --dataset digits --methods rapid,nsga2 --costs accuracy:1,latency:0.01 --budgets 30,60 --out runs/c
  rapid-moo compare --dataset digits --methods random,mypackage.search:Mine --budgets 50,100 --out runs/mine

A budget is a share of the table in (0, 1) or a number of unique evaluations. A repeated architecture is not billed.
With --costs a budget above 1 is an amount of cost, a share is one of what the whole table costs, and every method pays
for each objective that it has measured; results.csv has a column 'cost'.
One-shot methods train on the budget and bill the front that they verify on top: see the column 'evaluations'.
Interrupt it at any time: the same command goes on where it was. DIR gets results.csv (one row per dataset, method,
seed and budget), trajectories.csv (the same at fine steps), oracle.csv (the floor), report.md, figures, and one record
per run.
"""
_RUN_EXAMPLES = """
examples:
  rapid-moo run space.toml --measure "python measure.py" --budget 60 --workers 4 --out runs/board
  rapid-moo run my_space.py:Tower --measure my_space.py:measure --budget 60 --out runs/tower
  rapid-moo run runs/board                    after any end: goes on, everything it needs is in the folder
  rapid-moo run runs/board --budget 110       until 110 are begun in all; --budget +50 begins fifty more
  rapid-moo run runs/board --confirm          measure the front again where that is worth it and the budget pays for it
  rapid-moo run digits --live --budget 60     the worked example: really trains and measures, in minutes

A measure gets an architecture as a dict of genes (a command: as JSON on standard input) and gives a dict of objectives
(a command: as JSON on standard output). It may report on its way, see docs/stopping.md. Everything is kept in the
folder, and evaluations.csv and front.csv are up to date at every moment.
"""


def later(module: str, name: str) -> Callable[[Namespace], int]:
    """A command of a module of :mod:`rapid_moo.cli`, which is imported when the command runs."""

    def run(options: Namespace) -> int:
        code: int = getattr(importlib.import_module(f"rapid_moo.cli.{module}"), name)(options)
        return code

    return run


def add_compare(commands_of: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser: argparse.ArgumentParser = commands_of.add_parser(
        "compare",
        help="compare methods under the same bill of evaluations",
        epilog=_COMPARE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_dataset(parser)
    add_costs(parser)
    parser.add_argument(
        "--methods",
        required=True,
        metavar="A,B|all",
        help=f"some of {', '.join(method_names())}; or module:Name of a class or pymoo algorithm",
    )
    parser.add_argument("--budgets", default="0.02,0.05,0.15", metavar="B,...", help="(default 0.02,0.05,0.15)")
    parser.add_argument("--seeds", type=whole, default=10, metavar="N", help="seeds 0 to N-1 (default 10)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where records and results go")
    parser.add_argument("--n-jobs", type=jobs, default=1, metavar="N", help="runs at the same time (default 1)")
    parser.add_argument(
        "--reference",
        metavar="METHOD",
        help="whose wins and losses are tested (default: rapid where it is there, else the first of your own, else the"
        " first)",
    )
    parser.add_argument(
        "--redo", default="", metavar="A,B", help="make the runs of these methods again (names or addresses)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="make the runs on the Dask scheduler at this address")
    parser.set_defaults(run=later("compare", "compare"))


def add_study(commands_of: Any) -> None:
    """Add the commands of studies."""
    init = commands_of.add_parser("init", help="write a commented search space and its measure.py, ready to edit")
    init.add_argument("file", type=Path, metavar="FILE.toml")
    init.set_defaults(run=later("study", "write_template"))
    _add_run(commands_of)
    ask = commands_of.add_parser("ask", help="architectures of a study to evaluate elsewhere, as a CSV file")
    ask.add_argument("folder", type=Path, metavar="DIR")
    ask.add_argument("-n", type=positive, default=1, metavar="N", help="how many (default 1)")
    ask.set_defaults(run=later("study", "ask_study"))
    tell = commands_of.add_parser("tell", help="tell a study what was measured elsewhere, also in part")
    tell.add_argument("folder", type=Path, metavar="DIR")
    tell.add_argument("file", type=Path, metavar="MEASURED.csv")
    tell.set_defaults(run=later("study", "tell_study"))
    status = commands_of.add_parser("status", help="where a study stands, also while it runs")
    status.add_argument("folder", type=Path, metavar="DIR")
    status.add_argument("--json", action="store_true", help="for programs")
    _add_prefer(status)
    status.set_defaults(run=later("study", "show_status"))
    export = commands_of.add_parser("export", help="evaluations or front of a study, to standard output or a file")
    export.add_argument("folder", type=Path, metavar="DIR")
    export.add_argument("--format", choices=EXPORTS, default="csv")
    export.add_argument("--front", action="store_true", help="the front alone")
    export.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")
    export.set_defaults(run=later("study", "export_study"))


def add_report(commands_of: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser: argparse.ArgumentParser = commands_of.add_parser(
        "report", help="the report of a folder that search, run, compare, audit or tune wrote"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--format",
        choices=("html", "markdown", "text"),
        default="html",
        help="html: FOLDER/report.html, written anew; markdown and text go to standard output",
    )
    _add_prefer(parser)
    parser.set_defaults(run=later("report", "report"))


def _add_run(commands_of: Any) -> None:
    run = commands_of.add_parser(
        "run",
        help="search your own space with your own measure; goes on after any end",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "target", metavar="SPACE|DIR", help="FILE.toml, FILE.py:CLASS, a space's name, or a study's folder"
    )
    run.add_argument(
        "--measure",
        action="append",
        default=[],
        metavar="[OBJECTIVE,..=]MEASURE",
        help="a command line, or FILE.py:FUNCTION; several with the objectives that each of them measures",
    )
    run.add_argument("--live", action="store_true", help="the measure that comes along with a space (digits)")
    run.add_argument(
        "--budget",
        type=_budget,
        metavar="N|+N",
        help="evaluations in all, earlier ones included, or +N more than were begun; where costs are stated, what they"
        " may cost",
    )
    run.add_argument(
        "--costs",
        metavar="NAME:COST,..",
        help="what measuring each objective costs, in seconds or any unit: error:3600,latency:10 (default 1)",
    )
    run.add_argument(
        "--repeats",
        metavar="NAME:N|auto,..",
        help="how often an objective is measured of each architecture; latency:auto measures again where that pays",
    )
    run.add_argument("--objectives", metavar="NAME:min,..", help="what is optimised, where the space does not say it")
    run.add_argument("--constraint", action="append", default=[], metavar="'latency <= 20'")
    run.add_argument("--seed", type=seed, help="seed of every choice (default 0)")
    run.add_argument("--workers", default="1", metavar="N|threads:N", help="evaluations side by side (default 1)")
    run.add_argument(
        "--places", metavar="OBJECTIVE=N,..", help="places of its own for an objective: latency=1 is one board"
    )
    run.add_argument("--dask", metavar="ADDRESS", help="workers of a Dask scheduler instead")
    run.add_argument("--timeout", type=seconds, metavar="S", help="seconds that one call of the measure may take")
    run.add_argument(
        "--known",
        action="append",
        default=[],
        type=Path,
        metavar="CSV",
        help="what was measured before, free of charge",
    )
    add_priors(run)
    run.add_argument("--retry", action="store_true", help="make the failed evaluations again")
    run.add_argument("--confirm", action="store_true", help="measure the front again where noise may have flattered it")
    run.add_argument(
        "--max-errors",
        default=f"{FIRST_RAISED},{SAME_RAISED}",
        metavar="FIRST,SAME",
        help="stop when the first so many evaluations all raised or all lack the same objective, or so many in a row"
        " raised the same; 0 never"
        f" (default {FIRST_RAISED},{SAME_RAISED})",
    )
    _add_prefer(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="the study's folder (default runs/NAME)")
    run.set_defaults(run=later("study", "run_study"))


def _add_prefer(parser: argparse.ArgumentParser) -> None:
    """Add the option to a command that shows a front."""
    parser.add_argument(
        "--prefer",
        metavar="W,W,..",
        help="weights of the objectives: also name the network of the front that suits them",
    )


def _budget(text: str) -> float | More:
    """Evaluations, or an amount of cost; with a plus sign so much more than was spent."""
    amount = text.removeprefix("+")
    if amount.startswith("+"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text[:40]!r}")
    whole_number = amount.isascii() and amount.isdigit()
    value = positive(amount) if whole_number else number(amount, 2.0**53 - 1.0, "a positive number")
    return More(value) if text.startswith("+") else value
