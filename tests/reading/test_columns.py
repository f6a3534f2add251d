"""Genes in columns: their choices, their order, when they are active; and what is no gene."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rapid_moo import Gene, GridSpace, Objective, get_problem, open_table
from rapid_moo.errors import InputError
from rapid_moo.reading import Reading

GOALS = "a:min,b:min"


def opened(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return open_table(path, objectives=GOALS, **options)


def column(tmp_path, *cells):
    """The gene of a column of text, beside another gene that makes rows differ."""
    rows = "".join(f"{cell},{i % 2},{i},{-i}\n" for i, cell in enumerate([*cells, *cells]))
    return opened(tmp_path, f"k,l,a,b\n{rows}").space.genes[0]


@pytest.mark.parametrize(
    ("cells", "choices", "ordered"),
    [
        (("3", "5", "3"), (3, 5), True),
        (("7", "-1", "5"), (-1, 5, 7), True),
        (("3.0", "5.0"), (3, 5), True),
        (("0.5", "1", "2.5"), (0.5, 1.0, 2.5), True),
        (("1e-3", "3e-4"), (3e-4, 1e-3), True),
        (("007", "010"), ("007", "010"), False),
        (("conv", "mlp"), ("conv", "mlp"), False),
        (("true", "False", "TRUE"), (False, True), False),
        (("3", "auto"), (3, "auto"), False),
        (("true", "1"), ("1", "true"), False),
        (("none", "None"), ("None", "none"), False),
        (("3x3", "5x5"), ("3x3", "5x5"), False),
        (("12345678901234567890", "1"), (1, "12345678901234567890"), False),
    ],
)
def test_choices_of_text(cells, choices, ordered, tmp_path):
    gene = column(tmp_path, *cells)
    assert gene.choices == choices
    assert [type(choice) for choice in gene.choices] == [type(choice) for choice in choices]
    assert gene.ordered is ordered


def test_types_of_a_frame_are_kept():
    frame = pd.DataFrame({"k": ["3", "5", "3"], "l": [1.0, 2.0, np.nan], "m": [True, False, False], "n": [0.5, 1, 2]})
    frame[["a", "b"]] = [[1, 2], [2, 1], [3, 3]]
    genes = open_table(frame, objectives=GOALS).space.genes
    assert [gene.choices for gene in genes] == [("3", "5"), (1, 2, None), (False, True), (0.5, 1.0, 2.0)]


def test_categorical_numbers_have_no_order(tmp_path):
    text = "k,op,a,b\n3,0,1,2\n5,1,2,1\n5,2,3,3\n"
    genes = opened(tmp_path, text, categorical="op").space.genes
    assert [gene.ordered for gene in genes] == [True, False]
    with pytest.raises(InputError, match=r"--categorical.*'width'"):
        opened(tmp_path, text, categorical=["width"])


def test_categorical_positions_of_vectors(tmp_path):
    text = 'vector,a,b\n"[0, 1]",1,2\n"[1, 3]",2,1\n"[2, 1]",3,3\n'
    assert [gene.ordered for gene in opened(tmp_path, text, categorical="g0").space.genes] == [False, True]
    with pytest.raises(InputError, match="without a known space"):
        open_table("digits", categorical="g0")


def test_named_genes_alone_are_genes(tmp_path):
    text = "k,op,note,params,a,b\n3,x,fine,10.5,1,2\n5,y,odd,11.5,2,1\n3,y,,12.5,3,3\n"
    for options in ({"genes": "k,op"}, {"genes": ["k", "op"]}, {"ignore": ["note", "params"]}):
        table = opened(tmp_path, text, **options)
        assert [gene.name for gene in table.space.genes] == ["k", "op"]
        assert table.further["params"].tolist() == [10.5, 11.5, 12.5]
        assert "note" not in table.further
    with pytest.raises(InputError, match=r"column 'width' for --genes"):
        opened(tmp_path, text, genes="k,width")
    with pytest.raises(InputError, match=r"'a' either as a gene or as an objective"):
        opened(tmp_path, text, genes="k,a")


# ---------------------------------------------------------------- empty cells
def test_a_gene_is_active_where_another_says_so(tmp_path):
    table = opened(tmp_path, "op,kernel,a,b\nconv,3,1,2\nconv,5,2,1\nmlp,,3,3\npool,,4,4\n")
    assert [str(condition) for condition in table.space.genes[1].when] == ['op in {"conv"}']
    assert table.space.size == 4
    assert [table.space.to_dict(x) for x in table.X] == [
        {"op": "conv", "kernel": 3},
        {"op": "conv", "kernel": 5},
        {"op": "mlp"},
        {"op": "pool"},
    ]


def test_layers_beyond_the_depth_are_inactive(tmp_path):
    rows = [(d, *(w if k < d else "" for k, w in enumerate(ws))) for d in (1, 2, 3) for ws in ((8, 8, 8), (16, 16, 8))]
    text = "depth,w1,w2,w3,a,b\n" + "".join(f"{','.join(map(str, row))},{i},{-i}\n" for i, row in enumerate(rows))
    table = opened(tmp_path, text)
    assert [str(gene.when[0]) if gene.when else "" for gene in table.space.genes] == [
        "",
        "",
        "depth >= 2",
        "depth >= 3",
    ]
    assert len(table) == 6


def test_emptiness_that_nothing_explains_is_a_choice(tmp_path):
    table = opened(tmp_path, "op,kernel,a,b\nconv,3,1,2\nconv,,2,1\nmlp,,3,3\nmlp,5,4,4\n")
    assert table.space.genes[1].choices == (3, 5, None)
    assert len(table) == 4
    assert table.space.to_dict(table.X[1]) == {"op": "conv", "kernel": None}


def test_a_choice_of_minus_one_beside_empty_cells(tmp_path):
    table = opened(tmp_path, "op,kernel,a,b\nconv,-1,1,2\nconv,5,2,1\nmlp,,3,3\n")
    assert table.space.genes[1].choices == (-1, 5, None)


def test_two_genes_that_are_empty_together(tmp_path):
    table = opened(tmp_path, "k,l,m,a,b\n1,1,x,1,2\n,,y,2,1\n2,1,x,3,3\n1,2,x,4,4\n")
    assert [len(gene.when) for gene in table.space.genes] == [1, 1, 0]
    assert len(table) == 4


# ---------------------------------------------------------------- whole architectures
@pytest.mark.parametrize(
    "cells",
    [
        ["[3, 2]", "[3, 1]", "[5, 2]"],
        ["[3 2]", "[3 1]", "[5 2]"],
        ["3-2", "3-1", "5-2"],
        ["3_2", "3_1", "5_2"],
        ["(3, 2)", "(3, 1)", "(5, 2)"],
    ],
)
@pytest.mark.parametrize("name", ["vector", "arch"])
@pytest.mark.parametrize("stated", [True, False])
def test_vectors(cells, name, stated, tmp_path):
    if cells[0][0] == "(" and name == "vector" and not stated:
        pytest.skip("brackets are what a vector has unless stated")
    frame = pd.DataFrame({name: cells, "a": [1, 2, 3], "b": [3, 2, 2]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    table = open_table(tmp_path / "table.csv", objectives=GOALS, **({"vector": name} if stated else {}))
    assert table.space.decode(table.X).tolist() == [[3, 2], [3, 1], [5, 2]]


def test_digits_are_genes_when_told(tmp_path):
    for cells in (["[0121]", "[0011]", "[2101]"], ["0121", "0011", "2101"]):
        text = "vector,a,b\n" + "".join(f"{cell},{i},{-i}\n" for i, cell in enumerate(cells))
        with pytest.raises(InputError, match="--vector vector"):
            opened(tmp_path, text)
        table = opened(tmp_path, text, vector="vector")
        assert table.space.decode(table.X).tolist() == [[0, 1, 2, 1], [0, 0, 1, 1], [2, 1, 0, 1]]
    with pytest.raises(InputError, match=r"row 2.*expected 2 digits like the first row, got 3"):
        opened(tmp_path, "vector,a,b\n12,1,2\n123,1,2\n", vector="vector")


@pytest.mark.parametrize("cell", ["[{}]", "{}"])
@pytest.mark.parametrize("name", ["vector", "arch"])
def test_one_number_of_several_digits_is_no_gene_unless_told(name, cell, tmp_path):
    digits = [f"{a}{b}{c}" for a in (3, 5, 7) for b in (1, 2) for c in (0, 1)] * 2
    text = f"{name},a,b\n" + "".join(f"{cell.format(number)},{i},{-i}\n" for i, number in enumerate(digits))
    with pytest.raises(InputError, match=rf"--vector {name}"):
        opened(tmp_path, text)
    assert opened(tmp_path, text, vector=name).space.n_var == 3
    assert opened(tmp_path, text, genes=name).space.n_var == 1


@pytest.mark.parametrize("widths", [[64, 128, 256, 512], [*range(112, 257, 16)], [100, 150, 200, 300, 400, 600, 800]])
def test_one_gene_of_widths_is_a_gene(widths, tmp_path):
    text = "width,a,b\n" + "".join(f"{width},{i},{-i}\n" for i, width in enumerate(widths * 2))
    assert opened(tmp_path, text).space.genes[0].choices == tuple(widths)


@pytest.mark.parametrize("write", [repr, lambda value: str(value).replace("'", '"').replace("None", "null")])
def test_dicts(write, tmp_path):
    dicts = [{"ks": [3, 5], "op": "x"}, {"ks": [3], "op": "y"}, {"ks": [5, 5], "op": None}, {"ks": [5, 5], "op": "x"}]
    pd.DataFrame({"cfg": map(write, dicts), "a": [1, 2, 3, 4], "b": [3, 2, 2, 1]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    table = open_table(tmp_path / "t.csv", objectives=GOALS)
    assert [gene.name for gene in table.space.genes] == ["ks0", "ks1", "op"]
    assert table.space.to_dict(table.X[2]) == {"ks0": 5, "ks1": 5, "op": None}
    assert len(table) == 4


def test_lists_of_words_in_the_column_vector(tmp_path):
    table = opened(tmp_path, "vector,a,b\n\"['conv', 3]\",1,2\n\"['mlp', 5]\",2,1\n")
    assert [(gene.name, gene.choices) for gene in table.space.genes] == [("g0", ("conv", "mlp")), ("g1", (3, 5))]


def test_a_column_beside_a_vector_that_may_be_a_gene(tmp_path):
    with pytest.raises(InputError, match=r"rows 1 and 2 are the same in 'ks' but differ in 'depth'.*--genes"):
        opened(tmp_path, 'ks,depth,a,b\n"[3, 5]",2,1,2\n"[3, 5]",3,2,1\n')
    table = opened(tmp_path, 'ks,depth,a,b\n"[3, 5]",2,1,2\n"[3, 5]",3,2,1\n', genes="ks,depth")
    assert [gene.name for gene in table.space.genes] == ["ks0", "ks1", "depth"]


NO_GENES = {
    "leading zeros": ("vector,a,b\n[02012100],1,2\n[02012101],2,1\n", "--vector vector"),
    "an empty element": ('vector,a,b\n"[1,,1]",1,2\n"[1,2,1]",2,1\n', "an element is empty"),
    "one architecture": ("vector,a,b\n[17],1,2\n[17],2,1\n[17],3,3\n", "the same architecture in all of 3 rows"),
    "numbers of rows": ("vector,a,b\n[17],1,2\n[18],2,1\n[19],3,3\n", "a choice of its own in each of 3 rows"),
    "digits": ("vector,a,b\n[2101],1,2\n[1121],2,1\n[1201],3,3\n", "--vector vector"),
    "one column of names": ("net,a,b\nn1,1,2\nn2,2,1\nn3,3,3\n", "'net': expected genes"),
    "names": ("net,k,a,b\n" + "".join(f"n{i},{i % 3},{i},{i}\n" for i in range(6)), "--ignore net"),
    "a measurement": ("k,mem,a,b\n" + "".join(f"{i % 3},{i / 7},{i},{i}\n" for i in range(30)), "--ignore mem"),
    "an empty column": ("k,l,a,b\n1,,1,2\n2,,2,1\n", "'l': expected a gene's choices"),
    "lists in part": ('k,l,a,b\n1,"[1, 2]",1,2\n2,x,2,1\n', "row 2, column 'l'"),
    "no genes": ("a,b\n1,2\n2,1\n", "expected genes"),
    "a repeated column": ("k,k,a,b\n1,2,1,2\n2,1,2,1\n", "column 'k' once"),
}


@pytest.mark.parametrize("case", NO_GENES)
def test_no_genes(case, tmp_path):
    text, said = NO_GENES[case]
    with pytest.raises(InputError, match=r"^[^\n]*table\.csv: ") as caught:
        opened(tmp_path, text)
    assert said in str(caught.value)


def test_named_genes_may_differ_in_every_row(tmp_path):
    text = "lr,k,a,b\n" + "".join(f"{i / 7},{i % 3},{i},{i}\n" for i in range(30))
    assert len(opened(tmp_path, text, genes="lr,k").space.genes[0].choices) == 30


# ---------------------------------------------------------------- known spaces
SPACE = GridSpace(
    "known",
    [
        Gene("k", (3, 5, 7)),
        Gene("op", (0, 1, 2), ("conv", "dw", "skip"), ordered=False),
        Gene("w", (8, 16), when="op != 2"),
    ],
    [Objective("a", "min"), Objective("b", "min")],
)


@pytest.mark.parametrize("op", [("conv", "skip", "dw"), ("0", "2", "1")])
def test_columns_named_like_the_genes_of_a_space(op, tmp_path):
    text = f"w,k,op,a,b,more\n8,3,{op[0]},1,2,0\n,7,{op[1]},2,1,1\n16,3,{op[2]},3,3,2\n"
    table = opened(tmp_path, text, space=SPACE)
    assert table.space is SPACE
    assert [SPACE.to_string(x) for x in table.X] == ["k=3 op=conv w=8", "k=7 op=skip", "k=3 op=dw w=16"]
    assert list(table.further) == ["more"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("8,4,conv", r"row 1, column 'k': expected one of \[3, 5, 7\], got 4"),
        ("8,3,pool", r"row 1, column 'op': expected one of \[0, 1, 2\] or \['conv', 'dw', 'skip'\], got 'pool'"),
        (",3,conv", r"row 1, column 'w': expected a choice, got an empty cell"),
    ],
)
def test_values_that_a_space_does_not_have(row, said, tmp_path):
    with pytest.raises(InputError, match=said):
        opened(tmp_path, f"w,k,op,a,b\n{row},1,2\n8,3,conv,2,1\n", space=SPACE)


def test_vectors_of_a_space_with_words(tmp_path):
    words = GridSpace(
        "words", [Gene("op", ("conv", "mlp")), Gene("k", (3, 5), when="op == conv"), Gene("w", (0.5, 1.5))]
    )
    text = 'vector,a,b\n"[""conv"", 3, 0.5]",1,2\n"[""mlp"", null, 1.5]",2,1\n"[""conv"", 5, 1.5]",3,3\n'
    table = opened(tmp_path, text, space=words)
    assert [words.to_string(x) for x in table.X] == ["op=conv k=3 w=0.5", "op=mlp w=1.5", "op=conv k=5 w=1.5"]


def test_a_column_called_vector_that_is_something_else(tmp_path):
    text = "k,vector,a,b\n1,0.5,1,2\n2,0.25,2,1\n1,0.75,3,3\n"
    assert [gene.name for gene in opened(tmp_path, text, ignore="vector").space.genes] == ["k"]
    path = tmp_path / "table.csv"
    assert open_table(path, objectives="vector:min,a:min", ignore="b").raw[1].tolist() == [0.25, 2.0]


def test_a_space_whose_genes_are_no_columns(tmp_path):
    with pytest.raises(InputError, match="one for each gene of known"):
        opened(tmp_path, "k,op,a,b\n3,conv,1,2\n", space=SPACE)


# ---------------------------------------------------------------- the door
def test_a_frame_is_a_problem():
    frame = pd.DataFrame({"op": ["conv", "mlp"], "depth": [1, 2], "err": [3.0, 2.0], "lat": [1.0, 2.0]})
    problem = get_problem(frame, objectives={"err": "min", "lat": "min"}, constraints="depth < 2")
    assert problem.pareto_front().tolist() == [[3.0, 1.0]]
    with pytest.raises(InputError, match="'gens'"):
        get_problem(frame, objectives="err:min,lat:min", gens="op")


def test_a_file_is_a_problem(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("op,k,a,b\nx,1,1,2\ny,2,2,1\nx,2,,3\n")
    assert get_problem(path, objectives=GOALS, genes="op,k", drop_missing=True).front_kind == "reference"
    with pytest.raises(InputError, match="'gens'"):
        get_problem(str(path), objectives=GOALS, gens="op")


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        ('"Top-1, val (%)":max,lat:min', ["Top-1, val (%)", "lat"]),
        ("'a:b':min , Top-1 [%]:MAX", ["a:b", "Top-1 [%]"]),
        ({"x, y": "min", "z": "max"}, ["x, y", "z"]),
        ((Objective("p", "min"), Objective("q", "max")), ["p", "q"]),
    ],
)
def test_names_of_objectives(stated, names):
    frame = pd.DataFrame({"k": [1, 2, 1], "l": [1, 1, 2]} | {name: [1.0, 2.0, 3.0] for name in names})
    assert [objective.name for objective in open_table(frame, objectives=stated).objectives] == names


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("a, b:min,c:min", "got 'a'"),
        ('"a:min,b:min', "got"),
        ({"a": "up", "b": "min"}, "'up'"),
        ({"a": "min"}, "at least two"),
        (["a:min", "b:min"], "expected 'COLUMN:min"),
        (7, "got 7"),
    ],
)
def test_what_is_no_objective(stated, said):
    with pytest.raises(InputError, match=said):
        open_table(pd.DataFrame({"k": [1, 2], "a": [1, 2], "b": [1, 2]}), objectives=stated)


@pytest.mark.parametrize(
    "options",
    [
        {"genes": "k", "vector": "k"},
        {"drop_missing": True, "keep_partial": True},
        {"decimal": ";"},
        {"genes": 5.5j},
        {"join": 5},
        {"drop_missing": "yes"},
        {"nonsense": 1},
    ],
)
def test_options_that_make_no_sense(options):
    with pytest.raises(InputError):
        Reading.of(**options)
