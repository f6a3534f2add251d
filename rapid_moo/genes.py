"""Genes: the decisions about an architecture, their choices as a user writes them, and when they have an effect."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from rapid_moo._util import BoolArray
from rapid_moo.errors import InputError

Choice: TypeAlias = int | float | str | bool | None
RELATIONS = ("<=", ">=", "==", "!=", "<", ">", "in")
_CONDITION = re.compile(
    r"\s*(?P<gene>\"(?:[^\"\\]|\\.)*\"|[^\s<>=!]+)\s*(?P<relation><=|>=|==|!=|<|>|=|\bin\b)\s*(?P<value>.+?)\s*"
)
# "and" outside of quotes: an even number of them follows.
_AND = re.compile(r"\s+and\s+(?=(?:[^\"\\]|\\.|\"(?:[^\"\\]|\\.)*\")*$)")
_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_TOKEN = re.compile(r"\s*(?P<name>\"(?:[^\"\\]|\\.)*\"|[^\s=\"]+)=(?P<label>\"(?:[^\"\\]|\\.)*\"|[^\s=\",]+)(?:\s+|$)")
_PLAIN_GENE = re.compile(r"[^\s<>=!\",\\{}]+")
_PLAIN = re.compile(r"[^\s=\",\\]+")


def as_choice(value: Any, where: str) -> Choice:
    """A choice as its owner wrote it; a NumPy scalar becomes Python's.

    Raises
    ------
    InputError
        If it is no finite number, text, bool or None, which are what files and command lines keep exactly.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    if isinstance(plain, int) and -(2**63) <= plain < 2**63:
        return plain
    if isinstance(plain, str):
        return _kept(plain, where)
    raise InputError(f"{where}: expected an int of 64 bits, a finite float, a str, a bool or None, got {value!r}")


def _kept(text: str, where: str) -> str:
    """A text that a file can hold: half a character (a lone surrogate) cannot be written."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: expected a text that can be written, got {text!r}: {error.reason}") from error
    return text


def same_choice(a: Any, b: Any) -> bool:
    """Whether two choices are the same: 4 and 4.0 are, True and 1 or None and 0 are not."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _number(choice: Choice) -> bool:
    return isinstance(choice, int | float) and not isinstance(choice, bool)


@dataclass(frozen=True)
class Condition:
    """When a gene has an effect: another gene's choice compared with values.

    Parameters
    ----------
    gene : str
        Name of the gene that decides.
    relation : {"in", "!=", "<=", ">=", "<", ">"}
        How its choice is compared.
    values : tuple
        Its choices for "in" and "!=", one number for the others.
    """

    gene: str
    relation: str
    values: tuple[Choice, ...]

    def allowed(self, choices: Sequence[Choice], where: str) -> BoolArray:
        """Which choices of the deciding gene meet the condition, shape (n_choices,).

        Raises
        ------
        InputError
            If a value is none of the choices, a choice is no number where one is compared, or none of them fits.
        """
        if self.relation in ("in", "!="):
            for value in self.values:
                if not any(same_choice(value, choice) for choice in choices):
                    raise InputError(f"{where}: expected choices of {self.gene!r}, {list(choices)}, got {value!r}")
            met = np.array([any(same_choice(v, c) for v in self.values) for c in choices], dtype=np.bool_)
            met = ~met if self.relation == "!=" else met
        else:
            if not all(_number(choice) for choice in choices):
                raise InputError(f"{where}: expected numbers as choices of {self.gene!r}, got {list(choices)}")
            numbers, bound = np.array([float(c or 0) for c in choices]), float(self.values[0] or 0)
            compare = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}[self.relation]
            met = np.asarray(compare(numbers, bound), dtype=np.bool_)
        if not met.any():
            raise InputError(f"{where}: expected a condition that some choice of {self.gene!r} meets, got {self}")
        return met

    def __str__(self) -> str:
        plain = _PLAIN_GENE.fullmatch(self.gene) and self.gene not in ("in", "and")
        gene = self.gene if plain else json.dumps(self.gene, ensure_ascii=False)
        if self.relation == "in":
            return f"{gene} in {{{', '.join(json.dumps(value) for value in self.values)}}}"
        return f"{gene} {self.relation} {json.dumps(self.values[0])}"


