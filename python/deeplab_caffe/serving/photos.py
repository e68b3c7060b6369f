"""The photos that browsers send: segmented one at a time, kept in memory for a while, refined at any CRF parameters."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Label
from ..crf import PRESETS, CRFParameters, ImageCRF
from ..data.labels import label_png
from ..data.photos import check_photo, decode_photo
from ..errors import InputError
from ..evaluation import png
from ..inference import NetMaps
from ..lazy import imported_on_use
from ..prediction import Segmentation, Segmenter
from .recent import Recent

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

Result = TypeVar("Result")

#: more iterations change nothing, and would keep others waiting
_MOST_ITERATIONS = 100
#: bytes of photos with what the net computed of them, and of CRFs on them, that are kept
_PHOTOS, _CRFS = 512 << 20, 1 << 30
_ENDING = "the server is ending"


class Outdated(Exception):
    """Nobody wants the result any more: there is a newer request, the browser has gone, or the server is ending."""


class Unknown(Exception):
    """The photo is not, or no longer, in memory."""


@dataclass(frozen=True)
class Limits:
    """What is taken of a browser.

    Attributes:
        upload: the size of a file in bytes.
        pixels: of a photo as it is sent.
        side: of a photo as it is segmented: if its longer side has more pixels, it is reduced to so many; 0: never.
    """

    upload: int = 32 << 20
    pixels: int = 50_000_000
    side: int = 1024


@dataclass(eq=False)
class ServedPhoto:
    """A segmented photo: what was found, its size (H, W) as sent, and the number of the newest request for labels."""

    found: Segmentation
    sent: tuple[int, int]
    newest: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes of memory that it holds."""
        maps = self.found.maps.values if isinstance(self.found.maps, NetMaps) else self.found.maps
        return self.found.image.nbytes + maps.nbytes + self.found.labels.nbytes


