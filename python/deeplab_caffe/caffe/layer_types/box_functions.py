"""Functions of boxes: decoding, overlaps, non-maximum suppression, and what detectors make of them.

Pure PyTorch, without a loop over boxes. An exported net gets copies of those that it uses, so each one needs `torch`,
`math` and the others of this module alone. A box is (x1, y1, x2, y2).
"""

from __future__ import annotations

import math

import torch


def overlaps(one: torch.Tensor, other: torch.Tensor, extra: float) -> torch.Tensor:
    """Intersection over union of boxes (G, I, 4) and (G, J, 4), as (G, I, J).

    extra: what a side is longer than the difference of its ends: 1 where boxes are of whole pixels, both included.
    """
    sides = []
    for low, high in ((0, 2), (1, 3)):
        near = torch.maximum(one[:, :, None, low], other[:, None, :, low])
        far = torch.minimum(one[:, :, None, high], other[:, None, :, high])
        sides.append((far - near + extra).clamp_(min=0))
    common = sides[0].mul_(sides[1])
    areas = [
        (boxes[..., 2] - boxes[..., 0] + extra).clamp(min=0) * (boxes[..., 3] - boxes[..., 1] + extra).clamp(min=0)
        for boxes in (one, other)
    ]
    union = areas[0][:, :, None] + areas[1][:, None, :] - common
    return torch.where(common > 0, common / union, 0.0)


def suppression_thresholds(threshold: float, eta: float, count: int, like: torch.Tensor) -> torch.Tensor:
    """The overlap allowed after 0, 1, … `count` boxes are kept: each one multiplies it by eta while it is above 0.5."""
    allowed = torch.full((count + 1,), threshold, dtype=like.dtype, device=like.device)
    for i in range(1, count + 1):
        if float(allowed[i - 1]) <= 0.5:
            allowed[i:] = allowed[i - 1]
            break
        allowed[i] = allowed[i - 1] * eta
    return allowed


def kept_boxes(
    boxes: torch.Tensor,
    valid: torch.Tensor,
    threshold: float,
    eta: float = 1.0,
    extra: float = 0.0,
    most: int = 0,
    block: int = 128,
) -> torch.Tensor:
    """Greedy non-maximum suppression of G sets of K boxes (G, K, 4), each in the order of falling scores.

    A box is kept if it is `valid` (G, K) and overlaps no box that was kept before it by more than the threshold.
    Blocks of boxes are decided one after another; within a block, which boxes are kept is guessed and corrected until
    nothing changes: after n rounds at least the first n boxes are right. With `most` it ends when every set has that
    many.

    Returns:
        (G, K), bool.
    """
    busy = valid.any(1)
    if not bool(busy.all()):  # of a detector's classes most have no candidate in an image
        kept = torch.zeros_like(valid)
        if bool(busy.any()):
            kept[busy] = kept_boxes(boxes[busy], valid[busy], threshold, eta, extra, most, block)
        return kept
    count = boxes.shape[1]
    allowed = suppression_thresholds(threshold, eta, count, boxes) if eta != 1 else None
    kept = torch.zeros_like(valid)
    worst = torch.zeros(valid.shape, dtype=boxes.dtype, device=boxes.device)  # overlap with boxes that are kept
    before = torch.zeros_like(valid[:, :1], dtype=torch.int64)
    for start in range(0, count, block):
        part, rest = slice(start, start + block), slice(start + block, None)
        own = overlaps(boxes[:, part], boxes[:, part], extra).triu_(1)
        chosen, settled = valid[:, part], False
        while not settled:
            inner = (own * chosen[:, :, None]).amax(1).maximum(worst[:, part])
            if allowed is None:
                corrected = valid[:, part] & (inner <= threshold)
            else:
                ranks = before + chosen.cumsum(1) - chosen.to(torch.int64)
                corrected = valid[:, part] & (inner <= allowed[ranks])
            settled = bool((corrected == chosen).all())
            chosen = corrected
        kept[:, part] = chosen
        if start + block >= count:
            break
        before = before + chosen.sum(1, keepdim=True)
        if most and bool((before >= most).all()):
            break
        some = chosen.any(0)
        later = overlaps(boxes[:, part][:, some], boxes[:, rest], extra)
        if later.shape[1]:
            worst[:, rest] = worst[:, rest].maximum((later.mul_(chosen[:, some, None])).amax(1))
    return kept


