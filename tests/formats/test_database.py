"""LMDB and LevelDB stores."""

from __future__ import annotations

import sys

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.database import open_database
from stores import write_lmdb


def test_lmdb_in_the_order_of_its_keys_and_untouched(tmp_path):
    path = write_lmdb(tmp_path / "db", [b"ten", b"eleven"], first=10)
    write_lmdb(path, [b"zero"])
    (path / "lock.mdb").unlink()
    before = (path / "data.mdb").read_bytes()
    database = open_database(str(path), "lmdb")
    twin = open_database(str(path), "lmdb")
    assert len(database) == 3
    keys = list(database.keys())
    assert keys == [b"00000000", b"00000010", b"00000011"]
    assert [twin.get(key) for key in keys] == [b"zero", b"ten", b"eleven"]
    with pytest.raises(InputError, match="record b'no' is missing"):
        database.get(b"no")
    assert (path / "data.mdb").read_bytes() == before
    assert [p.name for p in path.iterdir()] == ["data.mdb"]


def test_folders_that_are_no_store(tmp_path):
    with pytest.raises(InputError, match="source is missing"):
        open_database("", "lmdb")
    with pytest.raises(InputError, match="none: does not exist; expected the folder of a database of kind lmdb"):
        open_database(str(tmp_path / "none"), "lmdb")
    with pytest.raises(InputError, match="the folder has no database; expected one of kind leveldb"):
        open_database(str(tmp_path), "leveldb")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file"):
        open_database(str(tmp_path / "file"), "lmdb")
    path = write_lmdb(tmp_path / "db", [b"x"])
    with pytest.raises(InputError, match="has a database of kind lmdb; set backend: LMDB"):
        open_database(str(path), "leveldb")


def test_damaged_lmdb(tmp_path):
    path = write_lmdb(tmp_path / "db", [bytes(50000)] * 3)
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"data\.mdb is truncated: expected \d+ bytes, got \d+"):
        open_database(str(path), "lmdb")
    (path / "data.mdb").write_bytes(b"x" * 9000)
    with pytest.raises(InputError, match="cannot open the LMDB: .*not an LMDB file"):
        open_database(str(path), "lmdb")


def test_leveldb_without_plyvel(tmp_path, monkeypatch):
    (tmp_path / "CURRENT").write_text("")
    monkeypatch.setitem(sys.modules, "plyvel", None)
    with pytest.raises(InputError, match="needs the package plyvel: pip install plyvel; or convert the data to LMDB"):
        open_database(str(tmp_path), "leveldb")


def test_leveldb(tmp_path):
    plyvel = pytest.importorskip("plyvel")
    path = str(tmp_path / "db")
    with plyvel.DB(path, create_if_missing=True) as written:
        for key in (b"b", b"a", b"c"):
            written.put(key, key * 3)
    database = open_database(path, "leveldb")
    twin = open_database(path, "leveldb")  # two nets of one process
    assert len(twin) == 3
    assert list(database.keys()) == [b"a", b"b", b"c"]
    assert twin.get(b"b") == b"bbb"
    with pytest.raises(InputError, match="is missing"):
        database.get(b"d")
    del database, twin
    (tmp_path / "db" / "CURRENT").write_text("nonsense")
    with pytest.raises(InputError, match="cannot open the LevelDB"):
        open_database(path, "leveldb")
