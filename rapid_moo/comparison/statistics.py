"""What results say: evaluations to a target, speedups, tests and ranks.

Sources
-------
E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53, 1958 (median of censored
counts). S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6, 1979. J. Demšar,
"Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006 (Friedman and Nemenyi tests, critical
difference).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, count, pairwise
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from rapid_moo._util import BoolArray, FloatArray, IntArray
from rapid_moo.comparison.tables import bill_column
from rapid_moo.errors import InputError

HIGHER_IS_BETTER = ("hypervolume", "front_size")
LEVEL = 0.05
MOST_EXACT = 12870
"""Ways to divide two samples up to which a test is exact: eight of sixteen."""


def evaluations_to(trajectories: pd.DataFrame, target: float) -> pd.DataFrame:
    """Evaluations (the cost, where it is stated) until the ADRS is at most a target, by dataset, method and seed.

    A method whose schedule depends on the budget has one run per budget: the run of the smallest budget that reaches
    the target counts, since that is what its user would have had to allow for. A run that never reaches it is
    censored at what its budget allowed for, the longest run of the method at that budget: one that ended by itself
    before would not have got there later.

    Parameters
    ----------
    trajectories : DataFrame
        As in ``trajectories.csv``; counts are rounded up to its steps.
    target : float
        ADRS to reach.

    Returns
    -------
    DataFrame
        Columns ``dataset``, ``method``, ``seed``, ``evaluations``, ``reached``.
    """
    spent = bill_column(trajectories)
    number = int if spent == "evaluations" else float
    allowed = trajectories.groupby(["dataset", "method", "budget"])[spent].max().to_dict()
    lines = []
    for (dataset, method, seed), runs in trajectories.groupby(["dataset", "method", "seed"], sort=True):
        hits = runs[runs["adrs"] <= target]
        if len(hits):
            first = hits[hits["budget"] == hits["budget"].min()]
            lines.append((dataset, method, seed, number(first[spent].min()), True))
        else:
            most = max(allowed[dataset, method, budget] for budget in runs["budget"].unique())
            lines.append((dataset, method, seed, number(most), False))
    return pd.DataFrame(lines, columns=["dataset", "method", "seed", "evaluations", "reached"])


def censored_median(counts: ArrayLike, reached: ArrayLike) -> float:
    """Kaplan-Meier median of counts of which some are only lower bounds; infinite if it lies beyond them.

    Where half survive from one count to the next it is the middle between both, so that it is the ordinary median if
    every run got there.

    Examples
    --------
    >>> censored_median([10, 20, 30, 30], [True, True, True, False])
    25.0
    >>> censored_median([10, 30, 30, 30], [True, False, False, False])
    inf
    """
    times = np.asarray(counts, dtype=np.float64)
    events = np.asarray(reached, dtype=np.bool_)
    if times.shape != events.shape or times.ndim != 1 or len(times) == 0:
        raise InputError(f"counts: expected as many counts as flags, at least one, got {times.shape}, {events.shape}")
    survival = 1.0
    moments = np.append(np.unique(times[events]), np.inf)
    for time, following in pairwise(moments):
        survival *= 1.0 - events[times == time].sum() / (times >= time).sum()
        if survival < 0.5 - 1e-12:
            return float(time)
        if survival < 0.5 + 1e-12:
            return float((time + following) / 2.0)
    return float("inf")


def median_evaluations(trajectories: pd.DataFrame, targets: Sequence[float]) -> pd.DataFrame:
    """Median evaluations to each target by dataset and method, with how many runs got there.

    Returns
    -------
    DataFrame
        Columns ``dataset``, ``method``, ``target``, ``evaluations`` (infinite if half of the runs or more never get
        there), ``at_least`` (the median, or the largest count tried where it is infinite), ``reached``, ``runs``.
    """
    lines = []
    for target in targets:
        for (dataset, method), part in evaluations_to(trajectories, target).groupby(["dataset", "method"], sort=True):
            median = censored_median(part["evaluations"], part["reached"])
            bound = median if np.isfinite(median) else float(part["evaluations"].max())
            lines.append((dataset, method, target, median, bound, int(part["reached"].sum()), len(part)))
    columns = ["dataset", "method", "target", "evaluations", "at_least", "reached", "runs"]
    return pd.DataFrame(lines, columns=columns)


def speedups(medians: pd.DataFrame, method: str) -> pd.DataFrame:
    """How many times fewer evaluations a method needs than each rival, by dataset and target.

    Parameters
    ----------
    medians : DataFrame
        From :func:`median_evaluations`.
    method : str
        The method in the denominator.

    Returns
    -------
    DataFrame
        Columns ``dataset``, ``target``, ``rival``, ``speedup`` and ``bound``: ``"="``, ``">="`` where the rival never
        gets there, ``"<="`` where the method itself does not. Left out where neither does, and where the one that does
        not was stopped before the other got there, which tells nothing.
    """
    if method not in set(medians["method"]):
        known = ", ".join(sorted(set(medians["method"])))
        raise InputError(f"speedups: expected one of {known}, got {method!r}")
    own = medians[medians["method"] == method].drop(columns="method")
    rivals = medians[medians["method"] != method].rename(columns={"method": "rival"})
    pairs = rivals.merge(own, on=["dataset", "target"], suffixes=("", "_own"))
    there, own_there = np.isfinite(pairs["evaluations"]), np.isfinite(pairs["evaluations_own"])
    pairs["speedup"] = pairs["at_least"] / pairs["at_least_own"]
    fewer, more = pairs["speedup"] < 1.0, pairs["speedup"] > 1.0
    pairs["bound"] = np.select([there & own_there, own_there & ~fewer, there & ~more], ["=", ">=", "<="], "")
    return pairs.loc[pairs["bound"] != "", ["dataset", "target", "rival", "speedup", "bound"]].reset_index(drop=True)


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm's adjusted p-values, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    out = np.empty(len(p))
    out[order] = np.minimum(adjusted, 1.0)
    return out


def overheads(results: pd.DataFrame) -> pd.DataFrame:
    """The optimizer's own wall time by dataset and method, each at the largest budget that it was run to there.

    Smaller budgets, which may lie within a first sample, say little of it.

    Returns
    -------
    DataFrame
        Columns ``dataset``, ``method``, ``budget`` and ``seconds``, the median per evaluation.
    """
    largest = results.groupby(["dataset", "method"])["budget"].transform("max")
    part = results[results["budget"] == largest]
    rates = part.assign(seconds=part["seconds"] / part["evaluations"])
    return rates.groupby(["dataset", "method", "budget"])[["seconds"]].median().reset_index()


def pairwise_tests(results: pd.DataFrame, budget: float, quality: str = "adrs") -> pd.DataFrame:
    """Wilcoxon's rank-sum test of every pair of methods on each dataset, Holm-corrected within the dataset.

    Runs are not paired. Of the same seed, several methods begin with the same random architectures, which makes their
    results alike and the test of them conservative.

    Returns
    -------
    DataFrame
        Columns ``dataset``, ``first``, ``second``, ``better`` (the one of the better median; empty if equal),
        ``p`` and ``p_holm``.
    """
    lines = []
    for dataset, part in at_budget(results, budget).groupby("dataset", sort=True):
        values = {str(name): group[quality].to_numpy() for name, group in part.groupby("method", sort=True)}
        pairs = list(combinations(values, 2))
        p = [_rank_sum(values[a], values[b]) for a, b in pairs]
        for (a, b), raw, adjusted in zip(pairs, p, holm(p), strict=True):
            lines.append((dataset, a, b, _better(a, b, values, quality), raw, adjusted))
    return pd.DataFrame(lines, columns=["dataset", "first", "second", "better", "p", "p_holm"])


def _rank_sum(a: FloatArray, b: FloatArray) -> float:
    """Two-sided p: exact for small samples, with ties too, for which SciPy's is approximate and too small."""
    both = np.concatenate([a, b])
    if np.ptp(both) == 0:
        return 1.0
    if comb(len(both), len(a)) > MOST_EXACT or len(np.unique(both)) == len(both):
        return float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
    ranks = stats.rankdata(both)
    sums = ranks[_choices(len(both), len(a))].sum(axis=1)
    found = ranks[: len(a)].sum()
    # Mean ranks are multiples of a half, so that equal sums are equal.
    return min(1.0, 2.0 * float(min((sums <= found).mean(), (sums >= found).mean())))


