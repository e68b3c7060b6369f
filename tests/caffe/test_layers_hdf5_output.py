"""The "HDF5Output" layer."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import InputError


@pytest.fixture
def output(layer, tmp_path):
    """`output(data, label, name)`: a net that writes the arrays to a file of that name, after one forward."""

    def build(data, label, name="out.h5", **arguments):
        file = f'hdf5_output_param {{ file_name: "{tmp_path / name}" }}' if name else ""
        # Silence makes the fixture state no top.
        return layer(f'type: "HDF5Output" {file}  # no top: Silence\n', data, label, **arguments)

    return build


def test_writes_four_axes_and_what_is_read_back(output, tmp_path, net):
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    output(data, np.array([5.0, 6.0]))
    with h5py.File(tmp_path / "out.h5") as file:
        assert sorted(file) == ["data", "label"]
        assert file["data"].dtype == np.float32
        assert file["label"].shape == (2, 1, 1, 1)
        np.testing.assert_array_equal(file["data"], data.reshape(2, 3, 1, 1))
    (tmp_path / "list.txt").write_text(str(tmp_path / "out.h5"))
    built = net(
        'layer { name: "back" type: "HDF5Data" top: "data" top: "label" '
        f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 2 }} }}'
    )
    built.forward()
    assert built.blobs["label"].data.ravel().tolist() == [5, 6]


def test_an_old_file_is_replaced_by_the_first_forward(output, tmp_path):
    (tmp_path / "out.h5").write_bytes(b"old")
    built = output(np.zeros((1, 2)), np.zeros(1), run=False)
    assert (tmp_path / "out.h5").read_bytes() == b"old"
    built.forward()
    with h5py.File(tmp_path / "out.h5") as file:
        assert sorted(file) == ["data", "label"]
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".h5"] == ["out.h5"]


def test_a_second_forward_is_an_error_and_keeps_the_file(output, tmp_path):
    built = output(np.ones((1, 2)), np.zeros(1))
    before = (tmp_path / "out.h5").read_bytes()
    with pytest.raises(InputError, match=r"layer 'layer' \(HDF5Output\): .*out\.h5 has its datasets already"):
        built.forward()
    assert (tmp_path / "out.h5").read_bytes() == before


def test_no_gradient(output):
    built = output(np.ones((1, 2)), np.zeros(1), back=True)
    built.backward()
    assert not built.blobs["in0"].diff.any()


def test_errors(output, tmp_path):
    one = np.zeros(1)
    with pytest.raises(InputError, match="has no file_name"):
        output(one, one, name="")
    with pytest.raises(InputError, match=r"bottoms \(2,\) and \(1,\) differ in the number of items"):
        output(np.zeros(2), one)
    with pytest.raises(InputError, match=r"a bottom of shape \(1, 1, 1, 1, 1\), wanted at most 4 axes"):
        output(np.zeros((1,) * 5), one)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"layer 'layer' \(HDF5Output\): cannot write file_name '.*/file/out\.h5'"):
        output(one, one, name="file/out.h5")
