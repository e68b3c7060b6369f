"""Every reader of a user's file, and a real file for each, which `fuzz.py` damages."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import PIL
import scipy.io
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

import foreign_nets
import pascal_fakes
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.window_file import read_windows
from deeplab_caffe.caffe.solver import snapshot
from deeplab_caffe.crf.params import CRFParameters
from deeplab_caffe.crf.search.journal import Journal
from deeplab_caffe.crf.search.result import ScoredSetting, SearchResult
from deeplab_caffe.data import archive, bin_files, boxes, images, indexed_png, labels, lists, photos, score_maps
from deeplab_caffe.data.builders import cityscapes_polygons, coco_json, coco_labels, pascal_context, person_part, voc12
from deeplab_caffe.data.checking import check_dataset, check_lines
from deeplab_caffe.data.class_weights import read_weights
from deeplab_caffe.data.dataset import read_dataset
from deeplab_caffe.data.label_colours import ColourTable, by_colour, colour_table
from deeplab_caffe.data.label_conversion import Tally
from deeplab_caffe.data.score_kinds import kind_of
from deeplab_caffe.data.submission import SERVERS, Results, check_archive, write_archive
from deeplab_caffe.data.submission.pictures import Wanted, look
from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import log_tables, read_train_log, training_tables
from deeplab_caffe.experiment import provenance, stage_records
from deeplab_caffe.experiment.settings import saved_settings
from deeplab_caffe.experiment.stages.evaluate import read_curves, read_image_scores, read_matrix, read_scores
from deeplab_caffe.formats import bundle, datum, schema
from deeplab_caffe.formats.bundle import verify_bundle
from deeplab_caffe.formats.database import open_database
from deeplab_caffe.formats.formatting import format_document
from deeplab_caffe.formats.infogain import read_diagonal, write_diagonal
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.templates import fill_in
from deeplab_caffe.formats.upgrade_binary import upgrade_binary
from deeplab_caffe.formats.upgrade_text import upgrade_document
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.formats.weights import read_caffemodel, read_solverstate
from deeplab_caffe.formats.weights_hdf5 import read_solverstate as read_solverstate_h5
from deeplab_caffe.inspection.lint import Linter, chosen
from deeplab_caffe.inspection.shapes import infer_shapes
from deeplab_caffe.porting.manifest import read_manifest
from deeplab_caffe.porting.port import read_renames
from deeplab_caffe.porting.state_dict import read_metadata, read_state_dict
from deeplab_caffe.porting.summary import summarise
from deeplab_caffe.porting.torch_names import to_caffe
from deeplab_caffe.prediction.bundle_model import model_of_bundle
from deeplab_caffe.prediction.bundle_text import as_text
from stores import write_lmdb

DATA = Path(__file__).parent / "data" / "conformance"
_TABLE = b"iteration,seconds,lr,loss,pixel_accuracy,mean_accuracy,mean_iou\n0,1.4,0.01,1.09,0.3,0.4,0.2\n5,2,,0.9,,,\n"
SOLVER, LOG = DATA / "solvers" / "sgd_step", DATA / "train_log"
ROOT = DATA.parent.parent.parent


@dataclass(frozen=True)
class Target:
    """A reader: what it reads, the name of its file (a path within the folder), the reader, and a real file."""

    what: str
    name: str
    read: Callable[[Path], object]
    original: bytes


# -- readers that do more than call one function


def _photo(path: Path) -> None:
    data = path.read_bytes()
    photos.check_photo(data, str(path), 1 << 20)
    photos.decode_photo(data, str(path))


def _format(path: Path) -> None:
    text = format_document(Document.read(path))
    assert format_document(Document(text)) == text


def _lmdb(path: Path) -> None:
    database = open_database(str(path.parent), "lmdb")
    for value in map(database.get, database.keys()):
        with contextlib.suppress(InputError):  # the layer adds where the record is
            datum.datum_to_array(datum.parse_datum(value))


def _state_dict(path: Path) -> None:
    read_metadata(path)
    to_caffe(read_state_dict(path), str(path))


def _fill(path: Path) -> None:
    values = {"TRAIN_LIST": "a", "WEIGHTS": "b", "LR": "0.1"}
    fill_in(Document.read(path), values, whole=False)


def _log(path: Path) -> None:
    log = read_train_log(path)
    log_tables.summary([("a", log)]), log_tables.csv_text([("a", log)]), log_tables.json_text([("a", log)])


def _unpack(path: Path) -> None:
    archive.unpack(path, path.parent / "unpacked", 1 << 22, progress=False)


def _journal(path: Path) -> None:
    journal = Journal(path)
    journal._file.close()


def _score_map(path: Path) -> None:
    values = score_maps.open_score_map(path)
    kind_of(values, path)
    np.asarray(values).sum()


def _hdf5_data(path: Path) -> None:
    (path.parent / "rows.txt").write_text(f"{path}\n")
    source = f'source: "{path.parent}/rows.txt" batch_size: 2'
    _net(path, f'layer {{ name: "d" type: "HDF5Data" top: "data" hdf5_data_param {{ {source} }} }}').forward()


def _mat_read(path: Path) -> None:
    (path.parent / "names.txt").write_text("map\n")
    source = f'source: "{path.parent}/names.txt" prefix: "{path.parent}/"'
    _net(path, f'layer {{ name: "d" type: "MatRead" top: "data" mat_read_param {{ {source} }} }}').forward()


def _net(path: Path, text: str) -> caffe.Net:
    prototxt = path.with_suffix(".net.prototxt")
    prototxt.write_text(text)
    return caffe.Net(str(prototxt), caffe.TEST)


@cache
def _solver() -> Any:
    net = 'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }'
    parameter = schema.SolverParameter()
    to_message(Document(f'net_param {{ {net} }} base_lr: 1 lr_policy: "fixed"'), parameter)
    net = SimpleNamespace(layer_dict={})
    return SimpleNamespace(iter=6, net=net, test_nets=[], recent_losses=[], loss_start=0, param=parameter)


def _side_file(path: Path) -> None:
    snapshot._restore_side_state(_solver(), path)


def _experiment(path: Path) -> Any:
    return SimpleNamespace(folder=path.parent.parent, evaluation=path)


# -- real files


def _content(save: Callable[[Any], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 20, shape, dtype=np.uint8)


def _image(kind: str, *shape: int, **options: Any) -> bytes:
    return _content(lambda file: Image.fromarray(_pixels(*shape)).save(file, kind, **options))


def _palette_png() -> bytes:
    image = Image.fromarray(_pixels(24, 32))
    image.putpalette(labels.voc_palette().tobytes())
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a label", zip=True)
    text.add_itxt("Author", "somebody", "en", "Autor")
    image.info.pop("transparency", None)
    again = [image.copy()]
    bits = 8 if PIL.__version__ < "10.4" else 4  # which older ones do not write for animations
    return _content(lambda file: image.save(file, "PNG", pnginfo=text, save_all=True, append_images=again, bits=bits))


def _lmdb_file(folder: Path) -> bytes:
    sizes = [(3, 4, 5), (3, 40, 50), (1, 2, 2)] * 60
    path = write_lmdb(folder / "made.db", [datum.array_to_datum(_pixels(*s), 1).SerializeToString() for s in sizes])
    return (path / "data.mdb").read_bytes()


def _state(folder: Path, **options: Any) -> bytes:
    names = ("features.0", "features.28", "classifier.0")
    state = {f"{name}.{part}": torch.ones(2, 2) for name in names for part in ("weight", "bias")}
    if options.get("safe"):
        save_file(state, folder / "state")
        return (folder / "state").read_bytes()
    return _content(lambda file: torch.save(state, file, **options))


def _mean() -> bytes:
    blob = schema.BlobProto(num=1, channels=3, height=2, width=2, data=range(12))
    return bytes(blob.SerializeToString())


def _tar(mode: str) -> bytes:
    def save(file: Any) -> None:
        with tarfile.open(fileobj=file, mode=mode) as tar:
            for name in ("a/b.txt", "a/c.txt"):
                info = tarfile.TarInfo(name)
                info.size = 600
                tar.addfile(info, io.BytesIO(bytes(600)))

    return _content(save)


def _zip() -> bytes:
    def save(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a/b.txt", "text" * 100)
            packed.writestr("a/c.txt", "text" * 100)

    return _content(save)


def _journal_file(folder: Path) -> bytes:
    journal = Journal(folder / "made.journal")
    journal.add("abc", [None], [np.eye(3, dtype=np.int64)])
    journal._file.close()
    return (folder / "made.journal").read_bytes()


def _mat(value: Any, name: str = "data", **options: Any) -> bytes:
    return _content(lambda file: scipy.io.savemat(file, {name: value}, **options))


def _boxes() -> bytes:
    box = "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>20</ymax></bndbox>"
    return f"<annotation><object><name>cat</name>{box}</object></annotation>".encode()


def _window_file() -> bytes:
    return b"# 0\na.png\n3\n20\n30\n2\n1 0.9 2 2 9 9\n0 0.1 4 4 8 8\n# 1\nb.png\n3\n20\n30\n1\n1 0.9 2 2 9 9\n"


_RUNS = {"size": [24, 32]}


def _instances(path: Path) -> None:
    found = coco_json.read_instances(path)
    with open(path, "rb") as file:
        for number in found.images:
            coco_labels.draw_label(found, file.fileno(), number, dict.fromkeys(found.categories, 1))


def _jsons() -> dict[str, bytes]:
    crf = CRFParameters(5, 50, 5)
    values = {
        "resume": {"iter": 6, "seed": 1, "random": {}, "positions": [{"d": 3}], "losses": [0.5], "loss_start": 0},
        "stage": {"inputs": "0123456789abcdef", "seconds": 12.5},
        "trained_on": {"lists": {"list/train.txt": ["a.jpg", "b.jpg"]}},
        "experiment": {"data": None, "quick": True, "options": {"iterations": 100}},
        "instances": {
            "info": {"year": 2017},
            "images": [{"id": 9, "file_name": "9.jpg", "height": 24, "width": 32}],
            "annotations": [
                {"image_id": 9, "category_id": 1, "iscrowd": 0, "area": 50.5, "segmentation": [[1, 2, 9.5, 2, 9.5, 8]]},
                {
                    "image_id": 9,
                    "category_id": 1,
                    "iscrowd": 1,
                    "area": 90,
                    "segmentation": _RUNS | {"counts": [9, 759]},
                },
                {"image_id": 9, "category_id": 1, "iscrowd": 0, "area": 9, "segmentation": _RUNS | {"counts": "9gg0"}},
            ],
            "categories": [{"id": 1, "name": "person"}],
        },
        "polygons": {
            "imgHeight": 24,
            "imgWidth": 32,
            "objects": [{"label": "cargroup", "polygon": [[1, 2], [30, 2], [9, 20]]}, {"label": "sky", "deleted": 1}],
        },
        "evaluation": {"confusion_before": [[5, 1], [2, 7]], "confusion_after": [[6, 0], [1, 8]]},
    }
    return {"crf": crf.to_json().encode(), **{name: json.dumps(value).encode() for name, value in values.items()}}


def _search_result() -> bytes:
    rows = (ScoredSetting("coarse", 5.0, 50.0, 5.0, 0.5),)
    best = CRFParameters(5, 50, 5)
    result = SearchResult(rows, best, 0.5, 0.4, 9, ("w1",), (0.1, 0.2), (0.4, 0.3), (0.5, None))
    return result.to_json().encode()


def targets(folder: Path) -> list[Target]:
    """All readers; `folder` is for files that are made on the way."""
    return [*_texts(), *_weights(folder), *_pictures(), *_values(folder), *_records(folder)]


def _texts() -> list[Target]:
    net = b"".join(
        line for line in (SOLVER / "net.prototxt").read_bytes().splitlines(keepends=True) if b"HDF5Data" not in line
    )
    data = b'\nlayer { name: "data" type: "Input" top: "data" top: "target"\n'
    data += b"  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 dim: 3 } } }"
    net = net.replace(b'name: "toy"', b'name: "toy"' + data)
    legacy = DATA.parent / "legacy"
    solver = (SOLVER / "solver.prototxt").read_bytes()
    template = net.replace(b"dim: 8", b"dim: ${SIZE}").replace(b"toy", b"${NAME}")
    return [
        Target("net", "net.prototxt", lambda p: to_message(Document.read(p), schema.NetParameter()), net),
        Target("net, built", "net.prototxt", lambda p: caffe.Net(str(p), caffe.TEST), net),
        Target("solver", "s.prototxt", lambda p: to_message(Document.read(p), schema.SolverParameter()), solver),
        Target("net, formatted", "net.prototxt", _format, net),
        Target("template", "net.prototxt.in", _fill, template),
        Target("net of 2013, upgraded", "v0.prototxt", _upgrade, (legacy / "v0.prototxt").read_bytes()),
        Target("net of DeepLab v1, upgraded", "v1.prototxt", _upgrade, (legacy / "deeplab_v1.prototxt").read_bytes()),
        Target("net of SegNet, upgraded", "segnet.prototxt", _upgrade_beside, _SEGNET),
        Target("net of another Caffe", "f.prototxt", _keep_unknown, foreign_nets.NETS["of_2014"].encode()),
        Target("net, linted", "net.prototxt", lambda p: Linter(chosen()).lint(p), net),
        Target("list", "list.txt", lists.read_list, b"/a.jpg /a.png\n/b.jpg /b.png\n" * 9),
        Target("list, its lines judged", "list.txt", _check_list, b"/a.jpg /a.png\n/b.jpg /b.png\n" * 9),
        Target("list with numbers", "list.txt", lists.read_numbered_list, b"a.jpg 3\nb c.jpg 4\n" * 9),
        Target("new names", "names.txt", read_renames, b"conv1 first # comment\nconv2 second\n" * 3),
        Target("window file", "windows.txt", lambda p: read_windows(str(p)), _window_file()),
        Target("log", "train.log", _log, (LOG / "train.log").read_bytes()[:20000]),
        Target("table of a training", "train.csv", training_tables.read_table, _TABLE),
        Target("data set (TOML)", "d.toml", read_dataset, next((ROOT / "datasets").glob("voc12.toml")).read_bytes()),
        Target("manifest (TOML)", "m.toml", read_manifest, (ROOT / "models" / "weights.toml").read_bytes()),
        Target("boxes (XML)", "a.xml", lambda p: boxes.read_boxes(p, ["background", "cat"], (40, 50)), _boxes()),
    ]


def _keep_unknown(path: Path) -> None:
    infer_shapes(path, tolerant=True)
    _upgrade(path)


def _upgrade(path: Path) -> None:
    upgrade_document(Document(upgrade_document(Document.read(path)).text))


_SEGNET = b"""layer {
  name: "loss" type: "SoftmaxWithLoss" bottom: "s" bottom: "l" softmax_param { engine: CAFFE }
  loss_param: {
    weight_by_label_freqs: true  ignore_label: 11  normalize: false
    class_weighting: 0.2595
    class_weighting: [1, 2e-1]
  }
}
"""


def _upgrade_beside(path: Path) -> None:
    upgrade_document(Document.read(path), path.with_name("new.prototxt"))


def _check_list(path: Path) -> None:
    """The check goes on after a fault, so that what is wrong with a list is no error but a finding."""
    toml = path.with_name("d.toml")
    toml.write_text(f'name = "d"\nclasses = ["a", "b"]\n[lists]\ntrain = "{path.name}"\n')
    "\n".join(check_lines(check_dataset(read_dataset(toml))))


def _weights(folder: Path) -> list[Target]:
    model = (SOLVER / "snap_iter_6.caffemodel").read_bytes()
    v1 = next((DATA.parent / "formats").rglob("v1.caffemodel")).read_bytes()
    h5 = (LOG / "snap_iter_6.caffemodel.h5").read_bytes()
    state = (SOLVER / "snap_iter_6.solverstate").read_bytes()
    return [
        Target("caffemodel", "w.caffemodel", read_caffemodel, model),
        Target("caffemodel of 2014", "w.caffemodel", read_caffemodel, v1),
        Target("caffemodel, shown", "w.caffemodel", lambda p: str(summarise(read_weight_file(p))), model),
        Target("binary net", "w.caffemodel", upgrade_binary, model),
        Target("caffemodel.h5", "w.caffemodel.h5", lambda p: str(summarise(read_weight_file(p))), h5),
        Target("solverstate", "s.solverstate", read_solverstate, state),
        Target("solverstate.h5", "s.h5", read_solverstate_h5, (LOG / "snap_iter_6.solverstate.h5").read_bytes()),
        Target("PyTorch, zip", "w.pth", _state_dict, _state(folder)),
        Target("PyTorch, pickle", "w.pth", _state_dict, _state(folder, _use_new_zipfile_serialization=False)),
        Target("safetensors", "w.safetensors", _state_dict, _state(folder, safe=True)),
        Target("class weights (JSON)", "w.json", lambda p: read_weights(p, ["a", "b"]), b'{"a": 0.5, "b": 2}'),
        Target("class weights, .npy", "w.npy", lambda p: read_weights(p, "abcd"), _content_npy(4)),
        Target("matrix of class weights", "h.binaryproto", read_diagonal, _diagonal(folder)),
        Target("mean file", "mean.binaryproto", datum.read_mean_file, _mean()),
    ]


def _pictures() -> list[Target]:
    png, grey = _image("PNG", 24, 32, 3), _image("PNG", 24, 32)
    ppm = b"P6\n32 24\n255\n" + _pixels(24, 32, 3).tobytes()
    webp, bmp = (cv2.imencode(kind, _pixels(24, 32, 3))[1].tobytes() for kind in (".webp", ".bmp"))
    return [
        Target("image, PNG", "a.png", images.open_image, png),
        Target("image, JPEG", "a.jpg", images.open_image, _image("JPEG", 24, 32, 3)),
        Target("image, TIFF", "a.tif", images.open_image, _image("TIFF", 24, 32, 3)),
        Target("image, WebP", "a.webp", images.open_image, webp),
        Target("image, BMP", "a.bmp", images.open_image, bmp),
        Target("image, PPM", "a.ppm", lambda p: np.asarray(images.open_image(p)).sum(), ppm),
        Target("image, .npy", "a.npy", lambda p: np.asarray(images.open_image(p)).sum(), _content_npy(24, 32, 3)),
        Target("size of an image", "a.png", images.image_size, _palette_png()),
        Target("image of pycaffe", "a.png", caffe.io.load_image, png),
        Target("label, palette PNG", "a.png", labels.read_label, _palette_png()),
        Target("label, grey PNG", "a.png", labels.read_label, grey),
        Target("label, palette PNG as colours", "a.png", _label_of_colours, _palette_png()),
        Target("label, RGB PNG as colours", "a.png", _label_of_colours, png),
        Target("photo of a browser, JPEG", "a.jpg", _photo, _image("JPEG", 24, 32, 3)),
        Target("photo of a browser, PNG", "a.png", _photo, _palette_png()),
        Target("photo of a browser, GIF", "a.gif", _photo, _image("GIF", 24, 32)),
        Target("label, TIFF", "a.tif", labels.read_label, _image("TIFF", 24, 32)),
        Target("label, SBD's .mat", "a.mat", voc12.read_sbd_label, _mat({"Segmentation": _pixels(24, 32)}, "GTcls")),
        Target("label, PASCAL-Context's .mat", "a.mat", _context_label, _mat(_pixels(24, 32), "LabelMap")),
        Target("names of PASCAL-Context", "labels.txt", _context_names, pascal_fakes.context_names().encode()),
        Target("label, PASCAL-Part's .mat", "a.mat", person_part.read_parts_label, _mat(_annotation(), "anno")),
    ]


def _context_label(path: Path) -> None:
    pascal_context.read_context_label(path, np.arange(256, dtype=np.uint8))


def _context_names(path: Path) -> None:
    pascal_context.class_table(path, path.with_name("59_labels.txt"))


def _annotation() -> np.ndarray:
    part = pascal_fakes.mask_of
    things = (pascal_fakes.thing("person", head=part(0), lfoot=part(2)), pascal_fakes.thing("bottle", cap=part(1)))
    return pascal_fakes.struct_array({"imname": "a", "objects": pascal_fakes.struct_array(*things)})


def _grey(values: np.ndarray) -> bytes:
    """One channel as probabilities from 0 to 255."""
    return _content(lambda file: Image.fromarray(np.uint8(np.clip(128 + 20 * values[0], 0, 255))).save(file, "PNG"))


@cache
def _colours() -> ColourTable:
    return colour_table(read_dataset(ROOT / "datasets" / "voc12.toml"), unmatched=255)


def _label_of_colours(path: Path) -> None:
    by_colour(_colours())(path, Tally())


def _diagonal(folder: Path) -> bytes:
    write_diagonal(folder / "h.binaryproto", [1, 2, 0.5])
    return (folder / "h.binaryproto").read_bytes()


def _content_npy(*shape: int) -> bytes:
    return _content(lambda file: np.save(file, _pixels(*shape)))


def _values(folder: Path) -> list[Target]:
    scores = 5 * np.random.default_rng(0).standard_normal((3, 6, 8), np.float32)
    blob = scores.transpose(2, 1, 0)
    header = np.array([6, 8, 3], "<i4").tobytes()
    rows = (SOLVER / "data.h5").read_bytes()
    npz = _content(lambda file: np.savez_compressed(file, scores))
    return [
        Target("scores, .npy", "a.npy", _score_map, _content(lambda file: np.save(file, scores))),
        Target("scores, .npz", "a.npz", _score_map, npz),
        Target("scores, .mat", "a.mat", _score_map, _mat(blob)),
        Target("scores, compressed .mat", "a.mat", _score_map, _mat(blob, do_compression=True)),
        Target("scores, .bin", "a.bin", _score_map, header + scores.tobytes()),
        Target("labels, .bin", "a.bin", lambda p: bin_files.open_bin(p, "<i2"), header + bytes(2 * 6 * 8 * 3)),
        Target("scores, PNG", "a.png", _score_map, _grey(scores)),
        Target("layer HDF5Data", "rows.h5", _hdf5_data, rows),
        Target("layer MatRead", "map_blob_0.mat", _mat_read, _mat(blob)),
        Target("LMDB", "db/data.mdb", _lmdb, _lmdb_file(folder)),
    ]


def _onnx_model() -> bytes:
    """A small net with weights, constants and a function."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {"w": np.ones((2, 3, 3, 3), np.float32), "n": np.array([0, -1]), "m": np.ones((32, 4), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("twice", ["p"], ["t"], domain="own"),
        helper.make_node("Reshape", ["t", "n"], ["f"]),
        helper.make_node("Gemm", ["f", "m"], ["g"]),
        helper.make_node("Softmax", ["g"], ["y"]),
    ]
    base, own = helper.make_opsetid("", 17), helper.make_opsetid("own", 1)
    twice = helper.make_function("own", "twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [base])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))
    graph = helper.make_graph(nodes, "net", [x], [y], [numpy_helper.from_array(v, k) for k, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[base, own], functions=[twice], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _import_onnx(path: Path) -> None:
    from deeplab_caffe.porting.onnx_import import import_onnx

    import_onnx(path)


def _evaluation(path: Path) -> None:
    for read in (read_scores, read_matrix, read_image_scores, read_curves):
        read(_experiment(path))


def _records(folder: Path) -> list[Target]:
    made = _jsons()
    record = lambda p: stage_records.read_record(_experiment(p), "test")  # noqa: E731
    return [
        Target("archive, tar", "a.tar", _unpack, _tar("w")),
        Target("archive, tar.gz", "a.tgz", _unpack, _tar("w:gz")),
        Target("archive, zip", "a.zip", _unpack, _zip()),
        *_submissions(folder),
        Target("bundle", "a.deeplab", _bundle, _packed(_manifest())),
        Target("bundle, its manifest (JSON)", "bundle.json", _bundle_of, _manifest()),
        Target("search, journal", "a.journal", _journal, _journal_file(folder)),
        Target("search, result (JSON)", "search.json", SearchResult.load, _search_result()),
        Target("CRF parameters (JSON)", "parameters.json", CRFParameters.load, made["crf"]),
        Target("resume (JSON)", "a_iter_6.resume.json", _side_file, made["resume"]),
        Target("stage (JSON)", "stages/test.json", record, made["stage"]),
        Target("trained_on (JSON)", "w.trained_on.json", _trained_on, made["trained_on"]),
        Target("experiment (JSON)", "experiment.json", lambda p: saved_settings(p.parent), made["experiment"]),
        Target("COCO's instances (JSON)", "instances.json", _instances, made["instances"]),
        Target("Cityscapes' polygons (JSON)", "polygons.json", cityscapes_polygons.draw_polygons, made["polygons"]),
        Target("ONNX model (import)", "model.onnx", _import_onnx, _onnx_model()),
        Target("evaluation (JSON)", "evaluation.json", _evaluation, made["evaluation"]),
    ]


def _bundle(path: Path) -> None:
    as_text(verify_bundle(path))
    model_of_bundle(path)


def _bundle_of(path: Path) -> None:
    made = path.with_suffix(".deeplab")
    made.write_bytes(_packed(path.read_bytes()))
    try:
        _bundle(made)
    except InputError as error:
        raise InputError(str(error).replace(str(made), str(path))) from error


@cache
def _members() -> dict[str, bytes]:
    """Every member that a bundle may have, but the manifest."""
    return {
        bundle.NET: b'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }',
        bundle.TEST_NET: b'layer { name: "data" type: "ImageSegData" top: "data" transform_param { crop_size: 9 } }',
        bundle.DATASET: b'name = "a"\nclasses = ["b", "c"]\n',
        bundle.CRF: _jsons()["crf"],
        bundle.SCORES: b"{}",
        bundle.WEIGHTS[0]: (SOLVER / "snap_iter_6.caffemodel").read_bytes(),
    }


def _manifest() -> bytes:
    sums = {name: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in _members().items()}
    trained = {"trained_on": {"list": {"images": 3}}, "initial_weights": {"file": "x"}, "trained_with": {"date": "y"}}
    stated = {"format": bundle.FORMAT, "version": bundle.VERSION, "name": "a", "note": "", "bundled_with": {}}
    stated |= {"model": {"values": 3, "classes": ["b", "c"], "finished": False}, "testing": {"scales": [0.5, 1]}}
    stated |= {"scores": {"list": "val", "mean_iou": {"before": 0.5}}, "provenance": trained, "members": sums}
    return json.dumps(stated).encode()


def _packed(manifest: bytes) -> bytes:
    def save(file: Any) -> None:
        with zipfile.ZipFile(file, "w") as packed:
            for name, text in {bundle.MANIFEST: manifest, **_members()}.items():
                packed.writestr(name, text)

    return _content(save)


def _submissions(folder: Path) -> list[Target]:
    """Archives for test servers of two small images, and one of their PNGs."""
    ids = {"voc12": ("2008_000001", "2008_000004"), "cityscapes": ("berlin_000000_000019", "berlin_000001_000019")}
    found = []
    for name, server in SERVERS.items():
        images = dict.fromkeys(ids[name], (12, 16))
        results, output = folder / f"results_{name}", folder / f"made{server.suffix}"
        for image in images:
            labels.write_label(results / f"{image}.png", np.arange(192).reshape(12, 16) % 19)
        write_archive(server, images, Results(results), output)
        read = partial(check_archive, server, images)
        found.append(Target(f"submission, {name}", output.name, read, output.read_bytes()))
    wanted = Wanted(((12, 16),), range(21), (indexed_png.INDEXED,), (labels.voc_palette(),))
    png = (folder / "results_voc12" / "2008_000001.png").read_bytes()
    return [*found, Target("submission, PNG", "a.png", lambda p: look(p.read_bytes(), wanted), png)]


def _trained_on(path: Path) -> None:
    provenance.trained_on(path.with_name("w.caffemodel"))
