"""Multi-objective NAS optimizers under the same bill: one small interface, one harness, statistics and figures.

A method is asked for a batch of genotypes and told their objectives (:class:`Method`). The harness bills unique
evaluations, serves repeats from memory, judges everything that was billed against the table's front, and can be
interrupted and resumed (:class:`Comparison`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapid_moo._lazy import Lazy

if TYPE_CHECKING:
    from rapid_moo.comparison.method import Method
    from rapid_moo.comparison.registry import get_method, method_names, register_method
    from rapid_moo.comparison.run import RunRecord, run_method
    from rapid_moo.comparison.study import Comparison

__all__ = [
    "Comparison",
    "Method",
    "RunRecord",
    "get_method",
    "method_names",
    "register_method",
    "run_method",
]

_lazy = Lazy(
    __name__,
    {
        "rapid_moo.comparison.method": "Method",
        "rapid_moo.comparison.registry": "get_method method_names register_method",
        "rapid_moo.comparison.run": "RunRecord run_method",
        "rapid_moo.comparison.study": "Comparison",
    },
)


def __getattr__(name: str) -> Any:
    return _lazy.find(name)
