"""How often the audit names what is odd about made-up tables, and how often it names something about clean ones.

    python benchmarks/audit_findings.py run [--seeds 0-19] [--kinds failure_code,clean_sorted]
    python benchmarks/audit_findings.py report

``run`` makes a table per kind and seed, audits it, and appends what was found to ``runs.jsonl``; what is there already
is not run again. ``report`` writes ``report.md``. Thresholds were set on the seeds 1000 and above; the report's are
those of the seeds 0 to 19.

A table of a seed has 60 to 10,000 rows in random order, five to seven genes of two to five choices, a skewed latency
with multiplicative noise and an accuracy that saturates. An odd table has one thing done to it, which its kind names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo import Objective
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.audit import odd_things
from rapid_moo.reading import RawTable

OUT = Path(__file__).parent / "results" / "audit_findings"
OBJECTIVES = (Objective("accuracy", "max"), Objective("latency", "min"))
SIZES = (60, 120, 250, 500, 1500, 5000, 10_000)


class Made:
    """A clean table that can be spoilt.

    Attributes
    ----------
    rng : numpy.random.Generator
        Of the seed and the kind.
    X : ndarray of shape (n, n_genes)
        Published vectors.
    latency, accuracy : ndarray of shape (n,)
        Raw values.
    """

    def __init__(self, seed: int, n: int | None = None) -> None:
        self.rng = rng = np.random.default_rng([seed, 77])
        self.n = n or SIZES[seed % len(SIZES)]
        self.sizes = rng.integers(2, 6, int(rng.integers(5, 8)))
        self.X: IntArray = np.column_stack([rng.integers(0, k, self.n) for k in self.sizes]).astype(np.int64)
        self.noise = float(rng.uniform(0.01, 0.08))
        self.measure()

    def measure(self) -> None:
        """Values of the rows as they are now."""
        rng, X = self.rng, self.X
        weight = rng.uniform(0.2, 1.0, X.shape[1]) * rng.choice([-1.0, 1.0], X.shape[1])
        work = (X / np.maximum(self.sizes - 1, 1)) @ rng.uniform(0.2, 1.0, X.shape[1])
        work += 0.5 * X[:, 0] * X[:, 1] / max(1, (self.sizes[0] - 1) * (self.sizes[1] - 1))
        self.latency: FloatArray = float(rng.uniform(0.5, 50.0)) * np.exp(work + self.noise * rng.normal(size=len(X)))
        skill = (X / np.maximum(self.sizes - 1, 1)) @ weight
        skill = (skill - skill.mean()) / skill.std() + 0.2 * rng.normal(size=len(X))
        self.accuracy: FloatArray = np.round(70.0 + 25.0 * np.tanh(0.5 * skill), 2)

    def some(self, share: float, least: int = 3) -> IntArray:
        """Random rows."""
        return self.rng.choice(len(self.X), max(least, round(share * len(self.X))), replace=False)

    def table(self, **more: FloatArray) -> RawTable:
        """The table as if read from a file."""
        columns = {"accuracy": self.accuracy, "latency": self.latency, **more}
        frame = pd.DataFrame({name: [repr(float(v)) for v in values] for name, values in columns.items()})
        return RawTable(Path("made.csv"), self.X, frame)


# ------------------------------------------------------------------------ odd
def failure_code(seed: int) -> RawTable:
    """2 to 20 % of the latencies are a code, or of the accuracies 0."""
    made = Made(seed)
    rows = made.some(float(made.rng.uniform(0.02, 0.2)))
    beyond = 10.0 ** np.ceil(np.log10(3.0 * made.latency.max()))
    code = (-1.0, 0.0, max(beyond, 1e3) - 1.0, max(beyond, 1e6), -999.0)[seed % 5]
    if code == 0.0 and seed % 2:
        made.accuracy[rows] = 0.0
    else:
        made.latency[rows] = code
    return made.table()


def warm_up(seed: int) -> RawTable:
    """The first 3 to 15 % of the latencies are 1.5 to 3 times too high, or decay from there."""
    made = Made(seed)
    length, times = max(8, round(float(made.rng.uniform(0.03, 0.15)) * made.n)), float(made.rng.uniform(1.5, 3.0))
    decay = np.exp(-np.arange(length) / length) if seed % 2 else np.ones(length)
    made.latency[:length] *= 1.0 + (times - 1.0) * decay
    return made.table()


def outlier_block(seed: int) -> RawTable:
    """A stretch of 3 to 15 % of the latencies, not at the beginning, is 1.5 to 4 times too high."""
    made = Made(seed)
    length = max(8, round(float(made.rng.uniform(0.03, 0.15)) * made.n))
    start = int(made.rng.integers(made.n // 5, made.n - length))
    made.latency[start : start + length] *= float(made.rng.uniform(1.5, 4.0))
    return made.table()


def spikes(seed: int) -> RawTable:
    """Up to 1 % of the latencies are 5 to 20 times too high."""
    made = Made(seed)
    rows = made.some(float(made.rng.uniform(0.002, 0.01)), 1)
    made.latency[rows] *= made.rng.uniform(5.0, 20.0, len(rows))
    return made.table()


def alternation(seed: int) -> RawTable:
    """Every second latency is 1.3 to 2 times too high."""
    made = Made(seed)
    made.latency[seed % 2 :: 2] *= float(made.rng.uniform(1.3, 2.0))
    return made.table()


def few_dominate(seed: int) -> RawTable:
    """0.5 to 1.5 % of the accuracies (here a score without bounds) are wild, to both sides."""
    made = Made(seed)
    rows = made.some(float(made.rng.uniform(0.005, 0.015)), 1)
    made.accuracy[rows] += made.rng.choice([-1.0, 1.0], len(rows)) * made.rng.uniform(500.0, 5000.0, len(rows))
    return made.table()


def identifier(seed: int) -> RawTable:
    """A position numbers the rows, in order, shuffled, or with large random numbers."""
    made = Made(seed)
    number = (np.arange(made.n), made.rng.permutation(made.n), made.rng.choice(10**9, made.n, replace=False))[seed % 3]
    made.X = np.column_stack([made.X, number])
    return made.table()


def lossy_coding(seed: int) -> RawTable:
    """A gene that matters is missing from the vectors."""
    made = Made(seed, max(250, SIZES[seed % len(SIZES)]))
    made.X = np.column_stack([made.X[:, :4] % 3, np.arange(made.n) % int(made.rng.integers(2, 4))])
    made.sizes = np.array([3, 3, 3, 3, made.X[:, 4].max() + 1])
    made.rng.shuffle(made.X)
    made.measure()
    made.latency *= np.exp(float(made.rng.uniform(0.3, 1.0)) * made.X[:, 4])
    made.X = made.X[:, :4]
    return made.table()


def duplicate(seed: int) -> RawTable:
    """A position says in other numbers what another says, or an objective is another in another unit."""
    made = Made(seed)
    if seed % 2:
        made.X = np.column_stack([made.X, 7 - 2 * made.X[:, 1]])
    else:
        made.accuracy = made.latency * 1e3
    return made.table()


def function(seed: int) -> RawTable:
    """An objective is a function of another."""
    made = Made(seed)
    made.accuracy = (1e3 / made.latency, np.log(made.latency), np.sqrt(made.latency) + made.latency)[seed % 3]
    return made.table()


def mixed_units(seed: int) -> RawTable:
    """2 to 30 % of the latencies are in another unit, or of the accuracies fractions; scattered or in a stretch."""
    made = Made(seed)
    rows = made.some(float(made.rng.uniform(0.02, 0.3)), 4)
    if seed % 4 == 3:
        rows = np.arange(made.n // 3, made.n // 3 + len(rows))
    if seed % 5 == 4:
        made.accuracy[rows] /= 100.0
    else:
        made.latency[rows] *= (1e3, 1e-3, 1e6, 1024.0)[seed % 4]
    return made.table()


# ---------------------------------------------------------------------- clean
def clean(seed: int) -> RawTable:
    """Nothing odd."""
    return Made(seed).table()


def clean_skewed(seed: int) -> RawTable:
    """Latencies over three to five decades with log-normal noise of 30 %."""
    made = Made(seed)
    made.latency = (made.latency / np.median(made.latency)) ** 3 * np.exp(0.3 * made.rng.normal(size=made.n))
    return made.table()


def clean_noise(seed: int) -> RawTable:
    """Heavy-tailed latencies, log-normal noise of 100 %: most of it is no architecture's."""
    made = Made(seed)
    made.latency = made.latency * np.exp(1.0 * made.rng.normal(size=made.n))
    return made.table()


