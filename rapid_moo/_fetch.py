"""Downloads that stall, drip, break off and change under way: timeouts, retries, resumption and a length check."""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rapid_moo._util import as_count, write_text
from rapid_moo.errors import FetchError, InputError
from rapid_moo.progress import Progress, ProgressCallback

_LOG = logging.getLogger(__name__)
_BLOCK = 1 << 16
_RETRIED = (408, 416, 425, 429)
SLOWEST = 1000
"""Bytes that must come within each ``timeout``: a server that drips is one that stalls."""


@dataclass(frozen=True)
class _Origin:
    """What a partial file is a part of: the address, the version that the server named, and its size (0: unknown)."""

    url: str
    version: str = ""
    total: int = 0


def download(
    url: str,
    part: Path,
    *,
    timeout: float,
    total_timeout: float,
    retries: int,
    pause: float,
    progress: ProgressCallback | None = None,
) -> bool:
    """Download into a partial file, going on with what it already holds.

    The partial file stays after a failure or Ctrl-C, so that a later call resumes; whether the whole is right is for
    the caller to check. A file ``NAME.origin`` beside it tells what it is a part of.

    Returns
    -------
    bool
        Whether bytes of an earlier attempt are part of the file.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"address: expected http://… or https://…, got {url!r}")
    part.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + total_timeout
    failure: Exception | None = None
    attempts = 0
    for attempt in range(retries + 1):
        wait = pause * 2 ** (attempt - 1) if attempt else 0.0
        if attempt and time.monotonic() + wait >= deadline:
            break
        time.sleep(wait)
        attempts += 1
        try:
            return _attempt(url, part, timeout, deadline, progress)
        except urllib.error.HTTPError as error:
            failure = error
            error.close()
            if error.code == 416:
                discard(part)
            if error.code < 500 and error.code not in _RETRIED:
                break
        except (OSError, http.client.HTTPException) as error:
            failure = error
        except ValueError as error:
            raise InputError(f"address: expected http://… or https://…, got {url!r}: {error}") from error
        _LOG.info("%s: attempt %d failed: %s", url, attempts, failure)
    have = part.stat().st_size if part.exists() else 0
    kept = f"; {have} bytes are kept in {part} for another try" if have else ""
    tries = f"{attempts} attempt{'s' if attempts != 1 else ''}"
    raise FetchError(f"{url}: expected a table, got after {tries}: {failure or 'no time left'}{kept}") from failure


def discard(part: Path) -> None:
    """Remove a partial file and what is known about it."""
    part.unlink(missing_ok=True)
    _origin_path(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, timeout: float, deadline: float, progress: ProgressCallback | None) -> bool:
    known = _read_origin(part, url)
    have = part.stat().st_size if known is not None else 0
    headers = {"User-Agent": "rapid-moo"}
    if known is not None and have:
        headers["Range"] = f"bytes={have}-"
        if known.version:
            headers["If-Range"] = known.version
    limit = min(timeout, max(deadline - time.monotonic(), 0.01))
    with _opened(urllib.request.Request(url, headers=headers), limit) as response:
        origin = _origin_of(response, url)
        if response.status == 206 and (known is None or not _continues(response, have, known, origin)):
            discard(part)
            raise OSError("the file at the address is not the one whose beginning was received; starting again")
        if response.status != 206:
            have = 0  # The server sends the whole: it cannot resume, or the file has changed.
        resumed = have > 0
        if not resumed:
            part.unlink(missing_ok=True)
            write_text(_origin_path(part), json.dumps(asdict(origin)))
        pace, since = have, time.monotonic()
        with part.open("ab") as out:
            # read1 returns with what has come, so that a trickle can outlive neither the deadline nor the patience.
            while block := response.read1(_BLOCK):
                out.write(block)
                have += len(block)
                if progress is not None:
                    progress(Progress(have, origin.total or None))
                now = time.monotonic()
                if now > deadline:
                    raise TimeoutError(f"no time left after {have} of {origin.total or 'unknown'} bytes")
                if have - pace >= SLOWEST:
                    pace, since = have, now
                elif now - since > timeout:
                    raise TimeoutError(f"fewer than {SLOWEST} bytes in {timeout:g} s, after {have} bytes")
    if origin.total and have != origin.total:
        raise OSError(f"connection closed after {have} of {origin.total} bytes")
    return resumed


def _opened(request: urllib.request.Request, limit: float) -> http.client.HTTPResponse:
    """The response once its headers are whole: each byte of them, and the look-up of a name, could take for ever."""
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()
    given_up = threading.Event()

    def ask() -> None:
        try:
            response = urllib.request.urlopen(request, timeout=limit)
        except Exception as error:
            found.put(error)
            return
        found.put(response)
        if given_up.is_set():
            response.close()

    threading.Thread(target=ask, name="fetch", daemon=True).start()
    try:
        answer = found.get(timeout=limit)
    except queue.Empty:
        given_up.set()
        raise TimeoutError(f"no answer within {limit:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    response: http.client.HTTPResponse = answer
    return response


def _origin_of(response: http.client.HTTPResponse, url: str) -> _Origin:
    version = response.headers.get("ETag") or ""
    if version.startswith("W/"):
        version = ""  # A weak tag does not vouch for bytes.
    if response.status == 206:
        total = str(response.headers.get("Content-Range", "")).rpartition("/")[2]
    else:
        total = str(response.headers.get("Content-Length", ""))
    return _Origin(url, version, max(as_count(total), 0))


def _continues(response: http.client.HTTPResponse, have: int, known: _Origin, now: _Origin) -> bool:
    starts = str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")
    same_size = not known.total or not now.total or known.total == now.total
    same_version = not known.version or not now.version or known.version == now.version
    return have > 0 and starts and same_size and same_version


def _origin_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.origin")


def _read_origin(part: Path, url: str) -> _Origin | None:
    """What the partial file is a part of; None if there is nothing to go on with at this address."""
    if not part.exists():
        return None
    try:
        origin = _Origin(**json.loads(_origin_path(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    complete = 0 < origin.total <= part.stat().st_size
    return origin if origin.url == url and not complete else None
