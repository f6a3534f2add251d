"""What this process has registered, made known to the processes that work for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_SHARED: list[tuple[Callable[[Any], None], Any]] = []


def share(adopt: Callable[[Any], None], value: Any) -> None:
    """Have ``adopt(value)`` called in every process that works for this one, before its work.

    Parameters
    ----------
    adopt : callable
        A function that a module holds at its top level; a second call with the same value changes nothing.
    value : object
        What was registered here.
    """
    _SHARED.append((adopt, value))


def informed(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which in another process first makes known there what was registered here."""
    return Informed(function, tuple(_SHARED)) if _SHARED else function


@dataclass(frozen=True)
class Informed(Generic[P, R]):
    """A function and what must be known where it is called."""

    function: Callable[P, R]
    shared: tuple[tuple[Callable[[Any], None], Any], ...]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        for adopt, value in self.shared:
            adopt(value)
        return self.function(*args, **kwargs)
