"""JSON forms of what defines a study: genes, objectives, spaces, functions and measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapid_moo.errors import InputError
from rapid_moo.genes import Condition, Gene
from rapid_moo.measure import Command, shortened
from rapid_moo.objectives import Objective
from rapid_moo.problems import get_space
from rapid_moo.space import GridSpace, SearchSpace
from rapid_moo.study.references import Reference


def gene_to_dict(gene: Gene) -> dict[str, Any]:
    """JSON form of a gene."""
    return {
        "name": gene.name,
        "choices": list(gene.choices),
        "labels": list(gene.labels),
        "ordered": gene.ordered,
        "weight": gene.weight,
        "when": [{"gene": c.gene, "relation": c.relation, "values": list(c.values)} for c in gene.when],
    }


def gene_from_dict(content: Mapping[str, Any]) -> Gene:
    """Inverse of :func:`gene_to_dict`."""
    when = tuple(Condition(item["gene"], item["relation"], tuple(item["values"])) for item in content["when"])
    return Gene(
        content["name"],
        tuple(content["choices"]),
        tuple(content["labels"]),
        content["ordered"],
        content["weight"],
        when or None,
    )


def objective_to_dict(objective: Objective) -> dict[str, Any]:
    """JSON form of an objective."""
    stated = {"cost_stated": True} if objective.cost_stated else {}
    return {
        "name": objective.name,
        "direction": objective.direction,
        "unit": objective.unit,
        "column": objective.column,
        "cost": float(objective.cost),
        "repeats": objective.repeats,
        **stated,
    }


def objective_from_dict(content: Mapping[str, Any]) -> Objective:
    """Inverse of :func:`objective_to_dict`; a cost of 1 that nobody stated stays unstated."""
    values = {key: value for key, value in content.items() if key not in ("cost_stated", "cost")}
    cost = content.get("cost", 1.0)
    return Objective(**values, **({"cost": cost} if content.get("cost_stated") or cost != 1.0 else {}))


def space_to_dict(space: SearchSpace, reference: Reference | None = None) -> dict[str, Any]:
    """JSON form of a space: enough to make it again, where its code can be found."""
    genes = [gene_to_dict(gene) for gene in space.genes]
    if reference is not None:
        return {"kind": "reference", "reference": str(reference), "name": space.name, "genes": genes}
    if type(space) is GridSpace:
        functions = {o.name: (o, space.functions[o.name]) for o in space.computed}
        computed = [{**objective_to_dict(o), "function": function_to_dict(f)} for o, f in functions.values()]
        return {"kind": "genes", "name": space.name, "genes": genes, "computed": computed}
    if type(space).__module__.startswith("rapid_moo.problems"):
        return {"kind": "registered", "name": space.name, "genes": genes}
    return {"kind": "code", "code": function_to_dict(type(space)), "name": space.name, "genes": genes}


def space_from_dict(content: Mapping[str, Any]) -> SearchSpace:
    """Make the space of :func:`space_to_dict` again.

    Raises
    ------
    InputError
        If its code cannot be found any more, or has other genes now.
    """
    kind = content.get("kind")
    try:
        if kind == "genes":
            computed = {
                objective_from_dict({k: v for k, v in item.items() if k != "function"}): function_from_dict(
                    item["function"]
                )
                for item in content["computed"]
            }
            return GridSpace(content["name"], [gene_from_dict(item) for item in content["genes"]], (), computed)
        if kind == "registered":
            space = get_space(content["name"])
        elif kind == "reference":
            space = as_space(Reference.parse(content["reference"]).load(), content["reference"])
        else:
            space = as_space(function_from_dict(content["code"]).load(), content["name"])
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"space: expected the description of a space, got: {error!r}") from error
    if [gene_to_dict(gene) for gene in space.genes] != content["genes"]:
        raise InputError(f"space {space.name!r}: its genes are others than when the study was begun; begin a new study")
    return space


def difference(stored: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> str:
    """The first thing in which two descriptions of genes differ, for people."""
    before, now = ({gene["name"]: gene for gene in genes} for genes in (stored, given))
    for name in [*before, *now]:
        if name not in now:
            return f"gene {name!r} is missing"
        if name not in before:
            return f"gene {name!r} is new"
        for key in ("choices", "when", "ordered", "labels", "weight"):
            if before[name][key] != now[name][key]:
                there, here = (shortened(genes[name][key], 80) for genes in (before, now))
                return f"gene {name!r} has {key} {there} there, got {here}"
    return "its genes are in another order"


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two definitions of one study, as ``study.json`` has them, say differently, for people."""
    old, new = ({item["name"]: item for item in content["objectives"]} for content in (before, now))
    pairs = [
        ("name", before["space"]["name"], now["space"]["name"]),
        ("bounds", *(", ".join(content["constraints"]) or "none" for content in (before, now))),
        ("measure", *(_measure_text(content.get("measure")) for content in (before, now))),
    ]
    for name in [name for name in old if name in new]:
        both = old[name], new[name]
        pairs.append((f"cost of {name}", *(item.get("cost", 1.0) for item in both)))
        pairs.append((f"repeats of {name}", *(item.get("repeats", 1) for item in both)))
    told = [f"{what} from {one} to {other}" for what, one, other in pairs if one != other]
    return told + [f"{name} is a new objective" for name in new if name not in old]


