"""`deeplab dataset coco` and `coco80` on a COCO of a few small images in the real format, made here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as rle

from deeplab_caffe.cli import main
from deeplab_caffe.data import read_dataset, read_label
from deeplab_caffe.data.builders import build_dataset, coco_sources, json_stream
from deeplab_caffe.data.builders.coco_json import read_instances
from deeplab_caffe.data.builders.coco_labels import ALL_CLASSES, VOC_CLASSES
from deeplab_caffe.data.builders.coco_masks import region_of
from deeplab_caffe.data.builders.json_stream import items
from deeplab_caffe.errors import InputError

ROOT = Path(__file__).parent.parent.parent
HEIGHT, WIDTH = 60, 80
#: COCO numbers its categories 1 to 90; these were dropped
GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
NUMBERS = [n for n in range(1, 91) if n not in GAPS]
CATEGORIES = dict(zip(ALL_CLASSES, NUMBERS, strict=True))
TRAIN, VAL = [9, 25, 30, 34], [139, 285]


def box(x0, y0, x1, y1):
    """A rectangle as COCO's polygon."""
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def runs(x0, y0, x1, y1):
    """A rectangle as run lengths, column by column."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y0:y1, x0:x1] = 1
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": [0, *counts] if flat[0] else counts}


def annotation(image, name, segmentation, area, crowd=0, **changes):
    row = {"segmentation": segmentation, "area": area, "iscrowd": crowd, "image_id": image, "bbox": [0, 0, 1, 1]}
    return row | {"category_id": CATEGORIES[name], "id": image * 100 + area} | changes


def annotations_of(image):
    """A couch of 40×40 pixels with a person of 10×20 on it, a cup on both, and a crowd of persons; 25 has less."""
    if image == 25:
        return [annotation(image, "dog", box(5, 5, 35, 35), 900), annotation(image, "cup", box(40, 5, 70, 55), 1500)]
    if image == 30:
        return [annotation(image, "cup", box(0, 0, 60, 60), 3600)]
    small = [annotation(image, "tv", box(70, 0, 80, 10), 100)] if image == 34 else []
    return [
        annotation(image, "person", box(20, 20, 30, 40), 200),
        annotation(image, "couch", box(10, 10, 50, 50), 1600),
        annotation(image, "cup", box(22, 22, 26, 26), 16),
        annotation(image, "person", runs(60, 30, 80, 60), 600, crowd=1),
        *small,
    ]


def instances(images, year, part):
    prefix = f"COCO_{part}{year}_" if year == "2014" else ""
    rows = [
        {"license": 3, "file_name": f"{prefix}{i:012}.jpg", "height": HEIGHT, "width": WIDTH, "id": i} for i in images
    ]
    # The official files have all images before all annotations, in an order of no meaning.
    listed = [row for image in reversed(images) for row in annotations_of(image)]
    categories = [{"supercategory": "thing", "id": n, "name": name} for name, n in CATEGORIES.items()]
    info = {"description": "COCO – Dataset", "year": int(year)}
    return {"info": info, "licenses": [], "images": rows, "annotations": listed, "categories": categories}


def write_part(root, year, part, images):
    table = instances(images, year, part)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "annotations" / f"instances_{part}{year}.json").write_text(json.dumps(table))
    (root / f"{part}{year}").mkdir(exist_ok=True)
    for row in table["images"]:
        pixels = np.random.default_rng(row["id"]).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(root / f"{part}{year}" / row["file_name"]), pixels)


@pytest.fixture
def data(tmp_path):
    write_part(tmp_path / "coco", "2017", "train", TRAIN)
    write_part(tmp_path / "coco", "2017", "val", VAL)
    return tmp_path


def lines(root, name):
    return [line.split()[0].rsplit("/", 1)[1].removesuffix(".jpg") for line in words(root, name)]


def words(root, name):
    return (root / "list" / f"{name}.txt").read_text().splitlines()


def expected(person, couch, others):
    """The label of image 9: the person, smaller, is on the couch; the crowd is ignored; `others` is the cup's class."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[10:50, 10:50], label[20:40, 20:30], label[30:60, 60:80] = couch, person, 255
    if others:
        label[22:26, 22:26] = others
    return label


