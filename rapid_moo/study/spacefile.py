"""Search spaces without programming: one TOML file says genes, objectives and bounds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rapid_moo.constraints import AnyConstraint, ConstraintSet, FunctionConstraint, as_constraints
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.genes import Gene
from rapid_moo.objectives import Objective, distinct
from rapid_moo.space import GridSpace, SearchSpace
from rapid_moo.study.references import Reference, is_reference

TEMPLATE = """# A search space: which networks there are, and what is to be good about them.
# {command}
#
# The measure gets one network as JSON on standard input, such as {{"depth": 4, "lr": 0.003, "op": "mlp"}}, trains and
# measures it, and prints its objectives as JSON, such as {{"error": 7.9, "latency": 3.2}}.
name = "{name}"

# Bounds on objectives, on what is computed, or on genes. What follows from the network itself is never broken.
constraints = []                       # for example ["latency <= 20", "params <= 5e6"]

# Objectives and bounds that follow from the network without training: functions of the dict of genes.
# computed = {{ params = "my_space.py:count_params" }}

[genes]                                # one line a decision: the values that it can take
depth = [2, 4, 8]
lr = [0.001, 0.003, 0.01]              # numbers have an order: neighbours are taken to be alike
op = ["conv", "mlp"]                   # texts, true and false have none
kernel = {{ choices = [3, 5, 7], when = {{ op = "conv" }} }}    # only where op is conv; or when = {{ depth = [4, 8] }}

[objectives]
error = {{ direction = "min", unit = "%" }}
latency = {{ direction = "min", unit = "ms" }}                # repeats = 3 calls its function three times
# repeats = "auto" measures again where noise makes that pay, see docs/study.md
# cost = 3600 says what measuring an objective costs; --budget is an amount of cost then
"""
MEASURE_TEMPLATE = '''"""Trains and measures one network: reads genes and prints objectives, both as JSON."""

import json
import sys

genes = json.load(sys.stdin)
print("training", genes, file=sys.stderr)  # standard output is for the result

# Instead of these lines that pretend: build the network of the genes, train it, measure it.
work = genes["depth"] * (genes.get("kernel", 1) if genes["op"] == "conv" else 2)
error = 30 / work**0.5 + 100 * abs(genes["lr"] - 0.003)
latency = 0.4 * work

print(json.dumps({"error": error, "latency": latency}))
'''
_TOP = ("name", "constraints", "computed", "genes", "objectives")
_GENE = ("choices", "when", "ordered", "labels", "weight")
_OBJECTIVE = ("direction", "unit", "repeats", "cost")


@dataclass(frozen=True)
class SpaceFile:
    """What a TOML file says.

    Attributes
    ----------
    space : GridSpace
        The genes, with what is computed.
    objectives : tuple of Objective
        What is to be optimised.
    constraints : tuple of str
        Bounds as written; a function's reference is absolute.
    """

    space: GridSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[str, ...] = field(default=())


def read_space_file(path: Path | str) -> SpaceFile:
    """Read a space from a TOML file.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If it is no TOML, or says something that makes no sense; the message names the file and the key.
    """
    file = Path(path)
    if not file.is_file():
        raise DataNotFoundError(f"{file}: expected a space file, found {'a folder' if file.is_dir() else 'nothing'}")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: a number of 5,000 digits, too
        raise InputError(f"{file}: expected a TOML file: {error}") from error
    try:
        return space_from(content, file.stem, file.parent)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def space_from(content: Mapping[str, Any], stem: str, folder: Path) -> SpaceFile:
    """A space from a TOML file's content; references are relative to the folder."""
    _only(content, _TOP, "file")
    name = content.get("name", stem)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name: expected a text, got {name!r}")
    genes = [_gene(key, value) for key, value in _table(content, "genes").items()]
    objectives = tuple(_objective(key, value) for key, value in _table(content, "objectives").items())
    computed = content.get("computed", {})
    if not isinstance(computed, Mapping):
        raise InputError(f"computed: expected a table of functions, got {computed!r}")
    known = {objective.name: objective for objective in objectives}
    functions = {
        known.get(key, Objective(key, "min")): _reference(value, f"computed.{key}", folder)
        for key, value in computed.items()
    }
    space = GridSpace(name, genes, objectives, functions)
    check_names(space, objectives)
    constraints = content.get("constraints", [])
    if not isinstance(constraints, list) or not all(isinstance(item, str) for item in constraints):
        raise InputError(f"constraints: expected a list of texts, got {constraints!r}")
    written = tuple(str(_reference(c, "constraints", folder)) if is_reference(c) else c for c in constraints)
    read_constraints(space, objectives, written)
    return SpaceFile(space, objectives, written)


