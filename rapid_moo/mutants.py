"""A share of each batch is chosen among mutants of the front: where predictions err, neighbours find what they miss.

What a predictor wrongly takes for bad is never evaluated, so it is never corrected, and no cross-validation can know.
Late in a run most of what is missing of the front is of that kind. A small random set of one-gene mutants of the known
front has such architectures in it whatever is predicted of them; the acquisition chooses the best of this set.

How large the share is, both ways earn: by how often what they brought is on the front. On spaces that are predicted
well next to nothing goes to the mutants, on others up to a half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, IntArray
from rapid_moo.operators import mutated
from rapid_moo.pareto import front_indices
from rapid_moo.view import Knowledge, SpaceView

FEWEST = 48
"""Evaluations before which every batch is of two or three, and a front is hardly there."""
PER_PICK = 10
"""So many mutants are drawn for each that is chosen."""
LEAST, MOST = 0.05, 0.5
KEPT = 0.7
"""What was earned in a round counts so much of that in the next."""
ATTEMPTS = 20


class MutantShare:
    """How much of a batch goes to mutants of the front.

    Attributes
    ----------
    hits, trials : ndarray of shape (2,)
        Of the predictors' own picks and of mutants: how many were on the front when they were known, of how many;
        earlier rounds count less.
    """

    def __init__(self) -> None:
        self.hits, self.trials = np.zeros(2), np.zeros(2)
        self._under_way: dict[bytes, int] = {}

    @property
    def share(self) -> float:
        """The part of a batch that mutants have earned."""
        own, mutants = (self.hits + np.array([1.0, 0.5])) / (self.trials + 2.0)
        return float(np.clip(mutants / (own + mutants), LEAST, MOST))

    def count(self, size: int, n_known: int, rng: np.random.Generator) -> int:
        """How many of a batch are mutants; fractions are drawn for."""
        if n_known < FEWEST:
            return 0
        wanted = self.share * size
        return int(wanted) + int(rng.random() < wanted - int(wanted))

    def chosen(self, keys: Sequence[bytes], *, mutants: bool) -> None:
        """Remember where architectures of a batch came from."""
        self._under_way |= dict.fromkeys(keys, int(mutants))

    def earn(self, keys: Sequence[bytes], on_front: BoolArray) -> None:
        """Credit what has become known since.

        Parameters
        ----------
        keys : sequence of bytes
            Architectures that are known completely, or failed.
        on_front : ndarray of shape (n_keys,)
            Which of them are on the front now.
        """
        come = [
            (self._under_way.pop(key), on) for key, on in zip(keys, on_front, strict=True) if key in self._under_way
        ]
        if not come:
            return
        self.hits *= KEPT
        self.trials *= KEPT
        for way, on in come:
            self.hits[way] += on
            self.trials[way] += 1

    def state(self) -> dict[str, Any]:
        """What a later process needs to go on, in JSON's types."""
        under_way = {key.hex(): way for key, way in self._under_way.items()}
        return {"hits": self.hits.tolist(), "trials": self.trials.tolist(), "under_way": under_way}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.hits, self.trials = (np.array(state[name], dtype=np.float64).reshape(2) for name in ("hits", "trials"))
        self._under_way = {bytes.fromhex(key): int(way) for key, way in state["under_way"].items()}


def on_front(known: Knowledge) -> BoolArray:
    """Which known rows are on the front of what is complete and feasible, shape (n,)."""
    found = np.zeros(len(known), dtype=np.bool_)
    rows = np.flatnonzero(known.feasible)
    if len(rows):
        found[rows[front_indices(known.F[rows])]] = True
    return found


def front_mutants(view: SpaceView, known: Knowledge, n: int, taken: IntArray, rng: np.random.Generator) -> IntArray:
    """Distinct random mutants of the known front, none of them known or taken.

    Parameters
    ----------
    view : SpaceView
        The problem's space; on a table a mutant is the member that it stands for.
    known : Knowledge
        What is known, pending architectures included.
    n : int
        How many.
    taken : ndarray of shape (n_taken, n_var)
        Further architectures that are not to be among them.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (at most n, n_var)
        Genotypes; fewer where the front has no more neighbours.
    """
    front = known.X[on_front(known)]
    settled = np.vstack([known.settled, taken])
    found = front[:0]
    for _ in range(ATTEMPTS if len(front) else 0):
        parents = front[rng.integers(0, len(front), 2 * n)]
        drawn = view.candidates_at(mutated(view.space, parents, rng))
        found = view.new_only(np.vstack([found, drawn[view.allowed(drawn)]]), settled)
        if len(found) >= n:
            break
    return found[rng.permutation(len(found))[:n]]
