"""Search spaces: what an architecture is, as integer codes.

A genotype is a row of codes ``0 .. k-1``, one per gene, so ``X`` has shape (n, n_var). Three forms matter:

* any genotype, as evolutionary operators make them;
* the *repaired* genotype: inactive genes fixed, so that one architecture has one form. It is what a table
  stores and what a budget bills;
* the *canonical* genotype: one form for every architecture that computes the same function. Equal to the repaired
  form unless a space knows better (NAS-Bench-201: dead edges change latency and size but not the function).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import BoolArray, FloatArray, IntArray, Seed, as_generator, row_keys, unique_rows
from rapid_moo.drawing import stack
from rapid_moo.errors import InputError
from rapid_moo.genes import Gene, causal_order, check_genes, quoted, tokens
from rapid_moo.objectives import Objective

__all__ = ["ENUMERABLE", "FEATURE_SETS", "Gene", "GridSpace", "SearchSpace"]

FEATURE_SETS = ("engineered", "one_hot", "all")
ENUMERABLE = 2_000_000
DECIMALS = 12
SHOWN_GENES = 16
REMEMBERED = 200_000
"""Spaces of up to so many genotypes are listed once and sampled without replacement from the list."""


class SearchSpace(Shown):
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
    of_function : tuple of str
        Names of objectives that depend on what an architecture computes alone, as accuracy does: their predictors see
        the canonical form. Latency and size may depend on all of an architecture, dead parts included.
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
    of_function: tuple[str, ...] = ()
    default_memory: str = "profiled"
    inactive: int = -1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("genes"), tuple | list):
            cls.genes = tuple(cls.genes)
            check_genes(cls.name or cls.__name__, cls.genes, cls.inactive)

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
        return self._n_architectures

    @property
    def n_genotypes(self) -> int:
        """Number of genotypes, inactive variants included."""
        return math.prod(len(gene.choices) for gene in self.genes)

    @property
    def enumerable(self) -> bool:
        """Whether :meth:`enumerate` is affordable."""
        return self.n_genotypes <= ENUMERABLE

    # ------------------------------------------------------------- genotypes
    def check(self, X: ArrayLike, /) -> IntArray:
        """Coerce genotypes to integer codes of shape (n, n_var); a single row is promoted.

        Raises
        ------
        InputError
            If the shape, a type or a code is wrong; the message names row and gene.
        """
        try:
            array = np.atleast_2d(np.asarray(X))
        except ValueError as error:
            raise InputError(f"{self.name}: expected rows of {self.n_var} codes: {error}") from error
        if array.ndim != 2 or array.shape[1] != self.n_var:
            raise InputError(f"{self.name}: expected genotypes of shape (n, {self.n_var}), got {array.shape}")
        try:
            numbers = np.asarray(array, dtype=np.float64)
            # Beyond any code, and beyond what an integer can hold: infinite values and NaN.
            exact = bool(((np.abs(numbers) < 2**31) & (numbers == np.round(numbers))).all())
        except (TypeError, ValueError):
            exact = False
        if not exact:
            raise InputError(f"{self.name}: expected integer codes, got {array[:1].tolist()}")
        codes: IntArray = numbers.astype(np.int64)
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
        grid = np.indices(tuple(self.n_choices), dtype=np.int16).reshape(self.n_var, -1).T
        repaired = self._repair(np.ascontiguousarray(grid, dtype=np.int64))
        return repaired if bool((repaired == grid).all()) else repaired[unique_rows(repaired)[0]]

    @cached_property
    def _members(self) -> IntArray:
        """Every architecture of a small space, listed once."""
        members = self.enumerate()
        members.setflags(write=False)
        return members

    def sample(self, n: int, seed: Seed = None) -> IntArray:
        """Distinct random architectures, shape (n, n_var); fewer if the space is smaller.

        In a space of at most 200,000 genotypes all architectures are drawn equally often. In a larger one genes are
        drawn independently, and an architecture with inactive genes comes more often.
        """
        rng = as_generator(seed)
        if n < 0:
            raise InputError(f"{self.name}: expected a number of architectures, got {n}")
        if self.n_genotypes <= REMEMBERED:
            return self._members[rng.permutation(len(self._members))[:n]]
        if self.enumerable and 4 * n > self.size:
            # So many are drawn sooner from the list than one after the other.
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
        a, b = self.states(A), self.states(B)
        return np.array([self.apart(state, b) for state in a]).reshape(len(a), len(b))

    def states(self, X: ArrayLike, /) -> IntArray:
        """What :meth:`distance` sees, shape (n, n_var): codes, and one further state for an inactive gene."""
        repaired = self.repair(X)
        return np.where(self._active(repaired), repaired, self.n_choices)

    def apart(self, state: IntArray, states: IntArray) -> FloatArray:
        """Distances of one row of states from n others, shape (n,); what differs by rounding alone is equal."""
        parts = [cost[k, column] for cost, k, column in zip(self.gene_costs, state.tolist(), states.T, strict=True)]
        return np.asarray(np.sum(parts, axis=0).round(DECIMALS))

    @cached_property
    def gene_costs(self) -> tuple[FloatArray, ...]:
        """Per gene what any two of its states add to :meth:`distance`; the last state is "inactive"."""
        total = sum(gene.weight for gene in self.genes)
        tables = []
        for gene in self.genes:
            k = len(gene.choices)
            codes = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
            cost = np.ones((k + 1, k + 1))
            cost[:k, :k] = codes / max(k - 1, 1) if gene.ordered else codes > 0
            cost[k, k] = 0.0
            tables.append(cost * gene.weight / total)
        return tuple(tables)

    # ---------------------------------------------------------------- border
    @property
    def vector_length(self) -> int:
        """Length of the published vector."""
        return self.n_var

    @cached_property
    def integral(self) -> bool:
        """Whether every choice is an integer, so that architectures have published vectors of integers."""
        return all(type(choice) is int for gene in self.genes for choice in gene.choices)

    def encode(self, vectors: ArrayLike, /) -> IntArray:
        """Published vectors of shape (n, vector_length) to repaired genotypes of shape (n, n_var).

        In a space whose choices are not all integers a vector is a row of choices as :meth:`decode` gives it.

        Raises
        ------
        InputError
            If a value is not among a gene's choices; the message names row, position and choices.
        """
        array = np.atleast_2d(np.asarray(vectors) if self.integral else np.asarray(vectors, dtype=object))
        wanted = "iu" if self.integral else "O"
        if array.ndim != 2 or array.shape[1] != self.vector_length or array.dtype.kind not in wanted:
            kind = "integer vectors" if self.integral else "vectors"
            raise InputError(
                f"{self.name}: expected {kind} of length {self.vector_length}, got shape {array.shape} of {array.dtype}"
            )
        if not self.integral:
            return np.array([self._from_choices(row, i) for i, row in enumerate(array)], dtype=np.int64)
        return self._repair(self._encode(array.astype(np.int64)))

    def decode(self, X: ArrayLike, /) -> NDArray[Any]:
        """Genotypes to published vectors of shape (n, vector_length).

        Integers where all choices are; otherwise an array of objects with the choices as they are, NaN for an
        inactive gene.
        """
        repaired = self.repair(X)
        if self.integral:
            return self._decode(repaired)
        vectors = np.full(repaired.shape, np.nan, dtype=object)
        for (i, k), on in np.ndenumerate(self._active(repaired)):
            if on:
                vectors[i, k] = self.genes[k].choices[repaired[i, k]]
        return vectors

    def to_dict(self, x: ArrayLike, /) -> dict[str, Any]:
        """One architecture as its owner writes it: gene names and choices, active genes only."""
        row = self.repair(x)
        if len(row) != 1:
            raise InputError(f"{self.name}: expected one genotype, got {len(row)}")
        return self._dicts(row)[0]

    def _dicts(self, X: IntArray) -> list[dict[str, Any]]:
        """Repaired genotypes as :meth:`to_dict` gives them, many at a time."""
        genes = [(gene.name, gene.choices) for gene in self.genes]
        return [
            {name: choices[code] for (name, choices), code, on in zip(genes, row, active, strict=True) if on}
            for row, active in zip(X.tolist(), self._active(X).tolist(), strict=True)
        ]

    def from_dict(self, architecture: Mapping[str, Any], /) -> IntArray:
        """The genotype of shape (n_var,) of an architecture that :meth:`to_dict` gave.

        Raises
        ------
        InputError
            If a gene is unknown, missing or inactive, or a value is none of its choices.
        """
        if not isinstance(architecture, Mapping):
            raise InputError(f"{self.name}: expected a dict of genes, got {architecture!r}")
        genes = {gene.name: gene for gene in self.genes}
        codes: dict[str, int] = {}
        for name, value in architecture.items():
            if name not in genes:
                raise InputError(f"{self.name}: expected genes {list(genes)}, got {name!r}")
            try:
                codes[name] = genes[name].code(value)
            except InputError as error:
                raise InputError(f"{self.name}: {error}") from None
        return self._from_codes(codes)

    def to_string(self, x: ArrayLike, /) -> str:
        """One architecture as readable text, for example ``depth=2 width1=64``."""
        row = self.repair(x)
        active = self._active(row)[0]
        return " ".join(
            f"{quoted(gene.name)}={quoted(gene.labels[code])}"
            for gene, code, on in zip(self.genes, row[0], active, strict=True)
            if on
        )

    def from_string(self, text: str, /) -> IntArray:
        """The genotype of shape (n_var,) of a text that :meth:`to_string` wrote.

        Raises
        ------
        InputError
            If a part cannot be read, or a gene is unknown, repeated, missing or inactive.
        """
        genes = {gene.name: gene for gene in self.genes}
        codes: dict[str, int] = {}
        for name, label in tokens(text, self.name):
            if name not in genes or label not in genes[name].labels or name in codes:
                raise InputError(f"{self.name}: cannot read {name}={label} in architecture {text!r}")
            codes[name] = genes[name].labels.index(label)
        return self._from_codes(codes)

    @property
    def draws(self) -> bool:
        """Whether the space has a drawing of its own: it overrides ``draw`` or ``_draw``."""
        kind = type(self)
        return kind.draw is not SearchSpace.draw or kind._draw is not SearchSpace._draw

    def draw(self, x: ArrayLike, /) -> str:
        """One architecture as an SVG file: a graph, a stack of layers, or its genes where the space knows no better.

        See :mod:`rapid_moo.drawing` for what helps to draw.

        Raises
        ------
        InputError
            If it is not one genotype.
        """
        row = self.repair(x)
        if len(row) != 1:
            raise InputError(f"{self.name}: expected one genotype, got {len(row)}")
        return self._draw(row[0])

    def _draw(self, x: IntArray) -> str:
        """The drawing of a repaired genotype of shape (n_var,): its active genes, the first on top."""
        active = self._active(x[None])[0]
        lines = [
            (gene.name, gene.labels[code])
            for gene, code, on in zip(self.genes, x.tolist(), active.tolist(), strict=True)
            if on
        ]
        return stack(lines[::-1], self.to_string(x))

    def _from_codes(self, codes: Mapping[str, int]) -> IntArray:
        row = self._repair(np.array([[codes.get(gene.name, 0) for gene in self.genes]], dtype=np.int64))
        for gene, on in zip(self.genes, self._active(row)[0], strict=True):
            if on and gene.name not in codes:
                raise InputError(f"{self.name}: expected a choice for gene {gene.name!r}, got none")
            if not on and gene.name in codes:
                raise InputError(
                    f"{self.name}: gene {gene.name!r} is inactive in this architecture, got a choice for it"
                )
        found: IntArray = row[0]
        return found

    def _from_choices(self, row: NDArray[Any], number: int) -> IntArray:
        known = {
            gene.name: value
            for gene, value in zip(self.genes, row, strict=True)
            if not (isinstance(value, float) and math.isnan(value))
        }
        try:
            return self.from_dict(known)
        except InputError as error:
            raise InputError(f"row {number + 1}: {error}") from None

    # ------------------------------------------------------------ prediction
    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the engineered features: ordered genes, and the choices of genes without order."""
        return tuple(name for gene in self.genes for name in _feature_names(gene))

    def features(self, X: ArrayLike, /, kind: str = "engineered", objective: str = "") -> FloatArray:
        """What predictors see, shape (n, n_features).

        Parameters
        ----------
        X : array-like of shape (n, n_var)
            Genotypes.
        kind : {"engineered", "one_hot", "all"}
            The space's own features, one indicator per gene and choice (none set for an inactive gene), or both.
        objective : str
            Name of what they are to predict: of an objective in :attr:`of_function` they are those of the canonical
            form, so that architectures that compute the same are seen as the same.
        """
        if kind not in FEATURE_SETS:
            raise InputError(f"features: expected one of {', '.join(FEATURE_SETS)}, got {kind!r}")
        repaired = self.canonical(X) if objective in self.of_function else self.repair(X)
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
    @cached_property
    def _conditions(self) -> list[tuple[int, int, BoolArray]]:
        """Gene, gene that decides and the codes it must have, in an order in which they can be looked up."""
        position = {gene.name: k for k, gene in enumerate(self.genes)}
        return [
            (k, parent := position[c.gene], c.allowed(self.genes[parent].choices, self.name))
            for k in causal_order(self.name, self.genes)
            for c in self.genes[k].when
        ]

    @cached_property
    def _n_architectures(self) -> int:
        return _count_architectures(self.genes, self._conditions)

    def _active(self, X: IntArray) -> BoolArray:
        active = np.ones(X.shape, dtype=np.bool_)
        for k, parent, allowed in self._conditions:
            active[:, k] &= active[:, parent] & allowed[X[:, parent]]
        return active

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
        choices = np.asarray(gene.choices, dtype=np.int64)
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
        active = self._active(X)
        columns = []
        for k, gene in enumerate(self.genes):
            if _one_column(gene):
                # An inactive gene of a user's own space lies below its first choice.
                columns.append(np.where(active[:, k], X[:, k], -1)[:, None] if gene.when else X[:, k, None])
            else:
                columns.append((X[:, k, None] == np.arange(len(gene.choices))) & active[:, k, None])
        return np.hstack(columns).astype(np.float64)

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

    def _shown(self) -> tuple[str, Lines]:
        genes = [(gene.name, ", ".join(gene.labels)) for gene in self.genes[:SHOWN_GENES]]
        more = len(self.genes) - len(genes)
        return f"Space {self.name}: {self.n_var} genes, {int(self.size):,} architectures", [
            *genes,
            *([("…", f"{more} more genes")] if more else []),
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.n_var} genes, {self.size:.3g} architectures>"


