"""The two result files: their columns, and how further runs join what they hold."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import BoolArray, atomic_path, shown
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.trajectory import QUALITIES

RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE = "results.csv", "trajectories.csv", "oracle.csv"
RESULT_FILES = (RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE)
KEYS = ["dataset", "method", "seed", "budget"]
MADE = ["commit", "versions", "machine"]
"""What a run was made with; empty in rows of files that were written before it was kept."""
CODE = "code"
"""Hash of a method's code; empty for a built-in method, and in rows that were written before it was kept."""
RESULT_COLUMNS = ["dataset", "method", "seed", "evaluations", "budget", *QUALITIES, "seconds", *MADE, CODE]
TRAJECTORY_COLUMNS = [*KEYS, "evaluations", *QUALITIES, "seconds", "cpu_seconds"]
TEXTS = frozenset(["dataset", "method", *MADE, CODE])
WHOLE = frozenset(["seed", "evaluations", "front_size", "rows"])
LARGEST = 1e30
COLUMNS = {
    RESULTS_FILE: RESULT_COLUMNS,
    TRAJECTORIES_FILE: TRAJECTORY_COLUMNS,
    ORACLE_FILE: ["dataset", "rows", "evaluations", *QUALITIES],
}
COST = "cost"


def with_cost(columns: Sequence[str]) -> list[str]:
    """The columns of a file where costs are stated: the cost is behind the evaluations."""
    at = columns.index("evaluations") + 1
    return [*columns[:at], COST, *columns[at:]]


def bill_column(frame: pd.DataFrame) -> str:
    """The column that says what was spent: ``cost`` where costs are stated, else ``evaluations``."""
    return COST if COST in frame else "evaluations"


def merge_csv(path: Path, new: pd.DataFrame, replaced: Sequence[pd.DataFrame], digits: int = 10) -> None:
    """Write rows into a file in a fixed order, keeping the rows that it holds already.

    Parameters
    ----------
    path : Path
        The file; replaced at once. Compressed if its name ends in ``.gz``.
    new : DataFrame
        Rows to write.
    replaced : sequence of DataFrame
        Old rows that equal a row of one of these, in that one's columns, go.
    digits : int
        Significant digits of the new rows.
    """
    text = _as_text(new, digits)
    if path.is_file():
        old = _read(path, list(new.columns))
        for frame in replaced:
            rows = _as_text(frame, digits)
            columns = list(rows.columns)
            old = old[~pd.MultiIndex.from_frame(old[columns]).isin(pd.MultiIndex.from_frame(rows))]
        text = pd.concat([old, text])
    text = text.reset_index(drop=True)
    keys = [column for column in [*KEYS, "evaluations"] if column in text]
    numbers = {column: float for column in keys if column not in ("dataset", "method")}
    order = text.astype(numbers).sort_values(keys, kind="stable").index
    content = text.loc[order].to_csv(index=False).encode()
    with atomic_path(path) as temporary:
        # Neither time nor name, so that the same rows are the same bytes.
        temporary.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The cells of a result file as text; what runs were made with is empty where the file does not say it.

    Raises
    ------
    InputError
        If it cannot be read, has other columns, or a cell that should be a number is none.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        frame = pd.read_csv(io.StringIO(content.decode()), dtype=str, keep_default_na=False, on_bad_lines="error")
    except (OSError, EOFError, zlib.error, ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: expected a file of 'rapid-moo compare', got: {error}") from error
    later = [name for name in (*MADE, CODE) if name in columns and name not in frame.columns]
    frame = frame.assign(**dict.fromkeys(later, ""))
    if (COST in frame.columns) != (COST in columns) and {*frame.columns} - {COST} == {*columns} - {COST}:
        which = "with a cost, since costs are stated" if COST in columns else "without a cost, since none is stated"
        raise InputError(f"{path}: expected results {which}; choose another folder")
    if sorted(frame.columns) != sorted(columns) or not isinstance(frame.index, pd.RangeIndex):
        raise InputError(f"{path}: expected columns {list(columns)}, got {shown(list(frame.columns), 200)}")
    for name in columns:
        wanted, good = _rule(name, frame[name])
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise InputError(
                f"{path}: row {row + 1}, column {name!r}: expected {wanted}, got {shown(frame[name].iloc[row])}"
            )
    return frame[list(columns)]


def _rule(name: str, cells: pd.Series[str]) -> tuple[str, BoolArray]:
    """What a column's cells must be, and which of them are."""
    if name in (*MADE, CODE):
        return "any text", np.ones(len(cells), dtype=np.bool_)
    if name in TEXTS:
        # The names become those of files.
        return "a name without slash or control characters", cells.str.fullmatch(r"[^\x00-\x1f\x7f/\\\\]+").to_numpy(
            bool
        )
    if name in WHOLE:
        return "a whole number", cells.str.fullmatch(r"[0-9]{1,18}").to_numpy(bool)
    written = cells.str.fullmatch(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?").to_numpy(bool)
    values = np.array([float(cell) if fits else np.nan for cell, fits in zip(cells, written, strict=True)])
    with np.errstate(invalid="ignore"):
        least = values > 0 if name == "budget" else values >= 0
        return f"a number that is not negative and at most {LARGEST:g}", written & least & (values <= LARGEST)


def read_result_file(path: Path, name: str) -> pd.DataFrame:
    """One file of the kind of a result file, wherever it lies; raises as :func:`read_results`."""
    columns = COLUMNS[name]
    with suppress(OSError, EOFError, zlib.error, ValueError, pd.errors.ParserError):
        columns = with_cost(columns) if COST in pd.read_csv(path, nrows=0).columns else columns
    frame = _read(path, columns)
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in frame.columns if name not in TEXTS})


