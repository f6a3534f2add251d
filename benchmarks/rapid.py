"""What RAPID needs against random, one-shot, NSGA-II and NSGA-III: the figures of benchmarks/rapid.md.

    RAPID_MOO_DATA=... python benchmarks/rapid.py run [--tables a,b] [--seeds 10] [--out benchmarks/results/rapid]
    RAPID_MOO_DATA=... python benchmarks/rapid.py report [--out benchmarks/results/rapid]

``run`` makes what is missing and can be stopped at any time; ``report`` writes ``report.md`` and ``rapid.png`` from
the result files. Every unique evaluation is billed; the front of the table judges.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from _report import markdown, setting
from matplotlib.figure import Figure

from rapid_moo import ArchitectureTable, open_table
from rapid_moo.comparison import Comparison
from rapid_moo.comparison.oracle import oracle_trajectory
from rapid_moo.comparison.tables import TRAJECTORIES_FILE, read_results

METHODS = ("random", "nsga2", "nsga3", "rapid-oneshot", "rapid")
BUDGETS = (0.02, 0.05, 0.1, 0.15)
TARGETS = (0.05, 0.02, 0.01, 0.005)
TABLES = {
    "nasbench201": ("nasbench201", {}),
    "nasbench201_profiled": ("nasbench201", {"memory": "profiled"}),
    "nasbench_asr": ("nasbench_asr", {}),
    "flexibert": ("flexibert", {}),
    "hw_gpt_s_rtx3080": ("hw_gpt_s_rtx3080", {}),
    "hw_gpt_s_a100": ("hw_gpt_s_a100", {}),
    "hw_gpt_m_h100": ("hw_gpt_m_h100", {}),
    "hw_gpt_l_rtx3080": ("hw_gpt_l_rtx3080", {}),
    "digits": ("digits", {}),
    "hw_gpt_s_rtx3080_energy": ("hw_gpt_s_rtx3080", {"energy": True}),
}
COLOURS = {"random": "#999999", "nsga2": "#56B4E9", "nsga3": "#009E73", "rapid-oneshot": "#E69F00", "rapid": "#D55E00"}
LARGE = 5_000


def table_of(name: str) -> ArchitectureTable:
    """A table of the study under its own name."""
    dataset, options = TABLES[name]
    return replace(open_table(dataset, **options), name=name)


def run(names: list[str], seeds: int, methods: list[str], out: Path) -> None:
    """Make the runs that are missing."""
    for name in names:
        table = table_of(name)
        comparison = Comparison(table, methods, BUDGETS, seeds, out / name)

        def show(done: int, total: int, record: object, quality: float, name: str = name) -> None:
            print(f"{name} {done}/{total} {record.method} seed {record.seed}: ADRS {quality:.5f}", flush=True)  # type: ignore[attr-defined]

        comparison.run(progress=show)


def first_reach(trajectory: pd.DataFrame, quality: float) -> float:
    """Evaluations at the first recorded step whose ADRS is at most ``quality``; infinite if there is none."""
    met = trajectory[trajectory["adrs"] <= quality]
    return float(met["evaluations"].min()) if len(met) else float("inf")


def median_reach(paths: pd.DataFrame, method: str, quality: float) -> float:
    """Median over seeds of :func:`first_reach`; a run that ends before counts as infinite."""
    chosen = paths[paths["method"] == method]
    return float(np.median([first_reach(path, quality) for _, path in chosen.groupby("seed")]))


def quality_table(results: pd.DataFrame, column: str) -> pd.DataFrame:
    """Median of a quality (and its quartiles) by table, method and budget; rows are tables and methods."""
    grouped = results.groupby(["dataset", "method", "budget"])[column]
    low, middle, high = (grouped.quantile(q) for q in (0.25, 0.5, 0.75))
    text = [f"{m:.4f} [{a:.4f}, {b:.4f}]" for a, m, b in zip(low, middle, high, strict=True)]
    frame = pd.Series(text, index=middle.index).unstack("budget")
    frame.columns = [f"{budget:.0%}" for budget in frame.columns]
    return frame.reset_index()


def speedups(results: pd.DataFrame, paths: pd.DataFrame, sizes: dict[str, int]) -> pd.DataFrame:
    """Evaluations to the quality that one-shot has at its 15 %: one-shot's bill, RAPID's, NSGA-II's, the oracle's."""
    lines = []
    for name, group in results.groupby("dataset"):
        last = group[(group["method"] == "rapid-oneshot") & (group["budget"] == max(BUDGETS))]
        quality, bill = float(last["adrs"].median()), float(last["evaluations"].median())
        mine = paths[paths["dataset"] == name]
        reach = {method: median_reach(mine, method, quality) for method in ("rapid", "nsga2", "random")}
        oracle = first_reach(oracle_trajectory(table_of(str(name))), quality)
        lines.append(
            {
                "dataset": name,
                "rows": sizes[str(name)],
                "one-shot ADRS at 15 %": round(quality, 5),
                "one-shot bill": bill,
                **{f"{method} bill": value for method, value in reach.items()},
                "oracle bill": oracle,
                "fewer by": round(bill / reach["rapid"], 2),
                "rapid / oracle": round(reach["rapid"] / oracle, 2),
            }
        )
    return pd.DataFrame(lines)


def oracle_ratios(paths: pd.DataFrame, method: str = "rapid") -> pd.DataFrame:
    """Median evaluations for fixed qualities, divided by the oracle's."""
    lines = []
    for name, group in paths.groupby("dataset"):
        oracle = oracle_trajectory(table_of(str(name)))
        line: dict[str, object] = {"dataset": name}
        for target in TARGETS:
            mine, best = median_reach(group, method, target), first_reach(oracle, target)
            line[f"ADRS {target}"] = (
                f"{mine:.0f} / {best:.0f} = {mine / best:.1f}" if np.isfinite(mine) else "not reached"
            )
        lines.append(line)
    return pd.DataFrame(lines)


