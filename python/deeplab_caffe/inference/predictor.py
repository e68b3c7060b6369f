"""From one image to probabilities of its size: at several scales, mirrored, in overlapping regions."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Size
from ..crf import resize_scores
from ..data.score_kinds import Kind, kind_of
from ..errors import InputError
from ..lazy import imported_on_use
from ..nets.input_sizes import ANY_SIZE
from .preprocessing import Preprocessing, check_image
from .protocol import Protocol, scaled_size
from .regions import Grid, Span, regions
from .running_net import RunningNet

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

_ONCE = Protocol()


class NetMaps(NamedTuple):
    """What a net computes of one whole image.

    Attributes:
        values: (C, h, w) float32, at the net's resolution.
        size: (height, width) of the net's input, to which they are enlarged before they are cropped to the image.
        kind: "scores" or "probabilities".
    """

    values: Float32
    size: Size
    kind: Kind

    def at(self, size: Size) -> Float32:
        """The maps of an image of this size (H, W), enlarged and cropped: (C, H, W) float32."""
        return resize_scores(self.values, self.size, size)


class Predictor:
    """A net with what belongs to it, for images of any size.

    Each scaled image, or each region of it, is put at the top left of an input of a size that the net takes, the rest
    of which is 0 (the mean). The maps of the net are enlarged to that input by corner-aligned bilinear interpolation,
    as its own Interp layer would (`crf.resize_scores`), and cropped; their softmax is resized to the image in the same
    way. The result is the mean over scales and mirrored images.

    Args:
        net: pycaffe's Net in the TEST phase, or the embedded one, with Input layers: a deploy net.
        preprocessing: from pixels to the net's input.
        blob: the blob with the scores, (1, C, h, w), smaller than the input or as large; by default the only output.
        kind: what it holds: "scores", "probabilities", or "net" to let the values decide (see `data.score_kinds`).
        grid: the sizes that the net takes, and where regions may begin (see `inference.load`).
        run: runs the net and returns the blob's data; by default planned execution, or the net's own `forward`.

    Example:
        >>> from deeplab_caffe.caffe import TEST, Net, NetSpec, layers
        >>> spec = NetSpec()
        >>> spec.data = layers.Input(shape={"dim": [1, 3, 8, 8]})
        >>> spec.scores = layers.Convolution(spec.data, num_output=2, kernel_size=1)
        >>> predictor = Predictor(Net.from_param(spec.to_proto(), TEST), Preprocessing((104.0, 117.0, 123.0)))
        >>> image = np.zeros((5, 7, 3), np.uint8)
        >>> predictor.probabilities(image, Protocol(scales=(0.5, 1), flip=True)).shape
        (2, 5, 7)
    """

    def __init__(
        self,
        net: Any,
        preprocessing: Preprocessing,
        blob: str | None = None,
        kind: Kind = "net",
        grid: Grid | None = None,
        run: Callable[[], NDArray[Any]] | None = None,
    ) -> None:
        self.preprocessing = preprocessing
        self.kind = kind
        self.grid = grid or Grid(ANY_SIZE)
        self._net = RunningNet(net, blob or _only_output(net), run)

    def scores(self, image: NDArray[Any]) -> Float32:
        """What the net computes of the whole image, enlarged to it: (C, H, W) float32.

        Args:
            image: (H, W, 3) RGB or (H, W) grey, uint8 or float of 0 to 255.

        Raises:
            InputError: the array is no such image.
        """
        check_image(image)
        size = image.shape[0], image.shape[1]
        return self._maps(self.preprocessing.blob(image), self.grid.sizes.fit(size))

    def maps(self, image: NDArray[Any], least: Size | None = None) -> NetMaps:
        """What the net computes of the whole image, at its own resolution.

        Args:
            image: (H, W, 3) RGB or (H, W) grey, uint8 or float of 0 to 255.
            least: (height, width) of the input for images that fit in it, such as a test net's crop; the maps are then
                those of the test net. Larger images get the next size that the net takes.

        Raises:
            InputError: the array is no such image.
        """
        check_image(image)
        height, width = image.shape[0], image.shape[1]
        fits = least is not None and height <= least[0] and width <= least[1]
        padded = least if least is not None and fits else self.grid.sizes.fit((height, width))
        values = self._run(self.preprocessing.blob(image), padded).copy()
        kind = kind_of(values, self._net.blob, "net") if self.kind == "net" else self.kind
        return NetMaps(values, padded, kind)

    def probabilities(
        self, image: NDArray[Any], protocol: Protocol = _ONCE, out: NDArray[np.float32] | None = None
    ) -> Float32:
        """The mean of the probabilities of all passes.

        Memory: C x H x W float32 for the result; another such array of the scaled size while a scale other than 1 is
        computed; about three of the size of the net's input for the pass at hand. With regions the input is as large as
        one region, whatever the image's size.

        Args:
            image: (H, W, 3) RGB or (H, W) grey, uint8 or float of 0 to 255.
            protocol: scales, mirroring and regions.
            out: (C, H, W) float32 to write the result into, such as a memory-mapped file for a very large image.

        Returns:
            (C, H, W) float32: `out`, or a new array. They sum to 1 at each pixel.

        Raises:
            InputError: the array is no such image, or `out` does not fit.
        """
        check_image(image)
        image = image if image.dtype == np.uint8 else np.asarray(image, np.float32)
        total = _Total((image.shape[0], image.shape[1]), out)
        for scale in protocol.scales:
            self._add_scale(total, image, scale, protocol)
        return total.values

    def _add_scale(self, total: _Total, image: NDArray[Any], scale: float, protocol: Protocol) -> None:
        size = scaled_size(total.size, scale)
        if size == total.size:
            self._add_passes(total, image, protocol)
            return
        scaled = _Total(size)
        self._add_passes(scaled, cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), protocol)
        total.add_resized(scaled.values)

    def _add_passes(self, total: _Total, image: NDArray[Any], protocol: Protocol) -> None:
        """Add an image's probabilities, and those of its mirror image, divided by the number of all passes.

        The mirror image is split anew, so that its regions lie on the grid of its maps.
        """
        parts = regions(total.size, protocol.regions, protocol.overlap, self.grid)
        for rows, columns in parts:
            values = self._part(image, rows, columns)
            values *= parts.weight(rows, columns) / protocol.passes
            total.array(len(values))[:, rows.own, columns.own] += values
            if protocol.flip:
                values = self._part(image[:, ::-1], rows, columns)
                values *= parts.weight(rows, columns) / protocol.passes
                total.array(len(values))[:, :, ::-1][:, rows.own, columns.own] += values

    def _part(self, image: NDArray[Any], rows: Span, columns: Span) -> Float32:
        """The probabilities of one region's own part, (C, h, w)."""
        part = image[rows.begin : rows.end, columns.begin : columns.end]
        size = rows.end - rows.begin, columns.end - columns.begin
        return self._probabilities(self.preprocessing.blob(part), size)[:, rows.inner, columns.inner]

    def _probabilities(self, pixels: Float32, size: Size) -> Float32:
        maps = self._maps(pixels, size)
        kind = kind_of(maps, self._net.blob, "net") if self.kind == "net" else self.kind
        return maps if kind == "probabilities" else softmax(maps)

    def _maps(self, pixels: Float32, size: Size) -> Float32:
        """The maps of the net, enlarged to its input and cropped to what is not padding; a new array."""
        maps = self._run(pixels, size)
        found = resize_scores(maps, size, pixels.shape[1:])  # type: ignore[arg-type]
        return found.copy() if np.shares_memory(found, maps) else found

    def _run(self, pixels: Float32, size: Size) -> Float32:
        """The maps of the net, valid until the next call."""
        maps = self._net(pixels, size)
        if maps.shape[1] > size[0] or maps.shape[2] > size[1]:
            raise InputError(
                f"the net makes maps '{self._net.blob}' of {maps.shape[1]} x {maps.shape[2]} (H x W) of an input of "
                f"{size[0]} x {size[1]}; expected at most the size of the input"
            )
        return maps


