"""Videos as images one after the other, read and written by OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import replacing
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

#: what OpenCV's wheels can write everywhere: MPEG-4 part 2
_CODEC = "mp4v"
_USUAL_RATE = 25.0


class Video:
    """The frames of a video.

    Attributes:
        path: the file.
        rate: frames per second; 25 where the file does not say it.
        frames: how many there are, as the file says; None if it does not.

    Raises:
        InputError: the file is missing or damaged, or no decoder is there for it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if not Path(path).is_file():
            raise InputError(f"{path}: cannot read the video: no such file")
        self._capture = cv2.VideoCapture(path)
        if not self._capture.isOpened():
            raise InputError(f"{path}: cannot read the video: damaged, or a format that OpenCV does not support")
        rate, count = self._capture.get(cv2.CAP_PROP_FPS), self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = float(rate) if 0 < rate <= 1000 else _USUAL_RATE
        self.frames = int(count) if 0 < count < 1e9 else None

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Each frame, (H, W, 3) RGB; raises InputError if there is none."""
        number = 0
        while (read := self._capture.read())[0]:
            number += 1
            yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), np.uint8)
        self._capture.release()
        if not number:
            raise InputError(f"{self.path}: cannot read the video: it has no frame that can be decoded")


class VideoWriter:
    """Writes frames into a file; all of the size of the first, rounded up to even numbers, which the codec needs."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame, (H, W, 3) RGB.

        Raises:
            InputError: OpenCV cannot write videos here.
        """
        writer = self._writer or self._begin(frame)
        height, width = self._size
        bottom, right = height - frame.shape[0], width - frame.shape[1]
        if bottom < 0 or right < 0:
            frame, bottom, right = frame[:height, :width], max(0, bottom), max(0, right)
        even = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE) if bottom or right else frame
        writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))

    def _begin(self, frame: NDArray[np.uint8]) -> cv2.VideoWriter:
        height, width = (side + side % 2 for side in frame.shape[:2])
        self._size = (height, width)
        code = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(str(self._path), code, self._rate, (width, height))
        if not self._writer.isOpened():
            raise InputError(f"{self._path}: OpenCV cannot write a video ({_CODEC}) here")
        return self._writer

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def written_video(path: Path, rate: float) -> Iterator[VideoWriter]:
    """A writer whose video gets its name when it is complete."""
    with replacing(path) as temporary:
        writer = VideoWriter(temporary, rate)
        try:
            yield writer
        finally:
            writer.close()