def _as_text(frame: pd.DataFrame, digits: int) -> pd.DataFrame:
    cells = {column: [_cell(value, digits) for value in frame[column]] for column in frame.columns}
    return pd.DataFrame(cells, dtype=str)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else f"{value:.{digits}g}"


def replaced_trajectories(paths: pd.DataFrame, anytime: Sequence[str]) -> list[pd.DataFrame]:
    """What new trajectories replace: those of the same run and budget, of anytime methods those of the same run.

    Parameters
    ----------
    paths : DataFrame
        The new trajectories.
    anytime : sequence of str
        Names of methods whose one run serves all budgets.
    """
    return [paths[KEYS], paths.loc[paths["method"].isin(anytime), KEYS[:3]]]


def read_results(folders: Iterable[Path | str], name: str = RESULTS_FILE) -> pd.DataFrame:
    """One of the result files of one or several comparisons as one table.

    Raises
    ------
    DataNotFoundError
        If a folder holds none.
    InputError
        If a file is damaged or has other columns, or two folders hold the same run.
    """
    frames = []
    for folder in folders:
        path = Path(folder) / name
        if not path.is_file():
            raise DataNotFoundError(f"{path}: expected the result of 'rapid-moo compare --out {folder}', found nothing")
        frames.append(read_result_file(path, name))
    if not frames:
        raise InputError("results: expected at least one folder, got none")
    if len({bill_column(frame) for frame in frames}) > 1:
        raise InputError("results: expected folders that all have a cost or all have none, got both")
    joined = pd.concat(frames, ignore_index=True)
    if len(joined) and int(joined["evaluations"].min()) < 1:
        raise InputError("results: expected at least one evaluation in each row, got 0")
    steps = [] if name == RESULTS_FILE else ["evaluations"]
    keys = [column for column in [*KEYS, *steps] if column in joined]
    if joined.duplicated(keys).any():
        twice = joined.loc[joined.duplicated(keys), keys].iloc[0].tolist()
        raise InputError(f"results: expected each run once, got {twice} twice")
    return joined
