"""Weight files of Caffe and state dicts of PyTorch as one kind of object, for tools that only look at them."""

from __future__ import annotations

from ..formats.weight_files import WeightFile, read_weight_file
from ..formats.weights import BlobArray, LayerWeights
from .export.torch_source import to_layers
from .state_dict import is_state_dict, modules_of, read_metadata, read_state_dict


def read_any(path: str) -> WeightFile:
    """A `.caffemodel` of any form; or a state dict, whose modules are the layers, of no type.

    An exported one has its layers' own names and types back. Raises InputError for what is neither.
    """
    if not is_state_dict(path):
        return read_weight_file(path)
    metadata, state = read_metadata(path), read_state_dict(path)
    if "caffe_layers" in metadata:
        layers = to_layers(metadata, state, path)
    else:
        layers = [
            LayerWeights(module, "", [BlobArray(values) for values in parts.values()])
            for module, parts in modules_of(state).items()
        ]
    return WeightFile(path, "PyTorch", "", layers)
