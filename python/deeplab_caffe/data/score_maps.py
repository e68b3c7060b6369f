"""Read score maps: the score or probability of each class at each pixel, in the formats that DeepLab users have.

| file                  | content                                                                           |
|---|---|
| `<id>.npy`            | (C, h, w), or (1, C, h, w)                                                        |
| `<id>.npz`            | one such array, or an array (h, w) for each class, named 0, 1, ...                |
| `<id>_blob_0.mat`, `<id>.mat` | variable `data` [W, H, C, 1], as MatWrite writes it                       |
| `<id>.bin`            | DeepLab's format, float32 or double (see `bin_files`)                             |
| `<id>.png`            | probability of class 1 of two, grey of 8 or 16 bits: 0 is 0, the largest value 1  |
| `<id>/0.png`, `1.png` … | the probability of each class, likewise                                         |

An array (h, w) has class indices, and a PNG if it is stated (see `score_kinds`).
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats.encoded_images import decode_image
from ..formats.mat_files import read_mat
from ..lazy import imported_on_use
from ..reading import reading
from .bin_files import open_bin
from .indexed_png import INDEXED, read_header
from .labels import read_label
from .mapped_arrays import open_npy
from .score_kinds import Kind

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


def find_score_maps(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The score maps of a folder by image id, in the order of their names.

    If there are none, those of its subfolders by their relative paths, such as video1/00000.

    Raises:
        InputError: the folder cannot be listed or has no score maps, or two have the same id.
    """
    found: dict[str, Path] = {}
    try:
        paths = sorted(Path(folder).iterdir())
        if not any(map(_id_of, paths)):
            paths = [path for path in sorted(Path(folder).rglob("*")) if not _id_of(path.parent)]
    except OSError as error:
        raise InputError(f"{os.fspath(folder)}: cannot list the folder of scores: {error.strerror}") from None
    for path in paths:
        name = _id_of(path)
        if name is None:
            continue
        image_id = path.parent.relative_to(folder).joinpath(name).as_posix()
        if image_id in found:
            raise InputError(f"{path}: scores of '{image_id}' are also in {found[image_id].name}; remove one of them")
        found[image_id] = path
    if not found:
        raise InputError(f"{os.fspath(folder)}: no score maps; expected <id> with {', '.join(_READERS)}, or <id>/0.png")
    return found


def _id_of(path: Path) -> str | None:
    if path.name.startswith("."):
        return None
    if path.is_dir():
        return path.name if (path / "0.png").is_file() else None
    if path.suffix not in _READERS or re.search(r"_blob_[1-9]\d*$", path.stem):
        return None
    return path.stem.removesuffix("_blob_0")


def open_score_map(path: str | os.PathLike[str], kind: Kind = "auto") -> NDArray[Any]:
    """The values (C, h, w) of a score map, memory-mapped if the format allows it (.npy and .bin).

    Class indices are one channel of whole numbers, also if the file is (h, w) or a PNG.

    Args:
        path: the file, or the folder of PNGs.
        kind: what the file is stated to contain (see `score_kinds`), which decides how PNGs and arrays (h, w) are read.

    Raises:
        InputError: the file is missing, damaged or not a score map; names it.
    """
    path = Path(path)
    reader = _read_folder if path.is_dir() else _READERS.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: unknown format of scores; expected {', '.join(_READERS)}")
    with reading(path, "scores", f"cannot read scores: damaged or not a {path.suffix} file"):
        values = reader(path, kind)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    values = values.view(np.uint8) if values.dtype == bool else values
    one = values.ndim == 2 and (values.dtype.kind in "iu" or kind in ("labels", "sigmoid", "logits"))
    values = values[None] if one else values
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "fiu":
        found = f"{values.dtype} of shape {values.shape}"
        raise InputError(f"{path}: expected numbers (classes, height, width), got {found}{_HINTS.get(values.ndim, '')}")
    return values


_HINTS = {
    2: "; a probability of class 1 of two needs --kind sigmoid, and class indices --kind labels or whole numbers",
}


def _read_npy(path: Path, kind: Kind) -> NDArray[Any]:
    _refuse_pickle(path)
    return open_npy(path, "read scores")


def _refuse_pickle(path: Path) -> None:
    """Raise InputError for a .npy file with pickled Python objects, which are not unpickled: that may run any code."""
    with path.open("rb") as file:
        try:
            major, _ = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except ValueError:
            return  # open_npy says what is wrong
    if dtype.hasobject:
        what = "Python objects, probably a dictionary {class: map}," if shape == () else "Python objects"
        raise InputError(f"{path}: cannot read scores: contains {what} as a pickle, which could run any code; {_SAVE}")


_SAVE = (
    "if you trust it, save it as .npz, one array (height, width) for each class, named by its number: "
    "d = np.load('x.npy', allow_pickle=True).item(); np.savez('x.npz', **{str(k): v for k, v in d.items()})"
)


def _read_npz(path: Path, kind: Kind) -> NDArray[Any]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: cannot read scores: not a .npz file, or truncated")
    with np.load(path, allow_pickle=False) as archive:
        names = archive.files
        if names and all(re.fullmatch(r"\d{1,4}", name) for name in names):
            return _stacked({int(name): np.asarray(archive[name]) for name in names}, path)
        if len(names) != 1:
            found = ", ".join(names) or "none"
            raise InputError(f"{path}: expected one array, or one for each class named 0, 1, ..., got {found}")
        return np.asarray(archive[names[0]])