def _one_column(gene: Gene) -> bool:
    """Whether a gene's code says it all: it has an order, or no more than two choices."""
    return bool(gene.ordered) or len(gene.choices) <= 2


def _feature_names(gene: Gene) -> list[str]:
    return [gene.name] if _one_column(gene) else [f"{gene.name}={label}" for label in gene.labels]


def _count_architectures(genes: Sequence[Gene], conditions: Sequence[tuple[int, int, BoolArray]]) -> int:
    """Distinct architectures, gene by gene: how many choices so far leave the same later genes inactive.

    A gene without later ones that depend on it goes first, so that few different cases are open at a time.
    """
    children: dict[int, list[tuple[int, BoolArray]]] = {k: [] for k in range(len(genes))}
    for k, parent, allowed in conditions:
        children[parent].append((k, allowed))
    counts: dict[frozenset[int], int] = {frozenset(): 1}
    waiting = set(range(len(genes)))
    while waiting:
        blocked = {k for parent in waiting for k, _ in children[parent]}
        gene = min(waiting - blocked, key=lambda k: (len(children[k]), k))
        waiting.remove(gene)
        counts = _counted(counts, gene, len(genes[gene].choices), children[gene])
        if len(counts) > ENUMERABLE:
            raise InputError("conditions: expected genes that depend on few others, got too many cases to count")
    return sum(counts.values())


