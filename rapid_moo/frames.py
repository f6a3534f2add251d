"""Architectures as data frames: genes as users wrote them, beside raw objectives, under names that do not clash."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.space import SearchSpace


def own_name(name: str, taken: Sequence[str]) -> str:
    """A column name of ours that no gene or objective has: with underscores behind it where one does."""
    while name in taken:
        name += "_"
    return name


def gene_frame(space: SearchSpace, X: IntArray) -> pd.DataFrame:
    """One column per gene with the choices as they are; NaN for an inactive gene."""
    active = space.is_active(X) if len(X) else np.zeros((0, space.n_var), dtype=np.bool_)
    columns: dict[str, pd.Series] = {}
    for k, gene in enumerate(space.genes):
        values = [gene.choices[code] if on else np.nan for code, on in zip(X[:, k], active[:, k], strict=True)]
        plain = active[:, k].all() and len(X) and None not in gene.choices
        columns[gene.name] = pd.Series(values, dtype=None if plain else object)
    return pd.DataFrame(columns)


def described_frame(space: SearchSpace, objectives: Sequence[str], X: IntArray, raw: FloatArray) -> pd.DataFrame:
    """Architectures as users ask for them: text, genes, and raw objectives, a row each.

    A column of ours whose name a gene or objective has gets underscores behind its name; of a gene and an objective of
    the same name the objective stays.

    Parameters
    ----------
    space : SearchSpace
        What an architecture is.
    objectives : sequence of str
        Names of the columns of ``raw``.
    X : ndarray of shape (n, n_var)
        Repaired genotypes.
    raw : ndarray of shape (n, n_objectives)
        Raw values, NaN where unknown.
    """
    genes = gene_frame(space, X)
    shared = [name for name in genes.columns if name in objectives]
    frame = pd.concat([genes.drop(columns=shared), pd.DataFrame(raw, columns=[*objectives])], axis=1)
    frame.insert(0, own_name("architecture", [*genes.columns, *objectives]), [space.to_string(x) for x in X])
    return frame
