"""What other devices tell about a new one: rank correlations from a handful of measurements.

    python benchmarks/transfer.py latency --sources FILE [FILE ...] --target FILE --samples 10
    python benchmarks/transfer.py energy --sources gpt_s_devices.csv --target gpt_s_devices.csv

Files hold architectures and columns ``latency_X`` for devices X, or one column ``latency``; the same for ``energy`` and
``accuracy``. Each device of the target is predicted from so many random measurements of its own and at most ``--rows``
rows of each source. Where a device is among the sources itself it is left out, and so are its siblings: names that
differ only in a number at their end (``1080ti_1``, ``1080ti_32``), and columns of the same values. The result is the
mean Spearman correlation on architectures that neither the sample nor any source's rows hold, over several draws.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _runs import seeds_of
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV

from rapid_moo._provenance import provenance
from rapid_moo._util import FloatArray, IntArray, unique_rows
from rapid_moo.errors import InputError, RapidMooError
from rapid_moo.objectives import Objective
from rapid_moo.priors import Source, Transfer
from rapid_moo.problems.registry import get_space, space_names
from rapid_moo.reading import RawTable, Reading, read_table
from rapid_moo.reading.files import read_sheet
from rapid_moo.report.blocks import table
from rapid_moo.report.rendering import text
from rapid_moo.space import GridSpace, SearchSpace

KINDS = ("latency", "energy", "accuracy")
SAME_SHARE = 0.9
"""Two columns that agree on so many common architectures are one and the same measurement."""


@dataclass(frozen=True, eq=False)
class Device:
    """One device's column: distinct architectures and their values."""

    name: str
    file: Path
    X: IntArray
    values: FloatArray

    @property
    def family(self) -> str:
        """Its name without a number at the end, such as that of a batch size."""
        return re.sub(r"_\d+$", "", self.name.lower())


def read_devices(files: Sequence[Path], kind: str, space: str | None) -> tuple[SearchSpace, list[list[Device]]]:
    """The space of all files, and each file's devices."""
    raws, columns = [], []
    for file in files:
        names = read_sheet(file).columns
        found = [name for name in names if name == kind or name.startswith(f"{kind}_")]
        if not found:
            raise InputError(f"{file}: expected columns {kind!r} or '{kind}_DEVICE', got {names[:30]}")
        others = tuple(
            name for name in names if name not in found and re.match(r"(latency|energy|accuracy|mem(ory)?)(_|$)", name)
        )
        stated = get_space(space) if space else None
        raws.append(read_table(file, _reading(names, others), stated, found))
        columns.append(found)
    known = get_space(space) if space else _recognised(raws)
    devices = []
    for file, raw, found in zip(files, raws, columns, strict=True):
        X = raw.encode(known)
        first, inverse = unique_rows(X)
        here = []
        for column in found:
            values = raw.known_values(Objective(column, "min"))
            counts = np.bincount(inverse, weights=np.isfinite(values))
            sums = np.bincount(inverse, weights=np.nan_to_num(values))
            some = counts > 0
            name = column.removeprefix(kind).removeprefix("_") or file.stem
            here.append(Device(name, file, X[first][some], sums[some] / counts[some]))
        devices.append(here)
    return known, devices


def _reading(names: Sequence[str], others: Sequence[str]) -> Reading:
    """Columns of other objectives are no genes, where genes are columns."""
    return Reading() if "vector" in names else Reading(ignore=tuple(others))


def _recognised(raws: Sequence[RawTable]) -> SearchSpace:
    """The one known space that all architectures belong to, or else a space of what the files show."""
    fitting = []
    for name in dict.fromkeys([*space_names(), "hw_gpt_s", "hw_gpt_m", "hw_gpt_l"]):
        try:
            space = get_space(name)
            for raw in raws:
                raw.encode(space)
        except RapidMooError:
            continue
        fitting.append(space)
    different = {space.name: space for space in fitting}
    if len(different) == 1:
        return next(iter(different.values()))
    if any(raw.columns is not None for raw in raws):
        return raws[0].infer(raws[0].path.stem, ())
    lengths = {raw.vectors.shape[1] for raw in raws}
    if len(lengths) > 1:
        raise InputError(f"files: expected architectures of one space, got vectors of lengths {sorted(lengths)}")
    return GridSpace.infer(raws[0].path.stem, np.vstack([raw.vectors for raw in raws]), ())


def same_measurement(space: SearchSpace, a: Device, b: Device) -> bool:
    """Whether two columns are the same numbers."""
    position = {key: i for i, key in enumerate(space.keys(b.X))}
    at = np.array([position.get(key, -1) for key in space.keys(a.X)])
    both = at >= 0
    if both.sum() < 10:
        return False
    return bool(np.isclose(a.values[both], b.values[at[both]], rtol=1e-6).mean() >= SAME_SHARE)


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Spearman's correlation; 0 where one has no order."""
    ranks = rankdata(a), rankdata(b)
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0.0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def ridge(space: SearchSpace, sources: Sequence[Device], target: Device, sample: IntArray, test: IntArray) -> float:
    """For comparison: a ridge regression on complete source tables, NaN where they lack the target's architectures."""
    tables = []
    for source in sources:
        position = {key: i for i, key in enumerate(space.keys(source.X))}
        at = [position.get(key, -1) for key in space.keys(target.X)]
        if min(at) < 0 or source.values.min() <= 0.0:
            return float("nan")
        values = np.log(source.values[at])
        tables.append((values - values.mean()) / (values.std() or 1.0))
    inputs = np.column_stack(tables)
    goal = np.log(target.values[sample]) if target.values.min() > 0.0 else target.values[sample]
    fitted = RidgeCV(np.logspace(-3, 3, 13)).fit(inputs[sample], goal)
    return spearman(fitted.predict(inputs[test]), target.values[test])


