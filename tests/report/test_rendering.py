"""Blocks as text, as Markdown and as HTML: what users wrote means itself in each, what is marked stands out."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rapid_moo.report.blocks import (
    Bars,
    Code,
    Heading,
    Items,
    Pairs,
    Paragraph,
    Span,
    Table,
    marked,
    plain,
    strong,
    table,
)
from rapid_moo.report.rendering import LONG, escaped, html, markdown, text

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WORDS = st.text(st.sampled_from("ab1 *_`[](){}<>|#+-.!~&;:/\\\"'=\n"), max_size=24)


def read(source: str) -> str:
    """What a reader of Markdown shows, without its outermost element."""
    return READER.render(source).strip()


def meant(told: str) -> str:
    return " ".join(told.splitlines()).strip()


@given(WORDS)
@example("# a")
@example("- a")
@example("1. a")
@example("> a")
@example("---")
@example("a_b_c __d__")
@example("~~a~~ ~b~")
@example("[a](b) ![c](d) <e@f.gh>")
@example("&lt;b&gt;")
@example("a\\")
def test_a_paragraph_means_itself(told):
    shown = read(markdown([Paragraph(told)]))
    assert unescape(re.sub(r"^<p>|</p>$", "", shown)).strip() == meant(told)
    assert not re.search(r"<(?!/?p>)", shown)


@given(WORDS, WORDS)
@example("[a]", "(b)")
def test_neighbours_mean_themselves(first, second):
    shown = read(markdown([Paragraph((first, second)), Paragraph((Span("x", "strong"), first))]))
    one, two = (unescape(piece).strip() for piece in re.findall(r"<p>(.*?)</p>", f"{shown}<p></p>", re.DOTALL)[:2])
    if meant(first + second):
        assert one == meant(first + second)
        assert two == f"<strong>x</strong>{' '.join(first.splitlines())}".rstrip()


@given(WORDS, WORDS)
def test_a_cell_means_itself(first, second):
    shown = read(markdown([table(("one", first), [("x", second)])]))
    cells = [unescape(cell).strip() for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", shown, re.DOTALL)]
    assert cells == ["one", meant(first), "x", meant(second)]


@given(WORDS)
def test_html_means_itself(told):
    shown = html([Paragraph(told), Heading(told), Items((told,)), table((told,), [(told,)])])
    pieces = re.findall(r"<(?:p|h3|li|th|td)>(.*?)</", shown, re.DOTALL)
    assert {unescape(piece).replace("\u00a0", " ") for piece in pieces} == {told}


def test_names_are_not_littered_with_backslashes():
    for name in (
        "hw_gpt_s_rtx3080",
        "0.1 [0.0, 0.2]",
        "error [%]",
        "x > 1",
        "<=1%",
        "a - b",
        "≥ 2.6",
        "~ 3.1",
        "C#",
        "R&D",
    ):
        assert escaped(name) == name


MARKED = (
    "a ",
    Span("b", "strong"),
    ", ",
    Span("c d", "emphasis"),
    ", ",
    Span("e*f", "code"),
    " and ",
    Span("g", "link", "h.md"),
    ".",
)


def test_prose_is_read_with_its_marks():
    assert marked("a **b**, *c d*, `e*f` and [g](h.md).") == MARKED
    assert marked("2 * 3 * 4, a*b*c, [1, 2] (3)") == ("2 * 3 * 4, a*b*c, [1, 2] (3)",)
    assert plain(MARKED) == "a b, c d, e*f and g."


def test_marks_are_rendered():
    assert text([Paragraph(MARKED)]) == "a *b*, c d, e*f and g (h.md)."
    assert markdown([Paragraph(MARKED)]) == "a **b**, *c d*, `e*f` and [g](h.md)."
    one = '<p>a <strong>b</strong>, <em>c d</em>, <code>e*f</code> and <a href="h.md">g</a>.</p>'
    assert html([Paragraph(MARKED)]) == one == read(markdown([Paragraph(MARKED)]))
    assert strong("x", False) == "x"


BLOCKS = [
    Heading("Title", 2),
    Paragraph("Careful.", warning=True),
    Pairs((("a", "1"), ("long", "2"))),
    Bars("Shares", (("x", 0.5), ("yy", 0.25))),
    Items(("one", ("two ", Span("three", "code")))),
    Code("a ``` b"),
    Table(("name", "value"), (("x", "1.0"), (Span("y", "strong"), Span("10.0", "strong"))), frozenset({1})),
]


def test_text_for_a_terminal():
    assert text(BLOCKS).splitlines() == [
        "Title",
        "warning: Careful.",
        "  a     1",
        "  long  2",
        "Shares:",
        "  x    50%",
        "  yy   25%",
        "* one",
        "* two three",
        "a ``` b",
        " name    value",
        " x         1.0",
        "*y*      *10.0*",
    ]


def test_a_long_cell_takes_several_lines_in_a_terminal():
    prose = " ".join(["word"] * 60)
    lines = text([table(("a", "b", "c"), [("x", prose, "y"), ("z", "short", "w")])]).splitlines()
    assert lines[1].startswith("x  word")
    assert lines[1].endswith("y")
    assert lines[2].startswith("   word")
    assert lines[-1].split() == ["z", "short", "w"]
    assert sum(line.count("word") for line in lines) == 60
    assert max(map(len, lines)) <= LONG + len("x  ") + len("  y")


def test_markdown():
    assert markdown(BLOCKS).split("\n\n") == [
        "## Title",
        "**Warning:** Careful.",
        "|  |  |\n| --- | --- |\n| a | 1 |\n| long | 2 |",
        "| Shares | share |\n| --- | ---: |\n| x | 50% |\n| yy | 25% |",
        "* one\n* two `three`",
        "````\na ``` b\n````",
        "| name | value |\n| --- | ---: |\n| x | 1.0 |\n| **y** | **10.0** |",
    ]


def test_html():
    page = html(BLOCKS, "scroll wide")
    assert page.startswith('<h2>Title</h2><p class="warning"><strong>Warning.</strong> Careful.</p><dl><dt>a</dt>')
    assert "<ul><li>one</li><li>two <code>three</code></li></ul>" in page
    assert '<div class="scroll wide" tabindex="0"><table><thead><tr><th>name</th><th class=number>value</th>' in page
    assert "<td><strong>y</strong></td><td class=number><strong>10.0</strong></td>" in page


@pytest.mark.parametrize(("told", "shown"), [("5 %", "5\u00a0%"), ("5%", "5%"), ("a %", "a %")])
def test_a_number_and_its_percent_sign_stay_together_on_a_page(told, shown):
    assert html([Paragraph(told)]) == f"<p>{shown}</p>"
