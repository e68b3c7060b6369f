"""Stores and lists that tests of the data layers write and read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import lmdb
import numpy as np

from deeplab_caffe import caffe
from deeplab_caffe.formats.datum import array_to_datum


def write_lmdb(path: Path, values: Iterable[bytes], first: int = 0) -> Path:
    """An LMDB of records under the keys 00000000, 00000001, …"""
    environment = lmdb.open(str(path), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for i, value in enumerate(values, first):
            transaction.put(f"{i:08d}".encode(), value)
    environment.close()
    return path


def datum(array: np.ndarray, label: int = 0) -> bytes:
    """The record of an array (C, H, W)."""
    return array_to_datum(array, label).SerializeToString()


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Random uint8 values."""
    return np.random.default_rng([seed, *shape]).integers(0, 256, shape, dtype=np.uint8)


def write_images(folder: Path, images: Iterable[np.ndarray]) -> list[Path]:
    """PNGs 'image 0.png', 'image 1.png', … (a blank in each name) of arrays (H, W, 3) or (H, W)."""
    paths = []
    for i, image in enumerate(images):
        paths.append(folder / f"image {i}.png")
        assert cv2.imwrite(str(paths[-1]), image)
    return paths


def batches(net: caffe.Net, count: int) -> list[dict[str, np.ndarray]]:
    """Copies of all blobs after each of some forwards."""
    result = []
    for _ in range(count):
        net.forward()
        result.append({name: blob.data.copy() for name, blob in net.blobs.items()})
    return result


def check_resume(make, count: int = 6, at: int = 2) -> None:
    """A net that `make()` builds gives the same batches once more, after a seek, and reading ahead by one batch."""
    caffe.set_random_seed(7)
    first = make()
    expected = batches(first, count)
    layer = first.layers[0]
    size = layer.position // count
    layer.seek(at * size)
    again = batches(first, count - at)
    first.close()
    resumed = make()
    batches(resumed, 1)
    resumed.layers[0].seek(at * size)
    fresh = batches(resumed, count - at)
    assert resumed.layers[0].position == count * size
    resumed.close()
    for other in (again, fresh):
        for ours, theirs in zip(other, expected[at:], strict=True):
            for name, values in theirs.items():
                np.testing.assert_array_equal(ours[name], values)
