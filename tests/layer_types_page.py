"""Writes docs/layer-types.md: every layer type, what this Caffe does with it, and which exports have it.

python tests/layer_types_page.py

All of it is read from the tables of the code: the facts of types, their classes, and the writers of both exports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from deeplab_caffe.caffe.layer_types.base import Layer, registered
from deeplab_caffe.caffe.layer_types.gradientless import SilentLayer
from deeplab_caffe.formats.foreign_types import FOREIGN_TYPES
from deeplab_caffe.formats.layer_facts import (
    DATA,
    DROPPED,
    HERE,
    IDENTITY,
    LAYER_FACTS,
    METRIC,
    SINK,
    LayerFacts,
)
from deeplab_caffe.porting.export import onnx_model, onnx_registry, torch_layers, torch_source

#: what writes types is known once the exports are loaded
EXPORTS = (torch_source, onnx_model)
PAGE = Path(__file__).parent.parent / "docs" / "layer-types.md"
HEAD = """\
# Layer types

This page is written by `make docs` from the tables of the code. What the types of other Caffes compute:
[Layers of other Caffes](forks.md); of DeepLab's Caffes: [the embedded Caffe](caffe.md). AutoCrop (RCF's) is not in the
tables: it is read as a Crop with its offset.

| here | |
|---|---|
| trains | it runs, and what it needs to be trained with is there: its gradients, or as a loss its value and gradient |
| runs | it runs; it has no gradient (data, metrics, results) |
| read only | files that have it are read, linted, shown and measured; running it is an error that says why |

| export | |
|---|---|
| yes | it is written; options that have no counterpart are refused by name |
| input | its tops are the inputs of the exported net |
| passed | it does nothing in a net for use: its top is its bottom |
| left out | it only writes or ends something; the exported net does without it |
| no | a net that has it is refused, with a message that names the layer |
"""

#: types of other Caffes, in the order in which public nets are found to have them, from the most to the least
OFTEN_FIRST = (
    "Permute", "ROIPooling", "PriorBox", "DetectionOutput", "SmoothL1Loss", "Normalize", "PSROIPooling",
    "ConvolutionDepthwise", "DepthwiseConvolution", "Axpy", "ShuffleChannel", "ReLU6", "Reorg", "Proposal", "ROIAlign",
    "AnnotatedData", "MultiBoxLoss", "SpatialDropout", "ImageLabelmapData", "DenseImageData", "MultiStageMeanfield",
    "Unpooling", "Mish", "HardSwish",
)  # fmt: skip
#: those whose classes refuse to run
READ_ONLY = ("MultiBoxLoss",)


def page() -> str:
    """The text of the page."""
    rows = LAYER_FACTS.values()
    own = [row for row in rows if row.known_to == (HERE,) and row.name not in OFTEN_FIRST]
    forks = [row for row in rows if not row.is_bvlc and row.name not in OFTEN_FIRST and row not in own]
    parts = [
        HEAD,
        "## Of other Caffes, those that public nets have most often first\n",
        _table(LAYER_FACTS[name] for name in OFTEN_FIRST),
        "## Of other Caffes, the rest\n",
        _table(forks + own),
        "## Of BVLC's Caffe\n",
        _table(row for row in rows if row.is_bvlc),
        "## Known by name\n",
        "These are not here. A message about one says which Caffe has it.\n",
        *_foreign(),
    ]
    return "\n".join(parts)


def _table(rows: Iterable[LayerFacts]) -> str:
    lines = ["| type | of | here | PyTorch | ONNX |", "|---|---|---|---|---|"]
    torch_types, onnx_types = torch_layers.written_types(), onnx_registry.written_types()
    for row in rows:
        exports = [_export(row, types) for types in (torch_types, onnx_types)]
        lines.append(f"| {row.name} | {_of(row)} | {here(registered()[row.name])} | {' | '.join(exports)} |")
    return "\n".join(lines) + "\n"


def _of(row: LayerFacts) -> str:
    return ", ".join(name for name in row.known_to if name != HERE) or "this package"


def here(layer: type[Layer]) -> str:
    """What this Caffe does with a type."""
    if layer.type in READ_ONLY:
        return "read only"
    idle = layer.facts.kind in (DATA, METRIC, SINK) or issubclass(layer, SilentLayer)
    inputs = range(layer.bottoms[0])
    blind = bool(inputs) and {*inputs} <= {i + len(inputs) if i < 0 else i for i in layer.no_gradient}
    return "runs" if idle or (blind and not layer.facts.weighted) else "trains"


def _export(row: LayerFacts, types: Iterable[str]) -> str:
    if row.name in types:
        return "yes"
    if row.name == "Input":
        return "input"
    if row.in_use == IDENTITY:
        return "passed"
    return "left out" if row.in_use == DROPPED else "no"


def _foreign() -> Iterator[str]:
    by_caffe: dict[str, list[str]] = {}
    for name, caffe in FOREIGN_TYPES.items():
        by_caffe.setdefault(caffe, []).append(name)
    yield "| of | types |\n|---|---|"
    for caffe, names in by_caffe.items():
        yield f"| {caffe} | {', '.join(names)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
