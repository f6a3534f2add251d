"""Results for people: text tables and pictures of fronts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from rapid_moo._util import FloatArray, atomic_path
from rapid_moo.errors import MissingExtraError
from rapid_moo.objectives import Objective, to_minimised
from rapid_moo.predictors import members_of
from rapid_moo.preferences import knee_point, preferred_point
from rapid_moo.search import SearchResult
from rapid_moo.table import ArchitectureTable

# Okabe and Ito's colours: told apart by colour-blind readers and, by lightness, in print.
ORANGE, BLUE, GREY, BLACK = "#D55E00", "#0072B2", "#BBBBBB", "#000000"


def search_text(result: SearchResult, weights: Sequence[float] | None = None) -> str:
    """The report of a search: predictors with errors and correlations, quality, picks, bill and seconds.

    Parameters
    ----------
    result : SearchResult
        What a search found.
    weights : sequence of float, optional
        One per objective: also name the architecture of the front that they prefer.
    """
    summary = result.summary()
    lines = [
        f"{summary['dataset']}: {len(result.table):,} architectures, {result.table.front_kind} front of"
        f" {len(result.table.front)} points, space of {result.table.space.size:.4g}",
        "",
        "Predictors (errors and correlations on rows that were not used for training)",
        _predictor_table(result),
        "",
        *_hyperparameters(result),
        "",
        f"Evaluations billed   {summary['evaluations']} of {summary['table_rows']}"
        f" ({summary['evaluations'] / summary['table_rows']:.1%}): {summary['training_rows']} to train on,"
        f" {summary['evaluations'] - summary['training_rows']} chosen by the predictors",
        f"Front found          {summary['front_size']} points",
        f"ADRS                 {summary['adrs']:.5f}  (0 is the whole front; of everything billed)",
        f"  predictor error    {summary['adrs_predictor']:.5f}  (true values of the predictions' exact front)",
        f"  search error       {summary['adrs_search']:.5f}  (what the search missed of that front, as predicted)",
        _estimate(summary["tuner_adrs"]),
        f"Hypervolume          {summary['hypervolume']:.5f}  (1 is the whole front)",
        f"Seconds              {summary['seconds']:.1f}  ("
        + ", ".join(f"{name} {value:.1f}" for name, value in summary["seconds_by_phase"].items())
        + ")",
        *_picks(result, weights),
    ]
    return "\n".join(lines)


def _picks(result: SearchResult, weights: Sequence[float] | None) -> list[str]:
    """The front's knee, and what the weights prefer."""
    F = to_minimised(result.front, result.objectives)
    picks = [("Knee of the front", knee_point(F))]
    if weights is not None:
        picks.append((f"Preferred by {','.join(f'{w:g}' for w in weights)}", preferred_point(F, weights)))
    lines = []
    for name, row in picks:
        values = ", ".join(
            f"{o.name} {v:.6g} {o.unit}".strip() for o, v in zip(result.objectives, result.front[row], strict=True)
        )
        lines.append(f"{name:20} {result.table.space.to_string(result.X[result.front_rows[row]])}  ({values})")
    return lines


def _predictor_table(result: SearchResult) -> str:
    rows = []
    for objective, spec, found in zip(result.objectives, result.predictors.specs, result.metrics, strict=True):
        rows.append(
            {
                "objective": objective.label,
                "goal": objective.direction,
                "predictor": spec.family if spec is not None else "exact",
                "<=1%": f"{found['within_1pct']:.1%}",
                "<=5%": f"{found['within_5pct']:.1%}",
                "<=10%": f"{found['within_10pct']:.1%}",
                "MSE": f"{found['mse']:.4g}",
                "MAPE": f"{found['mape']:.3%}",
                "Kendall": f"{found['kendall_tau']:.3f}",
                "Spearman": f"{found['spearman']:.3f}",
                "Pearson": f"{found['pearson']:.3f}",
            }
        )
    return pd.DataFrame(rows).to_string(index=False)


def _estimate(tuner_adrs: float | None) -> str:
    if tuner_adrs is None:
        return "  tuner's estimate   none: too few evaluations to tune on"
    return f"  tuner's estimate   {tuner_adrs:.5f}  (out of fold, on the sample)"


def _hyperparameters(result: SearchResult) -> list[str]:
    lines = []
    for objective, spec in zip(result.objectives, result.predictors.specs, strict=True):
        if spec is None:
            lines.append(f"{objective.name}: computed exactly from the genotype")
            continue
        members = members_of(spec)
        if len(members) > 1:
            lines.append(f"{objective.name}: mean of {len(members)} predictors")
        for member, share in members:
            head = f"{objective.name}:" if len(members) == 1 else f"  {share:4.0%}"
            lines.append(
                f"{head} {member.family} {json.dumps(dict(member.params))} on {member.features} features,"
                f" target transform {member.transform}"
            )
    return lines


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
