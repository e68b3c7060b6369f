"""Fetch one file: goes on after a cut, checks length and sum, and never leaves half a file under its name."""

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

PAUSES = (1.0, 3.0, 10.0)  # seconds before another attempt; after the last one, give up
TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 16
_PASSING = (408, 429, 500, 502, 503, 504)  # HTTP answers that another attempt may change


class _Failed(Exception):
    """An attempt failed for good."""


class _Cut(_Failed):
    """An attempt failed; another may succeed."""


def download(
    url: str,
    path: str | os.PathLike[str],
    md5: str | None = None,
    sha256: str | None = None,
    progress: bool = True,
    advise: bool = True,
) -> Path:
    """Fetch `url` to `path`; returns the path.

    A file that is there is checked and kept. What arrives is written to `<path>.part`, which gets its name at the end.
    After a cut the rest is asked for, several times, and again by the next call if a sum is given: without one, nothing
    could tell whether a beginning left by an earlier call belongs to this file.

    Args:
        url: http, https or file.
        md5, sha256: hexadecimal; None is not checked.
        advise: end an error with what to fetch by hand and where to put it.

    Raises:
        InputError: no such file, no network, a wrong sum, no room; says what to fetch by hand and where to put it. Or
            another process is fetching it.
    """
    target = Path(path)
    sums = {"md5": md5, "sha256": sha256}
    checkable = bool(md5 or sha256)
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise InputError(f"{url}: only http, https and file addresses can be fetched")
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
            _Transfer(url, part, checkable, progress).run()
            if wrong := _wrong_sum(part, sums):
                part.unlink()
                raise _Failed(f"what came is not the file wanted: {wrong}. It was removed; trying again may help")
            put(part, target)
    except _Failed as failure:
        kept = f" What has arrived is kept in {part}." if checkable and part.is_file() else ""
        raise InputError(f"{url}: {failure}.{kept}{advice}") from None
    except OSError as error:
        raise InputError(f"{part}: cannot write: {error.strerror or error}.{advice}") from None
    return target


def check_sums(path: str | os.PathLike[str], md5: str | None = None, sha256: str | None = None) -> None:
    """Refuse a file whose sum is not the one given.

    Raises:
        InputError: names the file and both sums.
    """
    if wrong := _wrong_sum(path, {"md5": md5, "sha256": sha256}):
        raise InputError(
            f"{os.fspath(path)}: {wrong}: it is damaged, cut short or another file. Remove it, then run the same "
            "command again to fetch it"
        )


def _wrong_sum(path: str | os.PathLike[str], sums: dict[str, str | None]) -> str | None:
    """Which sum is not the one given, in words; None if all fit."""
    for kind, wanted in sums.items():
        if wanted and (found := file_sum(path, kind)) != wanted.lower():
            return f"its {kind} is {found}, not {wanted.lower()}"
    return None


def file_sum(path: str | os.PathLike[str], kind: str) -> str:
    """The hexadecimal md5 or sha256 of a file."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _advice(target: Path) -> str:
    return f"Fetch the file in another way, put it at {target}, and run the same command again"


class _Transfer:
    """One download across its attempts.

    resumable: a part of unknown origin may be gone on with, as a sum will tell whether it fits.
    """

    def __init__(self, url: str, part: Path, resumable: bool, progress: bool) -> None:
        self.url, self.part, self.resumable, self.progress = url, part, resumable, progress
        self.validator: str | None = None  # what the server calls this version of the file
        self.received = False

    def run(self) -> None:
        """Attempt until all is there. Only attempts that bring nothing new count towards giving up."""
        best, failures = self._size(), 0
        while True:
            try:
                return self._attempt()
            except _Cut as cut:
                grown = self._size() > best
                best, failures = max(best, self._size()), 0 if grown else failures + 1
                if failures >= len(PAUSES):
                    raise _Failed(f"{cut}; gave up after {failures} attempts that brought nothing more") from None
                self._say(f"{cut}; trying again in {PAUSES[failures]:.0f} s")
                time.sleep(PAUSES[failures])

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
        """Deal with an HTTP error; returns if it says that all is there already."""
        if error.code == 416 and start:
            if error.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{start}":
                return
            self._forget()
            raise _Cut("the part kept from before does not fit the file on the server")
        raise (_Cut if error.code in _PASSING else _Failed)(f"the server answered {error.code} {error.reason}")

    def _receive(self, response: http.client.HTTPResponse, start: int) -> None:
        headers = response.headers
        length = int(headers["Content-Length"]) if headers.get("Content-Length", "").isdecimal() else None
        if getattr(response, "status", None) == 206:
            first, total = _content_range(headers.get("Content-Range", ""))
            if first != start:
                self._forget()
                raise _Cut(f"the server sent bytes from {first} on, not from {start}")
        else:
            start, total = 0, length
        etag = headers.get("ETag", "")
        self.validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        self._write(response, start, total)
        size = self._size()
        if total is not None and size != total:
            if size > total:
                self._forget()
            raise _Cut(f"the connection was cut after {size} of {total} bytes")

    def _write(self, response: IO[bytes], start: int, total: int | None) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise _Failed(f"{total - start} bytes are to come, but {self.part.parent} has room for {free} only")
        name = self.part.name.removesuffix(".part")
        with (
            open(self.part, "ab" if start else "wb") as file,
            Progress(name, total, start, "B", self.progress) as progress,
        ):
            for block in self._blocks(response):
                file.write(block)
                start += len(block)
                progress.reach(start)

    def _blocks(self, response: IO[bytes]) -> Iterator[bytes]:
        """The body; its faults are told from those of writing the file."""
        while True:
            try:
                block = response.read(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _Cut(f"the connection broke ({_words(error)})") from None
            if not block:
                return
            self.received = True
            yield block

    def _failure(self, error: Exception) -> _Failed:
        """An error while asking: another attempt is worth it if the server was there before or only slow."""
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


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and whole length of 'bytes 5-9/10'; None for what is not told."""
    match = re.fullmatch(r"bytes\s+(\d+)-\d+/(\d+|\*)", text.strip())
    if not match:
        return None, None
    return int(match[1]), int(match[2]) if match[2] != "*" else None


def _words(error: object) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _opener() -> urllib.request.OpenerDirector:
    """urllib's own, without ftp and data: a redirection must not lead there."""
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