# -- the data sets


def test_classes_are_those_of_the_descriptions():
    voc, all_of_them = (read_dataset(ROOT / f"datasets/{name}.toml") for name in ("coco", "coco80"))
    assert all_of_them.classes == ("background", *ALL_CLASSES) and NUMBERS[-1] == 90
    other = {"airplane": "aeroplane", "dining table": "diningtable", "motorcycle": "motorbike", "couch": "sofa"}
    other |= {"potted plant": "pottedplant", "tv": "tvmonitor"}
    assert voc.classes == ("background", *(other.get(name, name) for name in VOC_CLASSES))
    assert set(VOC_CLASSES) < set(ALL_CLASSES)


def test_labels_and_lists_in_vocs_classes(data, capsys):
    root = build_dataset("coco", data)
    assert root == data / "coco"
    voc = ("background", *VOC_CLASSES).index
    label = read_label(root / "SegmentationClass/000000000009.png")
    np.testing.assert_array_equal(label, expected(voc("person"), voc("couch"), 0))
    # 25 has 900 pixels of a dog (its cup is no class), 30 has no class at all
    assert lines(root, "train") == ["000000000009", "000000000034"]
    assert words(root, "train")[0] == "/train2017/000000000009.jpg /SegmentationClass/000000000009.png"
    assert words(root, "val")[0] == "/val2017/000000000139.jpg /SegmentationClass/000000000139.png"
    assert len(list((root / "SegmentationClass").glob("*.png"))) == 4
    out, err = capsys.readouterr()
    assert (
        "of 4 images of trainval minus minival, 2 have more than 1000 annotated pixels in total, 2 in their largest"
        in out
    )
    assert "region, 0 in every region" in out and "train 2, val 2" in out
    assert "instances_train2017.json: 4 images, but the published file has 118287" in err
    assert "val has 2 images, but the published list has 5000" in err
    assert "train has 2 images, but DeepLab v3 says about 60000" in err


def test_the_filter(data):
    def train(**options):
        root = build_dataset("coco", data, options=options)
        return [int(name) for name in lines(root, "train")]

    assert train(min_pixels=0) == TRAIN
    assert train(min_pixels=899) == [9, 25, 34]
    assert train(min_pixels=900) == [9, 34]
    assert train(min_pixels=1700) == [9, 34]  # 200 + 1600; the crowd of 600 does not count
    assert train(min_pixels=1800) == [34]
    assert train(min_pixels=150, filter="every") == [9, 25]
    assert train(min_pixels=1000, filter="largest") == [9, 34]
    assert train(min_pixels=1600, filter="largest") == []


def test_a_filter_that_leaves_nothing(data, capsys):
    for word in ("of 4 images", "already there"):
        root = build_dataset("coco", data, options={"min_pixels": 10**6})
        shown = capsys.readouterr()
        assert word in shown.out and lines(root, "train") == []
    assert main(["dataset", "coco", "--folder", str(data), "--min-pixels", "-1"]) == 2
    assert main(["dataset", "coco", "--folder", str(data), "--minival", "numbers.txt"]) == 2
    assert "--minival is for the release of 2014" in capsys.readouterr().err


def test_all_classes(data):
    root = build_dataset("coco80", data)
    number = ("background", *ALL_CLASSES).index
    label = read_label(root / "SegmentationClass80/000000000009.png")
    np.testing.assert_array_equal(label, expected(number("person"), number("couch"), number("cup")))
    assert [int(name) for name in lines(root, "train80")] == TRAIN
    assert words(root, "train80_10000") == words(root, "train80") and len(words(root, "val80_1500")) == 2
    build_dataset("coco", data)  # both lie side by side
    assert (root / "list/train.txt").is_file() and (root / "SegmentationClass80").is_dir()


