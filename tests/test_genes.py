"""Genes keep what their owner wrote, refuse what they cannot keep, and say when they have an effect."""

from __future__ import annotations

import json
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_moo import Gene, GridSpace, SearchSpace
from rapid_moo.errors import InputError
from rapid_moo.genes import Condition, check_genes, parse_conditions
from rapid_moo.study.forms import gene_from_dict, gene_to_dict

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
CHOICES = st.none() | st.booleans() | NUMBERS | TEXTS


@st.composite
def genes(draw, name="g"):
    choices = draw(st.lists(CHOICES, min_size=1, max_size=6, unique_by=lambda c: c))
    return Gene(name, tuple(choices), ordered=draw(st.none() | st.booleans()), weight=draw(st.floats(0, 10)))


class TestChoices:
    @pytest.mark.parametrize(
        "choices",
        [
            (1, 2),
            (0.1, 0.2, 1e-300),
            ("conv", "dw conv", "a,b", "x=1", ""),
            (False, True),
            (None, "same", 3, 0.5, True),
        ],
    )
    def test_are_kept_as_they_are(self, choices):
        gene = Gene("g", choices)
        assert gene.choices == choices
        assert [type(choice) for choice in gene.choices] == [type(choice) for choice in choices]
        assert [gene.code(choice) for choice in choices] == list(range(len(choices)))

    def test_of_numpy_become_pythons(self):
        gene = Gene("g", np.array([8, 16]))
        assert [type(choice) for choice in gene.choices] == [int, int]
        assert type(Gene("g", (np.float64(0.5), np.bool_(True), np.str_("a"))).choices[0]) is float
        assert gene.code(np.int16(16)) == 1

    @pytest.mark.parametrize(
        "choice",
        [
            (1, 2),
            [3],
            {"a": 1},
            {1},
            b"conv",
            1j,
            object,
            np.nan,
            np.inf,
            2**63,
            "half \ud800",
            np.datetime64("2020"),
        ],
        ids=repr,
    )
    def test_that_cannot_be_kept_are_refused_at_once(self, choice):
        with pytest.raises(InputError, match="gene 'op': expected"):
            Gene("op", ("conv", choice))

    @pytest.mark.parametrize("choices", [(), (1, 1), (1, True), (0, False), (2, 2.0), ("a", "a"), (None, None)])
    def test_are_distinct(self, choices):
        with pytest.raises(InputError, match="gene 'g': expected distinct choices"):
            Gene("g", choices)

    @pytest.mark.parametrize("choices", ["conv", 3, None])
    def test_are_a_sequence(self, choices):
        with pytest.raises(InputError, match=rf"expected a sequence of choices, got {choices!r}"):
            Gene("g", choices)

    @pytest.mark.parametrize("value", [1, 0, "True", None, 2.0, [True], {}, np.array([1, 2]), float("nan"), object])
    def test_code_of_something_else(self, value):
        with pytest.raises(InputError, match=r"gene 'g': expected one of \[False, True, 'on'\]"):
            Gene("g", (False, True, "on")).code(value)

    def test_a_whole_number_is_the_same_choice_as_an_int(self):
        # JSON and data frames turn 4 into 4.0 on their way.
        assert Gene("g", (2, 4)).code(4.0) == 1
        assert Gene("g", (2.0, 4.0)).code(4) == 1

    def test_enums_of_numbers_and_texts_are_what_they_are_equal_to(self):
        class Op(StrEnum):
            CONV = "conv"

        assert Gene("op", (Op.CONV, "mlp")).code("conv") == 0

    def test_thousands_are_made_at_once(self):
        gene = Gene("g", range(20_000))
        assert gene.code(19_999) == 19_999
        assert gene.labels[123] == "123"


