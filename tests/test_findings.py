"""What is odd about a table is named, and nothing about clean tables; neither unit nor offset matters."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from rapid_moo.audit import audit, odd_things
from rapid_moo.findings import KINDS, Finding
from rapid_moo.findings.columns import dependent_objectives, duplicated_genes, identifiers
from rapid_moo.findings.explained import Explained
from rapid_moo.findings.order import spikes
from rapid_moo.findings.repeats import lossy_coding
from rapid_moo.findings.values import failure_codes, pile
from rapid_moo.genes import Gene
from rapid_moo.problems.registry import get_space, open_raw
from rapid_moo.reading import RawTable

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "audit_findings.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_findings", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tables = _load()
ROWS = 120


def changed(raw: RawTable, scale: float, offset: float = 0.0, column: str = "latency") -> RawTable:
    """The same table in another unit; the offset is in units of the spread."""
    values = np.array([float(v) for v in raw.frame[column]])
    values = scale * (values + offset * values.std())
    frame = raw.frame.assign(**{column: [repr(float(v)) for v in values]})
    return RawTable(raw.path, raw.vectors, frame)


def kinds(raw: RawTable) -> list[tuple[str, str]]:
    return [(finding.kind, finding.subject) for finding in odd_things(raw, None, tables.OBJECTIVES)]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of 120 rows, so that a test is quick."""
    monkeypatch.setattr(tables, "SIZES", (ROWS,))


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("kind", list(tables.ODD))
def test_what_is_odd_is_named(kind: str, seed: int) -> None:
    assert kind in tables.found(kind, seed)


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("kind", list(tables.CLEAN))
def test_nothing_is_said_of_clean_tables(kind: str, seed: int) -> None:
    assert tables.found(kind, seed) == []


def test_every_kind_is_tried() -> None:
    assert set(tables.ODD) == set(KINDS)


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e3), (2.5e-7, -1e4)])
@pytest.mark.parametrize("kind", ["warm_up", "spikes", "lossy_coding", "clean_skewed"])
def test_findings_do_not_depend_on_units(kind: str, scale: float, offset: float) -> None:
    raw = (tables.ODD | tables.CLEAN)[kind](3)
    ours, theirs = (odd_things(t, None, tables.OBJECTIVES) for t in (raw, changed(raw, scale, offset)))
    assert [(f.kind, f.subject, f.rows) for f in theirs] == [(f.kind, f.subject, f.rows) for f in ours]


@pytest.mark.parametrize("scale", [1e-9, 1e9])
@pytest.mark.parametrize("kind", ["failure_code", "mixed_units", "duplicate"])
def test_ratios_and_codes_are_seen_in_any_unit(kind: str, scale: float) -> None:
    raw = tables.ODD[kind](10)
    assert kinds(changed(raw, scale)) == kinds(raw) != []


def test_the_audit_s_figures_do_not_depend_on_units() -> None:
    raw = tables.clean(5)
    ours = audit(raw, None, tables.OBJECTIVES).objectives[1]
    for scale, offset in ((1e-9, 0.0), (1e9, 0.0), (1.0, 1e3)):
        theirs = audit(changed(raw, scale, offset), None, tables.OBJECTIVES).objectives[1]
        assert theirs.verdict == ours.verdict
        assert theirs.r2 == pytest.approx(ours.r2, abs=1e-3)
        assert theirs.autocorrelation == pytest.approx(ours.autocorrelation, abs=1e-3)


class TestRows:
    """The rows that are named are those that were spoilt."""

    def test_warm_up(self) -> None:
        made = tables.Made(8, 160)
        made.latency[:20] *= 2.0
        (found,) = odd_things(made.table(), None, tables.OBJECTIVES)
        assert (found.kind, found.subject, found.rows[0]) == ("warm_up", "latency", 0)
        assert abs(len(found.rows) - 20) <= 3
        assert "above what their architectures suggest" in found.message
        assert f"rows 1 to {found.rows[-1] + 1}" in found.message

    def test_spikes(self) -> None:
        made = tables.Made(9, 160)
        made.latency[[17, 100]] *= 9.0
        (found,) = odd_things(made.table(), None, tables.OBJECTIVES)
        assert (found.kind, found.rows) == ("spikes", (17, 100))

    def test_units(self) -> None:
        made = tables.Made(10, 160)
        made.latency[::20] *= 1000.0
        (found,) = odd_things(made.table(), None, tables.OBJECTIVES)
        assert (found.kind, found.rows) == ("mixed_units", tuple(range(0, 160, 20)))
        assert found.evidence["factor"] in (1000.0, 1024.0)


