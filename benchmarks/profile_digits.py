"""Train and measure every architecture of the ``digits`` space: the project's own table.

``python benchmarks/profile_digits.py`` does all three phases and can be stopped and started again at any time: every
finished architecture is appended to a journal, and what is there is not done again.

* ``train``: five stratified folds times three repeats, the same folds for all; accuracy is the mean.
* ``latency``: ONNX Runtime, one thread, batch 1; several passes over all architectures in shuffled order, in each the
  median of many runs. A pass is corrected for the machine's speed by a reference network timed next to each
  measurement. The median over the passes is the latency.
* ``table``: writes the CSV file.

``python benchmarks/profile_digits.py curves`` trains all of them again with the accuracy after each epoch. That changes
no result. It writes ``digits_curves.csv.gz``: a row per architecture, a column per epoch. That is refused where the
last epoch is not the table's accuracy to 0.0001: another processor or BLAS rounds differently, which training
amplifies. The table was made with the kernels that OpenBLAS calls ``SkylakeX`` (see ``OPENBLAS_CORETYPE``).

``python benchmarks/profile_digits.py --device batch64`` measures the second device: the same networks get 64 images at
once. Accuracy and memory are those of the first one's table, so nothing is trained. ``noise`` prints how far two halves
of the passes agree.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from scipy.stats import spearmanr

from rapid_moo._provenance import provenance
from rapid_moo._util import atomic_path
from rapid_moo.errors import InputError
from rapid_moo.problems.digits import ACTIVATIONS, INPUTS, Digits, memory_kib
from rapid_moo.problems.digits_live import deployed, hidden_sizes
from rapid_moo.problems.digits_training import EPOCHS, FOLDS, REPEATS, folds, projected, stable_seed, train
from rapid_moo.profiling import runner


@dataclass(frozen=True)
class Device:
    """How the networks are run: images at once, and passes over all of them."""

    batch: int
    passes: int


FIRST = "batch1"
DEVICES = {FIRST: Device(batch=1, passes=7), "batch64": Device(batch=64, passes=10)}
DATA = Path("data")
RUNS = 400
WARM_UP = 40
TOLERANCE = 1e-4
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


def train_curves(space: Digits, genotypes: np.ndarray, journal: Path) -> None:
    """Train what the journal does not hold yet, with the accuracy after each epoch: no further result of ``train``."""
    done = {tuple(record["vector"]) for record in read_journal(journal)}
    data = folds() * REPEATS
    inputs = {kind: projected(kind, data[:FOLDS]) * REPEATS for kind in INPUTS}
    vectors = space.decode(genotypes).tolist()
    # In shuffled order, so that what is there after a kill is a sample of the space.
    order = np.random.default_rng(0).permutation(len(genotypes))
    todo = [(genotypes[i], vectors[i]) for i in order if tuple(vectors[i]) not in done]
    with journal.open("a") as out:
        for x, vector in progress(todo, "curves"):
            curve: list[float] = []

            def keep(epoch: int, scores: list[float], curve: list[float] = curve) -> bool:
                curve.append(round(float(np.mean(scores)), 4))
                return False

            train(inputs[INPUTS[x[0]]], data, hidden_sizes(x), ACTIVATIONS[x[1]], stable_seed(vector), keep)
            out.write(json.dumps({"vector": vector, "curve": curve}) + "\n")
            out.flush()


def curves_table(genotypes: np.ndarray, space: Digits, journal: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One row per architecture, and the accuracy [%] after each epoch to 0.01.

    Raises
    ------
    InputError
        If one is missing, or does not end at the accuracy of the table.
    """
    curves = {tuple(record["vector"]): record["curve"] for record in read_journal(journal)}
    vectors = [tuple(vector) for vector in space.decode(genotypes).tolist()]
    if missing := sum(vector not in curves for vector in vectors):
        raise InputError(f"{journal}: expected {len(vectors)} curves, {missing} are missing: go on with it")
    found = np.array([curves[vector] for vector in vectors])
    known = dict(zip(map(tuple, map(json.loads, table["vector"])), table["accuracy"], strict=True))
    apart = np.abs(found[:, -1] - [known[vector] for vector in vectors])
    if apart.max() > TOLERANCE:
        row = int(apart.argmax())
        raise InputError(
            f"{journal}: {(apart > TOLERANCE).sum()} curves do not end at the table's accuracy; {list(vectors[row])}:"
            f" expected {known[vectors[row]]}, got {found[row, -1]}"
        )
    columns = [f"epoch{epoch}" for epoch in range(1, EPOCHS + 1)]
    frame = pd.DataFrame(found.round(2), columns=columns)
    frame.insert(0, "vector", [str(list(vector)) for vector in vectors])
    return frame


def median_us(run: Callable[[], None], runs: int) -> float:
    """Median time of one run in microseconds."""
    times = np.empty(runs)
    clock = time.perf_counter_ns
    for i in range(runs):
        start = clock()
        run()
        times[i] = clock() - start
    return float(np.median(times)) / 1e3


