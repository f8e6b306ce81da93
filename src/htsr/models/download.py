"""Downloads that survive dropped connections: kept as their hosts lay them out, resumed, verified."""

import fcntl
import hashlib
import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from htsr.errors import InputError

log = logging.getLogger("htsr.download_model")

_CHUNK = 1 << 16
_LEGAL = ":/?#[]@!$&'()*+,;=%~"  # what a URL may hold beside letters and digits
_PASSING = {408, 425, 429}  # client errors that another try may mend


def place(url: str) -> PurePosixPath:
    """Where a URL stands under a cache or a mirror: <host>/<path>, percent signs decoded, a query kept as ?query.

    Raises InputError for anything but an http(s) address of a file, and for paths that would leave the folder.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    if parts.scheme not in ("http", "https") or not host or not segments or parts.path.endswith("/"):
        raise InputError(f"url {url!r}: not the http(s) address of a file")
    if parts.query:
        segments[-1] += f"?{quote(parts.query, safe='=&')}"
    if any(name in (".", "..") or re.search(r"[/\\\0]", name) for name in (host, *segments)):
        raise InputError(f"url {url!r}: its path leaves the folder of downloads")
    return PurePosixPath(host, *segments)


def digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: str | Path, sha256: str | None, advice: str) -> str:
    """SHA-256 of a file. Raises InputError, ending in `advice`, where it does not begin with `sha256` (if given)."""
    found = digest(path)
    if not found.startswith(_expected(sha256)):
        raise InputError(f"{path}: sha256 is {found}, expected {sha256}: {advice}")
    return found


def fetch(
    url: str,
    cache: str | Path,
    *,
    sha256: str | None = None,
    mirror: str | Path | None = None,
    retries: int = 5,
    timeout: float = 60.0,
    pause: float = 1.0,
) -> tuple[Path, str]:
    """A verified local file with the content of `url`, and its SHA-256.

    Looked for under `mirror`, then under `cache`, then downloaded into the cache; see `place`. sha256: complete, or its
    first 8 or more digits. retries: how often in a row a try may end without a new byte. timeout, pause: seconds,
    without an answer and before the first retry. Without sha256 a broken download is not resumed but begun again.
    Processes that want the same file wait for each other. Raises InputError where it cannot be had.
    """
    expected, where = _expected(sha256), place(url)
    if mirror and (path := Path(mirror, where)).is_file():
        log.info("%s: from the mirror, %s", url, path)
        return path, verify(path, sha256, "replace the file, or run without the mirror")
    target = Path(cache, where)
    part = target.with_name(f".{target.name}.part")
    try:
        if (found := _cached(target, expected)) is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _alone(part) as file:
                if (found := _cached(target, expected)) is None:
                    target.unlink(missing_ok=True)
                    found = _download(url, file, part, expected, retries, timeout, pause)
                    os.fsync(file.fileno())
                    part.replace(target)
                else:
                    part.unlink()
    except OSError as error:
        raise InputError(f"{target}: could not be written: {error.strerror or error}") from error
    return target, found


def fetch_by(settings: Any, url: str, sha256: str | None) -> tuple[Path, str]:
    """`fetch` by the settings of a job: cache, mirror (None: the variable HTSR_MIRROR), retries, timeout."""
    mirror = settings.mirror or os.environ.get("HTSR_MIRROR")
    return fetch(url, settings.cache, sha256=sha256, mirror=mirror, retries=settings.retries, timeout=settings.timeout)


def _expected(sha256: str | None) -> str:
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{8,64}", sha256):
        raise InputError(f"sha256 {sha256!r}: not 8 to 64 hexadecimal digits")
    return (sha256 or "").lower()


def _cached(target: Path, expected: str) -> str | None:
    """SHA-256 of a complete earlier download, None where there is none or its content is not the expected one."""
    if not target.is_file():
        return None
    found = digest(target)
    if not found.startswith(expected):
        log.warning("%s: sha256 is %s, expected %s: downloaded again", target, found, expected)
        return None
    log.info("%s: downloaded before", target)
    return found


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The unfinished file, open for appending, while no other process has it."""
    while True:
        with part.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                here = os.path.samestat(os.fstat(file.fileno()), part.stat())
            except FileNotFoundError:
                here = False
            if not here:  # whoever had it has finished it: the lock is on a file that has moved on
                continue
            try:
                yield file
            except InputError:
                if _size(file) == 0:
                    part.unlink(missing_ok=True)
                raise
            return


def _download(url: str, file: BinaryIO, part: Path, expected: str, retries: int, timeout: float, pause: float) -> str:
    """Fill the file with the content of `url`, going on after what it holds; returns the SHA-256."""
    if not expected:
        file.truncate(0)
    resumed = _size(file) > 0  # by an earlier run: what it holds may be of another version
    if resumed and (found := digest(part)).startswith(expected):
        return found
    failures, reached = 0, _size(file)
    while True:
        try:
            _receive(url, file, part, timeout)
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code == 416:  # what we hold is longer than the file
                file.truncate(0)
            elif error.code < 500 and error.code not in _PASSING:
                raise InputError(f"{url}: {problem}: correct the url") from error
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        else:
            found = digest(part)
            if found.startswith(expected):
                log.info("%s: %d bytes, sha256 %s", url, _size(file), found)
                return found
            problem = f"sha256 is {found}, expected {expected}"
            file.truncate(0)
            if not resumed:
                raise InputError(f"{url}: {problem}: correct one of them")
            resumed = False
        failures = 0 if _size(file) > reached else failures + 1
        reached = max(reached, _size(file))
        if failures > retries:
            raise InputError(
                f"{url}: {problem} ({failures} tries): try again later, or put the file into a mirror as {place(url)}"
            )
        log.warning("%s: %s, at byte %d: trying again", url, problem, _size(file))
        time.sleep(min(pause * 2 ** (failures - 1), 60))
        if not expected:
            file.truncate(0)


def _receive(url: str, file: BinaryIO, part: Path, timeout: float) -> None:
    """Append what the server still has to give. Raises OSError or HTTPException where the connection fails."""
    start = _size(file)
    headers = {"User-Agent": "htsr", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(quote(url, safe=_LEGAL), headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        if response.status != 206:  # the server knows no ranges
            file.truncate(0)
            start = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            file.truncate(0)
            raise http.client.HTTPException("the server sends another range than asked for")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        log.info("%s: %s bytes, from byte %d", url, total or "unknown number of", start)
        told = time.monotonic()
        while chunk := response.read1(_CHUNK):
            _write(file, chunk, part)
            if time.monotonic() - told > 5:
                told = time.monotonic()
                log.info("%s: %d of %s bytes", url, _size(file), total or "?")
    if total is not None and _size(file) < total:
        raise http.client.HTTPException("the connection was dropped")


def _write(file: BinaryIO, chunk: bytes, part: Path) -> None:
    """Write all of a chunk; here an OSError is the disk's, everywhere else in a download it is the network's."""
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise InputError(
            f"{part}: could not be written: {error.strerror}: make room and run again, it goes on from there"
        ) from error


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
