"""Weights get from one net into another: what stays, and what is given up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch_models import VGG16, ResNet, randomised

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.weight_fit import NetLayer
from deeplab_caffe.formats.weights import BlobArray, LayerWeights
from deeplab_caffe.porting import surgery
from deeplab_caffe.porting.port import Choices, port
from deeplab_caffe.porting.torch_names import to_caffe
from tolerances import assert_same_sums

RANDOM = np.random.default_rng(0)


def layer(name: str, *shapes: Sequence[int], kind: str = "Convolution") -> LayerWeights:
    blobs = [BlobArray(RANDOM.standard_normal(shape).astype(np.float32)) for shape in shapes]
    return LayerWeights(name, kind, blobs)


def blobs(ported: list[LayerWeights], name: str) -> list[np.ndarray]:
    return [blob.data for x in ported if x.name == name for blob in x.blobs]


def conv(*shapes: tuple[int, ...], dilation: int = 1) -> NetLayer:
    return NetLayer("Convolution", shapes, dilation=dilation)


def test_inner_product_becomes_a_convolution_with_the_same_outputs() -> None:
    fc = layer("fc6", (5, 2 * 3 * 3), (5,), kind="InnerProduct")
    done = port([fc], {"fc6": conv((5, 2, 3, 3), (5,))})
    image = RANDOM.standard_normal((1, 2, 3, 3)).astype(np.float32)
    weight, bias = blobs(done.layers, "fc6")
    got = functional.conv2d(torch.from_numpy(image), torch.from_numpy(weight), torch.from_numpy(bias)).flatten()
    assert_same_sums(got.numpy(), fc.blobs[0].data @ image.ravel() + fc.blobs[1].data)
    assert done.steps[0].what == "reshaped"


def test_names_that_differ_by_data_set_or_number() -> None:
    source = [layer("fc6", (4, 2, 1, 1), (4,)), layer("fc8_voc12", (3, 4, 1, 1), (3,)), layer("old", (1, 1, 1, 1))]
    target = {
        "fc6_1": conv((4, 2, 1, 1), (4,)),
        "fc6_2": conv((4, 2, 1, 1), (4,)),
        "fc8_pets": conv((3, 4, 1, 1), (3,)),
    }
    done = port(source, {**target, "new": conv((1, 1, 1, 1))})
    np.testing.assert_array_equal(blobs(done.layers, "fc6_2")[0], source[0].blobs[0].data)
    np.testing.assert_array_equal(blobs(done.layers, "fc8_pets")[0], source[1].blobs[0].data)
    assert (done.fresh, done.unused) == (["new"], ["old"])
    assert "fc8_voc12" in str(done) and "not initialised from the weights: new" in str(done)


def test_a_classifier_of_other_classes_starts_anew_or_is_cut() -> None:
    source = [layer("fc8_voc12", (21, 4, 1, 1), (21,))]
    target = {"fc8_pets": conv((3, 4, 1, 1), (3,))}
    assert port(source, target).fresh == ["fc8_pets"]
    done = port(source, target, Choices(classes=(0, 8, 12)))
    for mine, theirs in zip(blobs(done.layers, "fc8_pets"), source[0].blobs, strict=True):
        np.testing.assert_array_equal(mine, theirs.data[[0, 8, 12]])
    with pytest.raises(InputError, match="classes 0, 21; expected 3 numbers from 0 to 20"):
        port(source, target, Choices(classes=(0, 21)))
    same = {"fc8_pets": conv((21, 4, 1, 1), (21,))}
    assert port(source, same, Choices(fresh_classifier=True)).fresh == ["fc8_pets"]


def test_a_layer_whose_groups_do_not_mix_becomes_one_in_groups() -> None:
    dense = layer("upscore", (4, 6, 2, 2), kind="Deconvolution")
    weight = dense.blobs[0].data
    weight[:2, 3:] = weight[2:, :3] = 0
    done = port([dense], {"upscore": NetLayer("Deconvolution", ((4, 3, 2, 2),))})
    image, grouped = torch.randn(1, 4, 3, 3), torch.from_numpy(blobs(done.layers, "upscore")[0])
    wanted = functional.conv_transpose2d(image, torch.from_numpy(weight))
    torch.testing.assert_close(functional.conv_transpose2d(image, grouped, groups=2), wanted)
    assert "groups" in done.steps[0].what
    weight[0, 5] = 1
    with pytest.raises(InputError, match="cannot be converted to"):
        port([dense], {"upscore": NetLayer("Deconvolution", ((4, 3, 2, 2),))})


def test_renames_by_the_user_and_wrong_ones() -> None:
    done = port([layer("a", (2,))], {"b": NetLayer("Bias", [(2,)])}, Choices(renames={"a": "b"}))
    assert [x.name for x in done.layers] == ["b"]
    with pytest.raises(InputError, match="rename 'x': the weights have no layer 'x'"):
        port([layer("a", (2,))], {}, Choices(renames={"x": "b"}))


def test_shapes_that_cannot_be_reached_are_refused() -> None:
    with pytest.raises(InputError, match=r"layer 'a': weights of shape \(2, 3\) cannot be converted to \(2, 4\)"):
        port([layer("a", (2, 3))], {"a": NetLayer("InnerProduct", [(2, 4)])})
    with pytest.raises(InputError, match="has 1 blobs, the net needs 2"):
        port([layer("a", (2, 3))], {"a": NetLayer("InnerProduct", [(2, 3), (2,)])})


@pytest.mark.parametrize(
    ("kernel_size", "step", "kept"),
    [(3, 3, [0, 3, 6]), (4, 2, [0, 2, 4, 6]), (4, 1, [1, 2, 3, 4]), (3, None, [0, 3, 6]), (7, None, list(range(7)))],
)
def test_which_taps_are_kept(kernel_size: int, step: int | None, kept: list[int]) -> None:
    assert surgery.positions(7, kernel_size, step) == kept


def vgg16(divide: int = 16, hidden: int = 64, smooth: bool = False) -> list[LayerWeights]:
    torch.manual_seed(0)
    model = VGG16(divide, hidden, classes=7)
    found = to_caffe({name: value.numpy() for name, value in model.state_dict().items()}, "x")[1]
    if smooth:  # as trained filters are: neighbouring taps are alike
        fc6 = next(x for x in found if x.name == "fc6")
        taps = torch.from_numpy(fc6.blobs[0].data).reshape(hidden, -1, 7, 7)
        coarse = functional.avg_pool2d(functional.pad(taps, (2, 2, 2, 2), mode="replicate"), 5, 1)
        fc6.blobs[0] = BlobArray(coarse.reshape(hidden, -1).numpy())
    return found


def head(kernel_size: int, filters: int, rate: int) -> dict[str, NetLayer]:
    channels = 512 // 16
    return {
        "conv5_3": conv((channels, channels, 3, 3), (channels,)),
        "fc6": conv((filters, channels, kernel_size, kernel_size), (filters,), dilation=rate),
        "fc7": conv((filters, filters, 1, 1), (filters,)),
    }


@pytest.mark.parametrize(("kernel_size", "filters", "rate"), [(3, 16, 12), (4, 64, 4), (4, 64, 8), (7, 64, 4)])
@pytest.mark.parametrize("how", ["random", "norm"])
def test_vgg16_gets_the_shape_of_each_head(kernel_size: int, filters: int, rate: int, how: str) -> None:
    done = port(vgg16(), head(kernel_size, filters, rate), Choices(filters=how, seed=3))
    assert not done.fresh
    assert blobs(done.layers, "fc6")[0].shape == (filters, 32, kernel_size, kernel_size)
    again = port(vgg16(), head(kernel_size, filters, rate), Choices(filters=how, seed=3))
    np.testing.assert_array_equal(blobs(done.layers, "fc7")[0], blobs(again.layers, "fc7")[0])


def test_files_of_2014_give_the_same_head() -> None:
    def old(x: LayerWeights) -> LayerWeights:
        four = [BlobArray(b.data.reshape((1,) * (4 - b.data.ndim) + b.data.shape), legacy=True) for b in x.blobs]
        return LayerWeights(x.name, x.type, four)

    target = head(3, 16, 12)
    new, legacy = port(vgg16(), target), port(map(old, vgg16()), target)
    for name in target:
        for mine, theirs in zip(blobs(new.layers, name), blobs(legacy.layers, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_decimated_fc6_correlates_with_the_whole_one() -> None:
    """The measure of docs/porting.md: the correlation of fc6 before and after, over pixels and the kept filters."""
    whole = port(vgg16(smooth=True), head(7, 64, 4))
    part = port(vgg16(smooth=True), head(3, 64, 12))
    pool5 = torch.from_numpy(RANDOM.random((1, 32, 41, 41), dtype=np.float32))
    pool5 = functional.avg_pool2d(pool5, 5, 1)  # features of neighbouring pixels are alike

    def fc6(done: list[LayerWeights], pad: int, rate: int) -> np.ndarray:
        weight, bias = (torch.from_numpy(b) for b in blobs(done, "fc6"))
        return functional.conv2d(pool5, weight, bias, padding=pad, dilation=rate).numpy()[:, :, 12:-12, 12:-12]

    first, second = fc6(whole.layers, 12, 4), fc6(part.layers, 12, 12)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9
    assert second.std() / first.std() == pytest.approx(1, abs=0.5)


def test_images_of_torchvision_and_of_caffe_give_the_same_features() -> None:
    model = randomised(ResNet(divide=16))
    state = {n: v.numpy() for n, v in model.state_dict().items() if v.dtype == torch.float32}
    _, found = to_caffe(state, "x")
    target = {x.name: NetLayer(x.type, [b.data.shape for b in x.blobs]) for x in found}
    done = port(found, target, Choices(preprocessing=(surgery.TORCHVISION, surgery.CAFFE)))
    image = RANDOM.integers(0, 256, (1, 3, 31, 31)).astype(np.float32)  # RGB
    theirs = (image - np.array(surgery.TORCHVISION.mean)[:, None, None]) * np.array(surgery.TORCHVISION.scale)[
        :, None, None
    ]
    ours = image[:, ::-1] - np.array(surgery.CAFFE.mean)[:, None, None]

    def stem(layers: list[LayerWeights], pixels: np.ndarray) -> np.ndarray:
        weight = torch.from_numpy(blobs(layers, "conv1")[0])
        mean, variance, _ = (torch.from_numpy(b) for b in blobs(layers, "bn_conv1"))
        top = functional.conv2d(torch.from_numpy(pixels.astype(np.float32)), weight)
        return functional.batch_norm(top, mean, variance).numpy()

    assert_same_sums(stem(done.layers, ours), stem(found, theirs))


def test_normalisation_in_its_three_forms() -> None:
    convolution = layer("conv1", (4, 3, 3, 3))
    positive = np.abs(RANDOM.standard_normal(4)).astype(np.float32) + 0.5
    bn = layer("conv1/bn", *[(1, 4, 1, 1)] * 4, kind="BN")
    bn.blobs[3] = BlobArray(positive.reshape(1, 4, 1, 1))
    names = {"bn_conv1": NetLayer("BatchNorm", [(4,), (4,), (1,)]), "scale_conv1": NetLayer("Scale", [(4,), (4,)])}
    split = port(
        [convolution, bn], {"conv1": conv((4, 3, 3, 3)), **names}, Choices(renames={"conv1/bn": "bn_conv1+scale_conv1"})
    )
    assert not split.fresh and not split.unused
    joined = port(
        split.layers,
        {"conv1/bn": NetLayer("BN", [(1, 4, 1, 1)] * 4)},
        Choices(renames={"bn_conv1+scale_conv1": "conv1/bn"}),
    )
    for mine, theirs in zip(blobs(joined.layers, "conv1/bn"), bn.blobs, strict=True):
        np.testing.assert_array_equal(mine, theirs.data)
    folded = port(split.layers, {"conv1": conv((4, 3, 3, 3), (4,))})
    directly = port([convolution, bn], {"conv1": conv((4, 3, 3, 3), (4,))})
    image = torch.from_numpy(RANDOM.standard_normal((1, 3, 5, 5)).astype(np.float32))
    slope, offset, mean, variance = (torch.from_numpy(b.data.ravel()) for b in bn.blobs)
    top = functional.conv2d(image, torch.from_numpy(convolution.blobs[0].data))
    wanted = functional.batch_norm(top, mean, variance, slope, offset)
    for done in (folded, directly):
        weight, bias = (torch.from_numpy(b) for b in blobs(done.layers, "conv1"))
        assert_same_sums(functional.conv2d(image, weight, bias).numpy(), wanted.numpy())
