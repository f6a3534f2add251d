"""What columns show: identifiers among the genes, columns that say the same, objectives that follow from another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.findings.finding import Finding
from rapid_moo.genes import Gene

FEWEST_ROWS, FEWEST_DISTINCT = 20, 15
AS_MANY = 0.95
SPARSE = 50.0
CHANCE = float(np.log(1e4))
SMOOTH, SMOOTHEST = 0.03, 2e-3


def identifiers(genes: Sequence[Gene], codes: IntArray) -> list[Finding]:
    """Genes with as many choices as there are rows, or architectures, that number or name them.

    Parameters
    ----------
    genes : sequence of Gene
        One per column.
    codes : ndarray of shape (n, n_genes)
        Their codes.

    Notes
    -----
    A quantity of many values (a learning rate, a width) is no identifier. Integers are one where they count without
    holes, rise from row to row, or are spread more than fifty times wider than there are rows; text always is.
    """
    found: list[Finding] = []
    n = len(codes)
    if n < FEWEST_ROWS:
        return found
    for k, gene in enumerate(genes):
        n_distinct = len(np.unique(codes[:, k]))
        if n_distinct < max(FEWEST_ROWS, 0.5 * n) or not _names_rows(gene, codes[:, k]):
            continue
        others = np.delete(codes, k, axis=1)
        n_others = len(np.unique(others, axis=0)) if others.shape[1] else n_distinct
        if n_distinct >= AS_MANY * n or n_distinct == n_others:
            found.append(
                Finding(
                    "identifier",
                    gene.name,
                    f"{n_distinct:,} choices in {n:,} rows",
                    (),
                    {"choices": float(n_distinct), "rows": float(n)},
                )
            )
    return found


def duplicated_genes(genes: Sequence[Gene], codes: IntArray) -> list[Finding]:
    """Pairs of genes of which each determines the other in every row, where chance would not."""
    found: list[Finding] = []
    if len(codes) < FEWEST_ROWS:
        return found
    dense = [np.unique(column, return_inverse=True)[1] for column in codes.T]
    by_counts: dict[tuple[int, ...], list[int]] = {}
    for k, column in enumerate(dense):
        counts = np.bincount(column)
        if len(counts) > 1:
            by_counts.setdefault(tuple(sorted(counts.tolist())), []).append(k)
    n_pairs = max(1, len(genes) * (len(genes) - 1) // 2)
    for counts_key, members in by_counts.items():
        arrangements = gammaln(len(codes) + 1.0) - float(gammaln(np.array(counts_key) + 1.0).sum())
        if arrangements < CHANCE + np.log(n_pairs):
            continue
        for i, first in enumerate(members):
            for second in members[i + 1 :]:
                together = dense[first] * (int(dense[second].max()) + 1) + dense[second]
                if len(np.unique(together)) == len(counts_key):
                    names = f"{genes[first].name} and {genes[second].name}"
                    found.append(Finding("duplicate", names, "each tells the other in every row"))
    return found


def dependent_objectives(names: Sequence[str], values: Sequence[FloatArray], kept: Sequence[IntArray]) -> list[Finding]:
    """Pairs of objectives of which one is a constant times the other, or a smooth function of it.

    Parameters
    ----------
    names : sequence of str
        The objectives.
    values : sequence of ndarray of shape (n,)
        Their raw values.
    kept : sequence of ndarray
        Rows of each that count: those that hold a measure.
    """
    found = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            rows = np.intersect1d(kept[i], kept[j])
            if len(rows) < FEWEST_ROWS:
                continue
            a, b = values[i][rows], values[j][rows]
            if min(len(np.unique(a)), len(np.unique(b))) < FEWEST_DISTINCT:
                continue
            pair = f"{names[i]} and {names[j]}"
            factor = float(a @ b / (a @ a)) if (a @ a) > 0.0 else 0.0
            if float(np.abs(b - factor * a).max()) <= 1e-6 * float(np.ptp(b)):
                found.append(
                    Finding("duplicate", pair, f"the second is {factor:.6g} times the first", (), {"factor": factor})
                )
                continue
            for x, y, says in ((a, b, "the second follows"), (b, a, "the first follows")):
                roughness = _roughness(x, y)
                if roughness is not None:
                    found.append(Finding("function", pair, f"{says} from the other", (), {"roughness": roughness}))
                    break
    return found


def _names_rows(gene: Gene, codes: IntArray) -> bool:
    choices = [gene.choices[code] for code in np.unique(codes) if 0 <= code < len(gene.choices)]
    known = [choice for choice in choices if choice is not None]
    if not known or all(isinstance(choice, str) for choice in known):
        return bool(known)
    if any(isinstance(choice, str) or choice != round(choice) for choice in known):
        return False
    numbers = np.array(known, dtype=np.float64)
    span = float(np.ptp(numbers)) + 1.0
    usable = (codes >= 0) & (codes < len(gene.choices))
    steps = np.diff(codes[usable])
    rising = bool((steps >= 0).all() or (steps <= 0).all())
    return span <= 1.05 * len(numbers) or rising or span > SPARSE * len(codes)


def _roughness(x: FloatArray, y: FloatArray) -> float | None:
    """How far y strays from the line between its neighbours in x, in standard deviations; None if y is no function."""
    distinct, place = np.unique(x, return_inverse=True)
    mean = np.bincount(place, weights=y) / np.bincount(place)
    spread = float(y.std())
    if len(distinct) < FEWEST_DISTINCT or spread == 0.0 or float(np.abs(y - mean[place]).max()) > SMOOTHEST * spread:
        return None
    share = (distinct[1:-1] - distinct[:-2]) / (distinct[2:] - distinct[:-2])
    strays = np.abs(mean[1:-1] - (1.0 - share) * mean[:-2] - share * mean[2:]) / spread
    usual, most = float(np.median(strays)), float(np.quantile(strays, 0.9))
    steps = np.diff(mean)
    monotone = bool((steps >= 0).all() or (steps <= 0).all())
    smooth = most < SMOOTH and usual < SMOOTHEST
    return most if smooth or (monotone and most < 3.0 * SMOOTH) else None
