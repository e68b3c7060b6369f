"""Caffe's programs under their own names: what they write, the Data layer and the net read back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.caffe import log
from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.formats import weights
from deeplab_caffe.formats.datum import datum_to_array, parse_datum, read_mean_file
from stores import batches, datum, pixels, write_lmdb
from tolerances import assert_same_sums

_ROOT = Path(__file__).parent.parent
_TOOLS = sorted(path for path in (_ROOT / "tools").iterdir() if path.is_file() and not path.suffix)


@pytest.fixture
def tool(tmp_path, monkeypatch, capsys):
    """`tool(words, code=0)`: stdout, or stderr where it fails; in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    log.set_stderr(False)

    def call(words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(words.split()) == code
        shown = capsys.readouterr()
        return shown.err if code else shown.out

    yield call
    log.set_stderr(True)


@pytest.fixture
def images(tool):
    """Three PNGs of 5×4 pixels, the last one in colour of a single value, in list.txt with the labels 7, 8, 9."""
    arrays = [pixels(5, 4, 3, seed=1), pixels(5, 4, 3, seed=2), np.full((5, 4, 3), 9, np.uint8)]
    os.mkdir("img")
    for i, array in enumerate(arrays):
        cv2.imwrite(f"img/a {i}.png", array)
    Path("list.txt").write_text("".join(f"a {i}.png {7 + i}\n" for i in range(3)))
    return arrays


def _records(path: str) -> dict[bytes, bytes]:
    with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


def _read(path: str, backend: str = "LMDB", color: str = "") -> dict[str, np.ndarray]:
    """What the Data layer makes of a database of three."""
    Path("data.prototxt").write_text(
        f'layer {{ name: "data" type: "Data" top: "data" top: "label" transform_param {{ {color} }} '
        f'data_param {{ source: "{path}" batch_size: 3 backend: {backend} }} }}'
    )
    net = caffe.Net("data.prototxt", caffe.TEST)
    (batch,) = batches(net, 1)
    net.close()
    return batch


# -- the scripts


def test_every_script_is_a_command_and_every_program_has_a_script():
    assert {path.name for path in _TOOLS} == {
        *("caffe", "convert_imageset", "compute_image_mean", "extract_features"),
        *("upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text"),
    }
    for path in _TOOLS:
        assert path.name in COMMANDS and os.access(path, os.X_OK)
        assert path.read_text().startswith('#!/usr/bin/env python3\n"""')


def test_a_script_runs_by_itself(tmp_path):
    done = subprocess.run([sys.executable, str(_ROOT / "tools" / "caffe"), "trian"], capture_output=True, text=True)
    assert done.returncode == 2 and "unknown command 'trian'; did you mean 'train'?" in done.stderr


@pytest.mark.parametrize("name", [path.name for path in _TOOLS])
def test_help_and_unknown_flags(tool, name):
    assert f"usage: {name}" in tool(f"{name} --help") or name == "upgrade_solver_proto_text"
    assert "unknown flag '--bogus'" in tool(f"{name} --bogus", 2)


# -- convert_imageset


def test_a_database_gives_back_images_and_labels(tool, images):
    assert tool("convert_imageset img/ list.txt db") == "Processed 3 files.\n"
    assert list(_records("db")) == [b"00000000_a 0.png", b"00000001_a 1.png", b"00000002_a 2.png"]
    batch = _read("db")
    np.testing.assert_array_equal(batch["data"], np.stack(images).transpose(0, 3, 1, 2))
    assert batch["label"].tolist() == [7, 8, 9]


def test_gray_and_resized(tool, images):
    tool("convert_imageset --gray --resize_height=3 -resize_width 2 img/ list.txt db")
    wanted = [cv2.resize(cv2.imread(f"img/a {i}.png", cv2.IMREAD_GRAYSCALE), (2, 3)) for i in range(3)]
    np.testing.assert_array_equal(_read("db")["data"][:, 0], wanted)


def test_encoded_files_are_kept_as_they_are(tool, images):
    tool("convert_imageset --encoded img/ list.txt db")
    values = [parse_datum(value) for value in _records("db").values()]
    assert [value.data for value in values] == [Path(f"img/a {i}.png").read_bytes() for i in range(3)]
    np.testing.assert_array_equal(_read("db", color="force_color: true")["data"][2], 9)


def test_encode_type_compresses_anew(tool, images):
    tool("convert_imageset --encode_type=jpg img/ list.txt db")
    first, *_ = (parse_datum(value) for value in _records("db").values())
    assert first.encoded and first.data[:2] == b"\xff\xd8" and datum_to_array(first).shape == (3, 5, 4)
    assert "is not supported by OpenCV" in tool("convert_imageset --encode_type=foo img/ list.txt db2", 2)


def test_shuffle_changes_the_order_alone(tool, images):
    Path("list.txt").write_text("".join(f"a {i % 3}.png {i}\n" for i in range(40)))
    tool("convert_imageset --shuffle img/ list.txt db")
    labels = [parse_datum(value).label for value in _records("db").values()]
    assert labels != sorted(labels) == list(range(40))


def test_names_that_are_not_utf8_are_read(tool, images):
    os.rename(b"img/a 0.png", b"img/\xdf.png")
    Path("list.txt").write_bytes(b"\xdf.png 7\n")
    assert tool("convert_imageset img/ list.txt db") == "Processed 1 files.\n"
    assert list(_records("db")) == [b"00000000_\xdf.png"]


def test_images_that_cannot_be_read_are_named_after_the_others_are_done(tool, images):
    Path("img/bad.png").write_bytes(b"no image")
    Path("list.txt").write_text("a 0.png 1\ngone.png 2\nbad.png 3\na 1.png 4\n")
    shown = tool("convert_imageset img/ list.txt db", 2)
    assert "2 of 4 images cannot be read; the others are in db:\n  list.txt:2: img/gone.png" in shown
    assert list(_records("db")) == [b"00000000_a 0.png", b"00000003_a 1.png"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("img/ list.txt", "expected ROOTFOLDER/ LISTFILE DB_NAME but got 2 arguments"),
        ("img/ gone.txt db", "'gone.txt': cannot read the list"),
        ("img list.txt db", "end root_folder with a slash ('img/')"),
        ("img/ list.txt img", "img: exists already"),
        ("--backend=sql img/ list.txt db", "unknown backend 'sql'"),
        ("--resize_width=5 img/ list.txt db", "--resize_width and --resize_height must be used together"),
        ("--check_size img/ sizes.txt db", "big.png: has 72 values, but a 0.png has 60"),
    ],
)
def test_what_convert_imageset_refuses(tool, images, words, expected):
    cv2.imwrite("img/big.png", np.zeros((6, 4, 3), np.uint8))
    Path("sizes.txt").write_text("a 0.png 0\nbig.png 0\n")
    assert expected in tool(f"convert_imageset {words}", 2)
    assert sorted(os.listdir()) == ["img", "list.txt", "sizes.txt"]  # nothing half made


