"""An analysis as text: a table of layers, and the totals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..arrays import Shape
from ..formats import schema
from ..words import some_of
from .analysis import Analysis, LayerAnalysis
from .memory import Memory
from .sliding_windows import window_sizes

_HEAD = (
    "layer",
    "type",
    "output",
    "window",
    "parameters",
    "mult-adds",
    "training",
    "testing",
    "stride",
    "field",
    "centre",
)
#: number of columns of text; the others hold numbers, right-aligned
_TEXTS = 4


def as_text(analysis: Analysis) -> str:
    """One line per layer and per further top, then the totals."""
    rows = [row for layer in analysis.layers for row in _rows(layer)]
    return "\n".join([*_aligned([_HEAD, *rows]), "", *totals(analysis)]) + "\n"


def _rows(layer: LayerAnalysis) -> list[tuple[str, ...]]:
    shapes, cost, memory = layer.shapes, layer.cost, layer.activation
    tops = [shape_text(shape) for shape in shapes.top_shapes] or [""]
    numbers = (
        f"{cost.params:,}" if cost.params else f"({cost.shared:,})" if cost.shared else "",
        quantity(cost.multiply_adds),
        bytes_text(memory.data + memory.diff + memory.kept),
        bytes_text(memory.data),
    )
    first = (shapes.name, shapes.type, tops[0], window_text(layer), *numbers, *_field_texts(layer))
    rest = [(f"  {name}", "", top) + ("",) * 8 for name, top in zip(shapes.tops[1:], tops[1:], strict=True)]
    return [first, *rest]


def _field_texts(layer: LayerAnalysis) -> tuple[str, str, str]:
    field = layer.field
    if field is None:
        return "", "", ""
    stride = pair_text([number_text(s) for s in field.stride]) if all(field.stride) else ""
    return stride, pair_text(field.size), pair_text([number_text(m) for m in field.middle], ",")


def shape_text(shape: Shape | None) -> str:
    """`10×3×321×321`; `scalar`; `?` if the layer could not be set up."""
    return "?" if shape is None else "×".join(map(str, shape)) or "scalar"


def window_text(layer: LayerAnalysis) -> str:
    """`3×3 s2 p1 d2`: the kernel; and stride, pad and dilation unless they are 1, 0 and 1."""
    sizes = window_sizes(layer.shapes)
    if not sizes:
        return ""
    kernel, *rest = zip(*sizes, strict=True)
    words = ["×".join(map(str, kernel))]
    for letter, values, usual in zip("spd", rest, (1, 0, 1), strict=True):
        if any(value != usual for value in values):
            words.append(letter + pair_text(values))
    return " ".join(words)


def pair_text(values: Sequence[object], between: str = "×") -> str:
    """The values of both axes, or the one value if they are equal."""
    return str(values[0]) if len(set(values)) == 1 else between.join(map(str, values))


def number_text(value: Fraction) -> str:
    """A fraction with at most two decimal places."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def quantity(count: int) -> str:
    """A count rounded to three digits, with a unit: `1.78 G`; an empty text for 0."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            places = 2 if count < 10 * size else 1 if count < 100 * size else 0
            return f"{count / size:.{places}f} {unit}"
    return str(count) if count else ""


def bytes_text(count: int) -> str:
    """Bytes with a unit (powers of ten): `251 MB`; an empty text for 0."""
    text = quantity(count)
    return text and (f"{text}B" if " " in text else f"{text} B")


def totals(analysis: Analysis) -> list[str]:
    """The lines below the table."""
    shapes, memory = analysis.shapes, analysis.memory
    phase = "TRAIN" if shapes.state.phase == schema.TRAIN else "TEST"
    each = quantity(analysis.multiply_adds // analysis.items) or "0"
    freed, kept = bytes_text(memory.planned) or "0 B", bytes_text(memory.testing) or "0 B"
    lines = [
        f"net            {shapes.name or '(no name)'}, {len(analysis.layers)} layers in {phase}, from {shapes.source}",
        f"parameters     {analysis.params:,} ({analysis.learned:,} learned)",
        f"multiply-adds  {quantity(analysis.multiply_adds) or '0'} per forward pass, {each} per image",
        f"to test        {freed} if blobs are freed after use, {kept} if they are kept",
    ]
    return lines + (_training(memory) if memory.diff else []) + _open(analysis)


def _open(analysis: Analysis) -> list[str]:
    """The lines about layers whose shape rule is not known, and about blobs whose shape is not known for that."""
    layers = [layer.shapes for layer in analysis.layers]
    reasons: dict[str, list[str]] = {}
    for layer in layers:
        if layer.unknown:
            reasons.setdefault(layer.unknown, []).append(layer.name)
    lines = [f"not known      {some_of(names, 3)}: {reason}" for reason, names in reasons.items()]
    own = [top for x in layers if x.unknown for top, shape in zip(x.tops, x.top_shapes, strict=True) if shape is None]
    if own:
        names = list(dict.fromkeys(own))
        shown = " ".join(f"--shape {name}=N,C,H,W" for name in names[:2])
        lines.append(f"               shapes of {some_of(names, 3)} are not known; state them: {shown}")
    if lines:
        lines.append("               what depends on these is not counted: the numbers above are of the rest")
    return lines


def _training(memory: Memory) -> list[str]:
    """The lines about the memory of a training step."""
    parts = (memory.params, memory.gradients, memory.history, memory.data, memory.diff, memory.kept)
    params, gradients, history, data, diff, kept = (bytes_text(count) or "0 B" for count in parts)
    return [
        f"to train       {bytes_text(memory.training)}: parameters {params}, their gradients {gradients}, the solver's "
        f"{history},",
        f"               blobs {data}, their gradients {diff}, kept for backward {kept}",
    ]


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if i < _TEXTS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
