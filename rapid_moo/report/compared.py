"""A comparison in words and tables: quality and ranks first, then losses, evaluations to a target, and overhead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rapid_moo.costs import cost_text
from rapid_moo.report.blocks import Block, Heading, Paragraph, Span, Table, Text, marked, strong, table
from rapid_moo.report.facts import ComparisonFacts

QUALITIES = {"adrs": "ADRS", "hypervolume": "hypervolume"}
SIGNS = {"=": "", ">=": "≥ ", "<=": "≤ ", "~": "~ "}
COST = "cost"


def comparison_blocks(facts: ComparisonFacts) -> list[Block]:
    """The whole of it."""
    blocks: list[Block] = [_setting(facts)]
    for quality in facts.quality:
        blocks += quality_blocks(quality, facts.spent)
    if facts.record is not None:
        blocks += _record_blocks(facts.record)
    blocks += _target_blocks(facts)
    if facts.record is not None and facts.speedups is not None:
        blocks += _speedup_blocks(facts.speedups, str(facts.record["method"]), facts.spent)
    return [*blocks, *_overhead_blocks(facts), *_made_blocks(facts)]


def _setting(facts: ComparisonFacts) -> Paragraph:
    counted = "unique evaluations"
    if facts.spent == COST:
        counted = "the cost of what was measured, each objective of an architecture at its price and none twice"
    methods, tables, seeds = (
        f"{n} {name}{'' if n == 1 else 's'}"
        for name, n in (("method", len(facts.methods)), ("table", len(facts.tables)), ("seed", facts.seeds))
    )
    return Paragraph(
        f"{methods}, {tables}, up to {seeds}. Every number counts {counted}; one-shot methods bill the"
        " front that they verify on top of the budget. The oracle knows the truth and takes, one after the other, the"
        " point of the front that lowers the ADRS most; it is not chosen by hypervolume, so a method may be ahead of it"
        " there."
    )


def quality_blocks(quality: Mapping[str, Any], spent: str = "evaluations") -> list[Block]:
    """Ranks, bills and median ADRS at one budget; of a single table, everything that was judged."""
    tables, lines = quality["tables"], quality["methods"]
    if len(tables) == 1:
        return [
            Heading(f"At a budget of {_budget(quality['budget'])}"),
            Paragraph(marked("Medians over seeds, lowest ADRS first, **the best of a column** marked so.")),
            _single(lines, spent),
        ]
    told = f"Medians over seeds, lower is better, **the best of a table** marked so; *bill*: {spent} over the budget."
    if any(line["rank"] is None for line in lines):
        told += " Methods that did not run on every table are not ranked."
    if quality["friedman_p"] is not None:
        told += (
            f" Friedman p = {quality['friedman_p']:.2g}. Two methods whose ranks differ by less than the critical"
            f" difference of {quality['critical_difference']:.1f} cannot be told apart by these tables (Nemenyi's test"
            " at 5 %)."
        )
    columns = [_column((line["adrs"][k] for line in lines), "{:.4f}", min) for k in range(len(tables))]
    rows = (
        [line["method"], _number(line["rank"], "{:.1f}"), f"{line['bill']:.2f}", *cells]
        for line, *cells in zip(lines, *columns, strict=True)
    )
    names = ["method", "rank", "bill", *tables]
    return [Heading(f"ADRS at a budget of {_budget(quality['budget'])}"), Paragraph(marked(told)), _table(names, rows)]


def _single(lines: Sequence[Mapping[str, Any]], spent: str) -> Table:
    """Methods on one table: what each spent, and all that it is judged by."""
    shown: dict[str, list[Text]] = {"method": [line["method"] for line in lines]}
    values = {name: [line[name][0] for line in lines] for name in lines[0] if isinstance(lines[0][name], list)}
    shown["evaluations"] = [_number(value, "{:g}") for value in values["evaluations"]]
    if spent == COST:
        shown["cost"] = [cost_text(value) for value in values["cost"]]
    shown["ADRS"] = _column(values["adrs"], "{:.4f}", min)
    shown["hypervolume"] = _column(values["hypervolume"], "{:.4f}", max)
    shown["IGD+"] = _column(values["igd_plus"], "{:.4f}", min)
    shown["front size"] = [_number(value, "{:g}") for value in values["front_size"]]
    shown["seconds"] = [_number(value, "{:.3g}") for value in values["seconds"]]
    return _table(list(shown), zip(*shown.values(), strict=True))


def summary_blocks(
    told: str, qualities: Iterable[Mapping[str, Any]], spent: str, record: Mapping[str, Any] | None = None
) -> list[Block]:
    """What a comparison says of one table when it ends, at each budget; ``told`` is what is known beforehand."""
    blocks: list[Block] = [Paragraph((told, *marked(" Lowest ADRS first, **the best of a column** marked so.")))]
    for quality in qualities:
        blocks += [Heading(f"At a budget of {_budget(quality['budget'])}"), _single(quality["methods"], spent)]
    if record is not None:
        told = "Won and lost over the budgets by the median over seeds; in brackets those that differ significantly."
        blocks += [Heading(f"{record['method']} against each rival"), Paragraph(told), *_against(record)]
    return blocks


def _record_blocks(record: Mapping[str, Any]) -> list[Block]:
    method = str(record["method"])
    told = (
        "Comparisons on a table at a budget, won and lost by the median over seeds; in brackets those that differ"
        f" significantly (Wilcoxon rank-sum, Holm within table and budget, {record['level']:.0%}). A rival that is"
        " billed beyond the budget is compared at the budget it was given. Methods that begin at random begin with the"
        " same architectures for a seed: at a budget of a first population they are one sample, compared several times."
    )
    blocks: list[Block] = [Heading(f"{method} against each rival"), Paragraph(told), *_against(record)]
    for quality, label in QUALITIES.items():
        if lost := record["losses"][quality]:
            names = ["table", "budget", "rival", f"{method}'s {label}", f"rival's {label}", "p (Holm)"]
            rows = (
                [
                    line["table"],
                    _budget(line["budget"]),
                    line["rival"],
                    *(f"{line[key]:.4f}" for key in ("own", "other")),
                    strong(f"{line['p']:.2g}", line["p"] < record["level"]),
                ]
                for line in lost
            )
            blocks += [Heading(f"Where {method} loses by {label}"), table(names, rows, {1, 3, 4, 5})]
    return blocks


def _against(record: Mapping[str, Any]) -> list[Block]:
    """Wins and losses against each rival, behind a word on what so few seeds can show."""
    rows = (
        [
            line["rival"],
            line["comparisons"],
            *(f"{line[q][end]} ({line[q][f'{end}_clearly']})" for q in QUALITIES for end in ("won", "lost")),
        ]
        for line in record["rivals"]
    )
    names = ["rival", "comparisons", *(f"{label} {end}" for label in QUALITIES.values() for end in ("won", "lost"))]
    found = _table(names, rows)
    few = record.get("too_few")
    if few is None:
        return [found]
    where = "" if few["cases"] == few["all"] else f" in {few['cases']} of {few['all']} cases (tables and budgets)"
    told = (
        f"With {few['seeds']} seed{'' if few['seeds'] == 1 else 's'} and {few['methods']} methods no difference can be"
        f" significant{where}: the smallest p that the test can give is {few['p']:.2g} after Holm's correction. At"
        f" least {few['needed']} seeds of each method are needed."
    )
    return [Paragraph(told), found]


def _target_blocks(facts: ComparisonFacts) -> list[Block]:
    """Median evaluations to each ADRS, by method and table; ``>n`` where half of the runs did not get there."""
    within = "within a cost of n" if facts.spent == COST else "within n evaluations"
    told = f"Median over seeds; `>n`: at least half of the runs did not get there {within}."
    blocks: list[Block] = [Heading(f"{facts.spent.capitalize()} to reach an ADRS"), Paragraph(marked(told))]
    if len(facts.tables) == 1:
        # A column by target instead of by table.
        order = [line["method"] for line in facts.targets[0]["methods"]] if facts.targets else []
        columns = [_reached(target, facts.spent) for target in facts.targets]
        lines = {name: [column[name][0] for column in columns] for name in ("", *order)}
        return [*blocks, _target_table(lines, [f"ADRS {target['target']:g}" for target in facts.targets], facts)]
    for target in facts.targets:
        blocks += [
            Paragraph(f"ADRS {target['target']:g}:"),
            _target_table(_reached(target, facts.spent), target["tables"], facts),
        ]
    return blocks


def _reached(target: Mapping[str, Any], spent: str) -> dict[str, list[str]]:
    """What an ADRS took on each table, by method; the oracle has no name."""
    found = {"": [_spent(value, None, spent) for value in target["oracle"]]}
    for line in target["methods"]:
        pairs = zip(line["spent"], line["at_least"], strict=True)
        found[line["method"]] = [_spent(value, bound, spent) for value, bound in pairs]
    return found


def _target_table(lines: Mapping[str, Sequence[str]], columns: Sequence[str], facts: ComparisonFacts) -> Table:
    own = facts.record["method"] if facts.record is not None else None
    rows = (
        [strong(name, name == own) if name else Span("oracle", "emphasis"), *cells] for name, cells in lines.items()
    )
    return _table(["method", *columns], rows)


def _speedup_blocks(found: Mapping[str, Any], method: str, spent: str) -> list[Block]:
    told = (
        "Geometric mean over tables, by ADRS target; below 1 the rival is faster. Who does not get there counts with"
        f" the {spent} spent: `≥` where that holds for the rival on some table, `≤` where it holds for the method,"
        " `~` for both. Tables on which neither gets there are left out, and those on which the one that does not was"
        " stopped before the other got there."
    )
    rows = (
        [
            line["rival"],
            *(
                SIGNS[bound] + _number(times, "{:.1f}") if times is not None else ""
                for times, bound in zip(line["times"], line["bounds"], strict=True)
            ),
        ]
        for line in found["rivals"]
    )
    names = ["rival", *(f"ADRS {target:g}" for target in found["targets"])]
    title = f"How many times {'less cost' if spent == COST else 'fewer evaluations'} {method} needs"
    return [Heading(title), Paragraph(marked(told)), _table(names, rows)]


def _overhead_blocks(facts: ComparisonFacts) -> list[Block]:
    told = (
        "Median wall milliseconds per evaluation that the method itself takes, evaluations excluded, in runs to the"
        " table's largest budget or to the one in brackets. With most methods it grows with the length of the run."
    )
    rows = (
        [
            line["method"],
            *(
                "" if seconds is None else f"{1e3 * seconds:.3g}" + ("" if at is None else f" ({_budget(at)})")
                for seconds, at in zip(line["seconds"], line["budgets"], strict=True)
            ),
        ]
        for line in facts.overheads
    )
    return [Heading("Overhead of the optimizers"), Paragraph(told), _table(["method", *facts.tables], rows)]


def _made_blocks(facts: ComparisonFacts) -> list[Block]:
    keys = ("commit", "versions", "machine")
    codes: dict[str, set[str]] = {}
    for line in facts.made:
        for name in line["methods"]:
            codes.setdefault(name, set()).add(line.get("code", ""))
    # Built-in methods have no code of their own.
    own = any(code for several in codes.values() for code in several)
    rows = (
        [
            line["runs"],
            ", ".join(line["methods"]),
            *([line.get("code", "")] if own else []),
            *(line[key] or "not recorded" for key in keys),
        ]
        for line in facts.made
    )
    columns = ["runs", "methods", *(["code"] if own else []), *keys]
    blocks: list[Block] = [Heading("What the runs were made with"), table(columns, rows, {0})]
    if mixed := [name for name, several in codes.items() if len(several) > 1]:
        told = f"Runs of {', '.join(mixed)} are of different code on different tables: make the older ones again."
        blocks.insert(1, Paragraph(told))
    return blocks


# ----------------------------------------------------------------- small pieces
def _table(columns: Sequence[object], rows: Iterable[Iterable[object]]) -> Table:
    """A table with names first and numbers behind."""
    return table(columns, rows, range(1, len(columns)))


def _column(values: Iterable[float | None], form: str, best: Any) -> list[Text]:
    """Numbers, of which the best stand out."""
    found = list(values)
    known = [value for value in found if value is not None]
    return [strong(_number(value, form), len(known) > 0 and value == best(known)) for value in found]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _budget(budget: float) -> str:
    return f"{budget:g}" if budget > 1 else f"{100 * budget:g} %"


def _spent(value: float | None, bound: float | None, spent: str) -> str:
    form = cost_text if spent == COST else "{:.0f}".format
    if value is not None:
        return form(value)
    return "" if bound is None else f">{form(bound)}"
