"""Repeats where they pay: each architecture once, twice or three times, or RAPID chooses what is measured again.

    python benchmarks/repeats.py run [--spaces memory,rough] [--noises 0.03,0.1] [--ways 1,2,3,auto] [--seeds 0-4]
    python benchmarks/repeats.py report

``run`` lets a study search spaces whose noise-free values are known, each way at the same number of measurements, and
appends to ``runs.jsonl``; what is there already is not run again. ``report`` writes ``report.md``. The rule was decided
on the spaces of ``_made_up.py`` (widths, cells, stages) and is reported on those of ``made_up.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _made_up import SPACES as DECIDED_ON
from _made_up import make_world
from _report import of_frame, page, section, setting, title
from _runs import seeds_of
from made_up import SPACES as MADE_UP

from rapid_moo import Objective, SearchSpace
from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import adrs, hypervolume
from rapid_moo.objectives import to_minimised
from rapid_moo.pareto import front_points, front_range, is_nondominated
from rapid_moo.study.study import Study

OUT = Path(__file__).parent / "results" / "repeats"
NOISES = (0.03, 0.1)
REPORTED_ON = ("memory", "islands", "rough")
WAYS = ("1", "2", "3", "auto")
BUDGET = 60


@dataclass(frozen=True)
class Noisy:
    """A space with a measure that has errors.

    The errors of an architecture's first, second, ... measurement do not depend on what else is measured.

    Attributes
    ----------
    space : SearchSpace
        The space.
    objectives : tuple of Objective
        Names and directions.
    truth : callable
        Noise-free raw values of genotypes, shape (n, 2); NaN where a measurement fails.
    front : ndarray of shape (n, 2)
        The true front, minimised; of a space that cannot be listed the best known.
    errors : ndarray of shape (2,)
        Standard deviation of a measurement.
    seed : int
        Of the errors.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    truth: Callable[[IntArray], FloatArray]
    front: FloatArray
    errors: FloatArray
    seed: int

    def measure(self) -> Callable[[dict[str, Any]], dict[str, float]]:
        """Measure an architecture once more."""
        times: dict[bytes, int] = {}

        def once(architecture: dict[str, Any]) -> dict[str, float]:
            x = self.space.from_dict(architecture)[None]
            key = self.space.keys(x)[0]
            times[key] = times.get(key, 0) + 1
            rng = np.random.default_rng([self.seed, times[key], *(x[0] + 1).tolist()])
            values = self.truth(x)[0] + self.errors * rng.standard_normal(len(self.errors))
            return dict(zip([objective.name for objective in self.objectives], values.tolist(), strict=True))

        return once


def noisy(name: str, noise: float, seed: int) -> Noisy:
    """A space by name; errors are shares of each objective's range over the space."""
    if name in DECIDED_ON:
        world = make_world(name, seed)
        place = {key: i for i, key in enumerate(world.space.keys(world.X))}
        objectives = world.space.objectives
        errors = noise * np.ptp(world.raw, axis=0)
        front = front_points(world.minimised)

        def listed(X: IntArray) -> FloatArray:
            return np.asarray(world.raw[[place[key] for key in world.space.keys(X)]])

        return Noisy(world.space, objectives, listed, front, errors, seed)
    made_up = MADE_UP[name]

    def formula(X: IntArray) -> FloatArray:
        return np.where(np.isfinite(F := made_up.true(X)), F, np.nan)

    return Noisy(made_up.space, made_up.space.objectives, formula, made_up.front, noise * made_up.span, seed)


