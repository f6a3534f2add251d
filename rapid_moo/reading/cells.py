"""Cells of a table: when one is empty, which number or choice it is, and which architecture its text describes."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.genes import Choice

EMPTY = frozenset({"", "nan", "NaN", "NAN", "<NA>", "#N/A"})
LARGEST = 1e30
LONGEST_INTEGER = 15
_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d*)")
_FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LEADING_ZERO = re.compile(r"[-+]?0\d+")
_COMMA = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_POINT = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")
_SEPARATED = re.compile(r"\d+(?:([-_/|:; ,x])\d+)(?:\1\d+)*")


def is_empty(cell: Any) -> bool:
    """Whether a cell holds nothing: no text, None, NaN or what files write for them."""
    if isinstance(cell, str):
        return cell.strip() in EMPTY
    return cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))


def plain(cell: Any) -> Any:
    """A cell as Python's own int, float, str, bool or None; a list, array or dict as its JSON text."""
    if isinstance(cell, np.ndarray):
        return json.dumps(cell.tolist(), default=str)
    if isinstance(cell, list | tuple | dict):
        return json.dumps(cell, default=lambda value: value.item() if isinstance(value, np.generic) else str(value))
    if isinstance(cell, np.generic):
        return cell.item()
    if cell is None or isinstance(cell, bool | int | float | str):
        return cell
    if is_empty(cell):
        return None
    try:
        return float(cell) if type(cell).__name__ == "Decimal" else str(cell)
    except ValueError:
        return str(cell)


