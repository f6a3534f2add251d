"""Networks as SVG: a graph whose nodes stand in a row, and a stack of layers.

A drawing is a whole SVG file: it brings its colours, light and dark, and refers to nothing outside. Text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#1a1a1a}.n{fill:#eef3f8;stroke:#37536b}"
    ".e{fill:none;stroke:#37536b;stroke-width:1.6}.off{stroke:#999;stroke-dasharray:2 4}.n.off{fill:none}"
    ".m{fill:#37536b}.q{fill:#5c5c5c}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.n{fill:#24313d;stroke:#9dbcd6}.e{stroke:#9dbcd6}.m{fill:#9dbcd6}"
    ".q{fill:#b5b5b5}}</style>"
)
CHARACTER = 6.9
"""Width of a character in pixels, on the safe side."""


def graph(nodes: Sequence[tuple[str, bool]], edges: Sequence[tuple[int, int, str, bool]], title: str = "") -> str:
    """A directed graph, its nodes in a row; longer edges are arcs above and below them.

    Parameters
    ----------
    nodes : sequence of tuple
        Text of each node, and whether it does anything (else it is drawn broken).
    edges : sequence of tuple
        From and to (positions among the nodes), text, and whether it does anything.
    title : str
        Said to who cannot see the drawing.
    """
    widths = [max(34.0, CHARACTER * len(text) + 16) for text, _ in nodes]
    gaps = [46.0] * (len(nodes) - 1)
    for a, b, text, _ in edges:
        if b == a + 1:
            gaps[a] = max(gaps[a], CHARACTER * len(text) + 26)
    lefts = [10.0]
    for width, gap in zip(widths, [*gaps, 0.0], strict=True):
        lefts.append(lefts[-1] + width + gap)
    centres = [left + width / 2 for left, width in zip(lefts, widths, strict=False)]
    sides = {edge[:2]: -1 if edge[0] % 2 == 0 else 1 for edge in edges if edge[1] > edge[0] + 1}
    heights = {pair: 34.0 * (pair[1] - pair[0]) - 14 for pair in sides}
    above = max((height for pair, height in heights.items() if sides[pair] < 0), default=0.0)
    below = max((height for pair, height in heights.items() if sides[pair] > 0), default=0.0)
    middle, total = above + 42, above + below + 84
    parts = []
    for a, b, text, on in edges:
        off = "" if on else " off"
        tip = "" if not on else ' marker-end="url(#a)"'
        if (a, b) in sides:
            side, height = sides[a, b], heights[a, b]
            start, end = centres[a] + 8, centres[b] - 8
            y = middle + side * 14
            # A cubic whose control points are a third higher reaches its height in the middle.
            top = y + side * height * 4 / 3
            parts.append(
                f'<path class="e{off}" d="M{start:g} {y:g}C{start:g} {top:g} {end:g} {top:g} {end:g} {y:g}"{tip}/>'
            )
            place = (start + end) / 2, y + side * height + (-5 if side < 0 else 15)
        else:
            start, end = centres[a] + widths[a] / 2, centres[b] - widths[b] / 2
            parts.append(f'<path class="e{off}" d="M{start:g} {middle:g}L{end - 2:g} {middle:g}"{tip}/>')
            place = (start + end) / 2, middle - 7
        parts.append(_text(*place, text, "" if on else "q"))
    for (text, on), left, width, centre in zip(nodes, lefts, widths, centres, strict=False):
        off = "" if on else " off"
        parts.append(f'<rect class="n{off}" x="{left:g}" y="{middle - 14:g}" width="{width:g}" height="28" rx="7"/>')
        parts.append(_text(centre, middle + 4, text, "" if on else "q"))
    return _svg(lefts[-1] + 10, total, parts, title)


def stack(layers: Sequence[tuple[str, str]], title: str = "") -> str:
    """Layers on top of each other, the first at the bottom.

    Parameters
    ----------
    layers : sequence of tuple
        What each is, and what is chosen for it.
    title : str
        Said to who cannot see the drawing.
    """
    left = max((len(name) for name, _ in layers), default=0) * CHARACTER + 20
    width = max((len(text) for _, text in layers), default=0) * CHARACTER + 24
    height = 26.0
    parts = []
    for i, (name, text) in enumerate(layers):
        y = 8 + height * (len(layers) - 1 - i)
        parts.append(f'<rect class="n" x="{left:g}" y="{y:g}" width="{width:g}" height="{height - 5:g}" rx="5"/>')
        parts.append(_text(left + width / 2, y + 15, text))
        parts.append(_text(left - 8, y + 15, name, "q", "end"))
    return _svg(left + width + 10, height * len(layers) + 14, parts, title)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{look}>{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" role="img"><title>{escape(title)}</title>{_STYLE}<defs><marker id="a"'
        ' viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path class="m" d="M0 0L8 4L0 8z"/></marker></defs>{"".join(parts)}</svg>'
    )
