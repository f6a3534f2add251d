"""Would the tests notice? Small faults are put into a module, one at a time, and its tests should fail.

The faults are those of cosmic-ray's operators (``pip install cosmic-ray coverage``): another number, operator,
comparison or truth value, a loop of no iteration, a decorator removed, and so on. Annotations are left alone, since
nothing reads them, and so are assurances that hold anyway (``strict=True`` of a zip, ``frozen=True``). Where several
faults are possible at one position of the source, one is drawn. ``mutation.toml`` says which test files concern which
module; of those, all tests that run the faulty statement are run, the quickest first, and the first that fails ends it.
What noticed a fault of a sample is run once more without any, in the end: there it must pass.

    python benchmarks/mutation.py learn                     # which test runs which line, and how long it takes
    python benchmarks/mutation.py learn test_choice         # of a file that changed
    python benchmarks/mutation.py faults                    # the deliberate faults of mutation.toml
    python benchmarks/mutation.py sample --seed 0           # a fault at every ninth position, drawn at random
    python benchmarks/mutation.py sample --share 1          # at all of them
    python benchmarks/mutation.py again --seed 0            # what survived, after tests were added
    python benchmarks/mutation.py report --seed 0           # the score, with its interval, and what survived

Everything happens in a copy of the repository under ``runs/mutation``. Each fault gets a process of its own, forked
from one that has the libraries at hand, with limits of time and memory.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import fcntl
import hashlib
import importlib
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "benchmarks" / "mutation.toml"
WORK = ROOT / "runs" / "mutation"
COPY = WORK / "tree"
LEARNT = WORK / "learnt.json"
COPIED = ("rapid_moo", "problems", "data", "tests", "examples", "benchmarks", "pyproject.toml", "README.md")
LIBRARIES = (
    "bokeh", "cloudpickle", "hypothesis", "hypothesis.extra.numpy", "joblib", "moocore", "nevergrad", "numpy", "pandas",
    "pymoo.algorithms.moo.age2", "pymoo.algorithms.moo.nsga2", "pymoo.algorithms.moo.nsga3", "pymoo.algorithms.moo.sms",
    "pymoo.algorithms.moo.unsga3", "pymoo.core.mixed", "pymoo.optimize", "pymoo.util.ref_dirs", "pytest",
    "rich.console", "scipy.spatial", "scipy.stats", "sklearn.cluster", "sklearn.ensemble", "sklearn.gaussian_process",
    "sklearn.kernel_ridge", "sklearn.linear_model", "sklearn.neighbors", "sklearn.svm", "threadpoolctl", "xgboost",
)  # fmt: skip
MEMORY = 8 * 2**30
SKIPPED = 1e9
FEWEST = 2
ASSURANCES = ("strict", "frozen", "eq", "repr")


@dataclass(frozen=True)
class Fault:
    """One fault: the statement's lines, what stands there, and the whole faulty source."""

    module: str
    line: int
    first: int
    last: int
    operator: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """What tells faults apart, whatever else of the module changes."""
        text = f"{self.module}\0{self.before}\0{self.after}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


Maker = Callable[[], "Fault | None"]


# ------------------------------------------------------------------ the faults
def modules() -> dict[str, list[str]]:
    """Test files of each module."""
    found: dict[str, list[str]] = {}
    for group in tomllib.loads(CONFIG.read_text())["modules"]:
        for pattern in group["files"]:
            for path in sorted(ROOT.glob(pattern)):
                name = path.relative_to(ROOT).as_posix()
                if name not in group.get("without", ()):
                    found[name] = group["tests"]
    return found


