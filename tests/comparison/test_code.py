"""Records of a method of one's own belong to its code: edited code never passes off old results as its own."""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2

from rapid_moo import genotype_operators
from rapid_moo.cli import main
from rapid_moo.comparison import Comparison, get_method
from rapid_moo.comparison.code import code_of
from rapid_moo.comparison.registry import find_method
from rapid_moo.comparison.report import comparison_report
from rapid_moo.errors import InputError
from rapid_moo.report.compared import comparison_blocks
from rapid_moo.report.rendering import markdown

MODULE = """
from pymoo.algorithms.moo.nsga2 import NSGA2
from rapid_moo import genotype_operators
from rapid_moo.comparison import Method
from {helpers} import SIZE, scale

FACTOR = 2

class Mine(Method):
    name = "mine"

    def __init__(self, problem, budget, seed):
        super().__init__(problem, budget, seed)
        self.seed = seed

    def ask(self):
        self.seed += 1
        return self.problem.space.sample(scale(SIZE), seed=self.seed)

    def tell(self, X, F):
        self.best = list(map(lambda f: f * FACTOR, F))

def grown(problem):
    return NSGA2(pop_size=scale(SIZE), **genotype_operators(problem))

def unrelated():
    return 1
"""
HELPERS = "SIZE = 10\n\ndef scale(n):\n    return n\n"
EDITS = {
    "a method": ("self.seed += 1", "self.seed += 2", False),
    "a function within": ("f * FACTOR", "f + FACTOR", False),
    "a constant of the module": ("FACTOR = 2", "FACTOR = 3", False),
    "a comment": ("FACTOR = 2", "FACTOR = 2  # twice\n", True),
    "what it does not use": ("return 1", "return 2", True),
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a user's module and loads it anew, as another process would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text=MODULE, helpers=HELPERS):
        for name, content in (("helpers_of_mine", helpers), ("mine_to_edit", text)):
            (tmp_path / f"{name}.py").write_text(content.replace("{helpers}", "helpers_of_mine"))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("mine_to_edit")

    yield write
    for name in ("helpers_of_mine", "mine_to_edit"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("edit", EDITS)
def test_the_hash_follows_what_runs(edit, module):
    old, new, same = EDITS[edit]
    before = code_of(module().Mine)
    assert len(before) == 16
    assert code_of(module().Mine) == before
    assert (code_of(module(MODULE.replace(old, new)).Mine) == before) == same


@pytest.mark.parametrize("name", ["Mine", "grown"])
def test_the_hash_follows_other_modules_of_the_user(name, module):
    found = {
        code_of(find_method(getattr(module(helpers=text), name)))
        for text in (HELPERS, HELPERS.replace("10", "12"), HELPERS.replace("return n", "return n + 1"))
    }
    assert len(found) == 3


def sized(n, problem):
    return NSGA2(pop_size=n, **genotype_operators(problem))


class Maker:
    __name__ = "maker"

    def __init__(self, n):
        self.n = n

    def __call__(self, problem):
        return sized(self.n, problem)


def made(n):
    def inner(problem):
        return sized(n, problem)

    return inner


@pytest.mark.parametrize("make", [lambda n: NSGA2(pop_size=n), lambda n: partial(sized, n), Maker, made])
def test_the_hash_follows_what_an_algorithm_was_made_with(make):
    codes = [code_of(find_method(make(n))) for n in (10, 10, 20)]
    assert codes[0] == codes[1] != codes[2]


def test_classes_without_a_source_differ_by_what_they_state():
    base = get_method("nsga2")
    kinds = [type("Sized", (base,), {"name": "sized", "pop_size": size}) for size in (10, 10, 20)]
    codes = [code_of(kind) for kind in kinds]
    assert codes[0] == codes[1] != codes[2]


def test_the_hash_is_the_same_in_another_process(module, tmp_path):
    told = [code_of(module().Mine), code_of(find_method(module().grown))]
    call = "import mine_to_edit as m; from rapid_moo.comparison.code import code_of as c"
    call += "; from rapid_moo.comparison.registry import find_method as f; print(c(m.Mine), c(f(m.grown)))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.split() == told


def test_a_built_in_method_has_none_and_its_records_say_nothing_of_code(tmp_path, small_table):
    assert code_of(get_method("random")) == ""
    results = Comparison(small_table(), ["random"], [20], 1, tmp_path).run()
    assert results["code"].tolist() == [""]
    assert "code" not in json.loads((tmp_path / "runs" / "small" / "random" / "seed0.json").read_text())


@pytest.mark.parametrize("name", ["Mine", "grown"])
def test_edited_code_is_run_again_and_its_old_results_go(name, module, tmp_path, small_table, caplog):
    def compare(seeds, text=MODULE, helpers=HELPERS):
        caplog.clear()
        method = getattr(module(text, helpers), name)
        results = Comparison(small_table(), ["random", method], [20, 40], seeds, tmp_path / "out").run()
        warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        return results[results["method"] != "random"], warned

    own = "mine" if name == "Mine" else "grown"
    first, warned = compare(3)
    assert warned == []
    assert first["code"].nunique() == 1
    again, warned = compare(3)
    assert warned == []
    pd.testing.assert_frame_equal(again, first)
    edited, warned = compare(2, helpers=HELPERS.replace("10", "12"))
    assert warned == [f"{own}: 2 records are of other code than it has now, made again as with --redo {own}"]
    assert not np.isin(first["code"], edited["code"]).any()
    # The third seed was not asked for, but what it says is of code that is gone.
    for file in ("results.csv", "trajectories.csv"):
        written = pd.read_csv(tmp_path / "out" / file)
        assert written.groupby("method")["seed"].nunique().to_dict() == {own: 2, "random": 3}
    _, warned = compare(3, helpers=HELPERS.replace("10", "12"))
    assert warned == [f"{own}: 1 record is of other code than it has now, made again as with --redo {own}"]


def test_other_code_on_another_table_is_told(module, tmp_path, small_table):
    small = small_table()
    for name, text in (("one", MODULE), ("two", MODULE.replace("FACTOR = 2", "FACTOR = 3"))):
        table = replace(small, name=name)
        Comparison(table, ["random", module(text).Mine], [20], 2, tmp_path).run()
        told = markdown(comparison_blocks(comparison_report(tmp_path).comparison))
        assert ("Runs of mine are of different code on different tables" in told) == (name == "two")
    assert set(pd.read_csv(tmp_path / "results.csv")["dataset"]) == {"one", "two"}


def test_the_command_line_says_so_and_redoes_by_name_or_address(module, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.setattr(sys, "path", [*sys.path])
    arguments = ["compare", "--dataset", "digits", "--methods", "random,mine_to_edit:Mine,mine_to_edit:grown"]
    arguments += ["--budgets", "20", "--seeds", "2", "--out", str(tmp_path / "out")]
    module()
    assert main(arguments) == 0
    record = tmp_path / "out" / "runs" / "digits" / "mine" / "seed0.json"
    assert "Written" in capsys.readouterr().out
    broken = MODULE.replace("self.seed += 1", "raise ValueError('as planned')")
    module(broken)
    assert main(arguments) == 1
    assert "mine: 2 records are of other code than it has now, made again as with --redo mine" in caplog.text
    assert "as planned" in capsys.readouterr().err
    assert set(pd.read_csv(tmp_path / "out" / "results.csv")["method"]) == {"random", "grown"}
    module()
    for redo in ("mine", "mine_to_edit:Mine"):
        old = record.read_text()
        assert main([*arguments, "--redo", redo]) == 0
        assert record.read_text() != old
    assert main([*arguments, "--redo", "Mine"]) == 2
    assert "one of the compared methods random, mine, grown, got 'Mine'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["function", "class", "instance"])
def test_the_command_line_takes_what_a_comparison_takes(kind, module, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    module(MODULE + "\nclass Grown(NSGA2):\n    pass\n\ninstance = NSGA2(pop_size=10)\n")
    name, method = {"function": ("grown", "grown"), "class": ("Grown", "Grown"), "instance": ("instance", "NSGA2")}[
        kind
    ]
    arguments = ["compare", "--dataset", "digits", "--methods", f"mine_to_edit:{name}", "--budgets", "20"]
    assert main([*arguments, "--seeds", "1", "--out", str(tmp_path / "out")]) == 0
    assert pd.read_csv(tmp_path / "out" / "results.csv")["method"].tolist() == [method]


def test_no_algorithm_poses_as_a_built_in_method(tmp_path, small_table):
    def nsga2(problem):
        return sized(10, problem)

    with pytest.raises(InputError, match="method 'nsga2': expected a new name, got that of a built-in method"):
        Comparison(small_table(), [nsga2], [20], 1, tmp_path)


def test_what_makes_no_algorithm_is_refused_before_anything_is_run(tmp_path, small_table):
    def broken(problem):
        return problem.no_such_thing

    with pytest.raises(InputError, match=r"method 'broken': expected a pymoo algorithm, got AttributeError: .*no_such"):
        Comparison(small_table(), ["random", broken], [20], 1, tmp_path)
    assert list(tmp_path.iterdir()) == []
