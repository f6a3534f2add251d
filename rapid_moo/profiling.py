"""What an ONNX model costs on this machine: latency, peak memory, size and parameters.

A *measure* of a study trains a network and says what it costs. This module does the second half for every network that
can be exported to ONNX, through ONNX Runtime. It needs the extra ``profile``: ``pip install 'rapid-moo[profile]'``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import binom

from rapid_moo._util import FloatArray
from rapid_moo.errors import DataNotFoundError, InputError, MeasurementError, MissingExtraError

try:
    import onnx
    import onnxruntime

    from rapid_moo import _inference
except ImportError as missing:
    raise MissingExtraError("profiling needs onnx and onnxruntime: pip install 'rapid-moo[profile]'") from missing

Model: TypeAlias = str | os.PathLike[str] | bytes
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

CPU = _inference.CPU
WARM_UP_SECONDS = 0.02
BLOCK_SECONDS = 0.02
MIN_BLOCKS = 6  # the fewest values that hold the median between their extremes with 95 %
CONFIDENCE = 0.95


@dataclass(frozen=True)
class LatencyReport:
    """How long one inference takes.

    Attributes
    ----------
    median, mean, p10, p90, p99 : float
        Median, mean and percentiles of all timed runs [ms].
    half_width : float
        Half the width of the median's 95 % interval over the median; infinite with less than six blocks of runs.
    steady : bool
        Whether that half-width came below the tolerance before the time was over.
    runs : int
        Timed runs.
    threads : int
        Threads of an operator.
    batch : int
        Value of the symbolic dimensions.
    provider : str
        Execution provider of ONNX Runtime.
    """

    median: float
    mean: float
    p10: float
    p90: float
    p99: float
    half_width: float
    steady: bool
    runs: int
    threads: int
    batch: int
    provider: str


def latency(
    model: Model,
    /,
    *,
    threads: int = 1,
    batch: int = 1,
    shapes: Shapes | None = None,
    warm_up: int = 40,
    min_runs: int = 60,
    max_seconds: float = 5.0,
    tolerance: float = 0.02,
    provider: str = CPU,
    seed: int = 0,
) -> LatencyReport:
    """Time inferences until their median is steady.

    Runs are timed in blocks of at least 20 ms. The medians of the blocks give a 95 % interval of the median (by order
    statistics): blocks feel the machine's slow changes, which make single runs look more certain than they are. The
    measurement ends as soon as the interval's half-width is below the tolerance, or when the time is over. Inputs are
    random and their buffers are bound, so that little but the network is timed.

    Parameters
    ----------
    model : str, Path or bytes
        An ONNX file, or its content.
    threads : int
        Threads of an operator.
    batch : int
        Value of symbolic dimensions. A model whose shapes are all fixed runs as it is, and its batch is 1 or its first
        dimension.
    shapes : mapping of str to tuple of int, optional
        Shapes of inputs by name, where symbolic dimensions mean more than the batch.
    warm_up : int
        Fewest runs before the first that counts.
    min_runs : int
        Fewest runs that count, unless the time is over before.
    max_seconds : float
        Time limit [s] of warming up and timing. A block that has begun is finished, and at least one run is timed.
    tolerance : float
        Relative half-width below which the median is steady.
    provider : str
        Execution provider of ONNX Runtime; for other devices than the processor the copies of inputs and outputs count.
    seed : int
        Seed of the inputs.

    Raises
    ------
    InputError
        If the model is broken, cannot run with these inputs, or a setting is out of range.
    DataNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from onnx import TensorProto, helper
    >>> tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64])
    >>> graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [tensor("x")], [tensor("y")])
    >>> opset = helper.make_opsetid("", 17)
    >>> model = helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    >>> report = latency(model, batch=8, max_seconds=0.5)
    >>> 0.0 < report.p10 <= report.median <= report.p99, report.batch
    (True, 8)
    """
    _check_positive(warm_up=warm_up, min_runs=min_runs, max_seconds=max_seconds, tolerance=tolerance)
    run = runner(model, threads=threads, batch=batch, shapes=shapes, provider=provider, seed=seed)
    end = time.perf_counter() + max_seconds
    size = _block_size(_warm_up(run, warm_up, max_seconds / 4), min_runs, max_seconds)
    blocks: list[FloatArray] = []
    half_width, steady = np.inf, False
    while not blocks or (not steady and time.perf_counter() < end):
        blocks.append(_timed(run, size))
        half_width = _half_width([float(np.median(block)) for block in blocks])
        steady = len(blocks) * size >= min_runs and half_width <= tolerance
    times = np.concatenate(blocks)
    p10, median, p90, p99 = (float(value) for value in np.percentile(times, [10, 50, 90, 99]))
    return LatencyReport(
        median=median,
        mean=float(times.mean()),
        p10=p10,
        p90=p90,
        p99=p99,
        half_width=half_width,
        steady=steady,
        runs=len(times),
        threads=threads,
        batch=batch,
        provider=provider,
    )


def runner(
    model: Model,
    /,
    *,
    threads: int = 1,
    batch: int = 1,
    shapes: Shapes | None = None,
    provider: str = CPU,
    seed: int = 0,
) -> Callable[[], None]:
    """A function that makes one inference on random inputs: what :func:`latency` times; parameters as there."""
    _check_positive(threads=threads)
    _check_provider(provider)
    proto = _load(model)
    inputs = _inference.random_inputs(_input_specs(proto, _name(model), batch, shapes or {}), seed)
    try:
        session = _inference.open_session(model if isinstance(model, bytes) else os.fspath(model), threads, provider)
        run = _inference.bound_run(session, inputs)
        run()
    except Exception as error:  # the runtime's errors have no common base class
        raise InputError(f"{_name(model)}: expected a model that ONNX Runtime can run, got {error}") from error
    return run


def model_size(model: Model, /) -> int:
    """Size of a model in bytes: the ONNX file and the files of weights that it names."""
    proto = _load(model)
    if isinstance(model, bytes):
        return len(model)
    path = Path(model)
    beside = {_location(tensor) for tensor in _initializers(proto.graph)} - {""}
    try:
        return path.stat().st_size + sum((path.parent / name).stat().st_size for name in sorted(beside))
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path}: expected its weights in {error.filename}, found no such file") from error


def parameter_count(model: Model, /) -> int:
    """Number of weights: elements of all initializers but integers of 32 and 64 bits, which are shapes and indices."""
    indices = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64)
    tensors = _initializers(_load(model).graph)
    return sum(prod(tensor.dims) for tensor in tensors if tensor.data_type not in indices)


def peak_memory(
    model: Model,
    /,
    *,
    threads: int = 1,
    batch: int = 1,
    shapes: Shapes | None = None,
    runs: int = 3,
    provider: str = CPU,
    seed: int = 0,
    timeout: float = 120.0,
) -> float:
    """Memory that loading and running a model takes, in MiB, measured in a fresh process.

    It is the resident set of that process at its peak, less the resident set with the runtime ready and no model
    loaded: weights as the runtime keeps and packs them, what loading needs for a moment, inputs, activations and
    outputs. Linux resets and keeps the peak exactly; elsewhere (macOS) it comes from ``getrusage``. Pages that the
    process already had may serve the model, so that anything below one MiB is noise.

    Parameters
    ----------
    model, threads, batch, shapes, provider, seed
        As in :func:`latency`.
    runs : int
        Inferences.
    timeout : float
        Time limit of the process [s].

    Raises
    ------
    InputError
        If the model is broken or cannot run, or a setting is out of range.
    DataNotFoundError
        If there is no such file.
    MeasurementError
        If the process takes too long or is killed, and on Windows.
    """
    if sys.platform == "win32":
        raise MeasurementError("peak_memory: expected Linux or macOS, which tell a process's peak, got Windows")
    _check_positive(threads=threads, runs=runs, timeout=timeout)
    _check_provider(provider)
    inputs = _input_specs(_load(model), _name(model), batch, shapes or {})
    smallest = _smallest_model()
    with tempfile.TemporaryDirectory(prefix="rapid-moo-") as folder, _as_file(model, Path(folder)) as path:
        first = Path(folder) / "smallest.onnx"
        first.write_bytes(smallest)
        settings = {
            "model": str(path),
            "inputs": inputs,
            "smallest": str(first),
            "smallest_inputs": _input_specs(_load(smallest), "smallest", 1, {}),
            "threads": threads,
            "provider": provider,
            "runs": runs,
            "seed": seed,
        }
        result = _in_child(settings, _name(model), timeout)
    return float(result["peak"] - result["baseline"])


# ------------------------------------------------------------------ measuring
def _warm_up(run: Callable[[], None], runs: int, max_seconds: float) -> float:
    """Run until caches are warm; the median of the last runs' times [s]."""
    start = time.perf_counter()
    times: list[float] = []
    while (spent := time.perf_counter() - start) < max_seconds and (len(times) < runs or spent < WARM_UP_SECONDS):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return float(np.median(times[-runs:])) if times else max_seconds


