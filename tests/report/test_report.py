"""Facts, their JSON form, and what is made of them as text and Markdown."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rapid_moo import Gene, GridSpace, Objective, PredictorSet, PredictorSpec, get_space
from rapid_moo.constraints import as_constraints
from rapid_moo.drawing import graph, stack
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.indicators import adrs, hypervolume
from rapid_moo.objectives import to_minimised
from rapid_moo.predictors import members_of
from rapid_moo.report import REPORT_FILE, Report, read_report, to_html, to_markdown, to_text, write_page
from rapid_moo.report.facts import FORMAT, BoundFacts
from rapid_moo.report.making import (
    MOST_LISTED,
    Scale,
    architecture_facts,
    bound_facts,
    gene_effects,
    objective_facts,
    predictor_facts,
    progress_facts,
    space_facts,
    within_bounds,
)
from rapid_moo.report.rendering import escaped
from rapid_moo.table import ArchitectureTable

from .conftest import EVIL, GOALS, Drawn, make_report, measured, own_space


def test_facts_survive_their_file(report, tmp_path):
    write_page(report, tmp_path)
    again = read_report(tmp_path)
    assert again.to_dict() == report.to_dict()
    assert to_markdown(again) == to_markdown(report)
    assert again.architectures.on_front == report.architectures.on_front


def test_the_json_holds_no_nan(tmp_path):
    Report(kind="search", name="x", quality={"adrs": float("nan")}).write(tmp_path)
    assert json.loads((tmp_path / REPORT_FILE).read_text())["quality"]["adrs"] is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "damaged file"),
        ("[]", "got list"),
        ('{"kind": "novel", "format": 1}', "expected one of"),
        ('{"kind": "search", "format": 99}', "format 1 or older, got 99"),
        ('{"kind": "search", "format": 1}', "'name'"),
        ('{"kind": "search", "format": 1, "name": "x", "space": {"name": "y"}}', "'genes'"),
    ],
)
def test_damaged_facts_are_one_error(tmp_path, content, told):
    (tmp_path / REPORT_FILE).write_text(content)
    with pytest.raises(InputError, match=told):
        read_report(tmp_path)


def test_a_folder_without_facts_is_one_error(tmp_path):
    with pytest.raises(DataNotFoundError, match="expected a folder that rapid-moo search"):
        read_report(tmp_path)
    assert FORMAT == 1


def test_markdown_escapes_what_users_write(report):
    text = to_markdown(report)
    assert EVIL not in text.replace("```\nrapid-moo search " + EVIL + "\n```", "")
    assert escaped(EVIL) in text
    assert escaped("a|b\nc") == "a\\|b c"
    widths = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")]
    assert min(widths) >= 3


def test_text_says_what_the_facts_say(report):
    text = to_text(report)
    assert "60 of 96 (62.5%): 16 to train on, 44 chosen by the predictors" in text
    assert "\n  ADRS                0.10000  (0 is the whole front" in text
    plain = to_text(report.replace(kind="study"))
    assert f"Study of {EVIL}" in plain
    assert f"3  MemoryError: {EVIL}" in plain


def test_the_front_is_that_of_what_is_known_and_feasible():
    space = own_space()
    X = space.sample(40, 0)
    raw = measured(X, np.random.default_rng(0))
    raw[3, 1] = np.nan
    feasible = raw[:, 0] > np.sort(raw[:, 0])[5]
    facts, rows = architecture_facts(space, GOALS, X, raw, ["chosen"] * 40, feasible=feasible)
    F = to_minimised(raw, GOALS)
    F[~feasible | np.isnan(F).any(axis=1)] = np.inf
    better = [[bool((F[b] <= F[a]).all() and (F[b] < F[a]).any()) for b in range(40)] for a in range(40)]
    assert facts.on_front == [bool(np.isfinite(F[a]).all() and not any(better[a])) for a in range(40)]
    assert facts.raw[3][1] is None
    assert rows.tolist() == list(range(40))


@pytest.mark.parametrize(
    ("bound", "why"), [(False, "none has every objective"), (True, "none that has every objective meets all bounds")]
)
def test_without_a_front_it_is_said_why(report, bound, why):
    facts = report.architectures
    n = len(facts)
    raw = facts.raw if bound else [[None, *values[1:]] for values in facts.raw]
    without = replace(facts, raw=raw, feasible=[False] * n, on_front=[False] * n)
    told = to_markdown(replace(report, architectures=without, picks=()))
    assert f"No front yet: of the architectures known, {why}." in " ".join(told.split())


def test_bounds_are_told_with_how_many_break_them():
    rng, space = np.random.default_rng(0), own_space()
    X = space.sample(30, 0)
    raw = measured(X, rng)
    raw[0, 1:] = np.nan  # known in part, and nothing that is known breaks a bound
    violations = np.column_stack([raw[:, 2] - 4.0, np.where(np.isnan(raw[:, 1]), np.inf, 50.0 - raw[:, 1])])
    violations[:, 0] = np.where(np.isnan(raw[:, 2]), np.inf, violations[:, 0])
    facts, _ = architecture_facts(space, GOALS, X, raw, ["chosen"] * 30, feasible=within_bounds(violations))
    outside = (raw[:, 2] > 4.0) | (raw[:, 1] < 50.0)
    assert facts.feasible == (~outside).tolist()
    assert (facts.measured, facts.broken) == (29, outside.sum())
    assert not any(on and out for on, out in zip(facts.on_front, outside, strict=True))
    bounds = bound_facts(as_constraints(["size <= 4", "speed > 50", "depth <= 8"]), GOALS)
    assert bounds[0] == BoundFacts("size <= 4", "size", 4.0)
    assert bounds[1].edge == np.nextafter(50.0, np.inf)
    assert bounds[2] == BoundFacts("depth <= 8")
    report = Report(kind="run", name="r", objectives=objective_facts(GOALS), bounds=bounds[:1], architectures=facts)
    report = report.replace(space=space_facts(space))
    assert f"size <= 4; {outside.sum()} of 29 break it" in to_text(report)
    assert f"size <= 4, speed > 50, depth <= 8; {outside.sum()} of 29 break one" in to_text(
        report.replace(bounds=bounds)
    )
    assert "; none of 29 breaks it" in to_text(report.replace(architectures=replace(facts, broken=0)))
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).bounds == bounds[:1]


def test_of_very_many_the_front_stays():
    space = GridSpace("large", [Gene(f"g{k}", tuple(range(10))) for k in range(6)], GOALS)
    X = space.sample(MOST_LISTED + 500, 0)
    rng = np.random.default_rng(0)
    raw = rng.random((len(X), 3))
    facts, rows = architecture_facts(space, GOALS, X, raw, ["chosen"] * len(X))
    assert facts.total == len(X)
    assert len(facts) == len(rows) == len(set(rows.tolist())) <= MOST_LISTED
    whole, _ = architecture_facts(space, GOALS, X[: MOST_LISTED - 1], raw[: MOST_LISTED - 1], ["chosen"] * len(X))
    assert len(whole) == MOST_LISTED - 1
    best = np.flatnonzero(raw[:, 0] == raw[:, 0].min())
    assert set(best) <= set(rows.tolist())


def test_progress_is_the_quality_of_everything_so_far():
    rng = np.random.default_rng(2)
    F = rng.random((50, 2))
    F[[4, 9]] = np.inf
    reference = np.array([[0.0, 1.0], [0.1, 0.1], [1.0, 0.0]])
    found = progress_facts(F, reference, "true", np.full(50, 2.5))
    assert found.evaluations[-1] == 50
    assert found.cost[-1] == 125.0
    for step, value, volume in zip(found.evaluations, found.adrs, found.hypervolume, strict=True):
        good = F[:step][np.isfinite(F[:step]).all(axis=1)]
        assert value == pytest.approx(adrs(good, reference=reference))
        assert volume == pytest.approx(hypervolume(good, reference=reference))


def test_progress_without_a_known_front_ends_at_its_own():
    F = np.random.default_rng(2).random((20, 2))
    F[0] = np.inf
    found = progress_facts(F, None, "")
    assert found.reference == "found"
    assert found.adrs[0] is None
    assert found.adrs[-1] == 0.0
    assert found.hypervolume[-1] == pytest.approx(1.0)
    assert progress_facts(np.full((3, 2), np.inf), None, "") is None


class Function:
    """What predicts as a function of the codes says."""

    def __init__(self, function, names="f"):
        self.objectives = tuple(Objective(name, "min") for name in names)
        self.space = GridSpace("f", [Gene(name, tuple(range(5))) for name in "abcd"], self.objectives)
        self.function = function

    def predict(self, X):
        return np.column_stack(self.function(np.asarray(X, dtype=float)))

    def effects(self, **options):
        scales = [Scale.of(column) for column in self.predict(self.space.enumerate()).T]
        return gene_effects(self, scales, **options)


def test_effects_of_genes_are_those_of_the_function():
    def function(Y):
        return 3 * Y[:, 0] + 4 * Y[:, 1], (Y[:, 0] - 2) * (Y[:, 1] - 2), Y[:, 2] * (Y[:, 3] - 1)

    total, product, third = Function(function, "fgh").effects(n=10_000)
    # Variances of 9 and 16 parts; a pure interaction belongs to both genes whole.
    assert total == pytest.approx({"a": 9 / 25, "b": 16 / 25, "c": 0, "d": 0}, abs=0.03)
    assert product == pytest.approx({"a": 1, "b": 1, "c": 0, "d": 0}, abs=0.03)
    # Of c (d - 1) with means 2 and 1, variances 2 and 2: 2 of c alone, 8 of d alone, 4 of both.
    assert third == pytest.approx({"a": 0, "b": 0, "c": 6 / 14, "d": 12 / 14}, abs=0.03)


def test_effects_on_what_grows_by_factors_are_those_on_its_logarithm():
    [found] = Function(lambda Y: (0.05 * np.exp(0.6 * Y[:, 0] + 0.8 * Y[:, 1]),)).effects(n=10_000)
    assert found == pytest.approx({"a": 9 / 25, "b": 16 / 25, "c": 0, "d": 0}, abs=0.03)


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_explosion_is_no_share_above_one(seed):
    """The variance of a sample without the explosion once made 251 % of the share of a variance."""

    def function(Y):
        return (Y[:, 0] - 5 + 1e4 * ((Y[:, 1] == 4) & (Y[:, 2] == 4) & (Y[:, 3] == 4)),)

    predictors = Function(function)
    free = [Scale(False, -np.inf, np.inf)]
    [found] = gene_effects(predictors, free, n=192, seed=seed)
    assert max(found.values()) <= 1.0
    # What is far beyond anything measured is not believed.
    [found] = gene_effects(predictors, [Scale.of(np.array([-5.0, -1.0]))], n=2_000, seed=seed)
    assert max(found, key=found.get) == "a"


def test_effects_are_told_of_predictors_that_can_tell():
    rng, space = np.random.default_rng(0), own_space()
    X = space.sample(60, 0)
    raw = np.column_stack([measured(X, rng)[:, 2], rng.normal(size=60), X[:, 1] + rng.normal(0, 0.3, 60)])
    predictors = PredictorSet(space, GOALS, [PredictorSpec(transform="log"), PredictorSpec(), PredictorSpec()])
    predictors.fit(ArchitectureTable.build(space, GOALS, X, raw))
    facts = predictor_facts(predictors, members_of)
    size, noise, depth = facts
    assert [p.logarithmic for p in facts] == [True, False, False]
    assert size.explained > 0.9
    assert noise.explained < 0.3
    assert noise.importance == {}
    assert depth.importance["depth"] > 0.9
    # Depth times the width's square: their logarithms add up.
    by_depth, by_width = np.log(np.arange(1, 9)).var(), np.log(4.0 ** np.arange(4)).var()
    assert size.importance["depth"] == pytest.approx(by_depth / (by_depth + by_width), abs=0.08)
    page = to_text(Report(kind="run", name="r", objectives=objective_facts(GOALS), predictors=facts))
    told = (
        f"too little is explained to tell which genes matter: speed ({max(0.0, noise.explained):.0%} of the variance)"
    )
    assert told in page


def test_predictions_of_known_rows_have_not_seen_them():
    rng, space = np.random.default_rng(3), own_space()
    X = space.sample(50, 0)
    raw = rng.normal(size=(50, 3))  # nothing to learn: what has been seen could be known by heart
    table = ArchitectureTable.build(space, GOALS, X, raw)
    predictors = PredictorSet(
        space, GOALS, [PredictorSpec("gaussian_process"), PredictorSpec("xgboost"), PredictorSpec()]
    )
    predictors.fit(table)
    seen, unseen = predictors.predict(X), predictors.predict_unseen(X)[0]
    assert np.corrcoef(seen[:, 1], raw[:, 1])[0, 1] > 0.9
    assert abs(np.corrcoef(unseen[:, 1], raw[:, 1])[0, 1]) < 0.5
    for k, (measured_values, mean, std) in enumerate(predictors.held_out()):
        assert len(measured_values) == len(mean) == len(std) > 10
        assert set(measured_values) <= set(raw[:, k])


@pytest.mark.parametrize("name", ["nasbench201", "nasbench_asr", "hw_gpt_s", "flexibert", "digits"])
def test_published_spaces_are_drawn(name):
    space = get_space(name)
    assert space.draws
    for x in space.sample(20, 0):
        drawing = space.draw(x)
        assert drawing.startswith("<svg ")
        assert drawing.endswith("</svg>")
        assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")


def test_a_drawing_shows_what_is_active():
    space = get_space("nasbench201")
    live = space.draw(space.from_string("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"))
    assert live.count("nor_conv_3x3") == 2  # on the edge and in the title
    assert live.count('class="e off"') == 3
    digits = get_space("digits")
    [x] = digits.check([[0, 0, 1, 2, 3, 0, 0]])
    assert digits.draw(x).count("units") == 2
    with pytest.raises(InputError, match="expected one genotype, got 2"):
        digits.draw([x, x])


def test_own_spaces_are_drawn_as_their_genes_and_escaped():
    plain = own_space()
    assert not plain.draws
    assert own_space(Drawn).draws
    drawing = plain.draw([1, 2, 3])
    assert "&lt;/script&gt;" in drawing
    assert "</script>" not in drawing
    assert "depth" in drawing
    assert "<b>" not in graph([("<b>", True), ("x", False)], [(0, 1, "<i>", True)]) + stack([("<b>", "<i>")])


def test_a_drawing_that_fails_loses_nothing(caplog):
    class Broken(GridSpace):
        def _draw(self, x):
            raise RuntimeError("no pen")

    facts = make_report(Broken).architectures
    assert facts.drawings == {}
    assert "no pen" in caplog.text


def test_a_page_is_what_its_facts_say_to_the_last_digit(report, tmp_path):
    facts = report.architectures
    # Six digits of this are 96.7429, six digits of its eight are 96.7428.
    raw = [[96.742850004, *facts.raw[0][1:]], *facts.raw[1:]]
    changed = report.replace(architectures=replace(facts, raw=raw))
    page = write_page(changed, tmp_path).read_text(encoding="utf-8")
    assert page == to_html(read_report(tmp_path))
    assert page != to_html(changed)
