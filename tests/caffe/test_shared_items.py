"""Solvers that train together share out the items of their data layers: N of batch n see what one of N · n sees."""

from __future__ import annotations

import cv2
import h5py
import numpy as np
import pytest

from deeplab_caffe import caffe
from stores import datum, pixels, write_lmdb

_LAYERS = {
    "ImageSegData": 'image_data_param { source: "seg.txt" root_folder: "./" label_type: PIXEL shuffle: true BATCH } '
    "transform_param { crop_size: 4 mirror: true scale_factors: [0.5, 1] }",
    "ImageData": 'image_data_param { source: "images.txt" shuffle: true rand_skip: 4 BATCH } '
    "transform_param { crop_size: 4 mirror: true }",
    "Data": 'data_param { source: "db" backend: LMDB BATCH } transform_param { mirror: true }',
    "HDF5Data": 'hdf5_data_param { source: "h5.txt" shuffle: true BATCH }',
    "WindowData": 'window_data_param { source: "windows.txt" fg_fraction: 0.5 BATCH } transform_param { crop_size: 4 }',
}


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    """Five items for each kind of layer."""
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        cv2.imwrite(f"{i}.png", pixels(6, 6, 3, seed=i))
        cv2.imwrite(f"{i}_label.png", np.full((6, 6), i, np.uint8))
    (tmp_path / "seg.txt").write_text("".join(f"{i}.png {i}_label.png\n" for i in range(5)))
    (tmp_path / "images.txt").write_text("".join(f"{i}.png {i}\n" for i in range(5)))
    windows = "1 0.9 0 0 4 4\n2 0.8 1 1 5 5\n0 0.1 1 0 5 4\n0 0.2 0 0 3 3\n"
    (tmp_path / "windows.txt").write_text("".join(f"# {i}\n{i}.png\n3\n6\n6\n4\n{windows}" for i in range(5)))
    write_lmdb(tmp_path / "db", [datum(pixels(3, 4, 4, seed=i), i) for i in range(5)])
    with h5py.File("rows.h5", "w") as file:
        file["data"], file["label"] = pixels(5, 3), np.arange(5)
    (tmp_path / "h5.txt").write_text("rows.h5")


@pytest.fixture
def solvers():
    """`solvers(count, rank)` makes this process one of several."""

    def become(count: int, rank: int) -> None:
        caffe.set_solver_count(count)
        caffe.set_solver_rank(rank)

    yield become
    become(1, 0)


def _batches(net, kind: str, batch: int, phase: int = caffe.TRAIN, seek: int = 0) -> list[np.ndarray]:
    """Data of three batches, and the labels behind them."""
    definition = _LAYERS[kind].replace("BATCH", f"batch_size: {batch}")
    built = net(f'layer {{ name: "source" type: "{kind}" top: "data" top: "label" {definition} }}', phase)
    built.layers[0].seek(seek)
    found = []
    for _ in range(3):
        built.forward()
        data, labels = (built.blobs[name].data.reshape(batch, -1) for name in ("data", "label"))
        found.append(np.hstack([data, labels]))
    built.close()
    return found


@pytest.mark.parametrize("kind", _LAYERS)
@pytest.mark.parametrize("seek", [0, 8])
def test_two_of_batch_2_see_what_one_of_batch_4_sees(net, solvers, kind, seek):
    whole = _batches(net, kind, 4, seek=seek)
    for rank in range(2):
        solvers(2, rank)
        for own, all_ in zip(_batches(net, kind, 2, seek=seek), whole, strict=True):
            np.testing.assert_array_equal(own, all_[rank::2])


def test_three_of_them(net, solvers):
    whole = _batches(net, "ImageSegData", 6)
    solvers(3, 2)
    for own, all_ in zip(_batches(net, "ImageSegData", 2), whole, strict=True):
        np.testing.assert_array_equal(own, all_[2::3])


def test_the_position_counts_the_items_of_all(net, solvers):
    solvers(2, 1)
    definition = _LAYERS["ImageSegData"].replace("BATCH", "batch_size: 3")
    built = net(f'layer {{ name: "source" type: "ImageSegData" top: "data" top: "label" {definition} }}', caffe.TRAIN)
    built.forward()
    assert built.layers[0].position == 6
    built.close()


@pytest.mark.parametrize("kind", ["ImageSegData", "HDF5Data"])
def test_a_test_net_sees_all_items(net, solvers, kind):
    whole = _batches(net, kind, 2, caffe.TEST)
    solvers(2, 1)
    np.testing.assert_array_equal(_batches(net, kind, 2, caffe.TEST), whole)
