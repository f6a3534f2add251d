"""Training of the ``digits`` networks: all folds of one architecture in one stacked run.

``benchmarks/profile_digits.py`` made the embedded table with it;
:mod:`rapid_moo.problems.digits_live` measures with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold

Float32 = NDArray[np.float32]

FOLDS = 5
REPEATS = 3
EPOCHS = 30
BATCH = 96
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 1e-3
FOLD_SEED = 20261124


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the digits, pixels in [0, 1]."""

    train_x: Float32
    train_y: NDArray[np.int64]
    test_x: Float32
    test_y: NDArray[np.int64]


def folds() -> list[Fold]:
    """Stratified folds, the same for every architecture, so that comparisons are paired."""
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16.0).astype(np.float32)
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=FOLD_SEED)
    return [Fold(x[a], labels[a], x[b], labels[b]) for a, b in splitter.split(x, labels)]


def front_end(kind: str, train: Float32) -> tuple[Float32, Float32]:
    """Projection (64, d) and offset (d,) of a front end, fitted on training pixels only.

    Outputs are standardised, which the deployed network does by the same matrix: it costs nothing more.
    """
    if kind == "pool4":
        pooling = np.zeros((8, 8, 4, 4), dtype=np.float64)
        for i in range(8):
            for j in range(8):
                pooling[i, j, i // 2, j // 2] = 0.25
        matrix = pooling.reshape(64, 16)
    elif kind.startswith("pca"):
        matrix = PCA(int(kind[3:]), svd_solver="full").fit(train).components_.T.astype(np.float64)
    else:
        matrix = np.eye(64)
    projected = train @ matrix
    # One scale for all outputs of a projection keeps the ratio of its components' variances.
    scale = np.full(matrix.shape[1], projected.std()) if kind.startswith("pca") else projected.std(axis=0)
    matrix = matrix / np.maximum(scale, 0.05)
    return matrix.astype(np.float32), (-(train @ matrix).mean(axis=0)).astype(np.float32)


def projected(kind: str, data: list[Fold]) -> list[tuple[Float32, Float32]]:
    """Train and test inputs of each fold behind a front end."""
    inputs = []
    for fold in data:
        matrix, offset = front_end(kind, fold.train_x)
        inputs.append((fold.train_x @ matrix + offset, fold.test_x @ matrix + offset))
    return inputs


def stable_seed(vector: list[int], repeat: int = 0) -> int:
    """A seed that depends on the architecture only, not on the order of work."""
    return int.from_bytes(hashlib.sha256(repr((vector, repeat)).encode()).digest()[:8], "big")


def train(
    inputs: list[tuple[Float32, Float32]],
    data: list[Fold],
    hidden: list[int],
    activation: str,
    seed: int,
    after_epoch: Callable[[int, list[float]], bool] | None = None,
) -> list[float]:
    """Test accuracy [%] of each fold after training one network per fold with Adam and a cosine schedule.

    Parameters
    ----------
    inputs : list of (ndarray, ndarray)
        Projected train and test inputs of each fold.
    data : list of Fold
        Their labels.
    hidden : list of int
        Widths of the hidden layers.
    activation : {"relu", "tanh"}
        Nonlinearity of every hidden layer.
    seed : int
        Seed of initial weights and batches.
    after_epoch : callable, optional
        Gets the number of epochs done (1 to 30) and the test accuracy [%] of each fold so far; ends the training where
        it returns True. It changes no result of a training that goes on.
    """
    rng = np.random.default_rng(seed)
    n = min(len(x) for x, _ in inputs)
    x = np.stack([a[:n] for a, _ in inputs])
    y = np.stack([np.eye(10, dtype=np.float32)[fold.train_y[:n]] for fold in data])
    sizes = [x.shape[2], *hidden, 10]
    gain = np.sqrt(2.0) if activation == "relu" else 1.0
    weights = [
        (rng.standard_normal((len(data), a, b)) * gain / np.sqrt(a)).astype(np.float32) for a, b in pairwise(sizes)
    ]
    weights[-1] *= np.float32(1.0 / gain)
    biases = [np.zeros((len(data), 1, b), dtype=np.float32) for b in sizes[1:]]
    parameters = [*weights, *biases]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    steps = EPOCHS * (n // BATCH)
    fold_index = np.arange(len(data))[:, None]
    step = 0
    for epoch in range(EPOCHS):
        order = np.stack([rng.permutation(n) for _ in data])
        for start in range(0, n - BATCH + 1, BATCH):
            rows = order[:, start : start + BATCH]
            gradients = _gradients(weights, biases, x[fold_index, rows], y[fold_index, rows], activation)
            step += 1
            rate = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            correction = np.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step)
            for k, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
                first[k] += np.float32(0.1) * (g - first[k])
                second[k] += np.float32(0.001) * (g * g - second[k])
                p -= np.float32(rate * correction) * first[k] / (np.sqrt(second[k]) + np.float32(1e-7))
                if k < len(weights):
                    p *= np.float32(1.0 - rate * WEIGHT_DECAY)
        if after_epoch is not None and after_epoch(epoch + 1, _accuracies(weights, biases, inputs, data, activation)):
            break
    return _accuracies(weights, biases, inputs, data, activation)


def _accuracies(
    weights: list[Float32],
    biases: list[Float32],
    inputs: list[tuple[Float32, Float32]],
    data: list[Fold],
    activation: str,
) -> list[float]:
    """Test accuracy [%] of each fold."""
    return [
        100.0 * float((_forward(weights, biases, inputs[i][1], i, activation).argmax(1) == data[i].test_y).mean())
        for i in range(len(data))
    ]


def _activate(z: Float32, activation: str) -> Float32:
    return np.maximum(z, np.float32(0)) if activation == "relu" else np.tanh(z)


def _gradients(weights: list[Float32], biases: list[Float32], x: Float32, y: Float32, activation: str) -> list[Float32]:
    """Gradients of the mean cross-entropy, weights first, then biases."""
    layers = [x]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(_activate(layers[-1] @ w + b, activation))
    logits = layers[-1] @ weights[-1] + biases[-1]
    logits -= logits.max(axis=2, keepdims=True)
    probability = np.exp(logits)
    probability /= probability.sum(axis=2, keepdims=True)
    delta = (probability - y) / np.float32(x.shape[1])
    by_weight: list[Float32] = []
    by_bias: list[Float32] = []
    for k in range(len(weights) - 1, -1, -1):
        by_weight.append(layers[k].transpose(0, 2, 1) @ delta)
        by_bias.append(delta.sum(axis=1, keepdims=True))
        if k:
            slope = layers[k] > 0 if activation == "relu" else 1.0 - layers[k] ** 2
            delta = (delta @ weights[k].transpose(0, 2, 1)) * slope
    return [*by_weight[::-1], *by_bias[::-1]]


def _forward(weights: list[Float32], biases: list[Float32], x: Float32, fold: int, activation: str) -> Float32:
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        x = _activate(x @ w[fold] + b[fold], activation)
    logits: Float32 = x @ weights[-1][fold] + biases[-1][fold]
    return logits
