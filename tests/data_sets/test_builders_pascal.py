"""PASCAL-Context and PASCAL-Person-Part, built from a few images in the real formats."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import pascal_fakes as fakes
from deeplab_caffe.cli import main
from deeplab_caffe.data import read_dataset, read_label, write_label
from deeplab_caffe.data.builders import pascal_context, person_part, voc2010
from deeplab_caffe.errors import InputError
from pascal_fakes import HEIGHT, TRAIN, VAL, WIDTH, mask_of, thing

DATASETS = Path(__file__).parent.parent.parent / "datasets"


def build(name, folder, *arguments):
    return main(["dataset", name, "--folder", str(folder), *map(str, arguments)])


def packed(folder, *names):
    """A tar.gz of what a folder holds."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in names:
            tar.add(folder / name, name)
    return stream.getvalue()


def label(root, folder, name):
    return read_label(root / folder / f"{name}.png")


@pytest.fixture
def data(tmp_path):
    """VOC 2010 in a data folder."""
    fakes.voc2010(tmp_path)
    return tmp_path


# -- PASCAL-Context


def test_classes_are_those_of_the_toml_file():
    assert read_dataset(DATASETS / "pascal_context.toml").classes == pascal_context.CLASSES
    assert read_dataset(DATASETS / "person_part.toml").classes == ("background", *person_part.MERGED)


def test_context(data, capsys):
    fakes.context(data)
    root = voc2010.root_of(data)
    assert build("pascal_context", data) == 0
    out, err = capsys.readouterr()
    assert f"{root}: images in the lists: train 2, val 2" in out
    assert "train has 2 images, but the published list has 4998" in err and "val has 2 images" in err and "5105" in err
    for k, name in enumerate(TRAIN + VAL):
        found = label(root, "SegmentationClassContext", name)
        rows = [0, pascal_context.CLASSES.index("wood"), *[k + 1] * (HEIGHT - 2)]
        assert found.tolist() == [[value] * WIDTH for value in rows]
    lines = (root / "list/val.txt").read_text().splitlines()
    assert lines == [f"/JPEGImages/{name}.jpg /SegmentationClassContext/{name}.png" for name in VAL]
    assert (root / "list/train_id.txt").read_text().split() == TRAIN

    before = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    assert build("pascal_context", data) == 0
    assert f"{root}: already there; images in the lists: train 2, val 2" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    dataset = read_dataset(DATASETS / "pascal_context.toml", root)
    assert dataset.missing(list(dataset.lists)) is None


def test_context_has_a_palette(data):
    """A picture of the classes, not a dark grey image."""
    fakes.context(data)
    build("pascal_context", data)
    content = (voc2010.root_of(data) / f"SegmentationClassContext/{TRAIN[0]}.png").read_bytes()
    assert b"PLTE" in content


def test_context_goes_on_after_an_interruption(data, monkeypatch, capsys):
    base = fakes.context(data)
    damaged = base / f"trainval/{VAL[1]}.mat"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-30])
    assert build("pascal_context", data) == 2
    assert f"{damaged}: damaged or not a MAT file" in capsys.readouterr().err
    root = voc2010.root_of(data)
    assert not (root / "list/val.txt").exists()
    damaged.write_bytes(content)
    kept = root / f"SegmentationClassContext/{TRAIN[0]}.png"
    write_label(kept, np.full((HEIGHT, WIDTH), 9))
    assert build("pascal_context", data) == 0
    assert (read_label(kept) == 9).all() and len((root / "list/val_id.txt").read_text().split()) == 2


@pytest.mark.parametrize("spelt", [{}, {"table": "diningtable", "cloth": "clothes", "bedclothes": "bedcloth"}])
def test_names_of_either_spelling(tmp_path, spelt):
    (tmp_path / "labels.txt").write_text(fakes.context_names(spelt))
    (tmp_path / "59_labels.txt").write_text(fakes.chosen_names())
    table = pascal_context.class_table(tmp_path / "labels.txt", tmp_path / "59_labels.txt")
    assert len(table) == 460 and np.count_nonzero(table) == 59
    for name, value in fakes.VALUES.items():
        assert table[value] == pascal_context.CLASSES.index(name)


