"""What the studies' reports share."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

PACKAGES = ("numpy", "pandas", "scikit-learn", "xgboost", "nevergrad", "pymoo", "moocore")
EXTRAS = ("optuna", "botorch", "torch", "dask")


def markdown(frame: pd.DataFrame) -> str:
    """A data frame as a Markdown table, without its index."""
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def setting(command: str, seeds: str) -> str:
    """The command, seeds, versions, machine and date of a report."""
    found = {name: _version(name) for name in (*PACKAGES, *EXTRAS)}
    versions = ", ".join(f"{name} {known}" for name, known in found.items() if known)
    return (
        f"Command: `{command}`. Seeds: {seeds}. Python {platform.python_version()}, {versions};"
        f" {datetime.date.today()}, {_machine()}."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _machine() -> str:
    """Kind and number of processors, as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return f"{os.cpu_count()} logical processors, {models[0] if models else platform.machine()}"
