"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="all 2,000 broken inputs (half an hour)")
    parser.addoption("--broken", metavar="N[:M]", help="the broken inputs of these numbers alone")


@pytest.fixture(scope="session")
def published() -> Callable[[str], Path]:
    """Path of a published table, named by its file; skips where the tables are not at hand."""

    def locate(name: str) -> Path:
        folder = os.environ.get("RAPID_MOO_DATA")
        if not folder:
            pytest.skip("RAPID_MOO_DATA is not set: the published tables are not at hand")
        path = Path(folder) / name
        if not path.is_file():
            pytest.skip(f"{name} is not in RAPID_MOO_DATA ({folder})")
        return path

    return locate
