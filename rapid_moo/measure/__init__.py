"""Measures: the user's own training and measuring, whatever form it has and whatever it returns.

A measure takes an architecture as a dict of its active genes and gives a dict of raw objectives. It may be a Python
function, several functions by objective, or a command line that reads JSON on standard input and prints JSON. What it
returns is read strictly: a value that is no finite number is a failure of the objective concerned, with a reason that
helps, and what else was measured is kept.

A function with a parameter named ``report`` gets :class:`Reports`: ``report(3, {"error": 9.5}, of=30)`` says what the
error is after three of thirty steps, and gives True where the rest is not worth it, see :mod:`rapid_moo.stopping`. A
command says the same by a line, see :mod:`rapid_moo.measure.commands`.
"""

from rapid_moo.measure.attempts import Attempt, Coded, Packed, as_attempts, is_users, measure_times, user_trace
from rapid_moo.measure.commands import Command, CommandFailedError, parse_output
from rapid_moo.measure.guard import FIRST_RAISED, SAME_RAISED, Bug, Guard
from rapid_moo.measure.outcomes import Architecture, Outcome, as_float, as_number, read_result, shortened, together
from rapid_moo.measure.reports import Reports, wants_reports

__all__ = [
    "FIRST_RAISED",
    "SAME_RAISED",
    "Architecture",
    "Attempt",
    "Bug",
    "Coded",
    "Command",
    "CommandFailedError",
    "Guard",
    "Outcome",
    "Packed",
    "Reports",
    "as_attempts",
    "as_float",
    "as_number",
    "is_users",
    "measure_times",
    "parse_output",
    "read_result",
    "shortened",
    "together",
    "user_trace",
    "wants_reports",
]
