"""`convert_imageset`: the images of a list into an LMDB or LevelDB."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .gflags import Flag, Program

PROGRAM = Program(
    "usage: convert_imageset FLAGS ROOTFOLDER/ LISTFILE DB_NAME\n\n"
    "LISTFILE has lines '<image> <number>'; ROOTFOLDER/ is put before the names as it is.",
    (
        Flag("gray", False, "images become one channel"),
        Flag("shuffle", False, "in random order"),
        Flag("backend", "lmdb", "lmdb or leveldb"),
        Flag("resize_width", 0, "make images so wide; 0: as they are"),
        Flag("resize_height", 0, "make images so high; 0: as they are"),
        Flag("check_size", False, "refuse images of different sizes"),
        Flag("encoded", False, "keep the images compressed"),
        Flag("encode_type", "", "compress them as 'png', 'jpg', ...; the file's own type if not given"),
    ),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 3:
        raise InputError(f"wanted ROOTFOLDER/ LISTFILE DB_NAME, got {len(words)} words; see --help")
    if bool(flags["resize_width"]) != bool(flags["resize_height"]):
        raise InputError("--resize_width and --resize_height go together")
    from ..data.image_database import Conversion, convert_imageset

    names = {"height": "resize_height", "width": "resize_width"}
    chosen = {name: flags[names.get(name, name)] for name in Conversion.__dataclass_fields__}
    root, list_file, database = words
    count = convert_imageset(root, list_file, database, flags["backend"], Conversion(**chosen))
    print(f"Processed {count} files.")
