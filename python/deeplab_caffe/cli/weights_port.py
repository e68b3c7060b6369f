"""`deeplab weights port`: weights of one net for another."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import caffe
from ..caffe import log
from ..caffe.net.weights import weight_layers
from ..errors import InputError
from ..files import write_text
from ..formats.weight_files import WeightFile, read_weight_file, write_weight_file
from ..formats.weight_fit import NetLayer
from ..formats.weights import LayerWeights
from ..inspection.shapes import infer_shapes
from ..porting.difference import Difference, compare
from ..porting.export.pictures import Pictures
from ..porting.export.torch_source import to_layers
from ..porting.export.verification import Verification, compare_nets
from ..porting.port import Choices, Ported, port
from ..porting.renames import read_renames
from ..porting.state_dict import is_state_dict, read_metadata, read_state_dict
from ..porting.surgery import CAFFE, TORCHVISION, Preprocessing
from ..porting.torch_names import to_caffe, warnings
from . import net_arguments
from .named_net import definition_named
from .odd_values import warn_of_odd_values

_PREPROCESSING = {"caffe": CAFFE, "torchvision": TORCHVISION}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "What was done is printed, and written as OUT.json, blob by blob, after OUT was read again."
    parser.add_argument("file", metavar="FILE", help=".caffemodel of any dialect, or a PyTorch state dict")
    parser.add_argument("--to", required=True, metavar="NET", help="a variant (voc12/largefov) or a prototxt")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=".caffemodel, or .caffemodel.h5 for HDF5")
    parser.add_argument("--rename", metavar="OLD=NEW", action="append", default=[], help="a layer's name; repeatable")
    parser.add_argument("--map", metavar="FILE", help="file of renames, a line `old new` each")
    parser.add_argument("--classes", metavar="N,N,…", help="which classes of the source the target's are, in its order")
    parser.add_argument("--fresh-classifier", action="store_true", help="start the classifier anew in any case")
    parser.add_argument("--filters", choices=("random", "norm"), default="random", help="which of VGG-16's fc6 and fc7")
    parser.add_argument("--seed", type=int, default=0, help="of the random filters")
    kinds = list(_PREPROCESSING)
    parser.add_argument("--from-images", choices=kinds, help="how the source wants images (told by a state dict)")
    text = "the source's net: its blobs are compared with the target's on an image, where they have the same shape"
    parser.add_argument("--from-net", metavar="NET", help=text)
    parser.add_argument("--image", metavar="FILE", help="that image (a drawn one)")
    parser.add_argument("--to-images", choices=kinds, default="caffe", help="how the target gets them (%(default)s)")
    net_arguments.add_permission(parser)


def run(arguments: argparse.Namespace) -> None:
    target = weight_layers(infer_shapes(definition_named(arguments.to), phase=caffe.TEST).net)
    layers, images = _source(arguments.file, arguments.from_images, target)
    source = WeightFile(arguments.file, "", "", list(layers))
    warn_of_odd_values(source)
    done = port(layers, target, _choices(arguments, images))
    if not done.layers:
        raise InputError(f"{arguments.file} has weights for no layer of {arguments.to}")
    write_weight_file(arguments.output, done.layers, Path(arguments.output).stem)
    print(done)
    against_source = _proof(source, arguments.output, done)
    print(f"{arguments.output}: {len(done.layers)} layers written and read again")
    activations = _activations(arguments, layers, images) if arguments.from_net else None
    record = {"source": arguments.file, "net": arguments.to, **done.to_json(), "blobs": against_source.to_json()}
    record["activations"] = activations.to_json() if activations else None
    write_text(f"{arguments.output}.json", json.dumps(record, indent=1) + "\n")


def _source(
    path: str, images: str | None, target: Mapping[str, NetLayer]
) -> tuple[Sequence[LayerWeights], Preprocessing]:
    """The layers of a file, and how its net wants images; says what the target should have otherwise."""
    if not is_state_dict(path):
        return read_weight_file(path).layers, _PREPROCESSING[images or "caffe"]
    metadata = read_metadata(path)
    if "caffe_layers" in metadata:
        return to_layers(metadata, read_state_dict(path), path), _PREPROCESSING[images or "caffe"]
    source, layers = to_caffe(read_state_dict(path), path)
    print(f"{path}: {source.title}")
    for warning in warnings(source, layers, target):
        print(f"warning: {warning}", file=sys.stderr)
    return layers, _PREPROCESSING[images or source.preprocessing]


def _choices(arguments: argparse.Namespace, images: Preprocessing) -> Choices:
    wanted = _PREPROCESSING[arguments.to_images]
    return Choices(
        renames=read_renames(arguments.map, arguments.rename),
        classes=_numbers(arguments.classes) if arguments.classes else None,
        fresh_classifier=arguments.fresh_classifier,
        filters=arguments.filters,
        seed=arguments.seed,
        preprocessing=None if images == wanted else (images, wanted),
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--classes: got '{text}'; wanted whole numbers with commas between") from None


def _proof(source: WeightFile, output: str, done: Ported) -> Difference:
    """Each written blob against the source's of that name, after checking that the file holds what was made."""
    written = read_weight_file(output)
    if not compare(WeightFile("made", "", "", done.layers), written).is_equal:
        raise InputError(f"{output}: what is read again is not what was written; is the disk sound?")
    return compare(source, written)


def _activations(arguments: argparse.Namespace, layers: Sequence[LayerWeights], images: Preprocessing) -> Verification:
    """The two nets on one image, each preprocessed in its way; printed."""
    log.set_stderr(False)
    net = caffe.Net(definition_named(arguments.to), caffe.TEST)
    net.copy_from(arguments.output)
    other = caffe.Net(definition_named(arguments.from_net), caffe.TEST)
    with tempfile.TemporaryDirectory() as folder:
        whole = f"{folder}/source.caffemodel"
        write_weight_file(whole, port(layers, weight_layers(other)).layers)
        other.copy_from(whole)
    wanted = _PREPROCESSING[arguments.to_images]
    found = compare_nets(net, other, Pictures(arguments.image, wanted), Pictures(arguments.image, images))
    print(f"blobs of {arguments.to} beside those of {arguments.from_net}:\n{found}")
    return found
