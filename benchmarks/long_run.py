"""A run of 10,000 evaluations: time and memory by round.

    RAPID_MOO_DATA=... python benchmarks/long_run.py run [--tables nasbench201,mobile] [--evaluations 10000]
    RAPID_MOO_DATA=... python benchmarks/long_run.py report

A published table, or a made-up space of ``made_up.py`` that is far too large to be listed. Each is searched in a
process of its own, so that its memory is its own. ``run`` appends to ``runs.jsonl``; ``report`` writes ``report.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from _report import of_frame, page, setting, title
from pymoo.core.callback import Callback
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, BillingEvaluator, get_problem
from rapid_moo._provenance import provenance
from rapid_moo._util import write_text

OUT = Path(__file__).parent / "results" / "long_run"
TABLES = ("nasbench201", "mobile")
STEPS = (500, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000)


class Rounds(Callback):  # type: ignore[misc]  # pymoo ships no types
    """After each round: evaluations, processor time since the one before, and the memory that is held."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: list[dict[str, float]] = []
        self._then = time.process_time()

    def notify(self, algorithm: RAPID) -> None:
        """Write a round down."""
        now = time.process_time()
        line = {"evaluations": len(algorithm.bill), "seconds": round(now - self._then, 3), "megabytes": resident()}
        self.rounds.append(line)
        print(line, flush=True)
        self._then = now


def resident() -> float:
    """Megabytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def search(name: str, evaluations: int, seed: int) -> dict[str, Any]:
    """One run."""
    import made_up

    if name in made_up.SPACES:
        world = made_up.SPACES[name]
        problem = ArchitectureProblem(world.space, source=partial(world.measured, seed=seed))
    else:
        problem = get_problem(name)
    rounds = Rounds()
    minimize(problem, RAPID(), ("n_eval", evaluations), seed=seed, callback=rounds, evaluator=BillingEvaluator())
    return {"table": name, "seed": seed, "rounds": rounds.rounds}


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True)
    rows = []
    for table, seed, rounds in zip(runs["table"], runs["seed"], runs["rounds"], strict=True):
        frame = pd.DataFrame(rounds)
        begin = 0
        for end in STEPS:
            part = frame[(frame["evaluations"] > begin) & (frame["evaluations"] <= end)]
            if len(part):
                n = part["evaluations"].iloc[-1] - (frame["evaluations"][part.index[0] - 1] if part.index[0] else 0)
                rows.append(
                    {
                        "table": table,
                        "seed": seed,
                        "evaluations": f"{begin:,} to {end:,}",
                        "rounds": len(part),
                        "seconds of a round, median": f"{part['seconds'].median():.2f}",
                        "and at most": f"{part['seconds'].max():.2f}",
                        "ms of an evaluation": f"{1000 * part['seconds'].sum() / n:.1f}",
                        "megabytes held at the end": f"{part['megabytes'].iloc[-1]:.0f}",
                    }
                )
            begin = end
    parts = [
        title("A run of 10,000 evaluations"),
        setting("python benchmarks/long_run.py run", "as in the table", runs),
        "Processor time of RAPID's rounds (tuning, fits, choice; a look-up takes none), and the memory that the process"
        " holds.",
        of_frame(pd.DataFrame(rows)),
    ]
    write_text(OUT / "report.md", page(*parts))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        found = search(args.one, args.evaluations, args.seed)
        print(json.dumps({**found, **provenance()}))
        return
    if args.command == "run":
        OUT.mkdir(parents=True, exist_ok=True)
        for name in args.tables.split(","):
            told = ["--one", name, "--evaluations", str(args.evaluations), "--seed", str(args.seed)]
            done = subprocess.run(
                [sys.executable, __file__, "run", *told], check=True, stdout=subprocess.PIPE, text=True
            )
            with (OUT / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(done.stdout.splitlines()[-1] + "\n")
    write_report()


if __name__ == "__main__":
    main()
