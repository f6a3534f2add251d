"""Figures of a comparison, legible in print and to colour-blind readers.

Methods differ by colour (Okabe and Ito's palette), line style and marker at once, and always in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray, atomic_path
from rapid_moo.comparison.statistics import Ranks, overheads, ranks_where_possible
from rapid_moo.comparison.tables import COST, bill_column
from rapid_moo.errors import MissingExtraError

COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# These keep their look in every figure; others take what is left.
FIRST = ("rapid", "rapid-oneshot", "rapid-published", "nsga2", "nsga3", "random")
SMALLEST = 1e-5
QUALITY_LABELS = {"adrs": "ADRS", "deficit": "1 - normalised hypervolume"}


def figure_class() -> Any:
    """Matplotlib's ``Figure``, which needs no screen.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("figures need matplotlib: pip install 'rapid-moo[plot]'") from error
    return Figure


def drawn_methods(results: pd.DataFrame, at_most: int = len(COLOURS)) -> list[str]:
    """Methods that a figure can tell apart: the fixed ones, then those of the best median ADRS."""
    present = set(results["method"])
    fixed = [name for name in FIRST if name in present]
    largest = results[results["budget"] == results["budget"].max()]
    best = largest.groupby("method")["adrs"].median().sort_values(kind="stable").index
    return [*fixed, *(str(name) for name in best if name not in fixed)][:at_most]


def looks(methods: Sequence[str]) -> dict[str, int]:
    """Which of the colours, line styles and markers each method gets."""
    fixed = {name: FIRST.index(name) for name in methods if name in FIRST}
    free = iter(sorted(set(range(len(COLOURS))) - set(fixed.values()), reverse=True))
    return {name: fixed[name] if name in fixed else next(free) for name in methods}


def quartiles(trajectories: pd.DataFrame, quality: str) -> pd.DataFrame:
    """Quartiles over seeds at every recorded number of evaluations; a run that ended keeps its last value.

    Returns
    -------
    DataFrame
        Columns ``low``, ``median``, ``high``, indexed by evaluations, or by the cost where it is stated.
    """
    wide = (
        trajectories.pivot_table(index=bill_column(trajectories), columns="seed", values=quality)
        .sort_index()
        .ffill()
        .dropna()
    )
    frame = wide.quantile([0.25, 0.5, 0.75], axis=1).T
    frame.columns = pd.Index(["low", "median", "high"])
    return frame


def curves_figure(
    results: pd.DataFrame,
    trajectories: pd.DataFrame,
    oracle: pd.DataFrame,
    dataset: str,
    floor: pd.DataFrame | None = None,
) -> Any:
    """ADRS and hypervolume deficit over evaluations on one dataset: medians, quartiles, and the oracle below all.

    Lines are runs to the largest budget. Methods with a run per budget have a marker at each of the others' results.

    Parameters
    ----------
    results, trajectories, oracle : DataFrame
        As in the result files.
    dataset : str
        Which dataset.
    floor : DataFrame, optional
        What noise allows, columns as the oracle's.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    figure = figure_class()(figsize=(10.5, 4.8), layout="constrained")
    axes = figure.subplots(1, 2)
    chosen = results[results["dataset"] == dataset]
    paths = trajectories[trajectories["dataset"] == dataset]
    best = oracle[oracle["dataset"] == dataset]
    noisy = floor[floor["dataset"] == dataset] if floor is not None else None
    for axis, quality in zip(axes, QUALITY_LABELS, strict=True):
        draw_curves(axis, chosen, paths, best, quality, noisy)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)), frameon=False)
    seeds = chosen.groupby("method")["seed"].nunique()
    few = "" if seeds.min() == seeds.max() else f"{seeds.min()} to "
    figure.suptitle(f"{dataset}: median and quartiles of {few}{seeds.max()} seeds")
    return figure


def draw_curves(
    axis: Any,
    results: pd.DataFrame,
    paths: pd.DataFrame,
    oracle: pd.DataFrame,
    quality: str,
    floor: pd.DataFrame | None = None,
) -> None:
    """Draw one quality over the bill on one dataset; ``quality`` is a key of :data:`QUALITY_LABELS`."""
    spent = bill_column(paths)
    for method, i in looks(drawn_methods(results)).items():
        mine = results[results["method"] == method], paths[paths["method"] == method]
        if len(mine[1]):  # somebody may have taken its trajectories away
            _draw_method(axis, i, method, *mine, quality)
    if floor is not None and len(floor) and spent in floor:
        steps, values = floor[spent].to_numpy(), quality_values(floor, quality)
        axis.plot(steps, values, color="#777777", linewidth=1.0, linestyle=(0, (6, 2)), label="floor of noise")
    steps, values = oracle[spent].to_numpy(), quality_values(oracle, quality)
    axis.plot(steps, values, color="#000000", linewidth=1.0, linestyle=(0, (1, 2)), label="oracle")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(left=max(1, paths[spent].max() // 250) if len(paths) else 1)
    axis.set_xlabel("cost" if spent == COST else "unique evaluations")
    axis.set_ylabel(f"{QUALITY_LABELS[quality]} (lower is better)")
    axis.grid(visible=True, which="major", color="#DDDDDD", linewidth=0.6)
    _limit(axis, results, quality)


def quality_values(frame: pd.DataFrame, quality: str) -> FloatArray:
    """ADRS, or as ``"deficit"`` one minus the hypervolume, fit for a logarithmic axis."""
    values = 1.0 - frame["hypervolume"] if quality == "deficit" else frame[quality]
    return np.asarray(np.maximum(values.to_numpy(dtype=np.float64), SMALLEST))


def _limit(axis: Any, results: pd.DataFrame, quality: str) -> None:
    """The oracle falls to zero: the axis ends a little below the best method instead."""
    best = results.assign(value=quality_values(results, quality)).groupby(["method", "budget"])["value"].median().min()
    axis.set_ylim(bottom=max(SMALLEST, best / 2))


def _draw_method(axis: Any, i: int, method: str, results: pd.DataFrame, paths: pd.DataFrame, quality: str) -> None:
    longest = paths[paths["budget"] == paths["budget"].max()]
    band = quartiles(longest.assign(value=quality_values(longest, quality)), "value")
    look = {"color": COLOURS[i], "linestyle": LINES[i]}
    width = 2.4 if method == "rapid" else 1.5
    axis.plot(band.index, band["median"], linewidth=width, label=method, marker=MARKERS[i], markevery=[-1], **look)
    axis.fill_between(band.index, band["low"], band["high"], color=COLOURS[i], alpha=0.12, linewidth=0)
    if paths["budget"].nunique() > 1:
        spent = bill_column(results)
        ends = results.assign(value=quality_values(results, quality)).groupby("budget")[[spent, "value"]].median()
        axis.plot(ends[spent], ends["value"], MARKERS[i], color=COLOURS[i], markersize=6)


def ranks_figure(found: Ranks, title: str) -> Any:
    """Critical-difference diagram: average ranks over tables; a bar joins methods that cannot be told apart.

    Parameters
    ----------
    found : Ranks
        From :func:`rapid_moo.comparison.statistics.ranks`.
    title : str
        What was ranked.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = figure_class()(figsize=(9.0, 1.5 + 0.26 * len(found.mean)), layout="constrained")
    axis = figure.subplots()
    draw_ranks(axis, found)
    axis.set_title(title)
    return figure


