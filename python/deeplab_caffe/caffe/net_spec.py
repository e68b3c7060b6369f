"""Nets written as Python expressions: `n.conv1 = layers.Convolution(n.data, num_output=64, kernel_size=3)`.

Mirrors the behaviour of BVLC Caffe's python/caffe/net_spec.py, names included, on the messages of
`deeplab_caffe.formats.schema`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..formats import schema
from ..spelling import did_you_mean

__all__ = ["Function", "Layers", "NetSpec", "Parameters", "Top", "assign_proto", "layers", "param_name_dict"]
__all__ += ["params", "to_proto"]


def param_name_dict() -> dict[str, str]:
    """Layer type → its own field of LayerParameter without `_param`, for types that a message is named after."""
    fields = schema.LayerParameter.DESCRIPTOR.fields
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in fields
        if field.message_type is not None and field.name.endswith("_param")
    }


def assign_proto(proto: Any, name: str, value: Any) -> None:
    """Set field `name` of a message from plain Python.

    A dict fills a message (recursively), a list of dicts repeated messages, a list extends a repeated field,
    anything else for a repeated field is its one new element. Raises AttributeError for an unknown field.
    """
    field = _field(proto, name)
    if hasattr(field, "extend"):
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, dict):
                _fill(field.add(), item)
            else:
                field.extend([item])
    elif isinstance(value, dict):
        _fill(field, value)
    else:
        setattr(proto, name, value)


def _fill(message: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        assign_proto(message, name, value)


def _field(proto: Any, name: str) -> Any:
    known = proto.DESCRIPTOR.fields_by_name
    if name not in known:
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field '{name}'{did_you_mean(name, known)}")
    return getattr(proto, name)


class Top:
    """Output `n` of the layer `fn`; bottoms of further layers are Tops."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """The NetParameter of everything this top needs, with automatic names."""
        return to_proto(self)

    def _emit(self, writing: _Writing) -> None:
        self.fn._emit(writing)


class Function:
    """A layer without a name yet: type, bottoms, parameters and Tops.

    inputs: Tops; params: keyword arguments as given, of which `ntop` (default 1) and `in_place` are consumed here.
    Raises TypeError for a bottom that is not a Top.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None:
        for number, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {number} is not a Top (type is {type(bottom)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _emit(self, writing: _Writing) -> None:
        """Write the layers this one needs, then this one, unless it is written already."""
        if self in writing.layers:
            return
        bottoms = []
        for bottom in self.inputs:
            bottom._emit(writing)
            bottoms.append(writing.layers[bottom.fn].top[bottom.n])
        layer = schema.LayerParameter(type=self.type_name, bottom=bottoms)
        layer.top.extend(bottoms if self.in_place else [writing.name(top, self.type_name) for top in self.tops])
        layer.name = writing.name(self.tops[0] if self.tops else self, self.type_name)
        for name, value in self.params.items():
            _assign_param(layer, name, value)
        writing.layers[self] = layer


def _assign_param(layer: Any, name: str, value: Any) -> None:
    """A keyword of a layer: `…param` belongs to the layer, others to the type's own message if that has them."""
    own = _PARAM_NAMES.get(layer.type)
    own_message = None if own is None else getattr(layer, f"{own}_param")
    if name.endswith("param"):
        assign_proto(layer, name, value)
    elif own_message is not None and name in own_message.DESCRIPTOR.fields_by_name:
        assign_proto(own_message, name, value)
    elif name in layer.DESCRIPTOR.fields_by_name:
        assign_proto(layer, name, value)
    else:
        messages = [layer] if own_message is None else [own_message, layer]
        hint = did_you_mean(name, [known for message in messages for known in message.DESCRIPTOR.fields_by_name])
        where = " or ".join(message.DESCRIPTOR.name for message in messages)
        raise AttributeError(f"layer '{layer.name}' ({layer.type}): no field '{name}' in {where}{hint}")


class _Writing:
    """The state of one `to_proto`: layers in order and the names given so far."""

    def __init__(self, names: dict[Any, str]) -> None:
        self.layers: dict[Function, Any] = {}
        self._names = names
        self._counts: Counter[str] = Counter()

    def name(self, thing: Top | Function, type_name: str) -> str:
        """Its given name, else the type with a running number from 1."""
        if thing not in self._names:
            self._counts[type_name] += 1
            self._names[thing] = f"{type_name}{self._counts[type_name]}"
        return self._names[thing]

    def net(self, things: list[Any]) -> Any:
        for thing in things:
            thing._emit(self)
        return schema.NetParameter(layer=list(self.layers.values()))


def to_proto(*tops: Top | Function) -> Any:
    """The NetParameter of all layers that `tops` need, with automatic names (type and running number)."""
    return _Writing({}).net(list(tops))


class NetSpec:
    """Named tops in order of assignment, as attributes or items: `n.data, n.label = layers.Data(ntop=2, …)`.

    A layer with ntop=0 is assigned itself. Layers that no assigned top needs are absent from the net. A tuple or list
    of tops may be assigned too, as generators of nets do; it must be gone, or replaced, when the net is written.
    """

    tops: dict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setitem__(self, name: str, value: Any) -> None:
        parts = value if isinstance(value, (tuple, list)) else [value]
        if not all(isinstance(part, (Top, Function)) for part in parts):
            raise TypeError(f"'{name}' is assigned {value!r} ({type(value).__name__}), but a Top was wanted")
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        return self.tops[name]

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tops

    def __iter__(self) -> Iterator[str]:
        return iter(self.tops)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["tops"][name]
        except KeyError:
            raise AttributeError(f"this NetSpec has no top '{name}'") from None

    def __delattr__(self, name: str) -> None:
        del self.tops[name]

    def to_proto(self) -> Any:
        """The NetParameter: every assigned layer, in order, each after the layers it needs.

        Raises TypeError for a name that still stands for several tops.
        """
        for name, thing in self.tops.items():
            if isinstance(thing, (tuple, list)):
                raise TypeError(f"'{name}' is {len(thing)} tops; a name in the net is one: assign each its own")
        return _Writing({thing: name for name, thing in self.tops.items()}).net(list(self.tops.values()))


class Layers:
    """`layers.Type(*bottoms, **params)`: a Top, a tuple of Tops (ntop > 1), or the Function (ntop=0)."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer(*bottoms: Top, **params: Any) -> Any:
            function = Function(name, bottoms, params)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        layer.__name__ = name
        return layer


class Parameters:
    """`params.Pooling.MAX`: the enum values of a layer's parameter message."""

    def __getattr__(self, name: str) -> Any:
        message = schema.NAMES.get(f"{name}Parameter")
        if message is None:
            raise AttributeError(f"there is no message {name}Parameter")
        return message


_PARAM_NAMES = param_name_dict()
layers = Layers()
params = Parameters()
