"""``rapid-moo report``: the report of any folder that a command left."""

from __future__ import annotations

from argparse import Namespace

from rapid_moo.cli.common import writable
from rapid_moo.errors import InputError
from rapid_moo.report import to_markdown, to_text, write_page
from rapid_moo.subjects import report_of_folder


def report(options: Namespace) -> int:
    """Write or print the report of a folder."""
    if options.folder.is_file():
        raise InputError(f"{options.folder}: expected a folder, got a file")
    found = report_of_folder(options.folder)
    if options.format == "html":
        writable(options.folder)
        print(f"Written: {write_page(found, options.folder)}")
    else:
        print(to_markdown(found) if options.format == "markdown" else to_text(found))
    return 0
