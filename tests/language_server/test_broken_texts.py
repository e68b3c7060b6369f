"""Whatever stands in a text, names, outline, colours and the rest have an answer for it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lsprotocol import types

from deeplab_caffe.errors import InputError
from deeplab_caffe.language_server.features import (
    data_flow,
    definition,
    folding,
    formatting,
    references,
    rename,
    selection,
    semantic_tokens,
    symbols,
)
from deeplab_caffe.language_server.workspace import Workspace
from language_server.texts import applied, opened, part
from random_prototxt import random_prototxt

ROOT = Path(__file__).parents[2]
TEXTS = ("tests/data/legacy/v0.prototxt", "tests/data/legacy/v1.prototxt", "prototxt/voc12/largefov/train.prototxt")
_SCRAPS = (
    "{", "}", '"', "#", "[", "]", "\n", "\r\n", "😀", "${X}", " name: ", "layer {", "\\303", "top: 'a' 'b'", "<", ","
)  # fmt: skip


def spoiled(seed: int) -> str:
    """A text in which pieces are missing, moved or added."""
    chance = random.Random(seed)
    text = random_prototxt(seed) if seed % 4 == 3 else (ROOT / TEXTS[seed % 4]).read_text()[:2500]
    for _ in range(chance.randrange(6)):
        at, length = chance.randrange(len(text) + 1), chance.randrange(30)
        text = text[:at] + chance.choice(_SCRAPS) + text[at + length * chance.randrange(2) :]
    return text


@pytest.mark.parametrize("seed", range(60))
def test_every_question_has_an_answer(seed: int) -> None:
    workspace = Workspace()
    buffer = opened(spoiled(seed), "/nets/own.prototxt", workspace)
    whole = types.Range(types.Position(0, 0), buffer.position(len(buffer.text)))
    tokens = semantic_tokens.tokens(buffer)
    assert all(a.end <= b.start for a, b in zip(tokens, tokens[1:], strict=False))
    semantic_tokens.encoded(buffer, tokens)
    for symbol in symbols.document_symbols(buffer):
        assert whole.start <= symbol.range.start <= symbol.selection_range.start
        assert symbol.selection_range.end <= symbol.range.end <= whole.end
    assert all(fold.start_line < fold.end_line for fold in folding.folding_ranges(buffer))
    applied(buffer, formatting.formatting(buffer))
    definition.document_links(workspace, buffer)
    chance = random.Random(seed)
    for _ in range(12):
        position = buffer.position(chance.randrange(len(buffer.text) + 1))
        selection.selection_ranges(buffer, [position])
        definition.definition(workspace, buffer, position)
        marks = references.highlights(buffer, position)
        assert len(marks) == len(references.references(workspace, buffer, position))
        for item in data_flow.prepare(buffer, position):
            data_flow.incoming(buffer, item)
            data_flow.outgoing(buffer, item)
        found = rename.prepare_rename(buffer, position)
        assert (found is None) == (not marks)
        if found is not None:
            assert part(buffer, found.range)
            try:
                rename.rename(workspace, buffer, position, "other")
            except InputError:
                assert buffer.document.errors
