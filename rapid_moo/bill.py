"""The bill of a run: what it asked for, in its order, and what that costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.store import Store


class Bill:
    """The evaluations that one run asked for, in its order: a view of a store.

    A second run on the same problem has a bill of its own: what the first evaluated is served from memory, and billed
    to the second as well. What was known before any run (imports) is on the bill of a run that learns from it, free of
    charge.

    Parameters
    ----------
    store : Store
        The memory.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._order: list[int] = []
        self._held: set[int] = set()
        self._gratis: set[int] = set()
        self._n = 0

    def __len__(self) -> int:
        """Evaluations that are billed: architectures, and what was measured of them once more."""
        return self._n

    @property
    def rows(self) -> IntArray:
        """Rows of the store in the order of the bill, free ones included, shape (n,)."""
        return np.array(self._order, dtype=np.int64)

    def __contains__(self, row: object) -> bool:
        return row in self._held

    def add(self, rows: ArrayLike, *, free: bool = False) -> int:
        """Put rows on the bill, each once; returns how many of them are billed and new.

        With ``free`` they cost nothing, as imports always do.
        """
        before = self._n
        for row in np.asarray(rows, dtype=np.int64).tolist():
            if row < 0:
                continue
            costs_nothing = free or self.store.is_free(row)
            if row not in self._held:
                self._held.add(row)
                self._order.append(row)
                self._n += not costs_nothing
                if costs_nothing:
                    self._gratis.add(row)
            elif not costs_nothing and row in self._gratis:
                # Known in part beforehand, and measured since.
                self._gratis.remove(row)
                self._n += 1
        return self._n - before

    def repeat(self, rows: ArrayLike) -> int:
        """Bill one further measurement of each of these rows; returns how many."""
        found = np.asarray(rows, dtype=np.int64).tolist()
        # What was known beforehand and is measured here costs its measurement, and nothing besides.
        self._gratis.difference_update(found)
        self._n += len(found)
        return len(found)

    def cost(self, prices: FloatArray) -> float:
        """What was measured of the architectures on the bill, each measurement at its objective's price."""
        return float((self.store.paid_of(self.rows) * prices).sum())

    def take_free(self) -> None:
        """Put everything on the bill that was known beforehand."""
        self.add(np.flatnonzero(self.store.free))

    def __deepcopy__(self, memo: dict[int, Any]) -> Bill:
        # pymoo's minimize copies the algorithm but not the problem, whose store this is a view of.
        other = Bill(self.store)
        other._order, other._held, other._n = list(self._order), set(self._held), self._n
        other._gratis = set(self._gratis)
        return other
