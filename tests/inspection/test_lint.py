"""The lint command: its output, what silences it, what it fixes, and that it leaves the generated nets alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import lint_nets
from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.bvlc import to_bvlc
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.lint import RULES, Linter, as_text, chosen
from deeplab_caffe.nets import generate, write_files

REPOSITORY = Path(__file__).parents[2]
#: one model of each family: what the others of it differ in, no rule looks at
GENERATED = [
    "voc12/largefov", "voc12/deeplab_4x4", "voc12/msc", "voc12/aspp_l", "voc12/fcn8s_atonce", "voc12/semi_em_fixed",
    "voc12/dt_edgenet", "person_part/scales2_attention_esupv", "voc12/v3_resnet50_block5", "voc12/resnet101_msc_aspp",
]  # fmt: skip
_RIGHT, _WRONG = "loss_param { ignore_label: 255 }", "loss_param { ignore_label: 250 }"
_LOSS = 'layer {\n  name: "loss"'


def _lint(*arguments: object) -> int:
    return main(["prototxt", "lint", *map(str, arguments)])


def _found(path: Path, **values: str) -> list[str]:
    linter = Linter(chosen(), template_values([f"{k}={v}" for k, v in values.items()], {}))
    return [f.rule for f in linter.lint(path)]


# -- the command


def test_exit_codes(tmp_path, capsys):
    lint_nets.write(tmp_path)
    assert _lint(tmp_path) == 0
    assert capsys.readouterr().out == "nothing found\n"
    lint_nets.write(tmp_path, "train", "pad: 2\n", "pad: 1\n")
    assert _lint(tmp_path) == 1
    assert _lint(tmp_path, tmp_path / "none.prototxt") == 2
    out, err = capsys.readouterr()
    assert "[dilation-pad]" in out and "Could not open file" in err
    (tmp_path / "binary.prototxt").write_bytes(b"\xff\x00")
    assert _lint(tmp_path / "binary.prototxt") == 2
    assert _lint() == 2


@pytest.mark.parametrize("text", ["", "\n# all of it is gone\n", 'name: "small"\n'])
def test_an_emptied_net_is_not_right(tmp_path, capsys, text):
    (tmp_path / "net.prototxt").write_text(text)
    assert _lint(tmp_path / "net.prototxt") == 1
    assert "net.prototxt:1:1: warning: the net has no layers" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["layer {", "layr { }", "base_lr: 1", "input: 'x' input_dim: [1, 1, 3, 3]"])
def test_a_file_with_another_mistake_and_a_solver_are_not_called_empty(tmp_path, text):
    (tmp_path / "net.prototxt").write_text(text)
    found = _found(tmp_path / "net.prototxt")
    assert found and "no-layers" not in found


def test_a_note_is_no_failure_unless_asked_for(tmp_path):
    lint_nets.write(tmp_path, "train", "crop_size: 33", "crop_size: ${SIZE}")
    assert _lint(tmp_path) == 0
    assert _lint(tmp_path, "--strict") == 1
    assert _lint(tmp_path, "--strict", "--set", "SIZE=33") == 0
    assert _lint(tmp_path, "--set", "SIZE=34") == 1


def test_a_finding_is_one_line(tmp_path, capsys):
    solver = lint_nets.write(tmp_path, "train", _RIGHT, _WRONG)
    assert _lint(solver) == 1
    assert capsys.readouterr().out == (
        f"{tmp_path}/train.prototxt:80:16: warning: loss (SoftmaxWithLoss): ignores label 250, but data (ImageSegData) "
        "pads labels with 255; set ignore_label: 255 [ignore-label-differs]\n1 warning\n"
    )


def test_json_and_github(tmp_path, capsys):
    solver = lint_nets.write(tmp_path, "solver", "base_lr: 0.001", "base_lr: 0")
    assert _lint(solver, "--format", "json") == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["rule"], finding["line"], finding["column"], finding["severity"]) == ("solver-value", 2, 1, "error")
    assert finding["advice"] and not finding["fixable"]
    assert _lint(solver, "--format", "github") == 1
    assert capsys.readouterr().out == (
        f"::error file={solver},line=2,col=1,title=solver-value::base_lr is 0, expected more than 0; change it\n"
    )


def test_rules_are_selected_and_ignored(tmp_path, capsys):
    solver = lint_nets.write(tmp_path, "train", "pad: 2\n", "padd: 1\n")
    assert _lint(solver, "--select", "dilation-pad,crop-size") == 0
    assert _lint(solver, "--ignore", "unknown-field") == 0
    assert _lint(solver, "--select", "unknown-fields") == 2
    assert "there is no rule 'unknown-fields'; did you mean 'unknown-field'?" in capsys.readouterr().err
    assert _lint("--list-rules") == 0
    assert "dangling-bottom" in capsys.readouterr().out


def test_without_shapes_no_engine_is_needed(tmp_path):
    solver = lint_nets.write(tmp_path, "train", "shrink_factor: 8", "shrink_factor: 4")
    assert _lint(solver) == 1
    assert _lint(solver, "--no-shapes") == 0


def test_the_documentation_lists_the_rules():
    text = (REPOSITORY / "docs" / "lint-rules.md").read_text(encoding="utf-8")
    for r in RULES.values():
        assert f"| [`{r.name}`](#{r.name}) | {r.severity} | {r.summary} |" in text


# -- silencing


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_WRONG, f"{_WRONG}  # lint: ignore=ignore-label-differs"),
        (_WRONG, f"# lint: ignore=crop-size, ignore-label-differs\n{_WRONG}"),
        (_LOSS, f"# lint: ignore=ignore-label-differs\n{_LOSS}"),
        (_LOSS, _LOSS.replace("{", "{  # lint: ignore=ignore-label-differs")),
        ('name: "small"', '# lint: ignore-file=ignore-label-differs\nname: "small"'),
    ],
)
def test_a_comment_silences(tmp_path, old, new):
    lint_nets.write(tmp_path, "train", _RIGHT, _WRONG)
    train = tmp_path / "train.prototxt"
    assert _found(train) == ["ignore-label-differs"]
    train.write_text(train.read_text().replace(old, new, 1))
    assert _found(train) == []
    train.write_text(train.read_text().replace("ignore-label-differs", "shuffle"))
    assert _found(train) == ["ignore-label-differs"]


def test_a_comment_above_one_layer_says_nothing_of_the_next(tmp_path):
    before = 'layer { name: "label_shrink"'
    lint_nets.write(tmp_path, "train", before, f"# lint: ignore=ignore-label-differs\n{before}")
    train = tmp_path / "train.prototxt"
    train.write_text(train.read_text().replace(_RIGHT, _WRONG, 1))
    assert _found(train) == ["ignore-label-differs"]


# -- fixing


def test_what_can_be_fixed_is_and_the_rest_stays(tmp_path, capsys):
    solver = lint_nets.write(tmp_path)
    train = tmp_path / "train.prototxt"
    text = train.read_text().replace("  loss_param { ignore_label: 255 }\n", "  # the loss\n")
    text = text.replace("dropout_ratio", "droput_ratio").replace("dilation: 2", "hole: 2  # atrous")
    text = text.replace("    shuffle: true\n", "").replace("PIXEL", "PIXL")
    train.write_text(text)
    solver.write_text(solver.read_text().replace("solver_mode: GPU", "solver_mode: GPU\nsolver_type: ADAM  # so"))
    assert _lint(tmp_path, "--fix") == 0
    assert "fixed " in capsys.readouterr().err
    fixed = train.read_text()
    assert "  # the loss\n" in fixed and "  loss_param { ignore_label: 255 }\n" in fixed
    assert "dilation: 2  # atrous" in fixed and "shuffle: true" in fixed and "label_type: PIXEL" in fixed
    assert 'type: "Adam"  # so' in solver.read_text()
    assert len(fixed.splitlines()) == len(lint_nets.TRAIN.splitlines()) + 1


def test_what_cannot_be_fixed_is_left_alone(tmp_path):
    solver = lint_nets.write(tmp_path, "train", "pad: 2\n", "pad: 1\n")
    before = (tmp_path / "train.prototxt").read_text()
    assert _lint(solver, "--fix") == 1
    assert (tmp_path / "train.prototxt").read_text() == before


def test_a_template_keeps_its_variables_when_it_is_fixed(tmp_path):
    lint_nets.write(tmp_path, "train", "num_output: 5", "num_output: ${N}")
    train = tmp_path / "train.prototxt"
    train.write_text(train.read_text().replace("    shuffle: true\n", ""))
    assert _lint(train, "--fix", "--set", "N=5") == 0
    assert "num_output: ${N}" in train.read_text() and "shuffle: true" in train.read_text()


# -- nets


def test_a_net_with_two_phases_is_checked_in_both(tmp_path):
    path = tmp_path / "train_val.prototxt"
    data = lint_nets.TRAIN[lint_nets.TRAIN.index("layer {") : lint_nets.TRAIN.index('layer {\n  name: "conv1"')]
    tested = data.replace("TRAIN", "TEST").replace("mirror: true", "mirror: false").replace("    shuffle: true\n", "")
    path.write_text(lint_nets.TRAIN.replace(data, data + tested))
    assert _found(path) == []
    path.write_text(path.read_text().replace("mirror: false", "mirror: true"))
    assert _found(path) == ["test-augmentation"]
    path.write_text(
        path.read_text().replace('top: "label"', 'top: "labels"').replace('top: "labels"', 'top: "label"', 1)
    )
    assert "dangling-bottom" in _found(path)


def test_an_old_net_is_checked_and_left_to_be_upgraded(tmp_path):
    path = tmp_path / "old.prototxt"
    path.write_text(
        "input: 'data' input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9\n"
        "layers { name: 'c' type: CONVOLUTION bottom: 'date' top: 'c' convolution_param { num_output: 2 } }"
    )
    assert sorted(_found(path)) == ["dangling-bottom", "old-dialect", "unused-blob"]


@pytest.mark.parametrize("name", GENERATED)
def test_nothing_is_found_in_generated_nets(name, monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    files = generate(name)
    monkeypatch.chdir(tmp_path)  # solvers name their nets as the files lie here
    write_files(folder := Path("prototxt", name), files)
    linter = Linter(chosen(), template_values([], {}))
    found = [f for path in sorted(folder.glob("*.prototxt")) for f in linter.lint(path)]
    assert not found, as_text(found)


def test_code_that_a_net_names_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_layers.py").write_text("raise SystemExit('was run')")
    monkeypatch.syspath_prepend(tmp_path)
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "data" type: "Python" top: "data" python_param { module: "my_layers" layer: "Data" } }\n'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'
    )
    assert main(["prototxt", "lint", str(net)]) == 0


def test_a_net_within_a_solver_is_checked(tmp_path):
    path = tmp_path / "solver.prototxt"
    train = lint_nets.TRAIN.replace(_RIGHT, _WRONG)
    net = f"train_net_param {{\n{train}}}\n"
    path.write_text(
        lint_nets.SOLVER.replace('train_net: "{folder}/train.prototxt"\n', net).replace("{folder}", str(tmp_path))
    )
    assert _found(path) == ["ignore-label-differs"]
    path.write_text(path.read_text().replace("pad: 2\n", "padd: 2\n"))
    assert _found(path) == ["unknown-field", "ignore-label-differs"]


_FOREIGN = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }
layer { name: "norm" type: "FlowAugmentation" bottom: "data" top: "norm" augmentation_param { crop_width: 9 } }
layer { name: "perm" type: "Resample" bottom: "norm" top: "perm" resample_param { factor: 2 } }
layer { name: "flip" type: "Flip" bottom: "perm" top: "flip" flip_param { flip_width: true } clip_parm { min: 0 } }
layer { name: "swish" type: "Swwish" bottom: "data" top: "swish" swish_parm { beta: 1 } }
"""


