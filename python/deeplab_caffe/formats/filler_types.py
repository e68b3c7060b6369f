"""The table of filler types. What each fills in is a function in `caffe/filler.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FillerType:
    """One row: a `type` of FillerParameter.

    Args:
        name: as in a prototxt.
        fields: the fields of FillerParameter that it uses.
        one_value: whether all values are the same.
        square_kernels: whether it fills only 4-D blobs with square kernels.
        is_final: whether what it fills in is of use without training.
    """

    name: str
    fields: tuple[str, ...] = ()
    one_value: bool = False
    square_kernels: bool = False
    is_final: bool = False


#: by name
FILLER_TYPES: Mapping[str, FillerType] = {
    row.name: row
    for row in (
        FillerType("constant", ("value",), one_value=True),
        FillerType("uniform", ("min", "max")),
        FillerType("gaussian", ("mean", "std", "sparse")),
        FillerType("positive_unitball"),
        FillerType("xavier", ("variance_norm",)),
        FillerType("msra", ("variance_norm",)),
        FillerType("bilinear", square_kernels=True, is_final=True),
    )
}