def _counted(
    counts: Mapping[frozenset[int], int], gene: int, n_choices: int, children: Sequence[tuple[int, BoolArray]]
) -> dict[frozenset[int], int]:
    """Numbers by the set of inactive later genes, after one more gene has got its choice."""
    everyone = frozenset(k for k, _ in children)
    effects = Counter(frozenset(k for k, allowed in children if not allowed[code]) for code in range(n_choices))
    found: dict[frozenset[int], int] = {}
    for inactive, n in counts.items():
        left = inactive - {gene}
        for effect, times in [(everyone, 1)] if gene in inactive else effects.items():
            found[left | effect] = found.get(left | effect, 0) + n * times
    return found


class GridSpace(SearchSpace):
    """A space that is described by its genes alone, such as one inferred from a file or written in TOML.

    Parameters
    ----------
    name : str
        Name of the space.
    genes : sequence of Gene
        Its genes; active always, or when their conditions hold.
    objectives : sequence of Objective
        The objectives of its tables.
    computed : mapping of Objective to callable, optional
        Objectives that follow from the architecture: functions of the dict of active genes that return a number.
    """

    def __init__(
        self,
        name: str,
        genes: Sequence[Gene],
        objectives: Sequence[Objective] = (),
        computed: Mapping[Objective, Callable[[dict[str, Any]], float]] | None = None,
    ) -> None:
        if not genes:
            raise InputError(f"{name}: expected at least one gene, got none")
        check_genes(name, genes, self.inactive)
        self.name = name
        self.genes = tuple(genes)
        self.objectives = tuple(objectives)
        self.functions = {objective.name: function for objective, function in (computed or {}).items()}
        if computed is not None:
            self.computed = tuple(computed)
        self._values: dict[str, dict[bytes, float]] = {}

    @classmethod
    def infer(cls, name: str, vectors: NDArray[Any], objectives: Sequence[Objective]) -> GridSpace:
        """Infer genes and choices: each position is a gene, its distinct values are its choices."""
        genes = []
        for k in range(vectors.shape[1]):
            choices = tuple(int(v) for v in np.unique(vectors[:, k]))
            genes.append(Gene(f"g{k}", choices))
        return cls(name, genes, objectives)

    def _compute(self, X: IntArray, name: str) -> FloatArray:
        """Values of the owner's function, which may be slow and is asked once for each architecture."""
        known = self._values.setdefault(name, {})
        if len(known) > ENUMERABLE:
            known.clear()
        keys = [key.tobytes() for key in row_keys(X)]
        new = np.array([i for i, key in enumerate(keys) if key not in known], dtype=np.int64)
        for i, architecture in zip(new, self._dicts(X[new]), strict=True):
            if keys[i] not in known:
                known[keys[i]] = _number(self.functions[name](architecture), f"{self.name}: computed {name!r}")
        return np.array([known[key] for key in keys], dtype=np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_values": {}}


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str) or not math.isfinite(number):
        raise InputError(f"{where}: expected a finite number, got {value!r}")
    return number