def test_a_type_of_another_caffe_is_one_finding_and_is_not_fixed(tmp_path):
    path = tmp_path / "ssd.prototxt"
    path.write_text(_FOREIGN)
    findings = Linter(chosen()).lint(path)
    assert [(f.line, f.rule) for f in findings] == [(line, "unknown-type") for line in (2, 3, 4, 5)]
    assert "(a layer of the Caffe of FlowNet)" in findings[1].message and "did you mean 'Swish'?" in findings[3].message
    assert _lint(path, "--fix") == 1
    assert path.read_text() == _FOREIGN
    assert [f.rule for f in Linter(chosen(), shapes=False).lint(path)] == ["unknown-type"] * 4


@pytest.mark.parametrize(
    ("field", "fixed"),
    [
        ("covolution_param { num_output: 2 kernel_size: 1 }", "convolution_param { num_output: 2 kernel_size: 1 }"),
        ("flip_param { flip_width: true }", None),  # Clip has no such field
        ("clop_param { }", None),
        ("bias_trem { filler { value: 1 } }", None),
        ("relu6_param { threshold: 6 }", None),
        ("convolution_param { num_output: 2 num_ouput: 3 kernel_size: 1 }", None),  # it is there already
        ("convolution_param { num_output: 2 kernel_size: 1 pad_t: 1 }", None),
        ("convolution_param { num_output: 2 kernal_size: 'one' }", None),
    ],
)
def test_a_field_is_renamed_only_if_what_it_says_fits(tmp_path, field, fixed):
    path = tmp_path / "net.prototxt"
    text = f'layer {{ name: "c" type: "Convolution" bottom: "data" top: "c" {field} }}\n'
    path.write_text(text)
    _lint(path, "--fix", "--select", "unknown-field")
    assert path.read_text() == (text.replace(field, fixed) if fixed else text)


