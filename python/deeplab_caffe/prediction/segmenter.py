"""A trained model that segments images: an experiment's, a bundle's, or one that is stated as files."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..crf import PRESETS, CRFParameters
from ..data import Dataset, voc_palette
from ..data.dataset import VGG_MEAN
from ..data.photos import as_photo, read_photo
from ..errors import InputError
from ..experiment.testing import WHOLE, Testing
from ..inference import Predictor, Preprocessing, Protocol, crop_of_net, load
from ..lazy import imported_on_use
from ..spelling import did_you_mean
from .model import Model, model_of_files
from .models import model_named
from .segmentation import Segmentation

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

#: images of more pixels are computed in regions, as their blobs may not fit into the memory
LARGEST_WHOLE = 4 << 20
#: side of such a region in pixels
REGION = 1025
_MEMORY = re.compile(r"out of memory|allocate|not enough memory|insufficient memory", re.I)


class Segmenter:
    """Segments images of any size with one model.

    Images that fit in the crop of the model's test net are padded to it, so that the labels are those of the stage
    `test`. Images of more than 4 million pixels are computed in overlapping regions. Threads may share a segmenter: it
    computes one image at a time.

    Attributes:
        model: where everything comes from.
        protocol: scales, mirroring and regions, unless `predict` is given others.
        crf: the CRF parameters that the experiment found; None without any.
        classes: the name of each class.
        palette: (256, 3) RGB.
        upright: whether files are turned as their EXIF data says.
        origin: which files say mean and scale, in words.

    Example:
        segmenter = deeplab_caffe.Segmenter.load("exper/demo")
        found = segmenter.predict("photo.jpg")
        found.labels, found.probabilities, found.overlay()
    """

    def __init__(self, model: Model, predictor: Predictor, origin: str) -> None:
        self.model = model
        self.predictor = predictor
        self.origin = origin
        self.protocol: Protocol = model.testing.protocol
        self.crf = CRFParameters.load(model.crf) if model.crf is not None and model.crf.is_file() else None
        self.upright = model.dataset is None or model.dataset.exif != "ignore"
        self.palette = voc_palette() if model.dataset is None else model.dataset.palette
        self.classes: tuple[str, ...] = () if model.dataset is None else model.dataset.classes
        self._crop = None if model.test_net is None else crop_of_net(model.test_net)
        self._whole = model.testing.tile == WHOLE
        self._lock = threading.Lock()

    @classmethod
    def load(cls, model: str | os.PathLike[str], testing: Testing | None = None) -> Segmenter:
        """The model that an experiment has trained, or that is in a bundle.

        Args:
            model: the experiment's folder, such as exper/demo, or its name: demo, voc12/largefov; or a bundle:
                pets.deeplab.
            testing: settings other than those with which the experiment was tested.

        Raises:
            InputError: there is no such experiment, or it has no weights yet; or the bundle is missing or damaged.
        """
        return cls.of_model(model_named(model, testing))

    @classmethod
    def from_files(
        cls,
        net: str | os.PathLike[str],
        weights: str | os.PathLike[str],
        dataset: str | os.PathLike[str] | Dataset | None = None,
        scale: float | None = None,
    ) -> Segmenter:
        """A model from files.

        Args:
            net: deploy.prototxt. Mean and scale are those of test.prototxt beside it, else the data set's mean.
            weights: the weight file.
            dataset: TOML file (or a `Dataset`) with classes, colours and mean; None: numbered classes, VOC's colours.
            scale: factor on the difference of pixel and mean; None: that of the test net, else 1.

        Raises:
            InputError: a file is missing or invalid, or they do not fit together.
        """
        return cls.of_model(model_of_files(net, weights, dataset), scale)

    @classmethod
    def of_model(cls, model: Model, scale: float | None = None) -> Segmenter:
        """See `from_files`."""
        with model.naming():
            preprocessing, origin = _preprocessing(model)
            if scale is not None:
                stated = f"{origin}, scale {scale:g} as stated"
                preprocessing, origin = replace(preprocessing, scale=float(scale)), stated
            predictor = load(model.net, model.weights, preprocessing=preprocessing)
            return cls(model, predictor, origin)

    def predict(
        self,
        image: str | os.PathLike[str] | NDArray[Any],
        protocol: Protocol | None = None,
        crf: bool | str | CRFParameters = False,
    ) -> Segmentation:
        """Segment one image.

        Args:
            image: a file of any usual format; or an array: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, uint8, uint16
                or float of 0 to 255. OpenCV's arrays are BGR: give image[:, :, ::-1].
            protocol: scales, mirroring and regions; None: `self.protocol`.
            crf: refine the labels: True with the parameters that the experiment found, or the name of a preset, or
                `CRFParameters`.

        Raises:
            InputError: the file is missing or damaged, the array is no image, or no CRF parameters are known.
        """
        photo = as_photo(image) if isinstance(image, np.ndarray) else self.read(image)
        found = self._segmented(photo, self.protocol if protocol is None else protocol)
        return found if crf is False else found.refined(None if crf is True else crf)

    def read(self, path: str | os.PathLike[str]) -> NDArray[np.uint8]:
        """An image file as the model reads it: (H, W, 3) RGB."""
        return read_photo(path, self.upright)

    def _segmented(self, photo: NDArray[np.uint8], protocol: Protocol) -> Segmentation:
        maps: Any
        with self._lock:
            try:
                chosen = protocol if self._whole else in_regions(photo, protocol)
                if chosen.is_plain:
                    maps = self.predictor.maps(photo, self._crop)
                    count = len(maps.values)
                else:
                    maps = self.predictor.probabilities(photo, chosen)
                    count = len(maps)
            except (MemoryError, RuntimeError, cv2.error) as error:
                if isinstance(error, InputError) or not _needs_memory(error):
                    raise
                raise InputError(_too_large(photo)) from error
        return Segmentation(photo, self._names(count), self.palette, maps, self.crf)

    def _names(self, count: int) -> tuple[str, ...]:
        """The classes' names; numbers for those of a net without a data set."""
        if self.model.dataset is None:
            return tuple(f"class {label}" for label in range(count))
        if count != len(self.classes):
            raise InputError(
                f"{self.model.shown(self.model.net)}: has {count} classes, but {self.model.dataset.file} names "
                f"{len(self.classes)}; state the data set that the net was trained on"
            )
        return self.classes


