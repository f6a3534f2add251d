"""The project's own space: small networks for scikit-learn's digits, trained and measured by this project."""

from __future__ import annotations

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.drawing import stack
from rapid_moo.objectives import Objective
from rapid_moo.space import Gene, SearchSpace

PIXELS = 64
CLASSES = 10
INPUTS = ("pool4", "pca8", "pca16", "full", "pca32")
INPUT_SIZES = np.array([16, 8, 16, 64, 32])
POOLED, PROJECTED, PLAIN = 0, (1, 2, 4), 3
ACTIVATIONS = ("relu", "tanh")
WIDTHS = (8, 24, 64, 192)
MAX_DEPTH = 4
FLOAT_BYTES = 4


class Digits(SearchSpace):
    """Fully connected networks of one to four hidden layers on 8 x 8 images of digits: 3,400 architectures.

    Genes: the front end (``pool4`` averages 2 x 2 pixels, ``pca8``, ``pca16`` and ``pca32`` project on principal
    components, ``full`` takes all 64 pixels), the activation, the depth, and the width of each hidden layer; widths
    beyond the depth are inactive (-1 in the published vector). Objectives: accuracy [%] to be maximised, latency [us]
    of the deployed network and memory [KiB] of weights and activations to be minimised. ``data/README.md`` says how
    they were measured, also on a second device: ``get_problem("digits", device="batch64")``.
    """

    name = "digits"
    genes = (
        Gene("input", (0, 1, 2, 3, 4), INPUTS, ordered=False, weight=2.0),
        Gene("activation", (0, 1), ACTIVATIONS, ordered=False),
        Gene("depth", (1, 2, 3, 4), weight=4.0),
        *(Gene(f"width{k + 1}", WIDTHS) for k in range(MAX_DEPTH)),
    )
    objectives = (
        Objective("accuracy", "max", "%"),
        Objective("latency", "min", "us"),
        Objective("memory", "min", "KiB"),
    )
    computed = (Objective("memory", "min", "KiB"),)
    default_memory = "memory"

    @property
    def size(self) -> int:
        """Number of distinct architectures."""
        per_front = sum(len(WIDTHS) ** depth for depth in range(1, MAX_DEPTH + 1))
        return int(len(INPUTS) * len(ACTIVATIONS) * per_front)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        return (
            *(f"is_{name}" for name in INPUTS),
            "is_tanh",
            "depth",
            *(f"log_width{k + 1}" for k in range(MAX_DEPTH)),
            "log_last",
            "log_narrowest",
            "log_macs",
            "macs",
            "units",
            "tanh_units",
        )

    def _active(self, X: IntArray) -> BoolArray:
        active = np.ones(X.shape, dtype=np.bool_)
        active[:, 3:] = np.arange(MAX_DEPTH) <= X[:, 2:3]
        return active

    def _draw(self, x: IntArray) -> str:
        sizes = layer_sizes(x[None])[0]
        hidden = [size for size in sizes[1:-1].tolist() if size]
        layers = [(f"hidden {k + 1}", f"{size} units, {ACTIVATIONS[x[1]]}") for k, size in enumerate(hidden)]
        blocks = [("input", f"{INPUTS[x[0]]}: {sizes[0]} values"), *layers, ("output", f"{CLASSES} classes")]
        return stack(blocks, self.to_string(x))

    def _features(self, X: IntArray) -> FloatArray:
        depth = X[:, 2] + 1
        on = np.arange(MAX_DEPTH) < depth[:, None]
        widths = np.where(on, np.asarray(WIDTHS)[X[:, 3:]], 0)
        logs = np.where(on, np.log2(np.maximum(widths, 1)), 0.0)
        macs = multiplications(X)
        units = widths.sum(axis=1)
        return np.column_stack(
            [
                X[:, :1] == np.arange(len(INPUTS)),
                X[:, 1],
                depth,
                logs,
                logs[np.arange(len(X)), depth - 1],
                np.where(on, logs, np.inf).min(axis=1),
                np.log2(macs),
                macs / 1e4,
                units / 100.0,
                units * X[:, 1] / 100.0,
            ]
        ).astype(np.float64)

    def _compute(self, X: IntArray, name: str) -> FloatArray:
        return memory_kib(X)


def layer_sizes(X: IntArray) -> IntArray:
    """Sizes (n, 6) from the front end to the classes; 0 for an absent layer."""
    on = np.arange(MAX_DEPTH) <= X[:, 2:3]
    hidden = np.where(on, np.asarray(WIDTHS)[X[:, 3:]], 0)
    return np.column_stack([INPUT_SIZES[X[:, 0]], hidden, np.full(len(X), CLASSES)])


def _layers(X: IntArray) -> tuple[IntArray, IntArray]:
    """Inputs and outputs (n, 5) of each fully connected layer; both 0 for an absent layer."""
    sizes = layer_sizes(X)
    inputs = np.zeros((len(X), MAX_DEPTH + 1), dtype=np.int64)
    outputs = np.zeros_like(inputs)
    current = sizes[:, 0].copy()
    for k in range(1, MAX_DEPTH + 2):
        present = sizes[:, k] > 0
        inputs[:, k - 1] = np.where(present, current, 0)
        outputs[:, k - 1] = sizes[:, k]
        current = np.where(present, sizes[:, k], current)
    return inputs, outputs


def multiplications(X: IntArray) -> IntArray:
    """Multiply-accumulate operations of one inference, shape (n,), front end included."""
    inputs, outputs = _layers(X)
    projected = np.isin(X[:, 0], PROJECTED)
    front = np.where(projected, PIXELS * INPUT_SIZES[X[:, 0]], np.where(X[:, 0] == POOLED, PIXELS, 0))
    return np.asarray(front + (inputs * outputs).sum(axis=1), dtype=np.int64)


def memory_kib(X: IntArray) -> FloatArray:
    """Weights and the largest input-and-output pair of an operator, float32, in KiB."""
    inputs, outputs = _layers(X)
    front = INPUT_SIZES[X[:, 0]]
    projection = np.where(np.isin(X[:, 0], PROJECTED), (PIXELS + 1) * front, 0)
    parameters = projection + (inputs * outputs + outputs).sum(axis=1)
    first = np.where(X[:, 0] == PLAIN, 0, PIXELS + front)
    peak = np.maximum(first, (inputs + outputs).max(axis=1))
    return np.asarray((parameters + peak) * FLOAT_BYTES / 1024.0, dtype=np.float64)
