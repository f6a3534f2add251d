"""The two result files: their columns, and how further runs join what they hold."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rapid_moo._util import atomic_path
from rapid_moo.trajectory import QUALITIES
from rapid_moo.errors import DataNotFoundError, InputError

RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE = "results.csv", "trajectories.csv", "oracle.csv"
KEYS = ["dataset", "method", "seed", "budget"]
RESULT_COLUMNS = ["dataset", "method", "seed", "evaluations", "budget", *QUALITIES, "seconds"]
TRAJECTORY_COLUMNS = [*KEYS, "evaluations", *QUALITIES, "seconds", "cpu_seconds"]
COLUMNS = {
    RESULTS_FILE: RESULT_COLUMNS,
    TRAJECTORIES_FILE: TRAJECTORY_COLUMNS,
    ORACLE_FILE: ["dataset", "rows", "evaluations", *QUALITIES],
}


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
        old = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(old.columns) != list(new.columns):
            raise InputError(f"{path}: expected columns {list(new.columns)}, got {list(old.columns)}")
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
        If a file has other columns, or two folders hold the same run.
    """
    frames = []
    for folder in folders:
        path = Path(folder) / name
        if not path.is_file():
            raise DataNotFoundError(f"{path}: expected the result of 'rapid-moo compare --out {folder}', found nothing")
        frame = pd.read_csv(path)
        if list(frame.columns) != COLUMNS[name]:
            raise InputError(f"{path}: expected columns {COLUMNS[name]}, got {list(frame.columns)}")
        frames.append(frame)
    if not frames:
        raise InputError("results: expected at least one folder, got none")
    joined = pd.concat(frames, ignore_index=True)
    steps = [] if name == RESULTS_FILE else ["evaluations"]
    keys = [column for column in [*KEYS, *steps] if column in joined]
    if joined.duplicated(keys).any():
        twice = joined.loc[joined.duplicated(keys), keys].iloc[0].tolist()
        raise InputError(f"results: expected each run once, got {twice} twice")
    return joined
