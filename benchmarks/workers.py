"""What eight workers cost: idle time, and evaluations to an equal ADRS, against one worker.

    RAPID_MOO_DATA=... python benchmarks/workers.py run [--tables digits,...] [--seeds 0-9] [--sigmas 0.5,1]
    RAPID_MOO_DATA=... python benchmarks/workers.py report

``run`` lets the loop of a study search tables in virtual time: a look-up takes a log-normal time with a mean of a
minute, and every choice of an architecture the processor time that it really took. It appends to ``runs.jsonl``; what
is there already is not run again. ``report`` writes ``report.md``.
"""

from __future__ import annotations

import argparse
import heapq
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, setting, title
from _runs import seeds_of
from pymoo.core.termination import NoTermination

from rapid_moo import RAPID, adrs, get_problem
from rapid_moo._provenance import provenance
from rapid_moo.measure import Attempt
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.study.engine import Engine, Part, Pool

OUT = Path(__file__).parent / "results" / "workers"
MEAN_SECONDS = 60.0
LEVELS = {"digits": (60, 100, 150)}
OTHER_LEVELS = (60, 100)
SMALLEST = 1e-4
MORE = 1.15
"""So many times the evaluations of the highest level are made, to see when it is reached."""


class Clock(Executor):
    """Virtual time: work is done at once, but its future ends when its time is over."""

    def __init__(self, places: int, sigma: float, seed: int) -> None:
        self._max_workers = places
        self.sigma, self.rng = sigma, np.random.default_rng([seed, places])
        self.now = self.busy = 0.0
        self.last_begun = 0.0
        self.busy_then = 0.0
        self._running: list[tuple[float, int, Future[Any], Any]] = []
        self._n = 0
        self._since = time.process_time()

    def think(self) -> None:
        """Let the time pass that the loop's choices really took since it was asked last."""
        now = time.process_time()
        self.now, self._since = self.now + now - self._since, now

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin now."""
        self.think()
        mean = -0.5 * self.sigma**2
        seconds = MEAN_SECONDS * float(np.exp(mean + self.sigma * self.rng.standard_normal()))
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        heapq.heappush(self._running, (self.now + seconds, self._n, future, fn(*args, **kwargs)))
        self._n += 1
        self.busy += seconds
        self.last_begun = self.now
        # Work under way counts up to now only.
        self.busy_then = self.busy - sum(max(0.0, end - self.now) for end, *_ in self._running)
        return future

    def next(self) -> Future[Any]:
        """Go on to the end of the work that ends first."""
        self.think()
        end, _, future, result = heapq.heappop(self._running)
        self.now = max(self.now, end)
        future.set_result(result)
        return future


class VirtualEngine(Engine):
    """The loop of a study, in virtual time."""

    clock: Clock

    def wait(self, futures: Sequence[Future[Any]]) -> set[Future[Any]]:
        """The next work to end."""
        return {self.clock.next()}


def search(table: str, places: int, sigma: float, budget: int, seed: int) -> tuple[ArchitectureProblem, Clock]:
    """RAPID on a table's members, with so many workers."""
    problem = get_problem(table)
    rows = problem.table
    names = [objective.name for objective in problem.objectives]

    def look_up(architecture: dict[str, Any]) -> dict[str, float]:
        row = int(rows.find(problem.space.from_dict(architecture)[None])[0])
        return dict(zip(names, rows.raw[row].tolist(), strict=True))

    algorithm = RAPID()
    algorithm.setup(problem, termination=NoTermination(), seed=seed)
    clock = Clock(places, sigma, seed)
    engine = VirtualEngine(
        problem, algorithm, [Part(Attempt(look_up, names), 1, 0)], [Pool(clock, places)], lambda now: None
    )
    engine.clock = clock
    engine.run(budget)
    return problem, clock


def run(table: str, places: int, sigma: float, seed: int) -> dict[str, Any]:
    """ADRS after each evaluation, in the order in which they began: what a run of that budget would have found."""
    levels = LEVELS.get(table, OTHER_LEVELS)
    budget = round(MORE * levels[-1])
    problem, clock = search(table, places, sigma, budget, seed)
    front, F = problem.reference_front(), problem.minimised(problem.store.raw)
    trajectory = [float(adrs(F[: n + 1], reference=front)) for n in range(len(F))]
    return {
        "table": table,
        "places": places,
        "sigma": sigma,
        "seed": seed,
        "idle": 1.0 - clock.busy_then / (places * clock.last_begun),
        "idle_with_end": 1.0 - clock.busy / (places * clock.now),
        "adrs": [round(value, 6) for value in trajectory],
    }