def draw_ranks(axis: Any, found: Ranks) -> None:
    """Draw the critical-difference diagram of :func:`ranks_figure`."""
    names = [str(name) for name in found.mean.index]
    n = len(names)
    positions: IntArray = np.arange(n)
    axis.hlines(positions, 1, found.mean.to_numpy(), color="#DDDDDD", linewidth=1.0)
    spread = found.table.loc[found.mean.index]
    for y, (_, row) in enumerate(spread.iterrows()):
        axis.plot(row, np.full(len(row), y), "|", color="#999999", markersize=7)
    axis.plot(found.mean, positions, "o", color=COLOURS[0], markersize=6)
    for y, value in enumerate(found.mean):
        # Over the ticks of the tables that lie there.
        told = axis.annotate(f"{value:.1f}", (value, y), xytext=(7, -3), textcoords="offset points", fontsize=8)
        told.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    for i, group in enumerate(found.cliques()):
        rows = [names.index(name) for name in group]
        x = n + 0.7 + 0.35 * i
        axis.plot([x, x], [min(rows) - 0.15, max(rows) + 0.15], color=COLOURS[2], linewidth=3, solid_capstyle="butt")
    axis.set_yticks(positions, names)
    axis.invert_yaxis()
    axis.set_xlim(0.8, n + 0.7 + 0.35 * max(1, len(found.cliques())))
    axis.set_xlabel(
        f"rank over {found.table.shape[1]} tables (dot: average, ticks: each table; 1 is best;"
        f" critical\ndifference {found.critical_difference:.1f}; bars on the right join what cannot be told apart)"
    )
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def overhead_figure(results: pd.DataFrame) -> Any:
    """Seconds of the optimizer itself per evaluation, by method: median and range over datasets."""
    found = overheads(results)
    grouped = found.assign(rate=np.maximum(found["seconds"], 1e-7)).groupby("method")["rate"]
    frame = grouped.agg(["min", "median", "max"]).sort_values("median", kind="stable")
    figure = figure_class()(figsize=(8.0, 1.4 + 0.26 * len(frame)), layout="constrained")
    axis = figure.subplots()
    positions: IntArray = np.arange(len(frame))
    axis.hlines(positions, frame["min"], frame["max"], color="#999999", linewidth=2.0)
    axis.plot(frame["median"], positions, "o", color=COLOURS[0])
    axis.set_xscale("log")
    axis.set_yticks(positions, [str(name) for name in frame.index])
    axis.invert_yaxis()
    axis.grid(visible=True, axis="x", color="#DDDDDD", linewidth=0.6)
    axis.set_xlabel("optimizer's wall seconds per evaluation (dot: median, line: range over tables)")
    return figure


def write_figure(figure: Any, path: Path) -> None:
    """Write a PNG file at once, with no date in it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png", metadata={"Software": None})


def write_figures(
    folder: Path,
    results: pd.DataFrame,
    trajectories: pd.DataFrame,
    oracle: pd.DataFrame,
    floor: pd.DataFrame | None = None,
) -> list[str]:
    """Write the figures of a comparison; returns the file names.

    ``curves-<dataset>.png`` for each dataset, ``overhead.png``, and with several datasets ``ranks-<budget>.png``.
    """
    datasets = sorted(set(results["dataset"]))
    figures = {f"curves-{name}.png": curves_figure(results, trajectories, oracle, name, floor) for name in datasets}
    figures["overhead.png"] = overhead_figure(results)
    if len(datasets) > 1:
        for budget in sorted(set(results["budget"])):
            found = ranks_where_possible(results, budget)
            if found is not None:
                figures[f"ranks-{budget:g}.png"] = ranks_figure(found, f"ADRS at a budget of {budget:g}")
    for name, figure in figures.items():
        write_figure(figure, folder / name)
    return list(figures)
