"""The tuner: screens each family's shortlist, lets Nevergrad search on, and ranks triplets.

For each objective a configuration is a family, its hyper-parameters, a feature set and a target transform. Each is
fitted once per objective on :class:`~rapid_moo.tuning.bench.Bench`; only triplets multiply, and a triplet costs no
fit. Nevergrad's loss is the ADRS of :class:`~rapid_moo.tuning.loss.ResampledLoss`;
:mod:`rapid_moo.tuning.selection` says which triplet is taken.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rapid_moo._util import Seed, as_generator, check_jobs, numpy_state_kept, one_blas_thread
from rapid_moo.errors import InputError
from rapid_moo.predictors import FAMILIES, PredictorSpec, members_of
from rapid_moo.predictors.transforms import TRANSFORMS
from rapid_moo.priors import Priors
from rapid_moo.progress import Progress, ProgressCallback
from rapid_moo.space import FEATURE_SETS
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning.bench import Bench, Trial
from rapid_moo.tuning.loss import ResampledLoss
from rapid_moo.tuning.result import TunerResult
from rapid_moo.tuning.selection import Judgement, committee, judge, learnable

if TYPE_CHECKING:
    import nevergrad as ng

logger = logging.getLogger(__name__)

OPTIMIZER = "NGOpt"
BUDGET, MOST_TRIALS = 14, 10_000
NOT_SEARCHED = {"n_estimators", "loss"}
FEWEST_ROWS = 4
SCREENED = 0.75
FAMILIES_REFINED = 2
ASKS_PER_FIT = 8
MEAN = PredictorSpec("mean")


class ADRSTuner:
    """Choose one predictor per objective by ADRS.

    Parameters
    ----------
    budget : int
        Configurations to fit per objective, the families' shortlists included; never exceeded.
    families : sequence of str, optional
        Families to consider; all registered ones by default.
    shortlist : int
        Configurations per objective of which all triplets are ranked in the end.
    committee : bool
        Average all triplets that are within a standard error of the best, instead of taking the soundest of them.
        The predictions are better, and fitting and predicting takes as many times longer as there are predictors.
    prefer : sequence of str
        Families taken wherever that is worse by no more than a standard error.
    max_rows : int
        Tune on at most so many rows of the sample, drawn at random: which configuration is best is seen on a few
        hundred rows, and every fit gets cheaper.
    optimizer : str
        Name of a Nevergrad optimizer.
    seed : int, numpy.random.Generator or None
        Seed of folds, rows and optimizer; a Generator, or the operating system, gives one to each :meth:`tune`.
    n_jobs : int
        Fits at the same time, on joblib's current backend (``with joblib.parallel_config("dask"): ...``); the result
        does not depend on it.

    Examples
    --------
    ``ADRSTuner(budget=30, seed=0).tune(sample).best.fit(sample)`` gives a fitted
    :class:`~rapid_moo.predictors.PredictorSet`.
    """

    def __init__(
        self,
        budget: int = BUDGET,
        *,
        families: Sequence[str] | None = None,
        shortlist: int = 5,
        committee: bool = True,
        prefer: Sequence[str] = (),
        max_rows: int = 400,
        optimizer: str = OPTIMIZER,
        seed: Seed = 0,
        n_jobs: int = 1,
    ) -> None:
        check_jobs(n_jobs)
        for name, value in (("tuner budget", budget), ("shortlist", shortlist)):
            if not 1 <= value <= MOST_TRIALS:
                raise InputError(f"{name}: expected 1 to {MOST_TRIALS}, got {value}")
        if max_rows < FEWEST_ROWS:
            raise InputError(f"max_rows: expected at least {FEWEST_ROWS}, got {max_rows}")
        unknown = sorted({*(families or ()), *prefer} - set(FAMILIES))
        if unknown:
            raise InputError(f"families: expected some of {', '.join(FAMILIES)}, got {', '.join(map(repr, unknown))}")
        if optimizer != OPTIMIZER:
            import nevergrad as ng

            if optimizer not in ng.optimizers.registry:
                raise InputError(f"optimizer: expected a Nevergrad optimizer, got {optimizer!r}")
        self.budget, self.shortlist, self.max_rows = budget, shortlist, max_rows
        self.families, self.prefer = tuple(families or FAMILIES), tuple(prefer)
        self.committee = committee
        as_generator(seed)  # what is no seed is refused at once
        self.optimizer, self.seed, self.n_jobs = optimizer, seed, n_jobs

    def with_seed(self, seed: Seed) -> ADRSTuner:
        """The same tuner with another seed."""
        other = copy.copy(self)
        other.seed = seed
        return other

    @one_blas_thread
    def tune(
        self,
        sample: ArchitectureTable,
        progress: ProgressCallback | None = None,
        priors: Priors | None = None,
    ) -> TunerResult:
        """Tune on a sample.

        Parameters
        ----------
        sample : ArchitectureTable
            Measured architectures, four at least.
        progress : callable, optional
            Called after each configuration per objective with the best loss so far.
        priors : Priors, optional
            What is known from elsewhere. Of an objective of which it tells something each Gaussian process of the
            shortlist is tried with it and without, beside the budget, and what is best decides for the others.
        """
        if len(sample) < FEWEST_ROWS:
            raise InputError(f"sample: expected at least {FEWEST_ROWS} architectures to tune on, got {len(sample)}")
        start, seed = time.perf_counter(), _drawn(self.seed)
        rows = sample if len(sample) <= self.max_rows else sample.sample(self.max_rows, seed)
        bench, loss = Bench(rows, seed, self.n_jobs, priors), ResampledLoss(rows.F, seed)
        trace: list[float] = []

        def tell(best: float, done: int) -> None:
            trace.append(min(best, trace[-1]) if trace else best)
            if progress is not None:
                progress(Progress(done, self.budget, trace[-1]))

        if bench.tuned:
            self._screen(bench, loss, tell)
            self._refine(bench, loss, tell)
        unlearnable = self._unlearnable(bench)
        judged = judge(bench, loss, self._choices(bench, unlearnable), self.prefer)
        chosen = committee(bench, loss, judged, self.prefer) if self.committee else None
        return TunerResult(
            judgement=Judgement(bench, loss, judged, chosen, self.prefer),
            unlearnable=tuple(sample.objectives[k].name for k in unlearnable),
            n_fits=bench.n_fits,
            trace=tuple(trace),
            seconds=time.perf_counter() - start,
            fit_seconds=bench.seconds,
            settings={
                "budget": self.budget,
                "families": list(self.families),
                "committee": self.committee,
                "prefer": list(self.prefer),
                "shortlist": self.shortlist,
                "max_rows": self.max_rows,
                "optimizer": self.optimizer,
                "seed": seed,
                "rows": len(rows),
                "sample": sample.name,
                "fingerprint": sample.fingerprint,
            },
        )

    # ------------------------------------------------------------------- steps
    def _screen(self, bench: Bench, loss: ResampledLoss, tell: Callable[[float, int], None]) -> None:
        """Fit the families' shortlists on every objective, as far as the budget goes, the cheapest and best first."""
        specs = _screening(self.families)[: max(1, round(self.budget * SCREENED))]
        bench.evaluate(_informed(bench, specs))
        head = max(FAMILIES[name].first for name in self.families)
        for start, stop in ((0, head), (head, len(specs))):
            if specs[start:stop]:
                bench.evaluate((k, spec) for spec in specs[start:stop] for k in bench.tuned)
                tell(loss.losses(bench.predicted(_soundest(bench))).mean(), min(stop, len(specs)))

    def _refine(self, bench: Bench, loss: ResampledLoss, tell: Callable[[float, int], None]) -> None:
        """Nevergrad over the joint configuration of all objectives, ADRS as the loss."""
        n_tuned = len(bench.tuned)
        limit = self.budget * n_tuned + bench.n_extra
        with_prior = {k: members_of(bench.best(k)[0].spec)[0][0].prior for k in bench.tuned}
        left = limit - bench.n_fits
        if left <= 0:
            return
        import nevergrad as ng

        with numpy_state_kept():
            space = ng.p.Tuple(*(_parametrization(bench, k) for k in bench.tuned))
        space.random_state = np.random.RandomState(bench.seed)
        asks = ASKS_PER_FIT * -(-left // n_tuned)
        optimizer = ng.optimizers.registry[self.optimizer](parametrization=space, budget=asks)
        for _ in range(asks):
            candidate = optimizer.ask()
            specs = {
                k: _spec_of(value).with_prior(with_prior[k])
                for k, value in zip(bench.tuned, candidate.value, strict=True)
            }
            if bench.n_fits + len(bench.new(specs.items())) > limit:
                return
            bench.evaluate(specs.items())
            trials = [
                bench.best_version(k, specs[k]) if k in specs else None for k in range(len(bench.sample.objectives))
            ]
            value = float(loss.losses(bench.predicted(trials)).mean())
            optimizer.tell(candidate, value)
            tell(value, min(self.budget, bench.n_fits // n_tuned))
            if bench.n_fits >= limit:
                return

    def _unlearnable(self, bench: Bench) -> list[int]:
        found = [k for k in bench.tuned if not learnable(bench, k)]
        for k in found:
            logger.warning(
                "%s: no predictor orders it better than chance on %d architectures: its mean is used",
                bench.sample.objectives[k].name,
                len(bench.sample),
            )
        bench.evaluate((k, MEAN) for k in found)
        return found

    def _choices(self, bench: Bench, unlearnable: Sequence[int]) -> list[list[Trial | None]]:
        """Trials of each objective from which triplets are formed."""
        choices: list[list[Trial | None]] = []
        for k in range(len(bench.sample.objectives)):
            if k not in bench.tuned:
                choices.append([None])
            elif k in unlearnable:
                choices.append([bench.trial(k, MEAN)])
            else:
                chosen = bench.best(k, self.shortlist)
                # A preferred family needs a candidate to be taken.
                liked = [trial for trial in bench.best(k) if trial.spec.family in self.prefer]
                choices.append([*chosen, *[t for t in liked[:2] if t not in chosen]])
        return choices


def _drawn(seed: Seed) -> int:
    """A seed as the libraries below take it, an int of 32 bits; such an int stays as it is."""
    if isinstance(seed, int | np.integer) and seed < 2**32:
        return int(seed)
    return int(as_generator(seed).integers(2**32))


def _screening(families: Sequence[str]) -> list[PredictorSpec]:
    """The families' shortlists in the order in which they are tried."""
    entries: list[tuple[int, int, PredictorSpec]] = []
    for place, name in enumerate(families):
        family = FAMILIES[name]
        for rank, (params, features, transform) in enumerate(family.shortlist):
            turn = 0 if rank < family.first else 1 + rank - family.first
            entries.append((turn, place, PredictorSpec(name, dict(params), features, transform)))
    return [spec for _, _, spec in sorted(entries, key=lambda entry: entry[:2])]


def _informed(bench: Bench, specs: Sequence[PredictorSpec]) -> list[tuple[int, PredictorSpec]]:
    """The Gaussian processes of a shortlist with what is known from elsewhere of each objective; noted as extra."""
    if bench.priors is None:
        return []
    sample = bench.sample
    counts = {
        k: bench.priors.columns_beside(sample.objectives[k].name, sample.X, sample.raw[:, k]) for k in bench.tuned
    }
    processes = [spec for spec in specs if spec.family == "gaussian_process"]
    found = [(k, spec.with_prior(counts[k])) for spec in processes for k in bench.tuned if counts[k]]
    bench.n_extra = len(found)
    return found


def _soundest(bench: Bench) -> list[Trial | None]:
    return [bench.best(k)[0] if k in bench.tuned else None for k in range(len(bench.sample.objectives))]


def _parametrization(bench: Bench, k: int) -> ng.p.Parameter:
    """Configurations of the families that did best on an objective."""
    import nevergrad as ng

    names = list(dict.fromkeys(trial.spec.family for trial in bench.best(k)))[:FAMILIES_REFINED]
    return ng.p.Dict(
        model=ng.p.Choice([ng.p.Dict(family=name, params=_searched(name)) for name in names]),
        features=ng.p.Choice(list(FEATURE_SETS)),
        transform=ng.p.Choice(list(TRANSFORMS)),
    )


def _searched(name: str) -> ng.p.Dict:
    """Hyper-parameters that are searched.

    Not an ensemble's length, since one fit gives all. Nor the loss: transforms of the target do what a robust loss
    does, and boosting with another loss than the squared one costs three times as much.
    """
    import nevergrad as ng

    space = FAMILIES[name].space()
    return ng.p.Dict(**{key: space[key] for key in sorted(FAMILIES[name].hyperparameters - NOT_SEARCHED)})


def _spec_of(value: dict[str, Any]) -> PredictorSpec:
    model = value["model"]
    return PredictorSpec(model["family"], dict(model["params"]), value["features"], value["transform"])
