"""What the tuner found: ranked triplets, what they promise, and the files that keep them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from rapid_moo._shown import Lines, Shown
from rapid_moo._util import LARGEST_SEED, atomic_path, shown, write_text
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import MOST_OBJECTIVES, Objective
from rapid_moo.predictors import PredictorSet, PredictorSpec, Spec, members_of, spec_from_dict
from rapid_moo.predictors.predictor_set import families_of
from rapid_moo.report import Report
from rapid_moo.report.facts import PredictorFacts
from rapid_moo.report.making import choice_facts, environment, now, objective_facts
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning.selection import Judgement

TRIPLET_FILE = "triplet.json"
RANKING_FILE = "adrs.csv"
MOST_ADRS = 1e30
DEFAULT_SPEC = PredictorSpec("gaussian_process", {}, "engineered", "none")


@dataclass(frozen=True, eq=False)
class Triplet:
    """Chosen predictors, one per objective; None for an objective that the space computes.

    ``fit(sample)`` gives predictors for any table of a space with as many objectives: that is mix and match.
    """

    specs: tuple[Spec | None, ...]
    objectives: tuple[Objective, ...]
    adrs: float
    seed: int
    interval: tuple[float, float] | None = None

    def fit(self, sample: ArchitectureTable) -> PredictorSet:
        """Predictors fitted on a sample, of the tuned table or of another one."""
        return PredictorSet(sample.space, sample.objectives, adapt(self.specs, sample), seed=self.seed).fit(sample)

    @property
    def families(self) -> tuple[str, ...]:
        """Family of each objective's predictor; "exact" for a computed one."""
        return families_of(self.specs)


def adapt(specs: Sequence[Spec | None], sample: ArchitectureTable) -> list[Spec | None]:
    """The specs for another table's objectives, by position.

    An objective that the table's space computes needs no predictor; one that it does not, but for which the triplet
    has none, gets a default Gaussian process.
    """
    computed = {objective.name for objective in sample.space.computed}
    padded = [*specs, *[None] * len(sample.objectives)]
    return [
        None if objective.name in computed else (spec or DEFAULT_SPEC)
        for objective, spec in zip(sample.objectives, padded, strict=False)
    ]


