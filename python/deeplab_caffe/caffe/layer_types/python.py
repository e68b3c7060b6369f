"""Layers written in Python by the user. Mirrors `python_layer.hpp`.

Those that come with this package, `deeplab_layers`, are always allowed; for others see `permission`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ...arrays import Shape
from ...errors import InputError
from ...formats.python_layers import native
from ...permission import python_layers_allowed
from .. import alias
from .base import Layer, layer_class, register

#: the layers that BVLC's Caffe lacks, in Python; a package next to this one
_OURS = "deeplab_layers"


@register("Python")
class PythonLayer(Layer):
    """Stands in the registry for the user's classes; built only to say that its shapes are not known."""

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        self.fail(
            "only its own code knows its shapes; if you trust it, pass --allow-python-layers, "
            + "otherwise state them: " + " ".join(f"--input {name}=1,3,321,321" for name in self.param.top)
        )  # fmt: skip


def python_layer(param: Any, phase: int, origin: str) -> Layer:
    """An instance of the class that `python_param` names, derived from caffe.Layer.

    Faster R-CNN's proposal layer, where its program is not at hand, is the layer type Proposal.

    Raises InputError where importing is not allowed, or the module or class does not exist.
    """
    p = param.python_param
    where = f"{origin + ': ' if origin else ''}layer '{param.name}' (Python): "
    if p.module != _OURS and not _at_hand(p.module):
        known = native(param)
        if known.type != "Python":
            return layer_class(known, origin)(known, phase, origin)
    if not python_layers_allowed() and not is_ours(p.module):
        raise InputError(
            f"{where}would import the module '{p.module}', that is, run its code; if you trust it, say "
            "--allow-python-layers"
        )
    if not p.module:
        raise InputError(f"{where}python_param names no module")
    try:
        module = _imported(p.module)
    except ModuleNotFoundError as error:
        if error.name != p.module.split(".")[0] and error.name != p.module:
            raise
        raise InputError(f"{where}no module '{p.module}' on sys.path") from None
    cls = getattr(module, p.layer, None)
    if not (isinstance(cls, type) and issubclass(cls, Layer)):
        raise InputError(f"{where}module '{p.module}' has no class '{p.layer}' derived from caffe.Layer")
    layer = cls(param)
    layer.phase, layer.origin = phase, origin
    layer.type = PythonLayer.type  # type: ignore[misc]
    layer.param_str = layer.param_str_ = p.param_str  # type: ignore[attr-defined]
    return layer


def is_ours(module: str) -> bool:
    """Whether a module is the package that comes with this one, and not another of the same name."""
    spec = importlib.util.find_spec(_OURS) if module == _OURS else None
    ours = Path(__file__).parents[3] / _OURS / "__init__.py"
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == ours.resolve()


def _at_hand(module: str) -> bool:
    """Whether a module may be imported and is there; that runs the code of the packages around it."""
    try:
        return python_layers_allowed() and (module in sys.modules or importlib.util.find_spec(module) is not None)
    except ModuleNotFoundError:
        return False


def _imported(name: str) -> ModuleType:
    """A module whose `import caffe` gives this Caffe, unless the program has imported another one."""
    if "caffe" not in sys.modules:
        alias.install()
    return importlib.import_module(name)
