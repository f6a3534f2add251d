"""Networks of the ``digits`` space trained and measured on this machine: the space without its table.

It needs the extra ``profile``: ``pip install 'rapid-moo[profile]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid_moo._util import IntArray, one_blas_thread
from rapid_moo.errors import InputError, MissingExtraError
from rapid_moo.problems.digits import ACTIVATIONS, CLASSES, INPUT_SIZES, INPUTS, PIXELS, Digits, layer_sizes
from rapid_moo.problems.digits_training import EPOCHS, Float32, Fold, folds, projected, stable_seed, train
from rapid_moo.space import Gene

try:
    from onnx import TensorProto, helper, numpy_helper

    from rapid_moo.profiling import latency
except ImportError as missing:
    raise MissingExtraError("live digits need onnx and onnxruntime: pip install 'rapid-moo[profile]'") from missing

LATENCY_SECONDS = 0.5


def measure_live(
    architecture: Mapping[str, int | str], /, *, repeats: int = 1, report: Callable[..., bool] | None = None
) -> dict[str, float]:
    """Train one network and time it in deployed form.

    Parameters
    ----------
    architecture : mapping of str to int or str
        The genes by name, each as its published value or its label: ``{"input": "pca8", "activation": "relu",
        "depth": 1, "width1": 24}``. Widths beyond the depth may be left out.
    repeats : int
        Trainings of each of the five folds, all at once. Three give the accuracy of the embedded table.
    report : callable, optional
        Gets the accuracy after each of 30 epochs, see :class:`rapid_moo.measure.Reports`. Where it says stop, the
        training ends, and nothing is timed.

    Returns
    -------
    dict of str to float
        ``accuracy``: the mean over folds and repeats [%], the same for the same architecture and repeats;
        ``latency``: the median time of one inference through ONNX Runtime, one thread, batch 1 [us]. Nothing if the
        training was stopped.

    Raises
    ------
    InputError
        If a gene is unknown, is missing, or has a value that is not among its choices.
    """
    if repeats < 1:
        raise InputError(f"repeats: expected a number above 0, got {repeats!r}")
    x = genotype(architecture)
    accuracy = _accuracy(x, repeats, report)
    if accuracy is None:
        return {}
    timed = latency(deployed(x), max_seconds=LATENCY_SECONDS)
    return {"accuracy": accuracy, "latency": 1e3 * timed.median}


def genotype(architecture: Mapping[str, int | str], /) -> IntArray:
    """The repaired genotype, shape (7,), of genes by name; see :func:`measure_live`."""
    space = Digits()
    names = [gene.name for gene in space.genes]
    if unknown := [name for name in architecture if name not in names]:
        raise InputError(f"digits: expected genes among {names}, got {unknown}")
    vector = [_published(gene, architecture.get(gene.name, space.inactive)) for gene in space.genes]
    found: IntArray = space.encode([vector])[0]
    return found


def _published(gene: Gene, value: int | str) -> int:
    """Published value of a gene that is stated by value or label."""
    if isinstance(value, str):
        if value not in gene.labels:
            raise InputError(f"digits: gene {gene.name!r}: expected one of {list(gene.labels)}, got {value!r}")
        return int(gene.choices[gene.labels.index(value)])
    return value


@lru_cache(maxsize=1)
def _data() -> list[Fold]:
    return folds()


@lru_cache(maxsize=len(INPUTS))
def _inputs(kind: str) -> list[tuple[Float32, Float32]]:
    return projected(kind, _data())


@one_blas_thread
def _accuracy(x: IntArray, repeats: int, report: Callable[..., bool] | None) -> float | None:
    """Mean accuracy [%] of a genotype, None if stopped; one thread, so that sums are made in one order."""
    seed = stable_seed(Digits().decode(x)[0].tolist())
    inputs = _inputs(INPUTS[x[0]]) * repeats
    stopped = False

    def after(epoch: int, scores: list[float]) -> bool:
        nonlocal stopped
        stopped = report is not None and bool(report(epoch, {"accuracy": float(np.mean(scores))}, of=EPOCHS))
        return stopped

    told = None if report is None else after
    scores = train(inputs, _data() * repeats, hidden_sizes(x), ACTIVATIONS[x[1]], seed, told)
    return None if stopped else float(np.mean(scores))


def hidden_sizes(x: IntArray) -> list[int]:
    """Widths of the hidden layers of a genotype."""
    return [int(size) for size in layer_sizes(x[None, :])[0, 1:-1] if size]


def deployed(x: IntArray, seed: int = 0, batch: int = 1) -> bytes:
    """The network of a genotype in deployed form for so many images at once, an ONNX model.

    Weights are random: their values do not change the time.
    """
    network = _Network(seed, batch)
    current, size = _front(network, INPUTS[x[0]], int(INPUT_SIZES[x[0]]))
    activation = {"relu": "Relu", "tanh": "Tanh"}[ACTIVATIONS[x[1]]]
    for width in hidden_sizes(x):
        current, size = network.add(activation, [network.dense(current, size, width)]), width
    return network.model(network.dense(current, size, CLASSES))


class _Network:
    """Nodes and weights of an ONNX graph, added one after the other."""

    def __init__(self, seed: int, batch: int) -> None:
        self.batch = batch
        self._rng = np.random.default_rng(seed)
        self._nodes: list[object] = []
        self._weights: list[object] = []

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        """Add an operator; the name of its output."""
        output = f"out{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: list[int]) -> str:
        """Add a shape; its name."""
        return self._tensor(np.array(values, dtype=np.int64))

    def dense(self, current: str, inputs: int, outputs: int) -> str:
        """Add a fully connected layer."""
        return self.add("Gemm", [current, self._random(inputs, outputs), self._random(outputs)])

    def model(self, output: str) -> bytes:
        """The serialised model."""
        graph = helper.make_graph(
            self._nodes,
            "digits",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [self.batch, PIXELS])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [self.batch, CLASSES])],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(model.SerializeToString())

    def _random(self, *shape: int) -> str:
        return self._tensor(self._rng.standard_normal(shape).astype(np.float32) * np.float32(0.1))

    def _tensor(self, values: NDArray[Any]) -> str:
        name = f"tensor{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name


def _front(network: _Network, kind: str, size: int) -> tuple[str, int]:
    """Add a front end; its output's name and size."""
    if kind == "full":
        return "pixels", size
    if kind != "pool4":
        return network.dense("pixels", PIXELS, size), size
    image = network.add("Reshape", ["pixels", network.constant([network.batch, 1, 8, 8])])
    pooled = network.add("AveragePool", [image], kernel_shape=[2, 2], strides=[2, 2])
    return network.add("Reshape", [pooled, network.constant([network.batch, size])]), size
