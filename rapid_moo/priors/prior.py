"""What a run is told beforehand: values that hold as they are, and values that say something of an objective."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rapid_moo import data
from rapid_moo._util import FloatArray, IntArray, shown, unique_rows
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective
from rapid_moo.predictors.predictor_set import Pooled
from rapid_moo.priors.pooling import pooled
from rapid_moo.priors.source import FEWEST, Source
from rapid_moo.reading import Reading, read_table
from rapid_moo.reading.cells import is_empty
from rapid_moo.reading.files import read_sheet
from rapid_moo.reading.layout import own_columns
from rapid_moo.reading.options import names_of
from rapid_moo.space import SearchSpace
from rapid_moo.store import Store
from rapid_moo.table import ArchitectureTable

logger = logging.getLogger(__name__)

Told: TypeAlias = dict[str, list[tuple[IntArray, FloatArray]]]
Hint: TypeAlias = tuple[str, IntArray, FloatArray]
MOST_ROWS = 1_000
"""Architectures of one source that are learnt from: more say little more, and cost their cube."""
MOST_POOLED = 300
"""Architectures of all sources of an objective together whose values may be learnt from themselves, see
:mod:`rapid_moo.priors.pooling`; of more, a smooth column says as much."""
STUDY_FILE = "evaluations.csv"


@dataclass(frozen=True, eq=False)
class Prior:
    """What another device, data set or study knows.

    Parameters
    ----------
    source : str, path, DataFrame or ArchitectureTable
        A table's file in any layout that is read elsewhere, the name of a published table (``digits``), the folder of a
        study, a frame, or a table. Its architectures are of the space that is searched.
    same : sequence of str, or str with commas
        Objectives whose values hold as they are: an accuracy that was measured on the same data. They are known then,
        and cost nothing.
    columns : mapping of str to str or sequence of str, optional
        Which columns tell of an objective; by default the one of its name. Several are several sources, such as the
        latencies of many devices.

    Examples
    --------
    >>> Prior("runs/old_board", same="accuracy").same
    ('accuracy',)
    """

    source: Any
    same: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "same", names_of(self.same, "same"))
        if not isinstance(self.columns, Mapping):
            raise InputError(f"prior: expected columns by objective, got {shown(self.columns)}")
        several = {str(name): names_of(stated, "prior") for name, stated in self.columns.items()}
        object.__setattr__(self, "columns", several)

    @classmethod
    def of(cls, stated: Any) -> Prior:
        """A prior as people give it: itself, or what its ``source`` may be."""
        return stated if isinstance(stated, cls) else cls(stated)

    @classmethod
    def parse(cls, text: str, same: Sequence[str] = ()) -> Prior:
        """A prior as the command line gives it: ``FILE`` or a name, or ``FILE:latency=COLUMN,latency=OTHER``."""
        file, separator, stated = text.rpartition(":")
        if not separator or Path(text).exists() or "=" not in stated:
            return cls(text, tuple(same))
        columns: dict[str, list[str]] = {}
        for part in names_of(stated, "prior"):
            name, _, column = part.partition("=")
            if not name or not column:
                raise InputError(f"prior: expected FILE:OBJECTIVE=COLUMN, got {shown(text, 200)}")
            columns.setdefault(name, []).append(column)
        return cls(file, tuple(same), {name: tuple(several) for name, several in columns.items()})

    @property
    def name(self) -> str:
        """Name for messages."""
        if isinstance(self.source, ArchitectureTable):
            return self.source.name
        return str(self.source) if isinstance(self.source, str | Path) else "prior"

    def known(self, space: SearchSpace, objectives: Sequence[Objective]) -> Told:
        """What it tells of each objective: distinct genotypes and finite raw values, once for each of its columns.

        Raises
        ------
        InputError
            If it cannot be read, is of another space, tells nothing, or lacks an objective or column that is stated.
        """
        names = [objective.name for objective in objectives]
        for what, stated in (("same", self.same), ("columns", self.columns)):
            if wrong := [name for name in stated if name not in names]:
                raise InputError(f"prior {self.name}: {what}: expected some of {names}, got {wrong[0]!r}")
        if isinstance(self.source, ArchitectureTable):
            found = self._of_table(self.source, space, objectives)
        else:
            found = self._of_file(space, objectives)
        return found

    def _of_table(self, table: ArchitectureTable, space: SearchSpace, objectives: Sequence[Objective]) -> Told:
        if tuple(table.space.genes) != tuple(space.genes):
            raise InputError(f"prior {self.name}: expected a table of {space.name}, got one of {table.space.name}")
        held = {objective.name: table.raw[:, k] for k, objective in enumerate(table.objectives)} | dict(table.further)
        found = {}
        for name, columns in self._wanted(objectives, list(held)).items():
            several = [(table.X, np.asarray(held[column], dtype=np.float64)) for column in columns]
            found[name] = [(X[np.isfinite(y)], y[np.isfinite(y)]) for X, y in several if np.isfinite(y).any()]
        return {name: several for name, several in found.items() if several}

    def _of_file(self, space: SearchSpace, objectives: Sequence[Objective]) -> Told:
        source = self._file(self.source) if isinstance(self.source, str | Path) else self.source
        sheet = read_sheet(source)
        # What this project writes beside the values, such as what an evaluation cost, is no objective of that name.
        ours = own_columns(sheet)
        wanted = self._wanted(objectives, [column for column in sheet.columns if column not in ours])
        columns = list(dict.fromkeys(column for several in wanted.values() for column in several))
        raw = read_table(source, Reading(), space, columns)
        X = raw.encode(space)
        found: Told = {}
        for name, several in wanted.items():
            for column in several:
                values = raw.known_values(Objective(column, "min"))
                some = np.isfinite(values)
                self._note_unusable(raw.frame[column][~some], column, len(some))
                if some.any():
                    first, inverse = unique_rows(X[some])
                    means = np.bincount(inverse, weights=values[some]) / np.bincount(inverse)
                    found.setdefault(name, []).append((X[some][first], means))
        if not found:
            raise InputError(f"prior {self.name}: expected values of {', '.join(wanted)}, got none")
        return found

    def _file(self, stated: str | Path) -> Path:
        """The file that holds what a path or a table's name means."""
        path, entry = Path(stated), data.entry_for(stated)
        if path.is_dir() and str(stated):
            if not (path / STUDY_FILE).is_file():
                raise DataNotFoundError(
                    f"prior {shown(str(stated), 200)}: expected the folder of a study, found no {STUDY_FILE} in it"
                )
            return path / STUDY_FILE
        if path.is_file():
            return path
        if entry is None or path.suffix == ".csv":
            raise DataNotFoundError(
                f"prior {shown(str(stated), 200)}: expected a table's file or name ({data.known_names()}), or the"
                " folder of a study, found none of them"
            )
        return data.locate(entry.name)

    def _note_unusable(self, cells: pd.Series[Any], column: str, rows: int) -> None:
        """Say what is left out because it is no number; an empty cell is nothing to speak of."""
        told = cells[~cells.map(is_empty).to_numpy(dtype=np.bool_)]
        if len(told):
            logger.warning(
                "prior %s: column %r: %d of %d values are no finite numbers, such as %s: left out",
                self.name,
                column,
                len(told),
                rows,
                shown(told.iloc[0], 60),
            )

    def _wanted(self, objectives: Sequence[Objective], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The columns of each objective that it tells something of."""
        wanted: dict[str, tuple[str, ...]] = {}
        for objective in objectives:
            if stated := self.columns.get(objective.name, ()):
                if wrong := [column for column in stated if column not in columns]:
                    raise InputError(
                        f"prior {self.name}: expected a column {wrong[0]!r} for {objective.name!r},"
                        f" got columns {shown(list(columns), 300)}"
                    )
                wanted[objective.name] = stated
            elif held := [name for name in (objective.name, objective.column) if name in columns]:
                wanted[objective.name] = (held[0],)
        if not wanted:
            names = [objective.name for objective in objectives]
            raise InputError(
                f"prior {self.name}: expected a column of an objective ({', '.join(names)}), got columns"
                f" {shown(list(columns), 300)}: {self.name}:{names[-1]}=COLUMN says which one tells of {names[-1]}"
            )
        return wanted


def _same_content(hint: Hint, other: Hint) -> bool:
    """Whether two hints tell the same, whatever their names."""
    return np.array_equal(hint[1], other[1]) and np.array_equal(hint[2], other[2])


class Priors:
    """All priors of a run, read and understood: what is known, and what is a hint.

    Parameters
    ----------
    space : SearchSpace
        The space that is searched.
    objectives : sequence of Objective
        Its objectives.
    priors : iterable
        :class:`Prior` objects, or what their sources may be.

    Attributes
    ----------
    hints : dict of str to list of tuple
        By objective: name, genotypes and values of each source, at most 1,000 architectures of each.
    """

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], priors: Iterable[Any] = ()) -> None:
        self.space = space
        self.hints: dict[str, list[Hint]] = {}
        self._same: list[tuple[str, IntArray, FloatArray]] = []
        self._sources: dict[str, list[Source]] = {}
        computed = {objective.name for objective in space.computed}
        predicted = [objective for objective in objectives if objective.name not in computed]
        told = [Prior.of(prior) for prior in priors]
        found = set()
        for prior in told:
            for name, several in prior.known(space, predicted).items():
                found.add(name)
                for X, values in several:
                    if name in prior.same:
                        self._same.append((name, X, values))
                    elif len(X) >= FEWEST:
                        rows = np.random.default_rng(0).permutation(len(X))[:MOST_ROWS]
                        self.hints.setdefault(name, []).append((prior.name, X[rows], values[rows]))
                    else:
                        logger.warning(
                            "prior %s: %s: expected at least %d architectures to learn from, got %d: left out",
                            prior.name,
                            name,
                            FEWEST,
                            len(X),
                        )

        if lacking := [name for prior in told for name in prior.same if name not in found]:
            raise InputError(f"priors: same: expected values of {lacking[0]!r}, found those of {sorted(found)}")

    def to_dict(self) -> dict[str, Any]:
        """JSON form of what is a hint; what holds as it is belongs into a store."""
        return {
            name: [{"name": told, "X": X.tolist(), "values": values.tolist()} for told, X, values in several]
            for name, several in self.hints.items()
        }

    @classmethod
    def from_dict(cls, space: SearchSpace, objectives: Sequence[Objective], content: Any) -> Priors:
        """From the JSON form.

        Raises
        ------
        InputError
            If it cannot be understood.
        """
        found = cls(space, objectives)
        names = [objective.name for objective in objectives]
        try:
            for name, several in content.items():
                if name not in names:
                    raise InputError(f"priors: expected some of {names}, got {shown(name)}")
                for item in several:
                    X, values = space.repair(item["X"]), np.array(item["values"], dtype=np.float64)
                    if values.shape != (len(X),) or not np.isfinite(values).all() or len(X) < FEWEST:
                        raise InputError(f"priors: {name}: expected a finite value of each architecture")
                    found.hints.setdefault(name, []).append((str(item["name"]), X, values))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"priors: expected what was saved by a study, got: {error!r}") from error
        return found

    def add(self, other: Priors) -> None:
        """Take in further priors of the same space and objectives; a hint that is known already stays one."""
        for name, several in other.hints.items():
            known = self.hints.setdefault(name, [])
            known += [hint for hint in several if not any(_same_content(hint, held) for held in known)]
        self._same += other._same
        self._sources.clear()

    def take_over(self, store: Store, members: IntArray | None = None) -> int:
        """Put what holds as it is into a store, free of charge; returns how many values that were.

        What the store knows already stays, and where only ``members`` can be evaluated all others are left out.
        """
        allowed = None if members is None else set(store.space.keys(members))
        n = 0
        with store.transaction():
            for name, X, values in self._same:
                keys = store.space.keys(X)
                kept = np.array([allowed is None or key in allowed for key in keys], dtype=np.bool_)
                rows = store.ask(X[kept], "prior", free=True)
                for row, value in zip(rows.tolist(), values[kept].tolist(), strict=True):
                    known = store.settled_objectives(row)[store.objectives.index(name)]
                    if not known:
                        who = "prior" if store.is_free(row) else ""
                        store.tell(row, {name: value}, who=who, more=bool(store.pending[row]), free=True)
                        n += 1
        return n

    def told(self) -> dict[str, str]:
        """By objective: how many values hold as they are, and which sources are a hint, in words."""
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys(name for name, _, _ in self._same):
            X = np.vstack([X for known, X, _ in self._same if known == name])
            found[name] = [f"{len(unique_rows(X)[0]):,} values hold and cost nothing"]
        for name, several in self.hints.items():
            hints = ", ".join(f"{len(X):,} values of {told}" for told, X, _ in several)
            found.setdefault(name, []).append(f"a hint of {hints}")
        return {name: "; ".join(parts) for name, parts in found.items()}

    def count(self, name: str) -> int:
        """Columns of an objective: one for a single source, and of several their mean and what sets each apart."""
        n = len(self.hints.get(name, ()))
        return n + 1 if n > 1 else n

    def columns_beside(self, name: str, X: IntArray, y: FloatArray) -> int:
        """As :meth:`count`, but none where small sources agree with the target's measurements: see :meth:`pooled`."""
        return self.count(name) if self.pooled(name, X, y) is None else 0

    def pooled(self, name: str, X: IntArray, y: FloatArray) -> Pooled | None:
        """What small sources of an objective tell beside its own measurements, as uncertain ones; None if nothing.

        Parameters
        ----------
        name : str
            The objective.
        X, y : ndarray of shape (n, n_var) and (n,)
            The target's architectures, and their raw values.
        """
        if not 0 < sum(len(X) for _, X, _ in self.hints.get(name, ())) <= MOST_POOLED:
            return None
        return pooled(self.space, self.sources(name), X, y)

    def __call__(self, name: str, X: ArrayLike, logarithmic: bool = False) -> FloatArray:
        """Columns of an objective, shape (n, n_columns).

        The mean of all sources, and the deviation of each, so small that all of them together vary as much as one.
        """
        known = np.column_stack([source.predict(X, logarithmic) for source in self.sources(name)])
        if known.shape[1] == 1:
            return known
        mean = known.mean(axis=1, keepdims=True)
        return np.hstack([mean, (known - mean) / np.sqrt(known.shape[1])])

    def sources(self, name: str) -> list[Source]:
        """What each hint of an objective says, made smooth."""
        if name not in self._sources:
            self._sources[name] = [Source(self.space, *hint[1:], hint[0], k) for k, hint in enumerate(self.hints[name])]
        return self._sources[name]

    def __bool__(self) -> bool:
        return bool(self.hints or self._same)
