"""A file edited by hand is kept, and the report says whether that matters."""

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.signature import sign
from deeplab_caffe.nets import is_untouched, write_files


def files(body):
    return {
        "train.prototxt": sign("A net.", "deeplab prototxt a/b", body),
        "solver.prototxt": sign("S.", "c", "x: 1\n"),
    }


@pytest.fixture
def folder(tmp_path):
    write_files(tmp_path / "net", files("a: 1\n"))
    return tmp_path / "net"


def edit(path):
    path.write_text(path.read_text().replace("a: 1", "a: 7"))
    return path.read_text()


def test_signature():
    text = sign("A net.", "deeplab", "a: 1\n")
    assert is_untouched(text)
    assert not is_untouched(text.replace("a: 1", "a: 2"))
    assert not is_untouched(text.replace("A net", "B net"))
    assert not is_untouched(text + "\n")
    assert not is_untouched("a: 1\n")


def test_write_then_unchanged_then_written_anew(folder):
    assert write_files(folder, files("a: 1\n")).unchanged == ("train.prototxt", "solver.prototxt")
    again = write_files(folder, files("a: 2\n"))
    assert (again.written, again.unchanged, again.kept) == (("train.prototxt",), ("solver.prototxt",), ())
    assert (folder / "train.prototxt").read_text() == files("a: 2\n")["train.prototxt"]


def test_an_edited_file_is_kept(folder):
    text = edit(folder / "train.prototxt")
    done = write_files(folder, files("a: 1\n"))
    assert (done.edited, done.outdated) == (("train.prototxt",), ())
    assert (folder / "train.prototxt").read_text() == text
    assert str(done).splitlines() == [
        f"{folder}: unchanged: solver.prototxt",
        f"{folder}: kept, edited by hand: train.prototxt",
    ]


def test_an_edited_file_that_should_change_is_kept_loudly(folder):
    text = edit(folder / "train.prototxt")
    done = write_files(folder, files("a: 2\n"))
    assert done.outdated == done.kept == ("train.prototxt",)
    assert "KEPT, edited by hand, and NOT what was asked for now (deeplab prototxt … --merge" in str(done)
    assert (folder / "train.prototxt").read_text() == text


def test_force_overwrites(folder):
    edit(folder / "train.prototxt")
    assert write_files(folder, files("a: 2\n"), force=True).written == ("train.prototxt",)
    assert is_untouched((folder / "train.prototxt").read_text())


def test_a_file_of_the_users_own_is_kept(folder):
    (folder / "train.prototxt").write_text("mine: 1\n")
    assert write_files(folder, files("a: 1\n")).outdated == ("train.prototxt",)
    assert (folder / "train.prototxt").read_text() == "mine: 1\n"


def test_windows_line_ends_are_no_edit(folder):
    path = folder / "train.prototxt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert write_files(folder, files("a: 1\n")).unchanged == ("train.prototxt", "solver.prototxt")


def test_an_untouched_stage_2_goes_when_it_is_no_longer_generated(folder):
    stage2 = {"train2.prototxt": sign("T.", "c", "a: 1\n"), "solver2.prototxt": sign("T.", "c", "a: 1\n")}
    write_files(folder, files("a: 1\n") | stage2)
    edit(folder / "solver2.prototxt")
    done = write_files(folder, files("a: 1\n"))
    assert done.removed == ("train2.prototxt",)
    assert not (folder / "train2.prototxt").exists() and (folder / "solver2.prototxt").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "net").write_text("a file")
    with pytest.raises(InputError, match="net.*: cannot write"):
        write_files(tmp_path / "net", files("a: 1\n"))
