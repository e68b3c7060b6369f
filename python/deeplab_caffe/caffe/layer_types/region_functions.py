"""Functions that pool regions of maps: of ROIPooling, PSROIPooling and both ROIAlign.

Pure PyTorch, without a loop over regions. An exported net gets copies of those that it uses, so each one needs `torch`,
`F` and the others of this module alone. A region is (item, x1, y1, x2, y2).
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def rounded(x: torch.Tensor) -> torch.Tensor:
    """To whole numbers, halves away from 0, as C does."""
    whole = x.trunc()
    return whole + ((x - whole).abs() >= 0.5) * x.sign()


def roi_spans(begin: torch.Tensor, size: torch.Tensor, bins: int, limit: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First positions and ends of ROIPooling's bins along one axis, (R, bins) each, from begins and sizes (R)."""
    step = (size / bins)[:, None]
    index = torch.arange(bins, dtype=begin.dtype, device=begin.device)
    ends = torch.floor(index * step) + begin[:, None], torch.ceil((index + 1) * step) + begin[:, None]
    low, high = (e.clamp(0, limit).to(torch.int64) for e in ends)
    return low, high


def range_maxima(keys: torch.Tensor, levels: int, axis: int) -> torch.Tensor:
    """Maxima of 1, 2, 4 … positions from each one on, along an axis: `levels` of them, stacked in front."""
    tables = [keys]
    for level in range(1, levels):
        last, step = tables[-1], 2 ** (level - 1)
        moved = torch.cat([last.narrow(axis, step, last.shape[axis] - step), last.narrow(axis, -step, step)], axis)
        tables.append(torch.maximum(last, moved))
    return torch.stack(tables)


def ordered_keys(x: torch.Tensor) -> torch.Tensor:
    """Integers (N, H, W, C) in the order of a map's values (N, C, H, W); of equal values the first position is greater.

    The low half of a key tells the position, H · W − 1 − index. NaN is below all numbers.
    """
    lowest = torch.full_like(x, torch.finfo(torch.float32).min)
    bits = (torch.where(x.isnan(), lowest, x).float() + 0.0).view(torch.int32).to(torch.int64)
    bits = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    count = x.shape[2] * x.shape[3]
    places = torch.arange(count - 1, -1, -1, device=x.device).reshape(x.shape[2:])
    return (bits * 2**32 + places).permute(0, 2, 3, 1)


