"""The server as an editor meets it: started as a process, spoken to over stdio."""

import asyncio
import signal
import subprocess
import sys

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from deeplab_caffe.language_server.workspace import MOST
from language_server.client import COMMAND, Editor, uri_of
from language_server.texts import DATA, NET

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


def test_settings_of_others_change_nothing(editor):
    sent = {"deeplab": {"lint": {"ignore": ["dilation-pad"]}}}
    for settings in (sent, {}, {"python": {}}):
        editor.notify(types.WORKSPACE_DID_CHANGE_CONFIGURATION, types.DidChangeConfigurationParams(settings))
    uri = editor.open(editor.folder / "of_others.prototxt", WRONG)
    assert editor.diagnostics(uri) == []
    editor.notify(types.WORKSPACE_DID_CHANGE_CONFIGURATION, types.DidChangeConfigurationParams({"deeplab": {}}))
    assert editor.diagnostics(uri, until=bool)


def test_it_is_told_of_files_that_change_on_the_disk(editor):
    [watched] = editor.registered
    assert watched.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    folder = editor.folder / "watched"
    folder.mkdir()
    deploy = editor.open(folder / "deploy.prototxt", NET)
    assert editor.diagnostics(deploy) == []
    loss = "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'fc6' bottom: 'fc6' top: 'loss' }\n"
    (folder / "train.prototxt").write_text((NET + loss).replace("num_output: 8", "num_output: 9"))
    event = types.FileEvent(uri_of(folder / "train.prototxt"), types.FileChangeType.Created)
    editor.notify(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, types.DidChangeWatchedFilesParams([event]))
    assert set(_codes(editor.diagnostics(deploy, until=bool))) == {"different-nets"}


def test_folders_come_and_go(editor, tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.prototxt").write_text(NET)
    uri = editor.open(editor.folder / "elsewhere_solver.prototxt", 'net: "nets/net.prototxt"\nbase_lr: 0.1\n')
    asked = types.DefinitionParams(types.TextDocumentIdentifier(uri), types.Position(0, 8))
    assert editor.request(types.TEXT_DOCUMENT_DEFINITION, asked) == []
    folder = types.WorkspaceFolder(uri_of(tmp_path), "more")
    for added, removed, count in (([folder], [], 1), ([], [folder], 0)):
        event = types.WorkspaceFoldersChangeEvent(added, removed)
        editor.notify(
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, types.DidChangeWorkspaceFoldersParams(event)
        )
        assert len(editor.request(types.TEXT_DOCUMENT_DEFINITION, asked)) == count


def test_answers_of_several_threads_stay_whole(editor):
    relus = "".join(f"layer {{ name: 'r{i}' type: 'ReLU' bottom: 'data' top: 'r{i}' }}\n" for i in range(900))
    uri = editor.open(editor.folder / "many.prototxt", NET + relus)
    whole = types.Range(types.Position(0, 0), types.Position(9999, 0))

    async def many():
        params = types.InlayHintParams(types.TextDocumentIdentifier(uri), whole)
        asked = [editor.client.protocol.send_request_async(types.TEXT_DOCUMENT_INLAY_HINT, params) for _ in range(8)]
        return await asyncio.gather(*asked)

    first, *others = editor._run(many())
    assert len(first) > 900 and all(other == first for other in others)


def test_what_no_file_can_hold_and_what_is_too_long(editor):
    uri = editor.open(editor.folder / "half.prototxt", NET.replace('top: "fc6"', 'top: "\ud800"') + WRONG[len(DATA) :])
    assert "dilation-pad" in _codes(editor.diagnostics(uri))
    editor.change(uri, "#" * (MOST + 1))
    [said] = editor.diagnostics(uri)
    assert "not looked at" in said.message
    asked = types.DocumentSymbolParams(types.TextDocumentIdentifier(uri))
    assert editor.request(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, asked) == []
    editor.change(uri, WRONG)
    assert _codes(editor.diagnostics(uri)) == ["dilation-pad"]


def test_nothing_went_wrong_meanwhile(editor):
    assert editor.messages == []


def test_shutdown_in_the_middle_of_work(tmp_path):
    with Editor(tmp_path) as session:
        uri = session.open(tmp_path / "train.prototxt", NET * 50)
        for _ in range(5):
            session.change(uri, NET * 50)
        asked = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(1, 3))
        hovers = [_send(session, types.TEXT_DOCUMENT_HOVER, asked) for _ in range(60)]
        session.request(types.SHUTDOWN, None)
        session.notify(types.EXIT, None)
        assert session._run(session.process.wait()) == 0
        assert session.messages == []
        for hover in hovers:
            hover.cancel()


def _send(session, method, params):
    async def send():
        return session.client.protocol.send_request_async(method, params)

    return session._run(send())


def test_ctrl_c_ends_it_while_it_waits_for_the_editor():
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b'Content-Length: 44\r\n\r\n{"jsonrpc":"2.0","id":1,"method":"shutdown"}')
        process.stdin.flush()
        assert process.stdout.readline()  # it serves
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and process.stderr.read() == b""


def test_exit_without_shutdown_is_a_failure():
    said = b'Content-Length: 33\r\n\r\n{"jsonrpc":"2.0","method":"exit"}'
    assert subprocess.run(COMMAND, input=said, capture_output=True, timeout=60).returncode == 1


def test_an_editor_that_vanishes_ends_the_server():
    done = subprocess.run(COMMAND, input=b"", capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout == b""


def test_without_pygls_it_says_what_to_install():
    code = "import sys; sys.modules['pygls'] = None\n"
    code += "from deeplab_caffe.cli import main\nsys.exit(main(['prototxt', 'serve']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'the language server needs pygls: pip install "deeplab-caffe[editor]"' in done.stderr


@pytest.mark.parametrize("name", ["a b ü.prototxt", "c#%20.prototxt"])
def test_names_of_files(editor, name):
    (editor.folder / name).write_text(WRONG)
    uri = editor.open(editor.folder / name)
    assert uri == uri_of(editor.folder / name) and _codes(editor.diagnostics(uri)) == ["dilation-pad"]
