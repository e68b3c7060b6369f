"""Images with boxes from LMDB and LevelDB. Mirrors `annotated_data_layer.cpp` of SSD, as its test nets use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from ...formats.datum import datum_to_array
from .. import mode
from .annotated_image import AnnotatedImageTransformer
from .base import register
from .database_data import DatabaseLayer

#: columns of a label: item, class, instance, x1, y1, x2, y2, whether the object is difficult
_COLUMNS = 8


@dataclass
class _Annotated:
    """A record's place, from 0, and its key; once it is read, what is known of its image.

    boxes: (n, 7), class to difficult; None where the database has plain labels.
    """

    place: int
    key: bytes
    boxes: np.ndarray | None = None
    label: int = 0


@dataclass
class _Image:
    pixels: np.ndarray
    shape: Shape


@register("AnnotatedData")
class AnnotatedData(DatabaseLayer):
    """Tops data (N, C, h, w) and, if there is a second one, label (1, 1, boxes of the batch, 8).

    Rows of the label are item, class, instance, x1, y1, x2, y2 (parts of the image) and difficult, in the order of the
    items; without a box there is one row of −1. Where records have no annotations the label is that of the image, (N).
    Images are resized by transform_param's resize_param. What changes them at random for training is refused.
    """

    def transformer(self, param: Any, phase: int) -> AnnotatedImageTransformer:
        return AnnotatedImageTransformer(param, phase)

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        p = self.param.annotated_data_param
        for i, sampler in enumerate(p.batch_sampler):
            if _draws(sampler):
                self.fail(
                    f"batch_sampler {i} cuts images at random for training; SSD is not trained here: take the layer of "
                    "the TEST phase, or remove the sampler"
                )
        self._rows: int | None = None
        super().setup(bottom, top)

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        """The images' stated size, and one box."""
        p = self.param.transform_param
        stated = (p.resize_param.height, p.resize_param.width)
        crop = (p.crop_size, p.crop_size) if p.crop_size else (p.crop_h, p.crop_w)
        height, width = image or (crop if min(crop) else stated)
        if min(height, width) < 1:
            self.fail(f"its images' size is not known; state it: --input {self.param.top[0]}=1,3,300,300")
        channels = 1 if p.force_gray else 3
        shapes: list[Shape] = [(self.param.data_param.batch_size, channels, height, width), (1, 1, 1, _COLUMNS)]
        return shapes[:tops]

    def record(self, place: int, key: bytes) -> _Annotated:
        return _Annotated(place, key)

    def read(self, entry: _Annotated, number: int) -> _Image:
        try:
            record = schema.AnnotatedDatum()
            try:
                record.ParseFromString(self._database.get(entry.key))
            except InputError:
                raise
            except Exception:
                raise InputError("not an AnnotatedDatum, or truncated") from None
            image = datum_to_array(record.datum, self._color)
            pixels = self._transformer.resized(image, self.random(3, number))
            entry.label = record.datum.label
            entry.boxes = None
            if record.HasField("type") or self.param.annotated_data_param.HasField("anno_type"):
                entry.boxes = self._boxes(record, image.shape[1:], pixels.shape[1:])
            if self._rows is None:
                self._rows = -1 if entry.boxes is None else max(1, len(entry.boxes))
            return _Image(pixels, self._transformer.shape(pixels.shape))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None

    def _boxes(self, record: Any, size: Shape, resized: Shape) -> np.ndarray:
        """The boxes of a record that lie in its image, (n, 7): class, instance, x1, y1, x2, y2, difficult."""
        notes = [(group.group_label, a) for group in record.annotation_group for a in group.annotation]
        boxes = np.array([[a.bbox.xmin, a.bbox.ymin, a.bbox.xmax, a.bbox.ymax] for _, a in notes], np.float32)
        moved, inside = self._transformer.moved(boxes.reshape(-1, 4), size, resized)
        names = np.array([[label, a.instance_id] for label, a in notes], np.float32).reshape(-1, 2)
        difficult = np.array([[a.bbox.difficult] for _, a in notes], np.float32).reshape(-1, 1)
        return np.concatenate([names, moved, difficult], axis=1)[inside]

    def shapes(self, item: _Image) -> list[Shape]:
        return [item.shape]

    def write(self, item: _Image, entry: _Annotated, number: int, places: list[np.ndarray]) -> None:
        try:
            self._transformer.apply(item.pixels, places[0], self.random(2, number))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shapes = super().top_shapes(*bottoms)[:1]
        if len(self.param.top) > 1:
            shapes.append((self.batch_size,) if self._rows == -1 else (1, 1, self._rows or 1, _COLUMNS))
        return shapes

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        tops = super().compute(bottoms, params)
        if len(self.param.top) > 1:
            tops.append(mode.on_device(torch.from_numpy(self._label(self.present))))
        return tops

    def _label(self, entries: Sequence[_Annotated]) -> np.ndarray:
        """The second top of a batch."""
        kinds = {entry.boxes is None for entry in entries}
        if len(kinds) > 1:
            self.fail(f"{self.param.data_param.source}: some records of a batch have annotations, others have none")
        if kinds == {True}:
            self._rows = -1
            return np.array([entry.label for entry in entries], np.float32)
        parts = [entry.boxes for entry in entries if entry.boxes is not None]
        items = np.repeat(np.arange(len(parts), dtype=np.float32), [len(part) for part in parts])
        rows = np.column_stack([items, np.concatenate(parts)]) if len(items) else np.full((1, _COLUMNS), -1)
        self._rows = len(rows)
        return np.ascontiguousarray(rows[None, None], np.float32)


def _draws(sampler: Any) -> bool:
    """Whether a batch_sampler may cut an image: an empty one, as test nets state it, takes the whole."""
    s = sampler.sampler
    whole = (s.min_scale, s.max_scale, s.min_aspect_ratio, s.max_aspect_ratio) == (1, 1, 1, 1)
    return not whole or not sampler.use_original_image
