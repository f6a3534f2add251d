"""What a file says, row by row: architectures, objectives and where they are missing; and tables made of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from rapid_moo._util import BoolArray, FloatArray, IntArray, one_line, shown
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.reading.cells import LARGEST, is_ambiguous, is_empty, numbers
from rapid_moo.reading.columns import GeneColumns
from rapid_moo.reading.files import refuse
from rapid_moo.reading.options import Reading
from rapid_moo.space import GridSpace, SearchSpace
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

WAY_ON = "--drop-missing leaves such rows out, --keep-partial learns from what they have"


@dataclass(frozen=True, eq=False)
class RawTable:
    """The checked content of a file, rows as they come.

    Attributes
    ----------
    path : Path
        Where it was read from.
    vectors : ndarray of shape (n_rows, vector_length)
        Published vectors; where genes are columns, codes of their choices, -1 where a gene is inactive.
    frame : pandas.DataFrame
        The other columns, as read.
    columns : GeneColumns or None
        The genes where they are columns.
    texts : tuple of str or None
        The architectures' texts where the file holds them.
    reading : Reading
        What was stated about the file.
    ours : bool
        Whether this project wrote the file.
    recorded : bool
        Whether it is a file of this project's own that keeps failed and unfinished evaluations.
    notes : tuple of str
        What was done beyond reading, one line each.
    n_dropped : int
        Rows that were left out since they lack an objective.
    """

    path: Path
    vectors: IntArray
    frame: pd.DataFrame
    columns: GeneColumns | None = None
    texts: tuple[str, ...] | None = None
    reading: Reading = field(default_factory=Reading)
    ours: bool = False
    recorded: bool = False
    notes: tuple[str, ...] = ()
    n_dropped: int = 0

    def __len__(self) -> int:
        return len(self.vectors)

    def values(self, objective: Objective) -> FloatArray:
        """One numeric column, shape (n_rows,).

        Raises
        ------
        InputError
            If the column is missing, or a value is no number of at most 1e30 in size (some regressors are of single
            precision); the message names file, row and column, counts such rows and says the way on.
        """
        found = self.known_values(objective)
        missing = np.isnan(found)
        if missing.any():
            self._refuse_gaps({objective: missing})
        return found

    def _refuse_gaps(self, missing: Mapping[Objective, BoolArray]) -> NoReturn:
        """Refuse rows that lack an objective: where the first is, how many there are, and the way on."""
        objective, lost = next(item for item in missing.items() if item[1].any())
        row = int(np.flatnonzero(lost)[0])
        cell = self.frame[objective.column].tolist()[row]
        huge = abs(float(numbers(pd.Series([cell], dtype=object), self._decimal)[0]))
        wanted = f"a number of at most {LARGEST:g} in size" if LARGEST < huge < np.inf else "a finite number"
        way = "--decimal tells what its comma is" if is_ambiguous(cell) else WAY_ON
        refuse(
            self.path,
            f"row {row + 1}, column {objective.column!r}: expected {wanted}, got {shown(_as_text(cell))};"
            f" {self._count(missing)}: {way}",
        )

    def _count(self, missing: Mapping[Objective, BoolArray]) -> str:
        """How many rows lack an objective, and what stands there instead."""
        gone = np.any([*missing.values()], axis=0)
        said = [f"{o.column!r} ({self._codes(o, lost)})" for o, lost in missing.items() if lost.any()]
        return f"{int(gone.sum()):,} of {len(gone):,} rows lack {', '.join(said)}"

    def known_values(self, objective: Objective) -> FloatArray:
        """One numeric column, shape (n_rows,), NaN where it has no usable value.

        Raises
        ------
        InputError
            If there is no such column, or two.
        """
        wanted = f"expected a column {objective.column!r} for objective {objective.name!r}"
        require_column(self.path, [str(name) for name in self.frame.columns], objective.column, wanted)
        cells = self.frame[objective.column]
        found = numbers(cells, self._decimal).copy()
        with np.errstate(invalid="ignore"):
            found[~(np.abs(found) <= LARGEST)] = np.nan
        codes = [code for code in map(_failure_code, self.reading.failure_codes) if code[0] in ("", objective.column)]
        for _, text, number in codes:
            found[cells.map(lambda cell, text=text: str(cell).strip() == text).to_numpy(dtype=bool)] = np.nan
            found[found == number] = np.nan
        return found

    @property
    def _decimal(self) -> str | None:
        return self.reading.decimal or None

    def _codes(self, objective: Objective, missing: BoolArray) -> str:
        """What stands where a value is missing, most frequent first."""
        cells = [
            "empty" if is_empty(cell) else shown(_as_text(cell), 30)
            for cell in self.frame.loc[missing, objective.column].tolist()
        ]
        common = Counter(cells).most_common(4)
        more = len(set(cells)) - len(common)
        return ", ".join(f"{text} {n}" for text, n in common) + (f" and {more} others" if more else "")

    def settled(self, objectives: Sequence[Objective]) -> RawTable:
        """The rows that have every objective, where those that lack one are to be left out; logs how many.

        A file of recorded evaluations leaves out what failed or was not finished without being told.

        Raises
        ------
        InputError
            If a row lacks one and is not to be left out, or no row is left.
        """
        missing = {objective: np.isnan(self.known_values(objective)) for objective in objectives}
        gone = np.any([*missing.values()], axis=0) if missing else np.zeros(len(self), dtype=np.bool_)
        if not gone.any():
            return self
        if not (self.reading.drop_missing or self.reading.keep_partial or self.recorded):
            self._refuse_gaps(missing)
        if gone.all():
            refuse(self.path, f"expected a row with every objective, got none; {self._count(missing)}")
        verb = "known in part" if self.reading.keep_partial else "left out"
        note = one_line(f"{self.path}: {verb}: {self._count(missing)}")
        logger.warning(note)
        kept = self.take(np.flatnonzero(~gone))
        return replace(kept, notes=(*self.notes, note), n_dropped=int(gone.sum()))

    def partial(self, objectives: Sequence[Objective]) -> RawTable | None:
        """The rows that have some objectives but not all; None where they are not to be kept or there are none."""
        if not self.reading.keep_partial:
            return None
        missing = np.column_stack([np.isnan(self.known_values(objective)) for objective in objectives])
        rows = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))
        return self.take(rows) if len(rows) else None

    def take(self, rows: IntArray) -> RawTable:
        """Some of the rows."""
        return replace(
            self,
            vectors=self.vectors[rows],
            frame=self.frame.iloc[rows].reset_index(drop=True),
            columns=self.columns.take(rows) if self.columns is not None else None,
            texts=tuple(self.texts[row] for row in rows) if self.texts is not None else None,
        )

    def infer(self, name: str, objectives: Sequence[Objective]) -> SearchSpace:
        """The space of the genes that the file shows: its columns, or one gene for each position of the vectors."""
        if self.columns is not None:
            return GridSpace(name, self.columns.genes, objectives)
        space = GridSpace.infer(name, self.vectors, objectives)
        if not self.reading.categorical:
            return space
        names = [gene.name for gene in space.genes]
        if unknown := [name for name in self.reading.categorical if name not in names]:
            refuse(self.path, f"expected genes in --categorical, {shown(names, 200)}, got {unknown[0]!r}")
        unordered = [
            replace(gene, ordered=gene.ordered and gene.name not in self.reading.categorical) for gene in space.genes
        ]
        return GridSpace(name, unordered, objectives)

    def encode(self, space: SearchSpace) -> IntArray:
        """Repaired genotypes in a space, shape (n_rows, n_var).

        Raises
        ------
        InputError
            If an architecture does not belong to the space; the message names file, row and column or position.
        """
        try:
            if self.texts is not None and (self.columns is None or space.genes != self.columns.genes):
                return self._from_texts(space)
            return self.columns.encode(space) if self.columns is not None else space.encode(self.vectors)
        except InputError as error:
            refuse(self.path, str(error), error)

    def _from_texts(self, space: SearchSpace) -> IntArray:
        found = []
        for row, text in enumerate(self.texts or ()):
            try:
                found.append(space.from_string(text))
            except InputError as error:
                raise InputError(f"row {row + 1}: {error}") from None
        return space.repair(np.array(found, dtype=np.int64))

    def further(self, objectives: Sequence[Objective]) -> dict[str, FloatArray]:
        """Numeric columns that are no objectives, by name: what constraints may bound beside them.

        NaN where a cell is empty.
        """
        taken = [objective.column for objective in objectives]
        names = [str(column) for column in self.frame.columns]
        found = {}
        for name in names:
            if name in taken or names.count(name) > 1:
                continue
            values = numbers(self.frame[name], self._decimal)
            empty = self.frame[name].map(is_empty).to_numpy(dtype=np.bool_)
            if np.isfinite(values[~empty]).all() and not empty.all():
                found[name] = values
        return found


def require_column(path: Path, columns: Sequence[str], column: str, wanted: str) -> None:
    """Refuse a file that does not have a column just once."""
    count = list(columns).count(column)
    if count != 1:
        refuse(path, f"{wanted}{' once' if count else ''}, got columns {shown(list(columns), 300)}")


def _as_text(cell: Any) -> Any:
    return "" if cell is None else cell


def _failure_code(code: str) -> tuple[str, str, float]:
    """Column (or none), text and number (or NaN) of a code such as ``-1`` or ``latency=-1``."""
    column, _, text = code.rpartition("=")
    try:
        return column.strip(), text.strip(), float(text)
    except ValueError:
        return column.strip(), text.strip(), np.nan


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
        What :func:`~rapid_moo.reading.read_csv` or :func:`~rapid_moo.reading.read_table` returned.
    space : SearchSpace or None
        The space of the vectors; None infers one gene per position or column.
    objectives : sequence of Objective
        Columns with directions; an objective that the space computes needs no column.
    name : str, optional
        Name for reports; the file's name without its ending by default.
    """
    title = name or raw.path.stem
    known = space if space is not None else raw.infer(title, objectives)
    computed = {objective.name for objective in known.computed}
    measured = [objective for objective in objectives if objective.name not in computed]
    whole, partial = raw.settled(measured), raw.partial(measured)
    X = whole.encode(known)
    columns = [
        known.compute(X, objective.name) if objective.name in computed else whole.values(objective)
        for objective in objectives
    ]
    table = ArchitectureTable.build(
        known, objectives, X, np.column_stack(columns), title, further=whole.further(measured)
    )
    return table if partial is None else replace(table, partial=_known_in_part(partial, known, objectives, table))


def _known_in_part(
    raw: RawTable, space: SearchSpace, objectives: Sequence[Objective], table: ArchitectureTable
) -> tuple[IntArray, FloatArray]:
    """Genotypes and raw values of rows that lack objectives, NaN there; what the table holds is left out."""
    X = raw.encode(space)
    computed = {objective.name for objective in space.computed}
    values = np.column_stack(
        [space.compute(X, o.name) if o.name in computed else raw.known_values(o) for o in objectives]
    )
    new = np.flatnonzero(table.find(X) < 0)
    return X[new], values[new]
