"""Probabilities of one image: against a loop written by hand, and regions against the whole image."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from deeplab_caffe.caffe import TEST, Net, NetSpec, layers
from deeplab_caffe.errors import InputError
from deeplab_caffe.inference import Grid, Predictor, Preprocessing, Protocol
from deeplab_caffe.nets import SizeRule
from deeplab_caffe.nets.input_sizes import ANY_SIZE

MEAN = (104.0, 117.0, 123.0)
EIGHTH = Grid(SizeRule(8, 1), 8)
#: probabilities of one image in two ways: sums of up to 12 passes in float32
CLOSE = 2e-6


def image_of(*size: int, seed: int = 0) -> np.ndarray:
    """Smooth colours and noise, (H, W, 3) RGB."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (max(2, size[0] // 9), max(2, size[1] // 9), 3)).astype(np.float32)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + random.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def by_eighth(net: Any) -> Predictor:
    return Predictor(net, Preprocessing(MEAN), "fc8", "scores", EIGHTH)


# -- a loop by hand


def _by_hand(net: Any, image: np.ndarray, scales: tuple[float, ...], flip: bool) -> np.ndarray:
    """Pycaffe's calls, and interpolation by its formula in double precision."""
    passes = []
    for scale in scales:
        height, width = (int(side * scale) for side in image.shape[:2])
        scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        for mirrored in (False, True) if flip else (False,):
            pixels = scaled[:, ::-1, ::-1] if mirrored else scaled[:, :, ::-1]
            net.blobs["data"].reshape(1, 3, *(max(9, -(-(side - 1) // 8) * 8 + 1) for side in (height, width)))
            net.blobs["data"].data[...] = 0
            net.blobs["data"].data[0, :, :height, :width] = (pixels - np.array(MEAN)).transpose(2, 0, 1)
            net.reshape()
            scores = np.float64(net.forward()["fc8_interp"][0])[:, :height, :width]
            shares = np.exp(scores - scores.max(0)) / np.exp(scores - scores.max(0)).sum(0)
            passes.append(_resized(shares[:, :, ::-1] if mirrored else shares, image.shape[:2]))
    return np.mean(passes, axis=0)


def _resized(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    for axis, length in ((1, size[0]), (2, size[1])):
        old = np.moveaxis(maps, axis, -1)
        place = np.linspace(0, old.shape[-1] - 1, length)
        below = np.minimum(place.astype(int), max(0, old.shape[-1] - 2))
        share = place - below
        above = np.minimum(below + 1, old.shape[-1] - 1)
        maps = np.moveaxis(old[..., below] * (1 - share) + old[..., above] * share, -1, axis)
    return maps


@pytest.mark.parametrize(
    ("size", "scales", "flip"),
    [
        ((45, 62), (0.5, 0.75, 1, 1.25, 1.5, 1.75), True),
        ((33, 41), (1,), True),
        ((30, 57), (0.5, 2), False),
        ((9, 3), (0.4,), True),
    ],
)
def test_scales_and_mirroring_equal_a_loop_by_hand(eighth: Any, size: Any, scales: Any, flip: bool) -> None:
    image = image_of(*size)
    found = by_eighth(eighth).probabilities(image, Protocol(scales, flip))
    assert found.dtype == np.float32 and np.abs(found.sum(0) - 1).max() < CLOSE
    assert np.abs(found - _by_hand(eighth, image, scales, flip)).max() < CLOSE


def test_each_part_of_the_protocol_matters(eighth: Any) -> None:
    predictor, image = by_eighth(eighth), image_of(40, 50)
    plain = predictor.probabilities(image)
    for protocol in (Protocol((0.5, 1)), Protocol(flip=True), Protocol(tile=17)):
        assert np.abs(predictor.probabilities(image, protocol) - plain).max() > 0.01


def test_a_plain_pass_is_the_nets_own(eighth: Any) -> None:
    """One pass: the output of the net itself, without and with softmax."""
    image = image_of(33, 25)
    predictor = by_eighth(eighth)
    scores, shares = predictor.scores(image), predictor.probabilities(image)
    net_output = Predictor(eighth, Preprocessing(MEAN), grid=EIGHTH).scores(image)
    assert np.abs(scores - net_output).max() < 1e-5
    assert np.abs(shares - np.exp(scores) / np.exp(scores).sum(0)).max() < CLOSE


def test_a_net_that_ends_in_a_softmax(pixelwise: Any) -> None:
    spec = NetSpec()
    spec.data = layers.Input(shape={"dim": [1, 4, 2, 2]})
    image = image_of(6, 7)
    plain = Predictor(pixelwise, Preprocessing(MEAN), kind="scores").probabilities(image)

    def run() -> np.ndarray:
        scores = pixelwise.forward()["scores"]
        shifted = np.exp(scores - scores.max(1, keepdims=True))
        return shifted / shifted.sum(1, keepdims=True)

    for kind in ("probabilities", "net"):
        found = Predictor(pixelwise, Preprocessing(MEAN), "scores", kind, run=run).probabilities(image)
        assert np.abs(found - plain).max() < CLOSE


# -- regions


@pytest.mark.parametrize("size", [(150, 201), (129, 300), (131, 40), (400, 137)])
@pytest.mark.parametrize("protocol", [Protocol(), Protocol(flip=True), Protocol((0.75, 1, 1.25), flip=True)], ids=str)
def test_regions_equal_the_whole_where_they_see_enough(eighth: Any, size: Any, protocol: Protocol) -> None:
    """Units see 7 pixels to each side, a pixel the units 8 pixels around it: a quarter of the overlap suffices."""
    predictor, image = by_eighth(eighth), image_of(*size)
    whole = predictor.probabilities(image, protocol)
    tiled = predictor.probabilities(image, Protocol(protocol.scales, protocol.flip, tile=129, overlap=0.5))
    assert np.abs(whole - tiled).max() < CLOSE


@pytest.mark.parametrize("tile", [5, (7, 4), (3, 50), 1])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.9])
def test_any_regions_do_where_pixels_are_independent(pixelwise: Any, tile: Any, overlap: float) -> None:
    predictor, image = Predictor(pixelwise, Preprocessing(MEAN), kind="scores"), image_of(13, 17)
    tiled = predictor.probabilities(image, Protocol(tile=tile, overlap=overlap))
    assert np.abs(tiled - predictor.probabilities(image)).max() < CLOSE


def test_what_regions_have_in_common_is_their_mean(pixelwise: Any) -> None:
    """A net whose result depends on the region: 0 in the first and 1 in the second; an image of 12, regions of 8."""
    calls = iter((0.0, 1.0))

    def run() -> np.ndarray:
        value = next(calls)
        return np.broadcast_to(np.float32([1 - value, value])[:, None, None], (1, 2, 1, 8))

    predictor = Predictor(pixelwise, Preprocessing(MEAN), "scores", "probabilities", Grid(ANY_SIZE), run)
    found = predictor.probabilities(image_of(1, 12), Protocol(tile=8, overlap=0.5))
    assert found[1, 0].tolist() == [0] * 5 + [0.5] * 2 + [1] * 5  # 4 to 7 are in both: the outer quarter is one's


def test_an_image_smaller_than_a_region_is_whole(eighth: Any) -> None:
    predictor, image = by_eighth(eighth), image_of(21, 33)
    assert np.array_equal(predictor.probabilities(image, Protocol(tile=65)), predictor.probabilities(image))


def test_the_input_is_never_larger_than_a_region(eighth: Any) -> None:
    predictor = by_eighth(eighth)
    run, shapes = predictor._net._run, set()

    def recorded() -> np.ndarray:
        shapes.add(tuple(eighth.blobs["data"].shape))
        return run()

    predictor._net._run = recorded
    predictor.probabilities(image_of(200, 260), Protocol((0.25, 1, 1.25), flip=True, tile=(65, 97)))
    assert {shape[2:] for shape in shapes} == {(57, 65), (65, 97)}  # a quarter of the image is smaller than a region


def test_memory_is_that_of_the_result_and_a_region(pixelwise: Any) -> None:
    predictor, image = Predictor(pixelwise, Preprocessing(MEAN), kind="scores"), image_of(400, 500)
    out = np.empty((4, 400, 500), np.float32)
    predictor.probabilities(image[:40, :40])
    tracemalloc.start()
    found = predictor.probabilities(image, Protocol(flip=True, tile=64), out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is out and peak < out.nbytes / 4
    assert np.abs(found.sum(0) - 1).max() < CLOSE


# -- images


@pytest.mark.parametrize("convert", [lambda i: i[:, :, :1].repeat(3, 2), lambda i: i[:, :, :1], lambda i: i[:, :, 0]])
def test_grey_images(eighth: Any, convert: Callable[[np.ndarray], np.ndarray]) -> None:
    predictor, image = by_eighth(eighth), image_of(20, 27)
    colour = predictor.probabilities(np.repeat(image[:, :, :1], 3, 2))
    assert np.array_equal(predictor.probabilities(convert(image)), colour)


def test_grey_images_are_scaled_like_colour_ones(eighth: Any) -> None:
    predictor, image = by_eighth(eighth), image_of(20, 27)[:, :, :1]
    protocol = Protocol((0.5, 1.5), flip=True, tile=17)
    colour = predictor.probabilities(np.repeat(image, 3, 2), protocol)
    assert np.array_equal(predictor.probabilities(image, protocol), colour)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_float_images(eighth: Any, dtype: Any) -> None:
    """Of whole numbers, which all these types hold; resized ones are not rounded, as those of uint8 are."""
    image, predictor = image_of(20, 27), by_eighth(eighth)
    same = predictor.probabilities(image) - predictor.probabilities(image.astype(dtype))
    assert np.abs(same).max() < CLOSE
    near = [predictor.probabilities(pixels, Protocol((0.5, 1.5))) for pixels in (image, image.astype(dtype))]
    assert np.abs(near[0] - near[1]).max() < 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (50, 1), (2, 3)])
def test_tiny_images(eighth: Any, size: Any) -> None:
    found = by_eighth(eighth).probabilities(image_of(*size), Protocol((0.5, 1, 1.5), flip=True, tile=9))
    assert found.shape == (3, *size) and np.abs(found.sum(0) - 1).max() < CLOSE


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 5, 4), np.uint8), r"shape \(4, 5, 4\); expected .*alpha channel"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (np.zeros((4, 5, 3), np.uint16), "uint16"),
        (np.zeros(4, np.uint8), "expected"),
    ],
)
def test_what_is_no_image(eighth: Any, image: np.ndarray, said: str) -> None:
    for predict in (by_eighth(eighth).probabilities, by_eighth(eighth).scores):
        with pytest.raises(InputError, match=said):
            predict(image)


