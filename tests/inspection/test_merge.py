"""An edit by hand and a change of the generator, merged by meaning: nothing is lost, conflicts name both values."""

from __future__ import annotations

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.signature import is_untouched, sign
from deeplab_caffe.formats.writer import format_message
from deeplab_caffe.inspection import MergeResult, diff_documents, merge_documents
from deeplab_caffe.inspection.merge import conflict_marks
from deeplab_caffe.inspection.merge.three_way import merged
from deeplab_caffe.nets import GeneratorOptions, generate
from random_edits import edited
from small_nets import conv, image, layer, net

BASE = """\
name: "small"

# images
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } } }

# the trunk
layer {
  name: "fc6"
  type: "Convolution"
  bottom: "data"
  top: "fc6"
  param { lr_mult: 1 }
  param { lr_mult: 2 }
  convolution_param { num_output: 8 pad: 12 kernel_size: 3 dilation: 12 }
}
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }

layer {
  name: "fc8"
  type: "Convolution"
  bottom: "fc6"
  top: "fc8"
  convolution_param { num_output: 21 kernel_size: 1 }
}
"""


def _merge(ours: str, theirs: str, base: str = BASE) -> MergeResult:
    return merge_documents(Document(base, "base"), Document(ours, "ours"), Document(theirs, "theirs"))


def _changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def _conflicts(result: MergeResult) -> list[str]:
    return [str(change) for change in result.conflicts]


def test_one_side_alone_is_kept_byte_for_byte():
    other = _changed(BASE, ("pad: 12", "pad:  6"), ("# the trunk", "# my trunk"))
    assert _merge(other, BASE).text == other
    assert _merge(BASE, other).text == other
    assert [str(change) for change in _merge(other, BASE).yours] == ["fc6 convolution_param.pad: 12 → 6"]


#: the user's edit, the generator's, and what the merged net has of both; no conflict
DISJOINT = {
    "fields of one block": ([("pad: 12", "pad: 6")], [("dilation: 12", "dilation: 24")], ["pad: 6", "dilation: 24"]),
    "a line of one block": (
        [("num_output: 8", "num_output: 9")],
        [("lr_mult: 2", "lr_mult: 20")],
        ["num_output: 9", "lr_mult: 20"],
    ),
    "elements of a list": (
        [("dim: 33 dim: 33", "dim: 65 dim: 33")],
        [("dim: 1 ", "dim: 2 ")],
        ["dim: 2 dim: 3 dim: 65"],
    ),
    "both alike": ([("pad: 12", "pad: 6")], [("pad: 12", "pad: 6 ")], ["pad: 6 "]),
    "a comment of the user": (
        [("pad: 12", "pad: 12 # wide\n ")],
        [("dilation: 12", "dilation: 24")],
        ["pad: 12 # wide\n ", "dilation: 24"],
    ),
    "comments of both": (
        [("# the trunk\n", "# the trunk\n# as in the paper\n")],
        [("# the trunk\n", "# the backbone\n")],
        ["\n# the backbone\n# as in the paper\nlayer {"],
    ),
    "two spellings": (
        [("kernel_size: 3", "kernel_h: 3 kernel_w: 3")],
        [("dilation: 12", "dilation: 24")],
        ["kernel_h: 3 kernel_w: 3", "dilation: 24"],
    ),
    "a list in brackets": (
        [("dim: 1 dim: 3 dim: 33 dim: 33", "dim: [1, 3, 33, 65]")],
        [("dim: 1 ", "dim: 2 ")],
        ["dim: [2, 3, 33, 65]"],
    ),
    "a new field": (
        [("pad: 12", "pad: 6")],
        [("kernel_size: 3", "kernel_size: 3 bias_term: false")],
        ["pad: 6", "bias_term: false"],
    ),
    "a new block": (
        [("pad: 12", "pad: 6")],
        [('top: "fc6"\n  p', 'top: "fc6"\n  propagate_down: true\n  p')],
        ["pad: 6", "propagate"],
    ),
    "a stated default": ([("pad: 12", "pad: 12 stride: 1")], [("pad: 12", "pad: 24")], ["pad: 24 stride: 1"]),
    "a removed field": (
        [("pad: 12 ", "")],
        [("dilation: 12", "dilation: 24")],
        ["num_output: 8 kernel_size: 3 dilation: 24"],
    ),
    "outside of layers": (
        [("pad: 12", "pad: 6")],
        [('name: "small"\n', 'name: "large"\n')],
        ["pad: 6", 'name: "large"'],
    ),
}


