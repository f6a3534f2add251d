"""The member of a set of architectures that is nearest to a genotype, fast enough to be asked at every proposal."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import IntArray
from rapid_moo.space import DECIMALS, SearchSpace

CHUNK = 256
# Single precision finds the candidates, the space's own distance decides among those this close to the best.
CLOSE = 1e-4


class NearestMember:
    """Nearest members under :meth:`SearchSpace.distance`, one's own too; ties go to the earlier row.

    Where a space does not define a distance of its own, each gene of each member is one of its choices or inactive, so
    distances from a genotype to all members are nearly one product of a vector of costs with one-hot codes.

    Parameters
    ----------
    space : SearchSpace
        The space of the members.
    members : ndarray of shape (n_members, n_var)
        Repaired genotypes.
    """

    def __init__(self, space: SearchSpace, members: IntArray) -> None:
        self.space, self.members = space, members
        self._fast = type(space).distance is SearchSpace.distance
        if not self._fast:
            return
        widths = [len(costs) for costs in space.gene_costs]
        offsets = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        self._states = space.states(members)
        self._one_hot = np.zeros((len(members), sum(widths)), dtype=np.float32)
        np.put_along_axis(self._one_hot, self._states + offsets, 1.0, axis=1)

    def rows(self, X: IntArray) -> IntArray:
        """Row of the nearest member of each genotype, shape (n,)."""
        found = np.empty(len(X), dtype=np.int64)
        for start in range(0, len(X), CHUNK):
            chunk = slice(start, start + CHUNK)
            found[chunk] = self._nearest(X[chunk]) if self._fast else self._stated(X[chunk])
        return found

    def _nearest(self, X: IntArray) -> IntArray:
        states = self.space.states(X)
        costs = np.hstack([cost[states[:, k]] for k, cost in enumerate(self.space.gene_costs)])
        rough = costs.astype(np.float32) @ self._one_hot.T
        found = np.empty(len(X), dtype=np.int64)
        for i, distances in enumerate(rough):
            close = np.flatnonzero(distances <= distances.min() + CLOSE)
            found[i] = close[self.space.apart(states[i], self._states[close]).argmin()]
        return found

    def _stated(self, X: IntArray) -> IntArray:
        """By the distance that the space itself defines."""
        nearest: IntArray = self.space.distance(X, self.members).round(DECIMALS).argmin(axis=1)
        return nearest
