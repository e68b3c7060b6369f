"""Download one file: resume after interruptions, check length and checksum, write it whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ..errors import InputError
from ..files import put
from ..locks import locked
from ..progress import Progress

PAUSES = (1.0, 3.0, 10.0)  # seconds before each further attempt
TIMEOUT = 30.0  # seconds without data
MOST = 1 << 36  # bytes: larger than any file that is known
SLOW_SECONDS, SLOW_BYTES = 60.0, 1000.0  # a server that sends fewer bytes per second for so long is given up
_ATTEMPTS = 1000  # with new data each
_BLOCK = 1 << 16
_PASSING = (408, 429, 500, 502, 503, 504)  # HTTP status codes for which another attempt may succeed


class _Failed(Exception):
    """An attempt failed, and no other will succeed."""


class _Cut(_Failed):
    """An attempt failed; another may succeed."""


def download(
    url: str,
    path: str | os.PathLike[str],
    md5: str | None = None,
    sha256: str | None = None,
    progress: bool = True,
    advise: bool = True,
    limit: int = MOST,
) -> Path:
    """Download `url` to `path`; returns the path.

    An existing file is checked and kept. Data is written to `<path>.part`, which is renamed at the end. After an
    interruption the rest is requested, several times, and again by the next call if there is a checksum. Without one
    there is no way to know whether a part left by an earlier call belongs to this file.

    Args:
        url: http, https or file.
        path: the file to write.
        md5, sha256: expected checksums in hexadecimal; None is not checked.
        progress: show a progress bar.
        advise: end an error message with what to download by hand and where to put it.
        limit: the most bytes that are taken from the server.

    Raises:
        InputError: no such file, no network, a server that is too slow or sends more than `limit`, a wrong checksum, or
            no disk space; or another process is fetching it.
    """
    target = Path(path)
    sums = {"md5": md5, "sha256": sha256}
    checkable = bool(md5 or sha256)
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise InputError(f"{url}: not supported; expected an http, https or file URL")
    if target.is_file():
        check_sums(target, md5, sha256)
        return target
    part = target.with_name(target.name + ".part")
    advice = f" {_advice(target)}" if advise else ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), f"{target} is being fetched already"):
            if not checkable:
                part.unlink(missing_ok=True)
            _Transfer(url, part, checkable, progress, limit).run()
            if wrong := _wrong_sum(part, sums):
                part.unlink()
                raise _Failed(f"this is not the expected file: {wrong}. It was removed; trying again may help")
            put(part, target)
    except _Failed as failure:
        kept = f" The part downloaded so far is kept in {part}." if checkable and part.is_file() else ""
        raise InputError(f"{url}: {failure}.{kept}{advice}") from None
    except OSError as error:
        raise InputError(f"{part}: cannot write: {error.strerror or error}.{advice}") from None
    return target


def check_sums(path: str | os.PathLike[str], md5: str | None = None, sha256: str | None = None) -> None:
    """Raise InputError for a file with another checksum than the given ones (hexadecimal); names file and checksums."""
    if wrong := _wrong_sum(path, {"md5": md5, "sha256": sha256}):
        raise InputError(
            f"{os.fspath(path)}: {wrong}: it is damaged, truncated or another file. Remove it and run the same "
            "command again to download it"
        )


def _wrong_sum(path: str | os.PathLike[str], sums: dict[str, str | None]) -> str | None:
    """Which checksum differs from the given one, in words; None if none does."""
    for kind, wanted in sums.items():
        if wanted and (found := file_sum(path, kind)) != wanted.lower():
            return f"its {kind} is {found}, not {wanted.lower()}"
    return None


def file_sum(path: str | os.PathLike[str], kind: str) -> str:
    """The hexadecimal checksum of a file; kind: "md5" or "sha256"."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _advice(target: Path) -> str:
    return f"Download the file in another way, put it at {target}, and run the same command again"


