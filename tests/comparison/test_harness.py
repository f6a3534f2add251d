"""The harness of the comparison: one bill for all, resumable, the same for any number of workers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rapid_moo
from rapid_moo import (
    RAPID,
    PredictorSpec,
    adrs,
    get_problem,
    hypervolume,
    igd_plus,
)
from rapid_moo import (
    OneShotRAPID as OneShot,
)
from rapid_moo._provenance import provenance
from rapid_moo.cli import main
from rapid_moo.comparison import Comparison, Method, method_names, register_method, run_method
from rapid_moo.comparison.facts import comparison_facts
from rapid_moo.comparison.methods.rapid import IteratedRAPID
from rapid_moo.comparison.methods.rapid_oneshot import OneShotRAPID
from rapid_moo.comparison.report import comparison_report
from rapid_moo.comparison.run import sorted_table
from rapid_moo.comparison.tables import MADE, RESULT_FILES, read_results
from rapid_moo.errors import InputError
from rapid_moo.report import read_report, to_markdown
from rapid_moo.report.compared import comparison_blocks
from rapid_moo.report.rendering import markdown
from rapid_moo.trajectory import log_steps, trajectory

RIDGE = PredictorSpec("bayesian_ridge", {"quadratic": True})
STABLE = ["dataset", "method", "seed", "evaluations", "budget", "adrs", "hypervolume", "igd_plus", "front_size"]


class Perfect(Method):
    """Knows the front beforehand."""

    name = "perfect"

    def ask(self):
        return self.problem.table.X[self.problem.table.front_rows]

    def tell(self, X, F):
        pass


class Repeats(Method):
    """Asks for each architecture five times, in one batch and in several."""

    name = "repeats"

    def __init__(self, problem, budget, seed):
        super().__init__(problem, budget, seed)
        self.calls = 0

    def ask(self):
        self.calls += 1
        k = (self.calls - 1) // 3
        return np.repeat(self.problem.table.X[k : k + 1], 2, axis=0)

    def tell(self, X, F):
        assert (self.problem.table.F[self.problem.table.find(X)] == F).all()


class Stuck(Method):
    """Never proposes anything new after its first architecture."""

    name = "stuck"

    def ask(self):
        return self.problem.table.X[:1]

    def tell(self, X, F):
        pass


class Breaks(Method):
    """Fails with one seed."""

    name = "breaks"

    def ask(self):
        if self.seed == 1:
            raise ZeroDivisionError("as planned")
        return self.problem.table.X[:50]

    def tell(self, X, F):
        pass


def test_perfect_optimizer_needs_as_many_evaluations_as_the_front_has_points(table):
    record = run_method(sorted_table(table), Perfect, 500, 0)
    n = len(table.front_rows)
    assert len(record.rows) == n
    F = sorted_table(table).F[list(record.rows)]
    path = trajectory(table.front, F, [n - 1, n]).set_index("evaluations")
    assert path.loc[n, "adrs"] == 0.0
    assert path.loc[n, "hypervolume"] == pytest.approx(1.0)
    assert path.loc[n - 1, "adrs"] > 0.0


def test_a_method_that_repeats_is_billed_once(table):
    record = run_method(sorted_table(table), Repeats, 7, 0)
    assert list(record.rows) == list(range(7))
    assert record.proposals == 2 * (3 * 6 + 1)
    assert record.ended == "budget"


def test_a_method_that_proposes_nothing_new_ends(table):
    record = run_method(sorted_table(table), Stuck, 100, 0)
    assert record.ended == "stalled"
    assert len(record.rows) == 1


def test_settings_of_several_comparisons_in_one_folder_are_kept(tmp_path, small_table):
    small = small_table()
    Comparison(small, ["random"], [0.1], 2, tmp_path).run()
    Comparison(small, ["nsga2"], [0.2], 1, tmp_path).run()
    methods = json.loads((tmp_path / "comparison.json").read_text())["methods"]
    assert methods["random"]["budgets"] == [0.1]
    assert methods["nsga2"]["seeds"] == [0]


def test_trajectory_equals_the_indicators(table):
    F = table.F[np.random.default_rng(2).permutation(len(table))[:300]]
    steps = log_steps(300, [7, 150])
    path = trajectory(table.front, F, steps)
    assert {7, 150, 300} <= set(steps)
    for line in path.itertuples():
        found = F[: line.evaluations]
        assert line.adrs == pytest.approx(adrs(found, reference=table.front), rel=1e-12)
        assert line.hypervolume == pytest.approx(hypervolume(found, reference=table.front), rel=1e-12)
        assert line.igd_plus == pytest.approx(igd_plus(found, reference=table.front), rel=1e-9)
    assert path["adrs"].is_monotonic_decreasing
    assert path["hypervolume"].is_monotonic_increasing


def test_any_number_of_workers_gives_the_same_results(table, tmp_path):
    files = []
    for n_jobs in (1, 2):
        out = tmp_path / str(n_jobs)
        Comparison(table, ["random", "nsga2", "mo-rea"], [0.01, 60], 2, out, n_jobs=n_jobs).run()
        results = pd.read_csv(out / "results.csv", dtype=str)
        assert list(results.columns) == [*STABLE, "seconds", *MADE, "code"]
        paths = pd.read_csv(out / "trajectories.csv", dtype=str).drop(columns=["seconds", "cpu_seconds"])
        # Seconds are measured, everything else must be the same text.
        files.append((results[STABLE].to_csv(), paths.to_csv()))
    assert files[0] == files[1]


def test_a_killed_comparison_goes_on_where_it_was(table, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    Comparison(table, ["random", "nsga2"], [0.02], 3, whole).run()

    def interrupt(at):
        if at.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Comparison(table, ["random", "nsga2"], [0.02], 3, killed).run(progress=interrupt)
    assert len(pd.read_csv(killed / "results.csv")) == 4
    kept = {path: path.read_bytes() for path in (killed / "runs").rglob("*.json")}
    assert len(kept) == 4
    made = []
    Comparison(table, ["random", "nsga2"], [0.02], 3, killed).run(progress=lambda at: made.append(at.done))
    assert made == [5, 6]
    assert all(path.read_bytes() == content for path, content in kept.items())
    read = [pd.read_csv(out / "results.csv", dtype=str)[STABLE] for out in (whole, killed)]
    pd.testing.assert_frame_equal(*read)


def test_runs_say_what_they_were_made_with_and_the_report_says_it_again(table, tmp_path, monkeypatch):
    made = [{"commit": f"abc{k}", "versions": "numpy 9.9", "machine": f"3 x Toaster {k}"} for k in range(2)]
    for method, known in zip(("random", "nsga2"), made, strict=True):
        monkeypatch.setattr("rapid_moo.comparison.run.provenance", lambda known=known: known)
        Comparison(table, [method], [20], 1, tmp_path).run()
    found = read_results([tmp_path]).set_index("method")
    assert [dict(found.loc[method, MADE]) for method in ("random", "nsga2")] == made
    (path,) = (tmp_path / "runs").rglob("nsga2/*.json")
    assert json.loads(path.read_text())["made"] == made[1]
    monkeypatch.setattr("rapid_moo.comparison.run.provenance", lambda: {"commit": "of the report"})
    facts = comparison_facts(*(read_results([tmp_path], name) for name in RESULT_FILES))
    text = markdown(comparison_blocks(facts))
    assert "| 1 | random | abc0 | numpy 9.9 | 3 x Toaster 0 |" in text
    assert "| 1 | nsga2 | abc1 | numpy 9.9 | 3 x Toaster 1 |" in text
    assert "of the report" not in text


def test_provenance_is_that_of_this_process():
    found = provenance()
    assert f"numpy {np.__version__}" in found["versions"]
    assert f"python {sys.version_info.major}.{sys.version_info.minor}" in found["versions"]
    root = Path(__file__).parents[2]
    git = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode == 0 and Path(rapid_moo.__file__).is_relative_to(root):
        assert found["commit"].removesuffix("-changed") == done.stdout.strip()


def test_a_broken_record_is_made_again(table, tmp_path):
    Comparison(table, ["random"], [0.02], 1, tmp_path).run()
    before = pd.read_csv(tmp_path / "results.csv")[STABLE]
    (path,) = (tmp_path / "runs").rglob("*.json")
    path.write_text(path.read_text()[:40])
    Comparison(table, ["random"], [0.02], 1, tmp_path).run()
    pd.testing.assert_frame_equal(before, pd.read_csv(tmp_path / "results.csv")[STABLE])


def test_a_larger_budget_runs_again_and_a_smaller_one_is_read_off(table, tmp_path):
    calls = []
    Comparison(table, ["random"], [40], 1, tmp_path).run(progress=lambda _: calls.append(40))
    Comparison(table, ["random"], [20], 1, tmp_path).run(progress=lambda _: calls.append(20))
    Comparison(table, ["random"], [80], 1, tmp_path).run(progress=lambda _: calls.append(80))
    assert calls == [40, 80]
    results = pd.read_csv(tmp_path / "results.csv")
    assert results["evaluations"].tolist() == results["budget"].tolist() == [20, 40, 80]
    assert pd.read_csv(tmp_path / "trajectories.csv")["budget"].unique().tolist() == [80]
    Comparison(table, ["random"], [20], 1, tmp_path).run()
    paths = pd.read_csv(tmp_path / "trajectories.csv")
    assert paths["evaluations"].max() == 80, "reading a smaller budget off leaves the longer way"
    assert paths["budget"].unique().tolist() == [80]
    (tmp_path / "trajectories.csv").unlink()
    Comparison(table, ["random"], [20], 1, tmp_path).run()
    assert pd.read_csv(tmp_path / "trajectories.csv")["evaluations"].max() == 80


def test_further_seeds_of_a_smaller_budget_leave_the_label_of_longer_trajectories(table, tmp_path):
    Comparison(table, ["random"], [0.02], 1, tmp_path).run()
    Comparison(table, ["random"], [0.01], 2, tmp_path).run()
    labels = pd.read_csv(tmp_path / "trajectories.csv").groupby("seed")["budget"].unique()
    assert [label.tolist() for label in labels] == [[0.02], [0.01]]


def test_further_methods_join_the_results_and_another_table_does_not(table, tmp_path, small_table):
    Comparison(table, ["random"], [0.02], 1, tmp_path).run()
    Comparison(table, ["nsga2"], [0.02], 1, tmp_path).run()
    assert pd.read_csv(tmp_path / "results.csv")["method"].tolist() == ["nsga2", "random"]
    other = replace(small_table(), name=table.name)
    with pytest.raises(InputError, match=f"other content, {sorted_table(table).fingerprint}"):
        Comparison(other, ["random"], [0.1], 1, tmp_path).run()


def test_one_failing_run_does_not_end_the_others(table, tmp_path):
    with pytest.raises(RuntimeError, match=r"1 of 6 runs failed .* breaks, seed 1: ZeroDivisionError: as planned"):
        Comparison(table, [Breaks, "random"], [50], 3, tmp_path).run()
    assert len(pd.read_csv(tmp_path / "results.csv")) == 5


class Asks(Method):
    """Asks for something that is no list of genotypes, or ends the program."""

    name = "asks"
    what = None

    def ask(self):
        if self.what is SystemExit:
            raise SystemExit(3)
        return self.what

    def tell(self, X, F):
        pass


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (None, r"InputError: ask: expected genotypes of shape \(n, 7\), got None"),
        ([["a", "b", "c", "d"]], r"ask: expected genotypes of shape \(n, 7\), got \[\['a'"),
        ([0, 1, 2, 3], r"ask: expected genotypes of shape \(n, 7\), got \[0, 1, 2, 3\]"),
        ([], "no architecture was measured completely"),
        (SystemExit, "SystemExit: 3"),
    ],
)
def test_a_method_that_asks_for_nothing_of_use_does_not_end_the_others(table, tmp_path, monkeypatch, what, told):
    monkeypatch.setattr(Asks, "what", what)
    with pytest.raises(RuntimeError, match=f"1 of 2 runs failed .* asks, seed 0: .*{told}"):
        Comparison(table, [Asks, "random"], [50], 1, tmp_path).run()
    assert pd.read_csv(tmp_path / "results.csv")["method"].tolist() == ["random"]
    assert not (tmp_path / "runs" / table.name / "asks").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_in_a_method_of_ones_own_is_shown_with_its_traceback(tmp_path, monkeypatch, capsys, jobs):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_methods.py").write_text(
        "from rapid_moo.comparison import Method\n\n\nclass Buggy(Method):\n    name = 'buggy'\n\n"
        "    def ask(self):\n        return self.problem.table.X[:5]\n\n"
        "    def tell(self, X, F):\n        raise KeyError('as planned')\n"
    )
    given = ["compare", "digits", "--methods", "random,own_methods:Buggy", "--budgets", "20", "--seeds", "2"]
    assert main([*given, "--n-jobs", str(jobs), "--out", "out"]) == 1
    told = capsys.readouterr().err
    # Once for a method, and without the frames of the package.
    assert told.count("raise KeyError('as planned')") == 1
    assert "rapid_moo/comparison" not in told
    assert told.splitlines()[-1].startswith("error: 2 of 4 runs failed (the others are kept): buggy, seed")
    assert len(read_results([tmp_path / "out"])) == 2


class QuickRapid(IteratedRAPID):
    name = "quick"

    def _make(self):
        return RAPID(specs=[RIDGE] * 3)


class QuickOneShot(OneShotRAPID):
    name = "quick-oneshot"

    def _make(self):
        return OneShot(n_initial=self.budget, specs=[RIDGE] * 3)


def test_one_run_of_rapid_serves_all_budgets_and_one_shot_is_billed_on_top(tmp_path, small_table):
    Comparison(small_table(), [QuickRapid, QuickOneShot, "random"], [24, 40], 1, tmp_path).run()
    results = pd.read_csv(tmp_path / "results.csv").set_index(["method", "budget"])["evaluations"]
    assert results["quick", 24] == 24
    assert results["quick", 40] == 40
    assert results["random", 40] == 40
    assert results["quick-oneshot", 24] > 24
    names = sorted(path.name for path in (tmp_path / "runs").rglob("*.json"))
    assert names.count("seed0.json") == 2
    assert names.count("seed0-24.json") == names.count("seed0-40.json") == 1


def test_a_users_method_works(table, tmp_path, monkeypatch, capsys):
    from rapid_moo.comparison import registry

    monkeypatch.setattr(registry, "_REGISTERED", {})
    assert register_method(Perfect) is Perfect
    assert "perfect" in method_names()
    assert register_method(Perfect) is Perfect
    with pytest.raises(InputError, match="'perfect'"):
        register_method(type("Other", (Perfect,), {}))
    arguments = ["compare", "--dataset", "digits", "--methods", "perfect,random", "--budgets", "0.02", "--seeds", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "perfect" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "results.csv")["adrs"].min() == 0.0


def test_python_leaves_the_report_that_the_command_leaves(tmp_path, small_table):
    comparison = Comparison(small_table(), ["random", "nsga2"], [20], 2, tmp_path)
    comparison.run(command="as told")
    found = read_report(tmp_path)
    assert found.command == "as told"
    assert (tmp_path / "report.md").read_text() == to_markdown(found)
    assert "random against each rival" in (tmp_path / "report.html").read_text()
    assert (
        "The oracle knows the truth and takes, one after the other, the point of the front that lowers"
        in to_markdown(found)
    )
    # What a failing method leaves is told too.
    with pytest.raises(RuntimeError, match="1 of 6 runs failed"):
        Comparison(small_table(), ["random", "nsga2", Breaks], [20], 2, tmp_path).run(command="again")
    assert read_report(tmp_path).command == "again"


def test_progress_is_told_where_there_is_no_terminal(tmp_path, monkeypatch, capsys):
    from rapid_moo.cli import compare

    arguments = ["compare", "--dataset", "digits", "--methods", "random,nsga2", "--budgets", "20", "--seeds", "2"]
    monkeypatch.setattr(compare, "QUIET_SECONDS", 1e9)
    assert main([*arguments, "--out", str(tmp_path / "quick")]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(compare, "QUIET_SECONDS", 0.0)
    assert main([*arguments, "--out", str(tmp_path / "slow")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"{n} of 4 runs" for n in (1, 2, 3, 4)]
    told = r"4 of 4 runs, nsga2 seed 1: ADRS 0\.\d{4}, best 0\.\d{4} \((random|nsga2)\), \d+ evaluations/s, 0 s to go"
    assert re.fullmatch(told, lines[3])


def test_wins_and_losses_without_rapid(tmp_path, monkeypatch, capsys):
    from rapid_moo.comparison import registry

    monkeypatch.setattr(registry, "_REGISTERED", {})
    register_method(Perfect)
    arguments = ["compare", "--dataset", "digits", "--methods", "random,nsga2,perfect", "--budgets", "20,40"]
    arguments += ["--seeds", "3", "--out", str(tmp_path)]

    def told(*options):
        assert main([*arguments, *options]) == 0
        out, report = capsys.readouterr().out, (tmp_path / "report.md").read_text()
        for text in (out, report):
            assert "With 3 seeds and 3 methods no difference can be significant" in text
        return [
            name for name in ("random", "nsga2", "perfect") if f"{name} against each rival" in out and name in report
        ]

    assert told() == ["perfect"]
    assert "perfect needs" in (tmp_path / "report.md").read_text()
    assert told("--reference", "nsga2") == ["nsga2"]
    # The folder knows it from now on, and so does its report.
    assert told() == ["nsga2"]
    assert "## nsga2 against each rival" in markdown(comparison_blocks(comparison_report(tmp_path).comparison))
    assert main([*arguments, "--reference", "rapid"]) == 2
    assert "reference: expected one of the compared methods random, nsga2, perfect" in capsys.readouterr().err
    comparison = Comparison(get_problem("digits").table, ["random", Perfect], [20], 3, tmp_path, reference=Perfect)
    comparison.run()
    assert comparison.report().comparison.record["method"] == "perfect"


MODULE = """
from rapid_moo.comparison.methods.random_search import RandomSearch

