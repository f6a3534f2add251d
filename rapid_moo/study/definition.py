"""What defines a study, and how its folder keeps it."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rapid_moo._util import LARGEST_SEED, shown, write_text
from rapid_moo.constraints import AnyConstraint
from rapid_moo.errors import DataNotFoundError, InputError, StudyError
from rapid_moo.measure import Command
from rapid_moo.objectives import Objective, distinct
from rapid_moo.space import SearchSpace
from rapid_moo.study.folder import DEFINITION, EVALUATIONS, LOGS, STORE
from rapid_moo.study.forms import (
    changes,
    difference,
    gene_from_dict,
    gene_to_dict,
    measure_from_dict,
    measure_to_dict,
    objective_from_dict,
    objective_to_dict,
    space_from_dict,
    space_to_dict,
)
from rapid_moo.study.references import Reference
from rapid_moo.study.spacefile import check_names, read_constraints

logger = logging.getLogger(__name__)

APPLICATION, FORMAT = "rapid-moo study", 1
MOST_BUDGET = 1e60
"""More than any budget: what was spent by costs that were stated later counts as one."""
PACKAGES = ("rapid-moo", "numpy", "scikit-learn", "xgboost", "nevergrad", "pymoo")


@dataclass(frozen=True, eq=False)
class Definition:
    """What a study is: its space, objectives, measure, bounds, seed and options, and what its folder keeps of them.

    Attributes
    ----------
    folder : Path
        Where ``study.json`` is, or is to be.
    space : SearchSpace
        What an architecture is.
    objectives : tuple of Objective
        What is optimised, in the order of ``study.json``.
    measure : object
        What measures, see :mod:`rapid_moo.measure`; a :class:`MissingMeasure` if it is not found any more; None without
        one.
    written : list
        Bounds as they were given.
    constraints : tuple
        The same, read.
    seed : int
        Of every choice.
    options : dict
        Of :class:`~rapid_moo.RAPID`.
    content : dict
        What ``study.json`` says; the budget is kept in it as well.
    new : bool
        Whether the folder held no study before.
    """

    folder: Path
    space: SearchSpace
    objectives: tuple[Objective, ...]
    measure: Any
    written: list[Any]
    constraints: tuple[AnyConstraint, ...]
    seed: int
    options: dict[str, Any]
    content: dict[str, Any]
    new: bool

    @classmethod
    def of(
        cls,
        folder: Path,
        space: SearchSpace | None = None,
        measure: Any = None,
        *,
        objectives: Sequence[Objective] | None = None,
        constraints: Any = None,
        seed: int | None = None,
        options: Mapping[str, Any] | None = None,
        reference: Reference | None = None,
        command: Mapping[str, Any] | None = None,
    ) -> Definition:
        """The definition that a folder holds, with what is given anew, or that of a new study; nothing is written yet.

        Parameters
        ----------
        folder : Path
            Of the study.
        space, measure, objectives, constraints, seed, options
            As for :class:`~rapid_moo.Study`; what is left out is what the study was begun with.
        reference : Reference, optional
            Where the space of a new study was found.
        command : mapping, optional
            What ``rapid-moo run`` was given: ``target``, the space, and options by name.

        Raises
        ------
        InputError
            If something does not fit, among other things what the folder holds.
        StudyError
            If ``study.json`` is damaged, foreign or newer.
        """
        if (folder / DEFINITION).exists():
            known = _without_head(read_definition(folder))
            known = with_command(known, command)
            return cls._opened(folder, known, space, measure, objectives, constraints, seed, dict(options or {}))
        found = cls._begun(folder, space, measure, objectives, constraints, seed, dict(options or {}), reference)
        return replace(found, content=with_command(found.content, command))

    @classmethod
    def _begun(
        cls,
        folder: Path,
        space: SearchSpace | None,
        measure: Any,
        objectives: Sequence[Objective] | None,
        constraints: Any,
        seed: int | None,
        options: dict[str, Any],
        reference: Reference | None,
    ) -> Definition:
        if space is None:
            raise InputError(f"{folder}: expected the folder of a study, or a space to begin one with")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: expected a folder, found a file")
        others = [name for name in (STORE, EVALUATIONS) if (folder / name).exists()]
        if others:
            raise StudyError(f"{folder}: found {others[0]} but no {DEFINITION}: choose another folder for a new study")
        chosen = distinct(objectives or space.objectives)
        check_names(space, chosen)
        located = _located(folder, measure)
        written = _listed(() if constraints is None else constraints)
        read = read_constraints(space, chosen, written)
        seed = _checked_seed(seed if seed is not None else 0)
        plain = {k: v for k, v in options.items() if isinstance(v, bool | int | float | str) or v is None}
        content = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "space": space_to_dict(space, reference),
            "objectives": [objective_to_dict(objective) for objective in chosen],
            "constraints": [str(item) for item in written],
            "code_constraints": any(not isinstance(item, str) for item in written),
            "measure": measure_to_dict(located),
            "settings": {"seed": seed, "budget": None, "options": plain},
            "versions": environment(),
        }
        return cls(folder, space, chosen, located, written, read, seed, options, content, new=True)

    @classmethod
    def _opened(
        cls,
        folder: Path,
        known: dict[str, Any],
        space: SearchSpace | None,
        measure: Any,
        objectives: Sequence[Objective] | None,
        constraints: Any,
        seed: int | None,
        options: dict[str, Any],
    ) -> Definition:
        try:
            space = space if space is not None else space_from_dict(known["space"])
        except InputError as error:
            raise InputError(f"{folder}: {error}") from error
        if (genes := [gene_to_dict(gene) for gene in space.genes]) != known["space"]["genes"]:
            what = difference(known["space"]["genes"], genes)
            raise InputError(
                f"{folder}: holds a study of another space: {what}; choose another folder for this one, which may"
                f" take over what was measured (--known {folder / EVALUATIONS})"
            )
        if known["space"].get("kind") == "registered" and space.name != known["space"]["name"]:
            raise InputError(f"{folder}: holds a study of {known['space']['name']}, got {space.name}")
        begun_with = int(known["settings"]["seed"])
        if seed is not None and seed != begun_with:
            raise InputError(f"{folder}: holds a study with seed {begun_with}, got seed {seed}")
        chosen = _with_stated(folder, [objective_from_dict(item) for item in known["objectives"]], objectives or ())
        check_names(space, chosen)
        found = _located(folder, measure) if measure is not None else _found_measure(folder, known.get("measure"))
        if constraints is None and known.get("code_constraints"):
            raise InputError(f"{folder}: has constraints that are functions of the program that began it: give them")
        written = _listed(known["constraints"] if constraints is None else constraints)
        read = read_constraints(space, chosen, written)
        changed = {
            "objectives": [objective_to_dict(objective) for objective in chosen],
            "constraints": [str(item) for item in written],
            # Whoever gives a space under another name goes on under that one.
            "space": {**known["space"], "name": space.name},
        }
        if measure is not None:
            changed["measure"] = measure_to_dict(found)
        options = options or dict(known["settings"].get("options") or {})
        return cls(folder, space, chosen, found, written, read, begun_with, options, {**known, **changed}, new=False)

    @property
    def budget(self) -> float | None:
        """Evaluations, or their cost where it is stated, that the last run was meant for; None before the first."""
        budget: float | None = self.content["settings"].get("budget")
        return budget

    @property
    def changed(self) -> bool:
        """Whether it says something else than the folder's ``study.json``, or there is none yet."""
        path = self.folder / DEFINITION
        return not path.exists() or _without_head(read_definition(self.folder)) != self.content

    def keep_budget(self, budget: float) -> None:
        """Write down what a run is meant for."""
        self.content["settings"]["budget"] = budget
        self.write()

    def write(self) -> None:
        """Write ``study.json`` where it says something else, and tell in one line what is not as it was."""
        if self.changed:
            before = _without_head(read_definition(self.folder)) if (self.folder / DEFINITION).exists() else None
            if before is not None and (told := changes(before, self.content)):
                logger.warning("%s: changed: %s", self.folder, "; ".join(told))
            self.folder.mkdir(parents=True, exist_ok=True)
            head = {"application": APPLICATION, "format": FORMAT}
            write_text(self.folder / DEFINITION, json.dumps({**head, **self.content}, indent=2) + "\n")

    def complete_measure(self, objectives: Sequence[Objective]) -> Any:
        """The measure as a problem takes it; one that says what is missing where there is none.

        Parameters
        ----------
        objectives : sequence of Objective
            Those of the study, in the problem's order.
        """
        if self.measure is None:
            # Whoever asks and tells may measure each objective by itself.
            missing = MissingMeasure(f"{self.folder}: has no measure: give one, or ask and tell")
            computed = {objective.name for objective in self.space.computed}
            several = {o.name: missing for o in objectives if o.name not in computed}
            return several if several else missing
        if isinstance(self.measure, Mapping):
            return {k: Command(v, str(Path.cwd())) if isinstance(v, str) else v for k, v in self.measure.items()}
        return self.measure


