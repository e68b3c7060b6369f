"""`compute_image_mean`: the mean image of a database."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..gflags import Flag, Program

PROGRAM = Program(
    "usage: compute_image_mean FLAGS INPUT_DB [OUTPUT_FILE]\n\nOUTPUT_FILE is a .binaryproto, for mean_file.",
    (Flag("backend", "lmdb", "lmdb or leveldb"),),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) not in (1, 2):
        raise InputError(f"expected INPUT_DB [OUTPUT_FILE] but got {len(words)} arguments; see --help")
    from ...data.image_database import channel_means, compute_image_mean

    mean = compute_image_mean(words[0], flags["backend"], words[1] if len(words) > 1 else "")
    print(f"Number of channels: {len(mean)}")
    for channel, value in enumerate(channel_means(mean)):
        print(f"mean_value channel [{channel}]: {value:g}")