# ---------------------------------------------------------------- numbers
def numbers(cells: pd.Series, decimal: str | None) -> FloatArray:
    """A column as numbers, shape (n,); NaN where a cell is none.

    Parameters
    ----------
    cells : Series
        Text or values.
    decimal : {",", ".", None}
        The decimal sign; None tells it from the column: a comma where every number with a comma is written so.
    """
    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    text = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    if decimal != ",":
        found = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        odd = [cell for cell in text[np.isnan(found)] if isinstance(cell, str) and "," in cell]
        if not odd:
            return np.asarray(found)
        if decimal == "." or all(_THOUSANDS.fullmatch(cell) for cell in odd):
            # Thousands are only told apart from decimals where a point or a second comma says so.
            sure = decimal == "." or any("." in cell or cell.count(",") > 1 for cell in odd)
            return _without(text, ",", np.asarray(found)) if sure else np.asarray(found)
        if not all(_COMMA.fullmatch(cell) for cell in odd) or any(_is_point(cell) for cell in text):
            return np.asarray(found)
    swapped = text.map(lambda cell: _from_comma(cell) if isinstance(cell, str) else cell)
    return np.asarray(pd.to_numeric(swapped, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def is_ambiguous(cell: Any) -> bool:
    """Whether a cell's comma may be a decimal sign or separate thousands, as in 1,234."""
    return (
        isinstance(cell, str) and _THOUSANDS.fullmatch(cell.strip()) is not None and _COMMA.fullmatch(cell) is not None
    )


def _without(text: pd.Series, sign: str, found: FloatArray) -> FloatArray:
    fits = text.map(lambda cell: isinstance(cell, str) and _THOUSANDS.fullmatch(cell) is not None).to_numpy(dtype=bool)
    stripped = text.map(lambda cell: cell.replace(sign, "") if isinstance(cell, str) else cell)
    read = pd.to_numeric(stripped, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(fits, read, found)


def _is_point(cell: Any) -> bool:
    """Whether a cell has a decimal point that separates no thousands."""
    if not isinstance(cell, str) or _POINT.fullmatch(cell) is None:
        return False
    return re.fullmatch(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+", cell) is None


def _from_comma(cell: str) -> str:
    return cell.replace(".", "").replace(",", ".") if _COMMA.fullmatch(cell) else cell


# ---------------------------------------------------------------- choices
def read_choices(cells: Sequence[Any], origin: str, decimal: str | None = None) -> tuple[list[Choice], IntArray]:
    """Distinct choices of a column, sorted, and the position of each cell among them.

    Text becomes int, float or bool where the whole column can be read so without loss; ``007`` stays text. In a column
    of several kinds each cell is read for itself.

    Parameters
    ----------
    cells : sequence of shape (n,)
        Text or values.
    origin : {"text", "typed", "labels"}
        Where they come from: a file of text; a source with types of its own, whose text is meant as text; or the text
        of architectures, whose labels are exact.
    decimal : {",", ".", None}
        The decimal sign of text.

    Returns
    -------
    choices : list
        Numbers rising, then bools, then text, in that order.
    codes : ndarray of shape (n,)
        Positions in ``choices``; -1 where a cell is empty.
    """
    slots: dict[tuple[type, Any], int] = {}
    index = np.array(
        [-1 if _is_blank(cell, origin) else slots.setdefault((type(cell), cell), len(slots)) for cell in cells],
        dtype=np.int64,
    )
    kinds = [cell.strip() if origin == "text" and isinstance(cell, str) else cell for _, cell in slots]
    read = _typed_choices(kinds) if origin == "typed" else _text_choices(kinds, decimal)
    if origin == "labels" and len({(_kind(value), value) for value in read}) < len(read):
        # Labels tell choices apart: 3.0 and the text 3 are two of them.
        read = kinds
    distinct = sorted({(_kind(value), value): value for value in read}.items())
    position = {key: i for i, (key, _) in enumerate(distinct)}
    codes = np.array([position[_kind(value), value] for value in read] + [-1], dtype=np.int64)
    return [value for _, value in distinct], codes[index]


def _is_blank(cell: Any, origin: str) -> bool:
    return cell is None if origin == "labels" else is_empty(cell)


def _kind(choice: Any) -> int:
    return 0 if isinstance(choice, int | float) and not isinstance(choice, bool) else 1 + isinstance(choice, str)


def _typed_choices(cells: Sequence[Any]) -> list[Any]:
    whole = all(
        cell.is_integer() and abs(cell) < 2**53 for cell in cells if isinstance(cell, float) and math.isfinite(cell)
    )
    finite = [str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in cells]
    return _told_apart([int(cell) if whole and isinstance(cell, float) else cell for cell in finite])


def _text_choices(texts: list[Any], decimal: str | None) -> list[Any]:
    if any(isinstance(text, str) and _LEADING_ZERO.fullmatch(text) for text in texts):
        return texts
    comma = decimal == "," or (
        decimal is None
        and any(isinstance(t, str) and _COMMA.fullmatch(t) for t in texts)
        and all(isinstance(t, str) and (_COMMA.fullmatch(t) or _INTEGER.fullmatch(t)) for t in texts)
    )
    read = [_scalar(_from_comma(text) if comma else text) if isinstance(text, str) else text for text in texts]
    floats = [value for value in read if isinstance(value, float)]
    if floats and all(value.is_integer() and abs(value) < 2**53 for value in floats):
        read = [int(value) if isinstance(value, float) else value for value in read]
    elif floats:
        read = [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in read]
    apart = _told_apart(read)
    return apart if apart is read else texts


def _told_apart(read: list[Any]) -> list[Any]:
    """The values, or all as text where True and 1 would be confused."""
    bools = {int(value) for value in read if isinstance(value, bool)}
    mixed = any(not isinstance(v, bool) and isinstance(v, int | float) and v in bools for v in read)
    return [str(value) for value in read] if mixed else read


def _scalar(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        # A longer one is a number of something, and no float tells two of them apart.
        return int(text) if len(text.lstrip("+-")) <= LONGEST_INTEGER else text
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)) and abs(value) <= LARGEST:
        return value
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


# ---------------------------------------------------------------- structures
def structure(cell: Any) -> list[Any] | dict[str, Any] | None:
    """The list or dict that a cell's text writes in JSON or in Python; None if it writes none."""
    if not isinstance(cell, str) or cell.strip()[:1] not in ("[", "{", "("):
        return None
    text = cell.strip()
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(found, dict):
            return {str(key): value for key, value in found.items()}
        if isinstance(found, list | tuple):
            return list(found)
    return None


def flatten(value: Any, name: str) -> dict[str, Any]:
    """Names and scalars of a nested list or dict: ``{"ks": [3, 5]}`` becomes ``ks0`` and ``ks1``."""
    if isinstance(value, Mapping):
        return {
            k: v for key, item in value.items() for k, v in flatten(item, f"{name}.{key}" if name else str(key)).items()
        }
    if isinstance(value, list | tuple):
        return {k: v for i, item in enumerate(value) for k, v in flatten(item, f"{name}{i}").items()}
    return {name: value}


def separated(cells: Iterable[Any]) -> list[list[int]] | None:
    """Integers of cells like ``3-2-1``, one separator and one length in all of them; None if they are not so."""
    rows: list[list[int]] = []
    signs: set[str] = set()
    for cell in cells:
        match = _SEPARATED.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if match is None:
            return None
        signs.add(match[1])
        rows.append([int(part) for part in cell.strip().split(match[1])])
        # 1,5 is a number in half of the world.
        number = match[1] == "," and len(rows[0]) < 3
        if number or len(signs) > 1 or len(rows[-1]) != len(rows[0]) or max(rows[-1]) >= 10**9:
            return None
    return rows or None


def digits(cell: Any) -> list[int] | None:
    """The digits of a cell like ``[02012100]`` or ``0121``, one by one; None if it is not so."""
    text = str(cell).strip().removeprefix("[").removesuffix("]").strip()
    return [int(digit) for digit in text] if text.isdecimal() and text.isascii() else None
