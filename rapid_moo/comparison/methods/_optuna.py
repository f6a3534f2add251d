"""Any multi-objective Optuna sampler as a method."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from rapid_moo._util import FloatArray, IntArray
from rapid_moo.comparison.method import Method
from rapid_moo.errors import MissingExtraError
from rapid_moo.problem import ArchitectureProblem

try:
    import optuna
except ImportError as error:
    raise MissingExtraError("Optuna's samplers need optuna: pip install 'rapid-moo[optuna]'") from error


class OptunaMethod(Method):
    """A sampler of Optuna, one trial at a time; a subclass names it in ``sampler``.

    Ordered genes are integers, the others categories. Every gene is asked for, inactive ones included: what they say
    is not heard.
    """

    sampler: ClassVar[str]

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._distributions: dict[str, Any] = {
            f"{k}": optuna.distributions.IntDistribution(0, len(gene.choices) - 1)
            if gene.ordered
            else optuna.distributions.CategoricalDistribution(range(len(gene.choices)))
            for k, gene in enumerate(problem.space.genes)
        }
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = getattr(optuna.samplers, self.sampler)(seed=seed, **self._options())
        self._study = optuna.create_study(sampler=sampler, directions=["minimize"] * problem.n_obj)
        optuna.logging.set_verbosity(level)
        self._trial: Any = None

    def _options(self) -> dict[str, Any]:
        """Arguments of the sampler beside its seed."""
        return {}

    def ask(self) -> IntArray:
        """The next trial."""
        self._trial = self._study.ask(self._distributions)
        chosen = self._trial.params  # a copy every time it is read
        return np.array([[chosen[name] for name in self._distributions]], dtype=np.int64)

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Hand the objectives on."""
        self._study.tell(self._trial, F[0].tolist())
