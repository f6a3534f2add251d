"""The report of a comparison: everything that its folder holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, write_text
from rapid_moo.comparison.facts import comparison_facts
from rapid_moo.comparison.figures import drawn_methods, quality_values, quartiles
from rapid_moo.comparison.registry import default_reference
from rapid_moo.comparison.tables import COST, ORACLE_FILE, RESULTS_FILE, TRAJECTORIES_FILE, bill_column, read_results
from rapid_moo.errors import InputError
from rapid_moo.report import Report, to_markdown, write_page
from rapid_moo.report.facts import ObjectiveFacts
from rapid_moo.report.making import environment, now

SETTINGS_FILE, MARKDOWN_FILE = "comparison.json", "report.md"
MOST_STEPS = 120


def comparison_report(folder: Path | str, command: str = "") -> Report:
    """Facts of a comparison.

    Parameters
    ----------
    folder : Path or str
        Of its results; they may be of several tables.
    command : str
        What made it.

    Raises
    ------
    DataNotFoundError
        If the folder holds no results.
    """
    path = Path(folder)
    results, paths, oracle = (read_results([path], name) for name in (RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE))
    settings = _settings(path / SETTINGS_FILE)
    names = sorted(set(results["dataset"]))
    compared = set(results["method"])
    named = methods if isinstance(methods := settings.get("methods"), dict) else {}
    # In the order in which they were named.
    order = [*filter(compared.__contains__, named), *sorted(compared.difference(named))]
    told = settings.get("reference")
    reference = told if isinstance(told, str) and told in compared else default_reference(order) if order else None
    curves = tuple(curve for name in names for curve in _curves(results, paths, oracle, name))
    return Report(
        kind="comparison",
        name=", ".join(names),
        created=now(),
        command=command,
        objectives=tuple(_objective(text) for text in settings.get("objectives", ())),
        comparison=replace(comparison_facts(results, paths, oracle, reference), curves=curves),
        settings={key: settings[key] for key in ("dataset", "rows", "front_kind", "methods") if key in settings},
        versions=environment(),
        fingerprint=", ".join(f"{name} {text}" for name, text in settings.get("fingerprints", {}).items()),
    )


def write_report(folder: Path | str, command: str = "") -> None:
    """Write ``report.md``, ``report.html`` and ``report.json`` of a comparison; raises as :func:`comparison_report`."""
    report = comparison_report(folder, command).as_written()
    write_text(Path(folder) / MARKDOWN_FILE, to_markdown(report))
    write_page(report, folder)


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: expected the settings of a comparison, got: {error}") from error
    return content if isinstance(content, dict) else {}


def _objective(text: str) -> ObjectiveFacts:
    name, _, direction = str(text).rpartition(":")
    return ObjectiveFacts(name, direction)


def _curves(results: pd.DataFrame, paths: pd.DataFrame, oracle: pd.DataFrame, dataset: str) -> list[dict[str, Any]]:
    """Median and quartiles of each method over the bill, and the oracle as the floor."""
    chosen, runs = results[results["dataset"] == dataset], paths[paths["dataset"] == dataset]
    floor, spent = oracle[oracle["dataset"] == dataset], bill_column(runs)
    drawn = set(drawn_methods(chosen))
    found = []
    for method in [*drawn_methods(chosen), *sorted(set(chosen["method"]) - drawn)]:
        mine = runs[runs["method"] == method]
        if not len(mine):
            continue
        longest = mine[mine["budget"] == mine["budget"].max()]
        bands = {
            quality: quartiles(longest.assign(value=quality_values(longest, quality)), "value")
            for quality in ("adrs", "deficit")
        }
        rows = _some(len(bands["adrs"]))
        found.append(
            {
                "dataset": dataset,
                "method": method,
                "bill": "cost" if spent == COST else "unique evaluations",
                "shown": method in drawn,
                "evaluations": bands["adrs"].index.to_numpy()[rows].tolist(),
                **{
                    quality: {name: band[name].to_numpy()[rows].tolist() for name in ("low", "median", "high")}
                    for quality, band in bands.items()
                },
            }
        )
    last = float(runs[spent].max())
    below = floor[floor[spent] <= last]
    rows = _some(len(below))
    values: dict[str, FloatArray] = {quality: quality_values(below, quality)[rows] for quality in ("adrs", "deficit")}
    found.append(
        {
            "dataset": dataset,
            "method": "oracle",
            "evaluations": below[spent].to_numpy()[rows].tolist(),
            **{q: dict.fromkeys(("low", "median", "high"), v.tolist()) for q, v in values.items()},
        }
    )
    return found


def _some(n: int) -> Any:
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_STEPS)).round().astype(np.int64)) if n else []
