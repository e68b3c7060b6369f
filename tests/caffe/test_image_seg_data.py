"""ImageSegData: lists, labels, transformations, the order of items, and messages that name list and line."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.caffe import mode
from deeplab_caffe.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Six images of 6×8 pixels, whose pixels all hold ten times the number, and their labels, the number."""
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((6, 8, 3), 10 * i, np.uint8))
        label = Image.fromarray(np.full((6, 8), i, np.uint8))
        label.putpalette([x for k in range(256) for x in (k, 255 - k, 7)])
        label.save(tmp_path / f"{i}_label.png")
    (tmp_path / "list.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in range(6)))
    return tmp_path


@pytest.fixture
def data(net, folder):
    """`data(image_data_param, transform_param)`: the net; batch 2 of the list unless stated."""

    def build(more: str = "", transform: str = "", phase: int = caffe.TRAIN, tops: str = "", **replaced: str):
        stated = {"source": f'"{folder}/list.txt"', "root_folder": f'"{folder}"', "batch_size": "2"}
        stated |= {"label_type": "PIXEL", **replaced}
        text = " ".join(f"{key}: {value}" for key, value in stated.items())
        return net(
            f'layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" {tops} '
            f"image_data_param {{ {text} {more} }} transform_param {{ {transform} }} }}",
            phase,
        )

    return build


def _items(built, batches: int) -> list[int]:
    """The labels of the items of the next batches."""
    items: list[int] = []
    for _ in range(batches):
        built.forward()
        items += built.blobs["label"].data[:, 0, 0, 0].astype(int).tolist()
    built.close()
    return items


def test_items_in_order_with_palette_labels_as_indices(data):
    built = data("", "mean_value: 5 scale: 2")
    assert _items(built, 4) == [0, 1, 2, 3, 4, 5, 0, 1]
    assert built.blobs["data"].shape == (2, 3, 6, 8)
    assert (built.blobs["data"].data[1] == 2 * (10 - 5)).all()


def test_batches_run_on_into_the_next_pass(data):
    assert _items(data(batch_size="4"), 3) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]


def test_shuffling_permutes_every_pass_by_the_seed(data):
    first = _items(data("shuffle: true"), 6)
    assert sorted(first[:6]) == sorted(first[6:]) == list(range(6))
    assert first[:6] != first[6:]
    assert _items(data("shuffle: true"), 6) == first
    caffe.set_random_seed(2)
    assert _items(data("shuffle: true"), 6) != first


@pytest.mark.parametrize("more", ["", "shuffle: true", "shuffle: true rand_skip: 5"])
def test_seeking_goes_on_as_if_never_interrupted(data, more):
    text = (more, "mirror: true scale_factors: [0.5, 1] crop_size: 5")
    straight, resumed = data(*text), data(*text)
    for _ in range(6):
        straight.forward()
    resumed.forward()
    resumed.layer_dict["data"].seek(10)
    resumed.forward()
    assert resumed.layer_dict["data"].position == straight.layer_dict["data"].position == 12
    for name in ("data", "label"):
        np.testing.assert_array_equal(straight.blobs[name].data, resumed.blobs[name].data)
    straight.close()
    resumed.close()


def test_seeking_after_another_seed_draws_by_that_seed(data):
    expected = _items(data("shuffle: true rand_skip: 5"), 3)
    caffe.set_random_seed(77)
    built = data("shuffle: true rand_skip: 5")
    built.forward()
    caffe.set_random_seed(1)
    built.layer_dict["data"].seek(0)
    assert _items(built, 3) == expected


def test_the_number_of_threads_does_not_matter(data, folder, monkeypatch):
    for i in range(6):
        image = np.random.default_rng(i).integers(256, size=(6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), image)
    batches = []
    for cpus in (1, 16):
        monkeypatch.setattr(mode, "processors", lambda n=cpus: n)
        built = data("shuffle: true", "mirror: true crop_size: 5 scale_factors: [0.75, 1, 1.25]")
        own = []
        for _ in range(5):
            built.forward()
            own.append(built.blobs["data"].data_tensor().clone())
        batches.append(torch.cat(own))
        built.close()
    assert torch.equal(*batches)
    assert batches[0].unique().numel() > 50


