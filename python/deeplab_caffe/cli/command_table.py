"""The table of commands: each names a module of `cli/commands/`, which is imported when the command is called.

A command's module has `add_arguments(parser)` and `run(arguments)`. `run` may return an exit code; None means 0.
A module for one of Caffe's programs has `PROGRAM` instead of `add_arguments` (see `gflags`); its `run(flags, words)`
gets the values of the flags and the remaining words. If two modules share a command, the one in the table has
`serving(words)`, which returns the module for these words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Command(NamedTuple):
    """One command: its name (one word or two), its module in `cli/commands/`, a line of help, and its heading."""

    name: str
    module: str
    help: str
    group: str


_ROWS: dict[str, list[tuple[str, str, str]]] = {
    "models": [
        ("list", "model_list", "list the models: parameters, field of view, published score, data sets"),
        ("prototxt all", "prototxt_all", "write the nets of every model, and the sums of all"),
    ],
    "data": [
        ("dataset", "dataset_build", "build a published data set: find or download it, convert labels, write lists"),
        ("dataset check", "dataset_check", "read a whole data set once; report what it holds and what is wrong"),
        ("dataset copy", "dataset_copy", "copy the description of a data set into datasets/, to be changed"),
        ("dataset convert-labels", "convert_labels", "turn colours of labels into class indices, or change values"),
        ("dataset duplicate", "dataset_duplicate", "write a list in which images with some classes stand twice"),
        ("dataset class-weights", "dataset_class_weights", "weights of the classes for a loss, as a file"),
        ("box-labels", "box_labels", "make label maps from bounding boxes: rectangles, or segmented by the CRF"),
    ],
    "stages of an experiment": [
        ("data", "run_stages", "draw or check the data; hold images out for the CRF search"),
        ("prototxt", "run_stages", "write the nets and solvers"),
        ("train", "run_stages", "stage 1 of training; resumes from the newest snapshot"),
        ("train2", "run_stages", "stage 2 of training"),
        ("test", "run_stages", "run the net on the test list: score maps and labels"),
        ("search", "run_stages", "search the CRF parameters, from coarse to fine"),
        ("crf", "crf_refine", "refine the labels, or any folder of score maps, with the CRF"),
        ("evaluate", "run_stages", "mean IoU before and after the CRF"),
        ("report", "run_stages", "write a page with scores and pictures"),
        ("all", "run_stages", "run all stages in order; finished and unchanged ones are skipped"),
    ],
    "results": [
        ("score", "score", "score any folder of label maps: IoU, accuracies, confusion matrix, trimap"),
        ("compare", "compare", "compare results: a page of differences per class and per image"),
        ("submit", "submit", "write or check the archive of results for a test server: voc12, cityscapes"),
        ("ledger", "ledger", "write the page of published numbers, how to reproduce each, and ours"),
    ],
    "predictions": [
        ("predict", "predict", "label images, folders and videos with a trained model: label maps and overlays"),
        ("serve", "serve", "segment photos on a local web page: a model to be looked at, and the CRF's sliders"),
    ],
    "a model to hand on": [
        ("bundle", "bundle", "write a trained model, its scores and where it comes from into one file, pets.deeplab"),
        ("bundle show", "bundle_show", "show what a bundle contains, and check its hashes"),
        ("bundle extract", "bundle_extract", "write the files of a bundle into a new folder, to be edited"),
    ],
    "CRF": [
        ("crf-search", "crf_search", "search CRF parameters for any score maps, on one machine or many"),
    ],
    "weights": [
        ("weights show", "weights_show", "show the contents of weight files of any Caffe"),
        ("weights check", "weights_check", "check whether weights fit a net"),
        ("weights diff", "weights_diff", "compare two weight files, layer by layer"),
        ("weights get", "weights_get", "download known weight files, or list them"),
        (
            "weights port",
            "weights_port",
            "adapt weights to another net: rename, reshape, select classes, fold",
        ),
        ("weights convert", "weights_convert", "convert weights to binary, HDF5, or the format of 2014"),
        ("export torch", "export_torch", "export a net as the source of a PyTorch module and a state dict"),
        ("export onnx", "export_onnx", "export a net as an ONNX model"),
        ("export openvino", "export_runtime", "export a net for OpenVINO"),
        ("export ncnn", "export_runtime", "export a net for ncnn"),
        ("export coreml", "export_runtime", "export a net for Core ML"),
        ("export tflite", "export_runtime", "export a net for TensorFlow Lite"),
        ("import onnx", "import_onnx", "turn an ONNX model into a prototxt and a caffemodel, in BVLC's layer types"),
    ],
    "prototxt": [
        ("prototxt upgrade", "prototxt_upgrade", "convert nets and solvers of any dialect to the current format"),
        ("prototxt convert", "prototxt_convert", "convert nets to the dialect of BVLC Caffe"),
        ("prototxt lint", "prototxt_lint", "find mistakes in nets and solvers"),
        ("prototxt format", "prototxt_format", "format prototxt files"),
        ("prototxt inspect", "prototxt_inspect", "show shapes, parameters, cost, memory and receptive fields of a net"),
        ("prototxt diff", "prototxt_diff", "compare two nets or two solvers by meaning"),
        ("prototxt sync", "prototxt_sync", "carry an edit of one net over to the other nets of its model"),
        ("prototxt view", "prototxt_view", "draw a net, or two and their differences, as a page for the browser"),
        ("prototxt serve", "prototxt_serve", "serve an editor: the language server for nets and solvers"),
    ],
    "Caffe": [
        ("run", "run_script", "run a Python script written for pycaffe"),
        ("log", "parse_log", "convert Caffe logs to CSV, JSON and plots"),
        ("caffe", "caffe", "Caffe's own command: caffe train | test | time | device_query"),
        ("convert_imageset", "convert_imageset", "write the images of a list into an LMDB or LevelDB"),
        ("compute_image_mean", "compute_image_mean", "compute the mean image of a database"),
        ("extract_features", "extract_features", "write blobs of a net into databases"),
        ("upgrade_net_proto_text", "upgrade_proto_text", "convert a net of any dialect to the current format"),
        (
            "upgrade_net_proto_binary",
            "upgrade_net_proto_binary",
            "convert a .caffemodel to the current format",
        ),
        ("upgrade_solver_proto_text", "upgrade_proto_text", "convert a solver of any dialect to the current format"),
    ],
    "the command line": [
        ("completion", "completion", "print the script that completes commands, flags and names: bash, zsh, fish"),
    ],
    "older names": [
        ("voc-data", "voc_data", "another name of `dataset voc12`: PASCAL VOC 2012 and the SBD labels"),
        ("convert-labels", "convert_labels", "another name of `dataset convert-labels`"),
    ],
}


def _commands() -> Iterator[Command]:
    for group, rows in _ROWS.items():
        for name, module, text in rows:
            yield Command(name, module, text, group)


COMMANDS = {command.name: command for command in _commands()}
