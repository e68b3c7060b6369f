"""`deeplab dataset cityscapes` on streets of a few small images in the real formats, drawn here."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from deeplab_caffe.cli import main
from deeplab_caffe.data import read_dataset, read_label
from deeplab_caffe.data.builders import build_dataset, cityscapes
from deeplab_caffe.data.builders.cityscapes_polygons import draw_polygons
from deeplab_caffe.data.builders.halves import halve_image, halve_label
from deeplab_caffe.data.cityscapes import CLASSES, IDS, TRAIN_IDS
from deeplab_caffe.data.labels import write_grey_label
from deeplab_caffe.data.lists import read_list
from deeplab_caffe.errors import InputError

ROOT = Path(__file__).parent.parent.parent
HEIGHT, WIDTH = 24, 48
SPLITS = {"train": ["aachen", "bochum"], "val": ["lindau"], "test": ["berlin"]}
#: drawn in this order: a sky, a road, two cars as a group, a pole over them, a deleted object, a plate without an id
OBJECTS = [
    {"label": "sky", "polygon": [[0, 0], [WIDTH - 1, 0], [WIDTH - 1, 11], [0, 11]]},
    {"label": "road", "polygon": [[-5, 14], [WIDTH + 5, 14], [WIDTH + 5, HEIGHT + 9], [-5, HEIGHT + 9]]},
    {"label": "cargroup", "polygon": [[10, 8], [30, 8], [30, 18], [10, 18]]},
    {"label": "polegroup", "polygon": [[40, 2], [42, 2], [42, 20], [40, 20]]},
    {"label": "pole", "polygon": [[20, 0], [21, 0], [21, 20], [20, 20]]},
    {"label": "bus", "polygon": [[0, 0], [47, 0], [47, 23], [0, 23]], "deleted": 1},
    {"label": "license plate", "polygon": [[12, 15], [16, 15], [16, 17], [12, 17]]},
]


def expected_ids():
    """The label ids of OBJECTS by hand: rows, columns and values."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[0:12] = IDS["sky"]
    label[14:] = IDS["road"]
    label[8:19, 10:31] = IDS["car"]
    label[2:21, 40:43] = IDS["polegroup"]
    label[0:21, 20:22] = IDS["pole"]
    return label


def draw_street(root, split, city, number=0, ids=True, polygons=True, coarse=False):
    name, kind = f"{city}_{number:06}_000019", "gtCoarse" if coarse else "gtFine"
    image, labels = root / "leftImg8bit" / split / city, root / kind / split / city
    image.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(image / f"{name}_leftImg8bit.png")
    if ids:
        write_grey_label(labels / f"{name}_{kind}_labelIds.png", expected_ids())
    Image.new("RGB", (WIDTH, HEIGHT)).save(labels / f"{name}_{kind}_color.png")
    if polygons:
        table = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": OBJECTS}
        (labels / f"{name}_{kind}_polygons.json").write_text(json.dumps(table))
    return labels / f"{name}_{kind}"


@pytest.fixture
def streets(tmp_path):
    """The data folder; each city of train and val has one image with ids, and one with polygons alone."""
    for split, cities in SPLITS.items():
        for city in cities:
            draw_street(tmp_path / "cityscapes", split, city, 0)
            draw_street(tmp_path / "cityscapes", split, city, 1, ids=False)
    return tmp_path


def lines(root, name):
    return (root / "list" / f"{name}.txt").read_text().splitlines()


def test_the_table_is_the_official_one():
    assert {IDS[name]: n for n, name in enumerate(read_dataset(ROOT / "datasets/cityscapes.toml").classes)} == TRAIN_IDS
    assert dict(
        zip((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33), range(19), strict=True)
    ) == TRAIN_IDS
    assert CLASSES[0] == "road" and IDS["license plate"] == -1 and len(IDS) == 35
    counts = cityscapes.COUNTS
    assert [counts[n] for n in ("train", "val", "test", "train_extra")] == [2975, 500, 1525, 19998]
    assert counts["trainval"] == 3475 and counts["trainval_coarse"] == 23473
    for name in ("cityscapes", "cityscapes_half"):
        dataset = read_dataset(ROOT / f"datasets/{name}.toml")
        assert set(dataset.lists) == set(counts) and f"deeplab dataset {name}" in dataset.obtain


