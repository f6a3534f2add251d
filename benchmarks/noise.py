"""What a front of noisy values is worth: the measured front, the expected one, and both after measuring again.

    python benchmarks/noise.py run [--seeds 0-9] [--noises 0,0.02,0.05,0.1] [--ways confirm,repeats]
    python benchmarks/noise.py report

``run`` lets a study search made-up spaces (a new one per seed) whose noise-free values are known, and appends to
``runs.jsonl``; what is there already is not run again. ``report`` writes ``report.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _made_up import OBJECTIVES, SPACES, World, make_world
from _report import of_frame, page, setting, title
from _runs import seeds_of

from rapid_moo._provenance import provenance
from rapid_moo._util import IntArray
from rapid_moo.indicators import hypervolume
from rapid_moo.pareto import front_points
from rapid_moo.study.study import Study

OUT = Path(__file__).parent / "results" / "noise"
NOISES = (0.0, 0.02, 0.05, 0.1)
WAYS = ("confirm", "repeats")
BUDGET, MORE = 120, 20
"""Evaluations, and how many more ``confirm`` makes; with ``repeats`` two measurements of half as many."""


class Noisy:
    """A measure with errors: normal ones of a given share of the range, in latency in proportion to its value.

    The errors of an architecture's first, second, ... measurement do not depend on what else is measured.
    """

    def __init__(self, world: World, noise: float, seed: int) -> None:
        self.world, self.noise, self.seed = world, noise, seed
        self.position = {key: i for i, key in enumerate(world.space.keys(world.X))}
        self.times: dict[int, int] = {}
        self.span = np.ptp(world.raw, axis=0)
        self.middle = float(np.median(world.raw[:, 1]))

    def __call__(self, architecture: dict[str, Any]) -> dict[str, float]:
        """Measure once."""
        row = self.position[self.world.space.keys(self.world.space.from_dict(architecture)[None])[0]]
        self.times[row] = self.times.get(row, 0) + 1
        error = np.random.default_rng([self.seed, row, self.times[row]]).standard_normal(2)
        accuracy, latency = self.world.raw[row]
        return {
            "accuracy": accuracy + error[0] * self.noise * self.span[0],
            "latency": latency * (1.0 + 0.2 * error[1] * self.noise * self.span[1] / self.middle),
        }


def run(kind: str, noise: float, way: str, seed: int) -> dict[str, Any]:
    """One study, judged by the noise-free values of what it shows."""
    logging.disable(logging.WARNING)
    world = make_world(kind, seed)
    measure = Noisy(world, noise, seed)
    front = front_points(world.minimised)
    repeats = 2 if way == "repeats" else 1
    objectives = [replace(objective, repeats=repeats) for objective in OBJECTIVES]

    with tempfile.TemporaryDirectory() as folder:
        study = Study(folder, world.space, measure, objectives=objectives, seed=seed)

        def quality(prefix: str) -> dict[str, float]:
            found = study.expected()
            at = np.array([measure.position[key] for key in world.space.keys(study.store.X[found.rows])])

            def worth(positions: IntArray) -> float:
                return hypervolume(world.minimised[at[positions]], reference=front)

            noise_found = found.noise / measure.span
            return {
                f"{prefix}everything": worth(np.arange(len(at))),
                f"{prefix}measured": worth(found.front_rows),
                f"{prefix}expected": worth(found.expected_front_rows),
                f"{prefix}n_measured": len(found.front_rows),
                f"{prefix}n_expected": len(found.expected_front_rows),
                f"{prefix}noise_accuracy": float(noise_found[0]),
                f"{prefix}noise_latency": float(noise_found[1]),
                f"{prefix}again": len(found.again),
                f"{prefix}error_measured": _error(found.measured, world, at),
                f"{prefix}error_expected": _error(found.mean, world, at),
            }

        study.run(BUDGET // repeats)
        result: dict[str, Any] = {"space": kind, "noise": noise, "way": way, "seed": seed} | quality("")
        if way == "confirm":
            before = study.store.n_evaluations
            study.run(before + MORE, confirm=True)
            result |= quality("after_") | {"confirmed": study.store.n_evaluations - before}
        study.store.close() if hasattr(study.store, "close") else None
    return result


def _error(values: Any, world: World, at: IntArray) -> float:
    """Root mean square error of the accuracy, as a share of its range."""
    return float(np.sqrt(np.mean((values[:, 0] - world.raw[at, 0]) ** 2)) / np.ptp(world.raw[:, 0]))


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True)
    rows = []
    for (way, noise), group in runs.groupby(["way", "noise"], sort=True):
        line: dict[str, Any] = {"way": way, "noise": f"{noise:.0%}", "seeds": len(group)}
        columns = ["everything", "measured", "expected"]
        columns += ["after_everything", "after_measured", "after_expected"] if way == "confirm" else []
        for column in columns:
            line[column.replace("_", " ")] = f"{group[column].mean():.4f}"
        line["expected better"] = f"{(group.expected > group.measured).sum()} of {len(group)}"
        line["worse"] = int((group.expected < group.measured).sum())
        line["error"] = f"{group.error_measured.mean():.3f} -> {group.error_expected.mean():.3f}"
        line["noise found"] = f"{group.noise_accuracy.median():.3f} / {group.noise_latency.median():.3f}"
        rows.append(line)
    seeds = f"{runs.seed.min()} to {runs.seed.max()}"
    parts = [
        title("Noise is not luck"),
        setting("python benchmarks/noise.py run --ways confirm", seeds, runs),
        f"Noise-free hypervolume, share of the true front's, means over the seeds (a made-up space each). *noise*:"
        " standard deviation of the accuracy's errors, share of its range; latency has a fifth of that, in proportion"
        f" to its value. *everything*: all that was evaluated, {BUDGET} measurements; *measured*: the front of the"
        f" measured values; *expected*: that of the expected ones; *after*: after `confirm` made {MORE} further ones."
        " *repeats*: two measurements of half as many architectures. *error*: root mean square error of the accuracy,"
        " measured and expected, share of its range. *noise found*: median estimate for accuracy and latency.",
        of_frame(pd.DataFrame(rows).fillna("")),
    ]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--seeds", default="0-9", help="first and last, such as 0-9")
    parser.add_argument("--noises", default=",".join(map(str, NOISES)))
    parser.add_argument("--ways", default=",".join(WAYS))
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
            done.add((item["space"], item["noise"], item["way"], item["seed"]))
    for seed in seeds_of(args.seeds):
        for noise in map(float, args.noises.split(",")):
            for way in args.ways.split(","):
                key = SPACES[seed % len(SPACES)], noise, way, seed
                if key not in done:
                    result = run(*key)
                    with args.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({**result, **provenance()}) + "\n")


if __name__ == "__main__":
    main()
