"""Measuring the front again: what it costs is said beforehand, and no budget is exceeded that nobody has stated."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rapid_moo import Objective, Study
from rapid_moo.cli.main import main
from rapid_moo.errors import InputError

_spec = importlib.util.spec_from_file_location("_shared", Path(__file__).with_name("conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
GOALS, good, toy = _shared.GOALS, _shared.good, _shared.toy
PRICED = (Objective("error", "min", cost=7.0), Objective("latency", "min", cost=0.25))
CODE = """
import random

noise = random.Random(5)

def error(a):
    return 10.0 / a["depth"] + 0.1 * a.get("kernel", 1) + noise.gauss(0.0, 0.5)

def latency(a):
    return a["depth"] * a.get("kernel", 1) + noise.gauss(0.0, 0.5)
"""


def noisy_study(folder, objectives, budget):
    """A study whose budget is spent, with noise in both objectives, which have functions of their own."""
    rng = np.random.default_rng(1)

    def noisy(name):
        return lambda architecture: good(architecture)[name] + rng.normal(0.0, 0.5)

    study = Study(folder, toy(), {name: noisy(name) for name in ("error", "latency")}, objectives=objectives)
    study.run(budget)
    return study


@pytest.fixture(params=["evaluations", "cost"])
def spent(request, tmp_path):
    """A study whose budget is spent, and the command that goes on with it."""
    priced = request.param == "cost"
    study = noisy_study(tmp_path / "s", PRICED if priced else GOALS, 18 * 7.25 if priced else 18)
    (tmp_path / "m.py").write_text(CODE)
    measures = [f"--measure={name}={tmp_path / 'm.py'}:{name}" for name in ("error", "latency")]
    return study, ["run", str(tmp_path / "s"), *measures]


def test_the_front_is_measured_again(tmp_path):
    study = noisy_study(tmp_path, GOALS, 18)
    count, price = study.price_of_confirming()
    assert count == price == len(study.expected().again) > 0
    after = study.run(18 + count, confirm=True)
    assert after.begun == after.budget == 18 + count
    assert (after.done, study.store.repeats.max()) == (18, 2)
    frame = pd.read_csv(tmp_path / "expected_front.csv")
    assert {"expected_error", "unsure_error", "repeats_error", "measure_again"} <= set(frame.columns)


def test_without_a_budget_nothing_is_spent_beyond_the_stated_one(spent, capsys):
    study, command = spent
    before, content = study.spent, (study.folder / "study.json").read_text()
    count, price = study.price_of_confirming()
    assert main([*command, "--confirm"]) == 0
    assert Study(study.folder).spent == before
    assert json.loads((study.folder / "study.json").read_text())["settings"] == json.loads(content)["settings"]
    told = capsys.readouterr()
    (paying,) = re.findall(r"for all of them: rapid-moo (run .* --confirm --budget [\d.]+)$", told.err, re.MULTILINE)
    assert f"note: {count} architectures are worth measuring again" in told.err
    # The end of the run names the same command, and it pays for all of them.
    assert f"{count} are worth measuring again: rapid-moo {paying}" in " ".join(told.out.split())
    assert main([*shlex.split(paying), *command[2:]]) == 0
    assert Study(study.folder).spent == pytest.approx(before + price)
    assert "for all of them" not in capsys.readouterr().err
    assert (Study(study.folder).store.repeats.max(axis=1) > 1).sum() == count


def test_without_a_budget_it_takes_what_the_budget_leaves(spent):
    study, _ = spent
    count, price = study.price_of_confirming()
    each = price / count
    total = study.spent + 2.5 * each if study.problem.costs_stated else study.spent + 2
    study.definition.keep_budget(total)
    study.run(confirm=True)
    again = np.flatnonzero((study.store.repeats > 1).any(axis=1))
    assert 2 <= len(again) < count
    assert study.spent <= total == study.status().budget


def test_what_is_cheaper_is_measured_where_the_first_is_too_dear(tmp_path, monkeypatch):
    study = noisy_study(tmp_path, PRICED, 18 * 7.25)
    again = {0: frozenset({"error"}), 1: frozenset({"latency"})}
    monkeypatch.setattr(Study, "_worth_repeating", lambda self, found: again)
    assert study.price_of_confirming() == (2, 7.25)
    study.run(study.spent + 1.0, confirm=True)
    assert study.store.repeats[:2].tolist() == [[1, 1], [1, 2]]


def test_a_study_that_has_no_budget_asks_for_one(tmp_path):
    study = Study(tmp_path, toy(), good, objectives=GOALS)
    rng = np.random.default_rng(1)
    for x in toy().enumerate():
        architecture = toy().to_dict(x)
        study.tell(architecture, {name: value + rng.normal(0.0, 0.5) for name, value in good(architecture).items()})
    assert study.price_of_confirming()[0] > 0
    with pytest.raises(InputError, match="budget: expected the number of evaluations, got none"):
        study.run(confirm=True)


def test_an_interrupted_confirmation_goes_on_as_one(spent, capsys, monkeypatch):
    study, command = spent

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "run", interrupted)
    assert main([*command, "--confirm"]) == 130
    assert f"go on with: rapid-moo run {study.folder} --confirm\n" in capsys.readouterr().err
