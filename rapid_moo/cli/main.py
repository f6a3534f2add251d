"""Parser, exit codes and error messages of ``rapid-moo``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import TextIO, cast

from rapid_moo._util import one_line
from rapid_moo.cli.common import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    LONGEST,
    Notes,
    PlainOutput,
    check_arguments,
    complain,
    jobs,
    seconds,
    seed,
    whole,
)
from rapid_moo.cli.dataset import add_costs, add_dataset, add_priors
from rapid_moo.cli.parsers import add_compare, add_report, add_study, later
from rapid_moo.errors import InputError, RapidMooError

_SEARCH_EXAMPLES = """
examples:
  rapid-moo search digits                                   the embedded table: nothing to download
  rapid-moo search --dataset gpt_l_rtx3080.csv --train-ratio 0.1 --out runs/gpt_l
  rapid-moo search --dataset gpt_l_rtx3080.csv --budget 300 --prefer 2,1,1   and one pick of its front
  rapid-moo search --dataset gpt_l_rtx3080.csv --oneshot     the published way
  rapid-moo search --dataset gpt_l_rtx3080.csv --tuner NASBench201      mix and match
  rapid-moo search --dataset mine.csv --objectives accuracy:max,latency:min,mem:min
  rapid-moo search --dataset runs.parquet --objectives err:min,lat:min --genes kernel,width,op --drop-missing
  rapid-moo search --dataset acc.csv --join lat.csv:arch --vector arch --objectives "Top-1 (%):max,lat:min" \\
      --constraint '"Top-1 (%)" >= 72' --constraint 'params <= 4e6'

It begins with a few representatives of the space, tunes one predictor per objective on what it has evaluated (or takes
the triplet of --tuner), evaluates where the predictions promise most of the front, and again until the budget is spent.
Every evaluation is billed. DIR gets front.csv, evaluations.csv, summary.json and front.png.
"""
_TUNE_EXAMPLES = """
example:
  rapid-moo tune --dataset gpt_l_rtx3080.csv --dir GPT/gpt_l/rtx3080 --train-ratio 0.1 --val-ratio 0.1

