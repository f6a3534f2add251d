"""One registry of search spaces, and the way from a name or a file to a table or a problem."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from rapid_moo import data
from rapid_moo.constraints import AnyConstraint
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective, distinct, parse_objectives
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.reading import RawTable, build_table, read_csv
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

SpaceFactory = Callable[..., SearchSpace]

_BUILT_IN = {
    "digits": ("digits", "Digits"),
    "flexibert": ("flexibert", "FlexiBERT"),
    "hw_gpt": ("hw_gpt", "HWGPT"),
    "nasbench201": ("nasbench201", "NASBench201"),
    "nasbench_asr": ("nasbench_asr", "NASBenchASR"),
}
_REGISTERED: dict[str, SpaceFactory] = {}
PLUGIN_GROUP = "rapid_moo.spaces"


def _plugins() -> dict[str, EntryPoint]:
    """Spaces that installed packages announce, by name."""
    return {entry.name: entry for entry in entry_points(group=PLUGIN_GROUP) if entry.name not in _BUILT_IN}


def register_space(name: str, factory: SpaceFactory) -> None:
    """Make a search space known by name for the rest of this process.

    A package does it once for all, the command line included, with an entry point in its ``pyproject.toml``::

        [project.entry-points."rapid_moo.spaces"]
        my_space = "my_package.my_module:MySpace"

    Parameters
    ----------
    name : str
        New name. A registered name is replaced by the same definition only, which is what running a notebook's cell
        again does.
    factory : callable
        The class, or any function that returns a :class:`SearchSpace`.
    """
    taken = _REGISTERED.get(name)
    if name in _BUILT_IN or (taken is not None and not _same_definition(taken, factory)):
        raise InputError(f"space {name!r}: expected a new name, got one that is registered")
    _REGISTERED[name] = factory


def _same_definition(known: SpaceFactory, factory: SpaceFactory) -> bool:
    """Whether a factory is one that is known, defined again: of the same name in the same module."""
    if known is factory or known == factory:
        return True
    first, second = ([getattr(one, part, None) for part in ("__module__", "__qualname__")] for one in (known, factory))
    if first != second or None in first[1:] or isinstance(known, type) != isinstance(factory, type):
        return False
    # Functions without a name of their own share one: those are the same only if they do the same.
    if "<lambda>" not in str(first[1]):
        return True
    codes = [getattr(one, "__code__", None) for one in (known, factory)]
    return codes[0] is not None and codes[0] == codes[1]


def space_names() -> list[str]:
    """Names of all search spaces: built in, registered, and announced by installed packages; sorted."""
    return sorted({*_BUILT_IN, *_REGISTERED, *_plugins()})


def get_space(name: str, **options: Any) -> SearchSpace:
    """A search space by name; ``hw_gpt`` takes ``scale``.

    Parameters
    ----------
    name : str
        One of :func:`space_names`, or ``hw_gpt_s``, ``hw_gpt_m``, ``hw_gpt_l`` (with or without a device).
    **options
        Passed to the space.
    """
    if name in _REGISTERED:
        return _made(name, _REGISTERED[name], options)
    if name not in _BUILT_IN and name in (plugins := _plugins()):
        return _made(name, plugins[name].load(), options)
    if name.startswith("hw_gpt_"):
        scale = name.split("_")[2]
        if options.get("scale", scale) != scale:
            raise InputError(f"space {name!r}: expected scale {scale!r}, got {options['scale']!r}")
        name, options = "hw_gpt", {**options, "scale": scale}
    if name not in _BUILT_IN:
        raise InputError(f"space: expected one of {', '.join(space_names())}, got {name!r}")
    module, attribute = _BUILT_IN[name]
    return _made(name, getattr(importlib.import_module(f"rapid_moo.problems.{module}"), attribute), options)


def _made(name: str, factory: SpaceFactory, options: dict[str, Any]) -> SearchSpace:
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        raise InputError(f"space {name!r}: {error}") from error
    return factory(**options)


def choose_objectives(
    space: SearchSpace,
    *,
    objectives: str | Sequence[Objective] | None = None,
    memory: str | None = None,
    energy: bool = False,
) -> tuple[Objective, ...]:
    """The objectives of a table.

    Parameters
    ----------
    space : SearchSpace
        Knows its own objectives and directions.
    objectives : str or sequence of Objective, optional
        States them instead, as text like ``accuracy:max,latency:min,mem:min``.
    memory : str, optional
        Replaces the memory objective: ``"profiled"`` as published, or the name of a value that the space computes
        exactly (``"params"``, ``"flops"``). The space's own default if not given.
    energy : bool
        Add the space's energy objective.
    """
    if objectives is not None:
        _nothing_beside_objectives(memory, energy)
        stated = parse_objectives(objectives) if isinstance(objectives, str) else tuple(objectives)
        return distinct(_with_unit(space, objective) for objective in stated)
    chosen = list(space.objectives)
    if not chosen:
        raise InputError(f"{space.name}: objectives are not known; state them as COLUMN:min or COLUMN:max")
    computed = {objective.name: objective for objective in space.computed}
    kind = memory or space.default_memory
    if kind != "profiled":
        if kind not in computed:
            raise InputError(f"memory: expected one of {['profiled', *computed]} for {space.name}, got {kind!r}")
        chosen = [computed[kind] if objective.name == "memory" else objective for objective in chosen]
    if energy:
        if not space.optional:
            raise InputError(f"energy: {space.name} has no energy objective")
        chosen.extend(space.optional)
    return tuple(chosen)


def _nothing_beside_objectives(memory: str | None, energy: bool) -> None:
    for option, given in (("memory", memory is not None), ("energy", energy)):
        if given:
            raise InputError(f"{option}: expected it among the stated objectives, got it beside them")


def _with_unit(space: SearchSpace, stated: Objective) -> Objective:
    """The space's name and unit for a stated column, with the stated direction."""
    for known in (*space.computed, *space.objectives, *space.optional):
        if stated.name in (known.name, known.column):
            return Objective(known.name, stated.direction, known.unit, known.column)
    return stated


