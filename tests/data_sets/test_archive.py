"""Unpacking: what is good comes out whole; what is hostile or damaged leaves nothing behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from deeplab_caffe.data.archive import unpack
from deeplab_caffe.errors import InputError

GOOD = {"top/a.txt": b"a", "top/sub/b.txt": b"bb" * 5000}


def make_tar(path, entries, mode="w"):
    """entries: name to content, or to a TarInfo's other attributes."""
    with tarfile.open(path, mode) as tar:
        for name, what in entries.items():
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
            else:
                for key, value in what.items():
                    setattr(info, key, value)
                tar.addfile(info)
    return path


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, what in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            mode, content = (stat.S_IFREG | 0o644, what) if isinstance(what, bytes) else what
            info.external_attr = mode << 16
            packed.writestr(info, content)
    return path


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_good_archives(tmp_path, kind):
    packed = tmp_path / "a.archive"
    make_zip(packed, GOOD) if kind == "zip" else make_tar(packed, GOOD, kind)
    unpack(packed, tmp_path / "out", 100_000)
    assert contents(tmp_path / "out") == GOOD


def test_joins_what_is_there(tmp_path):
    out = tmp_path / "out"
    (out / "top" / "sub").mkdir(parents=True)
    (out / "top" / "sub" / "mine").write_bytes(b"mine")
    (out / "top" / "a.txt").write_bytes(b"old")
    (out / ".unpack-a.tar").mkdir()
    unpack(make_tar(tmp_path / "a.tar", GOOD), out, 100_000, progress=False)
    assert contents(out) == {**GOOD, "top/sub/mine": b"mine"}


def test_only_what_is_wanted(tmp_path):
    packed = make_tar(tmp_path / "a.tar", {"empty": {"type": tarfile.DIRTYPE}, **GOOD})
    unpack(packed, tmp_path / "out", 100_000, lambda name: name.endswith("b.txt"))
    assert [p.name for p in sorted((tmp_path / "out").rglob("*"))] == ["top", "sub", "b.txt"]


def test_links_inside_become_copies(tmp_path):
    links = {
        "top/sub/soft": {"type": tarfile.SYMTYPE, "linkname": "../a.txt"},
        "hard": {"type": tarfile.LNKTYPE, "linkname": "top/a.txt"},
    }
    unpack(make_tar(tmp_path / "a.tar", {**GOOD, **links}), tmp_path / "out", 100_000)
    assert contents(tmp_path / "out") == {**GOOD, "top/sub/soft": b"a", "hard": b"a"}
    assert not any(p.is_symlink() for p in (tmp_path / "out").rglob("*"))


HOSTILE = [
    ({"../x": b"x"}, "leads out of the folder"),
    ({"top/../../x": b"x"}, "leads out"),
    ({"/tmp/x": b"x"}, "leads out"),
    ({"..\\x": b"x"}, "leads out"),
    ({"C:\\x": b"x"}, "leads out"),
    ({"l": {"type": tarfile.SYMTYPE, "linkname": "../x"}}, r"'l' is a link to '\.\./x', which leads out"),
    ({"l": {"type": tarfile.SYMTYPE, "linkname": "/etc/hosts"}}, "is a link to '/etc/hosts', which leads out"),
    ({"l": {"type": tarfile.LNKTYPE, "linkname": "../../x"}}, "which leads out"),
    ({"l": {"type": tarfile.SYMTYPE, "linkname": "."}, "l/x": b"x"}, "is not a file earlier"),
    ({"d": {"type": tarfile.CHRTYPE}}, "'d' is a device, not a file or folder"),
    ({"p": {"type": tarfile.FIFOTYPE}}, "is a pipe"),
    ({"bomb": bytes(2_000_000)}, "unpacks to more than the limit of 0 MB"),
    ({f"{i}": b"" for i in range(300)}, "unpacks to more than"),
    ({"top": b"x", "top/x": b"x"}, "cannot unpack into"),
]


@pytest.mark.parametrize(("entries", "words"), HOSTILE, ids=[words for _, words in HOSTILE])
def test_hostile_tars(tmp_path, entries, words):
    packed = make_tar(tmp_path / "a.tgz", {**GOOD, **entries}, "w:gz")
    with pytest.raises(InputError, match=words) as refusal:
        unpack(packed, tmp_path / "in" / "out", 100_000)
    assert str(packed) in str(refusal.value)
    assert list((tmp_path / "in" / "out").iterdir()) == [] and not (tmp_path / "in" / "x").exists()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"../x": b"x"}, "leads out"),
        ({"/x": b"x"}, "leads out"),
        ({"l": (stat.S_IFLNK | 0o777, "../x")}, r"is a link to '\.\./x', which leads out"),
        ({"bomb": bytes(2_000_000)}, "more than the limit of 0 MB"),
        ({"d": (stat.S_IFCHR, "")}, "is a device"),
    ],
)
def test_hostile_zips(tmp_path, entries, words):
    with pytest.raises(InputError, match=words):
        unpack(make_zip(tmp_path / "a.zip", {**GOOD, **entries}), tmp_path / "out", 100_000)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_damaged_archives(tmp_path, kind):
    packed = make_tar(tmp_path / "a.tar", GOOD, kind)
    content = packed.read_bytes()
    packed.write_bytes(content[:3000] if kind == "w" else content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\.tar: damaged or truncated"):
        unpack(packed, tmp_path / "out", 100_000)
    packed.write_bytes(b"<html>no archive</html>")
    with pytest.raises(InputError, match=r"a\.tar: damaged or truncated"):
        unpack(packed, tmp_path / "out", 100_000)
    assert list((tmp_path / "out").iterdir()) == []


def test_absent_archive_and_folder_in_the_way(tmp_path):
    with pytest.raises(InputError, match="cannot unpack.*No such file"):
        unpack(tmp_path / "a.tar", tmp_path / "out", 10)
    (tmp_path / "out" / "top" / "a.txt").mkdir(parents=True)
    with pytest.raises(InputError, match="the archive has a file of this name"):
        unpack(make_tar(tmp_path / "a.tar", GOOD), tmp_path / "out", 100_000)