def run(name: str, noise: float, way: str, seed: int, budget: int = BUDGET) -> dict[str, Any]:
    """One study, judged by the noise-free values of what it measured and shows."""
    logging.disable(logging.WARNING)
    case = noisy(name, noise, seed)
    repeats = int(way) if way.isdigit() else way
    objectives = [replace(objective, repeats=repeats) for objective in case.objectives]
    clock = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        study = Study(folder, case.space, case.measure(), objectives=objectives, seed=seed)
        study.run(budget // repeats if isinstance(repeats, int) else budget)
        store = study.store
        found = study.expected()
        measurements = int(store.paid.max(axis=1).sum())
        times = store.repeats[found.rows].max(axis=1)
        result: dict[str, Any] = {
            "space": name,
            "noise": noise,
            "way": way,
            "seed": seed,
            "measurements": measurements,
            "architectures": int(store.tried.sum()),
            "again": measurements - int(store.tried.sum()),
            "most": int(times.max()),
            "cpu": round(time.process_time() - clock, 1),
        }
        true = to_minimised(case.truth(store.X[found.rows]), case.objectives)
        result["everything"] = hypervolume(true, reference=case.front)
        good = is_nondominated(true)
        scale = front_range(case.front)
        for kind, rows, values in (
            ("measured", found.front_rows, found.measured),
            ("expected", found.expected_front_rows, found.mean),
        ):
            shown = (to_minimised(values[rows], case.objectives) - true[rows]) / scale
            result |= {
                f"{kind}_hv": hypervolume(true[rows], reference=case.front),
                f"{kind}_adrs": adrs(true[rows], reference=case.front),
                f"{kind}_size": len(rows),
                f"{kind}_right": float(good[rows].mean()),
                f"{kind}_missed": float((~np.isin(np.flatnonzero(good), rows)).mean()),
                f"{kind}_error": float(np.sqrt(np.mean(shown**2))),
                f"{kind}_flattered": float(-shown.mean()),
            }
        store.close()
    return result


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True, dtype={"way": str})
    parts = [
        title("Repeats where they pay"),
        setting("python benchmarks/repeats.py run", f"{runs.seed.min()} to {runs.seed.max()}", runs),
        f"{BUDGET} measurements, spent in four ways: each architecture *1*, *2* or *3* times, or *auto*"
        ' (`repeats="auto"`). Noise: standard deviation of both objectives\' normal errors, share of the range of'
        " random architectures (of all where they can be listed). Means over spaces and seeds. *everything*, *hv*:"
        " noise-free hypervolume of all that was evaluated and of the front shown, as a share of the true front's;"
        " *ADRS*: of the noise-free values of the front shown; *right*: share of its members that no evaluated"
        " architecture dominates in truth; *missed*: share of those that are not shown; *error*, *flattered*: root mean"
        " square and mean of how much better its values look than they are, shares of the front's range. Two fronts are"
        " shown: of the *measured* means, and of *expected* values (measured ones shrunk towards what a predictor"
        " foretells). *ahead*: in how many runs the hypervolume of the expected front is above that of way 1.",
    ]
    for label, names in (("Reported on", REPORTED_ON), ("Decided on", DECIDED_ON)):
        some = runs[runs.space.isin(list(names))]
        if len(some):
            parts += [section(f"{label}: {', '.join(dict.fromkeys(some.space))}"), of_frame(_table(some))]
    single = runs[runs.space.isin(list(REPORTED_ON))]
    parts += [section("By space"), of_frame(_by_space(single))]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (noise, way), group in runs.groupby(["noise", "way"], sort=True):
        once = runs[(runs.noise == noise) & (runs.way == "1")].set_index(["space", "seed"]).expected_hv
        paired = group.set_index(["space", "seed"]).expected_hv
        both = paired.index.intersection(once.index)
        line: dict[str, Any] = {"noise": f"{noise:.0%}", "way": way, "runs": len(group)}
        line["architectures"] = f"{group.architectures.mean():.0f}"
        line["everything"] = f"{group.everything.mean():.4f}"
        for kind in ("measured", "expected"):
            line[f"{kind} hv"] = f"{group[f'{kind}_hv'].mean():.4f}"
            line[f"{kind} ADRS"] = f"{group[f'{kind}_adrs'].mean():.4f}"
            line[f"{kind} right"] = f"{group[f'{kind}_right'].mean():.2f}"
            line[f"{kind} missed"] = f"{group[f'{kind}_missed'].mean():.2f}"
            line[f"{kind} error"] = f"{group[f'{kind}_error'].mean():.3f}"
            line[f"{kind} flattered"] = f"{group[f'{kind}_flattered'].mean():.3f}"
        line["ahead"] = "" if way == "1" else f"{int((paired[both] > once[both]).sum())} of {len(both)}"
        rows.append(line)
    return pd.DataFrame(rows)


def _by_space(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (space, noise), group in runs.groupby(["space", "noise"], sort=True):
        line: dict[str, Any] = {"space": space, "noise": f"{noise:.0%}"}
        for what in ("expected_hv", "measured_error"):
            for way, some in group.groupby("way", sort=True):
                line[f"{what.replace('_', ' ')} {way}"] = f"{some[what].mean():.4f}"
        rows.append(line)
    return pd.DataFrame(rows)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--spaces", default=",".join(REPORTED_ON))
    parser.add_argument("--noises", default=",".join(map(str, NOISES)))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seeds", default="0-4", help="first and last, such as 0-4")
    parser.add_argument("--out", type=Path, default=OUT / "runs.jsonl")
    args = parser.parse_args()
    if args.command == "report":
        write_report()
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = args.out.read_text(encoding="utf-8").splitlines() if args.out.exists() else []
    done = {(item["space"], item["noise"], item["way"], item["seed"]) for item in map(json.loads, lines)}
    for seed in seeds_of(args.seeds):
        for name in args.spaces.split(","):
            for noise in map(float, args.noises.split(",")):
                for way in args.ways.split(","):
                    key = name, noise, way, seed
                    if key not in done:
                        result = run(*key)
                        with args.out.open("a", encoding="utf-8") as file:
                            file.write(json.dumps({**result, **provenance()}) + "\n")
                        print(*key, f"{result['expected_hv']:.4f}", result["cpu"], flush=True)


if __name__ == "__main__":
    main()
