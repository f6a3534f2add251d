"""The cell of NAS-Bench-201 as a graph: what is alive, what it costs, and which cells compute the same.

Size and cost follow the benchmark's macro skeleton: a stem convolution 3 -> 16, three stages of five cells with 16, 32
and 64 channels, a residual block that halves the resolution between stages, a linear classifier; input 32 x 32.
Convolutions have no bias and are followed by a batch normalisation with two parameters per channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3 = range(4)
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
STAGES = ((16, 32), (32, 16), (64, 8))
CELLS = 5
CLASSES = 10

FEATURE_NAMES = (
    *(f"live_{name}_{b}{a}" for a, b in EDGES for name in OPERATIONS[1:]),
    *(f"live_{name}" for name in OPERATIONS[1:]),
    *(f"path{i}_{what}" for i in range(4) for what in ("alive", "convs", "conv3s")),
    "paths",
    "longest",
    "shortest",
    "most_convs",
    "least_convs",
    "all_convs",
    *(f"total_{name}" for name in OPERATIONS),
    "log_params",
)


def live_edges(X: IntArray) -> BoolArray:
    """Which edges lie on a path from input to output without a ``none``, shape (n, 6)."""
    on = X != NONE
    live = np.zeros(X.shape, dtype=np.bool_)
    for path in PATHS:
        whole = on[:, path].all(axis=1)
        for edge in path:
            live[:, edge] |= whole
    return live


def features(X: IntArray) -> FloatArray:
    """Graph features of shape (n, n_features), see :data:`FEATURE_NAMES`."""
    live = live_edges(X)
    one_hot = (X[:, :, None] == np.arange(1, 5)) & live[:, :, None]
    conv = (X == CONV1) | (X == CONV3)
    alive, convs, conv3s, lengths = [], [], [], []
    for path in PATHS:
        whole = (X[:, path] != NONE).all(axis=1)
        alive.append(whole)
        convs.append(np.where(whole, conv[:, path].sum(axis=1), 0))
        conv3s.append(np.where(whole, (X[:, path] == CONV3).sum(axis=1), 0))
        lengths.append(np.where(whole, (X[:, path] != SKIP).sum(axis=1), -1))
    by_path = np.stack([alive, convs, conv3s], axis=2).transpose(1, 0, 2)
    length = np.array(lengths)
    any_path = np.array(alive).any(axis=0)
    shortest = np.where(any_path, np.where(length < 0, 9, length).min(axis=0), -1)
    least = np.where(any_path, np.where(np.array(alive), convs, 9).min(axis=0), 0)
    columns = [
        one_hot.reshape(len(X), -1),
        one_hot.sum(axis=1),
        by_path.reshape(len(X), -1),
        np.array(alive).sum(axis=0),
        length.max(axis=0),
        shortest,
        np.array(convs).max(axis=0),
        least,
        np.array(convs).sum(axis=0),
        (X[:, :, None] == np.arange(5)).sum(axis=1),
        np.log(params(X)),
    ]
    return np.column_stack(columns).astype(np.float64)


def params(X: IntArray) -> FloatArray:
    """Trainable parameters of the whole network in millions, shape (n,); all-conv3x3 has 1.531546."""
    conv1, conv3 = (X == CONV1).sum(axis=1), (X == CONV3).sum(axis=1)
    total = np.full(len(X), _conv_params(3, 16, 3) + 2 * STAGES[-1][0] + (STAGES[-1][0] + 1) * CLASSES)
    for stage, (channels, _) in enumerate(STAGES):
        per_cell = conv1 * _conv_params(channels, channels, 1) + conv3 * _conv_params(channels, channels, 3)
        total = total + CELLS * per_cell
        if stage:
            half = channels // 2
            total = total + _conv_params(half, channels, 3) + _conv_params(channels, channels, 3) + half * channels
    return np.asarray(total / 1e6, dtype=np.float64)


def _conv_params(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel**2 + 2 * outputs


def flops(X: IntArray) -> FloatArray:
    """FLOPs of one inference in millions, shape (n,), counted as the benchmark does: all-conv3x3 has 220.11969.

    Multiply-accumulates of convolutions and the classifier; normalisation, pooling and additions are not counted.
    """
    conv1, conv3 = (X == CONV1).sum(axis=1), (X == CONV3).sum(axis=1)
    total = np.full(len(X), float(32**2 * 3 * 16 * 9 + (STAGES[-1][0] + 1) * CLASSES))
    for stage, (channels, size) in enumerate(STAGES):
        area = size**2
        per_cell = area * (conv1 * channels**2 + conv3 * channels**2 * 9)
        total = total + CELLS * per_cell
        if stage:
            half = channels // 2
            total = total + area * (half * channels * 9 + channels**2 * 9 + half * channels)
    return np.asarray(total / 1e6, dtype=np.float64)


def expression(codes: IntArray) -> tuple[Any, ...]:
    """What the output node computes: a sorted multiset of terms, skips and dead terms resolved.

    Weights are not told apart: a term twice may be one convolution that is used twice, or two of them.
    """
    nodes: list[tuple[Any, ...]] = [("input",)]
    for target in (1, 2, 3):
        terms: list[Any] = []
        for (a, b), code in zip(EDGES, codes, strict=True):
            if b != target or code == NONE or not nodes[a]:
                continue
            terms.extend(nodes[a] if code == SKIP else [(int(code), nodes[a])])
        nodes.append(tuple(sorted(terms, key=repr)))
    return nodes[3]


def canonical_rows(X: IntArray) -> IntArray:
    """For each cell the row of the first one that computes the same, shape (n,)."""
    first: dict[tuple[Any, ...], int] = {}
    return np.array([first.setdefault(expression(x), i) for i, x in enumerate(X)], dtype=np.int64)
