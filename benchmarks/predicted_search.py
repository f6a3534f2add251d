"""Time, overhead and memory of NSGA-II over predicted objectives of a space far too large to list.

    RAPID_MOO_DATA=... python benchmarks/predicted_search.py [--table hw_gpt_l_rtx3080] [--evaluations 100000]

It fits a Gaussian process per objective on 500 members of the table, then lets pymoo's NSGA-II, with this package's
operators, search the whole space. Prediction is timed inside the search, all else is overhead; a tenth of the
evaluations goes first, so that the peak memory of the process can be compared. Written to
``results/predicted_search/report.md``.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _report import of_frame, page, setting
from pymoo.optimize import minimize

from rapid_moo import ArchitectureProblem, PredictorSet, PredictorSpec, open_table
from rapid_moo._util import write_text
from rapid_moo.operators import evolutionary

OUT = Path(__file__).parent / "results" / "predicted_search"


class TimedPredictors:
    """A fitted predictor set that counts its calls, rows and seconds."""

    def __init__(self, predictors: PredictorSet) -> None:
        self.predictors, self.objectives = predictors, predictors.objectives
        self.rows, self.seconds = 0, 0.0

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Raw predictions of shape (n, n_objectives)."""
        start = time.perf_counter()
        values = self.predictors.predict(X)
        self.seconds += time.perf_counter() - start
        self.rows += len(X)
        return np.asarray(values)


def search(predictors: PredictorSet, evaluations: int, pop_size: int, seed: int) -> dict[str, float]:
    """One search: seconds in all, share of overhead, size of the front, peak of the process's memory so far [MiB]."""
    timed = TimedPredictors(predictors)
    problem = ArchitectureProblem(predictors.space, timed)
    start = time.perf_counter()
    found = minimize(problem, evolutionary("nsga2", problem, pop_size), ("n_eval", evaluations), seed=seed)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {
        "evaluations": timed.rows,
        "seconds": round(seconds, 2),
        "predicting": round(timed.seconds, 2),
        "overhead_share": round(1.0 - timed.seconds / seconds, 3),
        "front": len(found.F),
        "peak_mib": round(peak, 1),
    }


def main() -> None:
    """Run a tenth of the evaluations, then all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="hw_gpt_l_rtx3080")
    parser.add_argument("--train", type=int, default=500)
    parser.add_argument("--evaluations", type=int, default=100_000)
    parser.add_argument("--pop-size", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = open_table(options.table)
    specs = [PredictorSpec("gaussian_process", {}, "all", "none")] * len(table.objectives)
    predictors = PredictorSet(table.space, table.objectives, specs).fit(table.sample(options.train, options.seed))
    lines = []
    for evaluations in (options.evaluations // 10, options.evaluations):
        lines.append(search(predictors, evaluations, options.pop_size, options.seed))
        print(lines[-1], flush=True)
    head = setting("python benchmarks/predicted_search.py", str(options.seed))
    what = f"NSGA-II, population {options.pop_size}, Gaussian processes fitted on {options.train} of {options.table}."
    write_text(OUT / "report.md", page(f"{head} {what}", of_frame(pd.DataFrame(lines))))


if __name__ == "__main__":
    main()