def worst_against_random(paths: pd.DataFrame) -> pd.DataFrame:
    """Largest ratio, over all recorded evaluations from 16 on, of RAPID's median ADRS to random sampling's."""
    lines = []
    for name, group in paths.groupby("dataset"):
        steps = sorted(set(group[group["method"] == "rapid"]["evaluations"]))
        curves = {m: _median_curve(group[group["method"] == m], steps) for m in ("rapid", "random")}
        kept = np.array(steps) >= 16
        ratio = curves["rapid"][kept] / np.maximum(curves["random"][kept], 1e-12)
        at = np.array(steps)[kept][int(np.nanargmax(ratio))]
        lines.append({"dataset": name, "worst ratio": round(float(np.nanmax(ratio)), 3), "at evaluations": int(at)})
    return pd.DataFrame(lines)


def _median_curve(paths: pd.DataFrame, steps: list[int]) -> np.ndarray:
    """Median ADRS over seeds after each number of evaluations; what was known then stays known."""
    curves = []
    for _, path in paths.groupby("seed"):
        path = path.sort_values("evaluations")
        at = np.searchsorted(path["evaluations"], steps, side="right") - 1
        values = path["adrs"].to_numpy()
        curves.append(np.where(at >= 0, values[np.maximum(at, 0)], np.inf))
    return np.median(np.array(curves), axis=0)


