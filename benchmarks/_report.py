"""What the studies' reports share."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version

import pandas as pd

PACKAGES = ("numpy", "pandas", "scikit-learn", "xgboost", "nevergrad", "pymoo", "moocore")


def markdown(frame: pd.DataFrame) -> str:
    """A data frame as a Markdown table, without its index."""
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def setting(command: str, seeds: str) -> str:
    """The command, seeds, versions and date of a report."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Command: `{command}`. Seeds: {seeds}. Python {platform.python_version()}, {versions};"
        f" {datetime.date.today()}, {platform.machine()}."
    )