@pytest.mark.parametrize("command", ["upgrade", "inspect", "format"])
def test_tools_for_text_go_on_behind_a_type_of_another_caffe(tmp_path, capsys, command):
    path = tmp_path / "flow.prototxt"
    path.write_text(_FOREIGN)
    assert main(["prototxt", command, str(path)]) == 0
    said = "".join(capsys.readouterr())
    assert "unknown type 'Resample' (a layer of the Caffe of FlowNet)" in said or command == "format"
    assert "resample_param" in path.read_text()


def test_a_net_with_a_type_of_another_caffe_is_not_built(tmp_path):
    path = tmp_path / "flow.prototxt"
    path.write_text(_FOREIGN)
    message = r"2:28: layer 'norm' .*: unknown type 'FlowAugmentation' \(a layer of the Caffe of FlowNet"
    with pytest.raises(InputError, match=message):
        caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize(
    "layer",
    [
        'layer { name: "big" type: "Tile" bottom: "data" top: "big" tile_param { tiles: 2000000000 } }',
        'layer { name: "big" type: "DummyData" top: "big" dummy_data_param { shape { dim: [65536, 65536] } } }',
        'layer { name: "big" type: "Input" top: "big" input_param { shape { dim: [65536, 65536] } } }',
        'layer { name: "big" type: "Convolution" bottom: "data" top: "big"\n'
        "  convolution_param { num_output: 2000000000 kernel_size: 1 } }",
    ],
)
def test_a_blob_that_is_too_large_is_found_at_its_layer(tmp_path, capsys, layer):
    path = tmp_path / "net.prototxt"
    path.write_text(_FOREIGN.splitlines()[0] + "\n" + layer)
    (finding,) = [f for f in Linter(chosen()).lint(path) if f.rule == "does-not-fit"]
    assert finding.line == 2 and finding.layer.startswith("big (") and "fewer than 2**31 elements" in finding.message
    assert main(["prototxt", "inspect", str(path)]) == 2
    assert f"{path}:2:1: layer 'big' (" in capsys.readouterr().err


