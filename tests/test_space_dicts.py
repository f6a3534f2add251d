"""An architecture is a dict of active genes: to and from dicts and texts, sizes, samples and what is computed."""

from __future__ import annotations

import copy
import json
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_moo import Gene, GridSpace, Objective, SearchSpace
from rapid_moo.errors import InputError
from rapid_moo.testing import check_space

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
CHOICES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
).filter(lambda choice: choice != -1)


@st.composite
def spaces(draw, max_genes=6):
    """Spaces of any choices, each gene on a condition of up to two others that come before it."""
    names = draw(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=max_genes, unique=True))
    genes = []
    for name in names:
        choices = tuple(draw(st.lists(CHOICES, min_size=1, max_size=3, unique=True)))
        when = {}
        for parent in draw(st.lists(st.sampled_from(genes), max_size=2, unique_by=id) if genes else st.just([])):
            when[parent.name] = draw(st.lists(st.sampled_from(parent.choices), min_size=1, unique=True))
        genes.append(Gene(name, choices, when={n: [*v] for n, v in when.items()} or None))
    return GridSpace("any", draw(st.permutations(genes)))


def conditional():
    return GridSpace(
        "net",
        [
            Gene("depth", (1, 2, 4)),
            Gene("op", ("conv", "dw conv", "x=1, y", "")),
            Gene("kernel", (3, 5), when={"op": ["conv", "dw conv"]}),
            Gene("lr", (1e-3, 3e-3), when="depth >= 2"),
            Gene("bias", (True, False, None)),
        ],
        [Objective("error", "min"), Objective("params", "min")],
        {Objective("params", "min"): lambda a: a["depth"] * a.get("kernel", 1)},
    )


class TestBothWays:
    @given(spaces(), st.integers(0, 2**32))
    def test_dicts(self, space, seed):
        x = space.repair(np.random.default_rng(seed).integers(0, space.n_choices))[0]
        architecture = space.to_dict(x)
        assert (space.from_dict(architecture) == x).all()
        assert (space.from_dict(dict(reversed(architecture.items()))) == x).all()
        assert (space.from_dict(json.loads(json.dumps(architecture))) == x).all()
        for name, value in architecture.items():
            (gene,) = [gene for gene in space.genes if gene.name == name]
            assert any(type(value) is type(choice) and value == choice for choice in gene.choices)

    @given(spaces(), st.integers(0, 2**32))
    def test_texts(self, space, seed):
        x = space.repair(np.random.default_rng(seed).integers(0, space.n_choices))[0]
        text = space.to_string(x)
        assert "\n" not in text
        assert (space.from_string(text) == x).all()

    @given(spaces(), st.integers(0, 2**32))
    def test_vectors(self, space, seed):
        X = space.repair(np.random.default_rng(seed).integers(0, space.n_choices, size=(4, space.n_var)))
        assert (space.encode(space.decode(X)) == X).all()

    @given(spaces())
    @settings(max_examples=30)
    def test_everything_else_that_a_space_promises(self, space):
        feature_names = space.feature_names
        if len(set(feature_names)) == len(feature_names):  # a gene "a" with label "b" may look like a gene "a=b"
            check_space(space, n=10)

    def test_of_a_space_with_conditions(self):
        check_space(conditional())

    def test_texts_keep_spaces_commas_and_equals(self):
        space = conditional()
        x = space.from_dict({"depth": 1, "op": "x=1, y", "bias": None})
        assert space.to_string(x) == 'depth=1 op="x=1, y" bias=None'
        assert space.from_string('bias=None  op="x=1, y"\tdepth=1').tolist() == x.tolist()
        assert space.to_string(space.from_dict({"depth": 1, "op": "", "bias": True})) == 'depth=1 op="" bias=True'


