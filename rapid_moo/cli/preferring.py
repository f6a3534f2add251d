"""``--prefer``: weights of the objectives that name one network of a front."""

from __future__ import annotations

from collections.abc import Sequence

from rapid_moo.errors import InputError
from rapid_moo.preferences import preferred_point


def weights_of(text: str | None, names: Sequence[str]) -> list[float] | None:
    """The weights that a text states, one for each objective; None without one.

    Raises
    ------
    InputError
        If they are not as many as there are names, one is no number of 0 or more, or all are 0.
    """
    if text is None:
        return None
    try:
        weights = [float(part) for part in text.split(",")]
        preferred_point([[0.0] * len(names)], weights)
    except ValueError as error:
        told = f"expected a weight >= 0 for each of {','.join(names)}, not all 0"
        raise InputError(f"--prefer: {told}, got {text!r}") from error
    return weights
