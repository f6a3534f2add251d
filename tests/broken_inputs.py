"""A generator of broken inputs: every subcommand, every kind of file, one seeded case per number.

A case is a folder with files and a command line. What it must come to is the same for all: exit code 2, or 0 where what
was made is legal after all; no traceback; nothing half written; a message of at most 500 characters.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import shutil
import socket
import sqlite3
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

GRID = [(i, j) for i in range(6) for j in range(6)]
TABLE = "vector,a,b,c\n" + "".join(f'"[{i}, {j}]",{(i - 2) ** 2 + j},{i * i + j},{(j - 3) ** 2}\n' for i, j in GRID)
COLUMNS = "i,j,a,b\n" + "".join(f"{i},{j},{(i - 2) ** 2 + j},{i * i + j}\n" for i, j in GRID)
GOALS = ["--objectives", "a:min,b:min"]
SPACE = """name = "board"
constraints = ["depth <= 8", "latency <= 90"]

[genes]
depth = [2, 4, 8]
lr = [0.001, 0.003, 0.01]
op = ["conv", "mlp"]
kernel = { choices = [3, 5, 7], when = { op = "conv" } }

[objectives]
error = { direction = "min", unit = "%" }
latency = { direction = "min", unit = "ms", repeats = 1, cost = 1.0 }
"""
MEASURE = """def measure(genes):
    return {"error": 1.0 / genes["depth"] + genes["lr"], "latency": genes["depth"] + 0.1 * genes.get("kernel", 1)}
"""
NUMBERS = [
    "1e400",
    "-1",
    "nan",
    "Infinity",
    "9" * 400,
    "9" * 5000,
    "1e308",
    "0",
    "",
    "null",
    "true",
    "[]",
    "{}",
    '"x"',
    "-0.0",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "1000000000",
    "0.5",
    "1e-320",
    "²",
    "\u0661\u0662",
]
TEXTS = [
    "",
    " ",
    "\0",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\r\n",
    "\u202eabc",
    "x" * 20000,
    "../../up",
    "/etc",
    "a/b",
    "\ud800",
    "é",
    "[",
    '"',
    "'",
    "%s%n",
    "{0}",
    "[bold]",
    "nan",
    "-",
    "--",
    "NaN",
    "None",
    "\u2028",
    "=1+1",
    ",",
    ";",
]
OPTION_NUMBERS = [
    "-1",
    "0",
    "1.5",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "x",
    "",
    " ",
    "9" * 30,
    "9" * 5000,
    "9223372036854775808",
    "²",
    "\u0661",
    "0x10",
    "1_000",
    "+1",
    "1e3",
    "\x1b[31m",
    "null",
    "[1]",
]


@dataclass
class Case:
    """A command in a folder."""

    arguments: list[str]
    kind: str
    legal: bool = True  # whether it may come to exit code 0
    clean: Callable[[], None] = field(default=lambda: None)
    environment: dict[str, str] = field(default_factory=dict)


# ------------------------------------------------------------------ damage
def damaged(rng: np.random.Generator, content: bytes) -> bytes:
    """Content with one or a few wounds."""
    for _ in range(int(rng.integers(1, 4))):
        content = WOUNDS[int(rng.integers(len(WOUNDS)))](rng, content)
    return content


def _at(rng: np.random.Generator, content: bytes) -> int:
    return int(rng.integers(0, len(content) + 1))


def _cut(rng, content):
    return content[: _at(rng, content)]


def _flipped(rng, content):
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        if changed:
            changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def _inserted(rng, content):
    at = _at(rng, content)
    return content[:at] + rng.bytes(int(rng.integers(1, 30))) + content[at:]


def _lacking(rng, content):
    a, b = sorted((_at(rng, content), _at(rng, content)))
    return content[:a] + content[min(b, a + 200) :]


def _doubled(rng, content):
    a, b = sorted((_at(rng, content), _at(rng, content)))
    return content[:b] + content[a:b] + content[b:]


def _number(rng, content):
    """Another number in place of one."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?([eE]-?\d+)?", content))
    if not found:
        return content
    match = found[int(rng.integers(len(found)))]
    new = NUMBERS[int(rng.integers(len(NUMBERS)))].encode()
    return content[: match.start()] + new + content[match.end() :]


