"""Nets and solvers compared by meaning: what is the same, what changed and where, and what is only called otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import foreign_nets
import legacy_nets
import small_nets as nets
from deeplab_caffe.cli.main import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.upgrade_class_weights import write_matrices
from deeplab_caffe.formats.upgrade_text import upgrade_document
from deeplab_caffe.inspection.diff import PrototxtDifference, diff_documents
from deeplab_caffe.inspection.diff_text import as_json, as_text, summary
from family_nets import FAMILIES


def _diff(before: str, after: str) -> PrototxtDifference:
    return diff_documents(Document(before, "a.prototxt"), Document(after, "b.prototxt"))


def _one(kind: str, before: str, after: str) -> PrototxtDifference:
    """Two nets of one layer that differ in its parameters."""
    return _diff(*(nets.net(nets.image(), nets.layer(kind, "x", "data", more)) for more in (before, after)))


_NET = nets.net(
    nets.image("33x33", 3),
    nets.conv("conv1", "data", outputs=8),
    nets.layer("ReLU", "relu1", "conv1", tops="conv1"),
    nets.conv("fc6", "conv1", "kernel_size: 3 pad: 12 dilation: 12", outputs=16),
    nets.layer("Dropout", "drop6", "fc6", tops="fc6"),
    nets.conv("fc8", "fc6", "kernel_size: 1", outputs=21),
)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }",
         "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 3 pad: 0 stride: [1, 1] dilation: 1 group: 1 }"),
        ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }",
         "pooling_param { pool: MAX kernel_h: 3 kernel_w: 3 stride_h: 2 stride_w: 2 pad: 0 }"),
        ("Convolution", "param { } convolution_param { kernel_size: 1 }",
         "param { lr_mult: 1 decay_mult: 1 } param { } convolution_param { kernel_size: 1 weight_filler { } }"),
        ("EuclideanLoss", "", "loss_weight: 1"),
        ("Dropout", "", "dropout_param { dropout_ratio: 0.5 }"),
        ("ReLU", 'include { phase: TRAIN } include { stage: "a" }', "include { stage: 'a' } include: { phase: TRAIN }"),
        ("Interp", "interp_param { height: 010 width: 0x8 }", "interp_param { height: 8 width: 8 }"),
    ],
)  # fmt: skip
def test_the_same_said_otherwise_is_the_same(kind, before, after):
    difference = _one(kind, before, after)
    assert difference.equal, as_text(difference)
    assert as_text(difference) == "" and summary(difference) == []


@pytest.mark.parametrize(
    ("kind", "before", "after", "change"),
    [
        ("Convolution", "convolution_param { kernel_size: 3 }", "convolution_param { kernel_h: 3 kernel_w: 1 }",
         "kernel_size 3 → [3, 1]"),
        ("Convolution", "convolution_param { pad: 1 }", "convolution_param { }", "pad 1 → 0"),
        ("BatchNorm", "", "batch_norm_param { use_global_stats: false }", "use_global_stats (not stated) → false"),
        ("SoftmaxWithLoss", "", "loss_param { ignore_label: 0 }", "ignore_label (not stated) → 0"),
        ("SoftmaxWithLoss", "", "loss_weight: 0.5", "loss_weight (not stated) → 0.5"),
        ("ReLU", "", "relu_param { negative_slope: 0.1 }", "negative_slope 0 (default) → 0.1"),
        ("Pooling", "pooling_param { pool: MAX }", "pooling_param { pool: AVE }", "pool MAX → AVE"),
        ("Convolution", "param { lr_mult: 1 } param { lr_mult: 2 }", "", "param[1].lr_mult 2 → 1 (default)"),
        ("Data", 'data_param { source: "a" }', 'data_param { source: "b" }', 'source "a" → "b"'),
        ("Eltwise", "eltwise_param { coeff: [1, -1] }", "eltwise_param { coeff: 1 }", "coeff [1, -1] → (not stated)"),
        ("ReLU", "include { phase: TRAIN }", "include { phase: TEST }", "include { phase: TRAIN } → { phase: TEST }"),
    ],
)  # fmt: skip
def test_a_field_that_differs(kind, before, after, change):
    assert summary(_one(kind, before, after)) == [f"x: {change}"]


def test_values_come_with_their_places():
    after = _NET.replace("pad: 12 dilation: 12", "pad: 6\n  dilation: 6")
    (change,) = _diff(_NET, after).changed
    assert (change.before.where, change.after.where) == ("a.prototxt:4:1", "b.prototxt:4:1")
    pad, dilation = change.fields
    assert (dilation.path, dilation.before, dilation.after) == ("convolution_param.dilation", "12", "6")
    assert (pad.where_after, dilation.where_after) == ("b.prototxt:4:118", "b.prototxt:5:3")
    assert dilation.where_before.startswith("a.prototxt:4:1")
    text = as_text(_diff(_NET, after)).splitlines()
    assert text[2:5] == [
        "~ fc6 (Convolution)  a.prototxt:4:1 → b.prototxt:4:1",
        "    convolution_param.pad: 12 → 6  (line 4)",
        "    convolution_param.dilation: 12 → 6  (lines 4 → 5)",
    ]
    assert summary(_diff(_NET, after)) == ["fc6: pad 12 → 6, dilation 12 → 6"]


def test_dialects_are_upgraded_first():
    old = """
        input: "data" input_dim: 1 input_dim: 3 input_dim: 33 input_dim: 33
        layers { name: "fc6" type: CONVOLUTION bottom: "data" top: "fc6" blobs_lr: 1 blobs_lr: 2
          convolution_param { num_output: 16 kernel_size: 3 pad: 12 hole: 12 } }
    """
    new = nets.conv("fc6", "data", "kernel_size: 3 pad: 12 dilation: 6", outputs=16)
    new = nets.image("33x33", 3, "data").replace('name: "data"', 'name: "input"') + new.replace(
        "convolution_param", "param { lr_mult: 1 } param { lr_mult: 2 } convolution_param"
    )
    difference = _diff(old, new)
    assert summary(difference) == ["fc6: dilation 12 → 6"]
    assert difference.changed[0].fields[0].where_before == "a.prototxt:4:69"  # of hole


def test_layers_added_removed_and_read_from_elsewhere():
    after = _NET.replace(nets.layer("Dropout", "drop6", "fc6", tops="fc6"), nets.layer("TanH", "t", "fc6"))
    after = after.replace('bottom: "fc6" top: "fc8"', 'bottom: "t" top: "fc8"')
    difference = _diff(_NET, after)
    assert [(p.name, p.type, p.where) for p in difference.removed] == [("drop6", "Dropout", "a.prototxt:5:1")]
    assert [(p.name, p.where) for p in difference.added] == [("t", "b.prototxt:5:1")]
    assert summary(difference)[2:] == ["fc8: bottom[0] fc6 (of drop6) → t"]


def test_a_layer_put_in_between_in_place_changes_no_connection():
    without = _NET.replace(nets.layer("Dropout", "drop6", "fc6", tops="fc6") + "\n", "")
    assert summary(_diff(without, _NET)) == ["drop6: added"]
    assert summary(_diff(_NET, without)) == ["drop6: removed"]


def test_renamed_layers_are_known_by_what_they_read():
    after = _NET.replace('"conv1"', '"c1"').replace('"relu1"', '"r1"').replace('"fc6"', '"fc6_pets"')
    difference = _diff(_NET, after)
    assert summary(difference) == [
        "conv1: renamed to c1", "relu1: renamed to r1", "fc6: renamed to fc6_pets",
    ]  # fmt: skip
    assert not (difference.added or difference.removed or difference.blobs)


def test_a_renamed_branch_is_told_from_its_siblings_by_its_values():
    def branches(names: str) -> str:
        sizes = zip(names.split(), (6, 12, 18), strict=True)
        convs = [nets.conv(n, "data", f"kernel_size: 3 pad: {d} dilation: {d}", outputs=21) for n, d in sizes]
        return nets.net(nets.image(), *convs, nets.layer("Eltwise", "sum", names))

    assert summary(_diff(branches("a b c"), branches("x y z"))) == [
        "a: renamed to x", "b: renamed to y", "c: renamed to z",
    ]  # fmt: skip
    swapped = branches("a b c").replace("pad: 6 dilation: 6", "pad: 99 dilation: 99")
    assert summary(_diff(branches("a b c"), swapped)) == ["a: pad 6 → 99, dilation 6 → 99"]


def test_what_is_only_alike_in_place_is_another_layer():
    after = _NET.replace(
        nets.conv("fc8", "fc6", "kernel_size: 1", outputs=21),
        nets.conv("other", "fc6", "kernel_size: 7 pad: 3 stride: 2 group: 3 bias_term: false", outputs=64),
    )
    assert summary(_diff(_NET, after)) == ["fc8: removed", "other: added"]


def test_blobs_and_order_and_the_nets_own_fields():
    after = _NET.replace('top: "fc8"', 'top: "scores"')
    assert summary(_diff(_NET, after)) == ["blob fc8: renamed to scores"]
    lines = nets.net(nets.image(), *(nets.conv(n, "data") for n in "abcd")).splitlines(keepends=True)
    moved = _diff("".join(lines), "".join([lines[0], lines[4], *lines[1:4]]))
    assert summary(moved) == ["d: moved"] and not moved.equal
    assert summary(_diff('name: "a" force_backward: true', 'name: "b"')) == [
        'name "a" → "b"', "force_backward true → false (default)",
    ]  # fmt: skip


def test_layers_of_one_name_and_another_state_are_kept_apart():
    def data(phase: str, batch: int) -> str:
        more = f"include {{ phase: {phase} }} image_data_param {{ batch_size: {batch} }}"
        return nets.layer("ImageData", "data", "", more, tops="data label")

    both = nets.net(data("TRAIN", 10), data("TEST", 1), nets.conv("a", "data"))
    test_alone = nets.net(data("TEST", 2), nets.conv("a", "data"))
    assert summary(_diff(both, test_alone)) == ["data: removed", "data: batch_size 1 → 2"]


def test_another_type_under_the_same_name_lists_no_fields_of_the_old_one():
    after = _NET.replace(nets.conv("fc8", "fc6", "kernel_size: 1", outputs=21), nets.layer("Softmax", "fc8", "fc6"))
    assert summary(_diff(_NET, after)) == ['fc8: type "Convolution" → "Softmax"']


def test_solvers():
    before = 'net: "a" base_lr: 0.1 lr_policy: "step" stepsize: 10 solver_type: ADAM'
    after = 'net: "a" base_lr: 1e-1\nlr_policy: "poly" power: 0.9 type: "Adam" iter_size: 1'
    assert summary(_diff(before, after)) == [
        'lr_policy "step" → "poly"', "power (not stated) → 0.9", "stepsize 10 → (not stated)",
    ]  # fmt: skip
    assert _diff(before, after).top[0].where_after == "b.prototxt:2:1"
    with pytest.raises(InputError, match="a.prototxt is a solver, b.prototxt is a net"):
        _diff(before, _NET)


def test_variables_without_values_are_compared_as_written():
    before = _NET.replace("num_output: 21", "num_output: ${CLASSES}").replace('"fc8"', '"fc8_${EXP}"')
    assert _diff(before, before.replace("  ", " ")).equal
    assert summary(_diff(before, before.replace("${CLASSES}", "21"))) == ["fc8_${EXP}: num_output ${CLASSES} → 21"]


@pytest.fixture
def run(write, capsys):
    """`run(before, after, *flags)`: exit code, and what is on stdout and stderr."""

    def call(before: str, after: str | None, *flags: str) -> tuple[int, str, str]:
        paths = [str(write(before, "train.prototxt"))] + ([str(write(after, "b.prototxt"))] if after else [])
        return main(["prototxt", "diff", *paths, *flags]), *capsys.readouterr()

    return call


def test_the_command_and_its_exit_codes(run):
    assert run(_NET, "# a comment\n" + _NET) == (0, "", "")
    code, out, err = run(_NET, _NET.replace("dilation: 12", "dilation: 6"))
    assert (code, err) == (1, "") and "dilation: 12 → 6" in out and "\033" not in out
    code, out, err = run(_NET, "layer {")
    assert (code, out) == (2, "") and err.count("\n") == 1 and "b.prototxt:1:7" in err
    assert run(_NET, None)[0] == 2
    code, out, _ = run(_NET, _NET.replace("dilation: 12", "dilation: ${D}"), "--set", "D=6", "--json")
    assert code == 1 and json.loads(out)["changed"][0]["fields"][0]["after"] == "6"
    assert not json.loads(out)["equal"]
    assert as_json(_diff(_NET, _NET))["equal"]


def test_against_what_was_generated(run):
    from deeplab_caffe.nets import generate

    text = generate("voc12/largefov")["train.prototxt"]
    assert run(text, None, "--generated")[0] == 0
    code, out, _ = run(text.replace("dilation: 12", "dilation: 6"), None, "--generated")
    assert code == 1 and "convolution_param.dilation: 12 → 6" in out
    code, _, err = run(_NET, None, "--generated")
    assert code == 2 and "has no header" in err
    code, _, err = run(text.replace("deeplab prototxt voc12", "deeplab prototxt nowhere"), None, "--generated")
    assert code == 2 and "train.prototxt: " in err


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("Concat", "concat_param { concat_dim: 2 }", "concat_param { axis: 2 }"),
        ("Slice", "slice_param { slice_dim: 0 }", "slice_param { axis: 0 }"),
        ("SoftmaxWithLoss", "loss_param { normalize: false }", "loss_param { normalization: BATCH_SIZE }"),
        ("SoftmaxWithLoss", "loss_param { normalize: true }", ""),
        ("SigmoidCrossEntropyLoss", "loss_param { normalize: false }", ""),
        ("DummyData", "dummy_data_param { num: 1 channels: 2 height: 3 width: 4 }",
         "dummy_data_param { shape { dim: [1, 2, 3, 4] } data_filler { } }"),
        ("Eltwise", "eltwise_param { coeff: [1, 1] }", ""),
        ("Crop", "crop_param { offset: [0, 0] }", "crop_param { axis: 2 }"),
        ("Crop", "crop_param { offset: 5 }", "crop_param { offset: [5, 5] }"),
    ],
)  # fmt: skip
def test_forms_that_mean_the_same(kind, one, other):
    assert summary(_one(kind, one, other)) == [] == summary(_one(kind, other, one))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("Concat", "concat_param { concat_dim: 2 }", ""),
        ("SoftmaxWithLoss", "loss_param { normalize: false }", ""),
        ("SigmoidCrossEntropyLoss", "loss_param { normalize: true }", ""),
        ("DummyData", "dummy_data_param { num: 1 channels: 2 height: 3 width: 4 }",
         "dummy_data_param { shape { dim: [1, 2, 3, 5] } }"),
        ("Eltwise", "eltwise_param { coeff: [1, -1] }", ""),
        ("Crop", "crop_param { offset: [0, 1] }", ""),
    ],
)  # fmt: skip
def test_forms_that_do_not(kind, one, other):
    assert len(summary(_one(kind, one, other))) == 1 == len(summary(_one(kind, other, one)))


def _upgradeable() -> list[Path]:
    data = Path(__file__).parents[1] / "data"
    return sorted([*data.rglob("*.prototxt"), *(data.parents[1] / "prototxt/voc12/largefov_v1").glob("*.prototxt")])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", _upgradeable(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_never_differs_from_its_own_upgrade(path):
    before = Document.read(path)
    after = Document(upgrade_document(before).text, "upgraded")
    assert as_text(diff_documents(before, after)) == "" == as_text(diff_documents(after, before))


_FORKS = {**foreign_nets.NETS, **foreign_nets.SOLVERS, **{name: net() for name, net in FAMILIES.items()}}


@pytest.mark.parametrize("name", _FORKS)
def test_a_file_of_another_caffe_never_differs_from_its_own_upgrade(name):
    before = Document(_FORKS[name])
    assert diff_documents(before, Document(upgrade_document(before).text)).equal


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*foreign_nets.NETS, *legacy_nets.NETS])
def test_nor_does_a_net_within_a_solver(name):
    text = foreign_nets.NETS.get(name) or legacy_nets.read(name)
    before = Document(f"base_lr: 1\nnet_param {{\n{text}\n}}\ntest_net_param {{\n{text}\n}}\n")
    assert diff_documents(before, Document(upgrade_document(before).text)).equal


@pytest.mark.parametrize("within", ["%s", "base_lr: 1 net_param { %s }"])
@pytest.mark.parametrize("more", ["", "normalize: true", "normalize: false", "normalization: FULL", "ignore_label: 2"])
@pytest.mark.parametrize("kind", ['layer { type: "SoftmaxWithLoss"', "layers { type: SOFTMAX_LOSS"])
def test_class_weights_are_the_matrix_that_they_become(tmp_path, within, more, kind):
    weighted = "weight_by_label_freqs: true class_weighting: 0.3 class_weighting: [1.2, 3]"
    loss = f'{kind} name: "loss" bottom: "s" bottom: "l" loss_param {{ {weighted} {more} }} }}'
    before = Document(within % loss, "old")
    upgrade = upgrade_document(before, tmp_path / "new.prototxt")
    write_matrices(upgrade)
    after = Document(upgrade.text, "new")
    assert diff_documents(before, after).equal and diff_documents(after, before).equal
    other = Document(within % loss.replace("1.2", "1.3"), "old")
    assert not diff_documents(other, after).equal and not diff_documents(other, before).equal
    unused = loss.replace("weight_by_label_freqs: true", "")
    assert diff_documents(Document(within % unused), Document(within % unused.replace("3]", "4]"))).equal
