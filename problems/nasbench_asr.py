"""NAS-Bench-ASR: cells of convolutional speech recognisers."""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.drawing import graph
from rapid_moo.objectives import Objective
from rapid_moo.space import Gene, SearchSpace

OPERATIONS = ("linear", "conv5", "conv5d2", "conv7", "conv7d2", "zero")
ZERO = 5
KERNEL = np.array([1, 5, 5, 7, 7, 0])
REACH = np.array([0, 4, 8, 6, 12, 0])
OP_GENES = (0, 2, 5)
SKIP_GENES = (1, 3, 4, 6, 7, 8)
# Edges between nodes 0 (input), 1-3 (operations), 4 (output): the main chain and, by gene, the skip connections.
CHAIN = ((0, 1), (1, 2), (2, 3), (3, 4))
SKIPS = ((0, 2), (0, 3), (1, 3), (0, 4), (1, 4), (2, 4))


class NASBenchASR(SearchSpace):
    """NAS-Bench-ASR (Mehrotra et al., ICLR 2021): 8,242 cells of three operations with skip connections.

    Genes: ``op1, skip1_0, op2, skip2_0, skip2_1, op3, skip3_0, skip3_1, skip3_2``; ``skipI_J`` connects node J to
    what follows operation I. Objectives, all to be minimised: phoneme error rate (column ``accuracy``), latency [s]
    and memory [MB].

    An operation ``zero`` cuts its node out, and with it whatever no longer lies between input and output. Of the
    13,824 genotypes 5,824 have one; they make 242 further cells. :meth:`repair` gives the form that the benchmark
    publishes: of all genotypes of the same graph the last in its enumeration, which counts from the first gene up.
    """

    name = "nasbench_asr"
    genes = tuple(
        Gene(name, (0, 1, 2, 3, 4, 5), OPERATIONS, ordered=False, weight=2.0)
        if name.startswith("op")
        else Gene(name, (0, 1), ("no", "yes"))
        for name in ("op1", "skip1_0", "op2", "skip2_0", "skip2_1", "op3", "skip3_0", "skip3_1", "skip3_2")
    )
    objectives = (
        Objective("phoneme_error_rate", "min", "", "accuracy"),
        Objective("latency", "min", "s"),
        Objective("memory", "min", "MB", "mem"),
    )

    @property
    def size(self) -> int:
        """Number of distinct cells."""
        return 8_242

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        per_op = [f"{what}{i}" for what in ("kernel", "reach", "is_linear", "is_cut") for i in (1, 2, 3)]
        return (
            *per_op,
            *(self.genes[k].name for k in SKIP_GENES),
            "n_linear", "n_conv", "kernels", "log_kernels", "reach", "skips", "paths", "longest", "shortest",
        )  # fmt: skip

    def _repair(self, X: IntArray) -> IntArray:
        repaired, cut = X.copy(), (X[:, OP_GENES] == ZERO).any(axis=1)
        if cut.any():
            repaired[cut] = _published_forms()[tuple(X[cut].T)]
        return repaired

    def _draw(self, x: IntArray) -> str:
        ops = [OPERATIONS[code] for code in x[list(OP_GENES)]]
        alive = [True, *(code != ZERO for code in x[list(OP_GENES)].tolist()), True]
        nodes = list(zip(("input", *ops, "output"), alive, strict=True))
        skips = [edge for gene, edge in zip(SKIP_GENES, SKIPS, strict=True) if x[gene]]
        return graph(nodes, [(a, b, "", alive[a] and alive[b]) for a, b in (*CHAIN, *skips)], self.to_string(x))

    def _features(self, X: IntArray) -> FloatArray:
        ops, skips = X[:, OP_GENES], X[:, SKIP_GENES]
        live = ops != ZERO
        kernel, reach = KERNEL[ops], REACH[ops]
        linear = (ops == 0).sum(axis=1)
        paths = _path_features(live, skips)
        columns = [
            kernel,
            reach,
            ops == 0,
            ~live,
            skips,
            linear,
            live.sum(axis=1) - linear,
            kernel.sum(axis=1),
            np.log1p(kernel.sum(axis=1)),
            reach.sum(axis=1),
            skips.sum(axis=1),
            paths,
        ]
        return np.column_stack(columns).astype(np.float64)


def _path_features(live: BoolArray, skips: IntArray) -> FloatArray:
    """Number of input-output paths and the most and fewest operations on one, shape (n, 3)."""
    n = len(live)
    count = np.zeros((5, n))
    longest = np.full((5, n), -np.inf)
    shortest = np.full((5, n), np.inf)
    count[0], longest[0], shortest[0] = 1.0, 0.0, 0.0
    present = np.vstack([np.ones(n, dtype=np.bool_), live.T, np.ones(n, dtype=np.bool_)])
    for a, b in sorted([*CHAIN, *SKIPS], key=lambda edge: edge[1]):
        on = present[a] & present[b] & ((skips[:, SKIPS.index((a, b))] == 1) if (a, b) in SKIPS else True)
        step = 1.0 if b < 4 else 0.0
        count[b] += np.where(on, count[a], 0.0)
        longest[b] = np.where(on, np.maximum(longest[b], longest[a] + step), longest[b])
        shortest[b] = np.where(on, np.minimum(shortest[b], shortest[a] + step), shortest[b])
    connected = count[4] > 0
    return np.column_stack([count[4], np.where(connected, longest[4], 0), np.where(connected, shortest[4], 0)])


def _graph(genotype: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The graph that is left without zero operations and dangling nodes, the same for isomorphic ones."""
    ops = {i + 1: genotype[gene] for i, gene in enumerate(OP_GENES)}
    alive = {0, 4} | {node for node, op in ops.items() if op != ZERO}
    edges = [*CHAIN, *(edge for gene, edge in zip(SKIP_GENES, SKIPS, strict=True) if genotype[gene])]
    edges = [(a, b) for a, b in edges if a in alive and b in alive]
    forward, backward = {0}, {4}
    for a, b in sorted(edges):
        forward |= {b} if a in forward else set()
    for a, b in sorted(edges, key=lambda edge: -edge[1]):
        backward |= {a} if b in backward else set()
    inner = sorted((forward & backward) - {0, 4})
    forms = []
    for order in permutations(inner):
        name = {0: 0, 4: 4, **{node: i + 1 for i, node in enumerate(order)}}
        kept = sorted((name[a], name[b]) for a, b in edges if a in name and b in name)
        forms.append((tuple(ops[node] for node in order), *kept))
    return min(forms)


@cache
def _published_forms() -> IntArray:
    """The published form of each genotype with a zero operation, shape (6, 2, 6, ..., 2, 9)."""
    shape = tuple(6 if k in OP_GENES else 2 for k in range(9))
    graphs, published = {}, {}
    for backwards in product(*(range(n) for n in shape[::-1])):
        genotype = tuple(backwards[::-1])
        if ZERO in (genotype[k] for k in OP_GENES):
            graphs[genotype] = _graph(genotype)
            published[graphs[genotype]] = genotype
    found = np.zeros((*shape, 9), dtype=np.int64)
    for genotype, left in graphs.items():
        found[genotype] = published[left]
    return found