def faults(module: str) -> dict[tuple[int, int], list[Maker]]:
    """Makers of a module's faults by position, none in annotations."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    source = (ROOT / module).read_text()
    tree, parsed = ast.parse(source), get_ast(source)
    unread, assured = _annotations(tree), _assurances(tree)
    found: dict[tuple[int, int], list[Maker]] = defaultdict(list)
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments():
            continue
        operator = kind()
        positions = [at for node in ast_nodes(parsed) for at in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(positions):
            if start in assured:
                found[start].append(_nothing)
            elif not any(low <= start < high for low, high in unread):
                found[start].append(partial(made, module, source, tree, start[0], name, operator, occurrence))
    return dict(sorted(found.items()))


def made(module: str, source: str, tree: ast.AST, line: int, name: str, operator: Any, occurrence: int) -> Fault | None:
    """One fault; None where it does not compile or changes nothing."""
    from cosmic_ray.mutating import mutate_code

    code = mutate_code(source, operator, occurrence)
    try:
        if code is None or ast.dump(ast.parse(code)) == ast.dump(tree):
            return None
    except SyntaxError:
        return None
    # What an import runs belongs to no test, or to the one that happened to import first: all tests are asked.
    first, last = _innermost(_statements(tree), line) if _in_a_function(tree, line) else (0, -1)
    lines, changed = source.splitlines(), code.splitlines()
    after = changed[line - 1].strip() if len(changed) == len(lines) else "(removed)"
    return Fault(module, line, first, last, name.partition("/")[2] or name, lines[line - 1].strip(), after, code)


def _annotations(tree: ast.AST) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Spans of annotations, and of what only a type checker runs."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            found.append(node.returns)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found.append(node.test)
    return [((n.lineno, n.col_offset), (n.end_lineno or n.lineno, n.end_col_offset or 0)) for n in found]


def _assurances(tree: ast.AST) -> set[tuple[int, int]]:
    """Where a zip is said to be strict, a dataclass frozen and the like: what holds without."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    words = (word for call in calls for word in call.keywords if word.arg in ASSURANCES)
    return {(word.value.lineno, word.value.col_offset) for word in words if isinstance(word.value, ast.Constant)}


def _nothing() -> None:
    return None


def _statements(tree: ast.AST) -> list[tuple[int, int]]:
    """First and last line of every statement; of one with a body, of its head."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            last = max(first, body[0].lineno - 1) if isinstance(body, list) else node.end_lineno
            found.append((first, last or node.lineno))
    return found


def _in_a_function(tree: ast.AST, line: int) -> bool:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return any(node.body[0].lineno <= line <= (node.end_lineno or 0) for node in functions)


def _innermost(spans: Iterable[tuple[int, int]], line: int) -> tuple[int, int]:
    return min(((a, b) for a, b in spans if a <= line <= b), key=lambda s: s[1] - s[0], default=(line, line))


def drawn(module: str, share: float, seed: int) -> tuple[int, list[Fault]]:
    """Number of positions, and a fault at a share of them (a few at least)."""
    rng = random.Random(f"{seed} {module}")
    positions = list(faults(module).values())
    rng.shuffle(positions)
    wanted, taken, useless = max(FEWEST, math.ceil(share * len(positions))), [], 0
    for makers in positions:
        if len(taken) == wanted:
            break
        rng.shuffle(makers)
        fault = next(filter(None, (make() for make in makers)), None)
        if fault is not None:
            taken.append(fault)
        else:
            # Nothing compiles, as at the star of a signature: no position, as far as can be told from those drawn.
            useless += 1
    return round(len(positions) * len(taken) / max(1, len(taken) + useless)), taken


# ---------------------------------------------------------------- running tests
def prepare() -> None:
    """A fresh copy of the repository."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, COPY / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "results"))
        elif source.is_file():
            shutil.copy2(source, COPY / name)


def preload() -> None:
    """Import what no fault touches, so that a forked process need not."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class Only:
    """A pytest plugin: these tests in this order."""

    def __init__(self, wanted: list[str]) -> None:
        self.place = {name: k for k, name in enumerate(wanted)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Drop and sort."""
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda i: self.place[i.nodeid])


