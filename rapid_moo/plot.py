"""Results for people: text tables and pictures of fronts."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

from rapid_moo._util import FloatArray, atomic_path
from rapid_moo.errors import MissingExtraError
from rapid_moo.objectives import Objective
from rapid_moo.search import SearchResult
from rapid_moo.table import ArchitectureTable

# Okabe and Ito's colours: told apart by colour-blind readers and, by lightness, in print.
ORANGE, BLUE, GREY, BLACK = "#D55E00", "#0072B2", "#BBBBBB", "#000000"


def front_figure(table: ArchitectureTable, found: FloatArray, title: str, trained: FloatArray | None = None) -> Any:
    """Draw a found front beside the table's, one panel per pair of objectives.

    Parameters
    ----------
    table : ArchitectureTable
        All architectures and their front.
    found : ndarray of shape (n, n_objectives)
        Raw values of what a search found.
    title : str
        What the figure shows.
    trained : ndarray of shape (n, n_objectives), optional
        Raw values of the sample that was trained on.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("figures need matplotlib: pip install 'rapid-moo[plot]'") from error
    pairs = list(combinations(range(len(table.objectives)), 2))
    pairs = [(b, a) for a, b in pairs]
    columns = min(len(pairs), 3)
    lines = -(-len(pairs) // columns)
    figure = Figure(figsize=(4.6 * columns, 4.2 * lines + 0.6), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    best = table.raw[table.front_rows]
    kind = f"{table.front_kind} front ({len(table.front)})"
    for axis, (x, y) in zip(axes, pairs, strict=False):
        axis.scatter(table.raw[:, x], table.raw[:, y], s=3, c=GREY, label="all architectures", rasterized=True)
        if trained is not None:
            axis.scatter(
                trained[:, x], trained[:, y], s=6, c=BLUE, label=f"trained on ({len(trained)})", rasterized=True
            )
        axis.scatter(best[:, x], best[:, y], s=42, facecolors="none", edgecolors=BLACK, linewidths=0.9, label=kind)
        axis.scatter(found[:, x], found[:, y], s=14, c=ORANGE, marker="D", label=f"found ({len(found)})")
        axis.set_xlabel(_axis_label(table.objectives[x]))
        axis.set_ylabel(_axis_label(table.objectives[y]))
        for k, scale in ((x, axis.set_xscale), (y, axis.set_yscale)):
            values = table.raw[:, k]
            if table.objectives[k].direction == "min" and values.min() > 0 and values.max() > 20 * values.min():
                scale("log")
    for axis in axes[len(pairs) :]:
        axis.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, markerscale=1.4)
    figure.suptitle(title)
    return figure


def _axis_label(objective: Objective) -> str:
    return f"{objective.label} ({'lower' if objective.direction == 'min' else 'higher'} is better)"


def write_front_figure(result: SearchResult, path: Path) -> None:
    """Draw the front of a search into a PNG file."""
    title = (
        f"{result.dataset}: {len(result.X)} of {len(result.table):,} architectures evaluated,"
        f" ADRS {result.quality['adrs']:.4f}"
    )
    figure = front_figure(result.table, result.front, title, trained=result.raw[: result.n_train])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png", metadata={"Software": None})
