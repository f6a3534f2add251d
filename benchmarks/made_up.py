"""RAPID on spaces of one's own kind: conditional genes, hyper-parameters, noise, islands, failures, too large to list.

    python benchmarks/made_up.py run [--spaces mobile,recipe] [--methods rapid,optuna-tpe] [--seeds 0-4]
    python benchmarks/made_up.py report

Every space is a formula, so that the noise-free value of each architecture is known; what a method sees has errors.
``run`` appends a line per run to ``runs.jsonl`` and leaves out what is there; ``report`` writes ``report.md``. A run is
judged by the noise-free hypervolume of everything evaluated, as a share of that of the best front known.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, setting, title
from _runs import seeds_of
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.algorithm import Algorithm
from pymoo.optimize import minimize

from rapid_moo import RAPID, ArchitectureProblem, BillingEvaluator, Gene, GridSpace, Objective, genotype_operators
from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.indicators import hypervolume
from rapid_moo.pareto import front_points

OUT = Path(__file__).parent / "results" / "made_up"
LEVELS = (30, 60, 100, 150, 300)
METHODS = ("rapid", "nsga2", "optuna-tpe", "random")
OBJECTIVES = (Objective("error", "min", "%"), Objective("latency", "min", "ms"))
REFERENCE_SEARCHES, REFERENCE_GENERATIONS = 3, 200
LISTED = 1_000_000
PATIENCE = 4

Columns = dict[str, FloatArray]


@dataclass(frozen=True)
class MadeUp:
    """A space with a formula.

    Attributes
    ----------
    name : str
        Its name.
    genes : tuple of Gene
        Its genes; an inactive one has the value NaN in the formula.
    formula : callable
        ``formula(values)`` takes the genes' values by name, arrays of shape (n,) (positions for genes without numbers),
        and gives noise-free objectives of shape (n, 2), to be minimised.
    noise : float
        Standard deviation of the errors as a share of each objective's range over random architectures.
    fails : callable or None
        Which architectures fail, shape (n,).
    """

    name: str
    genes: tuple[Gene, ...]
    formula: Callable[[Columns], FloatArray]
    noise: float
    fails: Callable[[Columns], Any] | None = None

    @cached_property
    def space(self) -> GridSpace:
        """The space."""
        return GridSpace(self.name, self.genes, OBJECTIVES)

    def values(self, X: IntArray) -> Columns:
        """The genes' values; NaN where inactive."""
        found = {}
        for k, gene in enumerate(self.genes):
            numbers = all(isinstance(choice, int | float) for choice in gene.choices)
            choices = np.array(gene.choices if numbers else range(len(gene.choices)), dtype=float)
            found[gene.name] = np.where(X[:, k] >= 0, choices[np.maximum(X[:, k], 0)], np.nan)
        return found

    def true(self, X: IntArray) -> FloatArray:
        """Noise-free objectives, infinite where evaluations fail."""
        values = self.values(self.space.repair(X))
        F = self.formula(values)
        return np.where(self.fails(values)[:, None], np.inf, F) if self.fails is not None else F

    @cached_property
    def span(self) -> FloatArray:
        """Range of each objective between the 1 % and the 99 % quantile of random architectures."""
        F = self.true(self.space.sample(4_000, 0))
        low, high = np.quantile(F[np.isfinite(F).all(axis=1)], [0.01, 0.99], axis=0)
        return np.asarray(high - low)

    def measured(self, X: IntArray, seed: int) -> FloatArray:
        """What is seen of architectures: the same in every run of a seed, whatever else was evaluated."""
        F = self.true(X)
        for i, x in enumerate(self.space.repair(X)):
            digest = hashlib.sha256(f"{self.name}/{seed}/{x.tolist()}".encode()).digest()
            error = np.random.default_rng(int.from_bytes(digest[:8], "little")).standard_normal(2)
            F[i] += self.noise * self.span * error
        return F

    @cached_property
    def front(self) -> FloatArray:
        """The true front where the space can be listed, else that of long searches of the noise-free values."""
        path = OUT / f"front_{self.name}.csv"
        if path.exists():
            return np.loadtxt(path, delimiter=",")
        if self.space.size <= LISTED:
            F = self.true(self.space.enumerate())
            return self._kept(front_points(F[np.isfinite(F).all(axis=1)]), path)
        found = []
        for seed in range(REFERENCE_SEARCHES):
            problem = ArchitectureProblem(self.space, source=self.true)
            algorithm = NSGA2(pop_size=200, **genotype_operators(problem, duplicates=False))
            found.append(minimize(problem, algorithm, ("n_gen", REFERENCE_GENERATIONS), seed=seed).F)
        return self._kept(front_points(np.vstack(found)), path)

    def _kept(self, points: FloatArray, path: Path) -> FloatArray:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, points, fmt="%.6g", delimiter=",")
        return points


