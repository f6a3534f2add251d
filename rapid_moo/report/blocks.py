"""What a report is made of, before anything is rendered: headings, prose, tables, and the words that stand out in them.

A text is a string, a :class:`Span` that is marked, or several of both. Strings mean themselves in every rendering: what
users wrote cannot become markup. Prose of this package may be written with marks, see :func:`marked`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A part of a text that is marked: ``"strong"``, ``"emphasis"``, ``"code"`` or ``"link"`` to an address."""

    text: str
    mark: str
    address: str = ""


Text = str | Span | tuple[str | Span, ...]


def strong(text: str, condition: object = True) -> str | Span:
    """A text that stands out, where a condition holds."""
    return Span(text, "strong") if condition else text


def spans(text: Text) -> list[str | Span]:
    """The parts of a text, of which no two strings are neighbours."""
    found: list[str | Span] = []
    for part in text if isinstance(text, tuple) else (text,):
        if found and isinstance(part, str) and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found


def plain(text: Text) -> str:
    """A text without its marks."""
    return "".join(part.text if isinstance(part, Span) else part for part in spans(text))


_MARKS = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|(?<![\w*])\*(?P<emphasis>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"
    r"|\[(?P<link>[^\]]+)\]\((?P<address>[^)\s]+)\)"
)


def marked(prose: str) -> tuple[str | Span, ...]:
    """Prose whose author marked words: ``**strong**``, ``*emphasis*``, ```code```, ``[text](address)``.

    Never for what a user wrote.

    Examples
    --------
    >>> marked("a *b*")
    ('a ', Span(text='b', mark='emphasis', address=''))
    """
    parts: list[str | Span] = []
    end = 0
    for found in _MARKS.finditer(prose):
        mark = next(name for name in ("code", "strong", "emphasis", "link") if found[name] is not None)
        parts += [prose[end : found.start()], Span(found[mark], mark, found["address"] or "")]
        end = found.end()
    return tuple(part for part in (*parts, prose[end:]) if part)


@dataclass(frozen=True)
class Heading:
    """A heading within a section; 1 is the title of a page, 2 a section's own."""

    text: str
    level: int = 3


@dataclass(frozen=True)
class Paragraph:
    """A sentence or some; ``warning`` marks what must not be missed."""

    text: Text
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows of texts; ``numbers`` says which columns stand to the right."""

    columns: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Pairs:
    """Names and values."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bars:
    """Shares in [0, 1] by name."""

    title: str
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Items:
    """A list without order."""

    texts: tuple[Text, ...]


@dataclass(frozen=True)
class Code:
    """Text that is to be copied as it is."""

    text: str


Block = Heading | Paragraph | Table | Pairs | Bars | Items | Code


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it; ``key`` names it for links and figures."""

    key: str
    title: str
    blocks: tuple[Block, ...]


def table(columns: Iterable[object], rows: Iterable[Iterable[object]], numbers: Iterable[int] = ()) -> Table:
    """A table of whatever has a text; spans stay."""
    return Table(tuple(map(_cell, columns)), tuple(tuple(map(_cell, row)) for row in rows), frozenset(numbers))


def _cell(value: object) -> Text:
    return value if isinstance(value, str | Span | tuple) else str(value)
