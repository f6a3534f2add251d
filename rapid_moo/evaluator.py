"""pymoo's evaluator with an honest budget: architectures that were known already are not billed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.core.evaluator import Evaluator
from pymoo.core.individual import Individual

from rapid_moo._util import IntArray
from rapid_moo.bill import Bill
from rapid_moo.problem import ArchitectureProblem
from rapid_moo.store import Store


class BillingEvaluator(Evaluator):  # type: ignore[misc]  # pymoo ships no types
    """Evaluator whose ``n_eval`` counts unique architectures, so that ``("n_eval", N)`` is an honest budget.

    A repeated architecture is served from memory and not billed. An algorithm that proposes nothing new for
    ``patience`` generations in a row is billed for its repeats from then on, so that every run ends.

    Parameters
    ----------
    patience : int
        Consecutive generations without a new architecture that stay free.
    """

    def __init__(self, patience: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patience = patience
        self.bill: Bill | None = None
        self.stalled = 0
        self._seen: set[str] = set()

    def eval(self, problem: Any, pop: Any, **kwargs: Any) -> Any:
        """Evaluate a population and bill what is new; parameters as in pymoo."""
        kwargs.pop("count_evals", None)
        several = [pop] if isinstance(pop, Individual) else list(pop)
        again = self._asked_again(problem, several)
        # What was known beforehand is so no longer when it has been measured again.
        new = self._bill_of(problem).add(again) if len(again) else 0
        evaluated = super().eval(problem, pop, count_evals=False, **kwargs)
        if not several:
            return evaluated
        if isinstance(problem, ArchitectureProblem):
            bill = self._bill_of(problem)
            new += bill.repeat(again)
            new += bill.add(self._rows(problem, [individual.X for individual in several]))
        else:
            # A problem that knows nothing of this package: the same variables are the same individual.
            before = len(self._seen)
            self._seen.update(_variables(individual.X, problem.vtype) for individual in several)
            new = len(self._seen) - before
        self.stalled = 0 if new else self.stalled + 1
        self.n_eval += new if self.stalled <= self.patience else len(several)
        return evaluated

    def _bill_of(self, problem: ArchitectureProblem) -> Bill:
        true = problem.source.true
        if self.bill is None or (true and self.bill.store is not problem.store):
            names = [objective.name for objective in problem.objectives]
            # Predictions are not remembered: what was asked for is counted in a store of the evaluator's own.
            self.bill = Bill(problem.store if true else Store(problem.space, names))
        return self.bill

    def _asked_again(self, problem: Any, several: Sequence[Individual]) -> IntArray:
        """Rows of known architectures that are to be measured once more."""
        if not several or not isinstance(problem, ArchitectureProblem) or not problem.store.again.any():
            return np.empty(0, dtype=np.int64)
        rows = problem.store.find(problem.genotypes(np.array([individual.X for individual in several])))
        rows = np.unique(rows[rows >= 0])
        return np.asarray(rows[problem.store.again[rows].any(axis=1)], dtype=np.int64)

    def _rows(self, problem: ArchitectureProblem, X: Sequence[Any]) -> IntArray:
        genotypes = problem.genotypes(np.array(X))
        store = self._bill_of(problem).store
        return store.find(genotypes) if problem.source.true else store.ask(genotypes)


def _variables(x: Any, vtype: Any) -> str:
    """Variables of an individual as text, equal where they are: integers that came as real numbers included."""
    if isinstance(x, dict):
        return repr([(name, x[name]) for name in sorted(x, key=str)])
    values = np.atleast_1d(x)
    if values.dtype.kind == "f" and vtype in (int, bool, np.int64):
        values = np.rint(values)
    return repr(values.tolist() if values.dtype.kind not in "iub" else values.astype(np.float64).tolist())
