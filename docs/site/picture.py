"""Draw ``docs/front.png``, the picture of the front page and the README: ``python docs/site/picture.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pymoo.optimize import minimize

from rapid_moo import RAPID, get_problem

OUT = Path(__file__).parents[1] / "front.png"
BUDGET, SEED = 150, 1
GREY, ORANGE, BLACK = "#BBBBBB", "#D55E00", "#000000"


def main() -> None:
    """Search the embedded table, and draw two projections of what was found."""
    problem = get_problem("digits")
    minimize(problem, RAPID(), ("n_eval", BUDGET), seed=SEED)
    table, found = problem.table, problem.store.raw
    best = table.raw[table.front_rows]
    signs = np.array([objective.sign for objective in table.objectives])
    shown = found[[not ((found * signs <= row).all(1) & (found * signs < row).any(1)).any() for row in found * signs]]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axis, x in zip(figure.subplots(1, 2, sharey=True), (1, 2), strict=True):
        axis.scatter(
            table.raw[:, x], table.raw[:, 0], s=3, c=GREY, label=f"all {len(table):,} networks", rasterized=True
        )
        axis.scatter(best[:, x], best[:, 0], s=46, facecolors="none", edgecolors=BLACK, label="true front")
        axis.scatter(shown[:, x], shown[:, 0], s=14, c=ORANGE, marker="D", label=f"found with {BUDGET} evaluations")
        axis.set_xlabel(table.objectives[x].label)
        if x == 2:
            axis.set(xscale="log", xticks=[1, 10, 100], xticklabels=["1", "10", "100"])
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel(table.objectives[0].label)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, markerscale=1.4)
    figure.savefig(OUT, dpi=110, metadata={"Software": None})
    print(f"ADRS {problem.adrs():.4f} after {problem.n_evaluations} evaluations, {len(shown)} networks drawn: {OUT}")


if __name__ == "__main__":
    main()
