"""Labels drawn from COCO's instances, and which images have enough of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Label
from ...errors import InputError
from .coco_json import Instances
from .coco_masks import Region, region_of

IGNORED = 255

#: COCO's name of each of VOC's classes, in VOC's order; the background, 0, is all else
VOC_CLASSES = (
    *("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog"),
    *("horse", "motorcycle", "person", "potted plant", "sheep", "couch", "train", "tv"),
)
#: all of COCO's categories, in the order of their numbers
ALL_CLASSES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)


def class_numbers(instances: Instances, names: tuple[str, ...]) -> dict[int, int]:
    """category → class index from 1, by the categories' names.

    Raises:
        InputError: the file lacks one of the names.
    """
    by_name = {name: number for number, name in instances.categories.items()}
    if lacking := [name for name in names if name not in by_name]:
        raise InputError(
            f"{instances.path}: no category is named '{lacking[0]}'; expected the {len(ALL_CLASSES)} names of COCO"
        )
    return {by_name[name]: index for index, name in enumerate(names, 1)}


def draw_label(instances: Instances, handle: int, number: int, classes: Mapping[int, int]) -> Label:
    """The label (H, W) of an image: class indices, 255 in crowd regions, 0 elsewhere.

    Where regions overlap, that of fewer pixels is on top; of equal ones the later in the file. Regions of categories
    without a class are not drawn: they leave what lies under them.

    Args:
        instances: the index; `handle`: its file, open for reading.
        number: the image's.
        classes: category → class index.

    Raises:
        InputError: a region is damaged; names file and annotation.
    """
    row, where = instances.images[number], instances.of_image(number)
    regions: list[tuple[int, Region]] = []
    for index in range(where.start, where.stop):
        category = int(instances.category_ids[index])
        if category in classes:
            segmentation = instances.segmentation(handle, index)
            region = region_of(segmentation, row.height, row.width, instances.where(index))
            regions.append((IGNORED if instances.crowds[index] else classes[category], region))
    label = np.zeros((row.height, row.width), np.uint8)
    for value, region in sorted(regions, key=lambda item: -item[1].area):
        label[region.mask()] = value
    return label


class Pixels(NamedTuple):
    """Of each image, the annotated pixels of the classes (`area` in the file), crowds left out, (N,) each: all of them,
    those of the largest region, and those that every region has at least; 0 for images without.
    """

    total: NDArray[np.float64]
    largest: NDArray[np.float64]
    every: NDArray[np.float64]


def annotated_pixels(instances: Instances, numbers: NDArray[np.int64], classes: Mapping[int, int]) -> Pixels:
    """How much of each image is annotated with a class.

    Args:
        instances: the index.
        numbers: (N,) of the images, sorted.
        classes: category → class index.
    """
    counted = np.isin(instances.category_ids, list(classes)) & ~instances.crowds
    counted &= np.isin(instances.image_ids, numbers)
    places, areas = np.searchsorted(numbers, instances.image_ids[counted]), instances.areas[counted]
    largest, smallest = np.zeros(len(numbers)), np.full(len(numbers), np.inf)
    np.maximum.at(largest, places, areas)
    np.minimum.at(smallest, places, areas)
    total = np.bincount(places, areas, len(numbers)).astype(np.float64)
    return Pixels(total, largest, np.where(np.isinf(smallest), 0, smallest))
