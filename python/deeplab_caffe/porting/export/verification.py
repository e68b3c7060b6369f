"""Verifies an export: compares every blob of the net with that of the other framework, at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...tables import table
from ..difference import distance

if TYPE_CHECKING:
    from ...caffe.net.net import Net

#: runs an export: inputs by name → blobs by name
Runner = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]
_STEP = 32


@dataclass(frozen=True)
class BlobCheck:
    """One blob at one input size. relative: the greatest difference divided by the blob's greatest value."""

    blob: str
    size: tuple[int, int]
    shape: tuple[int, ...]
    max_abs: float
    relative: float


@dataclass(frozen=True)
class Verification:
    """Every blob at every size, and the relative difference that rounding may cause."""

    checks: list[BlobCheck]
    outputs: list[str]
    tolerance: float

    @property
    def worst(self) -> dict[str, float]:
        """The greatest relative difference of each output."""
        return {name: max(c.relative for c in self.checks if c.blob == name) for name in self.outputs}

    @property
    def passed(self) -> bool:
        """Whether every output is within the tolerance; NaN is not."""
        return all(value <= self.tolerance for value in self.worst.values())

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "worst": self.worst, "passed": self.passed}

    def __str__(self) -> str:
        first = self.checks[0].size if self.checks else None
        rows = [
            [c.blob, "x".join(map(str, c.shape)), f"{c.max_abs:.3g}", f"{c.relative:.3g}"]
            for c in self.checks
            if c.size == first
        ]
        sizes = ", ".join(f"{h}x{w}" for h, w in dict.fromkeys(c.size for c in self.checks))
        lines = table(("blob", "shape", ">greatest difference", ">relative"), rows)
        lines += [f"{name}: at most {value:.3g} relative, at {sizes}" for name, value in self.worst.items()]
        return "\n".join(lines)

    def demand(self, what: str) -> None:
        """Raise InputError unless the verification passed."""
        if not self.passed:
            name, value = max(self.worst.items(), key=lambda item: (item[1] != item[1], item[1]))
            limit = f"at most {self.tolerance:g} is allowed"
            raise InputError(f"{what}: output '{name}' differs by {value:.3g} of its greatest value; {limit}")


def sizes_around(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The net's own size (height, width) and two smaller ones, the last not square, with the same remainder modulo 32.

    Example:
        >>> sizes_around((129, 129))
        [(129, 129), (65, 65), (33, 65)]
    """
    height, width = size
    smaller = [(height * part // 4 // _STEP * _STEP) for part in (2, 3)]
    found = [size, (height - smaller[0], width - smaller[0]), (height - smaller[1], width - smaller[0])]
    return list(dict.fromkeys(s for s in found if min(s) > 0))


def fitting_sizes(net: Net) -> list[tuple[int, int]]:
    """The sizes of `sizes_around` that a net takes: an InnerProduct, for one, wants the size that it was made for.

    A net too small for those is tried with a larger image.

    Returns:
        The net's own size first; only that for a net without an image (N, C, H, W) among its inputs.
    """
    images = {name: tuple(net.blobs[name].shape) for name in net.inputs if len(net.blobs[name].shape) == 4}
    if not images:
        return [(1, 1)]
    height, width = next(iter(images.values()))[2:]
    own = (height, width)
    others = sizes_around(own)[1:] or [(own[0] + _STEP, own[1] + _STEP)]
    found = [own, *(size for size in others if _takes(net, images, size))]
    _reshape(net, images)
    return found


def _takes(net: Net, images: Mapping[str, tuple[int, ...]], size: tuple[int, int]) -> bool:
    try:
        _reshape(net, {name: (*shape[:2], *size) for name, shape in images.items()})
    except InputError:
        return False
    return True


def _reshape(net: Net, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        net.blobs[name].reshape(*shape)
    net.reshape()


def verify(
    net: Net, runner: Runner, images: Callable[[str, tuple[int, ...]], np.ndarray], tolerance: float = 1e-4,
    sizes: Sequence[tuple[int, int]] | None = None,
) -> Verification:  # fmt: skip
    """Run a net and its export on the same inputs and compare every blob that the runner returns.

    Args:
        net: the net; its input sizes are restored afterwards.
        runner: runs the export.
        images: makes an input of that name and shape (N, C, H, W).
        tolerance: the relative difference of an output that rounding may cause.
        sizes: input sizes (height, width) of images; by default those around the net's own that it takes.
    """
    own = {name: tuple(net.blobs[name].shape) for name in net.inputs}
    checks: list[BlobCheck] = []
    for size in sizes or fitting_sizes(net):
        given = {name: _input(name, shape, size, images) for name, shape in own.items()}
        _fill(net, given)
        try:
            compute_blobs(net)
        except InputError:  # as of an Upsample that states the size of one map, which shapes alone do not tell
            if sizes or not checks:
                raise
            continue
        for name, theirs in runner(given).items():
            checks.append(_check(name, size, net.blobs[name].data, theirs))
    _reshape(net, own)
    return Verification(checks, [name for name in net.outputs if name in net.blobs], tolerance)


def compare_nets(
    net: Net, other: Net, images: Callable[[str, tuple[int, ...]], np.ndarray],
    other_images: Callable[[str, tuple[int, ...]], np.ndarray],
) -> Verification:  # fmt: skip
    """Compare the blobs of equal name and shape in two nets, run on one image, preprocessed as each net needs it."""

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        (shape,) = (values.shape for values in inputs.values())
        (name,) = other.inputs
        _fill(other, {name: other_images(name, shape)})
        compute_blobs(other)
        shared = [name for name in net.blobs if name in other.blobs and name not in net.inputs]
        return {name: other.blobs[name].data for name in shared if other.blobs[name].shape == net.blobs[name].shape}

    size = tuple(net.blobs[net.inputs[0]].shape[2:4])
    found = verify(net, run, images, sizes=[size])  # type: ignore[list-item]
    return Verification(found.checks, [], found.tolerance)


def compute_blobs(net: Net) -> None:
    """A forward pass without the layers that have no tops, for those write files."""
    for i, step in enumerate(net.steps):
        if step.tops:
            net.forward_range(i, i)
    net.deferred_checks.finish()


def _input(
    name: str, shape: tuple[int, ...], size: tuple[int, int], images: Callable[[str, tuple[int, ...]], np.ndarray]
) -> np.ndarray:
    """An input's values: a map of that size, or what a detector wants to know of it (im_info): height, width, scale."""
    if len(shape) == 2 and shape[1] == 3:
        return np.repeat(np.array([[*size, 1]], np.float32), shape[0], 0)
    return images(name, (*shape[:2], *size) if len(shape) == 4 else shape)


def _fill(net: Net, given: Mapping[str, np.ndarray]) -> None:
    for name, values in given.items():
        net.blobs[name].reshape(*values.shape)
        net.blobs[name].data[...] = values


def _check(name: str, size: tuple[int, int], mine: np.ndarray, theirs: np.ndarray) -> BlobCheck:
    if mine.shape != theirs.shape:
        raise InputError(f"blob '{name}' is {theirs.shape} in the export, {mine.shape} in the net")
    return BlobCheck(name, size, mine.shape, *distance(np.ascontiguousarray(mine), np.ascontiguousarray(theirs)))
