"""The parts of a predictor: preprocessing, the grid of a net, regions, and a predictor from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deeplab_caffe import inference
from deeplab_caffe.caffe import TEST, Net
from deeplab_caffe.data import read_image
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.bvlc import to_bvlc
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inference import Grid, Preprocessing, Protocol, grid_of, scaled_size
from deeplab_caffe.inference.regions import regions, spans
from deeplab_caffe.nets import GeneratorOptions, SizeRule, generate
from deeplab_caffe.nets.input_sizes import ANY_SIZE

# -- preprocessing

DATA = """
layer { name: "data" type: "ImageSegData" top: "data" top: "label" transform_param { %s crop_size: 20 }
  image_data_param { source: "list.txt" root_folder: "./" batch_size: 1 label_type: NONE %s } }
"""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Beside it the list that names it."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.random.default_rng(0).integers(0, 256, (11, 14, 3)).astype(np.uint8))
    Path("list.txt").write_text("a.png\n")
    return read_image("a.png")


@pytest.mark.parametrize(
    "transform",
    [
        "mean_value: 104.008 mean_value: 116.669 mean_value: 122.675",
        "mean_value: 104.008 mean_value: 116.669 mean_value: 122.675 scale: 0.017241379",
        "mean_value: 100 scale: 0.5",
        "scale: 0.00390625",
    ],
)
@pytest.mark.parametrize("bvlc", [False, True])
def test_pixels_are_those_of_the_data_layer(image: np.ndarray, transform: str, bvlc: bool) -> None:
    text = DATA % (transform, "")
    Path("test.prototxt").write_text(to_bvlc(Document(text, "test.prototxt")) if bvlc else text)
    found = Preprocessing.of_net("test.prototxt").blob(image)
    net = Net("test.prototxt", TEST)
    assert np.array_equal(found, net.forward()["data"][0, :, :11, :14])
    net.close()


def test_a_net_that_reads_grey_images(image: np.ndarray) -> None:
    Path("test.prototxt").write_text(DATA % ("mean_value: 100", "is_color: false"))
    found = Preprocessing.of_net("test.prototxt")
    assert found.mean == (100.0,) and found.blob(image).shape == (1, 11, 14)
    assert np.array_equal(found.blob(image[:, :, 0]), np.float32(image[:, :, 0])[None] - 100)


def test_a_net_without_preprocessing(image: np.ndarray) -> None:
    Path("a.prototxt").write_text('input: "data"')
    with pytest.raises(InputError, match="a.prototxt: has no layer ImageSegData"):
        Preprocessing.of_net("a.prototxt")
    Path("a.prototxt").write_text(DATA % ("", "new_height: 9 new_width: 9"))
    with pytest.raises(InputError, match=r"a.prototxt:2:1: layer 'data' .*resizes its images"):
        Preprocessing.of_net("a.prototxt")


def test_scaled_sizes_are_those_of_training() -> None:
    assert scaled_size((10, 7), 0.7) == (7, 4) and scaled_size((1, 2), 0.3) == (1, 1)


# -- the grid


@pytest.mark.parametrize(
    ("model", "output", "sizes", "step"),
    [
        ("largefov", "fc8_interp", SizeRule(8, 1), 8),
        ("fcn8s", "score", ANY_SIZE, 32),
        ("scales3_attention_esupv", "fc8_interp", SizeRule(32, 1), 32),
        ("dt_edgenet", "fc8_dt", SizeRule(8, 1), 8),
    ],
)
@pytest.mark.parametrize("dialect", ["deeplab", "bvlc"])
def test_the_grid_of_published_nets(model: str, output: str, sizes: SizeRule, step: int, dialect: str) -> None:
    text = generate(f"voc12/{model}", GeneratorOptions(dialect=dialect, width=0.1))["deploy.prototxt"]
    assert grid_of(definition_in(Document(text, "deploy.prototxt")), output) == Grid(sizes, step)


def test_the_grid_of_an_output_stride() -> None:
    options = GeneratorOptions(test_output_stride=4, width=0.1)
    text = generate("voc12/v3_resnet50_aspp", options)["deploy.prototxt"]
    assert grid_of(definition_in(Document(text, "deploy.prototxt")), "fc1_interp") == Grid(SizeRule(4, 1), 4)


def test_a_net_of_unknown_layers_takes_any_size() -> None:
    text = """input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
    layer { name: "a" type: "Convolution" bottom: "data" top: "a"
      convolution_param { num_output: 2 kernel_size: 3 stride: 4 } }"""
    assert grid_of(definition_in(Document(text, "deploy.prototxt")), "a") == Grid(ANY_SIZE, 4)


# -- regions


@pytest.mark.parametrize("length", [1, 8, 9, 33, 64, 65, 66, 100, 513, 1024])
@pytest.mark.parametrize(("tile", "overlap"), [(33, 0.25), (33, 0), (40, 0.5), (65, 0.9), (9, 0.25)])
@pytest.mark.parametrize("grid", [Grid(SizeRule(8, 1), 8), Grid(SizeRule(8, 1), 16), Grid(ANY_SIZE, 1)], ids=str)
def test_regions_cover_the_image(length: int, tile: int, overlap: float, grid: Grid) -> None:
    found = spans(length, tile, overlap, grid)
    step = grid.step if grid.step <= found[0].end else grid.sizes.stride
    covered = np.zeros(length, int)
    for span in found:
        covered[span.own] += 1
        assert span.begin % step == 0 and grid.sizes.takes(span.end - span.begin)
        assert span.begin <= span.first < span.last <= span.end
    assert covered.min() >= 1 and len({span.end - span.begin for span in found}) == 1
    size = found[0].end
    for one, two in zip(found, found[1:], strict=False):
        assert two.begin - one.begin <= max(step, size * (1 - overlap))
        margin = (one.end - two.begin) // 4
        assert one.last <= one.end - margin and two.first == two.begin + margin


def test_weights_of_regions_sum_to_one() -> None:
    parts = regions((70, 101), (33, 41), 0.5, Grid(SizeRule(8, 1), 8))
    total = np.zeros((70, 101))
    for rows, columns in parts:
        total[rows.own, columns.own] += parts.weight(rows, columns)
    assert np.allclose(total, 1)


@pytest.mark.parametrize("size", [(500, 600), (400, 600)])
def test_very_many_small_regions_are_refused(size: tuple[int, int]) -> None:
    grid = Grid(SizeRule(8, 1), 8)
    assert len(regions(size, (33, 33), 0.25, grid)) < 1000
    with pytest.raises(InputError, match=rf"tile: regions of 3 x 3 .* make [\d,]+ of an image of {size[0]} x 600"):
        regions(size, (3, 3), 0.25, grid)


# -- from files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the nets of a narrow LargeFOV and weights for them."""
    for name, text in generate("voc12/largefov", GeneratorOptions(width=0.03)).items():
        (tmp_path / name).write_text(text)
    net = Net(str(tmp_path / "deploy.prototxt"), TEST)
    random = np.random.default_rng(0)
    for blobs in net.params.values():
        blobs[0].data[...] = random.normal(0, np.sqrt(2 / np.prod(blobs[0].shape[1:])), blobs[0].shape)
    net.save(tmp_path / "weights.caffemodel")
    return tmp_path


