"""Files of other Caffes: the tools for text read them, keep all that they do not know, and say what it is."""

from __future__ import annotations

import pytest

import foreign_nets
from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.bvlc import to_bvlc
from deeplab_caffe.formats.carried import unknown_values
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.foreign_fields import TABLE
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.tree import Scalar, walk
from deeplab_caffe.formats.upgrade_text import upgrade_document
from deeplab_caffe.inspection.diff import diff_documents
from deeplab_caffe.inspection.lint import Linter, chosen

NETS = sorted(foreign_nets.NETS)
FILES = [*((name, foreign_nets.NETS[name]) for name in NETS), *foreign_nets.SOLVERS.items()]


@pytest.fixture
def written(tmp_path):
    """Writes a file, and the net that a solver's names; returns its path."""

    def write(text: str):
        net = tmp_path / "net.prototxt"
        net.write_text(foreign_nets.NETS["intel"])
        path = tmp_path / "file.prototxt"
        path.write_text(text.replace("{net}", str(net)))
        return path

    return write


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_no_tool_for_text_refuses_it(written, tmp_path, capsys, name, text):
    path = written(text)
    assert main(["prototxt", "upgrade", str(path), "-o", str(tmp_path / "new.prototxt")]) == 0
    assert main(["prototxt", "format", "--diff", str(path)]) in (0, 1)
    assert main(["prototxt", "diff", str(path), str(tmp_path / "new.prototxt")]) == 0
    assert main(["prototxt", "lint", str(path)]) in (0, 1)
    assert main(["prototxt", "view", str(path), "-o", str(tmp_path / "net.html")]) == 0
    assert main(["prototxt", "inspect", str(path)]) == 0


def _words(text: str) -> list[str]:
    """All names and values of a text."""
    fields = list(walk(Document(text).root.fields))
    return [f.name for f in fields] + [f.value.text for f in fields if isinstance(f.value, Scalar)]


@pytest.mark.parametrize("name", NETS)
def test_an_upgrade_loses_nothing_that_is_unknown(name):
    text = foreign_nets.NETS[name]
    new = upgrade_document(Document(text)).text
    before, after = (unknown_values(Document(t).root, schema.NetParameter.DESCRIPTOR) for t in (text, new))
    later = ("bn_param",)  # today's layers have it
    assert [v for p, v in before if not p.endswith(later)] == [v for p, v in after if not p.endswith(later)]
    assert text.count("#") == new.count("#")
    assert "bn_param" not in text or "shift_filler" in new


def test_types_of_2014_that_the_enum_lacks_become_strings():
    upgrade = upgrade_document(Document(foreign_nets.NETS["of_2014"]))
    assert 'type: "BN"' in upgrade.text and 'type: "UNFOOLING"' in upgrade.text and "param { lr_mult: 1" in upgrade.text
    assert "unfooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 8 }" in upgrade.text
    known = upgrade_document(Document("layers { name: 'u' type: UNPOOLING }"))
    assert known.text == "layer { name: 'u' type: \"Unpooling\" }"


def test_the_report_notes_what_is_kept():
    notes = upgrade_document(Document(foreign_nets.NETS["detector"], "f")).notes
    assert [note for note in notes if "unknown type 'FooNorm': kept as it is written" in note]
    typo = upgrade_document(Document("layer { convolution_param { kernal_size: 3 } }", "f"))
    assert typo.notes == [
        "f:1:29: ConvolutionParameter has no field 'kernal_size'; did you mean 'kernel_size'?: kept as it is written"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer { name: 'a' name: 'b' }", "'name' is given twice"),
        ("layer { convolution_param { num_output: many } }", "expected a number"),
        ("layer { convolution_param { pad: -1 } }", "out of range"),
        ("layer { name: ", "unexpected|expected"),
    ],
)
def test_what_no_caffe_reads_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        upgrade_document(Document(text, "f"))


def test_each_layer_of_an_unknown_type_is_a_finding(written):
    found = Linter(chosen(["unknown-type"])).lint(written(foreign_nets.NETS["detector"]))
    assert [f.layer for f in found] == ["data (BoxedFooData)", "norm (FooNorm)", "loss (FooBoxLoss)"]
    twice = foreign_nets.DATA + "".join(
        f'layer {{ name: "{n}" type: "FooBar" bottom: "data" top: "{n}" }}\n' for n in "ab"
    )
    assert [f.line for f in Linter(chosen(["unknown-type"])).lint(written(twice))] == [2, 3]


