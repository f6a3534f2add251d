"""The dialect of a CSV file: separator, quotes and what stands before the header."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 60
_BRACKETS = re.compile(r"\[[^\[\]\n]*\]|\{[^{}\n]*\}|\([^()\n]*\)")


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes
    ----------
    separator : str
        Between cells; a pattern of white space where that is what separates.
    quote : str
        Around cells.
    skip : int
        Lines before the header.
    bracketed : bool
        Whether vectors with separators stand without quotes.
    """

    separator: str = ","
    quote: str = '"'
    skip: int = 0
    bracketed: bool = False


def sniff(text: str) -> Dialect:
    """The dialect in which most rows have as many cells as the header; a comma where nothing tells."""
    skip, stated = _preamble(text)
    lines = "\n".join(text.splitlines()[skip : skip + SAMPLE])
    quotes = ('"', "'") if "'" in lines else ('"',)
    separators = (stated,) if stated else SEPARATORS
    plain = [Dialect(separator, quote, skip) for separator in separators for quote in quotes]
    tried = [*plain, *([Dialect(s, '"', skip, True) for s in separators] if '"' not in lines else [])]
    best = max(tried, key=lambda dialect: _score(lines, dialect), default=Dialect(skip=skip))
    if _score(lines, best)[0] > 0:
        return best
    spaces = Dialect(r"\s+", '"', skip)
    return spaces if not stated and _score(lines, spaces)[0] > 0.5 else Dialect(stated or ",", '"', skip)


def _preamble(text: str) -> tuple[int, str]:
    """Lines before the header, and the separator that one of them states as Excel does."""
    skip, stated = 0, ""
    for line in text.splitlines()[:SAMPLE]:
        if match := re.fullmatch(r'"?sep=(.)"?\s*', line):
            stated = match[1]
        elif not line.startswith("# ") and line.strip():
            break
        skip += 1
    return skip, stated


def _score(lines: str, dialect: Dialect) -> tuple[float, int, int]:
    """Share of rows with as many cells as the header, and how many that are, less quotes that are left in it.

    All are 0 where the header has one cell.
    """
    rows = _cells(lines, dialect)
    if not rows or len(rows[0]) < 2:
        return 0.0, 0, 0
    width = len(rows[0])
    fitting = sum(len(row) == width for row in rows[1:])
    left = sum(cell[:1] in ("'", '"') for cell in rows[0])
    return (fitting / (len(rows) - 1) if len(rows) > 1 else 0.5), width, -left


def _cells(lines: str, dialect: Dialect) -> list[list[str]]:
    if dialect.separator == r"\s+":
        lines, separator = re.sub(r"[ \t]+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", " ", lines, flags=re.M), " "
    else:
        separator = dialect.separator
    source = _quoted(lines) if dialect.bracketed else lines
    try:
        reader = csv.reader(
            source.splitlines(), delimiter=separator, quotechar=dialect.quote, skipinitialspace=True, strict=False
        )
        return [row for row in reader if row]
    except csv.Error:
        return []


def _quoted(text: str) -> str:
    return _BRACKETS.sub(lambda found: f'"{found[0]}"', text)


def parse(text: str, dialect: Dialect) -> pd.DataFrame:
    """All rows, the header among them, as text.

    Raises
    ------
    pandas.errors.ParserError, pandas.errors.EmptyDataError
        For a row with surplus cells, or nothing at all.
    """
    # Without a header pandas neither renames a repeated column nor takes a surplus one for an index.
    layout: dict[str, Any] = {"dtype": object, "keep_default_na": False, "header": None, "na_filter": False}
    lines = text if dialect.skip == 0 else "\n".join(text.splitlines()[dialect.skip :])
    source = _quoted(lines) if dialect.bracketed else lines
    rows: pd.DataFrame = pd.read_csv(
        io.StringIO(source), sep=dialect.separator, quotechar=dialect.quote, skipinitialspace=True, **layout
    )
    return rows
