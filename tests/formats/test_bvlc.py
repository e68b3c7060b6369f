"""Nets in the dialect of BVLC's Caffe: what is written anew, what stays, what is refused."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.data import Dataset, read_dataset
from deeplab_caffe.engine import install_as_caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.bvlc import to_bvlc
from deeplab_caffe.formats.bvlc_schema import BVLC_TYPES, LACKING, PYTHON_TYPES, REFUSED_TYPES
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import GeneratorOptions, generate

_ROOT = Path(__file__).parent.parent.parent
_FIELDS = set((_ROOT / "tests/data/bvlc/fields.txt").read_text().split())


def _convert(text: str) -> str:
    return to_bvlc(Document(text, "net.prototxt"))


def _lacking(message: object) -> list[str]:
    """`Message.field` of all that BVLC's caffe.proto lacks, by the list of its fields."""
    found = []
    for descriptor, value in message.ListFields():
        name = f"{message.DESCRIPTOR.name}.{descriptor.name}"
        found += [] if name in _FIELDS else [name]
        if descriptor.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                found += _lacking(inner)
    return found


# -- the lists


def test_every_layer_type_is_bvlcs_has_a_python_layer_or_is_refused() -> None:
    assert {*BVLC_TYPES, *PYTHON_TYPES, *REFUSED_TYPES} == {*caffe.layer_type_list()}
    assert not BVLC_TYPES & set(PYTHON_TYPES)
    assert "HardSwish" in REFUSED_TYPES


@pytest.mark.parametrize("kind", sorted(REFUSED_TYPES))
def test_a_type_without_a_python_layer_is_refused_by_name(kind: str) -> None:
    message = f"^net.prototxt:1:19: .*BVLC's Caffe nor deeplab_layers has a layer type '{kind}'$"
    with pytest.raises(InputError, match=message):
        _convert(f'layer {{ name: "a" type: "{kind}" bottom: "x" top: "y" }}')
    assert set((_ROOT / "tests/data/bvlc/layer_types.txt").read_text().split()) == BVLC_TYPES


def test_what_bvlcs_schema_lacks_is_listed() -> None:
    """Every field of the messages that today's nets and solvers are made of is BVLC's or is known to be lacking."""
    reached, todo = set(), ["NetParameter", "SolverParameter"]
    while todo:
        name = todo.pop()
        reached.add(name)
        for field in schema.NAMES[name].DESCRIPTOR.fields:
            known = f"{name}.{field.name}" in _FIELDS
            assert known != (field.name in LACKING.get(name, ())), f"{name}.{field.name}"
            inner = field.message_type
            if known and inner is not None and inner.name != "V1LayerParameter" and inner.name not in reached:
                todo.append(inner.name)
    assert set(LACKING) <= reached


def test_the_python_layers_have_the_fields_of_their_messages() -> None:
    install_as_caffe()
    import deeplab_layers

    unread = {
        "ImageDataParameter": {"has_label", "max_labels", "mean_file"},
        "TransformationParameter": {
            "mean_file", "force_color", "force_gray", "crop_h", "crop_w", "distort_param", "emit_constraint",
            "expand_param", "noise_param", "resize_param",
        },
        "BNParameter": {"engine"},
    }  # fmt: skip
    for kind, names in PYTHON_TYPES.items():
        messages = [schema.LayerParameter.DESCRIPTOR.fields_by_name[name].message_type for name in names]
        fields = {f.name for m in messages for f in m.fields if f.name not in unread.get(m.name, ())}
        assert set(getattr(deeplab_layers, kind).PARAMS) - {"seed", "phase"} == fields, kind


# -- what is written


def test_a_layer_with_a_block() -> None:
    text = """layer {
  name: "up"  # back to full size
  type: "Interp"
  bottom: "a"
  top: "b"
  interp_param {
    # eight times
    zoom_factor: 8
  }
  include { phase: TEST }
}
"""
    assert (
        _convert(text)
        == """layer {
  name: "up"  # back to full size
  type: "Python"
  bottom: "a"
  top: "b"
  # eight times
  python_param { module: "deeplab_layers" layer: "Interp" param_str: "{'zoom_factor': 8}" }
  include { phase: TEST }
}
"""
    )


