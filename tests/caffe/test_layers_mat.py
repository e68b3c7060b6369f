"""MatWrite and MatRead: the layout of the files, names, periods, wrapping round, error messages."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from cases import values
from deeplab_caffe.errors import InputError


@pytest.fixture
def write(layer, tmp_path):
    """`write(more, *arrays)`: a net with MatWrite into the test's folder, not run."""
    return lambda more, *arrays: layer(
        f'top: [] type: "MatWrite" mat_write_param {{ prefix: "{tmp_path}/" {more} }}', *arrays, run=False
    )


@pytest.fixture
def read(net, tmp_path):
    """`read(more, names, tops=1)`: a net with MatRead from the test's folder, its list being the lines `names`."""

    def build(more: str, names: list[str], tops: int = 1):
        (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in names))
        ends = " ".join(f'top: "y{i}"' for i in range(tops))
        param = f'mat_read_param {{ prefix: "{tmp_path}/" source: "{tmp_path}/names.txt" {more} }}'
        return net(f'layer {{ name: "layer" type: "MatRead" {ends} {param} }}')

    return build


def _save(path, array):
    """(C, H, W) as MATLAB would keep it."""
    scipy.io.savemat(path, {"data": np.asarray(array, np.float32).transpose(2, 1, 0)})


def test_the_file_is_the_blobs_memory(write, tmp_path):
    x = values(2, 3, 4, 5)
    write("", x).forward()
    path = tmp_path / "iter_0_blob_0.mat"
    data = scipy.io.loadmat(path)["data"]
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data.transpose(3, 2, 1, 0), x.astype(np.float32))
    raw = path.read_bytes()
    assert raw.startswith(b"MATLAB 5.0 MAT-file")
    assert raw[124:128] == b"\x00\x01IM"  # version 0x0100, little-endian
    assert raw.endswith(x.astype("<f4").tobytes())  # uncompressed, column-major [W, H, C, N]


def test_fewer_axes_have_size_one_behind(write, tmp_path):
    write("", values(2, 3), values(4)).forward()
    assert scipy.io.loadmat(tmp_path / "iter_0_blob_0.mat")["data"].shape == (1, 1, 3, 2)
    assert scipy.io.loadmat(tmp_path / "iter_0_blob_1.mat")["data"].shape == (1, 1, 1, 4)


def test_period_and_list(write, tmp_path):
    """The name is that of the forward, not of the file."""
    (tmp_path / "list.txt").write_text("im0.jpg 1\nim1.jpg 2\nim2.jpg\n")
    net = write(f'period: 2 strip: 4 source: "{tmp_path}/list.txt"', values(1, 1, 1, 2))
    for _ in range(3):
        net.forward()
    assert sorted(p.name for p in tmp_path.glob("*.mat")) == ["im0_blob_0.mat", "im2_blob_0.mat"]
    net.forward()  # 3 is no multiple of the period
    with pytest.raises(InputError, match=r"forward 4 \(from 0\) has no name: the list '.*' has 3"):
        net.forward()


def test_names_count_forwards_without_a_list(write, tmp_path):
    net = write("period: 3", values(1, 1))
    for _ in range(4):
        net.forward()
    assert sorted(p.name for p in tmp_path.glob("*.mat")) == ["iter_0_blob_0.mat", "iter_3_blob_0.mat"]


def test_what_was_written_is_read(write, read):
    x = values(1, 2, 3, 4), values(1, 1, 1, 1)
    write("", *x).forward()
    net = read("", ["iter_0"], tops=2)
    net.forward()
    for i in range(2):
        np.testing.assert_array_equal(net.blobs[f"y{i}"].data, x[i].astype(np.float32))


def test_batches_wrap_round(read, tmp_path):
    for k in range(3):
        _save(tmp_path / f"im{k}_blob_0.mat", np.full((2, 1, 2), k))
    net = read("batch_size: 2 strip: 4", [f"im{k}.png 7" for k in range(3)])
    assert net.blobs["y0"].shape == (2, 2, 1, 2)
    seen = [net.forward()["y0"][:, 0, 0, 0].tolist() for _ in range(3)]
    assert seen == [[0, 1], [2, 0], [1, 2]]
    net.layer_dict["layer"].seek(4)
    assert net.forward()["y0"][:, 0, 0, 0].tolist() == [1, 2]