# ------------------------------------------------------------------------- formulas
def _mobile(v: Columns) -> FloatArray:
    """Seven stages as in MobileNet: expansion, kernel and depth of each, and the width."""
    rng = np.random.default_rng(11)
    cost, gain = np.zeros(len(v["width"])), np.zeros(len(v["width"]))
    for k in range(7):
        flops = v[f"expand{k}"] * (1.0 + 0.04 * v[f"kernel{k}"] ** 2) * v[f"depth{k}"] * rng.uniform(0.5, 1.5)
        cost = cost + flops
        gain = gain + rng.uniform(0.5, 1.5) * np.log1p(flops * rng.uniform(0.6, 1.6)) * (1 + 0.05 * v[f"kernel{k}"])
        gain = gain - 0.15 * (v[f"kernel{k}"] == 7) * (k < 2)
    cost = cost * v["width"] ** 1.6
    gain = gain * v["width"] ** 0.7
    return np.column_stack([10.0 + 60.0 * np.exp(-gain / 9.0), 1.0 + 0.25 * cost])


def _recipe(v: Columns) -> FloatArray:
    """A CNN or an MLP with its training: a third of the genes depend on others, good recipes are narrow."""
    conv = v["kind"] == 0
    blocks, channels, kernel = (np.nan_to_num(v[name], nan=1.0) for name in ("blocks", "channels", "kernel"))
    layers, units = (np.nan_to_num(v[name], nan=1.0) for name in ("layers", "units"))
    capacity = np.where(conv, blocks * np.log2(channels) * (1 + 0.1 * kernel), 0.8 * layers * np.log2(units))
    best_rate = np.where(v["optimizer"] == 0, -1.0, np.where(v["optimizer"] == 1, -3.0, -2.6))
    miss = np.abs(np.log10(v["rate"]) - best_rate + 0.15 * np.log2(v["batch"] / 64.0))
    momentum = np.where(v["optimizer"] == 0, 1.2 * np.abs(np.nan_to_num(v["momentum"]) - 0.9), 0.0)
    overfit = np.maximum(capacity / 12.0 - 1.0, 0.0) * np.abs(v["dropout"] - 0.3) * 4.0
    residual = np.where(conv & (blocks >= 4), 1.5 * np.nan_to_num(v["residual"]), 0.0)
    augment = np.where(v["augment"] == 2, 0.8, np.where(v["augment"] == 1, 0.5, 0.0))
    decay = 0.3 * np.abs(np.log10(v["decay"]) + 4.0)
    schedule = np.where(v["schedule"] == 1, 0.6, np.where(v["schedule"] == 2, 0.3, 0.0))
    error = 4.0 + 30.0 * np.exp(-capacity / 7.0) + 5.0 * np.minimum(miss, 2.5) + momentum + overfit + decay
    error = error - residual - augment - schedule + np.where(v["activation"] == 2, 0.4, 0.0)
    work = np.where(conv, 0.004 * blocks * channels * kernel**1.5, 0.002 * layers * units)
    return np.column_stack([error, 0.3 + work * np.where(v["activation"] == 1, 1.1, 1.0)])


def _islands(v: Columns) -> FloatArray:
    """Good regions far apart, each for another operation: what is near the best known is not where the best is."""
    rng = np.random.default_rng(5)
    names = [f"g{k}" for k in range(8)]
    Z = np.column_stack([v[name] for name in names]) / 5.0
    depth = np.full(len(Z), 0.0)
    for op in range(4):
        centre, height, width = rng.uniform(0, 1, 8), rng.uniform(8, 20), rng.uniform(0.35, 0.6)
        distance = np.sqrt(((Z - centre) ** 2).sum(axis=1))
        depth = np.maximum(depth, np.where(v["op"] == op, height * np.exp(-((distance / width) ** 2)), 0.0))
    error = 30.0 - depth - 2.0 * Z[:, :4].mean(axis=1)
    return np.column_stack([error, 1.0 + 4.0 * Z.sum(axis=1) * np.array([1.0, 1.2, 1.5, 0.8])[v["op"].astype(int)]])


def _memory(v: Columns) -> FloatArray:
    """A small transformer whose larger members run out of memory."""
    size = v["layers"] * v["width"] * (v["width"] / 64.0 + 0.02 * v["context"] + 0.03 * v["ratio"] * v["width"])
    error = 20.0 + 180.0 * size**-0.28 + 2.0 * np.abs(np.log2(v["heads"] * 32.0 / v["width"]))
    error = (
        error + np.where(v["norm"] == 1, -1.0, 0.0) + np.where(v["tied"] == 1, 0.8, 0.0) - 0.5 * np.log2(v["context"])
    )
    return np.column_stack([error, 0.5 + 0.004 * size * np.where(v["norm"] == 1, 1.05, 1.0) ** v["layers"]])


