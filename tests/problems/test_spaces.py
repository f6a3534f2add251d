from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import get_space
from rapid_moo.errors import InputError
from rapid_moo.reading import read_csv

NAMES = ["digits", "nasbench201", "nasbench_asr", "flexibert", "hw_gpt_s", "hw_gpt_m", "hw_gpt_l"]
FILES = {
    "nasbench201": "nasbench201_data_final.csv",
    "nasbench_asr": "asr_data.csv",
    "flexibert": "flexibert_data.csv",
    "hw_gpt_s": "gpt_s_a100.csv",
    "hw_gpt_m": "gpt_m_h100.csv",
    "hw_gpt_l": "gpt_l_rtx3080.csv",
}


@pytest.mark.parametrize("name", NAMES)
def test_border_and_forms(name):
    space = get_space(name)
    rng = np.random.default_rng(0)
    X = rng.integers(0, space.n_choices, size=(200, space.n_var))
    kept = X.copy()
    repaired = space.repair(X)
    assert (space.repair(repaired) == repaired).all()
    assert (space.encode(space.decode(X)) == repaired).all()
    assert (space.canonical(space.canonical(X)) == space.canonical(X)).all()
    assert (space.from_string(space.to_string(repaired[3])) == repaired[3]).all()
    features = space.features(X)
    assert features.shape == (200, len(space.feature_names))
    assert (features == space.features(repaired)).all()
    assert np.isfinite(features).all()
    assert (kept == X).all()


@pytest.mark.parametrize("name", FILES)
def test_published_vectors_survive_a_round_trip(name, published):
    vectors = read_csv(published(FILES[name])).vectors
    space = get_space(name)
    assert (space.decode(space.encode(vectors)) == vectors).all()


@pytest.mark.parametrize(("name", "size"), [("digits", 3_400), ("nasbench201", 15_625), ("nasbench_asr", 8_242)])
def test_enumeration_has_every_architecture_once(name, size):
    space = get_space(name)
    assert len(space.enumerate()) == space.size == size


def test_nasbench201_published_sizes():
    space = get_space("nasbench201")
    cells = [[3] * 6, [4, 2, 1, 2, 1, 1], [0] * 6]
    assert space.compute(cells, "params").tolist() == [1.531546, 0.129306, 0.073306]
    assert space.compute([[3] * 6, [0] * 6], "flops").tolist() == [220.11969, 7.78305]
    assert len(np.unique(space.canonical(space.enumerate()), axis=0)) == 5_044


@pytest.mark.parametrize("vector", [[9, 0, 1, 8, -1, -1, -1], [0, 0, 2, 8, -1, -1, -1], [0, 0, 1]])
def test_unknown_codes_are_one_error(vector):
    with pytest.raises(InputError, match="digits"):
        get_space("digits").encode([vector])


def _cell(*names):
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    return [
        operations.index({"0": "none", "skip": "skip_connect", "conv": "nor_conv_3x3", "pool": "avg_pool_3x3"}[n])
        for n in names
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        # Edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2. The same convolution twice, and two of them.
        (("conv", "0", "skip", "0", "skip", "skip"), ("conv", "conv", "0", "0", "skip", "skip"), False),
        # A convolution and another one behind it, or behind a third one.
        (("conv", "0", "conv", "0", "skip", "skip"), ("conv", "0", "conv", "conv", "0", "skip"), False),
        # It does not matter which of two nodes holds which.
        (("conv", "skip", "0", "0", "pool", "skip"), ("skip", "conv", "0", "0", "skip", "pool"), True),
        # The mean of a sum is the sum of the means.
        (("skip", "conv", "skip", "0", "0", "pool"), ("0", "conv", "0", "pool", "0", "pool"), True),
        # A convolution of a sum is not the sum of two convolutions.
        (("skip", "conv", "skip", "0", "0", "conv"), ("0", "conv", "0", "conv", "0", "conv"), False),
    ],
)
def test_which_cells_of_nasbench201_compute_the_same(one, other, same):
    space = get_space("nasbench201")
    a, b = space.canonical([_cell(*one), _cell(*other)])
    assert (a == b).all() == same
