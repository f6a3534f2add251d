"""Search spaces as pymoo problems, one module each."""

from rapid_moo.problems.registry import get_problem, get_space, open_table, register_space, space_names

__all__ = ["get_problem", "get_space", "open_table", "register_space", "space_names"]