class Watch:
    """A pytest plugin: seconds and lines of each test."""

    def __init__(self, sources: list[str]) -> None:
        import coverage

        self.cover = coverage.Coverage(
            data_file=None, include=[str(COPY / name) for name in sources], config_file=False
        )
        self.seconds: dict[str, float] = defaultdict(float)
        self.began = 0.0
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.began = time.process_time()
        self.cover.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        self.seconds[nodeid] += time.process_time() - self.began
        self.cover.switch_context("")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Add up."""
        if report.failed:
            self.failed.append(report.nodeid)
        if report.skipped:
            self.seconds[report.nodeid] += SKIPPED

    def lines(self) -> dict[str, dict[int, list[str]]]:
        """Tests by module and line."""
        data = self.cover.get_data()
        return {
            Path(path).relative_to(COPY).as_posix(): {
                line: [c for c in contexts if c] for line, contexts in data.contexts_by_lineno(path).items()
            }
            for path in data.measured_files()
        }


def child(limit: float, action: Any) -> tuple[int | None, str]:
    """Run an action in a forked process in the copy: its exit status, None if it ran out of time, and what it wrote.

    The limit is of the processor's seconds, so that a busy machine changes nothing; of the clock's it is ten times it.
    """
    log = WORK / "log"
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            os.setsid()
            with log.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 5))
            os.chdir(COPY)
            sys.path[:] = [str(COPY), *[p for p in sys.path if Path(p or ".").resolve() not in (ROOT, CONFIG.parent)]]
            os.environ["PYTHONPATH"] = str(COPY)
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            status = int(action())
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    end = time.monotonic() + 10.0 * limit
    done: int | None = None
    while time.monotonic() < end:
        found, how = os.waitpid(pid, os.WNOHANG)
        if found:
            done = os.waitstatus_to_exitcode(how)
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if done is None:
        os.waitpid(pid, 0)
    elif -done in (signal.SIGXCPU, signal.SIGKILL):
        done = None
    return done, log.read_text(errors="replace")


OPTIONS = (
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--tb=line",
    "-rfE",
    "--hypothesis-seed=0",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def learn(only: list[str]) -> None:
    """Which test runs which line of which module, and how long each takes; with words, anew for some files."""
    import pytest

    chosen = modules()
    files = sorted({name for names in chosen.values() for name in names})
    files = [name for name in files if not only or any(word in name for word in only)]
    answer = WORK / "answer.json"

    def action(file: str) -> int:
        watch = Watch(list(chosen))
        watch.cover.start()
        status = pytest.main([*OPTIONS[1:], "--durations=0", file], plugins=[watch])
        watch.cover.stop()
        answer.write_text(json.dumps({"seconds": watch.seconds, "failed": watch.failed, "lines": watch.lines()}))
        return int(status)

    prepare()
    seconds: dict[str, float] = {}
    lines: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    if only:
        old = json.loads(LEARNT.read_text())
        seconds = {name: taken for name, taken in old["seconds"].items() if name.partition("::")[0] not in files}
        for module, tests in old["lines"].items():
            for line, names in tests.items():
                lines[module][line] += [name for name in names if name in seconds]
    for file in files:
        start = time.monotonic()
        status, text = child(900.0, lambda file=file: action(file))
        if status != 0:
            raise SystemExit(f"{file} does not pass as it is ({status}):\n{text[-3000:]}")
        found = json.loads(answer.read_text())
        seconds |= found["seconds"]
        for module, tests in found["lines"].items():
            for line, names in tests.items():
                lines[module][line] += names
        print(f"{file}: {len(found['seconds'])} tests, {time.monotonic() - start:.1f} s", flush=True)
    LEARNT.write_text(json.dumps({"seconds": seconds, "lines": lines}))


def tests_of(fault: Fault, learnt: dict[str, Any], files: list[str], longest: float) -> list[str]:
    """Tests that run the faulty statement, the quickest first; all of the module's if no test does, or none knows."""
    seconds = learnt["seconds"]
    lines = learnt["lines"].get(fault.module, {})
    found = {name for line in range(fault.first, fault.last + 1) for name in lines.get(str(line), ())}
    if not found:
        found = {name for name in seconds if name.partition("::")[0] in files}
    found = {name for name in found if name.partition("::")[0] in files}
    total, taken = 0.0, []
    for name in sorted((name for name in found if seconds[name] < SKIPPED), key=lambda name: (seconds[name], name)):
        total += seconds[name]
        if total > longest:
            break
        taken.append(name)
    return taken


