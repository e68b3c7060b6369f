"""The "ImageData" layer: by hand, its order, its errors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.datum import write_mean_file
from stores import batches, check_resume, pixels, write_images


@pytest.fixture
def images(net, tmp_path):
    """`images(lines, parameters, transform, phase)`: a net of one ImageData layer over a list of the lines."""

    def build(lines, parameters="batch_size: 2", transform="", phase=caffe.TEST):
        path = tmp_path / "list.txt"
        path.write_text(lines if isinstance(lines, str) else "".join(f"{line}\n" for line in lines))
        return net(
            f'layer {{ name: "source" type: "ImageData" top: "data" top: "label" transform_param {{ {transform} }} '
            f'image_data_param {{ source: "{path}" root_folder: "{tmp_path}/" {parameters} }} }}',
            phase,
        )

    return build


def _numbered(tmp_path, count):
    """Images of one pixel each, whose value is their number; the lines of a list of them, labels ten times that."""
    write_images(tmp_path, [np.full((1, 1), i, np.uint8) for i in range(count)])
    return [f"image {i}.png {10 * i}" for i in range(count)]


def test_by_hand_with_blanks_in_the_paths(images, tmp_path):
    first = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    second = pixels(2, 2)
    write_images(tmp_path, [first, second])
    net = images(["image 0.png 7", "image 1.png -2x"], "batch_size: 2", "mean_value: 1 scale: 2")
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], (first.transpose(2, 0, 1) - 1.0) * 2)
    np.testing.assert_array_equal(net.blobs["data"].data[1], np.broadcast_to((second - 1.0) * 2, (3, 2, 2)))
    np.testing.assert_array_equal(net.blobs["label"].data, [7, -2])
    net.close()


def test_gray_and_resized(images, tmp_path):
    image = pixels(6, 8, 3)
    write_images(tmp_path, [image])
    net = images(["image 0.png 0"], "is_color: false new_height: 3 new_width: 5")
    net.forward()
    gray = cv2.imread(str(tmp_path / "image 0.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(net.blobs["data"].data[0, 0], cv2.resize(gray, (5, 3)))
    assert net.blobs["data"].shape == (1, 1, 3, 5)  # batch_size is 1 unless stated
    net.close()


def test_wraps_round_in_order(images, tmp_path):
    net = images(_numbered(tmp_path, 3), "batch_size: 2 is_color: false")
    assert [b["label"].tolist() for b in batches(net, 3)] == [[0, 10], [20, 0], [10, 20]]
    assert [b["data"].ravel().tolist() for b in batches(net, 3)] == [[0, 1], [2, 0], [1, 2]]
    net.close()


def test_each_pass_is_another_permutation(images, tmp_path):
    net = images(_numbered(tmp_path, 8), "batch_size: 8 shuffle: true")
    passes = [b["label"].tolist() for b in batches(net, 3)]
    assert all(sorted(p) == [10 * i for i in range(8)] for p in passes)
    assert len({tuple(p) for p in passes}) == 3
    net.close()


def test_rand_skip_moves_the_start(images, tmp_path):
    lines = _numbered(tmp_path, 4)
    starts = set()
    for seed in range(20):
        caffe.set_random_seed(seed)
        net = images(lines, "batch_size: 1 rand_skip: 3")
        labels = [int(b["label"][0]) // 10 for b in batches(net, 5)]
        assert labels == [(labels[0] + i) % 4 for i in range(5)]
        starts.add(labels[0])
        net.close()
    assert starts == {0, 1, 2}


def test_the_shape_is_that_of_the_first_image_of_a_batch(images, tmp_path):
    write_images(tmp_path, [pixels(3, 4, 3), pixels(5, 2, 3)])
    net = images(["image 0.png 0", "image 1.png 1"], "batch_size: 1")
    assert [b["data"].shape for b in batches(net, 3)] == [(1, 3, 3, 4), (1, 3, 5, 2), (1, 3, 3, 4)]
    net.close()


def test_mirror_and_crop_are_active_as_in_the_transformer(images, tmp_path):
    image = pixels(4, 6, 3)
    write_images(tmp_path, [image])
    net = images(["image 0.png 0"], "", "crop_size: 3 mirror: true")
    crop = image.transpose(2, 0, 1)[:, 0:3, 1:4].astype(np.float32)
    seen = {b["data"][0].tobytes() for b in batches(net, 16)}
    assert seen == {crop.tobytes(), np.ascontiguousarray(crop[:, :, ::-1]).tobytes()}
    net.close()


def test_resumes_with_the_very_items_that_were_next(images, tmp_path):
    write_images(tmp_path, [pixels(6, 7, 3, seed=i) for i in range(5)])
    lines = [f"image {i}.png {i}" for i in range(5)]
    check_resume(
        lambda: images(lines, "batch_size: 2 shuffle: true rand_skip: 9", "crop_size: 4 mirror: true", caffe.TRAIN)
    )


# -- errors


def _fails(make, match):
    with pytest.raises(InputError, match=r"(?s)layer 'source' \(ImageData\): .*" + match) as error:
        net = make()
        net.forward()
    assert str(error.value).count("layer 'source'") == 1


def test_lists_that_cannot_be_read(images, net, tmp_path):
    _fails(lambda: images(""), r"list\.txt: the list is empty")
    _fails(lambda: images("no_label.png\n"), r"list\.txt:1: 'no_label\.png': expected '<image> <label>'")
    write_images(tmp_path, [pixels(2, 2)])
    _fails(lambda: images(["image 0.png 1", ""]), r"list\.txt:2: '': expected '<image> <label>'")
    _fails(lambda: images(["image 0.png cat"]), r"list\.txt:1: 'image 0\.png cat': expected .* a number")
    _fails(
        lambda: images(["image 0.png 1", "gone.png 2"]), r"1 of 2 files do not exist:\n  .*list\.txt:2: .*/gone\.png"
    )
    text = 'layer { name: "source" type: "ImageData" top: "data" top: "label" image_data_param { source: "/none" } }'
    _fails(lambda: net(text), "source: '/none': cannot read the list")


def test_images_that_cannot_be_used(images, tmp_path):
    write_images(tmp_path, [pixels(4, 4, 3), pixels(4, 5, 3)])
    (tmp_path / "text.png").write_text("no image")
    good = "image 0.png 0"
    _fails(lambda: images([good, "text.png 1"]), r"list\.txt:2: .*/text\.png: cannot read the image: damaged")
    _fails(lambda: images([good, "image 1.png 1"]), r"list\.txt:2: .*is 3×4×5 .*, the first item of its batch 3×4×4")
    _fails(lambda: images([good], "", "crop_size: 5"), r"list\.txt:1: .*is 4×4 pixels, smaller than the crop of 5×5")
    write_mean_file(tmp_path / "mean", np.zeros((1, 4, 4)))
    _fails(lambda: images([good], "", f'mean_file: "{tmp_path}/mean"'), r"list\.txt:1: .*is 3×4×4 .* mean of .*1×4×4")


def test_parameters_that_do_not_fit(images, tmp_path):
    write_images(tmp_path, [pixels(4, 4, 3)])
    good = ["image 0.png 0"]
    _fails(lambda: images(good, "new_height: 3"), "only one of new_height and new_width")
    _fails(lambda: images(good, "batch_size: 0"), "batch_size is 0")
    _fails(lambda: images(good, "mirror: true"), "image_data_param states mirror")
    _fails(lambda: images(good, "", "mean_value: [1, 2]"), "2 mean values for 3 channels")
