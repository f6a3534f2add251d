"""Files as tables of cells: CSV in any usual dialect, JSON, Parquet and Excel, packed or not, and data frames.

What a file is, its first bytes say; its ending is not trusted. What is no table is called what it is.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from rapid_moo._util import one_line, shown
from rapid_moo.errors import DataNotFoundError, InputError, MissingExtraError
from rapid_moo.reading.cells import plain
from rapid_moo.reading.dialect import Dialect, parse, sniff

FRAME = Path("DataFrame")
UNNAMED = "Unnamed: "
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, MemoryError)
_FOREIGN = {
    b"version https://git-lfs": "a Git-LFS pointer instead of the file itself: 'git lfs pull' brings it",
    b"/annex/objects/": "a git-annex pointer instead of the file itself: 'git annex get' brings it",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel file (.xls): save it as .xlsx or CSV",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"SQLite format 3": "an SQLite database: export its table as CSV",
    b"\x89HDF": "an HDF5 file: export its table as CSV or Parquet",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\x93NUMPY": "a NumPy array: write it as CSV with named columns",
}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of cells.

    Attributes
    ----------
    path : Path
        Where it comes from, for messages.
    frame : DataFrame
        Cells: text as written, or Python's own values from a source with types.
    typed : bool
        Whether the source has types of its own.
    notes : tuple of str
        What was done beyond reading, one line each.
    """

    path: Path
    frame: pd.DataFrame
    typed: bool
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the columns; one may come twice."""
        return [str(column) for column in self.frame.columns]


def refuse(path: Path | str, text: str, cause: BaseException | None = None) -> NoReturn:
    """Raise an error about a file, on one line of at most about 500 characters."""
    raise InputError(f"{one_line(str(path), 300)}: {one_line(text)}") from cause


def read_sheet(source: Path | str | pd.DataFrame, columns: list[str] | None = None) -> Sheet:
    """Read a file or take a data frame.

    Parameters
    ----------
    source : path or DataFrame
        What to read.
    columns : list of str, optional
        Names of the columns of a file without a header.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If it is no table, or broken; the message names the file, and row and column where it can.
    """
    if isinstance(source, pd.DataFrame):
        return _checked(_from_frame(source, columns))
    file = Path(source)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing"
        raise DataNotFoundError(f"{one_line(str(file), 300)}: expected a table, such as a CSV file, found {found}")
    try:
        content = file.read_bytes()
    except OSError as error:
        refuse(file, f"expected a readable CSV file, got: {error.strerror or error}", error)
    return _checked(_read(file, content, columns))


def _checked(sheet: Sheet) -> Sheet:
    if len(sheet.frame) == 0:
        refuse(sheet.path, "expected at least one row, got none")
    if not sheet.columns:
        refuse(sheet.path, "expected columns, got rows with nothing in them")
    if all(name.strip() for name in sheet.columns):
        return sheet
    frame = sheet.frame.copy(deep=False)
    frame.columns = [name if name.strip() else f"{UNNAMED}{k}" for k, name in enumerate(sheet.columns)]
    return replace(sheet, frame=frame)


def _read(file: Path, content: bytes, columns: list[str] | None, depth: int = 0) -> Sheet:
    for magic, unpack in _PACKED.items():
        if content.startswith(magic) and depth < 2:
            try:
                inner = unpack(file, content)
            except InputError:
                raise
            except _BROKEN as error:
                refuse(file, f"expected a readable CSV file, got a broken archive: {error}", error)
            return _read(file, inner, columns, depth + 1) if isinstance(inner, bytes) else inner(columns)
    for magic, kind in _FOREIGN.items():
        if content.startswith(magic):
            refuse(file, f"expected a readable CSV file, got {kind}")
    if content.startswith(b"PAR1"):
        return _named(_from_parquet(file, content), columns)
    text = decode(file, content)
    if text.lstrip()[:20].lower().startswith(tuple(page.decode() for page in _PAGES)):
        refuse(
            file,
            "expected a column 'vector' or columns of genes, got an HTML page, perhaps that of a download",
        )
    if text.lstrip()[:1] in ("{", "[") and (sheet := _from_json(file, text)) is not None:
        return _named(sheet, columns)
    return _from_text(file, text, columns)


def decode(file: Path, content: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 or UTF-32 by its mark, else UTF-8, else the code page of Western Windows."""
    for mark, name in (
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"\xef\xbb\xbf", "utf-8-sig"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(name)
            except UnicodeDecodeError as error:
                refuse(file, f"expected a readable CSV file, got broken {name.upper()} text: {error.reason}", error)
    name = _without_mark(content)
    try:
        text = content.decode(name)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    head = text[:4000]
    strange = sum(character < " " and character not in "\t\r\n\f" for character in head)
    if "\0" in head or strange > len(head) / 20 or head.count("\ufffd") > len(head) / 10:
        refuse(file, "expected a readable CSV file, got a binary file")
    return text


def _without_mark(content: bytes) -> str:
    """UTF-16 without a mark has a zero at every second byte of plain text."""
    head = content[:2000]
    if len(head) > 8 and len(content) % 2 == 0:
        if head[1::2].count(0) > 0.4 * len(head) and head[::2].count(0) == 0:
            return "utf-16-le"
        if head[::2].count(0) > 0.4 * len(head) and head[1::2].count(0) == 0:
            return "utf-16-be"
    return "utf-8"


# ---------------------------------------------------------------- packed
def _unzip(file: Path, content: bytes) -> bytes | Callable[[list[str] | None], Sheet]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")
        ]
        if "xl/workbook.xml" in names:
            return lambda columns: _from_excel(file, content, columns)
        if names and all(name.endswith(".npy") for name in names):
            refuse(file, "expected a readable CSV file, got a NumPy archive: write it as CSV with named columns")
        if len(names) != 1:
            refuse(file, f"expected an archive of one table, got {len(names)} files: {shown(names, 200)}")
        return archive.read(names[0])


