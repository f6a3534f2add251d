"""What measurements cost: prices of objectives, stated costs, and budgets of cost.

Nobody needs to state a cost. Where somebody does, for one objective or for several, a budget is an amount of cost, and
what was spent is the sum of what each measurement cost, failures and repeats included. A cost that is not stated is 1
then, and what the space computes costs nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pymoo.core.termination import Termination

from rapid_moo._util import FloatArray, shown
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective

EPSILON = 1e-9
"""Relative error of a sum of costs that no budget may fail by."""
CHEAP = 0.2
"""Objectives that together cost at most this share of a whole evaluation are cheap."""
_PART = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^,]*?))\s*:\s*([^:,]*?)\s*(?:,|$)")


def prices(objectives: Sequence[Objective], computed: Collection[str]) -> FloatArray:
    """What one measurement of each objective costs, shape (n_objectives,); 0 for what the space computes."""
    return np.array([0.0 if o.name in computed else float(o.cost) for o in objectives])


def costs_stated(objectives: Sequence[Objective], computed: Collection[str]) -> bool:
    """Whether somebody stated what measuring an objective costs."""
    return any(o.cost_stated for o in objectives if o.name not in computed)


def parse_costs(text: str) -> dict[str, float]:
    """Parse ``accuracy:1,latency:0.01``; a name with a comma or colon stands in quotes.

    Raises
    ------
    InputError
        If a part is no name with a number of 0 or more, or a name comes twice.
    """
    found: dict[str, float] = {}
    at = 0
    while at < max(len(text), 1):
        match = _PART.match(text, at)
        name = match and (match[1] or match[2] or match[3])
        cost = _number(match[4]) if match is not None else None
        if match is None or not name or cost is None:
            part = shown(text[at:].split(",")[0].strip())
            raise InputError(f"costs: expected NAME:NUMBER of 0 or more, got {part} in {shown(text, 200)}")
        if name in found:
            raise InputError(f"costs: expected each objective once, got {name!r} twice")
        found[name] = cost
        at = match.end()
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def with_costs(
    objectives: Sequence[Objective], costs: str | Mapping[str, float], computed: Collection[str] = ()
) -> tuple[Objective, ...]:
    """The objectives with costs, by name or column; those that are not mentioned keep theirs.

    Parameters
    ----------
    objectives : sequence of Objective
        What is measured.
    costs : str or mapping of str to float
        ``accuracy:1,latency:0.01``, or the same as a mapping.
    computed : collection of str
        Objectives that the space computes, which cost nothing.

    Raises
    ------
    InputError
        If a name is unknown, a computed objective is to cost something, or no measurement costs anything.
    """
    stated = parse_costs(costs) if isinstance(costs, str) else dict(costs)
    found = []
    for objective in objectives:
        keys = [key for key in dict.fromkeys((objective.name, objective.column)) if key in stated]
        cost = stated.pop(keys[0]) if keys else objective.cost
        if keys and objective.name in computed and cost > 0:
            raise InputError(f"costs: {keys[0]!r} is computed and costs nothing, got {cost:g}")
        # What is computed stays without a stated cost: saying 0 of it says nothing of the others.
        found.append(objective if objective.name in computed else replace(objective, cost=cost))
    if stated:
        names = ", ".join(objective.name for objective in objectives)
        raise InputError(f"costs: expected some of {names}, got {next(iter(stated))!r}")
    check_prices(found, computed)
    return tuple(found)


def check_prices(objectives: Sequence[Objective], computed: Collection[str]) -> None:
    """Refuse costs that are all 0: no budget would ever end.

    Raises
    ------
    InputError
        If costs are stated and no measurement costs anything.
    """
    if costs_stated(objectives, computed) and not prices(objectives, computed).any():
        raise InputError("costs: expected a measurement that costs something, got 0 for all of them")


def affordable(cost: float, left: float) -> bool:
    """Whether what is left pays for something, rounding aside."""
    return cost <= left + EPSILON * max(1.0, abs(left))


def cost_text(value: float) -> str:
    """A cost for people: four digits, more where it is large."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def told_cost(value: float) -> float:
    """A cost for files: without what rounding leaves of a sum."""
    return float(f"{value:.12g}")


class CostBudget(Termination):  # type: ignore[misc]  # pymoo ships no types
    """Ends a run when what was measured has cost so much: ``minimize(problem, RAPID(), CostBudget(120))``.

    RAPID never exceeds it. Other algorithms end with the generation that does, as they do with ``("n_eval", N)``.

    Parameters
    ----------
    limit : float
        Cost in the unit of the objectives' costs; infinite for no end.
    """

    def __init__(self, limit: float) -> None:
        super().__init__()
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
            raise InputError(f"cost budget: expected a positive number, got {limit!r}")
        self.limit = float(limit)

    def _update(self, algorithm: Any) -> float:
        problem = algorithm.problem
        if not hasattr(problem, "cost"):
            raise InputError(f"cost budget: expected an ArchitectureProblem, got {type(problem).__name__}")
        own = getattr(algorithm, "bill", None)
        spent = problem.cost(own if own is not None else getattr(algorithm.evaluator, "bill", None))
        return 1.0 if affordable(self.limit, spent) else spent / self.limit
