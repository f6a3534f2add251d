"""One-shot RAPID with this package's tuner: the budget is the training sample, the verified front comes on top."""

from __future__ import annotations

from pymoo.core.algorithm import Algorithm

from rapid_moo.comparison.methods._pymoo import PymooMethod
from rapid_moo.oneshot import OneShotRAPID as OneShot


class OneShotRAPID(PymooMethod):
    """One-shot RAPID trained on a random sample of the budget's size; 15 % becomes 16 to 18 % on the bill."""

    name = "rapid-oneshot"
    anytime = False
    overruns = True

    def _make(self) -> Algorithm:
        return OneShot(n_initial=self.budget, sampling="random")

    def _limit(self) -> int:
        return len(self.members)