class Service:
    """A model for many browsers. Threads may share it: one photo is computed at a time, in the order they came.

    Args:
        segmenter: the model.
        limits: what is taken.
        command: the words of a command line that name the model, such as ("--exp", "demo").
    """

    def __init__(self, segmenter: Segmenter, limits: Limits | None = None, command: tuple[str, ...] = ()) -> None:
        self.segmenter = segmenter
        self.limits = limits or Limits()
        self._command = command
        self._photos = Recent[ServedPhoto](_PHOTOS)
        self._crfs = Recent[ImageCRF](_CRFS)
        self._worker = ThreadPoolExecutor(1, "segment")

    def warm_up(self) -> tuple[str, ...]:
        """Run everything once, so that the first photo takes no longer than others; the classes' names.

        Raises:
            InputError: the net and its data set do not fit together.
        """

        def run() -> tuple[str, ...]:
            found = self.segmenter.predict(np.full((64, 64, 3), 128, np.uint8))
            if len(found.classes) > 1:
                found.crf().beliefs(CRFParameters(3, 30, 10, iterations=2)).labels()
            return found.classes

        return self._worker.submit(run).result()

    def close(self) -> None:
        """Begin nothing more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def about(self) -> dict[str, Any]:
        """What the page needs to know before there is a photo, as JSON."""
        found = self.segmenter.crf
        presets = {} if found is None else {"found by the experiment's search": asdict(found)}
        presets |= {name: asdict(preset.parameters) for name, preset in PRESETS.items()}
        model, limits = self.segmenter.model, self.limits
        return {
            "model": model.name,
            "protocol": str(self.segmenter.protocol),
            "colours": self.segmenter.palette.tolist(),
            "presets": presets,
            "found": found is not None,
            "command": self._command,
            "most_bytes": limits.upload,
        }

    def add(self, data: bytes, wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Segment a photo.

        Args:
            data: the image file.
            wanted: whether somebody still waits for it when its turn comes.

        Returns:
            As JSON: its id for `labels`, its size in pixels as sent and as segmented, and the classes' names.

        Raises:
            InputError: it is no image, is damaged or too large.
            Outdated: nobody waits for it.
        """
        check_photo(data, "the photo", self.limits.pixels)
        photo = self._in_turn(lambda: self._segmented(data), wanted)
        name = secrets.token_urlsafe(16)
        self._photos.put(name, photo, photo.nbytes)
        (height, width), sent = photo.found.size, photo.sent
        return {
            "id": name,
            "width": width,
            "height": height,
            "sent": {"width": sent[1], "height": sent[0]},
            "classes": photo.found.classes,
        }

    def _segmented(self, data: bytes) -> ServedPhoto:
        pixels = decode_photo(data, "the photo", self.segmenter.upright)
        height, width = pixels.shape[:2]
        found = self.segmenter.predict(reduced(pixels, self.limits.side))
        _ = found.labels  # computed now, in turn, and kept
        return ServedPhoto(found, (height, width))

    def photo_png(self, name: str) -> bytes:
        """The photo as it was segmented: upright, reduced if it was too large."""
        return png(self._photo(name).found.image)

    def labels(
        self, name: str, crf: CRFParameters | None, number: int = 0, wanted: Callable[[], bool] = lambda: True
    ) -> Label:
        """The labels (H, W) of a photo.

        Args:
            name: the photo's id.
            crf: parameters of the CRF; None: the labels of the net.
            number: grows from request to request; if there is a newer one when its turn comes, it is not computed.
            wanted: whether somebody still waits for it then.

        Raises:
            InputError: the parameters are out of range, or need too much memory.
            Outdated: there is a newer request, or nobody waits.
            Unknown: there is no such photo, or not any more.
        """
        photo = self._photo(name)
        photo.newest = max(photo.newest, number)
        if crf is None:
            return photo.found.labels
        if crf.iterations > _MOST_ITERATIONS:
            raise InputError(f"CRF: iterations is {crf.iterations}; expected at most {_MOST_ITERATIONS} here")
        return self._in_turn(
            lambda: self._refined(name, photo, crf), lambda: wanted() and not 0 < number < photo.newest
        )

    def labels_png(self, name: str, crf: CRFParameters | None, wanted: Callable[[], bool] = lambda: True) -> bytes:
        """`labels` as an indexed PNG with the data set's palette."""
        return label_png(self.labels(name, crf, 0, wanted), self.segmenter.palette)

    def _refined(self, name: str, photo: ServedPhoto, parameters: CRFParameters) -> Label:
        crf = self._crfs.get(name) or photo.found.crf()
        labels = np.asarray(crf.beliefs(parameters).labels(), np.uint8)
        self._crfs.put(name, crf, crf.nbytes)
        return labels

    def _photo(self, name: str) -> ServedPhoto:
        found = self._photos.get(name)
        if found is None:
            raise Unknown("this photo is no longer in memory; send it again")
        return found

    def _in_turn(self, work: Callable[[], Result], wanted: Callable[[], bool]) -> Result:
        """Run work in the one thread that computes, after all that came before."""

        def run() -> Result:
            if not wanted():
                raise Outdated("there is a newer request")
            try:
                return work()
            except MemoryError:
                raise InputError("this needs more memory than there is; try a smaller photo") from None

        try:
            pending = self._worker.submit(run)
        except RuntimeError:  # after `close`
            raise Outdated(_ENDING) from None
        try:
            return pending.result()
        except CancelledError:
            raise Outdated(_ENDING) from None


def reduced(photo: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A photo (H, W, 3) whose longer side has at most `side` pixels; 0: as it is."""
    longer = max(photo.shape[:2])
    if not side or longer <= side:
        return photo
    height, width = (max(1, round(length * side / longer)) for length in photo.shape[:2])
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def parameters_of(text: str) -> CRFParameters | None:
    """The CRF parameters that a request states as JSON; None for null: no CRF. Raises InputError."""
    return None if text.strip() == "null" else CRFParameters.from_json(text)
