"""What was measured elsewhere: told in part, told again, known beforehand, and what is refused."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import pytest

from rapid_moo import ArchitectureProblem, Gene, GridSpace, Objective
from rapid_moo.errors import InputError
from rapid_moo.study.intake import Intake

SIZE = Objective("size", "min")
GOALS = (Objective("error", "min"), Objective("latency", "min"), SIZE)
SPACE = GridSpace(
    "toy", [Gene("depth", (1, 2, 3)), Gene("op", ("conv", "mlp"))], GOALS, {SIZE: lambda genes: 10.0 * genes["depth"]}
)
DEEP = {"depth": 3, "op": "mlp"}


@pytest.fixture
def intake():
    missing = dict.fromkeys(("error", "latency"), lambda genes: None)
    return Intake(ArchitectureProblem(SPACE, measure=missing, objectives=GOALS))


def asked(intake, times=1):
    row = int(intake.store.ask(SPACE.from_dict(DEEP)[None], "rapid")[0])
    for _ in range(times):
        intake.store.start(row, "hand")
    return row


def line(values, reasons=None):
    return (2, SPACE.from_dict(DEEP), values, reasons or {})


def test_what_is_told_in_part_waits_for_the_rest(intake):
    row = asked(intake)
    assert intake.wanted(row) == ("error", "latency")
    intake.tell(row + 1, {"error": 1.5})
    assert (intake.wanted(row), bool(intake.store.pending[row])) == (("latency",), True)
    intake.tell(row + 1, {"latency": 4})
    assert (intake.wanted(row), bool(intake.store.pending[row])) == ((), False)
    assert intake.store.raw[row].tolist() == [1.5, 4.0, 30.0]


def test_a_reason_is_that_of_all_that_has_no_value(intake):
    row = asked(intake)
    intake.tell(row + 1, {"error": 1.5}, "board is away")
    assert (intake.store.state(row), intake.store.reason(row)) == ("partial", "board is away")
    assert not intake.store.pending[row]


def test_no_number_is_a_failure_and_a_text_a_mistake(intake):
    row = asked(intake)
    with pytest.raises(InputError, match="tell: error: "):
        intake.tell(row + 1, {"latency": 1.0, "error": "1.5 %"})
    with pytest.raises(InputError, match="tell: expected objectives error, latency, size, got 'speed'"):
        intake.tell(row + 1, {"latency": 1.0, "speed": 1.0})
    assert not intake.store.tried[row]
    intake.tell(row + 1, {"error": float("nan")})
    assert intake.store.failed_objectives[row].tolist() == [True, False, False]


def test_rows_have_numbers_and_architectures(intake):
    row = asked(intake)
    other = {"depth": 1, "op": "conv"}
    intake.tell(1, {"error": 1.0})
    intake.tell(DEEP, {"latency": 2.0})
    assert intake.store.raw[row, :2].tolist() == [1.0, 2.0]
    intake.tell(other, {"error": 3.0})
    assert (len(intake.store), intake.store.raw[1, 0]) == (2, 3.0)
    for wrong in (0, 3, True, 1.5, "1"):
        with pytest.raises(InputError, match=f"tell: expected an evaluation's number in 1..2, got {wrong!r}"):
            intake.tell(wrong, {"error": 1.0})


@pytest.mark.parametrize("values", [[1.0, 2.0], 3.0, "error", None])
def test_values_without_objectives_are_refused(intake, values):
    with pytest.raises(InputError, match=re.escape(f"tell: expected values by objective, got {values!r}")):
        intake.tell({"depth": 1, "op": "conv"}, values)
    assert len(intake.store) == 0


@pytest.mark.parametrize("values", [{"error": "1.5 %"}, {"speed": 1.0}, {"size": 3.0}, {}])
def test_what_says_nothing_of_a_stranger_leaves_no_row(intake, values):
    # A refused value left a row that cost nothing and was never measured.
    with suppress(InputError):
        intake.tell({"depth": 1, "op": "conv"}, values)
    assert len(intake.store) == 0


def test_a_file_that_is_told_again_says_only_what_is_new(intake):
    assert intake.tell_rows([line({"error": 1.0})]) == 1
    assert intake.tell_rows([line({"error": 1.0})]) == 0
    assert intake.tell_rows([line({"error": 1.0, "latency": 2.0})]) == 1
    assert intake.store.repeats.tolist() == [[1, 1, 1]]
    assert intake.tell_rows([line({"error": 3.0})]) == 1
    assert intake.store.raw.tolist() == [[2.0, 2.0, 30.0]]


def test_the_same_value_counts_where_it_was_asked_for_once_more(intake):
    intake.tell_rows([line({"error": 1.0, "latency": 2.0})])
    intake.store.ask(SPACE.from_dict(DEEP)[None], "rapid", objectives=["error"], again=True)
    assert intake.tell_rows([line({"error": 1.0, "latency": 2.0})]) == 1
    assert intake.store.repeats.tolist() == [[2, 1, 1]]


def test_what_is_known_beforehand_is_free_and_what_is_known_stays(intake):
    intake.take_over([line({"error": 1.0}, {"latency": "out of memory"})])
    intake.take_over([line({"error": 9.0})])
    assert intake.store.n_evaluations == 0
    assert intake.store.free.tolist() == [True]
    np.testing.assert_array_equal(intake.store.raw, [[1.0, np.nan, 30.0]])
    assert intake.store.reason(0) == "out of memory"
