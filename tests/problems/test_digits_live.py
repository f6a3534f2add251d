from __future__ import annotations

import numpy as np
import pytest

from rapid_moo import get_problem, get_space
from rapid_moo.errors import InputError, MissingExtraError

live = pytest.importorskip(
    "rapid_moo.problems.digits_live", reason="the extra 'profile' is not installed", exc_type=MissingExtraError
)
SMALL = {"input": "pca8", "activation": "tanh", "depth": 1, "width1": 24}


def test_one_network_is_trained_and_timed():
    first, second = live.measure_live(SMALL), live.measure_live(SMALL)
    assert sorted(first) == ["accuracy", "latency"]
    assert first["accuracy"] == second["accuracy"]
    assert 85.0 < first["accuracy"] < 95.0
    assert 0.1 < first["latency"] < 1000.0
    large = {"input": "full", "activation": "relu", "depth": 2, "width1": 192, "width2": 192}
    assert live.measure_live(large)["latency"] > first["latency"]


def test_its_curve_ends_at_its_accuracy_and_a_stopped_one_is_not_timed():
    seen = []

    def report(epoch, values, of):
        seen.append((epoch, values["accuracy"], of))
        return False

    whole = live.measure_live(SMALL, report=report)
    assert [epoch for epoch, _, _ in seen] == list(range(1, 31))
    assert seen[-1] == (30, whole["accuracy"], 30)
    assert whole["accuracy"] == live.measure_live(SMALL)["accuracy"]
    first = list(seen)
    seen.clear()
    assert live.measure_live(SMALL, report=lambda *told, of: report(*told, of=of) or len(seen) == 4) == {}
    assert seen == first[:4]


@pytest.mark.parametrize("row", [3, 700, 1400, 1750, 2730])
def test_three_repeats_give_the_accuracy_of_the_table(row):
    table = get_problem("digits").table
    vector = table.space.decode(table.X[row])[0].tolist()
    names = [gene.name for gene in table.space.genes]
    architecture = {name: value for name, value in zip(names, vector, strict=True) if value != -1}
    # Another processor or BLAS rounds differently, which training amplifies; on the table's own they agree to 1e-4.
    assert live.measure_live(architecture, repeats=3)["accuracy"] == pytest.approx(table.raw[row, 0], abs=0.7)


def test_values_and_labels_say_the_same():
    by_label = live.genotype(SMALL)
    by_value = live.genotype({"input": 1, "activation": 1, "depth": 1, "width1": 24, "width2": -1})
    text = live.genotype({"input": "pca8", "activation": "tanh", "depth": "1", "width1": "24"})
    assert by_label.tolist() == by_value.tolist() == text.tolist() == [1, 1, 0, 1, 0, 0, 0]


def test_widths_beyond_the_depth_do_not_matter():
    assert (live.genotype({**SMALL, "width2": 192}) == live.genotype(SMALL)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "pca9"}, r"gene 'input': expected one of \['pool4', 'pca8'.*, got 'pca9'"),
        ({"width1": 25}, r"\(width1\): expected one of \[8, 24, 64, 192\], got 25"),
        ({"depth": 2}, r"\(width2\): an active gene is -1"),
        ({"kernel": 3}, r"expected genes among \['input',.*, got \['kernel'\]"),
    ],
)
def test_wrong_genes_are_named(change, message):
    with pytest.raises(InputError, match=message):
        live.measure_live({**SMALL, **change})


def test_repeats_below_one_are_refused():
    with pytest.raises(InputError, match="repeats: expected a number above 0, got 0"):
        live.measure_live(SMALL, repeats=0)


def test_deployed_networks_hold_the_parameters_that_the_space_counts():
    onnx = pytest.importorskip("onnx", reason="the extra 'profile' is not installed")
    from rapid_moo.problems.digits import multiplications
    from rapid_moo.profiling import parameter_count, runner

    space = get_space("digits")
    for x in space.sample(20, 0):
        model = live.deployed(x)
        onnx.checker.check_model(onnx.load_model_from_string(model))
        runner(model)()
        products = int(multiplications(x[None, :])[0]) - (64 if x[0] == 0 else 0)  # pooling has no weights
        biases = sum(live.hidden_sizes(x)) + 10 + ([0, 8, 16, 0, 32][x[0]])
        assert parameter_count(model) == products + biases


def test_the_deployed_networks_get_a_batch_of_images():
    pytest.importorskip("onnx", reason="the extra 'profile' is not installed")
    import onnxruntime

    space = get_space("digits")
    pixels = np.random.default_rng(0).random((3, 64), dtype=np.float32)
    for x in space.sample(10, 0):
        one, three = (onnxruntime.InferenceSession(live.deployed(x, 4, batch)) for batch in (1, 3))
        together = three.run(None, {"pixels": pixels})[0]
        apart = [one.run(None, {"pixels": pixels[k : k + 1]})[0][0] for k in range(3)]
        np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)


def test_the_deployed_pooling_is_the_one_that_is_trained():
    onnx = pytest.importorskip("onnx", reason="the extra 'profile' is not installed")
    from onnx.reference import ReferenceEvaluator

    proto = onnx.load_model_from_string(live.deployed(live.genotype({**SMALL, "input": "pool4"})))
    pooled = next(node.output[0] for node in list(proto.graph.node)[2:] if node.op_type == "Reshape")
    proto.graph.output.append(onnx.helper.make_tensor_value_info(pooled, onnx.TensorProto.FLOAT, [1, 16]))
    pixels = np.arange(64, dtype=np.float32).reshape(1, 64)
    found = ReferenceEvaluator(proto).run([pooled], {"pixels": pixels})[0]
    expected = pixels.reshape(4, 2, 4, 2).mean(axis=(1, 3)).reshape(1, 16)
    assert found == pytest.approx(expected)
