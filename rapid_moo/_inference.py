"""One ONNX model loaded and run, for the profiler and for the child process that measures its memory.

This file runs as a script in that child. It imports nothing else of the package, so that the child starts fast and
little beside the runtime is resident when its baseline is taken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

CPU = "CPUExecutionProvider"
ERRORS_ONLY = 3
MIB = 2.0**20
InputSpecs: TypeAlias = dict[str, tuple[tuple[int, ...], str]]


def open_session(model: str | bytes, threads: int, provider: str) -> Any:
    """Load a model; what is wrong with it comes as an exception of the runtime, not as a line on standard error."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=[provider])


def random_inputs(specs: InputSpecs, seed: int) -> dict[str, NDArray[Any]]:
    """Arrays by input name: floats in [0, 1), integers 0 or 1, which are valid indices of nearly every table."""
    rng = np.random.default_rng(seed)
    return {name: _random_array(shape, np.dtype(kind), rng) for name, (shape, kind) in specs.items()}


def _random_array(shape: tuple[int, ...], kind: np.dtype[Any], rng: np.random.Generator) -> NDArray[Any]:
    if kind == np.float64:
        return rng.random(shape)
    if kind.kind == "f":
        return rng.random(shape, dtype=np.float32).astype(kind, copy=False)
    return rng.integers(0, 2, shape, dtype=np.uint8).astype(kind)


def bound_run(session: Any, inputs: dict[str, NDArray[Any]]) -> Callable[[], None]:
    """One inference with bound buffers, so that little but the network is timed."""
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")

    def run() -> None:
        session.run_with_iobinding(binding)

    return run


def _reset_peak() -> None:
    """Let the peak start again from what is resident now, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_mib() -> float:
    """Largest resident set of this process so far.

    Linux keeps ``VmHWM`` for the program alone. ``ru_maxrss`` of a child starts at its parent's size there, and serves
    only where there is no ``/proc``.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024.0
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024.0


def measure_peak(settings: dict[str, Any]) -> dict[str, float]:
    """Resident set [MiB] of this process: before the model is loaded, and the peak of loading and running it."""
    threads, provider = settings["threads"], settings["provider"]
    # The first session of a process sets up the runtime itself; it stays open, so that nothing of it is freed.
    first = open_session(settings["smallest"], threads, provider)
    bound_run(first, random_inputs(settings["smallest_inputs"], 0))()
    _reset_peak()
    baseline = _peak_mib()
    session = open_session(settings["model"], threads, provider)
    run = bound_run(session, random_inputs(settings["inputs"], settings["seed"]))
    for _ in range(settings["runs"]):
        run()
    return {"baseline": baseline, "peak": _peak_mib()}


def main() -> None:
    """Read settings as JSON from standard input, write the result or the error as JSON to standard output."""
    try:
        result: dict[str, Any] = dict(measure_peak(json.load(sys.stdin)))
    except Exception as error:  # whatever the runtime raises is for the parent to tell
        result = {"error": f"{type(error).__name__}: {error}"}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
