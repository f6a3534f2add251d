"""What to expect of measured architectures: values shrunk towards what a predictor knows, since noise is not luck.

The front of single noisy values is a list of the lucky. A predictor that has not seen an architecture's own value says
where its truth lies and how surely; the value itself says the same with the measurement's noise. Both together, weighed
by their precisions, are the posterior of the truth (a normal prior from the leave-one-out prediction, a normal
likelihood from the mean of n measurements).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rapid_moo._util import BoolArray, FloatArray, IntArray, one_blas_thread
from rapid_moo.acquisition import draw_truths, probability_nondominated
from rapid_moo.noise import Noise, pooled
from rapid_moo.objectives import Objective, signs, to_minimised
from rapid_moo.pareto import front_indices, front_range
from rapid_moo.predictors import GaussianProcess
from rapid_moo.predictors.predictor_set import features_of
from rapid_moo.store import Store
from rapid_moo.study.folder import gene_cells

KINDS = ("engineered", "all")
TEMPER = 10.0
"""By so much must the logarithm of the likelihood differ for a process to count e times less than another."""
FEWEST_ROWS = 8
FEWEST_REPEATS = 5
NEGLIGIBLE = 0.005
"""Noise below this share of an objective's range among the measured ones is none worth speaking of."""
UNSURE = 0.01
"""Of a front, what is less sure than this share of the front's range is worth measuring again."""
MOST_REPEATS, N_DRAWS = 5, 256


@dataclass(frozen=True, eq=False)
class Expected:
    """Measured architectures with what is to be expected of them.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Rows of the store: those with every objective.
    measured : ndarray of shape (n, n_objectives)
        Means of the raw values.
    mean, std : ndarray of shape (n, n_objectives)
        Expected raw values and how sure they are.
    noise : ndarray of shape (n_objectives,)
        Standard deviation of a single measurement, raw (where it grows with the value, of the median); 0 where none was
        found.
    noises : tuple of Noise
        The same as it was estimated, and how sure that is.
    chance : ndarray of shape (n,)
        Probability of being on the front of the true values.
    front_rows, expected_front_rows : ndarray
        Positions among ``rows`` of the front of the measured and of the expected values.
    again : ndarray
        Positions worth measuring again, the most open question first: does it belong to the front?
    doubtful : ndarray of shape (n, n_objectives)
        Objectives that are less sure than the front needs.
    """

    rows: IntArray
    measured: FloatArray
    mean: FloatArray
    std: FloatArray
    noise: FloatArray
    noises: tuple[Noise, ...]
    chance: FloatArray
    front_rows: IntArray
    expected_front_rows: IntArray
    again: IntArray
    doubtful: BoolArray

    def to_frame(self, store: Store, positions: IntArray) -> pd.DataFrame:
        """Some architectures as ``expected_front.csv`` shows them: genes as text, measured and expected raw values.

        Parameters
        ----------
        store : Store
            Of the evaluations.
        positions : ndarray of shape (n_shown,)
            Which of ``rows``.
        """
        rows = self.rows[positions]
        genes = [gene.name for gene in store.space.genes]
        frame = pd.DataFrame([gene_cells(store, row) for row in rows], columns=genes)
        frame.insert(0, "evaluation", rows + 1)
        for k, name in enumerate(store.objectives):
            frame[name] = self.measured[positions, k]
            frame[f"expected_{name}"] = self.mean[positions, k]
            frame[f"unsure_{name}"] = self.std[positions, k]
            frame[f"repeats_{name}"] = store.repeats[rows, k]
        frame["measured_front"] = np.isin(positions, self.front_rows)
        frame["expected_front"] = np.isin(positions, self.expected_front_rows)
        frame["measure_again"] = np.isin(positions, self.again)
        return frame


@one_blas_thread
def expected_values(store: Store, objectives: Sequence[Objective], feasible: BoolArray | None = None) -> Expected:
    """Expected values of everything that was measured completely.

    Parameters
    ----------
    store : Store
        The evaluations.
    objectives : sequence of Objective
        Names and directions of its columns.
    feasible : ndarray of shape (n_rows,), optional
        Which rows of the store may be part of a front.
    """
    rows = np.flatnonzero(store.complete)
    measured = store.raw_of(rows)
    mean, std = measured.copy(), np.zeros_like(measured)
    noises = [Noise(0.0, 0)] * len(objectives)
    computed = {objective.name for objective in store.space.computed}
    if len(rows) >= FEWEST_ROWS:
        features = features_of(store.space, store.X[rows], objectives, KINDS)
        for k, objective in enumerate(objectives):
            if objective.name not in computed and np.ptp(measured[:, k]) > 0:
                mean[:, k], std[:, k], noises[k] = _posterior(store, rows, k, features[k])
    noise = np.array([n.of(np.median(y)) if n.std else 0.0 for n, y in zip(noises, measured.T, strict=True)])
    allowed = np.arange(len(rows)) if feasible is None else np.flatnonzero(feasible[rows])
    front = _front(to_minimised(measured, objectives), allowed)
    expected_front = _front(to_minimised(mean, objectives), allowed)
    doubt = std / front_range(mean, expected_front) if len(rows) else std
    chance = _chance(objectives, mean, std, allowed)
    again = _again(store, rows, chance, doubt, np.union1d(front, expected_front))
    return Expected(
        rows, measured, mean, std, noise, tuple(noises), chance, front, expected_front, again, doubt > UNSURE
    )


