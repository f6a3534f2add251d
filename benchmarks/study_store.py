"""What the memory of a study costs, by how much it knows.

    python benchmarks/study_store.py [--rows 1000,10000,100000]

All times are of the processor, so that others on the machine do not count; waiting for the disk is not among them.

For both homes of a store (memory, one SQLite file): milliseconds of an evaluation's changes (ask, start, tell), of
taking in another process's evaluation, of showing the tables and a status, seconds to open, and the file's size. For a
study: milliseconds that the engine takes for an evaluation which waits already. Writes ``report.md``.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import of_frame, page, setting, title

from rapid_moo import Gene, GridSpace, Objective, Study
from rapid_moo._util import FloatArray, IntArray
from rapid_moo.store import Store
from rapid_moo.study.journal import SQLiteStore

OUT = Path(__file__).parent / "results" / "study_store"
SPACE = GridSpace("wide", [Gene(f"g{k}", tuple(range(10))) for k in range(8)])
GOALS = (Objective("error", "min"), Objective("latency", "min"))
NAMES = [objective.name for objective in GOALS]
MORE = 60


def measure(architecture: dict[str, Any]) -> dict[str, float]:
    """A cheap measure; a few dozen architectures are on its front."""
    error, latency = values(np.array([[*architecture.values()]]))[0]
    return {"error": float(error), "latency": float(latency)}


def values(X: IntArray) -> FloatArray:
    """Objectives of architectures, shape (n, 2)."""
    useful, waste = X[:, :4].sum(axis=1), X[:, 4:].sum(axis=1)
    return np.column_stack([100.0 - useful + 0.1 * X[:, 7], useful + 0.5 * waste])


def rows(n: int, seed: int = 0) -> tuple[IntArray, FloatArray]:
    """Distinct architectures and their values."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.unique(rng.integers(10**8, size=2 * (n + 4 * MORE))))[: n + 4 * MORE]
    X = (codes[:, None] // 10 ** np.arange(8)) % 10
    return X, values(X)


def timed(action: Any, times: int = 1) -> float:
    """Median milliseconds of an action."""
    spans = []
    for _ in range(times):
        start = time.process_time()
        action()
        spans.append(1000.0 * (time.process_time() - start))
    return float(np.median(spans))


def evaluate(store: Store, X: IntArray) -> Any:
    """An action that asks for, begins and tells the next architecture."""
    following = itertools.count()

    def once() -> None:
        (row,) = store.ask(X[next(following)][None])
        store.start(int(row))
        store.tell(int(row), {"error": 1.0, "latency": 2.0})

    return once


def cell(n: int, home: str, folder: Path) -> dict[str, Any]:
    """Costs of one home with so many rows."""
    X, raw = rows(n)
    path = folder / f"{home}-{n}.sqlite"
    store = Store(SPACE, NAMES) if home == "memory" else SQLiteStore(path, SPACE, NAMES)
    filling = timed(lambda: store.add(X[:n], raw[:n])) / 1000.0
    result = {"home": home, "rows": n, "fill [s]": round(filling, 2)}
    result["ask+start+tell [ms]"] = round(timed(evaluate(store, X[n:]), MORE), 2)
    if isinstance(store, SQLiteStore):
        opened: list[SQLiteStore] = []
        result["open [s]"] = round(timed(lambda: opened.append(SQLiteStore(path, SPACE, NAMES))) / 1000.0, 2)
        other, more = opened[0], evaluate(store, X[n + MORE :])
        more()
        result["refresh [ms]"] = round(timed(other.refresh), 2)
        store.close()
        other.close()
        result["file [MB]"] = round(path.stat().st_size / 1e6, 2)
    return result


def study_cell(n: int, folder: Path) -> dict[str, Any]:
    """Costs of a study with so many rows whose next evaluations wait already."""
    X, raw = rows(n)
    study = Study(folder / f"study-{n}", SPACE, measure, objectives=GOALS)
    study.store.add(X[:n], raw[:n])
    study.store.ask(X[n : n + MORE])
    study._publish_expected = lambda: None  # type: ignore[method-assign]  # the predictors' share
    first = timed(lambda: study._tables.publish(now=True)) / 1000.0
    start = time.process_time()
    study.run(MORE)
    alone = 1000.0 * (time.process_time() - start) / MORE
    study.store.ask(X[n + MORE : n + 2 * MORE])
    start = time.process_time()
    study.run(2 * MORE, progress=lambda status: None)
    shown = 1000.0 * (time.process_time() - start) / MORE
    return {
        "rows": n,
        "first table [s]": round(first, 2),
        "engine [ms]": round(alone, 2),
        "with progress [ms]": round(shown, 2),
        "status [ms]": round(timed(study.status, 5), 2),
        "tables at once [ms]": round(timed(lambda: study._tables.publish(now=True), 3), 1),
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000,10000,100000")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    sizes = [int(part) for part in options.rows.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        homes = pd.DataFrame([cell(n, home, folder) for home in ("memory", "file") for n in sizes])
        homes = homes.astype(object).fillna("")
        studies = pd.DataFrame([study_cell(n, folder) for n in sizes]).astype(object)
    command = f"python benchmarks/study_store.py --rows {options.rows}"
    text = page(
        title("What the memory of a study costs"),
        of_frame(homes),
        "A study whose next evaluations wait already, measured by a function that takes no time;"
        " a table that takes over 10 ms is written at every twentieth of that time at most, and at rest.",
        of_frame(studies),
        setting(command, "0"),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