def reached(trajectory: Sequence[float], level: float) -> float:
    """Evaluations until a level was reached; infinite if it was not."""
    below = np.flatnonzero(np.asarray(trajectory) <= level)
    return float(below[0] + 1) if len(below) else np.inf


def compared(several: pd.Series, one: pd.Series, n: int) -> str:
    """ADRS of several workers over one's after n evaluations, and after how many it is down to that of one after n.

    Both are geometric means over seeds.
    """
    logs_of = [np.log(np.maximum(np.array(runs.tolist()), SMALLEST)) for runs in (several, one)]
    apart = logs_of[0][:, n - 1] - logs_of[1][:, n - 1]
    mean, error = float(np.exp(apart.mean())), float(apart.std(ddof=1) / np.sqrt(len(apart)))
    after = reached(np.exp(logs_of[0].mean(axis=0)).tolist(), float(np.exp(logs_of[1][:, n - 1].mean())))
    return f"{mean:.2f} ± {mean * error:.2f}; {change(n, after)}"


def change(before: float, after: float) -> str:
    """How many evaluations became how many."""
    if np.isinf(after):
        return f"{before:.0f} -> not within the run"
    return f"{before:.0f} -> {after:.0f} ({after / before - 1:+.0%})"


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True)
    rows = []
    for (table, places, sigma), group in runs[runs.places > 1].groupby(["table", "places", "sigma"], sort=False):
        one = runs[(runs.table == table) & (runs.places == 1)]
        both = set(one.seed) & set(group.seed)
        one, group = one[one.seed.isin(both)], group[group.seed.isin(both)]
        line: dict[str, Any] = {"table": table, "workers": places, "sigma": sigma, "seeds": len(group)}
        line["idle"] = f"{group.idle.median():.2%} (at most {group.idle.max():.2%})"
        line["idle with the end"] = f"{group.idle_with_end.median():.1%}"
        for n in LEVELS.get(str(table), OTHER_LEVELS):
            level = float(np.median([trajectory[n - 1] for trajectory in one.adrs]))
            beside = float(np.median([reached(trajectory, level) for trajectory in group.adrs]))
            alone = float(np.median([reached(trajectory, level) for trajectory in one.adrs]))
            each = f"; each {change(alone, beside)}" if np.isfinite(alone) else ""
            median = reached(np.median(np.array(group.adrs.tolist()), axis=0).tolist(), level)
            line[f"level {n}"] = f"{level:.4f}: {change(n, median)}{each}"
            line[f"means at {n}"] = compared(group.sort_values("seed").adrs, one.sort_values("seed").adrs, n)
        rows.append(line)
    frame = pd.DataFrame(rows).fillna("")
    parts = [
        title("Eight workers against one"),
        setting("python benchmarks/workers.py run --sigmas 1", f"{runs.seed.min()} to {runs.seed.max()}", runs),
        "Virtual time: an evaluation takes a log-normal time with a mean of one minute, a choice the processor time"
        " that it took. *idle*: share of the workers' time in which they had nothing to do, until the last evaluation"
        " began; *with the end*: until the last one ended, when nothing is left to begin. *level n*: the median ADRS of"
        " one worker after n evaluations, and after how many that of eight workers is down to it; *each*: the median"
        " number of evaluations in which the runs reach it, each by itself (left out where half of one worker's do not"
        f" within their budget, {MORE - 1:.0%} more than the highest level). *means at n*: ADRS of eight workers over"
        " one's after n evaluations, geometric mean over the seeds and its standard error, and after how many"
        " evaluations eight workers' geometric mean is down to that of one worker after n. Medians of ten seeds jump:"
        " of the forty on NAS-Bench-ASR the four tens say 100 -> not within the run, 107, 102 and 109.",
        of_frame(frame),
    ]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--tables", default="digits,nasbench201,nasbench_asr")
    parser.add_argument("--seeds", default="0-9", help="first and last, such as 0-9")
    parser.add_argument("--sigmas", default="0.5,1")
    parser.add_argument("--workers", default="1,8")
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
            done.add((item["table"], item["places"], item["sigma"], item["seed"]))
    sigmas = [float(sigma) for sigma in args.sigmas.split(",")]
    for seed in seeds_of(args.seeds):
        for table in args.tables.split(","):
            for places in map(int, args.workers.split(",")):
                # One worker's evaluations do not depend on how long they take.
                for sigma in sigmas if places > 1 else sigmas[-1:]:
                    if (table, places, sigma, seed) not in done:
                        result = run(table, places, sigma, seed)
                        with args.out.open("a", encoding="utf-8") as file:
                            file.write(json.dumps({**result, **provenance()}) + "\n")


if __name__ == "__main__":
    main()
