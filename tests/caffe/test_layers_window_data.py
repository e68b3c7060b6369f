"""The "WindowData" layer: what is cut out of the images, by hand; what is drawn; errors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.datum import write_mean_file
from stores import batches, check_resume, pixels

#: windows of one image: class, overlap, x1, y1, x2, y2
_FOREGROUND, _BACKGROUND = (4, 0.5, 0, 0, 3, 3), (9, 0.2, 2, 4, 5, 7)


@pytest.fixture
def windows(net, tmp_path):
    """`windows(images, parameters, transform)`: a net of one WindowData layer; images are pairs (pixels, windows)."""

    def build(images, parameters="batch_size: 4", transform="crop_size: 4", edit=lambda text: text, phase=caffe.TEST):
        text = ""
        for i, (image, rows) in enumerate(images):
            cv2.imwrite(str(tmp_path / f"{i}.png"), image)
            lines = [f"# {i}", f"{i}.png", 3, *image.shape[:2], len(rows), *(" ".join(map(str, r)) for r in rows)]
            text += "".join(f"{line}\n" for line in lines)
        (tmp_path / "windows.txt").write_text(edit(text))
        return net(
            'layer { name: "source" type: "WindowData" top: "data" top: "label" '
            f"transform_param {{ {transform} }} "
            f'window_data_param {{ source: "{tmp_path}/windows.txt" root_folder: "{tmp_path}/" {parameters} }} }}',
            phase,
        )

    return build


def _planes(image: np.ndarray) -> np.ndarray:
    return image.transpose(2, 0, 1).astype(np.float32)


def test_a_batch_is_background_then_foreground(windows):
    image = pixels(8, 8, 3)
    unused = (3, 0.4, 0, 0, 1, 1)
    net = windows(
        [(image, [_FOREGROUND, unused, _BACKGROUND])],
        "batch_size: 6 fg_fraction: 0.4 bg_threshold: 0.3 scale: 0.5",
        "crop_size: 4 mean_value: 10",
    )
    net.forward()
    assert net.blobs["label"].data.tolist() == [0, 0, 0, 0, 4, 4]  # int(6 · 0.4) = 2
    data = net.blobs["data"].data
    for item, window in ((0, image[4:8, 2:6]), (3, image[4:8, 2:6]), (4, image[0:4, 0:4])):
        np.testing.assert_array_equal(data[item], (_planes(window) - 10) * 0.5)
    net.close()


def test_warped_to_the_crop(windows):
    image = pixels(9, 12, 3)
    net = windows([(image, [(1, 1, 2, 1, 8, 5)])], "batch_size: 1 fg_fraction: 1", "crop_size: 6")
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], _planes(cv2.resize(image[1:6, 2:9], (6, 6))))
    net.close()


def test_context_beyond_the_corner_is_zero(windows):
    """Window 4×4 at the corner, crop 8 with a pad of 2: scale 2 about its centre (2, 2), so −2 to 6, 9 pixels.

    7 of them lie within the image: round(7 · 8/9) = 6 of the crop, behind round(2 · 8/9) = 2 of padding.
    """
    image = pixels(10, 10, 3)
    net = windows([(image, [_FOREGROUND])], "batch_size: 1 fg_fraction: 1 context_pad: 2", "crop_size: 8 mean_value: 7")
    net.forward()
    expected = np.zeros((3, 8, 8), np.float32)
    expected[:, 2:, 2:] = _planes(cv2.resize(image[:7, :7], (6, 6))) - 7
    np.testing.assert_array_equal(net.blobs["data"].data[0], expected)
    net.close()


def test_mirrored_with_its_padding(windows):
    image = pixels(10, 10, 3)
    net = windows([(image, [_FOREGROUND])], "batch_size: 1 fg_fraction: 1 context_pad: 2", "crop_size: 8 mirror: true")
    expected = np.zeros((3, 8, 8), np.float32)
    expected[:, 2:, 2:] = _planes(cv2.resize(image[:7, :7], (6, 6)))
    seen = {b["data"][0].tobytes() for b in batches(net, 16)}
    assert seen == {expected.tobytes(), np.ascontiguousarray(expected[:, :, ::-1]).tobytes()}
    net.close()


def test_square_takes_the_longer_side(windows):
    """Window 2 wide, 4 high at (5, 3): half 2 about (6, 5), so columns 4 to 8 and rows 3 to 7."""
    image = pixels(12, 12, 3)
    net = windows([(image, [(2, 0.9, 5, 3, 6, 6)])], 'batch_size: 1 fg_fraction: 1 crop_mode: "square"', "crop_size: 5")
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], _planes(image[3:8, 4:9]))
    net.close()


def test_the_centre_of_the_mean_file_is_subtracted(windows, tmp_path):
    image, mean = pixels(8, 8, 3), np.random.default_rng(0).uniform(0, 255, (3, 9, 8)).astype(np.float32)
    write_mean_file(tmp_path / "mean", mean)
    net = windows(
        [(image, [_FOREGROUND])], "batch_size: 1 fg_fraction: 1", f'crop_size: 4 mean_file: "{tmp_path}/mean"'
    )
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], _planes(image[:4, :4]) - mean[:, 2:6, 2:6])
    net.close()


def test_every_window_is_drawn_and_cached_images_are_the_same(windows):
    images = [(pixels(6, 6, 3, seed=i), [(i + 1, 0.7, 0, 0, 3, 3), (0, 0.1, 1, 1, 4, 4)]) for i in range(3)]
    seen = []
    for more in ("", " cache_images: true"):
        caffe.set_random_seed(2)
        net = windows(images, "batch_size: 4 fg_fraction: 0.5" + more)
        seen.append(batches(net, 10))
        net.close()
    for plain, cached in zip(*seen, strict=True):
        np.testing.assert_array_equal(plain["data"], cached["data"])
    assert {int(label) for b in seen[0] for label in b["label"]} == {0, 1, 2, 3}


def test_resumes_with_the_very_items_that_were_next(windows):
    rows = [(i, 0.9, i, 0, i + 3, 3) for i in range(1, 4)] + [(0, 0.1, i, 1, i + 3, 4) for i in range(4)]
    images = [(pixels(8, 8, 3, seed=i), rows) for i in range(3)]
    check_resume(
        lambda: windows(images, "batch_size: 4 context_pad: 1", "crop_size: 6 mirror: true", phase=caffe.TRAIN)
    )


# -- errors


def _fails(make, match):
    with pytest.raises(InputError, match=r"(?s)layer 'source' \(WindowData\): .*" + match) as error:
        make().forward()
    assert str(error.value).count("layer 'source'") == 1


def test_window_files_that_cannot_be_read(windows, net):
    good = [(pixels(8, 8, 3), [_FOREGROUND, _BACKGROUND])]
    _fails(lambda: windows([]), r"windows\.txt: the window file is empty")
    for old, new, match in (
        ("# 0", "# 1", r":1: '# 1': wanted '# 0' \(images are numbered from 0 in their order\)"),
        ("\n3\n", "\nthree\n", ":3: 'three': wanted the image's channels"),
        ("\n3\n", "\n1\n", ":1: an image of 1 channels, wanted 3"),
        ("\n2\n", "\n-2\n", ":6: '-2': wanted the number of windows, 0 or more"),
        ("\n2\n", "\n3\n", r"the file ends where a window was expected"),
        ("9 0.2 2", "9 0.2", r":8: '9 0\.2 4 5 7': wanted a window 'class overlap x1 y1 x2 y2', one of 2"),
        ("9 0.2 2", "9 0.2 2.5", r":8: '9 0\.2 2\.5 4 5 7': wanted a window"),
        ("9 0.2 2", "9 much 2", r":8: '9 much 2 4 5 7': wanted a window"),
        ("4 0.5", "0 0.5", r":7: .*0\.png: a foreground window \(overlap 0\.5\) of class 0, wanted a class above 0"),
    ):
        _fails(lambda edit=(old, new): windows(good, edit=lambda text: text.replace(*edit)), match)
    text = (
        'layer { name: "source" type: "WindowData" top: "data" top: "label" transform_param { crop_size: 2 } '
        'window_data_param { source: "/none" batch_size: 1 } }'
    )
    _fails(lambda: net(text), "source: '/none': cannot read the window file")


def test_parameters_that_do_not_fit(windows, tmp_path):
    good = [(pixels(8, 8, 3), [_FOREGROUND, _BACKGROUND])]
    _fails(lambda: windows(good, transform=""), "transform_param has no crop_size")
    _fails(lambda: windows(good, "batch_size: 0"), "batch_size is 0")
    _fails(lambda: windows(good, "batch_size: 4 context_pad: 2"), "context_pad 2 on both sides leaves nothing of crop")
    _fails(lambda: windows(good, 'batch_size: 4 crop_mode: "round"'), "crop_mode is 'round', wanted warp or square")
    _fails(lambda: windows(good, "batch_size: 4 fg_fraction: 2"), "fg_fraction is 2, wanted 0 to 1")
    _fails(lambda: windows(good, "batch_size: 4 mirror: true"), "window_data_param states mirror")
    _fails(lambda: windows(good, transform="crop_size: 4 mean_value: [1, 2]"), "2 mean values for 3 channels")
    _fails(lambda: windows([(good[0][0], [_BACKGROUND])]), "has no foreground window, a batch needs 1")
    _fails(lambda: windows([(good[0][0], [_FOREGROUND])]), "has no background window, a batch needs 3")
    write_mean_file(tmp_path / "mean", np.zeros((3, 3, 8)))
    _fails(lambda: windows(good, transform=f'crop_size: 4 mean_file: "{tmp_path}/mean"'), "mean .* too small")


def test_images_that_cannot_be_used(windows, tmp_path):
    def spoiled(name):
        def edit(text):
            (tmp_path / "text.png").write_text("no image")
            return text.replace("0.png", name)

        return lambda: windows([(pixels(8, 8, 3), [_FOREGROUND, _BACKGROUND])], edit=edit)

    _fails(spoiled("gone.png"), r"1 of 1 files do not exist:\n  .*windows\.txt:2: .*/gone\.png")
    _fails(spoiled("text.png"), r"windows\.txt:8: .*text\.png: is not an image that OpenCV can read")
    outside = [(pixels(8, 8, 3), [_FOREGROUND, (0, 0, 5, 0, 8, 3)])]
    _fails(lambda: windows(outside), r":8: .*the window \(5, 0\) to \(8, 3\) is not within 8×8 pixels")
    far = [(pixels(8, 8, 3), [_FOREGROUND, (0, 0, 50, 0, 53, 3)])]
    _fails(lambda: windows(far, "batch_size: 2 context_pad: 1"), r"grown to .* lies outside 8×8 pixels")
