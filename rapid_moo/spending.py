"""What a run has asked for, and what it may still spend: evaluations, and cost where costs are stated.

What was asked for and not told counts as spent, so that no budget is exceeded, however many evaluations are under way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.bill import Bill
from rapid_moo.costs import EPSILON, CostBudget
from rapid_moo.decoupling import SHARE, Decoupling
from rapid_moo.repeating import Repeating
from rapid_moo.store import Store
from rapid_moo.view import Knowledge, SpaceView

Parts = dict[bytes, tuple[IntArray, BoolArray]]


@dataclass(eq=False)
class UnderWay:
    """What was asked for and not told, by key.

    Attributes
    ----------
    n_var : int
        Number of genes.
    whole : dict of bytes to ndarray of shape (n_var,)
        Architectures of which all that is missing is measured.
    parts, again : dict of bytes to pairs of ndarrays of shape (n_var,) and (n_objectives,)
        Those of which some objectives are measured, and those that are measured once more, with masks of the
        objectives.
    """

    n_var: int
    whole: dict[bytes, IntArray] = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)
    again: Parts = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> UnderWay:
        """What is pending in a store, whoever asked for it."""
        found = cls(store.space.n_var)
        rows = np.flatnonzero(store.pending)
        for row, key in zip(rows.tolist(), store.space.keys(store.X[rows]), strict=True):
            wanted = store.wanted_of(row)
            if store.settled(row):
                found.again[key] = store.X[row], wanted
            elif (wanted | store.settled_objectives(row)).all():
                found.whole[key] = store.X[row]
            else:
                found.parts[key] = store.X[row], wanted
        return found

    def __bool__(self) -> bool:
        return bool(self.whole or self.parts or self.again)

    @property
    def X(self) -> IntArray:
        """Genotypes of what is measured as a whole, shape (n, n_var)."""
        return self._stacked(self.whole.values())

    @property
    def begun(self) -> IntArray:
        """Genotypes of what is measured in part, shape (n, n_var)."""
        return self._stacked(x for x, _ in self.parts.values())

    def _stacked(self, genotypes: Iterable[IntArray]) -> IntArray:
        found = [*genotypes]
        return np.array(found, dtype=np.int64).reshape(len(found), self.n_var)

    def drop(self, keys: Sequence[bytes]) -> None:
        """Forget what was told."""
        for key in keys:
            self.whole.pop(key, None)
            self.parts.pop(key, None)
            self.again.pop(key, None)


@dataclass(frozen=True, eq=False)
class Spending:
    """What a run may spend on its next proposal.

    Attributes
    ----------
    view : SpaceView
        The problem.
    bill : Bill
        What was spent.
    under_way : UnderWay
        What counts as spent.
    termination : pymoo Termination
        The run's, whose budget is one of evaluations, of cost, or none.
    priced : bool
        Whether it matters what is left to pay of an architecture: where the budget is one of cost.
    repeating : Repeating or None
        What is measured again, and what that costs.
    limit, cost_limit : int and float, optional
        Of this proposal alone.
    """

    view: SpaceView
    bill: Bill
    under_way: UnderWay
    termination: Any
    priced: bool = False
    repeating: Repeating | None = None
    limit: int | None = None
    cost_limit: float | None = None

    def whole(self, X: IntArray) -> float:
        """How many whole evaluations architectures cost, what is known of them left out."""
        return float(self.view.shares(X).sum()) if self.priced else float(len(X))

    def paid_for(self, known: Knowledge) -> float:
        """How many architectures were paid for: by the share of it where part of what is known was given."""
        n = len(known) - int(known.open.sum())
        if not self.priced:
            return n
        rows = self.bill.rows[self.view.store.tried[self.bill.rows]]
        given = np.isfinite(known.raw) & (self.view.store.paid_of(rows)[:, : known.raw.shape[1]] == 0.0)
        shares = given @ self.view.problem.evaluation_prices / self.view.price
        # What was given as a whole teaches as much as if it had been paid for.
        return n - float(shares[~known.open & (shares < 1.0 - EPSILON)].sum())

    @property
    def most(self) -> float:
        """How many whole evaluations the run's budget pays for; infinite without one."""
        found = self._most_evaluations
        if isinstance(self.termination, CostBudget) and self.view.price > 0.0:
            found = min(found, self.termination.limit / self.view.price * (1.0 + EPSILON))
        return found

    @property
    def _most_evaluations(self) -> float:
        # Counted here and not by the evaluator, which ask-and-tell does without.
        budget = getattr(self.termination, "n_max_evals", None)
        return math.inf if budget is None else float(budget)

    def affordable(self, size: int) -> int:
        """At most what the budget leaves, so that it is never exceeded."""
        left = size if self.limit is None else min(size, self.limit)
        if math.isfinite(budget := self._most_evaluations):
            left = min(left, int(budget) - len(self.bill) - len(self.under_way.whole) - len(self.under_way.again))
        if (cost := self.cost_left()) is not None and np.isfinite(cost) and self.view.price > 0.0:
            left = int(min(left, cost / self.view.price * (1.0 + EPSILON)))  # the quotient may be beyond any int
        return max(0, left)

    def whole_left(self) -> float:
        """How many whole evaluations the budget of cost leaves, a part of one included."""
        cost = self.cost_left()
        if cost is None or self.view.price <= 0.0:
            return np.inf
        return max(0.0, cost / self.view.price * (1.0 + EPSILON))

    def cost_left(self) -> float | None:
        """What may still be spent, what is under way counted as spent; None where no budget is one of cost."""
        found = [] if self.cost_limit is None else [self.cost_limit]
        if isinstance(self.termination, CostBudget):
            waiting = self.whole(self.under_way.X) * self.view.price
            waiting += self._parts_cost(self.view.problem.evaluation_prices)
            found.append(self.termination.limit - self.view.problem.cost(self.bill) - waiting - self.again_cost())
        return min(found) if found else None

    def again_cost(self) -> float:
        """What the repeats cost that are under way."""
        if self.repeating is None:
            return 0.0
        return sum(self.repeating.cost(mask) for _, mask in self.under_way.again.values())

    def for_screening(self, decoupling: Decoupling, known: Knowledge, n_chosen: float) -> float:
        """What may be spent on measuring in part: a share of what complete evaluations cost, less what was spent.

        Parameters
        ----------
        decoupling : Decoupling
            What is measured in part.
        known : Knowledge
            What is known.
        n_chosen : float
            Whole evaluations of the next batch, which count as spent.
        """
        store = self.view.store
        rows = self.bill.rows[store.tried[self.bill.rows]]
        costs = store.paid_of(rows) @ self.view.problem.prices
        whole = float(costs[~known.open].sum()) + (self.whole(known.pending) + n_chosen) * self.view.price
        return SHARE * whole - float(costs[known.open].sum()) - self._parts_cost(decoupling.prices)

    def _parts_cost(self, prices: FloatArray) -> float:
        return sum(float(prices[mask].sum()) for _, mask in self.under_way.parts.values())
