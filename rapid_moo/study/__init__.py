"""Studies: the search of one's own space, with one's own measure, kept in a folder that survives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapid_moo._lazy import Lazy

if TYPE_CHECKING:
    from rapid_moo.study.journal import SQLiteStore
    from rapid_moo.study.spacefile import SpaceFile, read_space_file
    from rapid_moo.study.study import Study, Trial

__all__ = ["SQLiteStore", "SpaceFile", "Study", "Trial", "read_space_file"]

_lazy = Lazy(
    __name__,
    {
        "rapid_moo.study.journal": "SQLiteStore",
        "rapid_moo.study.spacefile": "SpaceFile read_space_file",
        "rapid_moo.study.study": "Study Trial",
    },
)


def __getattr__(name: str) -> Any:
    return _lazy.find(name)
