"""The options that say which table a command works on, and how its file is read."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapid_moo.errors import InputError

if TYPE_CHECKING:
    from rapid_moo.reading import Reading
    from rapid_moo.table import ArchitectureTable

_NAMES = ("genes", "vector", "ignore", "categorical", "columns", "decimal")
_SEVERAL = {"join": "--join", "failure_codes": "--failure-code"}
_FLAGS = ("drop_missing", "keep_partial")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command's parser."""
    parser.add_argument("name", nargs="?", metavar="DATASET", help="short for --dataset")
    parser.add_argument(
        "--dataset",
        metavar="FILE|NAME",
        help="a table's name, or a file: CSV in any dialect, JSON, Parquet or Excel, packed or not",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="the device of a published table: digits --device batch64 is digits_batch64"
    )
    parser.add_argument(
        "--space", metavar="NAME", help="the search space of a file that is not named like a published one"
    )
    parser.add_argument(
        "--objectives",
        metavar="COLUMN:min,...",
        help="columns and directions, min or max; a name with a comma in quotes: '\"Top-1, val\":max,latency:min'",
    )
    parser.add_argument(
        "--memory", metavar="KIND", help="memory objective: profiled, or params or flops where computed"
    )
    parser.add_argument("--energy", action="store_true", help="add energy as a further objective (HW-GPT)")
    reading = parser.add_argument_group("how a file is read, where it does not tell itself")
    reading.add_argument(
        "--genes",
        metavar="A,B",
        help="columns that are genes (default: the column 'vector', else all but the objectives and --ignore)",
    )
    reading.add_argument(
        "--vector",
        metavar="COLUMN",
        help="the column that holds whole architectures: [3, 2], 3-2, JSON, or one digit for each gene",
    )
    reading.add_argument("--ignore", metavar="A,B", help="columns that are no genes")
    reading.add_argument("--categorical", metavar="A,B", help="genes of numbers that have no order")
    reading.add_argument(
        "--join",
        action="append",
        metavar="FILE[:KEY]",
        help="a further file with columns of the same architectures, joined by a key or row by row",
    )
    reading.add_argument("--columns", metavar="A,B,...", help="names of the columns of a file without a header")
    reading.add_argument("--decimal", choices=[",", "."], help="decimal sign, where a column does not tell")
    reading.add_argument(
        "--failure-code",
        dest="failure_codes",
        action="append",
        metavar="[COLUMN=]CODE",
        help="what marks a failed measurement, such as -1 or latency=-1: a missing value then",
    )
    gaps = reading.add_mutually_exclusive_group()
    gaps.add_argument("--drop-missing", action="store_true", default=None, help="leave out rows that lack an objective")
    gaps.add_argument(
        "--keep-partial",
        action="store_true",
        default=None,
        help="learn from what such rows have; they are no members of the table",
    )


def add_priors(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is known from elsewhere."""
    parser.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="FILE|NAME[:OBJECTIVE=COLUMN,..]",
        help="what another device, data set or study knows of the same architectures: a table's file or name, or the"
        " folder of a study; trusted as far as own measurements bear it out",
    )
    parser.add_argument(
        "--same", default="", metavar="NAME,..", help="objectives whose values in --prior hold here as they are"
    )


def add_costs(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what measuring each objective costs."""
    parser.add_argument(
        "--costs",
        metavar="NAME:COST,...",
        help="what measuring each objective costs, such as accuracy:1,latency:0.01 (default 1, computed ones 0); a"
        " budget is an amount of cost then",
    )


def read_costly(options: Namespace) -> ArchitectureTable:
    """The table that the options state, with the costs that they state."""
    from rapid_moo.costs import with_costs

    table = read_dataset(options)
    if options.costs is None:
        return table
    computed = [objective.name for objective in table.space.computed]
    return replace(table, objectives=with_costs(table.objectives, options.costs, computed))


def dataset_name(options: Namespace) -> str:
    """The stated table.

    Raises
    ------
    InputError
        If it is stated twice or not at all, or has no such device.
    """
    if options.name and options.dataset:
        raise InputError(f"dataset: expected it once, got {options.name!r} and --dataset {options.dataset!r}")
    stated: str | None = options.name or options.dataset
    if not stated:
        raise InputError("dataset: expected a table's name or a CSV file, got none (--dataset)")
    return stated if options.device is None else _of_device(stated, options.device)


def _of_device(stated: str, device: str) -> str:
    """The published table of a device."""
    from rapid_moo import data

    name = f"{stated}_{device}"
    if Path(stated).is_file() or data.entry_for(name) is None:
        raise InputError(
            f"--device: expected the device of a published table, such as batch64 of digits or a100 of hw_gpt_s,"
            f" got {device!r} of {stated!r}"
        )
    return name


def reading_options(options: Namespace) -> dict[str, Any]:
    """What is stated about the file, as :func:`rapid_moo.open_table` takes it."""
    return {name: getattr(options, name) for name in (*_NAMES, *_SEVERAL, *_FLAGS)}


def reading_of(options: Namespace) -> Reading:
    """What is stated about the file."""
    from rapid_moo.reading import Reading

    return Reading.of(**reading_options(options))


def read_dataset(options: Namespace) -> ArchitectureTable:
    """The table that the options state."""
    from rapid_moo.problems import open_table

    return open_table(
        dataset_name(options),
        space=options.space,
        objectives=options.objectives,
        memory=options.memory,
        energy=options.energy,
        **reading_options(options),
    )


def dataset_words(options: Namespace) -> list[str]:
    """The options as words of a command line."""
    words = ["--dataset", dataset_name(options)]
    for name in ("space", "objectives", "memory", *_NAMES):
        value = getattr(options, name)
        words += [f"--{name}", value] if value is not None else []
    for name, option in _SEVERAL.items():
        words += [f"{option}={value}" for value in getattr(options, name) or []]
    words += [f"--{name.replace('_', '-')}" for name in ("energy", *_FLAGS) if getattr(options, name)]
    return words
