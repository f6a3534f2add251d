"""The comparison that decides: the published tuner against this project's, on the same samples of eight tables.

    RAPID_MOO_DATA=... python benchmarks/tuner.py run             # journal of cells, resumable, seed by seed
    RAPID_MOO_DATA=... python benchmarks/tuner.py report          # cells.csv, report.md and tuner.png from it

A cell is a table, a share of it that is sampled, a seed and a method. Both methods get the same sample, choose a
triplet on it, fit it on all of the sample and predict the whole table. Two comparisons, every evaluation billed:

- *own bill*: the sample and the architectures that the predictions put on the front;
- *equal bill*: both go on in their :func:`~rapid_moo.tuning.pick_order` until each has been billed as much as the
  larger of their two own bills.

This project's predictors know how wrong they may be, so there is a third figure of theirs: in place of the predicted
front as many architectures of the largest expected gain (:func:`~rapid_moo.acquisition.expected_coverage`, one batch,
nothing learned between), which is compared with the published procedure at the larger bill.

CPU seconds are of the process (``time.process_time``), one thread; *tune* is the choice of the triplet, which is what
the two methods differ in, *fit* its fit and the prediction of the table.

Of this project's tuner two more things are kept: whether its promise holds (:func:`kept_promise`), and how many unseen
architectures lie within the intervals of its predictors (:func:`coverage`).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, section, setting
from matplotlib.figure import Figure
from scipy.special import ndtri

from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.acquisition import Candidates, expected_coverage
from rapid_moo.comparison.methods.published import choose, fit_separately, vectors_of
from rapid_moo.indicators import adrs
from rapid_moo.objectives import signs
from rapid_moo.pareto import front_indices
from rapid_moo.predictors import PredictorSet
from rapid_moo.predictors.spread import LEVELS
from rapid_moo.problems import open_table
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import ADRSTuner, pick_loss, pick_order

TABLES = (
    "flexibert",
    "digits",
    "nasbench_asr",
    "hw_gpt_m_h100",
    "hw_gpt_s_a100",
    "hw_gpt_s_rtx3080",
    "hw_gpt_l_rtx3080",
    "nasbench201",
)
RATIOS = (0.05, 0.1)
SEEDS = range(5)
# Where the ADRS of samples of one size differs by a factor of two to eight, five of them decide little.
MORE_SEEDS = {"flexibert": range(10), "nasbench_asr": range(10)}
METHODS = ("published", "rapid_moo")
FOLDER = Path(__file__).parent / "results" / "tuner"
JOURNAL = FOLDER / "journal.jsonl"
STEPS = 60
Cell = dict[str, Any]


def run_published(table: ArchitectureTable, rows: IntArray, seed: int) -> tuple[Cell, FloatArray]:
    """One cell of the published tuner, and its predictions of the table."""
    sample = table.take(rows)
    start = time.process_time()
    vectors = vectors_of(sample.space, sample.X)
    # One fit for each configuration, as published: what is compared is what it costs, too.
    found = choose(vectors, sample.raw, sample.objectives, seed, fit_separately)
    tuned = time.process_time()
    predicted = found.predict(vectors, sample.raw, vectors_of(table.space, table.X)) * signs(table.objectives)
    return _cell(found.families, found.promised, found.n_fits, start, tuned), predicted


def run_rapid_moo(table: ArchitectureTable, rows: IntArray, seed: int) -> tuple[Cell, FloatArray]:
    """One cell of this project's tuner, at its default budget, and its predictions of the table."""
    sample = table.take(rows)
    start = time.process_time()
    found = ADRSTuner(seed=seed).tune(sample)
    tuned = time.process_time()
    predictors = found.best.fit(sample)
    predicted = predictors.predict_minimised(table.X)
    cell = _cell(found.families, found.adrs, found.n_fits, start, tuned)
    unseen = np.setdiff1d(np.arange(len(table)), rows)
    picking = time.process_time()
    n_picks = len(np.setdiff1d(front_indices(predicted), rows))
    picks = unseen[gain_picks(predictors, sample, table.X[unseen], n_picks, seed)]
    cell["pick_cpu"] = time.process_time() - picking
    cell["gain_adrs"] = adrs(table.F[np.concatenate([rows, picks])], reference=table.front)
    size = min(len(sample), ADRSTuner().max_rows, len(unseen))
    return {
        **cell,
        "fits_cpu": sum(found.fit_seconds.values()),
        "family_cpu": found.fit_seconds,
        "unlearnable": list(found.unlearnable),
        "interval": list(found.interval),
        **kept_promise(table.F[unseen], predicted[unseen], found.interval, size, seed),
        "coverage": coverage(predictors, table.take(unseen)),
    }, predicted


