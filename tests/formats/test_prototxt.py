"""The prototxt parser: what it reads, where it says things stand, and what it says when it cannot read."""

from __future__ import annotations

import re

import pytest
from google.protobuf import text_format

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.placeholders import Placeholders
from deeplab_caffe.formats.prototxt import Document


def _read(text: str, kind: str = "NetParameter", **variables: str):
    return messages.to_message(Document(text, "f.prototxt", variables or None), schema.NAMES[kind]())


def _fails(text: str, expected: str, kind: str = "NetParameter", **variables: str) -> None:
    with pytest.raises(prototxt.PrototxtError) as caught:
        _read(text, kind, **variables)
    assert expected in str(caught.value)


# -- what is read


def test_both_kinds_of_braces_colons_and_separators():
    plain = _read('name: "n" layer { name: "a" } layer { name: "b" }')
    assert _read("name: 'n'; layer < name: 'a' >, layer: { name: 'b', }") == plain
    assert _read("name: 'n' layer: [ { name: 'a' }, < name: 'b' > ]") == plain


def test_lists_stand_for_repeated_fields():
    shape = _read("dim: [1, 3 ,\n 2] dim: 4", "BlobShape")
    assert list(shape.dim) == [1, 3, 2, 4]
    assert list(_read("dim: []", "BlobShape").dim) == []


def test_comments_are_kept_with_their_offsets():
    text = '# head\nname: "a#b" # tail\n#end'
    document = Document(text)
    assert [comment for _, comment in document.comments] == ["# head", "# tail", "#end"]
    assert all(text[at:].startswith(comment) for at, comment in document.comments)
    assert document.root.text_of("name") == "a#b"


def test_offsets_delimit_the_text_of_every_field():
    text = "layer {\n  name: 'x'\n  blobs { data: [1, 2] }\n}\nname: 'y' 'z'"
    document = Document(text, "f")
    layer, name = document.root.fields
    assert text[layer.start : layer.end] == text[: text.index("}\nname") + 1]
    assert text[name.value.start : name.value.end] == "'y' 'z'"
    inner = layer.value.fields[0]
    assert (document.where(inner.start), document.where(inner.value.start)) == ("f:2:3", "f:2:9")
    data = layer.value.fields[1].value.all("data")
    assert [text[f.value.start : f.value.end] for f in data] == ["1", "2"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'a\'b\\'", "a'b\\"),
        (r'"\n\t\r"', "\n\t\r"),
        (r'"\x41\101\7"', "AA\x07"),
        (r'"\303\251"', "é"),
        (r'"\xc3" "\xa9"', "é"),
        ('"é雪"', "é雪"),
        ('"a"\n  \'b\' # and\n "c"', "abc"),
        ('""', ""),
        ('"${X}"', "${X}"),
        ('"# {[<"', "# {[<"),
    ],
)
def test_strings(written, value):
    assert _read(f"name: {written}").name == value


def test_bytes_take_every_value():
    assert _read(r'data: "\000\377\x80A"', "Datum").data == b"\x00\xff\x80A"


@pytest.mark.parametrize("seed", ["", "é", 'quote " and \\ and \n', "雪#"])
def test_reads_what_protobuf_writes(seed):
    net = schema.NetParameter(name=seed, input_dim=[1, -2])
    net.layer.add(name="x", loss_weight=[1e-10, 3.0]).batch_norm_param.eps = 1e-5
    net.layer.add().convolution_param.weight_filler.variance_norm = 2
    for as_utf8 in (True, False):
        assert _read(text_format.MessageToString(net, as_utf8=as_utf8)) == net


@pytest.mark.parametrize(
    ("written", "value"),
    [("1", 1), ("-1.5", -1.5), (".5", 0.5), ("2.", 2), ("1e-5", 1e-5), ("1E+3", 1000), ("3f", 3), ("0.5f", 0.5)],
)
def test_float_forms(written, value):
    assert _read(f"base_lr: {written}", "SolverParameter").base_lr == pytest.approx(value)


def test_infinity_and_nan():
    assert _read("base_lr: -inf", "SolverParameter").base_lr == -float("inf")
    assert str(_read("base_lr: nan", "SolverParameter").base_lr) == "nan"


def test_integer_forms():
    assert list(_read("dim: 10 dim: 0x10 dim: 010 dim: -3 dim: 0", "BlobShape").dim) == [10, 16, 8, -3, 0]


@pytest.mark.parametrize(("written", "value"), [("true", True), ("t", True), ("1", True), ("false", False), ("0", 0)])
def test_bool_forms(written, value):
    assert _read(f"shuffle: {written}", "HDF5DataParameter").shuffle == value


def test_enums_by_name_and_number():
    assert _read("pool: AVE", "PoolingParameter").pool == 1
    assert _read("pool: 2", "PoolingParameter").pool == 2


def test_an_empty_block_is_present():
    assert _read("layer { relu_param {} }").layer[0].HasField("relu_param")


