"""The life of a layer. Mirrors `layer.hpp`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from ...formats.layer_facts import LAYER_FACTS, LayerFacts
from ...reading import reading
from ..blob import Blob, BlobVec
from ..filler import check_filler, fill
from .deferred_check import DeferredCheck
from .reach import SAME_PLACE, Reaches, WholeReach, plane

_CANNOT_READ = "cannot read {what}'{path}': {reason}"
#: "any number"
MANY = 10**6


class Layer:
    """One layer: `setup` once, then `reshape` and `forward` for every pass, `backward` where gradients are wanted.

    A layer written in Python derives from this class and overrides the four methods, with pycaffe's meaning.

    param: the LayerParameter; phase: TRAIN or TEST; blobs: the parameters; origin: `file:line:column`.
    """

    type: ClassVar[str] = ""
    #: the row of its type in the table; of the user's own classes, that of Python
    facts: ClassVar[LayerFacts] = LAYER_FACTS["Python"]
    #: why it may not work in place, where more is to be said
    not_in_place: ClassVar[str] = ""
    #: bottoms of which only the shape counts
    shape_only: ClassVar[tuple[int, ...]] = ()
    #: how it is written in PyTorch and ONNX, where an expression over {0}, {1}, … and one operator are enough
    torch_call: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""
    #: least and most bottoms and tops
    bottoms: ClassVar[tuple[int, int]] = (0, MANY)
    tops: ClassVar[tuple[int, int]] = (0, MANY)
    #: loss layers get loss weight 1 where none is stated; they and a few others add tops that are not named
    is_loss: ClassVar[bool] = False
    auto_top: ClassVar[bool] = False
    #: bottoms that have no gradient (labels, indices): asking for it is an error
    no_gradient: ClassVar[tuple[int, ...]] = ()
    #: whether parameters get their first values; those of a net that is only looked at take no memory
    fills: bool = True

    def __init__(self, param: Any, phase: int = schema.TEST, origin: str = "") -> None:
        self.param, self.phase, self.origin = param, phase, origin
        self.blobs = BlobVec()
        self.declared = 0  # how many parameters `add_param` was told of
        #: loss weight of each top, 0 for none
        self.loss_weights: list[float] = []
        #: which parameters want a gradient
        self.param_propagate: list[bool] = []
        self.propagate_down: list[bool] = []
        self.needs_backward = False
        #: checks of the last forward's labels whose result is not known yet
        self.deferred_checks: list[DeferredCheck] = []
        #: whether it works in place on what no gradient reads any more, so that it may write over it
        self.overwrites = False

    # -- the contract

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Read the parameters and create the blobs; called once."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes; called before every forward."""
        raise NotImplementedError(f"{type(self).__name__}.reshape")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute the tops."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Write the diff of the bottoms whose flag is set; add to the diffs of the parameters."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Whether `force_backward` may ask this bottom for a gradient."""
        return bottom_index not in {i + len(self.param.bottom) if i < 0 else i for i in self.no_gradient}

    def release(self) -> None:
        """Forget what the last forward kept for backward."""

    # -- what tools ask of a layer that is set up; the defaults are those of element-wise types

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Multiplications (each with its addition) of a forward pass, by the layer's definition.

        Args:
            bottoms, tops: their shapes.
        """
        return 0

    def kept_bytes(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Bytes that forward keeps for backward beside bottoms, tops and parameters."""
        return 0

    def reach(self, bottom: int, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        """What a position of a top depends on in a bottom, along height and width.

        Args:
            bottom, top: which of the bottoms and tops, from 0.
            bottoms, tops: the shapes of all.

        Returns:
            A Reach for each axis; None where only the bottom's shape counts.
        """
        if bottom in self.shape_only:
            return None
        below, above = bottoms[bottom], tops[top]
        own = self.window_reach(top, bottoms, tops) if len(below) == len(above) == 4 else None
        if own is not None:
            return own
        (height, width), new = plane(below), plane(above)
        if self.facts.whole_image or (height, width) != new:
            return WholeReach(height), WholeReach(width)
        return SAME_PLACE, SAME_PLACE

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        """The same for maps (N, C, H, W) of a type that moves positions or looks through windows; else None."""
        return None

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        """The tops' shapes by the layer's definition alone, without reading a file; called instead of `setup`.

        Args:
            bottoms: their shapes.
            tops: how many there are.
            image: height and width of the images, if the user stated them.

        Returns:
            The shapes; None where `setup` is needed to find them.
        """
        return None

    @property
    def is_affine(self) -> bool:
        """Whether it is a factor and a shift for each channel of axis 1, and nothing else."""
        return False

    # -- helpers

    @property
    def name(self) -> str:
        return self.param.name

    def fail(self, message: str) -> NoReturn:
        """Raise InputError that names file, line, layer and type."""
        raise InputError(self.describe() + message)

    @contextmanager
    def reading(self, path: str, what: str = "") -> Iterator[None]:
        """As `reading.reading`, for a file that the layer names; the error also names file, line and layer.

        Args:
            path: the file.
            what: what it is, and the field that names it: "the list, source:".
        """
        try:
            with reading(path, what and f"{what} ", _CANNOT_READ, _CANNOT_READ):
                yield
        except InputError as error:
            if str(error).startswith(self.describe()):
                raise
            self.fail(str(error))

    def describe(self) -> str:
        where = f"{self.origin}: " if self.origin else ""
        return f"{where}layer '{self.param.name}' ({self.param.type}): "

    def add_param(self, index: int, shape: Shape, filler: Any) -> None:
        """Create parameter `index`, or check the shape of the one that the layer's definition carried."""
        self.declared = max(self.declared, index + 1)
        if index < len(self.blobs):
            if self.blobs[index].shape != shape:
                self.fail(f"parameter {index} in the definition is {self.blobs[index].shape}, wanted {shape}")
            return
        blob = self.blobs.add_blob(*shape)
        try:
            if self.fills:
                blob.set_data(fill(shape, filler))
            else:
                check_filler(shape, filler)
        except InputError as error:
            self.fail(str(error))

    def axis(self, index: int, dims: int, what: str = "axis") -> int:
        """An axis counted from either end, as one from the front."""
        if not -dims <= index < dims:
            self.fail(f"{what} {index} is outside a bottom of {dims} axes")
        return index % dims

    def check_in_place(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Refuse a top that is a bottom where the type may not work in place."""
        if not self.facts.in_place and any(b is t for b in bottom for t in top):
            self.fail(f"cannot work in place{self.not_in_place}; give the top its own name")

    def check_counts(self, bottoms: int, tops: int) -> None:
        """Check the number of bottoms and tops against the type's."""
        for what, count, (low, high) in (("bottom", bottoms, self.bottoms), ("top", tops, self.tops)):
            if not low <= count <= high:
                wanted = f"{low}" if low == high else f"at least {low}" if high == MANY else f"{low} to {high}"
                self.fail(f"has {count} {what}s, wanted {wanted}")
