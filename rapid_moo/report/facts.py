"""What a report holds: facts in one dataclass, neither prose nor format.

A search, a study, a comparison, an audit and a tuning each make a :class:`Report`; :mod:`rapid_moo.report.rendering`
shows it. ``report.json`` in an output folder is its JSON form, so that a folder's report can be shown again without
anything else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from rapid_moo._util import FloatArray, write_text
from rapid_moo.errors import DataNotFoundError, InputError
from rapid_moo.objectives import Objective, to_minimised

REPORT_FILE, PAGE_FILE = "report.json", "report.html"
FORMAT = 1
KINDS = ("search", "study", "run", "table", "comparison", "audit", "tuning")
DIGITS = 8
MEDIANS = ("evaluations", "adrs", "hypervolume", "igd_plus", "front_size", "seconds")
"""What a comparison tells of each method on each table at a budget."""


@dataclass(frozen=True)
class ObjectiveFacts:
    """An objective: name, direction (``"min"`` or ``"max"``) and unit."""

    name: str
    direction: str
    unit: str = ""

    @property
    def label(self) -> str:
        """Name with unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True)
class GeneFacts:
    """A gene: its name and the label of each of its choices."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SpaceFacts:
    """A search space: name, number of architectures, genes."""

    name: str
    size: int
    genes: tuple[GeneFacts, ...]


@dataclass(frozen=True)
class BoundFacts:
    """A bound: as it was written, and where it bounds an objective that one's name and the last allowed raw value."""

    text: str
    objective: str | None = None
    edge: float | None = None


@dataclass(frozen=True)
class ExpectedFacts:
    """What is expected of noisy values; every list has one entry per architecture that is listed.

    Attributes
    ----------
    noise : mapping of str to str
        How uncertain one measurement of an objective is, in words, by the names of those that are noisy.
    mean, std : list of list of float or None
        Expected raw objectives and how unsure they are; None where nothing is known.
    chance : list of float or None
        Probability of being on the front of the true values.
    on_front : list of bool
        Whether it is on the front of the expected values.
    again : list of int
        Place among those that are worth measuring again, 1 for the most open question; 0 for all others.
    """

    noise: Mapping[str, str]
    mean: list[list[float | None]]
    std: list[list[float | None]]
    chance: list[float | None]
    on_front: list[bool]
    again: list[int]


@dataclass(frozen=True)
class Architectures:
    """Architectures and what is known of them; every list has one entry per architecture.

    Attributes
    ----------
    total, measured, broken : int
        How many there are, how many of them with every objective or out of bounds, and how many of those break a bound;
        of very many only the front and a part of the others are listed.
    number : list of int
        Evaluation number, from 1 up; 0 where it was not billed.
    codes : list of list of int
        Code of each gene, -1 where it is inactive.
    raw, predicted, std : list of list of float or None
        Raw objectives as measured, as predicted (by predictors that had not seen its own values), and the predictions'
        standard deviation; None where unknown.
    state : list of str
        ``"sample"``, ``"chosen"``, ``"known"`` (beforehand), ``"partial"``, ``"stopped"``, ``"failed"`` or
        ``"running"``.
    reason : list of str
        Why something failed; empty where nothing did.
    feasible, on_front : list of bool
        Whether it breaks no bound that is known of it, and whether it is on the front of what was measured.
    drawings : mapping of str to str
        SVG of architectures by position in the lists, where the space draws them.
    """

    total: int
    number: list[int]
    codes: list[list[int]]
    raw: list[list[float | None]]
    predicted: list[list[float | None]]
    std: list[list[float | None]]
    state: list[str]
    reason: list[str]
    feasible: list[bool]
    on_front: list[bool]
    measured: int = 0
    broken: int = 0
    drawings: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.number)

    def front(self, objectives: Sequence[Objective]) -> FloatArray:
        """Minimised values of those on the front, shape (n, n_objectives)."""
        rows = [values for values, on in zip(self.raw, self.on_front, strict=True) if on]
        return to_minimised(np.array(rows, dtype=np.float64).reshape(-1, len(objectives)), objectives)


@dataclass(frozen=True)
class Reference:
    """The front that judges: its kind (``"true"``, ``"reference"`` or ``"found"``), size, and raw points."""

    kind: str
    size: int
    points: list[list[float]]


@dataclass(frozen=True)
class Progress:
    """Quality of everything billed so far, over the bill.

    Attributes
    ----------
    reference : str
        What judges: ``"true"``, ``"reference"``, or ``"found"`` for the front that is known now.
    evaluations : list of int
        Evaluations billed.
    cost : list of float
        The same in the objectives' costs; empty where none are stated.
    adrs, hypervolume : list of float or None
        ADRS (0 is the whole front) and hypervolume as a share of the reference front's.
    """

    reference: str
    evaluations: list[int]
    cost: list[float]
    adrs: list[float | None]
    hypervolume: list[float | None]


