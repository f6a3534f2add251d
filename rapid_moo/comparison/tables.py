"""The two result files: their columns, and how further runs join what they hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from rapid_moo._util import atomic_path
from rapid_moo.comparison.trajectory import QUALITIES
from rapid_moo.errors import DataNotFoundError, InputError

RESULTS_FILE, TRAJECTORIES_FILE = "results.csv", "trajectories.csv"
KEYS = ["dataset", "method", "seed", "budget"]
RESULT_COLUMNS = ["dataset", "method", "seed", "evaluations", "budget", *QUALITIES, "seconds"]
TRAJECTORY_COLUMNS = [*KEYS, "evaluations", *QUALITIES, "seconds", "cpu_seconds"]


def merge_csv(
    path: Path,
    new: pd.DataFrame,
    keys: list[str],
    stale: pd.MultiIndex,
    whole: Collection[str] = (),
) -> None:
    """Write rows into a file, replacing those of the same keys and keeping all others, in a fixed order.

    Parameters
    ----------
    path : Path
        The file; replaced at once.
    new : DataFrame
        Rows to write.
    keys : list of str
        Columns that identify a run.
    stale : MultiIndex
        Pairs of dataset and method whose old rows all go.
    whole : collection of str
        Methods of which a new row replaces all old ones of the same dataset and seed, whatever their budget.
    """
    text = new.assign(**{column: [_cell(value) for value in new[column]] for column in new.columns})
    if path.is_file():
        old = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(old.columns) != list(new.columns):
            raise InputError(f"{path}: expected columns {list(new.columns)}, got {list(old.columns)}")
        same = _index(old, keys).isin(_index(text, keys)) | _index(old, keys[:2]).isin(stale)
        same |= old["method"].isin(list(whole)) & _index(old, keys[:3]).isin(_index(text, keys[:3]))
        text = pd.concat([old[~same], text])
    text = text.reset_index(drop=True)
    numbers = {"seed": int, "budget": float, "evaluations": int}
    order = text.astype(numbers).sort_values([*keys, "evaluations"], kind="stable").index
    with atomic_path(path) as temporary:
        text.loc[order].to_csv(temporary, index=False)


def _index(frame: pd.DataFrame, columns: list[str]) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[columns])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else f"{value:.10g}"


def read_results(folders: Iterable[Path | str], name: str = RESULTS_FILE) -> pd.DataFrame:
    """Results or trajectories of one or several comparisons as one table.

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
        expected = RESULT_COLUMNS if name == RESULTS_FILE else TRAJECTORY_COLUMNS
        if list(frame.columns) != expected:
            raise InputError(f"{path}: expected columns {expected}, got {list(frame.columns)}")
        frames.append(frame)
    if not frames:
        raise InputError("results: expected at least one folder, got none")
    joined = pd.concat(frames, ignore_index=True)
    keys = KEYS if name == RESULTS_FILE else [*KEYS, "evaluations"]
    if joined.duplicated(keys).any():
        twice = joined.loc[joined.duplicated(keys), keys].iloc[0].tolist()
        raise InputError(f"results: expected each run once, got {twice} twice")
    return joined