def test_a_layer_without_parameters_on_one_line() -> None:
    converted = _convert('layer { name: "p" type: "SpatialProduct" bottom: "a" bottom: "b" top: "c" }\n')
    assert converted == (
        'layer { name: "p" type: "Python" bottom: "a" bottom: "b" top: "c" '
        'python_param { module: "deeplab_layers" layer: "SpatialProduct" } }\n'
    )


def test_numbers_words_and_lists() -> None:
    text = """layer { name: "d" type: "ImageSegData" top: "data"
      transform_param { scale: 0.017241379 mirror: true mean_value: [104, 116.5] }
      image_data_param { source: "it's/a \\"list\\".txt" label_type: PIXEL batch_size: 0x10 } }"""
    param_str = definition_in(Document(_convert(text))).param.layer[0].python_param.param_str
    assert ast.literal_eval(param_str) == {
        "source": 'it\'s/a "list".txt',
        "label_type": "PIXEL",
        "batch_size": 16,
        "scale": 0.01724138,
        "mirror": True,
        "mean_value": [104, 116.5],
    }


def test_template_variables_stay() -> None:
    text = """layer { name: "fc8_${EXP}" type: "ImageSegData" top: "data"
      image_data_param { source: "${EXP}/${SET}.txt" batch_size: ${BATCH} } }"""
    converted = _convert(text)
    assert "'source': '${EXP}/${SET}.txt'" in converted and "'batch_size': ${BATCH}" in converted
    filled = Document(converted, "x", {"EXP": "voc12", "SET": "val", "BATCH": "3"})
    layer = definition_in(filled).param.layer[0]
    assert ast.literal_eval(layer.python_param.param_str) == {"source": "voc12/val.txt", "batch_size": 3}


@pytest.mark.parametrize("parameter", ["mirror: ${MIRROR}", "${REST}"])
def test_variables_that_decide_what_is_written_need_a_value(parameter: str) -> None:
    with pytest.raises(InputError, match=r"net.prototxt:1:\d+: layer 'd' \(ImageSegData\): set .* to a value before"):
        _convert(f'layer {{ name: "d" type: "ImageSegData" top: "x" transform_param {{ {parameter} }} }}')


@pytest.mark.parametrize("stated", ["", "param { lr_mult: 1 }", "param { lr_mult: 1 } param { lr_mult: 2 }"])
def test_statistics_of_pspnets_bn_are_not_learned(stated: str) -> None:
    converted = _convert(f'layer {{ name: "bn" type: "BN" bottom: "x" top: "y" {stated} bn_param {{ frozen: true }} }}')
    params = definition_in(Document(converted)).param.layer[0].param
    assert [p.lr_mult for p in params][2:] == [0, 0] and [p.decay_mult for p in params][2:] == [0, 0]
    assert [p.lr_mult for p in params][:2] == ([1, 2] if stated.count("param") == 2 else [1, 1])


def test_segnets_bn_has_no_statistics() -> None:
    converted = _convert('layer { name: "bn" type: "BN" bottom: "x" top: "y" bn_param { bn_mode: INFERENCE } }')
    assert "lr_mult" not in converted


def test_a_field_that_says_nothing_goes() -> None:
    text = 'layer {\n  name: "bn"\n  type: "BatchNorm"\n  bottom: "x"\n  top: "x"\n  batch_norm_param {\n'
    converted = _convert(text + "    use_global_stats: true\n    update_global_stats: false\n  }\n}\n")
    assert converted == text + "    use_global_stats: true\n  }\n}\n"


