"""Nevergrad optimizers, random search and the shortlists alone in the tuner, at equal numbers of fits.

    RAPID_MOO_DATA=... python benchmarks/tuner_optimizers.py [--seeds 5]

Samples of 5 % (FlexiBERT 10 %). Two measures: the loss that the optimizer minimises (ADRS of out-of-fold predictions on
half-samples, best so far), and what it is for: the ADRS on the table of the sample and the first picks of the chosen
triplet, as many picks as the sample has rows. ``shortlists`` spends the whole budget on the families' shortlists and
judges all their combinations; it has no more than those, so its fits may be fewer.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _report import markdown, setting

from rapid_moo import open_table
from rapid_moo.indicators import adrs
from rapid_moo.tuning import ADRSTuner, pick_order, tuner

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


def run(name: str, optimizer: str, seed: int) -> dict[str, object]:
    """One run of the tuner."""
    table = open_table(name)
    rows = table.sample_rows(TABLES[name], seed)
    sample = table.take(rows)
    screened = tuner.SCREENED
    tuner.SCREENED = 1.0 if optimizer == SHORTLISTS else screened
    try:
        start = time.process_time()
        options = {} if optimizer == SHORTLISTS else {"optimizer": optimizer}
        found = ADRSTuner(BUDGET, seed=seed, **options).tune(sample)
        seconds = time.process_time() - start
    finally:
        tuner.SCREENED = screened
    order = pick_order(found.best.fit(sample).predict_minimised(table.X))
    picks = order[~np.isin(order, rows)][: len(rows)]
    return {
        "table": name,
        "optimizer": optimizer,
        "seed": seed,
        "n_fits": found.n_fits,
        "cpu_s": seconds,
        "loss": found.trace[-1],
        "adrs": adrs(table.front, table.F[np.concatenate([rows, picks])]),
        "trace": " ".join(f"{value:.5f}" for value in found.trace),
    }


def main() -> None:
    """Run everything and write ``runs.csv`` and ``report.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    lines = []
    for seed in range(seeds):
        for name in TABLES:
            for optimizer in (*OPTIMIZERS, SHORTLISTS):
                lines.append(run(name, optimizer, seed))
                print({key: value for key, value in lines[-1].items() if key != "trace"}, flush=True)
    frame = pd.DataFrame(lines)
    OUT.mkdir(parents=True, exist_ok=True)
    frame.to_csv(OUT / "runs.csv", index=False, float_format="%.6g")
    parts = [setting("python benchmarks/tuner_optimizers.py", f"0 to {seeds - 1}")]
    for column, meaning in (("loss", "Best loss of the tuner"), ("adrs", "ADRS on the table")):
        median = frame.groupby(["optimizer", "table"])[column].median().unstack("table")
        median.insert(
            0,
            "mean rank",
            frame.assign(rank=frame.groupby(["table", "seed"])[column].rank())
            .groupby("optimizer")["rank"]
            .mean()
            .round(2),
        )
        parts += [f"## {meaning}, median over seeds", markdown(median.sort_values("mean rank").round(5).reset_index())]
    cost = frame.groupby("optimizer")[["n_fits", "cpu_s"]].median().round(1).reset_index()
    parts += ["## Fits and CPU seconds, median", markdown(cost)]
    (OUT / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
