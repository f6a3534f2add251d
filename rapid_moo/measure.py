"""Measures: the user's own training and measuring, whatever form it has and whatever it returns.

A measure takes an architecture as a dict of its active genes and gives a dict of raw objectives. It may be a Python
function, several functions by objective, or a command line that reads JSON on standard input and prints JSON. What it
returns is read strictly: a value that is no finite number is a failure of the objective concerned, with a reason that
helps, and what else was measured is kept.

A function with a parameter named ``report`` gets :class:`Reports`: ``report(3, {"error": 9.5}, of=30)`` says what the
error is after three of thirty steps, and gives True where the rest is not worth it, see :mod:`rapid_moo.stopping`.
"""

from __future__ import annotations

import inspect
import json
import math
import pickle
import shlex
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from rapid_moo._util import IntArray
from rapid_moo.curves import Curve, Stops
from rapid_moo.errors import InputError, MeasureError
from rapid_moo.space import SearchSpace

Architecture = dict[str, Any]
FIRST_RAISED, SAME_RAISED = 5, 10
CANNOT_RUN, UNSTARTED = "cannot be run", 1_000
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
    """

    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    trace: str = ""
    mark: str = ""
    error: Exception | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    stopped: dict[str, float] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        # An exception of the user's own may not survive the way between processes; its text does.
        return {**self.__dict__, "error": None}


def shortened(text: object, limit: int = SHOWN) -> str:
    """A text on one line, cut in the middle beyond the limit, without control characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit // 2]} … {line[-limit // 2 :]}"


def as_number(value: Any) -> float:
    """A measured value as a float: int, float, a NumPy number, or anything of one element with ``item()``.

    Raises
    ------
    ValueError
        If it is no finite number; the message says what it is.
    """
    number = as_float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {number if math.isnan(number) else shortened(value, 40)}")
    return number


def as_float(value: Any) -> float:
    """As :func:`as_number`, infinite and missing ones too."""
    plain = value
    if not isinstance(value, int | float) and hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        plain = value.item()
    if isinstance(plain, bool | str | bytes) or not isinstance(plain, int | float):
        raise ValueError(f"expected a number, got {shortened(repr(value), 80)}")
    try:
        return float(plain)
    except OverflowError:
        return math.inf


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


class Reports:
    """What a measure reports on its way: called with a step and values, it says whether to stop.

    Parameters
    ----------
    names : sequence of str
        Objectives that the measure gives.
    known : sequence of str
        Further names that may come along, and are left out.
    stops : Stops, optional
        When to stop; never without it.
    """

    def __init__(self, names: Sequence[str], known: Sequence[str] = (), stops: Stops | None = None) -> None:
        self.names, self.known, self.stops = tuple(names), tuple(known), stops
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self.diverged: dict[str, str] = {}
        self.step, self.of = 0, stops.steps if stops is not None else 0
        self.stopped = False

    def __call__(self, step: Any, values: Any, of: Any = None) -> bool:
        """Report values of objectives after a step; True says that the measure is to stop.

        Parameters
        ----------
        step : int
            Steps done, 1 or more, and more each time: the same ones for every architecture, such as epochs.
        values : mapping of str to number
            Raw values of objectives as they would be if this were the end; one number is enough for one objective. One
            that is not finite any more says that the training has diverged: the objective has failed then.
        of : int, optional
            Steps in all, which says what share of the work a stopped measurement has cost; that of the longest complete
            measurement otherwise.

        Raises
        ------
        InputError
            If a step does not increase, a name is no objective of this measure, or a value is no number.
        """
        number, total = _whole(step), None if of is None else _whole(of)
        if number <= self.step:
            raise InputError(f"report: expected a step above {self.step}, got {shortened(repr(step), 80)}")
        if total is not None and total < number:
            raise InputError(f"report: expected as many steps in all as {number} or more, got {shortened(of, 80)}")
        if len(self.names) == 1 and not isinstance(values, Mapping):
            values = {self.names[0]: values}
        wrong = not isinstance(values, Mapping) or any(name not in (*self.names, *self.known) for name in values)
        if wrong or not any(name in values for name in self.names):
            got = shortened(repr(values), 80)
            raise InputError(f"report: expected values of some of {', '.join(self.names)}, got {got}")
        read = {name: self._number(name, values[name]) for name in self.names if name in values}
        finite = {name: value for name, value in read.items() if math.isfinite(value)}
        self.step, self.of = number, total or self.of
        for name, value in finite.items():
            self.curves.setdefault(name, []).append((number, value))
        for name in read.keys() - finite.keys():
            self.diverged.setdefault(name, f"expected a finite number, got {read[name]} at step {number}")
        self.stopped |= self.stops is not None and self.stops.ends(number, finite)
        return self.stopped or bool(self.diverged)

    @staticmethod
    def _number(name: str, value: Any) -> float:
        try:
            return as_float(value)
        except ValueError as error:
            raise InputError(f"report: {name}: {error}") from error

    def add_to(self, outcome: Outcome, result: Any = None) -> Outcome:
        """An outcome with what was reported; if the measure was stopped, as that says.

        What was reported is not final then, whatever was returned, and what is missing is no failure.
        """
        outcome.curves = {name: tuple(curve) for name, curve in self.curves.items()}
        if outcome.error is not None or outcome.trace:
            return outcome
        if self.diverged:
            # Whatever was returned: a measure that is told to stop may return anything.
            outcome.values = {name: value for name, value in outcome.values.items() if name not in self.diverged}
            outcome.reasons |= self.diverged
            return outcome
        if not self.stopped:
            return outcome
        values, _ = read_result(result, self.names, self.known) if isinstance(result, Mapping) else ({}, {})
        outcome.values = {name: value for name, value in values.items() if name not in self.curves}
        share = min(1.0, self.step / max(self.of, self.step))
        outcome.stopped = {name: share for name in self.names if name not in outcome.values}
        told = f"stopped at step {self.step} of {max(self.of, self.step)}"
        outcome.reasons = dict.fromkeys(outcome.stopped, told)
        return outcome


