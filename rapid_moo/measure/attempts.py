"""A measure in any of its forms as calls that never raise, here and in other processes."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from sysconfig import get_path
from typing import Any

import numpy as np

from rapid_moo._util import IntArray
from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.measure.commands import UNSTARTED, Command, CommandFailedError
from rapid_moo.measure.outcomes import CANNOT_RUN, Architecture, Outcome, absent, read_result, shortened
from rapid_moo.measure.reports import Reports, wants_reports
from rapid_moo.space import SearchSpace


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
            lacking = absent(result, self.names)
            return Outcome(values, reasons, time.perf_counter() - start, lacking=lacking), result
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


def user_trace(error: BaseException) -> str:
    """The traceback as the user's: without the frames of this package that lead to his code, or that it has called."""
    told = traceback.TracebackException.from_exception(error)
    left = [told]
    while left:
        shown = left.pop()
        shown.stack = traceback.StackSummary.from_list(_users_frames(shown) or shown.stack[-1:])
        # Of several errors one behind the other, those that were raised and caught in this package are its own affair.
        if shown.__cause__ is not None and not _users_frames(shown.__cause__):
            shown.__cause__ = None
        if shown.__context__ is not None and not _users_frames(shown.__context__):
            shown.__context__ = None
        left += [
            other for other in (shown.__cause__, shown.__context__, *(shown.exceptions or ())) if other is not None
        ]
    return "".join(told.format())


def _users_frames(told: traceback.TracebackException) -> list[traceback.FrameSummary]:
    return [frame for frame in told.stack if not _is_ours(frame.filename)]


def is_users(error: BaseException) -> bool:
    """Whether an error went through the user's own code, and not through this package and installed ones alone."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(not (_is_ours(file) or file.startswith("<frozen ") or _is_installed(file)) for file in files)


def _is_installed(file: str) -> bool:
    return any(Path(file).is_relative_to(get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


def _told(error: BaseException) -> str:
    try:
        told = str(error)
    except Exception:  # an exception of the user's own
        told = ""
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parents[1])


def _mark(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__} at {place}"
