"""What is saved where trainings that are not worth their end are stopped: RAPID on ``digits`` with and without.

    python benchmarks/early_stopping.py run [--seeds 0-9] [--ways whole,stopped] [--curves JOURNAL ...]
    python benchmarks/early_stopping.py report

``run`` appends to ``results/early_stopping/runs.jsonl`` what is not there yet. The measure reports the accuracy after
each of 30 epochs, as ``data/digits_curves.csv.gz`` has it, or a journal of ``profile_digits.py curves``. A network
without a curve there is trained as for the table; the training ends where it is told to, and the last journal gets its
curve. Latency and memory are the table's. A training costs 1, each of its epochs a thirtieth; a latency costs 0.01.
``report`` writes ``runs.csv`` and ``report.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _paths import adrs_at, median_cost_to
from _report import of_frame, page, section, setting, title
from _runs import keep_run, read_runs, seeds_of
from profile_digits import read_journal
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, ArchitectureTable, CostBudget, get_problem
from rapid_moo._provenance import provenance
from rapid_moo._util import IntArray, one_blas_thread, write_text
from rapid_moo.costs import with_costs
from rapid_moo.pareto import front_indices
from rapid_moo.problems.digits import ACTIVATIONS, INPUTS
from rapid_moo.problems.digits_live import hidden_sizes
from rapid_moo.problems.digits_training import EPOCHS, FOLDS, REPEATS, folds, projected, stable_seed, train
from rapid_moo.stopping import CONFIDENCE, EXPLAINED, FEWEST, RATIO
from rapid_moo.trajectory import trajectory

OUT = Path(__file__).parent / "results" / "early_stopping"
RUNS = OUT / "runs.jsonl"
CURVES = Path(__file__).parent.parent / "data" / "digits_curves.csv.gz"
BUDGETS = {"whole": 240.0, "stopped": 120.0}
"""Trainings' worth of cost by way."""
LATENCY = 0.01
AT = (40, 60, 80, 100, 120, 160, 200, 240)


class Digits:
    """The table of ``digits`` as a measure that reports."""

    def __init__(self, journals: list[Path]) -> None:
        self.table: ArchitectureTable = get_problem("digits").table
        self.space = self.table.space
        self.row = {key: i for i, key in enumerate(self.space.keys(self.table.X))}
        self.curves: dict[tuple[int, ...], list[float]] = {}
        self.journal = journals[-1] if journals else None
        if CURVES.is_file():
            for vector, *curve in pd.read_csv(CURVES).itertuples(index=False):
                self._keep(tuple(json.loads(vector)), [float(value) for value in curve])
        for journal in journals:
            for record in read_journal(journal):
                self._keep(tuple(record["vector"]), record["curve"])
        self.data = folds() * REPEATS
        self.inputs: dict[str, Any] = {}

    def _keep(self, vector: tuple[int, ...], curve: list[float]) -> None:
        if len(curve) > len(self.curves.get(vector, [])):
            self.curves[vector] = curve

    def raw(self, architecture: dict[str, Any]) -> tuple[IntArray, list[float]]:
        """Genotype and values of the table."""
        x = self.space.from_dict(architecture)
        return x, self.table.raw[self.row[self.space.keys(x[None])[0]]].tolist()

    def latency(self, architecture: dict[str, Any]) -> float:
        """The table's."""
        return float(self.raw(architecture)[1][1])

    def accuracy(self, architecture: dict[str, Any], report: Any) -> float | None:
        """The table's, with the accuracy after each epoch on the way."""
        x, values = self.raw(architecture)
        vector = tuple(self.space.decode(x[None])[0].tolist())
        known = self.curves.get(vector, [])
        if len(known) < EPOCHS and not self._ends(known, report):
            known = self._train(x, vector, report, len(known))
            return float(values[0]) if len(known) == EPOCHS else None
        if len(known) < EPOCHS or self._ends(known, report):
            return None
        return float(values[0])

    @staticmethod
    def _ends(curve: list[float], report: Any) -> bool:
        """Report what is known; whether it is told to stop."""
        return any(report(epoch, value, of=EPOCHS) for epoch, value in enumerate(curve, start=1))

    @one_blas_thread
    def _train(self, x: IntArray, vector: tuple[int, ...], report: Any, done: int) -> list[float]:
        """Train from the beginning and report what was not reported yet."""
        kind = INPUTS[x[0]]
        if kind not in self.inputs:
            self.inputs[kind] = projected(kind, self.data[:FOLDS]) * REPEATS
        curve: list[float] = []

        def after(epoch: int, scores: list[float]) -> bool:
            curve.append(round(float(np.mean(scores)), 4))
            return epoch > done and bool(report(epoch, curve[-1], of=EPOCHS))

        train(self.inputs[kind], self.data, hidden_sizes(x), ACTIVATIONS[x[1]], stable_seed(list(vector)), after)
        self._keep(vector, curve)
        if self.journal is not None:
            with self.journal.open("a") as file:
                file.write(json.dumps({"vector": vector, "curve": curve}) + "\n")
        return curve

    def final_accuracy(self, architecture: dict[str, Any]) -> float:
        """The table's, without reports."""
        return self.raw(architecture)[1][0]

    def problem(self, way: str) -> ArchitectureProblem:
        """With costs, and the table's front to judge by."""
        goals = with_costs(self.table.objectives, {"accuracy": 1.0, "latency": LATENCY}, ["memory"])
        # Where nothing is stopped nothing need be trained: the reports would change nothing, which the tests check.
        measure = {"accuracy": self.accuracy if way == "stopped" else self.final_accuracy, "latency": self.latency}
        return ArchitectureProblem(self.space, measure=measure, objectives=goals, table=self.table)


