"""Blocks as text for a terminal, as Markdown, and as HTML: the one place where any of them is formatted.

A string means itself in each of the three. Only a :class:`~rapid_moo.report.blocks.Span` is marked.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from html import escape
from itertools import zip_longest

from rapid_moo.report.blocks import Bars, Block, Code, Heading, Items, Pairs, Paragraph, Span, Table, Text, plain, spans
from rapid_moo.report.facts import Report
from rapid_moo.report.sections import search_summary, sections, title_of

LONG = 60
"""Characters of a cell that is broken into lines."""


# --------------------------------------------------------------------- Markdown
def to_markdown(report: Report) -> str:
    """The report as a Markdown page."""
    blocks: list[Block] = [Heading(title_of(report), 1)]
    for section in sections(report):
        blocks += [Heading(section.title, 2), *section.blocks]
    return markdown(blocks) + "\n"


def markdown(blocks: Iterable[Block]) -> str:
    """Blocks as Markdown."""
    return "\n\n".join(map(_markdown, blocks))


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {escaped(block.text)}"
    if isinstance(block, Paragraph):
        return f"**Warning:** {_inline(block.text, _MARKDOWN)}" if block.warning else _opening(block.text)
    if isinstance(block, Pairs):
        return _markdown(Table(("", ""), block.items))
    if isinstance(block, Bars):
        return _markdown(Table((block.title, "share"), tuple((n, f"{s:.0%}") for n, s in block.shares), frozenset({1})))
    if isinstance(block, Items):
        return "\n".join(f"* {_opening(text)}" for text in block.texts)
    if isinstance(block, Code):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
        return f"{fence}\n{block.text}\n{fence}"
    rule = ["---:" if k in block.numbers else "---" for k in range(len(block.columns))]
    columns, *rows = ([_inline(cell, _MARKDOWN) for cell in line] for line in (block.columns, *block.rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *rows))


def escaped(text: str) -> str:
    """Text that means itself in Markdown, also in a table; only what could mean something else gets a backslash."""
    text = re.sub(r"[\\`*|]|\](?=\()|<(?=[a-zA-Z/!?])|&(?=#?\w+;)|~(?=\S)", r"\\\g<0>", " ".join(text.splitlines()))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def _opening(text: Text) -> str:
    """A text at the beginning of a line, where a few characters would make a heading, a list or a reference."""
    found = _inline(text, _MARKDOWN).strip()
    if text and isinstance(spans(text)[0], Span):
        return found
    return re.sub(r"^(\d{1,9})(?=[.)](\s|$))|^(?=[#>\[]|[-+](\s|-|$))", r"\1\\", found)


_MARKDOWN: dict[str, Callable[[str, str], str]] = {
    "": lambda text, _: escaped(text),
    "strong": lambda text, _: f"**{escaped(text)}**",
    "emphasis": lambda text, _: f"*{escaped(text)}*",
    "code": lambda text, _: f"`{text}`",
    "link": lambda text, address: f"[{escaped(text)}]({address})",
}


def _inline(text: Text, marks: dict[str, Callable[[str, str], str]]) -> str:
    """A text in which each part is rendered by the function of its mark."""
    return "".join(
        marks[part.mark](part.text, part.address) if isinstance(part, Span) else marks[""](part, "")
        for part in spans(text)
    )


# ------------------------------------------------------------------------- text
def to_text(report: Report) -> str:
    """The report for a terminal."""
    if report.kind == "search":
        return text(search_summary(report))
    blocks: list[Block] = [Heading(title_of(report), 1)]
    for section in sections(report):
        blocks += [Heading(section.title, 2), *section.blocks]
    return text(blocks)


def section_text(report: Report, *keys: str) -> str:
    """Some sections for a terminal, by their keys, without titles."""
    found = {section.key: section for section in sections(report)}
    return "\n\n".join(text(found[key].blocks) for key in keys if key in found)


def text(blocks: Iterable[Block]) -> str:
    """Blocks for a terminal; what is strong stands between asterisks."""
    lines: list[str] = []
    before: Block | None = None
    for block in blocks:
        # A heading stands apart, and prose from the table above it; a table belongs to the prose before it.
        apart = isinstance(block, Heading) or (isinstance(block, Paragraph) and isinstance(before, Table))
        lines += ["", *_lines(block)] if apart and before is not None else _lines(block)
        before = block
    return "\n".join(lines)


def _lines(block: Block) -> list[str]:
    if isinstance(block, Heading):
        return [block.text]
    if isinstance(block, Paragraph):
        told = _inline(block.text, _TEXT)
        return [f"warning: {told}" if block.warning else told]
    if isinstance(block, Pairs):
        width = max((len(name) for name, _ in block.items), default=0)
        return [f"  {name:{width}}  {value}" for name, value in block.items]
    if isinstance(block, Bars):
        width = max(len(name) for name, _ in block.shares)
        return [f"{block.title}:", *(f"  {name:{width}}  {share:4.0%}" for name, share in block.shares)]
    if isinstance(block, Items):
        return [f"* {_inline(told, _TEXT)}" for told in block.texts]
    if isinstance(block, Code):
        return block.text.splitlines()
    return _aligned(block)


def _aligned(block: Table) -> list[str]:
    rows = [[_inline(cell, _TEXT) for cell in line] for line in (block.columns, *block.rows)]
    for column in range(len(block.columns)):
        marks = [row[column].startswith("*") and row[column].endswith("*") for row in rows]
        if any(marks):
            # The digits of what stands out stay below those of the others.
            for row, mark in zip(rows, marks, strict=True):
                row[column] = row[column] if mark else f" {row[column]} "
    lines = [line for row in rows for line in zip_longest(*map(_folded, row), fillvalue="")]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if k in block.numbers else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _folded(cell: str) -> list[str]:
    """A cell in lines; what is long takes several."""
    if len(cell) <= LONG:
        return [cell]
    return textwrap.wrap(cell, LONG, break_long_words=False, break_on_hyphens=False)


_TEXT: dict[str, Callable[[str, str], str]] = {
    "": lambda text, _: text,
    "strong": lambda text, _: f"*{text}*",
    "emphasis": lambda text, _: text,
    "code": lambda text, _: text,
    "link": lambda text, address: f"{text} ({address})",
}


# -------------------------------------------------------------------------- HTML
def html(blocks: Iterable[Block], scroll: str = "scroll") -> str:
    """Blocks as HTML; ``scroll`` is the class of the box in which a table scrolls."""
    return "".join(_html(block, scroll) for block in blocks)


def _html(block: Block, scroll: str) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        told = _inline(block.text, _HTML)
        return f'<p class="warning"><strong>Warning.</strong> {told}</p>' if block.warning else f"<p>{told}</p>"
    if isinstance(block, Pairs):
        items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in block.items)
        return f"<dl>{items}</dl>"
    if isinstance(block, Bars):
        shares = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            f'<td><div class="bar" style="width:{min(share, 1.0):.1%}"></div></td>'
            f'<td class="number">{share:.0%}</td></tr>'
            for name, share in block.shares
        )
        return f'<table class="bars"><caption>{escape(block.title)}</caption>{shares}</table>'
    if isinstance(block, Items):
        return f"<ul>{''.join(f'<li>{_inline(told, _HTML)}</li>' for told in block.texts)}</ul>"
    if isinstance(block, Code):
        return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'
    head, *rows = (
        "".join(_cell(cell, tag, k in block.numbers) for k, cell in enumerate(line))
        for tag, line in (("th", block.columns), *(("td", row) for row in block.rows))
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="{scroll}" tabindex="0">{table}</div>'


def _cell(cell: Text, tag: str, right: bool) -> str:
    """A cell of a table; what is long may take several lines."""
    kind = " class=number" if right else " class=long" if len(plain(cell)) > LONG else ""
    return f"<{tag}{kind}>{_inline(cell, _HTML)}</{tag}>"


def _escaped_html(text: str, _: str = "") -> str:
    """A text as HTML; a number and its percent sign stay together."""
    return re.sub(r"(\d) %", "\\1\u00a0%", escape(text))


_HTML: dict[str, Callable[[str, str], str]] = {
    "": _escaped_html,
    "strong": lambda text, _: f"<strong>{_escaped_html(text)}</strong>",
    "emphasis": lambda text, _: f"<em>{_escaped_html(text)}</em>",
    "code": lambda text, _: f"<code>{escape(text)}</code>",
    "link": lambda text, address: f'<a href="{escape(address)}">{_escaped_html(text)}</a>',
}
