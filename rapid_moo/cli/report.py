"""``rapid-moo report``: the report of any folder that a command left."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from rapid_moo.cli.common import complain, writable
from rapid_moo.comparison.report import comparison_report
from rapid_moo.comparison.tables import RESULTS_FILE
from rapid_moo.errors import InputError
from rapid_moo.report import Report, last_report, read_report, to_markdown, to_text, write_page
from rapid_moo.study import Study
from rapid_moo.study.folder import DEFINITION


def report(options: Namespace) -> int:
    """Write or print the report of a folder."""
    if options.folder.is_file():
        raise InputError(f"{options.folder}: expected a folder, got a file")
    found = report_of(options.folder)
    if options.format == "html":
        writable(options.folder)
        print(f"Written: {write_page(found, options.folder)}")
    else:
        print(to_markdown(found) if options.format == "markdown" else to_text(found))
    return 0


def report_of(folder: Path) -> Report:
    """A study's from its store, a comparison's from its results, any other from the facts that its command left."""
    if (folder / RESULTS_FILE).is_file():
        known = last_report(folder)
        return comparison_report(folder, known.command if known is not None else "")
    if not (folder / DEFINITION).is_file():
        return read_report(folder)
    try:
        study = Study(folder)
    except InputError as error:
        # Its space lives in code that is not here: what was last known can be shown all the same.
        complain(f"note: the last facts that were written, since {error}")
        return read_report(folder)
    known = last_report(folder)
    weights = next((pick.weights for pick in known.picks if pick.weights is not None), None) if known else None
    found = study.report(weights)
    if known is not None and known.choice is not None and found.choice is not None and found.choice.how != "tuned":
        # What the tuner compared is known to the process that tuned.
        same = [p.members for p in known.predictors] == [p.members for p in found.predictors]
        found = found.replace(choice=known.choice) if same else found
    return found