def test_byte_order_mark_and_crlf(tmp_path):
    path = tmp_path / "a.prototxt"
    path.write_bytes(b'\xef\xbb\xbfname: "x"\r\nlayr { }\r\n')
    document = Document.read(path)
    assert document.where(document.root.fields[1].start) == f"{path}:2:1"


# -- templates


def test_template_variables_with_values():
    text = 'name: "${A}_${B}" layer { loss_weight: ${N} type: "T" }'
    net = _read(text, A="x", B="y", N="2")
    assert (net.name, list(net.layer[0].loss_weight)) == ("x_y", [2])


def test_template_variables_without_values_stay():
    document = Document('layer { name: "${A}" num: ${N} k: 1${N} }')
    assert [f.value.text for f in document.root.fields[0].value.fields] == ["${A}", "${N}", "1${N}"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('${F}: "n"', {"F": "name"}),
        ("name: ${N}", {"N": '"n"'}),
        ("${ALL} # all of it", {"ALL": 'name: "n"'}),
        ("name: 'n' ${NONE}", {"NONE": " # nothing\n"}),
        ('na${ME}: "n"', {"ME": "me"}),
    ],
)
def test_variables_may_stand_for_names_and_whole_fields(text, values):
    assert _read(text, **values) == schema.NetParameter(name="n")


def test_a_variable_may_stand_for_a_block():
    net = _read("layer { name: 'a' ${P} } layer ${L}", P="relu_param { negative_slope: .5 }", L="{ name: 'b' }")
    assert (net.layer[0].relu_param.negative_slope, net.layer[1].name) == (0.5, "b")


def test_what_a_variable_stands_for_has_its_place():
    _fails("name: 'n'\n  ${MORE}", "f.prototxt:2:3: NetParameter has no field 'naem'", MORE="naem: 1")
    _fails("\n${MORE}", "f.prototxt:2:1: ${MORE} is filled in as 'a = 1': unexpected '='", MORE="a = 1")


def test_variables_without_values_in_place_of_fields_stay():
    document = Document("name: 'n'\n${MORE}\nlayer { ${REST} }", "f.prototxt")
    assert [f.is_template for f in document.root.fields] == [False, True, False]
    assert [(document.where(v.offset), v.name) for v in document.variables] == [
        ("f.prototxt:2:1", "MORE"),
        ("f.prototxt:3:9", "REST"),
    ]
    _fails("name: 'n'\n${MORE}", "f.prototxt:2:1: the template variable ${MORE} has no value; set it")


def test_stand_ins_let_a_template_be_a_message():
    text = "layer { name: '${A}' loss_weight: ${N} loss_weight: ${M} loss_weight: ${N} ${MORE} }"
    placeholders = Placeholders()
    net = messages.to_message(Document(text), schema.NetParameter(), placeholders=placeholders)
    n, m, again = net.layer[0].loss_weight
    assert n == again != m and net.layer[0].name == "${A}"
    assert [placeholders.texts[int(value)] for value in (n, m)] == ["${N}", "${M}"]


def test_every_problem_is_reported_where_that_is_asked_for():
    text = "naem: 'x' input_dim: x layer { name: 'a' name: 'b' convolution_param { pad: -1 kernel_size: 3 } }"
    problems: list[messages.Problem] = []
    net = messages.to_message(Document(text, "f"), schema.NetParameter(), report=problems.append)
    assert [p.kind for p in problems] == ["unknown-field", "wrong-value", "repeated-field", "wrong-value"]
    assert problems[0].instead == "name" and text[problems[0].start : problems[0].end] == "naem"
    assert net.layer[0].name == "a" and net.layer[0].convolution_param.kernel_size == [3]


def test_names_of_older_dialects_are_explained():
    _fails("layer { softmaxloss_param { } }", "has no field 'softmaxloss_param'; it is now called 'loss_param'")
    _fails("layer { blobs_lr: 1 }", "LayerParameter has no field 'blobs_lr'; use 'param { lr_mult: … }'")


def test_template_errors():
    _fails('\nname: "${B}"', "f.prototxt:2:7: the template variable ${B} has no value", A="1")
    _fails("layer { loss_weight: ${N} }", "'loss_weight': expected a number (float), got ${N}")


