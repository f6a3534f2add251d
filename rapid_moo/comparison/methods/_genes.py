"""Changes of single genes, for methods that move through a space on their own."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import IntArray, unique_rows
from rapid_moo.space import SearchSpace


def neighbours(space: SearchSpace, x: IntArray) -> IntArray:
    """All architectures that differ from a genotype in one active gene, repaired, each once; shape (n, n_var)."""
    active = space.is_active(x[None, :])[0]
    changed = []
    for k in np.flatnonzero(active):
        for code in range(int(space.n_choices[k])):
            if code != x[k]:
                other = x.copy()
                other[k] = code
                changed.append(other)
    found = space.repair(np.array(changed, dtype=np.int64).reshape(-1, space.n_var))
    return found[unique_rows(found)[0]]


def mutate_one(space: SearchSpace, x: IntArray, rng: np.random.Generator) -> IntArray:
    """The genotype with one active gene, drawn at random, set to another choice; repaired."""
    changeable = np.flatnonzero(space.is_active(x[None, :])[0] & (space.n_choices > 1))
    if len(changeable) == 0:
        return x.copy()
    k = int(rng.choice(changeable))
    other = x.copy()
    other[k] = (x[k] + rng.integers(1, space.n_choices[k])) % space.n_choices[k]
    repaired: IntArray = space.repair(other[None, :])[0]
    return repaired
