"""The first sample where others tell of every objective: few architectures, chosen by what they say.

Representatives of the whole space are for those who know nothing. Where another device, or values that were taken
over, tell of every objective, five measurements are enough to begin with: so many take what others say into the
target's unit (:mod:`rapid_moo.priors.pooling`). They are architectures that are known elsewhere, so that each shows
how the two differ. Three of them are expected to cover most of the front, by what others say of it; the two others
represent the rest, and show how far what others say may be believed.
"""

from __future__ import annotations

import math

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.acquisition import Candidates, expected_coverage
from rapid_moo.design import designed_sample
from rapid_moo.priors import Priors, Source
from rapid_moo.priors.pooling import FEWEST_OWN
from rapid_moo.view import Knowledge, SpaceView

INFORMED_SAMPLE = FEWEST_OWN
"""Size of the first sample where every objective is told of."""
CHOSEN = 0.6
"""Share of it that is chosen for the front."""
MOST_GIVEN = 1_000
"""Values that were taken over and that are learnt from: more say little more, and cost their cube."""


def told_of_all(view: SpaceView, priors: Priors | None) -> bool:
    """Whether others tell of every objective that must be predicted: by a hint, or by values that were taken over."""
    return all(
        objective.name in _computed(view) or _is_given(view, k) or _is_hinted(priors, objective.name)
        for k, objective in enumerate(view.objectives)
    )


def informed_sample(
    view: SpaceView, priors: Priors | None, known: Knowledge, n: int, rng: np.random.Generator
) -> IntArray:
    """Architectures to begin with: known elsewhere, and those first that are expected to cover most of the front.

    Parameters
    ----------
    view : SpaceView
        The problem's space and objectives, all of which others tell of: see :func:`told_of_all`.
    priors : Priors or None
        The hints.
    known : Knowledge
        What was taken over, and what is known or under way: that counts as chosen.
    n : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n, n_var)
        Fewer where fewer of what is known elsewhere may be evaluated.
    """
    pool = _known_elsewhere(view, priors, known, n)
    if len(pool) <= n:
        return pool
    everyone = np.vstack([pool, known.settled])
    told = [_told(view, priors, known, k, everyone) for k in range(len(view.objectives))]
    given: BoolArray = np.array([_is_given(view, k) for k in range(len(told))])

    def draw(rows: IntArray, n_draws: int) -> FloatArray:
        # In each possible truth one of the sources is right.
        found = np.empty((n_draws, len(rows), len(told)))
        for k, (mean, std) in enumerate(told):
            which = rng.integers(len(mean), size=n_draws)
            found[:, :, k] = mean[which][:, rows] + std[which][:, rows] * rng.standard_normal((n_draws, len(rows)))
        return found

    candidates = Candidates(
        np.column_stack([mean.mean(axis=0) for mean, _ in told])[: len(pool)],
        np.column_stack([np.sqrt((std**2).mean(axis=0) + mean.var(axis=0)) for mean, std in told])[: len(pool)],
        np.empty((0, len(told))),
        draw,
        pending=np.arange(len(pool), len(everyone)),
        # What is beyond a bound elsewhere need not be here.
        broken=lambda values: np.asarray(view.out_of_bounds(values) & given),
    )
    chosen = expected_coverage(candidates, math.ceil(CHOSEN * n), rng)
    if len(chosen) == n:
        return pool[chosen]
    return np.vstack([pool[chosen], designed_sample(view.space, np.delete(pool, chosen, axis=0), n - len(chosen), rng)])


def _known_elsewhere(view: SpaceView, priors: Priors | None, known: Knowledge, n: int) -> IntArray:
    """What may be evaluated of it: what was taken over in part, or else the architectures of the hints too."""
    begun = known.X[known.open]
    if len(begun) >= n or priors is None:
        return begun
    hinted = [X for several in priors.hints.values() for _, X, _ in several]
    pool = view.new_only(np.vstack([begun, *hinted]), known.settled)
    if view.members is not None:
        members = set(view.space.keys(view.members))
        return pool[[key in members for key in view.space.keys(pool)]]
    return pool[view.allowed(pool)]


def _told(
    view: SpaceView, priors: Priors | None, known: Knowledge, k: int, X: IntArray
) -> tuple[FloatArray, FloatArray]:
    """What each source says of an objective, minimised, and how uncertain it is, shape (n_sources, n) each.

    Hints are in units of their standard deviations, since those of other devices are no units here.
    """
    objective = view.objectives[k]
    if objective.name in _computed(view):
        return view.space.compute(X, objective.name)[None] * objective.sign, np.zeros((1, len(X)))
    if _is_given(view, k):
        rows = np.flatnonzero(np.isfinite(known.raw[:, k]))
        rows = np.random.default_rng(0).permutation(rows)[:MOST_GIVEN]
        mean, std = Source(view.space, known.X[rows], known.raw[rows, k]).posterior(X, logarithmic=False)
        return mean[None] * objective.sign, std[None]
    assert priors is not None
    means, stds = [], []
    for source in priors.sources(objective.name):
        mean, std = source.posterior(X, logarithmic=False)
        values = source.measured(logarithmic=False)
        unit = float(values.std()) or 1.0
        means.append((mean - values.mean()) / unit * objective.sign)
        stds.append(std / unit)
    return np.array(means), np.array(stds)


def _computed(view: SpaceView) -> set[str]:
    return {objective.name for objective in view.space.computed}


def _is_hinted(priors: Priors | None, name: str) -> bool:
    return priors is not None and name in priors.hints


def _is_given(view: SpaceView, k: int) -> bool:
    """Whether enough values of an objective were taken over; whole architectures that are known are no news of it."""
    store = view.store
    free = np.isfinite(store.raw[:, k]) & (store.paid[:, k] == 0.0)
    whole = store.complete & ~(store.paid > 0.0).any(axis=1)
    return int((free & ~whole).sum()) >= FEWEST_OWN
