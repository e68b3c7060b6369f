"""Files come whole or not at all, with the rights that the user's mask leaves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from deeplab_caffe.files import cpus, replacing, reserve, write_text


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError), replacing(tmp_path / "a.txt") as path:
        path.write_text("half")
        raise ValueError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_room_is_reserved_where_the_file_system_can(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"begin")
    reserve(tmp_path / "a", 10)
    assert (tmp_path / "a").read_bytes() == b"begin" + bytes(5)
    refusal = [errno.EOPNOTSUPP]

    def refuse(*_):
        raise OSError(refusal[0], os.strerror(refusal[0]))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    reserve(tmp_path / "a", 20)
    assert (tmp_path / "a").stat().st_size == 20
    refusal[0] = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        reserve(tmp_path / "a", 30)


@pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")
def test_threads_keep_the_mask(tmp_path):
    script = (
        "import os, sys; os.umask(0o027)\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from deeplab_caffe.files import write_text\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(lambda i: write_text(f'{sys.argv[1]}/{i}', 'x'), range(200)))\n"
        "assert os.umask(0) == 0o027\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


@pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")
def test_a_library_that_puts_its_own_file_changes_no_rights(tmp_path):
    before = os.umask(0o027)
    try:
        for mode in (0o640, 0o604):
            with replacing(tmp_path / "a") as path:
                (tmp_path / "b").write_text("new")
                (tmp_path / "b").chmod(0o600)
                (tmp_path / "b").rename(path)
            assert (tmp_path / "a").stat().st_mode & 0o777 == mode
            (tmp_path / "a").chmod(0o604)
    finally:
        os.umask(before)


def test_processors_that_may_be_used():
    assert 1 <= cpus() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_setaffinity"):
        with ThreadPoolExecutor(1) as pool:  # a thread is bound by itself
            one = min(os.sched_getaffinity(0))
            assert pool.submit(lambda: os.sched_setaffinity(0, {one}) or cpus()).result() == 1
