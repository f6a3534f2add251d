"""The store in one SQLite file: every change is on disk before anything depends on it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rapid_moo._util import shown
from rapid_moo.curves import Stops, is_curve, is_share
from rapid_moo.errors import DataNotFoundError, InputError, StudyError
from rapid_moo.rows import Event
from rapid_moo.space import SearchSpace
from rapid_moo.store import Store

logger = logging.getLogger(__name__)

APPLICATION = 0x524D4F4F
"""SQLite's application id of our files: "RMOO"."""
VERSION = 2
BUSY_SECONDS = 30.0
DISK_TRIES, DISK_PAUSE = 5, 1.0
RESERVE = 2**18
"""Bytes of the file that a run keeps free, for what comes in when somebody has filled the disk."""
_SCHEMA = """
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, row INTEGER NOT NULL,
    at REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE notes (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_INSERT = "INSERT INTO events (kind, row, at, body) VALUES (?, ?, ?, ?)"


def _to_reports(_connection: sqlite3.Connection) -> None:
    """Version 2 knows reports and stopped measurements, of which an older file has none: nothing is to be changed."""


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = MappingProxyType({1: _to_reports})
"""For each older version what makes the next one of it; a copy of the file is made before."""


class SQLiteStore(Store):
    """Evaluations in one SQLite file, which several processes may read and change at the same time.

    Parameters
    ----------
    path : Path or str
        The file; made if it does not exist.
    space : SearchSpace
        Says which genotypes are the same architecture.
    objectives : sequence of str
        Names of the objectives. Those that the file does not know yet are added.

    Raises
    ------
    StudyError
        If the file is damaged, of another program or of a newer version; it is left as it is.
    """

    def __init__(self, path: Path | str, space: SearchSpace, objectives: Sequence[str]) -> None:
        super().__init__(space, objectives)
        self.path = Path(path)
        self._lock = threading.RLock()
        self._depth = 0
        self._seen = 0
        self._version: int | None = None
        self._dirty = False
        self._done: list[tuple[str, tuple[Any, ...]]] = []
        if not self.path.exists():
            self._create()
        check_file(self.path)
        self._connection = self._connect()
        try:
            self._run(self._open)
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise StudyError(f"{self.path}: cannot be opened: {error}") from error
        return connection

    def _create(self) -> None:
        """Make the file beside its place and link it there, so that nobody ever finds half of it."""
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
        os.close(handle)
        try:
            connection = sqlite3.connect(name, isolation_level=None)
            try:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.executemany(_META, self._meta())
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            finally:
                connection.close()
            Path(name).chmod(0o644)
            with suppress(FileExistsError):  # another process was faster
                os.link(name, self.path)
        except (sqlite3.Error, OSError) as error:
            raise StudyError(f"{self.path}: cannot be written: {error}") from error
        finally:
            Path(name).unlink(missing_ok=True)

    def _open(self) -> None:
        self._migrate()
        known = dict(self._connection.execute("SELECT key, body FROM meta"))
        genes = self._json(known.get("genes", "[]"), "genes")
        if genes != self._genes():
            raise StudyError(f"{self.path}: expected evaluations of the space {self.space.name!r}, found other genes")
        stored = self._json(known.get("objectives", "[]"), "objectives")
        if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
            raise StudyError(f"{self.path}: damaged: objectives {shown(stored)}; the file is left as it is")
        added = [name for name in self.objectives if name not in stored]
        self._clear([*stored, *added])
        self._load()
        if added:
            with self.transaction():
                for line in self._meta():
                    self._write(_META, line)

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        shutil.copy2(self.path, self.path.with_name(f"{self.path.name}.version-{version}"))
        while version < VERSION:
            self._connection.execute("BEGIN IMMEDIATE")
            MIGRATIONS[version](self._connection)
            version += 1
            self._connection.execute(f"PRAGMA user_version = {version}")
            self._connection.execute("COMMIT")

    def _genes(self) -> list[list[Any]]:
        return [[gene.name, list(gene.choices)] for gene in self.space.genes]

    def _meta(self) -> list[tuple[str, str]]:
        content = {"genes": self._genes(), "objectives": list(self.objectives)}
        return [(key, json.dumps(value)) for key, value in content.items()]

    # ------------------------------------------------------------------- events
    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block happen on disk together, or not at all."""
        with self._lock:
            if self._depth:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                return
            self._run(lambda: self._connection.execute("BEGIN IMMEDIATE"))
            self._depth = 1
            self._done = []
            try:
                self.refresh()
                yield
                self._commit()
            except BaseException:
                self._undo()
                raise
            finally:
                self._depth = 0

    def _commit(self) -> None:
        """Commit; on a full disk, try again for a while, since results must not be lost."""
        before = self._seen - sum(sql is _INSERT for sql, _ in self._done)
        for attempt in range(DISK_TRIES):
            try:
                self._replay(before)
                self._connection.execute("COMMIT")
                self._dirty = False
                return
            except sqlite3.OperationalError as error:
                if not _is_full(error) or attempt == DISK_TRIES - 1:
                    raise self._unwritable(error) from error
                self._use_reserve()
                if attempt:
                    logger.warning("%s: %s; trying again", self.path, error)
                    time.sleep(DISK_PAUSE)

    def _replay(self, before: int) -> None:
        """SQLite gives up a transaction that it cannot write; the same changes make up another one."""
        if self._connection.in_transaction:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        if last != before:
            raise StudyError(f"{self.path}: cannot be written: the disk was full; what it holds is kept")
        for sql, line in self._done:
            self._connection.execute(sql, line)

    def hold_reserve(self) -> None:
        """Have room within the file and its journal for results that come in while the disk is full.

        Both keep what they were given once: free pages of the file are filled before it grows, and the journal is
        written from its beginning again.
        """
        with self._lock, suppress(sqlite3.Error):
            (free,), (size,) = (
                self._connection.execute(f"PRAGMA {what}").fetchone() for what in ("freelist_count", "page_size")
            )
            if free * size > RESERVE // 2:
                return
            self._connection.execute(_META, ("reserve", bytes(RESERVE)))
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._connection.execute("DELETE FROM meta WHERE key = 'reserve'")
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def _use_reserve(self) -> None:
        """Begin the journal anew, which needs no room."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def _unwritable(self, error: sqlite3.Error) -> StudyError:
        return StudyError(f"{self.path}: cannot be written: {error}; what it holds is kept")

    def _undo(self) -> None:
        """Back to what is on disk."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if self._dirty:
            self._clear(self.objectives)
            self._seen, self._version = 0, None
            self._load()
        self._dirty = False

    def refresh(self) -> bool:
        """Take in what other processes have written; whether there was anything."""
        with self._lock:
            (version,) = self._run(lambda: self._connection.execute("PRAGMA data_version").fetchone())
            if version == self._version:
                return False
            self._version = version
            return self._load()

    def _load(self) -> bool:
        query = "SELECT id, kind, row, at, body FROM events WHERE id > ? ORDER BY id"
        found = self._run(lambda: self._connection.execute(query, (self._seen,)).fetchall())
        for number, kind, row, at, body in found:
            event = self._sound(number, kind, row, at, body)
            if not _names(event) <= {*self.objectives, ""}:
                raise StudyError(f"{self.path}: another process has added objectives meanwhile: open the study anew")
            self.apply(event)
            self._seen = number
        notes = self._run(lambda: self._connection.execute("SELECT key, body FROM notes").fetchall())
        self.notes = {key: self._json(body, f"note {key!r}") for key, body in notes}
        return bool(found)

    def _json(self, body: Any, what: str) -> Any:
        try:
            return json.loads(body)
        except (ValueError, TypeError, RecursionError) as error:
            raise StudyError(f"{self.path}: damaged: {what}: {error}; the file is left as it is") from error

    def _sound(self, number: int, kind: Any, row: Any, at: Any, body: Any) -> Event:
        """An event as this program writes it; bytes that changed on disk may be a whole database and still be none."""
        content = self._json(body, f"event {number}")
        rows = range(len(self), len(self) + 1) if kind == "ask" else range(len(self))
        if kind not in _BODIES or type(row) is not int or row not in rows or not _in(at, LATEST):
            raise StudyError(
                f"{self.path}: damaged: event {number}: {shown((kind, row, at))}; the file is left as it is"
            )
        if not isinstance(content, dict) or not all(good(content.get(key)) for key, good in _BODIES[kind].items()):
            raise StudyError(f"{self.path}: damaged: event {number}: {shown(content)}; the file is left as it is")
        if kind == "ask" and not (
            len(content["x"]) == self.space.n_var
            and all(type(code) is int and 0 <= code < n for code, n in zip(content["x"], self._sizes, strict=True))
        ):
            raise StudyError(
                f"{self.path}: damaged: event {number}: {shown(content['x'])} is no architecture of {self.space.name};"
                " the file is left as it is"
            )
        return Event(kind, row, at, content)

    @cached_property
    def _sizes(self) -> list[int]:
        return [int(n) for n in self.space.n_choices]

    def _record(self, events: Sequence[Event]) -> None:
        for event in events:
            cursor = self._write(_INSERT, (event.kind, event.row, event.at, json.dumps(event.body)))
            self.apply(event)
            self._seen = int(cursor.lastrowid or self._seen)

    def note(self, key: str, content: Any) -> None:
        """Remember something in JSON's types beside the evaluations."""
        with self.transaction():
            body = json.dumps(content)
            self._write("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, body))
            self.notes[key] = json.loads(body)

    def _write(self, sql: str, line: tuple[Any, ...]) -> sqlite3.Cursor:
        """One change within a transaction."""
        cursor: sqlite3.Cursor = self._run(partial(self._connection.execute, sql, line))
        self._dirty = True
        self._done.append((sql, line))
        return cursor

    def _run(self, action: Callable[[], Any]) -> Any:
        """Do something with the file; what SQLite cannot do is said in this package's words."""
        try:
            return action()
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError as error:
            raise StudyError(f"{self.path}: damaged: {error}; the file is left as it is") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # ------------------------------------------------------------------ copies
    def __deepcopy__(self, memo: dict[int, Any]) -> SQLiteStore:
        # One file is one memory: a copy of whatever holds it goes on with the same.
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "space": self.space, "objectives": self.objectives}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["space"], state["objectives"])  # type: ignore[misc]  # opened anew