def test_both_spellings_are_two_labels(tmp_path):
    """If labels.txt has both, that of the class is taken, not the other one."""
    (tmp_path / "labels.txt").write_text(fakes.context_names({"accordion": "clothes"}))
    table = pascal_context.class_table(tmp_path / "labels.txt", tmp_path / "none.txt")
    assert table[fakes.ACCORDION] == 0 and table[fakes.VALUES["cloth"]] == pascal_context.CLASSES.index("cloth")


@pytest.mark.parametrize(
    ("names", "chosen", "message"),
    [
        ("", None, r"labels\.txt: is empty; expected lines such as"),
        ("1: accordion\nwhat\n", None, r"labels\.txt:2: 'what': expected a number from 1 to 9999 and a name"),
        ("99999999999: accordion\n", None, r"labels\.txt:1: .*expected a number from 1 to 9999"),
        ("1: accordion\n", None, r"labels\.txt: has no class 'aeroplane'; unpack PASCAL-Context's trainval\.tar\.gz"),
        (None, "1: aeroplane\n", r"59_labels\.txt: lacks the class 'bag'"),
        (None, fakes.chosen_names() + "60: zebra\n", r"59_labels\.txt: has the unknown class 'zebra'"),
    ],
)
def test_faulty_names(tmp_path, names, chosen, message):
    (tmp_path / "labels.txt").write_text(fakes.context_names() if names is None else names)
    if chosen is not None:
        (tmp_path / "59_labels.txt").write_text(chosen)
    with pytest.raises(InputError, match=message):
        pascal_context.class_table(tmp_path / "labels.txt", tmp_path / "59_labels.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"other": 1}, "has no variable 'LabelMap'"),
        (
            {"LabelMap": np.full((HEIGHT, WIDTH), 460, np.uint16)},
            r"expected LabelMap of 0\.\.459, got values 460\.\.460",
        ),
        ({"LabelMap": np.full((HEIGHT, WIDTH), -1.0)}, r"got values -1\.0\.\.-1\.0"),
        ({"LabelMap": np.full((HEIGHT, WIDTH), 2.5)}, "got values that are not whole"),
        ({"LabelMap": np.full((HEIGHT, WIDTH), np.nan)}, r"got values nan\.\.nan"),
        ({"LabelMap": np.zeros((2, 3, 4))}, r"expected LabelMap \(H, W\) of numbers, got float64 of shape \(2, 3, 4\)"),
        ({"LabelMap": {"a": 1}}, "of numbers, got dict"),
        ({"LabelMap": np.ones((WIDTH, HEIGHT))}, r"the label has 6×8 pixels, but its image .*jpg has 8×6"),
    ],
)
def test_faulty_context_labels_are_named(data, capsys, content, message):
    path = fakes.context(data) / f"trainval/{VAL[0]}.mat"
    scipy.io.savemat(path, content)
    assert build("pascal_context", data) == 2
    with pytest.raises(InputError, match=message):
        raise InputError(capsys.readouterr().err)
    assert not (voc2010.root_of(data) / f"SegmentationClassContext/{VAL[0]}.png").exists()


def test_images_without_a_label_are_left_out(data, capsys):
    (fakes.context(data) / f"trainval/{TRAIN[0]}.mat").unlink()
    assert build("pascal_context", data) == 0
    out, err = capsys.readouterr()
    assert "train 1, val 2" in out
    assert "warning: left out are 1 images without an annotation, first " in err and f"{TRAIN[0]}.mat" in err
    fakes.context_label(data / f"pascal_context/trainval/{TRAIN[0]}.mat", 0)
    assert build("pascal_context", data) == 0
    assert "train 2, val 2" in capsys.readouterr().out


def test_finished_labels_are_enough(data, capsys):
    """As they come from elsewhere, or when the archive was removed to save space."""
    for name in TRAIN + VAL:
        write_label(voc2010.root_of(data) / f"SegmentationClassContext/{name}.png", np.zeros((HEIGHT, WIDTH)))
    assert build("pascal_context", data, "--no-download") == 0
    assert "train 2, val 2" in capsys.readouterr().out


