"""Small helpers that every layer shares: coercion, seeds and atomic files."""

from __future__ import annotations

import copy
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from rapid_moo.errors import InputError

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Seed: TypeAlias = int | np.random.Generator | None
P = ParamSpec("P")
R = TypeVar("R")
QUOTES = ("'", '"')
MOST_JOBS = 1024
LARGEST_SEED = 2**63 - 1


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function whose linear algebra is of a few hundred rows, so that it runs on one thread.

    Threads cost more than they save there: on two busy cores a search of ``digits`` took 46 s with them, 4 s without.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _linear_algebra(len(sys.modules)).limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@lru_cache(maxsize=1)
def _linear_algebra(n_modules: int) -> ThreadpoolController:
    """The libraries that are loaded; a module that is imported later may bring threads of its own."""
    return ThreadpoolController()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until a block ends: in a callback from C it is lost, or shown as a traceback of somebody's own.

    Elsewhere than in the main thread, where no signal arrives, it changes nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(*came[-1])


class Stopwatch:
    """Seconds by phase: ``with stopwatch("fit"): ...``."""

    def __init__(self, *phases: str) -> None:
        self.seconds = dict.fromkeys(phases, 0.0)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the time of a block to a phase."""
        start = time.perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start


def copied(original: R, memo: dict[int, Any], shared: Collection[str]) -> R:
    """A deep copy that shares some attributes: those that are made anew when they change."""
    other: R = object.__new__(type(original))
    memo[id(original)] = other
    for name, value in vars(original).items():
        setattr(other, name, value if name in shared else copy.deepcopy(value, memo))
    return other


def as_generator(seed: Seed) -> np.random.Generator:
    """Turn a seed into a Generator; a Generator is used as it is.

    Parameters
    ----------
    seed : int, numpy.random.Generator or None
        None draws a seed from the operating system.
    """
    if isinstance(seed, int | np.integer) and not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed: expected an int in 0..2^63 - 1, got {shown(seed, 40)}")
    if seed is None or isinstance(seed, np.random.Generator | int | np.integer):
        return np.random.default_rng(seed)
    raise InputError(f"seed: expected an int, a numpy Generator or None, got {seed!r}")


def drawn_seed(rng: np.random.Generator) -> int:
    """A seed for what takes no Generator, of 31 bits: every library takes those."""
    return int(rng.integers(2**31))


def check_jobs(value: int, name: str = "n_jobs") -> int:
    """Return a number of workers, or a negative one for processors: -1 is all of them, -2 all but one.

    Raises
    ------
    InputError
        If it is 0, no integer, or above :data:`MOST_JOBS`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 < abs(int(value)) <= MOST_JOBS:
        raise InputError(f"{name}: expected 1 to {MOST_JOBS}, or -1 for all processors, got {shown(value, 40)}")
    return int(value)


def as_count(text: str) -> int:
    """A number in plain digits, at most 18 of them; -1 for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else -1


@contextmanager
def numpy_state_kept() -> Iterator[None]:
    """Leave NumPy's global state as it is, whatever a library draws from it in the block.

    Nevergrad does as it makes a parametrization: before that can be given a random state of its own.
    """
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def as_points(values: ArrayLike, /, name: str = "points") -> FloatArray:
    """Coerce to a float array of shape (n_points, n_objectives) without NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name}: expected shape (n_points, n_objectives), got {array.shape}")
    if np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array).any(axis=1))[0])
        raise InputError(f"{name}: NaN in row {row}: {array[row].tolist()}")
    return array


def squared_distances(A: FloatArray, B: FloatArray, /) -> FloatArray:
    """Squared Euclidean distances of rows, shape (n_a, n_b): one matrix product; below 0 by rounding is 0.

    A set that is near itself and far from the origin loses digits: centre it before.
    """
    squared = A @ B.T
    squared *= -2.0
    squared += np.einsum("ij,ij->i", A, A)[:, None]
    squared += np.einsum("ij,ij->i", B, B)[None, :]
    return np.asarray(np.maximum(squared, 0.0, out=squared))


def unique_rows(rows: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """First occurrences, in order of appearance, and each row's index among them.

    Returns
    -------
    first : ndarray of shape (n_unique,)
        Positions of the first occurrence of each distinct row, increasing.
    inverse : ndarray of shape (n_rows,)
        ``rows[first][inverse]`` equals ``rows``.
    """
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    _, first, inverse = np.unique(row_keys(rows), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[inverse].astype(np.int64)


def row_keys(rows: NDArray[Any]) -> NDArray[Any]:
    """One opaque, hashable and comparable value per row of an integer array."""
    packed = np.ascontiguousarray(rows, dtype=">i4")
    return packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()


def check_ratio(value: float, name: str) -> float:
    """Return a ratio that lies strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise InputError(f"{name}: expected a ratio in (0, 1), got {value!r}")
    return float(value)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file at once: a reader sees the old content or the new, never half."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(value: object, length: int = 80) -> str:
    """A value as a message shows it: in quotes, control characters escaped, cut where it is long."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…{text[0] if text[0] in QUOTES else ''}"


def one_line(text: str, length: int = 500) -> str:
    """A message on one line: control characters escaped, cut in the middle where it is long."""
    return cut(plain(text), length)


def plain(text: str) -> str:
    """Text whose control characters are escaped, so that they change nothing in a terminal."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def cut(text: str, length: int) -> str:
    """Text of at most so many characters: where it is longer, its middle is left out."""
    if len(text) <= length:
        return text
    begin = (length - 3) * 3 // 5
    return f"{text[:begin]} … {text[len(text) - (length - 3 - begin) :]}"


FEW = 3
_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?")


def counted(texts: Mapping[str, int]) -> dict[str, int]:
    """How often each text came, the most frequent first; many that differ in numbers alone count as one.

    A few may each mean something (an exit code); of more the number is shown as an ellipsis: "allocate … MiB".
    """
    kinds: dict[str, dict[str, int]] = {}
    for text, n in texts.items():
        kinds.setdefault(_NUMBER.sub("…", text), {})[text] = n
    found: dict[str, int] = {}
    for kind, group in kinds.items():
        found |= group if len(group) <= FEW else {kind: sum(group.values())}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def same_definition(known: object, new: object) -> bool:
    """Whether a class or function is one that is known, defined again: of the same name in the same module."""
    if known is new or known == new:
        return True
    first, second = ([getattr(one, part, None) for part in ("__module__", "__qualname__")] for one in (known, new))
    if first != second or None in first[1:] or isinstance(known, type) != isinstance(new, type):
        return False
    # Functions without a name of their own share one: those are the same only if they do the same.
    if "<lambda>" not in str(first[1]):
        return True
    codes = [getattr(one, "__code__", None) for one in (known, new)]
    return codes[0] is not None and codes[0] == codes[1]