def tried(fault: Fault, learnt: dict[str, Any], longest: float, tests: list[str] | None = None) -> dict[str, Any]:
    """Put a fault in, run its tests, take it out."""
    import pytest

    wanted = tests_of(fault, learnt, tests or modules()[fault.module], longest)
    path = COPY / fault.module
    whole = path.read_text()
    files = sorted({name.partition("::")[0] for name in wanted})
    expected = sum(learnt["seconds"][name] for name in wanted)
    start = time.monotonic()
    try:
        path.write_text(fault.source)
        _forget(path)
        assert all((COPY / name).is_file() for name in files)
        status, text = child(
            20.0 + 4.0 * expected,
            lambda: pytest.main([*OPTIONS, *files], plugins=[Only(wanted)]) if wanted else 0,
        )
    finally:
        path.write_text(whole)
        _forget(path)
    outcome = {None: "timeout", 0: "survived", 5: "survived"}.get(status, "killed")
    test = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    return {
        **{name: value for name, value in asdict(fault).items() if name not in ("source", "first", "last")},
        "key": fault.key,
        "outcome": outcome,
        "tests": len(wanted),
        "by": test[1] if test and outcome == "killed" else f"status {status}" if outcome == "killed" else "",
        "seconds": round(time.monotonic() - start, 1),
    }


def _forget(path: Path) -> None:
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


# ------------------------------------------------------------------- commands
def results_of(name: str) -> Path:
    """Where the outcomes of a sample are kept."""
    return WORK / f"{name}.json"


def sample(share: float, seed: int, longest: float, only: list[str]) -> None:
    """Try a sample; goes on where it stopped."""
    learnt, path = json.loads(LEARNT.read_text()), results_of(f"sample_{seed}")
    kept = json.loads(path.read_text()) if path.exists() else {}
    prepare()
    for module in modules():
        if only and not any(word in module for word in only):
            continue
        n, found = drawn(module, share, seed)
        if not found:
            continue
        before = {item["key"]: item for item in kept.get(module, {}).get("faults", [])}
        done = []
        for fault in found:
            done.append(before.get(fault.key) or tried(fault, learnt, longest))
            kept[module] = {"positions": n, "faults": done}
            path.write_text(json.dumps(kept, indent=1))
        lost = sum(item["outcome"] == "survived" for item in done)
        print(f"{module}: {n} positions, {len(done)} tried, {lost} survived", flush=True)
    confirm(kept, learnt)


def confirm(kept: dict[str, Any], learnt: dict[str, Any]) -> None:
    """See that the tests which noticed a fault pass without one: a test that does not has noticed nothing."""
    import pytest

    seconds = learnt["seconds"]
    noticed = {entry["by"] for item in kept.values() for entry in item["faults"]} & seconds.keys()
    names = sorted(noticed, key=lambda name: (seconds[name], name))
    files = sorted({name.partition("::")[0] for name in names})
    options = [option for option in OPTIONS if option != "-x"]
    limit = 20.0 + 4.0 * sum(seconds[name] for name in names)
    status, text = child(limit, lambda: pytest.main([*options, *files], plugins=[Only(names)]))
    if status != 0:
        raise SystemExit(f"what noticed faults does not pass without ({status}):\n{text[-3000:]}")
    print(f"{len(names)} tests noticed faults, and pass without", flush=True)


