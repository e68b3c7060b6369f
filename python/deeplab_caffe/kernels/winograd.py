"""Winograd's convolution with 3 × 3 kernels of stride 1, on images in channels_last.

A tile is m × m outputs, made from n × n inputs, n = m + 2; both lie `dilation` apart. Tiles are counted over images,
rows of tiles and columns of tiles. Each of a tile's n² transformed values is multiplied with weights of its own, as
matrices (tiles, channels) · (channels, outputs). All arrays are flat:

- transformed inputs (n², tiles, stride), a tile having `stride` ≥ channels elements;
- transformed weights (panels, n², channels, PANEL), outputs in panels of PANEL, those beyond the last are 0;
- products (n², tiles, stride), `stride` ≥ the outputs of the panels at work.

Vectors lie over channels. Where a tile reaches over the border, or channels do not fill vectors, it goes by way of a
patch, which holds one tile.
"""

from __future__ import annotations

from typing import NamedTuple

from .kernel_cache import inlined, kernel, separate
from .registers import LANES, PANEL
from .vector import sum_of
from .winograd_tiles import (
    clear,
    copy,
    multiply,
    no_flags,
    transform_input,
    transform_output,
    transform_weight,
    transpose,
)


class Geometry(NamedTuple):
    """m; sizes of a convolution in pixels and channels; tiles in a column and in a row of tiles."""

    tile: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    outputs: int
    pad_y: int
    pad_x: int
    dilation_y: int
    dilation_x: int
    tiles_y: int
    tiles_x: int


class Block(NamedTuple):
    """Tiles that are computed together, a multiple of ROWS, and panels; elements between two tiles, in and out."""

    tiles: int
    panels: int
    in_stride: int
    out_stride: int