class TestNamesAndLabels:
    @pytest.mark.parametrize("name", ["", "  ", 3, None, "half \ud800"])
    def test_a_name_is_a_text(self, name):
        with pytest.raises(InputError, match="gene: expected a"):
            Gene(name, (1, 2))

    @pytest.mark.parametrize("labels", [("a",), ("a", "a"), ("a", "b", "c"), "ab"])
    def test_labels_fit_the_choices(self, labels):
        with pytest.raises(InputError, match="gene 'g': expected"):
            Gene("g", (0, 1), labels)

    @pytest.mark.parametrize("choices", [(1, "1"), (1, "1", '"1"'), (None, "None"), (True, "True"), (0.5, "0.5")])
    def test_a_text_is_told_from_what_looks_like_it(self, choices):
        assert len(set(Gene("g", choices).labels)) == len(choices)

    @given(genes())
    def test_labels_are_distinct(self, gene):
        assert len(set(gene.labels)) == len(gene.choices)

    @pytest.mark.parametrize("weight", [-1, np.nan, np.inf, "2", None])
    def test_weight(self, weight):
        with pytest.raises(InputError, match="gene 'g': expected a weight"):
            Gene("g", (0, 1), weight=weight)


class TestOrder:
    @pytest.mark.parametrize(
        ("choices", "ordered"),
        [
            ((1, 2, 4), True),
            ((0.1, 0.01, 0.001), True),
            ((1, 2.5), True),
            ((3, 1, 2), False),
            (("a", "b"), False),
            ((False, True), False),
            ((None, 1, 2), False),
            ((7,), True),
        ],
    )
    def test_default(self, choices, ordered):
        assert Gene("g", choices).ordered is ordered

    def test_stated(self):
        assert Gene("g", (1, 2), ordered=False).ordered is False
        assert Gene("g", ("small", "large"), ordered=True).ordered is True

    def test_is_yes_or_no(self):
        with pytest.raises(InputError, match="expected ordered to be True or False, got 'no'"):
            Gene("g", (1, 2), ordered="no")


class TestConditions:
    @pytest.mark.parametrize(
        ("when", "conditions"),
        [
            ("depth >= 3", [("depth", ">=", (3,))]),
            ("depth>=3", [("depth", ">=", (3,))]),
            ("depth < 2.5e-1", [("depth", "<", (0.25,))]),
            ("op in {conv, mlp}", [("op", "in", ("conv", "mlp"))]),
            ("op in [conv]", [("op", "in", ("conv",))]),
            ("op == conv", [("op", "in", ("conv",))]),
            ("op = 'conv'", [("op", "in", ("conv",))]),
            ("op != None", [("op", "!=", (None,))]),
            ("use == True", [("use", "in", (True,))]),
            ("use == true", [("use", "in", (True,))]),
            ('"my op" in {"dw conv", "a, b"}', [("my op", "in", ("dw conv", "a, b"))]),
            ('op == "this and that"', [("op", "in", ("this and that",))]),
            ("op in {conv} and depth > 1", [("op", "in", ("conv",)), ("depth", ">", (1,))]),
            ({"op": "conv"}, [("op", "in", ("conv",))]),
            ({"depth": [4, 8]}, [("depth", "in", (4, 8))]),
            ({"depth": ">= 3", "op": "conv"}, [("depth", ">=", (3,)), ("op", "in", ("conv",))]),
            ({"skip": None}, [("skip", "in", (None,))]),
            (None, []),
        ],
    )
    def test_are_read(self, when, conditions):
        found = parse_conditions(when, "gene")
        assert [(c.gene, c.relation, c.values) for c in found] == conditions
        assert [[type(v) for v in c.values] for c in found] == [
            [type(v) for v in values] for _, _, values in conditions
        ]

    @pytest.mark.parametrize(
        "when",
        ["depth", "depth >= deep", ">= 3", "depth >=", 3, [3], {"op": []}, {"op": object}, "", "op not in {a}"],
    )
    def test_that_cannot_be_read_are_one_error(self, when):
        with pytest.raises(InputError, match="gene 'g'"):
            Gene("g", (1, 2), when=when)

    @given(st.text(min_size=1, alphabet='ab "\\,{}=<é\n').filter(str.strip), st.lists(TEXTS | NUMBERS, min_size=1))
    def test_text_of_one_is_read_again(self, name, values):
        condition = Condition(name, "in", tuple(values))
        assert parse_conditions(str(condition), "gene") == (condition,)

    @pytest.mark.parametrize(
        ("when", "message"),
        [
            ("width > 1", "expected a condition on another gene, got 'width'"),
            ("self > 1", "expected a condition on another gene, got 'self'"),
            ("op > 1", "expected numbers as choices of 'op'"),
            ("op == pool", r"expected choices of 'op', \['conv', 'mlp'\], got 'pool'"),
            ("depth > 8", "expected a condition that some choice of 'depth' meets, got depth > 8"),
            ("use == 1", "got 1"),
        ],
    )
    def test_fit_the_other_genes(self, when, message):
        others = [Gene("depth", (2, 4, 8)), Gene("op", ("conv", "mlp")), Gene("use", (False, True))]
        with pytest.raises(InputError, match=f"toy: gene 'self': {message}|{message}"):
            check_genes("toy", [*others, Gene("self", (1, 2), when=when)], -1)

    def test_in_a_circle_are_refused(self):
        with pytest.raises(InputError, match="without a circle"):
            GridSpace("s", [Gene("a", (1, 2), when="b > 1"), Gene("b", (1, 2), when="a > 1")])

    def test_may_come_before_what_they_depend_on(self):
        space = GridSpace("s", [Gene("k", (3, 5), when="op == conv"), Gene("op", ("conv", "mlp"))])
        assert [space.to_dict(x) for x in space.enumerate()] == [
            {"k": 3, "op": "conv"},
            {"op": "mlp"},
            {"k": 5, "op": "conv"},
        ]

    def test_hold_through_inactive_genes(self):
        chain = GridSpace(
            "s",
            [Gene("a", (0, 1)), Gene("b", (0, 1), when="a == 1"), Gene("c", (0, 1), when="b == 0")],
        )
        # Where b is inactive its code is 0, but nothing depends on what has no effect.
        assert [chain.to_dict(x) for x in chain.enumerate()] == [
            {"a": 0},
            {"a": 1, "b": 0, "c": 0},
            {"a": 1, "b": 0, "c": 1},
            {"a": 1, "b": 1},
        ]