class _Transfer:
    """One download with all its attempts.

    resumable: whether to resume a part of unknown origin, because a checksum will show whether it was right.
    limit: the most bytes.
    """

    def __init__(self, url: str, part: Path, resumable: bool, progress: bool, limit: int) -> None:
        self.url, self.part, self.resumable, self.progress, self.limit = url, part, resumable, progress, limit
        self.validator: str | None = None  # identifies the version of the file on the server
        self.received = False

    def run(self) -> None:
        """Try until the file is complete. Only attempts without new data count towards giving up."""
        best, failures = self._size(), 0
        for _ in range(_ATTEMPTS):
            try:
                return self._attempt()
            except _Cut as cut:
                grown = self._size() > best
                best, failures = max(best, self._size()), 0 if grown else failures + 1
                if failures >= len(PAUSES):
                    raise _Failed(f"{cut}; gave up after {failures} attempts without new data") from None
                self._say(f"{cut}; trying again in {PAUSES[failures]:.0f} s")
                time.sleep(PAUSES[failures])
        raise _Failed(f"the connection broke {_ATTEMPTS} times")

    def _attempt(self) -> None:
        start = self._size() if self.resumable or self.validator else 0
        request = urllib.request.Request(self.url, headers={"User-Agent": "deeplab-caffe"})
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self.validator:
                request.add_header("If-Range", self.validator)
        try:
            response = _opener().open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                self._answered(error, start)
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None
        else:
            with response:
                self._receive(response, start)

    def _answered(self, error: urllib.error.HTTPError, start: int) -> None:
        """Handle an HTTP error; returns if it means that the file is complete already."""
        if error.code == 416 and start:
            if error.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{start}":
                return
            self._forget()
            raise _Cut("the part from an earlier download does not match the file on the server")
        raise (_Cut if error.code in _PASSING else _Failed)(f"the server answered {error.code} {error.reason}")

    def _receive(self, response: http.client.HTTPResponse, start: int) -> None:
        headers = response.headers
        length = int(headers["Content-Length"]) if headers.get("Content-Length", "").isdecimal() else None
        if getattr(response, "status", None) == 206:
            first, total = _content_range(headers.get("Content-Range", ""))
            if first != start:
                self._forget()
                raise _Cut(f"the server sent bytes from {first} on, expected from {start} on")
        else:
            start, total = 0, length
        etag = headers.get("ETag", "")
        self.validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        self._write(response, start, total)
        size = self._size()
        if total is not None and size != total:
            if size > total:
                self._forget()
            raise _Cut(f"the connection was closed after {size} of {total} bytes")

    def _write(self, response: IO[bytes], start: int, total: int | None) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise _Failed(f"{total - start} bytes to download, but only {free} bytes are free in {self.part.parent}")
        self._check_size(total or 0)
        name = self.part.name.removesuffix(".part")
        with (
            open(self.part, "ab" if start else "wb") as file,
            Progress(name, total, start, "B", self.progress) as progress,
        ):
            for block in self._blocks(response):
                start += len(block)
                self._check_size(start)
                file.write(block)
                progress.reach(start)

    def _check_size(self, size: int) -> None:
        if size > self.limit:
            self._forget()
            raise _Failed(
                f"the server sends more than {self.limit / 1e6:.0f} MB, the most that is expected; this is not the "
                "expected file"
            )

    def _blocks(self, response: IO[bytes]) -> Iterator[bytes]:
        """The blocks of the response; reading errors are kept apart from errors of writing the file."""
        read = getattr(response, "read1", response.read)  # `read` waits for a whole block
        pace = _Pace()
        while True:
            try:
                block = read(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _Cut(f"the connection broke ({_words(error)})") from None
            if not block:
                return
            self.received = True
            pace.add(len(block))
            yield block

    def _failure(self, error: Exception) -> _Failed:
        """An error of a request: another attempt makes sense if the server answered before or was only slow."""
        cause = getattr(error, "reason", error)
        slow = isinstance(
            cause, (TimeoutError, ConnectionResetError, ConnectionAbortedError, http.client.HTTPException)
        )
        return (_Cut if slow or self.received else _Failed)(f"cannot be reached ({_words(cause)})")

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.resumable, self.validator = False, None

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _say(self, text: str) -> None:
        if self.progress:
            print(f"{self.url}: {text}", file=sys.stderr, flush=True)


class _Pace:
    """Raises _Failed when too few bytes came within SLOW_SECONDS."""

    def __init__(self) -> None:
        self._since, self._bytes = time.monotonic(), 0

    def add(self, count: int) -> None:
        self._bytes += count
        passed = time.monotonic() - self._since
        if passed < SLOW_SECONDS:
            return
        if self._bytes < SLOW_BYTES * passed:
            raise _Failed(f"the server is too slow: {self._bytes} bytes in {passed:.0f} s")
        self._since, self._bytes = time.monotonic(), 0


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and total length of 'bytes 5-9/10'; None for what is missing."""
    match = re.fullmatch(r"bytes\s+(\d+)-\d+/(\d+|\*)", text.strip())
    if not match:
        return None, None
    return int(match[1]), int(match[2]) if match[2] != "*" else None


def _words(error: object) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _opener() -> urllib.request.OpenerDirector:
    """urllib's opener without ftp and data URLs, which a redirection must not lead to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.FileHandler,
    ):
        opener.add_handler(handler())
    return opener
