"""Made-up spaces whose every value is known: what the studies of failures and of noise search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rapid_moo import Gene, GridSpace, Objective
from rapid_moo._util import BoolArray, FloatArray, IntArray

OBJECTIVES = (Objective("accuracy", "max"), Objective("latency", "min"))
WIDTHS = np.array([16, 32, 64, 128])
SPACES = ("widths", "cells", "stages")
FAILURES = ("largest", "combined", "pockets", "random")


@dataclass(frozen=True)
class World:
    """A space with the noise-free raw values of all its architectures.

    Attributes
    ----------
    space : GridSpace
        The space.
    X : ndarray of shape (n, n_var)
        Every architecture.
    raw : ndarray of shape (n, 2)
        Accuracy and latency.
    size, combination : ndarray of shape (n,)
        What failures follow: how large a network is, and how unlucky its operation is together with its depth.
    """

    space: GridSpace
    X: IntArray
    raw: FloatArray
    size: FloatArray
    combination: FloatArray

    @property
    def minimised(self) -> FloatArray:
        """Values to be minimised, shape (n, 2)."""
        return self.raw * np.array([-1.0, 1.0])


def make_world(kind: str, number: int) -> World:
    """One of the kinds of ``SPACES``; the number draws its coefficients."""
    rng = np.random.default_rng([SPACES.index(kind), number])
    space = {"widths": _widths, "cells": _cells, "stages": _stages}[kind]()
    X = space.enumerate()
    if kind == "widths":
        size = WIDTHS[X].sum(axis=1).astype(float)
        tilt, slow = rng.normal(0, 0.3, 6), rng.normal(0, 0.05, 6)
        accuracy = 90 - 2000 / (size + 40) + X @ tilt
        latency = size * (1 + X @ slow + 0.1 * X[:, 1])
        combination = 4.0 * X[:, 0] * X[:, 3] + X[:, 5]
        return World(space, X, np.column_stack([accuracy, latency]), size, combination)
    depth, op, width = X[:, 0] + 1.0, X[:, 1], WIDTHS[X[:, 2:4]].astype(float)
    good, cost = rng.permutation([0.0, 0.8, 1.6, 2.4]), rng.permutation([0.6, 0.8, 1.1, 1.4])
    size = depth * width.sum(axis=1)
    latency = 1.0 + 0.02 * size * cost[op] * (1 + 0.15 * X[:, 4])
    accuracy = 92 - 60 / np.sqrt(size + 20) + good[op] * np.sqrt(depth) + rng.normal(0, 0.4, 3)[X[:, 4]]
    accuracy += 0.3 * np.sin(2.0 * X[:, 5] + op) - 0.15 * np.abs(X[:, 2] - X[:, 3])
    if kind == "stages":
        active = X[:, 0] >= 2
        accuracy += np.where(active, rng.normal(0.3, 0.3, 3)[X[:, 6]], 0.0)
        latency += np.where(active, 0.4 * X[:, 6] * depth, 0.0)
    bad = np.argsort(rng.permutation(4))[op]
    return World(space, X, np.column_stack([accuracy, latency]), size, 1.4 * bad + X[:, 0] + 0.01 * X[:, 5])


def failing(world: World, kind: str, share: float, number: int) -> BoolArray:
    """Which architectures fail, shape (n,): the share of the space with the highest score of a kind of ``FAILURES``."""
    rng = np.random.default_rng([7, FAILURES.index(kind), number])
    if kind == "largest":
        score = world.size
    elif kind == "combined":
        score = world.combination
    elif kind == "pockets":
        score = _pockets(world, rng)
    else:
        score = rng.random(len(world.X))
    ties = rng.random(len(score))
    order = np.lexsort((ties, score))
    failed = np.zeros(len(score), dtype=np.bool_)
    failed[order[len(order) - round(share * len(order)) :]] = True
    return failed


def _pockets(world: World, rng: np.random.Generator) -> FloatArray:
    """Nearness to the nearest of eight random architectures."""
    centres = world.X[rng.choice(len(world.X), 8, replace=False)]
    spread = np.maximum(world.X.std(axis=0), 1e-9)
    distance = np.abs((world.X[:, None, :] - centres[None]) / spread).sum(axis=2)
    return np.asarray(-distance.min(axis=1))


def _widths() -> GridSpace:
    return GridSpace("widths", [Gene(f"w{k}", tuple(WIDTHS.tolist())) for k in range(6)], OBJECTIVES)


def _common() -> list[Gene]:
    return [
        Gene("depth", (1, 2, 3, 4, 5)),
        Gene("op", ("conv", "separable", "pool", "mixer")),
        Gene("width1", tuple(WIDTHS.tolist())),
        Gene("width2", tuple(WIDTHS.tolist())),
        Gene("kernel", (3, 5, 7)),
        Gene("activation", ("relu", "gelu", "silu")),
    ]


def _cells() -> GridSpace:
    return GridSpace("cells", _common(), OBJECTIVES)


def _stages() -> GridSpace:
    last = Gene("tail", ("none", "attention", "squeeze"), when={"depth": (3, 4, 5)})
    return GridSpace("stages", [*_common(), last], OBJECTIVES)
