"""Further files beside a table: joined by a key that both have, or row by row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import IntArray, shown
from rapid_moo.reading.cells import is_empty, structure
from rapid_moo.reading.files import Sheet, read_sheet, refuse
from rapid_moo.reading.options import Reading


def join_all(sheet: Sheet, reading: Reading) -> Sheet:
    """A table with the columns of further files.

    A column that both have is kept once where the cells agree; otherwise the further file's is called
    ``FILE.COLUMN``.

    Raises
    ------
    InputError
        If a key is missing, empty or not unique in the further file, no row has a partner, or rows that are joined by
        position differ in number or in their vectors.
    """
    for source, keys in reading.join:
        sheet = _joined(sheet, read_sheet(source), keys)
    return sheet


def _joined(left: Sheet, right: Sheet, keys: Sequence[str]) -> Sheet:
    for side in (left, right):
        for key in keys:
            if side.columns.count(key) != 1:
                refuse(side.path, f"join: expected a column {key!r} once, got columns {shown(side.columns, 300)}")
    rows = _partners(left, right, keys) if keys else _by_position(left, right)
    notes = list(left.notes)
    if (lost := int((rows < 0).sum())) > 0:
        notes.append(f"join: {lost} of {len(rows)} rows of {left.path} have no partner in {right.path}")
    frame = left.frame.copy()
    taken = right.frame.reset_index(drop=True)
    for k, name in enumerate(right.columns):
        if name in keys:
            continue
        values = taken.iloc[:, k].to_numpy(dtype=object)
        cells = pd.Series([values[row] if row >= 0 else None for row in rows], dtype=object)
        if name in left.columns:
            differs = _first_difference(left.frame[name], cells) if left.columns.count(name) == 1 else 0
            if differs is None:
                continue
            if name == "vector":
                told = f"row {differs + 1}, column 'vector': expected what {left.path} has"
                refuse(right.path, f"join: {told}, got {shown(cells.iloc[differs])}; join by a key: FILE:key")
            name = f"{Path(right.path).stem}.{name}"
        frame[name] = cells
    return replace(left, frame=frame, typed=left.typed and right.typed, notes=tuple(notes))


def _by_position(left: Sheet, right: Sheet) -> IntArray:
    if len(left.frame) != len(right.frame):
        refuse(
            right.path,
            f"join: expected {len(left.frame)} rows as in {left.path}, got {len(right.frame)}; join by a key: FILE:key",
        )
    return np.arange(len(left.frame), dtype=np.int64)


def _partners(left: Sheet, right: Sheet, keys: Sequence[str]) -> IntArray:
    """Row of the right table for each of the left, -1 where there is none."""
    position: dict[tuple[Any, ...], int] = {}
    for row, key in enumerate(_keys(right, keys)):
        if key in position and None not in key:
            rows = f"rows {position[key] + 1} and {row + 1}"
            refuse(right.path, f"join: expected each {list(keys)} once, got {shown(key)} in {rows}")
        position[key] = row
    found = [position.get(key, -1) if None not in key else -1 for key in _keys(left, keys)]
    if max(found) < 0:
        first = next(iter(_keys(left, keys)))
        other = next(iter(_keys(right, keys)))
        refuse(
            right.path, f"join: expected keys {list(keys)} of {left.path} such as {shown(first)}, got {shown(other)}"
        )
    return np.array(found, dtype=np.int64)


def _keys(sheet: Sheet, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*([_key(cell) for cell in sheet.frame[key].tolist()] for key in keys), strict=True))


def _key(cell: Any) -> Any:
    """A cell as it is compared: numbers by value, vectors by their elements."""
    if is_empty(cell):
        return None
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if text[:1] == "[":
        return tuple(text.strip("[]").replace(",", " ").split())
    try:
        return text if re.match(r"[-+]?0\d", text) else float(text)
    except ValueError:
        return str(structure(text)) if text[:1] in ("{", "(") else text


def _first_difference(a: pd.Series, b: pd.Series) -> int | None:
    for row, (x, y) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        if _key(x) != _key(y):
            return row
    return None