def test_a_net_of_many_layers_in_place_takes_time_in_proportion(tmp_path):
    def steps(count: int) -> int:
        path = tmp_path / f"{count}.prototxt"
        relu = 'layer {{ name: "r{}" type: "ReLU" bottom: "data" top: "data" }}\n'
        path.write_text(_FOREIGN.splitlines()[0] + "\n" + "".join(relu.format(i) for i in range(count)))
        calls = 0

        def count_calls(frame: object, event: str, _: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count_calls)
        try:
            Linter(chosen(), shapes=False).lint(path)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(400) < 2.5 * steps(200)


def test_a_file_that_cannot_be_read_is_not_one_without_findings(tmp_path, capsys):
    lint_nets.write(tmp_path)
    assert _lint(tmp_path / "none.prototxt") == 2
    assert capsys.readouterr().out == "1 file could not be read\n"
    assert _lint(tmp_path, tmp_path / "none.prototxt", tmp_path / "neither.prototxt") == 2
    assert capsys.readouterr().out == "nothing found; 2 files could not be read\n"
    assert _lint(tmp_path / "none.prototxt", "--format", "json") == 2
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("transform", "phase", "count"),
    [
        ("crop_height: 9 crop_width: 9 mean_value: 1", "TRAIN", 1),
        ("crop_height: 9 crop_width: 9 mean_value: 1 mirror: true", "TRAIN", 0),
        ("crop_height: 9 crop_width: 9 mean_value: 1", "TEST", 0),
        ("crop_size: 9 mean_value: 1 scale_factors: 1 scale_factors: 0.5", "TRAIN", 0),
        ("crop_size: 9 mean_value: 1 scale_factors: 1 scale_factors: 0.5", "TEST", 1),
        ("crop_size: 9 mean_value: 1 scale_factors: 1 scale_factors: 0.5 mirror: true", "TEST", 0),
        ("crop_size: 9 mirror: true", "TRAIN", 1),
        ("crop_size: 9", "TEST", 1),
        ("mean_value: 0 crop_size: 9", "TEST", 0),
        ("crop_height: 9 crop_width: 9", "TRAIN", 2),
    ],
)
def test_what_aborts_a_cpp_caffe(tmp_path, transform, phase, count):
    path = tmp_path / "net.prototxt"
    path.write_text(
        f'layer {{ name: "d" type: "ImageSegData" top: "d" top: "l" include {{ phase: {phase} }} transform_param '
        f'{{ {transform} }} image_data_param {{ source: "s" batch_size: 1 label_type: PIXEL }} }}'
    )
    assert _count(path, "aborts-in-caffe") == count
    path.write_text(to_bvlc(Document(path.read_text())))
    assert _count(path, "aborts-in-caffe") == 0  # the Python layer has random numbers, and pads with 0


