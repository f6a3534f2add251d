"""``rapid-moo report``: the report of any folder that a command left."""

from __future__ import annotations

from argparse import Namespace

from rapid_moo.cli.common import writable
from rapid_moo.cli.preferring import weights_of
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.report import to_markdown, to_text, write_page
from rapid_moo.report.making import picks_of
from rapid_moo.subjects import report_of_folder


def report(options: Namespace) -> int:
    """Write or print the report of a folder."""
    if options.folder.is_file():
        raise InputError(f"{options.folder}: expected a folder, got a file")
    found = report_of_folder(options.folder)
    weights = weights_of(options.prefer, [objective.name for objective in found.objectives])
    if weights is not None:
        if found.architectures is None or not any(found.architectures.on_front):
            raise InputError(f"--prefer: expected a folder with a front, found none in {options.folder}")
        objectives = [Objective(o.name, o.direction, o.unit) for o in found.objectives]
        found = found.replace(picks=picks_of(found.architectures, objectives, weights))
    if options.format == "html":
        writable(options.folder)
        print(f"Written: {write_page(found, options.folder)}")
    else:
        print(to_markdown(found) if options.format == "markdown" else to_text(found))
    return 0
