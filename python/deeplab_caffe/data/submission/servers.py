"""The test servers: what an archive of results has to look like; one row each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...arrays import Label, Palette, Size
from ..cityscapes import TRAIN_IDS
from ..indexed_png import GREY, INDEXED
from ..label_conversion import value_table
from ..labels import voc_palette


@dataclass(frozen=True, eq=False)
class Server:
    """A test server and the layout that it accepts.

    Attributes:
        title: of the data set, for people.
        dataset: the data set's description below datasets/.
        classes: number of classes that the nets tell apart.
        suffix: of the archive: .tgz or .zip.
        entry: the name of an image's file in an archive that we write, with {id} and {competition}.
        accepted: what the names of files in an archive have to match; the group `id` is the image.
        layout: the same in words.
        image_id: what the file name of an image or a result has to match, without suffix; the group `id` is the image.
        competitions: number → what it is for; empty if there is one alone.
        values: the values that pixels of an archive may have.
        colours: PNG colour types that it may have.
        palette: (256, 3) RGB that the indices of palette files refer to; None if palettes do not matter.
        ids: (256,), the value in the archive of each class index; None: the class indices themselves.
        size: (height, width) of every image; None: they differ.
        images: how many images the server's test list has.
    """

    title: str
    dataset: str
    classes: int
    suffix: str
    entry: str
    accepted: re.Pattern[str]
    layout: str
    image_id: re.Pattern[str]
    values: frozenset[int]
    colours: tuple[int, ...]
    images: int
    competitions: Mapping[int, str] = field(default_factory=dict)
    palette: Palette | None = None
    ids: Label | None = None
    size: Size | None = None

    def id_of(self, stem: str) -> str | None:
        """The image that a file name without suffix belongs to, or None."""
        match = self.image_id.fullmatch(stem)
        return match["id"] if match else None


#: the ids of Cityscapes' labels, of which 19 are evaluated
_CITYSCAPES_IDS = frozenset(range(34))
_CITYSCAPES_ID = r"(?P<id>[A-Za-z-]+_\d{6}_\d{6})"

SERVERS: dict[str, Server] = {
    "voc12": Server(
        title="PASCAL VOC 2012",
        dataset="voc12",
        classes=21,
        suffix=".tgz",
        entry="results/VOC2012/Segmentation/comp{competition}_test_cls/{id}.png",
        accepted=re.compile(r"results/VOC2012/Segmentation/comp(?P<competition>[56])_test_cls/(?P<id>[^/]+)\.png"),
        layout="results/VOC2012/Segmentation/comp6_test_cls/ID.png (or comp5)",
        image_id=re.compile(r"(?P<id>.+)"),
        competitions={5: "trained on the images and labels of VOC 2012 alone", 6: "trained with other data too"},
        values=frozenset(range(21)),
        colours=(INDEXED,),
        images=1456,
        palette=voc_palette(),
    ),
    "cityscapes": Server(
        title="Cityscapes",
        dataset="cityscapes",
        classes=19,
        suffix=".zip",
        entry="{id}_labelIds.png",
        accepted=re.compile(rf"(?:(?!\.\.?/)[^/\\]+/)*{_CITYSCAPES_ID}[^/]*\.png"),
        layout="CITY_SEQUENCE_FRAME*.png, in any folder",
        image_id=re.compile(rf"{_CITYSCAPES_ID}.*"),
        values=_CITYSCAPES_IDS,
        colours=(GREY, INDEXED),
        images=1525,
        ids=value_table({train_id: label_id for label_id, train_id in TRAIN_IDS.items()}, others=255),
        size=(1024, 2048),
    ),
}

#: how PNG colour types are called in messages
COLOUR_NAMES = {GREY: "grey", 2: "RGB", INDEXED: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
