"""What the studies' reports share: prose and tables become Markdown in the renderer of the package."""

from __future__ import annotations

import pandas as pd

from rapid_moo._provenance import provenance
from rapid_moo.comparison.tables import MADE
from rapid_moo.report.blocks import Block, Heading, Paragraph, Table, marked, table
from rapid_moo.report.rendering import markdown


def page(*parts: str | Block) -> str:
    """A report as Markdown.

    Parameters
    ----------
    *parts : str or Block
        Blocks, and prose in which words are marked: ``*idle*``, ```code```.
    """
    return markdown(Paragraph(marked(part)) if isinstance(part, str) else part for part in parts) + "\n"


def title(text: str) -> Heading:
    """The title of a report."""
    return Heading(text, 1)


def section(text: str) -> Heading:
    """The heading of a section."""
    return Heading(text, 2)


def of_frame(frame: pd.DataFrame) -> Table:
    """A data frame as a table, without its index; spans in it stay marked."""
    return table(frame.columns, frame.astype(object).to_numpy().tolist())


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
