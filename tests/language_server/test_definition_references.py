"""Where names lead to, and all places where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from deeplab_caffe.language_server.features.definition import definition, document_links
from deeplab_caffe.language_server.features.references import highlights, references
from deeplab_caffe.language_server.workspace import Workspace
from language_server.texts import MARK, at_mark, opened, part

CHAIN = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "é😀" }
layer { name: "relu" type: "ReLU" bottom: "é😀" top: "é😀" }
layer { name: "pool" type: "Pooling" bottom: "é😀" top: "pool" }
"""


def lines(found: list[types.Location]) -> list[int]:
    return [location.range.start.line for location in found]


def test_a_bottom_leads_to_the_layer_in_place_that_wrote_it_last() -> None:
    text = CHAIN.replace('"Pooling" bottom: "é', '"Pooling" bottom: "é|')
    buffer, position = at_mark(text)
    [found] = definition(Workspace(), buffer, position)
    assert found.range.start.line == 2
    assert part(buffer, found.range) == "é😀"
    assert found.range.end.character - found.range.start.character == 3  # UTF-16 units


def test_a_top_and_a_layer_lead_to_themselves() -> None:
    buffer, position = at_mark(CHAIN.replace('name: "relu"', 'name: "re|lu"'))
    assert [part(buffer, found.range) for found in definition(Workspace(), buffer, position)] == ["relu"]


def test_highlights_are_written_or_read() -> None:
    buffer, position = at_mark(CHAIN.replace('"Pooling" bottom: "é', '"Pooling" bottom: "|é'))
    kinds = types.DocumentHighlightKind
    found = highlights(buffer, position)
    assert [(h.range.start.line, h.kind) for h in found] == [
        (1, kinds.Write), (2, kinds.Read), (2, kinds.Write), (3, kinds.Read)
    ]  # fmt: skip


def test_nothing_is_named_between_fields() -> None:
    buffer, position = at_mark(CHAIN.replace("type", "|type", 1))
    assert not definition(Workspace(), buffer, position) and not highlights(buffer, position)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "train.prototxt").write_text(CHAIN)
    (tmp_path / "deploy.prototxt").write_text(CHAIN.replace("pool", "pool2"))
    (tmp_path / "solver.prototxt").write_text('train_net: "train.prototxt"\nbase_lr: 1\n')
    return tmp_path


def test_references_are_found_in_the_files_that_belong_together(model: Path) -> None:
    workspace = Workspace([str(model)])
    buffer = workspace.buffer(str(model / "train.prototxt"))
    assert buffer is not None
    position = buffer.position(buffer.text.index("é"))
    found = references(workspace, buffer, position)
    assert sorted(Path(location.uri).name for location in found) == ["deploy.prototxt"] * 4 + ["train.prototxt"] * 4
    assert len(references(workspace, buffer, position, declarations=False)) == 4
    layer = buffer.position(buffer.text.index('"conv"') + 1)
    [other] = references(workspace, buffer, layer, declarations=False)
    assert other.uri.endswith("deploy.prototxt")


def test_an_unsaved_text_counts(model: Path) -> None:
    workspace = Workspace([str(model)])
    opened(CHAIN.replace("é😀", "other"), str(model / "deploy.prototxt"), workspace)
    buffer = workspace.buffer(str(model / "train.prototxt"))
    assert buffer is not None
    found = references(workspace, buffer, buffer.position(buffer.text.index("é")))
    assert {Path(location.uri).name for location in found} == {"train.prototxt"}


@pytest.mark.parametrize(
    "text, exists",
    [
        ('train_net: "tr|ain.prototxt" base_lr: 1', True),
        ('train_net: "elsewhere/tr|ain.prototxt" base_lr: 1', True),
        ('train_net: "no|ne.prototxt" base_lr: 1', False),
        ('train_net: "\\000|" base_lr: 1', False),
        ('layer { image_data_param { source: "li|sts/train.txt" } }', True),
        ('layer { image_data_param { source: "${|ROOT}/train.txt" } }', False),
        ('layer { python_param { module: "own|_layers" } }', True),
        ('weights: "a.caffemodel,lists/tr|ain.txt" base_lr: 1', True),
        ('weights: "a.caf|femodel,lists/train.txt" base_lr: 1', False),
    ],
)
def test_the_name_of_a_file_leads_to_it_if_it_exists(model: Path, text: str, exists: bool) -> None:
    (model / "lists").mkdir()
    for name in ("lists/train.txt", "own_layers.py"):
        (model / name).write_text("")
    workspace = Workspace()
    buffer = opened(text.replace(MARK, ""), str(model / "own.prototxt"), workspace)
    position = buffer.position(text.index(MARK))
    found = definition(workspace, buffer, position)
    links = [link for link in document_links(workspace, buffer) if link.range.start <= position <= link.range.end]
    assert [location.uri for location in found] == [link.target for link in links]
    assert bool(found) is exists
