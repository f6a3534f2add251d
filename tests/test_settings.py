"""Settings are those that the pages state, and what is stated by name is taken by name alone."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from rapid_moo import (
    RAPID,
    ADRSTuner,
    ArchitectureProblem,
    OneShotRAPID,
    acquisition,
    batches,
    candidates,
    design,
    get_problem,
    learning,
)
from rapid_moo.indicators import adrs, hypervolume, igd_plus
from rapid_moo.learning import Learner
from rapid_moo.priors import prior
from rapid_moo.tuning import Bench, ResampledLoss, bench, early, early_specs, loss, selection, tuner

PAGES = Path(__file__).parents[1] / "benchmarks"


def default(function, name):
    return inspect.signature(function).parameters[name].default


def started():
    algorithm = RAPID()
    algorithm.setup(get_problem("digits"))
    return algorithm


@pytest.mark.parametrize(
    ("found", "expected", "page", "stated"),
    [
        (lambda: design.FIRST_SAMPLE, 12, "rapid.md", "**First sample**: 12 architectures"),
        (lambda: started().first_sample, 12, "rapid.md", "**First sample**: 12 architectures"),
        (lambda: default(OneShotRAPID, "n_initial"), 12, "rapid.md", "**First sample**: 12 architectures"),
        (lambda: design.POOL, 2_000, "rapid.md", "the space (2,000 of its candidates)"),
        (lambda: learning.FIRST_TUNING, 48, "rapid.md", "at 48 evaluations and whenever their number has doubled"),
        (lambda: default(RAPID, "retune"), 2.0, "rapid.md", "at 48 evaluations and whenever their number has doubled"),
        (lambda: learning.EARLY_GROWTH, 1.4, "rapid.md", "whenever they are 1.4 times as many"),
        (lambda: len(early.CANDIDATES), 4, "rapid.md", "one of four Gaussian processes serves"),
        (lambda: candidates.GENERATIONS, 60, "rapid.md", "in 60 generations of 100"),
        (lambda: candidates.POP_SIZE, 100, "rapid.md", "in 60 generations of 100"),
        (lambda: candidates.CROSSED, 0.9, "rapid.md", "9 in 10 children have two parents"),
        (lambda: batches.SPREAD_POOL, 1_500, "rapid.md", "the 1,500 best by front of the predicted means"),
        (
            lambda: batches.WIDE_SLACK,
            1.5,
            "rapid.md",
            "one and a half standard deviations beyond a bound on an objective",
        ),
        (lambda: candidates.SLACK, 0.5, "rapid.md", "half a standard deviation beyond them is too far"),
        (lambda: prior.MOST_POOLED, 300, "transfer.md", "Up to 300 values that agree with the target's own"),
        (lambda: acquisition.JOINT_POOL, 300, "rapid.md", "the 300 most likely to be non-dominated"),
        (
            lambda: default(acquisition.promising, "n_draws"),
            16,
            "rapid.md",
            "in 16 draws of the predictive distribution",
        ),
        (lambda: acquisition.N_DRAWS, 64, "rapid.md", "**Draw** 64 possible truths"),
        (lambda: acquisition.RULE_OF_THREE, 3.0, "rapid.md", "by more than 3/n of the range"),
        (lambda: acquisition.EXPONENT, 0.5, "rapid.md", "lowers most the mean square root of the distances"),
        (
            lambda: default(acquisition.coverage_batch, "exponent"),
            0.5,
            "rapid.md",
            "the mean square root of the distances",
        ),
        (
            lambda: default(acquisition.coverage_batch, "max_front"),
            150,
            "rapid.md",
            "of more than 150 points 150 count",
        ),
        (
            lambda: default(OneShotRAPID, "parts"),
            1,
            "rapid.md",
            "a random sample, one tuning, the whole predicted front",
        ),
        (lambda: default(ADRSTuner, "max_rows"), 400, "tuner.md", "At most 400 rows of the sample"),
        (lambda: default(ADRSTuner, "budget"), 14, "tuner.md", "14 configurations per objective by default"),
        (lambda: tuner.SCREENED, 0.75, "tuner.md", "until three quarters of the budget"),
        (lambda: bench.PROBE, 32, "tuner.md", "only the first 32 members are fitted"),
        (lambda: bench.TREES, 60, "tuner.md", "fitted once, with 60 trees"),
        (lambda: bench.STOP_AT, 1.0, "tuner.md", "within a standard error of the best one's"),
        (lambda: bench.SCREEN_ROWS, 120, "tuner.md", "120 rows and 12 steps of the optimizer"),
        (lambda: bench.SCREEN_ITERATIONS, 12, "tuner.md", "120 rows and 12 steps of the optimizer"),
        (lambda: early.ITERATIONS, 12, "tuner.md", "120 rows and 12 steps of the optimizer"),
        (lambda: tuner.FAMILIES_REFINED, 2, "tuner.md", "restricted to each objective's two best families"),
        (lambda: tuner.ASKS_PER_FIT, 8, "tuner.md", "asks eight times as often as it may fit"),
        (lambda: 2 * loss.PAIRS_OF_HALVES, 20, "tuner.md", "on twenty random halves of the sample"),
        (lambda: selection.FIRST_HALVES, 6, "tuner.md", "judged on 6 of the halves"),
        (lambda: selection.FINALISTS, 25, "tuner.md", "the best 25 on all of them"),
        (lambda: selection.BETTER_THAN_CHANCE, 3.0, "tuner.md", "within three standard deviations of chance"),
        (lambda: selection.USEFUL_TAU, 0.3, "tuner.md", "0.3 is out of reach"),
        (lambda: default(ADRSTuner, "committee"), True, "tuner.md", "predicted by the mean of their predictors"),
    ],
)
def test_pages_state_what_the_code_does(found, expected, page, stated):
    # Looked up here: a value in the name of a test would rename it where it is wrong.
    value = found()
    text = " ".join((PAGES / page).read_text(encoding="utf-8").split())
    assert stated in text
    assert value == expected
    assert type(value) is type(expected)


def test_without_a_seed_it_is_zero_and_one_fit_is_made_at_a_time():
    """The same call gives the same choice: nothing is drawn from the operating system unless that is asked for."""
    assert (default(ADRSTuner, "seed"), default(Bench, "seed"), default(early_specs, "seed")) == (0, 0, 0)
    assert (default(ADRSTuner, "n_jobs"), default(Bench, "n_jobs")) == (1, 1)
    assert ADRSTuner().seed == 0


@pytest.mark.parametrize(
    ("function", "by_place_or_name", "by_name"),
    [
        (ADRSTuner, ["budget"], ["families", "shortlist", "committee", "prefer", "max_rows", "optimizer", "seed"]),
        (
            ArchitectureProblem,
            ["space", "source", "objectives"],
            ["measure", "table", "constraints", "name", "store", "guard", "elementwise_runner"],
        ),
        (ArchitectureProblem.record, ["row", "outcome"], ["who", "more", "guard"]),
        (acquisition.promising, ["mean", "std", "known", "limit"], ["n_draws", "seed"]),
        (
            acquisition.coverage_batch,
            ["draws", "known", "size"],
            ["exponent", "max_front", "prices", "pending", "seed"],
        ),
        (adrs, [], ["reference"]),
        (igd_plus, [], ["reference"]),
        (hypervolume, [], ["reference"]),
        (RAPID, ["n_initial", "batch_size", "rounds", "tuner", "specs"], []),
        (Learner, ["view", "tuner", "specs", "retune", "priors", "n_initial", "stopwatch"], []),
        (ResampledLoss, ["F", "seed", "pairs"], []),
    ],
)
def test_what_is_easily_swapped_is_taken_by_name_alone(function, by_place_or_name, by_name):
    parameters = inspect.signature(function).parameters
    kinds = {name: parameters[name].kind for name in (*by_place_or_name, *by_name)}
    assert {kinds[name] for name in by_name} <= {inspect.Parameter.KEYWORD_ONLY}
    assert {kinds[name] for name in by_place_or_name} <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
