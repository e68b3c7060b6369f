"""The "HDF5Data" layer: order, wrapping, shuffling, seeking, and what it refuses."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import InputError


@pytest.fixture
def data(net, tmp_path):
    """`data(batch, rows per file, more)`: a net reading rows 0, 1, 2, … as `x`, and minus them as `y`."""

    def build(batch: int, counts=(3, 2), more: str = ""):
        first, files = 0, []
        for i, count in enumerate(counts):
            rows = np.arange(first, first + count)
            with h5py.File(tmp_path / f"{i}.h5", "w") as file:
                file["x"] = rows[:, None].astype(np.int64)  # whatever the type, float32 comes out
                file["y"] = -rows.astype(np.float64)
            files.append(str(tmp_path / f"{i}.h5"))
            first += count
        (tmp_path / "list.txt").write_text("\n".join(files))
        return net(
            'layer { name: "data" type: "HDF5Data" top: "x" top: "y" '
            f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: {batch} {more} }} }}'
        )

    return build


def _rows(built, batches: int) -> list[list[float]]:
    rows = []
    for _ in range(batches):
        out = built.forward()
        assert (out["y"] == -out["x"][:, 0]).all()
        rows.append(out["x"][:, 0].tolist())
    return rows


def test_batches_run_across_files_and_wrap_round(data):
    built = data(2)
    assert built.blobs["x"].shape == (2, 1)
    assert built.blobs["y"].shape == (2,)
    assert _rows(built, 4) == [[0, 1], [2, 3], [4, 0], [1, 2]]


def test_a_batch_larger_than_all_files(data):
    assert _rows(data(7), 2) == [[0, 1, 2, 3, 4, 0, 1], [2, 3, 4, 0, 1, 2, 3]]


def test_shuffling_permutes_every_pass_anew(data):
    rows = np.ravel(_rows(data(5, (20, 10), "shuffle: true"), 12)).reshape(2, 30)
    for one_pass in rows:
        assert sorted(one_pass) == list(range(30))
        assert list(one_pass) != list(range(30))
    assert list(rows[0]) != list(rows[1])


@pytest.mark.parametrize("more", ["", "shuffle: true"])
def test_seeking_goes_on_as_if_never_interrupted(data, more):
    expected = _rows(data(3, (4, 3), more), 8)
    built = data(3, (4, 3), more)
    built.layer_dict["data"].seek(5 * 3)
    assert built.layer_dict["data"].position == 15
    assert _rows(built, 3) == expected[5:]
    built.layer_dict["data"].seek(0)
    assert _rows(built, 8) == expected


def _fails(net, text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        net(f'layer {{ name: "data" type: "HDF5Data" top: "x" {text} }}')
    assert "net.prototxt:1:1: layer 'data' (HDF5Data): " in str(caught.value)
    assert expected in str(caught.value)


def test_errors(net, data, tmp_path):
    data(1)
    source = f'source: "{tmp_path}/list.txt"'
    _fails(net, f"hdf5_data_param {{ {source} }}", "batch_size is 0 or not stated, wanted a positive number")
    _fails(net, "transform_param { } hdf5_data_param { batch_size: 1 }", "does not support transform_param")
    _fails(net, 'hdf5_data_param { source: "no.txt" batch_size: 1 }', "cannot read the list of files, source: 'no.txt'")
    _fails(net, f'top: "z" hdf5_data_param {{ {source} batch_size: 1 }}', "0.h5 has no dataset 'z' (it has x, y)")
    (tmp_path / "list.txt").write_text("\n")
    _fails(net, f"hdf5_data_param {{ {source} batch_size: 1 }}", "is empty; wanted the names of .h5 files")
    (tmp_path / "list.txt").write_text("gone.h5")
    _fails(net, f"hdf5_data_param {{ {source} batch_size: 1 }}", "names, 'gone.h5': No such file")
    with h5py.File(tmp_path / "uneven.h5", "w") as file:
        file["x"], file["y"] = np.zeros(2), np.zeros(3)
    (tmp_path / "list.txt").write_text(str(tmp_path / "uneven.h5"))
    _fails(net, f'top: "y" hdf5_data_param {{ {source} batch_size: 1 }}', "the datasets have [2, 3] rows, wanted one")


def test_files_whose_rows_differ_are_named(data, tmp_path):
    built = data(2)
    with h5py.File(tmp_path / "1.h5", "w") as file:
        file["x"], file["y"] = np.zeros((2, 3)), np.zeros(2)
    built.forward()
    with pytest.raises(InputError, match=r"1\.h5: the rows of 'x' have shape \(3,\), those of .*0\.h5 \(1,\)"):
        built.forward()


@pytest.mark.parametrize("kind", ["group", "scalar", "text"])
def test_what_is_no_dataset_of_numbers_is_refused(net, tmp_path, kind):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if kind == "group":
            file.create_group("x")
        else:
            file["x"] = 3.0 if kind == "scalar" else ["a", "b"]
    (tmp_path / "list.txt").write_text(str(tmp_path / "a.h5"))
    _fails(net, f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 1 }}', "a.h5")


def test_damaged_files_are_refused(net, data, tmp_path):
    data(1)
    whole = (tmp_path / "0.h5").read_bytes()
    (tmp_path / "list.txt").write_text(str(tmp_path / "0.h5"))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(len(damaged), size=8):
            damaged[place] = rng.integers(256)
        (tmp_path / "0.h5").write_bytes(damaged)
        try:
            net(
                'layer { name: "data" type: "HDF5Data" top: "x" '
                f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 1 }} }}'
            )
        except InputError as error:
            assert "layer 'data' (HDF5Data)" in str(error)
            refused += 1
    assert refused > 100


def test_is_no_input_of_the_net(data):
    built = data(1)
    assert (built.inputs, built.outputs) == ([], ["x", "y"])
