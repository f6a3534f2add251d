"""The audit finds what a table is worth, on made-up tables whose truth is known and on the published ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rapid_moo.audit import AuditReport, audit
from rapid_moo.errors import InputError
from rapid_moo.objectives import Objective
from rapid_moo.problems import get_space
from rapid_moo.reading import RawTable, read_csv
from rapid_moo.space import Gene, GridSpace, SearchSpace

SPEED = Objective("speed", "max", "1/s")
COST = Objective("cost", "min")
EXTRA = (Objective("third", "min"), Objective("fourth", "max"))


def grid(n_genes: int = 6, choices: int = 3) -> np.ndarray:
    return np.indices((choices,) * n_genes).reshape(n_genes, -1).T


def make(vectors: np.ndarray, **columns: np.ndarray) -> RawTable:
    frame = pd.DataFrame({name: [repr(float(v)) for v in values] for name, values in columns.items()})
    return RawTable(Path("made.csv"), np.asarray(vectors, dtype=np.int64), frame)


def clean(vectors: np.ndarray) -> np.ndarray:
    return vectors @ np.arange(1, vectors.shape[1] + 1) + 0.5 * vectors[:, 0] * vectors[:, 1]


def verdicts(report: AuditReport) -> dict[str, str]:
    return {each.name: each.verdict for each in report.objectives}


def shuffled(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(grid())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class TestVerdicts:
    def test_clean_table(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        report = audit(make(X, speed=clean(X), cost=X.sum(axis=1) ** 2.0), None, (SPEED, COST))
        assert verdicts(report) == {"speed": "learnable", "cost": "learnable"}
        assert report.rows == report.architectures == 729
        assert report.repeats == 0
        assert report.odd_codes == ()
        assert report.constant_positions == {}
        speed = report.objectives[0]
        assert (speed.minimum, speed.maximum) == (0.0, 44.0)
        assert speed.r2 > 0.98
        assert speed.r2_interval[0] <= speed.r2 <= speed.r2_interval[1]

    def test_noise_is_not_drift(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        signal = clean(X)
        half = signal + rng.normal(size=len(X)) * signal.std() * 1.5
        report = audit(make(X, speed=half, cost=rng.normal(size=len(X))), None, (SPEED, COST))
        assert verdicts(report) == {"speed": "noisy", "cost": "unlearnable"}
        assert report.objectives[0].r2 == pytest.approx(1 / (1 + 1.5**2), abs=0.1)

    def test_drift(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        walk = np.cumsum(rng.normal(size=len(X)))
        report = audit(make(X, speed=clean(X), cost=walk), None, (SPEED, COST))
        assert verdicts(report) == {"speed": "learnable", "cost": "drift"}
        assert report.objectives[1].autocorrelation > 0.8
        assert "cost (min): DRIFT" in report.to_text()

    def test_sorted_file_is_not_drift(self, rng: np.random.Generator) -> None:
        X = grid()
        smooth = clean(X)
        noisy = smooth + rng.normal(size=len(X)) * smooth.std() * 2.0
        report = audit(make(X, speed=smooth, cost=noisy), None, (SPEED, COST))
        assert verdicts(report)["speed"] == "learnable"
        assert verdicts(report)["cost"] == "noisy"

    @pytest.mark.parametrize("seed", range(2))
    def test_sorted_interactions_are_not_drift(self, seed: int) -> None:
        X = grid()
        hidden = np.random.default_rng(seed).normal(size=(3,) * 5)[tuple(X[:, :5].T)]
        report = audit(make(X, speed=clean(X), cost=hidden), None, (SPEED, COST), seed=seed)
        assert verdicts(report)["cost"] != "drift"

    def test_constant_objective(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        report = audit(make(X, speed=clean(X), cost=np.ones(len(X))), None, (SPEED, COST))
        assert verdicts(report)["cost"] == "constant"
        assert "leave it out" in report.to_text()
        assert report.objectives[1].ties == 729

    def test_exact_objective_needs_no_column(self, rng: np.random.Generator) -> None:
        class Counted(GridSpace):
            computed = (Objective("params", "min"),)

            def _compute(self, X: np.ndarray, name: str) -> np.ndarray:
                return X.sum(axis=1) + 1.0

        X = shuffled(rng)
        space = Counted("counted", [Gene(f"g{k}", (0, 1, 2)) for k in range(6)])
        report = audit(make(X, cost=np.cumsum(rng.normal(size=len(X)))), space, (COST, space.computed[0]))
        assert verdicts(report) == {"cost": "drift", "params": "exact"}
        assert report.objectives[1].r2 == 1.0
        assert "use a computed value instead" in report.to_text()


class TestTable:
    def test_repeats_and_their_noise(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)[:200]
        X = np.vstack([X, X[:40]])
        values = clean(X) + rng.normal(size=len(X)) * 2.0
        report = audit(make(X, speed=values, cost=clean(X)), None, (SPEED, COST))
        assert (report.rows, report.architectures, report.repeats) == (240, 200, 40)
        # Two measurements with noise of standard deviation 2 differ by 2 * 2 / sqrt(pi) on average.
        assert report.objectives[0].repeat_spread == pytest.approx(4.0 / np.sqrt(np.pi) / np.ptp(values), rel=0.3)
        assert report.objectives[1].repeat_spread == 0.0
        assert "40 row(s) measure an architecture again" in report.to_text()

    def test_repeats_do_not_leak_into_learnability(self, rng: np.random.Generator) -> None:
        X = np.repeat(shuffled(rng)[:100], 6, axis=0)
        X = X[rng.permutation(len(X))]
        hidden = {tuple(row): value for row, value in zip(np.unique(X, axis=0), rng.normal(size=100), strict=True)}
        values = np.array([hidden[tuple(row)] for row in X])
        report = audit(make(X, speed=values, cost=clean(X)), None, (SPEED, COST))
        assert verdicts(report)["speed"] != "learnable"

    def test_constant_gene_and_position(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        X[:, 2] = 1
        report = audit(make(X, speed=clean(X), cost=clean(X)), None, (SPEED, COST))
        assert report.constant_positions == {2: 1}
        assert "position 2 is always 1" in report.to_text()

    def test_odd_code_at_the_edge_of_an_inactive_block(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        X[: len(X) // 2, 3:] = -1
        X[: len(X) // 2, 2] = 2
        report = audit(make(X, speed=clean(X), cost=clean(X)), None, (SPEED, COST))
        assert [code for code in report.odd_codes if code.startswith("position 2 always holds 2 in the 364 rows")]

    def test_odd_code_inside_an_inactive_block(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        X[:300, 1:] = -1
        X[:300, 3] = 9
        report = audit(make(X, speed=clean(X), cost=clean(X)), None, (SPEED, COST))
        assert [code for code in report.odd_codes if code.startswith("position 3 always holds 9 in the 300 rows")]

    def test_depth_gene_is_no_odd_code(self, rng: np.random.Generator) -> None:
        X = np.column_stack([shuffled(rng)[:, :3], np.full(729, 4), shuffled(rng)[:, :2]])
        X[:300, 3], X[:300, 4:] = 2, -1
        report = audit(make(X, speed=clean(X), cost=clean(X)), None, (SPEED, COST))
        assert report.odd_codes == ()

    def test_missing_members_and_kinds_of_front(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        space = GridSpace("six", [Gene(f"g{k}", (0, 1, 2)) for k in range(6)])
        most = audit(make(X[:700], speed=clean(X[:700]), cost=X[:700, 0]), space, (SPEED, COST))
        few = audit(make(X[:300], speed=clean(X[:300]), cost=X[:300, 0]), space, (SPEED, COST))
        assert (most.front_kind, most.space_size) == ("true", 729)
        assert "29 of 729 architectures are missing" in most.to_text()
        assert few.front_kind == "reference"
        assert "a sample of 729 architectures" in few.to_text()

    def test_ties(self) -> None:
        X = grid(3)
        report = audit(make(X, speed=X[:, 0], cost=X[:, 1]), None, (SPEED, COST))
        assert report.equal_vectors == 27
        assert [each.ties for each in report.objectives] == [27, 27]


class TestBorder:
    @pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 19, 20, 21])
    def test_tiny_tables(self, n: int) -> None:
        X = grid(4)[:n]
        report = audit(make(X, speed=clean(X), cost=np.arange(n)), None, (SPEED, COST))
        assert report.architectures == n
        assert report.to_text().startswith("made (made): ")

    def test_four_objectives(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        raw = make(X, speed=clean(X), cost=X[:, 0] + 1.0, third=rng.normal(size=729), fourth=-clean(X))
        assert len(audit(raw, None, (SPEED, COST, *EXTRA)).objectives) == 4

    def test_same_seed_same_report(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)
        raw = make(X, speed=clean(X) + rng.normal(size=len(X)), cost=rng.normal(size=len(X)))
        before = raw.vectors.copy(), raw.frame.copy()
        first, second, other = (audit(raw, None, (SPEED, COST), seed=seed) for seed in (3, 3, 4))
        assert first == second
        assert first != other
        assert (raw.vectors == before[0]).all()
        assert raw.frame.equals(before[1])

    def test_report_is_json(self, rng: np.random.Generator) -> None:
        X = shuffled(rng)[:100]
        report = audit(make(X, speed=clean(X), cost=X[:, 0]), None, (SPEED, COST))
        assert json.loads(json.dumps(report.to_dict()))["rows"] == 100

    def test_missing_column(self) -> None:
        with pytest.raises(InputError, match="expected a column 'cost' for objective 'cost'"):
            audit(make(grid(3), speed=np.arange(27)), None, (SPEED, COST))

    def test_vectors_of_another_space(self) -> None:
        X = grid(3)
        with pytest.raises(InputError, match=r"made\.csv: .*expected integer vectors of length 6, got shape \(27, 3\)"):
            audit(make(X, accuracy=clean(X)), get_space("nasbench201"), (Objective("accuracy", "max"),))


class TestPublished:
    """What is known to be odd about the published tables is found without a word about their names."""

    @staticmethod
    def look(path: Path, space: SearchSpace | None, objectives: tuple[Objective, ...]) -> AuditReport:
        start = time.perf_counter()
        report = audit(read_csv(path), space, objectives)
        assert time.perf_counter() - start < 60
        return report

    def test_nasbench201(self, published: Callable[[str], Path]) -> None:
        space = get_space("nasbench201")
        report = self.look(published("nasbench201_data_final.csv"), space, (*space.objectives, *space.computed))
        assert verdicts(report) == {
            "accuracy": "learnable",
            "latency": "learnable",
            "memory": "drift",
            "params": "exact",
            "flops": "exact",
        }
        memory = report.objectives[2]
        assert memory.autocorrelation > 0.9
        assert memory.r2 < 0.05
        assert report.missing == 341
        # The mean that drifts there is of few measurements at first.
        assert [(f.kind, f.subject, f.rows) for f in report.findings] == [("spikes", "memory", (1, 2))]

    def test_nasbench201_without_its_space(self, published: Callable[[str], Path]) -> None:
        objectives = get_space("nasbench201").objectives
        report = self.look(published("nasbench201_data_final.csv"), None, objectives)
        assert verdicts(report)["memory"] == "drift"

    def test_nasbench_asr(self, published: Callable[[str], Path]) -> None:
        space = get_space("nasbench_asr")
        report = self.look(published("asr_data.csv"), space, space.objectives)
        assert verdicts(report) == {"phoneme_error_rate": "learnable", "latency": "noisy", "memory": "noisy"}
        assert report.objectives[1].r2 == pytest.approx(0.35, abs=0.12)

    def test_flexibert(self, published: Callable[[str], Path]) -> None:
        report = self.look(published("flexibert_data.csv"), None, get_space("flexibert").objectives)
        assert (report.rows, report.architectures, report.repeats) == (500, 491, 9)
        assert report.constant_positions == {22: -1}
        assert [code.split(",")[0] for code in report.odd_codes] == [
            "position 11 always holds 2 in the 239 rows whose position 12 is -1 (inactive)",
            "position 21 is 4 or -1: a mark",
        ]
        assert report.objectives[0].repeat_spread == pytest.approx(0.031, abs=0.001)

    def test_hw_gpt(self, published: Callable[[str], Path]) -> None:
        space = get_space("hw_gpt_s")
        report = self.look(published("gpt_s_a100.csv"), space, (*space.objectives, *space.optional))
        assert set(list(verdicts(report).values())[:3]) == {"learnable"}
        assert report.odd_codes == ()
        # Seven of 10,000 networks took 15 to 39 times the energy that their latency suggests.
        assert {(finding.kind, finding.subject) for finding in report.findings} == {
            ("spikes", "energy"),
            ("few_dominate", "energy"),
        }
        spikes = next(finding for finding in report.findings if finding.kind == "spikes")
        assert "in row 3583" in spikes.message
        assert spikes.evidence["rows"] == 9
        assert "a sample of 1.9e+12 architectures" in report.to_text()


def test_a_few_architectures_show_nothing():
    report = audit(make(grid(1, 3), speed=np.array([1.0, 3.0, 2.0])), None, [SPEED])
    assert verdicts(report) == {"speed": "unknown"}
    assert "fewer than 5 architectures" in report.to_text()


def test_a_predictor_s_own_errors_are_not_drift():
    vectors = grid(4, 4)
    smooth = make(vectors, speed=10.0 + 5.0 * vectors[:, 0] + vectors[:, 2])
    assert "drift" not in audit(smooth, None, [SPEED]).to_text()
