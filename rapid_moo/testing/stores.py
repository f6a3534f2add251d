"""Conformance of stores: what every home of evaluations promises, memory and file alike."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from rapid_moo.bill import Bill
from rapid_moo.curves import Stops
from rapid_moo.errors import ConformanceError, InputError
from rapid_moo.genes import Gene
from rapid_moo.space import GridSpace, SearchSpace
from rapid_moo.store import Store
from rapid_moo.testing._require import require

MakeStore: TypeAlias = Callable[[SearchSpace, Sequence[str]], Store]
OBJECTIVES = ("error", "latency")
# Codes of depth, width and op; op is inactive where depth is 1, so that the second variant of the first is the same.
X = np.array([[0, 0, 0], [1, 1, 1], [0, 2, 0], [1, 0, 1]])
VARIANT = np.array([[0, 0, 1]])


def check_store(make: MakeStore) -> None:
    """Check a kind of store.

    Parameters
    ----------
    make : callable
        Takes a space and names of objectives and returns a new, empty store of them.

    Raises
    ------
    ConformanceError
        At the first broken promise.
    """
    for check in STORE_CHECKS.values():
        store = make(_space(), OBJECTIVES)
        try:
            check(store)
        finally:
            close = getattr(store, "close", None)
            if close is not None:
                close()


def _space() -> GridSpace:
    genes = [Gene("depth", (1, 2)), Gene("width", (8, 16, 32)), Gene("op", ("conv", "mlp"), when="depth == 2")]
    return GridSpace("toy", genes)


def _check_empty(store: Store) -> None:
    require(isinstance(store, Store), f"expected a Store, got {type(store).__name__}")
    require(len(store) == 0, f"a new store: expected no rows, got {len(store)}")
    require(store.objectives == OBJECTIVES, f"a new store: expected objectives {OBJECTIVES}, got {store.objectives}")
    require(store.X.shape == (0, 3), f"a new store: X: expected shape (0, 3), got {store.X.shape}")
    require(store.raw.shape == (0, 2), f"a new store: raw: expected shape (0, 2), got {store.raw.shape}")
    require(store.n_evaluations == 0, f"a new store: expected no evaluations, got {store.n_evaluations}")
    require(_equal(store.find(X), [-1] * 4), f"a new store: find: expected -1, got {store.find(X).tolist()}")
    require(not store.known(X).any(), "a new store: known: expected nothing")


def _check_asking(store: Store) -> None:
    rows = store.ask(np.vstack([X[:2], X[:1], VARIANT]))
    require(_equal(rows, [0, 1, 0, 0]), f"ask: an architecture has one row: expected [0, 1, 0, 0], got {rows.tolist()}")
    require(len(store) == 2, f"ask: expected 2 rows, got {len(store)}")
    again = store.ask(np.vstack([X[2:3], X[:1]]))
    require(_equal(again, [2, 0]), f"ask: a known architecture keeps its row: expected [2, 0], got {again.tolist()}")
    require(_equal(store.X, X[:3]), f"X: expected repaired genotypes in the order asked for, got {store.X.tolist()}")
    found = store.find(np.vstack([VARIANT, X[3:]]))
    require(_equal(found, [0, -1]), f"find: expected [0, -1], got {found.tolist()}")
    require(not store.known(X[:1]).any(), "known: what was only asked for is not known")
    require(bool(np.isnan(store.raw).all()), "raw: what was only asked for has no value")
    many = np.vstack([_space().enumerate()] * 2)
    require(_equal(store.ask(many), store.find(many)), "ask: expected the rows that find gives")
    require(len(store) == _space().size, f"ask: expected {_space().size} rows, got {len(store)}")


def _check_telling(store: Store) -> None:
    store.ask(X)
    store.tell(1, {"error": 0.1, "latency": 3.0}, seconds=2.5, who="me")
    store.tell(2, {"error": 1e-300})
    require(_rows_equal(store.raw[1], [0.1, 3.0]), f"tell: expected [0.1, 3.0] as told, got {store.raw[1].tolist()}")
    require(_rows_equal(store.raw[2], [1e-300, np.nan]), f"tell: expected [1e-300, nan], got {store.raw[2].tolist()}")
    require(_rows_equal(store.raw[[0, 3]], np.full((2, 2), np.nan)), "tell: another row got values")
    require(_equal(store.known(X), [False, True, False, False]), "known: expected rows of which nothing is missing")
    require(_equal(store.complete, [False, True, False, False]), "complete: expected rows with every objective")
    require(_equal(store.tried, [False, True, True, False]), "tried: expected rows with something told")
    require(store.seconds(1) == 2.5, f"seconds: expected 2.5, got {store.seconds(1)}")
    require(store.who(1) == "me", f"who: expected 'me', got {store.who(1)!r}")
    require(store.when(1) > 1e9, f"when: expected seconds since 1970, got {store.when(1)}")
    store.tell(2, {"latency": 7.0})
    require(_rows_equal(store.raw[2], [1e-300, 7.0]), "tell: a later objective joins what is known")
    got = store.raw_of([2, 1])
    require(_rows_equal(got, [[1e-300, 7.0], [0.1, 3.0]]), f"raw_of: expected rows in the order asked, got {got}")


def _check_repeats(store: Store) -> None:
    store.ask(X)
    for latency in (1.0, 2.0, 6.0):
        store.tell(0, {"latency": latency}, more=True)
    require(_rows_equal(store.raw[0], [np.nan, 3.0]), f"repeats count with their mean, got {store.raw[0].tolist()}")
    require(_equal(store.repeats[0], [0, 3]), f"repeats: expected [0, 3], got {store.repeats[0].tolist()}")
    variance = float(store.repeat_variance[0, 1])
    require(bool(np.isclose(variance, 7.0)), f"repeat_variance: expected 7.0, got {variance}")
    store.tell(0, {"error": 5.0})
    require(bool(np.isnan(store.repeat_variance[0, 0])), "repeat_variance: one value has none")


def _check_again(store: Store) -> None:
    store.ask(X[:2])
    for row in (0, 1):
        store.start(row)
        store.tell(row, {"error": 1.0, "latency": 2.0})
    require(not store.again.any(), "again: nothing was asked for once more")
    store.ask(X[:1])
    require(not store.pending.any(), "ask: what is known is not measured again unless that is said")
    store.ask(X[:1], objectives=["latency"], again=True)
    require(_equal(store.waiting, [0]), f"ask again: expected the row to wait, got {store.waiting.tolist()}")
    require(_equal(store.again, [[False, True], [False, False]]), f"again: got {store.again.tolist()}")
    require(_equal(store.wanted_of(0), [False, True]), f"wanted_of: got {store.wanted_of(0).tolist()}")
    require(_equal(store.known(X[:2]), [False, True]), "known: what is to be measured once more is not")
    require(store.state(0) == "done", f"state: what waits for a repeat is known, got {store.state(0)!r}")
    store.start(0)
    store.requeue([0])
    require(_equal(store.again_of(0), [False, True]), "requeue: a repeat that was lost is still asked for")
    require(store.n_evaluations == 2, f"a repeat that was lost is not billed: expected 2, got {store.n_evaluations}")
    store.start(0)
    store.tell(0, {"latency": 4.0})
    require(_rows_equal(store.raw[0], [1.0, 3.0]), f"a repeat counts with the mean, got {store.raw[0].tolist()}")
    require(not store.again.any() and not store.pending.any(), "a repeat that was told is asked for no longer")
    require(store.n_evaluations == 3, f"a repeat is billed: expected 3 evaluations, got {store.n_evaluations}")
    require(_equal(store.paid, [[1, 2], [1, 1]]), f"paid: repeats are, got {store.paid.tolist()}")
    store.ask(X[1:2], objectives=["error"], again=True)
    store.start(1)
    store.tell(1, {}, {"error": "board is away"})
    require(_rows_equal(store.raw[1], [1.0, 2.0]) and not store.failed.any(), "a repeat that failed leaves the value")
    require(
        _equal(store.failed_again, [[False, False], [True, False]]), "failed_again: expected the repeat that failed"
    )
    require(_equal(store.paid[1], [2, 1]), f"paid: a repeat that failed is, got {store.paid[1].tolist()}")


def _check_failures(store: Store) -> None:
    store.ask(X)
    store.tell(0, {"error": 2.0}, {"latency": "board is away"})
    store.tell(1, {}, {"error": "out of memory", "latency": "out of memory"})
    require(_rows_equal(store.raw[0], [2.0, np.nan]), "a failure of one objective loses another")
    require(
        _equal(store.failed_objectives[:2], [[False, True], [True, True]]), "failed_objectives: expected those told"
    )
    require(_equal(store.failed, [True, True, False, False]), f"failed: got {store.failed.tolist()}")
    require(_equal(store.known(X), [True, True, False, False]), "known: what failed is known")
    require(not store.complete.any(), "complete: what failed is not")
    require("board is away" in store.reason(0), f"reason: expected 'board is away', got {store.reason(0)!r}")
    require("out of memory" in store.reason(1), f"reason: expected 'out of memory', got {store.reason(1)!r}")
    store.tell(0, {"latency": 3.0})
    require(not store.failed[0], "failed: a value that came after all is no failure")
    require(store.reason(0) == "", f"reason: expected none once all is well, got {store.reason(0)!r}")


def _check_stops(store: Store) -> None:
    limits = Stops(30, {"error": ("min", {2: 9.0, 10: 5.0})})
    store.ask(X[:2], stops=limits)
    store.ask(X[2:])
    require(store.stops_of(1) == limits and store.stops_of(2) is None, "stops_of: expected what was asked for")
    for row in range(3):
        store.start(row)
    store.report(0, {"error": ((2, 8.0), (10, 6.0)), "latency": ((2, 1.0),)})
    require(not store.tried.any() and store.state(0) == "running", "report: what is reported is no result")
    store.tell(0, {}, {"error": "stopped at step 10 of 30"}, stopped={"error": 1 / 3}, more=True)
    store.tell(0, {"latency": 4.0})
    store.tell(1, {"error": 1.0}, {"latency": "board is away"}, stopped={"error": 0.5})
    curve = store.curve(0, "error")
    require(curve == ((2, 8.0), (10, 6.0)), f"curve: expected ((2, 8.0), (10, 6.0)), got {curve}")
    require(store.curve(1, "error") == (), f"curve: expected none, got {store.curve(1, 'error')}")
    require(_rows_equal(store.raw[0], [np.nan, 4.0]), f"a stopped objective has no value, got {store.raw[0].tolist()}")
    require(_equal(store.stopped, [True, False, False, False]), f"stopped: got {store.stopped.tolist()}")
    require(_equal(store.failed, [False, True, False, False]), f"stopped is not failed: got {store.failed.tolist()}")
    require(_equal(store.known(X), [True, True, False, False]), "known: what was stopped is not measured again")
    require(not store.complete.any(), "complete: what was stopped is not")
    require(store.state(0) == "stopped", f"state: expected 'stopped', got {store.state(0)!r}")
    require("step 10 of 30" in store.reason(0), f"reason: expected where it was stopped, got {store.reason(0)!r}")
    require(_rows_equal(store.paid[0], [1 / 3, 1.0]), f"paid: expected [1/3, 1], got {store.paid[0].tolist()}")
    require(_rows_equal(store.paid_of([1]), [[1.5, 1.0]]), f"paid_of: expected [1.5, 1], got {store.paid_of([1])}")
    store.requeue([0], forget=True)
    require(bool(store.stopped[0]) and store.reason(0) != "", "requeue with forget: what was stopped did not fail")
    other = pickle.loads(pickle.dumps(store))
    require(other.curve(0, "error") == curve and bool(other.stopped[0]), "pickling: curves and stops are kept")
    require(other.stops_of(0) == limits, "pickling: when to stop is kept")
    if hasattr(other, "close"):
        other.close()
    store.report(0, {"error": ((1, 7.0),)})
    require(store.curve(0, "error") == ((1, 7.0),), "report: the curve of another measurement replaces the first")
    require(store.curve(0, "latency") == ((2, 1.0),), "report: other curves stay")
    store.tell(0, {"error": 2.0})
    require(not store.stopped[0] and store.state(0) == "done", "stopped: a value that came after all is one")
    require(store.reason(0) == "", f"reason: expected none once all is well, got {store.reason(0)!r}")


def _check_refusals(store: Store) -> None:
    store.ask(X[:2])
    wrong: dict[str, Callable[[], Any]] = {
        "a value of an unknown objective": lambda: store.tell(0, {"accuracy": 1.0}),
        "a reason of an unknown objective": lambda: store.tell(0, {}, {"accuracy": "no"}),
        "NaN": lambda: store.tell(0, {"error": np.nan}),
        "an infinite value": lambda: store.tell(0, {"error": 1.0, "latency": np.inf}),
        "a text as value": lambda: store.tell(0, {"error": "low"}),  # type: ignore[dict-item]  # that is the point
        "a row beyond the last": lambda: store.tell(2, {"error": 1.0}),
        "a negative row": lambda: store.tell(-1, {"error": 1.0}),
        "work on a row beyond the last": lambda: store.start(7),
        "a curve of an unknown objective": lambda: store.report(0, {"accuracy": ((1, 1.0),)}),
        "a curve of a row beyond the last": lambda: store.report(7, {"error": ((1, 1.0),)}),
        "a curve whose steps do not increase": lambda: store.report(0, {"error": ((2, 1.0), (2, 0.5))}),
        "a curve that begins at step 0": lambda: store.report(0, {"error": ((0, 1.0),)}),
        "a curve with NaN": lambda: store.report(0, {"error": ((1, np.nan),)}),
        "a share of no work": lambda: store.tell(0, {}, stopped={"error": 0.0}),
        "a share of more than all work": lambda: store.tell(0, {}, stopped={"error": 1.1}),
        "a share of an unknown objective": lambda: store.tell(0, {}, stopped={"accuracy": 0.5}),
        "a code out of range": lambda: store.ask([[0, 3, 0]]),
        "values of another shape": lambda: store.add(X[:2], [[1.0]]),
    }
    for what, action in wrong.items():
        try:
            action()
        except InputError:
            pass
        except Exception as error:
            raise ConformanceError(f"{what}: expected an InputError, got {error!r}") from error
        else:
            raise ConformanceError(f"{what}: expected an InputError, got none")
        require(len(store) == 2 and not store.tried.any(), f"{what}: it was refused and changed the store")


def _check_states(store: Store) -> None:
    store.ask(X)
    _require_states(store, ["asked"] * 4, "asked for")
    require(_equal(store.waiting, [0, 1, 2, 3]), f"waiting: expected all in order, got {store.waiting.tolist()}")
    for row in (0, 1, 2):
        store.start(row)
    _require_states(store, ["running"] * 3 + ["asked"], "begun")
    require(_equal(store.running, [True, True, True, False]), "running: expected what was begun")
    require(_equal(store.waiting, [3]), f"waiting: expected [3], got {store.waiting.tolist()}")
    store.tell(0, {"error": 1.0, "latency": 2.0})
    store.tell(1, {"error": 1.0}, more=True)
    store.tell(2, {}, {"error": "no", "latency": "no"})
    _require_states(store, ["done", "running", "failed", "asked"], "told")
    require(_equal(store.pending, [False, True, False, True]), f"pending: got {store.pending.tolist()}")
    store.tell(1, {})
    _require_states(store, ["done", "partial", "failed", "asked"], "told in part")
    store.drop([3])
    require(not store.pending.any(), "drop: what was dropped is not pending")


def _require_states(store: Store, states: Sequence[str], when: str) -> None:
    found = [store.state(row) for row in range(len(store))]
    require(found == list(states), f"state when {when}: expected {list(states)}, got {found}")


def _check_lost_work(store: Store) -> None:
    store.ask(X[:3])
    for row in range(3):
        store.start(row)
    require(store.n_evaluations == 3, f"begun work is billed: expected 3, got {store.n_evaluations}")
    store.requeue([0])
    require(store.n_evaluations == 2, f"requeue: lost work is not billed: expected 2, got {store.n_evaluations}")
    require(_equal(store.waiting, [0]), f"requeue: expected the row to wait again, got {store.waiting.tolist()}")
    store.tell(1, {"error": 4.0}, {"latency": "a typo"})
    store.requeue([1], forget=True)
    require(not store.failed.any(), "requeue with forget: failures in vain are forgotten")
    require(store.reason(1) == "", f"requeue with forget: expected no reason, got {store.reason(1)!r}")
    require(_rows_equal(store.raw[1], [4.0, np.nan]), "requeue with forget: what was measured is kept")
    require(store.n_evaluations == 1, f"requeue with forget: expected 1 evaluation, got {store.n_evaluations}")
    store.drop([2])
    require(store.n_evaluations == 0, f"drop: work that was broken off is not billed, got {store.n_evaluations}")
    store.start(0)
    store.tell(0, {"error": 1.0, "latency": 1.0})
    require(store.n_evaluations == 1, f"work that was lost once is billed once, got {store.n_evaluations}")


def _check_imports(store: Store) -> None:
    rows = store.add(X[:3], [[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]])
    require(_equal(rows, [0, 1, 2]), f"add: expected rows [0, 1, 2], got {rows.tolist()}")
    require(_rows_equal(store.raw[:2], [[1.0, 2.0], [3.0, np.nan]]), f"add: got {store.raw.tolist()}")
    require(store.n_evaluations == 0, f"imports are not billed: expected 0, got {store.n_evaluations}")
    require(bool(store.free.all()), "free: imports are")
    require(not store.pending.any(), "imports do not wait to be measured")
    require(_equal(store.known(X), [True, False, False, False]), "known: an import that lacks a value is not")
    paid = store.add(X[3:], [[1.0, 1.0]], free=False)
    require(store.n_evaluations == 1 and not store.free[paid[0]], "add with free=False: expected one evaluation")
    twice = store.add(np.vstack([X[1], X[1]]), [[5.0, 1.0], [np.nan, 3.0]])
    require(_equal(twice, [1, 1]), f"add: one architecture twice: expected rows [1, 1], got {twice.tolist()}")
    require(_rows_equal(store.raw[1], [4.0, 2.0]), f"add: repeats count with their mean, got {store.raw[1].tolist()}")
    store.start(2)
    store.tell(2, {"error": 1.0, "latency": 1.0})
    require(store.n_evaluations == 2, "an import that is measured after all is billed")
    store.add(X[3:], [[5.0, np.nan]])
    store.tell(2, {}, {"error": "unknown"}, free=True)
    require(_rows_equal(store.paid, [[0, 0], [0, 0], [1, 1], [1, 1]]), f"paid: what is free is not, got {store.paid}")
    before = [store.known_before_of(row).tolist() for row in range(4)]
    wanted = [[True, True], [True, True], [False, False], [True, False]]
    require(before == wanted, f"known_before_of: expected {wanted}, got {before}")


def _check_bills(store: Store) -> None:
    store.add(X[:1], [[1.0, 2.0]])
    for row in store.ask(X[1:3]):
        store.start(int(row))
        store.tell(int(row), {"error": 1.0, "latency": 1.0})
    first, second = Bill(store), Bill(store)
    first.take_free()
    require(len(first) == 0 and _equal(first.rows, [0]), "a bill: what was known beforehand costs nothing")
    require(first.add([2, 1, 2, -1, 0]) == 2, "a bill: each row counts once, and imports do not")
    require(_equal(first.rows, [0, 2, 1]), f"a bill: expected its own order [0, 2, 1], got {first.rows.tolist()}")
    require(len(first) == 2 and len(second) == 0, "a bill: a second one starts empty")
    require(second.add([1]) == 1, "a bill: what another run has evaluated is billed here too")
    copied = copy.deepcopy(first)
    copied.add(store.ask(X[3:]))
    require(len(first) == 2 and len(copied) == 3, "a bill: a copy of it goes its own way")
    require(copied.store is store, "a bill: a copy of it is of the same store")


def _check_notes(store: Store) -> None:
    content = {"seed": 2**60, "state": [1, 2.5, "é", None, True], "nested": {"a": []}}
    store.note("rapid", content)
    require(store.notes["rapid"] == content, f"notes: expected {content}, got {store.notes['rapid']}")
    content["seed"] = 0
    require(store.notes["rapid"]["seed"] == 2**60, "notes: a later change of what was noted changes the note")
    store.note("rapid", {"a": (1, 2)})
    require(store.notes["rapid"] == {"a": [1, 2]}, f"notes: expected JSON's types, got {store.notes['rapid']}")
    with suppress(TypeError, ValueError):
        store.note("rapid", {"a": object()})
        raise ConformanceError("notes: expected an error for what JSON cannot hold, got none")
    require(store.notes["rapid"] == {"a": [1, 2]}, "notes: one that was refused changed the store")


def _check_copies(store: Store) -> None:
    store.add(X[:1], [[1.0, np.nan]])
    store.ask(X[1:3])
    store.start(1)
    store.tell(1, {"error": 0.1}, {"latency": "too slow"}, seconds=1.5, who="me")
    store.note("a", 1)
    for how, other in (("pickling", pickle.loads(pickle.dumps(store))), ("copying", copy.deepcopy(store))):
        require(isinstance(other, type(store)), f"{how}: expected a {type(store).__name__}, got {type(other).__name__}")
        frames = [one.to_frame().to_dict("list") for one in (store, other)]
        require(repr(frames[0]) == repr(frames[1]), f"{how}: expected the same evaluations, got {frames[1]}")
        require(other.n_evaluations == store.n_evaluations, f"{how}: expected the same bill, got {other.n_evaluations}")
        require(_equal(other.waiting, store.waiting), f"{how}: expected the same rows to wait")
        require(_equal(other.free, store.free), f"{how}: expected the same rows to be free")
        require(other.notes == store.notes, f"{how}: expected the same notes, got {other.notes}")
        require(_equal(other.find(X), store.find(X)), f"{how}: expected the same rows for architectures")
        other.ask(X[3:])
        if other is not store and hasattr(other, "close"):
            other.close()


def _check_frame(store: Store) -> None:
    store.ask(X[:2])
    store.tell(1, {"error": 0.1}, {"latency": "too slow"})
    frame = store.to_frame()
    columns = ["evaluation", "state", "depth", "width", "op", "error", "latency", "seconds", "reason", "who", "when"]
    require(list(frame.columns) == columns, f"to_frame: expected columns {columns}, got {list(frame.columns)}")
    require(
        frame["evaluation"].tolist() == [1, 2], f"to_frame: expected evaluations 1 and 2, got {frame['evaluation']}"
    )
    require(frame["depth"].tolist() == [1, 2], "to_frame: expected the choices as they are")
    require(frame["op"].isna().tolist() == [True, False], "to_frame: an inactive gene is empty")
    require(frame["state"].tolist() == ["asked", "partial"], f"to_frame: got states {frame['state'].tolist()}")
    require(frame["reason"].tolist() == ["", "too slow"], f"to_frame: got reasons {frame['reason'].tolist()}")


def _check_transactions(store: Store) -> None:
    with store.transaction():
        store.ask(X[:2])
        with store.transaction():
            store.tell(0, {"error": 1.0, "latency": 2.0})
        require(bool(store.known(X[:1]).all()), "transaction: its own changes are seen inside")
    require(len(store) == 2 and bool(store.complete[0]), "transaction: expected its changes to last")
    store.refresh()
    require(len(store) == 2 and bool(store.complete[0]), "refresh: what was known is known again")
    require(not store.refresh(), "refresh: expected False where nothing has changed")


def _equal(found: Any, expected: Any) -> bool:
    return np.array_equal(np.asarray(found), np.asarray(expected))


def _rows_equal(found: Any, expected: Any) -> bool:
    return np.array_equal(np.asarray(found), np.asarray(expected, dtype=np.float64), equal_nan=True)


STORE_CHECKS: Mapping[str, Callable[[Store], None]] = MappingProxyType(
    {
        "empty": _check_empty,
        "asking": _check_asking,
        "telling": _check_telling,
        "repeats": _check_repeats,
        "again": _check_again,
        "failures": _check_failures,
        "stops": _check_stops,
        "refusals": _check_refusals,
        "states": _check_states,
        "lost_work": _check_lost_work,
        "imports": _check_imports,
        "bills": _check_bills,
        "notes": _check_notes,
        "copies": _check_copies,
        "frame": _check_frame,
        "transactions": _check_transactions,
    }
)
"""Single checks of a store by name; each takes an empty store of the checks' own space and objectives."""
