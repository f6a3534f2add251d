"""What keeps a run from the floor: one part at a time is replaced by a better one, and the run goes on from there.

    RAPID_MOO_DATA=... python benchmarks/attribution.py run [--tables a,b] [--seeds N] [--at N] [--more N] [--parts a,b]
    python benchmarks/attribution.py report

RAPID evaluates ``--at`` architectures as it is. From that state it goes on for ``--more``, once as it is and once with
each part replaced. A replacement that knows the table (a *perfect* part) shows what the part costs; one that does not
(a larger pool, no bounds) shows whether the setting is right. Of the same state, so differences are paired.

Parts
-----
``mean_K``: the expected value of objective K is what predictors that saw the whole table say (out of fold; class mates,
architectures of the same canonical form, included), the errors drawn around it are RAPID's own. ``mean``: of all
objectives. ``exact_K``: the objective's values themselves. ``bias``: RAPID's means, moved by their mean error among the
unseen architectures likely to be non-dominated. ``spread``: its errors scaled to be as large as they are there.
``independent``: no joint draws. ``pool``: 2,000 joint draws and the whole space in place of 300 and a shortlist of
1,500. ``bounds``: no bounds on draws. ``exponent``: expected ADRS instead of its root. ``half``: batches half as large.
``floor``: mean and spread of predictors that saw the table, drawn independently.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from _devices import device_table
from _report import of_frame, page, section, setting, title
from pymoo.core.problem import Problem
from pymoo.optimize import minimize
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold

from rapid_moo import ADRS, RAPID, ArchitectureTable, acquisition, batches, get_problem
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.predictors import PredictorSet
from rapid_moo.view import SpaceView

OUT = Path(__file__).parent / "results" / "attribution"
RUNS = OUT / "runs.jsonl"
FOLDS, TREES = 5, 40
NEAREST = 600
SMALLEST = 1e-5
"""ADRS below which ratios say nothing."""
SETTINGS = ("independent", "pool", "bounds", "exponent", "half")
CHECKPOINTS = (50, 100, 200)
"""Further evaluations after which a run that goes on is judged."""


class Oracle:
    """What may be known of a table without knowing the value itself: minimised means and spreads, out of fold."""

    def __init__(self, table: ArchitectureTable) -> None:
        self.table, self.F = table, table.F
        self._row = {key: i for i, key in enumerate(table.space.keys(table.X))}
        self.computed = {objective.name for objective in table.space.computed}

    def rows(self, X: IntArray) -> IntArray:
        """Row of each member."""
        return np.array([self._row[key] for key in self.table.space.keys(X)], dtype=np.int64)

    @cached_property
    def predicted(self) -> tuple[FloatArray, FloatArray]:
        """Mean and spread of every row, shape (n, n_objectives) each."""
        space, F = self.table.space, self.F
        classes = pd.factorize(pd.Series([x.tobytes() for x in space.canonical(self.table.X)]))[0]
        features = space.features(self.table.X)
        mean, std = F.astype(float).copy(), np.full(F.shape, 1e-9)
        for k, objective in enumerate(self.table.objectives):
            if objective.name in self.computed:
                continue
            grouped = pd.Series(F[:, k]).groupby(classes)
            total, count = grouped.transform("sum").to_numpy(), grouped.transform("count").to_numpy()
            mates = np.where(count > 1, (total - F[:, k]) / np.maximum(count - 1, 1), F[:, k].mean())
            inputs = np.column_stack([features, mates, np.log(count)])
            for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(inputs):
                trees = ExtraTreesRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1)
                mean[test, k] = trees.fit(inputs[train], F[train, k]).predict(inputs[test])
            twentieth = pd.qcut(mean[:, k], 20, labels=False, duplicates="drop")
            squared = pd.Series((F[:, k] - mean[:, k]) ** 2).groupby(twentieth)
            # The median of a squared normal error is 0.455 of its variance: outliers do not set the spread.
            std[:, k] = np.maximum(np.sqrt(squared.transform("median").to_numpy() / 0.455), 1e-9)
        return mean, std


class PartsView(SpaceView):
    """A view whose predictions have some parts replaced."""

    oracle: Oracle
    parts: frozenset[str]
    generator: np.random.Generator

    def predict(self, predictors: PredictorSet, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Minimised mean and spread, with replaced parts."""
        mean, std = super().predict(predictors, X)
        if "floor" in self.parts:
            return tuple(values[self.oracle.rows(X)] for values in self.oracle.predicted)  # type: ignore[return-value]
        shift, factor = self._near_front(predictors)
        moved = self._moved(mean, X) + shift
        exact = self._exact
        std = std * factor
        std[:, exact] = 1e-9
        return moved, std

    def predict_mean(self, predictors: PredictorSet, X: IntArray) -> FloatArray:
        """Minimised means, with replaced parts."""
        if "floor" in self.parts:
            return np.asarray(self.oracle.predicted[0][self.oracle.rows(X)])
        return self._moved(super().predict_mean(predictors, X), X) + self._near_front(predictors)[0]

    def draw(self, predictors: PredictorSet, X: IntArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Possible truths, with replaced parts."""
        if self.parts & {"independent", "floor"}:
            mean, std = self.predict(predictors, X)
            return np.asarray(mean + std * rng.standard_normal((n_draws, *mean.shape)))
        draws = super().draw(predictors, X, n_draws, rng)
        mean = super().predict(predictors, X)[0]
        shift, factor = self._near_front(predictors)
        moved = self._moved(mean, X) + shift
        draws = moved + (draws - mean) * factor
        draws[:, :, self._exact] = moved[:, self._exact]
        return draws

    @property
    def _exact(self) -> list[int]:
        return [k for k, o in enumerate(self.objectives) if f"exact_{o.name}" in self.parts]

    def _moved(self, mean: FloatArray, X: IntArray) -> FloatArray:
        """Means with those of some objectives replaced."""
        mean = mean.copy()
        rows = self.oracle.rows(X)
        for k, objective in enumerate(self.objectives):
            if "mean" in self.parts or f"mean_{objective.name}" in self.parts:
                mean[:, k] = self.oracle.predicted[0][rows, k]
        mean[:, self._exact] = self.oracle.F[rows][:, self._exact]
        return mean

    def _near_front(self, predictors: PredictorSet) -> tuple[FloatArray, FloatArray]:
        """Shift of the mean and factor on the spread that would be right among what is likely to be non-dominated."""
        n_obj = len(self.objectives)
        if not self.parts & {"bias", "spread"}:
            return np.zeros(n_obj), np.ones(n_obj)
        memo = getattr(self, "_memo", None)
        state = (id(predictors), len(predictors.sample_))
        if memo is None or memo[0] != state:
            known = set(self.space.keys(predictors.sample_.X))
            members = self.members
            assert members is not None
            X = members[[key not in known for key in self.space.keys(members)]]
            mean, std = super().predict(predictors, X)
            near = acquisition.promising(mean, std, predictors.sample_.F, NEAREST, seed=self.generator)
            error = self.oracle.F[self.oracle.rows(X[near])] - mean[near]
            shift = np.median(error, axis=0) if "bias" in self.parts else np.zeros(n_obj)
            relative = np.abs(error - shift) / np.maximum(std[near], 1e-12)
            factor = np.median(relative, axis=0) / 0.6745 if "spread" in self.parts else np.ones(n_obj)
            factor[[o.name in self.oracle.computed for o in self.objectives]] = 1.0
            self._memo = memo = (state, shift, factor)
        return memo[1], memo[2]


class PartsRAPID(RAPID):
    """RAPID with some parts replaced."""

    def __init__(self, oracle: Oracle, parts: frozenset[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parts = oracle, parts

    def _setup(self, problem: Problem, **kwargs: Any) -> None:
        super()._setup(problem, **kwargs)
        # The same store and bill, other predictions.
        self.view.__class__ = PartsView
        self.view.oracle, self.view.parts = self._parts
        self.view.generator = np.random.default_rng(0)

    def _wanted(self, known: Any) -> int:
        wanted = super()._wanted(known)
        return max(1, wanted // 2) if "half" in self._parts[1] else wanted


def go_on(table: ArchitectureTable, start: Any, oracle: Oracle, part: str, more: int, seed: int) -> dict[int, float]:
    """ADRS after some more evaluations than a population's, with a part replaced."""
    rapid = PartsRAPID(oracle, frozenset([part]), sampling=start)
    with _settings(part):
        found = minimize(get_problem(table), rapid, ("n_eval", more), seed=seed)
    F = found.algorithm.pop.get("F")
    quality = ADRS(table.front)
    return {m: float(quality(F[: len(start) + m])) for m in sorted({*(m for m in CHECKPOINTS if m < more), more})}


def _settings(part: str) -> Any:
    """The settings that a part stands for, in force as long as the context lasts."""
    if part == "pool":
        stack = ExitStack()
        stack.enter_context(patch.object(acquisition, "JOINT_POOL", 2_000))
        stack.enter_context(patch.object(batches, "SPREAD_POOL", 10**6))
        return stack
    if part == "bounds":
        return patch.object(acquisition, "RULE_OF_THREE", 1e9)
    if part == "exponent":
        wrapped: Callable[..., Any] = acquisition.coverage_batch
        return patch.object(acquisition, "coverage_batch", lambda *a, **k: wrapped(*a, **{**k, "exponent": 1.0}))
    return nullcontext()


def parts_of(table: ArchitectureTable) -> list[str]:
    """Every replacement that means something on a table."""
    computed = {objective.name for objective in table.space.computed}
    predicted = [o.name for o in table.objectives if o.name not in computed]
    return [
        "none",
        *(f"mean_{name}" for name in predicted),
        "mean",
        *(f"exact_{name}" for name in predicted),
        "bias",
        "spread",
        *SETTINGS,
        "floor",
    ]


def run(names: list[str], seeds: int, at: int, more: int, only: list[str]) -> None:
    """Make the runs that are missing, one line of JSON each."""
    OUT.mkdir(parents=True, exist_ok=True)
    lines = RUNS.read_text(encoding="utf-8").splitlines() if RUNS.is_file() else []
    done = {(r["table"], r["seed"], r["at"], r["more"], r["part"]) for r in map(json.loads, lines)}
    for name in names:
        table = device_table(name)
        oracle = Oracle(table)
        for seed in range(seeds):
            wanted = [p for p in only or parts_of(table) if (name, seed, at, more, p) not in done]
            if not wanted:
                continue
            first = minimize(get_problem(table), RAPID(), ("n_eval", at), seed=seed)
            start = first.algorithm.pop
            begin = float(ADRS(table.front)(start.get("F")))
            for part in wanted:
                found = go_on(table, start, oracle, part, more, seed)
                line = {"table": name, "seed": seed, "at": at, "more": more, "part": part, "begin": begin}
                with RUNS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, "adrs": found}) + "\n")
                print(name, seed, part, f"{begin:.4f}", {m: round(v, 4) for m, v in found.items()}, flush=True)


