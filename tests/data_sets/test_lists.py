"""List files: each fault is named with its list and line."""

import pytest

from deeplab_caffe.data import ListEntry, check_files, full_path, hold_out, list_id, list_ids, read_list, write_list
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


# -- names


def test_quoted_names_have_blanks(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text('"/a b.jpg" "/c d.png"\n/e"f.jpg /g.png\n"/h.jpg /i.png\n')
    entries = [("/a b.jpg", "/c d.png"), ('/e"f.jpg', "/g.png"), ('"/h.jpg', "/i.png")]
    assert [(entry.image, entry.label) for entry in read_list(path)] == entries
    write_list(path, read_list(path))
    assert [(entry.image, entry.label) for entry in read_list(path)] == entries


def test_only_ascii_blanks_and_line_feeds_end_names(tmp_path):
    (tmp_path / "l.txt").write_text("/a\u00a0b.jpg /c\u3000d\u0085e.png\n", encoding="utf-8")
    (entry,) = read_list(tmp_path / "l.txt")
    assert (entry.image, entry.label) == ("/a\u00a0b.jpg", "/c\u3000d\u0085e.png")


def test_names_that_are_not_utf8_are_written_as_read(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"/stra\xdfe.jpg /1.png\n")
    write_list(tmp_path / "m.txt", read_list(tmp_path / "l.txt"))
    assert (tmp_path / "m.txt").read_bytes() == b"/stra\xdfe.jpg /1.png\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/a.jpg,/a.png", "by a blank, not by a comma"),
        ("2007_000033", r"list of ids.*ImageSets.*deeplab voc-data.*sed"),
        ("/a.jpg", "only be used for prediction"),
    ],
)
def test_a_line_of_one_word_says_what_to_do(line, words, tmp_path):
    (tmp_path / "l.txt").write_text(line + "\n")
    with pytest.raises(InputError, match=rf"l\.txt:1: '{line}' has no label.*{words}"):
        read_list(tmp_path / "l.txt")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b.jpg a b.png", 'Names end at a blank: write names that have one in quotes: "my image'),
        ("a.jpg, a.png", "by a blank, not by a comma"),
        ("~/a.jpg ~/a.png", "'~' is not expanded"),
        ("sub\\a.jpg sub\\a.png", "with '/', not with backslashes"),
        ("2007_000033 1", "list of ids"),
        ("{folder}/a.jpg {folder}/a.png", 'root_folder to an empty text in a net, and root to "/"'),
    ],
)
def test_files_that_do_not_exist_say_what_to_do(line, words, tmp_path):
    (tmp_path / "a.jpg").touch()
    path = tmp_path / "l.txt"
    path.write_text(line.format(folder=tmp_path) + "\n")
    with pytest.raises(InputError) as caught:
        check_files(read_list(path), f"{tmp_path}/", path)
    assert words in str(caught.value).splitlines()[-1]


def test_ids_are_relative_paths_only_where_names_repeat():
    def ids(*names):
        return list_ids([ListEntry(name, None, number) for number, name in enumerate(names, 1)])

    assert ids("/v/a/0.jpg", "/v/a/1.jpg") == ["0", "1"]
    assert ids("/v/a/0.jpg", "/v/b/0.jpg", "/v/b/1.jpg") == ["a/0", "b/0", "b/1"]
    assert ids("a/0.jpg", "0.jpg") == ["a/0", "0"]
    assert ids("/v/a/0.jpg", "/v/a/../a/0.jpg") == ["0", "0"]


def test_repeated_images_are_not_split_between_both_parts():
    entries = [ListEntry(f"/{n % 4}.jpg", f"/{n % 4}.png", n + 1) for n in range(8)]
    rest, held = hold_out(entries, 0.25)
    assert len(held) == 1 and len(rest) == 6
    assert not {entry.image for entry in rest} & {entry.image for entry in held}