def _word(rng, content):
    """Another text in place of a word."""
    found = list(re.finditer(rb"[A-Za-z_]{2,}", content))
    if not found:
        return content
    match = found[int(rng.integers(len(found)))]
    new = TEXTS[int(rng.integers(len(TEXTS)))].encode("utf-8", "surrogatepass")
    return content[: match.start()] + new + content[match.end() :]


def _line(rng, content):
    """Two lines in another order, or one of them gone."""
    lines = content.split(b"\n")
    i, j = (int(k) for k in rng.integers(0, len(lines), 2))
    if rng.random() < 0.5:
        lines[i], lines[j] = lines[j], lines[i]
    else:
        del lines[i]
    return b"\n".join(lines)


def _whole(rng, _content):
    """Something else altogether."""
    n = 100_000
    choices = [
        b"",
        b"\0" * 100,
        b"\n" * 50,
        rng.bytes(300),
        b"<!DOCTYPE html><html></html>",
        b"\xff\xfe" + b"a\0" * 20,
        b"[]",
        b"{}",
        b"null",
        b"[" * n,
        b'{"a":' * n,
        b"[" * n + b"]" * n,
        b"1",
        b'"text"',
        b"\xef\xbb\xbf",
        b",,,\n,,,\n",
        b"a" * 100_000,
        b"a," * 20_000 + b"\n" + b"1," * 20_000,
        b"\x1b[2Jvector,a,b\n1,2,3\n",
        b"NaN",
        b"SQLite format 3\0",
        b"vector,a,b\n",
        b"a\n1\n",
        b"PK\x03\x04" + rng.bytes(50),
        b"\x1f\x8b" + rng.bytes(50),
        b"PAR1" + rng.bytes(50),
    ]
    return choices[int(rng.integers(len(choices)))]


WOUNDS = (_cut, _flipped, _inserted, _lacking, _doubled, _number, _number, _word, _word, _line, _whole)