class MissingMeasure:
    """A measure that cannot be called, and why.

    Parameters
    ----------
    told : str
        What its call says.
    """

    def __init__(self, told: str) -> None:
        self.told = told

    def __call__(self, architecture: Mapping[str, Any]) -> Any:
        """Nothing; raises an InputError."""
        raise InputError(self.told)

    def __str__(self) -> str:
        return self.told


def _without_head(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in ("application", "format")}


def with_command(content: dict[str, Any], command: Mapping[str, Any] | None) -> dict[str, Any]:
    """A definition's content with what a command line says; what an earlier one said and this one does not stays.

    A study that was begun in Python has no command that makes it again.
    """
    known = content.get("command", {})
    if not command or "target" not in {**known, **command}:
        return content
    # What was known beforehand stays known.
    both = {
        name: [*dict.fromkeys([*known.get(name, []), *command[name]])] for name in ("known", "prior") if name in command
    }
    return {**content, "command": {**known, **command, **both}}


def _listed(constraints: Any) -> list[Any]:
    return [constraints] if isinstance(constraints, str) or callable(constraints) else list(constraints)


def _with_stated(folder: Path, stored: list[Objective], stated: Sequence[Objective]) -> tuple[Objective, ...]:
    """The objectives of a study with what is stated of them anew, and further ones."""
    by_name = {objective.name: objective for objective in stored}
    for objective in stated:
        before = by_name.get(objective.name, objective)
        if before.direction != objective.direction:
            raise InputError(
                f"{folder}: {objective.name!r} is to be {before.direction}imised there, got {objective.direction!r}"
            )
        if objective.unit and before.unit and objective.unit != before.unit:
            raise InputError(
                f"{folder}: {objective.name!r} was measured in {before.unit} there, got {objective.unit!r}"
            )
    # A cost that is stated anew holds for all that was measured, too; repeats hold from now on.
    costs = {objective.name: objective.cost for objective in stated if objective.cost_stated}
    stored = [replace(s, cost=costs[s.name]) if s.name in costs else s for s in stored]
    often = {objective.name: objective.repeats for objective in stated if objective.repeats_stated}
    stored = [replace(s, repeats=often[s.name]) if s.name in often else s for s in stored]
    return distinct([*stored, *(objective for objective in stated if objective.name not in by_name)])


