"""The report as one HTML file that opens offline.

The plots are drawn by BokehJS, which the ``bokeh`` package brings; its Python side is never imported. All else of the
page, what it says and how it reacts, is in this package: ``page.css`` and ``page.js``. The page refers to nothing
outside itself.

Everything that a user wrote (names, choices, reasons) is data: escaped where it stands in the page, and set as text,
never as markup, by the script. A drawing is shown as an image, so that nothing in it can run.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from rapid_moo._util import write_text
from rapid_moo.errors import MissingExtraError
from rapid_moo.report.blocks import Paragraph, Section
from rapid_moo.report.facts import PAGE_FILE, Architectures, ExpectedFacts, Report
from rapid_moo.report.rendering import html
from rapid_moo.report.sections import sections, title_of

SCRIPTS = ("bokeh.min.js", "bokeh-api.min.js")
MOST_CHARACTERS = 3_100_000
"""Of the facts in a page: with BokehJS and the rest it stays below 5 MB."""
_CODES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Places where the script draws, by the section that they belong to.
_FIGURES = {"front": "front", "progress": "progress", "predictors": "calibration", "comparison": "curves"}


def to_html(report: Report) -> str:
    """The page.

    Raises
    ------
    MissingExtraError
        If the bokeh package is not there.
    """
    found = sections(report)
    if report.progress is not None:
        at = next((i + 1 for i, section in enumerate(found) if section.key == "front"), len(found))
        told = Paragraph("Over the evaluations billed so far, judged by the front named above.")
        if report.progress.reference == "found":
            told = Paragraph(
                "Over the evaluations billed so far, judged by the front that is known now: ADRS ends at 0 and"
                " the share of its hypervolume at 1, and what counts is whether they still move."
            )
        found.insert(at, Section("progress", "Progress", (told,)))
    navigation = "".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in found)
    body = "".join(_section(section) for section in found)
    title = escape(title_of(report))
    running = (
        f'<p class="running">Running now: {escape(report.running)}. Load again to renew.</p>' if report.running else ""
    )
    style = files("rapid_moo.report").joinpath("page.css").read_text(encoding="utf-8")
    script = files("rapid_moo.report").joinpath("page.js").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header><h1>{title}</h1>{running}<nav aria-label="Sections">{navigation}</nav></header>\n'
        f"<main>\n{body}</main>\n"
        f'<script type="application/json" id="facts">{_in_script(_facts(report))}</script>\n'
        f"<script>{_bokeh() if _drawn(report) else ''}</script>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def write_page(report: Report, folder: Path | str) -> Path:
    """Write ``report.json`` and ``report.html`` into a folder; returns the page's path."""
    path = Path(folder) / PAGE_FILE
    report.write(folder)
    write_text(path, to_html(report.as_written()))
    return path


def _drawn(report: Report) -> bool:
    """Whether the page has plots."""
    front = report.architectures is not None and any(report.architectures.on_front)
    calibrated = any(p.measured for p in report.predictors)
    return front or calibrated or report.progress is not None or report.comparison is not None


@cache
def _bokeh() -> str:
    spec = importlib.util.find_spec("bokeh")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("report.html needs the plots of bokeh: pip install bokeh")
    folder = Path(spec.submodule_search_locations[0]) / "server" / "static" / "js"
    code = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    # Where the sources of the script are is of no use here, and would be looked for.
    code = re.sub(r"^//# sourceMappingURL=.*$", "", code, flags=re.MULTILINE)
    return re.sub(r"</(script)", r"<\\/\1", code, flags=re.IGNORECASE).replace("<!--", "<\\!--")