def _whole(value: Any) -> int:
    """A number of steps; 0 for what is none."""
    try:
        number = as_number(value)
    except Exception:  # whatever a strange object raises
        return 0
    return int(number) if number.is_integer() else 0


def wants_reports(function: Any) -> bool:
    """Whether a measure has a parameter named ``report``."""
    try:
        return "report" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


class Attempt:
    """One call of a function on one architecture: never raises what the user's code raises, see :class:`Outcome`.

    It can be sent to another process where the function can.

    Parameters
    ----------
    function : callable
        Takes an architecture, a dict of its active genes.
    names : sequence of str
        Objectives that it gives.
    known : sequence of str
        Further names that may come along.
    """

    def __init__(
        self, function: Callable[[Architecture], Any], names: Sequence[str], known: Sequence[str] = ()
    ) -> None:
        self.function, self.names, self.known = function, tuple(names), tuple(known)

    def __deepcopy__(self, memo: dict[int, Any]) -> Attempt:
        return self

    def __getstate__(self) -> dict[str, Any]:
        try:
            pickle.dumps(self.function)
        except Exception as error:  # pickle raises whatever the object does
            raise InputError(
                f"measure {getattr(self.function, '__qualname__', self.function)!r}: it cannot be sent to another"
                f" process ({shortened(error, 120)}); define it at the top level of a module, or use threads"
            ) from error
        return dict(self.__dict__)

    def __call__(self, architecture: Architecture, stops: Stops | None = None) -> Outcome:
        """Call the function and read what it returns, and what it reports if it has a parameter ``report``."""
        reports = Reports(self.names, self.known, stops)
        return reports.add_to(*self._called(architecture, reports))

    def _called(self, architecture: Architecture, reports: Reports) -> tuple[Outcome, Any]:
        """The outcome, and what was returned."""
        start = time.perf_counter()
        try:
            # Asked within: a function that is loaded from the user's file may raise here already.
            options = {"report": reports} if wants_reports(self.function) else {}
            result = self.function(dict(architecture), **options)
            values, reasons = read_result(result, self.names, self.known)
            return Outcome(values, reasons, time.perf_counter() - start), result
        except CommandFailedError as error:
            # A command that was killed is no mistake of its author's: the memory may have been too small.
            killed = error.code < -1
            mark = "" if killed else f"exit {error.code}: {shortened(error.tail.strip().splitlines()[-1:], 200)}"
            mark = CANNOT_RUN if error.code == UNSTARTED else mark
            reasons = dict.fromkeys(self.names, shortened(error))
            return Outcome({}, reasons, time.perf_counter() - start, error.tail or str(error), mark, error), None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever the user's code raises, SystemExit too
            reasons = dict.fromkeys(self.names, shortened(_told(error)))
            raised = error if isinstance(error, Exception) else None
            return Outcome({}, reasons, time.perf_counter() - start, user_trace(error), _mark(error), raised), None


