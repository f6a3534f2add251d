"""What each part of RAPID is worth: the algorithm without it, or with another in its place.

    RAPID_MOO_DATA=... python benchmarks/rapid_ablation.py run [--tables a,b] [--seeds 5]
    RAPID_MOO_DATA=... python benchmarks/rapid_ablation.py report

``report`` writes ``report.md``: the median ADRS of each variant on each table at 2 and 5 % (FlexiBERT 6 and 12 %), and
the geometric mean over tables of its ratio to the default's, with the smallest and largest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _report import of_frame, page, setting
from pymoo.core.algorithm import Algorithm

from rapid_moo import RAPID, open_table
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.acquisition import (
    JOINT_POOL,
    N_DRAWS,
    Candidates,
    coverage_batch,
    draw_truths,
    probability_nondominated,
    promising,
    within_reach,
)
from rapid_moo.comparison import Comparison, Method
from rapid_moo.comparison.methods.rapid import IteratedRAPID
from rapid_moo.comparison.tables import read_results
from rapid_moo.pareto import front_indices
from rapid_moo.progress import Progress
from rapid_moo.tuning import ADRSTuner

TABLES = {
    "nasbench201": (0.02, 0.05),
    "nasbench_asr": (0.02, 0.05),
    "flexibert": (0.06, 0.12),
    "hw_gpt_s_rtx3080": (0.02, 0.05),
}
OUT = Path(__file__).parent / "results" / "rapid_ablation"
POINTS, EHVI_DRAWS, EHVI_POOL = 600, 16, 300


def _pool(c: Candidates, size: int, rng: np.random.Generator, limit: int = JOINT_POOL) -> IntArray:
    return promising(c.mean, c.std, c.known, max(limit, 2 * size), seed=rng)


def no_uncertainty(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """Coverage of the front of the means."""
    pool = _pool(c, size, rng)
    return pool[coverage_batch(c.mean[pool][None], c.known, size, seed=rng)]


def expected_adrs(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """Coverage by distance, not its root: the batch that lowers the expected ADRS most."""
    pool = _pool(c, size, rng)
    draws = within_reach(c.draw(pool, N_DRAWS), c.known, c.mean[pool])
    return pool[coverage_batch(draws, c.known, size, exponent=1.0, seed=rng)]


def without_bounds(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """The default, but draws may be better by any distance than all that is known or expected."""
    pool = _pool(c, size, rng)
    return pool[coverage_batch(c.draw(pool, N_DRAWS), c.known, size, seed=rng)]


def independent_draws(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """The default, but neighbours do not err together."""
    pool = _pool(c, size, rng)
    draws = draw_truths(c.mean[pool], c.std[pool], N_DRAWS, rng)
    draws = within_reach(draws, c.known, c.mean[pool])
    return pool[coverage_batch(draws, c.known, size, seed=rng)]


def probability(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """The candidates most likely to be non-dominated: no coverage."""
    pool = _pool(c, size, rng)
    return pool[np.argsort(-probability_nondominated(c.draw(pool, N_DRAWS), c.known), kind="stable")[:size]]


def thompson(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """Each pick is a random point of the front of a draw of its own."""
    pool = _pool(c, size, rng)
    draws = c.draw(pool, N_DRAWS)
    fronts = [front[front < len(pool)] for front in (front_indices(np.vstack([truth, c.known])) for truth in draws)]
    chosen: list[int] = []
    for i in range(size):
        left = np.setdiff1d(fronts[i % N_DRAWS], chosen)
        left = left if len(left) else np.setdiff1d(np.arange(len(pool)), chosen)
        chosen.append(int(rng.choice(left)))
    return pool[chosen]


def random_batch(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """Any candidates."""
    return rng.choice(len(c.mean), min(size, len(c.mean)), replace=False).astype(np.int64)


def hypervolume_improvement(c: Candidates, size: int, rng: np.random.Generator) -> IntArray:
    """Greedy expected hypervolume improvement, by random points between the ideal and the nadir point."""
    pool = _pool(c, size, rng, EHVI_POOL)
    draws = c.draw(pool, EHVI_DRAWS)
    everything = np.vstack([c.known, c.mean[pool]])
    front = everything[front_indices(everything)]
    low, high = front.min(axis=0), front.max(axis=0) + 0.1 * np.ptp(front, axis=0)
    points = low + rng.random((POINTS, front.shape[1])) * (high - low)
    free = ~_dominated(points, c.known[front_indices(c.known)]).any(axis=0)
    points = points[free]
    open_points = np.ones((EHVI_DRAWS, len(points)), dtype=np.bool_)
    covers = np.stack([_dominated(points, truth) for truth in draws], axis=1)
    chosen: list[int] = []
    for _ in range(min(size, len(pool))):
        gain = (covers & open_points).sum(axis=(1, 2)).astype(float)
        gain[chosen] = -1.0
        best = int(gain.argmax()) if gain.max() > 0 else int(rng.choice(np.setdiff1d(np.arange(len(pool)), chosen)))
        chosen.append(best)
        open_points &= ~covers[best]
    return pool[chosen]


def _dominated(points: FloatArray, by: FloatArray) -> np.ndarray:
    """Which points each of some others dominates, shape (n_others, n_points)."""
    return np.all(by[:, None, :] <= points[None, :, :], axis=2)


def variant(name: str, meaning: str, options: Callable[[], dict[str, Any]]) -> type[Method]:
    """RAPID with other options, as a method."""

    def make(self: IteratedRAPID) -> Algorithm:
        return RAPID(**options())

    return type(name, (IteratedRAPID,), {"name": name, "meaning": meaning, "_make": make, "__doc__": meaning})


VARIANTS = (
    variant("default", "the algorithm as it is", dict),
    variant("no-retuning", "tuned once, at 48 evaluations", lambda: {"retune": np.inf}),
    variant("tuner-all", "all families alike: no preference for Gaussian processes", lambda: {"tuner": _tuner()}),
    variant("one-family", "XGBoost alone", lambda: {"tuner": _tuner(families=("xgboost",))}),
    variant("committee", "mean of the triplets that cannot be told apart", lambda: {"tuner": _committee()}),
    variant("random-sample", "first sample at random, not designed", lambda: {"sampling": "random"}),
    variant("expected-adrs", expected_adrs.__doc__ or "", lambda: {"acquisition": expected_adrs}),
    variant("no-bounds", without_bounds.__doc__ or "", lambda: {"acquisition": without_bounds}),
    variant("no-uncertainty", no_uncertainty.__doc__ or "", lambda: {"acquisition": no_uncertainty}),
    variant("independent", independent_draws.__doc__ or "", lambda: {"acquisition": independent_draws}),
    variant("no-coverage", probability.__doc__ or "", lambda: {"acquisition": probability}),
    variant("thompson", thompson.__doc__ or "", lambda: {"acquisition": thompson}),
    variant("ehvi", hypervolume_improvement.__doc__ or "", lambda: {"acquisition": hypervolume_improvement}),
    variant("random-batch", random_batch.__doc__ or "", lambda: {"acquisition": random_batch}),
)


def _tuner(**options: Any) -> ADRSTuner:
    return ADRSTuner(**{"budget": 8, "max_rows": 250, "committee": False, **options})


def _committee() -> ADRSTuner:
    return _tuner(committee=True, prefer=("gaussian_process",))


def run(names: list[str], seeds: int) -> None:
    """Make the runs that are missing."""
    for name in names:

        def show(at: Progress, name: str = name) -> None:
            record = at.latest
            print(f"{name} {at.done}/{at.total} {record.method} seed {record.seed}: ADRS {at.adrs:.5f}", flush=True)

        Comparison(open_table(name), VARIANTS, TABLES[name], seeds, OUT / name).run(progress=show)


def report() -> str:
    """The table of everything that has been run."""
    results = read_results([OUT / name for name in TABLES if (OUT / name / "results.csv").is_file()])
    median = results.groupby(["method", "dataset", "budget"])["adrs"].median().unstack(["dataset", "budget"])
    ratios = median / median.loc["default"]
    ratio = np.exp(np.log(ratios).mean(axis=1)).round(2)
    extent = [f"{low:.2f} - {high:.2f}" for low, high in zip(ratios.min(axis=1), ratios.max(axis=1), strict=True)]
    frame = median.round(4)
    frame.columns = [f"{dataset} {budget:.0%}" for dataset, budget in frame.columns]
    frame.insert(0, "least and most", extent)
    frame.insert(0, "ratio to default", ratio)
    frame.insert(0, "what", [next(v.meaning for v in VARIANTS if v.name == name) for name in frame.index])
    frame = frame.loc[[v.name for v in VARIANTS if v.name in frame.index]].reset_index()
    seeds = results.groupby("dataset")["seed"].nunique().to_dict()
    text = page(
        setting("python benchmarks/rapid_ablation.py run", f"by table {seeds}", results),
        of_frame(frame),
    )
    (OUT / "report.md").write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.action == "run":
        run(options.tables.split(","), options.seeds)
    else:
        print(report())


if __name__ == "__main__":
    main()
