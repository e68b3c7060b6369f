"""What was published of each model: the rows of published.toml, which `list`, the models page and the ledger share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..reading import read_toml
from .model_names import look_up

_FILE = Path(__file__).with_name("published.toml")
#: what a number is unless its row says otherwise
MEAN_IOU = "mean IoU, %"


@dataclass(frozen=True)
class PublishedTable:
    """One table of a publication.

    Attributes:
        publication, source: "DeepLab v2", "arXiv 1606.00915".
        table: its number, or what else names it.
        title: what it is about.
        protocol: how its nets were trained and tested, as far as that holds for all rows.
        numbers: its numbers, in the order in which they are printed.
    """

    publication: str
    source: str
    table: str
    title: str
    protocol: str
    numbers: tuple[PublishedNumber, ...]

    @property
    def heading(self) -> str:
        """`Table 3: VGG-16, pyramids, on VOC 2012 val`; without a number the title alone."""
        return f"Table {self.table}: {self.title}" if self.table.isdigit() else self.title


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a table.

    Attributes:
        value: the number, as printed.
        row: the features of its row, in words: all of them.
        dataset, split: what was scored: a data set, and one of its lists.
        of: what the number is; `MEAN_IOU`, or a number of parameters, a speed, a time.
        crf: whether it is after the CRF.
        model: the model that reproduces it, on that data set; None where nothing does, and `why` says why.
        output_stride: of the test net, where it is not that of the training net.
        scales: the scales of a multi-scale test; () for one.
        flip: whether mirrored images are tested as well.
        command: what measures the number, where that is not the make target.
        note: what has to be known.
    """

    value: str
    row: str
    dataset: str
    split: str
    of: str = MEAN_IOU
    crf: bool = False
    model: str | None = None
    output_stride: int | None = None
    scales: tuple[float, ...] = ()
    flip: bool = False
    command: str = ""
    why: str = ""
    note: str = ""

    @property
    def number(self) -> float:
        return float(self.value)

    @property
    def name(self) -> str | None:
        """`<data set>/<model>` of the model that reproduces it."""
        return f"{self.dataset}/{self.model}" if self.model else None

    @property
    def test_flags(self) -> list[str]:
        """The flags of `deeplab` that test a trained net as this number was: list, output stride, scales, flip.

        Example:
            >>> [number.test_flags for number in published_scores("voc12/v3_resnet101_aspp", output_stride=8)]
            [['--test-output-stride', '8']]
        """
        flags = [] if self.split in ("val", "") else ["--test-set", self.split]
        flags += [] if self.output_stride is None else ["--test-output-stride", str(self.output_stride)]
        flags += ["--scales", ",".join(f"{scale:g}" for scale in self.scales)] if self.scales else []
        return flags + ["--flip"] * self.flip

    @property
    def test_words(self) -> str:
        """The same without the list, in short: `OS 8, MS, flip`; "" for a plain test."""
        stride = [] if self.output_stride is None else [f"OS {self.output_stride}"]
        return ", ".join([*stride, *["MS"] * bool(self.scales), *["flip"] * self.flip])


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """Every table of published.toml, in its order."""
    return tuple(_table(**table) for table in _contents()["tables"])


@cache
def _contents() -> dict[str, Any]:
    return read_toml(_FILE)


def _table(rows: list[dict[str, Any]], dataset: str, split: str, **head: Any) -> PublishedTable:
    tested = {"dataset": dataset, "split": split, "scales": ()}
    numbers = (PublishedNumber(**{**tested, **row}) for row in rows)
    return PublishedTable(**head, numbers=tuple(replace(number, scales=tuple(number.scales)) for number in numbers))


def published_numbers(model: str | None = None) -> list[PublishedNumber]:
    """Every published number, or those that a model reproduces, on any data set, in the order of the tables."""
    found = [number for table in published_tables() for number in table.numbers]
    return found if model is None else [number for number in found if number.model == model]


def published_scores(
    name: str,
    split: str = "val",
    crf: bool = False,
    *,
    output_stride: int | None = None,
    scales: Sequence[float] = (),
    flip: bool = False,
    images: int | None = None,
) -> list[PublishedNumber]:
    """The published mean IoU of `<data set>/<model>` on a list, tested in the same way; each value once.

    Args:
        name: `<data set>/<model>`.
        split: the list that is scored.
        crf: whether after the CRF.
        output_stride: that of the test net; None, or that of the training net, for a net tested as it was trained.
        scales: those of the test; () or (1,) for one scale.
        flip: whether mirrored images are tested as well.
        images: how many images the list has; with another number than the published list's it is another list.

    Returns:
        [] where nothing was published; more than one number where the publications disagree.

    Example:
        >>> [number.value for number in published_scores("voc12/largefov")]
        ['65.88', '65.76']
        >>> published_scores("mydata/largefov"), published_scores("voc12/largefov", images=100)
        ([], [])
    """
    dataset = look_up(name)[0]
    if images is not None and published_images(dataset, split) not in (None, images):
        return []
    scales = () if tuple(scales) == (1,) else tuple(scales)
    tested = (split, crf, other_output_stride(name, output_stride), scales, flip)
    found: dict[str, PublishedNumber] = {}
    for number in published_numbers(name.partition("/")[2]):
        own = (number.split, number.crf, number.output_stride, number.scales, number.flip)
        if number.name == name and number.of == MEAN_IOU and own == tested:
            found.setdefault(number.value, number)
    return list(found.values())


def other_output_stride(name: str, output_stride: int | None) -> int | None:
    """The output stride of a test of `<data set>/<model>`; None if it is the one that the net was trained at."""
    variant = look_up(name)[1]
    trained = variant.sizes.stride if "test_output_stride" in variant.reads else None
    return None if output_stride == trained else output_stride


def published_images(dataset: str, split: str) -> int | None:
    """How many images the published list of a data set has; None if that is not known.

    Example:
        >>> published_images("voc12", "val"), published_images("voc12", "train")
        (1449, None)
    """
    count = _contents()["images"].get(dataset, {}).get(split)
    return None if count is None else int(count)
