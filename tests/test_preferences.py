from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import knee_point, preferred_point
from rapid_moo.errors import InputError

BENT = [[0.0, 10.0], [1.0, 2.0], [5.0, 1.0], [10.0, 0.0], [6.0, 6.0]]


def test_knee_is_where_the_front_bends_in_any_unit():
    assert knee_point(BENT) == 1
    assert knee_point(np.array(BENT) * [1000.0, 0.001] + [5.0, -3.0]) == 1


def test_weights_move_the_choice_along_the_front():
    assert preferred_point(BENT, [1.0, 0.0]) == 0
    assert preferred_point(BENT, [0.0, 1.0]) == 3
    assert preferred_point(BENT, [1.0, 1.0]) == 1


def test_one_point_and_flat_fronts_have_a_knee():
    assert knee_point([[3.0, 4.0, 5.0]]) == 0
    assert knee_point([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]]) == 0


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]])
def test_bad_weights_are_one_error(weights):
    with pytest.raises(InputError, match="weights"):
        preferred_point(BENT, weights)


def test_no_point_is_one_error():
    with pytest.raises(InputError, match="at least one"):
        knee_point(np.empty((0, 2)))
