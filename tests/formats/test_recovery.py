"""The parser for text as it is typed: it reads what can be read, lists all errors, and takes changes over."""

import random
from pathlib import Path

import pytest

from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.recovery import braces_match, recover
from deeplab_caffe.formats.reparse import edit_between, reparse
from deeplab_caffe.formats.tree import Block

ROOT = Path(__file__).parent.parent.parent


def _shape(block: Block) -> list:
    """The names and values of a tree."""
    return [
        (f.name, _shape(f.value)) if isinstance(f.value, Block) else (f.name, f.value.text) for f in block.fields
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "prototxt/voc12/largefov").glob("*.prototxt")), ids=lambda p: p.name)
def test_whole_text_gives_the_same_tree(path):
    text = path.read_text()
    strict, found = Document(text), recover(text)
    assert (found.root, found.comments, found.errors) == (strict.root, strict.comments, [])


def test_layout_means_nothing_in_whole_text():
    text = "layer {\nname: 'a'\n  param {\nlr_mult: 1\n}\n}\n  layer { name: 'b'\n}"
    assert recover(text).root == Document(text).root


@pytest.mark.parametrize(
    ("text", "tree", "reasons"),
    [
        ("layer { name: 'a' num_output: }", [("layer", [("name", "a")])], ["1:31 expected a value of 'num_output', got '}'"]),
        ("a: \nb: 1", [("b", "1")], ["1:3 expected a value of 'a', got 'b'"]),
        ("x y z { a: 1 }", [("z", [("a", "1")])], ["1:3 expected ':' or '{' after 'x', got 'y'"]),
        ("} a: 1", [("a", "1")], ["1:1 expected a field name, got '}'"]),
        ("a: [1,,2] b: 3", [("b", "3")], ["1:7 expected a value of 'a', got ','"]),
        ("a: 1 ü b: 2", [("a", "1"), ("b", "2")], ["1:6 expected a field name, got 'ü'"]),
        ("5 { a: 1 } b: 2", [("b", "2")], ["1:1 expected a field name, got '5'"]),
        ("a: 'x\nb: 2", [("a", "x"), ("b", "2")], ["1:4 unexpected character \"'\": the string is not closed on its line"]),
        ("a: 1 ~ b: ; c: 2", [("a", "1"), ("c", "2")], ["1:6 unexpected character '~'", "1:11 expected a value of 'b', got ';'"]),
        ("layer {\n  name: 'a'\nlayer {\n  name: 'b'\n}\n", [("layer", [("name", "a")]), ("layer", [("name", "b")])],
         ["1:7 this block is not closed: '}' is missing"]),
        ("layer {\n  param {\n    lr_mult: 1\n}\nlayer {\n}\n", [("layer", [("param", [("lr_mult", "1")])]), ("layer", [])],
         ["2:9 this block is not closed: '}' is missing"]),
        ("a { b {", [("a", [("b", [])])], ["1:3 this block is not closed: '}' is missing", "1:7 this block is not closed: '}' is missing"]),
    ],
)  # fmt: skip
def test_broken_text(text, tree, reasons):
    document = recover(text)
    said = [f"{line}:{column} {e.reason}" for e in document.errors for line, column in [e.place]]
    assert (_shape(document.root), said) == (tree, reasons)


def test_errors_name_the_layer_around_them():
    [error] = recover("layer { name: 'fc6' type: 'ReLU' top: }", "net.prototxt").errors
    assert str(error) == "net.prototxt:1:39: layer 'fc6' (ReLU): expected a value of 'top', got '}'"


@pytest.mark.parametrize(
    "text", ["${A}.x", "1${A} b", "a" * 100_000, "{" * 100_000, "[" * 1000, "'" * 999, "\0\0"], ids=lambda t: t[:6]
)
def test_any_text_is_read_to_its_end(text):
    recover(text)


def test_braces_match():
    assert braces_match("a { b < '}' # }\n > ${X} }") and not braces_match("a { b < } >") and not braces_match("}")


def test_edit_between():
    assert edit_between("abcd", "abXcd") == (2, 2, 1) and edit_between("aaa", "aa") == (2, 3, 0)


def test_fields_before_a_change_are_the_same_objects():
    text = "".join(f"layer {{ name: 'n{i}' }}\n" for i in range(9))
    before = recover(text)
    after = reparse(before, text.replace("n5", "n55"))
    assert after.root.fields[3] is before.root.fields[3] and after.root == recover(after.text).root


PIECES = (
    '{ } " \' \r\n \n \t < > [ ] , ; : # x 1 \U0001d703 ü \\ ${A} \r \0 \u2028'.split(" ")
    + [" ", "a: [1, 2]", "layer { name: 'q' }", 'layer {\n  name: "n"\n  type: "ReLU"\n}\n', 'bottom: "data"', "}\n\n"]
)  # fmt: skip
TEXT = (ROOT / "prototxt/voc12/largefov/train.prototxt").read_text()[1800:2500]


def typed(rng: random.Random, text: str) -> str:
    """A text after one edit: a character, a paste, a deletion."""
    if not 150 < len(text) < 1400:
        return TEXT
    at, kind = rng.randrange(len(text) + 1), rng.random()
    if kind < 0.5:
        return text[:at] + rng.choice(PIECES) + text[at:]
    if kind < 0.9:
        return text[:at] + text[at + rng.choice([1, 1, 1, 2, 5, 30]) :]
    other = rng.randrange(len(text) + 1)
    return text[:at] + text[other : other + rng.randrange(100)] + text[at + rng.randrange(60) :]


def test_ten_thousand_edits_do_not_drift_from_a_fresh_parse():
    rng = random.Random(2016)
    text, document = TEXT, recover(TEXT)
    for i in range(10_000):
        text = typed(rng, text)
        document = reparse(document, text)
        if i % 40 == 0:
            fresh = recover(text)
            for what in ("root", "comments", "variables", "faults"):
                assert getattr(document, what) == getattr(fresh, what), (i, what)
            assert [str(e) for e in document.errors] == [str(e) for e in fresh.errors]
