"""Bayesian optimisation by expected hypervolume improvement over an enumerated set of candidates, with BoTorch.

S. Daulton et al., "Parallel Bayesian optimization of multiple noisy objectives with expected hypervolume improvement",
NeurIPS 2021; S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS
2023; M. Balandat et al., "BoTorch", NeurIPS 2020.

One Gaussian process per objective on one-hot genes, with BoTorch's own kernel and priors; batches of four, chosen one
after the other. The acquisition is valued at the 500 candidates of the best front of the posterior means: at all
members of a large table it would take minutes a batch.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from rapid_moo._util import FloatArray, IntArray, drawn_seed
from rapid_moo.comparison.method import Method
from rapid_moo.errors import MissingExtraError
from rapid_moo.pareto import pareto_ranks
from rapid_moo.problem import ArchitectureProblem

try:
    import torch
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling import SobolQMCNormalSampler
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from botorch.utils.multi_objective.pareto import is_non_dominated
    from gpytorch.mlls import SumMarginalLogLikelihood
except ImportError as error:
    raise MissingExtraError("qlognehvi needs BoTorch: pip install 'rapid-moo[botorch]'") from error


class QLogNEHVI(Method):
    """``qLogNoisyExpectedHypervolumeImprovement`` over the members that have not been evaluated."""

    name = "qlognehvi"
    first_sample: ClassVar[int] = 16
    batch: ClassVar[int] = 4
    pool: ClassVar[int] = 500
    samples: ClassVar[int] = 64

    def __init__(self, problem: ArchitectureProblem, budget: int, seed: int) -> None:
        super().__init__(problem, budget, seed)
        self._rng = np.random.default_rng(seed)
        self._inputs = problem.space.features(self.members, "one_hot")
        self._done = np.zeros(len(self.members), dtype=np.bool_)
        self._rows: list[int] = []
        self._F = np.empty((0, problem.n_obj))
        self._asked: IntArray = np.empty(0, dtype=np.int64)

    def ask(self) -> IntArray:
        """Random members, then the batch of the largest expected improvement."""
        left = np.flatnonzero(~self._done)
        if not self._rows:
            self._asked = self._rng.permutation(left)[: self.first_sample]
        elif len(left) <= self.batch:
            self._asked = left
        else:
            self._asked = self._improving(left)
        return self.members[self._asked]

    def tell(self, X: IntArray, F: FloatArray) -> None:
        """Remember what was asked for."""
        self._done[self._asked] = True
        self._rows.extend(self._asked.tolist())
        self._F = np.vstack([self._F, F])

    def _improving(self, left: IntArray) -> IntArray:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numerical advice of the optimizer of the hyper-parameters
            torch.manual_seed(drawn_seed(self._rng))
            known, values = self._tensor(self._inputs[self._rows]), self._tensor(-self._F)
            model = _fitted(known, values)
            with torch.no_grad():
                mean = -model.posterior(self._tensor(self._inputs[left])).mean.numpy()
            left = left[np.argsort(pareto_ranks(mean), kind="stable")[: self.pool]]
            acquisition = qLogNoisyExpectedHypervolumeImprovement(
                model,
                ref_point=infer_reference_point(values[is_non_dominated(values)]),
                X_baseline=known,
                sampler=SobolQMCNormalSampler(torch.Size([self.samples]), seed=drawn_seed(self._rng)),
                prune_baseline=True,
            )
            choices = self._tensor(self._inputs[left])
            chosen, _ = optimize_acqf_discrete(acquisition, q=self.batch, choices=choices, max_batch_size=256)
            at = (chosen[:, None, :] == choices[None, :, :]).all(dim=2).int().argmax(dim=1)
        return np.asarray(left[at.numpy()])

    @staticmethod
    def _tensor(values: FloatArray) -> Any:
        return torch.as_tensor(values, dtype=torch.float64)


def _fitted(known: Any, values: Any) -> Any:
    """One process per objective, shape (n, n_features) and (n, n_objectives)."""
    single = [SingleTaskGP(known, y[:, None], outcome_transform=Standardize(1)) for y in values.T]
    model = ModelListGP(*single)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    return model
