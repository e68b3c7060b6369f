"""The readers: from Caffe's files, or their bytes, to a net."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from cv2 import dnn as opencvs

from ..errors import InputError
from ..formats import messages, schema
from ..formats.definition import definition_of, is_included
from ..formats.prototxt import Document
from .net import Net, as_cv2_error
from .outputs import Outputs

_Source = str | os.PathLike[str] | bytes | bytearray | np.ndarray
_SUFFIXES = ((".prototxt", ".pbtxt", ".txt"), (".caffemodel", ".h5"))


def readNetFromCaffe(prototxt: _Source, caffeModel: _Source | None = None, **buffers: Any) -> Net:
    """A net from Caffe's files of any dialect.

    Args:
        prototxt: path of the deploy net; or its bytes, also as a uint8 array. Also named `bufferProto`.
        caffeModel: path or bytes of the weights; without them, a net with parameters cannot be run. Also `bufferModel`.

    Raises:
        error: a file is missing or invalid, or the weights do not fit; an InputError as well.
    """
    model = buffers.pop("bufferModel", caffeModel)
    if buffers:
        raise TypeError(f"readNetFromCaffe() got an unexpected keyword argument '{next(iter(buffers))}'")
    with as_cv2_error():
        document = _document(prototxt)
        return Net(_outputs(document), document.filename, *_weights(model))


def readNet(model: Any, config: Any = "", framework: str = "") -> Any:
    """OpenCV's `readNet`: files of Caffe, in any order, are read here, all others by OpenCV."""
    files = [os.fspath(word) for word in (model, config) if isinstance(word, str | os.PathLike) and word]
    net, weights = ([name for name in files if name.lower().endswith(suffixes)] for suffixes in _SUFFIXES)
    if framework.lower() == "caffe" or (weights and net) or (len(files) == 1 and net):
        return readNetFromCaffe((net or files)[0], (weights or files[1:] or [None])[0])
    return opencvs.readNet(model, config, framework)


def _document(source: _Source) -> Document:
    if isinstance(source, str | os.PathLike):
        return Document.read(source)
    try:
        return Document(bytes(source).decode(), "<bufferProto>")
    except UnicodeDecodeError:
        raise InputError("<bufferProto>: is not UTF-8 text; expected the bytes of a prototxt") from None


def _outputs(document: Document) -> Outputs:
    """The net in the state TEST; inputs whose shape the file does not say get theirs with their values."""
    param = messages.to_running_message(document, schema.NetParameter())
    if not param.input_shape and not param.input_dim:
        for _ in param.input:
            param.input_shape.add()
    whole = definition_of(param, document.filename).param
    state = schema.NetState(phase=schema.TEST)
    layers = [layer for layer in whole.layer if is_included(layer, state)]
    del whole.layer[:]
    whole.layer.extend(layers)
    found = Outputs(whole)
    if not found.inputs:
        raise InputError(f"{document.filename}: has no input; expected a deploy net")
    return found


def _weights(source: _Source | None) -> tuple[Path | None, Any]:
    """The file of the weights, and what keeps it: a temporary folder for bytes."""
    if source is None or isinstance(source, str | os.PathLike):
        return (Path(source) if source else None), None
    folder = tempfile.TemporaryDirectory(prefix="deeplab_cv2_dnn_")
    path = Path(folder.name, "bufferModel.caffemodel")
    path.write_bytes(bytes(source))
    return path, folder
