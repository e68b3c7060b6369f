"""Data layers whose items are read by worker threads, some batches ahead. Mirrors `base_data_layer.cpp`."""

from __future__ import annotations

import weakref
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from ...arrays import Shape
from ...errors import InputError
from .. import mode
from .base import DataLayer

_T = TypeVar("_T")


@dataclass
class _Batch:
    """A batch in the making: the numbers of its items; the tensors are there once its first item is read."""

    numbers: range
    entries: list[Any]
    tensors: Future[list[torch.Tensor]] = field(default_factory=Future)
    pending: list[Future[None]] = field(default_factory=list)

    def abandon(self) -> None:
        """Let no thread begin with an item, nor wait for the first one."""
        for future in self.pending:
            future.cancel()
        self.tensors.cancel()


class _Memory:
    """Memory for tensors of one shape at a time, reused once nothing refers to the last tensor any more.

    Newly allocated memory would cost more time than writing into it.
    """

    def __init__(self) -> None:
        self._shape: Shape = ()
        self._free: list[np.ndarray] = []

    def take(self, shape: Shape) -> torch.Tensor:
        """A tensor of this shape with any contents."""
        if shape != self._shape:
            self._shape, self._free = shape, []
        free = self._free
        try:
            array = free.pop()
        except IndexError:
            array = np.empty(shape, np.float32)
        view = array.view()  # which the tensor, and all that share its memory, keep alive
        weakref.finalize(view, free.append, array)
        return torch.from_numpy(view)


