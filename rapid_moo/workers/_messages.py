"""What goes to a worker process and what comes back, as bytes; see ``_worker`` for the other end."""

from __future__ import annotations

import functools
import io
import pickle
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rapid_moo.errors import InputError
from rapid_moo.workers._process import main_can_be_imported


class _Pickler(pickle.Pickler):
    """Refuses what is defined in a main module that a new process cannot import."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | types.FunctionType) and obj.__module__ == "__main__":
            raise pickle.PicklingError(f"{obj.__qualname__} is defined in a session that a new process cannot import")
        return NotImplemented


def pack(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Pickle work, or say what cannot be sent, why, and what to do."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler if main_can_be_imported() else _Pickler
    try:
        pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump((fn, args, kwargs))
    except InputError:
        raise
    except Exception as error:  # classes may raise anything when they are pickled
        raise InputError(
            f"{label_of(fn)} and its arguments cannot be sent to a worker process: {error}; "
            "define it at the top level of a module, or use threads"
        ) from error
    return buffer.getvalue()


def label_of(fn: Any) -> str:
    """What a function is called in messages."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__))


class _RemoteTraceback(Exception):  # noqa: N818 - the name is printed above the traceback that it holds
    """The traceback of a worker as text, shown as the cause of the exception that came from there."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def unpack(reply: bytes, label: str) -> Any:
    """Give what a worker answered back, or raise what it tells."""
    try:
        kind, *content = pickle.loads(reply)
    except Exception as error:  # classes may raise anything when they are loaded
        raise InputError(f"{label}: its result came, but cannot be loaded here: {error!r}") from error
    if kind == "result":
        return content[0]
    if kind == "unsendable":
        raise InputError(f"{label}: its result cannot be sent back: {content[0]}")
    if kind == "unloadable":
        raise InputError(f"{label}: the worker cannot load it: {content[0]}; is its folder on sys.path?")
    dumped, summary, text = content
    raise _exception(dumped, summary) from _RemoteTraceback(text)


def _exception(dumped: bytes | None, summary: str) -> Exception:
    with suppress(Exception):  # its class may exist in the worker alone
        if dumped is not None and isinstance(error := pickle.loads(dumped), Exception):
            return error
    return RuntimeError(summary)
