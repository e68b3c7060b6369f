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
    assert found["Segmentation"].tolist() == np.eye(3).tolist() and found["Name"] is None
    assert found["More"]["Deep"].tolist() == [[1, 1]]


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


@pytest.mark.parametrize("compressed", [False, True])
def test_each_byte_changed(tmp_path, compressed):
    """SciPy's reader ends the process for some of these."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"data": np.arange(60, dtype=np.float32).reshape(5, 4, 3)}, do_compression=compressed)
    original = path.read_bytes()
    for at in range(len(original)):
        for value in (0, 255):
            path.write_bytes(original[:at] + bytes([value]) + original[at + 1 :])
            try:
                read_mat(path, "data")
            except InputError as error:
                assert "a.mat" in str(error)
