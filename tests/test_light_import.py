"""What is heavy is loaded when it is used: by name, since seconds depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

PREDICTORS = ["nevergrad", "xgboost"]
HEAVY = ["bokeh", "joblib", "matplotlib", "moocore", "pymoo", "rich", "scipy", "sklearn", "torch", *PREDICTORS]


def loaded(script: str, names: list[str]) -> list[str]:
    """Which of some packages a fresh process has loaded after a script."""
    told = f"\nimport sys\nprint('loaded:', *[name for name in {names!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script + told], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "script",
    [
        "import rapid_moo; dir(rapid_moo); rapid_moo.__version__",
        "from rapid_moo import Gene, GridSpace, InputError, Objective",
        "from rapid_moo.cli import main; assert main(['--help']) == 0",
        "from rapid_moo.cli import main; assert main(['search', '--help']) == 0",
        "from rapid_moo.cli import main; assert main(['compare', '--help']) == 0",
        "from rapid_moo.cli import main; assert main(['run', '--help']) == 0",
        "from rapid_moo.cli import main; assert main(['serach']) == 2",
    ],
)
def test_import_and_help_load_nothing_heavy(script):
    assert loaded(script, HEAVY) == []


def test_predictors_are_loaded_when_they_are_fitted():
    script = "from rapid_moo import RAPID, ADRSTuner, PredictorSpec, get_problem; get_problem('digits')"
    assert loaded(script, PREDICTORS) == []
    assert loaded(f"{script}; PredictorSpec('xgboost').make().fit([[0], [1]], [0, 1])", PREDICTORS) == ["xgboost"]


def test_the_measure_of_heavy_modules_can_fail():
    assert loaded("import scipy", HEAVY) == ["scipy"]
