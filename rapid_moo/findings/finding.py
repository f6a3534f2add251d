"""What a detector reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "failure_code": "marks failures rather than measures: --failure-code names it",
        "mixed_units": "stands in another unit: convert these rows, or leave them out",
        "warm_up": "the first rows were measured while something was still warming up: measure them again",
        "outlier_block": "something else ran while these rows were measured: measure them again",
        "spikes": "single rows are far from what their architectures suggest: measure them again",
        "alternation": "rows alternate: two devices, or one that recovers between measurements, took turns",
        "few_dominate": "few values carry nearly all of the variance, and they are not foreseeable",
        "identifier": "numbers or names rows rather than describes an architecture: leave it out (--ignore)",
        "lossy_coding": "equal architectures are not: the genes leave out something that matters",
        "duplicate": "says the same as another column: leave one of them out",
        "function": "follows from another objective: it adds no trade-off",
    }
)
"""What each kind means for the user."""


@dataclass(frozen=True)
class Finding:
    """One thing that is odd about a table.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    subject : str
        The objective, gene or position that it is about; several are joined by " and ".
    message : str
        What was seen, in one line.
    rows : tuple of int
        Rows that show it, from 0 in the order of the file; empty where it is about all of them.
    evidence : dict of str to float
        The figures that it rests on.
    """

    kind: str
    subject: str
    message: str
    rows: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """What it means for the user."""
        return KINDS[self.kind]


def rows_text(rows: tuple[int, ...], most: int = 5) -> str:
    """Row numbers as a user counts them, from 1; a block as its ends."""
    if len(rows) > 2 and rows[-1] - rows[0] == len(rows) - 1:
        return f"rows {rows[0] + 1} to {rows[-1] + 1}"
    numbers = ", ".join(str(row + 1) for row in rows[:most])
    more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
    return f"row{'s' if len(rows) > 1 else ''} {numbers}{more}"
