"""Writes docs/python-api.md: the public names of the package, each with the first sentence of its docstring.

python docs/mkdocs/python_api_page.py

The site has a page more for each module, with the whole docstrings: `hooks.py` makes them from the same table.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

PAGE = Path(__file__).parent.parent / "python-api.md"
HEAD = """\
# The Python API

This page is written by `make docs`: the names that programs may rely on, by the module that they are imported from. On
the site each module has a page of its own with the whole documentation; `help(name)` in Python shows the same.

What holds everywhere: images are `(H, W, 3)` RGB, uint8; nets take `(N, C, H, W)` BGR minus the mean, float32; label
maps are `(H, W)` uint8 class indices, with 255 for ignored pixels; scores are fractions from 0 to 1. Wrong input raises
`deeplab_caffe.errors.InputError`, a `ValueError` whose message is complete.
"""


class Part(NamedTuple):
    """A module on the page, and its names; without names those of its `__all__`."""

    module: str
    names: tuple[str, ...] = ()


PARTS = (
    Part("deeplab_caffe"),
    Part("deeplab_caffe.caffe"),
    Part("deeplab_caffe.crf"),
    Part("deeplab_caffe.data"),
    Part(
        "deeplab_caffe.evaluation",
        (
            "confusion_matrix", "confusion_matrices", "class_ious", "mean_iou", "Scores", "Trimap", "BandScore",
            "band_scores", "border_distance", "Pair", "Counts", "count_pairs", "gain_interval", "gain_intervals",
            "TrainLog", "read_train_log", "parse_train_log", "colour_labels", "overlay", "side_by_side", "with_legend",
            "confusion_picture", "trimap_picture", "trimap_curves", "log_curves",
        ),
    ),
    Part("deeplab_caffe.inference"),
    Part(
        "deeplab_caffe.nets",
        (
            "VARIANTS", "Variant", "GeneratorOptions", "generate", "write_files", "WriteResult", "Recipe", "SizeRule",
            "full_name", "target", "published_names", "published_scores", "published_numbers", "PublishedNumber",
            "initial_weights", "starts_from", "is_untouched", "regenerated",
        ),
    ),
    Part("deeplab_caffe.inspection"),
    Part("deeplab_caffe.porting.port", ("Choices", "Ported", "PortStep", "port", "read_renames")),
    Part("deeplab_caffe.porting.state_dict", ("read_state_dict", "write_state_dict", "to_layers")),
    Part("deeplab_caffe.porting.manifest", ("KnownWeights", "read_manifest", "look_up", "fetch")),
)  # fmt: skip


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *map(_section, PARTS)])


def public_names(part: Part) -> tuple[str, ...]:
    """The names of a part, as `from module import name` takes them."""
    module = importlib.import_module(part.module)
    return part.names or tuple(module.__all__)


def documented(part: Part) -> Iterator[tuple[str, str]]:
    """(name, where it is defined) of the names that have a docstring of their own."""
    module = importlib.import_module(part.module)
    for name in public_names(part):
        value = inspect.unwrap(getattr(module, name))
        if isinstance(value, ModuleType):
            yield name, value.__name__
        elif inspect.isclass(value) or inspect.isfunction(value):
            yield name, f"{value.__module__}.{value.__qualname__}"


def summary(value: Any) -> str:
    """The first sentence of a docstring; for a constant, what it is."""
    value = inspect.unwrap(value)
    documents_itself = inspect.isclass(value) or inspect.isfunction(value) or isinstance(value, ModuleType)
    if not documents_itself and type(value).__module__.split(".")[0] != "deeplab_caffe":
        return _constant(value)
    text = re.sub(r"\s+", " ", (inspect.getdoc(value) or "").partition("\n\n")[0])
    return re.sub(r";$", ".", re.split(r"(?<=[.;]) (?=[A-Z])", text)[0])


def _constant(value: Any) -> str:
    if isinstance(value, dict):
        return f"A table: {{name: {type(next(iter(value.values()))).__name__}}}."
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"The constant {value}."


def _section(part: Part) -> str:
    module = importlib.import_module(part.module)
    text = re.sub(r"\s+", " ", inspect.getdoc(module) or "")
    rows = [f"| `{name}` | {_cell(summary(getattr(module, name)))} |" for name in public_names(part)]
    lines = [f"## {part.module}", "", text, "", f"<!-- details: {part.module} -->", ""]
    return "\n".join([*lines, "| name | what it is |", "|---|---|", *rows, ""])


def _cell(text: str) -> str:
    """A text in a cell of a table; nothing of it is markup but code in backticks."""

    def escaped(part: str) -> str:
        return part.replace("|", "\\|") if part.startswith("`") else re.sub(r"([|<*_\[\]])", r"\\\1", part)

    return "".join(map(escaped, re.split(r"(`[^`]*`)", text)))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
