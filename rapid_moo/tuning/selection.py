"""Which triplet to take: not the luckiest of many noisy losses, but what those agree on that are not worse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.pareto import is_nondominated
from rapid_moo.predictors import Spec, committee_of, members_of, prediction_metrics
from rapid_moo.tuning.bench import Bench, Trial
from rapid_moo.tuning.loss import ResampledLoss

FIRST_HALVES = 6
FINALISTS = 25
NORMAL_90 = 1.645
BETTER_THAN_CHANCE, POSSIBLY, USEFUL_TAU = 3.0, 2.0, 0.3
Trials = tuple[Trial | None, ...]


@dataclass(frozen=True, eq=False)
class Judged:
    """A triplet and what is known about it.

    Attributes
    ----------
    trials : tuple of Trial or None
        One per objective; None for a computed one.
    adrs : float
        Loss on the whole sample.
    error : float
        Sum of the trials' errors of order, each in units of its objective's smallest.
    losses : ndarray of shape (n_halves,)
        Loss on each half-sample.
    se : float
        Standard error of the difference to the triplet of the lowest mean loss.
    tied : bool
        Whether that difference is within one standard error.
    """

    trials: Trials
    adrs: float
    error: float
    losses: FloatArray
    se: float
    tied: bool

    @property
    def specs(self) -> tuple[Spec | None, ...]:
        """Configurations of the trials."""
        return tuple(trial.spec if trial is not None else None for trial in self.trials)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The chosen predictors, and on demand what they and the other triplets are worth.

    A run that tunes again and again takes the predictors and asks for nothing else.

    Attributes
    ----------
    bench, loss
        Fits and losses of the sample.
    judged : list of Judged
        Triplets, soundest first.
    committee : Judged or None
        What was chosen in place of the first one, see :func:`committee`.
    prefer : sequence of str
        Preferred families.
    """

    bench: Bench
    loss: ResampledLoss
    judged: list[Judged]
    committee: Judged | None
    prefer: Sequence[str]

    @property
    def chosen(self) -> Judged:
        """What was chosen."""
        return self.judged[0] if self.committee is None else self.committee

    @property
    def ranked(self) -> list[Judged]:
        """Triplets, the chosen one first."""
        return self.judged if self.committee is None else [self.committee, *self.judged]

    def promise(self) -> tuple[float, tuple[float, float]]:
        """See :func:`promise`."""
        return promise(self.bench, self.loss, self.judged, self.chosen, self.prefer)

    def ranking(self) -> pd.DataFrame:
        """See :func:`ranking_frame`."""
        return ranking_frame(self.bench, self.ranked)


def learnable(bench: Bench, k: int) -> bool:
    """Whether some configuration orders an objective better than chance, or might on a larger sample.

    Kendall's tau of independent rows has a standard deviation of ``sqrt(2 (2n + 5) / (9 n (n - 1)))`` (Kendall, 1938).
    The best of many configurations is the luckiest of them, so it must be three of them above 0. But twenty rows prove
    nothing: an objective is given up only where a tau of 0.3 is two of them away.
    """
    n = len(bench.sample)
    chance = np.sqrt(2.0 * (2.0 * n + 5.0) / (9.0 * n * (n - 1.0)))
    truth = bench.F[:, k]
    best = max((prediction_metrics(truth, trial.mean)["kendall_tau"] for trial in bench.best(k, 3)), default=-1.0)
    return bool(best > BETTER_THAN_CHANCE * chance or best + POSSIBLY * chance > USEFUL_TAU)


