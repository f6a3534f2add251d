"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # Whoever runs the tests in the background ignores Ctrl-C, and so would the processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


def chromium() -> str:
    """Debian's or another's Chromium; an empty text where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), "")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="the page is looked at with playwright")
    if not chromium():
        pytest.skip("the page is looked at in a headless Chromium, and none is installed (apt-get install chromium)")
    with api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield found
        found.close()