def figure(paths: pd.DataFrame) -> Figure:
    """ADRS over evaluations: median and quartiles of each method, the oracle as the floor."""
    names = [name for name in TABLES if name in set(paths["dataset"])]
    rows = -(-len(names) // 3)
    canvas = Figure(figsize=(13, 3.6 * rows + 0.6), layout="constrained")
    axes = canvas.subplots(rows, 3, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        group = paths[paths["dataset"] == name]
        for method, colour in COLOURS.items():
            mine = group[group["method"] == method]
            if method == "rapid-oneshot":
                ends = mine.loc[mine.groupby(["seed", "budget"])["evaluations"].idxmax()]
                middle = ends.groupby("budget")[["evaluations", "adrs"]].median()
                axis.plot(middle["evaluations"], middle["adrs"], "s", color=colour, label=method, markersize=5)
                continue
            steps = sorted(set(mine["evaluations"]))
            curves = {q: _quantile_curve(mine, steps, q) for q in (0.25, 0.5, 0.75)}
            axis.plot(steps, curves[0.5], color=colour, label=method, lw=2.2 if method == "rapid" else 1.3)
            axis.fill_between(steps, curves[0.25], curves[0.75], color=colour, alpha=0.2, lw=0)
        oracle = oracle_trajectory(table_of(name))
        axis.plot(oracle["evaluations"], oracle["adrs"], "k:", label="oracle")
        axis.set(xscale="log", yscale="log", title=name, xlabel="unique evaluations", ylabel="ADRS", xlim=(8, None))
        axis.set_ylim(bottom=max(1e-4, float(group.loc[group["adrs"] > 0, "adrs"].min()) / 2))
        axis.grid(alpha=0.3, which="both", lw=0.4)
    for axis in axes[len(names) :]:
        axis.remove()
    handles, labels = axes[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return canvas


def _quantile_curve(paths: pd.DataFrame, steps: list[int], q: float) -> np.ndarray:
    curves = []
    for _, path in paths.groupby("seed"):
        path = path.sort_values("evaluations")
        at = np.searchsorted(path["evaluations"], steps, side="right") - 1
        curves.append(np.where(at >= 0, path["adrs"].to_numpy()[np.maximum(at, 0)], np.nan))
    return np.nanquantile(np.array(curves), q, axis=0)


def report(out: Path) -> str:
    """The report of everything that has been run."""
    folders = [out / name for name in TABLES if (out / name / "results.csv").is_file()]
    results = read_results(folders)
    paths = read_results(folders, TRAJECTORIES_FILE)
    figure(paths).savefig(out / "rapid.png", dpi=110, metadata={"Software": None})
    sizes = {folder.name: len(table_of(folder.name)) for folder in folders}
    faster = speedups(results, paths, sizes)
    large = faster[(faster["rows"] >= LARGE) & ~faster["dataset"].str.endswith("_energy")]
    overhead = results[results["method"] == "rapid"].assign(per=lambda f: f["seconds"] / f["evaluations"])
    energy = results[results["dataset"].str.endswith("_energy")]
    seeds = results.groupby("dataset")["seed"].nunique().to_dict()
    parts = [
        setting("python benchmarks/rapid.py run && python benchmarks/rapid.py report", f"by table {seeds}"),
        "## ADRS at a share of the table: median [quartiles] over seeds",
        "One-shot bills its verified front on top of the share.",
        markdown(quality_table(results, "adrs")),
        "## Evaluations to the quality of one-shot at 15 %",
        markdown(faster),
        f"Geometric mean of 'fewer by' over the {len(large)} tables of {LARGE:,} rows or more:"
        f" {np.exp(np.log(large['fewer by']).mean()):.2f}.",
        "## Evaluations to a fixed ADRS, RAPID / oracle",
        markdown(oracle_ratios(paths)),
        "## Against random sampling at every recorded number of evaluations from 16 on",
        markdown(worst_against_random(paths)),
        "## Overhead: wall seconds of the optimizer per evaluation, at 15 %",
        markdown(
            overhead[overhead["budget"] == max(BUDGETS)].groupby("dataset")["per"].median().round(4).reset_index()
        ),
    ]
    if len(energy):
        parts += [
            "## Four objectives (with energy): normalised hypervolume",
            markdown(quality_table(energy, "hypervolume")),
        ]
    text = "\n\n".join(parts) + "\n"
    (out / "report.md").write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/rapid"))
    options = parser.parse_args()
    if options.action == "run":
        run(options.tables.split(","), options.seeds, options.methods.split(","), options.out)
    else:
        print(report(options.out))


if __name__ == "__main__":
    main()