@dataclass(frozen=True, eq=False)
class _Guess:
    """What a process foretells of rows from all others: mean and variance of the truth, the variance of its noise."""

    mean: FloatArray
    variance: FloatArray
    noise: float
    likelihood: float


def _posterior(
    store: Store, rows: IntArray, k: int, features: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray, Noise]:
    """Posterior mean and spread of the truths of one objective, and the noise of one measurement.

    Where the logarithm makes unseen rows likelier, errors are taken to grow with the value, unless repeats say how they
    do.
    """
    raw = y = store.raw_of(rows)[:, k]
    guess, logarithm = _foretold(y, features), False
    if (raw > 0.0).all():
        other = _foretold(np.log(raw), features)
        # Densities of raw values, whatever the scale.
        logarithm = other.likelihood - np.log(raw).sum() > guess.likelihood
        guess, y = (other, np.log(raw)) if logarithm else (guess, y)
    found = _repeat_noise(store, rows, k)
    if found is None:
        found = Noise(float(np.sqrt(guess.noise)), 0, bool(logarithm))
    # On the scale of the process.
    noise = found.of(raw) / raw if logarithm else found.of(raw)
    if np.median(noise) < NEGLIGIBLE * np.ptp(y):
        return raw, np.zeros_like(raw), Noise(0.0, found.freedom, found.relative)
    weight = 1.0 / np.maximum(guess.variance, 1e-4 * y.var())
    own = store.repeats[rows, k] / np.maximum(noise, np.finfo(np.float64).tiny) ** 2
    mean, std = (weight * guess.mean + own * y) / (weight + own), np.sqrt(1.0 / (weight + own))
    if logarithm:
        return np.exp(mean), std * np.exp(mean), found
    return mean, std, found


def _foretold(y: FloatArray, features: Mapping[str, FloatArray]) -> _Guess:
    return _average([_guess(y, features[kind], ard) for kind in KINDS for ard in (True, False)])


def _guess(y: FloatArray, features: FloatArray, ard: bool) -> _Guess:
    process = GaussianProcess(ard=ard, max_rows=len(y)).fit(features, y)
    mean, std = process.leave_one_out()
    noise = (process.noise_ * float(y.std())) ** 2
    likelihood = float(np.sum(-0.5 * ((y - mean) / std) ** 2 - np.log(std)))
    # What the process says of a measurement it has not seen holds the noise of one.
    return _Guess(mean, np.maximum(std**2 - noise, 0.0), noise, likelihood)


def _average(guesses: Sequence[_Guess]) -> _Guess:
    """What several processes say, the likelier the louder.

    One alone is at times deceived: with one length scale for all features much noise looks like a function that varies
    fast, with one for each a part of it is fitted.
    """
    best = max(guess.likelihood for guess in guesses)
    loud = np.array([np.exp((guess.likelihood - best) / TEMPER) for guess in guesses])
    loud /= loud.sum()
    return _Guess(
        np.tensordot(loud, [guess.mean for guess in guesses], 1),
        np.tensordot(loud, [guess.variance for guess in guesses], 1),
        float(loud @ [guess.noise for guess in guesses]),
        best,
    )


def _repeat_noise(store: Store, rows: IntArray, k: int) -> Noise | None:
    """Pooled standard deviation between repeats; None where there are too few."""
    counts = store.repeats[rows, k] - 1
    several = counts > 0
    if counts.sum() < FEWEST_REPEATS:
        return None
    squares = counts[several] * store.repeat_variance[rows, k][several]
    return pooled(squares, counts[several], store.raw_of(rows)[several, k])


def _front(F: FloatArray, allowed: IntArray) -> IntArray:
    return allowed[front_indices(F[allowed])] if len(allowed) else allowed


def _chance(objectives: Sequence[Objective], mean: FloatArray, std: FloatArray, allowed: IntArray) -> FloatArray:
    """Probability of being on the front of the truths, of those that may be there, shape (n,)."""
    chance = np.zeros(len(mean))
    if len(allowed):
        draws = draw_truths(mean[allowed], std[allowed], N_DRAWS, np.random.default_rng(0)) * signs(objectives)
        chance[allowed] = probability_nondominated(draws, np.empty((0, len(objectives))))
    return chance


def _again(store: Store, rows: IntArray, chance: FloatArray, doubts: FloatArray, either: IntArray) -> IntArray:
    """Which of the two fronts' architectures are worth another measurement, the most open question first.

    The question is whether an architecture belongs to the front: of a lucky one that surely does not, and of one that
    surely does, another measurement changes little. What was measured often, or is known as well as the front needs,
    is left out. No probability is too sure: with a limit of 0.1 ten made-up searches of 60 networks found the true
    front with an F1 of 0.58 after 9.7 repeats each, without one 0.63 after 15.4 (0.56 before; runs not kept).
    """
    often = store.repeats[rows[either]].max(axis=1, initial=0) >= MOST_REPEATS
    candidates = either[(doubts[either].max(axis=1, initial=0.0) > UNSURE) & ~often]
    return np.asarray(candidates[np.argsort(np.abs(chance[candidates] - 0.5), kind="stable")])
