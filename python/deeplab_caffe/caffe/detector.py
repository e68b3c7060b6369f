"""caffe.Detector: scores of windows in images (R-CNN). Mirrors python/caffe/detector.py of BVLC Caffe."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..formats import schema
from . import io
from .classifier import image_transformer
from .net.net import Net


class Detector(Net):
    """A net with one square input, fed with windows of images; windows are (ymin, xmin, ymax, xmax) in pixels.

    context_pad: pixels of surroundings, in the net's input, on every side of a window; what lies outside the image
    is filled with the mean. The others: see `caffe.io.Transformer`.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, schema.TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the context of windows, and find what fills it outside the image: the mean, as an image."""
        name = self.inputs[0]
        channels, height, width = self.blobs[name].shape[1:]
        self.crop_dims = np.array((height, width, channels))
        self.context_pad = context_pad
        self.crop_mean = np.zeros((height, width, channels), np.float32)
        if context_pad and name in self.transformer.mean:
            mean = self.transformer.mean[name].transpose((1, 2, 0)).astype(np.float32)
            if name in self.transformer.channel_swap:
                mean = mean[:, :, np.argsort(self.transformer.channel_swap[name])]
            self.crop_mean = self.crop_mean + mean / self.transformer.raw_scale.get(name, 1)

    def detect_windows(self, images_windows: Iterable[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        """For every window of [(image file, windows), …] a dict of window, prediction and filename."""
        listed = [(name, list(windows)) for name, windows in images_windows]
        crops = []
        for filename, windows in listed:
            image = io.load_image(filename) if windows else np.zeros(0)
            crops += [self.crop(image, window) for window in windows]
        if not crops:
            return []
        name = self.inputs[0]
        prepared = np.stack([self.transformer.preprocess(name, crop) for crop in crops])
        predictions = iter(self.forward_all(None, **{name: prepared})[self.outputs[0]])
        return [
            {"window": window, "prediction": next(predictions), "filename": filename}
            for filename, windows in listed
            for window in windows
        ]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Windows proposed by selective search, a MATLAB tool with a Python module of its own; InputError without."""
        try:
            search = importlib.import_module("selective_search_ijcv_with_python")
        except ImportError:
            raise InputError(
                "detect_selective_search needs the module selective_search_ijcv_with_python, which runs MATLAB; it is "
                "not on sys.path. Give windows of your own to detect_windows"
            ) from None
        names = [os.path.abspath(name) for name in image_fnames]
        return self.detect_windows(zip(names, search.get_windows(names, cmd="selective_search_rcnn"), strict=True))

    def crop(self, im: np.ndarray, window: Sequence[float]) -> np.ndarray:
        """The (h, w, K) image of a window, or with context an image of the net's input size."""
        ymin, xmin, ymax, xmax = (int(v) for v in window)
        if not self.context_pad:
            return im[ymin:ymax, xmin:xmax]
        size = self.blobs[self.inputs[0]].width
        low, high = _with_context(np.array([[ymin, xmin], [ymax, xmax]]), size / (size - 2.0 * self.context_pad))
        scale = size / (high - low + 1)
        offset = np.round(np.maximum(0, -low) * scale).astype(int)
        low, high = np.clip(low, 0, im.shape[:2]), np.clip(high, 0, im.shape[:2])
        extent = np.minimum(np.round((high - low + 1) * scale).astype(int), size - offset)
        (top, left), (bottom, right) = low.astype(int), high.astype(int)
        if top >= bottom or left >= right or extent.min() < 1:
            raise InputError(f"window {tuple(window)} lies outside the image of {im.shape[:2]} pixels")
        result = self.crop_mean.copy()
        inner = io.resize_image(im[top:bottom, left:right], extent)
        result[offset[0] : offset[0] + extent[0], offset[1] : offset[1] + extent[1]] = inner
        return result


def _with_context(corners: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A window ((ymin, xmin), (ymax, xmax)) made larger about its centre, rounded to pixels."""
    half = (corners[1] - corners[0] + 1) / 2.0
    centre = corners[0] + half
    return np.round(centre - scale * half), np.round(centre + scale * half)
