"""The ADRS tuner: Nevergrad outside, ADRS of out-of-fold predictions inside."""

from rapid_moo.tuning.bench import Bench, Trial
from rapid_moo.tuning.early import early_specs
from rapid_moo.tuning.loss import ResampledLoss, pick_loss, pick_order
from rapid_moo.tuning.result import (
    RANKING_FILE,
    TRIPLET_FILE,
    Triplet,
    TunerResult,
    adapt,
    load_triplet,
)
from rapid_moo.tuning.tuner import FEWEST_ROWS, OPTIMIZER, ADRSTuner

__all__ = [
    "FEWEST_ROWS",
    "OPTIMIZER",
    "RANKING_FILE",
    "TRIPLET_FILE",
    "ADRSTuner",
    "Bench",
    "ResampledLoss",
    "Trial",
    "Triplet",
    "TunerResult",
    "adapt",
    "early_specs",
    "load_triplet",
    "pick_loss",
    "pick_order",
]
