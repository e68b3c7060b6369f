"""Files that come with the package: descriptions of data sets, the list of known weights, our results, lint's rules.

They lie in datasets/, models/ and docs/ of the repository; the build (setup.py) copies them into the package. A path
such as `datasets/voc12.toml` means the file in the working folder; if there is none, the one that came with the package
is read in its place. Paths within it are relative to the place in the working folder all the same, so data lies in the
working folder's data/.
"""

from __future__ import annotations

import os
from pathlib import Path

_COPIES = Path(__file__).parent / "packaged"
#: where the files lie: in an installed package its copies, in a clone the repository itself
_HOME = _COPIES if _COPIES.is_dir() else Path(__file__).parents[2]
_FOLDERS = (("datasets",), ("models",), ("docs",))


def or_packaged(path: str | os.PathLike[str]) -> Path:
    """The file to read for a path: the file itself, or the package's if it does not exist and the package has one.

    Args:
        path: relative to the working folder, such as datasets/voc12.toml. An absolute path is never replaced.

    Example:
        >>> or_packaged("no/such.toml").as_posix(), or_packaged("datasets/voc12.toml").name
        ('no/such.toml', 'voc12.toml')
    """
    path = Path(path)
    if os.path.lexists(path) or path.suffix != ".toml" or path.parts[:-1] not in _FOLDERS:
        return path
    packaged = _HOME / path
    return packaged if packaged.is_file() else path


def packaged(path: str) -> Path:
    """The package's own file, such as docs/lint-rules.md, whatever the working folder has; it may not exist."""
    return _HOME / path


def is_packaged(path: str | os.PathLike[str]) -> bool:
    """Whether the package's file is read for a path."""
    return or_packaged(path) != Path(path)


def names(folder: str) -> list[str]:
    """The names of all TOML files in a folder, those of the working folder and of the package, without .toml.

    Example:
        >>> "voc12" in names("datasets")
        True
    """
    return sorted({path.stem for place in (Path(folder), _HOME / folder) for path in place.glob("*.toml")})
