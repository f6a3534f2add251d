"""Committee: several predictors of one objective, whose weighted mean is the prediction.

Where a sample is too small to tell configurations apart, their errors differ more than their quality: a mean of them
is better than most of its members, and never worse than their mean error (Jensen's inequality).

The spread of the mean is the root of the members' mean variance, scaled so that the rows that no member had seen lie
within the intervals as often as these say: how much members share of their errors only the rows can tell.

Source: L. K. Hansen, P. Salamon, "Neural network ensembles", IEEE TPAMI 12, 1990.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rapid_moo.errors import InputError
from rapid_moo.predictors.predictor import PredictorSpec

MOST_MEMBERS = 100


@dataclass(frozen=True)
class Committee:
    """Which predictors, and how much each of them counts.

    Parameters
    ----------
    members : tuple of PredictorSpec
        Two at least, all different.
    shares : tuple of float
        One per member, positive; their sum is 1.
    """

    members: tuple[PredictorSpec, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2 or len({member.label for member in self.members}) < len(self.members):
            raise InputError(f"committee: expected two or more different predictors, got {len(self.members)}")
        if len(self.shares) != len(self.members) or min(self.shares) <= 0.0 or abs(sum(self.shares) - 1.0) > 1e-6:
            raise InputError(
                f"committee: expected {len(self.members)} positive shares that sum to 1, got {list(self.shares)}"
            )

    @property
    def family(self) -> str:
        """Families of the members, those of the largest shares first, joined by "+"."""
        order = sorted(range(len(self.members)), key=lambda i: (-self.shares[i], i))
        return "+".join(dict.fromkeys(self.members[i].family for i in order))

    @property
    def label(self) -> str:
        """One line that identifies the committee."""
        parts = [f"{share:.3g} of {member.label}" for share, member in zip(self.shares, self.members, strict=True)]
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "family": self.family,
            "members": [
                {"share": share, **member.to_dict()} for share, member in zip(self.shares, self.members, strict=True)
            ],
        }


Spec: TypeAlias = PredictorSpec | Committee
"""What predicts an objective: one predictor, or the mean of several."""


def committee_of(specs: Sequence[PredictorSpec]) -> Spec:
    """The mean of predictors that may occur more than once; the predictor itself if there is only one."""
    counts: dict[str, int] = {}
    for spec in specs:
        counts[spec.label] = counts.get(spec.label, 0) + 1
    if len(counts) == 1:
        return specs[0]
    first = {spec.label: spec for spec in reversed(specs)}
    return Committee(tuple(first[label] for label in counts), tuple(count / len(specs) for count in counts.values()))


def members_of(spec: Spec) -> tuple[tuple[PredictorSpec, float], ...]:
    """Predictors and their shares; a single predictor has all of it."""
    if isinstance(spec, Committee):
        return tuple(zip(spec.members, spec.shares, strict=True))
    return ((spec, 1.0),)


def spec_from_dict(content: Mapping[str, Any]) -> Spec:
    """From the JSON form of a predictor or a committee; unknown keys are errors."""
    if "members" not in content:
        return PredictorSpec.from_dict(content)
    if set(content) != {"family", "members"}:
        raise InputError(f"committee: expected keys ['family', 'members'], got {sorted(content)}")
    if not 0 < len(content["members"]) <= MOST_MEMBERS:
        raise InputError(f"committee: expected 1 to {MOST_MEMBERS} members, got {len(content['members'])}")
    shares = [float(item["share"]) for item in content["members"]]
    members = [{key: value for key, value in item.items() if key != "share"} for item in content["members"]]
    return Committee(tuple(PredictorSpec.from_dict(item) for item in members), tuple(shares))