class TestSpacesRefuse:
    def test_two_genes_of_one_name(self):
        with pytest.raises(InputError, match="expected distinct gene names, got 'depth' twice"):
            GridSpace("s", [Gene("depth", (1, 2)), Gene("depth", (3, 4))])

    @pytest.mark.parametrize("kind", [tuple, list])
    def test_them_in_a_class_when_it_is_defined(self, kind):
        with pytest.raises(InputError, match="expected distinct gene names, got 'depth' twice"):
            type("Bad", (SearchSpace,), {"name": "bad", "genes": kind([Gene("depth", (1, 2)), Gene("depth", (3,))])})

    @pytest.mark.parametrize("choice", [-1, -1.0])
    def test_a_choice_that_says_inactive(self, choice):
        genes = [Gene("op", ("conv", "mlp")), Gene("shift", (choice, 2), when="op == conv")]
        with pytest.raises(InputError, match="'shift': expected no choice -1 beside a condition"):
            GridSpace("s", genes)
        assert GridSpace("s", [Gene("shift", (choice, 2))]).size == 2

    def test_no_genes(self):
        with pytest.raises(InputError, match="expected at least one gene"):
            GridSpace("s", [])


@given(genes())
def test_json_form_of_a_gene(gene):
    again = gene_from_dict(json.loads(json.dumps(gene_to_dict(gene))))
    assert again == gene
    assert [type(choice) for choice in again.choices] == [type(choice) for choice in gene.choices]


def test_json_form_of_a_gene_with_conditions():
    gene = Gene("k", (3, 5), ("three", "five"), False, 2.0, 'op in {"dw conv", mlp} and depth >= 2 and skip != None')
    assert gene_from_dict(json.loads(json.dumps(gene_to_dict(gene)))) == gene
