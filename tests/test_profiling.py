from __future__ import annotations

import itertools
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from rapid_moo.errors import DataNotFoundError, InputError, MeasurementError, MissingExtraError

profiling = pytest.importorskip(
    "rapid_moo.profiling", reason="the extra 'profile' is not installed", exc_type=MissingExtraError
)
onnx = pytest.importorskip("onnx", reason="the extra 'profile' is not installed")
FLOAT = onnx.TensorProto.FLOAT


def saved(nodes, inputs, outputs, weights=()):
    """A serialised model; inputs and outputs as (name, type, shape)."""
    made = [[onnx.helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs)]
    graph = onnx.helper.make_graph(nodes, "test", *made, list(weights))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def dense(inputs, outputs, batch="n"):
    """One matrix product, ``inputs * outputs`` weights."""
    weight = np.random.default_rng(0).standard_normal((inputs, outputs)).astype(np.float32)
    return saved(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", FLOAT, [batch, inputs])],
        [("y", FLOAT, [batch, outputs])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )


def copies(kind, shape):
    """A model that copies one input."""
    return saved([onnx.helper.make_node("Identity", ["x"], ["y"])], [("x", kind, shape)], [("y", kind, shape)])


class Clock:
    """A clock that a fake network moves on, so that what is measured is known exactly."""

    def __init__(self, monkeypatch, times_ms):
        self.ns = 0
        self.times = itertools.chain(times_ms)
        self.calls = 0
        clock = SimpleNamespace(perf_counter=lambda: self.ns / 1e9, perf_counter_ns=lambda: self.ns)
        monkeypatch.setattr(profiling, "time", clock)
        monkeypatch.setattr(profiling, "runner", lambda *args, **options: self.run)

    def run(self):
        self.ns += int(next(self.times) * 1e6)
        self.calls += 1


# ------------------------------------------------------------------- latency
def test_report_of_known_times(monkeypatch):
    clock = Clock(monkeypatch, itertools.cycle([1.0, 2.0, 3.0, 4.0, 10.0]))
    report = profiling.latency(b"", warm_up=5, min_runs=60, threads=2, batch=3)
    assert (report.median, report.mean, report.p10, report.p90, report.p99) == (3.0, 4.0, 1.0, 10.0, 10.0)
    assert report.steady
    assert report.half_width == 0.0
    assert (report.threads, report.batch, report.provider) == (2, 3, "CPUExecutionProvider")
    assert report.runs >= 60
    assert report.runs < clock.calls  # warming up does not count


def test_times_of_warming_up_are_not_counted(monkeypatch):
    Clock(monkeypatch, itertools.chain([500.0] * 2, itertools.repeat(1.0)))
    report = profiling.latency(b"", warm_up=10)
    assert report.p99 == report.mean == 1.0


def test_no_steady_median_ends_with_the_time(monkeypatch):
    clock = Clock(monkeypatch, (1.0 if k // 20 % 2 else 2.0 for k in itertools.count()))
    report = profiling.latency(b"", max_seconds=2.0)
    assert not report.steady
    assert report.half_width > 0.02
    assert 2.0 <= clock.ns / 1e9 < 2.1


def test_goes_on_until_the_median_is_steady(monkeypatch):
    rng = np.random.default_rng(0)
    Clock(monkeypatch, (float(rng.lognormal(0.0, 0.5)) for _ in itertools.count()))
    loose = profiling.latency(b"", tolerance=0.1, max_seconds=100.0)
    tight = profiling.latency(b"", tolerance=0.03, max_seconds=100.0)
    assert loose.steady
    assert tight.steady
    assert tight.runs > 10 * loose.runs
    assert tight.median == pytest.approx(1.0, abs=0.05)


def test_a_run_longer_than_the_limit_is_timed_once(monkeypatch):
    clock = Clock(monkeypatch, itertools.repeat(9000.0))
    report = profiling.latency(b"", max_seconds=1.0)
    assert report.runs == 1
    assert clock.calls == 2  # one of them warms up
    assert report.median == 9000.0
    assert not report.steady
    assert report.half_width == np.inf


@pytest.mark.parametrize(("n", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (20, 6, 15), (25, 8, 18)])
def test_ranks_of_the_interval_are_those_of_the_tables(n, low, high):
    """Ranks of the 95 % interval of a median, as books of nonparametric statistics list them."""
    values = np.arange(1.0, n + 1)
    expected = (high - low) / 2 / np.median(values)
    assert profiling._half_width(list(values[::-1])) == pytest.approx(expected)


def test_fewer_than_six_blocks_have_no_interval():
    assert profiling._half_width([1.0] * 5) == np.inf


def test_a_larger_network_takes_longer(tmp_path):
    path = tmp_path / "large.onnx"
    path.write_bytes(dense(1024, 1024))
    small, large = (profiling.latency(model, max_seconds=0.5) for model in (dense(8, 8), path))
    assert 0 < small.median < large.median
    assert small.p10 <= small.median <= small.p90 <= small.p99
    assert profiling.latency(str(path), batch=64, max_seconds=0.5).median > large.median


# -------------------------------------------------------------------- inputs
@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "DOUBLE", "INT8", "UINT8", "INT32", "INT64", "BOOL"])
def test_inputs_of_every_type(kind):
    profiling.runner(copies(getattr(onnx.TensorProto, kind), ["n", 3]), batch=2)()


@pytest.mark.parametrize("kind", ["STRING", "BFLOAT16"])
def test_a_type_without_numbers_of_numpy_is_refused(kind):
    with pytest.raises(InputError, match=r"input 'x': expected numbers of a type that NumPy knows"):
        profiling.runner(copies(getattr(onnx.TensorProto, kind), [3]))


def specs(model, batch=1, **shapes):
    return profiling._input_specs(onnx.load_model_from_string(model), "model", batch, shapes)


def test_symbolic_dimensions_are_the_batch_unless_stated():
    model = copies(FLOAT, ["n", None, 4])
    assert specs(model, 5) == {"x": ((5, 5, 4), "float32")}
    assert specs(model, 5, x=(5, 7, 4)) == {"x": ((5, 7, 4), "float32")}


def test_indices_that_select_rows_of_a_table_are_valid():
    table = onnx.numpy_helper.from_array(np.ones((2, 4), dtype=np.float32), "table")
    node = onnx.helper.make_node("Gather", ["table", "tokens"], ["y"])
    model = saved([node], [("tokens", onnx.TensorProto.INT64, [1, "t"])], [("y", FLOAT, [1, "t", 4])], [table])
    profiling.runner(model, shapes={"tokens": (1, 50)})()


def test_weights_listed_as_inputs_are_no_inputs():
    model = onnx.load_model_from_string(dense(8, 4))
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", FLOAT, [8, 4]))
    assert list(specs(model.SerializeToString())) == ["x"]


def test_batch_of_a_model_with_fixed_shapes():
    assert specs(dense(8, 4, batch=2), 2) == specs(dense(8, 4, batch=2), 1) == {"x": ((2, 8), "float32")}
    with pytest.raises(InputError, match=r"batch: expected 1, because all shapes are fixed .*\(2, 8\).* got 3"):
        specs(dense(8, 4, batch=2), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": {"z": (1,)}}, r"shapes: expected names among \['x'\], got \['z'\]"),
        ({"shapes": {"x": (1, 9)}}, "expected a model that ONNX Runtime can run"),
        ({"provider": "Abacus"}, "provider: expected one of .*CPUExecutionProvider.*, got 'Abacus'"),
        ({"threads": 0}, "threads: expected a number above 0, got 0"),
        ({"batch": 0}, "batch: expected a number above 0, got 0"),
        ({"max_seconds": 0.0}, "max_seconds: expected a number above 0, got 0"),
        ({"tolerance": float("nan")}, "tolerance: expected a number above 0, got nan"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(InputError, match=message):
        profiling.latency(dense(8, 4), **options)


# --------------------------------------------------------------- broken files
MEASURES = ["latency", "runner", "model_size", "parameter_count", "peak_memory"]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("content", [b"", b"not a model", dense(8, 4)[:-20]], ids=["empty", "text", "cut"])
def test_a_broken_file_is_named(measure, content, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    for model, name in ((path, "broken.onnx"), (content, "ONNX model")):
        with pytest.raises(InputError, match=f"{name}: expected an ONNX model"):
            getattr(profiling, measure)(model)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_missing_file_is_named(measure, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nowhere\.onnx: expected an ONNX file, found none"):
        getattr(profiling, measure)(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("measure", ["latency", "peak_memory"])
def test_an_unknown_operator_is_told(measure):
    node = onnx.helper.make_node("Abacus", ["x"], ["y"])
    model = saved([node], [("x", FLOAT, [3])], [("y", FLOAT, [3])])
    with pytest.raises(InputError, match=r"expected a model that ONNX Runtime can run, got .*Abacus"):
        getattr(profiling, measure)(model)


def test_a_missing_extra_is_named():
    script = "import sys; sys.modules['onnxruntime'] = None; import rapid_moo.profiling"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "MissingExtraError: profiling needs onnx and onnxruntime: pip install 'rapid-moo[profile]'" in ended.stderr


# ------------------------------------------------------------ size and memory
def test_size_and_parameters(tmp_path):
    model = dense(100, 30)
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    assert profiling.model_size(model) == profiling.model_size(path) == len(model)
    assert profiling.parameter_count(model) == profiling.parameter_count(path) == 3000


def test_weights_in_a_file_of_their_own_count(tmp_path):
    path = tmp_path / "model.onnx"
    proto = onnx.load_model_from_string(dense(100, 30))
    onnx.save_model(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    weights = tmp_path / "weights.bin"
    assert weights.stat().st_size >= 4 * 3000
    assert profiling.model_size(path) == path.stat().st_size + weights.stat().st_size
    assert profiling.parameter_count(path) == 3000
    assert profiling.latency(path, max_seconds=0.2).median > 0
    assert profiling.peak_memory(path) > 0
    weights.unlink()
    with pytest.raises(DataNotFoundError, match=r"model\.onnx: expected its weights in .*weights\.bin"):
        profiling.model_size(path)


def test_shapes_are_no_parameters_and_weights_of_branches_are():
    def branch(name, rows):
        weight = onnx.numpy_helper.from_array(np.ones((rows, 4), dtype=np.float32), name)
        out = onnx.helper.make_tensor_value_info(f"{name}_out", FLOAT, [rows, 4])
        node = onnx.helper.make_node("Identity", [name], [f"{name}_out"])
        return onnx.helper.make_graph([node], name, [], [out], [weight])

    shape = onnx.numpy_helper.from_array(np.array([1, -1], dtype=np.int64), "shape")
    node = onnx.helper.make_node("If", ["x"], ["z"], then_branch=branch("a", 2), else_branch=branch("b", 3))
    last = onnx.helper.make_node("Reshape", ["z", "shape"], ["y"])
    model = saved([node, last], [("x", onnx.TensorProto.BOOL, [])], [("y", FLOAT, [1, None])], [shape])
    profiling.runner(model)()
    assert profiling.parameter_count(model) == 20


def test_peak_memory_holds_the_weights_and_the_batch():
    weights = 1024 * 1024 * 4 / 2**20
    alone = profiling.peak_memory(dense(1024, 1024))
    assert weights <= alone <= 4 * weights
    assert profiling.peak_memory(dense(8, 8)) < 1.0
    # Inputs and outputs of 4,096 rows: 32 MiB more, in buffers that the runtime may round up.
    # Against the weights, which are known: what a run of its own needs beside them varies by some MiB.
    assert weights + 32 * 0.9 <= profiling.peak_memory(dense(1024, 1024), batch=4096) <= alone + 3 * 32


def test_peak_memory_of_a_large_parent_is_the_childs_alone():
    alone = profiling.peak_memory(dense(1024, 1024))
    held = np.ones(300 * 2**17)  # 300 MiB
    beside = profiling.peak_memory(dense(1024, 1024))
    assert held.nbytes == 300 * 2**20
    assert beside == pytest.approx(alone, rel=0.1)


def test_a_child_that_is_too_slow_or_fails_is_told(monkeypatch, tmp_path):
    with pytest.raises(MeasurementError, match=r"ONNX model: expected its memory within 0\.001 s, got no answer"):
        profiling.peak_memory(dense(8, 4), timeout=0.001)
    child = tmp_path / "child.py"
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(profiling._inference, "__file__", str(child))
    with pytest.raises(MeasurementError, match=r"ended with -9: it was killed, perhaps for want of memory"):
        profiling.peak_memory(dense(8, 4))
