"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


class Lazy:
    """What stands behind a package's ``__getattr__``.

    Parameters
    ----------
    package : str
        Name of the package, which is being imported.
    names : mapping of str to str
        Public names, with spaces between them, by the module that defines them.
    """

    def __init__(self, package: str, names: Mapping[str, str]) -> None:
        self.package = package
        self._module = {name: module for module, several in names.items() for name in several.split()}
        # A function that is called like its module (audit): importing the module must not take the name.
        reserved = {n for n, module in self._module.items() if module == f"{package}.{n}"}
        if reserved:
            sys.modules[package].__class__ = type("Package", (_Package,), {"reserved": frozenset(reserved)})

    def find(self, name: str) -> Any:
        """Import a name; AttributeError if there is none, as for any module."""
        if name not in self._module:
            raise AttributeError(f"module {self.package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(self._module[name]), name)
        setattr(sys.modules[self.package], name, found)
        return found


class _Package(ModuleType):
    """A package in which some names never become submodules."""

    reserved: frozenset[str] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in self.reserved and isinstance(value, ModuleType)):
            super().__setattr__(name, value)