@lru_cache(maxsize=64)
def _choices(n: int, k: int) -> IntArray:
    """All ways to take k of n, shape (n over k, k)."""
    return np.array(list(combinations(range(n), k)), dtype=np.int64)


def smallest_p(n: int, m: int) -> float:
    """The least p that the rank-sum test of n runs against m can give: where all of one lie below all of the other.

    Examples
    --------
    >>> smallest_p(3, 3)
    0.1
    """
    if comb(n + m, n) <= MOST_EXACT:
        return min(1.0, 2.0 / comb(n + m, n))
    apart = [np.repeat([0.0, 1.0], [n, m]), np.arange(float(n + m))]
    return min(float(stats.mannwhitneyu(x[:n], x[n:], alternative="two-sided").pvalue) for x in apart)


def seeds_needed(tests: int, level: float = LEVEL) -> int:
    """Seeds of each method with which one of so many tests can be below the level after Holm's correction.

    Examples
    --------
    >>> seeds_needed(1), seeds_needed(3)
    (4, 5)
    """
    return next(n for n in count(2) if tests * smallest_p(n, n) < level)


def _better(a: str, b: str, values: dict[str, FloatArray], quality: str) -> str:
    sign = -1.0 if quality in HIGHER_IS_BETTER else 1.0
    gap = sign * (np.median(values[a]) - np.median(values[b]))
    return "" if gap == 0 else (a if gap < 0 else b)