def test_2014_is_cut_at_minival(data, capsys, tmp_path):
    root = data / "coco"
    for part, images in (("train", [9, 34]), ("val", [139, 25, 285, 30])):
        write_part(root, "2014", part, images)
    build_dataset("coco80", data, options={"year": "2014"})
    names = [f"COCO_{part}2014_{i:012}" for part, i in (("train", 9), ("train", 34), ("val", 25), ("val", 30))]
    assert lines(root, "train80") == names
    assert lines(root, "val80") == ["COCO_val2014_000000000139", "COCO_val2014_000000000285"]
    assert "instances_val2017.json: 2 images, but the published minival has 5000" in capsys.readouterr().err
    (tmp_path / "minival.txt").write_text("25\n30\n")
    build_dataset("coco80", data, options={"year": "2014", "minival": str(tmp_path / "minival.txt")})
    assert lines(root, "val80") == ["COCO_val2014_000000000025", "COCO_val2014_000000000030"]
    (tmp_path / "minival.txt").write_text("25\n9\n")
    with pytest.raises(InputError, match="1 of its 2 images are not in .*instances_val2014.json, such as 9"):
        build_dataset("coco80", data, options={"year": "2014", "minival": str(tmp_path / "minival.txt")})
    (tmp_path / "minival.txt").write_text("25\nnine\n")
    with pytest.raises(InputError, match="minival.txt: expected the numbers of minival's images"):
        build_dataset("coco80", data, options={"year": "2014", "minival": str(tmp_path / "minival.txt")})


def test_twice_does_nothing_and_interrupted_goes_on(data, capsys, monkeypatch):
    root = build_dataset("coco", data)
    files = {path: path.stat().st_mtime_ns for path in (root / "SegmentationClass").iterdir()}
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(coco_sources, "read_instances", None)  # the annotations are not read again
        build_dataset("coco", data)
    assert "already there; images in the lists: train 2, val 2" in capsys.readouterr().out
    lost = next(iter(files))
    lost.unlink()
    build_dataset("coco", data)
    assert "already there" not in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in (root / "SegmentationClass").iterdir()}
    assert after.keys() == files.keys() and [path for path in files if files[path] != after[path]] == [lost]


# -- archives


def zipped(data, name, *paths):
    with zipfile.ZipFile(data / "coco" / name, "w") as packed:
        for path in paths:
            packed.write(path, path.relative_to(data / "coco"))
    return hashlib.md5((data / "coco" / name).read_bytes()).hexdigest()


def test_archives_are_fetched(data, tmp_path_factory, monkeypatch, capsys):
    """From a mirror, whose sums stand in for the real ones."""
    root, sums = data / "coco", {}
    for part in ("train2017", "val2017"):
        sums[f"{part}.zip"] = zipped(data, f"{part}.zip", *sorted((root / part).iterdir()))
    kept = sorted((root / "annotations").iterdir())
    (root / "annotations/captions_val2017.json").write_text("{}")
    sums["annotations_trainval2017.zip"] = zipped(
        data, "annotations_trainval2017.zip", *kept, root / "annotations/captions_val2017.json"
    )
    parts = tuple(part._replace(archive=with_sum(part.archive, sums)) for part in coco_sources.PARTS["2017"])
    monkeypatch.setitem(coco_sources.PARTS, "2017", parts)
    monkeypatch.setitem(coco_sources.ANNOTATIONS, "2017", with_sum(coco_sources.ANNOTATIONS["2017"], sums))
    folder = tmp_path_factory.mktemp("data")
    assert main(["dataset", "coco", "--folder", str(folder), "--no-download"]) == 2
    error = capsys.readouterr().err
    assert "3 pieces are missing" in error and "train2017.zip (19.3 GB)" in error and "val2017.zip (816 MB)" in error
    assert "http://images.cocodataset.org/annotations/annotations_trainval2017.zip (253 MB)" in error
    assert main(["dataset", "coco", "--folder", str(folder), "--source", data.as_uri()]) == 0
    assert lines(folder / "coco", "train") == ["000000000009", "000000000034"]
    assert not (folder / "coco/annotations/captions_val2017.json").exists()