def gain_picks(predictors: PredictorSet, known: ArchitectureTable, X: IntArray, size: int, seed: int) -> IntArray:
    """Positions of the candidates of the largest expected gain, shape (size,), in the order chosen."""
    rng = np.random.default_rng(seed)
    sign = signs(known.objectives)
    mean, std = predictors.predict(X, return_std=True)
    candidates = Candidates(mean * sign, std, known.F, lambda rows, n: predictors.draw(X[rows], n, rng) * sign)
    return expected_coverage(candidates, size, rng)


def kept_promise(
    true: FloatArray, predicted: FloatArray, interval: tuple[float, float], size: int, seed: int, repeats: int = 20
) -> Cell:
    """What was promised, obtained: the loss on as many unseen rows as were tuned on, median of some random sets.

    Also the share of the sets whose loss lies within the promised interval, which should be 90 %.
    """
    rng = np.random.default_rng(seed)
    sets = [rng.choice(len(true), size, replace=False) for _ in range(repeats)]
    losses = np.array([pick_loss(true[rows], predicted[rows]) for rows in sets])
    inside = (losses >= interval[0]) & (losses <= interval[1])
    return {"obtained": float(np.median(losses)), "within": float(inside.mean())}


def coverage(predictors: PredictorSet, unseen: ArchitectureTable) -> dict[str, list[float]]:
    """Share of unseen rows within the central 50, 80 and 95 % of each predicted objective's distribution."""
    mean, std = predictors.predict(unseen.X, return_std=True)
    away = np.abs(unseen.raw - mean) / np.maximum(std, 1e-300)
    return {
        objective.name: [float((away[:, k] <= ndtri(0.5 + level / 2.0)).mean()) for level in LEVELS]
        for k, (objective, spec) in enumerate(zip(unseen.objectives, predictors.specs, strict=True))
        if spec is not None
    }


def _cell(families: tuple[str, ...], promised: float, n_fits: int, start: float, tuned: float) -> Cell:
    return {
        "families": list(families),
        "promised": promised,
        "n_fits": n_fits,
        "tune_cpu": tuned - start,
        "fit_cpu": time.process_time() - tuned,
    }


def run_cell(table: ArchitectureTable, ratio: float, seed: int, method: str) -> Cell:
    """Run a method on a sample and keep what the comparison needs."""
    rows = table.sample_rows(ratio, seed)
    runner = run_published if method == "published" else run_rapid_moo
    cell, predicted = runner(table, rows, seed)
    front = front_indices(predicted)
    order = pick_order(predicted)
    billed = np.concatenate([rows, order[~np.isin(order, rows)]])
    bill = len(rows) + len(np.setdiff1d(front, rows))
    bills = np.unique([bill, *np.geomspace(len(rows), min(2 * bill, len(billed)), STEPS).astype(int)])
    return {
        "table": table.name,
        "ratio": ratio,
        "seed": seed,
        "method": method,
        "sample": len(rows),
        "rows": len(table),
        "bill": bill,
        "front": len(front),
        "adrs": adrs(table.F[np.concatenate([rows, front])], reference=table.front),
        "sample_adrs": adrs(table.F[rows], reference=table.front),
        **cell,
        "curve": [[int(b), float(f"{adrs(table.F[billed[:b]], reference=table.front):.6g}")] for b in bills],
    }


