"""Where a file keeps its architectures: in vectors, in columns of genes, or as the project itself writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import IntArray, shown, unique_rows
from rapid_moo.errors import InputError
from rapid_moo.genes import tokens
from rapid_moo.reading.cells import digits, flatten, is_empty, separated, structure
from rapid_moo.reading.columns import GeneColumns, read_genes
from rapid_moo.reading.files import UNNAMED, Sheet, read_sheet, refuse
from rapid_moo.reading.joins import join_all
from rapid_moo.reading.options import Reading
from rapid_moo.reading.raw import RawTable, require_column
from rapid_moo.space import SearchSpace

VECTOR = "vector"
FEWEST = 3
FEWEST_NUMBERS, NEARLY_ALL = 12, 0.9
FEWEST_WORDS = 5
DIGITS, FEWEST_OF_DIGITS = 3, 6
_INTEGER = re.compile(r"[-+]?\d+")
_HEAD, _TAIL = ("evaluation", "state"), ("seconds", "reason", "who", "when")
_SAID = "say which columns are genes with --genes A,B, or leave one out with --ignore"


def read_csv(path: Path | str) -> RawTable:
    """Read a table in the published layout: a column ``vector`` of integers in brackets.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If it cannot be read or parsed; the message names file, row and what was expected.
    """
    sheet = read_sheet(path)
    require_column(sheet.path, sheet.columns, VECTOR, f"expected a column {VECTOR!r}")
    return _from_vector(sheet, VECTOR, Reading())


def read_table(
    source: Path | str | pd.DataFrame,
    reading: Reading | None = None,
    space: SearchSpace | None = None,
    objectives: Sequence[str] | None = None,
) -> RawTable:
    """Read a table in any layout.

    Parameters
    ----------
    source : path or DataFrame
        What to read.
    reading : Reading, optional
        What is stated about it.
    space : SearchSpace, optional
        Its space: columns that are named like its genes are taken as such.
    objectives : sequence of str, optional
        Columns of the objectives; without them a file whose genes are columns cannot be read.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If it is no table, or does not tell where its architectures are; the message says how to state it.
    """
    reading = reading or Reading()
    raw = _read(source, reading, space, objectives)
    if space is None and not raw.ours and not reading.genes:
        refuse_identifiers(raw)
    return raw


def _read(
    source: Path | str | pd.DataFrame, reading: Reading, space: SearchSpace | None, objectives: Sequence[str] | None
) -> RawTable:
    sheet = join_all(read_sheet(source, list(reading.columns) or None), reading)
    _require_stated(sheet, reading, objectives or ())
    own = own_columns(sheet)
    if reading.vector:
        return _from_vector(sheet, reading.vector, reading)
    if reading.genes:
        return _from_columns(sheet, list(reading.genes), reading, own)
    texts = _texts(sheet)
    if space is not None:
        return _of_space(sheet, space, reading, texts, own, objectives or ())
    if texts is not None:
        return _from_texts(sheet, texts, reading, own, objectives or ())
    if VECTOR in sheet.columns and VECTOR not in (*reading.ignore, *(objectives or ())):
        require_column(sheet.path, sheet.columns, VECTOR, f"expected a column {VECTOR!r}")
        return _from_vector(sheet, VECTOR, reading)
    return _from_all(sheet, reading, own, objectives)


def _require_stated(sheet: Sheet, reading: Reading, objectives: Sequence[str]) -> None:
    stated = [(name, "--genes") for name in reading.genes] + [(name, "--ignore") for name in reading.ignore]
    stated += [(reading.vector, "--vector")] if reading.vector else []
    for name, option in stated:
        require_column(sheet.path, sheet.columns, name, f"expected a column {name!r} for {option}")
    both = [name for name in (*reading.genes, reading.vector) if name in objectives]
    if both:
        refuse(sheet.path, f"expected {both[0]!r} either as a gene or as an objective, got it as both")


# ---------------------------------------------------------------- files of our own
def own_columns(sheet: Sheet) -> tuple[str, ...]:
    """Columns of this project's own in a file that it wrote; each may have underscores behind its name."""
    columns = sheet.columns
    bare = [column.rstrip("_") for column in columns]
    if (tail := _tail(sheet)) is not None:
        return (*columns[:2], *columns[-tail:])
    start = 2 if tuple(bare[:2]) == ("evaluation", "phase") else 0
    # What an evaluation cost stands there where costs are stated.
    start += start > 0 and bare[2:4] == ["cost", "architecture"]
    if tuple(bare[start : start + 3]) == ("architecture", "genotype", "vector"):
        values = columns[start + 3 :]
        # A front's file has a prediction behind the values for each objective, whatever those are called.
        predicted = values[len(values) // 2 :] if start == 0 and len(values) % 2 == 0 else []
        ours = all(name.startswith("predicted_") for name in predicted)
        return (*columns[: start + 3], *(predicted if ours else ()))
    return (columns[0],) if bare[0] == "architecture" else ()


def _tail(sheet: Sheet) -> int | None:
    """How many columns of ours end a store's table of evaluations; None if a file is none."""
    bare = tuple(column.rstrip("_") for column in sheet.columns)
    if bare[:2] != _HEAD:
        return None
    tails = (_TAIL, (*_TAIL, "cost"))
    return next((len(tail) for tail in tails if bare[-len(tail) :] == tail), None)


def _texts(sheet: Sheet) -> list[dict[str, str]] | None:
    """Genes and labels of architectures written as text such as ``depth=2 op=conv``; None if there are none."""
    column = next((c for c in own_columns(sheet) if c.rstrip("_") == "architecture"), None)
    if column is None or sheet.columns.count(column) != 1:
        return None
    try:
        found = [dict(tokens(str(cell), "")) for cell in sheet.frame[column].tolist()]
    except InputError:
        return None
    return found if all(found) else None


def _from_texts(
    sheet: Sheet, texts: list[dict[str, str]], reading: Reading, own: Sequence[str], objectives: Sequence[str]
) -> RawTable:
    found = dict.fromkeys(name for text in texts for name in text)
    # A table of ours has the genes as columns too, in their order.
    names = [name for name in sheet.columns if name in found] if set(found) <= set(sheet.columns) else list(found)
    cells: dict[str, list[Any]] = {name: [text.get(name) for text in texts] for name in names}
    genes = read_genes(_with_none(cells), "labels", reading.categorical)
    if len(unique_rows(genes.codes)[0]) < len({tuple(sorted(text.items())) for text in texts}):
        genes = read_genes(cells, "labels", reading.categorical)
    column = next(c for c in own if c.rstrip("_") == "architecture")
    written = tuple(str(cell) for cell in sheet.frame[column].tolist())
    return _raw(sheet, genes, reading, [*own, *(name for name in names if name not in objectives)], written)


def _with_none(cells: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The label None as nothing where a gene is never inactive: a choice that is written so."""
    return {
        name: [None if label == "None" else label for label in labels] if None not in labels else labels
        for name, labels in cells.items()
    }


# ---------------------------------------------------------------- columns
def _raw(
    sheet: Sheet,
    columns: GeneColumns,
    reading: Reading,
    taken: Sequence[str],
    texts: tuple[str, ...] | None = None,
) -> RawTable:
    frame = sheet.frame.loc[:, [column not in taken for column in sheet.columns]]
    return RawTable(
        sheet.path,
        columns.codes,
        frame,
        columns,
        texts,
        reading,
        ours=any(column in taken for column in own_columns(sheet)),
        recorded=_tail(sheet) is not None,
        notes=sheet.notes,
    )


def _from_columns(sheet: Sheet, names: Sequence[str], reading: Reading, own: Sequence[str] = ()) -> RawTable:
    """Genes in columns; a column of lists or dicts is several of them."""
    cells: dict[str, list[Any]] = {}
    for name in names:
        require_column(sheet.path, sheet.columns, name, f"expected a column {name!r}")
        parts = _parts(sheet, name, len(names) == 1)
        if clash := [part for part in parts if part in cells]:
            refuse(sheet.path, f"column {name!r}: expected new names of genes in it, got {clash[0]!r} again")
        cells |= parts
    if unknown := [name for name in reading.categorical if name not in cells]:
        refuse(sheet.path, f"expected genes in --categorical, {shown(list(cells), 200)}, got {unknown[0]!r}")
    _refuse_mess(sheet, cells)
    found = read_genes(cells, "typed" if sheet.typed else "text", reading.categorical, reading.decimal or None)
    return _raw(sheet, found, reading, [*names, *own])


def _parts(sheet: Sheet, name: str, alone: bool) -> dict[str, list[Any]]:
    """Cells of the genes in a column by their names: the column itself, or what its lists or dicts hold."""
    cells = sheet.frame[name].tolist()
    told = [None if is_empty(cell) else (structure(cell) or _vector(cell)) for cell in cells]
    if not any(isinstance(value, list | dict) for value in told):
        return {name: cells}
    for row, (cell, value) in enumerate(zip(cells, told, strict=True)):
        if value is None and not is_empty(cell):
            refuse(
                sheet.path,
                f"row {row + 1}, column {name!r}: expected a list or dict as in other rows, got {shown(cell)}",
            )
    prefix = "g" if alone and name == VECTOR else name
    flat = [{} if value is None else flatten(value, "" if isinstance(value, dict) else prefix) for value in told]
    keys = list(dict.fromkeys(key for row in flat for key in row))
    if not keys:
        refuse(sheet.path, f"column {name!r}: expected lists or dicts with genes, got empty ones")
    return {key: [row.get(key) for row in flat] for key in keys}


def _refuse_mess(sheet: Sheet, cells: dict[str, list[Any]]) -> None:
    for name, column in cells.items():
        if all(is_empty(cell) for cell in column):
            refuse(sheet.path, f"column {name!r}: expected a gene's choices, got empty cells only; {_SAID}")
        for row, cell in enumerate(column):
            if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
                refuse(
                    sheet.path,
                    f"row {row + 1}, column {name!r}: expected a choice, or a list such as [3, 2], got {shown(cell)}",
                )


def _of_space(
    sheet: Sheet,
    space: SearchSpace,
    reading: Reading,
    texts: list[dict[str, str]] | None,
    own: Sequence[str],
    objectives: Sequence[str],
) -> RawTable:
    """Architectures of a known space: vectors, texts, or columns named like its genes."""
    names = [gene.name for gene in space.genes]
    named = texts is not None or set(names) <= set(sheet.columns)
    if VECTOR in sheet.columns and VECTOR not in (*names, *objectives) and (space.integral or not named):
        require_column(sheet.path, sheet.columns, VECTOR, f"expected a column {VECTOR!r}")
        return _renamed(_from_vector(sheet, VECTOR, reading), names)
    if texts is not None:
        return _from_texts(sheet, texts, reading, own, objectives)
    if any(name not in sheet.columns for name in names):
        refuse(
            sheet.path,
            f"expected a column {VECTOR!r}, or one for each gene of {space.name}, {shown(names, 150)}, got columns"
            f" {shown(sheet.columns, 200)}",
        )
    return _from_columns(sheet, names, reading, own)


def _renamed(raw: RawTable, names: Sequence[str]) -> RawTable:
    """Elements of vectors as the genes of a space, one by one in their order."""
    columns = raw.columns
    if columns is None or [gene.name for gene in columns.genes] != [f"g{k}" for k in range(len(names))]:
        return raw
    given = {gene.name: name for gene, name in zip(columns.genes, names, strict=True)}
    genes = tuple(
        replace(
            gene,
            name=given[gene.name],
            when=tuple(replace(condition, gene=given[condition.gene]) for condition in gene.when),
        )
        for gene in columns.genes
    )
    return replace(raw, columns=GeneColumns(genes, columns.codes))


def _from_all(sheet: Sheet, reading: Reading, own: Sequence[str], objectives: Sequence[str] | None) -> RawTable:
    """All columns are genes but the objectives and what is left out; or the one that holds whole architectures."""
    if objectives is None:
        refuse(
            sheet.path,
            f"expected a column {VECTOR!r}, or --objectives COLUMN:min,… so that the other columns are genes, got"
            f" columns {shown(sheet.columns, 300)}",
        )
    for name in objectives:
        beside = f"and genes in a column {VECTOR!r} or in columns beside it"
        require_column(sheet.path, sheet.columns, name, f"expected a column {name!r} for objective {name!r} {beside}")
    out = {*objectives, *reading.ignore}
    rest = [name for name in dict.fromkeys(sheet.columns) if name not in out and not _is_index(sheet, name)]
    own = own if len(own) != 1 or _is_described(sheet, own[0], [n for n in rest if n not in own]) else ()
    rest = [name for name in rest if name not in own]
    if not rest:
        refuse(sheet.path, f"expected genes, in a column {VECTOR!r} or one in each, got columns {shown(sheet.columns)}")
    for name in rest:
        require_column(sheet.path, sheet.columns, name, f"expected a column {name!r}")
    whole = [name for name in rest if _is_whole(sheet, name, len(rest) == 1)]
    if not whole:
        return _from_columns(sheet, rest, reading, own)
    if len(whole) == 1 and separated(_filled(sheet, whole[0])):
        raw = _from_vector(sheet, whole[0], reading)
    else:
        raw = _from_columns(sheet, whole, reading, own)
    _require_explained(sheet, raw, whole, [name for name in rest if name not in whole])
    return raw


def _filled(sheet: Sheet, name: str) -> list[Any]:
    return [cell for cell in sheet.frame[name].tolist() if not is_empty(cell)]


def _is_described(sheet: Sheet, text: str, genes: Sequence[str]) -> bool:
    """Whether a column of text says row by row what the others say, as the architectures of our own tables do."""
    cells = [tuple(map(str, row)) for row in sheet.frame[list(genes)].itertuples(index=False)]
    texts = [str(cell) for cell in sheet.frame[text].tolist()]
    return len(set(cells)) == len(set(texts)) == len(set(zip(cells, texts, strict=True)))


def _is_index(sheet: Sheet, name: str) -> bool:
    """Whether a column is what data frames write as their index, or studies as the number of an evaluation."""
    known = name.startswith(UNNAMED) or name.rstrip("_") in ("index", "evaluation")
    if not known or sheet.columns.count(name) != 1:
        return False
    cells = [str(cell) for cell in sheet.frame[name].tolist()]
    return all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells)


def _is_whole(sheet: Sheet, name: str, alone: bool) -> bool:
    """Whether every cell of a column is a list or a dict, or integers like ``3-2-1`` that are no gene's choices."""
    cells = _filled(sheet, name)
    if not cells:
        return False
    if all(structure(cell) is not None or _vector(cell) is not None for cell in cells):
        return True
    return (alone or len(set(cells)) == len(cells) >= FEWEST) and separated(cells) is not None


def _require_explained(sheet: Sheet, raw: RawTable, whole: Sequence[str], others: Sequence[str]) -> None:
    """Refuse rows of one architecture that differ in a column which may be a gene as well."""
    for name in others:
        seen: dict[bytes, tuple[int, Any]] = {}
        for row, cell in enumerate(sheet.frame[name].tolist()):
            first, known = seen.setdefault(raw.vectors[row].tobytes(), (row, cell))
            if str(known) != str(cell):
                refuse(
                    sheet.path,
                    f"rows {first + 1} and {row + 1} are the same in {', '.join(map(repr, whole))} but differ in"
                    f" {name!r}: {_SAID}",
                )


def refuse_identifiers(raw: RawTable) -> None:
    """Refuse what cannot be genes: a different value in every row, or the same architecture in all of them.

    Parameters
    ----------
    raw : RawTable
        What was read, of a space that is not known and without a word about its genes.
    """
    n = len(raw)
    architectures = len(unique_rows(raw.vectors)[0])
    width = raw.vectors.shape[1]
    name = raw.columns.genes[0].name if raw.columns is not None else (raw.reading.vector or VECTOR)
    if width == 1 and n >= FEWEST and architectures in (1, n):
        told = "the same architecture in all" if architectures == 1 else "a choice of its own in each"
        digits_ = f", or --vector {name} if its digits are the genes" if raw.columns is None else ""
        refuse(
            raw.path,
            f"column {name!r}: expected genes, got one value with {told} of {n} rows, which is an identifier; {_SAID}"
            f"{digits_}",
        )
    if width == 1 and n >= FEWEST and _digits_in_one(_numbers(raw)):
        refuse(
            raw.path,
            f"column {name!r}: expected genes, got one number such as {_numbers(raw)[0]}, of which each digit may be a"
            f" gene; say --vector {name} if so, or --genes {name} if it is one gene",
        )
    if raw.columns is None:
        return
    for k, gene in enumerate(raw.columns.genes):
        several = len(np.unique(raw.vectors[:, k]))
        words = any(isinstance(choice, str) for choice in gene.choices)
        if (words and n >= FEWEST_WORDS and several == n) or (n >= FEWEST_NUMBERS and several > NEARLY_ALL * n):
            refuse(
                raw.path,
                f"column {gene.name!r}: expected a gene, got {several} values in {n} rows, which is an identifier or a"
                f" measurement; {_SAID} {gene.name}",
            )


def _numbers(raw: RawTable) -> list[int]:
    """The distinct integers of a table's only column, increasing; none where it holds anything else."""
    found = np.unique(raw.vectors[:, 0]).tolist() if raw.columns is None else raw.columns.genes[0].choices
    return sorted(found) if all(type(number) is int for number in found) else []


def _digits_in_one(numbers: Sequence[int]) -> bool:
    """Whether integers are rather several digits than one number.

    They have as many digits, no regular step, and are many more than there are different digits at any place.
    """
    texts = [str(number) for number in numbers]
    alike = len({len(text) for text in texts}) == 1 and len(texts[0]) >= DIGITS
    if len(texts) < FEWEST_OF_DIGITS or not alike or numbers[0] < 0:
        return False
    several = [len(set(digits)) for digits in zip(*texts, strict=True)]
    regular = len(np.unique(np.diff(numbers))) == 1
    return not regular and len(texts) >= 2 * max(several) and sum(count > 1 for count in several) > 1


# ---------------------------------------------------------------- vectors
def _from_vector(sheet: Sheet, column: str, reading: Reading) -> RawTable:
    """Architectures in one column."""
    cells = sheet.frame[column].tolist()
    stated = reading.vector == column
    strict = not stated and (_vector(cells[0]) is not None or not _may_be_other(cells))
    rows = _integers(sheet.path, column, cells, strict=strict)
    own = own_columns(sheet)
    if rows is None and (parts := separated(cells)) is not None:
        rows = np.array(parts, dtype=np.int64)
    if rows is not None and stated and rows.shape[1] == 1:
        rows = None
    if rows is None and (stated or all(digits(cell) is not None for cell in cells)):
        rows = _digits(sheet.path, column, cells, stated)
    if rows is None:
        return _from_columns(sheet, [column], reading, own)
    frame = sheet.frame.loc[:, [name != column and name not in own for name in sheet.columns]]
    return RawTable(
        sheet.path, rows, frame, reading=reading, ours=bool(own), recorded=_tail(sheet) is not None, notes=sheet.notes
    )


def _may_be_other(cells: Sequence[Any]) -> bool:
    """Whether a column of vectors is written in another way than integers in brackets, in all of its rows."""
    if separated(cells) is not None:
        return True
    told = [structure(cell) for cell in cells]
    if all(isinstance(value, dict) for value in told):
        return True
    words = any(isinstance(item, str) for value in told if value for item in value)
    return words and all(isinstance(value, list) for value in told)


def _integers(path: Path, column: str, cells: Sequence[Any], *, strict: bool) -> IntArray | None:
    """Vectors of integers in brackets; None if they are written in another way and need not be."""
    rows: list[list[int]] = []
    for number, cell in enumerate(cells, start=1):
        row = _vector(cell)
        where = f"row {number}, column {column!r}"
        if row is None:
            if not strict:
                return None
            refuse(path, f"{where}: expected integers in brackets, got {shown(cell)}{_hint(cell, column)}")
        if rows and len(row) != len(rows[0]):
            if not strict and len(rows[0]) == len(row) == 1:
                return None
            refuse(path, f"{where}: expected {len(rows[0])} integers like the first row, got {len(row)}")
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def _vector(cell: Any) -> list[int] | None:
    body = str(cell).strip()
    if not (body.startswith("[") and body.endswith("]")):
        return None
    inner = body[1:-1].strip()
    parts = [part.strip() for part in inner.split(",")] if "," in inner else inner.split()
    if len(parts) == 1 and re.fullmatch(r"0\d+", parts[0]):
        return None
    if not parts or not all(_INTEGER.fullmatch(part) and len(part) < 10 for part in parts):
        return None
    return [int(part) for part in parts]


def _hint(cell: Any, column: str) -> str:
    """How to say what a cell may be, if it is no vector of integers."""
    if digits(cell) is not None:
        return f"; if its digits are the genes, say --vector {column}"
    if structure(cell) is not None:
        return f"; if its elements are the genes, say --genes {column}"
    if isinstance(cell, str) and "," in cell and any(not part.strip() for part in cell.strip("[] ").split(",")):
        return ", where an element is empty"
    return ""


def _digits(path: Path, column: str, cells: Sequence[Any], stated: bool) -> IntArray | None:
    rows = [digits(cell) for cell in cells]
    for number, (row, cell) in enumerate(zip(rows, cells, strict=True), start=1):
        where = f"row {number}, column {column!r}"
        if row is None:
            if any(structure(c) is not None for c in cells):
                return None
            refuse(
                path, f"{where}: expected integers such as [3, 2], 3-2 or one digit for each gene, got {shown(cell)}"
            )
        if len(row) != len(rows[0] or ()):
            refuse(path, f"{where}: expected {len(rows[0] or ())} digits like the first row, got {len(row)}")
        if not stated:
            refuse(path, f"{where}: expected integers in brackets, got {shown(cell)}{_hint(cell, column)}")
    return np.array(rows, dtype=np.int64)


def objectives_beside(path: Path) -> list[tuple[str, str, str]]:
    """Name, direction and unit of the objectives that a search or a study tells beside its result files.

    Nothing where neither ``summary.json`` nor ``study.json`` lies beside the file.
    """
    for name, key in (("summary.json", "triplet"), ("study.json", "objectives")):
        try:
            told = json.loads((path.parent / name).read_text(encoding="utf-8"))[key]
            items = [{"name": k, **v} for k, v in told.items()] if isinstance(told, dict) else told
            return [(str(i["name"]), str(i["direction"]), str(i.get("unit", ""))) for i in items]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return []
