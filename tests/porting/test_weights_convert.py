"""The same weights as binary, as HDF5, and for a Caffe of 2014: bit for bit there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.formats.weight_files import read_weight_file

V1 = Path(__file__).parent.parent / "data" / "conformance" / "v1"


def arrays(path: Path) -> dict[str, list[np.ndarray]]:
    return {layer.name: [blob.data for blob in layer.blobs] for layer in read_weight_file(path).weighted}


def assert_same(first: Path, second: Path) -> None:
    mine, other = arrays(first), arrays(second)
    assert list(mine) == list(other)
    for name, blobs in mine.items():
        for one, two in zip(blobs, other[name], strict=True):
            assert one.shape == two.shape and one.tobytes() == two.tobytes()


@pytest.mark.parametrize("steps", [["a.caffemodel"], ["a.caffemodel.h5", "b.caffemodel"]])
def test_v1_becomes_what_caffe_made_of_it(tmp_path: Path, steps: list[str]) -> None:
    source = V1 / "v1.caffemodel"
    for step in steps:
        assert main(["weights", "convert", str(source), str(tmp_path / step)]) == 0
        source = tmp_path / step
    assert_same(source, V1 / "v1_upgraded.caffemodel")


def test_v1_to_v2_to_v1(tmp_path: Path) -> None:
    today, again = tmp_path / "v2.caffemodel", tmp_path / "v1.caffemodel"
    assert main(["weights", "convert", str(V1 / "v1.caffemodel"), str(today)]) == 0
    assert main(["weights", "convert", str(today), str(again), "--form", "V1"]) == 0
    assert read_weight_file(again).dialect == "V1"
    assert_same(again, V1 / "v1.caffemodel")
    net = caffe.Net(str(V1 / "v1_deploy.prototxt"), str(again), caffe.TEST)
    assert net.params["conv1"][0].data.tobytes() == arrays(today)["conv1"][0].tobytes()


def test_a_net_saved_and_loaded_in_every_form_computes_the_same(tmp_path: Path) -> None:
    for name in ("x.caffemodel", "x.caffemodel.h5"):
        assert main(["weights", "convert", str(V1 / "v1.caffemodel"), str(tmp_path / name)]) == 0
        net = caffe.Net(str(V1 / "v1_deploy.prototxt"), str(tmp_path / name), caffe.TEST)
        net.blobs[net.inputs[0]].data[...] = 0.5
        outputs = net.forward()
        reference = caffe.Net(str(V1 / "v1_deploy.prototxt"), str(V1 / "v1.caffemodel"), caffe.TEST)
        reference.blobs[reference.inputs[0]].data[...] = 0.5
        for blob, values in reference.forward().items():
            np.testing.assert_array_equal(outputs[blob], values)


def test_what_v1_cannot_hold_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }\n'
        'layer { name: "s" type: "Scale" bottom: "d" top: "s" }'
    )
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(str(tmp_path / "x.caffemodel"))
    assert main(["weights", "convert", str(tmp_path / "x.caffemodel"), str(tmp_path / "y"), "--form", "V1"]) == 2
    assert "layer 's': V1 does not support the type Scale" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
