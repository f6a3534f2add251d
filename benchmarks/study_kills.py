"""What a study loses, bills twice or runs twice when its processes are killed without mercy.

    python benchmarks/study_kills.py controller [--kills 200] [--evaluations 1000] [--workers 1,4] [--seed 0]
    python benchmarks/study_kills.py dask [--kills 100] [--evaluations 500] [--workers 4] [--seed 0]
    python benchmarks/study_kills.py report

``controller`` runs a study of cheap evaluations and kills its controller (SIGKILL) at random moments, a fifth of the
times while it starts. ``dask`` kills workers of a local Dask cluster and the controller in turn. The measure writes
each call into a file of its own, so that runs are counted independently of the store; what the store holds is read
after each kill from a copy of its file, by plain SQL. Both print a table; ``report`` writes ``report.md``.

Controllers are forked from a process that has imported everything, so that a start costs no second.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapid_moo.report.blocks import Table

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

OUT = Path(__file__).parent / "results" / "study_kills"
CALLS = "STUDY_KILLS_CALLS"
DELAY = "STUDY_KILLS_DELAY"
TIMES = ("seconds", "when")
EARLY = 0.2
"""Share of the kills that hit while the controller starts."""


# ------------------------------------------------------------------- the study
def measure(architecture: dict[str, Any]) -> dict[str, float]:
    """Two smooth objectives; notes down that it was called, and that it came to its end."""
    depth, width, kernel = architecture["depth"], architecture["width"], architecture.get("kernel", 2)
    _note("begin", architecture)
    time.sleep(float(os.environ.get(DELAY, "0")))
    error = 30 / depth**0.5 + 40 / width + 100 * abs(architecture["lr"] - 0.004) + 0.3 * (kernel - 4) ** 2
    _note("end", architecture)
    return {"error": error, "latency": depth * width * (1 + 0.1 * kernel) / 50}


def _note(what: str, architecture: dict[str, Any]) -> None:
    """One line by one write: lines of several processes do not mix."""
    line = json.dumps([what, time.time(), os.getpid(), architecture]) + "\n"
    descriptor = os.open(os.environ[CALLS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def make_study(folder: Path, seed: int, workers: Any) -> Any:
    """The study in a folder, begun or gone on with."""
    from rapid_moo import Gene, GridSpace, Objective, Study

    genes = [
        Gene("depth", tuple(range(1, 11))),
        Gene("width", (8, 16, 24, 32, 48, 64, 96)),
        Gene("op", ("conv", "mlp", "attention"), ordered=False),
        Gene("kernel", (3, 5, 7), when={"op": "conv"}),
        Gene("lr", (0.001, 0.002, 0.003, 0.006, 0.01, 0.03)),
    ]
    goals = [Objective("error", "min"), Objective("latency", "min")]
    return Study(folder, GridSpace("cheap", genes), measure, objectives=goals, seed=seed, workers=workers)


@dataclass
class Controller:
    """A forked process that runs the study."""

    folder: Path
    seed: int
    budget: int
    workers: int
    address: str = ""
    pid: int = 0

    def start(self) -> Controller:
        """Fork, and run in the child."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            return self
        code = 1
        try:
            os.setpgid(0, 0)
            self._serve()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _serve(self) -> None:
        try:
            if self.address:
                from distributed import Client

                with Client(self.address, timeout="30s", set_as_default=False) as client:
                    make_study(self.folder, self.seed, client.get_executor(pure=False)).run(self.budget)
            else:
                make_study(self.folder, self.seed, self.workers).run(self.budget)
        except BaseException:
            import traceback

            (self.folder.parent / "controller.err").open("a").write(traceback.format_exc() + "\n")
            raise

    def ended(self) -> int | None:
        """Exit code, or None while it lives."""
        found, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None

    def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


