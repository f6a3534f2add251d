"""Broken inputs of every kind: exit code 2 or 0, one message, no traceback, no hang, nothing half written.

python -m pytest tests/test_broken_inputs.py --all          all 2,000, in about half an hour
python -m pytest tests/test_broken_inputs.py --broken 17    the one of a number; 17:40 those from 17 to 39
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rapid_moo.cli import main

sys.path.insert(0, str(Path(__file__).parent))
from broken_inputs import GOALS, KINDS, MEASURE, SPACE, TABLE, kind_of, make_case

ALL = 2000
OF_A_KIND = 2  # in CI, the first so many of each kind
IN_A_PROCESS = 10  # one in so many runs as a process of its own
# Of a machine that has nothing else to do.
SECONDS = 60 * max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1)) if os.name == "posix" else 60
LONGEST = 500
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="alarms and pipes are those of POSIX")


class Hang(BaseException):
    """Nothing that the code under test would catch."""


def numbers(config) -> list[int]:
    if (chosen := config.getoption("--broken")) is not None:
        first, _, end = chosen.partition(":")
        return list(range(int(first), int(end or first) + (not end)))
    return list(range(ALL)) if config.getoption("--all") else of_each_kind()


def of_each_kind() -> list[int]:
    """The first cases of each kind."""
    found: dict[object, list[int]] = {kind: [] for kind in KINDS}
    for number in range(ALL):
        found[kind_of(number)].append(number)
    return sorted(number for numbers in found.values() for number in numbers[:OF_A_KIND])


def pytest_generate_tests(metafunc):
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", numbers(metafunc.config))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A triplet, a folder of compare and a study, all whole."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "good.csv").write_text(TABLE)
    (folder / "space.toml").write_text(SPACE)
    (folder / "measure.py").write_text(MEASURE)
    data = ["--dataset", str(folder / "good.csv"), *GOALS]
    options = ["--methods", "random", "--budgets", "6", "--seeds", "1", "--out", str(folder / "compared")]
    with contextlib.chdir(folder):
        assert main(["tune", *data, "--dir", "tuned", "--budget", "1", "--train-ratio", "0.4"]) == 0
        assert main(["compare", *data, *options]) == 0
        new = ["run", "space.toml", "--measure", "measure.py:measure", "--budget", "6", "--out", "study"]
        assert main(new) == 0
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with content; the lock of a study says nothing."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "lock" or path.name.endswith(("-wal", "-shm")):
            continue
        found[name] = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
    return found


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of the command line in this process, which is given a minute."""

    def alarm(*_: object) -> None:
        raise Hang(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return code, *(stream.buffer.getvalue().decode() for stream in (out, err))


def started(arguments: list[str]) -> tuple[int, str, str]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "rapid_moo", *(os.fsencode(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode()


def test_broken_input(number, base, tmp_path, monkeypatch):
    folder = tmp_path / "case"
    folder.mkdir()
    case = make_case(number, folder, base)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [*sys.path])
    before = tree(folder)
    typed = not any("\0" in argument or "\ud800" in argument for argument in case.arguments)
    separate = number % IN_A_PROCESS == 0 and typed
    try:
        code, out, err = (started if separate else called)(case.arguments)
    finally:
        case.clean()
    told = f"{case.kind}: {case.arguments}\n{out[-2000:]}\n{err[-2000:]}"
    assert code in ((0, 2) if case.legal else (2,)), told
    assert "Traceback" not in err, told
    assert "Warning" not in err, told
    assert not CONTROL.search(out.replace("\r", "")), told
    assert not CONTROL.search(err), told
    after = tree(folder)
    assert not [name for name in after if name.endswith(".part") and "cache" not in name], told
    if code == 2:
        # What was looked at one by one is told one by one.
        if case.arguments[:1] != ["data"] or not out:
            message = err[err.index("error: ") :]
            assert len(message.rstrip("\n")) <= LONGEST, told
            assert message.count("\n") == 1, told
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert not {name for name in changed if not name.startswith("cache")}, f"{sorted(changed)}\n{told}"


def test_every_kind_is_among_the_cases_of_ci():
    chosen = of_each_kind()
    assert {kind_of(number) for number in chosen} == set(KINDS)
    assert len(chosen) == OF_A_KIND * len(KINDS)


def test_a_case_is_the_same_whenever_it_is_made(base, tmp_path):
    for number in range(1, ALL, 97):
        made = []
        for name in ("a", "b"):
            folder = tmp_path / f"{number}{name}"
            folder.mkdir()
            case = make_case(number, folder, base)
            case.clean()
            made.append((case.arguments if case.kind != "downloads" else [], case.kind, tree(folder)))
        assert made[0][1] == made[1][1]
        assert made[0] == made[1] or made[0][1] in ("tables",)