@pytest.mark.parametrize(("mine", "new", "wanted"), DISJOINT.values(), ids=DISJOINT)
def test_changes_of_both_sides_are_merged(mine, new, wanted):
    result = _merge(_changed(BASE, *mine), _changed(BASE, *new))
    assert not result.conflicts
    for text in wanted:
        assert text in result.text


CONFLICTS = {
    "values": (
        [("dilation: 12", "dilation: 6")],
        [("dilation: 12", "dilation: 24")],
        "fc6 convolution_param.dilation: yours is 6, the generator's is now 24 (was 12)",
        "dilation: 6",
    ),
    "removed by the user": (
        [("pad: 12 ", "")],
        [("pad: 12", "pad: 24")],
        "fc6 convolution_param.pad: you removed it, and the generator changed it to 24 (was 12)",
        "num_output: 8 kernel_size: 3",
    ),
    "removed by the generator": (
        [("pad: 12", "pad: 6")],
        [("pad: 12 ", "")],
        "fc6 convolution_param.pad: the generator removed it; yours is 6 (was 12)",
        "pad: 6",
    ),
    "one of several": (
        [("lr_mult: 2", "lr_mult: 5")],
        [("lr_mult: 2", "lr_mult: 7")],
        "fc6 param[1].lr_mult: yours is 5, the generator's is now 7 (was 2)",
        "lr_mult: 5",
    ),
    "a layer that the generator removed": (
        [('top: "fc6" }', 'top: "fc6" relu_param { negative_slope: 0.1 } }')],
        [('layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }\n', "")],
        "relu6: the generator removed this layer, in which you changed relu_param",
        "negative_slope: 0.1",
    ),
    "a layer that the user removed": (
        [('layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }\n', "")],
        [('top: "fc6" }', 'top: "fc6" relu_param { negative_slope: 0.1 } }')],
        "relu6: you removed this layer, in which the generator changed relu_param",
        '#   | layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" relu_param { negative_slope: 0.1 } }\n',
    ),
    "layers inserted in one place": (
        [
            (
                'layer {\n  name: "fc8"',
                'layer { name: "half" type: "Power" bottom: "fc6" top: "fc6" }\nlayer {\n  name: "fc8"',
            )
        ],
        [
            (
                'layer {\n  name: "fc8"',
                'layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }\nlayer {\n  name: "fc8"',
            )
        ],
        "drop6 position: you and the generator both inserted a layer here, and both use 'fc6'; check their order",
        '"half"',
    ),
}


@pytest.mark.parametrize(("mine", "new", "says", "kept"), CONFLICTS.values(), ids=CONFLICTS)
def test_a_conflict_keeps_the_users_value_below_a_mark_with_both(mine, new, says, kept):
    theirs = _changed(BASE, *new)
    result = _merge(_changed(BASE, *mine), theirs)
    assert len(result.conflicts) == 1 and _conflicts(result)[0].startswith(says)
    merged_text = Document(result.text, "merged")
    assert [text for _, text in conflict_marks(merged_text)] == _conflicts(result)
    assert kept in result.text
    assert definition_in(merged_text).param.name == "small"  # it is read as before
    assert merge_documents(Document(theirs), merged_text, Document(theirs)).text == result.text


def test_marks_are_renewed_and_go_when_both_agree():
    dilated = [_changed(BASE, ("dilation: 12", f"dilation: {value}")) for value in (6, 24, 30)]
    first = _merge(dilated[0], dilated[1]).text
    second = _merge(first, dilated[2], base=dilated[1])
    assert _conflicts(second) == ["fc6 convolution_param.dilation: yours is 6, the generator's is now 30 (was 24)"]
    assert second.text.count("# CONFLICT") == 1
    third = _merge(second.text, dilated[0], base=dilated[2])
    assert third.text == dilated[0] and not third.conflicts