def clean_integers(seed: int) -> RawTable:
    """Parameters as integers with ties, and small counts."""
    made = Made(seed)
    made.latency = (made.X @ made.rng.integers(1, 4, made.X.shape[1])).astype(np.float64)
    made.accuracy = made.rng.poisson(np.exp(0.3 * made.X[:, 0])).astype(np.float64)
    if seed % 2:
        made.latency = np.prod(2.0 ** np.minimum(made.X, 3), axis=1) * 1000.0 + 10.0 * made.X[:, 0]
    return made.table()


def clean_sorted(seed: int) -> RawTable:
    """Rows sorted by one gene, or by all of them."""
    made = Made(seed)
    order = np.lexsort(made.X.T[::-1]) if seed % 2 else np.argsort(made.X[:, 0], kind="stable")
    made.X, made.latency, made.accuracy = made.X[order], made.latency[order], made.accuracy[order]
    return made.table()


def clean_grid(seed: int) -> RawTable:
    """A full grid in its order, with interactions that are hard to learn."""
    made = Made(seed)
    shape = ((3,) * 5, (2,) * 8, (4, 3, 3, 2, 2), (5, 5, 4, 4), (3,) * 6)[seed % 5]
    made.X = np.indices(shape).reshape(len(shape), -1).T
    made.n, made.sizes = len(made.X), np.array(shape)
    made.measure()
    made.accuracy += 3.0 * made.rng.normal(size=shape[:3])[tuple(made.X[:, :3].T)]
    made.accuracy += 3.0 * made.rng.normal(size=shape[-3:])[tuple(made.X[:, -3:].T)]
    return made.table()


