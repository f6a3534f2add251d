"""Conformance checks for search spaces, problems, predictors and stores that others write.

Each check raises a :class:`ConformanceError`, an ``AssertionError`` that says which promise is broken and by what
value; it returns nothing where all is well. With pytest::

    from rapid_moo.testing import check_space

    def test_my_space():
        check_space(MySpace())

``SPACE_CHECKS``, ``PROBLEM_CHECKS``, ``PREDICTOR_CHECKS`` and ``STORE_CHECKS`` hold the single checks, for those who
want one test each.
"""

from rapid_moo.errors import ConformanceError
from rapid_moo.testing.predictors import PREDICTOR_CHECKS, check_predictor
from rapid_moo.testing.problems import PROBLEM_CHECKS, check_problem, most_calls
from rapid_moo.testing.spaces import SPACE_CHECKS, check_space
from rapid_moo.testing.stores import STORE_CHECKS, check_store

__all__ = [
    "PREDICTOR_CHECKS",
    "PROBLEM_CHECKS",
    "SPACE_CHECKS",
    "STORE_CHECKS",
    "ConformanceError",
    "check_predictor",
    "check_problem",
    "check_space",
    "check_store",
    "most_calls",
]
