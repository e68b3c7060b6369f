"""`extract_features`: writes blobs of a net into databases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ... import engine
from ...errors import InputError
from ..gflags import Flag, Program

PROGRAM = Program(
    "usage: extract_features FLAGS WEIGHTS NET BLOB1[,BLOB2...] DB1[,DB2...] BATCHES DB_TYPE [CPU|GPU] [DEVICE_ID=N]\n"
    "\nNET runs in the TEST phase with its own data layer. Each item of a blob becomes a datum with a ten-digit key.",
    (Flag("allow_python_layers", False, "let the net import and run the modules of its Python layers"),),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if not 6 <= len(words) <= 8:
        raise InputError(f"expected 6 to 8 arguments but got {len(words)}; see --help")
    weights, net_file, blobs, databases, batches, backend, *device = words
    if not batches.isdigit() or int(batches) < 1:
        raise InputError(f"expected the number of batches but got '{batches}'")
    names, folders = blobs.split(","), databases.split(",")
    if len(names) != len(folders) or len(set(names)) != len(names):
        raise InputError(
            f"{len(names)} blobs and {len(folders)} databases; expected one database for each blob, and no blob twice"
        )
    if not engine.is_embedded():
        engine.replace_by_installed("extract_features", words)
    from ... import caffe
    from ...caffe.features import extract_features
    from ...permission import python_layers

    with python_layers(flags["allow_python_layers"]):
        _choose(device)
        net = caffe.Net(net_file, caffe.TEST, weights=weights)
        try:
            count = extract_features(net, dict(zip(names, folders, strict=True)), int(batches), backend)
        finally:
            net.close()
    print(f"Extracted features of {count} items: {', '.join(names)}")


def _choose(device: Sequence[str]) -> None:
    """Select the device that the last arguments name: `CPU`, `GPU`, `GPU DEVICE_ID=1`."""
    from ... import caffe

    mode, number = device[0] if device else "CPU", device[1] if len(device) > 1 else "DEVICE_ID=0"
    match = re.fullmatch(r"(?:DEVICE_ID=)?(\d+)", number)
    if mode not in ("CPU", "GPU") or not match:
        raise InputError(f"expected CPU, GPU, or GPU DEVICE_ID=<number> but got {' '.join(device)}")
    if mode == "GPU":
        caffe.set_device(int(match[1]))
        caffe.set_mode_gpu()
