"""Small helpers that several packages share."""

from __future__ import annotations

import pytest

from rapid_moo._util import counted


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