class _Total:
    """A sum of passes of one size (H, W); its array is made when the number of classes is known."""

    def __init__(self, size: Size, out: NDArray[np.float32] | None = None) -> None:
        self.size = size
        self._out = out
        self._values: Float32 | None = None

    @property
    def values(self) -> Float32:
        """The sum; something has been added."""
        assert self._values is not None
        return self._values

    def array(self, classes: int) -> Float32:
        """(C, H, W), 0 at first."""
        if self._values is None:
            self._values = np.zeros((classes, *self.size), np.float32) if self._out is None else self._given(classes)
        return self._values

    def _given(self, classes: int) -> Float32:
        assert self._out is not None
        wanted = (classes, *self.size)
        if self._out.shape != wanted or self._out.dtype != np.float32:
            raise InputError(f"out: {self._out.dtype} of shape {self._out.shape}; expected float32 of shape {wanted}")
        self._out[...] = 0
        return self._out

    def add_resized(self, values: Float32) -> None:
        """Add the sum of passes of another size, resized one class at a time."""
        for total, one in zip(self.array(len(values)), values, strict=True):
            total += resize_scores(one[None], self.size)[0]


def softmax(scores: Float32) -> Float32:
    """Probabilities over the classes, computed in the same memory.

    Args:
        scores: (C, H, W) float32; overwritten.
    """
    scores -= scores.max(axis=0)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    return scores


def _only_output(net: Any) -> str:
    names = list(net.outputs)
    if len(names) != 1:
        raise InputError(f"the net has outputs {', '.join(names) or 'none'}; name the one with the scores (blob)")
    return os.fspath(names[0])
