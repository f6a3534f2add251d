"""Figures: one call each on whatever there is, with no table needed."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot
import numpy as np
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize
from pymoo.problems import get_problem as pymoo_problem

from rapid_moo import (
    RAPID,
    ArchitectureProblem,
    ArchitectureTable,
    Comparison,
    Gene,
    GridSpace,
    Objective,
    Prior,
    Study,
    get_problem,
    plot,
)
from rapid_moo.errors import InputError
from rapid_moo.report import front_figure
from rapid_moo.subjects import report_of

mpl.use("Agg")
GOALS = (Objective("error", "min", "%"), Objective("speed", "max"))


@pytest.fixture(autouse=True)
def _closed():
    yield
    mpl.pyplot.close("all")


def own_space() -> GridSpace:
    return GridSpace("own", [Gene("width", (16, 32, 64, 128)), Gene("depth", (1, 2, 3, 4, 5, 6))], GOALS)


def measure(architecture: dict[str, Any]) -> dict[str, float]:
    size = architecture["width"] * architecture["depth"]
    return {"error": 90.0 / size**0.5 + architecture["depth"] % 2, "speed": 1e4 / size}


@pytest.fixture(scope="module")
def result():
    problem = ArchitectureProblem(own_space(), measure=measure)
    return minimize(problem, RAPID(n_initial=8), ("n_eval", 20), seed=1)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    found = Study(tmp_path_factory.mktemp("study") / "own", own_space(), measure)
    found.run(budget=20)
    return found


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    found = Comparison(
        get_problem("digits").table, ["random", "nsga2"], [20, 40], 2, tmp_path_factory.mktemp("compared")
    )
    found.run()
    return found


def points(axis: Any, label: str) -> np.ndarray:
    [found] = [c for c in axis.collections if str(c.get_label()).startswith(label)]
    return np.asarray(found.get_offsets())


def test_the_front_of_ones_own_problem(result):
    axis = plot.front(result)
    drawn = points(axis, "front")
    raw = result.F * [1, -1]
    assert {tuple(p) for p in drawn.round(9)} == {tuple(p) for p in raw[:, ::-1].round(9)}
    assert axis.get_xlabel() == "speed (higher is better)"
    assert axis.get_ylabel() == "error [%] (lower is better)"
    assert points(axis, "evaluated").shape == (20, 2)


def test_what_breaks_a_bound_is_crossed_and_the_bound_drawn():
    space = own_space()
    problem = ArchitectureProblem(space, measure=measure, constraints=["speed >= 100", "depth <= 5"])
    X = space.enumerate()[space.enumerate()[:, 1] < 5]
    problem.evaluate(X)
    axis = plot.front(problem)
    speed = problem.store.raw[:, 1]
    assert sorted(points(axis, "break a bound")[:, 0]) == sorted(speed[speed < 100])
    assert sorted(points(axis, "evaluated")[:, 0]) == sorted(speed[speed >= 100])
    [line] = [line for line in axis.lines if line.get_label() == "speed >= 100"]
    assert set(line.get_xdata()) == {100.0}
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert f"break a bound ({(speed < 100).sum()})" in labels
    assert report_of(problem).bounds[1].edge is None


@pytest.mark.parametrize("most", [21, 50, 1000, 1e7])
def test_labels_of_logarithmic_axes_do_not_overlap(most):
    space = GridSpace("own", [Gene("width", (16, 32, 64)), Gene("depth", (0, 1, 2, 3))], GOALS[::-1])
    problem = ArchitectureProblem(
        space, measure=lambda a: {"error": 226 * most ** (a["depth"] / 3), "speed": a["width"]}
    )
    problem.evaluate(space.enumerate())
    axis = plot.front(problem)
    axis.figure.canvas.draw()
    assert axis.get_xscale() == "log"
    low, high = axis.get_xlim()
    labels = [label for label in axis.xaxis.get_ticklabels(which="both") if label.get_text()]
    shown = [label.get_window_extent() for label in labels if low <= label.get_position()[0] <= high]
    boxes = sorted((box.x0, box.x1) for box in shown)
    assert len(boxes) >= 2
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(boxes))


def test_axes_are_taken_and_returned(result):
    _, axis = mpl.pyplot.subplots()
    assert plot.front(result, ax=axis) is axis
    assert plot.progress(result.problem, ax=axis) is axis
    _, two = mpl.pyplot.subplots(1, 2)
    assert list(plot.calibration(result, ax=two)) == list(two)
    assert plot.importance(result, ax=two[0], objective="speed") is two[0]
    with pytest.raises(InputError, match="expected 2 axes, got 1"):
        plot.importance(result, ax=two[0])


@pytest.mark.parametrize("name", ["front", "progress", "calibration", "importance"])
def test_studies_and_problems_are_drawn_alike(study, result, name):
    for subject in (study, result, result.problem):
        axes = np.atleast_1d(getattr(plot, name)(subject))
        assert all(axis.has_data() for axis in axes)


def test_folders_of_runs_from_python_are_drawn_as_what_made_them(study, comparison):
    """No command has left its facts there: they come from the store, and from the results."""
    for drawn in (plot.front, plot.progress):
        of_folder, own = drawn(study.folder), drawn(study)
        assert [np.asarray(line.get_xydata()).tolist() for ax in np.ravel(of_folder) for line in ax.lines] == [
            np.asarray(line.get_xydata()).tolist() for ax in np.ravel(own) for line in ax.lines
        ]
    assert report_of(comparison.out).kind == "comparison"


def test_what_a_prior_knows_in_part_is_no_evaluation():
    space = own_space()
    told = ArchitectureTable.build(space, GOALS, space.enumerate(), np.ones((24, 2)))
    problem = ArchitectureProblem(space, measure=measure)
    found = minimize(problem, RAPID(n_initial=4, priors=[Prior(told, same="error")]), ("n_eval", 6), seed=0)
    labels = [text.get_text() for text in plot.front(found).get_legend().get_texts()]
    assert "evaluated (6)" in labels


def test_a_table_and_its_audit():
    table = get_problem("digits").table.sample(300, 0)
    assert len(plot.front(table)) == 3
    assert plot.front(table, objectives=["accuracy", "latency"]).get_ylabel().startswith("accuracy")
    assert [axis.get_title() for axis in plot.importance(table)] == ["accuracy", "latency", "memory"]
    axis = plot.audit(table)
    assert len(axis.get_yticklabels()) == 3
    with pytest.raises(InputError, match="expected something that was evaluated bit by bit, got a table"):
        plot.progress(table)


def test_the_effect_of_a_gene_is_told(result):
    [effects] = [p.importance for p in report_of(result, predict=True).predictors if p.objective == "speed"]
    # 1 / (width depth): both matter, and each alone does not explain it.
    assert effects["width"] > 0.4
    assert effects["depth"] > 0.1
    assert sum(effects.values()) > 1.0


def test_effects_that_nobody_can_tell_are_not_drawn():
    space, rng = own_space(), np.random.default_rng(0)
    table = ArchitectureTable.build(space, GOALS, space.enumerate(), rng.normal(size=(24, 2)))
    with pytest.raises(InputError, match="expected a predictor that explains half of what it has not seen, found none"):
        plot.importance(table)


def test_foreign_problems_and_algorithms():
    result = minimize(pymoo_problem("zdt1"), NSGA2(pop_size=20), ("n_gen", 3), seed=1)
    assert len(points(plot.front(result), "front")) == len(result.F)
    own = ArchitectureProblem(own_space(), measure=measure)
    assert plot.front(minimize(own, NSGA2(pop_size=6), ("n_gen", 2), seed=1)).has_data()


def test_progress_ends_at_the_problems_adrs():
    problem = get_problem("digits")
    minimize(problem, RAPID(), ("n_eval", 24), seed=1)
    axis = plot.progress(problem)
    assert axis.lines[0].get_ydata()[-1] == pytest.approx(problem.adrs())
    assert axis.lines[0].get_xdata()[-1] == 24
    assert "the true front" in axis.get_title()


def test_a_comparison(comparison):
    axis = plot.curves(comparison)
    assert {text.get_text() for text in axis.get_legend().get_texts()} == {"nsga2", "random", "oracle"}
    assert plot.curves(comparison.out, quality="hypervolume", dataset="digits").get_ylabel().startswith("1 - ")
    assert [label.get_text() for label in plot.ranks(comparison, budget=40).get_yticklabels()].count("random") == 1
    with pytest.raises(InputError, match="dataset: expected some of digits, got mnist"):
        plot.curves(comparison, dataset="mnist")


def test_wrong_subjects_are_one_error(result):
    with pytest.raises(InputError, match="got int"):
        plot.front(3)
    with pytest.raises(InputError, match="expected some of error, speed, got memory"):
        plot.front(result, objectives=["memory"])
    empty = ArchitectureProblem(own_space(), measure=measure)
    with pytest.raises(InputError, match="nothing"):
        plot.front(empty)


@pytest.mark.parametrize("drawn", [plot.calibration, plot.importance])
def test_a_comparison_has_no_predictors_and_says_so(drawn, comparison):
    with pytest.raises(InputError, match="got a comparison without"):
        drawn(comparison.out)


def test_the_old_call_needs_no_table(result):
    figure = front_figure(result.problem.table, result.F * [1, -1], "x")
    assert figure.axes[0].has_data()


def test_matplotlib_is_imported_when_something_is_drawn():
    code = "import sys, rapid_moo, rapid_moo.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_algorithm_is_no_result_and_one_error():
    problem = get_problem("digits")
    algorithm = NSGA2(pop_size=4)
    algorithm.setup(problem, ("n_eval", 4))
    with pytest.raises(InputError, match=r"the result of a search or of pymoo, .* got NSGA2"):
        plot.front(algorithm)