def run(digits: Digits, way: str, seed: int) -> dict[str, Any]:
    """One run, as its curve: cost, complete and stopped trainings and ADRS whenever one is complete."""
    logging.disable(logging.WARNING)
    problem, began = digits.problem(way), time.monotonic()
    minimize(problem, RAPID(), CostBudget(BUDGETS[way]), seed=seed)
    store = problem.store
    stopped = np.flatnonzero(store.stopped).tolist()
    return {
        "way": way,
        "seed": seed,
        "curve": curve(problem),
        "epochs": sorted(store.curve(row, "accuracy")[-1][0] for row in stopped),
        "lost": lost(digits, problem, stopped),
        "seconds": round(time.monotonic() - began, 1),
        **provenance(),
    }


def curve(problem: ArchitectureProblem) -> list[list[float]]:
    """Cost, complete and stopped trainings, and ADRS whenever one is complete.

    A latency that was measured beforehand is counted with the training; so much less is it worth.
    """
    store, table = problem.store, problem.table
    assert table is not None
    rows = store.in_order_told(np.flatnonzero(store.tried))
    costs = np.cumsum(store.paid_of(rows) @ problem.prices)
    complete, stopped = store.complete[rows], store.stopped[rows]
    F = problem.minimised(store.raw_of(rows[complete]))
    path = trajectory(table.front, F, range(1, len(F) + 1))["adrs"]
    counts = zip(costs[complete], np.cumsum(complete)[complete], np.cumsum(stopped)[complete], path, strict=True)
    return [[round(float(c), 4), int(n), int(s), round(float(adrs), 6)] for c, n, s, adrs in counts]


def lost(digits: Digits, problem: ArchitectureProblem, stopped: list[int]) -> int:
    """How many members of the table's front were stopped."""
    front = {digits.space.keys(digits.table.X[[i]])[0] for i in front_indices(digits.table.F)}
    return sum(key in front for key in digits.space.keys(problem.store.X[stopped])) if stopped else 0


