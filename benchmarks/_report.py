"""What the studies' reports share."""

from __future__ import annotations

import pandas as pd

from rapid_moo._provenance import provenance
from rapid_moo._shown import markdown_table
from rapid_moo.comparison.tables import MADE


def markdown(frame: pd.DataFrame) -> str:
    """A data frame as a Markdown table, without its index."""
    return markdown_table(list(frame.columns), frame.astype(str).to_numpy().tolist())


def setting(command: str, seeds: str, runs: pd.DataFrame | None = None) -> str:
    """The command and seeds of a report, and what its runs were made with.

    Parameters
    ----------
    command, seeds : str
        As shown.
    runs : DataFrame, optional
        The runs, which say it in columns of their own; runs from before these were kept say nothing. None: this
        process has just made them.
    """
    return f"Command: `{command}`. Seeds: {seeds}. {_made(pd.DataFrame([provenance()]) if runs is None else runs)}."


def _made(runs: pd.DataFrame) -> str:
    told = runs.reindex(columns=MADE).fillna("").astype(str)
    parts = []
    for made, count in told.value_counts(sort=False).sort_index().items():
        known = [f"{name} {text}" if name == "commit" else text for name, text in zip(MADE, made, strict=True) if text]
        parts.append(f"{count} of {len(runs)} made with: {', '.join(known) or 'not recorded'}")
    return "; ".join(parts)