def judge(
    bench: Bench, loss: ResampledLoss, choices: list[list[Trial | None]], prefer: Sequence[str] = ()
) -> list[Judged]:
    """All combinations of the choices, soundest first.

    Differences between triplets are paired: both are judged on the same half-samples. Those that are not more than
    one standard error worse than the best come first, those with the most predictors of preferred families before
    others, and ordered by their errors of order near the front; the others follow by mean loss. All triplets get a few
    halves, the promising ones all of them.
    """
    combinations = list(product(*choices))
    errors = _errors(choices, combinations)
    predicted = [bench.predicted(trials) for trials in combinations]
    first = np.array([loss.losses(values, FIRST_HALVES) for values in predicted])
    order = np.lexsort((errors, first.mean(axis=1)))
    others = np.array([_others(trials, prefer) for trials in combinations])
    kept = sorted({*order[:FINALISTS].tolist(), int(np.argmin(errors)), int(np.lexsort((errors, others))[0])})
    losses = np.array([loss.losses(predicted[i]) for i in kept])
    best = int(np.argmin(losses.mean(axis=1)))
    difference = losses - losses[best]
    # Half-samples vary as much around the sample's value as samples do around the truth (McCarthy, 1969).
    se = difference.std(axis=1)
    tied = difference.mean(axis=1) <= se
    found = [
        Judged(combinations[i], loss.whole(predicted[i]), float(errors[i]), losses[j], float(se[j]), bool(tied[j]))
        for j, i in enumerate(kept)
    ]
    ties = [(_others(t.trials, prefer), t.error) if t.tied else (float(t.losses.mean()),) for t in found]
    return [
        t for _, t in sorted(zip(ties, found, strict=True), key=lambda item: (not item[1].tied, *item[0], item[1].adrs))
    ]


def _others(trials: Trials, prefer: Sequence[str]) -> int:
    """Predictors that are not of the preferred families, if any are preferred."""
    return sum(trial is not None and trial.spec.family not in prefer for trial in trials) if prefer else 0


def _errors(choices: list[list[Trial | None]], combinations: list[Trials]) -> FloatArray:
    floor = [min((trial.error for trial in column if trial is not None), default=1.0) for column in choices]
    unit = [max(value, 1e-3) for value in floor]
    return np.array(
        [sum(trial.error / unit[k] for k, trial in enumerate(trials) if trial is not None) for trials in combinations]
    )


def committee(bench: Bench, loss: ResampledLoss, judged: list[Judged], prefer: Sequence[str] = ()) -> Judged:
    """The mean of all triplets that are not more than one standard error worse than the best.

    They cannot be told apart, but their errors differ: for each objective the predictors of these triplets are
    averaged, each as often as it occurs in them. With preferred families only the triplets count that have as many
    predictors of them as the first.
    """
    fewest = _others(judged[0].trials, prefer)
    tied = [triplet for triplet in judged if triplet.tied and _others(triplet.trials, prefer) == fewest]
    trials: list[Trial | None] = []
    error = 0.0
    for k in range(len(judged[0].trials)):
        found = [trial for triplet in tied if (trial := triplet.trials[k]) is not None]
        if not found:
            trials.append(None)
            continue
        mean = np.mean([trial.mean for trial in found], axis=0)
        mixed = Trial(
            committee_of([member for trial in found for member, _ in members_of(trial.spec)]),
            mean,
            bench.order.error(k, mean),
            True,
            0.0,
        )
        trials.append(mixed)
        floor = min(trial.error for triplet in judged if (trial := triplet.trials[k]) is not None)
        error += mixed.error / max(floor, 1e-3)
    predicted = bench.predicted(trials)
    losses = loss.losses(predicted)
    best = min(judged, key=lambda triplet: float(triplet.losses.mean()))
    difference = losses - best.losses
    se = float(difference.std())
    return Judged(tuple(trials), loss.whole(predicted), error, losses, se, bool(difference.mean() <= se))