def _count(path: Path, name: str) -> int:
    return len(Linter(chosen([name])).lint(path))


@pytest.mark.parametrize("name", ["voc12/largefov", "voc12/semi_em_fixed", "voc12/dt_edgenet"])
def test_nothing_is_found_in_generated_nets_for_bvlcs_caffe(tmp_path, name):
    for file, text in generate(name).items():
        (tmp_path / file).write_text(to_bvlc(Document(text, file)))
    assert [f for f in Linter(chosen()).lint(tmp_path / "solver.prototxt") if f.severity != "note"] == []
    assert _found(tmp_path / "deploy.prototxt") == []


def test_python_layers_of_ours_are_checked_as_what_they_are(tmp_path):
    lint_nets.write(tmp_path, "train", _RIGHT, _WRONG)
    train = tmp_path / "train.prototxt"
    train.write_text(to_bvlc(Document(train.read_text())))
    (finding,) = Linter(chosen()).lint(train)
    assert finding.rule == "ignore-label-differs" and not finding.fixable


@pytest.mark.parametrize(
    "text",
    [
        'layer { name: "c" type: "Convolution" bottom: "d" top: "c" convolution_param '
        "{ num_output: 4 kernel_size: 3 Kernel_Size: 5 } }",
        'layer { name: "c" type: "Convolution" bottom: "d" top: "c" convolution_param '
        "{ num_output: 4 kernel_size: 3 hole: 4 dilation: 2 } }",
        'net: "n.prototxt" base_lr: 1 lr_policy: "fixed" solver_type: ADAM type: "SGD"',
    ],
)
def test_a_field_is_not_renamed_to_one_that_is_stated(tmp_path, text):
    path = tmp_path / "a.prototxt"
    path.write_text(text)
    assert _lint(path, "--fix", "--no-shapes") != 0
    assert path.read_text() == text