# --------------------------------------------------------------------- looking
def stored(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Finished evaluations of the store by architecture's codes, and what was billed; read from a copy by plain SQL."""
    source = folder / "evaluations.sqlite"
    if not source.exists():
        return {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("evaluations.sqlite", "evaluations.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, temporary)
        connection = sqlite3.connect(Path(temporary) / "evaluations.sqlite")
        events = connection.execute("SELECT kind, row, body FROM events ORDER BY id").fetchall()
        connection.close()
    codes: dict[int, str] = {}
    values: dict[int, dict[str, list[float]]] = {}
    for kind, row, text in events:
        body = json.loads(text)
        if kind == "ask":
            codes[row] = str(body["x"])
        elif kind == "tell":
            for name, value in body["values"].items():
                values.setdefault(row, {}).setdefault(name, []).append(value)
    return {codes[row]: (row, tuple(sorted((n, tuple(v)) for n, v in told.items()))) for row, told in values.items()}


def calls(path: Path, since: int = 0) -> tuple[list[tuple[str, str, float, int]], int]:
    """What the measure noted from a position on: kind, architecture, time, process; and the new position."""
    if not path.exists():
        return [], since
    with path.open("rb") as file:
        file.seek(since)
        data = file.read()
    lines = [json.loads(line) for line in data.decode().splitlines()]
    return [(what, json.dumps(a, sort_keys=True), at, pid) for what, at, pid, a in lines], since + len(data)


@dataclass
class Watch:
    """What must hold after every kill."""

    folder: Path
    calls: Path
    known: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    position: int = 0
    finished: set[str] = field(default_factory=set)
    begun: Counter[str] = field(default_factory=Counter)
    tables_read: int = 0

    def look(self, when: str) -> None:
        """Compare the store and the table with what they held before, and the calls with what was finished then."""
        found = stored(self.folder)
        for codes, told in self.known.items():
            if found.get(codes) != told:
                self.faults.append(f"{when}: {codes} was {told}, is {found.get(codes)}")
        for codes, (_, told) in found.items():
            if any(len(v) != 1 for _, v in told):
                self.faults.append(f"{when}: {codes} was told more than once: {told}")
        new, self.position = calls(self.calls, self.position)
        for what, architecture, _, _ in new:
            if what == "begin":
                self.begun[architecture] += 1
                if architecture in self.finished:
                    self.faults.append(f"{when}: {architecture} was finished and run again")
        self.known = found
        self.finished |= self._table(when)

    def _table(self, when: str) -> set[str]:
        """Architectures that evaluations.csv calls done; a reader must never see half a file."""
        path = self.folder / "evaluations.csv"
        if not path.exists():
            return set()
        text = path.read_text()
        lines = list(csv.reader(text.splitlines()))
        if not text.endswith("\n") or any(len(line) != len(lines[0]) for line in lines):
            self.faults.append(f"{when}: half a table")
        self.tables_read += 1
        done = [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if line[1] == "done"]
        return {json.dumps(_architecture(row), sort_keys=True) for row in done}


def _architecture(row: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"depth": int(row["depth"]), "width": int(row["width"]), "op": row["op"]}
    if row["kernel"]:
        found["kernel"] = int(row["kernel"])
    return {**found, "lr": float(row["lr"])}


def plain(path: Path) -> list[list[str]]:
    """A table without its times."""
    lines = list(csv.reader(path.read_text().splitlines()))
    kept = [i for i, name in enumerate(lines[0]) if name not in TIMES]
    return [[line[i] for i in kept] for line in lines]


# --------------------------------------------------------------------- killing
@dataclass
class Plan:
    """When a controller is killed: after so many ended calls and a while, or that long after its start."""

    rng: random.Random
    kills: int
    evaluations: int

    def __iter__(self) -> Iterator[tuple[int, float]]:
        last = max(1, self.evaluations - 3)
        for ended in sorted(self.rng.randrange(last) for _ in range(self.kills)):
            early = self.rng.random() < EARLY
            yield (0 if early else ended), self.rng.uniform(0.0, 0.5 if early else 0.3)


def count_ended(path: Path) -> int:
    """How many calls have come to their end."""
    return path.read_bytes().count(b'["end"') if path.exists() else 0


def await_moment(controller: Controller, path: Path, ended: int, delay: float) -> int | None:
    """Wait for a kill's moment; the exit code if the controller ends before."""
    while count_ended(path) < ended:
        if (code := controller.ended()) is not None:
            return code
        time.sleep(0.01)
    end = time.monotonic() + delay
    while time.monotonic() < end:
        if (code := controller.ended()) is not None:
            return code
        time.sleep(0.002)
    return None


def finish(controller: Controller, watch: Watch) -> None:
    """Let the study come to its end."""
    while (code := controller.ended()) is None:
        time.sleep(0.05)
    if code != 0:
        watch.faults.append(f"the last controller ended with {code}")
    watch.look("end")


def undisturbed(folder: Path, seed: int, budget: int) -> float:
    """The same study without kills; returns its seconds."""
    os.environ[CALLS] = str(folder.parent / "undisturbed.calls")
    start = time.monotonic()
    watch = Watch(folder, Path(os.environ[CALLS]))
    finish(Controller(folder, seed, budget, 1).start(), watch)
    if watch.faults:
        raise SystemExit("\n".join(watch.faults))
    return time.monotonic() - start


def kill_controllers(work: Path, kills: int, evaluations: int, workers: int, seed: int) -> dict[str, Any]:
    """One study with so many kills of its controller; returns what came of it."""
    folder, path = work / f"killed-{workers}", work / f"killed-{workers}.calls"
    os.environ[CALLS], os.environ[DELAY] = str(path), "0.02"
    watch, done, start = Watch(folder, path), 0, time.monotonic()
    for ended, delay in Plan(random.Random(f"{seed}-{workers}"), kills, evaluations):
        controller = Controller(folder, seed, evaluations, workers).start()
        if (code := await_moment(controller, path, ended, delay)) is not None:
            watch.faults.append(f"after {done} kills: the controller ended with {code} by itself")
            break
        controller.kill()
        done += 1
        watch.look(f"kill {done}")
        if done % 10 == 0:
            print(
                f"{workers} workers: {done} kills, {len(watch.known)} finished, {len(watch.faults)} faults", flush=True
            )
    finish(Controller(folder, seed, evaluations, workers).start(), watch)
    result = summary(watch, evaluations, done, workers)
    result["seconds"] = round(time.monotonic() - start, 1)
    if workers == 1:
        calm = work / "undisturbed"
        result["undisturbed_seconds"] = round(undisturbed(calm, seed, evaluations), 1)
        same = plain(folder / "evaluations.csv") == plain(calm / "evaluations.csv")
        same_front = (folder / "front.csv").read_bytes() == (calm / "front.csv").read_bytes()
        result["same as undisturbed"] = "yes" if same and same_front else "NO"
        if not same or not same_front:
            result["faults"].append("other evaluations.csv or front.csv than the undisturbed run")
    return result


def summary(watch: Watch, evaluations: int, kills: int, workers: int) -> dict[str, Any]:
    """Counts of a case; what must hold at the end is checked."""
    from rapid_moo.study.folder import STORE

    states = Counter(line[1] for line in csv.reader((watch.folder / "evaluations.csv").read_text().splitlines()[1:]))
    if states["done"] != evaluations or len(states) != 1:
        watch.faults.append(f"expected {evaluations} done, found {dict(states)}")
    if not (watch.folder / STORE).exists():
        watch.faults.append("no store")
    again = sum(watch.begun.values()) - len(watch.begun)
    if again > kills * workers:
        watch.faults.append(f"{again} runs in vain are more than {kills} kills of {workers} explain")
    return {
        "kills": kills,
        "evaluations": evaluations,
        "workers": workers,
        "done": states["done"],
        "measured": sum(watch.begun.values()),
        "again": again,
        "tables": watch.tables_read,
        "faults": watch.faults,
    }


# ------------------------------------------------------------------------ dask
_CLUSTER = """
import os, random, signal, sys, threading, time
def replace(cluster, n):
    # As a cluster's manager does: Dask's nannies give up a worker that dies while it starts.
    missing = 0
    while True:
        time.sleep(2)
        missing = missing + 1 if len(cluster.scheduler.workers) < n else 0
        if missing > 5:
            cluster.scale(len(cluster.worker_spec) + n - len(cluster.scheduler.workers))
            missing = 0
if __name__ == "__main__":
    from distributed import LocalCluster
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, processes=True, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    rng = random.Random(int(sys.argv[2]))
    threading.Thread(target=replace, args=(cluster, int(sys.argv[1])), daemon=True).start()
    for line in sys.stdin:
        # One that has not come up yet would not be replaced by Dask, and is no worker that holds work.
        known = set(cluster.scheduler.workers)
        alive = [n.process.pid for n in cluster.workers.values() if n.process and n.process.worker_address in known]
        if alive:
            pid = rng.choice(alive)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pid = 0
        print(pid if alive else 0, flush=True)
"""


@contextmanager
def cluster(workers: int, seed: int, log: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """A local cluster in a process of its own that outlives controllers; gives its address and a killer of workers."""
    command = [sys.executable, "-W", "ignore", "-c", _CLUSTER, str(workers), str(seed)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def kill_worker() -> int:
        stdin.write(b"kill\n")
        stdin.flush()
        return int(stdout.readline())

    try:
        yield stdout.readline().decode().strip(), kill_worker
    finally:
        stdin.close()
        process.wait(60)


def kill_on_dask(work: Path, kills: int, evaluations: int, workers: int, seed: int) -> dict[str, Any]:
    """One study on a Dask cluster; workers and controllers are killed in turn."""
    folder, path = work / "dask", work / "dask.calls"
    os.environ[CALLS], os.environ[DELAY] = str(path), "0.1"
    watch, start, done = Watch(folder, path), time.monotonic(), Counter[str]()
    with (work / "dask.log").open("wb") as log, cluster(workers, seed, log) as (address, kill_worker):
        controller = Controller(folder, seed, evaluations, workers, address).start()
        for number, (ended, delay) in enumerate(Plan(random.Random(seed), kills, evaluations)):
            if (code := await_moment(controller, path, ended, delay)) is not None:
                watch.faults.append(f"after {done}: the controller ended with {code} by itself")
                break
            if number % 2:
                controller.kill()
                watch.look(f"kill {number}")
                controller = Controller(folder, seed, evaluations, workers, address).start()
                done["controllers"] += 1
            else:
                done["workers"] += bool(kill_worker())
            if number % 10 == 9:
                print(f"dask: {dict(done)} killed, {len(watch.known)} finished, {len(watch.faults)} faults", flush=True)
        finish(controller, watch)
    result = summary(watch, evaluations, sum(done.values()), workers)
    return {**result, "killed": dict(done), "seconds": round(time.monotonic() - start, 1)}


# ---------------------------------------------------------------------- report
COLUMNS = {
    "case": "case",
    "kills": "kills",
    "evaluations": "budget",
    "done": "done",
    "measured": "calls of the measure",
    "again": "of them again, cut off before",
    "tables": "tables read after kills",
    "same as undisturbed": "same tables as undisturbed",
    "seconds": "seconds",
    "n_faults": "faults",
}


def table(results: dict[str, dict[str, Any]]) -> Table:
    """Results as a table."""
    from rapid_moo.report import blocks

    cells = [{**result, "case": case, "n_faults": len(result["faults"])} for case, result in results.items()]
    return blocks.table(COLUMNS.values(), [[each.get(key, "") for key in COLUMNS] for each in cells])


def keep(case: str, result: dict[str, Any], seed: int, out: Path) -> None:
    """Remember a case's result, and print it."""
    from rapid_moo.report.rendering import text
    from rapid_moo.study.definition import environment

    what = "dask" if case == "dask" else "controller"
    sizes = " ".join(f"--{name} {result[name]}" for name in ("kills", "evaluations", "workers"))
    command = f"python benchmarks/study_kills.py {what} {sizes} --seed {seed}"

    out.mkdir(parents=True, exist_ok=True)
    head = {"command": command, "seed": seed, "date": time.strftime("%Y-%m-%d"), "versions": environment()}
    (out / f"{case.replace(' ', '_')}.json").write_text(json.dumps({**head, "case": case, **result}, indent=2) + "\n")
    print(text([table({case: result})]), *result["faults"][:20], sep="\n", flush=True)


def write_report(out: Path) -> None:
    """``report.md`` of everything that was kept."""
    from _report import page, title

    from rapid_moo.report.blocks import Items, Span

    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    results = {item["case"]: item for item in found}
    versions = ", ".join(f"{name} {number}" for name, number in found[-1]["versions"].items()) if found else ""
    (out / "report.md").write_text(
        page(
            title("Studies that are killed"),
            "A fault is a finished evaluation that was lost, changed, told or run again, a table that cannot be read, a"
            " budget that was not met, or more calls of the measure than the kills explain.",
            table(results),
            Items(
                tuple(
                    (f"{case}: ", Span(item["command"], "code"), f", seed {item['seed']}, {item['date']}")
                    for case, item in results.items()
                )
            ),
            f"Versions: {versions}.",
        )
    )
    print(f"Written: {out / 'report.md'}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("controller", "dask", "report"))
    parser.add_argument("--kills", type=int)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--workers", help="numbers with commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where the studies go; a temporary folder by default")
    parser.add_argument("--out", type=Path, default=OUT, help="where results go")
    options = parser.parse_args()
    if options.what == "report":
        write_report(options.out)
        return
    import rapid_moo.study.study  # noqa: F401 - before the forks, so that each of them starts at once

    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if options.what == "dask":
            kills, evaluations, n = options.kills or 100, options.evaluations or 500, int(options.workers or 4)
            keep("dask", kill_on_dask(work, kills, evaluations, n, options.seed), options.seed, options.out)
        else:
            kills, evaluations = options.kills or 200, options.evaluations or 1000
            for n in [int(part) for part in (options.workers or "1,4").split(",")]:
                case = "alone" if n == 1 else f"{n} workers"
                result = kill_controllers(work, kills, evaluations, n, options.seed)
                keep(case, result, options.seed, options.out)
    write_report(options.out)


if __name__ == "__main__":
    main()
