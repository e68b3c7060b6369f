"""How far the CRF in tiles is from the CRF on the whole image, near the seams and elsewhere.

    python bench/crf_seams.py PHOTO.jpg SCORES.npy [--size HxW] [--zoom 4]

The photo and its scores are enlarged, so that the image has room for tiles and its regions are as large as in a large
photo. For each overlap (in units of sigma_alpha) the pixels are counted whose label differs from the untiled one: those
within 8 pixels of a seam, and all others.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from deeplab_caffe.crf import CRFParameters, crf_labels, resize_scores
from deeplab_caffe.crf.batch.tiles import bands, infer_region
from deeplab_caffe.data import read_image

NEAR = 8
OVERLAPS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


def tiled(image: np.ndarray, unary: np.ndarray, parameters: CRFParameters, tile: int, margin: int):
    """Labels by tiles, and where the pixels near seams are."""
    size = image.shape[:2]
    labels, seams = np.zeros(size, np.uint8), np.zeros(size, bool)
    for row in bands(size, tile, margin):
        for part, grown in row:
            beliefs = infer_region(image[grown.slices], unary[(slice(None), *grown.slices)], grown, parameters)
            rows = slice(part.top - grown.top, part.bottom - grown.top)
            labels[part.slices] = beliefs.labels()[rows, part.left - grown.left : part.right - grown.left]
            for edge, axis, length in ((part.top, 0, size[0]), (part.left, 1, size[1])):
                if edge:
                    near = slice(edge - NEAR, min(edge + NEAR, length))
                    seams[(near, part.slices[1]) if axis == 0 else (part.slices[0], near)] = True
    return labels, seams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("scores", help=".npy (C, h, w)")
    parser.add_argument("--size", help="the net's input, HxW (default: the image's)")
    parser.add_argument("--zoom", type=int, default=4)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--sigma-alpha", type=float, nargs="+", default=[50.0, 100.0])
    arguments = parser.parse_args()
    photo = read_image(arguments.image)
    height, width = photo.shape[:2]
    size = tuple(map(int, arguments.size.split("x"))) if arguments.size else (height, width)
    scores = resize_scores(np.load(arguments.scores), size, (height, width))
    target = (arguments.zoom * height, arguments.zoom * width)
    image = cv2.resize(photo, target[::-1], interpolation=cv2.INTER_CUBIC)
    unary = -resize_scores(scores, target)
    print(f"{target[0]} x {target[1]}, tiles of {arguments.tile}; share of pixels that differ from the untiled labels")
    print("sigma_alpha  overlap  margin  tiles    near seams     elsewhere  changed by the CRF  time / untiled")
    for sigma in arguments.sigma_alpha:
        parameters = CRFParameters(4, sigma, 4)
        start = time.perf_counter()
        whole = crf_labels(image, unary, parameters)
        untiled = time.perf_counter() - start
        changed = (whole != unary.argmin(0)).mean()
        for overlap in OVERLAPS:
            margin = round(overlap * sigma)
            if 4 * margin > arguments.tile:
                continue
            start = time.perf_counter()
            labels, seams = tiled(image, unary, parameters, arguments.tile, margin)
            ratio = (time.perf_counter() - start) / untiled
            differs = labels != whole
            count = sum(map(len, bands(target, arguments.tile, margin)))
            near, far = 100 * differs[seams].mean(), 100 * differs[~seams].mean()
            print(
                f"{sigma:11g}  {overlap:7g}  {margin:6d}  {count:5d}  {near:10.4f} %  {far:10.4f} %"
                f"  {100 * changed:16.2f} %  {ratio:14.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