class Mine(RandomSearch):
    name = {name!r}
"""


def test_a_method_of_a_module_in_the_working_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    for module, name in (("fine", "mine"), ("posing", "random"), ("outside", "../../mine"), ("nameless", "")):
        (tmp_path / f"{module}_method.py").write_text(MODULE.format(name=name))
    (tmp_path / "broken_method.py").write_text("raise ValueError('as planned')")
    (tmp_path / "torn_method.py").write_text("class")
    arguments = ["compare", "--dataset", "digits", "--budgets", "20", "--seeds", "1", "--out", str(tmp_path / "out")]
    bad = {"posing": "built-in", "outside": "'../../mine'", "nameless": "''", "broken": "as planned", "torn": "Syntax"}
    for module, expected in bad.items():
        assert main([*arguments, "--methods", f"{module}_method:Mine"]) == 2
        message = capsys.readouterr().err
        assert expected in message
        assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()
    # In a process of its own, as its user starts it: workers that live already know nothing of the folder.
    call = [sys.executable, "-P", "-c", "import sys; from rapid_moo.cli import main; sys.exit(main(sys.argv[1:]))"]
    options = ["--methods", "fine_method:Mine", "--seeds", "2", "--n-jobs", "2"]
    done = subprocess.run([*call, *arguments, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "out" / "results.csv")["method"].tolist() == ["mine"] * 2


def test_command_line_names_other_objectives_apart(tmp_path, published, capsys):
    arguments = ["compare", "--dataset", str(published("nasbench201_data_final.csv")), "--methods", "random"]
    arguments += ["--budgets", "20", "--seeds", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert main([*arguments, "--memory", "profiled"]) == 0
    results = pd.read_csv(tmp_path / "results.csv")
    assert results["dataset"].tolist() == ["nasbench201_data_final", "nasbench201_data_final-profiled"]
    capsys.readouterr()


BAD = [
    (["--budgets", "0.02,x"], "'0.02,x'"),
    (["--budgets", "1"], "got 1"),
    (["--budgets", "-0.5"], "got -0.5"),
    (["--budgets", "2.5"], "got 2.5"),
    (["--budgets", "nan"], "got nan"),
    (["--budgets", "inf"], "got inf"),
    (["--budgets", "99999"], "2..3400"),
    (["--budgets", ","], "at least one"),
    (["--seeds", "0"], "got 0"),
    (["--n-jobs", "0"], "'0'"),
    (["--n-jobs", "1000000"], "'1000000'"),
    (["--seeds", "1000000000"], "1000000000"),
    (["--methods", "magic"], "'magic'"),
    (["--methods", "random,random"], "random, random"),
    (["--methods", "no.such:Thing"], "no.such"),
    (["--methods", "json:dumps"], "'dumps': expected a pymoo algorithm, got TypeError"),
    (["--methods", "json:decoder"], "expected a Method or a pymoo algorithm"),
    (["--methods", "json:JSONDecoder"], "expected a Method or a pymoo algorithm"),
    (["--methods", "rapid_moo.comparison:Method"], "a subclass of Method with ask and tell"),
    (["--methods", ":Thing"], "':Thing'"),
    (["--methods", "..up:Thing"], "'..up:Thing'"),
    (["--redo", "nsga2"], "one of the compared methods random, got 'nsga2'"),
    (["--redo", "no.such:Thing"], "no.such"),
    (["--memory", "flops"], "flops"),
    (["--dataset", "nowhere.csv"], "nowhere.csv"),
]


@pytest.mark.parametrize(("options", "expected"), BAD)
def test_bad_options_are_one_error(options, expected, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["compare", "--dataset", "digits", "--methods", "random", "--seeds", "1", "--out", str(out)]
    assert main([*arguments, *options]) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert not out.exists()


def test_a_folder_with_foreign_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "comparison.json").write_text("[]")
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    arguments = ["compare", "--dataset", "digits", "--methods", "random", "--seeds", "1", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "comparison.json" in capsys.readouterr().err
    assert json.loads((tmp_path / "comparison.json").read_text()) == []
    (tmp_path / "comparison.json").unlink()
    assert main(arguments) == 2
    assert "results.csv" in capsys.readouterr().err
    assert (tmp_path / "results.csv").read_text() == "a,b\n1,2\n"


def test_a_method_whose_trajectories_are_gone_is_still_reported(tmp_path):
    arguments = ["compare", "--dataset", "digits", "--budgets", "20", "--seeds", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--methods", "random"]) == 0
    (tmp_path / "trajectories.csv").unlink()
    assert main([*arguments, "--methods", "nsga2"]) == 0
    assert (tmp_path / "curves-digits.png").is_file()
    assert "| random |" in (tmp_path / "report.md").read_text()


DAMAGE = {
    "results.csv": b"dataset,method\n\x00\xff",
    "trajectories.csv": b"",
    "oracle.csv": b"a,b\n1,2\n",
    "comparison.json": b"[" * 100_000,
}


@pytest.mark.parametrize("name", [*DAMAGE, "report.md"])
def test_a_damaged_folder_is_refused_before_a_run_and_left_as_it_is(name, tmp_path, capsys):
    arguments = ["compare", "--dataset", "digits", "--budgets", "20", "--seeds", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--methods", "random"]) == 0
    if name in DAMAGE:
        (tmp_path / name).write_bytes(DAMAGE[name])
    else:
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main([*arguments, "--methods", "nsga2"]) == 2
    message = capsys.readouterr().err
    assert name in message
    assert message.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_runs_on_a_dask_scheduler_are_the_same(tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    arguments = ["compare", "--dataset", "digits", "--methods", "random,nsga2", "--budgets", "0.01", "--seeds", "2"]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert main([*arguments, "--dask", cluster.scheduler_address, "--out", str(tmp_path / "dask")]) == 0
    assert main([*arguments, "--out", str(tmp_path / "joblib")]) == 0
    dask, joblib = (pd.read_csv(tmp_path / name / "results.csv").drop(columns="seconds") for name in ("dask", "joblib"))
    pd.testing.assert_frame_equal(dask, joblib)


def test_a_dask_address_that_is_none_is_an_error(tmp_path, capsys):
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    out = ["--budgets", "0.01", "--seeds", "1", "--out", str(tmp_path)]
    assert main(["compare", "--dataset", "digits", "--methods", "random", "--dask", "nonsense", *out]) == 2
    assert "got 'nonsense'" in capsys.readouterr().err
