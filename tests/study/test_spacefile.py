"""Spaces in TOML: what a file says, and what is wrong with it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_moo import Gene, Objective
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.genes import Condition
from rapid_moo.study import read_space_file
from rapid_moo.study.spacefile import TEMPLATE, check_names, read_constraints, space_from

WHOLE = """
name = "towers"
constraints = ["latency <= 20", "params <= 500", "code.py:allowed"]
computed = { params = "code.py:count", units = "code.py:count" }

[genes]
depth = [2, 4, 8]
lr = [0.01, 0.001]
op = ["conv", "dw conv, x=1", true]
kernel = { choices = [3, 5], when = { op = "conv" } }
bits = { choices = [8, 4], ordered = false, labels = ["int8", "int4"], weight = 2.0, when = "depth >= 4" }

[objectives]
error = { direction = "min", unit = "%", cost = 60.0 }
latency = { direction = "min", unit = "ms", repeats = 3 }
params = { direction = "min" }
"""
CODE = """
def count(a):
    return 10 * a["depth"]
def allowed(a):
    return a["op"] != True or a["depth"] < 8
"""
SMALL = '[genes]\ndepth = [1, 2]\n[objectives]\nerror = { direction = "min" }\n'


@pytest.fixture
def write(tmp_path):
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")

    def written(text, name="mine.toml", encoding="utf-8"):
        (tmp_path / name).write_text(text, encoding=encoding)
        return tmp_path / name

    return written


def test_a_whole_file(write):
    found = read_space_file(write(WHOLE))
    space = found.space
    assert space.name == "towers"
    assert [gene.name for gene in space.genes] == ["depth", "lr", "op", "kernel", "bits"]
    assert [gene.choices for gene in space.genes[:3]] == [(2, 4, 8), (0.001, 0.01), ("conv", "dw conv, x=1", True)]
    assert [gene.ordered for gene in space.genes] == [True, True, False, True, False]
    assert space.genes[3].when == (Condition("op", "in", ("conv",)),)
    assert space.genes[4].labels == ("int8", "int4")
    assert space.genes[4].weight == 2.0
    assert [objective.name for objective in found.objectives] == ["error", "latency", "params"]
    assert found.objectives[:2] == (
        Objective("error", "min", "%", cost=60.0),
        Objective("latency", "min", "ms", repeats=3),
    )
    assert [objective.name for objective in space.computed] == ["params", "units"]
    x = space.from_dict({"depth": 8, "lr": 0.01, "op": True, "bits": 4})
    assert space.compute(x, "params").tolist() == [80.0]
    constraints = read_constraints(space, found.objectives, found.constraints)
    assert [str(constraint) for constraint in constraints] == ["latency <= 20", "params <= 500", "allowed"]
    assert constraints[2].violations(space, x[None]).tolist() == [1.0]


def test_the_template_is_a_space(write):
    found = read_space_file(write(TEMPLATE.format(name="board", command="rapid-moo run board.toml")))
    assert found.space.name == "board"
    assert found.space.size == 3 * 3 * (3 + 1)
    assert found.constraints == ()
    assert len(tomllib.loads(TEMPLATE.format(name="board", command="rapid-moo run board.toml"))) == 4


def test_names_and_order_of_a_small_one(write):
    found = read_space_file(write(SMALL, "my board.toml"))
    assert found.space.name == "my board"
    assert read_space_file(write(SMALL, "bom.toml", "utf-8-sig")).space.size == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected a table \[genes\] with at least one entry, got None"),
        ("[genes]\n[objectives]\n", r"expected a table \[genes\]"),
        ("genes = 3", r"expected a table \[genes\] with at least one entry, got 3"),
        ("[genes]\na = [1]\n", r"expected a table \[objectives\]"),
        ("x = ", "expected a TOML file: "),
        ("name = 3\n" + SMALL, "name: expected a text, got 3"),
        ("gens = 3\n" + SMALL, "file: expected some of name, .*, got 'gens'"),
        (SMALL + 'latency = "min"\n', r"objectives.latency: expected \{ direction"),
        (
            SMALL + 'latency = { direction = "up" }\n',
            "objective 'latency': expected direction 'min' or 'max', got 'up'",
        ),
        (SMALL + "latency = { unit = 'ms' }\n", "expected direction 'min' or 'max', got ''"),
        (SMALL + "latency = { direction = 'min', unit = 3 }\n", "objectives.latency: expected a text as unit, got 3"),
        (SMALL + "latency = { direction = 'min', repeats = 0 }\n", "expected repeats of 1 to 10000, or 'auto', got 0"),
        (
            SMALL + "latency = { direction = 'min', repeats = 'often' }\n",
            "objective 'latency': expected repeats .*, got 'often'",
        ),
        (SMALL + "latency = { direction = 'min', price = 0 }\n", "objectives.latency: .*, got 'price'"),
        (SMALL + "depth = { direction = 'min' }\n", "expected different names for genes .*, got 'depth' twice"),
        ("[genes]\na = 3\n" + SMALL[8:], "genes.a: expected a list of choices or .*, got 3"),
        ("[genes]\na = []\n" + SMALL[8:], "genes.a: gene 'a': expected distinct choices, at least one"),
        ("[genes]\na = [1, 1]\n" + SMALL[8:], "genes.a: gene 'a': expected distinct choices"),
        ("[genes]\na = [1, [2]]\n" + SMALL[8:], r"genes.a: gene 'a': expected an int .*, got \[2\]"),
        ("[genes]\na = [1, nan]\n" + SMALL[8:], "genes.a: gene 'a': expected .*, got nan"),
        ("[genes]\na = [2020-01-01]\n" + SMALL[8:], "genes.a: gene 'a': expected an int"),
        ("[genes]\na = { choices = [1], wen = 'x' }\n" + SMALL[8:], "genes.a: expected some of .*, got 'wen'"),
        ("[genes]\na = { choices = [1], ordered = 'no' }\n" + SMALL[8:], "genes.a: expected ordered = true or false"),
        ("[genes]\na = { choices = [1], when = 'b >' }\n" + SMALL[8:], "genes.a: gene 'a': expected a condition"),
        (
            "[genes]\na = { choices = [1], when = 'b > 1' }\n" + SMALL[8:],
            "expected a condition on another gene, got 'b'",
        ),
        ("constraints = 'latency <= 3'\n" + SMALL, "constraints: expected a list of texts, got 'latency <= 3'"),
        ("constraints = ['latncy <= 3']\n" + SMALL, r"constraint: expected one of \['error', 'depth'\], got 'latncy'"),
        ("constraints = ['none.py:f']\n" + SMALL, "constraints: .*expected a Python file, found nothing"),
        ("computed = 3\n" + SMALL, "computed: expected a table of functions, got 3"),
        ("computed = { p = 3 }\n" + SMALL, "computed.p: expected FILE.py:FUNCTION, got 3"),
        ("computed = { p = 'code.py:nothing' }\n" + SMALL, "expected a name in .*code.py"),
        ("computed = { p = 'code.py:__name__' }\n" + SMALL, "computed.p: expected a function, got"),
        ("[genes]\ndepth = [1, 2]\ndepth = [3]\n", "expected a TOML file: "),
    ],
)
def test_what_makes_no_sense_is_one_error_that_names_the_file(write, text, message):
    with pytest.raises(InputError, match=f"mine.toml: (.*: )?{message}"):
        read_space_file(write(text))


def test_no_file(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"none\.toml: expected a space file, found nothing"):
        read_space_file(tmp_path / "none.toml")
    with pytest.raises(DataNotFoundError, match="expected a space file, found a folder"):
        read_space_file(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.toml: expected a TOML file"):
        read_space_file(tmp_path / "bytes.toml")


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=5, unique=True))
def test_numbers_have_an_order_whichever_way_they_are_written(choices):
    content = {"genes": {"g": choices}, "objectives": {"error": {"direction": "min"}}}
    (gene,) = space_from(content, "s", None).space.genes
    assert gene.ordered
    assert gene.choices == tuple(sorted(choices))


def test_names_without_objectives(write):
    space = read_space_file(write(SMALL)).space
    with pytest.raises(InputError, match="expected at least one objective, got none"):
        check_names(space, ())
    assert space.genes == (Gene("depth", (1, 2)),)


def test_a_number_of_thousands_of_digits_is_one_error(write):
    with pytest.raises(InputError, match="expected a TOML file"):
        read_space_file(write(f"[genes]\ndepth = [1, {'7' * 5000}]\n"))