def _in(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _are_values(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= sys.float_info.max
        for number in value.values()
    )


def _are_shares(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(is_share(share) for share in value.values()))


def _are_curves(value: Any) -> bool:
    return isinstance(value, dict) and all(is_curve(curve) for curve in value.values())


def _are_stops(value: Any) -> bool:
    try:
        return value is None or bool(Stops.from_dict(value))
    except InputError:
        return False


def _names(event: Event) -> set[str]:
    """Objectives that an event tells of."""
    parts = ("values", "reasons", "stopped", "curves")
    return {name for part in parts for name in event.body.get(part) or {}}


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


LATEST = 1e11
LONGEST_SECONDS = 1e12
_BODIES: dict[Any, dict[str, Callable[[Any], bool]]] = {
    "ask": {"x": lambda value: isinstance(value, list), "free": _is_bool, "who": _is_text, "stops": _are_stops},
    "start": {"who": _is_text},
    "report": {"curves": _are_curves},
    "tell": {
        "values": _are_values,
        "reasons": _are_texts,
        "seconds": lambda value: _in(value, LONGEST_SECONDS),
        "who": _is_text,
        "more": _is_bool,
        "free": _is_bool,
        "stopped": _are_shares,
    },
    "requeue": {"forget": _is_bool, "again": _is_bool, "stops": _are_stops},
    "drop": {},
}
"""What the body of each kind of event holds."""


def _is_full(error: sqlite3.Error) -> bool:
    return "full" in str(error) or "disk I/O" in str(error)


def check_file(path: Path) -> None:
    """Refuse what is no store of this program's, without changing it.

    Raises
    ------
    DataNotFoundError
        If there is none.
    StudyError
        If it is damaged, foreign or newer.
    """
    if not path.is_file():
        raise DataNotFoundError(f"{path}: expected a study's evaluations, found nothing")
    try:
        # Where nobody has it open, not even SQLite's own files appear beside it.
        still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{still}", uri=True)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StudyError(f"{path}: expected a study's evaluations, found a damaged or foreign file: {error}") from error
    if application != APPLICATION or version < 1 or not {"events", "notes", "meta"} <= tables:
        raise StudyError(f"{path}: expected a study's evaluations, found a database of another program")
    if version > VERSION:
        raise StudyError(
            f"{path}: expected a study of format {VERSION} or older, found {version}: it was written by a newer"
            " rapid-moo, which is needed to read it"
        )
    if sound != "ok":
        raise StudyError(f"{path}: damaged: {' '.join(str(sound).split())}; the file is left as it is")


def check_versions() -> None:
    """Every older version has a migration."""
    missing = [version for version in range(1, VERSION) if version not in MIGRATIONS]
    if missing:
        raise InputError(f"store: expected migrations of versions {missing}")