def promise(
    bench: Bench, loss: ResampledLoss, judged: list[Judged], chosen: Judged, prefer: Sequence[str] = ()
) -> tuple[float, tuple[float, float]]:
    """ADRS to expect of the chosen triplet, with an interval of 90 %.

    The loss on the sample that it was chosen on, plus what being chosen is worth: the rule is applied to one half of
    each pair and what it gives judged on the other. The interval is for what an equally large set of unseen
    architectures would give: both the estimate and that set vary by a standard error.

    Parameters
    ----------
    bench, loss
        Fits and losses of the sample.
    judged : list of Judged
        The triplets of which one was chosen.
    chosen : Judged
        One of them, or their :func:`committee`.
    prefer : sequence of str
        Preferred families, as they were when it was chosen.
    """
    predicted = [bench.predicted(triplet.trials) for triplet in judged]
    alone = any(triplet is chosen for triplet in judged)
    gain = []
    for i in range(len(loss)):
        tied = _tied_on(judged, i, prefer)
        if alone:
            tied = [_soundest_on(bench, judged, tied, loss.halves[i])]
        mean = np.mean([predicted[j] for j in tied], axis=0)
        gain.append(loss.on_half(mean, i ^ 1) - loss.on_half(mean, i))
    # Being chosen on a half is worth more than on the whole, by the root of two.
    expected = chosen.adrs + max(0.0, float(np.mean(gain))) / np.sqrt(2.0)
    width = NORMAL_90 * np.sqrt(2.0) * float(chosen.losses.std())
    return expected, (max(0.0, expected - width), expected + width)


def _tied_on(judged: list[Judged], i: int, prefer: Sequence[str]) -> list[int]:
    """Triplets within a standard error of the best one on half ``i`` alone, those of the most preferred families."""
    best = min(judged, key=lambda t: t.losses[i])
    tied = [j for j, t in enumerate(judged) if t.losses[i] - best.losses[i] <= float((t.losses - best.losses).std())]
    fewest = min(_others(judged[j].trials, prefer) for j in tied)
    return [j for j in tied if _others(judged[j].trials, prefer) == fewest]


def _soundest_on(bench: Bench, judged: list[Judged], tied: list[int], rows: IntArray) -> int:
    """The triplet of the smallest errors of order on some rows."""
    errors = {
        (k, trial.spec.label): bench.order.error(k, trial.mean, rows)
        for j in tied
        for k, trial in enumerate(judged[j].trials)
        if trial is not None
    }
    return min(
        tied, key=lambda j: sum(errors[k, t.spec.label] for k, t in enumerate(judged[j].trials) if t is not None)
    )


def ranking_frame(bench: Bench, judged: list[Judged]) -> pd.DataFrame:
    """RAPID's table of triplets and more."""
    metrics: dict[tuple[int, str], dict[str, float]] = {}
    rows = []
    for triplet in judged:
        predicted = bench.predicted(triplet.trials)
        row: dict[str, Any] = {
            "adrs": triplet.adrs,
            "adrs_se": float(triplet.losses.std()),
            "tied": triplet.tied,
            "order_error": triplet.error,
            "front": int(is_nondominated(predicted).sum()),
        }
        mse, mape = [], []
        for k, (objective, spec) in enumerate(zip(bench.sample.objectives, triplet.specs, strict=True)):
            label = spec.label if spec is not None else "exact"
            if (k, label) not in metrics:
                metrics[k, label] = prediction_metrics(bench.F[:, k] * objective.sign, predicted[:, k] * objective.sign)
            found = metrics[k, label]
            members = [member for member, _ in members_of(spec)] if spec is not None else []
            params = [dict(member.params) for member in members] or [{}]
            row[f"{objective.name}_model"] = spec.family if spec is not None else "exact"
            row[f"{objective.name}_hyperparams"] = json.dumps(params if len(params) > 1 else params[0])
            row[f"{objective.name}_features"] = "+".join(dict.fromkeys(member.features for member in members))
            row[f"{objective.name}_transform"] = "+".join(dict.fromkeys(member.transform for member in members))
            row[f"{objective.name}_kendall"] = found["kendall_tau"]
            mse.append(found["mse"])
            mape.append(found["mape"])
        row["mse"] = json.dumps([float(f"{value:.6g}") for value in mse])
        row["mape"] = json.dumps([float(f"{value:.6g}") for value in mape])
        rows.append(row)
    return pd.DataFrame(rows)
