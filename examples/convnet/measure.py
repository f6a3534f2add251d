"""Train one network with PyTorch, export it to ONNX and measure it: genes as JSON in, objectives as JSON out.

``echo '{"op": "mlp", "blocks": 1, "width": 8, "norm": "none", "dropout": 0.0, "lr": 0.01}' | python
examples/convnet/measure.py``
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from rapid_moo.profiling import latency, model_size

try:
    import torch
    from torch import nn
except ImportError:
    raise SystemExit("this example trains with PyTorch: pip install torch==2.13.0") from None

EPOCHS = 15
BATCH = 64
CLASSES = 10


def measure(genes: dict[str, Any]) -> dict[str, float]:
    """Error [%] on images that training has not seen, latency [us] through ONNX Runtime, size [KiB] of the file."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images, labels = load_digits(return_X_y=True)
    # The same split for every network: differences are those of the networks.
    parts = train_test_split(images / 16, labels, stratify=labels, random_state=0)
    train_x, test_x = (torch.from_numpy(x.astype(np.float32)).reshape(-1, 1, 8, 8) for x in parts[:2])
    train_y, test_y = (torch.from_numpy(y) for y in parts[2:])
    network = build(genes)
    train(network, train_x, train_y, genes["lr"])
    network.eval()
    with torch.inference_mode():
        wrong = (network(test_x).argmax(1) != test_y).double().mean()
    model = exported(network)
    return {
        "error": 100 * float(wrong),
        "latency": 1e3 * latency(model, max_seconds=1.0).median,
        "size": model_size(model) / 1024,
    }


def build(genes: dict[str, Any]) -> nn.Sequential:
    """The network of an architecture; a gene that is not active is not there."""
    layers: list[nn.Module] = [nn.Flatten()] if genes["op"] == "mlp" else []
    inputs, outputs = (64, 4 * genes["width"]) if genes["op"] == "mlp" else (1, genes["width"])
    for k in range(genes["blocks"]):
        layers += block(genes, inputs, outputs)
        if genes["op"] != "mlp" and k < genes["blocks"] - 1:
            layers.append(nn.MaxPool2d(2))
        inputs, outputs = outputs, outputs * genes.get("growth", 1)
    if genes["op"] != "mlp":
        layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
        inputs *= 4
    return nn.Sequential(*layers, nn.Dropout(genes["dropout"]), nn.Linear(inputs, CLASSES))


def block(genes: dict[str, Any], inputs: int, outputs: int) -> list[nn.Module]:
    """One operation with its normalisation and activation."""
    normalised = genes["norm"] == "batch"
    if genes["op"] == "mlp":
        layers: list[nn.Module] = [nn.Linear(inputs, outputs)]
        norm: nn.Module = nn.BatchNorm1d(outputs)
    else:
        # A separable convolution filters each channel alone and mixes channels afterwards.
        groups = inputs if genes["op"] == "separable" else 1
        between = inputs if genes["op"] == "separable" else outputs
        layers = [nn.Conv2d(inputs, between, genes["kernel"], padding="same", groups=groups)]
        layers += [nn.Conv2d(between, outputs, 1)] if genes["op"] == "separable" else []
        norm = nn.BatchNorm2d(outputs)
    return [*layers, *([norm] if normalised else []), nn.ReLU()]


def train(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, lr: float) -> None:
    """Adam with a cosine schedule."""
    optimizer = torch.optim.Adam(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(images) // BATCH))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()


def exported(network: nn.Module) -> bytes:
    """The network as an ONNX model."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs onnxscript and takes longer
        torch.onnx.export(network, (torch.zeros(1, 1, 8, 8),), content, dynamo=False)
    return content.getvalue()


if __name__ == "__main__":
    json.dump(measure(json.load(sys.stdin)), sys.stdout)
