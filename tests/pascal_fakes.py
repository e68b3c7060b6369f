"""A VOC 2010, PASCAL-Context and PASCAL-Part of a few images, in the real formats."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import scipy.io

from deeplab_caffe.data import write_label
from deeplab_caffe.data.builders.pascal_context import CLASSES

HEIGHT, WIDTH = 6, 8
TRAIN, VAL = ["2008_000002", "2008_000008"], ["2008_000003", "2009_000001"]
#: value of each class in the fake labels.txt; the other lines up to 459 are of no class
VALUES = {name: 7 * index + 3 for index, name in enumerate(CLASSES) if index}
ACCORDION = 1


def voc2010(folder: Path) -> Path:
    root = folder / "VOCdevkit" / "VOC2010"
    for place in ("JPEGImages", "ImageSets/Main"):
        (root / place).mkdir(parents=True)
    for part, ids in (("train", TRAIN), ("val", VAL)):
        (root / f"ImageSets/Main/{part}.txt").write_text("".join(f"{name}\n" for name in ids))
    for name in TRAIN + VAL:
        cv2.imwrite(str(root / f"JPEGImages/{name}.jpg"), np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    return root


# -- PASCAL-Context


def context_names(spelt: dict[str, str] | None = None) -> str:
    """labels.txt: 459 names; spelt: other spellings of some."""
    names = {value: name for name, value in VALUES.items()}
    lines = {i: names.get(i, f"thing{i}") for i in range(1, 460)} | {ACCORDION: "accordion"}
    return "".join(f"{i}: {(spelt or {}).get(name, name)}\n" for i, name in lines.items())


def chosen_names() -> str:
    """59_labels.txt, which spells three names differently."""
    spelt = {"table": "diningtable", "bedclothes": "bedcloth", "cloth": "clothes"}
    return "".join(f"{i}: {spelt.get(name, name)}\n" for i, name in enumerate(CLASSES) if i)


def context(folder: Path) -> Path:
    """The archive of PASCAL-Context, unpacked: rows of the k-th image are of no class, wood, and class k + 1."""
    base = folder / "pascal_context"
    (base / "trainval").mkdir(parents=True)
    (base / "labels.txt").write_text(context_names())
    (base / "59_labels.txt").write_text(chosen_names())
    for k, name in enumerate(TRAIN + VAL):
        context_label(base / f"trainval/{name}.mat", k)
    return base


def context_label(path: Path, k: int) -> None:
    label = np.full((HEIGHT, WIDTH), VALUES[CLASSES[k + 1]], np.uint16)
    label[0], label[1] = ACCORDION, VALUES["wood"]
    scipy.io.savemat(path, {"LabelMap": label}, do_compression=True)


# -- PASCAL-Part


def struct_array(*rows: dict) -> np.ndarray:
    """A MATLAB struct array (1, N), as savemat writes arrays of records."""
    array = np.zeros((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


def mask_of(row: int, first: int = 0, last: int = WIDTH) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[row, first:last] = 1
    return mask


def thing(kind: str, **parts: np.ndarray) -> dict:
    """An object of anno.objects; parts: the mask of each, none is MATLAB's []."""
    rows = [{"part_name": name, "mask": mask} for name, mask in parts.items()]
    return {"class": kind, "class_ind": 15.0, "mask": mask_of(5), "parts": struct_array(*rows) if rows else []}


def annotation(path: Path, *objects: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    anno = struct_array({"imname": path.stem, "objects": struct_array(*objects)})
    scipy.io.savemat(path, {"anno": anno}, do_compression=True)


def parts(folder: Path) -> Path:
    """PASCAL-Part, unpacked: two persons in one image, one in another, a person without parts, a bottle."""
    base = folder / "pascal_part" / "Annotations_Part"
    first = thing("person", head=mask_of(0), hair=mask_of(1), torso=mask_of(2), rlarm=mask_of(3, 0, 4))
    second = thing("person", neck=mask_of(0, 6), lfoot=mask_of(4))
    annotation(base / f"{TRAIN[0]}.mat", first, thing("dog", head=mask_of(5)), second)
    annotation(base / f"{TRAIN[1]}.mat", thing("bottle", cap=mask_of(1)))
    annotation(base / f"{VAL[0]}.mat", thing("person", luarm=mask_of(1), ruleg=mask_of(2)))
    annotation(base / f"{VAL[1]}.mat", thing("person"))
    return base


def authors(folder: Path) -> Path:
    """The authors' merged labels, unpacked: one image in each list; their lists are of files."""
    base = folder / "pascal_person_part"
    lists = base / "pascal_person_part_trainval_list"
    lists.mkdir(parents=True)
    for part, name, value in (("train", TRAIN[1], 4), ("val", VAL[1], 6)):
        write_label(base / f"pascal_person_part_gt/{name}.png", np.full((HEIGHT, WIDTH), value, np.uint8))
        (lists / f"{part}.txt").write_text(f"/JPEGImages/{name}.jpg /pascal_person_part_gt/{name}.png\n")
    return base
