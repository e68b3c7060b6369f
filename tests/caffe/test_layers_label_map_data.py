"""DenseImageData (SegNet) and ImageLabelmapData (HED): images with label maps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe.errors import InputError

_MESSAGES = {"DenseImageData": "dense_image_data_param", "ImageLabelmapData": "image_data_param"}


@pytest.fixture
def data(net, tmp_path):
    """`data(kind, more)`: (images, labels, tops of a batch of both) of two images of 4 x 6."""

    def build(kind: str, more: str = "", transform: str = "", label: np.ndarray | None = None):
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (2, 4, 6, 3), np.uint8)
        labels = random.integers(0, 256, (2, 4, 6), np.uint8) if label is None else np.stack([label, label])
        for i in (0, 1):
            cv2.imwrite(str(tmp_path / f"{i}.png"), images[i])
            cv2.imwrite(str(tmp_path / f"label{i}.png"), labels[i])
        (tmp_path / "list.txt").write_text("0.png label0.png\n1.png label1.png\n")
        stated = f'source: "{tmp_path}/list.txt" root_folder: "{tmp_path}/" batch_size: 2 {more}'
        built = net(
            f'layer {{ name: "d" type: "{kind}" top: "data" top: "label" {_MESSAGES[kind]} {{ {stated} }} '
            f"transform_param {{ {transform} }} }}"
        )
        built.forward()
        return images, labels, built.blobs["data"].data, built.blobs["label"].data

    return build


def test_images_and_class_labels(data):
    images, labels, x, y = data("DenseImageData", transform="mean_value: 10 scale: 0.5")
    np.testing.assert_array_equal(x, (images.transpose(0, 3, 1, 2).astype(np.float32) - 10) * 0.5)
    np.testing.assert_array_equal(y, labels[:, None])


def test_labels_are_resized_to_the_nearest(data):
    label = np.repeat(np.repeat([[1, 2, 3], [4, 5, 255]], 2, 0), 2, 1).astype(np.uint8)
    *_, x, y = data("DenseImageData", "new_height: 2 new_width: 3", label=label)
    assert x.shape == (2, 3, 2, 3)
    np.testing.assert_array_equal(y[0, 0], [[1, 2, 3], [4, 5, 255]])


def test_edge_maps_become_0_and_1(data):
    label = np.array([[0, 127, 128, 255, 0, 0]] * 4, np.uint8)
    *_, y = data("ImageLabelmapData", label=label)
    np.testing.assert_array_equal(y[1, 0, 0], [0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize("kind", _MESSAGES)
def test_what_is_refused(data, kind):
    with pytest.raises(InputError, match="does not support mirror, .* use ImageSegData"):
        data(kind, transform="mirror: true")
    with pytest.raises(InputError, match="only one of new_height and new_width"):
        data(kind, "new_height: 3")
    with pytest.raises(InputError, match=r"list.txt:1: label label0.png is 5×4 pixels, its image 0.png 6×4"):
        data(kind, label=np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="transform_param states resize_param, of SSD's Caffe"):
        data(kind, transform="resize_param { height: 3 width: 3 }")
