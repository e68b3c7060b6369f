"""Refine the scores of any network with the dense CRF.

    python examples/crf_on_scores.py photo.jpg scores.npy -o labels.png --w1 4 --sigma-alpha 67 --sigma-beta 3

`scores.npy` holds (C, h, w), the network's output before the softmax, in the image's size or smaller. Smaller scores
are enlarged by bilinear interpolation, corner to corner, as Caffe's Interp layer does it.
"""

from __future__ import annotations

import argparse

import numpy as np

from deeplab_caffe.cli import guarded
from deeplab_caffe.crf import CRFParameters, dense_crf, resize_scores, unary_from_probabilities, unary_from_scores
from deeplab_caffe.data import read_image, write_label
from deeplab_caffe.data.score_maps import open_score_map


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("scores", help=".npy (C, h, w)")
    parser.add_argument("-o", "--output", default="labels.png")
    parser.add_argument("--probabilities", action="store_true", help="the file holds probabilities, not scores")
    parser.add_argument("--w1", type=float, default=4, help="weight of the term over position and colour")
    parser.add_argument("--sigma-alpha", type=float, default=67, help="its standard deviation in pixels")
    parser.add_argument("--sigma-beta", type=float, default=3, help="its standard deviation in colour levels, 0 to 255")
    parser.add_argument("--backend", default="auto", help="native (auto), torch, exact, pydensecrf")
    given = parser.parse_args(arguments)

    image = read_image(given.image)
    scores = open_score_map(given.scores).astype(np.float32)
    if scores.shape[1:] != image.shape[:2]:
        scores = resize_scores(scores, image.shape[:2])
    unary = unary_from_probabilities(scores) if given.probabilities else unary_from_scores(scores)
    parameters = CRFParameters(w1=given.w1, sigma_alpha=given.sigma_alpha, sigma_beta=given.sigma_beta)
    beliefs = dense_crf(image, unary, parameters, given.backend)  # (C, H, W), sums to 1 over the classes

    before, after = scores.argmax(axis=0), beliefs.argmax(axis=0)
    write_label(given.output, after.astype(np.uint8))
    print(f"{(before != after).mean():.2%} of the pixels changed their label")
    print(f"{given.output}: mean belief in the chosen label {beliefs.max(axis=0).mean():.3f}")


if __name__ == "__main__":
    raise SystemExit(guarded("crf_on_scores.py", main))  # bad input: one line on stderr, exit code 2
