"""Pictures of nets, by Graphviz. Mirrors the behaviour of BVLC Caffe's python/caffe/draw.py.

Wants the optional package pydot (`pip install 'deeplab-caffe[draw]'`), and Graphviz's program `dot` for every format
but `raw`, which is Graphviz's own text.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import InputError
from ..files import write_bytes
from ..formats import schema
from ..formats.upgrade import upgrade_net

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLORS = {
    "Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF",
}  # fmt: skip


def get_pydot_graph(
    caffe_net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Any:
    """The pydot.Dot of a NetParameter.

    rankdir: direction of the layout (LR, TB, BT, RL); phase: only the layers of TRAIN or TEST; display_lrm: show
    the learning rate multiplier. In-place layers are green, convolutions red, pooling orange, inner products violet,
    others blue; blobs are grey octagons.
    """
    pydot = _pydot()
    net = schema.NetParameter()
    net.CopyFrom(caffe_net)
    upgrade_net(net, net.name or "net")
    graph = pydot.Dot(_quoted(net.name or "Net"), graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str, str]] = []
    for layer in net.layer:
        if phase is None or _runs_in(layer, phase):
            _add_layer(layer, rankdir, display_lrm, label_edges, nodes, edges)
    for name, style in nodes.items():
        graph.add_node(pydot.Node(_quoted(name), **style))
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(_quoted(source), _quoted(target), label=_quoted(label)))
    return graph


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture of a NetParameter as bytes of a format that Graphviz knows, or `raw`."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return graph.to_string().encode()
    try:
        return graph.create(format=ext)
    except (OSError, AssertionError) as error:
        raise InputError(f"cannot draw the net as {ext}: is Graphviz's program 'dot' installed? ({error})") from None


def draw_net_to_file(
    caffe_net: Any, filename: str, rankdir: str = "LR", phase: int | None = None, display_lrm: bool = False
) -> None:
    """Write the picture of a NetParameter to a file, whose suffix selects the format (`.raw`: text)."""
    ext = os.path.splitext(filename)[1][1:]
    if not ext:
        raise InputError(f"draw_net_to_file: '{filename}' has no suffix, such as .png, that would tell the format")
    picture = draw_net(caffe_net, rankdir, ext, phase, display_lrm)
    write_bytes(filename, picture)


def _pydot() -> Any:
    try:
        import pydot
    except ImportError:
        raise InputError(
            "caffe.draw needs the package pydot, which is not installed: pip install 'deeplab-caffe[draw]'"
        ) from None
    return pydot


def _quoted(text: str) -> str:
    return '"' + text.replace('"', r"\"") + '"'


def _runs_in(layer: Any, phase: int) -> bool:
    """Whether the rules of a layer that speak of a phase let it run in this one."""
    included = [rule.phase for rule in layer.include if rule.HasField("phase")]
    excluded = [rule.phase for rule in layer.exclude if rule.HasField("phase")]
    return (phase in included if included else True) and phase not in excluded


def _add_layer(
    layer: Any,
    rankdir: str,
    display_lrm: bool,
    label_edges: bool,
    nodes: dict[str, Any],
    edges: list[tuple[str, str, str]],
) -> None:
    in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
    style = NEURON_LAYER_STYLE if in_place else {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer)}
    node = f"{layer.name}_{layer.type}"
    nodes[node] = {**style, "label": _quoted(get_layer_label(layer, rankdir, display_lrm))}
    for names in (layer.bottom, layer.top):
        for name in names:
            nodes[f"{name}_blob"] = {**BLOB_STYLE, "label": _quoted(name)}
    edges += [(f"{name}_blob", node, "") for name in layer.bottom]
    label = get_edge_label(layer) if label_edges else ""
    edges += [(node, f"{name}_blob", label) for name in layer.top]


def choose_color_by_layertype(layer: Any) -> str:
    """The colour of a layer that is not in place."""
    return _COLORS.get(layer.type, LAYER_STYLE_DEFAULT["fillcolor"])


def get_edge_label(layer: Any) -> str:
    """What is written beside the arrow to a top: the batch size of data, the number of outputs."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    return str(layer.inner_product_param.num_output) if layer.type == "InnerProduct" else ""


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """What is written in a layer's box: name, type, window and, if wanted, learning rate multiplier."""
    parts = [layer.name, f"({layer.type})"]
    if layer.type in ("Convolution", "Deconvolution"):
        p = layer.convolution_param
        parts += _window(_size(p, "kernel", 1), _size(p, "stride", 1), _size(p, "pad", 0))
        parts += [f"dilation: {p.dilation[0]}"] if len(p.dilation) and p.dilation[0] != 1 else []
    elif layer.type == "Pooling":
        p = layer.pooling_param
        parts[1] = f"({p.PoolMethod.Name(p.pool)} Pooling)"
        window = _window(_size(p, "kernel", 1), _size(p, "stride", 1), _size(p, "pad", 0))
        parts += ["global"] if p.global_pooling else window
    if display_lrm and layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
        parts.append(f"lr mult: {layer.param[0].lr_mult if layer.param else 1.0:g}")
    return (" " if rankdir in ("TB", "BT") else r"\n").join(parts)


def _window(kernel: str, stride: str, pad: str) -> list[str]:
    return [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]


def _size(param: Any, name: str, default: int) -> str:
    """A size that may be stated once, for every axis, or as _h and _w."""
    if param.HasField(f"{name}_h") or param.HasField(f"{name}_w"):
        return f"{getattr(param, f'{name}_h')}x{getattr(param, f'{name}_w')}"
    value = getattr(param, f"{name}_size" if name == "kernel" else name)
    values = list(value) if hasattr(value, "__len__") else [value]
    return "x".join(map(str, values or [default]))
