"""Train one network of the space and measure it: genes as JSON on standard input, objectives as JSON on the output.

``echo '{"depth": 2, "width": 32, "lr": 0.01, "optimizer": "adam"}' | python examples/tower/measure.py``
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

EPOCHS = 30
RUNS = 2000


def measure(genes: dict[str, Any]) -> dict[str, float]:
    """Error [%] on images that training has not seen, and the time of one image [us]."""
    images, labels = load_digits(return_X_y=True)
    # The same split for every network: differences are those of the networks.
    train_x, test_x, train_y, test_y = train_test_split(images / 16, labels, stratify=labels, random_state=0)
    network = MLPClassifier(
        hidden_layer_sizes=(genes["width"],) * genes["depth"],
        solver=genes["optimizer"],
        learning_rate_init=genes["lr"],
        momentum=genes.get("momentum", 0.0),  # a gene that is not active is not there
        max_iter=EPOCHS,
        random_state=0,
    )
    # One thread: such small products gain nothing by more, and evaluations beside this one keep their speed.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # thirty epochs are what we want
        network.fit(train_x, train_y)
        return {
            "error": 100 * (1 - network.score(test_x, test_y)),
            "latency": median_time(network, test_x[:1]),
        }


def median_time(network: MLPClassifier, image: np.ndarray) -> float:
    """Median time of one image in microseconds, by the bare network."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        hidden = image
        for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)
        (hidden @ network.coefs_[-1] + network.intercepts_[-1]).argmax()
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


if __name__ == "__main__":
    json.dump(measure(json.load(sys.stdin)), sys.stdout)
