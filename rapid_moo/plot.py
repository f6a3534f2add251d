"""Figures for papers and notebooks: one call each, on whatever there is, with Matplotlib axes in and out.

``front``, ``progress``, ``calibration`` and ``importance`` take the result of a search or of pymoo's ``minimize``, a
problem, a study, a table, or the folder of any of them (see :func:`rapid_moo.subjects.report_of`); ``audit`` takes an
audit or a table; ``curves`` and ``ranks`` a comparison or its folder. Nothing needs a table that knows the true front.
All are legible in print and to colour-blind readers: what differs by colour differs by shape too. Matplotlib is
imported when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rapid_moo._util import FloatArray, atomic_path
from rapid_moo.audit import AuditReport
from rapid_moo.audit import audit as audit_table
from rapid_moo.comparison.figures import figure_class
from rapid_moo.errors import InputError
from rapid_moo.report.facts import ObjectiveFacts, PredictorFacts, Report
from rapid_moo.search import SearchResult
from rapid_moo.subjects import report_of
from rapid_moo.table import ArchitectureTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["audit", "calibration", "curves", "front", "front_figure", "importance", "progress", "ranks"]

# Okabe and Ito's colours: told apart by colour-blind readers and, by lightness, in print.
ORANGE, BLUE, PURPLE, GREY, BLACK = "#D55E00", "#0072B2", "#B0508A", "#BBBBBB", "#000000"
BAND = 1.645
"""Standard deviations of a 90 % band."""
SHOWN_GENES = 12


# ------------------------------------------------------------------------ axes
def _pyplot() -> Any:
    figure_class()
    import matplotlib.pyplot as plt

    return plt


def _panels(ax: Any, n: int, size: tuple[float, float] = (4.6, 4.0)) -> list[Any]:
    """So many axes: those given, or new ones in a figure of their own."""
    if ax is not None:
        given = [one for one in np.ravel(np.asarray(ax, dtype=object)) if one is not None]
        if len(given) < n:
            raise InputError(f"ax: expected {n} axes, got {len(given)}")
        return given[:n]
    columns = min(n, 3)
    lines = -(-n // columns)
    figure, axes = _pyplot().subplots(
        lines, columns, figsize=(size[0] * columns, size[1] * lines), squeeze=False, layout="constrained"
    )
    several: list[Any] = axes.ravel().tolist()
    for spare in several[n:]:
        figure.delaxes(spare)
    return several[:n]


def _returned(axes: Sequence[Any]) -> Any:
    """One axes as it is, several as an array."""
    if len(axes) == 1:
        return axes[0]
    found = np.empty(len(axes), dtype=object)
    found[:] = axes
    return found


def _label(objective: ObjectiveFacts) -> str:
    return f"{objective.label} ({'lower' if objective.direction == 'min' else 'higher'} is better)"


def _chosen(names: Iterable[str], wanted: str | Sequence[str] | None, what: str) -> list[int]:
    """Positions of the wanted names; all by default."""
    known = list(names)
    several = known if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [name for name in several if name not in known]
    if unknown or not several:
        raise InputError(f"{what}: expected some of {', '.join(known) or 'none'}, got {', '.join(unknown) or 'none'}")
    return [known.index(name) for name in several]


# ----------------------------------------------------------------------- front
def front(subject: Any, ax: Axes | Sequence[Axes] | None = None, *, objectives: Sequence[str] | None = None) -> Any:
    """The front found, among everything evaluated and beside the front that judges where one is known.

    What breaks a bound is crossed, and bounds on objectives are dashed lines.

    Parameters
    ----------
    subject : result, problem, study, table, folder or Report
        See :func:`rapid_moo.subjects.report_of`.
    ax : Axes or sequence of Axes, optional
        One for each pair of objectives; a single one is drawn with the first two.
    objectives : sequence of str, optional
        Names of the objectives to show; all by default.

    Returns
    -------
    Axes or ndarray of Axes
        One for each pair, the later objective to the right.

    Raises
    ------
    InputError
        If nothing is known with every objective, or a name is unknown.
    MissingExtraError
        If matplotlib is not installed.
    """
    report = report_of(subject)
    chosen = _chosen((o.name for o in report.objectives), objectives, "objectives")
    if ax is not None and np.ndim(np.asarray(ax, dtype=object)) == 0:
        chosen = chosen[:2]
    facts = report.architectures
    if facts is None or not any(facts.on_front):
        raise InputError("front: expected an architecture that is known with every objective, found none")
    raw = np.array(facts.raw, dtype=np.float64)
    on = np.array(facts.on_front, dtype=np.bool_)
    judge = report.reference if report.reference is not None and report.reference.kind != "found" else None
    points = np.array(judge.points, dtype=np.float64) if judge is not None else None
    kind = f"{judge.kind} front ({judge.size})" if judge is not None else ""
    state = np.array(facts.state)
    sample = state == "sample"
    # What is known in part from elsewhere is no evaluation.
    evaluated = ~sample & ((state != "known") | np.isfinite(raw).all(axis=1))
    broken = ~np.array(facts.feasible, dtype=np.bool_) & np.isfinite(raw).all(axis=1)
    several = {"evaluated": raw[evaluated & ~broken]}
    if sample.any():
        several["trained on"] = raw[sample & ~broken]
    if report.kind == "table":
        several = {"architectures": raw}
    pairs = [(b, a) for a, b in combinations(chosen, 2)] or [(-1, chosen[0])]
    axes = _panels(ax, len(pairs))
    for axis, pair in zip(axes, pairs, strict=True):
        _draw_front(axis, report.objectives, pair, several, raw[on], points, kind, raw[broken])
        _draw_bounds(axis, report, pair, raw)
    axes[0].legend(frameon=False, fontsize="small")
    return _returned(axes)


def _draw_bounds(axis: Any, report: Report, pair: tuple[int, int], raw: FloatArray) -> None:
    """The bounds on two objectives, where something is on either side of them."""
    x, y = pair
    names = [objective.name for objective in report.objectives]
    for bound in report.bounds:
        if bound.objective is None or bound.edge is None:
            continue
        k = names.index(bound.objective)
        if k in (x, y) and np.nanmin(raw[:, k]) <= bound.edge <= np.nanmax(raw[:, k]):
            draw = axis.axvline if k == x else axis.axhline
            draw(bound.edge, color=PURPLE, linewidth=1.0, linestyle=(0, (5, 4)), label=bound.text, zorder=1)


def _logarithmic(ruler: Any) -> None:
    """A logarithmic axis with few labels, as numbers: Matplotlib's own run into each other over one or two decades."""
    from matplotlib.ticker import LogLocator, NullFormatter

    (ruler.axes.set_xscale if ruler.axis_name == "x" else ruler.axes.set_yscale)("log")
    low, high = ruler.get_view_interval()
    ruler.set_major_locator(LogLocator(subs=(1.0, 3.0) if high < 1000 * low else (1.0,)))
    ruler.set_major_formatter("{x:g}")
    ruler.set_minor_formatter(NullFormatter())


