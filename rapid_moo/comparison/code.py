"""What a method does, as a hash: so that results of different code are never taken for results of one method.

A built-in method has none: its runs say the version and commit that they were made with. Of any other the hash covers
the bytecode that would run: the method, its bases, and what their functions refer to in modules of the user's own
(functions, classes, constants), defaults and closures; of an algorithm that was made beforehand, its state. Comments
and layout do not count. What is imported within a function, read from files or installed is not seen.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from pymoo.core.problem import Problem

from rapid_moo.comparison.method import Method

PACKAGE = "rapid_moo"
LIBRARIES = (PACKAGE, "pymoo")
DIGITS = 16
_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
_SKIPPED = {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "_abc_impl"}
_SKIPPED |= {"__abstractmethods__", "__firstlineno__", "__static_attributes__", "__parameters__", "__annotate_func__"}
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}
_STATES = {"functools", "types"}
"""Modules of the standard library whose objects hold what is run: wrapped functions, namespaces."""
_STATELESS = (Problem, np.random.Generator, np.random.RandomState)


def code_of(method: type[Method]) -> str:
    """Hash of a method's code, 16 hexadecimal digits; empty for a built-in one."""
    what = method if method._origin is None else method._origin
    if what is method and _root(method.__module__) == PACKAGE:
        return ""
    walk = _Walk(_root(str(getattr(what, "__module__", type(what).__module__))))
    walk.add(what)
    return walk.digest.hexdigest()[:DIGITS]


def _root(module: str) -> str:
    return module.partition(".")[0]


class _Walk:
    """Everything that can be reached from a method, in a fixed order, each thing once."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        # What was seen is kept, so that no other object gets its number.
        self._seen: dict[int, tuple[int, Any]] = {}

    def add(self, value: Any) -> None:
        """Take a value into the hash."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic | PurePath):
            return self._tell(type(value).__name__, repr(value))
        if id(value) in self._seen:
            return self._tell("again", str(self._seen[id(value)][0]))
        self._seen[id(value)] = len(self._seen), value
        self._tell(type(value).__name__)
        if isinstance(value, tuple | list | deque):
            self._all(value)
        elif isinstance(value, set | frozenset):
            self._tell(*sorted(map(repr, value)))
        elif isinstance(value, Mapping):
            self._all(part for pair in value.items() for part in pair)
        elif isinstance(value, np.ndarray):
            self._tell(str(value.dtype), str(value.shape))
            self._all(value.tolist()) if value.dtype.hasobject else self.digest.update(value.tobytes())
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, CodeType):
            self._code(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, staticmethod | classmethod | MethodType):
            self._all([value.__func__, getattr(value, "__self__", None)])
        elif isinstance(value, property):
            self._all([value.fget, value.fset, value.fdel])
        elif isinstance(value, functools.partial):
            self._all([value.func, value.args, value.keywords])
        elif isinstance(value, ModuleType | BuiltinFunctionType):
            self._tell(value.__name__)
        else:
            self._object(value)
        return None

    def _tell(self, *texts: str) -> None:
        for text in texts:
            content = text.encode("utf-8", "backslashreplace")
            # With its length, so that no two sequences of texts are one.
            self.digest.update(b"%d:" % len(content) + content)

    def _all(self, values: Any) -> None:
        for value in values:
            self.add(value)

    def _own(self, module: str) -> bool:
        """Whether a module is the user's: of the method's own package, or nowhere among installed ones."""
        if _root(module) in LIBRARIES:
            return False
        if _root(module) in (self.root, "__main__"):
            return True
        file = getattr(sys.modules.get(module), "__file__", None)
        if not file:
            return False
        path = Path(file)
        return not ({"site-packages", "dist-packages"} & set(path.parts) or path.is_relative_to(_LIBRARY))

    def _function(self, function: FunctionType) -> None:
        self._tell(function.__qualname__)
        if not self._own(function.__module__ or ""):
            return self._tell(function.__module__ or "")
        self._all([function.__code__, function.__defaults__, function.__kwdefaults__])
        for cell in function.__closure__ or ():
            # A cell is empty while what it holds is being defined.
            self.add(getattr(cell, "cell_contents", None) if _filled(cell) else None)
        looked_up = dict(sorted(_names(function.__code__)))
        for name, is_global in looked_up.items():
            if not is_global or name not in function.__globals__:
                continue
            value = function.__globals__[name]
            self._tell(name)
            self.add(value)
            if isinstance(value, ModuleType) and self._own(value.__name__):
                self._all(vars(value)[other] for other in looked_up if other in vars(value))
        return None

    def _code(self, code: CodeType) -> None:
        self._tell(code.co_code.hex(), *code.co_names, *code.co_varnames, *code.co_freevars)
        self._all(code.co_consts)

    def _class(self, kind: type) -> None:
        self._tell(kind.__module__, kind.__qualname__)
        if not self._own(kind.__module__):
            return
        self._all(kind.__bases__)
        for name, value in vars(kind).items():
            if name not in _SKIPPED:
                self._tell(name)
                self.add(value)

    def _object(self, value: Any) -> None:
        """An object is its class and its state; that of loggers, locks, problems and generators is no code."""
        kind = type(value)
        self.add(kind)
        root = _root(kind.__module__)
        if root == PACKAGE and isinstance(fingerprint := getattr(value, "fingerprint", None), str):
            return self._tell(fingerprint)
        if root in sys.stdlib_module_names - _STATES or isinstance(value, _STATELESS):
            return None
        slots = (name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))
        self.add({name: getattr(value, name, None) for name in slots if name not in _SKIPPED})
        self.add(dict(vars(value)) if hasattr(value, "__dict__") else None)
        return None


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _names(code: CodeType) -> Iterator[tuple[str, bool]]:
    """Names that a function's code looks up, those of functions within it too, and whether as globals."""
    yield from ((name, False) for name in code.co_names)
    yield from ((line.argval, True) for line in dis.get_instructions(code) if line.opname in _GLOBAL)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)
