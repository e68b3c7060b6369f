"""The folder that pages take for granted when they say `photo.jpg`, `exper/demo` or `my.toml`: all of it, but tiny."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from deeplab_caffe import cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data.synthetic import CLASSES, draw_image, draw_sample

ROOT = Path(__file__).parent.parent
#: flags of a net that trains in a second
TINY = ["--crop", "33", "--test-crop", "321", "--batch-size", "2", "--width", "0.03"]
TINY += ["--iterations", "4", "--snapshot", "2"]
DATA = Path("data/synthetic/dataset.toml")


def make(folder: Path) -> None:
    """Fill the working directory `folder`: a sample, an experiment on it, and files under the names that pages use."""
    draw_sample(DATA.parent, train=12, val=4)
    for stage in ("data", "prototxt", "train", "test", "search", "crf", "evaluate"):
        assert cli.main([stage, "demo", "--data", str(DATA), "--exp", "exper/demo", *read_by(stage, TINY)]) == 0, stage
    shutil.copytree(ROOT / "prototxt/voc12/largefov", "prototxt/voc12/largefov")
    text = DATA.read_text(encoding="utf-8")
    Path("my.toml").write_text(text.replace('root = "."', f'root = "{DATA.parent}"'), encoding="utf-8")
    _photos()
    shutil.copytree("exper/demo", "exper/voc12/largefov")
    weights = Path("exper/demo/model/train_iter_4.caffemodel")
    for name in ("exper/demo/model/train_iter_600", "train_iter_20000", "weights", "x", "init", "old", "old_net"):
        shutil.copy(weights, f"{name}.caffemodel")
    nets = Path("exper/demo/prototxt")
    for name, source in (("deploy", "deploy"), ("net", "deploy"), ("old", "deploy"), ("a", "train"), ("b", "train")):
        shutil.copy(nets / f"{source}.prototxt", f"{name}.prototxt")
    for name in ("train.log", "resumed.log", "run1/train.log", "run2/train.log"):
        Path(name).parent.mkdir(exist_ok=True)
        shutil.copy("exper/demo/log/train.log", name)
    np.save("scores.npy", names()["scores"])
    np.save("my_weights.npy", np.ones(len(CLASSES), np.float32))


def _photos() -> None:
    Path("last").touch()  # older than the photos
    os.makedirs("photos/holidays")
    for number, name in enumerate(("photo.jpg", "photos/a.jpg", "photos/holidays/b.jpg")):
        cv2.imwrite(name, draw_image(7, number)[0][:, :, ::-1])
    frames = cv2.VideoWriter("clip.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 5, (64, 48))
    for number in range(3):
        frames.write(np.full((48, 64, 3), 60 * number, np.uint8))
    frames.release()


def names() -> dict[str, np.ndarray]:
    """What the blocks of Python take for granted: an image (H, W, 3) RGB uint8, and scores (C, H, W) of its size."""
    image, label = draw_image(7, 0)
    scores = np.stack([(label == number) * np.float32(4) for number in range(7)])
    return {"image": image, "scores": scores}
