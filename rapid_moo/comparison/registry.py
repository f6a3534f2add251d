"""Methods by name; a built-in one is imported when it is asked for, so that a missing extra costs only itself."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from rapid_moo._util import same_definition
from rapid_moo.comparison.method import Method
from rapid_moo.errors import InputError, MissingExtraError

_PACKAGE = "rapid_moo.comparison.methods"
_BUILT_IN = {
    "random": "random_search:RandomSearch",
    "stratified-random": "stratified_random:StratifiedRandom",
    "local-search": "local_search:LocalSearch",
    "mo-rea": "mo_rea:MOREA",
    "nsga2": "nsga2:NSGA2Method",
    "nsga3": "nsga3:NSGA3Method",
    "age-moea2": "age_moea2:AGEMOEA2Method",
    "sms-emoa": "sms_emoa:SMSEMOAMethod",
    "u-nsga3": "u_nsga3:UNSGA3Method",
    "nevergrad-de": "nevergrad_de:NevergradDE",
    "nevergrad-portfolio": "nevergrad_portfolio:NevergradPortfolio",
    "optuna-tpe": "optuna_tpe:OptunaTPE",
    "optuna-nsga3": "optuna_nsga3:OptunaNSGA3",
    "optuna-gp": "optuna_gp:OptunaGP",
    "linas": "linas:LINAS",
    "qlognehvi": "qlognehvi:QLogNEHVI",
    "rapid": "rapid:IteratedRAPID",
    "rapid-oneshot": "rapid_oneshot:OneShotRAPID",
    "rapid-published": "published:PublishedRAPID",
}
_REGISTERED: dict[str, type[Method]] = {}


def register_method(method: type[Method]) -> type[Method]:
    """Make a method known by its ``name``; usable as a class decorator.

    Raises
    ------
    InputError
        If it is no concrete :class:`Method`, has no name, or the name is taken by another definition; the same one
        again (a notebook's cell) replaces the first.
    """
    method = checked_method(method)
    taken = _REGISTERED.get(method.name)
    if taken is not None and not same_definition(taken, method):
        raise InputError(f"method {method.name!r}: expected a new name, got one that is registered")
    _REGISTERED[method.name] = method
    return method


def checked_method(method: object) -> type[Method]:
    """Refuse what cannot be run, or would be taken for another method or for another folder."""
    if not (isinstance(method, type) and issubclass(method, Method)) or inspect.isabstract(method):
        raise InputError(f"method: expected a subclass of Method with ask and tell, got {method!r}")
    if not method.name or set(method.name) & set(",/\\:") or method.name.startswith("."):
        raise InputError(
            f"method {method.__name__}: expected a name without comma, colon or slash and no dot in front,"
            f" got {method.name!r}"
        )
    built_in = f"{_PACKAGE}.{_BUILT_IN.get(method.name, '')}"
    if is_built_in(method.name) and f"{method.__module__}:{method.__qualname__}" != built_in:
        raise InputError(f"method {method.name!r}: expected a new name, got that of a built-in method")
    return method


def is_built_in(name: str) -> bool:
    """Whether a name is that of a method of this package."""
    return name in _BUILT_IN


def method_names() -> list[str]:
    """Names of all methods, in the order of reports; those that need a missing extra included."""
    return [*_BUILT_IN, *_REGISTERED]


def get_method(name: str) -> type[Method]:
    """A method by name, or by the address ``package.module:Name`` of a class or of a pymoo algorithm.

    Raises
    ------
    InputError
        If there is no such method, or what is there is neither a :class:`Method` nor a pymoo algorithm: a class, an
        instance, or a function of the problem that makes one.
    MissingExtraError
        If it needs an optional dependency that is not installed.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        found: type[Method] = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), attribute)
        return found
    if ":" in name:
        return _imported(name)
    raise InputError(f"method: expected one of {', '.join(method_names())} or package.module:Name, got {name!r}")


def default_reference(names: Sequence[str]) -> str:
    """The method whose wins and losses are told where nobody says which.

    RAPID where it is there; else the first method of the user's own, since it is what he compares; else the first.
    """
    own = [name for name in names if not is_built_in(name)]
    return "rapid" if "rapid" in names else [*own, *names][0]


def find_method(method: Any) -> type[Method]:
    """A method by name or address, or of a class or pymoo algorithm; raises as :func:`get_method`."""
    if isinstance(method, str):
        return get_method(method)
    # What a method of pymoo's algorithms imports takes a second: names alone do not need it.
    from rapid_moo.comparison.methods._pymoo import as_method

    return checked_method(as_method(method))


def _imported(path: str) -> type[Method]:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the module raises
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"method {path!r}: expected an importable package.module:Name, got {told}") from error
    if isinstance(found, str):
        raise InputError(f"method {path!r}: expected a Method or a pymoo algorithm, got {found!r}")
    return find_method(found)


def available_methods() -> tuple[list[type[Method]], list[str]]:
    """All methods that can be run here, and why the others cannot."""
    found, missing = [], []
    for name in method_names():
        try:
            found.append(get_method(name))
        except MissingExtraError as error:
            missing.append(f"{name}: {error}")
    return found, missing
