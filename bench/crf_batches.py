"""The CRF in batches on a device: milliseconds per image, beside one core of the native CRF and of pydensecrf.

    python bench/crf_batches.py --device cuda          # batches of 1, 8 and 32
    python bench/crf_batches.py --batches 1 2          # the same code on the CPU

Images of 500 x 375 pixels, 21 classes, ten iterations, from images and unaries to labels. pydensecrf where it is
installed. By the clock: the labels that come back end the device's work.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import partial

import numpy as np

import timing
from crf_scenes import busy_image, unary_of
from deeplab_caffe.crf import CRFParameters, crf_batch, crf_labels

SETTING = CRFParameters(4, 60, 5)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    timing.add_arguments(parser, repeat=3)
    arguments = parser.parse_args()
    image = busy_image()
    unary = unary_of(image)
    peers = ["native", *(["pydensecrf"] if importlib.util.find_spec("pydensecrf") else [])]
    tasks = {f"{name}, one core": partial(crf_labels, image, unary, SETTING, name) for name in peers}
    sizes = dict.fromkeys(tasks, 1)
    for size in arguments.batches:
        name = f"{arguments.device}, batches of {size}"
        batch = [image] * size, [unary] * size
        tasks[name] = partial(crf_batch, *batch, SETTING, "torch", device=arguments.device)
        sizes[name] = size
    (labels,) = crf_batch([image], [unary], SETTING, "torch", device=arguments.device)
    apart = np.mean(labels != tasks["native, one core"]())
    each = {name: t / sizes[name] for name, t in timing.interleaved(tasks, arguments.repeat).items()}
    reference = each[f"{peers[-1]}, one core"]
    title = f"the CRF, 500 x 375 pixels, 21 classes; share of labels apart from native {apart:.1e}"
    print(f"{title}; {timing.machine(1, arguments.device)}, median of {arguments.repeat}\n")
    rows = [[name, f"{t:.1f}", f"{reference / t:.1f}"] for name, t in each.items()]
    print(timing.table(["", "ms an image", f"times {peers[-1]}'s speed"], rows))
    timing.record(arguments, title, {name: {"ms": t} for name, t in each.items()})


if __name__ == "__main__":
    main()
