"""Cityscapes at half the size, 1024 x 512 pixels: for the rows of DeepLab v2's Table 9 without "Full"."""

from __future__ import annotations

from . import cityscapes
from .halves import build_half
from .request import Builder, Built, Request


def _build(request: Request) -> Built:
    full = cityscapes.build(request)
    half = request.folder / "cityscapes_half"
    count = build_half(full.root, half, cityscapes.COUNTS, request.progress)
    return Built(half, cityscapes.counts_of(half), full.written + count)


BUILDER = Builder(
    "cityscapes_half",
    "Cityscapes at half the size",
    "It is made from data/cityscapes, whose archives have to lie there, as for deeplab dataset cityscapes.",
    _build,
    cityscapes.COUNTS,
    cityscapes.OPTIONS,
)
