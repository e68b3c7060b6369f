"""Window files of R-CNN: images, and windows in them with a class and an overlap. Read by `window_data_layer.cpp`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...reading import reading


@dataclass(frozen=True)
class WindowImage:
    """One image of a window file: the path as written, (channels, height, width) as stated, the line it begins at."""

    path: str
    size: tuple[int, int, int]
    line: int


@dataclass(frozen=True)
class Windows:
    """The windows of a file, W of them: `image` (W), `label` (W), `overlap` (W) float32, `box` (W, 4): x1 y1 x2 y2.

    Boxes are in pixels, both corners inside; `line` (W) is where each window stands.
    """

    images: list[WindowImage]
    image: np.ndarray
    label: np.ndarray
    overlap: np.ndarray
    box: np.ndarray
    line: np.ndarray


def read_windows(path: str) -> Windows:
    """Read a window file: per image `# index`, path, channels, height, width, number of windows, and the windows.

    A window is a line of class, overlap and box. Raises InputError, with the line, for anything else.
    """
    with reading(path, "the window file", cannot="source: '{path}': cannot read {what}: {reason}"):
        return _read_windows(path)


def _read_windows(path: str) -> Windows:
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = file.read().rstrip().split("\n")
    reader = _Reader(path, lines)
    images: list[WindowImage] = []
    rows: list[np.ndarray] = []
    starts: list[int] = []
    while reader.more():
        images.append(reader.image(len(images)))
        count = reader.integer("the number of windows")
        if count < 0:
            raise reader.fail("the number of windows, 0 or more")
        starts.append(reader.at + 1)
        rows.append(reader.windows(count))
    if not images:
        raise InputError(f"{path}: the window file is empty; wanted '# 0' and the first image")
    counts = [len(r) for r in rows]
    table = np.concatenate(rows)
    return Windows(
        images,
        np.repeat(np.arange(len(images)), counts),
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.float32),
        table[:, 2:].astype(np.int64),
        np.fromiter(itertools.chain.from_iterable(range(s, s + n) for s, n in zip(starts, counts, strict=True)), int),
    )


class _Reader:
    """A place in the lines of a window file."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path, self.lines, self.at = path, lines, 0

    def more(self) -> bool:
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1
        return self.at < len(self.lines)

    def line(self, what: str) -> str:
        if self.at == len(self.lines):
            raise InputError(f"{self.path}:{self.at}: the file ends where {what} was expected")
        self.at += 1
        return self.lines[self.at - 1].strip()

    def fail(self, what: str) -> InputError:
        return InputError(f"{self.path}:{self.at}: '{self.lines[self.at - 1].strip()}': wanted {what}")

    def integer(self, what: str) -> int:
        text = self.line(what)
        try:
            return int(text)
        except ValueError:
            raise self.fail(what) from None

    def image(self, index: int) -> WindowImage:
        start = self.at + 1
        what = f"'# {index}' (images are numbered from 0 in their order)"
        if self.line(what).split() != ["#", str(index)]:
            raise self.fail(what)
        path = self.line("the path of the image")
        channels, height, width = (self.integer(f"the image's {w}") for w in ("channels", "height", "width"))
        return WindowImage(path, (channels, height, width), start)

    def windows(self, count: int) -> np.ndarray:
        """(count, 6) float64, from as many lines."""
        first, end = self.at, self.at + count
        words = [line.split() for line in self.lines[first:end]]
        try:
            table = np.array(words, dtype=np.float64).reshape(count, 6)
            if np.array_equal(table[:, [0, 2, 3, 4, 5]], table[:, [0, 2, 3, 4, 5]].round()):
                self.at = end
                return table
        except ValueError:
            pass
        for line in words:
            self.line("a window")
            if len(line) != 6 or not _is_window(line):
                break
        else:
            self.line("a window")
        raise self.fail(f"a window 'class overlap x1 y1 x2 y2', one of {count}")


def _is_window(words: list[str]) -> bool:
    try:
        float(words[1])
        return all(float(w) == int(float(w)) for w in (words[0], *words[2:]))
    except (ValueError, OverflowError):
        return False