def test_mirror_and_crop_move_image_and_label_alike(data, folder):
    ramp = np.arange(48, dtype=np.uint8).reshape(6, 8)
    cv2.imwrite(str(folder / "0.png"), np.repeat(ramp[:, :, None], 3, 2))
    Image.fromarray(ramp).save(folder / "0_label.png")
    (folder / "list.txt").write_text("/0.png /0_label.png\n")
    built = data("", "mirror: true crop_height: 4 crop_width: 9")
    seen = set()
    for _ in range(10):
        built.forward()
        for image, label in zip(built.blobs["data"].data, built.blobs["label"].data, strict=True):
            padded = 0 if label[0, 0, 0] == 255 else 8  # the padding is at the right, or left when mirrored
            assert (label[0, :, padded] == 255).all()
            assert (image[:, :, padded] == 0).all()
            inside = np.delete(label[0], padded, 1)
            np.testing.assert_array_equal(np.delete(image, padded, 2), np.repeat(inside[None], 3, 0))
            seen.add((padded, int(inside.min()) // 8))
    built.close()
    assert {padded for padded, _ in seen} == {0, 8}
    assert {top for _, top in seen} == {0, 1, 2}


def test_scaled_sizes_are_computed_in_float32(data, folder):
    cv2.imwrite(str(folder / "0.png"), np.full((10, 10, 3), 9, np.uint8))
    Image.fromarray(np.full((10, 10), 3, np.uint8)).save(folder / "0_label.png")
    (folder / "list.txt").write_text("/0.png /0_label.png\n")
    built = data("", "scale_factors: 0.7 crop_size: 10", caffe.TEST)
    built.forward()
    assert (built.blobs["label"].data[0, 0] == 3).sum() == 7 * 7
    built.close()


def test_label_types(data, folder):
    (folder / "list.txt").write_text("/1.png 7\n/2.png -3x\n")
    built = data(label_type="IMAGE")
    assert _items(built, 1) == [7, 0]
    built = data("ignore_label: 99", label_type="NONE")
    assert _items(built, 1) == [99, 99]


def test_a_third_top_gives_sizes_before_padding(data):
    built = data("", "crop_size: 7", tops='top: "dim"')
    built.forward()
    assert built.blobs["dim"].data.tolist() == [[[[6, 7]]]] * 2
    built.close()


@pytest.mark.parametrize(
    ("list_text", "expected"),
    [
        ("/1.png /1_label.png\n/9.png /1_label.png\n", "list.txt: 1 of 4 files do not exist:"),
        ("/1.png /1_label.png\n/9.png /1_label.png\n", "list.txt:2: "),
        ("/1.png /1_label.png\n\n/1.png /1_label.png\n", "list.txt:2: blank line"),
        ("/1.png\n", "list.txt:1: '/1.png' has no label"),
        ("", "the list is empty"),
    ],
)
def test_lists_that_cannot_be_used(data, folder, list_text, expected):
    (folder / "list.txt").write_text(list_text)
    with pytest.raises(InputError) as caught:
        data()
    assert "net.prototxt:1:1: layer 'data' (ImageSegData): " in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("more", "transform", "replaced", "expected"),
    [
        ("", "", {"batch_size": "0"}, "batch_size is 0, wanted a positive number"),
        ("new_height: 3", "", {}, "states only one of new_height and new_width"),
        ("", 'mean_file: "m"', {}, "takes mean_value, not mean_file"),
        ("", "mean_value: [1, 2]", {}, "states 2 mean values for 3 channels"),
        ("", "crop_size: 3 crop_width: 3", {}, "states both crop_size and crop_height/crop_width"),
        ("", "crop_height: 3", {}, "states only one of crop_height and crop_width"),
        ("", "scale_factors: [1, 0]", {}, "scale_factors [1.0, 0.0] must be positive"),
        ("", "", {"source": '"gone.txt"'}, "gone.txt: cannot read the list"),
    ],
)
def test_parameters_that_cannot_be_used(data, more, transform, replaced, expected):
    with pytest.raises(InputError) as caught:
        data(more, transform, **replaced)
    assert "net.prototxt:1:1: layer 'data' (ImageSegData): " in str(caught.value)
    assert expected in str(caught.value)


def test_files_that_do_not_fit_name_list_and_line(data, folder):
    Image.fromarray(np.zeros((6, 9), np.uint8)).save(folder / "1_label.png")
    with pytest.raises(InputError, match=r"list\.txt:2: label .*1_label\.png is 9×6 pixels, its image /1\.png 8×6"):
        data().forward()
    (folder / "1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"list\.txt:2: .*1\.png: cannot read the image: damaged, or a format"):
        data().forward()
    for name, size in (("1.png", (4, 8, 3)), ("1_label.png", (4, 8))):
        cv2.imwrite(str(folder / name), np.zeros(size, np.uint8))
    with pytest.raises(InputError, match=r"list\.txt:2: /1\.png is 8×4 pixels, smaller than the first image \(8×6\)"):
        data().forward()


def test_an_image_spoiled_in_mid_epoch_stops_there_and_nowhere_before(data, folder):
    built = data()
    spoiled = (folder / "3.png").read_bytes()
    (folder / "3.png").write_bytes(spoiled[:40])
    built.forward()
    with pytest.raises(InputError, match=r"layer 'data' \(ImageSegData\): .*list\.txt:4: .*3\.png: cannot read the im"):
        built.forward()
    (folder / "3.png").write_bytes(spoiled)
    assert _items(built, 2) == [2, 3, 4, 5]  # the very batch that failed is next


def test_a_net_that_is_dropped_leaves_no_thread(data):
    before = set(threading.enumerate())
    built = data()
    built.forward()
    assert set(threading.enumerate()) - before
    del built
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_memory_is_used_again_only_when_nobody_looks_at_it(data):
    built = data()
    kept = []
    for _ in range(12):
        built.forward_range(0, 0)  # which makes no views
        tensor = built.blobs["data"].data_tensor()
        kept.append((tensor, tensor.clone()))
    assert len({tensor.data_ptr() for tensor, _ in kept}) == 12
    assert all(torch.equal(*pair) for pair in kept)
    del tensor, kept
    places = set()
    for _ in range(24):
        built.forward_range(0, 0)  # which makes no views
        places.add(built.blobs["data"].data_tensor().data_ptr())
    assert len(places) < 15  # of 12 and those that are read ahead
    built.close()


def test_a_wrong_label_is_traced_to_its_file(net, folder):
    Image.fromarray(np.full((6, 8), 200, np.uint8)).save(folder / "3_label.png")
    built = net(
        'layer { name: "data" type: "ImageSegData" top: "data" top: "label" image_data_param { label_type: PIXEL '
        f'source: "{folder}/list.txt" root_folder: "{folder}" batch_size: 2 }} }}'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" '
        "loss_param { ignore_label: 255 } }",
        caffe.TRAIN,
    )
    built.forward()
    with pytest.raises(InputError) as caught:
        built.forward()
    text = str(caught.value)
    assert "layer 'loss' (SoftmaxWithLoss): label 200 is neither one of the 3 classes" in text
    assert f"{folder}/list.txt:4: {folder}/3_label.png" in text
    built.close()
