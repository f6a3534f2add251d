"""References to the user's own code: files and modules, found again anywhere."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from rapid_moo.errors import InputError
from rapid_moo.study.references import Reference, is_reference

CODE = """
import json
from dataclasses import dataclass

import neighbour

SIZES = [1, 2]

class Net:
    @staticmethod
    def params(a):
        return a["depth"] * neighbour.FACTOR

def measure(a, scale=1):
    return {"error": scale / a["depth"]}

@dataclass
class Point:
    x: int = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    before, modules = list(sys.path), set(sys.modules)
    (tmp_path / "my_space.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("FACTOR = 10\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = before
    for name in set(sys.modules) - modules:
        if name == "neighbour" or name.startswith(("_user_", "own_")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("my_space.py:measure", True),
        ("runs/my space.py:measure", False),
        ("package.module:Class.method", True),
        ("module:name", True),
        ("latency <= 20", False),
        ("latency:min, error:min", False),
        ("measure.py", False),
        ("python measure.py", False),
        (":name", False),
        ("module:", False),
        ("a-b:c", False),
    ],
)
def test_what_is_one(text, answer):
    assert is_reference(text) is answer


def test_a_function_in_a_file(folder):
    reference = Reference.parse("my_space.py:measure")
    assert reference.where == str((folder / "my_space.py").resolve())
    assert str(reference) == f"{reference.where}:measure"
    assert reference({"depth": 2}, scale=4) == {"error": 2.0}
    assert Reference.parse("my_space.py:Net.params")({"depth": 2}) == 20
    assert Reference.parse("my_space.py:SIZES").load() == [1, 2]
    assert Reference.parse("my_space.py:Point")().x == 3


def test_a_relative_file_lies_in_the_folder(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert Reference.parse("my_space.py:measure", folder)({"depth": 2}) == {"error": 0.5}


def test_the_same_file_is_loaded_once(folder):
    first = Reference.parse("my_space.py:SIZES").load()
    assert Reference.parse(f"{folder}/./my_space.py:SIZES").load() is first


def test_two_files_of_one_name_are_two(folder):
    (folder / "other").mkdir()
    (folder / "other" / "my_space.py").write_text("SIZES = [3]\n")
    assert Reference.parse("my_space.py:SIZES").load() == [1, 2]
    assert Reference.parse("other/my_space.py:SIZES").load() == [3]


def test_a_function_in_a_module(folder):
    (folder / "own_package").mkdir()
    (folder / "own_package" / "__init__.py").write_text("")
    (folder / "own_package" / "nets.py").write_text("def measure(a):\n    return 7\n")
    assert Reference.parse("own_package.nets:measure")({}) == 7
    assert Reference.parse("json:dumps")([1]) == "[1]"


def test_travels_to_another_process(folder):
    text = pickle.dumps(Reference.parse("my_space.py:measure")).hex()
    script = f"import pickle; print(pickle.loads(bytes.fromhex('{text}'))({{'depth': 4}}))"
    run = subprocess.run([sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "{'error': 0.25}", run.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("measure", "'measure': expected FILE.py:NAME or package.module:NAME"),
        ("my_space.py:", "expected FILE.py:NAME"),
        (":measure", "expected FILE.py:NAME"),
        ("nothing.py:measure", "expected a Python file, found nothing at .*nothing.py"),
    ],
)
def test_what_is_none(folder, text, message):
    with pytest.raises(InputError, match=message):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my_space.py:mesure", "expected a name in .*my_space.py, one of .*measure.*; got 'mesure'"),
        ("my_space.py:Net.flops", "got 'Net.flops'"),
        ("no_such_module:measure", "expected an importable module, found none named 'no_such_module'"),
        ("json.no_such:measure", "expected an importable module, found none named 'json.no_such'"),
    ],
)
def test_what_cannot_be_found(folder, text, message):
    with pytest.raises(InputError, match=message):
        Reference.parse(text).load()


def test_a_file_that_is_gone(folder):
    reference = Reference.parse("neighbour.py:FACTOR")
    Path("neighbour.py").unlink()
    with pytest.raises(InputError, match="expected a Python file, found nothing"):
        reference.load()


@pytest.mark.parametrize(
    ("code", "error"),
    [("1 / 0", ZeroDivisionError), ("import no_such_dependency", ModuleNotFoundError), ("def f(:", SyntaxError)],
)
def test_what_the_users_file_raises_comes_as_it_is_and_may_be_mended(folder, code, error):
    path = folder / "own_broken.py"
    path.write_text(code)
    for text in ("own_broken.py:x", "own_broken:x"):
        with pytest.raises(error):
            Reference.parse(text).load()
    path.write_text("value = 'mended'  # longer than what was broken")
    assert Reference.parse("own_broken.py:value").load() == "mended"


def test_a_file_that_is_edited_within_a_second_is_read_anew(tmp_path):
    path = tmp_path / "quick.py"
    for told in ("one", "two"):
        path.write_text(f"def say():\n    return {told!r}\n")
        run = "import sys; from rapid_moo.study.references import Reference; print(Reference.parse(sys.argv[1])())"
        done = subprocess.run([sys.executable, "-c", run, f"{path}:say"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == told
    assert not (tmp_path / "__pycache__").exists()
