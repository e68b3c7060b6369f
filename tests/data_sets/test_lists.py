"""List files: each fault is named with its list and line."""

import pytest

from deeplab_caffe.data import ListEntry, check_files, full_path, list_id, read_list, write_list
from deeplab_caffe.errors import InputError


def test_words_and_lines(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("/a/1.jpg /b/1.png ignored\r\n/a/2.jpg\t/b/2.png")
    assert read_list(path) == [ListEntry("/a/1.jpg", "/b/1.png", 1), ListEntry("/a/2.jpg", "/b/2.png", 2)]
    assert list_id(read_list(path)[1]) == "2"


def test_image_only_list(tmp_path):
    path = tmp_path / "test.txt"
    path.write_text("/a/1.jpg\n")
    assert read_list(path, needs_label=False) == [ListEntry("/a/1.jpg", None, 1)]
    with pytest.raises(InputError, match=r"test\.txt:1: '/a/1\.jpg' has no label.*label_type: NONE"):
        read_list(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "list is empty"), ("\n \n", "list is empty"), ("a b\n\nc d\n", r"l\.txt:2: blank"), ("a b\n\n", ":2: blank")],
)
def test_faulty_lists(tmp_path, text, words):
    (tmp_path / "l.txt").write_text(text)
    with pytest.raises(InputError, match=words):
        read_list(tmp_path / "l.txt")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"a b\nc \0d\n", b"\x1f\x8b\x08\0\xff\xfe"])
def test_a_file_that_is_no_text_is_not_shown(tmp_path, data):
    (tmp_path / "l.txt").write_bytes(data)
    with pytest.raises(InputError, match=r"l\.txt:\d: not a text file") as caught:
        read_list(tmp_path / "l.txt")
    assert str(caught.value).isprintable()


def test_names_need_not_be_utf8(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"/stra\xdfe.jpg /1.png\n")
    assert read_list(tmp_path / "l.txt")[0].image.encode(errors="surrogateescape") == b"/stra\xdfe.jpg"


def test_missing_list(tmp_path):
    with pytest.raises(InputError, match=r"l\.txt: cannot read the list: No such file"):
        read_list(tmp_path / "l.txt")


def test_written_list_reads_back(tmp_path):
    entries = [ListEntry("/a.jpg", "/a.png", 1), ListEntry("/b.jpg", None, 2)]
    write_list(tmp_path / "l.txt", entries)
    assert read_list(tmp_path / "l.txt", needs_label=False) == entries


def test_all_missing_files_in_one_message(tmp_path):
    (tmp_path / "0.jpg").touch()
    entries = [ListEntry(f"/{n}.jpg", f"/{n}.png", n + 1) for n in range(10)]
    with pytest.raises(InputError, match=r"19 of 20 files do not exist") as caught:
        check_files(entries, tmp_path, "l.txt")
    assert f"l.txt:1: {tmp_path}/0.png" in str(caught.value)
    assert "and 14 more" in str(caught.value)
    check_files(entries[:1], tmp_path, "l.txt", labels=False)


def test_forgotten_slash_and_folder_are_named(tmp_path):
    (tmp_path / "0.jpg").touch()
    with pytest.raises(InputError, match="end root_folder with a slash"):
        check_files([ListEntry("0.jpg", None, 1)], tmp_path, "l.txt")
    with pytest.raises(InputError, match="root folder '/nowhere' does not exist"):
        check_files([ListEntry("/0.jpg", None, 1)], "/nowhere", "l.txt")


def test_path_is_plain_concatenation():
    assert full_path("/data", "/a.jpg") == "/data/a.jpg"
    assert full_path("", "a.jpg") == "a.jpg"
    assert full_path("/data", "a.jpg") == "/dataa.jpg"
