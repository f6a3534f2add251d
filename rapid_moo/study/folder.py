"""A study's folder: the names of its files, who holds it, and the tables that people read."""

from __future__ import annotations

import csv
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from rapid_moo._util import FloatArray, IntArray, as_count, write_text
from rapid_moo.costs import told_cost
from rapid_moo.errors import DataNotFoundError, InputError, RapidMooError, StudyError
from rapid_moo.frames import own_name
from rapid_moo.objectives import LARGEST
from rapid_moo.store import Store
from rapid_moo.study.status import Board

logger = logging.getLogger(__name__)

DEFINITION, STORE = "study.json", "evaluations.sqlite"
PRIORS = "priors.json"
EVALUATIONS, FRONT, EXPECTED = "evaluations.csv", "front.csv", "expected_front.csv"
LOCK, LOGS = "lock", "logs"
ALWAYS, QUICK, SHARE = 2_000, 0.01, 20.0
"""Tables of up to so many rows are written at every evaluation. Larger ones are too if that takes no longer than so
many seconds; else at most once in so many times of what it takes."""
LEFT_SECONDS = 60.0
HOLD_TRIES, HOLD_PAUSE = 10, 0.05


# ------------------------------------------------------------------------ lock
@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder as its one controller; a process that is killed leaves no lock behind.

    Raises
    ------
    StudyError
        If another process holds it; the message says which.
    """
    path = folder / LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle, folder)
        told = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(told).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    import fcntl

    for attempt in range(HOLD_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            told = holder(folder)
            if attempt == HOLD_TRIES - 1 or "process" in told:
                raise StudyError(f"{folder}: {told or 'another process'} is running this study") from error
        time.sleep(HOLD_PAUSE)  # somebody only looked who holds it


def holder(folder: Path) -> str:
    """Who runs the study now, in words; empty if nobody does."""
    import fcntl

    path = folder / LOCK
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return ""
        except OSError:
            pass
        try:
            told = json.loads(file.read() or b"{}")
            return f"process {told['pid']} on {told['host']} (since {told['since']})"
        except (ValueError, KeyError, TypeError):
            return "another process"


# ---------------------------------------------------------------------- tables
class Tables:
    """``evaluations.csv`` and ``front.csv`` of a study, written at once so that a reader never sees half a file.

    Parameters
    ----------
    folder : Path
        Where they go.
    board : Board
        What they show.
    """

    def __init__(self, folder: Path, board: Board) -> None:
        self.folder, self.board = folder, board
        self.store: Store = board.problem.store
        self._texts = choice_texts(self.store)
        self._lines: list[str] = []
        self._shown: dict[int, str] = {}
        self._waiting: set[int] = set()
        self._took = self._last = 0.0
        self._failed = False

    def publish(self, *, now: bool = False) -> None:
        """Write both; a large study's only every so often unless it must be now.

        A table that cannot be written is warned of once: what counts is in the store.
        """
        self.take_in()
        start = time.monotonic()
        large = len(self.store) > ALWAYS
        if not now and large and self._took > QUICK and start - self._last < SHARE * self._took:
            return
        # Of several processes that write, the last one must not be the one that knows least.
        with self.store.transaction():
            self.take_in()
            self._write()
        self._last = time.monotonic()
        self._took = self._last - start

    def take_in(self) -> None:
        """Bring the board up to date, and remember which lines have changed."""
        self._waiting |= self.board.update()

    def _write(self) -> None:
        try:
            write_text(self.folder / EVALUATIONS, self._evaluations())
            write_text(self.folder / FRONT, self._front())
            self._failed = False
        except OSError as error:
            if not self._failed:
                logger.warning("%s: cannot be written: %s; the evaluations are safe in %s", self.folder, error, STORE)
            self._failed = True

    def clean(self) -> None:
        """Take away what a killed process left half written."""
        with self.store.transaction():
            for name in (EVALUATIONS, FRONT, EXPECTED, DEFINITION, STORE):
                for path in self.folder.glob(f".{name}.*.part"):
                    with suppress(OSError):
                        # Definition and store may be in the hands of another process just now.
                        if name not in (DEFINITION, STORE) or time.time() - path.stat().st_mtime > LEFT_SECONDS:
                            path.unlink()

    def _evaluations(self) -> str:
        store = self.store
        self._lines += [""] * (len(store) - len(self._lines))
        del self._lines[len(store) :]
        by_cost = self.board.problem.costs_stated
        prices = self.board.problem.prices if by_cost else None
        for row in self._waiting:
            self._shown.pop(row, None)
            if row < len(store):
                shown = store.state(row) != "asked"
                cells = evaluation_cells(store, row, self._texts, prices)
                self._lines[row] = self._line(cells) if shown else ""
        self._waiting.clear()
        return self._line(evaluation_columns(store, by_cost)) + "".join(self._lines)

    def _front(self) -> str:
        store, front = self.store, self.board.front_rows
        genes = [gene.name for gene in store.space.genes]
        head = [own_name("evaluation", [*genes, *store.objectives]), *genes, *store.objectives]
        raw = store.raw_of(front)
        order = np.lexsort(raw.T[::-1]) if len(front) else np.empty(0, dtype=np.int64)
        rows = front[order].tolist()
        for row, values in zip(rows, raw[order].tolist(), strict=True):
            if row not in self._shown:
                self._shown[row] = self._line([row + 1, *gene_cells(store, row, self._texts), *values])
        return self._line(head) + "".join(self._shown[row] for row in rows)

    @staticmethod
    def _line(cells: Sequence[Any]) -> str:
        out = StringIO()
        csv.writer(out, lineterminator="\n").writerow(cells)
        return out.getvalue()


def evaluation_columns(store: Store, by_cost: bool = False) -> list[str]:
    """Columns of ``evaluations.csv``; one of ours that a gene or objective has the name of gets an underscore.

    The last one is what was spent on an architecture, where costs are stated.
    """
    genes = [gene.name for gene in store.space.genes]
    taken = [*genes, *store.objectives]
    before, behind = ("evaluation", "state"), ("seconds", "reason", "who", "when", *(["cost"] if by_cost else []))
    return [
        *(own_name(name, taken) for name in before),
        *taken,
        *(own_name(name, taken) for name in behind),
    ]


def evaluation_cells(
    store: Store, row: int, texts: Sequence[Sequence[str]] = (), prices: FloatArray | None = None
) -> list[Any]:
    """One row of ``evaluations.csv``; with prices of the objectives, what was spent on it too."""
    values = ["" if np.isnan(value) else float(value) for value in store.raw_of([row])[0]]
    return [
        row + 1,
        store.state(row),
        *gene_cells(store, row, texts),
        *values,
        round(store.seconds(row), 3),
        store.reason(row),
        store.who(row),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(store.when(row))),
        *([] if prices is None else [told_cost(store.paid_of([row])[0] @ prices)]),
    ]


def gene_cells(store: Store, row: int, texts: Sequence[Sequence[str]] = ()) -> list[str]:
    """Choices of a row as text, empty for an inactive gene; the texts of all choices may be given, see below."""
    x = store.X[row]
    active = store.space.is_active(x[None])[0].tolist()
    known = texts or choice_texts(store)
    return [several[code] if on else "" for several, code, on in zip(known, x.tolist(), active, strict=True)]


def choice_texts(store: Store) -> list[list[str]]:
    """Texts of all choices of each gene."""
    return [[choice_text(gene, choice) for choice in gene.choices] for gene in store.space.genes]


def choice_text(gene: Any, choice: Any) -> str:
    """A choice in a table: itself, in quotes where another choice looks the same or nothing would be seen."""
    text = str(choice)
    alike = text in gene.shared_texts
    hidden = text != text.strip() or not text or text.startswith('"') or not text.isprintable()
    return json.dumps(choice) if isinstance(choice, str) and (alike or hidden) else text


def choice_from_text(gene: Any, text: str) -> Any:
    """Inverse of :func:`choice_text`; a label, or a number written in another way, is understood too.

    Raises
    ------
    InputError
        If it is none of the gene's choices.
    """
    for choice in gene.choices:
        if choice_text(gene, choice) == text:
            return choice
    if text in gene.labels:
        return gene.choices[gene.labels.index(text)]
    for choice in gene.choices:
        if isinstance(choice, bool) and text.lower() == str(choice).lower():
            return choice
        if isinstance(choice, int | float) and not isinstance(choice, bool) and _equals(text, choice):
            return choice
    raise InputError(f"gene {gene.name!r}: expected one of {list(gene.choices)}, got {text!r}")


def _equals(text: str, number: float) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False


def read_measured(path: Path, store: Store) -> list[tuple[int, IntArray, dict[str, float], dict[str, str]]]:
    """Measurements from a CSV file: line, genotype, values by objective, and reasons of failures.

    A row names its architecture by the genes' columns, or by ``evaluation`` where a study wrote that. A cell that is
    empty says nothing; a row whose ``state`` is ``failed`` failed in what it lacks.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    InputError
        If a column is missing, or a cell cannot be understood; the message names file, row and column.
    """
    if not path.is_file():
        raise DataNotFoundError(f"{path}: expected a CSV file, found {'a folder' if path.is_dir() else 'nothing'}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV file: {error}") from error
    if len(lines) < 2:
        raise InputError(f"{path}: expected a header and at least one row, got {len(lines)} lines")
    head = [name.strip() for name in lines[0]]
    _check_head(path, head, store)
    found = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            raise InputError(f"{path}: line {number}: expected {len(head)} cells like the header, got {len(cells)}")
        line = dict(zip(head, (cell.strip() for cell in cells), strict=True))
        try:
            found.append((number, _genotype(line, store), *_values(line, store)))
        except RapidMooError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
    return found


def _check_head(path: Path, head: list[str], store: Store) -> None:
    repeated = [name for name in dict.fromkeys(head) if head.count(name) > 1]
    genes = [gene.name for gene in store.space.genes]
    missing = [name for name in genes if name not in head]
    if repeated or (missing and "evaluation" not in head):
        what = f"{repeated[0]!r} twice" if repeated else f"no column {missing[0]!r}"
        raise InputError(f"{path}: expected a column for each of {', '.join(genes)}, found {what}")
    if not any(name in head for name in store.objectives):
        raise InputError(f"{path}: expected a column for at least one of {', '.join(store.objectives)}, got {head}")


def _genotype(line: Mapping[str, str], store: Store) -> IntArray:
    genes = store.space.genes
    if all(gene.name in line for gene in genes):
        return store.space.from_dict({g.name: choice_from_text(g, line[g.name]) for g in genes if line[g.name] != ""})
    number = line["evaluation"]
    if not 0 < as_count(number) <= len(store):
        raise InputError(f"column 'evaluation': expected 1 to {len(store)}, got {number!r}")
    found: IntArray = store.X[int(number) - 1]
    return found


def _values(line: Mapping[str, str], store: Store) -> tuple[dict[str, float], dict[str, str]]:
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    failed = line.get("state") == "failed"
    computed = {objective.name for objective in store.space.computed}
    for name in store.objectives:
        if name in computed:
            continue  # the space knows it exactly, whatever a file says
        cell = line.get(name, "")
        if cell == "":
            if failed:
                reasons[name] = line.get("reason") or "failed"
            continue
        try:
            values[name] = float(cell)
        except ValueError:
            raise InputError(f"column {name!r}: expected a number, got {cell!r}") from None
        if not np.isfinite(values[name]):
            raise InputError(f"column {name!r}: expected a finite number or nothing, got {cell!r}")
        if abs(values[name]) > LARGEST:
            raise InputError(f"column {name!r}: expected a number of at most {LARGEST:g} in size, got {cell!r}")
    return values, reasons