@separate
def _read_taps(weights, first, outputs, channel, count, channels, taps):
    """Copy `count` ≤ LANES channels of a panel of weights (outputs, 9, channels) as (count, 9, PANEL)."""
    if count == LANES and first + PANEL <= outputs:
        for tap in range(9):
            for lane in range(0, PANEL, LANES):
                start = ((first + lane) * 9 + tap) * channels + channel
                transpose(weights, start, 9 * channels, taps, tap * PANEL + lane, 9 * PANEL)
    else:
        clear(taps, 0, count * 9 * PANEL)
        for i in range(min(PANEL, outputs - first) * 9):
            for c in range(count):
                taps[(c * 9 + i % 9) * PANEL + i // 9] = weights[(first * 9 + i) * channels + channel + c]


@kernel
def transform_weights(tile, weights, first, last, outputs, channels, taps, transformed):
    """Transform weights (outputs, 3, 3, channels) of panels `first` to `last`; taps: LANES · 9 · PANEL elements."""
    size = (len(tile) + 2) ** 2
    for panel in range(first, last):
        for begin in range(0, channels, LANES):
            count = min(LANES, channels - begin)
            _read_taps(weights, panel * PANEL, outputs, begin, count, channels, taps)
            for c in range(count):
                to = (panel * size * channels + begin + c) * PANEL
                for lane in range(0, PANEL, LANES):
                    start = c * 9 * PANEL + lane
                    transform_weight(tile, taps, start, PANEL, transformed, to + lane, channels * PANEL)


@inlined
def _corner(t, rows, columns, g):
    """The image of a tile, and its first row and column of outputs."""
    line = t // g.tiles_x
    image = line // g.tiles_y
    return image, rows[line - image * g.tiles_y], columns[t - line * g.tiles_x]


@separate
def _read_patch(x, image, y0, x0, g, stride, patch):
    """Copy the inputs of a tile (n, n, stride), with zeros outside of the image."""
    n = g.tile + 2
    for i in range(n * n):
        row, column = y0 + i // n * g.dilation_y, x0 + i % n * g.dilation_x
        if 0 <= row < g.height and 0 <= column < g.width:
            copy(x, ((image * g.height + row) * g.width + column) * g.channels, patch, i * stride, g.channels)
        else:
            clear(patch, i * stride, g.channels)


@separate
def _transform_input(tile, x, start, row, column, channels, transformed, to, step):
    for c in range(0, channels, LANES):
        transform_input(tile, x, start + c, row, column, transformed, to + c, step)


@separate
def _transform_inputs(tile, x, first, last, rows, columns, g, block, patch, transformed):
    step, reach = block.tiles * block.in_stride, g.tile + 1
    row, column = g.dilation_y * g.width * g.channels, g.dilation_x * g.channels
    for t in range(first, last):
        image, y0, x0 = _corner(t, rows, columns, g)
        y0, x0, to = y0 - g.pad_y, x0 - g.pad_x, (t - first) * block.in_stride
        inside = y0 >= 0 and y0 + reach * g.dilation_y < g.height and x0 >= 0 and x0 + reach * g.dilation_x < g.width
        if inside and g.channels % LANES == 0:
            start = ((image * g.height + y0) * g.width + x0) * g.channels
            _transform_input(tile, x, start, row, column, g.channels, transformed, to, step)
        else:
            _read_patch(x, image, y0, x0, g, block.in_stride, patch)
            line = (reach + 1) * block.in_stride
            _transform_input(tile, patch, 0, line, block.in_stride, g.channels, transformed, to, step)


@separate
def _multiply(registers, sums, transformed, count, weights, begin, end, g, block, products):
    """The products of `count` tiles with panels `begin` to `end`; as many tiles as fill the registers are computed."""
    size = (g.tile + 2) ** 2
    for e in range(size):
        for panel in range(begin, end):
            start = (panel * size + e) * g.channels * PANEL
            for t in range(0, count, len(registers)):
                left = (e * block.tiles + t) * block.in_stride
                to = (e * block.tiles + t) * block.out_stride + (panel - begin) * PANEL
                multiply(registers, sums, transformed, left, block.in_stride, weights, start, g.channels, products, to,
                         block.out_stride)  # fmt: skip


@separate
def _write_patch(y, image, y0, x0, g, channel, count, stride, patch):
    """Copy `count` channels of the outputs of a tile (m, m, stride) into the image, as far as they lie inside of it."""
    m = g.tile
    for i in range(m * m):
        row, column = y0 + i // m * g.dilation_y, x0 + i % m * g.dilation_x
        if row < g.out_height and column < g.out_width:
            to = ((image * g.out_height + row) * g.out_width + column) * g.outputs + channel
            copy(patch, i * stride, y, to, count)


@separate
def _transform_output(tile, products, start, step, bias, begin, end, slope, y, to, row, column, flags):
    for c in range(0, end - begin, LANES):
        flags = transform_output(tile, products, start + c, step, bias, begin + c, slope, y, to + c, row, column, flags)
    return flags


@separate
def _transform_outputs(tile, products, first, last, begin, end, rows, columns, g, block, bias, slope, patch, y, flags):
    """Channels `begin` to `end` of the outputs."""
    stride, reach = block.out_stride, g.tile - 1
    step, row, column = block.tiles * stride, g.dilation_y * g.out_width * g.outputs, g.dilation_x * g.outputs
    for t in range(first, last):
        image, y0, x0 = _corner(t, rows, columns, g)
        start = (t - first) * stride
        inside = y0 + reach * g.dilation_y < g.out_height and x0 + reach * g.dilation_x < g.out_width
        if inside and (end - begin) % LANES == 0:
            to = ((image * g.out_height + y0) * g.out_width + x0) * g.outputs + begin
            flags = _transform_output(tile, products, start, step, bias, begin, end, slope, y, to, row, column, flags)
        else:
            line = g.tile * stride
            flags = _transform_output(
                tile, products, start, step, bias, begin, end, slope, patch, 0, line, stride, flags
            )
            _write_patch(y, image, y0, x0, g, begin, end - begin, stride, patch)
    return flags


@kernel
def convolve(
    tile, registers, sums, x, weights, bias, slope, y, tiles, rows, columns, g, block, in_patch, transformed, products,
    out_patch,
):  # fmt: skip
    """Compute some tiles, in blocks that stay in the cache.

    Args:
        tile, registers, sums: tuples of m, ROWS and VECTORS elements.
        x, y: images (N, H, W, C), flat; bias: of all panels.
        slope: what negative outputs are multiplied by.
        tiles: first and last + 1.
        rows, columns: the first output of each tile in a column and in a row of tiles.
        in_patch: n² · in_stride elements, 0 at first; out_patch: m² · out_stride elements.

    Returns:
        whether all outputs are finite.
    """
    flags = no_flags()
    panels = (g.outputs + PANEL - 1) // PANEL
    for first in range(tiles[0], tiles[1], block.tiles):
        last = min(first + block.tiles, tiles[1])
        _transform_inputs(tile, x, first, last, rows, columns, g, block, in_patch, transformed)
        for panel in range(0, panels, block.panels):
            after = min(panel + block.panels, panels)
            _multiply(registers, sums, transformed, last - first, weights, panel, after, g, block, products)
            begin, end = panel * PANEL, min(after * PANEL, g.outputs)
            flags = _transform_outputs(
                tile, products, first, last, begin, end, rows, columns, g, block, bias, slope, out_patch, y, flags
            )
    return sum_of(flags) == 0
