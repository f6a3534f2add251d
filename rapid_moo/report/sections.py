"""What a report says in words and tables: sections of blocks, which :mod:`rapid_moo.report.rendering` shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rapid_moo.costs import cost_text
from rapid_moo.report.blocks import Bars, Block, Code, Heading, Pairs, Paragraph, Section, Table
from rapid_moo.report.compared import comparison_blocks
from rapid_moo.report.facts import Architectures, Pick, PredictorFacts, Report

SHOWN_FRONT, SHOWN_REASONS, SHOWN_GENES = 20, 20, 12
METRICS = {
    "within_1pct": ("within 1 %", "{:.1%}"),
    "within_5pct": ("5 %", "{:.1%}"),
    "within_10pct": ("10 %", "{:.1%}"),
    "mse": ("MSE", "{:.4g}"),
    "mape": ("MAPE", "{:.3%}"),
    "kendall_tau": ("Kendall", "{:.3f}"),
    "spearman": ("Spearman", "{:.3f}"),
    "pearson": ("Pearson", "{:.3f}"),
}
HOW = {
    "tuned": "The tuner compared configurations by the ADRS between the front of the known architectures and the front"
    " of out-of-fold predictions of them.",
    "given": "These predictors were given, not chosen.",
    "early": "Too few architectures are known to tune on: the likeliest of four Gaussian processes serves.",
}
FRONTS = {
    "true": "the true front: the table holds all, or nearly all, of its space",
    "reference": "a reference front: that of a table which samples the space",
    "found": "the front that is known now, since nobody knows a better one",
}


# ---------------------------------------------------------------------- sections
def sections(report: Report) -> list[Section]:
    """Everything that a report says in words and tables, in order; figures are drawn from the facts themselves."""
    makers = (_overview, _front, _comparison, _predictors, _why, _importance, _failures, _audit, _settings)
    found = (maker(report) for maker in makers)
    return [section for section in found if section is not None and section.blocks]


def title_of(report: Report) -> str:
    """What the report is about."""
    kind = {
        "search": "Search of",
        "study": "Study of",
        "run": "Run on",
        "table": "Table",
        "comparison": "Comparison on",
        "audit": "Audit of",
        "tuning": "Predictors of",
    }[report.kind]
    return f"{kind} {report.name}"


def _overview(report: Report) -> Section:
    bill, quality = report.bill, report.quality
    items: list[tuple[str, str]] = []
    if report.running:
        items.append(("Running", report.running))
    if "evaluations" in bill:
        goal = f" of {bill['budget']:,}" if bill.get("budget") else ""
        items.append(("Evaluations billed", f"{bill['evaluations']:,}{goal}"))
    if bill.get("rows"):
        share = f" ({bill['evaluations'] / bill['rows']:.2%})" if bill.get("evaluations") else ""
        items.append(("Table", f"{bill['rows']:,} architectures{share}"))
    if report.space is not None:
        items.append(("Space", f"{report.space.name}, {number(report.space.size)} architectures"))
    if report.bounds:
        items.append(("Bounds", _bounds(report)))
    items += _noise(report)
    counts = [f"{bill[key]:,} {text}" for key, text in _COUNTS if bill.get(key)]
    if counts:
        items.append(("Of these", ", ".join(counts)))
    if bill.get("cost") is not None:
        goal = f" of {cost_text(bill['cost_budget'])}" if bill.get("cost_budget") else ""
        items.append(("Cost billed", f"{cost_text(bill['cost'])}{goal}"))
    if bill.get("front_size") is not None:
        items.append(("Front", f"{bill['front_size']:,} architectures"))
    for key, name, better in _QUALITIES:
        if quality.get(key) is not None:
            items.append((name, f"{quality[key]:.5f} ({better})"))
    items += [(_pick_name(pick), architecture_text(report, pick.row)) for pick in report.picks]
    if report.seconds:
        parts = ", ".join(f"{name} {value:.1f}" for name, value in report.seconds.items() if value >= 0.05)
        items.append(("Seconds", f"{sum(report.seconds.values()):.1f}" + (f" ({parts})" if parts else "")))
    return Section("overview", "Overview", (Pairs(tuple(items)),) if items else ())


def _noise(report: Report) -> list[tuple[str, str]]:
    """How uncertain one measurement is, and what that leaves open."""
    if report.expected is None:
        return []
    told = "; ".join(f"{name} {text}" for name, text in report.expected.noise.items())
    again = sum(place > 0 for place in report.expected.again)
    either = sum(a or b for a, b in zip(_on_front(report), report.expected.on_front, strict=True))
    what = f"{again} of {either} architectures of the measured and the expected front" if again else "none"
    return [("Noise of one value", told), ("Worth measuring again", what)]


def _on_front(report: Report) -> list[bool]:
    return report.architectures.on_front if report.architectures is not None else []


def _bounds(report: Report) -> str:
    """The bounds, and how many of what was measured break one."""
    told, facts = ", ".join(bound.text for bound in report.bounds), report.architectures
    if facts is None or not facts.measured:
        return told
    one = "it" if len(report.bounds) == 1 else "one"
    broken = (
        f"{facts.broken:,} of {facts.measured:,} break {one}"
        if facts.broken
        else f"none of {facts.measured:,} breaks {one}"
    )
    return f"{told}; {broken}"


_COUNTS = (
    ("sample", "to learn from first"),
    ("chosen", "chosen by the predictors"),
    ("failed", "failed"),
    ("partial", "known in part"),
    ("stopped", "stopped early"),
    ("running", "running"),
    ("repeats", "repeats"),
    ("imported", "known beforehand"),
)
_QUALITIES = (
    ("adrs", "ADRS", "0 is the whole front; of everything billed"),
    ("adrs_predictor", "ADRS, predictor error", "true values of the predictions' exact front"),
    ("adrs_search", "ADRS, search error", "what the search missed of that front, as predicted"),
    ("tuner_adrs", "ADRS, tuner's estimate", "out of fold, on the sample"),
    ("hypervolume", "Hypervolume", "1 is the whole front"),
    (
        "hypervolume_box",
        "Hypervolume of the box",
        "1 is the box of the first 16; Progress tells shares of the last front's",
    ),
    ("igd_plus", "IGD+", "0 is the whole front"),
)


def _pick_name(pick: Pick) -> str:
    return "Knee of the front" if pick.weights is None else f"Preferred by {','.join(f'{w:g}' for w in pick.weights)}"


def _front(report: Report) -> Section | None:
    facts = report.architectures
    if facts is None:
        return None
    rows = front_rows(report)
    if not rows:
        whole = any(None not in values for values in facts.raw)
        why = "none that has every objective meets all bounds" if whole else "none has every objective"
        return Section("front", "Front", (Paragraph(f"No front yet: of the architectures known, {why}."),))
    blocks: list[Block] = []
    if report.reference is not None:
        blocks.append(Paragraph(f"Judged by {FRONTS[report.reference.kind]} ({report.reference.size:,} points)."))
    if facts.total > len(facts):
        blocks.append(
            Paragraph(f"{len(facts):,} of {facts.total:,} architectures are shown: the front, and evenly many others.")
        )
    assert report.space is not None
    genes = [gene.name for gene in report.space.genes]
    noisy = noisy_columns(report)
    further = (*(f"{report.objectives[k].name} expected" for k in noisy), *(("measure again",) if noisy else ()))
    columns = ("evaluation", *genes, *(o.label for o in report.objectives), *further)
    cells = tuple(
        (
            str(facts.number[row]),
            *gene_texts(report, row),
            *(number(v) for v in facts.raw[row]),
            *_expected(report, row),
        )
        for row in rows[:SHOWN_FRONT]
    )
    right = frozenset({0, *range(1 + len(genes), len(columns))})
    blocks.append(Table(columns, cells, right))
    if len(rows) > SHOWN_FRONT:
        blocks.append(Paragraph(f"and {len(rows) - SHOWN_FRONT:,} more"))
    blocks += _expected_front(report)
    return Section("front", "Front", tuple(blocks))


def noisy_columns(report: Report) -> list[int]:
    """Positions of the objectives of which something else is expected than was measured."""
    return [
        k for k, o in enumerate(report.objectives) if report.expected is not None and o.name in report.expected.noise
    ]


def _expected(report: Report, row: int) -> tuple[str, ...]:
    """Expected values of an architecture, and its place among those that are worth measuring again."""
    found = report.expected
    if found is None:
        return ()
    values = (uncertain(found.mean[row][k], found.std[row][k]) for k in noisy_columns(report))
    return (*values, str(found.again[row] or ""))


def _expected_front(report: Report) -> list[Block]:
    """Which architectures luck has put on the front, or kept off it."""
    found, facts = report.expected, report.architectures
    if found is None or facts is None:
        return []
    both = sum(a and b for a, b in zip(facts.on_front, found.on_front, strict=True))
    missing = [row for row, on in enumerate(found.on_front) if on and not facts.on_front[row]]
    told = (
        "Expected: what the value itself and a predictor that has not seen it say together, with a standard deviation."
        f" {both} of these {sum(facts.on_front)} are on the front of the expected values"
    )
    names = ", ".join(str(facts.number[row]) for row in missing[:SHOWN_FRONT])
    more = f" and {len(missing) - SHOWN_FRONT} more" if len(missing) > SHOWN_FRONT else ""
    told += f", and so {'is evaluation' if len(missing) == 1 else 'are evaluations'} {names}{more}." if missing else "."
    again = "Measure again: what may be on the front of the true values or not, the most open question first."
    return [Paragraph(told), Paragraph(again)]


def front_rows(report: Report) -> list[int]:
    """Positions of the front among the architectures, by the first objective."""
    facts = report.architectures
    if facts is None:
        return []
    rows = [row for row, on in enumerate(facts.on_front) if on]
    return sorted(rows, key=lambda row: tuple(value if value is not None else 0.0 for value in facts.raw[row]))


def _predictors(report: Report) -> Section | None:
    if not report.predictors:
        return None
    blocks: list[Block] = []
    by_name = {o.name: o for o in report.objectives}
    if any(p.metrics for p in report.predictors):
        blocks.append(Paragraph("Errors and correlations on rows that were not used for training."))
    columns = ["objective", "goal", "predictor"]
    keys = [key for key in METRICS if any(key in p.metrics for p in report.predictors)]
    columns += [METRICS[key][0] for key in keys]
    covered = any(p.measured for p in report.predictors)
    columns += ["90 % band holds"] if covered else []
    rows = []
    for p in report.predictors:
        goal = by_name[p.objective]
        cells = [goal.label, goal.direction, p.family, *(_metric(p.metrics.get(key), key) for key in keys)]
        rows.append(tuple(cells + ([_coverage(p)] if covered else [])))
    blocks.append(Table(tuple(columns), tuple(rows), frozenset(range(3, len(columns)))))
    for p in report.predictors:
        blocks += [Paragraph(line) for line in hyperparameter_lines(p)]
    return Section("predictors", "Predictors", tuple(blocks))


def _metric(value: Any, key: str) -> str:
    return "" if value is None else METRICS[key][1].format(value)


def _coverage(p: PredictorFacts) -> str:
    if not p.measured:
        return ""
    off = np.abs(np.array(p.measured) - np.array(p.predicted))
    return f"{(off <= 1.645 * np.array(p.std)).mean():.0%} of {len(off)}"


def hyperparameter_lines(p: PredictorFacts) -> list[str]:
    """What predicts an objective, a line each member."""
    if not p.members:
        return [f"{p.objective}: computed exactly from the genotype"]
    values = f" and {p.told} values of priors" if p.told else ""
    lines = [f"{p.objective}: mean of {len(p.members)} predictors{values}"] if len(p.members) > 1 else []
    for member in p.members:
        head = f"{p.objective}:" if len(p.members) == 1 else f"  {member['share']:4.0%}"
        columns = member.get("prior", 0)
        hint = f" and {columns} column{'s' * (columns > 1)} of priors" if columns else ""
        hint += values if len(p.members) == 1 else ""
        lines.append(
            f"{head} {member['family']} {json.dumps(dict(member['params']))} on {member['features']} features{hint},"
            f" target transform {member['transform']}"
        )
    return lines


def _why(report: Report) -> Section | None:
    choice = report.choice
    if choice is None:
        return None
    blocks: list[Block] = [Paragraph(HOW[choice.how])]
    if choice.adrs is not None:
        told = f"It expects an ADRS of {choice.adrs:.4f} of them"
        if choice.interval is not None:
            told += f", with a probability of 90 % between {choice.interval[0]:.4f} and {choice.interval[1]:.4f}"
        blocks.append(Paragraph(f"{told}. {choice.compared} configurations were fitted."))
    if report.quality.get("adrs_picks") is not None:
        blocks.append(
            Paragraph(
                f"On {report.bill['unseen']:,} architectures that were not tuned on, the ADRS of their first picks is"
                f" {report.quality['adrs_picks']:.4f}."
            )
        )
    if choice.unlearnable:
        names = ", ".join(choice.unlearnable)
        blocks.append(Paragraph(f"No configuration predicts anything of {names}: the mean serves.", warning=True))
    if choice.ranking:
        columns = (*(o.name for o in report.objectives), "ADRS", "standard error", "tied", "order error")
        rows = tuple(
            (
                *(str(model) for model in line["models"]),
                number(line.get("adrs")),
                number(line.get("adrs_se")),
                "yes" if line.get("tied") else "no",
                number(line.get("order_error")),
            )
            for line in choice.ranking
        )
        n = len(report.objectives)
        blocks.append(Table(columns, rows, frozenset({n, n + 1, n + 3})))
        blocks.append(
            Paragraph(
                "Tied: within a standard error of the lowest ADRS. Of those the lowest error of order was chosen."
            )
        )
    return Section("why", "Why these predictors", tuple(blocks))


def _importance(report: Report) -> Section | None:
    blocks: list[Block] = []
    unsure = []
    for p in report.predictors:
        top = sorted(p.importance.items(), key=lambda item: -item[1])[:SHOWN_GENES]
        shares = tuple((name, float(share)) for name, share in top if share >= 0.005)
        if shares:
            blocks.append(Bars(f"{p.objective}, by its logarithm" if p.logarithmic else p.objective, shares))
        elif not p.importance and p.family != "exact":
            known = "" if p.explained is None else f" ({max(0.0, p.explained):.0%} of the variance)"
            unsure.append(f"{p.objective}{known}")
    if not blocks and not unsure:
        return None
    told = (
        "Share of the variance of an objective, as it is predicted over the space, that a gene has a hand in (total"
        " effect). Genes that act together share theirs, so the sum may exceed 100 %."
    )
    if unsure:
        why = f"Of unseen architectures too little is explained to tell which genes matter: {', '.join(unsure)}."
        blocks.append(Paragraph(why))
    shown = (Paragraph(told), *blocks) if len(blocks) > bool(unsure) else blocks
    return Section("importance", "Which genes drive which objective", tuple(shown))


def _failures(report: Report) -> Section | None:
    if not report.failures:
        return None
    items = list(report.failures.items())
    rows = tuple((f"{n:,}", reason) for reason, n in items[:SHOWN_REASONS])
    blocks: list[Block] = [Table(("times", "reason"), rows, frozenset({0}))]
    if len(items) > SHOWN_REASONS:
        blocks.append(Paragraph(f"and {len(items) - SHOWN_REASONS:,} further reasons"))
    return Section("failures", "Failures", tuple(blocks))


def _audit(report: Report) -> Section | None:
    audit = report.audit
    if audit is None:
        return None
    blocks: list[Block] = [
        Paragraph(
            f"{audit['name']} ({audit['space']}): {audit['rows']:,} rows, {audit['architectures']:,} architectures"
        ),
        Pairs(tuple(_audit_counts(audit))),
    ]
    learnt = [o for o in audit["objectives"] if o["verdict"] not in _UNLEARNT]
    for o in audit["objectives"]:
        verdict = f"{o['name']} ({o['direction']}): {o['verdict'].upper()} - {o['meaning']}"
        blocks.append(Paragraph(verdict, warning=o["verdict"] not in _HARMLESS))
        notes = []
        if o in learnt and o["drifts"]:
            notes.append(("along rows", "what a predictor misses is in part drift of the measurement"))
        if o["verdict"] == "drift" and audit["computed"]:
            notes.append(("instead", f"{' or '.join(audit['computed'])}: computed from the architecture"))
        if o["repeat_spread"] is not None:
            notes.append(("repeats", f"differ by {o['repeat_spread']:.1%} of the range on average"))
        blocks += [Pairs(tuple(notes))] if notes else []
    columns = ("objective", "smallest", "median", "largest", "tied", "R2", "90 %", "Kendall", "90 %", "along rows")
    rows = tuple(
        (
            f"{o['name']} [{o['unit']}]" if o["unit"] else str(o["name"]),
            *(number(o[key]) for key in ("minimum", "median", "maximum", "ties")),
            *(_learnability(o) if o in learnt else ("",) * 5),
        )
        for o in audit["objectives"]
    )
    blocks.append(Table(columns, rows, frozenset(range(1, len(columns)))))
    if learnt:
        told = (
            "R2 and Kendall's tau: how well a predictor ranks architectures that it has not seen.",
            "Along rows: how alike is what it misses in neighbouring rows; about 0 where the measuring held still.",
        )
        shares = tuple((str(o["name"]), max(0.0, float(o["r2"]))) for o in learnt)
        blocks += [*map(Paragraph, told), Bars("Explained by the architecture (R2)", shares)]
    findings = audit["findings"]
    if findings:
        blocks.append(Paragraph(f"{len(findings)} odd thing{'s' if len(findings) > 1 else ''}"))
    for f in findings:
        seen = f"{f['subject']}: {f['kind'].replace('_', ' ').upper()} - {f['meaning']}"
        blocks += [Paragraph(seen, warning=True), Pairs((("seen", str(f["message"])),))]
    return Section("audit", "Audit of the table", tuple(blocks))


_HARMLESS = ("exact", "learnable")
_UNLEARNT = ("exact", "constant", "unknown")


def _audit_counts(audit: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """How many rows, how much of the space, and what is odd about the vectors."""
    mean = ": a table keeps the mean" if audit["repeats"] else ""
    yield "repeats", f"{audit['repeats']} row(s) measure an architecture again{mean}"
    if audit["front_kind"] == "true":
        yield "coverage", f"{audit['missing']:,} of {audit['space_size']:,} architectures are missing"
    else:
        size = f"{audit['space_size']:,}" if audit["space_size"] < 1e9 else f"{audit['space_size']:.3g}"
        yield "coverage", f"a sample of {size} architectures: a reference front, not the true one"
    yield "front", f"{audit['front_size']} points ({audit['front_kind']} front)"
    if audit["equal_vectors"]:
        yield "ties", f"{audit['equal_vectors']} architectures equal another in every objective"
    if constant := audit["constant_positions"]:
        described = ", ".join(f"position {k} is always {v}" for k, v in constant.items())
        yield "constant", f"{described}: it carries no information"
    yield from (("odd code", str(text)) for text in audit["odd_codes"])


def _learnability(o: Mapping[str, Any]) -> tuple[str, ...]:
    def between(key: str) -> str:
        low, high = o[f"{key}_interval"]
        return f"{low:.2f} to {high:.2f}"

    tau, along = f"{o['kendall_tau']:.2f}", f"{o['autocorrelation']:+.2f}"
    return f"{o['r2']:.2f}", between("r2"), tau, between("kendall_tau"), along


def _comparison(report: Report) -> Section | None:
    if report.comparison is None:
        return None
    return Section("comparison", "Methods under the same bill", tuple(comparison_blocks(report.comparison)))


def _settings(report: Report) -> Section:
    blocks: list[Block] = []
    if report.command:
        blocks += [Paragraph("The same again:"), Code(report.command)]
    items: list[tuple[str, str]] = []
    for name, value in report.settings.items():
        if isinstance(value, Mapping) and value and all(isinstance(item, Mapping) for item in value.values()):
            items += [(f"{name}, {key}", _setting(item)) for key, item in value.items()]
        else:
            items.append((name, _setting(value)))
    if report.fingerprint:
        items.append(("data fingerprint", report.fingerprint))
    items += [(f"version of {name}", text) for name, text in report.versions.items()]
    if report.created:
        items.append(("written", report.created))
    blocks.append(Pairs(tuple(items)))
    return Section("settings", "Settings and versions", tuple(blocks))


def _setting(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_setting(item)}" for name, item in value.items()) or "none"
    return "none" if value is None else json.dumps(value)


# ----------------------------------------------------------------- small pieces
def number(value: Any) -> str:
    """A number for people: six significant digits, thousands apart."""
    if value is None:
        return ""
    if isinstance(value, int) and abs(value) < 10**15:
        return f"{value:,}"
    value = float(value)
    return f"{value:,.0f}" if abs(value) >= 1e6 and abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def uncertain(value: float | None, std: float | None) -> str:
    """A value with its standard deviation, for people."""
    if value is None:
        return ""
    return f"{value:.5g} ± {std:.2g}" if std else f"{value:.5g}"


def gene_texts(report: Report, row: int) -> list[str]:
    """Label of each gene of an architecture; empty where it is inactive."""
    assert report.space is not None
    assert report.architectures is not None
    codes = report.architectures.codes[row]
    return [gene.labels[code] if code >= 0 else "" for gene, code in zip(report.space.genes, codes, strict=True)]


def architecture_text(report: Report, row: int) -> str:
    """An architecture in one line: its genes, then its raw objectives."""
    assert report.space is not None
    facts: Architectures | None = report.architectures
    assert facts is not None
    genes = [
        f"{gene.name}={text}"
        for gene, text, code in zip(report.space.genes, gene_texts(report, row), facts.codes[row], strict=True)
        if code >= 0
    ]
    values = ", ".join(
        f"{o.name} {number(v)} {o.unit}".strip() for o, v in zip(report.objectives, facts.raw[row], strict=True)
    )
    return f"{' '.join(genes)} ({values})"


# ----------------------------------------------------------------------- a search
def search_summary(report: Report) -> list[Block]:
    """What a search says when it ends: predictors with errors and correlations, quality, picks, bill and seconds."""
    bill, quality = report.bill, report.quality
    assert report.space is not None
    assert report.reference is not None
    share = f"{bill['evaluations']} of {bill['rows']} ({bill['evaluations'] / bill['rows']:.1%})"
    parts = ", ".join(f"{name} {value:.1f}" for name, value in report.seconds.items())
    items = [
        ("Evaluations billed", f"{share}: {bill['sample']} to train on, {bill['chosen']} chosen by the predictors"),
        *_cost(report),
        ("Front found", f"{bill['front_size']} points"),
        ("ADRS", f"{quality['adrs']:.5f}  (0 is the whole front; of everything billed)"),
        ("  predictor error", f"{quality['adrs_predictor']:.5f}  (true values of the predictions' exact front)"),
        ("  search error", f"{quality['adrs_search']:.5f}  (what the search missed of that front, as predicted)"),
        ("  tuner's estimate", _estimate(quality.get("tuner_adrs"))),
        ("Hypervolume", f"{quality['hypervolume']:.5f}  (1 is the whole front)"),
        ("Seconds", f"{sum(report.seconds.values()):.1f}  ({parts})"),
        *((_pick_name(pick), architecture_text(report, pick.row)) for pick in report.picks),
    ]
    return [
        Paragraph(
            f"{report.name}: {bill['rows']:,} architectures, {report.reference.kind} front of {report.reference.size}"
            f" points, space of {report.space.size:.4g}"
        ),
        Heading("Predictors (errors and correlations on rows that were not used for training)"),
        _search_predictors(report),
        *(Paragraph(line) for p in report.predictors for line in hyperparameter_lines(p)),
        Heading("Quality and bill"),
        Pairs(tuple(items)),
    ]


def _cost(report: Report) -> list[tuple[str, str]]:
    """What was spent, where costs are stated."""
    bill = report.bill
    if bill.get("cost") is None:
        return []
    whole = f"{bill['evaluations'] - bill['partial']} architectures measured completely, {bill['partial']} in part"
    return [("Cost billed", f"{cost_text(bill['cost'])} of {cost_text(bill['cost_budget'])}: {whole}")]


def _search_predictors(report: Report) -> Table:
    short = {"within_1pct": "<=1%", "within_5pct": "<=5%", "within_10pct": "<=10%"}
    by_name = {o.name: o for o in report.objectives}
    columns = ("objective", "goal", "predictor", *(short.get(key, METRICS[key][0]) for key in METRICS))
    rows = tuple(
        (
            by_name[p.objective].label,
            by_name[p.objective].direction,
            p.family,
            *(_metric(p.metrics.get(k), k) for k in METRICS),
        )
        for p in report.predictors
    )
    return Table(columns, rows, frozenset(range(3, len(columns))))


def _estimate(tuner_adrs: float | None) -> str:
    if tuner_adrs is None:
        return "none: too few evaluations to tune on"
    return f"{tuner_adrs:.5f}  (out of fold, on the sample)"
