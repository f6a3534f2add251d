"""What the pages show is true: scripts and commands run as printed, links lead somewhere.

A block with a title (```py title="measure.py") is a file. Scripts (python) run by themselves. The commands of a page
of docs/ (console) run one after the other in a folder that holds the page's files; where a comment "not run: why"
stands before a block, and on the other pages, they are parsed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rapid_moo.cli.main import build_parser

ROOT = Path(__file__).parents[1]
DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", *DOCS]
MORE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks").glob("**/*.md"))
WORDS = 900


def fences(page: str) -> list[tuple[str, str, str, bool]]:
    """Language, title, content, and whether it is to be run, of each block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fence = r'(<!-- not run: [^\n]+ -->\n)?^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$'
    found = re.findall(fence, text, flags=re.DOTALL | re.MULTILINE)
    return [(language, title, content, not comment) for comment, language, title, content in found]


def blocks(page: str, language: str) -> list[str]:
    return [content for found, title, content, _ in fences(page) if found == language and not title]


def commands(content: str) -> list[str]:
    return [line.removeprefix("$ ").split("  #")[0].strip() for line in content.splitlines()]


def commands_to_run(page: str) -> list[str]:
    told = [commands(content) for language, title, content, run in fences(page) if language == "console" and run]
    return [command for several in told for command in several]


SCRIPTS = [(page, k) for page in PAGES for k in range(len(blocks(page, "python")))]
COMMANDS = [command for page in PAGES for block in blocks(page, "console") for command in commands(block)]


@pytest.mark.parametrize(("page", "k"), SCRIPTS)
def test_scripts_run_as_printed(page, k, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(blocks(page, "python")[k], encoding="utf-8")
    run = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py"]


@pytest.mark.parametrize("page", [page for page in DOCS if commands_to_run(page)])
def test_commands_run_as_printed(page, tmp_path):
    work, programs = tmp_path / "work", tmp_path / "bin"
    work.mkdir()
    programs.mkdir()
    for _, title, content, _ in fences(page):
        if title:
            (work / title).write_text(content, encoding="utf-8")
    # The package under test, whatever rapid-moo is installed; a measure's "python" is the one that runs the tests.
    for name, arguments in (
        ("rapid-moo", '-c "import sys; from rapid_moo.cli import main; sys.exit(main())"'),
        ("python", ""),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    cache = str(tmp_path / "cache")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": path}
    environment |= {"RAPID_MOO_CACHE": cache}
    for command in commands_to_run(page):
        run = subprocess.run(
            command, shell=True, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"{command}\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
        assert "Traceback" not in run.stderr, run.stderr


def test_every_block_is_run_or_says_why_not():
    told = {language for page in PAGES for language, *_ in fences(page)}
    assert told <= {"python", "console", "py", "sh", "csv", "toml", "text"}
    for page in DOCS:
        for language, title, content, _ in fences(page):
            # Scripts that are neither run nor a file need a cluster or other packages; "sh" is for installing alone.
            assert language != "py" or title or page == "docs/slurm.md", content
            assert language != "sh" or content.startswith("pip install"), content


def test_the_front_page_is_short_and_begins_with_what_and_for_whom():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= WORDS
    first = text.split("\n\n")[1]
    assert re.match(r"Find .+\. It is for .+\.$", first.replace("\n", " "))
    table = text.partition("<!-- comparison: begin -->")[2].partition("<!-- comparison: end -->")[0]
    assert "significantly" in table
    assert 4 <= len(re.findall(r"^\|", table, flags=re.MULTILINE)) <= 12


def lines(script: str) -> int:
    return sum(bool(line.strip()) for line in script.splitlines())


def test_a_space_takes_ten_lines_and_a_whole_one_less_than_a_hundred():
    (short,) = [script for script in blocks("README.md", "python") if "check_space(" in script]
    (whole,) = [script for script in blocks("CONTRIBUTING.md", "python") if "register_space(" in script]
    assert lines(short) <= 10
    assert lines(whole) < 100


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("rapid-moo")])
def test_commands_parse(command):
    options = build_parser().parse_args(shlex.split(command.split(" > ")[0])[1:])
    assert callable(options.run)
    weights = getattr(options, "prefer", None)
    assert weights is None or all(float(weight) >= 0 for weight in weights.split(","))


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    named = {match for page in PAGES for match in re.findall(r"\bmake ([a-z]+)\b(?=[` ]|$)", page_code(page))}
    assert named
    assert named <= targets
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert set(phony.split()) == targets


def page_code(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *blocks(page, "console")])


@pytest.mark.parametrize("page", [*PAGES, *MORE])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    for target in targets:
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_architecture_names_every_module():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    for layer in layers[0]["layers"]:
        assert re.search(rf"`{layer.removeprefix('rapid_moo.')}/?`", page), layer
