"""Parser, exit codes and error messages of ``rapid-moo``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rapid_moo._util import one_line
from rapid_moo.cli import commands, compare, report, study
from rapid_moo.cli.common import EXIT_BAD_INPUT, EXIT_INTERRUPTED
from rapid_moo.cli.dataset import add_dataset
from rapid_moo.errors import RapidMooError
from rapid_moo.view import CANDIDATES

_SEARCH_EXAMPLES = """
examples:
  rapid-moo search digits                                   the embedded table: nothing to download
  rapid-moo search --dataset gpt_l_rtx3080.csv --train-ratio 0.1 --out runs/gpt_l
  rapid-moo search --dataset gpt_l_rtx3080.csv --iterate --budget 300   a small sample, then where it pays
  rapid-moo search --dataset gpt_l_rtx3080.csv --tuner NASBench201      mix and match
  rapid-moo search --dataset mine.csv --objectives accuracy:max,latency:min,mem:min
  rapid-moo search --dataset runs.parquet --objectives err:min,lat:min --genes kernel,width,op --drop-missing
  rapid-moo search --dataset acc.csv --join lat.csv:arch --vector arch --objectives "Top-1 (%):max,lat:min" \\
      --constraint '"Top-1 (%)" >= 72' --constraint 'params <= 4e6'

It samples the table, tunes one predictor per objective on the sample (or takes the triplet of --tuner), searches the
predictions, evaluates as many architectures as the predicted front has, in parts that it learns from, and reports.
Every evaluation is billed. DIR gets front.csv, evaluations.csv, summary.json and front.png.
"""
_TUNE_EXAMPLES = """
example:
  rapid-moo tune --dataset gpt_l_rtx3080.csv --dir GPT/gpt_l/rtx3080 --train-ratio 0.1 --val-ratio 0.1

DIR gets adrs.csv (triplets ranked by ADRS) and triplet.json (the best one, for 'search --tuner DIR').
"""


def _seed(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"expected an integer that is not negative, got {text!r}")
    return value


def _jobs(text: str) -> int:
    if (value := int(text)) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of workers, or -1 for all processors, got {text!r}")
    return value


class _Parser(argparse.ArgumentParser):
    """One line per mistake, as for every other bad input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(EXIT_BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


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
    problems.set_defaults(run=commands.problems)

    data = commands_of.add_parser("data", help="list, fetch, import and verify published tables")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    actions.add_parser("list", help="published tables, their licences and where they are").set_defaults(
        run=commands.data_list
    )
    fetch = actions.add_parser("fetch", help="download tables into the user's cache")
    fetch.add_argument("names", nargs="+", metavar="NAME")
    fetch.add_argument("--url", help="another address than the manifest's (for one NAME)")
    fetch.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds without a byte (default 30)")
    fetch.add_argument("--retries", type=int, default=3, metavar="N", help="further attempts (default 3)")
    fetch.set_defaults(run=commands.data_fetch)
    take = actions.add_parser("import", help="copy published tables found in a folder into the user's cache")
    take.add_argument("folder", type=Path, metavar="DIR")
    take.set_defaults(run=commands.data_import)
    verify = actions.add_parser("verify", help="compare tables with the manifest's checksums")
    verify.add_argument("names", nargs="*", metavar="NAME", help="all tables at hand by default")
    verify.set_defaults(run=commands.data_verify)

    audit = commands_of.add_parser("audit", help="what a table is worth: repeats, gaps, learnability, drift")
    add_dataset(audit)
    audit.add_argument("--seed", type=_seed, default=0)
    audit.add_argument("--out", type=Path, metavar="DIR", help="also write audit.json there")
    audit.set_defaults(run=commands.audit)

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
    tune.add_argument("--seed", type=_seed, default=0)
    tune.set_defaults(run=commands.tune)

    search = commands_of.add_parser(
        "search",
        help="find the front of a table: sample, tune, search, verify",
        epilog=_SEARCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_dataset(search)
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
        choices=CANDIDATES,
        default="auto",
        help="the table's members (auto), or the whole space, where a genotype stands for its nearest member",
    )
    search.add_argument("--budget", type=int, metavar="N", help="at most N unique evaluations, verification included")
    search.add_argument(
        "--rounds",
        type=int,
        default=1,
        metavar="N",
        help="batches after the sample; 1, the default, verifies the predicted front",
    )
    search.add_argument(
        "--iterate",
        action="store_true",
        help="RAPID's own schedule: a small sample, then batches where they pay, until --budget (or the share of"
        " --train-ratio) is spent; the same front for far fewer evaluations",
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
    search.add_argument("--seed", type=_seed, default=0)
    search.add_argument("--out", type=Path, metavar="DIR", help="where the results go (default runs/DATASET-seed)")
    search.set_defaults(run=commands.search)
    compare.add_parser(commands_of)
    study.add_parsers(commands_of)
    report.add_parser(commands_of)
    return parser


def _add_tuner(parser: argparse.ArgumentParser, budget: str) -> None:
    parser.add_argument(
        budget, type=int, default=16, metavar="N", dest="tuner_budget", help="tuner trials (default 16)"
    )
    parser.add_argument("--families", metavar="A,B", help="predictor families to consider (default: all)")
    parser.add_argument("--n-jobs", type=_jobs, default=1, metavar="N", help="fits at the same time (default 1)")


def _printable(message: str) -> str:
    """A message whose control characters cannot change what a terminal shows; line ends stay."""
    return "\n".join(one_line(line, len(line) * 8) for line in message.split("\n"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    parser = build_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_BAD_INPUT
    level = logging.INFO if options.verbose else logging.WARNING
    form = "%(name)s: %(message)s" if options.verbose else "note: %(message)s"
    logging.basicConfig(level=level, format=form, stream=sys.stderr)
    try:
        code: int = options.run(options)
    except RapidMooError as error:
        print(f"error: {_printable(str(error))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code