def test_all_missing_pieces_are_named_at_once(tmp_path, capsys):
    assert build("pascal_context", tmp_path, "--no-download") == 2
    err = capsys.readouterr().err
    assert "2 pieces are missing:" in err
    for words in (
        f"{tmp_path}/VOCtrainval_03-May-2010.tar do not exist. Download http://host.robots.ox.ac.uk/",
        "VOCtrainval_03-May-2010.tar (1.3 GB), put it there",
        f"{tmp_path}/pascal_context/trainval.tar.gz do not exist",
        "pascal-context/trainval.tar.gz (31 MB), put it there",
    ):
        assert words in err


def test_from_a_server_to_the_lists(tmp_path, server, monkeypatch, capsys):
    original = tmp_path / "original"
    fakes.voc2010(original)
    base = fakes.context(original)
    images, labels = packed(original, "VOCdevkit"), packed(base, "trainval", "labels.txt", "59_labels.txt")
    server.files = {"/VOCtrainval_03-May-2010.tar": images, "/pascal_context/trainval.tar.gz": labels}
    known = replace(voc2010.ARCHIVE, md5=hashlib.md5(images).hexdigest())
    monkeypatch.setattr(voc2010, "ARCHIVE", known)
    for name, count in (("train", 2), ("val", 2)):
        monkeypatch.setitem(pascal_context.COUNTS, name, count)
    assert build("pascal_context", tmp_path / "data", "--source", server.address) == 0
    out, err = capsys.readouterr()
    assert "train 2, val 2" in out and "warning" not in err
    asked = len(server.asked)
    assert build("pascal_context", tmp_path / "data", "--source", server.address) == 0
    assert len(server.asked) == asked and "already there" in capsys.readouterr().out


# -- PASCAL-Person-Part


def test_parts_are_merged(data, capsys):
    fakes.parts(data)
    root = voc2010.root_of(data)
    assert build("person_part", data) == 0
    out, err = capsys.readouterr()
    assert "person_train 1, person_val 1" in out
    assert "person_train has 1 images, but the published list has 1716" in err and "has 1817" in err
    head, torso, upper_arm, lower_arm, upper_leg, lower_leg = range(1, 7)
    found = label(root, "SegmentationPart", TRAIN[0])
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:2], expected[2], expected[3, :4], expected[4] = head, torso, lower_arm, lower_leg
    expected[0, 6:] = torso  # the neck of the second person, who is later in the file
    assert found.tolist() == expected.tolist()
    assert label(root, "SegmentationPart", VAL[0])[:, 0].tolist() == [0, upper_arm, upper_leg, 0, 0, 0]
    assert not (root / f"SegmentationPart/{TRAIN[1]}.png").exists(), "a bottle is no person"
    lines = (root / "list/person_train.txt").read_text().splitlines()
    assert lines == [f"/JPEGImages/{TRAIN[0]}.jpg /SegmentationPart/{TRAIN[0]}.png"]

    assert build("person_part", data) == 0
    assert f"{root}: already there; " in capsys.readouterr().out
    dataset = read_dataset(DATASETS / "person_part.toml", root)
    assert dataset.missing(list(dataset.lists)) is None


def test_every_part_of_a_person_has_its_class():
    assert len(person_part.CLASS_OF) == 24 == sum(map(len, person_part.MERGED.values()))
    sides = [
        (f"l{name}", f"r{name}") for name in ("eye", "ear", "ebrow", "uarm", "larm", "hand", "uleg", "lleg", "foot")
    ]
    assert all(person_part.CLASS_OF[left] == person_part.CLASS_OF[right] for left, right in sides)


def test_images_without_persons_are_read_once(data, monkeypatch):
    fakes.parts(data)
    read = []
    original = person_part.read_parts_label
    monkeypatch.setattr(person_part, "read_parts_label", lambda path: read.append(path.stem) or original(path))
    build("person_part", data)
    assert sorted(read) == sorted(TRAIN + VAL)
    read.clear()
    shutil.rmtree(data / "pascal_part")
    assert build("person_part", data, "--no-download") == 0, "nothing is left to read"
    fakes.parts(data)
    (voc2010.root_of(data) / f"SegmentationPart/{VAL[0]}.png").unlink()
    build("person_part", data)
    assert read == [VAL[0]]