def window_maxima(
    values: torch.Tensor,
    item: torch.Tensor,
    rows: tuple[torch.Tensor, torch.Tensor],
    columns: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """The maxima of windows of maps (N, H, W, C): (R, bins, bins, C).

    item (R); rows, columns: first positions and ends (R, bins). Maxima of 1, 2, 4 … rows and columns are found once;
    a window's is the greatest of four of them.
    """
    items, height, width, channels = values.shape
    spans = [(high - low).clamp(min=1) for low, high in (rows, columns)]
    steps = [s.float().log2().floor().to(torch.int64) for s in spans]
    levels = [int(s.max()) + 1 if s.numel() else 1 for s in steps]
    starts = [low.clamp(max=size - 1) for (low, _), size in ((rows, height), (columns, width))]
    lasts = [start + span - 2**step for start, span, step in zip(starts, spans, steps, strict=True)]
    level = steps[0][:, :, None] * levels[1] + steps[1][:, None, :]
    front = (level * items + item[:, None, None]) * height
    corners = [
        (front + y[:, :, None]) * width + z[:, None, :] for y in (starts[0], lasts[0]) for z in (starts[1], lasts[1])
    ]
    found = []
    some = max(1, 2**22 // (levels[0] * levels[1] * items * height * width))  # channels at a time
    for part in values.split(some, 3):
        table = range_maxima(range_maxima(part, levels[1], 2), levels[0], 2).reshape(-1, part.shape[3])
        best = table[corners[0]]
        for corner in corners[1:]:
            best = torch.maximum(best, table[corner])
        found.append(best)
    return torch.cat(found, 3)


def widened(regions: torch.Tensor, ratio: float) -> torch.Tensor:
    """The boxes (R, 4) of regions (R, 5), longer at both ends by a part of their size; a side is one pixel longer."""
    low, high = regions[:, 1:3], regions[:, 3:5]
    pad = (high - low + 1) * ratio
    return torch.cat([low - pad, high + pad], 1)


def roi_pool(
    x: torch.Tensor, regions: torch.Tensor, bins: tuple[int, int], scale: float, pad_ratio: float = 0.0
) -> torch.Tensor:
    """The maxima of a map (N, C, H, W) in the bins of regions (R, 5): (R, C, *bins). An empty bin is 0.

    Where a gradient is wanted, it goes to the first of equal maxima.
    """
    regions = regions.detach().float()
    item = regions[:, 0].to(torch.int64)
    x1, y1, x2, y2 = rounded(widened(regions, pad_ratio) * scale).unbind(1)
    rows = roi_spans(y1, (y2 - y1 + 1).clamp(min=1), bins[0], x.shape[2])
    columns = roi_spans(x1, (x2 - x1 + 1).clamp(min=1), bins[1], x.shape[3])
    filled = (rows[1] > rows[0])[:, None, :, None] & (columns[1] > columns[0])[:, None, None, :]
    if not (x.requires_grad and torch.is_grad_enabled()):
        known = torch.where(x.isnan(), torch.finfo(x.dtype).min, x).permute(0, 2, 3, 1)
        return torch.where(filled, window_maxima(known, item, rows, columns).permute(0, 3, 1, 2), 0.0)
    count = x.shape[2] * x.shape[3]
    places = count - 1 - window_maxima(ordered_keys(x.detach()), item, rows, columns).permute(0, 3, 1, 2) % 2**32
    channels = torch.arange(x.shape[1], device=x.device)
    maps = (item[:, None] * x.shape[1] + channels)[:, :, None, None]
    values = x.reshape(-1).gather(0, (maps * count + places).reshape(-1)).reshape(places.shape)
    return torch.where(filled, values, 0.0)


def psroi_pool(x: torch.Tensor, regions: torch.Tensor, dims: int, group: int, scale: float) -> torch.Tensor:
    """Averages of position-sensitive maps (N, dims · group², H, W) in regions (R, 5): (R, dims, group, group).

    Bin (i, j) reads the maps of its own; an empty bin is 0. Sums over windows are differences of running sums, in
    double precision.
    """
    height, width = x.shape[2:]
    regions = regions.detach().float()
    item = regions[:, 0].to(torch.int64)[:, None, None]
    begin, end = rounded(regions[:, 1:3]) * scale, (rounded(regions[:, 3:5]) + 1) * scale
    step = ((end - begin).clamp(min=0.1) / group)[:, None]
    index = torch.arange(group, dtype=regions.dtype, device=x.device)[:, None]
    low, high = torch.floor(index * step + begin[:, None]), torch.ceil((index + 1) * step + begin[:, None])
    (left, top), (right, bottom) = (e.to(torch.int64).unbind(2) for e in (low, high))
    top, bottom = (e.clamp(0, height)[:, :, None] for e in (top, bottom))
    left, right = (e.clamp(0, width)[:, None, :] for e in (left, right))
    sums = F.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0)).unflatten(1, (dims, group, group))
    i = torch.arange(group, device=x.device)
    j, i = i[None, None, :], i[None, :, None]
    # indices on both sides of a slice put what they choose in front: (R, group, group, dims)
    total = sums[item, :, i, j, bottom, right] - sums[item, :, i, j, top, right]
    total = total - sums[item, :, i, j, bottom, left] + sums[item, :, i, j, top, left]
    area = (bottom - top) * (right - left)
    filled = ((bottom > top) & (right > left))[..., None]
    average = torch.where(filled, total / area.clamp(min=1)[..., None], torch.zeros_like(total))
    return average.permute(0, 3, 1, 2).to(x.dtype)


def linear_weights(at: torch.Tensor, share: torch.Tensor, limit: int) -> torch.Tensor:
    """What each of `limit` positions counts in sums of linearly interpolated samples: (R, bins, limit).

    at (R, bins, samples): where they lie; those outside take the value at the edge. share: what each sample counts.
    """
    at = at.clamp(0, limit - 1)
    low = at.floor()
    weights = at.new_zeros((*at.shape[:2], limit))
    weights = weights.scatter_add(2, low.to(torch.int64), (1 - (at - low)) * share)
    return weights.scatter_add(2, (low + 1).clamp(max=limit - 1).to(torch.int64), (at - low) * share)