def parse_conditions(when: Any, where: str) -> tuple[Condition, ...]:
    """Conditions as people state them, all of which must hold.

    Parameters
    ----------
    when : None, str, mapping or sequence of Condition
        ``"depth >= 3"``, ``"op in {conv, mlp} and depth > 1"``, ``{"op": "conv"}``, ``{"depth": [4, 8]}``,
        ``{"depth": ">= 3"}``.
    where : str
        What it belongs to, for messages.
    """
    if when is None:
        return ()
    if isinstance(when, Condition):
        return (when,)
    if isinstance(when, str):
        return tuple(_parse_condition(part, where) for part in _AND.split(when))
    if isinstance(when, Mapping):
        return tuple(_from_entry(str(gene), value, where) for gene, value in when.items())
    if isinstance(when, Sequence) and all(isinstance(item, Condition) for item in when):
        return tuple(when)
    raise InputError(f"{where}: expected when as text or as {{gene: choice}}, got {when!r}")


def _from_entry(gene: str, value: Any, where: str) -> Condition:
    if isinstance(value, str) and (match := _COMPARISON.fullmatch(value)):
        return Condition(gene, match[1], (_literal(match[2]),))
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    values = tuple(as_choice(item, f"{where}: when {gene!r}") for item in several)
    if not values:
        raise InputError(f"{where}: expected at least one choice of {gene!r} in when, got none")
    return Condition(gene, "in", values)


