"""Errors: each says what was expected, what came, and where.

Every error of this package derives from :class:`RapidMooError` and from the built-in that fits, so that
``except ValueError`` keeps working for callers who do not know this package.
"""

from __future__ import annotations


class RapidMooError(Exception):
    """Base class of every error that this package raises on purpose."""


class InputError(RapidMooError, ValueError):
    """A value, option or file content is not what was expected."""


class DataNotFoundError(RapidMooError, FileNotFoundError):
    """A table, model or folder is not where it was looked for."""


class FetchError(RapidMooError, OSError):
    """A published table could not be fetched, or is not what the manifest promises."""


class MissingExtraError(RapidMooError, ImportError):
    """An optional dependency is needed; the message names the extra that brings it."""


class MeasurementError(RapidMooError, RuntimeError):
    """A measurement did not come to its end: it took too long, or its process was killed."""


class ConformanceError(RapidMooError, AssertionError):
    """A search space, problem or predictor breaks a promise that the rest of the package relies on."""


class MeasureError(RapidMooError, RuntimeError):
    """The user's own measure has a bug; the message holds its traceback."""


class StudyError(RapidMooError, RuntimeError):
    """A study's folder cannot be used: it is damaged, foreign, newer, held by another process or on a full disk."""


class WorkerDiedError(RapidMooError, RuntimeError):
    """A worker ended before its work did: it was killed, crashed, left, or could not even start.

    Attributes
    ----------
    how : str
        How it ended, such as "was killed by signal 9 (out of memory?)"; empty where that is not known.
    """

    how: str = ""


class WorkTimeoutError(RapidMooError, TimeoutError):
    """Work took longer than it was allowed to, and was ended."""
