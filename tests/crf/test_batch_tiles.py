"""Images in tiles: what they cover, that their seams do not show, what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from deeplab_caffe.crf import CRFParameters, crf_labels, dense_crf, resize_scores
from deeplab_caffe.crf.batch import Refiner, batch_tasks, refine_batch
from deeplab_caffe.crf.batch.regions import Region, enlarged
from deeplab_caffe.crf.batch.tiles import bands, infer_region
from deeplab_caffe.data import read_label
from deeplab_caffe.data.bin_files import open_bin

PARAMETERS = CRFParameters(4, 12, 5, iterations=5)


@pytest.mark.parametrize("size", [(1, 1), (100, 100), (257, 999), (64, 65)])
def test_tiles_cover_the_image_once(size):
    count = np.zeros(size, int)
    for row in bands(size, 64, 10):
        for part, grown in row:
            count[part.slices] += 1
            assert max(part.size) <= 44 and max(grown.size) <= 64
            assert grown.top == max(0, part.top - 10) and grown.right == min(size[1], part.right + 10)
    assert (count == 1).all()


def test_a_window_is_enlarged_as_the_whole_is():
    maps = np.random.default_rng(0).normal(size=(3, 9, 12)).astype(np.float32)
    whole = resize_scores(maps, (65, 89))
    for region in (Region(0, 0, 65, 89), Region(7, 0, 30, 40), Region(40, 50, 65, 89), Region(8, 8, 9, 9)):
        np.testing.assert_array_equal(enlarged(maps, (65, 89), region), whole[(slice(None), *region.slices)])


@pytest.fixture(scope="module")
def large(scene):
    image, scores, _ = scene(5, 160, 400)
    return image, resize_scores(scores, (160, 400))


def test_a_tile_is_the_part_of_the_whole_but_for_its_edges(large):
    image, maps = large
    whole = dense_crf(image, -maps, PARAMETERS)
    region, inner = Region(20, 151, 160, 360), (slice(None), slice(40, None), slice(60, 140))
    unary = -maps[(slice(None), *region.slices)]
    tile = infer_region(image[region.slices], unary, region, PARAMETERS).probabilities()
    part = whole[(slice(None), *region.slices)]
    np.testing.assert_allclose(tile[inner], part[inner], atol=2e-3)
    moved = infer_region(image[region.slices], unary, Region(0, 0, 140, 209), PARAMETERS).probabilities()
    error = [np.abs(other[inner] - part[inner]).max() for other in (tile, moved)]
    assert error[0] < error[1] / 10, "the lattice is placed as the whole image's"


def test_an_image_in_tiles_has_no_seams(large, tmp_path):
    image, maps = large
    (tmp_path / "scores").mkdir()
    (tmp_path / "images").mkdir()
    np.save(tmp_path / "scores" / "x.npy", maps)
    np.save(tmp_path / "images" / "x.npy", image)
    tasks = batch_tasks(tmp_path / "scores", tmp_path / "images")
    refiner = Refiner(PARAMETERS, tmp_path / "out", ("png", "npy", "bin"), tile=144, threads=2, quiet=True)
    assert refine_batch(tasks, refiner, quiet=True) == (1, ())
    whole = crf_labels(image, -maps, PARAMETERS)
    labels = read_label(tmp_path / "out" / "x.png")
    assert (labels != whole).mean() < 5e-4
    np.testing.assert_array_equal(open_bin(tmp_path / "out" / "x.bin", "<i2")[0], labels)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "x.npy").argmax(0), labels)


def test_a_tile_that_cannot_be_used_is_named_and_leaves_no_file(large, tmp_path):
    image, maps = large
    for folder in ("scores", "images"):
        (tmp_path / folder).mkdir()
    maps = maps.copy()
    maps[1, 100, 350] = np.nan
    np.save(tmp_path / "scores" / "x.npy", maps)
    (tmp_path / "images" / "x.ppm").write_bytes(b"P6\n400 160\n255\n" + image.tobytes())
    tasks = batch_tasks(tmp_path / "scores", tmp_path / "images")
    summary = refine_batch(tasks, Refiner(PARAMETERS, tmp_path / "out", tile=144, quiet=True), quiet=True)
    assert re.search(r"x\.npy on .*x\.ppm, in the tile from row 1. and .*holds nan", summary.failures[0].message)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["crf.json"]


def test_a_large_image_of_floats_may_be_dark_somewhere_but_not_all_over(large, tmp_path):
    image, maps = large
    for folder in ("scores", "images"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "scores" / "x.npy", maps)
    dark = image.astype(np.float32)
    dark[:, :150] /= 255
    messages = []
    for pixels in (dark, image / 255):
        np.save(tmp_path / "images" / "x.npy", pixels)
        tasks = batch_tasks(tmp_path / "scores", tmp_path / "images")
        refiner = Refiner(PARAMETERS, tmp_path / "out", tile=144, quiet=True)
        messages.append([failure.message for failure in refine_batch(tasks, refiner, quiet=True).failures])
    assert not messages[0] and "x.npy: CRF: the image is float with levels" in messages[1][0]