def test_layers_come_go_and_move_with_the_comments_above_them():
    new = layer("Dropout", "drop6", "fc6", tops="fc6")
    theirs = _changed(BASE, ('\nlayer {\n  name: "fc8"', f'{new}\n\n# scores\nlayer {{\n  name: "fc8"'))
    mine = _changed(BASE, ("num_output: 21", "num_output: 4 # mine\n "), ("# images", "# my images"))
    text = _merge(mine, theirs).text
    assert text == _changed(theirs, ("num_output: 21", "num_output: 4 # mine\n "), ("# images", "# my images"))
    back = _merge(text, BASE, base=theirs).text
    assert back == mine
    swapped = _changed(BASE, ("pad: 12", "pad: 6"))
    moved = net(*reversed(BASE.strip().split("\n\n")))
    result = _merge(swapped, moved)
    names = [[layer.name for layer in definition_in(Document(text)).param.layer] for text in (result.text, moved)]
    assert names[0] == names[1] and "pad: 6" in result.text


def test_comments_of_the_user_outlive_a_layer_that_the_generator_removes():
    mine = _changed(BASE, ('layer { name: "relu6"', '# why a ReLU\nlayer { name: "relu6"'))
    theirs = _changed(BASE, ('layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }\n', ""))
    result = _merge(mine, theirs)
    assert "# why a ReLU" in result.text and "relu6" not in result.text and not result.conflicts


def test_a_blob_that_the_user_renamed_is_renamed_in_new_layers():
    mine = BASE.replace('"fc6"\n', '"scores"\n').replace('bottom: "fc6" top: "fc6"', 'bottom: "scores" top: "scores"')
    mine = mine.replace('name: "scores"', 'name: "fc6"')
    result = _merge(mine, BASE + conv("fc9", "fc6"))
    assert not result.conflicts and 'name: "fc9" type: "Convolution" bottom: "scores"' in result.text
    other = _merge(BASE + conv("fc9", "fc6"), mine)
    assert not other.conflicts and 'name: "fc9" type: "Convolution" bottom: "scores"' in other.text


def test_a_layer_that_would_read_another_ones_blob_is_a_conflict():
    mine = BASE + layer("Power", "mine", "fc6", tops="fc6") + "\n" + conv("fc9", "fc6")
    relu = 'layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }\n'
    result = _merge(mine, _changed(BASE, (relu, "")) + relu)
    assert any("'fc6' is made by" in text and "check the order" in text for text in _conflicts(result)), _conflicts(
        result
    )


def test_a_renamed_layer_is_found_by_what_it_is():
    mine = _changed(BASE, ('name: "fc6"', 'name: "wide"'))
    result = _merge(mine, _changed(BASE, ("dilation: 12", "dilation: 24")))
    assert result.text == _changed(mine, ("dilation: 12", "dilation: 24"))


def test_layers_of_one_name_are_told_apart_by_their_rules():
    data = 'layer {{ name: "data" type: "Input" top: "data" include {{ phase: {} }} '
    data += "input_param {{ shape {{ dim: {} }} }} }}"
    base, mine, new = (net(data.format("TRAIN", a), data.format("TEST", b)) for a, b in ((1, 2), (1, 5), (7, 2)))
    assert _merge(mine, new, base).text == net(data.format("TRAIN", 7), data.format("TEST", 5))


def test_the_header_becomes_that_of_the_new_text():
    base, theirs = (sign("A net.", f"deeplab prototxt a/b{option}", BASE) for option in ("", " --crop 33"))
    result = _merge(_changed(base, ("# A net.", "# My net."), ("pad: 12", "pad: 6")), theirs, base)
    assert result.text == _changed(theirs, ("# A net.", "# My net."), ("pad: 12", "pad: 6"))
    same = _merge(
        _changed(base, ("pad: 12", "pad: 6")), sign("A net.", "x", _changed(BASE, ("pad: 12", "pad: 6"))), base
    )
    assert is_untouched(same.text)  # what the user wrote is what the generator writes now


def test_a_solver():
    base = "base_lr: 0.001\ndisplay: 20\nstepvalue: 10\nstepvalue: 20\n"
    mine = "# slow\nbase_lr: 1e-4\ndisplay: 20\nstepvalue: 10\nstepvalue: 20\nrandom_seed: 1\n"
    new = "base_lr: 0.001\ndisplay: 50\nmax_iter: 9\nstepvalue: 10\nstepvalue: 20\nstepvalue: 30\n"
    result = _merge(mine, new, base)
    wanted = (
        "# slow\nbase_lr: 1e-4\ndisplay: 50\nmax_iter: 9\nstepvalue: 10\nstepvalue: 20\nstepvalue: 30\nrandom_seed: 1\n"
    )
    assert result.text == wanted and not result.conflicts