# -- nets


def test_a_second_input_is_told_the_images_size() -> None:
    spec = NetSpec()
    spec.data = layers.Input(shape={"dim": [1, 3, 9, 9]})
    spec.data_dim = layers.Input(shape={"dim": [1, 1, 1, 2]})
    spec.scores = layers.Convolution(spec.data, num_output=2, kernel_size=1)
    spec.none = layers.Silence(spec.data_dim, ntop=0)
    net = Net.from_param(spec.to_proto(), TEST)
    Predictor(net, Preprocessing(MEAN), grid=EIGHTH).probabilities(image_of(20, 27))
    assert net.blobs["data"].shape[2:] == (25, 33) and net.blobs["data_dim"].data.ravel().tolist() == [20, 27]


def test_a_net_without_an_input_for_images() -> None:
    spec = NetSpec()
    spec.data = layers.DummyData(shape={"dim": [1, 3, 9, 9]})
    spec.scores = layers.Convolution(spec.data, num_output=2, kernel_size=1)
    with pytest.raises(InputError, match="the net's inputs are none; expected one for an image"):
        Predictor(Net.from_param(spec.to_proto(), TEST), Preprocessing(MEAN))


def test_a_net_with_two_outputs_needs_the_name() -> None:
    spec = NetSpec()
    spec.data = layers.Input(shape={"dim": [1, 3, 9, 9]})
    spec.a = layers.Convolution(spec.data, num_output=2, kernel_size=1)
    spec.b = layers.Convolution(spec.data, num_output=2, kernel_size=1)
    net = Net.from_param(spec.to_proto(), TEST)
    with pytest.raises(InputError, match="outputs a, b; name the one"):
        Predictor(net, Preprocessing(MEAN))
    assert Predictor(net, Preprocessing(MEAN), "b").scores(image_of(9, 9)).shape == (2, 9, 9)


