"""Run by test_pipeline.py, in a process of its own: the tools on the stand-in for an installed pycaffe.

Writes what it found to found.json: for each call of the deeplab command its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from deeplab_caffe import cli, engine, inference
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import read_image

FLAGS = ["--data", "tiny.toml", "--crop", "33", "--batch-size", "2", "--width", "0.03", "--snapshot", "4"]
FLAGS += ["--random-seed", "1", "--caffe", "system", "--quick"]


def call(stage: str, exp: str, *flags: str, iterations: int = 8, display: int = 4) -> int:
    """One call of the command."""
    numbers = ["--iterations", str(iterations), "--display", str(display)]
    return cli.main([stage, "demo", "--exp", exp, *read_by(stage, [*FLAGS, *numbers, *flags])])


def call_and_interrupt(stage: str, exp: str, *flags: str) -> int:
    """The same with many iterations, and Ctrl-C as soon as the log has a line of the third display."""

    def interrupt() -> None:
        log = Path(exp, "log", "train.log")
        while not (log.exists() and "Iteration 8 (" in log.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    return call(stage, exp, *flags, iterations=10_000)


def main() -> None:
    bvlc = ("--dialect", "bvlc")
    found: dict[str, object] = {"all": call("all", "exp", *bvlc), "again": call("all", "exp", *bvlc)}
    found["module"] = engine.caffe().__file__
    found["passes"] = call("test", "exp", *bvlc, "--scales", "0.5,1.5", "--flip", "--tile", "25")
    found["done"] = json.loads(Path("exp/scores/val/done.json").read_text())
    found["same passes"] = same_as_embedded()
    call("test", "exp", *bvlc, *(word for name in ("scales", "flip", "tile") for word in ("--forget", name)))
    for stage in ("data", "prototxt", "train"):
        found[f"native {stage}"] = call(stage, "native")
    found["workers"] = call("train", "exp", *bvlc, "--workers", "2", "--force")
    found["gpus"] = call("train", "exp", *bvlc, "--gpu", "0,1", "--force")
    for stage in ("data", "prototxt"):
        call(stage, "stopped", *bvlc, iterations=10_000)
    found["stopped"] = call_and_interrupt("train", "stopped", *bvlc)
    found["strange"] = strange_layers()
    found["vanished"] = vanished_image()
    found["damaged"] = damaged_snapshot()
    Path("found.json").write_text(json.dumps(found))


def same_as_embedded() -> float:
    """The largest difference of probabilities between the installed Caffe and the embedded one, over several passes."""
    protocol = inference.Protocol((0.5, 1, 1.5), flip=True, tile=25)
    weights, image = Path("exp/model/train_iter_8.caffemodel"), read_image("i7.png")
    found = []
    for which in ("system", "embedded"):
        engine.choose(which)
        found.append(inference.load("exp/prototxt/deploy.prototxt", weights).probabilities(image, protocol))
    engine.choose("system")
    return float(abs(found[0] - found[1]).max())


def strange_layers() -> int:
    """A training net with another's Python layer, which is not allowed here."""
    net = Path("exp/prototxt/train.prototxt")
    text = net.read_text()
    net.write_text(text.replace('module: "deeplab_layers"', 'module: "os"', 1))
    try:
        return call("train", "exp", "--dialect", "bvlc", "--force")
    finally:
        net.write_text(text)


def vanished_image() -> int:
    """Testing with an image that is none any more when its turn comes."""
    image = Path("i7.png")
    content = image.read_bytes()
    image.write_bytes(b"no image")
    try:
        return call("test", "exp", "--dialect", "bvlc", "--force")
    finally:
        image.write_bytes(content)


def damaged_snapshot() -> int:
    """Training that would go on from half a file."""
    state = max(Path("stopped/model").glob("*.solverstate"), key=lambda path: path.stat().st_mtime_ns)
    state.write_bytes(state.read_bytes()[:-20])
    return call("train", "stopped", "--dialect", "bvlc", iterations=10_000)


if __name__ == "__main__":
    sys.exit(main())
