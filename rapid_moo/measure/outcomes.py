"""What came of one call of a measure: values, reasons, curves; and how what a measure returns is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapid_moo.curves import Curve
from rapid_moo.objectives import LARGEST

Architecture = dict[str, Any]
CANNOT_RUN = "cannot be run"
SHOWN = 300


@dataclass
class Outcome:
    """What came of one call of a measure.

    Attributes
    ----------
    values : dict
        Finite raw values by objective.
    reasons : dict
        Reasons by objective without a value; under the empty name a remark that concerns none.
    seconds : float
        Duration of the call.
    trace : str
        The user's traceback (or a command's standard error) where his code raised.
    mark : str
        The same for the same mistake: type and place of what was raised; empty if nothing was.
    error : Exception or None
        What was raised; lost on the way from another process, where ``trace`` remains.
    curves : dict
        What was reported on the way, by objective: steps and raw values.
    stopped : dict
        Objectives that were stopped, and the share of the work that was done. They have a remark among the reasons.
    lacking : tuple of str
        Objectives that what was returned does not hold at all, not even as a NaN or None.
    """

    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    trace: str = ""
    mark: str = ""
    error: Exception | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    stopped: dict[str, float] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # An exception of the user's own may not survive the way between processes; its text does.
        return {**self.__dict__, "error": None}


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several functions as one: all values, reasons and curves, and the first mistake."""
    raised = next((outcome for outcome in outcomes if outcome.mark), Outcome())
    values = {name: value for outcome in outcomes for name, value in outcome.values.items()}
    return Outcome(
        values,
        {name: text for outcome in outcomes for name, text in outcome.reasons.items()},
        sum(outcome.seconds for outcome in outcomes),
        raised.trace,
        raised.mark,
        raised.error,
        {name: curve for outcome in outcomes for name, curve in outcome.curves.items()},
        {name: share for outcome in outcomes for name, share in outcome.stopped.items()},
        tuple(dict.fromkeys(name for outcome in outcomes for name in outcome.lacking if name not in values)),
    )


def read_result(
    result: Any, names: Sequence[str], known: Sequence[str] = ()
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and reasons of a measure's result.

    Parameters
    ----------
    result : object
        What the measure returned: a mapping of names to numbers; one number is enough for one objective.
    names : sequence of str
        Objectives that the measure is asked for.
    known : sequence of str
        Further names that may come along (what the space computes).
    """
    if len(names) == 1 and not isinstance(result, Mapping):
        result = {names[0]: result}
    if not isinstance(result, Mapping):
        wanted = f"expected a dict with {', '.join(names)}, got {shortened(repr(result), 80)}"
        return {}, dict.fromkeys(names, wanted)
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    extra = [str(name) for name in result if name not in names and name not in known]
    for name in names:
        if name not in result:
            beside = f" (got {shortened(', '.join(map(str, result)) or 'nothing', 80)})"
            reasons[name] = f"no value named {name!r}{beside}"
            continue
        try:
            values[name] = as_number(result[name])
        except Exception as error:  # whatever a strange object raises
            reasons[name] = shortened(error)
    if extra and not reasons:
        reasons[""] = f"unexpected {shortened(', '.join(extra), 80)} left out"
    return values, reasons


def absent(result: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Objectives that a measure's result says nothing of, not even that they failed; see :func:`read_result`."""
    if isinstance(result, Mapping):
        return tuple(name for name in names if name not in result)
    if len(names) == 1:
        try:
            _any_float(result)
        except ValueError:
            return tuple(names)
        except Exception:  # whatever a strange object raises, there is one
            return ()
        return ()
    return tuple(names)


def as_number(value: Any) -> float:
    """A measured value as a float: int, float, a NumPy number, or anything of one element with ``item()``.

    Raises
    ------
    ValueError
        If it is no finite number, or larger than any that means something; the message says what it is.
    """
    number = _any_float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {number if math.isnan(number) else shortened(value, 40)}")
    if abs(number) > LARGEST:
        raise ValueError(f"expected a number of at most {LARGEST:g} in size, got {number:g}")
    return number


def as_float(value: Any) -> float:
    """As :func:`as_number`, infinite and missing ones too; what is too large to be anything is infinite."""
    number = _any_float(value)
    # The square of a diverged 1e200 is infinite: no model could be fitted, and the study would be stuck.
    return math.copysign(math.inf, number) if abs(number) > LARGEST else number


def _any_float(value: Any) -> float:
    plain = value
    if not isinstance(value, int | float) and hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        plain = value.item()
    if isinstance(plain, bool | str | bytes) or not isinstance(plain, int | float):
        raise ValueError(f"expected a number, got {shortened(repr(value), 80)}")
    try:
        return float(plain)
    except OverflowError:
        return math.inf


def shortened(text: object, limit: int = SHOWN) -> str:
    """A text on one line, cut in the middle beyond the limit, without control characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit // 2]} … {line[-limit // 2 :]}"