_PACKED: dict[bytes, Callable[[Path, bytes], Any]] = {
    b"\x1f\x8b": lambda _file, content: gzip.decompress(content),
    b"BZh": lambda _file, content: bz2.decompress(content),
    b"\xfd7zXZ\x00": lambda _file, content: lzma.decompress(content),
    b"PK\x03\x04": _unzip,
}


# ---------------------------------------------------------------- kinds
def _from_text(file: Path, text: str, columns: list[str] | None) -> Sheet:
    try:
        dialect = sniff(text)
        rows = parse(text, dialect)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        told = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        refuse(file, f"expected a readable CSV file, got: {told}", error)
    if columns is not None:
        return _named(Sheet(file, rows, False), columns)
    header = [str(cell).strip() for cell in rows.iloc[0]]
    if _is_data(header):
        refuse(
            file,
            f"expected a header, got what looks like data in the first row: {shown(header, 200)}; name the columns with"
            " --columns A,B,…",
        )
    frame = rows.iloc[1:].reset_index(drop=True)
    frame.columns = header
    return Sheet(file, _without_blank(frame), False, _dialect_note(dialect))


def _dialect_note(dialect: Dialect) -> tuple[str, ...]:
    return ("vectors without quotes were taken as one cell each",) if dialect.bracketed else ()


def _is_data(header: list[str]) -> bool:
    """Whether no name is among the cells of a first row: numbers and vectors only."""
    told = [cell for cell in header if cell]
    return len(told) > 1 and all(cell[0] in "[{(" or _is_number(cell) for cell in told)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return text.lower() not in ("nan", "inf", "infinity")


