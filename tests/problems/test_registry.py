"""Names of spaces: built in, registered by a script, announced by an installed package."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from rapid_moo import GridSpace, Objective, get_problem, get_space, open_table, register_space
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.problems import registry, space_names
from rapid_moo.problems.registry import choose_objectives
from rapid_moo.space import Gene


def tiny():
    return GridSpace("tiny", [Gene("a", (1, 2)), Gene("b", (0, 1, 2))], [Objective("x", "min"), Objective("y", "max")])


@pytest.fixture
def _clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})


@pytest.mark.usefixtures("_clean_registry")
class TestRegister:
    def test_by_name(self):
        register_space(tiny, "tiny")
        assert "tiny" in space_names()
        assert get_space("tiny").size == 6
        problem = get_problem("tiny", source=lambda X: [[X[0, 0], X[0, 1]]])
        assert problem.evaluate([[1, 2]]).tolist() == [[1.0, -2.0]]

    @pytest.mark.parametrize("name", ["tiny", "digits"])
    def test_a_name_is_taken_once(self, name):
        register_space(tiny, "tiny")
        with pytest.raises(InputError, match=name):
            register_space(lambda: tiny(), name)

    def test_the_same_definition_again_replaces_the_first(self):
        # A notebook's cell is run again: a new class or function of the same name.
        cell = "class Mine(GridSpace):\n    pass\ndef make():\n    return tiny()\n"
        for factory in ("Mine", "make", "tiny"):
            found = []
            for _ in range(2):
                scope = {"GridSpace": GridSpace, "tiny": tiny, "__name__": "__main__"}
                exec(cell, scope)
                register_space(scope[factory], factory)
                found.append(scope[factory])
            assert registry._REGISTERED[factory] is found[1]

    def test_functions_without_a_name_are_the_same_if_they_do_the_same(self):
        def again(k):
            return [lambda: tiny(), lambda: tiny().fresh()][k]

        register_space(again(0), "nameless")
        register_space(again(0), "nameless")
        with pytest.raises(InputError, match="nameless"):
            register_space(again(1), "nameless")

    @pytest.mark.parametrize("other", ["class Mine:\n    pass", "def mine():\n    pass", "def Mine():\n    pass"])
    def test_another_definition_does_not(self, other):
        scope = {"GridSpace": GridSpace, "__name__": "__main__"}
        exec("class Mine(GridSpace):\n    pass", scope)
        register_space(scope["Mine"], "mine")
        name = other.split()[1].partition("(")[0].rstrip(":")
        scope["__name__"] = "__main__" if name != "Mine" or other.startswith("def") else "elsewhere"
        exec(other, scope)
        with pytest.raises(InputError, match="mine"):
            register_space(scope[name], "mine")

    def test_a_class_brings_its_name_and_comes_back(self):
        @register_space
        class Mine(GridSpace):
            name = "mine"

        assert Mine.name in space_names()

    def test_a_nameless_factory_needs_a_name(self):
        with pytest.raises(InputError, match="expected a name"):
            register_space(tiny)

    def test_no_source(self):
        register_space(tiny, "tiny")
        with pytest.raises(InputError, match="expected a source"):
            get_problem("tiny")

    def test_states_the_space_of_a_file(self, tmp_path):
        register_space(tiny, "tiny")
        path = tmp_path / "mine.csv"
        path.write_text('vector,x,y\n"[1, 0]",1,2\n"[2, 2]",2,3\n"[2, 1]",3,1\n')
        problem = get_problem(path, space="tiny")
        assert problem.space.genes[0].name == "a"
        assert problem.front_kind == "reference"
        assert len(problem.pareto_front()) == 2

    def test_unknown_option(self):
        register_space(tiny, "tiny")
        with pytest.raises(InputError, match=r"'tiny'.*scale"):
            get_space("tiny", scale="s")


def test_announced_by_an_installed_package(tmp_path, monkeypatch):
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.PLUGIN_GROUP}]\nannounced = other_module:Announced\n")
    (tmp_path / "other_module.py").write_text(
        "from rapid_moo import Gene, SearchSpace\n"
        "class Announced(SearchSpace):\n"
        "    name = 'announced'\n"
        "    genes = (Gene('a', (0, 1, 2)),)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "announced" in space_names()
    assert get_space("announced").size == 3


@pytest.mark.parametrize("name", ["nonsense", "", "hw_gpt_x", "hw_gpt_", "nasbench"])
def test_unknown_names_are_one_error(name):
    with pytest.raises(InputError, match=re.escape(repr(name)) if not name.startswith("hw_gpt_") else "scale"):
        get_space(name)


@pytest.mark.parametrize(
    ("name", "options"), [("hw_gpt", {"scale": "xl"}), ("digits", {"scale": "s"}), ("digits", {"memory": "ram"})]
)
def test_unknown_options_are_one_error(name, options):
    with pytest.raises(InputError):
        get_problem(name, **options)


def test_a_device_names_a_table_of_its_own():
    first, second = get_problem("digits").table, get_problem("digits", device="batch64").table
    assert (first.name, second.name) == ("digits", "digits_batch64")
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.raw[:, [0, 2]], second.raw[:, [0, 2]])
    assert first.fingerprint != second.fingerprint
    with pytest.raises(DataNotFoundError, match="'digits_batch65'"):
        get_problem("digits", device="batch65")


def test_two_names_of_one_column_are_the_same_objective():
    with pytest.raises(InputError, match="expected distinct columns, got memory, memory, accuracy"):
        choose_objectives(get_space("flexibert"), objectives="mem:min,memory:min,accuracy:max")


class TestVectorsOfAKnownSpace:
    """A file that is not named like a published one may still hold a published space."""

    def frame(self, space, X):
        vectors = ["[" + ", ".join(map(str, row)) + "]" for row in space.decode(X).tolist()]
        return pd.DataFrame({"vector": vectors, "error": np.arange(len(X)) * 1.0, "latency": np.arange(len(X))[::-1]})

    @pytest.mark.parametrize(("name", "share"), [("nasbench201", 0.6), ("hw_gpt_s", 0)])
    def test_is_told(self, tmp_path, caplog, name, share):
        space = get_space(name)
        X = space.sample(int(share * space.size) or 50, 0)
        path = tmp_path / "board.csv"
        self.frame(space, X).to_csv(path, index=False)
        open_table(path, objectives="error:min,latency:min")
        assert f"--space {name}" in caplog.text
        caplog.clear()
        table = open_table(path, objectives="error:min,latency:min", space=name)
        assert table.space.name == space.name
        assert "--space" not in caplog.text

    def test_of_a_few_short_vectors_nothing_is_guessed(self, tmp_path, caplog):
        space = get_space("nasbench201")
        path = tmp_path / "board.csv"
        self.frame(space, space.sample(300, 0)).to_csv(path, index=False)
        open_table(path, objectives="error:min,latency:min")
        assert "--space" not in caplog.text
