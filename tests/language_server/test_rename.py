"""Renaming: every place, in every file, exactly; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.language_server.features.rename import Renaming, prepare_rename, rename, workspace_edit
from deeplab_caffe.language_server.names import BLOB, nets_of
from deeplab_caffe.language_server.workspace import Workspace
from language_server.texts import applied, at_mark, opened, part

CHAIN = """layer { name: "conv" type: "Convolution" bottom: "data" top: 'é' param { name: "w" } }
layer { name: "relu" type: "ReLU" bottom: "\\303\\251" top: "\\303" "\\251" }
layer { name: "conv2" type: "Convolution" bottom: ["é" , "data"] top: "y" param { name: 'w' } }
layer { name: "y" type: "Pooling" bottom: "y" top: "z" }
"""


def renamed(text: str, name: str) -> str:
    buffer, position = at_mark(text)
    found = rename(Workspace(), buffer, position, name)
    return applied(buffer, found.edits[0][1]) if found.edits else buffer.text


def names(text: str) -> list[str]:
    """All names of blobs in a text, in order."""
    [net] = nets_of(opened(text))
    return [item.name for item in net.occurrences if item.kind == BLOB]


def test_a_blob_is_renamed_through_layers_in_place_however_it_is_written() -> None:
    text = renamed(CHAIN.replace("top: 'é'", "top: '|é'"), "it's \"x\"")
    assert names(text) == [name if name != "é" else "it's \"x\"" for name in names(CHAIN)]
    assert "top: 'it\\'s" in text and 'bottom: "it\'s \\"x' in text
    assert text.count('name: "conv"') == 1


def test_a_layer_keeps_the_blob_of_its_name() -> None:
    assert renamed(CHAIN.replace('name: "y"', 'name: "|y"'), "pool") == CHAIN.replace('name: "y"', 'name: "pool"')


def test_a_shared_parameter_is_renamed_for_all_its_owners() -> None:
    assert renamed(CHAIN.replace('name: "w"', 'name: "|w"'), "v") == CHAIN.replace('"w"', '"v"').replace("'w'", "'v'")


def test_the_same_name_changes_nothing() -> None:
    assert renamed(CHAIN.replace('name: "w"', 'name: "|w"'), "w") == CHAIN


@pytest.mark.parametrize(
    "old, new, name, message",
    [
        ('top: "z"', 'top: "|z"', "y", "is taken: /nets/train.prototxt:3:71 has a blob"),
        ('name: "y"', 'name: "|y"', "conv2", "the name 'conv2' is taken: /nets/train.prototxt:3:15 has a layer"),
        ('name: "y"', 'name: "|y"', " ", "expected a name for the layer 'y', got none"),
        ("type", "ty|pe", "x", "only blobs, layers and shared parameters can be renamed"),
        ('top: "z" }', 'top: "|z" num_output: }', "x", "fix this first"),
    ],
)  # fmt: skip
def test_what_cannot_be_renamed_is_refused(old: str, new: str, name: str, message: str) -> None:
    buffer, position = at_mark(CHAIN.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        rename(Workspace(), buffer, position, name)


def test_what_can_be_renamed_is_told_before() -> None:
    buffer, position = at_mark(CHAIN.replace('bottom: "\\303', 'bottom: "|\\303'))
    found = prepare_rename(buffer, position)
    assert found is not None and found.placeholder == "é" and part(buffer, found.range) == "\\303\\251"
    assert prepare_rename(*at_mark(CHAIN.replace("type", "ty|pe", 1))) is None


@pytest.fixture
def model(tmp_path: Path) -> tuple[Workspace, Path]:
    for name in ("train", "test", "deploy"):
        (tmp_path / f"{name}.prototxt").write_text(CHAIN)
    (tmp_path / "solver.prototxt").write_text('train_net: "train.prototxt"\nbase_lr: 1\n')
    return Workspace([str(tmp_path)]), tmp_path


def edited(model: tuple[Workspace, Path], place: str, name: str) -> Renaming:
    workspace, folder = model
    buffer = opened(CHAIN, str(folder / "train.prototxt"), workspace)
    return rename(workspace, buffer, buffer.position(buffer.text.index(place) + len(place) - 1), name)


def test_the_files_of_a_model_are_renamed_together(model: tuple[Workspace, Path]) -> None:
    found = edited(model, 'name: "conv"', "first")
    assert {Path(buffer.path).stem for buffer, _ in found.edits} == {"train", "test", "deploy"}
    assert "still called 'conv'" in found.warning
    edit = workspace_edit(found, versions=True, annotations=True)
    assert edit.document_changes is not None and edit.change_annotations is not None
    versions = {Path(c.text_document.uri).stem: c.text_document.version for c in edit.document_changes}  # type: ignore[union-attr]
    assert versions == {"train": 1, "test": None, "deploy": None}
    [note] = edit.change_annotations.values()
    assert note.needs_confirmation and note.description == found.warning
    plain = workspace_edit(found, versions=False, annotations=False)
    assert plain.changes is not None and len(plain.changes) == 3


def test_layers_without_weights_and_blobs_are_renamed_without_a_warning(model: tuple[Workspace, Path]) -> None:
    for place in ('name: "y"', 'name: "relu"', 'top: "z"'):
        assert edited(model, place, "other").warning == ""
    for kind in ("PReLU", "BatchNorm", "Unheard"):
        buffer, position = at_mark(f'layer {{ name: "|a" type: "{kind}" }}')
        assert rename(Workspace(), buffer, position, "b").warning
    buffer, position = at_mark('layers { name: "|a" type: POOLING }')
    assert rename(Workspace(), buffer, position, "b").warning == ""


def test_a_name_that_another_file_has_is_taken(model: tuple[Workspace, Path]) -> None:
    (model[1] / "deploy.prototxt").write_text(CHAIN + 'layer { name: "prob" top: "prob" }\n')
    with pytest.raises(InputError, match="deploy.prototxt:5:15 has a layer"):
        edited(model, 'name: "y"', "prob")


def test_a_broken_file_of_the_model_stops_it(model: tuple[Workspace, Path]) -> None:
    (model[1] / "deploy.prototxt").write_text(CHAIN + "layer { name: }\n")
    with pytest.raises(InputError, match="deploy.prototxt:5:15: .*; fix this first"):
        edited(model, 'name: "y"', "prob")


def test_names_beyond_the_basic_plane_are_replaced_exactly() -> None:
    text = '# 😀\nlayer { name: "😀" type: "ReLU" bottom: "a" top: "😀" } layer { name: "b" bottom: "😀" }\r\n'
    assert renamed(text.replace('top: "', 'top: "|', 1), "x") == text.replace('top: "😀"', 'top: "x"').replace(
        'bottom: "😀"', 'bottom: "x"'
    )
