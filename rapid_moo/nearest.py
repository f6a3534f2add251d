"""The member of a set of architectures that is nearest to a genotype, fast enough to be asked at every proposal."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.space import SearchSpace

CHUNK = 256
# Single precision finds the candidates, double precision decides among those this close to the best.
CLOSE = 1e-4
DECIMALS = 12


class NearestMember:
    """Nearest members under :meth:`SearchSpace.distance`; ties go to the earlier row.

    Each gene of each member is one of its choices or inactive, so distances from a genotype to all members are one
    product of a vector of costs with the members' one-hot codes.

    Parameters
    ----------
    space : SearchSpace
        The space of the members.
    members : ndarray of shape (n_members, n_var)
        Repaired genotypes.
    """

    def __init__(self, space: SearchSpace, members: IntArray) -> None:
        self.space = space
        self._costs = _gene_costs(space)
        widths = [len(costs) for costs in self._costs]
        self._offsets = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        self._columns = self._states(members) + self._offsets
        self._one_hot = np.zeros((len(members), sum(widths)), dtype=np.float32)
        np.put_along_axis(self._one_hot, self._columns, 1.0, axis=1)

    def rows(self, X: IntArray) -> IntArray:
        """Row of the nearest member of each genotype, shape (n,)."""
        found = np.empty(len(X), dtype=np.int64)
        for start in range(0, len(X), CHUNK):
            states = self._states(X[start : start + CHUNK])
            costs = np.hstack([cost[states[:, k]] for k, cost in enumerate(self._costs)])
            rough = costs.astype(np.float32) @ self._one_hot.T
            for i, distances in enumerate(rough):
                close = np.flatnonzero(distances <= distances.min() + CLOSE)
                exact = costs[i][self._columns[close]].sum(axis=1).round(DECIMALS)
                found[start + i] = close[exact.argmin()]
        return found

    def _states(self, X: IntArray) -> IntArray:
        """Codes, with one further state for an inactive gene."""
        return np.where(self.space.is_active(X), X, self.space.n_choices)


def _gene_costs(space: SearchSpace) -> list[FloatArray]:
    """Per gene the distance between any two of its states, weighted; the last state is "inactive"."""
    total = sum(gene.weight for gene in space.genes)
    tables = []
    for gene in space.genes:
        k = len(gene.choices)
        apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
        cost = np.ones((k + 1, k + 1))
        cost[:k, :k] = apart / max(k - 1, 1) if gene.ordered else apart > 0
        cost[k, k] = 0.0
        tables.append(cost * gene.weight / total)
    return tables
