"""Columns as genes: choices in their order, empty cells as inactive genes, and when those are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, IntArray
from rapid_moo.errors import InputError
from rapid_moo.genes import Choice, Condition, Gene
from rapid_moo.reading.cells import read_choices
from rapid_moo.space import SearchSpace

INACTIVE = -1


@dataclass(frozen=True, eq=False)
class GeneColumns:
    """Architectures whose genes are columns.

    Attributes
    ----------
    genes : tuple of Gene
        The genes as the columns tell them.
    codes : ndarray of shape (n_rows, n_genes)
        Codes of the choices, -1 where a gene is inactive.
    """

    genes: tuple[Gene, ...]
    codes: IntArray

    def take(self, rows: IntArray) -> GeneColumns:
        """Some of the rows."""
        return GeneColumns(self.genes, self.codes[rows])

    def encode(self, space: SearchSpace) -> IntArray:
        """Repaired genotypes in a space, shape (n_rows, n_var): its own, or one whose genes have the columns' names.

        A cell is a choice of the space's gene, or the label of one.

        Raises
        ------
        InputError
            If a gene has no column, a value is no choice, or a gene that is active has none; the message names row
            and column.
        """
        if space.genes == self.genes:
            return space.repair(np.maximum(self.codes, 0))
        names = [gene.name for gene in self.genes]
        X = np.zeros((len(self.codes), space.n_var), dtype=np.int64)
        for k, gene in enumerate(space.genes):
            if gene.name not in names:
                raise InputError(f"expected a column {gene.name!r} for the gene of {space.name}, got columns {names}")
            X[:, k] = _translated(gene, self.genes[names.index(gene.name)], self.codes[:, names.index(gene.name)])
        empty = X < 0
        X = np.where(empty, 0, X)
        if (wrong := empty & space.is_active(X)).any():
            row, k = (int(i) for i in np.argwhere(wrong)[0])
            raise InputError(f"row {row + 1}, column {space.genes[k].name!r}: expected a choice, got an empty cell")
        return space.repair(X)


def _translated(gene: Gene, column: Gene, codes: IntArray) -> IntArray:
    """Codes of a space's gene for the codes of a column; -1 where it is empty."""
    known = np.array([_code(gene, choice) for choice in column.choices] + [-1], dtype=np.int64)
    found = known[codes]
    if (wrong := found < -1).any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"row {row + 1}, column {gene.name!r}: expected one of {list(gene.choices)}"
            f"{'' if _plain(gene) else f' or {list(gene.labels)}'}, got {column.choices[codes[row]]!r}"
        )
    return found


def _plain(gene: Gene) -> bool:
    return gene.labels == tuple(str(choice) for choice in gene.choices)


def _code(gene: Gene, value: Choice) -> int:
    """Code of a choice or of a label; -1 for an empty cell that is no choice, -2 for a value that is none."""
    try:
        return gene.code(value)
    except InputError:
        if value is None:
            return -1
        return gene.labels.index(str(value)) if str(value) in gene.labels else -2


def read_genes(
    cells: Mapping[str, Sequence[Any]], origin: str, categorical: Sequence[str] = (), decimal: str | None = None
) -> GeneColumns:
    """Genes of columns: numbers ordered by size, all else unordered.

    Where a column has empty cells, its gene is conditional if another gene's choices explain them; otherwise emptiness
    is a choice of its own, None.

    Parameters
    ----------
    cells : mapping of str to sequence of shape (n_rows,)
        Cells by name of the gene.
    origin : {"text", "typed", "labels"}
        See :func:`~rapid_moo.reading.cells.read_choices`; None is empty in labels.
    categorical : sequence of str
        Genes of numbers that have no order.
    decimal : {",", ".", None}
        Decimal sign of text.
    """
    names = list(cells)
    read = [read_choices(cells[name], origin, decimal) for name in names]
    codes = np.column_stack([column for _, column in read])
    choices: list[list[Choice]] = [found for found, _ in read]
    empty = codes < 0
    conditions: list[Condition | None] = [None] * len(names)
    for k in np.flatnonzero(empty.any(axis=0)).tolist():
        if not empty[:, k].all() and not any(_is_inactive_value(choice) for choice in choices[k]):
            conditions[k] = _explanation(k, names, choices, codes, empty)
        if conditions[k] is None:
            codes[empty[:, k], k] = len(choices[k])
            choices[k] = [*choices[k], None]
    genes = tuple(
        Gene(name, tuple(found), ordered=False if name in categorical else None, when=(condition,) if condition else ())
        for name, found, condition in zip(names, choices, conditions, strict=True)
    )
    return GeneColumns(genes, codes)


def _is_inactive_value(choice: Choice) -> bool:
    """Whether a choice is the published value of an inactive gene, which no conditional gene may have."""
    return isinstance(choice, int | float) and not isinstance(choice, bool) and choice == SearchSpace.inactive


def _explanation(
    k: int, names: Sequence[str], choices: Sequence[Sequence[Choice]], codes: IntArray, empty: BoolArray
) -> Condition | None:
    """The condition on another gene that holds just where column k is filled; None if there is none.

    Of several the one on a gene of few choices, then the one that is a bound on numbers.
    """
    found = []
    for j in range(len(names)):
        # A gene decides only where it is filled itself, and tells something only where it is and k is not.
        if j == k or (empty[:, j] & ~empty[:, k]).any() or not (empty[:, k] & ~empty[:, j]).any():
            continue
        on, off = (set(codes[rows, j].tolist()) for rows in (~empty[:, k], empty[:, k] & ~empty[:, j]))
        if on & off or len(on | off) == len(codes) > 2:
            continue
        condition = _condition(names[j], choices[j], on)
        found.append((len(choices[j]), condition.relation == "in", j, condition))
    return min(found, key=lambda item: item[:3])[3] if found else None


def _condition(name: str, choices: Sequence[Choice], on: set[int]) -> Condition:
    numeric = all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in choices)
    low, high = min(on), max(on)
    if numeric and on == set(range(low, len(choices))) and len(choices) > 2:
        return Condition(name, ">=", (choices[low],))
    if numeric and on == set(range(high + 1)) and len(choices) > 2:
        return Condition(name, "<=", (choices[high],))
    return Condition(name, "in", tuple(choices[code] for code in sorted(on)))
