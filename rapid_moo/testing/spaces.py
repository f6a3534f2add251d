"""Conformance of search spaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from rapid_moo._util import IntArray, Seed, as_generator, unique_rows
from rapid_moo.errors import ConformanceError, InputError
from rapid_moo.space import FEATURE_SETS, SearchSpace
from rapid_moo.testing._require import require, require_rows, unchanged

_IMPOSSIBLE = 987_654_321


def check_space(space: SearchSpace, *, n: int = 100, seed: Seed = 0) -> None:
    """Check a search space on random genotypes.

    Parameters
    ----------
    space : SearchSpace
        What is checked.
    n : int
        Number of genotypes drawn.
    seed : int, numpy.random.Generator or None
        Source of randomness.

    Raises
    ------
    ConformanceError
        At the first broken promise.
    """
    require(isinstance(space, SearchSpace), f"expected a SearchSpace, got {type(space).__name__}")
    _check_declaration(space)
    rng = as_generator(seed)
    drawn = rng.integers(0, space.n_choices, size=(n, space.n_var))
    X = np.vstack([space.xl, space.xu, drawn]).astype(np.int64)
    for check in SPACE_CHECKS.values():
        check(space, X.copy())


def _check_declaration(space: SearchSpace) -> None:
    require(bool(space.name) and not re.search(r"\s|,", space.name), f"name: expected one word, got {space.name!r}")
    require(space.n_var > 0, f"{space.name}: expected at least one gene, got none")
    for what, names in (
        ("gene", [gene.name for gene in space.genes]),
        ("feature", list(space.feature_names)),
        ("objective", [o.name for o in (*space.objectives, *space.optional)]),
        ("computed objective", [o.name for o in space.computed]),
    ):
        repeated = sorted({name for name in names if names.count(name) > 1})
        require(not repeated, f"{space.name}: expected distinct {what} names, got {repeated} more than once")
    kinds = ["profiled", *(o.name for o in space.computed)]
    require(
        space.default_memory in kinds,
        f"{space.name}: default_memory: expected one of {kinds}, got {space.default_memory!r}",
    )
    known = [o.name for o in (*space.objectives, *space.optional)]
    strange = [name for name in space.of_function if known and name not in known]
    require(not strange, f"{space.name}: of_function: expected some of its objectives {known}, got {strange}")
    require(
        isinstance(space.size, int) and space.size > 0,
        f"{space.name}: size: expected a positive int, got {space.size!r}",
    )


def _check_repair(space: SearchSpace, X: IntArray) -> None:
    repaired = unchanged(space.repair, X, f"{space.name}: repair")
    require(repaired.shape == X.shape, f"{space.name}: repair: expected shape {X.shape}, got {repaired.shape}")
    require(repaired.dtype.kind == "i", f"{space.name}: repair: expected integers, got {repaired.dtype}")
    inside = ((repaired >= 0) & (repaired <= space.xu)).all(axis=1)
    require_rows(inside, f"{space.name}: repair leaves the bounds", X, repaired)
    again = space.repair(repaired)
    require_rows((again == repaired).all(axis=1), f"{space.name}: repair is not idempotent", repaired, again)


def _check_inactive_genes(space: SearchSpace, X: IntArray) -> None:
    active = space.is_active(X)
    require(active.shape == X.shape, f"{space.name}: is_active: expected shape {X.shape}, got {active.shape}")
    require(active.dtype == np.bool_, f"{space.name}: is_active: expected booleans, got {active.dtype}")
    other = np.where(active, X, (X + 1) % space.n_choices)
    same = (space.repair(other) == space.repair(X)).all(axis=1)
    require_rows(same, f"{space.name}: another value of an inactive gene makes another architecture", X, other)


def _check_canonical(space: SearchSpace, X: IntArray) -> None:
    canonical = unchanged(space.canonical, X, f"{space.name}: canonical")
    require(canonical.shape == X.shape, f"{space.name}: canonical: expected shape {X.shape}, got {canonical.shape}")
    again = space.canonical(canonical)
    require_rows((again == canonical).all(axis=1), f"{space.name}: canonical is not idempotent", canonical, again)


def _check_vectors(space: SearchSpace, X: IntArray) -> None:
    vectors = unchanged(space.decode, X, f"{space.name}: decode")
    shape = (len(X), space.vector_length)
    require(vectors.shape == shape, f"{space.name}: decode: expected shape {shape}, got {vectors.shape}")
    kind, what = ("i", "integers") if space.integral else ("O", "the choices themselves")
    require(vectors.dtype.kind == kind, f"{space.name}: decode: expected {what}, got {vectors.dtype}")
    back = unchanged(space.encode, vectors, f"{space.name}: encode")
    repaired = space.repair(X)
    require_rows((back == repaired).all(axis=1), f"{space.name}: encode(decode(x)) is not repair(x)", repaired, back)


def _check_vectors_are_read_strictly(space: SearchSpace, X: IntArray) -> None:
    vector = space.decode(X[:1])
    for position in range(space.vector_length):
        wrong = vector.copy()
        wrong[0, position] = _IMPOSSIBLE
        try:
            space.encode(wrong)
        except InputError:
            continue
        except Exception as error:
            raise ConformanceError(
                f"{space.name}: encode: expected an InputError for {wrong[0].tolist()}, got {error!r}"
            ) from error
        raise ConformanceError(f"{space.name}: encode takes {_IMPOSSIBLE} at position {position} without an error")


def _check_strings(space: SearchSpace, X: IntArray) -> None:
    for x, repaired in zip(X, space.repair(X), strict=True):
        text = space.to_string(x)
        require(isinstance(text, str) and bool(text), f"{space.name}: to_string: expected a text, got {text!r}")
        require("\n" not in text, f"{space.name}: to_string: expected one line, got {text!r}")
        back = np.asarray(_read_back(space.from_string, text, f"{space.name}: from_string({text!r})"))
        require(
            back.shape == repaired.shape and bool((back == repaired).all()),
            f"{space.name}: from_string({text!r}): expected {repaired.tolist()}, got {back.tolist()}",
        )


def _read_back(read: Callable[[Any], Any], written: Any, where: str) -> Any:
    """What the space reads of what it wrote itself."""
    try:
        return read(written)
    except InputError as error:
        raise ConformanceError(f"{where}: expected the architecture that it was written from, got: {error}") from error


def _check_dicts(space: SearchSpace, X: IntArray) -> None:
    names = [gene.name for gene in space.genes]
    for x, repaired, active in zip(X, space.repair(X), space.is_active(X), strict=True):
        architecture = unchanged(space.to_dict, x, f"{space.name}: to_dict")
        wanted = [name for name, on in zip(names, active, strict=True) if on]
        require(
            list(architecture) == wanted,
            f"{space.name}: to_dict: expected the active genes {wanted}, got {list(architecture)}",
        )
        back = np.asarray(_read_back(space.from_dict, architecture, f"{space.name}: from_dict({architecture!r})"))
        require(
            back.shape == repaired.shape and bool((back == repaired).all()),
            f"{space.name}: from_dict({architecture!r}): expected {repaired.tolist()}, got {back.tolist()}",
        )


def _check_features(space: SearchSpace, X: IntArray) -> None:
    widths = {}
    for kind in FEATURE_SETS:
        where = f"{space.name}: {kind} features"
        values = unchanged(partial(space.features, kind=kind), X, where)
        require(
            values.ndim == 2 and len(values) == len(X), f"{where}: expected {len(X)} rows, got shape {values.shape}"
        )
        require_rows(np.isfinite(values).all(axis=1), f"{where} are not finite", X, values)
        for how, others in (
            ("are not the same twice", space.features(X, kind)),
            ("differ between a genotype and its repaired form", space.features(space.repair(X), kind)),
            ("depend on the other rows", np.vstack([space.features(x, kind) for x in X])),
        ):
            require_rows(
                np.isclose(values, others, rtol=1e-9, atol=1e-12).all(axis=1), f"{where} {how}", values, others
            )
        widths[kind] = values.shape[1]
    named = len(space.feature_names)
    require(
        widths["engineered"] == named,
        f"{space.name}: expected {named} features, one per name, got {widths['engineered']}",
    )


def _check_computed(space: SearchSpace, X: IntArray) -> None:
    for objective in space.computed:
        where = f"{space.name}: computed {objective.name}"
        values = unchanged(partial(space.compute, name=objective.name), X, where)
        require(values.shape == (len(X),), f"{where}: expected shape ({len(X)},), got {values.shape}")
        require_rows(np.isfinite(values), f"{where} is not finite", X, values)
        others = space.compute(space.repair(X), objective.name)
        require_rows(values == others, f"{where} differs between a genotype and its repaired form", values, others)


def _check_size(space: SearchSpace, X: IntArray) -> None:
    if not space.enumerable:
        return
    members = space.enumerate()
    require(len(members) == space.size, f"{space.name}: size is {space.size}, but enumerate() gives {len(members)}")
    require(len(unique_rows(members)[0]) == len(members), f"{space.name}: enumerate() repeats an architecture")
    require_rows(
        (space.repair(members) == members).all(axis=1), f"{space.name}: enumerate() is not repaired", members, members
    )
    known = set(space.keys(members))
    require_rows(
        np.array([key in known for key in space.keys(X)]), f"{space.name}: enumerate() lacks an architecture", X, X
    )


def _check_sample(space: SearchSpace, X: IntArray) -> None:
    wanted = min(len(X), space.size)
    drawn, again = space.sample(wanted, 1), space.sample(wanted, np.random.default_rng(1))
    require(drawn.tobytes() == again.tobytes(), f"{space.name}: sample: the same seed gives other architectures")
    require(
        drawn.shape == (wanted, space.n_var), f"{space.name}: sample: expected {wanted} rows, got shape {drawn.shape}"
    )
    require(len(unique_rows(drawn)[0]) == len(drawn), f"{space.name}: sample repeats an architecture")
    require_rows((space.repair(drawn) == drawn).all(axis=1), f"{space.name}: sample is not repaired", drawn, drawn)


def _check_distance(space: SearchSpace, X: IntArray) -> None:
    points = space.repair(X)[:40]
    points = points[unique_rows(points)[0]]
    apart = space.distance(points, points)
    where, tolerance = f"{space.name}: distance", 1e-5
    require(apart.shape == (len(points),) * 2, f"{where}: expected a square, got shape {apart.shape}")
    require(
        bool(((apart >= 0) & (apart <= 1 + tolerance)).all()), f"{where}: expected values in [0, 1], got {apart.max()}"
    )
    require(bool(np.allclose(apart, apart.T, atol=tolerance)), f"{where} is not symmetric")
    require(bool((np.abs(np.diag(apart)) <= tolerance).all()), f"{where} of an architecture to itself is not 0")
    off = apart[~np.eye(len(points), dtype=np.bool_)]
    require(bool((off > 0).all()), f"{where} between different architectures is 0")
    detour = (apart[:, :, None] + apart[None, :, :]).min(axis=1)
    require(bool((apart <= detour + tolerance).all()), f"{where} breaks the triangle inequality")


SPACE_CHECKS: Mapping[str, Callable[[SearchSpace, IntArray], None]] = MappingProxyType(
    {
        "repair": _check_repair,
        "inactive_genes": _check_inactive_genes,
        "canonical": _check_canonical,
        "vectors": _check_vectors,
        "vectors_are_read_strictly": _check_vectors_are_read_strictly,
        "strings": _check_strings,
        "dicts": _check_dicts,
        "features": _check_features,
        "computed": _check_computed,
        "size": _check_size,
        "sample": _check_sample,
        "distance": _check_distance,
    }
)
"""Single checks of a space by name; each takes the space and genotypes of shape (n, n_var)."""
