"""Facts from arrays: what searches and studies have in common. Whatever predicts is passed as an object."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective, to_minimised, to_raw
from rapid_moo.pareto import front_indices, front_points
from rapid_moo.preferences import knee_point, preferred_point
from rapid_moo.report.facts import (
    Architectures,
    BoundFacts,
    Choice,
    GeneFacts,
    ObjectiveFacts,
    Pick,
    PredictorFacts,
    Progress,
    Reference,
    SpaceFacts,
)
from rapid_moo.space import SearchSpace
from rapid_moo.trajectory import log_steps, trajectory

logger = logging.getLogger(__name__)

MOST_LISTED = 10_000
MOST_REFERENCE = 2_000
MOST_DRAWN, MOST_DRAWN_CHARACTERS = 600, 6_000_000
MOST_CALIBRATED = 1_000
N_EFFECT = 400
SPANS = 10.0
"""Positive values that span such a factor are compared by their logarithms."""
FEWEST_HELD_OUT, FEWEST_EXPLAINED = 8, 0.5
"""Which genes matter is told of predictors that explain half of what they have not seen, of so many rows at least."""
SHOWN_TRIPLETS = 5
PACKAGES = ("rapid-moo", "numpy", "pandas", "pymoo", "scikit-learn", "xgboost", "nevergrad")


def now() -> str:
    """The present time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def environment() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def objective_facts(objectives: Sequence[Objective]) -> tuple[ObjectiveFacts, ...]:
    """Name, direction and unit of objectives."""
    return tuple(ObjectiveFacts(o.name, o.direction, o.unit) for o in objectives)


def space_facts(space: SearchSpace) -> SpaceFacts:
    """Name, size and genes of a space."""
    return SpaceFacts(space.name, int(space.size), tuple(GeneFacts(g.name, tuple(g.labels)) for g in space.genes))


def bound_facts(constraints: Sequence[Any], objectives: Sequence[Objective]) -> tuple[BoundFacts, ...]:
    """Bounds as they were written, with the edge of those on objectives; functions have none."""
    names = {objective.name for objective in objectives}
    return tuple(
        BoundFacts(str(item), item.name, item.edge)
        if hasattr(item, "edge") and item.name in names
        else BoundFacts(str(item))
        for item in constraints
    )


def within_bounds(violations: FloatArray) -> BoolArray:
    """Which architectures break no bound that is known of them, shape (n,).

    Parameters
    ----------
    violations : ndarray of shape (n, n_constraints)
        Positive where a bound is broken, infinite where nobody knows.
    """
    return np.asarray(~((violations > 0.0) & np.isfinite(violations)).any(axis=1), dtype=np.bool_)


def architecture_facts(
    space: SearchSpace,
    objectives: Sequence[Objective],
    X: IntArray,
    raw: FloatArray,
    state: Sequence[str],
    *,
    number: Sequence[int] | None = None,
    reason: Sequence[str] | None = None,
    feasible: BoolArray | None = None,
    predictors: Any = None,
    draw: bool = True,
) -> tuple[Architectures, IntArray]:
    """Facts of architectures, and which of them are listed.

    Parameters
    ----------
    space : SearchSpace
        Theirs.
    objectives : sequence of Objective
        Columns of ``raw``.
    X : ndarray of shape (n, n_var)
        Repaired genotypes in the order of evaluation.
    raw : ndarray of shape (n, n_objectives)
        Raw values, NaN where unknown.
    state : sequence of str
        Of each, see :class:`Architectures`.
    number, reason : sequence, optional
        Evaluation numbers (1 to n by default) and reasons of failures.
    feasible : ndarray of shape (n,), optional
        Which break no bound that is known of them, and so may be on the front.
    predictors : PredictorSet, optional
        Fitted; predicts all that is listed, each as if it had not been measured.
    draw : bool
        Whether to draw them where the space has drawings.

    Returns
    -------
    facts : Architectures
        At most 10,000, the front first among equals.
    rows : ndarray
        Rows of ``X`` that are listed, increasing.
    """
    n = len(X)
    allowed: BoolArray = np.ones(n, dtype=np.bool_) if feasible is None else np.asarray(feasible, dtype=np.bool_)
    whole = np.isfinite(raw).all(axis=1)
    good = np.flatnonzero(whole & allowed)
    front: BoolArray = np.zeros(n, dtype=np.bool_)
    if len(good):
        front[good[front_indices(to_minimised(raw[good], objectives))]] = True
    rows = _listed(n, front)
    codes = np.where(space.is_active(X[rows]), X[rows], -1) if len(rows) else X[rows]
    unknown = np.full((len(rows), len(objectives)), np.nan)
    predicted, std = predictors.predict_unseen(X[rows]) if predictors is not None and n else (unknown,) * 2
    numbers = np.arange(1, n + 1) if number is None else np.asarray(number)
    reasons = [""] * n if reason is None else reason
    found = Architectures(
        total=n,
        number=numbers[rows].tolist(),
        codes=codes.tolist(),
        raw=_gaps(raw[rows]),
        predicted=_gaps(predicted),
        std=_gaps(std),
        state=[state[row] for row in rows],
        reason=[reasons[row] for row in rows],
        feasible=allowed[rows].tolist(),
        on_front=front[rows].tolist(),
        measured=int((whole | ~allowed).sum()),
        broken=int((~allowed).sum()),
        drawings=_drawings(space, X[rows], front[rows]) if draw else {},
    )
    return found, rows


