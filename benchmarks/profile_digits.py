"""Train and measure every architecture of the ``digits`` space: the project's own table.

``python benchmarks/profile_digits.py`` does all three phases and can be stopped and started again at any time: every
finished architecture is appended to a journal, and what is there is not done again.

* ``train``: five stratified folds times three repeats, the same folds for all; accuracy is the mean.
* ``latency``: ONNX Runtime, one thread, batch 1; several passes over all architectures in shuffled order, in each the
  median of many runs. A pass is corrected for the machine's speed by a reference network timed next to each
  measurement. The median over the passes is the latency.
* ``table``: writes the CSV file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import atomic_path
from rapid_moo.problems.digits import ACTIVATIONS, INPUTS, Digits, memory_kib
from rapid_moo.problems.digits_live import deployed, hidden_sizes
from rapid_moo.problems.digits_training import FOLDS, REPEATS, folds, projected, stable_seed, train
from rapid_moo.profiling import runner

PASSES = 7
RUNS = 400
WARM_UP = 40
REFERENCE = [3, 0, 2, 64, 64, -1, -1]


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Finished records; a last line that was cut short by a kill is dropped."""
    records = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return records


def progress(items: list[Any], label: str) -> Iterator[Any]:
    """Iterate with rate and time to go on standard error."""
    start = time.monotonic()
    for i, item in enumerate(items, start=1):
        yield item
        if i % 50 == 0 or i == len(items):
            rate = i / (time.monotonic() - start)
            print(
                f"{label}: {i}/{len(items)}  {rate:.1f}/s  {(len(items) - i) / rate / 60:.1f} min to go",
                file=sys.stderr,
            )


def train_all(space: Digits, genotypes: np.ndarray, journal: Path) -> None:
    """Train what the journal does not hold yet."""
    done = {tuple(record["vector"]) for record in read_journal(journal)}
    data = folds() * REPEATS
    inputs = {kind: projected(kind, data[:FOLDS]) * REPEATS for kind in INPUTS}
    vectors = space.decode(genotypes).tolist()
    todo = [(x, v) for x, v in zip(genotypes, vectors, strict=True) if tuple(v) not in done]
    with journal.open("a") as out:
        for x, vector in progress(todo, "train"):
            start = time.process_time()
            scores = train(inputs[INPUTS[x[0]]], data, hidden_sizes(x), ACTIVATIONS[x[1]], stable_seed(vector))
            record = {"vector": vector, "scores": scores, "cpu": time.process_time() - start}
            out.write(json.dumps(record) + "\n")
            out.flush()


def median_us(run: Callable[[], None], runs: int) -> float:
    """Median time of one run in microseconds."""
    times = np.empty(runs)
    clock = time.perf_counter_ns
    for i in range(runs):
        start = clock()
        run()
        times[i] = clock() - start
    return float(np.median(times)) / 1e3


def measure_all(space: Digits, genotypes: np.ndarray, journal: Path) -> None:
    """Measure the passes that the journal does not hold yet."""
    done = {(tuple(record["vector"]), record["pass"]) for record in read_journal(journal)}
    vectors = space.decode(genotypes).tolist()
    reference = runner(deployed(space.encode([REFERENCE])[0], 0))
    todo = []
    for number in range(PASSES):
        order = np.random.default_rng(number).permutation(len(genotypes))
        todo += [(i, number) for i in order if (tuple(vectors[i]), number) not in done]
    with journal.open("a") as out:
        for i, number in progress(todo, "latency"):
            run = runner(deployed(genotypes[i], number))
            median_us(run, WARM_UP)
            before = median_us(reference, RUNS // 4)
            latency = median_us(run, RUNS)
            after = median_us(reference, RUNS // 4)
            record = {"vector": vectors[i], "pass": number, "us": latency, "reference_us": [before, after]}
            out.write(json.dumps(record) + "\n")
            out.flush()


def build_table(space: Digits, genotypes: np.ndarray, folder: Path) -> pd.DataFrame:
    """One row per architecture from both journals."""
    scores = {tuple(r["vector"]): r["scores"] for r in read_journal(folder / "journal-train.jsonl")}
    passes = pd.DataFrame(read_journal(folder / "journal-latency.jsonl"))
    reference = np.array(passes["reference_us"].tolist()).mean(axis=1)
    passes["scaled"] = passes["us"] * np.median(reference) / reference
    passes["key"] = [tuple(v) for v in passes["vector"]]
    grouped = passes.groupby("key")["scaled"]
    median, spread = grouped.median(), grouped.std() / np.sqrt(grouped.count())
    rows = []
    for x, vector in zip(genotypes, space.decode(genotypes).tolist(), strict=True):
        key = tuple(vector)
        repeats = np.array(scores[key]).reshape(REPEATS, FOLDS).mean(axis=1)
        rows.append(
            {
                "vector": str(vector),
                "accuracy": round(float(repeats.mean()), 4),
                "latency": round(float(median[key]), 4),
                "memory": round(float(memory_kib(x[None, :])[0]), 6),
                "accuracy_se": round(float(repeats.std(ddof=1) / np.sqrt(REPEATS)), 4),
                "latency_se": round(float(spread[key]), 4),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phase", nargs="?", choices=["all", "train", "latency", "table"], default="all")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/digits"), help="folder of the journals")
    parser.add_argument("--table", type=Path, default=Path("data/digits.csv"), help="the CSV file to write")
    parser.add_argument("--limit", type=int, help="only so many architectures, for a trial")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    space = Digits()
    genotypes = space.enumerate()[: arguments.limit]
    try:
        if arguments.phase in ("all", "train"):
            train_all(space, genotypes, arguments.out / "journal-train.jsonl")
        if arguments.phase in ("all", "latency"):
            measure_all(space, genotypes, arguments.out / "journal-latency.jsonl")
        if arguments.phase in ("all", "table"):
            with atomic_path(arguments.table) as path:
                build_table(space, genotypes, arguments.out).to_csv(path, index=False)
            print(f"{len(genotypes)} architectures: {arguments.table}")
    except KeyboardInterrupt:
        sys.exit(f"stopped; what was finished is in {arguments.out}, the same command goes on")


if __name__ == "__main__":
    main()