def clean_uneven(seed: int) -> RawTable:
    """Noise that grows tenfold with a gene; on odd seeds in rows sorted by it."""
    made = Made(seed)
    size = 10.0 ** (made.X[:, 0] / max(1, made.sizes[0] - 1))
    made.latency = made.latency * np.exp(0.02 * size * made.rng.normal(size=made.n))
    made.accuracy = made.accuracy + 0.2 * size * made.rng.normal(size=made.n)
    if seed % 2:
        order = np.argsort(made.X[:, 0], kind="stable")
        made.X, made.latency, made.accuracy = made.X[order], made.latency[order], made.accuracy[order]
    return made.table()


def clean_pile(seed: int) -> RawTable:
    """Networks that learnt nothing have an accuracy of 10 %, by their genes or at random; others have 60 to 95 %."""
    made = Made(seed)
    bad = (made.X[:, 0] == 0) & (made.X[:, 1] == 0) if seed % 2 else made.rng.random(made.n) < 0.06
    made.accuracy[bad] = 10.0 if seed % 4 < 2 else np.round(10.0 + 0.3 * np.abs(made.rng.normal(size=bad.sum())), 2)
    return made.table()


def clean_repeats(seed: int) -> RawTable:
    """Half of the architectures are measured again, with noise of 10 to 60 % of the spread."""
    made = Made(seed)
    made.X[made.n // 2 : 2 * (made.n // 2)] = made.X[: made.n // 2]
    made.X = made.X[made.rng.permutation(made.n)]
    made.measure()
    share = float(made.rng.uniform(0.1, 0.6))
    made.latency = made.latency * np.exp(share * np.log(made.latency).std() * made.rng.normal(size=made.n))
    made.accuracy = made.accuracy + share * made.accuracy.std() * made.rng.standard_t(4, made.n)
    return made.table()


def clean_related(seed: int) -> RawTable:
    """Two objectives that go together closely, with noise of 2 %; and a gene of many choices."""
    made = Made(seed)
    made.accuracy = made.latency * np.exp(0.02 * made.rng.normal(size=made.n))
    made.X = np.column_stack([made.X, made.rng.integers(0, 40, made.n)])
    return made.table()


ODD: dict[str, Callable[[int], RawTable]] = {
    each.__name__: each
    for each in (
        failure_code,
        warm_up,
        outlier_block,
        spikes,
        alternation,
        few_dominate,
        identifier,
        lossy_coding,
        duplicate,
        function,
        mixed_units,
    )
}
CLEAN: dict[str, Callable[[int], RawTable]] = {
    each.__name__: each
    for each in (
        clean,
        clean_skewed,
        clean_noise,
        clean_integers,
        clean_sorted,
        clean_grid,
        clean_uneven,
        clean_pile,
        clean_repeats,
        clean_related,
    )
}


def found(kind: str, seed: int) -> list[str]:
    """Kinds of what the audit finds in a table."""
    return [finding.kind for finding in odd_things(_make(kind, seed), None, OBJECTIVES)]


def right(kind: str, kinds: list[str]) -> bool:
    """Whether an odd table's kind is found, or nothing in a clean one."""
    return kind in kinds if kind in ODD else not kinds


def _make(kind: str, seed: int) -> RawTable:
    return (ODD | CLEAN)[kind](seed)


def keys(kinds: list[str], seeds: range) -> Iterator[tuple[str, int]]:
    """What there is to run."""
    for seed in seeds:
        for kind in kinds:
            yield kind, seed


def report(runs: list[dict[str, Any]]) -> str:
    """The rates as a page."""
    from _report import of_frame, page, setting, title  # beside this file; a test loads this one alone

    frame = pd.DataFrame(runs)
    rows = []
    for kind in (*ODD, *CLEAN):
        these = frame[frame["kind"] == kind]
        if these.empty:
            continue
        hits = sum(right(kind, kinds) for kinds in these["found"])
        others = pd.Series([k for kinds in these["found"] for k in set(kinds) if k != kind]).value_counts()
        rows.append(
            {
                "table": kind,
                "what": " ".join(((ODD | CLEAN)[kind].__doc__ or "").split()),
                "right": f"{hits} of {len(these)}",
                "found beside": ", ".join(f"{k} {c}" for k, c in others.items()) or "nothing",
            }
        )
    return page(
        title("What the audit finds"),
        f"{len(frame):,} tables. An odd table is right if its kind is among the findings, a clean one if nothing is"
        " found.",
        of_frame(pd.DataFrame(rows)),
        setting("python benchmarks/audit_findings.py run", f"{frame['seed'].min()} to {frame['seed'].max()}"),
    )


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--seeds", default="0-19")
    parser.add_argument("--kinds", default=",".join((*ODD, *CLEAN)))
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    path = options.out / "runs.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    if options.command == "report":
        (options.out / "report.md").write_text(report(runs))
        return
    done = {(run["kind"], run["seed"]) for run in runs}
    first, _, last = options.seeds.partition("-")
    for kind, seed in keys(options.kinds.split(","), range(int(first), int(last or first) + 1)):
        if (kind, seed) not in done:
            kinds = found(kind, seed)
            with path.open("a") as file:
                file.write(json.dumps({"kind": kind, "seed": seed, "found": kinds}) + "\n")
            if not right(kind, kinds):
                print(f"{kind} {seed}: {kinds}", flush=True)


if __name__ == "__main__":
    main()
