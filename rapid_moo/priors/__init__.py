"""Priors: what other devices, data sets and earlier studies tell about an objective."""

from rapid_moo.priors.prior import Prior, Priors
from rapid_moo.priors.source import Source
from rapid_moo.priors.transfer import Transfer

__all__ = ["Prior", "Priors", "Source", "Transfer"]