def measure_all(space: Digits, genotypes: np.ndarray, device: Device, journal: Path) -> None:
    """Measure the passes that the journal does not hold yet."""
    done = {(tuple(record["vector"]), record["pass"]) for record in read_journal(journal)}
    vectors = space.decode(genotypes).tolist()
    batch = device.batch
    reference = runner(deployed(space.encode([REFERENCE])[0], 0, batch), batch=batch)
    todo = []
    for number in range(device.passes):
        order = np.random.default_rng(number).permutation(len(genotypes))
        todo += [(i, number) for i in order if (tuple(vectors[i]), number) not in done]
    with journal.open("a") as out:
        for i, number in progress(todo, "latency"):
            run = runner(deployed(genotypes[i], number, batch), batch=batch)
            median_us(run, WARM_UP)
            before = median_us(reference, RUNS // 4)
            latency = median_us(run, RUNS)
            after = median_us(reference, RUNS // 4)
            record = {"vector": vectors[i], "pass": number, "us": latency, "reference_us": [before, after]}
            out.write(json.dumps(record) + "\n")
            out.flush()


def read_passes(journal: Path) -> pd.DataFrame:
    """Latency [us] by architecture (rows, by vector) and pass (columns), corrected for the machine's speed."""
    passes = pd.DataFrame(read_journal(journal))
    reference = np.array(passes["reference_us"].tolist()).mean(axis=1)
    passes["scaled"] = passes["us"] * np.median(reference) / reference
    passes["key"] = [tuple(v) for v in passes["vector"]]
    return passes.pivot_table(index="key", columns="pass", values="scaled")


def build_table(space: Digits, genotypes: np.ndarray, train: Path, latency: Path) -> pd.DataFrame:
    """One row per architecture from both journals."""
    scores = {tuple(r["vector"]): r["scores"] for r in read_journal(train)}
    rows = []
    for x, vector in zip(genotypes, space.decode(genotypes).tolist(), strict=True):
        repeats = np.array(scores[tuple(vector)]).reshape(REPEATS, FOLDS).mean(axis=1)
        rows.append(
            {
                "vector": str(vector),
                "accuracy": round(float(repeats.mean()), 4),
                "latency": np.nan,
                "memory": round(float(memory_kib(x[None, :])[0]), 6),
                "accuracy_se": round(float(repeats.std(ddof=1) / np.sqrt(REPEATS)), 4),
                "latency_se": np.nan,
            }
        )
    return with_latency(pd.DataFrame(rows), read_passes(latency))


def with_latency(table: pd.DataFrame, passes: pd.DataFrame) -> pd.DataFrame:
    """The table with the median over the passes as latency, and its standard error."""
    keys = [tuple(json.loads(vector)) for vector in table["vector"]]
    measured = passes.loc[keys]
    spread = measured.std(axis=1) / np.sqrt(measured.count(axis=1))
    return table.assign(latency=measured.median(axis=1).round(4).tolist(), latency_se=spread.round(4).tolist())


def show_noise(passes: pd.DataFrame, first: pd.Series[float]) -> None:
    """Print how far two halves of the passes agree, and how far the order is that of the first device."""
    even, odd = passes.iloc[:, ::2].median(axis=1), passes.iloc[:, 1::2].median(axis=1)
    median = passes.median(axis=1)
    error = passes.std(axis=1) / np.sqrt(passes.count(axis=1)) / median
    print(
        f"architectures: {len(passes)}, passes: {passes.shape[1]}, latency {median.min():.2f} to {median.max():.2f} us"
    )
    print(f"two halves of the passes: Spearman {spearmanr(even, odd)[0]:.4f}")
    print(f"two halves of the passes: median relative difference {(even / odd - 1.0).abs().median():.2%}")
    print(f"median relative standard error: {error.median():.2%}")
    print(f"Spearman with the first device: {spearmanr(median, first.loc[passes.index])[0]:.4f}")


def latencies(table: Path) -> pd.Series[float]:
    """Latency by vector of a table."""
    frame = pd.read_csv(table)
    return pd.Series(frame["latency"].to_numpy(), index=[tuple(json.loads(vector)) for vector in frame["vector"]])


def main() -> None:
    """Run the phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "phase", nargs="?", choices=["all", "train", "curves", "latency", "table", "noise"], default="all"
    )
    parser.add_argument("--device", choices=[*DEVICES], default=FIRST, help=f"how networks are run (default {FIRST})")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/digits"), help="folder of the journals")
    parser.add_argument("--table", type=Path, help="the CSV file to write (default data/digits.csv, or of the device)")
    parser.add_argument("--limit", type=int, help="only so many architectures, for a trial")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    space, device, phase = Digits(), DEVICES[arguments.device], arguments.phase
    first = arguments.device == FIRST
    suffix = "" if first else f"-{arguments.device}"
    table = arguments.table or DATA / f"digits{suffix.replace('-', '_')}.csv"
    train, latency = arguments.out / "journal-train.jsonl", arguments.out / f"journal-latency{suffix}.jsonl"
    genotypes = space.enumerate()[: arguments.limit]
    try:
        if phase == "train" or (phase == "all" and first):
            train_all(space, genotypes, train)
        if phase == "curves":
            journal = arguments.out / "journal-curves.jsonl"
            train_curves(space, genotypes, journal)
            built = curves_table(genotypes, space, journal, pd.read_csv(DATA / "digits.csv"))
            curves = arguments.table or DATA / "digits_curves.csv.gz"
            with atomic_path(curves) as path:
                # Without time and name, so that the same curves make the same bytes.
                path.write_bytes(gzip.compress(built.to_csv(index=False, lineterminator="\n").encode(), mtime=0))
            print(f"{len(genotypes)} architectures: {curves}")
        if phase in ("all", "latency"):
            measure_all(space, genotypes, device, latency)
            print(f"{arguments.device}: onnxruntime {onnxruntime.__version__}, {provenance()}")
        if phase in ("all", "table"):
            with atomic_path(table) as path:
                if first:
                    built = build_table(space, genotypes, train, latency)
                else:
                    built = with_latency(pd.read_csv(DATA / "digits.csv")[: arguments.limit], read_passes(latency))
                built.to_csv(path, index=False)
            print(f"{len(genotypes)} architectures: {table}")
        if phase == "noise":
            show_noise(read_passes(latency), latencies(DATA / "digits.csv"))
    except KeyboardInterrupt:
        sys.exit(f"stopped; what was finished is in {arguments.out}, the same command goes on")


if __name__ == "__main__":
    main()
