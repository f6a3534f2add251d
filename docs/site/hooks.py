"""The site's pages that live elsewhere in the repository, and links that are right in both places.

A link is written as the repository needs it, so that pages can be read there too. Pages of ``docs/`` are at the site's
top, notebooks below ``tutorials/`` (a link in ``docs/``), all others where they are in the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "benchmarks/*.md", "benchmarks/notes/*.md")
RESULTS = ("benchmarks/results/**/*.md", "benchmarks/results/**/*.png")
LINK = re.compile(r"(!?)\[([^\]\n]*(?:\n[^\]\n]*)?)\]\(([^)\s]+)\)")


def site_path(path: str) -> str:
    """Where a file of the repository is on the site."""
    folder, _, rest = path.partition("/")
    if folder == "docs":
        return rest
    return f"tutorials/{rest}" if folder == "notebooks" else path


@event_priority(100)
def on_files(files: Any, config: Any) -> Any:
    """Add the pages from elsewhere, before the other plugins look at what there is."""
    found = [path for pattern in (*OTHERS, *RESULTS) for path in sorted(ROOT.glob(pattern))]
    for path in found:
        uri = site_path(path.relative_to(ROOT).as_posix())
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn the repository's links into the site's; what is not on the site is named by its path."""
    source = Path(page.file.abs_src_path).resolve().relative_to(ROOT)
    here = os.path.dirname(page.file.src_uri)

    def replaced(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        name, hash_, anchor = target.partition("#")
        if "://" in target or not name:
            return match[0]
        path = os.path.normpath(source.parent / name)
        uri = site_path(path)
        if files.get_file_from_path(uri) is not None:
            return f"{picture}[{text}]({os.path.relpath(uri, here or '.')}{hash_}{anchor})"
        if (ROOT / path).exists():
            return text if text.strip("`") == path else f"{text} (`{path}` in the repository)"
        return match[0]

    return LINK.sub(replaced, markdown)