def study(args: argparse.Namespace) -> None:
    """Leave each target device out in turn and print what its few measurements come to."""
    files = [*args.sources, args.target]
    space, found = read_devices(files, args.kind, args.space)
    sources = _chosen([device for here in found[:-1] for device in here], args.source_devices, "--source-devices")
    targets = _chosen(found[-1], args.devices, "--devices")
    allowed: dict[str, tuple[list[int], list[int]]] = {}
    for target in targets:
        others = [i for i, s in enumerate(sources) if not (s.name == target.name or same_measurement(space, target, s))]
        strangers = [i for i in others if sources[i].family != target.family]
        allowed[target.name] = strangers, others
        if not others:
            names = [s.name for s in sources]
            raise InputError(f"{target.name}: expected a source that is another device, got {names}")
    print(f"space {space.name}; sources {', '.join(s.name for s in sources)}; versions {provenance()}")
    first, last = args.seeds[0], args.seeds[-1]
    print(f"{args.samples} measurements, at most {args.rows} rows of each source, seeds {first} to {last}")
    results: dict[str, list[list[float]]] = {target.name: [] for target in targets}
    for seed in args.seeds:
        fitted, taken = _fit_sources(space, sources, args.rows, seed)
        for number, target in enumerate(targets):
            rng = np.random.default_rng([seed, number])
            seen = set().union(*(taken[i] for i in allowed[target.name][1]))
            unseen = np.array([i for i, key in enumerate(space.keys(target.X)) if key not in seen], dtype=np.int64)
            if len(unseen) < args.samples + 10:
                raise InputError(
                    f"{target.name}: expected architectures beyond the sources' rows, got {len(unseen)}:"
                    " take fewer --rows"
                )
            sample = rng.choice(len(target.X), args.samples, replace=False)
            test = np.setdiff1d(unseen, sample)
            line = []
            for use in allowed[target.name]:
                if not use:
                    line.append(float("nan"))
                    continue
                model = Transfer([fitted[i] for i in use]).fit(target.X[sample], target.values[sample])
                line.append(spearman(model.predict(target.X[test]), target.values[test]))
            use = allowed[target.name][0]
            line.append(ridge(space, [sources[i] for i in use], target, sample, test) if use else float("nan"))
            results[target.name].append(line)
    rows = []
    for name, lines in results.items():
        alone, others = map(len, allowed[name])
        (strangers, siblings, simple), spread = np.mean(lines, axis=0), np.std(lines, axis=0)[0]
        rows.append([name, alone, f"{strangers:.4f}", f"{spread:.4f}", f"{simple:.3f}", others, f"{siblings:.4f}"])
    columns = ["device", "sources", "Spearman", "spread", "ridge", "with siblings", "Spearman"]
    print(text([table(columns, rows, range(1, len(columns)))]))
    everything = np.array([results[target.name] for target in targets])
    means = np.nanmean(everything, axis=0)
    print(
        f"mean Spearman over {len(targets)} target devices, siblings left out: {np.nanmean(means[:, 0]):.4f}"
        f" (draws {means[:, 0].min():.4f} to {means[:, 0].max():.4f});"
        f" with siblings {np.nanmean(means[:, 1]):.4f}; ridge on complete source tables {np.nanmean(means[:, 2]):.4f}"
    )


def _chosen(devices: Sequence[Device], names: Sequence[str], option: str) -> list[Device]:
    known = [device.name for device in devices]
    for name in names:
        if name not in known:
            raise InputError(f"{option}: expected some of {known}, got {name!r}")
    return [device for device in devices if not names or device.name in names]


def _fit_sources(
    space: SearchSpace, sources: Sequence[Device], rows: int, seed: int
) -> tuple[list[Source], list[set[bytes]]]:
    """Every source's model of at most so many rows, and no more than half of them; the rows' architectures."""
    fitted, taken = [], []
    for number, source in enumerate(sources):
        # One draw for all sources of a file: as many unseen architectures are left as can be.
        rng = np.random.default_rng([seed, 1])
        drawn = rng.permutation(len(source.X))[: min(rows, len(source.X) // 2)]
        fitted.append(Source(space, source.X[drawn], source.values[drawn], source.name, seed + number))
        taken.append(set(space.keys(source.X[drawn])))
    return fitted, taken


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS, help="which columns")
    parser.add_argument("--sources", type=Path, nargs="+", required=True, help="files with what other devices know")
    parser.add_argument("--target", type=Path, required=True, help="the file whose devices are predicted")
    parser.add_argument("--samples", type=int, default=10, help="measurements of the target")
    parser.add_argument("--rows", type=int, default=900, help="rows of each source at most")
    parser.add_argument("--seeds", type=seeds_of, default=range(5), help="first and last, such as 0-4")
    parser.add_argument("--devices", nargs="*", default=[], help="target devices; all of them by default")
    parser.add_argument("--source-devices", nargs="*", default=[], help="source devices; all of them by default")
    parser.add_argument("--space", help="the architectures' space; recognised by default")
    args = parser.parse_args()
    try:
        study(args)
    except RapidMooError as error:
        print(f"transfer.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
