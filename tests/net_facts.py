"""Generated nets as plain dictionaries, to be compared with what the originals state."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import GeneratorOptions, generate

REPOSITORY = Path(__file__).parents[1]

_files = cache(generate)
#: what lists of a Convolution mean if they are not stated
_UNSTATED = {"pad": [0], "stride": [1], "dilation": [1]}


def files_of(name: str) -> dict[str, str]:
    """The generated files of a model, made once; the working folder must be the repository."""
    return _files(name, GeneratorOptions())


def plain(message: Any) -> dict[str, Any]:
    """The fields of a message, without those that have their default value or that hold nothing else."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            parts = [plain(item) for item in value] if hasattr(value, "__len__") else plain(value)
            found |= {field.name: parts} if parts else {}
        elif hasattr(value, "add") or hasattr(value, "extend"):
            found |= {field.name: list(value)} if list(value) != _UNSTATED.get(field.name) else {}
        elif value != field.default_value:
            found[field.name] = value
    return found


def parsed(text: str) -> list[dict[str, Any]]:
    """The layers of a prototxt."""
    return [plain(layer) for layer in to_message(Document(text), schema.NetParameter()).layer]


def generated(name: str, role: str, **options: Any) -> list[dict[str, Any]]:
    """The layers of a generated net of the repository's table; the working folder must be the repository."""
    return parsed(_files(name, GeneratorOptions(**options))[f"{role}.prototxt"])


def solvers(name: str) -> list[Any]:
    """The solvers of a model's stages."""
    files = files_of(name)
    texts = [files[f"solver{stage}.prototxt"] for stage in ("", "2") if f"solver{stage}.prototxt" in files]
    return [to_message(Document(text), schema.SolverParameter()) for text in texts]


def in_use(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers without what only training looks at: multipliers and fillers."""
    return [_without(layer, ("param", "weight_filler", "bias_filler", "strict_dim")) for layer in layers]


def _without(table: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {k: _without(v, names) if isinstance(v, dict) else v for k, v in table.items() if k not in names}