def prior_boxes(
    sizes: list[tuple[float, float]],
    variances: list[float],
    steps: tuple[float, float] | None,
    offset: float,
    clip: bool,
    feature: torch.Tensor,
    image: tuple[int, int],
) -> torch.Tensor:
    """SSD's prior boxes, in parts of the image: (1, 2, H · W · len(sizes) · 4), the boxes and their variances.

    Args:
        sizes: width and height of each prior, pixels.
        variances: 1 or 4.
        steps: pixels of the image from one position of the map to the next, (y, x); None: the ratio of the sizes.
        offset: where in its step a box has its centre.
        clip: whether boxes are cut to the image.
        feature: the map (N, C, H, W).
        image: height and width, pixels.
    """
    height, width = feature.shape[2:]
    device = feature.device
    step = torch.tensor(steps or (image[0] / height, image[1] / width), device=device)
    y, x = (
        ((torch.arange(n, device=device) + offset) * s).double() for n, s in zip((height, width), step, strict=True)
    )
    half = torch.tensor(sizes, device=device).double() / 2
    centres = torch.stack(torch.broadcast_tensors(x[None, :, None], y[:, None, None]), -1)  # (H, W, 1, 2)
    scale = torch.tensor([image[1], image[0]], dtype=torch.float64, device=device)
    boxes = torch.cat([(centres - half) / scale, (centres + half) / scale], -1).float()  # (H, W, P, 4)
    if clip:
        boxes = boxes.clamp(0, 1)
    spread = torch.tensor(variances, device=device).expand(4).expand_as(boxes)
    return torch.stack([boxes.flatten(), spread.flatten()])[None]


def decoded_boxes(
    priors: torch.Tensor, variances: torch.Tensor, offsets: torch.Tensor, code: str, encoded: bool
) -> torch.Tensor:
    """SSD's boxes, in parts of the image, from prior boxes (P, 1, 4), their variances and offsets (N, P, L, 4).

    Refined priors are (N, P, 1, 4).

    code: CORNER, CENTER_SIZE or CORNER_SIZE. encoded: whether the variances are in the offsets already.
    """
    offsets = offsets if encoded else offsets * variances
    size = priors[..., 2:] - priors[..., :2]
    if code == "CORNER":
        return priors + offsets
    if code == "CORNER_SIZE":
        return priors + offsets * torch.cat([size, size], -1)
    centre = (priors[..., :2] + priors[..., 2:]) / 2 + offsets[..., :2] * size
    half = torch.exp(offsets[..., 2:]) * size / 2
    return torch.cat([centre - half, centre + half], -1)


def without_easy(confidence: torch.Tensor, objectness: torch.Tensor, classes: int, least: float) -> torch.Tensor:
    """RefineDet's scores (N, P · classes): a prior that hardly is an object has class 0, without doubt.

    objectness (N, P · 2): probabilities of no object and of one; `least` of the latter is needed.
    """
    scores = confidence.reshape(confidence.shape[0], -1, classes)
    easy = objectness.reshape(scores.shape[0], -1, 2)[..., 1:] < least
    nothing = (torch.arange(classes, device=scores.device) == 0).to(scores.dtype)
    return torch.where(easy, nothing, scores).flatten(1)