def _stacked(maps: dict[int, NDArray[Any]], path: Path) -> NDArray[Any]:
    """Maps (h, w) by class as (C, h, w); a class without a map is improbable."""
    if len({values.shape for values in maps.values()}) > 1 or next(iter(maps.values())).ndim != 2:
        shapes = ", ".join(f"{name}: {values.shape}" for name, values in list(maps.items())[:5])
        raise InputError(f"{path}: the maps of the classes must have one shape (height, width), got {shapes}")
    lowest = min(float(values.min()) for values in maps.values())
    shape = (max(maps) + 1, *next(iter(maps.values())).shape)
    stacked = np.full(shape, 0 if lowest >= 0 else lowest - 100, np.float32)
    for number, values in maps.items():
        stacked[number] = values
    return stacked


def _read_mat(path: Path, kind: Kind) -> NDArray[Any]:
    data = read_mat(path, "data")
    if not isinstance(data, np.ndarray):
        raise InputError(f"{path}: 'data' is a struct; expected an array [W, H, C, 1]")
    if data.ndim > 4 or data.ndim == 4 and data.shape[3] != 1:
        raise InputError(f"{path}: expected data of shape [W, H, C, 1], got {data.shape}")
    return data.reshape(data.shape[:3] + (1,) * (3 - data.ndim)).transpose(2, 1, 0)


def _read_png(path: Path, kind: Kind) -> NDArray[Any]:
    """One PNG: the probability of class 1 of two if it is grey, class indices if it looks like them."""
    if kind == "labels" and _has_palette(path):
        return read_label(path)[None]
    pixels = _grey(path)
    if kind == "labels":
        return _stated_indices(pixels, path)[None]
    if kind == "auto" and (labels := _indices(pixels, path)) is not None:
        return labels[None]
    second = _share(pixels)
    return np.stack([1 - second, second])


def _has_palette(path: Path) -> bool:
    with path.open("rb") as file:
        header = read_header(file.read(64))
    return header is not None and header.colour == INDEXED


def _stated_indices(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    if np.unique(pixels).tolist() == [0, 255]:
        raise InputError(
            f"{path}: has only 0 and 255, which is a mask, or class 0 and pixels without a known class; for a mask "
            "remove --kind, or write 1 for class 1"
        )
    return pixels


def _indices(pixels: NDArray[Any], path: Path) -> NDArray[np.uint8] | None:
    """Grey pixels as class indices if they are a mask (0 and the largest value) or indices and 255; otherwise None.

    Raises:
        InputError: they could be both indices and small probabilities.
    """
    values, most = np.unique(pixels), int(np.iinfo(pixels.dtype).max)
    if values.tolist() == [0, most]:
        return (pixels > 0).astype(np.uint8)
    small = values[values < most]
    if pixels.dtype != np.uint8 or not small.size or small[-1] == 0 or small[-1] > _LARGEST_INDEX:
        return None
    if values[-1] == most:
        return np.asarray(pixels, np.uint8)
    raise InputError(
        f"{path}: values from {values[0]} to {values[-1]} are class indices or very small probabilities; state --kind "
        "labels or --kind probabilities"
    )


_LARGEST_INDEX = 40  # a grey value up to it, without larger ones but 255, is more likely an index than a probability


def _read_folder(path: Path, kind: Kind) -> NDArray[Any]:
    """A folder of grey PNGs, one for each class; probabilities are normalised, because rounding changes their sum."""
    count = next(number for number in range(1 << 16) if not (path / f"{number}.png").is_file())
    maps = [_share(_grey(path / f"{number}.png")) for number in range(count)]
    sizes = {values.shape for values in maps}
    if len(sizes) > 1:
        raise InputError(f"{path}: its PNGs have different sizes (H x W): {', '.join(map(str, sorted(sizes)))}")
    values = np.stack(maps)
    if kind == "sigmoid" or count == 1:
        return values
    total = values.sum(axis=0)
    if not total.min() > 0.5 or total.max() > 1.5:
        raise InputError(
            f"{path}: probabilities of a pixel sum to {total.min():.3g}..{total.max():.3g}, expected 1; if each class "
            "has its own probability (sigmoid), state --kind sigmoid"
        )
    return values / total


def _grey(path: Path) -> NDArray[Any]:
    if _has_palette(path):
        raise InputError(
            f"{path}: a palette PNG, as label files are; expected probabilities as a grey PNG (--kind labels: labels)"
        )
    pixels = decode_image(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f"{path}: cannot read scores: damaged or not a PNG")
    if pixels.ndim != 2:
        raise InputError(f"{path}: expected probabilities as a grey PNG, got {pixels.shape[2]} channels")
    return pixels


def _share(pixels: NDArray[Any]) -> NDArray[np.float32]:
    return np.divide(pixels, 255 if pixels.dtype == np.uint8 else 65535, dtype=np.float32)


_READERS: dict[str, Callable[[Path, Kind], NDArray[Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".bin": lambda path, kind: open_bin(path),
    ".png": _read_png,
}