def test_leveldb(tool, images):
    pytest.importorskip("plyvel")
    tool("convert_imageset --backend=leveldb img/ list.txt db")
    np.testing.assert_array_equal(_read("db", "LEVELDB")["data"], np.stack(images).transpose(0, 3, 1, 2))
    tool("compute_image_mean --backend=leveldb db mean.binaryproto")
    assert read_mean_file("mean.binaryproto").shape == (3, 5, 4)


# -- compute_image_mean


def test_the_mean_of_a_database(tool, images):
    tool("convert_imageset img/ list.txt db")
    shown = tool("compute_image_mean db mean.binaryproto").splitlines()
    mean = np.stack(images).astype(np.float64).mean(0).transpose(2, 0, 1)
    np.testing.assert_allclose(read_mean_file("mean.binaryproto"), mean, rtol=1e-6)
    assert shown[0] == "Number of channels: 3"
    assert shown[1] == f"mean_value channel [0]: {mean[0].mean():g}"
    tool("convert_imageset --encoded img/ list.txt db2")
    assert tool("compute_image_mean db2").splitlines() == shown


def test_images_of_two_sizes_have_no_mean(tool, tmp_path):
    write_lmdb(tmp_path / "db", [datum(pixels(3, 4, 5)), datum(pixels(3, 5, 4))])
    shown = tool("compute_image_mean db mean.binaryproto", 2)
    assert "db: record '00000001': has the shape 3×5×4 (channels × height × width), those before have 3×4×5" in shown
    assert not os.path.exists("mean.binaryproto")


