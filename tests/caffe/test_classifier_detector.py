"""caffe.Classifier and caffe.Detector on a net whose scores are the mean of each channel."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }
layer { name: "scale" type: "Scale" bottom: "data" top: "scale" }
layer { name: "pool" type: "Pooling" bottom: "scale" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "score" type: "Flatten" bottom: "pool" top: "score" }
"""


@pytest.fixture
def files(net, tmp_path):
    """Definition and weights."""
    built = net(_NET)
    built.params["scale"][0].data[...] = 1
    built.save(tmp_path / "w.caffemodel")
    return str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")


@pytest.fixture
def image():
    return np.random.default_rng(0).random((10, 12, 3)).astype(np.float32)


def test_classifier_centre_crop_and_ten_crops(files, image):
    classifier = caffe.Classifier(*files, image_dims=(8, 10), raw_scale=255, channel_swap=(2, 1, 0))
    resized = caffe.io.resize_image(image, (8, 10))
    centre = classifier.predict([image], oversample=False)
    np.testing.assert_allclose(centre, [resized[1:7, 2:8, ::-1].mean((0, 1)) * 255], rtol=1e-4)
    crops = [resized[y : y + 6, x : x + 6, ::-1].mean((0, 1)) for y, x in [(0, 0), (0, 4), (2, 0), (2, 4), (1, 2)]]
    ten = classifier.predict([image, image])  # 20 crops in batches of 4
    np.testing.assert_allclose(ten, [np.mean(crops, axis=0) * 255] * 2, rtol=1e-4)


def test_classifier_takes_the_nets_size_and_a_mean(files, image):
    classifier = caffe.Classifier(*files, mean=np.array([0.1, 0.2, 0.3]), input_scale=2)
    got = classifier.predict([image], oversample=False)
    wanted = 2 * (caffe.io.resize_image(image, (6, 6)).mean((0, 1)) - [0.1, 0.2, 0.3])
    np.testing.assert_allclose(got, [wanted], rtol=1e-4, atol=1e-5)


def test_detector_windows(files, tmp_path):
    pixels = np.zeros((10, 12, 3), np.uint8)
    pixels[2:5, 3:9] = [255, 51, 0]
    path = str(tmp_path / "i.png")
    Image.fromarray(pixels).save(path)
    detector = caffe.Detector(*files, raw_scale=255, channel_swap=(2, 1, 0))
    found = detector.detect_windows([(path, [(2, 3, 5, 9), (6, 0, 10, 12)])])
    assert [(d["filename"], d["window"]) for d in found] == [(path, (2, 3, 5, 9)), (path, (6, 0, 10, 12))]
    # The one window has a value that varies by channel, so the resize darkens no border but for the least value's.
    inner = caffe.io.resize_image(caffe.io.load_image(path)[2:5, 3:9], (6, 6))[:, :, ::-1].mean((0, 1)) * 255
    np.testing.assert_allclose(found[0]["prediction"], inner, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found[1]["prediction"], 0, atol=1e-6)
    assert detector.detect_windows([(path, [])]) == []


def test_context_is_filled_with_the_mean(files, image):
    mean = np.array([10.0, 20.0, 30.0])  # BGR
    detector = caffe.Detector(*files, mean=mean, raw_scale=255, channel_swap=(2, 1, 0), context_pad=1)
    np.testing.assert_allclose(detector.crop_mean, np.full((6, 6, 3), 1.0) * mean[::-1] / 255, rtol=1e-6)
    crop = detector.crop(image, np.array((0, 0, 3, 3)))
    # 6 / (6 - 2) = 1.5 times as large about (2, 2): from -1 to 5; one of seven pixels, a row of the crop, is outside.
    assert crop.shape == (6, 6, 3)
    np.testing.assert_array_equal(crop[0], detector.crop_mean[0])
    np.testing.assert_array_equal(crop[:, 0], detector.crop_mean[:, 0])
    np.testing.assert_allclose(crop[1:, 1:], caffe.io.resize_image(image[:5, :5], (5, 5)), atol=1e-6)
    inside = detector.crop(image, (4, 4, 6, 7))
    assert not np.isclose(inside, detector.crop_mean).all(axis=2).any()
    with pytest.raises(InputError, match=r"window \(20, 20, 22, 22\) lies outside the image of \(10, 12\)"):
        detector.crop(image, (20, 20, 22, 22))


def test_selective_search_is_matlabs(files, tmp_path, monkeypatch, image):
    detector = caffe.Detector(*files)
    with pytest.raises(InputError, match="selective_search_ijcv_with_python, which runs MATLAB"):
        detector.detect_selective_search(["x.png"])
    module = ModuleType("selective_search_ijcv_with_python")
    module.get_windows = lambda names, cmd: [[(0, 0, 5, 5)] for _ in names]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    Image.fromarray((image * 255).astype(np.uint8)).save(tmp_path / "x.png")
    assert len(detector.detect_selective_search([str(tmp_path / "x.png")])) == 1
