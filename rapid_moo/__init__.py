"""Hardware-aware neural architecture search with few evaluations, as a pymoo plugin."""

from importlib.metadata import version

from rapid_moo.algorithm import RAPID, OneShotRAPID
from rapid_moo.audit import audit
from rapid_moo.comparison import Comparison, register_method
from rapid_moo.constraints import Constraint
from rapid_moo.errors import InputError, RapidMooError
from rapid_moo.indicators import ADRS, IGDPlus, NormalisedHypervolume, adrs, hypervolume, igd_plus
from rapid_moo.objectives import Objective
from rapid_moo.operators import genotype_operators
from rapid_moo.pareto import front_points, is_nondominated, pareto_ranks
from rapid_moo.predictors import Committee, PredictorSet, PredictorSpec, register_family
from rapid_moo.preferences import knee_point, preferred_point
from rapid_moo.problem import ArchitectureProblem, BillingEvaluator
from rapid_moo.problems import get_problem, get_space, open_table, register_space
from rapid_moo.space import Gene, GridSpace, SearchSpace
from rapid_moo.store import Bill, Store
from rapid_moo.study import Study, Trial
from rapid_moo.table import ArchitectureTable
from rapid_moo.tuning import ADRSTuner

__version__ = version("rapid-moo")

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
    "Gene",
    "GridSpace",
    "IGDPlus",
    "InputError",
    "NormalisedHypervolume",
    "Objective",
    "OneShotRAPID",
    "PredictorSet",
    "PredictorSpec",
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
