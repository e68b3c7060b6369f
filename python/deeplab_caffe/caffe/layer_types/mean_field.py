"""CRF-RNN: mean field iterations as a layer that learns. Mirrors `multi_stage_meanfield.cpp` of CRF-RNN's Caffe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...arrays import Shape
from ...crf.lattice import bilateral_features, position_features
from ...crf.message_passing import MessagePassing, mean_field
from ...errors import InputError
from ...formats import schema
from ..blob import Blob
from .base import TensorLayer, register

_REFUSED = ("detection_potentials_enabled", "ho_potentials_enabled", "is_no_class_weights")


@register("MultiStageMeanfield")
class MultiStageMeanfield(TensorLayer):
    """Unary scores U, scores S to begin with, both (N, C, H, W), and an image (N, 3, H, W), to scores (N, C, H, W).

    num_iterations times (2 or more): Q = softmax(S), then S = U − M (Wₛ Kₛ Q + W_b K_b Q). Kₛ is a Gaussian of
    positions (theta_gamma, pixels), K_b one of positions and colours (theta_alpha, pixels; theta_beta, levels), each
    divided by its mass. Parameters, all (1, 1, C, C): Wₛ, W_b, which begin as the stated weights on the diagonal, and
    the compatibility M, which begins as −1 on the diagonal. The result is not normalized. The image has no gradient.
    """

    bottoms = (3, 3)
    tops = (1, 1)
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.multi_stage_meanfield_param
        if p.num_iterations < 2:
            self.fail(f"num_iterations is {p.num_iterations}, wanted 2 or more")
        for field in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not 0 < getattr(p, field) < math.inf:
                self.fail(f"{field} is {getattr(p, field):g}, wanted a positive number")
        for field in _REFUSED:
            if getattr(p, field):
                self.fail(f"{field} is not supported: wanted the three parameters of CRF-RNN")
        channels = self._channels(bottom[0].shape)
        self._add(0, self._stated("spatial", channels))
        self._add(1, self._stated("bilateral", channels))
        self._add(2, [-1.0] * channels)
        self._positions: tuple[object, MessagePassing] | None = None

    def _channels(self, shape: Shape) -> int:
        if len(shape) != 4:
            self.fail(f"scores {shape}, wanted (N, C, H, W)")
        return shape[1]

    def _stated(self, kind: str, channels: int) -> list[float]:
        """The weights of a filter: one for each class, or one for all."""
        p = self.param.multi_stage_meanfield_param
        text = getattr(p, f"{kind}_filter_weights_str")
        if not text:
            return [getattr(p, f"{kind}_filter_weight")] * channels
        try:
            found = [float(word) for word in text.replace(",", " ").split()]
        except ValueError:
            found = []
        if len(found) not in (1, channels) or not all(map(math.isfinite, found)):
            self.fail(f"{kind}_filter_weights_str is {text!r}, wanted a number, or one for each of {channels} classes")
        return found if len(found) == channels else found * channels

    def _add(self, index: int, diagonal: list[float]) -> None:
        fresh = index >= len(self.blobs)
        self.add_param(index, (1, 1, len(diagonal), len(diagonal)), schema.FillerParameter(type="constant"))
        if fresh and self.fills:
            blob = self.blobs[index]
            blob.set_data(torch.diag(torch.tensor(diagonal))[None, None].to(blob.data_tensor()))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, begin, image = bottoms
        items, channels = scores[0], self.blobs[0].shape[-1]
        if len(scores) != 4 or begin != scores or image != (items, 3, *scores[2:]) or scores[1] != channels:
            self.fail(
                f"bottoms {scores}, {begin} and {image}; wanted (N, {channels}, H, W) twice, and an image (N, 3, H, W)"
            )
        return [scores]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        unary, scores, image = bottoms
        spatial, bilateral, compatibility = (w[0, 0].to(unary.dtype) for w in params)
        if not unary.numel():
            return [unary - scores]
        near, alike = self._filters(image.detach())
        iterations = self.param.multi_stage_meanfield_param.num_iterations
        return [mean_field(unary, scores, [(near, spatial), (alike, bilateral)], iterations, compatibility)]

    def _filters(self, image: torch.Tensor) -> tuple[MessagePassing, MessagePassing]:
        """By positions, and by positions and colours."""
        p, (height, width) = self.param.multi_stage_meanfield_param, image.shape[2:]
        place = (height, width, image.device)
        if not bool(image.isfinite().all()):
            self.fail(f"bottom '{self.param.bottom[2]}' holds NaN or infinite values")
        try:
            if self._positions is None or self._positions[0] != place:
                features = torch.from_numpy(position_features(height, width, p.theta_gamma)).to(image.device)
                self._positions = place, MessagePassing([features])
            pictures = image.permute(0, 2, 3, 1).cpu().numpy()
            both = [bilateral_features(picture, p.theta_alpha, p.theta_beta) for picture in pictures]
            return self._positions[1], MessagePassing([torch.from_numpy(f).to(image.device) for f in both])
        except InputError as error:
            self.fail(str(error))

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Those of the products of matrices; what the filters take depends on the image."""
        channels = bottoms[0][1]
        return 3 * channels * math.prod(bottoms[0]) * self.param.multi_stage_meanfield_param.num_iterations

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Of each iteration the beliefs, what both filters make of them, and the messages."""
        return 4 * 4 * bottom[0].count * self.param.multi_stage_meanfield_param.num_iterations
