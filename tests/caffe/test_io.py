"""caffe.io: messages, images, the resize rule, oversampling and the Transformer."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

io, pb = caffe.io, caffe.proto.caffe_pb2


# -- messages


def test_blobproto_round_trip():
    array, diff = np.arange(6.0).reshape(1, 2, 3), np.ones((1, 2, 3))
    blob = io.array_to_blobproto(array, diff)
    assert list(blob.shape.dim) == [1, 2, 3] and not blob.HasField("num")
    np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), diff)
    legacy = pb.BlobProto(num=1, channels=1, height=2, width=3, data=range(6))
    assert io.blobproto_to_array(legacy).shape == (1, 1, 2, 3)


def test_blobprotovector_round_trip():
    arrays = [np.arange(3.0), np.ones((2, 2))]
    for encode in (io.arraylist_to_blobprotovector_str, io.arraylist_to_blobprotovecor_str):
        back = io.blobprotovector_str_to_arraylist(encode(arrays))
        assert [a.tolist() for a in back] == [a.tolist() for a in arrays]


def test_datum_round_trip():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    datum = io.array_to_datum(pixels, 7)
    assert (datum.channels, datum.height, datum.width, datum.label) == (3, 2, 2, 7)
    assert datum.data == pixels.tobytes() and not datum.float_data
    back = io.datum_to_array(datum)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, pixels)
    floats = io.array_to_datum(pixels / 2)
    assert not floats.data and not floats.HasField("label")
    np.testing.assert_array_equal(io.datum_to_array(floats), pixels / 2)
    with pytest.raises(ValueError, match=r"Incorrect array shape.*\(2, 2\)"):
        io.array_to_datum(np.zeros((2, 2)))


# -- images


@pytest.mark.parametrize(
    ("mode", "pixel", "color", "gray"),
    [
        ("RGB", (255, 0, 51), (1, 0, 0.2), 0.2125 + 0.2 * 0.0721),
        ("RGBA", (255, 0, 51, 9), (1, 0, 0.2), 0.2125 + 0.2 * 0.0721),
        ("L", 51, (0.2, 0.2, 0.2), 0.2),
        ("LA", (51, 3), (0.2, 0.2, 0.2), 0.2),
        ("1", 1, (1, 1, 1), 1),
        ("I;16", 65535, (1, 1, 1), 1),
    ],
)
def test_load_image(tmp_path, mode, pixel, color, gray):
    path = str(tmp_path / "image.png")
    Image.new(mode, (3, 2), pixel).save(path)
    loaded = io.load_image(path)
    assert (loaded.shape, loaded.dtype) == ((2, 3, 3), np.float32)
    np.testing.assert_allclose(loaded[1, 2], color, atol=1e-6)
    loaded = io.load_image(path, color=False)
    assert loaded.shape == (2, 3, 1)
    np.testing.assert_allclose(loaded, gray, atol=1e-6)


def test_a_palette_gives_its_colours(tmp_path):
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 255, 51, 0])
    image.save(tmp_path / "p.png")
    np.testing.assert_allclose(io.load_image(tmp_path / "p.png")[0, 0], [1, 0.2, 0], atol=1e-6)


def test_what_is_no_image(tmp_path):
    (tmp_path / "x.png").write_text("text")
    for name in ("x.png", "nowhere.png"):
        with pytest.raises(InputError, match=rf"cannot read the image .*{name}"):
            io.load_image(tmp_path / name)


def test_resize_by_hand():
    # Output pixels of half the size lie at -0.25, 0.25, 0.75, 1.25; beyond the border are zeros (the least value).
    image = np.array([[[2.0], [4.0]]])
    got = io.resize_image(image, (1, 4))
    assert (got.shape, got.dtype) == ((1, 4, 1), np.float32)
    np.testing.assert_allclose(got.ravel(), [2, 2.5, 3.5, 3.5], atol=1e-6)
    # Every second pixel pair: at 0.5 and 2.5.
    wide = np.arange(4.0).reshape(1, 4, 1)
    np.testing.assert_allclose(io.resize_image(wide, (1, 2)).ravel(), [0.5, 2.5], atol=1e-6)


def test_resize_special_cases():
    constant = io.resize_image(np.full((2, 3, 3), 7), (5, 4))
    assert (constant.shape, constant.dtype) == ((5, 4, 3), np.float32) and (constant == 7).all()
    image = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(io.resize_image(image, (4, 5)), image, atol=1e-6)
    for order in (0, 3):
        got = io.resize_image(image, (7, 9), interp_order=order)
        assert image.min() - 1e-6 <= got.min() and got.max() <= image.max() + 1e-6
    # Other channel counts: scipy's zoom, which keeps the corners.
    many = np.random.default_rng(0).random((4, 5, 2))
    got = io.resize_image(many, (8, 10))
    assert got.shape == (8, 10, 2)
    np.testing.assert_allclose(got[::7, ::9], many[::3, ::4], atol=1e-6)


@pytest.mark.parametrize("size", [(9, 13), (3, 4), (20, 4)])
def test_resize_agrees_with_scikit_image(size):
    resize = pytest.importorskip("skimage.transform").resize
    image = np.random.default_rng(1).random((7, 11, 3)) * 255
    unit = (image - image.min()) / (image.max() - image.min())
    for blur in (False, True):
        wanted = resize(unit, size, order=1, mode="constant", anti_aliasing=blur)
        got = io.resize_image(image, size, anti_aliasing=blur)
        wanted = wanted * (image.max() - image.min()) + image.min()
        np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_oversample():
    images = [np.arange(20.0).reshape(4, 5, 1), np.zeros((4, 5, 1))]
    crops = io.oversample(images, (2, 3))
    assert (crops.shape, crops.dtype) == ((20, 2, 3, 1), np.float32)
    assert [c[0, 0, 0] for c in crops[:5]] == [0, 2, 10, 12, 6]  # corners by rows, then the centre
    np.testing.assert_array_equal(crops[5:10], crops[:5, :, ::-1])
    assert not crops[10:].any()
    with pytest.raises(InputError, match=r"crops of \(5, 3\) from an image of \(4, 5\)"):
        io.oversample(images, (5, 3))


# -- Transformer


@pytest.fixture
def transformer():
    return io.Transformer({"data": (1, 3, 2, 2)})


def test_preprocess_in_order(transformer):
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 10)
    transformer.set_mean("data", np.array([1.0, 2.0, 3.0]))
    transformer.set_input_scale("data", 0.5)
    image = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    kept = image.copy()
    got = transformer.preprocess("data", image)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[0], (image[:, :, 2] * 10 - 1) / 2)
    np.testing.assert_array_equal(got[2], (image[:, :, 0] * 10 - 3) / 2)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_allclose(transformer.deprocess("data", got[np.newaxis]), image, atol=1e-6)


def test_preprocess_resizes(transformer):
    transformer.set_transpose("data", (2, 0, 1))
    image = np.random.default_rng(0).random((5, 6, 3))
    got = transformer.preprocess("data", image)
    np.testing.assert_allclose(got.transpose(1, 2, 0), io.resize_image(image.astype(np.float32), (2, 2)), atol=1e-6)


def test_means_of_every_shape(transformer):
    flat = np.array([[1.0, 2.0], [3.0, 4.0]])
    transformer.set_mean("data", flat)
    np.testing.assert_array_equal(transformer.mean["data"], [flat])  # the same for every channel
    whole = np.stack([flat, flat + 1, flat + 2])
    transformer.set_mean("data", whole)
    np.testing.assert_array_equal(transformer.mean["data"], whole)
    large = np.tile(np.arange(3.0)[:, None, None], (1, 8, 8))
    transformer.set_mean("data", large)
    assert transformer.mean["data"].shape == (3, 2, 2)
    np.testing.assert_allclose(transformer.mean["data"][2], 2, atol=1e-6)


def test_what_a_transformer_refuses(transformer):
    for call, error, expected in (
        (
            lambda: transformer.set_transpose("data", (1, 0)),
            InputError,
            "Transpose order needs to have the same",
        ),
        (
            lambda: transformer.set_channel_swap("data", (1, 0)),
            InputError,
            "Channel swap needs to have the same",
        ),
        (lambda: transformer.set_mean("data", np.ones(4)), ValueError, "Mean channels incompatible with input"),
        (lambda: transformer.set_mean("data", np.ones((1, 1, 1, 1))), ValueError, "Mean shape invalid"),
        (lambda: transformer.set_raw_scale("x", 2), InputError, "x is not one of the net inputs: data"),
    ):
        with pytest.raises(error, match=expected):
            call()
