"""Tables in several files."""

from __future__ import annotations

import pandas as pd
import pytest

from rapid_moo import open_table
from rapid_moo.errors import InputError

LEFT = pd.DataFrame({"arch": ["[0, 1]", "[1, 1]", "[1, 0]"], "acc": [70.0, 71.0, 72.0]})
GOALS = "acc:max,lat:min"


@pytest.fixture
def left(tmp_path):
    LEFT.to_csv(tmp_path / "left.csv", index=False)
    return tmp_path / "left.csv"


def test_by_a_key_in_any_order_and_spelling(left, tmp_path):
    path = tmp_path / "right.json"
    right = pd.DataFrame({"lat": [3.0, 1.0, 2.0, 9.0], "arch": ["[1 0]", "[0 1]", "[1 1]", "[0 0]"]})
    right.to_json(path, orient="records")
    for join in (f"{path}:arch", [f"{path}:arch"], (path, "arch"), (right, ["arch"])):
        table = open_table(left, objectives=GOALS, join=join)
        assert table.raw.tolist() == [[70.0, 1.0], [71.0, 2.0], [72.0, 3.0]]


def test_by_position(left):
    table = open_table(left, objectives=GOALS, join=pd.DataFrame({"lat": [1.0, 2.0, 3.0], "mem": [5, 6, 7]}))
    assert table.raw[:, 1].tolist() == [1.0, 2.0, 3.0]
    assert table.further["mem"].tolist() == [5.0, 6.0, 7.0]


def test_several(left, tmp_path):
    pd.DataFrame({"lat": [1.0, 2.0, 3.0]}).to_csv(tmp_path / "lat.csv", index=False)
    pd.DataFrame({"arch": LEFT["arch"], "mem": [1, 2, 3]}).to_csv(tmp_path / "mem.csv", index=False)
    joins = [str(tmp_path / "lat.csv"), f"{tmp_path / 'mem.csv'}:arch"]
    assert open_table(left, objectives=f"{GOALS},mem:min", join=joins).raw[2].tolist() == [72.0, 3.0, 3.0]


def test_several_keys():
    a = pd.DataFrame({"k": [1, 1, 2], "op": ["x", "y", "x"], "acc": [1, 2, 3]})
    b = pd.DataFrame({"op": ["y", "x", "x"], "k": ["1", "1.0", 2], "lat": [5, 4, 6]})
    assert open_table(a, objectives=GOALS, join=(b, "k,op")).raw[:, 1].tolist() == [4.0, 5.0, 6.0]


def test_a_column_of_both_is_kept_apart_where_it_differs(left, tmp_path):
    right = LEFT.assign(lat=[1.0, 2.0, 3.0], acc=[5.0, 6.0, 7.0])
    right.to_csv(tmp_path / "right.csv", index=False)
    table = open_table(left, objectives="acc:max,right.acc:max", join=f"{tmp_path / 'right.csv'}:arch", ignore="lat")
    assert table.raw.tolist() == [[70.0, 5.0], [71.0, 6.0], [72.0, 7.0]]


def test_rows_without_a_partner_lack_a_value(left):
    right = (LEFT.head(2).drop(columns="acc").assign(lat=[1.0, 2.0]), "arch")
    with pytest.raises(InputError, match=r"1 of 3 rows lack 'lat' \(empty 1\)"):
        open_table(left, objectives=GOALS, join=right)
    assert len(open_table(left, objectives=GOALS, join=right, drop_missing=True)) == 2


@pytest.mark.parametrize(
    ("right", "keys", "said"),
    [
        (pd.DataFrame({"lat": [1.0]}), "", "expected 3 rows"),
        (pd.DataFrame({"lat": [1.0]}), "arch", "column 'arch' once"),
        (pd.DataFrame({"arch": ["[0, 1]"] * 2, "lat": [1, 2]}), "arch", "in rows 1 and 2"),
        (pd.DataFrame({"arch": ["a", "b"], "lat": [1, 2]}), "arch", "such as"),
    ],
)
def test_what_does_not_fit(right, keys, said, left):
    with pytest.raises(InputError, match=said):
        open_table(left, objectives=GOALS, join=(right, keys))


def test_vectors_that_differ_row_by_row():
    a = pd.DataFrame({"vector": ["[0, 1]", "[1, 1]"], "acc": [1, 2]})
    b = pd.DataFrame({"vector": ["[1, 1]", "[0, 1]"], "lat": [1, 2]})
    with pytest.raises(InputError, match=r"row 1, column 'vector'.*join by a key"):
        open_table(a, objectives=GOALS, join=b)


def test_published_files_row_by_row(published):
    published("nasbench201_data_final.csv")
    joined = open_table(
        published("nb201_devices.csv"),
        space="nasbench201",
        objectives="accuracy:max,latency_pixel3:min",
        join=str(published("nasbench201_data_final.csv")),
    )
    assert len(joined) == 15_284
