"""What the top-level pages show is true: scripts run as printed, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rapid_moo.cli.main import build_parser

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/study.md", "docs/slurm.md"]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


SCRIPTS = [(page, k) for page in PAGES for k in range(len(blocks(page, "python")))]
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for page in PAGES
    for block in blocks(page, "console")
    for line in block.splitlines()
]


@pytest.mark.parametrize(("page", "k"), SCRIPTS)
def test_scripts_run_as_printed(page, k, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(blocks(page, "python")[k], encoding="utf-8")
    run = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py"]


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


@pytest.mark.parametrize("page", PAGES)
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