class TestRefused:
    @pytest.mark.parametrize(
        ("architecture", "message"),
        [
            ({"depth": 1, "op": ""}, "expected a choice for gene 'bias', got none"),
            ({"op": "", "bias": True}, "expected a choice for gene 'depth', got none"),
            ({"depth": 2, "op": "", "bias": True}, "expected a choice for gene 'lr', got none"),
            ({}, "expected a choice for gene 'depth', got none"),
            ({"depth": 1, "op": "", "bias": True, "kernel": 3}, "gene 'kernel' is inactive"),
            ({"depth": 1, "op": "", "bias": True, "kernel": 4}, r"gene 'kernel': expected one of \[3, 5\], got 4"),
            ({"depth": 3, "op": "", "bias": True}, r"gene 'depth': expected one of \[1, 2, 4\], got 3"),
            ({"depth": "1", "op": "", "bias": True}, "got '1'"),
            ({"depth": 1, "op": "", "bias": 1}, r"gene 'bias': expected one of \[True, False, None\], got 1"),
            ({"depth": 1, "op": [""], "bias": True}, r"got \[''\]"),
            ({"depht": 1, "op": "", "bias": True}, "expected genes .*, got 'depht'"),
            ([0, 0, 0, 0, 0], "expected a dict of genes"),
            ("depth=1", "expected a dict of genes"),
            (None, "expected a dict of genes"),
        ],
    )
    def test_dicts(self, architecture, message):
        with pytest.raises(InputError, match=f"net: {message}|{message}"):
            conditional().from_dict(architecture)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expected a choice for gene 'depth', got none"),
            ("depth=1 op=conv", "expected a choice for gene 'kernel', got none"),
            ('depth=1 op="" bias=True kernel=3', "gene 'kernel' is inactive"),
            ('depth=1 depth=1 op="" bias=True', "cannot read depth=1"),
            ("depth=3", "cannot read depth=3"),
            ("width=3", "cannot read width=3"),
            ("depth", "cannot read 'depth'"),
            ("depth=1 op=x=1, y bias=None", "cannot read"),
            ('depth=1 op="x=1', "cannot read"),
            ('depth=1 op="\\q" bias=None', "cannot read"),
        ],
    )
    def test_texts(self, text, message):
        with pytest.raises(InputError, match=message):
            conditional().from_string(text)

    @pytest.mark.parametrize(
        ("codes", "message"),
        [
            ([[0, 0, 0, 0, 3]], r"row 0, gene 'bias': expected a code in 0\.\.2, got 3"),
            ([[0, 0, 0, 0, 0], [0, -1, 0, 0, 0]], r"row 1, gene 'op': expected a code in 0\.\.3, got -1"),
            ([[0.5, 0, 0, 0, 0]], "expected integer codes"),
            ([[np.nan, 0, 0, 0, 0]], "expected integer codes"),
            ([[np.inf, 0, 0, 0, 0]], "expected integer codes"),
            ([[1e300, 0, 0, 0, 0]], "expected integer codes"),
            ([["conv", 0, 0, 0, 0]], "expected integer codes"),
            ([[None, 0, 0, 0, 0]], "expected integer codes"),
            ([[0, 0, 0, 0]], r"expected genotypes of shape \(n, 5\), got \(1, 4\)"),
            ([[[0, 0, 0, 0, 0]]], "expected genotypes of shape"),
            ([[0, 0, 0, 0, 0], [0, 0]], "expected rows of 5 codes"),
            ([], "expected genotypes of shape"),
        ],
    )
    def test_codes_are_not_clipped(self, codes, message):
        with pytest.raises(InputError, match=message):
            conditional().repair(codes)

    def test_two_architectures_as_one(self):
        with pytest.raises(InputError, match="expected one genotype, got 2"):
            conditional().to_dict(np.zeros((2, 5)))


class TestSize:
    @given(spaces())
    def test_is_the_number_of_what_is_enumerated(self, space):
        members = space.enumerate()
        assert len(members) == space.size
        assert len(set(space.keys(members))) == space.size
        drawn = space.sample(space.size, 0)
        assert set(space.keys(drawn)) == set(space.keys(members))

    def test_of_chains_and_of_conditions_on_conditions_is_counted_quickly(self):
        layers = [Gene("op1", ("conv", "pool", "none"))]
        layers += [Gene(f"op{k}", ("conv", "pool", "none"), when=f"op{k - 1} != none") for k in range(2, 31)]
        # A network of n layers ends with "none", or is 30 layers long.
        assert GridSpace("chain", layers).size == sum(2**n for n in range(30)) + 2**30
        blocks = [Gene("depth", tuple(range(1, 21)))]
        for k in range(1, 21):
            blocks.append(Gene(f"op{k}", ("conv", "mlp", "pool"), when=f"depth >= {k}"))
            blocks.append(Gene(f"kernel{k}", (3, 5), when=f"op{k} == conv"))
        start = time.perf_counter()
        assert GridSpace("blocks", blocks).size == sum(4**n for n in range(1, 21))
        assert time.perf_counter() - start < 5.0

    def test_of_two_conditions_on_one_gene(self):
        genes = [
            Gene("a", (1, 2, 3, 4)),
            Gene("b", ("x", "y")),
            Gene("c", (0, 1, 2), when="a >= 2 and a < 4 and b == x"),
        ]
        assert GridSpace("s", genes).size == len(GridSpace("s", genes).enumerate()) == 2 * 3 + 6

    def test_beyond_what_can_be_listed_is_exact(self):
        space = GridSpace("s", [Gene(f"g{k}", tuple(range(10))) for k in range(30)])
        assert space.size == 10**30
        with pytest.raises(InputError, match="too many to enumerate"):
            space.enumerate()