class ReadAheadLayer(DataLayer):
    """A data layer that reads `data_param.prefetch` batches (4 by default) ahead.

    A subclass ends its setup with `start` and has the methods `entry`, `read`, `shapes`, `write` and `where`.
    What an item is, and every draw for it, depends on the seed and the item's number alone, so that the order in
    which threads read does not matter and a resumed run goes on with the very items that were next.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch_size = 0
        self._queue: deque[_Batch] = deque()
        self._queued = 0
        self._pool: ThreadPoolExecutor | None = None
        self._item_shapes: list[Shape] = []
        self._memories: list[_Memory] = []
        self._order: tuple[tuple[int, int], np.ndarray] = ((-1, -1), np.arange(0))

    # -- what a subclass has

    def entry(self, number: int) -> Any:
        """What says where item `number` is to be found: a line, a key. Called in the order of the items."""
        raise NotImplementedError(f"{type(self).__name__}.entry")

    def read(self, entry: Any, number: int) -> Any:
        """The item as its source has it (in a worker thread). InputError begins with `where(entry)`."""
        raise NotImplementedError(f"{type(self).__name__}.read")

    def shapes(self, item: Any) -> list[Shape]:
        """The shapes that an item has in the tops; all items of one batch must agree."""
        raise NotImplementedError(f"{type(self).__name__}.shapes")

    def write(self, item: Any, entry: Any, number: int, places: list[np.ndarray]) -> None:
        """Transform an item into its places in the batch, one for each top (in a worker thread)."""
        raise NotImplementedError(f"{type(self).__name__}.write")

    def where(self, entry: Any) -> str:
        """For messages: file and line or record, and a colon."""
        raise NotImplementedError(f"{type(self).__name__}.where")

    # -- what a subclass uses

    def start(self, batch_size: int, item_shapes: list[Shape] | None = None) -> None:
        """End of setup: fix the batch size; the shapes of the tops are the stated ones or those of the first item."""
        if batch_size < 1:
            self.fail(f"batch_size is {batch_size}, wanted a positive number")
        self.batch_size = batch_size
        self._item_shapes = self.guarded(self._first_shapes) if item_shapes is None else item_shapes

    def size_text(self) -> str:
        """The first top's shape as Caffe logs it: `10,3,321,321`."""
        return ",".join(map(str, (self.batch_size, *self._item_shapes[0])))

    def _first_shapes(self) -> list[Shape]:
        """The shapes of the first item; an error in it is raised at set-up."""
        entry = self.entry(0)
        item = self.read(entry, 0)
        shapes = self.shapes(item)
        self.write(item, entry, 0, [np.empty(shape, np.float32) for shape in shapes])
        return shapes

    def stated_size(self, image: tuple[int, int] | None) -> tuple[int, int] | None:
        """Height and width that its images get: as it states, else those of `image`."""
        t, p = self.param.transform_param, self.param.image_data_param
        if t.crop_height and t.crop_width:
            return t.crop_height, t.crop_width
        if t.crop_size:
            return t.crop_size, t.crop_size
        return (p.new_height, p.new_width) if p.new_height and p.new_width else image

    def guarded(self, call: Callable[[], _T]) -> _T:
        """The result of a call whose InputErrors do not name the layer yet."""
        try:
            return call()
        except InputError as error:
            self.fail(str(error))

    def random(self, *salt: int) -> np.random.Generator:
        """A generator that depends on the seed, the layer's name and the numbers given, on nothing else."""
        return np.random.default_rng([mode.seed(), zlib.crc32(self.param.name.encode()), *salt])

    def place(self, number: int, count: int, shuffle: bool, rand_skip: int) -> int:
        """Which of `count` entries item `number` is: wrapping round, reshuffled for each pass, some skipped."""
        skip = int(self.random(0).integers(rand_skip)) if rand_skip else 0
        epoch, place = divmod(number + skip, count)
        if not shuffle:
            return place
        if self._order[0] != (mode.seed(), epoch):
            self._order = ((mode.seed(), epoch), self.random(1, epoch).permutation(count))
        return int(self._order[1][place])

    # -- the contract

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [(self.batch_size, *shape) for shape in self._item_shapes[: self._top_count()]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        self._read_ahead()
        batch = self._queue[0]
        try:
            for future in batch.pending:
                future.result()
        except InputError as error:
            self.seek(self.position)  # the next forward meets the same batch
            self.fail(str(error))
        self._queue.popleft()
        self.present = batch.entries
        self.position += len(batch.entries) * self.sharers
        tensors = batch.tensors.result()
        self._item_shapes[: len(tensors)] = [tuple(t.shape[1:]) for t in tensors]
        return [mode.on_device(t) for t in tensors]

    def seek(self, position: int) -> None:
        self._abandon()
        self.position = self._queued = position

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        self._abandon()
        self._queued = self.position

    def explain_label(self, index: int, num_classes: int, ignored: Sequence[int]) -> str:
        """Where the label of an item of the present batch came from."""
        return self.where(self.present[index]) + "its label" if index < len(self.present) else ""

    # -- the queue

    def _top_count(self) -> int:
        return max(len(self.param.top), self.tops[0])

    def _read_ahead(self) -> None:
        if self._pool is None:
            workers = min(8, max(2, mode.processors()))
            self._pool = ThreadPoolExecutor(workers, thread_name_prefix=self.param.name)
        while len(self._queue) < max(1, self.param.data_param.prefetch) + 1:
            batch = self.guarded(self._next_batch)
            # In the order of the items, which the pool keeps: the first is under way before another waits for it.
            batch.pending += [self._pool.submit(self._load, batch, i) for i in range(self.batch_size)]
            self._queue.append(batch)

    def _next_batch(self) -> _Batch:
        """The next items of all sharers, and this one's part of them."""
        numbers = range(self._queued, self._queued + self.batch_size * self.sharers)
        entries = [self.entry(number) for number in numbers]
        self._queued = numbers.stop
        return _Batch(numbers[self.share :: self.sharers], entries[self.share :: self.sharers])

    def _abandon(self) -> None:
        while self._queue:
            self._queue.popleft().abandon()

    def _load(self, batch: _Batch, i: int) -> None:
        """Read one item into its places (in a worker thread); the first one makes the tensors."""
        entry, number = batch.entries[i], batch.numbers[i]
        try:
            item = self.read(entry, number)
            shapes = self.shapes(item)[: self._top_count()]
            if i == 0:
                batch.tensors.set_result(self._allocate(shapes))
        except BaseException:
            if i == 0:
                batch.tensors.cancel()
            raise
        tensors = batch.tensors.result()
        for tensor, shape in zip(tensors, shapes, strict=True):
            if tensor.shape[1:] != shape:
                raise InputError(
                    f"{self.where(entry)}is {_size(shape)}, the first item of its batch {_size(tensor.shape[1:])}; "
                    "all items of a batch must have the same size: state a crop, resize them, or set batch_size: 1"
                )
        self.write(item, entry, number, [t.numpy()[i, ...] for t in tensors])

    def _allocate(self, shapes: list[Shape]) -> list[torch.Tensor]:
        if mode.device().type == "cuda":
            return [torch.empty(self.batch_size, *shape, pin_memory=True) for shape in shapes]
        self._memories += [_Memory() for _ in shapes[len(self._memories) :]]
        return [m.take((self.batch_size, *shape)) for m, shape in zip(self._memories, shapes, strict=False)]


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) + " (channels × height × width)"
