"""How long a move of a CRF slider of `deeplab serve` takes: from the request to the labels, 500×375, 21 classes.

    python bench/serve.py                # LargeFOV with random weights
    python bench/serve.py --clock cpu    # on a busy machine: the processor's time, which is that of an idle one

Each slider moves by one step at a time, so no setting comes twice; sliders take turns. Between settings the unary is
kept, and the lattices whose standard deviations did not move. The last row computes everything from the start.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import torch

from crf_scenes import busy_image
from deeplab_caffe import Segmenter, caffe
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.serving import PageServer, Service
from timing import CLOCKS, interleaved, machine, table

START = CRFParameters(4, 67, 3, 3, 3)
STEPS = {"w1": 0.5, "w2": 0.5, "sigma_alpha": 1, "sigma_beta": 0.5, "sigma_gamma": 0.5}


def random_model(folder: Path) -> Segmenter:
    """LargeFOV with the weights that its fillers draw."""
    net = Path("prototxt/voc12/largefov/deploy.prototxt")
    weights = folder / "random.caffemodel"
    caffe.Net(str(net), caffe.TEST).save(str(weights))
    return Segmenter.from_files(net, weights, "datasets/voc12.toml")


class Page:
    """Asks as the page does."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, body: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request("POST", path, body, {"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content

    def mover(self, photo: str, name: str) -> Callable[[], bytes]:
        """Each call moves one slider by a step; before the first, everything is as at the start."""
        setting = START

        def move() -> bytes:
            nonlocal setting
            setting = replace(setting, **{name: getattr(setting, name) + STEPS[name]})
            return self.ask(f"/photos/{photo}/labels", json.dumps(asdict(setting)).encode())

        return move


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    image = busy_image()
    with tempfile.TemporaryDirectory() as folder, PageServer("127.0.0.1", 0) as server:
        segmenter = random_model(Path(folder))
        server.service = Service(segmenter)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, found = Page(server.server_port), segmenter.predict(image)
        data = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
        tasks: dict[str, Callable[[], object]] = {}
        for name in STEPS:  # a photo of its own for each, so that nothing but its own slider moves
            tasks[name] = page.mover(json.loads(page.ask("/photos", data))["id"], name)
        tasks["everything from the start"] = lambda: found.refined(START)
        times = interleaved(tasks, arguments.repeat, CLOCKS[arguments.clock])
        server.shutdown()
    size = f"{image.shape[1]}×{image.shape[0]}, {len(found.classes)} classes"
    print(f"{machine(torch.get_num_threads(), 'cpu')}; {size}, {arguments.clock} time\n")
    print(table(["slider", "ms a move"], [[name, f"{value:.0f}"] for name, value in times.items()]))


if __name__ == "__main__":
    main()
