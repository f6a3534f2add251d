"""What is odd about a table and cannot be seen in it: small detectors, each of one kind of trouble.

Detectors are pure functions of rows, columns and out-of-fold predictions. None depends on a unit or an offset. They
run in an order in which one explains away what another would see: the rows of a failure code are no spikes.
"""

from rapid_moo.findings.columns import identifiers
from rapid_moo.findings.find import Look, find_all
from rapid_moo.findings.finding import KINDS, Finding

__all__ = ["KINDS", "Finding", "Look", "find_all", "identifiers"]
