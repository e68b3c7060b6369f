"""Names, outline, colours and commands as an editor asks for them, in one session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from language_server.client import Editor

NET = """# é😀
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }\r
layer { name: "conv" type: "Convolution" bottom: "data" top: "é😀" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "é😀" top: "é😀" }
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Editor, str]]:
    folder = tmp_path_factory.mktemp("model")
    for name in ("train", "deploy"):
        (folder / f"{name}.prototxt").write_bytes(NET.encode())
    (folder / "solver.prototxt").write_text('train_net: "train.prototxt"\nbase_lr: 1\n')
    with Editor(folder) as editor:
        uri = editor.open(folder / "train.prototxt")
        editor.open(folder / "deploy.prototxt", NET + "# unsaved\n")
        yield editor, uri


def ask(session: tuple[Editor, str], method: str, kind: Any, **more: Any) -> Any:
    """The answer to a request about the middle of the blob that the layer relu reads."""
    editor, uri = session
    position = {} if kind in _WHOLE else {"position": types.Position(3, NET.splitlines()[3].index("é") + 1)}
    return editor.request(method, kind(text_document=types.TextDocumentIdentifier(uri), **position, **more))


_WHOLE = (
    types.DocumentSymbolParams,
    types.FoldingRangeParams,
    types.SemanticTokensParams,
    types.SemanticTokensDeltaParams,
    types.DocumentFormattingParams,
    types.DocumentLinkParams,
    types.SelectionRangeParams,
)


def test_the_server_says_what_it_can_do(session: tuple[Editor, str]) -> None:
    can = session[0].capabilities
    colours, commands = can.semantic_tokens_provider, can.execute_command_provider
    assert colours and colours.full == types.SemanticTokensFullDelta(True) and colours.range
    assert "unknown" in colours.legend.token_modifiers
    named = {"deeplab.picture", "deeplab.inspect", "deeplab.diff", "deeplab.diffCommitted", "deeplab.deploy"}
    assert commands and named <= set(commands.commands)
    assert can.rename_provider and can.definition_provider
    assert can.references_provider and can.document_highlight_provider
    assert can.document_symbol_provider and can.workspace_symbol_provider and can.document_link_provider
    assert can.folding_range_provider and can.selection_range_provider and can.call_hierarchy_provider
    assert can.document_formatting_provider and can.document_range_formatting_provider


def test_names(session: tuple[Editor, str]) -> None:
    [made] = ask(session, types.TEXT_DOCUMENT_DEFINITION, types.DefinitionParams)
    assert (made.range.start.line, made.range.end.character - made.range.start.character) == (2, 3)
    context = types.ReferenceContext(include_declaration=True)
    assert len(ask(session, types.TEXT_DOCUMENT_REFERENCES, types.ReferenceParams, context=context)) == 6
    assert len(ask(session, types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, types.DocumentHighlightParams)) == 3
    assert ask(session, types.TEXT_DOCUMENT_PREPARE_RENAME, types.PrepareRenameParams).placeholder == "é😀"
    edit = ask(session, types.TEXT_DOCUMENT_RENAME, types.RenameParams, new_name="c")
    assert {Path(uri).stem: len(edits) for uri, edits in edit.changes.items()} == {"train": 3, "deploy": 3}
    with pytest.raises(JsonRpcException, match="the name 'data' is taken: .*train.prototxt:2:"):
        ask(session, types.TEXT_DOCUMENT_RENAME, types.RenameParams, new_name="data")


def test_the_name_of_a_layer_with_weights_changes_with_a_warning(session: tuple[Editor, str]) -> None:
    editor, uri = session
    given = types.RenameParams(types.TextDocumentIdentifier(uri), types.Position(2, 16), "first")
    assert len(editor.request(types.TEXT_DOCUMENT_RENAME, given).changes) == 2
    assert any("still called 'conv'" in message for message in editor.messages)


def test_outline_folding_selection_and_links(session: tuple[Editor, str]) -> None:
    symbols = ask(session, types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, types.DocumentSymbolParams)
    assert [symbol.name for symbol in symbols] == ["data", "conv"]
    assert [child.name for child in symbols[1].children] == ["conv", "relu"]
    assert not ask(session, types.TEXT_DOCUMENT_FOLDING_RANGE, types.FoldingRangeParams)
    place = [types.Position(2, 20)]
    [found] = ask(session, types.TEXT_DOCUMENT_SELECTION_RANGE, types.SelectionRangeParams, positions=place)
    assert found.parent.parent is not None
    assert not ask(session, types.TEXT_DOCUMENT_DOCUMENT_LINK, types.DocumentLinkParams)
    words = session[0].request(types.WORKSPACE_SYMBOL, types.WorkspaceSymbolParams("relu"))
    assert {Path(symbol.location.uri).stem for symbol in words} == {"train", "deploy"}


def test_colours_and_their_changes(session: tuple[Editor, str]) -> None:
    editor, uri = session
    found = ask(session, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, types.SemanticTokensParams)
    assert len(found.data) % 5 == 0 and list(found.data[:5]) == [0, 0, 5, 10, 0]
    end = types.Range(types.Position(4, 0), types.Position(4, 0))
    editor.change(uri, (end, "# end"))
    name = {"previous_result_id": found.result_id}
    new = ask(session, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA, types.SemanticTokensDeltaParams, **name)
    [edit] = new.edits
    assert edit.delete_count == 0 and len(edit.data) == 5
    editor.change(uri, NET)


def test_formatting_and_the_flow_of_data(session: tuple[Editor, str]) -> None:
    options = types.FormattingOptions(2, True)
    edits = ask(session, types.TEXT_DOCUMENT_FORMATTING, types.DocumentFormattingParams, options=options)
    assert edits and all("\r\n" in edit.new_text or not edit.new_text for edit in edits)
    [layer] = ask(session, types.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY, types.CallHierarchyPrepareParams)
    editor = session[0]
    [call] = editor.request(types.CALL_HIERARCHY_INCOMING_CALLS, types.CallHierarchyIncomingCallsParams(layer))
    assert call.from_.name == "conv"
    [back] = editor.request(types.CALL_HIERARCHY_OUTGOING_CALLS, types.CallHierarchyOutgoingCallsParams(call.from_))
    assert back.to.name == "relu"


def test_commands(session: tuple[Editor, str]) -> None:
    editor, uri = session

    def run(command: str, *arguments: Any) -> Any:
        given = types.ExecuteCommandParams(f"deeplab.{command}", list(arguments))
        return editor.request(types.WORKSPACE_EXECUTE_COMMAND, given)

    assert run("deploy", uri) == uri.replace("train.", "deploy.")
    assert run("picture", uri, {"line": 2, "character": 3}).startswith("http://127.0.0.1:")
    editor.notify("deeplab/cursor", {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 3}})
    with pytest.raises(JsonRpcException, match="deeplab.diff: expected the arguments URI OTHER-URI"):
        run("diff", uri)