@dataclass(frozen=True, eq=False, repr=False)
class TunerResult(Shown):
    """What the tuner found.

    Attributes
    ----------
    judgement : Judgement
        The triplets and what they were judged by, from which ranking, ADRS and interval are made when asked for.
    ranking : pandas.DataFrame
        Triplets, best first: RAPID's columns (``adrs``, ``front``, ``<objective>_model``,
        ``<objective>_hyperparams``, ``mse``, ``mape``); ``adrs_se`` (standard error of ``adrs``), ``tied`` (whether
        the triplet is within one standard error of the lowest ADRS), ``order_error`` (summed error of order near the
        front, by which tied triplets are ranked); and features, transform and Kendall tau of each objective.
    triplets : tuple of Triplet
        The same triplets. The first one's ``adrs`` is corrected for having been chosen, and has an ``interval``.
    unlearnable : tuple of str
        Objectives of which no configuration predicts anything; their predictor is the mean, with honest spread.
    n_fits : int
        Configurations that were fitted.
    trace : tuple of float
        Best loss after each trial.
    seconds : float
        Wall time.
    fit_seconds : dict
        CPU time of the fits by family: the floor of the cost, all else is choosing.
    settings : dict
        Everything needed to repeat the run.
    """

    judgement: Judgement
    unlearnable: tuple[str, ...]
    n_fits: int
    trace: tuple[float, ...]
    seconds: float
    fit_seconds: dict[str, float]
    settings: dict[str, Any]

    def _shown(self) -> tuple[str, Lines]:
        low, high = self.interval
        lines: list[tuple[str, Any]] = [
            (o.name, family) for o, family in zip(self.best.objectives, self.families, strict=True)
        ]
        lines += [("ADRS", f"{self.adrs:.4f} ({low:.4f} to {high:.4f})"), ("fitted", self.n_fits)]
        if self.unlearnable:
            lines.append(("unlearnable", self.unlearnable))
        return "Result of the tuner", [*lines, ("seconds", float(self.seconds))]

    def report(self, command: str = "") -> Report:
        """The facts, to be shown by :mod:`rapid_moo.report`; ``command`` is what made them."""
        predictors = tuple(
            PredictorFacts(
                objective=o.name,
                family="exact" if spec is None else spec.family,
                members=() if spec is None else tuple({**m.to_dict(), "share": share} for m, share in members_of(spec)),
            )
            for o, spec in zip(self.best.objectives, self.specs, strict=True)
        )
        return Report(
            kind="tuning",
            name=str(self.settings.get("table", "a sample")),
            created=now(),
            command=command,
            objectives=objective_facts(self.best.objectives),
            seconds={"tune": float(self.seconds)},
            predictors=predictors,
            choice=choice_facts(self),
            settings=dict(self.settings),
            versions=environment(),
        )

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """See the attributes."""
        return self.judgement.ranking()

    @cached_property
    def _promised(self) -> tuple[float, tuple[float, float]]:
        return self.judgement.promise()

    @cached_property
    def triplets(self) -> tuple[Triplet, ...]:
        """See the attributes."""
        objectives, seed = self.judgement.bench.sample.objectives, self.settings["seed"]
        chosen = Triplet(self.specs, objectives, self.adrs, seed, self.interval)
        return (chosen, *(Triplet(t.specs, objectives, t.adrs, seed) for t in self.judgement.ranked[1:]))

    @property
    def specs(self) -> tuple[Spec | None, ...]:
        """The chosen predictors, one per objective."""
        return self.judgement.chosen.specs

    @property
    def best(self) -> Triplet:
        """The chosen triplet."""
        return self.triplets[0]

    @property
    def adrs(self) -> float:
        """ADRS to expect of the chosen triplet's first picks among as many unseen architectures as were tuned on."""
        return self._promised[0]

    @property
    def interval(self) -> tuple[float, float]:
        """Where that ADRS will lie with a probability of 90 %."""
        return self._promised[1]

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the best triplet."""
        return families_of(self.specs)

    def save(self, folder: Path | str) -> None:
        """Write ``adrs.csv`` (the ranking) and ``triplet.json`` (the best triplet) into a folder."""
        path = Path(folder)
        with atomic_path(path / RANKING_FILE) as temporary:
            self.ranking.to_csv(temporary, index=False, float_format="%.10g")
        best = {
            "specs": [spec.to_dict() if spec is not None else None for spec in self.best.specs],
            "objectives": [
                {"name": o.name, "direction": o.direction, "unit": o.unit, "column": o.column}
                for o in self.best.objectives
            ],
            "adrs": self.best.adrs,
            "interval": self.best.interval,
            "unlearnable": list(self.unlearnable),
            "seed": self.best.seed,
            "settings": self.settings,
        }
        write_text(path / TRIPLET_FILE, json.dumps(best, indent=2) + "\n")


def load_triplet(folder: Path | str) -> Triplet:
    """Read the triplet that :meth:`TunerResult.save` wrote.

    Raises
    ------
    DataNotFoundError
        If the folder holds none.
    InputError
        If the file cannot be understood.
    """
    path = Path(folder) / TRIPLET_FILE
    if not path.is_file():
        raise DataNotFoundError(f"{path}: expected the result of 'rapid-moo tune --dir {folder}', found nothing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if len(content["specs"]) > MOST_OBJECTIVES:
            raise ValueError(f"{len(content['specs'])} predictors")
        specs = tuple(spec_from_dict(item) if item is not None else None for item in content["specs"])
        objectives = tuple(Objective(**item) for item in content["objectives"])
        if len(specs) != len(objectives):
            raise ValueError(f"{len(specs)} predictors of {len(objectives)} objectives")
        stated = content.get("interval")
        low, high = (float(bound) for bound in stated) if stated is not None else (0.0, 0.0)
        found, seed = float(content["adrs"]), content["seed"]
        if not 0 <= found <= MOST_ADRS or not 0 <= low <= high <= MOST_ADRS:
            raise ValueError(f"an ADRS of {found:g} in {low:g}..{high:g}")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"a seed of {shown(seed)}")
        return Triplet(specs, objectives, found, seed, (low, high) if stated is not None else None)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InputError(f"{path}: expected a triplet that 'rapid-moo tune' wrote, got: {error}") from error