def _listed(n: int, front: BoolArray) -> IntArray:
    """Rows that a report lists: all, or the front and evenly many of the others."""
    if n <= MOST_LISTED:
        return np.arange(n, dtype=np.int64)
    first = np.flatnonzero(front)
    if len(first) >= MOST_LISTED:
        return _evenly(first, MOST_LISTED)
    return np.sort(np.concatenate([first, _evenly(np.flatnonzero(~front), MOST_LISTED - len(first))]))


def _evenly(rows: IntArray, most: int) -> IntArray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64))]


def _gaps(values: FloatArray) -> list[list[float | None]]:
    """Rows of numbers, None where one is not finite."""
    return [[value if np.isfinite(value) else None for value in row] for row in np.asarray(values).tolist()]


def _drawings(space: SearchSpace, X: IntArray, front: BoolArray) -> dict[str, str]:
    """Drawings where the space has its own: of the front first, then of the others, while there is room."""
    if not space.draws:
        return {}
    order = [*np.flatnonzero(front), *np.flatnonzero(~front)]
    found: dict[str, str] = {}
    left = MOST_DRAWN_CHARACTERS
    for row in order[:MOST_DRAWN]:
        try:
            drawing = str(space.draw(X[row]))
        except Exception as error:  # a drawing of the user's own must not lose a report
            logger.warning("%s: an architecture cannot be drawn: %s: %s", space.name, type(error).__name__, error)
            return {}
        left -= len(drawing)
        if left < 0:
            break
        found[str(row)] = drawing
    return found


def reference_facts(kind: str, points: FloatArray, objectives: Sequence[Objective]) -> Reference:
    """The front that judges; ``points`` are minimised and distinct."""
    some = points[_evenly(np.arange(len(points)), MOST_REFERENCE)] if len(points) else points
    return Reference(kind, len(points), to_raw(some, objectives).tolist())


def progress_facts(
    F: FloatArray, reference: FloatArray | None, kind: str, prices: FloatArray | None = None
) -> Progress | None:
    """Quality over the bill.

    Parameters
    ----------
    F : ndarray of shape (n, n_objectives)
        Minimised values in the order of evaluation; infinite where one failed or is not feasible.
    reference : ndarray or None
        The front that judges, minimised; the front of ``F`` where there is none.
    kind : str
        What kind of front judges, where one does.
    prices : ndarray of shape (n,), optional
        What each evaluation cost.
    """
    good: BoolArray = np.asarray(np.isfinite(F).all(axis=1), dtype=np.bool_)
    if not good.any():
        return None
    if reference is None or len(reference) == 0:
        reference, kind = front_points(F[good]), "found"
    steps = log_steps(len(F))
    spaced = sorted({*steps, *np.linspace(1, len(F), min(len(F), 60)).round().astype(int).tolist()})
    found = trajectory(reference, F[good], _distinct_steps(good, spaced))
    # Steps count evaluations, failed ones included; the trajectory those that succeeded.
    done = np.cumsum(good)
    position = {int(count): i for i, count in enumerate(found["evaluations"])}
    adrs = [float(found["adrs"].iloc[position[int(done[s - 1])]]) if done[s - 1] else None for s in spaced]
    volume = [float(found["hypervolume"].iloc[position[int(done[s - 1])]]) if done[s - 1] else None for s in spaced]
    cost = [] if prices is None else [float(value) for value in np.cumsum(prices)[np.array(spaced) - 1]]
    return Progress(kind, [int(s) for s in spaced], cost, adrs, volume)