def _in_script(content: Any) -> str:
    """JSON that ends no script element, whatever it holds."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# ------------------------------------------------------------------------- facts
def _facts(report: Report) -> dict[str, Any]:
    """What the script needs, short."""
    plain, names = report.to_dict(), [o.name for o in report.objectives]
    found: dict[str, Any] = {
        "name": report.name,
        "objectives": [
            {"name": o.name, "label": o.label, "unit": o.unit, "sign": 1 if o.direction == "min" else -1}
            for o in report.objectives
        ],
        "bounds": [
            {"text": bound.text, "objective": names.index(bound.objective), "edge": bound.edge}
            for bound in report.bounds
            if bound.objective is not None
        ],
        "genes": plain["space"]["genes"] if report.space is not None else [],
        "reference": plain["reference"],
        "progress": plain["progress"],
        "calibration": [
            {key: item[key] for key in ("objective", "measured", "predicted", "std")} for item in plain["predictors"]
        ],
        "curves": plain["comparison"]["curves"] if report.comparison is not None else [],
    }
    facts = report.architectures
    if facts is not None and report.space is not None:
        found["architectures"] = _columns(facts, len(report.objectives), len(report.space.genes), report.expected)
        if facts.drawings:
            packed = gzip.compress(json.dumps(dict(facts.drawings)).encode(), mtime=0)
            found["drawings"] = base64.b64encode(packed).decode()
    return found


def _columns(facts: Architectures, n_objectives: int, n_genes: int, expected: ExpectedFacts | None) -> dict[str, Any]:
    """Architectures by columns: a gene's codes are one text, numbers have six digits."""
    each = n_genes + (27 if expected is None else 42) * n_objectives + 20
    rows = list(range(len(facts)))
    if each * len(rows) > MOST_CHARACTERS:
        # More than a page can hold: the front first, then evenly many of the others.
        front, others = [r for r in rows if facts.on_front[r]], [r for r in rows if not facts.on_front[r]]
        most = max(1, MOST_CHARACTERS // each)
        rows = sorted([*_some(front, most), *_some(others, most - min(most, len(front)))])
    states = sorted(set(facts.state))
    reasons = sorted({facts.reason[r] for r in rows})
    state_at, reason_at = ({text: i for i, text in enumerate(several)} for several in (states, reasons))
    return {
        "total": facts.total,
        "row": rows if len(rows) < len(facts) else None,
        "number": [facts.number[r] for r in rows],
        "codes": [_code_text([facts.codes[r][k] for r in rows]) for k in range(n_genes)],
        "raw": [[_short(facts.raw[r][k]) for r in rows] for k in range(n_objectives)],
        "predicted": [[_short(facts.predicted[r][k]) for r in rows] for k in range(n_objectives)],
        "std": [[_short(facts.std[r][k], 2) for r in rows] for k in range(n_objectives)],
        "expected": None if expected is None else _expected(expected, rows, n_objectives),
        "states": states,
        "state": [state_at[facts.state[r]] for r in rows],
        "reasons": reasons,
        "reason": [reason_at[facts.reason[r]] for r in rows],
        "front": "".join("1" if facts.on_front[r] else "0" for r in rows),
        "feasible": "".join("1" if facts.feasible[r] else "0" for r in rows),
    }


def _expected(expected: ExpectedFacts, rows: Sequence[int], n_objectives: int) -> dict[str, Any]:
    """Expected values by columns."""
    return {
        "noisy": sorted(expected.noise),
        "mean": [[_short(expected.mean[r][k]) for r in rows] for k in range(n_objectives)],
        "std": [[_short(expected.std[r][k], 2) for r in rows] for k in range(n_objectives)],
        "chance": [_short(expected.chance[r], 2) for r in rows],
        "front": "".join("1" if expected.on_front[r] else "0" for r in rows),
        "again": [expected.again[r] for r in rows],
    }


def _some(rows: Sequence[int], most: int) -> list[int]:
    if len(rows) <= most:
        return list(rows)
    return [rows[i * len(rows) // most] for i in range(most)]


def _code_text(codes: Sequence[int]) -> str | list[int]:
    """Codes as one character each, ``-`` for an inactive gene; a list where there are too many choices."""
    if max(codes, default=0) >= len(_CODES):
        return list(codes)
    return "".join(_CODES[code] if code >= 0 else "-" for code in codes)


def _short(value: float | None, digits: int = 6) -> float | int | None:
    if value is None:
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 10**digits else short


# -------------------------------------------------------------------------- HTML
def _section(section: Section) -> str:
    name = _FIGURES.get(section.key)
    place = f'<div class="figures" data-figure="{name}"></div>' if name is not None else ""
    blocks = html(section.blocks, "scroll static-front" if section.key == "front" else "scroll")
    return f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{place}{blocks}</section>\n'