def _block_size(seconds: float, min_runs: int, max_seconds: float) -> int:
    """Runs of one block: long enough for the clock, and as many as let six blocks end in time."""
    wanted = max(min_runs / MIN_BLOCKS, BLOCK_SECONDS / seconds)
    affordable = 0.75 * max_seconds / MIN_BLOCKS / seconds
    return max(1, min(ceil(wanted), int(affordable)))


def _timed(run: Callable[[], None], runs: int) -> FloatArray:
    """Time of each run [ms]."""
    times = np.empty(runs)
    clock = time.perf_counter_ns
    for i in range(runs):
        start = clock()
        run()
        times[i] = clock() - start
    return times / 1e6


def _half_width(values: list[float]) -> float:
    """Half the width of the median's interval between two order statistics, over the median; infinite for a few."""
    rank = int(binom.ppf((1.0 - CONFIDENCE) / 2.0, len(values), 0.5))
    if rank < 1:
        return float("inf")
    ordered = sorted(values)
    return float((ordered[-rank] - ordered[rank - 1]) / 2.0 / np.median(ordered))


def _in_child(settings: dict[str, Any], name: str, timeout: float) -> dict[str, float]:
    """Measure in a process of its own, which imports the runtime and nothing of this package."""
    # -P: this package's folder stays out of the child's path, where its modules would hide others of their names.
    command = [sys.executable, "-P", _inference.__file__]
    try:
        ended = subprocess.run(
            command, input=json.dumps(settings), capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"{name}: expected its memory within {timeout:g} s, got no answer") from error
    if ended.returncode:
        told = ended.stderr.strip()[-500:] or "it was killed, perhaps for want of memory"
        raise MeasurementError(f"{name}: the process that measures its memory ended with {ended.returncode}: {told}")
    result: dict[str, Any] = json.loads(ended.stdout)
    if "error" in result:
        raise InputError(f"{name}: expected a model that ONNX Runtime can run, got {result['error']}")
    return result


