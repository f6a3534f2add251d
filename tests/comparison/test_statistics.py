"""Statistics, oracle, figures and the report of a comparison, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rapid_moo import adrs, get_problem
from rapid_moo.comparison import figures, statistics
from rapid_moo.comparison.facts import comparison_facts, quality_facts
from rapid_moo.comparison.oracle import oracle_order, oracle_trajectory
from rapid_moo.comparison.registry import default_reference
from rapid_moo.comparison.tables import COLUMNS, ORACLE_FILE, RESULTS_FILE, TRAJECTORIES_FILE, read_results
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.report import Report, read_report, to_markdown, to_text
from rapid_moo.report.compared import comparison_blocks, quality_blocks
from rapid_moo.report.rendering import html, markdown


def make_results(levels, seeds=6, budgets=(0.05, 0.15)):
    """Results in which each method has the given level of ADRS on each dataset, seeds spread a little around it."""
    lines = []
    for dataset, methods in levels.items():
        for method, level in methods.items():
            for seed in range(seeds):
                for budget in budgets:
                    quality = level * (1 + 0.01 * seed) / (100 * budget)
                    lines.append((dataset, method, seed, round(1000 * budget), budget, quality, 1 - quality, 0, 9, 0.5))
    columns = COLUMNS[RESULTS_FILE]
    made = dict.fromkeys(columns[len(lines[0]) :], "told")
    return pd.DataFrame(lines, columns=columns[: len(lines[0])]).assign(**made)


def make_trajectories(results):
    """Each run halves its ADRS twice on its way."""
    parts = []
    for row in results[results["budget"] == results["budget"].max()].itertuples(index=False):
        for share in (4, 2, 1):
            values = row._asdict() | {"evaluations": row.evaluations // share, "adrs": row.adrs * share}
            parts.append({**values, "cpu_seconds": row.seconds})
    return pd.DataFrame(parts)[COLUMNS[TRAJECTORIES_FILE]]


def make_oracle(datasets, quality=0.0):
    """One that has its whole front after three evaluations, on tables of a thousand rows."""
    lines = [(name, 1000, 3, quality, 1.0 - quality, 0.0, 3) for name in datasets]
    return pd.DataFrame(lines, columns=COLUMNS[ORACLE_FILE])


LEVELS = {
    "one": {"rapid": 0.10, "nsga2": 0.20, "random": 0.40},
    "two": {"rapid": 0.10, "nsga2": 0.05, "random": 0.40},
    "three": {"rapid": 0.10, "nsga2": 0.30, "random": 0.40},
}


def test_evaluations_to_a_target_take_the_smallest_budget_that_reaches_it():
    frame = pd.DataFrame(
        [
            ("d", "rapid", 0, 0.05, 10, 0.5),
            ("d", "rapid", 0, 0.05, 50, 0.09),
            ("d", "rapid", 0, 0.15, 10, 0.4),
            ("d", "rapid", 0, 0.15, 40, 0.08),
            ("d", "rapid", 0, 0.15, 150, 0.01),
        ],
        columns=["dataset", "method", "seed", "budget", "evaluations", "adrs"],
    )
    assert statistics.evaluations_to(frame, 0.1).iloc[0].tolist() == ["d", "rapid", 0, 50, True]
    assert statistics.evaluations_to(frame, 0.01).iloc[0].tolist() == ["d", "rapid", 0, 150, True]
    assert statistics.evaluations_to(frame, 0.001).iloc[0].tolist() == ["d", "rapid", 0, 150, False]


def test_a_run_that_ended_by_itself_never_gets_there():
    """Seven of ten stalled after 34 evaluations: that three got there at 70 says nothing of the others."""
    lines = [("d", "stalls", seed, 0.15, 34, 0.5) for seed in range(7)]
    lines += [("d", "stalls", seed, 0.15, 70, 0.1) for seed in range(7, 10)]
    frame = pd.DataFrame(lines, columns=["dataset", "method", "seed", "budget", "evaluations", "adrs"])
    found = statistics.median_evaluations(frame, [0.1]).iloc[0]
    assert found[["evaluations", "at_least", "reached"]].tolist() == [np.inf, 70, 3]
    # Those that a smaller budget stopped are another matter.
    stopped = frame.assign(budget=frame["budget"].where(frame["seed"] >= 7, 0.05))
    assert statistics.median_evaluations(stopped, [0.1])["evaluations"].iloc[0] == 70


def test_censored_median_equals_the_median_without_censoring_and_scipy_with_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        times = rng.integers(1, 30, size=int(rng.integers(1, 12))).astype(float)
        assert statistics.censored_median(times, np.ones(len(times), bool)) == np.median(times)
        events = rng.random(len(times)) < 0.7
        curve = stats.ecdf(stats.CensoredData.right_censored(times, ~events)).sf
        # scipy's curve has steps at censored times too, of no height.
        drops = np.isin(curve.quantiles, times[events])
        quantiles, survival = curve.quantiles[drops], curve.probabilities[drops]
        half = quantiles[survival <= 0.5 + 1e-12].min(initial=np.inf)
        beyond = quantiles[survival < 0.5 - 1e-12].min(initial=np.inf)
        assert statistics.censored_median(times, events) == (half + beyond) / 2
    with pytest.raises(InputError, match="at least one"):
        statistics.censored_median([], [])


def test_holm_by_hand_and_monotone():
    assert statistics.holm([0.01, 0.02, 0.03, 0.005]).tolist() == [0.03, 0.04, 0.04, 0.02]
    assert statistics.holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert statistics.holm([]).tolist() == []


def test_pairwise_tests_find_what_differs_and_nothing_else():
    results = make_results({"one": {"a": 0.10, "b": 0.10, "c": 0.40}}, seeds=10)
    found = statistics.pairwise_tests(results, 0.05).set_index(["first", "second"])
    assert found.loc[("a", "b"), "p_holm"] == 1.0
    assert found.loc[("a", "b"), "better"] == ""
    assert found.loc[("a", "c"), "p_holm"] < 0.001
    assert found.loc[("a", "c"), "better"] == "a"
    flipped = statistics.pairwise_tests(results, 0.05, "hypervolume").set_index(["first", "second"])
    assert flipped.loc[("b", "c"), "better"] == "b"


def test_ranks_and_critical_difference():
    found = statistics.ranks(make_results(LEVELS), 0.15)
    assert found.mean.index.tolist() == ["rapid", "nsga2", "random"]
    assert found.mean.tolist() == pytest.approx([4 / 3, 5 / 3, 3])
    # Demsar 2006, table 5: q at 5 % for three classifiers is 2.343.
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 3)), abs=1e-3)
    assert found.p == pytest.approx(stats.friedmanchisquare([0.1] * 3, [0.2, 0.05, 0.3], [0.4] * 3).pvalue)
    assert found.cliques() == [("rapid", "nsga2", "random")]
    with pytest.raises(InputError, match="got 1"):
        statistics.ranks(make_results({"one": {"a": 0.1}}), 0.15)


def test_speedups_are_ratios_and_say_when_they_are_bounds():
    medians = statistics.median_evaluations(make_trajectories(make_results(LEVELS)), [0.03, 0.01])
    found = statistics.speedups(medians, "rapid").set_index(["dataset", "target", "rival"])
    # The last of the ADRS of rapid is 0.1 / 15, of nsga2 on "one" 0.2 / 15: half of its way is rapid's quarter.
    assert found.loc[("one", 0.03, "nsga2"), ["speedup", "bound"]].tolist() == [pytest.approx(75 / 37), "="]
    assert found.loc[("one", 0.01, "random"), ["speedup", "bound"]].tolist() == [1.0, ">="]
    assert found.loc[("two", 0.01, "nsga2"), "speedup"] < 1.0
    with pytest.raises(InputError, match="'magic'"):
        statistics.speedups(medians, "magic")


@pytest.mark.parametrize(
    ("own", "rival", "expected"),
    [
        ((100.0, 100), (np.inf, 40), None),
        ((100.0, 100), (np.inf, 300), [3.0, ">="]),
        ((np.inf, 40), (100.0, 100), None),
        ((np.inf, 300), (100.0, 100), [pytest.approx(1 / 3), "<="]),
        ((np.inf, 300), (np.inf, 300), None),
    ],
)
def test_who_was_stopped_too_early_is_not_compared(own, rival, expected):
    lines = [("one", method, 0.01, *values) for method, values in (("rapid", own), ("random", rival))]
    medians = pd.DataFrame(lines, columns=["dataset", "method", "target", "evaluations", "at_least"])
    found = statistics.speedups(medians, "rapid")
    assert found[["speedup", "bound"]].to_numpy().tolist() == ([] if expected is None else [expected])


def test_losses_name_every_rival_that_is_better():
    found = statistics.losses(make_results(LEVELS), "rapid", [0.05, 0.15])
    assert found[["dataset", "budget", "rival"]].to_numpy().tolist() == [["two", 0.05, "nsga2"], ["two", 0.15, "nsga2"]]
    assert (found["rival_value"] < found["rapid"]).all()


@pytest.mark.parametrize("quality", ["adrs", "hypervolume"])
def test_a_tally_counts_wins_losses_and_which_are_significant(quality):
    results = make_results({**LEVELS, "four": dict.fromkeys(LEVELS["one"], 0.1)})
    assert statistics.tally(results, "rapid", [0.05, 0.15], quality).to_dict("index") == {
        "nsga2": {"comparisons": 8, "won": 4, "won_clearly": 4, "lost": 2, "lost_clearly": 2},
        "random": {"comparisons": 8, "won": 6, "won_clearly": 6, "lost": 0, "lost_clearly": 0},
    }
    unclear = statistics.tally(make_results(LEVELS, seeds=2), "rapid", [0.05], quality)
    assert unclear[["won_clearly", "lost_clearly"]].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_oracle_is_greedy_and_ends_at_zero():
    front = get_problem("digits").table.front
    order = oracle_order(front)
    assert sorted(order) == list(range(len(front)))
    for n in (1, 2, 5):
        chosen = adrs(front[order[:n]], reference=front)
        rivals = [adrs(front[[*order[: n - 1], i]], reference=front) for i in range(len(front))]
        assert chosen == pytest.approx(min(rivals), rel=1e-12)
    path = oracle_trajectory(get_problem("digits").table)
    assert path["adrs"].iloc[-1] == 0.0
    assert path["hypervolume"].iloc[-1] == pytest.approx(1.0)


def test_oracle_of_one_point():
    assert oracle_order(np.array([[1.0, 2.0]])).tolist() == [0]


def test_report_shows_losses_and_bounds():
    results = make_results(LEVELS)
    oracle = make_oracle(LEVELS)
    text = markdown(comparison_blocks(comparison_facts(results, make_trajectories(results), oracle)))
    assert "| rapid | 1.3 | 1.00 | **0.0068** |" in text
    assert "| nsga2 | 6 | 4 (4) | 2 (2) | 4 (4) | 2 (2) |" in text
    assert "Where rapid loses by hypervolume" in text
    assert "| two | 15 % | nsga2 |" in text
    assert "| *oracle* | 3 | 3 | 3 |" in text
    assert ">150" in text
    assert "≥ " in text


def test_report_of_methods_that_did_not_run_everywhere():
    results = make_results({"one": {"a": 0.1, "b": 0.2}, "two": {"a": 0.1}})
    oracle = make_oracle(["one", "two"])
    text = markdown(quality_blocks(quality_facts(results, oracle, 0.05)))
    assert "| b |  |" in text
    assert "Methods that did not run on every table are not ranked." in text
    with pytest.raises(InputError, match=r"0\.5"):
        quality_facts(results, oracle, 0.5)


def test_of_one_table_all_that_was_judged_is_told():
    results = make_results({"one": {"rapid": 0.1, "b": 0.2}})
    facts = comparison_facts(results, make_trajectories(results), make_oracle(["one"]), targets=(0.05, 0.015))
    report = Report(kind="comparison", name="one", comparison=facts)
    text = to_text(report)
    told = text[text.index("At a budget of 15 %") :].splitlines()
    assert told[2].split() == ["method", "evaluations", "ADRS", "hypervolume", "IGD+", "front", "size", "seconds"]
    assert told[3].split() == ["rapid", "150", "*0.0068*", "*0.9932*", "*0.0000*", "9", "0.5"]
    assert told[4].split() == ["b", "150", "0.0137", "0.9863", "*0.0000*", "9", "0.5"]
    # The digits of a column stand below each other, marked or not.
    assert told[3].index("0.0068") == told[4].index("0.0137")
    # Halved twice on its way: b has 0.0547 after 37 evaluations, 0.0273 after 75 and 0.0137 after 150.
    assert "| b | 75 | 150 |" in to_markdown(report)
    assert "<td class=number><strong>0.0068</strong></td>" in html(comparison_blocks(facts))


def test_facts_of_a_comparison_survive_their_file(tmp_path):
    results = make_results(LEVELS)
    facts = comparison_facts(results, make_trajectories(results), make_oracle(LEVELS))
    report = Report(kind="comparison", name="all", comparison=facts)
    report.write(tmp_path)
    again = read_report(tmp_path)
    assert again.to_dict() == report.to_dict()
    assert to_markdown(again) == to_markdown(report)
    assert again.comparison.record["losses"]["adrs"][0]["rival"] == "nsga2"


def test_names_of_methods_and_tables_stay_text():
    evil = "*a*|<b>_c_ `d` [e](f)"
    results = make_results({evil: {"rapid": 0.1, evil: 0.2}, "two": {"rapid": 0.1, evil: 0.2}})
    blocks = comparison_blocks(comparison_facts(results, make_trajectories(results), make_oracle([evil, "two"])))
    page = html(blocks)
    assert "<b>" not in page
    assert "<em>a</em>" not in page
    assert "&lt;b&gt;" in page
    bars = {line.replace("\\|", "").count("|") for line in markdown(blocks).splitlines() if evil[:2] in line}
    assert bars <= {0, 4, 5, 6, 7, 8}


def test_bills_are_over_the_budget_though_half_of_the_methods_overrun():
    results = make_results({"one": {"a": 0.1, "b": 0.2}})
    results.loc[results["method"] == "b", "evaluations"] *= 3
    found = quality_facts(results, make_oracle(["one"]), 0.05)["methods"]
    assert [(line["method"], line["rank"], line["bill"]) for line in found] == [("a", 1.0, 1.0), ("b", 2.0, 3.0)]
    two = pd.concat([results, results.assign(dataset="two")])
    text = markdown(quality_blocks(quality_facts(two, make_oracle(["one", "two"]), 0.05)))
    assert "| a | 1.0 | 1.00 |" in text
    assert "| b | 2.0 | 3.00 |" in text


def test_overhead_is_that_of_the_longest_runs():
    results = make_results(LEVELS)
    results.loc[(results["method"] == "nsga2") & (results["dataset"] == "one"), "budget"] *= 0.1
    found = statistics.overheads(results).set_index(["dataset", "method"])
    assert found.loc[("one", "nsga2"), "budget"] == pytest.approx(0.015)
    assert found.loc[("two", "nsga2"), "budget"] == 0.15
    assert found.loc[("two", "nsga2"), "seconds"] == pytest.approx(0.5 / 150)
    text = markdown(comparison_blocks(comparison_facts(results, make_trajectories(results), make_oracle(LEVELS))))
    assert "| nsga2 | 3.33 (1.5 %) | 3.33 | 3.33 |" in text


def test_figures_are_written_and_methods_keep_their_look(tmp_path):
    results = make_results(LEVELS)
    oracle = make_oracle(LEVELS, 0.001)
    names = figures.write_figures(tmp_path, results, make_trajectories(results), oracle)
    assert {"curves-one.png", "overhead.png", "ranks-0.05.png", "ranks-0.15.png"} <= set(names)
    assert all((tmp_path / name).stat().st_size > 10_000 for name in names)
    look = figures.looks(["rapid", "mine", "random", "other"])
    assert look["rapid"] == figures.looks(["rapid"])["rapid"] == 0
    assert len(set(look.values())) == 4


def test_a_curve_shows_oracle_and_floor_of_its_own_table():
    results = make_results(LEVELS)
    floor = make_oracle(LEVELS, 0.002)
    drawn = figures.curves_figure(results, make_trajectories(results), make_oracle(LEVELS, 0.001), "one", floor)
    lines = {line.get_label(): line for line in drawn.axes[0].get_lines()}
    assert {"oracle", "floor of noise"} <= set(lines)
    own = floor[floor["dataset"] == "one"]
    assert lines["floor of noise"].get_xdata().tolist() == own["evaluations"].tolist()
    assert lines["floor of noise"].get_ydata().tolist() == pytest.approx(own["adrs"].tolist())
    without = figures.curves_figure(results, make_trajectories(results), make_oracle(LEVELS, 0.001), "one")
    assert "floor of noise" not in {line.get_label() for line in without.axes[0].get_lines()}


def test_results_are_read_back_or_refused(tmp_path):
    results = make_results(LEVELS)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        results.to_csv(tmp_path / name / RESULTS_FILE, index=False)
    pd.testing.assert_frame_equal(read_results([tmp_path / "a"]), results)
    with pytest.raises(InputError, match="twice"):
        read_results([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(DataNotFoundError, match="nowhere"):
        read_results([tmp_path / "nowhere"])
    (tmp_path / "b" / RESULTS_FILE).write_text("a,b\n")
    with pytest.raises(InputError, match="expected columns"):
        read_results([tmp_path / "b"])


class TestFewSeeds:
    """What three seeds cannot show is said, not left to be found out."""

    @pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 3), (3, 5), (4, 4), (8, 8), (9, 9), (10, 10), (3, 40)])
    def test_no_samples_differ_more_clearly_than_the_smallest_p(self, n, m):
        apart = [np.repeat([0.0, 1.0], [n, m]), np.arange(float(n + m)), np.r_[np.zeros(n), 1 + np.arange(float(m))]]
        found = min(statistics._rank_sum(values[:n], values[n:]) for values in apart)
        assert found == pytest.approx(statistics.smallest_p(n, m), rel=1e-9)

    def test_small_samples_with_ties_are_tested_exactly(self):
        a, b = np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0])
        assert stats.mannwhitneyu(a, b).pvalue < 0.05
        assert statistics._rank_sum(a, b) == pytest.approx(0.1)
        a, b = np.array([1.0, 2.0, 2.0, 5.0]), np.array([2.0, 3.0, 4.0])
        how = stats.PermutationMethod(n_resamples=np.inf)
        assert statistics._rank_sum(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method=how).pvalue)

    @pytest.mark.parametrize(("methods", "needed"), [(2, 4), (3, 5), (4, 5), (5, 6), (19, 8)])
    def test_needed_are_the_fewest_that_can_be_significant(self, methods, needed):
        tests = methods * (methods - 1) // 2
        assert statistics.seeds_needed(tests) == needed
        levels = {"one": {f"m{k}": 0.1 * (k + 1) for k in range(methods)}}
        for seeds, clear in ((needed - 1, False), (needed, True)):
            results = make_results(levels, seeds=seeds, budgets=(0.05,))
            results["adrs"] = results["method"].str[1:].astype(int) + 0.01 * results["seed"]
            assert (statistics.pairwise_tests(results, 0.05)["p_holm"] < statistics.LEVEL).any() == clear

    def test_the_report_says_that_no_difference_can_be_significant(self):
        results = make_results(LEVELS, seeds=3)
        facts = comparison_facts(results, make_trajectories(results), make_oracle(LEVELS))
        told = (
            "With 3 seeds and 3 methods no difference can be significant: the smallest p that the test can give is 0.3"
            " after Holm's correction. At least 5 seeds of each method are needed."
        )
        assert told in markdown(comparison_blocks(facts))
        enough = make_results(LEVELS, seeds=5)
        facts = comparison_facts(enough, make_trajectories(enough), make_oracle(LEVELS))
        assert "can be significant" not in markdown(comparison_blocks(facts))

    def test_where_only_some_tables_have_few_seeds_it_says_so(self):
        results = make_results(LEVELS, seeds=5)
        results = results[(results["dataset"] != "two") | (results["seed"] < 2)]
        facts = comparison_facts(results, make_trajectories(results), make_oracle(LEVELS))
        expected = {"cases": 2, "all": 6, "needed": 5, "seeds": 2, "methods": 3, "p": 1.0}
        assert facts.record["too_few"] == expected
        text = markdown(comparison_blocks(facts))
        assert (
            "With 2 seeds and 3 methods no difference can be significant in 2 of 6 cases (tables and budgets)" in text
        )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["nsga2", "random", "hill", "rapid"], "rapid"),
        (["nsga2", "random", "hill", "climb"], "hill"),
        (["nsga2", "random"], "nsga2"),
        (["hill"], "hill"),
    ],
)
def test_wins_and_losses_are_those_of_rapid_else_of_ones_own_method(names, expected):
    assert default_reference(names) == expected
    results = make_results({"one": {name: 0.1 * (k + 1) for k, name in enumerate(names)}})
    record = comparison_facts(results, make_trajectories(results), make_oracle(["one"])).record
    if len(names) == 1:
        assert record is None
        return
    assert {line["rival"] for line in record["rivals"]} == {*names} - {record["method"]}
    assert record["method"] == default_reference(sorted(names))
