"""The fully connected CRF as a module of PyTorch that learns: CRF-RNN.

Source: Zheng et al., *Conditional Random Fields as Recurrent Neural Networks*, ICCV 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import InputError
from .lattice import bilateral_features, position_features
from .message_passing import MessagePassing, mean_field
from .params import CRFParameters


class CRFRNN(nn.Module):
    """Mean field iterations with learned weights and compatibility, on the CPU or a CUDA device.

    It begins as the CRF of `parameters`: softmax of its result is `dense_crf` of the negative scores, but for rounding.

    Args:
        classes: their number, C.
        parameters: the weights to begin with, the standard deviations (which are not learned), the normalization and
            the number of iterations (1 or more; the paper trains with 5 and tests with 10).

    Attributes:
        spatial, bilateral: weights (C, C) of the messages by positions, and by positions and colours; they begin as w2
            and w1 on the diagonal.
        compatibility: (C, C), begins as −1 on the diagonal: Potts' model without what is the same for all classes.

    Raises:
        InputError: fewer than 2 classes, or no iterations.

    Example:
        >>> crf = CRFRNN(21, CRFParameters(w1=4, sigma_alpha=60, sigma_beta=5, iterations=5))
        >>> scores, image = torch.zeros(1, 21, 12, 16, requires_grad=True), torch.zeros(1, 3, 12, 16)
        >>> crf(scores, image).square().sum().backward()
        >>> scores.grad.shape, crf.compatibility.grad.shape
        (torch.Size([1, 21, 12, 16]), torch.Size([21, 21]))
    """

    def __init__(self, classes: int, parameters: CRFParameters) -> None:
        super().__init__()
        if classes < 2:
            raise InputError(f"CRFRNN: {classes} classes, wanted 2 or more")
        if parameters.iterations < 1:
            raise InputError(f"CRFRNN: iterations is {parameters.iterations}, wanted 1 or more")
        self.parameters_at_start = parameters
        self.iterations = parameters.iterations
        identity = torch.eye(classes)
        self.spatial = nn.Parameter(parameters.w2 * identity)
        self.bilateral = nn.Parameter(parameters.w1 * identity)
        self.compatibility = nn.Parameter(-identity)
        self._near: tuple[object, MessagePassing] | None = None

    def forward(self, scores: Tensor, image: Tensor) -> Tensor:
        """Refined scores (N, C, H, W), not normalized.

        Args:
            scores: (N, C, H, W), such as a net's before its softmax, at the image's size.
            image: (N, 3, H, W), levels from 0 to 255; neither the order of the channels nor a subtracted mean matters.

        Raises:
            InputError: shapes that do not fit, values of the image that are not finite, or standard deviations too
                small for its size.
        """
        items, classes, height, width = self._checked(scores, image)
        p = self.parameters_at_start
        place = height, width, scores.device
        if self._near is None or self._near[0] != place:
            features = torch.from_numpy(position_features(height, width, p.sigma_gamma)).to(scores.device)
            self._near = place, MessagePassing([features], p.normalization)
        pictures = image.detach().permute(0, 2, 3, 1).cpu().numpy()
        colours = [torch.from_numpy(bilateral_features(x, p.sigma_alpha, p.sigma_beta)) for x in pictures]
        alike = MessagePassing([f.to(scores.device) for f in colours], p.normalization)
        terms = [(self._near[1], self.spatial), (alike, self.bilateral)]
        return mean_field(scores, scores, terms, self.iterations, self.compatibility)

    def _checked(self, scores: Tensor, image: Tensor) -> tuple[int, int, int, int]:
        classes = len(self.compatibility)
        if scores.dim() != 4 or scores.shape[1] != classes or not scores.numel():
            raise InputError(f"CRFRNN: scores {tuple(scores.shape)}, wanted (N, {classes}, H, W)")
        items, _, height, width = scores.shape
        if image.shape != (items, 3, height, width):
            raise InputError(f"CRFRNN: image {tuple(image.shape)}, wanted {(items, 3, height, width)}")
        if not bool(image.isfinite().all()):
            raise InputError("CRFRNN: the image holds NaN or infinite values")
        return items, classes, height, width
