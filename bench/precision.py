"""What bfloat16 does to the labels: a test net with trained weights, run in float32 and in bfloat16 on its images.

    python bench/precision.py exper/demo/prototxt/test.prototxt exper/demo/model/train_iter_600.caffemodel

Prints the share of pixels whose label changes, and the mean IoU of both if the net's data layer gives labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from deeplab_caffe import caffe
from deeplab_caffe.evaluation import Scores, confusion_matrix
from deeplab_caffe.progress import tracked


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path, help="a net that reads images, one after another, and ends in scores")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--ignore", type=int, default=255, help="the label that does not count")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    if arguments.device == "cuda":
        caffe.set_mode_gpu()
    net = caffe.Net(str(arguments.net), str(arguments.weights), caffe.TEST)
    compare(net, arguments.images, arguments.ignore)
    net.close()


def compare(net: caffe.Net, images: int, ignore: int) -> None:
    """Label the same images in both precisions."""
    plans = {precision: net.plan(precision=precision) for precision in ("float32", "bf16")}
    source, blob = net._layer_names[0], scores_of(net)
    data, label = net.top_names[source][:2]
    classes = net.blobs[blob].shape[1]
    confusion = {precision: np.zeros((classes, classes), np.int64) for precision in plans}
    changed = total = 0
    for i in tracked(list(range(images)), "compare", unit="image"):
        found = {}
        for precision, plan in plans.items():
            net.layer_dict[source].seek(i * net.blobs[data].shape[0])
            plan.run()
            found[precision] = net.blobs[blob].data_tensor().argmax(1).cpu().numpy()
            truth = net.blobs[label].data[:, 0].astype(np.int64)
            if truth.shape == found[precision].shape:
                confusion[precision] += confusion_matrix(truth, found[precision], classes, ignore)
        changed += int((found["float32"] != found["bf16"]).sum())
        total += found["bf16"].size
    print(f"{100 * changed / total:.3f} % of {total:,} pixels of {images} images change their label in bf16")
    for precision, matrix in confusion.items():
        if matrix.any():
            print(f"{precision}: mean IoU {100 * Scores.from_matrix(matrix).mean_iou:.2f} %")


def scores_of(net: caffe.Net) -> str:
    """The one output that has scores of classes for places."""
    (blob,) = (n for n in net.outputs if len(net.blobs[n].shape) == 4 and net.blobs[n].shape[1] > 1)
    return blob


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
