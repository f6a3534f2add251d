"""How a file is to be read, where it does not tell itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rapid_moo.errors import InputError


@dataclass(frozen=True)
class Reading:
    """What a user states about a table.

    Parameters
    ----------
    genes : tuple of str
        Columns that are genes; by default the column ``vector``, or else all but the objectives and ``ignore``.
    vector : str
        The column that holds whole architectures: integers in brackets, JSON, ``3-2-1``, or one digit for each gene.
    ignore : tuple of str
        Columns that are no genes.
    categorical : tuple of str
        Genes of numbers that have no order.
    join : tuple of (path or DataFrame, tuple of str)
        Further files with the names of the columns that they have in common, or none for row by row.
    columns : tuple of str
        Names of the columns of a file without a header.
    decimal : {"", ",", "."}
        The decimal sign, where a column does not tell.
    failure_codes : tuple of str
        What stands for a failed measurement beside empty cells and words, such as ``-1`` or ``latency=-1``.
    drop_missing : bool
        Leave out rows that lack an objective.
    keep_partial : bool
        Keep what is known of them instead.
    """

    genes: tuple[str, ...] = ()
    vector: str = ""
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    join: tuple[tuple[Any, tuple[str, ...]], ...] = ()
    columns: tuple[str, ...] = ()
    decimal: str = ""
    failure_codes: tuple[str, ...] = ()
    drop_missing: bool = False
    keep_partial: bool = False

    def __post_init__(self) -> None:
        if self.genes and self.vector:
            raise InputError(f"genes: expected either genes or a vector, got {list(self.genes)} and {self.vector!r}")
        if self.decimal not in ("", ",", "."):
            raise InputError(f"decimal: expected ',' or '.', got {self.decimal!r}")
        if self.drop_missing and self.keep_partial:
            raise InputError("drop_missing: expected either drop_missing or keep_partial, got both")

    @classmethod
    def of(cls, **options: Any) -> Reading:
        """Options as people write them: names as text with commas or as a sequence, None for what is not stated."""
        stated: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
        if unknown := set(stated) - set(cls.__dataclass_fields__):
            raise InputError(f"table: unknown option {sorted(unknown)[0]!r}; expected {', '.join(_NAMES)}")
        for key in ("genes", "ignore", "categorical", "columns", "failure_codes"):
            if key in stated:
                stated[key] = names_of(stated[key], key)
        if "join" in stated:
            stated["join"] = _joins(stated["join"])
        for key in ("drop_missing", "keep_partial"):
            if not isinstance(stated.get(key, False), bool):
                raise InputError(f"{key}: expected True or False, got {stated[key]!r}")
        return cls(**stated)


_NAMES = tuple(Reading.__dataclass_fields__)


def names_of(stated: Any, where: str) -> tuple[str, ...]:
    """Names as ``a,b`` (quoted where one has a comma), or a sequence of names."""
    if isinstance(stated, str):
        parts = next(csv.reader([stated], skipinitialspace=True), [])
        return tuple(part.strip() for part in parts if part.strip())
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        return (str(stated),)
    found = list(stated) if isinstance(stated, Iterable) else [None]
    if not all(isinstance(name, str | int | float) for name in found):
        raise InputError(f"{where}: expected names of columns, got {stated!r}")
    return tuple(str(name) for name in found)


def _joins(stated: Any) -> tuple[tuple[Any, tuple[str, ...]], ...]:
    if not isinstance(stated, Iterable | Path):
        raise InputError(f"join: expected FILE:key, FILE or (file or DataFrame, key), got {stated!r}")
    several = [stated] if isinstance(stated, str | Path | pd.DataFrame) or _is_pair(stated) else list(stated)
    return tuple(_join(item) for item in several)


def _is_pair(stated: Any) -> bool:
    return isinstance(stated, tuple) and len(stated) == 2 and not isinstance(stated[1], Path | pd.DataFrame)


def _join(item: Any) -> tuple[Any, tuple[str, ...]]:
    if isinstance(item, pd.DataFrame | Path):
        return item, ()
    if isinstance(item, str):
        file, separator, keys = item.rpartition(":")
        if not separator or Path(item).exists() or re.fullmatch(r"[\\/].*", keys):
            return item, ()
        return file, names_of(keys, "join")
    if isinstance(item, Sequence) and len(item) == 2:
        return item[0], names_of(item[1], "join")
    raise InputError(f"join: expected FILE:key, FILE or (file or DataFrame, key), got {item!r}")
