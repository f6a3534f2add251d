"""Methods by name; a built-in one is imported when it is asked for, so that a missing extra costs only itself."""

from __future__ import annotations

import importlib
import inspect

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
        If it is no concrete :class:`Method`, has no name, or the name is taken.
    """
    if not (isinstance(method, type) and issubclass(method, Method)) or inspect.isabstract(method):
        raise InputError(f"method: expected a subclass of Method with ask and tell, got {method!r}")
    if not method.name or "," in method.name or "/" in method.name:
        raise InputError(f"method {method.__name__}: expected a name without comma or slash, got {method.name!r}")
    if method.name in _BUILT_IN or method.name in _REGISTERED:
        raise InputError(f"method {method.name!r}: expected a new name, got one that is registered")
    _REGISTERED[method.name] = method
    return method


def method_names() -> list[str]:
    """Names of all methods, in the order of reports; those that need a missing extra included."""
    return [*_BUILT_IN, *_REGISTERED]


def get_method(name: str) -> type[Method]:
    """A method by name, or by ``package.module:Class``.

    Raises
    ------
    InputError
        If there is no such method.
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
    raise InputError(f"method: expected one of {', '.join(method_names())} or package.module:Class, got {name!r}")


def _imported(path: str) -> type[Method]:
    module, _, attribute = path.partition(":")
    try:
        method = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"method {path!r}: expected an importable package.module:Class, got: {error}") from error
    if not (isinstance(method, type) and issubclass(method, Method)) or not method.name:
        raise InputError(f"method {path!r}: expected a named subclass of Method, got {method!r}")
    return method


def available_methods() -> tuple[list[type[Method]], list[str]]:
    """All methods that can be run here, and why the others cannot."""
    found, missing = [], []
    for name in method_names():
        try:
            found.append(get_method(name))
        except MissingExtraError as error:
            missing.append(f"{name}: {error}")
    return found, missing
