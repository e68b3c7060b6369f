"""`convert_imageset`: writes the images of a list into an LMDB or LevelDB."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..gflags import Flag, Program

PROGRAM = Program(
    "usage: convert_imageset FLAGS ROOTFOLDER/ LISTFILE DB_NAME\n\n"
    "LISTFILE has lines '<image> <label>'; ROOTFOLDER/ is put in front of the image names without any change.",
    (
        Flag("gray", False, "convert the images to one channel"),
        Flag("shuffle", False, "shuffle the images"),
        Flag("backend", "lmdb", "lmdb or leveldb"),
        Flag("resize_width", 0, "width to resize images to; 0: do not resize"),
        Flag("resize_height", 0, "height to resize images to; 0: do not resize"),
        Flag("check_size", False, "fail if images have different sizes"),
        Flag("encoded", False, "store the images compressed"),
        Flag("encode_type", "", "type of compression: 'png', 'jpg', ...; default: the type of each file"),
    ),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 3:
        raise InputError(f"expected ROOTFOLDER/ LISTFILE DB_NAME but got {len(words)} arguments; see --help")
    if bool(flags["resize_width"]) != bool(flags["resize_height"]):
        raise InputError("--resize_width and --resize_height must be used together")
    from ...data.image_database import Conversion, convert_imageset

    names = {"height": "resize_height", "width": "resize_width"}
    chosen = {name: flags[names.get(name, name)] for name in Conversion.__dataclass_fields__}
    root, list_file, database = words
    count = convert_imageset(root, list_file, database, flags["backend"], Conversion(**chosen))
    print(f"Processed {count} files.")
