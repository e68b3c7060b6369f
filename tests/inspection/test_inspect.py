"""`deeplab prototxt inspect`: the table that a user sees, the same as JSON, and flags that make no sense."""

from __future__ import annotations

import json

import pytest

import small_nets as nets
from deeplab_caffe.cli.main import main

_NET = nets.net(
    'layer { name: "data" type: "ImageSegData" top: "data" top: "label" include { phase: TRAIN } '
    'transform_param { crop_size: 65 } image_data_param { source: "nowhere" batch_size: 2 } }',
    nets.conv("conv1", "data", "kernel_size: 3 pad: 1 stride: 8", outputs=16),
    nets.conv("fc${N}", "conv1", "kernel_size: 3 pad: 2 dilation: 2", outputs="${CLASSES}"),
    nets.layer("Interp", "small", "label", "interp_param { shrink_factor: 8 }"),
    nets.layer("SoftmaxWithLoss", "loss", "fc${N} small"),
)


@pytest.fixture
def inspect(write, capsys):
    """`inspect(*flags)`: exit code, and what is on stdout and stderr."""

    def run(*flags: str, text: str = _NET) -> tuple[int, str, str]:
        code = main(["prototxt", "inspect", str(write(text)), *flags])
        return code, *capsys.readouterr()

    return run


_SET = ("--set", "N=6", "--set", "CLASSES=21")


def test_a_table_and_totals(inspect):
    code, out, err = inspect(*_SET)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:3] == ["layer", "type", "output"]
    assert lines[2] == ["label", "2×1×65×65"]
    row = ["conv1", "Convolution", "2×16×9×9", "3×3", "s8", "p1", "448", "70.0", "k", "20.7", "kB", "10.4", "kB"]
    assert lines[3] == [*row, "8", "3", "32"]
    row = ["fc6", "Convolution", "2×21×9×9", "3×3", "p2", "d2", "3,045", "490", "k", "27.2", "kB", "13.6", "kB"]
    assert lines[4] == [*row, "8", "35", "32"]
    totals = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "3,493 (3,493 learned)" in totals["parameters"]
    assert "5 layers in TRAIN" in totals["net"]
    assert {"to test", "to train"} <= set(totals)


def test_json_has_the_numbers(inspect):
    code, out, _ = inspect("--json", "--input", "data=1,3,33,65", *_SET)
    found = json.loads(out)
    assert code == 0
    assert found["blobs"] == {
        "data": [1, 3, 33, 65], "label": [1, 1, 33, 65], "conv1": [1, 16, 5, 9], "fc6": [1, 21, 5, 9],
        "small": [1, 1, 5, 9], "loss": [],
    }  # fmt: skip
    fc6 = found["layers"][2]
    assert fc6["origin"].endswith("net.prototxt:3:1")
    assert fc6["window"] == {"kernel": [3, 3], "stride": [1, 1], "pad": [2, 2], "dilation": [2, 2]}
    assert fc6["field"] == {
        "input": "data", "output_stride": [8, 8], "receptive_field": [35, 35], "first_centre": [0, 0],
        "middle_centre": [16, 32],
    }  # fmt: skip
    assert fc6["params"] == 21 * 16 * 9 + 21
    memory = found["memory"]
    assert memory["training"] == sum(memory[n] for n in ("params", "gradients", "history", "data", "diff", "kept"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--size", "a"), "--size a: expected height and width"),
        (("--input", "data"), "--input data: expected a blob and its shape"),
        (("--set", "N"), "--set N: expected NAME=value"),
        (("--set", "N=6", "--set", "CLASSES=many"), "net.prototxt:3:"),
        (("--phase", "test", *_SET), "bottom 'data' is made by no layer"),
        (("--size", "1x1", "--input", "label=2,1,64,64", *_SET), "layer 'loss' (SoftmaxWithLoss)"),
    ],
)
def test_what_cannot_be_done_is_one_line(inspect, flags, message):
    code, out, err = inspect(*flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_solver_counts_its_own_memory(write, capsys):
    write(nets.net(nets.image(), nets.conv("a", "data"), nets.layer("EuclideanLoss", "l", "a data")), "net.prototxt")
    solver = write('net: "net.prototxt" type: "Adam" base_lr: 0.1 lr_policy: "fixed"', "solver.prototxt")
    assert main(["prototxt", "inspect", "--json", str(solver)]) == 0
    memory = json.loads(capsys.readouterr().out)["memory"]
    assert memory["history"] == 2 * memory["params"] == 2 * 10 * 4
