"""Methods by name; a built-in one is imported when it is asked for, so that a missing extra costs only itself."""

from __future__ import annotations

import importlib
import inspect

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
    method = _checked(method)
    taken = _REGISTERED.get(method.name)
    if taken is not None and not same_definition(taken, method):
        raise InputError(f"method {method.name!r}: expected a new name, got one that is registered")
    _REGISTERED[method.name] = method
    return method


def _checked(method: object) -> type[Method]:
    """Refuse what cannot be run, or would be taken for another method or for another folder."""
    if not (isinstance(method, type) and issubclass(method, Method)) or inspect.isabstract(method):
        raise InputError(f"method: expected a subclass of Method with ask and tell, got {method!r}")
    if not method.name or set(method.name) & set(",/\\:") or method.name.startswith("."):
        raise InputError(
            f"method {method.__name__}: expected a name without comma, colon or slash and no dot in front,"
            f" got {method.name!r}"
        )
    if method.name in _BUILT_IN:
        raise InputError(f"method {method.name!r}: expected a new name, got that of a built-in method")
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
    except Exception as error:  # whatever the module raises
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"method {path!r}: expected an importable package.module:Class, got {told}") from error
    return _checked(method)


def available_methods() -> tuple[list[type[Method]], list[str]]:
    """All methods that can be run here, and why the others cannot."""
    found, missing = [], []
    for name in method_names():
        try:
            found.append(get_method(name))
        except MissingExtraError as error:
            missing.append(f"{name}: {error}")
    return found, missing
