"""Nets in BVLC's dialect with our Python layers: inspected, checked and exported as what the layers implement."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.formats.bvlc import to_bvlc
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.python_layers import to_native
from deeplab_caffe.formats.schema import LayerParameter, NetParameter
from deeplab_caffe.nets import generate
from small_nets import layer, net

_XAVIER = 'weight_filler { type: "xavier" }'
_NATIVE = net(
    layer("Input", "data", "", "input_param { shape { dim: [1, 3, 9, 9] } }"),
    layer("Convolution", "fc8", "data", f"convolution_param {{ num_output: 4 kernel_size: 1 {_XAVIER} }}"),
    layer("BN", "bn", "fc8", "bn_param { eps: 0.001 }"),
    layer("Interp", "up", "bn", "interp_param { zoom_factor: 2 }"),
)  # fmt: skip


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    path = tmp_path / "deploy.prototxt"
    path.write_text(to_bvlc(Document(_NATIVE)))
    assert path.read_text().count('"Python"') == 2
    return path


def test_inspect(deploy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prototxt", "inspect", str(deploy)]) == 0
    out = capsys.readouterr().out
    assert "Interp" in out and "1×4×17×17" in out and "Python" not in out


def test_weights_check_and_export(deploy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(tmp_path / "w.caffemodel")
    caffe.Net(str(deploy), caffe.TEST).save(weights)
    assert main(["weights", "check", weights, str(deploy)]) == 0
    output = tmp_path / "net.py"
    assert main(["export", "torch", str(deploy), "-w", weights, "-o", str(output)]) == 0
    assert "Python" not in capsys.readouterr().err and "interpolate" in output.read_text()


def test_another_module_is_still_not_run(deploy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deploy.write_text(deploy.read_text().replace("deeplab_layers", "their_layers"))
    assert main(["prototxt", "inspect", str(deploy)]) == 0
    assert "bn, up: only its own code knows its shapes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "model", ["voc12/largefov", "voc12/semi_em_fixed", "voc12/dt_edgenet", "voc12/v3_resnet50_block5"]
)
def test_every_layer_comes_back_as_it_was(model: str) -> None:
    for file in ("train.prototxt", "test.prototxt", "deploy.prototxt"):
        text = generate(model)[file]
        before, after = (to_message(Document(t), NetParameter()).layer for t in (text, to_bvlc(Document(text))))
        for old, new in zip(before, after, strict=True):
            if new.type == "Python":
                assert to_native(new)
                new.ClearField("param")  # of a BN, whose statistics a Python layer must not learn
                old.ClearField("param")
            assert new == old


def test_what_does_not_fit_stays_a_python_layer() -> None:
    for parameters in ('{"zoom": 8}', '{"zoom_factor": "x"}', '{"zoom_factor": [1, 2]}'):
        param = LayerParameter(type="Python")
        param.python_param.module, param.python_param.layer = "deeplab_layers", "Interp"
        param.python_param.param_str = parameters
        assert not to_native(param) and param.type == "Python"
