"""NAS-Bench-201: image classification cells of four nodes and six edges."""

from __future__ import annotations

import re
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.drawing import graph
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.problems import nasbench201_cell as cell
from rapid_moo.space import Gene, SearchSpace

_STRING = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


class NASBench201(SearchSpace):
    """NAS-Bench-201 (Dong and Yang, ICLR 2020): 15,625 cells, of which the profiled table lacks 341.

    Genes: the operation on each edge, in the order 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2. Objectives: CIFAR-10 accuracy
    [%] to be maximised, latency [ms] and memory to be minimised. The published memory column [KB] is drift of the
    profiling process and not a property of the cell; ``params`` [M] and ``flops`` [M], computed exactly, serve
    instead (``params`` unless told).

    :meth:`canonical` joins cells that compute the same function: 4,930 of them, skip connections and dead edges
    resolved completely. (The benchmark's own isomorphism string tells 6,466 apart, since it keeps the brackets of a
    sum that is passed on by a skip connection.) Weights are not told apart: a convolution that is used twice counts as
    two that are added. Size and latency count dead edges, so tables and budgets do not use it.
    """

    name = "nasbench201"
    genes = tuple(Gene(f"edge{b}_{a}", (0, 1, 2, 3, 4), cell.OPERATIONS, ordered=False) for a, b in cell.EDGES)
    objectives = (
        Objective("accuracy", "max", "%"),
        Objective("latency", "min", "ms"),
        Objective("memory", "min", "KB"),
    )
    computed = (Objective("params", "min", "M"), Objective("flops", "min", "M"))
    of_function = ("accuracy",)
    default_memory = "params"

    @cached_property
    def _feature_table(self) -> FloatArray:
        return cell.features(_cells())

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        return cell.FEATURE_NAMES

    def to_string(self, x: ArrayLike, /) -> str:
        """The benchmark's own notation, for example ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|``."""
        ops = [cell.OPERATIONS[code] for code in self.check(x)[0]]
        return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*ops)

    def from_string(self, text: str, /) -> IntArray:
        """The genotype of an architecture in the benchmark's notation."""
        match = _STRING.fullmatch(text.strip())
        if match is None or not set(match.groups()) <= set(cell.OPERATIONS):
            raise InputError(f"{self.name}: cannot read architecture {text!r}")
        return np.array([cell.OPERATIONS.index(op) for op in match.groups()], dtype=np.int64)

    def _draw(self, x: IntArray) -> str:
        live = cell.live_edges(x[None])[0]
        edges = [
            (a, b, cell.OPERATIONS[code], bool(on))
            for (a, b), code, on in zip(cell.EDGES, x.tolist(), live.tolist(), strict=True)
        ]
        reached = {0, 3} | {node for a, b, _, on in edges if on for node in (a, b)}
        names = ("input", "1", "2", "output")
        return graph([(name, node in reached) for node, name in enumerate(names)], edges, self.to_string(x))

    def _index(self, X: IntArray) -> IntArray:
        return np.asarray(X @ 5 ** np.arange(5, -1, -1), dtype=np.int64)

    def _canonical(self, X: IntArray) -> IntArray:
        return _cells()[_canonical_table()[self._index(X)]]

    def _features(self, X: IntArray) -> FloatArray:
        return self._feature_table[self._index(X)]

    def _compute(self, X: IntArray, name: str) -> FloatArray:
        return cell.params(X) if name == "params" else cell.flops(X)


@cache
def _cells() -> IntArray:
    """Every genotype, in the order of their index."""
    return np.indices((5,) * 6).reshape(6, -1).T.astype(np.int64)


@cache
def _canonical_table() -> IntArray:
    """For each genotype the index of the first one that computes the same; it takes a quarter of a second."""
    return cell.canonical_rows(_cells())
