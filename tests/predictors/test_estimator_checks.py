from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from rapid_moo.predictors import FAMILIES, GaussianProcess, Predictor


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([GaussianProcess(), *(Predictor(name) for name in FAMILIES)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)
