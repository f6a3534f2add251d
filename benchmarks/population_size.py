"""The population size of each evolutionary method: found on digits and one other table, then fixed.

    RAPID_MOO_DATA=... python benchmarks/population_size.py [--methods a,b] [--seeds 5] [--out DIR]

For each method and size, the geometric mean of ADRS over the two tables, the budgets and the medians over seeds; the
smallest is what the method's ``pop_size`` says. Methods that are slow at larger budgets are judged by the smaller ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from rapid_moo import open_table
from rapid_moo.comparison import Comparison, Method, get_method
from rapid_moo.comparison.tables import read_results

SIZES = (10, 20, 40, 80)
BUDGETS = (0.02, 0.05, 0.1, 0.15)
# Sizes, with the library's own among them, and budgets.
METHODS = {
    **dict.fromkeys(("nsga2", "nsga3", "age-moea2", "sms-emoa", "u-nsga3", "mo-rea"), (SIZES, BUDGETS)),
    "optuna-nsga3": ((*SIZES, 50), BUDGETS[:2]),
    "nevergrad-de": ((*SIZES, 30), BUDGETS),
}
TABLES = ("digits", "hw_gpt_m_h100")


def sized(name: str, size: int) -> type[Method]:
    """A method with another population size, under a name of its own."""
    base = get_method(name)
    return type(
        f"{base.__name__}{size}", (base,), {"name": f"{name}@{size}", "pop_size": size, "__doc__": base.__doc__}
    )


def main() -> None:
    """Run what is missing and write ``table.csv``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS), help="results of others stay as they are")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/population_size"))
    options = parser.parse_args()
    folders = [options.out / name for name in TABLES]
    for table, folder in zip(TABLES, folders, strict=True):
        for name in options.methods.split(","):
            sizes, budgets = METHODS[name]
            Comparison(open_table(table), [sized(name, size) for size in sizes], budgets, options.seeds, folder).run()
    results = read_results(folders)
    results[["method", "pop_size"]] = results["method"].str.split("@", expand=True)
    results["pop_size"] = results["pop_size"].astype(int)
    median = results.groupby(["method", "pop_size", "dataset", "budget"])["adrs"].median()
    table = np.exp(np.log(median).groupby(["method", "pop_size"]).mean()).unstack("pop_size").round(5)
    table["best"] = table.idxmin(axis=1)
    table.to_csv(options.out / "table.csv")
    print(table.to_string())


if __name__ == "__main__":
    main()
