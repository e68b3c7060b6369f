"""Short names for types of arrays and their shapes, those of numpy for type checkers only: its import takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray as NDArray

    #: an array of 32-bit floats; its shape is said where it is used
    Float32 = NDArray[np.float32]
    #: (H, W) indices of classes
    Label = NDArray[np.uint8]
    #: (K, 3) RGB, a colour for each class
    Palette = NDArray[np.uint8]
else:
    Float32 = Label = Palette = Any

    class NDArray:
        """Stands for numpy's at run time, where annotations are looked up."""

        __class_getitem__ = classmethod(lambda cls, kind: Any)


#: the lengths of all axes of a blob, as in Caffe outermost first: (N, C, H, W) for images
Shape = tuple[int, ...]
#: (height, width) in pixels
Size = tuple[int, int]


def same_shape(first: Shape, second: Shape) -> bool:
    """Whether two shapes are equal but for leading ones: Caffe's rule for weights of 2014, which all have four axes.

    Example:
        >>> same_shape((1, 1, 1, 4), (4,))
        True
    """
    return without_leading_ones(first) == without_leading_ones(second)


def without_leading_ones(shape: Shape) -> Shape:
    """(1, 1, 1, 4) → (4,); the last axis stays."""
    start = 0
    while start < len(shape) - 1 and shape[start] == 1:
        start += 1
    return tuple(shape[start:])
