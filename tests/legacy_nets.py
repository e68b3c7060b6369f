"""The nets of tests/data/legacy, one for each dialect, and what they need to run."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parent / "data" / "legacy"
NETS = sorted(path.stem for path in FOLDER.glob("*.prototxt") if path.stem != "solver")
DIALECTS = {
    "v0": "V0", "v1": "V1", "deeplab_v1": "DeepLab v1", "deeplab_v1_deploy": "DeepLab v1",
    "deeplab_v1_bbox": "DeepLab v1", "deeplab_v2": "DeepLab v2", "pspnet": "PSPNet", "bvlc": "V2",
}  # fmt: skip
_TOKEN = re.compile(r"#[^\n]*|\"[^\"\n]*\"|'[^'\n]*'|[{}<>\[\],;]|(?:\$\{\w+\}|[^\s{}<>\[\],;#\"'])+")


def read(name: str) -> str:
    return (FOLDER / f"{name}.prototxt").read_text(encoding="utf-8")


def values(folder: Path, name: str) -> dict[str, str]:
    """Values of the template's variables; images and lists are written to `folder`."""
    random = np.random.default_rng(0)
    lines = []
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), random.integers(0, 255, (33, 33, 3), dtype=np.uint8))
        cv2.imwrite(str(folder / f"label{i}.png"), np.full((33, 33), i, np.uint8))
        lines.append(f"/{i}.png /label{i}.png" if name.startswith("deeplab") else f"{folder}/{i}.png {i}")
    (folder / "list.txt").write_text("\n".join(lines) + "\n")
    return {
        "NET_ID": "small", "EXP": "voc12", "NUM_LABELS": "5", "BATCH_SIZE": "2", "TRAIN_SET": "train",
        "DATA_ROOT": str(folder), "LIST": str(folder / "list.txt"),
    }  # fmt: skip


def laid_out_anew(text: str, seed: int) -> str:
    """The same tokens with other blanks and line breaks, and a few comments more."""
    random = np.random.default_rng(seed)
    spaces = [" ", "  ", "\n", "\n\n  ", "\t", " # new\n", "\r\n    "]
    out = []
    for token in _TOKEN.findall(text):
        space = spaces[int(random.choice(len(spaces), p=[0.5, 0.1, 0.2, 0.05, 0.05, 0.05, 0.05]))]
        out.append(token + ("\n" if token.startswith("#") else "") + space)
    return "".join(out)