def _draw_front(
    axis: Any,
    objectives: Sequence[Any],
    pair: tuple[int, int],
    several: dict[str, FloatArray],
    found: FloatArray,
    judge: FloatArray | None,
    kind: str,
    broken: FloatArray | None = None,
) -> None:
    """One pair of objectives; of a single one its values in the order of evaluation."""
    x, y = pair
    for (name, values), colour in zip(several.items(), (GREY, BLUE), strict=False):
        at = np.arange(1, len(values) + 1) if x < 0 else values[:, x]
        axis.scatter(at, values[:, y], s=7, c=colour, label=f"{name} ({len(values):,})", rasterized=True)
    if broken is not None and len(broken):
        several = {**several, "break a bound": broken}
        at = np.arange(1, len(broken) + 1) if x < 0 else broken[:, x]
        label = f"break a bound ({len(broken):,})"
        axis.scatter(at, broken[:, y], s=14, c=PURPLE, marker="x", linewidths=0.9, label=label)
    if judge is not None and x >= 0:
        axis.scatter(judge[:, x], judge[:, y], s=42, facecolors="none", edgecolors=BLACK, linewidths=0.9, label=kind)
    if x >= 0:
        axis.scatter(found[:, x], found[:, y], s=15, c=ORANGE, marker="D", label=f"front ({len(found)})", zorder=3)
    else:
        for value in np.unique(found[:, y]):
            axis.axhline(value, color=ORANGE, label="best")
    axis.set_xlabel("evaluation" if x < 0 else _label(objectives[x]))
    axis.set_ylabel(_label(objectives[y]))
    for k, ruler in ((x, axis.xaxis), (y, axis.yaxis)):
        if k < 0:
            continue
        values = np.concatenate([values[:, k] for values in (found, *several.values())])
        values = values[np.isfinite(values)]
        if objectives[k].direction == "min" and values.min() > 0 and values.max() > 20 * values.min():
            _logarithmic(ruler)


