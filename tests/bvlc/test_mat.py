"""MatWrite and MatRead of the shipped layers: files that the native layers and SciPy read, and the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from bvlc.dialects import in_bvlc, net_of, one_layer
from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.engine import install_as_caffe
from deeplab_caffe.errors import InputError

install_as_caffe()
from deeplab_layers import mat_file  # noqa: E402 - it imports caffe


def _write(text: str, *arrays: np.ndarray, bvlc: bool = True, forwards: int = 1) -> None:
    bottoms = {f"x{i}": array for i, array in enumerate(arrays)}
    ends = " ".join(f'bottom: "{name}"' for name in bottoms)
    whole = one_layer(f'layer {{ name: "layer" type: "MatWrite" {ends} mat_write_param {{ {text} }} }}', bottoms)
    net = net_of(in_bvlc(whole) if bvlc else whole)
    for name, array in bottoms.items():
        net.blobs[name].data[...] = array
    for _ in range(forwards):
        net.forward()


def _reader(text: str, tops: int = 1, bvlc: bool = True) -> caffe.Net:
    ends = " ".join(f'top: "y{i}"' for i in range(tops))
    whole = f'layer {{ name: "layer" type: "MatRead" {ends} mat_read_param {{ {text} }} }}'
    return net_of(in_bvlc(whole) if bvlc else whole)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 1, 3, 1), (4,), (2, 7)])
def test_the_same_data_as_the_native_layer_writes(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = values(*shape)
    for bvlc in (False, True):
        (tmp_path / str(bvlc)).mkdir()
        _write(f'prefix: "{tmp_path}/{bvlc}/"', array, bvlc=bvlc)
    native, ours = (scipy.io.loadmat(tmp_path / str(b) / "iter_0_blob_0.mat")["data"] for b in (False, True))
    assert ours.dtype == np.float32 and np.array_equal(ours, native)
    assert [path.name for path in (tmp_path / "True").iterdir()] == ["iter_0_blob_0.mat"]


def test_names_and_periods(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.jpg x\nb.jpg y\nc.jpg z\n")
    listed = f'prefix: "{tmp_path}/" source: "{tmp_path}/list.txt" strip: 4 period: 2'
    _write(listed, values(1, 2, 2, 2), values(1, 1), forwards=3)
    written = {f"{name}_blob_{i}.mat" for name in "ac" for i in (0, 1)}
    assert {path.name for path in tmp_path.glob("*.mat")} == written
    with pytest.raises(InputError, match="forward 4 .from 0. has no name"):
        _write(listed, values(1, 1, 1, 1), forwards=5)


def test_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\nb\nc\n")
    arrays = [values(1, 2, 3, 4, seed=i) for i in range(3)]
    for name, array in zip("abc", arrays, strict=True):
        scipy.io.savemat(tmp_path / f"{name}_blob_0.mat", {"data": array.astype(np.float32).transpose(3, 2, 1, 0)})
        scipy.io.savemat(tmp_path / f"{name}_blob_1.mat", {"data": array.transpose(3, 2, 1, 0)}, do_compression=True)
    listed = f'prefix: "{tmp_path}/" source: "{tmp_path}/list.txt" batch_size: 2'
    nets = [_reader(listed, tops=2, bvlc=bvlc) for bvlc in (False, True)]
    for _ in range(3):
        tops = [{k: v.copy() for k, v in net.forward().items()} for net in nets]
        assert all(np.array_equal(tops[0][name], tops[1][name]) for name in ("y0", "y1"))
    assert np.array_equal(tops[1]["y0"][1], arrays[2][0].astype(np.float32))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 3), np.int32), "not of class single or double"),
        (np.zeros((2, 3, 1, 2), np.float32), r"dims \(2, 3, 1, 2\), expected"),
        ("text", "not of class single or double"),
    ],
)
def test_variables_that_do_not_fit(value: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\n")
    scipy.io.savemat(tmp_path / "a_blob_0.mat", {"data": value})
    with pytest.raises(InputError, match=message):
        _reader(f'prefix: "{tmp_path}/" source: "{tmp_path}/list.txt"')


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\n")
    path = tmp_path / "a_blob_0.mat"

    def failure() -> str:
        with pytest.raises(InputError) as caught:
            _reader(f'prefix: "{tmp_path}/" source: "{tmp_path}/list.txt"')
        return str(caught.value)

    assert "cannot read" in failure() and "No such file" in failure()
    path.write_bytes(b"nothing")
    assert "is not a MAT file of version 5" in failure()
    scipy.io.savemat(path, {"other": np.zeros(3)})
    assert "has no variable 'data'" in failure()
    for compressed in (False, True):
        scipy.io.savemat(path, {"data": values(3, 4).astype(np.float32)}, do_compression=compressed)
        whole = path.read_bytes()
        for length in range(130, len(whole) - 1, 7):
            path.write_bytes(whole[:length])
            assert "a_blob_0.mat" in failure()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(old: str, new: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mat_file.os, "rename", full)
    with pytest.raises(InputError, match="cannot write .*: No space left on device"):
        _write(f'prefix: "{tmp_path}/"', values(1, 1, 1, 1))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="there is no folder"):
        _write(f'prefix: "{tmp_path}/gone/"', values(1, 1, 1, 1))