def _measure_text(content: Mapping[str, Any] | None) -> str:
    """A measure of :func:`measure_to_dict` for people."""
    if content is None:
        return "none"
    if "parts" in content:
        return ", ".join(f"{names}={_measure_text(part)}" for names, part in content["parts"].items())
    if "command" in content:
        return f"{content['command']!r} in {content['folder']}"
    return str(content.get("reference") or content.get("python"))


def as_space(found: Any, where: str) -> SearchSpace:
    """A search space from what a reference names: the class, a function that makes one, or the space itself."""
    try:
        space = found() if callable(found) and not isinstance(found, SearchSpace) else found
    except TypeError as error:
        raise InputError(f"{where}: expected what makes a space without arguments: {error}") from error
    if not isinstance(space, SearchSpace):
        raise InputError(f"{where}: expected a SearchSpace or what makes one, got {type(space).__name__}")
    return space


def function_to_dict(function: Any) -> dict[str, Any]:
    """Where to find a function again; its name alone where it cannot be found from another process."""
    if isinstance(function, Reference):
        return {"reference": str(function)}
    if isinstance(function, Command):
        return {"command": function.line, "folder": function.folder}
    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None) or ""
    if (
        module in ("", "__main__")
        or module.startswith("_user_")
        or "<" in name
        or not hasattr(function, "__qualname__")
    ):
        return {"python": name}
    return {"reference": f"{module}:{name}"}


def function_from_dict(content: Mapping[str, Any]) -> Any:
    """Inverse of :func:`function_to_dict`."""
    if "reference" in content:
        return Reference.parse(content["reference"])
    if "command" in content:
        return Command(content["command"], content["folder"])
    raise InputError(f"the function {content.get('python')!r} lives in the program that began the study: give it again")


def measure_to_dict(measure: Any) -> dict[str, Any] | None:
    """JSON form of a measure; None if there is none."""
    if measure is None:
        return None
    if isinstance(measure, Mapping):
        keys = {key if isinstance(key, str) else ",".join(key): function for key, function in measure.items()}
        return {"parts": {key: function_to_dict(function) for key, function in keys.items()}}
    return function_to_dict(measure)


def measure_from_dict(content: Mapping[str, Any] | None) -> Any:
    """Inverse of :func:`measure_to_dict`."""
    if content is None:
        return None
    if "parts" in content:
        return {key: function_from_dict(part) for key, part in content["parts"].items()}
    return function_from_dict(content)
