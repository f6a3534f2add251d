"""The CSV reader against hypothesis: what is written is read, whatever the layout; what is broken is one error."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_moo import GridSpace, Objective, RapidMooError
from rapid_moo.reading import LARGEST, build_table, read_csv

GOALS = (Objective("cost", "min"), Objective("gain", "max"))
numbers = st.floats(-LARGEST, LARGEST)


@st.composite
def contents(draw):
    length = draw(st.integers(1, 6))
    vector = st.lists(st.integers(-9, 999), min_size=length, max_size=length)
    return draw(st.lists(st.tuples(vector, numbers, numbers), min_size=1, max_size=12))


def written(folder, rows, *, commas=True, end="\n", order=("vector", "cost", "gain", "note")):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(order)
    for vector, cost, gain in rows:
        shown = str(vector) if commas else str(vector).replace(",", "")
        cells = {"vector": shown, "cost": repr(cost), "gain": repr(gain), "note": 'any, "thing"'}
        writer.writerow([cells[column] for column in order])
    path = folder / "table.csv"
    path.write_bytes(text.getvalue().encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@settings(deadline=None)
@given(
    rows=contents(),
    commas=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(["vector", "cost", "gain", "note"]),
)
def test_what_is_written_is_read(folder, rows, commas, end, order):
    raw = read_csv(written(folder, rows, commas=commas, end=end, order=order))
    assert raw.vectors.tolist() == [vector for vector, _, _ in rows]
    assert raw.values(GOALS[0]).tolist() == [cost for _, cost, _ in rows]
    assert raw.values(GOALS[1]).tolist() == [gain for _, _, gain in rows]


@settings(deadline=None)
@given(rows=contents())
def test_an_inferred_table_holds_every_distinct_vector_once_with_its_mean(folder, rows):
    rows = [(vector, cost / 1e300, gain / 1e300) for vector, cost, gain in rows]
    table = build_table(read_csv(written(folder, rows)), None, GOALS)
    frame = pd.DataFrame([(tuple(v), c, g) for v, c, g in rows], columns=["vector", "cost", "gain"])
    expected = frame.groupby("vector", sort=False).mean()
    assert [tuple(v) for v in table.space.decode(table.X).tolist()] == expected.index.tolist()
    np.testing.assert_allclose(table.raw, expected.to_numpy(), rtol=1e-12, atol=1e-300)
    assert table.n_rows == len(rows)


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=200))
def test_any_text_is_a_table_or_one_error(folder, text):
    path = folder / "any.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    self_explaining(path)


@settings(deadline=None, max_examples=200)
@given(rows=contents(), cut=st.integers(0, 400), noise=st.binary(max_size=5))
def test_a_damaged_file_is_a_table_or_one_error(folder, rows, cut, noise):
    path = written(folder, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + noise + whole[cut + len(noise) :])
    self_explaining(path)


def self_explaining(path):
    table, message = None, f"{path}:"
    try:
        table = build_table(read_csv(path), None, GOALS)
    except RapidMooError as error:
        message = str(error)
    assert message.startswith((f"{path}:", f"{path.stem}:"))
    assert table is None or np.isfinite(table.raw).all()


def test_columns_that_are_not_asked_for_may_hold_anything(folder):
    path = folder / "other.csv"
    path.write_text('vector,cost,gain,x,x\n"[1]",1,2,nan,\n"[2]",2,3,?,inf\n')
    assert len(build_table(read_csv(path), None, GOALS)) == 2


def test_genes_and_their_choices_are_inferred(folder):
    path = folder / "inferred.csv"
    path.write_text('vector,cost,gain\n"[7, -1]",1,2\n[3 5],2,3\n"[7,5]",2,3\n')
    space = build_table(read_csv(path), None, GOALS).space
    assert isinstance(space, GridSpace)
    assert [gene.choices for gene in space.genes] == [(3, 7), (-1, 5)]


def test_repeated_vectors_count_once_with_their_mean(folder):
    path = folder / "repeats.csv"
    path.write_text('vector,cost,gain\n"[1]",1,2\n"[2]",5,5\n"[1]",2,4\n')
    table = build_table(read_csv(path), None, GOALS)
    assert (len(table), table.n_rows) == (2, 3)
    assert table.raw.tolist() == [[1.5, 3.0], [5.0, 5.0]]


def test_the_mean_of_huge_measurements_is_finite(folder):
    huge = LARGEST
    (folder / "huge.csv").write_text(f'vector,cost,gain\n"[0]",1,{huge!r}\n"[0]",3,{huge!r}\n"[1]",2,0\n')
    table = build_table(read_csv(folder / "huge.csv"), None, GOALS)
    assert table.raw.tolist() == [[2.0, huge], [2.0, 0.0]]
