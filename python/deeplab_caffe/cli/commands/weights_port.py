"""`deeplab weights port`: converts the weights of one net for another."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import caffe, inspection
from ...errors import InputError
from ...files import replacing
from ...formats.bundle import is_bundle
from ...formats.weight_files import WeightFile, read_weight_file, write_weight_file
from ...formats.weight_fit import NetLayer
from ...formats.weights import LayerWeights
from ...lazy import imported_on_use
from ...porting import export
from ...porting.difference import WeightsDifference, compare
from ...porting.port import Choices, Ported, port, read_renames
from ...porting.state_dict import is_state_dict, read_metadata, read_state_dict, to_layers
from ...porting.summary import summarise
from ...porting.surgery import CAFFE, TORCHVISION, Preprocessing
from ...porting.torch_names import to_caffe, warnings
from .. import bundled, net_flags
from ..export_common import write_record
from ..named_net import definition_named
from ..parser import add_renamed
from ..weight_warnings import print_weight_warnings

if TYPE_CHECKING:
    from ...caffe.net import weights as net_weights
else:
    net_weights = imported_on_use("deeplab_caffe.caffe.net.weights")

_PREPROCESSING = {"caffe": CAFFE, "torchvision": TORCHVISION}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The changes are printed, and written to OUT.json blob by blob, after OUT was read back."
    parser.add_argument("file", metavar="FILE", help=".caffemodel of any dialect, a PyTorch state dict, or a bundle")
    parser.add_argument("--to", required=True, metavar="NET", help="name of a model (voc12/largefov) or a prototxt")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help=".caffemodel, or .caffemodel.h5 for HDF5")
    parser.add_argument("--rename", metavar="OLD=NEW", action="append", default=[], help="rename a layer; repeatable")
    add_renamed(parser, "--renames", "--map", metavar="FILE", help="file of renames, one line `old new` for each")
    parser.add_argument(
        "--classes", metavar="N,N,…", help="the classes of the source to use, in the order of the target"
    )
    parser.add_argument("--fresh-classifier", action="store_true", help="always reinitialize the classifier")
    parser.add_argument(
        "--filters", choices=("random", "norm"), default="random", help="which filters of VGG-16's fc6 and fc7 to keep"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed for the random filters")
    kinds = list(_PREPROCESSING)
    text = "preprocessing that the source expects (default: from the state dict)"
    add_renamed(parser, "--from-preprocessing", "--from-images", choices=kinds, help=text)
    text = "net of the source: its blobs are compared with the target's of the same shape, on an image"
    parser.add_argument("--from-net", metavar="NET", help=text)
    parser.add_argument("--image", metavar="FILE", help="image for this comparison (default: a drawn one)")
    text = "preprocessing that the target expects (%(default)s)"
    add_renamed(parser, "--to-preprocessing", "--to-images", choices=kinds, default="caffe", help=text)
    net_flags.add_permission(parser)


def run(arguments: argparse.Namespace) -> None:
    target = net_weights.weight_layers(inspection.infer_shapes(definition_named(arguments.to), phase=caffe.TEST).net)
    layers, images = _source(arguments.file, arguments.from_images, target)
    source = WeightFile(arguments.file, "", "", list(layers))
    print_weight_warnings(summarise(source))
    done = port(layers, target, _choices(arguments, images))
    if not done.layers:
        raise InputError(f"{arguments.file} has weights for no layer of {arguments.to}")
    with replacing(arguments.output) as temporary:
        write_weight_file(temporary, done.layers, Path(arguments.output).stem)
        print(done)
        against_source = _proof(source, arguments.output, temporary, done)
        activations = _activations(arguments, temporary, layers, images) if arguments.from_net else None
    print(f"{arguments.output}: {len(done.layers)} layers written and read back")
    record = {"source": arguments.file, "net": arguments.to, **done.to_json(), "blobs": against_source.to_json()}
    record["activations"] = activations.to_json() if activations else None
    write_record(arguments.output, record)


def _source(
    path: str, images: str | None, target: Mapping[str, NetLayer]
) -> tuple[Sequence[LayerWeights], Preprocessing]:
    """The layers of a file and the preprocessing that its net expects; prints warnings about the target."""
    if is_bundle(path) or not is_state_dict(path):
        return bundled.weights(path, read_weight_file).layers, _PREPROCESSING[images or "caffe"]
    metadata = read_metadata(path)
    if "caffe_layers" in metadata:
        return to_layers(metadata, read_state_dict(path), path), _PREPROCESSING[images or "caffe"]
    source, layers = to_caffe(read_state_dict(path), path)
    print(f"{path}: {source.title}")
    for warning in warnings(source, layers, target):
        print(f"warning: {warning}", file=sys.stderr)
    return layers, _PREPROCESSING[images or source.preprocessing]


def _choices(arguments: argparse.Namespace, images: Preprocessing) -> Choices:
    expected = _PREPROCESSING[arguments.to_images]
    return Choices(
        renames=read_renames(arguments.map, arguments.rename),
        classes=_numbers(arguments.classes) if arguments.classes else None,
        fresh_classifier=arguments.fresh_classifier,
        filters=arguments.filters,
        seed=arguments.seed,
        preprocessing=None if images == expected else (images, expected),
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--classes: expected integers separated by commas but got '{text}'") from None


def _proof(source: WeightFile, output: str, temporary: Path, done: Ported) -> WeightsDifference:
    """Compare each written blob with the source's of that name, after checking that the file was written correctly."""
    written = read_weight_file(temporary)
    if not compare(WeightFile("made", "", "", done.layers), written).is_equal:
        raise InputError(f"{output}: read back different values than were written; check the disk")
    return compare(source, written)


@caffe.log.silent()
def _activations(
    arguments: argparse.Namespace, written: Path, layers: Sequence[LayerWeights], images: Preprocessing
) -> export.Verification:
    """Compare the two nets on one image, each with its own preprocessing, and print the result."""
    net = caffe.Net(definition_named(arguments.to), caffe.TEST)
    net.copy_from(os.fspath(written))
    other = caffe.Net(definition_named(arguments.from_net), caffe.TEST)
    with tempfile.TemporaryDirectory() as folder:
        whole = f"{folder}/source.caffemodel"
        write_weight_file(whole, port(layers, net_weights.weight_layers(other)).layers)
        other.copy_from(whole)
    wanted = _PREPROCESSING[arguments.to_images]
    pictures = [export.Pictures(arguments.image, preprocessing) for preprocessing in (wanted, images)]
    found = export.compare_nets(net, other, *pictures)
    print(f"blobs of {arguments.to} compared with {arguments.from_net}:\n{found}")
    return found