def _parse_condition(text: str, where: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InputError(f"{where}: expected a condition like 'depth >= 3' or 'op in {{conv, mlp}}', got {text!r}")
    gene, relation, value = _unquoted(match["gene"]), match["relation"], match["value"]
    if relation == "in":
        inner = value[1:-1] if value[:1] in "{[(" and value[-1:] in "}])" else value
        return Condition(gene, "in", tuple(_literal(part) for part in _split(inner)))
    literal = _literal(value)
    if relation in ("==", "="):
        return Condition(gene, "in", (literal,))
    if relation != "!=" and not _number(literal):
        raise InputError(f"{where}: expected a number after {relation!r}, got {value!r}")
    return Condition(gene, relation, (literal,))


def _split(text: str) -> list[str]:
    return [part for part in re.findall(r"\s*(\"(?:[^\"\\]|\\.)*\"|[^,]+)\s*(?:,|$)", text) if part.strip()]


def _literal(text: str) -> Choice:
    """A value in a condition's text: JSON where it is JSON, Python's words for bool and None, else a bare word."""
    word = text.strip()
    if word in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[word]
    try:
        found = json.loads(word)
    except ValueError:
        return word.strip("'")
    return found if found is None or isinstance(found, bool | int | float | str) else word


@dataclass(frozen=True)
class Gene:
    """One decision about an architecture.

    Parameters
    ----------
    name : str
        Name in reports, files and architectures.
    choices : tuple of int, float, str, bool or None
        What each code stands for, kept exactly: code ``i`` is ``choices[i]``.
    labels : tuple of str, optional
        Readable name of each choice; the value itself if not given.
    ordered : bool, optional
        Whether neighbouring codes are similar (a width) or not (an operation). By default numbers in rising or falling
        order are, everything else is not.
    weight : float
        Weight of the gene in the distance between genotypes, for example the number of layers it acts on.
    when : str or mapping, optional
        When the gene has an effect, see :func:`parse_conditions`; always by default. Otherwise it is inactive: not
        part of the architecture, whatever its code.
    """

    name: str
    choices: tuple[Any, ...]
    labels: tuple[str, ...] = ()
    ordered: bool | None = None
    weight: float = 1.0
    when: Any = None

    def __post_init__(self) -> None:
        where = f"gene {self.name!r}"
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError(f"gene: expected a name, got {self.name!r}")
        _kept(self.name, "gene")
        if isinstance(self.choices, str) or not hasattr(self.choices, "__iter__"):
            raise InputError(f"{where}: expected a sequence of choices, got {self.choices!r}")
        choices = tuple(as_choice(choice, where) for choice in self.choices)
        if not choices or len(set(choices)) < len(choices):
            raise InputError(f"{where}: expected distinct choices, at least one, got {list(choices)}")
        object.__setattr__(self, "choices", choices)
        object.__setattr__(self, "labels", self._labels(where))
        if not isinstance(self.ordered, bool | np.bool_ | None):
            raise InputError(f"{where}: expected ordered to be True or False, got {self.ordered!r}")
        object.__setattr__(self, "ordered", _monotone(choices) if self.ordered is None else bool(self.ordered))
        if not (isinstance(self.weight, int | float) and math.isfinite(self.weight) and self.weight >= 0):
            raise InputError(f"{where}: expected a weight that is not negative, got {self.weight!r}")
        object.__setattr__(self, "when", parse_conditions(self.when, where))

    def _labels(self, where: str) -> tuple[str, ...]:
        if isinstance(self.labels, str):
            raise InputError(f"{where}: expected a sequence of labels, got {self.labels!r}")
        if not self.labels:
            return _distinct_labels(self.choices)
        labels = tuple(_kept(str(label), where) for label in self.labels)
        if len(labels) != len(self.choices) or len(set(labels)) != len(labels):
            raise InputError(f"{where}: expected {len(self.choices)} distinct labels, got {list(labels)}")
        return labels

    @property
    def numeric(self) -> bool:
        """Whether every choice is a number."""
        return all(_number(choice) for choice in self.choices)

    @cached_property
    def shared_texts(self) -> frozenset[str]:
        """What several choices look like as text: 1 and "1"."""
        return frozenset(text for text, times in Counter(map(str, self.choices)).items() if times > 1)

    @cached_property
    def _code_of(self) -> dict[Choice, int]:
        return {choice: code for code, choice in enumerate(self.choices)}

    def code(self, value: Any) -> int:
        """Code of a choice.

        Raises
        ------
        InputError
            If it is none; the message lists the choices.
        """
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            code = self._code_of.get(plain)
        except TypeError:  # a list, say, has no hash and is no choice
            code = None
        if code is not None and same_choice(plain, self.choices[code]):
            return code
        raise InputError(f"gene {self.name!r}: expected one of {list(self.choices)}, got {value!r}")


def _distinct_labels(choices: Sequence[Choice]) -> tuple[str, ...]:
    """The choices as texts; the text "1" beside the number 1 gets quotes, to be told apart."""
    labels = {i: str(choice) for i, choice in enumerate(choices) if not isinstance(choice, str)}
    for i, choice in enumerate(choices):
        if isinstance(choice, str):
            label = str(choice)
            while label in labels.values():
                label = json.dumps(label)
            labels[i] = label
    return tuple(labels[i] for i in range(len(choices)))


def _monotone(choices: tuple[Choice, ...]) -> bool:
    if not all(_number(choice) for choice in choices):
        return False
    numbers = [float(choice or 0) for choice in choices]
    rising = [a < b for a, b in pairwise(numbers)]
    return all(rising) or not any(rising)


def check_genes(name: str, genes: Sequence[Gene], inactive: int) -> None:
    """Refuse genes that cannot be told apart or whose conditions make no sense.

    Raises
    ------
    InputError
        For a repeated name, a condition on an unknown gene, an unknown choice or in a circle, and for a choice that
        is the value of an inactive gene beside a condition.
    """
    names = [gene.name for gene in genes]
    for k, gene in enumerate(genes):
        if gene.name in names[:k]:
            raise InputError(f"{name}: expected distinct gene names, got {gene.name!r} twice")
        for condition in gene.when:
            where = f"{name}: gene {gene.name!r}"
            if condition.gene not in names or condition.gene == gene.name:
                raise InputError(f"{where}: expected a condition on another gene, got {condition.gene!r}")
            condition.allowed(genes[names.index(condition.gene)].choices, where)
        if gene.when and any(_number(c) and c == inactive for c in gene.choices):
            raise InputError(
                f"{name}: gene {gene.name!r}: expected no choice {inactive} beside a condition, since {inactive} says"
                f" that a gene is inactive; got choices {list(gene.choices)}"
            )
    causal_order(name, genes)


def causal_order(name: str, genes: Sequence[Gene]) -> list[int]:
    """Positions of the genes, each after those that its conditions ask for."""
    position = {gene.name: k for k, gene in enumerate(genes)}
    order: list[int] = []
    waiting = list(range(len(genes)))
    while waiting:
        ready = [k for k in waiting if all(position[c.gene] in order for c in genes[k].when)]
        if not ready:
            raise InputError(
                f"{name}: expected conditions without a circle, got one of {[genes[k].name for k in waiting]}"
            )
        order += ready
        waiting = [k for k in waiting if k not in ready]
    return order


# ---------------------------------------------------------------- text
def quoted(text: str) -> str:
    """A name or label in an architecture's text: in JSON's quotes where it could be misread."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        return token
    found = json.loads(token)
    return str(found)


def tokens(text: str, where: str) -> Iterator[tuple[str, str]]:
    """Names and labels of an architecture's text such as ``depth=2 op="dw conv"``.

    Raises
    ------
    InputError
        If a part cannot be read.
    """
    at = 0
    body = text.strip()
    while at < len(body):
        match = _TOKEN.match(body, at)
        if match is None:
            raise InputError(f"{where}: cannot read {body[at : at + 40]!r} in architecture {text!r}")
        try:
            yield _unquoted(match["name"]), _unquoted(match["label"])
        except ValueError as error:
            raise InputError(f"{where}: cannot read {match[0]!r} in architecture {text!r}") from error
        at = match.end()
