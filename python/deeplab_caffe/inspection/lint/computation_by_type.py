"""Types of layers whose fields may differ between a training net and a test net although both compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...formats.python_layers import native
from ..diff_fields import FieldChange
from .layer import LintLayer
from .net_file import View
from .shape_view import Shape

#: fields that differ, each with the value that would compute the same, or "" if that is the other net's
Found = list[tuple[FieldChange, str]]


class Side(NamedTuple):
    """A layer in the view of one of two nets."""

    view: View
    layer: LintLayer

    @property
    def param(self) -> Any:
        """Its definition, in its native type."""
        return native(self.layer.param)

    @property
    def bottom(self) -> Shape | None:
        """The shape of its first bottom, None if it is not known."""
        return self.view.shapes.of(self.view.bottom(self.layer, 0))

    @property
    def top(self) -> Shape | None:
        """The shape of its first top, None if it is not known."""
        tops = self.view.tops[self.layer.index]
        return self.view.shapes.of(tops[0]) if tops else None


def by_type(learned: Side, other: Side, found: Found) -> Found:
    """The differences of two layers of one type that change what is computed, by the rules of their type."""
    rule = _RULES.get(str(other.param.type))
    found = rule(learned, other, found) if rule else found
    return [item for item in found if item[0].path not in _SIZED or _same_size(learned, other)]


#: fields that state a size, which may follow that of the image: compared if both layers read blobs of one shape
_SIZED = (
    "slice_param.slice_point", "reshape_param.shape.dim", "upsample_param.upsample_h", "upsample_param.upsample_w",
)  # fmt: skip


def _same_size(learned: Side, other: Side) -> bool:
    return learned.bottom is not None and learned.bottom == other.bottom


def _batch_norm(learned: Side, other: Side, found: Found) -> Found:
    """Training by a batch's statistics and testing by those learned is the usual way; the opposite is not."""
    own = other.param.batch_norm_param
    by_batch = not other.view.trains and own.HasField("use_global_stats") and not own.use_global_stats
    return [item for item in found if by_batch or not item[0].path.endswith("use_global_stats")]


def _bn(learned: Side, other: Side, found: Found) -> Found:
    return [item for item in found if not item[0].path.endswith("bn_mode")]


def _pooling(learned: Side, other: Side, found: Found) -> Found:
    """A window over the whole map may be stated as such, or by its size, which follows that of the image."""
    if all(map(_covers, (learned, other))):
        return [item for item in found if item[0].path == "pooling_param.pool"]
    return found


def _covers(side: Side) -> bool:
    p = side.param.pooling_param
    if p.global_pooling:
        return True
    kernel = (p.kernel_h or p.kernel_size, p.kernel_w or p.kernel_size)
    padded = p.pad or p.pad_h or p.pad_w
    return side.bottom is not None and not padded and tuple(side.bottom[2:]) == kernel


def _interp(learned: Side, other: Side, found: Found) -> Found:
    """Sizes are compared relative to the bottom's: 41 of 321 pixels is 65 of 513."""
    sized = [item for item in found if item[0].path.rpartition(".")[2] in _FACTORS + _LENGTHS]
    rest = [item for item in found if item not in sized]
    fixed = [bool(side.param.interp_param.height or side.param.interp_param.width) for side in (learned, other)]
    if not any(fixed):
        return found
    shapes = [shape for side in (learned, other) for shape in (side.bottom, side.top)]
    sizes = [shape[2:] for shape in shapes if shape is not None and len(shape) == 4]
    if len(sizes) < 4:
        return rest
    expected = [_enlarged(*axis) for axis in zip(*sizes[:3], strict=True)]
    if all(abs(size - wanted) < 1 for size, wanted in zip(sizes[3], expected, strict=True)):
        return rest
    if not fixed[1]:
        rest += [item for item in sized if item[0].path.rpartition(".")[2] in _FACTORS]
    for i, (name, wanted) in enumerate(zip(_LENGTHS, expected, strict=True)):
        texts = [f"{top[i]} (from {bottom[i]})" for bottom, top in (sizes[:2], sizes[2:])]
        rest.append((FieldChange(f"interp_param.{name}", *texts), f"{round(wanted)}"))
    return rest


_LENGTHS = ("height", "width")
_FACTORS = ("zoom_factor", "shrink_factor")


def _enlarged(small: int, large: int, bottom: int) -> float:
    """The size of the top that keeps the ratio of the distances between corners."""
    return (bottom - 1) * (large - 1) / (small - 1) + 1 if small > 1 else float(large)


_RULES: dict[str, Callable[[Side, Side, Found], Found]] = {
    "BatchNorm": _batch_norm,
    "BN": _bn,
    "Interp": _interp,
    "Pooling": _pooling,
}