def test_an_interruption_keeps_what_was_read(data, monkeypatch, capsys):
    base = fakes.parts(data)
    original = person_part.read_parts_label

    def interrupted(path):
        if path.stem == VAL[1]:  # the last one
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(person_part, "read_parts_label", interrupted)
    assert build("person_part", data) == 130
    folder = voc2010.root_of(data) / "SegmentationPart"
    assert (folder / f"{TRAIN[0]}.png").is_file() and TRAIN[1] in (folder / "without_person.txt").read_text().split()
    monkeypatch.setattr(person_part, "read_parts_label", original)
    (base / f"{TRAIN[0]}.mat").write_bytes(b"no longer needed")
    assert build("person_part", data) == 0
    assert "person_train 1, person_val 1" in capsys.readouterr().out


def savemat(path, value):
    scipy.io.savemat(path, {"anno": value})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "damaged or not a MAT file"),
        (lambda path: savemat(path, np.ones((2, 2))), "not an annotation of PASCAL-Part: anno has no field 'objects'"),
        (lambda path: savemat(path, {"objects": {"mask": 1}}), "an object has no field 'class' of text"),
        (
            lambda path: fakes.annotation(path, thing("person", haed=mask_of(0))),
            "unknown part 'haed'; did you mean 'head'",
        ),
        (
            lambda path: fakes.annotation(
                path, thing("person", head=mask_of(0)), thing("person", hair=np.ones((2, 2)))
            ),
            r"the mask of the part 'hair' is \(2, 2\), that of another \(6, 8\)",
        ),
    ],
)
def test_faulty_annotations_are_named(data, capsys, write, message):
    path = fakes.parts(data) / f"{VAL[0]}.mat"
    write(path)
    assert build("person_part", data) == 2
    with pytest.raises(InputError, match=rf"{VAL[0]}\.mat: .*{message}"):
        raise InputError(capsys.readouterr().err)


def test_annotations_beside_voc_are_found(data, capsys):
    fakes.parts(data).rename(voc2010.root_of(data) / "Annotations_Part")
    assert build("person_part", data, "--no-download") == 0
    assert "person_train 1, person_val 1" in capsys.readouterr().out


def test_the_authors_labels_are_used_where_they_are(data, capsys):
    fakes.parts(data)
    assert build("person_part", data) == 0
    fakes.authors(data)
    root = voc2010.root_of(data)
    assert build("person_part", data) == 0
    assert "person_train 1, person_val 1" in capsys.readouterr().out
    line = f"/JPEGImages/{TRAIN[1]}.jpg /SegmentationPartAuthors/{TRAIN[1]}.png\n"
    assert (root / "list/person_train.txt").read_text() == line
    assert (label(root, "SegmentationPartAuthors", TRAIN[1]) == 4).all()
    assert build("person_part", data) == 0
    assert "already there" in capsys.readouterr().out
    shutil.rmtree(data / "pascal_person_part")
    assert build("person_part", data) == 0, "labels do not become others because an archive was removed"
    assert "already there" in capsys.readouterr().out
    assert build("person_part", data, "--labels", "parts") == 0
    assert "/SegmentationPart/" in (root / "list/person_train.txt").read_text()


def test_the_authors_archive_is_unpacked(data, tmp_path_factory, capsys):
    base = fakes.authors(tmp_path_factory.mktemp("original"))
    with zipfile.ZipFile(data / "pascal_person_part.zip", "w") as archive:
        for path in base.rglob("*"):
            archive.write(path, path.relative_to(base.parent))
        archive.writestr("__MACOSX/pascal_person_part/._train.txt", b"x")
    assert build("person_part", data) == 0
    assert "person_train 1, person_val 1" in capsys.readouterr().out
    assert not (data / "__MACOSX").exists()


def test_the_authors_labels_are_asked_for_and_missing(data, capsys):
    assert build("person_part", data, "--labels", "authors") == 2
    err = capsys.readouterr().err
    assert "pascal_person_part.zip do not exist. Get pascal_person_part.zip from http://liangchiehchen.com/" in err


def test_faulty_labels_of_the_authors_are_named(data, capsys):
    path = fakes.authors(data) / f"pascal_person_part_gt/{VAL[1]}.png"
    content = path.read_bytes()
    path.write_bytes(content[:60])
    assert build("person_part", data) == 2
    assert f"{path}: damaged label file" in capsys.readouterr().err
    write_label(path, np.full((HEIGHT, WIDTH), 7))
    assert build("person_part", data) == 2
    assert f"{path}: label value 7 in 48 of 48 pixels; expected 0..6" in capsys.readouterr().err