def sampling_weights(begin: torch.Tensor, size: torch.Tensor, bins: int, samples: int, limit: int) -> torch.Tensor:
    """What each position counts in the average of a bin's samples, along one axis: (R, bins, limit).

    begin, size (R): of regions, in positions. samples: of each bin, evenly spaced; 0: as many as it has positions.
    A sample more than 1 outside of the axis counts as 0.
    """
    step = size / bins
    count = torch.full_like(step, samples) if samples else step.ceil().clamp(min=1)
    index = torch.arange(int(count.max()) if len(count) else 1, dtype=begin.dtype, device=begin.device)
    inside = (index[None] + 0.5) * (step / count)[:, None]
    bin_index = torch.arange(bins, dtype=begin.dtype, device=begin.device)
    at = begin[:, None, None] + bin_index[:, None] * step[:, None, None] + inside[:, None]  # (R, bins, samples)
    counts = (at >= -1) & (at <= limit) & (index < count[:, None])[:, None]
    return linear_weights(at, counts / count[:, None, None], limit)


def grid_weights(begin: torch.Tensor, size: torch.Tensor, bins: int, limit: int) -> torch.Tensor:
    """What each position counts in the samples at the ends of bins, along one axis: (R, bins + 1, limit).

    A sample more than half a position outside of the axis is 0, and so are all of a region without a size.
    """
    index = torch.arange(bins + 1, dtype=begin.dtype, device=begin.device)
    at = begin[:, None] + index * (size / bins)[:, None]
    counts = (at >= -0.5) & (at <= limit - 0.5) & (size > 0)[:, None]
    return linear_weights(at[..., None], counts[..., None].to(at.dtype), limit)


def weighted_windows(
    x: torch.Tensor, regions: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Sums of maps (N, C, H, W) by weights of rows (R, h, H) and columns (R, w, W) of regions (R, 5): (R, C, h, w)."""
    item = regions[:, 0].to(torch.int64)
    bins = rows.shape[1], columns.shape[1]
    order, pieces = [], [x.new_zeros((0, x.shape[1], *bins))]
    for n, maps in enumerate(x):
        flat = maps.transpose(0, 1).flatten(1)  # (H, C · W)
        own = (item == n).nonzero()[:, 0]
        order.append(own)
        for part in own.split(32) if len(own) else ():  # so that memory stays bounded
            found = (rows[part].flatten(0, 1) @ flat).reshape(len(part), -1, x.shape[3])  # (r, h · C, W)
            found = found @ columns[part].transpose(1, 2)
            pieces.append(found.reshape(len(part), bins[0], x.shape[1], bins[1]).transpose(1, 2))
    return torch.cat(pieces)[torch.cat(order).argsort()]


def roi_align(
    x: torch.Tensor, regions: torch.Tensor, bins: tuple[int, int], scale: float, samples: int
) -> torch.Tensor:
    """Averages of bilinear samples of a map (N, C, H, W) in the bins of regions (R, 5): (R, C, *bins).

    samples: along each side of a bin; 0: as many as the bin has positions, rounded up.
    """
    regions = regions.detach().to(x.dtype)
    begin = regions[:, 1:3] * scale
    size = (regions[:, 3:5] * scale - begin).clamp(min=1)
    rows = sampling_weights(begin[:, 1], size[:, 1], bins[0], samples, x.shape[2])
    columns = sampling_weights(begin[:, 0], size[:, 0], bins[1], samples, x.shape[3])
    return weighted_windows(x, regions, rows, columns)


def roi_grid(
    x: torch.Tensor, regions: torch.Tensor, bins: tuple[int, int], scale: float, pad_ratio: float
) -> torch.Tensor:
    """Bilinear samples of a map (N, C, H, W) at the corners of the bins of regions (R, 5): (R, C, bins + 1, bins + 1).

    pad_ratio: the part of its size by which a region is longer at each end.
    """
    regions = regions.detach().to(x.dtype)
    begin, end = (widened(regions, pad_ratio) * scale - 0.5).split(2, 1)
    size = end - begin
    size = torch.where((size > 0).all(1, keepdim=True), size, torch.zeros_like(size))
    rows = grid_weights(begin[:, 1], size[:, 1], bins[0], x.shape[2])
    columns = grid_weights(begin[:, 0], size[:, 0], bins[1], x.shape[3])
    return weighted_windows(x, regions, rows, columns)
