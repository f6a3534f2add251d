"""Published tables: where they come from, where they are kept, and whether they are what they should be.

A table is looked for in the folder that ``RAPID_MOO_DATA`` names, then in the user's cache (``RAPID_MOO_CACHE`` or the
platform's cache folder). ``digits`` and its second device are part of the package. Nothing is downloaded unless
:func:`fetch` is called.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from rapid_moo._fetch import discard, download
from rapid_moo._util import atomic_path
from rapid_moo.errors import DataNotFoundError, FetchError, InputError, RapidMooError
from rapid_moo.objectives import Objective
from rapid_moo.progress import ProgressCallback
from rapid_moo.reading import read_csv

_GPT_FILE = re.compile(r"gpt_([sml])_(\w+)\.csv", re.IGNORECASE)
_GPT_NAME = re.compile(r"hw_gpt_([sml])_(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class TableEntry:
    """One published table in the manifest.

    Attributes
    ----------
    name, file : str
        Name in this package and file name in the published layout.
    space : str
        Name of its search space.
    options : dict
        What the space takes (``scale``).
    url : str
        Original public address at a pinned commit; empty for an embedded table.
    verified : bool
        Whether that address has been seen to exist.
    enforced : bool
        Whether the first checksum is the published file's, so that a download must match it.
    objectives, optional : tuple of str
        What was measured, as ``COLUMN:max`` or ``COLUMN:min``; what a table may hold beside that.
    size : int
        Bytes, 0 if unknown.
    sha256 : tuple of str
        Checksums of good files: the published one first, then known rebuilds. Empty if unknown.
    rows, vector_length : int
        Shape of the table, 0 if unknown.
    licence : str
        Licence of the data.
    source : str
        Where the benchmark is described.
    oddities : tuple of str
        What a user should know.
    """

    name: str
    file: str
    space: str
    options: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    verified: bool = False
    enforced: bool = True
    objectives: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    size: int = 0
    sha256: tuple[str, ...] = ()
    rows: int = 0
    vector_length: int = 0
    licence: str = "unknown"
    source: str = ""
    oddities: tuple[str, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether it is part of the package."""
        return not self.url


def _package_folder() -> Path:
    return Path(str(resources.files("rapid_moo._data")))


@cache
def manifest() -> dict[str, TableEntry]:
    """All known published tables by name."""
    content = tomllib.loads((_package_folder() / "manifest.toml").read_text(encoding="utf-8"))
    entries = {}
    for item in content["table"]:
        lists = {name: tuple(item.get(name, ())) for name in ("objectives", "sha256", "oddities")}
        entries[item["name"]] = TableEntry(**{**item, **lists})
    family = content["hw_gpt"]
    for scale, devices in family["devices"].items():
        for device in devices:
            entry = _gpt_entry(family, scale, device)
            entries[entry.name] = entry
    return entries


def _gpt_entry(family: Mapping[str, Any], scale: str, device: str) -> TableEntry:
    file = f"gpt_{scale}_{device}.csv"
    rebuilt = family["rebuilt_sha256"].get(file)
    return TableEntry(
        name=f"hw_gpt_{scale}_{device}",
        file=file,
        space="hw_gpt",
        options={"scale": scale},
        url=f"{family['url']}{file}",
        enforced=False,
        objectives=tuple(family["objectives"]),
        optional=tuple(family["optional"]),
        sha256=(rebuilt,) if rebuilt else (),
        vector_length=int(family["vector_length"][scale]),
        licence=family["licence"],
        source=family["source"],
        oddities=tuple(family["oddities"]),
    )


def entry_for(name: str | Path) -> TableEntry | None:
    """The entry of a table name or of a published file name (any folder); None for anything else.

    HW-GPT tables of devices that the manifest does not list are recognised by their names.
    """
    text = str(name)
    entries = manifest()
    if text in entries:
        return entries[text]
    file = Path(text).name
    for entry in entries.values():
        if entry.file == file:
            return entry
    match = _GPT_FILE.fullmatch(file) or _GPT_NAME.fullmatch(text)
    if match is None:
        return None
    family = tomllib.loads((_package_folder() / "manifest.toml").read_text(encoding="utf-8"))["hw_gpt"]
    return _gpt_entry(family, match[1].lower(), match[2])


def known_names() -> str:
    """The names of tables in one line: HW-GPT has one per scale and device."""
    singles = sorted(entry.name for entry in manifest().values() if not entry.options)
    return f"{', '.join(singles)}, hw_gpt_SCALE_DEVICE such as hw_gpt_s_a100"


def _stated_entry(name: str) -> TableEntry:
    entry = entry_for(name)
    if entry is None:
        raise InputError(f"table: expected one of {known_names()}, got {name!r}")
    return entry


def cache_folder() -> Path:
    """The user's cache: ``RAPID_MOO_CACHE``, or ``rapid_moo`` in the platform's cache folder."""
    if chosen := os.environ.get("RAPID_MOO_CACHE"):
        return Path(chosen)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "rapid_moo"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "rapid_moo" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "rapid_moo"


def search_folders() -> list[Path]:
    """Folders in which published tables are looked for, in this order."""
    stated = os.environ.get("RAPID_MOO_DATA")
    return [*([Path(stated)] if stated else []), cache_folder()]


def find(entry: TableEntry) -> Path | None:
    """Where a table is, or None."""
    if entry.embedded:
        return _package_folder() / entry.file
    for folder in search_folders():
        if (folder / entry.file).is_file():
            return folder / entry.file
    return None


