"""Data and labels written to an HDF5 file. Mirrors `hdf5_output_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...arrays import Shape
from ...files import replacing
from ...lazy import imported_on_use
from ..blob import Blob
from .base import Layer, register

if TYPE_CHECKING:
    import h5py
else:
    h5py = imported_on_use("h5py")


@register("HDF5Output")
class HDF5Output(Layer):
    """Bottoms data and label, of at most 4 axes and equal numbers of items, become 4-D datasets of those names.

    An old file of the name `file_name` is replaced by the first forward; Caffe empties it when the net is built. As in
    Caffe there is one forward: a second one is an error, because the datasets are there. No gradient.
    """

    bottoms = (2, 2)
    tops = (0, 0)
    _written = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._path = self.param.hdf5_output_param.file_name
        if not self._path:
            self.fail("hdf5_output_param has no file_name")

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        return []

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in bottom:
            if len(blob.shape) > 4:
                self.fail(f"a bottom of shape {blob.shape}, wanted at most 4 axes")
        if bottom[0].num != bottom[1].num:
            self.fail(f"bottoms {bottom[0].shape} and {bottom[1].shape} differ in the number of items (axis 0)")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._written:
            self.fail(
                f"{self._path} has its datasets already; a net with this layer runs forward once "
                "(raise the batch size to write more items)"
            )
        arrays = {}
        for name, blob in zip(("data", "label"), bottom, strict=True):
            shape = (blob.num, blob.channels, blob.height, blob.width)
            arrays[name] = blob.data_tensor().detach().reshape(shape).cpu().numpy()
        self._write(arrays)
        self._written = True

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass

    def _write(self, arrays: dict[str, np.ndarray]) -> None:
        try:
            with replacing(self._path) as temporary, h5py.File(temporary, "w") as file:
                for name, array in arrays.items():
                    file[name] = array.astype(np.float32, copy=False)
        except OSError as error:
            self.fail(f"cannot write file_name '{self._path}': {error.strerror or error}")
