"""The wheel holds the package's files, all of them and nothing else, and works away from the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ["rapid_moo", "problems", "data", "tests", "benchmarks", "notebooks", "pyproject.toml", "README.md", "LICENSE"]
DATA = ["__init__.py", "manifest.toml", "digits.csv", "digits_batch64.csv"]


def files(folder: Path, below: str) -> dict[str, bytes]:
    """Content of a folder's own files by their names in the wheel; links to other folders are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        linked = any((folder / part).is_symlink() for part in [inside, *inside.parents] if part != Path())
        if path.is_file() and not linked and "__pycache__" not in path.parts:
            found[f"{below}/{inside.as_posix()}"] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built offline from a copy: a build leaves folders behind."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / part)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (path,) = out.glob("*.whl")
    return path


def test_files_are_those_of_the_tree(wheel):
    expected = files(ROOT / "rapid_moo", "rapid_moo") | files(ROOT / "problems", "rapid_moo/problems")
    expected |= {f"rapid_moo/_data/{name}": (ROOT / "data" / name).read_bytes() for name in DATA}
    assert "rapid_moo/py.typed" in expected
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(held) == sorted(expected)
    assert [name for name in held if held[name] != expected[name]] == []


def test_nothing_beside_the_package_is_installed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        licence = [name for name in archive.namelist() if name.endswith("LICENSE")]
    assert sorted(top for top in tops if not top.endswith(".dist-info")) == ["rapid_moo"]
    assert len(licence) == 1


def test_works_away_from_the_tree(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import rapid_moo, rapid_moo.problems; from rapid_moo import get_problem;"
        "print(rapid_moo.__file__, rapid_moo.problems.__file__, len(get_problem('digits').table))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[0].startswith(str(tmp_path / "site"))
    assert said[1].endswith(os.path.join("site", "rapid_moo", "problems", "__init__.py"))
    assert said[2] == "3400"


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
