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
from rapid_moo.report.facts import PAGE_FILE, Architectures, Report
from rapid_moo.report.rendering import (
    Bars,
    Block,
    Code,
    Markup,
    Pairs,
    Paragraph,
    Section,
    Table,
    sections,
    title_of,
)

SCRIPTS = ("bokeh.min.js", "bokeh-api.min.js")
MOST_CHARACTERS = 3_100_000
"""Of the facts in a page: with BokehJS and the rest it stays below 5 MB."""
LONG = 60
"""Characters of a cell that is broken into lines."""
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
                " hypervolume at 1, and what counts is whether they still move."
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
    write_text(path, to_html(report))
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
    plain = report.to_dict()
    found: dict[str, Any] = {
        "name": report.name,
        "objectives": [
            {"name": o.name, "label": o.label, "unit": o.unit, "sign": 1 if o.direction == "min" else -1}
            for o in report.objectives
        ],
        "genes": plain["space"]["genes"] if report.space is not None else [],
        "reference": plain["reference"],
        "progress": plain["progress"],
        "calibration": [
            {key: item[key] for key in ("objective", "measured", "predicted", "std")} for item in plain["predictors"]
        ],
        "curves": (plain["comparison"] or {}).get("curves", []),
    }
    facts = report.architectures
    if facts is not None and report.space is not None:
        found["architectures"] = _columns(facts, len(report.objectives), len(report.space.genes))
        if facts.drawings:
            packed = gzip.compress(json.dumps(dict(facts.drawings)).encode(), mtime=0)
            found["drawings"] = base64.b64encode(packed).decode()
    return found


def _columns(facts: Architectures, n_objectives: int, n_genes: int) -> dict[str, Any]:
    """Architectures by columns: a gene's codes are one text, numbers have six digits."""
    each = n_genes + 27 * n_objectives + 14
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
        "states": states,
        "state": [state_at[facts.state[r]] for r in rows],
        "reasons": reasons,
        "reason": [reason_at[facts.reason[r]] for r in rows],
        "front": "".join("1" if facts.on_front[r] else "0" for r in rows),
        "feasible": "".join("1" if facts.feasible[r] else "0" for r in rows),
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
    blocks = "".join(_block(block, section.key) for block in section.blocks)
    return f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{place}{blocks}</section>\n'


def _block(block: Block, key: str) -> str:
    if isinstance(block, Paragraph):
        if block.warning:
            return f'<p class="warning"><strong>Warning.</strong> {_text(block.text)}</p>'
        return f"<p>{_text(block.text)}</p>"
    if isinstance(block, Pairs):
        items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in block.items)
        return f"<dl>{items}</dl>"
    if isinstance(block, Bars):
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            f'<td><div class="bar" style="width:{min(share, 1.0):.1%}"></div></td>'
            f'<td class="number">{share:.0%}</td></tr>'
            for name, share in block.shares
        )
        return f'<table class="bars"><caption>{escape(block.title)}</caption>{rows}</table>'
    if isinstance(block, Code):
        return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'
    if isinstance(block, Markup):
        return _from_markdown(block.text)
    return _table(block, "scroll static-front" if key == "front" else "scroll")


def _table(block: Table, kind: str = "scroll") -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(_cell(cell, tag, k in block.numbers) for k, cell in enumerate(cells))

    head = line([escape(column) for column in block.columns], "th")
    rows = "".join(f"<tr>{line([escape(cell) for cell in row], 'td')}</tr>" for row in block.rows)
    return f'<div class="{kind}" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _text(text: str) -> str:
    """Prose; a number and its percent sign stay together."""
    return re.sub(r"(\d) %", "\\1\u00a0%", escape(text))


def _cell(markup: str, tag: str, right: bool) -> str:
    """A cell of a table; what is long may take several lines."""
    kind = " class=number" if right else " class=long" if len(markup) > LONG else ""
    return f"<{tag}{kind}>{markup}</{tag}>"


def _from_markdown(text: str) -> str:
    """Headings, paragraphs and tables of Markdown, which is what comparisons are written in."""
    parts = []
    for chunk in re.split(r"\n\s*\n", text.strip()):
        lines = chunk.splitlines()
        if lines[0].startswith("|") and len(lines) > 1:
            head, rule, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
            right = [cell.endswith(":") for cell in rule]
            cells = [
                "".join(_cell(_inline(cell), tag, on) for cell, on in zip(row, right, strict=False))
                for tag, row in (("th", head), *(("td", row) for row in rows))
            ]
            table = "".join(f"<tr>{line}</tr>" for line in cells[1:])
            parts.append(
                f'<div class="scroll" tabindex="0"><table><thead><tr>{cells[0]}</tr></thead>'
                f"<tbody>{table}</tbody></table></div>"
            )
        elif lines[0].startswith("#"):
            parts.append(f"<h3>{_inline(lines[0].lstrip('#').strip())}</h3>")
            if len(lines) > 1:
                parts.append(f"<p>{_inline(' '.join(lines[1:]))}</p>")
        else:
            parts.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(parts)


def _inline(text: str) -> str:
    """Bold, emphasis and code; all else means itself."""
    found = escape(text)
    found = re.sub(r"`([^`]+)`", r"<code>\1</code>", found)
    found = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", found)
    return re.sub(r"(?<!\*)\*([^*\s][^*]*)\*(?!\*)", r"<em>\1</em>", found)
