"""Every row of the table: its files, its size and field of view, and one training step of it, narrowed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.crf.params import PRESETS
from deeplab_caffe.data import Dataset, read_dataset
from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inspection import field_of_view, infer_shapes
from deeplab_caffe.nets import SUMS, VARIANTS, GeneratorOptions, generate, published_names, starts_from, sum_lines
from net_facts import REPOSITORY, files_of

PROTOTXT = REPOSITORY / "prototxt"
#: the models whose files are committed, `<data set>/<model>`
COMMITTED = re.findall("^!/(.+)/$", (PROTOTXT / ".gitignore").read_text(), re.MULTILINE)
TOML = """
name = "toy"
root = "."
classes = ["background", "thing"]
[lists]
val = "train.txt"
"""


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


# -- the files


def stated_sums(dataset=""):
    return [line for line in SUMS.read_text().splitlines() if line.split()[1].startswith(dataset)]


@pytest.mark.parametrize("dataset", sorted({name.partition("/")[0] for name in published_names()}))
def test_generated_files_have_the_committed_sums(dataset):
    names = [name for name in published_names() if name.startswith(f"{dataset}/")]
    generated = {line for name in names for line in sum_lines(name, files_of(name))}
    changed = sorted({line.split()[1] for line in generated ^ set(stated_sums(f"{dataset}/"))})
    assert not changed, "run make prototxt"


def test_the_sums_are_sorted_and_of_published_models_alone():
    paths = [line.split()[1] for line in stated_sums()]
    assert paths == sorted(set(paths))
    assert {path.rpartition("/")[0] for path in paths} == set(published_names())


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_files_are_the_generated_ones(name):
    committed = {path.name: path.read_text() for path in (PROTOTXT / name).iterdir()}
    assert committed == files_of(name), f"{name}: run make prototxt"


def test_these_models_are_committed_and_make_up_less_than_120_000_lines():
    listed = subprocess.run(["git", "ls-files", "prototxt/*.prototxt"], capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tracked = [Path(path) for path in listed.stdout.splitlines()]  # with what the owner of a checkout added to them
    committed = [path for path in tracked if path.parent.relative_to("prototxt").as_posix() in COMMITTED]
    assert {path.parent.relative_to("prototxt").as_posix() for path in committed} == set(COMMITTED)
    assert sum(path.read_bytes().count(b"\n") for path in committed) < 120_000


# -- sizes


def shapes_of(name):
    """The shapes of the deploy net of `<data set>/<model>`."""
    return infer_shapes(definition_in(Document(files_of(name)["deploy.prototxt"], f"{name}/deploy.prototxt")))


def learnt(shapes):
    """The number of weights that training may change; nets for use state a multiplier only where it is always 0."""
    return sum(
        int(np.prod(shape))
        for layer in shapes.layers
        if layer.type != "BatchNorm"
        for i, (shape, borrowed) in enumerate(zip(layer.params, layer.borrowed, strict=True))
        if not borrowed and (i >= len(layer.param.param) or layer.param.param[i].lr_mult != 0)
    )


def widest_view(shapes):
    """The field of view of the head's widest convolution on the whole image, as DeepLab v1's Table 2 counts it."""
    image = shapes.blobs["data"][2]
    views = []
    for layer in shapes.layers:
        if layer.type == "Convolution" and re.match(r"fc(6|1_(?!.*_res\d))", layer.name):
            own = layer.param.convolution_param
            stride = round((image - 1) / (layer.bottom_shapes[0][2] - 1))
            views.append(field_of_view(own.kernel_size[0], own.dilation[0] if own.dilation else 1, stride))
    return max(views)


@pytest.mark.parametrize("model", VARIANTS)
def test_size_and_field_of_view(model):
    row = VARIANTS[model]
    shapes = shapes_of(f"voc12/{model}" if "voc12" in row.datasets else f"{row.datasets[0]}/{model}")
    classes = len(read_dataset(REPOSITORY / "datasets" / f"{row.datasets[0]}.toml").classes)
    if classes == 21:
        assert learnt(shapes) == row.parameters
    if row.field_of_view:
        assert widest_view(shapes) == row.field_of_view


@pytest.mark.parametrize("model", VARIANTS)
def test_what_a_row_refers_to_is_there(model):
    row = VARIANTS[model]
    assert row.title and row.source and row.initial
    assert row.crf is None or row.crf in PRESETS
    published = set(published_names())
    for name in {f"{dataset}/{model}" for dataset in row.datasets}:
        assert (starts_from(name) or name) in published


# -- a training step


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A data set of one image with two classes and some unlabelled pixels."""
    folder = tmp_path_factory.mktemp("toy")
    random = np.random.default_rng(0)
    cv2.imwrite(str(folder / "a.png"), random.integers(0, 256, (40, 50, 3), np.uint8))
    cv2.imwrite(str(folder / "l.png"), random.choice(np.array([0, 1, 255], np.uint8), (40, 50), p=[0.5, 0.49, 0.01]))
    (folder / "train.txt").write_text("/a.png /l.png\n")
    usual = {"train"}.union(*(recipe.lists + recipe.weak_lists for row in VARIANTS.values() for recipe in row.recipes))
    (folder / "toy.toml").write_text(TOML + "".join(f'{name} = "train.txt"\n' for name in sorted(usual)))
    return Dataset.read(folder / "toy.toml")


@pytest.fixture(scope="module")
def learnt_before():
    return set()


@pytest.mark.parametrize("model", VARIANTS)
def test_every_net_learns_from_an_image(model, toy, tmp_path, learnt_before):
    smallest = VARIANTS[model].sizes.up(1)
    options = GeneratorOptions(
        width=0.01, crop=smallest, test_crop=smallest, batch_size=1, from_scratch=True, dropout=0
    )
    text = generate(f"toy/{model}", options, toy)["train.prototxt"]
    layers = text[text.index("layer {") :]
    if layers in learnt_before:  # rows that differ in how they are trained share a net
        return
    learnt_before.add(layers)
    (tmp_path / "train.prototxt").write_text(text)
    caffe.set_random_seed(1)
    net = caffe.Net(str(tmp_path / "train.prototxt"), caffe.TRAIN)
    outputs = net.forward()
    net.backward()
    diffs = [float(np.abs(blob.diff).max()) for blobs in net.params.values() for blob in blobs]
    assert all(np.isfinite(value).all() for value in outputs.values())
    assert np.isfinite(diffs).all() and max(diffs) > 0
