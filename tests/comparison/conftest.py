"""Tables that the tests of the comparison share."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import ArchitectureTable, Gene, GridSpace, Objective, get_problem


@pytest.fixture(scope="session")
def table():
    return get_problem("digits").table


@pytest.fixture(scope="session")
def small_table():
    """Makes :func:`_small_table`."""
    return _small_table


def _small_table(order=None, scale=(1.0, 1.0, 1.0)):
    """A complete table of 216 architectures without structure, its rows in any order and its values in any unit."""
    space = GridSpace("grid", [Gene(f"g{k}", tuple(range(6))) for k in range(3)])
    X = space.enumerate()
    a, b, c = X.T
    noise = np.random.default_rng(0).random((len(X), 3))
    raw = np.column_stack([90 + a * 1.5 - (b - 2) ** 2, 1.0 + b + c**2, a + b * c + 1.0]) + 0.25 * noise
    objectives = (Objective("quality", "max"), Objective("cost", "min"), Objective("size", "min"))
    rows = np.arange(len(X)) if order is None else order
    return ArchitectureTable.build(space, objectives, X[rows], (raw * np.array(scale))[rows], name="small")