def read_journal() -> dict[tuple[str, float, int, str], Cell]:
    """Finished cells by (table, ratio, seed, method); the last one counts."""
    if not JOURNAL.is_file():
        return {}
    lines = [json.loads(line) for line in JOURNAL.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {(cell["table"], cell["ratio"], cell["seed"], cell["method"]): cell for cell in lines}


def run(seeds: tuple[int, ...] | None, methods: tuple[str, ...], redo: bool) -> None:
    """Run what the journal does not hold yet, all tables of a seed before the next seed; by default their own seeds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = {} if redo else read_journal()
    tables = {name: open_table(name) for name in TABLES}
    planned = {name: seeds if seeds is not None else MORE_SEEDS.get(name, SEEDS) for name in TABLES}
    for seed in sorted(set().union(*planned.values())):
        for name in (name for name in TABLES if seed in planned[name]):
            for ratio in RATIOS:
                for method in methods:
                    if (tables[name].name, ratio, seed, method) in done:
                        continue
                    cell = run_cell(tables[name], ratio, seed, method)
                    with JOURNAL.open("a", encoding="utf-8") as journal:
                        journal.write(json.dumps({**cell, **provenance()}) + "\n")
                    print(
                        f"{seed} {name:17} {ratio:4.0%} {method:10}"
                        f" cpu {cell['tune_cpu']:7.2f} + {cell['fit_cpu']:5.2f} s,"
                        f" adrs {cell['adrs']:.4f} at {cell['bill']}, promised {cell['promised']:.4f},"
                        f" {'/'.join(cell['families'])}",
                        flush=True,
                    )


def adrs_at(cell: Cell, bill: int) -> float:
    """ADRS of a cell's sample and its first picks, as many as a bill pays for (of the recorded steps, 1 % apart)."""
    return float(max((b, value) for b, value in cell["curve"] if b <= bill)[1])


def cells() -> pd.DataFrame:
    """One row per cell of which both methods' are there, with the ADRS at the larger of both bills."""
    done, rows = read_journal(), []
    for name, ratio, seed in sorted({key[:3] for key in done}):
        pair = {method: done.get((name, ratio, seed, method)) for method in METHODS}
        if None in pair.values():
            continue
        bill = max(cell["bill"] for cell in pair.values() if cell is not None)
        for cell in pair.values():
            assert cell is not None
            kept = {key: value for key, value in cell.items() if not isinstance(value, list | dict)}
            rows.append(
                {
                    **kept,
                    "families": "/".join(cell["families"]),
                    "equal_bill": bill,
                    "equal_adrs": adrs_at(cell, bill),
                    **{f"cpu_{family}": seconds for family, seconds in cell.get("family_cpu", {}).items()},
                    **{
                        f"covered_{objective}": "/".join(f"{share:.3f}" for share in shares)
                        for objective, shares in cell.get("coverage", {}).items()
                    },
                }
            )
    return pd.DataFrame(rows)


def comparison(frame: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """Medians over seeds of both methods, one row per table."""
    part = frame[frame["ratio"] == ratio]
    lines = []
    for name, group in part.groupby("table"):
        old, new = (group[group["method"] == method].set_index("seed") for method in METHODS)
        middle = {key: (old[key].median(), new[key].median()) for key in ("adrs", "bill", "equal_adrs", "tune_cpu")}
        wins, gain_wins = (int((new[key] < old["equal_adrs"]).sum()) for key in ("equal_adrs", "gain_adrs"))
        lines.append(
            {
                "table": name,
                "seeds": len(new),
                "ADRS (bill), published": f"{middle['adrs'][0]:.4f} ({middle['bill'][0]:.0f})",
                "ours": f"{middle['adrs'][1]:.4f} ({middle['bill'][1]:.0f})",
                "ADRS at equal bill, published": f"{middle['equal_adrs'][0]:.4f}",
                "ours ": f"{middle['equal_adrs'][1]:.4f}",
                "seeds won": f"{wins} of {len(new)}",
                "ours, by expected gain": f"{new['gain_adrs'].median():.4f}",
                "seeds won ": f"{gain_wins} of {len(new)}",
                "CPU s, published": f"{middle['tune_cpu'][0]:.0f}",
                "ours  ": f"{middle['tune_cpu'][1]:.2f}",
                "ratio (least)": f"{(old['tune_cpu'] / new['tune_cpu']).median():.0f}"
                f" ({(old['tune_cpu'] / new['tune_cpu']).min():.0f})",
            }
        )
    return pd.DataFrame(lines)


def promises(frame: pd.DataFrame) -> pd.DataFrame:
    """What was promised and what came, medians over seeds."""
    lines = []
    for (name, ratio), group in frame.groupby(["table", "ratio"]):
        old, new = (group[group["method"] == method] for method in METHODS)
        lines.append(
            {
                "table": name,
                "sample": f"{ratio:.0%}",
                "published promised": f"{old['promised'].median():.4f}",
                "its table": f"{old['adrs'].median():.4f}",
                "ours promised": f"{new['promised'].median():.4f}",
                "obtained": f"{new['obtained'].median():.4f}",
                "sets within the 90 % interval": f"{new['within'].mean():.0%}",
                "CPU in fits": f"{(new['fits_cpu'] / new['tune_cpu']).median():.0%}",
            }
        )
    return pd.DataFrame(lines)


def coverages(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean coverage over seeds, by table, sample and objective."""
    lines = []
    columns = [column for column in frame.columns if column.startswith("covered_")]
    for (name, ratio), group in frame[frame["method"] == "rapid_moo"].groupby(["table", "ratio"]):
        for column in columns:
            texts = [text for text in group[column] if isinstance(text, str)]
            if texts:
                means = np.mean([[float(share) for share in text.split("/")] for text in texts], axis=0)
                levels = {f"{level:.0%}": f"{share:.1%}" for level, share in zip(LEVELS, means, strict=True)}
                objective = column.removeprefix("covered_")
                lines.append({"table": name, "sample": f"{ratio:.0%}", "objective": objective, **levels})
    return pd.DataFrame(lines)


def profile(frame: pd.DataFrame) -> pd.DataFrame:
    """Where our CPU seconds go: fits by family, which are the floor, and the choice; means over seeds."""
    ours = frame[frame["method"] == "rapid_moo"]
    columns = [column for column in frame.columns if column.startswith("cpu_")]
    lines = []
    for (name, ratio), group in ours.groupby(["table", "ratio"]):
        spent = {column.removeprefix("cpu_"): group[column].fillna(0.0).mean() for column in columns}
        spent["choice"] = (group["tune_cpu"] - group["fits_cpu"]).mean()
        spent["all"] = group["tune_cpu"].mean()
        lines.append({"table": name, "sample": f"{ratio:.0%}", **{key: f"{value:.2f}" for key, value in spent.items()}})
    return pd.DataFrame(lines)


def figure(frame: pd.DataFrame) -> Figure:
    """ADRS at equal bill and CPU seconds, both methods, one mark per seed."""
    canvas = Figure(figsize=(11, 6.5), layout="constrained")
    axes = canvas.subplots(1, 2, sharey=True)
    order = [f"{name}, {ratio:.0%}" for name in sorted(set(frame["table"])) for ratio in RATIOS]
    looks = {
        "published grid": ("#E69F00", "s", "published", "equal_adrs"),
        "rapid_moo, predicted front": ("#0072B2", "o", "rapid_moo", "equal_adrs"),
        "rapid_moo, expected gain": ("#009E73", "^", "rapid_moo", "gain_adrs"),
    }
    for label, (colour, marker, method, column) in looks.items():
        part = frame[frame["method"] == method]
        places = [order.index(f"{t}, {r:.0%}") for t, r in zip(part["table"], part["ratio"], strict=True)]
        for axis, shown in zip(axes, (column, "tune_cpu"), strict=True):
            if shown == "tune_cpu" and column == "gain_adrs":
                continue
            axis.plot(part[shown], places, marker, color=colour, alpha=0.5, markersize=5, label=f"{label}, each seed")
            middle = part.groupby(["table", "ratio"])[shown].median()
            at = [order.index(f"{t}, {r:.0%}") for t, r in middle.index]
            axis.plot(middle, at, "|", color=colour, markersize=16, markeredgewidth=2.5, label=f"{label}, median")
    for axis, what in zip(axes, ("ADRS at equal bill", "CPU seconds"), strict=True):
        axis.set(xscale="log", xlabel=what)
        axis.grid(alpha=0.3, which="both", lw=0.4)
    axes[0].set_yticks(range(len(order)), order)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return canvas


def report() -> str:
    """Write ``cells.csv``, ``report.md`` and ``tuner.png`` of everything that has been run."""
    frame = cells()
    frame.to_csv(FOLDER / "cells.csv", index=False, float_format="%.6g")
    figure(frame).savefig(FOLDER / "tuner.png", dpi=110, metadata={"Software": None})
    parts = [
        setting("python benchmarks/tuner.py run && python benchmarks/tuner.py report", "by table, see below", frame)
    ]
    for ratio in RATIOS:
        parts += [
            section(f"Published and ours on samples of {ratio:.0%}, medians over seeds"),
            of_frame(comparison(frame, ratio)),
        ]
    parts += [
        section("Promised and obtained"),
        of_frame(promises(frame)),
        section("CPU seconds by family, means over seeds"),
        of_frame(profile(frame)),
        section("Coverage of unseen rows"),
        of_frame(coverages(frame)),
    ]
    text = page(*parts)
    (FOLDER / "report.md").write_text(text, encoding="utf-8")
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--seeds", type=lambda text: tuple(int(s) for s in text.split(",")), help="of every table")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--redo", action="store_true", help="run again what the journal holds")
    options = parser.parse_args()
    if options.action == "run":
        run(options.seeds, tuple(options.methods.split(",")), options.redo)
    else:
        print(report())