class Packed:
    """A call as bytes, for clusters whose processes cannot import what the user's program defines.

    Parameters
    ----------
    payload : bytes
        The function, pickled by ``cloudpickle``.
    names, known : sequence of str
        As of :class:`Attempt`.
    """

    def __init__(self, payload: bytes, names: Sequence[str], known: Sequence[str] = ()) -> None:
        self.payload, self.names, self.known = payload, tuple(names), tuple(known)

    @classmethod
    def of(cls, attempt: Attempt) -> Packed:
        """Pack a call.

        Raises
        ------
        InputError
            If its function cannot be sent to another process.
        """
        import cloudpickle  # comes with the clusters that need it

        try:
            return cls(cloudpickle.dumps(attempt.function), attempt.names, attempt.known)
        except Exception as error:  # pickle raises whatever the object does
            raise InputError(f"measure: it cannot be sent to another process: {shortened(error, 200)}") from error

    def __call__(self, architecture: Architecture, stops: Stops | None = None) -> Outcome:
        """Unpack and call the function.

        Raises
        ------
        InputError
            If this process cannot load it.
        """
        try:
            function = pickle.loads(self.payload)
        except Exception as error:  # an import of the user's raises anything
            raise InputError(f"measure: a worker cannot load it: {type(error).__name__}: {error}") from error
        return Attempt(function, self.names, self.known)(architecture, stops)


def measure_times(
    attempt: Attempt | Packed, architecture: Architecture, times: int, stops: Stops | None = None
) -> list[Outcome]:
    """Call a part several times, and no further once it raised or was stopped; runs in a worker.

    What was worth its first measurement is not stopped in a repeat.
    """
    outcomes: list[Outcome] = []
    for _ in range(times):
        outcomes.append(attempt(architecture, None if outcomes else stops))
        if outcomes[-1].mark or outcomes[-1].stopped:
            break
    return outcomes


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of several functions as one: all values, reasons and curves, and the first mistake."""
    raised = next((outcome for outcome in outcomes if outcome.mark), Outcome())
    return Outcome(
        {name: value for outcome in outcomes for name, value in outcome.values.items()},
        {name: text for outcome in outcomes for name, text in outcome.reasons.items()},
        sum(outcome.seconds for outcome in outcomes),
        raised.trace,
        raised.mark,
        raised.error,
        {name: curve for outcome in outcomes for name, curve in outcome.curves.items()},
        {name: share for outcome in outcomes for name, share in outcome.stopped.items()},
    )


def _told(error: BaseException) -> str:
    try:
        told = str(error)
    except Exception:  # an exception of the user's own
        told = ""
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def user_trace(error: BaseException) -> str:
    """The traceback as the user's: without the frames of this package that lead to his code."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parent)


def _mark(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__} at {place}"


class CommandFailedError(MeasureError):
    """A command ended with an exit code other than 0, or was killed."""

    def __init__(self, message: str, code: int, tail: str) -> None:
        super().__init__(message)
        self.code, self.tail = code, tail

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.code, self.tail)


@dataclass(frozen=True)
class Command:
    """A command line as a measure: the architecture as JSON on standard input, objectives as JSON on standard output.

    Parameters
    ----------
    line : str
        The command as a shell would split it; no shell runs it.
    folder : str
        Where it runs; the current folder if empty.
    log : str
        Folder in which each call's standard error is kept; nowhere if empty.
    """

    line: str
    folder: str = ""
    log: str = ""

    def __post_init__(self) -> None:
        if not self.words:
            raise InputError("measure: expected a command line, got an empty one")

    @property
    def words(self) -> list[str]:
        """The command's words."""
        try:
            return shlex.split(self.line)
        except ValueError as error:
            raise InputError(f"measure {self.line!r}: expected a command line: {error}") from error

    def __call__(self, architecture: Architecture) -> Any:
        """Run the command; its standard output is read as one JSON object, or its last line is."""
        try:
            done = subprocess.run(  # the user's own command
                self.words,
                input=json.dumps(architecture).encode(),
                capture_output=True,
                cwd=self.folder or None,
                check=False,
            )
        except OSError as error:
            message = f"the command cannot be run: {error.strerror or error}: {error.filename or self.line}"
            raise CommandFailedError(message, UNSTARTED, message) from error
        said = done.stderr.decode(errors="replace")
        self._keep(architecture, said)
        if done.returncode != 0:
            last = said.strip().splitlines()[-1:] or ["nothing on standard error"]
            how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
            raise CommandFailedError(f"{how}: {shortened(last[0], 200)}", done.returncode, said[-20_000:])
        return parse_output(done.stdout.decode(errors="replace"))

    def _keep(self, architecture: Architecture, said: str) -> None:
        if self.log and said.strip():
            path = Path(self.log)
            path.mkdir(parents=True, exist_ok=True)
            with (path / "stderr.log").open("a", encoding="utf-8") as out:
                out.write(f"--- {json.dumps(architecture)}\n{said.rstrip()}\n")


def parse_output(text: str) -> Any:
    """The JSON object that a command printed: its whole output, or the last line that is one."""
    for part in (text, *reversed(text.strip().splitlines()[-50:])):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return _Garbage(shortened(text, 120) or "nothing")


