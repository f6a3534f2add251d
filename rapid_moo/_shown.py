"""What a notebook's cell ends with: a telling line as text, a small table as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

Lines = Sequence[tuple[str, Any]]
LONGEST = 160


class Shown:
    """Shows itself by what :meth:`_shown` tells: a title, and names with values."""

    def _shown(self) -> tuple[str, Lines]:
        """Title, and what is worth knowing about it; must neither fail nor take long."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, lines = self._shown()
        told = ", ".join(f"{name} {_text(value)}" for name, value in lines)
        return f"<{title}: {told}>" if told else f"<{title}>"

    def _repr_html_(self) -> str:
        title, lines = self._shown()
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(_text(value, LONGEST * 4))}</td></tr>'
            for name, value in lines
        )
        return f'<table><caption style="text-align:left;font-weight:bold">{escape(title)}</caption>{rows}</table>'


def _text(value: Any, longest: int = LONGEST) -> str:
    if isinstance(value, float):
        text = f"{value:.5g}"
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}" if abs(value) < 10**15 else f"{value:.3g}"
    elif isinstance(value, list | tuple):
        text = ", ".join(str(item) for item in value)
    else:
        text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
