"""Nets under OpenCV's names: what OpenCV answers where it still reads Caffe's files, and clear errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe, cv2_dnn
from deeplab_caffe.errors import InputError
from tolerances import assert_same_sums

needs_opencv4 = pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromCaffe"), reason="OpenCV 5 reads Caffe's files no more"
)

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1_out"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "r1" type: "ReLU" bottom: "c1_out" top: "c1_out" }
layer { name: "drop" type: "Dropout" bottom: "c1_out" top: "c1_out" }
layer { name: "cut" type: "Slice" bottom: "c1_out" top: "one" top: "rest" slice_param { slice_point: 1 } }
layer { name: "pool" type: "Pooling" bottom: "rest" top: "pooled" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pooled" top: "fc" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
IMAGES = np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("net")
    (folder / "net.prototxt").write_text(NET)
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
    random = np.random.default_rng(1)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = random.normal(0, 0.3, blob.shape)
    net.save(folder / "net.caffemodel")
    return str(folder / "net.prototxt"), str(folder / "net.caffemodel")


def _read(files: tuple[str, str], dnn: Any = cv2_dnn) -> Any:
    net = dnn.readNetFromCaffe(*files)
    net.setInput(IMAGES)
    return net


#: what a script may ask of a net; OpenCV 4 and we answer alike
QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "getLayerNames": lambda net: net.getLayerNames(),
    "getUnconnectedOutLayers": lambda net: net.getUnconnectedOutLayers(),
    "getUnconnectedOutLayersNames": lambda net: net.getUnconnectedOutLayersNames(),
    "getLayer": lambda net: [(net.getLayer(i).name, net.getLayer(i).type) for i in (0, 1, 2, 3, 7, "cut", "fc")],
    "blobs of a Convolution": lambda net: list(net.getLayer(1).blobs),
    "blobs of an InnerProduct": lambda net: list(net.getLayer("fc").blobs),
    "getParam": lambda net: net.getParam("fc", 1),
    "getLayerId": lambda net: [net.getLayerId("fc"), net.getLayerId("unknown")],
    "getLayerTypes": lambda net: (net.getLayerTypes(), net.getLayersCount("ReLU")),
    "empty": lambda net: net.empty(),
    "forward": lambda net: net.forward(),
    "forward to a convolution, before its ReLU": lambda net: net.forward("c1_out"),
    "forward to a layer in place": lambda net: net.forward("r1"),
    "forward to an idle layer": lambda net: net.forward("drop"),
    "forward to a layer with two outputs": lambda net: net.forward("cut"),
    "forward to a layer whose top has another name": lambda net: net.forward("pool"),
    "forward to several": lambda net: net.forward(["c1_out", "prob", "r1"]),
    "forward to all ends": lambda net: net.forward(net.getUnconnectedOutLayersNames()),
    "forwardAndRetrieve": lambda net: net.forwardAndRetrieve(["fc", "prob"]),
    "another size": lambda net: (net.setInput(IMAGES[:1]), net.forward())[1],
    "bytes, a scale and a mean": lambda net: (
        net.setInput((IMAGES * 50 + 100).clip(0, 255).astype(np.uint8), "data", 0.5, (1, 2, 3)),
        net.forward(),
    )[1],
    "a mean for the first channel": lambda net: (net.setInput(IMAGES, "", 1.0, 5.0), net.forward("c1_out"))[1],
    "renamed inputs": lambda net: (net.setInputsNames(["image"]), net.setInput(IMAGES, "image"), net.forward())[2],
}


@needs_opencv4
@pytest.mark.parametrize("question", QUESTIONS)
def test_opencv_answers_the_same(question: str, files: tuple[str, str]) -> None:
    ours, theirs = (QUESTIONS[question](_read(files, dnn)) for dnn in (cv2_dnn, cv2.dnn))
    _assert_alike(ours, theirs)


def _assert_alike(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, np.ndarray):
        assert isinstance(ours, np.ndarray) and ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert_same_sums(theirs, ours, tiny=0)
    elif isinstance(theirs, tuple | list):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            _assert_alike(mine, other)
    else:
        assert type(ours) is type(theirs) and ours == theirs


def test_in_place_layers_have_outputs_of_their_own(files: tuple[str, str]) -> None:
    net = _read(files)
    before, after = net.forward(["c1_out", "r1"])
    assert before.min() < 0
    np.testing.assert_array_equal(np.maximum(before, 0), after)


def test_results_are_copies(files: tuple[str, str]) -> None:
    net = _read(files)
    first = net.forward()
    kept = first.copy()
    net.setInput(-IMAGES)
    net.forward()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: np.frombuffer(data, np.uint8)])
def test_bytes_in_place_of_files(kind: Callable[[bytes], Any], files: tuple[str, str]) -> None:
    prototxt, model = (kind(Path(file).read_bytes()) for file in files)
    for net in (
        cv2_dnn.readNetFromCaffe(prototxt, model),
        cv2_dnn.readNetFromCaffe(prototxt, bufferModel=model),
    ):
        net.setInput(IMAGES)
        np.testing.assert_array_equal(net.forward(), _read(files).forward())


def test_read_net_takes_the_files_in_any_order(files: tuple[str, str]) -> None:
    for names in (files, files[::-1]):
        net = cv2_dnn.readNet(*names)
        assert isinstance(net, cv2_dnn.Net) and net.getLayerId("fc") == 6


def test_inputs_without_a_shape_get_it_with_their_values(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'input: "a" input: "b" layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }'
        'layer { name: "up" type: "ReLU" bottom: "a" top: "up" }'
    )
    read = cv2_dnn.readNetFromCaffe(str(net))
    for shape in ((1, 2, 3, 3), (2, 1, 4, 5)):
        read.setInput(np.ones(shape, np.float32), "a")
        read.setInput(np.full(shape, 2, np.float32), "b")
        total, one = read.forward(["sum", "up"])
        assert total.shape == shape and (total == 3).all() and (one == 1).all()


def test_what_has_nothing_to_do_with_caffe_is_opencvs_own() -> None:
    assert cv2_dnn.blobFromImage is cv2.dnn.blobFromImage
    with pytest.raises(AttributeError, match="nor OpenCV .* has 'blobFromPicture'"):
        _ = cv2_dnn.blobFromPicture


def test_a_target_that_is_not_there_is_the_cpu_with_a_warning(files: tuple[str, str]) -> None:
    if caffe.has_gpu():
        pytest.skip("there is a CUDA device")
    net = _read(files)
    with pytest.warns(UserWarning, match="no CUDA device"):
        net.setPreferableTarget(cv2.dnn.DNN_TARGET_CUDA)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_OPENCL)
    assert net.forward().shape == (2, 5)


def test_the_time_of_the_last_pass(files: tuple[str, str]) -> None:
    net = _read(files)
    net.forward()
    ticks, _ = net.getPerfProfile()
    assert 0 < ticks / cv2.getTickFrequency() < 60


def _errors(files: tuple[str, str]) -> dict[str, tuple[Callable[[], Any], str]]:
    prototxt, model = files
    return {
        "no file": (lambda: cv2_dnn.readNetFromCaffe("none.prototxt", model), "none.prototxt: No such file"),
        "no weights": (
            lambda: _read((prototxt, "")).forward(),
            "net.prototxt: was read without weights; give readNetFromCaffe the .caffemodel too",
        ),
        "no input": (
            lambda: cv2_dnn.readNetFromCaffe(b'layer { name: "d" type: "DummyData" top: "d" }'),
            "<bufferProto>: has no input; expected a deploy net",
        ),
        "no values": (lambda: cv2_dnn.readNetFromCaffe(*files).forward(), "input 'data' has no values; call setInput"),
        "an unknown layer": (lambda: _read(files).forward("pol"), "layer \"pol\" not found; did you mean 'pool'"),
        "an unknown input": (lambda: _read(files).setInput(IMAGES, "dat"), "\"dat\" not found; did you mean 'data'"),
        "an unknown number": (lambda: _read(files).getLayer(99), "Layer with requested id=99 not found; there are 7"),
        "a wrong shape": (
            lambda: (net := _read(files), net.setInput(IMAGES[:, :2]), net.forward()),
            r"layer 'c1' \(Convolution\): bottom \(2, 2, 8, 8\) does not fit",
        ),
        "weights of another net": (
            lambda: _read((prototxt.replace("net.prototxt", "other.prototxt"), model)),
            "has no weights for 1 of its layers: other",
        ),
        "an empty net": (lambda: cv2_dnn.Net().forward(), "the net is empty"),
        "no text": (lambda: cv2_dnn.readNetFromCaffe(b"\xff\xfe\x00"), "<bufferProto>: is not UTF-8 text"),
    }


@pytest.mark.parametrize("name", _errors(("net.prototxt", "net.caffemodel")))
def test_errors_are_input_errors_and_opencvs(name: str, files: tuple[str, str]) -> None:
    other = Path(files[0]).with_name("other.prototxt")
    other.write_text(NET.replace('"c1"', '"other"'))
    function, message = _errors(files)[name]
    with pytest.raises(InputError, match=message) as found:
        function()
    assert isinstance(found.value, cv2.error)


def test_a_script_changes_one_line(files: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "dnn", cv2_dnn)
    script: ModuleType = cv2
    net = script.dnn.readNetFromCaffe(*files)
    image = np.random.default_rng(2).integers(0, 255, (20, 30, 3), np.uint8)
    net.setInput(script.dnn.blobFromImage(image, 1 / 255, (8, 8), (104, 117, 123), swapRB=True))
    (scores,) = net.forward()
    assert scores.shape == (5,) and scores.sum() == pytest.approx(1, abs=1e-5)
