"""The fully connected CRF as a layer. Mirrors `densecrf_layer.cpp` of DeepLab; the inference itself is in `crf`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...arrays import Shape
from ...crf import GaussianTerm, MeanField, Pairwise, term_lattices
from ...crf.lattice import term_features
from ...crf.message_passing import MessagePassing, mean_field
from ...errors import InputError
from ..blob import Blob
from .base import TensorLayer, register
from .gradientless import SilentLayer


@register("DenseCRF")
class DenseCRFLayer(SilentLayer):
    """Scores (N, M, H, W), dims (N, 1, 1, 2) and BGR image (N, 3, H, W) to probabilities (N, M, H, W).

    The image is the data blob (a subtracted mean does not matter, a scale other than 1 does). An item's height and
    width by dims are refined, the whole map if it is not larger in either; 0 elsewhere. Standard deviations are in
    pixels and colour levels; each entry of the lists is a potential of its own. Without an image there are position
    terms only. `output_probability: false` gives logarithms, not below log(1.17549435e-38). Runs on the CPU; no
    gradient: the diffs of the bottoms are left as they are.

    Unless the layer states `propagate_down: true` for the scores, which Caffe's takes without effect: then the same
    iterations run as operations that have gradients, on any device, and their diffs are those of the scores. Results
    differ by rounding (about 1e-5).
    """

    bottoms = (2, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.dense_crf_param
        if p.max_iter < 0:
            self.fail(f"max_iter is {p.max_iter}, wanted 0 or more")
        for fields in (("pos_w", "pos_xy_std"), ("bi_w", "bi_xy_std", "bi_rgb_std")):
            counts = [len(getattr(p, field)) for field in fields]
            if len(set(counts)) > 1:
                stated = ", ".join(f"{count} {field}" for count, field in zip(counts, fields, strict=True))
                self.fail(f"states {stated}; wanted one of each for every potential")
            for field in fields[1:]:
                if not all(std > 0 for std in getattr(p, field)):
                    self.fail(f"{field} is {list(getattr(p, field))}, wanted positive numbers")
        if len(bottom) == 3 and not p.bi_w:
            self.fail("has an image but no bilateral potential; state bi_w, bi_xy_std and bi_rgb_std")
        if len(bottom) == 2 and p.bi_w:
            self.fail("states bilateral potentials (bi_w) but has no image, the third bottom")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, dims, *image = bottoms
        if len(scores) != 4 or dims[:1] != scores[:1] or int(np.prod(dims[1:])) < 2:
            self.fail(
                f"scores {scores} and dims {dims}; wanted (N, M, H, W) and (N, 1, 1, 2), height and width of each"
            )
        if image and image[0] != (scores[0], 3, *scores[2:]):
            self.fail(f"image {image[0]} for scores {scores}, wanted {(scores[0], 3, *scores[2:])}")
        return [scores]

    @property
    def is_silent(self) -> bool:
        return not any(self.param.propagate_down)

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index == 0 or self.is_silent

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not self.is_silent:
            if any(propagate_down[1:]):
                self.fail("only the scores, the first bottom, have a gradient; state propagate_down: false for others")
            TensorLayer.backward(self, top, propagate_down, bottom)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        if not self.is_silent:
            return [self._with_gradient(*bottoms)]
        arrays = [np.ascontiguousarray(b.detach().cpu().numpy(), dtype=np.float32) for b in bottoms]
        for i, array in enumerate(arrays):
            if not np.isfinite(array).all():
                self.fail(f"bottom '{self.param.bottom[i]}' holds NaN or infinite values")
        scores, dims, *image = arrays
        result = np.zeros_like(scores)
        for i, score in enumerate(scores):
            h, w = self._effective(i, dims[i].reshape(-1), score.shape[1:])
            colours = image[0][i, :, :h, :w].transpose(1, 2, 0) if image else None
            result[i, :, :h, :w] = self._refine(score[:, :h, :w], colours)
        return [torch.from_numpy(result).to(bottoms[0])]

    def _with_gradient(self, scores: torch.Tensor, dims: torch.Tensor, *image: torch.Tensor) -> torch.Tensor:
        """The same in operations that autograd knows."""
        p, items = self.param.dense_crf_param, []
        for i, name in enumerate(self.param.bottom):
            if not bool((scores, dims, *image)[i].isfinite().all()):
                self.fail(f"bottom '{name}' holds NaN or infinite values")
        for i, sizes in enumerate(dims.detach().flatten(1).cpu().numpy()):
            h, w = self._effective(i, sizes, scores.shape[2:])
            own = scores[i : i + 1, :, :h, :w]
            colours = image[0][i, :, :h, :w].detach().permute(1, 2, 0).cpu().numpy() if image else np.empty((h, w, 0))
            try:
                filters = [
                    (MessagePassing([torch.from_numpy(term_features(term, colours)).to(scores.device)]), term.weight)
                    for term in self._terms()
                ]
            except InputError as error:
                self.fail(str(error))
            refined = mean_field(own, own, filters, p.max_iter)
            q = torch.softmax(refined, 1)
            if not p.output_probability:
                q = q.clamp(min=torch.finfo(torch.float32).tiny).log()
            items.append(torch.nn.functional.pad(q, (0, scores.shape[3] - w, 0, scores.shape[2] - h)))
        return torch.cat(items) if items else scores

    def _effective(self, item: int, dims: np.ndarray, size: tuple[int, ...]) -> tuple[int, int]:
        height, width = int(dims[0]), int(dims[1])
        if size[0] <= height and size[1] <= width:
            return size[0], size[1]
        if not (0 < height <= size[0] and 0 < width <= size[1]):
            self.fail(
                f"item {item} is {height} x {width} (height x width) by bottom '{self.param.bottom[1]}', which neither "
                f"fits into the map of {size[0]} x {size[1]} nor covers it"
            )
        return height, width

    def _refine(self, scores: np.ndarray, image: np.ndarray | None) -> np.ndarray:
        """Probabilities, or their logarithms, from scores (M, h, w)."""
        p = self.param.dense_crf_param
        # Without a potential nothing is added to the scores; the arithmetic stays the same.
        terms = (self._terms() if p.max_iter else []) or [GaussianTerm(0.0, 1.0)]
        try:
            lattices = term_lattices(terms, np.empty((*scores.shape[1:], 0)) if image is None else image)
        except InputError as error:
            self.fail(str(error))
        weights = [term.weight for term in terms]
        beliefs = MeanField(-scores).run(Pairwise(lattices), weights, p.max_iter, "after")
        q = beliefs.probabilities()
        return q if p.output_probability else np.log(np.maximum(q, np.finfo(np.float32).tiny))

    def _terms(self) -> list[GaussianTerm]:
        """One for every potential, positions first."""
        p = self.param.dense_crf_param
        position = [GaussianTerm(*values) for values in zip(p.pos_w, p.pos_xy_std, strict=True)]
        return position + [GaussianTerm(*values) for values in zip(p.bi_w, p.bi_xy_std, p.bi_rgb_std, strict=True)]
