"""The curves of ``digits`` are those of its table, or are not written."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rapid_moo.errors import InputError
from rapid_moo.problems.digits import Digits

pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "profile_digits.py"


@pytest.fixture(scope="module")
def profile():
    spec = importlib.util.spec_from_file_location("_profile_digits", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["_profile_digits"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["_profile_digits"]


def journal_of(path, table, **changed):
    """Straight curves to the accuracies of the first rows of a table, those of some rows changed."""
    lines = []
    for i, (vector, accuracy) in enumerate(zip(table["vector"], table["accuracy"], strict=True)):
        end = changed.get(f"row{i}", accuracy)
        if end is not None:
            curve = [round(float(v), 4) for v in np.linspace(10.0, end, 30)]
            lines.append(json.dumps({"vector": json.loads(vector), "curve": curve}))
    path.write_text("\n".join([*lines, '{"vector": [1, 2']))  # a kill cuts the last line short
    return path


def test_curves_that_end_at_the_tables_accuracy_become_a_table(profile, tmp_path):
    table, space = pd.read_csv(ROOT / "data" / "digits.csv")[:5], Digits()
    found = profile.curves_table(space.enumerate()[:5], space, journal_of(tmp_path / "j", table), table)
    assert list(found.columns) == ["vector", *(f"epoch{k}" for k in range(1, 31))]
    assert found["vector"].tolist() == table["vector"].tolist()
    assert found["epoch30"].tolist() == pytest.approx(table["accuracy"].tolist(), abs=0.006)
    assert found["epoch1"].tolist() == [10.0] * 5


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"row3": None}, "expected 5 curves, 1 are missing"), ({"row2": 50.0}, "1 curves do not end at the table's")],
)
def test_others_are_refused(profile, tmp_path, changed, told):
    table, space = pd.read_csv(ROOT / "data" / "digits.csv")[:5], Digits()
    with pytest.raises(InputError, match=told):
        profile.curves_table(space.enumerate()[:5], space, journal_of(tmp_path / "j", table, **changed), table)


def test_the_phase_goes_on_where_it_was_and_writes_the_same_bytes_again(tmp_path):
    table = pd.read_csv(ROOT / "data" / "digits.csv")[:3]
    journal_of(tmp_path / "journal-curves.jsonl", table)
    written = []
    for name in ("a.csv.gz", "b.csv.gz"):
        command = [sys.executable, SCRIPT, "curves", "--limit", "3", "--out", tmp_path, "--table", tmp_path / name]
        run = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert pd.read_csv(tmp_path / "a.csv.gz")["vector"].tolist() == table["vector"].tolist()