def test_polygons_and_ids_give_the_same_train_ids(streets, capsys):
    root = build_dataset("cityscapes", streets)
    assert root == streets / "cityscapes"
    expected = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for number, train_id in TRAIN_IDS.items():
        expected[expected_ids() == number] = train_id
    written = sorted(root.glob("gtFine/*/*/*_labelTrainIds.png"))
    assert [path.parent.name for path in written] == [c for c in ("aachen", "bochum", "lindau") for _ in (0, 1)]
    for path in written:
        np.testing.assert_array_equal(read_label(path), expected, str(path))
    assert lines(root, "train")[0] == (
        "/leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png "
        "/gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png"
    )
    assert lines(root, "test") == [f"/leftImg8bit/test/berlin/berlin_00000{n}_000019_leftImg8bit.png" for n in (0, 1)]
    assert lines(root, "trainval") == lines(root, "train") + lines(root, "val")
    assert len(lines(root, "trainval")) == 6 and not (root / "list/train_extra.txt").exists()
    out, err = capsys.readouterr()
    assert "images in the lists: train 4, val 2, trainval 6, test 2" in out
    for name, has, published in (("train", 4, 2975), ("val", 2, 500), ("test", 2, 1525)):
        assert f"{name} has {has} images, but the published list has {published}" in err
    assert "train_extra, train_coarse, trainval_coarse (coarse labels) are not written: they need" in err
    assert "leftImg8bit_trainextra.zip (44.0 GB) and gtCoarse.zip (1.3 GB)" in err


def test_twice_does_nothing_and_interrupted_goes_on(streets, capsys):
    root = build_dataset("cityscapes", streets)
    files = {path: path.stat().st_mtime_ns for path in root.rglob("*_labelTrainIds.png")}
    capsys.readouterr()
    build_dataset("cityscapes", streets)
    assert "already there" in capsys.readouterr().out
    assert files == {path: path.stat().st_mtime_ns for path in root.rglob("*_labelTrainIds.png")}
    lost = next(iter(files))
    lost.unlink()
    build_dataset("cityscapes", streets)
    assert "already there" not in capsys.readouterr().out
    assert lost.is_file() and files[lost] != lost.stat().st_mtime_ns


