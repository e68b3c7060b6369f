"""LMDB files as the library writes them, and a clear error for damaged pages, on which the library crashes."""

from __future__ import annotations

import lmdb
import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.database import open_database
from deeplab_caffe.formats.lmdb_pages import LmdbFile


def _write(path, records, **options):
    environment = lmdb.open(str(path), map_size=1 << 26, **options)
    for key, value in records.items():
        with environment.begin(write=True) as transaction:
            transaction.put(key, value)
    environment.close()


@pytest.mark.parametrize("count", [0, 1, 5, 700])
def test_as_the_library(tmp_path, count):
    """Small and large values; enough for three levels; keys that were replaced and removed."""
    random = np.random.default_rng(count)
    sizes = [0, 1, 100, 1500, 3000, 5000, 20000]
    keys = [b"%08d_" % number + b"k" * int(random.integers(0, 300)) for number in random.permutation(count)]
    records = {key: random.bytes(sizes[int(random.integers(len(sizes)))]) for key in keys}
    environment = lmdb.open(str(tmp_path), map_size=1 << 26)
    with environment.begin(write=True) as transaction:
        for key, value in [*records.items(), (b"gone", b"x" * 9000)]:
            transaction.put(key, value)
    with environment.begin(write=True) as transaction:
        transaction.delete(b"gone")
    environment.close()
    file = LmdbFile(tmp_path / "data.mdb")
    assert file.entries == count and list(file.keys()) == sorted(records)
    assert all(file.get(key) == value for key, value in records.items())
    assert file.get(b"") is file.get(b"zzz") is file.get(b"00000000") is None


def test_damaged_pages(tmp_path):
    _write(tmp_path, {b"%08d" % i: bytes([i]) * (7000 if i % 5 == 0 else 300) for i in range(60)})
    path = tmp_path / "data.mdb"
    original = path.read_bytes()
    random = np.random.default_rng(0)
    pages = len(original) // 4096
    refused = 0
    for _ in range(150):
        at = int(random.integers(pages)) * 4096 + int(random.integers(64))
        path.write_bytes(original[:at] + random.bytes(2) + original[at + 2 :])
        try:
            database = open_database(str(tmp_path), "lmdb")
            for key in database.keys():  # noqa: SIM118 - not a mapping
                database.get(key)
        except InputError as error:
            refused += 1
            assert "data.mdb" in str(error)
    assert refused > 10
