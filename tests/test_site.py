"""The documentation site is built without a warning, needs no network, and is found through its search."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(https?:|//)[^"]*"')


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, its notebooks without outputs: tests/test_notebooks.py runs them."""
    pytest.importorskip("mkdocs", reason="the site is built with the extra docs")
    out = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "RAPID_MOO_EXECUTE": "false", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return out


def test_every_page_and_notebook_is_on_it(site):
    pages = [path.stem for path in (ROOT / "docs").glob("*.md")]
    pages += [f"tutorials/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")]
    pages += [f"benchmarks/{path.stem}" for path in (ROOT / "benchmarks").glob("*.md")]
    assert [page for page in pages if not (site / f"{page}.html").is_file()] == []


def test_the_reference_has_every_public_name(site):
    import rapid_moo

    text = "".join(path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html"))
    told = set(re.findall(r'id="[\w.]*?(\w+)"', text))
    assert sorted(set(rapid_moo.__all__) - told) == []
    assert not re.search(r":(func|class|meth|mod|data):", text)


def test_nothing_is_loaded_from_elsewhere(site):
    found = {path.name: LOADED.findall(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert {name: links for name, links in found.items() if links} == {}


def test_the_search_works_on_files(site, browser):
    page = browser.new_page()
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.click("input.md-search__input")
    page.keyboard.type("nearest member")
    page.wait_for_selector(".md-search-result__link")
    assert "nearest" in page.query_selector(".md-search-result__link").get_attribute("href")
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()
