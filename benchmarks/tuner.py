"""The comparison that decides: the published tuner against this project's, on the same samples of eight tables.

    RAPID_MOO_DATA=... python benchmarks/tuner.py run             # journal of cells, resumable, seed by seed
    RAPID_MOO_DATA=... python benchmarks/tuner.py report          # tables from the journal
    RAPID_MOO_DATA=... python benchmarks/tuner.py figure          # the picture of the committed results

A cell is a table, a share of it that is sampled, a seed and a method. Both methods get the same sample, choose a
triplet on it, fit it on all of the sample and predict the whole table. Two comparisons, every evaluation billed:

- *own bill*: the sample and the architectures that the predictions put on the front;
- *equal bill*: both go on in their :func:`~rapid_moo.tuning.pick_order` until each has been billed as much as the
  larger of their two own bills.

CPU seconds are of the process (``time.process_time``), one thread; *tune* is the choice of the triplet, which is what
the two methods differ in, *fit* its fit and the prediction of the table.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from rapid_moo._util import FloatArray
from rapid_moo.indicators import adrs
from rapid_moo.objectives import signs
from rapid_moo.pareto import front_indices
from rapid_moo.problems import open_table
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import ADRSTuner, pick_order

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
SEEDS = (0, 1, 2, 3, 4)
METHODS = ("published", "rapid_moo")
FOLDER = Path(__file__).parent / "results" / "tuner"
JOURNAL = FOLDER / "journal.jsonl"
KEPT_PICKS = 4_000
Cell = dict[str, Any]


def run_published(sample: ArchitectureTable, table: ArchitectureTable, seed: int) -> tuple[Cell, FloatArray]:
    """One cell of the published tuner."""
    import published_tuner

    start = time.process_time()
    found = published_tuner.tune(sample, seed)
    tuned = time.process_time()
    predicted = found.predict(sample, table)
    return _cell(found.families, found.promised, found.n_fits, start, tuned), predicted


def run_rapid_moo(sample: ArchitectureTable, table: ArchitectureTable, seed: int) -> tuple[Cell, FloatArray]:
    """One cell of this project's tuner, at its default budget."""
    start = time.process_time()
    found = ADRSTuner(seed=seed).tune(sample)
    tuned = time.process_time()
    predicted = np.asarray(found.best.fit(sample).predict(table.X) * signs(table.objectives))
    return _cell(found.families, found.adrs, found.n_fits, start, tuned), predicted


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
    cell, predicted = runner(table.take(rows), table, seed)
    sampled = np.zeros(len(table), dtype=np.bool_)
    sampled[rows] = True
    front = front_indices(predicted)
    order = pick_order(predicted)
    picks = order[~sampled[order]][:KEPT_PICKS]
    bill = len(rows) + int((~sampled[front]).sum())
    return {
        "table": table.name,
        "ratio": ratio,
        "seed": seed,
        "method": method,
        "sample": len(rows),
        "rows": len(table),
        "bill": bill,
        "front": len(front),
        "adrs": adrs(table.front, table.F[np.concatenate([rows, front])]),
        "sample_adrs": adrs(table.front, table.F[rows]),
        **cell,
        "picks": picks.tolist(),
    }


def read_journal() -> dict[tuple[str, float, int, str], Cell]:
    """Finished cells by (table, ratio, seed, method); the last one counts."""
    if not JOURNAL.is_file():
        return {}
    lines = [json.loads(line) for line in JOURNAL.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {(cell["table"], cell["ratio"], cell["seed"], cell["method"]): cell for cell in lines}


def run(seeds: tuple[int, ...], methods: tuple[str, ...], redo: bool) -> None:
    """Run what the journal does not hold yet, all tables of a seed before the next seed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = {} if redo else read_journal()
    tables = {name: open_table(name) for name in TABLES}
    for seed in seeds:
        for name in TABLES:
            for ratio in RATIOS:
                for method in methods:
                    if (tables[name].name, ratio, seed, method) in done:
                        continue
                    cell = run_cell(tables[name], ratio, seed, method)
                    with JOURNAL.open("a", encoding="utf-8") as journal:
                        journal.write(json.dumps(cell) + "\n")
                    print(
                        f"{seed} {name:17} {ratio:4.0%} {method:10}"
                        f" cpu {cell['tune_cpu']:7.2f} + {cell['fit_cpu']:5.2f} s,"
                        f" adrs {cell['adrs']:.4f} at {cell['bill']}, promised {cell['promised']:.4f},"
                        f" {'/'.join(cell['families'])}",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run"])
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--redo", action="store_true", help="run again what the journal holds")
    options = parser.parse_args()
    run(tuple(int(s) for s in options.seeds.split(",")), tuple(options.methods.split(",")), options.redo)
