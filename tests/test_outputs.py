"""Outputs that are no plain file, or must stay the file that they are: links, devices, pipes, modes and owners."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.data import write_label
from deeplab_caffe.files import new_folder, put, replacing, write_text
from deeplab_caffe.temporary_files import remove_dead_leftovers, remove_leftovers, temporary_name

_NET = 'name: "n"\nlayer { name: "a" type: "ReLU" bottom: "x" top: "x" }\n'
_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


# -- links


def test_the_target_of_a_link_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "target.txt").write_text("old")
    (tmp_path / "second").symlink_to("far/target.txt")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    write_text(tmp_path / "first", "new")
    assert (tmp_path / "far" / "target.txt").read_text() == "new"
    assert (tmp_path / "first").is_symlink() and (tmp_path / "second").is_symlink()
    assert sorted(os.listdir(tmp_path / "far")) == ["target.txt"]


def test_a_link_to_nothing_makes_its_target(tmp_path):
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "new" and (tmp_path / "link").is_symlink()
    (tmp_path / "lost").symlink_to("no/folder/target")
    with pytest.raises(OSError, match="its folder does not exist"):
        write_text(tmp_path / "lost", "new")


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        write_text(tmp_path / "a", "new")


@pytest.mark.parametrize(
    "command", [["prototxt", "format"], ["prototxt", "lint", "--fix"], ["prototxt", "upgrade", "--in-place"]]
)
def test_what_is_changed_in_place_is_changed_through_a_link(tmp_path, command):
    target, link = tmp_path / "target.prototxt", tmp_path / "link.prototxt"
    target.write_text('name:"n"\nlayers { name: "a" type: RELU bottom: "x" top: "x" }\n')
    target.chmod(0o640)
    link.symlink_to(target)
    before = target.read_text()
    cli.main([*command, str(link)])
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.read_text() != before or command[1] == "lint"


# -- devices and pipes


@pytest.mark.skipif(not _ROOT, reason="makes a device")
def test_a_device_stays_one(tmp_path):
    """As root, renaming would destroy the system's /dev/null."""
    null = tmp_path / "null.npy"
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, os.stat("/dev/null").st_rdev)
        null.write_bytes(b"")
    except OSError:
        pytest.skip("devices cannot be made here")
    with replacing(null) as path:
        np.save(path, np.zeros(3))
    (tmp_path / "link").symlink_to(null)
    write_text(tmp_path / "link", "gone")
    put_source = tmp_path / "finished"
    put_source.write_text("gone")
    put(put_source, null)
    assert stat.S_ISCHR(null.lstat().st_mode) and sorted(os.listdir(tmp_path)) == ["link", "null.npy"]


def test_a_command_writes_to_dev_null():
    write_text("/dev/null", "gone")
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)
    with pytest.raises(OSError, match="No space left"):
        write_text("/dev/full", "x")


def test_a_named_pipe_gets_the_content(tmp_path):
    pipe, got = tmp_path / "pipe.png", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_label(pipe, np.eye(3, dtype=np.uint8))
    reader.join(10)
    assert got[0].startswith(b"\x89PNG") and stat.S_ISFIFO(pipe.stat().st_mode)


_PRINTING = """
from deeplab_caffe.files import write_text
print("before")
write_text({path!r}, "content\\n")
print("after")
"""


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_between_what_is_printed(tmp_path, path):
    if not os.path.exists(path):
        pytest.skip("not on this system")
    script = [sys.executable, "-c", _PRINTING.format(path=path)]
    assert subprocess.run(script, capture_output=True, text=True).stdout == "before\ncontent\nafter\n"
    out = tmp_path / "out.txt"
    out.write_text("first\n")
    with out.open("a") as stream:
        subprocess.run(script, stdout=stream, check=True)
    assert out.read_text() == "first\nbefore\ncontent\nafter\n"
    one, other = socket.socketpair()
    with one, other:
        subprocess.run(script, stdout=one.fileno(), check=True)
        assert other.recv(100) == b"before\ncontent\nafter\n"


def test_a_file_on_standard_output_is_not_mixed_with_messages(tmp_path):
    (tmp_path / "net.prototxt").write_text(_NET)
    command = [sys.executable, "-m", "deeplab_caffe.cli", "prototxt", "view", "net.prototxt", "-o", "/dev/stdout"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (
        done.stdout.startswith("<!")
        and done.stdout.rstrip().endswith("</html>")
        and "wrote /dev/stdout\n" in done.stderr
    )


def test_a_name_that_is_no_files_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="names a folder"):
        write_text(f"{tmp_path}/new/", "x")
    with pytest.raises(OSError, match="is not a folder"):
        write_text(tmp_path / "file" / "new", "x")


