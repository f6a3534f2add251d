"""What the project writes it reads."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_moo import ArchitectureTable, Gene, GridSpace, Objective, Store, get_space, open_table
from rapid_moo.cli import main

GOALS = (Objective("cost", "min"), Objective("gain", "max"))
TEXT = "cost:min,gain:max"
scalars = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
    st.sampled_from(
        ["conv", "3", "007", "1.5", "dw conv", "a=b", 'say "x"', "None", "true", "größe", "", " x", "x, y"]
    ),
    st.booleans(),
    st.none(),
)
names = st.sampled_from(["k", "op", "lr", "dw width", "evaluation", "state", "phase", "vector", "architecture", "a,b"])


def distinct(values):
    kept = []
    for value in values:
        if not any(value == other for other in kept):
            kept.append(value)
    return tuple(kept)


@st.composite
def spaces(draw):
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    genes = [Gene(name, distinct(draw(st.lists(scalars, min_size=1, max_size=4)))) for name in chosen]
    if len(genes) > 1 and draw(st.booleans()) and -1 not in genes[1].choices:
        genes[1] = Gene(genes[1].name, genes[1].choices, when={genes[0].name: genes[0].choices[0]})
    return GridSpace("drawn", genes, GOALS)


@st.composite
def tables(draw):
    space = draw(spaces())
    X = space.sample(draw(st.integers(1, 12)), draw(st.integers(0, 99)))
    raw = draw(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 2), min_size=len(X), max_size=len(X)))
    return ArchitectureTable.build(space, GOALS, X, raw)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@settings(deadline=None, max_examples=150)
@given(table=tables())
def test_tables_survive_a_csv_file(folder, table):
    path = folder / "table.csv"
    table.to_frame().to_csv(path, index=False)
    same = open_table(path, space=table.space)
    assert same.fingerprint == table.fingerprint
    inferred = open_table(path, objectives=TEXT)
    np.testing.assert_array_equal(inferred.raw, table.raw)
    assert len(inferred) == len(table), "no two rows became one"
    names = [gene.name for gene in table.space.genes]
    assert [gene.name for gene in inferred.space.genes] == [n for n in names if n in _active(table)]


def _active(table):
    return {name for x in table.X for name in table.space.to_dict(x)}


@settings(deadline=None, max_examples=50)
@given(table=tables())
def test_tables_survive_a_frame(table):
    assert open_table(table.to_frame(), space=table.space).fingerprint == table.fingerprint


def test_inferred_genes_are_those_that_were_written(tmp_path):
    space = GridSpace(
        "s",
        [
            Gene("op", ("conv", "mlp")),
            Gene("k", (3, 5, 7), when="op == conv"),
            Gene("lr", (0.001, 0.01)),
            Gene("b", (False, True)),
        ],
        GOALS,
    )
    X = space.enumerate()
    table = ArchitectureTable.build(space, GOALS, X, np.arange(2.0 * len(X)).reshape(-1, 2))
    table.to_frame().to_csv(tmp_path / "t.csv", index=False)
    read = open_table(tmp_path / "t.csv", objectives=TEXT)
    assert read.space.genes == space.genes
    assert read.fingerprint == table.fingerprint
    assert read.front_kind == "true"


@pytest.mark.parametrize("name", ["nasbench201", "nasbench_asr", "digits", "flexibert", "hw_gpt_s"])
def test_tables_of_built_in_spaces(name, tmp_path):
    space = get_space(name)
    X = space.repair(np.random.default_rng(0).integers(0, space.n_choices, size=(30, space.n_var)))
    table = ArchitectureTable.build(space, GOALS, X, np.arange(60.0).reshape(-1, 2))
    table.to_frame().to_csv(tmp_path / "t.csv", index=False)
    assert open_table(tmp_path / "t.csv", space=space, objectives=TEXT).fingerprint == table.fingerprint
    assert len(open_table(tmp_path / "t.csv", objectives=TEXT)) == len(table)


def test_genes_called_like_objectives_and_columns_of_ours(tmp_path):
    space = GridSpace("s", [Gene("architecture", ("x", "y")), Gene("cost", (1, 2))], GOALS)
    table = ArchitectureTable.build(space, GOALS, space.enumerate(), np.arange(8.0).reshape(-1, 2))
    frame = table.to_frame()
    assert list(frame) == ["architecture_", "architecture", "cost", "gain"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = open_table(tmp_path / "t.csv", objectives=TEXT)
    assert [gene.name for gene in read.space.genes] == ["architecture", "cost"]
    assert read.fingerprint == table.fingerprint


def test_a_users_own_column_called_architecture_is_a_gene():
    frame = pd.DataFrame(
        {"architecture": ["mlp", "conv", "conv"], "k": [1, 1, 2], "cost": [1, 2, 3], "gain": [1, 2, 3]}
    )
    assert [gene.name for gene in open_table(frame, objectives=TEXT).space.genes] == ["architecture", "k"]


@pytest.mark.parametrize("objective", ["cost", "phase", "state", "reason", "evaluation"])
def test_evaluations_of_a_store_leave_out_what_failed(objective, tmp_path, caplog):
    space = GridSpace("s", [Gene("op", ("x", "y")), Gene("k", (1, 2, 3), when="op == x"), Gene("seconds", (0, 1))])
    store = Store(space, [objective, "gain"])
    X = space.enumerate()
    store.add(X[:5], np.arange(10.0).reshape(-1, 2), "me", free=False)
    row = int(store.ask(X[5:6])[0])
    store.tell(row, {objective: 1.0}, {"gain": "out of memory"})
    store.ask(X[6:7])
    store.to_frame().to_csv(tmp_path / "evaluations.csv", index=False)
    table = open_table(tmp_path / "evaluations.csv", objectives={objective: "min", "gain": "max"})
    assert table.raw.tolist() == np.arange(10.0).reshape(-1, 2).tolist()
    assert [gene.name for gene in table.space.genes] == ["op", "k", "seconds"]
    assert "left out: 2 of 7 rows" in caplog.text
    kept = open_table(tmp_path / "evaluations.csv", objectives={objective: "min", "gain": "max"}, keep_partial=True)
    assert len(kept.partial[0]) == 1


@pytest.mark.parametrize(
    "names", [("phase", "lat"), ("phase", "predicted_phase"), ("architecture", "vector"), ("evaluation", "genotype")]
)
def test_a_search_and_its_files_whatever_the_objectives_are_called(names, tmp_path, capsys):
    rows = [(op, k, i * k + len(op), (i - 3) ** 2 + k) for op in ("x", "yy") for k in (1, 2, 3) for i in range(2)]
    frame = pd.DataFrame(rows, columns=["op", "k", *names]).assign(m=[i % 2 for i in range(12)])
    frame = frame[["op", "k", "m", *names]]
    frame.to_csv(tmp_path / "mine.csv", index=False)
    goals = f"{names[0]}:min,{names[1]}:min"
    out = tmp_path / "out"
    options = ["--objectives", goals, "--train-ratio", "0.5", "--tuner-budget", "1", "--out", str(out)]
    options += ["--genes", "op,k,m"]
    assert main(["search", str(tmp_path / "mine.csv"), *options]) == 0
    capsys.readouterr()
    whole = open_table(tmp_path / "mine.csv", objectives=goals, genes="op,k,m")
    for file in ("evaluations.csv", "front.csv"):
        for objectives in (goals, None):
            read = open_table(out / file, objectives=objectives)
            assert [objective.name for objective in read.objectives] == list(names)
            for x, raw in zip(read.X, read.raw, strict=True):
                row = whole.find(whole.space.from_dict(read.space.to_dict(x)))[0]
                assert whole.raw[row].tolist() == raw.tolist()
    assert json.loads((out / "summary.json").read_text())["evaluations"] == len(open_table(out / "evaluations.csv"))