def report() -> None:
    """Write the ratios of ADRS to that of the run that goes on as it is, and ADRS itself."""
    frame = pd.DataFrame([json.loads(line) for line in RUNS.read_text(encoding="utf-8").splitlines()])
    frame["value"] = [max(SMALLEST, found[max(found, key=int)]) for found in frame["adrs"]]
    states = frame["at"].astype(str) + " and " + frame["more"].astype(str)
    frame["table"] = frame["table"] + ", " + states
    keys = ["table", "seed", "at", "more"]
    plain = frame[frame["part"] == "none"].set_index(keys)["value"]
    frame["log"] = np.log(frame["value"].to_numpy() / plain.reindex(pd.MultiIndex.from_frame(frame[keys])).to_numpy())
    order = list(dict.fromkeys(frame["part"]))
    ratio = np.exp(frame.pivot_table(index="part", columns="table", values="log", aggfunc="mean")).loc[order]
    value = np.exp(
        frame.assign(log=np.log(frame["value"])).pivot_table(
            index="part", columns="table", values="log", aggfunc="mean"
        )
    )
    ratio["all"] = np.exp(frame.groupby("part")["log"].mean())
    begin = frame.groupby("table")["begin"].mean()
    head = setting("python benchmarks/attribution.py run", f"{frame['seed'].min()} to {frame['seed'].max()}")
    whole = pd.concat([begin.to_frame("at the start").T, value.loc[order]])
    parts = [
        title("What keeps RAPID from the floor"),
        head,
        "A column is a table, the evaluations after which a run goes on and how many more it makes. Geometric means"
        f" over {_counted(frame.groupby('table')['seed'].nunique())}.",
        section("ADRS, as a ratio to the run that goes on as it is"),
        of_frame(ratio.round(2).astype(object).where(ratio.notna(), "").reset_index()),
        section("ADRS"),
        of_frame(whole.round(4).astype(object).where(whole.notna(), "").reset_index()),
    ]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def _counted(seeds: pd.Series) -> str:
    """How many seeds the tables have."""
    least, most = int(seeds.min()), int(seeds.max())
    return f"{most} seed{'s' * (most > 1)}" if least == most else f"{least} to {most} seeds"


def main() -> None:
    """Run or report."""
    warnings.filterwarnings("ignore", category=UserWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tables", default="nasbench201:pixel3,nasbench201:gold_6240,nasbench201:titanx_1,nasbench201")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--at", type=int, default=200)
    parser.add_argument("--more", type=int, default=200)
    parser.add_argument("--parts", default="")
    options = parser.parse_args()
    if options.action == "run":
        only = options.parts.split(",") if options.parts else []
        run(options.tables.split(","), options.seeds, options.at, options.more, only)
    report()


if __name__ == "__main__":
    main()
