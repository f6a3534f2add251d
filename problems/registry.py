"""One registry of search spaces, and the way from a name or a file to a table or a problem."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pandas as pd

from rapid_moo import data
from rapid_moo._util import same_definition, shown, unique_rows
from rapid_moo.constraints import AnyConstraint
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective, as_objectives, distinct
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.reading import RawTable, Reading, build_table, objectives_beside, read_table
from rapid_moo.space import SearchSpace
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

SpaceFactory = Callable[..., SearchSpace]
Made = TypeVar("Made", bound=SpaceFactory)
Stated: TypeAlias = str | Mapping[str, str] | Sequence[Objective]
_PACKED = re.compile(r"\.\w+\.(gz|bz2|xz|zip)$", re.IGNORECASE)

_BUILT_IN = {
    "digits": ("digits", "Digits"),
    "flexibert": ("flexibert", "FlexiBERT"),
    "hw_gpt": ("hw_gpt", "HWGPT"),
    "nasbench201": ("nasbench201", "NASBench201"),
    "nasbench_asr": ("nasbench_asr", "NASBenchASR"),
}
_REGISTERED: dict[str, SpaceFactory] = {}
PLUGIN_GROUP = "rapid_moo.spaces"
LONG = 20
"""Vectors of so many positions that all belong to a space are hardly of another."""


def _plugins() -> dict[str, EntryPoint]:
    """Spaces that installed packages announce, by name."""
    return {entry.name: entry for entry in entry_points(group=PLUGIN_GROUP) if entry.name not in _BUILT_IN}


def register_space(factory: Made, name: str | None = None) -> Made:
    """Make a search space known by name for the rest of this process; usable as a class decorator.

    A package does it once for all, the command line included, with an entry point in its ``pyproject.toml``::

        [project.entry-points."rapid_moo.spaces"]
        my_space = "my_package.my_module:MySpace"

    Parameters
    ----------
    factory : callable
        The class, or any function that returns a :class:`SearchSpace`.
    name : str, optional
        New name; the class's ``name`` by default. A registered name is replaced by the same definition only, which is
        what running a notebook's cell again does.

    Returns
    -------
    callable
        The factory.

    Raises
    ------
    InputError
        If there is no name, or it is taken.
    """
    known_as = name if name is not None else getattr(factory, "name", None)
    if not isinstance(known_as, str) or not known_as:
        raise InputError(f"space: expected a name for {shown(factory)}, got {shown(known_as)}")
    taken = _REGISTERED.get(known_as)
    if known_as in _BUILT_IN or (taken is not None and not same_definition(taken, factory)):
        raise InputError(f"space {known_as!r}: expected a new name, got one that is registered")
    _REGISTERED[known_as] = factory
    return factory


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
    objectives: Stated | None = None,
    memory: str | None = None,
    energy: bool = False,
) -> tuple[Objective, ...]:
    """The objectives of a table.

    Parameters
    ----------
    space : SearchSpace
        Knows its own objectives and directions.
    objectives : str, dict or sequence of Objective, optional
        States them instead, as text like ``accuracy:max,latency:min,mem:min`` (a name with a comma in quotes) or as
        ``{"accuracy": "max", "latency": "min"}``.
    memory : str, optional
        Replaces the memory objective: ``"profiled"`` as published, or the name of a value that the space computes
        exactly (``"params"``, ``"flops"``). The space's own default if not given.
    energy : bool
        Add the space's energy objective.
    """
    if objectives is not None:
        _nothing_beside_objectives(memory, energy)
        return distinct(_with_unit(space, objective) for objective in as_objectives(objectives))
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


def open_raw(
    dataset: str | Path | pd.DataFrame,
    space: str | SearchSpace | None = None,
    *,
    objectives: Stated | None = None,
    reading: Reading | None = None,
) -> tuple[RawTable, SearchSpace | None, str]:
    """Read a table by name, path or from a data frame; the space is recognised, stated, or None.

    Parameters
    ----------
    dataset : str, Path or DataFrame
        A table's name, a file in any format and layout that :mod:`rapid_moo.reading` reads, or a data frame.
    space : str or SearchSpace, optional
        States the space.
    objectives : optional
        See :func:`choose_objectives`; tells genes from objectives where both are columns.
    reading : Reading, optional
        What else is stated about the file.

    Returns
    -------
    RawTable
        The checked file.
    SearchSpace or None
        None if the file name is not known and no space was stated.
    str
        Name for reports.
    """
    source, known, name = _find(dataset)
    if space is not None:
        known = get_space(space) if isinstance(space, str) else space
    stated = [objective.column for objective in as_objectives(objectives)] if objectives is not None else None
    if stated is None and known is None and isinstance(source, Path):
        stated = [told for told, _, _ in objectives_beside(source)] or None
    if stated is None and known is not None:
        stated = [objective.column for objective in known.objectives]
    if known is not None and reading is not None and reading.categorical:
        raise InputError(f"categorical: expected it without a known space, got {known.name} beside it")
    raw = read_table(source, reading, known, stated)
    for note in raw.notes:
        logger.warning(note)
    if known is None and (alike := _alike(raw)):
        logger.warning(
            "%s: its vectors could be those of %s: with --space %s predictors see what that space knows of them",
            raw.path,
            alike,
            alike,
        )
    return raw, known, name


def _alike(raw: RawTable) -> str:
    """The published space that vectors could be of: all are valid there, and they fill half of it or are long."""
    if raw.columns is not None or raw.texts is not None:
        return ""
    scales = [f"hw_gpt_{scale}" for scale in "sml"]
    for name in (*(name for name in _BUILT_IN if name != "hw_gpt"), *scales):
        space = get_space(name)
        try:
            X = space.encode(raw.vectors)
        except InputError:
            continue
        if raw.vectors.shape[1] >= LONG or 2 * len(unique_rows(X)[0]) >= space.size:
            return name
    return ""


def _find(dataset: str | Path | pd.DataFrame) -> tuple[Path | pd.DataFrame, SearchSpace | None, str]:
    """What to read, its space if its name tells, and its own name."""
    if isinstance(dataset, pd.DataFrame):
        return dataset, None, "table"
    if not isinstance(dataset, str | Path):
        raise InputError(f"dataset: expected a name, a path or a DataFrame, got {shown(dataset)}")
    entry = data.entry_for(dataset)
    path = Path(dataset)
    if path.is_file():
        name = path.name.split(".")[0] or path.stem if _PACKED.search(path.name) else path.stem
    elif entry is not None and path.suffix != ".csv":
        path, name = data.locate(entry.name), entry.name
    else:
        raise DataNotFoundError(
            f"dataset {shown(str(dataset), 200)}: expected a file such as a CSV file or a table's name"
            f" ({data.known_names()}); found neither"
        )
    return path, get_space(entry.space, **entry.options) if entry is not None else None, name


def audited_objectives(
    raw: RawTable, space: SearchSpace | None, objectives: Stated | None, memory: str | None, energy: bool
) -> tuple[Objective, ...]:
    """The objectives to audit: what was measured, unless stated otherwise; energy where the file has it."""
    if space is None or (objectives is None and not space.objectives):
        return _stated(raw, objectives, memory, energy)
    measured = memory or (None if objectives is not None else "profiled")
    return choose_objectives(
        space, objectives=objectives, memory=measured, energy=energy or (bool(space.optional) and "energy" in raw.frame)
    )


def _stated(raw: RawTable, objectives: Stated | None, memory: str | None, energy: bool) -> tuple[Objective, ...]:
    """The objectives of a file whose space is not known: stated, or told by the summary beside a result file."""
    _nothing_beside_objectives(memory, energy)
    if objectives is not None:
        return as_objectives(objectives)
    beside = objectives_beside(raw.path)
    if not beside:
        raise InputError(
            f"{raw.path}: not a published file name, so directions are not known: state --objectives"
            f" COLUMN:max,COLUMN:min,… (columns: {shown(', '.join(map(str, raw.frame.columns)), 200)[1:-1]}) and, if it"
            " has one, --space"
        )
    return tuple(Objective(name, direction, unit) for name, direction, unit in beside)


def open_table(
    dataset: str | Path | pd.DataFrame,
    *,
    space: str | SearchSpace | None = None,
    objectives: Stated | None = None,
    memory: str | None = None,
    energy: bool = False,
    **reading: Any,
) -> ArchitectureTable:
    """A profiled table by name, from a file or from a data frame.

    Parameters
    ----------
    dataset : str, Path or DataFrame
        A name such as ``digits``, ``digits_batch64`` or ``hw_gpt_s_a100``; a CSV, JSON, Parquet or Excel file, packed
        or not; or a frame. A published file name is recognised as its space.
    space : str or SearchSpace, optional
        States the space of any other file; without it the genes are inferred, and ``objectives`` must be stated.
    objectives, memory, energy
        See :func:`choose_objectives`.
    **reading
        Where the file does not tell itself, see :class:`~rapid_moo.reading.Reading`: ``genes``, ``vector``,
        ``ignore``, ``categorical``, ``join``, ``columns``, ``decimal``, ``failure_codes``, ``drop_missing`` and
        ``keep_partial``. Names may be a sequence or text with commas.

    Examples
    --------
    >>> frame = pd.DataFrame({"op": ["conv", "mlp", "mlp"], "depth": [1, 2, 4], "err": [3, 2, 1], "lat": [1, 2, 4]})
    >>> table = open_table(frame, objectives="err:min,lat:min")
    >>> table.space.to_dict(table.X[1])
    {'op': 'mlp', 'depth': 2}
    """
    raw, known, name = open_raw(dataset, space, objectives=objectives, reading=Reading.of(**reading))
    if known is None or (objectives is None and not known.objectives):
        chosen = _stated(raw, objectives, memory, energy)
    else:
        chosen = choose_objectives(known, objectives=objectives, memory=memory, energy=energy)
    return build_table(raw, known, chosen, name)


def get_problem(
    name: str | Path | pd.DataFrame | ArchitectureTable,
    *,
    source: Any = None,
    space: str | SearchSpace | None = None,
    objectives: Stated | None = None,
    memory: str | None = None,
    energy: bool = False,
    constraints: str | AnyConstraint | Callable[..., Any] | Sequence[Any] = (),
    **options: Any,
) -> ArchitectureProblem:
    """A search space as a pymoo problem.

    Parameters
    ----------
    name : str, Path, DataFrame or ArchitectureTable
        A space or table name, a file or a data frame: ``get_problem("hw_gpt", scale="s", device="a100")`` is
        ``get_problem("hw_gpt_s_a100")``. A table is taken as it is, and leaves nothing to state but ``constraints``.
    source : optional
        Where objectives come from; the published table of that name by default. See
        :class:`~rapid_moo.problem.ArchitectureProblem`.
    space, objectives, memory, energy
        See :func:`open_table`.
    constraints : sequence of str or Constraint
        Bounds such as ``"latency <= 20"``.
    **options
        How a file is read, see :func:`open_table`; all else is passed to the space, and ``device`` completes the name
        of a published table.

    Examples
    --------
    >>> problem = get_problem("digits")
    >>> problem.n_obj, problem.front_kind
    (3, 'true')
    """
    if isinstance(name, ArchitectureTable):
        beside = {"source": source, "space": space, "objectives": objectives, "memory": memory, **options}
        stated = [key for key, value in beside.items() if value is not None] + ["energy"] * energy
        if stated:
            raise InputError(f"{', '.join(stated)}: expected nothing beside an ArchitectureTable, which says it all")
        return ArchitectureProblem(name.space, name, constraints=constraints)
    reading = {key: options.pop(key) for key in [*options] if key in Reading.__dataclass_fields__}
    if isinstance(name, pd.DataFrame) or (source is None and isinstance(name, str | Path) and Path(name).is_file()):
        Reading.of(**reading, **options)
        opened = open_table(name, space=space, objectives=objectives, memory=memory, energy=energy, **reading)
        return ArchitectureProblem(opened.space, opened, constraints=constraints)
    device = options.pop("device", None)
    if source is not None:
        options |= reading
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
        **reading,
    )
    return ArchitectureProblem(table.space, table, constraints=constraints)