def test_a_known_field_of_another_caffe_says_what_to_do(written):
    findings = Linter(chosen(["foreign-field"])).lint(written(foreign_nets.NETS["intel"]))
    found = {finding.message.split("'")[1]: finding for finding in findings}
    assert found["ceil_mode"].advice.startswith("write `round_mode: FLOOR`") and not found["ceil_mode"].fixable
    assert "the Caffe of Intel" in found["bn_stats_batch_size"].message
    assert set(found) == {"engine", "bn_stats_batch_size", "relu", "ceil_mode"}


def test_a_field_of_another_caffe_is_one_finding_however_often_it_is_given(written):
    weights = " ".join(["class_weighting: 0.5"] * 11)
    loss = f'layer {{ name: "l" type: "SoftmaxWithLoss" bottom: "a" bottom: "b" loss_param {{ {weights} }} }}'
    (found,) = Linter(chosen(["foreign-field"])).lint(written(loss))
    assert "'class_weighting' is a field of the Caffe of SegNet" in found.message


def test_a_near_miss_of_a_known_field_stays_an_error(written):
    path = written(foreign_nets.DATA + foreign_nets.CONV % "num_ouput: 4 kernel_size: 3")
    (found,) = [f for f in Linter(chosen()).lint(path) if f.rule == "unknown-field"]
    assert "did you mean 'num_output'?" in found.message and found.severity == "error" and found.fixable
    with pytest.raises(InputError, match="did you mean 'num_output'"):
        caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize("name", [name for name in NETS if name not in ("regions",)])
def test_no_such_net_is_built(name):
    with pytest.raises(InputError):
        caffe.Net(definition_in(Document(foreign_nets.NETS[name], "f")), caffe.TRAIN)


def test_what_only_chooses_an_implementation_is_ignored_with_one_warning():
    stated = foreign_nets.CONV % "num_output: 4 kernel_size: 3 pad: 1 engine: MKLDNN"
    text = 'engine: "MKLDNN"\n' + foreign_nets.DATA + stated.replace("layer {", 'layer { engine: "CAFFE"')
    text += stated.replace('"conv"', '"more"')
    text += 'layer { name: "r" type: "ReLU" bottom: "more" top: "more" debug: true }'
    with pytest.warns(UserWarning, match="is ignored") as said:
        net = caffe.Net(definition_in(Document(text, "f")), caffe.TEST)
    assert net.forward()["more"].shape == (1, 4, 9, 9)
    assert [str(w.message).split(":")[1] for w in said] == ["1", "3", "3", "5"]  # lines; the word MKLDNN stands twice
    assert "3:149 and 1 more: 'engine': 'MKLDNN' is a word of the Caffe of Intel" in str(said[2].message)
    with pytest.raises(InputError, match="expected one of"):
        definition_in(Document(stated.replace("MKLDNN", "FASTEST"), "f"))


def test_what_is_unknown_is_compared():
    before = foreign_nets.NETS["nvidia"]
    after = before.replace("scale_bias: true", "scale_bias: false").replace("FLOAT16", "FLOAT")
    difference = diff_documents(Document(before, "a"), Document(after, "b"))
    assert [(c.path, c.before, c.after) for c in difference.top] == [("default_forward_type", "FLOAT16", "FLOAT")]
    (layer,) = difference.changed
    assert [(c.path, c.before, c.after) for c in layer.fields] == [("batch_norm_param.scale_bias", "true", "false")]
    assert layer.fields[0].where_before.endswith(":7:22")


def test_the_table_names_messages_of_the_schema():
    for row in TABLE:
        assert "fields_by_name" in dir(schema.NAMES[row.message].DESCRIPTOR), row
        assert row.names and row.meaning and row.advice, row


@pytest.mark.parametrize("name", ["detector", "nvidia", "intel"])
def test_a_conversion_to_bvlc_refuses_what_bvlc_lacks(name):
    with pytest.raises(InputError, match="neither BVLC's Caffe nor|is a field of the Caffe of"):
        to_bvlc(Document(foreign_nets.NETS[name], "f"))


def test_nothing_within_an_unknown_field_is_changed():
    text = "foo { layer { name: 'c' type: 'Concat' concat_param { concat_dim: 1 } } }"
    assert upgrade_document(Document(text)).text == text
