"""The nearest member: one definition, the space's own distance, ties to the earlier row."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import ArchitectureProblem, ArchitectureTable, Gene, GridSpace, Objective, get_space
from rapid_moo.nearest import NearestMember

GOALS = (Objective("a", "min"), Objective("b", "min"))


def space_of(rng):
    """Genes with and without order, of several weights, one of them conditional."""
    genes = [
        Gene("depth", (1, 2, 3, 4)),
        Gene("op", ("x", "y", "z")),
        Gene("width", tuple(range(int(rng.integers(2, 7)))), weight=float(rng.choice([0.5, 1.0, 2.0]))),
        Gene("tail", (1, 2, 3), when={"depth": (3, 4)}),
        Gene("flag", (False, True)),
    ]
    return GridSpace("some", genes, GOALS)


def by_hand(space, x, y):
    """The definition in plain Python: a weighted mean over genes of how much they differ."""
    on = space.is_active(np.array([x, y]))
    total = 0.0
    for k, gene in enumerate(space.genes):
        if on[0, k] != on[1, k]:
            part = 1.0
        elif not on[0, k]:
            part = 0.0
        elif gene.ordered:
            part = abs(int(x[k]) - int(y[k])) / max(len(gene.choices) - 1, 1)
        else:
            part = float(x[k] != y[k])
        total += gene.weight * part
    return total / sum(gene.weight for gene in space.genes)


@pytest.mark.parametrize("seed", range(8))
def test_distance_is_what_its_page_says(seed):
    rng = np.random.default_rng(seed)
    space = space_of(rng)
    A, B = space.sample(12, rng), space.sample(15, rng)
    assert space.distance(A, B) == pytest.approx(np.array([[by_hand(space, x, y) for y in B] for x in A]), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_ties_go_to_the_earlier_row_of_the_smallest_distance(seed):
    rng = np.random.default_rng(seed)
    space = space_of(rng)
    members = space.sample(40, rng)
    asked = space.enumerate()
    expected = [int(np.argmin([round(by_hand(space, x, y), 9) for y in members])) for x in asked]
    distances = space.distance(asked, members)
    assert (distances == distances.min(axis=1, keepdims=True)).sum(axis=1).max() > 1, "ties are what this is about"
    assert NearestMember(space, members).rows(asked).tolist() == expected
    assert distances.argmin(axis=1).tolist() == expected


def test_published_spaces_agree_with_their_distance():
    rng = np.random.default_rng(0)
    for name in ("nasbench_asr", "flexibert", "hw_gpt_s"):
        space = get_space(name)
        members, asked = space.sample(300, rng), space.sample(300, rng)
        assert (NearestMember(space, members).rows(asked) == space.distance(asked, members).argmin(axis=1)).all()


class Apart(GridSpace):
    """A distance of one's own: only the last gene counts."""

    def distance(self, A, B, /):
        a, b = self.repair(A), self.repair(B)
        return np.abs(a[:, None, -1] - b[None, :, -1]) / max(len(self.genes[-1].choices) - 1, 1)


def test_a_distance_of_ones_own_decides_what_a_genotype_stands_for():
    space = Apart("own", [Gene("u", (0, 1, 2, 3)), Gene("v", (0, 1, 2, 3))], GOALS)
    members = np.array([[0, 3], [3, 0], [0, 0]])
    table = ArchitectureTable.build(space, GOALS, members, [[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    problem = ArchitectureProblem(space, table)
    # By genes [0, 1] is nearest to [0, 0]; by this space's own distance [3, 0] is as near and comes earlier.
    assert problem.genotypes([[0, 1], [3, 2]]).tolist() == [[3, 0], [0, 3]]


def test_many_genotypes_are_asked_in_pieces_of_256():
    """Distances to all members of a large table are not held at once."""
    asked = []

    class Watched(GridSpace):
        def distance(self, A, B, /):
            asked.append(len(A))
            return np.abs(A[:, None] - B[None]).sum(axis=2)

    space = Watched("line", [Gene("u", tuple(range(700)))], GOALS)
    X = space.enumerate()
    assert NearestMember(space, X).rows(X[::-1]).tolist() == list(range(700))[::-1]
    assert asked == [256, 256, 188]
