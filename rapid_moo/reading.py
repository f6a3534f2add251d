"""Reading profiled tables: CSV files in the published layout, strictly checked.

The layout: one row per measurement, a column ``vector`` with the architecture as integers in brackets (with or
without commas), and one numeric column per objective. Other columns are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective
from rapid_moo.space import GridSpace, SearchSpace
from rapid_moo.table import ArchitectureTable

VECTOR = "vector"
LARGEST = 1e30
_SHOWN = 500
_INTEGER = re.compile(r"[-+]?\d+")


@dataclass(frozen=True, eq=False)
class RawTable:
    """The checked content of a CSV file, rows as they come.

    Attributes
    ----------
    path : Path
        Where it was read from.
    vectors : ndarray of shape (n_rows, vector_length)
        Published vectors.
    frame : pandas.DataFrame
        The other columns, text as read.
    """

    path: Path
    vectors: IntArray
    frame: pd.DataFrame

    def values(self, objective: Objective) -> FloatArray:
        """One numeric column, shape (n_rows,).

        Raises
        ------
        InputError
            If the column is missing, or a value is no number of at most 1e30 in size (some regressors are of single
            precision); the message names file, row and column.
        """
        wanted = f"{self.path}: expected a column {objective.column!r} for objective {objective.name!r}"
        _require_column([*self.frame.columns], objective.column, wanted)
        text = self.frame[objective.column]
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
        usable = np.abs(numbers) <= LARGEST
        if not usable.all():
            row = int(np.flatnonzero(~usable)[0])
            wanted = f"a number of at most {LARGEST:g} in size" if np.isfinite(numbers[row]) else "a finite number"
            raise InputError(
                f"{self.path}: row {row + 1}, column {objective.column!r}: expected {wanted}, got {text.iloc[row]!r}"
            )
        return numbers


def read_csv(path: Path | str) -> RawTable:
    """Read a table in the published layout.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If it cannot be read or parsed; the message names file, row and what was expected.
    """
    file = Path(path)
    if not file.is_file():
        raise DataNotFoundError(f"{file}: expected a CSV file, found {'a folder' if file.is_dir() else 'nothing'}")
    try:
        # Without a header pandas neither renames a repeated column nor takes a surplus one for an index.
        layout: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "header": None}
        columns = [str(column).strip() for column in pd.read_csv(file, nrows=1, **layout).iloc[0]]
        _require_column(columns, VECTOR, f"{file}: expected a column {VECTOR!r}")
        frame = pd.read_csv(file, **layout).iloc[1:].reset_index(drop=True)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{file}: expected a readable CSV file, got: {str(error).strip()}") from error
    frame.columns = columns
    if len(frame) == 0:
        raise InputError(f"{file}: expected at least one row, got none")
    vectors = _parse_vectors(frame[VECTOR], file)
    return RawTable(file, vectors, frame.drop(columns=VECTOR))


def _require_column(columns: list[str], column: str, wanted: str) -> None:
    count = columns.count(column)
    if count != 1:
        raise InputError(f"{wanted}{' once' if count else ''}, got columns {str(columns)[:_SHOWN]}")


def _parse_vectors(column: pd.Series, file: Path) -> IntArray:
    rows: list[list[int]] = []
    for number, text in enumerate(column, start=1):
        row = _parse_vector(str(text))
        if row is None:
            raise InputError(f"{file}: row {number}, column {VECTOR!r}: expected integers in brackets, got {text!r}")
        if rows and len(row) != len(rows[0]):
            raise InputError(
                f"{file}: row {number}, column {VECTOR!r}: expected {len(rows[0])} integers like the first row,"
                f" got {len(row)}"
            )
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def _parse_vector(text: str) -> list[int] | None:
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]")):
        return None
    parts = body[1:-1].replace(",", " ").split()
    if not parts or not all(_INTEGER.fullmatch(part) and len(part) < 10 for part in parts):
        return None
    return [int(part) for part in parts]


def build_table(
    raw: RawTable,
    space: SearchSpace | None,
    objectives: Sequence[Objective],
    name: str | None = None,
) -> ArchitectureTable:
    """A table from a file's content.

    Parameters
    ----------
    raw : RawTable
        What :func:`read_csv` returned.
    space : SearchSpace or None
        The space of the vectors; None infers one gene per position.
    objectives : sequence of Objective
        Columns with directions; an objective that the space computes needs no column.
    name : str, optional
        Name for reports; the file's name without its ending by default.
    """
    title = name or raw.path.stem
    known = space if space is not None else GridSpace.infer(title, raw.vectors, objectives)
    try:
        X = known.encode(raw.vectors)
    except InputError as error:
        raise InputError(f"{raw.path}: {error}") from error
    computed = {objective.name for objective in known.computed}
    columns = [
        known.compute(X, objective.name) if objective.name in computed else raw.values(objective)
        for objective in objectives
    ]
    return ArchitectureTable.build(known, objectives, X, np.column_stack(columns), title)