def at_budget(results: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Rows of one budget.

    Raises
    ------
    InputError
        If there is none.
    """
    part = results[np.isclose(results["budget"], budget)]
    if len(part) == 0:
        raise InputError(f"budget: expected one of {sorted(set(results['budget']))}, got {budget}")
    return part


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of methods over datasets, 1 is best.

    Attributes
    ----------
    table : DataFrame
        Rank of each method (index) on each dataset (columns) by the median over seeds; ties share the mean rank.
    mean : Series
        Average rank of each method, best first.
    p : float
        Friedman's test of equal ranks; NaN for fewer than three methods or two datasets.
    critical_difference : float
        Nemenyi's: average ranks that differ by less cannot be told apart at the level of 5 %.
    """

    table: pd.DataFrame
    mean: pd.Series[float]
    p: float
    critical_difference: float

    def cliques(self) -> list[tuple[str, ...]]:
        """Largest groups of methods, adjacent in rank, that cannot be told apart."""
        names = [str(name) for name in self.mean.index]
        values = self.mean.to_numpy()
        groups: list[tuple[str, ...]] = []
        end = 0
        for i in range(len(names)):
            j = int(np.searchsorted(values, values[i] + self.critical_difference, side="right"))
            if j > end and j - i > 1:
                groups.append(tuple(names[i:j]))
            end = max(end, j)
        return groups


def ranks(results: pd.DataFrame, budget: float, quality: str = "adrs", alpha: float = 0.05) -> Ranks:
    """Average ranks of the methods that ran on every dataset.

    Raises
    ------
    InputError
        If fewer than two methods did.
    """
    part = at_budget(results, budget)
    medians = part.pivot_table(index="method", columns="dataset", values=quality, aggfunc="median").dropna()
    k, n = medians.shape
    if k < 2:
        raise InputError(f"ranks: expected at least two methods that ran on every dataset, got {k}")
    table = medians.rank(ascending=quality not in HIGHER_IS_BETTER)
    mean = table.mean(axis=1).sort_values(kind="stable")
    p = float("nan")
    if k > 2 and n > 1 and not _all_tied(table):
        p = float(stats.friedmanchisquare(*medians.to_numpy()).pvalue)
    q = stats.studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2)
    return Ranks(table, mean, p, float(q * np.sqrt(k * (k + 1) / (6 * n))))


def ranks_where_possible(results: pd.DataFrame, budget: float, quality: str = "adrs") -> Ranks | None:
    """:func:`ranks`, or None where fewer than two methods ran on every dataset that has the budget."""
    part = at_budget(results, budget)
    runs = part.groupby("method")["dataset"].nunique()
    return ranks(results, budget, quality) if (runs == part["dataset"].nunique()).sum() > 1 else None


def _all_tied(table: pd.DataFrame) -> bool:
    equal: BoolArray = np.asarray(table.nunique() == 1)
    return bool(equal.all())


def tally(results: pd.DataFrame, method: str, budgets: Sequence[float], quality: str = "adrs") -> pd.DataFrame:
    """A method's record against each rival over datasets and budgets, by the better median.

    Returns
    -------
    DataFrame
        Indexed by rival: ``comparisons``, ``won``, ``won_clearly``, ``lost``, ``lost_clearly``; clearly is where Holm's
        p is below 5 %. Equal medians are neither won nor lost.
    """
    tests = pd.concat([pairwise_tests(results, budget, quality) for budget in budgets])
    tests = tests[(tests["first"] == method) | (tests["second"] == method)]
    rival = tests["first"].where(tests["first"] != method, tests["second"])
    clear, won, lost = tests["p_holm"] < LEVEL, tests["better"] == method, tests["better"] == rival
    counts = {"comparisons": won | True, "won": won, "won_clearly": won & clear, "lost": lost}
    return pd.DataFrame({**counts, "lost_clearly": lost & clear}).groupby(rival.rename("rival")).sum()


def losses(results: pd.DataFrame, method: str, budgets: Sequence[float], quality: str = "adrs") -> pd.DataFrame:
    """Where a rival's median is better than a method's: dataset, budget, rival, both medians, Holm's p.

    Sorted by dataset, budget and the rival's median. Both wins and losses are needed for a fair report; this is the
    half that is easily forgotten.
    """
    lines = []
    for budget in budgets:
        medians = at_budget(results, budget).groupby(["dataset", "method"])[quality].median().to_dict()
        for row in pairwise_tests(results, budget, quality).to_dict("records"):
            if method in (row["first"], row["second"]) and row["better"] not in ("", method):
                dataset, rival = row["dataset"], row["better"]
                values = medians[dataset, method], medians[dataset, rival]
                lines.append((dataset, budget, rival, *values, row["p_holm"]))
    frame = pd.DataFrame(lines, columns=["dataset", "budget", "rival", method, "rival_value", "p_holm"])
    ascending = quality not in HIGHER_IS_BETTER
    return frame.sort_values(["dataset", "budget", "rival_value"], ascending=[True, True, ascending], kind="stable")