DIR gets adrs.csv (triplets ranked by ADRS) and triplet.json (the best one, for 'search --tuner DIR').
"""


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


class _Parser(argparse.ArgumentParser):
    """One line per mistake, as for every other bad input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        end = f" (see {self.prog} --help)"
        self.exit(EXIT_BAD_INPUT, f"{one_line(f'error: {message}', LONGEST - len(end))}{end}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="rapid-moo",
        description="Find the accuracy / latency / memory trade-offs of an architecture space from few measurements.",
    )
    parser.add_argument("--version", action="version", version=f"rapid-moo {version('rapid-moo')}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens, to standard error")
    commands_of = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    problems = commands_of.add_parser("problems", help="list search spaces and tables, and where the tables are")
    problems.set_defaults(run=later("commands", "problems"))

    data = commands_of.add_parser("data", help="list, fetch, import and verify published tables")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    actions.add_parser("list", help="published tables, their licences and where they are").set_defaults(
        run=later("commands", "data_list")
    )
    fetch = actions.add_parser("fetch", help="download tables into the user's cache")
    fetch.add_argument("names", nargs="+", metavar="NAME")
    fetch.add_argument("--url", help="another address than the manifest's (for one NAME)")
    fetch.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="S", help="seconds without progress (default 10)"
    )
    fetch.add_argument("--retries", type=whole, default=3, metavar="N", help="further attempts (default 3)")
    fetch.set_defaults(run=later("commands", "data_fetch"))
    take = actions.add_parser("import", help="copy published tables found in a folder into the user's cache")
    take.add_argument("folder", type=Path, metavar="DIR")
    take.set_defaults(run=later("commands", "data_import"))
    verify = actions.add_parser("verify", help="compare tables with the manifest's checksums")
    verify.add_argument("names", nargs="*", metavar="NAME", help="all tables at hand by default")
    verify.set_defaults(run=later("commands", "data_verify"))

    audit = commands_of.add_parser("audit", help="what a table is worth: repeats, gaps, learnability, drift")
    add_dataset(audit)
    audit.add_argument("--seed", type=seed, default=0)
    audit.add_argument("--out", type=Path, metavar="DIR", help="also write audit.json there")
    audit.set_defaults(run=later("commands", "audit"))

    tune = commands_of.add_parser(
        "tune",
        help="choose one predictor per objective by ADRS",
        epilog=_TUNE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_dataset(tune)
    tune.add_argument("--dir", type=Path, required=True, metavar="DIR", help="where the result goes")
    tune.add_argument("--train-ratio", type=float, default=0.1, metavar="R", help="share to tune on (default 0.1)")
    tune.add_argument(
        "--val-ratio",
        type=float,
        metavar="R",
        help="further share on which the chosen triplet is judged, never tuned on (default: none)",
    )
    _add_tuner(tune, "--budget")
    tune.add_argument("--seed", type=seed, default=0)
    tune.set_defaults(run=later("commands", "tune"))

    search = commands_of.add_parser(
        "search",
        help="find the front of a table: sample, tune, search, evaluate, again",
        epilog=_SEARCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_dataset(search)
    add_costs(search)
    add_priors(search)
    search.add_argument("--tuner", type=Path, metavar="DIR", help="triplet of 'rapid-moo tune --dir DIR'")
    search.add_argument("--train-ratio", type=float, default=0.1, metavar="R", help="share to train on (default 0.1)")
    search.add_argument(
        "--algorithm",
        choices=["auto", "nsga2", "nsga3", "exhaustive"],
        default="auto",
        help="how the predictions are searched; auto lists all candidates where it can",
    )
    search.add_argument(
        "--candidates",
        choices=["auto", "members", "space"],
        default="auto",
        help="the table's members (auto), or the whole space, where a genotype stands for its nearest member",
    )
    search.add_argument(
        "--budget",
        type=_number,
        metavar="N",
        help="at most N unique evaluations, everything included, or a share below 1 (default: --train-ratio)",
    )
    search.add_argument(
        "--oneshot",
        action="store_true",
        help="the published way: one sample of --train-ratio, one tuning, and the predicted front verified on top;"
        " without it a small sample, then batches where they pay, until the budget is spent",
    )
    search.add_argument(
        "--prefer",
        metavar="W,W,…",
        help="weights of the objectives: also name the architecture of the front that suits them best",
    )
    search.add_argument(
        "--constraint",
        action="append",
        default=[],
        metavar="'latency <= 20'",
        help="bound (<=, >=, <, >) on an objective, a gene, or any other column of numbers; may come several times",
    )
    _add_tuner(search, "--tuner-budget")
    search.add_argument("--seed", type=seed, default=0)
    search.add_argument("--out", type=Path, metavar="DIR", help="where the results go (default runs/DATASET-seed)")
    search.set_defaults(run=later("commands", "search"))
    add_compare(commands_of)
    add_study(commands_of)
    add_report(commands_of)
    return parser


def _add_tuner(parser: argparse.ArgumentParser, budget: str) -> None:
    parser.add_argument(
        budget,
        type=whole,
        metavar="N",
        dest="tuner_budget",
        help="configurations to fit per objective (default: the algorithm's own)",
    )
    parser.add_argument("--families", metavar="A,B", help="predictor families to consider (default: all)")
    parser.add_argument("--n-jobs", type=jobs, default=1, metavar="N", help="fits at the same time (default 1)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 is success, 1 a mistake in the user's own code, 2 bad input, 130 Ctrl-C. No control character of a file or server
    reaches the terminal.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        check_arguments(given)
        options = build_parser().parse_args(given)
    except InputError as error:
        complain(f"error: {error}")
        return EXIT_BAD_INPUT
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_BAD_INPUT
    _log(options.verbose)
    try:
        with redirect_stdout(cast("TextIO", PlainOutput(sys.stdout))):
            code: int = options.run(options)
    except RapidMooError as error:
        complain(one_line(f"error: {error}", LONGEST))
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        complain(one_line(f"error: {error.filename or ''}: {error.strerror or error}", LONGEST))
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except Exception as error:
        if (told := _users_bug(error)) is None:
            raise
        complain(told, None)
        return EXIT_FAILED
    return code


def _users_bug(error: Exception) -> str | None:
    """The user's own traceback, where his code has raised; None where the package itself has."""
    # What measures is loaded late: most commands do without.
    from rapid_moo.measure import is_users, user_trace

    return user_trace(error).rstrip() if is_users(error) else None


def _log(verbose: bool) -> None:
    """Log to standard error; the program's own handlers, where it has some, stay."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Notes("%(name)s: %(message)s" if verbose else "note: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
