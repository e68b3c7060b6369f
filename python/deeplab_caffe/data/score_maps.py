"""Read score maps: the score or probability of each class at each pixel, in the formats that DeepLab users have.

| file                  | content                                                                           |
|---|---|
| `<id>.npy`            | (C, h, w), or (1, C, h, w)                                                        |
| `<id>.npz`            | one such array                                                                    |
| `<id>_blob_0.mat`, `<id>.mat` | variable `data` [W, H, C, 1], as MatWrite writes it                       |
| `<id>.bin`            | DeepLab's format, float32 or double (see `bin_files`)                             |
| `<id>.png`            | probability of class 1 of two, grey of 8 or 16 bits: 0 is 0, the largest value 1  |
| `<id>/0.png`, `1.png` … | the probability of each class, likewise                                         |
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

from ..errors import InputError
from .bin_files import open_bin
from .indexed_png import INDEXED, read_header
from .mapped_arrays import open_npy

Kind = Literal["auto", "scores", "probabilities"]
KINDS: tuple[Kind, ...] = ("auto", "scores", "probabilities")
_TOLERANCE = 1e-3
_LOOKED_AT = 1 << 20  # pixels


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
            raise InputError(
                f"{path}: scores of '{image_id}' are also in {found[image_id].name}; remove one of them"
            )
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


def open_score_map(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The values (C, h, w) of a score map, memory-mapped if the format allows it (.npy and .bin).

    Raises:
        InputError: the file is missing, damaged or not a score map; names it.
    """
    path = Path(path)
    reader = _read_folder if path.is_dir() else _READERS.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: unknown format of scores; expected {', '.join(_READERS)}")
    try:
        values = reader(path)
    except InputError:
        raise
    except Exception as error:  # NumPy and SciPy raise many kinds of errors for damaged files
        damage = f"damaged or not a {path.suffix} file ({error or type(error).__name__})"
        raise InputError(f"{path}: cannot read scores: {getattr(error, 'strerror', None) or damage}") from None
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "fiu":
        found = f"{values.dtype} of shape {values.shape}"
        raise InputError(f"{path}: expected numbers (classes, height, width), got {found}")
    return values


def kind_of(values: NDArray[Any], path: str | os.PathLike[str], kind: Kind = "auto") -> Kind:
    """Whether values are scores or probabilities.

    .bin and PNG have probabilities, .mat has scores. Values of .npy and .npz are probabilities if they are in 0..1 and
    sum to 1 within 1e-3 at each pixel; in large maps every n-th row is checked.

    Args:
        values: (C, h, w).
        path: the file that they come from.
        kind: the answer, unless "auto".
    """
    suffix = Path(path).suffix
    if kind != "auto":
        return kind
    if suffix == ".mat":
        return "scores"
    if suffix not in (".npy", ".npz"):
        return "probabilities"
    looked_at = np.asarray(values[:, :: max(1, values[0].size // _LOOKED_AT)])
    total = looked_at.sum(axis=0, dtype=np.float32)
    plausible = bool(looked_at.min() >= 0 and np.abs(total - 1).max() <= _TOLERANCE)
    return "probabilities" if plausible else "scores"


def _read_npy(path: Path) -> NDArray[Any]:
    return open_npy(path, "read scores")


def _read_npz(path: Path) -> NDArray[Any]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: cannot read scores: not a .npz file, or truncated")
    with np.load(path, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            raise InputError(f"{path}: expected one array, got {', '.join(archive.files) or 'none'}")
        return np.asarray(archive[archive.files[0]])


def _read_mat(path: Path) -> NDArray[Any]:
    variables = scipy.io.loadmat(path, variable_names=["data"], appendmat=False)
    if "data" not in variables:
        raise InputError(f"{path}: has no variable 'data'")
    data = np.asarray(variables["data"])
    if data.ndim > 4 or data.ndim == 4 and data.shape[3] != 1:
        raise InputError(f"{path}: expected data of shape [W, H, C, 1], got {data.shape}")
    return data.reshape(data.shape[:3] + (1,) * (3 - data.ndim)).transpose(2, 1, 0)


def _read_png(path: Path) -> NDArray[Any]:
    """One grey PNG: the probability of class 1 of two."""
    second = _grey(path)
    return np.stack([1 - second, second])


def _read_folder(path: Path) -> NDArray[Any]:
    """A folder of grey PNGs, one for each class; normalised, because rounding changes their sum."""
    count = next(number for number in range(1 << 16) if not (path / f"{number}.png").is_file())
    maps = [_grey(path / f"{number}.png") for number in range(count)]
    sizes = {values.shape for values in maps}
    if len(sizes) > 1:
        raise InputError(f"{path}: its PNGs have different sizes (H x W): {', '.join(map(str, sorted(sizes)))}")
    values = np.stack(maps)
    total = values.sum(axis=0)
    if not total.min() > 0.5 or total.max() > 1.5:
        raise InputError(f"{path}: probabilities of a pixel sum to {total.min():.3g}..{total.max():.3g}, expected 1")
    return values / total


def _grey(path: Path) -> NDArray[np.float32]:
    data = np.fromfile(path, np.uint8)
    header = read_header(data[:64].tobytes())
    if header and header.colour == INDEXED:
        raise InputError(f"{path}: a palette PNG, as label files are; expected probabilities as a grey PNG")
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f"{path}: cannot read scores: damaged or not a PNG")
    if pixels.ndim != 2:
        raise InputError(f"{path}: expected probabilities as a grey PNG, got {pixels.shape[2]} channels")
    return np.divide(pixels, 255 if pixels.dtype == np.uint8 else 65535, dtype=np.float32)


_READERS: dict[str, Callable[[Path], NDArray[Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".bin": open_bin,
    ".png": _read_png,
}
