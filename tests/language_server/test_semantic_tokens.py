"""What each word is: names, old and unknown fields, template variables, positions in UTF-16, ranges and changes."""

from __future__ import annotations

import pytest

from deeplab_caffe.language_server.features.semantic_tokens import MODIFIERS, TYPES, changes, encoded, tokens
from language_server.texts import opened
from random_prototxt import random_prototxt


def words(text: str, path: str = "/nets/train.prototxt") -> list[tuple[str, str]]:
    """Each word with its type and modifiers."""
    found = []
    for token in tokens(opened(text, path)):
        modifiers = [name for i, name in enumerate(MODIFIERS) if token.modifiers >> i & 1]
        found.append((text[token.start : token.end], ".".join([TYPES[token.type], *modifiers])))
    return found


def kind(text: str, word: str) -> str:
    return next(kind for found, kind in words(text) if found == word)


def test_the_words_of_a_layer() -> None:
    text = (
        'layer { name: "c" type: "Convolution" bottom: "x" top: "y" param { name: "w" lr_mult: 0 }  # note \n'
        "  include { phase: TRAIN stage: 's' } convolution_param { bias_term: false pad: [1, -2.5e-1] } }"
    )
    assert words(text) == [
        ("layer", "struct"), ("name", "property"), ("c", "function.definition"),
        ("type", "property"), ("Convolution", "type"), ("bottom", "property"), ("x", "variable"),
        ("top", "property"), ("y", "variable.definition"),
        ("param", "struct"), ("name", "property"), ("w", "parameter"), ("lr_mult", "property"), ("0", "number"),
        ("# note", "comment"),
        ("include", "struct"), ("phase", "property"), ("TRAIN", "enumMember"),
        ("stage", "property"), ("'s'", "string"),
        ("convolution_param", "struct"), ("bias_term", "property"), ("false", "keyword"),
        ("pad", "property"), ("1", "number"), ("-2.5e-1", "number"),
    ]  # fmt: skip


def test_old_fields_and_unknown_names_are_told_apart() -> None:
    old = 'input: "x" layers { name: "a" type: CONVOLUTION blobs_lr: 1 convolution_param { hole: 2 } }'
    assert {kind(old, word) for word in ("input", "blobs_lr", "hole")} == {"property.deprecated"}
    assert kind(old, "layers") == "struct.deprecated"
    assert kind(old, "CONVOLUTION") == "type" and kind(old, "x") == "variable.definition"
    new = 'layer { nme: "a" type: "Convolutoin" pooling_param { pool: MX inner { deeper: 1 } } }'
    assert kind(new, "nme") == kind(new, "deeper") == "property.unknown" and kind(new, "inner") == "struct.unknown"
    assert kind(new, "Convolutoin") == "type.unknown" and kind(new, "MX") == "enumMember.unknown"
    v0 = 'layers { layer { name: "a" type: "conv" kernelsize: 3 } bottom: "b" }'
    assert kind(v0, "kernelsize") == "property.deprecated" and kind(v0, "a") == "function.definition"


def test_a_solver_has_its_own_fields() -> None:
    text = 'net: "x" base_lr: 0.1 solver_mode: GPU solver_type: SGD layer: 1'
    found = dict(words(text, "/nets/solver.prototxt"))
    assert found["net"] == found["base_lr"] == "property" and found["solver_type"] == "property.deprecated"
    assert found["layer"] == "property.unknown" and found["GPU"] == "enumMember"


def test_template_variables_are_words_of_their_own() -> None:
    assert words('${MORE} layer { name: "a${N}b" x: ${N} } # ${N}') == [
        ("${MORE}", "macro"), ("layer", "struct"), ("name", "property"),
        ("a", "function.definition"), ("${N}", "macro"), ("b", "function.definition"),
        ("x", "property.unknown"), ("${N}", "macro"), ("# ${N}", "comment"),
    ]  # fmt: skip


def test_each_part_of_a_long_string_is_a_word() -> None:
    assert words("net: 'a'  # \"c\"\n \"b\" base_lr: 1", "/s.prototxt")[1:4] == [
        ("'a'", "string"), ('# "c"', "comment"), ('"b"', "string")
    ]  # fmt: skip


def test_positions_count_lines_and_utf_16_units() -> None:
    buffer = opened('name: "😀é" # 😀\r\ninput: "é"\tinput: "x"')
    lines = []
    line = character = 0
    numbers = encoded(buffer, tokens(buffer))
    for i in range(0, len(numbers), 5):
        down, across, length, _, _ = numbers[i : i + 5]
        line, character = line + down, across if down else character + across
        lines.append((line, character, length))
    assert lines == [(0, 0, 4), (0, 6, 5), (0, 12, 4), (1, 0, 5), (1, 8, 1), (1, 11, 5), (1, 19, 1)]


def test_a_range_has_the_words_of_its_fields() -> None:
    text = 'name: "n" layer { name: "a" } layer { name: "b" } # c'
    buffer = opened(text)
    place = text.index('"a"')
    assert [text[t.start : t.end] for t in tokens(buffer, place, place + 1)] == ["layer", "name", "a"]


@pytest.mark.parametrize("seed", range(20))
def test_words_never_overlap(seed: int) -> None:
    text = random_prototxt(seed)
    for cut in (len(text), len(text) // 2):
        found = tokens(opened(text[:cut]))
        assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
        assert all(token.start < token.end for token in found)


def test_changes_turn_one_text_into_another() -> None:
    for before, after in [([1, 2, 3], [1, 9, 9, 3]), ([], [1]), ([1, 1], [1]), ([1], [1]), ([1, 2], [])]:
        result = list(before)
        for edit in changes(before, after):
            result[edit.start : edit.start + edit.delete_count] = edit.data or []
        assert result == after
    assert changes([1, 2], [1, 2]) == []