def with_sum(piece, sums):
    return dataclasses.replace(piece, md5=sums[piece.name], limit=10**7)


# -- damaged files


def change(data, edit):
    path = data / "coco/annotations/instances_train2017.json"
    table = json.loads(path.read_text())
    edit(table)
    path.write_text(json.dumps(table))


def cut(data):
    path = data / "coco/annotations/instances_train2017.json"
    path.write_bytes(path.read_bytes()[:-900])


def set_first(key, value, where="annotations"):
    """The first annotation is the dog of image 34's neighbours: its person."""

    def edit(data):
        change(data, lambda table: table[where][0].__setitem__(key, value))

    return edit


def without(key):
    return lambda data: change(data, lambda table: table.pop(key))


def again(where, **changes):
    """An item that stands twice, the second time changed."""
    return lambda data: change(data, lambda table: table[where].append(table[where][0] | changes))


def rename_person(data):
    change(data, lambda table: table["categories"][0].__setitem__("name", "human"))


def other_image(data):
    cv2.imwrite(str(data / "coco/train2017/000000000009.jpg"), np.zeros((9, 9, 3), np.uint8))


FULL = HEIGHT * WIDTH


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, r"instances_train2017.json: not valid JSON at byte \d+: .*damaged or not complete"),
        (without("images"), "instances_train2017.json: has no 'images'"),
        (without("categories"), "has no 'categories'"),
        (rename_person, "no category is named 'person'; expected the 80 names of COCO"),
        (set_first("file_name", "../../x.jpg", "images"), "in 'images': expected id, file_name, height and width"),
        (set_first("height", 10**9, "images"), "in 'images': expected id, file_name, height and width"),
        (again("images"), "in 'images': expected an id and a file_name that no other image has"),
        (again("images", id=77), "in 'images': expected an id and a file_name that no other image has"),
        (again("categories"), "in 'categories': expected an id and a name that no other category has"),
        (again("categories", id=200), "in 'categories': expected an id and a name that no other category has"),
        (set_first("height", 61, "images"), "000000000009.jpg: 80×60 pixels, but .* has 80×61"),
        (other_image, "000000000009.jpg: 9×9 pixels, but .*instances_train2017.json has 80×60"),
        (set_first("image_id", 5), "annotation of image 5, category 1, which the file does not have"),
        (set_first("image_id", 10**30), "expected image_id, category_id|expected a number of pixels"),
        (set_first("area", "much"), "expected a number of pixels as area"),
        (set_first("area", float("nan")), "expected a number of pixels as area"),
        (
            lambda data: change(data, lambda t: t["annotations"].append("x")),
            "expected image_id, category_id, .* got 'x'",
        ),
        (lambda data: change(data, lambda t: t["images"].append([3])), "in 'images': expected id, .* got \\[3\\]"),
        (set_first("iscrowd", 2), "expected image_id, category_id, iscrowd"),
        (set_first("segmentation", []), r"annotation of image 34 at byte \d+: segmentation is \[\]"),
        (set_first("segmentation", [[1, 2, 3, 4]]), "expected .* at least three corners"),
        (set_first("segmentation", [[1, 2, 3, 4, 5, None]]), "expected .* at least three corners"),
        (set_first("segmentation", [[0, 0, 1e9, 0, 1e9, 1e9]]), "lies far outside of the image of 80×60 pixels"),
        (set_first("segmentation", [[0, 0, float("nan"), 0, 9, 9]]), "lies far outside"),
        (set_first("segmentation", [[0, 0, 79, 59] * 9999]), "its outline is longer than"),
        (set_first("segmentation", box(0, 0, 1, 1) * 5000), "5000 polygons; expected at most 4096"),
        (set_first("segmentation", {"size": [2**20, 2**20], "counts": [0]}), "run lengths of size .*1048576"),
        (
            set_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": [5, 10]}),
            r"\[5, 10\] do not add up to the 4800",
        ),
        (set_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": [0, FULL, 1]}), "do not add up"),
        (set_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": [-1, FULL + 1]}), "do not add up"),
        (set_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": ""}), "do not add up"),
        (set_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": "ooooooooooooo"}), "do not add up"),
        (set_first("segmentation", {"size": [HEIGHT, WIDTH]}), "do not add up"),
    ],
)
def test_a_damaged_file_is_named(data, spoil, message):
    spoil(data)
    with pytest.raises(InputError, match=message):
        build_dataset("coco", data)


def test_a_missing_image_is_named(data):
    (data / "coco/train2017/000000000034.jpg").unlink()
    with pytest.raises(InputError, match=r"000000000034.jpg and .*train2017.zip do not exist. Download http://images"):
        build_dataset("coco", data, fetch=False)


# -- parts


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_as_text_are_those_of_pycocotools(seed):
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 50, 2).tolist()
    mask = (random.random((height, width)) < random.random()).astype(np.uint8)
    text = rle.encode(np.asfortranarray(mask))["counts"].decode()
    region = region_of({"size": [height, width], "counts": text}, height, width, "x")
    np.testing.assert_array_equal(region.mask(), mask)
    assert region.area == mask.sum()


@pytest.mark.parametrize("seed", range(10))
def test_polygons_are_drawn_by_pycocotools(seed):
    polygons = np.random.default_rng(seed).uniform(-5, 55, (2, 10)).round(2).tolist()
    region = region_of(polygons, 50, 40, "x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pycocotools' own call of numpy
        expected = rle.decode(rle.merge(rle.frPyObjects(polygons, 50, 40)))
    np.testing.assert_array_equal(region.mask(), expected)


def test_the_index_of_a_file_without_order(tmp_path):
    """Categories last, images after annotations, spaces and line ends between: as JSON allows."""
    table = instances(TRAIN, "2017", "train")
    path = tmp_path / "i.json"
    text = json.dumps({key: table[key] for key in ("annotations", "images", "info", "categories")}, indent=3)
    path.write_text(text)
    found = read_instances(path)
    assert sorted(found.images) == TRAIN and len(found.areas) == 12
    part = found.of_image(34)
    assert found.areas[part].tolist() == [200, 1600, 16, 600, 100]  # in the file's order
    with open(path, "rb") as file:
        assert found.segmentation(file.fileno(), part.start) == box(20, 20, 30, 40)


def test_long_files_are_read_in_parts(tmp_path, monkeypatch):
    """Whatever is cut by the end of a block: names, numbers, text of many bytes."""
    table = {"a": [1, -25, 3.5e10, 'é\\n"', None, True, [], {}], "b": {"c": [9]}, "d": [], "e": [[[[1]]], {"f": "g"}]}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(table, ensure_ascii=True))
    data = path.read_bytes()
    for block in range(1, 40):
        monkeypatch.setattr(json_stream, "_BLOCK", block)
        found = list(items(path))
        assert [(item.key, item.value) for item in found] == [(k, v) for k in ("a", "e") for v in table[k]]
        assert [json.loads(data[item.start : item.end]) for item in found] == [item.value for item in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at byte 0: expected '{'"),
        ("[1]", "at byte 0: expected '{'"),
        ('{"a": [1, 2', "at byte 11: "),
        ('{"a": [1 2]}', "at byte 9: expected ','"),
        ('{"a": [1]} x', "at byte 11: expected the end of the file"),
        ('{"a": [' + "[" * 100_000, "nested too deeply"),
        ('{"a": ["' + "x" * 3000, "one item has more than"),
    ],
)
def test_what_is_no_such_json_is_refused(tmp_path, monkeypatch, text, words):
    monkeypatch.setattr(json_stream, "_BLOCK", 64)
    if "xxx" in text:
        monkeypatch.setattr(json_stream, "_LONGEST", 1000)
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=words):
        list(items(tmp_path / "x.json"))