def open_raw(dataset: str | Path, space: str | None = None) -> tuple[RawTable, SearchSpace | None, str]:
    """Read a table by name or path; the space is recognised, stated, or None.

    Returns
    -------
    RawTable
        The checked file.
    SearchSpace or None
        None if the file name is not known and no space was stated.
    str
        Name for reports.
    """
    entry = data.entry_for(dataset)
    path = Path(dataset)
    if path.is_file():
        name = path.stem
    elif entry is not None and path.suffix != ".csv":
        path, name = data.locate(entry.name), entry.name
    else:
        raise DataNotFoundError(
            f"dataset {str(dataset)!r}: expected a CSV file or a table's name ({data.known_names()}); found neither"
        )
    known = None
    if space is not None:
        known = get_space(space)
    elif entry is not None:
        known = get_space(entry.space, **entry.options)
    return read_csv(path), known, name


def audited_objectives(
    raw: RawTable, space: SearchSpace | None, objectives: str | None, memory: str | None, energy: bool
) -> tuple[Objective, ...]:
    """The objectives to audit: what was measured, unless stated otherwise; energy where the file has it."""
    if space is None:
        return _stated(raw, objectives, memory, energy)
    measured = memory or (None if objectives is not None else "profiled")
    return choose_objectives(
        space, objectives=objectives, memory=measured, energy=energy or (bool(space.optional) and "energy" in raw.frame)
    )


def _stated(
    raw: RawTable, objectives: str | Sequence[Objective] | None, memory: str | None, energy: bool
) -> tuple[Objective, ...]:
    """The objectives of a file whose space is not known."""
    if objectives is None:
        raise InputError(
            f"{raw.path}: not a published file name, so directions are not known: state --objectives"
            f" COLUMN:max,COLUMN:min,… (columns: {', '.join(raw.frame.columns)}) and, if it has one, --space"
        )
    _nothing_beside_objectives(memory, energy)
    return parse_objectives(objectives) if isinstance(objectives, str) else tuple(objectives)


def open_table(
    dataset: str | Path,
    *,
    space: str | None = None,
    objectives: str | Sequence[Objective] | None = None,
    memory: str | None = None,
    energy: bool = False,
) -> ArchitectureTable:
    """A profiled table by name or path.

    Parameters
    ----------
    dataset : str or Path
        A name such as ``digits`` or ``hw_gpt_s_a100``, or a CSV file in the published layout. A published file name
        is recognised as its space.
    space : str, optional
        States the space of any other file; without it the genes are inferred, and ``objectives`` must be stated.
    objectives, memory, energy
        See :func:`choose_objectives`.
    """
    raw, known, name = open_raw(dataset, space)
    if known is None:
        stated = _stated(raw, objectives, memory, energy)
        return build_table(raw, None, stated, name)
    chosen = choose_objectives(known, objectives=objectives, memory=memory, energy=energy)
    return build_table(raw, known, chosen, name)


def get_problem(
    name: str | Path,
    *,
    source: Any = None,
    space: str | None = None,
    objectives: str | Sequence[Objective] | None = None,
    memory: str | None = None,
    energy: bool = False,
    constraints: str | AnyConstraint | Callable[..., Any] | Sequence[Any] = (),
    **options: Any,
) -> ArchitectureProblem:
    """A search space as a pymoo problem.

    Parameters
    ----------
    name : str or Path
        A space or table name, or a CSV file: ``get_problem("hw_gpt", scale="s", device="a100")`` is
        ``get_problem("hw_gpt_s_a100")``.
    source : optional
        Where objectives come from; the published table of that name by default. See
        :class:`~rapid_moo.problem.ArchitectureProblem`.
    space, objectives, memory, energy
        See :func:`open_table`.
    constraints : sequence of str or Constraint
        Bounds such as ``"latency <= 20"``.
    **options
        Passed to the space; ``device`` completes the name of a published table.

    Examples
    --------
    >>> problem = get_problem("digits")
    >>> problem.n_obj, problem.front_kind
    (3, 'true')
    """
    device = options.pop("device", None)
    if source is not None:
        known = get_space(str(name), **options)
        if objectives is None and not space and isinstance(source, ArchitectureTable):
            return ArchitectureProblem(known, source, constraints=constraints)
        chosen = choose_objectives(known, objectives=objectives, memory=memory, energy=energy)
        return ArchitectureProblem(known, source, chosen, constraints=constraints)
    if options:
        get_space(str(name), **options)
    parts = [str(name), *(str(value) for value in options.values()), *([str(device)] if device else [])]
    if str(name) not in _BUILT_IN and str(name) in space_names():
        raise InputError(f"problem {name!r}: expected a source (a table or a profiler), got none")
    table = open_table(
        name if len(parts) == 1 else "_".join(parts),
        space=space,
        objectives=objectives,
        memory=memory,
        energy=energy,
    )
    return ArchitectureProblem(table.space, table, constraints=constraints)
