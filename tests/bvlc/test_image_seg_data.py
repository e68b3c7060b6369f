"""The shipped ImageSegData against recordings of a C++ Caffe and the native layer; what it draws at random."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from bvlc.dialects import in_bvlc, net_of
from deeplab_caffe import caffe
from deeplab_caffe.data import write_label
from deeplab_caffe.engine import install_as_caffe
from deeplab_caffe.errors import InputError

install_as_caffe()
from deeplab_layers import images  # noqa: E402 - it imports caffe

_RECORDED = Path(__file__).parent.parent / "data" / "conformance" / "image_seg_data"
_CASES = sorted(path.stem for path in _RECORDED.glob("*.npz"))
_TOPS = ("data", "label", "data_dim")


@pytest.fixture(params=["OpenCV", "Pillow"])
def library(request, monkeypatch: pytest.MonkeyPatch) -> str:
    """What reads image files; Pillow alone must do as well."""
    if request.param == "Pillow":
        monkeypatch.setattr(images, "cv2", None)
    return request.param


@pytest.mark.parametrize("case", _CASES)
def test_four_batches(case: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_RECORDED)
    record = dict(np.load(f"{case}.npz"))
    net = net_of(in_bvlc(str(record["prototxt"])), caffe.TRAIN if str(record["phase"]) == "TRAIN" else caffe.TEST)
    compared = [name for name in _TOPS if name in record and name in net.blobs]
    assert "data" in compared
    for i in range(4):
        net.forward()
        for name in compared:
            np.testing.assert_allclose(net.blobs[name].data, record[name][i], rtol=1e-6, atol=1e-5, err_msg=name)


def test_resizing_without_opencv_is_opencvs(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        height, width, rows, columns = map(int, random.integers(1, 40, 4))
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = images.resize_linear(pixels, rows, columns)
        nearest = cv2.resize(pixels[:, :, 0], (columns, rows), interpolation=cv2.INTER_NEAREST)
        with monkeypatch.context() as patch:
            patch.setattr(images, "cv2", None)
            assert np.array_equal(images.resize_linear(pixels, rows, columns), expected)
        assert np.array_equal(images.resize_nearest(pixels[:, :, 0], rows, columns), nearest)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five images of 12 x 10 pixels, whose every pixel differs, and their labels; the working directory."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for i in range(5):
        pixels = (np.arange(120) + 20 * i).reshape(12, 10).astype(np.uint8)
        cv2.imwrite(f"i{i}.png", np.dstack([pixels, pixels, pixels]))
        write_label(tmp_path / f"l{i}.png", pixels)
        lines.append(f"i{i}.png l{i}.png\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    return tmp_path


def _net(
    image_data: str, transform: str = "", phase: int = caffe.TRAIN, tops: int = 3, label_type: str = "PIXEL"
) -> caffe.Net:
    ends = " ".join(f'top: "{name}"' for name in _TOPS[:tops])
    text = f"""layer {{ name: "data" type: "ImageSegData" {ends} transform_param {{ {transform} }}
      image_data_param {{ source: "list.txt" label_type: {label_type} {image_data} }} }}"""
    return net_of(in_bvlc(text), phase)


def _items(net: caffe.Net, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for _ in range(count):
        net.forward()
        found.append((net.blobs["data"].data[0, 0].copy(), net.blobs["label"].data[0, 0].copy()))
    return found


def test_crops_and_mirrors_image_and_label_alike(folder: Path) -> None:
    np.random.seed(0)  # noqa: NPY002 - what the layer draws its seed from
    corners, mirrored = set(), set()
    for number, (data, label) in enumerate(_items(_net("batch_size: 1", "mirror: true crop_size: 7"), 60)):
        assert np.array_equal(data, label)
        straight = data if data[0, 1] > data[0, 0] else data[:, ::-1]
        mirrored.add(data[0, 1] < data[0, 0])
        corner = int(straight[0, 0]) - 20 * (number % 5)
        whole = np.arange(120).reshape(12, 10) + 20 * (number % 5)
        top, left = divmod(corner, 10)
        assert np.array_equal(straight, whole[top : top + 7, left : left + 7])
        corners.add((top, left))
    assert mirrored == {True, False}
    assert {top for top, _ in corners} == set(range(6)) and {left for _, left in corners} == set(range(4))


def test_test_crops_lie_in_the_centre(folder: Path) -> None:
    ((data, _),) = _items(_net("batch_size: 1", "crop_size: 7", caffe.TEST), 1)
    assert data[0, 0] == 2 * 10 + 1


def test_every_pass_has_all_items_in_another_order(folder: Path) -> None:
    np.random.seed(1)  # noqa: NPY002
    first = [int(data[0, 0]) // 20 for data, _ in _items(_net("batch_size: 1 shuffle: true"), 15)]
    passes = [first[i : i + 5] for i in (0, 5, 10)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_scales_are_drawn_from_the_list(folder: Path) -> None:
    np.random.seed(2)  # noqa: NPY002
    net = _net("batch_size: 1 ignore_label: 200", "scale_factors: 0.5 scale_factors: 1 crop_height: 12 crop_width: 10")
    heights = {int((label[:, 0] != 200).sum()) for _, label in _items(net, 20)}
    assert heights == {6, 12}


def test_the_seed_decides(folder: Path) -> None:
    def run(seed: str) -> list[np.ndarray]:
        text = in_bvlc(
            'layer { name: "data" type: "ImageSegData" top: "data" top: "label" transform_param { mirror: true '
            'crop_size: 5 } image_data_param { source: "list.txt" shuffle: true label_type: PIXEL batch_size: 1 } }'
        )
        return [data for data, _ in _items(net_of(text.replace("{'source'", f"{{{seed}'source'"), caffe.TRAIN), 8)]

    first, again, other = run("'seed': 7, "), run("'seed': 7, "), run("'seed': 8, ")
    assert all(map(np.array_equal, first, again)) and not all(map(np.array_equal, first, other))
    np.random.seed(5)  # noqa: NPY002
    drawn = run("")
    np.random.seed(5)  # noqa: NPY002
    assert all(map(np.array_equal, drawn, run("")))


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_solvers_that_train_together_share_the_items(phase: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import caffe as installed

    monkeypatch.setattr(installed, "solver_rank", lambda: 1)
    monkeypatch.setattr(installed, "solver_count", lambda: 3)
    first = [int(data[0, 0]) // 20 for data, _ in _items(_net("batch_size: 1", phase=phase), 4)]
    assert first == ([1, 4, 2, 0] if phase == caffe.TRAIN else [0, 1, 2, 3])


@pytest.mark.parametrize("tops", [1, 2, 3])
def test_tops_may_be_left_out(tops: int, folder: Path) -> None:
    net = _net("batch_size: 2", "crop_size: 16 mean_value: 3", tops=tops)
    net.forward()
    assert list(net.blobs) == list(_TOPS[:tops])
    assert net.blobs["data"].data[1, 2, 0].tolist() == [*range(17, 27), *[0] * 6]
    if tops > 1:
        assert net.blobs["label"].data[0, 0, 0].tolist() == [*range(10), *[255] * 6]
    if tops > 2:
        assert net.blobs["data_dim"].data.tolist() == [[[[12, 10]]], [[[12, 10]]]]


def test_words_of_labels(folder: Path) -> None:
    (folder / "list.txt").write_text("i0.png 7\ni1.png -3x\ni2.png word\n")
    net = _net("batch_size: 3", label_type="IMAGE")
    net.forward()
    assert net.blobs["label"].data[:, 0, 0, 0].tolist() == [7, 0, 0]


@pytest.mark.parametrize(
    ("image_data", "transform", "message"),
    [
        ("batch_size: 0", "", "batch_size is 0"),
        ("batch_size: 1 new_height: 4", "", "only one of new_height and new_width"),
        ("batch_size: 1", "crop_height: 4", "only one of crop_height and crop_width"),
        ("batch_size: 1", "crop_size: 3 crop_height: 4 crop_width: 4", "both crop_size and"),
        ("batch_size: 1", "mean_value: 1 mean_value: 2", "2 mean values for 3 channels"),
        ("batch_size: 1", "scale_factors: 0", "must be positive"),
    ],
)
def test_settings_that_do_not_fit(image_data: str, transform: str, message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        _net(image_data, transform)


def test_files_that_do_not_fit(folder: Path, library: str) -> None:
    def failure() -> str:
        with pytest.raises(InputError) as caught:
            _net("batch_size: 5", "crop_size: 20").forward()
        return str(caught.value)

    (folder / "i3.png").write_bytes(b"no image")
    assert "list.txt:4: i3.png does not exist or is not an image" in failure()
    (folder / "i3.png").write_bytes((folder / "i1.png").read_bytes())
    cv2.imwrite("l2.png", np.zeros((3, 4), np.uint8))
    assert "list.txt:3: label l2.png is 4x3 pixels, its image i2.png 10x12" in failure()
    cv2.imwrite("l2.png", np.zeros((12, 10, 3), np.uint8))
    assert "list.txt:3: l2.png: an RGB PNG is not a label file" in failure()
    os.remove("l2.png")
    assert "list.txt:3: l2.png does not exist (1 of 10 files are missing)" in failure()
    (folder / "list.txt").write_text("i0.png\n")
    assert "list.txt:1: expected '<image> <label>', got 'i0.png'" in failure()
    (folder / "list.txt").write_text("")
    assert "list.txt: the list is empty" in failure()
    os.remove("list.txt")
    assert "cannot read the list, source: 'list.txt'" in failure()


def test_images_of_several_sizes_need_a_crop(folder: Path) -> None:
    cv2.imwrite("i1.png", np.zeros((5, 6, 3), np.uint8))
    cv2.imwrite("l1.png", np.zeros((5, 6), np.uint8))
    with pytest.raises(
        InputError, match=r"list.txt:2: 6x5 pixels, smaller than the first image, 10x12; state crop_size"
    ):
        _net("batch_size: 2").forward()


def test_without_any_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "cv2", None)
    monkeypatch.setattr(images, "Image", None)
    with pytest.raises(InputError, match=r"neither OpenCV \(cv2\) nor Pillow is there"):
        _net("batch_size: 1")


def test_palettes_need_pillow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "Image", None)
    with pytest.raises(InputError, match="Pillow is needed to read the indices of a PNG with a palette"):
        _net("batch_size: 1").forward()
    for i in range(5):
        cv2.imwrite(f"l{i}.png", np.full((12, 10), i, np.uint8))
    assert [label[0, 0] for _, label in _items(_net("batch_size: 1"), 3)] == [0, 1, 2]


def test_images_are_turned_and_quoted_names_read_as_in_the_native_layer(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
    lines = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(f"a {orientation}.png", exif=exif)
        lines.append(f'"a {orientation}.png" 0\n')
    Path("list.txt").write_text("".join(lines))
    source = 'source: "list.txt" label_type: IMAGE apply_exif: true batch_size: 8'
    text = (
        'layer { name: "data" type: "ImageSegData" top: "data" top: "label" '
        f"transform_param {{ crop_size: 8 }} image_data_param {{ {source} }} }}"
    )
    nets = [net_of(net, caffe.TEST) for net in (text, in_bvlc(text))]
    for net in nets:
        net.forward()
    np.testing.assert_array_equal(nets[0].blobs["data"].data, nets[1].blobs["data"].data)
    turned = np.asarray(ImageOps.exif_transpose(Image.open("a 6.png")))[:, :, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(nets[1].blobs["data"].data[5][:, :8, :5], turned)
