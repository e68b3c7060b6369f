"""Hover, completion and inlay hints as an editor asks for them."""

from __future__ import annotations

from lsprotocol import types

from language_server.client import Editor

NET = """\
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }\r
layer { name: "é𝜃" type: "ReLU" bottom: "data" top: "r" }\r
"""


def test_hover_completion_and_hints_follow_the_typing(editor: Editor):
    uri = editor.open(editor.folder / "meaning.prototxt", NET)
    document = types.TextDocumentIdentifier(uri)

    def hover(line: int, character: int) -> str:
        position = types.Position(line, character)
        found = editor.request(types.TEXT_DOCUMENT_HOVER, types.HoverParams(document, position))
        return found.contents.value if found else ""

    def hints() -> list[tuple[types.Position, str]]:
        where = types.Range(types.Position(0, 0), types.Position(9, 0))
        found = editor.request(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintParams(document, where))
        return [(hint.position, hint.label) for hint in found]

    assert "- top `r`: 1×3×9×9" in hover(1, 16) and hover(2, 0) == ""
    assert hints() == [(types.Position(0, 20), "1×3×9×9"), (types.Position(1, 19), "1×3×9×9")]

    end = types.Range(types.Position(2, 0), types.Position(2, 0))
    editor.change(uri, (end, 'layer { name: "p" bottom: "r" type: "Poo'))
    params = types.CompletionParams(document, types.Position(2, 40))
    found = editor.request(types.TEXT_DOCUMENT_COMPLETION, params)
    [pooling] = [item for item in found.items if item.label == "Pooling"]
    assert pooling.text_edit.range == types.Range(types.Position(2, 37), types.Position(2, 40))
    resolved = editor.request(types.COMPLETION_ITEM_RESOLVE, pooling)
    assert "**Pooling**" in resolved.documentation.value

    editor.change(uri, NET.replace("9, 9", "7, 7"))
    assert hints()[1] == (types.Position(1, 19), "1×3×7×7")