class TestSpikes:
    """Single residuals far beyond all others, of 400 rows whose usual error is 1."""

    @staticmethod
    def found(top: list[float], values: Callable[[np.ndarray], np.ndarray] = np.asarray) -> tuple[int, ...]:
        rng = np.random.default_rng(2)
        score = np.clip(rng.normal(size=400), -3.0, 3.0)
        score[: len(top)] = top
        predicted = rng.permutation(np.linspace(-20.0, 20.0, 400))
        goal = predicted + score
        seen = Explained(score, goal, predicted, np.zeros((400, 1)), 0)
        return tuple(row for finding in spikes("latency", values(goal), score, seen) for row in finding.rows)

    def test_one_far_beyond_a_long_tail_may_be_of_it(self) -> None:
        assert self.found([25.0, 10.0, 8.0, 7.0, 6.0]) == ()
        assert self.found([31.0, 10.0, 8.0, 7.0, 6.0]) == (0,)

    def test_several_beyond_a_gap_are_not_of_it(self) -> None:
        assert self.found([25.0, 24.0, 23.0, 22.0, 21.0, 8.0, 7.0, 6.0]) == (0, 1, 2, 3, 4)
        assert self.found([25.0, 24.0, 23.0, 22.0, 14.0, 8.0, 7.0, 6.0]) == ()

    def test_what_a_logarithm_blows_up_near_its_origin_is_none(self) -> None:
        """Residuals of logarithms: downwards a thousandth of the raw values' spread, upwards many times of it."""
        logarithm = lambda goal: np.exp(0.25 * goal)  # noqa: E731
        assert self.found([30.0, 30.0, 30.0], logarithm) == (0, 1, 2)
        down = self.found([-30.0, -30.0, -30.0])
        assert down == (0, 1, 2)
        assert self.found([-30.0, -30.0, -30.0], logarithm) == ()


def test_the_embedded_table_has_nothing_odd() -> None:
    raw, space, _ = open_raw("digits")
    assert odd_things(raw, space, get_space("digits").objectives) == ()


class TestValues:
    @pytest.mark.parametrize("code", [-1.0, 0.0, 999.0, 1e6, -12345.0])
    def test_code(self, code: float) -> None:
        values = np.random.default_rng(0).uniform(3.0, 12.0, 100)
        values[[4, 50, 77]] = code
        (found,) = failure_codes("latency", values)
        assert found.rows == (4, 50, 77)
        assert found.evidence["value"] == code

    def test_two_codes(self) -> None:
        values = np.random.default_rng(0).uniform(3.0, 12.0, 100)
        values[:5], values[5:10] = -1.0, 9999.0
        assert {f.evidence["value"] for f in failure_codes("latency", values)} == {-1.0, 9999.0}

    @pytest.mark.parametrize(
        "values",
        [
            np.random.default_rng(0).poisson(3.0, 200),
            np.random.default_rng(0).integers(-3, 4, 200),
            np.concatenate([np.full(20, 10.0), np.random.default_rng(0).uniform(88.0, 94.0, 180)]),
            np.concatenate([np.full(20, 0.1), np.random.default_rng(0).uniform(0.88, 0.94, 180)]),
            np.concatenate([np.full(20, 90.0), np.random.default_rng(0).uniform(6.0, 12.0, 180)]),
            np.repeat([0.0, 1.0, 2.0], 50),
            np.full(50, -1.0),
        ],
    )
    def test_no_code(self, values: np.ndarray) -> None:
        assert failure_codes("values", values.astype(np.float64)) == []

    def test_pile(self) -> None:
        rng = np.random.default_rng(0)
        values = np.concatenate([10.0 + rng.random(12), rng.uniform(70.0, 94.0, 200)])
        assert pile(values).nonzero()[0].tolist() == list(range(12))
        assert not pile(rng.normal(size=300)).any()


