"""`Net`: OpenCV's `dnn.Net` on the embedded Caffe's planned execution."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import caffe
from ..caffe.net.weights import weight_layers
from ..errors import InputError
from ..formats.definition import definition_of
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import fit
from ..spelling import did_you_mean
from .detections import opencv_detections
from .layer import Layer
from .outputs import Outputs

#: targets that mean a CUDA device
_CUDA = (6, 7)  # cv2.dnn.DNN_TARGET_CUDA, DNN_TARGET_CUDA_FP16


class error(InputError, cv2.error):
    """Invalid input: an InputError that `except cv2.error` catches too."""


@contextmanager
def as_cv2_error() -> Iterator[None]:
    """Within a `with` block, an InputError becomes an `error`."""
    try:
        yield
    except error:
        raise
    except InputError as fault:
        raise error(str(fault)) from fault


class Net:
    """A net under the names of OpenCV's `dnn.Net`; made by `readNetFromCaffe`.

    Each layer has outputs of its own, so `forward(name)` gives what that layer computed, even if a later one works in
    place. Arrays are (N, C, H, W) float32, and `forward` returns copies.
    """

    def __init__(
        self, outputs: Outputs | None = None, source: str = "", weights: Path | None = None, keeps: Any = None
    ) -> None:
        self._outputs = outputs
        self._source = source
        self._weights = weights
        self._keeps = keeps  # the folder of weights that came as bytes
        self._net: Any = None
        self._plans: dict[tuple[str, ...], Any] = {}
        self._exact = False
        self._aliases: dict[str, str] = {}
        self._values: dict[str, NDArray[np.float32]] = {}
        self._target = 0
        self._ticks = 0
        if outputs is not None and all(_stated_shape(outputs.param, name) for name in outputs.inputs):
            with as_cv2_error():
                self._build()

    def empty(self) -> bool:
        """Whether there are no layers."""
        return self._outputs is None or not self._outputs.names

    # -- inputs

    def setInputsNames(self, inputBlobNames: Sequence[str]) -> None:
        """Give the inputs other names, in their order."""
        self._aliases = dict(zip(inputBlobNames, self._known.inputs, strict=False))

    def setInput(self, blob: ArrayLike, name: str = "", scalefactor: float = 1.0, mean: ArrayLike | float = ()) -> None:
        """Set an input.

        Args:
            blob: of the input's shape, or another that the net takes, such as (N, C, H, W).
            name: of the input; "" for the first.
            scalefactor: factor on the values, after `mean` is subtracted.
            mean: a value for each channel; one number is the first channel's, as in OpenCV.

        Raises:
            error: the net has no such input.
        """
        with as_cv2_error():
            values = np.asarray(blob, np.float32)
            if np.size(mean) and values.ndim >= 2:
                values = values - _per_channel(mean, values)
            self._values[self._input(name)] = values * np.float32(scalefactor) if scalefactor != 1 else values

    def setInputShape(self, inputName: str, shape: Sequence[int]) -> None:
        """State the shape of an input before its values are known."""
        self._values[self._input(inputName)] = np.zeros(tuple(shape), np.float32)

    def _input(self, name: str) -> str:
        known = self._known.inputs
        found = self._aliases.get(name, name) if name else known[0]
        if found not in known:
            names = [*self._aliases, *known]
            raise error(f'Requested blob "{name}" not found{did_you_mean(name, names, f"; the inputs are {names}")}')
        return found

    # -- running

    def forward(self, outputName: str | Sequence[str] = "", *, outBlobNames: Sequence[str] | None = None) -> Any:
        """Run the layers that an output, or several, need.

        Args:
            outputName: a layer's name: OpenCV's or the file's, or a top's; "" for the last layer. Or several names.

        Returns:
            The layer's first output as an array, or a tuple with one for each name.

        Raises:
            error: there is no such layer, an input has no values, or a layer refuses what it gets.
        """
        names = outputName if outBlobNames is None else outBlobNames
        with as_cv2_error():
            if isinstance(names, str):
                (found,) = self._run([self._known.blob(names or self._last)])
                return found
            return tuple(self._run([self._known.blob(name) for name in names]))

    def forwardAndRetrieve(self, outBlobNames: Sequence[str]) -> tuple[tuple[NDArray[np.float32], ...], ...]:
        """All outputs of each of some layers."""
        with as_cv2_error():
            tops = [self._known.tops(name) for name in outBlobNames]
            found = dict(zip(names := list(dict.fromkeys(sum(map(list, tops), []))), self._run(names), strict=True))
        return tuple(tuple(found[name] for name in some) for some in tops)

    def _run(self, blobs: Sequence[str]) -> list[NDArray[np.float32]]:
        begin = cv2.getTickCount()
        self._fill()
        wanted = tuple(dict.fromkeys(blobs))
        if wanted not in self._plans:
            self._plans[wanted] = self._net.plan(outputs=wanted, exact=self._exact)
        found = self._plans[wanted].forward()
        copies = [self._answer(name, found[name]) for name in blobs]
        self._ticks = cv2.getTickCount() - begin
        return copies

    def _answer(self, blob: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What OpenCV answers for a blob, a copy."""
        layer = self._known.maker(blob)
        if layer is not None and layer.type == "DetectionOutput":
            return opencv_detections(values, layer, self._net.blobs[layer.bottom[1]].shape[0])
        return values.copy()

    def _fill(self) -> None:
        missing = [name for name in self._known.inputs if name not in self._values]
        if missing:
            raise InputError(f"{self._source}: input '{missing[0]}' has no values; call setInput first")
        if self._net is None:
            self._build()
        if self._weights is None and any(layer.needs_weights for layer in weight_layers(self._net).values()):
            raise InputError(f"{self._source}: was read without weights; give readNetFromCaffe the .caffemodel too")
        for name, values in self._values.items():
            blob = self._net.blobs[name]
            if tuple(blob.shape) != values.shape:
                blob.reshape(*values.shape)
            blob.data[...] = values

    def _build(self) -> None:
        """Make the net, with the shapes of its inputs as stated or as their values have them."""
        param = self._known.param
        for layer in param.layer:
            if layer.type == "Input":
                shapes = [self._values[t].shape if t in self._values else _stated_shape(param, t) for t in layer.top]
                del layer.input_param.shape[:]
                for shape in shapes:
                    layer.input_param.shape.add(dim=shape)
        net = caffe.Net(definition_of(param, self._source), caffe.TEST)
        if self._weights is not None:
            with caffe.log.warnings_only():  # layers of the training net that the file has besides are none
                net.copy_from(self._weights)
            fit(read_weight_file(self._weights), self._source, weight_layers(net)).demand_initialized()
        self._net, self._plans = net, {}

    # -- what it consists of

    @property
    def _known(self) -> Outputs:
        if self._outputs is None:
            raise error("the net is empty; read one with readNetFromCaffe")
        return self._outputs

    @property
    def _last(self) -> str:
        layers = zip(reversed(self._known.names), reversed(self._known.layers), strict=True)
        return next(name for name, layer in layers if layer.top)

    def getLayerNames(self) -> tuple[str, ...]:
        """The names of the layers, without the inputs."""
        return tuple(self._known.names)

    def getLayerId(self, layer: str) -> int:
        """The number of a layer, from 1; -1 for an unknown one."""
        return self._known.index(layer)

    def getLayer(self, layerId: int | str) -> Layer:
        """A layer by its number or name; 0 are the inputs."""
        number = self._known.index(layerId) if isinstance(layerId, str) else int(layerId)
        if not 0 <= number <= len(self._known.names):
            raise error(f"Layer with requested id={number} not found; there are {len(self._known.names)}")
        if number == 0:
            return Layer("_input", "", ())
        param = self._known.layers[number - 1]
        return Layer(self._known.names[number - 1], param.type, self._parameters(param), self._target)

    def _parameters(self, layer: Any) -> tuple[NDArray[np.float32], ...]:
        if self._net is None:
            raise error(f"{self._source}: states no shape of its input; call forward before asking for parameters")
        vector = (1, -1) if layer.type == "InnerProduct" else (-1, 1)
        arrays = (blob.data.copy() for blob in self._net.params.get(layer.name, ()))
        return tuple(array.reshape(vector) if array.ndim == 1 else array for array in arrays)

    def getParam(self, layer: int | str, numParam: int = 0) -> NDArray[np.float32]:
        """A copy of a parameter of a layer."""
        blobs = self.getLayer(layer).blobs
        if not 0 <= numParam < len(blobs):
            raise error(f"layer {layer!r} has {len(blobs)} parameters, no number {numParam}")
        return blobs[numParam]

    def getLayerTypes(self) -> tuple[str, ...]:
        """The types of layers, each once."""
        return tuple(sorted({layer.type for layer in self._known.layers} | {"__NetInputLayer__"}))

    def getLayersCount(self, layerType: str) -> int:
        """How many layers are of a type."""
        return sum(layer.type == layerType for layer in self._known.layers)

    def getUnconnectedOutLayers(self) -> NDArray[np.int32]:
        """The numbers of the layers whose outputs no other layer reads."""
        return np.array([*self._known.unread()], np.int32)

    def getUnconnectedOutLayersNames(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._known.names[number - 1] for number in self._known.unread())

    def getPerfProfile(self) -> tuple[int, NDArray[np.float64]]:
        """Ticks of the last `forward` (see `cv2.getTickFrequency`), twice: layers are not timed one by one."""
        return self._ticks, np.array([self._ticks], np.float64)

    # -- where it runs

    def setPreferableBackend(self, backendId: int) -> None:
        """Accepted: there is one backend."""

    def setPreferableTarget(self, targetId: int) -> None:
        """Run on the CPU or on CUDA; where there is no CUDA device, on the CPU with a warning. Others mean the CPU."""
        wants_cuda = targetId in _CUDA
        if wants_cuda and not caffe.has_gpu():
            warnings.warn("there is no CUDA device; the net runs on the CPU", stacklevel=2)
        (caffe.set_mode_gpu if wants_cuda and caffe.has_gpu() else caffe.set_mode_cpu)()
        self._target = targetId

    def enableFusion(self, fusion: bool) -> None:
        """Accepted: layers are fused where that does not change results."""

    def enableWinograd(self, useWinograd: bool) -> None:
        """Whether convolutions may be computed by Winograd's algorithm where it is faster; by default they may."""
        self._exact, self._plans = not useWinograd, {}

    def __getattr__(self, name: str) -> NoReturn:
        hint = "; `deeplab prototxt inspect` shows shapes, cost and memory of a net"
        raise AttributeError(f"deeplab_caffe.cv2_dnn.Net has no '{name}' of OpenCV's Net{hint}")


def _stated_shape(param: Any, name: str) -> tuple[int, ...]:
    """The shape that a net states for an input; () for none."""
    for layer in param.layer:
        if layer.type == "Input" and name in layer.top:
            shapes = layer.input_param.shape
            place = list(layer.top).index(name) if len(shapes) > 1 else 0
            return tuple(shapes[place].dim) if shapes else ()
    return ()


def _per_channel(mean: ArrayLike | float, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each channel, in a shape that is subtracted from (N, C, …): what is not stated is 0."""
    stated = np.ravel(np.asarray(mean, np.float32))[: values.shape[1]]
    return np.pad(stated, (0, values.shape[1] - len(stated))).reshape(1, -1, *[1] * (values.ndim - 2))
