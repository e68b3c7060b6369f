"""Datums from LMDB and LevelDB. Mirrors `data_layer.cpp`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Shape
from ...errors import InputError
from ...formats.database import open_database
from ...formats.datum import datum_to_array, parse_datum
from .. import log
from ..blob import Blob
from .base import register
from .data_transformer import DataTransformer, check_moved_fields
from .read_ahead import ReadAheadLayer

_BACKENDS = ("leveldb", "lmdb")


class _Record(NamedTuple):
    """A record's place, from 0, and its key."""

    place: int
    key: bytes


class _Item(NamedTuple):
    image: np.ndarray
    label: int
    shape: Shape


class DatabaseLayer(ReadAheadLayer):
    """Reads the records of a store in the order of their keys, over and over.

    As in Caffe the backend is LEVELDB unless stated, and `rand_skip` and `force_encoded_color` change nothing.
    """

    tops = (1, 2)

    def transformer(self, param: Any, phase: int) -> Any:
        """What transforms images as a TransformationParameter says."""
        raise NotImplementedError(f"{type(self).__name__}.transformer")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = self.param.data_param, self.param.transform_param
        self._color = True if t.force_color else False if t.force_gray else None
        if t.force_color and t.force_gray:
            self.fail("states both force_color and force_gray")
        self.guarded(lambda: check_moved_fields(p, "data_param"))
        self._transformer = self.guarded(lambda: self.transformer(t, self.phase))
        self._database = self.guarded(lambda: open_database(p.source, _BACKENDS[p.backend]))
        log.detail(f"Opened {_BACKENDS[p.backend]} {p.source}", f"db_{_BACKENDS[p.backend]}.cpp:35")
        self._keys: Iterator[bytes] = self._database.keys()
        self._at: int | None = None
        self._place = 0
        self.start(p.batch_size)
        log.detail(f"output data size: {self.size_text()}", "data_layer.cpp:41")

    def record(self, place: int, key: bytes) -> Any:
        """What stands for a record until it is read."""
        return _Record(place, key)

    def entry(self, number: int) -> Any:
        if number != self._at:
            self._go_to(number)
        key = next(self._keys, None)
        if key is None:
            if self._place:
                log.info("Restarting data prefetching from start.", "data_layer.cpp:73")
            self._keys, self._place = self._database.keys(), 0
            key = next(self._keys, None)
            if key is None:
                raise InputError(f"{self.param.data_param.source}: the database is empty")
        record = self.record(self._place, key)
        self._place += 1
        self._at = number + 1
        return record

    def _go_to(self, number: int) -> None:
        self._place = number % max(1, len(self._database)) if number else 0
        self._keys = islice(self._database.keys(), self._place, None)

    def contents(self) -> str:
        return f"{len(self._database)} records"

    def where(self, entry: Any) -> str:
        key = entry.key.decode("utf-8", "backslashreplace")
        return f"{self.param.data_param.source}: record {entry.place} (key '{key}'): "


@register("Data")
class Data(DatabaseLayer):
    """Tops data (N, C, h, w) and, if there is a second one, label (N).

    Each batch has the shape of its first datum. Encoded datums are decoded (BGR).
    """

    def transformer(self, param: Any, phase: int) -> DataTransformer:
        return DataTransformer(param, phase)

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        """An existing database knows the number of channels; without it the images are assumed to be in colour."""
        p, size = self.param.data_param, self.stated_size(image)
        if size is None or os.path.exists(p.source):
            return None
        channels = 1 if self.param.transform_param.force_gray else 3
        return [(p.batch_size, channels, *size), (p.batch_size,)][:tops]

    def read(self, entry: _Record, number: int) -> _Item:
        try:
            datum = parse_datum(self._database.get(entry.key))
            image = datum_to_array(datum, self._color)
            return _Item(image, datum.label, self._transformer.shape(image.shape))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None

    def shapes(self, item: _Item) -> list[Shape]:
        return [item.shape, ()]

    def write(self, item: _Item, entry: _Record, number: int, places: list[np.ndarray]) -> None:
        try:
            self._transformer.apply(item.image, places[0], self.random(2, number))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None
        if len(places) > 1:
            places[1][...] = item.label
