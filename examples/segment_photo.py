"""Segment a photo with a trained model: label map, overlay, and the dense CRF.

    python examples/segment_photo.py exper/demo photo.jpg -o labels.png

The photo may have any size and format. `deeplab predict` does the same for folders and videos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from deeplab_caffe import Segmenter
from deeplab_caffe.cli import guarded
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.data import write_label

CRF = CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3, w2=3, sigma_gamma=3)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of an experiment, or a deploy.prototxt with --weights")
    parser.add_argument("photo")
    parser.add_argument("--weights", help=".caffemodel for a deploy.prototxt")
    parser.add_argument("--dataset", help="the TOML file of its data set: classes, colours and mean")
    parser.add_argument("-o", "--output", default="labels.png", help="labels as a PNG with a palette (%(default)s)")
    parser.add_argument("--no-crf", action="store_true", help="the net's own labels")
    given = parser.parse_args(arguments)

    if given.weights:
        segmenter = Segmenter.from_files(given.model, given.weights, given.dataset)
    else:
        segmenter = Segmenter.load(given.model)
    found = segmenter.predict(given.photo)  # found.probabilities is (C, H, W)
    if not given.no_crf:
        found = found.refined(segmenter.crf or CRF)  # the parameters that the experiment found, if there are some

    write_label(given.output, found.labels, found.palette)
    overlay = Path(given.output).with_name(f"{Path(given.output).stem}_overlay.png")
    cv2.imwrite(str(overlay), found.overlay(opacity=0.5)[:, :, ::-1])
    for name, part in found.shares.items():
        print(f"{name}: {part:.1%} of the pixels")
    print(f"{given.output}, {overlay}")


if __name__ == "__main__":
    raise SystemExit(guarded("segment_photo.py", main))  # bad input: one line on stderr, exit code 2