class _Garbage:
    """Output that is no JSON object; shows itself in the reason."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"{self.text} (no JSON object on standard output)"


class Coded:
    """A function of codes of shape (1, n_var) that returns a row of objectives, as a measure.

    Parameters
    ----------
    function : callable
        Takes genotypes and returns values of shape (1, n_objectives) or (n_objectives,).
    space : SearchSpace
        Turns architectures into codes.
    names : sequence of str
        Objectives of the row.
    """

    def __init__(self, function: Callable[[IntArray], Any], space: SearchSpace, names: Sequence[str]) -> None:
        self.function, self.space, self.names = function, space, tuple(names)

    def __call__(self, architecture: Architecture) -> dict[str, Any]:
        """Call the function and name its values.

        Raises
        ------
        InputError
            If it does not return a row of the objectives.
        """
        returned = self.function(self.space.from_dict(architecture)[None].copy())
        row = np.asarray(returned, dtype=np.float64).reshape(-1)
        if row.shape != (len(self.names),):
            raise InputError(f"profiler: expected {len(self.names)} values, got {shortened(row.tolist())}")
        return dict(zip(self.names, row.tolist(), strict=True))


def as_attempts(measure: Any, names: Sequence[str], known: Sequence[str] = ()) -> tuple[Attempt, ...]:
    """A measure in any of its forms as calls that never raise.

    Parameters
    ----------
    measure : callable, mapping, str or Command
        A function of the dict of genes, several of them by objective (``{"error": train, "latency,energy": bench}``),
        or a command line.
    names : sequence of str
        Objectives that must be measured.
    known : sequence of str
        Objectives that the space computes; they may come along and are not needed.

    Raises
    ------
    InputError
        If it is none of these, or does not cover every objective once.
    """
    if isinstance(measure, Mapping):
        everyone = {*names, *known}
        parts = [([key] if key in everyone else _listed(key), function) for key, function in measure.items()]
        given = [name for group, _ in parts for name in group]
        wanted = set(names)
        if not wanted <= set(given) or len(set(given)) != len(given) or set(given) - wanted - set(known):
            raise InputError(f"measure: expected a function for each of {', '.join(names)}, got {', '.join(given)}")
        return tuple(
            Attempt(_callable(function), [n for n in group if n in wanted], known)
            for group, function in parts
            if wanted & set(group)
        )
    return (Attempt(_callable(measure), names, known),)


def _listed(key: Any) -> list[str]:
    several = key.split(",") if isinstance(key, str) else list(key)
    return [str(name).strip() for name in several]


def _callable(measure: Any) -> Callable[[Architecture], Any]:
    if isinstance(measure, str):
        return Command(measure)
    if callable(measure):
        return measure  # type: ignore[no-any-return]  # a callable's type says no more
    raise InputError(f"measure: expected a function or a command line, got {shortened(repr(measure), 80)}")


class Guard:
    """Tells a bug in the user's code from networks that fail.

    It says stop when the first evaluations all raised, or when many in a row raised the same.

    Parameters
    ----------
    first : int
        So many evaluations that all raised, from the first one on, are a bug; 0 never stops.
    same : int
        So many in a row that raised the same, whenever, are a bug; 0 never stops.
    """

    def __init__(self, first: int = FIRST_RAISED, same: int = SAME_RAISED) -> None:
        if first < 0 or same < 0:
            raise InputError(f"guard: expected numbers that are not negative, got {first} and {same}")
        self.first, self.same = first, same
        self.row: list[tuple[Any, str]] = []
        self.succeeded = False

    def add(self, key: Any, outcome: Outcome) -> list[Any]:
        """Count an outcome; returns the keys of what was in vain if it is time to stop, else nothing."""
        if not outcome.mark:
            self.succeeded = True
            self.row = []
            return []
        self.row.append((key, outcome.mark))
        alike = 0
        for _, mark in reversed(self.row):
            if mark != outcome.mark:
                break
            alike += 1
        if outcome.mark == CANNOT_RUN and not self.succeeded and self.first:
            # No network can be to blame.
            return [key for key, _ in self.row]
        if not self.succeeded and self.first and len(self.row) >= self.first:
            return [key for key, _ in self.row]
        if self.same and alike >= self.same:
            return [key for key, _ in self.row[-alike:]]
        return []


@dataclass(frozen=True)
class Bug:
    """A bug in the user's code, as the last outcome shows it, and how many evaluations were in vain."""

    outcome: Outcome
    n: int

    def stop(self) -> NoReturn:
        """Raise what the user's code raised, or its traceback as text where the exception is in another process.

        Raises
        ------
        Exception
            The user's own, where it is at hand.
        MeasureError
            With his traceback or standard error otherwise.
        """
        error = self.outcome.error
        told = (
            f"measure: {self.n} evaluations in a row raised; they are not billed and wait until the mistake is mended"
        )
        if error is not None and not isinstance(error, MeasureError):
            error.add_note(told)
            raise error
        raise MeasureError(f"{told}:\n{self.outcome.trace.rstrip()}")