# ------------------------------------------------------------------ tables
def _packed(rng: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """A compressed table: whole, none, cut, of several members, or wounded; with the ending of its kind."""
    kind = str(rng.choice(["gz", "bz2", "xz", "zip"]))
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": _zipped}[kind]
    how = int(rng.integers(6))
    if how == 0:
        return kind, content
    whole = pack(content)
    if how == 1:
        return kind, whole[: int(rng.integers(1, len(whole)))]
    if how == 2:
        half = content.index(b"\n", len(content) // 2) + 1
        members = _zipped(content, content) if kind == "zip" else pack(content[:half]) + pack(content[half:])
        return kind, members
    if how == 3:
        return kind, pack(pack(pack(content)))
    if how == 4:
        return kind, whole + rng.bytes(20)
    return kind, _flipped(rng, whole)


def _zipped(*contents: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for k, content in enumerate(contents):
            archive.writestr(f"table{k}.csv", content)
    return out.getvalue()


def _table_file(rng: np.random.Generator, folder: Path) -> str:
    text = TABLE if rng.random() < 0.6 else COLUMNS
    how = rng.random()
    if how < 0.3:
        ending, content = _packed(rng, text.encode())
        name = f"table.csv.{ending}"
    elif how < 0.45:
        frame = pd.read_csv(io.StringIO(text))
        name = str(rng.choice(["table.json", "table.jsonl"]))
        whole = frame.to_json(orient="records", lines=name.endswith("l")).encode()
        content = damaged(rng, whole)
    elif how < 0.55:
        frame = pd.read_csv(io.StringIO(text))
        out = io.BytesIO()
        frame.to_parquet(out)
        name, content = "table.parquet", damaged(rng, out.getvalue())
    elif how < 0.6:
        out = io.BytesIO()
        pd.read_csv(io.StringIO(text)).to_excel(out, index=False)
        name, content = "table.xlsx", damaged(rng, out.getvalue())
    else:
        name, content = "table.csv", damaged(rng, text.encode())
    (folder / name).write_bytes(content)
    return name


def _table_command(rng: np.random.Generator) -> list[str]:
    commands = [
        ["audit", "--out", "out"],
        ["audit"],
        ["tune", "--dir", "out", "--budget", "1", "--train-ratio", "0.4"],
        ["search", "--out", "out", "--tuner-budget", "1", "--train-ratio", "0.3"],
        ["compare", "--out", "out", "--methods", "random", "--budgets", "6", "--seeds", "1"],
    ]
    return commands[int(rng.choice(5, p=[0.3, 0.2, 0.15, 0.15, 0.2]))]


def tables(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """A damaged table of any format, in any command that reads one."""
    return Case([*_table_command(rng), "--dataset", _table_file(rng, folder), *GOALS], "tables")


def joins(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """A second file to be joined is damaged."""
    (folder / "good.csv").write_text(COLUMNS)
    (folder / "more.csv").write_bytes(damaged(rng, COLUMNS.replace("a,b", "d,e").encode()))
    key = str(rng.choice(["", ":i", ":nothing"]))
    arguments = ["audit", "good.csv", "--join", f"more.csv{key}", "--genes", "i,j", *GOALS]
    return Case(arguments, "joins")


def paths(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """Paths that are no text, no file, too long, loops, folders, pipes."""
    (folder / "good.csv").write_text(TABLE)
    (folder / "folder.csv").mkdir()
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "dangling.csv").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.csv")
    (folder / "closed.csv").write_text(TABLE)
    (folder / "closed.csv").chmod(0)
    if os.geteuid() == 0:
        (folder / "closed.csv").unlink()  # nothing is closed to root
    bad = [
        "a\0b.csv",
        "\udcff\udcfe.csv",
        "x" * 300,
        "x/" * 3000,
        "folder.csv",
        "loop.csv",
        "dangling.csv",
        "pipe.csv",
        "closed.csv",
        "good.csv/x",
        "/dev/null",
        "/proc/self/mem",
        "~",
        ".",
        "",
        "\n",
        "\x1b[31m.csv",
        "good.csv\0",
    ]
    path = bad[int(rng.integers(len(bad)))]
    data = ["--dataset", "good.csv", *GOALS]
    commands = [
        ["audit", path, *GOALS],
        ["search", "--dataset", path, *GOALS, "--out", "out"],
        ["search", *data, "--tuner", path, "--out", "out"],
        ["compare", "--dataset", path, *GOALS, "--methods", "random", "--out", "out"],
        ["tune", *data, "--dir", path if path not in (".", "~", "\n", "\x1b[31m.csv") else "good.csv", "--budget", "1"],
        ["audit", *data, "--join", path],
        ["data", "import", path],
        ["data", "fetch", path],
        ["data", "verify", path],
        ["run", path, "--budget", "2"],
        ["ask", path],
        ["tell", path, "good.csv"],
        ["status", path],
        ["export", path],
    ]
    return Case(commands[int(rng.integers(len(commands)))], "paths", path in ("", ".") or "x" * 300 in path)


def options(rng: np.random.Generator, folder: Path, base: Path) -> Case:
    """Numbers and texts that an option cannot mean."""
    (folder / "good.csv").write_text(TABLE)
    (folder / "space.toml").write_text(SPACE)
    (folder / "measure.py").write_text(MEASURE)
    shutil.copytree(base / "study", folder / "study")
    number = OPTION_NUMBERS[int(rng.integers(len(OPTION_NUMBERS)))]
    text = TEXTS[int(rng.integers(len(TEXTS)))]
    data = ["--dataset", "good.csv", *GOALS]
    quick = ["search", *data, "--tuner-budget", "1", "--train-ratio", "0.3", "--out", "out"]
    compare = ["compare", *data, "--methods", "random", "--budgets", "6", "--seeds", "1", "--out", "out"]
    new = ["run", "space.toml", "--measure", "measure.py:measure", "--budget", "3", "--out", "new"]
    commands = [
        [*quick, "--seed", number],
        [*quick, "--n-jobs", number],
        [*quick, "--n-jobs", "1000000"],
        [*quick, "--budget", number],
        [*quick, "--rounds", number],
        [*quick, "--tuner-budget", number],
        [*quick, "--train-ratio", number],
        [*quick, "--prefer", f"{number},1"],
        [*quick, "--constraint", f"a <= {number}"],
        [*quick, "--constraint", text],
        [*quick, "--families", text],
        [*quick, "--space", text],
        [*quick, "--memory", text],
        [*quick, "--failure-code", text],
        [*quick, "--ignore", text],
        [*quick, "--genes", text],
        [*quick, "--columns", text],
        [*quick, "--vector", text],
        [*quick, "--algorithm", text],
        [*quick, "--objectives", text],
        [*quick, "--objectives", f"{text}:min,b:min"],
        ["audit", *data, "--seed", number],
        ["audit", text],
        ["tune", *data, "--dir", "out", "--budget", number],
        ["tune", *data, "--dir", "out", "--val-ratio", number],
        ["tune", *data, "--dir", "out", "--budget", "1", "--seed", number],
        [*compare, "--seeds", number],
        [*compare, "--budgets", number],
        [*compare, "--n-jobs", number],
        [*compare, "--methods", text],
        [*compare, "--redo", text],
        [*compare, "--methods", f"{text}:X"],
        [*new, "--seed", number],
        [*new, "--budget", number],
        [*new, "--workers", number],
        [*new, "--workers", f"threads:{number}"],
        [*new, "--places", f"error={number}"],
        [*new, "--timeout", number],
        [*new, "--max-errors", number],
        [*new, "--max-errors", f"2,{number}"],
        [*new, "--prefer", f"1,{number}"],
        [*new, "--constraint", f"depth <= {number}"],
        [*new, "--constraint", text],
        [*new, "--objectives", text],
        [*new, "--measure", text],
        ["run", text, "--budget", "2"],
        ["run", f"{text}:X", "--budget", "2"],
        ["ask", "study", "-n", number],
        ["export", "study", "--format", text],
        ["init", text],
        ["init", f"{text}.txt"],
        ["data", "fetch", text],
        ["data", "fetch", "digits", "--timeout", number],
        ["data", "fetch", "digits", "--retries", number],
        ["data", "verify", text],
        [text],
        [text, text],
        ["data", text],
        ["search", "digits", f"--{text}"],
    ]
    return Case(commands[int(rng.integers(len(commands)))], "options")


def many_objectives(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """More objectives than anybody can trade off."""
    m = int(rng.integers(7, 40))
    names = [f"o{k}" for k in range(m)]
    values = np.round(rng.random((len(GRID), m)), 3)
    lines = [f'"[{i}, {j}]",' + ",".join(map(str, row)) for (i, j), row in zip(GRID, values.tolist(), strict=True)]
    (folder / "wide.csv").write_text("\n".join([",".join(["vector", *names]), *lines]))
    goals = ["--objectives", ",".join(f"{name}:min" for name in names)]
    return Case([*_table_command(rng), "--dataset", "wide.csv", *goals], "many objectives", legal=False)


# ---------------------------------------------------------------- triplets
def triplets(rng: np.random.Generator, folder: Path, base: Path) -> Case:
    """A triplet that is nested deep, damaged, or asks for impossible predictors."""
    (folder / "good.csv").write_text(TABLE)
    shutil.copytree(base / "tuned", folder / "tuned")
    file = folder / "tuned" / "triplet.json"
    content = json.loads(file.read_text())
    how = rng.random()
    if how < 0.5:
        file.write_bytes(damaged(rng, file.read_bytes()))
    else:
        values = [10**9, -5, 1e308, 10**400, "many", None, [], {}, True, 0, 0.5, float("inf"), float("nan")]
        value = values[int(rng.integers(len(values)))]
        families = {
            "random_forest": "n_estimators",
            "gradient_boosting": "n_estimators",
            "xgboost": "max_depth",
            "kernel_ridge": "gamma",
            "sgd": "alpha",
            "xgboost ": "n_estimators",
            "random_forest ": "max_depth",
            "gaussian_process": "kernel",
            "bayesian_ridge": "quadratic",
        }
        family = list(families)[int(rng.integers(len(families)))]
        spec = {"family": family.strip(), "params": {families[family]: value}, "features": "all", "transform": "none"}
        share = values[int(rng.integers(len(values)))]
        committee = {"family": "committee", "members": [{"share": share, **spec}] * int(rng.choice([1, 2, 100_000]))}
        chosen, times = spec if rng.random() < 0.7 else committee, int(rng.choice([2, 2, 2, 1, 3, 0, 1000]))
        # A thousand committees of a hundred thousand would be a file of ten gigabytes.
        content["specs"] = [chosen] * (times if len(committee["members"]) <= 2 else min(times, 3))
        for key in ("seed", "adrs", "interval"):
            if rng.random() < 0.3:
                content[key] = values[int(rng.integers(len(values)))]
        text = json.dumps(content)
        file.write_text(text.replace("Infinity", "1e400") if rng.random() < 0.5 else text)
    options = ["--tuner", "tuned", "--train-ratio", "0.3", "--out", "out"]
    return Case(["search", "--dataset", "good.csv", *GOALS, *options], "triplets")


# ------------------------------------------------------- folders of compare
def comparisons(rng: np.random.Generator, folder: Path, base: Path) -> Case:
    """A folder of compare in which a file is damaged, foreign, empty, gone or a folder."""
    (folder / "good.csv").write_text(TABLE)
    out = folder / "compared"
    shutil.copytree(base / "compared", out)
    record = next((out / "runs").rglob("*.json"))
    files = [out / name for name in ("results.csv", "trajectories.csv", "comparison.json", "oracle.csv", "report.md")]
    file = [*files, record][int(rng.choice(6, p=[0.27, 0.2, 0.2, 0.2, 0.03, 0.1]))]
    how = rng.random()
    if how < 0.1:
        file.unlink()
    elif how < 0.15:
        file.unlink()
        file.mkdir()
    elif how < 0.2:
        shutil.copy(files[int(rng.integers(len(files)))], out / "copy")
        (out / "copy").replace(file)
    elif how < 0.25 and file != record:
        shutil.rmtree(out / "runs")
        (out / "runs").write_text("a file")
    else:
        file.write_bytes(damaged(rng, file.read_bytes()))
    arguments = ["compare", "--dataset", "good.csv", *GOALS, "--budgets", "6", "--seeds", "1", "--out", "compared"]
    methods = str(rng.choice(["random", "nsga2", "random,nsga2"]))
    if rng.random() < 0.3:
        return Case(["report", "compared", "--format", str(rng.choice(["text", "markdown", "html"]))], "comparisons")
    return Case([*arguments, "--methods", methods], "comparisons")


# ----------------------------------------------------------------- studies
def studies(rng: np.random.Generator, folder: Path, base: Path) -> Case:
    """A study's folder in which a file is damaged, foreign, empty or gone."""
    shutil.copytree(base / "study", folder / "study")
    for name in ("space.toml", "measure.py"):
        shutil.copy(base / name, folder / name)
    names = ["study.json", "evaluations.sqlite", "evaluations.csv", "front.csv"]
    file = folder / "study" / names[int(rng.choice(4, p=[0.5, 0.4, 0.05, 0.05]))]
    how = rng.random()
    if how < 0.1:
        file.unlink(missing_ok=True)
    elif how < 0.15 and file.suffix == ".sqlite":
        _other_database(file)
    elif how < 0.2:
        file.unlink(missing_ok=True)
        file.mkdir()
    elif how < 0.4 and file.name == "study.json":
        content = json.loads(file.read_text())
        _mangle(rng, content)
        file.write_text(json.dumps(content))
    else:
        file.write_bytes(damaged(rng, file.read_bytes()))
    commands = [
        ["run", "study", "--budget", "8"],
        ["ask", "study", "-n", "2"],
        ["status", "study"],
        ["status", "study", "--json"],
        ["export", "study"],
        ["export", "study", "--front", "--format", "json"],
        ["tell", "study", "study/evaluations.csv"],
        ["export", "study", "--out", "exported.csv"],
    ]
    commands += [["report", "study"], ["report", "study", "--format", "html"]]
    shares = [0.1, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05]
    return Case(commands[int(rng.choice(10, p=shares))], "studies")


def _mangle(rng: np.random.Generator, content: object, depth: int = 0) -> None:
    """Another value somewhere in a JSON document."""
    values = [None, [], {}, "x", -1, 10**400, 1e308, True, "\x1b[31m", [[]], "../..", 2**63, {"a": 1}, float("nan")]
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))  # type: ignore[arg-type]
    if not keys:
        return
    key = keys[int(rng.integers(len(keys)))]
    inner = content[key]  # type: ignore[index]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
        _mangle(rng, inner, depth + 1)
    elif rng.random() < 0.25:
        del content[key]  # type: ignore[attr-defined]
    else:
        content[key] = values[int(rng.integers(len(values)))]  # type: ignore[index]


def _other_database(file: Path) -> None:
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file)
    connection.execute("create table evaluations (a text)")
    connection.commit()
    connection.close()


def measurements(rng: np.random.Generator, folder: Path, base: Path) -> Case:
    """known.csv and measured.csv that nobody can understand."""
    shutil.copytree(base / "study", folder / "study")
    for name in ("space.toml", "measure.py"):
        shutil.copy(base / name, folder / name)
    whole = "depth,lr,op,kernel,error,latency\n4,0.001,mlp,,1.5,2.5\n8,0.003,conv,5,1.0,\n2,0.01,conv,3,9,1\n"
    numbered = "evaluation,error,latency\n1,1.5,2.5\n2,,3\n"
    (folder / "measured.csv").write_bytes(damaged(rng, (whole if rng.random() < 0.7 else numbered).encode()))
    if rng.random() < 0.7:
        return Case(["tell", "study", "measured.csv"], "measurements")
    new = ["run", "space.toml", "--measure", "measure.py:measure", "--budget", "2", "--out", "new"]
    return Case([*new, "--known", "measured.csv"], "measurements")


def spaces(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """TOML files that describe no space."""
    (folder / "measure.py").write_text(MEASURE)
    text = SPACE if rng.random() < 0.8 else SPACE + "\n" + "[a" * 5000
    content = damaged(rng, text.encode())
    extras = [
        b"\n[genes.big]\nchoices = [" + b",".join(b"%d" % k for k in range(20000)) + b"]\n",
        b"\n[objectives.x]\ndirection = 'min'\nrepeats = 1000000000\n",
        b"\n[computed]\nerror = 'measure.py:measure'\n",
        b"\n[computed]\nsize = 'nowhere.py:count'\n",
        b"\na = " + b"[" * 100_000,
        b"".join(b"\n[genes.g%d]\nchoices = [1, 2]\nwhen = 'depth >= 4'\n" % k for k in range(200)),
    ]
    if rng.random() < 0.3:
        content = SPACE.encode() + extras[int(rng.integers(len(extras)))]
    (folder / "space.toml").write_bytes(content)
    return Case(["run", "space.toml", "--measure", "measure.py:measure", "--budget", "2", "--out", "new"], "spaces")


# --------------------------------------------------------------- downloads
def downloads(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """A server that sends rubbish, drips, stops, lies, or is none."""
    body = damaged(rng, TABLE.encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    answers: list[tuple[bytes, bool]] = [
        (head % len(body) + body, False),
        (head % (len(body) + 50) + body, False),
        (b"HTTP/1.1 404 \x1b[31mnot\x1b[0m \x07found\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 500 " + b"x" * 20000 + b"\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", False),
        (b"\x1b[31m" + rng.bytes(200), False),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"v" * 400, True),
        (b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 400, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nrubbish", False),
        (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-9/10\r\n\r\nabc", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc", False),
    ]
    answer, drips = answers[int(rng.integers(len(answers)))]
    server = Server(answer, drips)
    where = f"http://127.0.0.1:{server.port}/table.csv"
    addresses = [where] * 8 + [
        "http://127.0.0.1:1/x",
        "ftp://x/y",
        "http://[bad",
        "http://\x1b[31m/",
        "file:///etc/passwd",
        "",
    ]
    url = addresses[int(rng.integers(len(addresses)))]
    arguments = ["data", "fetch", "flexibert", "--url", url, "--timeout", "0.4", "--retries", "1"]
    return Case(arguments, "downloads", clean=server.close, environment={"RAPID_MOO_CACHE": str(folder / "cache")})


class Server(threading.Thread):
    """Answers every connection with the same bytes, at once or one by one."""

    def __init__(self, answer: bytes, drips: bool) -> None:
        super().__init__(daemon=True)
        self._answer, self._drips = answer, drips
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._closed = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                if not self._drips:
                    connection.sendall(self._answer)
                    return
                for k in range(len(self._answer)):
                    connection.sendall(self._answer[k : k + 1])
                    if self._closed.wait(0.1):
                        return
            except OSError:
                return

    def close(self) -> None:
        self._closed.set()
        self._socket.close()


def imports(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """Published names with other content, in a folder to import and in the cache to verify."""
    cache = folder / "cache"
    cache.mkdir()
    name = str(rng.choice(["flexibert_data.csv", "asr_data.csv", "gpt_s_a100.csv", "nasbench201_data_final.csv"]))
    asr = 'vector,latency,accuracy,mem\n"[1,0,1,0,1,1,0,0,0]",1,1,1\n"[1,0,1,0,1,5,0,0,0]",1,2,1\n'
    content = damaged(rng, (asr if rng.random() < 0.5 else TABLE).encode())
    environment = {"RAPID_MOO_CACHE": str(cache), "RAPID_MOO_DATA": ""}
    if rng.random() < 0.5:
        (folder / "at hand").mkdir()
        (folder / "at hand" / name).write_bytes(content)
        return Case(["data", "import", "at hand"], "imports", environment=environment)
    (cache / name).write_bytes(content)
    commands = [["data", "verify"], ["data", "list"], ["problems"], ["audit", str(cache / name)]]
    return Case(commands[int(rng.integers(4))], "imports", environment=environment)


def templates(rng: np.random.Generator, folder: Path, _base: Path) -> Case:
    """Where a new space file cannot or must not be written."""
    (folder / "there.toml").write_text("kept")
    (folder / "file").write_text("kept")
    (folder / "folder.toml").mkdir()
    names = [
        "there.toml",
        "folder.toml",
        "file/x.toml",
        "x.txt",
        ".toml",
        "a\0.toml",
        "\udcff.toml",
        "x" * 300 + ".toml",
    ]
    name = names[int(rng.integers(len(names)))]
    return Case(["init", name], "templates", name == ".toml")


KINDS: dict[Callable[[np.random.Generator, Path, Path], Case], float] = {
    tables: 0.24,
    joins: 0.04,
    paths: 0.08,
    options: 0.2,
    many_objectives: 0.02,
    triplets: 0.08,
    comparisons: 0.12,
    studies: 0.08,
    measurements: 0.05,
    spaces: 0.04,
    downloads: 0.02,
    imports: 0.02,
    templates: 0.01,
}


def kind_of(number: int) -> Callable[[np.random.Generator, Path, Path], Case]:
    """What makes the case of a number."""
    return _drawn(np.random.default_rng([24, number]))


def make_case(number: int, folder: Path, base: Path) -> Case:
    """The case of a number: its files in an empty folder, and its command."""
    rng = np.random.default_rng([24, number])
    return _drawn(rng)(rng, folder, base)


def _drawn(rng: np.random.Generator) -> Callable[[np.random.Generator, Path, Path], Case]:
    kinds = list(KINDS)
    share = np.array(list(KINDS.values()))
    return kinds[int(rng.choice(len(kinds), p=share / share.sum()))]
