"""MATLAB files: what SciPy writes and reads, and a clear error for every damaged byte."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.mat_files import read_mat

TYPES = ["f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_as_scipy(tmp_path, kind, compressed):
    values = np.arange(24).reshape(2, 3, 4).astype(kind)
    content = {"other": np.zeros(3), "data": values, "text": "abc", "cells": np.array([1, "a"], object)}
    scipy.io.savemat(tmp_path / "a.mat", content, do_compression=compressed)
    found = read_mat(tmp_path / "a.mat", "data")
    np.testing.assert_array_equal(found, scipy.io.loadmat(tmp_path / "a.mat")["data"], strict=True)


def test_a_struct(tmp_path):
    inner = {"Segmentation": np.eye(3, dtype=np.uint8), "Name": "abc", "More": {"Deep": np.ones((1, 2))}}
    scipy.io.savemat(tmp_path / "a.mat", {"GTcls": inner}, do_compression=True)
    found = read_mat(tmp_path / "a.mat", "GTcls")
    assert found["Segmentation"].tolist() == np.eye(3).tolist() and found["Name"] == "abc"
    assert found["More"]["Deep"].tolist() == [[1, 1]]


def struct_array(*rows):
    """A MATLAB struct array: its elements have the same fields."""
    array = np.zeros((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_of_structs_within_a_struct(tmp_path, compressed):
    """As PASCAL-Part nests them: anno.objects(2).parts(1).mask."""
    masks = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)
    parts = struct_array({"part_name": "lear", "mask": masks[0]}, {"part_name": "hair", "mask": masks[1]})
    objects = struct_array(
        {"class": "person", "class_ind": 15.0, "mask": masks[2], "parts": parts},
        {"class": "bottle", "class_ind": 5.0, "mask": masks[2] > 0, "parts": []},
    )
    anno = struct_array({"imname": "2008_ä", "objects": objects, "cells": np.array([1, "a"], object)})
    scipy.io.savemat(tmp_path / "a.mat", {"anno": anno}, do_compression=compressed)
    found = read_mat(tmp_path / "a.mat", "anno")
    assert found["imname"] == "2008_ä" and found["cells"] is None
    person, bottle = found["objects"]
    assert (person["class"], bottle["class"]) == ("person", "bottle") and person["class_ind"] == 15
    np.testing.assert_array_equal(person["mask"], masks[2], strict=True)
    assert bottle["mask"].astype(bool).tolist() == (masks[2] > 0).tolist() and not bottle["parts"].size
    assert [part["part_name"] for part in person["parts"]] == ["lear", "hair"]
    assert [part["mask"].tolist() for part in person["parts"]] == [masks[0].tolist(), masks[1].tolist()]


def test_empty_structs_and_text(tmp_path):
    empty = np.zeros((1, 0), [("name", object)])
    scipy.io.savemat(tmp_path / "a.mat", {"data": {"none": empty, "text": "", "rows": np.array(["ab", "cd"])}})
    with pytest.raises(InputError, match=r"a\.mat: .* text of dims \[2, 2\]"):
        read_mat(tmp_path / "a.mat", "data")
    scipy.io.savemat(tmp_path / "a.mat", {"data": {"none": empty, "text": "", "some": "x"}})
    assert read_mat(tmp_path / "a.mat", "data") == {"none": [], "text": "", "some": "x"}


def test_a_small_file_does_not_take_the_memory(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"data": np.zeros(10**6)}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 10**4
    with pytest.raises(InputError, match=r"a\.mat: .*a variable of 8000\d\d\d bytes; expected at most 5000000"):
        read_mat(tmp_path / "a.mat", "data", 5 * 10**6)
    assert read_mat(tmp_path / "a.mat", "data", 10**7).shape == (1, 10**6)


@pytest.mark.parametrize(
    ("value", "what"),
    [(np.array([1j]), "not an array of real numbers"), ("text", "not an array of real"), ({"a": [{}, {}]}, "")],
)
def test_other_kinds(tmp_path, value, what):
    scipy.io.savemat(tmp_path / "a.mat", {"data": value})
    if what:
        with pytest.raises(InputError, match=what):
            read_mat(tmp_path / "a.mat", "data")
    else:
        assert read_mat(tmp_path / "a.mat", "data") == {"a": None}


def test_no_such_variable_and_other_versions(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"other": np.zeros(3)})
    with pytest.raises(InputError, match=r"a\.mat: has no variable 'data'"):
        read_mat(tmp_path / "a.mat", "data")
    with h5py.File(tmp_path / "b.mat", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(InputError, match=r"b\.mat: a MAT file of version 7\.3; expected version 5"):
        read_mat(tmp_path / "b.mat", "data")
    with pytest.raises(InputError, match=r"none\.mat: cannot read the file: No such file"):
        read_mat(tmp_path / "none.mat", "data")


_ARRAY = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
_STRUCTS = {"objects": struct_array({"class": "person", "mask": _ARRAY}, {"class": "cat", "mask": _ARRAY})}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("value", [_ARRAY, _STRUCTS], ids=["array", "structs"])
def test_each_byte_changed(tmp_path, compressed, value):
    """SciPy's reader ends the process for some of these."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"data": value}, do_compression=compressed)
    original = path.read_bytes()
    for at in range(len(original)):
        for value in (0, 255):
            path.write_bytes(original[:at] + bytes([value]) + original[at + 1 :])
            try:
                read_mat(path, "data")
            except InputError as error:
                assert "a.mat" in str(error)
