"""Predictors: families of regressors, one predictor per objective, and a set of them."""

from rapid_moo.predictors.committee import Committee, Spec, committee_of, members_of, spec_from_dict
from rapid_moo.predictors.families import FAMILIES, Family, get_family, register_family
from rapid_moo.predictors.gaussian_process import GaussianProcess
from rapid_moo.predictors.metrics import prediction_metrics
from rapid_moo.predictors.predictor import Predictor, PredictorSpec, out_of_fold
from rapid_moo.predictors.predictor_set import PredictorSet
from rapid_moo.predictors.transforms import TargetTransform

__all__ = [
    "FAMILIES",
    "Committee",
    "Family",
    "GaussianProcess",
    "Predictor",
    "PredictorSet",
    "PredictorSpec",
    "Spec",
    "TargetTransform",
    "committee_of",
    "get_family",
    "members_of",
    "out_of_fold",
    "prediction_metrics",
    "register_family",
    "spec_from_dict",
]