def tables(runs: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ADRS by cost, the cost of equal ADRS, and what was stopped."""
    whole = {r["seed"]: r for r in runs if r["way"] == "whole"}
    stopped = {r["seed"]: r for r in runs if r["way"] == "stopped"}
    seeds = sorted(set(whole) & set(stopped))
    paths = {way: [each[s]["curve"] for s in seeds] for way, each in (("whole", whole), ("stopped", stopped))}
    quality, saved = [], []
    for cost in AT:
        medians = {way: float(np.median([adrs_at(p, cost) for p in paths[way]])) for way in paths}
        line: dict[str, Any] = {"cost": cost, "without stopping": f"{medians['whole']:.4f}"}
        within = cost <= BUDGETS["stopped"]
        line["with stopping"] = f"{medians['stopped']:.4f}" if within else ""
        pairs = [(adrs_at(a, cost), adrs_at(b, cost)) for a, b in zip(paths["whole"], paths["stopped"], strict=True)]
        line["better in"] = f"{sum(b < a for a, b in pairs)} of {len(pairs)}" if within else ""
        quality.append(line)
        own = median_cost_to(paths["whole"], medians["whole"])
        needed = median_cost_to(paths["stopped"], medians["whole"])
        saved.append(
            {
                "ADRS": f"{medians['whole']:.4f}",
                "cost without stopping": f"{own:.0f}",
                "with stopping": f"{needed:.0f}" if np.isfinite(needed) else "not reached",
                "share": f"{needed / own:.0%}" if np.isfinite(needed) else "",
            }
        )
    ends = [stopped[s]["curve"][-1] for s in seeds]
    epochs = [epoch for s in seeds for epoch in stopped[s]["epochs"]]
    what = pd.DataFrame(
        [
            {
                "runs": len(seeds),
                "cost": f"{BUDGETS['stopped']:g}",
                "trained to the end": f"{np.median([e[1] for e in ends]):.0f}",
                "stopped": f"{np.median([len(stopped[s]['epochs']) for s in seeds]):.0f}",
                "stopped after, epochs": f"{np.median(epochs):.0f} (half of them {np.quantile(epochs, 0.25):.0f} to"
                f" {np.quantile(epochs, 0.75):.0f})",
                "of the true front's points stopped": f"{np.median([stopped[s]['lost'] for s in seeds]):g}",
            }
        ]
    )
    return pd.DataFrame(quality), pd.DataFrame(saved), what


def write_report() -> None:
    """``runs.csv`` and ``report.md`` from all runs."""
    runs = read_runs(RUNS)
    quality, saved, what = tables(runs)
    lines = [
        {"way": r["way"], "seed": r["seed"]} | dict(zip(("cost", "complete", "stopped", "adrs"), point, strict=True))
        for r in runs
        for point in r["curve"]
    ]
    pd.DataFrame(lines).to_csv(OUT / "runs.csv", index=False, lineterminator="\n")
    command = "python benchmarks/early_stopping.py run; python benchmarks/early_stopping.py report"
    parts = [
        title("What is saved where trainings are stopped early"),
        setting(command, f"{min(r['seed'] for r in runs)} to {max(r['seed'] for r in runs)}", pd.DataFrame(runs)),
        "RAPID on `digits`, whose measure reports the accuracy after each of 30 epochs. A training costs 1, each epoch"
        f" of a stopped one a thirtieth, a latency {LATENCY:g}, memory nothing. Both ways measure latencies first where"
        " that pays. Medians over seeds.",
        section("Cost of equal ADRS"),
        "The ADRS that runs without stopping have at some costs, and the cost at which the median of the runs with"
        " stopping is as good.",
        of_frame(saved),
        section("ADRS at equal cost"),
        of_frame(quality),
        section("What was stopped"),
        of_frame(what),
        section("How the constants were chosen"),
        f"The rule is {CONFIDENCE:.0%} sure of what it stops, at steps that grow by {RATIO - 1:.0%} and explain"
        f" {EXPLAINED:.0%} of how near curves end, from {FEWEST} whole curves on. The share and the first sample of"
        f" {FEWEST} were chosen on seeds 200 to 207, which are not reported, the rest before the first run:"
        " [notes](../../notes/stopping.md).",
    ]
    write_text(OUT / "report.md", page(*parts))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--ways", default="whole,stopped")
    parser.add_argument("--curves", type=Path, nargs="*", default=[], help="journals of profile_digits.py curves")
    options = parser.parse_args()
    if options.action == "report":
        write_report()
        return
    OUT.mkdir(parents=True, exist_ok=True)
    digits = Digits(options.curves)
    for seed in seeds_of(options.seeds):
        for way in options.ways.split(","):
            if (way, seed) not in {(r["way"], r["seed"]) for r in read_runs(RUNS)}:
                line = run(digits, way, seed)
                keep_run(RUNS, line)
                print(way, seed, line["curve"][-1], f"lost {line['lost']}, {line['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
