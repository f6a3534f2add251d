"""HW-GPT-Bench: decoder-only language models whose layers are chosen one by one."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.drawing import stack
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.space import Gene, SearchSpace

VOCABULARY = 50_257
SCALES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    # embedding sizes, numbers of layers, attention heads
    "s": ((192, 384, 768), (10, 11, 12), (4, 8, 12)),
    "m": ((256, 512, 1024), (22, 23, 24), (8, 12, 16)),
    "l": ((320, 640, 1280), (34, 35, 36), (8, 16, 20)),
}
MLP_RATIOS = (2, 3, 4)


class HWGPT(SearchSpace):
    """HW-GPT-Bench (Sukthanker et al., NeurIPS 2024), scale S, M or L.

    Genes: embedding size, number of layers, for each layer the ratio of the feed-forward block and the number of
    attention heads, and whether layers have biases. Genes of layers beyond the depth are inactive (-1 in the published
    vector). Objectives, all to be minimised: perplexity on OpenWebText (column ``accuracy``), latency [ms], memory
    [MB], and on demand energy [kWh]. Published tables are samples of 1e12 (S) to 1e35 (L) architectures.

    Parameters
    ----------
    scale : {"s", "m", "l"}
        Which of the three supernets.
    """

    objectives = (
        Objective("perplexity", "min", "", "accuracy"),
        Objective("latency", "min", "ms"),
        Objective("memory", "min", "MB", "mem"),
    )
    optional = (Objective("energy", "min", "kWh"),)

    def __init__(self, scale: str = "s") -> None:
        if scale not in SCALES:
            raise InputError(f"hw_gpt: expected scale s, m or l, got {scale!r}")
        embeddings, depths, heads = SCALES[scale]
        self.name = f"hw_gpt_{scale}"
        self.depths = np.array(depths)
        self.n_layers = layers = depths[-1]
        self.genes = (
            Gene("embed_dim", embeddings, weight=float(layers)),
            Gene("n_layer", depths, weight=float(layers)),
            *(Gene(f"mlp_ratio{i + 1}", MLP_RATIOS) for i in range(layers)),
            *(Gene(f"n_head{i + 1}", heads) for i in range(layers)),
            Gene("bias", (0, 1), ("no", "yes")),
        )

    @property
    def size(self) -> int:
        """Number of distinct architectures."""
        return int(len(self.genes[0].choices) * 2 * sum(9 ** int(depth) for depth in self.depths))

    @property
    def enumerable(self) -> bool:
        """Never: even the smallest scale has 1e12 architectures."""
        return False

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        per_kind = ("sum", "first_third", "middle_third", "last_third", "slope", "largest", "smallest")
        return (
            "embed_dim",
            "log_embed_dim",
            "n_layer",
            "bias",
            *(f"mlp_{name}" for name in per_kind),
            *(f"head_{name}" for name in per_kind),
            "embed_x_mlp",
            "embed_x_head",
            "embed_x_layers",
            "log_parameters",
            "mlp_x_head",
        )

    def _active(self, X: IntArray) -> BoolArray:
        on = np.arange(self.n_layers) < self.depths[X[:, 1]][:, None]
        ones = np.ones((len(X), 1), dtype=np.bool_)
        return np.hstack([ones, ones, on, on, ones])

    def _draw(self, x: IntArray) -> str:
        layers, chosen = self.n_layers, [gene.choices[code] for gene, code in zip(self.genes, x.tolist(), strict=True)]
        blocks = [
            (f"layer {i + 1}", f"{chosen[2 + layers + i]} heads, mlp x {chosen[2 + i]}")
            for i in range(int(self.depths[x[1]]))
        ]
        bias = "with biases" if x[-1] else "no biases"
        return stack([("embedding", f"{chosen[0]} wide, {bias}"), *blocks], self.to_string(x))

    def _features(self, X: IntArray) -> FloatArray:
        layers = self.n_layers
        embed = np.asarray(self.genes[0].choices, dtype=np.float64)[X[:, 0]]
        scale = embed / self.genes[0].choices[0]
        depth = self.depths[X[:, 1]].astype(np.float64)
        on = np.arange(layers) < depth[:, None]
        mlp = np.where(on, np.asarray(MLP_RATIOS)[X[:, 2 : 2 + layers]], 0).astype(np.float64)
        head = np.where(on, np.asarray(self.genes[-2].choices)[X[:, 2 + layers : -1]], 0).astype(np.float64)
        weights = 4.0 * embed**2 * depth + 2.0 * embed**2 * mlp.sum(axis=1)
        columns = [
            scale,
            np.log2(scale),
            depth,
            X[:, -1],
            *_summaries(mlp, on, MLP_RATIOS),
            *_summaries(head, on, self.genes[-2].choices),
            scale * mlp.sum(axis=1),
            scale * head.sum(axis=1),
            scale * depth,
            np.log(weights + VOCABULARY * embed),
            (mlp * head).sum(axis=1),
        ]
        return np.column_stack(columns).astype(np.float64)


def _summaries(values: FloatArray, on: BoolArray, choices: tuple[int, ...]) -> list[FloatArray]:
    """What a choice per layer amounts to: its sum, where it lies, and how often it is largest or smallest."""
    layers = values.shape[1]
    third = layers // 3
    position = np.linspace(-1.0, 1.0, layers)
    return [
        values.sum(axis=1),
        values[:, :third].sum(axis=1),
        values[:, third : 2 * third].sum(axis=1),
        values[:, 2 * third :].sum(axis=1),
        values @ position,
        (values == choices[-1]).sum(axis=1),
        ((values == choices[0]) & on).sum(axis=1),
    ]
