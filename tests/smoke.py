"""A smoke test of an installed package, run by ``make smoke`` away from the tree: ``python smoke.py``.

It needs nothing but the package itself: the embedded table, a search with the command line, pymoo's NSGA-II, RAPID, an
own space in a study that is stopped and goes on, and every module that needs no extra.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from importlib.metadata import requires, version
from pathlib import Path

from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

import rapid_moo
from rapid_moo import RAPID, BillingEvaluator, Gene, GridSpace, Objective, Study, genotype_operators, get_problem
from rapid_moo.errors import MissingExtraError

EXTRAS = {
    "bokeh",
    "botorch",
    "distributed",
    "matplotlib",
    "numba",
    "onnx",
    "onnxruntime",
    "optuna",
    "submitit",
    "torch",
}


def measure(network: dict[str, int]) -> dict[str, float]:
    """An own measure."""
    return {"error": 20.0 / network["depth"], "latency": float(network["depth"] + network["width"])}


def modules() -> None:
    """Import all of the package; what an extra lacks is its own affair."""
    for module in pkgutil.walk_packages(rapid_moo.__path__, "rapid_moo."):
        try:
            importlib.import_module(module.name)
        except MissingExtraError:
            continue
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in EXTRAS:
                raise


def search(make) -> tuple[int, float]:
    """One run on the embedded table."""
    problem = get_problem("digits")
    minimize(problem, make(problem), ("n_eval", 60), seed=1, evaluator=BillingEvaluator())
    return problem.n_evaluations, problem.adrs()


def main() -> None:
    """Everything once."""
    assert Path(rapid_moo.__file__).is_relative_to(sys.prefix), rapid_moo.__file__
    assert rapid_moo.__version__ == version("rapid-moo")
    modules()
    for name, make in {
        "RAPID": lambda problem: RAPID(),
        "NSGA-II": lambda problem: NSGA2(pop_size=20, **genotype_operators(problem)),
    }.items():
        spent, adrs = search(make)
        assert spent == 60, spent
        assert 0 < adrs < 0.5, adrs
        print(f"{name}: ADRS {adrs:.4f} after {spent} evaluations")
    space = GridSpace("own", [Gene("depth", (2, 4, 8)), Gene("width", (1, 2, 3))])
    goals = [Objective("error", "min", "%"), Objective("latency", "min", "ms")]
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder) / "own", space, measure, objectives=goals)
        study.run(budget=4)
        study.run(budget=6)
        assert len(study.to_frame()) == 6
        assert len(study.front_frame()) >= 1
        out = Path(folder) / "search"
        program = Path(sys.executable).with_name("rapid-moo")
        command = [str(program), "search", "digits", "--budget", "40", "--out", str(out)]
        subprocess.run(command, check=True, cwd=folder, env={**os.environ, "PYTHONPATH": ""})
        assert (out / "front.csv").is_file()
        assert (out / "evaluations.csv").read_text(encoding="utf-8").count("\n") == 41
    told = [requirement.split(";")[0] for requirement in requires("rapid-moo") or [] if "extra ==" not in requirement]
    names = sorted(requirement.split(">")[0].split("[")[0].strip() for requirement in told)
    print("smoke test passed with", ", ".join(f"{name} {version(name)}" for name in names))


if __name__ == "__main__":
    main()
