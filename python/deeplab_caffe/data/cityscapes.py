"""The labels of Cityscapes: names, ids, train ids; and whether label files hold ids or train ids.

Label files come in two kinds. `*_labelIds.png` has an id for each of 34 labels, which the test server expects.
`*_labelTrainIds.png` has 0 to 18 for the 19 classes that are evaluated, and 255 for all others, as nets are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import NDArray
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")


#: the id of each label; 'license plate' has none: its polygons are not drawn
IDS = {
    name: number
    for number, name in enumerate(
        (
            *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground"),
            *("road", "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge"),
            *("tunnel", "pole", "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky"),
            *("person", "rider", "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle"),
        )
    )
} | {"license plate": -1}
#: ids that are not evaluated; their train id is 255
_VOID = (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30)
#: id → train id of the 19 classes
TRAIN_IDS = {number: train_id for train_id, number in enumerate(n for n in range(len(IDS) - 1) if n not in _VOID)}
CLASSES = tuple(name for name, number in IDS.items() if number in TRAIN_IDS)
IGNORED = 255

#: large on every street: of ids, road and building, which as train ids are traffic sign and person
_LARGE_IDS = (7, 11)
#: of train ids, building, sky and car, which as ids are rectification border, rail track and fence
_LARGE_TRAIN_IDS = (2, 10, 13)
_TIMES, _LEAST = 3, 0.1  # how much more of one than of the other, and of all pixels, decides


def seem_ids(pixels: NDArray[np.integer[Any]]) -> bool:
    """Whether labels seem to have ids where train ids are expected, from the pixels of each value, (256,).

    Not from one image alone: roads, buildings, sky and cars fill most of a set of streets, but not of each.
    """
    return not pixels[IGNORED] and _mostly(pixels, _LARGE_IDS, _LARGE_TRAIN_IDS)


def seem_train_ids(pixels: NDArray[np.integer[Any]]) -> bool:
    """Whether labels seem to have train ids where ids are expected, from the pixels of each value, (256,)."""
    return not pixels[len(CLASSES) : IGNORED].any() and _mostly(pixels, _LARGE_TRAIN_IDS, _LARGE_IDS)


def _mostly(pixels: NDArray[np.integer[Any]], one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    counted = pixels[:IGNORED].sum()
    share, rest = (pixels[list(values)].sum() / max(int(counted), 1) for values in (one, other))
    return bool(share >= _LEAST and share >= _TIMES * rest)


def wrong_kind(classes: Sequence[str], pixels: NDArray[np.integer[Any]], names: Sequence[str] = ()) -> str | None:
    """Why a set of labels has ids of Cityscapes instead of train ids or the reverse, and what to do; None if not.

    Args:
        classes: those of the data set: the 19 of train ids, or the 34 names of ids. Others are not judged.
        pixels: (256,), of each value in all label files.
        names: of the label files; what they say counts unless the values contradict it.
    """
    if _same(classes, CLASSES):
        named = _all_end(names, "_labelids.png") and not pixels[IGNORED] and not seem_train_ids(pixels)
        return _FOUND_IDS.format(_why(named, "road and building")) if named or seem_ids(pixels) else None
    if _same(classes, tuple(IDS)[:-1]):
        named = _all_end(names, "_labeltrainids.png") and not pixels[len(CLASSES) : IGNORED].any()
        named = named and not seem_ids(pixels)
        return (
            _FOUND_TRAIN_IDS.format(_why(named, "building, sky and car")) if named or seem_train_ids(pixels) else None
        )
    return None


_FOUND_IDS = (
    "the labels have Cityscapes' ids (*_labelIds.png) instead of its 19 train ids (*_labelTrainIds.png): {}. Convert "
    "them: deeplab dataset convert-labels FOLDER -o NEW_FOLDER --cityscapes"
)
_FOUND_TRAIN_IDS = (
    "the labels have Cityscapes' 19 train ids (*_labelTrainIds.png) instead of its ids (*_labelIds.png): {}. Name the "
    "*_labelIds.png in the list, or the 19 classes in the data set's description"
)


def _why(named: bool, large: str) -> str:
    return "their names say so" if named else f"their most frequent values are those of {large}"


def _same(classes: Sequence[str], names: Sequence[str]) -> bool:
    return [name.strip().lower() for name in classes] == list(names)


def _all_end(names: Sequence[str], suffix: str) -> bool:
    return bool(names) and all(name.lower().endswith(suffix) for name in names)