def _distinct_steps(good: BoolArray, steps: Sequence[int]) -> list[int]:
    done = np.cumsum(good)
    return sorted({int(done[step - 1]) for step in steps} - {0})


def predictor_facts(
    predictors: Any,
    members: Callable[[Any], Sequence[tuple[Any, float]]],
    metrics: Sequence[Mapping[str, float]] | None = None,
) -> tuple[PredictorFacts, ...]:
    """What predicts each objective, how well, and by which genes.

    Parameters
    ----------
    predictors : PredictorSet
        Fitted.
    members : callable
        :func:`rapid_moo.predictors.members_of`.
    metrics : sequence of mapping, optional
        Errors on rows that were not used for training.
    """
    parts = [() if spec is None else members(spec) for spec in predictors.specs]
    scales = [
        Scale.of(column, not some or sum(share for m, share in some if m.transform == "log") >= 0.5)
        for column, some in zip(predictors.sample_.raw.T, parts, strict=True)
    ]
    effects = gene_effects(predictors, scales)
    found = []
    for k, (objective, spec, held) in enumerate(
        zip(predictors.objectives, predictors.specs, predictors.held_out(), strict=True)
    ):
        several = tuple({**m.to_dict(), "share": share} for m, share in parts[k])
        measured, mean, std = held if held is not None else (np.empty(0),) * 3
        rows = _evenly(np.arange(len(measured)), MOST_CALIBRATED) if len(measured) else np.empty(0, dtype=np.int64)
        explained = 1.0 if spec is None else scales[k].explained(measured, mean)
        found.append(
            PredictorFacts(
                objective=objective.name,
                family="exact" if spec is None else spec.family,
                members=several,
                metrics=dict(metrics[k]) if metrics is not None else {},
                measured=measured[rows].tolist(),
                predicted=mean[rows].tolist(),
                std=std[rows].tolist(),
                logarithmic=scales[k].logarithmic,
                explained=explained,
                importance=effects[k] if explained is not None and explained >= FEWEST_EXPLAINED else {},
                told=predictors.told_[k],
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Scale:
    """On which scale differences of an objective's values are compared, and how far predictions are believed.

    Attributes
    ----------
    logarithmic : bool
        Whether by their logarithms: of positive values that span a factor of 10 or more, where the predictor learns
        the logarithm too. A predictor of the values themselves may say less than 0 of small ones.
    low, high : float
        Ends of what is plausible on that scale: what was measured, widened by its range both ways.
    """

    logarithmic: bool
    low: float
    high: float

    @classmethod
    def of(cls, measured: FloatArray, by_logarithm: bool = True) -> Scale:
        """The scale of measured values of shape (n,), of which some may be unknown.

        Parameters
        ----------
        measured : ndarray of shape (n,)
            Raw values.
        by_logarithm : bool
            Whether what is to be compared was learnt by its logarithm, or is exact.
        """
        values = measured[np.isfinite(measured)]
        if not len(values):
            return cls(False, -np.inf, np.inf)
        logarithmic = bool(by_logarithm and values.min() > 0.0 and values.max() >= SPANS * values.min())
        ends = np.array([values.min(), values.max()])
        low, high = np.log(ends) if logarithmic else ends
        return cls(logarithmic, float(2.0 * low - high), float(2.0 * high - low))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Values on the scale; what is beyond the plausible is at its end."""
        if self.logarithmic:
            values = np.log(np.maximum(values, np.finfo(np.float64).tiny))
        return np.clip(values, self.low, self.high)

    def explained(self, measured: FloatArray, predicted: FloatArray) -> float | None:
        """Share of the variance of measured values that predictions explain; None where that cannot be told."""
        if len(measured) < FEWEST_HELD_OUT:
            return None
        truth = self(measured)
        variance = float(truth.var())
        return 1.0 - float(np.mean((truth - self(predicted)) ** 2)) / variance if variance > 0.0 else None


def gene_effects(predictors: Any, scales: Sequence[Scale], n: int = N_EFFECT, seed: int = 0) -> list[dict[str, float]]:
    """Total effect of each gene on each prediction: the share of its variance that the gene has a hand in.

    Half the mean squared change of the prediction when the gene alone is taken from another random architecture, over
    the variance (M. Jansen, Comput. Phys. Commun. 117, 1999). The variance is that of both samples together, so that
    the share is 1 minus their correlation: a rare large prediction counts above and below the line, and no share
    exceeds 1 by more than the error of the sample. It is cut off there, and what is within two standard errors of 0 is
    0. Shares of genes that act together add up to more than 1.

    Parameters
    ----------
    predictors : PredictorSet
        Fitted.
    scales : sequence of Scale
        On which the changes of each objective are compared.
    n : int
        Architectures that are changed.
    seed : int
        Seed of the sample.

    Returns
    -------
    list of dict
        By objective, by gene's name.
    """
    space = predictors.space
    rng = np.random.default_rng(seed)
    A, B = (_random(space, n, rng) for _ in range(2))
    if len(A) < 2:
        return [{} for _ in predictors.objectives]
    several = [A]
    for k in range(space.n_var):
        changed = A.copy()
        changed[:, k] = B[:, k]
        several.append(space.repair(changed))
    predicted = predictors.predict(np.vstack(several)).reshape(len(several), len(A), -1)
    names = [gene.name for gene in space.genes]
    return [
        dict(zip(names, _total_effects(scale(predicted[:, :, k])).tolist(), strict=True))
        for k, scale in enumerate(scales)
    ]


def _total_effects(values: FloatArray) -> FloatArray:
    """Total effects of shape (n_genes,) from values of shape (1 + n_genes, n): a sample, and with each gene changed."""
    first, changed = values[0], values[1:]
    middle = 0.5 * (first.mean() + changed.mean(axis=1))[:, None]
    variance = 0.5 * ((first - middle) ** 2 + (changed - middle) ** 2).mean(axis=1)
    parts = 0.5 * (first - changed) ** 2
    safe = np.where(variance > 0.0, variance, 1.0)
    effect, error = parts.mean(axis=1) / safe, parts.std(axis=1) / np.sqrt(len(first)) / safe
    return np.where(effect > 2.0 * error, np.minimum(effect, 1.0), 0.0)


def _random(space: SearchSpace, n: int, rng: np.random.Generator) -> IntArray:
    """Architectures with genes drawn independently; repeats are as good as others."""
    return space.repair(rng.integers(0, space.n_choices, size=(n, space.n_var)))


def picks_of(
    facts: Architectures, objectives: Sequence[Objective], weights: Sequence[float] | None = None
) -> tuple[Pick, ...]:
    """The knee of the front, and what the weights prefer."""
    rows = np.flatnonzero(facts.on_front)
    if not len(rows):
        return ()
    F = to_minimised(np.array([facts.raw[row] for row in rows], dtype=np.float64), objectives)
    found = [Pick(int(rows[knee_point(F)]))]
    if weights is not None:
        try:
            found.append(Pick(int(rows[preferred_point(F, weights)]), tuple(float(w) for w in weights)))
        except InputError:
            logger.warning("weights: expected %d, got %d", F.shape[1], len(weights))
    return tuple(found)


def choice_facts(tuned: Any, *, given: bool = False) -> Choice:
    """Why these predictors: of a :class:`~rapid_moo.tuning.TunerResult` or None."""
    if tuned is None:
        return Choice("given" if given else "early")
    objectives = [objective.name for objective in tuned.best.objectives]
    lines = tuned.ranking.head(SHOWN_TRIPLETS).to_dict("records")
    ranking = tuple(
        {
            "models": [str(line[f"{name}_model"]) for name in objectives],
            "tied": bool(line["tied"]),
            **{key: float(line[key]) for key in ("adrs", "adrs_se", "order_error")},
        }
        for line in lines
    )
    return Choice("tuned", float(tuned.adrs), tuned.interval, int(tuned.n_fits), ranking, tuple(tuned.unlearnable))
