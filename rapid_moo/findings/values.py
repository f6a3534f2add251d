"""What the values of one objective show by themselves: failure codes and piles of ties."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray
from rapid_moo.findings.finding import Finding, rows_text

FEWEST_ROWS, FEWEST_TIES = 20, 3
CODES = (0.0, -1.0, -2.0, *(sign * (10.0**k - 1.0) for k in range(2, 11) for sign in (1.0, -1.0)))
CODES_OF_TEN = tuple(sign * 10.0**k for k in range(3, 31) for sign in (1.0, -1.0))
MOST = 0.5
PILE, NEARLY, STANDS_OUT = 0.3, 0.05, 0.1
APART, FAR_APART, BEYOND = 3.0, 5.0, 30.0


def failure_codes(name: str, values: FloatArray) -> list[Finding]:
    """Extreme values that several rows share and that stand apart from all others.

    A value that is usual as a code (-1, 0, 999, 1e6), or the only negative one, must stand apart from its neighbours;
    any other must lie farther away than five times the range of the rest, and not where the chance level of a
    classifier gathers networks that learnt nothing: between 0 and 100, or between 0 and the rest.

    Parameters
    ----------
    name : str
        The objective.
    values : ndarray of shape (n,)
        Its raw values.
    """
    found: list[Finding] = []
    if len(values) < FEWEST_ROWS:
        return found
    left = np.ones(len(values), dtype=np.bool_)
    for _ in range(4):
        code = _code(values[left])
        if code is None:
            break
        rows = np.flatnonzero(left & (values == code))
        rest = values[left & (values != code)]
        shown = tuple(rows.tolist())
        found.append(
            Finding(
                "failure_code",
                name,
                f"{len(rows):,} rows hold {code:g}, apart from all others ({rest.min():.6g} to {rest.max():.6g}):"
                f" {rows_text(shown)}",
                shown,
                {"value": float(code), "rows": float(len(rows)), "nearest": float(np.abs(rest - code).min())},
            )
        )
        left &= values != code
    return found


def pile(values: FloatArray) -> BoolArray:
    """Rows of a group of nearly equal extreme values, such as of networks that learnt nothing; shape (n,).

    At least three and at most 30 % of the rows, apart from the others by twenty times their own range.
    """
    marked = np.zeros(len(values), dtype=np.bool_)
    order = np.sort(values)
    gaps = np.diff(order)
    most = int(PILE * len(order))
    if len(order) < FEWEST_ROWS or most < FEWEST_TIES:
        return marked
    low = int(np.argmax(gaps[:most]))
    if low + 1 >= FEWEST_TIES and order[low] - order[0] < NEARLY * gaps[low] and gaps[low] > STANDS_OUT * np.ptp(order):
        marked |= values <= order[low]
    high = len(order) - 1 - int(np.argmax(gaps[::-1][:most]))
    gap = gaps[high - 1]
    if len(order) - high >= FEWEST_TIES and order[-1] - order[high] < NEARLY * gap and gap > STANDS_OUT * np.ptp(order):
        marked |= values >= order[high]
    return marked


def _code(values: FloatArray) -> float | None:
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < FEWEST_TIES + 1:
        return None
    for at, beside in ((0, 1), (-1, -2)):
        code, count = float(distinct[at]), int(counts[at])
        others, ties = np.delete(distinct, at), np.delete(counts, at)
        if count > MOST * len(values) or count < FEWEST_TIES:
            continue
        gap, span = abs(code - float(distinct[beside])), float(np.ptp(others))
        usual = code in CODES or (code in CODES_OF_TEN and gap > span)
        # The steps on the code's side of the rest: what lies farther than they do stands apart.
        near = others[: max(4, len(others) // 4)] if at == 0 else others[-max(4, len(others) // 4) :]
        step = float(np.median(np.diff(near)))
        edge = abs(float(np.quantile(np.repeat(others, ties), 0.05 if at == 0 else 0.95)) - float(distinct[beside]))
        apart = gap > max(APART * step, 0.5 * edge) and count > 2 * np.median(ties)
        signs = code < 0.0 < float(others.min())
        if (usual and apart) or (signs and gap > APART * step and count > 2 * np.median(ties)):
            return code
        largest = float(np.abs(others).max())
        outside = abs(code) > BEYOND * largest or not (0.0 <= code <= 100.0 or 0.0 <= code / largest < 1.0)
        if gap > FAR_APART * span and outside and count > 2 * np.median(ties):
            return code
    return None