class TestSample:
    @pytest.mark.parametrize("n_genes", [6, 7, 9])
    def test_of_a_large_space_is_quick_and_distinct(self, n_genes):
        space = GridSpace("s", [Gene(f"g{k}", tuple(range(10))) for k in range(n_genes)])
        start = time.perf_counter()
        drawn = space.sample(5_000, 0)
        assert time.perf_counter() - start < 2.0
        assert len(set(space.keys(drawn))) == 5_000

    def test_of_nearly_all_of_a_large_space_is_complete(self):
        # Drawing genes one by one, the last architectures would hardly ever come.
        genes = [Gene("kind", tuple(range(100))), *(Gene(f"g{k}", (0, 1), when="kind == 0") for k in range(12))]
        space = GridSpace("s", genes)
        assert space.n_genotypes > 200_000
        drawn = space.sample(space.size, 0)
        assert len(drawn) == space.size == 99 + 2**12

    def test_of_more_than_there_is(self):
        assert len(conditional().sample(10_000, 0)) == conditional().size

    def test_of_a_negative_number(self):
        with pytest.raises(InputError, match="expected a number of architectures, got -1"):
            conditional().sample(-1)


class TestComputed:
    def test_functions_get_the_dict_of_active_genes(self):
        space = conditional()
        x = space.from_dict({"depth": 4, "op": "conv", "kernel": 5, "lr": 1e-3, "bias": None})
        assert space.compute(x, "params").tolist() == [20.0]
        assert space.compute(space.from_dict({"depth": 1, "op": "", "bias": True}), "params").tolist() == [1.0]

    @pytest.mark.parametrize("value", [None, "12", float("nan"), float("inf"), [1, 2], {}])
    def test_what_is_no_number_is_one_error(self, value):
        space = GridSpace("s", [Gene("a", (1, 2))], (), {Objective("params", "min"): lambda a: value})
        with pytest.raises(InputError, match="s: computed 'params': expected a finite number, got"):
            space.compute([[0]], "params")

    def test_functions_are_asked_once_for_each_architecture(self):
        calls = []
        count = {Objective("params", "min"): lambda a: calls.append(a) or a["a"]}
        space = GridSpace("s", [Gene("a", (1, 2)), Gene("b", (3, 4), when="a == 2")], (), count)
        found = [space.compute([[0, 0], [0, 1], [1, 1], [0, 0]], "params").tolist() for _ in range(3)]
        assert found == [[1.0, 1.0, 2.0, 1.0]] * 3
        assert calls == [{"a": 1}, {"a": 2, "b": 4}]
        assert space.compute(np.empty((0, 2)), "params").shape == (0,)

    def test_what_the_function_raises_comes_as_it_is(self):
        space = GridSpace("s", [Gene("a", (1, 2))], (), {Objective("params", "min"): lambda a: a["b"]})
        with pytest.raises(KeyError, match="b"):
            space.compute([[0]], "params")


def params(architecture):
    return architecture["a"]


def test_a_space_survives_pickling_and_copying():
    genes = [Gene("a", (1, 2)), Gene("b", ("x", None), when="a == 2")]
    space = GridSpace("s", genes, (), {Objective("params", "min"): params})
    assert space.compute(space.enumerate(), "params").tolist() == [1.0, 2.0, 2.0]
    for other in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert other.genes == space.genes
        assert other.compute(other.enumerate(), "params").tolist() == [1.0, 2.0, 2.0]
        assert other.size == 3


class Floats(SearchSpace):
    name = "floats"
    genes = (Gene("depth", (1, 2, 3)), Gene("dropout", (0.0, 0.1)), Gene("op", ("conv", "skip"), ordered=False))


def test_vectors_of_a_space_of_floats_and_texts_hold_the_choices_themselves():
    assert Floats().decode([[1, 1, 0]]).tolist() == [[2, 0.1, "conv"]]
    assert Floats().encode([[2, 0.1, "conv"], (1, 0, "skip")]).tolist() == [[1, 1, 0], [0, 0, 1]]
    with pytest.raises(InputError, match="row 2: floats: gene 'dropout'"):
        Floats().encode([[2, 0.1, "conv"], [2, 0.11, "conv"]])
    check_space(Floats())
