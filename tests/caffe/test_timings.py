"""The file of how long algorithms took: used where it can be, done without where not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from deeplab_caffe.caffe.plan.timings import Timings

RATES = {"direct": 2e-6, "winograd 4": 3e-5}


def test_what_one_process_measured_another_finds(tmp_path):
    Timings(tmp_path).add("a", 1000, RATES)
    again = Timings(tmp_path)
    assert again.find("a", 1000) == again.find("a", 1249) == again.find("a", 801) == RATES
    assert again.find("a", 1251) is again.find("a", 799) is again.find("b", 1000) is None


def test_the_nearest_size_counts():
    timings = Timings()
    timings.add("a", 1000, RATES)
    timings.add("a", 1200, {"direct": 1e-6})
    assert timings.find("a", 1080) == RATES and timings.find("a", 1120) == {"direct": 1e-6}


def _file(folder):
    (path,) = folder.glob("convolutions-*.json")
    return path


def _content(**changes):
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[" * 100000,
        lambda text: "[1, 2]",
        lambda text: text.replace("2e-06", '"fast"'),
        lambda text: text.replace("2e-06", "NaN"),
        lambda text: text.replace("2e-06", "0"),
        lambda text: text.replace('"1000"', '"many"'),
        lambda text: text + " " * (5 << 20),
        _content(seconds=[]),
        _content(seconds={"a": 3}),
        _content(**{"made with": "another processor"}),
    ],
)
def test_a_damaged_or_foreign_file_is_done_without_and_replaced(tmp_path, damage):
    Timings(tmp_path).add("a", 1000, RATES)
    path = _file(tmp_path)
    path.write_text(damage(path.read_text()))
    timings = Timings(tmp_path)
    assert timings.find("a", 1000) is None
    timings.add("b", 1000, RATES)
    assert Timings(tmp_path).find("b", 1000) == RATES


def test_a_file_that_is_not_text_is_done_without(tmp_path):
    Timings(tmp_path).add("a", 1000, RATES)
    _file(tmp_path).write_bytes(b"\xff\xfe\x00")
    assert Timings(tmp_path).find("a", 1000) is None


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    timings = Timings(tmp_path / "file" / "folder")
    timings.add("a", 1000, RATES)
    assert timings.find("a", 1000) == RATES


def test_writers_keep_what_others_wrote(tmp_path):
    one, two = Timings(tmp_path), Timings(tmp_path)
    assert one.find("a", 1000) is two.find("a", 1000) is None
    one.add("a", 1000, RATES)
    two.add("b", 1000, RATES)
    one.add("a", 3000, RATES)
    found = Timings(tmp_path)
    assert found.find("a", 1000) == found.find("b", 1000) == found.find("a", 3000) == RATES


def test_the_file_is_whole_while_many_write(tmp_path):
    writers = [Timings(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: writers[i % 4].add(f"{i}", 1000, RATES), range(40)))
    known = json.loads(_file(tmp_path).read_text())["seconds"]
    assert known and all(sizes == {"1000": RATES} for sizes in known.values())
    assert [path.name for path in tmp_path.iterdir()] == [_file(tmp_path).name], "no temporary file is left"
