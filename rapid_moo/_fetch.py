"""Downloads that stall, break off and lie: timeouts, retries, resumption and a length check."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapid_moo.errors import FetchError

_BLOCK = 1 << 16
_FINAL = (400, 401, 403, 404, 405, 410)


def download(
    url: str,
    part: Path,
    *,
    timeout: float,
    retries: int,
    pause: float,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Download into a partial file, going on with what it already holds.

    The partial file stays after a failure or Ctrl-C, so that a later call resumes; whether the whole is right is for
    the caller to check.
    """
    failure: Exception | None = None
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _attempt(url, part, timeout, progress)
        except urllib.error.HTTPError as error:
            failure = error
            if error.code == 416:
                part.unlink(missing_ok=True)
            if error.code in _FINAL:
                break
        except (OSError, http.client.HTTPException) as error:
            failure = error
        else:
            return
    raise FetchError(f"{url}: expected a file, got after {attempt + 1} attempt(s): {failure}") from failure


def _attempt(url: str, part: Path, timeout: float, progress: Callable[[int, int], None] | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        resumed = response.status == 206 and _starts_at(response, have)
        if have and not resumed:
            # The server sends the whole file again (or another part): start over.
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdigit() else 0
        with part.open("ab" if have else "wb") as out:
            while block := response.read(_BLOCK):
                out.write(block)
                have += len(block)
                if progress is not None:
                    progress(have, total)
    if total and have != total:
        raise OSError(f"connection closed after {have} of {total} bytes")


def _starts_at(response: Any, position: int) -> bool:
    header = str(response.headers.get("Content-Range", ""))
    return header.startswith(f"bytes {position}-")
