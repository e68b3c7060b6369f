"""Changes in place: the rest of the text stays, and lines come and go with the fields that they hold."""

from __future__ import annotations

import pytest

from deeplab_caffe.formats.edits import Edits
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.tree import Block, Field

TEXT = """\
layer {
  name: "a"  # the name
  pad: 1; stride: 2
  # of the kernel
  kernel_size: [3, 5]  # sizes
  filler { type: "x"
    # deep
    std: 1 }
}
relu { slope: 0 }
empty {}
"""


def _edited(text: str, change) -> str:
    document = Document(text)
    edits = Edits(document)
    change(edits, {f.name: f for f in _all(document.root)})
    return edits.apply()


def _all(block: Block) -> list[Field]:
    return [g for f in block.fields for g in ([f] + (_all(f.value) if isinstance(f.value, Block) else []))]


CASES = {
    "rename": (lambda e, f: e.rename(f["pad"], "pad_h"), "  pad: 1; stride", "  pad_h: 1; stride"),
    "rename a list": (lambda e, f: e.rename(f["kernel_size"], "k"), "kernel_size: [3", "k: [3"),
    "value": (lambda e, f: e.set_value(f["name"], '"b"'), '"a"  # the', '"b"  # the'),
    "remove a line": (lambda e, f: e.remove(f["filler"].value.fields[1]), "    std: 1 }", "    }"),
    "remove, comment behind": (lambda e, f: e.remove(f["name"]), '  name: "a"  # the', "  # the"),
    "remove one of two": (lambda e, f: e.remove(f["pad"]), "pad: 1; stride: 2", "stride: 2"),
    "remove the last of two": (lambda e, f: e.remove(f["stride"]), "pad: 1; stride: 2", "pad: 1;"),
    "remove both": (lambda e, f: e.remove_all([f["pad"], f["stride"]]), "  pad: 1; stride: 2\n", ""),
    "remove a block with a comment": (
        lambda e, f: e.remove(f["filler"]),
        '  filler { type: "x"\n    # deep\n    std: 1 }',
        "  # deep",
    ),
    "put": (lambda e, f: e.put(f["stride"], "a: 1\nb: 2"), "stride: 2", "a: 1\n  b: 2"),
    "put for a block with a comment": (
        lambda e, f: e.put(f["filler"], "other {}"),
        'filler { type: "x"\n    # deep\n    std: 1 }',
        "# deep\n  other {}",
    ),
    "insert after a line": (lambda e, f: e.insert_after(f["name"], "z: 1"), "the name\n", "the name\n  z: 1\n"),
    "insert after a list": (lambda e, f: e.insert_after(f["kernel_size"], "z: 1"), "# sizes\n", "# sizes\n  z: 1\n"),
    "insert in a line": (lambda e, f: e.insert_after(f["pad"], "z: 1"), "pad: 1; stride", "pad: 1 z: 1; stride"),
    "insert before": (lambda e, f: e.insert_before(f["filler"], "z: 1"), "  filler", "  z: 1\n  filler"),
    "insert before in a line": (lambda e, f: e.insert_before(f["stride"], "z: 1"), "stride: 2", "z: 1 stride: 2"),
    "append to a line": (lambda e, f: e.append(f["relu"].value, "z: 1"), "slope: 0 }", "slope: 0 z: 1 }"),
    "append to nothing": (lambda e, f: e.append(f["empty"].value, "z: 1"), "empty {}", "empty { z: 1 }"),
}


@pytest.mark.parametrize(("change", "old", "new"), CASES.values(), ids=CASES)
def test_one_change(change, old, new):
    assert TEXT.count(old) == 1
    assert _edited(TEXT, change) == TEXT.replace(old, new)


def test_nothing_is_the_same_text():
    assert _edited(TEXT, lambda e, f: None) == TEXT


def test_a_block_with_nothing_but_a_comment_keeps_it():
    changed = _edited("a { # why\n}\n", lambda e, f: e.append(f["a"].value, "z: 1"))
    assert changed == "a { # why\n  z: 1\n}\n"


def test_windows_lines_stay():
    text = 'a {\r\n  b: 1\r\n  c: 2\r\n}\r\n'
    assert _edited(text, lambda e, f: (e.insert_after(f["b"], "z: 1"), e.remove(f["c"]))) == (
        "a {\r\n  b: 1\r\n  z: 1\r\n}\r\n"
    )


def test_two_changes_in_one_place_are_refused():
    with pytest.raises(ValueError, match="<prototxt>:2:9: two changes overlap"):
        _edited(TEXT, lambda e, f: (e.set_value(f["name"], "1"), e.set_value(f["name"], "2"), e.put(f["name"], "3")))


def test_places_are_found_again():
    document = Document(TEXT)
    edits = Edits(document)
    fields = {f.name: f for f in _all(document.root)}
    edits.put(fields["name"], "nothing: 1\nmore: 2")
    edits.remove_all([fields["pad"], fields["stride"]])
    text, offsets = edits.applied()
    for word in ("layer", "kernel_size", "relu", "empty"):
        assert offsets.before(text.index(word)) == TEXT.index(word)
    assert offsets.before(text.index("more")) == TEXT.index("name")
