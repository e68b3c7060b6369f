"""What Winograd's algorithm and bfloat16 do to labels: a test net with trained weights, run in each way on its images.

    python bench/precision.py exper/demo/prototxt/test.prototxt exper/demo/model/train_iter_600.caffemodel

Prints how many pixels have another label than with direct sums in float32, how far apart the scores are, as a share
of the largest in an image, and the mean IoU if the net's data layer gives labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from deeplab_caffe import caffe
from deeplab_caffe.evaluation import Scores, confusion_matrix
from deeplab_caffe.progress import tracked

#: what the others are compared with
EXACT = "float32, exact"


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
    """Label the same images in each way."""
    plans = {EXACT: net.plan(exact=True), "float32": net.plan(), "bf16": net.plan(precision="bf16")}
    source, blob = net._layer_names[0], scores_of(net)
    data, label = net.top_names[source][:2]
    classes = net.blobs[blob].shape[1]
    confusion = {way: np.zeros((classes, classes), np.int64) for way in plans}
    changed, apart, total = dict.fromkeys(plans, 0), dict.fromkeys(plans, 0.0), 0
    for i in tracked(list(range(images)), "compare", unit="image"):
        scores = {}
        for way, plan in plans.items():
            net.layer_dict[source].seek(i * net.blobs[data].shape[0])
            plan.run()
            scores[way] = net.blobs[blob].data_tensor().clone()
            found, truth = scores[way].argmax(1).cpu().numpy(), net.blobs[label].data[:, 0].astype(np.int64)
            if truth.shape == found.shape:
                confusion[way] += confusion_matrix(truth, found, classes, ignore)
            changed[way] += int((scores[way].argmax(1) != scores[EXACT].argmax(1)).sum())
            apart[way] = max(apart[way], float((scores[way] - scores[EXACT]).abs().max() / scores[EXACT].abs().max()))
        total += found.size
    for way, count in changed.items():
        mean_iou = f"mean IoU {100 * Scores.from_matrix(confusion[way]).mean_iou:.2f} %" if confusion[way].any() else ""
        share = f"{count} of {total:,} pixels of {images} images ({100 * count / total:.5f} %) change their label"
        print(f"{way}: {share}, scores apart {apart[way]:.1e}, {mean_iou}")


def scores_of(net: caffe.Net) -> str:
    """The one output that has scores of classes for places."""
    (blob,) = (n for n in net.outputs if len(net.blobs[n].shape) == 4 and net.blobs[n].shape[1] > 1)
    return blob


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