def best_candidates(scores: torch.Tensor, valid: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of G sets of scores (G, P) the places of the best valid ones, best first: (G, K), and which of them count.

    most: at most that many of each set, all if negative. Of equal scores the first comes first.
    """
    count = int(valid.sum(1).max()) if valid.numel() else 0
    count = min(count, most) if most >= 0 else count
    places = valid.any(0).nonzero()[:, 0]  # few in a detector: most scores are below its threshold
    some = torch.where(valid[:, places], scores[:, places], -math.inf)
    order = places[some.sort(dim=1, descending=True, stable=True)[1][:, :count]]
    return order, torch.arange(count, device=scores.device)[None] < valid.sum(1, keepdim=True)


def detections(
    location: torch.Tensor,
    confidence: torch.Tensor,
    priors: torch.Tensor,
    classes: int,
    background: int,
    code: str,
    encoded: bool,
    least: float,
    top_k: int,
    threshold: float,
    eta: float,
    keep_top_k: int,
    refinement: torch.Tensor | None = None,
) -> torch.Tensor:
    """SSD's detections (1, 1, M, 7): item, class, score, x1, y1, x2, y2, by item, class and falling score.

    Args:
        location: offsets (N, P · L · 4), L = 1 if all classes share them, else `classes`.
        confidence: scores (N, P · classes).
        priors: (1, 2, P · 4).
        background: the class that is left out; −1 for none.
        code, encoded: see `decoded_boxes`.
        least: a score must be greater.
        top_k: how many of a class's best are looked at; all if negative.
        threshold, eta: of the non-maximum suppression within a class.
        keep_top_k: how many of an item are kept; all if negative.
        refinement: RefineDet's offsets (N, P · 4) of the priors, which `location` is then relative to.

    Returns:
        The rows; without any, one for each item: its number, then −1.
    """
    items, places = confidence.shape[0], priors.shape[2] // 4
    used = [c for c in range(classes) if c != background]
    scores = confidence.reshape(items, places, classes)
    above = scores > least
    if 0 <= background < classes:
        above[:, :, background] = False
    some = above.any(2).any(0).nonzero()[:, 0]  # few in a trained detector: the others are not decoded
    boxes, spread = priors.reshape(priors.shape[0], 2, places, 1, 4)[0, :, some]
    if refinement is not None:
        boxes = decoded_boxes(boxes, spread, refinement.reshape(items, places, 1, 4)[:, some], code, encoded)
    boxes = decoded_boxes(boxes, spread, location.reshape(items, places, -1, 4)[:, some], code, encoded)
    boxes = boxes.transpose(1, 2) if boxes.shape[2] == 1 else boxes[:, :, used].transpose(1, 2)
    scores = scores[:, some][:, :, used].transpose(1, 2).flatten(0, 1)
    order, valid = best_candidates(scores, scores > least, top_k)
    scores = scores.gather(1, order)
    chosen = order.reshape(items, len(used), -1, 1).expand(-1, -1, -1, 4)
    boxes = boxes.expand(-1, len(used), -1, -1).gather(2, chosen).flatten(0, 1)
    sets = max(1, 2**22 // max(256 * order.shape[1], 1))  # at a time, so that memory stays bounded
    pieces = zip(boxes.split(sets), valid.split(sets), strict=True)
    kept = torch.cat([kept_boxes(b, v, threshold, eta) for b, v in pieces]) if order.shape[1] else valid
    flat = kept.reshape(items, -1)
    if keep_top_k >= 0 and bool((flat.sum(1) > keep_top_k).any()):
        best, counted = best_candidates(scores.reshape(items, -1), flat, keep_top_k)
        kept = torch.zeros_like(flat).scatter(1, best, counted).reshape(kept.shape)
    row, rank = kept.nonzero(as_tuple=True)
    if not len(row):
        empty = torch.full((1, 1, items, 7), -1.0, device=scores.device)
        empty[0, 0, :, 0] = torch.arange(items, device=scores.device)
        return empty
    label = torch.tensor(used, device=scores.device)[row % len(used)]
    found = [(row // len(used)).float(), label.float(), scores[row, rank].float()]
    return torch.cat([torch.stack(found, 1), boxes[row, rank].float()], 1)[None, None]


def proposals(
    scores: torch.Tensor,
    deltas: torch.Tensor,
    info: torch.Tensor,
    anchors: list[list[float]],
    stride: int,
    least_size: float,
    before: int,
    after: int,
    threshold: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a region proposal network proposes: regions (R, 5), item, x1, y1, x2, y2 in pixels, and scores (R, 1).

    Args:
        scores: (N, 2 · A, H, W), those of objects behind.
        deltas: (N, 4 · A, H, W).
        info: height, width and scale of the images, (1, 3) or (N, 3).
        anchors: the A boxes at position 0, pixels.
        stride: pixels from one position to the next.
        least_size: pixels of the image before it was scaled; smaller boxes are left out.
        before, after: how many are kept before and after the non-maximum suppression; all if 0.
        threshold: of the suppression.
    """
    items, (height, width), count = scores.shape[0], scores.shape[2:], len(anchors)
    base = torch.tensor(anchors, device=scores.device)
    y, x = (torch.arange(size, device=scores.device) * float(stride) for size in (height, width))
    shifts = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]) * 2, -1)  # (H, W, 4)
    base = (shifts[:, :, None] + base).reshape(-1, 4)
    deltas = deltas.permute(0, 2, 3, 1).reshape(items, -1, 4)
    size = base[:, 2:] - base[:, :2] + 1
    centre = base[:, :2] + size / 2 + deltas[..., :2] * size
    half = torch.exp(deltas[..., 2:]) * size / 2
    info = info.reshape(-1, info.shape[-1])
    limits = info[:, [1, 0]][:, None] - 1  # (1 or N, 1, 2): x, y
    zero = torch.zeros_like(limits)
    low, high = (torch.minimum(torch.maximum(ends, zero), limits) for ends in (centre - half, centre + half))
    fits = (high - low + 1 >= least_size * info[:, None, 2:3]).all(-1)
    scores = scores[:, count:].permute(0, 2, 3, 1).reshape(items, -1)
    order, valid = best_candidates(scores, fits, before if before > 0 else -1)
    boxes = torch.cat([low, high], -1).gather(1, order[:, :, None].expand(-1, -1, 4))
    kept = kept_boxes(boxes, valid, threshold, extra=1.0, most=after)
    if after > 0:
        kept = kept & (kept.cumsum(1) <= after)
    item, rank = kept.nonzero(as_tuple=True)
    regions = torch.cat([item[:, None].to(boxes.dtype), boxes[item, rank]], 1)
    return regions, scores.gather(1, order)[item, rank][:, None]