def test_labels_may_lie_elsewhere(streets):
    chosen = streets / "labels of mine"
    root = build_dataset("cityscapes", streets, options={"labels_in": str(chosen)})
    assert not list(root.rglob("*_labelTrainIds.png"))
    assert len(list(chosen.rglob("*_labelTrainIds.png"))) == 6
    (root / "d.toml").write_text('name = "d"\nclasses = ["a", "b"]\n[lists]\ntrain = "list/train.txt"\n')
    dataset = read_dataset(root / "d.toml")
    assert all(Path(dataset.path_of(entry.label)).is_file() for entry in dataset.entries("train"))
    half = build_dataset("cityscapes_half", streets, options={"labels_in": str(chosen)})
    halves = read_dataset(root / "d.toml", half)
    for entry in halves.entries("train"):
        path = Path(halves.path_of(entry.label)).resolve()
        assert half in path.parents and read_label(path).shape == (HEIGHT // 2, WIDTH // 2)


def test_coarse_labels_make_three_more_lists(streets):
    for number in range(3):
        draw_street(streets / "cityscapes", "train_extra", "augsburg", number, coarse=True)
    root = build_dataset("cityscapes", streets)
    extra = lines(root, "train_extra")
    assert len(extra) == 3 and extra[0].endswith(
        "gtCoarse/train_extra/augsburg/augsburg_000000_000019_gtCoarse_labelTrainIds.png"
    )
    assert lines(root, "train_coarse") == lines(root, "train") + extra
    assert lines(root, "trainval_coarse") == lines(root, "trainval") + extra


def test_archives_are_unpacked_and_missing_ones_named(streets, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("data")
    assert main(["dataset", "cityscapes", "--folder", str(folder)]) == 2
    error = capsys.readouterr().err
    assert "2 pieces are missing" in error and "cityscapes-dataset.com" in error
    for name in ("leftImg8bit_trainvaltest.zip (11.0 GB)", "gtFine_trainvaltest.zip (241 MB)"):
        assert name in error
    for kind, name in (("leftImg8bit", "leftImg8bit_trainvaltest.zip"), ("gtFine", "gtFine_trainvaltest.zip")):
        (folder / "cityscapes").mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "cityscapes" / name, "w") as packed:
            packed.writestr("README", "not wanted")
            for path in sorted((streets / "cityscapes" / kind).rglob("*.*")):
                packed.write(path, path.relative_to(streets / "cityscapes"))
    assert main(["dataset", "cityscapes", "--folder", str(folder), "--half"]) == 0
    assert len(lines(folder / "cityscapes", "train")) == 4
    assert not list(folder.rglob("*_color.png")) and not (folder / "cityscapes/README").exists()
    assert len(lines(folder / "cityscapes_half", "trainval")) == 6


def test_half_the_size(streets, capsys):
    half = build_dataset("cityscapes_half", streets)
    assert half == streets / "cityscapes_half"
    full = streets / "cityscapes"
    for name in ("train", "val", "trainval", "test"):
        assert lines(half, name) == lines(full, name)
    image, label = lines(full, "train")[1].split()
    pixels = cv2.imread(str(full) + image).astype(int)
    mean = (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4
    assert np.abs(cv2.imread(str(half) + image) - mean).max() <= 0.5
    np.testing.assert_array_equal(read_label(str(half) + label), read_label(str(full) + label)[::2, ::2])
    capsys.readouterr()
    build_dataset("cityscapes_half", streets)
    assert "already there; images in the lists: train 4" in capsys.readouterr().out
    assert halve_label(np.zeros((5, 7), np.uint8)).shape == (3, 4)
    assert halve_image(np.zeros((5, 7, 3), np.uint8)).shape == (3, 4, 3)


def test_images_without_labels_and_labels_without_images_are_named(streets, capsys):
    root = streets / "cityscapes"
    next(root.glob("leftImg8bit/val/lindau/*_000000_*")).unlink()
    for path in root.glob("gtFine/train/aachen/aachen_000001*"):
        path.unlink()
    build_dataset("cityscapes", streets)
    err = capsys.readouterr().err
    assert "train: 1 images without label are left out: aachen/aachen_000001_000019" in err
    assert "val: 1 labels without image are left out: lindau/lindau_000000_000019" in err
    assert len(lines(root, "train")) == 3 and len(lines(root, "val")) == 1


def broken_ids(stem):
    write_grey_label(Path(f"{stem}_labelIds.png"), np.full((HEIGHT, WIDTH), 77, np.uint8))


def small_ids(stem):
    write_grey_label(Path(f"{stem}_labelIds.png"), expected_ids()[:-2])


def damaged_ids(stem):
    path = Path(f"{stem}_labelIds.png")
    write_grey_label(path, expected_ids())
    path.write_bytes(path.read_bytes()[:60])


def old_ids(stem):
    write_grey_label(Path(f"{stem}_labelTrainIds.png"), np.full((HEIGHT, WIDTH), 19, np.uint8))


def polygons(**changes):
    def write(stem):
        table = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": OBJECTS} | changes
        Path(f"{stem}_polygons.json").write_text(json.dumps(table))

    return write


def cut_polygons(stem):
    Path(f"{stem}_polygons.json").write_text('{"imgHeight": 24, "obj')


def with_object(**item):
    return polygons(objects=[*OBJECTS, item])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken_ids, "lindau_000001_000019_gtFine_labelIds.png: label value 77"),
        (small_ids, "_labelIds.png: the label has 48×22 pixels, but its image .*_leftImg8bit.png has 48×24"),
        (damaged_ids, "lindau_000001_000019_gtFine_labelIds.png: "),
        (old_ids, "_labelTrainIds.png: label value 19"),
        (cut_polygons, "lindau_000001_000019_gtFine_polygons.json: not polygons of Cityscapes: "),
        (polygons(objects=3), "_polygons.json: not polygons of Cityscapes: expected imgHeight, imgWidth"),
        (polygons(imgWidth=10**9), "_polygons.json: imgWidth = 1000000000"),
        (polygons(imgWidth=50), "_polygons.json: the label has 50×24 pixels, but its image"),
        (with_object(label="cargroups", polygon=[]), "object 8: unknown label 'cargroups'"),
        (with_object(label="car", polygon=[[0, 0], [1, float("nan")]]), "object 8: expected a polygon"),
        (with_object(label="car", polygon=[[0, 0], [1, 10**400]]), "object 8: expected a polygon"),
        (with_object(label="car", polygon=[[0, 0], ["1", 2]]), "object 8: expected a polygon"),
        (with_object(label="car"), "object 8: expected a polygon"),
        (with_object(polygon=[[0, 0], [1, 1]]), "object 8: expected a table with 'label' and 'polygon'"),
    ],
)
def test_a_damaged_file_is_named(streets, spoil, words):
    spoil(streets / "cityscapes/gtFine/val/lindau/lindau_000001_000019_gtFine")
    with pytest.raises(InputError, match=words):
        build_dataset("cityscapes", streets)


