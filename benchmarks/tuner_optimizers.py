"""Nevergrad optimizers, random search and the shortlists alone in the tuner, at equal numbers of fits.

    RAPID_MOO_DATA=... python benchmarks/tuner_optimizers.py run [--seeds 5]
    python benchmarks/tuner_optimizers.py report

Samples of 5 % (FlexiBERT 10 %). Two measures: the loss that the optimizer minimises (ADRS of out-of-fold predictions on
half-samples, best so far), and what it is for: the ADRS on the table of the sample and the first picks of the chosen
predictors, as many picks as the sample has rows. ``shortlists`` fits the families' shortlists alone and judges their
combinations: fewer fits. ``report`` writes ``report.md`` and ``curves.png`` from ``runs.csv``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _report import of_frame, page, section, setting
from matplotlib.figure import Figure

from rapid_moo import open_table
from rapid_moo._provenance import provenance
from rapid_moo.indicators import adrs
from rapid_moo.tuning import ADRSTuner, pick_order

TABLES = {"nasbench201": 0.05, "nasbench_asr": 0.05, "flexibert": 0.1, "hw_gpt_s_rtx3080": 0.05}
OPTIMIZERS = (
    "TwoPointsDE",
    "DiscreteOnePlusOne",
    "PortfolioDiscreteOnePlusOne",
    "NGOpt",
    "RandomSearch",
)
SHORTLISTS = "shortlists"
BUDGET = 24
OUT = Path(__file__).parent / "results" / "tuner_optimizers"
# Okabe and Ito's colours, and a line style each for print.
LOOKS = {
    "TwoPointsDE": ("#0072B2", "-"),
    "DiscreteOnePlusOne": ("#D55E00", "--"),
    "PortfolioDiscreteOnePlusOne": ("#009E73", "-."),
    "NGOpt": ("#CC79A7", ":"),
    "RandomSearch": ("#000000", (0, (5, 1, 1, 1))),
    SHORTLISTS: ("#999999", "--"),
}


def run(name: str, optimizer: str, seed: int) -> dict[str, object]:
    """One run of the tuner."""
    table = open_table(name)
    rows = table.sample_rows(TABLES[name], seed)
    sample = table.take(rows)
    start = time.process_time()
    alone = optimizer == SHORTLISTS
    tuner = _Shortlists(BUDGET, seed=seed) if alone else ADRSTuner(BUDGET, seed=seed, optimizer=optimizer)
    found = tuner.tune(sample)
    seconds = time.process_time() - start
    order = pick_order(found.best.fit(sample).predict_minimised(table.X))
    picks = order[~np.isin(order, rows)][: len(rows)]
    return {
        "table": name,
        "optimizer": optimizer,
        "seed": seed,
        "n_fits": found.n_fits,
        "cpu_s": seconds,
        "loss": found.trace[-1],
        "adrs": adrs(table.F[np.concatenate([rows, picks])], reference=table.front),
        "trace": " ".join(f"{value:.5f}" for value in found.trace),
        **provenance(),
    }


class _Shortlists(ADRSTuner):
    """The shortlists alone: nothing is searched."""

    def _refine(self, *_: object) -> None:
        pass


def figure(frame: pd.DataFrame) -> Figure:
    """Best loss by trial, median over seeds, one panel per table."""
    canvas = Figure(figsize=(11, 6.5), layout="constrained")
    panels = canvas.subplots(2, 2).ravel()
    for axis, (name, part) in zip(panels, frame.groupby("table"), strict=True):
        for optimizer, (colour, style) in LOOKS.items():
            traces = [[float(v) for v in text.split()] for text in part[part["optimizer"] == optimizer]["trace"]]
            longest = max(map(len, traces))
            best = np.median([trace + trace[-1:] * (longest - len(trace)) for trace in traces], axis=0)
            if optimizer == SHORTLISTS:
                axis.axhline(best[-1], color=colour, ls=style, lw=1.5, label="shortlists alone")
            else:
                axis.plot(np.arange(1, longest + 1), best, color=colour, ls=style, lw=1.8, label=optimizer)
        axis.set(title=f"{name}, {TABLES[str(name)]:.0%}", xlabel="trial (the first two are the shortlists)")
        axis.set_ylabel("best loss, median over seeds")
        axis.grid(alpha=0.3, lw=0.4)
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    return canvas


def report() -> str:
    """Write ``report.md`` and ``curves.png``."""
    frame = pd.read_csv(OUT / "runs.csv")
    figure(frame).savefig(OUT / "curves.png", dpi=110, metadata={"Software": None})
    seeds = ", ".join(map(str, sorted(set(frame["seed"]))))
    parts = [
        setting(
            "python benchmarks/tuner_optimizers.py run && python benchmarks/tuner_optimizers.py report", seeds, frame
        )
    ]
    for column, meaning in (("loss", "Best loss of the tuner"), ("adrs", "ADRS on the table")):
        median = frame.groupby(["optimizer", "table"])[column].median().unstack("table")
        ranks = frame.assign(rank=frame.groupby(["table", "seed"])[column].rank()).groupby("optimizer")["rank"].mean()
        median.insert(0, "mean rank", ranks.round(2))
        parts += [
            section(f"{meaning}, median over seeds"),
            of_frame(median.sort_values("mean rank").round(5).reset_index()),
        ]
    cost = frame.groupby("optimizer")[["n_fits", "cpu_s"]].median().round(1).reset_index()
    parts += [section("Fits and CPU seconds, median"), of_frame(cost)]
    text = page(*parts)
    (OUT / "report.md").write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Run everything and keep ``runs.csv``, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--optimizers", default=",".join((*OPTIMIZERS, SHORTLISTS)))
    options = parser.parse_args()
    if options.action == "report":
        print(report())
        return
    lines = []
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for name in TABLES:
            for optimizer in options.optimizers.split(","):
                lines.append(run(name, optimizer, seed))
                print({key: value for key, value in lines[-1].items() if key != "trace"}, flush=True)
                pd.DataFrame(lines).to_csv(OUT / "runs.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