def locate(name: str) -> Path:
    """Where a table is.

    Raises
    ------
    InputError
        If no table has that name.
    DataNotFoundError
        If it is nowhere; the message says where it was looked for and what brings it.
    """
    entry = _stated_entry(name)
    path = find(entry)
    if path is None:
        looked = ", ".join(str(folder) for folder in search_folders())
        raise DataNotFoundError(
            f"{entry.name}: expected {entry.file} in {looked}; found nothing. Get it with 'rapid-moo data fetch"
            f" {entry.name}', or take files at hand with 'rapid-moo data import DIR'"
        )
    return path


@dataclass(frozen=True)
class Check:
    """What :func:`check_file` found.

    ``state`` is ``"ok"`` (the published file), ``"rebuilt"`` (a known rebuild of it), ``"no checksum"``,
    ``"differs"``, ``"broken"`` or ``"missing"``.
    """

    name: str
    path: Path | None
    state: str
    detail: str


def check_file(entry: TableEntry, path: Path) -> Check:
    """Compare a file with the manifest and see that it is a table of its space."""
    try:
        raw = read_csv(path)
        rows, length = raw.vectors.shape
        if entry.vector_length and length != entry.vector_length:
            raise InputError(f"expected vectors of {entry.vector_length} integers, got {length}")
        # A file that breaks off within a row is still readable: only its values tell.
        for text in (*entry.objectives, *entry.optional):
            column, _, direction = text.partition(":")
            if text in entry.objectives or column in raw.frame.columns:
                raw.values(Objective(column, direction))
    except RapidMooError as error:
        return Check(entry.name, path, "broken", str(error))
    shape = f"{rows} rows of {length} genes"
    if not entry.sha256:
        return Check(entry.name, path, "no checksum", f"{shape}; no published checksum to compare with")
    found = sha256_of(path)
    if entry.enforced and found == entry.sha256[0]:
        return Check(entry.name, path, "ok", shape)
    if found in entry.sha256:
        detail = f"{shape}; the known rebuild from the benchmark's raw observations, not the published file itself"
        return Check(entry.name, path, "rebuilt", detail)
    return Check(entry.name, path, "differs", f"expected SHA-256 {' or '.join(entry.sha256)}, got {found} ({shape})")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def verify(names: Sequence[str] | None = None) -> list[Check]:
    """Check the tables of the given names, or all of the manifest."""
    checks = []
    for name in names if names else manifest():
        entry = _stated_entry(name)
        path = find(entry)
        missing = Check(entry.name, None, "missing", f"{entry.file} is neither in RAPID_MOO_DATA nor in the cache")
        checks.append(check_file(entry, path) if path is not None else missing)
    return checks


def fetch(
    name: str,
    *,
    url: str | None = None,
    timeout: float = 10.0,
    total_timeout: float = 600.0,
    retries: int = 3,
    pause: float = 1.0,
    progress: ProgressCallback | None = None,
) -> Path:
    """Download a table into the cache.

    Parameters
    ----------
    name : str
        Name of the table.
    url : str, optional
        Another address than the manifest's.
    timeout : float
        Seconds after which an attempt is given up that has got no answer or fewer than 1,000 bytes meanwhile.
    total_timeout : float
        Seconds after which the download is given up for good; what has come is kept.
    retries : int
        Further attempts after the first one; each goes on where the last one stopped if the server can.
    pause : float
        Seconds before the first retry, doubled for each further one.
    progress : callable, optional
        Called with the bytes received and in all.

    Returns
    -------
    pathlib.Path
        Where it is now. A file that does not match the manifest never gets there, and replaces nothing.

    Raises
    ------
    FetchError
        If the download fails or is not what the manifest promises.
    """
    entry = _stated_entry(name)
    if entry.embedded:
        return _package_folder() / entry.file
    target = cache_folder() / entry.file
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    source = url or entry.url
    for again in (False, True):
        resumed = download(
            source,
            part,
            timeout=timeout,
            total_timeout=total_timeout,
            retries=retries,
            pause=pause,
            progress=progress,
        )
        found = check_file(entry, part)
        if found.state != "broken" and not (entry.enforced and found.state == "differs"):
            break
        discard(part)
        if again or not resumed:
            raise FetchError(f"{source}: not the table {entry.name!r}: {found.detail}")
        # The beginning came from an earlier call: the whole, fetched in one go, may be right.
    part.replace(target)
    discard(part)
    return target


@dataclass(frozen=True)
class ImportedFile:
    """One file that :func:`import_folder` looked at: ``state`` is ``"imported"``, ``"skipped"`` or ``"refused"``."""

    path: Path
    name: str
    state: str
    detail: str


def import_folder(folder: Path | str) -> list[ImportedFile]:
    """Copy the published tables found in a folder, at any depth, into the cache.

    A file is recognised by its name, checked, and copied at once; a broken one is refused. The same file twice is
    taken once.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataNotFoundError(f"{root}: expected a folder with published tables, found none")
    report, taken = [], set()
    for path in sorted(root.rglob("*.csv")):
        entry = entry_for(path)
        if entry is None or entry.embedded:
            report.append(ImportedFile(path, "", "skipped", "not the name of a published table"))
            continue
        if entry.name in taken:
            report.append(ImportedFile(path, entry.name, "skipped", "another file of this table was taken before"))
            continue
        found = check_file(entry, path)
        if found.state == "broken":
            report.append(ImportedFile(path, entry.name, "refused", found.detail))
            continue
        target = cache_folder() / entry.file
        if found.state == "differs" and target.is_file() and check_file(entry, target).state in ("ok", "rebuilt"):
            detail = f"{found.detail}; the file in the cache matches and is kept"
            report.append(ImportedFile(path, entry.name, "refused", detail))
            continue
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
        taken.add(entry.name)
        report.append(ImportedFile(path, entry.name, "imported", f"{found.detail} -> {target}"))
    return report
