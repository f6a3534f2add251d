"""The conformance checks pass on everything that is built in, and each one fails on what it is made to find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from rapid_moo import ArchitectureProblem, ArchitectureTable, Gene, Objective, RapidMooError, SearchSpace, get_space
from rapid_moo.predictors import FAMILIES, GaussianProcess, Predictor
from rapid_moo.problems import get_problem
from rapid_moo.rows import ASKED, Event
from rapid_moo.store import Store
from rapid_moo.study import SQLiteStore
from rapid_moo.testing import (
    PREDICTOR_CHECKS,
    PROBLEM_CHECKS,
    SPACE_CHECKS,
    STORE_CHECKS,
    ConformanceError,
    check_predictor,
    check_problem,
    check_space,
    check_store,
    most_calls,
)

SPACES = ["digits", "nasbench201", "nasbench_asr", "flexibert", "hw_gpt_s", "hw_gpt_m", "hw_gpt_l"]
FILES = {
    "nasbench201": "nasbench201_data_final.csv",
    "nasbench_asr": "asr_data.csv",
    "flexibert": "flexibert_data.csv",
    "hw_gpt_s_a100": "gpt_s_a100.csv",
    "hw_gpt_m_h100": "gpt_m_h100.csv",
    "hw_gpt_l_rtx3080": "gpt_l_rtx3080.csv",
}


class Small(SearchSpace):
    """A sound space with an inactive gene and a computed value; the broken ones below derive from it."""

    name = "small"
    genes = (
        Gene("depth", (1, 2), weight=2.0),
        Gene("width1", (8, 16, 32)),
        Gene("width2", (8, 16, 32)),
        Gene("op", (0, 1), ("conv", "pool"), ordered=False),
    )
    objectives = (Objective("error", "min"), Objective("speed", "max"))
    computed = (Objective("units", "min"),)

    @property
    def size(self):
        return 2 * (3 + 9)

    def _active(self, X):
        active = np.ones(X.shape, dtype=bool)
        active[X[:, 0] == 0, 2] = False
        return active

    def _compute(self, X, name):
        return np.array([8, 16, 32])[X[:, 1]] + np.where(X[:, 0] == 1, np.array([8, 16, 32])[X[:, 2]], 0.0)


def profile(X):
    return np.array([[X[0].sum() + 1.0, 3.0 * X[0, 1] - X[0, 3]]])


counter = itertools.count()


class RepairMoves(Small):
    def _repair(self, X):
        return (super()._repair(X) + 1) % self.n_choices


class RepairInPlace(Small):
    def repair(self, X):
        X = np.asarray(X)
        X[~self._active(X)] = 0
        return X


class InactiveMatters(Small):
    def _repair(self, X):
        return X.copy()


class CanonicalMoves(Small):
    def _canonical(self, X):
        return np.add(X, [0, 1, 0, 0]) % self.n_choices


class VectorsLoseAGene(Small):
    def _decode(self, X):
        vectors = super()._decode(X)
        vectors[:, 3] = 0
        return vectors


class ReadsAnything(Small):
    def _encode(self, vectors):
        return np.clip(vectors - [1, 0, 0, 0], 0, self.xu)

    def _decode(self, X):
        return np.add(X, [1, 0, 0, 0])


class StringsLoseAGene(Small):
    def to_string(self, x):
        return super().to_string(x).rpartition(" ")[0]


class DictsHoldInactiveGenes(Small):
    def to_dict(self, x):
        return {gene.name: gene.choices[code] for gene, code in zip(self.genes, self.repair(x)[0], strict=True)}


class DictsAreNotRead(Small):
    def from_dict(self, architecture):
        return super().from_dict({**architecture, "op": 0})


class FeaturesAreNaN(Small):
    def _features(self, X):
        return np.log(X - 1.0)


class FeaturesOfTheBatch(Small):
    def _features(self, X):
        return X - X.mean(axis=0)


class FeaturesAtRandom(Small):
    def _features(self, X):
        return X + float(next(counter))


class FeaturesWithoutNames(Small):
    def _features(self, X):
        return np.hstack([X, X])


class ComputedIsInfinite(Small):
    def _compute(self, X, name):
        return np.where(X[:, 3] == 1, np.inf, 1.0)


class SizeIsWrong(Small):
    @property
    def size(self):
        return 36


class SampleRepeats(Small):
    def sample(self, n, seed=None):
        return np.zeros((n, self.n_var), dtype=np.int64)


class SampleForgetsItsSeed(Small):
    def sample(self, n, seed=None):
        return np.roll(super().sample(n, seed), next(counter), axis=0)


class DistanceIsLopsided(Small):
    def distance(self, A, B):
        return super().distance(A, B) * np.linspace(0.5, 1.0, len(A))[:, None]


class DistanceIsBlind(Small):
    genes = (*Small.genes[:3], Gene("op", (0, 1), ("conv", "pool"), ordered=False, weight=0.0))


class NamesTwice(Small):
    @property
    def genes(self):
        return (*Small.genes, Gene("depth", (0, 1)))


BROKEN_SPACES = {
    "repair": (RepairMoves, "not idempotent"),
    "repair changes its input": (RepairInPlace, "changes its input"),
    "inactive_genes": (InactiveMatters, "inactive gene"),
    "canonical": (CanonicalMoves, "canonical is not idempotent"),
    "vectors": (VectorsLoseAGene, "encode"),
    "vectors_are_read_strictly": (ReadsAnything, "without an error"),
    "strings": (StringsLoseAGene, "from_string"),
    "dicts": (DictsHoldInactiveGenes, "expected the active genes"),
    "dicts are not read": (DictsAreNotRead, "from_dict"),
    "features": (FeaturesAreNaN, "not finite"),
    "features of the batch": (FeaturesOfTheBatch, "depend on the other rows"),
    "features at random": (FeaturesAtRandom, "not the same twice"),
    "features without names": (FeaturesWithoutNames, "expected 4 features"),
    "computed": (ComputedIsInfinite, "computed units is not finite"),
    "size": (SizeIsWrong, r"size is 36, but enumerate\(\) gives 24"),
    "sample": (SampleRepeats, "repeats an architecture"),
    "sample forgets its seed": (SampleForgetsItsSeed, "same seed"),
    "distance": (DistanceIsLopsided, "not symmetric"),
    "distance is blind": (DistanceIsBlind, "different architectures is 0"),
    "names": (NamesTwice, "distinct gene names"),
}


def test_conformance_errors_are_assertions_and_errors_of_this_package():
    assert issubclass(ConformanceError, AssertionError)
    assert issubclass(ConformanceError, RapidMooError)


class TestSpaces:
    @pytest.mark.parametrize("name", SPACES)
    def test_built_in(self, name):
        check_space(get_space(name))

    def test_sound_one(self):
        check_space(Small())

    @pytest.mark.parametrize("case", BROKEN_SPACES)
    @pytest.mark.filterwarnings("ignore:.*encountered in log")
    def test_broken_one(self, case):
        broken, said = BROKEN_SPACES[case]
        with pytest.raises(ConformanceError, match=said):
            check_space(broken())

    def test_every_check_has_something_to_find(self):
        assert set(SPACE_CHECKS) <= set(BROKEN_SPACES)

    def test_something_else(self):
        with pytest.raises(ConformanceError, match="expected a SearchSpace, got list"):
            check_space([])


class BilledAgain(ArchitectureProblem):
    def evaluate_raw(self, X, stops=None):
        raw = self.source.values(X)
        self.billed = getattr(self, "billed", 0) + len(X)
        return raw

    @property
    def n_evaluations(self):
        return getattr(self, "billed", 0)


class WrongSign(ArchitectureProblem):
    def _evaluate(self, x, out, *args, **kwargs):
        super()._evaluate(x, out, *args, **kwargs)
        out["F"] = -out["F"]


class WrongBounds(ArchitectureProblem):
    def __init__(self, *args):
        super().__init__(*args)
        self.xu = self.xu + 1


class FrontTooGood(ArchitectureProblem):
    def reference_front(self):
        return super().reference_front() - 1.0


class FrontWithEverything(ArchitectureProblem):
    def reference_front(self):
        return np.unique(self.table.F, axis=0)


class ForgetsToBill(ArchitectureProblem):
    """Bills an evaluation of a whole generation as one."""

    @property
    def n_evaluations(self):
        return min(len(self.store), 1)


def small_table():
    space = Small()
    X = space.enumerate()
    return ArchitectureTable.build(space, space.objectives, X, np.vstack([profile(x[None]) for x in X]))


BROKEN_PROBLEMS = {
    "bounds": (WrongBounds, "bounds are not the space's"),
    "evaluation": (WrongSign, "not the minimised raw value"),
    "billing": (BilledAgain, "expected"),
    "front": (FrontTooGood, "does not evaluate to"),
    "front with everything": (FrontWithEverything, "dominated"),
    "host": (ForgetsToBill, "billed"),
}


class TestProblems:
    def test_embedded(self):
        check_problem(get_problem("digits"))
        check_problem(get_problem("digits", constraints=["latency <= 4"]))

    @pytest.mark.parametrize("name", FILES)
    def test_published(self, name, published):
        check_problem(get_problem(published(FILES[name])))

    @pytest.mark.parametrize("options", [{"memory": "flops"}, {"memory": "profiled"}])
    def test_published_memory(self, options, published):
        check_problem(get_problem(published(FILES["nasbench201"]), **options))

    def test_published_energy(self, published):
        check_problem(get_problem(published(FILES["hw_gpt_s_a100"]), energy=True))

    def test_profiler(self):
        problem = ArchitectureProblem(Small(), profile)
        check_problem(problem, measure=True)
        assert problem.n_evaluations == 0

    def test_failing_profiler(self):
        failing = ArchitectureProblem(Small(), lambda X: profile(X) if X[0, 3] else [[np.nan, 1.0]])
        check_problem(failing, measure=True)

    def test_a_users_networks_are_trained_only_when_asked_and_as_often_as_stated(self):
        calls = []

        def measure(genes):
            calls.append(genes)
            return {objective.name: float(len(genes)) for objective in Small.objectives}

        problem = ArchitectureProblem(Small(), measure=measure)
        said = check_problem(problem)
        assert calls == []
        assert "is not called; measure=True calls it at most 65 times" in said
        said = check_problem(problem, measure=True)
        assert 20 <= len(calls) <= most_calls() == 65
        assert "called at most 65 times" in said
        assert "no measure is called" in check_problem(get_problem("digits"))

    @pytest.mark.parametrize("case", BROKEN_PROBLEMS)
    def test_broken_one(self, case):
        broken, said = BROKEN_PROBLEMS[case]
        with pytest.raises(ConformanceError, match=said):
            check_problem(broken(Small(), small_table()))

    @pytest.mark.parametrize("check", PROBLEM_CHECKS)
    def test_every_check_has_something_to_find(self, check):
        broken, _ = BROKEN_PROBLEMS[check]
        problem = broken(Small(), small_table())
        with pytest.raises(ConformanceError):
            PROBLEM_CHECKS[check](problem, np.tile(Small().enumerate(), (2, 1)))

    def test_something_else(self):
        with pytest.raises(ConformanceError, match="got Small"):
            check_problem(Small())


class Mean(RegressorMixin, BaseEstimator):
    """A sound predictor; the broken ones below derive from it."""

    def fit(self, X, y):
        self.mean_, self.std_ = y.mean(), y.std()
        return self

    def predict(self, X, return_std=False):
        mean = np.full(len(X), self.mean_)
        return (mean, np.full(len(X), self.std_)) if return_std else mean


class NoStd(Mean):
    def predict(self, X):
        return np.full(len(X), self.mean_)


class FitReturnsNothing(Mean):
    def fit(self, X, y):
        super().fit(X, y)


class FitSortsItsInput(Mean):
    def fit(self, X, y):
        X.sort(axis=0)
        return super().fit(X, y)


class PredictsUnfitted(Mean):
    def predict(self, X, return_std=False):
        return np.zeros(len(X))


class StdIsNegative(Mean):
    def predict(self, X, return_std=False):
        found = super().predict(X, return_std)
        return (found[0], -found[1]) if return_std else found


class DependsOnTheBatch(Mean):
    def predict(self, X, return_std=False):
        mean = self.mean_ + X[:, 0] - X[:, 0].mean()
        return (mean, np.ones(len(X))) if return_std else mean


class Unrepeatable(Mean):
    def fit(self, X, y):
        super().fit(X, y)
        self.mean_ += next(counter)
        return self


class Remembers(Mean):
    def fit(self, X, y):
        self.mean_ = y.mean() + getattr(self, "mean_", 0.0)
        self.std_ = 1.0
        return self


class Divides(Mean):
    def predict(self, X, return_std=False):
        mean = np.full(len(X), self.mean_ if self.std_ > 0 else np.nan)
        return (mean, np.full(len(X), self.std_)) if return_std else mean


BROKEN_PREDICTORS = {
    "signature": (NoStd, "takes no return_std"),
    "fit": (FitReturnsNothing, "expected the predictor itself"),
    "fit changes its input": (FitSortsItsInput, "changes its input"),
    "predict before fit": (PredictsUnfitted, "before fit"),
    "predictions": (StdIsNegative, ">= 0"),
    "predictions depend on the batch": (DependsOnTheBatch, "other rows"),
    "repeatable": (Unrepeatable, "another fit"),
    "memory": (Remembers, "remembers"),
    "hard_data": (Divides, "a constant target"),
}


class TestPredictors:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_built_in(self, name):
        check_predictor(Predictor(name))

    def test_gaussian_process(self):
        check_predictor(GaussianProcess())

    @pytest.mark.parametrize("transform", ["log", "tail"])
    def test_transforms(self, transform):
        check_predictor(Predictor("bayesian_ridge", target_transform=transform))

    def test_sound_one(self):
        check_predictor(Mean())

    @pytest.mark.parametrize("case", BROKEN_PREDICTORS)
    def test_broken_one(self, case):
        broken, said = BROKEN_PREDICTORS[case]
        with pytest.raises(ConformanceError, match=said):
            check_predictor(broken())

    def test_every_check_has_something_to_find(self):
        assert set(PREDICTOR_CHECKS) <= set(BROKEN_PREDICTORS)


class HasARow(Store):
    def __init__(self, space, objectives):
        super().__init__(space, objectives)
        self.ask(np.zeros((1, space.n_var)))


class AsksTwice(Store):
    def _ask(self, repaired, who, free, objectives=None, stops=None, again=False):
        self._record(
            [
                Event("ask", self._n + i, 0.0, {"x": x.tolist(), "who": who, "free": free})
                for i, x in enumerate(repaired)
            ]
        )


class KeepsVariants(Store):
    def ask(self, X, who="", *, free=False, **more):
        first = len(self)
        rows = super().ask(X, who, free=free)
        for row, x in zip(rows, np.atleast_2d(X), strict=True):
            if row >= first:
                self._X[row] = x[::-1]
        return rows


class TellsARowTooFar(Store):
    def tell(self, row, values, reasons=None, **kwargs):
        super().tell(row - 1 if row > 0 else row, values, reasons, **kwargs)


class KeepsTheLast(Store):
    def tell(self, row, values, reasons=None, **kwargs):
        for name in values:
            self._count[row, self.objectives.index(name)] = self._total[row, self.objectives.index(name)] = 0
        super().tell(row, values, reasons, **kwargs)


class LosesTheRow(Store):
    """A failure of one objective loses what else was measured."""

    def tell(self, row, values, reasons=None, **kwargs):
        super().tell(row, {} if reasons else values, reasons, **kwargs)


class TakesAnything(Store):
    def tell(self, row, values, reasons=None, **kwargs):
        super().tell(min(row, len(self) - 1) % len(self), {n: v for n, v in values.items() if n == "error" and v == v})


class ChangesFirst(Store):
    """Keeps the values that came before the wrong one."""

    def tell(self, row, values, reasons=None, **kwargs):
        for name, value in values.items():
            super().tell(row, {name: value}, reasons, **kwargs)
        if not values:
            super().tell(row, values, reasons, **kwargs)


class NeverRuns(Store):
    def _on_start(self, event):
        self._begun[event.row] += 1


class BillsLostWork(Store):
    def _on_requeue(self, event):
        begun = self._begun[event.row]
        super()._on_requeue(event)
        self._begun[event.row] = begun


class BillsImports(Store):
    @property
    def n_evaluations(self):
        return len(self)


class ImportsWait(Store):
    def _on_ask(self, event):
        super()._on_ask(event)
        self._work[event.row] = ASKED

    def drop(self, rows):
        pass


class TakesImportsForMeasured(Store):
    @property
    def free(self):
        return np.zeros(len(self), dtype=bool)


class NotesChange(Store):
    def note(self, key, content):
        self.notes[key] = content


class ForgetsToAskAgain(Store):
    def ask(self, X, who="", *, free=False, objectives=None, again=False):
        return super().ask(X, who, free=free, objectives=objectives)


class ForgetsItsFailures(Store):
    def __getstate__(self):
        return {**self.__dict__, "_reasons": [{} for _ in self._reasons]}


class FrameOfCodes(Store):
    def to_frame(self):
        frame = super().to_frame()
        frame["depth"] = self.X[:, 0]
        return frame


class TakesStoppedForFailed(Store):
    def _on_tell(self, event):
        super()._on_tell(event)
        for name in event.body.get("stopped", {}):
            self._broken[event.row, self.objectives.index(name)] = True


class ChargesTheWhole(Store):
    def tell(self, row, values, reasons=None, *, stopped=None, **more):
        super().tell(row, values, reasons, stopped=dict.fromkeys(stopped or {}, 1.0), **more)


class LosesCurves(Store):
    def curve(self, row, objective):
        return ()


class AlwaysNew(Store):
    def refresh(self):
        return True


BROKEN_STORES = {
    "empty": (HasARow, "a new store: expected no rows, got 1"),
    "asking": (AsksTwice, "an architecture has one row"),
    "asking keeps variants": (KeepsVariants, "expected repaired genotypes"),
    "telling": (TellsARowTooFar, r"expected \[0.1, 3.0\] as told"),
    "repeats": (KeepsTheLast, "repeats count with their mean"),
    "again": (ForgetsToAskAgain, "ask again: expected the row to wait"),
    "failures": (LosesTheRow, "a failure of one objective loses another"),
    "stops": (TakesStoppedForFailed, "stopped is not failed"),
    "stops cost": (ChargesTheWhole, "paid: expected"),
    "stops lose curves": (LosesCurves, "curve: expected"),
    "refusals": (TakesAnything, "expected an InputError, got none"),
    "refusals change": (ChangesFirst, "refused and changed the store"),
    "states": (NeverRuns, "state when begun"),
    "lost_work": (BillsLostWork, "lost work is not billed"),
    "imports": (BillsImports, "imports are not billed"),
    "imports wait": (ImportsWait, "do not wait to be measured"),
    "bills": (TakesImportsForMeasured, "costs nothing"),
    "notes": (NotesChange, "a later change"),
    "copies": (ForgetsItsFailures, "pickling: expected the same evaluations"),
    "frame": (FrameOfCodes, "the choices as they are"),
    "transactions": (AlwaysNew, "refresh: expected False"),
}


class TestStores:
    def test_in_memory(self):
        check_store(Store)

    def test_in_a_file(self, tmp_path):
        check_store(lambda space, names: SQLiteStore(tmp_path / f"{next(counter)}.sqlite", space, names))

    @pytest.mark.parametrize("case", BROKEN_STORES)
    def test_broken_one(self, case):
        broken, said = BROKEN_STORES[case]

        def make(space, names):
            return broken(space, names)

        with pytest.raises(ConformanceError, match=said):
            STORE_CHECKS[case.split(" ")[0]](make(space_of_the_checks(), ("error", "latency")))
        with pytest.raises(ConformanceError):
            check_store(make)

    def test_every_check_has_something_to_find(self):
        assert set(STORE_CHECKS) <= set(BROKEN_STORES)

    def test_something_else(self):
        with pytest.raises(ConformanceError, match="expected a Store, got dict"):
            check_store(lambda space, names: {})


def space_of_the_checks():
    spaces = []

    def make(space, names):
        spaces.append(space)
        return Store(space, names)

    check_store(make)
    return spaces[0]