def test_maps_larger_than_the_input(pixelwise: Any) -> None:
    predictor = Predictor(pixelwise, Preprocessing(MEAN), run=lambda: np.zeros((1, 4, 30, 30), np.float32))
    with pytest.raises(InputError, match="30 x 30 .* of an input of 4 x 5"):
        predictor.scores(image_of(4, 5))


def test_an_array_for_the_result_must_fit(pixelwise: Any) -> None:
    predictor = Predictor(pixelwise, Preprocessing(MEAN))
    with pytest.raises(InputError, match=r"out: float32 of shape \(4, 5, 4\); expected float32 of shape \(4, 4, 5\)"):
        predictor.probabilities(image_of(4, 5), out=np.zeros((4, 5, 4), np.float32))


# -- the protocol


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (1, 0)}, "numbers above 0"),
        ({"scales": (float("nan"),)}, "numbers above 0"),
        ({"scales": (1, 1.0)}, "twice"),
        ({"scales": "1"}, "scales"),
        ({"tile": 0}, "tile"),
        ({"tile": (3, 3, 3)}, "tile"),
        ({"overlap": 1}, "0 to 0.9"),
        ({"overlap": -0.1}, "0 to 0.9"),
    ],
)
def test_values_out_of_range(values: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Protocol(**values)


def test_a_protocol_says_what_it_is() -> None:
    assert Protocol(overlap=0.5).is_plain and not Protocol(flip=True).is_plain and not Protocol((0.5,)).is_plain
    text = str(Protocol((0.5, 1), True, (513, 1025)))
    assert text == "scales 0.5, 1; mirrored too; regions of 513 x 1025 pixels (H x W), overlap 0.25"