def test_polygons_are_drawn_as_the_official_script_draws_them(tmp_path):
    """With Pillow, in the file's order; slanted edges too, where OpenCV draws others."""
    points = [[3, 1], [40, 5], [29, 22], [11, 17]]
    table = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": [{"label": "truckgroup", "polygon": points}]}
    (tmp_path / "p.json").write_text(json.dumps(table))
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=IDS["truck"])
    np.testing.assert_array_equal(draw_polygons(tmp_path / "p.json"), np.asarray(image))


def test_existing_labels_that_have_ids_are_refused(streets):
    """Also where all values lie below 19, so that each looks like a train id."""
    root = streets / "cityscapes"
    label = np.full((HEIGHT, WIDTH), IDS["road"], np.uint8)
    label[:10], label[10:12] = IDS["building"], IDS["rectification border"]
    for path in root.glob("gtFine/*/*/*_polygons.json"):
        if "berlin" not in path.name:
            write_grey_label(Path(str(path).replace("_polygons.json", "_labelTrainIds.png")), label)
    with pytest.raises(InputError, match=r"and 5 others: the labels have Cityscapes' ids .* most frequent values are"):
        build_dataset("cityscapes", streets)


def test_label_ids_that_are_train_ids_are_refused(streets):
    label = np.full((HEIGHT, WIDTH), CLASSES.index("building"), np.uint8)
    label[:10], label[10:14] = CLASSES.index("sky"), CLASSES.index("road")
    for path in (streets / "cityscapes").rglob("*_labelIds.png"):
        write_grey_label(path, label)
    with pytest.raises(InputError, match=r"the labels have Cityscapes' 19 train ids .* instead of its ids"):
        build_dataset("cityscapes", streets)


def test_names_that_are_no_text(streets):
    odd = os.fsdecode(b"a\xff b")
    for kind in ("leftImg8bit", "gtFine"):
        (streets / "cityscapes" / kind / "train/aachen").rename(streets / "cityscapes" / kind / "train" / odd)
    root = build_dataset("cityscapes", streets)
    assert [entry.image.split("/")[3] for entry in read_list(root / "list/train.txt")] == [odd, odd, "bochum", "bochum"]


def test_labels_elsewhere_are_found_where_the_folder_is_a_link(streets, tmp_path_factory):
    """Behind a link, '..' leads to the folder that has the linked one."""
    far = tmp_path_factory.mktemp("disk") / "far" / "cityscapes"
    far.parent.mkdir()
    shutil.move(streets / "cityscapes", far)
    (streets / "cityscapes").symlink_to(far)
    root = build_dataset("cityscapes", streets, options={"labels_in": str(streets / "labels")})
    for entry in read_list(root / "list/trainval.txt"):
        assert read_label(f"{root}{entry.label}").shape == (HEIGHT, WIDTH)


def test_existing_labels_of_another_folder_are_checked(streets):
    """Also older ones than the lists, which name the labels of another folder."""
    folder = streets / "labels" / "gtFine/train/aachen"
    ids = streets / "cityscapes/gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"
    folder.mkdir(parents=True)
    shutil.copy(ids, folder / ids.name.replace("labelIds", "labelTrainIds"))
    root = build_dataset("cityscapes", streets)
    later = time.time() + 60
    for path in (root / "list").iterdir():
        os.utime(path, (later, later))
    with pytest.raises(InputError, match=r"labels/.*labelTrainIds\.png: label values 23, 26 in 655 of 1152 pixels"):
        build_dataset("cityscapes", streets, options={"labels_in": str(streets / "labels")})


def test_an_empty_folder_is_no_unpacked_archive(streets, capsys):
    shutil.rmtree(streets / "cityscapes/leftImg8bit/train")
    (streets / "cityscapes/leftImg8bit/train").mkdir()
    assert main(["dataset", "cityscapes", "--folder", str(streets)]) == 2
    assert "leftImg8bit_trainvaltest.zip do not exist" in capsys.readouterr().err