def test_a_failure_leaves_no_file(write, tmp_path, monkeypatch):
    def broken(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scipy.io, "savemat", broken)
    with pytest.raises(InputError, match=r"cannot write '.*iter_0_blob_0.mat': No space left on device"):
        write("", values(1, 1)).forward()
    assert list(tmp_path.glob("*.mat")) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("period: 0", "period is 0, wanted a positive number"),
        ("strip: -1 source: 'FOLDER/list.txt'", "strip is -1, wanted 0 or more"),
        ("source: 'FOLDER/none.txt'", "none.txt': No such file or directory"),
        ("source: 'FOLDER/empty.txt'", "is empty; wanted a name on each line"),
        ("source: 'FOLDER/list.txt' strip: 4", "list.txt:2: 'b.png' is not longer than the 5"),
    ],
)
def test_write_errors(write, tmp_path, more, expected):
    (tmp_path / "list.txt").write_text("abc.png\nb.png\n")
    (tmp_path / "empty.txt").write_text("\n")
    more = more.replace("FOLDER", str(tmp_path)).replace("strip: 4", "strip: 5")
    with pytest.raises(InputError) as caught:
        write(more, values(1, 1)).forward()
    assert "layer 'layer' (MatWrite): " in str(caught.value)
    assert expected in str(caught.value)


def test_write_wants_a_folder_and_at_most_four_axes(layer, write, tmp_path):
    text = f'top: [] type: "MatWrite" mat_write_param {{ prefix: "{tmp_path}/none/x_" }}'
    with pytest.raises(InputError, match=r"the folder '.*none' does not exist; create it first"):
        layer(text, values(1, 1))
    with pytest.raises(InputError, match=r"bottom 'in0' \(1, 1, 1, 1, 1\) has 5 axes, wanted at most 4"):
        write("", values(1, 1, 1, 1, 1))
    with pytest.raises(InputError, match="prefix is missing"):
        layer('top: [] type: "MatWrite"', values(1, 1))


def _spoil(path, how: str) -> None:
    if how == "text":
        path.write_text("no MAT file, but long enough for a header " * 10)
    else:
        content = {
            "name": {"other": np.zeros((1, 1), np.float32)},
            "class": {"data": np.zeros((1, 1), np.int32)},
            "items": {"data": np.zeros((2, 2, 1, 3), np.float32)},
            "axes": {"data": np.zeros((1, 1, 1, 1, 2), np.float32)},
        }[how]
        scipy.io.savemat(path, content)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("text", "is not a MAT file of version 5"),
        ("name", "has no variable 'data'"),
        ("class", "data is int32 with 2 axes, wanted single with at most 4 axes [W, H, C, N]"),
        ("items", "holds 3 items, wanted 1"),
        ("axes", "data is float32 with 5 axes, wanted single"),
    ],
)
def test_files_that_cannot_be_read(read, tmp_path, how, expected):
    _spoil(tmp_path / "a_blob_0.mat", how)
    with pytest.raises(InputError) as caught:
        read("", ["a"])
    assert "layer 'layer' (MatRead): " in str(caught.value)
    assert expected in str(caught.value)


def test_read_errors(read, net, tmp_path):
    with pytest.raises(InputError, match=r"cannot read '.*/a_blob_0.mat': No such file"):
        read("", ["a"])
    with pytest.raises(InputError, match="batch_size is 0, wanted a positive number"):
        read("batch_size: 0", ["a"])
    with pytest.raises(InputError, match="source, the list of names, is missing"):
        net('layer { name: "layer" type: "MatRead" top: "y" mat_read_param { prefix: "x" } }')
    with pytest.raises(InputError, match="prefix is missing"):
        net('layer { name: "layer" type: "MatRead" top: "y" }')
    _save(tmp_path / "a_blob_0.mat", np.zeros((1, 2, 3)))
    _save(tmp_path / "b_blob_0.mat", np.zeros((1, 3, 2)))
    made = read("", ["a", "b"])
    made.forward()
    with pytest.raises(InputError, match=r"b_blob_0.mat' is \(1, 3, 2\) \(C, H, W\), the first was \(1, 2, 3\)"):
        made.forward()
