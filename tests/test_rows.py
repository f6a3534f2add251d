"""What events make of rows, whoever wrote them down."""

from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import Gene, GridSpace
from rapid_moo.errors import InputError
from rapid_moo.rows import BY_HAND, Event, Rows

SPACE = GridSpace("grid", [Gene("a", tuple(range(8))), Gene("b", (0, 1, 2))])
NAMES = ("error", "latency")


def ask(row: int, x: list[int], at: float = 0.0, **more) -> Event:
    return Event("ask", row, at, {"x": x, "who": "somebody", "free": False, **more})


def tell(row: int, values=None, reasons=None, at: float = 0.0, **more) -> Event:
    body = {"values": values or {}, "reasons": reasons or {}, "seconds": 1.0, "who": "", "more": False}
    return Event("tell", row, at, body | more)


def rows_of(*events: Event) -> Rows:
    rows = Rows(SPACE, NAMES)
    for event in events:
        rows.apply(event)
    return rows


def test_a_row_goes_through_its_states():
    events = [ask(0, [3, 1]), Event("start", 0, 1.0, {"who": "worker"}), tell(0, {"error": 2.0}, more=True)]
    rows, seen = Rows(SPACE, NAMES), []
    for event in [*events, tell(0, {"latency": 5.0}), tell(0, {"latency": 7.0}, at=9.0)]:
        rows.apply(event)
        seen.append(rows.state(0))
    assert seen == ["asked", "running", "running", "done", "done"]
    assert rows.raw.tolist() == [[2.0, 6.0]]
    assert rows.repeats.tolist() == [[1, 2]]
    assert rows.repeat_variance[0, 1] == 2.0
    assert (rows.seconds(0), rows.when(0), rows.who(0), rows.n_evaluations) == (3.0, 9.0, "worker", 1)
    assert rows.find([[3, 1], [3, 2]]).tolist() == [0, -1]


def test_work_by_hand_shows_what_it_told_so_far():
    begun = [ask(0, [0, 0]), Event("start", 0, 0.0, {"who": BY_HAND})]
    assert rows_of(*begun).state(0) == "running"
    assert rows_of(*begun, tell(0, {"error": 1.0}, who=BY_HAND, more=True)).state(0) == "partial"


def test_what_was_lost_is_billed_when_it_is_begun_again():
    begun = [ask(0, [0, 0]), Event("start", 0, 0.0, {"who": ""})]
    assert rows_of(*begun).begun.tolist() == [1]
    lost = [*begun, Event("requeue", 0, 0.0, {"forget": False})]
    assert (rows_of(*lost).begun.tolist(), rows_of(*lost).waiting.tolist()) == ([0], [0])
    dropped = [*lost, Event("drop", 0, 0.0, {})]
    assert (rows_of(*dropped).begun.tolist(), rows_of(*dropped).waiting.tolist()) == ([0], [])


def test_an_event_of_a_row_that_is_not_next_is_refused():
    with pytest.raises(InputError, match="store: expected row 0 next, got 1"):
        rows_of(ask(1, [0, 0]))


def test_many_rows_keep_what_they_hold():
    # More than there is room for at first.
    X = SPACE.enumerate()
    rows = rows_of(*(ask(i, x.tolist(), objectives=["error"]) for i, x in enumerate(X)))
    rows.apply(tell(23, {}, {"error": "out of memory"}))
    assert rows.X.tolist() == X.tolist()
    assert rows.find(X).tolist() == list(range(24))
    assert rows.wanted_of(5).tolist() == [True, False]
    assert np.flatnonzero(rows.failed).tolist() == [23]
    assert rows.reason(23) == "out of memory"


def test_a_further_objective_is_wanted_and_not_known():
    rows = rows_of(ask(0, [0, 0]), tell(0, {"error": 1.0, "latency": 2.0}))
    assert rows.complete.tolist() == [True]
    rows.add_objectives(["latency", "memory"])
    assert rows.objectives == ("error", "latency", "memory")
    assert rows.complete.tolist() == [False]
    assert rows.wanted_of(0).tolist() == [False, False, True]
    np.testing.assert_array_equal(rows.raw, [[1.0, 2.0, np.nan]])


def test_it_is_told_which_rows_have_changed():
    rows = rows_of(ask(0, [0, 0]), ask(1, [1, 0]))
    assert rows.changed == {0, 1}
    rows.changed.clear()
    rows.apply(tell(1, {"error": 1.0}))
    assert (rows.changed, rows.generation) == ({1}, 0)
