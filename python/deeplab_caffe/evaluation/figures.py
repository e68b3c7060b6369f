"""Pictures of results. Images are (H, W, 3) uint8 RGB arrays, figures are PNG files in memory."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..lazy import imported_on_use
from .plot_style import INK, Chart, chart, drawable, plain

if TYPE_CHECKING:
    import cv2
    from PIL import Image, ImageDraw, ImageFont
else:
    cv2 = imported_on_use("cv2")
    Image = imported_on_use("PIL.Image")
    ImageDraw = imported_on_use("PIL.ImageDraw")
    ImageFont = imported_on_use("PIL.ImageFont")

Rgb = NDArray[np.uint8]

BEFORE, AFTER = "#9db2c9", "#1d5fa8"


def png(image: Rgb) -> bytes:
    """Encode an image as a PNG file."""
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def see_through(image: Rgb) -> bytes:
    """Encode coloured labels as a PNG file whose black pixels, the background, are transparent."""
    return cv2.imencode(".png", np.dstack([image[..., ::-1], image.any(axis=2) * np.uint8(255)]))[1].tobytes()


def colour_labels(label: NDArray[np.integer[Any]], palette: Rgb, ignore_label: int | None = 255) -> Rgb:
    """Draw labels in the colours of a palette.

    Args:
        label: (H, W), values 0..255.
        palette: (K, 3) RGB; labels from K on are black.
        ignore_label: label that is drawn hatched in white and grey; None: none.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> colour_labels(np.array([[0, 1]]), np.array([[0, 0, 0], [128, 0, 0]], np.uint8)).tolist()
        [[[0, 0, 0], [128, 0, 0]]]
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette[:256]
    image = table[np.asarray(label, np.uint8)]
    if ignore_label is not None:
        rows, columns = np.nonzero(np.asarray(label) == ignore_label)
        image[rows, columns] = np.where(((rows + columns) // 3 % 2)[:, None], 255, 205)
    return image


def heat(values: NDArray[np.floating[Any]], low: float, high: float, colours: str = "viridis") -> Rgb:
    """Draw a map in the colours of one of matplotlib's colour maps.

    Args:
        values: (H, W).
        low, high: values at the ends of the colour map; those beyond are drawn like these.
        colours: name of the colour map.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> heat(np.array([[0, 0.5, 9]]), 0, 1, "gray")[0, :, 0].tolist()
        [0, 128, 255]
    """
    import matplotlib

    table = (matplotlib.colormaps[colours](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    scaled = np.nan_to_num((np.asarray(values, np.float32) - low) / (high - low) * 255)
    return table[np.clip(np.rint(scaled), 0, 255).astype(np.uint8)]


def overlay(
    image: Rgb,
    label: NDArray[np.integer[Any]],
    palette: Rgb,
    ignore_label: int | None = 255,
    strength: float = 0.55,
    outline: int = 1,
    unchanged: Collection[int] = (0,),
) -> Rgb:
    """Blend label colours over an image, with white outlines; background and ignored pixels are unchanged.

    Args:
        image: (H, W, 3) RGB.
        label: (H, W).
        palette: (K, 3) RGB.
        strength: weight of the label colours, 0..1.
        outline: width of the outlines in pixels, on each side of a border; 0: none.
        unchanged: the labels of pixels that are shown as they are.

    Raises:
        InputError: image and label differ in size.
    """
    _same_size("overlay", image, label)
    label = np.asarray(label, np.uint8)
    shown = np.ones(256, bool)
    shown[[*unchanged, *([] if ignore_label is None else [ignore_label])]] = False
    inside = shown[label]
    mixed = cv2.addWeighted(image, 1 - strength, colour_labels(label, palette, None), strength, 0)
    result = np.where(inside[:, :, None], mixed, image)
    if outline:
        size = 2 * outline + 1
        edges = cv2.morphologyEx(label, cv2.MORPH_GRADIENT, np.ones((size, size), np.uint8)) > 0
        result[edges & inside] = 255
    return np.asarray(result, np.uint8)


def with_legend(picture: Rgb, legend: Sequence[tuple[str, ArrayLike]]) -> Rgb:
    """A picture with a legend below, in letters that suit its size.

    Args:
        picture: (H, W, 3) RGB; it gets a white margin if it is narrower than a name.
        legend: (name, RGB) of each class.
    """
    height, width = picture.shape[:2]
    size = max(13, round(width / 45))
    margin = 6 * size // 13
    least = max((36 * size // 13 + int(_font(size).getlength(name)) for name, _ in legend), default=1)
    sheet = _with_white(np.asarray(_legend(legend, max(width - margin, least), size), np.uint8), margin, 0)
    return np.concatenate([_with_white(picture, 0, max(0, sheet.shape[1] - width)), sheet])


def _with_white(picture: Rgb, left: int, right: int) -> Rgb:
    wide = cv2.copyMakeBorder(picture, 0, 0, left, right, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return np.asarray(wide, np.uint8)


def side_by_side(
    rows: Sequence[Sequence[Rgb]],
    headings: Sequence[str] = (),
    legend: Sequence[tuple[str, ArrayLike]] = (),
    cell_height: int = 200,
) -> bytes:
    """Arrange pictures in rows under common headings, with a legend below.

    Args:
        rows: images (H, W, 3) of each row.
        headings: of the columns.
        legend: (name, RGB) of each class.
        cell_height: height of a row in pixels; lower if its pictures would exceed the common column width.

    Returns:
        A PNG file.
    """
    if not rows or not rows[0]:
        raise InputError("side by side: expected at least one picture but got none")
    gap, columns = 8, max(map(len, rows))
    width = int(max(cell_height * row[0].shape[1] / row[0].shape[0] for row in rows))
    width = min(width, int(1.5 * cell_height))
    cells = [[_fitted(cell, width, cell_height) for cell in row] for row in rows]
    heights = [max(cell.shape[0] for cell in row) for row in cells]
    top = 28 if headings else gap
    keys = _legend(legend, columns * (width + gap) - gap)
    total = top + sum(heights) + gap * len(rows) + keys.height
    sheet = Image.new("RGB", (columns * (width + gap) + gap, total), "white")
    draw = ImageDraw.Draw(sheet)
    for column, text in enumerate(headings):
        draw.text((gap + column * (width + gap) + width / 2, top / 2), text, INK, _font(15), anchor="mm")
    for row, height in zip(cells, heights, strict=True):
        for column, cell in enumerate(row):
            left = gap + column * (width + gap) + (width - cell.shape[1]) // 2
            sheet.paste(Image.fromarray(cell), (left, top))
        top += height + gap
    sheet.paste(keys, (gap, top))
    return _image_bytes(sheet)


def bars(
    class_names: Sequence[str],
    before: ArrayLike,
    after: ArrayLike | None = None,
    names: tuple[str, str] = ("before CRF", "after CRF"),
) -> Chart:
    """Draw the IoU of each class as horizontal bars.

    Args:
        class_names: C names.
        before: (C,) fractions 0..1, NaN for classes that do not occur.
        after: (C,) second series, or None.
        names: of the two series.
    """
    from matplotlib.figure import Figure

    series = [np.asarray(s, np.float64) for s in (before, after) if s is not None]
    figure = Figure(figsize=(7.2, 0.6 + (0.26 + 0.1 * len(series)) * len(class_names)), layout="constrained")
    axes = figure.add_subplot()
    place, thick = np.arange(len(class_names)), 0.76 / len(series)
    for number, (values, name) in enumerate(zip(series, names, strict=False)):
        y = place + (number - (len(series) - 1) / 2) * thick
        axes.barh(y, np.nan_to_num(values) * 100, thick, color=(BEFORE, AFTER)[number + 2 - len(series)], label=name)
        for height, value in zip(y, values, strict=True):
            text = "does not occur" if np.isnan(value) else f"{100 * value:.1f}"
            axes.text(np.nan_to_num(value) * 100 + 0.8, height, text, va="center", fontsize=7.5, color=INK)
    axes.set(xlim=(0, 108), xlabel="IoU in percent", ylim=(len(class_names) - 0.4, -0.6))
    axes.set_yticks(place, list(map(drawable, class_names)))
    if len(series) == 2:
        figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    plain(axes, "x")
    return chart(figure)


def reduced(image: Rgb, width: int, height: int | None = None) -> Rgb:
    """The image, reduced to a width and a height in pixels if it is larger."""
    if image.shape[1] <= width and image.shape[0] <= (height or image.shape[0]):
        return image
    return _fitted(image, width, height or image.shape[0])


def reduced_labels(label: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Labels (H, W), reduced to fit into a size in pixels if they are larger, without values that they do not have."""
    scale = min(width / label.shape[1], height / label.shape[0])
    if scale >= 1:
        return label
    size = max(1, round(label.shape[1] * scale)), max(1, round(label.shape[0] * scale))
    return np.asarray(cv2.resize(label.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST))


def _same_size(who: str, image: Rgb, label: NDArray[np.integer[Any]]) -> None:
    if image.shape[:2] != label.shape:
        raise InputError(f"{who}: the image is {image.shape[:2]}, but the labels are {label.shape}; crop or resize")


def _fitted(image: Rgb, width: int, height: int) -> Rgb:
    scale = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _legend(entries: Sequence[tuple[str, ArrayLike]], width: int, size: int = 13) -> Image.Image:
    """A legend of colours and names, wrapped to a width; `size` of the letters; all in pixels."""
    font, line, box, places = _font(size), 24 * size // 13, 14 * size // 13, []
    gap = 6 * size // 13
    x = y = 0
    for name, colour in entries:
        needed = box + 22 * size // 13 + int(font.getlength(name))
        if x and x + needed > width:
            x, y = 0, y + line
        places.append((x, y, name, colour))
        x += needed
    sheet = Image.new("RGB", (width, y + line + gap if entries else 1), "white")
    draw = ImageDraw.Draw(sheet)
    for x, y, name, colour in places:
        draw.rectangle((x, y + gap - 1, x + box, y + gap - 1 + box), tuple(map(int, np.asarray(colour))), "#888888")
        draw.text((x + box + gap, y + line // 2), name, INK, font, anchor="lm")
    return sheet


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def _image_bytes(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