def read_constraints(
    space: SearchSpace, objectives: Sequence[Objective], written: Sequence[Any]
) -> tuple[AnyConstraint, ...]:
    """Constraints from texts: bounds, or references to functions of the dict of genes."""
    found = tuple(
        FunctionConstraint(Reference.parse(item), item.rpartition(":")[2])
        if isinstance(item, str) and is_reference(item)
        else as_constraints(item)[0]
        for item in written
    )
    ConstraintSet(space, [objective.name for objective in objectives], found)
    return found


def check_names(space: SearchSpace, objectives: Sequence[Objective]) -> None:
    """Refuse a gene and an objective of the same name: a file could not tell them apart."""
    if not objectives:
        raise InputError(f"{space.name}: expected at least one objective, got none")
    distinct(objectives)
    genes = {gene.name for gene in space.genes}
    for objective in objectives:
        if objective.name in genes:
            raise InputError(
                f"{space.name}: expected different names for genes and objectives, got {objective.name!r} twice"
            )


def _only(content: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in content:
        if key not in known:
            raise InputError(f"{where}: expected some of {', '.join(known)}, got {key!r}")


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"expected a table [{key}] with at least one entry, got {found!r}")
    return found


def _gene(name: str, value: Any) -> Gene:
    where = f"genes.{name}"
    if isinstance(value, list):
        value = {"choices": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("choices"), list):
        raise InputError(f"{where}: expected a list of choices or {{ choices = [...], when = ... }}, got {value!r}")
    _only(value, _GENE, where)
    ordered, labels = value.get("ordered"), value.get("labels", [])
    if not isinstance(ordered, bool | None) or not isinstance(labels, list):
        raise InputError(f"{where}: expected ordered = true or false and a list of labels, got {value!r}")
    try:
        gene = Gene(name, tuple(value["choices"]), tuple(labels), ordered, value.get("weight", 1.0), value.get("when"))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if gene.numeric and ordered is not False and not labels and list(gene.choices) != sorted(gene.choices):
        # Numbers have an order whichever way they were written down.
        return Gene(name, tuple(sorted(gene.choices)), (), True, gene.weight, gene.when)
    return gene


def _objective(name: str, value: Any) -> Objective:
    where = f"objectives.{name}"
    if not isinstance(value, Mapping):
        raise InputError(f'{where}: expected {{ direction = "min" }} or "max", got {value!r}')
    _only(value, _OBJECTIVE, where)
    if not isinstance(value.get("unit", ""), str):
        raise InputError(f"{where}: expected a text as unit, got {value['unit']!r}")
    return Objective(
        name,
        value.get("direction", ""),
        value.get("unit", ""),
        **{key: value[key] for key in ("repeats", "cost") if key in value},
    )


def _reference(value: Any, where: str, folder: Path) -> Reference:
    if not isinstance(value, str):
        raise InputError(f"{where}: expected FILE.py:FUNCTION, got {value!r}")
    try:
        found = Reference.parse(value, folder)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if not callable(found.load()):
        raise InputError(f"{where}: expected a function, got {found.load()!r}")
    return found
