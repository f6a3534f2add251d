"""Small helpers that several packages share."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from rapid_moo._util import counted, drawn_seed, interrupts_held


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({}, {}),
        ({"out of memory": 2, "it hangs": 5}, {"it hangs": 5, "out of memory": 2}),
        # A few may each mean something.
        ({"exit code 1": 1, "exit code 137": 3}, {"exit code 137": 3, "exit code 1": 1}),
        ({f"allocate {n} MiB of 2.5e3": n for n in range(1, 6)}, {"allocate … MiB of …": 15}),
        # What belongs to a name is no number.
        (
            {f"conv{n} failed": 1 for n in range(5)},
            {"conv0 failed": 1, "conv1 failed": 1, "conv2 failed": 1, "conv3 failed": 1, "conv4 failed": 1},
        ),
    ],
)
def test_reasons_that_differ_in_numbers_alone_count_as_one(texts, told):
    assert counted(texts) == told
    assert list(counted(texts).values()) == sorted(told.values(), reverse=True)


def test_an_interrupt_waits_until_a_block_ends():
    done = []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append("to its end")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["to its end"]
    assert signal.getsignal(signal.SIGINT) is before
    with interrupts_held():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_a_mistake_in_a_block_is_itself_and_other_threads_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []
    with pytest.raises(ZeroDivisionError), interrupts_held():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is before

    def work() -> None:
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_drawn_seed_has_31_bits():
    assert drawn_seed(SimpleNamespace(integers=lambda high: high - 1)) == 2**31 - 1
    rng = np.random.default_rng(0)
    found = [drawn_seed(rng) for _ in range(100)]
    assert len(set(found)) == 100
    assert 2**30 < max(found) < 2**31
    assert {type(seed) for seed in found} == {int}