# -- what cannot be read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer {\n  name: 'x'", "f.prototxt:1:7: this block is not closed: '}' is missing"),
        ("layer <\n name: 'x' }", "f.prototxt:2:12: expected a field name, got '}'"),
        ("name: 'x'\n}", "f.prototxt:2:1: expected a field name, got '}'"),
        ("name 'x'", "f.prototxt:1:6: expected ':' or '{' after 'name', got \"'x'\""),
        ("layer", "f.prototxt:1:6: expected ':' or '{' after 'layer', got 'end of file'"),
        ("name:", "f.prototxt:1:6: expected a value of 'name', got 'end of file'"),
        ("name: ,", "f.prototxt:1:7: expected a value of 'name', got ','"),
        ("name: 'x\n'", 'f.prototxt:1:7: unexpected character "\'": the string is not closed on its line'),
        ('a: 1 name: "abc', "f.prototxt:1:12: unexpected character '\"': the string is not closed"),
        ("name: 'x' = 3", "f.prototxt:1:11: unexpected character '='"),
        ("7: 'x'", "f.prototxt:1:1: expected a field name, got '7'"),
        ("'name': 'x'", "f.prototxt:1:1: expected a field name, got \"'name'\""),
        ("input_dim: [1 2]", "f.prototxt:1:15: expected ',' or ']' in the list of 'input_dim', got '2'"),
        ("input_dim: [1,", "f.prototxt:1:15: expected a value of 'input_dim', got 'end of file'"),
        ("input_dim: [[1]]", "f.prototxt:1:13: expected a value of 'input_dim', got '['"),
    ],
)
def test_syntax_errors_say_where(text, expected):
    _fails(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nnaem: 'x'", "f.prototxt:2:1: NetParameter has no field 'naem'; did you mean 'name'?"),
        ("zzz: 1", "f.prototxt:1:1: NetParameter has no field 'zzz'"),
        ("name: 'a'\n name: 'b'", "f.prototxt:2:2: 'name' is given twice; only one is allowed"),
        ("name: x", "f.prototxt:1:7: 'name': expected a quoted string, got x"),
        ("name { }", "f.prototxt:1:1: 'name': expected a quoted string, got a block { … }"),
        ("layer: 5", "f.prototxt:1:1: 'layer': expected a block { … }, got '5'"),
        ("input_dim: 1.5", "f.prototxt:1:12: 'input_dim': expected a number (int32), got 1.5"),
        ("input_dim: '1'", "f.prototxt:1:12: 'input_dim': expected a number (int32), got \"1\""),
        ("input_dim: 1_000", "'input_dim': expected a number (int32), got 1_000"),
        ("input_dim: 3000000000", "'input_dim' is 3000000000, out of range for int32: -2147483648 … 2147483647"),
        ("force_backward: maybe", "'force_backward': expected true or false, got maybe"),
        ("state { phase: TRIAN }", "'phase': expected one of TRAIN, TEST, got TRIAN; did you mean 'TRAIN'?"),
        ("state { phase: 7 }", "'phase': expected one of TRAIN, TEST, got 7"),
        ("state { phase: 'TRAIN' }", "'phase': expected one of TRAIN, TEST, got TRAIN"),
        (r'name: "\377"', r"'name': expected a quoted string, got"),
    ],
)
def test_values_that_do_not_fit_say_what_was_wanted(text, expected):
    _fails(text, expected)


def test_negative_where_unsigned():
    text = "layer { convolution_param { num_output: -1 } }"
    _fails(text, "'num_output' is -1, out of range for uint32: 0 … 4294967295")


def test_an_error_inside_a_layer_names_the_layer():
    text = "name: 'n'\nlayer {\n  type: 'Convolution' name: 'fc6'\n  convolution_param { kernal_size: 3 }\n}"
    _fails(
        text,
        "f.prototxt:4:23: layer 'fc6' (Convolution): ConvolutionParameter has no field 'kernal_size'; "
        "did you mean 'kernel_size'?",
    )
    _fails("layer { nmae: 'x' }", "layer '?': LayerParameter has no field 'nmae'; did you mean 'name'?")


def test_deep_nesting_is_an_error_and_no_crash():
    Document("a {" * 60 + "}" * 60)
    with pytest.raises(prototxt.PrototxtError, match="nested more than 64 deep"):
        Document("a {" * 100000)
    with pytest.raises(prototxt.PrototxtError, match="nested more than 64 deep"):
        Document("a: [" + "{a: [" * 5000)


def test_every_prefix_of_a_net_is_read_or_refused_with_a_place():
    text = "name: 'n' # c\nlayer { name: \"a\\\"\" blobs { data: [1, 2e-3] } }\nlayer <type: 'x'>"
    for end in range(len(text)):
        try:
            _read(text[:end])
        except prototxt.PrototxtError as error:
            assert re.match(r"f\.prototxt:\d+:\d+: ", str(error))


def test_missing_binary_and_directory(tmp_path):
    with pytest.raises(InputError, match=r"Could not open file .*nowhere\.prototxt"):
        Document.read(tmp_path / "nowhere.prototxt")
    with pytest.raises(InputError, match="Could not open file"):
        Document.read(tmp_path)
    (tmp_path / "weights").write_bytes(b"ab\xff\x00")
    with pytest.raises(InputError, match=r"weights: expected a prototxt, but byte 2 is not UTF-8 text"):
        Document.read(tmp_path / "weights")


def test_required_fields_are_named():
    _fails("layer { clip_param { min: 1 } }", "missing required fields: layer[0].clip_param.max")


def test_a_field_within_a_field_is_found_by_names():
    document = Document("a { b { c: 1 }\n b { c: 2 } }")
    (a,) = document.root.fields
    assert document.where(a.within("b", "c").start) == "<prototxt>:2:6"
    assert a.within("b", "x") == a.within("b") and a.within("x", "c") == a.within() == a
