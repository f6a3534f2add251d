"""What a result was made with: the commit of the code, versions and machine of this very process."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("rapid-moo", "numpy", "scipy", "pymoo", "moocore", "scikit-learn", "xgboost", "nevergrad")
OPTIONAL = ("optuna", "botorch", "torch", "numba")
GIT_SECONDS = 10.0


@cache
def provenance() -> dict[str, str]:
    """Commit, versions and machine of this process, each as one line of text.

    Returns
    -------
    dict
        ``commit``: that of the code's checkout, ``-changed`` behind it where tracked files differ from it; empty where
        the package is installed rather than run from a checkout. ``versions``: Python and the installed packages that
        results depend on. ``machine``: processors, architecture and system.
    """
    known = [(name, _version(name)) for name in (*PACKAGES, *OPTIONAL)]
    versions = [f"python {platform.python_version()}", *(f"{name} {found}" for name, found in known if found)]
    return {"commit": _commit(Path(__file__).resolve().parent), "versions": ", ".join(versions), "machine": _machine()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit(folder: Path) -> str:
    """Commit of the checkout that holds the package; a repository that merely surrounds an installed one is none."""
    if not _git(folder, "ls-files", "--error-unmatch", Path(__file__).name):
        return ""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ":/rapid_moo", ":/problems", ":/data")
    return f"{commit}-changed" if commit and changed else commit


def _git(folder: Path, *words: str) -> str:
    try:
        # Reading alone: the index is not refreshed, so that nothing is locked.
        found = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return found.stdout.strip()


def _machine() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    except OSError:
        models = []
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} x {model}, {platform.machine()}, {platform.system()}"