def test_folders_and_sockets_are_refused_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name, kind in (("folder", "folder"), ("socket", "socket")):
            with pytest.raises(OSError, match=f"is a {kind}; expected a file"):
                write_text(tmp_path / name, "x")
    (tmp_path / "net.prototxt").write_text(_NET)
    assert cli.main(["prototxt", "view", str(tmp_path / "net.prototxt"), "-o", str(tmp_path / "folder")]) == 2
    assert "folder: is a folder; expected a file to write\n" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["folder", "net.prototxt", "socket"]


# -- mode and owner


def test_the_mode_stays(tmp_path):
    for mode in (0o600, 0o640, 0o755, 0o444, 0o2664):
        (tmp_path / "a").write_text("old")
        (tmp_path / "a").chmod(mode)
        write_text(tmp_path / "a", "new")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
        (tmp_path / "a").unlink()


def test_a_new_file_gets_what_the_umask_leaves_now(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "new")
        with new_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o640, 0o750]


@pytest.mark.skipif(not _ROOT, reason="needs two users")
def test_the_owner_stays(tmp_path):
    (tmp_path / "a").write_text("old")
    os.chown(tmp_path / "a", 1234, 4321)
    (tmp_path / "a").chmod(0o4755)
    write_text(tmp_path / "a", "new")
    status = (tmp_path / "a").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o4755)


@pytest.mark.skipif(not _ROOT, reason="needs two users")
def test_another_users_file_keeps_its_owner_and_is_written_if_that_is_allowed(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for name, mode in (("open", 0o666), ("closed", 0o644)):
        (shared / name).write_text("old, and longer than the new one")
        (shared / name).chmod(mode)
    script = (
        "import os, sys\n"
        "from deeplab_caffe.files import write_text\n"
        "os.setgroups([]); os.setgid(1234); os.setuid(1234)\n"
        "write_text(sys.argv[1], 'new')\n"
    )
    done = [
        subprocess.run([sys.executable, "-c", script, shared / name], capture_output=True)
        for name in ("open", "closed")
    ]
    assert [process.returncode for process in done] == [0, 1] and b"PermissionError" in done[1].stderr
    assert (shared / "open").read_text() == "new" and (shared / "open").stat().st_uid == 0
    assert (shared / "closed").read_text() == "old, and longer than the new one"
    assert sorted(os.listdir(shared)) == ["closed", "open"]


def test_long_names_can_be_written(tmp_path):
    for name in ("a" * 255, "b" * 250 + ".png", "ä" * 125 + ".npy"):
        write_text(tmp_path / name, "x")
    assert len(os.listdir(tmp_path)) == 3


# -- what killed processes leave


def _killed_while_writing(path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from deeplab_caffe.files import new_folder, replacing\n"
        "with replacing(sys.argv[1]), new_folder(sys.argv[1] + '.folder'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path])
    assert done.returncode == -signal.SIGKILL


def test_leftovers_of_dead_processes_alone_are_removed(tmp_path):
    path = tmp_path / "train_iter_5.caffemodel"
    _killed_while_writing(path)
    assert len(os.listdir(tmp_path)) == 2
    elsewhere = tmp_path / f".train_iter_5~{os.getpid() + 1}-00000000-0123abcd.caffemodel"
    users = [tmp_path / name for name in (".train~notes-final.txt", "train_iter_5~1-00000000-01234567.caffemodel")]
    for other in (elsewhere, *users):
        other.touch()
    with replacing(tmp_path / "train_iter_7.caffemodel") as living:
        remove_dead_leftovers(tmp_path, "other_")
        assert len(os.listdir(tmp_path)) == 6
        remove_dead_leftovers(tmp_path, "train_iter_")
        assert sorted(tmp_path.iterdir()) == sorted([elsewhere, living, *users])
    remove_leftovers([path])
    assert sorted(tmp_path.iterdir()) == sorted([*users, tmp_path / "train_iter_7.caffemodel"])


def test_an_earlier_process_with_this_number_is_dead(tmp_path):
    left = temporary_name(tmp_path / "a.txt")
    left.touch()
    remove_dead_leftovers(tmp_path)
    assert not left.exists()


def test_a_writer_within_another_writes_the_same_file(tmp_path):
    with replacing(tmp_path / "a.txt") as outer:
        with replacing(outer) as inner:
            assert inner == outer
            inner.write_text("x")
        assert outer.read_text() == "x" and not (tmp_path / "a.txt").exists()
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_page_does_not_replace_the_net_that_it_shows(tmp_path, capsys):
    net = tmp_path / "net.prototxt"
    net.write_text('layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 } } }')
    text = net.read_text()
    assert cli.main(["prototxt", "view", str(net), "-o", str(net)]) == 2
    assert f"{net}: is also the input; choose another output file" in capsys.readouterr().err
    assert net.read_text() == text