def test_nets_of_2014_are_upgraded_on_the_way() -> None:
    text = """# a net of DeepLab's first release
layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" convolution_param { num_output: 3 kernel_size: 3 hole: 2 } }
layers { name: "i" type: INTERP bottom: "c" top: "i" interp_param { zoom_factor: 2 } }
layers { name: "pad" type: PADDING bottom: "i" top: "p" padding_param { pad_end: 1 } }
"""
    layers = definition_in(Document(_convert(text))).param.layer
    assert [layer.type for layer in layers] == ["Convolution", "Python", "Python"]
    assert list(layers[0].convolution_param.dilation) == [2]
    assert _convert(text).startswith("# a net of DeepLab's first release\n")


def test_a_solver_stays() -> None:
    text = 'train_net: "x.prototxt" # mine\nbase_lr: 0.1\nlr_policy: "fixed"\n'
    assert _convert(text) == text


# -- what is refused


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ('type: "Interpp"', "BVLC's Caffe nor deeplab_layers has a layer type 'Interpp'; did you mean 'Interp'"),
        ('type: "SoftmaxWithLoss" top: "a" top: "b"', "does not support a SoftmaxWithLoss with two tops"),
        ('type: "BatchNorm" batch_norm_param { update_global_stats: true }', "no field 'update_global_stats'"),
        ('type: "Data" transform_param { scale_factors: 2 }', "TransformationParameter has no field 'scale_factors'"),
        ('type: "ImageData" image_data_param { label_type: NONE }', "ImageDataParameter has no field 'label_type'"),
        ('type: "ReLU" interp_param { zoom_factor: 2 }', "LayerParameter has no field 'interp_param'"),
        ('type: "Convolution" strict_dim: false', "LayerParameter has no field 'strict_dim'"),
    ],
)
def test_refused_by_name(layer: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"net.prototxt:2:\d+: layer 'x' \(\w+\): .*{message}"):
        _convert(f'\nlayer {{ name: "x" {layer} }}')


# -- the generated nets


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return read_dataset(_ROOT / "datasets" / "voc12.toml")


#: one of each family, the smaller ones
_VARIANTS = (
    "largefov", "msc_largefov", "aspp_s", "fcn8s", "weak_em_adapt", "semi_bbox_em_fixed", "dt_edgenet", "dt_gradient",
    "scales2_attention", "resnet101", "v3_resnet50_block4",
)  # fmt: skip


@pytest.mark.parametrize("variant", _VARIANTS)
def test_every_generated_net_can_be_said(variant: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)
    for name, text in generate(f"voc12/{variant}", GeneratorOptions(dialect="bvlc"), dataset).items():
        kind = schema.SolverParameter if name.startswith("solver") else schema.NetParameter
        message = to_message(Document(text, name), kind())
        assert _lacking(message) == []
        assert {layer.type for layer in getattr(message, "layer", [])} <= BVLC_TYPES


# -- the command


def test_convert_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(_ROOT / "prototxt/voc12/largefov", "nets")
    assert cli.main(["prototxt", "convert", "nets", "--dialect", "bvlc", "-o", "out"]) == 0
    assert sorted(p.name for p in Path("out").iterdir()) == sorted(p.name for p in Path("nets").iterdir())
    assert Path("out/solver.prototxt").read_text() == Path("nets/solver.prototxt").read_text()
    assert cli.main(["prototxt", "convert", "nets/test.prototxt", "--dialect", "bvlc"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith(Path("out/test.prototxt").read_text())
    assert cli.main(["prototxt", "convert", "nets/test.prototxt", "--dialect", "bvlc", "--in-place"]) == 0
    assert Path("nets/test.prototxt").read_text() == Path("out/test.prototxt").read_text()
    assert cli.main(["prototxt", "convert", "nets", "out", "--dialect", "bvlc", "-o", "both"]) == 2
    assert "was already written by this command" in capsys.readouterr().err


def test_convert_fills_in_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "ImageSegData" top: "x" transform_param { mirror: ${M} } }'
    )
    command = ["prototxt", "convert", str(tmp_path / "net.prototxt"), "--dialect", "bvlc"]
    assert cli.main(command) == 2
    assert "set ${M} to a value" in capsys.readouterr().err
    assert cli.main([*command, "--fill", "--set", "M=true"]) == 0
    assert "{'mirror': True}" in capsys.readouterr().out