def _predict(folder: Path) -> np.ndarray:
    predictor = inference.load(folder / "deploy.prototxt", folder / "weights.caffemodel")
    image = np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    return predictor.probabilities(image, Protocol((0.5, 1), flip=True))


def test_a_predictor_from_files(files: Path) -> None:
    plain = _predict(files)
    assert plain.shape == (21, 50, 70) and np.abs(plain.sum(0) - 1).max() < 1e-5
    path = files / "deploy.prototxt"
    path.write_text(path.read_text() + 'layer { name: "prob" type: "Softmax" bottom: "fc8_interp" top: "prob" }\n')
    assert np.abs(_predict(files) - plain).max() < 1e-5  # probabilities already: no second softmax


def test_the_nets_own_edits_count(files: Path) -> None:
    plain = _predict(files)
    path = files / "deploy.prototxt"
    path.write_text(path.read_text().replace("dilation: 12", "dilation: 6").replace("pad: 12", "pad: 6"))
    assert np.abs(_predict(files) - plain).max() > 1e-3


def test_what_is_missing_is_named(files: Path) -> None:
    (files / "test.prototxt").unlink()
    with pytest.raises(InputError, match="test.prototxt"):
        _predict(files)


def test_pycaffes_forward_is_used_where_there_is_no_plan(pixelwise: Any) -> None:
    class Other:
        """pycaffe's public names alone."""

        inputs, outputs, blobs = pixelwise.inputs, pixelwise.outputs, pixelwise.blobs
        forward, reshape = pixelwise.forward, pixelwise.reshape

    image = np.random.default_rng(1).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    found = [inference.Predictor(net, Preprocessing((104.0,) * 3)).probabilities(image) for net in (Other, pixelwise)]
    assert np.abs(found[0] - found[1]).max() < 1e-6


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(),
        Protocol((0.5, 0.75, 1.25)),
        Protocol(flip=True, tile=513),
        Protocol((0.5, 1), True, (513, 1025), 0.5),
    ],
)
def test_a_protocol_in_words_is_read_again(protocol: Protocol) -> None:
    assert Protocol.parse(str(protocol)) == protocol


@pytest.mark.parametrize("words", ["", "x", "scale 1..5", "scale 1; mirrored", "scale 1; regions of 5 pixels"])
def test_other_words_are_no_protocol(words: str) -> None:
    with pytest.raises(ValueError):
        Protocol.parse(words)
