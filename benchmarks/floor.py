"""The noise-limited floor of the comparison's tables: what RAPID would need if its predictors had seen all of a table.

    RAPID_MOO_DATA=... python benchmarks/floor.py [--tables a,b] [--seeds N]

Means and spreads are those of predictors that saw the whole table but for the row itself and its fold, class mates
included (``attribution.Oracle``); the first sample, the batches and their choice are RAPID's own. What is missing
between a run and this floor is knowledge; what is missing between the floor and the oracle, which picks front points
with the truth in hand, is noise. Writes ``results/comparison/floor.csv``: medians over seeds by evaluations.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _devices import device_table
from attribution import Oracle
from comparison import BUDGETS, FLOOR, TABLES, table_of

from rapid_moo import ADRS, ArchitectureTable, NormalisedHypervolume
from rapid_moo._util import IntArray, as_generator, write_text
from rapid_moo.acquisition import Candidates, expected_coverage
from rapid_moo.algorithm import default_batch_size
from rapid_moo.batches import SPREAD_POOL
from rapid_moo.design import FIRST_SAMPLE, designed_sample
from rapid_moo.pareto import pareto_ranks

SEEDS = 3
STEPS = 60
"""So many numbers of evaluations are recorded, evenly on a logarithmic axis."""


def evaluated(table: ArchitectureTable, oracle: Oracle, budget: int, seed: int) -> IntArray:
    """Rows in the order in which they would be evaluated."""
    rng, F = as_generator(seed), table.F
    mean, std = oracle.predicted
    place = {key: row for row, key in enumerate(table.space.keys(table.X))}
    first = designed_sample(table.space, table.X, min(FIRST_SAMPLE, budget), rng)
    rows = [place[key] for key in table.space.keys(first)]
    order = np.argsort(pareto_ranks(mean), kind="stable")
    while len(rows) < budget:
        left = order[~np.isin(order, rows)][:SPREAD_POOL]

        def draw(picked: IntArray, n: int, left: IntArray = left) -> np.ndarray:
            return mean[left[picked]] + std[left[picked]] * rng.standard_normal((n, len(picked), F.shape[1]))

        size = min(default_batch_size(len(rows)), budget - len(rows))
        chosen = expected_coverage(Candidates(mean[left], std[left], F[rows], draw), size, rng)
        rows += left[chosen].tolist()
    return np.array(rows, dtype=np.int64)


def floor(name: str, seeds: int) -> pd.DataFrame:
    """Medians over seeds on one table, at evenly spaced evaluations."""
    table = table_of(name) if name in TABLES else device_table(name)
    oracle, budget = Oracle(table), round(max(BUDGETS) * len(table))
    quality, volume = ADRS(table.front), NormalisedHypervolume(table.front)
    steps = np.unique(np.geomspace(1, budget, STEPS).round().astype(int))
    lines = []
    for seed in range(seeds):
        F = table.F[evaluated(table, oracle, budget, seed)]
        lines += [
            {"evaluations": int(n), "adrs": float(quality(F[:n])), "hypervolume": float(volume(F[:n]))} for n in steps
        ]
    found = pd.DataFrame(lines).groupby("evaluations").median().reset_index()
    found.insert(0, "dataset", name)
    return found


def main() -> None:
    """Add tables to the file, or replace them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    for name in options.tables.split(","):
        found = floor(name, options.seeds)
        known = pd.read_csv(FLOOR) if FLOOR.is_file() else found.iloc[:0]
        whole = pd.concat([known[known["dataset"] != name], found]).sort_values(["dataset", "evaluations"])
        write_text(FLOOR, whole.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        print(name, found.iloc[-1].to_dict(), flush=True)


if __name__ == "__main__":
    main()