def _located(folder: Path, measure: Any) -> Any:
    """Command lines run where they were given, whatever folder the study goes on from."""
    if isinstance(measure, str):
        return Command(measure, str(Path.cwd()), str(folder.absolute() / LOGS))
    if isinstance(measure, Mapping):
        return {key: _located(folder, part) for key, part in measure.items()}
    if isinstance(measure, Command) and not measure.log:
        return Command(measure.line, measure.folder, str(folder.absolute() / LOGS))
    return measure


def _found_measure(folder: Path, content: Mapping[str, Any] | None) -> Any:
    try:
        return measure_from_dict(content)
    except InputError as error:
        # The study can still be looked at, asked and told.
        return MissingMeasure(f"{folder}: measure: {error}")


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed: expected an int in 0..2^63 - 1, got {seed!r}")
    return int(seed)


def read_definition(folder: Path) -> dict[str, Any]:
    """Read ``study.json``.

    Raises
    ------
    DataNotFoundError
        If the folder holds no study.
    StudyError
        If it is damaged, of another program, or newer; nothing is changed then.
    """
    path = folder / DEFINITION
    if not path.is_file():
        raise DataNotFoundError(f"{folder}: expected the folder of a study, found no {DEFINITION} in it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: expected a study's definition, found a damaged file: {error}") from error
    if not isinstance(content, dict) or content.get("application") != APPLICATION:
        raise StudyError(f"{path}: expected a study's definition, found a file of another program")
    if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
        raise StudyError(
            f"{path}: expected format {FORMAT} or older, found {content.get('format')!r}: it was written by a newer"
            " rapid-moo, which is needed to read it"
        )
    for key, kind in (("space", dict), ("objectives", list), ("constraints", list), ("settings", dict)):
        if not isinstance(content.get(key), kind):
            told = shown(content.get(key))
            raise StudyError(f"{path}: expected {key!r} in a study's definition, found {told}")
    try:
        _check_definition(content)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise StudyError(f"{path}: expected a study's definition, found a damaged one: {error}") from error
    return content


def _check_definition(content: Mapping[str, Any]) -> None:
    """Raise an error where a part of a definition is none; the user's own code is not loaded."""
    settings, space, measure = content["settings"], content["space"], content.get("measure")
    seed, budget, options = settings.get("seed"), settings.get("budget"), settings.get("options")
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"expected a seed, got {shown(seed)}")
    if budget is not None and (type(budget) not in (int, float) or not 0 < budget <= MOST_BUDGET):
        raise InputError(f"expected a budget, got {shown(budget)}")
    if not isinstance(options, dict | None):
        raise InputError(f"expected options, got {shown(options)}")
    command = content.get("command", {"target": ""})
    if not isinstance(command, dict) or not isinstance(command.get("target"), str):
        raise InputError(f"expected the command that began it, got {shown(command)}")
    if not all(isinstance(item, str) for item in content["constraints"]):
        raise InputError(f"expected constraints as texts, got {shown(content['constraints'])}")
    for item in content["objectives"]:
        objective_from_dict(item)
    if not isinstance(space.get("name"), str) or not isinstance(space.get("genes"), list):
        raise InputError(f"expected the name and genes of a space, got {shown(space)}")
    for item in space["genes"]:
        gene_from_dict(item)
    for code in [measure, space.get("code"), *((measure or {}).get("parts") or {}).values()]:
        texts = [] if code is None else [code.get(key, "") for key in ("reference", "command", "folder", "python")]
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"expected where code is, got {shown(code)}")


def environment() -> dict[str, Any]:
    """Versions that a study was begun with."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
