"""Segment a photo: a net, the dense CRF, and label maps in the data set's colours.

    python examples/segment_photo.py deploy.prototxt weights.caffemodel photo.jpg -o labels.png

The net is one with an input `data` (1, 3, h, w) and scores of the image's size as its output, like each deploy.prototxt
that this package writes. The photo may have any size that fits into memory.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from deeplab_caffe import caffe
from deeplab_caffe.crf import CRFParameters, crf_labels, unary_from_scores
from deeplab_caffe.data import read_dataset, read_image, voc_palette, write_label

MEAN = (104.008, 116.669, 122.675)  # BGR, of the images that VGG-16 was trained on


def net_input(image: np.ndarray, mean: tuple[float, ...], scale: float) -> np.ndarray:
    """An image (H, W, 3) RGB as the net takes it: (1, 3, h, w) BGR minus the mean, padded by zeros to sizes 8k + 1."""
    values = (image[:, :, ::-1].astype(np.float32) - np.float32(mean)) * np.float32(scale)
    bottom, right = (-(side - 1) % 8 for side in image.shape[:2])
    return np.pad(values, ((0, bottom), (0, right), (0, 0))).transpose(2, 0, 1)[None]


def scores_of(net: caffe.Net, image: np.ndarray, mean: tuple[float, ...], scale: float) -> np.ndarray:
    """The net's scores (C, H, W) for an image (H, W, 3)."""
    values = net_input(image, mean, scale)
    net.blobs["data"].reshape(*values.shape)
    (scores,) = net.plan().forward(data=values).values()  # faster than net.forward(), and less memory
    return scores[0][:, : image.shape[0], : image.shape[1]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", help="deploy.prototxt")
    parser.add_argument("weights", help=".caffemodel")
    parser.add_argument("photo")
    parser.add_argument("-o", "--output", default="labels.png", help="labels as a PNG with a palette (%(default)s)")
    parser.add_argument("--dataset", help="the data set's TOML file: its classes, colours and mean (VOC's)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the pixels; the demo's nets have 1/58")
    parser.add_argument("--no-crf", action="store_true", help="the net's own labels")
    given = parser.parse_args(arguments)

    dataset = read_dataset(given.dataset) if given.dataset else None
    image = read_image(given.photo, upright=dataset is None or dataset.exif != "ignore")
    net = caffe.Net(given.net, given.weights, caffe.TEST)
    scores = scores_of(net, image, dataset.mean if dataset else MEAN, given.scale)
    labels = scores.argmax(axis=0).astype(np.uint8)
    if not given.no_crf:
        parameters = CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3, w2=3, sigma_gamma=3)
        labels = crf_labels(image, unary_from_scores(scores), parameters)

    palette = dataset.palette if dataset else voc_palette()
    write_label(given.output, labels, palette)
    overlay = Path(given.output).with_name(f"{Path(given.output).stem}_overlay.png")
    mixed = (image * 0.5 + palette[labels] * 0.5).astype(np.uint8)
    cv2.imwrite(str(overlay), mixed[:, :, ::-1])
    for label in np.unique(labels):
        name = dataset.classes[label] if dataset else f"class {label}"
        print(f"{name}: {(labels == label).mean():.1%} of the pixels")
    print(f"{given.output}, {overlay}")


if __name__ == "__main__":
    main()