def in_regions(photo: NDArray[np.uint8], protocol: Protocol) -> Protocol:
    """The protocol for an image: in regions if one of its scales is too large as a whole, and none are stated."""
    pixels = photo.shape[0] * photo.shape[1] * max(protocol.scales) ** 2
    return replace(protocol, tile=REGION) if protocol.tile is None and pixels > LARGEST_WHOLE else protocol


def _needs_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or _MEMORY.search(str(error)) is not None


def _too_large(photo: NDArray[np.uint8]) -> str:
    size = f"{photo.shape[0]} x {photo.shape[1]} pixels (H x W)"
    return f"an image of {size} needs more memory than there is; use regions (--tile 513) or --scales 0.5"


def _preprocessing(model: Model) -> tuple[Preprocessing, str]:
    """Mean and scale, and which file says them."""
    if model.test_net is not None:
        try:
            return Preprocessing.of_net(model.test_net), f"mean and scale of {model.shown(model.test_net)}"
        except InputError:  # a net of another make, whose data layer is not ours
            pass
    if model.dataset is None:
        return Preprocessing(VGG_MEAN), "mean of VGG-16's training images, as no data set is stated"
    return Preprocessing(tuple(model.dataset.mean)), f"mean of {model.dataset.file}"


def crf_parameters(word: str) -> CRFParameters:
    """CRF parameters that a word states: a preset, a JSON file, or values such as w1=4,sigma_alpha=67,sigma_beta=3.

    Raises:
        InputError: it states none.

    Example:
        >>> crf_parameters("w1=4,sigma_alpha=67,sigma_beta=3") == CRFParameters(4, 67, 3)
        True
    """
    if word in PRESETS:
        return PRESETS[word].parameters
    if word.endswith(".json"):
        return CRFParameters.load(word)
    if "=" in word:
        return _values(word)
    wanted = f"; expected a preset ({', '.join(PRESETS)}), a JSON file, or values: w1=4,sigma_alpha=67,sigma_beta=3"
    raise InputError(f"--crf {word}: no such preset or file{did_you_mean(word, PRESETS, wanted)}")


def _values(word: str) -> CRFParameters:
    stated = dict(part.partition("=")[::2] for part in word.split(","))
    values: dict[str, Any] = {}
    for name, text in stated.items():
        try:
            values[name.strip()] = float(text) if name.strip() != "normalization" else text
        except ValueError:
            raise InputError(f"--crf: {name}={text!r}; expected a number, as in w1=4,sigma_alpha=67") from None
    try:
        return CRFParameters(**values)
    except TypeError:
        lacking = [name for name in ("w1", "sigma_alpha", "sigma_beta") if name not in values]
        missing = f"missing {', '.join(lacking)}; " if lacking else ""
        known = "w1, sigma_alpha, sigma_beta, and w2, sigma_gamma, iterations, normalization if others than usual"
        raise InputError(f"--crf {word}: {missing}expected values of {known}") from None