# -- extract_features

_NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 2 backend: LMDB } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" } } }
layer { name: "rest" type: "Silence" bottom: "ip" bottom: "label" }
"""


@pytest.fixture
def features(tool, images):
    """A net with weights on a database of three images, two to a batch."""
    tool("convert_imageset img/ list.txt db")
    Path("net.prototxt").write_text(_NET)
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.save("net.caffemodel")
    yield batches(net, 2)
    net.close()


def test_features_are_what_the_net_computes(tool, features):
    tool("extract_features net.caffemodel net.prototxt conv,ip f_conv,f_ip 2 lmdb CPU")
    for name in ("conv", "ip"):
        records = _records(f"f_{name}")
        assert list(records) == [f"{i:010d}".encode() for i in range(4)]
        ours = np.stack([datum_to_array(parse_datum(value)) for value in records.values()])
        theirs = np.concatenate([batch[name] for batch in features])
        assert_same_sums(ours.reshape(theirs.shape), theirs)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("net.caffemodel net.prototxt conv f 2", "expected 6 to 8 arguments but got 5"),
        ("net.caffemodel net.prototxt conv f two lmdb", "expected the number of batches but got 'two'"),
        ("net.caffemodel net.prototxt conv,ip f 2 lmdb", "2 blobs and 1 databases"),
        ("net.caffemodel net.prototxt cnv f 2 lmdb", "the net has no blob 'cnv'"),
        ("net.caffemodel net.prototxt conv f 2 lmdb TPU", "expected CPU, GPU, or GPU DEVICE_ID=<number> but got TPU"),
        ("net.caffemodel net.prototxt conv db 2 lmdb", "db: exists already"),
        ("gone net.prototxt conv f 2 lmdb", "Could not open file gone"),
    ],
)
def test_what_extract_features_refuses(tool, features, words, expected):
    assert expected in tool(f"extract_features {words}", 2)
    assert not os.path.exists("f")


# -- upgrades

_V1 = _ROOT / "tests" / "data" / "conformance" / "v1"


def test_an_old_net_is_upgraded(tool):
    tool(f"upgrade_net_proto_text {_V1 / 'v1_deploy.prototxt'} new.prototxt")
    text = Path("new.prototxt").read_text()
    assert "layers" not in text and 'type: "Convolution"' in text
    old, new = (caffe.Net(str(path), caffe.TEST) for path in (_V1 / "v1_deploy.prototxt", "new.prototxt"))
    assert [(n, p.type) for n, p in old.layer_dict.items()] == [(n, p.type) for n, p in new.layer_dict.items()]


def test_old_weights_are_upgraded(tool):
    tool(f"upgrade_net_proto_binary {_V1 / 'v1.caffemodel'} new.caffemodel")
    ours, theirs = (weights.read_caffemodel(p) for p in ("new.caffemodel", _V1 / "v1_upgraded.caffemodel"))
    theirs = [layer for layer in theirs if layer.blobs]
    ours = [layer for layer in ours if layer.blobs]
    assert [(layer.name, layer.type) for layer in ours] == [(layer.name, layer.type) for layer in theirs]
    for mine, their in zip(ours, theirs, strict=True):
        for one, other in zip(mine.blobs, their.blobs, strict=True):
            np.testing.assert_array_equal(one.data.ravel(), other.data.ravel())


def test_an_old_solver_is_upgraded(tool):
    Path("old.prototxt").write_text('# mine\nnet: "net.prototxt"\nbase_lr: 0.1\nsolver_type: ADAM\n')
    tool("upgrade_solver_proto_text old.prototxt new.prototxt")
    assert Path("new.prototxt").read_text() == '# mine\nnet: "net.prototxt"\nbase_lr: 0.1\ntype: "Adam"\n'


def test_what_the_upgrades_refuse(tool):
    Path("broken.prototxt").write_text("layers {")
    assert "expected IN OUT but got 1 arguments" in tool("upgrade_net_proto_text a", 2)
    assert "broken.prototxt:1:8" in tool("upgrade_net_proto_text broken.prototxt out", 2)
    assert "Could not open file gone" in tool("upgrade_net_proto_binary gone out", 2)
    assert not os.path.exists("out")