class TestColumns:
    def test_identifiers(self) -> None:
        rng = np.random.default_rng(1)
        rows = np.arange(60)
        text = Gene("id", tuple(f"net{i}" for i in range(60)))
        number = Gene("row", tuple(range(60)))
        rate = Gene("rate", tuple(np.sort(rng.random(60)).tolist()))
        width = Gene("width", tuple(sorted(rng.choice(2000, 60, replace=False).tolist())))
        op = Gene("op", ("a", "b"))
        codes = np.column_stack([rows, rng.permutation(60), rng.permutation(60), rng.permutation(60), rows % 2])
        found = identifiers((text, number, rate, width, op), codes)
        assert [f.subject for f in found] == ["id", "row"]

    def test_an_identifier_of_repeated_architectures(self) -> None:
        architecture = np.repeat(np.arange(40), 2)
        codes = np.column_stack([architecture, architecture % 8, architecture // 8])
        genes = (Gene("id", tuple(range(40))), Gene("a", tuple(range(8))), Gene("b", tuple(range(5))))
        assert [f.subject for f in identifiers(genes, codes)] == ["id"]

    def test_genes_that_say_the_same(self) -> None:
        rng = np.random.default_rng(2)
        a = rng.integers(0, 3, 50)
        codes = np.column_stack([a, rng.integers(0, 3, 50), (a + 1) % 3, np.zeros(50, dtype=np.int64)])
        genes = tuple(Gene(name, (0, 1, 2)) for name in "abcd")
        assert [f.subject for f in duplicated_genes(genes, codes)] == ["a and c"]
        assert duplicated_genes(genes, codes[:10]) == []

    def test_rare_genes_agree_by_chance(self) -> None:
        codes = np.zeros((60, 2), dtype=np.int64)
        codes[7] = 1
        assert duplicated_genes((Gene("a", (0, 1)), Gene("b", (0, 1))), codes) == []

    @pytest.mark.parametrize(
        ("function", "kind"),
        [
            (lambda x: 8.0 * x, "duplicate"),
            (lambda x: 100.0 - x, "function"),
            (lambda x: 1.0 / (x + 1.0), "function"),
            (lambda x: (x - 0.5) ** 2, "function"),
            (lambda x: x + 0.02 * np.random.default_rng(0).normal(size=len(x)), None),
            (lambda x: np.round(x), None),
        ],
    )
    def test_functions(self, function: Callable[[np.ndarray], np.ndarray], kind: str | None) -> None:
        x = np.random.default_rng(4).random(200)
        rows = np.arange(200)
        found = dependent_objectives(("x", "y"), (x, function(x)), (rows, rows))
        assert [f.kind for f in found] == ([kind] if kind else [])


class TestRepeats:
    architecture = np.repeat(np.arange(80), 2)

    def level(self, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(rng.normal(size=80)[self.architecture])

    def test_hidden_gene(self) -> None:
        rng = np.random.default_rng(0)
        hidden = np.tile([0.0, 1.0], 80) + 0.02 * rng.normal(size=160)
        (found,) = lossy_coding(["x"], [self.level(rng) + hidden], self.architecture, 0)
        assert "as if something else had changed" in found.message

    def test_exact_values(self) -> None:
        rng = np.random.default_rng(0)
        hidden = rng.integers(0, 2, 160) * rng.random(160)
        (found,) = lossy_coding(["x"], [self.level(rng) + hidden], self.architecture, 0)
        assert "agree exactly" in found.message

    def test_two_objectives_that_change_together(self) -> None:
        rng = np.random.default_rng(0)
        hidden = rng.normal(size=160)
        values = [self.level(rng) + hidden, self.level(rng) - hidden + 0.1 * rng.normal(size=160)]
        assert [f.subject for f in lossy_coding(["x", "y"], values, self.architecture, 0)] == ["x and y"]

    @pytest.mark.parametrize("seed", range(5))
    def test_noise_is_no_loss(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        noises = rng.normal(size=160), rng.standard_t(2, 160), rng.gamma(0.5, size=160), rng.uniform(size=160)
        assert lossy_coding(list("abcd"), [self.level(rng) + e for e in noises], self.architecture, 0) == []


def test_report_names_findings_in_text_and_json() -> None:
    made = tables.Made(9, 200)
    made.latency[[17, 120, 130]] = -1.0
    report = audit(made.table(), None, tables.OBJECTIVES)
    text = report.to_text()
    assert "1 odd thing\n" in text
    assert "latency: FAILURE CODE - " in text
    assert "rows 18, 121, 131" in text
    assert report.to_dict()["findings"][0]["rows"] == [17, 120, 130]
    assert isinstance(report.findings[0], Finding)


def test_an_identifier_is_left_out_of_what_predictors_see() -> None:
    made = tables.Made(9, 200)
    alone = audit(made.table(), None, tables.OBJECTIVES)
    made.X = np.column_stack([np.random.default_rng(0).permutation(200), made.X])
    numbered = audit(made.table(), None, tables.OBJECTIVES)
    assert [f.subject for f in numbered.findings] == ["position 0"]
    assert numbered.objectives[1].r2 == pytest.approx(alone.objectives[1].r2, abs=0.02)


@pytest.mark.parametrize("n", [1, 2, 5, 19, 20, 29, 30])
def test_tiny_and_constant_tables(n: int) -> None:
    X = np.random.default_rng(n).integers(0, 3, (n, 3))
    frame = pd.DataFrame({"accuracy": ["1.0"] * n, "latency": [repr(float(i)) for i in range(n)]})
    assert isinstance(odd_things(RawTable(Path("t.csv"), X, frame), None, tables.OBJECTIVES), tuple)