@dataclass(frozen=True)
class PredictorFacts:
    """What predicts an objective, and how well.

    Attributes
    ----------
    objective : str
        Which objective.
    family : str
        ``"exact"`` where the space computes it.
    members : tuple of mapping
        Family, params, features, transform and share of each member; one where it is no committee.
    metrics : mapping of str to float
        Of rows that were not used for training, where a table knows them.
    measured, predicted, std : list of float
        Training rows, each as predicted by predictors that had not seen it, with the calibrated standard deviation.
    logarithmic : bool
        Whether the next two compare logarithms of the values.
    explained : float or None
        Share of the variance of those rows that these predictions explain; None where they are too few.
    importance : mapping of str to float
        Share of the predictions' variance that a gene has a hand in (total effect), by gene; empty where the predictor
        explains too little to tell.
    told : int
        Values of priors that they learnt from beside the training rows.
    """

    objective: str
    family: str
    members: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    measured: list[float] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    logarithmic: bool = False
    explained: float | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    told: int = 0


@dataclass(frozen=True)
class Choice:
    """Why these predictors: how they were chosen, and the best of what was compared.

    Attributes
    ----------
    how : str
        ``"tuned"``, ``"given"``, or ``"early"`` (the likeliest of a few processes, before the first tuning).
    adrs : float or None
        What the tuner expects of them.
    interval : tuple of float or None
        Where that will lie with a probability of 90 %.
    compared : int
        Configurations that were fitted.
    ranking : tuple of mapping
        The best triplets: ``models``, ``adrs``, ``adrs_se``, ``tied``, ``order_error``.
    unlearnable : tuple of str
        Objectives of which no configuration predicts anything.
    """

    how: str
    adrs: float | None = None
    interval: tuple[float, float] | None = None
    compared: int = 0
    ranking: tuple[Mapping[str, Any], ...] = ()
    unlearnable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        found = _plain(asdict(self))
        assert isinstance(found, dict)
        return found

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Choice:
        """Inverse of :meth:`to_dict`."""
        interval = tuple(content["interval"]) if content["interval"] else None
        several = {key: tuple(content[key]) for key in ("ranking", "unlearnable")}
        return cls(**{**content, "interval": interval, **several})


