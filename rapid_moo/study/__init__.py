"""Studies: the search of one's own space, with one's own measure, kept in a folder that survives."""

from rapid_moo.study.journal import SQLiteStore
from rapid_moo.study.spacefile import SpaceFile, read_space_file
from rapid_moo.study.study import Study, Trial

__all__ = ["SQLiteStore", "SpaceFile", "Study", "Trial", "read_space_file"]
