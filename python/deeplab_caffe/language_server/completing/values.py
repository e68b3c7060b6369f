"""What the value of a field may be: words, names in scope, files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...formats import meanings
from ...formats.tree import Block, Scalar
from ..buffers import Buffer
from ..describing.fields import default_text
from ..describing.files import BEGINS, names_file
from ..places import Place
from ..workspace import NET_FIELDS, Workspace
from .items import Item, Kind
from .scope import blobs_above, inner, names_of_layers, shared_names, stages_of
from .snippets import free_name, stem_of

_STRING, _BOOL = 9, 8
#: names of a folder that are offered at most
_MOST_FILES = 300
#: field → the ends of the names of files that it takes; others take any
_ENDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(NET_FIELDS, (".prototxt", ".prototxt.txt", ".pt")),
    "weights": (".caffemodel", ".h5"),
    **dict.fromkeys(("mean_file", "meanfile"), (".binaryproto",)),
    **dict.fromkeys(BEGINS, ("/",)),
}


def values_here(workspace: Workspace, buffer: Buffer, place: Place) -> list[Item]:
    """The values that the field here may have, the likeliest first."""
    descriptor = place.descriptor
    if descriptor is None or descriptor.message_type is not None:
        return []
    words = meanings.words_of(descriptor)
    if words:
        return [_word(descriptor, word, text) for word, text in words.items()]
    if descriptor.type == _BOOL:
        default = default_text(descriptor)
        return [Item(word, word, Kind.Keyword, "the default" * (word == default)) for word in ("true", "false")]
    if names_file(descriptor) or descriptor.name in BEGINS:
        return list(_files(workspace, buffer, place))
    named = _NAMED.get((descriptor.containing_type.name, descriptor.name))
    if named is not None:
        return list(named(workspace, buffer, place))
    return _usual(descriptor)


def _word(descriptor: Any, word: str, text: str) -> Item:
    about = ("word", descriptor.containing_type.name, descriptor.name, word)
    is_string = descriptor.type == _STRING
    return Item(word, word, Kind.EnumMember, text, about, in_quotes=is_string)


def _usual(descriptor: Any) -> list[Item]:
    """The default of a number, and the label that is ignored by custom."""
    default = default_text(descriptor, meanings.of_field(descriptor))
    custom = "255" if descriptor.name == "ignore_label" else ""
    found = {custom: "by custom", default: "the default"}
    quoted = descriptor.type == _STRING
    return [Item(value, value.strip('"'), Kind.Value, why, in_quotes=quoted) for value, why in found.items() if value]


# -- names in scope


def _name(label: str, detail: str, kind: Kind = Kind.Variable) -> Item:
    return Item(label, label, kind, detail, in_quotes=True)


def _bottoms(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    for made in blobs_above(buffer.document, place.offset, place.layer):
        yield _name(made.name, f"{made.layer} ({made.type})" if made.type else "input of the net")


def _tops(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    if place.layer is None or not isinstance(place.layer.value, Block):
        return
    name = inner(place.layer).text_of("name")
    found = {name: "the layer's name"} if name else {}
    for bottom in place.layer.value.all("bottom"):
        if isinstance(bottom.value, Scalar):
            found.setdefault(bottom.value.text, "in place")
    yield from (_name(label, detail) for label, detail in found.items())


def _layer_names(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    """A top of the layer, a free name by its type, and names of the model's other nets that are missing here."""
    taken = set(names_of_layers(buffer.document))
    own = place.layer.value if place.layer is not None else None
    if isinstance(own, Block):
        for top in own.all("top"):
            if isinstance(top.value, Scalar) and top.value.text not in taken:
                yield _name(top.value.text, "its top", Kind.Class)
        layer_type = inner(place.layer).text_of("type") if place.layer is not None else None
        if layer_type:
            stem = stem_of(meanings.today(layer_type) or layer_type)
            yield _name(free_name(stem, taken), "a free name", Kind.Class)
    others = [other for other in workspace.family(buffer) if other is not buffer and other.kind == "net"]
    missing = {name: other.path for other in others for name in names_of_layers(other.document) if name not in taken}
    for name, path in missing.items():
        yield _name(name, f"in {os.path.basename(path)}", Kind.Class)


def _param_names(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    names = [name for name in shared_names(buffer.document) if name != _typed(place)]
    yield from (_name(name, "a shared parameter") for name in names)
    layer = inner(place.layer).text_of("name") if place.layer is not None else None
    for end in ("_w", "_b") if layer else ():
        if f"{layer}{end}" not in names:
            yield _name(f"{layer}{end}", "a new name")


def _stages(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    for other in workspace.family(buffer):
        for stage in stages_of(other.document):
            if stage != _typed(place):
                yield _name(stage, f"in {os.path.basename(other.path)}")


def _typed(place: Place) -> str:
    """The value at the cursor as it is now, which is a name only because it is being typed."""
    value = place.field.value if place.field is not None else None
    return value.text if isinstance(value, Scalar) else place.prefix


Named = Callable[[Workspace, Buffer, Place], Iterator[Item]]
_NAMED: Mapping[tuple[str, str], Named] = {
    ("LayerParameter", "bottom"): _bottoms,
    ("V1LayerParameter", "bottom"): _bottoms,
    ("LayerParameter", "top"): _tops,
    ("V1LayerParameter", "top"): _tops,
    ("LayerParameter", "name"): _layer_names,
    ("V1LayerParameter", "name"): _layer_names,
    ("V0LayerParameter", "name"): _layer_names,
    ("ParamSpec", "name"): _param_names,
    ("V1LayerParameter", "param"): _param_names,
    **{(message, name): _stages for message in ("NetStateRule", "NetState") for name in ("stage", "not_stage")},
}


# -- files


def _files(workspace: Workspace, buffer: Buffer, place: Place) -> Iterator[Item]:
    """The files and folders that go on what is typed, from the open folders and from the buffer's own."""
    before, typed = "", place.prefix
    if place.name == "weights":  # a list with commas
        before, comma, typed = typed.rpartition(",")
        before += comma
    folder = typed.rpartition("/")[0] + "/" * ("/" in typed)
    if "\0" in folder or "${" in folder:
        return
    seen: set[str] = set()
    for base in dict.fromkeys([*workspace.folders, os.path.dirname(os.path.abspath(buffer.path))]):
        for name, is_folder in _listing(os.path.join(base, folder), _ENDS.get(place.name, ())):
            if name not in seen:
                seen.add(name)
                path = f"{before}{folder}{name}"
                yield Item(path, path, Kind.Folder if is_folder else Kind.File, in_quotes=True)


def _listing(folder: str, ends: tuple[str, ...]) -> list[tuple[str, bool]]:
    """The names in a folder, folders with a slash; without hidden ones and files of another kind."""
    try:
        with os.scandir(folder) as entries:
            shown = [(e.name + "/" * e.is_dir(), e.is_dir()) for e in entries if not e.name.startswith(".")]
    except (OSError, ValueError):
        return []
    fitting = [(name, is_folder) for name, is_folder in shown if is_folder or not ends or name.endswith(ends)]
    return sorted(fitting, key=lambda entry: (entry[1], entry[0]))[:_MOST_FILES]