def again(seed: int, longest: float, only: list[str]) -> None:
    """Try again what survived a sample, or ran out of time."""
    learnt, path = json.loads(LEARNT.read_text()), results_of(f"sample_{seed}")
    kept = json.loads(path.read_text())
    prepare()
    for module, item in kept.items():
        if only and not any(word in module for word in only):
            continue
        lost = {entry["key"] for entry in item["faults"] if entry["outcome"] != "killed"}
        if not lost:
            continue
        lines = (ROOT / module).read_text().splitlines()
        texts = {entry["before"] for entry in item["faults"] if entry["key"] in lost}
        # Other lines may have come or gone since: the text says which fault it was.
        places = [makers for (line, _), makers in faults(module).items() if lines[line - 1].strip() in texts]
        by_key = {fault.key: fault for makers in places for make in makers if (fault := make()) and fault.key in lost}
        for k, entry in enumerate(item["faults"]):
            if entry["key"] in by_key:
                item["faults"][k] = tried(by_key[entry["key"]], learnt, longest)
                print(item["faults"][k]["outcome"], module, entry["line"], entry["after"], flush=True)
                path.write_text(json.dumps(kept, indent=1))


def deliberate(longest: float) -> bool:
    """The deliberate faults: each must be noticed."""
    learnt = json.loads(LEARNT.read_text())
    prepare()
    well = True
    for entry in tomllib.loads(CONFIG.read_text())["faults"]:
        source = (ROOT / entry["file"]).read_text()
        if source.count(entry["before"]) != 1:
            raise SystemExit(f"{entry['name']}: expected {entry['before']!r} once in {entry['file']}")
        line = source[: source.index(entry["before"])].count("\n") + 1
        first, last = _innermost(_statements(ast.parse(source)), line)
        code = source.replace(entry["before"], entry["after"])
        ast.parse(code)
        fault = Fault(entry["file"], line, first, last, entry["name"], entry["before"], entry["after"], code)
        found = tried(fault, learnt, longest, entry.get("tests"))
        well &= found["outcome"] != "survived"
        print(f"{entry['name']}: {found['outcome']} {found['by']}", flush=True)
    return well


def report(seed: int) -> None:
    """The score, with its interval, and what survived."""
    kept = json.loads(results_of(f"sample_{seed}").read_text())
    total = sum(item["positions"] for item in kept.values())
    score = variance = 0.0
    count = 0
    outcomes = Counter(entry["outcome"] for item in kept.values() for entry in item["faults"])
    for module, item in kept.items():
        n = len(item["faults"])
        killed = sum(entry["outcome"] != "survived" for entry in item["faults"])
        share, rate = item["positions"] / total, killed / n
        score += share * rate
        # Agresti and Coull's, so that a module without survivors is not taken for certain.
        shrunk = (killed + 2) / (n + 4)
        variance += share**2 * shrunk * (1 - shrunk) / n * max(0.0, 1 - n / item["positions"])
        count += n
        print(f"{module:45} {killed:3} of {n:3} ({item['positions']} positions)")
    print(f"all: {100 * score:.1f} % +- {100 * math.sqrt(variance):.1f} (standard error), {count} of {total} positions")
    print(", ".join(f"{name} {number}" for name, number in outcomes.items()))
    for module, item in kept.items():
        for entry in item["faults"]:
            if entry["outcome"] == "survived":
                print(f"\n{module}:{entry['line']} [{entry['operator']}, {entry['tests']} tests]")
                print(f"  - {entry['before']}\n  + {entry['after']}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("learn", "faults", "sample", "again", "report"))
    parser.add_argument("modules", nargs="*", help="only modules (or, to learn, test files) of these words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1 / 9)
    parser.add_argument(
        "--longest", type=float, default=math.inf, help="CPU seconds of tests that a fault gets, the quickest; all"
    )
    options = parser.parse_intermixed_args()
    os.environ.pop("RAPID_MOO_DATA", None)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    WORK.mkdir(parents=True, exist_ok=True)
    lock = (WORK / "lock").open("w")
    if options.command != "report":
        # Two at a time would work on one copy.
        fcntl.flock(lock, fcntl.LOCK_EX)
        preload()
    if options.command == "learn":
        learn(options.modules)
    elif options.command == "faults":
        return 0 if deliberate(options.longest) else 1
    elif options.command == "sample":
        sample(options.share, options.seed, options.longest, options.modules)
    elif options.command == "again":
        again(options.seed, options.longest, options.modules)
    else:
        report(options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
