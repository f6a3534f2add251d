"""What defines a study, and how its folder keeps it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rapid_moo._util import LARGEST_SEED, shown, write_text
from rapid_moo.errors import DataNotFoundError, InputError, StudyError
from rapid_moo.study.folder import DEFINITION
from rapid_moo.study.forms import gene_from_dict, objective_from_dict

APPLICATION, FORMAT = "rapid-moo study", 1
PACKAGES = ("rapid-moo", "numpy", "scikit-learn", "xgboost", "nevergrad", "pymoo")


def write_definition(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``study.json``."""
    head = {"application": APPLICATION, "format": FORMAT}
    write_text(folder / DEFINITION, json.dumps({**head, **content}, indent=2) + "\n")


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
    if budget is not None and (type(budget) not in (int, float) or not 0 < budget < 2**63):
        raise InputError(f"expected a budget, got {shown(budget)}")
    if not isinstance(options, dict | None):
        raise InputError(f"expected options, got {shown(options)}")
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
