"""A million genotypes predicted, and their front: rate and peak memory, by number of rows.

    RAPID_MOO_DATA=... python benchmarks/million.py [--rows 125000,250000,500000,1000000]

A triplet tuned on 5 % of hw_gpt_l_rtx3080 predicts random genotypes of its space of 10^35. Each size is a process of
its own, so that its peak memory (``ru_maxrss``) is its own; one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _report import of_frame, page, setting

from rapid_moo import open_table
from rapid_moo.pareto import front_indices
from rapid_moo.tuning import ADRSTuner

TABLE = "hw_gpt_l_rtx3080"
OUT = Path(__file__).parent / "results" / "million"


def measure(n: int) -> dict[str, float]:
    """Seconds and megabytes for n genotypes."""
    table = open_table(TABLE)
    sample = table.sample(0.05, 0)
    predictors = ADRSTuner(seed=0).tune(sample).best.fit(sample)
    X = table.space.sample(n, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    predicted = predictors.predict_minimised(X)
    middle = time.perf_counter()
    front = front_indices(predicted)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": n,
        "predict_s": round(middle - start, 2),
        "rows_per_s": round(n / (middle - start)),
        "front_s": round(end - middle, 3),
        "front": len(front),
        "genotypes_MB": round(X.nbytes / 1e6),
        "peak_MB": round(peak / 1024),
        "of_that_before_MB": round(before / 1024),
    }


def main() -> None:
    """Measure every size in a process of its own and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="125000,250000,500000,1000000")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    lines = []
    for n in options.rows.split(","):
        done = subprocess.run([sys.executable, __file__, "--one", n], check=True, capture_output=True, text=True)
        lines.append(json.loads(done.stdout.splitlines()[-1]))
        print(lines[-1], flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    text = page(setting("python benchmarks/million.py", "0"), of_frame(pd.DataFrame(lines)))
    (OUT / "report.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
