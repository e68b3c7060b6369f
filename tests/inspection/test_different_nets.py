"""Nets of one model that compute different things: found, whatever differs, and carried over by sync."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lint_nets
from deeplab_caffe.cli import main
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inspection.lint import Linter, chosen
from deeplab_caffe.inspection.lint.net_file import NetFile
from deeplab_caffe.inspection.lint.net_pair import NetPair
from deeplab_caffe.nets import VARIANTS, generate, generated_pairs
from small_nets import layer, net

REPOSITORY = Path(__file__).parents[2]
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, %d, %d] } } }\n'
LOSS = layer("EuclideanLoss", "loss", "out data", tops="")


def _differences(train: str, test: str, sizes: tuple[int, int] = (33, 49)) -> list[tuple[str, str, str, str]]:
    """What differs between a training net and a deploy net, of images of the given sizes."""
    texts = (DATA % ((sizes[0],) * 2) + train + LOSS, DATA % ((sizes[1],) * 2) + test)
    views = [NetFile(Document(text, f"{i}.prototxt")).views[0] for i, text in enumerate(texts)]
    return [(d.layer.name, d.path, d.before, d.after) for d in NetPair(*views).differences()]


#: type, its parameters in the training net and in the deploy net, and the field that must be named
DIFFERENT = [
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 %s }", "", "stride: 2", "stride"),
    (
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 %s }",
        "pad: 2 dilation: 2",
        "pad: 2",
        "dilation",
    ),
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 1 %s }", "", "group: 3", "group"),
    ("Pooling", "pooling_param { kernel_size: 3 %s }", "", "pool: AVE", "pool"),
    ("Pooling", "pooling_param { kernel_size: 3 %s }", "stride: 2", "stride: 3", "stride"),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 %s }", "", "round_mode: FLOOR", "round_mode"),
    ("BatchNorm", "batch_norm_param { %s }", "", "eps: 0.001", "eps"),
    ("BatchNorm", "batch_norm_param { %s }", "", "use_global_stats: false", "use_global_stats"),
    ("ReLU", "relu_param { %s }", "", "negative_slope: 0.1", "negative_slope"),
    ("LRN", "lrn_param { %s }", "alpha: 0.0001", "", "alpha"),
    ("Softmax", "softmax_param { %s }", "", "axis: 2", "axis"),
    ("Power", "power_param { %s }", "scale: 2", "scale: 3", "scale"),
    ("Interp", "interp_param { %s }", "shrink_factor: 2", "shrink_factor: 4", "shrink_factor"),
    ("Interp", "interp_param { %s }", "height: 17 width: 17", "height: 17 width: 17", "height"),
    ("Interp", "interp_param { %s }", "zoom_factor: 2", "zoom_factor: 2 pad_end: -1", "pad_end"),
]


@pytest.mark.parametrize(("kind", "text", "train", "test", "field"), DIFFERENT)
def test_what_changes_the_computation_is_found(kind, text, train, test, field):
    found = _differences(*(layer(kind, "out", "data", text % more) for more in (train, test)))
    assert [item[0] for item in found][:1] == ["out"] and found[0][1].endswith(f".{field}"), found


SAME = [
    ("Convolution", "convolution_param { num_output: 4 %s }", "kernel_size: 3", "kernel_h: 3 kernel_w: 3 group: 1"),
    ("Convolution", "convolution_param { num_output: 4 kernel_size: 1 %s }", 'weight_filler { type: "xavier" }', ""),
    ("BatchNorm", "batch_norm_param { %s }", "use_global_stats: false", "use_global_stats: true"),
    ("Pooling", "pooling_param { %s pool: AVE }", "kernel_size: 33", "kernel_size: 49"),
    ("Pooling", "pooling_param { %s pool: AVE }", "kernel_size: 33", "global_pooling: true"),
    ("Interp", "interp_param { %s }", "height: 17 width: 17", "height: 25 width: 25"),
    ("Interp", "interp_param { %s }", "height: 17 width: 17", "shrink_factor: 2"),
    ("Concat", "concat_param { %s }", "concat_dim: 2", "axis: 2"),
    ("Dropout", "dropout_param { %s }", "dropout_ratio: 0.5", "dropout_ratio: 0.1"),
]


@pytest.mark.parametrize(("kind", "text", "train", "test"), SAME)
def test_what_computes_the_same_is_not(kind, text, train, test):
    assert _differences(*(layer(kind, "out", "data", text % more) for more in (train, test))) == []


def test_sums_with_other_factors_and_other_inputs():
    one = layer("Power", "a", "data", "power_param { scale: 2 }") + layer("Power", "b", "data")
    plain, weighted = (layer("Eltwise", "out", "a b", more) for more in ("", "eltwise_param { coeff: [1, -1] }"))
    assert _differences(one + plain, one + layer("Eltwise", "out", "b a")) == []
    assert _differences(one + plain, one + weighted)[0][1] == "eltwise_param.coeff"
    assert _differences(one + plain, one + layer("Eltwise", "out", "a", "eltwise_param { operation: MAX }"))
    joined = _differences(one + layer("Concat", "out", "a b"), one + layer("Concat", "out", "b a"))
    assert joined == [("out", "bottom[0]", "a", "b")]


def test_the_same_net_in_the_other_dialect():
    python = 'python_param { module: "deeplab_layers" layer: "Interp" param_str: "{\'shrink_factor\': %d}" }'
    native = layer("Interp", "out", "data", "interp_param { shrink_factor: 2 }")
    assert _differences(native, layer("Python", "out", "data", python % 2)) == []
    assert _differences(native, layer("Python", "out", "data", python % 4))[0][1] == "interp_param.shrink_factor"


# -- generated nets


def _changed(text: str) -> str:
    """A generated net that counts as edited, though nothing that matters was."""
    return text + "# a remark\n"


@pytest.mark.parametrize("name", [n for n in VARIANTS if "resnet101" not in n or n.endswith(("_aspp", "block7_mg121"))])
def test_what_the_generator_makes_different_is_not_found(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    files = generate(f"{VARIANTS[name].datasets[0]}/{name}")
    for texts in (files, {file: _changed(text) for file, text in files.items()}):
        nets = {f: NetFile(Document(t, f), with_shapes=False) for f, t in texts.items() if "solver" not in f}
        train = nets.pop("train.prototxt").views[0]
        for file, other in nets.items():
            view = other.views[0 if "train" in file else -1]
            assert NetPair(train, view, generated_pairs).differences() == [], file


def test_an_edit_of_v3_is_found_and_its_proportion_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    name = "voc12/v3_resnet50_block4"
    flags = ["--test-output-stride", "8"]
    assert main(["prototxt", name, *flags]) == 0
    folder = Path("exper", name, "prototxt")
    test = folder / "test.prototxt"
    assert main(["prototxt", "lint", "--select", "different-nets", str(folder)]) == 0
    train = folder / "train.prototxt"
    text = train.read_text()
    at = text.index("dilation: 2")
    train.write_text(text[:at] + text[at:].replace("dilation: 2", "dilation: 3", 1))
    before = test.read_text()
    assert main(["prototxt", "lint", "--select", "different-nets", str(folder)]) == 1
    assert main(["prototxt", "sync", str(folder)]) == 0
    changed = [
        pair for pair in zip(before.split("\n"), test.read_text().split("\n"), strict=True) if pair[0] != pair[1]
    ]
    assert len(changed) == 1 and "dilation: 4" in changed[0][0] and "dilation: 6" in changed[0][1]
    assert main(["prototxt", "lint", "--select", "different-nets", str(folder)]) == 0


# -- sync


def test_sync_changes_only_what_differs(tmp_path, capsys):
    lint_nets.write(tmp_path, "train", "    pad: 2\n    dilation: 2\n", "    pad: 4\n    dilation: 4\n")
    test = tmp_path / "test.prototxt"
    test.write_text(before := test.read_text().replace('  top: "conv2"\n', '  top: "conv2"  # my remark\n'))
    assert main(["prototxt", "sync", str(tmp_path), "--dry-run"]) == 1
    assert test.read_text() == before
    assert f"{test}: would change: conv2: dilation 2 → 4\n" in capsys.readouterr().out
    assert main(["prototxt", "sync", str(tmp_path / "train.prototxt")]) == 0
    assert test.read_text() == before.replace("pad: 2 dilation: 2", "pad: 4 dilation: 4")
    assert main(["prototxt", "sync", str(tmp_path)]) == 0
    assert "nothing to carry over" in capsys.readouterr().out


def test_sync_from_another_net_and_what_it_leaves(tmp_path, capsys):
    lint_nets.write(
        tmp_path, "test", "kernel_size: 3 stride: 8 pad: 1 }", "kernel_size: 3 stride: 8 pad: 1 pool: AVE }"
    )
    assert main(["prototxt", "sync", str(tmp_path), "--from", "test.prototxt"]) == 0
    assert "pool: AVE" in (tmp_path / "train.prototxt").read_text()
    lint_nets.write(tmp_path, "test", 'layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n', "")
    assert main(["prototxt", "sync", str(tmp_path)]) == 1
    assert "left, edit it by hand: pool1: bottom[0] conv1, but conv1 through ReLU" in capsys.readouterr().out
    assert main(["prototxt", "sync", str(tmp_path), "--from", "none.prototxt"]) == 2


def test_nets_of_one_folder_without_a_solver(tmp_path):
    for name, slope in (("a_train_val", 0), ("a_deploy", 0.1), ("b_deploy", 0.2)):
        text = DATA % (5, 5) + layer("ReLU", "out", "data", f"relu_param {{ negative_slope: {slope} }}")
        (tmp_path / f"{name}.prototxt").write_text(text + (LOSS if "train" in name else ""))
    linter = Linter(chosen(["different-nets"]))
    found = [f for path in sorted(tmp_path.glob("*")) for f in linter.lint(path)]
    assert [Path(f.file).name for f in found] == ["a_deploy.prototxt"]
    assert f"but 0 in {tmp_path}/a_train_val.prototxt:2," in found[0].message
    (tmp_path / "a_deploy.prototxt").write_text("# lint: ignore-file=different-nets\n" + net(text))
    assert Linter(chosen(["different-nets"])).lint(tmp_path / "a_deploy.prototxt") == []