def test_windows_line_ends_stay():
    mine = _changed(BASE, ("pad: 12", "pad: 6")).replace("\n", "\r\n")
    result = _merge(mine, _changed(BASE, ("dilation: 12", "dilation: 24")))
    assert result.text == _changed(mine, ("dilation: 12", "dilation: 24"))


def test_what_is_not_of_one_kind_is_refused():
    with pytest.raises(InputError, match="ours is a solver, base is a net; they cannot be merged"):
        _merge("base_lr: 1", BASE)
    with pytest.raises(InputError, match="ours: not in the dialect of the generated file"):
        _merge('layers { name: "a" type: RELU bottom: "x" top: "x" }', BASE)


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [("aXbcd", "abcYd", "aXbcYd"), ("abc", "abYcd", "abYc"), ("xbcd", "abcy", "xbcy"), ("aXbcd", "aYbcd", None)],
)
def test_sequences(ours, theirs, wanted):
    found = merged("abcd", ours, theirs)
    sides = {"ours": ours, "theirs": theirs}
    assert (None if found is None else "".join(sides[side][i] for side, i in found)) == wanted


# -- generated nets


@pytest.mark.parametrize(
    ("before", "now", "options"),
    [("largefov", "fcn8s", {}), ("aspp_l", "aspp_l", {"dialect": "bvlc", "crop": 161})],
)
def test_an_edit_over_a_generator_that_changed(before, now, options):
    """The merged net is the new one with the edit, however much the generator changed elsewhere."""
    old, new = generate(f"voc12/{before}"), generate(f"voc12/{now}", GeneratorOptions(**options))
    for name in ("train.prototxt", "solver.prototxt"):
        edit = ("num_output: 64", "num_output: 32") if name == "train.prototxt" else ("display: 20", "display: 3")
        result = _merge(_changed(old[name], edit), new[name], old[name])
        wanted = Document(_changed(new[name], edit))
        assert not result.conflicts and diff_documents(wanted, Document(result.text)).equal


# -- random edits of both sides

_TRUNK = [
    part
    for i, below in ((1, "data"), (2, "c1"), (3, "c2"), (4, "c3"))
    for part in (
        conv(f"c{i}", below, 'pad: 1 kernel_size: 3 weight_filler { type: "gaussian" std: 1 }', 4),
        layer("ReLU", f"r{i}", f"c{i}", tops=f"c{i}"),
    )
]
RANDOM = format_message(
    definition_in(Document(net('name: "n"', image("33x33", 3), *_TRUNK, layer("Concat", "cat", "c2 c4")))).param
)


@pytest.mark.parametrize("seed", range(12))
def test_random_edits_lose_nothing(seed):
    mine, new = (edited(RANDOM, seed, side, 1 + seed % 4) for side in "xy")
    assert _merge(mine, RANDOM, RANDOM).text == mine
    assert _merge(RANDOM, new, RANDOM).text == new
    result, other = _merge(mine, new, RANDOM), _merge(new, mine, RANDOM)
    assert _merge(result.text, new, new).text == result.text
    disputed = {change.layer for change in result.conflicts}
    got = _differences(RANDOM, result.text)
    for text in (mine, new):
        for (name, path), value in _differences(RANDOM, text).items():
            assert name in disputed or got.get((name, path)) == value, (name, path)
    if not result.conflicts and not other.conflicts:
        left = diff_documents(Document(result.text, "one"), Document(other.text, "other"))
        assert not any((left.top, left.removed, left.added, left.blobs))
        assert not any(change.fields or change.connections for change in left.changed)


def _differences(before: str, after: str) -> dict[tuple[str, str], str]:
    found = diff_documents(Document(before, "before"), Document(after, "after"))
    fields = [("", change) for change in found.top]
    fields += [(one.before.name, change) for one in found.changed for change in one.fields]
    there = {(name, change.path): change.after for name, change in fields}
    there |= {(one.name, "removed"): "" for one in found.removed}
    return there | {(one.name, "added"): "" for one in found.added}
