"""One report behind all: facts in one dataclass, shown as text, as Markdown and as a page that opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapid_moo._lazy import Lazy

if TYPE_CHECKING:
    from rapid_moo.report.facts import PAGE_FILE, REPORT_FILE, Report, last_report, read_report
    from rapid_moo.report.page import to_html, write_page
    from rapid_moo.report.rendering import to_markdown, to_text

__all__ = [
    "PAGE_FILE",
    "REPORT_FILE",
    "Report",
    "last_report",
    "read_report",
    "to_html",
    "to_markdown",
    "to_text",
    "write_page",
]

_lazy = Lazy(
    __name__,
    {
        "rapid_moo.report.facts": "PAGE_FILE REPORT_FILE Report last_report read_report",
        "rapid_moo.report.page": "to_html write_page",
        "rapid_moo.report.rendering": "to_markdown to_text",
        "rapid_moo.plot": "front_figure",
    },
)


def __getattr__(name: str) -> Any:
    return _lazy.find(name)
