"""Broken tables and options: one clear line on standard error, exit code 2, and nothing written."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from rapid_moo import data
from rapid_moo.cli import main
from rapid_moo.study.engine import Engine

GRID = [(i, j) for i in range(6) for j in range(6)]
GOOD = "vector,a,b,c\n" + "".join(f'"[{i}, {j}]",{(i - 2) ** 2 + j},{i * i},{(j - 3) ** 2}\n' for i, j in GRID)
GOALS = ["--objectives", "a:min,b:min"]


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


def fails(capsys, *arguments):
    """The one line that a command leaves on standard error."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


TABLES = {
    "binary": (bytes(range(256)) * 10, "readable CSV"),
    "no bytes": (b"", "No columns"),
    "header only": (b"vector,a,b\n", "at least one row"),
    "no header": (b"[1,2];1;1\n[1,3];2;1\n", "--columns"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git-LFS pointer"),
    "web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML page"),
    "numbered rows": (b"vector,a,b\n[1],1,1\n[2],1,2\n[3],2,2\n", "--genes A,B"),
    "digits": (b"vector,a,b\n[021],1,1\n[022],1,2\n[111],2,2\n", "--vector vector"),
    "an empty element": (b'vector,a,b\n"[1,,2]",1,1\n', "an element is empty"),
    "gaps": (
        b'vector,a,b\n"[1, 2]",OOM,1\n"[1, 3]",1,\n"[2, 2]",1,1\n',
        "2 of 3 rows lack 'a' ('OOM' 1), 'b' (empty 1)",
    ),
    "surplus field": (b'vector,a,b\n"[1, 2]",1,1\n"[2, 2]",1,2,5\n', "line 3"),
    "surplus field everywhere": (b'vector,a,b\n"[1, 2]",1,1,7\n"[2, 2]",1,2,5\n', "line 2"),
    "missing field": (b'vector,a,b\n"[1, 2]",1,1\n"[2, 2]",1\n', "row 2, column 'b'"),
    "missing column": (b'vector,a\n"[1, 2]",1\n', "expected a column 'b' for objective 'b', got columns ['a']"),
    "repeated column": (b'vector,a,b,a\n"[1, 2]",1,2,1\n', "expected a column 'a' for objective 'a' once"),
    "repeated vector": (b'vector,vector,a,b\n"[1]","[1]",1,2\n', "expected a column 'vector' once"),
    "text": (b'vector,a,b\n"[1, 2]",fast,1\n', "row 1, column 'a': expected a finite number, got 'fast'"),
    "NaN": (b'vector,a,b\n"[1, 2]",1,nan\n', "got 'nan'"),
    "beyond single precision": (
        b'vector,a,b\n"[1, 2]",1,5e300\n',
        "expected a number of at most 1e+30 in size, got '5e300'",
    ),
    "infinite": (b'vector,a,b\n"[1, 2]",1,-inf\n', "got '-inf'"),
    "ragged vectors": (b'vector,a,b\n"[1, 2]",1,1\n"[1]",1,1\n', "row 2, column 'vector': expected 2 integers"),
    "fractions": (b'vector,a,b\n"[1.5, 2]",1,1\n', "integers in brackets, got '[1.5, 2]'"),
    "huge integer": (b'vector,a,b\n"[99999999999999999999, 2]",1,1\n', "integers in brackets"),
    "one row": (b'vector,a,b\n"[1, 2]",1,1\n', "got 1"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(case, tmp_path, capsys):
    content, said = TABLES[case]
    path, out = tmp_path / "broken.csv", tmp_path / "out"
    path.write_bytes(content)
    assert said in fails(capsys, "search", "--dataset", path, *GOALS, "--out", out)
    assert not out.exists()


def test_unknown_code_in_a_published_file_says_which_row(tmp_path, capsys):
    path = tmp_path / "asr_data.csv"
    path.write_text('vector,latency,accuracy,mem\n"[1,0,1,0,1,1,0,0,0]",1,1,1\n"[1,0,1,0,1,7,0,0,0]",1,1,1\n')
    message = fails(capsys, "audit", path)
    assert str(path) in message
    assert "row 2, position 5 (op3): expected one of [0, 1, 2, 3, 4, 5], got 7" in message


@pytest.mark.parametrize("name", ["missing.csv", "folder.csv", "nothing", ""])
def test_no_such_dataset(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    assert "expected a" in fails(capsys, "search", "--dataset", name, *GOALS)


OPTIONS = {
    "--train-ratio 0": "(0, 1), got 0.0",
    "--train-ratio 1": "(0, 1), got 1.0",
    "--train-ratio 1.5": "(0, 1), got 1.5",
    "--train-ratio nan": "(0, 1), got nan",
    "--train-ratio much": "'much'",
    "--budget 0": "1 to 36 evaluations (the table's size) or a share, got 0",
    "--budget -3": "got -3",
    "--budget 37": "got 37",
    "--seed -1": "'-1'",
    "--seed one": "'one'",
    "--n-jobs 0": "'0'",
    "--budget 0.5.5": "'0.5.5'",
    "--budget 1.5": "or a share, got 1.5",
    "--budget nan": "got nan",
    "--tuner-budget 0": "got 0",
    "--space nonsense": "'nonsense'",
    "--space digits": "length 7",
    "--memory params": "memory",
    "--energy": "energy",
    "--objectives a:up,b:min": "'up'",
    "--objectives a:min": "at least two",
    "--objectives a:min,a:max": "distinct",
    "--objectives a,b": "COLUMN:min or COLUMN:max, got 'a'",
    "--objectives z:min,a:max": "column 'z'",
    "--objectives=": "COLUMN:min",
    "--families nope": "nope",
    "--constraint a": "got 'a'",
    "--constraint a<=1e": "got 'a<=1e'",
    "--constraint a<=..5": "got 'a<=..5'",
    "--constraint z<=1": "expected one of ['a', 'b', 'g0', 'g1', 'c'], got 'z'",
    "--constraint a<=-1": "no architecture",
    "--tuner good.csv": "triplet.json",
    "--tuner nowhere": "triplet.json",
    "--genes i,j": "column 'i' for --genes",
    "--ignore z": "column 'z' for --ignore",
    "--vector c --genes c": "either genes or a vector",
    "--categorical g7": "got 'g7'",
    "--columns x,y": "expected 4 names",
    "--join nowhere.csv": "nowhere.csv",
    "--join nowhere.csv:vector": "nowhere.csv",
    "--decimal ;": "';'",
    "--drop-missing --keep-partial": "--keep-partial",
    "--constraint c<-1": "c is 0 to 9",
    "--algorithm magic": "'magic'",
    "--candidates magic": "'magic'",
    "--magic": "--magic",
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options(options, good, tmp_path, capsys):
    out = tmp_path / "out"
    assert OPTIONS[options] in fails(capsys, "search", "--dataset", good, *GOALS, "--out", out, *options.split(" "))
    assert not out.exists()


@pytest.mark.parametrize("command", [["search"], ["tune", "--dir", "out"], ["audit"]])
def test_no_direction_is_guessed(command, good, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "state --objectives" in fails(capsys, *command, "--dataset", good)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["search", "tune", "audit"])
@pytest.mark.parametrize("below", ["", "x/y"])
def test_output_that_cannot_be_written_is_found_before_the_work(command, below, good, tmp_path, capsys):
    blocker = tmp_path / "blocker"
    blocker.write_text("kept")
    option = "--dir" if command == "tune" else "--out"
    assert "is a file" in fails(capsys, command, "--dataset", good, *GOALS, option, blocker / below)
    assert blocker.read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["nonsense"], "'nonsense'"),
        (["audit"], "got none"),
        (["audit", "digits", "--dataset", "digits"], "once"),
        (["tune", "digits"], "--dir"),
        (["tune", "digits", "--dir", "out", "--train-ratio", "0.7", "--val-ratio", "0.5"], "3400"),
        (["tune", "digits", "--dir", "out", "--val-ratio", "0"], "--val-ratio"),
        (["data"], "ACTION"),
        (["data", "fetch"], "NAME"),
        (["data", "fetch", "nonsense"], "'nonsense'"),
        (["data", "fetch", "digits", "--timeout", "0"], "timeout"),
        (["data", "import", "nowhere"], "nowhere"),
        (["data", "verify", "nonsense"], "'nonsense'"),
        (["search", "digits", "--memory", "flops"], "'flops'"),
        (["search", "digits", "--energy"], "energy"),
        (["search", "digits", "--device", "batch65"], "got 'batch65' of 'digits'"),
        (["search", "digits.csv", "--device", "batch64"], "got 'batch64' of 'digits.csv'"),
        (["search", "digits", "--prior", ""], "prior '': expected a table's file or name"),
        (["search", "digits", "--prior", "digits_batch65"], "prior 'digits_batch65': expected a table's file or name"),
        (["search", "digits", "--prior", "."], "expected the folder of a study, found no evaluations.csv"),
    ],
)
def test_commands(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


COLUMNS = "kernel,op,bias,a,b\n" + "".join(
    f"{3 + 2 * i},{'xyz'[j]},{'FT'[k]},{(i - 2) ** 2 + j},{i * i + k}\n"
    for i in range(5)
    for j in range(3)
    for k in range(2)
)


@pytest.mark.parametrize(
    "command",
    [
        ["audit"],
        ["tune", "--dir", "out", "--budget", "1", "--train-ratio", "0.5"],
        ["search", "--out", "out", "--tuner-budget", "1", "--train-ratio", "0.3", "--constraint", "kernel <= 9"],
        ["compare", "--out", "out", "--methods", "random", "--budgets", "6", "--seeds", "1"],
    ],
)
def test_every_command_reads_genes_in_columns(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(COLUMNS + "5,x,F,OOM,1\n")
    options = ["--dataset", "mine.csv", *GOALS, "--genes", "kernel,op,bias", "--drop-missing"]
    assert main([*command, *options]) == 0
    said = capsys.readouterr()
    assert "30" in said.out
    if command[0] == "tune":
        assert "--genes kernel,op,bias --drop-missing --tuner out" in said.out


class TestOddButFine:
    """Degenerate tables are searched without a warning: warnings are errors here."""

    @pytest.mark.parametrize(
        ("name", "a", "b"),
        [("one point", "i + j", "i + j"), ("constant objective", "i + j", "7"), ("all equal", "7", "7")],
    )
    def test_fronts(self, name, a, b, tmp_path, capsys):
        path = tmp_path / "odd.csv"
        rows = [f'"[{i}, {j}]",{eval(a, {"i": i, "j": j})},{eval(b, {"i": i, "j": j})}' for i, j in GRID]
        path.write_text("\n".join(["vector,a,b", *rows]))
        out = tmp_path / "out"
        assert main(["search", str(path), *GOALS, "--tuner-budget", "2", "--out", str(out)]) == 0
        assert "nan" not in (out / "summary.json").read_text().lower()
        assert "nan" not in (out / "evaluations.csv").read_text().lower()
        assert main(["audit", str(path), *GOALS]) == 0
        assert "nan" not in capsys.readouterr().out.lower()

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
    def test_line_ends_and_byte_order_marks(self, start, end, tmp_path, capsys):
        path = tmp_path / "odd.csv"
        path.write_bytes(start + GOOD.replace("\n", end).encode())
        assert main(["audit", str(path), *GOALS]) == 0
        assert "36 architectures" in capsys.readouterr().out


def test_other_devices_are_recognised_by_their_file_names(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    space_length = {"s": 12, "m": 24}
    for scale, device in (("s", "v100"), ("m", "a6000"), ("s", "cpu_future_9000")):
        layers = space_length[scale]
        codes = rng.integers(0, 2, size=(40, 2 * layers))
        embed = {"s": 192, "m": 256}[scale]
        heads = {"s": (4, 8), "m": (8, 12)}[scale]
        lines = ["vector,latency,accuracy,mem,energy"]
        for row in codes:
            mlp, head = 2 + row[:layers], np.asarray(heads)[row[layers:]]
            vector = [embed, layers, *mlp.tolist(), *head.tolist(), 1]
            lines.append(f'"{vector}",{mlp.sum()},{100 - head.sum() / 3},{row.sum()},{row[:9].sum()}')
        file = tmp_path / f"gpt_{scale}_{device}.csv"
        file.write_text("\n".join(lines))
        assert main(["audit", str(file)]) == 0
        said = capsys.readouterr().out
        assert f"hw_gpt_{scale}" in said
        assert "perplexity (min)" in said
        assert "energy (min)" in said
    monkeypatch.setenv("RAPID_MOO_DATA", str(tmp_path))
    out = tmp_path / "out"
    assert main(["search", "hw_gpt_s_cpu_future_9000", "--energy", "--tuner-budget", "2", "--out", str(out)]) == 0
    assert "energy" in (out / "front.csv").read_text().splitlines()[0]
    assert main(["data", "verify", "hw_gpt_m_a6000"]) == 0
    assert "no checksum" in capsys.readouterr().out


def test_verify_tells_a_rebuild_from_the_published_file(published, capsys):
    published("gpt_s_a100.csv")
    published("asr_data.csv")
    assert main(["data", "verify", "hw_gpt_s_a100", "nasbench_asr"]) == 0
    rebuilt, original = capsys.readouterr().out.splitlines()
    assert rebuilt.startswith("rebuilt ")
    assert "not the published file" in rebuilt
    assert original.startswith("ok ")
    assert data.check_file(data.manifest()["nasbench_asr"], published("asr_data.csv")).state == "ok"


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rapid-moo 0.")


def test_a_wide_header_is_cut_short(tmp_path, capsys):
    path = tmp_path / "wide.csv"
    path.write_bytes(b"\0" * 9000 + b",a\n1,2\n")
    assert len(fails(capsys, "search", "--dataset", path, *GOALS)) < 1000


def test_a_malformed_address(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RAPID_MOO_CACHE", str(tmp_path))
    assert "got 'http://[bad/x'" in fails(capsys, "data", "fetch", "flexibert", "--url", "http://[bad/x")


def test_a_triplet_with_no_or_impossible_predictors(good, tmp_path, capsys):
    folder = tmp_path / "tuned"
    assert main(["tune", "--dataset", str(good), *GOALS, "--dir", str(folder), "--budget", "1"]) == 0
    capsys.readouterr()
    file = folder / "triplet.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "specs": []}))
    assert "0 predictors of 2 objectives" in fails(capsys, "search", "--dataset", good, *GOALS, "--tuner", folder)
    spec = {"family": "random_forest", "params": {"n_estimators": -5}, "features": "all", "transform": "none"}
    file.write_text(json.dumps({**json.loads(file.read_text()), "specs": [spec, spec]}))
    assert "got {'n_estimators': -5}" in fails(capsys, "search", "--dataset", good, *GOALS, "--tuner", folder)


@pytest.mark.parametrize("word", ["--\r\n", "--a\nb", "--\u2028"])
def test_a_word_with_a_line_end_is_told_on_one_line(word, capsys):
    assert "unrecognized arguments" in fails(capsys, "search", "digits", word)


def test_bounds_that_leave_nothing_are_refused_before_a_study_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.toml").write_text(
        'constraints = ["depth <= 8"]\n[genes]\ndepth = [2, 4]\nop = ["a", "b"]\n'
        '[objectives]\nx = { direction = "min" }\ny = { direction = "min" }\n'
    )
    (tmp_path / "work.py").write_text("def measure(genes):\n    return {'x': 1.0, 'y': 2.0}\n")
    new = ["run", "space.toml", "--measure", "work.py:measure", "--budget", "3", "--out", "new"]
    assert "no architecture of" in fails(capsys, *new, "--constraint", "depth <= 1")
    assert not (tmp_path / "new").exists()
    # Nor are they written into a study that has begun.
    assert main(new) == 0
    capsys.readouterr()
    before = (tmp_path / "new" / "study.json").read_bytes()
    assert "no architecture of" in fails(capsys, "run", "new", "--constraint", "depth <= 1")
    assert (tmp_path / "new" / "study.json").read_bytes() == before
    # Neither is anything else that comes with a file that cannot be read.
    (tmp_path / "known.csv").write_text("depth,x\n2,1\n")
    refused = ["run", "new", "--constraint", "depth <= 2", "--known", "known.csv"]
    assert "found no column 'op'" in fails(capsys, *refused)
    assert (tmp_path / "new" / "study.json").read_bytes() == before


def test_a_space_of_any_name_gets_one_folder_below_runs(tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "work.py").write_text("def measure(genes):\n    return {'x': float('nan')}\n")
    for name, folder in (("../evil", "evil"), ("a/<b>é", "a-b-é"), ("..", "study"), ("tower 2.1", "tower 2.1")):
        (tmp_path / "space.toml").write_text(
            f'name = "{name}"\n[genes]\ndepth = [2, 4]\n[objectives]\nx = {{ direction = "min" }}\n'
        )
        assert main(["run", "../space.toml", "--measure", "../work.py:measure", "--budget", "1"]) == 0
        # Nothing succeeded: there is no expected front to speak of.
        told = capsys.readouterr().out.splitlines()[-1]
        assert told == f"Everything is in runs/{folder}: evaluations.csv, front.csv, report.html"
        assert (tmp_path / "here" / "runs" / folder / "study.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "space.toml", "work.py"]
    assert len(list((tmp_path / "here" / "runs").iterdir())) == 4


class TestAnErrorInAStudy:
    """Of the user's own code is shown as his to mend; one of the package itself is not."""

    def begun(self, folder, count):
        (folder / "space.toml").write_text(
            'computed = { y = "work.py:count" }\n[genes]\ndepth = [2, 4, 8]\n'
            '[objectives]\nx = { direction = "min" }\ny = { direction = "min" }\n'
        )
        (folder / "work.py").write_text(
            "import numpy as np\n\n\ndef measure(genes):\n    return {'x': 1.0}\n\n\n"
            f"def count(genes):\n    return {count}\n"
        )
        return main(["run", "space.toml", "--measure", "work.py:measure", "--budget", "3", "--out", "new"])

    def test_of_the_package(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(Engine, "run", partial(int, "x"))
        with pytest.raises(TypeError, match="int"):
            self.begun(tmp_path, "genes['depth']")
        assert "mending" not in capsys.readouterr().err

    def test_of_the_user(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert self.begun(tmp_path, "np.empty(0).max()") == 1
        told = capsys.readouterr().err
        assert "in count" in told
        assert "zero-size array" in told
        assert "rapid_moo" not in told
        assert not (tmp_path / "new").exists()