def front_figure(
    table: ArchitectureTable | None, found: FloatArray, title: str, trained: FloatArray | None = None
) -> Any:
    """Draw a found front, beside the table's where there is a table, one panel per pair of objectives.

    Parameters
    ----------
    table : ArchitectureTable or None
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
    figure_of = figure_class()
    found = np.asarray(found, dtype=np.float64)
    m = found.shape[1]
    objectives: Sequence[Any] = (
        table.objectives if table is not None else [_Anonymous(f"objective {k + 1}") for k in range(m)]
    )
    pairs = [(b, a) for a, b in combinations(range(m), 2)] or [(-1, 0)]
    columns = min(len(pairs), 3)
    lines = -(-len(pairs) // columns)
    figure = figure_of(figsize=(4.6 * columns, 4.2 * lines + 0.6), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    several = {"all architectures": table.raw} if table is not None else {}
    if trained is not None:
        several["trained on"] = trained
    judge = table.raw[table.front_rows] if table is not None else None
    kind = f"{table.front_kind} front ({len(table.front)})" if table is not None else ""
    for axis, pair in zip(axes, pairs, strict=False):
        _draw_front(axis, objectives, pair, several or {"found": found}, found, judge, kind)
    for axis in axes[len(pairs) :]:
        axis.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, markerscale=1.4)
    figure.suptitle(title)
    return figure


class _Anonymous:
    """An objective of which only the place is known."""

    def __init__(self, name: str) -> None:
        self.name = self.label = name
        self.direction = ""


def write_front_figure(result: SearchResult, path: Path) -> None:
    """Draw the front of a search into a PNG file."""
    title = (
        f"{result.dataset}: {len(result.X)} of {len(result.table):,} architectures evaluated,"
        f" ADRS {result.quality['adrs']:.4f}"
    )
    figure = front_figure(result.table, result.raw[result.front_rows], title, trained=result.raw[: result.n_train])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png", metadata={"Software": None})


# -------------------------------------------------------------------- progress
def progress(subject: Any, ax: Axes | None = None, *, quality: str = "adrs", label: str | None = None) -> Any:
    """Quality of everything billed so far over the bill; further calls on the same axes add lines.

    Parameters
    ----------
    subject : result, problem, study, folder or Report
        See :func:`rapid_moo.subjects.report_of`.
    ax : Axes, optional
        Where to draw.
    quality : {"adrs", "hypervolume"}
        Judged by the table's front, or where there is none by the front that is known now.
    label : str, optional
        Of the line; the subject's name by default.

    Returns
    -------
    Axes
    """
    names = {"adrs": "ADRS (lower is better)", "hypervolume": "hypervolume, share of the front's (higher is better)"}
    if quality not in names:
        raise InputError(f"quality: expected one of {', '.join(names)}, got {quality!r}")
    report = report_of(subject)
    facts = report.progress
    if facts is None:
        raise InputError(f"progress: expected something that was evaluated bit by bit, got a {report.kind}")
    [axis] = _panels(ax, 1, (5.6, 3.8))
    values = np.array(facts.adrs if quality == "adrs" else facts.hypervolume, dtype=np.float64)
    bill = facts.cost or facts.evaluations
    marker = "osD^vPX*"[len(axis.lines) % 8]
    axis.plot(bill, values, marker=marker, markersize=4, markevery=0.1, label=label or report.name)
    axis.set_xlabel("cost billed" if facts.cost else "evaluations billed")
    axis.set_ylabel(names[quality])
    axis.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    if len(axis.lines) > 1:
        axis.legend(frameon=False)
    judge = {"true": "the true front", "reference": "a reference front", "found": "the front known now"}
    if len(axis.lines) == 1:
        axis.set_title(f"{report.name}, judged by {judge[facts.reference]}", fontsize="medium")
    return axis


# ----------------------------------------------------------------- calibration
def calibration(
    subject: Any, ax: Axes | Sequence[Axes] | None = None, *, objective: str | Sequence[str] | None = None
) -> Any:
    """Measured values against predictions by predictors that had not seen them, with calibrated 90 % bands.

    Parameters
    ----------
    subject : result, problem, study, table, folder or Report
        See :func:`rapid_moo.subjects.report_of`; where it has no predictors, Gaussian processes are fitted.
    ax : Axes or sequence of Axes, optional
        One for each objective that is predicted.
    objective : str or sequence of str, optional
        Which; all that are predicted by default.

    Returns
    -------
    Axes or ndarray of Axes
    """
    report = report_of(subject, predict=True)
    known = _predicted(report, [p for p in report.predictors if p.measured])
    by_name = {o.name: o for o in report.objectives}
    several = [known[k] for k in _chosen((p.objective for p in known), objective, "objective")]
    axes = _panels(ax, len(several), (4.2, 4.0))
    for axis, p in zip(axes, several, strict=True):
        measured, predicted, std = (np.array(values, dtype=np.float64) for values in (p.measured, p.predicted, p.std))
        hit = np.abs(measured - predicted) <= BAND * std
        for on, colour, marker in ((True, BLUE, "o"), (False, ORANGE, "x")):
            some = hit == on
            axis.errorbar(
                measured[some],
                predicted[some],
                yerr=BAND * std[some],
                fmt=marker,
                color=colour,
                ecolor=GREY,
                markersize=4 if on else 6,
                elinewidth=0.8,
                label=f"in the band ({some.sum()})" if on else f"outside ({some.sum()})",
            )
        ends = [float(measured.min()), float(measured.max())]
        axis.plot(ends, ends, color=BLACK, linewidth=1.0, linestyle="--")
        axis.set_xlabel(f"{by_name[p.objective].label}, measured")
        axis.set_ylabel(f"{by_name[p.objective].label}, predicted")
        axis.set_title(f"{p.family}: 90 % band holds {hit.mean():.0%}", fontsize="medium")
        axis.legend(frameon=False, fontsize="small")
    return _returned(axes)


def _predicted(report: Report, known: list[PredictorFacts]) -> list[PredictorFacts]:
    """What is known of predictors, where there is something."""
    if not known:
        raise InputError(
            "expected a result, a problem, a study or a table, of which predictors are known or can be fitted, got a"
            f" {report.kind} without"
        )
    return known


# ------------------------------------------------------------------ importance
def importance(
    subject: Any, ax: Axes | Sequence[Axes] | None = None, *, objective: str | Sequence[str] | None = None
) -> Any:
    """Which genes drive which objective: total effects, see :func:`rapid_moo.report.making.gene_effects`.

    Parameters and returns as in :func:`calibration`; objectives that the space computes are included, those whose
    predictor explains too little of what it has not seen are not.
    """
    report = report_of(subject, predict=True)
    known = [p for p in report.predictors if p.importance]
    if report.predictors and not known:
        raise InputError("importance: expected a predictor that explains half of what it has not seen, found none")
    known = _predicted(report, known)
    several = [known[k] for k in _chosen((p.objective for p in known), objective, "objective")]
    most = max(min(len(p.importance), SHOWN_GENES) for p in several)
    axes = _panels(ax, len(several), (4.4, 1.2 + 0.27 * most))
    for axis, p in zip(axes, several, strict=True):
        top = sorted(p.importance.items(), key=lambda item: item[1])[-SHOWN_GENES:]
        axis.barh([name for name, _ in top], [100.0 * share for _, share in top], color=BLUE, height=0.65)
        axis.set_xlabel("share of the predicted variance [%]")
        axis.set_title(p.objective, fontsize="medium")
        axis.set_xlim(left=0)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return _returned(axes)


# ----------------------------------------------------------------------- audit
def audit(subject: Any, ax: Axes | None = None) -> Any:
    """How well each objective of a table can be learnt: cross-validated R2 with its 90 % interval, and the verdict.

    Parameters
    ----------
    subject : AuditReport, ArchitectureTable, Report or folder
        An audit, or a table to audit: its architectures in the order of the table.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    found = _audit_of(subject)["objectives"]
    [axis] = _panels(ax, 1, (6.4, 1.3 + 0.42 * len(found)))
    for y, o in enumerate(found):
        low, high = o["r2_interval"]
        r2 = float(o["r2"])
        good = o["verdict"] in ("exact", "learnable")
        axis.plot([max(low, -0.2), high], [y, y], color=BLUE if good else ORANGE, linewidth=2.0)
        axis.plot([max(r2, -0.2)], [y], "o" if good else "X", color=BLUE if good else ORANGE, markersize=8)
    axis.set_yticks(range(len(found)), [f"{o['name']}: {o['verdict']}" for o in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlim(-0.25, 1.05)
    axis.axvline(0.0, color=GREY, linewidth=1.0)
    axis.set_xlabel("R2 on unseen architectures (1 is perfect, 0 is the mean)")
    axis.grid(visible=True, axis="x", color="#DDDDDD", linewidth=0.6)
    return axis


def _audit_of(subject: Any) -> Any:
    if isinstance(subject, ArchitectureTable):
        from rapid_moo.problems.registry import open_raw

        stated = {objective.name: objective.direction for objective in subject.objectives}
        raw, space, name = open_raw(subject.to_frame(), subject.space, objectives=stated)
        return audit_table(raw, space, subject.objectives, name).to_facts()
    if isinstance(subject, AuditReport):
        return subject.to_facts()
    report = report_of(subject)
    if report.audit is None:
        raise InputError(f"audit: expected an audit or a table, got a {report.kind} without one")
    return report.audit


# ------------------------------------------------------------------ comparison
def curves(subject: Any, ax: Axes | None = None, *, dataset: str | None = None, quality: str = "adrs") -> Any:
    """Quality over evaluations of compared methods on one dataset: median and quartiles over seeds.

    Parameters
    ----------
    subject : Comparison or folder
        What was compared, or where its results are.
    ax : Axes, optional
        Where to draw.
    dataset : str, optional
        Which; the first by default.
    quality : {"adrs", "hypervolume"}
        ADRS, or one minus the normalised hypervolume.

    Returns
    -------
    Axes
    """
    from rapid_moo.comparison.figures import draw_curves
    from rapid_moo.comparison.tables import ORACLE_FILE, RESULTS_FILE, TRAJECTORIES_FILE, read_results

    keys = {"adrs": "adrs", "hypervolume": "deficit"}
    if quality not in keys:
        raise InputError(f"quality: expected one of {', '.join(keys)}, got {quality!r}")
    folder = _folder(subject)
    results, paths, oracle = (read_results([folder], name) for name in (RESULTS_FILE, TRAJECTORIES_FILE, ORACLE_FILE))
    names = sorted(set(results["dataset"]))
    name = names[_chosen(names, dataset or names[0], "dataset")[0]]
    [axis] = _panels(ax, 1, (6.4, 4.6))
    mine, path, best = (frame[frame["dataset"] == name] for frame in (results, paths, oracle))
    draw_curves(axis, mine, path, best, keys[quality])
    axis.legend(frameon=False, fontsize="small")
    axis.set_title(name, fontsize="medium")
    return axis


def ranks(subject: Any, ax: Axes | None = None, *, budget: float | None = None, quality: str = "adrs") -> Any:
    """Average ranks of compared methods over datasets, with the critical difference.

    Parameters
    ----------
    subject : Comparison, folder, or sequence of them
        What was compared; several folders of one table each count together.
    ax : Axes, optional
        Where to draw.
    budget : float, optional
        At which budget; the largest by default.
    quality : {"adrs", "hypervolume", "igd_plus", "front_size"}
        By which medians over seeds.

    Returns
    -------
    Axes
    """
    from rapid_moo.comparison.figures import draw_ranks
    from rapid_moo.comparison.statistics import ranks as rank_methods
    from rapid_moo.comparison.tables import read_results

    several = subject if isinstance(subject, list | tuple) else [subject]
    results = read_results([_folder(one) for one in several])
    known = ("adrs", "hypervolume", "igd_plus", "front_size")
    if quality not in known:
        raise InputError(f"quality: expected one of {', '.join(known)}, got {quality!r}")
    found = rank_methods(results, budget if budget is not None else max(results["budget"]), quality)
    [axis] = _panels(ax, 1, (8.0, 1.5 + 0.3 * len(found.mean)))
    draw_ranks(axis, found)
    return axis


def _folder(subject: Any) -> Path:
    found = getattr(subject, "out", subject)
    if not isinstance(found, str | Path):
        raise InputError(f"comparison: expected a Comparison or its folder, got {type(subject).__name__}")
    return Path(found)
