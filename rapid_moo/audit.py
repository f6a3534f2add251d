"""What a table is worth before anyone searches it: repeats, gaps, ties, learnability and drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rapid_moo._util import FloatArray, IntArray, one_blas_thread, unique_rows
from rapid_moo.findings import Finding, Look, find_all, identifiers
from rapid_moo.genes import Gene
from rapid_moo.objectives import Objective
from rapid_moo.predictors import PredictorSpec, out_of_fold, prediction_metrics
from rapid_moo.reading import RawTable, build_table
from rapid_moo.report import Report
from rapid_moo.report.facts import ObjectiveFacts
from rapid_moo.report.making import environment, now
from rapid_moo.report.rendering import section_text
from rapid_moo.space import GridSpace, SearchSpace

GP_ROWS, TREE_ROWS = 500, 1_500
DRIFT_ROWS, DRIFT_BLOCKS = 4_000, 8
RESAMPLES = 200
LEVEL = 0.90
DRIFT = 0.3
EXPLAINED_R2 = 0.99
FEWEST = 5
LEARNABLE_R2, LEARNABLE_TAU = 0.5, 0.6
_GP = PredictorSpec("gaussian_process", {}, "engineered", "none")
_TREES = PredictorSpec("xgboost", {"subsample": 0.8, "colsample_bytree": 0.8}, "all", "none")

MEANING = {
    "exact": "computed from the architecture: use it as it is, nothing needs to be predicted",
    "learnable": "a predictor trained on a sample can rank unseen architectures",
    "noisy": "a predictor sees only part of it: expect a front that is partly luck, and repeat measurements if you can",
    "constant": "every architecture has the same value: it decides nothing, leave it out",
    "unknown": f"fewer than {FEWEST} architectures do not show whether a predictor can rank others",
    "unlearnable": "no predictor does better than the mean: a search on it is a random search",
    "drift": "neighbouring rows agree although their architectures do not: the measuring process drifted."
    " Do not optimise it; measure again in random order, or use a computed value instead",
}


@dataclass(frozen=True)
class ObjectiveAudit:
    """Findings about one objective.

    Attributes
    ----------
    name, direction, unit : str
        The objective.
    verdict : str
        ``"exact"``, ``"learnable"``, ``"noisy"``, ``"unlearnable"``, ``"constant"`` or ``"drift"``.
    minimum, median, maximum : float
        Raw values.
    ties : int
        Architectures that share their value with another.
    r2, kendall_tau : float
        Cross-validated, of the better of a Gaussian process and boosted trees.
    r2_interval, kendall_tau_interval : tuple of float
        90 % bootstrap intervals over rows.
    autocorrelation : float
        Between the residuals of neighbouring rows of the file; about 0 without drift.
    repeat_spread : float or None
        Mean spread between repeated measurements as a share of the range; None without repeats.
    """

    name: str
    direction: str
    unit: str
    verdict: str
    minimum: float
    median: float
    maximum: float
    ties: int
    r2: float
    r2_interval: tuple[float, float]
    kendall_tau: float
    kendall_tau_interval: tuple[float, float]
    autocorrelation: float
    repeat_spread: float | None


@dataclass(frozen=True)
class AuditReport:
    """Findings about a table; counts are of architectures unless they say rows."""

    name: str
    space: str
    rows: int
    architectures: int
    repeats: int
    space_size: int
    missing: int
    front_size: int
    front_kind: str
    equal_vectors: int
    constant_positions: dict[int, int]
    odd_codes: tuple[str, ...]
    computed: tuple[str, ...]
    objectives: tuple[ObjectiveAudit, ...]
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        content = asdict(self)
        content["findings"] = [
            {**asdict(finding), "rows": list(finding.rows), "evidence": dict(finding.evidence)}
            for finding in self.findings
        ]
        content["constant_positions"] = {str(k): v for k, v in self.constant_positions.items()}
        return content

    def report(self, command: str = "") -> Report:
        """The facts, to be shown by :mod:`rapid_moo.report`; ``command`` is what made them."""
        return Report(
            kind="audit",
            name=self.name,
            created=now(),
            command=command,
            objectives=tuple(ObjectiveFacts(o.name, o.direction, o.unit) for o in self.objectives),
            bill={"rows": self.architectures, "front_size": self.front_size},
            audit=self.to_facts(),
            versions=environment(),
        )

    def to_facts(self) -> dict[str, Any]:
        """As :meth:`to_dict`, with what each verdict and each odd thing means."""
        content = self.to_dict()
        for line, o in zip(content["objectives"], self.objectives, strict=True):
            line["meaning"] = MEANING[o.verdict]
            # What is explained all but fully leaves a predictor's own errors, alike for alike architectures.
            line["drifts"] = o.verdict != "drift" and o.autocorrelation > DRIFT and o.r2 < EXPLAINED_R2
        for line, finding in zip(content["findings"], self.findings, strict=True):
            line["meaning"] = finding.meaning
        return content

    def to_text(self) -> str:
        """Everything with what it means for the user."""
        return section_text(self.report(), "audit")


@one_blas_thread
def audit(
    raw: RawTable,
    space: SearchSpace | None,
    objectives: Sequence[Objective],
    name: str | None = None,
    seed: int = 0,
) -> AuditReport:
    """Audit a table as read from its file.

    Parameters
    ----------
    raw : RawTable
        What :func:`~rapid_moo.reading.read_csv` returned; the order of its rows matters.
    space : SearchSpace or None
        Its space; None infers the genes.
    objectives : sequence of Objective
        What to audit; objectives that the space computes are reported as exact.
    name : str, optional
        Name for the report.
    seed : int
        Seed of samples, folds and resampling.
    """
    table = build_table(raw, space, objectives, name)
    known = table.space
    X = raw.encode(known)
    first, inverse = unique_rows(X)
    computed = {objective.name for objective in known.computed}
    rng = np.random.default_rng(seed)
    seen, codes = _seen(raw, space, known, X)
    features = {kind: seen.features(codes, kind) for kind in ("engineered", "all")}
    findings = []
    for objective in objectives:
        exact = objective.name in computed
        values = known.compute(X, objective.name) if exact else raw.values(objective)
        findings.append(_audit_objective(objective, values, features, inverse, exact, rng, seed))
    _, equal = unique_rows(np.unique(table.raw, axis=0, return_inverse=True)[1].reshape(-1, 1))
    counts = np.bincount(equal)
    return AuditReport(
        name=table.name,
        space=known.name,
        rows=len(X),
        architectures=len(first),
        repeats=len(X) - len(first),
        space_size=known.size,
        missing=known.size - len(first),
        front_size=len(table.front_rows),
        front_kind=table.front_kind,
        equal_vectors=int(counts[counts > 1].sum()),
        constant_positions=_constant_positions(raw.vectors),
        odd_codes=_odd_codes(raw.vectors, known.inactive),
        computed=tuple(objective.name for objective in known.computed),
        objectives=tuple(findings),
        findings=odd_things(raw, space, objectives, seed),
    )


@one_blas_thread
def odd_things(
    raw: RawTable, space: SearchSpace | None, objectives: Sequence[Objective], seed: int = 0
) -> tuple[Finding, ...]:
    """What is odd about a table, the part of :func:`audit` that needs no learnability; parameters as there."""
    known = space if space is not None else raw.infer(raw.path.stem, objectives)
    X = raw.encode(known)
    computed = {objective.name for objective in known.computed}
    genes, columns = _columns(raw)
    found = identifiers(genes, columns)
    seen, codes = _seen(raw, space, known, X)
    looks = [Look(o.name, raw.values(o)) for o in objectives if o.name not in computed]
    numbered = {finding.subject for finding in found}
    kept = [k for k, gene in enumerate(genes) if gene.name not in numbered]
    _, architecture = unique_rows(codes)
    features = seen.features(codes, "all")
    return (*found, *find_all(looks, [genes[k] for k in kept], columns[:, kept], features, architecture, seed))


def _columns(raw: RawTable) -> tuple[tuple[Gene, ...], IntArray]:
    """The genes as the file has them: its columns, or the positions of its vectors."""
    if raw.columns is not None:
        return raw.columns.genes, raw.columns.codes
    space = GridSpace.infer(raw.path.stem, raw.vectors, ())
    genes = [Gene(f"position {k}", gene.choices) for k, gene in enumerate(space.genes)]
    codes = np.column_stack([np.unique(column, return_inverse=True)[1] for column in raw.vectors.T])
    return tuple(genes), codes.astype(np.int64)


def _seen(raw: RawTable, space: SearchSpace | None, known: SearchSpace, X: IntArray) -> tuple[SearchSpace, IntArray]:
    """What predictors see: of an inferred space the genes that do not merely number the rows."""
    if space is not None:
        return known, X
    genes, columns = _columns(raw)
    numbered = {finding.subject for finding in identifiers(genes, columns)}
    kept = [k for k, gene in enumerate(genes) if gene.name not in numbered]
    deciding = {condition.gene for k in kept for condition in known.genes[k].when}
    if len(kept) in (0, len(genes)) or deciding - {known.genes[k].name for k in kept}:
        return known, X
    return GridSpace(known.name, [known.genes[k] for k in kept]), X[:, kept]


def _audit_objective(
    objective: Objective,
    values: FloatArray,
    features: dict[str, FloatArray],
    inverse: IntArray,
    exact: bool,
    rng: np.random.Generator,
    seed: int,
) -> ObjectiveAudit:
    learned = (1.0, (1.0, 1.0), 1.0, (1.0, 1.0), 0.0) if exact else _learnability(values, features, inverse, rng, seed)
    r2, r2_interval, tau, tau_interval, autocorrelation = learned
    _, counts = np.unique(values, return_counts=True)
    verdict = "exact" if exact else _verdict(r2_interval, r2, tau, autocorrelation)
    if len(counts) == 1 and len(values) > 1:
        verdict = "constant"
    elif not exact and len(values) < FEWEST:
        verdict = "unknown"
    return ObjectiveAudit(
        name=objective.name,
        direction=objective.direction,
        unit=objective.unit,
        verdict=verdict,
        minimum=float(values.min()),
        median=float(np.median(values)),
        maximum=float(values.max()),
        ties=int(counts[counts > 1].sum()),
        r2=r2,
        r2_interval=r2_interval,
        kendall_tau=tau,
        kendall_tau_interval=tau_interval,
        autocorrelation=autocorrelation,
        repeat_spread=_repeat_spread(values, inverse),
    )


def _verdict(r2_interval: tuple[float, float], r2: float, tau: float, autocorrelation: float) -> str:
    if autocorrelation > DRIFT and r2 < LEARNABLE_R2:
        return "drift"
    if r2_interval[1] < 0.05 and tau < 0.1:
        return "unlearnable"
    return "learnable" if r2 >= LEARNABLE_R2 or tau >= LEARNABLE_TAU else "noisy"


def _learnability(
    values: FloatArray, features: dict[str, FloatArray], inverse: IntArray, rng: np.random.Generator, seed: int
) -> tuple[float, tuple[float, float], float, tuple[float, float], float]:
    """R2 and Kendall tau with intervals, and the autocorrelation of residuals along the file."""
    n = len(values)
    if n < FEWEST or np.ptp(values) == 0.0:
        return 0.0, (0.0, 0.0), 0.0, (0.0, 0.0), 0.0
    # A repeated architecture must not be in a fold's training and test rows: keep its first row only.
    unique = np.flatnonzero(np.unique(inverse, return_index=True)[1][inverse] == np.arange(n))
    r2, truth, predicted = -np.inf, values, values
    for spec, limit in ((_GP, GP_ROWS), (_TREES, TREE_ROWS)):
        rows = rng.permutation(unique)[:limit]
        guess, _ = out_of_fold(spec, features[spec.features][rows], values[rows], seed)
        score = prediction_metrics(values[rows], guess)["r2"]
        if score > r2:
            r2, truth, predicted = score, values[rows], guess
    tau = prediction_metrics(truth, predicted)["kendall_tau"]
    resampled = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(truth), min(len(truth), 400))
        if np.ptp(truth[rows]) > 0.0:
            metrics = prediction_metrics(truth[rows], predicted[rows])
            resampled.append((metrics["r2"], metrics["kendall_tau"]))
    # Resamples of a part of the rows are too wide by the root of that part.
    shrink = np.sqrt(min(len(truth), 400) / len(truth))
    spread = np.quantile(np.array(resampled), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    low, high = np.array([r2, tau]) + shrink * (spread - np.median(np.array(resampled), axis=0))
    low, high = np.maximum(low, [-np.inf, -1.0]), np.minimum(high, 1.0)
    return (
        float(r2),
        (float(low[0]), float(high[0])),
        float(tau),
        (float(low[1]), float(high[1])),
        _autocorrelation(values, features if r2 > 0.0 else None, seed),
    )


def _autocorrelation(values: FloatArray, features: dict[str, FloatArray] | None, seed: int) -> float:
    """Lag-1 autocorrelation of out-of-fold residuals in the order of the file; of the values if nothing is learned."""
    residuals = values
    if features is not None:
        rows = _stretches(len(values))
        residuals = values[rows] - out_of_fold(_TREES, features["all"][rows], values[rows], seed)[0]
    # Ranks: a few wild measurements must not hide a drift.
    ranks = np.argsort(np.argsort(residuals)).astype(np.float64)
    if len(ranks) < 20:
        return 0.0
    return float(np.corrcoef(ranks[:-1], ranks[1:])[0, 1])


def _stretches(n: int) -> IntArray:
    """Rows of evenly spread stretches of the file; all of them if they are few."""
    if n <= DRIFT_ROWS:
        return np.arange(n, dtype=np.int64)
    length = DRIFT_ROWS // DRIFT_BLOCKS
    starts = np.linspace(0, n - length, DRIFT_BLOCKS).astype(np.int64)
    return (starts[:, None] + np.arange(length)).ravel()


def _repeat_spread(values: FloatArray, inverse: IntArray) -> float | None:
    counts = np.bincount(inverse)
    span = float(np.ptp(values))
    if counts.max() < 2 or span == 0.0:
        return None
    spreads = [float(np.ptp(values[inverse == k])) for k in np.flatnonzero(counts > 1)]
    return float(np.mean(spreads)) / span


def _constant_positions(vectors: IntArray) -> dict[int, int]:
    constant = (vectors == vectors[0]).all(axis=0)
    return {int(k): int(vectors[0, k]) for k in np.flatnonzero(constant)} if len(vectors) > 1 else {}


def _odd_codes(vectors: IntArray, inactive: int) -> tuple[str, ...]:
    """Positions that hold one fixed value just where the genes after them are switched off, and vary elsewhere."""
    found = []
    off = vectors == inactive
    for k in range(vectors.shape[1] - 1):
        if np.ptp(vectors[:, k]) == 0:
            continue
        where = off[:, k + 1] & ~off[:, k]
        elsewhere = ~off[:, k + 1] & ~off[:, k]
        if where.sum() < 2 or elsewhere.sum() < 2:
            continue
        held, others = np.unique(vectors[where, k]), np.unique(vectors[elsewhere, k])
        if len(held) == 1 and len(others) > 1:
            found.append(
                f"position {k} always holds {held[0]} in the {int(where.sum())} rows whose position {k + 1} is"
                f" {inactive} (inactive), but {others.tolist()} elsewhere: there it is a code of its own, not that gene"
            )
    for k in np.flatnonzero(off.any(axis=0) & ~off.all(axis=0)).tolist():
        values = np.unique(vectors[~off[:, k], k])
        if len(values) == 1:
            found.append(f"position {k} is {values[0]} or {inactive}: a mark, not a choice")
    return tuple(found)
