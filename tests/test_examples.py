"""The examples are what a newcomer copies: their spaces are sound, and their measures really run as commands."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/space.toml"))


def space(name):
    return tomllib.loads((EXAMPLES / name / "space.toml").read_text(encoding="utf-8"))


def choices(gene):
    return gene["choices"] if isinstance(gene, dict) else gene


def architecture(name, pick, **fixed):
    """Genes of one architecture: of each the first (0) or last (-1) choice, those that are not active left out."""
    made = {}
    for gene, stated in space(name)["genes"].items():
        conditions = stated.get("when", {}) if isinstance(stated, dict) else {}
        if all(made.get(other) in (want if isinstance(want, list) else [want]) for other, want in conditions.items()):
            made[gene] = fixed.get(gene, choices(stated)[pick])
    return made


def measure(name, genes):
    return subprocess.run(
        [sys.executable, f"examples/{name}/measure.py"],
        cwd=EXAMPLES.parent,
        input=json.dumps(genes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def measured(name, genes):
    ended = measure(name, genes)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    found = json.loads(ended.stdout)
    assert list(found) == list(space(name)["objectives"])
    assert all(value >= 0 for value in found.values())
    return found


def test_there_are_examples():
    assert {"convnet", "tower"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_spaces_are_sound(name):
    held = space(name)
    assert held["name"] == name
    for gene in held["genes"].values():
        assert len(set(choices(gene))) == len(choices(gene)) > 1
        conditions = gene["when"] if isinstance(gene, dict) else {}
        for other, wanted in conditions.items():
            assert set(wanted if isinstance(wanted, list) else [wanted]) < set(choices(held["genes"][other]))
    assert all(objective["direction"] in ("min", "max") for objective in held["objectives"].values())


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_short_and_show_genes_of_the_space(name):
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 40
    assert f"rapid-moo run examples/{name}/space.toml" in page
    (shown,) = [line for line in page.splitlines() if line.startswith("$ echo")]
    genes = json.loads(shown.split("'")[1])
    first = architecture(name, 0, **genes)
    assert first == genes


def test_tower_trains_every_optimizer():
    adam = measured("tower", {"depth": 2, "width": 32, "lr": 0.01, "optimizer": "adam"})
    assert adam["error"] < 6.0
    again = measured("tower", {"depth": 2, "width": 32, "lr": 0.01, "optimizer": "adam"})
    assert again["error"] == adam["error"]
    best = measured("tower", architecture("tower", -1))
    assert best["error"] < adam["error"] + 6.0
    assert best["error"] != adam["error"]
    slow = measured("tower", architecture("tower", 0, optimizer="sgd"))
    assert slow["error"] > 50.0  # no momentum and the smallest rate


def test_tower_refuses_genes_that_it_does_not_know():
    ended = measure("tower", {"depth": 2, "width": 32, "lr": 0.01})
    assert ended.returncode != 0
    assert "KeyError: 'optimizer'" in ended.stderr
    assert ended.stdout == ""


def test_convnet_says_what_is_missing(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="the extra 'profile' is not installed")
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    ended = measure("convnet", {})
    assert ended.returncode == 1
    assert ended.stderr == "this example trains with PyTorch: pip install torch==2.13.0\n"


@pytest.mark.parametrize("op", ["conv", "separable", "mlp"])
def test_convnet_trains_every_operation(op):
    pytest.importorskip("torch", reason="the example trains with PyTorch, which is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'profile' is not installed")
    small = measured("convnet", architecture("convnet", 0, op=op, lr=0.01))
    large = measured("convnet", architecture("convnet", -1, op=op, dropout=0.0))
    assert large["error"] < 5.0
    assert large["error"] < small["error"] < 60.0
    assert large["size"] > small["size"]
    assert large["latency"] > small["latency"]
