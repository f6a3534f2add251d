from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rapid_moo.comparison.tables import KEYS, MADE, RESULT_COLUMNS, merge_csv, read_results
from rapid_moo.errors import InputError


def row(dataset: str, seed: int, budget: float, value: float = 0.123456789) -> dict[str, object]:
    """A line of results in which every quality has the same value."""
    known = {"dataset": dataset, "method": "random", "seed": seed, "evaluations": 10, "budget": budget, "front_size": 3}
    return {column: known.get(column, value) for column in RESULT_COLUMNS}


def merged(path: Path, *rows: dict[str, object], digits: int = 10) -> pd.DataFrame:
    new = pd.DataFrame(list(rows))
    merge_csv(path, new, [new[KEYS]], digits)
    return pd.read_csv(path)


def test_new_rows_replace_those_of_the_same_run_and_budget(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    merged(path, row("b", 0, 0.1), row("a", 0, 0.1), row("a", 0, 0.02))
    found = merged(path, row("a", 0, 0.1, 9.0), row("a", 10, 0.1), row("a", 2, 0.1))
    assert found["dataset"].tolist() == ["a", "a", "a", "a", "b"]
    assert found["seed"].tolist() == [0, 0, 2, 10, 0], "seeds are numbers, not words"
    assert found["adrs"].tolist() == [0.123456789, 9.0, 0.123456789, 0.123456789, 0.123456789]


def test_rows_that_stay_keep_every_digit(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    merged(path, row("a", 0, 0.1))
    found = merged(path, row("a", 1, 0.1), digits=3)
    assert found["adrs"].tolist() == [0.123456789, 0.123]


def test_a_compressed_file_has_the_same_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1.0)
    found = merged(tmp_path / "first.csv.gz", row("a", 0, 0.1))
    monkeypatch.setattr("time.time", lambda: 2e9)
    merged(tmp_path / "second.csv.gz", row("a", 0, 0.1))
    assert len(found) == 1
    assert (tmp_path / "first.csv.gz").read_bytes() == (tmp_path / "second.csv.gz").read_bytes()


def test_a_file_of_other_columns_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected columns"):
        merged(path, row("a", 0, 0.1))
    assert path.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("seed", "1.5"),
        ("seed", "-1"),
        ("adrs", "nan"),
        ("adrs", "1e400"),
        ("budget", "0"),
        ("dataset", "../../elsewhere"),
    ],
)
def test_a_cell_that_no_comparison_writes_is_refused_by_row_and_column(tmp_path: Path, column: str, cell: str) -> None:
    path = tmp_path / "results.csv"
    pd.DataFrame([row("a", 0, 0.1), {**row("a", 1, 0.1), column: cell}]).to_csv(path, index=False)
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"row 2, column '{column}': expected .*, got '{cell}'"):
        merged(path, row("b", 0, 0.1))
    with pytest.raises(InputError, match=rf"row 2, column '{column}'"):
        read_results([tmp_path])
    assert path.read_bytes() == before


def test_a_file_from_before_runs_said_what_they_were_made_with_is_read(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    pd.DataFrame([row("a", 0, 0.1)]).drop(columns=MADE).to_csv(path, index=False)
    assert read_results([tmp_path])[MADE].to_numpy().tolist() == [["", "", ""]]
    found = merged(path, {**row("a", 1, 0.1), "commit": "abc", "versions": "numpy 2", "machine": "one"})
    assert found["commit"].fillna("").tolist() == ["", "abc"]
