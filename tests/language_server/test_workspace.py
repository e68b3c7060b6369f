"""The files that belong together, open or on the disk, also while they come and go."""

import os

from language_server.texts import CONV, DATA, NET

SOLVER = "net: 'train.prototxt'\nbase_lr: 0.1\nlr_policy: 'fixed'\nmax_iter: 9\n"


def _names(buffers):
    return sorted(os.path.basename(b.path) for b in buffers)


def test_an_open_text_counts_before_the_file(workspace, opened, tmp_path):
    (tmp_path / "net.prototxt").write_text(DATA)
    assert workspace.buffer(tmp_path / "net.prototxt").text == DATA
    buffer = opened(NET)
    assert workspace.buffer(tmp_path / "net.prototxt") is buffer and workspace.buffer("net.prototxt") is buffer
    workspace.close(buffer.uri)
    assert workspace.buffer("net.prototxt").text == DATA


def test_a_file_is_read_again_when_it_has_changed(workspace, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(DATA)
    first = workspace.buffer(path)
    assert workspace.buffer(path) is first
    path.write_text(NET)
    assert workspace.buffer(path).text == NET
    path.unlink()
    assert workspace.buffer(path) is None


def test_what_is_no_text_is_no_buffer(workspace, tmp_path):
    (tmp_path / "weights.prototxt").write_bytes(b"\xff\xfe\0")
    os.mkfifo(tmp_path / "pipe.prototxt")
    for name in ("weights.prototxt", "pipe.prototxt", ".", "a\0b", "untitled:Untitled-1"):
        assert workspace.buffer(name) is None


def test_the_family_of_a_net(workspace, opened, tmp_path):
    for name in ("test", "deploy", "other"):
        (tmp_path / f"{name}.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    (tmp_path / "solver_of_another.prototxt").write_text(SOLVER.replace("train", "other"))
    train = opened(NET, "train.prototxt")
    expected = ["deploy.prototxt", "solver.prototxt", "test.prototxt", "train.prototxt"]
    assert _names(workspace.family(train)) == expected
    assert workspace.family(train)[0] is train
    assert _names(workspace.family(workspace.buffer("solver.prototxt"))) == expected
    (tmp_path / "test.prototxt").unlink()
    (tmp_path / "solver.prototxt").unlink()
    assert _names(workspace.family(train)) == ["deploy.prototxt", "train.prototxt"]


def test_an_unsaved_solver_names_an_unsaved_net(workspace, opened):
    net = opened(NET, "mine.prototxt")
    solver = opened(SOLVER.replace("train", "mine"), "my_solver.prototxt")
    assert workspace.family(net) == [net, solver] and workspace.nets_of(solver) == [net]


def test_a_text_without_a_file_has_no_family(workspace):
    buffer = workspace.open("untitled:Untitled-1", CONV, 1)
    assert workspace.family(buffer) == [buffer] and workspace.buffer("untitled:Untitled-1") is buffer