@contextmanager
def _as_file(model: Model, folder: Path) -> Iterator[Path]:
    """The model's file; content gets one, so that it is not resident in the child before it is loaded."""
    if isinstance(model, bytes):
        path = folder / "model.onnx"
        path.write_bytes(model)
        yield path
    else:
        yield Path(model).resolve()


def _smallest_model() -> bytes:
    """A model of one operator on one number."""
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "smallest", [x], [y])
    opset = onnx.helper.make_opsetid("", 17)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString())


# -------------------------------------------------------------------- reading
def _name(model: Model) -> str:
    return "ONNX model" if isinstance(model, bytes) else os.fspath(model)


def _load(model: Model) -> Any:
    """The model as a protocol buffer, without the weights of other files."""
    try:
        if isinstance(model, bytes):
            proto = onnx.load_model_from_string(model)
        else:
            proto = onnx.load(os.fspath(model), load_external_data=False)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{_name(model)}: expected an ONNX file, found none") from error
    except Exception as error:  # protobuf's own error class depends on its implementation
        raise InputError(f"{_name(model)}: expected an ONNX model, got {error}") from error
    # Any bytes that happen to parse make a model; an empty file does.
    if not proto.graph.output:
        raise InputError(f"{_name(model)}: expected an ONNX model, got one without outputs")
    return proto


def _input_specs(proto: Any, name: str, batch: int, shapes: Shapes) -> _inference.InputSpecs:
    """Shape and type of each input; old models list their weights among them."""
    _check_positive(batch=batch)
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = {value.name: value.type for value in proto.graph.input if value.name not in weights}
    if unknown := sorted(set(shapes) - set(inputs)):
        raise InputError(f"{name}: shapes: expected names among {sorted(inputs)}, got {unknown}")
    declared = {key: _declared_shape(kind, f"{name}: input {key!r}", key in shapes) for key, kind in inputs.items()}
    fixed = [shape for key, shape in declared.items() if key not in shapes and 0 not in shape]
    if batch != 1 and len(fixed) == len(inputs) and not any(shape[:1] == (batch,) for shape in fixed):
        raise InputError(f"{name}: batch: expected 1, because all shapes are fixed ({fixed}), got {batch}")
    return {
        key: (
            shapes.get(key, tuple(size or batch for size in declared[key])),
            _input_type(kind, f"{name}: input {key!r}"),
        )
        for key, kind in inputs.items()
    }


def _declared_shape(kind: Any, where: str, stated: bool) -> tuple[int, ...]:
    """Sizes of an input's dimensions, 0 for a symbolic one."""
    if stated:
        return ()
    if not kind.tensor_type.HasField("shape"):
        raise InputError(f"{where}: expected a tensor with a shape; state it with shapes=")
    return tuple(max(dim.dim_value, 0) for dim in kind.tensor_type.shape.dim)


def _input_type(kind: Any, where: str) -> str:
    """NumPy's name of an input's type."""
    code = kind.tensor_type.elem_type
    found = onnx.helper.tensor_dtype_to_np_dtype(code) if kind.HasField("tensor_type") and code else np.dtype(object)
    if found.kind not in "fiub" or found.isbuiltin != 1:
        raise InputError(f"{where}: expected numbers of a type that NumPy knows, got {found.name}")
    return str(found.name)


def _initializers(graph: Any) -> Iterator[Any]:
    """Tensors of a graph and of the branches and loop bodies in it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from _initializers(inner)


def _location(tensor: Any) -> str:
    """File that holds a tensor's values, relative to the model's; empty if the model holds them."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return ""
    return str({entry.key: entry.value for entry in tensor.external_data}["location"])


# ------------------------------------------------------------------- settings
def _check_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not value > 0:
            raise InputError(f"{name}: expected a number above 0, got {value!r}")


def _check_provider(provider: str) -> None:
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise InputError(f"provider: expected one of {available}, got {provider!r}")