def _too_large(v: Columns) -> Any:
    return v["layers"] * v["width"] * (v["width"] / 64.0 + 0.05 * v["context"]) * (2 - 0.5 * v["tied"]) > 9_000.0


def _rough(v: Columns) -> FloatArray:
    """Choices whose effects depend on each other, measured with errors of a tenth of the range."""
    rng = np.random.default_rng(23)
    ops = np.column_stack([v[f"op{k}"] for k in range(6)]).astype(int)
    gain, cost = np.zeros(len(ops)), np.zeros(len(ops))
    quality, price = rng.normal(1.0, 0.6, (6, 5)), rng.uniform(0.2, 2.0, 5)
    pairs = rng.normal(0.0, 0.35, (5, 5, 5))
    for k in range(6):
        gain = gain + quality[k, ops[:, k]]
        cost = cost + price[ops[:, k]]
        if k:
            gain = gain + pairs[k - 1, ops[:, k - 1], ops[:, k]]
    gain = gain + 1.2 * np.log2(v["channels"] / 16.0) + 0.5 * v["cells"] ** 0.7
    return np.column_stack([8.0 + 50.0 * np.exp(-gain / 6.0), cost * v["channels"] / 16.0 * v["cells"] ** 0.9])


def _spaces() -> dict[str, MadeUp]:
    stages = [
        Gene(f"{what}{k}", choices)
        for k in range(7)
        for what, choices in (("expand", (2, 3, 4, 6)), ("kernel", (3, 5, 7)), ("depth", (1, 2, 3, 4)))
    ]
    conv, mlp = {"kind": "cnn"}, {"kind": "mlp"}
    recipe = (
        Gene("kind", ("cnn", "mlp")),
        Gene("blocks", (1, 2, 3, 4, 5, 6), when=conv),
        Gene("channels", (8, 16, 32, 64), when=conv),
        Gene("kernel", (3, 5, 7), when=conv),
        Gene("residual", (False, True), when={"blocks": (4, 5, 6)}),
        Gene("layers", (1, 2, 3, 4, 5), when=mlp),
        Gene("units", (32, 64, 128, 256, 512), when=mlp),
        Gene("optimizer", ("sgd", "adam", "rmsprop")),
        Gene("momentum", (0.0, 0.5, 0.9, 0.99), when={"optimizer": "sgd"}),
        Gene("rate", (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
        Gene("batch", (16, 32, 64, 128, 256)),
        Gene("dropout", (0.0, 0.1, 0.2, 0.3, 0.5)),
        Gene("decay", (1e-6, 1e-5, 1e-4, 1e-3)),
        Gene("augment", ("none", "flip", "mix")),
        Gene("schedule", ("constant", "cosine", "step")),
        Gene("activation", ("relu", "gelu", "tanh")),
    )
    islands = (Gene("op", ("a", "b", "c", "d")), *(Gene(f"g{k}", (0, 1, 2, 3, 4, 5)) for k in range(8)))
    memory = (
        Gene("layers", (1, 2, 3, 4, 6, 8, 12)),
        Gene("width", (32, 64, 96, 128, 192, 256)),
        Gene("heads", (1, 2, 4, 8)),
        Gene("ratio", (1, 2, 4)),
        Gene("context", (16, 32, 64, 128)),
        Gene("norm", ("pre", "post")),
        Gene("tied", (False, True)),
    )
    rough = (
        *(Gene(f"op{k}", ("skip", "conv3", "conv5", "pool", "attention")) for k in range(6)),
        Gene("channels", (16, 24, 32, 48, 64)),
        Gene("cells", (1, 2, 3, 4, 5, 6)),
    )
    found = (
        MadeUp("mobile", (*stages, Gene("width", (0.5, 0.75, 1.0, 1.25))), _mobile, 0.01),
        MadeUp("recipe", recipe, _recipe, 0.02),
        MadeUp("islands", islands, _islands, 0.03),
        MadeUp("memory", memory, _memory, 0.05, _too_large),
        MadeUp("rough", rough, _rough, 0.10),
    )
    return {item.name: item for item in found}


SPACES = _spaces()


# ----------------------------------------------------------------------------- runs
def run(name: str, method: str, seed: int, budget: int = max(LEVELS)) -> dict[str, Any]:
    """One run: noise-free hypervolume at each level, of everything evaluated and of the front shown."""
    logging.disable(logging.WARNING)
    made_up = SPACES[name]
    start, clock = time.perf_counter(), time.process_time()
    X = _asked(made_up, method, seed, budget)
    seconds, cpu = time.perf_counter() - start, time.process_time() - clock
    true, seen = made_up.true(X), made_up.measured(X, seed)
    line: dict[str, Any] = {"space": name, "method": method, "seed": seed, "evaluations": len(X)}
    for level in [level for level in LEVELS if level <= budget]:
        done = np.isfinite(true[:level]).all(axis=1)
        shown = [row for row in np.flatnonzero(done) if not _dominated(seen[:level][done], seen[row])]
        line[f"hv_{level}"] = hypervolume(true[:level][done], reference=made_up.front)
        line[f"shown_{level}"] = hypervolume(true[shown], reference=made_up.front)
        line[f"failed_{level}"] = int((~done).sum())
    return {**line, "seconds": round(seconds, 1), "cpu": round(cpu, 1)}


def _dominated(points: FloatArray, point: FloatArray) -> bool:
    return bool(((points <= point).all(axis=1) & (points < point).any(axis=1)).any())


def _asked(made_up: MadeUp, method: str, seed: int, budget: int) -> IntArray:
    """What a method evaluates, in order, each architecture once."""
    space = made_up.space
    if method == "random":
        return space.sample(budget, seed)
    problem = ArchitectureProblem(space, source=partial(made_up.measured, seed=seed))
    if method == "optuna-tpe":
        return _tpe(problem, seed, budget)
    algorithm: Algorithm = RAPID() if method == "rapid" else NSGA2(pop_size=20, **genotype_operators(problem))
    minimize(problem, algorithm, ("n_eval", budget), seed=seed, evaluator=BillingEvaluator())
    return np.asarray(problem.store.X[:budget])


def _tpe(problem: ArchitectureProblem, seed: int, budget: int) -> IntArray:
    """Optuna's sampler; what it repeats is served again and not billed, what fails is told as far worse than all.

    Where a space has few good architectures it comes to repeat itself almost only, and each further trial makes the
    next one slower: it ends after :data:`PATIENCE` times the budget.
    """
    from rapid_moo.comparison.methods.optuna_tpe import OptunaTPE

    method, asked = OptunaTPE(problem, budget, seed), 0
    while problem.n_evaluations < budget and asked < PATIENCE * budget:
        X = method.ask()
        F = np.asarray(problem.evaluate(X, return_values_of=["F"]))
        method.tell(X, np.where(np.isfinite(F), F, 1e6))
        asked += 1
    return np.asarray(problem.store.X[:budget])


def write_report() -> None:
    """``report.md`` from all runs."""
    runs = pd.read_json(OUT / "runs.jsonl", lines=True)
    rows = []
    for (space, method), group in runs.groupby(["space", "method"], sort=False):
        line = {"space": space, "method": method, "seeds": len(group)}
        for level in LEVELS:
            values = group[f"hv_{level}"]
            line[f"{level}"] = f"{values.median():.4f} ({values.min():.4f})"
        last = max(LEVELS)
        line |= {"shown": f"{group[f'shown_{last}'].median():.4f}", "failed": f"{group[f'failed_{last}'].median():.0f}"}
        rows.append({**line, "CPU ms each": f"{1000 * (group.cpu / group.evaluations).median():.0f}"})
    table = pd.DataFrame(rows).sort_values(["space", "method"], kind="stable")
    sizes = ", ".join(f"{m.name} {m.space.size:.2g} (noise {m.noise:.0%})" for m in SPACES.values())
    parts = [
        title("Spaces of one's own kind"),
        setting("python benchmarks/made_up.py run", f"{runs.seed.min()} to {runs.seed.max()}", runs),
        f"Spaces: {sizes}. Noise-free hypervolume of everything evaluated, as a share of that of the true front,"
        f" or of the best known where the space cannot be listed ({REFERENCE_SEARCHES} searches of noise-free values by"
        f" NSGA-II, {REFERENCE_GENERATIONS} generations of 200):"
        " median over the seeds, and the worst of them. *shown*: that of the front of measured values at the end;"
        " *failed*: failed evaluations at the end. NSGA-II has a population of 20 and operators that never repeat.",
        of_frame(table),
    ]
    (OUT / "report.md").write_text(page(*parts), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0-4", help="first and last, such as 0-4")
    parser.add_argument("--out", type=Path, default=OUT / "runs.jsonl")
    args = parser.parse_args()
    if args.command == "report":
        write_report()
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = args.out.read_text(encoding="utf-8").splitlines() if args.out.exists() else []
    done = {(item["space"], item["method"], item["seed"]) for item in map(json.loads, lines)}
    for seed in seeds_of(args.seeds):
        for name in args.spaces.split(","):
            for method in args.methods.split(","):
                if (name, method, seed) not in done:
                    result = run(name, method, seed)
                    with args.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({**result, **provenance()}) + "\n")
                    print(f"{name} {method} {seed}: {result[f'hv_{max(LEVELS)}']:.4f} in {result['cpu']} s", flush=True)


if __name__ == "__main__":
    main()
