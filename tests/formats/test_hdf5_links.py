"""HDF5 files that lead out of themselves or in circles are refused."""

from __future__ import annotations

import time

import h5py
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.weights_hdf5 import read_caffemodel, read_solverstate


def _linked(file):
    for depth in range(30):
        file.create_group(f"data/g{depth}")
    for depth in range(29):
        for name in ("a", "b", "c"):
            file[f"data/g{depth}/{name}"] = file[f"data/g{depth + 1}"]
    file["data/g29/a"] = file["data/g0"]


def _external_values(file):
    secret = file.filename.replace("w.h5", "secret")
    file.create_group("data/conv").create_dataset("0", (4,), "u1", external=[(secret, 0, 4)])


def _external_link(file):
    file.create_group("data/conv")["0"] = h5py.ExternalLink("other.h5", "/x")


def _virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_group("data/conv").create_virtual_dataset("0", layout)


def _named_type(file):
    file["data/conv/0"] = np.dtype("f4")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (_linked, "is linked in several places"),
        (_external_values, "values outside the file"),
        (_external_link, "is a link"),
        (_virtual, "values outside the file"),
        (_named_type, "'/data/conv/0' is a Datatype; expected a dataset"),
    ],
)
def test_refused(tmp_path, make, what):
    (tmp_path / "secret").write_bytes(b"root")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(4, np.float32)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        make(file)
    start = time.process_time()
    with pytest.raises(InputError, match=rf"w\.h5: .*{what}"):
        read_caffemodel(tmp_path / "w.h5")
    assert time.process_time() - start < 1


def test_a_state_and_a_data_layer(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(16))
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["current_step"] = [0]
        file.create_group("history")
        file.create_dataset("iter", (1,), "i4", external=[(str(tmp_path / "secret"), 0, 4)])
        file.create_dataset("data", (2, 2), "f4", external=[(str(tmp_path / "secret"), 0, 16)])
    with pytest.raises(InputError, match=r"s\.h5: '/\w+' has its values outside the file"):
        read_solverstate(tmp_path / "s.h5")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/s.h5\n")
    source = f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 1 }}'
    (tmp_path / "net.prototxt").write_text(f'layer {{ name: "d" type: "HDF5Data" top: "data" {source} }}')
    with pytest.raises(InputError, match=r"s\.h5: '/data' has its values outside the file"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
