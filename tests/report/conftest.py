"""Reports made of a small space of one's own, quickly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rapid_moo import Gene, GridSpace, Objective, PredictorSet, PredictorSpec
from rapid_moo.drawing import stack
from rapid_moo.objectives import to_minimised
from rapid_moo.predictors import members_of
from rapid_moo.report import Report
from rapid_moo.report.making import (
    architecture_facts,
    objective_facts,
    picks_of,
    predictor_facts,
    progress_facts,
    reference_facts,
    space_facts,
)
from rapid_moo.table import ArchitectureTable

EVIL = "</script><img src=x onerror=alert(1)>"
GOALS = (Objective("error", "min", "%"), Objective("speed", "max", "1/s"), Objective("size", "min", "MB"))


class Drawn(GridSpace):
    """A space with drawings of its own."""

    def _draw(self, x: Any) -> str:
        return stack([("drawn", str(self.genes[1].labels[x[1]]))], "drawn")


def own_space(kind: type[GridSpace] = GridSpace) -> GridSpace:
    genes = [
        Gene("op", ("conv", EVIL, "mlp & co")),
        Gene("depth", (1, 2, 3, 4, 5, 6, 7, 8)),
        Gene("width", (8, 16, 32, 64)),
    ]
    return kind("own", genes, GOALS)


def measured(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    depth, width = X[:, 1] + 1.0, 2.0 ** (X[:, 2] + 3)
    error = 30.0 / np.sqrt(depth * width) + X[:, 0] + rng.normal(0, 0.2, len(X))
    return np.column_stack([error, 500.0 / (depth * width) * (1 + rng.normal(0, 0.02, len(X))), depth * width**2 / 256])


def make_report(kind: type[GridSpace] = GridSpace, n: int = 60, *, judged: bool = True) -> Report:
    rng, space = np.random.default_rng(1), own_space(kind)
    X = space.sample(n, 1)
    raw = measured(X, rng)
    table = ArchitectureTable.build(space, GOALS, X, raw)
    predictors = PredictorSet(space, GOALS, [PredictorSpec("bayesian_ridge")] * 3).fit(table)
    state = ["sample" if row < 16 else "chosen" for row in range(n)]
    facts, _ = architecture_facts(space, GOALS, X, raw, state, predictors=predictors)
    everything = space.enumerate()
    front = ArchitectureTable.build(space, GOALS, everything, measured(everything, rng)).front
    return Report(
        kind="search",
        name=EVIL,
        command=f"rapid-moo search {EVIL}",
        objectives=objective_facts(GOALS),
        space=space_facts(space),
        bill={
            "evaluations": n,
            "budget": n,
            "rows": 96,
            "sample": 16,
            "chosen": n - 16,
            "front_size": sum(facts.on_front),
        },
        quality=dict.fromkeys(("adrs", "adrs_predictor", "adrs_search", "hypervolume"), 0.1),
        architectures=facts,
        reference=reference_facts("true", front, GOALS) if judged else None,
        progress=progress_facts(to_minimised(raw, GOALS), front if judged else None, "true"),
        predictors=predictor_facts(predictors, members_of),
        picks=picks_of(facts, GOALS),
        failures={f"MemoryError: {EVIL}": 3},
        settings={"seed": 1},
    )


@pytest.fixture(scope="session")
def report() -> Report:
    return make_report()
