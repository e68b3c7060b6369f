"""ONNX models that take images and give labels: their sizes, and the proof that the labels are the net's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.cli.named_net import definition_named
from deeplab_caffe.errors import InputError
from deeplab_caffe.inference import size_rule
from deeplab_caffe.inspection.shapes import infer_shapes
from deeplab_caffe.nets.input_sizes import EIGHTH
from deeplab_caffe.porting.export.label_verification import compare_labels
from deeplab_caffe.porting.export.pictures import Pictures
from deeplab_caffe.porting.export.runners import onnx_runner
from deeplab_caffe.porting.surgery import CAFFE

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_onnx_from_image_to_labels(tmp_path: Path, model: tuple[Path, Path]) -> None:
    net, weights = model
    output = tmp_path / "x.onnx"
    words = ["export", "onnx", str(net), "-w", str(weights), "-o", str(output), "--with-preprocessing"]
    assert main(words) == 0
    record = json.loads((tmp_path / "x.onnx.json").read_text())["labels"]
    assert (record["size"], record["padded"]) == ([32, 35], [33, 41])
    assert record["share"] <= 1e-3
    image = np.random.default_rng(0).integers(0, 256, (1, 50, 75, 3), dtype=np.uint8)
    labels = onnx_runner(output)({"image": image})["labels"]
    assert labels.shape == (1, 50, 75) and labels.dtype == np.uint8
    built = caffe.Net(str(net), str(weights), caffe.TEST)
    built.blobs["data"].reshape(1, 3, 57, 81)
    padded = np.zeros((1, 3, 57, 81), np.float32)
    padded[0, :, :50, :75] = (
        image[0, :, :, ::-1].transpose(2, 0, 1) - np.array([104.008, 116.669, 122.675])[:, None, None]
    )
    built.blobs["data"].data[...] = padded
    wanted = built.forward()["fc8_interp"][0, :, :50, :75].argmax(0)
    assert (labels[0] != wanted).mean() < 1e-3


@pytest.mark.parametrize(("name", "rule"), [("voc12/largefov", (8, 1)), ("voc12/fcn8s", (1, 0))])
def test_the_rule_of_sizes_is_found(name: str, rule: tuple[int, int]) -> None:
    definition = definition_named(name)
    (scores,) = infer_shapes(definition, phase=caffe.TEST).net.outputs
    found = size_rule.found(definition, scores)
    assert (found.stride, found.offset) == rule


def _red(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"labels": given["image"][..., 0]}


def test_labels_that_differ_fail(tmp_path: Path, model: tuple[Path, Path]) -> None:
    net = caffe.Net(str(model[0]), str(model[1]), caffe.TEST)
    pictures = Pictures(None, CAFFE)
    check = compare_labels(net, "data", "fc8_interp", _red, pictures, EIGHTH.fit)
    with pytest.raises(InputError, match="x.onnx: .* of the labels differ from the net's"):
        check.demand("x.onnx")
    assert net.blobs["data"].shape == (1, 3, 65, 65)


@pytest.mark.parametrize("text", ["", "8", "k+1", "0k+1", "8k-1", "8k1", "8k+"])
def test_wrong_rules_of_sizes(text: str) -> None:
    with pytest.raises(InputError, match="--size-rule: expected a rule such as"):
        size_rule.parsed(text)
