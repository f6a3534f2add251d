"""FlexiBERT: small encoders whose layers differ in attention, heads and feed-forward stacks."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.drawing import stack
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.space import Gene, SearchSpace

MAX_LAYERS = 4
PER_LAYER = 5
LENGTH = 23
HIDDEN = np.array([128.0, 256.0])


def _layer_genes(layer: int) -> tuple[Gene, ...]:
    return (
        Gene(f"op{layer}", (0, 1, 2), ("SA", "LT", "DSC"), ordered=False),
        Gene(f"heads{layer}", (0, 1), ("2", "4")),
        Gene(f"ff{layer}", (0, 1), ("512", "1024")),
        Gene(f"n_ff{layer}", (0, 1), ("1", "3")),
        Gene(f"parameter{layer}", (0, 1), ("SDP|DFT|5", "WMA|DCT|9")),
    )


class FlexiBERT(SearchSpace):
    """FlexiBERT (Tuli et al., JAIR 2023): 10,621,440 encoders of two or four layers.

    Genes: hidden size, depth, and for each layer the operation (SA self-attention, LT linear transform, DSC dynamic
    span convolution), heads, feed-forward size, number of feed-forward layers, and the operation's parameter (scaled
    dot product or weighted multiplicative attention; DFT or DCT; kernel 5 or 9). Layers 3 and 4 of a two-layer model
    are inactive. Objectives: GLUE score to be maximised, latency [s] and memory [MB] to be minimised.

    The published vector is ``[hidden, five genes per layer, depth, -1, ...]`` filled with -1 to 23 positions, so the
    depth stands at position 11 (as 2) or 21 (as 4), and position 22 is always -1.
    """

    name = "flexibert"
    genes = (
        Gene("hidden", (0, 1), ("128", "256"), weight=4.0),
        Gene("depth", (2, 4), weight=8.0),
        *(gene for layer in range(1, MAX_LAYERS + 1) for gene in _layer_genes(layer)),
    )
    objectives = (
        Objective("accuracy", "max", "GLUE score"),
        Objective("latency", "min", "s"),
        Objective("memory", "min", "MB", "mem"),
    )

    @property
    def size(self) -> int:
        """Number of distinct architectures."""
        return 2 * (48**2 + 48**4)

    @property
    def enumerable(self) -> bool:
        """Ten million genotypes are too many to list."""
        return False

    @property
    def vector_length(self) -> int:
        """Length of the published vector."""
        return LENGTH

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        return (
            "hidden", "depth", "hidden_x_depth", "n_sa", "n_lt", "n_dsc", "n_wma", "n_dct", "n_kernel9",
            "heads", "attention_heads", "ff_width", "hidden_x_ff", "n_ff", "log_parameters", "first_is_sa",
            "last_is_sa",
        )  # fmt: skip

    def _active(self, X: IntArray) -> BoolArray:
        active = np.ones(X.shape, dtype=np.bool_)
        active[X[:, 1] == 0, 2 + 2 * PER_LAYER :] = False
        return active

    def _encode(self, vectors: IntArray) -> IntArray:
        shallow = vectors[:, 11 + PER_LAYER * 2] != 4
        layers = vectors[:, 1:21].copy()
        tail = vectors[:, 11:]
        whole = np.all(tail[:, 1:] == self.inactive, axis=1) & (tail[:, 0] == 2)
        wrong = (shallow & ~whole) | (vectors[:, -1] != self.inactive)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"{self.name}: row {row + 1}: expected depth 4 at position 21, or 2 at position 11 and -1 after it,"
                f" and -1 at position 22, got {vectors[row].tolist()}"
            )
        layers[shallow, 10:] = self.inactive
        plain = np.column_stack([vectors[:, 0], np.where(shallow, 2, 4), layers])
        return super()._encode(plain)

    def _decode(self, X: IntArray) -> IntArray:
        plain = super()._decode(X)
        vectors = np.full((len(X), LENGTH), self.inactive, dtype=np.int64)
        vectors[:, 0] = plain[:, 0]
        vectors[:, 1:21] = plain[:, 2:]
        shallow = X[:, 1] == 0
        vectors[shallow, 11] = 2
        vectors[~shallow, 21] = 4
        return vectors

    def _draw(self, x: IntArray) -> str:
        label = [gene.labels[code] for gene, code in zip(self.genes, x.tolist(), strict=True)]
        layers = []
        for i in range(2 if x[1] == 0 else MAX_LAYERS):
            at = 2 + i * PER_LAYER
            op, heads, ff, n_ff, _ = label[at : at + PER_LAYER]
            # SDP or WMA for self-attention, DFT or DCT for a linear transform, kernel 5 or 9 for a convolution.
            detail = label[at + 4].split("|")[int(x[at])]
            layers.append((f"layer {i + 1}", f"{op} {detail}, {heads} heads, {n_ff} x feed-forward {ff}"))
        return stack([("embedding", f"{label[0]} wide"), *layers], self.to_string(x))

    def _features(self, X: IntArray) -> FloatArray:
        layers = X[:, 2:].reshape(len(X), MAX_LAYERS, PER_LAYER)
        on = self._active(X)[:, 2:].reshape(layers.shape)[:, :, 0]
        op, parameter = layers[:, :, 0], layers[:, :, 4]
        hidden = HIDDEN[X[:, 0]] / 128.0
        depth = np.where(X[:, 1] == 0, 2.0, 4.0)
        heads = np.where(on, 2 + 2 * layers[:, :, 1], 0)
        n_ff = np.where(on, 1 + 2 * layers[:, :, 3], 0)
        width = np.where(on, 1.0 + layers[:, :, 2], 0.0)
        ff = (width * n_ff).sum(axis=1)
        inner = (width**2 * np.maximum(n_ff - 1, 0)).sum(axis=1)
        attention = on & (op == 0)
        last = np.where(X[:, 1] == 0, 1, 3)
        weights = depth * (hidden * 128) ** 2 * 4 + 2 * hidden * 128 * 512 * width.sum(axis=1) + 512**2 * inner
        columns = [
            hidden,
            depth,
            hidden * depth,
            *((on & (op == code)).sum(axis=1) for code in range(3)),
            *((on & (op == code) & (parameter == 1)).sum(axis=1) for code in range(3)),
            heads.sum(axis=1),
            (heads * attention).sum(axis=1),
            ff,
            hidden * ff,
            n_ff.sum(axis=1),
            np.log(weights),
            op[:, 0] == 0,
            op[np.arange(len(X)), last] == 0,
        ]
        return np.column_stack(columns).astype(np.float64)
