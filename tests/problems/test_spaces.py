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
    assert len(np.unique(space.canonical(space.enumerate()), axis=0)) == 4_930


@pytest.mark.parametrize("vector", [[9, 0, 1, 8, -1, -1, -1], [0, 0, 2, 8, -1, -1, -1], [0, 0, 1]])
def test_unknown_codes_are_one_error(vector):
    with pytest.raises(InputError, match="digits"):
        get_space("digits").encode([vector])
