"""Tables: architectures with measured objectives, and the front that judges a search.

Rules: an architecture that was measured several times counts once, with the mean of its measurements. A table's
front is the *true* front where the table holds at least 95 % of its space, else a *reference* front.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import FloatArray, IntArray, Seed, as_generator, check_ratio, unique_rows
from rapid_moo.errors import InputError
from rapid_moo.frames import described_frame
from rapid_moo.objectives import LARGEST, Objective, plausible, to_minimised
from rapid_moo.pareto import front_indices, front_points
from rapid_moo.space import SearchSpace

COMPLETE = 0.95


def share_count(share: float, n_rows: int) -> int:
    """Architectures of a share in (0, 1) of a table, at least 2."""
    return max(2, round(share * n_rows))


@dataclass(frozen=True, eq=False, repr=False)
class ArchitectureTable(Shown):
    """Architectures of one space with their measured objectives.

    Parameters
    ----------
    space : SearchSpace
        The space that the architectures belong to.
    objectives : tuple of Objective
        One per column of ``raw``.
    X : ndarray of shape (n, n_var)
        Distinct repaired genotypes, in the order of the source.
    raw : ndarray of shape (n, n_objectives)
        Measured values in raw directions and units.
    name : str
        Name for reports.
    n_rows : int
        Rows of the source, repeated measurements included.
    further : mapping of str to ndarray of shape (n,)
        Further numeric columns of the source, which constraints may bound.
    partial : tuple of ndarray or None
        Genotypes and raw values of architectures that lack objectives, NaN there: no members of the table, but a
        problem on it knows them.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    X: IntArray
    raw: FloatArray
    name: str = "table"
    n_rows: int = 0
    further: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)
    partial: tuple[IntArray, FloatArray] | None = field(default=None, repr=False)
    _index: dict[bytes, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("X", "raw"):
            # A copy where the caller could still write: his arrays stay his.
            array = getattr(self, name)
            kept = array.copy() if array.flags.writeable else array
            kept.setflags(write=False)
            object.__setattr__(self, name, kept)
        object.__setattr__(self, "_index", {key: i for i, key in enumerate(self.space.keys(self.X))})
        if len(self._index) != len(self.X):
            raise InputError(f"{self.name}: expected distinct architectures; use ArchitectureTable.build")

    @classmethod
    def build(
        cls,
        space: SearchSpace,
        objectives: Sequence[Objective],
        X: ArrayLike,
        raw: ArrayLike,
        name: str = "table",
        further: Mapping[str, ArrayLike] | None = None,
    ) -> ArchitectureTable:
        """Make a table from genotypes and raw values; repeated architectures become their mean.

        ``further`` holds more numeric columns, see the class.

        Raises
        ------
        InputError
            If shapes do not fit, a value is NaN, infinite or beyond 1e30 in size, or there is no row.
        """
        repaired = space.repair(X)
        values = np.array(raw, dtype=np.float64)
        if values.shape != (len(repaired), len(objectives)):
            raise InputError(
                f"{name}: expected values of shape ({len(repaired)}, {len(objectives)}), got {values.shape}"
            )
        if len(values) == 0:
            raise InputError(f"{name}: expected at least one architecture, got none")
        if not plausible(values).all():
            row, column = (int(i) for i in np.argwhere(~plausible(values))[0])
            raise InputError(
                f"{name}: row {row}: expected a finite {objectives[column].name} of at most {LARGEST:g} in size,"
                f" got {values[row, column]}"
            )
        first, inverse = unique_rows(repaired)
        means = _means(values, first, inverse)
        more = {key: np.asarray(column, dtype=np.float64)[:, None] for key, column in (further or {}).items()}
        kept = {key: _means(column, first, inverse)[:, 0] for key, column in more.items()}
        return cls(space, tuple(objectives), repaired[first], means, name, len(values), kept)

    def __len__(self) -> int:
        return len(self.X)

    def _shown(self) -> tuple[str, Lines]:
        ranges = [
            (o.label, f"{low:.5g} to {high:.5g}, {o.direction}")
            for o, low, high in zip(self.objectives, self.raw.min(axis=0), self.raw.max(axis=0), strict=True)
        ]
        lines: Lines = [
            ("architectures", len(self)),
            ("space", f"{self.space.name} of {int(self.space.size):,}"),
            (f"{self.front_kind} front", f"{len(self.front)} points"),
            *ranges,
        ]
        return f"Table {self.name}", lines

    @property
    def F(self) -> FloatArray:
        """Values to be minimised, shape (n, n_objectives)."""
        return to_minimised(self.raw, self.objectives)

    @property
    def coverage(self) -> float:
        """Share of the space's architectures that the table holds."""
        return float(len(self) / self.space.size)

    @property
    def front_kind(self) -> str:
        """``"true"`` if the table exhausts its space (95 % or more of it), else ``"reference"``."""
        return "true" if self.coverage >= COMPLETE else "reference"

    @cached_property
    def front_rows(self) -> IntArray:
        """Rows of the table's non-dominated architectures."""
        return front_indices(self.F)

    @cached_property
    def front(self) -> FloatArray:
        """Distinct non-dominated points of the table, minimised, in lexicographic order."""
        return front_points(self.F)

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a SHA-256 of genotypes and values."""
        digest = hashlib.sha256(np.ascontiguousarray(self.X, dtype="<i4").tobytes())
        digest.update(np.ascontiguousarray(self.raw, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def find(self, X: ArrayLike, /) -> IntArray:
        """Row of each genotype's architecture, -1 where the table does not hold it; shape (n,)."""
        return np.array([self._index.get(key, -1) for key in self.space.keys(X)], dtype=np.int64)

    def take(self, rows: ArrayLike, name: str | None = None) -> ArchitectureTable:
        """The table of the given rows."""
        index = np.asarray(rows, dtype=np.int64)
        further = {key: column[index] for key, column in self.further.items()}
        return ArchitectureTable(
            self.space, self.objectives, self.X[index], self.raw[index], name or self.name, len(index), further
        )

    def sample(self, size: float | int, seed: Seed = None) -> ArchitectureTable:
        """A random sample without replacement, in the order drawn.

        Parameters
        ----------
        size : float or int
            A share in (0, 1), or a number of architectures.
        seed : int, numpy.random.Generator or None
            Source of randomness.
        """
        return self.take(self.sample_rows(size, seed))

    def sample_rows(self, size: float | int, seed: Seed = None) -> IntArray:
        """Rows of a random sample; parameters as in :meth:`sample`."""
        count = self.count(size)
        return as_generator(seed).permutation(len(self))[:count].astype(np.int64)

    def count(self, size: float | int) -> int:
        """Number of architectures of a share in (0, 1), at least 2, or of a number."""
        if isinstance(size, float):
            return share_count(check_ratio(size, "sample size"), len(self))
        if not 1 <= size <= len(self):
            raise InputError(f"{self.name}: expected a sample of 1 to {len(self)} architectures, got {size}")
        return int(size)

    def to_frame(self) -> pd.DataFrame:
        """One row per architecture: its text, its genes as they are (None where inactive), and its raw values.

        Whatever reads tables reads this one. The text's column has underscores behind its name where a gene or an
        objective is called like it.
        """
        names = [objective.name for objective in self.objectives]
        return described_frame(self.space, names, self.X, self.raw)


def _means(values: FloatArray, first: IntArray, inverse: IntArray) -> FloatArray:
    """Mean of the rows of each architecture, shape (n_unique, n_columns); a single row stays as it is."""
    counts = np.bincount(inverse)
    # A power of two, so nothing is rounded: the sum of huge values must not overflow.
    unit = 2.0 ** len(values).bit_length()
    means = np.column_stack([np.bincount(inverse, weights=column / unit) / counts * unit for column in values.T])
    return np.where(counts[:, None] == 1, values[first], means)
