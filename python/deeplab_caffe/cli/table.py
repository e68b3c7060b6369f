"""The table of commands. A module named here has `add_arguments(parser)` and `run(arguments)`, and is imported late.

`run` may return an exit code; None is 0. A module of one of Caffe's programs has, in place of `add_arguments`, a
`PROGRAM` (see `gflags`), and its `run(flags, words)` gets the value of every flag and the other words.
A module that shares its name with another has `serving(words)`, the module that serves these words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Command(NamedTuple):
    """One command: its word or two words, the module of this package that serves it, one line of help, its heading."""

    name: str
    module: str
    help: str
    group: str


_ROWS: dict[str, list[tuple[str, str, str]]] = {
    "models": [
        ("list", "model_list", "every model: parameters, field of view, published score, data sets"),
        ("prototxt all", "prototxt_all", "write the nets of every model, and the sums of all"),
    ],
    "stages of an experiment": [
        ("data", "stages", "draw or check the data; hold images back for the CRF search"),
        ("prototxt", "stages", "write the nets and solvers"),
        ("train", "stages", "stage 1 of training; goes on from the newest snapshot"),
        ("train2", "stages", "stage 2 of training"),
        ("test", "stages", "score the test list: score maps and labels"),
        ("search", "stages", "search the CRF's parameters, coarse to fine"),
        ("crf", "crf_refine", "refine the labels with the CRF; or any folder of score maps"),
        ("evaluate", "stages", "mean IoU before and after the CRF"),
        ("report", "stages", "a page with numbers and pictures"),
        ("all", "stages", "every stage in order; what is finished and unchanged is not done again"),
    ],
    "CRF": [
        ("crf-search", "crf_search", "the CRF's parameters for any score maps, on one machine or many"),
    ],
    "data": [
        ("voc-data", "voc_data", "fetch PASCAL VOC 2012 and SBD's labels; write the lists"),
        ("box-labels", "box_labels", "labels of pixels from boxes of objects: rectangles, or segmented by the CRF"),
    ],
    "weights": [
        ("weights show", "weights_show", "what a weight file of any year holds"),
        ("weights check", "weights_check", "what of a weight file a net would take"),
        ("weights diff", "weights_diff", "compare two weight files, layer by layer"),
        ("weights get", "weights_get", "fetch a known weight file, or list them"),
        ("weights port", "weights_port", "weights of one net for another: renamed, reshaped, reduced, folded"),
        ("weights convert", "weights_convert", "the same weights as binary, HDF5, or for a Caffe of 2014"),
        ("export torch", "export_torch", "a net as the source of a PyTorch module and its state dict"),
        ("export onnx", "export_onnx", "a net as an ONNX model"),
    ],
    "prototxt": [
        ("prototxt upgrade", "prototxt_upgrade", "bring a net or a solver of any dialect to today's form"),
        ("prototxt convert", "prototxt_convert", "write nets in the dialect of BVLC's Caffe"),
        ("prototxt lint", "prototxt_lint", "find mistakes in nets and solvers"),
        ("prototxt format", "prototxt_format", "lay prototxt files out in one way"),
        ("prototxt inspect", "prototxt_inspect", "shapes, parameters, cost, memory and receptive fields of a net"),
        ("prototxt diff", "prototxt_diff", "two nets or two solvers compared by meaning"),
        ("prototxt view", "prototxt_view", "a page for the browser: a net's picture, or that of two and what differs"),
    ],
    "Caffe": [
        ("run", "script", "run a Python script that says `import caffe`"),
        ("log", "log", "logs of Caffe, old or new, as CSV, JSON and plot"),
        ("caffe", "caffe", "Caffe's own command: caffe train | test | time | device_query"),
        ("convert_imageset", "convert_imageset", "images of a list into an LMDB or LevelDB"),
        ("compute_image_mean", "compute_image_mean", "the mean image of a database"),
        ("extract_features", "extract_features", "what blobs of a net hold, into databases"),
        ("upgrade_net_proto_text", "upgrade_proto_text", "a net of any year in today's form"),
        ("upgrade_net_proto_binary", "upgrade_net_proto_binary", "a .caffemodel of any year in today's form"),
        ("upgrade_solver_proto_text", "upgrade_proto_text", "a solver of any year in today's form"),
    ],
}


def _commands() -> Iterator[Command]:
    for group, rows in _ROWS.items():
        for name, module, text in rows:
            yield Command(name, module, text, group)


COMMANDS = {command.name: command for command in _commands()}
