"""How many evaluations are lost where a part of a space fails, and what the front is worth then.

    python benchmarks/failures.py run [--method rapid] [--seeds 0-9] [--kinds largest,random] [--shares 0.1,0.25,0.5]
    python benchmarks/failures.py report

``run`` searches made-up spaces (a new one per seed) of which a share fails, with 100 evaluations each, and appends to
``runs.jsonl``; what is there already is not run again. The method ``blind`` is RAPID that does not learn where
evaluations fail. ``report`` writes ``report.md``. Thresholds and models were
chosen on the spaces 100 and above, with one process for all (``untuned``); the report's are those of the seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _made_up import FAILURES, SPACES, World, failing, make_world
from _report import of_frame, page, section, setting, title
from _runs import seeds_of
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, adrs
from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import hypervolume
from rapid_moo.learning import Learner
from rapid_moo.pareto import front_points
from rapid_moo.predictors import PredictorSpec

OUT = Path(__file__).parent / "results" / "failures"
BUDGET = 100
SHARES = (0.1, 0.25, 0.5)
METHODS = ("rapid", "blind", "random")
RANDOM_RUNS = 20
Key = tuple[str, str, str, float, str, int]


class BlindLearner(Learner):
    """Does not learn where evaluations fail."""

    def _learn_success(self, known: Any) -> None:
        self.success = None


class Blind(RAPID):
    """RAPID that does not learn where evaluations fail."""

    def _make_learner(self, **settings: Any) -> Learner:
        learner = super()._make_learner(**settings)
        learner.__class__ = BlindLearner
        return learner


def keys(methods: list[str], kinds: list[str], shares: list[float], wholes: list[str], seeds: range) -> Iterator[Key]:
    """What there is to run: a space per seed in turn."""
    for seed in seeds:
        space = SPACES[seed % len(SPACES)]
        for kind in kinds:
            for share in shares:
                for whole in wholes:
                    for method in methods:
                        yield method, space, kind, share, whole, seed


def run(key: Key) -> dict[str, Any]:
    """One search, judged by the front of what does not fail."""
    method, kind, failure, share, whole, seed = key
    world = make_world(kind, seed)
    failed = failing(world, failure, share, seed)
    front = front_points(world.minimised[~failed])
    if method == "random":
        rng = np.random.default_rng(seed)
        samples = [rng.choice(len(world.X), BUDGET, replace=False) for _ in range(RANDOM_RUNS)]
        found = pd.DataFrame([quality(front, world, rows, failed) for rows in samples]).mean().to_dict()
    else:
        asked = search(method, world, failed, whole == "one", seed)
        found = quality(front, world, asked, failed)
    names = ("method", "space", "failure", "share", "objectives", "seed")
    return {**dict(zip(names, key, strict=True)), **found}


def search(method: str, world: World, failed: Any, one: bool, seed: int) -> IntArray:
    """Rows of the world that RAPID asked for."""
    position = {key: i for i, key in enumerate(world.space.keys(world.X))}
    asked: list[int] = []

    def measure(X: IntArray) -> FloatArray:
        row = position[world.space.keys(X)[0]]
        asked.append(row)
        values = world.raw[row : row + 1].copy()
        if failed[row]:
            values[:, 0 if one else slice(None)] = np.nan
        return values

    problem = ArchitectureProblem(world.space, measure)
    specs = [PredictorSpec("gaussian_process", {"ard": False}, "all")] * 2 if method == "untuned" else None
    algorithm = Blind() if method == "blind" else RAPID(specs=specs)
    minimize(problem, algorithm, ("n_eval", BUDGET), seed=seed)
    return np.array(asked[:BUDGET])


def quality(front: FloatArray, world: World, rows: IntArray, failed: Any) -> dict[str, float]:
    """Failures, and how good the front of what succeeded is."""
    done = world.minimised[rows[~failed[rows]]]
    late = rows[BUDGET // 2 :]
    return {
        "failures": float(failed[rows].sum()),
        "late": float(failed[late].sum()),
        "adrs": adrs(done, reference=front),
        "hypervolume": hypervolume(done, reference=front),
    }


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True)
    runs = runs[runs.seed < 100]
    rows = []
    for (failure, share, objectives), group in runs.groupby(["failure", "share", "objectives"], sort=False):
        done = group[group.method == "rapid"].seed
        if not len(done):
            continue
        group = group[group.seed.isin(done)]
        line: dict[str, Any] = {"fails": failure, "share": f"{share:.0%}", "of": objectives}
        line["seeds"] = len(done)
        for column, text in (("failures", "{:.1f}"), ("adrs", "{:.4f}"), ("hypervolume", "{:.4f}")):
            for method in METHODS:
                some = group[group.method == method][column]
                line[f"{column} {method}"] = text.format(some.mean()) if len(some) == len(done) else ""
        rows.append(line)
    frame = pd.DataFrame(rows)
    seeds = ", ".join(str(seed) for seed in sorted(runs.seed.unique()))
    common = ["fails", "share", "of", "seeds"]
    parts = [
        title("Where a part of the space fails"),
        setting("python benchmarks/failures.py run --method rapid,blind,random", seeds, runs)
        + " `blind` is RAPID without the model of success, as it was before; `random` the mean of"
        f" {RANDOM_RUNS} random searches per space.",
        f"Means over the first seeds, {BUDGET} evaluations each. *of*: all objectives of a failed architecture are"
        " missing, or only one.",
        section("Failed evaluations"),
        of_frame(frame[common + [f"failures {m}" for m in METHODS]]),
        section("ADRS to the front of what does not fail (lower is better)"),
        of_frame(frame[common + [f"adrs {m}" for m in METHODS]]),
        section("Hypervolume, share of that front's"),
        of_frame(frame[common + [f"hypervolume {m}" for m in METHODS]]),
    ]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--method", default="rapid", help=f"some of {','.join(METHODS)}")
    parser.add_argument("--seeds", default="0-9", help="first and last, such as 0-9")
    parser.add_argument("--kinds", default=",".join(FAILURES))
    parser.add_argument("--shares", default=",".join(map(str, SHARES)))
    parser.add_argument("--objectives", default="all", help="'all' of a failed architecture are missing, or 'one'")
    parser.add_argument("--out", type=Path, default=OUT / "runs.jsonl")
    args = parser.parse_args()
    if args.command == "report":
        write_report()
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = set()
    if args.out.exists():
        for line in args.out.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            done.add(tuple(item[k] for k in ("method", "space", "failure", "share", "objectives", "seed")))
    shares = [float(share) for share in args.shares.split(",")]
    seeds = seeds_of(args.seeds)
    for key in keys(args.method.split(","), args.kinds.split(","), shares, args.objectives.split(","), seeds):
        if key not in done:
            result = run(key)
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**result, **provenance()}) + "\n")


if __name__ == "__main__":
    main()