@dataclass(frozen=True)
class Pick:
    """One architecture of the front: the knee, or what weights prefer; ``row`` among the architectures."""

    row: int
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ComparisonFacts:
    """What a comparison found; where something was not run or not reached, a value is None.

    Attributes
    ----------
    tables, methods : tuple of str
        Names, in alphabetical order.
    seeds : int
        The most that a method has.
    spent : str
        What was billed: ``"evaluations"``, or ``"cost"`` where costs are stated.
    quality : tuple of mapping
        By budget: ``budget``, ``tables``, ``friedman_p`` and ``critical_difference`` of the ranks, and ``methods``,
        best rank first: ``method``, ``rank``, ``bill`` (what was spent over the budget), and medians over seeds, one
        by table, of :data:`MEDIANS` and of the cost where costs are stated.
    record : mapping or None
        Of one ``method``, clear where p is below ``level``: ``rivals`` (``rival``, ``comparisons``, and by quality
        ``won``, ``won_clearly``, ``lost``, ``lost_clearly``) and ``losses`` by quality (``table``, ``budget``,
        ``rival``, ``own``, ``other``, ``p``).
    targets : tuple of mapping
        By ADRS to be reached: ``target``, ``tables``, ``oracle`` and ``methods``, quickest first: ``method``,
        ``spent`` (the median by table) and ``at_least`` (how far was tried).
    speedups : mapping or None
        How many times less the method of the record needs: ``targets``, and ``rivals`` with ``rival``, ``times`` and
        ``bounds`` (``"="``, ``">="``, ``"<="``, ``"~"`` for both) by target.
    overheads : tuple of mapping
        The optimizers' own time: ``method``, and by table ``seconds`` for an evaluation in runs to ``budgets``.
    made : tuple of mapping
        What runs were made with: ``runs``, ``methods``, ``commit``, ``versions``, ``machine``.
    curves : tuple of mapping
        Quality over the bill, by table and method.
    """

    tables: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: int
    spent: str
    quality: tuple[Mapping[str, Any], ...]
    record: Mapping[str, Any] | None
    targets: tuple[Mapping[str, Any], ...]
    speedups: Mapping[str, Any] | None
    overheads: tuple[Mapping[str, Any], ...]
    made: tuple[Mapping[str, Any], ...]
    curves: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Report:
    """Facts about a search, study, comparison, audit or tuning.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    name : str
        Of the table, study or comparison.
    created : str
        When, in UTC.
    command : str
        What makes it again; empty where it was not made by a command.
    bill : mapping
        Counts: evaluations, budget, sample, rows and so on.
    quality : mapping of str to float or None
        Indicators of the result.
    seconds : mapping of str to float
        Wall time by phase.
    failures : mapping of str to int
        Reasons and how often each came.
    audit : mapping or None
        Findings about the table, as :meth:`rapid_moo.audit.AuditReport.to_dict` gives them.
    comparison : ComparisonFacts or None
        What a comparison found.
    settings, versions : mapping
        Everything needed to repeat it.
    running : str
        Who is at it; empty if nobody is.
    """

    kind: str
    name: str
    created: str = ""
    command: str = ""
    objectives: tuple[ObjectiveFacts, ...] = ()
    bounds: tuple[BoundFacts, ...] = ()
    space: SpaceFacts | None = None
    bill: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, float | None] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    architectures: Architectures | None = None
    expected: ExpectedFacts | None = None
    reference: Reference | None = None
    progress: Progress | None = None
    predictors: tuple[PredictorFacts, ...] = ()
    choice: Choice | None = None
    picks: tuple[Pick, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    audit: Mapping[str, Any] | None = None
    comparison: ComparisonFacts | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    running: str = ""

    def replace(self, **changes: Any) -> Report:
        """The same with some facts changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; floats have eight significant digits, what is not finite is None."""
        found = _plain({"format": FORMAT, **asdict(self)})
        assert isinstance(found, dict)
        return found

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Report:
        """Inverse of :meth:`to_dict`.

        Raises
        ------
        InputError
            If it cannot be understood, or was written by a newer version.
        """
        if not isinstance(content, Mapping) or content.get("kind") not in KINDS:
            raise InputError(f"report: expected one of {', '.join(KINDS)}, got {type(content).__name__}")
        if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
            raise InputError(f"report: expected format {FORMAT} or older, got {content.get('format')!r}")
        try:
            values = {item.name: content[item.name] for item in fields(cls) if item.name in content}
            values["objectives"] = tuple(ObjectiveFacts(**item) for item in content.get("objectives", ()))
            values["bounds"] = tuple(BoundFacts(**item) for item in content.get("bounds", ()))
            if (space := content.get("space")) is not None:
                genes = tuple(GeneFacts(gene["name"], tuple(gene["labels"])) for gene in space["genes"])
                values["space"] = SpaceFacts(space["name"], int(space["size"]), genes)
            for name, kind in (
                ("architectures", Architectures),
                ("expected", ExpectedFacts),
                ("reference", Reference),
                ("progress", Progress),
            ):
                if content.get(name) is not None:
                    values[name] = kind(**content[name])
            values["predictors"] = tuple(
                PredictorFacts(**{**item, "members": tuple(item["members"])}) for item in content.get("predictors", ())
            )
            if (choice := content.get("choice")) is not None:
                values["choice"] = Choice.from_dict(choice)
            if (compared := content.get("comparison")) is not None:
                lists = {key: tuple(value) for key, value in compared.items() if isinstance(value, list)}
                values["comparison"] = ComparisonFacts(**{**compared, **lists})
            values["picks"] = tuple(
                Pick(item["row"], tuple(item["weights"]) if item["weights"] else None)
                for item in content.get("picks", ())
            )
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"report: expected the facts of a report, got: {error!r}") from error

    def as_written(self) -> Report:
        """The same as its file tells it, so that what is made of both is the same to the last digit."""
        return Report.from_dict(self.to_dict())

    def write(self, folder: Path | str) -> None:
        """Write ``report.json``."""
        write_text(Path(folder) / REPORT_FILE, json.dumps(self.to_dict(), separators=(",", ":")) + "\n")


def read_report(folder: Path | str) -> Report:
    """The report whose facts a folder holds.

    Raises
    ------
    DataNotFoundError
        If it holds none.
    InputError
        If they cannot be understood.
    """
    path = Path(folder) / REPORT_FILE
    if not path.is_file():
        raise DataNotFoundError(
            f"{folder}: expected a folder that rapid-moo search, run, compare, audit or tune wrote, found no"
            f" {REPORT_FILE} in it"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected the facts of a report, found a damaged file: {error}") from error
    try:
        return Report.from_dict(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def last_report(folder: Path | str) -> Report | None:
    """The report whose facts a folder holds; None where it holds none that can be understood."""
    try:
        return read_report(folder)
    except (DataNotFoundError, InputError):
        return None


def _plain(value: Any) -> Any:
    """JSON's types; numbers shortened."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
