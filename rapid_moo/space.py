"""Search spaces: what an architecture is, as integer codes.

A genotype is a row of codes ``0 .. k-1``, one per gene, so ``X`` has shape (n, n_var). Three forms matter:

* any genotype, as evolutionary operators make them;
* the *repaired* genotype: inactive genes fixed, so that one architecture has one form. It is what a table
  stores and what a budget bills;
* the *canonical* genotype: one form for every architecture that computes the same function. Equal to the repaired
  form unless a space knows better (NAS-Bench-201: dead edges change latency and size but not the function).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid_moo._util import BoolArray, FloatArray, IntArray, Seed, as_generator, row_keys, unique_rows
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective

FEATURE_SETS = ("engineered", "one_hot", "all")
ENUMERABLE = 2_000_000


@dataclass(frozen=True)
class Gene:
    """One decision about an architecture.

    Parameters
    ----------
    name : str
        Name in reports and architecture strings.
    choices : tuple of int
        Published value of each code: code ``i`` stands for ``choices[i]``.
    labels : tuple of str, optional
        Readable name of each choice; the value itself if not given.
    ordered : bool
        Whether neighbouring codes are similar (a width) or not (an operation).
    weight : float
        Weight of the gene in the distance between genotypes, for example the number of layers it acts on.
    """

    name: str
    choices: tuple[int, ...]
    labels: tuple[str, ...] = ()
    ordered: bool = True
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.choices)) != len(self.choices):
            raise InputError(f"gene {self.name!r}: expected distinct choices, got {self.choices}")
        if not self.labels:
            object.__setattr__(self, "labels", tuple(str(choice) for choice in self.choices))
        if len(self.labels) != len(self.choices):
            raise InputError(f"gene {self.name!r}: expected {len(self.choices)} labels, got {len(self.labels)}")


class SearchSpace:
    """A finite space of architectures, each a row of integer codes.

    Subclasses set ``name``, ``genes`` and ``objectives`` and override the private methods (``_active``,
    ``_canonical``, ``_features``, ``_encode``, ``_decode``, ``_compute``) where the defaults do not fit. Public
    methods validate and never change their input; private ones may assume valid, repaired genotypes.

    Attributes
    ----------
    name : str
        Key of the space in the registry.
    genes : tuple of Gene
        The decisions, one per column of ``X``.
    objectives : tuple of Objective
        The objectives that its published tables hold, in the order accuracy, latency, memory.
    computed : tuple of Objective
        Objectives that follow exactly from the genotype (parameters, FLOPs): computed, never predicted.
    optional : tuple of Objective
        Further objectives of its published tables, on demand (energy).
    default_memory : str
        Which memory objective its tables get unless told: ``"profiled"`` or the name of a computed one.
    inactive : int
        Published value of an inactive gene.
    """

    name: str = ""
    genes: tuple[Gene, ...] = ()
    objectives: tuple[Objective, ...] = ()
    computed: tuple[Objective, ...] = ()
    optional: tuple[Objective, ...] = ()
    default_memory: str = "profiled"
    inactive: int = -1

    # ---------------------------------------------------------------- geometry
    @property
    def n_var(self) -> int:
        """Number of genes."""
        return len(self.genes)

    @property
    def n_choices(self) -> IntArray:
        """Number of choices of each gene, shape (n_var,)."""
        return np.array([len(gene.choices) for gene in self.genes], dtype=np.int64)

    @property
    def xl(self) -> IntArray:
        """Lower bounds of the codes: zeros of shape (n_var,)."""
        return np.zeros(self.n_var, dtype=np.int64)

    @property
    def xu(self) -> IntArray:
        """Upper bounds of the codes (inclusive), shape (n_var,)."""
        return self.n_choices - 1

    @property
    def size(self) -> int:
        """Number of distinct architectures; an exact integer however large."""
        return int(np.prod(self.n_choices.astype(object)))

    @property
    def enumerable(self) -> bool:
        """Whether :meth:`enumerate` is affordable."""
        return bool(np.prod(self.n_choices.astype(object)) <= ENUMERABLE)

    # ------------------------------------------------------------- genotypes
    def check(self, X: ArrayLike, /) -> IntArray:
        """Coerce genotypes to integer codes of shape (n, n_var); a single row is promoted.

        Raises
        ------
        InputError
            If the shape, a type or a code is wrong; the message names row and gene.
        """
        array = np.atleast_2d(np.asarray(X))
        if array.ndim != 2 or array.shape[1] != self.n_var:
            raise InputError(f"{self.name}: expected genotypes of shape (n, {self.n_var}), got {array.shape}")
        try:
            codes: IntArray = np.asarray(array, dtype=np.float64).round().astype(np.int64)
            exact = bool((np.asarray(array, dtype=np.float64) == codes).all())
        except (TypeError, ValueError):
            exact = False
        if not exact:
            raise InputError(f"{self.name}: expected integer codes, got {array[:1].tolist()}")
        wrong = (codes < 0) | (codes > self.xu)
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            raise InputError(
                f"{self.name}: row {row}, gene {self.genes[column].name!r}: expected a code in"
                f" 0..{self.xu[column]}, got {codes[row, column]}"
            )
        return codes

    def is_active(self, X: ArrayLike, /) -> BoolArray:
        """Which genes have an effect, shape (n, n_var)."""
        return self._active(self.check(X))

    def repair(self, X: ArrayLike, /) -> IntArray:
        """The same architectures with inactive genes at code 0: one form per architecture."""
        return self._repair(self.check(X))

    def canonical(self, X: ArrayLike, /) -> IntArray:
        """One form per *function*: architectures that compute the same share a canonical genotype."""
        return self._canonical(self.repair(X))

    def keys(self, X: ArrayLike, /) -> list[bytes]:
        """One hashable key per genotype, equal for genotypes of the same architecture."""
        return [key.tobytes() for key in row_keys(self.repair(X))]

    def enumerate(self) -> IntArray:
        """Every architecture once, repaired, in lexicographic order of the codes; shape (size, n_var)."""
        if not self.enumerable:
            raise InputError(f"{self.name}: {self.size:.3g} architectures are too many to enumerate")
        grid = np.array(list(product(*(range(k) for k in self.n_choices))), dtype=np.int64)
        repaired = self._repair(grid.reshape(-1, self.n_var))
        return repaired[unique_rows(repaired)[0]]

    def sample(self, n: int, seed: Seed = None) -> IntArray:
        """Distinct random architectures, shape (n, n_var); fewer if the space is smaller.

        Genes are drawn independently; an architecture with many genotypes is not drawn more often in spaces small
        enough to enumerate.
        """
        rng = as_generator(seed)
        if self.enumerable:
            members = self.enumerate()
            return members[rng.permutation(len(members))[:n]]
        found = np.empty((0, self.n_var), dtype=np.int64)
        for _ in range(64):
            drawn = self._repair(rng.integers(0, self.n_choices, size=(n, self.n_var)))
            found = np.vstack([found, drawn])
            found = found[unique_rows(found)[0]]
            if len(found) >= n:
                break
        return found[:n]

    def distance(self, A: ArrayLike, B: ArrayLike, /) -> FloatArray:
        """Distance between architectures, shape (n_a, n_b): a weighted mean over genes in [0, 1].

        An ordered gene adds its distance in codes over its largest one, any other gene 0 or 1; a gene that is
        active in one architecture only adds 1.
        """
        a, b = self.repair(A), self.repair(B)
        active_a, active_b = self._active(a), self._active(b)
        scale = np.array([1.0 / max(len(g.choices) - 1, 1) if g.ordered else np.inf for g in self.genes])
        weights = np.array([gene.weight for gene in self.genes], dtype=np.float32)
        weights /= weights.sum()
        codes = b.astype(np.int16)
        total = np.empty((len(a), len(b)), dtype=np.float64)
        for i, (x, on) in enumerate(zip(a.astype(np.int16), active_a, strict=True)):
            # An infinite scale makes every change of an unordered gene count as a whole one.
            with np.errstate(invalid="ignore"):
                apart = np.nan_to_num(np.abs(codes - x) * scale.astype(np.float32), nan=0.0)
            apart = np.where(active_b != on, np.float32(1.0), np.minimum(apart, np.float32(1.0)))
            total[i] = apart @ weights
        return total

    # ---------------------------------------------------------------- border
    @property
    def vector_length(self) -> int:
        """Length of the published vector."""
        return self.n_var

    def encode(self, vectors: ArrayLike, /) -> IntArray:
        """Published vectors of shape (n, vector_length) to repaired genotypes of shape (n, n_var).

        Raises
        ------
        InputError
            If a value is not among a gene's choices; the message names row, position and choices.
        """
        array = np.atleast_2d(np.asarray(vectors))
        if array.ndim != 2 or array.shape[1] != self.vector_length or array.dtype.kind not in "iu":
            raise InputError(
                f"{self.name}: expected integer vectors of length {self.vector_length}, got shape"
                f" {array.shape} of {array.dtype}"
            )
        return self._repair(self._encode(array.astype(np.int64)))

    def decode(self, X: ArrayLike, /) -> IntArray:
        """Genotypes to published vectors of shape (n, vector_length)."""
        return self._decode(self.repair(X))

    def to_string(self, x: ArrayLike, /) -> str:
        """One architecture as readable text, for example ``depth=2 width1=64``."""
        row = self.repair(x)
        active = self._active(row)[0]
        return " ".join(
            f"{gene.name}={gene.labels[code]}" for gene, code, on in zip(self.genes, row[0], active, strict=True) if on
        )

    def from_string(self, text: str, /) -> IntArray:
        """The genotype of shape (n_var,) of a text that :meth:`to_string` wrote."""
        codes = {gene.name: 0 for gene in self.genes}
        genes = {gene.name: gene for gene in self.genes}
        for part in text.split():
            name, _, label = part.partition("=")
            if name not in genes or label not in genes[name].labels:
                raise InputError(f"{self.name}: cannot read {part!r} in architecture {text!r}")
            codes[name] = genes[name].labels.index(label)
        found: IntArray = self.repair([list(codes.values())])[0]
        return found

    # ------------------------------------------------------------ prediction
    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features."""
        return tuple(gene.name for gene in self.genes)

    def features(self, X: ArrayLike, /, kind: str = "engineered") -> FloatArray:
        """What predictors see, shape (n, n_features).

        Parameters
        ----------
        X : array-like of shape (n, n_var)
            Genotypes.
        kind : {"engineered", "one_hot", "all"}
            The space's own features, one indicator per gene and choice (none set for an inactive gene), or both.
        """
        if kind not in FEATURE_SETS:
            raise InputError(f"features: expected one of {', '.join(FEATURE_SETS)}, got {kind!r}")
        repaired = self.repair(X)
        parts = []
        if kind in ("engineered", "all"):
            parts.append(np.asarray(self._features(repaired), dtype=np.float64))
        if kind in ("one_hot", "all"):
            parts.append(self._one_hot(repaired))
        return np.hstack(parts)

    def compute(self, X: ArrayLike, /, name: str) -> FloatArray:
        """Raw values of an exactly computed objective, shape (n,)."""
        if name not in {objective.name for objective in self.computed}:
            known = ", ".join(objective.name for objective in self.computed) or "none"
            raise InputError(f"{self.name}: {name!r} is not computed from the genotype (computed: {known})")
        return np.asarray(self._compute(self.repair(X), name), dtype=np.float64)

    # -------------------------------------------------------------- defaults
    def _active(self, X: IntArray) -> BoolArray:
        return np.ones(X.shape, dtype=np.bool_)

    def _repair(self, X: IntArray) -> IntArray:
        return np.where(self._active(X), X, 0)

    def _canonical(self, X: IntArray) -> IntArray:
        return X.copy()

    def _encode(self, vectors: IntArray) -> IntArray:
        """Look every value up among its gene's choices; an inactive value becomes code 0."""
        X = np.zeros((len(vectors), self.n_var), dtype=np.int64)
        for k, gene in enumerate(self.genes):
            X[:, k] = self._codes(gene, vectors[:, k], k)
        blank = (vectors == self.inactive) & ~self._holds_inactive()
        if (wrong := blank & self._active(X)).any():
            row, k = (int(i) for i in np.argwhere(wrong)[0])
            raise InputError(
                f"{self.name}: row {row + 1}, position {k} ({self.genes[k].name}): an active gene is"
                f" {self.inactive}; expected one of {list(self.genes[k].choices)}"
            )
        return X

    def _holds_inactive(self) -> BoolArray:
        return np.array([self.inactive in gene.choices for gene in self.genes], dtype=np.bool_)

    def _codes(self, gene: Gene, values: IntArray, position: int) -> IntArray:
        choices = np.asarray(gene.choices)
        order = np.argsort(choices)
        slots = np.minimum(np.searchsorted(choices, values, sorter=order), len(choices) - 1)
        codes = order[slots]
        known = choices[codes] == values
        blank = (values == self.inactive) & ~known
        if not (known | blank).all():
            row = int(np.flatnonzero(~(known | blank))[0])
            raise InputError(
                f"{self.name}: row {row + 1}, position {position} ({gene.name}): expected one of"
                f" {list(gene.choices)}, got {values[row]}"
            )
        return np.where(blank, 0, codes).astype(np.int64)

    def _decode(self, X: IntArray) -> IntArray:
        values = np.column_stack([np.asarray(g.choices)[X[:, k]] for k, g in enumerate(self.genes)])
        return np.where(self._active(X), values, self.inactive).astype(np.int64)

    def _features(self, X: IntArray) -> FloatArray:
        return X.astype(np.float64)

    def _one_hot(self, X: IntArray) -> FloatArray:
        active = self._active(X)
        blocks = [
            (X[:, k, None] == np.arange(len(gene.choices))) & active[:, k, None]
            for k, gene in enumerate(self.genes)
            if len(gene.choices) > 1
        ]
        return np.hstack(blocks).astype(np.float64) if blocks else np.zeros((len(X), 1))

    def _compute(self, X: IntArray, name: str) -> FloatArray:
        raise InputError(f"{self.name}: nothing is computed from the genotype, asked for {name!r}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.n_var} genes, {self.size:.3g} architectures>"


class GridSpace(SearchSpace):
    """A space of independent genes without structure, such as one inferred from a file.

    Parameters
    ----------
    name : str
        Name of the space.
    genes : sequence of Gene
        Its genes; all of them are always active.
    objectives : sequence of Objective
        The objectives of its tables.
    """

    def __init__(self, name: str, genes: Sequence[Gene], objectives: Sequence[Objective] = ()) -> None:
        if not genes:
            raise InputError(f"{name}: expected at least one gene, got none")
        self.name = name
        self.genes = tuple(genes)
        self.objectives = tuple(objectives)

    @classmethod
    def infer(cls, name: str, vectors: NDArray[Any], objectives: Sequence[Objective]) -> GridSpace:
        """Infer genes and choices: each position is a gene, its distinct values are its choices."""
        genes = []
        for k in range(vectors.shape[1]):
            choices = tuple(int(v) for v in np.unique(vectors[:, k]))
            genes.append(Gene(f"g{k}", choices))
        return cls(name, genes, objectives)