def _without_blank(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without columns that have neither name nor content, as a separator at the end of lines leaves them."""
    kept = [str(c) != "" or not (frame.iloc[:, k] == "").all() for k, c in enumerate(frame.columns)]
    return frame if all(kept) else frame.loc[:, kept]


def _named(sheet: Sheet, columns: list[str] | None) -> Sheet:
    if columns is None:
        return sheet
    if len(columns) != sheet.frame.shape[1]:
        refuse(sheet.path, f"expected {sheet.frame.shape[1]} names in --columns, got {len(columns)}: {shown(columns)}")
    frame = sheet.frame.reset_index(drop=True)
    frame.columns = columns
    return replace(sheet, frame=frame)


def _from_frame(frame: pd.DataFrame, columns: list[str] | None = None, path: Path = FRAME) -> Sheet:
    """A data frame's cells; the levels of a named index are columns."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    found = frame.reset_index(level=named) if named else frame
    found = found.reset_index(drop=True)
    found.columns = [
        ".".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
        for name in found.columns
    ]
    if found.shape[1] == 0:
        refuse(path, "expected columns, got none")
    kept = {k: found.iloc[:, k] for k in range(found.shape[1])}
    cells = {k: c if c.dtype.kind in "iuf" else pd.Series([plain(v) for v in c], dtype=object) for k, c in kept.items()}
    plain_frame = pd.DataFrame(cells)
    plain_frame.columns = found.columns
    return _named(Sheet(path, plain_frame, True), columns)


def _require_extra(file: Path, module: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{file}: expected {module} to read it: pip install 'rapid-moo[{extra}]'") from error


def _from_parquet(file: Path, content: bytes) -> Sheet:
    _require_extra(file, "pyarrow", "parquet")
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError, NotImplementedError) as error:
        refuse(file, f"expected a readable Parquet file, got: {error}", error)
    return _from_frame(frame, path=file)


def _from_excel(file: Path, content: bytes, columns: list[str] | None) -> Sheet:
    _require_extra(file, "openpyxl", "excel")
    try:
        sheets = pd.read_excel(
            io.BytesIO(content), sheet_name=None, header=None if columns is not None else 0, engine="openpyxl"
        )
    except Exception as error:  # openpyxl raises whatever the broken part of a file makes it raise
        refuse(file, f"expected a readable Excel file, got: {type(error).__name__}: {error}", error)
    filled = {name: sheet for name, sheet in sheets.items() if len(sheet)}
    if not filled:
        refuse(file, "expected at least one row, got none")
    name, frame = next(iter(filled.items()))
    notes = (f"{file.name}: read the sheet {name!r} of {list(filled)}",) if len(filled) > 1 else ()
    return replace(_from_frame(frame.dropna(how="all"), columns, file), notes=notes)


# ---------------------------------------------------------------- JSON
def _from_json(file: Path, text: str) -> Sheet | None:
    """A table in JSON or JSON lines; None if it is neither and may be CSV."""
    lines = [line for line in text.splitlines() if line.strip()]
    records: Any = None
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            records = _json_lines(lines)
        except (ValueError, RecursionError) as of_lines:
            if not text.lstrip().startswith(("{", "[{")) and file.suffix.lower() not in (".json", ".jsonl", ".ndjson"):
                return None
            told = of_lines if len(lines) > 1 and lines[0].rstrip().endswith("}") else error
            refuse(file, f"expected readable JSON, got: {told}", error)
    frame = _records_frame(file, records)
    return _from_frame(frame, path=file)


def _json_lines(lines: list[str]) -> list[Any]:
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number}, column {error.colno}: {error.msg}") from None
    return found


def _records_frame(file: Path, content: Any) -> pd.DataFrame:
    if isinstance(content, dict):
        content = _unwrapped(content)
    if isinstance(content, list) and content and all(isinstance(record, dict) for record in content):
        return pd.DataFrame.from_records([_flat_record(record) for record in content])
    if isinstance(content, pd.DataFrame):
        return content
    refuse(file, f'expected JSON records such as [{{"vector": [0, 1], "latency": 2.5}}, …], got {shown(content)}')


def _flat_record(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose objects within are columns of their own, named as within."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        inner = value if isinstance(value, dict) else {key: value}
        clash = isinstance(value, dict) and any(name in record or name in flat for name in inner)
        flat |= {f"{key}.{name}": item for name, item in inner.items()} if clash else inner
    return flat


def _unwrapped(content: dict[str, Any]) -> Any:
    """The records of the shapes in which pandas and people write tables as one JSON object."""
    values = list(content.values())
    if "columns" in content and "data" in content and isinstance(content["data"], list):
        rows, names = content["data"], content["columns"]
        fits = isinstance(names, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return pd.DataFrame(rows, columns=names) if fits and rows else content
    lists = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if values and all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(value, dict) for value in values):
        keys = [list(value) for value in values]
        if len(keys[0]) > 0 and all(key == keys[0] for key in keys) and all(k.isdecimal() for k in keys[0]):
            return [{name: column[k] for name, column in content.items()} for k in keys[0]]
        return [{"key": name, **value} for name, value in content.items()]
    return [content]
