"""Hardware-aware neural architecture search with few evaluations, as a pymoo plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapid_moo._lazy import Lazy

if TYPE_CHECKING:
    from rapid_moo.algorithm import RAPID
    from rapid_moo.audit import audit
    from rapid_moo.bill import Bill
    from rapid_moo.comparison import Comparison, register_method
    from rapid_moo.constraints import Constraint
    from rapid_moo.costs import CostBudget
    from rapid_moo.errors import InputError, RapidMooError
    from rapid_moo.evaluator import BillingEvaluator
    from rapid_moo.indicators import ADRS, IGDPlus, NormalisedHypervolume, adrs, hypervolume, igd_plus
    from rapid_moo.objectives import Objective
    from rapid_moo.oneshot import OneShotRAPID
    from rapid_moo.operators import genotype_operators
    from rapid_moo.pareto import front_points, is_nondominated, pareto_ranks
    from rapid_moo.predictors import Committee, PredictorSet, PredictorSpec, register_family
    from rapid_moo.preferences import knee_point, preferred_point
    from rapid_moo.priors import Prior
    from rapid_moo.problem import ArchitectureProblem
    from rapid_moo.problems import get_problem, get_space, open_table, register_space
    from rapid_moo.space import Gene, GridSpace, SearchSpace
    from rapid_moo.store import Store
    from rapid_moo.study import Study, Trial
    from rapid_moo.table import ArchitectureTable
    from rapid_moo.tuning import ADRSTuner

    __version__: str

__all__ = [
    "ADRS",
    "RAPID",
    "ADRSTuner",
    "ArchitectureProblem",
    "ArchitectureTable",
    "Bill",
    "BillingEvaluator",
    "Committee",
    "Comparison",
    "Constraint",
    "CostBudget",
    "Gene",
    "GridSpace",
    "IGDPlus",
    "InputError",
    "NormalisedHypervolume",
    "Objective",
    "OneShotRAPID",
    "PredictorSet",
    "PredictorSpec",
    "Prior",
    "RapidMooError",
    "SearchSpace",
    "Store",
    "Study",
    "Trial",
    "adrs",
    "audit",
    "front_points",
    "genotype_operators",
    "get_problem",
    "get_space",
    "hypervolume",
    "igd_plus",
    "is_nondominated",
    "knee_point",
    "open_table",
    "pareto_ranks",
    "preferred_point",
    "register_family",
    "register_method",
    "register_space",
]

# A worker process needs none of this but its measure, and importing all of it takes seconds.
_lazy = Lazy(
    __name__,
    {
        "rapid_moo.algorithm": "RAPID",
        "rapid_moo.audit": "audit",
        "rapid_moo.bill": "Bill",
        "rapid_moo.comparison": "Comparison register_method",
        "rapid_moo.constraints": "Constraint",
        "rapid_moo.costs": "CostBudget",
        "rapid_moo.errors": "InputError RapidMooError",
        "rapid_moo.evaluator": "BillingEvaluator",
        "rapid_moo.indicators": "ADRS IGDPlus NormalisedHypervolume adrs hypervolume igd_plus",
        "rapid_moo.objectives": "Objective",
        "rapid_moo.oneshot": "OneShotRAPID",
        "rapid_moo.operators": "genotype_operators",
        "rapid_moo.pareto": "front_points is_nondominated pareto_ranks",
        "rapid_moo.predictors": "Committee PredictorSet PredictorSpec register_family",
        "rapid_moo.preferences": "knee_point preferred_point",
        "rapid_moo.priors": "Prior",
        "rapid_moo.problem": "ArchitectureProblem",
        "rapid_moo.problems": "get_problem get_space open_table register_space",
        "rapid_moo.space": "Gene GridSpace SearchSpace",
        "rapid_moo.store": "Store",
        "rapid_moo.study": "Study Trial",
        "rapid_moo.table": "ArchitectureTable",
        "rapid_moo.tuning": "ADRSTuner",
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rapid-moo")
    return _lazy.find(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
