"""Formats and dialects: the same table in every usual form is the same table; what is none is called what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from rapid_moo import open_table
from rapid_moo.errors import DataNotFoundError, InputError, MissingExtraError

FRAME = pd.DataFrame(
    {
        "kernel": [3, 5, 7, 3, 5, 7],
        "scale": [0.5, 1.0, 1.5, 1.0, 0.5, 0.5],
        "op": ["conv", "dw", "conv", "dw", "dw", "skip"],
        "bias": [True, False, True, False, True, True],
        "acc": [70.25, 71.5, 72.0, 70.0, 69.5, 73.125],
        "lat": [1.5, 2.5, 3.25, 1.0, 2.0, 3.0],
    }
)
GOALS = "acc:max,lat:min"
EXPECTED = open_table(FRAME, objectives=GOALS)


def same(table):
    assert table.space.genes == EXPECTED.space.genes
    assert table.fingerprint == EXPECTED.fingerprint
    return True


def german(separator=";"):
    return FRAME.to_csv(index=False, sep=separator, decimal=",")


def excel():
    content = io.BytesIO()
    FRAME.to_excel(content, index=False)
    return content.getvalue()


def parquet():
    content = io.BytesIO()
    FRAME.to_parquet(content)
    return content.getvalue()


def zipped(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, FRAME.to_csv(index=False))
    return content.getvalue()


CSV = FRAME.to_csv(index=False)
FORMS = {
    "comma": CSV.encode(),
    "semicolon": FRAME.to_csv(index=False, sep=";").encode(),
    "tab": FRAME.to_csv(index=False, sep="\t").encode(),
    "bar": FRAME.to_csv(index=False, sep="|").encode(),
    "spaces": FRAME.to_string(index=False).encode(),
    "decimal comma": german().encode(),
    "decimal comma and tab": german("\t").encode(),
    "decimal comma in quotes": german(",").encode(),
    "mark": CSV.encode("utf-8-sig"),
    "utf-16": CSV.encode("utf-16"),
    "utf-16 without mark": CSV.encode("utf-16-le"),
    "windows line ends": CSV.replace("\n", "\r\n").encode(),
    "old mac line ends": CSV.replace("\n", "\r").encode(),
    "space after comma": CSV.replace(",", ", ").encode(),
    "spaces around": CSV.replace(",", "  ,  ").encode(),
    "everything in quotes": FRAME.to_csv(index=False, quoting=1).encode(),
    "single quotes": FRAME.to_csv(index=False, quoting=1, quotechar="'").encode(),
    "index": FRAME.to_csv().encode(),
    "separator at the end": CSV.replace("\n", ",\n").encode(),
    "excel's line": b"sep=;\n" + FRAME.to_csv(index=False, sep=";").encode(),
    "comment": b"# profiled on a board\n# in May\n" + CSV.encode(),
    "blank lines": CSV.replace("\n", "\n\n").encode(),
    "numbers as floats": CSV.replace("\n3,", "\n3.0,").replace("\n5,", "\n5.0,").replace("\n7,", "\n7.0,").encode(),
    "bools in capitals": CSV.replace("True", "TRUE").replace("False", "FALSE").encode(),
    "gz": gzip.compress(CSV.encode()),
    "bz2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "zip": zipped("folder/table.csv"),
    "zip of a mac": zipped("table.csv", "__MACOSX/._table.csv"),
    "parquet": parquet(),
    "excel": excel(),
    "json records": FRAME.to_json(orient="records").encode(),
    "json lines": FRAME.to_json(orient="records", lines=True).encode(),
    "json columns": FRAME.to_json(orient="columns").encode(),
    "json split": FRAME.to_json(orient="split").encode(),
    "json lists": json.dumps(FRAME.to_dict("list")).encode(),
    "json within": json.dumps({"runs": FRAME.to_dict("records")}).encode(),
    "json nested": json.dumps(
        [
            {"genes": {k: row[k] for k in ("kernel", "scale", "op", "bias")}, "of": {k: row[k] for k in ("acc", "lat")}}
            for row in FRAME.to_dict("records")
        ]
    ).encode(),
    "json lines, packed": gzip.compress(FRAME.to_json(orient="records", lines=True).encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form, tmp_path):
    path = tmp_path / "table.dat"
    path.write_bytes(FORMS[form])
    assert same(open_table(path, objectives=GOALS))


def test_no_header(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"[1, 2]",1,2\n"[1, 3]",2,1\n"[2, 2]",3,3\n')
    with pytest.raises(InputError, match="--columns"):
        open_table(path, objectives="a:min,b:min")
    table = open_table(path, objectives="a:min,b:min", columns="vector,a,b")
    assert table.raw.tolist() == [[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]]
    with pytest.raises(InputError, match=r"expected 3 names in --columns, got 2"):
        open_table(path, objectives="a:min,b:min", columns=["vector", "a"])


def test_names_of_western_windows(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("größe,a,b\n1,1,2\n2,2,1\n1,3,3\n".encode("cp1252"))
    assert open_table(path, objectives="a:min,b:min").space.genes[0].name == "größe"


def test_vectors_without_quotes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("vector,a,b\n[1, 2],1,2\n[1, 3],2,1\n")
    assert open_table(path, objectives="a:min,b:min").space.decode([[0, 0], [0, 1]]).tolist() == [[1, 2], [1, 3]]


def test_an_index_with_names_is_columns():
    grouped = FRAME.groupby(["kernel", "scale", "op", "bias"], sort=False).mean()
    assert same(open_table(grouped, objectives=GOALS))


@pytest.mark.parametrize("convert", [lambda f: f.convert_dtypes(), lambda f: f.astype({"op": "category"})])
def test_other_dtypes(convert):
    assert same(open_table(convert(FRAME), objectives=GOALS))


def test_a_frame_is_left_as_it_is():
    frame = FRAME.copy()
    open_table(frame, objectives=GOALS)
    pd.testing.assert_frame_equal(frame, FRAME)


def test_two_sheets_of_excel(tmp_path, caplog):
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as book:
        FRAME.to_excel(book, sheet_name="runs", index=False)
        FRAME.head(2).to_excel(book, sheet_name="old", index=False)
    assert same(open_table(path, objectives=GOALS))
    assert "'runs'" in caplog.text


NO_TABLES = {
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git-LFS pointer"),
    "page": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML page"),
    "binary": (bytes(range(256)) * 10, "binary file"),
    "zeros": (b"\0" * 5000, "binary file"),
    "database": (b"SQLite format 3\0" + b"\1" * 100, "SQLite"),
    "old excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "old Excel"),
    "cut gz": (gzip.compress(CSV.encode())[:-20], "broken archive"),
    "cut xz": (lzma.compress(CSV.encode())[:-20], "broken archive"),
    "cut zip": (zipped("a.csv")[:-30], "broken archive"),
    "two files": (zipped("a.csv", "b.csv"), "2 files"),
    "cut parquet": (parquet()[:-50], "readable Parquet"),
    "cut excel": (excel()[:-200], "broken archive"),
    "cut json": (FRAME.to_json(orient="records").encode()[:-40], "readable JSON"),
    "cut json lines": (FRAME.to_json(orient="records", lines=True).encode()[:-9], "line 6"),
    "other json": (b'{"a": 1}', "column"),
    "json number": (b"[1, 2, 3]", ""),
    "json of nothing": (b"[{}, {}]", "expected columns"),
    "json lines of nothing": (b"{}\n{}\n", "expected columns"),
    "only commas": (b",,,\n,,,\n", "rows with nothing in them"),
    "empty": (b"", "No columns"),
    "spaces": (b" \n \n", "No columns"),
    "control characters": (b"vector,a,b\n\x1b[31mred\x07" + b" and more" * 20 + b",1,2\n", r"\x1b"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_what_is_no_table_is_called_what_it_is(case, tmp_path):
    content, said = NO_TABLES[case]
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_table(path, objectives=GOALS)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert len(message) < 700 + len(str(path))
    assert message.isprintable()


def test_no_file(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nowhere\.parquet"):
        open_table(tmp_path / "nowhere.parquet", objectives=GOALS)


@pytest.mark.parametrize(
    ("module", "extra", "form"), [("pyarrow", "parquet", "parquet"), ("openpyxl", "excel", "excel")]
)
def test_a_missing_extra_is_named(module, extra, form, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "table"
    path.write_bytes(FORMS[form])
    with pytest.raises(MissingExtraError, match=rf"pip install 'rapid-moo\[{extra}\]'"):
        open_table(path, objectives=GOALS)


NUMBERS = {
    "points": (["1.5", "2.25", "3"], [1.5, 2.25, 3.0]),
    "commas": (["1,5", "2,25", "3"], [1.5, 2.25, 3.0]),
    "points as thousands": (["1.234,5", "2,25", "3"], [1234.5, 2.25, 3.0]),
    "commas as thousands": (["1,234.5", "2.25", "3"], [1234.5, 2.25, 3.0]),
    "millions": (["1,234,567", "2", "3,000"], [1234567.0, 2.0, 3000.0]),
    "exponents": (["1e3", "2.5E-1", "3"], [1000.0, 0.25, 3.0]),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers(case):
    text, expected = NUMBERS[case]
    frame = pd.DataFrame({"k": [1, 2, 3], "l": [1, 1, 2], "a": text, "b": [1, 2, 3]})
    np.testing.assert_array_equal(open_table(frame, objectives="a:min,b:min").raw[:, 0], expected)


def test_a_comma_that_may_be_either_is_asked_for():
    frame = pd.DataFrame({"k": [1, 2, 3], "l": [1, 1, 2], "a": ["1,234", "2,345", "3,456"], "b": [1, 2, 3]})
    with pytest.raises(InputError, match="--decimal"):
        open_table(frame, objectives="a:min,b:min")
    for sign, expected in ((",", [1.234, 2.345, 3.456]), (".", [1234.0, 2345.0, 3456.0])):
        assert open_table(frame, objectives="a:min,b:min", decimal=sign).raw[:, 0].tolist() == expected
