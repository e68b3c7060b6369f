"""The server as an editor meets it: started as a process, spoken to over stdio."""

import asyncio
import subprocess
import sys

import pytest
from language_server.client import COMMAND, Editor, uri_of
from language_server.texts import DATA, NET
from lsprotocol import types
from pygls.exceptions import JsonRpcException

WRONG = NET.replace("pad: 12", "pad: 6")


def _codes(items):
    return [item.code for item in items]


def _range(line, start, end):
    return types.Range(types.Position(line, start), types.Position(line, end))


def test_what_it_offers(editor):
    sync = editor.capabilities.text_document_sync
    assert sync.open_close and sync.change == types.TextDocumentSyncKind.Incremental
    assert editor.capabilities.position_encoding == types.PositionEncodingKind.Utf16
    assert types.CodeActionKind.QuickFix in editor.capabilities.code_action_provider.code_action_kinds


def test_mistakes_follow_the_typing_in_utf16(editor):
    text = DATA + "layer {\r\n\tname: '\U0001d703ü'\ttype: 'ReLU' bottom: 'data' tip: 'x'\r\n}\r\n"
    uri = editor.open(editor.folder / "typed.prototxt", text)
    line = text.splitlines()[2]
    [unknown] = [d for d in editor.diagnostics(uri) if d.code == "unknown-field"]
    start = len(line[: line.index("tip")].encode("utf-16-le")) // 2
    assert unknown.range == types.Range(types.Position(2, start), types.Position(2, start + 8))
    editor.change(uri, (_range(2, start, start + 3), "to"), (_range(2, start + 2, start + 2), "p"))
    assert "unknown-field" not in _codes(editor.diagnostics(uri))
    editor.change(uri, (types.Range(types.Position(2, 0), types.Position(4, 0)), ""))
    assert "syntax" in _codes(editor.diagnostics(uri))


def test_two_nets_of_one_model(editor):
    folder = editor.folder / "model"
    folder.mkdir()
    loss = "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'fc6' bottom: 'fc6' top: 'loss' }\n"
    (folder / "train.prototxt").write_text(NET + loss)
    train, deploy = editor.open(folder / "train.prototxt"), editor.open(folder / "deploy.prototxt", NET)
    assert (editor.diagnostics(train), editor.diagnostics(deploy)) == ([], [])
    text = (NET + loss).replace("pad: 12 dilation: 12", "pad: 6 dilation: 6")
    editor.change(train, text)
    assert editor.diagnostics(train) == []
    assert _codes(editor.diagnostics(deploy, until=bool)) == ["different-nets"] * 2
    (folder / "train.prototxt").unlink()  # the open text still counts
    editor.change(deploy, NET.replace("pad: 12 dilation: 12", "pad: 6 dilation: 6"))
    assert editor.diagnostics(deploy) == []
    editor.close(train)
    editor.change(deploy, WRONG)
    assert _codes(editor.diagnostics(deploy)) == ["dilation-pad"]


def test_a_quick_fix(editor):
    uri = editor.open(editor.folder / "fix.prototxt", WRONG)
    [mistake] = editor.diagnostics(uri)
    context = types.CodeActionContext([mistake], only=[types.CodeActionKind.QuickFix])
    asked = types.CodeActionParams(types.TextDocumentIdentifier(uri), mistake.range, context)
    found = editor.request(types.TEXT_DOCUMENT_CODE_ACTION, asked)
    assert [action.title for action in found] == ["Set pad: 12", "Ignore dilation-pad here"]
    [edit] = found[0].edit.changes[uri]
    editor.change(uri, (edit.range, edit.new_text))
    assert editor.diagnostics(uri) == []


def test_closing_takes_the_mistakes_away(editor):
    uri = editor.open(editor.folder / "closed.prototxt", WRONG)
    assert editor.diagnostics(uri)
    editor.close(uri)
    editor.request(types.TEXT_DOCUMENT_CODE_ACTION, _asked(uri))
    assert editor.published[uri] == (None, [])


def _asked(uri):
    return types.CodeActionParams(types.TextDocumentIdentifier(uri), _range(0, 0, 0), types.CodeActionContext([]))


def test_a_request_is_cancelled_and_the_session_goes_on(editor):
    uri = editor.open(editor.folder / "cancelled.prototxt", WRONG * 30)

    async def many():
        protocol = editor.client.protocol
        asked = [
            protocol.send_request_async(types.TEXT_DOCUMENT_CODE_ACTION, _asked(uri), msg_id=f"c{i}") for i in range(40)
        ]
        for i in range(40):
            protocol.notify(types.CANCEL_REQUEST, types.CancelParams(f"c{i}"))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = editor._run(many())
    cancelled = [a for a in answers if isinstance(a, JsonRpcException)]
    assert len(answers) == 40 and all("cancel" in str(a).lower() for a in cancelled)
    editor.change(uri, WRONG)
    assert _codes(editor.diagnostics(uri)) == ["dilation-pad"]


def test_settings(editor):
    uri = editor.open(editor.folder / "settings.prototxt", WRONG)
    assert _codes(editor.diagnostics(uri)) == ["dilation-pad"]
    sent = {"deeplab": {"lint": {"ignore": ["dilation-pad"]}}}
    editor.notify(types.WORKSPACE_DID_CHANGE_CONFIGURATION, types.DidChangeConfigurationParams(sent))
    assert editor.diagnostics(uri, until=lambda items: not items) == []
    editor.notify(types.WORKSPACE_DID_CHANGE_CONFIGURATION, types.DidChangeConfigurationParams({"deeplab": {}}))
    assert editor.diagnostics(uri, until=bool)


def test_nothing_went_wrong_meanwhile(editor):
    assert editor.messages == []


def test_shutdown_in_the_middle_of_work(tmp_path):
    with Editor(tmp_path) as session:
        uri = session.open(tmp_path / "train.prototxt", NET * 50)
        for _ in range(5):
            session.change(uri, NET * 50)
        session.request(types.SHUTDOWN, None)
        session.notify(types.EXIT, None)
        assert session._run(session.process.wait()) == 0


def test_an_editor_that_vanishes_ends_the_server():
    done = subprocess.run(COMMAND, input=b"", capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout == b""


def test_without_pygls_it_says_what_to_install():
    code = "import sys; sys.modules['pygls'] = None\nfrom deeplab_caffe.cli import main\nsys.exit(main(['prototxt', 'serve']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'the language server needs pygls: pip install "deeplab-caffe[editor]"' in done.stderr


@pytest.mark.parametrize("name", ["a b ü.prototxt", "c#%20.prototxt"])
def test_names_of_files(editor, name):
    (editor.folder / name).write_text(WRONG)
    uri = editor.open(editor.folder / name)
    assert uri == uri_of(editor.folder / name) and _codes(editor.diagnostics(uri)) == ["dilation-pad"]
